//! How often a taxpayer files, quarter by quarter (the QRMP scheme), and when that may be chosen (Rule 61A).

use gstn::{FinancialYear, Gstin, ReturnPeriod};
use jiff::ToSpan;
use jiff::civil::Date;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::calendar::{extended_due_date, first_day, last_day, period_of, quarter_of};
use crate::duties;
use crate::fault::Fault;
use crate::filed;
use crate::forms::{Form, Frequency};
use crate::registration;
use crate::rules::Rules;
use crate::taxpayers::Taxpayer;

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

/// What is known of each quarter of a year, by its number (1 is April to June): of those that have begun and in which
/// the taxpayer was registered, and of those for which a choice is kept.
pub(crate) fn of_year(
    conn: &Connection,
    taxpayer: &Taxpayer,
    year: FinancialYear,
    rules: &Rules,
    today: Date,
) -> rusqlite::Result<Vec<(u8, Frequency)>> {
    let mut known = Vec::new();
    for number in 1..=4 {
        let Some(quarter) = quarter_number(year, number) else { continue };
        let has_begun = first_day(quarter[0]) <= today && last_day(quarter[2]) >= taxpayer.registered_on;
        let is_known = rules.has_iff(quarter[0]) && has_begun;
        if is_known || has_choice(conn, &taxpayer.gstin, quarter[0])? {
            known.push((number, frequency(conn, &taxpayer.gstin, quarter[0])?));
        }
    }
    Ok(known)
}

/// The months of the quarter of a financial year: 1 is April to June.
pub(crate) fn quarter_number(year: FinancialYear, number: u8) -> Option<[ReturnPeriod; 3]> {
    let first = usize::from(number.checked_sub(1)?) * 3;
    year.periods().nth(first).filter(|_| number <= 4).map(quarter_of)
}

/// Chooses how often to file in a quarter and those after it.
///
/// # Errors
/// RET12590 outside the window for that quarter; AUTH117 when a return of the quarter is filed; RTN_27 and AUTH151 as the
/// registration has it. For quarterly filing also AUTH143 above a turnover of 5 crore, and AUTH119 while the
/// last GSTR-3B that was due is not filed (proviso to Rule 61A(1)).
pub(crate) fn choose(
    tx: &Transaction<'_>,
    taxpayer: &Taxpayer,
    rules: &Rules,
    quarter: [ReturnPeriod; 3],
    wanted: Frequency,
    today: Date,
) -> Result<(), Fault> {
    let gstin = &taxpayer.gstin;
    registration::may_file(taxpayer, Form::Gstr3b, quarter[0])?;
    if !rules.has_iff(quarter[0]) {
        return Err(Fault::new("AUTH143", "Invalid request parameters: the choice began with January 2021"));
    }
    let (opens, closes) = window(quarter);
    if today < opens || today > closes {
        return Err(Fault::new(
            "RET12590",
            format!("save not allowed for current date: from {opens} to {closes}"),
        ));
    }
    if filed::find(tx, gstin, Form::Gstr1, quarter[0])?.is_some() {
        return Err(Fault::new("AUTH117", "GSTR1 is already filed for current period"));
    }
    if wanted == Frequency::Quarterly {
        if taxpayer.above_five_crore() {
            let words = "Invalid request parameters: preference Q is for a turnover of up to 5 crore";
            return Err(Fault::new("AUTH143", words));
        }
        let last = last_due(tx, taxpayer, today)?;
        if rules.previous_return_first
            && let Some(last) = last
            && duties::is_missing(tx, gstin, Form::Gstr3b, last)?
        {
            return Err(Fault::new("AUTH119", format!("GSTR3 is not filed for previous period {last}")));
        }
    }
    tx.prepare_cached(
        "INSERT OR REPLACE INTO filing_preferences (gstin, quarter, frequency) VALUES (?1, ?2, ?3)",
    )?
    .execute(params![gstin.as_str(), quarter_name(quarter[0]), wanted.as_str()])?;
    Ok(())
}

/// Rule 61A(1): from the first day of the second month of the quarter before to the last day of the quarter's first
/// month.
fn window([first, ..]: [ReturnPeriod; 3]) -> (Date, Date) {
    (first_day(first).saturating_sub(2.months()), last_day(first))
}

/// The period of the last GSTR-3B that is due by `today`.
fn last_due(conn: &Connection, taxpayer: &Taxpayer, today: Date) -> rusqlite::Result<Option<ReturnPeriod>> {
    let mut period = period_of(today).and_then(ReturnPeriod::previous);
    while let Some(candidate) = period {
        let frequency = frequency(conn, &taxpayer.gstin, candidate)?;
        let has_a_return = frequency == Frequency::Monthly || candidate.month().is_multiple_of(3);
        let due = extended_due_date(conn, Form::Gstr3b, frequency, taxpayer.state, candidate)?;
        if has_a_return && due <= today {
            return Ok(Some(candidate));
        }
        period = candidate.previous();
    }
    Ok(None)
}

fn has_choice(conn: &Connection, gstin: &Gstin, period: ReturnPeriod) -> rusqlite::Result<bool> {
    conn.prepare_cached("SELECT EXISTS (SELECT 1 FROM filing_preferences WHERE gstin = ?1 AND quarter = ?2)")?
        .query_row(params![gstin.as_str(), quarter_name(period)], |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::db::Db;

    #[test]
    fn the_window_of_each_quarter_is_three_months_long() {
        for (period, opens, closes) in [
            ("042026", date(2026, 2, 1), date(2026, 4, 30)),
            ("082026", date(2026, 5, 1), date(2026, 7, 31)),
            ("122026", date(2026, 8, 1), date(2026, 10, 31)),
            ("012027", date(2026, 11, 1), date(2027, 1, 31)),
        ] {
            assert_eq!(window(quarter_of(period.parse().unwrap())), (opens, closes), "{period}");
        }
        let year: FinancialYear = "2026-27".parse().unwrap();
        let first_months =
            (0..=5).map(|number| quarter_number(year, number).map(|quarter| quarter[0].to_string()));
        let expected = [None, Some("042026"), Some("072026"), Some("102026"), Some("012027"), None];
        assert!(first_months.eq(expected.map(|period| period.map(str::to_owned))));
    }

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
