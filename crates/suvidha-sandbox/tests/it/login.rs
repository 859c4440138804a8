//! Logging in, staying logged in, and the ways in which both fail.

use gstn::crypto::{AppKey, PrivateKey};
use serde_json::json;
use suvidha_sandbox::AtSessionLimit;

use crate::http::Request;
use crate::taxpayer::{OTP, with_client};
use crate::world::World;

#[test]
fn a_taxpayer_logs_in_by_otp_works_and_logs_out() {
    let world = World::new();
    let taxpayer = world.taxpayer(&json!({"state": "29"}));
    let session = taxpayer.login(&world);
    assert_eq!(session.expiry, 360);
    assert_eq!(session.auth_token.len(), 32);
    let balance = session.get("ledgers", "BAL", "032025");
    assert_eq!(session.open(&world.gstn(&balance))["gstin"], json!(taxpayer.gstin));
    assert_eq!(world.gstn(&session.logout(&taxpayer.sealed_app_key(&world))).error_cd(), "");
    assert_eq!(world.gstn(&balance).error_cd(), "AUTH4033");
    assert_eq!(world.gstn(&session.logout("")).error_cd(), "AUTH4033");
}

#[test]
fn a_wrong_otp_is_refused_and_a_right_one_serves_once() {
    let world = World::new();
    let taxpayer = world.taxpayer(&json!({}));
    let code = |otp| world.gstn(&taxpayer.auth_token(&world, otp)).error_cd();
    assert_eq!(code(OTP), "AUTH4034", "no OTP was asked for");
    world.gstn(&taxpayer.otp_request(&world));
    assert_eq!(code("575756"), "AUTH4034");
    assert_eq!(code(""), "AUTH4034");
    assert_eq!(code(OTP), "", "a slip does not use the OTP up");
    assert_eq!(code(OTP), "AUTH4034");
}

#[test]
fn an_otp_lives_ten_minutes() {
    let world = World::new();
    let taxpayer = world.taxpayer(&json!({}));
    world.gstn(&taxpayer.otp_request(&world));
    world.pass_minutes(10);
    assert_eq!(world.gstn(&taxpayer.auth_token(&world, OTP)).error_cd(), "AUTH4034");
    world.gstn(&taxpayer.otp_request(&world));
    world.pass_minutes(9);
    assert_eq!(world.gstn(&taxpayer.auth_token(&world, OTP)).error_cd(), "");
}

#[test]
fn a_session_ends_after_six_hours() {
    let world = World::new();
    let session = world.taxpayer(&json!({})).login(&world);
    let call = session.get("returns/gstr1", "RETSUM", "032025");
    world.pass_minutes(359);
    assert_eq!(world.gstn(&call).error_cd(), "RET13510");
    world.pass_minutes(1);
    assert_eq!(world.gstn(&call).error_cd(), "AUTH4038");
    assert_eq!(world.gstn(&session.refresh(&AppKey::from_bytes([1; 32]))).error_cd(), "AUTH4038");
}

#[test]
fn a_refresh_gives_another_token_and_ends_the_old_one() {
    let world = World::new();
    let taxpayer = world.taxpayer(&json!({}));
    let old = taxpayer.login(&world);
    world.pass_minutes(300);
    let new = taxpayer.session(&world.gstn(&old.refresh(&taxpayer.app_key)));
    assert_eq!(new.expiry, 360);
    assert!(!old.sek.ct_eq(&new.sek));
    world.pass_minutes(300);
    let balance = |session: &crate::taxpayer::Session| world.gstn(&session.get("ledgers", "BAL", "032025"));
    assert_eq!(new.open(&balance(&new))["gstin"], json!(taxpayer.gstin));
    assert_eq!(balance(&old).error_cd(), "AUTH4033");
    assert_eq!(world.gstn(&old.refresh(&taxpayer.app_key)).error_cd(), "AUTH4033");
    let kept = world.database().query_row("SELECT count(*) FROM sessions", [], |row| row.get::<_, i64>(0));
    assert_eq!(kept, Ok(1), "and the old key is not kept");
}

