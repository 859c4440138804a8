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

impl<R: Renewal> Keeper<R> {
    pub(crate) fn new(renewal: R) -> Arc<Self> {
        let state = State { held: None, flight: None, refused: None };
        Arc::new(Self { renewal, state: Mutex::new(state), busy: AsyncMutex::default() })
    }

    /// A session that is saved and good for a while.
    pub(crate) async fn session(self: &Arc<Self>) -> Result<Arc<R::Session>, Error> {
        let landing = {
            let mut state = self.state();
            let now = self.renewal.seam().now();
            match &state.held {
                Some(held) if held.saved && !held.over && now < held.due_at => {
                    return Ok(Arc::clone(&held.session));
                }
                _ => self.flight(&mut state, false)?,
            }
        };
        self.landed(landing).await
    }

    /// A session in place of `dead`, which the other side says is over: the one that came meanwhile, or a new one.
    pub(crate) async fn after(self: &Arc<Self>, dead: &R::Session) -> Result<Arc<R::Session>, Error> {
        self.mark_over(dead);
        let session = self.session().await?;
        if session.id() != dead.id() {
            return Ok(session);
        }
        // From a renewal that was under way and failed, when nobody knew yet that the old session is over.
        self.session().await
    }

    /// A new session, be the old one as good as it may.
    pub(crate) async fn refresh(self: &Arc<Self>) -> Result<Arc<R::Session>, Error> {
        let landing = self.flight(&mut self.state(), true)?;
        self.landed(landing).await
    }

    /// The session as it is, here or in the store; it may have ended.
    pub(crate) async fn look(&self) -> Result<Option<Arc<R::Session>>, Error> {
        let _busy = self.busy.lock().await;
        if let Some(held) = &self.state().held {
            return Ok(Some(Arc::clone(&held.session)));
        }
        let Some(stored) = self.load().await? else { return Ok(None) };
        Ok(Some(self.hold(stored, true).session))
    }

    /// Takes `session` over, in place of what there was.
    pub(crate) async fn put(&self, session: R::Session) -> Result<Arc<R::Session>, Error> {
        let _busy = self.busy.lock().await;
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

    fn mark_over(&self, dead: &R::Session) {
        if let Some(held) = &mut self.state().held
            && held.session.id() == dead.id()
        {
            held.over = true;
        }
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

    async fn landed(&self, mut landing: Landing<R::Session>) -> Result<Arc<R::Session>, Error> {
        match landing.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(outcome)) => outcome.clone(),
            _ => Err(self.store_failed("renew", "the store panicked, or its runtime was shut down".into())),
        }
    }

    /// Finds or makes a session. There is one of these at a time.
    async fn fly(&self, force: bool) -> Result<Arc<R::Session>, Error> {
        let _busy = self.busy.lock().await;
        let _lease = self.lease().await?;
        let mut held = self.state().held.clone();
        if let Some(unsaved) = held.as_ref().filter(|held| !held.saved && !held.over) {
            self.save(unsaved).await?;
        } else if let Some(stored) = self.load().await? {
            // Another process may have been here.
            let other = held.as_ref().is_none_or(|held| held.session.id() != stored.id());
            if other && self.renewal.seam().now() < stored.expires_at() {
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
                Some(good) if !force => {
                    self.postpone(good, &error);
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
        match stored.map(R::Session::from_stored) {
            Some(None) => Err(self.store_failed("load", "it is of another kind".into())),
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

    fn store_failed(&self, verb: &str, error: StoreError) -> Error {
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

    /// Where only an OTP helps there is nothing to try until the session ends.
    fn postpone(&self, good: &Held<R::Session>, error: &Error) {
        let end = good.session.expires_at();
        let next = self.renewal.seam().now().saturating_add(NEXT_TRY).unwrap_or(end);
        if let Some(held) = &mut self.state().held
            && held.session.id() == good.session.id()
        {
            held.due_at = if matches!(error, Error::OtpRequired { .. }) { end } else { next.min(end) };
        }
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
