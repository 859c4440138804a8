//! From the first save to the acknowledgement number.

use gstn::check_character;
use gstn::crypto::base64;
use serde_json::{Value, json};

use crate::http::Request;
use crate::taxpayer::{OTP, Session, reference_id, with_client};
use crate::world::World;

const PERIOD: &str = "032025";

/// A taxpayer whose first return is the one to be filed.
fn newcomer(world: &World) -> Session {
    newcomer_of(world, "2025-03-01")
}

fn newcomer_of(world: &World, registered_on: &str) -> Session {
    world.taxpayer(&json!({"state": "29", "registered_on": registered_on})).login(world)
}

fn proceed(session: &Session) -> Request {
    proceed_with(session, PERIOD)
}

fn proceed_with(session: &Session, period: &str) -> Request {
    let own = json!({"gstin": session.gstin, "ret_period": period, "isnil": "N"});
    session.write("POST", "returns/gstrptf", "RETNEWPTF", &own).header("rtn_typ", "GSTR1")
}

/// Saves an invoice, proceeds to file and gives the summary to be filed, as text.
pub(crate) fn ready(world: &World, session: &Session) -> String {
    ready_for(world, session, PERIOD, &["A1"])
}

fn ready_for(world: &World, session: &Session, period: &str, numbers: &[&str]) -> String {
    let saved = session.saved(world, period, numbers);
    assert_eq!(session.finished(world, period, &saved), "P");
    let proceeded = reference_id(&session.open(&world.gstn(&proceed_with(session, period))));
    assert_eq!(session.finished(world, period, &proceeded), "P");
    session.open(&world.gstn(&session.get("returns/gstr1", "RETSUM", period))).to_string()
}

/// Files the GSTR-1 of a month with these invoices.
pub(crate) fn file_month(world: &World, session: &Session, period: &str, numbers: &[&str]) {
    let summary = ready_for(world, session, period, numbers);
    assert_eq!(world.gstn(&session.evc_otp(session.pan())).error_cd(), "");
    let filed = world.gstn(&session.file(&summary, session.pan(), OTP));
    assert!(session.open(&filed)["ack_num"].is_string());
}

#[test]
fn a_return_is_filed_with_an_evc_and_can_be_tracked() {
    let world = World::new();
    let session = newcomer(&world);
    let summary = ready(&world, &session);
    assert_eq!(world.gstn(&session.evc_otp(session.pan())).error_cd(), "");
    let filed = session.open(&world.gstn(&session.file(&summary, session.pan(), OTP)));
    let arn = filed["ack_num"].as_str().unwrap();
    assert!(arn.starts_with("AA290325000001"), "{arn}");
    assert_eq!(arn.chars().last(), check_character(&arn[..14]));

    let row = json!({"valid": "Y", "mof": "ONLINE", "dof": "10-04-2025", "ret_prd": PERIOD, "rtntype": "GSTR1",
        "arn": arn, "status": "Filed"});
    let own = session.open(&world.gstn(&session.get("returns", "RETTRACK", PERIOD)));
    assert_eq!(own, json!({"EFiledlist": [row]}));
    let public = |query: &str| {
        let path = format!("/commonapi/v1.0/returns?action=RETTRACK&gstin={}&{query}", session.gstin);
        world.gstn(&with_client(Request::new("GET", path)))
    };
    let data = public("fy=2024-25&type=R1").json()["data"].as_str().unwrap().to_owned();
    let told: Value = serde_json::from_slice(&base64::decode_strict(data).unwrap()).unwrap();
    assert_eq!(told, own);
    assert_eq!(public("fy=2025-26").error_cd(), "RET13510");
    assert_eq!(public("fy=2024-25&type=R3B").error_cd(), "RET13510");

    let code = |request: Request| world.gstn(&request).error_cd();
    assert_eq!(code(session.save(PERIOD, &["A2"])), "AUTH117", "what is filed is closed");
    assert_eq!(code(proceed(&session)), "RET00009");
    let again = session.file(&summary, session.pan(), OTP);
    assert_eq!(code(again), "RT_FIL_02", "a client that missed the answer learns that it has filed");
}

