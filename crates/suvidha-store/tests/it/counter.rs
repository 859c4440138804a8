//! A counter where calls are written down: a directory with a ledger, and a clock that stands still.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use gstn::AspId;
use gstn::Environment::Sandbox;
use jiff::Timestamp;
use suvidha_seam::{ManualClock, Seam, SystemRng};
use suvidha_store::PlanKind;
use suvidha_store::ledger::{
    Entry, Filter, Ledger, LedgerError, LedgerReader, Observer, Order, Outcome, Recorded, Release, Ticket,
    Writer,
};

/// Longer than anything here takes, on any machine.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Counter {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) clock: Arc<ManualClock>,
}

impl Counter {
    pub(crate) fn new() -> Self {
        let clock = Arc::new(ManualClock::at("2026-11-22T10:15:30Z".parse().unwrap()));
        Self { directory: tempfile::tempdir().unwrap(), clock }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("ledger/sandbox.sqlite")
    }

    pub(crate) fn seam(&self) -> Seam {
        Seam { clock: self.clock.clone(), rng: Arc::new(SystemRng) }
    }

    pub(crate) fn open(&self) -> Result<Ledger, LedgerError> {
        Ledger::open(&self.path(), Sandbox, self.seam())
    }

    pub(crate) fn start(&self) -> (Writer, Arc<Witness>) {
        let witness = Arc::new(Witness::default());
        (self.open().unwrap().start(Duration::ZERO, None, witness.clone()).unwrap(), witness)
    }

    pub(crate) fn reader(&self) -> LedgerReader {
        LedgerReader::open(&self.path()).unwrap()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.seam().now()
    }

    /// A call that was answered, and paid for in advance.
    pub(crate) fn a_call(&self) -> Entry {
        Entry {
            id: self.seam().uuid(),
            at: self.now(),
            aspid: Some(asp(1)),
            claimed_aspid: None,
            txn: Some("LAPN24235325555".to_owned()),
            gstin: Some("27AAPFU0939F1ZV".to_owned()),
            ip_usr: Some("203.0.113.7".to_owned()),
            appver: Some("1.2".to_owned()),
            method: Some("GET".to_owned()),
            api: Some("taxpayerapi/returns/gstr1".to_owned()),
            action: Some("B2B".to_owned()),
            version: Some("v4.1".to_owned()),
            status: Some(200),
            status_cd: Some(gstn::envelope::StatusCd::One),
            error_cd: None,
            origin: None,
            outcome: Outcome::Answered,
            bytes_in: 0,
            bytes_out: 1_234,
            gstn_us: Some(41_000),
            total_us: 41_250,
            plan: Some(PlanKind::Prepaid),
            units: 1,
            admitted: true,
            consent: None,
        }
    }

    /// Writes these down, and stops.
    pub(crate) fn written(&self, entries: impl IntoIterator<Item = Entry>) {
        let (writer, _) = self.start();
        for entry in entries {
            writer.submit(entry, Release::Done);
        }
        writer.stop().unwrap();
    }

    /// Every entry, the oldest first.
    pub(crate) fn all(&self) -> Vec<Recorded> {
        self.found(&Filter::default())
    }

    /// Every entry that answers to `filter`, the oldest first.
    pub(crate) fn found(&self, filter: &Filter) -> Vec<Recorded> {
        let (reader, mut found, mut after) = (self.reader(), Vec::new(), None);
        loop {
            let page = reader.entries(filter, Order::OldestFirst, after, 7).unwrap();
            found.extend(page.entries);
            after = Some(page.reached);
            if !page.more {
                return found;
            }
        }
    }
}

pub(crate) fn asp(number: u64) -> AspId {
    AspId::new(number).unwrap()
}

/// Who is told by the writer.
#[derive(Default)]
pub(crate) struct Witness {
    told: Mutex<Told>,
    wake: Condvar,
}

#[derive(Default, Clone)]
pub(crate) struct Told {
    pub(crate) committed: Ticket,
    pub(crate) failed: Vec<(RangeInclusive<Ticket>, Vec<Entry>)>,
}

impl Witness {
    /// What was told, once `enough` says so.
    pub(crate) fn wait(&self, enough: impl Fn(&Told) -> bool) -> Told {
        let told = self.told.lock().unwrap();
        let (told, late) = self.wake.wait_timeout_while(told, PATIENCE, |told| !enough(told)).unwrap();
        assert!(!late.timed_out(), "told no more than {:?}, {:?}", told.committed, told.failed);
        told.clone()
    }
}

impl Observer for Witness {
    fn committed(&self, up_to: Ticket) {
        let mut told = self.told.lock().unwrap();
        assert!(up_to > told.committed);
        told.committed = up_to;
        self.wake.notify_all();
    }

    fn failed(&self, tickets: RangeInclusive<Ticket>, held: &[Entry]) {
        self.told.lock().unwrap().failed.push((tickets, held.to_vec()));
        self.wake.notify_all();
    }
}
