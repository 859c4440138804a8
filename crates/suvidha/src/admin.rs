//! The admin listener: what an operator's monitoring reads. It never shares an address with the ASPs' listeners, is on a
//! loopback address unless somebody says otherwise, and tells no secret and nothing of a taxpayer's.
//!
//! It runs beside the signals, on their runtime: a scrape takes no time from the threads that serve calls.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, VARY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use suvidha_gateway::{Exposition, Readiness, Status};
use suvidha_store::ledger::Health;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tracing::{debug, info, warn};

use crate::exit::{Exit, Failure};
use crate::ports;

/// How many connections there may be at once; more wait.
const CONNECTIONS: usize = 32;

/// For a request's head to come, and so for a connection to be idle.
const HEAD: Duration = Duration::from_secs(30);

/// For a connection to live, whatever is sent on it: nobody may keep a place for ever.
const LIFE: Duration = Duration::from_secs(600);

/// The longest head, in bytes. Monitoring sends a few hundred.
const LONGEST_HEAD: usize = 16 * 1024;

/// The paths, for whoever asks for another.
const PATHS: &str = "/metrics, /healthz and /readyz are here\n";

/// An open admin listener that does not answer yet.
pub(crate) struct Admin {
    listener: StdListener,
    /// Where it listens, with the port that was taken.
    pub(crate) address: SocketAddr,
}

impl Admin {
    /// Opens the listener. Whoever connects waits until [`serve`](Self::serve).
    ///
    /// # Errors
    /// An address that cannot be listened on.
    pub(crate) fn open(listen: SocketAddr) -> Result<Self, Failure> {
        ports::require_free(listen).map_err(|failure| match failure.remedy {
            Some(_) => failure.remedy("another program listens there; set another admin.listen"),
            None => failure,
        })?;
        let listener = StdListener::bind(listen).and_then(|listener| {
            listener.set_nonblocking(true)?;
            Ok((listener.local_addr()?, listener))
        });
        let (address, listener) = listener
            .map_err(|e| Failure::io(Exit::Unavailable, format_args!("cannot listen on {listen}"), &e))?;
        if !address.ip().is_loopback() {
            warn!(%address, "the admin listener is not on a loopback address: whoever reaches it reads the metrics");
        }
        Ok(Self { listener, address })
    }

    /// Answers on `runtime` from what `status` shows, until that runtime ends.
    ///
    /// # Errors
    /// A listener that the runtime cannot take over.
    pub(crate) fn serve(self, runtime: &Runtime, status: Status) -> Result<(), Failure> {
        let Self { listener, address } = self;
        let _inside = runtime.enter();
        let listener = TcpListener::from_std(listener)
            .map_err(|e| Failure::io(Exit::Unavailable, format_args!("cannot listen on {address}"), &e))?;
        info!(%address, "the admin listener is open");
        runtime.spawn(accept(listener, status));
        Ok(())
    }
}

async fn accept(listener: TcpListener, status: Status) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        // The semaphore is never closed.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((socket, _)) => {
                let connection = timeout(LIFE, converse(socket, status.clone()));
                tokio::spawn(async move {
                    if let Ok(Err(error)) = connection.await {
                        debug!(%error, "a connection of the admin listener ended early");
                    }
                    drop(place);
                });
            }
            Err(error) => {
                // Out of file descriptors, most likely; some will be free again in a moment.
                warn!(%error, "the admin listener cannot accept a connection");
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn converse(socket: TcpStream, status: Status) -> hyper::Result<()> {
    let service = service_fn(move |request: Request<Incoming>| {
        let response = answer(&request, &status);
        async move { Ok::<_, Infallible>(response) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(LONGEST_HEAD)
        .serve_connection(TokioIo::new(socket), service)
        .await
}

/// The body of a request is not looked at; nothing here takes one.
fn answer<B>(request: &Request<B>, status: &Status) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "GET and HEAD are understood here\n");
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    match request.uri().path() {
        "/metrics" => {
            let form = wanted(request.headers());
            document(StatusCode::OK, form.content_type(), status.metrics(form))
        }
        "/healthz" => json(StatusCode::OK, &json!({"status": "ok"})),
        "/readyz" => readiness(&status.readiness()),
        _ => text(StatusCode::NOT_FOUND, PATHS),
    }
}

/// OpenMetrics for whoever says that it understands it, as Prometheus does.
fn wanted(headers: &HeaderMap) -> Exposition {
    let named = |value: &HeaderValue| {
        value.to_str().is_ok_and(|value| value.to_ascii_lowercase().contains("application/openmetrics-text"))
    };
    if headers.get_all(ACCEPT).iter().any(named) { Exposition::OpenMetrics } else { Exposition::Classic }
}

fn readiness(readiness: &Readiness) -> Response<Full<Bytes>> {
    let code = if readiness.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let listening: serde_json::Map<_, _> = readiness
        .listening
        .iter()
        .map(|(environment, address)| (environment.to_string(), address.to_string().into()))
        .collect();
    let ledgers: serde_json::Map<_, _> = readiness
        .ledgers
        .iter()
        .map(|(environment, health)| (environment.to_string(), ledger(health)))
        .collect();
    json(code, &json!({"status": readiness.word(), "listening": listening, "ledger": ledgers}))
}

/// How a ledger is. What is wrong with it names files of this machine, which is for its operator.
fn ledger(health: &Health) -> serde_json::Value {
    match health {
        Health::Writing => json!({"state": "writing"}),
        Health::Overloaded => json!({"state": "overloaded"}),
        Health::Failed { since, reason } => {
            json!({"state": "failed", "since": since.to_string(), "reason": reason})
        }
    }
}

fn json(code: StatusCode, body: &serde_json::Value) -> Response<Full<Bytes>> {
    document(code, "application/json", format!("{body}\n"))
}

fn text(code: StatusCode, body: &'static str) -> Response<Full<Bytes>> {
    document(code, "text/plain; charset=utf-8", body.to_owned())
}

fn document(code: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(VARY, HeaderValue::from_static("accept"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
