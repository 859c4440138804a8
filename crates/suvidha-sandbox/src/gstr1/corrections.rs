//! GSTR-1A: corrections of a filed GSTR-1 before the GSTR-3B of its period (notification 12/2024, advisory of July 2024).
//! Its rows are those of a GSTR-1; only when it is open differs.

use rusqlite::Connection;

use super::{GstnError, Subject};
use crate::calendar::{ends_quarter, extended_due_date};
use crate::filed;
use crate::forms::{Form, Frequency};
use crate::preferences::frequency;

/// Why the GSTR-1A of a period takes nothing now. It opens the day after the due date of the GSTR-1, or when that is
/// filed if this is later, and closes with the GSTR-3B.
///
/// # Errors
/// Only those of the database.
pub(super) fn check_open(conn: &Connection, subject: &Subject) -> rusqlite::Result<Result<(), GstnError>> {
    if subject.form != Form::Gstr1a {
        return Ok(Ok(()));
    }
    let closed = |why: String| Ok(Err(GstnError::new("RET12590", why)));
    let period = subject.period;
    let frequency = frequency(conn, subject.gstin, period)?;
    if !subject.rules.has_gstr1a(period) || (frequency == Frequency::Quarterly && !ends_quarter(period)) {
        return Ok(Err(GstnError::new("AUTH113", "Invalid Return Period: it has no GSTR1A")));
    }
    if filed::find(conn, subject.gstin, Form::Gstr1, period)?.is_none() {
        return closed(format!("GSTR1A of {period} opens when its GSTR1 is filed"));
    }
    let due = extended_due_date(conn, Form::Gstr1, frequency, subject.gstin.state(), period)?;
    if subject.today <= due {
        let due = super::documents::written(due);
        return closed(format!("GSTR1A of {period} opens after the due date of its GSTR1, {due}"));
    }
    if filed::find(conn, subject.gstin, Form::Gstr3b, period)?.is_some() {
        return closed(format!("GSTR1A of {period} closed when its GSTR3B was filed"));
    }
    Ok(Ok(()))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use serde_json::json;

    use super::super::testing::{Books, b2b, codes, every_section, payload, period, processed};
    use super::super::{ReturnState, file, proceed_to_file, save, status, summary};
    use super::*;

    /// July 2025 with all its tables, filed on 10 August; it is the 12th.
    fn corrected() -> Books {
        let mut books = Books { today: date(2025, 8, 10), ..Books::with_june() };
        assert_eq!(books.save_july(&every_section()), processed());
        books.file("072025");
        books.today = date(2025, 8, 12);
        books
    }

    impl Books {
        fn correct(&mut self, sections: &serde_json::Value) -> super::super::JobOutcome {
            let tx = self.connection.unchecked_transaction().unwrap();
            let subject = Subject { form: Form::Gstr1a, ..self.subject("072025") };
            let outcome = save(&tx, &subject, &payload("072025", sections)).unwrap();
            tx.commit().unwrap();
            outcome
        }
    }

    #[test]
    fn it_is_open_from_the_due_date_to_gstr3b() {
        let mut books = corrected();
        let new = b2b(&json!({"inum": "NEW/1"}));
        books.today = date(2025, 8, 11);
        assert_eq!(codes(&books.correct(&new)), ["RET12590"]);
        books.today = date(2025, 8, 12);
        assert_eq!(books.correct(&new), processed());
        let tx = books.connection.unchecked_transaction().unwrap();
        filed::record(&tx, &books.gstin, Form::Gstr3b, period("072025"), "AA", books.today).unwrap();
        tx.commit().unwrap();
        assert_eq!(codes(&books.correct(&new)), ["RET12590"]);
        let mut early = Books { today: date(2025, 8, 12), ..Books::new() };
        assert_eq!(codes(&early.correct(&new)), ["RET12590"], "GSTR-1 is not filed");
        early.rules.as_of = Some(period("072024"));
        assert_eq!(codes(&early.correct(&new)), ["AUTH113"], "there was none before August 2024");
    }

    #[test]
    fn it_adds_documents_and_amends_those_of_its_own_gstr1() {
        let mut books = corrected();
        let inum = every_section()["b2b"][0]["inv"][0]["inum"].clone();
        let same_number = b2b(&json!({"inum": inum}));
        assert_eq!(
            codes(&books.correct(&same_number)),
            ["RET191111"],
            "what is filed is amended, not sent again"
        );
        let original = &every_section()["b2b"][0];
        let mut amended = original["inv"][0].clone();
        amended["oinum"] = amended["inum"].clone();
        amended["oidt"] = amended["idt"].clone();
        amended
            .as_object_mut()
            .unwrap()
            .retain(|key, _| !["srctyp", "irn", "irngendate"].contains(&key.as_str()));
        let amendment = json!({"b2ba": [{"ctin": original["ctin"], "inv": [amended]}]});
        assert_eq!(books.correct(&amendment), processed());
        assert_eq!(codes(&books.save("072025", &payload("072025", &amendment))), ["RET191183"]);
    }

    #[test]
    fn it_is_filed_once_and_needs_no_table_12_or_13() {
        let mut books = corrected();
        assert_eq!(books.correct(&b2b(&json!({"inum": "NEW/1"}))), processed());
        let tx = books.connection.unchecked_transaction().unwrap();
        let subject = Subject { form: Form::Gstr1a, ..books.subject("072025") };
        assert_eq!(proceed_to_file(&tx, &subject, false).unwrap(), processed());
        let summary = summary(&tx, &subject, false).unwrap().unwrap();
        file(&tx, &subject, &summary, "AA2707250000019").unwrap();
        assert!(
            matches!(status(&tx, &subject).unwrap(), ReturnState::Filed(filed) if filed.form == Form::Gstr1a)
        );
        tx.commit().unwrap();
        assert_eq!(codes(&books.correct(&b2b(&json!({"inum": "NEW/2"})))), ["RET191183"]);
    }
}
