//! The calls that the GSTN listener received.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Refusal, Shared};

const DEFAULT_PAGE: usize = 100;
const LARGEST_PAGE: usize = 1000;

/// Which of the received calls are wanted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CallPage {
    gstin: Option<String>,
    /// Only calls with a higher id.
    #[serde(default)]
    after: u64,
    limit: Option<usize>,
}

/// The calls received since the start, oldest first; `next` is the `after` of the next page.
pub(super) async fn list(
    State(simulator): Shared,
    page: Result<Query<CallPage>, QueryRejection>,
) -> Result<Json<Value>, Refusal> {
    let Query(page) = page?;
    let limit = page.limit.unwrap_or(DEFAULT_PAGE).clamp(1, LARGEST_PAGE);
    let calls = simulator.call_log.page(page.gstin.as_deref(), page.after, limit);
    let next = calls.last().filter(|_| calls.len() == limit).map(|call| call.id);
    Ok(Json(json!({ "calls": calls, "next": next })))
}
