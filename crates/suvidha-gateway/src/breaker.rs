//! The breaker: while GSTN does not answer, calls are refused at once, instead of being held for minutes each; and one
//! call at a time finds out when that is over.
//!
//! One for each environment, shared by all threads. It also knows what `/health/gstn` tells.
//!
//! What one ASP sends may make GSTN close the connection or say nothing. So that no ASP closes the way to GSTN for the others,
//! failures of one alone do not open the breaker while others are answered; but that GSTN cannot be reached is nobody's doing.

mod window;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use foldhash::{HashMap, HashMapExt};
use gstn::{AspId, Environment};
use jiff::{SignedDuration, Timestamp};
use suvidha_seam::Seam;
use tracing::{info, warn};

use self::window::Window;
use crate::config;

/// A caller that meets the one probe under way may come again after this.
const WHILE_PROBING: Duration = Duration::from_secs(1);

/// How GSTN looks from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    /// It answers.
    Up,
    /// It did not answer the last call, or a tenth of those of late.
    Degraded,
    /// Calls are refused, but for single ones that try.
    Down,
}

impl Condition {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Degraded => "degraded",
            Self::Down => "down",
        }
    }
}

/// Whether calls pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Position {
    Closed,
    /// One call at a time may try.
    HalfOpen,
    Open,
}

/// What can be told of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Health {
    pub(crate) condition: Condition,
    pub(crate) position: Position,
    /// When this condition began.
    pub(crate) since: Timestamp,
    pub(crate) last_answer: Option<Timestamp>,
    /// While it is down.
    pub(crate) retry_after: Option<Duration>,
}

pub(crate) struct Breaker {
    environment: Environment,
    seam: Seam,
    state: Mutex<State>,
}

struct State {
    gate: Gate,
    /// Failures in a row, and how many of them each ASP met.
    streak: u32,
    streak_of: HashMap<Option<AspId>, u32>,
    window: Window,
    last_answer: Option<Timestamp>,
    condition: Condition,
    since: Timestamp,
}

#[derive(Clone, Copy)]
enum Gate {
    Closed,
    /// Nothing passes for `rest` from `at` on; then one probe at a time. One that has had as long again for its answer keeps
    /// no other from trying: its ASP may be sending slowly.
    Open {
        at: Timestamp,
        rest: SignedDuration,
        probe: Option<Timestamp>,
    },
}

impl Breaker {
    pub(crate) fn new(environment: Environment, seam: Seam) -> Self {
        let state = State {
            gate: Gate::Closed,
            streak: 0,
            streak_of: HashMap::new(),
            window: Window::default(),
            last_answer: None,
            condition: Condition::Up,
            since: seam.now(),
        };
        Self { environment, seam, state: Mutex::new(state) }
    }

    /// How long to wait, where a call would be refused now. It takes nothing.
    pub(crate) fn refuses(&self) -> Option<Duration> {
        match self.lock().gate {
            // As a rule, and then the time does not matter.
            Gate::Closed => None,
            gate => gate.refuses(self.seam.now()),
        }
    }

    /// Leave to send one call of `asp`, whose outcome is to be told; or how long to wait.
    pub(crate) fn pass(self: &Arc<Self>, asp: Option<AspId>) -> Result<Pass, Duration> {
        let mut state = self.lock();
        let mut begun = None;
        if state.is_quiet() {
            return Ok(Pass { breaker: Arc::clone(self), asp, probe: begun });
        }
        let now = self.seam.now();
        if let Some(wait) = state.gate.refuses(now) {
            return Err(wait);
        }
        if let Gate::Open { probe, .. } = &mut state.gate {
            begun = Some(now);
            *probe = begun;
        }
        state.look(now);
        Ok(Pass { breaker: Arc::clone(self), asp, probe: begun })
    }

    pub(crate) fn health(&self) -> Health {
        let now = self.seam.now();
        let mut state = self.lock();
        state.look(now);
        let position = match state.gate {
            Gate::Closed => Position::Closed,
            gate if gate.rests(now) => Position::Open,
            Gate::Open { .. } => Position::HalfOpen,
        };
        Health {
            condition: state.condition,
            position,
            since: state.since,
            last_answer: state.last_answer,
            retry_after: state.gate.refuses(now),
        }
    }

    fn answered(&self, asp: Option<AspId>, probe: bool, rules: &config::Breaker) {
        let now = self.seam.now();
        let mut state = self.lock();
        state.last_answer = Some(now);
        // What was sent before it opened, and is answered only now, does not close it.
        let closes = probe && matches!(state.gate, Gate::Open { .. });
        if closes {
            state.gate = Gate::Closed;
            state.window = Window::default();
        }
        if matches!(state.gate, Gate::Closed) {
            state.streak = 0;
            state.streak_of.clear();
            state.window.count(now, rules, asp, false);
        }
        state.look(now);
        drop(state);
        if closes {
            let environment = self.environment.as_str();
            info!(target: "suvidha::gateway", environment, "GSTN answers again: calls are passed on");
        }
    }

