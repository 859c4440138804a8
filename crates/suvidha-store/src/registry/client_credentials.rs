//! Client credentials: the `clientid` and `client-secret` that ASPs of older GSPs go on sending.

use gstn::{AspId, Environment};
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::columns::{optional_time, parsed, storable, time};
use super::credentials::{Kind, NewCredential, hash, imported_fault};
use super::ids::CredentialId;
use super::{Registry, asps, token_format};
use crate::error::StoreError;
use gstn::SecretString;

/// A pair just made. This is the only time its secret can be read.
#[derive(Debug)]
pub struct IssuedClientCredentials {
    /// By which it is listed and revoked.
    pub id: CredentialId,
    /// Where it is valid.
    pub environment: Environment,
    /// Sent as `clientid`; no secret.
    pub client_id: String,
    /// Sent as `client-secret`: give it to the ASP, keep no copy.
    pub client_secret: SecretString,
    /// UTC, to the millisecond.
    pub created_at: Timestamp,
}

/// What the registry can tell of a pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCredentialsRow {
    /// By which it is revoked.
    pub id: CredentialId,
    /// Where it is valid.
    pub environment: Environment,
    /// Sent as `clientid`.
    pub client_id: String,
    /// UTC, to the millisecond.
    pub created_at: Timestamp,
    /// The latest use that was noted.
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl Registry {
    /// Gives an ASP a pair, valid in one environment. What is `None` is made at random (the id of 128
    /// bits, the secret of 256); what is given is taken over from another GSP. An id that the ASP has
    /// already gets one more secret, so that a secret can be changed without an outage.
    ///
    /// # Errors
    /// [`StoreError::AspNotFound`]; [`StoreError::InvalidField`] for the id (1 to 128 printable characters);
    /// [`StoreError::InvalidSecret`] (16 to 512); [`StoreError::ClientIdTaken`] when the id is another ASP's;
    /// [`StoreError::ClientCredentialsTaken`] when the very pair exists in that environment.
    pub fn issue_client_credentials(
        &self,
        aspid: &AspId,
        environment: Environment,
        client_id: Option<String>,
        client_secret: Option<SecretString>,
    ) -> Result<IssuedClientCredentials, StoreError> {
        let client_id = match client_id {
            Some(client_id) => checked_id(client_id)?,
            None => format!("{:032x}", u128::from_be_bytes(self.0.seam.random())),
        };
        let client_secret = match client_secret {
            Some(client_secret) => checked_secret(client_secret)?,
            None => token_format::random_text(&self.0.seam),
        };
        let created_at = storable(self.0.seam.now());
        let id = self.change(|transaction| {
            asps::require(transaction, aspid)?;
            let new = NewCredential {
                aspid,
                environment,
                label: None,
                client_id: Some(&client_id),
                secret_hash: hash(client_secret.expose()),
                created_at,
                expires_at: None,
            };
            refuse_taken(transaction, &new, &client_id)?;
            new.insert(transaction)
        })?;
        Ok(IssuedClientCredentials { id, environment, client_id, client_secret, created_at })
    }

    /// Every pair of the ASP, revoked ones too, the oldest first.
    ///
    /// # Errors
    /// [`StoreError::AspNotFound`].
    pub fn client_credentials(&self, aspid: &AspId) -> Result<Vec<ClientCredentialsRow>, StoreError> {
        let connection = self.connection();
        asps::require(&connection, aspid)?;
        let mut rows = connection
            .prepare_cached("SELECT * FROM credential WHERE aspid = ?1 AND kind = 'client' ORDER BY id")?;
        Ok(rows.query_map([aspid.as_str()], from_row)?.collect::<Result<_, _>>()?)
    }

    /// Refuses the pair from now on, for ever. Revoking twice is no error; the first time stays.
    ///
    /// # Errors
    /// [`StoreError::AspNotFound`]; [`StoreError::CredentialNotFound`] when the ASP has no such pair.
    pub fn revoke_client_credentials(&self, aspid: &AspId, id: CredentialId) -> Result<(), StoreError> {
        self.revoke(aspid, Kind::Client, id)
    }
}

fn checked_id(client_id: String) -> Result<String, StoreError> {
    let reason = if !(1..=128).contains(&client_id.len()) {
        "must have 1 to 128 characters"
    } else if !client_id.bytes().all(|c| c.is_ascii_graphic()) {
        "holds a space or a character outside printable ASCII"
    } else {
        return Ok(client_id);
    };
    Err(StoreError::InvalidField { field: "client id", value: client_id, reason: reason.to_owned() })
}

fn checked_secret(client_secret: SecretString) -> Result<SecretString, StoreError> {
    match imported_fault(client_secret.expose()) {
        Some(reason) => Err(StoreError::InvalidSecret { what: "client secret", reason }),
        None => Ok(client_secret),
    }
}

fn refuse_taken(
    transaction: &Transaction<'_>,
    new: &NewCredential<'_>,
    client_id: &str,
) -> Result<(), StoreError> {
    let other = transaction
        .query_row(
            "SELECT aspid FROM credential WHERE kind = 'client' AND client_id = ?1 AND aspid <> ?2 LIMIT 1",
            [client_id, new.aspid.as_str()],
            |row| parsed(row, "aspid"),
        )
        .optional()?;
    if let Some(aspid) = other {
        return Err(StoreError::ClientIdTaken { client_id: client_id.to_owned(), aspid });
    }
    let same = transaction
        .query_row(
            "SELECT id FROM credential
             WHERE kind = 'client' AND client_id = ?1 AND environment = ?2 AND secret_hash = ?3",
            params![client_id, new.environment.as_str(), new.secret_hash],
            |row| row.get::<_, i64>(0),
        )
        .optional()?;
    match same {
        Some(id) => {
            Err(StoreError::ClientCredentialsTaken { client_id: client_id.to_owned(), id: id.into() })
        }
        None => Ok(()),
    }
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<ClientCredentialsRow> {
    Ok(ClientCredentialsRow {
        id: row.get::<_, i64>("id")?.into(),
        environment: parsed(row, "environment")?,
        client_id: row.get("client_id")?,
        created_at: time(row, "created_at")?,
        last_used_at: optional_time(row, "last_used_at")?,
        revoked_at: optional_time(row, "revoked_at")?,
    })
}
