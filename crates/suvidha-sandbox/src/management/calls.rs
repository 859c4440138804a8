//! The calls that the GSTN listener received, with what they said.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Refusal, Shared, off_thread};
use crate::call_log::{Received, Wanted};
use crate::moment;
use crate::simulator::Simulator;

const DEFAULT_PAGE: usize = 100;
const LARGEST_PAGE: usize = 1000;

/// Which of the received calls are wanted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CallPage {
    gstin: Option<String>,
    api: Option<String>,
    since: Option<String>,
    #[serde(default)]
    after: u64,
    limit: Option<usize>,
    #[serde(default)]
    bodies: bool,
}

/// A call with what it said and was answered.
#[derive(Serialize)]
struct WithContents {
    #[serde(flatten)]
    call: Received,
    request: Option<Value>,
    answer: Option<Value>,
}

impl WithContents {
    fn of(simulator: &Simulator, call: Received) -> Self {
        let (request, answer) = simulator.call_log.opened(call.id);
        Self { call, request, answer }
    }
}

/// The calls received since the start, oldest first; `next` is the `after` of the next page.
pub(super) async fn list(
    State(simulator): Shared,
    page: Result<Query<CallPage>, QueryRejection>,
) -> Result<Json<Value>, Refusal> {
    let Query(page) = page?;
    let since = page.since.as_deref().map(moment::start).transpose().map_err(Refusal::wrong)?;
    let limit = page.limit.unwrap_or(DEFAULT_PAGE).clamp(1, LARGEST_PAGE);
    off_thread(simulator, move |simulator| {
        let (gstin, api) = (page.gstin.as_deref(), page.api.as_deref());
        let calls = simulator.call_log.page(&Wanted { gstin, api, since, after: page.after }, limit);
        let next = calls.last().filter(|_| calls.len() == limit).map(|call| call.id);
        if !page.bodies {
            return Ok(Json(json!({ "calls": calls, "next": next })));
        }
        let calls: Vec<_> = calls.into_iter().map(|call| WithContents::of(simulator, call)).collect();
        Ok(Json(json!({ "calls": calls, "next": next })))
    })
    .await
}

pub(super) async fn show(State(simulator): Shared, Path(id): Path<String>) -> Result<Json<Value>, Refusal> {
    let id: u64 = id.parse().map_err(|_| Refusal::wrong("a call has a number"))?;
    off_thread(simulator, move |simulator| {
        let forgotten = || Refusal(StatusCode::NOT_FOUND, format!("call {id} is not remembered"));
        let call = simulator.call_log.find(id).ok_or_else(forgotten)?;
        Ok(Json(json!(WithContents::of(simulator, call))))
    })
    .await
}
