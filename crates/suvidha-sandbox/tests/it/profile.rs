//! What GSTN knows of a taxpayer beside its returns: preference, turnover, documents, masters, the annual return.

use gstn::crypto::base64;
use serde_json::{Value, json};

use crate::filing::file_month;
use crate::gstr3b;
use crate::http::{Request, Response};
use crate::ledgers::challan;
use crate::taxpayer::Session;
use crate::world::World;

const PERIOD: &str = "032025";

/// Moves the tax clock to noon of a day.
fn on(world: &World, day: &str) {
    let moved = world.manage(&Request::new("PUT", "/clock").json(&json!({"at": day})));
    assert_eq!(moved.status, 200);
}

fn choose(world: &World, session: &Session, quarter: &str, preference: &str) -> Response {
    let wanted =
        json!({"gstin": session.gstin, "fy": "2025-26", "quarter": quarter, "preference": preference});
    world.gstn(&session.write("PUT", "returns", "SAVEPREF", &wanted))
}

fn preferences(world: &World, session: &Session, year: &str) -> Vec<String> {
    let told = session.open(&world.gstn(&session.get("returns", &format!("GETPREF&fy={year}"), PERIOD)));
    let rows = told["response"].as_array().unwrap().iter();
    rows.map(|row| format!("{}{}", row["quarter"].as_str().unwrap(), row["preference"].as_str().unwrap()))
        .collect()
}

#[test]
fn a_preference_is_chosen_in_its_window_and_holds_until_the_next() {
    let world = World::new();
    let session = world.taxpayer(&json!({})).login(&world);
    assert_eq!(preferences(&world, &session, "2024-25"), ["Q1M", "Q2M", "Q3M", "Q4M"]);
    assert_eq!(preferences(&world, &session, "2025-26"), ["Q1M"]);
    // It is 10 April 2025: the window of April to June is open (Rule 61A), that of July to September not yet.
    assert_eq!(choose(&world, &session, "Q2", "Q").error_cd(), "RET12590");
    assert_eq!(session.open(&choose(&world, &session, "Q1", "Q")), json!({"status_cd": "1"}));
    assert_eq!(preferences(&world, &session, "2025-26"), ["Q1Q"]);
    for (day, expected) in [("2025-04-30", ""), ("2025-05-01", "RET12590")] {
        on(&world, day);
        assert_eq!(choose(&world, &session, "Q1", "Q").error_cd(), expected, "{day}");
    }
    assert_eq!(choose(&world, &session, "Q2", "M").error_cd(), "");
    assert_eq!(preferences(&world, &session, "2025-26"), ["Q1Q", "Q2M"]);
    on(&world, "2025-12-01");
    assert_eq!(preferences(&world, &session, "2025-26"), ["Q1Q", "Q2M", "Q3M"]);
}

#[test]
fn quarterly_filing_is_for_small_taxpayers_whose_returns_are_filed() {
    let world = World::new();
    let large = world.taxpayer(&json!({"turnover": 50_000_001})).login(&world);
    assert_eq!(choose(&world, &large, "Q1", "Q").error_cd(), "AUTH143");
    assert_eq!(choose(&world, &large, "Q1", "M").error_cd(), "");
    let composition = world.taxpayer(&json!({"scheme": "composition"})).login(&world);
    assert_eq!(choose(&world, &composition, "Q1", "Q").error_cd(), "RTN_27");
    let session = world.taxpayer(&json!({"state": "29"})).login(&world);
    file_month(&world, &session, "022025", &["A1"]);
    assert_eq!(choose(&world, &session, "Q1", "Q").error_cd(), "AUTH119", "GSTR-3B of February is missing");
    assert_eq!(choose(&world, &session, "Q1", "M").error_cd(), "");
    for (wrong, code) in [
        (json!({"quarter": "Q5"}), "AUTH143"),
        (json!({"quarter": "1"}), "AUTH143"),
        (json!({"preference": "N"}), "AUTH143"),
        (json!({"fy": "2025"}), "AUTH143"),
        (json!({"fy": ""}), "GEN5001"),
        (json!({"gstin": large.gstin}), "RET11402"),
    ] {
        let mut wanted = json!({"gstin": session.gstin, "fy": "2025-26", "quarter": "Q1", "preference": "M"});
        wanted.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
        let answer = world.gstn(&session.write("PUT", "returns", "SAVEPREF", &wanted));
        assert_eq!(answer.error_cd(), code, "{wrong}");
    }
}

