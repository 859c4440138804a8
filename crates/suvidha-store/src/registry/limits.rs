//! Limits: how much an ASP may call, as the operator has set it; where he has not, the environment's hold.

use std::fmt;
use std::num::NonZeroU64;

use gstn::{AspId, Environment, catalogue::Family};
use rusqlite::types::Type;
use rusqlite::{Row, Transaction, params};

use super::columns::{optional_number, parsed, storable_number};
use super::{Registry, asps};
use crate::error::StoreError;

/// One limit that was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limit {
    /// No limit, whatever the environment says.
    Unlimited,
    /// So many, and no more.
    AtMost(NonZeroU64),
}

impl Limit {
    /// So many; [`Unlimited`](Self::Unlimited) for 0.
    pub fn at_most(number: u64) -> Self {
        NonZeroU64::new(number).map_or(Self::Unlimited, Self::AtMost)
    }

    /// The number; `None` where there is no limit.
    pub fn number(self) -> Option<u64> {
        match self {
            Self::Unlimited => None,
            Self::AtMost(number) => Some(number.get()),
        }
    }
}

/// The number, or `none`.
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unlimited => f.pad("none"),
            Self::AtMost(number) => fmt::Display::fmt(number, f),
        }
    }
}

/// How much may be called. What is `None` was not set: for the calls of an ASP as a whole it is as its environment says, and a
/// family of APIs has no such limit of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// The rate in calls per second, sustained; at most 1,000,000.
    pub per_second: Option<Limit>,
    /// How many calls may come at once before the rate is kept to; at most 1,000,000. It belongs to the rate: one
    /// that is set without a burst does not take that of its environment.
    pub burst: Option<NonZeroU64>,
    /// How many calls may be under way at once; at most 1,000,000.
    pub concurrent: Option<Limit>,
    /// How many calls may be made in a day, IST; at most 10^12.
    pub per_day: Option<Limit>,
    /// How many calls may be made in a month, IST; at most 10^12.
    pub per_month: Option<Limit>,
}

impl Limits {
    /// The most that a rate, a burst, or the number of calls under way can be.
    pub const MOST_AT_ONCE: u64 = 1_000_000;

    /// The most that a quota of a day or a month can be.
    pub const MOST_IN_TIME: u64 = 1_000_000_000_000;

    /// These limits, and those of `wider` where nothing was set. The burst goes with the rate.
    pub fn or(self, wider: Self) -> Self {
        let (per_second, burst) = match self.per_second {
            Some(rate) => (Some(rate), self.burst),
            None => (wider.per_second, self.burst.or(wider.burst)),
        };
        Self {
            per_second,
            burst,
            concurrent: self.concurrent.or(wider.concurrent),
            per_day: self.per_day.or(wider.per_day),
            per_month: self.per_month.or(wider.per_month),
        }
    }

    /// # Errors
    /// [`StoreError::InvalidField`] names the first that is out of range.
    fn check(&self) -> Result<(), StoreError> {
        let number = |limit: Option<Limit>| limit.and_then(Limit::number);
        let fields = [
            ("rate per second", number(self.per_second), Self::MOST_AT_ONCE),
            ("burst", self.burst.map(NonZeroU64::get), Self::MOST_AT_ONCE),
            ("concurrency", number(self.concurrent), Self::MOST_AT_ONCE),
            ("daily quota", number(self.per_day), Self::MOST_IN_TIME),
            ("monthly quota", number(self.per_month), Self::MOST_IN_TIME),
        ];
        for (field, number, most) in fields {
            if let Some(number) = number.filter(|number| *number > most) {
                let reason = format!("is more than {most}; a rate or quota beyond that is no limit");
                return Err(StoreError::InvalidField { field, value: number.to_string(), reason });
            }
        }
        Ok(())
    }
}

impl Registry {
    /// Changes the ASP's limits in an environment: those of all its calls, or those of one `family`. `change` is given what is
    /// set now. Answers what is set then.
    ///
    /// # Errors
    /// [`StoreError::AspNotFound`]; [`StoreError::InvalidField`] for a limit beyond what [`Limits`] says.
    pub fn change_limits(
        &self,
        aspid: &AspId,
        environment: Environment,
        family: Option<Family>,
        change: impl FnOnce(&mut Limits),
    ) -> Result<Limits, StoreError> {
        self.change(|transaction| {
            asps::require(transaction, aspid)?;
            let mut limits = Limits::default();
            each(transaction, Some((aspid, environment)), |_, _, of, set| {
                if of == family {
                    limits = set;
                }
            })?;
            let before = limits;
            change(&mut limits);
            limits.check()?;
            if limits != before {
                keep(transaction, aspid, environment, family, &limits)?;
            }
            Ok(limits)
        })
    }
}

