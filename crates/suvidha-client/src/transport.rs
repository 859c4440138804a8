//! One HTTP exchange with the gateway: connections are reused, deadlines hold, redirects are not followed.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::response::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Body as _;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::{CertificateError, InvalidMessage};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;

use crate::base_url::BaseUrl;
use crate::error::Error;

/// A connection is not used again after resting this long: servers and middleboxes forget idle ones.
const IDLE_LIFE: Duration = Duration::from_secs(20);
const IDLE_CONNECTIONS: usize = 8;

/// How long and how much.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) connect: Duration,
    pub(crate) answer: Duration,
    pub(crate) answer_bytes: usize,
}

impl Limits {
    /// Connection and answer together; who wants no limit gives [`Duration::MAX`].
    fn whole(&self) -> Duration {
        self.connect.saturating_add(self.answer)
    }
}

pub(crate) struct Request {
    pub(crate) method: Method,
    /// Path and query as they go on the wire.
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(crate) fn request_id(&self) -> Option<String> {
        self.header("x-request-id").map(str::to_owned)
    }
}

/// Hears how many bytes of an answer have come, and of how many.
pub(crate) type Watch<'a> = &'a (dyn Fn(u64, Option<u64>) + Sync);

type Sender = SendRequest<Full<Bytes>>;

pub(crate) struct Transport {
    base: BaseUrl,
    tls: Option<TlsConnector>,
    limits: Limits,
    idle: Mutex<Vec<(Sender, Instant)>>,
}

impl Transport {
    pub(crate) fn new(base: BaseUrl, tls: Option<Arc<rustls::ClientConfig>>, limits: Limits) -> Self {
        Self { base, tls: tls.map(TlsConnector::from), limits, idle: Mutex::default() }
    }

    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    pub(crate) fn base(&self) -> &BaseUrl {
        &self.base
    }

    /// Sends one request and reads the whole answer.
    pub(crate) async fn send(&self, request: Request) -> Result<Answer, Error> {
        let request = self.http_request(request)?;
        let limit = self.limits.whole();
        timeout(limit, self.exchange(request)).await.unwrap_or_else(|_| {
            let seconds = limit.as_secs();
            Err(self.unavailable(true, format_args!("gave no whole answer within {seconds} seconds")))
        })
    }

    /// As [`send`](Self::send), for a file: `watch` hears how many bytes have come, and of how many.
    /// The deadline holds for the head and then for each silence, not for the whole.
    pub(crate) async fn fetch(&self, request: Request, watch: Watch<'_>) -> Result<Answer, Error> {
        let limits = self.limits;
        let late =
            |_| self.unavailable(true, format_args!("fell silent for {} seconds", limits.answer.as_secs()));
        let begun = self.first_answer(self.http_request(request)?);
        let (sender, response) = timeout(limits.whole(), begun).await.map_err(late)??;
        let (head, mut body) = response.into_parts();
        self.refuse_redirect(&head)?;
        let total = body.size_hint().exact();
        let mut bytes = BytesMut::new();
        while let Some(frame) = timeout(limits.answer, body.frame()).await.map_err(late)? {
            let frame = frame.map_err(|error| self.broken_off(&error))?;
            let Ok(piece) = frame.into_data() else { continue };
            if bytes.len() + piece.len() > limits.answer_bytes {
                return Err(self.too_large());
            }
            bytes.extend_from_slice(&piece);
            // A "no" is no piece of the file.
            if head.status.is_success() && !is_json(&bytes) {
                watch(bytes.len() as u64, total);
            }
        }
        self.rest(sender);
        Ok(Answer { status: head.status, headers: head.headers, body: bytes.freeze() })
    }

