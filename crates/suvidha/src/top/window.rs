//! The last minute of a ledger, and what can be said of it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use gstn::AspId;
use gstn::catalogue::Origin;
use jiff::{SignedDuration, Timestamp};
use serde::{Serialize, Serializer};
use suvidha_store::ledger::{Entry, Outcome};

use crate::ledger::rfc3339;

/// How far back it looks.
pub(super) const SPAN: SignedDuration = SignedDuration::from_secs(60);
/// Calls that are kept at most: some tens of megabytes. Beyond, the span becomes shorter.
const MOST: usize = 1_000_000;

/// What is kept of a call.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    /// When its answer was given.
    pub(super) ended: Timestamp,
    /// Whose call it was, if that was proven.
    pub(super) asp: Option<AspId>,
    /// Microseconds from the first byte to the last.
    pub(super) total_us: u64,
    /// Microseconds of those at GSTN; none where GSTN was not asked.
    pub(super) gstn_us: Option<u64>,
    /// Where it failed, and with which code.
    pub(super) error: Option<(Origin, Box<str>)>,
    /// Units charged.
    pub(super) units: u64,
    /// The ASP hung up before the end.
    pub(super) abandoned: bool,
}

impl From<&Entry> for Sample {
    fn from(entry: &Entry) -> Self {
        let long = i64::try_from(entry.total_us).map_or(SignedDuration::MAX, SignedDuration::from_micros);
        Self {
            ended: entry.at.checked_add(long).unwrap_or(Timestamp::MAX),
            asp: entry.aspid,
            total_us: entry.total_us,
            gstn_us: entry.gstn_us,
            error: entry.origin.map(|origin| (origin, entry.error_cd.as_deref().unwrap_or("-").into())),
            units: entry.units,
            abandoned: entry.outcome == Outcome::Abandoned,
        }
    }
}

/// The calls of the last minute, by the time at which they ended.
#[derive(Debug, Default)]
pub(super) struct Window {
    samples: VecDeque<Sample>,
    /// Up to here calls were left out, as there were too many.
    cut: Option<Timestamp>,
}

impl Window {
    /// Adds a call. The ledger's order is nearly that of the ends of the calls.
    pub(super) fn add(&mut self, sample: Sample) {
        if self.samples.len() == MOST {
            self.cut = self.samples.pop_front().map(|dropped| dropped.ended);
        }
        self.samples.push_back(sample);
    }

    /// Forgets what is older than a minute at `now`, and says what is left.
    pub(super) fn figures(&mut self, now: Timestamp) -> Figures {
        let begin = now.checked_sub(SPAN).unwrap_or(Timestamp::MIN);
        self.samples.retain(|sample| sample.ended > begin);
        self.cut = self.cut.filter(|cut| *cut > begin);
        let begin = self.cut.unwrap_or(begin);
        let seconds = |from: Timestamp| now.duration_since(from).as_millis().max(1);
        let since =
            |long: i64| now.checked_sub(SignedDuration::from_secs(long)).unwrap_or(Timestamp::MIN).max(begin);
        let rate = |from: Timestamp| {
            let count =
                self.samples.iter().filter(|sample| sample.ended > from && sample.ended <= now).count();
            Tenths::of(count, seconds(from))
        };
        let whole: Vec<&Sample> = self.samples.iter().collect();
        Figures {
            at: now,
            span_ms: i64::try_from(seconds(begin)).unwrap_or(i64::MAX),
            last_second: rate(since(1)),
            last_ten_seconds: rate(since(10)),
            last_minute: rate(begin),
            calls: whole.len(),
            abandoned: whole.iter().filter(|sample| sample.abandoned).count(),
            units: whole.iter().map(|sample| sample.units).sum(),
            total: Spread::of(whole.iter().map(|sample| sample.total_us)),
            gstn: Spread::of(whole.iter().filter_map(|sample| sample.gstn_us)),
            ours: Spread::of(whole.iter().map(|sample| sample.ours_us())),
            errors: errors(&whole),
            asps: asps(&whole, seconds(begin)),
        }
    }
}

impl Sample {
    /// What was not at GSTN: the gateway, and the line to the ASP.
    fn ours_us(&self) -> u64 {
        self.total_us.saturating_sub(self.gstn_us.unwrap_or(0))
    }
}

