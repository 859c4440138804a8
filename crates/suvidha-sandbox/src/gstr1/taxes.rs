//! Rates and tax of a row: which tax may be charged at all, and whether it is the right amount.

use jiff::civil::Date;
use serde_json::{Map, Value};

use super::documents;
use super::rows::{Item, Row};
use super::tables::Items;
use super::{GstnError, Subject};
use crate::amounts::Amount;

/// What a supply may bear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tax {
    /// IGST alone: between states, or because the kind of supply says so.
    Igst(&'static str),
    /// CGST and SGST in equal halves.
    CgstAndSgst,
    /// A deemed export inside the state: either of the two.
    Either,
    /// No tax: without payment.
    None(&'static str),
}

/// Every check of rates and tax; the first fault found is the row's.
pub(super) fn check(subject: &Subject, row: &Row) -> Result<(), GstnError> {
    if matches!(row.table.items, Items::Operator | Items::None) || row.table.section == "hsn" {
        return Ok(());
    }
    check_numbering(row)?;
    check_rates(subject, row)?;
    let tax = tax_of(subject, row);
    row.items().iter().try_for_each(|item| check_item(subject, row, tax, item))
}

/// C RET191107, RET191172
fn check_numbering(row: &Row) -> Result<(), GstnError> {
    if row.table.items == Items::Row {
        return Ok(());
    }
    let items =
        row.body.get("itms").and_then(|items| items.as_array()).map(Vec::as_slice).unwrap_or_default();
    if items.is_empty() {
        return Err(GstnError::new("RET191107", "At least one line item should be present"));
    }
    let numbers = items.iter().filter_map(|item| item.get("num")).map(Amount::read);
    match repeated(numbers) {
        Some(number) => Err(GstnError::new(
            "RET191172",
            format!("Item number {} is already in the payload", number.to_json()),
        )),
        None => Ok(()),
    }
}

/// C RET191175, RET191117
fn check_rates(subject: &Subject, row: &Row) -> Result<(), GstnError> {
    let day = row.table.numbering().and_then(|numbering| row.date(numbering));
    row.item_values().into_iter().try_for_each(|item| check_rate(subject, item, day))?;
    match repeated(row.items().into_iter().map(|item| item.rate)) {
        Some(rate) => {
            Err(GstnError::new("RET191117", format!("Same rate {} is repeated in the items", rate.to_json())))
        }
        None => Ok(()),
    }
}

/// The rate of one item against the rate list, to the last decimal: 18.004 is not 18. C RET191175
pub(super) fn check_rate(
    subject: &Subject,
    item: &Map<String, Value>,
    day: Option<Date>,
) -> Result<(), GstnError> {
    let Some(rate) = item.get("rt") else { return Ok(()) };
    let hundredths = Amount::read(rate).hundredths();
    if Amount::is_exact(rate) && subject.rules.knows_rate(hundredths, subject.period, day) {
        return Ok(());
    }
    Err(GstnError::new("RET191175", format!("Rate {rate} is not in the rate list")))
}

fn repeated(values: impl Iterator<Item = Amount>) -> Option<Amount> {
    let mut seen = Vec::new();
    for value in values {
        if seen.contains(&value) {
            return Some(value);
        }
        seen.push(value);
    }
    None
}

/// Between states: the place of supply is not the supplier's state, or the supply is with an SEZ.
pub(super) fn is_inter_state(subject: &Subject, row: &Row) -> bool {
    match row.text("sply_ty") {
        Some(supply) => supply == "INTER",
        None => row.text("inv_typ").is_some_and(is_sez) || row.text("pos") != Some(subject.state()),
    }
}

fn is_sez(inv_typ: &str) -> bool {
    matches!(inv_typ, "SEWP" | "SEWOP")
}

/// C the texts of RET191150; the reading of DE inside the state and of CBW is K.
fn tax_of(subject: &Subject, row: &Row) -> Tax {
    let inter = is_inter_state(subject, row);
    match (row.table.section, row.text("exp_typ").or(row.text("typ")).or(row.text("inv_typ"))) {
        ("exp" | "expa", Some("WPAY")) => Tax::Igst("exports with payment of tax"),
        ("exp" | "expa", _) => Tax::None("exports without payment of tax"),
        ("cdnur" | "cdnura", Some("EXPWOP")) => Tax::None("exports without payment of tax"),
        ("cdnur" | "cdnura", Some("EXPWP")) => Tax::Igst("exports with payment of tax"),
        ("b2cl" | "b2cla" | "cdnur" | "cdnura", _) => Tax::Igst("inter-state supplies"),
        (_, Some("SEWP")) => Tax::Igst("supplies to SEZ with payment of tax"),
        (_, Some("SEWOP")) => Tax::None("supplies to SEZ without payment of tax"),
        (_, Some("CBW")) => Tax::Igst("supplies from a bonded warehouse"),
        (_, Some("DE")) if inter => Tax::Igst("deemed exports"),
        (_, Some("DE")) => Tax::Either,
        _ if inter => Tax::Igst("inter-state supplies"),
        _ => Tax::CgstAndSgst,
    }
}

fn check_item(subject: &Subject, row: &Row, tax: Tax, item: &Item) -> Result<(), GstnError> {
    let state_tax = !item.cgst.is_zero() || !item.sgst.is_zero();
    if state_tax && row.text("inv_typ").is_some_and(is_sez) {
        return Err(GstnError::new(
            "RET191189",
            "Supplies to SEZ are inter-state: CGST and SGST are not applicable",
        ));
    }
    match tax {
        Tax::None(what) if state_tax || !item.igst.is_zero() => {
            wrong(format!("No tax is applicable on {what}"))
        }
        Tax::None(_) => Ok(()),
        Tax::Igst(what) if state_tax => {
            wrong(format!("Only IGST is applicable on {what}; CGST and SGST are not"))
        }
        Tax::Igst(what) => check_igst(subject, row, item, what),
        Tax::CgstAndSgst if !item.igst.is_zero() => {
            wrong("Only CGST and SGST are applicable on intra-state supplies; IGST is not".into())
        }
        Tax::Either if state_tax && !item.igst.is_zero() => {
            wrong("Either IGST or CGST and SGST are applicable on deemed exports, not both".into())
        }
        Tax::Either if !state_tax => check_igst(subject, row, item, "deemed exports"),
        Tax::CgstAndSgst | Tax::Either => check_halves(subject, row, item),
    }
}

fn check_igst(subject: &Subject, row: &Row, item: &Item, what: &str) -> Result<(), GstnError> {
    if bears_no_tax(row, item) {
        return Ok(());
    }
    if item.igst.is_zero() && expected(row, item, 1) > Amount::ONE_RUPEE {
        return wrong(format!("IGST is applicable on {what} and is missing"));
    }
    check_amount(subject, row, "IGST", item, item.igst, 1)
}

fn check_halves(subject: &Subject, row: &Row, item: &Item) -> Result<(), GstnError> {
    if bears_no_tax(row, item) {
        return Ok(());
    }
    check_amount(subject, row, "CGST", item, item.cgst, 2)?;
    check_amount(subject, row, "SGST", item, item.sgst, 2)
}

/// Under reverse charge the recipient pays, and suppliers report the tax or leave it out.
fn bears_no_tax(row: &Row, item: &Item) -> bool {
    row.text("rchrg") == Some("Y") && item.igst.is_zero() && item.cgst.is_zero() && item.sgst.is_zero()
}

/// I: the tolerance of one rupee is that of other simulators.
fn check_amount(
    subject: &Subject,
    row: &Row,
    head: &str,
    item: &Item,
    found: Amount,
    share: i128,
) -> Result<(), GstnError> {
    let expected = expected(row, item, share);
    if !subject.rules.check_tax_amounts || (found - expected).abs() <= Amount::ONE_RUPEE {
        return Ok(());
    }
    wrong(format!(
        "{head} {} does not agree with rate {} on {}, which gives {}",
        found.to_json(),
        item.rate.to_json(),
        item.taxable.to_json(),
        expected.to_json()
    ))
}

/// Rate × value, 65 % of it where `diff_percent` says so, divided by `share`; to the paisa.
fn expected(row: &Row, item: &Item, share: i128) -> Amount {
    let percent = if row.is_at_65_percent() { 65 } else { 100 };
    Amount::from_hundredths(
        item.taxable.hundredths().saturating_mul(item.rate.hundredths()).saturating_mul(percent)
            / (10_000 * 100 * share),
    )
}

fn wrong(message: String) -> Result<(), GstnError> {
    Err(GstnError::new("RET191150", message))
}

/// The place of supply of rows that say INTER or INTRA must agree with the state of the supplier. C
/// RET191178, RET191179
pub(super) fn check_supply_type(subject: &Subject, row: &Row) -> Result<(), GstnError> {
    let (Some(supply), Some(pos)) = (row.text("sply_ty"), row.text("pos")) else { return Ok(()) };
    let supplier = match row.text("stin") {
        Some(stin) => documents::state_of(stin),
        None if row.table.is_ecom() => return Ok(()),
        None => subject.state(),
    };
    match (supply, pos == supplier) {
        ("INTRA", false) if row.text("inv_typ").is_some_and(is_sez) => {
            Err(GstnError::new("RET191189", "Supplies to SEZ are inter-state"))
        }
        ("INTRA", false) => Err(GstnError::new(
            "RET191178",
            format!(
                "For intra-state supplies POS must be the state of the supplier, {supplier}; it is {pos}"
            ),
        )),
        ("INTER", true) if !row.text("inv_typ").is_some_and(is_sez) => Err(GstnError::new(
            "RET191179",
            format!("For inter-state supplies POS must differ from the state of the supplier, {supplier}"),
        )),
        _ => Ok(()),
    }
}
