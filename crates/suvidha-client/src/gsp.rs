//! The GSP as an ASP sees it: an address, a way to prove oneself, and GSTN's certificate, which it hands out.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use gstn::catalogue::Family;
use gstn::crypto::PublicKey;
use gstn::{Gstin, IpUsr, StateCode, headers};
use http::header::{ACCEPT, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Method};
use suvidha_seam::Seam;
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::Instant;

use crate::answer::{Stage, check, protocol};
use crate::builder::GspBuilder;
use crate::error::{Error, Origin, Refusal};
use crate::event::{Call, Event, Handlers};
use crate::getkey::GetKey;
use crate::keeper::Keeper;
use crate::session::{GspSession, Session};
use crate::store::{SessionKey, SessionStore};
use crate::taxpayer::{Refresh, Taxpayer};
use crate::transport::{Answer, Request, Transport, Watch};

/// Where the gateway publishes the certificate of its environment's GSTN.
const CERTIFICATE_PATH: &str = "/certificates/gstn.pem";

/// One environment of a GSP, and this ASP's way into it. Cheap to clone; clones share connections and sessions.
///
/// With GetKey it keeps a session with the GSP: got when the first call needs it, renewed some minutes before it ends, and
/// once more where the gateway says that it died early. However many calls wait for a session, there is one GetKey.
#[derive(Clone)]
pub struct Gsp(Arc<Inner>);

struct Inner {
    wire: Arc<Wire>,
    identity: Identity,
    certificate: Certificate,
    taxpayers: Mutex<HashMap<SessionKey, Weak<Keeper<Refresh>>>>,
    /// Sessions that the store did not take, of taxpayers whom nobody holds at the moment.
    left: Mutex<HashMap<SessionKey, Session>>,
}

/// What calls and GetKey need alike.
pub(crate) struct Wire {
    pub(crate) transport: Transport,
    pub(crate) ip_usr: IpUsr,
    pub(crate) seam: Seam,
    pub(crate) store: Arc<dyn SessionStore>,
    pub(crate) handlers: Handlers,
}

/// How calls say which ASP they are of.
pub(crate) enum Identity {
    Token(HeaderValue),
    Session(Arc<Keeper<GetKey>>),
}

/// GSTN's public key: given once and for all, or fetched from the gateway when it is first needed.
pub(crate) struct Certificate(Kind);

enum Kind {
    Given(PublicKey),
    Fetched(AsyncMutex<Option<PublicKey>>),
}

/// A call as it is to be sent: all but the proof of who sends it.
pub(crate) struct Outgoing<'a> {
    pub(crate) method: Method,
    /// Path and query after the gateway's prefix, beginning with the family.
    pub(crate) target: &'a str,
    pub(crate) action: &'a str,
    pub(crate) gstin: Option<Gstin>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl<'a> Outgoing<'a> {
    /// A call that only reads.
    pub(crate) fn get(target: &'a str, action: &'a str, gstin: Gstin, headers: HeaderMap) -> Self {
        Self { method: Method::GET, target, action, gstin: Some(gstin), headers, body: Bytes::new() }
    }
}

impl Certificate {
    pub(crate) fn given(key: PublicKey) -> Self {
        Self(Kind::Given(key))
    }

    pub(crate) fn fetched() -> Self {
        Self(Kind::Fetched(AsyncMutex::default()))
    }
}

impl fmt::Debug for Gsp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let base_url = self.0.wire.transport.base().to_string();
        f.debug_struct("Gsp").field("base_url", &base_url).finish_non_exhaustive()
    }
}

impl Wire {
    /// Sends a request to a path after the prefix.
    pub(crate) async fn send(
        &self,
        method: Method,
        target: &str,
        mut headers: HeaderMap,
        body: Bytes,
    ) -> Result<Answer, Error> {
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if !body.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let target = format!("{}/{target}", self.transport.base().prefix());
        self.transport.send(Request { method, target, headers, body }).await
    }

    /// Fetches a file at a path after the prefix.
    async fn fetch(&self, target: &str, headers: HeaderMap, watch: Watch<'_>) -> Result<Answer, Error> {
        let target = format!("{}/{target}", self.transport.base().prefix());
        let (method, body) = (Method::GET, Bytes::new());
        self.transport.fetch(Request { method, target, headers, body }, watch).await
    }

