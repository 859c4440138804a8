//! Load at full speed, by `wrk`: so many connections, each sending its next call when the last is answered.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::LOAD_CORES;
use super::call::{Calls, HEADERS};
use crate::Failure;
use crate::process::pinned;
use crate::tools::Tool;

const COUNT: &str = include_str!("../../peers/wrk-count.lua");
const CHECK: &str = include_str!("../../peers/wrk-check.lua");
const TURNS: &str = include_str!("../../peers/wrk-turns.lua");

/// Who calls, and for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Crowd {
    pub(crate) connections: usize,
    pub(crate) length: Duration,
    /// The cores that it may use; all when left out.
    pub(crate) cores: Option<&'static str>,
}

/// What was done in a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Done {
    pub(crate) calls: f64,
    pub(crate) seconds: f64,
    /// Answered with a status of 400 or more.
    pub(crate) refused: f64,
    /// Not answered at all: not connected, broken, or out of time.
    pub(crate) failed: f64,
}

/// Calls `base` as fast as it answers. `place` is where its script goes.
pub(crate) fn run(place: &Path, base: &str, calls: &Calls, crowd: Crowd) -> Result<Done, Failure> {
    let told = told(place, base, calls, crowd, COUNT)?;
    let number = |name: &str| told[name].as_f64().ok_or_else(|| format!("wrk told no {name}: {told}"));
    Ok(Done {
        calls: number("calls")?,
        seconds: number("micros")? / 1e6,
        refused: number("status")?,
        failed: number("failed")?,
    })
}

/// What came back of some calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answers {
    /// The least and the greatest status.
    pub(crate) statuses: (u64, u64),
    /// How many there were, and how many had just the body that was expected.
    pub(crate) all: u64,
    pub(crate) equal: u64,
}

/// Calls `base` some dozens of times and looks at the answers.
pub(crate) fn look(place: &Path, base: &str, calls: &Calls) -> Result<Answers, Failure> {
    fs::write(place.join("expected"), calls.api.answer())?;
    let crowd = Crowd { connections: 4, length: Duration::from_secs(2), cores: Some(LOAD_CORES) };
    let told = told(place, base, calls, crowd, CHECK)?;
    let number = |name: &str| told[name].as_u64().ok_or_else(|| format!("wrk told no {name}: {told}"));
    Ok(Answers {
        statuses: (number("least")?, number("most")?),
        all: number("all")?,
        equal: number("equal")?,
    })
}

fn told(place: &Path, base: &str, calls: &Calls, crowd: Crowd, purpose: &str) -> Result<Value, Failure> {
    fs::write(place.join("call.lua"), script(place, calls)? + purpose)?;
    let Crowd { connections, length, cores } = crowd;
    let mut command = pinned(cores, Tool::Wrk.required()?);
    command.args(["--threads", "1", "--timeout", "10s", "--script", "call.lua"]);
    command.args(["--connections", &connections.to_string()]);
    command.args(["--duration", &format!("{}s", length.as_secs().max(1))]);
    let output = command.arg(format!("{base}{}", calls.api.path())).current_dir(place).output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let told = said.lines().find(|line| line.starts_with('{'));
    let told = told.ok_or_else(|| {
        format!("wrk told nothing of {base}: {said}{}", String::from_utf8_lossy(&output.stderr))
    })?;
    Ok(serde_json::from_str(told)?)
}

/// What wrk sends. One identity makes a request that is written once; several take turns.
fn script(place: &Path, calls: &Calls) -> Result<String, Failure> {
    let mut script = String::new();
    writeln!(script, "wrk.method = {:?}", calls.api.method())?;
    for (name, value) in HEADERS {
        writeln!(script, "wrk.headers[{name:?}] = {value:?}")?;
    }
    let body = calls.api.request();
    if !body.is_empty() {
        writeln!(script, "wrk.body = {body:?}")?;
    }
    match calls.identities.as_slice() {
        [] => {}
        [only] => {
            for (name, value) in only {
                writeln!(script, "wrk.headers[{name:?}] = {value:?}")?;
            }
        }
        many => {
            let mut lines = String::new();
            for identity in many {
                let headers: Vec<_> =
                    identity.iter().map(|(name, value)| format!("{name}: {value}")).collect();
                writeln!(lines, "{}", headers.join("|"))?;
            }
            fs::write(place.join("identities"), lines)?;
            script += TURNS;
        }
    }
    Ok(script)
}
