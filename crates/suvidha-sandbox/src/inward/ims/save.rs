//! Acting in IMS: a save or a reset judged row by row. Good rows are kept, bad ones come back in a report.

use std::collections::BTreeMap;

use gstn::{Gstin, ReturnPeriod};
use rusqlite::Transaction;
use serde_json::{Map, Value, json};

use super::actions::{self, Action, DECLARED, NewEntry, Reduction};
use super::imports::{self, Import};
use super::record::{self, Record, Section};
use super::show::identity_of;
use crate::amounts::Amount;
use crate::filed;
use crate::forms::Form;
use crate::gstr1::GstnError;
use crate::gstr1::outward;
use crate::inward::Moment;
use crate::inward::recipient::{Place, Recipient};
use crate::inward::returns::InwardReturn;

/// The payload, or a row of it, is not of the published form.
const FORM: &str = "IMSSAV005";
/// The action that the row names as the previous one is not the one that is kept.
const PREVIOUS: &str = "IMSSAV0010";
/// No record of IMS is meant. GSTN's own code is not known.
const NO_RECORD: &str = "RET13508";

/// What became of a save or reset.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) processed: usize,
    refused: Vec<Refused>,
    /// The whole payload was refused.
    pub(crate) failed: Option<GstnError>,
}

#[derive(Debug)]
struct Refused {
    section: String,
    supplier: String,
    number: String,
    period: String,
    error: GstnError,
}

/// Refused rows by supplier, code and message.
type ByReason<'a> = BTreeMap<(&'a str, &'a str, &'a str), Vec<Value>>;

impl Outcome {
    pub(crate) fn refused(&self) -> usize {
        self.refused.len()
    }

    /// The rows refused, by section, supplier and reason. Notes, too, are told by `inum`.
    pub(crate) fn report(&self) -> Value {
        let mut sections: BTreeMap<&str, ByReason<'_>> = BTreeMap::new();
        for row in &self.refused {
            let reason = (row.supplier.as_str(), row.error.code, row.error.message.as_str());
            let rows = sections.entry(&row.section).or_default().entry(reason).or_default();
            rows.push(json!({ "inum": row.number, "rtnprd": row.period }));
        }
        let entry = |((stin, code, message), rows): ((&str, &str, &str), Vec<Value>)| json!({ "stin": stin, "error_cd": code, "error_msg": message, "inv": rows });
        let list = |rows: ByReason<'_>| rows.into_iter().map(entry).collect::<Value>();
        sections.into_iter().map(|(name, rows)| (name.to_owned(), list(rows))).collect::<Map<_, _>>().into()
    }
}

/// Carries out a save (`reqtyp` SAVE) or a reset (RESET) of `gstin`.
pub(crate) fn act(
    tx: &Transaction<'_>,
    moment: &Moment,
    gstin: &Gstin,
    payload: &Value,
    is_reset: bool,
) -> rusqlite::Result<Outcome> {
    let rows = match rows_of(payload, is_reset) {
        Ok(rows) => rows,
        Err(error) => return Ok(Outcome { failed: Some(error), ..Outcome::default() }),
    };
    let recipient = Recipient::new(tx, moment, gstin)?;
    let mut desk = Desk { recipient: &recipient, is_reset, returns: BTreeMap::new(), imports: None };
    let mut outcome = Outcome::default();
    for (section, row) in rows {
        match desk.judge(section, row)? {
            Ok(judged) => {
                judged.keep(tx, &recipient)?;
                outcome.processed += 1;
            }
            Err(error) => outcome.refused.push(Refused::of(section, row, error)),
        }
    }
    Ok(outcome)
}

impl Refused {
    fn of(section: &str, row: &Value, error: GstnError) -> Self {
        let text = |names: &[&str]| {
            let found = names.iter().find_map(|name| row.get(*name)?.as_str());
            found.unwrap_or_default().to_owned()
        };
        Self {
            section: section.to_owned(),
            supplier: text(&["stin"]),
            number: text(&["inum", "nt_num", "boenum"]),
            period: text(&["rtnprd", "srtinprd"]),
            error,
        }
    }
}

