//! The invoice management system: what buyers do to documents, and what sellers learn of it.

use serde_json::{Value, json};

use crate::http::Request;
use crate::schema::assert_matches;
use crate::taxpayer::Taxpayer;
use crate::trade::{Market, answered, b2b, invoice, note, worth};

/// A seller who filed these sections for January on 11 February, and the buyer.
fn trade(sections: impl Fn(&Taxpayer) -> Value) -> (Market, Taxpayer, Taxpayer) {
    let market = Market::new("2026-02-11");
    let (seller, buyer) = (market.party("27"), market.party("29"));
    market.save(&seller, "012026", sections(&buyer));
    market.file(&seller, "012026");
    (market, seller, buyer)
}

fn one_invoice(buyer: &Taxpayer) -> Value {
    b2b(buyer, &[invoice("A1", "05-01-2026", "29", json!({}))])
}

/// An invoice and a credit note on it.
fn with_credit_note(buyer: &Taxpayer) -> Value {
    let mut sections = one_invoice(buyer);
    sections["cdnr"] =
        json!([{"ctin": buyer.gstin, "nt": [note("C1", "06-01-2026", "29", "C", worth(400))]}]);
    sections
}

fn first_error(told: &Value, section: &str) -> (Value, Value) {
    let entry = &told["error_report"][section][0];
    (entry["error_cd"].clone(), entry["inv"][0]["inum"].clone())
}

#[test]
fn records_are_listed_counted_and_acted_on() {
    let (market, seller, buyer) = trade(with_credit_note);
    let standing = market.ims(&buyer).unwrap();
    assert_matches("ims", &standing);
    let row = &standing["b2b"][0];
    assert_eq!((&row["stin"], &row["action"]), (&json!(seller.gstin), &json!("N")));
    assert_eq!((&row["srcfilstatus"], &row["srcform"]), (&json!("Filed"), &json!("R1")));
    assert_eq!((&row["iamt"], &row["ispendactblocked"]), (&json!(180), &json!("N")));
    let told = market.act(&buyer, "A1", "A", json!({}));
    assert_matches("ims_status", &told);
    assert_eq!(told, json!({"status_cd": "P", "transTypCd": "SAV", "proc_cnt": "1", "err_cnt": "0"}));
    let count =
        |kind: &str| market.get(&buyer, "v1.0", "ims", &format!("action=GETCNT&goods_typ={kind}")).unwrap();
    for kind in ["ALL_OTH", "IMP_GDS", "INV_SUPP_ISD"] {
        assert_matches("ims_count", &count(kind));
    }
    let counted = count("ALL_OTH");
    assert_eq!(counted["all_oth"]["b2b"], json!({"noaction": 0, "accept": 1, "reject": 0, "pending": 0}));
    assert_eq!(
        (&counted["all_oth"]["ttl_cnt"], &counted["all_oth"]["b2bcn"]["noaction"]),
        (&json!(2), &json!(1))
    );
    let only = |query: &str| market.get(&buyer, "v1.0", "ims", &format!("action=GETINV&{query}"));
    let keys = |found: Value| found.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(only("section=CN").unwrap()), ["b2bcn"]);
    assert_eq!(keys(only("section=ALL&status=A").unwrap()), ["b2b"]);
    assert_eq!(only("section=DNA"), Err("RET13510".into()));
    assert_eq!(only("section=XYZ"), Err("RET11403".into()));
}

#[test]
fn a_row_that_does_not_tell_the_record_is_refused_and_the_others_are_kept() {
    let (market, _, buyer) = trade(|buyer| {
        b2b(buyer, &["A1", "A2", "A3", "A4"].map(|number| invoice(number, "05-01-2026", "29", json!({}))))
    });
    let row = |number: &str| answered(&market.record(&buyer, number).1, "R");
    let mut wrong_amount = row("A2");
    wrong_amount.insert("txval".into(), json!(999));
    let mut wrong_previous = row("A3");
    wrong_previous.insert("prev_status".into(), json!("A"));
    let mut unknown = row("A4");
    unknown.insert("color".into(), json!("red"));
    let mut nobody = row("A4");
    nobody.insert("inum".into(), json!("A9"));
    nobody.remove("hash");
    let rows = [row("A1"), wrong_amount, wrong_previous, unknown, nobody];
    let told = market.save_actions(&buyer, "b2b", rows.into_iter().map(Value::Object).collect());
    assert_matches("ims_status", &told);
    assert_eq!(
        (&told["status_cd"], &told["proc_cnt"], &told["err_cnt"]),
        (&json!("PE"), &json!("1"), &json!("4"))
    );
    let report = told["error_report"]["b2b"].as_array().unwrap();
    let found: Vec<_> =
        report.iter().map(|entry| (entry["error_cd"].clone(), entry["inv"][0]["inum"].clone())).collect();
    for expected in [("RET13508", "A2"), ("IMSSAV0010", "A3"), ("IMSSAV005", "A4"), ("RET13508", "A9")] {
        assert!(found.contains(&(json!(expected.0), json!(expected.1))), "{expected:?} in {found:?}");
    }
    assert_eq!(market.record(&buyer, "A1").1["action"], "R");
    assert_eq!(market.record(&buyer, "A3").1["action"], "N");
}

