//! Returns of a taxpayer: GSTR-1 in full, and the calls that all forms share (RETSTATUS, RETTRACK, RETNEWPTF).

use gstn::ReturnPeriod;
use gstn::envelope::Request;
use http::Method;
use rusqlite::Transaction;
use serde_json::{Value, json};

use crate::call::{Call, Resource};
use crate::fault::Fault;
use crate::filing::{self, Track};
use crate::forms::Form;
use crate::gstr1::{self, JobOutcome, SectionQuery};
use crate::jobs::{self, Job, NewJob, Slot};
use crate::payload::{self, Opened};
use crate::respond::Answer;
use crate::routes::not_here;
use crate::sessions::{self, LiveSession};
use crate::simulator::Simulator;

/// The actions that read one section of a saved GSTR-1.
const SECTIONS: [&str; 24] = [
    "B2B",
    "B2BA",
    "B2CL",
    "B2CLA",
    "B2CS",
    "B2CSA",
    "CDNR",
    "CDNRA",
    "CDNUR",
    "CDNURA",
    "EXP",
    "EXPA",
    "AT",
    "ATA",
    "TXP",
    "TXPA",
    "NIL",
    "HSNSUM",
    "VALIDATEHSNSUM",
    "DOCISS",
    "SUPECO",
    "SUPECOA",
    "ECOM",
    "ECOMA",
];

/// The jobs of a GSTR-1, as they are kept. RETSTATUS tells a nil proceed-to-file as `PTF`.
const SAVE: &str = "SAVE";
const RESET: &str = "RESET";
const PROCEED: &str = "PTF";
const NIL_PROCEED: &str = "PTFNIL";

/// Does what a job of a GSTR-1 asks for.
pub(crate) fn run(tx: &Transaction<'_>, simulator: &Simulator, job: &Job) -> rusqlite::Result<JobOutcome> {
    let period = job.period.ok_or_else(|| job.unknown())?;
    let subject = simulator.subject(&job.taxpayer, job.form, period);
    match job.action.as_str() {
        SAVE => gstr1::save(tx, &subject, &job.payload),
        RESET => gstr1::reset(tx, &subject),
        PROCEED => gstr1::proceed_to_file(tx, &subject, false),
        NIL_PROCEED => gstr1::proceed_to_file(tx, &subject, true),
        _ => Err(job.unknown()),
    }
}

/// `/taxpayerapi/*/returns`.
pub(crate) fn common(
    simulator: &Simulator,
    client_id: &str,
    call: &Call,
    resource: &Resource,
) -> Result<Answer, Fault> {
    let live = session(simulator, client_id, call)?;
    match (&call.method, call.query("action")) {
        (&Method::GET, Some("RETSTATUS")) => status(simulator, &live, call),
        (&Method::GET, Some("RETTRACK")) => track(simulator, &live, call),
        (_, action) => Err(not_here(call, resource, action)),
    }
}

/// `/taxpayerapi/*/returns/gstr1`.
pub(crate) fn gstr1(
    simulator: &Simulator,
    client_id: &str,
    call: &Call,
    resource: &Resource,
) -> Result<Answer, Fault> {
    let live = session(simulator, client_id, call)?;
    if call.method == Method::GET {
        return match call.query("action") {
            Some("RETSTATUS") => status(simulator, &live, call),
            Some("RETSUM") => summary(simulator, &live, call),
            Some(section) if SECTIONS.contains(&section) => read_section(simulator, &live, call, section),
            action => Err(not_here(call, resource, action)),
        };
    }
    let request = payload::envelope(call)?;
    match request.action_or(call.query("action")) {
        Some("RETSAVE") => save(simulator, &live, call, &request),
        Some("RESET") => reset(simulator, &live, call, &request),
        Some("RETFILE") => file(simulator, &live, call, &request),
        action => Err(not_here(call, resource, action)),
    }
}

