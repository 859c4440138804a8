//! What the contest is about: what the gateway may cost beside others.

use super::contestant::{BY_SESSION, Kind, OFF, RELAXED, STRICT};
use super::record::{Record, Results};
use crate::figures::median;
use crate::targets::{Good, Target};

pub(crate) fn targets(results: &Results) -> Vec<Target> {
    let mut all = of_cost(results);
    all.extend(of_latency(results));
    let failed = results.of("reload", STRICT).filter_map(|record| record.latency);
    let failed = failed.map(|latency| latency.failed).reduce(|sum, failed| sum + failed);
    all.push(less("calls failed while the configuration is read again", failed, Some(0.0), None));
    all
}

fn less(what: &'static str, value: Option<f64>, reach: Option<f64>, then: Option<f64>) -> Target {
    Target { what, value, good: Good::Less, reach, then }
}

/// CPU time per call, to that of others in the same round.
fn of_cost(results: &Results) -> Vec<Target> {
    let cost = |record: &Record| record.sample.map(|sample| sample.cost);
    let target = |what, scenario: &str, (one, other): (Kind, Kind), reach, then| {
        let ratios = results.paired(scenario, (one, other), cost, |cost, of_other| cost / of_other);
        less(what, median(ratios), reach, then)
    };
    let nginx = (STRICT, Kind::Nginx);
    vec![
        target("1 KiB, by token, ledger strict: CPU to nginx", "small", nginx, Some(1.15), Some(1.0)),
        target(
            "1 KiB, by session, ledger strict: CPU to nginx",
            "small",
            (BY_SESSION, Kind::Nginx),
            Some(1.15),
            Some(1.0),
        ),
        target(
            "1 KiB, by token, ledger strict: CPU to nginx + Lua doing the same",
            "small",
            (STRICT, Kind::NginxLua),
            None,
            Some(0.85),
        ),
        target(
            "1 KiB, by token, ledger strict: CPU to Envoy with key and limit",
            "small",
            (STRICT, Kind::Envoy),
            Some(0.40),
            Some(0.35),
        ),
        target("256 KiB down: CPU to nginx", "down", nginx, Some(0.85), Some(0.75)),
        target("100 KiB up: CPU to nginx", "up", nginx, Some(1.05), Some(0.95)),
    ]
}

/// How much later an answer comes than that of another in the same round.
fn of_latency(results: &Results) -> Vec<Target> {
    let added = |one, other, figure: fn(&Record) -> Option<f64>| {
        median(results.paired("small", (one, other), figure, |own, of_other| (own - of_other) / 1000.0))
    };
    let p50 = |record: &Record| record.latency.map(|latency| latency.p50);
    let p99 = |record: &Record| record.latency.map(|latency| latency.p99);
    let relaxed = "added latency at half load, ledger relaxed: p50, ms";
    let relaxed_p99 = "added latency at half load, ledger relaxed: p99, ms";
    let strict = "added by strict durability, over no ledger: p50, ms (reach: a flush and 1 ms)";
    let flush = results.flushes().map(|[p50, _]| p50 / 1000.0);
    vec![
        less(relaxed, added(RELAXED, Kind::Direct, p50), Some(0.3), Some(0.15)),
        less(relaxed_p99, added(RELAXED, Kind::Direct, p99), Some(2.0), Some(1.0)),
        less(strict, added(STRICT, OFF, p50), flush.map(|flush| flush + 1.0), None),
    ]
}
