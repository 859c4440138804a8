//! Whether a timestamp is of now; and where it is not, which of the usual mistakes would explain it.

use gstn::getkey::GetKeyStamp;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

use crate::error::{Error, Kind};

/// A stamp that is no further off than this in some other zone was most likely made in it.
const EXPLAINED: SignedDuration = SignedDuration::from_mins(2);

/// The zones there are, in half hours ahead of UTC. Some, such as Nepal's, lie between.
const ZONES: std::ops::RangeInclusive<i64> = -24..=28;

/// India's.
const IST: i64 = 11;

/// # Errors
/// [`Kind::StaleTimestamp`], saying our time, the difference, and what may be the reason.
pub(super) fn check(stamp: &GetKeyStamp, now: Timestamp, tolerance: SignedDuration) -> Result<(), Error> {
    // Stamps are whole seconds.
    let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
    let off = stamp.instant().duration_since(now);
    if off.abs() <= tolerance {
        return Ok(());
    }
    let side = if off.is_negative() { "behind" } else { "ahead of" };
    let mut words = format!(
        "The timestamp is {} {side} the gateway's time, {} IST; up to {} either way is accepted.",
        in_words(off.abs()),
        in_ist(now),
        in_words(tolerance),
    );
    if let Some(explanation) = explanation(stamp, now, tolerance) {
        words.push(' ');
        words.push_str(&explanation);
    }
    Err(Error::saying(Kind::StaleTimestamp, words))
}

fn explanation(stamp: &GetKeyStamp, now: Timestamp, tolerance: SignedDuration) -> Option<String> {
    let fits = |instant: Timestamp, within| instant.duration_since(now).abs() <= within;
    if fits(stamp.read_as_utc(), tolerance) {
        return Some("It would be in time if it is UTC: write Indian Standard Time, UTC+05:30.".to_owned());
    }
    let half_a_day = stamp.instant().saturating_add(SignedDuration::from_hours(12)).ok()?;
    if fits(half_a_day, EXPLAINED) {
        return Some(
            "It is half a day behind: write hours from 00 to 23 (HH), not from 01 to 12 (hh).".to_owned(),
        );
    }
    let in_zone = |zone: &i64| {
        let later = SignedDuration::from_mins((IST - zone) * 30);
        stamp.instant().saturating_add(later).is_ok_and(|instant| fits(instant, EXPLAINED))
    };
    let zone = ZONES.into_iter().find(in_zone)?;
    let (sign, minutes) = (if zone < 0 { '-' } else { '+' }, zone.abs() * 30);
    let (hours, minutes) = (minutes / 60, minutes % 60);
    Some(format!(
        "It would be in time if it is UTC{sign}{hours:02}:{minutes:02}: write Indian Standard Time, UTC+05:30."
    ))
}

/// `dd-mm-yyyy hh:mm:ss` in India.
pub(crate) fn in_ist(instant: Timestamp) -> String {
    let ist = Offset::from_seconds(19_800).unwrap_or(Offset::UTC);
    ist.to_datetime(instant).strftime("%d-%m-%Y %H:%M:%S").to_string()
}

/// The two largest units of a duration, such as `5 hours 30 minutes`.
fn in_words(duration: SignedDuration) -> String {
    let seconds = duration.as_secs();
    let units = [
        (seconds / 86_400, "day"),
        (seconds / 3600 % 24, "hour"),
        (seconds / 60 % 60, "minute"),
        (seconds % 60, "second"),
    ];
    let first = units.iter().position(|(number, _)| *number > 0).unwrap_or(3);
    let shown = units[first..].iter().take(2).filter(|(number, _)| *number > 0);
    let words: Vec<_> = shown
        .map(|(number, unit)| format!("{number} {unit}{}", if *number == 1 { "" } else { "s" }))
        .collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-22T04:45:30.999Z";

    fn said(stamp: &str) -> Option<String> {
        let stamp = GetKeyStamp::parse(stamp).unwrap();
        let refused = check(&stamp, NOW.parse().unwrap(), SignedDuration::from_mins(15)).err()?;
        assert_eq!(refused.code(), "GSP660");
        Some(refused.message().unwrap().to_owned())
    }

    #[test]
    fn a_quarter_of_an_hour_either_way_is_in_time() {
        for stamp in ["22112026101530", "22112026100030ABCDEF", "22112026103030", "22112026101530999999"] {
            assert_eq!(said(stamp), None, "{stamp}");
        }
        assert_eq!(
            said("22112026100029").unwrap(),
            "The timestamp is 15 minutes 1 second behind the gateway's time, 22-11-2026 10:15:30 IST; up to 15 \
             minutes either way is accepted."
        );
        assert!(said("22112026103031").unwrap().contains("15 minutes 1 second ahead of the"));
    }

    #[test]
    fn the_usual_mistakes_are_recognised() {
        for (stamp, words) in [
            ("22112026044530", Some("if it is UTC: write Indian")),
            ("22112026043100", Some("if it is UTC: write Indian")),
            ("22112026124600", Some("if it is UTC+08:00: write Indian")),
            ("21112026204500", Some("if it is UTC-08:00: write Indian")),
            ("22112026011530", Some("if it is UTC-03:30: write Indian")),
            ("21112026221530", Some("not from 01 to 12 (hh)")),
            ("22112026090500", None),
            ("22112016101530", None),
        ] {
            let said = said(stamp).unwrap();
            match words {
                Some(words) => assert!(said.contains(words), "{stamp}: {said}"),
                None => assert!(said.ends_with("either way is accepted."), "{stamp}: {said}"),
            }
        }
        assert!(said("22112016101530").unwrap().contains("3652 days behind"));
    }
}
