//! `bench scale`: what becomes of the gateway when there is more of everything. Two cores in place of one; ten thousand ASPs with a
//! million live sessions; and minutes of load, in which its memory should stay what it is.

mod cores;
mod options;
mod sessions;

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::contest::field::Field;
use crate::machine::Machine;
use crate::process::load_average;
use crate::targets::{Target, table};
use crate::tools::Tool;
use crate::{Failure, results};
use options::{Options, Part};

/// What a part of it found.
struct Found {
    /// In Markdown.
    report: String,
    raw: Value,
    target: Target,
}

/// Measures what was asked for, and reports in Markdown.
pub(crate) fn measure(arguments: &[String]) -> Result<String, Failure> {
    let options = Options::read(arguments)?;
    for tool in [Tool::Taskset, Tool::Wrk, Tool::Nginx, Tool::NginxLua] {
        tool.required()?;
    }
    let (machine, before) = (Machine::this(), load_average()?);
    let mut found = Vec::new();
    if options.wants(Part::Cores) {
        found.push(cores::measure(&options)?);
    }
    if options.wants(Part::Sessions) {
        found.push(sessions::measure(&options, &Field::prepare(None)?)?);
    }
    let after = load_average()?;

    let mut report = String::new();
    if options.quick {
        writeln!(report, "**A quick run: its figures say nothing.**\n")?;
    }
    writeln!(report, "{}. Load average before: {before}; after: {after}.", machine.line())?;
    for found in &found {
        writeln!(report, "\n{}", found.report.trim())?;
    }
    let (raws, targets): (Vec<_>, Vec<_>) = found.into_iter().map(|found| (found.raw, found.target)).unzip();
    writeln!(report, "\n### Targets\n\n{}", table(&targets)?)?;
    if let Some(out) = &options.out {
        let raw = json!({
            "measurement": "scale",
            "machine": machine.raw(),
            "load_average_before": before,
            "load_average_after": after,
            "targets": targets.iter().map(Target::raw).collect::<Vec<_>>(),
            "parts": raws,
        });
        results::write(out, "scale", &machine.date, &raw, &report, None)?;
    }
    Ok(report)
}
