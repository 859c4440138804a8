//! E-invoices: registered and cancelled as at an invoice registration portal.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};

use super::{Refusal, Shared, no_taxpayer, off_thread, read_gstin};
use crate::einvoices::{self, EInvoice, EInvoiceError};
use crate::taxpayers;

impl From<EInvoiceError> for Refusal {
    fn from(error: EInvoiceError) -> Self {
        match error {
            EInvoiceError::Database(error) => error.into(),
            EInvoiceError::Unknown(_) => Self(StatusCode::NOT_FOUND, error.to_string()),
            EInvoiceError::Duplicate(_) | EInvoiceError::Cancelled(_) | EInvoiceError::TooLate => {
                Self(StatusCode::CONFLICT, error.to_string())
            }
            _ => Self::wrong(error),
        }
    }
}

pub(super) async fn register(
    State(simulator): Shared,
    Path(gstin): Path<String>,
    document: Result<Json<EInvoice>, JsonRejection>,
) -> Result<Response, Refusal> {
    let Json(document) = document?;
    let gstin = read_gstin(&gstin)?;
    let registered = off_thread(simulator, move |simulator| {
        let registered = simulator.db.write(|tx| -> Result<_, EInvoiceError> {
            if taxpayers::by_gstin(tx, &gstin, "")?.is_none() {
                return Ok(None);
            }
            einvoices::register(tx, simulator, &gstin, &document).map(Some)
        })?;
        registered.ok_or_else(|| no_taxpayer(&gstin))
    });
    Ok((StatusCode::CREATED, Json(registered.await?)).into_response())
}

pub(super) async fn list(
    State(simulator): Shared,
    Path(gstin): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let gstin = read_gstin(&gstin)?;
    let all = off_thread(simulator, move |simulator| {
        einvoices::populate_due(simulator)?;
        Ok(simulator.db.read(|tx| einvoices::of(tx, &gstin))?)
    });
    Ok(Json(json!({ "einvoices": all.await? })))
}

pub(super) async fn cancel(
    State(simulator): Shared,
    Path(irn): Path<String>,
) -> Result<Json<Value>, Refusal> {
    off_thread(simulator, move |simulator| {
        simulator.db.write(|tx| einvoices::cancel(tx, simulator, &irn))?;
        Ok(Json(json!({ "irn": irn, "state": "cancelled" })))
    })
    .await
}
