//! GSTR-1 and GSTR-1A on the wire: saves, reads, proceeding to file and filing.

use gstn::ReturnPeriod;
use gstn::envelope::Request;
use http::Method;
use rusqlite::Transaction;
use serde_json::{Value, json};

use crate::call::{Call, Resource};
use crate::fault::Fault;
use crate::files::{self, Asked, ListOf};
use crate::filing;
use crate::forms::Form;
use crate::gstr1::{self, JobOutcome};
use crate::jobs::{self, Job, NewJob, Slot};
use crate::payload;
use crate::registration;
use crate::respond::Answer;
use crate::returns::{no_record, open, own_gstin, query_period, session};
use crate::routes::not_here;
use crate::sessions::LiveSession;
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

/// What a section may be narrowed down by.
const SECTION_FILTERS: [&str; 7] =
    ["ctin", "state_cd", "from_time", "action_required", "sub-section", "sub_section", "rtin"];

/// The jobs of a GSTR-1, as they are kept. RETSTATUS tells a nil proceed-to-file as `PTF`.
const SAVE: &str = "SAVE";
const RESET: &str = "RESET";
const PROCEED: &str = "PTF";
const NIL_PROCEED: &str = "PTFNIL";
const SUM_UP: &str = "GENSUM";
const SUBMIT: &str = "RETSUBMIT";

/// Does what a job of a GSTR-1 asks for.
pub(crate) fn run(tx: &Transaction<'_>, simulator: &Simulator, job: &Job) -> rusqlite::Result<JobOutcome> {
    let period = job.period.ok_or_else(|| job.unknown())?;
    let subject = simulator.subject(&job.taxpayer, job.form, period);
    match job.action.as_str() {
        SAVE => gstr1::save(tx, &subject, &job.payload),
        RESET => gstr1::reset(tx, &subject),
        PROCEED => gstr1::proceed_to_file(tx, &subject, false),
        NIL_PROCEED => gstr1::proceed_to_file(tx, &subject, true),
        SUM_UP => gstr1::sum_up(tx, &subject),
        SUBMIT => gstr1::submit(tx, &subject),
        _ => Err(job.unknown()),
    }
}

/// A call of a taxpayer for one of the two forms.
struct Made<'a> {
    simulator: &'a Simulator,
    live: &'a LiveSession,
    call: &'a Call,
    form: Form,
}

/// `/taxpayerapi/*/returns/gstr1`.
pub(crate) fn gstr1(
    simulator: &Simulator,
    client_id: &str,
    call: &Call,
    resource: &Resource,
) -> Result<Answer, Fault> {
    let live = session(simulator, client_id, call)?;
    let made = Made { simulator, live: &live, call, form: Form::Gstr1 };
    if call.method == Method::GET {
        return match call.query("action") {
            Some("RETSUM") => made.summary(),
            Some(section) if SECTIONS.contains(&section) => made.section(section),
            action => Err(not_here(call, resource, action)),
        };
    }
    let request = payload::envelope(call)?;
    match request.action_or(call.query("action")) {
        Some("RETSAVE") => made.save(&request),
        Some("RESET") => made.reset(&request),
        Some("RETFILE") => made.file(&request),
        Some(action @ (SUM_UP | SUBMIT)) => match made.period_with_submit(&request) {
            Some(period) => made.submit(action, period),
            None => Err(not_here(call, resource, Some(action))),
        },
        action => Err(not_here(call, resource, action)),
    }
}

/// `/taxpayerapi/*/returns/gstr1a`: a GSTR-1 with actions of its own names.
pub(crate) fn gstr1a(
    simulator: &Simulator,
    client_id: &str,
    call: &Call,
    resource: &Resource,
) -> Result<Answer, Fault> {
    let live = session(simulator, client_id, call)?;
    let made = Made { simulator, live: &live, call, form: Form::Gstr1a };
    if call.method == Method::GET {
        return match call.query("action") {
            Some("RETSUM") => made.summary(),
            Some(action) if SECTIONS.contains(&section_of_gstr1a(action)) => {
                made.section(section_of_gstr1a(action))
            }
            action => Err(not_here(call, resource, action)),
        };
    }
    let request = payload::envelope(call)?;
    match request.action_or(call.query("action")) {
        Some("R1ARETSAVE") => made.save(&request),
        Some("R1ARESET") => made.reset(&request),
        Some("R1ARETNEWPTF") => made.proceed(&request),
        Some("RETFILER1A") => made.file(&request),
        action => Err(not_here(call, resource, action)),
    }
}

