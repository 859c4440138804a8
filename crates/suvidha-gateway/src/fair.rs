//! The ceiling of an environment: how much all ASPs together may send to GSTN. What is beyond it waits here for a short
//! time, in a queue for each ASP, and the queues are served in turn: whoever sends much waits behind itself, not the others
//! behind it.
//!
//! Threads share one [`Gate`] for each environment. Where no ceiling is set, or it is not reached, passing costs an
//! atomic or a short lock. Calls that wait are woken by the one that leaves; for a rate, which nobody's leaving opens, one
//! of them watches the clock for all.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gstn::AspId;
use suvidha_seam::Seam;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::config::Ceiling;
use crate::gcra::{Cell, Rate};

pub(crate) struct Gate {
    seam: Seam,
    /// Calls that have their turn and have not left.
    under_way: AtomicUsize,
    /// Calls in a queue. Raised before `under_way` is looked at; whoever leaves does it the other way round, so that one
    /// of the two sees the other.
    waiting: AtomicUsize,
    line: Mutex<Line>,
}

/// Who waits, and what for.
#[derive(Default)]
struct Line {
    ceiling: Ceiling,
    cell: Cell,
    queues: HashMap<AspId, VecDeque<Arc<Ticket>>>,
    /// The ASPs that have a queue, in the order of their turns.
    turns: VecDeque<AspId>,
    /// Who watches the clock.
    watch: Option<Arc<Ticket>>,
}

/// A call's place in its queue.
#[derive(Default)]
struct Ticket {
    /// Written under the line's lock only.
    has_turn: AtomicBool,
    wake: Notify,
}

/// The ceiling was reached for all the time that a call may wait, or too many of the ASP wait already.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoTurn;

impl Gate {
    pub(crate) fn new(seam: Seam) -> Self {
        Self {
            seam,
            under_way: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            line: Mutex::new(Line::default()),
        }
    }

    /// Calls that have their turn, now.
    pub(crate) fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Relaxed)
    }

    /// Calls that wait for it, now.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// A turn for a call of `asp`, at once or as soon as it has one. Dropping the future leaves the queue.
    pub(crate) async fn enter(self: &Arc<Self>, ceiling: &Ceiling, asp: AspId) -> Result<Turn, NoTurn> {
        if !ceiling.is_set() && self.waiting.load(Ordering::SeqCst) == 0 {
            self.under_way.fetch_add(1, Ordering::SeqCst);
            return Ok(Turn(Arc::clone(self)));
        }
        let mut place = match self.queue_up(ceiling, asp)? {
            Ok(turn) => return Ok(turn),
            Err(place) => place,
        };
        let deadline = Instant::now() + ceiling.wait();
        loop {
            let alarm = {
                let mut line = self.line();
                self.serve(&mut line);
                if place.ticket.has_turn.load(Ordering::Relaxed) {
                    place.is_taken = true;
                    return Ok(Turn(Arc::clone(self)));
                }
                line.watch(&place.ticket, &self.seam)
            };
            let now = Instant::now();
            if now >= deadline {
                return Err(NoTurn);
            }
            let alarm = alarm.map_or(deadline, |wait| deadline.min(now + wait));
            tokio::select! {
                () = place.ticket.wake.notified() => {}
                () = sleep_until(alarm) => {}
            }
        }
    }

    /// A turn where nobody waits and one is free, or else a place in the queue.
    fn queue_up<'a>(
        self: &'a Arc<Self>,
        ceiling: &Ceiling,
        asp: AspId,
    ) -> Result<Result<Turn, Place<'a>>, NoTurn> {
        let mut line = self.line();
        line.ceiling = *ceiling;
        self.serve(&mut line);
        if line.turns.is_empty() && line.is_open(self) {
            line.take_turn(self);
            return Ok(Ok(Turn(Arc::clone(self))));
        }
        if line.queues.get(&asp).map_or(0, VecDeque::len) >= ceiling.queue {
            return Err(NoTurn);
        }
        let ticket = Arc::new(Ticket::default());
        let queue = line.queues.entry(asp).or_default();
        queue.push_back(Arc::clone(&ticket));
        if queue.len() == 1 {
            line.turns.push_back(asp);
        }
        self.waiting.fetch_add(1, Ordering::SeqCst);
        Ok(Err(Place { gate: self, asp, ticket, is_taken: false }))
    }

    /// Gives out the turns there are.
    fn serve(&self, line: &mut Line) {
        while !line.turns.is_empty() && line.is_open(self) {
            let Some(ticket) = line.next() else { continue };
            self.waiting.fetch_sub(1, Ordering::SeqCst);
            line.take_turn(self);
            ticket.has_turn.store(true, Ordering::Relaxed);
            ticket.wake.notify_one();
        }
    }

    /// The same, by one who does not stay: whoever is first in line is woken to watch the clock, if somebody must.
    fn serve_and_go(&self, mut line: MutexGuard<'_, Line>) {
        self.serve(&mut line);
        if line.watch.is_none() && line.rate_wait(&self.seam).is_some() {
            let first = line.turns.front().and_then(|asp| line.queues.get(asp)?.front());
            if let Some(first) = first {
                first.wake.notify_one();
            }
        }
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn leave(&self) {
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.serve_and_go(self.line());
        }
    }
}

