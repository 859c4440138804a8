//! GSTR-2A, GSTR-2B and IMS on the wire.

use gstn::ReturnPeriod;
use gstn::envelope::Request;
use http::Method;
use jiff::civil::Date;
use rusqlite::Transaction;
use serde_json::{Map, Value, json};

use crate::call::{Call, Resource};
use crate::fault::Fault;
use crate::files::{self, Asked, ListOf};
use crate::forms::Form;
use crate::gstr1::{GstnError, JobOutcome, JobStatus};
use crate::inward::twob::{self, Part, Version};
use crate::inward::{ims, twoa};
use crate::jobs::{self, Job, NewJob, Slot};
use crate::payload;
use crate::respond::Answer;
use crate::returns::{no_record, own_gstin, query_period, session};
use crate::routes::not_here;
use crate::sessions::{self, LiveSession};
use crate::simulator::Simulator;

/// The jobs, as they are kept.
const SAVE: &str = "SAVE";
const RESET: &str = "RESETIMS";
const GENERATE: &str = "GEN2B";

/// `/taxpayerapi/*/returns/gstr2a`.
pub(crate) fn gstr2a(
    simulator: &Simulator,
    client_id: &str,
    call: &Call,
    resource: &Resource,
) -> Result<Answer, Fault> {
    let live = session(simulator, client_id, call)?;
    own_gstin(&live, call)?;
    let found = match call.query("action").filter(|_| call.method == Method::GET) {
        Some("AMDHIST") => bill_history(simulator, &live, call)?,
        Some(section) if twoa::is_section(section) => {
            let period = Some(query_period(call)?);
            let asked = Asked::by(call, ListOf::Gstr2a, period, section, &["ctin", "from_time"]);
            return files::answer_list(simulator, &live, &asked)?.ok_or_else(no_record);
        }
        action => return Err(not_here(call, resource, action)),
    };
    Ok(sealed(simulator, &live, &found.ok_or_else(no_record)?))
}

fn bill_history(simulator: &Simulator, live: &LiveSession, call: &Call) -> Result<Option<Value>, Fault> {
    let named = |name: &str| call.query(name).ok_or_else(|| Fault::missing_parameter(name));
    let (port, number, day) = (named("portcode")?, named("benumber")?, named("bedate")?);
    Ok(simulator.db.read(|tx| twoa::bill_history(tx, &live.taxpayer.gstin, port, number, day))?)
}

/// `dd-mm-yyyy`, or with slashes.
pub(crate) fn read_day(text: &str) -> Result<Date, Fault> {
    let fields: Vec<&str> = text.split(['-', '/']).collect();
    let day = match fields.as_slice() {
        [day, month, year] => day.parse().ok().zip(month.parse().ok()).zip(year.parse().ok()),
        _ => None,
    };
    let day = day.and_then(|((day, month), year)| Date::new(year, month, day).ok());
    day.ok_or_else(|| Fault::new("RET13511", "Date format entered is Invalid"))
}

/// `/taxpayerapi/*/returns/gstr2b`.
pub(crate) fn gstr2b(
    simulator: &Simulator,
    client_id: &str,
    call: &Call,
    resource: &Resource,
) -> Result<Answer, Fault> {
    let live = session(simulator, client_id, call)?;
    if call.method == Method::GET {
        own_gstin(&live, call)?;
        return match call.query("action") {
            Some("GET2B") => statement(simulator, &live, call),
            Some("GENSTS2B") => generation_status(simulator, &live, call),
            action => Err(not_here(call, resource, action)),
        };
    }
    let request = payload::envelope(call)?;
    match request.action_or(call.query("action")) {
        Some("GEN2B") => generate(simulator, &live, &request),
        action => Err(not_here(call, resource, action)),
    }
}

