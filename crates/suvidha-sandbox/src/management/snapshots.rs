//! Snapshots of the whole world.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Refusal, Shared, off_thread};
use crate::snapshots::{self, Snapshot, SnapshotError};

impl From<SnapshotError> for Refusal {
    fn from(error: SnapshotError) -> Self {
        let status = match &error {
            SnapshotError::Name(_) | SnapshotError::Foreign(_) => StatusCode::UNPROCESSABLE_ENTITY,
            SnapshotError::Taken(_) => StatusCode::CONFLICT,
            SnapshotError::Missing(_) => StatusCode::NOT_FOUND,
            SnapshotError::Io(_) | SnapshotError::Database(_) => {
                tracing::error!(%error, "a snapshot could not be used");
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        Self(status, error.to_string())
    }
}

/// A snapshot to be taken.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewSnapshot {
    name: String,
    #[serde(default)]
    replace: bool,
}

pub(super) async fn list(State(simulator): Shared) -> Result<Json<Value>, Refusal> {
    let all = off_thread(simulator, |simulator| Ok(snapshots::list(simulator)?));
    Ok(Json(json!({ "snapshots": all.await? })))
}

pub(super) async fn take(
    State(simulator): Shared,
    wanted: Result<Json<NewSnapshot>, JsonRejection>,
) -> Result<Response, Refusal> {
    let Json(wanted) = wanted?;
    let taken =
        off_thread(simulator, move |simulator| Ok(snapshots::take(simulator, &wanted.name, wanted.replace)?));
    Ok((StatusCode::CREATED, Json(taken.await?)).into_response())
}

pub(super) async fn restore(
    State(simulator): Shared,
    Path(name): Path<String>,
) -> Result<Json<Snapshot>, Refusal> {
    off_thread(simulator, move |simulator| Ok(Json(snapshots::restore(simulator, &name)?))).await
}

pub(super) async fn remove(
    State(simulator): Shared,
    Path(name): Path<String>,
) -> Result<Json<Value>, Refusal> {
    off_thread(simulator, move |simulator| {
        snapshots::remove(simulator, &name)?;
        Ok(Json(json!({ "removed": name })))
    })
    .await
}
