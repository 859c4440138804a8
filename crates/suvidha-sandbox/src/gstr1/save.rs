//! RETSAVE: good rows are kept, bad rows come back (gst-engine.md 1.1 and 1.2).

use std::collections::HashMap;

use rusqlite::{Connection, Transaction};
use serde_json::Value;

use super::checks::check_row;
use super::corrections;
use super::documents::contradictions;
use super::iff;
use super::originals::meant_by_deletion;
use super::report::ErrorReport;
use super::rows::{Row, SentRow, single_rows};
use super::schema;
use super::statements::{Statement, statements};
use super::status::submitted_already;
use super::store::{self, KeptRow};
use super::tables::{Items, TABLES};
use super::totals::Totals;
use super::{Fault, GstnError, JobOutcome, JobStatus, Rules, Subject};
use crate::duties;

/// The fault that is answered at once, before a reference id is given out: the return is filed already
/// (AUTH117). That the payload belongs to the headers is for the caller to check; [`save`] checks it again.
///
/// # Errors
/// GSTN's refusal, or the database's.
pub fn precheck_save(connection: &Connection, subject: &Subject, _payload: &Value) -> Result<(), Fault> {
    let standing = store::standing(connection, subject.gstin, subject.form, subject.period)?;
    if standing.submitted && standing.filed.is_none() {
        return Err(submitted_already().into());
    }
    if standing.filed.is_some() {
        let message = format!("{} is already filed for current period", subject.form_name());
        return Err(GstnError::new("AUTH117", message).into());
    }
    Ok(corrections::check_open(connection, subject)??)
}

/// Saves a payload, the decrypted JSON of RETSAVE. Unless all of it is refused, a return that was ready to file goes
/// back to "not filed", even if nothing but the turnover was sent.
///
/// # Errors
/// Only those of the database; what is wrong with the payload is in the outcome.
pub fn save(tx: &Transaction, subject: &Subject, payload: &Value) -> rusqlite::Result<JobOutcome> {
    if let Err(error) = check_payload(subject, payload) {
        return Ok(JobOutcome::refused(&error));
    }
    if let Err(error) = iff::check_save(tx, subject, payload)? {
        return Ok(JobOutcome::refused(&error));
    }
    let standing = store::standing(tx, subject.gstin, subject.form, subject.period)?;
    if standing.filed.is_some() || standing.submitted {
        return Ok(JobOutcome::refused(&filed_already(subject)));
    }
    if let Err(error) = corrections::check_open(tx, subject)? {
        return Ok(JobOutcome::refused(&error));
    }
    let mut tally = Tally::default();
    take_rows(tx, subject, &single_rows(payload), &mut tally)?;
    for statement in statements(payload) {
        take_statement(tx, subject, &statement, &mut tally)?;
    }
    let outcome = tally.outcome();
    if outcome.status != JobStatus::Error {
        store::take_readiness(tx, subject)?;
        duties::begin(tx, subject.gstin, subject.period)?;
    }
    Ok(outcome)
}

/// RET191183: the job came too late.
pub(super) fn filed_already(subject: &Subject) -> GstnError {
    GstnError::new("RET191183", format!("{} is already filed for the period", subject.form_name()))
}

/// What was taken, and a report on the rest.
#[derive(Default)]
struct Tally {
    taken: usize,
    report: ErrorReport,
}

impl Tally {
    fn outcome(self) -> JobOutcome {
        let error_report = self.report.into_value();
        let status = match (&error_report, self.taken) {
            (None, _) => JobStatus::Processed,
            (Some(_), 0) => JobStatus::Error,
            (Some(_), _) => JobStatus::ProcessedWithErrors,
        };
        JobOutcome { status, error_report }
    }
}

