//! The ledger: one entry for every call, on disk before the answer's end, each chained to the one before.
//!
//! Each environment has one: a SQLite file with one [`Writer`] and any number of [`LedgerReader`]s, in any process. The
//! writer's thread takes what is queued, writes it in one transaction and tells its [`Observer`]; so the cost of
//! bringing data to the disk is shared by all calls that ended meanwhile. What is summed beside the entries (what was
//! charged, what counts for quotas) follows in the transaction of some later group, at most a second or some thousand
//! entries behind: `head` says up to where it came, and whoever reads sums adds the entries behind it, so that what is
//! read always fits. What calls did to the sessions of taxpayers changes with the entries.
//!
//! # The chain
//!
//! An auditor needs SHA-256 and the table `entry`, in the order of `seq`:
//!
//! ```text
//! hash(0)   = SHA-256( "suvidha/ledger/v1" 00 environment 00 id )       environment: "sandbox" or "production";
//!                                                                       id: the 16 bytes of ledger.id
//! hash(seq) = SHA-256( hash(seq - 1) column(1) column(2) … column(25) )
//! ```
//!
//! The columns are those of the table in its order, `seq` first and without `hash`. Each is encoded as it is stored:
//!
//! ```text
//! NULL      00
//! integer   01, then 8 bytes, two's complement, big-endian
//! text      02, then the number of its bytes in 4 bytes, big-endian, then the bytes, UTF-8
//! blob      03, then the number of its bytes in 4 bytes, big-endian, then the bytes
//! ```
//!
//! Nothing is keyed: who can write the file can write another chain. What the chain gives is that the [`Head`] vouches
//! for all that came before, so that whoever noted it elsewhere can prove a change, even one by the operator. When old
//! entries are removed by age, the hash of the last one removed stays as the anchor from which the chain goes on.

mod book;
mod chain;
mod consents;
mod entry;
mod error;
mod figures;
mod files;
mod filter;
mod health;
mod ist;
mod opening;
mod places;
mod queue;
mod reader;
mod retention;
mod schema;
mod stretch;
mod summary;
mod tally;
mod usage;
mod verify;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gstn::Environment;
use suvidha_seam::Seam;

pub use self::chain::{Head, MalformedHead};
pub use self::consents::Consent;
pub use self::entry::{ConsentChange, Entry, Outcome, Recorded, Seq, UnknownOutcome};
pub use self::error::LedgerError;
pub use self::figures::{CommitTimes, Figures};
pub use self::filter::Filter;
pub use self::health::Health;
pub use self::opening::{Admitted, AspOpening, Opening};
pub use self::reader::{LedgerReader, Order, Page};
pub use self::retention::Months;
pub use self::summary::{By, DailyGroup, DailyKey, DailyPage, Group};
pub use self::usage::Totals;
pub use self::verify::{Finding, Sum, Verified};
pub use self::writer::{Observer, Release, Ticket, Writer};
pub use crate::plan::PlanKind;

use self::book::Book;
use self::retention::Retention;
use self::schema::Lock;
use self::writer::Manner;

/// A ledger that is opened for writing, and not written to yet.
pub struct Ledger {
    book: Book,
    path: PathBuf,
    lock: Lock,
    seam: Seam,
}

impl Ledger {
    /// Opens the ledger at `path` for writing, making it (mode 0600, its directory 0700) if need be.
    ///
    /// # Errors
    /// [`LedgerError::Held`] while another process has it open for writing; whatever else keeps it from being used.
    pub fn open(path: &Path, environment: Environment, seam: Seam) -> Result<Self, LedgerError> {
        let lock = Lock::take(path)?;
        let book = Book::open(path, environment, &seam)?;
        Ok(Self { book, path: path.to_owned(), lock, seam })
    }

    /// What was charged and counted until now.
    pub fn opening(&self) -> Result<Opening, LedgerError> {
        Opening::read(self.book.connection(), ist::day_number(self.seam.now()))
            .map_err(|error| LedgerError::of(&self.path, error))
    }

    /// Starts the writer's thread. Where entries come in numbers it waits for `gather` after the first of a group, so that
    /// groups grow; one that comes alone is written at once. Entries older than `retention` and the month
    /// that is running are removed in time; without it, none is.
    pub fn start(
        self,
        gather: Duration,
        retention: Option<Months>,
        observer: Arc<dyn Observer>,
    ) -> Result<Writer, LedgerError> {
        let Self { book, path, lock, seam } = self;
        let manner = Manner { gather, retention: retention.map(Retention::new), observer };
        Writer::start(book, path, lock, seam, manner)
    }
}
