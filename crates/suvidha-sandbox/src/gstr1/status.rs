//! The life of a return: not filed → ready to file → filed (gst-engine.md 1.1).

use gstn::{Gstin, ReturnPeriod};
use rusqlite::{Connection, Transaction};
use serde_json::Value;

use super::corrections;
use super::iff;
use super::outward;
use super::reconcile::check_completeness;
use super::save::filed_already;
use super::store;
use super::summary::current_checksum;
use super::{Fault, GstnError, JobOutcome, Rules, Subject};
use crate::calendar::{first_day, last_day};
use crate::duties;
use crate::filed::{self, Filed};
use crate::forms::Form;

/// Where a return stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReturnState {
    /// Rows may come and go.
    NotFiled,
    /// Proceeded to file; the summary is fixed until the next save.
    ReadyToFile,
    /// Filed for good.
    Filed(Filed),
}

/// Where the return stands.
///
/// # Errors
/// Only those of the database.
pub fn status(connection: &Connection, subject: &Subject) -> rusqlite::Result<ReturnState> {
    let standing = store::standing(connection, subject.gstin, subject.form, subject.period)?;
    Ok(match (standing.filed, standing.summary_chksum) {
        (Some(filed), _) => ReturnState::Filed(filed),
        (None, Some(_)) => ReturnState::ReadyToFile,
        (None, None) => ReturnState::NotFiled,
    })
}

/// Whether the GSTR-1 of a period was filed as a nil return.
///
/// # Errors
/// Only those of the database.
pub fn was_nil(connection: &Connection, gstin: &Gstin, period: ReturnPeriod) -> rusqlite::Result<bool> {
    let standing = store::standing(connection, gstin, Form::Gstr1, period)?;
    Ok(standing.filed.is_some() && standing.nil)
}

/// Deletes every row of the period; the return is "not filed" again.
///
/// # Errors
/// Only those of the database; a filed return gives an outcome with RET191183.
pub fn reset(tx: &Transaction, subject: &Subject) -> rusqlite::Result<JobOutcome> {
    let standing = store::standing(tx, subject.gstin, subject.form, subject.period)?;
    if standing.filed.is_some() || standing.submitted {
        return Ok(JobOutcome::refused(&filed_already(subject)));
    }
    store::clear(tx, subject)?;
    store::take_readiness(tx, subject)?;
    Ok(JobOutcome::processed())
}

/// The faults of RETNEWPTF that are answered at once: RET00009 filed already, RET00003 ready already (clients
/// take it for a success), AUTH113 for a period that has no return, `isnil` on a return that has rows (I), and the
/// bars on filing.
///
/// # Errors
/// GSTN's refusal, or the database's.
pub fn precheck_proceed_to_file(
    connection: &Connection,
    subject: &Subject,
    isnil: bool,
) -> Result<(), Fault> {
    let standing = store::standing(connection, subject.gstin, subject.form, subject.period)?;
    if standing.filed.is_some() {
        return Err(GstnError::new("RET00009", "The return is already filed").into());
    }
    if standing.summary_chksum.is_some() {
        return Err(GstnError::new("RET00003", "The return is already ready to file").into());
    }
    if !has_a_return(subject) {
        return Err(GstnError::new("AUTH113", "Invalid Return Period").into());
    }
    if isnil && store::has_rows(connection, subject)? {
        return Err(
            GstnError::new("RET11403", "Invalid API Request: isnil is Y, but the return has rows").into()
        );
    }
    if isnil && iff::unfiled_rows_of_the_quarter(connection, subject)? {
        let message =
            "Invalid API Request: isnil is Y, but an IFF of the quarter has rows that were not filed";
        return Err(GstnError::new("RET11403", message).into());
    }
    Ok(may_be_filed(connection, subject)??)
}

/// Returns began with GST and with the registration, and the period must have begun.
fn has_a_return(subject: &Subject) -> bool {
    let begun = first_day(subject.period) <= subject.today;
    let registered = last_day(subject.period) >= subject.registered_on;
    begun && registered && Rules::is_under_gst(subject.period)
}

/// RETNEWPTF: fixes the summary by its checksum and makes the return ready to file.
///
/// # Errors
/// Only those of the database; what stands in the way is in the outcome.
pub fn proceed_to_file(tx: &Transaction, subject: &Subject, isnil: bool) -> rusqlite::Result<JobOutcome> {
    match precheck_proceed_to_file(tx, subject, isnil) {
        Ok(()) => {}
        Err(Fault::Gstn(error)) => return Ok(JobOutcome::refused(&error)),
        Err(Fault::Database(error)) => return Err(error),
    }
    let rows = store::all_rows(tx, subject)?;
    let is_whole = subject.form == Form::Gstr1 && !iff::is_iff(tx, subject)?;
    if !isnil && let Err(error) = check_completeness(subject, &rows, is_whole) {
        return Ok(JobOutcome::refused(&error));
    }
    let chksum = current_checksum(tx, subject)?;
    store::put_ready(tx, subject, &chksum, isnil)?;
    duties::begin(tx, subject.gstin, subject.period)?;
    Ok(JobOutcome::processed())
}

