//! GSTR-3B on the wire: saves, reads, the offset and filing, and the statements beside it.

use gstn::ReturnPeriod;
use gstn::envelope::Request;
use http::Method;
use rusqlite::{Connection, Transaction};
use serde_json::{Value, json};

use crate::call::{Call, Resource};
use crate::fault::Fault;
use crate::filing::{self, Signed};
use crate::forms::Form;
use crate::gstr1::JobOutcome;
use crate::gstr3b::autoliab::{self, Inward, Rejected};
use crate::gstr3b::statements::{self, Statement};
use crate::gstr3b::{self, Supply, Taxable, interest, late_fee, valid};
use crate::inward;
use crate::jobs::{self, Job, NewJob, Slot};
use crate::ledgers;
use crate::ledgers::money::Heads;
use crate::payload::{self, Opened};
use crate::registration;
use crate::respond::Answer;
use crate::returns::{own_gstin, query_period, session};
use crate::routes::not_here;
use crate::sessions::LiveSession;
use crate::simulator::Simulator;
use crate::taxpayers::Taxpayer;

/// The jobs of a GSTR-3B, as they are kept and as RETSTATUS tells them.
const SAVE: &str = "SAVE";
const OFFSET: &str = "OFFSET";
const BREAKUP: &str = "BREAKUP";
const INTEREST: &str = "CMPINT";

/// Does what a job of a GSTR-3B asks for.
pub(crate) fn run(tx: &Transaction<'_>, simulator: &Simulator, job: &Job) -> rusqlite::Result<JobOutcome> {
    let period = job.period.ok_or_else(|| job.unknown())?;
    let taxable = taxable(tx, simulator, &job.taxpayer, period)?;
    match job.action.as_str() {
        SAVE => gstr3b::save(tx, &taxable, &job.payload, &inward(tx, simulator, &taxable, false)?),
        OFFSET => gstr3b::offset(tx, &taxable, &job.payload, &inward(tx, simulator, &taxable, false)?),
        BREAKUP => gstr3b::save_breakup(tx, &taxable, &job.payload),
        // Interest follows from what is kept: there is nothing to be done but to say so.
        INTEREST => Ok(gstr3b::computed()),
        _ => Err(job.unknown()),
    }
}

/// The return of a taxpayer, as it is to be judged today.
pub(crate) fn taxable<'a>(
    conn: &Connection,
    simulator: &Simulator,
    taxpayer: &'a Taxpayer,
    period: ReturnPeriod,
) -> rusqlite::Result<Taxable<'a>> {
    Taxable::new(conn, taxpayer, period, simulator.today(), simulator.rules())
}

/// What comes from recipients and suppliers. The summary of GSTR-2B is asked for only by those who draw credit from it.
fn inward(
    conn: &Connection,
    simulator: &Simulator,
    taxable: &Taxable<'_>,
    with_credit: bool,
) -> rusqlite::Result<Inward> {
    let (moment, gstin, period) = (simulator.moment(), taxable.gstin, taxable.period);
    let statement = if with_credit { inward::itc_summary(conn, &moment, gstin, period)? } else { None };
    let rejected = inward::added_back(conn, &moment, gstin, period)?;
    let rejected = rejected.into_iter().map(|added| {
        let tax = Heads::new(added.igst, added.cgst, added.sgst, added.cess);
        Rejected::of_section(&added.section, Supply { txval: 0, tax })
    });
    Ok(Inward {
        statement: statement.map(|statement| (statement.generated_on, statement.itcsumm)),
        rejected: rejected.collect(),
        is_stale: inward::needs_recompute(conn, &moment, gstin, period)?,
    })
}

/// A call of a taxpayer.
struct Made<'a> {
    simulator: &'a Simulator,
    live: &'a LiveSession,
    call: &'a Call,
}

