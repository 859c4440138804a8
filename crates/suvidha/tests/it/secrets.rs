//! The main job with every log at `trace`: whatever is secret in it is searched for in everything that was written.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::command::{Place, Server, gstr1, post, recent_periods};

const CLIENT_ID: &str = "l7xx0123456789abcdef0123456789abcdef";
const CLIENT_SECRET: &str = "c11e47c11e47c11e47c11e47c11e4700";
const TOKEN: &str = "70ce70ce-marker-4ade-8f00-70ce70ce70ce";
const OTP: &str = "918273";

const GATEWAY: &str = r#"
[registry]
path = "gateway/registry.sqlite"
sealing_key_file = "gateway/sealing.key"
[log]
format = "json"
[environments.production]
enabled = false
[environments.sandbox]
listen = "127.0.0.1:0"
gstn_certificate = "gstn/gstn.pem"
[environments.sandbox.upstream]
url = "GSTN"
client_id = "CLIENT_ID"
client_secret_sealed = "gstn/sandbox/client-secret"
"#;

#[test]
fn no_secret_is_written_where_it_does_not_belong() {
    let place = Place::new();
    place.write("client-secret", CLIENT_SECRET);
    place.write("simulator.toml", &format!("[simulator]\notp = \"{OTP}\"\n"));
    let (gstn, ready) = place.start_ready(&format!(
        "sandbox --data gstn --gstn-port 0 --management-port 0 --config simulator.toml --log-level trace \
         --client-id {CLIENT_ID} --client-secret-file client-secret"
    ));
    fs::rename(place.path("err"), place.path("gstn.log")).unwrap();
    fs::rename(place.path("out"), place.path("gstn.out")).unwrap();
    let taxpayer = new_taxpayer(ready["gstn_management"].as_str().unwrap());

    let (gateway, address) = gateway_before(&place, ready["gstn"].as_str().unwrap());
    place.write("token", TOKEN);
    let (gstin, username) = (taxpayer["gstin"].as_str().unwrap(), taxpayer["username"].as_str().unwrap());
    let mut said = Vec::new();
    let mut gst = |line: &str, code: i32| {
        let ended = place.run(&format!("gst {line} --session session"));
        assert_eq!(ended.code, code, "{line}: {}{}", ended.out, ended.err);
        said.push(format!("{}{}", ended.out, ended.err));
    };
    let login =
        format!("login --gateway http://{address} --token-file token --gstin {gstin} --username {username}");
    gst(&format!("{login} --otp 000000"), 1);
    gst(&format!("{login} --otp {OTP}"), 0);
    let month = &recent_periods(1)[0];
    let (period, payload) = (&month.0, place.write("gstr1.json", &gstr1(gstin, month, "S/1")));
    gst(&format!("save --period {period} --wait {}", payload.display()), 0);
    gst(&format!("get --period {period} B2B"), 0);
    gst(&format!("summary --period {period}"), 0);
    gst(&format!("search {gstin}"), 0);

    let session: Value = serde_json::from_slice(&fs::read(place.path("session")).unwrap()).unwrap();
    let mut secrets = BTreeMap::from([("client secret", CLIENT_SECRET), ("token", TOKEN), ("OTP", OTP)]);
    for (name, key) in [("app key", "app_key"), ("SEK", "sek"), ("auth token", "auth_token")] {
        secrets.insert(name, session[key].as_str().unwrap());
    }
    gateway.stop();
    gstn.stop();

    assert_clean(&secrets, "what `suvidha gst` printed", said.join("\n").as_bytes());
    for name in ["err", "out", "gstn.log", "gstn.out"] {
        assert_clean(&secrets, name, &fs::read(place.path(name)).unwrap());
    }
    let mut files = 0;
    for file in files_below(&place.path("gateway")) {
        assert_clean(&secrets, &file.display().to_string(), &fs::read(&file).unwrap());
        files += 1;
    }
    assert!(files >= 2, "the registry and its key must have been searched");
    let log = fs::read_to_string(place.path("err")).unwrap();
    assert!(log.contains("\"DEBUG\"") && log.contains(gstin), "the log must be of these calls, in full");
}

/// A gateway in front of `gstn`, with one ASP that brought its token along, and its address.
fn gateway_before(place: &Place, gstn: &str) -> (Server, String) {
    let config = GATEWAY.replace("GSTN", gstn).replace("CLIENT_ID", CLIENT_ID);
    place.write("gateway.toml", &config);
    fs::create_dir(place.path("gateway")).unwrap();
    place
        .run_with_input("secret set gstn/sandbox/client-secret --config gateway.toml", CLIENT_SECRET)
        .succeeds();
    let asp = place.json(
        "asp add --config gateway.toml --name A --contact-name B --email c@example.in --phone +919876543210",
    );
    let aspid = asp["aspid"].as_str().unwrap();
    let import = format!("asp token import {aspid} --environment sandbox --config gateway.toml");
    place.run_with_input(&import, TOKEN).succeeds();
    let mut gateway = place.start("serve --config gateway.toml --log-level trace");
    gateway.wait_for_log("\"listening\"");
    let log = gateway.log();
    let line = log.lines().find(|line| line.contains("\"listening\"")).unwrap();
    let address = serde_json::from_str::<Value>(line).unwrap()["address"].as_str().unwrap().to_owned();
    (gateway, address)
}

/// Fails where a secret stands in `bytes`: as it is, or, for keys, as raw bytes or hex.
fn assert_clean(secrets: &BTreeMap<&str, &str>, place: &str, bytes: &[u8]) {
    for (name, secret) in secrets {
        for form in forms(secret) {
            let found = bytes.windows(form.len()).any(|window| window == form);
            assert!(!found, "the {name} stands in {place}");
        }
    }
}

fn forms(secret: &str) -> Vec<Vec<u8>> {
    let mut forms = vec![secret.as_bytes().to_vec()];
    if let Ok(key) = gstn::crypto::base64::decode_strict(secret)
        && key.len() == 32
    {
        forms.push(key.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into_bytes());
        forms.push(format!("{key:?}").into_bytes());
        forms.push(key);
    }
    forms
}

fn files_below(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .collect()
}

/// A taxpayer outside of Maharashtra, made over the management port.
fn new_taxpayer(management: &str) -> Value {
    let (status, taxpayer) = post(&format!("{management}/taxpayers"), &json!({"state": "29"}));
    assert!(status < 300, "{taxpayer}");
    taxpayer
}
