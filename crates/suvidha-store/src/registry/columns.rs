//! Columns of the database as the types they stand for.

use std::error::Error;
use std::str::FromStr;

use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Result, Row};

/// A text that parses to `T`.
pub(super) fn parsed<T>(row: &Row<'_>, column: &str) -> Result<T>
where
    T: FromStr<Err: Error + Send + Sync + 'static>,
{
    let index = row.as_ref().column_index(column)?;
    row.get_ref(index)?
        .as_str()?
        .parse()
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(index, Type::Text, Box::new(error)))
}

/// Milliseconds since 1970-01-01T00:00:00Z.
pub(super) fn time(row: &Row<'_>, column: &str) -> Result<Timestamp> {
    let index = row.as_ref().column_index(column)?;
    timestamp(index, row.get(index)?)
}

/// The same, or NULL.
pub(super) fn optional_time(row: &Row<'_>, column: &str) -> Result<Option<Timestamp>> {
    let index = row.as_ref().column_index(column)?;
    row.get::<_, Option<i64>>(index)?.map(|milliseconds| timestamp(index, milliseconds)).transpose()
}

/// What is left of `at` once it has been stored: whole milliseconds.
pub(super) fn storable(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

/// A number that is never negative, or NULL.
pub(super) fn optional_number(row: &Row<'_>, column: &str) -> Result<Option<u64>> {
    row.get::<_, Option<i64>>(column).map(|number| number.map(i64::unsigned_abs))
}

/// A number as SQLite keeps it; it must be known to be small enough.
pub(super) fn storable_number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn timestamp(index: usize, milliseconds: i64) -> Result<Timestamp> {
    Timestamp::from_millisecond(milliseconds)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(index, Type::Integer, Box::new(error)))
}
