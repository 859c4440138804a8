//! One request and its answer on one connection to GSTN.
//!
//! The connection is driven by the call that uses it, in the same task: no hand-over between tasks, back-pressure
//! in both directions by itself, and a call that is given up takes its connection with it.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use tokio::time::Instant;

use super::http1::{Fault, Framing, Head, HeadReader, Lines, Malformed, Next, Outgoing};
use super::link::{Io, Link};
use crate::body::{Flow, RequestBody};
use crate::error::{Error, Kind};
use crate::site::Site;

/// How often a request that provably was not sent is tried on another connection.
const ATTEMPTS: usize = 3;

/// Why a request got no answer.
enum SendFault {
    /// Nothing of it was sent.
    Unsent(io::Error),
    /// Its own body is at fault.
    Body(&'static str),
    /// GSTN closed the connection, or something broke it.
    Broken(io::Error),
    Malformed(Malformed),
    /// Somebody took too long.
    TooSlow(Kind),
}

/// How far a request is on its way out.
enum Sending {
    Going(Outgoing<RequestBody>),
    Done,
    /// GSTN takes no more of it. It may have answered all the same.
    Stuck,
}

impl Sending {
    /// Sends what can be sent now.
    fn go_on(&mut self, cx: &mut Context<'_>, io: &mut Io) -> Result<(), SendFault> {
        let Self::Going(request) = self else { return Ok(()) };
        match request.poll_send(cx, io) {
            Poll::Pending => {}
            Poll::Ready(Ok(())) => *self = Self::Done,
            Poll::Ready(Err(Fault::Broken)) => return Err(SendFault::Body("the request's body broke off")),
            Poll::Ready(Err(Fault::Length)) => {
                return Err(SendFault::Body("the request's body is not as long as it was declared"));
            }
            Poll::Ready(Err(Fault::Io(_))) if request.has_begun() => *self = Self::Stuck,
            Poll::Ready(Err(Fault::Io(error))) => {
                return Err(match io {
                    Io::Plain(_) => SendFault::Unsent(error),
                    // What could not be written whole may have been sent in part.
                    Io::Tls(_) => SendFault::Broken(error),
                });
            }
        }
        Ok(())
    }

    fn has_begun(&self) -> bool {
        if let Self::Going(request) = self { request.has_begun() } else { true }
    }
}

/// The head of GSTN's answer, and the exchange that goes on to give its body.
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    /// Those that may be passed on.
    pub(crate) headers: HeaderMap,
    pub(crate) exchange: Exchange,
}

/// An answer of GSTN's being read. Dropping it before its end closes the connection.
pub(crate) struct Exchange {
    /// `None` once the answer is whole, or broken.
    link: Option<Link>,
    framing: Framing,
    /// GSTN may answer before all of the request was sent.
    sending: Sending,
    reusable: bool,
    /// When the next piece must have come; known once somebody waits for it.
    patience_ends: Option<Instant>,
    site: Arc<Site>,
    lane: usize,
}

impl Exchange {
    /// Sends `request` to the site's upstream, on a connection of `lane`. Of the answer's headers, those remain that `sieve`
    /// makes of them.
    pub(crate) async fn begin(
        site: Arc<Site>,
        lane: usize,
        request: Outgoing<RequestBody>,
        flow: &Flow,
        sieve: impl Fn(StatusCode, &Lines<'_>) -> HeaderMap,
    ) -> Result<Answered, Error> {
        let Some(upstream) = &site.upstream else { return Err(Error::new(Kind::NotConfigured)) };
        let bodiless = request.has_bodiless_answer();
        let mut sending = Sending::Going(request);
        for attempt in 1.. {
            let mut link = match upstream.idle(lane, flow.begun()).await {
                Some(link) => link,
                None => {
                    let link = upstream.connect(&site.timeouts).await?;
                    flow.restart();
                    link
                }
            };
            let mut reader = HeadReader::new(bodiless);
            let answered = poll_fn(|cx| {
                let head = poll_head(&mut link, &mut sending, &mut reader, cx, &sieve);
                if head.is_pending() {
                    let (deadline, late) = flow.deadline(&site.timeouts);
                    ready!(link.alarm.poll(cx, deadline));
                    return Poll::Ready(Err(SendFault::TooSlow(late)));
                }
                head
            });
            match answered.await {
                Ok((head, ahead)) => {
                    link.ahead = ahead;
                    let Head { status, headers, framing, reusable } = head;
                    let (link, site) = (Some(link), Arc::clone(&site));
                    let exchange = Self { link, framing, sending, reusable, patience_ends: None, site, lane };
                    return Ok(Answered { status, headers, exchange });
                }
                Err(SendFault::Unsent(_)) if attempt < ATTEMPTS => {}
                Err(fault) => return Err(fault.told(flow)),
            }
        }
        Err(Error::new(Kind::GstnUnreachable))
    }

    /// Whether the last piece of the body was given, as far as that can be known before more is read.
    pub(crate) fn is_done(&self) -> bool {
        self.framing.is_over()
    }

    /// How long the rest of the body is, where GSTN declared it.
    pub(crate) fn declared_length(&self) -> Option<u64> {
        self.framing.declared_length()
    }

    /// The next piece of the body, as soon as there is one.
    pub(crate) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        self.poll(cx, 1)
    }

