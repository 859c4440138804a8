//! Who is registered: by PAN, and by the day on which something about a registration changed.

use gstn::StateCode;
use jiff::civil::Date;
use rusqlite::{Connection, params};

use crate::taxpayers::{self, Registration, Taxpayer};

const WITH_PAN: &str = "SELECT * FROM taxpayers WHERE substr(gstin, 3, 10) = ?1 ORDER BY gstin";
const CHANGED_ON: &str = "SELECT gstin, 0 AS kind FROM taxpayers WHERE registered_on = ?1
     UNION ALL SELECT gstin, 1 FROM taxpayers WHERE suspended_on = ?1
     UNION ALL SELECT gstin, 2 FROM taxpayers WHERE cancelled_on = ?1
     ORDER BY gstin, kind";

/// Creates the indexes, unless they are there.
pub(crate) fn create_indexes(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "CREATE INDEX IF NOT EXISTS taxpayers_by_pan ON taxpayers (substr(gstin, 3, 10));
         CREATE INDEX IF NOT EXISTS taxpayers_by_registration ON taxpayers (registered_on);
         CREATE INDEX IF NOT EXISTS taxpayers_by_suspension ON taxpayers (suspended_on);
         CREATE INDEX IF NOT EXISTS taxpayers_by_cancellation ON taxpayers (cancelled_on);",
    )
}

/// Everyone with this PAN, in the order of their GSTINs.
pub(crate) fn with_pan(conn: &Connection, pan: &str) -> rusqlite::Result<Vec<Taxpayer>> {
    conn.prepare_cached(WITH_PAN)?.query_map([pan], |row| taxpayers::read(row, ""))?.collect()
}

/// A GSTIN about which something changed, and what it is since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Changed {
    pub(crate) gstin: String,
    pub(crate) is: Registration,
}

/// What changed on a day, in one state or in all, in the order of GSTINs.
pub(crate) fn changed_on(
    conn: &Connection,
    day: Date,
    state: Option<StateCode>,
) -> rusqlite::Result<Vec<Changed>> {
    let mut changed: Vec<Changed> = conn
        .prepare_cached(CHANGED_ON)?
        .query_map(params![day.to_string()], |row| {
            let is = match row.get(1)? {
                0 => Registration::Active,
                1 => Registration::Suspended,
                _ => Registration::Cancelled,
            };
            Ok(Changed { gstin: row.get(0)?, is })
        })?
        .collect::<rusqlite::Result<_>>()?;
    changed.retain(|changed| state.is_none_or(|state| changed.gstin.starts_with(state.as_str())));
    Ok(changed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Db;

    #[test]
    fn nobody_else_is_looked_at() {
        let dir = tempfile::tempdir().unwrap();
        let db = Db::open(dir.path()).unwrap();
        for sql in [WITH_PAN, CHANGED_ON] {
            let plan: Vec<String> = db
                .read(|tx| {
                    tx.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?
                        .query_map([""], |row| row.get(3))?
                        .collect::<rusqlite::Result<_>>()
                })
                .unwrap();
            let plan = plan.join("; ");
            assert!(plan.contains("INDEX taxpayers_by_") && !plan.contains("SCAN taxpayers"), "{plan}");
        }
    }
}
