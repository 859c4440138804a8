//! GSTR-2B: what was filed in time, made on the 14th, and made again.

use serde_json::{Value, json};

use crate::schema::assert_matches;
use crate::taxpayer::Taxpayer;
use crate::trade::{Market, b2b, inside_worth, invoice, note, worth};
use crate::world::World;

/// The numbers of the documents in one section of a statement.
fn numbers(statement: &Value, documents: &str, section: &str) -> Vec<String> {
    let groups = statement["data"][documents][section].as_array().cloned().unwrap_or_default();
    let rows = groups.iter().flat_map(|group| {
        ["inv", "nt", "doclist", "boe"].iter().filter_map(|list| group[*list].as_array()).flatten()
    });
    rows.map(|row| row["inum"].as_str().or(row["ntnum"].as_str()).unwrap().to_owned()).collect()
}

fn available(statement: &Value, group: &str, part: &str) -> Value {
    statement["data"]["itcsumm"]["itcavl"][group][part]["igst"].clone()
}

/// A seller of state 27 who filed these invoices for January on `day`.
fn filed(market: &Market, buyer: &Taxpayer, invoices: &[Value], day: &str) -> Taxpayer {
    let seller = market.party("27");
    market.on(day);
    market.save(&seller, "012026", b2b(buyer, invoices));
    market.file(&seller, "012026");
    seller
}

#[test]
fn what_is_filed_on_the_11th_is_in_the_statement_of_the_14th() {
    let market = Market::new("2026-02-11");
    let buyer = market.party("29");
    let seller = filed(&market, &buyer, &[invoice("A1", "05-01-2026", "29", json!({}))], "2026-02-11");
    market.on("2026-02-13");
    assert_eq!(market.twob(&buyer, "012026"), Err("RET2B1018".into()));
    market.on("2026-02-14");
    let statement = market.twob(&buyer, "012026").unwrap();
    assert_matches("gstr2b_v4", &statement);
    let data = &statement["data"];
    assert_eq!((&data["gendt"], &data["rtnprd"]), (&json!("14-02-2026"), &json!("012026")));
    assert_eq!(numbers(&statement, "docdata", "b2b"), ["A1"]);
    let group = &data["docdata"]["b2b"][0];
    assert_eq!((&group["supprd"], &group["supfildt"]), (&json!("012026"), &json!("11-02-2026")));
    let row = &group["inv"][0];
    assert_eq!((&row["itcavl"], &row["rsn"], &row["igst"]), (&json!("Y"), &json!(""), &json!(180)));
    assert_eq!(available(&statement, "nonrevsup", "b2b"), 180);
    assert_eq!(data["cpsumm"]["b2b"][0]["ctin"], json!(seller.gstin));
    assert_eq!(market.twob(&buyer, "012026").unwrap(), statement, "it does not change by itself");
}

#[test]
fn what_is_filed_on_the_12th_is_in_the_next_statement() {
    let market = Market::new("2026-02-11");
    let buyer = market.party("29");
    filed(&market, &buyer, &[invoice("A1", "05-01-2026", "29", json!({}))], "2026-02-12");
    market.on("2026-02-20");
    assert_eq!(market.twob(&buyer, "012026"), Err("RET2B1016".into()));
    market.on("2026-03-14");
    let statement = market.twob(&buyer, "022026").unwrap();
    assert_eq!(numbers(&statement, "docdata", "b2b"), ["A1"]);
    assert_eq!(statement["data"]["docdata"]["b2b"][0]["supprd"], "012026");
}

#[test]
fn a_statement_asked_for_late_is_that_of_its_day() {
    let market = Market::new("2026-02-11");
    let buyer = market.party("29");
    let invoices = ["A1", "A2"].map(|number| invoice(number, "05-01-2026", "29", json!({})));
    filed(&market, &buyer, &invoices, "2026-02-11");
    market.act(&buyer, "A1", "R", json!({}));
    market.on("2026-02-16");
    market.act(&buyer, "A2", "R", json!({}));
    let statement = market.twob(&buyer, "012026").unwrap();
    assert_eq!(numbers(&statement, "docdata", "b2b"), ["A2"], "this was rejected after the 14th");
    assert_eq!(numbers(&statement, "docRejdata", "b2b"), ["A1"]);
    assert_eq!(statement["data"]["gendt"], "14-02-2026");
}

