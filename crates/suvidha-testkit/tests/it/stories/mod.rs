//! What one taxpayer does, and what all others see of it: through the SDK, the gateway and the simulated GSTN.

mod market;
mod typed_month;

use serde_json::{Value, json};
use suvidha_client::ApiCall;

use market::{FEBRUARY, JANUARY, Market, Party, b2b, invoice, numbers};

/// A seller in Maharashtra and a buyer in Karnataka; the seller has credit to pay with.
async fn trade(day: &str) -> (Market, Party, Party) {
    let market = Market::on(day).await;
    let seller = market.party(json!({"state": "27", "balances": {"credit": {"igst": 10_000}}})).await;
    let buyer = market.party(json!({"state": "29"})).await;
    (market, seller, buyer)
}

fn cfs(twoa: &Result<Value, String>) -> Option<String> {
    twoa.as_ref().ok()?["b2b"][0]["cfs"].as_str().map(str::to_owned)
}

#[tokio::test]
async fn what_a_seller_saves_the_buyer_sees_and_what_it_deletes_is_gone() {
    let (_market, seller, buyer) = trade("2026-02-05").await;
    seller.save(JANUARY, b2b(&buyer, &[invoice("A1", "05-01-2026", "29")])).await;
    assert_eq!(cfs(&buyer.twoa(JANUARY).await).as_deref(), Some("N"));
    let (_, row) = buyer.record("A1").await.unwrap();
    assert_eq!((&row["action"], &row["srcfilstatus"]), (&json!("N"), &json!("Not Filed")));

    let deletion = json!({"flag": "D", "inum": "A1", "idt": "05-01-2026"});
    seller.save(JANUARY, b2b(&buyer, &[deletion])).await;
    assert_eq!(buyer.twoa(JANUARY).await, Err("RET13510".into()));
    assert!(buyer.record("A1").await.is_none());
}

#[tokio::test]
async fn a_return_of_the_11th_is_in_this_statement_and_one_of_the_12th_in_the_next() {
    let (market, early, buyer) = trade("2026-02-11").await;
    let late = market.party(json!({"state": "27"})).await;
    early.save(JANUARY, b2b(&buyer, &[invoice("E1", "05-01-2026", "29")])).await;
    late.save(JANUARY, b2b(&buyer, &[invoice("L1", "05-01-2026", "29")])).await;
    assert!(early.drawn(JANUARY).await["sup_details"].is_null(), "nothing is drawn from what is not filed");
    early.file_gstr1(JANUARY).await.unwrap();
    let drawn = early.drawn(JANUARY).await;
    assert_eq!(drawn["sup_details"]["osup_3_1a"]["subtotal"]["iamt"], 180);
    assert_eq!(buyer.record("E1").await.unwrap().1["srcfilstatus"], "Filed");
    assert_eq!(buyer.twob(JANUARY).await, Err("RET2B1018".into()), "it is not made yet");

    market.day("2026-02-12").await;
    late.file_gstr1(JANUARY).await.unwrap();
    market.day("2026-02-14").await;
    let statement = buyer.twob(JANUARY).await.unwrap();
    assert_eq!(numbers(&statement["docdata"]["b2b"]), ["E1"]);
    assert_eq!(statement["itcsumm"]["itcavl"]["nonrevsup"]["igst"], 180);
    let twoa = buyer.twoa(JANUARY).await.unwrap();
    assert!(twoa["b2b"].as_array().unwrap().iter().all(|supplier| supplier["cfs"] == "Y"), "{twoa}");
    buyer.file_gstr3b(JANUARY).await.unwrap_err();
    buyer.file_nil_gstr1(JANUARY).await;
    buyer.file_gstr3b(JANUARY).await.unwrap();
    market.day("2026-03-14").await;
    assert_eq!(numbers(&buyer.twob(FEBRUARY).await.unwrap()["docdata"]["b2b"]), ["L1"]);
}

