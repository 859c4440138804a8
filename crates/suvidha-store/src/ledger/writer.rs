//! The writer: one thread that takes what is queued, writes it as one transaction, and tells who waits.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use suvidha_seam::Seam;

use super::book::Book;
use super::chain::Head;
use super::entry::Entry;
use super::error::LedgerError;
use super::figures::{Figures, Meter};
use super::health::{Health, State};
use super::queue::{Queue, Queued, Wake};
use super::retention::Retention;
use super::schema::{Identity, Lock};

/// The place of a submitted entry in the order of submission, from 1. Not its [`Seq`](super::Seq).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Ticket(pub(super) u64);

impl Ticket {
    /// The number itself.
    pub fn as_u64(self) -> u64 {
        self.0
    }
}

/// Whether an answer waits for its entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Release {
    /// The answer is held back until the entry is on disk. If it cannot be written, the call is told
    /// [failed](Observer::failed), and kept as [unrecorded](super::Outcome::Unrecorded).
    Held,
    /// Nobody waits. If the entry cannot be written now, it is kept as it is and written later.
    Done,
}

/// Who waits for entries. Called from the writer's thread, which waits for the call to return.
pub trait Observer: Send + Sync {
    /// Every entry up to `up_to` is on disk, but for those that were told failed before.
    fn committed(&self, up_to: Ticket);

    /// The entries with these tickets could not be written. `held` are those of them that were submitted as
    /// [`Release::Held`], as they were submitted and in their order: they will be kept as unrecorded, with no units.
    /// The others will be written as they are. The tickets follow those of the call before without a gap, if that was
    /// not [`Observer::committed`].
    fn failed(&self, tickets: RangeInclusive<Ticket>, held: &[Entry]);

    /// Entries that were told failed before are on disk as they were submitted, units and all: their commit had reached the
    /// disk though the disk said otherwise. What is on disk stays; whoever gave back their units charges them again.
    fn kept(&self, _held: &[Entry]) {}
}

/// The only way into a ledger. Entries are written in the order of submission.
pub struct Writer {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// How the writer goes about its work.
pub(super) struct Manner {
    pub(super) gather: Duration,
    pub(super) retention: Option<Retention>,
    pub(super) observer: Arc<dyn Observer>,
}

struct Shared {
    path: PathBuf,
    queue: Queue,
    state: State,
    meter: Meter,
}

impl Writer {
    pub(super) fn start(
        book: Book,
        path: PathBuf,
        lock: Lock,
        seam: Seam,
        manner: Manner,
    ) -> Result<Self, LedgerError> {
        let shared = Arc::new(Shared {
            path,
            queue: Queue::default(),
            state: State::default(),
            meter: Meter::at(book.head()),
        });
        let mut scribe = Scribe {
            shared: Arc::clone(&shared),
            identity: book.identity(),
            head: book.head(),
            doubtful: Vec::new(),
            failures: 0,
            book: Some(book),
            _lock: lock,
            seam,
            manner,
            group: VecDeque::new(),
            untold: 0,
            crowded: false,
        };
        let thread = std::thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || while scribe.is_left_running() {})
            .map_err(|source| LedgerError::File {
                action: "start the writer of",
                path: shared.path.clone(),
                source,
            })?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Queues `entry`, to be written as soon as may be. Never waits for the disk, and never refuses: while
    /// [`Writer::is_writing`] says no, take no calls that would end here.
    ///
    /// Texts are cut: `api` to 128 characters, `txn`, `ip_usr`, `appver`, `action` and `error_cd` to 64, `gstin`,
    /// `method` and `version` to 32, a consent's `username` to 128.
    pub fn submit(&self, entry: Entry, release: Release) -> Ticket {
        self.shared.queue.push(entry.fitted(), release)
    }

    /// The last ticket up to which everything is on disk, but for what was told [failed](Observer::failed) before.
    pub fn committed(&self) -> Ticket {
        self.shared.state.committed()
    }

    /// Whether entries are being written and the queue is short enough for more. Costs one read of memory.
    pub fn is_writing(&self) -> bool {
        self.shared.state.is_writing() && !self.shared.queue.is_long()
    }

    /// How the writer is.
    pub fn health(&self) -> Health {
        self.shared.state.health(self.shared.queue.is_long())
    }

