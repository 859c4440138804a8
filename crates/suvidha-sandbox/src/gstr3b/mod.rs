//! GSTR-3B, the return by which tax is paid: what is saved, what is owed, and how it may be paid.
//!
//! `autoliab` draws values from the filed GSTR-1 and from GSTR-2B; `form` is what the taxpayer saves; `payable` turns it into what is
//! owed, `utilisation` judges a payment, and `offset` posts it to the ledgers. `status` moves the return from saved to
//! offset to filed. `interest`, `late_fee` and `statements` are what a return carries over to the next one. This engine knows no
//! HTTP; amounts are whole paise, and the clock comes in as [`Taxable::today`].

pub(crate) mod autoliab;
mod breakup;
mod form;
pub(crate) mod interest;
pub(crate) mod late_fee;
mod offset;
mod payable;
#[cfg(test)]
mod properties;
mod save;
pub(crate) mod statements;
mod status;
mod store;
mod summary;
#[cfg(test)]
mod testing;
mod utilisation;
pub(crate) mod valid;

use gstn::{Gstin, ReturnPeriod, StateCode};
use jiff::civil::Date;
use rusqlite::Connection;
use serde_json::json;

use crate::calendar::{ends_quarter, extended_due_date, first_day, last_day};
use crate::forms::{Form, Frequency};
use crate::gstr1::{GstnError, JobOutcome, JobStatus};
use crate::preferences::frequency;
use crate::rules::Rules;
use crate::taxpayers::{Scheme, Taxpayer};

pub(crate) use breakup::save_breakup;
pub(crate) use form::Supply;
pub(crate) use offset::{offset, precheck_offset};
pub(crate) use save::{precheck_save, save};
pub(crate) use status::{file, precheck_file};
pub(crate) use store::create_tables;
pub(crate) use summary::{open_liability, summary};

/// Whose GSTR-3B is meant, for which period, and when it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taxable<'a> {
    pub(crate) gstin: &'a Gstin,
    pub(crate) state: StateCode,
    pub(crate) period: ReturnPeriod,
    pub(crate) frequency: Frequency,
    /// The date in India by the tax clock.
    pub(crate) today: Date,
    pub(crate) registered_on: Date,
    /// The day the registration ended, if it did.
    pub(crate) cancelled_on: Option<Date>,
    pub(crate) scheme: Scheme,
    /// Aggregate turnover of the year before, in whole rupees.
    pub(crate) turnover: i64,
    pub(crate) rules: Rules,
}

impl<'a> Taxable<'a> {
    /// The return of a taxpayer, with the frequency chosen for its quarter.
    pub(crate) fn new(
        conn: &Connection,
        taxpayer: &'a Taxpayer,
        period: ReturnPeriod,
        today: Date,
        rules: Rules,
    ) -> rusqlite::Result<Self> {
        Ok(Self {
            gstin: &taxpayer.gstin,
            state: taxpayer.state,
            period,
            frequency: frequency(conn, &taxpayer.gstin, period)?,
            today,
            registered_on: taxpayer.registered_on,
            cancelled_on: taxpayer.cancelled_on,
            scheme: taxpayer.scheme,
            turnover: taxpayer.turnover,
            rules,
        })
    }

    /// The return of another period, judged the same way.
    fn at(self, conn: &Connection, period: ReturnPeriod) -> rusqlite::Result<Self> {
        Ok(Self { period, frequency: frequency(conn, self.gstin, period)?, ..self })
    }

    fn due(&self, conn: &Connection) -> rusqlite::Result<Date> {
        extended_due_date(conn, Form::Gstr3b, self.frequency, self.state, self.period)
    }

    /// RTN_27: a taxpayer who files another form. RT-3BGV1005: a period that has no GSTR-3B. Quarterly filers have one
    /// for the last month of a quarter only.
    pub(crate) fn check_period(&self) -> Result<(), GstnError> {
        if matches!(self.scheme, Scheme::Composition | Scheme::Isd | Scheme::NonResident) {
            return Err(refusal("RTN_27", "The User is not a Registered Normal Taxpayer"));
        }
        let begun = first_day(self.period) <= self.today && last_day(self.period) >= self.registered_on;
        let begun = begun && self.cancelled_on.is_none_or(|day| first_day(self.period) <= day);
        let named = self.frequency == Frequency::Monthly || ends_quarter(self.period);
        if begun && named && Rules::is_under_gst(self.period) {
            return Ok(());
        }
        Err(refusal("RT-3BGV1005", "Invalid return period for GSTR3B"))
    }
}

/// An error in GSTN's words.
fn refusal(code: &'static str, message: impl Into<String>) -> GstnError {
    GstnError { code, message: message.into() }
}

/// The end of a job that did what it should.
fn processed() -> JobOutcome {
    JobOutcome { status: JobStatus::Processed, error_report: None }
}

/// The end of CMPINT: interest follows from what is kept, and is computed whenever it is read.
pub(crate) fn computed() -> JobOutcome {
    processed()
}

/// The end of a job that did nothing.
fn refused(error: &GstnError) -> JobOutcome {
    let report = json!({ "error_msg": error.message, "error_cd": error.code });
    JobOutcome { status: JobStatus::Error, error_report: Some(report) }
}
