//! ASP secrets: the 32 characters under which GetKey hands out session keys. Sealed, not hashed, for the gateway must
//! encrypt under them. They are changed with an overlap, in which the old and the new one are accepted.

use gstn::crypto::AspSecret;
use gstn::{AspId, Environment, SecretString};
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Row, Transaction, params};

use super::columns::{optional_time, parsed, storable, time};
use super::ids::AspSecretId;
use super::letters::random_letters;
use super::secrets::{open, sealed};
use super::{Registry, asps};
use crate::error::StoreError;
use crate::sealing::{Sealed, SealingKeys};

/// The bytes of an AES-256 key, one character each (gsp.md section 1.3).
const LENGTH: usize = 32;

/// Longer than this nobody needs two secrets.
const LONGEST_OVERLAP: SignedDuration = SignedDuration::from_hours(90 * 24);

/// An ASP secret just made. This is the only time it can be read.
#[derive(Debug)]
pub struct IssuedAspSecret {
    /// By which it is listed.
    pub id: AspSecretId,
    /// Where it is valid.
    pub environment: Environment,
    /// 32 letters and digits: give it to the ASP, keep no copy.
    pub secret: SecretString,
    /// UTC, to the millisecond.
    pub created_at: Timestamp,
    /// From when on the one before it is refused; `None` if there is none, or it is refused already.
    pub previous_until: Option<Timestamp>,
}

/// What the registry can tell of an ASP secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AspSecretRow {
    /// Its number.
    pub id: AspSecretId,
    /// Where it is valid.
    pub environment: Environment,
    /// UTC, to the millisecond.
    pub created_at: Timestamp,
    /// From when on it is refused.
    pub until: Option<Timestamp>,
    /// The latest use that was noted.
    pub last_used_at: Option<Timestamp>,
}

/// An ASP secret as the data plane needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretEntry {
    /// For [`Registry::touch`].
    pub id: AspSecretId,
    /// The secret itself.
    pub secret: AspSecret,
    /// From when on it is refused.
    pub until: Option<Timestamp>,
}

impl Registry {
    /// Makes the ASP a new secret of 32 letters and digits (190 random bits), or its first one. The one before it is
    /// accepted as well for as long as `overlap`; with an overlap of zero it is refused at once, like any older one.
    ///
    /// # Errors
    /// [`StoreError::AspNotFound`]; [`StoreError::InvalidField`] unless `overlap` is 0 to 90 days;
    /// [`StoreError::SecretOverlap`] while an earlier overlap is running, unless `overlap` is zero.
    pub fn rotate_asp_secret(
        &self,
        aspid: &AspId,
        environment: Environment,
        overlap: SignedDuration,
    ) -> Result<IssuedAspSecret, StoreError> {
        check_overlap(overlap)?;
        self.change(|transaction| {
            asps::require(transaction, aspid)?;
            let now = storable(self.0.seam.now());
            let running = running_overlap(transaction, aspid, environment, now)?;
            if let Some(until) = running.filter(|_| !overlap.is_zero()) {
                return Err(StoreError::SecretOverlap { aspid: *aspid, environment, until });
            }
            let until = storable(now.saturating_add(overlap).unwrap_or(Timestamp::MAX));
            let ended = end(transaction, aspid, environment, until)?;
            forget_ended(transaction, aspid, environment, now)?;
            let previous_until = Some(until).filter(|until| ended > 0 && *until > now);
            let (id, secret) = self.insert_asp_secret(transaction, aspid, environment, now)?;
            Ok(IssuedAspSecret { id, environment, secret, created_at: now, previous_until })
        })
    }

    /// Refuses every secret of the ASP but the newest from now on, which ends an overlap. Answers how many were
    /// accepted until now.
    ///
    /// # Errors
    /// [`StoreError::AspNotFound`].
    pub fn retire_asp_secrets(&self, aspid: &AspId, environment: Environment) -> Result<usize, StoreError> {
        self.change(|transaction| {
            asps::require(transaction, aspid)?;
            let now = storable(self.0.seam.now());
            let retired = transaction.execute(
                "UPDATE asp_secret SET until = ?3 WHERE aspid = ?1 AND environment = ?2 AND until > ?3",
                params![aspid.as_str(), environment.as_str(), now.as_millisecond()],
            )?;
            forget_ended(transaction, aspid, environment, now)?;
            Ok(retired)
        })
    }

    /// Every secret the ASP ever had, the oldest first.
    ///
    /// # Errors
    /// [`StoreError::AspNotFound`].
    pub fn asp_secrets(&self, aspid: &AspId) -> Result<Vec<AspSecretRow>, StoreError> {
        let connection = self.connection();
        asps::require(&connection, aspid)?;
        let mut rows = connection.prepare_cached("SELECT * FROM asp_secret WHERE aspid = ?1 ORDER BY id")?;
        Ok(rows.query_map([aspid.as_str()], from_row)?.collect::<Result<_, _>>()?)
    }

