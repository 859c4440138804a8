//! The books: rows by taxpayer, period and table, and where each return stands.

use gstn::{Gstin, ReturnPeriod};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Params, Statement, params};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::Subject;
use super::checksum;
use super::outward;
use super::rows::Row;
use super::tables::Table;
use super::totals::Totals;
use crate::duties;
use crate::filed::{self, Filed};
use crate::forms::Form;

/// Creates what the engine keeps, unless it is there.
///
/// # Errors
/// When the database refuses.
pub fn create_tables(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS gstr1_return (
             gstin TEXT NOT NULL,
             form TEXT NOT NULL,               -- R1 or R1A
             period TEXT NOT NULL,
             summary_chksum TEXT,              -- of the summary fixed by proceed-to-file
             nil INTEGER NOT NULL DEFAULT 0,   -- proceeded to file as a nil return
             submitted INTEGER NOT NULL DEFAULT 0,
             PRIMARY KEY (gstin, form, period)
         ) STRICT, WITHOUT ROWID;
         CREATE TABLE IF NOT EXISTS gstr1_row (
             gstin TEXT NOT NULL,
             form TEXT NOT NULL,               -- R1 or R1A
             period TEXT NOT NULL,
             section TEXT NOT NULL,
             part TEXT NOT NULL,
             key TEXT NOT NULL,
             recipient TEXT,                   -- the GSTIN that may claim credit, where there is one
             series TEXT,                      -- 'invoice' or 'note'
             number TEXT,                      -- in upper case
             shared TEXT NOT NULL,             -- JSON: the fields of the group
             body TEXT NOT NULL,               -- JSON: the other fields, as sent
             flag TEXT,
             original TEXT,                    -- JSON: the totals of the row that this one amends
             chksum TEXT NOT NULL,
             changed_on TEXT NOT NULL,         -- yyyy-mm-dd in India
             PRIMARY KEY (gstin, form, period, section, part, key)
         ) STRICT;
         CREATE INDEX IF NOT EXISTS gstr1_row_by_number ON gstr1_row (gstin, series, number);
         CREATE INDEX IF NOT EXISTS gstr1_row_by_key ON gstr1_row (gstin, section, part, key);
         CREATE INDEX IF NOT EXISTS gstr1_row_by_recipient ON gstr1_row (recipient, period, gstin, form)
             WHERE recipient IS NOT NULL;",
    )?;
    outward::create_table(connection)?;
    filed::create_table(connection)?;
    duties::create_table(connection)
}

/// A row as it is kept.
#[derive(Debug, Clone)]
pub(super) struct KeptRow {
    pub(super) row: Row,
    pub(super) key: String,
    pub(super) form: Form,
    pub(super) period: ReturnPeriod,
    /// In a return that is filed.
    pub(super) filed: bool,
    pub(super) original: Option<Totals>,
    pub(super) chksum: String,
    pub(super) changed_on: String,
}

const SELECT: &str = "SELECT section, part, key, period, shared, body, flag, original, chksum, changed_on,
        EXISTS (SELECT 1 FROM filed_returns
                WHERE gstin = r.gstin AND form = r.form AND period = r.period), form
     FROM gstr1_row r ";
const WITH_KEY: &str = "WHERE gstin = ?1 AND section = ?2 AND part = ?3 AND key = ?4";
const ROWS_AFTER: &str =
    "WHERE gstin = ?1 AND form = ?2 AND period = ?3 AND section = ?4 AND part = ?5 AND key > ?6
     ORDER BY key LIMIT ?7";
const WITH_NUMBER: &str = "WHERE gstin = ?1 AND series = ?2 AND number = ?3";

/// The rows of one table in one return, in the order of their keys.
pub(super) fn rows(
    connection: &Connection,
    gstin: &Gstin,
    form: Form,
    period: ReturnPeriod,
    table: &Table,
) -> rusqlite::Result<Vec<KeptRow>> {
    select(
        connection,
        "WHERE gstin = ?1 AND form = ?2 AND period = ?3 AND section = ?4 AND part = ?5 ORDER BY key",
        params![gstin.as_str(), form.as_str(), period.to_string(), table.section, table.part],
    )
}

/// At most `most` rows of one table in one return, in the order of their keys, from the one after `after` on.
pub(super) fn rows_after(
    connection: &Connection,
    subject: &Subject,
    table: &Table,
    after: &str,
    most: usize,
) -> rusqlite::Result<Vec<KeptRow>> {
    let (form, period) = (subject.form.as_str(), subject.period.to_string());
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    select(
        connection,
        ROWS_AFTER,
        params![subject.gstin.as_str(), form, period, table.section, table.part, after, most],
    )
}