/// Faults of the payload as a whole. C codes
fn check_payload(subject: &Subject, payload: &Value) -> Result<(), GstnError> {
    if payload.is_null() {
        return Err(GstnError::new("RET191104", "GstRequest is null"));
    }
    if payload.is_object() && (payload.get("gstin").is_none() || payload.get("fp").is_none()) {
        return Err(GstnError::new("RET191131", "GSTIN or return period is missing"));
    }
    schema::validate(payload).map_err(|violation| structure(&violation.to_string()))?;
    if payload["gstin"].as_str().map(str::to_ascii_uppercase).as_deref() != Some(subject.gstin.as_str())
        || payload["fp"] != Value::String(subject.period.to_string())
    {
        return Err(GstnError::new("RET191136", "Return period or GSTIN from header and payload differ"));
    }
    check_period(subject)?;
    if subject.rules.hsn_is_split(subject.period) && payload["hsn"].get("data").is_some() {
        return Err(structure("hsn.data: from 052025 hsn_b2b and hsn_b2c take its place"));
    }
    let has_data = ["gt", "cur_gt"].iter().any(|key| payload.get(key).is_some())
        || TABLES.iter().any(|table| payload.get(table.section).is_some_and(has_content));
    if !has_data {
        return Err(GstnError::new("RET191148", "No section data or Gross Turnover available"));
    }
    Ok(())
}

/// C RET191184, RET191185
fn check_period(subject: &Subject) -> Result<(), GstnError> {
    if !Rules::is_under_gst(subject.period) {
        return Err(GstnError::new("RET191184", "The return period is before GST"));
    }
    let this_month = (i32::from(subject.today.year()), i32::from(subject.today.month()));
    if (i32::from(subject.period.year()), i32::from(subject.period.month())) > this_month {
        return Err(GstnError::new("RET191185", "The return period is in the future"));
    }
    Ok(())
}

fn structure(detail: &str) -> GstnError {
    GstnError::new("RET191106", format!("Error in Json structure validation: {detail}"))
}

fn has_content(section: &Value) -> bool {
    match section {
        Value::Array(rows) => !rows.is_empty(),
        Value::Object(parts) => !parts.is_empty(),
        _ => false,
    }
}

/// Deletions first, so that a document can be moved to another party in one payload.
fn take_rows(
    tx: &Transaction,
    subject: &Subject,
    rows: &[SentRow],
    tally: &mut Tally,
) -> rusqlite::Result<()> {
    let contradictions: HashMap<usize, GstnError> = contradictions(rows);
    for sent in rows.iter().filter(|sent| sent.is_deletion()) {
        let kept = meant_by_deletion(tx, subject, sent)?;
        if kept.is_empty() {
            let error = GstnError::new("RET191124", "There is no such row to delete");
            tally.report.row(sent, &error);
            continue;
        }
        for kept in kept {
            delete(tx, subject, &sent.row, kept)?;
        }
        tally.taken += 1;
    }
    for (index, sent) in rows.iter().enumerate().filter(|(_, sent)| !sent.is_deletion()) {
        let verdict = match contradictions.get(&index) {
            Some(error) => Err(error.clone()),
            None => check_row(tx, subject, &sent.row)?,
        };
        match verdict {
            Err(error) => tally.report.row(sent, &error),
            Ok(original) => {
                put(tx, subject, &sent.row, original)?;
                tally.taken += 1;
            }
        }
    }
    Ok(())
}

/// Deletes a row, or the rates of it that the deletion lists.
fn delete(tx: &Transaction, subject: &Subject, deletion: &Row, kept: KeptRow) -> rusqlite::Result<()> {
    let mut row = kept.row;
    let rates: Vec<_> = deletion.items().iter().map(|item| item.rate).collect();
    if row.table.items == Items::ByRate && !rates.is_empty() {
        retain_items(&mut row, |rate| !rates.contains(&rate));
        if !row.items().is_empty() {
            return store::put(tx, subject, &row, kept.original);
        }
    }
    store::delete(tx, subject, row.table, &kept.key)
}

