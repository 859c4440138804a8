//! What reaches a taxpayer from forms and offices that the sandbox does not have.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Refusal, Shared, no_taxpayer, off_thread, read_gstin};
use crate::inward::{self, SeedError};
use crate::taxpayers;

/// A document for a taxpayer's GSTR-2A and GSTR-2B.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Inward {
    /// `isd`, `isda`, `impg`, `impgsez`, `tds`, `tdsa` or `tcs`.
    section: String,
    /// In the fields of GSTR-2B; of TDS and TCS in those of GSTR-2A, with `supprd`.
    row: Value,
}

pub(super) async fn put(
    State(simulator): Shared,
    Path(gstin): Path<String>,
    wanted: Result<Json<Inward>, JsonRejection>,
) -> Result<Response, Refusal> {
    let Json(wanted) = wanted?;
    let gstin = read_gstin(&gstin)?;
    let id = off_thread(simulator, move |simulator| {
        simulator.db.write(|tx| {
            if taxpayers::by_gstin(tx, &gstin, "")?.is_none() {
                return Err(no_taxpayer(&gstin));
            }
            inward::seed(tx, &gstin, &wanted.section, &wanted.row).map_err(|error| match error {
                SeedError::Database(error) => error.into(),
                _ => Refusal::wrong(error),
            })
        })
    });
    Ok((StatusCode::CREATED, Json(json!({ "id": id.await? }))).into_response())
}