    /// How many entries wait to be written.
    pub fn queued(&self) -> usize {
        self.shared.queue.len()
    }

    /// What can be counted of the writer's work.
    pub fn figures(&self) -> Figures {
        self.shared.meter.figures(self.queued(), &self.shared.path)
    }

    /// Writes what is queued and ends the thread. What is submitted afterwards is never written.
    ///
    /// # Errors
    /// [`LedgerError::Unwritten`] if the ledger could not be written to the last.
    pub fn stop(&self) -> Result<(), LedgerError> {
        self.shared.queue.stop();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // It catches its own panics.
            let _ = thread.join();
        }
        match (self.queued(), self.shared.state.health(false)) {
            (0, _) => Ok(()),
            (entries, Health::Failed { reason, .. }) => Err(LedgerError::Unwritten { entries, reason }),
            (entries, _) => {
                Err(LedgerError::Unwritten { entries, reason: "the writer was stopped".to_owned() })
            }
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.stop();
    }
}

/// How long a failing writer waits before it tries again.
const RETRY: Duration = Duration::from_secs(1);

/// After so many failures in a row the file is opened anew. Not at once: as long as it stays open, what a failed commit has
/// left in the log counts for nothing and is written over; whoever opens it cannot tell it from what was committed.
const OPEN_AFTER: u32 = 5;

/// The most entries of one transaction.
const LARGEST_GROUP: usize = 2048;

/// The thread.
struct Scribe {
    shared: Arc<Shared>,
    identity: Identity,
    /// Where the ledger ends, as far as is certain.
    head: Head,
    /// The groups that may be written though their commit failed, since the last one that did not.
    doubtful: Vec<Doubt>,
    /// Failures in a row.
    failures: u32,
    /// `None` where it must be opened anew after a failure.
    book: Option<Book>,
    _lock: Lock,
    seam: Seam,
    manner: Manner,
    /// What is taken from the queue and not written, the oldest first.
    group: VecDeque<Queued>,
    /// How many at the end of `group` nobody was told the failure of.
    untold: usize,
    /// More than one entry was taken from the queue at once, the last time.
    crowded: bool,
}

/// A group whose commit failed.
struct Doubt {
    /// Where the ledger ends if it was written all the same.
    head: Head,
    /// How many entries it has: the first ones that are not written.
    size: usize,
    /// Those of them that were told failed thereupon, as the group has them.
    told: Vec<Entry>,
}

impl Scribe {
    /// Runs until it is stopped, or until it panics where nobody foresaw it: then it is to be run again, after a pause.
    fn is_left_running(&mut self) -> bool {
        let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.run())) else { return false };
        self.book = None;
        let error = LedgerError::Panicked { path: self.shared.path.clone(), what: words(&*panic) };
        self.shared.state.failed(self.seam.now(), error.to_string());
        std::thread::sleep(RETRY);
        true
    }

    fn run(&mut self) {
        loop {
            let wake = match self.group.is_empty() {
                true => Wake::AtWork { gather: self.gather(), idle: self.idle() },
                false => Wake::After(RETRY),
            };
            let taken = self.shared.queue.take(&mut self.group, wake);
            self.untold += taken.entries;
            self.crowded = taken.entries > 1;
            self.write();
            self.bring_up(taken.stopping);
            if taken.stopping {
                return;
            }
            self.forget();
        }
    }

    /// How long there is nothing to do but for what is queued.
    fn idle(&self) -> Option<Duration> {
        let book = self.book.as_ref()?;
        let retention = self.manner.retention.as_ref().map(Retention::idle);
        [book.idle(), retention].into_iter().flatten().min()
    }

    /// How long to wait for company. Calls that come one by one would wait for nothing.
    fn gather(&self) -> Duration {
        if self.crowded { self.manner.gather } else { Duration::ZERO }
    }

    /// Writes what was taken, or keeps it.
    fn write(&mut self) {
        while !self.group.is_empty() {
            let size = self.group.len().min(LARGEST_GROUP);
            let began = Instant::now();
            match self.caught(|scribe| scribe.append(size)) {
                Ok(written) => self.written(written, began),
                Err(error) => {
                    let doubtful = self.book.as_mut().and_then(Book::take_doubtful);
                    return self.failed(&error, doubtful.map(|head| Doubt { head, size, told: Vec::new() }));
                }
            }
        }
    }

    fn caught<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        catch_unwind(AssertUnwindSafe(|| work(self))).unwrap_or_else(|panic| {
            let what = words(&*panic);
            Err(LedgerError::Panicked { path: self.shared.path.clone(), what })
        })
    }

    /// Writes the first `size` of the group; says how many of them are on disk now.
    fn append(&mut self, size: usize) -> Result<usize, LedgerError> {
        if self.book.is_none() {
            let there = self.reopen()?;
            if there > 0 {
                return Ok(there);
            }
        }
        let entries = self.group.iter().take(size).map(|queued| &queued.entry);
        if let Some(book) = &mut self.book {
            self.head = book.append(entries)?;
        }
        Ok(size)
    }

    /// Opens the ledger once more after a failure. It must end where it ended before; or where it would if the group whose
    /// commit failed was written all the same: so many of the group are on disk then, and must not be written again.
    fn reopen(&mut self) -> Result<usize, LedgerError> {
        let book = Book::reopen(&self.shared.path, self.identity)?;
        let mut there = 0;
        if book.head() != self.head {
            let landed = self.doubtful.iter().find(|doubt| doubt.head == book.head());
            let Some(Doubt { size, told, .. }) = landed else {
                let what =
                    "does not end where this gateway left it: it is a copy, or another program wrote to it";
                return Err(LedgerError::Replaced { path: self.shared.path.clone(), what });
            };
            book.settle()?;
            there = *size;
            if !told.is_empty() {
                self.tell(|observer| observer.kept(told));
            }
        }
        self.head = book.head();
        self.doubtful.clear();
        self.book = Some(book);
        Ok(there)
    }

    fn written(&mut self, size: usize, began: Instant) {
        self.doubtful.clear();
        self.failures = 0;
        self.shared.meter.group(size, self.head, began.elapsed());
        let Some(last) = self.group.drain(..size).next_back().map(|queued| queued.ticket) else { return };
        self.untold = self.untold.min(self.group.len());
        self.shared.queue.done(size);
        self.shared.state.written(last);
        self.tell(|observer| observer.committed(last));
    }

    fn failed(&mut self, error: &LedgerError, mut doubt: Option<Doubt>) {
        self.failures += 1;
        if needs_opening(error) || self.failures.is_multiple_of(OPEN_AFTER) {
            self.book = None;
        }
        self.shared.meter.failed();
        self.shared.state.failed(self.seam.now(), error.to_string());
        let first = self.group.len() - std::mem::take(&mut self.untold);
        let mut held = Vec::new();
        let mut tickets = None;
        for (place, queued) in self.group.iter_mut().enumerate().skip(first) {
            let (first, _) = tickets.unwrap_or((queued.ticket, queued.ticket));
            tickets = Some((first, queued.ticket));
            if queued.release == Release::Held {
                queued.release = Release::Done;
                held.push(queued.entry.clone());
                if let Some(doubt) = doubt.as_mut().filter(|doubt| place < doubt.size) {
                    doubt.told.push(queued.entry.clone());
                }
                queued.entry.become_unrecorded();
            }
        }
        self.doubtful.extend(doubt);
        if let Some((first, last)) = tickets {
            self.tell(|observer| observer.failed(first..=last, &held));
        }
    }

    /// Brings the sums up to the entries, if it is time or if the writer comes to rest. Where it fails nothing is lost: the
    /// entries are on disk, and what the disk has against it the next group will tell.
    fn bring_up(&mut self, at_rest: bool) {
        let Some(book) = &mut self.book else { return };
        if !matches!(catch_unwind(AssertUnwindSafe(|| book.bring_up(at_rest))), Ok(Ok(()))) {
            self.shared.meter.failed();
        }
    }

    /// Removes some old entries, if there are any and all else is well.
    fn forget(&mut self) {
        let Self { manner: Manner { retention: Some(retention), .. }, book: Some(book), seam, .. } = self
        else {
            return;
        };
        let connection = book.connection_mut();
        let outcome = catch_unwind(AssertUnwindSafe(|| retention.go_on(connection, seam.now())));
        let failure = match outcome {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(panic) => Some(words(&*panic)),
        };
        self.shared.meter.retention(failure);
    }

    /// An observer that panics does not keep the ledger from being written.
    fn tell(&self, told: impl FnOnce(&dyn Observer)) {
        let _ = catch_unwind(AssertUnwindSafe(|| told(&*self.manner.observer)));
    }
}