    async fn exchange(&self, request: http::Request<Full<Bytes>>) -> Result<Answer, Error> {
        let (sender, response) = self.first_answer(request).await?;
        let (head, body) = response.into_parts();
        self.refuse_redirect(&head)?;
        let body = match Limited::new(body, self.limits.answer_bytes).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => return Err(self.too_large()),
            Err(error) => return Err(self.broken_off(&error)),
        };
        self.rest(sender);
        Ok(Answer { status: head.status, headers: head.headers, body })
    }

    fn refuse_redirect(&self, head: &Parts) -> Result<(), Error> {
        if !head.status.is_redirection() {
            return Ok(());
        }
        let request_id = head.headers.get("x-request-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
        let what = format!("{} answered with a redirect, which is never followed", self.base);
        Err(Error::Protocol { what, request_id })
    }

    fn too_large(&self) -> Error {
        let what = format!("{} answered with more than {} bytes", self.base, self.limits.answer_bytes);
        Error::Protocol { what, request_id: None }
    }

    fn broken_off(&self, error: &dyn std::fmt::Display) -> Error {
        self.unavailable(true, format_args!("broke off in mid-answer: {error}"))
    }

    /// Tries rested connections first. A request is repeated only when hyper hands it back unsent.
    async fn first_answer(
        &self,
        mut request: http::Request<Full<Bytes>>,
    ) -> Result<(Sender, http::Response<hyper::body::Incoming>), Error> {
        while let Some(mut sender) = self.rested().await {
            match sender.try_send_request(request).await {
                Ok(response) => return Ok((sender, response)),
                Err(mut failure) => match failure.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(self.no_answer(&failure.into_error())),
                },
            }
        }
        let mut sender = self.connect().await?;
        match sender.send_request(request).await {
            Ok(response) => Ok((sender, response)),
            Err(error) => Err(self.no_answer(&error)),
        }
    }

    async fn rested(&self) -> Option<Sender> {
        loop {
            let (mut sender, since) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
            if since.elapsed() < IDLE_LIFE && sender.ready().await.is_ok() {
                return Some(sender);
            }
        }
    }

    fn rest(&self, sender: Sender) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if !sender.is_closed() && idle.len() < IDLE_CONNECTIONS {
            idle.push((sender, Instant::now()));
        }
    }

    async fn connect(&self) -> Result<Sender, Error> {
        match timeout(self.limits.connect, self.open()).await {
            Ok(Ok(sender)) => Ok(sender),
            Ok(Err(error)) if is_about_the_certificate(&error) => Err(Error::Untrusted {
                what: format!("{} is not trusted: {}", self.base, why_untrusted(&error)),
            }),
            Ok(Err(error)) if is_no_tls(&error) => {
                Err(self.unavailable(false, format_args!("does not answer in TLS; perhaps it wants http://")))
            }
            Ok(Err(error)) => Err(self.unavailable(false, format_args!("cannot be reached: {error}"))),
            Err(_) => {
                let seconds = self.limits.connect.as_secs();
                Err(self.unavailable(false, format_args!("took no connection within {seconds} seconds")))
            }
        }
    }

    async fn open(&self) -> io::Result<Sender> {
        let tcp = TcpStream::connect((self.base.host(), self.base.port())).await?;
        tcp.set_nodelay(true)?;
        let stream: Box<dyn Stream> = match &self.tls {
            None => Box::new(tcp),
            Some(tls) => {
                let name = ServerName::try_from(self.base.host().to_owned()).map_err(io::Error::other)?;
                Box::new(tls.connect(name, tcp).await?)
            }
        };
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        // Its end shows in the sender.
        tokio::spawn(connection);
        Ok(sender)
    }

    fn http_request(&self, request: Request) -> Result<http::Request<Full<Bytes>>, Error> {
        let unfit = |what: &str| Error::Invalid(format!("the request's {what} does not fit into HTTP"));
        let host = HeaderValue::try_from(self.base.authority()).map_err(|_| unfit("host"))?;
        let mut http = http::Request::builder()
            .method(request.method)
            .uri(request.target)
            .body(Full::new(request.body))
            .map_err(|_| unfit("path"))?;
        *http.headers_mut() = request.headers;
        http.headers_mut().insert(header::HOST, host);
        let agent = HeaderValue::from_static(concat!("suvidha-client/", env!("CARGO_PKG_VERSION")));
        http.headers_mut().insert(header::USER_AGENT, agent);
        Ok(http)
    }

    fn no_answer(&self, error: &hyper::Error) -> Error {
        if error.is_parse() && !self.base.is_https() {
            return self
                .unavailable(true, format_args!("does not answer in HTTP; perhaps it wants https://"));
        }
        self.unavailable(true, format_args!("gave no answer: {error}"))
    }

    fn unavailable(&self, may_have_arrived: bool, what: std::fmt::Arguments<'_>) -> Error {
        Error::Unavailable { what: format!("{} {what}", self.base), may_have_arrived }
    }
}

/// Whether what GSTN's file host or the gateway sends is no `tar.gz` but an answer in JSON, as far as its beginning shows.
pub(crate) fn is_json(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"{")
}

/// rustls reports its faults inside an I/O error.
fn tls_fault(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

fn is_about_the_certificate(error: &io::Error) -> bool {
    matches!(tls_fault(error), Some(rustls::Error::InvalidCertificate(_)))
}

/// A server without TLS answers the handshake with what is no TLS record.
fn is_no_tls(error: &io::Error) -> bool {
    matches!(tls_fault(error), Some(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)))
}

fn why_untrusted(error: &io::Error) -> String {
    use CertificateError as E;
    let Some(rustls::Error::InvalidCertificate(fault)) = tls_fault(error) else { return error.to_string() };
    match fault {
        E::UnknownIssuer | E::BadSignature => {
            "its certificate is not signed by a CA that is trusted here".to_owned()
        }
        E::NotValidForName | E::NotValidForNameContext { .. } => {
            "its certificate is made out to another name".to_owned()
        }
        E::Expired | E::ExpiredContext { .. } => "its certificate has expired".to_owned(),
        E::NotValidYet | E::NotValidYetContext { .. } => "its certificate is not valid yet".to_owned(),
        other => format!("its certificate: {other}"),
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}
