//! How the file comes to be what the rest of the registry expects: its rights, its modes, its schema.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use crate::error::StoreError;

/// The n-th entry takes the schema from version n to n + 1. Entries are never changed once released.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_registry.sql"),
    include_str!("migrations/0002_getkey.sql"),
    include_str!("migrations/0003_terms.sql"),
];

/// Marks the file as ours ("SVDR"), so that no other program's database is ever migrated.
const APPLICATION_ID: i32 = 0x5356_4452;

/// How long one process waits for another to finish writing.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    create_private(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    migrate(&mut connection, path, MIGRATIONS).map_err(|error| foreign(error, path))?;
    configure(&connection, path)?;
    Ok(connection)
}

/// SQLite would create the file with the rights the umask leaves; its WAL takes over the file's rights.
fn create_private(path: &Path) -> Result<(), StoreError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(source) => Err(StoreError::File { action: "create", path: path.to_owned(), source }),
    }
}

/// Each step in a transaction of its own that holds the write lock, so that of two processes which
/// find an old file one migrates it and the other sees it done.
fn migrate(connection: &mut Connection, path: &Path, migrations: &[&str]) -> Result<(), StoreError> {
    let known = u32::try_from(migrations.len()).unwrap_or(u32::MAX);
    while schema_version(&connection.transaction()?, path, known)? < known {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let version = schema_version(&transaction, path, known)?;
        if let Some(migration) = migrations.get(version as usize) {
            transaction.execute_batch(migration)?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.pragma_update(None, "user_version", version + 1)?;
            transaction.commit()?;
        }
    }
    Ok(())
}

/// The version of a file that is ours to migrate; an empty database has version 0. Read in a transaction,
/// lest another process migrate between one question and the next.
fn schema_version(transaction: &Transaction<'_>, path: &Path, known: u32) -> Result<u32, StoreError> {
    let number = |pragma| transaction.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
    let (owner, version) = (number("application_id")?, number("user_version")?);
    let empty: bool =
        transaction.query_row("SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| row.get(0))?;
    let ours = owner == APPLICATION_ID || (owner == 0 && version == 0 && empty);
    match u32::try_from(version) {
        Ok(found) if ours && found > known => {
            Err(StoreError::NewerSchema { path: path.to_owned(), found, known })
        }
        Ok(version) if ours => Ok(version),
        _ => Err(StoreError::NotARegistry { path: path.to_owned() }),
    }
}

fn foreign(error: StoreError, path: &Path) -> StoreError {
    match error {
        StoreError::Database(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
            StoreError::NotARegistry { path: path.to_owned() }
        }
        other => other,
    }
}

/// WAL lets readers go on while another process writes; FULL makes a commit survive a power cut; what is deleted
/// is overwritten.
fn configure(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let mode = enter_wal(connection)?;
    if mode != "wal" {
        return Err(StoreError::NoWal { path: path.to_owned(), mode });
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "secure_delete", true)?;
    Ok(())
}

/// When several connections enter WAL mode at once, SQLite refuses all but one without waiting: it sees a
/// deadlock coming. Taking the write lock does wait, and then the file is in WAL mode already.
fn enter_wal(connection: &Connection) -> Result<String, StoreError> {
    let mut attempts_left = 20;
    loop {
        let mode = connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0));
        match mode.map_err(StoreError::from) {
            Err(StoreError::Busy) if attempts_left > 0 => {
                attempts_left -= 1;
                connection.execute_batch("BEGIN IMMEDIATE; COMMIT")?;
            }
            outcome => return outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version_of(connection: &Connection) -> i32 {
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
    }

    #[test]
    fn a_step_that_fails_leaves_the_schema_as_it_was() {
        let mut connection = Connection::open_in_memory().unwrap();
        let path = Path::new("r.db");
        let broken = ["CREATE TABLE a (x)", "CREATE TABLE b (x); INSERT INTO nowhere VALUES (1)"];
        migrate(&mut connection, path, &broken).unwrap_err();
        assert_eq!(version_of(&connection), 1);
        assert!(!connection.table_exists(None, "b").unwrap());

        migrate(&mut connection, path, &["CREATE TABLE a (x)", "CREATE TABLE b (x)"]).unwrap();
        assert_eq!(version_of(&connection), 2);
        assert!(connection.table_exists(None, "b").unwrap());
    }

    #[test]
    fn the_file_is_kept_as_promised() {
        let directory = tempfile::tempdir().unwrap();
        let connection = open(&directory.path().join("r.db")).unwrap();
        let number =
            |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0)).unwrap();
        assert_eq!(number("synchronous"), 2);
        assert_eq!(number("foreign_keys"), 1);
        assert_eq!(number("secure_delete"), 1);
        assert_eq!(number("busy_timeout"), 5000);
    }

    #[test]
    fn many_processes_may_find_the_file_missing_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("r.db");
        let start = std::sync::Barrier::new(8);
        std::thread::scope(|threads| {
            for _ in 0..8 {
                threads.spawn(|| {
                    start.wait();
                    assert_eq!(version_of(&open(&path).unwrap()), MIGRATIONS.len() as i32);
                });
            }
        });
    }
}
