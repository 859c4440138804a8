//! The running gateway as its operator sees it: for an admin listener, which is not the ASPs' business.

use std::net::SocketAddr;
use std::sync::Arc;

use gstn::Environment;

use crate::gateway::House;
use crate::metrics::{self, Exposition};

/// A view of a running gateway, which lives on when the gateway is drained.
#[derive(Clone)]
pub struct Status(pub(crate) Arc<House>);

/// Whether the gateway wants calls, and why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readiness {
    /// It comes to rest.
    pub draining: bool,
    /// Where each environment listens.
    pub listening: Vec<(Environment, SocketAddr)>,
}

impl Status {
    /// Everything that is counted and measured. It names ASPs by their aspid, and holds no secret and nothing of a
    /// taxpayer's.
    pub fn metrics(&self, form: Exposition) -> String {
        metrics::text(&self.0, form)
    }

    /// Whether the gateway wants calls.
    pub fn readiness(&self) -> Readiness {
        Readiness {
            draining: self.0.plane.is_draining(),
            listening: self.0.doors.iter().map(|door| (door.environment, door.address)).collect(),
        }
    }
}

impl Readiness {
    /// Whether every call that comes would be taken on.
    pub fn is_ready(&self) -> bool {
        !self.draining
    }

    /// The same in a word: `ready`, or why not.
    pub fn word(&self) -> &'static str {
        if self.draining { "draining" } else { "ready" }
    }
}
