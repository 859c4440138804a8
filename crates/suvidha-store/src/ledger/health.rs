//! How the writer is, for those who must not take a call that could not be written down.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::writer::Ticket;

/// How the writer of a ledger is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// Entries are being written.
    Writing,
    /// Entries come faster than they are written: the queue is long.
    Overloaded,
    /// The last attempt to write failed. The writer tries again every second, and goes on by itself.
    Failed {
        /// Since when, UTC.
        since: Timestamp,
        /// What is wrong and what to do, for the operator.
        reason: String,
    },
}

#[derive(Default)]
pub(super) struct State {
    committed: AtomicU64,
    failing: AtomicBool,
    trouble: Mutex<Option<(Timestamp, String)>>,
}

impl State {
    pub(super) fn committed(&self) -> Ticket {
        Ticket(self.committed.load(Ordering::Acquire))
    }

    pub(super) fn is_writing(&self) -> bool {
        !self.failing.load(Ordering::Acquire)
    }

    pub(super) fn health(&self, overloaded: bool) -> Health {
        match &*self.trouble() {
            Some((since, reason)) => Health::Failed { since: *since, reason: reason.clone() },
            None if overloaded => Health::Overloaded,
            None => Health::Writing,
        }
    }

    pub(super) fn written(&self, up_to: Ticket) {
        self.committed.store(up_to.0, Ordering::Release);
        if self.failing.load(Ordering::Acquire) {
            *self.trouble() = None;
            self.failing.store(false, Ordering::Release);
        }
    }

    pub(super) fn failed(&self, now: Timestamp, reason: String) {
        let mut trouble = self.trouble();
        let since = trouble.as_ref().map_or(now, |(since, _)| *since);
        *trouble = Some((since, reason));
        self.failing.store(true, Ordering::Release);
    }

    fn trouble(&self) -> MutexGuard<'_, Option<(Timestamp, String)>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
