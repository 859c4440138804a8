//! How much ASPs may call (`[environments.X.limits]`, `[environments.X.ceiling]`), what it costs (`[gateway.charging]`), and
//! when GSTN is taken to be down (`[gateway.breaker]`).

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use suvidha_gateway::config::{AspLimits, Breaker, Ceiling, ChargeRule, Charging, LimitMode};

use super::reader::Section;
use super::setting::{Setting, Word};

/// The highest rate, and the largest number of calls at once, that is a limit at all.
const MOST_AT_ONCE: u32 = 1_000_000;
/// The largest quota of a day or a month.
const MOST_IN_TIME: u64 = 1_000_000_000_000;
const MOST_UNITS: u32 = 1_000_000;
const MINUTE: Duration = Duration::from_secs(60);

pub(super) fn limits(mut section: Section<'_, '_>) -> AspLimits {
    let default = AspLimits::default();
    let at = section.locate("burst");
    let limits = AspLimits {
        mode: section.get("mode", default.mode),
        per_second: number(&mut section, "per_second", 1..=MOST_AT_ONCE),
        burst: number(&mut section, "burst", 1..=MOST_AT_ONCE),
        concurrent: number(&mut section, "concurrent", 1..=MOST_AT_ONCE),
        per_day: number(&mut section, "per_day", 1..=MOST_IN_TIME),
        per_month: number(&mut section, "per_month", 1..=MOST_IN_TIME),
    };
    if limits.burst.is_some() && limits.per_second.is_none() {
        section.problem(at, "burst", "without `per_second` it limits nothing");
    }
    limits
}

pub(super) fn ceiling(mut section: Section<'_, '_>) -> Ceiling {
    let default = Ceiling::default();
    Ceiling {
        per_second: number(&mut section, "per_second", 1..=MOST_AT_ONCE),
        concurrent: number(&mut section, "concurrent", 1..=MOST_AT_ONCE),
        wait_ms: time(&mut section, "wait", default.wait_ms, Duration::ZERO..=MINUTE, "0ms to 1m"),
        queue: number(&mut section, "queue", 0..=100_000).unwrap_or(default.queue),
    }
}

pub(super) fn charging(mut section: Section<'_, '_>) -> Charging {
    let rule = section.get("rule", ChargeRule::default());
    let mut costs = section.section("costs");
    let mut charging = Charging { rule, ..Charging::default() };
    for (api, cost, at) in costs.entries::<u32>() {
        if !Charging::is_api(&api) {
            let words = "no API; write family and path, and perhaps an action, such as \"taxpayerapi/returns/gstr1 RETSAVE\"";
            costs.problem(at, &api, words);
        }
        if cost > MOST_UNITS {
            costs.problem(at, &api, format_args!("{cost} is outside 0 to {MOST_UNITS}"));
        }
        charging.costs.insert(api, cost);
    }
    charging
}

pub(super) fn breaker(mut section: Section<'_, '_>) -> Breaker {
    let default = Breaker::default();
    let (window, rest) = (Duration::from_secs(1)..=10 * MINUTE, Duration::from_millis(100)..=10 * MINUTE);
    Breaker {
        failures: number(&mut section, "failures", 0..=100_000).unwrap_or(default.failures),
        share: number(&mut section, "share", 0..=100).unwrap_or(default.share),
        window_ms: time(&mut section, "window", default.window_ms, window, "1s to 10m"),
        least: number(&mut section, "least", 1..=100_000).unwrap_or(default.least),
        rest_ms: time(&mut section, "rest", default.rest_ms, rest, "100ms to 10m"),
    }
}

fn number<T>(section: &mut Section<'_, '_>, key: &'static str, range: RangeInclusive<T>) -> Option<T>
where
    T: Setting + PartialOrd + Display,
{
    let at = section.locate(key);
    let number = section.optional(key)?;
    if !range.contains(&number) {
        section.problem(at, key, format_args!("{number} is outside {} to {}", range.start(), range.end()));
        return None;
    }
    Some(number)
}

fn time(
    section: &mut Section<'_, '_>,
    key: &'static str,
    default: u64,
    range: RangeInclusive<Duration>,
    in_words: &str,
) -> u64 {
    let at = section.locate(key);
    let time = section.get(key, Duration::from_millis(default));
    if !range.contains(&time) {
        section.problem(at, key, format_args!("it is outside {in_words}"));
        return default;
    }
    u64::try_from(time.as_millis()).unwrap_or(default)
}

impl Word for LimitMode {
    const WORDS: &'static [(&'static str, Self)] = &[("enforce", Self::Enforce), ("observe", Self::Observe)];
}

impl Word for ChargeRule {
    const WORDS: &'static [(&'static str, Self)] =
        &[("answered", Self::Answered), ("succeeded", Self::Succeeded), ("forwarded", Self::Forwarded)];
}
