//! The writing side of the file: a group of entries, and all that is summed beside them, in one transaction.

use std::path::{Path, PathBuf};

use gstn::Environment;
use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use suvidha_seam::Seam;

use super::chain::{COLUMNS, Chain, Head, columns};
use super::entry::{ConsentChange, Entry};
use super::error::LedgerError;
use super::files::Files;
use super::ist;
use super::schema::{self, Identity};
use super::usage::{Sums, TOTALS};

/// The file, open for writing.
pub(super) struct Book {
    connection: Connection,
    path: PathBuf,
    identity: Identity,
    head: Head,
    files: Files,
    scratch: Scratch,
    /// The head that the ledger has if the last transaction, whose commit failed, was carried out all the same.
    doubtful: Option<Head>,
}

/// What would else be allocated for each group.
struct Scratch {
    chain: Chain,
    sums: Sums,
    /// The statement that inserts an entry.
    insert: String,
}

impl Default for Scratch {
    fn default() -> Self {
        Self { chain: Chain::default(), sums: Sums::default(), insert: insert_entry() }
    }
}

impl Book {
    /// Opens the ledger at `path`, making it if need be, and checks its end.
    pub(super) fn open(path: &Path, environment: Environment, seam: &Seam) -> Result<Self, LedgerError> {
        let (connection, identity) = schema::open(path, environment, seam)?;
        Self::checked(connection, path, identity)
    }

    /// Opens it once more after a failure.
    pub(super) fn reopen(path: &Path, identity: Identity) -> Result<Self, LedgerError> {
        Self::checked(schema::reopen(path, identity)?, path, identity)
    }

    fn checked(connection: Connection, path: &Path, identity: Identity) -> Result<Self, LedgerError> {
        let head = schema::checked_end(&connection, path)?;
        schema::leave_out_checks(&connection).map_err(|error| LedgerError::of(path, error))?;
        let files = Files::of(path);
        let (path, scratch) = (path.to_owned(), Scratch::default());
        Ok(Self { connection, path, identity, head, files, scratch, doubtful: None })
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
        let Self { connection, path, head, files, scratch, doubtful, .. } = self;
        files.require()?;
        let written = written(connection, *head, entries, scratch, doubtful)
            .map_err(|error| LedgerError::of(path, error))?;
        *doubtful = None;
        self.head = written;
        Ok(written)
    }
}

fn written<'a>(
    connection: &mut Connection,
    mut head: Head,
    entries: impl Iterator<Item = &'a Entry>,
    scratch: &mut Scratch,
    doubtful: &mut Option<Head>,
) -> rusqlite::Result<Head> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    scratch.sums.clear();
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
            scratch.sums.add(head.seq, entry);
            note_consent(&transaction, entry)?;
        }
    }
    put(&transaction, &scratch.sums, Sign::Plus)?;
    charge(&transaction, &scratch.sums)?;
    note_quarters(&transaction, &scratch.sums)?;
    transaction
        .prepare_cached("UPDATE head SET seq = ?1, hash = ?2")?
        .execute(params![head.seq.cast_signed(), head.hash])?;
    *doubtful = Some(head);
    transaction.commit()?;
    Ok(head)
}

fn insert_entry() -> String {
    let parameters: Vec<_> = (1..=COLUMNS.len() + 1).map(|n| format!("?{n}")).collect();
    format!("INSERT INTO entry ({}, hash) VALUES ({})", COLUMNS.join(", "), parameters.join(", "))
}

/// Whether sums are added to those that are kept, or taken from them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    Plus,
    Minus,
}

/// Adds to the usage that is kept, or takes from it; what comes to nothing is removed.
pub(super) fn put(transaction: &Transaction<'_>, sums: &Sums, sign: Sign) -> rusqlite::Result<()> {
    let mut usage = transaction.prepare_cached(&add_usage())?;
    for ((day, aspid), apis) in &sums.usage {
        let day = ist::date(*day).to_string();
        for (api, totals) in apis {
            usage.raw_bind_parameter(1, &day)?;
            usage.raw_bind_parameter(2, aspid.as_ref().map_or("", |aspid| aspid.as_str()))?;
            usage.raw_bind_parameter(3, api)?;
            for (index, number) in totals.as_array().into_iter().enumerate() {
                let number = number.cast_signed();
                usage.raw_bind_parameter(4 + index, if sign == Sign::Plus { number } else { -number })?;
            }
            usage.raw_execute()?;
        }
        if sign == Sign::Minus {
            transaction
                .prepare_cached("DELETE FROM usage WHERE day = ?1 AND aspid = ?2 AND calls = 0")?
                .execute(params![day, aspid.as_ref().map_or("", |aspid| aspid.as_str())])?;
        }
    }
    Ok(())
}

fn charge(transaction: &Transaction<'_>, sums: &Sums) -> rusqlite::Result<()> {
    let mut charge = transaction.prepare_cached(
        "INSERT INTO account (aspid, prepaid_units, forgotten_units) VALUES (?1, ?2, 0)
         ON CONFLICT (aspid) DO UPDATE SET prepaid_units = prepaid_units + excluded.prepaid_units",
    )?;
    for (aspid, units) in &sums.charged {
        charge.execute(params![aspid.as_str(), units.cast_signed()])?;
    }
    Ok(())
}

fn note_quarters(transaction: &Transaction<'_>, sums: &Sums) -> rusqlite::Result<()> {
    let mut note = transaction.prepare_cached(
        "INSERT INTO quarter (quarter, first_seq, last_seq) VALUES (?1, ?2, ?3)
         ON CONFLICT (quarter) DO UPDATE SET last_seq = excluded.last_seq",
    )?;
    for (quarter, (first, last)) in &sums.quarters {
        note.execute(params![quarter, first.cast_signed(), last.cast_signed()])?;
    }
    Ok(())
}

fn add_usage() -> String {
    let names: Vec<_> = TOTALS.split(", ").collect();
    let parameters: Vec<_> = (1..=3 + names.len()).map(|n| format!("?{n}")).collect();
    let sums: Vec<_> = names.iter().map(|name| format!("{name} = {name} + excluded.{name}")).collect();
    format!(
        "INSERT INTO usage (day, aspid, api, {TOTALS}) VALUES ({}) ON CONFLICT DO UPDATE SET {}",
        parameters.join(", "),
        sums.join(", ")
    )
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
