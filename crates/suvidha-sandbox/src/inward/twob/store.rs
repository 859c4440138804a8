//! Statements as they are kept: once made, they are only read.

use gstn::crypto::sha256_hex;
use gstn::{Gstin, ReturnPeriod};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde_json::{Map, Value};

use super::lines::Line;
use super::summary;
use crate::clock::from_millis;
use crate::inward::recipient::Made;
use crate::inward::returns::unreadable;

/// A statement that was made.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) made: Made,
    pub(super) lines: Vec<Line>,
    pub(super) itcsumm: Value,
    pub(super) cpsumm: Value,
    pub(super) cp_rejected: Value,
}

impl Statement {
    /// The documents with their sums. Those that count stand before those rejected.
    pub(super) fn of(lines: Vec<Line>, made: Made) -> Self {
        Self {
            made,
            itcsumm: summary::itc(&lines),
            cpsumm: summary::by_counterparty(&lines, false),
            cp_rejected: summary::by_counterparty(&lines, true),
            lines,
        }
    }
}

/// What is known of a kept statement without its documents.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) made_at: Timestamp,
    /// Documents that count.
    pub(super) accepted: usize,
    /// These and the rejected ones.
    pub(super) documents: usize,
    pub(super) chksum: String,
    pub(super) itcsumm: Value,
    pub(super) cpsumm: Value,
    pub(super) cp_rejected: Value,
}

/// A document of a kept statement.
#[derive(Debug)]
pub(super) struct KeptLine {
    pub(super) section: String,
    pub(super) head: Map<String, Value>,
    pub(super) body: Map<String, Value>,
}

pub(super) fn is_kept(conn: &Connection, gstin: &Gstin, period: ReturnPeriod) -> rusqlite::Result<bool> {
    conn.prepare_cached("SELECT 1 FROM inward_statements WHERE gstin = ?1 AND period = ?2")?
        .exists(params![gstin.as_str(), period.to_string()])
}

/// Keeps a statement in the place of an earlier one of the same period.
pub(super) fn keep(
    tx: &Transaction<'_>,
    gstin: &Gstin,
    period: ReturnPeriod,
    statement: &Statement,
) -> rusqlite::Result<()> {
    let period = period.to_string();
    tx.prepare_cached("DELETE FROM inward_statement_rows WHERE gstin = ?1 AND period = ?2")?
        .execute(params![gstin.as_str(), period])?;
    let mut insert =
        tx.prepare_cached("INSERT INTO inward_statement_rows VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    let mut text = format!("{} {period} {}", gstin.as_str(), statement.made.at);
    for (ord, line) in statement.lines.iter().enumerate() {
        let head = serde_json::to_string(&line.head).unwrap_or_default();
        let body = serde_json::to_string(&line.body).unwrap_or_default();
        insert.execute(params![gstin.as_str(), period, ord as i64, line.section, head, body])?;
        text.push_str(&body);
    }
    let accepted = statement.lines.iter().filter(|line| !line.rejected).count();
    tx.prepare_cached(
        "INSERT OR REPLACE INTO inward_statements VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute(params![
        gstin.as_str(),
        period,
        statement.made.at.as_millisecond(),
        statement.made.last_action,
        accepted as i64,
        statement.lines.len() as i64,
        sha256_hex(text.as_bytes()),
        statement.itcsumm.to_string(),
        statement.cpsumm.to_string(),
        statement.cp_rejected.to_string(),
    ])
    .map(drop)
}

pub(super) fn head(conn: &Connection, gstin: &Gstin, period: ReturnPeriod) -> rusqlite::Result<Option<Head>> {
    conn.prepare_cached(
        "SELECT made_at, accepted, documents, chksum, itcsumm, cpsumm, cp_rejected FROM inward_statements
         WHERE gstin = ?1 AND period = ?2",
    )?
    .query_row(params![gstin.as_str(), period.to_string()], |row| {
        let json = |column: usize| {
            let text: String = row.get(column)?;
            serde_json::from_str::<Value>(&text).map_err(|_| unreadable(column, &text))
        };
        Ok(Head {
            made_at: from_millis(row.get(0)?),
            accepted: row.get::<_, u32>(1)? as usize,
            documents: row.get::<_, u32>(2)? as usize,
            chksum: row.get(3)?,
            itcsumm: json(4)?,
            cpsumm: json(5)?,
            cp_rejected: json(6)?,
        })
    })
    .optional()
}

/// The documents from number `first` on, up to before `end`.
pub(super) fn lines(
    conn: &Connection,
    gstin: &Gstin,
    period: ReturnPeriod,
    first: usize,
    end: usize,
) -> rusqlite::Result<Vec<KeptLine>> {
    let mut statement = conn.prepare_cached(
        "SELECT section, head, body FROM inward_statement_rows
         WHERE gstin = ?1 AND period = ?2 AND ord >= ?3 AND ord < ?4 ORDER BY ord",
    )?;
    let parameters = params![gstin.as_str(), period.to_string(), first as i64, end as i64];
    let found = statement.query_map(parameters, |row| {
        let object = |column: usize| {
            let text: String = row.get(column)?;
            serde_json::from_str::<Map<String, Value>>(&text).map_err(|_| unreadable(column, &text))
        };
        Ok(KeptLine { section: row.get(0)?, head: object(1)?, body: object(2)? })
    })?;
    found.collect()
}
