//! Keeps one session alive, whoever needs it: found in the store, renewed before it ends, and renewed once for all who wait.
//!
//! A renewal runs in a task of its own. A caller that gives up does not break it off half-way, when the old session is over
//! already and the new one is not kept yet.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use suvidha_seam::Seam;
use tokio::sync::{Mutex as AsyncMutex, watch};
use tokio::time::Instant;

use crate::error::Error;
use crate::session::Kept;
use crate::store::{Lease, SessionKey, SessionStore, StoreError};

/// A "no" to a renewal holds for those who ask within this time, too: a fleet of calls must not become one of renewals.
const REFUSAL_HOLDS: Duration = Duration::from_secs(1);
/// As long as a gateway that throttles renewals is obeyed at most.
const THROTTLING_HOLDS: Duration = Duration::from_secs(60);
/// After a renewal failed while the session is still good, the next one is tried after so long.
const NEXT_TRY: jiff::SignedDuration = jiff::SignedDuration::from_secs(30);

/// How a kind of session is come by, and told of.
pub(crate) trait Renewal: Send + Sync + 'static {
    type Session: Kept;

    fn key(&self) -> &SessionKey;
    fn store(&self) -> &dyn SessionStore;
    fn seam(&self) -> &Seam;

    /// A new session; from the one before where that is what it takes.
    fn renew(&self, old: Option<&Self::Session>)
    -> impl Future<Output = Result<Self::Session, Error>> + Send;

    /// The store has a new session.
    fn renewed(&self, session: &Self::Session);

    /// `session` could not be renewed, and is good for a while yet.
    fn failed(&self, session: &Self::Session, error: &Error);

    /// There is no session, and no way to one from here.
    fn lost(&self);

    /// The keeper goes, and the store does not have its session.
    fn leave(&self, _: Self::Session) {}

    /// What an earlier keeper left; at most once.
    fn take_left(&self) -> Option<Self::Session> {
        None
    }
}

pub(crate) struct Keeper<R: Renewal> {
    pub(crate) renewal: R,
    state: Mutex<State<R::Session>>,
    /// Held by whoever changes what is stored.
    busy: AsyncMutex<()>,
}

struct State<S> {
    held: Option<Held<S>>,
    flight: Option<Flight<S>>,
    refused: Option<(Error, Instant)>,
}

/// A renewal that is under way.
struct Flight<S> {
    /// Whether it renews a session that is good, too.
    forced: bool,
    landing: Landing<S>,
}

type Landing<S> = watch::Receiver<Option<Result<Arc<S>, Error>>>;

/// The session in memory.
struct Held<S> {
    session: Arc<S>,
    /// From when on it is renewed.
    due_at: Timestamp,
    saved: bool,
    /// The other side says that it is over, whatever the clock says.
    over: bool,
}

impl<S> Clone for Held<S> {
    fn clone(&self) -> Self {
        let Self { session, due_at, saved, over } = self;
        Self { session: Arc::clone(session), due_at: *due_at, saved: *saved, over: *over }
    }
}

/// An application may hold a taxpayer for one call only; a token that could not be saved is not to go with it.
impl<R: Renewal> Drop for Keeper<R> {
    fn drop(&mut self) {
        let held = self.state.get_mut().unwrap_or_else(PoisonError::into_inner).held.take();
        if let Some(unsaved) = held.filter(|held| !held.saved && !held.over) {
            self.renewal.leave(R::Session::clone(&unsaved.session));
        }
    }
}

impl<S: Kept> Held<S> {
    /// Whether `stored` is another session, and this one is over or ends earlier: a store that lags behind (a replica of a
    /// database) may give the one before.
    fn is_worse_than(&self, stored: &S) -> bool {
        self.session.id() != stored.id() && (self.over || self.session.expires_at() < stored.expires_at())
    }
}

impl<R: Renewal> Keeper<R> {
    pub(crate) fn new(renewal: R) -> Arc<Self> {
        let state = State { held: None, flight: None, refused: None };
        Arc::new(Self { renewal, state: Mutex::new(state), busy: AsyncMutex::default() })
    }

