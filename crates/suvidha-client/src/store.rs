//! Where sessions are kept between calls, and between runs of a program.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use gstn::{AspId, Gstin};
use tokio::sync::Mutex as AsyncMutex;

use crate::session::StoredSession;

/// Why a store failed, in its own words. It must not hold a secret: it is shown.
pub type StoreError = Box<dyn std::error::Error + Send + Sync>;

/// What a store answers with, sooner or later.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Held while a session is renewed; dropping it lets others go on.
pub type Lease = Box<dyn Any + Send>;

/// Keeps sessions. [`MemoryStore`] and [`FileStore`](crate::FileStore) are given; an application that has a database
/// writes its own.
///
/// No call is sent with a session that the store does not hold: each is saved before it is used. A store that fails makes
/// the call fail with [`Error::Store`](crate::Error::Store), before anything of it is sent. A session that was got and
/// could not be saved is not lost: it stays in memory, and the next call tries to save it again.
///
/// The store is asked when a session is first needed, and again when it is about to end or has died: what another process
/// has put there meanwhile is taken over. In between, calls go by what is in memory.
///
/// # A store of one's own
/// Three methods, and a table with a key, a text and an end. What [`StoredSession::to_json`] gives holds secrets: encrypt
/// it, or guard the table as you guard passwords.
///
/// ```
/// use std::collections::BTreeMap;
/// use std::sync::Mutex;
///
/// use suvidha_client::{Credentials, Gsp, SecretString, SessionKey, SessionStore, StoreFuture, StoredSession, Timestamp};
///
/// /// A table `session(key text primary key, session text, expires_at timestamp)`.
/// #[derive(Default)]
/// struct Database {
///     rows: Mutex<BTreeMap<String, (SecretString, Timestamp)>>,
/// }
///
/// impl SessionStore for Database {
///     fn load<'a>(&'a self, key: &'a SessionKey) -> StoreFuture<'a, Option<StoredSession>> {
///         Box::pin(async move {
///             let rows = self.rows.lock().map_err(|_| "the database is down")?;
///             let row = rows.get(&key.to_string());
///             Ok(row.map(|(session, _)| StoredSession::from_json(session.expose())).transpose()?)
///         })
///     }
///
///     fn save<'a>(&'a self, key: &'a SessionKey, session: &'a StoredSession) -> StoreFuture<'a, ()> {
///         Box::pin(async move {
///             let mut rows = self.rows.lock().map_err(|_| "the database is down")?;
///             rows.insert(key.to_string(), (session.to_json(), session.expires_at()));
///             // The parts, for a table that has columns of its own for them:
///             if let StoredSession::Gsp(session) = session {
///                 println!("{} is good until {}", session.session_id(), session.expires_at());
///             }
///             Ok(())
///         })
///     }
///
///     fn remove<'a>(&'a self, key: &'a SessionKey) -> StoreFuture<'a, ()> {
///         Box::pin(async move {
///             self.rows.lock().map_err(|_| "the database is down")?.remove(&key.to_string());
///             Ok(())
///         })
///     }
/// }
///
/// # fn main() -> Result<(), suvidha_client::Error> {
/// let gsp = Gsp::builder("https://gsp.example.in")
///     .credentials(Credentials::token("svd_…".replace('…', "example")))
///     .session_store(Database::default())
///     .build()?;
/// # Ok(())
/// # }
/// ```
pub trait SessionStore: Send + Sync + 'static {
    /// The session of `key`, or none. An ended one may be given or not.
    fn load<'a>(&'a self, key: &'a SessionKey) -> StoreFuture<'a, Option<StoredSession>>;

    /// Keeps `session`, in place of an earlier one of `key`, whole or not at all.
    fn save<'a>(&'a self, key: &'a SessionKey, session: &'a StoredSession) -> StoreFuture<'a, ()>;

    /// Forgets the session of `key`; that there is none is no error.
    fn remove<'a>(&'a self, key: &'a SessionKey) -> StoreFuture<'a, ()>;

    /// Waits until nobody else who shares the store renews the session of `key`, and keeps them from it until the lease is
    /// dropped (in a database: an advisory lock, or a row with an end). Whoever waited finds the new session in the store.
    ///
    /// As it stands here it keeps nobody from anything. That is enough where one process uses the store; where several
    /// do, two of them may refresh a taxpayer's token at once, and the one that GSTN refuses may be told that an OTP is
    /// needed before the other has saved.
    fn lease<'a>(&'a self, key: &'a SessionKey) -> StoreFuture<'a, Lease> {
        let _ = key;
        Box::pin(async { Ok(Box::new(()) as Lease) })
    }
}

