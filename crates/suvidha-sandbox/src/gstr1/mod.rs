//! GSTR-1, the statement of outward supplies: what a save does to the books, and what can be read back.
//!
//! This engine knows no HTTP and no cryptography. It works on a SQLite connection, and the clock comes in as
//! [`Subject::today`]. A save travels `schema` (is it the shape GSTN publishes?) → `rows` (one row per
//! document) → `checks` (may this row stand?) → `store`; what was refused goes back through `report`.
//! `sections` and `summary` read the books again, and `status` moves the return from "not filed" to "filed".
//!
//! Strength of the rules, as the comments give it: C read in a source, A from an advisory, I inferred, K general
//! knowledge. Rules that depend on a date stand in `rules`, and nowhere else.

mod annual;
mod checks;
mod checksum;
mod corrections;
mod documents;
mod iff;
pub(crate) mod liability;
mod notation;
mod originals;
pub(crate) mod outward;
mod populate;
#[cfg(test)]
mod properties;
mod reconcile;
mod report;
mod rows;
mod save;
mod schema;
mod sections;
mod statements;
mod status;
mod store;
mod stretch;
mod summary;
mod tables;
mod taxes;
#[cfg(test)]
mod testing;
mod totals;

use gstn::{Gstin, ReturnPeriod};
use jiff::civil::Date;
use serde_json::Value;

pub use crate::filed::Filed;
pub use crate::forms::Form;
pub use crate::rules::Rules;
pub(crate) use annual::{Annual, Line, Sum};
pub use iff::is_iff;
pub use populate::{Populated, populate, withdraw};
pub use save::{precheck_save, save};
pub(crate) use schema::parse_date;
pub use sections::{SectionQuery, section};
pub use status::{
    ReturnState, file, precheck_file, precheck_proceed_to_file, precheck_submit, proceed_to_file, reset,
    status, submit, sum_up, was_nil,
};
pub use store::create_tables;
pub use stretch::{Place as SectionPlace, Stretch, stretch};
pub use summary::summary;

/// Whose return is meant, for which month, and when it is.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The supplier.
    pub gstin: &'a Gstin,
    /// GSTR-1, or GSTR-1A with its corrections.
    pub form: Form,
    /// The tax period of the return.
    pub period: ReturnPeriod,
    /// The date in India.
    pub today: Date,
    /// Documents older than the registration are refused.
    pub registered_on: Date,
    /// Aggregate turnover above 5 crore rupees asks for longer HSN codes.
    pub above_five_crore: bool,
    /// Which rules hold.
    pub rules: Rules,
}

impl<'a> Subject<'a> {
    /// A supplier below 5 crore, under the default rules.
    pub fn new(gstin: &'a Gstin, period: ReturnPeriod, today: Date, registered_on: Date) -> Self {
        let (form, rules) = (Form::Gstr1, Rules::default());
        Self { gstin, form, period, today, registered_on, above_five_crore: false, rules }
    }

    /// Whether a kept row is of this return.
    fn owns(&self, kept: &store::KeptRow) -> bool {
        kept.form == self.form && kept.period == self.period
    }

    /// Whether a kept row was filed in a return before this one; GSTR-1A comes after the GSTR-1 of its period.
    fn follows(&self, kept: &store::KeptRow) -> bool {
        kept.filed && (kept.period, kept.form) < (self.period, self.form)
    }

    /// `GSTR1` or `GSTR1A`.
    fn form_name(&self) -> &'static str {
        self.form.long_name()
    }

    /// The two digits of the supplier's state.
    fn state(&self) -> &'static str {
        self.gstin.state().as_str()
    }
}

/// How an asynchronous job ended, as RETSTATUS shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobStatus {
    /// `P`: everything was taken.
    Processed,
    /// `PE`: some rows were refused, the others were taken.
    ProcessedWithErrors,
    /// `ER`: nothing was taken.
    Error,
}

impl JobStatus {
    /// `P`, `PE` or `ER`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Processed => "P",
            Self::ProcessedWithErrors => "PE",
            Self::Error => "ER",
        }
    }
}

/// The end of a save, a reset or a proceed-to-file.
#[derive(Debug, Clone, PartialEq)]
pub struct JobOutcome {
    /// `P`, `PE` or `ER`.
    pub status: JobStatus,
    /// With `PE` and `ER`: by section the refused rows as they were sent, or flat `error_msg` and `error_cd`
    /// when the whole payload was refused (gstn.md 3.9).
    pub error_report: Option<Value>,
}

impl JobOutcome {
    fn processed() -> Self {
        Self { status: JobStatus::Processed, error_report: None }
    }

    fn refused(error: &GstnError) -> Self {
        Self { status: JobStatus::Error, error_report: Some(report::flat(error)) }
    }
}

/// An error in GSTN's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct GstnError {
    /// Such as `RET191106`.
    pub code: &'static str,
    /// For people.
    pub message: String,
}

impl GstnError {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// Why a call was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// GSTN says no.
    #[error(transparent)]
    Gstn(#[from] GstnError),
    /// The books could not be read or written.
    #[error(transparent)]
    Database(#[from] rusqlite::Error),
}
