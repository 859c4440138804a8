//! Times on the command line: an instant, a day of the Indian calendar, or so long ago.

use std::str::FromStr;
use std::time::Duration;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

use crate::config::duration;
use crate::india::{end_of, midnight};

/// A time as it was given, before it is known whether it begins or ends something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// To the microsecond.
    Instant(Timestamp),
    /// A whole day, in India.
    Day(Date),
    /// Before now.
    Ago(Duration),
}

impl Moment {
    /// The first instant that counts, where this begins a time: of a day its midnight.
    pub(crate) fn begin(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Instant(at) => at,
            Self::Day(day) => midnight(day),
            Self::Ago(long) => ago(now, long),
        }
    }

    /// The first instant that counts no more, where this ends a time: of a day the next midnight.
    pub(crate) fn end(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Day(day) => end_of(day),
            other => other.begin(now),
        }
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let ago = || duration(text).map(Self::Ago);
        // A date and time with no distance from UTC parses as a date alone, and would lose its time.
        let day = || text.parse().ok().filter(|_| text.len() == "2026-11-22".len()).map(Self::Day);
        let instant = || text.parse().ok().map(Self::Instant);
        day().or_else(ago).or_else(instant).ok_or_else(|| {
            "expected a day such as 2026-11-22 (in India), a time with its distance from UTC such as \
             2026-11-22T10:15:00+05:30, or how long ago, such as 30m, 2h or 7d"
                .to_owned()
        })
    }
}

/// A month of the Indian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Month(Date);

impl Month {
    /// The one that `day` belongs to.
    pub(crate) fn of(day: Date) -> Self {
        Self(day.first_of_month())
    }

    /// Its first instant.
    pub(crate) fn begin(self) -> Timestamp {
        midnight(self.0)
    }

    /// The first instant of the next.
    pub(crate) fn end(self) -> Timestamp {
        end_of(self.0.last_of_month())
    }
}

impl FromStr for Month {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let first = format!("{text}-01").parse().ok().filter(|_| text.len() == "2026-11".len());
        first.map(Self).ok_or_else(|| "expected a year and a month such as 2026-11".to_owned())
    }
}

fn ago(now: Timestamp, long: Duration) -> Timestamp {
    let long = SignedDuration::try_from(long).ok();
    long.and_then(|long| now.checked_sub(long).ok()).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str) -> Moment {
        text.parse().unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_day_is_one_of_the_indian_calendar_and_counts_to_its_end() {
        let now = at("2026-11-22T10:00:00Z");
        let day = moment("2026-11-30");
        assert_eq!(day.begin(now), at("2026-11-29T18:30:00Z"));
        assert_eq!(day.end(now), at("2026-11-30T18:30:00Z"));
    }

    #[test]
    fn times_and_so_long_ago_are_the_same_at_both_ends() {
        let now = at("2026-11-22T10:00:00Z");
        for (text, meant) in [
            ("2026-11-22T10:15:00.5+05:30", "2026-11-22T04:45:00.5Z"),
            ("2026-11-22T04:45:00Z", "2026-11-22T04:45:00Z"),
            ("2h", "2026-11-22T08:00:00Z"),
            ("7d", "2026-11-15T10:00:00Z"),
        ] {
            assert_eq!((moment(text).begin(now), moment(text).end(now)), (at(meant), at(meant)), "{text}");
        }
    }

    #[test]
    fn what_could_be_taken_in_two_ways_is_no_time() {
        for wrong in
            ["", "yesterday", "2026-11", "2026-13-01", "2026-11-22T10:15:00", "10:15", "-2h", "20261122"]
        {
            assert!(wrong.parse::<Moment>().is_err(), "{wrong:?}");
        }
        for wrong in ["", "2026", "2026-13", "11-2026", "2026-1", "2026-11-22"] {
            assert!(wrong.parse::<Month>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_month_ends_where_the_next_begins() {
        let month: Month = "2028-02".parse().unwrap();
        assert_eq!((month.begin(), month.end()), (at("2028-01-31T18:30:00Z"), at("2028-02-29T18:30:00Z")));
        assert_eq!(Month::of("2028-02-29".parse().unwrap()), month);
    }
}