#[tokio::test]
async fn what_a_buyer_rejects_or_keeps_pending_is_no_credit() {
    let (market, seller, buyer) = trade("2026-02-11").await;
    let invoices = ["A1", "A2", "A3"].map(|number| invoice(number, "05-01-2026", "29"));
    seller.save(JANUARY, b2b(&buyer, &invoices)).await;
    seller.file_gstr1(JANUARY).await.unwrap();
    market.day("2026-02-14").await;
    assert_eq!(buyer.drawn(JANUARY).await["elgitc"]["itc4a5"]["subtotal"]["iamt"], 540);
    assert_eq!(buyer.again(JANUARY).await, Err("IMS2005".into()), "nothing has changed");
    buyer.file_nil_gstr1(JANUARY).await;
    buyer.act("A2", "R").await;
    buyer.act("A3", "P").await;
    assert_eq!(
        buyer.file_gstr3b(JANUARY).await,
        Err("RET2B1023".into()),
        "GSTR-2B is older than the actions"
    );
    buyer.again(JANUARY).await.unwrap();
    let statement = buyer.twob(JANUARY).await.unwrap();
    assert_eq!(numbers(&statement["docdata"]["b2b"]), ["A1"]);
    assert_eq!(numbers(&statement["docRejdata"]["b2b"]), ["A2"]);
    assert_eq!(buyer.drawn(JANUARY).await["elgitc"]["itc4a5"]["subtotal"]["iamt"], 180);

    buyer.file_gstr3b(JANUARY).await.unwrap();
    assert!(buyer.record("A1").await.is_none() && buyer.record("A2").await.is_none(), "done with");
    assert_eq!(buyer.record("A3").await.unwrap().1["action"], "P");
    assert_eq!(buyer.again(JANUARY).await, Err("IMS2B007".into()));
    market.day("2026-03-05").await;
    buyer.act("A3", "A").await;
    market.day("2026-03-14").await;
    assert_eq!(numbers(&buyer.twob(FEBRUARY).await.unwrap()["docdata"]["b2b"]), ["A3"]);
}

#[tokio::test]
async fn a_supply_in_the_sellers_own_state_is_no_credit_elsewhere() {
    let (market, seller, buyer) = trade("2026-02-11").await;
    let mut local = invoice("A1", "05-01-2026", "27");
    local["itms"][0]["itm_det"] = json!({"rt": 18, "txval": 1000, "camt": 90, "samt": 90, "csamt": 0});
    seller.save(JANUARY, b2b(&buyer, &[local])).await;
    seller.file_gstr1(JANUARY).await.unwrap();
    market.day("2026-02-14").await;
    let statement = buyer.twob(JANUARY).await.unwrap();
    let row = &statement["docdata"]["b2b"][0]["inv"][0];
    assert_eq!((&row["itcavl"], &row["rsn"]), (&json!("N"), &json!("P")));
    assert!(buyer.record("A1").await.is_none(), "there is nothing to decide");
    let drawn = buyer.drawn(JANUARY).await;
    assert_eq!(drawn["elgitc"]["itc4d2"]["subtotal"]["camt"], 90, "{}", drawn["elgitc"]);
}

#[tokio::test]
async fn a_rejected_credit_note_is_back_on_its_seller() {
    let (market, seller, buyer) = trade("2026-02-11").await;
    let mut sections = b2b(&buyer, &[invoice("A1", "05-01-2026", "29")]);
    sections["cdnr"] = json!([{"ctin": buyer.gstin(), "nt": [{
        "nt_num": "C1", "nt_dt": "06-01-2026", "ntty": "C", "val": 472, "pos": "29", "rchrg": "N", "inv_typ": "R",
        "itms": [{"num": 1, "itm_det": {"rt": 18, "txval": 400, "iamt": 72, "csamt": 0}}],
    }]}]);
    seller.save(JANUARY, sections).await;
    seller.file_gstr1(JANUARY).await.unwrap();
    assert_eq!(seller.drawn(JANUARY).await["sup_details"]["osup_3_1a"]["subtotal"]["iamt"], 108);
    buyer.act("C1", "R").await;
    market.day("2026-02-14").await;
    buyer.twob(JANUARY).await.unwrap();
    seller.file_gstr3b(JANUARY).await.unwrap();
    market.day("2026-03-10").await;
    seller.save(FEBRUARY, b2b(&buyer, &[invoice("A2", "05-02-2026", "29")])).await;
    seller.file_gstr1(FEBRUARY).await.unwrap();
    let drawn = seller.drawn(FEBRUARY).await;
    assert_eq!(drawn["sup_details"]["osup_3_1a"]["subtotal"]["iamt"], 180 + 72, "{drawn}");
}