fn keep(
    transaction: &Transaction<'_>,
    aspid: &AspId,
    environment: Environment,
    family: Option<Family>,
    limits: &Limits,
) -> Result<(), StoreError> {
    let family = family.map_or("", Family::as_str);
    if *limits == Limits::default() {
        transaction.execute(
            "DELETE FROM asp_limits WHERE aspid = ?1 AND environment = ?2 AND family = ?3",
            [aspid.as_str(), environment.as_str(), family],
        )?;
        return Ok(());
    }
    let stored = |limit: Option<Limit>| limit.map(|limit| storable_number(limit.number().unwrap_or(0)));
    transaction.execute(
        "INSERT OR REPLACE INTO asp_limits
         (aspid, environment, family, per_second, burst, concurrent, per_day, per_month)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            aspid.as_str(),
            environment.as_str(),
            family,
            stored(limits.per_second),
            limits.burst.map(|burst| storable_number(burst.get())),
            stored(limits.concurrent),
            stored(limits.per_day),
            stored(limits.per_month),
        ],
    )?;
    Ok(())
}

/// Hands the limits of every ASP, or of one in one environment, to `take`: those of all its calls first, then the families'.
pub(super) fn each(
    transaction: &Transaction<'_>,
    only: Option<(&AspId, Environment)>,
    mut take: impl FnMut(AspId, Environment, Option<Family>, Limits),
) -> Result<(), StoreError> {
    let (aspid, environment) =
        only.map(|(aspid, environment)| (aspid.as_str(), environment.as_str())).unzip();
    let mut limits = transaction.prepare_cached(
        "SELECT * FROM asp_limits WHERE ?1 IS NULL OR (aspid = ?1 AND environment = ?2) ORDER BY family",
    )?;
    let mut rows = limits.query(params![aspid, environment])?;
    while let Some(row) = rows.next()? {
        take(parsed(row, "aspid")?, parsed(row, "environment")?, family(row)?, from_row(row)?);
    }
    Ok(())
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Limits> {
    let limit = |column| optional_number(row, column).map(|number| number.map(Limit::at_most));
    Ok(Limits {
        per_second: limit("per_second")?,
        burst: optional_number(row, "burst")?.and_then(NonZeroU64::new),
        concurrent: limit("concurrent")?,
        per_day: limit("per_day")?,
        per_month: limit("per_month")?,
    })
}

fn family(row: &Row<'_>) -> rusqlite::Result<Option<Family>> {
    let index = row.as_ref().column_index("family")?;
    let name = row.get_ref(index)?.as_str()?;
    match Family::from_segment(name) {
        _ if name.is_empty() => Ok(None),
        Some(family) => Ok(Some(family)),
        None => {
            let unknown = format!("{name:?} is no family of APIs").into();
            Err(rusqlite::Error::FromSqlConversionFailure(index, Type::Text, unknown))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_brings_its_burst_and_everything_else_stands_alone() {
        let number = NonZeroU64::new;
        let wide = Limits {
            per_second: Some(Limit::at_most(10)),
            burst: number(20),
            concurrent: Some(Limit::at_most(5)),
            per_day: Some(Limit::at_most(1000)),
            per_month: None,
        };
        assert_eq!(Limits::default().or(wide), wide);
        let faster = Limits { per_second: Some(Limit::at_most(100)), ..Limits::default() };
        assert_eq!(
            faster.or(wide),
            Limits { burst: None, ..Limits { per_second: faster.per_second, ..wide } }
        );
        let broader = Limits { burst: number(50), ..Limits::default() };
        assert_eq!(broader.or(wide), Limits { burst: number(50), ..wide });
        let free = Limits { per_day: Some(Limit::Unlimited), ..Limits::default() };
        assert_eq!(free.or(wide).per_day, Some(Limit::Unlimited));
    }
}
