//! Indian civil time, in which GSTN thinks: dates turn at midnight IST.

use jiff::civil::Date;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

/// IST is UTC+05:30 all year.
const IST: SignedDuration = SignedDuration::from_mins(5 * 60 + 30);

/// The date in India at `at`.
pub(crate) fn ist_date(at: Timestamp) -> Date {
    Offset::UTC.to_datetime(at.checked_add(IST).unwrap_or(at)).date()
}

/// The instant `milliseconds` after the Unix epoch, as the database keeps it.
pub(crate) fn from_millis(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).unwrap_or_default()
}

/// `dd-mm-yyyy`, as in returns.
pub(crate) fn dashed(date: Date) -> String {
    format!("{:02}-{:02}-{:04}", date.day(), date.month(), date.year())
}

/// `dd/mm/yyyy`, as in searches and ledgers.
pub(crate) fn slashed(date: Date) -> String {
    format!("{:02}/{:02}/{:04}", date.day(), date.month(), date.year())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_turns_at_midnight_in_india() {
        let date = |at: &str| ist_date(at.parse().unwrap());
        assert_eq!(dashed(date("2026-03-31T18:29:59Z")), "31-03-2026");
        assert_eq!(slashed(date("2026-03-31T18:30:00Z")), "01/04/2026");
    }
}
