//! What clients in the field do (gstn.md section 10, row by row): the sandbox lives with all of it.

use gstn::crypto::{AppKey, PublicKey, base64};
use serde_json::{Value, json};

use crate::http::Request;
use crate::taxpayer::{OTP, reference_id, with_client};
use crate::world::World;

const PERIOD: &str = "032025";

#[test]
fn chunked_bodies_without_a_length() {
    let world = World::new();
    let taxpayer = world.taxpayer(&json!({"state": "29"}));
    assert_eq!(world.gstn(&taxpayer.otp_request(&world).chunked()).error_cd(), "");
    let session = taxpayer.session(&world.gstn(&taxpayer.auth_token(&world, OTP).chunked()));
    assert_eq!(world.gstn(&session.save(PERIOD, &["A1"]).chunked()).error_cd(), "");
}

#[test]
fn a_get_with_a_content_type_and_a_length_of_zero() {
    let world = World::new();
    let session = world.taxpayer(&json!({})).login(&world);
    let request = session.get("ledgers", "BAL", PERIOD).text("");
    assert_eq!(session.open(&world.gstn(&request))["gstin"], json!(session.gstin));
}

#[test]
fn json_escapes_inside_base64_values() {
    let world = World::new();
    let taxpayer = world.taxpayer(&json!({"state": "29"}));
    let escaped = |body: Value| body.to_string().replace('+', "\\u002B").replace('/', "\\/");
    world.gstn(&taxpayer.otp_request(&world));
    let login = escaped(taxpayer.auth_token_body(&world, OTP));
    assert!(login.contains('\\'));
    let login = with_client(Request::new("POST", "/taxpayerapi/v1.0/authenticate")).text(login);
    let session = taxpayer.session(&world.gstn(&login));
    let save = escaped(session.sealed("RETSAVE", &session.gstr1(PERIOD, &["A1"]).to_string()));
    let save = session.call("PUT", "/taxpayerapi/v4.1/returns/gstr1").text(save);
    assert_eq!(world.gstn(&save).error_cd(), "");
}

#[test]
fn url_safe_base64_in_otp_and_in_the_app_key_of_a_refresh() {
    let world = World::new();
    let mut taxpayer = world.taxpayer(&json!({}));
    let url_safe = |text: &str| text.replace('+', "-").replace('/', "_");
    let differs = |text: &str| text.contains(['+', '/']);
    // A key whose sealed OTP shows the difference between the alphabets.
    let keys = (0..=255).map(|byte| AppKey::from_bytes([byte; 32]));
    taxpayer.app_key = keys.into_iter().find(|key| differs(&key.encrypt_otp(OTP))).unwrap();
    world.gstn(&taxpayer.otp_request(&world));
    let mut body = taxpayer.auth_token_body(&world, OTP);
    body["otp"] = json!(url_safe(body["otp"].as_str().unwrap()));
    let login = with_client(Request::new("POST", "/taxpayerapi/v1.0/authenticate")).json(&body);
    let session = taxpayer.session(&world.gstn(&login));
    let keys = (0..=255).map(|byte| AppKey::from_bytes([byte; 32]));
    let app_key = keys.into_iter().find(|key| differs(&session.sek.seal_app_key(key))).unwrap();
    let body = json!({
        "action": "REFRESHTOKEN", "username": taxpayer.username, "auth_token": session.auth_token,
        "app_key": url_safe(&session.sek.seal_app_key(&app_key)),
    });
    let refresh = with_client(Request::new("POST", "/taxpayerapi/v1.0/authenticate")).json(&body);
    assert_eq!(world.gstn(&refresh).error_cd(), "");
}

#[test]
fn an_action_left_over_in_the_query_or_in_a_header() {
    let world = World::new();
    let taxpayer = world.taxpayer(&json!({"state": "29"}));
    let session = taxpayer.login(&world);
    let body = session.sealed("RETSAVE", &session.gstr1(PERIOD, &["A1"]).to_string());
    let save = session.call("PUT", "/taxpayerapi/v4.1/returns/gstr1?action=B2B").json(&body);
    reference_id(&session.open(&world.gstn(&save.header("action", "RETFILE"))));
    let only_in_header = session.call("GET", "/taxpayerapi/v4.1/returns/gstr1?ret_period=032025");
    assert_eq!(world.gstn(&only_in_header.header("action", "B2B")).error_cd(), "RET11403");
    let body = json!({"action": "LOGOUT", "username": taxpayer.username, "auth_token": session.auth_token,
        "app_key": taxpayer.sealed_app_key(&world)});
    let logout =
        with_client(Request::new("POST", "/taxpayerapi/v1.0/authenticate?x=1&action=EVCOTP")).json(&body);
    assert_eq!(world.gstn(&logout).error_cd(), "");
    assert_eq!(world.gstn(&session.get("ledgers", "BAL", PERIOD)).error_cd(), "AUTH4033");
}