/// `/taxpayerapi/*/returns/gstr3b`.
pub(crate) fn answer(
    simulator: &Simulator,
    client_id: &str,
    call: &Call,
    resource: &Resource,
) -> Result<Answer, Fault> {
    let live = session(simulator, client_id, call)?;
    let made = Made { simulator, live: &live, call };
    if call.method == Method::GET {
        return match call.query("action") {
            Some("RETSUM") => made.summary(),
            Some("AUTOLIAB") => made.auto_liability(),
            Some("RETINT") => made.read(|conn, taxable| Ok(interest::told(conn, taxable)?)),
            Some("CLOSINGBAL") => made.closing(Statement::Reclaim),
            Some("OPENINGBAL") => made.opening(Statement::Reclaim),
            Some("RCMCLOSINGBAL") => made.closing(Statement::ReverseCharge),
            Some("RCMOPNBAL") => made.opening(Statement::ReverseCharge),
            action => Err(not_here(call, resource, action)),
        };
    }
    let request = payload::envelope(call)?;
    match request.action_or(call.query("action")) {
        Some("RETSAVE") => made.job(&request, SAVE),
        Some("RETOFFSET") => made.job(&request, OFFSET),
        Some("RETBKP") => made.job(&request, BREAKUP),
        Some("CMPINT") => made.job(&request, INTEREST),
        Some("VALID") => made.validate(&request),
        Some("SAVEOB") => made.report_opening(&request, Statement::Reclaim),
        Some("SAVERCMOPNBAL") => made.report_opening(&request, Statement::ReverseCharge),
        Some("RETFILE") => made.file(&request),
        action => Err(not_here(call, resource, action)),
    }
}

/// LATEFEEBREAKUP of `/returns`.
pub(crate) fn late_fee(simulator: &Simulator, live: &LiveSession, call: &Call) -> Result<Answer, Fault> {
    let form = call.query("rtn_typ").unwrap_or("R3B");
    match Form::read(form) {
        Some(form @ (Form::Gstr1 | Form::Gstr3b)) => {
            Made { simulator, live, call }.read(|conn, taxable| Ok(late_fee::told(conn, taxable, form)?))
        }
        _ => Err(Fault::not_simulated(&format!("LATEFEEBREAKUP of {form}"))),
    }
}

/// RETLIAB and TAXPAYABLE of `/ledgers`.
pub(crate) fn open_liability(
    simulator: &Simulator,
    live: &LiveSession,
    call: &Call,
) -> Result<Answer, Fault> {
    let form = call.query("ret_typ").or_else(|| call.query("ret_type")).unwrap_or("R3B");
    if Form::read(form) != Some(Form::Gstr3b) {
        return Err(Fault::not_simulated(&format!("The open liability of {form}")));
    }
    Made { simulator, live, call }
        .read(|conn, taxable| gstr3b::open_liability(conn, taxable)?.ok_or_else(no_data))
}

