//! The calendar by which is counted: India's, five and a half hours ahead of UTC, always.

use std::ops::RangeInclusive;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;

const DAY_US: i64 = 86_400_000_000;
const AHEAD_US: i64 = 19_800_000_000;
pub(super) const QUARTER_US: i64 = 900_000_000;

/// IST days since 1970-01-01.
pub(super) fn day_number(at: Timestamp) -> i64 {
    (at.as_microsecond() + AHEAD_US).div_euclid(DAY_US)
}

/// Quarters of an hour since 1970. IST days begin with one.
pub(super) fn quarter(at: Timestamp) -> i64 {
    at.as_microsecond().div_euclid(QUARTER_US)
}

/// The quarter of the last instant before `at`.
pub(super) fn quarter_before(at: Timestamp) -> i64 {
    (at.as_microsecond() - 1).div_euclid(QUARTER_US)
}

/// The IST day that has this quarter of an hour.
pub(super) fn day_of_quarter(quarter: i64) -> i64 {
    (quarter.saturating_mul(QUARTER_US).saturating_add(AHEAD_US)).div_euclid(DAY_US)
}

/// The quarters of an hour of an IST day.
pub(super) fn quarters_of_day(day: i64) -> RangeInclusive<i64> {
    quarter(day_start(day))..=quarter_before(day_start(day + 1))
}

/// The first instant of the day.
pub(super) fn day_start(number: i64) -> Timestamp {
    Timestamp::from_microsecond(number.saturating_mul(DAY_US).saturating_sub(AHEAD_US))
        .unwrap_or(Timestamp::MAX)
}

/// The day's date.
pub(super) fn date(number: i64) -> Date {
    offset().to_datetime(day_start(number)).date()
}

/// The number of a date; of those before 1970, when nobody kept a ledger, -1.
pub(super) fn number(date: Date) -> i64 {
    if date.year() < 1970 {
        return -1;
    }
    offset().to_timestamp(date.at(0, 0, 0, 0)).map_or(i64::MAX / DAY_US - 2, day_number)
}

fn offset() -> Offset {
    Offset::from_seconds(19_800).unwrap_or(Offset::UTC)
}