#[test]
fn rejecting_moves_a_document_out_of_the_credit_when_the_statement_is_made_again() {
    let market = Market::new("2026-02-11");
    let buyer = market.party("29");
    let invoices = ["A1", "A2"].map(|number| invoice(number, "05-01-2026", "29", json!({})));
    filed(&market, &buyer, &invoices, "2026-02-11");
    market.on("2026-02-14");
    let before = market.twob(&buyer, "012026").unwrap();
    assert_eq!(available(&before, "nonrevsup", "b2b"), 360);
    assert_eq!(market.make_again(&buyer, "012026"), Err("IMS2005".into()), "nothing was done");
    assert_eq!(market.act(&buyer, "A1", "R", json!({}))["status_cd"], "P");
    market.on("2026-02-15");
    assert_eq!(market.twob(&buyer, "012026").unwrap(), before, "a statement stands until it is made again");
    assert_eq!(market.make_again(&buyer, "012026"), Ok(json!("P")));
    let after = market.twob(&buyer, "012026").unwrap();
    assert_matches("gstr2b_v4", &after);
    assert_eq!(available(&after, "nonrevsup", "b2b"), 180);
    assert_eq!(after["data"]["itcsumm"]["itcRejected"]["nonrevsup"]["b2b"]["igst"], 180);
    assert_eq!(numbers(&after, "docRejdata", "b2b"), ["A1"]);
    assert_eq!(after["data"]["docRejdata"]["b2b"][0]["inv"][0]["imsStatus"], "R");
    assert_eq!(after["data"]["cpSummRej"]["b2b"][0]["ttldocs"], 1);
    assert_eq!(after["data"]["gendt"], "15-02-2026");
    assert_ne!(after["chksum"], before["chksum"]);
    let older = market.get(&buyer, "v2.0", "gstr2b", "action=GET2B&rtnprd=012026").unwrap();
    assert_matches("gstr2b_v2", &older);
    assert_eq!(numbers(&older, "docdata", "b2b"), ["A2"]);
}

#[test]
fn a_pending_document_waits_for_the_next_statement() {
    let market = Market::new("2026-02-11");
    let buyer = market.party("29");
    let invoices = ["A1", "A2"].map(|number| invoice(number, "05-01-2026", "29", json!({})));
    filed(&market, &buyer, &invoices, "2026-02-11");
    market.act(&buyer, "A1", "P", json!({}));
    market.on("2026-02-14");
    assert_eq!(numbers(&market.twob(&buyer, "012026").unwrap(), "docdata", "b2b"), ["A2"]);
    market.files_3b(&buyer, "012026", "2026-02-20");
    market.on("2026-02-21");
    let standing = market.ims(&buyer).unwrap();
    assert_eq!(standing["b2b"].as_array().unwrap().len(), 1, "what counted has left IMS");
    assert_eq!((&standing["b2b"][0]["inum"], &standing["b2b"][0]["action"]), (&json!("A1"), &json!("P")));
    market.act(&buyer, "A1", "A", json!({}));
    market.on("2026-03-14");
    assert_eq!(numbers(&market.twob(&buyer, "022026").unwrap(), "docdata", "b2b"), ["A1"]);
    assert_eq!(numbers(&market.twob(&buyer, "012026").unwrap(), "docdata", "b2b"), ["A2"]);
}

