//! How many lists are being read and sent at once: each holds a page in memory for as long as its client takes it slowly.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gstn::AspId;

/// So many of one ASP.
const PER_ASP: usize = 4;

/// So many of all ASPs of an environment.
const IN_ALL: usize = 64;

/// The places of an environment.
#[derive(Default)]
pub(crate) struct Seats(Mutex<HashMap<AspId, usize>>);

impl Seats {
    /// A place for one list, until it is dropped; `None` where all are taken.
    pub(super) fn take(self: &Arc<Self>, aspid: AspId) -> Option<Seat> {
        let mut taken = self.lock();
        if taken.values().sum::<usize>() >= IN_ALL || taken.get(&aspid).is_some_and(|own| *own >= PER_ASP) {
            return None;
        }
        *taken.entry(aspid).or_default() += 1;
        drop(taken);
        Some(Seat { seats: Arc::clone(self), aspid })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AspId, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place that is taken.
pub(crate) struct Seat {
    seats: Arc<Seats>,
    aspid: AspId,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.lock();
        if let Some(own) = taken.get_mut(&self.aspid) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.aspid);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_asp_has_so_many_and_all_have_so_many() {
        let seats = Arc::new(Seats::default());
        let asp = |number| AspId::new(number).unwrap();
        let mut own: Vec<_> = (0..PER_ASP).map(|_| seats.take(asp(1)).unwrap()).collect();
        assert!(seats.take(asp(1)).is_none());
        let others: Vec<_> = (2..).map_while(|number| seats.take(asp(number))).collect();
        assert_eq!(own.len() + others.len(), IN_ALL);
        own.pop();
        assert!(seats.take(asp(1)).is_some(), "and what was just taken is free again");
        drop((own, others));
        assert!(seats.lock().is_empty());
    }
}
