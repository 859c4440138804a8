//! The gateway's side of the ledger: calls are handed over here, and answers wait here until they are written down.
//!
//! The ledger's writer commits entries in groups, on a thread of its own. An answer that waits is woken on the thread that
//! serves it; how, [`waiting`] tells.

mod waiting;

use std::num::NonZeroU16;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use gstn::{AspId, Environment};
use jiff::Timestamp;
use suvidha_seam::Seam;
use suvidha_store::ledger::{
    Entry, Figures, Health, Ledger, LedgerError, Months, Observer, Release, Ticket, Writer,
};
use tracing::{error, info, warn};

use self::waiting::Waiting;
use crate::accounts::{Accounts, Charge};
use crate::config::{self, Durability};

/// How many refusals are kept in memory to be written later, while the ledger cannot be written.
const MOST_REFUSALS: u64 = 65_536;

/// An answer must not go out, for its entry could not be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unrecorded;

/// Records the calls of one environment.
pub(crate) struct Recorder {
    environment: Environment,
    writer: Writer,
    /// Answers that wait, for each thread.
    waiting: Arc<[Waiting]>,
    strict: AtomicBool,
    /// The log was told that the ledger is not being written.
    in_trouble: AtomicBool,
    /// Refusals that are kept in memory since the ledger could last be written.
    refusals_kept: AtomicU64,
    refusals_lost: AtomicU64,
}

impl Recorder {
    /// Opens the ledger of `environment`, for calls of so many `threads`, and puts the accounts where it left them.
    pub(crate) fn open(
        config: &config::Ledger,
        environment: Environment,
        threads: usize,
        seam: Seam,
        accounts: &Arc<Accounts>,
    ) -> Result<Self, LedgerError> {
        let ledger = Ledger::open(&config.file(environment), environment, seam)?;
        accounts.restore(&ledger.opening()?);
        let waiting: Arc<[Waiting]> = (0..threads).map(|_| Waiting::default()).collect();
        let told = Told { waiting: Arc::clone(&waiting), accounts: Arc::clone(accounts) };
        let retention = config.retention_months.and_then(NonZeroU16::new).map(Months);
        Ok(Self {
            environment,
            writer: ledger.start(config.gather(), retention, Arc::new(told))?,
            waiting,
            strict: AtomicBool::new(config.durability == Durability::Strict),
            in_trouble: AtomicBool::new(false),
            refusals_kept: AtomicU64::new(0),
            refusals_lost: AtomicU64::new(0),
        })
    }

    /// What answers wait for, from now on.
    pub(crate) fn set_durability(&self, durability: Durability) {
        self.strict.store(durability == Durability::Strict, Ordering::Relaxed);
    }

    /// Whether calls can be recorded, so that they may be made.
    pub(crate) fn is_writing(&self) -> bool {
        self.writer.is_writing()
    }

    /// Hands over the entry of a call of thread `lane`, whose answer must wait for what this gives: until it is
    /// [written](Self::poll_written) or somebody [forgets](Self::forget) it.
    ///
    /// A call that was `made`, by GSTN or by us, is kept as unrecorded if its entry cannot be written. One that was
    /// refused has done nothing: its entry stays as it is, and its answer goes out all the same.
    pub(crate) fn submit(&self, lane: usize, entry: Entry, made: bool) -> Option<Ticket> {
        if !made && !entry.admitted && !self.keeps_refusal() {
            return None;
        }
        if self.strict.load(Ordering::Relaxed) && (made || self.is_writing()) {
            let release = if made { Release::Held } else { Release::Done };
            let submit = || {
                let ticket = self.writer.submit(entry, release);
                (ticket, ticket.as_u64())
            };
            return Some(self.waiting[lane].add(made, submit));
        }
        self.writer.submit(entry, Release::Done);
        None
    }

    /// Hands over the entry of a call whose answer nobody waits for any more.
    pub(crate) fn submit_late(&self, entry: Entry) {
        self.writer.submit(entry, Release::Done);
    }

    /// Whether the answer of a call of thread `lane` may go out, as far as its entry is concerned.
    pub(crate) fn poll_written(
        &self,
        lane: usize,
        ticket: Ticket,
        cx: &Context<'_>,
    ) -> Poll<Result<(), Unrecorded>> {
        self.waiting[lane].poll(ticket.as_u64(), cx)
    }

    /// Nobody waits for `ticket` any more.
    pub(crate) fn forget(&self, lane: usize, ticket: Ticket) {
        self.waiting[lane].forget(ticket.as_u64());
    }

