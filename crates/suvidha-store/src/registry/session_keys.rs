//! Session keys: the master keys of an environment, from which the key of every GSP session is derived. A ring: one mints
//! new sessions, older ones go on opening theirs until they are retired.

use std::fmt;

use gstn::Environment;
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Row, Transaction, params};
use zeroize::Zeroizing;

use super::Registry;
use super::columns::{optional_time, parsed, storable, time};
use super::secrets::{open, sealed};
use crate::error::StoreError;
use crate::sealing::{Sealed, SealingKeys};

/// So long every gateway knows a new key before it mints: they look at the registry twice a second.
const ANNOUNCED: SignedDuration = SignedDuration::from_secs(10);

/// What the registry can tell of a session key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionKeyRow {
    /// Where it serves.
    pub environment: Environment,
    /// The first byte of the session ids it makes, 1 to 255; never given twice in an environment.
    pub id: u8,
    /// UTC, to the millisecond.
    pub created_at: Timestamp,
    /// From when on it makes the new sessions, unless a newer one does.
    pub mints_from: Timestamp,
    /// When its bytes were wiped.
    pub retired_at: Option<Timestamp>,
    /// What it does now.
    pub state: SessionKeyState,
}

/// What a session key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionKeyState {
    /// It is announced to the gateways and will make the new sessions in a moment.
    Next,
    /// It makes the new sessions.
    Minting,
    /// It opens the sessions it made.
    Accepting,
    /// It is gone, and the sessions it made with it.
    Retired,
}

impl SessionKeyState {
    /// `next`, `minting`, `accepting` or `retired`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Minting => "minting",
            Self::Accepting => "accepting",
            Self::Retired => "retired",
        }
    }
}

impl fmt::Display for SessionKeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A session key as the data plane needs it.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionKey {
    /// The first byte of the session ids it makes.
    pub id: u8,
    /// 32 random bytes; a secret.
    pub key: Zeroizing<[u8; 32]>,
    /// From when on it makes the new sessions, unless a newer one does.
    pub mints_from: Timestamp,
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionKey")
            .field("id", &self.id)
            .field("mints_from", &self.mints_from)
            .finish_non_exhaustive()
    }
}

/// The place in `mints_from` (the times of live keys, the oldest key first) of the key that makes the new sessions: the
/// newest whose time has come, or the oldest, should the clock have gone back.
pub(super) fn minting(mints_from: impl Iterator<Item = Timestamp>, now: Timestamp) -> Option<usize> {
    let mut minting = None;
    for (place, from) in mints_from.enumerate() {
        if place == 0 || from <= now {
            minting = Some(place);
        }
    }
    minting
}

impl Registry {
    /// Makes the first session key of an environment, which mints at once. Does nothing if there is a live one; of
    /// processes that call this at once, one makes it.
    pub fn ensure_session_key(&self, environment: Environment) -> Result<(), StoreError> {
        self.change(|transaction| {
            let now = storable(self.0.seam.now());
            if read(transaction, Some(environment), now)?.iter().all(|row| row.retired_at.is_some()) {
                self.insert_session_key(transaction, environment, now, now)?;
            }
            Ok(())
        })
    }

    /// Every session key there ever was, by environment, the oldest first.
    pub fn session_keys(&self) -> Result<Vec<SessionKeyRow>, StoreError> {
        read(&self.connection().transaction()?, None, self.0.seam.now())
    }

    /// Makes a session key, which mints in ten seconds, when every gateway knows it. Those before it go on opening the
    /// sessions they made.
    ///
    /// # Errors
    /// [`StoreError::SessionKeysUsedUp`] after 255 keys.
    pub fn rotate_session_key(&self, environment: Environment) -> Result<SessionKeyRow, StoreError> {
        self.change(|transaction| {
            let now = storable(self.0.seam.now());
            let mints_from = storable(now.saturating_add(ANNOUNCED).unwrap_or(now));
            let id = self.insert_session_key(transaction, environment, now, mints_from)?;
            row(transaction, environment, id, now)
        })
    }

    /// Wipes a session key, and so ends every session it made. There is no way back but from a backup.
    ///
    /// Retiring twice is no error; the first time stays.
    ///
    /// # Errors
    /// [`StoreError::SessionKeyNotFound`]; [`StoreError::SessionKeyInUse`] when it makes the new sessions.
    pub fn retire_session_key(&self, environment: Environment, id: u8) -> Result<SessionKeyRow, StoreError> {
        let row = self.change(|transaction| {
            let now = storable(self.0.seam.now());
            if row(transaction, environment, id, now)?.state == SessionKeyState::Minting {
                return Err(StoreError::SessionKeyInUse { environment, id });
            }
            transaction.execute(
                "UPDATE session_key SET key_id = NULL, nonce = NULL, ciphertext = NULL, retired_at = ?3
                 WHERE environment = ?1 AND id = ?2 AND retired_at IS NULL",
                params![environment.as_str(), id, now.as_millisecond()],
            )?;
            row(transaction, environment, id, now)
        })?;
        self.empty_log()?;
        Ok(row)
    }