/// What can be said of the last minute.
#[derive(Debug, Serialize)]
pub(super) struct Figures {
    /// When this was so.
    #[serde(serialize_with = "instant")]
    pub(super) at: Timestamp,
    /// How long a time the figures are of, where nothing else is said; shorter than a minute only under very many calls.
    pub(super) span_ms: i64,
    /// Calls per second.
    #[serde(rename = "calls_per_second_1s")]
    pub(super) last_second: Tenths,
    /// The same.
    #[serde(rename = "calls_per_second_10s")]
    pub(super) last_ten_seconds: Tenths,
    /// The same.
    #[serde(rename = "calls_per_second_60s")]
    pub(super) last_minute: Tenths,
    pub(super) calls: usize,
    pub(super) abandoned: usize,
    pub(super) units: u64,
    pub(super) total: Spread,
    pub(super) gstn: Spread,
    pub(super) ours: Spread,
    pub(super) errors: Vec<Errors>,
    pub(super) asps: Vec<AspFigures>,
}

/// Latencies in microseconds; none where there were no calls.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Spread {
    pub(super) p50_us: Option<u64>,
    pub(super) p99_us: Option<u64>,
    pub(super) max_us: Option<u64>,
}

impl Spread {
    fn of(values: impl Iterator<Item = u64>) -> Self {
        let mut values: Vec<u64> = values.collect();
        let mut at = |percent: usize| {
            // The nearest rank: the smallest value that so many percent of all do not exceed.
            let rank = (values.len() * percent).div_ceil(100).checked_sub(1)?;
            Some(*values.select_nth_unstable(rank).1)
        };
        Self { p50_us: at(50), p99_us: at(99), max_us: at(100) }
    }
}

/// How often calls failed in one place.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Errors {
    pub(super) origin: &'static str,
    pub(super) calls: usize,
    /// By code, the most frequent first.
    pub(super) codes: Vec<Code>,
}

/// How often it was this error.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Code {
    pub(super) error_cd: String,
    pub(super) calls: usize,
}

fn errors(samples: &[&Sample]) -> Vec<Errors> {
    let mut counts: BTreeMap<Origin, BTreeMap<&str, usize>> = BTreeMap::new();
    for (origin, code) in samples.iter().filter_map(|sample| sample.error.as_ref()) {
        *counts.entry(*origin).or_default().entry(code).or_default() += 1;
    }
    let errors = counts.into_iter().map(|(origin, codes)| {
        let mut codes: Vec<_> =
            codes.into_iter().map(|(code, calls)| Code { error_cd: code.to_owned(), calls }).collect();
        codes.sort_by_key(|code| Reverse(code.calls));
        Errors { origin: origin.as_str(), calls: codes.iter().map(|code| code.calls).sum(), codes }
    });
    errors.collect()
}

/// One ASP's share.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct AspFigures {
    /// None: callers who have proven nothing.
    pub(super) aspid: Option<String>,
    pub(super) calls: usize,
    pub(super) calls_per_second: Tenths,
    pub(super) errors: usize,
    pub(super) units: u64,
    #[serde(flatten)]
    pub(super) total: Spread,
}

fn asps(samples: &[&Sample], millis: i128) -> Vec<AspFigures> {
    let mut by_asp: BTreeMap<Option<AspId>, Vec<&Sample>> = BTreeMap::new();
    for sample in samples {
        by_asp.entry(sample.asp).or_default().push(sample);
    }
    let figures = by_asp.into_iter().map(|(asp, samples)| AspFigures {
        aspid: asp.map(|asp| asp.as_str().to_owned()),
        calls: samples.len(),
        calls_per_second: Tenths::of(samples.len(), millis),
        errors: samples.iter().filter(|sample| sample.error.is_some()).count(),
        units: samples.iter().map(|sample| sample.units).sum(),
        total: Spread::of(samples.iter().map(|sample| sample.total_us)),
    });
    figures.collect()
}

/// A number with one decimal place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tenths(u64);

impl Tenths {
    /// So many in so many milliseconds, per second.
    fn of(count: usize, millis: i128) -> Self {
        let millis = u64::try_from(millis).unwrap_or(u64::MAX).max(1);
        Self((count as u64).saturating_mul(10_000).saturating_add(millis / 2) / millis)
    }
}