/// Every row of one return.
pub(super) fn all_rows(connection: &Connection, subject: &Subject) -> rusqlite::Result<Vec<KeptRow>> {
    select(
        connection,
        "WHERE gstin = ?1 AND form = ?2 AND period = ?3 ORDER BY section, part, key",
        params![subject.gstin.as_str(), subject.form.as_str(), subject.period.to_string()],
    )
}

/// Whether a return has any row.
pub(super) fn has_rows(connection: &Connection, subject: &Subject) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM gstr1_row WHERE gstin = ?1 AND form = ?2 AND period = ?3)",
        )?
        .query_row(
            params![subject.gstin.as_str(), subject.form.as_str(), subject.period.to_string()],
            |row| row.get(0),
        )
}

/// The rows with this key in one table, over all periods.
pub(super) fn with_key(
    connection: &Connection,
    gstin: &Gstin,
    table: &Table,
    key: &str,
) -> rusqlite::Result<Vec<KeptRow>> {
    select(connection, WITH_KEY, params![gstin.as_str(), table.section, table.part, key])
}

/// The documents of a series that bear this number, over all periods and tables.
pub(super) fn with_number(
    connection: &Connection,
    gstin: &Gstin,
    series: &str,
    number: &str,
) -> rusqlite::Result<Vec<KeptRow>> {
    select(connection, WITH_NUMBER, params![gstin.as_str(), series, number])
}

pub(super) fn put(
    connection: &Connection,
    subject: &Subject,
    row: &Row,
    original: Option<Totals>,
) -> rusqlite::Result<()> {
    let original = original.map(|totals| {
        let mut object = Map::new();
        totals.write("ttl", &mut object);
        Value::Object(object).to_string()
    });
    let series = row.table.series();
    let number = row.table.numbering().and_then(|numbering| row.number(numbering));
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO gstr1_row
                 (gstin, form, period, section, part, key, recipient, series, number, shared, body, flag, original,
                  chksum, changed_on)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        )?
        .execute(params![
            subject.gstin.as_str(),
            subject.form.as_str(),
            subject.period.to_string(),
            row.table.section,
            row.table.part,
            row.key(),
            row.recipient(),
            series,
            number,
            Value::Object(row.group.clone()).to_string(),
            Value::Object(row.body.clone()).to_string(),
            row.flag,
            original,
            checksum::of_row(row.table, &row.group, &row.body),
            subject.today.to_string(),
        ])?;
    Ok(())
}

pub(super) fn delete(
    connection: &Connection,
    subject: &Subject,
    table: &Table,
    key: &str,
) -> rusqlite::Result<()> {
    execute(
        connection,
        "DELETE FROM gstr1_row
         WHERE gstin = ?1 AND form = ?2 AND period = ?3 AND section = ?4 AND part = ?5 AND key = ?6",
        params![
            subject.gstin.as_str(),
            subject.form.as_str(),
            subject.period.to_string(),
            table.section,
            table.part,
            key
        ],
    )
}

pub(super) fn clear_section(
    connection: &Connection,
    subject: &Subject,
    section: &str,
) -> rusqlite::Result<()> {
    execute(
        connection,
        "DELETE FROM gstr1_row WHERE gstin = ?1 AND form = ?2 AND period = ?3 AND section = ?4",
        params![subject.gstin.as_str(), subject.form.as_str(), subject.period.to_string(), section],
    )
}

pub(super) fn clear(connection: &Connection, subject: &Subject) -> rusqlite::Result<()> {
    execute(
        connection,
        "DELETE FROM gstr1_row WHERE gstin = ?1 AND form = ?2 AND period = ?3",
        params![subject.gstin.as_str(), subject.form.as_str(), subject.period.to_string()],
    )
}

/// Where a return stands; the default is a return nobody touched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) summary_chksum: Option<String>,
    pub(super) nil: bool,
    /// Closed by the submit of before 2022.
    pub(super) submitted: bool,
    pub(super) filed: Option<Filed>,
}

