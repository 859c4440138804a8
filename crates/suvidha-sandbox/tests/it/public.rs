//! What GSTN tells anyone: the taxpayer search and the filing track, with or without a token.

use gstn::crypto::{AppKey, base64};
use serde_json::{Value, json};

use crate::http::{Request, Response};
use crate::taxpayer::with_client;
use crate::world::World;

/// Public answers are base64 of plain JSON: no reply key, no HMAC.
fn open(answer: &Response) -> Value {
    assert_eq!(answer.error_cd(), "");
    let body = answer.json();
    assert_eq!((body.get("rek"), body.get("hmac")), (None, None));
    serde_json::from_slice(&base64::decode_strict(body["data"].as_str().unwrap()).unwrap()).unwrap()
}

fn search(gstin: &str) -> Request {
    with_client(Request::new("GET", format!("/commonapi/v1.1/search?action=TP&gstin={gstin}")))
}

fn access_token(world: &World, username: &str, password: &str) -> (AppKey, Response) {
    let app_key = AppKey::from_bytes([3; 32]);
    let body = json!({
        "action": "ACCESSTOKEN", "username": username, "password": password,
        "app_key": app_key.encrypt_for(&world.certificate()).unwrap(),
    });
    let answer = world.gstn(&with_client(Request::new("POST", "/commonapi/v0.2/authenticate")).json(&body));
    (app_key, answer)
}

#[test]
fn a_search_describes_the_sandboxs_own_taxpayers() {
    let world = World::new();
    let wanted = json!({"gstin": "27AAPFU0939F1ZV", "legal_name": "Asha Traders", "trade_name": "Asha",
        "registered_on": "2019-02-03"});
    world.taxpayer(&wanted);
    let found = open(&world.gstn(&search("27AAPFU0939F1ZV")));
    insta::assert_json_snapshot!(found);
}

#[test]
fn a_cancelled_registration_shows() {
    let world = World::new();
    let taxpayer = world.taxpayer(&json!({"status": "Cancelled"}));
    let found = open(&world.gstn(&search(&taxpayer.gstin)));
    assert_eq!((&found["sts"], &found["cxdt"]), (&json!("Cancelled"), &json!("10/04/2025")));
}

#[test]
fn an_unknown_gstin_and_one_that_is_none_are_told_apart() {
    let world = World::new();
    assert_eq!(world.gstn(&search("27AAPFU0939F1ZV")).error_cd(), "FO8000");
    assert_eq!(world.gstn(&search("27AAPFU0939F1ZW")).error_cd(), "SWEB_9035");
    assert_eq!(world.gstn(&search("nonsense")).error_cd(), "SWEB_9035");
    assert_eq!(world.gstn(&search("")).error_cd(), "GEN5001");
}

#[test]
fn a_public_user_logs_in_with_its_password_under_either_key() {
    let world = World::new();
    let taxpayer = world.taxpayer(&json!({}));
    let app_key = AppKey::from_bytes([3; 32]);
    let under_rsa = base64::encode(world.certificate().encrypt_pkcs1v15(b"let-me-search").unwrap());
    for password in [app_key.encrypt_password("let-me-search"), under_rsa] {
        let (app_key, answer) = access_token(&world, "searcher", &password);
        assert_eq!(answer.error_cd(), "");
        let body = answer.json();
        assert_eq!(body["expiry"], json!(360));
        app_key.open_sek(body["sek"].as_str().unwrap()).unwrap();
        let with_token = search(&taxpayer.gstin).header("auth-token", body["auth_token"].as_str().unwrap());
        assert_eq!(open(&world.gstn(&with_token))["gstin"], json!(taxpayer.gstin));
        world.pass_minutes(360);
        assert_eq!(world.gstn(&with_token).error_cd(), "AUTH4038");
    }
}

#[test]
fn a_wrong_password_and_an_unknown_user_look_the_same() {
    let world = World::new();
    let password = |text: &str| AppKey::from_bytes([3; 32]).encrypt_password(text);
    assert_eq!(access_token(&world, "searcher", &password("guess")).1.error_cd(), "AUTH4032");
    assert_eq!(access_token(&world, "stranger", &password("let-me-search")).1.error_cd(), "AUTH4032");
    assert_eq!(access_token(&world, "searcher", "AAAA").1.error_cd(), "TEC4002");
}

#[test]
fn a_public_token_opens_no_taxpayers_books() {
    let world = World::new();
    let mut session = world.taxpayer(&json!({})).login(&world);
    let password = AppKey::from_bytes([3; 32]).encrypt_password("let-me-search");
    let (_, answer) = access_token(&world, "searcher", &password);
    session.auth_token = answer.json()["auth_token"].as_str().unwrap().to_owned();
    session.username = "searcher".into();
    assert_eq!(world.gstn(&session.get("ledgers", "BAL", "032025")).error_cd(), "AUTH4033");
}

#[test]
fn nothing_filed_is_no_record() {
    let world = World::new();
    let taxpayer = world.taxpayer(&json!({}));
    let track = |query: &str| {
        let path = format!("/commonapi/v1.0/returns?action=RETTRACK&gstin={}&{query}", taxpayer.gstin);
        world.gstn(&with_client(Request::new("GET", path))).error_cd()
    };
    assert_eq!(track("fy=2024-25"), "RET13510");
    assert_eq!(track("fy=2024-25&type=R3B"), "RET13510");
    assert_eq!(track("fy=24"), "AUTH143");
    assert_eq!(track("type=R1"), "GEN5001");
}
