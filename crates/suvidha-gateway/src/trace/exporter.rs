//! Posts spans to the collector, in batches, on a thread of its own. It may be slow, away or wrong: calls do not notice.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use http::uri::Scheme;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::runtime;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tracing::{info, warn};
use uuid::Uuid;

use super::{Finished, Tally, otlp};
use crate::config;
use crate::site::StartError;
use crate::tls;

/// The path of traces where the configuration names none.
const PATH: &str = "/v1/traces";

/// Calls of one post, and how long the first of them waits for more.
const BATCH: usize = 256;
const GATHER: Duration = Duration::from_secs(1);

/// For one post, with its connection.
const POST: Duration = Duration::from_secs(10);

/// How often a batch is posted that a collector cannot take just now, and the waits in between.
const ATTEMPTS: u32 = 4;
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// For whatever is left when the gateway stops.
const FAREWELL: Duration = Duration::from_secs(5);

/// The longest answer of a collector's that is read.
const LONGEST_ANSWER: usize = 64 * 1024;

/// What posts the spans of finished calls.
pub(crate) struct Exporter {
    collector: Collector,
    finished: mpsc::Receiver<Finished>,
    tally: Arc<Tally>,
    failing: bool,
}

/// An exporter at work.
pub(crate) struct Exporting {
    stop: watch::Sender<bool>,
    thread: JoinHandle<()>,
}

impl Exporting {
    /// Exports whatever is left, for a few seconds at most, and ends. Blocks.
    pub(crate) fn stop(self) {
        let _ = self.stop.send(true);
        if self.thread.join().is_err() {
            warn!(target: "suvidha::gateway", "the exporter of traces has panicked");
        }
    }
}

/// Where spans go.
struct Collector {
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    target: Uri,
    headers: HeaderMap,
    service_name: String,
    instance: Uuid,
}

/// Why a batch was not taken.
struct Refusal {
    reason: String,
    /// It may be taken later: after this, if the collector said so.
    again: Option<Option<Duration>>,
}

impl Exporter {
    pub(super) fn new(
        config: &config::Trace,
        instance: Uuid,
        finished: mpsc::Receiver<Finished>,
        tally: Arc<Tally>,
    ) -> Result<Self, StartError> {
        Ok(Self { collector: Collector::new(config, instance)?, finished, tally, failing: false })
    }

    /// Exports on a thread of its own.
    ///
    /// # Errors
    /// A thread that cannot be started.
    pub(crate) fn start(self) -> io::Result<Exporting> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = watch::channel(false);
        let work = move || runtime.block_on(self.export(stopped));
        let thread = thread::Builder::new().name("suvidha-traces".to_owned()).spawn(work)?;
        Ok(Exporting { stop, thread })
    }

    async fn export(mut self, mut stop: watch::Receiver<bool>) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            tokio::select! {
                // Whoever would stop us and is gone has stopped, too.
                _ = stop.wait_for(|stop| *stop) => break,
                () = self.gather(&mut batch) => {}
            }
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => break,
                () = self.deliver(&mut batch) => {}
            }
        }
        self.finished.close();
        let until = Instant::now() + FAREWELL;
        let rest = async {
            loop {
                self.deliver(&mut batch).await;
                if self.finished.recv_many(&mut batch, BATCH).await == 0 {
                    return;
                }
            }
        };
        let _ = timeout_at(until, rest).await;
        self.drop_batch(&mut batch);
        while let Ok(call) = self.finished.try_recv() {
            self.tally.dropped.fetch_add(call.spans(), Ordering::Relaxed);
        }
    }

    /// Waits for a first call, then for more, up to a batch. What was gathered is in `batch` even if this is given up.
    async fn gather(&mut self, batch: &mut Vec<Finished>) {
        if batch.is_empty() && self.finished.recv_many(batch, BATCH).await == 0 {
            return std::future::pending().await;
        }
        let full = Instant::now() + GATHER;
        while batch.len() < BATCH {
            let room = BATCH - batch.len();
            tokio::select! {
                () = sleep_until(full) => return,
                more = self.finished.recv_many(batch, room) => if more == 0 { return },
            }
        }
    }

    /// Posts `batch`, more than once where that may help, and empties it. Given up, it leaves the batch as it is.
    async fn deliver(&mut self, batch: &mut Vec<Finished>) {
        if batch.is_empty() {
            return;
        }
        let body = otlp::request(&self.collector.service_name, self.collector.instance, batch);
        let body = Bytes::from(body.to_string());
        let mut wait = FIRST_WAIT;
        for attempt in 1..=ATTEMPTS {
            match self.collector.post(body.clone()).await {
                Ok(rejected) => {
                    self.taken(batch.iter().map(Finished::spans).sum(), rejected);
                    batch.clear();
                    return;
                }
                Err(Refusal { reason, again }) => {
                    self.tell(&reason);
                    let Some(asked) = again.filter(|_| attempt < ATTEMPTS) else { break };
                    sleep(asked.unwrap_or(wait).min(LONGEST_WAIT)).await;
                    wait *= 2;
                }
            }
        }
        self.drop_batch(batch);
    }

    fn taken(&mut self, spans: u64, rejected: u64) {
        let rejected = rejected.min(spans);
        self.tally.exported.fetch_add(spans - rejected, Ordering::Relaxed);
        self.tally.dropped.fetch_add(rejected, Ordering::Relaxed);
        if std::mem::take(&mut self.failing) {
            info!(target: "suvidha::gateway", "the collector of traces takes them again");
        }
    }

    /// Says once that the collector does not take traces, until it does.
    fn tell(&mut self, reason: &str) {
        if !std::mem::replace(&mut self.failing, true) {
            warn!(target: "suvidha::gateway", reason, "the collector does not take our traces; calls go on without");
        }
    }

    fn drop_batch(&self, batch: &mut Vec<Finished>) {
        let spans = batch.drain(..).map(|call| call.spans()).sum();
        self.tally.dropped.fetch_add(spans, Ordering::Relaxed);
    }
}