#[test]
fn an_action_that_is_only_in_the_query_of_a_write() {
    let world = World::new();
    let session = world.taxpayer(&json!({"state": "29"})).login(&world);
    let mut body = session.sealed("", &session.gstr1(PERIOD, &["A1"]).to_string());
    body.as_object_mut().unwrap().remove("action");
    let save = session.call("POST", "/taxpayerapi/v4.1/returns/gstr1?action=RETSAVE").json(&body);
    assert_eq!(world.gstn(&save).error_cd(), "");
    let submit = session.call("POST", "/taxpayerapi/v1.1/returns/gstr1?action=RETSUBMIT").json(&json!({}));
    assert_eq!(
        world.gstn(&submit).error_cd(),
        "SBX501",
        "plain JSON, action in the query: understood, not simulated"
    );
}

#[test]
fn one_txn_on_every_call() {
    let world = World::new();
    let session = world.taxpayer(&json!({})).login(&world);
    for _ in 0..3 {
        let request = session.get("ledgers", "BAL", PERIOD).without("txn").header("txn", "LAPN24235325555");
        assert_eq!(world.gstn(&request).error_cd(), "");
    }
}

#[test]
fn authentication_with_nothing_but_client_credentials_and_a_body() {
    let world = World::new();
    let taxpayer = world.taxpayer(&json!({}));
    let body = json!({"action": "OTPREQUEST", "username": taxpayer.username,
        "app_key": taxpayer.sealed_app_key(&world)});
    let bare = |body: &Value| with_client(Request::new("POST", "/taxpayerapi/v0.2/authenticate")).json(body);
    assert_eq!(world.gstn(&bare(&body)).error_cd(), "");
    let session = taxpayer.session(&world.gstn(&bare(&taxpayer.auth_token_body(&world, OTP))));
    let bare = with_client(Request::new("GET", "/taxpayerapi/v0.3/ledgers?action=BAL&ret_period=032025"))
        .header("auth-token", &session.auth_token)
        .header("username", &session.username);
    assert_eq!(session.open(&world.gstn(&bare))["gstin"], json!(taxpayer.gstin));
}

#[test]
fn the_app_key_and_username_repeated_as_headers() {
    let world = World::new();
    let taxpayer = world.taxpayer(&json!({}));
    let request = taxpayer.otp_request(&world);
    let request = request.header("app_key", "A".repeat(344)).header("username", "someone-else");
    assert_eq!(world.gstn(&request).error_cd(), "");
}

#[test]
fn the_sample_of_a_gsps_documents_with_its_placeholders() {
    let world = World::new();
    let taxpayer = world.taxpayer(&json!({"state": "33", "username": "yourusername"}));
    let app_key = taxpayer.sealed_app_key(&world);
    let body = json!({"action": "OTPREQUEST", "app_key": app_key, "username": "yourusername"});
    let request = with_client(Request::new("POST", "/taxpayerapi/v0.2/authenticate"))
        .json(&body)
        .header("appkey", &app_key)
        .header("state-cd", "33")
        .header("ip-usr", "123.456.789.100")
        .header("txn", "txn123")
        .header("gstin", "gstinNumber")
        .header("username", "username");
    assert_eq!(world.gstn(&request).error_cd(), "");
}

#[test]
fn a_period_header_of_either_spelling_a_trailing_blank_and_no_rtn_typ() {
    let world = World::new();
    let session = world.taxpayer(&json!({"state": "29"})).login(&world);
    let save = session.save(PERIOD, &["A1"]).header("ret_prd", "032025 ");
    let reference_id = reference_id(&session.open(&world.gstn(&save)));
    assert_eq!(session.finished(&world, PERIOD, &reference_id), "P");
    let read = session.call("GET", "/taxpayerapi/v2.1/returns/gstr1?action=B2B").header("ret_prd", "032025 ");
    assert_eq!(world.gstn(&read).error_cd(), "");
}