/// The rows with their sections; IMSSAV005 if the payload as a whole has another form.
fn rows_of(payload: &Value, is_reset: bool) -> Result<Vec<(&str, &Value)>, GstnError> {
    let malformed =
        |what: &str| GstnError::new(FORM, format!("The payload does not match the schema: {what}"));
    let kind = if is_reset { "RESET" } else { "SAVE" };
    if payload["reqtyp"].as_str() != Some(kind) {
        return Err(malformed("reqtyp"));
    }
    let sections = payload["invdata"].as_object().filter(|sections| !sections.is_empty());
    let mut rows = Vec::new();
    for (name, list) in sections.ok_or_else(|| malformed("invdata"))? {
        let known = Section::ALL.iter().any(|section| section.as_str() == name)
            || matches!(name.as_str(), "impg" | "impga" | "impgsez" | "impgseza");
        let list = list.as_array().filter(|_| known).ok_or_else(|| malformed(name))?;
        rows.extend(list.iter().map(|row| (name.as_str(), row)));
    }
    Ok(rows)
}

/// A row that may be carried out.
struct Judged {
    supplier: String,
    form: &'static str,
    period: ReturnPeriod,
    section: String,
    part: String,
    key: String,
    chksum: String,
    action: Action,
    remarks: Option<String>,
    reduction: Option<Reduction>,
}

impl Judged {
    fn keep(&self, tx: &Transaction<'_>, recipient: &Recipient<'_>) -> rusqlite::Result<()> {
        let entry = NewEntry {
            supplier: &self.supplier,
            form: self.form,
            period: self.period,
            section: &self.section,
            part: &self.part,
            key: &self.key,
            chksum: &self.chksum,
            action: self.action,
            remarks: self.remarks.as_deref(),
            reduction: self.reduction,
            at: recipient.moment.now,
        };
        actions::add(tx, &recipient.gstin, &entry)
    }
}

/// What a save looks at, read once per return.
struct Desk<'a> {
    recipient: &'a Recipient<'a>,
    is_reset: bool,
    returns: BTreeMap<(Gstin, Form, ReturnPeriod), Vec<Record>>,
    imports: Option<Vec<Import>>,
}

type Verdict<T> = rusqlite::Result<Result<T, GstnError>>;

impl Desk<'_> {
    fn judge(&mut self, section: &str, row: &Value) -> Verdict<Judged> {
        let Some(fields) = row.as_object() else { return Ok(Err(malformed("a row must be an object"))) };
        match Section::ALL.into_iter().find(|known| known.as_str() == section) {
            Some(section) => self.judge_document(section, fields),
            None => self.judge_import(section, fields),
        }
    }

    fn judge_document(&mut self, section: Section, row: &Map<String, Value>) -> Verdict<Judged> {
        if let Err(error) = check_fields(section, row, self.is_reset) {
            return Ok(Err(error));
        }
        let Some(record) = self.meant(section, row)? else { return Ok(Err(no_record())) };
        let action = action_of(row, self.is_reset);
        if let Err(error) = check_record(self.recipient, &record, row, action)? {
            return Ok(Err(error));
        }
        if let Err(error) = check_order(self.recipient, &record, action)? {
            return Ok(Err(error));
        }
        let id = &record.document.id;
        Ok(Ok(Judged {
            supplier: id.supplier.as_str().to_owned(),
            form: id.form.as_str(),
            period: id.period,
            section: id.section.clone(),
            part: id.part.clone(),
            key: id.key.clone(),
            chksum: record.document.chksum.clone(),
            action,
            remarks: row.get("remarks").and_then(Value::as_str).map(str::to_owned),
            reduction: Reduction::read(row),
        }))
    }

    /// The record that a row means, if it stands in IMS.
    fn meant(&mut self, section: Section, row: &Map<String, Value>) -> rusqlite::Result<Option<Record>> {
        let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default();
        let (Ok(supplier), Ok(period)) = (Gstin::parse_lenient(text("stin")), text("rtnprd").parse()) else {
            return Ok(None);
        };
        let form = if text("srcform") == "R1A" { Form::Gstr1a } else { Form::Gstr1 };
        let name = (supplier, form, period);
        if !self.returns.contains_key(&name) {
            let filed = filed::find(self.recipient.conn, &supplier, form, period)?;
            let filed = filed.map(|filed| InwardReturn { supplier, form, period, filed_on: filed.on });
            self.returns.insert(name, record::of_return(self.recipient, supplier, form, period, filed)?);
        }
        let (number, date) = if section.is_note() { ("nt_num", "nt_dt") } else { ("inum", "idt") };
        let found = self.returns.get(&name).into_iter().flatten().find(|record| {
            record.section == section
                && record.document.number().eq_ignore_ascii_case(text(number))
                && record.document.date() == text(date)
        });
        let Some(record) = found else { return Ok(None) };
        // Another row of the same save may have acted on it.
        let histories = actions::of_return(
            self.recipient.conn,
            &self.recipient.gstin,
            supplier.as_str(),
            form.as_str(),
            period,
        )?;
        let record = Record { history: histories.of(&record.document), ..record.clone() };
        let stands = !matches!(record.place(self.recipient)?, Some(Place::Closed(_)));
        Ok(stands.then_some(record))
    }

    fn judge_import(&mut self, section: &str, row: &Map<String, Value>) -> Verdict<Judged> {
        let action = action_of(row, self.is_reset);
        if action == Action::Rejected {
            return Ok(Err(malformed("an import cannot be rejected")));
        }
        if action == Action::None && !self.is_reset {
            return Ok(Err(malformed("action")));
        }
        if self.imports.is_none() {
            self.imports = Some(imports::standing(self.recipient)?);
        }
        let found = self.imports.iter().flatten().find(|import| import.is_meant_by(section, row));
        let Some(import) = found else { return Ok(Err(no_record())) };
        let kept = imports::history(self.recipient, &import.seed)?.action();
        if previous_of(row) != Some(kept) {
            return Ok(Err(other_previous()));
        }
        Ok(Ok(Judged {
            supplier: imports::OFFICE.to_owned(),
            form: imports::BILL,
            period: import.seed.period,
            section: import.seed.section.clone(),
            part: String::new(),
            key: import.seed.id.to_string(),
            chksum: import.seed.chksum(),
            action,
            remarks: None,
            reduction: None,
        }))
    }
}