#[test]
fn a_supply_in_the_sellers_state_gives_no_credit_and_needs_no_action() {
    let market = Market::new("2026-02-11");
    let buyer = market.party("29");
    let here = invoice("A1", "05-01-2026", "27", inside_worth(1000));
    filed(&market, &buyer, &[here], "2026-02-11");
    assert_eq!(market.ims(&buyer), Err("RET13510".into()));
    market.on("2026-02-14");
    let statement = market.twob(&buyer, "012026").unwrap();
    assert_matches("gstr2b_v4", &statement);
    let row = &statement["data"]["docdata"]["b2b"][0]["inv"][0];
    assert_eq!((&row["itcavl"], &row["rsn"]), (&json!("N"), &json!("P")));
    assert_eq!(statement["data"]["itcsumm"]["itcunavl"]["nonrevsup"]["b2b"]["cgst"], 90);
    assert_eq!(statement["data"]["itcsumm"]["itcavl"]["nonrevsup"]["cgst"], 0);
}

#[test]
fn a_document_reported_after_november_of_the_next_year_gives_no_credit() {
    let market = Market::new("2026-02-11");
    let buyer = market.party("29");
    let old = invoice("A1", "31-03-2025", "29", json!({}));
    filed(&market, &buyer, &[old, invoice("A2", "01-04-2025", "29", json!({}))], "2026-02-11");
    market.on("2026-02-14");
    let statement = market.twob(&buyer, "012026").unwrap();
    let rows = statement["data"]["docdata"]["b2b"][0]["inv"].as_array().unwrap();
    let reasons: Vec<_> = rows.iter().map(|row| (&row["inum"], &row["itcavl"], &row["rsn"])).collect();
    assert_eq!(reasons, [(&json!("A1"), &json!("N"), &json!("C")), (&json!("A2"), &json!("Y"), &json!(""))]);
}

#[test]
fn notes_and_reverse_charge_have_their_own_groups_and_everything_adds_up() {
    let market = Market::new("2026-02-11");
    let (seller, buyer) = (market.party("27"), market.party("29"));
    let reverse = json!({"rchrg": "Y"});
    market.save(&seller, "012026", json!({
        "b2b": [{"ctin": buyer.gstin, "inv": [invoice("A1", "05-01-2026", "29", json!({})),
            invoice("A2", "05-01-2026", "29", reverse.clone())]}],
        "cdnr": [{"ctin": buyer.gstin, "nt": [note("C1", "06-01-2026", "29", "C", worth(100)),
            note("C2", "06-01-2026", "29", "C", reverse), note("D1", "06-01-2026", "29", "D", worth(200))]}],
    }));
    market.file(&seller, "012026");
    market.on("2026-02-14");
    let statement = market.twob(&buyer, "012026").unwrap();
    assert_matches("gstr2b_v4", &statement);
    let expected = [
        ("nonrevsup", "b2b", 180),
        ("nonrevsup", "cdnr", 36),
        ("revsup", "b2b", 180),
        ("othersup", "cdnr", 18),
        ("othersup", "cdnrrev", 180),
    ];
    for (group, part, igst) in expected {
        assert_eq!(available(&statement, group, part), igst, "{group} {part}");
    }
    for group in ["nonrevsup", "revsup", "othersup", "isdsup", "imports"] {
        let group = &statement["data"]["itcsumm"]["itcavl"][group];
        let parts = group.as_object().unwrap().values().filter(|part| part.is_object());
        let sum: i64 = parts.map(|part| part["igst"].as_i64().unwrap()).sum();
        assert_eq!(group["igst"], sum);
    }
    let by_kind: Vec<_> = statement["data"]["cpsumm"]["cdnr"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| {
            (
                line["nttyp"].as_str().unwrap(),
                line["ttldocs"].as_u64().unwrap(),
                line["igst"].as_i64().unwrap(),
            )
        })
        .collect();
    assert_eq!(by_kind, [("C", 2, 198), ("D", 1, 36)]);
    assert!(market.ims(&buyer).unwrap()["b2b"].as_array().unwrap().iter().all(|row| row["inum"] != "A2"));
}

