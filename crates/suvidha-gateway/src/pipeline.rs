//! The life of one call, from the first byte to its settlement. Read [`stages`] from the top down.

pub(crate) mod admit;
pub(crate) mod forward;
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

use gstn::headers::X_REQUEST_ID;
use http::header::CONNECTION;
use http::{HeaderValue, Request, Response, Version};
use http_body::Body;
use hyper::body::Incoming;
use uuid::Uuid;

use self::route::Destination;
use self::settle::{Record, Settlement};
use crate::body::{AnswerBody, Content};
use crate::error::{Error, Kind};
use crate::own;
use crate::plane::Door;
use crate::site::Site;
use crate::wire::{CallOnLine, HeadFault};

/// The longest request body, in bytes, that is read though its call was refused.
const READ_AFTER_REFUSAL: u64 = 64 * 1024;

/// A call that has come as far as its stage says.
///
/// Only the module of a stage can make that stage's value, and each takes the one before. So a forward of a
/// call whose ASP was not admitted does not compile.
pub(crate) struct Call<Stage> {
    pub(crate) head: http::request::Parts,
    pub(crate) body: Incoming,
    /// The ASP's address, as far as the proxies before us can be believed.
    pub(crate) caller: IpAddr,
    /// The environment as it was when the call began.
    pub(crate) site: Arc<Site>,
    /// The thread that serves it.
    pub(crate) lane: usize,
    pub(crate) stage: Stage,
}

impl<Stage> Call<Stage> {
    /// The same call, one stage on.
    fn advance<Next>(self, next: impl FnOnce(Stage) -> Next) -> Call<Next> {
        let Self { head, body, caller, site, lane, stage } = self;
        Call { head, body, caller, site, lane, stage: next(stage) }
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
    visit: Arc<Visit>,
    request: Request<Incoming>,
    on_line: Option<CallOnLine>,
    fault: Option<HeadFault>,
) -> Response<AnswerBody> {
    let mut settlement = Box::new(Settlement::open(&visit.door));
    let record = &mut settlement.record;
    let request_id = record.request_id;
    let may_be_unread = request.version() < Version::HTTP_2 && is_long(request.body());
    let outcome = match caught(stages(&visit, request, fault, record)).await {
        Ok(outcome) => outcome,
        Err(panic) => Err(Error::because(Kind::Internal, words(&*panic))),
    };
    let mut response = outcome.unwrap_or_else(|error| {
        record.failed(&error);
        let always_200 = record.asp.as_ref().is_some_and(|asp| asp.always_200);
        let mut response = error.response(request_id, always_200);
        if may_be_unread {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response.map(|body| Content::Whole(body.into()))
    });
    response.headers_mut().insert(X_REQUEST_ID, header(request_id));
    record.status = response.status();
    response.map(|content| AnswerBody::new(content, settlement, on_line))
}

async fn stages(
    visit: &Visit,
    request: Request<Incoming>,
    fault: Option<HeadFault>,
    record: &mut Record,
) -> Result<Response<Content>, Error> {
    let call = receive::receive(visit, request, fault, record)?;
    let call = match route::route(call, visit, record)? {
        Destination::Own(endpoint, call) => return own::respond(endpoint, &call, visit),
        Destination::Gstn(call) => call,
    };
    let call = identify::identify(call, visit, record)?;
    let call = admit::admit(call)?;
    forward::forward(call, record).await
}

/// Whether what is left of a refused request's body costs more to read than a new connection.
fn is_long(body: &Incoming) -> bool {
    !body.is_end_stream() && body.size_hint().upper().is_none_or(|length| length > READ_AFTER_REFUSAL)
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