#[test]
fn a_refresh_may_bring_a_new_app_key() {
    let world = World::new();
    let mut taxpayer = world.taxpayer(&json!({}));
    let old = taxpayer.login(&world);
    let other = AppKey::from_bytes(*b"an-app-key-of-32-characters-ASCI");
    let answer = world.gstn(&old.refresh(&other));
    taxpayer.app_key = other;
    let new = taxpayer.session(&answer);
    assert_eq!(new.open(&world.gstn(&new.get("ledgers", "BAL", "032025")))["gstin"], json!(taxpayer.gstin));
}

#[test]
fn an_app_key_that_is_not_under_the_old_session_key_does_not_refresh() {
    let world = World::new();
    let taxpayer = world.taxpayer(&json!({}));
    let session = taxpayer.login(&world);
    let body = json!({
        "action": "REFRESHTOKEN", "username": taxpayer.username, "auth_token": session.auth_token,
        "app_key": taxpayer.sealed_app_key(&world),
    });
    let request = with_client(Request::new("POST", "/taxpayerapi/v1.0/authenticate")).json(&body);
    assert_eq!(world.gstn(&request).error_cd(), "AUTH4036");
    assert_eq!(world.gstn(&session.refresh(&taxpayer.app_key)).error_cd(), "", "the session has survived");
}

#[test]
fn the_consent_ends_what_refreshing_prolongs() {
    let world = World::new();
    let taxpayer = world.taxpayer(&json!({"consent_minutes": 600}));
    let first = taxpayer.login(&world);
    world.pass_minutes(350);
    let second = taxpayer.session(&world.gstn(&first.refresh(&taxpayer.app_key)));
    assert_eq!(second.expiry, 250, "a token does not outlive the consent");
    world.pass_minutes(200);
    assert_eq!(world.gstn(&second.refresh(&taxpayer.app_key)).error_cd(), "AUTH4037");
    world.pass_minutes(50);
    assert_eq!(world.gstn(&second.get("ledgers", "BAL", "032025")).error_cd(), "AUTH4038");
    let again = taxpayer.login(&world);
    assert_eq!(again.expiry, 360, "an OTP begins a new consent");
}

#[test]
fn a_consent_of_six_hours_cannot_be_refreshed_at_all() {
    let world = World::new();
    let taxpayer = world.taxpayer(&json!({"consent_minutes": 360}));
    let session = taxpayer.login(&world);
    assert_eq!(world.gstn(&session.refresh(&taxpayer.app_key)).error_cd(), "AUTH4037");
}

#[test]
fn a_taxpayer_without_api_access_cannot_log_in_and_falls_out_of_sessions() {
    let world = World::new();
    let taxpayer = world.taxpayer(&json!({}));
    let session = taxpayer.login(&world);
    let path = format!("/taxpayers/{}", taxpayer.gstin);
    let switch =
        |on: bool| world.manage(&Request::new("PATCH", &path).json(&json!({ "api_access": on }))).json();
    assert_eq!(switch(false)["api_access"], json!(false));
    assert_eq!(world.gstn(&taxpayer.otp_request(&world)).error_cd(), "AUTH002");
    assert_eq!(world.gstn(&session.get("ledgers", "BAL", "032025")).error_cd(), "AUTH002");
    assert_eq!(world.gstn(&session.refresh(&taxpayer.app_key)).error_cd(), "AUTH002");
    switch(true);
    assert_eq!(world.gstn(&session.get("ledgers", "BAL", "032025")).error_cd(), "");
}

#[test]
fn a_second_login_replaces_the_first_of_the_same_gsp_only() {
    let world = World::new();
    let taxpayer = world.taxpayer(&json!({}));
    let first = taxpayer.login(&world);
    let second = taxpayer.login(&world);
    let balance = |session: &crate::taxpayer::Session| session.get("ledgers", "BAL", "032025");
    assert_eq!(world.gstn(&balance(&first)).error_cd(), "AUTH4033");
    let as_second_gsp = |request: Request| {
        let request = request.without("clientid").without("client-secret");
        request.header("clientid", "l7xxsecond").header("client-secret", "second-secret")
    };
    assert_eq!(
        world.gstn(&as_second_gsp(balance(&second))).error_cd(),
        "AUTH4033",
        "a token is its GSP's own"
    );
    world.gstn(&as_second_gsp(taxpayer.otp_request(&world)));
    assert_eq!(world.gstn(&as_second_gsp(taxpayer.auth_token(&world, OTP))).error_cd(), "");
    assert_eq!(world.gstn(&balance(&second)).error_cd(), "");
}

