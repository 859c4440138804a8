//! A month of a seller and a buyer in the SDK's typed calls alone: GSTR-1, GSTR-2A, IMS, GSTR-2B, GSTR-1A, GSTR-3B and the
//! ledgers.

use std::time::Duration;

use serde_json::json;
use suvidha_client::{
    Date, Dsc, Error, Filing, Gstr2aFilter, Gstr2aSection, ImsAction, ImsGoods, ImsSection, LiabilityKind,
    NoStatement, Note, Patience, Progress, Quarter, Rupees, Side, SummaryKind, SuppliedForm,
};

use super::market::{FEBRUARY, JANUARY, Market, Party, b2b, invoice};

fn quick() -> Patience {
    let pause = Duration::from_millis(5);
    Patience { first_pause: pause, longest_pause: pause, total: Duration::from_secs(30) }
}

fn rupees(rupees: i64) -> Rupees {
    Rupees::from_paise(rupees * 100)
}

/// A seller with an invoice of 1000 and one of the same less a credit note, both at 18 %; and a buyer.
async fn seller_and_buyer() -> (Market, Party, Party) {
    let market = Market::on("2026-02-10").await;
    let seller = market.party(json!({"state": "27", "balances": {"credit": {"igst": 100.0}}})).await;
    let buyer = market.party(json!({"state": "29"})).await;
    let mut sections = b2b(&buyer, &[invoice("A1", "05-01-2026", "29"), invoice("A2", "06-01-2026", "29")]);
    sections["cdnr"] = json!([{"ctin": buyer.gstin(), "nt": [{"nt_num": "C1", "nt_dt": "07-01-2026", "ntty": "C", "val": 118,
        "pos": "29", "rchrg": "N", "inv_typ": "R",
        "itms": [{"num": 1, "itm_det": {"rt": 18, "txval": 100, "iamt": 18, "csamt": 0}}]}]}]);
    seller.save(JANUARY, sections).await;
    (market, seller, buyer)
}

#[tokio::test]
async fn a_buyer_sees_what_is_saved_and_gets_credit_for_what_is_filed() {
    let (market, seller, buyer) = seller_and_buyer().await;
    let month = JANUARY.parse().unwrap();
    let twob = buyer.0.gstr2b(month);

    let seen = buyer.0.gstr2a(month, Gstr2aSection::B2b, Gstr2aFilter::default()).await.unwrap();
    assert_eq!(seen.documents.iter().map(|found| found.number.as_str()).collect::<Vec<_>>(), ["A1", "A2"]);
    let first = &seen.documents[0];
    assert_eq!(
        (first.supplier.as_str(), first.filed, first.date),
        (seller.gstin(), Some(false), Some(Date::constant(2026, 1, 5)))
    );
    assert_eq!(
        (first.value, first.taxes.igst, first.rates[0].rate.to_string()),
        (rupees(1180), rupees(180), "18".into())
    );
    let too_early = twob.statement().await.unwrap_err();
    assert!(matches!(too_early, Error::NoStatement { why: NoStatement::NotYet, .. }), "{too_early:?}");

    seller.file_gstr1(JANUARY).await.unwrap();
    let notes = buyer.0.gstr2a(month, Gstr2aSection::Cdn, Gstr2aFilter::default()).await.unwrap();
    assert_eq!((notes.documents[0].note, notes.documents[0].filed), (Some(Note::Credit), Some(true)));
    assert_eq!(notes.documents[0].period, Some(month));
    market.day("2026-02-14").await;
    let before = twob.statement().await.unwrap();
    assert_eq!((before.documents.len(), before.summary.available.net().igst), (3, rupees(342)));
}

/// The seller has filed, and the buyer has a GSTR-2B.
async fn with_a_statement() -> (Market, Party, Party) {
    let (market, seller, buyer) = seller_and_buyer().await;
    seller.file_gstr1(JANUARY).await.unwrap();
    market.day("2026-02-14").await;
    buyer.0.gstr2b(JANUARY.parse().unwrap()).summary().await.unwrap();
    (market, seller, buyer)
}