#[test]
fn a_payload_of_another_form_is_refused_as_a_whole() {
    let (market, seller, buyer) = trade(one_invoice);
    let told = |payload: Value| {
        let id = market.write(&buyer, "returns/ims", "SAVE", &payload).unwrap();
        let told = market.outcome(&buyer, "ims", "REQSTS", &id);
        assert_matches("ims_status", &told);
        (told["status_cd"].clone(), told["err_cd"].clone())
    };
    let refused = (json!("ER"), json!("IMSSAV005"));
    assert_eq!(told(json!({"rtin": buyer.gstin, "reqtyp": "RESET", "invdata": {"b2b": []}})), refused);
    assert_eq!(told(json!({"rtin": buyer.gstin, "reqtyp": "SAVE", "invdata": {"b2c": []}})), refused);
    assert_eq!(told(json!({"rtin": buyer.gstin, "reqtyp": "SAVE"})), refused);
    let sent = |payload: Value| market.write(&buyer, "returns/ims", "SAVE", &payload);
    assert_eq!(sent(json!({"reqtyp": "SAVE"})), Err("IMSSAV005".into()));
    assert_eq!(sent(json!({"rtin": seller.gstin, "reqtyp": "SAVE"})), Err("RET11402".into()));
}

#[test]
fn an_action_is_taken_back_by_a_reset_and_by_the_suppliers_change() {
    let market = Market::new("2026-01-20");
    let (seller, buyer) = (market.party("27"), market.party("29"));
    market.save(&seller, "012026", one_invoice(&buyer));
    market.act(&buyer, "A1", "R", json!({}));
    let (section, row) = market.record(&buyer, "A1");
    assert_eq!(row["action"], "R", "what is only saved can be acted on");
    let mut row = answered(&row, "N");
    row.remove("action");
    let payload = json!({"rtin": buyer.gstin, "reqtyp": "RESET", "invdata": {section: [row]}});
    let id = market.write(&buyer, "returns/ims", "RESETIMS", &payload).unwrap();
    let told = market.outcome(&buyer, "ims", "REQSTS", &id);
    assert_eq!((&told["status_cd"], &told["transTypCd"]), (&json!("P"), &json!("RST")));
    assert_eq!(market.record(&buyer, "A1").1["action"], "N");
    market.act(&buyer, "A1", "A", json!({}));
    market.save(&seller, "012026", b2b(&buyer, &[invoice("A1", "05-01-2026", "29", worth(1100))]));
    let row = market.record(&buyer, "A1").1;
    assert_eq!((&row["action"], &row["iamt"]), (&json!("N"), &json!(198)));
}

#[test]
fn a_rejected_credit_note_is_back_on_its_supplier() {
    let (market, seller, buyer) = trade(with_credit_note);
    let told = market.act(&buyer, "C1", "R", json!({"remarks": "Not agreed"}));
    assert_eq!(told["status_cd"], "P", "{told}");
    let view = |period: &str, more: &str| {
        market.get(&seller, "v1.0", "ims", &format!("action=SUPVIEW&ret_period={period}&rtn_typ=R1{more}"))
    };
    let seen = view("012026", "").unwrap();
    assert_eq!(seen["gstr1"]["cdnr"][0]["nt"][0]["imsactn"], "R");
    assert!(seen["gstr1"]["b2b"][0]["inv"][0]["imsactn"].is_null());
    assert_eq!(view("022026", "&section=ADDBACK"), Err("RET13510".into()), "not before the statement");
    market.on("2026-02-14");
    let statement = market.twob(&buyer, "012026").unwrap();
    assert_matches("gstr2b_v4", &statement);
    assert_eq!(statement["data"]["itcsumm"]["itcRejected"]["othersup"]["cdnr"]["igst"], 72);
    assert_eq!(statement["data"]["itcsumm"]["itcavl"]["othersup"]["igst"], 0);
    let added = view("022026", "&section=ADDBACK").unwrap();
    assert_matches("ims_added_back", &added);
    let row = &added["rejInvAddBackLiab"]["cdnr"][0];
    assert_eq!(
        (&row["nt_num"], &row["iamt"], &row["remarks"]),
        (&json!("C1"), &json!(72), &json!("Not agreed"))
    );
    assert_eq!((&row["supPrd"], &row["ctin"]), (&json!("012026"), &json!(buyer.gstin)));
    assert_eq!(view("012026", "&section=ADDBACK"), Err("RET13510".into()), "it is for the period after");
    assert_eq!(view("032026", "&section=ADDBACK"), Err("RET13510".into()));
}

