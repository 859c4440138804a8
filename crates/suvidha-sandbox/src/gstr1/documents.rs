//! Who, when and which number: parties, dates and document numbers of a row.

use std::collections::HashMap;

use gstn::Gstin;
use jiff::ToSpan;
use jiff::civil::Date;
use rusqlite::Connection;

use super::rows::{Row, SentRow, financial_year};
use super::store::{self, KeptRow};
use super::tables::{Items, Key, Table};
use super::{GstnError, Rules, Subject};
use crate::calendar::{first_day, last_day, period_of};

/// GSTINs printed in GSTN's own samples with a masked check digit (gstn.md section 5): they pass as parties.
const PUBLISHED_SAMPLES: [&str; 7] = [
    "01AABCE2207R1Z5",
    "01AABCE5507R1Z4",
    "05ABNTY3290P8ZB",
    "29AFSPB9500E1ZY",
    "36AEOFS9999J1ZI",
    "37ABCDE9552F3Z4",
    "16DEFPS8555D1Z7",
];

/// The parties that a row names. C RET191113, RET191152
pub(super) fn check_parties(subject: &Subject, row: &Row) -> Result<(), GstnError> {
    for name in ["ctin", "rtin", "stin", "ostin"] {
        let Some(gstin) = row.text(name) else { continue };
        if !is_gstin(gstin) {
            return Err(GstnError::new("RET191113", "The GSTIN is invalid. Please enter a valid GSTIN."));
        }
        if gstin == subject.gstin.as_str() {
            return Err(GstnError::new(
                "RET191113",
                "The GSTIN of the counter party is the GSTIN of the supplier",
            ));
        }
    }
    check_operator(subject, row, "etin")?;
    check_operator(subject, row, "oetin")
}

/// An e-commerce operator has a registration to collect tax (C in the 14th place). Table 14(b) names operators
/// who pay the tax themselves; they may be regular taxpayers. K
fn check_operator(subject: &Subject, row: &Row, name: &str) -> Result<(), GstnError> {
    let etin = row.text(name).unwrap_or_default().to_ascii_uppercase();
    let error = |message: &str| Err(GstnError::new("RET191152", message));
    match (row.text("typ"), etin.is_empty()) {
        (Some("E"), true) if name == "etin" => {
            return error("ETIN is mandatory for B2CS supplies through e-commerce (typ E)");
        }
        (Some("OE"), false) => {
            return error("ETIN is not allowed for B2CS supplies other than e-commerce (typ OE)");
        }
        (_, true) => return Ok(()),
        (_, false) => {}
    }
    if etin == subject.gstin.as_str() {
        return error("ETIN is the GSTIN of the supplier");
    }
    let collects = etin.as_bytes().get(13) == Some(&b'C') || row.table.part.starts_with("paytx");
    if is_gstin(&etin) && collects { Ok(()) } else { error("ETIN is invalid") }
}

fn is_gstin(text: &str) -> bool {
    text.parse::<Gstin>().is_ok() || PUBLISHED_SAMPLES.contains(&text)
}

/// The state of a party's GSTIN.
pub(super) fn state_of(gstin: &str) -> &str {
    gstin.get(..2).unwrap_or_default()
}

/// The window a document's date must lie in: not after the period, not before registration, at most 18 months
/// before the period. C RET191114, RET191126, RET191120, RET191184
pub(super) fn check_date(subject: &Subject, row: &Row) -> Result<(), GstnError> {
    let Some(date) = row.table.numbering().and_then(|numbering| row.date(numbering)) else { return Ok(()) };
    let (code, what) = match (row.table.amends, row.table.is_note()) {
        (Some(_), _) => ("RET191120", "Revised date"),
        (None, true) => ("RET191126", "Note date"),
        (None, false) => ("RET191114", "Invoice date"),
    };
    let error = |fault: &str| Err(GstnError::new(code, format!("{what} {} {fault}", written(date))));
    if !date_is_under_gst(date) {
        return Err(GstnError::new("RET191184", format!("{what} {} is before GST", written(date))));
    }
    if date > last_day(subject.period) {
        return error("is later than the return period");
    }
    if date < subject.registered_on && !row.table.is_ecom() {
        return error("is older than the date of registration");
    }
    if date < first_day(subject.period).saturating_sub(18.months()) {
        return error("is older than 18 months");
    }
    Ok(())
}

fn date_is_under_gst(date: Date) -> bool {
    period_of(date).is_some_and(Rules::is_under_gst)
}

pub(super) fn written(date: Date) -> String {
    format!("{:02}-{:02}-{:04}", date.day(), date.month(), date.year())
}

/// Rows of one payload that contradict each other, by their index. All of them are refused, so that their
/// order does not matter. C RET191190, RET191117, RET191133, RET191134, RET191135, RET191121
pub(super) fn contradictions(rows: &[SentRow]) -> HashMap<usize, GstnError> {
    let mut claims: HashMap<String, Vec<usize>> = HashMap::new();
    for (index, sent) in rows.iter().enumerate().filter(|(_, sent)| !sent.is_deletion()) {
        for claim in claims_of(&sent.row) {
            claims.entry(claim).or_default().push(index);
        }
    }
    let mut errors = HashMap::new();
    for indices in claims.into_values().filter(|indices| indices.len() > 1) {
        for index in &indices {
            let row = &rows[*index].row;
            let others = indices.iter().filter(|other| *other != index).map(|other| &rows[*other].row);
            let worst = others.map(|other| clash(row, other)).min_by_key(|error| error.code);
            errors.extend(worst.map(|error| (*index, error)));
        }
    }
    errors
}

