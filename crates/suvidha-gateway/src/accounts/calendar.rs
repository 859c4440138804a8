//! India's days and months, by which quotas and caps are counted, whatever zone the machine is in.

use std::time::Duration;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

const HALF_HOURS_AHEAD: i32 = 11;

/// For so long after midnight a call that read the clock before it is counted with the new day: threads read the clock
/// first and take turns afterwards.
const LATECOMERS: SignedDuration = SignedDuration::from_mins(10);

/// One day in India, and the month that it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Calendar {
    pub(super) day: Date,
    counts_from: Timestamp,
    pub(super) day_ends: Timestamp,
    pub(super) month_ends: Timestamp,
}

impl Calendar {
    pub(super) fn at(now: Timestamp) -> Self {
        let day = local(now).date();
        let tomorrow = day.tomorrow().unwrap_or(Date::MAX);
        let next_month = day.last_of_month().tomorrow().unwrap_or(Date::MAX);
        let counts_from = midnight(day).saturating_sub(LATECOMERS).unwrap_or(Timestamp::MIN);
        Self { day, counts_from, day_ends: midnight(tomorrow), month_ends: midnight(next_month) }
    }

    pub(super) fn is_month_of(&self, other: &Self) -> bool {
        self.month_ends == other.month_ends
    }

    /// Whether `now` is counted with this day.
    pub(super) fn covers(&self, now: Timestamp) -> bool {
        (self.counts_from..self.day_ends).contains(&now)
    }
}

/// How long from `now` until `end`.
pub(super) fn until(end: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(end.duration_since(now)).unwrap_or_default()
}

/// An instant as people in India write it, to the minute.
pub(super) fn in_words(time: Timestamp) -> String {
    let local = local(time);
    format!("{} {:02}:{:02} IST", local.date(), local.hour(), local.minute())
}

fn offset() -> Offset {
    Offset::from_seconds(HALF_HOURS_AHEAD * 30 * 60).unwrap_or(Offset::UTC)
}

fn local(time: Timestamp) -> DateTime {
    offset().to_datetime(time)
}

fn midnight(day: Date) -> Timestamp {
    offset().to_timestamp(day.to_datetime(Time::midnight())).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_day_ends_at_midnight_in_india() {
        let calendar = Calendar::at(at("2026-11-30T18:29:59Z"));
        assert_eq!(calendar.day.to_string(), "2026-11-30");
        assert_eq!(calendar.day_ends, at("2026-11-30T18:30:00Z"));
        assert_eq!(calendar.month_ends, at("2026-11-30T18:30:00Z"));
        let next = Calendar::at(at("2026-11-30T18:30:00Z"));
        assert_eq!(
            (next.day.to_string().as_str(), next.month_ends),
            ("2026-12-01", at("2026-12-31T18:30:00Z"))
        );
        assert!(!next.is_month_of(&calendar));
        assert!(next.covers(at("2026-11-30T18:29:59Z")), "a latecomer");
        assert!(!next.covers(at("2026-11-30T17:00:00Z")), "a clock that was put back");
        assert!(!calendar.covers(at("2026-11-30T18:30:00Z")));
        assert_eq!(until(calendar.day_ends, at("2026-11-30T18:29:59Z")), Duration::from_secs(1));
        assert_eq!(in_words(at("2026-11-30T18:29:59Z")), "2026-11-30 23:59 IST");
    }
}
