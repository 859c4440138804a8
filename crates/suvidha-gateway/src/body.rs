//! Bodies on their way through: never held whole where they are long, never looked into, never changed.

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::Version;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use suvidha_store::ledger::Outcome;
use tokio::time::{Instant, timeout};

use crate::aspapi::Listing;
use crate::config::Timeouts;
use crate::error::{Error, Kind};
use crate::pipeline::forward::Glimpse;
use crate::pipeline::settle::{Record, Settlement};
use crate::streams::CallOnStream;
use crate::upstream::Exchange;
use crate::wire;

/// The body of a request, from wherever it comes in.
pub(crate) enum Incoming {
    /// There is none.
    None,
    /// In HTTP/1.
    OnWire(wire::RequestBody),
    /// In HTTP/2.
    OnStream(hyper::body::Incoming),
}

impl Incoming {
    /// The next piece; `None` at the end.
    pub(crate) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, (Kind, String)>>> {
        match self {
            Self::None => Poll::Ready(None),
            Self::OnWire(body) => body.poll_piece(cx).map_err(|error| match error.kind() {
                std::io::ErrorKind::InvalidData => {
                    (Kind::MalformedHttp, "the body is not chunked as it should be".to_owned())
                }
                _ => (Kind::BodyEndedEarly, error.to_string()),
            }),
            Self::OnStream(body) => loop {
                let Some(frame) = ready!(Pin::new(&mut *body).poll_frame(cx)) else {
                    return Poll::Ready(None);
                };
                // Trailers are not GSTN's business.
                match frame.map(Frame::into_data) {
                    Ok(Ok(piece)) => return Poll::Ready(Some(Ok(piece))),
                    Ok(Err(_)) => {}
                    Err(error) => return Poll::Ready(Some(Err((Kind::BodyEndedEarly, error.to_string())))),
                }
            },
        }
    }

    /// Whether nothing is left, as far as that is known.
    pub(crate) fn is_over(&self) -> bool {
        match self {
            Self::None => true,
            Self::OnWire(body) => body.is_over(),
            Self::OnStream(body) => body.is_end_stream(),
        }
    }

    /// How many bytes are left, where that was declared.
    pub(crate) fn declared(&self) -> Option<u64> {
        match self {
            Self::None => Some(0),
            Self::OnWire(body) => body.declared(),
            Self::OnStream(body) => body.size_hint().exact(),
        }
    }
}

/// How a request body is getting on, for those who wait for its end.
///
/// One thread looks at it and changes it, several times in every call; each of these stands for itself, and needs no lock.
pub(crate) struct Flow {
    begun: Instant,
    /// When something moved last, in nanoseconds after `begun`.
    since: AtomicU64,
    taken: AtomicU64,
    waiting_for_asp: AtomicBool,
    over: AtomicBool,
    broken: OnceLock<(Kind, String)>,
}

impl Flow {
    pub(crate) fn new(body: &Incoming) -> Arc<Self> {
        Arc::new(Self {
            begun: Instant::now(),
            since: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            waiting_for_asp: AtomicBool::new(false),
            over: AtomicBool::new(body.is_over()),
            broken: OnceLock::new(),
        })
    }

    /// When the body was taken up.
    pub(crate) fn begun(&self) -> Instant {
        self.begun
    }

    /// The clock runs from now.
    pub(crate) fn restart(&self) {
        let since = self.begun.elapsed().as_nanos();
        self.since.store(u64::try_from(since).unwrap_or(u64::MAX), Relaxed);
    }

    /// Bytes taken from the ASP.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Relaxed)
    }

    /// Whether the ASP's body was read to its end.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Relaxed)
    }

    /// When to give up, unless something moves until then, and what to say then.
    pub(crate) fn deadline(&self, timeouts: &Timeouts) -> (Instant, Kind) {
        let since = self.begun + Duration::from_nanos(self.since.load(Relaxed));
        if self.waiting_for_asp.load(Relaxed) {
            (since + timeouts.request_body_idle(), Kind::RequestTooSlow)
        } else {
            (since + timeouts.first_byte(), Kind::GstnTimeout)
        }
    }

    /// Why the ASP's body could not be read to its end, if so.
    pub(crate) fn broken(&self) -> Option<Error> {
        self.broken.get().map(|(kind, detail)| Error::because(*kind, detail))
    }

    fn moved(&self, bytes: usize, waiting_for_asp: bool) -> u64 {
        let was_waiting = self.waiting_for_asp.swap(waiting_for_asp, Relaxed);
        if bytes > 0 || was_waiting != waiting_for_asp {
            self.restart();
        }
        let bytes = bytes as u64;
        self.taken.fetch_add(bytes, Relaxed) + bytes
    }
}

