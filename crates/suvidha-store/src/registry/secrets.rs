//! Secrets that must be recoverable: sealed under the key ring, stored beside the id of their key.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::Registry;
use crate::error::StoreError;
use crate::sealing::{Sealed, SealingKeys, Unopened};
use gstn::SecretString;

/// The text of every canary. What counts is that it opens.
const CANARY: &str = "suvidha";

/// Every table with sealed texts, and what each of its rows is sealed for, in SQL.
const SEALED: [(&str, &str); 3] = [
    ("secret", "name"),
    ("asp_secret", "'asp-secret:' || environment || ':' || aspid"),
    ("session_key", "'session-key:' || environment || ':' || id"),
];

impl Registry {
    /// Seals `secret` and keeps it under `name`, such as `gstn/sandbox/client-secret`, in place of an
    /// earlier one.
    ///
    /// # Errors
    /// [`StoreError::InvalidField`] when the name is not 1 to 100 of `a-z`, `0-9`, `/`, `-`, `_`, `.`.
    pub fn put_secret(&self, name: &str, secret: &str) -> Result<(), StoreError> {
        check_name(name)?;
        let sealed = self.0.keys.seal(name, secret, &self.0.seam);
        let now = self.0.seam.now();
        self.change(|transaction| {
            self.keep_canary(transaction)?;
            transaction.execute(
                "INSERT INTO secret (name, key_id, nonce, ciphertext, updated_at) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (name) DO UPDATE SET key_id = excluded.key_id, nonce = excluded.nonce,
                 ciphertext = excluded.ciphertext, updated_at = excluded.updated_at",
                params![name, sealed.key_id, sealed.nonce, sealed.ciphertext, now.as_millisecond()],
            )?;
            Ok(())
        })
    }

    /// Opens the secret kept under `name`, if there is one.
    ///
    /// # Errors
    /// [`StoreError::MissingSealingKey`] when another process has sealed it under a key that this one was
    /// not started with; [`StoreError::DamagedSecret`] when it was altered.
    pub fn secret(&self, name: &str) -> Result<Option<SecretString>, StoreError> {
        let sealed = self
            .connection()
            .prepare_cached("SELECT key_id, nonce, ciphertext FROM secret WHERE name = ?1")?
            .query_row([name], sealed)
            .optional()?;
        sealed.map(|sealed| open(&self.0.keys, name, &sealed)).transpose()
    }

    /// Forgets the secret kept under `name`.
    ///
    /// # Errors
    /// [`StoreError::SecretNotFound`].
    pub fn delete_secret(&self, name: &str) -> Result<(), StoreError> {
        self.change(|transaction| {
            match transaction.execute("DELETE FROM secret WHERE name = ?1", [name])? {
                0 => Err(StoreError::SecretNotFound(name.to_owned())),
                _ => Ok(()),
            }
        })
    }

    /// Seals every secret anew under the first key of the ring, after which the others may leave it: those that
    /// have names, the ASPs' and the session keys. Answers how many secrets were sealed under another key before.
    ///
    /// So a key is changed: put the new one first in the ring, restart whatever has the registry open,
    /// call this, take the old one out.
    ///
    /// # Errors
    /// As [`secret`](Self::secret); then nothing is changed.
    pub fn reseal_secrets(&self) -> Result<usize, StoreError> {
        self.change(|transaction| {
            self.keep_canary(transaction)?;
            let mut count = 0;
            for (table, purpose) in SEALED {
                count += self.reseal_table(transaction, table, purpose)?;
            }
            transaction.execute("DELETE FROM sealing_key WHERE key_id <> ?1", [self.0.keys.sealing_id()])?;
            Ok(count)
        })
    }