#[test]
fn an_amendment_counts_the_change_it_makes() {
    let market = Market::new("2026-02-11");
    let buyer = market.party("29");
    let seller = filed(&market, &buyer, &[invoice("A1", "05-01-2026", "29", json!({}))], "2026-02-11");
    market.files_3b(&seller, "012026", "2026-02-20");
    market.files_3b(&buyer, "012026", "2026-02-20");
    market.on("2026-03-11");
    let mut more = worth(1500);
    more["oinum"] = json!("A1");
    more["oidt"] = json!("05-01-2026");
    let amended = invoice("A1", "05-01-2026", "29", more);
    market.save(
        &seller,
        "022026",
        json!({"b2ba": [{"ctin": buyer.gstin, "inv": [amended]}],
        "b2b": [{"ctin": buyer.gstin, "inv": [invoice("A2", "05-02-2026", "29", json!({}))]}]}),
    );
    market.file(&seller, "022026");
    market.on("2026-03-14");
    let statement = market.twob(&buyer, "022026").unwrap();
    assert_matches("gstr2b_v4", &statement);
    assert_eq!(
        statement["data"]["docdata"]["b2ba"][0]["inv"][0]["igst"], 270,
        "the row is the whole document"
    );
    assert_eq!(available(&statement, "nonrevsup", "b2ba"), 90);
}

#[test]
fn an_amendment_of_a_rejected_invoice_counts_whole() {
    let market = Market::new("2026-02-11");
    let buyer = market.party("29");
    let seller = filed(&market, &buyer, &[invoice("A1", "05-01-2026", "29", json!({}))], "2026-02-11");
    market.act(&buyer, "A1", "R", json!({}));
    market.files_3b(&seller, "012026", "2026-02-20");
    market.files_3b(&buyer, "012026", "2026-02-20");
    market.on("2026-03-11");
    let amended = invoice("A1", "05-01-2026", "29", json!({"oinum": "A1", "oidt": "05-01-2026"}));
    market.save(
        &seller,
        "022026",
        json!({"b2ba": [{"ctin": buyer.gstin, "inv": [amended]}],
        "b2b": [{"ctin": buyer.gstin, "inv": [invoice("A2", "05-02-2026", "29", json!({}))]}]}),
    );
    market.file(&seller, "022026");
    market.on("2026-03-14");
    assert_eq!(available(&market.twob(&buyer, "022026").unwrap(), "nonrevsup", "b2ba"), 180);
}

#[test]
fn a_large_statement_comes_in_parts() {
    let market = Market::of(World::with(|config| config.twob_part_documents = 2), "2026-02-11");
    let buyer = market.party("29");
    let all = ["A1", "A2", "A3", "A4", "A5"].map(|number| invoice(number, "05-01-2026", "29", json!({})));
    filed(&market, &buyer, &all, "2026-02-11");
    market.act(&buyer, "A2", "R", json!({}));
    market.on("2026-02-14");
    let first = market.twob(&buyer, "012026").unwrap();
    assert_matches("gstr2b_v4", &first);
    assert_eq!((&first["data"]["fc"], &first["data"]["docdata"]), (&json!(3), &Value::Null));
    assert_eq!(available(&first, "nonrevsup", "b2b"), 720);
    let part = |number: &str| {
        market.get(&buyer, "v4.2", "gstr2b", &format!("action=GET2B&rtnprd=012026&file_num={number}"))
    };
    let parts: Vec<Value> = ["1", "2", "3"].iter().map(|number| part(number).unwrap()).collect();
    parts.iter().for_each(|part| assert_matches("gstr2b_v4", part));
    let found: Vec<_> = parts.iter().flat_map(|part| numbers(part, "docdata", "b2b")).collect();
    assert_eq!(found, ["A1", "A3", "A4", "A5"]);
    assert_eq!(numbers(&parts[2], "docRejdata", "b2b"), ["A2"]);
    assert_eq!(part("4"), Err("RET2B1016".into()));
    assert_eq!(part("x"), Err("RET11403".into()));
    let older = market.get(&buyer, "v3.0", "gstr2b", "action=GET2B&rtnprd=012026").unwrap();
    assert_matches("gstr2b_v2", &older);
    assert_eq!(older["data"]["fc"], 2, "rejected documents are no part of older versions");
}