#[test]
fn a_rejected_invoice_leaves_its_suppliers_liability() {
    let (market, seller, buyer) = trade(one_invoice);
    market.act(&buyer, "A1", "R", json!({}));
    market.on("2026-02-14");
    let view = market.get(&seller, "v1.0", "ims", "action=SUPVIEW&ret_period=022026&section=ADDBACK");
    assert_eq!(view, Err("RET13510".into()));
}

/// FAQ on IMS of 17.10.25: for one period, until the due date of its GSTR-3B.
#[test]
fn a_credit_note_is_pending_for_one_period_and_then_counts_as_accepted() {
    let (market, seller, buyer) = trade(with_credit_note);
    assert_eq!(market.act(&buyer, "C1", "P", json!({}))["status_cd"], "P");
    let counted = |period: &str| {
        market
            .twob(&buyer, period)
            .map(|statement| statement["data"]["itcsumm"]["itcavl"]["othersup"]["igst"].clone())
    };
    market.on("2026-02-14");
    assert_eq!(counted("012026"), Ok(json!(0)));
    market.files_3b(&seller, "012026", "2026-02-20");
    market.files_3b(&buyer, "012026", "2026-02-20");
    market.on("2026-03-11");
    market.save(&seller, "022026", b2b(&buyer, &[invoice("A2", "05-02-2026", "29", json!({}))]));
    market.file(&seller, "022026");
    market.on("2026-03-14");
    assert_eq!(counted("022026"), Ok(json!(0)), "it may wait until 20 March");
    assert_eq!(market.record(&buyer, "C1").1["ispendactblocked"], "N");
    market.files_3b(&buyer, "022026", "2026-03-20");
    market.on("2026-03-21");
    assert_eq!(market.record(&buyer, "C1").1["ispendactblocked"], "Y");
    let again = market.act(&buyer, "C1", "P", json!({}));
    assert_eq!(first_error(&again, "b2bcn"), (json!("IMSSAV005"), json!("C1")));
    market.on("2026-04-14");
    assert_eq!(counted("032026"), Ok(json!(72)));
}

/// Before October 2025 a credit note could not be pending (FAQ on IMS of 23.09.24).
#[test]
fn a_credit_note_of_september_2025_cannot_be_pending() {
    let market = Market::new("2025-10-11");
    let (seller, buyer) = (market.party("27"), market.party("29"));
    let sections = json!({"b2b": [{"ctin": buyer.gstin, "inv": [invoice("A1", "05-09-2025", "29", json!({}))]}],
        "cdnr": [{"ctin": buyer.gstin, "nt": [note("C1", "06-09-2025", "29", "C", json!({}))]}]});
    market.save(&seller, "092025", sections);
    market.file(&seller, "092025");
    let standing = market.ims(&buyer).unwrap();
    assert_matches("ims", &standing);
    assert_eq!(standing["b2bcn"][0]["ispendactblocked"], "Y");
    assert!(standing["b2bcn"][0]["isItcRedReqBlocked"].is_null(), "there was no declaration then");
    assert_eq!(
        first_error(&market.act(&buyer, "C1", "P", json!({})), "b2bcn"),
        (json!("IMSSAV005"), json!("C1"))
    );
    assert_eq!(market.act(&buyer, "A1", "P", json!({}))["status_cd"], "P");
}

