//! The lists that were too large, and their files, until they expire.

use std::collections::BTreeMap;

use gstn::crypto::FileKey;
use gstn::{Gstin, ReturnPeriod};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde_json::json;

use super::archive::Archive;
use crate::call::Call;
use crate::clock::{from_millis, ist_date};
use crate::simulator::Simulator;
use crate::taxpayers;

const MILLIS_PER_MINUTE: i64 = 60_000;

/// The statements with lists that may be large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ListOf {
    /// The sections of a GSTR-1.
    Gstr1,
    /// The sections of a GSTR-1A.
    Gstr1a,
    /// The sections of a GSTR-2A.
    Gstr2a,
    /// The records of the invoice management system.
    Ims,
}

impl ListOf {
    const ALL: [Self; 4] = [Self::Gstr1, Self::Gstr1a, Self::Gstr2a, Self::Ims];

    /// As it stands in the names of files.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Gstr1 => "R1",
            Self::Gstr1a => "R1A",
            Self::Gstr2a => "R2A",
            Self::Ims => "IMS",
        }
    }

    fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|list| list.as_str() == text)
    }
}

/// A list as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    /// What it is a list of.
    pub(crate) of: ListOf,
    /// The period; none where the list has none.
    pub(crate) period: Option<ReturnPeriod>,
    /// The action of the call.
    pub(crate) action: String,
    /// The filters, by their names in the query.
    pub(crate) filters: BTreeMap<String, String>,
}

impl Asked {
    /// What `call` asks for, narrowed down by those parameters of its query that are named in `filters`.
    pub(crate) fn by(
        call: &Call,
        of: ListOf,
        period: Option<ReturnPeriod>,
        action: &str,
        filters: &[&str],
    ) -> Self {
        let filters =
            filters.iter().filter_map(|name| Some(((*name).to_owned(), call.query(name)?.to_owned())));
        Self { of, period, action: action.to_owned(), filters: filters.collect() }
    }

    /// A filter, if it is there.
    pub(super) fn filter(&self, name: &str) -> Option<&str> {
        self.filters.get(name).map(String::as_str)
    }

    /// The filters in the form in which two questions can be told to be the same.
    fn filters_text(&self) -> String {
        json!(self.filters).to_string()
    }

    fn period_text(&self) -> String {
        self.period.map(|period| period.to_string()).unwrap_or_default()
    }
}

/// How far a list's files are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Making,
    Made,
    Failed,
}

impl State {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Making => "MAKING",
            Self::Made => "MADE",
            Self::Failed => "FAILED",
        }
    }

    fn read(text: &str) -> Self {
        [Self::Making, Self::Made].into_iter().find(|state| state.as_str() == text).unwrap_or(Self::Failed)
    }
}

/// A list whose files were asked for.
pub(super) struct LargeList {
    pub(super) token: String,
    pub(super) gstin: Gstin,
    pub(super) asked: Asked,
    /// What the files are encrypted under.
    pub(super) ek: FileKey,
    /// What their addresses are signed with.
    pub(super) url_key: [u8; 16],
    pub(super) asked_at: Timestamp,
    /// Not told before, however early its files are made.
    pub(super) ready_at: Timestamp,
    pub(super) state: State,
    /// Forgotten then.
    pub(super) keep_until: Timestamp,
}

impl LargeList {
    /// The path of a file, from the root of the host.
    pub(super) fn path(&self, number: usize) -> String {
        let (day, form) = (self.day(), self.asked.of.as_str());
        format!("/returns/{day}/{form}/{}/{}.tar.gz", self.token, self.file_name(number))
    }

    /// The name of a file, without its ending.
    pub(super) fn file_name(&self, number: usize) -> String {
        let (day, form) = (self.day(), self.asked.of.as_str());
        let list = self.asked.filters.get("section").unwrap_or(&self.asked.action).to_ascii_lowercase();
        // A section is letters and digits; whatever else a query brought has no place in a path.
        let list: String = list.chars().filter(char::is_ascii_alphanumeric).collect();
        format!("returns_{day}_{form}_{}_{list}_{number}", self.gstin)
    }

