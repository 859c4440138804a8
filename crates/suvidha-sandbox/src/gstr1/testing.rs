//! Books in memory, for the tests of this engine.

use gstn::{Gstin, ReturnPeriod};
use jiff::civil::{Date, date};
use rusqlite::Connection;
use serde_json::{Value, json};

use super::{
    Fault, Form, GstnError, JobOutcome, JobStatus, ReturnState, Rules, SectionQuery, Subject, create_tables,
    file, proceed_to_file, reset, save, section, status, summary,
};

/// The supplier, in Maharashtra.
pub(super) const SUPPLIER: &str = "27AAPFU0939F1ZV";
/// A customer in Tamil Nadu.
pub(super) const CUSTOMER: &str = "33AANCS2882A1ZG";
/// A customer in the supplier's own state.
pub(super) const NEIGHBOUR: &str = "27AAICN6997Q3Z4";
/// An e-commerce operator.
pub(super) const OPERATOR: &str = "27AAICF1234Q1CL";

pub(super) struct Books {
    pub(super) connection: Connection,
    pub(super) gstin: Gstin,
    pub(super) today: Date,
    pub(super) registered_on: Date,
    pub(super) above_five_crore: bool,
    pub(super) rules: Rules,
}

impl Books {
    /// Nothing saved; it is 20 August 2025.
    pub(super) fn new() -> Self {
        let connection = Connection::open_in_memory().unwrap();
        create_tables(&connection).unwrap();
        connection.execute_batch(include_str!("../schema.sql")).unwrap();
        Self {
            connection,
            gstin: SUPPLIER.parse().unwrap(),
            today: date(2025, 8, 20),
            registered_on: date(2017, 7, 1),
            above_five_crore: false,
            rules: Rules { previous_return_first: false, ..Rules::default() },
        }
    }

    /// With the return of June 2025 filed, to which the amendments of `every_section` refer.
    pub(super) fn with_june() -> Self {
        let mut books = Self::new();
        assert_eq!(books.save("062025", &june()), processed());
        books.file("062025");
        books
    }

    pub(super) fn subject(&self, period: &str) -> Subject<'_> {
        Subject {
            gstin: &self.gstin,
            form: Form::Gstr1,
            period: self::period(period),
            today: self.today,
            registered_on: self.registered_on,
            above_five_crore: self.above_five_crore,
            rules: self.rules,
        }
    }

    fn write<T, E: std::fmt::Debug>(
        &mut self,
        period: &str,
        work: impl FnOnce(&rusqlite::Transaction, &Subject) -> Result<T, E>,
    ) -> Result<T, E> {
        let tx = self.connection.unchecked_transaction().unwrap();
        let outcome = work(&tx, &self.subject(period));
        tx.commit().unwrap();
        outcome
    }

    pub(super) fn save(&mut self, period: &str, payload: &Value) -> JobOutcome {
        self.write(period, |tx, subject| save(tx, subject, payload)).unwrap()
    }

    /// Saves sections, which need no `gstin` and `fp`, into July 2025.
    pub(super) fn save_july(&mut self, sections: &Value) -> JobOutcome {
        self.save("072025", &payload("072025", sections))
    }

    pub(super) fn reset(&mut self, period: &str) -> JobOutcome {
        self.write(period, reset).unwrap()
    }

    pub(super) fn proceed(&mut self, period: &str, isnil: bool) -> JobOutcome {
        self.write(period, |tx, subject| proceed_to_file(tx, subject, isnil)).unwrap()
    }

    /// Files with the summary as it stands, and must succeed.
    pub(super) fn file(&mut self, period: &str) {
        assert_eq!(self.proceed(period, false), processed());
        let summary = self.summary(period, false).unwrap();
        assert_eq!(self.try_file(period, &summary), Ok(()));
    }

    pub(super) fn try_file(&mut self, period: &str, summary: &Value) -> Result<(), &'static str> {
        match self.write(period, |tx, subject| file(tx, subject, summary, "AA270625000001Z")) {
            Ok(()) => Ok(()),
            Err(Fault::Gstn(error)) => Err(error.code),
            Err(Fault::Database(error)) => panic!("{error}"),
        }
    }

    pub(super) fn summary(&self, period: &str, long: bool) -> Option<Value> {
        summary(&self.connection, &self.subject(period), long).unwrap()
    }

    pub(super) fn status(&self, period: &str) -> ReturnState {
        status(&self.connection, &self.subject(period)).unwrap()
    }

    pub(super) fn section(&self, period: &str, action: &str) -> Option<Value> {
        self.section_where(period, action, &SectionQuery::default()).unwrap()
    }

    pub(super) fn section_where(
        &self,
        period: &str,
        action: &str,
        query: &SectionQuery,
    ) -> Result<Option<Value>, GstnError> {
        match section(&self.connection, &self.subject(period), action, query) {
            Ok(value) => Ok(value),
            Err(Fault::Gstn(error)) => Err(error),
            Err(Fault::Database(error)) => panic!("{error}"),
        }
    }

    /// The line of a section in the summary of July 2025.
    pub(super) fn line(&self, name: &str) -> Value {
        let summary = self.summary("072025", false).unwrap();
        summary["sec_sum"].as_array().unwrap().iter().find(|line| line["sec_nm"] == name).unwrap().clone()
    }
}

