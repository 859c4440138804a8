//! Fifth, and the only stage that talks to GSTN: it takes an admitted call and nothing else, and where it goes
//! stands in the configuration, not in the call.
//!
//! Bodies pass as they are, in both directions. Only the beginning of an answer is looked at, for its `status_cd` and
//! `error_cd`, and for the `expiry` of a taxpayer's session. Redirects are not followed.

mod consent;
mod glimpse;
mod headers;

use std::future::poll_fn;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use gstn::catalogue::Origin;
use gstn::envelope::StatusCd;
use gstn::headers::X_GSP_ERROR_ORIGIN;
use http::header::{CONTENT_LENGTH, LINK};
use http::response::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout};

use self::consent::Authentication;
pub(crate) use self::glimpse::Glimpse;
pub(super) use self::headers::PASSED_ON;
use super::admit::Admitted;
use super::settle::Record;
use super::{Call, Visit};
use crate::accounts::Verdict;
use crate::body::{Content, Flow, RequestBody, Streaming};
use crate::breaker::Pass;
use crate::error::{Error, Kind, help_link};
use crate::site::Site;
use crate::upstream::{Answered, Exchange, Upstream};

/// An answer that GSTN declares to be this long or shorter is released whole: should it break off, the ASP gets
/// a clear error and not half an answer.
const RELEASED_WHOLE: u64 = 64 * 1024;

pub(crate) async fn forward(
    call: Call<Admitted>,
    visit: &Visit,
    body: &mut Option<Incoming>,
    record: &mut Record,
) -> Result<Response<Content>, Error> {
    let site = Arc::clone(&call.site);
    let Some(upstream) = &site.upstream else { return Err(Error::new(Kind::NotConfigured)) };
    let Some(body) = body.take() else { return Err(Error::because(Kind::Internal, "the body is gone")) };
    let lane = call.lane;
    let method = call.head.method.clone();
    let flow = Flow::new(&body);
    record.request_body = Some(Arc::clone(&flow));
    let authentication = Authentication::of(&call.head, call.stage.target());
    let mut request = request(call, body, upstream, &flow)?;
    let aspid = record.asp.as_ref().map(|asp| asp.aspid);
    let pass = visit.door.breaker.pass(aspid).map_err(|wait| {
        record.refuse();
        Error::new(Kind::GstnIsDown).after(wait)
    })?;
    if let Some(trace) = &mut record.trace {
        trace.hand_over(request.headers_mut(), &upstream.authority);
    }
    record.verdict = Verdict::Forwarded;
    let begun = Instant::now();
    let answered = exchange(&site, lane, request, &flow, record).await;
    record.at_gstn = Some(begun.elapsed());
    report(pass, &answered, &site);
    let (head, exchange, start) = answered.inspect_err(|error| {
        if error.kind().is_not_sent() {
            record.verdict = Verdict::NotSent;
        }
    })?;
    if matches!(start, Start::Whole(_)) {
        record.turn = None;
    }
    let mut response = Response::new(());
    *response.status_mut() = head.status;
    *response.headers_mut() = headers::answer(head.headers, head.status, &method, upstream);
    let mut glimpse = Glimpse::new(authentication);
    glimpse.at(start.bytes(), matches!(start, Start::Whole(_)), record);
    mark_error(&mut response, record);
    Ok(response.map(|()| match start {
        Start::Whole(bytes) => Content::Whole(bytes),
        Start::Part(bytes) => Content::Streaming(Box::new(Streaming::new(
            exchange,
            bytes,
            glimpse,
            site.timeouts.answer_idle(),
        ))),
    }))
}

/// Sends the request, and reads as much of the answer as is read before anything is released.
async fn exchange(
    site: &Arc<Site>,
    lane: usize,
    request: Request<RequestBody>,
    flow: &Flow,
    record: &mut Record,
) -> Result<(Parts, Exchange, Start), Error> {
    let Answered { head, mut exchange } = Exchange::begin(Arc::clone(site), lane, request, flow).await?;
    record.gstn_answered = true;
    let start = read_start(&mut exchange, site).await?;
    Ok((head, exchange, start))
}