#[tokio::test]
async fn what_a_buyer_decides_is_in_the_statement_that_is_made_again() {
    let (_market, seller, buyer) = with_a_statement().await;
    let (month, ims) = (JANUARY.parse().unwrap(), buyer.0.ims());
    let twob = buyer.0.gstr2b(month);

    let invoices = ims.invoices(Some(ImsSection::B2b), None).await.unwrap().records;
    assert_eq!((invoices.len(), invoices[0].filed, invoices[0].action), (2, Some(true), ImsAction::None));
    let decided = ims.act([invoices[0].accept(), invoices[1].reject().remarks("never came")]).await.unwrap();
    let status = ims.wait(&decided, quick()).await.unwrap();
    assert_eq!(
        (status.progress, status.action.as_deref()),
        (Progress::Processed, Some("SAV")),
        "{:?}",
        status.refused
    );
    let counts = ims.counts(ImsGoods::Suppliers).await.unwrap();
    let b2b = counts.sections["b2b"];
    assert_eq!((counts.total, b2b.accepted, b2b.rejected, counts.sections["b2bcn"].untouched), (3, 1, 1, 1));
    assert_eq!(ims.invoices(None, Some(ImsAction::Rejected)).await.unwrap().records[0].number, "A2");

    let made = twob.regenerate().await.unwrap().unwrap();
    assert_eq!(twob.wait(&made, quick()).await.unwrap().progress, Progress::Processed);
    assert_eq!(twob.regenerate().await.unwrap(), None, "nothing has changed since");
    let after = twob.statement().await.unwrap();
    assert_eq!(
        (after.documents.len(), after.rejected.len(), after.rejected[0].number.as_str()),
        (2, 1, "A2")
    );
    assert_eq!(
        (after.summary.available.net().igst, after.summary.rejected.net().igst),
        (rupees(162), rupees(180))
    );
    let summary = twob.summary().await.unwrap();
    assert_eq!(
        (summary.summary, summary.parts, summary.generated_on),
        (after.summary, 1, Some(Date::constant(2026, 2, 14)))
    );

    let view = seller.0.ims().supplier_view(month, SuppliedForm::Gstr1).await.unwrap();
    let action = |number: &str| view.documents.iter().find(|found| found.number == number).unwrap().action;
    assert_eq!(
        (action("A1"), action("A2"), action("C1")),
        (ImsAction::Accepted, ImsAction::Rejected, ImsAction::None)
    );
}

#[tokio::test]
async fn a_decision_that_is_out_of_date_is_refused_and_a_reset_takes_one_back() {
    let (_market, seller, buyer) = with_a_statement().await;
    let ims = buyer.0.ims();
    let invoices = ims.invoices(Some(ImsSection::B2b), None).await.unwrap().records;
    let decided = ims.act([invoices[1].reject()]).await.unwrap();
    assert_eq!(ims.wait(&decided, quick()).await.unwrap().progress, Progress::Processed);
    let stale = ims.act([invoices[1].accept()]).await.unwrap();
    let status = ims.wait(&stale, quick()).await.unwrap();
    assert_eq!((status.progress, status.refused[0].code.as_str()), (Progress::Failed, "IMSSAV0010"));
    assert_eq!(
        (status.refused[0].documents.join(" "), status.refused[0].group.as_deref()),
        ("A2".into(), Some(seller.gstin()))
    );
    let rejected = ims.invoices(None, Some(ImsAction::Rejected)).await.unwrap().records;
    let reset = ims.reset(&rejected).await.unwrap();
    assert_eq!(ims.wait(&reset, quick()).await.unwrap().progress, Progress::Processed);
    assert_eq!(ims.counts(ImsGoods::Suppliers).await.unwrap().sections["b2b"].rejected, 0);
    let unknown = ims.status("00000000-0000-4000-8000-000000000000").await.unwrap_err();
    assert!(matches!(unknown, Error::Refused(_)), "{unknown:?}");
}

