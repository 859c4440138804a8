//! Answers of one thread that wait for their entries.
//!
//! The writer's thread does no more than note how far it has come and ring once, if anybody here is due. The thread itself
//! then wakes each call that is due, in the order in which they came, without crossing to another thread again.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::sync::Notify;

use super::Unrecorded;

/// Those that wait, by the numbers of their tickets.
#[derive(Default)]
pub(super) struct Waiting {
    queue: Mutex<Queue>,
    bell: Notify,
}

#[derive(Default)]
struct Queue {
    /// Up to here every entry is on disk.
    committed: u64,
    answers: VecDeque<Waiter>,
}

struct Waiter {
    ticket: u64,
    /// It must not go out if its entry cannot be written.
    made: bool,
    failed: bool,
    /// There from when it was first asked after until it is woken.
    waker: Option<Waker>,
}

impl Waiting {
    /// One more that waits, for the ticket that `submit` gives. They come in the order of their tickets.
    pub(super) fn add<T>(&self, made: bool, submit: impl FnOnce() -> (T, u64)) -> T {
        // Held meanwhile, so that the writer cannot tell what became of the entry before somebody listens.
        let mut queue = self.queue();
        let (given, ticket) = submit();
        queue.answers.push_back(Waiter { ticket, made, failed: false, waker: None });
        given
    }

    pub(super) fn poll(&self, ticket: u64, cx: &Context<'_>) -> Poll<Result<(), Unrecorded>> {
        let mut queue = self.queue();
        let committed = queue.committed;
        let Some((at, waiter)) = queue.find(ticket) else { return Poll::Ready(Ok(())) };
        let Some(verdict) = waiter.verdict(committed) else {
            if !waiter.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                waiter.waker = Some(cx.waker().clone());
            }
            return Poll::Pending;
        };
        queue.answers.remove(at);
        Poll::Ready(verdict)
    }

    pub(super) fn forget(&self, ticket: u64) {
        let mut queue = self.queue();
        if let Some((at, _)) = queue.find(ticket) {
            queue.answers.remove(at);
        }
    }

    pub(super) async fn wake(&self) {
        let mut due = Vec::new();
        loop {
            self.bell.notified().await;
            self.queue().take_due(&mut due);
            due.drain(..).for_each(Waker::wake);
        }
    }

    pub(super) fn committed(&self, up_to: u64) {
        let mut queue = self.queue();
        queue.committed = up_to;
        let somebody = queue.answers.front().is_some_and(|first| first.ticket <= up_to);
        drop(queue);
        if somebody {
            self.bell.notify_one();
        }
    }

    pub(super) fn failed(&self, tickets: &RangeInclusive<u64>) {
        for waiter in &mut self.queue().answers {
            waiter.failed |= tickets.contains(&waiter.ticket);
        }
        self.bell.notify_one();
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn find(&mut self, ticket: u64) -> Option<(usize, &mut Waiter)> {
        let at = self.answers.binary_search_by_key(&ticket, |waiter| waiter.ticket).ok()?;
        Some((at, &mut self.answers[at]))
    }

    fn take_due(&mut self, due: &mut Vec<Waker>) {
        let committed = self.committed;
        let answers = self.answers.iter_mut().filter(|waiter| waiter.verdict(committed).is_some());
        due.extend(answers.filter_map(|waiter| waiter.waker.take()));
    }
}

impl Waiter {
    /// `None` while nothing is known.
    fn verdict(&self, committed: u64) -> Option<Result<(), Unrecorded>> {
        // What failed is written later, as unrecorded.
        match (self.failed, self.made) {
            (true, true) => Some(Err(Unrecorded)),
            (true, false) => Some(Ok(())),
            (false, _) => (self.ticket <= committed).then_some(Ok(())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Bell(AtomicUsize);

    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn add(waiting: &Waiting, made: bool, ticket: u64) {
        waiting.add(made, || ((), ticket));
    }

    fn poll(waiting: &Waiting, ticket: u64) -> Poll<Result<(), Unrecorded>> {
        waiting.poll(ticket, &Context::from_waker(Waker::noop()))
    }

    /// What the thread does when it is told, until there is nothing more to do.
    async fn ring(waiting: &Waiting) {
        tokio::select! {
            biased;
            () = waiting.wake() => {}
            () = std::future::ready(()) => {}
        }
    }

    fn left(waiting: &Waiting) -> usize {
        waiting.queue().answers.len()
    }

    #[test]
    fn an_answer_goes_when_its_entry_is_on_disk_and_not_before() {
        let waiting = Waiting::default();
        (1..=3).for_each(|ticket| add(&waiting, true, ticket));
        assert_eq!(poll(&waiting, 2), Poll::Pending);
        waiting.committed(2);
        assert_eq!((poll(&waiting, 2), poll(&waiting, 1)), (Poll::Ready(Ok(())), Poll::Ready(Ok(()))));
        assert_eq!((poll(&waiting, 3), left(&waiting)), (Poll::Pending, 1));
    }

    #[test]
    fn what_was_made_must_be_written_and_what_was_refused_need_not() {
        let waiting = Waiting::default();
        for (ticket, made) in [(4, true), (5, false), (9, true)] {
            add(&waiting, made, ticket);
        }
        waiting.failed(&(4..=5));
        assert_eq!(poll(&waiting, 4), Poll::Ready(Err(Unrecorded)));
        assert_eq!(poll(&waiting, 5), Poll::Ready(Ok(())));
        assert_eq!(poll(&waiting, 9), Poll::Pending);
        // That it is written after all does not make good what was told already.
        add(&waiting, true, 10);
        waiting.failed(&(10..=10));
        waiting.committed(10);
        assert_eq!(
            (poll(&waiting, 9), poll(&waiting, 10)),
            (Poll::Ready(Ok(())), Poll::Ready(Err(Unrecorded)))
        );
    }

    #[test]
    fn who_is_gone_is_forgotten() {
        let waiting = Waiting::default();
        (1..=3).for_each(|ticket| add(&waiting, true, ticket));
        waiting.forget(2);
        waiting.forget(7);
        assert_eq!((left(&waiting), poll(&waiting, 2)), (2, Poll::Ready(Ok(()))));
    }

    #[tokio::test]
    async fn each_that_is_due_is_woken_once() {
        let waiting = Waiting::default();
        let bells: Vec<_> = (0..3).map(|_| Arc::new(Bell::default())).collect();
        for (ticket, bell) in (1..).zip(&bells) {
            add(&waiting, true, ticket);
            let waker = Waker::from(Arc::clone(bell));
            assert!(waiting.poll(ticket, &Context::from_waker(&waker)).is_pending());
        }
        let rung = || bells.iter().map(|bell| bell.0.load(Ordering::SeqCst)).collect::<Vec<_>>();
        waiting.committed(2);
        waiting.committed(2);
        ring(&waiting).await;
        assert_eq!(rung(), [1, 1, 0]);
        waiting.failed(&(3..=3));
        ring(&waiting).await;
        assert_eq!(rung(), [1, 1, 1]);
    }
}
