//! One request and its answer on one connection to GSTN.
//!
//! The connection is driven by the call that uses it, in the same task: no hand-over between tasks, back-pressure
//! in both directions by itself, and a call that is given up takes its connection with it.

use std::error::Error as StdError;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::response::Parts;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until};

use crate::body::{Flow, RequestBody};
use crate::error::{Error, Kind};
use crate::site::Site;

/// How often a request that provably was not sent is tried on another connection.
const ATTEMPTS: usize = 3;

/// A byte stream to GSTN, with or without TLS.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A connection to GSTN.
pub(crate) struct Link {
    sender: SendRequest<RequestBody>,
    connection: Connection<TokioIo<Box<dyn Io>>, RequestBody>,
    _counted: Counted,
}

/// Counts a connection for as long as it is there.
pub(super) struct Counted(Arc<AtomicUsize>);

impl Counted {
    pub(super) fn new(open: &Arc<AtomicUsize>) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(open))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Why a request got no answer.
pub(crate) enum SendFault {
    /// It was not sent, and is given back.
    Unsent(Box<Request<RequestBody>>, hyper::Error),
    /// It may have been sent.
    Failed(hyper::Error),
    /// Somebody took too long.
    TooSlow(Kind),
}

impl Link {
    pub(super) async fn new(io: Box<dyn Io>, counted: Counted) -> hyper::Result<Self> {
        let (sender, connection) = http1::Builder::new().handshake(TokioIo::new(io)).await?;
        Ok(Self { sender, connection, _counted: counted })
    }

    /// Lets the connection work; `false` when it is at its end.
    fn drive(&mut self, cx: &mut Context<'_>) -> bool {
        Pin::new(&mut self.connection).poll(cx).is_pending()
    }

    /// Whether it is open and waits for a request.
    pub(super) fn is_usable(&mut self, cx: &mut Context<'_>) -> bool {
        self.drive(cx) && self.sender.is_ready()
    }

    /// Sends `request`, and waits for the head of the answer as long as `flow` allows.
    async fn send(
        mut self,
        request: Request<RequestBody>,
        flow: &Flow,
        site: &Site,
    ) -> Result<(Response<Incoming>, Option<Self>), SendFault> {
        let mut answer = pin!(self.sender.try_send_request(request));
        let mut alarm = pin!(sleep_until(flow.deadline(&site.timeouts).0));
        let mut link = Some(self);
        poll_fn(|cx| {
            if link.as_mut().is_some_and(|link| !link.drive(cx)) {
                // Dropping it gives back a request that it never began to send.
                link = None;
            }
            if let Poll::Ready(answer) = answer.as_mut().poll(cx) {
                return Poll::Ready(answer.map_err(|mut fault| match fault.take_message() {
                    Some(request) => SendFault::Unsent(Box::new(request), fault.into_error()),
                    None => SendFault::Failed(fault.into_error()),
                }));
            }
            while alarm.as_mut().poll(cx).is_ready() {
                let (deadline, late) = flow.deadline(&site.timeouts);
                if Instant::now() >= deadline {
                    return Poll::Ready(Err(SendFault::TooSlow(late)));
                }
                alarm.as_mut().reset(deadline);
            }
            if alarm.deadline() > flow.deadline(&site.timeouts).0 {
                alarm.as_mut().reset(flow.deadline(&site.timeouts).0);
                cx.waker().wake_by_ref();
            }
            Poll::Pending
        })
        .await
        .map(|answer| (answer, link))
    }
}

/// The head of GSTN's answer, and the exchange that goes on to give its body.
pub(crate) struct Answered {
    pub(crate) head: Parts,
    pub(crate) exchange: Exchange,
}

/// An answer of GSTN's being read. Dropping it before its end closes the connection.
pub(crate) struct Exchange {
    link: Option<Link>,
    answer: Incoming,
    site: Arc<Site>,
    lane: usize,
}

