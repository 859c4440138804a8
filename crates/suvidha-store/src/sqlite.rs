//! How a SQLite file comes to be what its owner expects: its rights, its modes, its schema. The registry and the ledger
//! open theirs alike.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

/// A kind of file of ours.
pub(crate) struct Format {
    /// Marks the file as ours, so that no other program's database is ever migrated.
    pub(crate) application_id: i32,
    /// The n-th entry takes the schema from version n to n + 1. Entries are never changed once released.
    pub(crate) migrations: &'static [&'static str],
}

/// Why a file cannot be opened.
#[derive(Debug)]
pub(crate) enum OpenFailure {
    /// It could not be created.
    Create(io::Error),
    /// It is no database, or another program's.
    Foreign,
    /// A newer program made it.
    Newer { found: u32, known: u32 },
    /// It cannot be shared between processes; the journal mode it stays in.
    NoWal(String),
    /// Anything else.
    Database(rusqlite::Error),
}

impl From<rusqlite::Error> for OpenFailure {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::Foreign,
            _ => Self::Database(error),
        }
    }
}

impl Format {
    /// Opens the file at `path` for writing, making it (mode 0600) or bringing it up to date where need be.
    pub(crate) fn open(&self, path: &Path, patience: Duration) -> Result<Connection, OpenFailure> {
        create_private(path).map_err(OpenFailure::Create)?;
        self.open_existing(path, patience)
    }

    /// The same, for a file that must be there.
    pub(crate) fn open_existing(&self, path: &Path, patience: Duration) -> Result<Connection, OpenFailure> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(patience)?;
        self.migrate(&mut connection)?;
        configure(&connection)?;
        Ok(connection)
    }

    /// Opens the file at `path` for reading only. It must be there, and its schema one that we know.
    pub(crate) fn open_to_read(&self, path: &Path, patience: Duration) -> Result<Connection, OpenFailure> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(patience)?;
        let version = self.version(&connection.transaction()?)?;
        if version == 0 { Err(OpenFailure::Foreign) } else { Ok(connection) }
    }

    /// Each step in a transaction of its own that holds the write lock, so that of two processes which
    /// find an old file one migrates it and the other sees it done.
    fn migrate(&self, connection: &mut Connection) -> Result<(), OpenFailure> {
        while self.version(&connection.transaction()?)? < self.newest() {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let version = self.version(&transaction)?;
            if let Some(migration) = self.migrations.get(version as usize) {
                transaction.execute_batch(migration)?;
                transaction.pragma_update(None, "application_id", self.application_id)?;
                transaction.pragma_update(None, "user_version", version + 1)?;
                transaction.commit()?;
            }
        }
        Ok(())
    }

    fn newest(&self) -> u32 {
        u32::try_from(self.migrations.len()).unwrap_or(u32::MAX)
    }

    /// The version of a file that is ours to migrate; an empty database has version 0. Read in a transaction,
    /// lest another process migrate between one question and the next.
    fn version(&self, transaction: &Transaction<'_>) -> Result<u32, OpenFailure> {
        let number = |pragma| transaction.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
        let (owner, version) = (number("application_id")?, number("user_version")?);
        let empty: bool =
            transaction.query_row("SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| row.get(0))?;
        let ours = owner == self.application_id || (owner == 0 && version == 0 && empty);
        let known = self.newest();
        match u32::try_from(version) {
            Ok(found) if ours && found > known => Err(OpenFailure::Newer { found, known }),
            Ok(version) if ours => Ok(version),
            _ => Err(OpenFailure::Foreign),
        }
    }
}

/// SQLite would create the file with the rights the umask leaves; its WAL takes over the file's rights.
fn create_private(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// WAL lets readers go on while another process writes; FULL makes a commit survive a power cut; what is deleted
/// is overwritten.
fn configure(connection: &Connection) -> Result<(), OpenFailure> {
    let mode = enter_wal(connection)?;
    if mode != "wal" {
        return Err(OpenFailure::NoWal(mode));
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "secure_delete", true)?;
    Ok(())
}

/// When several connections enter WAL mode at once, SQLite refuses all but one without waiting: it sees a
/// deadlock coming. Taking the write lock does wait, and then the file is in WAL mode already.
fn enter_wal(connection: &Connection) -> rusqlite::Result<String> {
    let mut attempts_left = 20;
    loop {
        let mode = connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0));
        match mode {
            Err(error)
                if attempts_left > 0
                    && matches!(
                        error.sqlite_error_code(),
                        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
                    ) =>
            {
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

    const PATIENCE: Duration = Duration::from_secs(5);

    fn version_of(connection: &Connection) -> i32 {
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
    }

    #[test]
    fn a_step_that_fails_leaves_the_schema_as_it_was() {
        let mut connection = Connection::open_in_memory().unwrap();
        let format = |migrations| Format { application_id: 7, migrations };
        let broken = format(&["CREATE TABLE a (x)", "CREATE TABLE b (x); INSERT INTO nowhere VALUES (1)"]);
        broken.migrate(&mut connection).unwrap_err();
        assert_eq!(version_of(&connection), 1);
        assert!(!connection.table_exists(None, "b").unwrap());

        format(&["CREATE TABLE a (x)", "CREATE TABLE b (x)"]).migrate(&mut connection).unwrap();
        assert_eq!(version_of(&connection), 2);
        assert!(connection.table_exists(None, "b").unwrap());
    }

    #[test]
    fn a_file_is_kept_as_promised() {
        let directory = tempfile::tempdir().unwrap();
        let format = Format { application_id: 7, migrations: &["CREATE TABLE a (x)"] };
        let connection = format.open(&directory.path().join("a.db"), PATIENCE).unwrap();
        let number =
            |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0)).unwrap();
        assert_eq!(number("synchronous"), 2);
        assert_eq!(number("foreign_keys"), 1);
        assert_eq!(number("secure_delete"), 1);
        assert_eq!(number("busy_timeout"), 5000);
    }

    #[test]
    fn many_processes_may_find_the_file_missing_at_once() {
        const FORMAT: Format =
            Format { application_id: 7, migrations: &["CREATE TABLE a (x)", "CREATE TABLE b (x)"] };
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.db");
        let start = std::sync::Barrier::new(8);
        std::thread::scope(|threads| {
            for _ in 0..8 {
                threads.spawn(|| {
                    start.wait();
                    assert_eq!(version_of(&FORMAT.open(&path, PATIENCE).unwrap()), 2);
                });
            }
        });
    }
}
