//! The sessions of taxpayers, as the calls of an ASP opened, renewed and ended them.

use gstn::AspId;
use jiff::Timestamp;
use rusqlite::{Row, params};

use super::error::LedgerError;
use super::reader::LedgerReader;

/// What an ASP's calls did to the sessions of one user of one taxpayer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// The taxpayer.
    pub gstin: String,
    /// Its user at the portal.
    pub username: String,
    /// When the taxpayer last gave an OTP for a session; `None` if the session was granted elsewhere.
    pub granted_at: Option<Timestamp>,
    /// When that session was last renewed, if it was.
    pub refreshed_at: Option<Timestamp>,
    /// When it lapses, if GSTN said so.
    pub lapses_at: Option<Timestamp>,
    /// When the ASP ended it, if it did.
    pub ended_at: Option<Timestamp>,
}

impl LedgerReader {
    /// The sessions that `aspid` had or has, in the order of GSTIN and username: at most `limit`, beginning behind the
    /// GSTIN and username of `after`.
    pub fn consents(
        &self,
        aspid: &AspId,
        after: Option<(&str, &str)>,
        limit: usize,
    ) -> Result<Vec<Consent>, LedgerError> {
        let (gstin, username) = after.unwrap_or_default();
        self.reading(|connection| {
            let mut read = connection.prepare_cached(
                "SELECT gstin, username, granted_at, refreshed_at, lapses_at, ended_at FROM consent
                 WHERE aspid = ?1 AND (gstin, username) > (?2, ?3) ORDER BY gstin, username LIMIT ?4",
            )?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            read.query_map(params![aspid.as_str(), gstin, username, limit], from_row)?.collect()
        })
    }
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Consent> {
    let time = |index| {
        let at: Option<i64> = row.get(index)?;
        Ok::<_, rusqlite::Error>(at.and_then(|at| Timestamp::from_microsecond(at).ok()))
    };
    Ok(Consent {
        gstin: row.get(0)?,
        username: row.get(1)?,
        granted_at: time(2)?,
        refreshed_at: time(3)?,
        lapses_at: time(4)?,
        ended_at: time(5)?,
    })
}