    /// Keeps a new secret without an end.
    pub(super) fn insert_asp_secret(
        &self,
        transaction: &Transaction<'_>,
        aspid: &AspId,
        environment: Environment,
        now: Timestamp,
    ) -> Result<(AspSecretId, SecretString), StoreError> {
        self.keep_canary(transaction)?;
        let secret = random_letters(LENGTH, &self.0.seam);
        let sealed = self.0.keys.seal(&purpose(environment, aspid), secret.expose(), &self.0.seam);
        transaction.execute(
            "INSERT INTO asp_secret (aspid, environment, key_id, nonce, ciphertext, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                aspid.as_str(),
                environment.as_str(),
                sealed.key_id,
                sealed.nonce,
                sealed.ciphertext,
                now.as_millisecond()
            ],
        )?;
        Ok((transaction.last_insert_rowid().into(), secret))
    }
}

/// What an ASP secret is sealed for.
fn purpose(environment: Environment, aspid: &AspId) -> String {
    format!("asp-secret:{environment}:{aspid}")
}

/// Whether a secret is accepted at `now`.
pub(super) fn has_live(
    transaction: &Transaction<'_>,
    aspid: &AspId,
    environment: Environment,
    now: Timestamp,
) -> Result<bool, StoreError> {
    Ok(transaction.query_row(
        "SELECT EXISTS (SELECT 1 FROM asp_secret
         WHERE aspid = ?1 AND environment = ?2 AND (until IS NULL OR until > ?3))",
        params![aspid.as_str(), environment.as_str(), now.as_millisecond()],
        |row| row.get(0),
    )?)
}

/// The end of the overlap that is running at `now`, if one is.
fn running_overlap(
    transaction: &Transaction<'_>,
    aspid: &AspId,
    environment: Environment,
    now: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    Ok(transaction.query_row(
        "SELECT max(until) AS until FROM asp_secret WHERE aspid = ?1 AND environment = ?2 AND until > ?3",
        params![aspid.as_str(), environment.as_str(), now.as_millisecond()],
        |row| optional_time(row, "until"),
    )?)
}

/// Ends every secret that would be accepted at `until` or later; answers how many those were.
fn end(
    transaction: &Transaction<'_>,
    aspid: &AspId,
    environment: Environment,
    until: Timestamp,
) -> Result<usize, StoreError> {
    Ok(transaction.execute(
        "UPDATE asp_secret SET until = ?3
         WHERE aspid = ?1 AND environment = ?2 AND (until IS NULL OR until > ?3)",
        params![aspid.as_str(), environment.as_str(), until.as_millisecond()],
    )?)
}

/// Whoever recorded an old `enc_key` shall not find the secret that opens it.
fn forget_ended(
    transaction: &Transaction<'_>,
    aspid: &AspId,
    environment: Environment,
    now: Timestamp,
) -> Result<(), StoreError> {
    transaction.execute(
        "UPDATE asp_secret SET key_id = NULL, nonce = NULL, ciphertext = NULL
         WHERE aspid = ?1 AND environment = ?2 AND until <= ?3 AND key_id IS NOT NULL",
        params![aspid.as_str(), environment.as_str(), now.as_millisecond()],
    )?;
    Ok(())
}

/// Hands every secret that is accepted at `now` or later to `take`, the oldest first, or why it cannot be opened.
pub(super) fn each_live(
    transaction: &Transaction<'_>,
    keys: &SealingKeys,
    now: Timestamp,
    mut take: impl FnMut(AspId, Environment, Result<SecretEntry, StoreError>),
) -> Result<(), StoreError> {
    let mut live = transaction.prepare_cached(
        "SELECT * FROM asp_secret WHERE key_id IS NOT NULL AND (until IS NULL OR until > ?1) ORDER BY id",
    )?;
    let mut rows = live.query([now.as_millisecond()])?;
    while let Some(row) = rows.next()? {
        let (aspid, environment) = (parsed(row, "aspid")?, parsed(row, "environment")?);
        let (id, until) = (row.get::<_, i64>("id")?.into(), optional_time(row, "until")?);
        let secret = opened(keys, purpose(environment, &aspid), &sealed(row)?);
        take(aspid, environment, secret.map(|secret| SecretEntry { id, secret, until }));
    }
    Ok(())
}

fn opened(keys: &SealingKeys, purpose: String, sealed: &Sealed) -> Result<AspSecret, StoreError> {
    let text = open(keys, &purpose, sealed)?;
    AspSecret::try_from_slice(text.expose().as_bytes())
        .map_err(|_| StoreError::DamagedSecret { name: purpose })
}

/// How long two of a kind may be accepted side by side.
pub(super) fn check_overlap(overlap: SignedDuration) -> Result<(), StoreError> {
    if (SignedDuration::ZERO..=LONGEST_OVERLAP).contains(&overlap) {
        return Ok(());
    }
    let reason = "must be 0 to 90 days".to_owned();
    Err(StoreError::InvalidField { field: "overlap", value: format!("{overlap:#}"), reason })
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<AspSecretRow> {
    Ok(AspSecretRow {
        id: row.get::<_, i64>("id")?.into(),
        environment: parsed(row, "environment")?,
        created_at: time(row, "created_at")?,
        until: optional_time(row, "until")?,
        last_used_at: optional_time(row, "last_used_at")?,
    })
}