#[test]
fn turnover_is_what_was_filed_by_the_gstin_and_by_its_pan() {
    let world = World::new();
    let session =
        world.taxpayer(&json!({"gstin": "29AABCS1234A1Z9", "masked_check_digit": true})).login(&world);
    let sister =
        world.taxpayer(&json!({"gstin": "33AABCS1234A1Z9", "masked_check_digit": true, "turnover": 3e7}));
    let aato = |session: &Session, year: &str| {
        world.gstn(&session.get("returns", &format!("AATO&fy={year}"), PERIOD))
    };
    let nothing = session.open(&aato(&session, "2024-25"));
    assert_eq!((&nothing["gsttofil"], &nothing["finalpanto"]), (&json!(0), &json!(10_000_000)));
    assert!(nothing.get("estgstto").is_none() && nothing.get("finalgstto").is_none(), "{nothing}");
    file_month(&world, &session, "022025", &["A1", "A2"]);
    let told = session.open(&aato(&session, "2024-25"));
    assert_eq!(
        told,
        json!({
            "gstin": session.gstin, "fy": "2024-25", "pan": "AABCS1234A", "gsttofil": 2000, "pantofil": 2000,
            "estgstto": 24_000, "estpanto": 24_000, "finalpanto": 10_000_000, "tpdecto": [],
        })
    );
    let sister = sister.login(&world);
    let told = sister.open(&aato(&sister, "2024-25"));
    assert_eq!(
        (&told["gsttofil"], &told["pantofil"], &told["estpanto"]),
        (&json!(0), &json!(2000), &json!(24_000))
    );
    assert_eq!(aato(&session, "2026-27").error_cd(), "RET13510", "a year that has not begun");
    assert_eq!(aato(&session, "24").error_cd(), "AUTH143");
}

#[test]
fn the_annual_return_is_computed_from_what_was_filed() {
    let world = World::new();
    let session = world.taxpayer(&json!({"state": "29"})).login(&world);
    let ask = |period: &str| world.gstn(&session.get("returns/gstr9", "CALRCDS", period));
    assert_eq!(ask("032025").error_cd(), "RET13510");
    assert_eq!(ask("022025").error_cd(), "AUTH113", "a year is named by its last month");
    file_month(&world, &session, "022025", &["A1", "A2"]);
    let told = session.open(&ask("032025"));
    assert_eq!(
        (&told["gstin"], &told["fp"], &told["hsnMinLen"]),
        (&json!(session.gstin), &json!("032025"), &json!(4))
    );
    let b2b = json!({"txval": 2000, "iamt": 360, "camt": 0, "samt": 0, "csamt": 0});
    assert_eq!((&told["table4"]["b2b"], &told["table4"]["exp"]["camt"]), (&b2b, &Value::Null));
    assert_eq!(told["table5"]["exmt"], json!({"txval": 0}));
    assert_eq!(told["table4"]["chksum"].as_str().unwrap().len(), 64);
    let buyer = world.taxpayer(&json!({"gstin": "27AAPFU0939F1ZV"})).login(&world);
    on(&world, "2025-04-15");
    let stated = || buyer.open(&world.gstn(&buyer.get("returns/gstr9", "CALRCDS", PERIOD)));
    assert_eq!(stated()["table8"]["itc_2b"]["iamt"], json!(360), "the statement of March, made on 14 April");
    assert_eq!(stated()["table4"]["b2b"]["txval"], json!(0));
}