/// GET2B: the statement, made now if it fell due and nobody asked for it before.
fn statement(simulator: &Simulator, live: &LiveSession, call: &Call) -> Result<Answer, Fault> {
    let period = match call.query("rtnprd") {
        Some(period) => period.parse().map_err(|_| payload::invalid_period())?,
        None => query_period(call)?,
    };
    let part = match call.query("file_num").filter(|number| *number != "0") {
        None => Part::First,
        Some(number) => Part::Number(number.parse().map_err(|_| invalid("file_num"))?),
    };
    let version = if call.version() >= (4, 0) { Version::WithRejections } else { Version::WithItems };
    let (gstin, moment) = (&live.taxpayer.gstin, simulator.moment());
    if !simulator.db.read(|tx| twob::is_kept(tx, gstin, period))? {
        simulator.db.write(|tx| -> Result<(), Fault> { Ok(twob::ensure(tx, &moment, gstin, period)??) })?;
    }
    let page = simulator.config.twob_part_documents;
    let answer = simulator.db.read(|tx| twob::answer(tx, gstin, period, version, part, page))??;
    Ok(sealed(simulator, live, &answer))
}

/// GEN2B: makes the statement again, as a job.
fn generate(simulator: &Simulator, live: &LiveSession, request: &Request) -> Result<Answer, Fault> {
    let opened = payload::open(request, &live.session.sek, true)?;
    own_payload(live, &opened.json)?;
    let period: ReturnPeriod =
        opened.json["itcprd"].as_str().and_then(|period| period.trim().parse().ok()).ok_or_else(|| {
            Fault::new("IMS2B007", "GSTR-2B cannot be generated: itcprd is not a return period")
        })?;
    let (gstin, moment) = (&live.taxpayer.gstin, simulator.moment());
    let reference_id = simulator.db.write(|tx| -> Result<String, Fault> {
        refuse_during(tx, &Slot { gstin, form: Form::Ims, period: None })?;
        let slot = Slot { gstin, form: Form::Gstr2b, period: Some(period) };
        refuse_during(tx, &slot)?;
        twob::precheck_make_again(tx, &moment, gstin, period)??;
        let duration_ms = i64::from(simulator.config.latency.gen2b_ms);
        Ok(jobs::accept(tx, simulator, &NewJob { slot, action: GENERATE, payload: None, duration_ms })?)
    })?;
    Ok(accepted(simulator, live, &reference_id))
}

/// GENSTS2B: how the making went.
fn generation_status(simulator: &Simulator, live: &LiveSession, call: &Call) -> Result<Answer, Fault> {
    let status = job_status(simulator, live, call, Form::Gstr2b)?;
    let mut told = Map::from_iter([("status_cd".to_owned(), progress(&status))]);
    for name in ["err_cd", "err_msg"] {
        if let Some(value) = status["error_report"].get(name) {
            told.insert(name.into(), value.clone());
        }
    }
    Ok(sealed(simulator, live, &told.into()))
}

/// `/taxpayerapi/*/returns/ims`.
pub(crate) fn ims(
    simulator: &Simulator,
    client_id: &str,
    call: &Call,
    resource: &Resource,
) -> Result<Answer, Fault> {
    let live = session(simulator, client_id, call)?;
    if call.method == Method::GET {
        own_gstin(&live, call)?;
        return match call.query("action") {
            Some("GETINV") => invoices(simulator, &live, call),
            Some("GETCNT") => counts(simulator, &live, call),
            Some("REQSTS") => request_status(simulator, &live, call),
            Some("FILEDET") => files::details(simulator, &live, call, files::of_ims),
            Some("SUPVIEW") => supplier_view(simulator, &live, call),
            action => Err(not_here(call, resource, action)),
        };
    }
    let request = payload::envelope(call)?;
    match request.action_or(call.query("action")) {
        Some("SAVE") => act(simulator, &live, &request, SAVE),
        Some("RESETIMS" | "RESET") => act(simulator, &live, &request, RESET),
        action => Err(not_here(call, resource, action)),
    }
}

