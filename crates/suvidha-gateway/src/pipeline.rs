//! The life of one call, from the first byte to its settlement. Read [`stages`] from the top down.

pub(crate) mod admit;
pub(crate) mod forward;
pub(crate) mod head;
pub(crate) mod identify;
pub(crate) mod receive;
pub(crate) mod route;
pub(crate) mod settle;

use std::any::Any;
use std::future::poll_fn;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use gstn::headers::X_REQUEST_ID;
use http::header::{CONNECTION, DATE, EXPECT};
use http::request::Parts;
use http::{HeaderValue, Method, Response, Version};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use tokio::time::timeout;
use uuid::Uuid;

use self::head::Head;
use self::route::Destination;
use self::settle::{Record, Settlement};
use crate::body::{AnswerBody, Content, Incoming};
use crate::error::{Error, Kind};
use crate::plane::Door;
use crate::recorder::Unrecorded;
use crate::site::Site;
use crate::streams::CallOnStream;
use crate::wire::HeadFault;
use crate::{aspapi, getkey, own, setasppubcer};

/// The longest request body, in bytes, that is read though nobody wants it, and how long its bytes may take to
/// come.
const READ_UNWANTED: u64 = 64 * 1024;
const WAIT_FOR_UNWANTED: Duration = Duration::from_secs(1);

/// A call that has come as far as its stage says.
///
/// Only the module of a stage can make that stage's value, and each takes the one before. So a forward of a
/// call whose ASP was not admitted does not compile.
pub(crate) struct Call<'h, Stage> {
    /// In a box, for it is large, and the call is moved from stage to stage.
    pub(crate) head: Box<Head<'h>>,
    /// The ASP's address, as far as the proxies before us can be believed.
    pub(crate) caller: IpAddr,
    /// The environment as it was when the call began.
    pub(crate) site: Arc<Site>,
    /// The thread that serves it.
    pub(crate) lane: usize,
    pub(crate) stage: Stage,
}

impl<'h, Stage> Call<'h, Stage> {
    /// The same call, one stage on.
    fn advance<Next>(self, next: impl FnOnce(Stage) -> Next) -> Call<'h, Next> {
        let Self { head, caller, site, lane, stage } = self;
        Call { head, caller, site, lane, stage: next(stage) }
    }
}

/// A connection that calls come in on.
pub(crate) struct Visit {
    pub(crate) door: Arc<Door>,
    pub(crate) peer: IpAddr,
    pub(crate) lane: usize,
}

