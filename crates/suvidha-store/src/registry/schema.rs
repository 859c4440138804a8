//! The registry's file: what marks it, and the steps its schema took.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use crate::error::StoreError;
use crate::sqlite::{Format, OpenFailure};

/// Marked "SVDR".
const REGISTRY: Format = Format {
    application_id: 0x5356_4452,
    migrations: &[
        include_str!("migrations/0001_registry.sql"),
        include_str!("migrations/0002_getkey.sql"),
        include_str!("migrations/0003_terms.sql"),
    ],
};

/// How long one process waits for another to finish writing.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    REGISTRY.open(path, BUSY_TIMEOUT).map_err(|failure| match failure {
        OpenFailure::Create(source) => StoreError::File { action: "create", path: path.to_owned(), source },
        OpenFailure::Foreign => StoreError::NotARegistry { path: path.to_owned() },
        OpenFailure::Newer { found, known } => {
            StoreError::NewerSchema { path: path.to_owned(), found, known }
        }
        OpenFailure::NoWal(mode) => StoreError::NoWal { path: path.to_owned(), mode },
        OpenFailure::Database(error) => error.into(),
    })
}
