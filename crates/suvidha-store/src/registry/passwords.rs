//! Account passwords: made by us, one per ASP and environment, for the utility APIs of the GSP. Kept as SHA-256, which is
//! enough for what nobody chose (see [`SecretHash`]).

use gstn::{AspId, Environment, SecretString};
use jiff::Timestamp;
use rusqlite::{Transaction, params};

use super::columns::{parsed, storable, time};
use super::credentials::{SecretHash, hash};
use super::letters::random_letters;
use super::{Registry, asps};
use crate::error::StoreError;

/// 142 random bits.
const LENGTH: usize = 24;

/// A password just made. This is the only time it can be read.
#[derive(Debug)]
pub struct IssuedPassword {
    /// Where it is valid.
    pub environment: Environment,
    /// 24 letters and digits: give it to the ASP, keep no copy.
    pub password: SecretString,
    /// UTC, to the millisecond.
    pub created_at: Timestamp,
}

/// What the registry can tell of a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordRow {
    /// Where it is valid.
    pub environment: Environment,
    /// UTC, to the millisecond.
    pub created_at: Timestamp,
}

impl Registry {
    /// Makes the ASP a new password of an environment, or its first one. The one before it is refused from now on.
    ///
    /// # Errors
    /// [`StoreError::AspNotFound`].
    pub fn reset_password(
        &self,
        aspid: &AspId,
        environment: Environment,
    ) -> Result<IssuedPassword, StoreError> {
        self.change(|transaction| {
            asps::require(transaction, aspid)?;
            let created_at = storable(self.0.seam.now());
            let password = self.replace_password(transaction, aspid, environment, created_at)?;
            Ok(IssuedPassword { environment, password, created_at })
        })
    }

    /// In which environments the ASP has a password, and since when.
    ///
    /// # Errors
    /// [`StoreError::AspNotFound`].
    pub fn passwords(&self, aspid: &AspId) -> Result<Vec<PasswordRow>, StoreError> {
        let connection = self.connection();
        asps::require(&connection, aspid)?;
        let mut rows = connection
            .prepare_cached("SELECT * FROM asp_password WHERE aspid = ?1 ORDER BY environment DESC")?;
        let rows = rows.query_map([aspid.as_str()], |row| {
            Ok(PasswordRow { environment: parsed(row, "environment")?, created_at: time(row, "created_at")? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    pub(super) fn replace_password(
        &self,
        transaction: &Transaction<'_>,
        aspid: &AspId,
        environment: Environment,
        now: Timestamp,
    ) -> Result<SecretString, StoreError> {
        let password = random_letters(LENGTH, &self.0.seam);
        transaction.execute(
            "INSERT INTO asp_password (aspid, environment, password_hash, created_at) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET password_hash = excluded.password_hash, created_at = excluded.created_at",
            params![
                aspid.as_str(),
                environment.as_str(),
                hash(password.expose()),
                now.as_millisecond()
            ],
        )?;
        Ok(password)
    }
}

/// Hands the hash of every password to `take`.
pub(super) fn each_hash(
    transaction: &Transaction<'_>,
    mut take: impl FnMut(AspId, Environment, SecretHash),
) -> Result<(), StoreError> {
    let mut passwords = transaction.prepare_cached("SELECT * FROM asp_password")?;
    let mut rows = passwords.query([])?;
    while let Some(row) = rows.next()? {
        take(parsed(row, "aspid")?, parsed(row, "environment")?, row.get("password_hash")?);
    }
    Ok(())
}
