//! One core against two.
//!
//! Where the machine has cores for the load besides, the calls in a second are compared. On two cores the load must share them with
//! the gateway, and calls in a second say nothing; so there the CPU time of a call is compared, with the load on both
//! cores in either case: what two cores can do is two cores' time over what a call costs with two threads.

use std::fmt::Write as _;
use std::thread;
use std::time::Duration;

use serde_json::json;

use super::Found;
use super::options::Options;
use crate::asps::Asps;
use crate::contest::call::Api;
use crate::contest::contestant::{Contestant, STRICT, Sample};
use crate::contest::field::Field;
use crate::contest::start::Scene;
use crate::contest::wrk::Crowd;
use crate::figures::{median, spread};
use crate::targets::{Good, Target};
use crate::{Failure, progress};

const ROUNDS: usize = 7;
const CONNECTIONS: usize = 64;

pub(super) fn measure(options: &Options) -> Result<Found, Failure> {
    let apart = thread::available_parallelism()?.get() >= 4;
    let load_cores = apart.then_some("2,3");
    let field = Field::prepare(load_cores)?;
    let asps = Asps::make(1)?;
    let session = asps.sessions(1)?.remove(0);
    let contestant = |cores, threads| {
        let scene = Scene {
            field: &field,
            upstream: field.plain,
            tls: false,
            connections: CONNECTIONS,
            asps: &asps,
            stranger: &asps.all[0],
            sessions: std::slice::from_ref(&session),
            stranger_session: &session,
            api: Api::Small,
            cores: Some(cores),
            threads,
        };
        scene.start(STRICT)
    };
    let contestants = [contestant("0", 1)?, contestant("0,1", 2)?];
    let (rounds, seconds) = if options.quick { (1, 1) } else { (ROUNDS, 4) };
    let crowd = Crowd { connections: CONNECTIONS, length: Duration::from_secs(seconds), cores: load_cores };
    let run = |contestant: &Contestant| contestant.at_full_speed(crowd);
    // A round to warm up.
    contestants.iter().try_for_each(|contestant| run(contestant).map(drop))?;
    let mut samples: [Vec<Sample>; 2] = Default::default();
    for round in 1..=rounds {
        progress(&format!("cores: round {round} of {rounds}"));
        for (contestant, samples) in contestants.iter().zip(&mut samples) {
            samples.push(run(contestant)?);
        }
    }
    told(apart, &samples)
}

fn told(apart: bool, samples: &[Vec<Sample>; 2]) -> Result<Found, Failure> {
    let [one, two] = samples;
    let gain = |(one, two): (&Sample, &Sample)| {
        if apart { two.per_second / one.per_second } else { 2.0 * one.cost / two.cost }
    };
    let gains: Vec<f64> = one.iter().zip(two).map(gain).collect();
    let mut report = "### One core against two\n\n".to_owned();
    report += if apart {
        "The load has cores of its own; calls in a second are compared.\n\n"
    } else {
        "This machine has two cores, which the load shares with the gateway in both cases, so calls in a second say nothing here. \
         Compared is the CPU time of a call: two cores can do two cores' time over what a call costs with two threads.\n\n"
    };
    report += "| | CPU µs per call | calls per second |\n|---|---|---|\n";
    for (name, samples) in [("one thread on one core", one), ("two threads on two cores", two)] {
        let of = |figure: fn(&Sample) -> f64| samples.iter().map(figure).collect();
        let (cost, per_second) = (of(|sample| sample.cost), of(|sample| sample.per_second));
        writeln!(report, "| {name} | {} | {} |", spread(cost, 1), spread(per_second, 0))?;
    }
    writeln!(report, "\nGain: {}.", spread(gains.clone(), 2))?;
    let raw = |samples: &[Sample]| {
        let raw = |sample: &Sample| json!({ "cpu_us_per_call": sample.cost, "calls_per_second": sample.per_second });
        samples.iter().map(raw).collect::<Vec<_>>()
    };
    let raw =
        json!({ "part": "cores", "load_apart": apart, "one": raw(one), "two": raw(two), "gains": gains });
    let target = Target {
        what: "two cores against one",
        value: median(gains),
        good: Good::More,
        reach: Some(1.8),
        then: Some(1.95),
    };
    Ok(Found { report, raw, target })
}
