//! `suvidha up`: one command, and a first call is possible.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use gstn::crypto::{AppKey, Certificate, PublicKey};
use serde_json::Value;

use crate::command::{Place, exchange, get, mode};
use crate::getkey::Asp;

#[test]
fn the_printed_curl_line_works_as_it_stands() {
    let place = Place::new();
    let (server, ready) = place.start_ready("up --listen 127.0.0.1:0 --data some/where");
    let told = fs::read_to_string(place.path("out")).unwrap();
    let curl = told.lines().find(|line| line.starts_with("  curl ")).unwrap();
    let answer = Command::new("sh").args(["-c", &format!("{curl} --silent --fail")]).output().unwrap();
    assert!(answer.status.success(), "is curl installed? {}", String::from_utf8_lossy(&answer.stderr));
    let answer: Value = serde_json::from_slice(&answer.stdout).unwrap();
    assert_eq!(answer["status_cd"], "1", "{answer}");

    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let set = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<BTreeSet<_>>();
    let outer = [
        "environments",
        "gstn",
        "gstn_management",
        "gstn_management_token_file",
        "admin",
        "gstn_certificate",
        "asp",
        "taxpayer",
    ];
    assert_eq!(keys(&ready), set(&outer));
    assert_eq!(keys(&ready["environments"]), set(&["sandbox", "production"]));
    let of_asp = ["aspid", "token", "secret", "password", "private_key", "certificate"];
    assert_eq!(keys(&ready["asp"]), set(&of_asp));
    assert_eq!(keys(&ready["taxpayer"]), set(&["gstin", "username", "otp"]));
    assert_eq!(mode(&place.path("wanted-ready.json")), 0o600);
    let certificate = fs::read_to_string(ready["gstn_certificate"].as_str().unwrap()).unwrap();
    assert!(certificate.starts_with("-----BEGIN CERTIFICATE-----"));

    let production =
        format!("{}/commonapi/v1.1/search?action=TP", ready["environments"]["production"].as_str().unwrap());
    let (status, refused) = get(&production, "x-ct-auth-token: whatever");
    assert_eq!((status, &refused["error"]["error_cd"]), (503, &"GSP640".into()), "{refused}");
    server.stop();
}

#[test]
fn a_restart_keeps_the_demo_and_ends_no_token() {
    let place = Place::new();
    let (server, first) = place.start_ready("up --listen 127.0.0.1:0");
    let kept = fs::read(place.path("suvidha-data/ready.json")).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&kept).unwrap(), first);
    server.stop();
    assert!(!place.path("suvidha-data/ready.json").exists(), "what is down must not look ready");

    let (server, second) = place.start_ready("up --listen 127.0.0.1:0");
    for key in ["asp", "taxpayer", "gstn_certificate"] {
        assert_eq!(first[key], second[key]);
    }
    assert_eq!(place.json("asp list").as_array().unwrap().len(), 1);
    assert_eq!(search(&second).0, 200);
    server.stop();
}

/// Searches the demo taxpayer as the demo ASP.
fn search(ready: &Value) -> (u16, Value) {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let gstin = text(&ready["taxpayer"]["gstin"]);
    let url =
        format!("{}/commonapi/v1.1/search?action=TP&gstin={gstin}", text(&ready["environments"]["sandbox"]));
    get(&url, &format!("x-ct-auth-token: {}", text(&ready["asp"]["token"])))
}

#[test]
fn a_revoked_demo_token_is_replaced_at_the_next_start() {
    let place = Place::new();
    let (server, first) = place.start_ready("up --listen 127.0.0.1:0");
    let aspid = first["asp"]["aspid"].as_str().unwrap();
    let id = place.json(&format!("asp token list {aspid}"))[0]["id"].to_string();
    place.json(&format!("asp token revoke {aspid} {id}"));
    server.stop();
    let (server, second) = place.start_ready("up --listen 127.0.0.1:0");
    assert_eq!(first["asp"]["aspid"], second["asp"]["aspid"]);
    assert_ne!(first["asp"]["token"], second["asp"]["token"]);
    assert_eq!(search(&second).0, 200);
    server.stop();
}

#[test]
fn a_data_directory_serves_one_at_a_time() {
    let place = Place::new();
    let (mut server, _) = place.start_ready("up --listen 127.0.0.1:0");
    place.run("up --listen 127.0.0.1:0").fails(69, "the data directory suvidha-data is in use by process");
    place.run("sandbox --data suvidha-data/sandbox --gstn-port 0 --management-port 0").fails(69, "in use");
    server.signal("INT");
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn a_port_in_use_is_told_before_anything_is_made() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let line = format!("up --sandbox-port {port} --production-port 0 --gstn-port 0 --management-port 0");
    let ended = place.run(&line);
    ended.fails(69, &format!("cannot listen on 127.0.0.1:{port}"));
    ended.fails(69, "--sandbox-port");
    assert!(!place.path("suvidha-data/registry.sqlite").exists());
}

