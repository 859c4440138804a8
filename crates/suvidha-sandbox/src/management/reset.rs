//! Forgetting: one taxpayer's data, everyone's, or the whole world.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use gstn::Gstin;
use rusqlite::{Connection, Transaction};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Refusal, Shared, no_taxpayer, off_thread, read_gstin};
use crate::ledgers;
use crate::simulator::Simulator;
use crate::taxpayers;

/// What a reset is to wipe.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Reset {
    /// One taxpayer's data; everyone's when left out.
    gstin: Option<String>,
    /// Whether the taxpayers themselves go too. They stay, with what their ledgers began with, when left out.
    taxpayers: bool,
    /// The whole world: every table, the tax clock, the fault plan.
    everything: bool,
}

pub(super) async fn reset(
    State(simulator): Shared,
    wanted: Result<Json<Reset>, JsonRejection>,
) -> Result<Json<Value>, Refusal> {
    let Json(wanted) = wanted?;
    let gstin = wanted.gstin.as_deref().map(read_gstin).transpose()?;
    if wanted.everything {
        if gstin.is_some() {
            return Err(Refusal::wrong("everything is more than what one taxpayer has: leave gstin out"));
        }
        return off_thread(simulator, end_the_world).await;
    }
    off_thread(simulator, move |simulator| {
        let known = simulator.db.write(|tx| -> rusqlite::Result<bool> {
            if let Some(gstin) = &gstin
                && taxpayers::by_gstin(tx, gstin, "")?.is_none()
            {
                return Ok(false);
            }
            wipe(tx, gstin.as_ref(), wanted.taxpayers)?;
            Ok(true)
        })?;
        if let (false, Some(gstin)) = (known, &gstin) {
            return Err(no_taxpayer(gstin));
        }
        simulator.call_log.forget(gstin.as_ref().map(Gstin::as_str));
        Ok(Json(json!({ "reset": gstin.as_ref().map_or("all", Gstin::as_str) })))
    })
    .await
}

/// Empties every table, so that the sandbox is as at its first start.
fn end_the_world(simulator: &Simulator) -> Result<Json<Value>, Refusal> {
    simulator.db.write(|tx| -> rusqlite::Result<()> {
        let tables: Vec<String> = tx
            .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'")?
            .query_map([], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        tables.iter().try_for_each(|table| tx.execute(&format!("DELETE FROM \"{table}\""), []).map(drop))
    })?;
    simulator.call_log.forget(None);
    simulator.take_up(None)?;
    Ok(Json(json!({ "reset": "everything" })))
}

/// Deletes the rows of one GSTIN, or all rows, from every table that is kept by GSTIN.
fn wipe(tx: &Transaction<'_>, gstin: Option<&Gstin>, taxpayers_too: bool) -> rusqlite::Result<()> {
    let tables = tables_by_gstin(tx)?;
    forget_login_otps(tx, gstin)?;
    if !taxpayers_too {
        ledgers::reset(tx, gstin)?;
    }
    let stays = |table: &str| matches!(table, "taxpayers" | "ledger_entries");
    for table in tables.iter().filter(|table| taxpayers_too || !stays(table)) {
        match gstin {
            Some(gstin) => {
                tx.execute(&format!("DELETE FROM \"{table}\" WHERE gstin = ?1"), [gstin.as_str()])?
            }
            None => tx.execute(&format!("DELETE FROM \"{table}\""), [])?,
        };
    }
    Ok(())
}

/// The tables whose rows belong to a taxpayer.
pub(super) fn tables_by_gstin(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    conn.prepare(
        "SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c
         WHERE m.type = 'table' AND c.name = 'gstin' ORDER BY m.name",
    )?
    .query_map([], |row| row.get(0))?
    .collect()
}

/// These are kept by user name, which only the taxpayers' table can translate.
fn forget_login_otps(tx: &Transaction<'_>, gstin: Option<&Gstin>) -> rusqlite::Result<()> {
    match gstin {
        Some(gstin) => tx.execute(
            "DELETE FROM login_otps WHERE username IN (SELECT username FROM taxpayers WHERE gstin = ?1)",
            [gstin.as_str()],
        )?,
        None => tx.execute("DELETE FROM login_otps", [])?,
    };
    Ok(())
}