#[test]
fn a_buyer_who_does_not_file_has_no_next_statement() {
    let market = Market::new("2026-02-11");
    let buyer = market.party("29");
    let seller = filed(&market, &buyer, &[invoice("A1", "05-01-2026", "29", json!({}))], "2026-02-11");
    market.files_3b(&seller, "012026", "2026-02-20");
    market.on("2026-03-11");
    market.save(&seller, "022026", b2b(&buyer, &[invoice("A2", "05-02-2026", "29", json!({}))]));
    market.file(&seller, "022026");
    market.on("2026-03-14");
    assert_eq!(market.twob(&buyer, "022026"), Err("GTR2B-002".into()));
    assert_eq!(market.make_again(&buyer, "022026"), Err("GTR2B-002".into()));
    market.files_3b(&buyer, "012026", "2026-03-16");
    market.on("2026-03-17");
    assert_eq!(
        market.twob(&buyer, "022026"),
        Err("GTR2B-002".into()),
        "it was not in time: it is to be made"
    );
    assert_eq!(market.make_again(&buyer, "022026"), Ok(json!("P")));
    let statement = market.twob(&buyer, "022026").unwrap();
    assert_eq!(numbers(&statement, "docdata", "b2b"), ["A2"]);
    assert_eq!(statement["data"]["gendt"], "17-03-2026");
}

#[test]
fn a_statement_is_not_made_again_once_gstr3b_is_filed() {
    let market = Market::new("2026-02-11");
    let buyer = market.party("29");
    filed(&market, &buyer, &[invoice("A1", "05-01-2026", "29", json!({}))], "2026-02-11");
    assert_eq!(market.make_again(&buyer, "012026"), Err("IMS2B007".into()), "it is not the 14th yet");
    market.on("2026-02-14");
    market.act(&buyer, "A1", "R", json!({}));
    market.files_3b(&buyer, "012026", "2026-02-20");
    assert_eq!(market.make_again(&buyer, "012026"), Err("IMS2B007".into()));
    assert_eq!(market.make_again(&buyer, "nonsense"), Err("IMS2B007".into()));
    assert_eq!(market.ims(&buyer), Err("RET13510".into()), "and IMS is empty");
}

#[test]
fn a_quarterly_filer_has_one_statement_a_quarter() {
    let market = Market::new("2026-02-11");
    let buyer = market.world.taxpayer(&json!({"state": "29", "filing": "quarterly"}));
    let seller = filed(&market, &buyer, &[invoice("A1", "05-01-2026", "29", json!({}))], "2026-02-11");
    market.files_3b(&seller, "012026", "2026-02-20");
    market.on("2026-03-11");
    market.save(&seller, "022026", b2b(&buyer, &[invoice("A2", "05-02-2026", "29", json!({}))]));
    market.file(&seller, "022026");
    market.on("2026-03-14");
    assert_eq!(market.twob(&buyer, "012026"), Err("GTR2B-001".into()));
    assert_eq!(market.twob(&buyer, "022026"), Err("GTR2B-001".into()));
    market.on("2026-04-14");
    assert_eq!(numbers(&market.twob(&buyer, "032026").unwrap(), "docdata", "b2b"), ["A1", "A2"]);
}

#[test]
fn those_who_claim_no_credit_have_no_statement() {
    let market = Market::new("2026-02-14");
    for scheme in ["composition", "isd", "non_resident"] {
        let party = market.world.taxpayer(&json!({"state": "29", "scheme": scheme}));
        assert_eq!(market.twob(&party, "012026"), Err("RET2B1016".into()), "{scheme}");
    }
    let party = market.party("29");
    assert_eq!(market.twob(&party, "012026"), Err("RET2B1016".into()), "there is nothing in it");
    assert_eq!(market.twob(&party, "072020"), Err("RET2B1016".into()), "there was no GSTR-2B");
}

