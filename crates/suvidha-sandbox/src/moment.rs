//! Points in time as people write them: an instant, or a day in India.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;
use jiff::{SignedDuration, Span, Timestamp};

const NOON: Time = Time::constant(12, 0, 0, 0);

/// An instant (RFC 3339), a civil time in India (`2026-04-14T15:00`), or a day, which stands for its noon: neither the
/// dates in India nor those elsewhere are then in doubt.
pub(crate) fn within(text: &str) -> Result<Timestamp, String> {
    read(text, NOON)
}

/// The same, where a day stands for its beginning.
pub(crate) fn start(text: &str) -> Result<Timestamp, String> {
    read(text, Time::midnight())
}

fn read(text: &str, time: Time) -> Result<Timestamp, String> {
    let text = text.trim();
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Ok(instant);
    }
    // A date is read as a civil time as well, at midnight: look for it first.
    let civil = match text.parse::<Date>() {
        Ok(day) if text.len() == 10 => Some(day.to_datetime(time)),
        _ => text.parse::<DateTime>().ok(),
    };
    let civil = civil.ok_or_else(|| {
        format!(
            "{text:?} is neither an instant such as 2026-04-14T15:00:00+05:30 nor a day such as 2026-04-14"
        )
    })?;
    in_india(civil).ok_or_else(|| format!("{text} is out of the range of dates"))
}

/// The instant of a civil time in India.
pub(crate) fn in_india(civil: DateTime) -> Option<Timestamp> {
    Offset::UTC.to_timestamp(civil).ok()?.checked_sub(IST).ok()
}

/// The civil time in India at an instant.
pub(crate) fn civil(at: Timestamp) -> DateTime {
    Offset::UTC.to_datetime(at.checked_add(IST).unwrap_or(at))
}

const IST: SignedDuration = SignedDuration::from_mins(5 * 60 + 30);

/// The instant `span` after `at`, such as `3 days`, `1 month` or `P1M`, counted on the calendar of India.
pub(crate) fn after(at: Timestamp, span: &str) -> Result<Timestamp, String> {
    let span: Span = span
        .trim()
        .trim_start_matches('+')
        .parse()
        .map_err(|_| format!("{span:?} is no span of time such as `3 days`, `1 month 2h` or `P1M`"))?;
    let moved = civil(at).checked_add(span).ok().and_then(in_india);
    moved.ok_or_else(|| "that leads out of the range of dates".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_a_day_in_india() {
        let told = |outcome: Result<Timestamp, String>| outcome.unwrap().to_string();
        assert_eq!(told(within("2026-04-14")), "2026-04-14T06:30:00Z");
        assert_eq!(told(start("2026-04-14")), "2026-04-13T18:30:00Z");
        assert_eq!(told(start("2026-04-14T15:00")), "2026-04-14T09:30:00Z");
        assert_eq!(told(start("2026-04-14T15:00:00+05:30")), "2026-04-14T09:30:00Z");
        for wrong in ["", "tomorrow", "14-04-2026", "2026-02-30"] {
            assert!(within(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn spans_are_counted_on_the_calendar_of_india() {
        let from: Timestamp = "2026-01-30T19:00:00Z".parse().unwrap();
        let told = |span: &str| after(from, span).unwrap().to_string();
        assert_eq!(
            told("1 month"),
            "2026-02-27T19:00:00Z",
            "the last of January, half past midnight, to that of February"
        );
        assert_eq!(told("+3d"), "2026-02-02T19:00:00Z");
        assert_eq!(told("P1Y"), "2027-01-30T19:00:00Z");
        assert_eq!(told("-90 minutes"), "2026-01-30T17:30:00Z");
        assert!(after(from, "a while").is_err());
    }
}
