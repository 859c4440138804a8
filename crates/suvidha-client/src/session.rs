//! The sessions an application lives on: the ASP's with the GSP, and each taxpayer's with GSTN.

use gstn::crypto::{AppKey, AspEk, Sek, base64};
use gstn::{Gstin, SecretString};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::error::Error;
use crate::store::SessionKey;

/// A taxpayer's session at GSTN: the `auth-token`, and the keys under which its calls travel.
///
/// It lives until [`expires_at`](Self::expires_at) (six hours at GSTN) and is prolonged before that by itself, as long as
/// the taxpayer's consent lasts (up to 30 days).
#[derive(Debug, Clone)]
pub struct Session {
    pub(crate) gstin: Gstin,
    pub(crate) username: String,
    pub(crate) auth_token: SecretString,
    pub(crate) app_key: AppKey,
    pub(crate) sek: Sek,
    pub(crate) issued_at: Timestamp,
    pub(crate) expires_at: Timestamp,
}

impl Session {
    /// The taxpayer.
    pub fn gstin(&self) -> &Gstin {
        &self.gstin
    }

    /// The taxpayer's user name at the GST portal.
    pub fn username(&self) -> &str {
        &self.username
    }

    /// When GSTN will stop taking the `auth-token`, UTC.
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }
}

/// An ASP's session with its GSP, as GetKey gives it: an id, and the key under which the ASP secret travels.
#[derive(Debug, Clone)]
pub struct GspSession {
    session_id: String,
    key: AspEk,
    expires_at: Timestamp,
}

impl GspSession {
    /// A session made elsewhere, or kept in columns of one's own: its id, its key of 32 bytes in base64, and when it
    /// ends, UTC.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the key is no base64 of 32 bytes.
    pub fn new(
        session_id: impl Into<String>,
        key_base64: &str,
        expires_at: Timestamp,
    ) -> Result<Self, Error> {
        let key = key(key_base64, AspEk::try_from_slice);
        let key = key.ok_or_else(|| Error::Invalid("a session key is base64 of 32 bytes".to_owned()))?;
        Ok(Self::from_key(session_id.into(), key, expires_at))
    }

    pub(crate) fn from_key(session_id: String, key: AspEk, expires_at: Timestamp) -> Self {
        Self { session_id, key, expires_at }
    }

    /// The id, which goes with every call.
    pub fn session_id(&self) -> &str {
        &self.session_id
    }

    /// The key, in base64. A secret.
    pub fn key_base64(&self) -> SecretString {
        SecretString::from(base64::encode(self.key.as_bytes()))
    }

    pub(crate) fn key(&self) -> &AspEk {
        &self.key
    }

    /// When the gateway will stop taking it, UTC.
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }
}

/// A session as a [`SessionStore`](crate::SessionStore) keeps it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum StoredSession {
    /// The ASP's, with the GSP.
    Gsp(GspSession),
    /// A taxpayer's, at GSTN.
    Taxpayer(Session),
}

impl StoredSession {
    /// When it ends, UTC. A store may forget it then.
    pub fn expires_at(&self) -> Timestamp {
        match self {
            Self::Gsp(session) => session.expires_at,
            Self::Taxpayer(session) => session.expires_at,
        }
    }

    /// Everything that [`from_json`](Self::from_json) needs, keys and token included: keep it as you keep passwords.
    pub fn to_json(&self) -> SecretString {
        SecretString::from(self.written().to_json())
    }

    fn written(&self) -> Written {
        match self {
            Self::Gsp(session) => Written::Gsp {
                session_id: session.session_id.clone(),
                key: base64::encode(session.key.as_bytes()),
                expires_at: session.expires_at,
            },
            Self::Taxpayer(session) => Written::Taxpayer {
                gstin: session.gstin.as_str().to_owned(),
                username: session.username.clone(),
                auth_token: session.auth_token.expose().to_owned(),
                app_key: base64::encode(session.app_key.as_bytes()),
                sek: base64::encode(session.sek.as_bytes()),
                issued_at: session.issued_at,
                expires_at: session.expires_at,
            },
        }
    }

    /// Reads what [`to_json`](Self::to_json) wrote, of this version of the library or an earlier one.
    ///
    /// # Errors
    /// [`Error::Invalid`] for anything else. The text is not repeated.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        let read = serde_json::from_str::<Written>(text).ok().and_then(|written| written.read());
        read.ok_or_else(|| {
            Error::Invalid("not a session as this version of suvidha-client writes it".to_owned())
        })
    }
}