#[test]
fn a_directory_that_cannot_be_made_is_told() {
    let place = Place::new();
    place.write("file", "in the way");
    place.run("up --listen 127.0.0.1:0 --data file/data").fails(73, "cannot make the directory file/data");
    place
        .run("up --listen 127.0.0.1:0 --data data --ready-file file/ready.json")
        .fails(73, "file/ready.json");
    if cfg!(target_os = "linux") {
        place.run("up --listen 127.0.0.1:0 --data /sys/suvidha").fails(77, "/sys/suvidha");
    }
}

#[test]
fn the_sample_request_of_cleartax_works_as_it_is_printed_there() {
    let place = Place::new();
    let (server, ready) = place.start_ready("up --listen 127.0.0.1:0");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let gstn = PublicKey::from_pem(fs::read(text(&ready["gstn_certificate"])).unwrap()).unwrap();
    let app_key = AppKey::from_bytes([7; 32]).encrypt_for(&gstn).unwrap();
    // Everything but host, token and app key is the placeholder that the document prints.
    let headers = format!(
        "Content-Type: application/json\r\nappkey: {app_key}\r\nX-CT-Auth-Token: {}\r\nstate-cd: 33\r\n\
         ip-usr: 123.456.789.100\r\ntxn: txn123\r\ngstin: gstinNumber\r\nusername: username",
        text(&ready["asp"]["token"])
    );
    let body = format!(r#"{{"action":"OTPREQUEST","app_key":"{app_key}","username":"yourusername"}}"#);
    let url = format!("{}/api/taxpayerapi/v0.2/authenticate", text(&ready["environments"]["sandbox"]));
    let answer = exchange("POST", &url, &headers, &body);
    assert_eq!(answer, (200, serde_json::json!({"status_cd": "1"})));
    server.stop();
}

#[test]
fn the_demo_asp_gets_sessions_with_what_the_ready_file_tells() {
    let place = Place::new();
    let (server, ready) = place.start_ready("up --listen 127.0.0.1:0");
    let text = |name: &str| ready["asp"][name].as_str().unwrap();
    for path in ["private_key", "certificate"].map(text).map(Path::new) {
        assert!(path.is_absolute() && path.exists(), "{}", path.display());
    }
    assert_eq!(mode(Path::new(text("private_key"))), 0o600);
    let certificate = Certificate::from_pem(fs::read(text("certificate")).unwrap()).unwrap();
    assert_eq!(certificate.public_key(), Asp::demo(&ready).key.public_key());

    let gateway = ready["environments"]["sandbox"].as_str().unwrap();
    assert!(Asp::demo(&ready).session(gateway).is_accepted(gateway));
    let told = fs::read_to_string(place.path("out")).unwrap();
    assert!(told.contains(text("private_key")), "{told}");
    for secret in ["secret", "password"].map(text) {
        assert!(!told.contains(secret), "it is on the screen: {told}");
    }
    server.stop();
}

#[test]
fn what_the_demo_asp_lost_meanwhile_is_made_again_at_the_next_start() {
    let place = Place::new();
    let (server, first) = place.start_ready("up --listen 127.0.0.1:0");
    server.stop();
    let aspid = first["asp"]["aspid"].as_str().unwrap();
    let restart = || {
        let (server, ready) = place.start_ready("up --listen 127.0.0.1:0");
        let gateway = ready["environments"]["sandbox"].as_str().unwrap();
        assert!(Asp::demo(&ready).session(gateway).is_accepted(gateway));
        server.stop();
        ready["asp"].clone()
    };
    let key = |asp: &Value| fs::read(asp["private_key"].as_str().unwrap()).unwrap();
    let first_key = key(&first["asp"]);

    let rotated = place.json(&format!("asp secret rotate {aspid} --environment sandbox --overlap 0s"));
    place.json(&format!("asp password reset {aspid} --environment sandbox"));
    let second = restart();
    assert_eq!(second["secret"], rotated["secret"], "the newest one is told");
    assert_ne!(second["password"], first["asp"]["password"]);
    assert_eq!(key(&second), first_key);
    assert_eq!(restart(), second, "and then all of it is kept");

    place.json(&format!("asp cert revoke {aspid} 1"));
    let second_key = key(&restart());
    assert_ne!(second_key, first_key);
    fs::remove_file(second["private_key"].as_str().unwrap()).unwrap();
    let third_key = key(&restart());
    assert_ne!(third_key, second_key);
    place.write("suvidha-data/demo-asp/certificate.pem", "damaged");
    assert_ne!(key(&restart()), third_key);
    assert_eq!(place.json("asp list").as_array().unwrap().len(), 1);
}
