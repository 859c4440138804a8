//! Which statement (GSTR-2B) a filed return falls into: by the day of filing, never by the date of a document
//! (advisory on GSTR-2B of 18.10.21).
//!
//! A statement of M takes monthly GSTR-1 filed from the 12th of M to the 11th of M+1, and IFF and quarterly GSTR-1
//! filed from the 14th of M to the 13th of M+1; GSTR-1A goes with GSTR-1. A due date that was extended moves the
//! cut-off, and the day on which the statement is made.

use gstn::{Gstin, ReturnPeriod, StateCode};
use jiff::ToSpan;
use jiff::civil::Date;
use rusqlite::Connection;

use super::returns::{self, InwardReturn};
use crate::calendar::{day_after, extended_due_date, period_of, quarter_of};
use crate::forms::{Form, Frequency};
use crate::preferences;

/// The day of the following month on which a statement is made, unless a due date was extended beyond it.
const MADE_ON: i8 = 14;

/// The last day on which a return may be filed to be in the statement of `period`.
fn cut_off(
    conn: &Connection,
    frequency: Frequency,
    state: StateCode,
    period: ReturnPeriod,
) -> rusqlite::Result<Date> {
    extended_due_date(conn, Form::Gstr1, frequency, state, period)
}

/// The last of the cut-offs of `period`, which is also that of what offices report (imports, ISD).
pub(super) fn last_cut_off(
    conn: &Connection,
    state: StateCode,
    period: ReturnPeriod,
) -> rusqlite::Result<Date> {
    let monthly = cut_off(conn, Frequency::Monthly, state, period)?;
    Ok(monthly.max(cut_off(conn, Frequency::Quarterly, state, period)?))
}

/// The day on which the statement of `period` is made.
pub(super) fn made_on(conn: &Connection, state: StateCode, period: ReturnPeriod) -> rusqlite::Result<Date> {
    let day = last_cut_off(conn, state, period)?.saturating_add(1.day());
    Ok(day.max(day_after(period, MADE_ON)))
}

/// The month into whose statement a return falls. One that is filed before its own month has begun to be due waits
/// for the statement of its own month.
pub(super) fn statement_of(conn: &Connection, filed: &InwardReturn) -> rusqlite::Result<ReturnPeriod> {
    let frequency = preferences::frequency(conn, &filed.supplier, filed.period)?;
    let state = filed.supplier.state();
    let mut month = filed.period.max(earliest(filed.filed_on, filed.period));
    while cut_off(conn, frequency, state, month)? < filed.filed_on {
        let Some(next) = month.next() else { break };
        month = next;
    }
    Ok(month)
}

/// No statement of a month this long before the filing can be open: extensions were of three months at most.
fn earliest(filed_on: Date, otherwise: ReturnPeriod) -> ReturnPeriod {
    period_of(filed_on.saturating_sub(6.months())).unwrap_or(otherwise)
}

/// The returns in the statements of `months`, by supplier.
pub(super) fn returns_of(
    conn: &Connection,
    recipient: &Gstin,
    months: &[ReturnPeriod],
) -> rusqlite::Result<Vec<InwardReturn>> {
    let mut found = Vec::new();
    for month in months {
        let first = day_after(month.previous().unwrap_or(*month), 1);
        let last = last_cut_off(conn, recipient.state(), *month)?;
        let mut filed = returns::filed_between(conn, recipient, first, last)?;
        filed.extend(returns::of_period_before(conn, recipient, *month, first)?);
        for filed in filed {
            if statement_of(conn, &filed)? == *month {
                found.push(filed);
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// The month into whose statement something falls that arrived on `day` from an office.
pub(super) fn month_of_arrival(
    conn: &Connection,
    state: StateCode,
    day: Date,
    otherwise: ReturnPeriod,
) -> rusqlite::Result<ReturnPeriod> {
    let mut month = earliest(day, otherwise);
    while last_cut_off(conn, state, month)? < day {
        let Some(next) = month.next() else { break };
        month = next;
    }
    Ok(month)
}

/// The months whose documents the statement of `period` holds: a quarterly filer has one statement a quarter.
pub(super) fn months_of(frequency: Frequency, period: ReturnPeriod) -> Vec<ReturnPeriod> {
    match frequency {
        Frequency::Monthly => vec![period],
        Frequency::Quarterly => quarter_of(period).to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::db::Db;

    const SUPPLIER: &str = "27AAPFU0939F1ZV";

    fn filed(form: Form, period: &str, on: Date) -> InwardReturn {
        InwardReturn {
            supplier: SUPPLIER.parse().unwrap(),
            form,
            period: period.parse().unwrap(),
            filed_on: on,
        }
    }

    /// Windows of the advisory on GSTR-2B of 18.10.21.
    #[test]
    fn the_day_of_filing_decides() {
        let dir = tempfile::tempdir().unwrap();
        let db = Db::open(dir.path()).unwrap();
        let statement = |filed: &InwardReturn| db.read(|tx| statement_of(tx, filed)).unwrap().to_string();
        for (form, period, on, expected) in [
            (Form::Gstr1, "012026", date(2026, 2, 11), "012026"),
            (Form::Gstr1, "012026", date(2026, 2, 12), "022026"),
            (Form::Gstr1, "012026", date(2026, 3, 11), "022026"),
            (Form::Gstr1, "012026", date(2026, 6, 30), "062026"),
            (Form::Gstr1a, "012026", date(2026, 2, 15), "022026"),
            (Form::Gstr1, "012026", date(2026, 1, 5), "012026"),
            (Form::Gstr1, "012024", date(2026, 1, 5), "122025"),
        ] {
            assert_eq!(statement(&filed(form, period, on)), expected, "{form:?} {period} {on}");
        }
        let quarterly = format!("INSERT INTO filing_preferences VALUES ('{SUPPLIER}', '2025Q4', 'Q')");
        db.write(|tx| tx.execute_batch(&quarterly)).unwrap();
        assert_eq!(statement(&filed(Form::Gstr1, "112025", date(2025, 12, 13))), "112025");
        assert_eq!(statement(&filed(Form::Gstr1, "112025", date(2025, 12, 14))), "122025");
    }

    #[test]
    fn an_extended_due_date_moves_the_cut_off_and_the_making() {
        let dir = tempfile::tempdir().unwrap();
        let db = Db::open(dir.path()).unwrap();
        let extend = "INSERT INTO due_date_extensions VALUES ('R1', '122025', '2026-01-15')";
        db.write(|tx| tx.execute_batch(extend)).unwrap();
        let late = filed(Form::Gstr1, "122025", date(2026, 1, 15));
        assert_eq!(db.read(|tx| statement_of(tx, &late)).unwrap().to_string(), "122025");
        let made =
            |period: &str| db.read(|tx| made_on(tx, "29".parse().unwrap(), period.parse().unwrap())).unwrap();
        assert_eq!((made("122025"), made("012026")), (date(2026, 1, 16), date(2026, 2, 14)));
    }
}