impl Line {
    fn is_open(&self, gate: &Gate) -> bool {
        let most = self.ceiling.concurrent.map_or(usize::MAX, |most| most as usize);
        gate.under_way.load(Ordering::SeqCst) < most && self.rate_wait(&gate.seam).is_none()
    }

    fn rate_wait(&self, seam: &Seam) -> Option<Duration> {
        let per_second = self.ceiling.per_second?;
        self.cell.wait(Rate::per_second(per_second, None), seam.now())
    }

    fn take_turn(&mut self, gate: &Gate) {
        gate.under_way.fetch_add(1, Ordering::SeqCst);
        if let Some(per_second) = self.ceiling.per_second {
            self.cell.count(Rate::per_second(per_second, None), gate.seam.now());
        }
    }

    /// The first of the ASP whose turn it is; another ASP's turn is next.
    fn next(&mut self) -> Option<Arc<Ticket>> {
        let asp = self.turns.pop_front()?;
        let queue = self.queues.get_mut(&asp)?;
        let ticket = queue.pop_front();
        if queue.is_empty() {
            self.queues.remove(&asp);
        } else {
            self.turns.push_back(asp);
        }
        ticket
    }

    /// When the holder of `ticket` is to look again, if it is the one that watches the clock.
    fn watch(&mut self, ticket: &Arc<Ticket>, seam: &Seam) -> Option<Duration> {
        let mine = self.watch.as_ref().is_none_or(|watch| Arc::ptr_eq(watch, ticket));
        let wait = self.rate_wait(seam);
        if mine {
            self.watch = wait.is_some().then(|| Arc::clone(ticket));
        }
        wait.filter(|_| mine)
    }

    fn remove(&mut self, asp: AspId, ticket: &Arc<Ticket>) {
        let Some(queue) = self.queues.get_mut(&asp) else { return };
        queue.retain(|other| !Arc::ptr_eq(other, ticket));
        if queue.is_empty() {
            self.queues.remove(&asp);
            self.turns.retain(|other| *other != asp);
        }
    }
}

/// A call that waits, until it has its turn or gives up.
struct Place<'a> {
    gate: &'a Arc<Gate>,
    asp: AspId,
    ticket: Arc<Ticket>,
    /// It knows of its turn.
    is_taken: bool,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let gate = self.gate;
        let mut line = gate.line();
        match self.ticket.has_turn.load(Ordering::Relaxed) {
            true if self.is_taken => {}
            // It went away without knowing.
            true => _ = gate.under_way.fetch_sub(1, Ordering::SeqCst),
            false => {
                line.remove(self.asp, &self.ticket);
                gate.waiting.fetch_sub(1, Ordering::SeqCst);
            }
        }
        if line.watch.as_ref().is_some_and(|watch| Arc::ptr_eq(watch, &self.ticket)) {
            line.watch = None;
        }
        gate.serve_and_go(line);
    }
}

