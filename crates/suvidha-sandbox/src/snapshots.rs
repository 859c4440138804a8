//! The whole world under a name: taken while calls go on, and put in place of the present one in one step.
//!
//! A snapshot is a copy of the database: taxpayers, returns, ledgers, jobs, sessions, the tax clock and the fault plan. It
//! knows the time on the tax clock, from which a clock that stands apart goes on when it is restored. Certificate, token
//! and settings are the sandbox's own and stay.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};
use serde::Serialize;

use crate::clock::from_millis;
use crate::db::{self, Db};
use crate::simulator::Simulator;

const DIRECTORY: &str = "snapshots";
const LONGEST_NAME: usize = 64;

/// A snapshot, as it is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Snapshot {
    pub(crate) name: String,
    pub(crate) taken_at: Timestamp,
    /// What the tax clock showed.
    pub(crate) tax_now: Timestamp,
    bytes: u64,
}

/// Why a snapshot cannot be taken, found or restored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SnapshotError {
    #[error("a snapshot's name has 1 to 64 letters, digits, hyphens and underscores, not {0:?}")]
    Name(String),
    #[error("there is a snapshot {0:?} already")]
    Taken(String),
    #[error("there is no snapshot {0:?}")]
    Missing(String),
    #[error("the snapshot {0:?} is not of this version of the sandbox")]
    Foreign(String),
    #[error("the snapshots cannot be used: {0}")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Database(#[from] rusqlite::Error),
}

/// Keeps the present world under `name`.
pub(crate) fn take(simulator: &Simulator, name: &str, replace: bool) -> Result<Snapshot, SnapshotError> {
    let path = path(simulator, name)?;
    if path.exists() && !replace {
        return Err(SnapshotError::Taken(name.to_owned()));
    }
    fs::create_dir_all(directory(simulator))?;
    // Under another name until it is whole, so that a crash leaves no half of one.
    let draft = path.with_extension("new");
    remove_if_there(&draft)?;
    let (now, tax_now) = (simulator.seam.now(), simulator.tax_now());
    simulator.db.copy_to(&draft)?;
    note(&draft, now, tax_now)?;
    fs::File::open(&draft)?.sync_all()?;
    fs::rename(&draft, &path)?;
    find(simulator, name)
}

/// Every snapshot, by name.
pub(crate) fn list(simulator: &Simulator) -> Result<Vec<Snapshot>, SnapshotError> {
    let entries = match fs::read_dir(directory(simulator)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut snapshots = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        if path.extension().is_some_and(|extension| extension == "sqlite") && is_name(name) {
            match read(&path, name) {
                Ok(snapshot) => snapshots.push(snapshot),
                Err(error) => tracing::warn!(%error, "a file among the snapshots is left out"),
            }
        }
    }
    snapshots.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(snapshots)
}

/// Puts the world of a snapshot in place of the present one. Calls wait meanwhile.
pub(crate) fn restore(simulator: &Simulator, name: &str) -> Result<Snapshot, SnapshotError> {
    let snapshot = find(simulator, name)?;
    let fits = simulator.db.replace_by(&path(simulator, name)?)?;
    if !fits {
        return Err(SnapshotError::Foreign(name.to_owned()));
    }
    simulator.take_up(Some(snapshot.tax_now))?;
    Ok(snapshot)
}

/// Throws a snapshot away.
pub(crate) fn remove(simulator: &Simulator, name: &str) -> Result<(), SnapshotError> {
    find(simulator, name)?;
    Ok(fs::remove_file(path(simulator, name)?)?)
}

fn find(simulator: &Simulator, name: &str) -> Result<Snapshot, SnapshotError> {
    let path = path(simulator, name)?;
    if !path.exists() {
        return Err(SnapshotError::Missing(name.to_owned()));
    }
    read(&path, name)
}

fn read(path: &Path, name: &str) -> Result<Snapshot, SnapshotError> {
    let connection = Connection::open(path)?;
    let noted = connection.query_row("SELECT taken_at, tax_now FROM snapshot", [], |row| {
        Ok((from_millis(row.get(0)?), from_millis(row.get(1)?)))
    });
    let foreign = || SnapshotError::Foreign(name.to_owned());
    let (taken_at, tax_now) = noted.optional().map_err(|_| foreign())?.ok_or_else(foreign)?;
    Ok(Snapshot { name: name.to_owned(), taken_at, tax_now, bytes: fs::metadata(path)?.len() })
}

/// Writes when it was taken into the copy itself.
fn note(copy: &Path, now: Timestamp, tax_now: Timestamp) -> rusqlite::Result<()> {
    let connection = Connection::open(copy)?;
    connection.pragma_update(None, "journal_mode", "DELETE")?;
    connection.execute_batch(
        "DROP TABLE IF EXISTS snapshot;
         CREATE TABLE snapshot (taken_at INTEGER NOT NULL, tax_now INTEGER NOT NULL) STRICT",
    )?;
    connection
        .execute("INSERT INTO snapshot VALUES (?1, ?2)", [now.as_millisecond(), tax_now.as_millisecond()])
        .map(drop)
}

fn directory(simulator: &Simulator) -> PathBuf {
    simulator.config.data_dir.join(DIRECTORY)
}

fn path(simulator: &Simulator, name: &str) -> Result<PathBuf, SnapshotError> {
    if is_name(name) {
        Ok(directory(simulator).join(format!("{name}.sqlite")))
    } else {
        Err(SnapshotError::Name(name.to_owned()))
    }
}

/// Nothing that could lead out of the directory.
fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(plain)
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

impl Db {
    /// Copies one consistent state of the database to a new file with mode 0600.
    fn copy_to(&self, path: &Path) -> Result<(), SnapshotError> {
        use std::os::unix::fs::OpenOptionsExt;
        fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(path)?;
        let mut copy = Connection::open(path)?;
        self.read_connection(|source| db::copy(source, &mut copy))?;
        Ok(())
    }
}
