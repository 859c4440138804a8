//! What is counted of every call, and what `/metrics` tells of it.
//!
//! Counting must not slow the calls down: each thread adds to a [`Shard`] of its own, so that no cache line goes from
//! core to core, and a call costs about ten additions. The shards are summed when
//! somebody asks. What is known anyway, such as the number of connections, is read only then, in `scrape.rs`.
//!
//! Labels are bounded, whatever ASPs send: APIs and error codes are those of the catalogue or else `other`.

mod classic;
mod histogram;
mod labels;
mod page;
mod scrape;

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use gstn::Environment;
use gstn::catalogue::Origin;
use http::StatusCode;
use jiff::Timestamp;
use suvidha_store::ledger::Outcome;

use self::histogram::{Histogram, OF_GSTN, OURS};
use self::labels::{ApiLabel, CodeLabel, FAMILIES, ORIGINS, OUTCOMES, PLANS, STATUSES};
pub(crate) use self::labels::{api_name, code_name};
pub use self::scrape::Exposition;
pub(crate) use self::scrape::text;
use crate::accounts::Charge;

/// Everything that is counted.
pub(crate) struct Metrics {
    shards: Vec<Shard>,
    /// When the data plane was started.
    started: Timestamp,
}

/// What the calls of one thread add up to, in each environment.
struct Shard([Tally; 2]);

struct Tally {
    /// By API, class of status and outcome.
    calls: Vec<AtomicU64>,
    /// By origin and code.
    errors: Vec<AtomicU64>,
    /// By family, as are those below.
    total: Vec<Histogram>,
    gstn: Vec<Histogram>,
    own: Vec<Histogram>,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    /// Units charged, by plan.
    units: [AtomicU64; PLANS.len()],
}

/// A call that is over.
pub(crate) struct Settled<'a> {
    pub(crate) environment: Environment,
    /// Family and path as the call was routed; none where it was not.
    pub(crate) api: Option<&'a str>,
    /// Its place among the catalogue's paths, if routing has found it.
    pub(crate) path_number: Option<usize>,
    /// Of the answer, if there was one.
    pub(crate) status: Option<StatusCode>,
    pub(crate) outcome: Outcome,
    pub(crate) origin: Option<Origin>,
    pub(crate) error_cd: Option<&'a str>,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    /// What it was charged, if it was admitted.
    pub(crate) charge: Option<Charge>,
    /// What it spent at GSTN, if it came that far.
    pub(crate) at_gstn: Option<Duration>,
    pub(crate) total: Duration,
}

impl Metrics {
    /// Counters for `threads` threads that serve calls.
    pub(crate) fn new(threads: usize, started: Timestamp) -> Self {
        Self { shards: (0..threads.max(1)).map(|_| Shard::new()).collect(), started }
    }

    /// Counts a call.
    pub(crate) fn settle(&self, call: &Settled<'_>) {
        let shard = &self.shards[place_of_thread() % self.shards.len()];
        shard.0[call.environment as usize].add(call);
    }

    /// The sum over all threads of what `counter` picks.
    fn sum(&self, environment: Environment, counter: impl Fn(&Tally) -> &AtomicU64) -> u64 {
        let tallies = self.shards.iter().map(|shard| &shard.0[environment as usize]);
        tallies.map(|tally| counter(tally).load(Ordering::Relaxed)).sum()
    }
}

/// A number of this thread's own: those that serve calls start together and so fall on different shards.
fn place_of_thread() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static PLACE: Cell<Option<usize>> = const { Cell::new(None) });
    PLACE.with(|place| {
        place.get().unwrap_or_else(|| {
            let new = NEXT.fetch_add(1, Ordering::Relaxed);
            place.set(Some(new));
            new
        })
    })
}

impl Shard {
    fn new() -> Self {
        Self(Environment::ALL.map(|_| Tally::new()))
    }
}

impl Tally {
    fn new() -> Self {
        let counters = |count: usize| (0..count).map(|_| AtomicU64::new(0)).collect();
        let histograms = |bounds| FAMILIES.iter().map(|_| Histogram::new(bounds)).collect();
        Self {
            calls: counters(ApiLabel::count() * STATUSES.len() * OUTCOMES.len()),
            errors: counters(ORIGINS.len() * CodeLabel::count()),
            total: histograms(OF_GSTN),
            gstn: histograms(OF_GSTN),
            own: histograms(OURS),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            units: PLANS.map(|_| AtomicU64::new(0)),
        }
    }

    fn add(&self, call: &Settled<'_>) {
        let add = |counter: &AtomicU64, count| counter.fetch_add(count, Ordering::Relaxed);
        let api = call.path_number.map_or_else(|| ApiLabel::of(call.api), ApiLabel::of_path);
        let status = call.status.map_or(0, |status| usize::from(status.as_u16() / 100).clamp(2, 5) - 1);
        add(&self.calls[place_of_call(api.place(), status, call.outcome as usize)], 1);
        if let (Some(origin), Some(code)) = (call.origin, call.error_cd) {
            add(&self.errors[place_of_error(origin as usize, CodeLabel::of(code).place())], 1);
        }
        let family = api.family();
        self.total[family].observe(call.total);
        self.own[family].observe(call.total.saturating_sub(call.at_gstn.unwrap_or_default()));
        if let Some(at_gstn) = call.at_gstn {
            self.gstn[family].observe(at_gstn);
        }
        add(&self.bytes_in, call.bytes_in);
        add(&self.bytes_out, call.bytes_out);
        // A call that could not be recorded gets its units back.
        if let Some(charge) = call.charge.filter(|_| call.outcome != Outcome::Unrecorded) {
            add(&self.units[charge.plan as usize], charge.units);
        }
    }
}

fn place_of_call(api: usize, status: usize, outcome: usize) -> usize {
    (api * STATUSES.len() + status) * OUTCOMES.len() + outcome
}

fn place_of_error(origin: usize, code: usize) -> usize {
    origin * CodeLabel::count() + code
}