/// Declared reduction: FAQ on IMS of 17.10.25.
#[test]
fn how_much_credit_a_credit_note_takes_away_can_be_declared() {
    let (market, _, buyer) = trade(with_credit_note);
    let refused = |more: Value| first_error(&market.act(&buyer, "C1", "A", more), "b2bcn").0;
    assert_eq!(refused(json!({"itcRedReq": "Y", "declIgst": 30})), "IMSSAV005", "it needs remarks");
    let too_much = json!({"itcRedReq": "Y", "declIgst": 73, "remarks": "x"});
    assert_eq!(refused(too_much), "IMSSAV005");
    assert_eq!(refused(json!({"itcRedReq": "N"})), "IMSSAV005", "none needs remarks too");
    let ordinary = market.act(&buyer, "A1", "A", json!({"itcRedReq": "Y"}));
    assert_eq!(first_error(&ordinary, "b2b").0, "IMSSAV005", "an invoice takes nothing away");
    let part = json!({"itcRedReq": "Y", "declIgst": 30, "remarks": "Only part was claimed"});
    assert_eq!(market.act(&buyer, "C1", "A", part)["status_cd"], "P");
    let standing = market.ims(&buyer).unwrap();
    assert_matches("ims", &standing);
    assert_eq!(
        (&standing["b2bcn"][0]["declIgst"], &standing["b2bcn"][0]["itcRedReq"]),
        (&json!(30), &json!("Y"))
    );
    market.on("2026-02-14");
    let statement = market.twob(&buyer, "012026").unwrap();
    assert_eq!(statement["data"]["itcsumm"]["itcavl"]["othersup"]["cdnr"]["igst"], 30);
    assert_eq!(statement["data"]["docdata"]["cdnr"][0]["nt"][0]["igst"], 72);
}

#[test]
fn imports_distributed_credit_and_tax_at_source_can_be_put_in() {
    let market = Market::new("2026-01-20");
    let buyer = market.party("29");
    let put = |section: &str, row: Value| {
        let path = format!("/taxpayers/{}/inward", buyer.gstin);
        let request = Request::new("POST", path).json(&json!({"section": section, "row": row}));
        market.world.manage(&request).status
    };
    let bill = json!({"refdt": "19-01-2026", "recdt": "20-01-2026", "portcode": "INNSA1", "boenum": "2566282",
        "boedt": "09-01-2026", "isamd": "N", "txval": 1000, "igst": 180, "cess": 0});
    let mut from_sez = bill.clone();
    from_sez["ctin"] = json!("27AAPFU0939F1ZV");
    from_sez["trdnm"] = json!("Zone Traders");
    assert_eq!((put("impg", bill.clone()), put("impgsez", from_sez)), (201, 201));
    let credit = json!({"ctin": "27AAPFU0939F1ZV", "trdnm": "Head office", "supprd": "012026", "supfildt": "12-02-2026",
        "doctyp": "ISDI", "docnum": "S1", "docdt": "31-01-2026", "igst": 50, "itcelg": "Y"});
    assert_eq!(put("isd", credit), 201);
    let tds = json!({"supprd": "012026", "gstin_ded": "27AAPFU0939F1ZV", "amt_ded": 1000, "iamt": 20});
    let tcs = json!({"supprd": "012026", "etin": "27AAPFU0939F1ZV", "sup_val": 1000, "tx_val": 1000, "iamt": 5,
        "camt": 0, "samt": 0});
    assert_eq!((put("tds", tds), put("tcs", tcs)), (201, 201));
    assert_eq!(put("impg", json!({"refdt": "x"})), 422);
    for section in ["IMPG", "IMPGSEZ", "ISD", "TDS", "TCS"] {
        assert_matches("gstr2a", &market.twoa(&buyer, section, "012026").unwrap());
    }
    let history = "action=AMDHIST&portcode=INNSA1&benumber=2566282&bedate=09-01-2026";
    let history = market.get(&buyer, "v2.1", "gstr2a", history).unwrap();
    assert_eq!(history["amddtl"].as_array().unwrap().len(), 2);

    let standing = market.ims(&buyer).unwrap();
    assert_matches("ims", &standing);
    let bill = |action: &str| {
        let mut row = standing["impg"][0].as_object().unwrap().clone();
        let previous = row.insert("action".into(), json!(action)).unwrap();
        row.insert("prev_status".into(), previous);
        market.save_actions(&buyer, "impg", vec![row.into()])
    };
    assert_eq!(bill("R")["status_cd"], "ER", "an import cannot be rejected");
    assert_eq!(bill("P")["status_cd"], "P");
    market.on("2026-02-14");
    let statement = market.twob(&buyer, "012026").unwrap();
    assert_matches("gstr2b_v4", &statement);
    let available = &statement["data"]["itcsumm"]["itcavl"];
    assert_eq!(
        (&available["imports"]["impg"]["igst"], &available["imports"]["impgsez"]["igst"]),
        (&json!(0), &json!(180))
    );
    assert_eq!(available["isdsup"]["isd"]["igst"], 50);
    let older = market.get(&buyer, "v1.0", "gstr2b", "action=GET2B&rtnprd=012026").unwrap();
    assert_matches("gstr2b_v2", &older);
}

