//! Credits: what an ASP on a prepaid plan bought. A mistake is taken back by another row, so that every change is on record.
//!
//! There is one sum and one date for an ASP and environment. A top-up adds to the sum and moves the date; after the date
//! nothing of the sum can be used, and the next top-up revives what was left.

use gstn::{AspId, Environment};
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Row, Transaction, params};

use super::columns::{optional_time, parsed, storable, time};
use super::{Registry, asps};
use crate::error::StoreError;

/// What the operator says of a top-up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TopUp {
    /// How many units it adds; below zero takes units back. At most 10^9 at once. 0 moves the expiry alone.
    pub units: i64,
    /// The instant from which on none of the credit can be used, in the future and within ten years. A take-back may do
    /// without: then the expiry stays.
    pub expires_at: Option<Timestamp>,
    /// What it is for, such as the number of an invoice; 1 to 200 characters.
    pub note: Option<String>,
}

/// A top-up or take-back as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreditRow {
    /// Numbered over all ASPs, in the order of their making.
    pub id: i64,
    /// How many units were added; below zero if they were taken back.
    pub units: i64,
    /// To what it moved the expiry; `None` where it left it.
    pub expires_at: Option<Timestamp>,
    /// What it is for.
    pub note: Option<String>,
    /// UTC, to the millisecond.
    pub created_at: Timestamp,
}

/// The most units of one top-up or take-back.
const MOST_UNITS: i64 = 1_000_000_000;

/// The most units of all top-ups together: it is told in JSON, whose readers may know numbers only up to 2^53.
const MOST_TOPPED_UP: i64 = 1_000_000_000_000_000;

/// No expiry is later than this from now: ten years and the leap days in between.
const FARTHEST_EXPIRY: SignedDuration = SignedDuration::from_hours(24 * 3653);

impl Registry {
    /// Adds units to an ASP's credit and moves its expiry, or takes units back.
    ///
    /// # Errors
    /// [`StoreError::AspNotFound`]; [`StoreError::ExpiryInPast`]; [`StoreError::InvalidField`] where it is not as [`TopUp`]
    /// says, or the sum of all top-ups would pass 10^15; [`StoreError::CreditTakenBack`] when more is taken back than was
    /// ever topped up.
    pub fn top_up(
        &self,
        aspid: &AspId,
        environment: Environment,
        top_up: TopUp,
    ) -> Result<CreditRow, StoreError> {
        let created_at = storable(self.0.seam.now());
        let TopUp { units, expires_at, note } = checked(top_up, created_at)?;
        self.change(|transaction| {
            asps::require(transaction, aspid)?;
            let mut topped_up = 0;
            each_sum(transaction, Some((aspid, environment)), |_, _, sum, _| topped_up = sum)?;
            check_sum(aspid, environment, topped_up, units)?;
            transaction.execute(
                "INSERT INTO credit (aspid, environment, units, expires_at, note, created_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![
                    aspid.as_str(),
                    environment.as_str(),
                    units,
                    expires_at.map(Timestamp::as_millisecond),
                    note,
                    created_at.as_millisecond(),
                ],
            )?;
            Ok(CreditRow { id: transaction.last_insert_rowid(), units, expires_at, note, created_at })
        })
    }

    /// Every top-up and take-back of an ASP in an environment, the oldest first.
    ///
    /// # Errors
    /// [`StoreError::AspNotFound`].
    pub fn credits(&self, aspid: &AspId, environment: Environment) -> Result<Vec<CreditRow>, StoreError> {
        let connection = self.connection();
        asps::require(&connection, aspid)?;
        let mut rows = connection
            .prepare_cached("SELECT * FROM credit WHERE aspid = ?1 AND environment = ?2 ORDER BY id")?;
        let rows = rows.query_map([aspid.as_str(), environment.as_str()], from_row)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn checked(top_up: TopUp, now: Timestamp) -> Result<TopUp, StoreError> {
    let TopUp { units, expires_at, note } = top_up;
    let expires_at = expires_at.map(storable);
    let invalid = |field, value, reason: &str| {
        Err(StoreError::InvalidField { field, value, reason: reason.to_owned() })
    };
    if units.unsigned_abs() > MOST_UNITS.unsigned_abs() {
        let reason = format!("are more than {MOST_UNITS} at once");
        return invalid("units", units.to_string(), &reason);
    }
    match expires_at {
        None if units >= 0 => {
            return invalid("units", units.to_string(), "need a date until which they are good");
        }
        Some(expires_at) if expires_at <= now => return Err(StoreError::ExpiryInPast { expires_at, now }),
        Some(expires_at) if expires_at.duration_since(now) > FARTHEST_EXPIRY => {
            return invalid("expiry", expires_at.to_string(), "is more than ten years away");
        }
        _ => {}
    }
    let note = note.map(|note| note.trim().to_owned());
    if let Some((value, reason)) = note.as_ref().and_then(|note| Some((note, asps::text_fault(note, 200)?))) {
        return invalid("note", value.clone(), &reason);
    }
    Ok(TopUp { units, expires_at, note })
}

fn check_sum(aspid: &AspId, environment: Environment, topped_up: i64, units: i64) -> Result<(), StoreError> {
    // Neither is near the ends of its type.
    let sum = topped_up + units;
    if sum < 0 {
        return Err(StoreError::CreditTakenBack { aspid: *aspid, environment, units: -units, topped_up });
    }
    if sum > MOST_TOPPED_UP {
        let reason = format!("would make the top-ups of this ASP more than {MOST_TOPPED_UP} in all");
        return Err(StoreError::InvalidField { field: "units", value: units.to_string(), reason });
    }
    Ok(())
}

/// Hands the sum of the top-ups and the expiry that was named last to `take`, for every ASP and environment with any, or for one.
pub(super) fn each_sum(
    transaction: &Transaction<'_>,
    only: Option<(&AspId, Environment)>,
    mut take: impl FnMut(AspId, Environment, i64, Option<Timestamp>),
) -> Result<(), StoreError> {
    let (aspid, environment) =
        only.map(|(aspid, environment)| (aspid.as_str(), environment.as_str())).unzip();
    let mut sums = transaction.prepare_cached(
        "SELECT aspid, environment, sum(units) AS topped_up,
                (SELECT expires_at FROM credit AS named
                 WHERE named.aspid = credit.aspid AND named.environment = credit.environment
                       AND expires_at IS NOT NULL
                 ORDER BY id DESC LIMIT 1) AS expires_at
         FROM credit WHERE ?1 IS NULL OR (aspid = ?1 AND environment = ?2)
         GROUP BY aspid, environment",
    )?;
    let mut rows = sums.query(params![aspid, environment])?;
    while let Some(row) = rows.next()? {
        take(
            parsed(row, "aspid")?,
            parsed(row, "environment")?,
            row.get("topped_up")?,
            optional_time(row, "expires_at")?,
        );
    }
    Ok(())
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<CreditRow> {
    Ok(CreditRow {
        id: row.get("id")?,
        units: row.get("units")?,
        expires_at: optional_time(row, "expires_at")?,
        note: row.get("note")?,
        created_at: time(row, "created_at")?,
    })
}