    fn reseal_table(
        &self,
        transaction: &Transaction<'_>,
        table: &str,
        purpose: &str,
    ) -> Result<usize, StoreError> {
        let keys = &self.0.keys;
        let mut stale = transaction.prepare(&format!(
            "SELECT key_id, nonce, ciphertext, rowid AS row, {purpose} AS purpose FROM {table} WHERE key_id <> ?1"
        ))?;
        let stale = stale
            .query_map([keys.sealing_id()], |row| {
                Ok((row.get::<_, i64>("row")?, row.get::<_, String>("purpose")?, sealed(row)?))
            })?
            .collect::<Result<Vec<_>, _>>()?;
        let mut update = transaction.prepare(&format!(
            "UPDATE {table} SET key_id = ?2, nonce = ?3, ciphertext = ?4 WHERE rowid = ?1"
        ))?;
        for (row, purpose, old) in &stale {
            let new = keys.seal(purpose, open(keys, purpose, old)?.expose(), &self.0.seam);
            update.execute(params![row, new.key_id, new.nonce, new.ciphertext])?;
        }
        Ok(stale.len())
    }

    /// Opens the canary of every key in use, so that a wrong key is found before anything relies on it,
    /// and leaves one of the key that will seal.
    pub(super) fn check_sealing_keys(&self) -> Result<(), StoreError> {
        self.change(|transaction| {
            for canary in canaries(transaction)? {
                let text = self.0.keys.open(&canary_purpose(&canary.key_id), &canary);
                match text.as_deref().map(String::as_str) {
                    Ok(CANARY) => {}
                    Err(Unopened::NoSuchKey) => return Err(missing_key(&self.0.keys, canary.key_id)),
                    _ => return Err(StoreError::WrongSealingKey { expected: canary.key_id }),
                }
            }
            self.keep_canary(transaction)
        })
    }

    /// Leaves a canary of the key that seals. To be called in every change that seals something.
    pub(super) fn keep_canary(&self, transaction: &Transaction<'_>) -> Result<(), StoreError> {
        let canary = self.0.keys.seal(&canary_purpose(self.0.keys.sealing_id()), CANARY, &self.0.seam);
        transaction.execute(
            "INSERT OR IGNORE INTO sealing_key (key_id, nonce, ciphertext) VALUES (?1, ?2, ?3)",
            params![canary.key_id, canary.nonce, canary.ciphertext],
        )?;
        Ok(())
    }
}

/// Opens what is kept for the purpose `name`, or says why it cannot be.
pub(super) fn open(keys: &SealingKeys, name: &str, sealed: &Sealed) -> Result<SecretString, StoreError> {
    match keys.open(name, sealed) {
        Ok(text) => Ok(SecretString::from(text.as_str())),
        Err(Unopened::NoSuchKey) => Err(missing_key(keys, sealed.key_id.clone())),
        Err(Unopened::Refused) => Err(StoreError::DamagedSecret { name: name.to_owned() }),
    }
}

fn missing_key(keys: &SealingKeys, expected: String) -> StoreError {
    StoreError::MissingSealingKey { expected, offered: keys.ids().map(str::to_owned).collect() }
}

/// No secret's name holds a `:`, so nothing sealed for another purpose can be passed off as one.
fn canary_purpose(key_id: &str) -> String {
    format!("canary:{key_id}")
}

fn canaries(connection: &Connection) -> Result<Vec<Sealed>, StoreError> {
    let mut canaries =
        connection.prepare("SELECT key_id, nonce, ciphertext FROM sealing_key ORDER BY key_id")?;
    Ok(canaries.query_map([], sealed)?.collect::<Result<_, _>>()?)
}

pub(super) fn sealed(row: &Row<'_>) -> rusqlite::Result<Sealed> {
    Ok(Sealed { key_id: row.get("key_id")?, nonce: row.get("nonce")?, ciphertext: row.get("ciphertext")? })
}

fn check_name(name: &str) -> Result<(), StoreError> {
    let of_name =
        |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'/' | b'-' | b'_' | b'.');
    if (1..=100).contains(&name.len()) && name.bytes().all(of_name) {
        return Ok(());
    }
    let reason = "must be 1 to 100 of a-z, 0-9, `/`, `-`, `_` and `.`".to_owned();
    Err(StoreError::InvalidField { field: "secret name", value: name.to_owned(), reason })
}
