//! The ledger's file: what marks it, how it begins, and what is asked of it before it is used.

use std::fs::{DirBuilder, File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use gstn::Environment;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use suvidha_seam::Seam;

use super::chain::{COLUMNS, Chain, Hash, Head, genesis};
use super::entry::Seq;
use super::error::LedgerError;
use super::stretch;
use crate::sqlite::Format;

/// Marked "SVDL".
const LEDGER: Format = Format {
    application_id: 0x5356_444c,
    migrations: &[include_str!("migrations/0001_ledger.sql"), include_str!("migrations/0002_stretches.sql")],
};

/// How long the writer waits for another program that locks the file, before it says so.
const WRITERS_PATIENCE: Duration = Duration::from_secs(1);
/// How long a reader waits.
const READERS_PATIENCE: Duration = Duration::from_secs(5);

/// A reader takes no row beyond so many bytes: no gateway writes one, and who puts one there must not fill the memory.
const LONGEST: i32 = 1 << 20;

/// What a ledger is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) environment: Environment,
    pub(super) id: [u8; 16],
}

impl Identity {
    pub(super) fn genesis(&self) -> Hash {
        genesis(self.environment, &self.id)
    }
}

/// Opens the ledger at `path` for writing, making it and its directory if need be.
pub(super) fn open(
    path: &Path,
    environment: Environment,
    seam: &Seam,
) -> Result<(Connection, Identity), LedgerError> {
    let mut connection =
        LEDGER.open(path, WRITERS_PATIENCE).map_err(|failure| LedgerError::opening(path, failure))?;
    if names(path) > 1 {
        return Err(LedgerError::Linked { path: path.to_owned() });
    }
    let failed = |error| LedgerError::of(path, error);
    let identity = match identity(&connection).map_err(failed)? {
        Some(identity) => identity,
        None => begin(&mut connection, environment, seam).map_err(failed)?,
    };
    if identity.environment != environment {
        let found = identity.environment;
        return Err(LedgerError::OtherEnvironment { path: path.to_owned(), found, wanted: environment });
    }
    // What cannot be written shall not wait for the first call to show: SQLite opens a read-only file without a word.
    connection.execute_batch("BEGIN IMMEDIATE; UPDATE head SET seq = seq; COMMIT").map_err(failed)?;
    Ok((connection, identity))
}

/// How many names the file has.
#[cfg(unix)]
fn names(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(1, |file| std::os::unix::fs::MetadataExt::nlink(&file))
}

#[cfg(not(unix))]
fn names(_: &Path) -> u64 {
    1
}

/// Leaves the table's own checks to whoever else writes to it.
///
/// What they ask of an entry its type holds already, and for each list of words SQLite would build a table, for each entry:
/// half of the work of writing it.
pub(super) fn leave_out_checks(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "ignore_check_constraints", true)
}

/// Opens it once more, after a failure. It must be the same.
pub(super) fn reopen(path: &Path, expected: Identity) -> Result<Connection, LedgerError> {
    if !path.exists() {
        return Err(LedgerError::Replaced { path: path.to_owned(), what: "was moved or deleted" });
    }
    let connection = LEDGER
        .open_existing(path, WRITERS_PATIENCE)
        .map_err(|failure| LedgerError::opening(path, failure))?;
    let found = identity(&connection).map_err(|error| LedgerError::of(path, error))?;
    if found != Some(expected) {
        return Err(LedgerError::Replaced { path: path.to_owned(), what: "is another ledger than before" });
    }
    Ok(connection)
}

pub(super) fn open_to_read(path: &Path) -> Result<(Connection, Identity), LedgerError> {
    if !path.exists() {
        return Err(LedgerError::Missing { path: path.to_owned() });
    }
    let connection =
        LEDGER.open_to_read(path, READERS_PATIENCE).map_err(|failure| LedgerError::opening(path, failure))?;
    let failed = |error| LedgerError::of(path, error);
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, LONGEST).map_err(failed)?;
    let identity = identity(&connection).map_err(failed)?;
    let identity = identity.ok_or_else(|| LedgerError::NotALedger { path: path.to_owned() })?;
    stretch::make_up(&connection).map_err(failed)?;
    Ok((connection, identity))
}

fn identity(connection: &Connection) -> rusqlite::Result<Option<Identity>> {
    connection
        .query_row("SELECT environment, id FROM ledger", [], |row| {
            Ok(Identity {
                environment: row.get::<_, String>("environment")?.parse().map_err(|error| {
                    rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
                })?,
                id: row.get("id")?,
            })
        })
        .optional()
}

/// The first rows of a new ledger.
fn begin(connection: &mut Connection, environment: Environment, seam: &Seam) -> rusqlite::Result<Identity> {
    let identity = Identity { environment, id: seam.random() };
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute(
        "INSERT INTO ledger (one, environment, id) VALUES (1, ?1, ?2)",
        params![environment.as_str(), identity.id],
    )?;
    for table in ["head", "anchor"] {
        transaction.execute(
            &format!("INSERT INTO {table} (one, seq, hash) VALUES (1, 0, ?1)"),
            [identity.genesis()],
        )?;
    }
    transaction.commit()?;
    Ok(identity)
}

