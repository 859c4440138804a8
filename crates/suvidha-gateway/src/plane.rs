//! What all threads share: the registry as it is now, the environments, and the calls under way.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use gstn::Environment;
use jiff::Timestamp;
use suvidha_seam::Seam;
use suvidha_store::{CredentialId, Registry, Snapshot, StoreError};

use crate::site::Site;

/// What all environments share.
pub(crate) struct Plane {
    pub(crate) seam: Seam,
    /// Followed by the keeper; calls read nothing else of the registry.
    pub(crate) snapshot: ArcSwap<Snapshot>,
    /// Calls not yet settled.
    pub(crate) calls: AtomicUsize,
    /// `/readyz` says no.
    draining: AtomicBool,
    /// New calls are refused.
    closing: AtomicBool,
    /// Credentials used since the registry was last told, for each thread.
    touched: Vec<Mutex<HashMap<CredentialId, Timestamp>>>,
}

impl Plane {
    pub(crate) fn new(registry: &Registry, seam: Seam, threads: usize) -> Result<Self, StoreError> {
        Ok(Self {
            seam,
            snapshot: ArcSwap::from_pointee(registry.snapshot()?),
            calls: AtomicUsize::new(0),
            draining: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            touched: (0..threads).map(|_| Mutex::default()).collect(),
        })
    }

    /// Notes that a credential was used; the keeper tells the registry.
    pub(crate) fn touch(&self, lane: usize, credential: CredentialId, at: Timestamp) {
        self.touched[lane].lock().unwrap_or_else(PoisonError::into_inner).insert(credential, at);
    }

    /// The uses noted since this was last asked.
    pub(crate) fn take_touched(&self) -> Vec<(CredentialId, Timestamp)> {
        let taken = self
            .touched
            .iter()
            .map(|lane| std::mem::take(&mut *lane.lock().unwrap_or_else(PoisonError::into_inner)));
        let mut latest = HashMap::new();
        for (credential, at) in taken.flatten() {
            let known = latest.entry(credential).or_insert(at);
            *known = at.max(*known);
        }
        latest.into_iter().collect()
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    pub(crate) fn announce_drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    pub(crate) fn close(&self) {
        self.announce_drain();
        self.closing.store(true, Ordering::Relaxed);
    }
}

/// One environment's entrance.
pub(crate) struct Door {
    pub(crate) plane: Arc<Plane>,
    pub(crate) environment: Environment,
    pub(crate) address: SocketAddr,
    pub(crate) site: ArcSwap<Site>,
}
