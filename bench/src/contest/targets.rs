//! What is to be reached, and whether it is.

use std::fmt::Write as _;

use super::contestant::{BY_SESSION, Kind, OFF, RELAXED, STRICT};
use super::record::{Record, Results};
use crate::Failure;
use crate::figures::{median, percentile};

/// One target: less is better.
pub(crate) struct Target {
    pub(crate) what: &'static str,
    /// What was measured; nothing where it was not.
    pub(crate) value: Option<f64>,
    /// What it must be, and what it should be.
    pub(crate) reach: Option<f64>,
    pub(crate) then: Option<f64>,
}

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
    let target = |what, value, reach, then| Target { what, value, reach, then };
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
    ]
}

/// A table of them.
pub(crate) fn table(targets: &[Target]) -> Result<String, Failure> {
    let mut text = "| what | measured | reach | | then | |\n|---|---|---|---|---|---|\n".to_owned();
    for Target { what, value, reach, then } in targets {
        let measured = value.map_or("not measured".to_owned(), |value| format!("**{value:.2}**"));
        let bound = |bound: &Option<f64>| bound.map(|bound| format!("≤ {bound:.2}")).unwrap_or_default();
        let met = |bound: &Option<f64>| match (value, bound) {
            (Some(value), Some(bound)) => {
                if value <= bound {
                    "reached"
                } else {
                    "missed"
                }
            }
            _ => "",
        };
        writeln!(
            text,
            "| {what} | {measured} | {} | {} | {} | {} |",
            bound(reach),
            met(reach),
            bound(then),
            met(then)
        )?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_reached_missed_or_not_measured() {
        let target = |value| Target { what: "cost", value, reach: Some(1.15), then: Some(1.0) };
        let table = table(&[target(Some(1.0)), target(Some(1.1)), target(Some(1.2)), target(None)]).unwrap();
        let rows: Vec<_> = table.lines().skip(2).collect();
        assert_eq!(
            rows,
            [
                "| cost | **1.00** | ≤ 1.15 | reached | ≤ 1.00 | reached |",
                "| cost | **1.10** | ≤ 1.15 | reached | ≤ 1.00 | missed |",
                "| cost | **1.20** | ≤ 1.15 | missed | ≤ 1.00 | missed |",
                "| cost | not measured | ≤ 1.15 |  | ≤ 1.00 |  |",
            ]
        );
    }
}
