//! `suvidha asp limits`: how much an ASP may call.

use std::collections::BTreeMap;
use std::num::NonZeroU64;

use clap::Args;
use gstn::catalogue::Family;
use gstn::{AspId, Environment};
use serde::{Serialize, Serializer};
use suvidha_store::{Limit, Limits, Registry, StoreError, Terms};

use crate::cli::environment;
use crate::exit::Failure;
use crate::output::{Answer, Output, fields, table};

/// `suvidha asp limits`.
#[derive(Debug, Args)]
pub(crate) struct ChangeLimits {
    /// Ten digits
    aspid: AspId,
    /// Where: sandbox or production
    #[arg(long, value_parser = environment)]
    environment: Environment,
    /// Change the limits of one family of APIs, the first word of their paths, such as taxpayerapi or commonapi. They hold
    /// beside those of all calls
    #[arg(long, value_name = "FAMILY", value_parser = parse_family)]
    api_family: Option<Family>,
    /// What to change.
    #[command(flatten)]
    change: Change,
}

/// What `suvidha asp limits` changes: a number, `none` for no limit, or `default` for the environment's.
#[derive(Debug, Clone, Copy, Args)]
#[group(id = "limits", multiple = true)]
struct Change {
    /// Calls per second, sustained
    #[arg(long, value_name = "N|none|default", value_parser = at_once)]
    per_second: Option<Wanted>,
    /// Calls that may come at once before the rate is kept to. It goes with --per-second: a rate that is set without it lets
    /// through at once a tenth of it, but at least 5 (or the whole rate, where that is less), whatever the environment's burst
    #[arg(long, value_name = "N|default", value_parser = burst)]
    burst: Option<Wanted>,
    /// Calls under way at once
    #[arg(long, value_name = "N|none|default", value_parser = at_once)]
    concurrent: Option<Wanted>,
    /// Calls in a day, which ends at midnight in India
    #[arg(long, value_name = "N|none|default", value_parser = in_time)]
    per_day: Option<Wanted>,
    /// Calls in a month, in India
    #[arg(long, value_name = "N|none|default", value_parser = in_time)]
    per_month: Option<Wanted>,
}

/// A limit as it is to be; nothing leaves it to the environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wanted(Option<Limit>);

fn at_once(text: &str) -> Result<Wanted, String> {
    wanted(text, Limits::MOST_AT_ONCE)
}

fn in_time(text: &str) -> Result<Wanted, String> {
    wanted(text, Limits::MOST_IN_TIME)
}

fn burst(text: &str) -> Result<Wanted, String> {
    match text {
        "none" | "0" => {
            Err("a rate has a burst of at least 1; `--per-second none` takes the rate away".to_owned())
        }
        other => at_once(other),
    }
}

fn wanted(text: &str, most: u64) -> Result<Wanted, String> {
    match (text, text.parse()) {
        ("none", _) => Ok(Wanted(Some(Limit::Unlimited))),
        ("default", _) => Ok(Wanted(None)),
        (_, Ok(0)) => {
            Err("it would refuse every call, as `suvidha asp suspend` does; `none` is no limit".to_owned())
        }
        (_, Ok(number)) if number <= most => Ok(Wanted(Some(Limit::at_most(number)))),
        _ => Err(format!("expected a whole number from 1 to {most}, or one of the words")),
    }
}

fn parse_family(text: &str) -> Result<Family, String> {
    Family::from_segment(text).ok_or_else(|| {
        let known: Vec<_> = Family::ALL.iter().map(|family| family.as_str()).collect();
        format!("expected one of {}", known.join(", "))
    })
}

impl Change {
    fn is_empty(&self) -> bool {
        let Self { per_second, burst, concurrent, per_day, per_month } = self;
        [per_second, burst, concurrent, per_day, per_month].into_iter().all(Option::is_none)
    }

    fn apply(&self, limits: &mut Limits) {
        let changes = [
            (self.per_second, &mut limits.per_second),
            (self.concurrent, &mut limits.concurrent),
            (self.per_day, &mut limits.per_day),
            (self.per_month, &mut limits.per_month),
        ];
        for (change, limit) in changes {
            if let Some(Wanted(wanted)) = change {
                *limit = wanted;
            }
        }
        if let Some(Wanted(wanted)) = self.burst {
            limits.burst = wanted.and_then(Limit::number).and_then(NonZeroU64::new);
        }
    }
}

/// Runs `suvidha asp limits`.
pub(super) fn run(registry: &Registry, change: &ChangeLimits, output: Output) -> Result<(), Failure> {
    let ChangeLimits { aspid, environment, api_family, change } = change;
    if !change.is_empty() {
        registry.change_limits(aspid, *environment, *api_family, |limits| change.apply(limits))?;
    }
    output.show(&OfAsp { aspid: aspid.as_str(), limits: of(registry, aspid, *environment)? })
}

#[derive(Serialize)]
struct OfAsp<'a> {
    aspid: &'a str,
    #[serde(flatten)]
    limits: Agreed,
}

