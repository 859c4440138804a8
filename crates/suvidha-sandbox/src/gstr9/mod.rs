//! GSTR-9, as far as GSTN computes it: what a year's filed returns put into the annual return (CALRCDS).

mod paid;

use gstn::FinancialYear;
use http::Method;
use rusqlite::Connection;
use serde_json::{Map, Value, json};

use crate::amounts::Amount;
use crate::call::{Call, Resource};
use crate::fault::Fault;
use crate::gstr1::{Annual, Line, Sum};
use crate::inward;
use crate::payload;
use crate::respond::Answer;
use crate::returns::{no_record, own_gstin, query_period, session};
use crate::routes::not_here;
use crate::sessions::LiveSession;
use crate::simulator::Simulator;
use crate::taxpayers::Taxpayer;
use crate::turnover;
use paid::Paid;

/// Table 4, supplies on which tax is payable; the lines that are computed, by their names on the wire.
const TABLE_4: [(&str, Line); 11] = [
    ("b2c", Line::Consumers),
    ("b2b", Line::Registered),
    ("exp", Line::Exports),
    ("sez", Line::Zones),
    ("deemed", Line::Deemed),
    ("at", Line::Advances),
    ("ecom", Line::Operator),
    ("cr_nt", Line::Credits),
    ("dr_nt", Line::Debits),
    ("amd_pos", Line::AmendedUp),
    ("amd_neg", Line::AmendedDown),
];

/// Table 5, supplies on which it is not.
const TABLE_5: [(&str, Line); 11] = [
    ("zero_rtd", Line::UntaxedExports),
    ("sez", Line::UntaxedZones),
    ("rchrg", Line::ReverseCharge),
    ("ecom_14", Line::ThroughOperator),
    ("exmt", Line::Exempt),
    ("nil", Line::NilRated),
    ("non_gst", Line::NonGst),
    ("cr_nt", Line::UntaxedCredits),
    ("dr_nt", Line::UntaxedDebits),
    ("amd_pos", Line::UntaxedAmendedUp),
    ("amd_neg", Line::UntaxedAmendedDown),
];

/// `/taxpayerapi/*/returns/gstr9`. The year is named by its last month.
pub(crate) fn answer(
    simulator: &Simulator,
    client_id: &str,
    call: &Call,
    resource: &Resource,
) -> Result<Answer, Fault> {
    let live = session(simulator, client_id, call)?;
    match (&call.method, call.query("action")) {
        (&Method::GET, Some("CALRCDS")) => calculated(simulator, &live, call),
        (&Method::GET, action) => Err(not_here(call, resource, action)),
        _ => {
            let request = payload::envelope(call)?;
            Err(not_here(call, resource, request.action_or(call.query("action"))))
        }
    }
}

fn calculated(simulator: &Simulator, live: &LiveSession, call: &Call) -> Result<Answer, Fault> {
    own_gstin(live, call)?;
    let period = query_period(call)?;
    if period.month() != 3 {
        return Err(payload::invalid_period());
    }
    let year = period.financial_year();
    let taxpayer = &live.taxpayer;
    let (filed, paid, credit) = simulator.db.read(|tx| -> rusqlite::Result<_> {
        let filed = turnover::of_year(tx, simulator, taxpayer, year)?;
        let paid = Paid::in_year(tx, simulator, taxpayer, year)?;
        Ok((filed, paid, credit_stated(tx, simulator, taxpayer, year)?))
    })?;
    if filed.is_empty()
        && paid.is_empty()
        && credit.is_none_or(|heads| heads.iter().all(|head| head.is_zero()))
    {
        return Err(no_record());
    }
    let mut told = computed(&filed.lines, &paid, year);
    if !paid.is_empty() {
        told["table6"] = with_checksum(paid.credit());
        told["table9"] = with_checksum(paid.payment());
    }
    if let Some(heads) = credit {
        let [igst, cgst, sgst, cess] = heads.map(Amount::to_json);
        let credit = json!({ "iamt": igst, "camt": cgst, "samt": sgst, "csamt": cess });
        told["table8"] = with_checksum(Map::from_iter([("itc_2b".to_owned(), credit)]));
    }
    told["gstin"] = live.taxpayer.gstin.as_str().into();
    told["fp"] = period.to_string().into();
    let digits = simulator.rules().least_hsn_digits(period, live.taxpayer.above_five_crore());
    told["hsnMinLen"] = digits.into();
    Ok(Answer::sealed(&simulator.seam, &live.session.sek, &told))
}

fn computed(lines: &Annual, paid: &Paid, year: FinancialYear) -> Value {
    let mut table_4: Map<String, Value> =
        TABLE_4.iter().map(|(name, line)| ((*name).to_owned(), taxed(lines.line(*line), name))).collect();
    let mut table_5: Map<String, Value> = TABLE_5
        .iter()
        .map(|(name, line)| ((*name).to_owned(), json!({ "txval": lines.line(*line).taxable.to_json() })))
        .collect();
    if !paid.is_empty() {
        table_4.insert("rchrg".to_owned(), paid.reverse_charge());
    }
    if !knows_operators(year) {
        table_4.remove("ecom");
        table_5.remove("ecom_14");
    }
    json!({ "table4": with_checksum(table_4), "table5": with_checksum(table_5) })
}

/// Table 8A: the credit in the year's statements (GSTR-2B), of invoices and notes of registered suppliers without
/// reverse charge. It is drawn from GSTR-2B from the year 2023-24 on. None when there is no statement.
fn credit_stated(
    conn: &Connection,
    simulator: &Simulator,
    taxpayer: &Taxpayer,
    year: FinancialYear,
) -> rusqlite::Result<Option<[Amount; 4]>> {
    if year.start_year() < 2023 {
        return Ok(None);
    }
    let moment = simulator.moment();
    let mut credit: Option<[Amount; 4]> = None;
    for period in year.periods() {
        let Some(stated) = inward::itc_summary(conn, &moment, &taxpayer.gstin, period)? else { continue };
        let available = &stated.itcsumm["itcavl"];
        let deducted = ["cdnr", "cdnra"].map(|notes| &available["othersup"][notes]);
        let sums = credit.get_or_insert_default();
        for (sum, head) in sums.iter_mut().zip(["igst", "cgst", "sgst", "cess"]) {
            *sum += Amount::read(&available["nonrevsup"][head]);
            deducted.iter().for_each(|notes| *sum = *sum - Amount::read(&notes[head]));
        }
    }
    Ok(credit)
}

/// Lines 4G1 and 5C1 came with the year 2023-24, after Tables 14 and 15 of GSTR-1 (notification 12/2024).
fn knows_operators(year: FinancialYear) -> bool {
    year.start_year() >= 2023
}

fn with_checksum(mut table: Map<String, Value>) -> Value {
    let chksum = gstn::crypto::sha256_hex(Value::Object(table.clone()).to_string().as_bytes());
    table.insert("chksum".into(), chksum.into());
    Value::Object(table)
}

/// Exports and supplies to zones are between states: they have no central and state tax.
fn taxed(sum: Sum, name: &str) -> Value {
    let mut told =
        json!({ "txval": sum.taxable.to_json(), "iamt": sum.igst.to_json(), "csamt": sum.cess.to_json() });
    if !matches!(name, "exp" | "sez") {
        told["camt"] = sum.cgst.to_json();
        told["samt"] = sum.sgst.to_json();
    }
    told
}
