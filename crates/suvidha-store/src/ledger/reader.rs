//! The reading side: any process, at any time, beside the writer, in short transactions.

use std::path::{Path, PathBuf};

use gstn::catalogue::Origin;
use gstn::envelope::StatusCd;
use gstn::{AspId, Environment};
use jiff::Timestamp;
use rusqlite::types::{Type, Value};
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};
use uuid::Uuid;

use super::chain::{COLUMNS, Head};
use super::entry::{Entry, Recorded, Seq};
use super::error::LedgerError;
use super::filter::Filter;
use super::ist;
use super::places::Places;
use super::schema::{self, Identity};
use super::stretch;

/// A ledger, open for reading only.
///
/// Every method blocks on the disk, and never for long: what could be long is cut into pages. To be used by one thread
/// at a time; opening another reader is cheap.
pub struct LedgerReader {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
    pub(super) identity: Identity,
}

/// Which way to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Order {
    /// In the order of the ledger.
    OldestFirst,
    /// Against it.
    NewestFirst,
}

/// Some entries, and from where to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// At most as many as were asked for, in the order that was asked for. They may be fewer, and even none, while there
    /// are [more](Page::more): where few entries answer to a filter, a page ends before the search takes long.
    pub entries: Vec<Recorded>,
    /// Everything up to here has been looked at: the `after` of the next page. With [`Order::OldestFirst`] it serves even
    /// when there is nothing more, to ask later for what was written since.
    pub reached: Seq,
    /// Whether the next page could have entries now.
    pub more: bool,
}

/// How many stretches of the ledger one page looks at.
const STRETCHES: u64 = 12;

impl LedgerReader {
    /// Opens the ledger at `path` to read it, whether a gateway writes to it or not.
    ///
    /// # Errors
    /// [`LedgerError::Missing`] if there is none yet; whatever else keeps it from being read.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        let (connection, identity) = schema::open_to_read(path)?;
        Ok(Self { connection, path: path.to_owned(), identity })
    }

    /// Whose ledger it is.
    pub fn environment(&self) -> Environment {
        self.identity.environment
    }

    /// Where it ends now.
    pub fn head(&self) -> Result<Head, LedgerError> {
        self.reading(schema::end)
    }

    /// The entry before the first that is kept; seq 0 while all are.
    pub fn anchor(&self) -> Result<Head, LedgerError> {
        self.reading(|connection| schema::mark(connection, "anchor"))
    }

    /// The units that were ever charged to an ASP on a prepaid plan.
    pub fn charged(&self, aspid: &AspId) -> Result<u64, LedgerError> {
        self.reading(|connection| {
            let mut read = connection.prepare_cached("SELECT prepaid_units FROM account WHERE aspid = ?1")?;
            let units = read.query_row([aspid.as_str()], |row| row.get::<_, i64>(0)).optional()?;
            let mut read = connection.prepare_cached(
                "SELECT coalesce(sum(units), 0) FROM entry
                 WHERE seq > (SELECT seq FROM head) AND aspid = ?1 AND plan = 'prepaid'",
            )?;
            let behind: i64 = read.query_row([aspid.as_str()], |row| row.get(0))?;
            Ok(units.unwrap_or(0).unsigned_abs().saturating_add(behind.unsigned_abs()))
        })
    }

    /// The entries that answer to `filter`: at most `limit`, beginning behind `after`, or at the ledger's one end or the
    /// other.
    pub fn entries(
        &self,
        filter: &Filter,
        order: Order,
        after: Option<Seq>,
        limit: usize,
    ) -> Result<Page, LedgerError> {
        let mut page = Page { entries: Vec::new(), reached: after.unwrap_or(0), more: false };
        let mut places = self.reading(|connection| bounds(connection, filter))?;
        match (order, after) {
            (_, None) => {}
            (Order::OldestFirst, Some(after)) => places.leave_out_up_to(after),
            (Order::NewestFirst, Some(after)) => places.leave_out_from(after),
        }
        for _ in 0..STRETCHES {
            let left = limit - page.entries.len();
            if left == 0 {
                break;
            }
            let next = match order {
                Order::OldestFirst => places.first_piece(),
                Order::NewestFirst => places.last_piece(),
            };
            let Some((first, last)) = next else { break };
            let found = self.reading(|connection| piece(connection, filter, order, (first, last), left))?;
            let cut = found.last().filter(|_| found.len() == left).map(|last| last.seq);
            page.entries.extend(found);
            match order {
                Order::OldestFirst => {
                    page.reached = cut.unwrap_or(last);
                    places.leave_out_up_to(page.reached);
                }
                Order::NewestFirst => {
                    page.reached = cut.unwrap_or(first);
                    places.leave_out_from(page.reached);
                }
            }
        }
        page.more = !places.is_empty();
        Ok(page)
    }

    /// Runs `read` in one transaction.
    pub(super) fn reading<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, LedgerError> {
        let read = || {
            let transaction = self.connection.unchecked_transaction()?;
            let done = read(&transaction)?;
            transaction.commit()?;
            Ok(done)
        };
        read().map_err(|error| LedgerError::of(&self.path, error))
    }
}

