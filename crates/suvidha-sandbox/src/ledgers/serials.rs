//! Running numbers inside CPINs and debit entry numbers, per kind, state and month.

use gstn::StateCode;
use jiff::civil::Date;
use rusqlite::{Connection, Transaction, params};

/// Creates the table, unless it is there.
pub(crate) fn create_table(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS ledger_serials (
             kind TEXT NOT NULL,
             state TEXT NOT NULL,
             month TEXT NOT NULL,              -- yymm
             last INTEGER NOT NULL,
             PRIMARY KEY (kind, state, month)
         ) STRICT, WITHOUT ROWID;",
    )
}

/// A CPIN: 14 digits, of which the first are the year, the month and the state (the rest of the form is inferred).
pub(crate) fn cpin(tx: &Transaction<'_>, state: StateCode, on: Date) -> rusqlite::Result<String> {
    let serial = next(tx, "CPIN", state, on)?;
    Ok(format!("{}{state}{serial:08}", month_of(on)))
}

/// A debit entry number, under which an offset stands in the ledgers until the return is filed: `DC`, state, month
/// and year, seven digits. GSTN's own form is not public.
pub(crate) fn debit_entry(tx: &Transaction<'_>, state: StateCode, on: Date) -> rusqlite::Result<String> {
    let serial = next(tx, "DC", state, on)?;
    Ok(format!("DC{state}{}{serial:07}", month_of(on)))
}

fn month_of(on: Date) -> String {
    format!("{:02}{:02}", on.year().rem_euclid(100), on.month())
}

fn next(tx: &Transaction<'_>, kind: &str, state: StateCode, on: Date) -> rusqlite::Result<i64> {
    tx.prepare_cached(
        "INSERT INTO ledger_serials VALUES (?1, ?2, ?3, 1) ON CONFLICT DO UPDATE SET last = last + 1 RETURNING last",
    )?
    .query_row(params![kind, state.as_str(), month_of(on)], |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_cpin_has_fourteen_digits_and_counts_up() {
        let mut connection = Connection::open_in_memory().unwrap();
        create_table(&connection).unwrap();
        let tx = connection.transaction().unwrap();
        let state = "27".parse().unwrap();
        assert_eq!(cpin(&tx, state, date(2026, 1, 20)).unwrap(), "26012700000001");
        assert_eq!(cpin(&tx, state, date(2026, 1, 31)).unwrap(), "26012700000002");
        assert_eq!(cpin(&tx, state, date(2026, 2, 1)).unwrap(), "26022700000001");
        assert_eq!(debit_entry(&tx, state, date(2026, 2, 1)).unwrap(), "DC2726020000001");
    }
}
