//! A GSTR-1 is saved, processed, read back and reset.

use serde_json::json;
use suvidha_sandbox::WhileProcessing;

use crate::http::Request;
use crate::taxpayer::reference_id;
use crate::world::World;

const PERIOD: &str = "032025";

#[test]
fn a_save_is_received_processed_and_read_back() {
    let world = World::new();
    let session = world.taxpayer(&json!({"state": "29"})).login(&world);
    let reference_id = session.saved(&world, PERIOD, &["A1", "A2"]);
    assert!((32..=36).contains(&reference_id.len()));
    let status = session.status(&world, PERIOD, &reference_id);
    assert_eq!(status, json!({"form_typ": "R1", "status_cd": "REC", "action": "SAVE"}));
    assert_eq!(world.gstn(&session.get("returns/gstr1", "B2B", PERIOD)).error_cd(), "RET13510");
    world.clock.advance(250);
    assert_eq!(session.status(&world, PERIOD, &reference_id)["status_cd"], "IP");
    assert_eq!(session.finished(&world, PERIOD, &reference_id), "P");
    let read = session.open(&world.gstn(&session.get("returns/gstr1", "B2B", PERIOD)));
    let numbers: Vec<_> =
        read["b2b"][0]["inv"].as_array().unwrap().iter().map(|row| row["inum"].clone()).collect();
    assert_eq!(numbers, ["A1", "A2"]);
    let summary = session.open(&world.gstn(&session.get("returns/gstr1", "RETSUM", PERIOD)));
    assert_eq!(summary["ret_period"], PERIOD);
}

#[test]
fn rows_that_may_not_stand_come_back_in_the_error_report() {
    let world = World::new();
    let session = world.taxpayer(&json!({"state": "29"})).login(&world);
    let mut payload = session.gstr1(PERIOD, &["A1", "A2"]);
    payload["b2b"][0]["inv"][1]["itms"][0]["itm_det"]["rt"] = json!(17);
    let saved = world.gstn(&session.write("PUT", "returns/gstr1", "RETSAVE", &payload));
    let reference_id = reference_id(&session.open(&saved));
    assert_eq!(session.finished(&world, PERIOD, &reference_id), "PE");
    let report = &session.status(&world, PERIOD, &reference_id)["error_report"]["b2b"][0];
    assert_eq!(report["error_cd"], "RET191175");
    assert_eq!(report["inv"][0]["inum"], "A2");
}

#[test]
fn one_part_of_a_section_is_asked_for_in_either_spelling() {
    let world = World::new();
    let session = world.taxpayer(&json!({"state": "29"})).login(&world);
    let supplies = json!([{"etin": "27AAICF1234Q1CL", "suppval": 1000, "igst": 50, "cgst": 0, "sgst": 0}]);
    let payload =
        json!({"gstin": session.gstin, "fp": PERIOD, "supeco": {"clttx": supplies, "paytx": supplies}});
    let saved = world.gstn(&session.write("PUT", "returns/gstr1", "RETSAVE", &payload));
    assert_eq!(session.finished(&world, PERIOD, &reference_id(&session.open(&saved))), "P");
    for spelling in ["sub-section", "sub_section"] {
        let path =
            format!("/taxpayerapi/v4.0/returns/gstr1?action=SUPECO&ret_period={PERIOD}&{spelling}=paytx");
        let read = session.open(&world.gstn(&session.call("GET", &path)));
        let parts: Vec<_> = read["supeco"].as_object().unwrap().keys().collect();
        assert_eq!(parts, ["paytx"], "{spelling}");
    }
}

#[test]
fn two_replies_never_share_a_reply_key() {
    let world = World::new();
    let session = world.taxpayer(&json!({})).login(&world);
    let rek = || world.gstn(&session.get("ledgers", "BAL", PERIOD)).json()["rek"].clone();
    assert_ne!(rek(), rek());
}

#[test]
fn a_return_has_one_job_at_a_time() {
    let world = World::new();
    let session = world.taxpayer(&json!({"state": "29"})).login(&world);
    let first = session.saved(&world, PERIOD, &["A1"]);
    assert_eq!(world.gstn(&session.save(PERIOD, &["A2"])).error_cd(), "RTN_15");
    let own = json!({"gstin": session.gstin, "ret_period": PERIOD});
    let reset = session.write("POST", "returns/gstr1", "RESET", &own);
    assert_eq!(world.gstn(&reset).error_cd(), "RTN_15");
    let other_period = session.saved(&world, "022025", &["A2"]);
    assert_eq!(session.finished(&world, PERIOD, &first), "P");
    assert_eq!(session.finished(&world, "022025", &other_period), "P");
    let reset = reference_id(&session.open(&world.gstn(&reset)));
    assert_eq!(world.gstn(&session.save(PERIOD, &["A2"])).error_cd(), "RET191251");
    assert_eq!(session.finished(&world, PERIOD, &reset), "P");
    assert_eq!(world.gstn(&session.get("returns/gstr1", "B2B", PERIOD)).error_cd(), "RET13510");
    assert_eq!(world.gstn(&session.get("returns/gstr1", "B2B", "022025")).error_cd(), "");
}