pub(super) fn standing(
    connection: &Connection,
    gstin: &Gstin,
    form: Form,
    period: ReturnPeriod,
) -> rusqlite::Result<Standing> {
    let found = connection
        .prepare_cached(
            "SELECT summary_chksum, nil, submitted FROM gstr1_return WHERE gstin = ?1 AND form = ?2 AND period = ?3",
        )?
        .query_row(params![gstin.as_str(), form.as_str(), period.to_string()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    let (summary_chksum, nil, submitted) = found.unwrap_or_default();
    Ok(Standing { summary_chksum, nil, submitted, filed: filed::find(connection, gstin, form, period)? })
}

/// Fixes the summary of a return that may be filed now.
pub(super) fn put_ready(
    connection: &Connection,
    subject: &Subject,
    summary_chksum: &str,
    nil: bool,
) -> rusqlite::Result<()> {
    execute(
        connection,
        "INSERT OR REPLACE INTO gstr1_return (gstin, form, period, summary_chksum, nil) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            subject.gstin.as_str(),
            subject.form.as_str(),
            subject.period.to_string(),
            summary_chksum,
            nil
        ],
    )
}

/// Closes a return that is ready to file: nothing can be saved any more.
pub(super) fn put_submitted(connection: &Connection, subject: &Subject) -> rusqlite::Result<()> {
    execute(
        connection,
        "UPDATE gstr1_return SET submitted = 1 WHERE gstin = ?1 AND form = ?2 AND period = ?3",
        params![subject.gstin.as_str(), subject.form.as_str(), subject.period.to_string()],
    )
}

/// The return is to be proceeded to file anew.
pub(super) fn take_readiness(connection: &Connection, subject: &Subject) -> rusqlite::Result<()> {
    execute(
        connection,
        "DELETE FROM gstr1_return WHERE gstin = ?1 AND form = ?2 AND period = ?3",
        params![subject.gstin.as_str(), subject.form.as_str(), subject.period.to_string()],
    )
}

fn select(
    connection: &Connection,
    condition: &str,
    parameters: impl Params,
) -> rusqlite::Result<Vec<KeptRow>> {
    let mut statement = connection.prepare_cached(&format!("{SELECT}{condition}"))?;
    collect(&mut statement, parameters)
}

fn collect(statement: &mut Statement, parameters: impl Params) -> rusqlite::Result<Vec<KeptRow>> {
    let mut rows = statement.query(parameters)?;
    let mut kept = Vec::new();
    while let Some(row) = rows.next()? {
        let (section, part): (String, String) = (row.get(0)?, row.get(1)?);
        // A table that a newer version knew and this one does not is passed over.
        let Some(table) = Table::find(&section, &part) else { continue };
        let original: Option<String> = row.get(7)?;
        let original = original.map(|text| json::<Map<String, Value>>(7, &text)).transpose()?;
        kept.push(KeptRow {
            row: Row {
                table,
                group: json(4, &row.get::<_, String>(4)?)?,
                body: json(5, &row.get::<_, String>(5)?)?,
                flag: row.get(6)?,
            },
            key: row.get(2)?,
            form: Form::read(&row.get::<_, String>(11)?).unwrap_or(Form::Gstr1),
            period: period_at(row, 3)?,
            filed: row.get(10)?,
            original: original.map(|object| Totals::read("ttl", &object)),
            chksum: row.get(8)?,
            changed_on: row.get(9)?,
        });
    }
    Ok(kept)
}

fn execute(connection: &Connection, sql: &str, parameters: impl Params) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute(parameters).map(drop)
}

pub(super) fn json<T: DeserializeOwned>(column: usize, text: &str) -> rusqlite::Result<T> {
    serde_json::from_str(text).map_err(|error| unreadable(column, error))
}

pub(super) fn period_at(row: &rusqlite::Row, column: usize) -> rusqlite::Result<ReturnPeriod> {
    row.get::<_, String>(column)?.parse().map_err(|error| unreadable(column, error))
}

fn unreadable(column: usize, error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A save looks up every row it takes: a scan of the taxpayer's rows would make it quadratic.
    #[test]
    fn lookups_of_one_row_use_an_index() {
        let connection = Connection::open_in_memory().unwrap();
        create_tables(&connection).unwrap();
        for (condition, index) in [
            (WITH_KEY, "gstr1_row_by_key"),
            (WITH_NUMBER, "gstr1_row_by_number"),
            (ROWS_AFTER, "form=? AND period=? AND section=? AND part=? AND key>?"),
        ] {
            let sql = format!("EXPLAIN QUERY PLAN {SELECT}{condition}");
            let parameters = rusqlite::params_from_iter(vec!["0"; condition.matches('?').count()]);
            let plan: String = connection.query_row(&sql, parameters, |row| row.get(3)).unwrap();
            assert!(plan.contains(index), "{plan}");
        }
    }
}
