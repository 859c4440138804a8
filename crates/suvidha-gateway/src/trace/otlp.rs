//! Spans in OpenTelemetry's protocol, as JSON: ids in hex, times in nanoseconds since 1970, 64-bit numbers as texts.
//! Names of attributes are those of OpenTelemetry's semantic conventions where there is one, else begin with `suvidha.`.

use std::time::Duration;

use http::HeaderValue;
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::context::in_hex;
use super::{Finished, HandedOver};

/// The kinds of spans, and the status of one that failed.
const SERVER: u8 = 2;
const CLIENT: u8 = 3;
const FAILED: u8 = 2;

/// The body of one post.
pub(super) fn request(service_name: &str, instance: Uuid, calls: &[Finished]) -> Value {
    let resource = [
        text("service.name", service_name),
        text("service.version", env!("CARGO_PKG_VERSION")),
        text("service.instance.id", &instance.to_string()),
    ];
    let scope = json!({"name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION")});
    let spans: Vec<_> = calls.iter().flat_map(spans).collect();
    json!({"resourceSpans": [
        {"resource": {"attributes": resource}, "scopeSpans": [{"scope": scope, "spans": spans}]}
    ]})
}

/// Of every call the one for the ASP; of one that was sent to GSTN another.
fn spans(call: &Finished) -> impl Iterator<Item = Value> {
    let to_gstn = call.sent_to_gstn().map(|(handed_over, took)| client_span(call, handed_over, took));
    std::iter::once(server_span(call)).chain(to_gstn)
}

fn server_span(call: &Finished) -> Value {
    let Finished { trace, told, total } = call;
    let method = method(call);
    let mut attributes = vec![
        text("http.request.method", method),
        text("http.route", told.api),
        text("suvidha.environment", told.environment.as_str()),
        text("suvidha.request_id", &told.request_id.to_string()),
        text("suvidha.outcome", told.outcome.as_str()),
        number("http.request.body.size", told.bytes_in),
        number("http.response.body.size", told.bytes_out),
    ];
    attributes.extend(told.status.map(|status| number("http.response.status_code", status.as_u16().into())));
    attributes.extend(told.aspid.map(|aspid| text("suvidha.aspid", aspid.as_str())));
    attributes.extend(told.origin.map(|origin| text("suvidha.error.origin", origin.as_str())));
    attributes.extend(told.error_cd.map(|code| text("error.type", code)));
    if let Some(charge) = told.charge {
        attributes.push(text("suvidha.plan", charge.plan.as_str()));
        attributes.push(number("suvidha.units", charge.units));
    }
    let mut events = Vec::new();
    if let Some(HandedOver { at, .. }) = trace.handed_over {
        let admitted = at.saturating_duration_since(trace.began);
        events.push(event("handed over to GSTN", trace.began_at, admitted));
        events.extend(told.at_gstn.map(|took| event("answered by GSTN", trace.began_at, admitted + took)));
    }
    let mut span = json!({
        "traceId": in_hex(&trace.trace_id),
        "spanId": in_hex(&trace.server_id),
        "parentSpanId": trace.parent_id.map(|id| in_hex(&id)).unwrap_or_default(),
        "name": format!("{method} {}", told.api),
        "kind": SERVER,
        "startTimeUnixNano": instant(trace.began_at, Duration::ZERO),
        "endTimeUnixNano": instant(trace.began_at, *total),
        "attributes": attributes,
        "events": events,
        // What the ASP did wrong is no failure of the server.
        "status": status(told.status.is_none_or(|status| status.is_server_error())),
    });
    if let Some(state) = trace.state.as_ref().and_then(|state| state.to_str().ok()) {
        span["traceState"] = state.into();
    }
    span
}

fn client_span(call: &Finished, handed_over: &HandedOver, took: Duration) -> Value {
    let Finished { trace, told, .. } = call;
    let begin = handed_over.at.saturating_duration_since(trace.began);
    let mut attributes = vec![text("http.request.method", method(call)), text("url.template", told.api)];
    attributes.extend(address(&handed_over.authority));
    let theirs =
        matches!(told.origin, Some(gstn::catalogue::Origin::Gstn | gstn::catalogue::Origin::Network));
    attributes.extend(told.error_cd.filter(|_| theirs).map(|code| text("error.type", code)));
    json!({
        "traceId": in_hex(&trace.trace_id),
        "spanId": in_hex(&trace.client_id),
        "parentSpanId": in_hex(&trace.server_id),
        "name": format!("{} {}", method(call), told.api),
        "kind": CLIENT,
        "startTimeUnixNano": instant(trace.began_at, begin),
        "endTimeUnixNano": instant(trace.began_at, begin + took),
        "attributes": attributes,
        "status": status(theirs),
    })
}

/// Host and port, as the configuration has them.
fn address(authority: &HeaderValue) -> Vec<Value> {
    let Some(authority) = authority.to_str().ok().and_then(|text| text.parse::<http::uri::Authority>().ok())
    else {
        return Vec::new();
    };
    let port = authority.port_u16().map(|port| number("server.port", port.into()));
    std::iter::once(text("server.address", authority.host())).chain(port).collect()
}

/// Only methods that are known by name; a client may send any word.
fn method(call: &Finished) -> &str {
    let known = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
    known.into_iter().find(|known| call.trace.method == *known).unwrap_or("_OTHER")
}

fn status(failed: bool) -> Value {
    if failed { json!({"code": FAILED}) } else { json!({}) }
}

fn event(name: &str, began_at: Timestamp, after: Duration) -> Value {
    json!({"name": name, "timeUnixNano": instant(began_at, after)})
}

fn instant(began_at: Timestamp, after: Duration) -> String {
    let after = i128::try_from(after.as_nanos()).unwrap_or(i128::MAX);
    began_at.as_nanosecond().saturating_add(after).max(0).to_string()
}

fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

fn number(key: &str, value: u64) -> Value {
    json!({"key": key, "value": {"intValue": value.to_string()}})
}