#[test]
fn an_evc_otp_signs_once() {
    let world = World::new();
    let session = newcomer(&world);
    let summary = ready(&world, &session);
    world.gstn(&session.evc_otp(session.pan()));
    assert_eq!(world.gstn(&session.file(&summary, session.pan(), OTP)).error_cd(), "");
    let of_next_month = json!({"gstin": session.gstin, "ret_period": "042025"}).to_string();
    assert_eq!(world.gstn(&session.file(&of_next_month, session.pan(), OTP)).error_cd(), "RET13509");
}

#[test]
fn a_signature_that_does_not_fit_files_nothing() {
    let world = World::new();
    let session = newcomer(&world);
    let summary = ready(&world, &session);
    let pan = session.pan().to_owned();
    let code = |request: &Request| world.gstn(request).error_cd();
    assert_eq!(code(&session.file(&summary, &pan, OTP)), "RET13509", "no OTP was asked for");
    assert_eq!(code(&session.evc_otp("AAAAA0000A")), "RT_FIL_018");
    code(&session.evc_otp(&pan));
    assert_eq!(code(&session.file(&summary, &pan, "000000")), "RET13509");
    assert_eq!(code(&session.file(&summary, "AAAAA0000A", OTP)), "RT_FIL_018");
    assert_eq!(code(&tampered(&session, &summary)), "RET13507");
    world.pass_minutes(10);
    assert_eq!(code(&session.file(&summary, &pan, OTP)), "RET13509", "it lives ten minutes");
    code(&session.evc_otp(&pan));
    assert_eq!(code(&session.file(&summary, &pan, OTP)), "", "and nothing of that was held against it");
}

#[test]
fn the_signature_check_can_be_switched_off() {
    let world = World::with(|config| config.evc_sign_check = false);
    let session = newcomer(&world);
    let summary = ready(&world, &session);
    world.gstn(&session.evc_otp(session.pan()));
    assert_eq!(world.gstn(&tampered(&session, &summary)).error_cd(), "");
}

/// A filing whose signature is of another summary.
fn tampered(session: &Session, summary: &str) -> Request {
    let mut body = session.sealed("RETFILE", summary);
    body["sign"] = json!(gstn::crypto::evc_sign(session.pan(), OTP, &base64::encode("{}")));
    body["st"] = json!("EVC");
    body["sid"] = json!(format!("{}|{OTP}", session.pan()));
    session.call("POST", "/taxpayerapi/v4.0/returns/gstr1").json(&body)
}

#[test]
fn a_summary_that_is_no_longer_the_latest_is_not_filed() {
    let world = World::new();
    let session = newcomer(&world);
    let summary = ready(&world, &session);
    let again = session.saved(&world, PERIOD, &["A2"]);
    assert_eq!(session.finished(&world, PERIOD, &again), "P");
    world.gstn(&session.evc_otp(session.pan()));
    assert_eq!(world.gstn(&session.file(&summary, session.pan(), OTP)).error_cd(), "RET09001");
    let proceeded = reference_id(&session.open(&world.gstn(&proceed(&session))));
    assert_eq!(session.finished(&world, PERIOD, &proceeded), "P");
    assert_eq!(world.gstn(&session.file(&summary, session.pan(), OTP)).error_cd(), "RT_FIL_09");
}

#[test]
fn other_key_order_number_forms_and_missing_members_file_as_well() {
    let world = World::new();
    let session = newcomer(&world);
    let summary: Value = serde_json::from_str(&ready(&world, &session)).unwrap();
    let rest = json!({"sec_sum": summary["sec_sum"], "newSumFlag": true, "gstin": summary["gstin"]});
    let text = serde_json::to_string_pretty(&rest).unwrap().replace("1000,", "1000.0,");
    world.gstn(&session.evc_otp(session.pan()));
    let file = session.file(&text, session.pan(), OTP).header("ret_prd", format!("{PERIOD} "));
    assert_eq!(world.gstn(&file).error_cd(), "");
}

