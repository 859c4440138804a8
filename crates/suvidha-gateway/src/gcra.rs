//! How often something may happen: so many times in a minute, and as many at once.
//!
//! The generic cell rate algorithm: for each key one instant is kept, that at which it will have rested. Each event moves
//! it on by its share of the minute, and more than a minute ahead it may not be. So no timer is needed, and a key at
//! rest can be forgotten.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

const MINUTE: i64 = 60_000_000;

/// How many events a minute takes; at least one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate(u32);

impl Rate {
    pub(crate) fn per_minute(events: u32) -> Self {
        Self(events.max(1))
    }

    /// An event's share of the minute, in microseconds.
    fn share(self) -> i64 {
        MINUTE / i64::from(self.0)
    }
}

/// Counts the events of each key.
pub(crate) struct Limiter<K> {
    cells: Mutex<Cells<K>>,
    most: usize,
}

struct Cells<K> {
    /// In microseconds since 1970.
    rested_at: HashMap<K, i64>,
    swept_at: i64,
}

impl<K: Hash + Eq> Limiter<K> {
    /// Remembers at most so many keys that are not at rest. Where more turn up at once, the rest go uncounted: what is
    /// limited by a key that anybody can make up needs another limit behind it.
    pub(crate) fn new(most: usize) -> Self {
        Self { cells: Mutex::new(Cells { rested_at: HashMap::new(), swept_at: 0 }), most }
    }

    /// How long to wait for the next event of `key`; `None`: it may happen now. Counts nothing.
    pub(crate) fn wait(&self, rate: Rate, key: &K, now: Timestamp) -> Option<Duration> {
        let now = now.as_microsecond();
        let ahead = self.cells().rested_at.get(key).map_or(0, |&rested_at| ahead(rested_at, now));
        let excess = ahead + rate.share() - MINUTE;
        u64::try_from(excess).ok().filter(|&excess| excess > 0).map(Duration::from_micros)
    }

    /// Counts an event of `key`, whether it had to wait or not.
    pub(crate) fn count(&self, rate: Rate, key: K, now: Timestamp) {
        let now = now.as_microsecond();
        let mut cells = self.cells();
        let known = cells.rested_at.get(&key).copied();
        if known.is_none() && !cells.has_room(self.most, now) {
            return;
        }
        let ahead = known.map_or(0, |rested_at| ahead(rested_at, now));
        cells.rested_at.insert(key, now + ahead + rate.share());
    }

    fn cells(&self) -> MutexGuard<'_, Cells<K>> {
        self.cells.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How far ahead of `now` a key is, in microseconds, and never more than the minute. Further than two no event moves it: then
/// the clock was put back, and it is taken to be at rest.
fn ahead(rested_at: i64, now: i64) -> i64 {
    Some(rested_at - now).filter(|ahead| (0..=2 * MINUTE).contains(ahead)).unwrap_or(0).min(MINUTE)
}

impl<K: Hash + Eq> Cells<K> {
    /// Whether another key fits in. Looks for keys at rest at most once a second, so that a flood cannot make it search
    /// all day.
    fn has_room(&mut self, most: usize, now: i64) -> bool {
        if self.rested_at.len() >= most && (now - self.swept_at).abs() >= 1_000_000 {
            self.swept_at = now;
            self.rested_at.retain(|_, rested_at| ahead(*rested_at, now) > 0);
        }
        self.rested_at.len() < most
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
        assert_eq!(limiter.cells().rested_at.len(), 100);
        assert!(limiter.wait(rate, &99, at(0)).is_some());
        assert_eq!(limiter.wait(rate, &100, at(0)), None, "it did not fit in");
        limiter.count(rate, 100, at(60_000));
        assert!(limiter.wait(rate, &100, at(60_000)).is_some());
        assert_eq!(limiter.cells().rested_at.len(), 1);
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
    }
}
