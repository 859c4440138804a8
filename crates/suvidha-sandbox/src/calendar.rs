//! When what is due: the days that the rules name, and those to which a notification moved them.

use gstn::{ReturnPeriod, StateCode};
use jiff::ToSpan;
use jiff::civil::Date;
use rusqlite::{Connection, OptionalExtension, params};

use crate::forms::{Form, Frequency};

/// States whose quarterly GSTR-3B is due on the 22nd; in all others it is the 24th (notification 85/2020). 25 was
/// merged into 26, 28 is Andhra Pradesh before its division.
const DUE_ON_THE_22ND: [&str; 16] =
    ["22", "23", "24", "25", "26", "27", "28", "29", "30", "31", "32", "33", "34", "35", "36", "37"];

/// The day on which `form` of `period` is due. A quarterly filer's GSTR-1 of a quarter's first and second month is
/// the IFF; what cannot be filed has the day of GSTR-3B.
pub(crate) fn due_date(form: Form, frequency: Frequency, state: StateCode, period: ReturnPeriod) -> Date {
    let day = match (form, frequency) {
        (Form::Gstr1, Frequency::Monthly) => 11,
        (Form::Gstr1, Frequency::Quarterly) => 13,
        (_, Frequency::Monthly) => 20,
        (_, Frequency::Quarterly) if DUE_ON_THE_22ND.contains(&state.as_str()) => 22,
        (_, Frequency::Quarterly) => 24,
    };
    day_after(period, day)
}

/// [`due_date`], or the later day to which it was extended.
pub(crate) fn extended_due_date(
    conn: &Connection,
    form: Form,
    frequency: Frequency,
    state: StateCode,
    period: ReturnPeriod,
) -> rusqlite::Result<Date> {
    let extended: Option<String> = conn
        .prepare_cached("SELECT due FROM due_date_extensions WHERE form = ?1 AND period = ?2")?
        .query_row(params![form.as_str(), period.to_string()], |row| row.get(0))
        .optional()?;
    let due = due_date(form, frequency, state, period);
    Ok(extended.and_then(|day| day.parse().ok()).map_or(due, |day: Date| day.max(due)))
}

/// `day` of the month after `period`.
pub(crate) fn day_after(period: ReturnPeriod, day: i8) -> Date {
    let next = first_day(period).saturating_add(1.month());
    next.with().day(day).build().unwrap_or(next)
}

/// The first day of a period.
pub(crate) fn first_day(period: ReturnPeriod) -> Date {
    civil(period.first_day())
}

/// The last day of a period.
pub(crate) fn last_day(period: ReturnPeriod) -> Date {
    civil(period.last_day())
}

/// The months of the quarter in which `period` lies; quarters begin in January, April, July and October.
pub(crate) fn quarter_of(period: ReturnPeriod) -> [ReturnPeriod; 3] {
    let first = (period.month() - 1) / 3 * 3 + 1;
    [0, 1, 2].map(|month| ReturnPeriod::new(period.year(), first + month).unwrap_or(period))
}

/// Whether `period` is the last month of its quarter, by which the quarter is named.
pub(crate) fn ends_quarter(period: ReturnPeriod) -> bool {
    period.month().is_multiple_of(3)
}

/// The return period in which `day` lies.
pub(crate) fn period_of(day: Date) -> Option<ReturnPeriod> {
    ReturnPeriod::new(u16::try_from(day.year()).ok()?, u8::try_from(day.month()).ok()?)
}

/// The days of a [`ReturnPeriod`] exist: its year is 1900 to 2099.
fn civil((year, month, day): (i16, u8, u8)) -> Date {
    Date::new(year, month.cast_signed(), day.cast_signed()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::db::Db;

    #[test]
    fn every_form_has_its_day() {
        let period = "122025".parse().unwrap();
        for (form, frequency, state, due) in [
            (Form::Gstr1, Frequency::Monthly, "29", date(2026, 1, 11)),
            (Form::Gstr1, Frequency::Quarterly, "29", date(2026, 1, 13)),
            (Form::Gstr3b, Frequency::Monthly, "07", date(2026, 1, 20)),
            (Form::Gstr3b, Frequency::Quarterly, "29", date(2026, 1, 22)),
            (Form::Gstr3b, Frequency::Quarterly, "07", date(2026, 1, 24)),
        ] {
            assert_eq!(
                due_date(form, frequency, state.parse().unwrap(), period),
                due,
                "{form:?} {frequency:?}"
            );
        }
    }

    #[test]
    fn an_extension_moves_a_due_date_and_never_brings_it_forward() {
        let dir = tempfile::tempdir().unwrap();
        let db = Db::open(dir.path()).unwrap();
        let due = |period: &str| {
            let (state, period) = ("29".parse().unwrap(), period.parse().unwrap());
            db.read(|tx| extended_due_date(tx, Form::Gstr1, Frequency::Monthly, state, period)).unwrap()
        };
        db.write(|tx| {
            tx.execute_batch(
                "INSERT INTO due_date_extensions VALUES ('R1', '122024', '2025-01-13'), ('R1', '112024', '2024-12-01')",
            )
        })
        .unwrap();
        assert_eq!(due("122024"), date(2025, 1, 13));
        assert_eq!(due("112024"), date(2024, 12, 11));
        assert_eq!(due("102024"), date(2024, 11, 11));
    }

    #[test]
    fn a_quarter_is_named_by_its_last_month() {
        let of = |period: &str| quarter_of(period.parse().unwrap()).map(|month| month.to_string());
        assert_eq!(of("012026"), ["012026", "022026", "032026"]);
        assert_eq!(of("122025"), ["102025", "112025", "122025"]);
        assert!(ends_quarter("122025".parse().unwrap()) && !ends_quarter("112025".parse().unwrap()));
        assert_eq!(period_of(date(2026, 2, 28)), Some("022026".parse().unwrap()));
    }
}
