//! E-invoices on their way into GSTR-1.

use serde_json::{Value, json};

use crate::http::Request;
use crate::taxpayer::Session;
use crate::world::World;

const PERIOD: &str = "042025";
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// A seller in Karnataka; it is 10 April 2025.
fn seller(world: &World) -> Session {
    world.taxpayer(&json!({"state": "29"})).login(world)
}

fn register(world: &World, session: &Session, number: &str) -> Value {
    let document = json!({
        "TranDtls": {"SupTyp": "B2B"},
        "DocDtls": {"Typ": "INV", "No": number, "Dt": "05/04/2025"},
        "BuyerDtls": {"Gstin": "27AAPFU0939F1ZV", "Pos": "27"},
        "ItemList": [{"GstRt": 18, "AssAmt": 1000, "IgstAmt": 180}],
        "ValDtls": {"TotInvVal": 1180},
    });
    let path = format!("/taxpayers/{}/einvoices", session.gstin);
    let made = world.manage(&Request::new("POST", path).json(&document));
    assert_eq!(made.status, 201, "{}", String::from_utf8_lossy(&made.body));
    made.json()
}

fn states(world: &World, session: &Session) -> Vec<String> {
    let path = format!("/taxpayers/{}/einvoices", session.gstin);
    let listed = world.manage(&Request::new("GET", path)).json();
    let one = |row: &Value| row["state"].as_str().unwrap().to_owned();
    listed["einvoices"].as_array().unwrap().iter().map(one).collect()
}

/// The numbers in B2B and their IRNs.
fn rows(world: &World, session: &Session) -> Vec<(String, Value)> {
    let answer = world.gstn(&session.get("returns/gstr1", "B2B", PERIOD));
    if answer.error_cd() == "RET13510" {
        return Vec::new();
    }
    let read = session.open(&answer);
    let invoices = read["b2b"][0]["inv"].as_array().unwrap().clone();
    invoices.iter().map(|inv| (inv["inum"].as_str().unwrap().to_owned(), inv["irn"].clone())).collect()
}

fn move_two_days(world: &World) {
    let moved = world.manage(&Request::new("PUT", "/clock").json(&json!({"advance": "2 days"})));
    assert_eq!(moved.status, 200, "{}", String::from_utf8_lossy(&moved.body));
}

#[test]
fn an_e_invoice_is_in_gstr1_two_days_later() {
    let world = World::new();
    let session = seller(&world);
    let made = register(&world, &session, "E1");
    assert_eq!(made["available_on"], "2025-04-12");
    assert_eq!(rows(&world, &session), []);
    move_two_days(&world);
    assert_eq!(rows(&world, &session), [("E1".to_owned(), made["irn"].clone())]);
    let path = format!(
        "/taxpayerapi/v1.0/returns/einvoice?action=EINV&sec=B2B&gstin={}&ret_period={PERIOD}",
        session.gstin
    );
    let received = session.open(&world.gstn(&session.call("GET", &path)));
    assert_eq!(received["b2b"][0]["inv"][0]["irn"], made["irn"]);
    assert_eq!(world.gstn(&session.call("GET", &path.replace("=B2B", "=EXP"))).error_cd(), "EINV30107");
}

#[test]
fn what_the_taxpayer_reported_or_changed_stays_as_it_is() {
    let world = World::new();
    let session = seller(&world);
    for number in ["E1", "E2"] {
        register(&world, &session, number);
    }
    let reference = session.saved(&world, PERIOD, &["E1"]);
    assert_eq!(session.finished(&world, PERIOD, &reference), "P");
    move_two_days(&world);
    let by_number = |number: &str| rows(&world, &session).into_iter().find(|(found, _)| found == number);
    assert_eq!(by_number("E1"), Some(("E1".to_owned(), Value::Null)), "the taxpayer's own");
    assert!(by_number("E2").unwrap().1.is_string());
    assert_eq!(states(&world, &session), ["own_row", "populated"]);
    let reference = session.saved(&world, PERIOD, &["E2"]);
    assert_eq!(session.finished(&world, PERIOD, &reference), "P");
    assert_eq!(by_number("E2"), Some(("E2".to_owned(), Value::Null)), "an edit blanks the IRN");
}

#[test]
fn a_cancelled_e_invoice_leaves_gstr1_within_a_day() {
    let world = World::with(|config| config.einvoice_delay_days = 0);
    let session = seller(&world);
    let irn = |number| register(&world, &session, number)["irn"].as_str().unwrap().to_owned();
    let (first, second) = (irn("E1"), irn("E2"));
    assert_eq!(rows(&world, &session).len(), 2);
    let cancel = |irn: &str| world.manage(&Request::new("POST", format!("/einvoices/{irn}/cancel"))).status;
    assert_eq!(cancel(&first), 200);
    assert_eq!(cancel(&first), 409);
    assert_eq!(rows(&world, &session).len(), 1);
    world.clock.advance(DAY_MS + 1);
    assert_eq!(cancel(&second), 409, "a day has passed");
    assert_eq!(cancel("00"), 404);
}

#[test]
fn a_return_that_is_filed_takes_no_e_invoice() {
    let world = World::new();
    let session = seller(&world);
    register(&world, &session, "E1");
    crate::filing::file_month(&world, &session, PERIOD, &["A1"]);
    move_two_days(&world);
    assert_eq!(states(&world, &session), ["filed"]);
}