/// More than the JSON of a session has beside its texts: names, keys, times and GSTIN.
const KEYS_AND_NAMES: usize = 512;

/// The JSON of a session. Keys are base64 of 32 bytes; times are RFC 3339 in UTC.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Written {
    Gsp {
        session_id: String,
        key: String,
        expires_at: Timestamp,
    },
    Taxpayer {
        gstin: String,
        username: String,
        auth_token: String,
        app_key: String,
        sek: String,
        issued_at: Timestamp,
        expires_at: Timestamp,
    },
}

impl Written {
    /// In one piece of memory from the start: one that grew would leave copies of the keys behind.
    fn to_json(&self) -> String {
        let texts = match self {
            Self::Gsp { session_id, .. } => session_id.len(),
            Self::Taxpayer { username, auth_token, .. } => username.len() + auth_token.len(),
        };
        // No character takes more than six times its place, and all else has its length.
        let mut json = Vec::with_capacity(KEYS_AND_NAMES + 6 * texts);
        // Into memory and of plain texts: it cannot fail.
        let _ = serde_json::to_writer(&mut json, self);
        String::from_utf8(json).unwrap_or_default()
    }

    fn read(&self) -> Option<StoredSession> {
        Some(match self {
            Self::Gsp { session_id, key: text, expires_at } => {
                let key = key(text, AspEk::try_from_slice)?;
                StoredSession::Gsp(GspSession::from_key(session_id.clone(), key, *expires_at))
            }
            Self::Taxpayer { gstin, username, auth_token, app_key, sek, issued_at, expires_at } => {
                StoredSession::Taxpayer(Session {
                    gstin: Gstin::parse_lenient(gstin).ok()?,
                    username: username.clone(),
                    auth_token: SecretString::from(auth_token.as_str()),
                    app_key: key(app_key, AppKey::try_from_slice)?,
                    sek: key(sek, Sek::try_from_slice)?,
                    issued_at: *issued_at,
                    expires_at: *expires_at,
                })
            }
        })
    }
}

/// A key of 32 bytes in base64; none if it is anything else.
pub(crate) fn key<K, E>(base64: &str, read: impl Fn(&[u8]) -> Result<K, E>) -> Option<K> {
    read(&Zeroizing::new(base64::decode_strict(base64).ok()?)).ok()
}

impl Drop for Written {
    fn drop(&mut self) {
        match self {
            Self::Gsp { key, .. } => key.zeroize(),
            Self::Taxpayer { auth_token, app_key, sek, .. } => {
                [auth_token, app_key, sek].into_iter().for_each(Zeroize::zeroize);
            }
        }
    }
}

/// What keeping a session alive must know of it.
pub(crate) trait Kept: Clone + Send + Sync + 'static {
    /// What tells it from the one before.
    fn id(&self) -> &str;
    fn expires_at(&self) -> Timestamp;
    /// How long before its end it is renewed at the latest.
    fn margin(&self, now: Timestamp) -> SignedDuration;
    fn stored(&self) -> StoredSession;
    /// None if it is no session of `key`.
    fn from_stored(stored: StoredSession, key: &SessionKey) -> Option<Self>;
}

impl Kept for GspSession {
    fn id(&self) -> &str {
        &self.session_id
    }

    fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// Five minutes, or a tenth of what is left: some GSPs give only minutes.
    fn margin(&self, now: Timestamp) -> SignedDuration {
        (self.expires_at.duration_since(now) / 10).min(SignedDuration::from_mins(5))
    }

    fn stored(&self) -> StoredSession {
        StoredSession::Gsp(self.clone())
    }

    fn from_stored(stored: StoredSession, _: &SessionKey) -> Option<Self> {
        match stored {
            StoredSession::Gsp(session) => Some(session),
            StoredSession::Taxpayer(_) => None,
        }
    }
}

impl Kept for Session {
    fn id(&self) -> &str {
        self.auth_token.expose()
    }

    fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// Ten minutes, or a tenth of its whole life. Not of what is left: once it has ended nobody can renew it, so a
    /// program that runs now and then must do so whenever it finds it near its end.
    fn margin(&self, _: Timestamp) -> SignedDuration {
        (self.expires_at.duration_since(self.issued_at) / 10).min(SignedDuration::from_mins(10))
    }