#[test]
fn a_period_header_that_differs_from_the_payload_unless_the_check_is_on() {
    let todays_month = "042025";
    let code = |strict: bool| {
        let world = World::with(|config| config.strict_period_header = strict);
        let session = world.taxpayer(&json!({"state": "29"})).login(&world);
        world.gstn(&session.save(PERIOD, &["A1"]).header("ret_period", todays_month)).error_cd()
    };
    assert_eq!(code(false), "");
    assert_eq!(code(true), "RET191136");
}

#[test]
fn a_hdr_member_beside_data_be_it_null_or_full() {
    let world = World::new();
    let session = world.taxpayer(&json!({"state": "29"})).login(&world);
    for (period, hdr) in [("022025", json!(null)), (PERIOD, json!({"clientid": "x", "ret_period": "012020"}))]
    {
        let mut body = session.sealed("RETSAVE", &session.gstr1(period, &["A1"]).to_string());
        body["hdr"] = hdr;
        let save = session.call("PUT", "/taxpayerapi/v4.1/returns/gstr1").json(&body);
        assert_eq!(world.gstn(&save).error_cd(), "");
    }
}

#[test]
fn any_version_on_any_path_and_doubled_slashes() {
    let world = World::new();
    let session = world.taxpayer(&json!({"state": "29"})).login(&world);
    let reference_id = session.saved(&world, PERIOD, &["A1"]);
    let get = |path: String| world.gstn(&session.call("GET", &path)).error_cd();
    for version in ["v0.2", "v0.3", "v1.1", "v2.0", "v9.9"] {
        let status = format!("action=RETSTATUS&ret_period={PERIOD}&gstin={}", session.gstin);
        assert_eq!(get(format!("/taxpayerapi/{version}/returns?{status}&ref_id={reference_id}")), "");
        assert_eq!(get(format!("/taxpayerapi/{version}/returns/gstr1?{status}&trans_id={reference_id}")), "");
        assert_eq!(get(format!("//taxpayerapi/{version}/returns/ledgers?action=BAL")), "");
        assert_eq!(get(format!("/taxpayerapi//{version}//ledgers?action=BAL")), "");
    }
}

#[test]
fn json_indented_sorted_or_not_with_numbers_written_any_way() {
    let world = World::new();
    let session = world.taxpayer(&json!({"state": "29"})).login(&world);
    let payload = session.gstr1(PERIOD, &["A1"]);
    let text = serde_json::to_string_pretty(&payload).unwrap();
    let text = text.replace("\"val\": 1180", "\"val\": 1180.00").replace("\"rt\": 18", "\"rt\": 18.0");
    assert!(text.contains("1180.00"));
    let envelope = serde_json::to_string_pretty(&session.sealed("RETSAVE", &text)).unwrap();
    let save = session.call("PUT", "/taxpayerapi/v4.1/returns/gstr1").text(envelope.replace('\n', "\r\n"));
    let reference_id = reference_id(&session.open(&world.gstn(&save)));
    assert_eq!(session.finished(&world, PERIOD, &reference_id), "P");
}

#[test]
fn an_app_key_of_32_ascii_characters() {
    let world = World::new();
    let mut taxpayer = world.taxpayer(&json!({}));
    taxpayer.app_key = AppKey::from_bytes(*b"abcdefghijklmnopqrstuvwxyz012345");
    assert_eq!(taxpayer.login(&world).expiry, 360);
}

#[test]
fn a_client_with_a_stale_certificate_recovers_on_tec4002() {
    let world = World::new();
    let taxpayer = world.taxpayer(&json!({}));
    let stale = gstn::crypto::PrivateKey::generate_2048();
    let request = |key: &PublicKey| {
        let app_key = taxpayer.app_key.encrypt_for(key).unwrap();
        let body = json!({"action": "OTPREQUEST", "username": taxpayer.username, "app_key": app_key});
        with_client(Request::new("POST", "/taxpayerapi/v1.0/authenticate")).json(&body)
    };
    assert_eq!(world.gstn(&request(stale.public_key())).error_cd(), "TEC4002");
    let fetched = world.manage(&Request::new("GET", "/certificate.pem")).body;
    assert_eq!(world.gstn(&request(&PublicKey::from_any(&fetched).unwrap())).error_cd(), "");
}

#[test]
fn gstns_own_errors_keep_http_200_and_text_status() {
    let world = World::new();
    let session = world.taxpayer(&json!({})).login(&world);
    let answer = world.gstn(&session.get("returns/gstr1", "B2B", PERIOD));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["status_cd"], json!("0"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert!(base64::decode_strict(answer.body).is_err());
}