/// `/taxpayerapi/*/returns/gstrptf`: "proceed to file", of the form that `rtn_typ` names (GSTR-1 if it names none).
pub(crate) fn proceed(
    simulator: &Simulator,
    client_id: &str,
    call: &Call,
    resource: &Resource,
) -> Result<Answer, Fault> {
    let live = session(simulator, client_id, call)?;
    let request = payload::envelope(call)?;
    let action = request.action_or(call.query("action"));
    if call.method == Method::GET || action != Some("RETNEWPTF") {
        return Err(not_here(call, resource, action));
    }
    if let Some(form) = call.header(gstn::headers::RTN_TYP).filter(|form| !form.eq_ignore_ascii_case("GSTR1"))
    {
        return Err(Fault::not_simulated(&format!("RETNEWPTF of {form}")));
    }
    let (opened, period) = open(simulator, &live, call, &request)?;
    let subject = simulator.subject(&live.taxpayer, Form::Gstr1, period);
    let is_nil = opened.json.get("isnil").and_then(Value::as_str) == Some("Y");
    let outcome = simulator.db.write(|tx| -> Result<Value, Fault> {
        match is_nil {
            true => jobs::refuse_while_busy(tx, &Slot::of(&subject))?,
            false => jobs::refuse_unless_queued(tx, simulator, &Slot::of(&subject))?,
        }
        gstr1::precheck_proceed_to_file(tx, &subject, is_nil)?;
        let duration_ms = if is_nil { 0 } else { i64::from(simulator.config.latency.ptf_ms) };
        let action = if is_nil { NIL_PROCEED } else { PROCEED };
        let job = NewJob { slot: Slot::of(&subject), action, payload: None, duration_ms };
        let reference_id = jobs::accept(tx, simulator, &job)?;
        if is_nil {
            // A nil return has nothing to sum up: it is ready when the call returns.
            jobs::run(tx, simulator, &reference_id)?;
            return Ok(json!({ "reference_id": reference_id, "isSync": "Y" }));
        }
        Ok(json!({ "reference_id": reference_id }))
    })?;
    simulator.new_job.notify_one();
    Ok(Answer::sealed(&simulator.seam, &live.session.sek, &outcome))
}

/// A save is answered when it is on disk, and processed afterwards.
fn save(simulator: &Simulator, live: &LiveSession, call: &Call, request: &Request) -> Result<Answer, Fault> {
    let (opened, period) = open(simulator, live, call, request)?;
    let subject = simulator.subject(&live.taxpayer, Form::Gstr1, period);
    let payload = opened.json.to_string();
    let duration_ms = jobs::save_duration_ms(&simulator.config.latency, &opened.json);
    let reference_id = simulator.db.write(|tx| -> Result<String, Fault> {
        jobs::refuse_unless_queued(tx, simulator, &Slot::of(&subject))?;
        gstr1::precheck_save(tx, &subject, &opened.json)?;
        let payload = Some(payload.as_str());
        let job = NewJob { slot: Slot::of(&subject), action: SAVE, payload, duration_ms };
        Ok(jobs::accept(tx, simulator, &job)?)
    })?;
    Ok(accepted(simulator, live, &reference_id))
}

fn reset(simulator: &Simulator, live: &LiveSession, call: &Call, request: &Request) -> Result<Answer, Fault> {
    let (_, period) = open(simulator, live, call, request)?;
    let subject = simulator.subject(&live.taxpayer, Form::Gstr1, period);
    let duration_ms = i64::from(simulator.config.latency.save_base_ms);
    let reference_id = simulator.db.write(|tx| -> Result<String, Fault> {
        jobs::refuse_unless_queued(tx, simulator, &Slot::of(&subject))?;
        gstr1::precheck_save(tx, &subject, &json!({}))?;
        let job = NewJob { slot: Slot::of(&subject), action: RESET, payload: None, duration_ms };
        Ok(jobs::accept(tx, simulator, &job)?)
    })?;
    Ok(accepted(simulator, live, &reference_id))
}

fn accepted(simulator: &Simulator, live: &LiveSession, reference_id: &str) -> Answer {
    simulator.new_job.notify_one();
    Answer::sealed(&simulator.seam, &live.session.sek, &json!({ "reference_id": reference_id }))
}

/// RETFILE carries no HMAC, so the period is all that the payload and the headers must agree in.
fn file(simulator: &Simulator, live: &LiveSession, call: &Call, request: &Request) -> Result<Answer, Fault> {
    let opened = payload::open(request, &live.session.sek, false)?;
    let period = match payload::period(&opened.json, &live.taxpayer.gstin, call, false) {
        // One client files a summary without its period.
        Err(fault) if fault.code == payload::INCOMPLETE => query_period(call)?,
        period => period?,
    };
    let subject = simulator.subject(&live.taxpayer, Form::Gstr1, period);
    let acknowledgement = simulator.db.write(|tx| {
        jobs::refuse_while_busy(tx, &Slot::of(&subject))?;
        filing::file_gstr1(tx, simulator, &live.taxpayer, &subject, request, &opened)
    })?;
    Ok(Answer::sealed(&simulator.seam, &live.session.sek, &acknowledgement))
}