#[test]
fn a_correction_by_gstr1a_is_in_ims_now_and_in_the_next_statement() {
    let market = Market::new("2026-02-11");
    let buyer = market.party("29");
    let seller = filed(&market, &buyer, &[invoice("A1", "05-01-2026", "29", json!({}))], "2026-02-11");
    market.on("2026-02-15");
    let mut more = worth(1500);
    more["oinum"] = json!("A1");
    more["oidt"] = json!("05-01-2026");
    let amended = json!({"b2ba": [{"ctin": buyer.gstin, "inv": [invoice("A1", "05-01-2026", "29", more)]}]});
    market.save_as(&seller, "gstr1a", "R1ARETSAVE", "012026", amended);
    let saved = market.ims(&buyer).unwrap();
    assert_eq!(
        (&saved["b2ba"][0]["srcform"], &saved["b2ba"][0]["srcfilstatus"]),
        (&json!("R1A"), &json!("Not Filed"))
    );
    market.file_1a(&seller, "012026");
    assert_eq!(market.ims(&buyer).unwrap()["b2ba"][0]["srcfilstatus"], "Filed");
    assert!(numbers(&market.twob(&buyer, "012026").unwrap(), "docdata", "b2ba").is_empty());
    market.files_3b(&buyer, "012026", "2026-02-20");
    market.on("2026-03-14");
    let next = market.twob(&buyer, "022026").unwrap();
    assert_eq!(numbers(&next, "docdata", "b2ba"), ["A1"]);
    assert_eq!(available(&next, "nonrevsup", "b2ba"), 90);
}

/// A quarterly filer's IFF counts until the 13th (advisory on GSTR-2B of 18.10.21).
#[test]
fn an_iff_of_the_13th_is_in_the_statement_of_the_14th() {
    let market = Market::new("2026-02-13");
    let buyer = market.party("29");
    let seller = market.world.taxpayer(&json!({"state": "27", "filing": "quarterly"}));
    market.save(&seller, "012026", b2b(&buyer, &[invoice("A1", "05-01-2026", "29", json!({}))]));
    market.file_bare(&seller, "012026");
    assert_eq!(market.ims(&buyer).unwrap()["b2b"][0]["srcform"], "IFF");
    market.on("2026-02-14");
    assert_eq!(numbers(&market.twob(&buyer, "012026").unwrap(), "docdata", "b2b"), ["A1"]);
}

#[test]
fn an_extended_due_date_moves_the_statement() {
    let market = Market::new("2026-02-15");
    let buyer = market.party("29");
    market.change("INSERT INTO due_date_extensions VALUES ('R1', '012026', '2026-02-16')", &[]);
    filed(&market, &buyer, &[invoice("A1", "05-01-2026", "29", json!({}))], "2026-02-16");
    assert_eq!(market.twob(&buyer, "012026"), Err("RET2B1018".into()));
    market.on("2026-02-17");
    let statement = market.twob(&buyer, "012026").unwrap();
    assert_eq!(
        (numbers(&statement, "docdata", "b2b"), &statement["data"]["gendt"]),
        (vec!["A1".to_owned()], &json!("17-02-2026"))
    );
}

/// GSTR-2B waits for GSTR-3B since IMS, not before.
#[test]
fn before_ims_a_statement_waited_for_no_return() {
    for (period, next, day, code) in [
        ("072024", "082024", "2024-09-14", Ok(())),
        ("092024", "102024", "2024-11-14", Err("GTR2B-002".to_owned())),
    ] {
        let market = Market::new("2024-08-20");
        let (seller, buyer) = (market.party("27"), market.party("29"));
        for (month, on) in [(period, 0), (next, 1)] {
            let (number, year) = month.split_at(2);
            let following: u32 = number.parse::<u32>().unwrap() + 1;
            market.on(&format!("{year}-{following:02}-11"));
            let dated = format!("05-{number}-{year}");
            market.save(&seller, month, b2b(&buyer, &[invoice(&format!("A{on}"), &dated, "29", json!({}))]));
            market.file_bare(&seller, month);
            market.files_3b(&seller, month, &format!("{year}-{following:02}-20"));
        }
        market.on(day);
        assert_eq!(market.twob(&buyer, next).map(|_| ()), code, "{next}");
    }
}
