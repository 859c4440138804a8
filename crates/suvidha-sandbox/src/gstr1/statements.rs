//! Tables 8, 12 and 13 (nil, hsn, doc_issue): statements of the whole month, taken or refused as a whole.

use std::collections::HashSet;

use serde_json::Value;

use super::rows::{Row, SentRow, rows_of};
use super::tables::Table;
use super::{GstnError, Subject, taxes};
use crate::amounts::Amount;

/// Unit quantity codes (gstn.md section 5, C). `NA` is for services alone.
const UNITS: [&str; 46] = [
    "BAG", "BAL", "BDL", "BKL", "BOU", "BOX", "BTL", "BUN", "CAN", "CBM", "CCM", "CMS", "CTN", "DOZ", "DRM",
    "GGK", "GMS", "GRS", "GYD", "KGS", "KLR", "KME", "LTR", "MLT", "MTR", "MTS", "NA", "NOS", "OTH", "PAC",
    "PCS", "PRS", "QTL", "ROL", "SET", "SQF", "SQM", "SQY", "TBS", "TGM", "THD", "TON", "TUB", "UGS", "UNT",
    "YDS",
];

/// A section that replaces whatever was there.
pub(super) struct Statement {
    pub(super) section: &'static str,
    /// Flag D on the section: nothing is to be left.
    pub(super) deletion: bool,
    pub(super) rows: Vec<SentRow>,
    pub(super) sent: Value,
}

/// The statements in a payload that has passed the schema.
pub(super) fn statements(payload: &Value) -> Vec<Statement> {
    let present = ["nil", "hsn", "doc_issue"].into_iter().filter(|section| payload[*section].is_object());
    present
        .map(|section| {
            let sent = &payload[section];
            let rows = Table::of_section(section).flat_map(|table| rows_of(table, sent));
            Statement {
                section,
                deletion: sent["flag"] == "D",
                rows: rows.filter(|row| !row.is_deletion()).collect(),
                sent: sent.clone(),
            }
        })
        .collect()
}

impl Statement {
    /// The first fault found; one faulty row refuses the section.
    pub(super) fn check(&self, subject: &Subject) -> Result<(), GstnError> {
        if self.deletion {
            return Ok(());
        }
        self.check_repetition()?;
        for sent in &self.rows {
            match self.section {
                "hsn" => check_hsn(subject, &sent.row)?,
                "doc_issue" => check_documents_issued(&sent.row)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// C RET191117, RET191172; for the other two sections I
    fn check_repetition(&self) -> Result<(), GstnError> {
        let mut seen = HashSet::new();
        for sent in &self.rows {
            let row = &sent.row;
            let key = (row.table.part, row.key());
            if seen.contains(&key) {
                let message = match self.section {
                    "hsn" => "HSN, description, UQC and rate are repeated",
                    "nil" => "The supply type is repeated",
                    _ => "The nature of document is repeated",
                };
                return Err(GstnError::new("RET191117", message));
            }
            let number = (row.table.part, format!("num {}", row.key_part("num")));
            if row.value("num").is_some() && seen.contains(&number) {
                let message = format!("Item number {} is already in the payload", row.key_part("num"));
                return Err(GstnError::new("RET191172", message));
            }
            seen.extend([key, number]);
        }
        Ok(())
    }
}

/// C RET191194, 195, 349, 350, 175; the list of HSN codes is not public here, so 349 knows chapters only
fn check_hsn(subject: &Subject, row: &Row) -> Result<(), GstnError> {
    let code = row.text("hsn_sc").unwrap_or_default();
    let described = row.text("desc").is_some_and(|text| !text.is_empty());
    if code.is_empty() && (subject.rules.hsn_is_mandatory(subject.period) || !described) {
        return Err(GstnError::new("RET191194", "HSN or description is mandatory"));
    }
    let least = subject.rules.least_hsn_digits(subject.period, subject.above_five_crore);
    if !code.is_empty() && code.len() < least {
        return Err(GstnError::new("RET191350", format!("HSN {code} must have at least {least} digits")));
    }
    if matches!(code.get(..2), Some("00" | "77")) {
        return Err(GstnError::new("RET191349", format!("HSN {code} is invalid")));
    }
    let unit = row.text("uqc").unwrap_or_default().to_ascii_uppercase();
    let goods = !code.is_empty() && !code.starts_with("99");
    if !UNITS.contains(&unit.as_str()) || (goods && unit == "NA") {
        return Err(GstnError::new("RET191195", format!("UQC {unit} is invalid")));
    }
    taxes::check_rate(subject, &row.body, None)
}

/// `net_issue` = `totnum` − `cancel`. C rule, I code
fn check_documents_issued(row: &Row) -> Result<(), GstnError> {
    for range in row.value("docs").and_then(Value::as_array).into_iter().flatten() {
        let of = |name: &str| range.get(name).map_or(Amount::ZERO, Amount::read);
        if of("net_issue") != of("totnum") - of("cancel") {
            return Err(GstnError::new("RET191203", "net_issue must be totnum less cancel"));
        }
    }
    Ok(())
}