    /// All that is left of a body whose length GSTN declared. The caller has seen to it that it can be held.
    pub(crate) fn poll_whole(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Error>> {
        let length = self.declared_length().and_then(|length| usize::try_from(length).ok());
        let whole = ready!(self.poll(cx, length.unwrap_or(1)));
        Poll::Ready(whole.unwrap_or_else(|| Ok(Bytes::new())))
    }

    /// The next piece, once `least` bytes are there.
    fn poll(&mut self, cx: &mut Context<'_>, least: usize) -> Poll<Option<Result<Bytes, Error>>> {
        let Some(link) = &mut self.link else { return Poll::Ready(None) };
        let held = link.read.len();
        let next = match poll_next(link, &mut self.framing, &mut self.sending, cx, least) {
            Poll::Ready(next) => next,
            Poll::Pending => {
                if link.read.len() != held {
                    self.patience_ends = None;
                }
                let patience = self.site.timeouts.answer_idle();
                let ends = *self.patience_ends.get_or_insert_with(|| Instant::now() + patience);
                ready!(link.alarm.poll(cx, ends));
                Err(Error::because(Kind::GstnHalfAnswer, "GSTN paused for too long"))
            }
        };
        self.patience_ends = None;
        match next {
            Ok(piece) => {
                // Whoever knows that it was the last piece does not ask for what comes after it.
                if piece.is_none() || self.is_done() {
                    self.finish();
                }
                Poll::Ready(piece.map(Ok))
            }
            Err(error) => {
                self.link = None;
                Poll::Ready(Some(Err(error)))
            }
        }
    }

    /// The answer is whole: the connection may serve the next call of this thread.
    fn finish(&mut self) {
        let Some(mut link) = self.link.take() else { return };
        if let Some(upstream) = &self.site.upstream
            && self.reusable
            && matches!(self.sending, Sending::Done)
            && link.ahead.is_empty()
        {
            link.rest();
            upstream.keep(self.lane, link);
        }
    }
}

/// Sends on `link` what can be sent, and reads until the head of the answer is there.
fn poll_head(
    link: &mut Link,
    sending: &mut Sending,
    reader: &mut HeadReader,
    cx: &mut Context<'_>,
    sieve: &impl Fn(StatusCode, &Lines<'_>) -> HeaderMap,
) -> Poll<Result<(Head, Bytes), SendFault>> {
    sending.go_on(cx, &mut link.io)?;
    // What comes before anything was asked is no answer.
    if !sending.has_begun() {
        return Poll::Pending;
    }
    while ready!(link.poll_read(cx, 0)).map_err(SendFault::Broken)? > 0 {
        if let Some(head) = reader.take(&mut link.read, sieve).map_err(SendFault::Malformed)? {
            return Poll::Ready(Ok(head));
        }
    }
    Poll::Ready(Err(SendFault::Broken(closed_early())))
}

/// The next piece of the answer's body on `link`, once `least` bytes are there. `None`: it is at its end.
fn poll_next(
    link: &mut Link,
    framing: &mut Framing,
    sending: &mut Sending,
    cx: &mut Context<'_>,
    least: usize,
) -> Poll<Result<Option<Bytes>, Error>> {
    if let Some(rest) = framing.declared_length().filter(|_| link.ahead.len() >= least) {
        link.top_up(cx, rest).map_err(|error| half_an_answer(&error))?;
    }
    loop {
        if framing.is_over() || link.ahead.len() >= least {
            match framing.next(&mut link.ahead).map_err(|fault| Error::because(Kind::GstnMalformed, fault))? {
                Next::Piece(piece) => return Poll::Ready(Ok(Some(piece))),
                Next::Over => return Poll::Ready(Ok(None)),
                Next::More => {}
            }
        }
        if let Err(SendFault::Body(words)) = sending.go_on(cx, &mut link.io) {
            return Poll::Ready(Err(Error::because(Kind::GstnHalfAnswer, words)));
        }
        let more = ready!(link.poll_ahead(cx, framing.declared_length(), least))
            .map_err(|error| half_an_answer(&error))?;
        if !more && !framing.close() {
            return Poll::Ready(Err(half_an_answer(&closed_early())));
        }
    }
}

fn closed_early() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "GSTN closed the connection before the end of its answer")
}

