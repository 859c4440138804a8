//! Due dates that a notification moves: for everybody, and later only.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use gstn::ReturnPeriod;
use jiff::civil::Date;
use rusqlite::params;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Refusal, Shared, off_thread};
use crate::forms::Form;

/// A due date to be moved. A day before the usual one changes nothing.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DueDate {
    /// `R1`, `R1A` or `R3B`, or in the long form.
    form: String,
    /// `MMYYYY`
    period: ReturnPeriod,
    /// The new day.
    due: Date,
}

pub(super) async fn extend(
    State(simulator): Shared,
    wanted: Result<Json<DueDate>, JsonRejection>,
) -> Result<Json<Value>, Refusal> {
    let Json(wanted) = wanted?;
    let form = match Form::read(&wanted.form) {
        Some(form @ (Form::Gstr1 | Form::Gstr1a | Form::Gstr3b)) => form,
        _ => return Err(Refusal::wrong(format!("form must be R1, R1A or R3B, not {:?}", wanted.form))),
    };
    off_thread(simulator, move |simulator| {
        simulator.db.write(|tx| {
            tx.prepare_cached("INSERT OR REPLACE INTO due_date_extensions VALUES (?1, ?2, ?3)")?
                .execute(params![form.as_str(), wanted.period.to_string(), wanted.due.to_string()])
        })?;
        Ok(())
    })
    .await?;
    Ok(Json(json!({ "form": form.as_str(), "period": wanted.period, "due": wanted.due })))
}

pub(super) async fn list(State(simulator): Shared) -> Result<Json<Value>, Refusal> {
    let all = off_thread(simulator, |simulator| {
        let rows = simulator.db.read(|tx| {
            tx.prepare_cached("SELECT form, period, due FROM due_date_extensions ORDER BY due, form, period")?
                .query_map([], |row| {
                    let text = |column: usize| row.get::<_, String>(column);
                    Ok(json!({ "form": text(0)?, "period": text(1)?, "due": text(2)? }))
                })?
                .collect::<rusqlite::Result<Vec<_>>>()
        })?;
        Ok(rows)
    });
    Ok(Json(json!({ "due_dates": all.await? })))
}
