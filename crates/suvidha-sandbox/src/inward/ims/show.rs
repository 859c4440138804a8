//! What stands in IMS, as GETINV lists and GETCNT counts it.

use std::collections::BTreeMap;

use gstn::Gstin;
use rusqlite::Connection;
use serde_json::{Map, Value, json};

use super::actions::Action;
use super::imports;
use super::record::{self, Record, Section};
use crate::gstr1::GstnError;
use crate::inward::Moment;
use crate::inward::recipient::Recipient;

/// The names that GETINV is asked by, besides the keys of the answer in capital letters.
const OTHER_NAMES: [(&str, &str); 4] =
    [("CN", "b2bcn"), ("CNA", "b2bcna"), ("DN", "b2bdn"), ("DNA", "b2bdna")];
const IMPORTS: [&str; 4] = ["impg", "impga", "impgsez", "impgseza"];
const DISTRIBUTED: [&str; 4] = ["isd", "isda", "isdcn", "isdcna"];

/// GETINV: the records of one section, or of all. None when there are none.
///
/// # Errors
/// RET11403 for an unknown section, or the database's.
pub(crate) fn invoices(
    conn: &Connection,
    moment: &Moment,
    gstin: &Gstin,
    section: Option<&str>,
    status: Option<&str>,
) -> rusqlite::Result<Result<Option<Value>, GstnError>> {
    let recipient = Recipient::new(conn, moment, gstin)?;
    let wanted = match section.filter(|section| !section.eq_ignore_ascii_case("ALL")).map(name_of) {
        Some(None) => return Ok(Err(GstnError::new("RET11403", "Invalid API Request: section"))),
        Some(Some(name)) => Some(name),
        None => None,
    };
    let action = status.and_then(Action::read);
    let is_wanted = |name: &str, done: Action| {
        wanted.is_none_or(|wanted| wanted == name) && action.is_none_or(|action| action == done)
    };
    let mut sections: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for record in record::standing(&recipient)? {
        let name = record.section.as_str();
        if is_wanted(name, record.history.action()) {
            sections.entry(name).or_default().push(row_of(&recipient, &record));
        }
    }
    for import in imports::standing(&recipient)? {
        if is_wanted(import.section(), import.history.action()) {
            sections.entry(import.section()).or_default().push(import.row());
        }
    }
    let answer =
        sections.into_iter().map(|(name, rows)| (name.to_owned(), rows.into())).collect::<Map<_, _>>();
    Ok(Ok((!answer.is_empty()).then_some(Value::Object(answer))))
}

/// The key that a section is asked by; none where there is no such section.
fn name_of(section: &str) -> Option<&'static str> {
    let other = OTHER_NAMES.iter().find(|(name, _)| section.eq_ignore_ascii_case(name)).map(|(_, key)| *key);
    other.or_else(|| {
        let keys = Section::ALL.map(Section::as_str).into_iter().chain(IMPORTS);
        keys.into_iter().find(|key| section.eq_ignore_ascii_case(key))
    })
}

fn row_of(recipient: &Recipient<'_>, record: &Record) -> Value {
    let document = &record.document;
    let yes_no = |yes: bool| if yes { "Y" } else { "N" };
    let mut row = identity_of(record);
    let mut put = |name: &str, value: Value| drop(row.insert(name.to_owned(), value));
    put("action", record.history.action().as_str().into());
    put("srcfilstatus", if record.filed.is_some() { "Filed" } else { "Not Filed" }.into());
    put("ispendactblocked", yes_no(!record.may_wait(recipient.moment.today())).into());
    put("hash", document.chksum.as_str().into());
    if recipient.moment.rules.notes_may_be_pending(document.id.period) {
        put("isRemarksBlocked", "N".into());
        if record.section.takes_reduction() {
            put("isItcRedReqBlocked", yes_no(!record.takes_reduction(recipient)).into());
        }
    }
    if let Some(entry) = record.history.last() {
        if let Some(remarks) = &entry.remarks {
            put("remarks", remarks.as_str().into());
        }
        if let Some(reduction) = entry.reduction {
            reduction.write(&mut row);
        }
    }
    row.into()
}