impl SendFault {
    /// As the call is answered, and the log is told.
    fn told(self, flow: &Flow) -> Error {
        match self {
            Self::Unsent(error) => Error::because(Kind::GstnUnreachable, error),
            Self::Body(words) => flow.broken().unwrap_or_else(|| Error::because(Kind::Internal, words)),
            Self::Broken(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Error::because(Kind::GstnClosed, error)
            }
            Self::Broken(error) => Error::because(Kind::GstnReset, error),
            Self::Malformed(fault) => Error::because(Kind::GstnMalformed, fault),
            Self::TooSlow(kind) => Error::new(kind),
        }
    }
}

fn half_an_answer(error: &io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => Kind::GstnMalformed,
        _ => Kind::GstnHalfAnswer,
    };
    Error::because(kind, error)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::Method;
    use socket2::SockRef;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::timeout;

    use super::super::link::tests::{block_on, linked};
    use super::*;
    use crate::body::Incoming;

    const HEAD: &[u8] = b"GET / HTTP/1.1\r\n";

    fn request() -> Sending {
        let body = RequestBody::new(Incoming::None, Flow::new(&Incoming::None), 0);
        Sending::Going(Outgoing::new(HEAD.to_vec(), &Method::GET, body))
    }

    #[test]
    fn what_could_not_even_be_begun_goes_on_another_connection() {
        block_on(async {
            let (mut link, theirs) = linked().await;
            SockRef::from(&theirs).set_linger(Some(Duration::ZERO)).unwrap();
            drop(theirs);
            let mut sending = request();
            let sent = poll_fn(|cx| Poll::Ready(sending.go_on(cx, &mut link.io))).await;
            assert!(matches!(sent, Err(SendFault::Unsent(_))));
            assert!(!sending.has_begun());
            let (mut link, mut theirs) = linked().await;
            assert!(poll_fn(|cx| Poll::Ready(sending.go_on(cx, &mut link.io))).await.is_ok());
            assert!(matches!(sending, Sending::Done));
            let mut seen = [0; HEAD.len() + 2];
            theirs.read_exact(&mut seen).await.unwrap();
            assert_eq!(seen, *b"GET / HTTP/1.1\r\n\r\n");
        });
    }

    #[test]
    fn an_answer_counts_though_the_request_got_stuck() {
        block_on(async {
            let (mut link, mut theirs) = linked().await;
            theirs.write_all(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            let (mut sending, mut reader) = (Sending::Stuck, HeadReader::new(false));
            let none = |_, _: &Lines<'_>| HeaderMap::new();
            let head = poll_fn(|cx| poll_head(&mut link, &mut sending, &mut reader, cx, &none));
            let head = timeout(Duration::from_secs(20), head).await.expect("an answer");
            assert!(head.is_ok_and(|(head, _)| head.status == StatusCode::PAYLOAD_TOO_LARGE));
        });
    }
}
