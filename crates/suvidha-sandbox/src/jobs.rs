//! Asynchronous work: a save is accepted at once and processed later, one job per return at a time.
//!
//! A job is a row. It is on disk before its reference id is given out, and a restart takes up whatever is
//! unfinished. RETSTATUS tells REC until processing starts, IP until it ends, and then P, PE or ER.

use std::sync::Arc;
use std::time::Duration;

use gstn::{Gstin, ReturnPeriod};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use crate::config::{Latency, WhileProcessing};
use crate::fault::Fault;
use crate::forms::Form;
use crate::gstr1::{JobOutcome, JobStatus, Subject};
use crate::gstr3b_api;
use crate::inward_api;
use crate::outward;
use crate::simulator::Simulator;
use crate::taxpayers::{self, Taxpayer};

/// A clock that is moved by hand is looked at this often while a job waits for it.
const LONGEST_NAP_MS: i64 = 20;
/// A job that is done is forgotten after 90 days: error reports are as large as what was refused.
const REMEMBERED_MS: i64 = 90 * 24 * 60 * 60 * 1000;
/// How long the worker rests when the database fails it.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// What a job works on: one return, or for a form without periods all that a taxpayer has of it. One job at a time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slot<'a> {
    pub(crate) gstin: &'a Gstin,
    pub(crate) form: Form,
    pub(crate) period: Option<ReturnPeriod>,
}

impl<'a> Slot<'a> {
    /// The return of a subject.
    pub(crate) fn of(subject: &Subject<'a>) -> Self {
        Self { gstin: subject.gstin, form: subject.form, period: Some(subject.period) }
    }

    fn period_text(&self) -> String {
        self.period.map(|period| period.to_string()).unwrap_or_default()
    }
}

/// A job to be accepted.
pub(crate) struct NewJob<'a> {
    pub(crate) slot: Slot<'a>,
    /// The form's own name for what is to be done, as RETSTATUS shows it.
    pub(crate) action: &'a str,
    pub(crate) payload: Option<&'a str>,
    pub(crate) duration_ms: i64,
}

/// A job that is due, as its form gets it.
pub(crate) struct Job {
    pub(crate) taxpayer: Taxpayer,
    pub(crate) form: Form,
    pub(crate) period: Option<ReturnPeriod>,
    pub(crate) action: String,
    pub(crate) payload: Value,
}

impl Job {
    /// The form does not know the action, or lacks the period: a newer version of the sandbox left the job.
    pub(crate) fn unknown(&self) -> rusqlite::Error {
        let what = format!("there is no job {} of {}", self.action, self.form.as_str());
        rusqlite::Error::ToSqlConversionFailure(what.into())
    }
}

/// Whether another job of this return may be accepted now: one at a time, unless jobs are to queue.
pub(crate) fn refuse_unless_queued(
    conn: &Connection,
    simulator: &Simulator,
    slot: &Slot<'_>,
) -> Result<(), Fault> {
    match simulator.config.while_processing {
        WhileProcessing::Refuse => refuse_while_busy(conn, slot),
        WhileProcessing::Queue => Ok(()),
    }
}

/// RTN_15, or RET191251 during a reset, as long as a job of this return is open.
pub(crate) fn refuse_while_busy(conn: &Connection, slot: &Slot<'_>) -> Result<(), Fault> {
    match open_job(conn, slot)?.as_deref() {
        None => Ok(()),
        Some("RESET") => Err(Fault::new("RET191251", "RESET is under process. Please try after some time")),
        Some(_) => Err(Fault::new("RTN_15", "Returns still under processing")),
    }
}

/// Puts a job on the list and gives its reference id, which must not leave the house before `tx` commits.
pub(crate) fn accept(
    tx: &Transaction<'_>,
    simulator: &Simulator,
    job: &NewJob<'_>,
) -> rusqlite::Result<String> {
    let reference_id = simulator.seam.uuid().to_string();
    let now = simulator.seam.now().as_millisecond();
    tx.prepare_cached("DELETE FROM jobs WHERE received_at < ?1 AND status IS NOT NULL")?
        .execute([now - REMEMBERED_MS])?;
    let starts_at = now.max(end_of_queue(tx, &job.slot)?.unwrap_or(now)) + job.duration_ms / 5;
    let due_at = starts_at + job.duration_ms - job.duration_ms / 5;
    tx.prepare_cached(
        "INSERT INTO jobs (reference_id, gstin, period, form, action, payload, received_at, starts_at, due_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute(params![
        reference_id,
        job.slot.gstin.as_str(),
        job.slot.period_text(),
        job.slot.form.as_str(),
        job.action,
        job.payload,
        now,
        starts_at,
        due_at
    ])?;
    Ok(reference_id)
}