/// Whose session it is. As text it is a key that no other session has.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SessionKey {
    /// An ASP's, with the GSP at an address.
    #[non_exhaustive]
    Gsp {
        /// The gateway's address: each environment has its own.
        gateway: String,
        /// The ASP.
        aspid: AspId,
    },
    /// A taxpayer's, through the GSP at an address.
    #[non_exhaustive]
    Taxpayer {
        /// The gateway's address: each environment has its own.
        gateway: String,
        /// The taxpayer.
        gstin: Gstin,
        /// The taxpayer's user name at the GST portal.
        username: String,
    },
}

impl SessionKey {
    /// The key of an ASP's session, as a [`Gsp`](crate::Gsp) at that address makes it: for the tests of a store.
    pub fn gsp(gateway: impl Into<String>, aspid: AspId) -> Self {
        Self::Gsp { gateway: gateway.into(), aspid }
    }

    /// The key of a taxpayer's session, as a [`Gsp`](crate::Gsp) at that address makes it: for the tests of a store.
    pub fn taxpayer(gateway: impl Into<String>, gstin: Gstin, username: impl Into<String>) -> Self {
        Self::Taxpayer { gateway: gateway.into(), gstin, username: username.into() }
    }
}

/// `https://gsp.example.in gsp 7857622155`, or `https://gsp.example.in taxpayer 33AANCS2882A1ZG TN_NT2.2265`.
impl fmt::Display for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gsp { gateway, aspid } => write!(f, "{gateway} gsp {aspid}"),
            Self::Taxpayer { gateway, gstin, username } => write!(f, "{gateway} taxpayer {gstin} {username}"),
        }
    }
}

impl<S: SessionStore + ?Sized> SessionStore for Arc<S> {
    fn load<'a>(&'a self, key: &'a SessionKey) -> StoreFuture<'a, Option<StoredSession>> {
        (**self).load(key)
    }

    fn save<'a>(&'a self, key: &'a SessionKey, session: &'a StoredSession) -> StoreFuture<'a, ()> {
        (**self).save(key, session)
    }

    fn remove<'a>(&'a self, key: &'a SessionKey) -> StoreFuture<'a, ()> {
        (**self).remove(key)
    }

    fn lease<'a>(&'a self, key: &'a SessionKey) -> StoreFuture<'a, Lease> {
        (**self).lease(key)
    }
}

/// Keeps sessions as long as the program runs. What a [`Gsp`](crate::Gsp) has unless it is given another.
#[derive(Default)]
pub struct MemoryStore {
    sessions: Mutex<HashMap<SessionKey, StoredSession>>,
    leases: Mutex<HashMap<SessionKey, Arc<AsyncMutex<()>>>>,
}

impl MemoryStore {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner).len();
        f.debug_struct("MemoryStore").field("sessions", &sessions).finish()
    }
}

impl SessionStore for MemoryStore {
    fn load<'a>(&'a self, key: &'a SessionKey) -> StoreFuture<'a, Option<StoredSession>> {
        let found = self.sessions.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned();
        Box::pin(async { Ok(found) })
    }

    fn save<'a>(&'a self, key: &'a SessionKey, session: &'a StoredSession) -> StoreFuture<'a, ()> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), session.clone());
        Box::pin(async { Ok(()) })
    }

    fn remove<'a>(&'a self, key: &'a SessionKey) -> StoreFuture<'a, ()> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        Box::pin(async { Ok(()) })
    }

    fn lease<'a>(&'a self, key: &'a SessionKey) -> StoreFuture<'a, Lease> {
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        let lease = Arc::clone(leases.entry(key.clone()).or_default());
        drop(leases);
        Box::pin(async move { Ok(Box::new(lease.lock_owned().await) as Lease) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_sessions_have_one_key() {
        let gstin = "33AANCS2882A1ZG".parse().unwrap();
        let taxpayer = |gateway: &str, username: &str| SessionKey::taxpayer(gateway, gstin, username);
        let gsp = SessionKey::gsp("https://a", "7857622155".parse().unwrap());
        let all = [
            gsp,
            taxpayer("https://a", "x"),
            taxpayer("https://a", "X"),
            taxpayer("https://b", "x"),
            taxpayer("https://a", "x y"),
        ];
        let mut texts: Vec<_> = all.iter().map(ToString::to_string).collect();
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), all.len(), "{texts:?}");
    }
}
