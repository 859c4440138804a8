//! Traces: which of an ASP's calls led to which of ours at GSTN, and where the time went.
//!
//! A call goes on with the trace that its `traceparent` names, or begins one. If it is sampled, its settlement makes two
//! spans of it, ours for the ASP and ours towards GSTN, which `exporter.rs` posts to the collector on a thread of its own.
//! No call ever waits for that: what does not fit the queue is dropped and counted. Spans hold no payload, and no GSTIN
//! and no user name.

mod context;
mod exporter;
mod otlp;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gstn::catalogue::Origin;
use gstn::{AspId, Environment};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode};
use jiff::Timestamp;
use suvidha_seam::Seam;
use suvidha_store::ledger::Outcome;
use tokio::sync::mpsc;
use uuid::Uuid;

use self::context::{Context, TRACEPARENT, TRACESTATE, in_hex, traceparent};
pub(crate) use self::exporter::{Exporter, Exporting};
use crate::accounts::Charge;
use crate::config;
use crate::site::StartError;

/// How many calls wait to be exported; more are dropped.
const QUEUE: usize = 4096;

/// Begins and ends the traces of calls.
pub(crate) struct Tracer {
    seam: Seam,
    /// A trace is sampled whose id's last seven bytes, as a number, are below this.
    below: u64,
    follow_asps: bool,
    queue: mpsc::Sender<Finished>,
    pub(crate) tally: Arc<Tally>,
}

/// What became of spans.
#[derive(Default)]
pub(crate) struct Tally {
    /// The collector has taken them.
    pub(crate) exported: AtomicU64,
    /// It never got them, or did not want them.
    pub(crate) dropped: AtomicU64,
}

/// A call in its trace.
pub(crate) struct Trace {
    trace_id: [u8; 16],
    /// The ASP's span.
    parent_id: Option<[u8; 8]>,
    server_id: [u8; 8],
    client_id: [u8; 8],
    sampled: bool,
    state: Option<HeaderValue>,
    method: Method,
    began_at: Timestamp,
    began: Instant,
    handed_over: Option<HandedOver>,
}

/// When a call was handed over to the connection to GSTN, and to whom.
struct HandedOver {
    at: Instant,
    authority: HeaderValue,
}

/// What a settlement tells of a sampled call.
pub(crate) struct Told {
    pub(crate) request_id: Uuid,
    pub(crate) environment: Environment,
    pub(crate) aspid: Option<AspId>,
    /// As metrics name it.
    pub(crate) api: &'static str,
    pub(crate) status: Option<StatusCode>,
    pub(crate) outcome: Outcome,
    pub(crate) origin: Option<Origin>,
    /// As metrics name it.
    pub(crate) error_cd: Option<&'static str>,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) charge: Option<Charge>,
    pub(crate) at_gstn: Option<Duration>,
}

/// A sampled call that is over.
pub(crate) struct Finished {
    trace: Box<Trace>,
    told: Told,
    total: Duration,
}

impl Tracer {
    /// A tracer, and the exporter that it feeds.
    ///
    /// # Errors
    /// What is wrong with `config`.
    pub(crate) fn new(config: &config::Trace, seam: Seam) -> Result<(Self, Exporter), StartError> {
        let (queue, finished) = mpsc::channel(QUEUE);
        let tally = Arc::<Tally>::default();
        let instance = seam.uuid();
        let exporter = Exporter::new(config, instance, finished, Arc::clone(&tally))?;
        // Exact for 0 and 1.
        let below = (config.sample.clamp(0.0, 1.0) * (1_u64 << 56) as f64) as u64;
        Ok((Self { seam, below, follow_asps: config.follow_asps, queue, tally }, exporter))
    }

    /// The trace of a call that begins with `head`.
    pub(crate) fn begin(&self, head: &Parts) -> Box<Trace> {
        let (trace_id, parent_id, theirs, state) = match Context::read(&head.headers) {
            Some(Context { trace_id, parent_id, sampled, state }) => {
                (trace_id, Some(parent_id), sampled, state)
            }
            None => (self.seam.random_public(), None, false, None),
        };
        Box::new(Trace {
            trace_id,
            parent_id,
            server_id: self.span_id(),
            client_id: self.span_id(),
            sampled: self.samples(trace_id) || (theirs && self.follow_asps),
            state,
            method: head.method.clone(),
            began_at: self.seam.now(),
            began: Instant::now(),
            handed_over: None,
        })
    }

    /// Any but zero, which is none.
    fn span_id(&self) -> [u8; 8] {
        u64::from_be_bytes(self.seam.random_public()).max(1).to_be_bytes()
    }

    fn samples(&self, trace_id: [u8; 16]) -> bool {
        let last_seven = u128::from_be_bytes(trace_id) as u64 & ((1 << 56) - 1);
        last_seven < self.below
    }

    /// The call is over. `told` is asked only if it is sampled.
    pub(crate) fn finish(&self, trace: Box<Trace>, told: impl FnOnce() -> Told) {
        if !trace.sampled {
            return;
        }
        let total = trace.began.elapsed();
        if let Err(full) = self.queue.try_send(Finished { trace, told: told(), total }) {
            self.tally.dropped.fetch_add(full.into_inner().spans(), Ordering::Relaxed);
        }
    }
}

impl Finished {
    /// How many spans it makes.
    fn spans(&self) -> u64 {
        1 + u64::from(self.sent_to_gstn().is_some())
    }

    /// When it was handed over to whom, and how long it was there.
    fn sent_to_gstn(&self) -> Option<(&HandedOver, Duration)> {
        self.trace.handed_over.as_ref().zip(self.told.at_gstn)
    }
}

impl Trace {
    /// The call is handed over to GSTN with `head`: says there, as one more line or two, which trace it belongs to.
    pub(crate) fn hand_over(&mut self, head: &mut Vec<u8>, authority: &HeaderValue) {
        self.handed_over = Some(HandedOver { at: Instant::now(), authority: authority.clone() });
        let parent = traceparent(self.trace_id, self.client_id, self.sampled);
        let state = self.state.as_ref().map_or(&b""[..], HeaderValue::as_bytes);
        for (name, value) in [(TRACEPARENT, parent.as_bytes()), (TRACESTATE, state)] {
            if !value.is_empty() {
                head.extend([name.as_bytes(), b": ", value, b"\r\n"].into_iter().flatten());
            }
        }
    }

    /// The trace's id, as the log names it.
    pub(crate) fn id(&self) -> String {
        in_hex(&self.trace_id)
    }
}
