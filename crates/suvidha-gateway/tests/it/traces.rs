//! Calls are traced: from the ASP's span through ours to GSTN, without anybody waiting for it.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use suvidha_gateway::{Exposition, config};

use crate::stage::{Stage, set, soon, stage};
use crate::stand_in::{Act, StandIn, answer, ok};

const PATH: &str = "/taxpayerapi/v4.1/returns/gstr1?action=B2B&gstin=29AAACG0527D1Z2";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

fn traced(gstn: &StandIn, collector: &StandIn, change: impl FnOnce(&mut config::Trace)) -> Stage {
    let mut trace = config::Trace::new(format!("http://{}", collector.address));
    change(&mut trace);
    set(gstn.address).with(|config| config.trace = Some(trace)).start()
}

fn collector() -> StandIn {
    StandIn::new(|_| Act::Answer(ok("{}")))
}

/// Every span that the collector got, once there are `count`.
fn spans(collector: &StandIn, count: usize) -> Vec<Value> {
    let all = || -> Vec<Value> {
        let bodies =
            collector.seen().into_iter().map(|post| serde_json::from_slice::<Value>(&post.body).unwrap());
        let of_post =
            |body: Value| body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().clone();
        bodies.flat_map(of_post).collect()
    };
    assert!(soon(|| all().len() >= count), "{:#?}", all());
    all()
}

fn attribute<'v>(span: &'v Value, key: &str) -> &'v Value {
    let attributes = span["attributes"].as_array().unwrap();
    let found = attributes.iter().find(|one| one["key"] == key);
    let value = &found.unwrap_or_else(|| panic!("no {key} in {span:#}"))["value"];
    value.as_object().unwrap().values().next().unwrap()
}

