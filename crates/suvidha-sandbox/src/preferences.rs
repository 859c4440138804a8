//! How often a taxpayer files, quarter by quarter (the QRMP scheme).

use gstn::{Gstin, ReturnPeriod};
use rusqlite::{Connection, OptionalExtension, params};

use crate::calendar::quarter_of;
use crate::forms::Frequency;

/// The frequency in the quarter of `period`: the one chosen for that quarter, else the last one chosen before it,
/// else the one that the taxpayer was made with.
pub(crate) fn frequency(
    conn: &Connection,
    gstin: &Gstin,
    period: ReturnPeriod,
) -> rusqlite::Result<Frequency> {
    let chosen: Option<String> = conn
        .prepare_cached(
            "SELECT frequency FROM filing_preferences WHERE gstin = ?1 AND quarter <= ?2
             ORDER BY quarter DESC LIMIT 1",
        )?
        .query_row(params![gstin.as_str(), quarter_name(period)], |row| row.get(0))
        .optional()?;
    let chosen = match chosen {
        Some(chosen) => Some(chosen),
        None => conn
            .prepare_cached("SELECT filing FROM taxpayers WHERE gstin = ?1")?
            .query_row([gstin.as_str()], |row| row.get(0))
            .optional()?,
    };
    Ok(chosen.as_deref().and_then(Frequency::read).unwrap_or_default())
}

/// `2025Q1` for January to March 2025: sorts by time.
pub(crate) fn quarter_name(period: ReturnPeriod) -> String {
    let [first, ..] = quarter_of(period);
    format!("{:04}Q{}", first.year(), first.month() / 3 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Db;

    #[test]
    fn a_choice_holds_until_the_next_one() {
        let dir = tempfile::tempdir().unwrap();
        let db = Db::open(dir.path()).unwrap();
        let gstin: Gstin = "27AAPFU0939F1ZV".parse().unwrap();
        db.write(|tx| {
            tx.execute_batch(
                "INSERT INTO filing_preferences VALUES
                     ('27AAPFU0939F1ZV', '2025Q3', 'Q'), ('27AAPFU0939F1ZV', '2026Q1', 'M')",
            )
        })
        .unwrap();
        for (period, expected) in [
            ("062025", Frequency::Monthly),
            ("072025", Frequency::Quarterly),
            ("122025", Frequency::Quarterly),
            ("012026", Frequency::Monthly),
        ] {
            let found = db.read(|tx| frequency(tx, &gstin, period.parse().unwrap())).unwrap();
            assert_eq!(found, expected, "{period}");
        }
        assert_eq!(quarter_name("122025".parse().unwrap()), "2025Q4");
    }
}