/// A row of `head` or `anchor`.
pub(super) fn mark(connection: &Connection, table: &str) -> rusqlite::Result<Head> {
    connection
        .prepare_cached(&format!("SELECT seq, hash FROM {table}"))?
        .query_row([], |row| Ok(Head { seq: row.get::<_, i64>(0)?.unsigned_abs(), hash: row.get(1)? }))
}

/// Where the ledger ends: with its last entry, or where `head` says that it ended last.
pub(super) fn end(connection: &Connection) -> rusqlite::Result<Head> {
    let head = mark(connection, "head")?;
    let mut read =
        connection.prepare_cached("SELECT seq, hash FROM entry WHERE seq > ?1 ORDER BY seq DESC LIMIT 1")?;
    let last = read.query_row([head.seq.cast_signed()], |row| {
        Ok(Head { seq: row.get::<_, i64>(0)?.unsigned_abs(), hash: row.get(1)? })
    });
    Ok(last.optional()?.unwrap_or(head))
}

/// How many of the entries up to `head` are looked at before a ledger is written to, and all behind it.
const LOOKED_AT: u64 = 64;

/// Where the ledger ends, if the last entries lead to its head and on from there.
pub(super) fn checked_end(connection: &Connection, path: &Path) -> Result<Head, LedgerError> {
    let failed = |error| LedgerError::of(path, error);
    let damaged = |what| LedgerError::Damaged { path: path.to_owned(), what };
    let (head, anchor) =
        (mark(connection, "head").map_err(failed)?, mark(connection, "anchor").map_err(failed)?);
    let before = head.seq.saturating_sub(LOOKED_AT).max(anchor.seq);
    let mut at = match before {
        seq if seq == anchor.seq => anchor,
        seq => hash_of(connection, seq)
            .map_err(failed)?
            .map(|hash| Head { seq, hash })
            .ok_or_else(|| damaged(format!("entry {seq} is missing")))?,
    };
    let mut chain = Chain::default();
    let mut passed = at;
    let mut read = connection
        .prepare(&format!("SELECT {}, hash FROM entry WHERE seq > ?1 ORDER BY seq", COLUMNS.join(", ")))
        .map_err(failed)?;
    let mut rows = read.query([before.cast_signed()]).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        let columns: Vec<_> =
            (0..COLUMNS.len()).map(|index| row.get_ref(index)).collect::<Result<_, _>>().map_err(failed)?;
        let seq = row.get::<_, i64>(0).map_err(failed)?.unsigned_abs();
        let hash = row.get(COLUMNS.len()).map_err(failed)?;
        if seq != at.seq + 1 || chain.link(&at.hash, columns) != hash {
            return Err(damaged(format!("entry {seq} does not follow entry {}", at.seq)));
        }
        at = Head { seq, hash };
        if seq <= head.seq {
            passed = at;
        }
    }
    if passed == head {
        Ok(at)
    } else {
        Err(damaged(format!("it says it ends with {head}, and ends with {at}")))
    }
}

/// The hash of an entry, if it is there.
pub(super) fn hash_of(connection: &Connection, seq: Seq) -> rusqlite::Result<Option<Hash>> {
    let mut read = connection.prepare("SELECT hash FROM entry WHERE seq = ?1")?;
    read.query_row([seq.cast_signed()], |row| row.get(0)).optional()
}

/// That this process is the one that writes. Ends with the process, however that ends.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of the ledger at `path`, a file beside it.
    pub(super) fn take(path: &Path) -> Result<Self, LedgerError> {
        if let Some(directory) = path.parent() {
            make_private(directory)?;
        }
        let path = resolved(path);
        let mut name = path.clone().into_os_string();
        name.push(".lock");
        let lock = PathBuf::from(name);
        let failed = |action| {
            let path = lock.clone();
            move |source| LedgerError::File { action, path, source }
        };
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&lock).map_err(failed("open"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Whose it is, is a courtesy.
                let holder = file.read_to_string(&mut holder).ok().and_then(|_| holder.trim().parse().ok());
                return Err(LedgerError::Held { path, holder });
            }
            Err(TryLockError::Error(source)) => return Err(failed("lock")(source)),
        }
        // Nor does a full disk keep anybody from locking.
        let _ = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(format!("{}\n", std::process::id()).as_bytes()));
        Ok(Self { _file: file })
    }
}

/// The same file under its own name, so that a link does not let two gateways write to it.
fn resolved(path: &Path) -> PathBuf {
    let through_directory = || Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?));
    path.canonicalize().ok().or_else(through_directory).unwrap_or_else(|| path.to_owned())
}

/// Makes the directory (mode 0700) if it is not there.
fn make_private(directory: &Path) -> Result<(), LedgerError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory).map_err(|source| LedgerError::File {
        action: "create",
        path: directory.to_owned(),
        source,
    })
}
