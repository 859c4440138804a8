//! GSTR-2A: what buyers see of what sellers save and file.

use serde_json::{Value, json};

use crate::schema::assert_matches;
use crate::trade::{Market, b2b, invoice, note};
use crate::world::World;

#[test]
fn a_saved_invoice_is_with_its_buyer_at_once_and_a_deleted_one_is_not() {
    let market = Market::new("2026-01-20");
    let (seller, buyer) = (market.party("27"), market.party("29"));
    assert_eq!(market.twoa(&buyer, "B2B", "012026"), Err("RET13510".into()));
    market.save(&seller, "012026", b2b(&buyer, &[invoice("A1", "05-01-2026", "29", json!({}))]));
    let saved = market.twoa(&buyer, "B2B", "012026").unwrap();
    assert_matches("gstr2a", &saved);
    let group = &saved["b2b"][0];
    assert_eq!(
        (&group["ctin"], &group["cfs"], &group["cfs3b"]),
        (&json!(seller.gstin), &json!("N"), &json!("N"))
    );
    assert!(group["fldtr1"].is_null() && group["flprdr1"].is_null());
    let item = json!({"num": 1, "itm_det": {"rt": 18, "txval": 1000, "iamt": 180, "camt": 0, "samt": 0, "csamt": 0}});
    assert_eq!(group["inv"][0]["itms"], json!([item]));
    assert_eq!(market.ims(&buyer).unwrap()["b2b"][0]["srcfilstatus"], "Not Filed");

    let deletion = json!({"inum": "A1", "idt": "05-01-2026", "flag": "D"});
    market.save(&seller, "012026", b2b(&buyer, &[deletion]));
    assert_eq!(market.twoa(&buyer, "B2B", "012026"), Err("RET13510".into()));
    assert_eq!(market.ims(&buyer), Err("RET13510".into()));
}

#[test]
fn a_filed_return_says_when_it_was_filed_and_later_whether_tax_was_paid() {
    let market = Market::new("2026-02-11");
    let (seller, buyer) = (market.party("27"), market.party("29"));
    let mut sections = b2b(&buyer, &[invoice("A1", "05-01-2026", "29", json!({}))]);
    sections["cdnr"] = json!([{"ctin": buyer.gstin, "nt": [note("C1", "06-01-2026", "29", "C", json!({}))]}]);
    market.save(&seller, "012026", sections);
    market.file(&seller, "012026");
    let filed = market.twoa(&buyer, "B2B", "012026").unwrap();
    assert_matches("gstr2a", &filed);
    let group = &filed["b2b"][0];
    assert_eq!(
        (&group["cfs"], &group["fldtr1"], &group["flprdr1"], &group["cfs3b"]),
        (&json!("Y"), &json!("11-Feb-26"), &json!("Jan-26"), &json!("N"))
    );
    let notes = market.twoa(&buyer, "CDN", "012026").unwrap();
    assert_matches("gstr2a", &notes);
    assert_eq!(notes["cdn"][0]["nt"][0]["ntty"], "C");
    market.files_3b(&seller, "012026", "2026-02-20");
    assert_eq!(market.twoa(&buyer, "B2B", "012026").unwrap()["b2b"][0]["cfs3b"], "Y");
    assert_eq!(market.twoa(&buyer, "B2B", "022026"), Err("RET13510".into()), "the period is the supplier's");
}

