//! What was measured, as it was: one record for each contestant, scenario and round.

use serde_json::{Value, json};

use super::contestant::{Kind, Sample};
use super::oha::Latency;
use super::options::Options;
use super::targets::targets;
use crate::Failure;
use crate::figures::percentile;
use crate::machine::Machine;
use crate::process::load_average;
use crate::targets::Target;

/// One contestant in one round.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) scenario: &'static str,
    pub(crate) kind: Kind,
    pub(crate) round: usize,
    pub(crate) sample: Option<Sample>,
    /// Calls in a second when latency was measured.
    pub(crate) rate: Option<f64>,
    pub(crate) latency: Option<Latency>,
}

impl Record {
    pub(crate) fn new(scenario: &'static str, kind: Kind, round: usize) -> Self {
        Self { scenario, kind, round, sample: None, rate: None, latency: None }
    }

    fn raw(&self) -> Value {
        let sample = self.sample.map(|sample| {
            json!({
                "cpu_us_per_call": sample.cost,
                "calls_per_second": sample.per_second,
                "core_used": sample.busy,
                "refused_share": sample.refused,
                "failed": sample.failed,
                "rss_mib": sample.rss,
            })
        });
        let latency = self.latency.map(|latency| {
            json!({
                "calls_per_second": self.rate,
                "p50_us": latency.p50,
                "p99_us": latency.p99,
                "p99_9_us": latency.p999,
                "answered": latency.answered,
                "failed": latency.failed,
            })
        });
        json!({
            "scenario": self.scenario,
            "contestant": self.kind.name(),
            "round": self.round,
            "full_speed": sample,
            "fixed_rate": latency,
        })
    }
}

/// All of a run.
pub(crate) struct Results {
    pub(crate) quick: bool,
    pub(crate) rounds: usize,
    pub(crate) seconds: u64,
    pub(crate) machine: Machine,
    pub(crate) load_before: String,
    pub(crate) load_after: String,
    pub(crate) records: Vec<Record>,
    /// What 4 KiB took to be on the disk (`fdatasync`), in µs.
    pub(crate) flushes: Vec<f64>,
}

impl Results {
    pub(crate) fn begin(options: &Options, load_before: String) -> Self {
        Self {
            quick: options.quick,
            rounds: options.rounds,
            seconds: options.length.as_secs(),
            machine: Machine::this(),
            load_before,
            load_after: String::new(),
            records: Vec::new(),
            flushes: Vec::new(),
        }
    }

    pub(crate) fn end(&mut self) -> Result<(), Failure> {
        self.load_after = load_average()?;
        Ok(())
    }

    /// The records of a contestant in a scenario, by round.
    pub(crate) fn of(&self, scenario: &str, kind: Kind) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(move |record| record.scenario == scenario && record.kind == kind)
    }

    /// A figure of one contestant and the same of another in the same round, for each round where both are.
    pub(crate) fn paired(
        &self,
        scenario: &str,
        (one, other): (Kind, Kind),
        figure: impl Fn(&Record) -> Option<f64>,
        combine: impl Fn(f64, f64) -> f64,
    ) -> Vec<f64> {
        let pairs = self.of(scenario, one).filter_map(|record| {
            let peer = self.of(scenario, other).find(|peer| peer.round == record.round)?;
            Some(combine(figure(record)?, figure(peer)?))
        });
        pairs.collect()
    }

    /// What 4 KiB took to be on the disk, in µs: the half of them, and all but one in a hundred.
    pub(crate) fn flushes(&self) -> Option<[f64; 2]> {
        let percentiles = || [50, 99].map(|percent| percentile(&mut self.flushes.clone(), percent));
        (!self.flushes.is_empty()).then(percentiles)
    }

    pub(crate) fn raw(&self) -> Value {
        json!({
            "measurement": "gateway",
            "machine": self.machine.raw(),
            "rounds": self.rounds,
            "seconds_per_turn": self.seconds,
            "load_average_before": self.load_before,
            "load_average_after": self.load_after,
            "fdatasync_us": self.flushes().map(|[p50, p99]| json!({ "p50": p50, "p99": p99 })),
            "targets": targets(self).iter().map(Target::raw).collect::<Vec<_>>(),
            "records": self.records.iter().map(Record::raw).collect::<Vec<_>>(),
        })
    }
}