fn put(tx: &Transaction, subject: &Subject, row: &Row, original: Option<Totals>) -> rusqlite::Result<()> {
    if row.table.items != Items::ByRate {
        return store::put(tx, subject, row, original);
    }
    let mut merged = row.clone();
    let same_key = store::with_key(tx, subject.gstin, row.table, &row.key())?;
    let mut original = original;
    if let Some(kept) = same_key.into_iter().find(|kept| subject.owns(kept)) {
        let sent: Vec<_> = row.items().iter().map(|item| item.rate).collect();
        let mut earlier = kept.row;
        retain_items(&mut earlier, |rate| !sent.contains(&rate));
        append_items(&mut merged, &earlier);
        if merged.table.amends.is_some() && !earlier.items().is_empty() {
            original = super::originals::find(tx, subject, &merged)?.unwrap_or(original);
        }
    }
    sort_items(&mut merged);
    store::put(tx, subject, &merged, original)
}

fn retain_items(row: &mut Row, keep: impl Fn(crate::amounts::Amount) -> bool) {
    let mut keeps = row.items().into_iter().map(|item| keep(item.rate)).collect::<Vec<_>>().into_iter();
    if let Some(Value::Array(items)) = row.body.get_mut("itms") {
        items.retain(|_| keeps.next().unwrap_or(true));
    }
}

fn append_items(row: &mut Row, other: &Row) {
    let others = other.body.get("itms").and_then(Value::as_array).cloned().unwrap_or_default();
    if let Some(Value::Array(items)) = row.body.get_mut("itms") {
        items.extend(others);
    }
}

/// By rate, so that the order in which rates were sent leaves no trace.
fn sort_items(row: &mut Row) {
    if let Some(Value::Array(items)) = row.body.get_mut("itms") {
        items.sort_by_key(|item| item.get("rt").map(crate::amounts::Amount::read));
    }
}

