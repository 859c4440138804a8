//! Typed calls, and calls by name, answered by the simulated GSTN through a real gateway.

use std::sync::Arc;

use serde_json::{Value, json};
use suvidha_client::{
    Date, Error, FinancialYear, Gsp, Patience, RegistrationStatus, Rupees, SummaryKind, Taxpayer,
};
use suvidha_seam::ManualClock;
use suvidha_testkit::World;

use crate::gsp;

const OTP: &str = "575757";

/// A world in November 2026, and a taxpayer of it who is logged in.
async fn logged_in(new: Value) -> (World, Gsp, Taxpayer) {
    let world = World::at(Arc::new(ManualClock::at("2026-11-05T06:30:00Z".parse().unwrap()))).await.unwrap();
    let made = world.gstn.create_taxpayer(serde_json::from_value(new).unwrap()).await.unwrap();
    let gsp = gsp(&world);
    let taxpayer = gsp.taxpayer(made.gstin, made.username);
    taxpayer.request_otp().await.unwrap().verify(OTP).await.unwrap();
    (world, gsp, taxpayer)
}

#[tokio::test]
async fn the_register_knows_who_holds_a_gstin() {
    let new = json!({"state": "33", "legal_name": "Sample Traders", "registered_on": "2019-08-01", "status": "Cancelled"});
    let (_world, gsp, taxpayer) = logged_in(new).await;
    let found = gsp.search(taxpayer.gstin()).await.unwrap();
    assert_eq!(
        (found.gstin.as_str(), found.legal_name.as_str()),
        (taxpayer.gstin().as_str(), "Sample Traders")
    );
    assert_eq!(found.status, RegistrationStatus::Cancelled);
    assert_eq!(found.registered_on, Some(Date::constant(2019, 8, 1)));
    assert!(found.cancelled_on.is_some() && found.einvoice == Some(false));
    assert_eq!(found.principal_place.unwrap().address.state, "Tamil Nadu");
    let stranger = gsp.search(&"27AAPFU0939F1ZV".parse().unwrap()).await.unwrap_err();
    assert!(matches!(stranger, Error::NoDocuments(_)), "{stranger:?}");
}

#[tokio::test]
async fn a_nil_return_is_filed_and_then_seen_by_everyone() {
    let (_world, gsp, taxpayer) = logged_in(json!({})).await;
    let (period, year): (_, FinancialYear) = ("102026".parse().unwrap(), "2026-27".parse().unwrap());
    let nothing_yet = taxpayer.track_returns(period, Some("R1")).await.unwrap_err();
    assert!(matches!(nothing_yet, Error::NoDocuments(_)), "{nothing_yet:?}");
    let nothing_yet = gsp.track_returns(taxpayer.gstin(), year, None).await.unwrap_err();
    assert!(matches!(nothing_yet, Error::NoDocuments(_)), "{nothing_yet:?}");

    let gstr1 = taxpayer.gstr1(period);
    let reference_id = gstr1.new_proceed_to_file(true).await.unwrap();
    taxpayer.wait_for(period, &reference_id, Patience::default(), |_| ()).await.unwrap();
    let (summary, pan) = (gstr1.summary(SummaryKind::Short).await.unwrap(), taxpayer.gstin().pan().unwrap());
    gstr1.request_evc_otp(&pan).await.unwrap();
    let arn = gstr1.file_with_evc(&summary, &pan, OTP).await.unwrap();

    let own = taxpayer.track_returns(period, Some("R1")).await.unwrap();
    let public = gsp.track_returns(taxpayer.gstin(), year, None).await.unwrap();
    for filed in [&own.returns[0], &public.returns[0]] {
        assert_eq!((filed.form.as_str(), &filed.arn, filed.period), ("GSTR1", &arn, Some(period)));
        assert_eq!((filed.filed_on, filed.valid), (Some(Date::constant(2026, 11, 5)), Some(true)));
    }
}

