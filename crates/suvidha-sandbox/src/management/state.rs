//! What there is of a taxpayer, in one look.

use axum::Json;
use axum::extract::{Path, State};
use gstn::Gstin;
use rusqlite::{Connection, params};
use serde_json::{Map, Value, json};

use super::{Refusal, Shared, no_taxpayer, off_thread, read_gstin};
use crate::calendar::period_of;
use crate::filed;
use crate::ledgers;
use crate::preferences;
use crate::taxpayers;

/// The newest jobs that are shown.
const JOBS: i64 = 20;

pub(super) async fn show(
    State(simulator): Shared,
    Path(gstin): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let gstin = read_gstin(&gstin)?;
    off_thread(simulator, move |simulator| {
        let today = simulator.today();
        let told = simulator.db.read(|tx| -> rusqlite::Result<Option<Value>> {
            let Some(taxpayer) = taxpayers::by_gstin(tx, &gstin, &simulator.config.otp)? else {
                return Ok(None);
            };
            let frequency =
                period_of(today).map(|period| preferences::frequency(tx, &gstin, period)).transpose()?;
            Ok(Some(json!({
                "taxpayer": taxpayer,
                "today": today,
                "status": taxpayer.status_on(today),
                "filing": frequency,
                "sessions": live_sessions(tx, &gstin, simulator.seam.now().as_millisecond())?,
                "returns": saved(tx, &gstin)?,
                "filed": filed::of(tx, &gstin)?.iter().map(filing).collect::<Vec<_>>(),
                "balance": ledgers::statements::balance(tx, &gstin)?,
                "jobs": jobs(tx, &gstin)?,
                "rows": rows(tx, &gstin)?,
            })))
        })?;
        told.map(Json).ok_or_else(|| no_taxpayer(&gstin))
    })
    .await
}

fn filing(filed: &filed::Filed) -> Value {
    json!({ "form": filed.form.long_name(), "period": filed.period.to_string(), "arn": filed.arn, "on": filed.on })
}

fn live_sessions(conn: &Connection, gstin: &Gstin, now: i64) -> rusqlite::Result<i64> {
    conn.query_row(
        "SELECT count(*) FROM sessions s JOIN taxpayers t ON t.username = s.username
         WHERE t.gstin = ?1 AND s.gstin = ?1 AND s.expires_at > ?2",
        params![gstin.as_str(), now],
        |row| row.get(0),
    )
}

/// Documents saved of GSTR-1 and GSTR-1A, by form and period.
fn saved(conn: &Connection, gstin: &Gstin) -> rusqlite::Result<Vec<Value>> {
    conn.prepare("SELECT form, period, count(*) FROM gstr1_row WHERE gstin = ?1 GROUP BY form, period")?
        .query_map([gstin.as_str()], |row| {
            let (form, period, documents) =
                (row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?);
            Ok(json!({ "form": form, "period": period, "documents": documents }))
        })?
        .collect()
}

/// The newest jobs, the newest first; one that is not done has no status.
fn jobs(conn: &Connection, gstin: &Gstin) -> rusqlite::Result<Vec<Value>> {
    conn.prepare(
        "SELECT reference_id, form, period, action, status FROM jobs WHERE gstin = ?1 ORDER BY arrival DESC LIMIT ?2",
    )?
    .query_map(params![gstin.as_str(), JOBS], |row| {
        Ok(json!({
            "reference_id": row.get::<_, String>(0)?, "form": row.get::<_, String>(1)?,
            "period": row.get::<_, String>(2)?, "action": row.get::<_, String>(3)?,
            "status": row.get::<_, Option<String>>(4)?,
        }))
    })?
    .collect()
}

/// How many rows of every table are the taxpayer's own.
fn rows(conn: &Connection, gstin: &Gstin) -> rusqlite::Result<Value> {
    let mut counts = Map::new();
    for table in super::reset::tables_by_gstin(conn)? {
        let rows: i64 = conn.query_row(
            &format!("SELECT count(*) FROM \"{table}\" WHERE gstin = ?1"),
            [gstin.as_str()],
            |row| row.get(0),
        )?;
        if rows > 0 {
            counts.insert(table, rows.into());
        }
    }
    Ok(counts.into())
}