/// What a row lays claim to, and no other row of the payload may.
fn claims_of(row: &Row) -> Vec<String> {
    let in_table = |key: &str| format!("{} {} {key}", row.table.section, row.table.part);
    let key = row.key();
    match row.table.key {
        Key::Document(numbering) => {
            vec![format!("{} {}", row.table.series().unwrap_or_default(), row.document_key(numbering))]
        }
        Key::ForeignDocument(_) => vec![in_table(&key)],
        Key::Amendment { revised, .. } => {
            vec![in_table(&key), in_table(&format!("revised {}", row.document_key(revised)))]
        }
        Key::Fields(_) if row.table.items == Items::ByRate => {
            row.items().iter().map(|item| in_table(&format!("{key} {}", item.rate.hundredths()))).collect()
        }
        Key::Fields(_) => vec![in_table(&key)],
    }
}

/// How two rows with one claim contradict each other.
fn clash(row: &Row, other: &Row) -> GstnError {
    if let Key::Amendment { revised, .. } = row.table.key
        && row.key() != other.key()
    {
        let number = row.number(revised).unwrap_or_default();
        return GstnError::new("RET191121", format!("Revised number {number} is used twice in the payload"));
    }
    let Some(number) = row.table.numbering().and_then(|numbering| row.number(numbering)) else {
        return GstnError::new("RET191117", "Rows with the same details are repeated in the payload");
    };
    if let (Key::Document(_), Some(error)) = (&row.table.key, belongs_elsewhere(row, &number, other)) {
        return error;
    }
    GstnError::new("RET191190", format!("Duplicate Invoice number {number} in payload"))
}

/// A document that is in the return already, but in another section, for another party or another state.
fn belongs_elsewhere(row: &Row, number: &str, other: &Row) -> Option<GstnError> {
    if row.table != other.table {
        let section = other.table.section.to_uppercase();
        return Some(GstnError::new(
            "RET191134",
            format!("No. {number} exists in another section, {section}"),
        ));
    }
    if row.group == other.group {
        return None;
    }
    Some(match row.table.group.first() {
        Some(&"ctin") => GstnError::new("RET191133", format!("No. {number} exists with another CTIN")),
        Some(&"pos") => GstnError::new("RET191135", format!("No. {number} exists with another state code")),
        _ => GstnError::new("RET191134", format!("No. {number} exists with another export type")),
    })
}

/// A document number against what the supplier reported before. C RET191111, RET191123, RET191121
pub(super) fn check_number(
    connection: &Connection,
    subject: &Subject,
    row: &Row,
) -> rusqlite::Result<Option<GstnError>> {
    let Some((series, numbering)) = row.table.series().zip(row.table.numbering()) else { return Ok(None) };
    let Some(number) = row.number(numbering) else { return Ok(None) };
    let year = row.date(numbering).map(financial_year);
    let known = store::with_number(connection, subject.gstin, series, &number)?;
    let of_the_year = known.iter().filter(|kept| {
        let numbering = kept.row.table.numbering();
        numbering.and_then(|numbering| kept.row.date(numbering)).map(financial_year) == year
    });
    let clash = |kept: &KeptRow| match row.table.amends {
        Some(_) => revised_number_clash(subject, row, &number, kept),
        None => number_clash(subject, row, &number, kept),
    };
    Ok(of_the_year
        .filter_map(clash)
        .min_by(|one, other| (one.code, &one.message).cmp(&(other.code, &other.message))))
}

fn number_clash(subject: &Subject, row: &Row, number: &str, kept: &KeptRow) -> Option<GstnError> {
    if subject.owns(kept) {
        return match kept.row.table.amends {
            None => belongs_elsewhere(row, number, &kept.row),
            Some(_) => None,
        };
    }
    if !kept.filed {
        return None;
    }
    Some(if row.table.is_note() {
        GstnError::new("RET191123", format!("Note No. {number} already exist in GSTR 1 of {}", kept.period))
    } else {
        GstnError::new(
            "RET191111",
            format!("Invoice No. {number} already exist in GSTR 1 of {}", kept.period),
        )
    })
}

/// The revised number may be the old one, or one that no other document of the year bears.
fn revised_number_clash(subject: &Subject, row: &Row, number: &str, kept: &KeptRow) -> Option<GstnError> {
    let counts = kept.filed || subject.owns(kept);
    let is_itself = is_original_of(row, &kept.row) || (kept.row.table == row.table && kept.key == row.key());
    (counts && !is_itself).then(|| {
        GstnError::new("RET191121", format!("Revised number {number} exists in GSTR 1 of {}", kept.period))
    })
}

/// Whether `candidate` is the document that the amendment `row` names as its original.
pub(super) fn is_original_of(row: &Row, candidate: &Row) -> bool {
    let (Some(original), Some(known)) = (row.table.original_numbering(), candidate.table.numbering()) else {
        return false;
    };
    is_amended_by(row.table, candidate.table)
        && row.number(original) == candidate.number(known)
        && row.date(original) == candidate.date(known)
}

/// A table's rows may be amended, and amended again.
pub(super) fn is_amended_by(amendment: &Table, table: &Table) -> bool {
    amendment == table || amendment.amends == Some((table.section, table.part))
}