/// The faults of RETSUBMIT that are answered at once: RET12521 submitted already, and those of proceeding to file.
///
/// # Errors
/// GSTN's refusal, or the database's.
pub fn precheck_submit(connection: &Connection, subject: &Subject) -> Result<(), Fault> {
    let standing = store::standing(connection, subject.gstin, subject.form, subject.period)?;
    if standing.submitted {
        return Err(submitted_already().into());
    }
    match precheck_proceed_to_file(connection, subject, false) {
        // Being ready to file does not stand in its way.
        Err(Fault::Gstn(error)) if error.code == "RET00003" => Ok(()),
        checked => checked,
    }
}

/// RETSUBMIT, until 2021: fixes the summary and closes the return for good.
///
/// # Errors
/// Only those of the database; what stands in the way is in the outcome.
pub fn submit(tx: &Transaction, subject: &Subject) -> rusqlite::Result<JobOutcome> {
    match precheck_submit(tx, subject) {
        Ok(()) => {}
        Err(Fault::Gstn(error)) => return Ok(JobOutcome::refused(&error)),
        Err(Fault::Database(error)) => return Err(error),
    }
    store::take_readiness(tx, subject)?;
    let outcome = proceed_to_file(tx, subject, false)?;
    if outcome == JobOutcome::processed() {
        store::put_submitted(tx, subject)?;
    }
    Ok(outcome)
}

/// GENSUM, until 2021: sums are always there, so there is only to say whether there is anything to sum up.
///
/// # Errors
/// Only those of the database.
pub fn sum_up(connection: &Connection, subject: &Subject) -> rusqlite::Result<JobOutcome> {
    if store::has_rows(connection, subject)? {
        return Ok(JobOutcome::processed());
    }
    Ok(JobOutcome::refused(&GstnError::new("RET191148", "No section data or Gross Turnover available")))
}

pub(super) fn submitted_already() -> GstnError {
    GstnError::new("RET12521", "GSTR1 is already submitted for current period")
}

/// The fault of RETFILE that comes before all others: RT_FIL_02, filed already. A client that missed the answer
/// files again with an OTP that is used up, and must learn that the first filing went through.
///
/// # Errors
/// GSTN's refusal, or the database's.
pub fn precheck_file(connection: &Connection, subject: &Subject) -> Result<(), Fault> {
    if store::standing(connection, subject.gstin, subject.form, subject.period)?.filed.is_some() {
        return Err(GstnError::new("RT_FIL_02", format!("{} is already filed", subject.form_name())).into());
    }
    Ok(())
}

/// Files the return. `summary` is the JSON that was signed, the short RETSUM: its checksum is compared if it
/// has one, its text never, because clients reorder and drop keys (gstn.md section 10).
///
/// # Errors
/// RT_FIL_02 filed already; RET09001 not proceeded to file, or rows changed since; RT_FIL_09 another checksum;
/// RTN_FIL_30 the summary of another return; or the database's.
pub fn file(tx: &Transaction, subject: &Subject, summary: &Value, arn: &str) -> Result<(), Fault> {
    precheck_file(tx, subject)?;
    let standing = store::standing(tx, subject.gstin, subject.form, subject.period)?;
    let current = current_checksum(tx, subject)?;
    if standing.summary_chksum.as_ref() != Some(&current) {
        return Err(
            GstnError::new("RET09001", "Latest Summary is not available. Please proceed to file").into()
        );
    }
    check_signed(subject, summary, &current)?;
    may_be_filed(tx, subject)??;
    filed::record(tx, subject.gstin, subject.form, subject.period, arn, subject.today)?;
    Ok(outward::note_filing(tx, subject)?)
}

fn check_signed(subject: &Subject, summary: &Value, current: &str) -> Result<(), GstnError> {
    let stated = |key: &str| summary.get(key).and_then(Value::as_str);
    let period = subject.period.to_string();
    if stated("chksum").is_some_and(|chksum| chksum != current) {
        return Err(GstnError::new("RT_FIL_09", "Signed summary is not the latest one"));
    }
    let of_another = stated("gstin").is_some_and(|gstin| gstin != subject.gstin.as_str())
        || stated("ret_period").is_some_and(|stated| stated != period);
    if of_another || !summary.is_object() {
        let message = "Signed summary data does not matches with encoded hash summary";
        return Err(GstnError::new("RTN_FIL_30", message));
    }
    Ok(())
}