impl fmt::Display for Tenths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0 / 10, self.0 % 10)
    }
}

impl Serialize for Tenths {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Exact: the nearest double of a decimal is written as that decimal again.
        serializer.serialize_f64(self.0 as f64 / 10.0)
    }
}

fn instant<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&rfc3339(*at))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-22T10:15:30Z";

    fn now() -> Timestamp {
        NOW.parse().unwrap()
    }

    fn ended_ago(millis: i64) -> Sample {
        Sample {
            ended: now().checked_sub(SignedDuration::from_millis(millis)).unwrap(),
            asp: Some("1234567890".parse().unwrap()),
            total_us: 1_000,
            gstn_us: Some(900),
            error: None,
            units: 1,
            abandoned: false,
        }
    }

    fn figures(samples: impl IntoIterator<Item = Sample>) -> Figures {
        let mut window = Window::default();
        samples.into_iter().for_each(|sample| window.add(sample));
        window.figures(now())
    }

    #[test]
    fn calls_count_for_a_minute_from_their_end() {
        let figures = figures([60_001, 60_000, 59_999, 10_000, 9_999, 500, 0].map(ended_ago));
        assert_eq!(figures.calls, 5);
        let rates = [figures.last_second, figures.last_ten_seconds, figures.last_minute];
        assert_eq!(rates.map(|rate| rate.to_string()), ["2.0", "0.3", "0.1"]);
    }

    #[test]
    fn half_of_the_calls_are_not_slower_than_the_median() {
        let of = |values: &[u64]| {
            let spread = Spread::of(values.iter().copied());
            [spread.p50_us, spread.p99_us, spread.max_us].map(Option::unwrap_or_default)
        };
        assert_eq!(of(&[]), [0, 0, 0]);
        assert_eq!(of(&[7]), [7, 7, 7]);
        assert_eq!(of(&[4, 1, 3, 2]), [2, 4, 4]);
        assert_eq!(of(&(1..=200).rev().collect::<Vec<_>>()), [100, 198, 200]);
    }

    #[test]
    fn what_was_not_at_gstn_is_ours() {
        let refused = Sample { gstn_us: None, total_us: 50, ..ended_ago(1) };
        let figures = figures([ended_ago(1), refused]);
        assert_eq!(figures.gstn, Spread { p50_us: Some(900), p99_us: Some(900), max_us: Some(900) });
        assert_eq!(figures.ours, Spread { p50_us: Some(50), p99_us: Some(100), max_us: Some(100) });
    }

    #[test]
    fn errors_are_told_by_origin_and_code_and_asps_apart_from_strangers() {
        let failed = |origin, code: &str| Sample { error: Some((origin, code.into())), ..ended_ago(1) };
        let stranger = Sample { asp: None, units: 0, ..failed(Origin::Gsp, "GSP601") };
        let figures = figures([
            failed(Origin::Gstn, "A"),
            failed(Origin::Gstn, "B"),
            failed(Origin::Gstn, "B"),
            stranger,
        ]);
        let told: Vec<_> = figures.errors.iter().map(|errors| (errors.origin, errors.calls)).collect();
        assert_eq!(told, [("gsp", 1), ("gstn", 3)]);
        let codes: Vec<_> =
            figures.errors[1].codes.iter().map(|code| (code.error_cd.as_str(), code.calls)).collect();
        assert_eq!(codes, [("B", 2), ("A", 1)]);
        let asps: Vec<_> =
            figures.asps.iter().map(|asp| (asp.aspid.as_deref(), asp.calls, asp.errors, asp.units)).collect();
        assert_eq!(asps, [(None, 1, 1, 0), (Some("1234567890"), 3, 3, 3)]);
    }

    #[test]
    fn a_flood_shortens_the_minute_instead_of_filling_the_memory() {
        let mut window = Window::default();
        for number in 0..=MOST {
            window.add(ended_ago(if number == 0 { 2_000 } else { 1_000 }));
        }
        let figures = window.figures(now());
        assert_eq!((figures.calls, figures.span_ms), (MOST, 2_000));
        assert_eq!(figures.last_minute.to_string(), "500000.0");
    }
}