impl Exchange {
    /// Sends `request` to the site's upstream, on a connection of `lane`.
    pub(crate) async fn begin(
        site: Arc<Site>,
        lane: usize,
        mut request: Request<RequestBody>,
        flow: &Flow,
    ) -> Result<Answered, Error> {
        let Some(upstream) = &site.upstream else { return Err(Error::new(Kind::NotConfigured)) };
        for attempt in 1.. {
            let link = upstream.link(lane, &site.timeouts).await?;
            flow.restart();
            match link.send(request, flow, &site).await {
                Ok((answer, link)) => {
                    let (head, answer) = answer.into_parts();
                    if head.status.is_informational() {
                        return Err(Error::because(Kind::GstnMalformed, head.status));
                    }
                    let exchange = Self { link, answer, site: Arc::clone(&site), lane };
                    return Ok(Answered { head, exchange });
                }
                Err(SendFault::Unsent(back, _)) if attempt < ATTEMPTS => request = *back,
                Err(SendFault::Unsent(_, error)) => return Err(Error::because(Kind::GstnUnreachable, error)),
                Err(SendFault::TooSlow(kind)) => return Err(Error::new(kind)),
                Err(SendFault::Failed(error)) => {
                    return Err(flow.broken().unwrap_or_else(|| no_answer(&error)));
                }
            }
        }
        Err(Error::new(Kind::GstnUnreachable))
    }

    /// Whether the last piece of the body was given, as far as its declared length tells.
    pub(crate) fn is_done(&self) -> bool {
        self.answer.is_end_stream()
    }

    /// How long the rest of the body is, where GSTN declared it.
    pub(crate) fn declared_length(&self) -> Option<u64> {
        self.answer.size_hint().exact()
    }

    /// The next piece of the body.
    pub(crate) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        loop {
            let mut next = Pin::new(&mut self.answer).poll_frame(cx);
            if next.is_pending() && self.link.is_some() {
                self.drive(cx);
                next = Pin::new(&mut self.answer).poll_frame(cx);
            }
            match next {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(piece) if !piece.is_empty() => {
                        // Whoever knows the length does not ask for what comes after the last piece.
                        if self.is_done() {
                            self.finish(cx);
                        }
                        return Poll::Ready(Some(Ok(piece)));
                    }
                    // Trailers mean nothing to GSTN's clients.
                    _ => continue,
                },
                Poll::Ready(Some(Err(error))) => {
                    self.link = None;
                    return Poll::Ready(Some(Err(half_an_answer(&error))));
                }
                Poll::Ready(None) => {
                    self.finish(cx);
                    return Poll::Ready(None);
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// The answer is whole: the connection may serve the next call of this thread.
    fn finish(&mut self, cx: &mut Context<'_>) {
        let Some(mut link) = self.link.take() else { return };
        if let Some(upstream) = &self.site.upstream
            && link.is_usable(cx)
        {
            upstream.keep(self.lane, link);
        }
    }

    fn drive(&mut self, cx: &mut Context<'_>) {
        if self.link.as_mut().is_some_and(|link| !link.drive(cx)) {
            self.link = None;
        }
    }
}

fn no_answer(error: &hyper::Error) -> Error {
    let kind = if error.is_parse() {
        Kind::GstnMalformed
    } else if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        Kind::GstnClosed
    } else if error.is_user() {
        Kind::Internal
    } else {
        match io_kind(error) {
            Some(io::ErrorKind::UnexpectedEof) => Kind::GstnClosed,
            _ => Kind::GstnReset,
        }
    };
    Error::because(kind, chain(error))
}

fn half_an_answer(error: &hyper::Error) -> Error {
    let kind = match io_kind(error) {
        Some(io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput) => Kind::GstnMalformed,
        _ => Kind::GstnHalfAnswer,
    };
    Error::because(kind, chain(error))
}

/// The kind of the I/O error that `error` comes from.
pub(crate) fn io_kind(error: &hyper::Error) -> Option<io::ErrorKind> {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Some(error.kind());
        }
        source = error.source();
    }
    None
}

/// `error` with everything it comes from, for the log.
fn chain(error: &hyper::Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        words.push_str(": ");
        words.push_str(&error.to_string());
        source = error.source();
    }
    words
}
