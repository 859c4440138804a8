//! The returns that were filed, of every form. What follows from a filing (a statement that includes it, a return
//! that it unlocks) is derived from here when it is asked for.

use gstn::{Gstin, ReturnPeriod};
use jiff::civil::Date;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use crate::forms::Form;

/// A filed return. A quarterly one is named by the quarter's last month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filed {
    /// The form.
    pub form: Form,
    /// The tax period.
    pub period: ReturnPeriod,
    /// The acknowledgement number.
    pub arn: String,
    /// The date of filing in India.
    pub on: Date,
}

/// Creates the table, unless it is there.
pub(crate) fn create_table(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS filed_returns (
             gstin TEXT NOT NULL,
             form TEXT NOT NULL,
             period TEXT NOT NULL,
             arn TEXT NOT NULL,
             filed_on TEXT NOT NULL,           -- yyyy-mm-dd in India
             PRIMARY KEY (gstin, form, period)
         ) STRICT, WITHOUT ROWID;",
    )
}

/// Notes that a return was filed. A return is filed once: a second time fails.
pub(crate) fn record(
    tx: &Transaction<'_>,
    gstin: &Gstin,
    form: Form,
    period: ReturnPeriod,
    arn: &str,
    on: Date,
) -> rusqlite::Result<()> {
    tx.prepare_cached("INSERT INTO filed_returns VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![gstin.as_str(), form.as_str(), period.to_string(), arn, on.to_string()])
        .map(drop)
}

/// The return of this form and period, if it is filed.
pub(crate) fn find(
    conn: &Connection,
    gstin: &Gstin,
    form: Form,
    period: ReturnPeriod,
) -> rusqlite::Result<Option<Filed>> {
    conn.prepare_cached(
        "SELECT form, period, arn, filed_on FROM filed_returns WHERE gstin = ?1 AND form = ?2 AND period = ?3",
    )?
    .query_row(params![gstin.as_str(), form.as_str(), period.to_string()], read)
    .optional()
}

/// Every filed return of a taxpayer, oldest period first.
pub(crate) fn of(conn: &Connection, gstin: &Gstin) -> rusqlite::Result<Vec<Filed>> {
    let mut filed = conn
        .prepare_cached("SELECT form, period, arn, filed_on FROM filed_returns WHERE gstin = ?1")?
        .query_map([gstin.as_str()], read)?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    filed.sort_by_key(|filed| (filed.period, filed.form));
    Ok(filed)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Filed> {
    let unreadable = |column: usize, text: &str| {
        let error = format!("{text:?} is not what this version writes");
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into())
    };
    let text = |column: usize| row.get::<_, String>(column);
    let (form, period, on) = (text(0)?, text(1)?, text(3)?);
    Ok(Filed {
        form: Form::read(&form).ok_or_else(|| unreadable(0, &form))?,
        period: period.parse().map_err(|_| unreadable(1, &period))?,
        arn: text(2)?,
        on: on.parse().map_err(|_| unreadable(3, &on))?,
    })
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_return_is_filed_once_and_told_in_the_order_of_periods() {
        let mut connection = Connection::open_in_memory().unwrap();
        create_table(&connection).unwrap();
        let gstin: Gstin = "27AAPFU0939F1ZV".parse().unwrap();
        let on = date(2026, 1, 11);
        let tx = connection.transaction().unwrap();
        for (form, period) in [
            (Form::Gstr3b, "122025"),
            (Form::Gstr1, "012026"),
            (Form::Gstr1, "122025"),
            (Form::Gstr1, "112025"),
        ] {
            record(&tx, &gstin, form, period.parse().unwrap(), "AA", on).unwrap();
        }
        let again = record(&tx, &gstin, Form::Gstr1, "122025".parse().unwrap(), "AB", on);
        assert!(again.is_err());
        let all: Vec<_> = of(&tx, &gstin)
            .unwrap()
            .into_iter()
            .map(|filed| (filed.form, filed.period.to_string()))
            .collect();
        let expected = [
            (Form::Gstr1, "112025"),
            (Form::Gstr1, "122025"),
            (Form::Gstr3b, "122025"),
            (Form::Gstr1, "012026"),
        ];
        assert_eq!(all, expected.map(|(form, period)| (form, period.to_owned())));
        let found = find(&tx, &gstin, Form::Gstr3b, "122025".parse().unwrap()).unwrap().unwrap();
        assert_eq!((found.arn.as_str(), found.on), ("AA", on));
        assert_eq!(find(&tx, &gstin, Form::Gstr1a, "122025".parse().unwrap()).unwrap(), None);
    }
}
