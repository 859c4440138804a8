//! Static tokens: issued by us and shown once, or taken over from another GSP; several live per ASP.

use gstn::{AspId, Environment};
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, Transaction};

use super::columns::{optional_time, parsed, storable, time};
use super::credentials::{Kind, NewCredential, SecretHash, hash, imported_fault};
use super::ids::CredentialId;
use super::{Registry, asps, token_format};
use crate::error::StoreError;
use gstn::SecretString;

/// What the operator says of a new token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewToken {
    /// What it is for, 1 to 100 characters.
    pub label: Option<String>,
    /// The instant from which it is refused, in the future; `None` means it does not expire.
    pub expires_at: Option<Timestamp>,
}

/// A token just made. This is the only time it can be read.
#[derive(Debug)]
pub struct IssuedToken {
    /// By which it is listed and revoked.
    pub id: CredentialId,
    /// Where it is valid.
    pub environment: Environment,
    /// The token itself: give it to the ASP, keep no copy.
    pub token: SecretString,
    /// What it is for.
    pub label: Option<String>,
    /// UTC, to the millisecond.
    pub created_at: Timestamp,
    /// From when on it is refused.
    pub expires_at: Option<Timestamp>,
}

/// What the registry can tell of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// By which it is revoked.
    pub id: CredentialId,
    /// Where it is valid.
    pub environment: Environment,
    /// What it is for.
    pub label: Option<String>,
    /// UTC, to the millisecond.
    pub created_at: Timestamp,
    /// From when on it is refused.
    pub expires_at: Option<Timestamp>,
    /// The latest use that was noted.
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl Registry {
    /// Makes a token of 256 random bits for an ASP, valid in one environment. Older ones stay valid.
    ///
    /// # Errors
    /// [`StoreError::AspNotFound`]; [`StoreError::ExpiryInPast`]; [`StoreError::InvalidField`] for the label.
    pub fn issue_token(
        &self,
        aspid: &AspId,
        environment: Environment,
        new: NewToken,
    ) -> Result<IssuedToken, StoreError> {
        let token = token_format::random_token(environment, &self.0.seam);
        let row = self.keep_token(aspid, environment, hash(token.expose()), new)?;
        let TokenRow { id, environment, label, created_at, expires_at, .. } = row;
        Ok(IssuedToken { id, environment, token, label, created_at, expires_at })
    }

    /// Takes over a token that another GSP issued (16 to 512 printable characters), so that its owner need
    /// not change it. Kept as a hash like ours; its strength is what its issuer gave it.
    ///
    /// # Errors
    /// As [`issue_token`](Self::issue_token); [`StoreError::InvalidSecret`] when the token is malformed or
    /// looks like one of ours; [`StoreError::TokenTaken`] when it is known already, even if revoked.
    pub fn import_token(
        &self,
        aspid: &AspId,
        environment: Environment,
        token: &str,
        new: NewToken,
    ) -> Result<TokenRow, StoreError> {
        let fault = if token_format::is_ours(token) {
            Some("begins like one of Suvidha's own; issue a new one instead".to_owned())
        } else {
            imported_fault(token)
        };
        if let Some(reason) = fault {
            return Err(StoreError::InvalidSecret { what: "token", reason });
        }
        self.keep_token(aspid, environment, hash(token), new)
    }

    /// Every token of the ASP, revoked ones too, the oldest first.
    ///
    /// # Errors
    /// [`StoreError::AspNotFound`].
    pub fn tokens(&self, aspid: &AspId) -> Result<Vec<TokenRow>, StoreError> {
        let connection = self.connection();
        asps::require(&connection, aspid)?;
        let mut rows = connection
            .prepare_cached("SELECT * FROM credential WHERE aspid = ?1 AND kind = 'token' ORDER BY id")?;
        Ok(rows.query_map([aspid.as_str()], from_row)?.collect::<Result<_, _>>()?)
    }

    /// Refuses the token from now on, for ever. Revoking twice is no error; the first time stays.
    ///
    /// # Errors
    /// [`StoreError::AspNotFound`]; [`StoreError::CredentialNotFound`] when the ASP has no such token.
    pub fn revoke_token(&self, aspid: &AspId, id: CredentialId) -> Result<(), StoreError> {
        self.revoke(aspid, Kind::Token, id)
    }

    fn keep_token(
        &self,
        aspid: &AspId,
        environment: Environment,
        secret_hash: SecretHash,
        new: NewToken,
    ) -> Result<TokenRow, StoreError> {
        let created_at = storable(self.0.seam.now());
        let NewToken { label, expires_at } = checked(new, created_at)?;
        self.change(|transaction| {
            asps::require(transaction, aspid)?;
            refuse_taken(transaction, &secret_hash)?;
            let new = NewCredential {
                aspid,
                environment,
                label: label.as_deref(),
                client_id: None,
                secret_hash,
                created_at,
                expires_at,
            };
            let id = new.insert(transaction)?;
            Ok(TokenRow {
                id,
                environment,
                label,
                created_at,
                expires_at,
                last_used_at: None,
                revoked_at: None,
            })
        })
    }
}

fn checked(new: NewToken, now: Timestamp) -> Result<NewToken, StoreError> {
    let expires_at = new.expires_at.map(storable);
    if let Some(expires_at) = expires_at.filter(|expires_at| *expires_at <= now) {
        return Err(StoreError::ExpiryInPast { expires_at, now });
    }
    let label = new.label.map(|label| label.trim().to_owned());
    if let Some((value, reason)) =
        label.as_ref().and_then(|label| Some((label.clone(), asps::text_fault(label, 100)?)))
    {
        return Err(StoreError::InvalidField { field: "label", value, reason });
    }
    Ok(NewToken { label, expires_at })
}

fn refuse_taken(transaction: &Transaction<'_>, secret_hash: &SecretHash) -> Result<(), StoreError> {
    let taken = transaction
        .query_row(
            "SELECT id, aspid, environment FROM credential WHERE kind = 'token' AND secret_hash = ?1",
            [secret_hash],
            |row| Ok((row.get::<_, i64>("id")?, parsed(row, "aspid")?, parsed(row, "environment")?)),
        )
        .optional()?;
    match taken {
        Some((id, aspid, environment)) => Err(StoreError::TokenTaken { aspid, id: id.into(), environment }),
        None => Ok(()),
    }
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<TokenRow> {
    Ok(TokenRow {
        id: row.get::<_, i64>("id")?.into(),
        environment: parsed(row, "environment")?,
        label: row.get("label")?,
        created_at: time(row, "created_at")?,
        expires_at: optional_time(row, "expires_at")?,
        last_used_at: optional_time(row, "last_used_at")?,
        revoked_at: optional_time(row, "revoked_at")?,
    })
}