    /// Wakes the answers of thread `lane` when their entries are on disk, for ever. Runs on that thread.
    pub(crate) async fn wake(&self, lane: usize) {
        self.waiting[lane].wake().await;
    }

    /// How the ledger is.
    pub(crate) fn health(&self) -> Health {
        self.writer.health()
    }

    /// What can be counted of the ledger.
    pub(crate) fn figures(&self) -> Figures {
        self.writer.figures()
    }

    /// How many refusals have left no entry since the start: there were too many while the ledger could not be written.
    pub(crate) fn refusals_lost(&self) -> u64 {
        self.refusals_lost.load(Ordering::Relaxed)
    }

    /// Tells the log when the ledger stops being written, and when it goes on. To be asked now and then.
    pub(crate) fn tell_health(&self) {
        let environment = self.environment.as_str();
        let health = self.health();
        let was_in_trouble = self.in_trouble.swap(health != Health::Writing, Ordering::Relaxed);
        if health == Health::Writing {
            // Also after a trouble so short that it was never seen here.
            self.refusals_kept.store(0, Ordering::Relaxed);
        }
        match health {
            Health::Writing if was_in_trouble => {
                let lost = self.refusals_lost();
                info!(target: "suvidha::gateway", environment, lost, "the ledger is being written again; so many refusals left no entry since the start");
            }
            Health::Overloaded if !was_in_trouble => {
                warn!(target: "suvidha::gateway", environment, "more calls end than the ledger's disk can take; calls are refused (GSP643) until it has caught up");
            }
            Health::Failed { since, reason } if !was_in_trouble => {
                error!(target: "suvidha::gateway", environment, %since, reason, "the ledger cannot be written; calls are refused (GSP643) until it can");
            }
            _ => {}
        }
    }

    /// Writes what is left, and comes to rest.
    pub(crate) fn stop(&self) {
        if let Err(error) = self.writer.stop() {
            let environment = self.environment.as_str();
            error!(target: "suvidha::gateway", environment, %error, "the ledger is not complete");
        }
    }

    /// Whether one more refusal may be kept. While nothing is written, they come without end, and memory has one.
    fn keeps_refusal(&self) -> bool {
        if self.is_writing() {
            return true;
        }
        let kept = self.refusals_kept.fetch_add(1, Ordering::Relaxed);
        if kept >= MOST_REFUSALS {
            self.refusals_lost.fetch_add(1, Ordering::Relaxed);
        }
        if kept == MOST_REFUSALS {
            let environment = self.environment.as_str();
            error!(target: "suvidha::gateway", environment, MOST_REFUSALS, "the ledger cannot be written, and memory holds enough refusals: from now on they leave no entry");
        }
        kept < MOST_REFUSALS
    }
}

/// Passes on what the writer tells. Runs on the writer's thread.
struct Told {
    waiting: Arc<[Waiting]>,
    accounts: Arc<Accounts>,
}

impl Observer for Told {
    fn committed(&self, up_to: Ticket) {
        self.waiting.iter().for_each(|lane| lane.committed(up_to.as_u64()));
    }

    fn failed(&self, tickets: RangeInclusive<Ticket>, entries: &[Entry]) {
        for (aspid, charge, at) in charges(entries) {
            self.accounts.give_back(aspid, charge, at);
        }
        let tickets = tickets.start().as_u64()..=tickets.end().as_u64();
        self.waiting.iter().for_each(|lane| lane.failed(&tickets));
    }

    fn kept(&self, entries: &[Entry]) {
        for (aspid, charge, at) in charges(entries) {
            self.accounts.charge_again(aspid, charge, at);
        }
    }
}

/// What these entries charge, and to whom.
fn charges(entries: &[Entry]) -> impl Iterator<Item = (AspId, Charge, Timestamp)> {
    entries
        .iter()
        .filter(|entry| entry.units > 0)
        .filter_map(|entry| Some((entry.aspid?, Charge { plan: entry.plan?, units: entry.units }, entry.at)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_kept_in_a_short_trouble_do_not_count_for_the_next() {
        let directory = tempfile::tempdir().unwrap();
        let config = config::Ledger::new(directory.path());
        let seam = Seam::system();
        let accounts = Arc::new(Accounts::new(seam.clone()));
        let recorder = Recorder::open(&config, Environment::Sandbox, 1, seam, &accounts).unwrap();
        recorder.refusals_kept.store(MOST_REFUSALS, Ordering::Relaxed);
        recorder.tell_health();
        assert_eq!(recorder.refusals_kept.load(Ordering::Relaxed), 0);
    }
}
