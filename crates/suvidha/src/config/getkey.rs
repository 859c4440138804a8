//! `[gateway.getkey]`: how ASPs get sessions, and how much of it one of them, or a stranger, may ask for.

use std::ops::RangeInclusive;
use std::time::Duration;

use suvidha_gateway::config::GetKey;

use super::reader::Section;

const DAY: Duration = Duration::from_secs(86_400);
/// How long a session may last.
const VALIDITY: RangeInclusive<u16> = 5..=45 * 24 * 60;
/// What [`session_minutes`] takes, in words.
pub(crate) const SESSION_VALIDITY: &str = "whole minutes, from 5m to 45d";

/// The length of a session in minutes, where it is one that a session may have.
pub(crate) fn session_minutes(length: Duration) -> Option<u16> {
    let minutes = u16::try_from(length.as_secs() / 60).ok().filter(|minutes| VALIDITY.contains(minutes))?;
    (Duration::from_secs(u64::from(minutes) * 60) == length).then_some(minutes)
}

pub(super) fn from_section(mut section: Section<'_, '_>) -> GetKey {
    let default = GetKey::default();
    GetKey {
        tolerance_ms: time(&mut section, "tolerance", default.tolerance_ms, Duration::from_secs(1)..=DAY),
        validity_min: validity(&mut section, default.validity_min),
        failures_per_address: count(
            &mut section,
            "failures_per_address",
            default.failures_per_address,
            100_000,
        ),
        failures_per_asp: count(&mut section, "failures_per_asp", default.failures_per_asp, 100_000),
        calls_per_asp: count(&mut section, "calls_per_asp", default.calls_per_asp, 1_000_000),
        certificate_overlap_ms: time(
            &mut section,
            "certificate_overlap",
            default.certificate_overlap_ms,
            Duration::ZERO..=30 * DAY,
        ),
    }
}

fn time(
    section: &mut Section<'_, '_>,
    key: &'static str,
    default: u64,
    range: RangeInclusive<Duration>,
) -> u64 {
    let at = section.locate(key);
    let time = section.get(key, Duration::from_millis(default));
    if !range.contains(&time) {
        let (least, most) = (range.start().as_secs(), range.end().as_secs() / DAY.as_secs());
        section.problem(at, key, format_args!("it is outside {least}s to {most}d"));
        return default;
    }
    u64::try_from(time.as_millis()).unwrap_or(default)
}

fn validity(section: &mut Section<'_, '_>, default: u16) -> u16 {
    let at = section.locate("validity");
    let length = section.get("validity", Duration::from_secs(u64::from(default) * 60));
    session_minutes(length).unwrap_or_else(|| {
        section.problem(at, "validity", SESSION_VALIDITY);
        default
    })
}

pub(super) fn count(section: &mut Section<'_, '_>, key: &'static str, default: u32, most: u32) -> u32 {
    let at = section.locate(key);
    let count = section.get(key, default);
    if !(1..=most).contains(&count) {
        section.problem(at, key, format_args!("{count} is outside 1 to {most}"));
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_lasts_whole_minutes() {
        let minutes = |seconds| session_minutes(Duration::from_secs(seconds));
        assert_eq!((minutes(300), minutes(45 * 86_400)), (Some(5), Some(64_800)));
        for wrong in [0, 299, 301, 45 * 86_400 + 60, u64::MAX] {
            assert_eq!(minutes(wrong), None, "{wrong}s");
        }
    }
}