/// RETSTATUS: by `ref_id`, or by the `trans_id` of 2017.
fn status(simulator: &Simulator, live: &LiveSession, call: &Call) -> Result<Answer, Fault> {
    own_gstin(live, call)?;
    let reference_id = call.query("ref_id").or_else(|| call.query("trans_id"));
    let reference_id = reference_id.ok_or_else(|| Fault::missing_parameter("ref_id"))?;
    let status = simulator.db.read(|tx| jobs::status(tx, &live.taxpayer.gstin, reference_id, call.at))?;
    let status = status.ok_or_else(|| Fault::new("RET13508", "No Details Found for the Provided Inputs"))?;
    Ok(Answer::sealed(&simulator.seam, &live.session.sek, &status))
}

fn track(simulator: &Simulator, live: &LiveSession, call: &Call) -> Result<Answer, Fault> {
    own_gstin(live, call)?;
    let period = Some(query_period(call)?);
    let asked = Track { gstin: &live.taxpayer.gstin, year: None, period, form: call.query("type") };
    let rows = simulator.db.read(|tx| filing::track(tx, &asked))?;
    Ok(Answer::sealed(&simulator.seam, &live.session.sek, &rows))
}

fn summary(simulator: &Simulator, live: &LiveSession, call: &Call) -> Result<Answer, Fault> {
    own_gstin(live, call)?;
    let subject = simulator.subject(&live.taxpayer, Form::Gstr1, query_period(call)?);
    let long = call.query("smrytyp") == Some("L");
    let summary = simulator.db.read(|tx| gstr1::summary(tx, &subject, long))?.ok_or_else(no_record)?;
    Ok(Answer::sealed(&simulator.seam, &live.session.sek, &summary))
}

fn read_section(
    simulator: &Simulator,
    live: &LiveSession,
    call: &Call,
    action: &str,
) -> Result<Answer, Fault> {
    own_gstin(live, call)?;
    let subject = simulator.subject(&live.taxpayer, Form::Gstr1, query_period(call)?);
    let query = SectionQuery {
        ctin: call.query("ctin"),
        state_cd: call.query("state_cd"),
        from_time: call.query("from_time"),
        action_required: call.query("action_required"),
        sub_section: call.query("sub-section").or_else(|| call.query("sub_section")),
        rtin: call.query("rtin"),
    };
    let section =
        simulator.db.read(|tx| gstr1::section(tx, &subject, action, &query))?.ok_or_else(no_record)?;
    Ok(Answer::sealed(&simulator.seam, &live.session.sek, &section))
}

fn session(simulator: &Simulator, client_id: &str, call: &Call) -> Result<LiveSession, Fault> {
    let unknown = || Fault::new("RT-R1R3BAV-1007", "Either auth-token or username is invalid");
    simulator.db.read(|tx| sessions::of_call(tx, simulator, client_id, call, unknown))
}

fn open(
    simulator: &Simulator,
    live: &LiveSession,
    call: &Call,
    request: &Request,
) -> Result<(Opened, ReturnPeriod), Fault> {
    let opened = payload::open(request, &live.session.sek, true)?;
    let strict = simulator.config.strict_period_header;
    let period = payload::period(&opened.json, &live.taxpayer.gstin, call, strict)?;
    Ok((opened, period))
}

/// A `gstin` in the query must be the session's.
pub(crate) fn own_gstin(live: &LiveSession, call: &Call) -> Result<(), Fault> {
    let other =
        call.query("gstin").is_some_and(|gstin| !gstin.eq_ignore_ascii_case(live.taxpayer.gstin.as_str()));
    if other { Err(sessions::unauthorized()) } else { Ok(()) }
}

/// The period of a read: the query's, or else the header's.
fn query_period(call: &Call) -> Result<ReturnPeriod, Fault> {
    let period = call.query("ret_period").or_else(|| call.period_header());
    let missing = || Fault::new("AUTH141", "Mandatory Parameters - Gstin or Return Period missing");
    period.ok_or_else(missing)?.parse().map_err(|_| payload::invalid_period())
}

fn no_record() -> Fault {
    Fault::new("RET13510", "No record found")
}
