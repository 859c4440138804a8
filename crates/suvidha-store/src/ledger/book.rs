//! The writing side of the file: a group of entries in one transaction, and what is kept beside them when its time has come.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gstn::Environment;
use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use suvidha_seam::Seam;

use super::chain::{COLUMNS, Chain, Head, columns};
use super::entry::{ConsentChange, Entry};
use super::error::LedgerError;
use super::files::Files;
use super::schema::{self, Identity};
use super::stretch::Stretch;
use super::tally::Tally;

/// The file, open for writing.
pub(super) struct Book {
    connection: Connection,
    path: PathBuf,
    identity: Identity,
    head: Head,
    files: Files,
    scratch: Scratch,
    /// What is not yet written of what is kept beside the entries; `None` where it must be read anew after a failure.
    beside: Option<Beside>,
    /// The head that the ledger has if the last transaction, whose commit failed, was carried out all the same.
    doubtful: Option<Head>,
}

/// What would else be allocated for each group.
struct Scratch {
    chain: Chain,
    /// The statement that inserts an entry.
    insert: String,
}

/// What is kept beside the entries, as far as it is not yet written.
struct Beside {
    tally: Tally,
    stretch: Stretch,
}

impl Beside {
    /// As the ledger that ends with `head` needs it.
    fn read(connection: &Connection, head: Head) -> rusqlite::Result<Self> {
        Ok(Self { tally: Tally::read(connection)?, stretch: Stretch::read(connection, head.seq)? })
    }
}

impl Book {
    /// Opens the ledger at `path`, making it if need be, checks its end, and makes up for what the last writer left.
    pub(super) fn open(path: &Path, environment: Environment, seam: &Seam) -> Result<Self, LedgerError> {
        let (connection, identity) = schema::open(path, environment, seam)?;
        let mut book = Self::checked(connection, path, identity)?;
        book.bring_up(true)?;
        Ok(book)
    }

    /// Opens it once more after a failure.
    pub(super) fn reopen(path: &Path, identity: Identity) -> Result<Self, LedgerError> {
        Self::checked(schema::reopen(path, identity)?, path, identity)
    }

    fn checked(connection: Connection, path: &Path, identity: Identity) -> Result<Self, LedgerError> {
        let head = schema::checked_end(&connection, path)?;
        let failed = |error| LedgerError::of(path, error);
        schema::leave_out_checks(&connection).map_err(failed)?;
        let beside = Some(Beside::read(&connection, head).map_err(failed)?);
        let files = Files::of(path);
        let scratch = Scratch { chain: Chain::default(), insert: insert_entry() };
        Ok(Self { connection, path: path.to_owned(), identity, head, files, scratch, beside, doubtful: None })
    }

    pub(super) fn head(&self) -> Head {
        self.head
    }

    /// The head that the ledger may have after a failure, beside the one it had before.
    pub(super) fn take_doubtful(&mut self) -> Option<Head> {
        self.doubtful.take()
    }

    pub(super) fn identity(&self) -> Identity {
        self.identity
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(super) fn connection_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// Brings to the disk what a failed commit has left in the log: that it can be read does not mean that it stays.
    pub(super) fn settle(&self) -> Result<(), LedgerError> {
        let busy = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
        match busy {
            Ok(false) => Ok(()),
            Ok(true) => Err(LedgerError::Busy { path: self.path.clone() }),
            Err(error) => Err(LedgerError::of(&self.path, error)),
        }
    }

    /// Writes `entries` after the last one and brings them to the disk: all of them, or none. After an error there may be
    /// [doubt](Self::take_doubtful) which.
    pub(super) fn append<'a>(
        &mut self,
        entries: impl Iterator<Item = &'a Entry>,
    ) -> Result<Head, LedgerError> {
        self.files.require()?;
        let written = self.write(entries, false).map_err(|error| LedgerError::of(&self.path, error))?;
        self.doubtful = None;
        self.head = written;
        Ok(written)
    }

    /// How long the sums need not be brought up to the entries; `None` if they are.
    pub(super) fn idle(&self) -> Option<Duration> {
        self.beside.as_ref().and_then(|beside| beside.tally.idle())
    }

    /// Brings the sums up to the entries, if it is time or if it must be `now`.
    pub(super) fn bring_up(&mut self, now: bool) -> Result<(), LedgerError> {
        if self.idle().is_none_or(|idle| !now && !idle.is_zero()) {
            return Ok(());
        }
        // Like any failure: what is not written is read anew for the next group, and not tried again before.
        self.files.require().inspect_err(|_| self.beside = None)?;
        let written = self.write(std::iter::empty(), true);
        // There is no entry to be in doubt about.
        self.doubtful = None;
        written.map(drop).map_err(|error| LedgerError::of(&self.path, error))
    }