impl Answer for OfAsp<'_> {
    fn words(&self) -> String {
        let Agreed { environment, .. } = self.limits;
        let lines = [("aspid", self.aspid.to_owned()), ("environment", environment.to_string())];
        let rows: Vec<_> = self.limits.rows().map(|[_, row @ ..]| row).collect();
        format!(
            "{}\n{}\ndefault: as [environments.{environment}.limits] of the gateway's configuration says\n\
             -: not set; a rate without a burst lets through at once what a tenth of a second brings\n",
            fields(&lines),
            table(HEADINGS, &rows)
        )
    }
}

const HEADINGS: [&str; 6] = ["CALLS OF", "PER SECOND", "BURST", "CONCURRENT", "PER DAY", "PER MONTH"];

/// How much an ASP may call in an environment.
fn of(registry: &Registry, aspid: &AspId, environment: Environment) -> Result<Agreed, StoreError> {
    let Terms { limits, family_limits, .. } = registry.terms(aspid, environment)?;
    let families = family_limits.into_iter().map(|(family, limits)| (family.as_str(), limits.into()));
    Ok(Agreed { environment, limits: limits.into(), families: families.collect() })
}

/// How much an ASP may call, in each environment.
pub(super) fn list(registry: &Registry, aspid: &AspId) -> Result<AllAgreed, StoreError> {
    let of = |environment| of(registry, aspid, environment);
    Environment::ALL.into_iter().map(of).collect::<Result<_, _>>().map(AllAgreed)
}

/// The limits of an ASP, one set for each environment.
#[derive(Serialize)]
pub(super) struct AllAgreed(Vec<Agreed>);

impl Answer for AllAgreed {
    fn words(&self) -> String {
        let [of, rest @ ..] = HEADINGS;
        let [a, b, c, d, e] = rest;
        let rows: Vec<_> = self.0.iter().flat_map(Agreed::rows).collect();
        table(["ENVIRONMENT", of, a, b, c, d, e], &rows)
    }
}

/// The limits of an ASP in an environment.
#[derive(Serialize)]
struct Agreed {
    environment: Environment,
    limits: Shown,
    families: BTreeMap<&'static str, Shown>,
}

impl Agreed {
    fn rows(&self) -> impl Iterator<Item = [String; 7]> {
        let families = self.families.iter().map(|(family, limits)| (*family, limits, "-"));
        std::iter::once(("all", &self.limits, "default")).chain(families).map(|(of, limits, unset)| {
            let cell = |limit: &Option<ShownLimit>| match limit {
                Some(ShownLimit(limit)) => limit.to_string(),
                None => unset.to_owned(),
            };
            let Shown { per_second, burst, concurrent, per_day, per_month } = limits;
            let [a, mut b, c, d, e] = [per_second, burst, concurrent, per_day, per_month].map(cell);
            if per_second.is_some() && burst.is_none() {
                // A rate of its own does not take the environment's burst.
                b = "-".to_owned();
            }
            [self.environment.to_string(), of.to_owned(), a, b, c, d, e]
        })
    }
}

/// What is set; nothing is as the environment says.
#[derive(Serialize)]
struct Shown {
    per_second: Option<ShownLimit>,
    burst: Option<ShownLimit>,
    concurrent: Option<ShownLimit>,
    per_day: Option<ShownLimit>,
    per_month: Option<ShownLimit>,
}

/// A number, or `"none"`.
#[derive(Debug, Clone, Copy)]
struct ShownLimit(Limit);

impl Serialize for ShownLimit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.number() {
            Some(number) => serializer.serialize_u64(number),
            None => serializer.serialize_str("none"),
        }
    }
}

impl From<Limits> for Shown {
    fn from(limits: Limits) -> Self {
        let Limits { per_second, burst, concurrent, per_day, per_month } = limits;
        Self {
            per_second: per_second.map(ShownLimit),
            burst: burst.map(|burst| ShownLimit(Limit::AtMost(burst))),
            concurrent: concurrent.map(ShownLimit),
            per_day: per_day.map(ShownLimit),
            per_month: per_month.map(ShownLimit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_number_or_one_of_two_words() {
        assert_eq!(at_once("25"), Ok(Wanted(Some(Limit::at_most(25)))));
        assert_eq!(at_once("none"), Ok(Wanted(Some(Limit::Unlimited))));
        assert_eq!(in_time("default"), Ok(Wanted(None)));
        assert_eq!(in_time("1000000000000"), Ok(Wanted(Some(Limit::at_most(1_000_000_000_000)))));
        assert_eq!(burst("5"), Ok(Wanted(Some(Limit::at_most(5)))));
        for nothing in ["none", "0"] {
            assert!(burst(nothing).unwrap_err().contains("--per-second none"), "{nothing}");
        }
        for wrong in ["", "0", "-1", "1000001", "1.5", "all", "None"] {
            assert!(at_once(wrong).is_err(), "{wrong:?}");
        }
        assert!(in_time("1000000000001").is_err());
        assert!(parse_family("gstr1").unwrap_err().starts_with("expected one of taxpayerapi, commonapi"));
    }
}
