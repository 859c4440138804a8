//! What a run says: the tables, the targets, and the files.

use std::fmt::Write as _;
use std::path::Path;

use super::chart;
use super::contestant::Kind;
use super::record::{Record, Results};
use super::scenario::{Callers, Run, SCENARIOS, Scenario};
use super::targets;
use crate::Failure;
use crate::figures::{median, spread};
use crate::targets::table as table_of;
use crate::tools::Tool;

/// Writes the report, and the files where `out` says so.
pub(crate) fn finish(results: &Results, out: Option<&Path>) -> Result<String, Failure> {
    let report = markdown(results)?;
    if let Some(out) = out {
        let chart = chart::draw(results)?;
        crate::results::write(
            out,
            "gateway",
            &results.machine.date,
            &results.raw(),
            &report,
            chart.as_deref(),
        )?;
    }
    Ok(report)
}

fn markdown(results: &Results) -> Result<String, Failure> {
    let mut report = String::new();
    if results.quick {
        writeln!(report, "**A quick run: its figures say nothing.**\n")?;
    }
    preface(results, &mut report)?;
    for scenario in &SCENARIOS {
        if results.records.iter().any(|record| record.scenario == scenario.name) {
            table(results, scenario, &mut report)?;
        }
    }
    writeln!(report, "\n### Targets\n\n{}", table_of(&targets::targets(results))?)?;
    Ok(report)
}

fn preface(results: &Results, report: &mut String) -> Result<(), Failure> {
    let Results { machine, rounds, seconds, load_before, load_after, .. } = results;
    writeln!(report, "{}.", machine.line())?;
    let versions: Vec<_> = machine.versions.iter().map(|(_, version)| version.as_str()).collect();
    writeln!(report, "Programs: {}.", versions.join("; "))?;
    writeln!(
        report,
        "Rounds: {rounds}; a turn is {seconds} s at full speed, where it says so {seconds} s more at a fixed rate. Load average \
         before: {load_before}; after: {load_after}."
    )?;
    if let Some([p50, p99]) = results.flushes() {
        writeln!(report, "4 KiB appended and on disk (`fdatasync`): {p50:.0} µs at p50, {p99:.0} at p99.")?;
    }
    for tool in Tool::ALL.into_iter().filter(|tool| tool.path().is_none()) {
        writeln!(report, "**Not measured: {}.**", tool.missing())?;
    }
    Ok(())
}

fn table(results: &Results, scenario: &Scenario, report: &mut String) -> Result<(), Failure> {
    writeln!(report, "\n### {}: {}\n", scenario.name, scenario.what)?;
    let kinds = scenario.kinds.iter().filter(|kind| results.of(scenario.name, **kind).next().is_some());
    if scenario.run != Run::Reload {
        // Only where somebody is to be refused there is something to say of it.
        let refused = scenario.callers == Callers::TenOneLimited;
        let (title, rule) = if refused { (" refused |", "---|") } else { ("", "") };
        writeln!(
            report,
            "| | CPU µs per call | to nginx, same round | calls per second | of its core | RSS, MiB |{title}\n\
             |---|---|---|---|---|---|{rule}"
        )?;
        for kind in kinds.clone() {
            let share = |record: &Record| record.sample.map(|sample| sample.refused);
            let share = median(results.of(scenario.name, *kind).filter_map(share).collect());
            let share = share.filter(|_| refused).map(|share| format!(" {share:.2} |")).unwrap_or_default();
            writeln!(report, "{}{share}", at_full_speed(results, scenario, *kind))?;
        }
        for kind in kinds.clone() {
            let failed = results.of(scenario.name, *kind).filter_map(|record| record.sample);
            let failed: f64 = failed.map(|sample| sample.failed).sum();
            if failed > 0.0 {
                writeln!(report, "\n**Not answered by {}: {failed:.0} calls.**", kind.name())?;
            }
        }
    }
    if scenario.run != Run::FullSpeed {
        let rate = results.records.iter().filter(|record| record.scenario == scenario.name);
        let Some(rate) = rate.filter_map(|record| record.rate).next() else { return Ok(()) };
        writeln!(
            report,
            "\nAt {rate:.0} calls a second:\n\n| | p50, µs | p99, µs | p99.9, µs | added p50 | added p99 | added p99.9 | failed |\n\
             |---|---|---|---|---|---|---|---|"
        )?;
        for kind in kinds {
            writeln!(report, "{}", at_a_fixed_rate(results, scenario, *kind))?;
        }
    }
    Ok(())
}

fn at_full_speed(results: &Results, scenario: &Scenario, kind: Kind) -> String {
    let of = |figure: fn(&Record) -> Option<f64>, digits| {
        let values: Vec<_> = results.of(scenario.name, kind).filter_map(figure).collect();
        if values.is_empty() { "-".to_owned() } else { spread(values, digits) }
    };
    let cost: fn(&Record) -> Option<f64> = |record| record.sample.map(|sample| sample.cost);
    let ratios = results.paired(scenario.name, (kind, Kind::Nginx), cost, |cost, nginx| cost / nginx);
    let per_second = of(|record| record.sample.map(|sample| sample.per_second), 0);
    if kind == Kind::Direct {
        return format!("| {} | - | - | {per_second} | - | - |", kind.title());
    }
    let ratio = if ratios.is_empty() { "-".to_owned() } else { spread(ratios, 2) };
    format!(
        "| {} | {} | {ratio} | {per_second} | {} | {} |",
        kind.title(),
        of(cost, 1),
        of(|record| record.sample.map(|sample| sample.busy), 2),
        of(|record| record.sample.map(|sample| sample.rss), 0),
    )
}

fn at_a_fixed_rate(results: &Results, scenario: &Scenario, kind: Kind) -> String {
    let figures: [fn(&Record) -> Option<f64>; 3] = [
        |record| record.latency.map(|latency| latency.p50),
        |record| record.latency.map(|latency| latency.p99),
        |record| record.latency.map(|latency| latency.p999),
    ];
    let told = |values: Vec<f64>| if values.is_empty() { "-".to_owned() } else { spread(values, 0) };
    let own = figures.map(|figure| told(results.of(scenario.name, kind).filter_map(figure).collect()));
    let added = figures.map(|figure| {
        told(results.paired(scenario.name, (kind, Kind::Direct), figure, |own, direct| own - direct))
    });
    let failed: f64 = results
        .of(scenario.name, kind)
        .filter_map(|record| record.latency)
        .map(|latency| latency.failed)
        .sum();
    format!("| {} | {} | {} | {failed:.0} |", kind.title(), own.join(" | "), added.join(" | "))
}
