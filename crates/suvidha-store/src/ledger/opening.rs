//! What the gateway must know of the past when it starts: what was charged, and what counts against the quotas of now.

use std::collections::BTreeMap;

use gstn::AspId;
use gstn::catalogue::Family;
use rusqlite::{Connection, Row, types::Type};

use super::ist;

/// What was charged and counted until now, by ASP.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Opening {
    /// Every ASP that was ever charged on a prepaid plan, or made a call that was admitted this month.
    pub asps: BTreeMap<AspId, AspOpening>,
}

/// What was charged to one ASP, and counted for it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AspOpening {
    /// Units ever charged on a prepaid plan.
    pub prepaid_units: u64,
    /// Units charged on a postpaid plan in this IST month.
    pub postpaid_units_this_month: u64,
    /// Admitted calls, by family of APIs; `None` for calls outside the families we know.
    pub families: BTreeMap<Option<Family>, Admitted>,
}

/// How many calls were admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Admitted {
    /// On this IST day.
    pub today: u64,
    /// In this IST month, today included.
    pub this_month: u64,
}

impl Opening {
    pub(super) fn read(connection: &Connection, today: i64) -> rusqlite::Result<Self> {
        let mut opening = Self::default();
        let mut accounts = connection.prepare("SELECT aspid, prepaid_units FROM account")?;
        let mut rows = accounts.query([])?;
        while let Some(row) = rows.next()? {
            opening.asps.entry(aspid(row, 0)?).or_default().prepaid_units =
                row.get::<_, i64>(1)?.unsigned_abs();
        }
        let today = ist::date(today);
        let mut usage = connection.prepare(
            "SELECT aspid, api, sum(admitted), sum(CASE day WHEN ?2 THEN admitted ELSE 0 END), sum(postpaid_units)
             FROM usage WHERE day BETWEEN ?1 AND ?2 AND aspid <> '' GROUP BY aspid, api",
        )?;
        let mut rows = usage.query([today.first_of_month().to_string(), today.to_string()])?;
        while let Some(row) = rows.next()? {
            let [this_month, today, postpaid] =
                [row.get(2)?, row.get(3)?, row.get(4)?].map(i64::unsigned_abs);
            let asp = opening.asps.entry(aspid(row, 0)?).or_default();
            asp.postpaid_units_this_month += postpaid;
            let family = row.get_ref(1)?.as_str()?.split('/').next().and_then(Family::from_segment);
            let admitted = asp.families.entry(family).or_default();
            admitted.today += today;
            admitted.this_month += this_month;
        }
        Ok(opening)
    }
}

fn aspid(row: &Row<'_>, index: usize) -> rusqlite::Result<AspId> {
    row.get_ref(index)?
        .as_str()?
        .parse()
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(index, Type::Text, Box::new(error)))
}