impl Collector {
    fn new(config: &config::Trace, instance: Uuid) -> Result<Self, StartError> {
        let wrong = |reason: &str| StartError::Trace { reason: reason.to_owned() };
        let uri: Uri = config.endpoint.parse().map_err(|_| wrong("the endpoint is not a URL"))?;
        let authority = uri.authority().ok_or_else(|| wrong("the endpoint has no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("the endpoint must not carry credentials; they belong in the headers"));
        }
        let https = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            _ => return Err(wrong("the endpoint must begin with http:// or https://")),
        };
        if !(0.0..=1.0).contains(&config.sample) {
            return Err(wrong("the sampled share must be from 0 to 1"));
        }
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let tls = if https {
            let trust = tls::trust(config.ca_file.as_deref())?;
            let trust = trust.ok_or_else(|| wrong("no trusted CA was found on this system; set ca_file"))?;
            let name = ServerName::try_from(host.clone())
                .map_err(|_| wrong("the endpoint's host is no name that TLS can verify"))?;
            Some((TlsConnector::from(trust), name))
        } else {
            None
        };
        let path = match uri.path_and_query().map_or("/", |path| path.as_str()) {
            "/" => PATH,
            path => path,
        };
        Ok(Self {
            port: authority.port_u16().unwrap_or(if https { 443 } else { 80 }),
            target: path.parse().map_err(|_| wrong("the endpoint's path is malformed"))?,
            headers: headers(config, authority.as_str())?,
            service_name: config.service_name.clone(),
            host,
            tls,
            instance,
        })
    }

    /// Posts `body`; gives how many spans the collector did not want.
    async fn post(&self, body: Bytes) -> Result<u64, Refusal> {
        let later = |reason: String| Refusal { reason, again: Some(None) };
        let posted = timeout(POST, async {
            let socket = TcpStream::connect((self.host.as_str(), self.port)).await;
            let socket = socket.map_err(|error| later(error.to_string()))?;
            match &self.tls {
                None => self.exchange(TokioIo::new(socket), body).await,
                Some((connector, name)) => {
                    let stream = connector.connect(name.clone(), socket).await;
                    let stream = stream.map_err(|error| later(error.to_string()))?;
                    self.exchange(TokioIo::new(stream), body).await
                }
            }
        });
        posted.await.unwrap_or_else(|_| Err(later(format!("no answer within {POST:?}"))))
    }