/// Answers one request, whatever happens to it.
pub(crate) async fn answer(
    visit: &Visit,
    head: Parts,
    body: Incoming,
    on_stream: Option<CallOnStream>,
    fault: Option<HeadFault>,
) -> Response<AnswerBody> {
    let mut settlement = Box::new(Settlement::open(&visit.door, visit.lane));
    let record = &mut settlement.record;
    record.trace = visit.door.plane.tracer.as_ref().map(|tracer| tracer.begin(&head));
    let version = head.version;
    let waits_for_leave = head.headers.contains_key(EXPECT);
    let mut body = Some(body);
    let outcome = match caught(stages(visit, head, &mut body, fault, record)).await {
        Ok(outcome) => outcome,
        Err(panic) => Err(Error::because(Kind::Internal, words(&*panic))),
    };
    let response = outcome.unwrap_or_else(|error| refusal(error, record));
    record.status = Some(response.status());
    let draining = visit.door.plane.is_draining();
    let closes =
        version < Version::HTTP_2 && (draining || !read_to_its_end(body, waits_for_leave, record).await);
    let mut response = recorded(response, &mut settlement).await;
    if closes {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if let Some(notice) = settlement.record.notice {
        notice.write(response.headers_mut());
    }
    response.headers_mut().insert(X_REQUEST_ID, header(settlement.record.request_id));
    if !response.headers().contains_key(DATE)
        && let Some(date) = date(visit.door.plane.seam.now())
    {
        response.headers_mut().insert(DATE, date);
    }
    response.map(|content| AnswerBody::new(content, version, settlement, on_stream))
}

/// The body is taken by whoever reads it, and left where nobody did.
async fn stages(
    visit: &Visit,
    head: Parts,
    body: &mut Option<Incoming>,
    fault: Option<HeadFault>,
    record: &mut Record,
) -> Result<Response<Content>, Error> {
    let length = body.as_ref().and_then(Incoming::declared).unwrap_or(0);
    let call = receive::receive(visit, &head, length, fault, record)?;
    match route::route(call, visit, record)? {
        Destination::Own(endpoint, call) => own::respond(endpoint, &call, visit),
        // Apart from the others' memory, so that the rare calls do not make the frequent ones carry theirs.
        Destination::GetKey(call) => Box::pin(getkey::respond(&call, visit, body, record)).await,
        Destination::SetAspPubCer(call) => Box::pin(setasppubcer::respond(&call, visit, body, record)).await,
        Destination::OfItself(question, call) => {
            Box::pin(aspapi::respond(question, call, visit, record)).await
        }
        Destination::Gstn(call) => {
            let call = identify::identify(call, visit, record)?;
            visit.door.check_ledger()?;
            let call = admit::admit(call, visit, record).await?;
            forward::forward(call, visit, body, record).await
        }
    }
}

/// The answer to a call that is refused, or has failed.
fn refusal(mut error: Error, record: &mut Record) -> Response<Content> {
    record.failed(&error);
    if record.getkey {
        let txn = record.txn.as_ref().and_then(|txn| txn.to_str().ok()).unwrap_or_default();
        error = error.of_getkey(txn.trim());
    }
    let always_200 = record.asp.as_ref().is_some_and(|asp| asp.always_200);
    let response = error.response(record.request_id, always_200);
    record.status = Some(response.status());
    response.map(|body| Content::Whole(body.into()))
}

/// `response`, when it may begin. A whole answer waits here for its entry; of a streamed one it is the end that waits, in
/// [`AnswerBody`].
async fn recorded(response: Response<Content>, settlement: &mut Settlement) -> Response<Content> {
    let Content::Whole(body) = response.body() else { return response };
    let record = &mut settlement.record;
    record.bytes_out = if record.method == Some(Method::HEAD) { 0 } else { body.len() as u64 };
    settlement.enter_given();
    match poll_fn(|cx| settlement.poll_written(cx)).await {
        Ok(()) => response,
        Err(Unrecorded) => refusal(Error::new(Kind::Unrecorded), &mut settlement.record),
    }
}

/// Reads what a request still carries though it is answered, where that costs less than a new connection; says
/// whether the next request begins after it. A client that waits for leave to send its body may never send it.
async fn read_to_its_end(body: Option<Incoming>, waits_for_leave: bool, record: &Record) -> bool {
    let Some(mut body) = body else {
        return record.request_body.as_ref().is_some_and(|flow| flow.is_over());
    };
    if body.is_over() {
        return true;
    }
    if waits_for_leave || body.declared().is_some_and(|length| length > READ_UNWANTED) {
        return false;
    }
    let rest = async {
        let mut read = 0;
        while let Some(piece) = poll_fn(|cx| body.poll_piece(cx)).await {
            let Ok(piece) = piece else { return false };
            read += piece.len() as u64;
            if read > READ_UNWANTED {
                return false;
            }
        }
        true
    };
    timeout(WAIT_FOR_UNWANTED, rest).await.unwrap_or(false)
}

/// `future`, with a panic made into a value, so that one call's misfortune is only its own.
async fn caught<F: Future>(future: F) -> Result<F::Output, Box<dyn Any + Send>> {
    let mut future = pin!(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
        Ok(Poll::Pending) => Poll::Pending,
        Err(panic) => Poll::Ready(Err(panic)),
    })
    .await
}

fn words(panic: &(dyn Any + Send)) -> String {
    let words = panic.downcast_ref::<&str>().map(ToString::to_string);
    let words = words.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("a panic: {}", words.unwrap_or_default())
}

fn header(request_id: Uuid) -> HeaderValue {
    let mut text = Uuid::encode_buffer();
    let text = request_id.hyphenated().encode_lower(&mut text);
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}

/// The time as HTTP writes it.
fn date(now: Timestamp) -> Option<HeaderValue> {
    HeaderValue::try_from(DateTimePrinter::new().timestamp_to_rfc9110_string(&now).ok()?).ok()
}
