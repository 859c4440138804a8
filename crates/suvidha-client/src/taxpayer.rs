//! A taxpayer as an application holds it: one session, whoever uses it, kept alive while the taxpayer's consent lasts.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gstn::{Gstin, ReturnPeriod, headers};
use http::HeaderMap;
use suvidha_seam::Seam;

use crate::credentials::secret_header;
use crate::error::Error;
use crate::event::Event;
use crate::gsp::{Gsp, Outgoing, put};
use crate::gstr1::Gstr1;
use crate::keeper::{Keeper, Renewal};
use crate::login::refresh_token;
use crate::session::Session;
use crate::store::{SessionKey, SessionStore};
use crate::transport::Answer;

/// A taxpayer who may log in, or has. Cheap to clone; clones, and all handles that [`Gsp::taxpayer`] gives for the same
/// GSTIN and user name, share one session.
///
/// The session is looked for in the [`SessionStore`] when it is first needed. Some minutes before it
/// ends it is refreshed without an OTP, once for all calls that wait. Where GSTN says that it died early, it is refreshed
/// and the call repeated, once: GSTN has refused the call, so nothing is done twice. When only an OTP helps, calls fail with
/// [`Error::OtpRequired`].
#[derive(Clone)]
pub struct Taxpayer(Arc<Keeper<Refresh>>);

impl fmt::Debug for Taxpayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Refresh { gsp, gstin, username, .. } = &self.0.renewal;
        f.debug_struct("Taxpayer")
            .field("gsp", gsp)
            .field("gstin", gstin)
            .field("username", username)
            .finish_non_exhaustive()
    }
}

impl Taxpayer {
    pub(crate) fn new(keeper: Arc<Keeper<Refresh>>) -> Self {
        Self(keeper)
    }

    /// The taxpayer's GSTIN.
    pub fn gstin(&self) -> &Gstin {
        &self.0.renewal.gstin
    }

    /// The taxpayer's user name at the GST portal.
    pub fn username(&self) -> &str {
        &self.0.renewal.username
    }

    /// The taxpayer's GSTR-1 of `period`.
    pub fn gstr1(&self, period: ReturnPeriod) -> Gstr1 {
        Gstr1::new(self.clone(), period)
    }

    /// The taxpayer's GSTR-1A of `period`, which corrects its GSTR-1 before GSTR-3B is filed. It is used as a GSTR-1 is.
    pub fn gstr1a(&self, period: ReturnPeriod) -> Gstr1 {
        Gstr1::correcting(self.clone(), period)
    }

    /// The session as it is, here or in the store; none if the taxpayer is not logged in. Nothing is sent, and it may
    /// have ended.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn session(&self) -> Result<Option<Session>, Error> {
        Ok(self.0.look().await?.map(|session| Session::clone(&session)))
    }

    /// Goes on with a session that was kept elsewhere than in the store, or comes from another program.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it is another taxpayer's; [`Error::Store`].
    pub async fn resume(&self, session: Session) -> Result<(), Error> {
        if session.gstin() != self.gstin() || session.username() != self.username() {
            let what = format!("the session is of {} ({})", session.gstin(), session.username());
            return Err(Error::Invalid(format!("{what}, not of {} ({})", self.gstin(), self.username())));
        }
        self.take(session).await.map(drop)
    }

    /// Prolongs the session now, without an OTP. Calls see to it themselves.
    ///
    /// # Errors
    /// [`Error::OtpRequired`] if the taxpayer must log in again, and every other kind of [`Error`].
    pub async fn refresh(&self) -> Result<Session, Error> {
        Ok(Session::clone(&*self.0.refresh().await?))
    }

    /// The GSP through which the taxpayer is served.
    pub fn gsp(&self) -> &Gsp {
        &self.0.renewal.gsp
    }

    /// A new session in place of what there was.
    pub(crate) async fn take(&self, session: Session) -> Result<Session, Error> {
        self.0.renewal.lost.store(false, Ordering::SeqCst);
        Ok(Session::clone(&*self.0.put(session).await?))
    }

    /// The store goes on giving a session that was removed from it.
    pub(crate) fn not_removed(&self) -> Error {
        self.0.store_failed("remove", "it is still there".into())
    }

    pub(crate) async fn forget(&self, session: &Session) -> Result<(), Error> {
        self.0.forget(session).await
    }

    /// Makes a call with a live session; once more with a new one where GSTN says that the session has died.
    pub(crate) async fn in_session<'a, T>(
        &self,
        prepare: impl Fn(&Session) -> Result<Outgoing<'a>, Error>,
        read: impl Fn(&Session, &Answer) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let session = self.0.session().await?;
        match self.gsp().call(&prepare(&session)?, |answer| read(&session, answer)).await {
            Err(Error::OtpRequired { .. }) => (),
            outcome => return outcome,
        }
        let session = self.0.after(&session).await?;
        let outcome = self.gsp().call(&prepare(&session)?, |answer| read(&session, answer)).await;
        if matches!(outcome, Err(Error::OtpRequired { .. })) {
            self.0.give_up(&session).await?;
        }
        outcome
    }

    pub(crate) fn session_headers(&self, session: &Session) -> Result<HeaderMap, Error> {
        self.0.renewal.session_headers(session)
    }

    pub(crate) fn headers(&self) -> Result<HeaderMap, Error> {
        self.0.renewal.headers()
    }

    pub(crate) fn seam(&self) -> &Seam {
        self.0.renewal.seam()
    }

    pub(crate) fn refresh_of(&self) -> &Refresh {
        &self.0.renewal
    }
}

