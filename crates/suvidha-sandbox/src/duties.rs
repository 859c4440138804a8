//! Which returns a taxpayer owes, and which of them stand in the way of the next one.
//!
//! A taxpayer of the sandbox has no past: duties begin with the first tax period of which anything was saved or filed.

use gstn::{Gstin, ReturnPeriod};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::calendar::quarter_of;
use crate::filed;
use crate::forms::{Form, Frequency};
use crate::preferences::frequency;
use crate::rules::Rules;

/// Creates the table, unless it is there.
pub(crate) fn create_table(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS duties (
             gstin TEXT PRIMARY KEY,
             since INTEGER NOT NULL            -- the first tax period, as yyyymm
         ) STRICT;",
    )
}

/// Notes that something of `period` was saved or filed.
pub(crate) fn begin(tx: &Transaction<'_>, gstin: &Gstin, period: ReturnPeriod) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO duties VALUES (?1, ?2) ON CONFLICT DO UPDATE SET since = min(since, excluded.since)",
    )?
    .execute(params![gstin.as_str(), sortable(period)])
    .map(drop)
}

/// Whether the taxpayer has duties for `period`.
pub(crate) fn are_owed(conn: &Connection, gstin: &Gstin, period: ReturnPeriod) -> rusqlite::Result<bool> {
    let since: Option<i64> = conn
        .prepare_cached("SELECT since FROM duties WHERE gstin = ?1")?
        .query_row([gstin.as_str()], |row| row.get(0))
        .optional()?;
    Ok(since.is_some_and(|since| since <= sortable(period)))
}

/// The period of the return before that of `period`: the month before, or the last month of the quarter before.
pub(crate) fn period_before(
    conn: &Connection,
    gstin: &Gstin,
    period: ReturnPeriod,
) -> rusqlite::Result<Option<ReturnPeriod>> {
    Ok(match frequency(conn, gstin, period)? {
        Frequency::Monthly => period.previous(),
        Frequency::Quarterly => quarter_of(period)[0].previous(),
    })
}

/// Whether `form` of `period` is owed and not filed.
pub(crate) fn is_missing(
    conn: &Connection,
    gstin: &Gstin,
    form: Form,
    period: ReturnPeriod,
) -> rusqlite::Result<bool> {
    Ok(are_owed(conn, gstin, period)? && filed::find(conn, gstin, form, period)?.is_none())
}

/// The return that must be filed before GSTR-1, or the IFF, of `period`: the GSTR-1 before (s.37(4)), or the
/// GSTR-3B before (Rule 59(6)).
pub(crate) fn missing_before_gstr1(
    conn: &Connection,
    rules: &Rules,
    gstin: &Gstin,
    period: ReturnPeriod,
) -> rusqlite::Result<Option<(Form, ReturnPeriod)>> {
    let Some(before) = period_before(conn, gstin, period)? else { return Ok(None) };
    if rules.gstr1_follows_gstr1(period) && is_missing(conn, gstin, Form::Gstr1, before)? {
        return Ok(Some((Form::Gstr1, before)));
    }
    let mut unfiled = 0;
    let mut earlier = Some(before);
    let needed = rules.unfiled_gstr3b_that_block(period);
    while let Some(period) = earlier.filter(|_| unfiled < needed) {
        if !is_missing(conn, gstin, Form::Gstr3b, period)? {
            return Ok(None);
        }
        unfiled += 1;
        earlier = period_before(conn, gstin, period)?;
    }
    Ok((needed > 0 && unfiled == needed).then_some((Form::Gstr3b, before)))
}

fn sortable(period: ReturnPeriod) -> i64 {
    i64::from(period.year()) * 100 + i64::from(period.month())
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::db::Db;

    const GSTIN: &str = "27AAPFU0939F1ZV";

    struct Duties {
        db: Db,
        gstin: Gstin,
        _dir: tempfile::TempDir,
    }

    impl Duties {
        fn since(period: &str) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let db = Db::open(dir.path()).unwrap();
            let gstin = GSTIN.parse().unwrap();
            db.write(|tx| begin(tx, &gstin, period.parse().unwrap())).unwrap();
            Self { db, gstin, _dir: dir }
        }

        fn file(&self, form: Form, period: &str) -> &Self {
            let period = period.parse().unwrap();
            self.db.write(|tx| filed::record(tx, &self.gstin, form, period, "AA", date(2026, 1, 1))).unwrap();
            self
        }

        fn missing_before(&self, period: &str) -> Option<(Form, String)> {
            let (rules, period) = (Rules::default(), period.parse().unwrap());
            let missing = self.db.read(|tx| missing_before_gstr1(tx, &rules, &self.gstin, period)).unwrap();
            missing.map(|(form, period)| (form, period.to_string()))
        }
    }

    fn missing(form: Form, period: &str) -> Option<(Form, String)> {
        Some((form, period.to_owned()))
    }

    #[test]
    fn the_first_return_waits_for_nothing() {
        let duties = Duties::since("112025");
        assert_eq!(duties.missing_before("112025"), None);
        assert_eq!(duties.missing_before("122025"), missing(Form::Gstr1, "112025"));
        duties.db.write(|tx| begin(tx, &duties.gstin, "122025".parse().unwrap())).unwrap();
        assert_eq!(
            duties.missing_before("122025"),
            missing(Form::Gstr1, "112025"),
            "a later save moves nothing"
        );
    }

    #[test]
    fn section_37_and_rule_59_hold_a_return_back_until_the_one_before_is_filed() {
        let duties = Duties::since("112025");
        duties.file(Form::Gstr1, "112025");
        assert_eq!(duties.missing_before("122025"), missing(Form::Gstr3b, "112025"));
        duties.file(Form::Gstr3b, "112025");
        assert_eq!(duties.missing_before("122025"), None);
    }

    #[test]
    fn before_october_2022_a_gstr1_need_not_follow_another() {
        let duties = Duties::since("082022");
        duties.file(Form::Gstr3b, "082022");
        assert_eq!(duties.missing_before("092022"), None);
        duties.file(Form::Gstr3b, "092022");
        assert_eq!(duties.missing_before("102022"), missing(Form::Gstr1, "092022"));
    }

    #[test]
    fn before_2022_two_months_had_to_be_missing_and_before_2021_nothing_was_barred() {
        let duties = Duties::since("092020");
        assert_eq!(duties.missing_before("122020"), None);
        assert_eq!(duties.missing_before("012021"), missing(Form::Gstr3b, "122020"));
        duties.file(Form::Gstr3b, "112020");
        assert_eq!(duties.missing_before("012021"), None);
        let late = Duties::since("112021");
        assert_eq!(late.missing_before("122021"), None, "one month was not enough");
        assert_eq!(late.missing_before("012022"), missing(Form::Gstr3b, "122021"));
    }

    #[test]
    fn a_quarterly_filer_looks_at_the_quarter_before() {
        let duties = Duties::since("062025");
        let preference = "INSERT INTO filing_preferences VALUES ('27AAPFU0939F1ZV', '2025Q2', 'Q')";
        duties.db.write(|tx| tx.execute_batch(preference)).unwrap();
        for month in ["072025", "082025", "092025"] {
            assert_eq!(duties.missing_before(month), missing(Form::Gstr1, "062025"), "{month}");
        }
        duties.file(Form::Gstr1, "062025").file(Form::Gstr3b, "062025");
        assert_eq!(duties.missing_before("092025"), None, "the IFF is optional");
    }
}
