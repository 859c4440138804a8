//! Load at a fixed rate, by `oha`: how long answers take when there is no crowd.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::LOAD_CORES;
use super::call::{Calls, HEADERS};
use crate::Failure;
use crate::process::pinned;
use crate::tools::Tool;

/// What an answer takes, in µs, and what became of the calls.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    pub(crate) answered: f64,
    /// Answered with another status than 200, or not at all.
    pub(crate) failed: f64,
}

/// Calls `base` so many times a second for so long. A call that has to wait for its connection waits from when it was due.
pub(crate) fn run(
    place: &Path,
    base: &str,
    calls: &Calls,
    connections: usize,
    per_second: f64,
    length: Duration,
) -> Result<Latency, Failure> {
    let number = (per_second * length.as_secs_f64()).round();
    let mut command = pinned(Some(LOAD_CORES), Tool::Oha.required()?);
    command.args(["--no-tui", "--output-format", "json", "--disable-compression", "--insecure"]);
    command.args(["--latency-correction", "-t", "10s", "-m", calls.api.method()]);
    command.args(["-c", &connections.to_string(), "-n", &number.to_string()]);
    command.args(["-q", &per_second.round().to_string()]);
    let identity = calls.identities.first().map(Vec::as_slice).unwrap_or_default();
    let who = identity.iter().map(|(name, value)| (*name, value.as_str()));
    for (name, value) in HEADERS.into_iter().chain(who) {
        command.args(["-H", &format!("{name}: {value}")]);
    }
    let output = command.arg(format!("{base}{}", calls.api.path())).current_dir(place).output()?;
    let told: Value = serde_json::from_slice(&output.stdout).map_err(|error| {
        format!("oha told nothing of {base} ({error}): {}", String::from_utf8_lossy(&output.stderr))
    })?;
    let percentile = |name: &str| {
        let seconds = told["latencyPercentiles"][name].as_f64();
        seconds.map(|seconds| seconds * 1e6).ok_or_else(|| format!("oha told no {name}: {told}"))
    };
    let answered = told["statusCodeDistribution"]["200"].as_f64().unwrap_or_default();
    Ok(Latency {
        p50: percentile("p50")?,
        p99: percentile("p99")?,
        p999: percentile("p99.9")?,
        answered,
        failed: number - answered,
    })
}