    fn insert_session_key(
        &self,
        transaction: &Transaction<'_>,
        environment: Environment,
        now: Timestamp,
        mints_from: Timestamp,
    ) -> Result<u8, StoreError> {
        self.keep_canary(transaction)?;
        let last: u8 = transaction.query_row(
            "SELECT coalesce(max(id), 0) FROM session_key WHERE environment = ?1",
            [environment.as_str()],
            |row| row.get(0),
        )?;
        let id = last.checked_add(1).ok_or(StoreError::SessionKeysUsedUp { environment })?;
        let bytes: Zeroizing<[u8; 32]> = Zeroizing::new(self.0.seam.random());
        let text = Zeroizing::new(base64_simd::STANDARD.encode_to_string(&bytes[..]));
        let sealed = self.0.keys.seal(&purpose(environment, id), &text, &self.0.seam);
        transaction.execute(
            "INSERT INTO session_key (environment, id, key_id, nonce, ciphertext, created_at, mints_from)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                environment.as_str(),
                id,
                sealed.key_id,
                sealed.nonce,
                sealed.ciphertext,
                now.as_millisecond(),
                mints_from.as_millisecond()
            ],
        )?;
        Ok(id)
    }
}

/// What a session key is sealed for.
fn purpose(environment: Environment, id: u8) -> String {
    format!("session-key:{environment}:{id}")
}

fn row(
    transaction: &Transaction<'_>,
    environment: Environment,
    id: u8,
    now: Timestamp,
) -> Result<SessionKeyRow, StoreError> {
    let mut rows = read(transaction, Some(environment), now)?.into_iter();
    rows.find(|row| row.id == id).ok_or(StoreError::SessionKeyNotFound { environment, id })
}

fn read(
    transaction: &Transaction<'_>,
    only: Option<Environment>,
    now: Timestamp,
) -> Result<Vec<SessionKeyRow>, StoreError> {
    let mut rows = transaction.prepare_cached(
        "SELECT * FROM session_key WHERE ?1 IS NULL OR environment = ?1 ORDER BY environment DESC, id",
    )?;
    let mut rows: Vec<SessionKeyRow> =
        rows.query_map([only.map(Environment::as_str)], from_row)?.collect::<Result<_, _>>()?;
    for environment in Environment::ALL {
        let mut live: Vec<_> = rows
            .iter_mut()
            .filter(|row| row.environment == environment && row.retired_at.is_none())
            .collect();
        let minting = minting(live.iter().map(|row| row.mints_from), now);
        for (place, row) in live.iter_mut().enumerate() {
            row.state = match minting {
                Some(minting) if place == minting => SessionKeyState::Minting,
                Some(minting) if place > minting => SessionKeyState::Next,
                _ => SessionKeyState::Accepting,
            };
        }
    }
    Ok(rows)
}

/// Its state as if it were retired: what a live one does depends on the others.
fn from_row(row: &Row<'_>) -> rusqlite::Result<SessionKeyRow> {
    Ok(SessionKeyRow {
        environment: parsed(row, "environment")?,
        id: row.get("id")?,
        created_at: time(row, "created_at")?,
        mints_from: time(row, "mints_from")?,
        retired_at: optional_time(row, "retired_at")?,
        state: SessionKeyState::Retired,
    })
}

/// The live keys of an environment, the oldest first; those that cannot be opened are told in `unopened` instead.
pub(super) fn live(
    transaction: &Transaction<'_>,
    keys: &SealingKeys,
    environment: Environment,
    unopened: &mut Vec<StoreError>,
) -> Result<Vec<SessionKey>, StoreError> {
    let mut live = transaction.prepare_cached(
        "SELECT * FROM session_key WHERE environment = ?1 AND retired_at IS NULL ORDER BY id",
    )?;
    let mut rows = live.query([environment.as_str()])?;
    let mut live = Vec::new();
    while let Some(row) = rows.next()? {
        let (id, mints_from) = (row.get("id")?, time(row, "mints_from")?);
        match opened(keys, purpose(environment, id), &sealed(row)?) {
            Ok(key) => live.push(SessionKey { id, key, mints_from }),
            Err(error) => unopened.push(error),
        }
    }
    Ok(live)
}

fn opened(keys: &SealingKeys, purpose: String, sealed: &Sealed) -> Result<Zeroizing<[u8; 32]>, StoreError> {
    let text = open(keys, &purpose, sealed)?;
    let mut key = Zeroizing::new([0; 32]);
    let decoded = base64_simd::STANDARD
        .decode(text.expose().as_bytes(), base64_simd::Out::from_slice(&mut key[..]))
        .is_ok_and(|decoded| decoded.len() == 32);
    if decoded { Ok(key) } else { Err(StoreError::DamagedSecret { name: purpose }) }
}
