//! The calls that the breaker looks back on, and whose they were.

use foldhash::{HashMap, HashMapExt};
use gstn::AspId;
use jiff::Timestamp;

use crate::config;

/// Into how many parts the window of failures is divided, each forgotten as a whole.
const PARTS: usize = 10;

/// The calls of the last while, and how many of them failed.
#[derive(Default)]
pub(super) struct Window {
    parts: [Part; PARTS],
    /// How long a part is, in milliseconds.
    each: i64,
    /// Of all parts, those that are over too.
    failures: u64,
}

#[derive(Default)]
struct Part {
    /// Which part of all time it is.
    place: i64,
    all: Tally,
    /// Of each ASP; `None` stands for what is nobody's doing.
    of: HashMap<Option<AspId>, Tally>,
}

/// A number of calls.
#[derive(Default, Clone, Copy)]
pub(super) struct Tally {
    pub(super) calls: u64,
    pub(super) failures: u64,
}

impl Tally {
    fn add(&mut self, calls: u64, failures: u64) {
        self.calls += calls;
        self.failures += failures;
    }
}

impl Window {
    pub(super) fn count(
        &mut self,
        now: Timestamp,
        rules: &config::Breaker,
        asp: Option<AspId>,
        failed: bool,
    ) {
        let each = i64::try_from(rules.window_ms).unwrap_or(i64::MAX) / PARTS as i64;
        if each != self.each {
            *self = Self { each: each.max(1), ..Self::default() };
        }
        let place = now.as_millisecond() / self.each;
        let part = &mut self.parts[usize::try_from(place).unwrap_or(0) % PARTS];
        if part.place != place {
            self.failures -= part.all.failures;
            *part = Part { place, ..Part::default() };
        }
        self.failures += u64::from(failed);
        for tally in [&mut part.all, part.of.entry(asp).or_default()] {
            tally.add(1, u64::from(failed));
        }
    }

    /// Whether any of its calls failed, be it long ago.
    pub(super) fn has_failures(&self) -> bool {
        self.failures > 0
    }

    /// Calls and failures.
    pub(super) fn sum(&self, now: Timestamp) -> (u64, u64) {
        let all = self.of_late(now).map(|part| part.all);
        all.fold((0, 0), |(calls, failures), part| (calls + part.calls, failures + part.failures))
    }

    /// The ASP with the most failures, and what all others have.
    pub(super) fn without_the_worst(&self, now: Timestamp) -> (Option<AspId>, Tally) {
        let mut of = HashMap::<_, Tally>::new();
        for (asp, tally) in self.of_late(now).flat_map(|part| &part.of) {
            of.entry(*asp).or_default().add(tally.calls, tally.failures);
        }
        let failing = of.iter().filter(|(_, tally)| tally.failures > 0);
        let asps = failing.filter_map(|(asp, tally)| Some((tally.failures, (*asp)?)));
        let worst = asps.max_by_key(|(failures, _)| *failures).map(|(_, asp)| asp);
        let mut others = Tally::default();
        for (_, tally) in of.iter().filter(|(asp, _)| worst.is_none() || **asp != worst) {
            others.add(tally.calls, tally.failures);
        }
        (worst, others)
    }

    fn of_late(&self, now: Timestamp) -> impl Iterator<Item = &Part> {
        let place = now.as_millisecond() / self.each.max(1);
        self.parts.iter().filter(move |part| (0..PARTS as i64).contains(&(place - part.place)))
    }
}