/// The section of GSTR-1 that a read of GSTR-1A names: some have `R1A` before or after the name, some have not.
fn section_of_gstr1a(action: &str) -> &str {
    match action {
        "ATR1A" => "AT",
        "ATAR1A" => "ATA",
        other => other.strip_prefix("R1A").unwrap_or(other),
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
    let form = call.header(gstn::headers::RTN_TYP).unwrap_or("GSTR1");
    match Form::read(form) {
        Some(form @ (Form::Gstr1 | Form::Gstr1a)) => {
            Made { simulator, live: &live, call, form }.proceed(&request)
        }
        _ => Err(Fault::not_simulated(&format!("RETNEWPTF of {form}"))),
    }
}

/// `/taxpayerapi/*/returns/einvoice`: the e-invoices of a period as they were received.
pub(crate) fn einvoices(
    simulator: &Simulator,
    client_id: &str,
    call: &Call,
    resource: &Resource,
) -> Result<Answer, Fault> {
    let live = session(simulator, client_id, call)?;
    if call.method != Method::GET || call.query("action") != Some("EINV") {
        return Err(not_here(call, resource, call.query("action")));
    }
    own_gstin(&live, call)?;
    let period = query_period(call).map_err(|_| Fault::new("EINV30113", "Invalid return period"))?;
    let section = call.query("sec").ok_or_else(|| Fault::missing_parameter("sec"))?.to_ascii_lowercase();
    if !["b2b", "cdnr", "cdnur", "exp"].contains(&section.as_str()) {
        return Err(Fault::new("AUTH143", "Invalid request parameters: sec"));
    }
    let gstin = &live.taxpayer.gstin;
    let received =
        simulator.db.read(|tx| crate::einvoices::received(tx, gstin, &period.to_string(), &section))?;
    let received = received.ok_or_else(|| Fault::new("EINV30107", "No document found"))?;
    Ok(Answer::sealed(&simulator.seam, &live.session.sek, &received))
}

impl Made<'_> {
    fn proceed(&self, request: &Request) -> Result<Answer, Fault> {
        let (opened, period) = open(self.simulator, self.live, self.call, request)?;
        registration::may_file(&self.live.taxpayer, self.form, period)?;
        let subject = self.simulator.subject(&self.live.taxpayer, self.form, period);
        let is_nil = opened.json.get("isnil").and_then(Value::as_str) == Some("Y");
        let outcome = self.simulator.db.write(|tx| -> Result<Value, Fault> {
            match is_nil {
                true => jobs::refuse_while_busy(tx, &Slot::of(&subject))?,
                false => jobs::refuse_unless_queued(tx, self.simulator, &Slot::of(&subject))?,
            }
            gstr1::precheck_proceed_to_file(tx, &subject, is_nil)?;
            let duration_ms = if is_nil { 0 } else { i64::from(self.simulator.config.latency.ptf_ms) };
            let action = if is_nil { NIL_PROCEED } else { PROCEED };
            let job = NewJob { slot: Slot::of(&subject), action, payload: None, duration_ms };
            let reference_id = jobs::accept(tx, self.simulator, &job)?;
            if is_nil {
                // A nil return has nothing to sum up: it is ready when the call returns.
                jobs::run(tx, self.simulator, &reference_id)?;
                return Ok(json!({ "reference_id": reference_id, "isSync": "Y" }));
            }
            Ok(json!({ "reference_id": reference_id }))
        })?;
        self.simulator.new_job.notify_one();
        Ok(Answer::sealed(&self.simulator.seam, &self.live.session.sek, &outcome))
    }

    /// The period of a GENSUM or RETSUBMIT, if it is one that had them. Clients send it encrypted or in clear.
    fn period_with_submit(&self, request: &Request) -> Option<ReturnPeriod> {
        let encrypted = open(self.simulator, self.live, self.call, request).ok().map(|(_, period)| period);
        let in_clear = || {
            let json: Value = serde_json::from_slice(&self.call.body).ok()?;
            let strict = self.simulator.config.strict_period_header;
            payload::period(&json, &self.live.taxpayer.gstin, self.call, strict).ok()
        };
        let period = encrypted.or_else(in_clear)?;
        self.simulator.rules().has_submit(period).then_some(period)
    }

    /// GENSUM and RETSUBMIT, for periods until December 2021.
    fn submit(&self, action: &str, period: ReturnPeriod) -> Result<Answer, Fault> {
        registration::may_file(&self.live.taxpayer, self.form, period)?;
        let subject = self.simulator.subject(&self.live.taxpayer, self.form, period);
        let duration_ms = i64::from(self.simulator.config.latency.ptf_ms);
        let reference_id = self.simulator.db.write(|tx| -> Result<String, Fault> {
            jobs::refuse_unless_queued(tx, self.simulator, &Slot::of(&subject))?;
            if action == SUBMIT {
                gstr1::precheck_submit(tx, &subject)?;
            }
            let job = NewJob { slot: Slot::of(&subject), action, payload: None, duration_ms };
            Ok(jobs::accept(tx, self.simulator, &job)?)
        })?;
        Ok(self.accepted(&reference_id))
    }

    /// A save is answered when it is on disk, and processed afterwards.
    fn save(&self, request: &Request) -> Result<Answer, Fault> {
        let (opened, period) = open(self.simulator, self.live, self.call, request)?;
        registration::may_file(&self.live.taxpayer, self.form, period)?;
        let subject = self.simulator.subject(&self.live.taxpayer, self.form, period);
        let payload = opened.json.to_string();
        let duration_ms = jobs::save_duration_ms(&self.simulator.config.latency, &opened.json);
        let reference_id = self.simulator.db.write(|tx| -> Result<String, Fault> {
            jobs::refuse_unless_queued(tx, self.simulator, &Slot::of(&subject))?;
            gstr1::precheck_save(tx, &subject, &opened.json)?;
            let payload = Some(payload.as_str());
            let job = NewJob { slot: Slot::of(&subject), action: SAVE, payload, duration_ms };
            Ok(jobs::accept(tx, self.simulator, &job)?)
        })?;
        Ok(self.accepted(&reference_id))
    }

    fn reset(&self, request: &Request) -> Result<Answer, Fault> {
        let (_, period) = open(self.simulator, self.live, self.call, request)?;
        registration::may_file(&self.live.taxpayer, self.form, period)?;
        let subject = self.simulator.subject(&self.live.taxpayer, self.form, period);
        let duration_ms = i64::from(self.simulator.config.latency.save_base_ms);
        let reference_id = self.simulator.db.write(|tx| -> Result<String, Fault> {
            jobs::refuse_unless_queued(tx, self.simulator, &Slot::of(&subject))?;
            gstr1::precheck_save(tx, &subject, &json!({}))?;
            let job = NewJob { slot: Slot::of(&subject), action: RESET, payload: None, duration_ms };
            Ok(jobs::accept(tx, self.simulator, &job)?)
        })?;
        Ok(self.accepted(&reference_id))
    }

    fn accepted(&self, reference_id: &str) -> Answer {
        self.simulator.new_job.notify_one();
        Answer::sealed(&self.simulator.seam, &self.live.session.sek, &json!({ "reference_id": reference_id }))
    }

    /// RETFILE carries no HMAC, so the period is all that the payload and the headers must agree in.
    fn file(&self, request: &Request) -> Result<Answer, Fault> {
        let opened = payload::open(request, &self.live.session.sek, false)?;
        let period = match payload::period(&opened.json, &self.live.taxpayer.gstin, self.call, false) {
            // One client files a summary without its period.
            Err(fault) if fault.code == payload::INCOMPLETE => query_period(self.call)?,
            period => period?,
        };
        registration::may_file(&self.live.taxpayer, self.form, period)?;
        let subject = self.simulator.subject(&self.live.taxpayer, self.form, period);
        let acknowledgement = self.simulator.db.write(|tx| {
            jobs::refuse_while_busy(tx, &Slot::of(&subject))?;
            filing::file_gstr1(tx, self.simulator, &self.live.taxpayer, &subject, request, &opened)
        })?;
        Ok(Answer::sealed(&self.simulator.seam, &self.live.session.sek, &acknowledgement))
    }

    fn summary(&self) -> Result<Answer, Fault> {
        own_gstin(self.live, self.call)?;
        let subject = self.simulator.subject(&self.live.taxpayer, self.form, query_period(self.call)?);
        let long = self.call.query("smrytyp") == Some("L");
        let summary =
            self.simulator.db.read(|tx| gstr1::summary(tx, &subject, long))?.ok_or_else(no_record)?;
        Ok(Answer::sealed(&self.simulator.seam, &self.live.session.sek, &summary))
    }

    fn section(&self, action: &str) -> Result<Answer, Fault> {
        own_gstin(self.live, self.call)?;
        let list = if self.form == Form::Gstr1a { ListOf::Gstr1a } else { ListOf::Gstr1 };
        let asked = Asked::by(self.call, list, Some(query_period(self.call)?), action, &SECTION_FILTERS);
        files::answer_list(self.simulator, self.live, &asked)?.ok_or_else(no_record)
    }
}