#[test]
fn a_trace_goes_from_the_asp_through_us_to_gstn() {
    let gstn = StandIn::new(|_| Act::Answer(ok(r#"{"status_cd":"1","data":"marker-payload"}"#)));
    let collector = collector();
    let stage = traced(&gstn, &collector, |trace| {
        trace.headers = vec![("x-key".to_owned(), "marker-collector-key".into())];
    });
    let headers = format!(
        "traceparent: 00-{TRACE}-{SPAN}-01\r\ntracestate: congo=t61\r\ngstin: 29AAACG0527D1Z2\r\nusername: marker-user\r\n"
    );
    assert_eq!(stage.get(PATH, &headers).status, 200);
    let (token, aspid) = (stage.token.clone(), stage.aspid);
    // Stopping exports whatever is left, however little time there was.
    drop(stage);
    let spans = spans(&collector, 2);
    let [ours, to_gstn] = &spans[..] else { panic!("{spans:#?}") };

    assert_eq!(
        (&ours["traceId"], &ours["parentSpanId"], &ours["kind"]),
        (&TRACE.into(), &SPAN.into(), &2.into())
    );
    assert_eq!((&to_gstn["traceId"], &to_gstn["parentSpanId"]), (&TRACE.into(), &ours["spanId"]));
    assert_eq!(to_gstn["kind"], 3);
    let passed_on = gstn.only();
    let expected = format!("00-{TRACE}-{}-01", to_gstn["spanId"].as_str().unwrap());
    assert_eq!(passed_on.header("traceparent"), Some(expected.as_str()));
    assert_eq!(
        (passed_on.header("tracestate"), &ours["traceState"]),
        (Some("congo=t61"), &"congo=t61".into())
    );

    assert_eq!(ours["name"], "GET taxpayerapi/returns/gstr1");
    assert_eq!(attribute(ours, "http.route"), "taxpayerapi/returns/gstr1");
    assert_eq!(attribute(ours, "http.response.status_code"), "200");
    assert_eq!(attribute(ours, "suvidha.aspid"), aspid.as_str());
    assert_eq!(attribute(to_gstn, "server.address"), "127.0.0.1");
    let nanos = |span: &Value, key: &str| span[key].as_str().unwrap().parse::<u128>().unwrap();
    assert!(nanos(ours, "startTimeUnixNano") <= nanos(to_gstn, "startTimeUnixNano"));
    assert!(nanos(to_gstn, "endTimeUnixNano") <= nanos(ours, "endTimeUnixNano"));

    let post = collector.only();
    assert_eq!(post.line, "POST /v1/traces HTTP/1.1");
    assert_eq!(post.header("x-key"), Some("marker-collector-key"));
    let text = String::from_utf8(post.body).unwrap();
    for private in ["29AAACG0527D1Z2", "marker-user", &token, "marker-payload"] {
        assert!(!text.contains(private), "{private} is in {text}");
    }
}

#[test]
fn a_malformed_context_begins_a_new_trace() {
    let (gstn, collector) = (StandIn::content(), collector());
    let stage = traced(&gstn, &collector, |_| ());
    let malformed =
        format!("traceparent: 00-{}-{SPAN}-01\r\ntracestate: congo=t61\r\n", TRACE.to_uppercase());
    assert_eq!(stage.get(PATH, &malformed).status, 200);
    drop(stage);
    let spans = spans(&collector, 2);
    assert_eq!(spans[0]["parentSpanId"], "");
    assert_ne!(spans[0]["traceId"].as_str().unwrap(), TRACE);
    let passed_on = gstn.only();
    assert!(passed_on.header("traceparent").unwrap().contains(spans[0]["traceId"].as_str().unwrap()));
    assert_eq!(passed_on.header("tracestate"), None);
}

#[test]
fn a_refused_call_has_one_span_that_says_why() {
    let (gstn, collector) = (StandIn::content(), collector());
    let stage = traced(&gstn, &collector, |_| ());
    let refused = stage.exchange(crate::stage::request("GET", PATH, "x-ct-auth-token: nobody\r\n", ""));
    assert_eq!(refused.status, 401);
    drop(stage);
    let spans = spans(&collector, 1);
    assert_eq!(spans.len(), 1, "{spans:#?}");
    assert_eq!(attribute(&spans[0], "error.type"), "GSP602");
    assert_eq!(spans[0]["status"], serde_json::json!({}), "the ASP's mistake is no failure of the server's");
    let line = &crate::log::settled("request_id", refused.header("x-request-id").unwrap())[0];
    assert_eq!(line["trace_id"], spans[0]["traceId"]);
}

#[test]
fn what_is_not_sampled_is_passed_on_and_not_exported() {
    let (gstn, collector) = (StandIn::content(), collector());
    let stage = traced(&gstn, &collector, |trace| trace.sample = 0.0);
    let parent = |flags: &str| format!("traceparent: 00-{TRACE}-{SPAN}-{flags}\r\n");
    assert_eq!(stage.get(PATH, "").status, 200);
    assert_eq!(stage.get(PATH, &parent("00")).status, 200);
    assert_eq!(stage.get(PATH, &parent("01")).status, 200);
    drop(stage);
    // Only what the ASP itself traces.
    let spans = spans(&collector, 2);
    assert_eq!(spans.len(), 2, "{spans:#?}");
    assert!(spans.iter().all(|span| span["traceId"] == TRACE));
    let flags: Vec<_> =
        gstn.seen().iter().map(|seen| seen.header("traceparent").unwrap()[53..].to_owned()).collect();
    assert_eq!(flags, ["00", "00", "01"]);

    let stage = traced(&gstn, &collector, |trace| (trace.sample, trace.follow_asps) = (0.0, false));
    assert_eq!(stage.get(PATH, &parent("01")).status, 200);
    drop(stage);
    assert_eq!(self::spans(&collector, 2).len(), 2);
}

#[test]
fn without_tracing_nothing_is_passed_on() {
    let gstn = StandIn::content();
    let stage = stage(gstn.address);
    let headers = format!("traceparent: 00-{TRACE}-{SPAN}-01\r\ntracestate: congo=t61\r\n");
    assert_eq!(stage.get(PATH, &headers).status, 200);
    let seen = gstn.only();
    assert_eq!((seen.header("traceparent"), seen.header("tracestate")), (None, None));
}

#[test]
fn a_collector_that_is_busy_gets_the_same_spans_again() {
    let asked = AtomicUsize::new(0);
    let collector = StandIn::new(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => Act::Answer(answer("503 Service Unavailable", "retry-after: 0\r\n", "")),
        _ => Act::Answer(ok("{}")),
    });
    let stage = traced(&StandIn::content(), &collector, |_| ());
    assert_eq!(stage.get(PATH, "").status, 200);
    let exported = "suvidha_trace_spans_total{result=\"exported\"} 2\n";
    let metrics = || stage.running.status().metrics(Exposition::Classic);
    assert!(soon(|| metrics().contains(exported)), "{}", metrics());
    let posts = collector.seen();
    assert_eq!(posts.len(), 2);
    assert_eq!(posts[0].body, posts[1].body);
}

#[test]
fn a_collector_that_is_away_costs_calls_nothing_and_is_counted() {
    // Taken and closed again: nobody listens there.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut away = StandIn::content();
    let gstn = StandIn::content();
    away.address = nobody;
    let stage = traced(&gstn, &away, |_| ());
    for _ in 0..3 {
        assert_eq!(stage.get(PATH, "").status, 200);
    }
    let status = stage.running.status();
    drop(stage);
    let dropped = "suvidha_trace_spans_total{result=\"dropped\"} 6\n";
    let metrics = status.metrics(Exposition::Classic);
    assert!(metrics.contains(dropped), "{metrics}");
}