/// A short body, for an API of our own: at most `most` bytes, all of them there after `patience`.
pub(crate) async fn read_whole(
    body: &mut Option<Incoming>,
    most: u64,
    patience: Duration,
    record: &mut Record,
) -> Result<Bytes, Error> {
    if body.as_ref().and_then(Incoming::declared).is_some_and(|length| length > most) {
        return Err(Error::saying(
            Kind::BodyTooLarge,
            format!("The body of this call has at most {most} bytes."),
        ));
    }
    let Some(incoming) = body.take() else { return Err(Error::because(Kind::Internal, "the body is gone")) };
    let flow = Flow::new(&incoming);
    record.request_body = Some(Arc::clone(&flow));
    match timeout(patience, RequestBody::new(incoming, Arc::clone(&flow), most).collect()).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(broken)) => Err(flow.broken().unwrap_or_else(|| Error::because(Kind::BodyEndedEarly, broken))),
        Err(_) => Err(Error::new(Kind::RequestTooSlow)),
    }
}

/// The ASP's body, as GSTN gets it.
pub(crate) struct RequestBody {
    incoming: Incoming,
    flow: Arc<Flow>,
    most: u64,
}

impl RequestBody {
    pub(crate) fn new(incoming: Incoming, flow: Arc<Flow>, most: u64) -> Self {
        Self { incoming, flow, most }
    }

    fn fail(&self, kind: Kind, detail: impl ToString) -> BrokenOff {
        // What went wrong first is why.
        let _ = self.flow.broken.set((kind, detail.to_string()));
        BrokenOff
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let this = self.get_mut();
        let Poll::Ready(next) = this.incoming.poll_piece(cx) else {
            this.flow.moved(0, true);
            return Poll::Pending;
        };
        this.flow.over.store(next.is_none() || this.incoming.is_over(), Relaxed);
        Poll::Ready(match next {
            Some(Ok(piece)) => {
                let taken = this.flow.moved(piece.len(), false);
                if taken > this.most {
                    Some(Err(this.fail(Kind::BodyTooLarge, "the body grew beyond its limit")))
                } else {
                    Some(Ok(Frame::data(piece)))
                }
            }
            Some(Err((kind, detail))) => Some(Err(this.fail(kind, detail))),
            None => {
                this.flow.moved(0, false);
                None
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_over()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.declared().map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// A body that cannot go on. It ends the connection it travels on, so that nobody takes it for whole.
#[derive(Debug)]
pub(crate) struct BrokenOff;

impl fmt::Display for BrokenOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body broke off")
    }
}

impl std::error::Error for BrokenOff {}

/// What an ASP gets. It holds the call's settlement, which happens when hyper has taken the last byte or
/// given up.
pub(crate) struct AnswerBody {
    content: Content,
    /// The end of a streamed answer, which waits for the call's entry: its last piece or, where its length was not
    /// declared, nothing but the end itself.
    end: Option<Option<Bytes>>,
    /// The client takes the end of the connection for that of the answer, and so for its end what came before.
    end_is_silent: bool,
    /// Of such an answer, the piece before the next.
    behind: Option<Bytes>,
    settlement: Option<Box<Settlement>>,
    on_stream: Option<CallOnStream>,
}

/// What is to be sent.
pub(crate) enum Content {
    Whole(Bytes),
    Streaming(Box<Streaming>),
    Listing(Box<Listing>),
}

/// A long answer of GSTN's, passed on piece by piece.
pub(crate) struct Streaming {
    exchange: Exchange,
    /// What was read ahead, to be sent before the rest.
    first: Bytes,
    glimpse: Glimpse,
}

impl Streaming {
    pub(crate) fn new(exchange: Exchange, first: Bytes, glimpse: Glimpse) -> Self {
        Self { exchange, first, glimpse }
    }

    /// Whether nothing is left, as far as that is known.
    fn is_over(&self) -> bool {
        self.first.is_empty() && self.exchange.is_done()
    }

    /// The next piece, or why there is none.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        if !self.first.is_empty() {
            return Poll::Ready(Some(Ok(std::mem::take(&mut self.first))));
        }
        self.exchange.poll_piece(cx)
    }
}

impl AnswerBody {
    pub(crate) fn new(
        content: Content,
        version: Version,
        settlement: Box<Settlement>,
        on_stream: Option<CallOnStream>,
    ) -> Self {
        let mut body = Self {
            content,
            end: None,
            end_is_silent: false,
            behind: None,
            settlement: Some(settlement),
            on_stream,
        };
        body.end_is_silent = version < Version::HTTP_11 && body.size_hint().exact().is_none();
        body
    }

