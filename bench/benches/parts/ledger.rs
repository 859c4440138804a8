//! Entries a second, written by the ledger's writer to a file on the disk of the target directory.

use std::ops::RangeInclusive;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode, Throughput};
use gstn::envelope::StatusCd;
use gstn::{AspId, Environment};
use suvidha_seam::Seam;
use suvidha_store::PlanKind;
use suvidha_store::ledger::{Entry, Ledger, Observer, Outcome, Release, Ticket, Writer};
use tempfile::TempDir;

/// Calls that end together.
const GROUPS: [usize; 4] = [1, 10, 100, 1000];

pub(crate) fn bench(criterion: &mut Criterion) {
    for (name, release) in [("ledger strict", Release::Held), ("ledger relaxed", Release::Done)] {
        let mut group = criterion.benchmark_group(name);
        group.sampling_mode(SamplingMode::Flat);
        for size in GROUPS {
            group.throughput(Throughput::Elements(size as u64));
            group.bench_function(format!("{size} at once"), |bencher| {
                let book = Book::open();
                bencher.iter_custom(|groups| book.write(groups, size, release));
            });
        }
        group.finish();
    }
}

/// A ledger of its own, with its writer.
struct Book {
    writer: Writer,
    progress: Arc<Progress>,
    seam: Seam,
    _directory: TempDir,
}

impl Book {
    fn open() -> Self {
        let (seam, progress) = (Seam::system(), Arc::new(Progress::default()));
        let directory = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory beside the target");
        let path = directory.path().join("production.sqlite");
        let ledger = Ledger::open(&path, Environment::Production, seam.clone()).expect("a new ledger");
        let observer = Arc::clone(&progress) as Arc<dyn Observer>;
        let writer = ledger.start(Duration::ZERO, None, observer).expect("a thread");
        Self { writer, progress, seam, _directory: directory }
    }

    /// What it takes to write so many groups. Of strict ones each waits for its own to be on disk, and all of the next come
    /// together; of relaxed ones each waits for the one before it, so that the writer always has one in hand.
    fn write(&self, groups: u64, size: usize, release: Release) -> Duration {
        let entries: Vec<Vec<_>> =
            (0..groups).map(|_| (0..size).map(|_| entry(&self.seam)).collect()).collect();
        let begun = Instant::now();
        let mut before = self.writer.committed();
        for group in entries {
            let mut last = before;
            for entry in group {
                last = self.writer.submit(entry, release);
            }
            self.progress.wait(if release == Release::Held { last } else { before });
            before = last;
        }
        self.progress.wait(before);
        begun.elapsed()
    }
}

/// How far the writer has come.
#[derive(Default)]
struct Progress {
    committed: Mutex<Ticket>,
    moved: Condvar,
}

impl Progress {
    fn wait(&self, ticket: Ticket) {
        let committed = self.committed.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .moved
            .wait_timeout_while(committed, Duration::from_secs(60), |committed| *committed < ticket);
        let waited = waited.unwrap_or_else(PoisonError::into_inner).1;
        assert!(!waited.timed_out(), "the ledger was not written within a minute");
    }
}

impl Observer for Progress {
    fn committed(&self, up_to: Ticket) {
        *self.committed.lock().unwrap_or_else(PoisonError::into_inner) = up_to;
        self.moved.notify_all();
    }

    fn failed(&self, _: RangeInclusive<Ticket>, _: &[Entry]) {
        panic!("the ledger could not be written: is the disk full?");
    }
}

/// A call that was answered.
fn entry(seam: &Seam) -> Entry {
    Entry {
        id: seam.uuid(),
        at: seam.now(),
        aspid: AspId::new(7_857_622_155),
        claimed_aspid: None,
        txn: Some("LAPN24235325555".to_owned()),
        gstin: Some("27AAPFU0939F1ZV".to_owned()),
        ip_usr: Some("203.0.113.77".to_owned()),
        appver: Some("4.12.0".to_owned()),
        method: Some("GET".to_owned()),
        api: Some("taxpayerapi/returns/gstr1".to_owned()),
        action: Some("RETSTATUS".to_owned()),
        version: Some("v4.1".to_owned()),
        status: Some(200),
        status_cd: Some(StatusCd::One),
        error_cd: None,
        origin: None,
        outcome: Outcome::Answered,
        bytes_in: 0,
        bytes_out: 1024,
        gstn_us: Some(40_000),
        total_us: 41_000,
        plan: Some(PlanKind::Prepaid),
        units: 1,
        admitted: true,
        consent: None,
    }
}
