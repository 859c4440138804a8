//! What the forms share on the wire: RETSTATUS, RETTRACK, and how a call names its session, its payload and its period.

use gstn::ReturnPeriod;
use gstn::envelope::Request;
use http::Method;

use crate::call::{Call, Resource};
use crate::fault::Fault;
use crate::files;
use crate::filing::{self, Track};
use crate::gstr3b_api;
use crate::jobs;
use crate::payload::{self, Opened};
use crate::profile;
use crate::respond::Answer;
use crate::routes::not_here;
use crate::sessions::{self, LiveSession};
use crate::simulator::Simulator;

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
        (&Method::GET, Some("LATEFEEBREAKUP")) => gstr3b_api::late_fee(simulator, &live, call),
        (&Method::GET, Some("FILEDET")) => files::details(simulator, &live, call, files::of_return),
        (&Method::GET, Some("GETPREF")) => profile::preference(simulator, &live, call),
        (&Method::GET, Some("AATO")) => profile::aato(simulator, &live, call),
        (&Method::GET, action) => Err(not_here(call, resource, action)),
        _ => {
            let request = payload::envelope(call)?;
            match request.action_or(call.query("action")) {
                Some("SAVEPREF") => profile::choose(simulator, &live, &request),
                action => Err(not_here(call, resource, action)),
            }
        }
    }
}

/// RETSTATUS: by `ref_id`, or by the `trans_id` of 2017.
pub(crate) fn status(simulator: &Simulator, live: &LiveSession, call: &Call) -> Result<Answer, Fault> {
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

pub(crate) fn session(simulator: &Simulator, client_id: &str, call: &Call) -> Result<LiveSession, Fault> {
    let unknown = || Fault::new("RT-R1R3BAV-1007", "Either auth-token or username is invalid");
    simulator.db.read(|tx| sessions::of_call(tx, simulator, client_id, call, unknown))
}

pub(crate) fn open(
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
pub(crate) fn query_period(call: &Call) -> Result<ReturnPeriod, Fault> {
    let period = call.query("ret_period").or_else(|| call.period_header());
    let missing = || Fault::new("AUTH141", "Mandatory Parameters - Gstin or Return Period missing");
    period.ok_or_else(missing)?.parse().map_err(|_| payload::invalid_period())
}

pub(crate) fn no_record() -> Fault {
    Fault::new("RET13510", "No record found")
}
