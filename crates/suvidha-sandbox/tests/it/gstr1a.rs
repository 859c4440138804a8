//! Corrections of a filed GSTR-1, and the IFF of a quarterly filer, on the wire.

use serde_json::{Value, json};

use crate::filing::file_month;
use crate::taxpayer::{OTP, Session, reference_id};
use crate::world::World;

const PERIOD: &str = "032025";

fn sent(world: &World, session: &Session, action: &str, payload: &Value) -> Result<String, String> {
    let answer = world.gstn(&session.write("PUT", "returns/gstr1a", action, payload));
    if !answer.error_cd().is_empty() {
        return Err(answer.error_cd());
    }
    let reference = reference_id(&session.open(&answer));
    Ok(session.finished(world, PERIOD, &reference))
}

#[test]
fn a_filed_gstr1_is_corrected_once_by_a_gstr1a() {
    let world = World::new();
    let taxpayer = world.taxpayer(&json!({"state": "29"}));
    let session = taxpayer.login(&world);
    file_month(&world, &session, PERIOD, &["A1"]);
    let correction = session.gstr1(PERIOD, &["A2"]);
    assert_eq!(sent(&world, &session, "R1ARETSAVE", &correction), Err("RET12590".into()), "it is 10 April");
    world.clock.advance(2 * 24 * 60 * 60 * 1000);
    let session = taxpayer.login(&world);
    assert_eq!(sent(&world, &session, "R1ARETSAVE", &correction), Ok("P".into()));
    let read = |action| session.open(&world.gstn(&session.get("returns/gstr1a", action, PERIOD)));
    assert_eq!(read("R1AB2B")["b2b"][0]["inv"][0]["inum"], "A2");
    let own = json!({"gstin": session.gstin, "ret_period": PERIOD});
    assert_eq!(sent(&world, &session, "R1ARETNEWPTF", &own), Ok("P".into()));
    let summary = read("RETSUM").to_string();
    world.gstn(&session.evc_otp_for("R1A"));
    let filed = session.file_as("RETFILER1A", "returns/gstr1a", &summary, session.pan(), OTP);
    assert!(session.open(&world.gstn(&filed))["ack_num"].is_string());
    assert_eq!(sent(&world, &session, "R1ARETSAVE", &correction), Err("AUTH117".into()));
    let tracked = session.open(&world.gstn(&session.get("returns", "RETTRACK", PERIOD)));
    let forms: Vec<_> = tracked["EFiledlist"].as_array().unwrap().iter().map(|row| &row["rtntype"]).collect();
    assert_eq!(forms, ["GSTR1", "GSTR1A"]);
}

#[test]
fn a_quarterly_filer_has_an_iff() {
    let world = World::new();
    let session = world.taxpayer(&json!({"filing": "quarterly"})).login(&world);
    let mut payload = session.gstr1("022025", &["A1"]);
    payload["nil"] = json!({"inv": [{"sply_ty": "INTRB2B", "nil_amt": 1, "expt_amt": 0, "ngsup_amt": 0}]});
    let save = |period: &str, payload: &Value| {
        let answer = world.gstn(&session.write("PUT", "returns/gstr1", "RETSAVE", payload));
        let reference = reference_id(&session.open(&answer));
        let status = session.finished(&world, period, &reference);
        (status, session.status(&world, period, &reference)["error_report"]["error_cd"].clone())
    };
    assert_eq!(
        save("022025", &payload),
        ("ER".into(), json!("RET191106")),
        "no consumers' or nil supplies in an IFF"
    );
    payload["nil"] = Value::Null;
    payload.as_object_mut().unwrap().remove("nil");
    assert_eq!(save("022025", &payload), ("ER".into(), json!("RET12590")), "February's ended on 13 March");
    assert_eq!(save("042025", &session.gstr1("042025", &["A1"])), ("P".into(), Value::Null));
}
