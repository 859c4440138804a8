//! What can go wrong with a ledger, in words an operator can act on.

use std::io;
use std::path::{Path, PathBuf};

use gstn::Environment;
use rusqlite::ErrorCode;

use crate::sqlite::OpenFailure;

/// Why the ledger cannot be used, or not now.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// A file could not be created, read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was being done: `create`, `lock`, …
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// There is no such file to read.
    #[error("there is no ledger at {}; a gateway makes it when it first starts", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The file is no SQLite database, or one that belongs to another program.
    #[error("{} is not a Suvidha ledger; name another file, or move this one away", path.display())]
    NotALedger {
        /// The file.
        path: PathBuf,
    },
    /// The file was written by a newer Suvidha.
    #[error(
        "{} has schema version {found}, this program knows versions up to {known}; use the newer program",
        path.display()
    )]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// The version found in it.
        found: u32,
        /// The newest version known here.
        known: u32,
    },
    /// The file system cannot hold a database that several processes share.
    #[error("{} cannot be put into WAL mode (it stays in mode {mode:?}); use a local file system", path.display())]
    NoWal {
        /// The file.
        path: PathBuf,
        /// The journal mode SQLite settled for.
        mode: String,
    },
    /// The file belongs to the other environment.
    #[error(
        "{} is the ledger of {found}, not of {wanted}; each environment has a ledger of its own",
        path.display()
    )]
    OtherEnvironment {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        found: Environment,
        /// Whose it should be.
        wanted: Environment,
    },
    /// Another gateway writes to the ledger.
    #[error(
        "{} is held by another gateway{}; a ledger has one writer: stop the other one, or give this one a \
         directory of its own",
        path.display(),
        holder.as_ref().map(|pid| format!(" (process {pid})")).unwrap_or_default()
    )]
    Held {
        /// The ledger.
        path: PathBuf,
        /// The other one's process id, if it could be read.
        holder: Option<u32>,
    },
    /// The file has a second name, under which another gateway would write it past our lock, with a log of its own.
    #[error(
        "the ledger {} has another name besides (a hard link); remove that, or copy the file where a copy is wanted",
        path.display()
    )]
    Linked {
        /// The file.
        path: PathBuf,
    },
    /// What the file says does not fit together, or cannot be read.
    #[error(
        "the ledger {} is damaged: {what}. Nothing was changed. Keep a copy of the file as it is; \
         `suvidha ledger verify` names what is wrong",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The file is not the one that was opened: it was moved, deleted, or written by another program.
    #[error("the ledger {} {what}; put the file back, or restart the gateway", path.display())]
    Replaced {
        /// The file.
        path: PathBuf,
        /// What is seen.
        what: &'static str,
    },
    /// Another program kept the ledger locked for longer than we wait.
    #[error("another program is holding the ledger {} locked; end it", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// The disk is full.
    #[error("the disk that holds the ledger {} is full; make room", path.display())]
    DiskFull {
        /// The file.
        path: PathBuf,
    },
    /// The file, or its directory, may not be written.
    #[error(
        "the ledger {} is read-only; check the rights on its directory, on the file, and on those beside it that end in \
         -wal and -shm",
        path.display()
    )]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// Anything else that SQLite reports.
    #[error("the ledger's database {} failed: {source}", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// A summary would be longer than anybody reads.
    #[error("the summary would have more than {most} groups; ask for fewer days, or for one ASP")]
    TooManyGroups {
        /// How many it may have.
        most: usize,
    },
    /// The writer's thread panicked, and goes on.
    #[error("the writer of the ledger {} panicked: {what}", path.display())]
    Panicked {
        /// The file.
        path: PathBuf,
        /// What it said.
        what: String,
    },
    /// The writer was stopped and could not write what was left.
    #[error("{entries} entries could not be written to the ledger: {reason}")]
    Unwritten {
        /// How many are lost.
        entries: usize,
        /// Why.
        reason: String,
    },
}

impl LedgerError {
    /// What `error` means for the ledger at `path`.
    pub(super) fn of(path: &Path, error: rusqlite::Error) -> Self {
        let path = path.to_owned();
        if let rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::QueryReturnedNoRows = error
        {
            return Self::Damaged { path, what: format!("it holds what no gateway writes ({error})") };
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy { path },
            Some(ErrorCode::DiskFull) => Self::DiskFull { path },
            Some(ErrorCode::ReadOnly) => Self::ReadOnly { path },
            Some(ErrorCode::TooBig) => {
                Self::Damaged { path, what: format!("it holds more than any gateway writes ({error})") }
            }
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Damaged { path, what: format!("SQLite finds it corrupt ({error})") }
            }
            _ => Self::Database { path, source: error },
        }
    }

    pub(super) fn opening(path: &Path, failure: OpenFailure) -> Self {
        let owned = path.to_owned();
        match failure {
            OpenFailure::Create(source) => Self::File { action: "create", path: owned, source },
            OpenFailure::Foreign => Self::NotALedger { path: owned },
            OpenFailure::Newer { found, known } => Self::NewerSchema { path: owned, found, known },
            OpenFailure::NoWal(mode) => Self::NoWal { path: owned, mode },
            OpenFailure::Database(error) => Self::of(path, error),
        }
    }
}
