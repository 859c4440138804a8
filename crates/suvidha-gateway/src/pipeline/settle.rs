//! Last, because only now is everything known; and for every call, because [`Settlement`] settles when it is
//! dropped: after the last byte, when the ASP hangs up, when GSTN dies, when a stage panics.
//!
//! It writes one log line, with no payload and no secret.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use gstn::catalogue::Origin;
use gstn::envelope::StatusCd;
use gstn::{AspId, Environment};
use http::{HeaderValue, Method, StatusCode};
use suvidha_store::AspEntry;
use uuid::Uuid;

use crate::body::Flow;
use crate::error::Error;
use crate::metrics::{Metrics, Settled};
use crate::plane::{Door, Plane};

/// The longest text of an ASP's that the log repeats.
const LONGEST: usize = 64;

/// What is known of a call.
pub(crate) struct Record {
    pub(crate) request_id: Uuid,
    /// Whose call it is; of one that was refused for its credentials, whose it says it is.
    pub(crate) asp: Option<Arc<AspEntry>>,
    /// That it is the call of `asp` was proven by credentials, and not only said.
    pub(crate) proven: bool,
    /// The header `aspid`, of whoever sends it.
    pub(crate) claimed: Option<AspId>,
    pub(crate) method: Method,
    pub(crate) txn: Option<HeaderValue>,
    pub(crate) gstin: Option<HeaderValue>,
    pub(crate) ip_usr: Option<HeaderValue>,
    pub(crate) appver: Option<HeaderValue>,
    /// Family and path, such as `taxpayerapi/returns/gstr1`.
    pub(crate) api: Option<String>,
    pub(crate) action: Option<String>,
    pub(crate) version: Option<String>,
    /// One of our own endpoints, which are nobody's calls.
    pub(crate) own: bool,
    /// It passed [`admit`](super::admit).
    pub(crate) admitted: bool,
    /// The head of GSTN's answer came, whatever it said.
    pub(crate) gstn_answered: bool,
    pub(crate) status: StatusCode,
    pub(crate) status_cd: Option<StatusCd>,
    pub(crate) error_cd: Option<String>,
    pub(crate) origin: Option<Origin>,
    pub(crate) request_body: Option<Arc<Flow>>,
    pub(crate) bytes_out: u64,
    /// From the request being handed to a connection until its answer could be released.
    pub(crate) at_gstn: Option<Duration>,
    /// The answer was given to its end.
    pub(crate) whole: bool,
    environment: Environment,
    detail: Option<String>,
    started: Instant,
}

impl Record {
    /// The call failed, on our side of GSTN.
    pub(crate) fn failed(&mut self, error: &Error) {
        self.error_cd = Some(error.code().to_owned());
        self.origin = Some(error.origin());
        self.detail = error.detail().map(str::to_owned);
    }

    fn outcome(&self) -> &'static str {
        match (self.whole, &self.error_cd) {
            (true, _) => "answered",
            (false, Some(_)) => "broken-off",
            (false, None) => "abandoned",
        }
    }

    fn count(&self, metrics: &Metrics) {
        metrics.settle(&Settled {
            environment: self.environment,
            api: self.api.as_deref(),
            status: self.status,
            outcome: self.outcome(),
            origin: self.origin,
            error_cd: self.error_cd.as_deref(),
            bytes_in: self.request_body.as_ref().map_or(0, |flow| flow.taken()),
            bytes_out: self.bytes_out,
            at_gstn: self.at_gstn,
            total: self.started.elapsed(),
        });
    }

    fn log(&self) {
        let outcome = self.outcome();
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    target: "suvidha::call",
                    request_id = %self.request_id,
                    environment = self.environment.as_str(),
                    aspid = self.asp.as_ref().map(|asp| asp.aspid.as_str()),
                    txn = text(self.txn.as_ref()),
                    gstin = text(self.gstin.as_ref()),
                    api = self.api.as_deref(),
                    action = self.action.as_deref(),
                    version = self.version.as_deref(),
                    status = self.status.as_u16(),
                    status_cd = self.status_cd.map(StatusCd::as_str),
                    error_cd = self.error_cd.as_deref(),
                    origin = self.origin.map(Origin::as_str),
                    bytes_in = self.request_body.as_ref().map_or(0, |flow| flow.taken()),
                    bytes_out = self.bytes_out,
                    gstn_ms = self.at_gstn.map(milliseconds),
                    total_ms = milliseconds(self.started.elapsed()),
                    outcome,
                    detail = self.detail.as_deref(),
                )
            };
        }
        if self.own { line!(debug) } else { line!(info) }
    }
}

/// A call that will be settled.
pub(crate) struct Settlement {
    pub(crate) record: Record,
    plane: Arc<Plane>,
}

impl Settlement {
    pub(crate) fn open(door: &Door) -> Self {
        door.plane.calls.fetch_add(1, Ordering::Relaxed);
        let record = Record {
            request_id: door.plane.seam.uuid(),
            asp: None,
            proven: false,
            claimed: None,
            method: Method::GET,
            txn: None,
            gstin: None,
            ip_usr: None,
            appver: None,
            api: None,
            action: None,
            version: None,
            own: false,
            admitted: false,
            gstn_answered: false,
            status: StatusCode::INTERNAL_SERVER_ERROR,
            status_cd: None,
            error_cd: None,
            origin: None,
            request_body: None,
            bytes_out: 0,
            at_gstn: None,
            whole: false,
            environment: door.environment,
            detail: None,
            started: Instant::now(),
        };
        Self { record, plane: Arc::clone(&door.plane) }
    }
}

impl Drop for Settlement {
    fn drop(&mut self) {
        self.record.log();
        if !self.record.own {
            self.record.count(&self.plane.metrics);
        }
        self.plane.calls.fetch_sub(1, Ordering::Relaxed);
    }
}

fn text(value: Option<&HeaderValue>) -> Option<&str> {
    let text = value?.to_str().ok()?;
    Some(&text[..text.len().min(LONGEST)])
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