/// Tells the breaker what became of a call that it let pass.
fn report(pass: Pass, answered: &Result<(Parts, Exchange, Start), Error>, site: &Site) {
    match answered {
        Ok((head, ..)) if says_down(head.status) => pass.failed(&site.breaker),
        Ok(_) => pass.answered(&site.breaker),
        Err(error) if error.kind() == Kind::GstnUnreachable => pass.unreachable(&site.breaker),
        Err(error) if error.kind().is_gstn_failing() => pass.failed(&site.breaker),
        // The ASP broke it off, or we did: that says nothing about GSTN.
        Err(_) => {}
    }
}

/// What stands before GSTN's servers, and says that they are not there.
fn says_down(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT)
}

fn request(
    call: Call<Admitted>,
    body: Incoming,
    upstream: &Upstream,
    flow: &Arc<Flow>,
) -> Result<Request<RequestBody>, Error> {
    let target = upstream.target(&call.stage.target().path, call.head.uri.query())?;
    let mut headers = headers::request(&call.head.headers, call.caller, upstream);
    // Many servers refuse these methods with 411 where there is neither a body nor a length.
    if body.is_end_stream() && matches!(call.head.method, Method::POST | Method::PUT | Method::PATCH) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    let body = RequestBody::new(body, Arc::clone(flow), call.site.limits.body_bytes);
    let mut request = Request::new(body);
    *request.method_mut() = call.head.method;
    *request.uri_mut() = target;
    *request.headers_mut() = headers;
    Ok(request)
}

/// As much of an answer's body as is read before anything is released.
enum Start {
    Whole(Bytes),
    Part(Bytes),
}

impl Start {
    fn bytes(&self) -> &Bytes {
        match self {
            Self::Whole(bytes) | Self::Part(bytes) => bytes,
        }
    }
}

/// The whole body where it is short and its length declared; else the first piece.
async fn read_start(exchange: &mut Exchange, site: &Site) -> Result<Start, Error> {
    let Some(length) = exchange.declared_length().filter(|&length| length <= RELEASED_WHOLE) else {
        let first = next_piece(exchange, site).await?;
        return Ok(first.map_or(Start::Whole(Bytes::new()), Start::Part));
    };
    let Some(first) = next_piece(exchange, site).await? else { return Ok(Start::Whole(Bytes::new())) };
    let Some(second) = next_piece(exchange, site).await? else { return Ok(Start::Whole(first)) };
    let mut whole = BytesMut::with_capacity(usize::try_from(length).unwrap_or(0));
    whole.extend_from_slice(&first);
    whole.extend_from_slice(&second);
    while let Some(piece) = next_piece(exchange, site).await? {
        whole.extend_from_slice(&piece);
    }
    Ok(Start::Whole(whole.freeze()))
}

async fn next_piece(exchange: &mut Exchange, site: &Site) -> Result<Option<Bytes>, Error> {
    match timeout(site.timeouts.answer_idle(), poll_fn(|cx| exchange.poll_piece(cx))).await {
        Ok(piece) => piece.transpose(),
        Err(_) => Err(Error::because(Kind::GstnHalfAnswer, "GSTN paused for too long")),
    }
}

/// Says in headers of our own, and in the record, whether GSTN's answer is an error.
fn mark_error(response: &mut Response<()>, record: &mut Record) {
    let failed = response.status().is_client_error() || response.status().is_server_error();
    if !says_down(response.status()) {
        record.verdict = Verdict::Answered;
    }
    if !failed && record.status_cd.is_none_or(StatusCd::is_success) {
        record.verdict = Verdict::Succeeded;
        return;
    }
    record.origin = Some(Origin::Gstn);
    let headers = response.headers_mut();
    headers.insert(X_GSP_ERROR_ORIGIN, HeaderValue::from_static(Origin::Gstn.as_str()));
    if let Some(link) = record.error_cd.as_deref().and_then(help_link) {
        headers.insert(LINK, link);
    }
}
