//! What a recipient sees of its suppliers' returns: GSTR-2A, GSTR-2B and the invoice management system (IMS).
//!
//! Nothing is copied when a supplier saves. GSTR-2A reads the suppliers' rows where they are, by an index over the
//! recipient. When a return is filed, one line per recipient notes it (`gstr1::outward::note_filing`), so that a statement finds the
//! returns of its window by the day of filing. GSTR-2B is made from these and kept as a whole; reading it is reading.
//!
//! **When GSTR-2B is made.** A statement belongs to an instant: the beginning (in India) of the day after the last
//! cut-off of its period, the 14th as a rule, or the instant at which the recipient had it made again. What the
//! statement is follows from that instant alone: filed returns never change and bear their day, and every IMS action
//! is kept with its time ([`ims`]). So it may be made when it is first asked for, and comes out as if it had been
//! made on the dot.
//!
//! The engine knows no HTTP. It works on a SQLite connection; rules, clock and settings come in as a [`Moment`].

mod added;
mod availability;
mod cut_off;
pub(crate) mod ims;
mod recipient;
mod returns;
mod seeds;
pub(crate) mod twoa;
pub(crate) mod twob;

use gstn::{Gstin, ReturnPeriod};
use jiff::Timestamp;
use jiff::civil::Date;
use rusqlite::Connection;
use serde_json::Value;

pub(crate) use added::added_back;
pub(crate) use seeds::{SeedError, seed};

use crate::clock::ist_date;
use crate::rules::Rules;

/// When it is, and by which rules and settings things are judged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) rules: Rules,
    /// By the tax clock.
    pub(crate) now: Timestamp,
}

impl Moment {
    pub(crate) fn today(&self) -> Date {
        ist_date(self.now)
    }
}

/// The summary of a statement of credit.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ItcSummary {
    /// The day on which the statement was made (`gendt`).
    pub(crate) generated_on: Date,
    /// `itcavl`, `itcunavl`, `itcrev` and `itcRejected`, as in version 4 of GET2B.
    pub(crate) itcsumm: Value,
}

/// The summary of the statement of `period`: what GSTR-3B fills its credit from. None as long as there is none.
pub(crate) fn itc_summary(
    conn: &Connection,
    moment: &Moment,
    gstin: &Gstin,
    period: ReturnPeriod,
) -> rusqlite::Result<Option<ItcSummary>> {
    twob::summary(conn, moment, gstin, period)
}

/// Whether IMS actions were taken after the statement of `period` was made: GSTR-3B cannot be filed until it is made
/// again (advisory on IMS of September 2024).
pub(crate) fn needs_recompute(
    conn: &Connection,
    moment: &Moment,
    gstin: &Gstin,
    period: ReturnPeriod,
) -> rusqlite::Result<bool> {
    twob::needs_recompute(conn, moment, gstin, period)
}

/// Creates what the engine keeps, unless it is there.
pub(crate) fn create_tables(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(include_str!("schema.sql"))
}
