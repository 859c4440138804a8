//! Checks between tables: HSN against documents, and what must be there before a return is ready to file.

use rusqlite::Connection;
use serde_json::{Map, Value, json};

use super::store::{self, KeptRow};
use super::totals::Totals;
use super::{GstnError, Subject, checksum};
use crate::amounts::Amount;

/// VALIDATEHSNSUM: Table 12 beside the documents it should agree with; a difference is a warning only. `None`
/// when Table 12 is empty.
///
/// GSTN's form of the answer is not public. Ours:
/// `{"hsn":{"chksum","hsn_b2b":{"status":"Y|N","hsn_tax":…,"ttl_tax":…,"diff_tax":…, …},"hsn_b2c":{…}}}`
/// with the columns `tax` (taxable value), `igst`, `cgst`, `sgst`, `cess`; `status` Y means no column is off by
/// more than a rupee. B2B is what has a `ctin`; exports and the rest are B2C (I).
pub(super) fn hsn_comparison(connection: &Connection, subject: &Subject) -> rusqlite::Result<Option<Value>> {
    let rows = store::all_rows(connection, subject)?;
    let hsn = || rows.iter().filter(|kept| kept.row.table.section == "hsn");
    if hsn().next().is_none() {
        return Ok(None);
    }
    let mut object = Map::new();
    object.insert("chksum".into(), checksum::of_parts(hsn().map(|kept| kept.chksum.as_str())).into());
    for (part, registered) in [("hsn_b2b", true), ("hsn_b2c", false)] {
        let stated = hsn().filter(|kept| (kept.row.table.part == "hsn_b2b") == registered);
        let documents = rows.iter().filter(|kept| is_supply(kept) && is_registered(kept) == registered);
        object.insert(part.into(), comparison(stated, documents));
    }
    Ok(Some(json!({ "hsn": object })))
}

fn comparison<'a>(
    hsn: impl Iterator<Item = &'a KeptRow>,
    documents: impl Iterator<Item = &'a KeptRow>,
) -> Value {
    let stated = hsn.map(|kept| Totals::of_row(&kept.row)).fold(Totals::default(), Totals::plus);
    let found = documents.map(contribution).fold(Totals::default(), Totals::plus);
    let difference = stated.plus(found.negated());
    let mut object = Map::new();
    for (prefix, totals) in [("hsn", stated), ("ttl", found), ("diff", difference)] {
        totals.write(prefix, &mut object);
        object.remove(&format!("{prefix}_val"));
    }
    let columns = [difference.taxable, difference.igst, difference.cgst, difference.sgst, difference.cess];
    let agree = columns.iter().all(|column| column.abs() <= Amount::ONE_RUPEE);
    object.insert("status".into(), if agree { "Y" } else { "N" }.into());
    Value::Object(object)
}

/// What a row adds to the supplies that Table 12 states; of an amendment, the change.
fn contribution(kept: &KeptRow) -> Totals {
    if kept.row.table.section == "nil" {
        let value = kept.row.amount("nil_amt") + kept.row.amount("expt_amt") + kept.row.amount("ngsup_amt");
        return Totals { taxable: value, ..Totals::default() };
    }
    Totals::of_row(&kept.row).plus(kept.original.unwrap_or_default().negated())
}

/// Table 12 is about supplies of the month: not about advances, nor about Tables 14 and 15.
fn is_supply(kept: &KeptRow) -> bool {
    matches!(
        kept.row.table.section.trim_end_matches('a'),
        "b2b" | "b2cl" | "b2cs" | "cdnr" | "cdnur" | "exp" | "nil"
    )
}

fn is_registered(kept: &KeptRow) -> bool {
    kept.row.group.contains_key("ctin")
        || kept.row.text("sply_ty").is_some_and(|supply| supply.ends_with("B2B"))
}

/// What must hold before a return with rows is ready to file. From May 2025, unless it is an IFF or a GSTR-1A: the B2B
/// half of Table 12 is not empty when there are B2B supplies, and Table 13 is there when there are supplies at
/// all. A, codes I
pub(super) fn check_completeness(
    subject: &Subject,
    rows: &[KeptRow],
    is_whole: bool,
) -> Result<(), GstnError> {
    let has = |section: &str, part: &str| {
        rows.iter()
            .any(|kept| kept.row.table.section == section && (part.is_empty() || kept.row.table.part == part))
    };
    if rows.is_empty() {
        return Err(GstnError::new("RET191148", "No section data or Gross Turnover available"));
    }
    if is_whole && subject.rules.hsn_is_split(subject.period) && has("b2b", "") && !has("hsn", "hsn_b2b") {
        let message = "Table 12: HSN summary of B2B supplies is mandatory when there are B2B supplies";
        return Err(GstnError::new("RET191194", message));
    }
    let supplies = rows.iter().any(is_supply);
    if is_whole
        && subject.rules.documents_issued_are_mandatory(subject.period)
        && supplies
        && !has("doc_issue", "")
    {
        return Err(GstnError::new("RET191148", "Table 13: documents issued are mandatory (doc_issue)"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Books, b2b, merge, processed};
    use super::*;

    #[test]
    fn table_12_is_compared_with_the_documents() {
        let mut books = Books::new();
        let mut sections = b2b(&json!({}));
        merge(
            &mut sections,
            &json!({
            "b2cs": [{"sply_ty": "INTRA", "pos": "27", "typ": "OE", "rt": 5, "txval": 100, "camt": 2.5, "samt": 2.5}],
            "nil": {"inv": [{"sply_ty": "INTRB2B", "nil_amt": 50, "expt_amt": 0, "ngsup_amt": 0}]},
            "hsn": {"hsn_b2b": [{"num": 1, "hsn_sc": "8471", "uqc": "NOS", "qty": 1, "rt": 18, "txval": 1050, "iamt": 180.5}],
                "hsn_b2c": [{"num": 1, "hsn_sc": "8471", "uqc": "NOS", "qty": 1, "rt": 5, "txval": 200, "camt": 2.5, "samt": 2.5}]}}),
        );
        assert_eq!(books.save_july(&sections), processed());
        let compared = books.section("072025", "VALIDATEHSNSUM").unwrap();
        let (b2b, b2c) = (&compared["hsn"]["hsn_b2b"], &compared["hsn"]["hsn_b2c"]);
        assert_eq!(
            (&b2b["status"], &b2b["diff_igst"], &b2b["ttl_tax"]),
            (&json!("Y"), &json!(0.5), &json!(1050))
        );
        assert_eq!(
            (&b2c["status"], &b2c["diff_tax"], &b2c["ttl_cgst"]),
            (&json!("N"), &json!(100), &json!(2.5))
        );
    }
}