    /// Writes `entries`, and the sums if they are due or if it must be `now`.
    fn write<'a>(&mut self, entries: impl Iterator<Item = &'a Entry>, now: bool) -> rusqlite::Result<Head> {
        let Self { connection, head, scratch, beside, doubtful, .. } = self;
        // Taken, so that a failure at any point leaves it to be read anew.
        let Beside { mut tally, mut stretch } = match beside.take() {
            Some(beside) => beside,
            None => Beside::read(connection, *head)?,
        };
        let mut head = *head;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut insert = transaction.prepare_cached(&scratch.insert)?;
            // What stays bound from the entry before: neighbours have most of their columns in common.
            let mut bound = [None; COLUMNS.len()];
            for entry in entries {
                head.seq += 1;
                let columns = columns(head.seq, entry);
                head.hash = scratch.chain.link(&head.hash, columns);
                for (index, (value, bound)) in columns.into_iter().zip(&mut bound).enumerate() {
                    if *bound != Some(value) {
                        insert.raw_bind_parameter(index + 1, ToSqlOutput::Borrowed(value))?;
                        *bound = Some(value);
                    }
                }
                insert.raw_bind_parameter(COLUMNS.len() + 1, head.hash)?;
                insert.raw_execute()?;
                note_consent(&transaction, entry)?;
                tally.add(head.seq, entry);
                stretch.add(&transaction, head.seq, entry.aspid)?;
            }
        }
        if now || tally.is_due() {
            tally.write(&transaction, head)?;
        }
        *doubtful = Some(head);
        transaction.commit()?;
        *beside = Some(Beside { tally, stretch });
        Ok(head)
    }
}

fn insert_entry() -> String {
    let parameters: Vec<_> = (1..=COLUMNS.len() + 1).map(|n| format!("?{n}")).collect();
    format!("INSERT INTO entry ({}, hash) VALUES ({})", COLUMNS.join(", "), parameters.join(", "))
}

/// Sessions of taxpayers belong to an ASP that has proven itself.
fn note_consent(transaction: &Transaction<'_>, entry: &Entry) -> rusqlite::Result<()> {
    let (Some(change), Some(aspid)) = (&entry.consent, &entry.aspid) else { return Ok(()) };
    let (gstin, username, lapses_at, sql) = match change {
        ConsentChange::Granted { gstin, username, lapses_at } => (
            gstin,
            username,
            lapses_at,
            "INSERT INTO consent (aspid, gstin, username, granted_at, lapses_at) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO UPDATE SET granted_at = ?4, refreshed_at = NULL, lapses_at = ?5, ended_at = NULL",
        ),
        ConsentChange::Refreshed { gstin, username, lapses_at } => (
            gstin,
            username,
            lapses_at,
            "INSERT INTO consent (aspid, gstin, username, refreshed_at, lapses_at) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO UPDATE SET refreshed_at = ?4, lapses_at = ?5, ended_at = NULL",
        ),
        ConsentChange::Ended { gstin, username } => (
            gstin,
            username,
            &None,
            "INSERT INTO consent (aspid, gstin, username, ended_at, lapses_at) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO UPDATE SET ended_at = ?4",
        ),
    };
    let lapses_at = lapses_at.map(|at| at.as_microsecond());
    transaction.prepare_cached(sql)?.execute(params![
        aspid.as_str(),
        gstin,
        username,
        entry.at.as_microsecond(),
        lapses_at
    ])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use gstn::Environment::Sandbox;
    use jiff::Timestamp;

    use super::*;
    use crate::ledger::{LedgerReader, Outcome};

    fn a_call(seam: &Seam) -> Entry {
        let text = |text: &str| Some(text.to_owned());
        Entry {
            id: seam.uuid(),
            at: Timestamp::UNIX_EPOCH,
            aspid: "1000000001".parse().ok(),
            claimed_aspid: None,
            txn: text("LAPN24235325555"),
            gstin: text("27AAPFU0939F1ZV"),
            ip_usr: None,
            appver: None,
            method: text("GET"),
            api: text("taxpayerapi/returns"),
            action: None,
            version: None,
            status: Some(200),
            status_cd: None,
            error_cd: None,
            origin: None,
            outcome: Outcome::Answered,
            bytes_in: 0,
            bytes_out: 0,
            gstn_us: None,
            total_us: 0,
            plan: None,
            units: 0,
            admitted: true,
            consent: None,
        }
    }

    #[test]
    fn a_group_for_which_there_is_no_room_leaves_nothing_behind_and_fits_when_there_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sandbox.sqlite");
        let seam = Seam::system();
        let mut book = Book::open(&path, Sandbox, &seam).unwrap();
        let group: Vec<_> = (0..500).map(|_| a_call(&seam)).collect();
        let before = book.append(group[..10].iter()).unwrap();
        let pages = |book: &Book, most: i64| {
            book.connection.pragma_update_and_check(None, "max_page_count", most, |row| row.get::<_, i64>(0))
        };
        pages(&book, 1).unwrap();
        for _ in 0..3 {
            let refused = book.append(group.iter()).unwrap_err();
            assert!(matches!(refused, LedgerError::DiskFull { .. }), "{refused}");
            assert_eq!(book.head(), before);
        }
        pages(&book, 1 << 30).unwrap();
        let after = book.append(group.iter()).unwrap();
        assert_eq!(after.seq, 510);
        let verified = LedgerReader::open(&path).unwrap().verify(None, |found| panic!("{found}"), |_| {});
        assert_eq!(verified.unwrap().head, after);
    }
}