/// Bars on filing that look at other returns or at the calendar: the three-year bar (A, code I) and the returns
/// before.
fn may_be_filed(connection: &Connection, subject: &Subject) -> rusqlite::Result<Result<(), GstnError>> {
    if subject.rules.is_barred(subject.period, subject.today) {
        let message = "Filing is barred: three years have passed since the due date";
        return Ok(Err(GstnError::new("RET12590", message)));
    }
    if let Err(error) = iff::check_filing(connection, subject)? {
        return Ok(Err(error));
    }
    if subject.form == Form::Gstr1a {
        return corrections::check_open(connection, subject);
    }
    let rules = &subject.rules;
    if let Some((form, period)) =
        duties::missing_before_gstr1(connection, rules, subject.gstin, subject.period)?
    {
        let message = format!("{} of the previous period {period} is not filed", form.long_name());
        return Ok(Err(GstnError::new("RET192409", message)));
    }
    Ok(Ok(()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::JobStatus;
    use super::super::testing::{
        Books, NEIGHBOUR, b2b, codes, every_section, june, merge, payload, period, processed,
    };
    use super::*;

    /// A return that may be filed: July 2025 with all its tables.
    fn complete() -> Books {
        let mut books = Books::with_june();
        assert_eq!(books.save("072025", &every_section()), processed());
        books
    }

    fn refused_at_once(books: &Books, isnil: bool) -> Option<&'static str> {
        refusal(books, "072025", isnil)
    }

    fn refusal(books: &Books, period: &str, isnil: bool) -> Option<&'static str> {
        match precheck_proceed_to_file(&books.connection, &books.subject(period), isnil) {
            Ok(()) => None,
            Err(Fault::Gstn(error)) => Some(error.code),
            Err(Fault::Database(error)) => panic!("{error}"),
        }
    }

    #[test]
    fn from_not_filed_to_filed() {
        let mut books = complete();
        assert_eq!(books.status("072025"), ReturnState::NotFiled);
        let early = books.summary("072025", false).unwrap();
        assert_eq!(books.try_file("072025", &early), Err("RET09001"));
        assert_eq!(books.proceed("072025", false), processed());
        assert_eq!(books.status("072025"), ReturnState::ReadyToFile);
        assert_eq!(refused_at_once(&books, false), Some("RET00003"));
        assert_eq!(codes(&books.proceed("072025", false)), ["RET00003"]);
        assert_eq!(books.try_file("072025", &early), Ok(()));
        assert!(matches!(books.status("072025"), ReturnState::Filed(filed) if filed.on == books.today));
        assert_eq!(refused_at_once(&books, false), Some("RET00009"));
        assert_eq!(books.try_file("072025", &early), Err("RT_FIL_02"));
        assert_eq!(codes(&books.reset("072025")), ["RET191183"]);
        assert_eq!(books.summary("072025", false), Some(early), "a filed summary stands");
        let filed = filed::of(&books.connection, &books.gstin).unwrap();
        assert_eq!(
            filed.iter().map(|row| row.period).collect::<Vec<_>>(),
            [period("062025"), period("072025")]
        );
    }

    #[test]
    fn a_save_or_a_reset_takes_readiness_away() {
        let mut books = complete();
        books.proceed("072025", false);
        let old = books.summary("072025", false).unwrap();
        assert_eq!(codes(&books.save_july(&b2b(&json!({"pos": "28"})))), ["RET191112"]);
        assert_eq!(books.status("072025"), ReturnState::ReadyToFile, "nothing was taken");
        assert_eq!(books.save_july(&b2b(&json!({}))), processed());
        assert_eq!(books.status("072025"), ReturnState::NotFiled);
        assert_eq!(books.try_file("072025", &old), Err("RET09001"));
        books.proceed("072025", false);
        assert_eq!(books.try_file("072025", &old), Err("RT_FIL_09"));
        assert_eq!(books.save_july(&json!({"gt": 1})), processed());
        assert_eq!(books.status("072025"), ReturnState::NotFiled, "a turnover alone is a save as well");
        books.proceed("072025", false);
        assert_eq!(books.reset("072025"), processed());
        assert_eq!((books.status("072025"), books.summary("072025", false)), (ReturnState::NotFiled, None));
    }

    #[test]
    fn the_signed_summary_may_be_reordered_or_shortened_but_not_another_one() {
        let mut books = complete();
        books.proceed("072025", false);
        let summary = books.summary("072025", false).unwrap();
        let with = |changes| {
            let mut summary = summary.clone();
            merge(&mut summary, &changes);
            summary
        };
        assert_eq!(books.try_file("072025", &with(json!({"chksum": "0"}))), Err("RT_FIL_09"));
        assert_eq!(books.try_file("072025", &with(json!({"ret_period": "062025"}))), Err("RTN_FIL_30"));
        assert_eq!(books.try_file("072025", &with(json!({"gstin": NEIGHBOUR}))), Err("RTN_FIL_30"));
        assert_eq!(books.try_file("072025", &json!("text")), Err("RTN_FIL_30"));
        assert_eq!(books.try_file("072025", &with(json!({"chksum": null, "ret_period": null}))), Ok(()));
    }

    #[test]
    fn a_nil_return() {
        let mut books = Books::new();
        let empty = books.proceed("072025", false);
        assert_eq!((empty.status, codes(&empty)), (JobStatus::Error, vec!["RET191148".to_owned()]));
        assert_eq!(books.proceed("072025", true), processed());
        let summary = books.summary("072025", false).unwrap();
        assert_eq!(summary["isnil"], "Y");
        assert_eq!(books.try_file("072025", &summary), Ok(()));
        for (month, today, fault) in [
            ("072025", jiff::civil::date(2025, 6, 30), Some("AUTH113")),
            ("072025", jiff::civil::date(2025, 7, 1), None),
            ("072025", jiff::civil::date(2028, 9, 1), Some("RET12590")),
            ("062017", jiff::civil::date(2017, 7, 1), Some("AUTH113")),
        ] {
            let books = Books { today, ..Books::new() };
            assert_eq!(refusal(&books, month, true), fault, "{month} on {today}: no success is invented");
        }
        let newcomer = Books { registered_on: jiff::civil::date(2025, 8, 1), ..Books::new() };
        assert_eq!(refused_at_once(&newcomer, true), Some("AUTH113"), "before registration");
        let mut books = complete();
        assert_eq!(refused_at_once(&books, true), Some("RET11403"));
        assert_eq!(codes(&books.proceed("072025", true)), ["RET11403"]);
    }

    #[test]
    fn tables_12_and_13_are_needed_from_may_2025() {
        let mut books = Books::new();
        books.save_july(&b2b(&json!({})));
        assert_eq!(codes(&books.proceed("072025", false)), ["RET191194"]);
        books.save_july(&json!({"hsn": every_section()["hsn"]}));
        assert_eq!(codes(&books.proceed("072025", false)), ["RET191148"]);
        books.save_july(&json!({"doc_issue": every_section()["doc_issue"]}));
        assert_eq!(books.proceed("072025", false), processed());
        let mut before = Books::new();
        before.save("042025", &payload("042025", &b2b(&json!({"idt": "01-04-2025"}))));
        assert_eq!(before.proceed("042025", false), processed());
    }

    #[test]
    fn the_previous_returns_come_first_unless_that_rule_is_off() {
        let mut books = Books::new();
        books.rules.previous_return_first = true;
        assert_eq!(books.save("062025", &june()), processed());
        books.save_july(&every_section());
        assert_eq!(codes(&books.proceed("072025", false)), ["RET192409"]);
        books.file("062025");
        let why = books.proceed("072025", false).error_report.unwrap().to_string();
        assert!(why.contains("GSTR3B of the previous period 062025"), "{why}");
        books.rules.previous_return_first = false;
        assert_eq!(books.proceed("072025", false), processed());
    }

    #[test]
    fn three_years_after_the_due_date_filing_ends() {
        let mut books = Books::new();
        books.today = jiff::civil::date(2026, 1, 5);
        books.save("102022", &payload("102022", &b2b(&json!({"idt": "01-10-2022"}))));
        assert_eq!(codes(&books.proceed("102022", false)), ["RET12590"]);
    }

    #[test]
    fn until_2021_a_return_is_submitted_and_closed() {
        let mut books = Books { today: jiff::civil::date(2022, 1, 20), ..Books::new() };
        let december = payload("122021", &b2b(&json!({"idt": "05-12-2021"})));
        assert_eq!(codes(&sum_up(&books.connection, &books.subject("122021")).unwrap()), ["RET191148"]);
        assert_eq!(books.save("122021", &december), processed());
        assert_eq!(sum_up(&books.connection, &books.subject("122021")).unwrap(), processed());
        let submitted = |books: &Books| {
            let tx = books.connection.unchecked_transaction().unwrap();
            let outcome = submit(&tx, &books.subject("122021")).unwrap();
            tx.commit().unwrap();
            outcome
        };
        assert_eq!(books.proceed("122021", false), processed(), "the new way is open to old periods, too");
        assert_eq!(submitted(&books), processed());
        assert_eq!(codes(&submitted(&books)), ["RET12521"]);
        assert_eq!(codes(&books.save("122021", &december)), ["RET191183"]);
        assert_eq!(codes(&books.reset("122021")), ["RET191183"]);
        let summary = books.summary("122021", false).unwrap();
        assert_eq!(books.try_file("122021", &summary), Ok(()));
    }
}
