//! How to wait for GSTN: pauses that grow and are never quite the same, a deadline, and some forgiveness for the way.

use std::time::Duration;

use suvidha_seam::Seam;
use tokio::time::Instant;

use crate::error::Error;

/// How long to wait for GSTN, and how often to ask: a first pause that grows by half each time, up to a longest. Each
/// is made up to a fifth shorter or longer by chance, so that many programs that began together do not go on together.
///
/// Throttling, a gateway that does not answer and other failures that may pass are waited out like an answer that
/// is not there yet, five in a row at most; a pause the gateway asks for (`retry-after`) is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// The first pause.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
    /// How long in all, the time that questions take included.
    pub total: Duration,
}

impl Default for Patience {
    /// Half a second, ten seconds, five minutes.
    fn default() -> Self {
        Self {
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(10),
            total: Duration::from_secs(300),
        }
    }
}

const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
/// Whoever wants no limit gives [`Duration::MAX`], with which nothing can be added up.
const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 60 * 60);
const LONGEST_PATIENCE: Duration = Duration::from_secs(365 * 24 * 60 * 60);
const FAILURES_IN_A_ROW: u8 = 5;

/// Patience that has begun.
pub(crate) struct Waiting {
    seam: Seam,
    deadline: Instant,
    longest: Duration,
    next: Duration,
    /// What the gateway asked for.
    at_least: Duration,
    failures: u8,
}

impl Waiting {
    pub(crate) fn start(patience: Patience, seam: Seam) -> Self {
        let longest = patience.longest_pause.clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
        let next = patience.first_pause.clamp(SHORTEST_PAUSE, longest);
        let deadline = Instant::now() + patience.total.min(LONGEST_PATIENCE);
        Self { seam, deadline, longest, next, at_least: Duration::ZERO, failures: 0 }
    }

    /// An answer came: failures before it do not count any more.
    pub(crate) fn answered(&mut self) {
        self.failures = 0;
        self.at_least = Duration::ZERO;
    }

    /// Takes a failure that may pass; hands back one that will not, or that is one too many.
    pub(crate) fn forgive(&mut self, error: Error) -> Result<(), Error> {
        self.failures += 1;
        if !error.retryable() || self.failures >= FAILURES_IN_A_ROW {
            return Err(error);
        }
        self.at_least = match &error {
            Error::Throttled { retry_after, .. } => retry_after.unwrap_or_default(),
            _ => Duration::ZERO,
        };
        if self.at_least > self.left() {
            return Err(error);
        }
        Ok(())
    }

    /// How long to pause before the next question; the last pause ends with patience, and then there is none.
    pub(crate) fn next_pause(&mut self) -> Option<Duration> {
        let left = self.left();
        if left.is_zero() {
            return None;
        }
        let [chance] = self.seam.random::<1>();
        let pause = self.next.mul_f64(0.8 + 0.4 * f64::from(chance) / f64::from(u8::MAX));
        self.next = (self.next * 3 / 2).min(self.longest);
        Some(pause.max(self.at_least).min(left))
    }

    fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use suvidha_seam::Rng;

    use super::*;
    use crate::error::{Origin, Refusal};

    /// Chance that always falls the same way.
    struct Always(u8);

    impl Rng for Always {
        fn fill(&self, out: &mut [u8]) {
            out.fill(self.0);
        }
    }

    fn waiting(chance: u8) -> Waiting {
        let seconds = Duration::from_secs;
        let patience = Patience { first_pause: seconds(10), longest_pause: seconds(20), total: seconds(100) };
        Waiting::start(patience, Seam { rng: Arc::new(Always(chance)), ..Seam::system() })
    }

    fn throttled(seconds: u64) -> Error {
        let refusal = Refusal::new("GSP025", "slow down", Origin::Gsp);
        Error::Throttled { refusal: Box::new(refusal), retry_after: Some(Duration::from_secs(seconds)) }
    }

    fn unavailable(may_have_arrived: bool) -> Error {
        Error::unavailable("down", may_have_arrived)
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_and_end_with_patience() {
        for (chance, expected) in [(0, [8, 12, 16, 16, 16, 16, 16]), (u8::MAX, [12, 18, 24, 24, 22, 0, 0])] {
            let mut waiting = waiting(chance);
            let mut pauses = Vec::new();
            while let Some(pause) = waiting.next_pause() {
                pauses.push(pause.as_secs_f64().round() as u64);
                tokio::time::sleep(pause).await;
            }
            assert_eq!(pauses, expected.into_iter().filter(|pause| *pause > 0).collect::<Vec<_>>());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_limit_is_a_long_one() {
        let endless = Duration::MAX;
        let patience = Patience { first_pause: endless, longest_pause: endless, total: endless };
        let mut waiting = Waiting::start(patience, Seam { rng: Arc::new(Always(0)), ..Seam::system() });
        for _ in 0..3 {
            assert_eq!(waiting.next_pause(), Some(LONGEST_PAUSE.mul_f64(0.8)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_that_questions_take_counts() {
        let mut waiting = waiting(0);
        tokio::time::sleep(Duration::from_secs(95)).await;
        assert_eq!(waiting.next_pause(), Some(Duration::from_secs(5)));
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(waiting.next_pause(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_the_gateway_asks_for_is_kept() {
        let mut waiting = waiting(0);
        waiting.forgive(throttled(60)).unwrap();
        assert_eq!(waiting.next_pause(), Some(Duration::from_secs(60)));
        waiting.answered();
        assert!(waiting.next_pause().unwrap() < Duration::from_secs(60));
        let longer_than_patience = waiting.forgive(throttled(1_000)).unwrap_err();
        assert!(matches!(longer_than_patience, Error::Throttled { .. }));
    }

    #[tokio::test]
    async fn failures_that_may_pass_are_forgiven_but_not_for_ever() {
        let mut waiting = waiting(0);
        for _ in 0..4 {
            waiting.forgive(unavailable(true)).unwrap();
        }
        waiting.answered();
        for _ in 0..4 {
            waiting.forgive(unavailable(false)).unwrap();
        }
        assert!(waiting.forgive(unavailable(false)).is_err());
        assert!(waiting.forgive(Error::Invalid("never".to_owned())).is_err());
    }
}