/// Where entries that answer to `filter` can stand, by its times.
pub(super) fn bounds(connection: &Connection, filter: &Filter) -> rusqlite::Result<Places> {
    let (head, end) = (schema::mark(connection, "head")?.seq, schema::end(connection)?.seq);
    let anchor = schema::mark(connection, "anchor")?.seq;
    if filter.from.is_none() && filter.until.is_none() {
        return Ok(Places::new([(anchor + 1, end)]));
    }
    let first = filter.from.map_or(i64::MIN, ist::quarter);
    let last = filter.until.map_or(i64::MAX, ist::quarter_before);
    let mut read = connection.prepare_cached(
        "SELECT min(first_seq), max(last_seq) FROM quarter WHERE quarter BETWEEN ?1 AND ?2",
    )?;
    let quarters = read.query_row([first, last], |row| {
        Ok(row.get::<_, Option<i64>>(0)?.zip(row.get::<_, Option<i64>>(1)?))
    })?;
    // Those behind the head are in no quarter yet.
    let behind = (head.max(anchor) + 1, end);
    let (first, last) = quarters.map_or((1, 0), |(first, last)| (first.unsigned_abs(), last.unsigned_abs()));
    Ok(Places::new([(first.max(anchor + 1), last.min(head)), behind]))
}

fn piece(
    connection: &Connection,
    filter: &Filter,
    order: Order,
    places: (Seq, Seq),
    limit: usize,
) -> rusqlite::Result<Vec<Recorded>> {
    let (conditions, mut values) = filter.conditions();
    let direction = match order {
        Order::OldestFirst => "ASC",
        Order::NewestFirst => "DESC",
    };
    let (places, more_values) = stretch::places_for(connection, filter, places)?;
    values.extend(more_values);
    values.push(Value::Integer((limit as u64).cast_signed()));
    let mut read = connection.prepare_cached(&format!(
        "SELECT {}, hash FROM entry WHERE {conditions} AND {places} ORDER BY seq {direction} LIMIT ?",
        COLUMNS.join(", ")
    ))?;
    read.query_map(params_from_iter(values), recorded)?.collect()
}

/// An entry from [`COLUMNS`] and the hash.
pub(super) fn recorded(row: &Row<'_>) -> rusqlite::Result<Recorded> {
    let number = |index| row.get::<_, i64>(index).map(i64::unsigned_abs);
    let entry = Entry {
        id: Uuid::from_bytes(row.get(1)?),
        at: Timestamp::from_microsecond(row.get(2)?).map_err(|error| unreadable(2, error))?,
        aspid: parsed(row, 3, |text| text.parse().ok())?,
        claimed_aspid: parsed(row, 4, |text| text.parse().ok())?,
        txn: row.get(5)?,
        gstin: row.get(6)?,
        ip_usr: row.get(7)?,
        appver: row.get(8)?,
        method: row.get(9)?,
        api: row.get(10)?,
        action: row.get(11)?,
        version: row.get(12)?,
        status: row.get(13)?,
        status_cd: parsed(row, 14, StatusCd::from_character)?,
        error_cd: row.get(15)?,
        origin: parsed(row, 16, Origin::from_name)?,
        outcome: parsed(row, 17, |text| text.parse().ok())?
            .ok_or_else(|| unreadable(17, super::entry::UnknownOutcome))?,
        bytes_in: number(18)?,
        bytes_out: number(19)?,
        gstn_us: row.get::<_, Option<i64>>(20)?.map(i64::unsigned_abs),
        total_us: number(21)?,
        plan: parsed(row, 22, |text| text.parse().ok())?,
        units: number(23)?,
        admitted: row.get(24)?,
        consent: None,
    };
    Ok(Recorded { seq: number(0)?, hash: row.get(COLUMNS.len())?, entry })
}

fn parsed<T>(
    row: &Row<'_>,
    index: usize,
    parse: impl FnOnce(&str) -> Option<T>,
) -> rusqlite::Result<Option<T>> {
    let Some(text) = row.get_ref(index)?.as_str_or_null()? else { return Ok(None) };
    parse(text).map(Some).ok_or_else(|| unreadable(index, UnknownWord))
}

#[derive(Debug, thiserror::Error)]
#[error("a word that stands for nothing we know")]
struct UnknownWord;

fn unreadable(index: usize, error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(index, Type::Text, Box::new(error))
}