fn invoices(simulator: &Simulator, live: &LiveSession, call: &Call) -> Result<Answer, Fault> {
    let asked = Asked::by(call, ListOf::Ims, None, "GETINV", &["section", "status"]);
    files::answer_list(simulator, live, &asked)?.ok_or_else(no_record)
}

fn counts(simulator: &Simulator, live: &LiveSession, call: &Call) -> Result<Answer, Fault> {
    let (gstin, moment) = (&live.taxpayer.gstin, simulator.moment());
    let counts = simulator.db.read(|tx| ims::counts(tx, &moment, gstin, call.query("goods_typ")))??;
    Ok(sealed(simulator, live, &counts))
}

/// SUPVIEW: a return with the recipients' actions, or (section `ADDBACK`) the rejections that add to the liability.
fn supplier_view(simulator: &Simulator, live: &LiveSession, call: &Call) -> Result<Answer, Fault> {
    let period = match call.query("rtnprd") {
        Some(period) => period.parse().map_err(|_| payload::invalid_period())?,
        None => query_period(call)?,
    };
    let form = match call.query("rtn_typ").map(Form::read) {
        None => Form::Gstr1,
        Some(Some(form @ (Form::Gstr1 | Form::Gstr1a))) => form,
        Some(_) if call.query("rtn_typ") == Some("IFF") => Form::Gstr1,
        Some(_) => return Err(invalid("rtn_typ")),
    };
    let moment = simulator.moment();
    let subject = simulator.subject(&live.taxpayer, form, period);
    let found = simulator.db.read(|tx| -> Result<Option<Value>, Fault> {
        Ok(match call.query("section") {
            Some("ADDBACK") => ims::rejected_view(tx, &moment, &live.taxpayer.gstin, period)?,
            section => ims::supplier_view(tx, &subject, section)?,
        })
    })?;
    Ok(sealed(simulator, live, &found.ok_or_else(no_record)?))
}

/// SAVE and RESETIMS are answered when they are on disk, and carried out afterwards.
fn act(simulator: &Simulator, live: &LiveSession, request: &Request, action: &str) -> Result<Answer, Fault> {
    let opened = payload::open(request, &live.session.sek, true)?;
    own_payload(live, &opened.json)?;
    let text = opened.json.to_string();
    let duration_ms = i64::from(simulator.config.latency.ims_ms);
    let gstin = &live.taxpayer.gstin;
    let reference_id = simulator.db.write(|tx| -> Result<String, Fault> {
        let slot = Slot { gstin, form: Form::Ims, period: None };
        refuse_during(tx, &slot)?;
        Ok(jobs::accept(tx, simulator, &NewJob { slot, action, payload: Some(&text), duration_ms })?)
    })?;
    Ok(accepted(simulator, live, &reference_id))
}

/// REQSTS: how a save or reset went.
fn request_status(simulator: &Simulator, live: &LiveSession, call: &Call) -> Result<Answer, Fault> {
    let status = job_status(simulator, live, call, Form::Ims)?;
    let kind = if status["action"] == SAVE { "SAV" } else { "RST" };
    let mut told =
        Map::from_iter([("status_cd".to_owned(), progress(&status)), ("transTypCd".to_owned(), kind.into())]);
    if let Some(report) = status["error_report"].as_object() {
        told.extend(report.clone());
    }
    Ok(sealed(simulator, live, &told.into()))
}

/// Does what a job of IMS asks for.
pub(crate) fn run_ims(
    tx: &Transaction<'_>,
    simulator: &Simulator,
    job: &Job,
) -> rusqlite::Result<JobOutcome> {
    let is_reset = match job.action.as_str() {
        SAVE => false,
        RESET => true,
        _ => return Err(job.unknown()),
    };
    let outcome = ims::act(tx, &simulator.moment(), &job.taxpayer.gstin, &job.payload, is_reset)?;
    let mut report = Map::new();
    let status = if let Some(error) = &outcome.failed {
        write_error(error, &mut report);
        JobStatus::Error
    } else {
        report.insert("proc_cnt".into(), outcome.processed.to_string().into());
        report.insert("err_cnt".into(), outcome.refused().to_string().into());
        if outcome.refused() > 0 {
            report.insert("error_report".into(), outcome.report());
        }
        match (outcome.processed, outcome.refused()) {
            (_, 0) => JobStatus::Processed,
            (0, _) => JobStatus::Error,
            _ => JobStatus::ProcessedWithErrors,
        }
    };
    Ok(JobOutcome { status, error_report: Some(report.into()) })
}