fn take_statement(
    tx: &Transaction,
    subject: &Subject,
    statement: &Statement,
    tally: &mut Tally,
) -> rusqlite::Result<()> {
    if let Err(error) = statement.check(subject) {
        tally.report.section(statement.section, &statement.sent, &error);
        return Ok(());
    }
    store::clear_section(tx, subject, statement.section)?;
    for sent in statement.rows.iter().filter(|_| !statement.deletion) {
        store::put(tx, subject, &sent.row, None)?;
    }
    tally.taken += 1;
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{
        Books, CUSTOMER, NEIGHBOUR, SUPPLIER, b2b, codes, every_section, item, june, merge, payload,
        processed,
    };
    use super::*;

    #[test]
    fn a_payload_touching_every_section_is_taken() {
        let mut books = Books::with_june();
        assert_eq!(books.save("072025", &every_section()), processed());
    }

    #[test]
    fn faults_of_the_whole_payload() {
        let good = payload("072025", &b2b(&json!({})));
        let with = |changes: Value| {
            let mut payload = good.clone();
            merge(&mut payload, &changes);
            payload
        };
        for (payload, expected) in [
            (Value::Null, "RET191104"),
            (with(json!({"gstin": null})), "RET191131"),
            (with(json!({"fp": null})), "RET191131"),
            (json!([]), "RET191106"),
            (with(json!({"gstin": CUSTOMER})), "RET191136"),
            (with(json!({"gstin": SUPPLIER.to_lowercase()})), ""),
            (with(json!({"fp": "062025"})), "RET191136"),
            (with(json!({"b2b": null})), "RET191148"),
            (with(json!({"b2b": []})), "RET191148"),
            (with(json!({"b2b": null, "gt": 1})), ""),
        ] {
            assert_eq!(codes(&Books::new().save("072025", &payload)).join(" "), expected, "{payload}");
        }
        assert_eq!(codes(&Books::new().save("092025", &with(json!({"fp": "092025"})))), ["RET191185"]);
        assert_eq!(codes(&Books::new().save("062017", &with(json!({"fp": "062017"})))), ["RET191184"]);
    }

    #[test]
    fn a_row_sent_again_replaces_the_whole_row() {
        let mut books = Books::new();
        let two = json!([{"num": 1, "itm_det": {"rt": 18, "txval": 1000, "iamt": 180}},
            {"num": 2, "itm_det": {"rt": 5, "txval": 100, "iamt": 5}}]);
        assert_eq!(books.save_july(&b2b(&json!({"inum": "a/1", "itms": two}))), processed());
        assert_eq!(books.save_july(&b2b(&json!({"inum": "A/1"}))), processed());
        let read = books.section("072025", "B2B").unwrap();
        let invoices = read["b2b"][0]["inv"].as_array().unwrap();
        assert_eq!((invoices.len(), &invoices[0]["inum"]), (1, &json!("A/1")));
        assert_eq!(invoices[0]["itms"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn rows_of_one_payload_that_contradict_each_other_are_all_refused() {
        let second = |changes: Value| {
            let mut sections = b2b(&json!({}));
            merge(&mut sections, &changes);
            let other = b2b(&json!({"inum": "a/1"}))["b2b"][0].clone();
            (sections, other)
        };
        let (mut same, other) = second(json!({}));
        same["b2b"].as_array_mut().unwrap().push(other.clone());
        assert_eq!(codes(&Books::new().save_july(&same)), ["RET191190"; 2]);
        let (mut moved, mut other) = second(json!({}));
        other["ctin"] = "29AABCT1332L1ZA".into();
        moved["b2b"].as_array_mut().unwrap().push(other);
        assert_eq!(codes(&Books::new().save_july(&moved)), ["RET191133"; 2]);
        let large = json!({"inum": "A/1", "idt": "05-07-2025", "val": 200000,
            "itms": item(18.0, 1000.0, &json!({"iamt": 180}))});
        let (across, _) = second(json!({"b2cl": [{"pos": "33", "inv": [large.clone()]}]}));
        assert_eq!(codes(&Books::new().save_july(&across)), ["RET191134"; 2]);
        let states = json!({"b2cl": [{"pos": "33", "inv": [large]}, {"pos": "29", "inv": [large]}]});
        assert_eq!(codes(&Books::new().save_july(&states)), ["RET191135"; 2]);
    }

    #[test]
    fn a_number_in_the_books_is_not_taken_by_another_party_section_or_period() {
        let mut books = Books::with_june();
        books.save_july(&b2b(&json!({})));
        assert_eq!(
            codes(&books.save_july(&b2b(&json!({"ctin": "29AABCT1332L1ZA", "pos": "29"})))),
            ["RET191133"]
        );
        let export = json!({"exp": [{"exp_typ": "WPAY", "inv": [{"inum": "A/1", "idt": "06-07-2025", "val": 105,
            "itms": [{"rt": 5, "txval": 100, "iamt": 5}]}]}]});
        assert_eq!(codes(&books.save_july(&export)), ["RET191134"]);
        let again = books.save_july(&b2b(&json!({"inum": "j/001"})));
        assert_eq!(codes(&again), ["RET191111"]);
        let message = &again.error_report.unwrap()["b2b"][0]["error_msg"];
        assert_eq!(message, "Invoice No. J/001 already exist in GSTR 1 of 062025");
        assert_eq!(
            books.save_july(&b2b(&json!({"inum": "J/001", "idt": "31-03-2025"}))),
            processed(),
            "another year"
        );
        let note = json!({"cdnr": [{"ctin": CUSTOMER, "nt": [{"ntty": "C", "nt_num": "JC/1", "nt_dt": "01-07-2025",
            "val": 118, "pos": "33", "rchrg": "N", "inv_typ": "R", "itms": item(18.0, 100.0, &json!({"iamt": 18}))}]}]});
        assert_eq!(codes(&books.save_july(&note)), ["RET191123"]);
    }

    #[test]
    fn deletions() {
        let mut books = Books::with_june();
        books.save("072025", &every_section());
        let gone = |books: &mut Books, sections: Value| {
            assert_eq!(books.save_july(&sections), processed(), "{sections}");
        };
        let delete = |ctin: &str| json!({"b2b": [{"ctin": ctin, "inv": [{"flag": "D", "inum": "s008400", "idt": "24-07-2025"}]}]});
        assert_eq!(codes(&books.save_july(&delete(NEIGHBOUR))), ["RET191124"]);
        gone(&mut books, delete(CUSTOMER));
        assert_eq!(codes(&books.save_july(&delete(CUSTOMER))), ["RET191124"], "once is enough");
        // An amendment, by its revised number alone.
        gone(
            &mut books,
            json!({"b2ba": [{"ctin": CUSTOMER, "inv": [{"flag": "D", "inum": "J/001R", "idt": "10-06-2025"}]}]}),
        );
        assert_eq!(books.section("072025", "B2BA"), None);
        // Rate rows: what the deletion leaves out does not matter.
        gone(&mut books, json!({"b2cs": [{"flag": "D", "typ": "OE", "sply_ty": "INTRA"}]}));
        assert_eq!(books.section("072025", "B2CS").unwrap()["b2cs"].as_array().unwrap().len(), 2);
        // One rate of two.
        gone(
            &mut books,
            json!({"at": [{"flag": "D", "pos": "27", "sply_ty": "INTRA", "itms": [{"rt": 5}]}]}),
        );
        let at = books.section("072025", "AT").unwrap();
        assert_eq!(at["at"][0]["itms"], json!([{"rt": 12, "ad_amt": 100, "camt": 6, "samt": 6}]));
        gone(&mut books, json!({"at": [{"flag": "D", "pos": "27", "sply_ty": "INTRA"}]}));
        assert_eq!(books.section("072025", "AT"), None);
        gone(&mut books, json!({"hsn": {"flag": "D"}, "nil": {"flag": "D"}, "doc_issue": {"flag": "D"}}));
        for action in ["HSNSUM", "NIL", "DOCISS"] {
            assert_eq!(books.section("072025", action), None);
        }
    }

    #[test]
    fn a_document_moves_to_another_party_in_one_payload() {
        let mut books = Books::new();
        books.save_july(&b2b(&json!({})));
        let deletion = json!({"ctin": CUSTOMER, "inv": [{"flag": "D", "inum": "A/1", "idt": "05-07-2025"}]});
        let mut sections = b2b(&json!({"ctin": "29AABCT1332L1ZA", "pos": "29"}));
        sections["b2b"].as_array_mut().unwrap().push(deletion);
        assert_eq!(books.save_july(&sections), processed());
        let read = books.section("072025", "B2B").unwrap();
        assert_eq!(read["b2b"].as_array().unwrap().len(), 1);
        assert_eq!(read["b2b"][0]["ctin"], "29AABCT1332L1ZA");
    }

    #[test]
    fn statements_are_replaced_as_a_whole_and_rates_one_by_one() {
        let mut books = Books::new();
        let nil = |supply: &str| json!({"nil": {"inv": [{"sply_ty": supply, "nil_amt": 1, "expt_amt": 2, "ngsup_amt": 3}]}});
        books.save_july(&nil("INTRB2B"));
        books.save_july(&nil("INTRB2C"));
        let read = books.section("072025", "NIL").unwrap();
        assert_eq!(read["nil"]["inv"].as_array().unwrap().len(), 1);
        assert_eq!(read["nil"]["inv"][0]["sply_ty"], "INTRB2C");
        let advance = |rate: i32, amount: i32| {
            let tax = f64::from(rate * amount) / 100.0;
            json!({"at": [{"pos": "33", "sply_ty": "INTER", "itms": [{"rt": rate, "ad_amt": amount, "iamt": tax}]}]})
        };
        books.save_july(&advance(18, 100));
        books.save_july(&advance(5, 100));
        books.save_july(&advance(18, 200));
        let at = books.section("072025", "AT").unwrap();
        assert_eq!(
            at["at"][0]["itms"],
            json!([{"rt": 5, "ad_amt": 100, "iamt": 5.0}, {"rt": 18, "ad_amt": 200, "iamt": 36.0}])
        );
    }

    #[test]
    fn a_filed_return_takes_nothing_more() {
        let mut books = Books::with_june();
        assert_eq!(codes(&books.save("062025", &june())), ["RET191183"]);
        let refused = precheck_save(&books.connection, &books.subject("062025"), &june()).unwrap_err();
        assert!(matches!(refused, Fault::Gstn(error) if error.code == "AUTH117"));
        assert!(precheck_save(&books.connection, &books.subject("072025"), &june()).is_ok());
    }
}
