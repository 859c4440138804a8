//! `bench gateway`: the gateway beside those whom people would otherwise put there, in one run, on the same cores.
//!
//! The contestants of a scenario run all the time and take turns within each round, so that whatever else the machine does
//! meets them alike. A contestant has one core, with all its processes and threads; the load and the upstream have another.
//! What counts is its CPU time per call, and its ratio to nginx's in the same round.

pub(crate) mod call;
mod chart;
pub(crate) mod contestant;
pub(crate) mod field;
mod oha;
mod options;
mod record;
mod report;
mod scenario;
mod server;
pub(crate) mod start;
mod targets;
pub(crate) mod wrk;

use std::num::NonZeroU64;
use std::thread;
use std::time::Duration;

use crate::asps::Asps;
use crate::process::load_average;
use crate::tools::Tool;
use crate::{Failure, disk, progress};
use contestant::{Contestant, Running};
use field::Field;
use options::Options;
use record::{Record, Results};
use scenario::{Callers, Door, Run, SCENARIOS, Scenario};
use start::Scene;
use wrk::Crowd;

/// Where a contestant runs, and where the load and the upstream do.
pub(crate) const GATEWAY_CORES: &str = "0";
pub(crate) const LOAD_CORES: &str = "1";

/// ASPs, and sessions, of the scenario with many.
const MANY_ASPS: usize = 10_000;
const MANY_SESSIONS: usize = 100_000;

/// A contestant's own rate, where one of ten ASPs is to be refused.
const ONCE: NonZeroU64 = NonZeroU64::MIN;

/// Measures what was asked for, and reports in Markdown.
pub(crate) fn measure(arguments: &[String]) -> Result<String, Failure> {
    let options = Options::read(arguments)?;
    // Without these nothing can be measured; who else is missing is left out, and the report says so.
    for tool in [Tool::Taskset, Tool::Wrk, Tool::Nginx, Tool::NginxLua] {
        tool.required()?;
    }
    let before = load_average()?;
    let field = Field::prepare(Some(LOAD_CORES))?;
    let stranger = Asps::make(1)?;
    let mut results = Results::begin(&options, before);
    for scenario in SCENARIOS.iter().filter(|scenario| options.wants(scenario.name)) {
        if scenario.run == Run::Reload && Tool::Oha.path().is_none() {
            // The report names what is missing.
            continue;
        }
        progress(&format!("{}: {}", scenario.name, scenario.what));
        let contest = Contest::open(scenario, &options, &field, &stranger)?;
        contest.run(&mut results)?;
    }
    results.end()?;
    report::finish(&results, options.out.as_deref())
}

/// One scenario under way.
struct Contest<'a> {
    scenario: &'a Scenario,
    options: &'a Options,
    contestants: Vec<Contestant>,
}

impl<'a> Contest<'a> {
    /// Starts the contestants, and checks that they do what is claimed of them.
    fn open(
        scenario: &'a Scenario,
        options: &'a Options,
        field: &Field,
        stranger: &Asps,
    ) -> Result<Self, Failure> {
        let mut asps = Asps::make(match scenario.callers {
            Callers::One => 1,
            Callers::TenOneLimited => 10,
            Callers::Many => MANY_ASPS,
        })?;
        if scenario.callers == Callers::TenOneLimited {
            asps.limit(9, ONCE)?;
        }
        let sessions = if scenario.callers == Callers::Many { MANY_SESSIONS } else { asps.all.len() };
        let scene = Scene {
            field,
            upstream: match scenario.door {
                Door::Plain => field.plain,
                Door::Tls => field.tls,
                Door::Slow => field.slow,
            },
            tls: scenario.door == Door::Tls,
            connections: scenario.connections,
            sessions: &asps.sessions(sessions)?,
            asps: &asps,
            stranger: &stranger.all[0],
            stranger_session: &stranger.sessions(1)?[0],
            api: scenario.api,
            cores: Some(GATEWAY_CORES),
            threads: 1,
        };
        let here = scenario.kinds.iter().filter(|kind| kind.tool().is_none_or(|tool| tool.path().is_some()));
        let contestants = here.map(|kind| scene.start(*kind)).collect::<Result<Vec<_>, _>>()?;
        contestants.iter().try_for_each(Contestant::check)?;
        Ok(Self { scenario, options, contestants })
    }

    fn run(&self, results: &mut Results) -> Result<(), Failure> {
        let rate = self.warm_up()?;
        for round in 1..=self.options.rounds {
            progress(&format!("{}: round {round} of {}", self.scenario.name, self.options.rounds));
            results.flushes.extend(self.flushes()?);
            for contestant in &self.contestants {
                results.records.push(self.turn(contestant, round, rate)?);
            }
        }
        Ok(())
    }

    /// A round that counts for nothing but the fixed rate: half of what the slowest of the programs can do.
    fn warm_up(&self) -> Result<f64, Failure> {
        let mut slowest = f64::INFINITY;
        for contestant in &self.contestants {
            let sample = contestant.at_full_speed(self.crowd())?;
            slowest = slowest.min(sample.per_second);
        }
        Ok((slowest / 2.0).round())
    }

    fn turn(&self, contestant: &Contestant, round: usize, rate: f64) -> Result<Record, Failure> {
        let mut record = Record::new(self.scenario.name, contestant.kind, round);
        if self.scenario.run == Run::Reload {
            record.rate = Some(rate);
            record.latency = Some(self.while_reloading(contestant, rate)?);
            return Ok(record);
        }
        record.sample = Some(contestant.at_full_speed(self.crowd())?);
        if self.scenario.run == Run::AndLatency && Tool::Oha.path().is_some() {
            record.rate = Some(rate);
            record.latency = Some(self.latency(contestant, rate)?);
        }
        Ok(record)
    }

    fn crowd(&self) -> Crowd {
        // It takes a while until everybody has been connected and answered once.
        let least = Duration::from_secs(if self.scenario.door == Door::Slow { 4 } else { 1 });
        let length = self.options.length.max(least);
        Crowd { connections: self.scenario.connections, length, cores: Some(LOAD_CORES) }
    }

    fn latency(&self, contestant: &Contestant, rate: f64) -> Result<oha::Latency, Failure> {
        let Contestant { room, base, calls, .. } = contestant;
        oha::run(room, base, calls, self.scenario.connections, rate, self.options.length)
    }

    /// What calls meet while the contestant reads its configuration again, once a second.
    fn while_reloading(&self, contestant: &Contestant, rate: f64) -> Result<oha::Latency, Failure> {
        let calm = self.options.length;
        thread::scope(|scope| {
            let calling =
                scope.spawn(|| self.latency(contestant, rate).map_err(|failure| failure.to_string()));
            for _ in 0..calm.as_secs() {
                thread::sleep(Duration::from_secs(1) * 9 / 10);
                contestant.reload()?;
            }
            Ok(calling.join().map_err(|_| "whoever called panicked")??)
        })
    }

    /// What the disk takes in this round, where something is kept on it.
    fn flushes(&self) -> Result<Vec<f64>, Failure> {
        let of_gateway = |contestant: &Contestant| match &contestant.running {
            Running::Gateway(gateway) => Some(gateway.directory().to_owned()),
            _ => None,
        };
        let place = self.contestants.iter().find_map(of_gateway);
        place.map_or(Ok(Vec::new()), |place| disk::flushes(&place))
    }
}
