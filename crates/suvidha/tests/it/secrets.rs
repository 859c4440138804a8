//! The main job with every log at `trace`: whatever is secret in it is searched for in everything that was written.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use gstn::crypto::base64;
use serde_json::{Value, json};

use crate::command::{Place, Server, gstr1, manage, recent_periods};
use crate::getkey::{Asp, Session, Signed};

const CLIENT_ID: &str = "l7xx0123456789abcdef0123456789abcdef";
const CLIENT_SECRET: &str = "c11e47c11e47c11e47c11e47c11e4700";
const TOKEN: &str = "70ce70ce-marker-4ade-8f00-70ce70ce70ce";
const OTP: &str = "918273";
const PASSPHRASE: &str = "pa55-marker-phrase";

const GATEWAY: &str = r#"
[registry]
path = "gateway/registry.sqlite"
sealing_key_file = "gateway/sealing.key"
[log]
format = "json"
[admin]
listen = "127.0.0.1:0"
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
#[expect(clippy::too_many_lines, reason = "the main job, told step by step")]
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
    let taxpayer = new_taxpayer(&ready);

    let (gateway, address, asp) = gateway_before(&place, ready["gstn"].as_str().unwrap());
    place.write("token", TOKEN);
    let (gstin, username) = (taxpayer["gstin"].as_str().unwrap(), taxpayer["username"].as_str().unwrap());
    let mut said = Vec::new();
    let mut gst = |line: &str, code: i32| {
        let ended = place.run(&format!("gst {line} --session session"));
        assert_eq!(ended.code, code, "{line}: {}{}", ended.out, ended.err);
        said.push(format!("{}{}", ended.out, ended.err));
    };
    let login = format!("login --gateway http://{address} --gstin {gstin} --username {username}");
    gst(&format!("{login} --token-file token --otp 000000"), 1);
    gst(&format!("{login} --token-file token --otp {OTP}"), 0);
    let month = &recent_periods(1)[0];
    let (period, payload) = (&month.0, place.write("gstr1.json", &gstr1(gstin, month, "S/1")));
    gst(&format!("save --period {period} --wait {}", payload.display()), 0);
    gst(&format!("get --period {period} B2B"), 0);
    gst(&format!("summary --period {period}"), 0);
    gst(&format!("search {gstin}"), 0);
    let by_getkey = format!(
        "--aspid {} --asp-secret-file asp-secret --key asp-key/asp.pfx --passphrase-file passphrase",
        asp.aspid
    );
    gst(&format!("{login} {by_getkey} --otp {OTP}"), 0);
    gst(&format!("summary --period {period}"), 0);
    gst("session", 0);

    let of_getkey = get_sessions(&asp, &format!("http://{address}"));
    for line in ["asp list", "asp show ASPID", "asp secret list ASPID", "asp cert list ASPID", "keys list"] {
        let ended = place.run(&format!("{} --config gateway.toml", line.replace("ASPID", &asp.aspid)));
        ended.succeeds();
        said.push(ended.out + &ended.err);
    }

    let (taxpayers, gsps) = (kept_session(&place, "taxpayer"), kept_session(&place, "gsp"));
    let kept_key = fs::read_to_string(place.path("asp-key/asp.key.pem")).unwrap();
    let mut secrets = BTreeMap::from([
        ("client secret", CLIENT_SECRET),
        ("token", TOKEN),
        ("OTP", OTP),
        ("passphrase", PASSPHRASE),
        ("private key of keygen", kept_key.lines().nth(9).unwrap()),
        ("session key of `suvidha gst`", gsps["key"].as_str().unwrap()),
    ]);
    for (name, key) in [("app key", "app_key"), ("SEK", "sek"), ("auth token", "auth_token")] {
        secrets.insert(name, taxpayers[key].as_str().unwrap());
    }
    secrets.extend(of_getkey.iter().map(|(name, secret)| (*name, secret.as_str())));
    gateway.stop();
    gstn.stop();

    assert_clean(&secrets, "what the commands printed", said.join("\n").as_bytes());
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

/// The session of a kind that the login in `session` keeps.
fn kept_session(place: &Place, kind: &str) -> Value {
    let of_kind = |file: &PathBuf| {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        name.starts_with(kind) && name.ends_with(".json")
    };
    let file = files_below(&place.path("session/sessions")).into_iter().find(of_kind).unwrap();
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

/// Gets sessions, one of them in vain, and calls with one, in vain and well; gives all that is secret about it.
fn get_sessions(asp: &Asp, gateway: &str) -> Vec<(&'static str, String)> {
    let signed = asp.sign();
    let another = asp.sign();
    assert_eq!(asp.send(gateway, &signed).0, 200);
    assert_eq!(asp.send(gateway, &signed).0, 401, "a replay");
    let wrong = Signed { timestamp: asp.sign().timestamp, signed_content: another.signed_content.clone() };
    assert_eq!(asp.send(gateway, &wrong).0, 401, "a signature of something else");
    let session = asp.session(gateway);
    assert_eq!(session.search(gateway).0, 200);
    let foreign = Session { id: asp.session(gateway).id, ..session.clone() };
    assert_eq!(foreign.search(gateway).0, 401, "the session key of another session");
    vec![
        ("ASP secret", String::from_utf8(asp.secret.as_bytes().to_vec()).unwrap()),
        ("account password", asp.password.clone()),
        ("private key", asp.key.pkcs8_pem().lines().nth(9).unwrap().to_owned()),
        ("signed content", signed.signed_content),
        ("signed content of a refused call", another.signed_content),
        ("session key", base64::encode(session.ek.as_bytes())),
        ("header asp-secret", session.asp_secret),
    ]
}

/// A gateway in front of `gstn`, its address, and an ASP of it that brought its token along and has a key.
fn gateway_before(place: &Place, gstn: &str) -> (Server, String, Asp) {
    let config = GATEWAY.replace("GSTN", gstn).replace("CLIENT_ID", CLIENT_ID);
    place.write("gateway.toml", &config);
    fs::create_dir(place.path("gateway")).unwrap();
    place
        .run_with_input("secret set gstn/sandbox/client-secret --config gateway.toml", CLIENT_SECRET)
        .succeeds();
    let asp = Asp::new(place, "--config gateway.toml");
    let import = format!("asp token import {} --environment sandbox --config gateway.toml", asp.aspid);
    place.run_with_input(&import, TOKEN).succeeds();
    place.write("asp-secret", std::str::from_utf8(asp.secret.as_bytes()).unwrap());
    place.write("passphrase", PASSPHRASE);
    place.run("gst keygen --name Tools --passphrase-file passphrase").succeeds();
    let register = format!("asp cert add {} asp-key/asp.cer", asp.aspid);
    place.run(&format!("{register} --environment sandbox --config gateway.toml")).succeeds();
    let (gateway, address) = place.start_listening("serve --config gateway.toml --log-level trace");
    (gateway, address, asp)
}

/// Fails where a secret stands in `bytes`: as it is, or, for what is base64, as raw bytes, hex or a list of numbers.
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
    if let Ok(key) = base64::decode_strict(secret) {
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
fn new_taxpayer(ready: &Value) -> Value {
    let (status, taxpayer) = manage(ready, "POST", "/taxpayers", &json!({"state": "29"}));
    assert!(status < 300, "{taxpayer}");
    taxpayer
}
