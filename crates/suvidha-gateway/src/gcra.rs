//! How often something may happen: so many times in a while, and so many at once.
//!
//! The generic cell rate algorithm: one instant is kept, that at which a [`Cell`] will have rested. Each event moves
//! it on by its share of the time, and further ahead than the whole burst it may not be. So no timer is needed, and a key
//! at rest can be forgotten.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

/// In nanoseconds, as all times here: at a thousand events in a second a microsecond would be too coarse.
const SECOND: i64 = 1_000_000_000;
const MINUTE: i64 = 60 * SECOND;

/// A cell that is further ahead than twice its burst, and this, was not moved there by events: the clock was put back.
const PUT_BACK: i64 = SECOND;

/// How many events there may be in the long run, and how many at once; at least one of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    /// An event's share of the time.
    share: i64,
    /// How far ahead a whole burst is.
    burst: i64,
}

impl Rate {
    /// As many in a minute as at once.
    pub(crate) fn per_minute(events: u32) -> Self {
        let share = MINUTE / i64::from(events.max(1));
        Self { share, burst: MINUTE }
    }

    /// So many a second in the long run, and `burst` at once after a rest. If it is not given: what a tenth of a second
    /// brings, so that in ten seconds there is never more than one in a hundred above the rate; but at slow rates up to five,
    /// since programs come with a few calls at once, and no more than a second brings.
    pub(crate) fn per_second(events: u32, burst: Option<u32>) -> Self {
        const FEW: u32 = 5;
        let events = events.max(1);
        // Rounded up, so that there are never more than were allowed.
        let share = (SECOND + i64::from(events) - 1) / i64::from(events);
        Self { share, burst: share * i64::from(burst.unwrap_or((events / 10).max(events.min(FEW))).max(1)) }
    }

    /// How many there may be at once.
    pub(crate) fn most(self) -> u64 {
        (self.burst / self.share).unsigned_abs()
    }
}

/// The instant, in nanoseconds since 1970, from which on a whole burst is possible again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Cell(i64);

/// An event that was counted and may be taken back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counted {
    until: i64,
    share: i64,
}

impl Cell {
    /// How long to wait for the next event; `None`: it may happen now. Counts nothing.
    pub(crate) fn wait(self, rate: Rate, now: Timestamp) -> Option<Duration> {
        let excess = self.ahead(rate, nanoseconds(now)) + rate.share - rate.burst;
        u64::try_from(excess).ok().filter(|&excess| excess > 0).map(Duration::from_nanos)
    }

    /// Counts an event, whether it had to wait or not.
    pub(crate) fn count(&mut self, rate: Rate, now: Timestamp) -> Counted {
        let now = nanoseconds(now);
        self.0 = now + self.ahead(rate, now) + rate.share;
        Counted { until: self.0, share: rate.share }
    }

    /// Takes back an event that did not happen after all, as far as time has not done so already.
    pub(crate) fn take_back(&mut self, counted: Counted, now: Timestamp) {
        let left = counted.until.saturating_sub(nanoseconds(now));
        self.0 -= left.clamp(0, counted.share);
    }

    /// How many events may happen now.
    pub(crate) fn remaining(self, rate: Rate, now: Timestamp) -> u64 {
        ((rate.burst - self.ahead(rate, nanoseconds(now))) / rate.share).unsigned_abs()
    }

    /// How long until a whole burst is possible.
    pub(crate) fn rest(self, rate: Rate, now: Timestamp) -> Duration {
        Duration::from_nanos(self.ahead(rate, nanoseconds(now)).unsigned_abs())
    }

    /// How far ahead of `now` it is, and never more than the burst.
    fn ahead(self, rate: Rate, now: i64) -> i64 {
        let ahead = self.0.saturating_sub(now);
        let furthest = rate.burst.saturating_mul(2).saturating_add(PUT_BACK);
        if (0..=furthest).contains(&ahead) { ahead.min(rate.burst) } else { 0 }
    }
}

fn nanoseconds(time: Timestamp) -> i64 {
    time.as_microsecond().saturating_mul(1000)
}

/// Counts the events of each key.
pub(crate) struct Limiter<K> {
    cells: Mutex<Cells<K>>,
    most: usize,
}

struct Cells<K> {
    of: HashMap<K, Cell>,
    swept_at: i64,
}