    pub(crate) fn new_txn(&self) -> String {
        self.seam.random::<16>().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Gsp {
    /// Starts with the address of a GSP's environment, e.g. `https://gsp.example.in`, with or without a path prefix.
    pub fn builder(base_url: impl Into<String>) -> GspBuilder {
        GspBuilder::new(base_url.into())
    }

    pub(crate) fn new(wire: Arc<Wire>, identity: Identity, certificate: Certificate) -> Self {
        Self(Arc::new(Inner {
            wire,
            identity,
            certificate,
            taxpayers: Mutex::default(),
            left: Mutex::default(),
        }))
    }

    /// A taxpayer who may log in, or has: the GSTIN and the user name at the GST portal. All handles of one taxpayer
    /// share one session.
    pub fn taxpayer(&self, gstin: Gstin, username: impl Into<String>) -> Taxpayer {
        let username = username.into();
        let gateway = self.0.wire.transport.base().to_string();
        let key = SessionKey::taxpayer(gateway, gstin, username.as_str());
        let mut taxpayers = self.0.taxpayers.lock().unwrap_or_else(PoisonError::into_inner);
        let known = taxpayers.get(&key).and_then(Weak::upgrade);
        let keeper = known.unwrap_or_else(|| {
            if taxpayers.len() == taxpayers.capacity() {
                taxpayers.retain(|_, keeper| keeper.strong_count() > 0);
            }
            let keeper = Keeper::new(Refresh::new(self.clone(), gstin, username, key.clone()));
            taxpayers.insert(key, Arc::downgrade(&keeper));
            keeper
        });
        Taxpayer::new(keeper)
    }

    /// The session with the GSP: the one at hand if it is good for a while, else a new one. None with a token.
    ///
    /// Calls see to it themselves; this is for those who want to know early that GetKey works.
    ///
    /// # Errors
    /// As GetKey fails: [`Error::Refused`] with the gateway's code and remedy, [`Error::WrongAspSecret`],
    /// [`Error::Unavailable`], [`Error::Store`].
    pub async fn session(&self) -> Result<Option<GspSession>, Error> {
        match &self.0.identity {
            Identity::Token(_) => Ok(None),
            Identity::Session(keeper) => Ok(Some(GspSession::clone(&*keeper.session().await?))),
        }
    }

    /// A new session with the GSP, however good the old one is. None with a token.
    ///
    /// # Errors
    /// As [`session`](Self::session).
    pub async fn refresh_session(&self) -> Result<Option<GspSession>, Error> {
        match &self.0.identity {
            Identity::Token(_) => Ok(None),
            Identity::Session(keeper) => Ok(Some(GspSession::clone(&*keeper.refresh().await?))),
        }
    }

    pub(crate) fn leave(&self, key: SessionKey, session: Session) {
        self.0.left.lock().unwrap_or_else(PoisonError::into_inner).insert(key, session);
    }

    pub(crate) fn take_left(&self, key: &SessionKey) -> Option<Session> {
        self.0.left.lock().unwrap_or_else(PoisonError::into_inner).remove(key)
    }

    /// Whether calls are of a session that GetKey gave, and not under a static token.
    pub(crate) fn has_sessions(&self) -> bool {
        matches!(self.0.identity, Identity::Session(_))
    }

    /// GSTN's public key: the one given, or that of the certificate the gateway publishes, fetched once.
    pub(crate) async fn gstn_certificate(&self) -> Result<PublicKey, Error> {
        match &self.0.certificate.0 {
            Kind::Given(key) => Ok(key.clone()),
            Kind::Fetched(kept) => {
                let mut kept = kept.lock().await;
                if let Some(key) = &*kept {
                    return Ok(key.clone());
                }
                Ok(kept.insert(self.fetch_certificate().await?).clone())
            }
        }
    }

    /// Forgets a fetched certificate that is still `stale`. False if it was given by hand: there is no other.
    pub(crate) async fn drop_certificate(&self, stale: &PublicKey) -> bool {
        let Kind::Fetched(kept) = &self.0.certificate.0 else { return false };
        let mut kept = kept.lock().await;
        if kept.as_ref().is_some_and(|key| key.spki_der() == stale.spki_der()) {
            *kept = None;
        }
        true
    }

    /// Where the prefix is one of the API alone (`/gsp/api`), the certificate lies at the root.
    async fn fetch_certificate(&self) -> Result<PublicKey, Error> {
        let prefix = self.0.wire.transport.base().prefix();
        let outcome = match self.certificate_at(format!("{prefix}{CERTIFICATE_PATH}")).await {
            Err(Error::Refused(_) | Error::Protocol { .. }) if !prefix.is_empty() => {
                self.certificate_at(CERTIFICATE_PATH.to_owned()).await
            }
            outcome => outcome,
        };
        outcome.map_err(without_certificate)
    }

    async fn certificate_at(&self, target: String) -> Result<PublicKey, Error> {
        let (headers, body) = (HeaderMap::new(), Bytes::new());
        let answer =
            self.0.wire.transport.send(Request { method: Method::GET, target, headers, body }).await?;
        check(&answer, Stage::Outside)?;
        PublicKey::from_any(&answer.body)
            .map_err(|error| protocol(&answer, &format!("is no certificate of GSTN: {error}")))
    }

    /// Makes a call as this ASP, and reads its answer; once more where the gateway refuses it because the session with
    /// it has died.
    pub(crate) async fn call<T>(
        &self,
        call: &Outgoing<'_>,
        read: impl Fn(&Answer) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.call_watched(call, None, read).await
    }

    /// As [`call`](Self::call), for a long answer: `watch` is told of every piece of it.
    pub(crate) async fn call_watched<T>(
        &self,
        call: &Outgoing<'_>,
        watch: Option<Watch<'_>>,
        read: impl Fn(&Answer) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let keeper = match &self.0.identity {
            Identity::Token(token) => {
                let mut headers = call.headers.clone();
                headers.insert(headers::X_CT_AUTH_TOKEN, token.clone());
                return self.attempt(call, headers, watch, &read).await;
            }
            Identity::Session(keeper) => keeper,
        };
        let identified = |session: &GspSession| {
            let mut headers = call.headers.clone();
            keeper.renewal.identify(session, &mut headers).map(|()| headers)
        };
        let session = keeper.session().await?;
        match self.attempt(call, identified(&session)?, watch, &read).await {
            Err(error) if GetKey::is_dead(&error) => {
                let session = keeper.after(&session).await?;
                self.attempt(call, identified(&session)?, watch, &read).await
            }
            outcome => outcome,
        }
    }

    /// Sends a call once, under a `txn` of its own, and tells of it.
    async fn attempt<T>(
        &self,
        outgoing: &Outgoing<'_>,
        mut headers: HeaderMap,
        watch: Option<Watch<'_>>,
        read: &impl Fn(&Answer) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let wire = &self.0.wire;
        let txn = wire.new_txn();
        put(&mut headers, headers::TXN, &txn)?;
        let Outgoing { method, target, action, gstin, body, .. } = outgoing;
        let path = shown(target);
        let (method_name, action, gstin) = (method.as_str().to_owned(), (*action).to_owned(), *gstin);
        let call = Arc::new(Call { txn, method: method_name, path, action, gstin });
        wire.handlers.tell(&Event::CallStarting { call: Arc::clone(&call) });
        let begun = Instant::now();
        let answer = match watch {
            None => wire.send(method.clone(), target, headers, body.clone()).await,
            Some(watch) => wire.fetch(target, headers, watch).await,
        };
        let (outcome, http_status, request_id) = match answer {
            Ok(answer) => (read(&answer), Some(answer.status.as_u16()), answer.request_id()),
            Err(error) => (Err(error), None, None),
        };
        wire.handlers.tell(&Event::CallFinished {
            call,
            outcome: outcome.as_ref().map(|_| ()).map_err(Error::clone),
            http_status,
            request_id,
            took: begun.elapsed(),
        });
        outcome
    }

    /// The headers every call has, but for its `txn`: `ip-usr`, and `state-cd` where it is about a taxpayer.
    pub(crate) fn common_headers(&self, state: Option<StateCode>) -> Result<HeaderMap, Error> {
        let mut map = HeaderMap::new();
        if let Some(state) = state {
            put(&mut map, headers::STATE_CD, state.as_str())?;
        }
        put(&mut map, headers::IP_USR, self.0.wire.ip_usr.as_str())?;
        Ok(map)
    }

    pub(crate) fn wire(&self) -> &Wire {
        &self.0.wire
    }
}

/// A path that is not there is no fault of the caller, who did not choose it.
fn without_certificate(error: Error) -> Error {
    match error {
        Error::Refused(refusal) if refusal.http_status == 404 => Error::Refused(Box::new(Refusal {
            origin: Origin::Gsp,
            remedy: Some(
                "Check that the address is that of the right environment. If it is, the gateway's operator must \
                 configure GSTN's certificate for it."
                    .to_owned(),
            ),
            ..*refusal
        })),
        other => other,
    }
}

/// The path of a target, without the query. A file's path is itself a key to the file.
fn shown(target: &str) -> String {
    let path = target.split('?').next().unwrap_or_default();
    match path.split_once('/') {
        Some((family, _)) if Family::from_segment(family) == Some(Family::Files) => family.to_owned(),
        _ => path.to_owned(),
    }
}

/// Sets a header, or says which value HTTP cannot carry.
pub(crate) fn put(map: &mut HeaderMap, name: &'static str, value: &str) -> Result<(), Error> {
    let value = HeaderValue::try_from(value)
        .map_err(|_| Error::Invalid(format!("{name} has characters that HTTP cannot carry")))?;
    map.insert(HeaderName::from_static(name), value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::Credentials;

    #[test]
    fn every_call_has_a_txn_of_its_own_in_the_right_form() {
        let gsp = Gsp::builder("http://127.0.0.1:1").credentials(Credentials::token("t")).build().unwrap();
        assert_ne!(gsp.wire().new_txn(), gsp.wire().new_txn());
        assert!(gsp.wire().new_txn().parse::<gstn::Txn>().is_ok());
    }
}