    fn day(&self) -> String {
        let day = ist_date(self.asked_at);
        format!("{:02}{:02}{:04}", day.day(), day.month(), day.year())
    }
}

/// A file of a list, without its bytes.
pub(super) struct FileEntry {
    pub(super) number: usize,
    pub(super) documents: u64,
    pub(super) hash: String,
}

pub(super) fn create_tables(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS large_lists (
             arrival INTEGER PRIMARY KEY AUTOINCREMENT,
             token TEXT NOT NULL UNIQUE,
             gstin TEXT NOT NULL,
             form TEXT NOT NULL,
             period TEXT NOT NULL,             -- empty where the list has none
             action TEXT NOT NULL,
             filters TEXT NOT NULL,            -- JSON
             ek BLOB NOT NULL,
             url_key BLOB NOT NULL,
             asked_at INTEGER NOT NULL,
             ready_at INTEGER NOT NULL,
             state TEXT NOT NULL,              -- MAKING, MADE or FAILED
             keep_until INTEGER NOT NULL
         ) STRICT;
         CREATE INDEX IF NOT EXISTS large_lists_unmade ON large_lists (gstin, form, period) WHERE state = 'MAKING';
         CREATE INDEX IF NOT EXISTS large_lists_by_age ON large_lists (keep_until);
         CREATE TABLE IF NOT EXISTS large_list_files (
             token TEXT NOT NULL,
             number INTEGER NOT NULL,
             gstin TEXT NOT NULL,
             documents INTEGER NOT NULL,
             hash TEXT NOT NULL,
             archive BLOB NOT NULL,
             PRIMARY KEY (token, number)
         ) STRICT;",
    )
}

/// Puts a list on the list of those to be made, and gives its token. The same question, asked again while its files
/// are being made, has the same token.
pub(super) fn queue(
    tx: &Transaction<'_>,
    simulator: &Simulator,
    gstin: &Gstin,
    asked: &Asked,
) -> rusqlite::Result<String> {
    let now = simulator.seam.now().as_millisecond();
    forget_expired(tx, now)?;
    let (form, period, filters) = (asked.of.as_str(), asked.period_text(), asked.filters_text());
    let open: Option<String> = tx
        .prepare_cached(
            "SELECT token FROM large_lists WHERE state = 'MAKING' AND gstin = ?1 AND form = ?2 AND period = ?3
                 AND action = ?4 AND filters = ?5",
        )?
        .query_row(params![gstin.as_str(), form, period, asked.action, filters], |row| row.get(0))
        .optional()?;
    if let Some(token) = open {
        return Ok(token);
    }
    let settings = &simulator.config.files;
    let token = format!("{:032x}", u128::from_be_bytes(simulator.seam.random()));
    let (ek, url_key) = (simulator.seam.random::<32>(), simulator.seam.random::<16>());
    let ready_at = now + i64::from(simulator.config.latency.file_ms);
    let keep_until = ready_at + i64::from(settings.url_minutes) * MILLIS_PER_MINUTE;
    tx.prepare_cached(
        "INSERT INTO large_lists (token, gstin, form, period, action, filters, ek, url_key, asked_at, ready_at,
                 state, keep_until)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 'MAKING', ?11)",
    )?
    .execute(params![
        token,
        gstin.as_str(),
        form,
        period,
        asked.action,
        filters,
        ek,
        url_key,
        now,
        ready_at,
        keep_until
    ])?;
    Ok(token)
}

/// Forgets lists whose addresses have all expired.
pub(super) fn forget_expired(tx: &Transaction<'_>, now: i64) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "DELETE FROM large_list_files WHERE token IN (SELECT token FROM large_lists WHERE keep_until <= ?1)",
    )?
    .execute([now])?;
    tx.prepare_cached("DELETE FROM large_lists WHERE keep_until <= ?1")?.execute([now]).map(drop)
}

/// The oldest list whose files are not made.
pub(super) fn next_to_make(conn: &Connection) -> rusqlite::Result<Option<LargeList>> {
    conn.prepare_cached("SELECT * FROM large_lists WHERE state = 'MAKING' ORDER BY arrival LIMIT 1")?
        .query_row([], read)
        .optional()
}