pub(super) fn processed() -> JobOutcome {
    JobOutcome { status: JobStatus::Processed, error_report: None }
}

pub(super) fn june() -> Value {
    serde_json::from_str(include_str!("testdata/june_2025.json")).unwrap()
}

/// A payload for July 2025 that touches every section.
pub(super) fn every_section() -> Value {
    serde_json::from_str(include_str!("testdata/every_section.json")).unwrap()
}

pub(super) fn payload(period: &str, sections: &Value) -> Value {
    let mut payload = json!({ "gstin": SUPPLIER, "fp": period });
    payload.as_object_mut().unwrap().extend(sections.as_object().unwrap().clone());
    payload
}

pub(super) fn period(text: &str) -> ReturnPeriod {
    text.parse().unwrap()
}

/// A B2B section with one invoice of 1000 rupees at 18 % from Maharashtra to Tamil Nadu, with `changes` merged
/// into the invoice. `null` takes a key away; `ctin` goes where it belongs.
pub(super) fn b2b(changes: &Value) -> Value {
    let mut invoice = json!({
        "inum": "A/1", "idt": "05-07-2025", "val": 1180, "pos": "33", "rchrg": "N", "inv_typ": "R",
        "itms": [{ "num": 1, "itm_det": { "rt": 18, "txval": 1000, "iamt": 180 } }]
    });
    merge(&mut invoice, changes);
    let ctin = invoice.as_object_mut().unwrap().remove("ctin").unwrap_or_else(|| CUSTOMER.into());
    json!({ "b2b": [{ "ctin": ctin, "inv": [invoice] }] })
}

pub(super) fn merge(object: &mut Value, changes: &Value) {
    let object = object.as_object_mut().unwrap();
    for (key, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(object.remove(key)),
            value => drop(object.insert(key.clone(), value.clone())),
        }
    }
}

/// One numbered item.
pub(super) fn item(rt: f64, txval: f64, tax: &Value) -> Value {
    let mut detail = json!({ "rt": rt, "txval": txval });
    merge(&mut detail, tax);
    json!([{ "num": 1, "itm_det": detail }])
}

/// Every `error_cd` in a report, in order.
pub(super) fn codes(outcome: &JobOutcome) -> Vec<String> {
    fn collect(value: &Value, codes: &mut Vec<String>) {
        match value {
            Value::Object(object) => {
                codes.extend(object.get("error_cd").and_then(Value::as_str).map(str::to_owned));
                object.values().for_each(|value| collect(value, codes));
            }
            Value::Array(values) => values.iter().for_each(|value| collect(value, codes)),
            _ => {}
        }
    }
    let mut codes = Vec::new();
    outcome.error_report.iter().for_each(|report| collect(report, &mut codes));
    codes
}