    fn stored(&self) -> StoredSession {
        StoredSession::Taxpayer(self.clone())
    }

    fn from_stored(stored: StoredSession, key: &SessionKey) -> Option<Self> {
        match (stored, key) {
            (StoredSession::Taxpayer(session), SessionKey::Taxpayer { gstin, username, .. }) => {
                Some(session).filter(|session| (&session.gstin, &session.username) == (gstin, username))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn taxpayer_session() -> Session {
        Session {
            gstin: "33AANCS2882A1ZG".parse().unwrap(),
            username: "TN_NT2.2265".to_owned(),
            auth_token: "hidden-auth".into(),
            app_key: AppKey::from_bytes([1; 32]),
            sek: Sek::from_bytes([2; 32]),
            issued_at: "2026-11-22T04:15:30Z".parse().unwrap(),
            expires_at: "2026-11-22T10:15:30Z".parse().unwrap(),
        }
    }

    pub(crate) fn gsp_session() -> GspSession {
        let key = base64::encode([3; 32]);
        GspSession::new("session-1", &key, "2026-11-22T10:15:30Z".parse().unwrap()).unwrap()
    }

    #[test]
    fn a_session_survives_its_json() {
        for session in [StoredSession::Gsp(gsp_session()), StoredSession::Taxpayer(taxpayer_session())] {
            let json = session.to_json();
            let read = StoredSession::from_json(json.expose()).unwrap();
            assert_eq!(read.to_json().expose(), json.expose());
            assert_eq!(read.expires_at(), session.expires_at());
        }
    }

    #[test]
    fn no_copy_of_a_secret_is_left_behind_when_it_is_written() {
        let username = "\u{1}\"\u{7f}é".repeat(200);
        let taxpayer =
            Session { username, auth_token: "t".repeat(900).as_str().into(), ..taxpayer_session() };
        let gsp = GspSession { session_id: "\u{2}".repeat(500), ..gsp_session() };
        for session in [StoredSession::Taxpayer(taxpayer), StoredSession::Gsp(gsp)] {
            let json = session.written().to_json();
            let texts = match &session {
                StoredSession::Gsp(session) => session.session_id.len(),
                StoredSession::Taxpayer(session) => {
                    session.username.len() + session.auth_token.expose().len()
                }
            };
            assert_eq!(json.capacity(), KEYS_AND_NAMES + 6 * texts, "it did not grow");
            assert_eq!(StoredSession::from_json(&json).unwrap().to_json().expose(), json);
        }
    }

    #[test]
    fn what_is_no_session_is_refused_and_not_repeated() {
        let whole = StoredSession::Taxpayer(taxpayer_session()).to_json();
        let whole = whole.expose();
        let short_key = whole.replace(&base64::encode([2; 32]), "aGlkZGVu");
        for damaged in [&whole[..whole.len() / 2], "", "[]", "{\"kind\":\"other\"}", &short_key] {
            let error = StoredSession::from_json(damaged).unwrap_err();
            assert!(matches!(error, Error::Invalid(_)) && !error.to_string().contains("hidden"), "{error}");
        }
        assert!(GspSession::new("id", "c2hvcnQ=", Timestamp::UNIX_EPOCH).is_err());
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!("{:#?} {:#?}", gsp_session(), taxpayer_session());
        let keys = [[1; 32], [2; 32], [3; 32]].map(base64::encode);
        assert!(!shown.contains("hidden") && !keys.iter().any(|key| shown.contains(key)), "{shown}");
    }

    #[test]
    fn a_session_is_renewed_early_enough_but_not_for_most_of_its_life() {
        let session = taxpayer_session();
        let minutes = |margin: SignedDuration| margin.as_secs() / 60;
        assert_eq!(minutes(session.margin(session.issued_at)), 10);
        let short = Session { expires_at: "2026-11-22T04:45:30Z".parse().unwrap(), ..session };
        assert_eq!(minutes(short.margin(short.issued_at)), 3);
        let session = gsp_session();
        assert_eq!(minutes(session.margin("2026-11-22T04:15:30Z".parse().unwrap())), 5);
        assert_eq!(minutes(session.margin("2026-11-22T09:55:30Z".parse().unwrap())), 2);
    }
}
