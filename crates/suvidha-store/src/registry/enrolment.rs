//! Enrolment: the day an ASP gets its secret and its password for an environment, and what becomes of its sessions.

use gstn::{AspId, Environment, SecretString};
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Transaction, params};

use super::columns::{parsed, storable, time};
use super::{Registry, asp_secrets, asps};
use crate::error::StoreError;

/// The shortest and the longest validity of a session, in minutes: 5 minutes to 45 days.
const VALIDITY: std::ops::RangeInclusive<u16> = 5..=64_800;

/// What an ASP was given. This is the only time it can be read.
#[derive(Debug)]
pub struct Enrolment {
    /// Where it is valid.
    pub environment: Environment,
    /// The ASP secret, 32 letters and digits: GetKey's session keys come under it.
    pub secret: SecretString,
    /// The account password, 24 letters and digits.
    pub password: SecretString,
    /// UTC, to the millisecond.
    pub created_at: Timestamp,
}

impl Registry {
    /// Gives an ASP its first secret and password of an environment. What signs its GetKey calls is registered by
    /// [`add_certificate`](Self::add_certificate).
    ///
    /// # Errors
    /// [`StoreError::AspNotFound`]; [`StoreError::AlreadyEnrolled`] if it has a secret or a password there.
    pub fn enrol(&self, aspid: &AspId, environment: Environment) -> Result<Enrolment, StoreError> {
        self.change(|transaction| {
            asps::require(transaction, aspid)?;
            let created_at = storable(self.0.seam.now());
            let has_password = transaction
                .query_row(
                    "SELECT 1 FROM asp_password WHERE aspid = ?1 AND environment = ?2",
                    [aspid.as_str(), environment.as_str()],
                    |_| Ok(()),
                )
                .optional()?
                .is_some();
            if has_password || asp_secrets::has_live(transaction, aspid, environment, created_at)? {
                return Err(StoreError::AlreadyEnrolled { aspid: *aspid, environment });
            }
            let (_, secret) = self.insert_asp_secret(transaction, aspid, environment, created_at)?;
            let password = self.replace_password(transaction, aspid, environment, created_at)?;
            Ok(Enrolment { environment, secret, password, created_at })
        })
    }

    /// How long the ASP's sessions last from now on, in minutes (5 to 64800, which is 45 days); `None` leaves it to the
    /// gateway. Sessions made already last as long as they were told.
    ///
    /// # Errors
    /// [`StoreError::AspNotFound`]; [`StoreError::InvalidField`].
    pub fn set_session_validity(&self, aspid: &AspId, minutes: Option<u16>) -> Result<(), StoreError> {
        if let Some(minutes) = minutes.filter(|minutes| !VALIDITY.contains(minutes)) {
            let reason = "must be 5 to 64800 minutes, which is 45 days".to_owned();
            let value = format!("{minutes} minutes");
            return Err(StoreError::InvalidField { field: "session validity", value, reason });
        }
        self.change(|transaction| {
            asps::require(transaction, aspid)?;
            transaction.execute(
                "UPDATE asp SET session_validity_min = ?2 WHERE aspid = ?1 AND session_validity_min IS NOT ?2",
                params![aspid.as_str(), minutes],
            )?;
            Ok(())
        })
    }

    /// Refuses every session the ASP has now, in one environment or in both. Answers the instant from which on a session
    /// must have been made to be accepted: sessions tell their time in whole seconds, so it is the next full second, and
    /// one made within the current second is refused too. One made since is dated to that instant; so revoking again
    /// before it has come moves it on by a second.
    ///
    /// # Errors
    /// [`StoreError::AspNotFound`].
    pub fn revoke_sessions(
        &self,
        aspid: &AspId,
        environment: Option<Environment>,
    ) -> Result<Timestamp, StoreError> {
        self.change(|transaction| {
            asps::require(transaction, aspid)?;
            let mut latest = next_second(self.0.seam.now());
            let earliest = latest.as_millisecond();
            for environment in
                Environment::ALL.into_iter().filter(|one| environment.is_none_or(|e| e == *one))
            {
                let valid_from = transaction.query_row(
                    "INSERT INTO asp_sessions (aspid, environment, valid_from) VALUES (?1, ?2, ?3)
                     ON CONFLICT DO UPDATE SET valid_from = max(valid_from + 1000, excluded.valid_from)
                     RETURNING valid_from",
                    params![aspid.as_str(), environment.as_str(), earliest],
                    |row| time(row, "valid_from"),
                )?;
                latest = latest.max(valid_from);
            }
            Ok(latest)
        })
    }

    /// The instants before which the ASP's sessions were revoked, for the environments where they were.
    ///
    /// # Errors
    /// [`StoreError::AspNotFound`].
    pub fn sessions_valid_from(&self, aspid: &AspId) -> Result<Vec<(Environment, Timestamp)>, StoreError> {
        let connection = self.connection();
        asps::require(&connection, aspid)?;
        let mut revocations = connection.prepare_cached(
            "SELECT environment, valid_from FROM asp_sessions WHERE aspid = ?1 ORDER BY environment DESC",
        )?;
        let rows = revocations
            .query_map([aspid.as_str()], |row| Ok((parsed(row, "environment")?, time(row, "valid_from")?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn next_second(now: Timestamp) -> Timestamp {
    Timestamp::from_second(now.as_millisecond().div_euclid(1000) + 1).unwrap_or(now)
}

/// Hands every instant from which on sessions are accepted to `take`.
pub(super) fn each_revocation(
    transaction: &Transaction<'_>,
    mut take: impl FnMut(AspId, Environment, Timestamp),
) -> Result<(), StoreError> {
    let mut revocations = transaction.prepare_cached("SELECT * FROM asp_sessions")?;
    let mut rows = revocations.query([])?;
    while let Some(row) = rows.next()? {
        take(parsed(row, "aspid")?, parsed(row, "environment")?, time(row, "valid_from")?);
    }
    Ok(())
}
