//! The fault plan: listed, added to, taken from.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};

use super::{Refusal, Shared, off_thread};
use crate::faults::{FaultPlanError, NewFault, Origin};

impl From<FaultPlanError> for Refusal {
    fn from(error: FaultPlanError) -> Self {
        match error {
            FaultPlanError::Rule(error) => Self::wrong(error),
            FaultPlanError::Database(error) => error.into(),
        }
    }
}

pub(super) async fn list(State(simulator): Shared) -> Json<Value> {
    Json(json!({ "faults": simulator.faults.list() }))
}

/// Takes one rule, or a list of rules under `faults`.
pub(super) async fn add(
    State(simulator): Shared,
    wanted: Result<Json<Value>, JsonRejection>,
) -> Result<Response, Refusal> {
    let Json(wanted) = wanted?;
    let rules = match wanted {
        Value::Object(mut members) if members.contains_key("faults") => {
            let list = members.remove("faults").unwrap_or_default();
            if let Some(name) = members.keys().next() {
                return Err(Refusal::wrong(format!("{name:?} has no place beside \"faults\"")));
            }
            serde_json::from_value::<Vec<NewFault>>(list)
        }
        one => serde_json::from_value(one).map(|one| vec![one]),
    };
    let rules = rules.map_err(Refusal::wrong)?;
    let added = off_thread(simulator, move |simulator| {
        Ok(simulator.faults.add(&simulator.db, Origin::Added, rules)?)
    });
    Ok((StatusCode::CREATED, Json(json!({ "faults": added.await? }))).into_response())
}

pub(super) async fn remove(State(simulator): Shared, Path(id): Path<String>) -> Result<Json<Value>, Refusal> {
    let id: i64 = id.parse().map_err(|_| Refusal::wrong("a rule has a number"))?;
    let removed =
        off_thread(simulator, move |simulator| Ok(simulator.faults.remove_one(&simulator.db, id)?));
    if removed.await? {
        Ok(Json(json!({ "removed": id })))
    } else {
        Err(Refusal(StatusCode::NOT_FOUND, format!("there is no rule {id} in the fault plan")))
    }
}

pub(super) async fn clear(State(simulator): Shared) -> Result<Json<Value>, Refusal> {
    let removed = off_thread(simulator, |simulator| Ok(simulator.faults.clear(&simulator.db)?));
    Ok(Json(json!({ "removed": removed.await? })))
}