/// The fields by which a record is known, and its amounts: what a save has to give back.
pub(super) fn identity_of(record: &Record) -> Map<String, Value> {
    let document = &record.document;
    let note = record.section.is_note();
    let mut row = Map::new();
    let mut put = |name: &str, value: Value| drop(row.insert(name.to_owned(), value));
    put("stin", document.id.supplier.as_str().into());
    put("rtnprd", document.id.period.to_string().into());
    put("srcform", record.source.into());
    put(if note { "nt_num" } else { "inum" }, document.number().into());
    put(if note { "nt_dt" } else { "idt" }, document.date().into());
    if let Some((number, date)) = document.original_name() {
        put(if note { "ont_num" } else { "oinum" }, number.into());
        put(if note { "ont_dt" } else { "oidt" }, date.into());
    }
    if !matches!(record.section, Section::Ecom | Section::EcomAmended) {
        put("inv_typ", document.value("inv_typ").cloned().unwrap_or_else(|| "R".into()));
    }
    put("pos", document.text("pos").into());
    let taxes = document.taxes();
    let value = document.value("val").map(crate::amounts::Amount::read).unwrap_or_default();
    for (name, amount) in [
        ("val", value),
        ("txval", taxes.taxable),
        ("iamt", taxes.igst),
        ("camt", taxes.cgst),
        ("samt", taxes.sgst),
        ("cess", taxes.cess),
    ] {
        put(name, amount.to_json());
    }
    row
}

/// GETCNT: how many records there are, by section and action.
pub(crate) fn counts(
    conn: &Connection,
    moment: &Moment,
    gstin: &Gstin,
    goods_type: Option<&str>,
) -> rusqlite::Result<Result<Value, GstnError>> {
    let recipient = Recipient::new(conn, moment, gstin)?;
    let mut found: BTreeMap<&str, Counts> = BTreeMap::new();
    let name = goods_type.unwrap_or("ALL_OTH").to_ascii_lowercase();
    let sections: Vec<&str> = match name.as_str() {
        "all_oth" => {
            for record in record::standing(&recipient)? {
                found.entry(record.section.as_str()).or_default().add(record.history.action());
            }
            Section::ALL.map(Section::as_str).to_vec()
        }
        "imp_gds" => {
            for import in imports::standing(&recipient)? {
                found.entry(import.section()).or_default().add(import.history.action());
            }
            IMPORTS.to_vec()
        }
        // Credit of a distributor goes into the statement without IMS.
        "inv_supp_isd" => DISTRIBUTED.to_vec(),
        _ => return Ok(Err(GstnError::new("RET11403", "Invalid API Request: goods_typ"))),
    };
    let total: u64 = found.values().map(Counts::total).sum();
    let mut group: Map<String, Value> = sections
        .into_iter()
        .map(|key| (key.to_owned(), found.remove(key).unwrap_or_default().written()))
        .collect();
    group.insert("ttl_cnt".into(), total.into());
    Ok(Ok(json!({ name: group })))
}

#[derive(Default)]
struct Counts {
    untouched: u64,
    accepted: u64,
    rejected: u64,
    pending: u64,
}

impl Counts {
    fn add(&mut self, action: Action) {
        *match action {
            Action::None => &mut self.untouched,
            Action::Accepted => &mut self.accepted,
            Action::Rejected => &mut self.rejected,
            Action::Pending => &mut self.pending,
        } += 1;
    }

    fn total(&self) -> u64 {
        self.untouched + self.accepted + self.rejected + self.pending
    }

    fn written(&self) -> Value {
        json!({
            "noaction": self.untouched, "accept": self.accepted, "reject": self.rejected, "pending": self.pending,
        })
    }
}