    async fn exchange<I>(&self, io: I, body: Bytes) -> Result<u64, Refusal>
    where
        I: hyper::rt::Read + hyper::rt::Write + Unpin,
    {
        let later = |error: hyper::Error| Refusal { reason: error.to_string(), again: Some(None) };
        let (mut sender, connection) = http1::handshake(io).await.map_err(later)?;
        let mut request = Request::post(self.target.clone())
            .body(Full::new(body))
            .map_err(|error| Refusal { reason: error.to_string(), again: None })?;
        *request.headers_mut() = self.headers.clone();
        let exchange = async {
            let (head, answer) = sender.send_request(request).await.map_err(later)?.into_parts();
            let answer = Limited::new(answer, LONGEST_ANSWER).collect().await;
            let answer = answer.map(|answer| answer.to_bytes()).unwrap_or_default();
            judge(head.status, &head.headers, &answer)
        };
        let mut connection = std::pin::pin!(connection);
        let mut exchange = std::pin::pin!(exchange);
        tokio::select! {
            outcome = &mut exchange => outcome,
            // At its end the connection has told the exchange what it had to tell.
            _ = &mut connection => exchange.await,
        }
    }
}

/// What the collector's answer amounts to.
fn judge(status: StatusCode, headers: &HeaderMap, answer: &[u8]) -> Result<u64, Refusal> {
    if status.is_success() {
        return Ok(rejected(answer));
    }
    let seconds = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let transient = matches!(status.as_u16(), 429 | 502 | 503 | 504);
    Err(Refusal {
        reason: format!("HTTP {status}"),
        again: transient.then(|| seconds.map(Duration::from_secs)),
    })
}

/// How many spans the collector says that it did not take.
fn rejected(answer: &[u8]) -> u64 {
    let answer: serde_json::Value = serde_json::from_slice(answer).unwrap_or_default();
    let count = &answer["partialSuccess"]["rejectedSpans"];
    count.as_u64().or_else(|| count.as_str()?.parse().ok()).unwrap_or(0)
}

fn headers(config: &config::Trace, authority: &str) -> Result<HeaderMap, StartError> {
    let wrong = |reason: String| StartError::Trace { reason };
    let mut headers = HeaderMap::new();
    let host =
        HeaderValue::from_str(authority).map_err(|_| wrong("the endpoint's host is malformed".to_owned()))?;
    headers.insert(HOST, host);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let agent = HeaderValue::from_static(concat!("suvidha/", env!("CARGO_PKG_VERSION")));
    headers.insert(USER_AGENT, agent);
    for (name, value) in &config.headers {
        let known = HeaderName::try_from(name.as_str());
        let known = known.map_err(|_| wrong(format!("{name:?} is no name of a header")))?;
        let mut value = HeaderValue::from_str(value.expose())
            .map_err(|_| wrong(format!("the header {name} has characters that no header can carry")))?;
        value.set_sensitive(true);
        headers.insert(known, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_tells_whether_to_try_again() {
        let told = |status: u16, after: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.extend(after.map(|after| (RETRY_AFTER, HeaderValue::from_static(after))));
            judge(StatusCode::from_u16(status).unwrap(), &headers, b"{}").map_err(|refusal| refusal.again)
        };
        assert_eq!(told(200, None), Ok(0));
        assert_eq!(told(400, Some("1")), Err(None));
        assert_eq!(told(503, None), Err(Some(None)));
        assert_eq!(told(429, Some("7")), Err(Some(Some(Duration::from_secs(7)))));
        assert_eq!(told(429, Some("Wed, 21 Oct 2015 07:28:00 GMT")), Err(Some(None)));
    }

    #[test]
    fn rejected_spans_are_told_as_number_or_text() {
        assert_eq!(rejected(br#"{"partialSuccess":{"rejectedSpans":"3"}}"#), 3);
        assert_eq!(rejected(br#"{"partialSuccess":{"rejectedSpans":2}}"#), 2);
        assert_eq!((rejected(b""), rejected(b"{}")), (0, 0));
    }

    #[test]
    fn an_endpoint_that_cannot_be_meant_is_refused() {
        let new = |endpoint: &str| Collector::new(&config::Trace::new(endpoint), Uuid::nil());
        let usable = new("http://127.0.0.1:4318").unwrap();
        assert_eq!((usable.port, usable.target.path()), (4318, "/v1/traces"));
        assert_eq!(new("http://c/otlp/x?y=1").unwrap().target, "/otlp/x?y=1");
        for wrong in ["", "127.0.0.1:4318", "ftp://x", "http://key@x", "http://"] {
            assert!(new(wrong).is_err(), "{wrong:?}");
        }
        let too_much = config::Trace { sample: 1.5, ..config::Trace::new("http://x") };
        assert!(Collector::new(&too_much, Uuid::nil()).is_err());
    }
}