/// Makes a statement again.
pub(crate) fn run_2b(tx: &Transaction<'_>, simulator: &Simulator, job: &Job) -> rusqlite::Result<JobOutcome> {
    let Some(period) = job.period.filter(|_| job.action == GENERATE) else { return Err(job.unknown()) };
    Ok(match twob::make_again(tx, &simulator.moment(), &job.taxpayer.gstin, period)? {
        Ok(()) => JobOutcome { status: JobStatus::Processed, error_report: None },
        Err(error) => {
            let mut report = Map::new();
            write_error(&error, &mut report);
            JobOutcome { status: JobStatus::Error, error_report: Some(report.into()) }
        }
    })
}

fn write_error(error: &GstnError, report: &mut Map<String, Value>) {
    report.insert("err_cd".into(), error.code.into());
    report.insert("err_msg".into(), error.message.as_str().into());
}

/// A job by its `int_tran_id`, or `ref_id`; RET13508 if there is none of this form.
fn job_status(simulator: &Simulator, live: &LiveSession, call: &Call, form: Form) -> Result<Value, Fault> {
    let named = call.query("int_tran_id").or_else(|| call.query("ref_id"));
    let reference_id = named.ok_or_else(|| Fault::missing_parameter("int_tran_id"))?;
    let status = simulator.db.read(|tx| jobs::status(tx, &live.taxpayer.gstin, reference_id, call.at))?;
    status
        .filter(|status| status["form_typ"] == form.as_str())
        .ok_or_else(|| Fault::new("RET13508", "No Details Found for the Provided Inputs"))
}

/// These two know no `REC`: what is not done is in progress.
fn progress(status: &Value) -> Value {
    match status["status_cd"].as_str() {
        Some("REC") => "IP".into(),
        _ => status["status_cd"].clone(),
    }
}

/// IMSSAV0015 as long as a job of this kind is open.
fn refuse_during(tx: &Transaction<'_>, slot: &Slot<'_>) -> Result<(), Fault> {
    jobs::refuse_while_busy(tx, slot).map_err(|fault| match fault.code.as_ref() {
        "RTN_15" | "RET191251" => Fault::new(
            "IMSSAV0015",
            "Previous Save or Reset request is already under progress. Please try after some time",
        ),
        _ => fault,
    })
}

/// `rtin` must be the session's taxpayer.
fn own_payload(live: &LiveSession, payload: &Value) -> Result<(), Fault> {
    match payload["rtin"].as_str() {
        Some(gstin) if gstin.trim().eq_ignore_ascii_case(live.taxpayer.gstin.as_str()) => Ok(()),
        Some(_) => Err(sessions::unauthorized()),
        None => Err(Fault::new("IMSSAV005", "The payload does not match the schema: rtin")),
    }
}

/// Clients read the number of a job under either name.
fn accepted(simulator: &Simulator, live: &LiveSession, reference_id: &str) -> Answer {
    simulator.new_job.notify_one();
    sealed(simulator, live, &json!({ "reference_id": reference_id, "int_tran_id": reference_id }))
}

fn sealed(simulator: &Simulator, live: &LiveSession, payload: &Value) -> Answer {
    Answer::sealed(&simulator.seam, &live.session.sek, payload)
}

fn invalid(parameter: &'static str) -> Fault {
    Fault::new("RET11403", format!("Invalid API Request: {parameter}"))
}