#[test]
fn an_amendment_and_its_original_point_at_each_other() {
    let market = Market::new("2026-02-11");
    let (seller, buyer) = (market.party("27"), market.party("29"));
    market.save(&seller, "012026", b2b(&buyer, &[invoice("A1", "05-01-2026", "29", json!({}))]));
    market.file(&seller, "012026");
    market.files_3b(&seller, "012026", "2026-02-20");
    market.on("2026-03-11");
    let amended =
        invoice("A1", "05-01-2026", "29", json!({"oinum": "A1", "oidt": "05-01-2026", "val": 1200}));
    market.save(
        &seller,
        "022026",
        json!({"b2ba": [{"ctin": buyer.gstin, "inv": [amended]}],
        "b2b": [{"ctin": buyer.gstin, "inv": [invoice("A2", "05-02-2026", "29", json!({}))]}]}),
    );
    let original =
        |market: &Market| market.twoa(&buyer, "B2B", "012026").unwrap()["b2b"][0]["inv"][0].clone();
    assert!(original(&market)["aspd"].is_null(), "it is not filed yet");
    market.file(&seller, "022026");
    assert_eq!((&original(&market)["aspd"], &original(&market)["atyp"]), (&json!("Feb-26"), &json!("R")));
    let amendment = market.twoa(&buyer, "B2BA", "022026").unwrap();
    assert_matches("gstr2a", &amendment);
    assert_eq!(amendment["b2ba"][0]["inv"][0]["aspd"], "Jan-26");
}

#[test]
fn a_reading_is_narrowed_by_supplier_and_by_day() {
    let market = Market::new("2026-01-20");
    let (one, other, buyer) = (market.party("27"), market.party("33"), market.party("29"));
    market.save(&one, "012026", b2b(&buyer, &[invoice("A1", "05-01-2026", "29", json!({}))]));
    market.on("2026-01-25");
    market.save(&other, "012026", b2b(&buyer, &[invoice("B1", "05-01-2026", "29", json!({}))]));
    let suppliers = |more: &str| -> Result<Vec<String>, String> {
        let query = format!("action=B2B&ret_period=012026{more}");
        let found = market.get(&buyer, "v2.1", "gstr2a", &query)?;
        let groups = found["b2b"].as_array().unwrap();
        Ok(groups.iter().map(|group| group["ctin"].as_str().unwrap().to_owned()).collect())
    };
    assert_eq!(suppliers("").unwrap().len(), 2);
    assert_eq!(suppliers(&format!("&ctin={}", one.gstin)), Ok(vec![one.gstin.clone()]));
    assert_eq!(suppliers("&from_time=21-01-2026"), Ok(vec![other.gstin.clone()]));
    assert_eq!(suppliers("&from_time=26-01-2026"), Err("RET13510".into()));
    assert_eq!(suppliers("&from_time=2026"), Err("RET13511".into()));
}

#[test]
fn rows_that_are_only_saved_can_be_hidden() {
    let market = Market::of(World::with(|config| config.twoa_shows_saved = false), "2026-02-11");
    let (seller, buyer) = (market.party("27"), market.party("29"));
    market.save(&seller, "012026", b2b(&buyer, &[invoice("A1", "05-01-2026", "29", json!({}))]));
    assert_eq!(market.twoa(&buyer, "B2B", "012026"), Err("RET13510".into()));
    market.file(&seller, "012026");
    assert!(market.twoa(&buyer, "B2B", "012026").is_ok());
}

#[test]
fn supplies_through_an_operator_come_from_the_operator() {
    let market = Market::new("2026-01-20");
    let (operator, buyer) = (market.party("27"), market.party("29"));
    let mut row = invoice("E1", "05-01-2026", "29", json!({"sply_ty": "INTER", "flag": "N"}));
    row.as_object_mut().unwrap().remove("rchrg");
    market.save(&operator, "012026", json!({"ecom": {"urp2b": [{"rtin": buyer.gstin, "inv": [row]}]}}));
    let seen = market.twoa(&buyer, "ECOM", "012026").unwrap();
    assert_matches("gstr2a", &seen);
    assert_eq!(seen["ecom"][0]["ctin"], json!(operator.gstin));
    assert_eq!(market.ims(&buyer).unwrap()["ecom"][0]["inum"], "E1");
}

#[test]
fn an_unknown_section_is_no_api() {
    let market = Market::new("2026-01-20");
    let buyer = market.party("29");
    assert_eq!(market.twoa(&buyer, "B2X", "012026"), Err("RET11403".into()));
    assert_eq!(market.twoa(&buyer, "B2B", "132026"), Err("AUTH113".into()));
    let nothing: Result<Value, String> = market.twoa(&buyer, "TDS", "012026");
    assert_eq!(nothing, Err("RET13510".into()));
}
