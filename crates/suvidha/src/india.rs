//! India's calendar, by which calls are counted, credit expires and financial years turn: five and a half hours ahead of
//! UTC, all the year.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

/// Indian Standard Time.
const IST_SECONDS: i32 = 19_800;

/// What calendar and clock show in India at `at`.
pub(crate) fn in_india(at: Timestamp) -> DateTime {
    offset().to_datetime(at)
}

/// The date in India at `at`.
pub(crate) fn today(at: Timestamp) -> Date {
    in_india(at).date()
}

/// The instant at which `day` begins in India.
pub(crate) fn midnight(day: Date) -> Timestamp {
    // Only the end of the calendar is out of reach.
    offset().to_timestamp(day.to_datetime(Time::midnight())).unwrap_or(Timestamp::MAX)
}

/// The first instant after `day`.
pub(crate) fn end_of(day: Date) -> Timestamp {
    day.tomorrow().map_or(Timestamp::MAX, midnight)
}

/// The first instant of the month in India that `at` is in.
pub(crate) fn start_of_month(at: Timestamp) -> Timestamp {
    midnight(today(at).first_of_month())
}

/// The last day on which it is earlier than `end`.
pub(crate) fn last_day(end: Timestamp) -> Date {
    today(end.saturating_sub(SignedDuration::from_nanos(1)).unwrap_or(end))
}

fn offset() -> Offset {
    Offset::from_seconds(IST_SECONDS).unwrap_or(Offset::UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_at_midnight_in_india() {
        let day: Date = "2027-03-31".parse().unwrap();
        let end: Timestamp = "2027-03-31T18:30:00Z".parse().unwrap();
        assert_eq!(end_of(day), end);
        assert_eq!(last_day(end), day);
        assert_eq!(last_day("2027-03-31T18:29:59Z".parse().unwrap()), day);
        assert_eq!(today("2027-03-31T18:29:59Z".parse().unwrap()), day);
        assert_eq!(today(end).to_string(), "2027-04-01");
        assert_eq!(
            start_of_month("2027-03-31T18:29:59Z".parse().unwrap()).to_string(),
            "2027-02-28T18:30:00Z"
        );
        assert_eq!(start_of_month(end), end);
        assert_eq!(end_of("2028-02-28".parse().unwrap()).to_string(), "2028-02-28T18:30:00Z");
    }
}
