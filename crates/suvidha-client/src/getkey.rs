//! GetKey: proves the ASP to its GSP, and gets the session under whose key the ASP secret travels.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use gstn::crypto::getkey_sign;
use gstn::getkey::{GetKeyReply, GetKeyRequest, GetKeyStamp};
use gstn::headers;
use http::header::DATE;
use http::{HeaderMap, HeaderValue, Method};
use jiff::fmt::rfc2822;
use jiff::{SignedDuration, Timestamp};
use suvidha_seam::Seam;

use crate::answer::{Stage, check, protocol, read};
use crate::api_call::to_json;
use crate::credentials::{GetKeyCredentials, secret_header};
use crate::error::Error;
use crate::event::Event;
use crate::gsp::{Wire, put};
use crate::keeper::Renewal;
use crate::session::GspSession;
use crate::store::{SessionKey, SessionStore};
use crate::transport::Answer;

const GETKEY: &str = "aspapi/v1.0/getKey";
/// The gateway's clock and ours are too far apart.
const STALE_STAMP: &str = "GSP660";
/// A session that the gateway took once and takes no longer: expired, revoked, or its master key retired (GSP022); or a key
/// that is not the one it derives now (GSP017).
const SESSION_DEAD: [&str; 2] = ["GSP022", "GSP017"];
/// Clocks that differ by more are a fault to be mended, not to be worked around.
const LARGEST_CORRECTION: SignedDuration = SignedDuration::from_hours(24);

/// How an ASP's session with the GSP is come by.
pub(crate) struct GetKey {
    wire: Arc<Wire>,
    credentials: GetKeyCredentials,
    key: SessionKey,
    /// How far the gateway's clock is ahead of ours, in seconds; known once it has refused ours.
    ahead: AtomicI64,
}

impl GetKey {
    pub(crate) fn new(wire: Arc<Wire>, credentials: GetKeyCredentials) -> Self {
        let gateway = wire.transport.base().to_string();
        let key = SessionKey::gsp(gateway, credentials.aspid);
        Self { wire, credentials, key, ahead: AtomicI64::new(0) }
    }

    /// The headers by which a call of `session` is known.
    pub(crate) fn identify(&self, session: &GspSession, headers: &mut HeaderMap) -> Result<(), Error> {
        put(headers, headers::ASPID, self.credentials.aspid.as_str())?;
        put(headers, headers::SESSION_ID, session.session_id())?;
        let sealed = session.key().seal_asp_secret(&self.credentials.asp_secret);
        headers.insert(headers::ASP_SECRET, secret_header(&sealed)?);
        Ok(())
    }

    /// Whether the gateway refused a call for its session's sake: nothing of it was done.
    pub(crate) fn is_dead(error: &Error) -> bool {
        error.code().is_some_and(|code| SESSION_DEAD.contains(&code))
    }

    async fn ask(&self) -> Result<Answer, Error> {
        let stamp_at = self.wire.seam.now().saturating_add(self.ahead()).unwrap_or(Timestamp::MAX);
        let timestamp = GetKeyStamp::at(stamp_at, self.wire.seam.random()).to_string();
        let signed_content = getkey_sign(&self.credentials.key, self.credentials.aspid.as_str(), &timestamp)
            .map_err(|_| Error::Invalid("the signing key cannot sign".to_owned()))?;
        let mut headers = HeaderMap::new();
        put(&mut headers, headers::ASPID, self.credentials.aspid.as_str())?;
        put(&mut headers, headers::TXN, &self.wire.new_txn())?;
        put(&mut headers, headers::IP_USR, self.wire.ip_usr.as_str())?;
        let body = to_json(&GetKeyRequest { timestamp, signed_content })?;
        self.wire.send(Method::POST, GETKEY, headers, body.into()).await
    }

    fn ahead(&self) -> SignedDuration {
        SignedDuration::from_secs(self.ahead.load(Ordering::Relaxed))
    }

    /// Learns how far the gateway's clock is ahead, from its `Date`. False if there is nothing new to learn.
    fn correct_clock(&self, answer: &Answer) -> bool {
        let Some(theirs) = answer.header(DATE.as_str()).and_then(http_date) else { return false };
        let ahead = theirs.duration_since(self.wire.seam.now());
        if ahead.abs() > LARGEST_CORRECTION || (ahead - self.ahead()).abs() < SignedDuration::from_secs(2) {
            return false;
        }
        self.ahead.store(ahead.as_secs(), Ordering::Relaxed);
        self.wire.handlers.tell(&Event::ClockCorrected { seconds: ahead.as_secs() });
        true
    }

    /// The session key comes under the ASP secret; while that is being changed, under the old one and under the new one.
    fn open(&self, answer: &Answer) -> Result<GspSession, Error> {
        let reply: GetKeyReply = read(answer, Stage::Outside)?;
        let secret = &self.credentials.asp_secret;
        let keys = [Some(&reply.enc_key), reply.enc_key_next.as_ref()];
        let key = keys.into_iter().flatten().find_map(|key| secret.open_session_key(key).ok());
        let key = key.ok_or_else(|| Error::WrongAspSecret {
            aspid: self.credentials.aspid,
            request_id: answer.request_id(),
        })?;
        if HeaderValue::try_from(&reply.session_id).is_err() || reply.session_id.is_empty() {
            return Err(protocol(answer, "gives a session id that cannot be sent"));
        }
        let lifetime = SignedDuration::from_mins(i64::from(reply.validity_min));
        let expires_at = self.wire.seam.now().saturating_add(lifetime);
        let expires_at = expires_at.map_err(|_| protocol(answer, "gives the session no sensible end"))?;
        Ok(GspSession::from_key(reply.session_id, key, expires_at))
    }
}

impl Renewal for GetKey {
    type Session = GspSession;

    fn key(&self) -> &SessionKey {
        &self.key
    }

    fn store(&self) -> &dyn SessionStore {
        &*self.wire.store
    }

    fn seam(&self) -> &Seam {
        &self.wire.seam
    }

    /// A new session owes nothing to the one before.
    async fn renew(&self, _: Option<&GspSession>) -> Result<GspSession, Error> {
        let answer = self.ask().await?;
        match check(&answer, Stage::Outside) {
            Err(error) if error.code() == Some(STALE_STAMP) && self.correct_clock(&answer) => {
                self.open(&self.ask().await?)
            }
            _ => self.open(&answer),
        }
    }

    fn renewed(&self, session: &GspSession) {
        self.wire.handlers.tell(&Event::SessionRefreshed {
            aspid: self.credentials.aspid,
            session_id: session.session_id().to_owned(),
            expires_at: session.expires_at(),
        });
    }

    fn failed(&self, session: &GspSession, error: &Error) {
        let (error, expires_at) = (error.clone(), session.expires_at());
        self.wire.handlers.tell(&Event::RefreshFailed { gstin: None, error, expires_at });
    }

    /// A session with the GSP is never beyond reach.
    fn lost(&self) {}
}

/// `Sun, 22 Nov 2026 04:45:30 GMT`.
fn http_date(text: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_of_an_answer_is_read() {
        let read = http_date("Sun, 22 Nov 2026 04:45:30 GMT").unwrap();
        assert_eq!(read.to_string(), "2026-11-22T04:45:30Z");
        assert!(http_date("2026-11-22").is_none() && http_date("").is_none());
    }
}
