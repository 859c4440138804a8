//! What GSTN tells anyone: the taxpayer search and the filing track, with or without a token.

use gstn::crypto::{AppKey, base64};
use serde_json::{Value, json};

use crate::http::{Request, Response};
use crate::schema::assert_matches;
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
    assert_matches("search", &found);
    insta::assert_json_snapshot!(found);
}

#[test]
fn a_cancelled_registration_shows() {
    let world = World::new();
    let taxpayer = world.taxpayer(&json!({"status": "Cancelled"}));
    let found = open(&world.gstn(&search(&taxpayer.gstin)));
    assert_matches("search", &found);
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

fn ask(world: &World, path: &str) -> Response {
    world.gstn(&with_client(Request::new("GET", format!("/commonapi/{path}"))))
}

#[test]
fn a_pan_has_its_gstins_in_every_state_or_in_one() {
    let world = World::new();
    for (gstin, status) in [("29AABCS1234A1Z9", "Active"), ("33AABCS1234A1Z9", "Suspended")] {
        world.taxpayer(&json!({"gstin": gstin, "masked_check_digit": true, "status": status}));
    }
    world.taxpayer(&json!({"state": "29"}));
    let search = |query: &str| ask(&world, &format!("v1.1/search?action=TPPAN&{query}"));
    let row =
        |gstin: &str, status: &str| json!({"gstin": gstin, "authStatus": status, "stateCd": gstin[..2]});
    let (first, second) = (row("29AABCS1234A1Z9", "Active"), row("33AABCS1234A1Z9", "Suspended"));
    assert_eq!(
        open(&search("pan=aabcs1234a")),
        json!({"panNum": "AABCS1234A", "gstinResList": [first, second]})
    );
    assert_eq!(open(&search("pan=AABCS1234A&stateCode=33"))["gstinResList"], json!([second]));
    assert_eq!(search("pan=AABCS1234A&stateCode=27").error_cd(), "FO8000");
    assert_eq!(search("pan=AABCS1234A&stateCode=00").error_cd(), "RET11404");
    assert_eq!(search("pan=nonsense").error_cd(), "AUTH143");
    assert_eq!(search("").error_cd(), "GEN5001");
}

#[test]
fn the_gstins_that_changed_on_a_day_are_told_by_state() {
    let world = World::new();
    let one = |state: &str, registered: &str| {
        let wanted = json!({"state": state, "registered_on": registered, "cancelled_on": "2025-03-01"});
        world.taxpayer(&wanted).gstin
    };
    let (old, new) = (one("29", "2019-02-03"), one("33", "2025-03-01"));
    let changes = |query: &str| ask(&world, &format!("v1.0/tpaddtlstatus?action=INCLIST&{query}"));
    let row = |gstin: &str, kind: &str| json!({"gstin": gstin, "chng_typ": kind, "chng_dt": "01-03-2025"});
    let of_33 = json!({"state_cd": "33", "gstdtls": [row(&new, "Active"), row(&new, "Cancelled")]});
    assert_eq!(
        open(&changes("date=01-03-2025")),
        json!({
            "tpgcnt": 1, "cpgnum": 1, "ismpg": "N", "cnt": 3, "totalCount": 3,
            "gstLst": [{"state_cd": "29", "gstdtls": [row(&old, "Cancelled")]}, of_33],
        })
    );
    assert_eq!(open(&changes("date=01-03-2025&state=33"))["gstLst"], json!([of_33]));
    assert_eq!(changes("date=01-03-2025&pgnum=2").error_cd(), "FO8000");
    assert_eq!(changes("date=01-03-2025&pgnum=x").error_cd(), "AUTH143");
    assert_eq!(changes("date=02-03-2025").error_cd(), "FO8000");
    assert_eq!(changes("date=2025-03-01").error_cd(), "RET13511");
}

#[test]
fn anyone_may_ask_how_often_a_taxpayer_files() {
    let world = World::new();
    let taxpayer = world.taxpayer(&json!({"filing": "quarterly", "registered_on": "2025-01-10"}));
    let preference = |query: &str| ask(&world, &format!("v1.0/returns?action=GETPREF&{query}"));
    let expected = json!({"response": [{"quarter": "Q4", "preference": "Q"}]});
    assert_eq!(open(&preference(&format!("searchgstin={}&fy=2024-25", taxpayer.gstin))), expected);
    assert_eq!(open(&preference(&format!("gstin={}&fy=2024-25", taxpayer.gstin))), expected);
    assert_eq!(preference(&format!("gstin={}&fy=2023-24", taxpayer.gstin)).error_cd(), "RET13510");
    assert_eq!(preference("searchgstin=27AAPFU0939F1ZV&fy=2024-25").error_cd(), "FO8000");
}

#[test]
fn an_unregistered_seller_enrols_and_can_be_looked_up() {
    let world = World::new();
    let wanted = json!({"name": "Asha", "email": "asha@example.com", "cancelled_on": "2025-04-11"});
    let made = world.manage(&Request::new("POST", "/applicants").json(&wanted));
    assert_eq!(made.status, 201);
    let (uid, mobile) = (made.json()["uid"].as_str().unwrap().to_owned(), made.json()["mobile"].clone());
    let again = world.manage(&Request::new("POST", "/applicants").json(&json!({"uid": uid})));
    assert_eq!(again.status, 409);
    assert_eq!(world.manage(&Request::new("POST", "/applicants").json(&json!({"uid": "1"}))).status, 422);
    let show = || open(&ask(&world, &format!("v1.0/unregistered-applicants?uid={uid}")));
    let told = show();
    assert_eq!(
        (&told["name"], &told["authstatus"], &told["regdt"]),
        (&json!("Asha"), &json!("A"), &json!("10/04/2025"))
    );
    assert_eq!((&told["state"], told.get("candt")), (&json!("Karnataka"), None));
    world.pass_minutes(24 * 60);
    assert_eq!((&show()["authstatus"], &show()["candt"]), (&json!("C"), &json!("11/04/2025")));
    let validate = |query: &str| ask(&world, &format!("v1.0/unregistered-applicants-validation?uid={query}"));
    let both = format!("{uid}&email=ASHA@example.com&mobile=1");
    assert_eq!(
        open(&validate(&both)),
        json!({"Enrolment Number": uid, "Email Address": "matched", "Mobile Number": "unmatched"})
    );
    let mobile = format!("{uid}&mobile={}", mobile.as_str().unwrap());
    assert_eq!(open(&validate(&mobile)), json!({"Enrolment Number": uid, "Mobile Number": "matched"}));
    assert_eq!(validate("nobody").error_cd(), "FO8000");
    assert_eq!(validate("").error_cd(), "GEN5001");
}