/// What RETSTATUS tells of a job of this taxpayer.
pub(crate) fn status(
    conn: &Connection,
    gstin: &Gstin,
    reference_id: &str,
    now: Timestamp,
) -> rusqlite::Result<Option<Value>> {
    conn.prepare_cached(
        "SELECT form, action, starts_at, status, error_report FROM jobs WHERE reference_id = ?1 AND gstin = ?2",
    )?
    .query_row(params![reference_id, gstin.as_str()], |row| {
        let underway = if now.as_millisecond() < row.get("starts_at")? { "REC" } else { "IP" };
        let action: String = row.get("action")?;
        let mut told = Map::new();
        told.insert("form_typ".into(), row.get::<_, String>("form")?.into());
        told.insert("status_cd".into(), row.get::<_, Option<String>>("status")?.as_deref().unwrap_or(underway).into());
        told.insert("action".into(), action.strip_suffix("NIL").unwrap_or(&action).into());
        let report: Option<String> = row.get("error_report")?;
        if let Some(report) = report.and_then(|report| serde_json::from_str(&report).ok()) {
            told.insert("error_report".into(), report);
        }
        Ok(Value::Object(told))
    })
    .optional()
}

/// How long a save of `payload` takes: the base, and its documents at the configured speed.
pub(crate) fn save_duration_ms(latency: &Latency, payload: &Value) -> i64 {
    let rows = i64::try_from(documents(payload)).unwrap_or(i64::MAX / 1000);
    let processing =
        if latency.rows_per_second == 0 { 0 } else { rows * 1000 / i64::from(latency.rows_per_second) };
    i64::from(latency.save_base_ms) + processing
}

/// Invoices, notes and other rows of a save.
fn documents(payload: &Value) -> usize {
    let in_party = |party: &Value| {
        let lists = ["inv", "nt"].iter().filter_map(|list| party.get(list)?.as_array());
        lists.map(Vec::len).reduce(|a, b| a + b).unwrap_or(1)
    };
    let sections = payload.as_object().into_iter().flat_map(Map::values).filter_map(Value::as_array);
    sections.map(|section| section.iter().map(in_party).sum::<usize>()).sum()
}

/// Works jobs off as they fall due, until `stop` turns true.
pub(crate) async fn work(simulator: Arc<Simulator>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        let worker = simulator.clone();
        let pause = tokio::task::spawn_blocking(move || run_due(&worker)).await;
        let pause = match pause {
            Ok(Ok(pause)) => pause,
            Ok(Err(error)) => {
                tracing::error!(%error, "the job worker could not use the sandbox database");
                Some(PAUSE_AFTER_FAILURE)
            }
            Err(_) => Some(PAUSE_AFTER_FAILURE),
        };
        let nap = async {
            match pause {
                Some(pause) => tokio::time::sleep(pause).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = simulator.new_job.notified() => {}
            () = nap => {}
            _ = stop.changed() => {}
        }
    }
}

/// Runs every job that is due, in the order of arrival; tells how long to wait for the next one, if there is one.
fn run_due(simulator: &Simulator) -> rusqlite::Result<Option<Duration>> {
    loop {
        let now = simulator.seam.now().as_millisecond();
        let next: Option<(String, i64)> = simulator.db.read(|tx| {
            tx.prepare_cached(
                "SELECT reference_id, due_at FROM jobs WHERE status IS NULL ORDER BY due_at, arrival LIMIT 1",
            )?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()
        })?;
        match next {
            None => return Ok(None),
            Some((_, due_at)) if due_at > now => {
                let nap = u64::try_from((due_at - now).min(LONGEST_NAP_MS)).unwrap_or(0);
                return Ok(Some(Duration::from_millis(nap)));
            }
            Some((reference_id, _)) => run_safely(simulator, &reference_id)?,
        }
    }
}