    /// A session that is saved and good for a while.
    pub(crate) async fn session(self: &Arc<Self>) -> Result<Arc<R::Session>, Error> {
        let now = self.renewal.seam().now();
        let good = |held: &&Held<_>| held.saved && !held.over && now < held.due_at;
        if let Some(held) = self.state().held.as_ref().filter(good) {
            return Ok(Arc::clone(&held.session));
        }
        self.renewed(false).await
    }

    /// A session in place of `dead`, which the other side says is over: the one that came meanwhile, or a new one.
    pub(crate) async fn after(self: &Arc<Self>, dead: &R::Session) -> Result<Arc<R::Session>, Error> {
        if let Some(held) = &mut self.state().held
            && held.session.id() == dead.id()
        {
            held.over = true;
        }
        self.session().await
    }

    /// A new session, be the old one as good as it may.
    pub(crate) async fn refresh(self: &Arc<Self>) -> Result<Arc<R::Session>, Error> {
        self.renewed(true).await
    }

    /// Waits for a renewal; for one of its own where the one under way is gone, perhaps with a runtime that is not ours.
    async fn renewed(self: &Arc<Self>, forced: bool) -> Result<Arc<R::Session>, Error> {
        for _ in 0..2 {
            let mut landing = self.flight(&mut self.state(), forced)?;
            if let Ok(Some(outcome)) = landing.wait_for(Option::is_some).await.as_deref() {
                return outcome.clone();
            }
        }
        Err(self.store_failed("renew", "the store panicked, or its runtime was shut down".into()))
    }

    /// The session as it is, here or in the store; it may have ended.
    pub(crate) async fn look(&self) -> Result<Option<Arc<R::Session>>, Error> {
        let _busy = self.busy.lock().await;
        if let Some(held) = self.held() {
            return Ok(Some(held.session));
        }
        let Some(stored) = self.load().await? else { return Ok(None) };
        Ok(Some(self.hold(stored, true).session))
    }

    /// Takes `session` over, in place of what there was.
    pub(crate) async fn put(&self, session: R::Session) -> Result<Arc<R::Session>, Error> {
        let _busy = self.busy.lock().await;
        drop(self.renewal.take_left());
        let held = self.hold(session, false);
        let _lease = self.lease().await?;
        self.save(&held).await?;
        Ok(held.session)
    }

    /// Forgets `session`, here and in the store, unless another has come in its place.
    pub(crate) async fn forget(&self, session: &R::Session) -> Result<(), Error> {
        let _busy = self.busy.lock().await;
        let _lease = self.lease().await?;
        self.drop_everywhere(session).await
    }

    /// As [`forget`](Self::forget), and tells that there is no way on without the taxpayer.
    pub(crate) async fn give_up(&self, session: &R::Session) -> Result<(), Error> {
        self.forget(session).await?;
        self.renewal.lost();
        Ok(())
    }

    async fn drop_everywhere(&self, session: &R::Session) -> Result<(), Error> {
        {
            let mut state = self.state();
            if state.held.as_ref().is_some_and(|held| held.session.id() == session.id()) {
                state.held = None;
            }
        }
        if self.load().await?.is_some_and(|stored| stored.id() == session.id()) {
            let removed = self.renewal.store().remove(self.renewal.key()).await;
            removed.map_err(|error| self.store_failed("remove", error))?;
        }
        Ok(())
    }

    /// The session in memory; where there is none, the one that an earlier keeper could not save.
    fn held(&self) -> Option<Held<R::Session>> {
        let held = self.state().held.clone();
        held.or_else(|| Some(self.hold(self.renewal.take_left()?, false)))
    }