#[tokio::test]
async fn gstr3b_lets_the_next_return_and_the_next_statement_go() {
    let (market, seller, buyer) = trade("2026-02-11").await;
    for party in [&seller, &buyer] {
        let other = if party.gstin() == seller.gstin() { &buyer } else { &seller };
        let pos = &other.gstin()[..2];
        party.save(JANUARY, b2b(other, &[invoice("A1", "05-01-2026", pos)])).await;
        party.file_gstr1(JANUARY).await.unwrap();
    }
    market.day("2026-03-11").await;
    for (party, number) in [(&seller, "B1"), (&buyer, "C1")] {
        let other = if party.gstin() == seller.gstin() { &buyer } else { &seller };
        party.save(FEBRUARY, b2b(other, &[invoice(number, "05-02-2026", &other.gstin()[..2])])).await;
        assert_eq!(
            party.file_gstr1(FEBRUARY).await,
            Err("RET192409".into()),
            "GSTR-3B of January is missing"
        );
    }
    seller.file_gstr3b(JANUARY).await.unwrap();
    seller.file_as_it_is(FEBRUARY).await.unwrap();
    market.day("2026-03-14").await;
    assert_eq!(buyer.twob(FEBRUARY).await, Err("GTR2B-002".into()), "not without GSTR-3B of January");
    buyer.file_gstr3b(JANUARY).await.unwrap();
    buyer.again(FEBRUARY).await.unwrap();
    assert_eq!(numbers(&buyer.twob(FEBRUARY).await.unwrap()["docdata"]["b2b"]), ["B1"]);
}

#[tokio::test]
async fn credit_of_integrated_tax_goes_first_and_the_ledgers_agree() {
    let market = Market::on("2026-02-11").await;
    let credit = json!({"igst": 100, "cgst": 100, "sgst": 100});
    let seller = market.party(json!({"state": "27", "balances": {"credit": credit}})).await;
    let buyer = market.party(json!({"state": "27"})).await;
    let mut local = invoice("A1", "05-01-2026", "27");
    local["itms"][0]["itm_det"] = json!({"rt": 18, "txval": 1000, "camt": 90, "samt": 90, "csamt": 0});
    seller.save(JANUARY, b2b(&buyer, &[local])).await;
    seller.file_gstr1(JANUARY).await.unwrap();
    seller.save_gstr3b(JANUARY).await;
    let own = json!({"liab_ldg_id": seller.liability(JANUARY).await, "trans_typ": 30002});
    let with = |changes: Value| {
        let mut all = own.clone();
        all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        all
    };
    let central_first = with(json!({"c_pdc": 90, "s_pds": 90}));
    assert_eq!(seller.offset(JANUARY, json!([own]), central_first).await, Err("RT-3BAS1070".into()));
    let lawful = with(json!({"c_pdi": 80, "s_pdi": 20, "s_pds": 60}));
    let cash = json!([with(json!({"cpd": 10, "spd": 10}))]);
    assert_eq!(
        seller.offset(JANUARY, cash.clone(), lawful.clone()).await,
        Err("RT-3BAS1070".into()),
        "no cash"
    );

    let challan = json!({"amounts": {"cgst": {"tx": 10}, "sgst": {"tx": 10}}});
    let made = market.manage("POST", &format!("/taxpayers/{}/challans", seller.gstin()), challan).await;
    market.manage("POST", &format!("/challans/{}/pay", made["cpin"].as_str().unwrap()), json!({})).await;
    seller.offset(JANUARY, cash, lawful).await.unwrap();
    seller.file_saved_gstr3b(JANUARY).await.unwrap();
    let told = seller.0.ledger_balance(JANUARY.parse().unwrap()).await.unwrap();
    assert!(told.cash.cgst.total().is_zero() && told.cash.sgst.total().is_zero());
    assert_eq!(
        (told.credit.igst.paise(), told.credit.cgst.paise(), told.credit.sgst.paise()),
        (0, 10_000, 4_000)
    );
    let days = ("2017-07-01".parse().unwrap(), "2026-12-31".parse().unwrap());
    let (cash, credit) = (
        seller.0.cash_ledger(days.0, days.1).await.unwrap(),
        seller.0.credit_ledger(days.0, days.1).await.unwrap(),
    );
    assert_eq!(cash.closing.total.paise(), 0);
    assert_eq!(credit.closing.total.paise(), 14_000);
}

