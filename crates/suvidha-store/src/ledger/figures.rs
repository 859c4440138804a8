//! What can be counted of the writer's work.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::chain::Head;

/// What a writer has done since it started.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// Entries that wait to be written.
    pub queued: usize,
    /// Transactions written.
    pub groups: u64,
    /// Entries written.
    pub entries: u64,
    /// Transactions that failed.
    pub failures: u64,
    /// How long transactions took, from their begin to the disk's word.
    pub commits: CommitTimes,
    /// How long the last one took.
    pub last_commit: Duration,
    /// The last entry of the ledger.
    pub head: Head,
    /// Why the last attempt to remove old entries failed, if it did.
    pub retention_failure: Option<String>,
    /// Bytes of the database and its log on disk.
    pub bytes: u64,
}

/// A histogram of how long transactions took.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct CommitTimes {
    /// All of them together.
    pub sum: Duration,
    /// How many took no longer than each of [`CommitTimes::BOUNDS`], and longer than the one before; the last counts
    /// those beyond.
    pub counts: [u64; CommitTimes::BOUNDS.len() + 1],
}

impl CommitTimes {
    /// The upper bounds of the buckets, in seconds.
    pub const BOUNDS: [f64; 13] =
        [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0];

    fn add(&mut self, took: Duration) {
        self.sum += took;
        let seconds = took.as_secs_f64();
        let bucket = Self::BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(Self::BOUNDS.len());
        self.counts[bucket] += 1;
    }
}

pub(super) struct Meter(Mutex<Figures>);

impl Meter {
    pub(super) fn at(head: Head) -> Self {
        Self(Mutex::new(Figures {
            queued: 0,
            groups: 0,
            entries: 0,
            failures: 0,
            commits: CommitTimes::default(),
            last_commit: Duration::ZERO,
            head,
            retention_failure: None,
            bytes: 0,
        }))
    }

    pub(super) fn group(&self, entries: usize, head: Head, took: Duration) {
        let mut figures = self.inner();
        figures.head = head;
        figures.groups += 1;
        figures.entries += entries as u64;
        figures.last_commit = took;
        figures.commits.add(took);
    }

    pub(super) fn retention(&self, failure: Option<String>) {
        self.inner().retention_failure = failure;
    }

    pub(super) fn failed(&self) {
        self.inner().failures += 1;
    }

    pub(super) fn figures(&self, queued: usize, path: &Path) -> Figures {
        let size = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        let bytes = size(path) + size(Path::new(&log));
        Figures { queued, bytes, ..self.inner().clone() }
    }

    fn inner(&self) -> MutexGuard<'_, Figures> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