    fn failed(&self, asp: Option<AspId>, probe: bool, rules: &config::Breaker) {
        let now = self.seam.now();
        let mut state = self.lock();
        let opens = match state.gate {
            Gate::Closed => {
                state.streak = state.streak.saturating_add(1);
                let of_asp = state.streak_of.entry(asp).or_default();
                *of_asp = of_asp.saturating_add(1);
                state.window.count(now, rules, asp, true);
                state.is_enough(now, rules)
            }
            Gate::Open { .. } => false,
        };
        // A probe that comes too late, when another has closed it, is a failure as any.
        let stays_open = probe && matches!(state.gate, Gate::Open { .. });
        if opens || stays_open {
            state.gate = Gate::Open { at: now, rest: rules.rest(), probe: None };
        }
        state.look(now);
        let (in_a_row, (of_calls, failures)) = (state.streak, state.window.sum(now));
        drop(state);
        if opens {
            warn!(
                target: "suvidha::gateway",
                environment = self.environment.as_str(),
                in_a_row,
                failures,
                of_calls,
                "GSTN does not answer: calls are refused at once (GSP500) until one that tries gets an answer"
            );
        }
    }

    /// A probe that came to nothing: another may try.
    fn abandoned(&self, begun: Timestamp) {
        if let Gate::Open { probe, .. } = &mut self.lock().gate {
            *probe = probe.filter(|probe| *probe != begun);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gate {
    /// How long a call has to wait before it may pass, or ask again.
    fn refuses(self, now: Timestamp) -> Option<Duration> {
        match self {
            Self::Closed => None,
            Self::Open { at, rest, .. } if is_within(at, rest, now) => {
                Some((rest - now.duration_since(at)).unsigned_abs())
            }
            Self::Open { probe, rest, .. } => {
                probe.filter(|begun| is_within(*begun, rest, now)).map(|_| WHILE_PROBING)
            }
        }
    }

    /// Whether nothing passes.
    fn rests(self, now: Timestamp) -> bool {
        matches!(self, Self::Open { at, rest, .. } if is_within(at, rest, now))
    }
}

/// Whether `now` is less than `time` after `begin`. Nor is it before that: then the clock was put back.
fn is_within(begin: Timestamp, time: SignedDuration, now: Timestamp) -> bool {
    (SignedDuration::ZERO..time).contains(&now.duration_since(begin))
}

impl State {
    fn is_enough(&self, now: Timestamp, rules: &config::Breaker) -> bool {
        let (calls, failures) = self.window.sum(now);
        let in_a_row = rules.failures > 0 && self.streak >= rules.failures;
        let enough_calls = rules.share > 0 && calls >= u64::from(rules.least);
        let is_share =
            |failures: u64, calls: u64| enough_calls && failures * 100 >= calls * u64::from(rules.share);
        if !in_a_row && !is_share(failures, calls) {
            return false;
        }
        // Without the ASP that failed most, whose own doing it may be.
        let (most, others) = self.window.without_the_worst(now);
        let of_the_worst = most.map_or(0, |asp| self.streak_of.get(&Some(asp)).copied().unwrap_or_default());
        let streak_of_others = u64::from(self.streak.saturating_sub(of_the_worst));
        let nobody_is_answered = others.calls == others.failures;
        nobody_is_answered
            || (in_a_row && streak_of_others * 2 >= u64::from(rules.failures))
            || is_share(others.failures, others.calls)
    }

    /// GSTN answers, and nothing that time could change says anything else.
    fn is_quiet(&self) -> bool {
        let answers = matches!((self.gate, self.condition), (Gate::Closed, Condition::Up));
        answers && self.streak == 0 && !self.window.has_failures()
    }

    /// Notes since when GSTN has looked as it does.
    fn look(&mut self, now: Timestamp) {
        if self.is_quiet() {
            return;
        }
        let (calls, failures) = self.window.sum(now);
        let condition = match self.gate {
            Gate::Open { .. } => Condition::Down,
            Gate::Closed if self.streak > 0 || (failures > 0 && failures * 10 >= calls) => {
                Condition::Degraded
            }
            Gate::Closed => Condition::Up,
        };
        if condition != self.condition {
            (self.condition, self.since) = (condition, now);
        }
    }
}

/// Leave to send one call. Dropped without a word, it says nothing about GSTN.
pub(crate) struct Pass {
    breaker: Arc<Breaker>,
    asp: Option<AspId>,
    /// When it began, if it is one that tries.
    probe: Option<Timestamp>,
}

impl Pass {
    /// GSTN answered, whatever it said.
    pub(crate) fn answered(mut self, rules: &config::Breaker) {
        self.breaker.answered(self.asp, self.probe.take().is_some(), rules);
    }

    /// No answer came, or one that says that GSTN is down.
    pub(crate) fn failed(mut self, rules: &config::Breaker) {
        self.breaker.failed(self.asp, self.probe.take().is_some(), rules);
    }

    /// GSTN could not be reached, whatever was to be sent.
    pub(crate) fn unreachable(mut self, rules: &config::Breaker) {
        self.asp = None;
        self.failed(rules);
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if let Some(begun) = self.probe {
            self.breaker.abandoned(begun);
        }
    }
}

#[cfg(test)]
mod tests {
    use suvidha_seam::{ManualClock, SystemRng};

    use super::*;

    struct Scene {
        clock: Arc<ManualClock>,
        breaker: Arc<Breaker>,
        rules: config::Breaker,
    }

    fn scene(rules: config::Breaker) -> Scene {
        let clock = Arc::new(ManualClock::at("2026-11-22T10:15:30Z".parse().unwrap()));
        let seam = Seam { clock: clock.clone(), rng: Arc::new(SystemRng) };
        Scene { clock, breaker: Arc::new(Breaker::new(Environment::Sandbox, seam)), rules }
    }

    fn in_a_row(failures: u32) -> config::Breaker {
        config::Breaker { failures, share: 0, ..config::Breaker::default() }
    }

    impl Scene {
        fn pass_of(&self, asp: u64) -> Pass {
            let asp = format!("{:010}", 1_000_000_000 + asp).parse().ok();
            self.breaker.pass(asp).unwrap_or_else(|_| panic!("refused"))
        }

        fn fail(&self) {
            self.pass_of(0).failed(&self.rules);
        }

        fn answer(&self) {
            self.pass_of(0).answered(&self.rules);
        }

        fn waits(&self) -> Option<u64> {
            self.breaker.pass(None).err().map(|wait| wait.as_secs())
        }

        fn condition(&self) -> Condition {
            self.breaker.health().condition
        }
    }

    #[test]
    fn it_opens_after_so_many_failures_in_a_row_and_one_answer_begins_the_count_anew() {
        let scene = scene(in_a_row(3));
        for _ in 0..5 {
            scene.fail();
            scene.fail();
            assert_eq!(scene.condition(), Condition::Degraded);
            scene.answer();
        }
        for _ in 0..3 {
            assert_eq!(scene.breaker.refuses(), None);
            scene.fail();
        }
        assert_eq!((scene.waits(), scene.condition()), (Some(10), Condition::Down));
        assert_eq!(scene.breaker.health().position, Position::Open);
        scene.clock.advance(4_000);
        assert_eq!(scene.waits(), Some(6));
    }

    #[test]
    fn after_the_rest_one_call_at_a_time_tries() {
        let scene = scene(in_a_row(1));
        scene.fail();
        scene.clock.advance(10_000);
        assert_eq!(scene.breaker.health().position, Position::HalfOpen);
        let probe = scene.breaker.pass(None).unwrap_or_else(|_| panic!("no probe"));
        assert_eq!(scene.waits(), Some(1), "while another tries");
        drop(probe);
        let probe = scene.breaker.pass(None).unwrap_or_else(|_| panic!("the one before came to nothing"));
        probe.failed(&scene.rules);
        assert_eq!(scene.waits(), Some(10), "the rest begins anew");
        scene.clock.advance(10_000);
        scene.answer();
        assert_eq!((scene.waits(), scene.condition()), (None, Condition::Up));
        assert!(scene.breaker.health().last_answer.is_some());
    }

    #[test]
    fn a_probe_that_takes_long_keeps_no_other_from_trying() {
        let scene = scene(in_a_row(1));
        scene.fail();
        scene.clock.advance(10_000);
        let slow = scene.breaker.pass(None).unwrap_or_else(|_| panic!("no probe"));
        scene.clock.advance(9_999);
        assert_eq!(scene.waits(), Some(1));
        scene.clock.advance(1);
        let another = scene.breaker.pass(None).unwrap_or_else(|_| panic!("no second probe"));
        drop(slow);
        assert_eq!(scene.waits(), Some(1), "the second is still under way");
        another.answered(&scene.rules);
        assert_eq!(scene.waits(), None);
    }

    #[test]
    fn a_probe_that_fails_late_does_not_open_what_another_has_closed() {
        let scene = scene(in_a_row(2));
        scene.fail();
        scene.fail();
        scene.clock.advance(10_000);
        let slow = scene.breaker.pass(None).unwrap_or_else(|_| panic!("no probe"));
        scene.clock.advance(10_000);
        scene.answer();
        slow.failed(&scene.rules);
        assert_eq!((scene.waits(), scene.condition()), (None, Condition::Degraded), "one failure as any");
        scene.fail();
        assert_eq!(scene.waits(), Some(10));
    }

    #[test]
    fn what_was_sent_before_it_opened_neither_closes_nor_prolongs_it() {
        let scene = scene(in_a_row(1));
        let passes: Vec<_> = (0..3).filter_map(|_| scene.breaker.pass(None).ok()).collect();
        scene.fail();
        scene.clock.advance(5_000);
        let mut passes = passes.into_iter();
        passes.next().unwrap().answered(&scene.rules);
        passes.next().unwrap().failed(&scene.rules);
        assert_eq!(scene.waits(), Some(5));
        drop(passes);
        assert_eq!(scene.waits(), Some(5));
    }

    #[test]
    fn it_opens_when_too_large_a_share_of_the_window_fails() {
        let scene = scene(config::Breaker { failures: 0, share: 50, least: 10, ..in_a_row(0) });
        for _ in 0..5 {
            scene.answer();
        }
        for _ in 0..4 {
            scene.fail();
        }
        assert_eq!(scene.waits(), None, "too few to tell");
        scene.fail();
        assert_eq!(scene.waits(), Some(10));
    }

    #[test]
    fn one_asp_does_not_open_it_for_others_who_are_answered() {
        for rules in [in_a_row(10), config::Breaker { failures: 0, share: 50, least: 10, ..in_a_row(0) }] {
            let scene = scene(rules);
            scene.pass_of(1).answered(&scene.rules);
            for _ in 0..100 {
                scene.pass_of(2).failed(&scene.rules);
            }
            scene.pass_of(3).answered(&scene.rules);
            assert_eq!((scene.waits(), scene.condition()), (None, Condition::Degraded), "{:?}", scene.rules);
            for _ in 0..10 {
                scene.pass_of(2).failed(&scene.rules);
            }
            assert_eq!(scene.waits(), None, "{:?}", scene.rules);
            for asp in [1, 3, 1, 3, 1] {
                if scene.waits().is_none() {
                    scene.pass_of(asp).failed(&scene.rules);
                }
            }
            assert_eq!(scene.waits(), Some(10), "now it is not that one's doing: {:?}", scene.rules);
        }
    }

    #[test]
    fn failures_of_one_asp_open_it_when_nobody_else_is_answered_any_more() {
        let scene = scene(in_a_row(10));
        scene.pass_of(1).answered(&scene.rules);
        for _ in 0..10 {
            scene.pass_of(2).failed(&scene.rules);
        }
        assert_eq!(scene.waits(), None);
        scene.clock.advance(31_000);
        scene.pass_of(2).failed(&scene.rules);
        assert_eq!(scene.waits(), Some(10));
    }

    #[test]
    fn that_gstn_cannot_be_reached_is_nobodys_doing() {
        let scene = scene(in_a_row(3));
        scene.pass_of(1).answered(&scene.rules);
        for _ in 0..3 {
            assert_eq!(scene.waits(), None);
            scene.pass_of(2).unreachable(&scene.rules);
        }
        assert_eq!(scene.waits(), Some(10));
    }

    #[test]
    fn what_is_older_than_the_window_is_forgotten() {
        let scene = scene(config::Breaker { failures: 0, share: 50, least: 10, ..in_a_row(0) });
        for _ in 0..9 {
            scene.fail();
        }
        scene.clock.advance(31_000);
        for _ in 0..9 {
            scene.answer();
        }
        scene.fail();
        assert_eq!(scene.waits(), None);
    }

    #[test]
    fn switched_off_it_never_opens_and_a_clock_put_back_does_not_hold_it_open() {
        let never = scene(in_a_row(0));
        for _ in 0..1000 {
            never.fail();
        }
        let scene = scene(in_a_row(1));
        scene.fail();
        scene.clock.advance(-86_400_000);
        assert_eq!(scene.waits(), None, "a probe may try");
    }

    #[test]
    fn since_is_when_the_condition_began_and_not_when_it_was_looked_at() {
        let scene = scene(in_a_row(2));
        let start = scene.breaker.health().since;
        scene.clock.advance(1_000);
        scene.answer();
        assert_eq!(scene.breaker.health().since, start);
        scene.fail();
        let worse = scene.breaker.health().since;
        assert!(worse > start);
        scene.fail();
        scene.clock.advance(60_000);
        let health = scene.breaker.health();
        assert_eq!((health.since, health.condition), (worse, Condition::Down), "both failed at one instant");
    }
}