impl Made<'_> {
    fn sealed(&self, told: &Value) -> Answer {
        Answer::sealed(&self.simulator.seam, &self.live.session.sek, told)
    }

    /// Reads something of the period that the call asks about.
    fn read(
        &self,
        ask: impl FnOnce(&Connection, &Taxable<'_>) -> Result<Value, Fault>,
    ) -> Result<Answer, Fault> {
        own_gstin(self.live, self.call)?;
        let period = query_period(self.call)?;
        let told = self.simulator.db.read(|tx| -> Result<Value, Fault> {
            ask(tx, &taxable(tx, self.simulator, &self.live.taxpayer, period)?)
        })?;
        Ok(self.sealed(&told))
    }

    fn summary(&self) -> Result<Answer, Fault> {
        self.read(|conn, taxable| gstr3b::summary(conn, taxable)?.ok_or_else(no_data))
    }

    fn auto_liability(&self) -> Result<Answer, Fault> {
        self.read(|conn, taxable| {
            taxable.check_period()?;
            let inward = inward(conn, self.simulator, taxable, true)?;
            Ok(autoliab::draw(conn, taxable, &inward)?.to_json(taxable))
        })
    }

    fn closing(&self, statement: Statement) -> Result<Answer, Fault> {
        own_gstin(self.live, self.call)?;
        let gstin = &self.live.taxpayer.gstin;
        let told =
            self.simulator.db.read(|tx| ledgers::statements::closing(tx, gstin, statement.account()))?;
        Ok(self.sealed(&told))
    }

    fn opening(&self, statement: Statement) -> Result<Answer, Fault> {
        own_gstin(self.live, self.call)?;
        let gstin = &self.live.taxpayer.gstin;
        let told = self.simulator.db.read(|tx| statements::opening(tx, gstin, statement))?;
        Ok(self.sealed(&told))
    }

    /// The body of an offset has no period, and one client files a return without it: then query and headers say.
    fn open(
        &self,
        request: &Request,
        needs_hmac: bool,
        names_period: bool,
    ) -> Result<(Opened, ReturnPeriod), Fault> {
        let opened = payload::open(request, &self.live.session.sek, needs_hmac)?;
        let strict = needs_hmac && self.simulator.config.strict_period_header;
        let period = match payload::period(&opened.json, &self.live.taxpayer.gstin, self.call, strict) {
            Err(fault) if !names_period && fault.code == payload::INCOMPLETE => query_period(self.call),
            period => period,
        };
        Ok((opened, period.map_err(in_words_of_gstr3b)?))
    }

    fn check_registration(&self, period: ReturnPeriod) -> Result<(), Fault> {
        registration::may_file(&self.live.taxpayer, Form::Gstr3b, period).map_err(in_words_of_gstr3b)
    }

    /// A job is answered when it is on disk, and done afterwards.
    fn job(&self, request: &Request, action: &'static str) -> Result<Answer, Fault> {
        let (opened, period) = self.open(request, true, action != OFFSET)?;
        self.check_registration(period)?;
        let payload = opened.json.to_string();
        let latency = &self.simulator.config.latency;
        let duration_ms = i64::from(if action == OFFSET { latency.offset_ms } else { latency.save_base_ms });
        let reference_id = self.simulator.db.write(|tx| -> Result<String, Fault> {
            let taxable = taxable(tx, self.simulator, &self.live.taxpayer, period)?;
            let slot = slot(&taxable);
            jobs::refuse_unless_queued(tx, self.simulator, &slot)?;
            match action {
                OFFSET => gstr3b::precheck_offset(tx, &taxable)?,
                _ => gstr3b::precheck_save(tx, &taxable)?,
            }
            Ok(jobs::accept(
                tx,
                self.simulator,
                &NewJob { slot, action, payload: Some(&payload), duration_ms },
            )?)
        })?;
        self.simulator.new_job.notify_one();
        Ok(self.sealed(&json!({ "reference_id": reference_id })))
    }

    fn validate(&self, request: &Request) -> Result<Answer, Fault> {
        let (opened, period) = self.open(request, true, true)?;
        let told = self.simulator.db.read(|tx| -> Result<Value, Fault> {
            let taxable = taxable(tx, self.simulator, &self.live.taxpayer, period)?;
            taxable.check_period()?;
            let drawn = autoliab::draw(tx, &taxable, &inward(tx, self.simulator, &taxable, true)?)?;
            Ok(valid::validate(tx, &opened.json, &drawn, &taxable)?)
        })?;
        Ok(self.sealed(&told))
    }

    fn report_opening(&self, request: &Request, statement: Statement) -> Result<Answer, Fault> {
        let opened = payload::open(request, &self.live.session.sek, true)?;
        let gstin = &self.live.taxpayer.gstin;
        if opened.json["gstin"].as_str().is_some_and(|named| !named.eq_ignore_ascii_case(gstin.as_str())) {
            return Err(Fault::new("RET191136", "Return period or GSTIN from header and payload differ"));
        }
        let today = self.simulator.today();
        let reference = self
            .simulator
            .db
            .write(|tx| statements::report_opening(tx, gstin, statement, &opened.json, today))?;
        Ok(self.sealed(&json!({ "reference_id": reference })))
    }

    fn file(&self, request: &Request) -> Result<Answer, Fault> {
        let (opened, period) = self.open(request, false, false)?;
        self.check_registration(period)?;
        let taxpayer = &self.live.taxpayer;
        let acknowledgement = self.simulator.db.write(|tx| -> Result<Value, Fault> {
            let taxable = taxable(tx, self.simulator, taxpayer, period)?;
            jobs::refuse_while_busy(tx, &slot(&taxable))?;
            gstr3b::precheck_file(tx, &taxable)?;
            let signed = Signed { taxpayer, form: Form::Gstr3b, period, request, opened: &opened };
            let inward = inward(tx, self.simulator, &taxable, false)?;
            filing::file(tx, self.simulator, &signed, |arn| {
                Ok(gstr3b::file(tx, &taxable, &opened.json, &inward, arn)?)
            })
            .map_err(in_words_of_gstr3b)
        })?;
        Ok(self.sealed(&acknowledgement))
    }
}

fn slot<'a>(taxable: &Taxable<'a>) -> Slot<'a> {
    Slot { gstin: taxable.gstin, form: Form::Gstr3b, period: Some(taxable.period) }
}

/// Where GSTR-3B has a code of its own for what all forms have.
fn in_words_of_gstr3b(fault: Fault) -> Fault {
    match fault.code.as_ref() {
        "RET191136" => Fault::new("RT-3BSP104", "GSTIN or return period of header and payload differ"),
        "AUTH113" => Fault::new("RT-3BGV1005", "Invalid return period for GSTR3B"),
        "AUTH151" => Fault::new("RT-3BGV1005", fault.message),
        "RET13509" => Fault::new("RT-3BAS1043", "OTP is either expired or incorrect"),
        _ => fault,
    }
}

fn no_data() -> Fault {
    Fault::new("RT-3BAS1009", "No GSTR3B data is saved for the period")
}
