//! Where entries wait for the writer.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::entry::Entry;
use super::writer::{Release, Ticket};

/// From this length on there is more to write than is written.
const LONG: usize = 32_768;

/// An entry that waits.
pub(super) struct Queued {
    pub(super) ticket: Ticket,
    pub(super) release: Release,
    pub(super) entry: Entry,
}

/// When the writer wants to be woken.
pub(super) enum Wake {
    /// When there is something, and so much later to `gather` more; or at last when it was `idle` so long.
    AtWork { gather: Duration, idle: Option<Duration> },
    /// After this time, whatever there is.
    After(Duration),
}

/// What the writer was given.
pub(super) struct Taken {
    pub(super) entries: usize,
    /// Nothing more will come.
    pub(super) stopping: bool,
}

#[derive(Default)]
pub(super) struct Queue {
    inner: Mutex<Inner>,
    wake: Condvar,
    /// Those in `inner`, and those that the writer has taken and not yet written.
    length: AtomicUsize,
}

#[derive(Default)]
struct Inner {
    waiting: VecDeque<Queued>,
    last: u64,
    /// The writer sleeps until there is something.
    asleep: bool,
    stopping: bool,
}

impl Queue {
    pub(super) fn push(&self, entry: Entry, release: Release) -> Ticket {
        self.length.fetch_add(1, Ordering::Relaxed);
        let mut inner = self.inner();
        inner.last += 1;
        let ticket = Ticket(inner.last);
        inner.waiting.push_back(Queued { ticket, release, entry });
        let asleep = std::mem::take(&mut inner.asleep);
        drop(inner);
        if asleep {
            self.wake.notify_one();
        }
        ticket
    }

    /// Moves what waits to the end of `group`, when it is time.
    pub(super) fn take(&self, group: &mut VecDeque<Queued>, wake: Wake) -> Taken {
        let mut inner = self.inner();
        let pause = match wake {
            Wake::AtWork { gather, idle } => {
                inner = self.wait_for_work(inner, idle);
                if inner.waiting.is_empty() { Duration::ZERO } else { gather }
            }
            Wake::After(pause) => pause,
        };
        if !pause.is_zero() {
            let paused = self.wake.wait_timeout_while(inner, pause, |inner| !inner.stopping);
            inner = paused.unwrap_or_else(PoisonError::into_inner).0;
        }
        let entries = inner.waiting.len();
        group.append(&mut inner.waiting);
        Taken { entries, stopping: inner.stopping }
    }

    fn wait_for_work<'a>(
        &self,
        mut inner: MutexGuard<'a, Inner>,
        idle: Option<Duration>,
    ) -> MutexGuard<'a, Inner> {
        let is_idle = |inner: &mut Inner| inner.waiting.is_empty() && !inner.stopping;
        inner.asleep = true;
        let mut inner = match idle {
            Some(idle) => {
                let waited = self.wake.wait_timeout_while(inner, idle, is_idle);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
            None => self.wake.wait_while(inner, is_idle).unwrap_or_else(PoisonError::into_inner),
        };
        inner.asleep = false;
        inner
    }

    /// `written` entries are done with.
    pub(super) fn done(&self, written: usize) {
        self.length.fetch_sub(written, Ordering::Relaxed);
    }

    pub(super) fn len(&self) -> usize {
        self.length.load(Ordering::Relaxed)
    }

    pub(super) fn is_long(&self) -> bool {
        self.len() >= LONG
    }

    pub(super) fn stop(&self) {
        self.inner().stopping = true;
        self.wake.notify_all();
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