fn malformed(what: &str) -> GstnError {
    GstnError::new(FORM, format!("The record does not match the schema: {what}"))
}

fn no_record() -> GstnError {
    GstnError::new(NO_RECORD, "No record of IMS has these details")
}

fn other_previous() -> GstnError {
    GstnError::new(PREVIOUS, "The previous action of the record differs from prev_status")
}

/// A reset takes the action back.
fn action_of(row: &Map<String, Value>, is_reset: bool) -> Action {
    let named = row.get("action").and_then(Value::as_str).and_then(Action::read);
    if is_reset { Action::None } else { named.unwrap_or_default() }
}

fn previous_of(row: &Map<String, Value>) -> Option<Action> {
    row.get("prev_status").and_then(Value::as_str).and_then(Action::read)
}

const AMOUNTS: [&str; 6] = ["val", "txval", "iamt", "camt", "samt", "cess"];
const OPTIONAL: [&str; 4] = ["action", "hash", "remarks", "itcRedReq"];

/// The schema of a row: every field of the record and `prev_status`, with a save `action`, and nothing unknown.
fn check_fields(section: Section, row: &Map<String, Value>, is_reset: bool) -> Result<(), GstnError> {
    let mut texts = vec!["stin", "rtnprd", "srcform", "pos", "prev_status"];
    texts.extend(if section.is_note() { ["nt_num", "nt_dt"] } else { ["inum", "idt"] });
    if section.is_amended() {
        texts.extend(if section.is_note() { ["ont_num", "ont_dt"] } else { ["oinum", "oidt"] });
    }
    if !matches!(section, Section::Ecom | Section::EcomAmended) {
        texts.push("inv_typ");
    }
    if let Some(missing) = texts.iter().find(|name| !row.get(**name).is_some_and(Value::is_string)) {
        return Err(malformed(missing));
    }
    if let Some(missing) = AMOUNTS.iter().find(|name| !row.get(**name).is_some_and(Value::is_number)) {
        return Err(malformed(missing));
    }
    let known = |name: &&String| {
        let name = name.as_str();
        [texts.as_slice(), &AMOUNTS, &OPTIONAL, &DECLARED].iter().any(|names| names.contains(&name))
    };
    if let Some(unknown) = row.keys().find(|name| !known(name)) {
        return Err(malformed(unknown));
    }
    let acts = matches!(row.get("action").and_then(Value::as_str), Some("A" | "R" | "P"));
    if previous_of(row).is_none() {
        return Err(malformed("prev_status"));
    }
    if acts || is_reset { Ok(()) } else { Err(malformed("action")) }
}