#[test]
fn the_annual_return_tells_what_was_paid() {
    let world = World::new();
    let wanted = json!({"state": "29", "balances": {"credit": {"igst": 300}}});
    let session = world.taxpayer(&wanted).login(&world);
    file_month(&world, &session, PERIOD, &["A1", "A2"]);
    let done = ("P".to_owned(), String::new());
    assert_eq!(gstr3b::job(&world, &session, PERIOD, "RETSAVE", &gstr3b::march(&session)), done);
    let told = || session.open(&world.gstn(&session.get("returns/gstr9", "CALRCDS", PERIOD)));
    assert!(told().get("table9").is_none(), "it is not filed");
    challan(&world, &session, &json!({"cgst": {"tx": 50}, "sgst": {"tx": 50}}));
    assert_eq!(gstr3b::job(&world, &session, PERIOD, "RETOFFSET", &gstr3b::payment()), done);
    gstr3b::file(&world, &session, PERIOD).unwrap();
    let told = told();
    let rchrg = json!({"txval": 1000, "iamt": 0, "camt": 50, "samt": 50, "csamt": 0});
    assert_eq!(told["table4"]["rchrg"], rchrg);
    let availed = json!({"iamt": 100.5, "camt": 50, "samt": 50, "csamt": 0});
    assert_eq!(told["table6"]["itc_3b"], availed);
    let igst = json!({
        "txpyble": 360, "txpaid_cash": 0, "tax_paid_itc_iamt": 360, "tax_paid_itc_camt": 0,
        "tax_paid_itc_samt": 0,
    });
    assert_eq!(told["table9"]["iamt"], igst);
    let cgst = json!({"txpyble": 70, "txpaid_cash": 50, "tax_paid_itc_iamt": 20, "tax_paid_itc_camt": 0});
    assert_eq!(told["table9"]["camt"], cgst);
    assert_eq!(told["table9"]["fee"], json!({"txpyble": 0, "txpaid_cash": 0}));
}

#[test]
fn an_iff_is_tracked_by_its_own_name() {
    let world = World::new();
    on(&world, "2025-05-10");
    let session = world.taxpayer(&json!({"state": "29", "filing": "quarterly"})).login(&world);
    file_month(&world, &session, "042025", &["A1"]);
    let track = |form: &str| world.gstn(&session.get("returns", &format!("RETTRACK&type={form}"), "042025"));
    for form in ["", "IFF", "R1", "GSTR1"] {
        let told = session.open(&track(form));
        assert_eq!(told["EFiledlist"][0]["rtntype"], json!("IFF"), "{form}");
    }
    assert_eq!(track("R3B").error_cd(), "RET13510");
    assert_eq!(track("CMP08").error_cd(), "RET13510");
}

#[test]
fn a_document_comes_back_as_it_was_sent_and_to_its_owner_alone() {
    let mut world = World::new();
    let session = world.taxpayer(&json!({})).login(&world);
    let document =
        json!({"ct": "application/pdf", "doc_nam": "invoice.pdf", "data": base64::encode(b"%PDF-1.7")});
    let uploaded = session.open(&world.gstn(&session.write("POST", "document", "DOCUPLOAD", &document)));
    let doc_id = uploaded["doc_id"].as_str().unwrap().to_owned();
    world.restart();
    let ask = |session: &Session, action: &str, doc_id: &str| {
        world.gstn(&session.get("document", &format!("{action}&doc_id={doc_id}"), PERIOD))
    };
    assert_eq!(session.open(&ask(&session, "DOCDOWNLOAD", &doc_id)), document);
    assert_eq!(session.open(&ask(&session, "DOCSTATUS", &doc_id)), json!({"status_cd": "1"}));
    assert_eq!(ask(&session, "DOCSTATUS", "000000000000000").error_cd(), "RET13508");
    assert_eq!(ask(&session, "DOCSTATUS", "").error_cd(), "GEN5001");
    let stranger = world.taxpayer(&json!({})).login(&world);
    assert_eq!(ask(&stranger, "DOCDOWNLOAD", &doc_id).error_cd(), "RET13508");
    for (wrong, code) in [(json!({"data": "%%"}), "RET191103"), (json!({"doc_nam": ""}), "GEN5001")] {
        let mut document = document.clone();
        document.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
        let answer = world.gstn(&session.write("POST", "document", "DOCUPLOAD", &document));
        assert_eq!(answer.error_cd(), code, "{wrong}");
    }
}

