//! What all threads share: the registry as it is now, the environments, and the calls under way.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use foldhash::{HashMap, HashMapExt};
use gstn::{AspId, Environment};
use jiff::Timestamp;
use suvidha_seam::Seam;
use suvidha_store::{Registry, Snapshot, StoreError, Used};
use tokio::time::sleep;
use tracing::error;

use crate::accounts::Accounts;
use crate::attempts::Attempts;
use crate::breaker::Breaker;
use crate::error::{Error, Kind};
use crate::fair::Gate;
use crate::gcra::Limiter;
use crate::keeper::Errand;
use crate::metrics::Metrics;
use crate::readers::Shelf;
use crate::recorder::Recorder;
use crate::site::Site;
use crate::trace::Tracer;
use crate::{aspapi, getkey};

/// What all environments share.
pub(crate) struct Plane {
    pub(crate) seam: Seam,
    /// Followed by the keeper; calls read nothing else of the registry.
    pub(crate) snapshot: ArcSwap<Snapshot>,
    /// To the keeper, for what would block.
    pub(crate) errands: Sender<Errand>,
    /// What is counted of calls.
    pub(crate) metrics: Metrics,
    /// Where calls are traced to, if anywhere.
    pub(crate) tracer: Option<Tracer>,
    /// Calls not yet settled.
    pub(crate) calls: AtomicUsize,
    /// `/readyz` says no.
    draining: AtomicBool,
    /// New calls are refused.
    closing: AtomicBool,
    /// What is left of the calls ends now.
    cut_off: AtomicBool,
    /// What was used since the registry was last told, for each thread.
    touched: Vec<Mutex<HashMap<Used, Timestamp>>>,
}

/// The registry as it is now; what is missing from it, because it cannot be opened, is told to the log.
pub(crate) fn snapshot_of(registry: &Registry) -> Result<Snapshot, StoreError> {
    let snapshot = registry.snapshot()?;
    for error in snapshot.unopened() {
        error!(target: "suvidha::gateway", %error, "a sealed secret of the registry cannot be used");
    }
    Ok(snapshot)
}

impl Plane {
    pub(crate) fn new(
        registry: &Registry,
        seam: Seam,
        threads: usize,
        tracer: Option<Tracer>,
        errands: Sender<Errand>,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            metrics: Metrics::new(threads, seam.now()),
            tracer,
            seam,
            snapshot: ArcSwap::from_pointee(snapshot_of(registry)?),
            errands,
            calls: AtomicUsize::new(0),
            draining: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            cut_off: AtomicBool::new(false),
            touched: (0..threads).map(|_| Mutex::default()).collect(),
        })
    }

    /// Notes what an ASP proved itself with; the keeper tells the registry.
    pub(crate) fn touch(&self, lane: usize, used: Used, at: Timestamp) {
        self.touched[lane].lock().unwrap_or_else(PoisonError::into_inner).insert(used, at);
    }

    /// The uses noted since this was last asked.
    pub(crate) fn take_touched(&self) -> Vec<(Used, Timestamp)> {
        let taken = self
            .touched
            .iter()
            .map(|lane| std::mem::take(&mut *lane.lock().unwrap_or_else(PoisonError::into_inner)));
        let mut latest = HashMap::new();
        for (used, at) in taken.flatten() {
            let known = latest.entry(used).or_insert(at);
            *known = at.max(*known);
        }
        latest.into_iter().collect()
    }

    /// Notes uses again that the registry could not be told of.
    pub(crate) fn put_back(&self, uses: Vec<(Used, Timestamp)>) {
        let mut touched = self.touched[0].lock().unwrap_or_else(PoisonError::into_inner);
        for (used, at) in uses {
            touched.entry(used).or_insert(at);
        }
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    pub(crate) fn is_cut_off(&self) -> bool {
        self.cut_off.load(Ordering::Relaxed)
    }

    pub(crate) fn announce_drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    pub(crate) fn close(&self) {
        self.announce_drain();
        self.closing.store(true, Ordering::Relaxed);
    }

    pub(crate) fn cut_off(&self) {
        self.close();
        self.cut_off.store(true, Ordering::Relaxed);
    }
}

/// One environment's entrance.
pub(crate) struct Door {
    pub(crate) plane: Arc<Plane>,
    pub(crate) environment: Environment,
    pub(crate) address: SocketAddr,
    pub(crate) site: ArcSwap<Site>,
    /// Connections of ASPs under way.
    pub(crate) connections: AtomicUsize,
    pub(crate) getkey: getkey::Memory,
    pub(crate) passwords: Attempts,
    /// How often ASPs replace their certificates.
    pub(crate) setasppubcer: Limiter<AspId>,
    pub(crate) aspapi: aspapi::Memory,
    /// What ASPs have used of their balances and limits.
    pub(crate) accounts: Arc<Accounts>,
    /// Who may send to GSTN now, of all of them.
    pub(crate) gate: Arc<Gate>,
    /// Whether GSTN answers.
    pub(crate) breaker: Arc<Breaker>,
    /// Where its calls are recorded, if anywhere.
    pub(crate) recorder: Option<Recorder>,
    /// Where what is recorded is read.
    pub(crate) shelf: Option<Shelf>,
}

/// How often a full entrance looks whether a connection has ended.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

impl Door {
    pub(crate) fn new(
        plane: Arc<Plane>,
        address: SocketAddr,
        site: Site,
        (accounts, recorder): (Arc<Accounts>, Option<Recorder>),
        shelf: Option<Shelf>,
    ) -> Self {
        Self {
            accounts,
            gate: Arc::new(Gate::new(plane.seam.clone())),
            breaker: Arc::new(Breaker::new(site.environment, plane.seam.clone())),
            plane,
            environment: site.environment,
            address,
            site: ArcSwap::from_pointee(site),
            connections: AtomicUsize::new(0),
            getkey: getkey::Memory::new(),
            passwords: Attempts::new(),
            setasppubcer: Limiter::new(1 << 16),
            aspapi: aspapi::Memory::new(),
            recorder,
            shelf,
        }
    }

    /// Nothing may be done for an ASP that could not be written down.
    pub(crate) fn check_ledger(&self) -> Result<(), Error> {
        match &self.recorder {
            Some(recorder) if !recorder.is_writing() => Err(Error::new(Kind::NotRecording)),
            _ => Ok(()),
        }
    }

    /// Waits until one more connection may be held. Meanwhile they queue in the kernel, as long as there is place.
    pub(crate) async fn room(&self) {
        while self.connections.load(Ordering::Relaxed) >= self.site.load().limits.connections {
            sleep(LOOK_AGAIN).await;
        }
    }

    /// Counts a connection until what this gives is dropped.
    pub(crate) fn hold(self: Arc<Self>) -> Held {
        self.connections.fetch_add(1, Ordering::Relaxed);
        Held(self)
    }
}

/// A connection that counts.
pub(crate) struct Held(Arc<Door>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}
