//! How much ASPs may call, what it costs them, and when GSTN is taken to be down.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::time::Duration;

use jiff::SignedDuration;
use serde::Deserialize;
use suvidha_store::{Limit, Limits};

use crate::charging::is_api;
use crate::site::StartError;

/// How much each ASP may call in one environment, where nothing else was agreed with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AspLimits {
    /// What becomes of a call beyond a limit. Default `enforce`.
    pub mode: LimitMode,
    /// Calls per second, sustained: 1 to 1,000,000. Default: no limit.
    pub per_second: Option<u32>,
    /// Calls at once after a rest: 1 to 1,000,000. Default: a tenth of `per_second`, but at least 5 or, where that is
    /// less, `per_second` itself. It takes `per_second`.
    pub burst: Option<u32>,
    /// Calls under way at once: 1 to 1,000,000. Default: no limit.
    pub concurrent: Option<u32>,
    /// Calls in a day, which ends at midnight IST: 1 to 10^12. Default: no limit.
    pub per_day: Option<u64>,
    /// Calls in a month, IST: 1 to 10^12. Default: no limit.
    pub per_month: Option<u64>,
}

impl AspLimits {
    pub(crate) fn check(&self) -> Result<(), StartError> {
        let (few, many) = ((1, 1_000_000, "1 to 1,000,000"), (1, 1_000_000_000_000, "1 to 10^12"));
        within("limits.per_second", self.per_second.map(u64::from), few)?;
        within("limits.burst", self.burst.map(u64::from), few)?;
        within("limits.concurrent", self.concurrent.map(u64::from), few)?;
        within("limits.per_day", self.per_day, many)?;
        within("limits.per_month", self.per_month, many)
    }

    /// As what is agreed with an ASP is written.
    pub(crate) fn limits(&self) -> Limits {
        let limit = |number: Option<u64>| number.map(Limit::at_most);
        Limits {
            per_second: limit(self.per_second.map(u64::from)),
            burst: self.burst.map(u64::from).and_then(NonZeroU64::new),
            concurrent: limit(self.concurrent.map(u64::from)),
            per_day: limit(self.per_day),
            per_month: limit(self.per_month),
        }
    }
}

/// What becomes of a call beyond a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LimitMode {
    /// It is refused.
    #[default]
    Enforce,
    /// It is counted and told to the log, and goes through. For finding out what a limit would do.
    Observe,
}

/// How much one environment may send to GSTN, for all ASPs together. What is beyond waits, and the ASPs take turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ceiling {
    /// Calls per second, sustained: 1 to 1,000,000. At once, as many as for [`AspLimits::burst`] by
    /// default. Default: no ceiling.
    pub per_second: Option<u32>,
    /// Calls under way at GSTN at once: 1 to 1,000,000. Default: no ceiling.
    pub concurrent: Option<u32>,
    /// How long a call may wait for its turn, in milliseconds: 0 to 60,000. Default 2,000.
    pub wait_ms: u64,
    /// How many calls of one ASP may wait: 0 to 100,000. Default 100.
    pub queue: usize,
}

impl Default for Ceiling {
    fn default() -> Self {
        Self { per_second: None, concurrent: None, wait_ms: 2_000, queue: 100 }
    }
}

impl Ceiling {
    pub(crate) fn check(&self) -> Result<(), StartError> {
        let few = (1, 1_000_000, "1 to 1,000,000");
        within("ceiling.per_second", self.per_second.map(u64::from), few)?;
        within("ceiling.concurrent", self.concurrent.map(u64::from), few)?;
        within("ceiling.wait_ms", Some(self.wait_ms), (0, 60_000, "0 to 60,000 (a minute)"))?;
        within("ceiling.queue", Some(self.queue as u64), (0, 100_000, "0 to 100,000"))
    }

    /// Whether there is one at all.
    pub(crate) fn is_set(&self) -> bool {
        self.per_second.is_some() || self.concurrent.is_some()
    }

    pub(crate) fn wait(&self) -> Duration {
        Duration::from_millis(self.wait_ms)
    }
}

/// What a call costs an ASP on a plan that is counted in units.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Charging {
    /// Which calls are charged. Default `answered`.
    pub rule: ChargeRule,
    /// Units by API, such as `taxpayerapi/returns/gstr1`, or by API and action, such as
    /// `taxpayerapi/returns/gstr1 RETSAVE`, which goes first: 0 to 1,000,000. For what is not named, the catalogue's cost.
    pub costs: BTreeMap<String, u32>,
}

/// Which calls are charged. Whatever the gateway refuses is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChargeRule {
    /// Those that GSTN answered whole, whatever it said; failures of the network, and GSTN's 502, 503 and 504, are free.
    #[default]
    Answered,
    /// Those of them that GSTN was content with.
    Succeeded,
    /// Those that were sent, or may have been.
    Forwarded,
}

/// When GSTN is taken to be down, so that calls are refused at once.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Breaker {
    /// After so many failures in a row: 0 to 100,000; 0 never. Default 10.
    pub failures: u32,
    /// Or when so many of a hundred calls failed within `window_ms`: 0 to 100; 0 never. Default 50.
    pub share: u32,
    /// The time that `share` looks back, in milliseconds: 1,000 to 600,000. Default 30,000.
    pub window_ms: u64,
    /// With fewer calls than this in the window, `share` says nothing: 1 to 100,000. Default 20.
    pub least: u32,
    /// How long nothing is sent before a single call tries whether GSTN is back, in milliseconds: 100 to 600,000. Default
    /// 10,000.
    pub rest_ms: u64,
}

impl Default for Breaker {
    fn default() -> Self {
        Self { failures: 10, share: 50, window_ms: 30_000, least: 20, rest_ms: 10_000 }
    }
}

impl Charging {
    /// Whether `name` can name an API in `costs`: family and path, and perhaps an action.
    pub fn is_api(name: &str) -> bool {
        is_api(name)
    }

    pub(crate) fn check(&self) -> Result<(), StartError> {
        for (name, cost) in &self.costs {
            if !is_api(name) {
                return Err(StartError::UnknownApi { name: name.clone() });
            }
            within("charging.costs", Some((*cost).into()), (0, 1_000_000, "0 to 1,000,000"))?;
        }
        Ok(())
    }
}

impl Breaker {
    pub(crate) fn check(&self) -> Result<(), StartError> {
        let ten_minutes = 600_000;
        within("breaker.failures", Some(self.failures.into()), (0, 100_000, "0 to 100,000"))?;
        within("breaker.share", Some(self.share.into()), (0, 100, "0 to 100"))?;
        within(
            "breaker.window_ms",
            Some(self.window_ms),
            (1_000, ten_minutes, "1,000 to 600,000 (ten minutes)"),
        )?;
        within("breaker.least", Some(self.least.into()), (1, 100_000, "1 to 100,000"))?;
        within("breaker.rest_ms", Some(self.rest_ms), (100, ten_minutes, "100 to 600,000 (ten minutes)"))
    }

    pub(crate) fn rest(&self) -> SignedDuration {
        SignedDuration::from_millis(self.rest_ms.try_into().unwrap_or(i64::MAX))
    }
}

type Range = (u64, u64, &'static str);

fn within(setting: &'static str, found: Option<u64>, (low, high, expected): Range) -> Result<(), StartError> {
    match found {
        Some(found) if !(low..=high).contains(&found) => {
            Err(StartError::OutOfRange { setting, found, expected })
        }
        _ => Ok(()),
    }
}