    /// The next piece that need not wait. `None`: what is left is the end.
    fn poll_beginning(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        loop {
            let (next, is_over, mut glimpse) = match &mut self.content {
                Content::Whole(_) => return Poll::Ready(None),
                Content::Streaming(streaming) => {
                    (ready!(streaming.poll_piece(cx)), streaming.is_over(), Some(&mut streaming.glimpse))
                }
                Content::Listing(listing) => (ready!(listing.poll_piece(cx)), listing.is_over(), None),
            };
            let Some(settlement) = &mut self.settlement else { return Poll::Ready(next) };
            let record = &mut settlement.record;
            if let Some(Ok(piece)) = &next {
                record.bytes_out += piece.len() as u64;
                if let Some(glimpse) = &mut glimpse {
                    glimpse.passes(piece, record);
                }
            }
            let last = match next {
                Some(Ok(piece)) if !is_over && self.end_is_silent => match self.behind.replace(piece) {
                    Some(before) => return Poll::Ready(Some(Ok(before))),
                    None => continue,
                },
                Some(Ok(piece)) if !is_over => return Poll::Ready(Some(Ok(piece))),
                last => last,
            };
            if let Some(glimpse) = glimpse {
                glimpse.end(record);
            }
            let last = match last.transpose() {
                Ok(last) => last,
                Err(error) => return Poll::Ready(Some(Err(error))),
            };
            settlement.enter_given();
            let before = if last.is_some() { self.behind.take() } else { None };
            self.end = Some(last.or_else(|| self.behind.take()));
            return Poll::Ready(before.map(Ok));
        }
    }

    /// The end, once the call's entry is on disk.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        if let Some(settlement) = &mut self.settlement
            && ready!(settlement.poll_written(cx)).is_err()
        {
            return Poll::Ready(Some(Err(Error::new(Kind::Unrecorded))));
        }
        Poll::Ready(self.end.take().flatten().map(Ok))
    }

    /// The answer is over: settle it now, not when hyper comes to drop it.
    fn close(&mut self, broken: Option<&Error>) {
        if let Some(mut settlement) = self.settlement.take()
            && let Some(error) = broken
        {
            settlement.record.failed(error);
            settlement.enter_late(Outcome::BrokenOff);
        }
        self.on_stream = None;
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let this = self.get_mut();
        let mut next = match &mut this.content {
            Content::Whole(bytes) if !bytes.is_empty() => Some(Ok(std::mem::take(bytes))),
            _ if this.end.is_none() => ready!(this.poll_beginning(cx)),
            _ => None,
        };
        if next.is_none() {
            next = ready!(this.poll_end(cx));
        }
        Poll::Ready(match next {
            Some(Ok(piece)) => Some(Ok(Frame::data(piece))),
            Some(Err(error)) => {
                this.close(Some(&error));
                Some(Err(BrokenOff))
            }
            None => {
                this.close(None);
                None
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Whole(bytes) => bytes.is_empty(),
            Content::Streaming(streaming) => streaming.is_over() && self.end.is_none(),
            Content::Listing(listing) => listing.is_over() && self.end.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Streaming(streaming) => {
                streaming.exchange.declared_length().map_or_else(SizeHint::default, |rest| {
                    SizeHint::with_exact(rest + streaming.first.len() as u64)
                })
            }
            Content::Listing(_) => SizeHint::default(),
        }
    }
}