#[tokio::test]
async fn the_summary_adds_up_what_was_saved() {
    let (_world, _, taxpayer) = logged_in(json!({"state": "29"})).await;
    let gstr1 = taxpayer.gstr1("102026".parse().unwrap());
    let invoice = |number: &str, taxable: f64, tax: f64| {
        json!({"inum": number, "idt": "05-10-2026", "val": taxable + tax, "pos": "27", "rchrg": "N", "inv_typ": "R",
            "itms": [{"num": 1, "itm_det": {"rt": 18, "txval": taxable, "iamt": tax, "csamt": 0}}]})
    };
    let invoices = [invoice("S/1", 1000.0, 180.0), invoice("S/2", 0.5, 0.09)];
    let payload = json!({"gstin": taxpayer.gstin().as_str(), "fp": "102026", "b2b": [{"ctin": "27AAPFU0939F1ZV", "inv": invoices}]});
    let status =
        gstr1.wait(&gstr1.save(payload.to_string()).await.unwrap(), Patience::default()).await.unwrap();
    assert!(status.refused.is_empty(), "{:?}", status.raw);
    let sections = gstr1.summary(SummaryKind::Long).await.unwrap().sections().unwrap();
    let b2b = sections.iter().find(|section| section.name == "B2B").unwrap();
    assert_eq!(
        (b2b.records, b2b.taxable, b2b.tax()),
        (2, Rupees::from_paise(100_050), Rupees::from_paise(18_009))
    );
    assert_eq!((&*b2b.counterparties[0].counterparty, b2b.counterparties[0].records), ("27AAPFU0939F1ZV", 2));
    assert_eq!(sections.last().unwrap().tax(), b2b.tax());
}

#[tokio::test]
async fn the_balance_of_the_ledgers_is_what_was_put_into_them() {
    let (_world, _, taxpayer) = logged_in(json!({"balances": {
        "cash": {"igst": {"tx": 100.5, "intr": 0.25}, "cess": {"fee": 1}},
        "credit": {"cgst": 7_000_000_000.07}, "blocked_credit": {"cgst": 0.1}}}))
    .await;
    let period = "102026".parse().unwrap();
    let balance = taxpayer.ledger_balance(period).await.unwrap();
    let rupees = |text: &str| text.parse::<Rupees>().unwrap();
    assert_eq!((balance.cash.igst.total(), balance.cash.igst_total), (rupees("100.75"), rupees("100.75")));
    assert_eq!((balance.cash.cess.fee, balance.cash.sgst.total()), (rupees("1"), Rupees::ZERO));
    assert_eq!(balance.credit.cgst - balance.blocked_credit.cgst, rupees("6999999999.97"));
    let by_name = taxpayer.call_raw("ledgers", "BAL", json!({"ret_period": "102026"})).await.unwrap();
    assert_eq!(by_name, balance.raw);
}

#[tokio::test]
async fn an_api_called_by_name_reaches_gstn_and_comes_back_with_gstns_word() {
    let (_world, gsp, taxpayer) = logged_in(json!({})).await;
    let gstin = taxpayer.gstin().as_str();
    let found = gsp.call_raw("commonapi/search", "TP", json!({"gstin": gstin})).await.unwrap();
    assert_eq!(found["gstin"], gstin);

    let reset = json!({"gstin": gstin, "ret_period": "102026"});
    let started = taxpayer.call_raw("returns/gstr1", "RESET", reset).await.unwrap();
    let reference_id = started["reference_id"].as_str().unwrap();
    let period = "102026".parse().unwrap();
    let status = taxpayer.wait_for(period, reference_id, Patience::default(), |_| ()).await.unwrap();
    assert_eq!(status.action.as_deref(), Some("RESET"));

    // The simulated GSTN knows the API and does not have it: the call itself was right.
    let missing =
        taxpayer.call_raw("returns/itc04", "GET", json!({"ret_period": "102026"})).await.unwrap_err();
    assert_eq!(missing.code(), Some("SBX501"), "{missing:?}");
}