#[test]
fn sessions_beyond_the_limit_can_be_refused_instead() {
    let world = World::with(|config| {
        config.session_limit = 2;
        config.at_session_limit = AtSessionLimit::Refuse;
    });
    let taxpayer = world.taxpayer(&json!({}));
    let first = taxpayer.login(&world);
    taxpayer.login(&world);
    world.gstn(&taxpayer.otp_request(&world));
    assert_eq!(world.gstn(&taxpayer.auth_token(&world, OTP)).error_cd(), "AUTH403");
    assert_eq!(world.gstn(&first.get("ledgers", "BAL", "032025")).error_cd(), "");
    world.pass_minutes(360);
    taxpayer.login(&world);
}

#[test]
fn what_a_login_gets_wrong_has_its_own_code() {
    let world = World::new();
    let taxpayer = world.taxpayer(&json!({"state": "29"}));
    let app_key = taxpayer.sealed_app_key(&world);
    let post = |body: serde_json::Value| {
        let request = with_client(Request::new("POST", "/taxpayerapi/v1.0/authenticate")).json(&body);
        world.gstn(&request).error_cd()
    };
    let username = &taxpayer.username;
    assert_eq!(post(json!({"action": "OTPREQUEST", "username": "nobody", "app_key": app_key})), "AUTH4032");
    assert_eq!(post(json!({"action": "LOGIN", "username": username, "app_key": app_key})), "AUTH4035");
    assert_eq!(post(json!({"username": username, "app_key": app_key})), "AUTH4035");
    assert_eq!(post(json!({"action": "OTPREQUEST", "app_key": app_key})), "GEN5001");
    assert_eq!(post(json!({"action": "OTPREQUEST", "username": username})), "GEN5001");
    assert_eq!(post(json!({"action": "AUTHTOKEN", "username": username, "app_key": app_key})), "GEN5001");
    assert_eq!(post(json!({"action": "LOGOUT", "username": username, "app_key": app_key})), "GEN5001");
    assert_eq!(post(json!(["OTPREQUEST"])), "AUTH4040");
    let other_state = taxpayer.otp_request(&world).without("state-cd").header("state-cd", "27");
    assert_eq!(world.gstn(&other_state).error_cd(), "AUTH4041");
    let other_gstin = taxpayer.otp_request(&world).header("gstin", "27AAPFU0939F1ZV");
    assert_eq!(world.gstn(&other_gstin).error_cd(), "AUTH4032");
    let malformed = with_client(Request::new("POST", "/taxpayerapi/v1.0/authenticate")).text("{\"action\":");
    assert_eq!(world.gstn(&malformed).error_cd(), "AUTH4040");
}

#[test]
fn every_app_key_that_is_no_key_for_this_certificate_is_tec4002() {
    let world = World::new();
    let taxpayer = world.taxpayer(&json!({}));
    let certificate = world.certificate();
    let stale = PrivateKey::generate_2048();
    let seal = |key: &[u8]| gstn::crypto::base64::encode(certificate.encrypt_pkcs1v15(key).unwrap());
    let app_keys = [
        taxpayer.app_key.encrypt_for(stale.public_key()).unwrap(),
        seal(&[7; 16]),
        seal(&[7; 48]),
        seal(b""),
        "not base64".into(),
        gstn::crypto::base64::encode([7; 32]),
    ];
    for app_key in app_keys {
        let body = json!({"action": "OTPREQUEST", "username": taxpayer.username, "app_key": app_key});
        let request = with_client(Request::new("POST", "/taxpayerapi/v1.0/authenticate")).json(&body);
        assert_eq!(world.gstn(&request).error_cd(), "TEC4002", "{app_key}");
    }
}

#[test]
fn an_otp_that_does_not_open_under_the_app_key_is_tec4002() {
    let world = World::new();
    let taxpayer = world.taxpayer(&json!({}));
    world.gstn(&taxpayer.otp_request(&world));
    let mut body = taxpayer.auth_token_body(&world, OTP);
    body["otp"] = json!("NTc1NzU3");
    let request = with_client(Request::new("POST", "/taxpayerapi/v1.0/authenticate")).json(&body);
    assert_eq!(world.gstn(&request).error_cd(), "TEC4002");
}
