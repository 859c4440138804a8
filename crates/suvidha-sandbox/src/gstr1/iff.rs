//! The invoice furnishing facility: a quarterly filer's GSTR-1 of the first and second month of a quarter. It is
//! optional, takes documents to registered recipients only, and ends on its due date (Rule 59(2), advisory of 2021).

use rusqlite::Connection;
use serde_json::Value;

use super::store;
use super::tables::TABLES;
use super::{GstnError, Subject};
use crate::amounts::Amount;
use crate::calendar::{ends_quarter, extended_due_date, quarter_of};
use crate::forms::{Form, Frequency};
use crate::preferences::frequency;

/// What an IFF may hold.
const SECTIONS: [&str; 5] = ["b2b", "b2ba", "cdnr", "cdnra", "ecom"];
/// The value of a month's documents may not exceed 50 lakh rupees.
const LARGEST_VALUE: Amount = Amount::rupees(5_000_000);

/// Whether the return is an IFF.
///
/// # Errors
/// Only those of the database.
pub fn is_iff(conn: &Connection, subject: &Subject) -> rusqlite::Result<bool> {
    let may_be =
        subject.form == Form::Gstr1 && subject.rules.has_iff(subject.period) && !ends_quarter(subject.period);
    Ok(may_be && frequency(conn, subject.gstin, subject.period)? == Frequency::Quarterly)
}

/// Why an IFF cannot take a payload: it is past its day (RET12590), or a section does not belong into it (RET191106).
pub(super) fn check_save(
    conn: &Connection,
    subject: &Subject,
    payload: &Value,
) -> rusqlite::Result<Result<(), GstnError>> {
    if !is_iff(conn, subject)? {
        return Ok(Ok(()));
    }
    let foreign = TABLES
        .iter()
        .map(|table| table.section)
        .find(|section| !SECTIONS.contains(section) && payload.get(*section).is_some());
    if let Some(section) = foreign {
        let message = format!(
            "Error in Json structure validation: {section} does not belong into the IFF of a quarterly filer; it \
             takes b2b, b2ba, cdnr, cdnra and ecom"
        );
        return Ok(Err(GstnError::new("RET191106", message)));
    }
    expired(conn, subject)
}

/// Why an IFF cannot be filed: it is past its day (RET12590), or its documents are worth too much (RET11403).
pub(super) fn check_filing(conn: &Connection, subject: &Subject) -> rusqlite::Result<Result<(), GstnError>> {
    if !is_iff(conn, subject)? {
        return Ok(Ok(()));
    }
    let value: Amount = store::all_rows(conn, subject)?.iter().map(|kept| kept.row.amount("val")).sum();
    if value > LARGEST_VALUE {
        let message =
            "Invalid API Request: the documents of an IFF may be worth 50 lakh rupees a month at most";
        return Ok(Err(GstnError::new("RET11403", message)));
    }
    expired(conn, subject)
}

/// A nil quarterly GSTR-1 is not allowed while an IFF of its quarter holds rows that were not filed.
pub(super) fn unfiled_rows_of_the_quarter(conn: &Connection, subject: &Subject) -> rusqlite::Result<bool> {
    let is_quarterly = ends_quarter(subject.period)
        && subject.rules.has_iff(subject.period)
        && frequency(conn, subject.gstin, subject.period)? == Frequency::Quarterly;
    if !is_quarterly {
        return Ok(false);
    }
    for period in &quarter_of(subject.period)[..2] {
        let month = Subject { period: *period, ..*subject };
        let standing = store::standing(conn, month.gstin, month.form, month.period)?;
        if standing.filed.is_none() && store::has_rows(conn, &month)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn expired(conn: &Connection, subject: &Subject) -> rusqlite::Result<Result<(), GstnError>> {
    let (state, period) = (subject.gstin.state(), subject.period);
    let last = extended_due_date(conn, Form::Gstr1, Frequency::Quarterly, state, period)?;
    if subject.today <= last {
        return Ok(Ok(()));
    }
    let message = format!(
        "The save is not allowed for the current date: the IFF of {period} ended on {}; report its documents in \
         the next IFF or in the GSTR1 of the quarter",
        super::documents::written(last)
    );
    Ok(Err(GstnError::new("RET12590", message)))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use serde_json::json;

    use super::super::testing::{Books, b2b, codes, every_section, payload, processed};

    /// A quarterly filer on 10 August 2025: the IFF of July is open.
    fn quarterly() -> Books {
        let books = Books { today: date(2025, 8, 10), ..Books::new() };
        books
            .connection
            .execute_batch("INSERT INTO filing_preferences VALUES ('27AAPFU0939F1ZV', '2025Q3', 'Q')")
            .unwrap();
        books
    }

    #[test]
    fn an_iff_takes_documents_to_registered_recipients_until_its_day() {
        let mut books = quarterly();
        assert_eq!(books.save_july(&b2b(&json!({}))), processed());
        let consumers = json!({"b2cs": every_section()["b2cs"]});
        assert_eq!(codes(&books.save_july(&consumers)), ["RET191106"]);
        books.today = date(2025, 8, 13);
        assert_eq!(books.save_july(&b2b(&json!({"inum": "A2"}))), processed());
        books.today = date(2025, 8, 14);
        assert_eq!(codes(&books.save_july(&b2b(&json!({"inum": "A3"})))), ["RET12590"]);
        assert_eq!(codes(&books.proceed("072025", false)), ["RET12590"]);
        books.today = date(2025, 10, 10);
        let quarter = payload("092025", &b2b(&json!({"inum": "A2"})));
        assert_eq!(books.save("092025", &quarter), processed(), "what was not filed may be reported again");
    }

    #[test]
    fn an_iff_needs_neither_table_12_nor_13_and_may_be_worth_50_lakh() {
        let mut books = quarterly();
        let item = json!([{"num": 1, "itm_det": {"rt": 0, "txval": 5_000_000, "iamt": 0}}]);
        assert_eq!(books.save_july(&b2b(&json!({"val": 5_000_000, "itms": item}))), processed());
        let small = json!([{"num": 1, "itm_det": {"rt": 0, "txval": 0.01, "iamt": 0}}]);
        assert_eq!(books.save_july(&b2b(&json!({"inum": "A2", "val": 0.01, "itms": small}))), processed());
        assert_eq!(codes(&books.proceed("072025", false)), ["RET11403"]);
        books.reset("072025");
        assert_eq!(books.save_july(&b2b(&json!({"val": 5_000_000, "itms": item}))), processed());
        assert_eq!(books.proceed("072025", false), processed());
    }

    #[test]
    fn a_quarter_is_not_nil_while_an_iff_waits() {
        let mut books = quarterly();
        books.save_july(&b2b(&json!({})));
        books.today = date(2025, 10, 10);
        assert_eq!(codes(&books.proceed("092025", true)), ["RET11403"]);
        books.reset("072025");
        assert_eq!(books.proceed("092025", true), processed());
    }
}
