//! One HTTP exchange at a time with a sandbox or a gateway on this machine.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use crate::exit::{Exit, Failure};

/// For a whole exchange.
const PATIENCE: Duration = Duration::from_secs(120);

/// Sends requests, each on a connection of its own, and waits for the answers.
pub(crate) struct Http {
    runtime: Runtime,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

/// Why nothing came back.
#[derive(Debug)]
pub(crate) enum NoAnswer {
    /// Nobody listens there.
    Unreachable(String),
    /// The connection ended before the answer did.
    BrokenOff(String),
}

impl Http {
    pub(crate) fn new() -> Result<Self, Failure> {
        let failed = |e: io::Error| Failure::io(Exit::Unavailable, "cannot start threads", &e);
        Ok(Self { runtime: Builder::new_current_thread().enable_all().build().map_err(failed)? })
    }

    /// One exchange with `base`, an `http://` address.
    pub(crate) fn send(
        &self,
        base: &str,
        method: &Method,
        target: &str,
        headers: &[(String, String)],
        body: Option<Vec<u8>>,
    ) -> Result<Answer, NoAnswer> {
        let request = async {
            let (host, request) = request(base, method, target, headers, body)?;
            exchange(&host, request).await
        };
        self.runtime.block_on(async { timeout(PATIENCE, request).await }).unwrap_or_else(|_| {
            Err(NoAnswer::BrokenOff(format!("no answer within {} s", PATIENCE.as_secs())))
        })
    }
}

fn request(
    base: &str,
    method: &Method,
    target: &str,
    headers: &[(String, String)],
    body: Option<Vec<u8>>,
) -> Result<(String, Request<Full<Bytes>>), NoAnswer> {
    let wrong = |what: String| NoAnswer::Unreachable(what);
    let uri: Uri = base.parse().map_err(|_| wrong(format!("{base:?} is no address")))?;
    let authority = uri.authority().filter(|_| uri.scheme_str() == Some("http"));
    let authority =
        authority.ok_or_else(|| wrong(format!("{base:?} is no address of the form http://HOST:PORT")))?;
    let host = match authority.port() {
        Some(_) => authority.to_string(),
        None => format!("{authority}:80"),
    };
    let prefix = uri.path().trim_end_matches('/');
    let mut request = Request::builder().method(method).uri(format!("{prefix}{target}")).header(HOST, &host);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    if body.is_some() {
        request = request.header(CONTENT_TYPE, "application/json");
    }
    let request = request.body(Full::new(body.unwrap_or_default().into()));
    Ok((host, request.map_err(|error| wrong(format!("{target} cannot be asked for: {error}")))?))
}

async fn exchange(host: &str, request: Request<Full<Bytes>>) -> Result<Answer, NoAnswer> {
    let unreachable = |error: io::Error| NoAnswer::Unreachable(format!("{host}: {error}"));
    let stream = TcpStream::connect(host).await.map_err(unreachable)?;
    let broken = |error: hyper::Error| NoAnswer::BrokenOff(error.to_string());
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    // It ends with the sender, and what ails it shows there.
    tokio::spawn(connection);
    let response = sender.send_request(request).await.map_err(broken)?;
    let status = response.status();
    let body = response.into_body().collect().await.map_err(broken)?.to_bytes();
    Ok(Answer { status, body })
}