#[tokio::test]
async fn a_seller_pays_in_the_order_of_the_law_and_files_with_a_dsc() {
    let (market, seller, _buyer) = seller_and_buyer().await;
    let month = JANUARY.parse().unwrap();
    seller.file_gstr1(JANUARY).await.unwrap();
    market.day("2026-02-15").await;
    let gstr3b = seller.0.gstr3b(month);

    let nothing = gstr3b.summary().await.unwrap_err();
    assert!(matches!(nothing, Error::NoDocuments(_)), "{nothing:?}");
    let drawn = gstr3b.auto_liability().await.unwrap();
    assert_eq!(drawn.gstr1_filed_on, Some(Date::constant(2026, 2, 10)));
    assert_eq!((drawn.supplies.taxable.taxable, drawn.supplies.taxable.igst), (rupees(1900), rupees(342)));

    let json = drawn.to_return().to_string();
    let checked = gstr3b.validate(json.clone()).await.unwrap();
    assert!(checked.differences.iter().all(|cell| cell.table != "sup_details"), "{:?}", checked.differences);
    let saved = gstr3b.save(json).await.unwrap();
    let status = gstr3b.wait(&saved, quick()).await.unwrap();
    assert_eq!(status.progress, Progress::Processed, "{:?}", status.refused);

    let summary = gstr3b.summary().await.unwrap();
    let owed = &summary.payment().payable;
    let tax = owed.iter().find(|line| line.kind == LiabilityKind::Other).unwrap().taxes();
    assert_eq!((tax.igst, summary.payment().is_paid()), (rupees(342), false));
    let open = seller.0.open_liability(month, "R3B").await.unwrap();
    assert_eq!(open.lines[0].igst.tax, rupees(342));
    let proposal = summary.propose_offset(&seller.0.ledger_balance(month).await.unwrap()).unwrap();
    assert_eq!((proposal.is_covered(), proposal.missing_cash.igst.tax), (false, rupees(242)));
    let short = gstr3b.offset(&proposal.offset).await.unwrap();
    let refused = gstr3b.wait(&short, quick()).await.unwrap();
    assert_eq!((refused.progress, refused.refused[0].code.as_str()), (Progress::Failed, "RT-3BAS1070"));

    pay_in(&market, &seller, 242).await;
    let proposal = summary.propose_offset(&seller.0.ledger_balance(month).await.unwrap()).unwrap();
    assert!(proposal.is_covered(), "{proposal:?}");
    let offset = gstr3b.offset(&proposal.offset).await.unwrap();
    let status = gstr3b.wait(&offset, quick()).await.unwrap();
    assert_eq!(status.progress, Progress::Processed, "{:?}", status.refused);
    let summary = gstr3b.summary().await.unwrap();
    assert!(summary.payment().is_paid());
    assert_eq!(summary.payment().offset().taxes(), proposal.offset.taxes());

    let (dsc, pan) = (dsc(), seller.0.gstin().pan().unwrap());
    seller.0.register_dsc(&pan, &dsc).await.unwrap();
    let arn = gstr3b.file_with_dsc(&summary, &pan, &dsc).await.unwrap();
    let filed = seller.0.track_returns(month, Some("R3B")).await.unwrap();
    assert_eq!(filed.returns[0].arn, arn);

    let (from, to) = (Date::constant(2026, 2, 1), Date::constant(2026, 2, 28));
    let register = seller.0.liability_register(from, to).await.unwrap();
    assert_eq!(register.closing.total, Rupees::ZERO);
    let sum = |side: Side| -> Rupees {
        register.entries.iter().filter(|entry| entry.side == side).map(|entry| entry.amount).sum()
    };
    assert_eq!((sum(Side::Debit), sum(Side::Credit)), (rupees(342), rupees(342)));
    assert!(seller.0.open_liability(month, "R3B").await.unwrap().lines.is_empty());
    assert!(seller.0.negative_liability(from, to).await.unwrap().entries.is_empty());
}

