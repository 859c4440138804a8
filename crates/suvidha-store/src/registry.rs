//! The registry: one SQLite file, shared by the gateway and the command line, read and written through
//! one connection per process.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use suvidha_seam::Seam;

use self::certificates::ParsedKeys;
use crate::error::StoreError;
use crate::sealing::SealingKeys;

pub(crate) mod asp_secrets;
pub(crate) mod asps;
pub(crate) mod certificates;
pub(crate) mod client_credentials;
mod columns;
mod credentials;
pub(crate) mod credits;
pub(crate) mod enrolment;
pub(crate) mod ids;
mod letters;
pub(crate) mod limits;
pub(crate) mod passwords;
mod schema;
mod secrets;
pub(crate) mod session_keys;
pub(crate) mod snapshot;
pub(crate) mod terms;
mod token_format;
pub(crate) mod tokens;
pub(crate) mod uses;

/// The ASPs, their credentials, and the GSP's sealed secrets.
///
/// A clone is another handle on the same connection. Every method blocks, on the disk and on other
/// processes that are writing (for five seconds unless told [otherwise](Registry::set_patience), then
/// [`StoreError::Busy`]).
#[derive(Clone)]
pub struct Registry(Arc<Shared>);

struct Shared {
    connection: Mutex<Connection>,
    /// What the last snapshot parsed.
    parsed_keys: Mutex<ParsedKeys>,
    keys: SealingKeys,
    seam: Seam,
}

impl Registry {
    /// Opens the registry at `path`, making it (mode 0600) or bringing it up to date where need be.
    ///
    /// # Errors
    /// Whatever keeps it from being used is found here and not later: a file of another program, a schema
    /// newer than ours, [`StoreError::MissingSealingKey`] or [`StoreError::WrongSealingKey`] when `keys`
    /// cannot open what the file holds.
    pub fn open(path: &Path, keys: SealingKeys, seam: Seam) -> Result<Self, StoreError> {
        let connection = Mutex::new(schema::open(path)?);
        let registry = Self(Arc::new(Shared { connection, parsed_keys: Mutex::default(), keys, seam }));
        registry.check_sealing_keys()?;
        Ok(registry)
    }

    /// A number that moves with every committed change, whichever process made it. Last-used times do
    /// not move it. Costs one read of one row.
    pub fn version(&self) -> Result<u64, StoreError> {
        version(&self.connection())
    }

    /// How long every handle on this connection waits for another process that is writing, before
    /// [`StoreError::Busy`]; five seconds at first.
    pub fn set_patience(&self, patience: Duration) -> Result<(), StoreError> {
        Ok(self.connection().busy_timeout(patience)?)
    }

    /// Runs `work` in a transaction that holds the write lock from its start, so that what it reads
    /// stays true until it commits. Moves the version if anything was changed.
    fn change<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut connection = self.connection();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let before = transaction.total_changes();
        let done = work(&transaction)?;
        if transaction.total_changes() != before {
            transaction.execute("UPDATE registry SET version = version + 1", [])?;
        }
        transaction.commit()?;
        Ok(done)
    }

    /// Brings what the log holds into the file and empties it, so that what was wiped is nowhere in the files. Not if
    /// another process is reading: then the log goes on, and is overwritten in time.
    fn empty_log(&self) -> Result<(), StoreError> {
        Ok(self.connection().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
    }

    /// Whoever panicked while holding the lock had its transaction rolled back: the connection is sound.
    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.0.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("keys", &self.0.keys).finish_non_exhaustive()
    }
}

fn version(connection: &Connection) -> Result<u64, StoreError> {
    let mut read = connection.prepare_cached("SELECT version FROM registry")?;
    let version: i64 = read.query_row([], |row| row.get(0))?;
    Ok(version.unsigned_abs())
}