impl<K: Hash + Eq> Limiter<K> {
    /// Remembers at most so many keys that are not at rest. Where more turn up at once, the rest go uncounted: what is
    /// limited by a key that anybody can make up needs another limit behind it.
    pub(crate) fn new(most: usize) -> Self {
        Self { cells: Mutex::new(Cells { of: HashMap::new(), swept_at: 0 }), most }
    }

    /// How long to wait for the next event of `key`; `None`: it may happen now. Counts nothing.
    pub(crate) fn wait(&self, rate: Rate, key: &K, now: Timestamp) -> Option<Duration> {
        self.cells().of.get(key).copied().unwrap_or_default().wait(rate, now)
    }

    /// Counts an event of `key`, whether it had to wait or not.
    pub(crate) fn count(&self, rate: Rate, key: K, now: Timestamp) {
        let mut cells = self.cells();
        if cells.of.contains_key(&key) || cells.has_room(rate, self.most, nanoseconds(now)) {
            cells.of.entry(key).or_default().count(rate, now);
        }
    }

    fn cells(&self) -> MutexGuard<'_, Cells<K>> {
        self.cells.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Hash + Eq> Cells<K> {
    /// Whether another key fits in. Looks for keys at rest at most once a second, so that a flood cannot make it search
    /// all day.
    fn has_room(&mut self, rate: Rate, most: usize, now: i64) -> bool {
        if self.of.len() >= most && (now - self.swept_at).abs() >= SECOND {
            self.swept_at = now;
            self.of.retain(|_, cell| cell.ahead(rate, now) > 0);
        }
        self.of.len() < most
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(1_795_342_530_000 + milliseconds).unwrap()
    }

    #[test]
    fn as_many_at_once_as_in_a_minute_and_then_one_by_one() {
        let (limiter, rate) = (Limiter::new(10), Rate::per_minute(3));
        for _ in 0..3 {
            assert_eq!(limiter.wait(rate, &'a', at(0)), None);
            limiter.count(rate, 'a', at(0));
        }
        assert_eq!(limiter.wait(rate, &'a', at(0)), Some(Duration::from_secs(20)));
        assert_eq!(limiter.wait(rate, &'b', at(0)), None, "another key has its own count");
        assert_eq!(limiter.wait(rate, &'a', at(19_999)), Some(Duration::from_millis(1)));
        assert_eq!(limiter.wait(rate, &'a', at(20_000)), None);
        limiter.count(rate, 'a', at(20_000));
        assert_eq!(limiter.wait(rate, &'a', at(20_000)), Some(Duration::from_secs(20)));
        assert_eq!(
            limiter.wait(rate, &'a', at(80_000)),
            None,
            "after a minute's rest it may do it all again"
        );
    }

    #[test]
    fn a_clock_put_back_locks_nobody_out() {
        let (limiter, rate) = (Limiter::new(10), Rate::per_minute(1));
        limiter.count(rate, 'a', at(86_400_000));
        assert_eq!(limiter.wait(rate, &'a', at(0)), None);
        for _ in 0..10 {
            limiter.count(rate, 'a', at(0));
        }
        assert_eq!(
            limiter.wait(rate, &'a', at(0)),
            Some(Duration::from_secs(60)),
            "however often it was counted"
        );
    }

    #[test]
    fn a_flood_of_keys_is_bounded_and_makes_way_for_others_when_it_rests() {
        let (limiter, rate) = (Limiter::new(100), Rate::per_minute(1));
        for key in 0..1000 {
            limiter.count(rate, key, at(0));
        }
        assert_eq!(limiter.cells().of.len(), 100);
        assert!(limiter.wait(rate, &99, at(0)).is_some());
        assert_eq!(limiter.wait(rate, &100, at(0)), None, "it did not fit in");
        limiter.count(rate, 100, at(60_000));
        assert!(limiter.wait(rate, &100, at(60_000)).is_some());
        assert_eq!(limiter.cells().of.len(), 1);
    }

    #[test]
    fn what_was_counted_and_did_not_happen_is_taken_back_but_never_more_than_is_left_of_it() {
        let (mut cell, rate) = (Cell::default(), Rate::per_second(1, Some(2)));
        cell.count(rate, at(0));
        let second = cell.count(rate, at(0));
        assert_eq!((cell.remaining(rate, at(0)), cell.rest(rate, at(0)).as_secs()), (0, 2));
        cell.take_back(second, at(0));
        assert_eq!(cell.remaining(rate, at(0)), 1);
        let long_ago = cell.count(rate, at(0));
        cell.count(rate, at(5_000));
        cell.count(rate, at(5_000));
        cell.take_back(long_ago, at(5_000));
        assert_eq!(cell.remaining(rate, at(5_000)), 0, "time had taken it back already");
    }

    #[test]
    fn a_hundred_a_second_is_a_thousand_in_ten_seconds_and_never_more_than_the_burst_at_once() {
        let (mut cell, rate) = (Cell::default(), Rate::per_second(100, None));
        let mut taken = 0;
        for millisecond in 0..10_000 {
            let mut at_once = 0;
            while cell.wait(rate, at(millisecond)).is_none() {
                cell.count(rate, at(millisecond));
                at_once += 1;
            }
            assert!(at_once <= 10, "{at_once} at {millisecond} ms");
            taken += at_once;
        }
        assert!((990..=1010).contains(&taken), "{taken} in ten seconds");
    }

    #[test]
    fn a_burst_that_is_not_given_is_a_tenth_of_the_rate_or_a_few() {
        for (events, most) in
            [(0, 1), (1, 1), (2, 2), (5, 5), (49, 5), (59, 5), (60, 6), (100, 10), (5000, 500)]
        {
            assert_eq!(Rate::per_second(events, None).most(), most, "at {events} a second");
        }
        assert_eq!(Rate::per_second(5, Some(1)).most(), 1, "what is agreed goes first");
    }

    #[test]
    fn a_rate_that_is_lowered_holds_at_once() {
        let mut cell = Cell::default();
        let (fast, slow) = (Rate::per_second(1000, Some(1000)), Rate::per_second(1, None));
        for _ in 0..1000 {
            assert_eq!(cell.wait(fast, at(0)), None);
            cell.count(fast, at(0));
        }
        assert_eq!(cell.wait(slow, at(0)), Some(Duration::from_secs(1)));
        assert_eq!(cell.wait(slow, at(1000)), None);
    }

    proptest! {
        #[test]
        fn never_more_than_twice_the_rate_in_any_minute(
            events in 1_u32..50,
            gaps in prop::collection::vec(0_i64..3_000, 1..300),
        ) {
            let (limiter, rate) = (Limiter::new(1), Rate::per_minute(events));
            let (mut now, mut taken) = (0, Vec::new());
            for gap in gaps {
                now += gap;
                if limiter.wait(rate, &(), at(now)).is_none() {
                    limiter.count(rate, (), at(now));
                    taken.push(now);
                }
            }
            for (first, start) in taken.iter().enumerate() {
                let within = taken[first..].iter().take_while(|&&then| then < start + 60_000).count();
                prop_assert!(within <= 2 * events as usize + 1, "{within} events in a minute");
            }
        }

        #[test]
        fn never_more_than_the_burst_and_the_rate_in_any_window_and_no_less_under_load(
            events in 1_u32..5_000,
            burst in 1_u32..100,
            gaps in prop::collection::vec(0_i64..2_000, 1..400),
        ) {
            let (mut cell, rate) = (Cell::default(), Rate::per_second(events, Some(burst)));
            let start = at(0).as_microsecond();
            let (mut now, mut taken) = (0, Vec::new());
            for gap in gaps {
                now += gap;
                let instant = Timestamp::from_microsecond(start + now).unwrap();
                while cell.wait(rate, instant).is_none() {
                    cell.count(rate, instant);
                    taken.push(now);
                }
            }
            for (first, from) in taken.iter().enumerate() {
                for (more, to) in taken[first..].iter().enumerate() {
                    let allowed = f64::from(burst) + f64::from(events) * (to - from) as f64 / 1e6;
                    prop_assert!((more + 1) as f64 <= allowed + 1e-6, "{} in {} µs", more + 1, to - from);
                }
            }
            // Where nobody asks for longer than the burst lasts, what is beyond it is lost.
            if f64::from(burst) >= f64::from(events) * 2_000.0 / 1e6 + 1.0 {
                let due = f64::from(events) * now as f64 / 1e6;
                prop_assert!(taken.len() as f64 >= due * 0.99 - 1.0, "{} of {due}", taken.len());
            }
        }
    }
}