/// The row must tell the record as it stands; then the action, the remarks and the reduction must be allowed.
fn check_record(
    recipient: &Recipient<'_>,
    record: &Record,
    row: &Map<String, Value>,
    action: Action,
) -> Verdict<()> {
    let stands = identity_of(record);
    let same = |name: &String, value: &Value| match row.get(name) {
        Some(Value::Number(sent)) => Amount::read(&Value::Number(sent.clone())) == Amount::read(value),
        Some(Value::String(sent)) => value.as_str().is_some_and(|value| value.eq_ignore_ascii_case(sent)),
        _ => false,
    };
    if let Some((name, _)) = stands.iter().find(|(name, value)| !same(name, value)) {
        return Ok(Err(GstnError::new(NO_RECORD, format!("The record in IMS has another {name}"))));
    }
    if row.get("hash").and_then(Value::as_str).is_some_and(|hash| hash != record.document.chksum) {
        return Ok(Err(GstnError::new(
            NO_RECORD,
            "The record was changed by the supplier: its hash differs",
        )));
    }
    if previous_of(row) != Some(record.history.action()) {
        return Ok(Err(other_previous()));
    }
    if action == Action::Pending && !record.may_wait(recipient.moment.today()) {
        return Ok(Err(malformed("this record cannot be kept pending")));
    }
    Ok(check_declaration(recipient, record, row, action))
}

/// Remarks and declared reductions came with October 2025; a part or no reduction needs remarks (FAQ of 17.10.25).
fn check_declaration(
    recipient: &Recipient<'_>,
    record: &Record,
    row: &Map<String, Value>,
    action: Action,
) -> Result<(), GstnError> {
    let remarks = row.get("remarks").and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
    let takes_remarks = recipient.moment.rules.notes_may_be_pending(record.document.id.period);
    if row.contains_key("remarks") && (!takes_remarks || action == Action::None) {
        return Err(malformed("remarks"));
    }
    let declares = row.contains_key("itcRedReq") || DECLARED.iter().any(|name| row.contains_key(*name));
    if !declares {
        return Ok(());
    }
    if action != Action::Accepted || !record.takes_reduction(recipient) {
        return Err(malformed("itcRedReq"));
    }
    match Reduction::read(row) {
        None => Err(malformed("itcRedReq")),
        Some(Reduction::Full) => Ok(()),
        Some(Reduction::Nothing) if DECLARED.iter().any(|name| row.contains_key(*name)) => {
            Err(malformed("declIgst, declCgst, declSgst and declCess go with itcRedReq Y"))
        }
        Some(_) if remarks.is_none() => Err(malformed("remarks are required with a part or no reduction")),
        Some(Reduction::Nothing) => Ok(()),
        Some(Reduction::Part(part)) => {
            let most = record::taken_away(record);
            let fits = |part: Amount, most: Amount| part >= Amount::ZERO && part <= most;
            let all = fits(part.igst, most.igst)
                && fits(part.cgst, most.cgst)
                && fits(part.sgst, most.sgst)
                && fits(part.cess, most.cess);
            if all { Ok(()) } else { Err(malformed("the declared reduction exceeds that of the record")) }
        }
    }
}

/// An amendment is accepted or rejected only when its original is not pending any more (FAQ of 23.09.24).
fn check_order(recipient: &Recipient<'_>, record: &Record, action: Action) -> Verdict<()> {
    if !matches!(action, Action::Accepted | Action::Rejected) || !record.document.is_amendment() {
        return Ok(Ok(()));
    }
    let Some(original) = outward::original_of(recipient.conn, &record.document)? else { return Ok(Ok(())) };
    let history = actions::of_document(recipient.conn, &recipient.gstin, &original)?;
    Ok(match history.action() {
        Action::Pending => Err(malformed("act on the original record first: it is pending")),
        _ => Ok(()),
    })
}
