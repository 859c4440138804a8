//! What a supplier sees of its recipients' actions (SUPVIEW).

use std::collections::BTreeMap;

use gstn::{Gstin, ReturnPeriod};
use rusqlite::Connection;
use serde_json::{Map, Value, json};

use super::actions::{self, Action, Histories};
use crate::forms::Form;
use crate::gstr1::outward::{self, Document};
use crate::gstr1::{self, SectionQuery, Subject};
use crate::inward::Moment;
use crate::inward::added::{AddedBack, added_back};
use crate::taxpayers;

/// The sections that have recipients.
const SECTIONS: [&str; 6] = ["B2B", "B2BA", "CDNR", "CDNRA", "ECOM", "ECOMA"];

/// The rows of a return between registered persons as they were saved, with what the recipient did (`imsactn`). None
/// when there are no such rows.
///
/// # Errors
/// RET11403 for an unknown section, or the database's.
pub(crate) fn supplier_view(
    conn: &Connection,
    subject: &Subject<'_>,
    section: Option<&str>,
) -> Result<Option<Value>, gstr1::Fault> {
    let wanted = section.map(str::to_ascii_uppercase).filter(|section| section != "ALL");
    if let Some(unknown) = wanted.as_deref().filter(|wanted| !SECTIONS.contains(wanted)) {
        return Err(
            gstr1::GstnError::new("RET11403", format!("Invalid API Request: section {unknown}")).into()
        );
    }
    let actions = actions_on(conn, subject)?;
    let mut sections = Map::new();
    for section in
        SECTIONS.into_iter().filter(|section| wanted.as_deref().is_none_or(|wanted| wanted == *section))
    {
        let Some(Value::Object(found)) = gstr1::section(conn, subject, section, &SectionQuery::default())?
        else {
            continue;
        };
        for (name, mut rows) in found {
            mark(&mut rows, &actions);
            sections.insert(name, rows);
        }
    }
    let name = if subject.form == Form::Gstr1a { "gstr1a" } else { "gstr1" };
    Ok((!sections.is_empty()).then(
        || json!({ "gstin": subject.gstin.as_str(), "rtnprd": subject.period.to_string(), name: sections }),
    ))
}

/// What was done to the rows of a return, by their checksums.
fn actions_on(conn: &Connection, subject: &Subject<'_>) -> rusqlite::Result<BTreeMap<String, Action>> {
    let mut histories: BTreeMap<String, Histories> = BTreeMap::new();
    let mut found = BTreeMap::new();
    for document in outward::of_supplier(conn, subject.gstin, subject.form, subject.period)? {
        let Ok(recipient) = Gstin::parse_lenient(&document.recipient) else { continue };
        if !histories.contains_key(&document.recipient) {
            let (supplier, form) = (subject.gstin.as_str(), subject.form.as_str());
            let all = actions::of_return(conn, &recipient, supplier, form, subject.period)?;
            histories.insert(document.recipient.clone(), all);
        }
        let history = histories.get(&document.recipient).map(|all| all.of(&document)).unwrap_or_default();
        if history.action() != Action::None {
            found.insert(document.chksum, history.action());
        }
    }
    Ok(found)
}

/// Rows are the objects with a checksum, however deep.
fn mark(value: &mut Value, actions: &BTreeMap<String, Action>) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(|value| mark(value, actions)),
        Value::Object(object) => {
            let action = object.get("chksum").and_then(Value::as_str).and_then(|chksum| actions.get(chksum));
            if let Some(action) = action {
                object.insert("imsactn".into(), action.as_str().into());
            } else {
                object.values_mut().for_each(|value| mark(value, actions));
            }
        }
        _ => {}
    }
}

/// The rejections that add to the liability of `supplier` in `period`. None when there are none.
pub(crate) fn rejected_view(
    conn: &Connection,
    moment: &Moment,
    supplier: &Gstin,
    period: ReturnPeriod,
) -> rusqlite::Result<Option<Value>> {
    let mut sections: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for added in added_back(conn, moment, supplier, period)? {
        // An addition that is taken back is no rejection.
        if added.igst + added.cgst + added.sgst + added.cess >= 0 {
            let row = rejected_row(conn, &added)?;
            sections.entry(added.section).or_default().push(row);
        }
    }
    Ok((!sections.is_empty()).then(
        || json!({ "gstin": supplier.as_str(), "rtnprd": period.to_string(), "rejInvAddBackLiab": sections }),
    ))
}

fn rejected_row(conn: &Connection, added: &AddedBack) -> rusqlite::Result<Value> {
    let document = &added.document;
    let name =
        taxpayers::by_gstin(conn, &added.ctin, "")?.map(|taxpayer| taxpayer.trade_name).unwrap_or_default();
    let paise = |amount: i64| crate::amounts::Amount::from_hundredths(i128::from(amount)).to_json();
    let mut row = Map::new();
    let mut put = |name: &str, value: Value| drop(row.insert(name.to_owned(), value));
    if added.section == "ecoma" {
        put("rtin", added.ctin.as_str().into());
        put("rtinNam", name.into());
        if let Some(supplier) = document.value("stin") {
            put("stin", supplier.clone());
        }
    } else {
        put("ctin", added.ctin.as_str().into());
        put("tradenm", name.into());
        put("inv_typ", document.value("inv_typ").cloned().unwrap_or_else(|| "R".into()));
    }
    put("val", document.value("val").map(crate::amounts::Amount::read).unwrap_or_default().to_json());
    put("txval", document.taxes().taxable.to_json());
    for (name, amount) in
        [("iamt", added.igst), ("camt", added.cgst), ("samt", added.sgst), ("csamt", added.cess)]
    {
        put(name, paise(amount));
    }
    if let Some(remarks) = &added.remarks {
        put("remarks", remarks.as_str().into());
    }
    put("supPrd", added.supply_period.to_string().into());
    put("form", added.form.as_str().into());
    write_names(document, &mut row);
    Ok(row.into())
}

fn write_names(document: &Document, row: &mut Map<String, Value>) {
    let note = document.is_note();
    row.insert(if note { "nt_num" } else { "inum" }.into(), document.number().into());
    row.insert(if note { "nt_dt" } else { "idt" }.into(), document.date().into());
    if note {
        row.insert("ntty".into(), document.text("ntty").into());
    }
    if let Some((number, date)) = document.original_name() {
        row.insert(if note { "ont_num" } else { "oinum" }.into(), number.into());
        row.insert(if note { "ont_dt" } else { "oidt" }.into(), date.into());
    }
}