    fn state(&self) -> MutexGuard<'_, State<R::Session>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The renewal that is under way, or else a new one; or the "no" that the last one got just now.
    fn flight(
        self: &Arc<Self>,
        state: &mut State<R::Session>,
        forced: bool,
    ) -> Result<Landing<R::Session>, Error> {
        // One whose task is gone (a store that panicked, a runtime that was shut down) is nothing to wait for.
        let under_way = state.flight.as_ref().filter(|flight| flight.landing.has_changed().is_ok());
        if let Some(flight) = under_way.filter(|flight| flight.forced || !forced) {
            return Ok(flight.landing.clone());
        }
        if let Some((error, until)) = &state.refused
            && Instant::now() < *until
            && !forced
        {
            return Err(error.clone());
        }
        let (sender, landing) = watch::channel(None);
        state.flight = Some(Flight { forced, landing: landing.clone() });
        let (this, own) = (Arc::clone(self), landing.clone());
        tokio::spawn(async move {
            let outcome = this.fly(forced).await;
            let mut state = this.state();
            state.flight.take_if(|flight| flight.landing.same_channel(&own));
            let refused = outcome.as_ref().err().and_then(|error| Some((error.clone(), holds_until(error)?)));
            state.refused = refused;
            drop(state);
            sender.send_replace(Some(outcome));
        });
        Ok(landing)
    }

    /// Finds or makes a session. There is one of these at a time.
    async fn fly(&self, force: bool) -> Result<Arc<R::Session>, Error> {
        let _busy = self.busy.lock().await;
        let _lease = self.lease().await?;
        let mut held = self.held();
        if let Some(unsaved) = held.as_ref().filter(|held| !held.saved && !held.over) {
            self.save(unsaved).await?;
        } else if let Some(stored) = self.load().await? {
            // Another process may have been here.
            let better = held.as_ref().is_none_or(|held| held.is_worse_than(&stored));
            if better && self.renewal.seam().now() < stored.expires_at() {
                held = Some(self.hold(stored, true));
            }
        }
        let now = self.renewal.seam().now();
        let good = held.as_ref().filter(|held| !held.over && now < held.session.expires_at());
        match good {
            Some(held) if !force && now < held.due_at => return Ok(Arc::clone(&held.session)),
            _ => (),
        }
        match self.renewal.renew(held.as_ref().map(|held| &*held.session)).await {
            Ok(session) => {
                let held = self.hold(session, false);
                self.save(&held).await?;
                self.renewal.renewed(&held.session);
                Ok(held.session)
            }
            Err(error) => match good {
                Some(good) if !force && self.postpone(good, &error) => {
                    self.renewal.failed(&good.session, &error);
                    Ok(Arc::clone(&good.session))
                }
                _ => Err(self.without_way_on(held, error).await?),
            },
        }
    }

    /// What a failed renewal leaves to the caller; a session that only an OTP can replace is forgotten.
    async fn without_way_on(&self, held: Option<Held<R::Session>>, error: Error) -> Result<Error, Error> {
        if matches!(error, Error::OtpRequired { .. }) {
            if let Some(held) = held.filter(|held| held.over) {
                self.drop_everywhere(&held.session).await?;
            }
            self.renewal.lost();
        }
        Ok(error)
    }

    async fn lease(&self) -> Result<Lease, Error> {
        let lease = self.renewal.store().lease(self.renewal.key()).await;
        lease.map_err(|error| self.store_failed("take the lease of", error))
    }

    async fn load(&self) -> Result<Option<R::Session>, Error> {
        let stored = self.renewal.store().load(self.renewal.key()).await;
        let stored = stored.map_err(|error| self.store_failed("load", error))?;
        match stored.map(|stored| R::Session::from_stored(stored, self.renewal.key())) {
            Some(None) => Err(self.store_failed("load", "it is of another kind, or somebody else's".into())),
            found => Ok(found.flatten()),
        }
    }

    async fn save(&self, held: &Held<R::Session>) -> Result<(), Error> {
        let saved = self.renewal.store().save(self.renewal.key(), &held.session.stored()).await;
        saved.map_err(|error| self.store_failed("save", error))?;
        if let Some(held_now) = &mut self.state().held
            && held_now.session.id() == held.session.id()
        {
            held_now.saved = true;
        }
        Ok(())
    }

