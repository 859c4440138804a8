//! The management port: what a developer does to the sandbox and GSTN has no API for. JSON in, JSON out.
//!
//! `openapi.json` describes every route; a test holds the two together. Whoever calls proves it with the sandbox's
//! management token, unless there is none.

use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, patch, post, put};
use axum::{Json, Router};
use gstn::Gstin;
use http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, StatusCode, Uri};
use serde_json::json;

use crate::respond::mark;
use crate::simulator::{Simulator, same_secret};

mod applicants;
mod calls;
mod clock;
mod due_dates;
mod einvoices;
mod faults;
mod inward;
mod payments;
mod reset;
mod snapshots;
mod state;
mod taxpayers;

type Shared = State<Arc<Simulator>>;

/// What needs no token: neither is a secret, and both are asked for by programs that know nothing yet.
const OPEN: [&str; 3] = ["/healthz", "/openapi.json", "/certificate.pem"];
const OPENAPI: &str = include_str!("openapi.json");

/// Every route: method, path, and what answers.
fn table() -> Vec<(&'static str, &'static str, MethodRouter<Arc<Simulator>>)> {
    vec![
        ("post", "/applicants", post(applicants::create)),
        ("get", "/calls", get(calls::list)),
        ("get", "/calls/{id}", get(calls::show)),
        ("get", "/certificate.pem", get(certificate)),
        ("get", "/challans", get(payments::list)),
        ("get", "/challans/{cpin}", get(payments::show)),
        ("post", "/challans/{cpin}/pay", post(payments::pay)),
        ("get", "/clock", get(clock::show)),
        ("put", "/clock", put(clock::change)),
        ("get", "/due-dates", get(due_dates::list)),
        ("put", "/due-dates", put(due_dates::extend)),
        ("get", "/faults", get(faults::list)),
        ("post", "/faults", post(faults::add)),
        ("delete", "/faults", delete(faults::clear)),
        ("delete", "/faults/{id}", delete(faults::remove)),
        ("post", "/einvoices/{irn}/cancel", post(einvoices::cancel)),
        ("get", "/healthz", get(health)),
        ("get", "/openapi.json", get(openapi)),
        ("post", "/reset", post(reset::reset)),
        ("get", "/snapshots", get(snapshots::list)),
        ("post", "/snapshots", post(snapshots::take)),
        ("delete", "/snapshots/{name}", delete(snapshots::remove)),
        ("post", "/snapshots/{name}/restore", post(snapshots::restore)),
        ("get", "/state/{gstin}", get(state::show)),
        ("get", "/taxpayers", get(taxpayers::list)),
        ("post", "/taxpayers", post(taxpayers::create)),
        ("get", "/taxpayers/{gstin}", get(taxpayers::show)),
        ("patch", "/taxpayers/{gstin}", patch(taxpayers::change)),
        ("get", "/taxpayers/{gstin}/einvoices", get(einvoices::list)),
        ("post", "/taxpayers/{gstin}/einvoices", post(einvoices::register)),
        ("post", "/taxpayers/{gstin}/inward", post(inward::put)),
        ("post", "/taxpayers/{gstin}/blocked-credit", post(payments::block)),
        ("post", "/taxpayers/{gstin}/challans", post(payments::create)),
        ("post", "/taxpayers/{gstin}/refunds", post(payments::refund)),
        ("post", "/taxpayers/{gstin}/transfers", post(payments::transfer)),
    ]
}

/// The routes of the management port.
pub(crate) fn routes(simulator: Arc<Simulator>) -> Router {
    let routes =
        table().into_iter().fold(Router::new(), |routes, (_, path, answers)| routes.route(path, answers));
    routes
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(simulator.clone(), only_with_the_token))
        .layer(middleware::from_fn(marked))
        .with_state(simulator)
}

/// Why the management port refuses: a status and a sentence.
struct Refusal(StatusCode, String);

impl Refusal {
    /// What was asked for cannot be.
    fn wrong(reason: impl ToString) -> Self {
        Self(StatusCode::UNPROCESSABLE_ENTITY, reason.to_string())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": { "message": self.1 } }))).into_response()
    }
}

impl From<JsonRejection> for Refusal {
    fn from(rejection: JsonRejection) -> Self {
        Self(rejection.status(), rejection.body_text())
    }
}

impl From<QueryRejection> for Refusal {
    fn from(rejection: QueryRejection) -> Self {
        Self(rejection.status(), rejection.body_text())
    }
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        tracing::error!(%error, "the sandbox database failed");
        Self(StatusCode::INTERNAL_SERVER_ERROR, "the sandbox database failed; its log says why".into())
    }
}

async fn certificate(State(simulator): Shared) -> Response {
    ([(CONTENT_TYPE, "application/x-pem-file")], simulator.certificate_pem.clone()).into_response()
}

async fn openapi() -> Response {
    ([(CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}

async fn health() -> Response {
    Json(json!({ "status": "ok" })).into_response()
}

async fn unknown(uri: Uri) -> Refusal {
    Refusal(StatusCode::NOT_FOUND, format!("the management port has nothing at {}", uri.path()))
}

async fn wrong_method(method: Method, uri: Uri) -> Refusal {
    Refusal(StatusCode::METHOD_NOT_ALLOWED, format!("{} does not take {method}", uri.path()))
}

async fn marked(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    mark(&mut response);
    response
}

async fn only_with_the_token(State(simulator): Shared, request: Request, next: Next) -> Response {
    let Some(token) = &simulator.management_token else { return next.run(request).await };
    let given = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    if OPEN.contains(&request.uri().path()) || given.is_some_and(|given| same_secret(token.expose(), given)) {
        return next.run(request).await;
    }
    let words = "the management token is needed, as `Authorization: Bearer …`; it is in the file management-token of the \
                 sandbox's data directory";
    let mut response = Refusal(StatusCode::UNAUTHORIZED, words.into()).into_response();
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

fn read_gstin(text: &str) -> Result<Gstin, Refusal> {
    Gstin::parse_lenient(text).map_err(Refusal::wrong)
}

fn no_taxpayer(gstin: &Gstin) -> Refusal {
    Refusal(StatusCode::NOT_FOUND, format!("there is no taxpayer {gstin} in this sandbox"))
}

/// Runs blocking work off the I/O threads.
async fn off_thread<T: Send + 'static>(
    simulator: Arc<Simulator>,
    work: impl FnOnce(&Simulator) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let panicked =
        |_| Refusal(StatusCode::INTERNAL_SERVER_ERROR, "the sandbox failed; its log says why".into());
    tokio::task::spawn_blocking(move || work(&simulator)).await.unwrap_or_else(|error| Err(panicked(error)))
}

#[cfg(test)]
mod tests;
