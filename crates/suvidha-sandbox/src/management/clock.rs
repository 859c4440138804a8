//! The clock that returns go by: shown, set, moved, held, run at a speed.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;

use super::{Refusal, Shared, off_thread};
use crate::tax_clock::{ClockChange, ClockError, ClockState};

impl From<ClockError> for Refusal {
    fn from(error: ClockError) -> Self {
        match error {
            ClockError::Wrong(reason) => Self::wrong(reason),
            ClockError::Database(error) => error.into(),
        }
    }
}

pub(super) async fn show(State(simulator): Shared) -> Json<ClockState> {
    Json(simulator.tax_clock.state(simulator.seam.now()))
}

pub(super) async fn change(
    State(simulator): Shared,
    change: Result<Json<ClockChange>, JsonRejection>,
) -> Result<Json<ClockState>, Refusal> {
    let Json(change) = change?;
    off_thread(simulator, move |simulator| {
        simulator.tax_clock.change(&simulator.db, simulator.seam.now(), &change)?;
        // Work may have fallen due.
        simulator.new_job.notify_one();
        Ok(Json(simulator.tax_clock.state(simulator.seam.now())))
    })
    .await
}