    pub(crate) fn store_failed(&self, verb: &str, error: StoreError) -> Error {
        Error::store(format!("cannot {verb} the session {}", self.renewal.key()), error)
    }

    /// Takes a session into memory. It is renewed between one and two margins before its end, at a moment of its own: a
    /// fleet that started together must not renew together.
    fn hold(&self, session: R::Session, saved: bool) -> Held<R::Session> {
        let seam = self.renewal.seam();
        let margin = session.margin(seam.now()).max(jiff::SignedDuration::ZERO);
        let share = f64::from(u16::from_be_bytes(seam.random())) / f64::from(u16::MAX);
        let early = margin.saturating_add(margin.mul_f64(share));
        let due_at = session.expires_at().saturating_sub(early).unwrap_or(session.expires_at());
        let held = Held { session: Arc::new(session), due_at, saved, over: false };
        self.state().held = Some(held.clone());
        held
    }

    /// Goes on with `good` for now; false if the other side has said meanwhile that it is over. Where only an OTP helps
    /// there is nothing to try until it ends.
    fn postpone(&self, good: &Held<R::Session>, error: &Error) -> bool {
        let end = good.session.expires_at();
        let next = self.renewal.seam().now().saturating_add(NEXT_TRY).unwrap_or(end);
        let mut state = self.state();
        let held = state.held.as_mut().filter(|held| held.session.id() == good.session.id() && !held.over);
        if let Some(held) = held {
            held.due_at = if matches!(error, Error::OtpRequired { .. }) { end } else { next.min(end) };
            return true;
        }
        false
    }
}

fn holds_until(error: &Error) -> Option<Instant> {
    let holds = match error {
        Error::Throttled { retry_after, .. } => retry_after.unwrap_or(REFUSAL_HOLDS).min(THROTTLING_HOLDS),
        Error::Refused(_) | Error::WrongAspSecret { .. } => REFUSAL_HOLDS,
        _ => return None,
    };
    Some(Instant::now() + holds)
}

#[cfg(test)]
mod tests {
    use suvidha_seam::ManualClock;
    use tokio::sync::mpsc;

    use super::*;
    use crate::error::{Origin, Refusal};
    use crate::session::GspSession;
    use crate::store::MemoryStore;

    /// Renews as the test says, when the test says.
    struct Told {
        key: SessionKey,
        store: MemoryStore,
        seam: Seam,
        clock: Arc<ManualClock>,
        begun: mpsc::UnboundedSender<()>,
        outcomes: AsyncMutex<mpsc::UnboundedReceiver<Result<GspSession, Error>>>,
    }

    impl Renewal for Told {
        type Session = GspSession;

        fn key(&self) -> &SessionKey {
            &self.key
        }

        fn store(&self) -> &dyn SessionStore {
            &self.store
        }

        fn seam(&self) -> &Seam {
            &self.seam
        }

        async fn renew(&self, _: Option<&GspSession>) -> Result<GspSession, Error> {
            self.begun.send(()).unwrap();
            self.outcomes.lock().await.recv().await.unwrap()
        }

        fn renewed(&self, _: &GspSession) {}

        fn failed(&self, _: &GspSession, _: &Error) {}

        fn lost(&self) {}
    }

    struct Story {
        keeper: Arc<Keeper<Told>>,
        begun: mpsc::UnboundedReceiver<()>,
        outcomes: mpsc::UnboundedSender<Result<GspSession, Error>>,
    }

    impl Story {
        fn begin() -> Self {
            let clock = Arc::new(ManualClock::at("2026-05-01T10:00:00Z".parse().unwrap()));
            let (begun, begun_here) = mpsc::unbounded_channel();
            let (outcomes, outcomes_there) = mpsc::unbounded_channel();
            let told = Told {
                key: SessionKey::gsp("g", "7857622155".parse().unwrap()),
                store: MemoryStore::new(),
                seam: Seam { clock: clock.clone(), ..Seam::system() },
                clock,
                begun,
                outcomes: AsyncMutex::new(outcomes_there),
            };
            Self { keeper: Keeper::new(told), begun: begun_here, outcomes }
        }

