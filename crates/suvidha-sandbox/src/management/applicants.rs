//! Unregistered persons who supply through e-commerce operators.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use super::{Refusal, Shared, off_thread};
use crate::applicants::{self, ApplicantError, NewApplicant};

impl From<ApplicantError> for Refusal {
    fn from(error: ApplicantError) -> Self {
        match error {
            ApplicantError::Database(error) => error.into(),
            ApplicantError::Taken(_) => Self(StatusCode::CONFLICT, error.to_string()),
            _ => Self::wrong(error),
        }
    }
}

pub(super) async fn create(
    State(simulator): Shared,
    wanted: Result<Json<NewApplicant>, JsonRejection>,
) -> Result<Response, Refusal> {
    let Json(wanted) = wanted?;
    let made = off_thread(simulator, move |simulator| {
        let today = simulator.today();
        Ok(simulator.db.write(|tx| applicants::create(tx, &simulator.seam, today, wanted))?)
    })
    .await?;
    Ok((StatusCode::CREATED, Json(made)).into_response())
}
