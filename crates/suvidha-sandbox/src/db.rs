//! The database of the simulated GSTN: one SQLite file, one writer, one reader beside it.
//!
//! Everything here blocks and is meant to be called off the I/O threads. A transaction that returns is on disk
//! (WAL with `synchronous=FULL`), so an answer given after it survives a crash.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::applicants;
use crate::directory;
use crate::documents;
use crate::files;
use crate::gstr1;
use crate::gstr3b;
use crate::inward;
use crate::ledgers;
use crate::masters;
use crate::server::SandboxError;

const FILE: &str = "gstn-sandbox.sqlite";
/// "SVSB": tells our file from any other SQLite file.
const APPLICATION_ID: i64 = 0x5356_5342;
const SCHEMA_VERSION: i64 = 2;

/// The open database.
pub(crate) struct Db {
    writer: Mutex<Connection>,
    reader: Mutex<Connection>,
}

impl Db {
    /// Opens, or makes, the database in `data_dir`. The file has mode 0600: it holds session keys.
    pub(crate) fn open(data_dir: &Path) -> Result<Self, SandboxError> {
        let path = data_dir.join(FILE);
        OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&path)
            .map_err(|error| SandboxError::io(&path, error))?;
        let writer = connect(&path)?;
        check_owner(&writer, &path)?;
        create_tables(&writer)?;
        writer.pragma_update(None, "application_id", APPLICATION_ID)?;
        writer.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        let reader = connect(&path)?;
        Ok(Self { writer: Mutex::new(writer), reader: Mutex::new(reader) })
    }

    /// Reads one consistent state of the database.
    pub(crate) fn read<T, E: From<rusqlite::Error>>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut connection = lock(&self.reader);
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
        work(&transaction)
    }

    /// Reads outside of a transaction, for those who keep one of their own.
    pub(crate) fn read_connection<T>(&self, work: impl FnOnce(&Connection) -> T) -> T {
        work(&lock(&self.reader))
    }

    /// Puts the contents of another file in place of all there is, in one transaction; false, and nothing changed, if the
    /// file is not a database of this version.
    pub(crate) fn replace_by(&self, file: &Path) -> rusqlite::Result<bool> {
        let source = Connection::open(file)?;
        if !is_ours(&source)? {
            return Ok(false);
        }
        let mut writer = lock(&self.writer);
        // Nobody reads meanwhile, either: a reader would hold the file.
        let _reader = lock(&self.reader);
        copy(&source, &mut writer)?;
        writer.execute_batch("DROP TABLE IF EXISTS snapshot")?;
        // The snapshot may be older than a table.
        create_tables(&writer)?;
        Ok(true)
    }

    /// Changes the database: all of `work` is on disk when this returns `Ok`, none of it when `Err`.
    pub(crate) fn write<T, E: From<rusqlite::Error>>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut connection = lock(&self.writer);
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let outcome = work(&transaction)?;
        transaction.commit()?;
        Ok(outcome)
    }
}

/// A panic while holding the lock rolled its transaction back, so the connection is still good.
fn lock(connection: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}

fn connect(path: &Path) -> Result<Connection, SandboxError> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    connection.set_prepared_statement_cache_capacity(128);
    Ok(connection)
}

/// Every table that is not there yet.
fn create_tables(writer: &Connection) -> rusqlite::Result<()> {
    writer.execute_batch(include_str!("schema.sql"))?;
    gstr1::create_tables(writer)?;
    files::create_tables(writer)?;
    inward::create_tables(writer)?;
    applicants::create_table(writer)?;
    documents::create_table(writer)?;
    masters::create_table(writer)?;
    directory::create_indexes(writer)?;
    ledgers::create_tables(writer)?;
    gstr3b::create_tables(writer)?;
    Ok(())
}

/// Copies all pages in one step, so that nothing comes between; all of them or none.
pub(crate) fn copy(from: &Connection, to: &mut Connection) -> rusqlite::Result<()> {
    match Backup::new(from, to)?.step(-1)? {
        StepResult::Done => Ok(()),
        _ => Err(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY), None)),
    }
}

/// Refuses a file that is not ours, or that another version wrote.
fn check_owner(connection: &Connection, path: &Path) -> Result<(), SandboxError> {
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))?;
    if tables == 0 || is_ours(connection)? {
        return Ok(());
    }
    let version = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Err(SandboxError::ForeignDatabase { path: path.to_owned(), version })
}

/// Whether the file says that this version of the sandbox wrote it.
fn is_ours(connection: &Connection) -> rusqlite::Result<bool> {
    let number = |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    Ok(number("application_id")? == APPLICATION_ID && number("user_version")? == SCHEMA_VERSION)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_file_is_for_its_owner_only_and_a_failed_transaction_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let db = Db::open(dir.path()).unwrap();
        let mode = std::fs::metadata(dir.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let insert = "INSERT INTO arn_serials VALUES ('29', '012026', 7)";
        let failed: Result<(), rusqlite::Error> = db.write(|tx| {
            tx.execute(insert, [])?;
            Err(rusqlite::Error::QueryReturnedNoRows)
        });
        assert!(failed.is_err());
        let count = |db: &Db| {
            db.read(|tx| tx.query_row("SELECT count(*) FROM arn_serials", [], |row| row.get::<_, i64>(0)))
        };
        assert_eq!(count(&db).unwrap(), 0);
        db.write(|tx| tx.execute(insert, [])).unwrap();
        assert_eq!(count(&db).unwrap(), 1);
    }

    #[test]
    fn a_database_of_something_else_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let other = Connection::open(dir.path().join(FILE)).unwrap();
        other.execute_batch("CREATE TABLE accounts (id INTEGER)").unwrap();
        assert!(matches!(Db::open(dir.path()), Err(SandboxError::ForeignDatabase { .. })));
    }
}
