//! What the contest is about: what the gateway may cost beside others.

use super::contestant::{BY_SESSION, Kind, OFF, RELAXED, STRICT};
use super::record::{Record, Results};
use crate::figures::{median, percentile};
use crate::targets::{Good, Target};

pub(crate) fn targets(results: &Results) -> Vec<Target> {
    let cost = |record: &Record| record.sample.map(|sample| sample.cost);
    let ratio = |scenario: &str, one: Kind, other: Kind| {
        median(results.paired(scenario, (one, other), cost, |cost, of_other| cost / of_other))
    };
    let added = |one: Kind, other: Kind, figure: fn(&Record) -> Option<f64>| {
        median(results.paired("small", (one, other), figure, |own, of_other| (own - of_other) / 1000.0))
    };
    let p50 = |record: &Record| record.latency.map(|latency| latency.p50);
    let p99 = |record: &Record| record.latency.map(|latency| latency.p99);
    let flush = (!results.flushes.is_empty()).then(|| percentile(&mut results.flushes.clone(), 50) / 1000.0);
    let failed = results.of("reload", STRICT).filter_map(|record| record.latency);
    let failed = failed.map(|latency| latency.failed).reduce(|sum, failed| sum + failed);
    let target = |what, value, reach, then| Target { what, value, good: Good::Less, reach, then };
    let of = |value: f64| Some(value);
    vec![
        target(
            "1 KiB, by token, ledger strict: CPU to nginx",
            ratio("small", STRICT, Kind::Nginx),
            of(1.15),
            of(1.0),
        ),
        target(
            "1 KiB, by session, ledger strict: CPU to nginx",
            ratio("small", BY_SESSION, Kind::Nginx),
            of(1.15),
            of(1.0),
        ),
        target(
            "1 KiB, by token, ledger strict: CPU to nginx + Lua doing the same",
            ratio("small", STRICT, Kind::NginxLua),
            None,
            of(0.85),
        ),
        target(
            "1 KiB, by token, ledger strict: CPU to Envoy with key and limit",
            ratio("small", STRICT, Kind::Envoy),
            of(0.40),
            of(0.35),
        ),
        target("256 KiB down: CPU to nginx", ratio("down", STRICT, Kind::Nginx), of(0.85), of(0.75)),
        target("100 KiB up: CPU to nginx", ratio("up", STRICT, Kind::Nginx), of(1.05), of(0.95)),
        target(
            "added latency at half load, ledger relaxed: p50, ms",
            added(RELAXED, Kind::Direct, p50),
            of(0.3),
            of(0.15),
        ),
        target(
            "added latency at half load, ledger relaxed: p99, ms",
            added(RELAXED, Kind::Direct, p99),
            of(2.0),
            of(1.0),
        ),
        target(
            "added by strict durability, over no ledger: p50, ms (reach: a flush and 1 ms)",
            added(STRICT, OFF, p50),
            flush.map(|flush| flush + 1.0),
            None,
        ),
        target("calls failed while the configuration is read again", failed, of(0.0), None),
    ]
}