/// Whether nothing else helps.
fn needs_opening(error: &LedgerError) -> bool {
    use LedgerError::{Busy, Database, DiskFull, ReadOnly};
    !matches!(error, Busy { .. } | Database { .. } | DiskFull { .. } | ReadOnly { .. })
}

fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no words").to_owned()
}

#[cfg(test)]
mod tests {
    use gstn::Environment::Sandbox;

    use super::*;
    use crate::ledger::{Filter, LedgerReader, Order, Outcome};

    fn a_call(seam: &Seam) -> Entry {
        Entry {
            id: seam.uuid(),
            at: "2026-11-22T10:15:30Z".parse().unwrap(),
            aspid: None,
            claimed_aspid: None,
            txn: None,
            gstin: None,
            ip_usr: None,
            appver: None,
            method: None,
            api: None,
            action: None,
            version: None,
            status: Some(401),
            status_cd: None,
            error_cd: None,
            origin: None,
            outcome: Outcome::Refused,
            bytes_in: 0,
            bytes_out: 0,
            gstn_us: None,
            total_us: 0,
            plan: None,
            units: 0,
            admitted: false,
            consent: None,
        }
    }

    #[derive(Default)]
    struct Told(Mutex<Vec<String>>);

    impl Observer for Told {
        fn committed(&self, up_to: Ticket) {
            self.0.lock().unwrap().push(format!("committed {}", up_to.0));
        }