/// A challan of integrated tax, paid.
async fn pay_in(market: &Market, party: &Party, rupees: i64) {
    let challan = json!({"amounts": {"igst": {"tx": rupees}}});
    let made = market.manage("POST", &format!("/taxpayers/{}/challans", party.gstin()), challan).await;
    let cpin = made["cpin"].as_str().unwrap();
    market.manage("POST", &format!("/challans/{cpin}/pay"), json!({})).await;
}

/// A key with a certificate that nobody else has signed.
fn dsc() -> Dsc {
    let key = gstn::crypto::PrivateKey::generate_2048();
    let pair = rcgen::KeyPair::from_pem_and_sign_algo(&key.pkcs8_pem(), &rcgen::PKCS_RSA_SHA256).unwrap();
    let certificate = rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&pair).unwrap().pem();
    Dsc::from_pem(key.pkcs8_pem().as_bytes(), certificate).unwrap()
}

#[tokio::test]
async fn a_gstr1a_corrects_what_was_filed_until_the_gstr3b_is() {
    let (market, seller, buyer) = seller_and_buyer().await;
    let month = JANUARY.parse().unwrap();
    seller.file_gstr1(JANUARY).await.unwrap();
    market.day("2026-02-12").await;
    let gstr1a = seller.0.gstr1a(month);
    let mut rows = b2b(&buyer, &[invoice("A3", "08-01-2026", "29")]);
    rows["gstin"] = seller.gstin().into();
    rows["fp"] = JANUARY.into();
    let saved = gstr1a.save(rows.to_string()).await.unwrap();
    let status = gstr1a.wait(&saved, quick()).await.unwrap();
    assert_eq!(status.progress, Progress::Processed, "{:?}", status.refused);
    assert_eq!(gstr1a.section("B2B", &[]).await.unwrap()["b2b"][0]["inv"][0]["inum"], "A3");
    let closed = gstr1a.new_proceed_to_file(false).await.unwrap();
    let status = gstr1a.wait(&closed, quick()).await.unwrap();
    assert_eq!(status.progress, Progress::Processed, "{:?}", status.refused);
    let (summary, pan) = (gstr1a.summary(SummaryKind::Short).await.unwrap(), seller.0.gstin().pan().unwrap());
    gstr1a.request_evc_otp(&pan).await.unwrap();
    gstr1a.file_with_evc(&summary, &pan, "575757").await.unwrap();
    let drawn = seller.0.gstr3b(month).auto_liability().await.unwrap();
    assert_eq!(
        (drawn.gstr1a_filed_on, drawn.supplies.taxable.taxable),
        (Some(Date::constant(2026, 2, 12)), rupees(2900))
    );
}

#[tokio::test]
async fn what_gstn_knows_beside_returns_is_read_and_chosen() {
    let (market, seller, _buyer) = seller_and_buyer().await;
    market.day("2026-02-15").await;
    let year = "2025-26".parse().unwrap();
    let told = seller.0.filing_preferences(year).await.unwrap();
    assert!(told.quarters.contains(&(Quarter::Q4, Filing::Monthly)), "{told:?}");
    let too_late = seller.0.choose_filing(year, Quarter::Q4, Filing::Quarterly).await.unwrap_err();
    assert_eq!(too_late.code(), Some("RET12590"));
    let turnover = seller.0.annual_turnover(year).await.unwrap();
    assert_eq!(turnover.filed, Some(Rupees::ZERO));
    let fee = seller.0.late_fee(FEBRUARY.parse().unwrap()).await.unwrap();
    assert_eq!((fee.cgst, fee.returns.len()), (Rupees::ZERO, 0));
}
