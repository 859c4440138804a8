//! What an account has used of its limits, what a call would be refused for, and which limit is nearest.

use std::time::Duration;

use gstn::catalogue::Family;
use http::{HeaderMap, HeaderName};
use jiff::Timestamp;
use suvidha_store::{Limit, Limits};

use super::calendar::{Calendar, until};
use crate::gcra::{Cell, Counted, Rate};

/// A call that meets too many others of its ASP may come again after this: one of them will have ended.
const WHILE_OTHERS_END: Duration = Duration::from_secs(1);

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Measure {
    Rate,
    Concurrency,
    Day,
    Month,
}

impl Measure {
    pub(crate) const ALL: [Self; 4] = [Self::Rate, Self::Concurrency, Self::Day, Self::Month];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Concurrency => "concurrency",
            Self::Day => "day",
            Self::Month => "month",
        }
    }
}

/// A limit that is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Breach {
    pub(crate) measure: Measure,
    /// Of one family of APIs, or of all calls.
    pub(crate) family: Option<Family>,
    pub(crate) limit: u64,
    /// Until a call may go through.
    pub(crate) wait: Duration,
}

impl Breach {
    pub(crate) fn notice(&self) -> Notice {
        Notice { limit: self.limit, remaining: 0, reset: self.wait }
    }

    pub(crate) fn words(&self) -> String {
        let limit = self.limit;
        let calls = if limit == 1 { "call" } else { "calls" };
        let of_family = self.family.map_or_else(String::new, |family| format!(" to `{family}`"));
        match self.measure {
            Measure::Rate => format!(
                "Calls{of_family} come faster than is agreed: after {limit} at once, no more than the agreed number a second."
            ),
            Measure::Concurrency => {
                format!("{limit} {calls}{of_family} may be under way at once, and that many are.")
            }
            Measure::Day => format!("{limit} {calls}{of_family} may be made in a day, and were made today."),
            Measure::Month => {
                format!("{limit} {calls}{of_family} may be made in a month, and were made in this one.")
            }
        }
    }
}

/// How near a limit is, for the headers `RateLimit-…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) limit: u64,
    pub(crate) remaining: u64,
    /// Until all of it is there again.
    pub(crate) reset: Duration,
}

impl Notice {
    /// The nearer of two: that of which the smaller part is left.
    pub(super) fn nearer(self, other: Self) -> Self {
        let part = |own: Self, others: Self| u128::from(own.remaining) * u128::from(others.limit);
        if part(other, self) < part(self, other) { other } else { self }
    }

    pub(crate) fn write(self, headers: &mut HeaderMap) {
        static LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
        static REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
        static RESET: HeaderName = HeaderName::from_static("ratelimit-reset");
        headers.insert(&LIMIT, self.limit.into());
        headers.insert(&REMAINING, self.remaining.into());
        headers.insert(&RESET, whole_seconds(self.reset).into());
    }
}

/// Rounded up.
pub(crate) fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

/// What was used: of an account as a whole, or of one family.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Used {
    cell: Cell,
    pub(super) under_way: u64,
    pub(super) today: u64,
    pub(super) this_month: u64,
}

impl Used {
    /// Every limit that one more call would break.
    pub(super) fn breaches<'a>(
        &'a self,
        limits: &'a Limits,
        family: Option<Family>,
        now: Timestamp,
        calendar: &'a Calendar,
    ) -> impl Iterator<Item = Breach> + 'a {
        let reached = move |limit: Option<Limit>, used: u64, measure, end| {
            let limit = limit.and_then(Limit::number).filter(|limit| used >= *limit)?;
            Some(Breach { measure, family, limit, wait: until(end, now) })
        };
        let too_fast = rate(limits).and_then(|rate| {
            let wait = self.cell.wait(rate, now)?;
            Some(Breach { measure: Measure::Rate, family, limit: rate.most(), wait })
        });
        let too_many = limits.concurrent.and_then(Limit::number).filter(|limit| self.under_way >= *limit);
        [
            too_fast,
            too_many.map(|limit| Breach {
                measure: Measure::Concurrency,
                family,
                limit,
                wait: WHILE_OTHERS_END,
            }),
            reached(limits.per_day, self.today, Measure::Day, calendar.day_ends),
            reached(limits.per_month, self.this_month, Measure::Month, calendar.month_ends),
        ]
        .into_iter()
        .flatten()
    }

    /// Counts a call. Of the rate it takes what is there: one that is let through beyond it makes no other wait.
    pub(super) fn take(&mut self, limits: &Limits, now: Timestamp) -> Option<Counted> {
        self.under_way += 1;
        self.today += 1;
        self.this_month += 1;
        let rate = rate(limits).filter(|rate| self.cell.wait(*rate, now).is_none())?;
        Some(self.cell.count(rate, now))
    }

    pub(super) fn take_back(&mut self, counted: Option<Counted>, now: Timestamp) {
        if let Some(counted) = counted {
            self.cell.take_back(counted, now);
        }
    }

    /// The nearest of the limits that time resets.
    pub(super) fn nearest(&self, limits: &Limits, now: Timestamp, calendar: &Calendar) -> Option<Notice> {
        let quota = |limit: Option<Limit>, used, end| {
            let limit = limit.and_then(Limit::number)?;
            Some(Notice { limit, remaining: limit.saturating_sub(used), reset: until(end, now) })
        };
        let rate = rate(limits).map(|rate| Notice {
            limit: rate.most(),
            remaining: self.cell.remaining(rate, now),
            reset: self.cell.rest(rate, now),
        });
        let day = quota(limits.per_day, self.today, calendar.day_ends);
        let month = quota(limits.per_month, self.this_month, calendar.month_ends);
        [rate, day, month].into_iter().flatten().reduce(Notice::nearer)
    }
}

fn rate(limits: &Limits) -> Option<Rate> {
    let number = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let per_second = limits.per_second.and_then(Limit::number)?;
    Some(Rate::per_second(number(per_second), limits.burst.map(|burst| number(burst.get()))))
}