#[test]
fn masters_are_kept_row_by_row() {
    let world = World::new();
    let session = world.taxpayer(&json!({})).login(&world);
    let buyer = world.taxpayer(&json!({"gstin": "27AAPFU0939F1ZV", "legal_name": "Asha Traders"}));
    let ask = || world.gstn(&session.get("usermasters", "GETMASTERS", PERIOD));
    assert_eq!(ask().error_cd(), "RET13510");
    let save = |products: Value, parties: Value| {
        let sent = json!({
            "userGstin": session.gstin, "productsMasters": products, "supplierRecipientMasters": parties,
        });
        session.open(&world.gstn(&session.write("POST", "usermasters", "SAVEMASTERS", &sent)))
    };
    let told = save(
        json!([
            {"productName": "Tea", "hsn": "0902", "uqc": "KGS", "igst": 5, "actionFlag": "A"},
            {"productName": "Air", "hsn": "x", "uqc": "OTH", "igst": 5, "actionFlag": "A"},
        ]),
        json!([
            {"gstin": buyer.gstin, "supplierRecipientName": "Asha", "supplierRecipientFlag": "R", "actionFlag": "A"},
            {"gstin": "27AAPFU0939F1ZW", "supplierRecipientFlag": "S", "actionFlag": "A"},
        ]),
    );
    let tea = json!({"productName": "Tea", "hsn": "0902", "uqc": "KGS", "igst": 5, "cgst": 2.5, "sgst": 2.5});
    assert_eq!(told["productsMasters"], json!([tea]));
    assert_eq!(told["productsWithError"][0]["errCd"], json!("RET191349"));
    assert_eq!(told["supplierRecipientsWithError"][0]["errCd"], json!("RET191113"));
    let party = &session.open(&ask())["supplierRecipientMasters"][0];
    assert_eq!(
        (&party["legalName"], &party["registrationStatus"]),
        (&json!("Asha Traders"), &json!("Active"))
    );
    let told = save(
        json!([{"productName": "TEA", "hsn": "0902", "igst": 5, "actionFlag": "D"}]),
        json!([{"gstin": buyer.gstin, "supplierRecipientFlag": "R", "actionFlag": "D"}]),
    );
    assert_eq!(told.get("productsMasters"), None);
    assert_eq!(ask().error_cd(), "RET13510");
}

#[test]
fn a_registration_that_has_ended_still_opens_the_books() {
    let world = World::new();
    let session = world.taxpayer(&json!({"state": "29", "cancelled_on": "2025-02-15"})).login(&world);
    file_month(&world, &session, "022025", &["A1"]);
    assert_eq!(world.gstn(&session.save(PERIOD, &["A2"])).error_cd(), "AUTH151");
    let nil = json!({"gstin": session.gstin, "ret_period": PERIOD, "isnil": "Y"});
    assert_eq!(
        world.gstn(&session.write("POST", "returns/gstrptf", "RETNEWPTF", &nil)).error_cd(),
        "AUTH151"
    );
    let suspended = world.taxpayer(&json!({"state": "29", "suspended_on": "2025-02-15"})).login(&world);
    let refused = ("refused".to_owned(), "RT-3BGV1005".to_owned());
    let own = gstr3b::march(&suspended);
    assert_eq!(gstr3b::job(&world, &suspended, PERIOD, "RETSAVE", &own), refused);
    let read = session.open(&world.gstn(&session.get("returns/gstr1", "B2B", "022025")));
    assert_eq!(read["b2b"][0]["inv"][0]["inum"], json!("A1"));
    let composition = world.taxpayer(&json!({"state": "29", "scheme": "composition"})).login(&world);
    assert_eq!(world.gstn(&composition.save(PERIOD, &["A1"])).error_cd(), "RTN_27");
}