/// How a taxpayer's session is prolonged.
pub(crate) struct Refresh {
    pub(crate) gsp: Gsp,
    pub(crate) gstin: Gstin,
    pub(crate) username: String,
    key: SessionKey,
    /// Whether it has been told that an OTP is needed.
    lost: AtomicBool,
}

impl Refresh {
    pub(crate) fn new(gsp: Gsp, gstin: Gstin, username: String, key: SessionKey) -> Self {
        Self { gsp, gstin, username, key, lost: AtomicBool::new(false) }
    }

    /// The headers of a call within a session, but for its `txn`.
    pub(crate) fn session_headers(&self, session: &Session) -> Result<HeaderMap, Error> {
        let mut map = self.headers()?;
        map.insert(headers::AUTH_TOKEN, secret_header(session.auth_token.expose())?);
        Ok(map)
    }

    /// The headers of a call on the way to a session, but for its `txn`.
    pub(crate) fn headers(&self) -> Result<HeaderMap, Error> {
        let mut map = self.gsp.common_headers(Some(self.gstin.state()))?;
        put(&mut map, headers::GSTIN, self.gstin.as_str())?;
        put(&mut map, headers::USERNAME, &self.username)?;
        Ok(map)
    }
}

impl Renewal for Refresh {
    type Session = Session;

    fn key(&self) -> &SessionKey {
        &self.key
    }

    fn store(&self) -> &dyn SessionStore {
        &*self.gsp.wire().store
    }

    fn seam(&self) -> &Seam {
        &self.gsp.wire().seam
    }

    /// GSTN refreshes a session only while it lives.
    async fn renew(&self, old: Option<&Session>) -> Result<Session, Error> {
        match old.filter(|old| self.seam().now() < old.expires_at()) {
            Some(old) => refresh_token(self, old).await,
            None => Err(Error::OtpRequired { refusal: None }),
        }
    }

    fn renewed(&self, session: &Session) {
        self.lost.store(false, Ordering::SeqCst);
        self.gsp.wire().handlers.tell(&Event::AuthTokenRefreshed {
            gstin: self.gstin,
            username: self.username.clone(),
            expires_at: session.expires_at(),
        });
    }

    fn failed(&self, session: &Session, error: &Error) {
        let (gstin, expires_at) = (Some(self.gstin), session.expires_at());
        self.gsp.wire().handlers.tell(&Event::RefreshFailed { gstin, error: error.clone(), expires_at });
    }

    fn lost(&self) {
        if !self.lost.swap(true, Ordering::SeqCst) {
            let (gstin, username) = (self.gstin, self.username.clone());
            self.gsp.wire().handlers.tell(&Event::OtpRequired { gstin, username });
        }
    }

    fn leave(&self, session: Session) {
        self.gsp.leave(self.key.clone(), session);
    }

    fn take_left(&self) -> Option<Session> {
        self.gsp.take_left(&self.key)
    }
}
