//! From a CPIN to a CIN, by the tax clock.

use serde_json::{Value, json};

use crate::gstr3b::move_clock;
use crate::http::Request;
use crate::ledgers::balance;
use crate::world::World;

#[test]
fn a_challan_is_made_paid_and_listed_and_expires_after_fifteen_days() {
    let world = World::new();
    let session = world.taxpayer(&json!({"state": "07"})).login(&world);
    let ask = |method: &'static str, path: String, body: Option<Value>| {
        let request = Request::new(method, path);
        let answer = world.manage(&body.map_or(request.clone(), |body| request.json(&body)));
        (answer.status, answer.json())
    };
    let make = |body: Value| ask("POST", format!("/taxpayers/{}/challans", session.gstin), Some(body));
    let pay = |cpin: &Value, body: Value| {
        ask("POST", format!("/challans/{}/pay", cpin.as_str().unwrap()), Some(body))
    };
    let (status, first) = make(json!({"amounts": {"igst": {"tx": 100}}}));
    assert_eq!((status, &first["status"]), (201, &json!("GENERATED")));
    assert_eq!((&first["cpin"], &first["expires_on"]), (&json!("25040700000001"), &json!("25/04/2025")));
    let (_, second) = make(json!({"mode": "neft", "bank": "HDFC", "amounts": {"cgst": {"intr": 7}}}));
    assert_eq!(pay(&second["cpin"], json!({"outcome": "awaiting"})).1["status"], "AWAITING");
    assert_eq!(pay(&first["cpin"], json!({"outcome": "awaiting"})).0, 422);
    assert_eq!(pay(&first["cpin"], json!({"outcome": "failed"})).1["status"], "FAILED");
    assert_eq!(balance(&world, &session)["cash_bal"]["igst_tot_bal"], 0);
    let (_, paid) = pay(&first["cpin"], json!({}));
    assert_eq!((&paid["status"], &paid["cin"]), (&json!("PAID"), &json!("SBIN25040700000001")));
    assert_eq!(pay(&first["cpin"], json!({})).0, 409, "once");
    assert_eq!(balance(&world, &session)["cash_bal"]["igst"]["tx"], 100);

    move_clock(&world, "2025-04-26");
    assert_eq!(pay(&second["cpin"], json!({})).0, 409, "too late");
    let (_, listed) = ask("GET", format!("/challans?gstin={}", session.gstin), None);
    let states: Vec<&Value> =
        listed["challans"].as_array().unwrap().iter().map(|row| &row["status"]).collect();
    assert_eq!(states, ["PAID", "EXPIRED"]);
    assert_eq!(ask("GET", format!("/challans/{}", second["cpin"].as_str().unwrap()), None).1["bank"], "HDFC");
    let (status, why) = ask("GET", "/challans/00000000000000".into(), None);
    assert!(status == 404 && why.to_string().contains("LG9221"), "{why}");
    assert_eq!(make(json!({"amounts": {"igst": {"tx": 0.5}}})).0, 422, "whole rupees");
    assert_eq!(make(json!({"mode": "otc", "amounts": {"igst": {"tx": 10_001}}})).0, 422, "Rule 87(3)");
    assert_eq!(make(json!({"amounts": {}})).0, 422);
}