#[test]
fn one_save_is_carried_out_at_a_time() {
    let (market, _, buyer) = trade(one_invoice);
    market.on("2026-02-14");
    let row = answered(&market.record(&buyer, "A1").1, "A");
    let payload = json!({"rtin": buyer.gstin, "reqtyp": "SAVE", "invdata": {"b2b": [row]}});
    let id = market.write(&buyer, "returns/ims", "SAVE", &payload).unwrap();
    assert_eq!(market.write(&buyer, "returns/ims", "SAVE", &payload), Err("IMSSAV0015".into()));
    assert_eq!(market.make_again(&buyer, "012026"), Err("IMSSAV0015".into()));
    assert_eq!(market.outcome(&buyer, "ims", "REQSTS", &id)["status_cd"], "P");
    assert_eq!(market.make_again(&buyer, "012026"), Ok(json!("P")));
    let other = market.get(&buyer, "v4.0", "gstr2b", &format!("action=GENSTS2B&int_tran_id={id}"));
    assert_eq!(other, Err("RET13508".into()), "it is a job of IMS");
}

/// FAQ on IMS of 19.06.25: what was accepted and paid for is taken down by an amendment that the buyer rejects.
#[test]
fn a_rejected_downward_amendment_is_back_on_its_supplier() {
    let (market, seller, buyer) = trade(one_invoice);
    market.files_3b(&seller, "012026", "2026-02-20");
    market.files_3b(&buyer, "012026", "2026-02-20");
    market.on("2026-03-11");
    let mut less = worth(600);
    less["oinum"] = json!("A1");
    less["oidt"] = json!("05-01-2026");
    market.save(
        &seller,
        "022026",
        json!({
            "b2ba": [{"ctin": buyer.gstin, "inv": [invoice("A1", "05-01-2026", "29", less)]}],
            "b2b": [{"ctin": buyer.gstin, "inv": [invoice("A2", "05-02-2026", "29", json!({}))]}],
        }),
    );
    market.file(&seller, "022026");
    let standing = market.ims(&buyer).unwrap();
    assert_matches("ims", &standing);
    assert_eq!(standing["b2ba"][0]["isItcRedReqBlocked"], "N", "it takes credit away");
    let row = answered(&standing["b2ba"][0], "R");
    assert_eq!(market.save_actions(&buyer, "b2ba", vec![row.into()])["status_cd"], "P");
    market.on("2026-03-14");
    let statement = market.twob(&buyer, "022026").unwrap();
    assert_matches("gstr2b_v4", &statement);
    assert_eq!(statement["data"]["itcsumm"]["itcavl"]["nonrevsup"]["b2ba"]["igst"], 0);
    assert_eq!(statement["data"]["itcsumm"]["itcRejected"]["nonrevsup"]["b2ba"]["igst"], -72);
    let added =
        market.get(&seller, "v1.0", "ims", "action=SUPVIEW&ret_period=032026&section=ADDBACK").unwrap();
    assert_matches("ims_added_back", &added);
    assert_eq!(added["rejInvAddBackLiab"]["b2ba"][0]["iamt"], 72);
}

#[test]
fn what_is_done_to_later_documents_does_not_outdate_a_statement() {
    let (market, seller, buyer) = trade(one_invoice);
    market.files_3b(&seller, "012026", "2026-02-20");
    market.on("2026-02-16");
    market.save(&seller, "022026", b2b(&buyer, &[invoice("A2", "05-02-2026", "29", json!({}))]));
    market.act(&buyer, "A2", "R", json!({}));
    assert_eq!(market.make_again(&buyer, "012026"), Err("IMS2005".into()));
    market.act(&buyer, "A1", "R", json!({}));
    assert_eq!(market.make_again(&buyer, "012026"), Ok(json!("P")));
}