#[test]
fn a_nil_return_is_ready_at_once() {
    let world = World::new();
    let session = newcomer(&world);
    let nil = json!({"gstin": session.gstin, "ret_period": PERIOD, "isnil": "Y"});
    let answer = world.gstn(&session.write("POST", "returns/gstrptf", "RETNEWPTF", &nil));
    let reply = session.open(&answer);
    assert_eq!(reply["isSync"], "Y");
    let status = session.status(&world, PERIOD, &reference_id(&reply));
    assert_eq!((&status["status_cd"], &status["action"]), (&json!("P"), &json!("PTF")));
}

#[test]
fn ways_of_signing_that_are_not_simulated_say_so() {
    let world = World::new();
    let session = newcomer(&world);
    let mut body =
        session.sealed("RETFILE", &json!({"gstin": session.gstin, "ret_period": PERIOD}).to_string());
    body["st"] = json!("Esign");
    body["sid"] = json!("999999999999");
    let request = session.call("POST", "/taxpayerapi/v4.0/returns/gstr1").json(&body);
    let answer = world.gstn(&request);
    assert_eq!((answer.status, answer.error_cd().as_str()), (501, "SBX501"));
}

#[test]
fn an_evc_otp_is_for_a_form_that_exists() {
    let world = World::new();
    let session = newcomer(&world);
    let ask = |query: &str| {
        let path = format!("/taxpayerapi/v1.0/authenticate?{query}&pan={}", session.pan());
        world.gstn(&session.call("GET", &path)).error_cd()
    };
    assert_eq!(ask("action=EVCOTP&form_type=R1"), "");
    assert_eq!(ask("form_type=R3B"), "", "one client leaves the action out");
    assert_eq!(ask("action=EVCOTP&form_type=R99"), "AUTH154");
    assert_eq!(ask("action=EVCOTP"), "GEN5001");
    assert_eq!(ask("action=OTPREQUEST&form_type=R1"), "AUTH4035");
}

#[test]
fn a_return_of_2021_is_submitted_before_it_is_filed() {
    let world = World::new();
    let session = newcomer_of(&world, "2021-12-01");
    let period = "122021";
    let saved = session.saved(&world, period, &["A1"]);
    assert_eq!(session.finished(&world, period, &saved), "P");
    let own = json!({"gstin": session.gstin, "ret_period": period});
    let submit = |action| session.write("POST", "returns/gstr1", action, &own);
    let done = |request: &Request| {
        let reference = reference_id(&session.open(&world.gstn(request)));
        session.finished(&world, period, &reference)
    };
    assert_eq!(done(&submit("GENSUM")), "P");
    let in_clear = session.call("POST", "/taxpayerapi/v1.1/returns/gstr1?action=RETSUBMIT").json(&own);
    assert_eq!(done(&in_clear), "P");
    assert_eq!(world.gstn(&submit("RETSUBMIT")).error_cd(), "RET12521");
    assert_eq!(world.gstn(&session.save(period, &["A2"])).error_cd(), "RET12521");
    let summary = session.open(&world.gstn(&session.get("returns/gstr1", "RETSUM", period))).to_string();
    world.gstn(&session.evc_otp(session.pan()));
    let filed = world.gstn(&session.file(&summary, session.pan(), OTP));
    assert_eq!(filed.error_cd(), "", "it is April 2025: three years have passed, and nothing is barred yet");
    let new = json!({"gstin": session.gstin, "ret_period": "012022"});
    let refused = world.gstn(&session.write("POST", "returns/gstr1", "RETSUBMIT", &new));
    assert_eq!(refused.error_cd(), "SBX501", "from January 2022 a return is proceeded to file");
}
