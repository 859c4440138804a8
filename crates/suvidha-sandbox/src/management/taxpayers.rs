//! Taxpayers: made, shown, and changed as at the portal or by an officer.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};

use super::{Refusal, Shared, no_taxpayer, off_thread, read_gstin};
use crate::taxpayer_change::{self, TaxpayerChange};
use crate::taxpayers::{self, NewTaxpayer, TaxpayerError};

impl From<TaxpayerError> for Refusal {
    fn from(error: TaxpayerError) -> Self {
        match error {
            TaxpayerError::Database(error) => error.into(),
            TaxpayerError::GstinTaken(_) | TaxpayerError::UsernameTaken(_) => {
                Self(StatusCode::CONFLICT, error.to_string())
            }
            _ => Self::wrong(error),
        }
    }
}

pub(super) async fn create(
    State(simulator): Shared,
    wanted: Result<Json<NewTaxpayer>, JsonRejection>,
) -> Result<Response, Refusal> {
    let Json(wanted) = wanted?;
    let made = off_thread(simulator, move |simulator| {
        let (seam, otp) = (&simulator.seam, &simulator.config.otp);
        Ok(simulator.db.write(|tx| taxpayers::create(tx, seam, otp, wanted))?)
    })
    .await?;
    Ok((StatusCode::CREATED, Json(made)).into_response())
}

pub(super) async fn list(State(simulator): Shared) -> Result<Json<Value>, Refusal> {
    let all = off_thread(simulator, |simulator| {
        Ok(simulator.db.read(|tx| taxpayers::all(tx, &simulator.config.otp))?)
    });
    Ok(Json(json!({ "taxpayers": all.await? })))
}

pub(super) async fn show(State(simulator): Shared, Path(gstin): Path<String>) -> Result<Response, Refusal> {
    let gstin = read_gstin(&gstin)?;
    let found = off_thread(simulator, move |simulator| {
        Ok(simulator.db.read(|tx| taxpayers::by_gstin(tx, &gstin, &simulator.config.otp))?)
    });
    let found = found.await?.ok_or_else(|| no_taxpayer(&gstin))?;
    Ok(Json(found).into_response())
}

pub(super) async fn change(
    state: Shared,
    path: Path<String>,
    change: Result<Json<TaxpayerChange>, JsonRejection>,
) -> Result<Response, Refusal> {
    let Json(change) = change?;
    let gstin = read_gstin(&path)?;
    let changed = off_thread(state.0.clone(), move |simulator| {
        let today = simulator.today();
        Ok(simulator.db.write(|tx| taxpayer_change::change(tx, &gstin, today, &change))?)
    });
    if !changed.await? {
        return Err(no_taxpayer(&gstin));
    }
    show(state, path).await
}