#[test]
fn a_job_is_forgotten_after_ninety_days_and_its_payload_at_once() {
    let world = World::new();
    let taxpayer = world.taxpayer(&json!({"state": "29"}));
    let session = taxpayer.login(&world);
    let first = session.saved(&world, PERIOD, &["A1"]);
    assert_eq!(session.finished(&world, PERIOD, &first), "P");
    let payloads = "SELECT count(*) FROM jobs WHERE payload IS NOT NULL";
    assert_eq!(world.database().query_row(payloads, [], |row| row.get::<_, i64>(0)), Ok(0));
    for (days, code) in [(89, ""), (2, "RET13508")] {
        world.pass_minutes(days * 24 * 60);
        let session = taxpayer.login(&world);
        let another = session.saved(&world, PERIOD, &["A2"]);
        assert_eq!(session.finished(&world, PERIOD, &another), "P");
        assert_eq!(world.gstn(&session.ask_status(PERIOD, &first)).error_cd(), code);
    }
}

#[test]
fn jobs_of_a_return_can_queue_instead_and_run_in_order() {
    let world = World::with(|config| config.while_processing = WhileProcessing::Queue);
    let session = world.taxpayer(&json!({"state": "29"})).login(&world);
    let first = session.saved(&world, PERIOD, &["A1"]);
    let mut payload = session.gstr1(PERIOD, &["A1"]);
    payload["b2b"][0]["inv"][0]["itms"][0]["itm_det"] =
        json!({"rt": 18, "txval": 2000, "iamt": 360, "csamt": 0});
    payload["b2b"][0]["inv"][0]["val"] = json!(2360);
    let second = world.gstn(&session.write("PUT", "returns/gstr1", "RETSAVE", &payload));
    let second = reference_id(&session.open(&second));
    world.clock.advance(520);
    assert_eq!(session.status(&world, PERIOD, &second)["status_cd"], "REC");
    assert_eq!(session.finished(&world, PERIOD, &second), "P");
    assert_eq!(session.status(&world, PERIOD, &first)["status_cd"], "P");
    let read = session.open(&world.gstn(&session.get("returns/gstr1", "B2B", PERIOD)));
    assert_eq!(read["b2b"][0]["inv"][0]["val"], json!(2360));
}

#[test]
fn what_a_save_gets_wrong_at_once_has_its_own_code() {
    let world = World::new();
    let session = world.taxpayer(&json!({"state": "29"})).login(&world);
    let send = |body: &serde_json::Value| {
        world.gstn(&session.call("PUT", "/taxpayerapi/v4.1/returns/gstr1").json(body)).error_cd()
    };
    let good = session.sealed("RETSAVE", &session.gstr1(PERIOD, &["A1"]).to_string());
    let with = |name: &str, value: serde_json::Value| {
        let mut body = good.clone();
        body[name] = value;
        send(&body)
    };
    assert_eq!(with("hmac", json!(null)), "RET191101");
    assert_eq!(with("data", json!(null)), "RET191101");
    assert_eq!(with("hmac", json!("AAAA")), "RET191166");
    assert_eq!(with("data", json!("AAAA")), "RET191166");
    assert_eq!(send(&session.sealed("RETSAVE", "{\"gstin\":")), "RET191103");
    let other = json!({"gstin": "27AAPFU0939F1ZV", "fp": PERIOD});
    assert_eq!(send(&session.sealed("RETSAVE", &other.to_string())), "RET191136");
    let nobody = json!({"fp": PERIOD});
    assert_eq!(send(&session.sealed("RETSAVE", &nobody.to_string())), "RET191131");
    let malformed = session.call("PUT", "/taxpayerapi/v4.1/returns/gstr1").text("data=1");
    assert_eq!(world.gstn(&malformed).error_cd(), "GEN5007");
}

#[test]
fn what_a_call_gets_wrong_about_its_session_has_its_own_code() {
    let world = World::new();
    let session = world.taxpayer(&json!({"state": "29"})).login(&world);
    let good = session.get("returns/gstr1", "RETSUM", PERIOD);
    let code = |request: Request| world.gstn(&request).error_cd();
    assert_eq!(code(good.clone().without("auth-token")), "RET11400");
    assert_eq!(code(good.clone().without("username")), "RET11400");
    let other = |name: &str, value: &str| good.clone().without(name).header(name, value);
    assert_eq!(code(other("auth-token", "0123")), "RT-R1R3BAV-1007");
    assert_eq!(code(other("username", "someone")), "RT-R1R3BAV-1007");
    assert_eq!(code(other("gstin", "27AAPFU0939F1ZV")), "RET11402");
    assert_eq!(code(other("state-cd", "27")), "RET11404");
    let query = |query: &str| session.call("GET", &format!("/taxpayerapi/v4.0/returns/gstr1?{query}"));
    assert_eq!(code(query("action=RETSUM&gstin=27AAPFU0939F1ZV&ret_period=032025")), "RET11402");
    assert_eq!(code(query("action=RETSUM&ret_period=132025")), "AUTH113");
    assert_eq!(code(query("action=RETSUM")), "AUTH141");
    assert_eq!(code(query("action=RETSTATUS&ret_period=032025")), "GEN5001");
    assert_eq!(code(query("action=RETSTATUS&ret_period=032025&ref_id=none")), "RET13508");
}

#[test]
fn nobody_sees_another_taxpayers_jobs() {
    let world = World::new();
    let one = world.taxpayer(&json!({"state": "29"})).login(&world);
    let two = world.taxpayer(&json!({"state": "29"})).login(&world);
    let reference_id = one.saved(&world, PERIOD, &["A1"]);
    assert_eq!(world.gstn(&two.ask_status(PERIOD, &reference_id)).error_cd(), "RET13508");
}
