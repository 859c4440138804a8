//! The life of an ASP and its credentials, as an operator's scripts see it.

use serde_json::Value;

use crate::command::{Place, mode};

const ADD: &str =
    "asp add --name Tax-Tools --contact-name Asha --email asha@example.in --phone +919876543210";

pub(crate) fn added(place: &Place) -> String {
    place.json(ADD)["aspid"].as_str().unwrap().to_owned()
}

#[test]
fn an_asp_is_added_changed_suspended_and_resumed() {
    let place = Place::new();
    let asp = place.json(&format!("{ADD} --allow-ip 203.0.113.7 --allow-ip 10.0.0.0/8"));
    let aspid = asp["aspid"].as_str().unwrap();
    assert_eq!(aspid.len(), 10);
    assert_eq!((&asp["status"], &asp["name"]), (&"active".into(), &"Tax-Tools".into()));
    let ips: Vec<_> = asp["allowed_ips"].as_array().unwrap().iter().map(|ip| ip.as_str().unwrap()).collect();
    assert_eq!(ips.len(), 2);
    assert!(ips.contains(&"203.0.113.7/32") && ips.contains(&"10.0.0.0/8"), "{ips:?}");
    assert_eq!(mode(&place.path("suvidha-data")), 0o700);
    assert_eq!(mode(&place.path("suvidha-data/sealing.key")), 0o600);

    assert_eq!(place.json(&format!("asp suspend {aspid}"))["status"], "suspended");
    assert_eq!(place.json("asp list")[0]["status"], "suspended");
    assert_eq!(place.json(&format!("asp resume {aspid}"))["status"], "active");

    let set = place.json(&format!("asp set {aspid} --allow-any-ip --always-200 on --strict-headers on"));
    let settings = [&set["allowed_ips"], &set["always_200"], &set["strict_headers"]];
    assert_eq!(settings, [&Value::Array(vec![]), &true.into(), &true.into()]);
    let set = place.json(&format!("asp set {aspid} --strict-headers default"));
    assert_eq!([&set["always_200"], &set["strict_headers"]], [&true.into(), &Value::Null], "the rest stays");
    assert_eq!(place.json(&format!("asp show {aspid}"))["created_at"], asp["created_at"]);
}

#[test]
fn a_token_is_shown_once_and_then_only_its_row() {
    let place = Place::new();
    let aspid = added(&place);
    let issue = format!("asp token issue {aspid} --environment production --label till --expires-in 90d");
    let issued = place.json(&issue);
    let token = issued["token"].as_str().unwrap();
    assert!(token.starts_with("svd_prd_"), "{token}");
    let words = place.run(&issue);
    assert!(words.out.contains("svd_prd_") && words.out.contains("cannot be shown again"), "{}", words.out);

    let listed = place.run(&format!("asp token list {aspid} --json"));
    assert!(!listed.out.contains("svd_prd_"), "a token is shown again: {}", listed.out);
    let rows = listed.json();
    assert_eq!(rows.as_array().unwrap().len(), 2);
    assert_eq!(
        [&rows[0]["state"], &rows[0]["label"], &rows[0]["last_used_at"]],
        [&"live".into(), &"till".into(), &Value::Null]
    );
    let rows = place.json(&format!("asp token revoke {aspid} {}", issued["id"]));
    assert_eq!([&rows[0]["state"], &rows[1]["state"]], ["revoked", "live"]);
    assert_eq!(place.json(&format!("asp show {aspid}"))["tokens"], rows);
}

#[test]
fn tokens_and_client_credentials_of_another_gsp_are_taken_over() {
    let place = Place::new();
    let aspid = added(&place);
    let import = format!("asp token import {aspid} --environment production --label cleartax --json");
    let rows = place.run_with_input(&import, "a2ceb341-1f12-1234-a54f-59d934acab5a\n").json();
    assert_eq!(rows[0]["label"], "cleartax");
    place.run_with_input(&import, "").fails(65, "standard input holds no token");
    place.run_with_input(&import, "short\n").fails(65, "the token to import");
    place.run_with_input(&import, "a2ceb341-1f12-1234-a54f-59d934acab5a\n").fails(65, "already");

    let issue = format!("asp client issue {aspid} --environment production --json");
    let made = place.run(&issue).json();
    assert!(made["client_secret"].as_str().unwrap().len() >= 32);
    let taken = format!("{issue} --client-id karvy-4711 --secret-from-stdin");
    let taken = place.run_with_input(&taken, "0123456789abcdef0123456789abcdef").json();
    assert_eq!(taken["client_id"], "karvy-4711");
    assert_eq!(taken.get("client_secret"), None, "whoever gave the secret has it already");
    let rows = place.json(&format!("asp client revoke {aspid} {}", made["id"]));
    assert_eq!([&rows[0]["state"], &rows[1]["state"]], ["revoked", "live"]);
}

#[test]
fn what_is_not_there_is_told_apart_from_a_wrong_command_line() {
    let place = Place::new();
    place.run("asp list").fails(78, "there is no registry at suvidha-data/registry.sqlite");
    assert!(!place.path("suvidha-data").exists(), "looking made a directory");
    let aspid = added(&place);
    place.run("asp show 0000000000").fails(65, "0000000000");
    place.run(&format!("asp token revoke {aspid} 99")).fails(65, "99");
    place.run("asp add --name X --contact-name Y --email nowhere --phone +919876543210").fails(65, "nowhere");
    place.run("asp list --data elsewhere").fails(78, "elsewhere/registry.sqlite");
}

#[test]
fn secrets_come_from_standard_input_and_are_kept_sealed() {
    let place = Place::new();
    let set = "secret set gstn/sandbox/client-secret";
    let ended = place.run_with_input(set, "marker-of-a-secret\n");
    assert_eq!(ended.code, 0, "{}", ended.err);
    let kept = std::fs::read(place.path("suvidha-data/registry.sqlite")).unwrap();
    assert!(!kept.windows(18).any(|bytes| bytes == b"marker-of-a-secret"), "it is kept in clear");
    place.run_with_input(set, "two\nlines\n").fails(65, "one line");
    place.run_with_input("secret set Wrong!", "x").fails(65, "Wrong!");
    assert_eq!(place.run("secret delete gstn/sandbox/client-secret").code, 0);
    place.run("secret delete gstn/sandbox/client-secret").fails(65, "gstn/sandbox/client-secret");
}
