//! The clock that returns go by. It may stand apart from the real one, so that a year can be lived in an afternoon.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension};

/// The tax clock: the real time and a distance, which is kept in the database.
#[derive(Debug, Default)]
pub(crate) struct TaxClock {
    offset_ms: AtomicI64,
}

impl TaxClock {
    /// The clock as the database keeps it.
    pub(crate) fn load(conn: &Connection) -> rusqlite::Result<Self> {
        let offset: Option<i64> =
            conn.query_row("SELECT offset_ms FROM tax_clock", [], |row| row.get(0)).optional()?;
        Ok(Self { offset_ms: AtomicI64::new(offset.unwrap_or(0)) })
    }

    /// What it shows at the real instant `now`.
    pub(crate) fn at(&self, now: Timestamp) -> Timestamp {
        let offset = SignedDuration::from_millis(self.offset_ms.load(Ordering::Relaxed));
        now.checked_add(offset).unwrap_or(now)
    }
}
