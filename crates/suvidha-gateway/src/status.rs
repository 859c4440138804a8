//! The running gateway as its operator sees it: for an admin listener, which is not the ASPs' business.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use gstn::Environment;
use suvidha_store::ledger::Health;

use crate::gateway::House;
use crate::metrics::{self, Exposition};
use crate::plane::Door;

/// A view of a running gateway, which lives on when the gateway is drained.
#[derive(Clone)]
pub struct Status {
    pub(crate) house: Arc<House>,
    /// Lines that the log could not keep.
    lost_lines: Option<Arc<AtomicU64>>,
}

/// Whether the gateway wants calls, and why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readiness {
    /// It comes to rest.
    pub draining: bool,
    /// Where each environment listens.
    pub listening: Vec<(Environment, SocketAddr)>,
    /// Each environment's ledger, where there is one.
    pub ledgers: Vec<(Environment, Health)>,
}

impl Status {
    pub(crate) fn of(house: Arc<House>) -> Self {
        Self { house, lost_lines: None }
    }

    /// The same view, which counts the lines that the process's log has dropped, too.
    #[must_use]
    pub fn with_log(self, lost_lines: Arc<AtomicU64>) -> Self {
        Self { lost_lines: Some(lost_lines), ..self }
    }

    /// Everything that is counted and measured. It names ASPs by their aspid, and holds no secret and nothing of a
    /// taxpayer's.
    pub fn metrics(&self, form: Exposition) -> String {
        metrics::text(&self.house, self.lost_lines.as_ref(), form)
    }

    /// Whether the gateway wants calls.
    pub fn readiness(&self) -> Readiness {
        let doors = || self.house.doors.iter();
        let ledger = |door: &Arc<Door>| Some((door.environment, door.recorder.as_ref()?.health()));
        Readiness {
            draining: self.house.plane.is_draining(),
            listening: doors().map(|door| (door.environment, door.address)).collect(),
            ledgers: doors().filter_map(ledger).collect(),
        }
    }
}

impl Readiness {
    /// Whether every call that comes would be taken on.
    pub fn is_ready(&self) -> bool {
        !self.draining && !self.is_unable_to_record()
    }

    /// Whether the calls of some environment are refused because its ledger cannot be written.
    fn is_unable_to_record(&self) -> bool {
        self.ledgers.iter().any(|(_, health)| *health != Health::Writing)
    }

    /// The same in a word: `ready`, or why not.
    pub fn word(&self) -> &'static str {
        match (self.draining, self.is_unable_to_record()) {
            (true, _) => "draining",
            (false, true) => "cannot record",
            (false, false) => "ready",
        }
    }
}
