//! Days in India, as TaxPro's help writes them and as everybody else does.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;
use suvidha_store::ledger::Filter;

/// How a day may be written, for people.
pub(super) const FORMS: &str =
    "dd/MM/yyyy (20/05/2018), dd-MM-yyyy, dd-MM-yy, ddMMMyy (20May18) or yyyy-MM-dd";

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// The day that `text` names, in any of [`FORMS`]. Two digits of a year are of this century.
pub(super) fn parse(text: &str) -> Option<Date> {
    let text = text.trim();
    if !text.is_ascii() {
        return None;
    }
    let separator = text.chars().find(|c| !c.is_ascii_alphanumeric());
    let (day, month, year) = match separator {
        Some(separator @ ('/' | '-')) => {
            let mut parts = text.splitn(3, separator);
            match (parts.next()?, parts.next()?, parts.next()?) {
                (year, month, day) if year.len() == 4 && separator == '-' => (day, number(month, 2)?, year),
                (day, month, year) => (day, number(month, 2)?, year),
            }
        }
        Some(_) => return None,
        None => {
            let month = text.get(2..5)?.to_ascii_lowercase();
            let place = MONTHS.iter().position(|name| *name == month)?;
            (&text[..2], i16::try_from(place).ok()? + 1, text.get(5..)?)
        }
    };
    let year = match year.len() {
        2 => 2000 + number(year, 2)?,
        _ => number(year, 4)?,
    };
    Date::new(year, i8::try_from(month).ok()?, i8::try_from(number(day, 2)?).ok()?).ok()
}

/// Indian Standard Time, which has no summer.
fn ist() -> Offset {
    Offset::from_seconds(19_800).unwrap_or(Offset::UTC)
}

/// A number of exactly so many digits.
fn number(text: &str, digits: usize) -> Option<i16> {
    let right = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    right.then(|| text.parse().ok()).flatten()
}

/// The first instant of the month after that of `instant`, in India.
pub(super) fn end_of_month(instant: Timestamp) -> Timestamp {
    let last = ist().to_datetime(instant).date().last_of_month();
    last.tomorrow().map_or(Timestamp::MAX, start)
}

/// The calls that began on that day in India.
pub(super) fn filter(day: Date) -> Filter {
    Filter { from: Some(start(day)), until: day.tomorrow().ok().map(start), ..Filter::default() }
}

/// The first instant of `day`, within what a timestamp can tell.
pub(super) fn start(day: Date) -> Timestamp {
    ist().to_timestamp(day.at(0, 0, 0, 0)).unwrap_or(Timestamp::MAX)
}

/// `2026-11-22T10:15:30+05:30`, which every library reads, .NET's `DateTime` too.
pub(super) fn written(instant: Timestamp) -> String {
    format!("{}+05:30", ist().to_datetime(instant).strftime("%Y-%m-%dT%H:%M:%S"))
}

/// The same with microseconds.
pub(super) fn written_exactly(instant: Timestamp) -> String {
    format!("{}+05:30", ist().to_datetime(instant).strftime("%Y-%m-%dT%H:%M:%S.%6f"))
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_day_is_written_in_many_ways() {
        for text in [
            "20/05/2018",
            "20-05-2018",
            "20-05-18",
            "20/05/18",
            "20May18",
            "20MAY18",
            "20may2018",
            "2018-05-20",
            " 20-05-2018 ",
        ] {
            assert_eq!(parse(text), Some(date(2018, 5, 20)), "{text:?}");
        }
        assert_eq!(parse("01Jan17"), Some(date(2017, 1, 1)));
        assert_eq!(parse("29-02-2024"), Some(date(2024, 2, 29)));
    }

    #[test]
    fn what_is_no_day_is_none() {
        for text in [
            "",
            "20",
            "2018",
            "20-05",
            "20-05-",
            "32-01-2018",
            "29-02-2023",
            "00-05-2018",
            "20-13-2018",
            "5-20-2018",
            "2018/05/20",
            "20-05/2018",
            "20.05.2018",
            "20-5-2018",
            "20-May-2018",
            "20Mai18",
            "20May",
            "20May180",
            "+1-05-2018",
            "20-05-18T00:00",
            "２０May18",
            "20 May 18",
            "20-05-2018; DROP",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_day_begins_at_midnight_in_india() {
        let midnight: Timestamp = "2026-11-21T18:30:00Z".parse().unwrap();
        assert_eq!(start(date(2026, 11, 22)), midnight);
        let of_the_day = filter(date(2026, 11, 22));
        assert_eq!(of_the_day.from, Some(midnight));
        assert_eq!(of_the_day.until, Some(midnight + SignedDuration::from_hours(24)));
        let end = "2026-11-30T18:30:00Z".parse().unwrap();
        assert_eq!(end_of_month(midnight), end);
        assert_eq!(end_of_month(end - SignedDuration::from_micros(1)), end);
        assert_eq!(end_of_month(end), start(date(2027, 1, 1)));
        assert_eq!(written(midnight), "2026-11-22T00:00:00+05:30");
        assert_eq!(written_exactly(midnight), "2026-11-22T00:00:00.000000+05:30");
    }
}
