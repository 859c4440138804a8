//! Last, because only now is everything known; and for every call, because [`Settlement`] settles when it is
//! dropped: after the last byte, when the ASP hangs up, when GSTN dies, when a stage panics.
//!
//! A call is entered in the ledger once it is known how it ends, and its answer may not end before that is on disk. When it
//! is over it writes one log line, with no payload and no secret.

mod entry;
mod log;
mod measure;

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use gstn::AspId;
use gstn::catalogue::Origin;
use gstn::envelope::StatusCd;
use http::{HeaderValue, Method, StatusCode};
use jiff::Timestamp;
use suvidha_store::AspEntry;
use suvidha_store::ledger::{ConsentChange, Entry, Outcome, Ticket};
use uuid::Uuid;

pub(crate) use self::entry::words;
use crate::accounts::{Charge, Hold, Notice, Verdict};
use crate::body::Flow;
use crate::error::{Error, Kind};
use crate::fair::Turn;
use crate::plane::Door;
use crate::recorder::{Recorder, Unrecorded};
use crate::trace::Trace;

/// What is known of a call.
pub(crate) struct Record {
    pub(crate) request_id: Uuid,
    /// When it began.
    pub(crate) at: Timestamp,
    /// Whose call it is; of one that was refused for its credentials, whose it says it is.
    pub(crate) asp: Option<Arc<AspEntry>>,
    /// That it is the call of `asp` was proven by credentials, and not only said.
    pub(crate) proven: bool,
    /// The header `aspid`, of whoever sends it.
    pub(crate) claimed: Option<AspId>,
    /// `None` until the head was understood.
    pub(crate) method: Option<Method>,
    pub(crate) txn: Option<HeaderValue>,
    pub(crate) gstin: Option<HeaderValue>,
    pub(crate) ip_usr: Option<HeaderValue>,
    pub(crate) appver: Option<HeaderValue>,
    /// Family and path, such as `taxpayerapi/returns/gstr1`.
    pub(crate) api: Option<Cow<'static, str>>,
    /// The place of `api` among the catalogue's paths, where it is one of them.
    pub(crate) path_number: Option<usize>,
    pub(crate) action: Option<Cow<'static, str>>,
    pub(crate) version: Option<Cow<'static, str>>,
    /// One of our own endpoints, which are nobody's calls.
    pub(crate) own: bool,
    /// A GetKey call, whose failures have a form of their own.
    pub(crate) getkey: bool,
    /// It passed [`admit`](super::admit).
    pub(crate) admitted: bool,
    /// What it holds of its ASP's account, from then on.
    pub(crate) hold: Option<Hold>,
    /// Its turn at the environment's ceiling, until GSTN has answered.
    pub(crate) turn: Option<Turn>,
    /// How far it came, for what it is charged.
    pub(crate) verdict: Verdict,
    /// What it was charged, once it is over.
    charge: Option<Charge>,
    /// The limit of the ASP that is nearest.
    pub(crate) notice: Option<Notice>,
    /// The head of GSTN's answer came, whatever it said.
    pub(crate) gstn_answered: bool,
    /// Of the answer; `None` until there is one.
    pub(crate) status: Option<StatusCode>,
    pub(crate) status_cd: Option<StatusCd>,
    pub(crate) error_cd: Option<String>,
    pub(crate) origin: Option<Origin>,
    /// What it did to a taxpayer's session.
    pub(crate) consent: Option<ConsentChange>,
    pub(crate) request_body: Option<Arc<Flow>>,
    pub(crate) bytes_out: u64,
    /// From the request being handed to a connection until its answer could be released.
    pub(crate) at_gstn: Option<Duration>,
    /// Where calls are traced.
    pub(crate) trace: Option<Box<Trace>>,
    /// How it ended, once that is known.
    pub(crate) outcome: Option<Outcome>,
    /// It is answered with an error that is not GSTN's.
    refused: bool,
    detail: Option<String>,
    started: Instant,
}

impl Record {
    fn open(door: &Door) -> Self {
        let at = door.plane.seam.now();
        Self {
            request_id: door.plane.seam.uuid_at(at),
            at,
            asp: None,
            proven: false,
            claimed: None,
            method: None,
            txn: None,
            gstin: None,
            ip_usr: None,
            appver: None,
            api: None,
            path_number: None,
            action: None,
            version: None,
            own: false,
            getkey: false,
            admitted: false,
            hold: None,
            turn: None,
            verdict: Verdict::NotSent,
            charge: None,
            notice: None,
            gstn_answered: false,
            status: None,
            status_cd: None,
            error_cd: None,
            origin: None,
            consent: None,
            request_body: None,
            bytes_out: 0,
            at_gstn: None,
            trace: None,
            outcome: None,
            refused: false,
            detail: None,
            started: Instant::now(),
        }
    }

