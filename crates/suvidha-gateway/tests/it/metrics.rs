//! What happens to calls is counted, under names that nobody outside can choose.

use suvidha_gateway::Exposition;

use crate::stage::{Stage, request, soon, stage};
use crate::stand_in::{Act, StandIn, answer, ok};

const GSTR1: &str = "/taxpayerapi/v4.1/returns/gstr1?action=B2B";

/// The value of the sample that is written `series`.
fn value(stage: &Stage, series: &str) -> Option<f64> {
    let metrics = stage.running.status().metrics(Exposition::OpenMetrics);
    let line =
        metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ').map(str::to_owned))?;
    Some(line.parse().unwrap())
}

/// Waits until the sample is there with that value: a call is settled a moment after its answer.
#[track_caller]
fn comes_to(stage: &Stage, series: &str, expected: f64) {
    let is = || value(stage, series).is_some_and(|value| (value - expected).abs() < 1e-9);
    let all = || stage.running.status().metrics(Exposition::OpenMetrics);
    assert!(soon(is), "{series} is {:?}, not {expected}, in {}", value(stage, series), all());
}

fn calls(family: &str, api: &str, status: &str, outcome: &str) -> String {
    format!(
        "suvidha_calls_total{{environment=\"sandbox\",family=\"{family}\",api=\"{api}\",status=\"{status}\",outcome=\"{outcome}\"}}"
    )
}

fn errors(origin: &str, code: &str) -> String {
    format!("suvidha_errors_total{{environment=\"sandbox\",origin=\"{origin}\",code=\"{code}\"}}")
}

#[test]
fn every_call_is_counted_by_what_became_of_it() {
    let gstn = StandIn::new(|seen| match seen.line.split(['?', ' ']).nth(2) {
        Some("action=B2B") => Act::Answer(ok(r#"{"status_cd":"1","data":"abc"}"#)),
        Some("action=CDNR") => Act::Answer(ok(r#"{"status_cd":"0","error":{"error_cd":"RET11402"}}"#)),
        Some("action=EXP") => Act::Answer(ok(r#"{"status_cd":"0","error":{"error_cd":"x\"} 1"}}"#)),
        Some("action=HSNSUM") => Act::Answer(answer("503 Service Unavailable", "", "")),
        _ => Act::AnswerAndClose(Vec::new()),
    });
    let stage = stage(gstn.address);
    let get =
        |action: &str| stage.get(&format!("/taxpayerapi/v4.1/returns/gstr1?action={action}"), "").status;
    assert_eq!((get("B2B"), get("B2B"), get("CDNR"), get("EXP"), get("HSNSUM")), (200, 200, 200, 200, 503));
    assert_eq!(get("B2CL"), 502);
    assert_eq!(stage.get("/taxpayerapi/v9.9/returns/gstr99/29AAACG0527D1Z2", "").status, 502);
    assert_eq!(stage.exchange(request("GET", GSTR1, "", "")).status, 401);
    assert_eq!(stage.exchange("nonsense\r\n\r\n").status, 400);
    assert_eq!(stage.exchange(request("GET", "/healthz", "", "")).status, 200);

    let gstr1 = |status, outcome| calls("taxpayerapi", "taxpayerapi/returns/gstr1", status, outcome);
    comes_to(&stage, &gstr1("2xx", "answered"), 4.0);
    comes_to(&stage, &errors("gstn", "RET11402"), 1.0);
    comes_to(&stage, &errors("gstn", "other"), 1.0);
    comes_to(&stage, &errors("network", "GSP099"), 2.0);
    comes_to(&stage, &errors("gsp", "GSP601"), 1.0);
    comes_to(&stage, &errors("asp", "GSP610"), 1.0);
    let gstn_count = "suvidha_call_gstn_seconds_count{environment=\"sandbox\",family=\"taxpayerapi\"}";
    comes_to(&stage, gstn_count, 7.0);
    comes_to(&stage, &gstn_count.replace("_gstn_", "_own_"), 8.0);
    comes_to(&stage, &gstn_count.replace("_gstn_", "_"), 8.0);
    let out = value(&stage, "suvidha_asp_bytes_total{environment=\"sandbox\",direction=\"out\"}").unwrap();
    assert!(out > 4.0 * 30.0, "four answers of GSTN's and five refusals: {out}");
    comes_to(&stage, "suvidha_calls_in_flight", 0.0);
    let metrics = stage.running.status().metrics(Exposition::OpenMetrics);
    assert!(!metrics.contains("healthz") && !metrics.contains("gstr99"), "{metrics}");
    assert!(!metrics.contains("29AAACG0527D1Z2"), "{metrics}");
}

#[test]
fn connections_are_counted_while_they_are_there() {
    let gstn = StandIn::new(|seen| match seen.line.contains("B2CL") {
        true => Act::Hang,
        false => Act::Answer(ok(r#"{"status_cd":"1"}"#)),
    });
    let stage = stage(gstn.address);
    let of_asps = "suvidha_asp_connections{environment=\"sandbox\"}";
    let of_gstn =
        |state: &str| format!("suvidha_upstream_connections{{environment=\"sandbox\",state=\"{state}\"}}");
    comes_to(&stage, of_asps, 0.0);
    let mut asp = stage.connect();
    assert_eq!(asp.send(stage.request("GET", GSTR1, "", "")).read().status, 200);
    comes_to(&stage, of_asps, 1.0);
    comes_to(&stage, &of_gstn("idle"), 1.0);
    asp.send(stage.request("GET", &GSTR1.replace("B2B", "B2CL"), "", ""));
    comes_to(&stage, "suvidha_calls_in_flight", 1.0);
    comes_to(&stage, &of_gstn("busy"), 1.0);
    comes_to(&stage, &of_gstn("idle"), 0.0);
    drop(asp);
    comes_to(&stage, of_asps, 0.0);
    comes_to(&stage, &of_gstn("busy"), 0.0);
    comes_to(&stage, &calls("taxpayerapi", "taxpayerapi/returns/gstr1", "none", "abandoned"), 1.0);
}

#[test]
fn credentials_are_counted_by_what_is_left_of_their_time() {
    let setting = crate::stage::set(StandIn::content().address);
    let now = setting.seam.now();
    let in_a_week = now + jiff::SignedDuration::from_hours(7 * 24);
    let stage = setting.start_after(|registry, aspid| {
        let soon = suvidha_store::NewToken { label: None, expires_at: Some(in_a_week) };
        registry.issue_token(aspid, crate::stage::Sandbox, soon).unwrap();
    });
    let of = |state: &str| {
        format!("suvidha_credentials{{environment=\"sandbox\",kind=\"token\",state=\"{state}\"}}")
    };
    assert_eq!((value(&stage, &of("live")), value(&stage, &of("expiring"))), (Some(1.0), Some(1.0)));
    assert_eq!(value(&stage, &of("expired")), Some(0.0));
    let began = value(&stage, "suvidha_start_time_seconds").unwrap();
    assert!((now.as_second() as f64 - began).abs() < 60.0, "{began}");
}