        /// A session of two hours from now.
        fn session(&self, id: &str) -> GspSession {
            let end = self.keeper.renewal.seam.now() + jiff::SignedDuration::from_hours(2);
            GspSession::new(id, &gstn::crypto::base64::encode([1; 32]), end).unwrap()
        }

        fn advance(&self, minutes: i64) {
            self.keeper.renewal.clock.advance(minutes * 60_000);
        }

        /// Somebody who needs a session now.
        fn caller(&self) -> tokio::task::JoinHandle<Result<String, Error>> {
            let keeper = self.keeper.clone();
            tokio::spawn(async move { keeper.session().await.map(|session| session.id().to_owned()) })
        }
    }

    fn refused(code: &str) -> Error {
        Error::Refused(Box::new(Refusal::new(code, "no", Origin::Gsp)))
    }

    #[tokio::test]
    async fn a_session_found_dead_during_a_renewal_that_fails_does_not_serve_on() {
        let mut story = Story::begin();
        let first = story.session("first");
        story.keeper.put(first.clone()).await.unwrap();
        story.advance(115);
        let early = story.caller();
        story.begun.recv().await.unwrap();
        let keeper = story.keeper.clone();
        let struck = tokio::spawn(async move { keeper.after(&first).await.map(drop) });
        tokio::task::yield_now().await;
        story.outcomes.send(Err(refused("GSP013"))).unwrap();
        assert_eq!(early.await.unwrap().unwrap_err().code(), Some("GSP013"));
        assert_eq!(struck.await.unwrap().unwrap_err().code(), Some("GSP013"));
    }

    #[tokio::test]
    async fn an_ended_session_in_the_store_does_not_displace_a_good_one() {
        let story = Story::begin();
        let ended = story.session("ended");
        story.advance(119);
        story.keeper.put(story.session("good")).await.unwrap();
        story.advance(119);
        story.keeper.renewal.store.save(&story.keeper.renewal.key, &ended.stored()).await.unwrap();
        story.outcomes.send(Err(refused("GSP013"))).unwrap();
        assert_eq!(story.caller().await.unwrap().unwrap(), "good");
    }

    #[tokio::test]
    async fn a_forced_renewal_is_not_content_with_one_that_is_under_way() {
        let mut story = Story::begin();
        let caller = story.caller();
        story.begun.recv().await.unwrap();
        let keeper = story.keeper.clone();
        let forced =
            tokio::spawn(async move { keeper.refresh().await.map(|session| session.id().to_owned()) });
        tokio::task::yield_now().await;
        story.outcomes.send(Ok(story.session("first"))).unwrap();
        story.outcomes.send(Ok(story.session("second"))).unwrap();
        assert_eq!(caller.await.unwrap().unwrap(), "first");
        assert_eq!(forced.await.unwrap().unwrap(), "second");
        assert_eq!(story.caller().await.unwrap().unwrap(), "second");
    }

    #[tokio::test(start_paused = true)]
    async fn a_no_holds_for_a_moment_and_throttling_as_long_as_the_gateway_says() {
        let retry_after = Some(Duration::from_secs(20));
        let refusal = Box::new(Refusal::new("GSP025", "slow down", Origin::Gsp));
        let throttled = Error::Throttled { refusal, retry_after };
        for (error, holds) in [(refused("GSP013"), 1), (throttled, 20)] {
            let mut story = Story::begin();
            story.outcomes.send(Err(error.clone())).unwrap();
            for _ in 0..50 {
                assert_eq!(story.caller().await.unwrap().unwrap_err().code(), error.code());
            }
            tokio::time::advance(Duration::from_secs(holds)).await;
            story.outcomes.send(Ok(story.session("new"))).unwrap();
            assert_eq!(story.caller().await.unwrap().unwrap(), "new");
            assert_eq!((story.begun.try_recv(), story.begun.try_recv()), (Ok(()), Ok(())));
            assert!(story.begun.try_recv().is_err());
        }
    }
}
