//! HTTP/1 towards ASPs: one connection, one call after the other, in one task.
//!
//! [`serve`] reads from the top down what becomes of a connection. Every head is judged before anything of it is believed, and
//! one that is refused is answered, logged and settled like every other call. Nobody but the call under way reads the body of
//! its request, and the answer is written as it comes: so back-pressure needs no more than not to read on.

mod answer;
mod head;
mod request;
mod socket;

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, Response, Version};
use http_body::Body;
use tokio::sync::watch;

use self::answer::{Outgoing, Wanted};
use self::head::Head;
pub(crate) use self::head::HeadFault;
use self::request::{Next, Wire};
pub(crate) use self::socket::Socket;
use crate::body::{AnswerBody, Incoming};
use crate::lane::Phase;
use crate::pipeline::{self, Visit};

/// What one connection demands of its heads, and how long it waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WireRules {
    pub(crate) head_bytes: usize,
    pub(crate) headers: usize,
    pub(crate) request_head: Duration,
    pub(crate) keep_alive: Duration,
    pub(crate) write_idle: Duration,
}

/// A connection, as the loop that serves it and the body of the request under way share it.
#[derive(Clone)]
struct Shared(Arc<Mutex<Wire>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Wire> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves the calls of one connection until it ends. Those that a closing gateway finds without a call end at once; the others
/// with the call that they carry.
pub(crate) async fn serve(
    socket: Socket,
    rules: WireRules,
    visit: Arc<Visit>,
    mut phase: watch::Receiver<Phase>,
) -> io::Result<()> {
    let wire = Shared(Arc::new(Mutex::new(Wire::new(socket, rules))));
    let mut outgoing = Outgoing::default();
    let mut closing = pin!(phase.wait_for(|phase| *phase != Phase::Open));
    let mut is_closing = false;
    loop {
        let next = poll_fn(|cx| {
            let mut wire = wire.lock();
            if let Poll::Ready(next) = wire.poll_head(cx) {
                return Poll::Ready(next);
            }
            is_closing = is_closing || closing.as_mut().poll(cx).is_ready();
            if is_closing && !wire.head_has_begun() { Poll::Ready(Next::End) } else { Poll::Pending }
        });
        let (parts, body, wanted, fault) = match next.await {
            Next::Call(head) => {
                let (parts, body, wanted) = begin(*head, &wire);
                (parts, body, wanted, None)
            }
            // Of a request that could not be read, there is nothing to go by.
            Next::Refused(fault) => {
                (Request::new(()).into_parts().0, Incoming::None, Wanted::NOTHING, Some(fault))
            }
            Next::End => break,
        };
        let mut call = pin!(pipeline::answer(&visit, parts, body, None, fault));
        let answered = poll_fn(|cx| match call.as_mut().poll(cx) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            Poll::Pending => wire.lock().poll_gone(cx).map(|()| None),
        });
        let Some(answer) = answered.await else { return Ok(()) };
        if !give(answer, &wire, wanted, &mut outgoing).await? {
            break;
        }
    }
    poll_fn(|cx| wire.lock().poll_close(cx)).await
}

/// A call begins with `head`.
fn begin(head: Head, wire: &Shared) -> (Parts, Incoming, Wanted) {
    let Head { parts, keeps, .. } = head;
    let wanted =
        Wanted { head_only: parts.method == Method::HEAD, old: parts.version == Version::HTTP_10, keeps };
    let has_body = !wire.lock().is_read();
    let body = if has_body { Incoming::OnWire(RequestBody(wire.clone())) } else { Incoming::None };
    (parts, body, wanted)
}

/// Gives an answer to its end; says whether the connection goes on.
async fn give(
    answer: Response<AnswerBody>,
    wire: &Shared,
    wanted: Wanted,
    outgoing: &mut Outgoing,
) -> io::Result<bool> {
    let (parts, body) = answer.into_parts();
    let mut body = pin!(body);
    outgoing.begin(&parts, wanted, body.size_hint().exact());
    while outgoing.goes_on() {
        let next = poll_fn(|cx| {
            if let Poll::Ready(next) = body.as_mut().poll_frame(cx) {
                return Poll::Ready(Ok(next));
            }
            let mut wire = wire.lock();
            // What is there already need not wait for the rest.
            if let Poll::Ready(Err(error)) = wire.poll_send(cx, outgoing) {
                return Poll::Ready(Err(error));
            }
            wire.poll_gone(cx).map(|()| Err(io::ErrorKind::ConnectionAborted.into()))
        });
        match next.await? {
            Some(Ok(frame)) => outgoing.add(frame.into_data().unwrap_or_default()),
            None if outgoing.end() => {}
            Some(Err(_)) | None => {
                wire.lock().reset_on_close();
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        poll_fn(|cx| wire.lock().poll_send(cx, outgoing)).await?;
    }
    poll_fn(|cx| wire.lock().poll_send(cx, outgoing)).await?;
    Ok(outgoing.keeps() && wire.lock().is_read())
}

/// The body of the request under way, taken from the connection as it comes in.
pub(crate) struct RequestBody(Shared);

impl RequestBody {
    /// The next piece; `None` at the end. What is not chunked as it should be is
    /// [`InvalidData`](io::ErrorKind::InvalidData), what ends early [`UnexpectedEof`](io::ErrorKind::UnexpectedEof).
    pub(crate) fn poll_piece(&self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        self.0.lock().poll_body(cx)
    }

    /// Whether nothing is left.
    pub(crate) fn is_over(&self) -> bool {
        self.0.lock().is_read()
    }

    /// How much is left, where that was declared.
    pub(crate) fn declared(&self) -> Option<u64> {
        self.0.lock().declared()
    }
}