    /// The call failed, on our side of GSTN.
    pub(crate) fn failed(&mut self, error: &Error) {
        self.refused = true;
        self.error_cd = Some(error.code().to_owned());
        self.origin = Some(error.origin());
        self.detail = error.detail().map(str::to_owned);
        // Whatever GSTN said, the ASP did not get it whole.
        self.verdict = self.verdict.min(Verdict::Forwarded);
    }

    /// It may be forwarded.
    pub(crate) fn admit(&mut self, hold: Hold, turn: Turn, notice: Option<Notice>) {
        self.admitted = true;
        (self.hold, self.turn, self.notice) = (Some(hold), Some(turn), notice);
    }

    /// It was refused after all, before anything of it was sent: it has used up nothing.
    pub(crate) fn refuse(&mut self) {
        self.admitted = false;
        (self.hold, self.turn) = (None, None);
    }

    fn settle_account(&mut self) {
        self.turn = None;
        let verdict = self.verdict;
        self.charge = self.hold.take().map(|hold| hold.settle(verdict));
    }
}

/// A call that will be settled.
pub(crate) struct Settlement {
    pub(crate) record: Record,
    door: Arc<Door>,
    lane: usize,
    /// Of the entry that the answer waits for.
    ticket: Option<Ticket>,
}

impl Settlement {
    pub(crate) fn open(door: &Arc<Door>, lane: usize) -> Self {
        door.plane.calls.fetch_add(1, Ordering::Relaxed);
        Self { record: Record::open(door), door: Arc::clone(door), lane, ticket: None }
    }

    /// All is known of the call and its answer will be given to its end: enters it in the ledger. The answer must not end
    /// before [`poll_written`](Self::poll_written) lets it.
    pub(crate) fn enter_given(&mut self) {
        let lane = self.lane;
        let outcome = if self.record.refused { Outcome::Refused } else { Outcome::Answered };
        if let Some((recorder, entry)) = self.entry(outcome) {
            self.ticket = recorder.submit(lane, entry, outcome == Outcome::Answered);
        }
    }

    /// The answer was not given, or not to its end: enters the call, for which nobody waits any more.
    pub(crate) fn enter_late(&mut self, outcome: Outcome) {
        if let Some((recorder, entry)) = self.entry(outcome) {
            recorder.submit_late(entry);
        }
    }

    /// What is to be entered of the call, and where; once, and not of our own endpoints.
    fn entry(&mut self, outcome: Outcome) -> Option<(&Recorder, Entry)> {
        if self.record.outcome.is_some() {
            return None;
        }
        self.record.outcome = Some(outcome);
        self.record.settle_account();
        let recorder = self.door.recorder.as_ref().filter(|_| !self.record.own)?;
        Some((recorder, self.record.entry(outcome)))
    }

    /// Whether the answer may end, now that the call is entered.
    pub(crate) fn poll_written(&mut self, cx: &Context<'_>) -> Poll<Result<(), Unrecorded>> {
        let (Some(ticket), Some(recorder)) = (self.ticket, &self.door.recorder) else {
            return Poll::Ready(Ok(()));
        };
        let written = ready!(recorder.poll_written(self.lane, ticket, cx));
        self.ticket = None;
        if written.is_err() {
            self.record.outcome = Some(Outcome::Unrecorded);
            // The units were given back: see `crate::recorder`.
            self.record.charge = self.record.charge.map(|charge| Charge { units: 0, ..charge });
        }
        Poll::Ready(written)
    }
}

impl Drop for Settlement {
    fn drop(&mut self) {
        if self.door.plane.is_cut_off() && self.record.outcome.is_none() {
            self.record.failed(&Error::new(Kind::Draining));
            self.enter_late(Outcome::BrokenOff);
        }
        self.enter_late(Outcome::Abandoned);
        if let (Some(ticket), Some(recorder)) = (self.ticket, &self.door.recorder) {
            recorder.forget(self.lane, ticket);
        }
        let Self { record, door, .. } = self;
        let total = record.started.elapsed();
        record.log(door.environment, total);
        if !record.own {
            record.measure(door, total);
        }
        door.plane.calls.fetch_sub(1, Ordering::Relaxed);
    }
}
