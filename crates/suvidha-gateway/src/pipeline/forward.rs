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

use bytes::Bytes;
use gstn::catalogue::Origin;
use gstn::envelope::StatusCd;
use gstn::headers::X_GSP_ERROR_ORIGIN;
use http::header::LINK;
use http::{HeaderValue, Response, StatusCode};

use self::consent::Authentication;
pub(crate) use self::glimpse::Glimpse;
pub(super) use self::headers::PASSED_ON;
use super::admit::Admitted;
use super::settle::Record;
use super::{Call, Visit};
use crate::accounts::Verdict;
use crate::body::{Content, Flow, Incoming, RequestBody, Streaming};
use crate::breaker::Pass;
use crate::error::{Error, Kind, help_link};
use crate::site::Site;
use crate::upstream::{Answered, Exchange, Lines, Outgoing};

/// An answer that GSTN declares to be this long or shorter is released whole: should it break off, the ASP gets
/// a clear error and not half an answer.
const RELEASED_WHOLE: u64 = 64 * 1024;

pub(crate) async fn forward(
    call: Call<'_, Admitted<'_>>,
    visit: &Visit,
    body: &mut Option<Incoming>,
    record: &mut Record,
) -> Result<Response<Content>, Error> {
    let Some(upstream) = &call.site.upstream else { return Err(Error::new(Kind::NotConfigured)) };
    let Some(body) = body.take() else { return Err(Error::because(Kind::Internal, "the body is gone")) };
    let flow = Flow::new(&body);
    record.request_body = Some(Arc::clone(&flow));
    let mut head = headers::request(&call, upstream)?;
    let aspid = record.asp.as_ref().map(|asp| asp.aspid);
    let pass = visit.door.breaker.pass(aspid).map_err(|wait| {
        record.refuse();
        Error::new(Kind::GstnIsDown).after(wait)
    })?;
    if let Some(trace) = &mut record.trace {
        trace.hand_over(&mut head, &upstream.authority);
    }
    let body = RequestBody::new(body, Arc::clone(&flow), call.site.limits.body_bytes);
    let request = Outgoing::new(head, call.head.method, body);
    record.verdict = Verdict::Forwarded;
    let answered = exchange(&call, request, &flow, record).await;
    record.at_gstn = Some(flow.begun().elapsed());
    report(pass, &answered, &call.site);
    let (Answered { status, headers, exchange }, start) = answered.inspect_err(|error| {
        if error.kind().is_not_sent() {
            record.verdict = Verdict::NotSent;
        }
    })?;
    if matches!(start, Start::Whole(_)) {
        record.turn = None;
    }
    let mut response = Response::new(());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    let mut glimpse = Glimpse::new(Authentication::of(&call.head, call.stage.target()));
    glimpse.at(start.bytes(), matches!(start, Start::Whole(_)), record);
    mark_error(&mut response, record);
    Ok(response.map(|()| match start {
        Start::Whole(bytes) => Content::Whole(bytes),
        Start::Part(bytes) => Content::Streaming(Box::new(Streaming::new(exchange, bytes, glimpse))),
    }))
}

/// Sends the request, and reads as much of the answer as is read before anything is released.
async fn exchange(
    call: &Call<'_, Admitted<'_>>,
    request: Outgoing<RequestBody>,
    flow: &Flow,
    record: &mut Record,
) -> Result<(Answered, Start), Error> {
    let sieve = |status, lines: &Lines<'_>| headers::answer(call, status, lines);
    let mut answered = Exchange::begin(Arc::clone(&call.site), call.lane, request, flow, sieve).await?;
    record.gstn_answered = true;
    let start = read_start(&mut answered.exchange).await?;
    Ok((answered, start))
}

/// Tells the breaker what became of a call that it let pass.
fn report(pass: Pass, answered: &Result<(Answered, Start), Error>, site: &Site) {
    match answered {
        Ok((answered, _)) if says_down(answered.status) => pass.failed(&site.breaker),
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
async fn read_start(exchange: &mut Exchange) -> Result<Start, Error> {
    if exchange.declared_length().is_some_and(|length| length <= RELEASED_WHOLE) {
        return poll_fn(|cx| exchange.poll_whole(cx)).await.map(Start::Whole);
    }
    let first = poll_fn(|cx| exchange.poll_piece(cx)).await.transpose()?;
    Ok(first.map_or(Start::Whole(Bytes::new()), Start::Part))
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
