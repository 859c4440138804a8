//! What tokens and client credentials have in common: an id, an owner, an environment, a hash, an end.

use aws_lc_rs::digest;
use gstn::{AspId, Environment};
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Transaction, params};

use super::ids::CredentialId;
use super::{Registry, asps};
use crate::error::StoreError;

/// SHA-256 of a token or client secret.
///
/// A plain hash is enough for what we issue: 256 random bits cannot be searched for, so slowing the
/// search down would only slow every call down.
pub(super) type SecretHash = [u8; 32];

pub(super) fn hash(secret: &str) -> SecretHash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, secret.as_bytes()).as_ref());
    hash
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Token,
    Client,
}

impl Kind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Client => "client",
        }
    }

    fn for_people(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Client => "client credentials",
        }
    }
}

pub(super) struct NewCredential<'a> {
    pub(super) aspid: &'a AspId,
    pub(super) environment: Environment,
    pub(super) label: Option<&'a str>,
    pub(super) client_id: Option<&'a str>,
    pub(super) secret_hash: SecretHash,
    pub(super) created_at: Timestamp,
    pub(super) expires_at: Option<Timestamp>,
}

impl NewCredential<'_> {
    pub(super) fn insert(&self, transaction: &Transaction<'_>) -> Result<CredentialId, StoreError> {
        let kind = if self.client_id.is_some() { Kind::Client } else { Kind::Token };
        transaction.execute(
            "INSERT INTO credential
             (aspid, environment, kind, label, client_id, secret_hash, created_at, expires_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                self.aspid.as_str(),
                self.environment.as_str(),
                kind.as_str(),
                self.label,
                self.client_id,
                self.secret_hash,
                self.created_at.as_millisecond(),
                self.expires_at.map(Timestamp::as_millisecond),
            ],
        )?;
        Ok(transaction.last_insert_rowid().into())
    }
}

impl Registry {
    /// Revoking twice is revoking once: the first time stays.
    pub(super) fn revoke(&self, aspid: &AspId, kind: Kind, id: CredentialId) -> Result<(), StoreError> {
        let now = self.0.seam.now();
        self.change(|transaction| {
            asps::require(transaction, aspid)?;
            let missing = || StoreError::CredentialNotFound { aspid: *aspid, what: kind.for_people(), id };
            transaction
                .query_row(
                    "SELECT 1 FROM credential WHERE id = ?1 AND aspid = ?2 AND kind = ?3",
                    params![id.as_i64(), aspid.as_str(), kind.as_str()],
                    |_| Ok(()),
                )
                .optional()?
                .ok_or_else(missing)?;
            transaction.execute(
                "UPDATE credential SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL",
                params![id.as_i64(), now.as_millisecond()],
            )?;
            Ok(())
        })
    }
}

/// What is wrong with a credential made elsewhere: what could not travel in a header, or could be guessed.
pub(super) fn imported_fault(secret: &str) -> Option<String> {
    if !(16..=512).contains(&secret.len()) {
        return Some(format!("has {} characters; 16 to 512 are expected", secret.len()));
    }
    if !secret.bytes().all(|c| c.is_ascii_graphic()) {
        return Some("holds a space or a character outside printable ASCII".to_owned());
    }
    let mut characters: Vec<u8> = secret.bytes().collect();
    characters.sort_unstable();
    characters.dedup();
    (characters.len() < 6).then(|| "has fewer than 6 different characters and could be guessed".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_imported_must_travel_and_not_be_guessed() {
        for good in ["a2ceb341-1234-4234-a54f-59d934acba5a", "0123456789abcdef", "l7xx5be2a8b3c1d94e7f"] {
            assert_eq!(imported_fault(good), None, "{good}");
        }
        let long = "abcdef".repeat(100);
        for bad in ["", "0123456789abcde", "0123456789 abcdef", "0123456789abcdé", "0000000000000000", &long]
        {
            assert!(imported_fault(bad).is_some(), "{bad:?}");
        }
    }
}