#[tokio::test]
async fn a_summary_of_before_a_change_files_nothing() {
    let (_market, seller, buyer) = trade("2026-02-11").await;
    seller.save(JANUARY, b2b(&buyer, &[invoice("A1", "05-01-2026", "29")])).await;
    seller.save(JANUARY, b2b(&buyer, &[invoice("A2", "05-01-2026", "29")])).await;
    let gstr1 = seller.0.gstr1(JANUARY.parse().unwrap());
    seller.file_as_it_is(JANUARY).await.unwrap_err();
    let pan = seller.0.gstin().pan().unwrap();
    let old = gstr1.summary(suvidha_client::SummaryKind::Short).await.unwrap();
    gstr1.request_evc_otp(&pan).await.unwrap();
    let error = gstr1.file_with_evc(&old, &pan, "575757").await.unwrap_err();
    assert_eq!(market::code(&error), "RET09001");
    assert!(seller.file_gstr1(JANUARY).await.is_ok());
}

#[tokio::test]
async fn a_correction_raises_this_months_liability_and_the_buyers_next_credit() {
    let (market, seller, buyer) = trade("2026-02-10").await;
    seller.save(JANUARY, b2b(&buyer, &[invoice("A1", "05-01-2026", "29")])).await;
    seller.file_gstr1(JANUARY).await.unwrap();
    market.day("2026-02-13").await;
    let correction = b2b(&buyer, &[invoice("A2", "06-01-2026", "29")]);
    seller.save_form("returns/gstr1a", "R1ARETSAVE", JANUARY, correction).await;
    let own = json!({"gstin": seller.gstin(), "ret_period": JANUARY});
    seller.job("returns/gstr1a", "R1ARETNEWPTF", JANUARY, own).await.unwrap();
    let pan = seller.0.gstin().pan().unwrap();
    let ask = ApiCall::get("taxpayerapi/v1.0/authenticate", "EVCOTP").query("pan", pan.as_str());
    seller.0.call(ask.query("form_type", "R1A")).await.unwrap();
    let read = ApiCall::get("taxpayerapi/v1.1/returns/gstr1a", "RETSUM").ret_period(JANUARY.parse().unwrap());
    let summary = seller.0.call_text(read).await.unwrap();
    let file =
        ApiCall::post("taxpayerapi/v1.1/returns/gstr1a", "RETFILER1A").ret_period(JANUARY.parse().unwrap());
    seller.0.call(file.payload_text(summary).sign_with_evc(&pan, "575757")).await.unwrap();

    assert_eq!(seller.drawn(JANUARY).await["sup_details"]["osup_3_1a"]["subtotal"]["iamt"], 360);
    assert_eq!(buyer.record("A2").await.unwrap().1["srcform"], "R1A", "in IMS at once");
    market.day("2026-02-14").await;
    assert_eq!(numbers(&buyer.twob(JANUARY).await.unwrap()["docdata"]["b2b"]), ["A1"]);
    buyer.file_nil_gstr1(JANUARY).await;
    buyer.file_gstr3b(JANUARY).await.unwrap();
    market.day("2026-03-14").await;
    assert_eq!(numbers(&buyer.twob(FEBRUARY).await.unwrap()["docdata"]["b2b"]), ["A2"]);
}

#[tokio::test]
async fn an_extended_due_date_brings_a_later_return_into_the_statement() {
    let (market, seller, buyer) = trade("2026-02-15").await;
    let extension = json!({"form": "R1", "period": JANUARY, "due": "2026-02-15"});
    market.manage("PUT", "/due-dates", extension.clone()).await;
    assert_eq!(market.manage("GET", "/due-dates", json!({})).await, json!({ "due_dates": [extension] }));
    seller.save(JANUARY, b2b(&buyer, &[invoice("A1", "05-01-2026", "29")])).await;
    seller.file_gstr1(JANUARY).await.unwrap();
    assert_eq!(buyer.twob(JANUARY).await, Err("RET2B1018".into()), "the 14th has moved with it");
    market.day("2026-02-18").await;
    assert_eq!(numbers(&buyer.twob(JANUARY).await.unwrap()["docdata"]["b2b"]), ["A1"]);
}
