//! Which filed returns have something for a recipient.

use gstn::{Gstin, ReturnPeriod};
use jiff::civil::Date;
use rusqlite::types::Type;
use rusqlite::{Connection, Row, params};

use crate::forms::Form;
use crate::taxpayers::read_gstin;

/// A filed GSTR-1, IFF or GSTR-1A with something for one recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct InwardReturn {
    pub(crate) supplier: Gstin,
    pub(crate) period: ReturnPeriod,
    pub(crate) form: Form,
    pub(crate) filed_on: Date,
}

const BY_DAY: &str = "SELECT gstin, form, period, filed_on FROM inward_returns
     WHERE recipient = ?1 AND filed_on >= ?2 AND filed_on <= ?3";
const BY_PERIOD: &str = "SELECT gstin, form, period, filed_on FROM inward_returns
     WHERE recipient = ?1 AND period = ?2 AND filed_on < ?3";

/// The returns filed from `first` to `last`, by supplier.
pub(super) fn filed_between(
    conn: &Connection,
    recipient: &Gstin,
    first: Date,
    last: Date,
) -> rusqlite::Result<Vec<InwardReturn>> {
    let mut statement = conn.prepare_cached(BY_DAY)?;
    let parameters = params![recipient.as_str(), first.to_string(), last.to_string()];
    let mut found = statement.query_map(parameters, read)?.collect::<rusqlite::Result<Vec<_>>>()?;
    found.sort_unstable();
    Ok(found)
}

/// The returns of `period` that were filed before `day`.
pub(super) fn of_period_before(
    conn: &Connection,
    recipient: &Gstin,
    period: ReturnPeriod,
    day: Date,
) -> rusqlite::Result<Vec<InwardReturn>> {
    let mut statement = conn.prepare_cached(BY_PERIOD)?;
    let parameters = params![recipient.as_str(), period.to_string(), day.to_string()];
    statement.query_map(parameters, read)?.collect()
}

/// The returns, not filed yet, that have something saved for `recipient`.
pub(super) fn not_filed(
    conn: &Connection,
    recipient: &Gstin,
) -> rusqlite::Result<Vec<(Gstin, Form, ReturnPeriod)>> {
    let mut statement = conn.prepare_cached(
        "SELECT gstin, form, period FROM
             (SELECT DISTINCT period, gstin, form FROM gstr1_row INDEXED BY gstr1_row_by_recipient
              WHERE recipient = ?1) saved
         WHERE NOT EXISTS (SELECT 1 FROM filed_returns f
                           WHERE f.gstin = saved.gstin AND f.form = saved.form AND f.period = saved.period)
         ORDER BY gstin, form, period",
    )?;
    statement
        .query_map([recipient.as_str()], |row| {
            Ok((read_gstin(row, "gstin")?, form_at(row, 1)?, period_at(row, 2)?))
        })?
        .collect()
}

fn read(row: &Row<'_>) -> rusqlite::Result<InwardReturn> {
    Ok(InwardReturn {
        supplier: read_gstin(row, "gstin")?,
        form: form_at(row, 1)?,
        period: period_at(row, 2)?,
        filed_on: day_at(row, 3)?,
    })
}

pub(super) fn form_at(row: &Row<'_>, column: usize) -> rusqlite::Result<Form> {
    let text: String = row.get(column)?;
    Form::read(&text).ok_or_else(|| unreadable(column, &text))
}

pub(super) fn period_at(row: &Row<'_>, column: usize) -> rusqlite::Result<ReturnPeriod> {
    let text: String = row.get(column)?;
    text.parse().map_err(|_| unreadable(column, &text))
}

pub(super) fn day_at(row: &Row<'_>, column: usize) -> rusqlite::Result<Date> {
    let text: String = row.get(column)?;
    text.parse().map_err(|_| unreadable(column, &text))
}

/// A column with a text that this version does not write.
pub(super) fn unreadable(column: usize, text: &str) -> rusqlite::Error {
    let error = format!("{text:?} is not what this version writes");
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Db;

    /// The cost of a statement is that of its own returns, whatever was filed before and for others.
    #[test]
    fn returns_are_found_by_recipient_and_day() {
        let dir = tempfile::tempdir().unwrap();
        let db = Db::open(dir.path()).unwrap();
        for (sql, index) in [(BY_DAY, "inward_returns_by_day"), (BY_PERIOD, "inward_returns_by_period")] {
            let plan: String = db
                .read(|tx| tx.query_row(&format!("EXPLAIN QUERY PLAN {sql}"), ["", "", ""], |row| row.get(3)))
                .unwrap();
            assert!(plan.contains(index), "{plan}");
        }
    }
}