/// The list of a token.
pub(super) fn find(conn: &Connection, token: &str) -> rusqlite::Result<Option<LargeList>> {
    conn.prepare_cached("SELECT * FROM large_lists WHERE token = ?1")?.query_row([token], read).optional()
}

/// Keeps a list at least until then.
pub(super) fn keep_until(tx: &Transaction<'_>, token: &str, until: Timestamp) -> rusqlite::Result<()> {
    tx.prepare_cached("UPDATE large_lists SET keep_until = max(keep_until, ?2) WHERE token = ?1")?
        .execute(params![token, until.as_millisecond()])
        .map(drop)
}

/// Notes how the making of a list's files ended.
pub(super) fn finish(tx: &Transaction<'_>, token: &str, state: State) -> rusqlite::Result<()> {
    tx.prepare_cached("UPDATE large_lists SET state = ?2 WHERE token = ?1")?
        .execute(params![token, state.as_str()])
        .map(drop)
}

/// Deletes the files of a list that were made so far.
pub(super) fn clear_files(tx: &Transaction<'_>, token: &str) -> rusqlite::Result<()> {
    tx.prepare_cached("DELETE FROM large_list_files WHERE token = ?1")?.execute([token]).map(drop)
}

/// Adds a file to a list; false when the list is not there any more.
pub(super) fn put_file(
    tx: &Transaction<'_>,
    token: &str,
    number: usize,
    documents: usize,
    archive: &Archive,
) -> rusqlite::Result<bool> {
    let added = tx
        .prepare_cached(
            "INSERT INTO large_list_files (token, number, gstin, documents, hash, archive)
             SELECT token, ?2, gstin, ?3, ?4, ?5 FROM large_lists WHERE token = ?1",
        )?
        .execute(params![
            token,
            i64::try_from(number).unwrap_or(i64::MAX),
            i64::try_from(documents).unwrap_or(i64::MAX),
            archive.hash,
            archive.bytes
        ])?;
    Ok(added > 0)
}

/// The files of a list, in their order.
pub(super) fn files(conn: &Connection, token: &str) -> rusqlite::Result<Vec<FileEntry>> {
    conn.prepare_cached(
        "SELECT number, documents, hash FROM large_list_files WHERE token = ?1 ORDER BY number",
    )?
    .query_map([token], |row| {
        let count = |column: usize| row.get::<_, i64>(column).map(|count| u64::try_from(count).unwrap_or(0));
        let number = usize::try_from(count(0)?).unwrap_or(usize::MAX);
        Ok(FileEntry { number, documents: count(1)?, hash: row.get(2)? })
    })?
    .collect()
}

/// The bytes of a file.
pub(super) fn archive(conn: &Connection, token: &str, number: usize) -> rusqlite::Result<Option<Vec<u8>>> {
    let number = i64::try_from(number).unwrap_or(i64::MAX);
    conn.prepare_cached("SELECT archive FROM large_list_files WHERE token = ?1 AND number = ?2")?
        .query_row(params![token, number], |row| row.get(0))
        .optional()
}

fn read(row: &Row<'_>) -> rusqlite::Result<LargeList> {
    let text = |name: &str| row.get::<_, String>(name);
    let newer =
        |what: &str| rusqlite::Error::ToSqlConversionFailure(format!("no large list is of {what}").into());
    let form = text("form")?;
    Ok(LargeList {
        token: text("token")?,
        gstin: taxpayers::read_gstin(row, "gstin")?,
        asked: Asked {
            of: ListOf::read(&form).ok_or_else(|| newer(&form))?,
            period: text("period")?.parse().ok(),
            action: text("action")?,
            filters: serde_json::from_str(&text("filters")?).map_err(|error| newer(&error.to_string()))?,
        },
        ek: FileKey::from_bytes(row.get("ek")?),
        url_key: row.get("url_key")?,
        asked_at: from_millis(row.get("asked_at")?),
        ready_at: from_millis(row.get("ready_at")?),
        state: State::read(&text("state")?),
        keep_until: from_millis(row.get("keep_until")?),
    })
}