        fn failed(&self, tickets: RangeInclusive<Ticket>, _: &[Entry]) {
            self.0.lock().unwrap().push(format!("failed {}", tickets.start().0));
        }

        fn kept(&self, held: &[Entry]) {
            self.0.lock().unwrap().push(format!("kept {}", held.len()));
        }
    }

    #[test]
    fn a_group_that_was_written_though_its_commit_failed_is_not_written_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sandbox.sqlite");
        let seam = Seam::system();
        let lock = Lock::take(&path).unwrap();
        let mut book = Book::open(&path, Sandbox, &seam).unwrap();
        let entries: Vec<_> = (0..3).map(|_| a_call(&seam)).collect();
        let (identity, head) = (book.identity(), book.head());
        let landed = book.append(entries[..2].iter()).unwrap();
        drop(book);

        let told = Arc::new(Told::default());
        let (queue, state) = (Queue::default(), State::default());
        let shared = Shared { path: path.clone(), queue, state, meter: Meter::at(head) };
        let mut scribe = Scribe {
            shared: Arc::new(shared),
            identity,
            head,
            doubtful: Vec::new(),
            failures: OPEN_AFTER - 1,
            book: None,
            _lock: lock,
            seam,
            manner: Manner { gather: Duration::ZERO, retention: None, observer: told.clone() },
            group: VecDeque::new(),
            untold: 0,
            crowded: false,
        };
        for entry in &entries {
            scribe.shared.queue.push(entry.clone(), Release::Held);
        }
        scribe.untold = scribe.shared.queue.take(&mut scribe.group, Wake::After(Duration::ZERO)).entries;
        // The disk says that the commit of the first two failed; nobody knows yet that it did not.
        let error = LedgerError::DiskFull { path: path.clone() };
        scribe.failed(&error, Some(Doubt { head: landed, size: 2, told: Vec::new() }));
        assert_eq!(scribe.group[0].entry.outcome, Outcome::Unrecorded);
        scribe.write();

        assert_eq!(*told.0.lock().unwrap(), ["failed 1", "kept 2", "committed 2", "committed 3"]);
        assert_eq!(scribe.shared.queue.len(), 0);
        let reader = LedgerReader::open(&path).unwrap();
        let page = reader.entries(&Filter::default(), Order::OldestFirst, None, 9).unwrap();
        let mut expected = entries;
        expected[2].become_unrecorded();
        assert_eq!(page.entries.into_iter().map(|recorded| recorded.entry).collect::<Vec<_>>(), expected);
        reader.verify(None, |finding| panic!("{finding}"), |_| {}).unwrap();
    }
}
