//! The management port: what a developer does to the sandbox and GSTN has no API for. JSON in, JSON out, no authentication.

use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use gstn::Gstin;
use http::header::CONTENT_TYPE;
use http::{Method, StatusCode, Uri};
use rusqlite::Transaction;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::respond::mark;
use crate::simulator::Simulator;
use crate::taxpayers::{self, NewTaxpayer, TaxpayerError};

const DEFAULT_PAGE: usize = 100;
const LARGEST_PAGE: usize = 1000;

type Shared = State<Arc<Simulator>>;

/// The routes of the management port.
pub(crate) fn routes(simulator: Arc<Simulator>) -> Router {
    Router::new()
        .route("/taxpayers", post(create_taxpayer).get(list_taxpayers))
        .route("/taxpayers/{gstin}", get(show_taxpayer).patch(change_taxpayer))
        .route("/calls", get(list_calls))
        .route("/reset", post(reset))
        .route("/certificate.pem", get(certificate))
        .route("/healthz", get(|| async { Json(json!({ "status": "ok" })) }))
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn(marked))
        .with_state(simulator)
}

/// Why the management port refuses: a status and a sentence.
struct Refusal(StatusCode, String);

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

impl From<TaxpayerError> for Refusal {
    fn from(error: TaxpayerError) -> Self {
        match error {
            TaxpayerError::Database(error) => error.into(),
            TaxpayerError::GstinTaken(_) | TaxpayerError::UsernameTaken(_) => {
                Self(StatusCode::CONFLICT, error.to_string())
            }
            _ => Self(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()),
        }
    }
}

async fn create_taxpayer(
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

async fn list_taxpayers(State(simulator): Shared) -> Result<Json<Value>, Refusal> {
    let all = off_thread(simulator, |simulator| {
        Ok(simulator.db.read(|tx| taxpayers::all(tx, &simulator.config.otp))?)
    });
    Ok(Json(json!({ "taxpayers": all.await? })))
}

async fn show_taxpayer(State(simulator): Shared, Path(gstin): Path<String>) -> Result<Response, Refusal> {
    let gstin = read_gstin(&gstin)?;
    let found = off_thread(simulator, move |simulator| {
        Ok(simulator.db.read(|tx| taxpayers::by_gstin(tx, &gstin, &simulator.config.otp))?)
    });
    let found = found.await?.ok_or_else(|| no_taxpayer(&gstin))?;
    Ok(Json(found).into_response())
}

/// What can be changed about a taxpayer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    /// Whether API access is switched on at the portal.
    api_access: bool,
}

async fn change_taxpayer(
    state: Shared,
    path: Path<String>,
    change: Result<Json<Change>, JsonRejection>,
) -> Result<Response, Refusal> {
    let Json(change) = change?;
    let gstin = read_gstin(&path)?;
    let changed = off_thread(state.0.clone(), move |simulator| {
        Ok(simulator.db.write(|tx| taxpayers::set_api_access(tx, &gstin, change.api_access))?)
    });
    if !changed.await? {
        return Err(no_taxpayer(&gstin));
    }
    show_taxpayer(state, path).await
}

/// Which of the received calls are wanted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CallPage {
    gstin: Option<String>,
    /// Only calls with a higher id.
    #[serde(default)]
    after: u64,
    limit: Option<usize>,
}

/// The calls received since the start, oldest first; `next` is the `after` of the next page.
async fn list_calls(
    State(simulator): Shared,
    page: Result<Query<CallPage>, QueryRejection>,
) -> Result<Json<Value>, Refusal> {
    let Query(page) = page?;
    let limit = page.limit.unwrap_or(DEFAULT_PAGE).clamp(1, LARGEST_PAGE);
    let calls = simulator.call_log.page(page.gstin.as_deref(), page.after, limit);
    let next = calls.last().filter(|_| calls.len() == limit).map(|call| call.id);
    Ok(Json(json!({ "calls": calls, "next": next })))
}

/// What a reset is to wipe.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Reset {
    /// One taxpayer's data; everyone's when left out.
    gstin: Option<String>,
    /// Whether the taxpayers themselves go too. They stay, with their ledgers, when left out.
    taxpayers: bool,
}

async fn reset(
    State(simulator): Shared,
    wanted: Result<Json<Reset>, JsonRejection>,
) -> Result<Json<Value>, Refusal> {
    let Json(wanted) = wanted?;
    let gstin = wanted.gstin.as_deref().map(read_gstin).transpose()?;
    off_thread(simulator, move |simulator| {
        let known = simulator.db.write(|tx| -> rusqlite::Result<bool> {
            if let Some(gstin) = &gstin
                && taxpayers::by_gstin(tx, gstin, "")?.is_none()
            {
                return Ok(false);
            }
            wipe(tx, gstin.as_ref(), wanted.taxpayers)?;
            Ok(true)
        })?;
        if let (false, Some(gstin)) = (known, &gstin) {
            return Err(no_taxpayer(gstin));
        }
        simulator.call_log.forget(gstin.as_ref().map(Gstin::as_str));
        Ok(Json(json!({ "reset": gstin.as_ref().map_or("all", Gstin::as_str) })))
    })
    .await
}

/// Deletes the rows of one GSTIN, or all rows, from every table that is kept by GSTIN.
fn wipe(tx: &Transaction<'_>, gstin: Option<&Gstin>, taxpayers_too: bool) -> rusqlite::Result<()> {
    let tables: Vec<String> = tx
        .prepare(
            "SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c
             WHERE m.type = 'table' AND c.name = 'gstin'",
        )?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    forget_login_otps(tx, gstin)?;
    let stays = |table: &str| matches!(table, "taxpayers" | "cash_balances" | "credit_balances");
    for table in tables.iter().filter(|table| taxpayers_too || !stays(table)) {
        match gstin {
            Some(gstin) => {
                tx.execute(&format!("DELETE FROM \"{table}\" WHERE gstin = ?1"), [gstin.as_str()])?
            }
            None => tx.execute(&format!("DELETE FROM \"{table}\""), [])?,
        };
    }
    Ok(())
}

/// These are kept by user name, which only the taxpayers' table can translate.
fn forget_login_otps(tx: &Transaction<'_>, gstin: Option<&Gstin>) -> rusqlite::Result<()> {
    match gstin {
        Some(gstin) => tx.execute(
            "DELETE FROM login_otps WHERE username IN (SELECT username FROM taxpayers WHERE gstin = ?1)",
            [gstin.as_str()],
        )?,
        None => tx.execute("DELETE FROM login_otps", [])?,
    };
    Ok(())
}

async fn certificate(State(simulator): Shared) -> Response {
    ([(CONTENT_TYPE, "application/x-pem-file")], simulator.certificate_pem.clone()).into_response()
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

fn read_gstin(text: &str) -> Result<Gstin, Refusal> {
    Gstin::parse_lenient(text).map_err(|error| Refusal(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()))
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
