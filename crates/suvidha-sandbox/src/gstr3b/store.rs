//! What is kept of a GSTR-3B.

use gstn::{Gstin, ReturnPeriod};
use jiff::civil::Date;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde_json::Value;

use super::form::Saved;
use crate::filed::{self, Filed};
use crate::forms::Form;

/// Creates what the engine keeps, unless it is there.
pub(crate) fn create_tables(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS gstr3b_return (
             gstin TEXT NOT NULL,
             period TEXT NOT NULL,
             saved TEXT NOT NULL,              -- JSON: the payload as it counts
             breakup TEXT,                     -- JSON: tax of earlier periods (RETBKP)
             offset_on TEXT,                   -- yyyy-mm-dd in India
             summary TEXT,                     -- JSON: RETSUM as of the offset
             accrual INTEGER,                  -- the posting of what is owed and of the credit
             payment INTEGER,                  -- the posting of what was paid
             PRIMARY KEY (gstin, period)
         ) STRICT, WITHOUT ROWID;
         CREATE TABLE IF NOT EXISTS gstr3b_openings (
             gstin TEXT NOT NULL,
             statement TEXT NOT NULL,          -- 'reclaim' or 'reverse-charge'
             number INTEGER NOT NULL,
             day TEXT NOT NULL,                -- yyyy-mm-dd in India
             refno TEXT NOT NULL,
             action TEXT NOT NULL,
             balance TEXT NOT NULL,            -- JSON: igst, cgst, sgst, cess
             PRIMARY KEY (gstin, statement, number)
         ) STRICT, WITHOUT ROWID;",
    )
}

/// A return that somebody saved.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) saved: Saved,
    pub(super) breakup: Option<Value>,
    pub(super) offset: Option<Offset>,
    pub(super) filed: Option<Filed>,
}

/// What an offset left.
#[derive(Debug, Clone)]
pub(super) struct Offset {
    pub(super) on: Date,
    pub(super) summary: Value,
    pub(super) accrual: Option<i64>,
    pub(super) payment: Option<i64>,
}

pub(super) fn find(conn: &Connection, gstin: &Gstin, period: ReturnPeriod) -> rusqlite::Result<Option<Kept>> {
    let found = conn
        .prepare_cached(
            "SELECT saved, breakup, offset_on, summary, accrual, payment FROM gstr3b_return
             WHERE gstin = ?1 AND period = ?2",
        )?
        .query_row(params![gstin.as_str(), period.to_string()], |row| {
            let saved = json(&row.get::<_, String>(0)?)?;
            let on: Option<String> = row.get(2)?;
            let summary: Option<String> = row.get(3)?;
            let offset = match (on.and_then(|on| on.parse().ok()), summary) {
                (Some(on), Some(summary)) => {
                    Some(Offset { on, summary: json(&summary)?, accrual: row.get(4)?, payment: row.get(5)? })
                }
                _ => None,
            };
            Ok(Kept {
                saved: Saved::read(&saved).map_err(|error| unreadable(error.to_string()))?,
                breakup: row.get::<_, Option<String>>(1)?.map(|text| json(&text)).transpose()?,
                offset,
                filed: None,
            })
        })
        .optional()?;
    let Some(kept) = found else { return Ok(None) };
    Ok(Some(Kept { filed: filed::find(conn, gstin, Form::Gstr3b, period)?, ..kept }))
}

/// Replaces what was saved before.
pub(super) fn put(
    tx: &Transaction<'_>,
    gstin: &Gstin,
    period: ReturnPeriod,
    saved: &Saved,
) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO gstr3b_return (gstin, period, saved) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET saved = excluded.saved",
    )?
    .execute(params![gstin.as_str(), period.to_string(), saved.to_payload().to_string()])
    .map(drop)
}

pub(super) fn put_breakup(
    tx: &Transaction<'_>,
    gstin: &Gstin,
    period: ReturnPeriod,
    breakup: &Value,
) -> rusqlite::Result<()> {
    tx.prepare_cached("UPDATE gstr3b_return SET breakup = ?3 WHERE gstin = ?1 AND period = ?2")?
        .execute(params![gstin.as_str(), period.to_string(), breakup.to_string()])
        .map(drop)
}

pub(super) fn put_offset(
    tx: &Transaction<'_>,
    gstin: &Gstin,
    period: ReturnPeriod,
    offset: &Offset,
) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "UPDATE gstr3b_return SET offset_on = ?3, summary = ?4, accrual = ?5, payment = ?6
         WHERE gstin = ?1 AND period = ?2",
    )?
    .execute(params![
        gstin.as_str(),
        period.to_string(),
        offset.on.to_string(),
        offset.summary.to_string(),
        offset.accrual,
        offset.payment,
    ])
    .map(drop)
}

fn json(text: &str) -> rusqlite::Result<Value> {
    serde_json::from_str(text).map_err(|error| unreadable(error.to_string()))
}

fn unreadable(error: String) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, Type::Text, error.into())
}