/// A call's turn, over when it is dropped.
pub(crate) struct Turn(Arc<Gate>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.leave();
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::thread;

    use tokio::task::yield_now;

    use super::*;

    fn gate() -> Arc<Gate> {
        Arc::new(Gate::new(Seam::system()))
    }

    fn concurrent(most: u32) -> Ceiling {
        Ceiling { concurrent: Some(most), wait_ms: 20_000, ..Ceiling::default() }
    }

    fn asp(number: u64) -> AspId {
        AspId::new(number).unwrap()
    }

    fn run(story: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(story);
    }

    #[test]
    fn without_a_ceiling_nobody_waits() {
        run(async {
            let gate = gate();
            let mut turns = Vec::new();
            for _ in 0..1000 {
                turns.push(gate.enter(&Ceiling::default(), asp(1)).await.unwrap_or_else(|_| panic!()));
            }
            assert_eq!((gate.under_way(), gate.waiting()), (1000, 0));
            drop(turns);
            assert_eq!(gate.under_way(), 0);
        });
    }

    #[test]
    fn whoever_sends_much_waits_behind_itself() {
        run(async {
            let gate = gate();
            let ceiling = concurrent(1);
            let first = gate.enter(&ceiling, asp(1)).await;
            let served = Arc::new(Mutex::new(Vec::new()));
            let mut calls = Vec::new();
            for number in [1, 1, 1, 1, 2, 2, 3] {
                let (gate, served) = (Arc::clone(&gate), Arc::clone(&served));
                calls.push(tokio::spawn(async move {
                    let turn = gate.enter(&ceiling, asp(number)).await;
                    served.lock().unwrap().push(number);
                    drop(turn);
                }));
                yield_now().await;
            }
            assert_eq!((gate.under_way(), gate.waiting()), (1, 7));
            drop(first);
            for call in calls {
                call.await.unwrap();
            }
            assert_eq!(*served.lock().unwrap(), [1, 2, 3, 1, 2, 1, 1]);
            assert_eq!((gate.under_way(), gate.waiting()), (0, 0));
            assert!(gate.line().queues.is_empty() && gate.line().turns.is_empty());
        });
    }

    #[test]
    fn the_queue_of_one_asp_is_bounded_and_so_is_the_wait() {
        run(async {
            let gate = gate();
            let ceiling = Ceiling { queue: 1, wait_ms: 20, ..concurrent(1) };
            let turn = gate.enter(&ceiling, asp(1)).await;
            let waits = {
                let gate = Arc::clone(&gate);
                tokio::spawn(async move { gate.enter(&ceiling, asp(1)).await.map(|_| ()) })
            };
            yield_now().await;
            assert_eq!(gate.enter(&ceiling, asp(1)).await.map(|_| ()), Err(NoTurn), "its queue is full");
            assert_eq!(gate.waiting(), 1);
            assert_eq!(gate.enter(&ceiling, asp(2)).await.map(|_| ()), Err(NoTurn), "it waited in vain");
            assert_eq!(waits.await.unwrap(), Err(NoTurn));
            drop(turn);
            assert_eq!((gate.under_way(), gate.waiting()), (0, 0));
        });
    }

    #[test]
    fn who_goes_away_leaves_the_queue_even_with_a_turn_it_never_heard_of() {
        run(async {
            let gate = gate();
            let ceiling = concurrent(1);
            let turn = gate.enter(&ceiling, asp(1)).await;
            let mut calls: Vec<_> = (0..3)
                .map(|number| {
                    let gate = Arc::clone(&gate);
                    tokio::spawn(async move { gate.enter(&ceiling, asp(number + 2)).await.map(|_| ()) })
                })
                .collect();
            yield_now().await;
            let last = calls.pop().unwrap();
            let second = calls.pop().unwrap();
            second.abort();
            assert!(second.await.is_err());
            assert_eq!(gate.waiting(), 2);
            let first = calls.pop().unwrap();
            // The first of them is given the turn, and ended before it runs again.
            drop(turn);
            first.abort();
            assert!(first.await.is_err());
            assert_eq!(last.await.unwrap(), Ok(()));
            assert_eq!((gate.under_way(), gate.waiting()), (0, 0));
        });
    }

    #[test]
    fn a_rate_is_kept_and_the_queue_moves_though_nobody_leaves() {
        run(async {
            let gate = gate();
            let ceiling = Ceiling { per_second: Some(200), wait_ms: 20_000, ..Ceiling::default() };
            let begun = Instant::now();
            let turns: Vec<_> = (0..60)
                .map(|call| {
                    let gate = Arc::clone(&gate);
                    tokio::spawn(async move { gate.enter(&ceiling, asp(call % 3 + 1)).await })
                })
                .collect();
            let mut held = Vec::new();
            for turn in turns {
                held.push(turn.await.unwrap());
            }
            // Twenty at once, and five milliseconds for each of the rest.
            assert!(begun.elapsed() >= Duration::from_millis(199), "{:?}", begun.elapsed());
            assert!(held.iter().all(Result::is_ok));
            assert_eq!((gate.under_way(), gate.waiting()), (60, 0));
        });
    }

    #[test]
    fn when_the_one_that_watches_the_clock_goes_another_does() {
        run(async {
            let gate = gate();
            let ceiling = Ceiling { per_second: Some(2), wait_ms: 20_000, ..Ceiling::default() };
            let enter = |number| {
                let gate = Arc::clone(&gate);
                tokio::spawn(async move { gate.enter(&ceiling, asp(number)).await.is_ok() })
            };
            // Two at once; the third watches the clock, the fourth relies on it.
            let calls: Vec<_> = (1..=4).map(enter).collect();
            yield_now().await;
            calls[2].abort();
            for (number, call) in calls.into_iter().enumerate() {
                assert_eq!(call.await.ok(), (number != 2).then_some(true), "{number}");
            }
        });
    }

    #[test]
    fn a_ceiling_that_was_lifted_lets_everybody_through() {
        run(async {
            let gate = gate();
            let _turn = gate.enter(&concurrent(1), asp(1)).await;
            let waits = {
                let gate = Arc::clone(&gate);
                tokio::spawn(async move { gate.enter(&concurrent(1), asp(1)).await.is_ok() })
            };
            yield_now().await;
            assert!(gate.enter(&Ceiling::default(), asp(2)).await.is_ok());
            assert!(waits.await.unwrap());
        });
    }

    #[test]
    fn from_many_threads_there_are_never_too_many_and_nobody_is_forgotten() {
        let gate = gate();
        let most = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..4_u64)
            .map(|thread| {
                let (gate, most) = (Arc::clone(&gate), Arc::clone(&most));
                thread::spawn(move || {
                    run(async {
                        let calls: Vec<_> = (0..150)
                            .map(|_| {
                                let (gate, most) = (Arc::clone(&gate), Arc::clone(&most));
                                let ceiling = Ceiling { queue: 1000, ..concurrent(3) };
                                tokio::spawn(async move {
                                    let turn = gate.enter(&ceiling, asp(thread + 1)).await;
                                    most.fetch_max(gate.under_way(), Ordering::SeqCst);
                                    yield_now().await;
                                    turn.is_ok()
                                })
                            })
                            .collect();
                        for (number, call) in calls.into_iter().enumerate() {
                            if number % 7 == 0 {
                                call.abort();
                                let _ = call.await;
                            } else {
                                assert!(call.await.unwrap());
                            }
                        }
                    });
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(most.load(Ordering::SeqCst), 3);
        assert_eq!((gate.under_way(), gate.waiting()), (0, 0));
    }
}