/// Runs a job; if that fails, or panics, the job ends with RET191138 instead of being tried for ever.
fn run_safely(simulator: &Simulator, reference_id: &str) -> rusqlite::Result<()> {
    let attempt = std::panic::AssertUnwindSafe(|| simulator.db.write(|tx| run(tx, simulator, reference_id)));
    let problem = match std::panic::catch_unwind(attempt) {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "the processing panicked".to_owned(),
    };
    tracing::error!(reference_id, problem, "a job could not be processed");
    let report =
        json!({ "error_cd": "RET191138", "error_msg": "Error occurred while processing the payload" });
    let outcome = JobOutcome { status: JobStatus::Error, error_report: Some(report) };
    simulator.db.write(|tx| finish(tx, reference_id, &outcome))
}

/// Processes one open job: its effect and its end are one transaction.
pub(crate) fn run(tx: &Transaction<'_>, simulator: &Simulator, reference_id: &str) -> rusqlite::Result<()> {
    let mut select = tx.prepare_cached(
        "SELECT gstin, form, period, action, payload FROM jobs WHERE reference_id = ?1 AND status IS NULL",
    )?;
    let found = select.query_row([reference_id], |row| {
        let text = |column: &str| row.get::<_, String>(column);
        let payload = row.get::<_, Option<String>>("payload")?;
        Ok((taxpayers::read_gstin(row, "gstin")?, text("form")?, text("period")?, text("action")?, payload))
    });
    let Some((gstin, form, period, action, payload)) = found.optional()? else { return Ok(()) };
    let taxpayer = taxpayers::by_gstin(tx, &gstin, "")?;
    let (Some(taxpayer), Some(form)) = (taxpayer, Form::read(&form)) else {
        return Err(rusqlite::Error::QueryReturnedNoRows);
    };
    let payload = payload.and_then(|payload| serde_json::from_str(&payload).ok()).unwrap_or_default();
    let job = Job { taxpayer, form, period: period.parse().ok(), action, payload };
    let outcome = match form {
        Form::Gstr1 | Form::Gstr1a => outward::run(tx, simulator, &job)?,
        Form::Gstr2b => inward_api::run_2b(tx, simulator, &job)?,
        Form::Ims => inward_api::run_ims(tx, simulator, &job)?,
        Form::Gstr3b => gstr3b_api::run(tx, simulator, &job)?,
    };
    finish(tx, reference_id, &outcome)
}

/// Notes the end of a job; its payload is not needed any more.
fn finish(tx: &Transaction<'_>, reference_id: &str, outcome: &JobOutcome) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "UPDATE jobs SET status = ?2, error_report = ?3, payload = NULL WHERE reference_id = ?1",
    )?
    .execute(params![
        reference_id,
        outcome.status.as_str(),
        outcome.error_report.as_ref().map(Value::to_string)
    ])?;
    Ok(())
}

fn open_job(conn: &Connection, slot: &Slot<'_>) -> rusqlite::Result<Option<String>> {
    conn.prepare_cached(
        "SELECT action FROM jobs WHERE status IS NULL AND gstin = ?1 AND period = ?2 AND form = ?3
             ORDER BY arrival LIMIT 1",
    )?
    .query_row(params![slot.gstin.as_str(), slot.period_text(), slot.form.as_str()], |row| row.get(0))
    .optional()
}

/// When the last open job of the same return is due.
fn end_of_queue(conn: &Connection, slot: &Slot<'_>) -> rusqlite::Result<Option<i64>> {
    conn.prepare_cached(
        "SELECT max(due_at) FROM jobs WHERE status IS NULL AND gstin = ?1 AND period = ?2 AND form = ?3",
    )?
    .query_row(params![slot.gstin.as_str(), slot.period_text(), slot.form.as_str()], |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_save_takes_longer_the_more_documents_it_has() {
        let latency = Latency { rows_per_second: 2, ..Latency::QUICK };
        let took = |payload: Value| save_duration_ms(&latency, &payload);
        assert_eq!(took(json!({"gstin": "x", "fp": "012026"})), 500);
        let payload =
            json!({"b2b": [{"inv": [1, 2]}, {"inv": [3]}], "cdnr": [{"nt": [1]}], "b2cs": [{}, {}]});
        assert_eq!(took(payload.clone()), 500 + 3000);
        assert_eq!(save_duration_ms(&Latency::NONE, &payload), 0);
    }
}
