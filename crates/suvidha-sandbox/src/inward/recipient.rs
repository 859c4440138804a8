//! One recipient: its statements of credit, when they were or are to be made, and where a document stands between them.

use std::cell::RefCell;
use std::collections::BTreeMap;

use gstn::{Gstin, ReturnPeriod};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use super::ims::actions::{self, Action, History};
use super::returns::InwardReturn;
use super::{Moment, cut_off};
use crate::calendar::{ends_quarter, extended_due_date, last_day, quarter_of};
use crate::clock::{from_millis, ist_date};
use crate::duties;
use crate::filed;
use crate::forms::{Form, Frequency};
use crate::preferences;
use crate::taxpayers::{self, Scheme, Taxpayer};

/// A recipient, with what was found out about its periods so far.
pub(super) struct Recipient<'a> {
    pub(super) conn: &'a Connection,
    pub(super) moment: &'a Moment,
    pub(super) gstin: Gstin,
    taxpayer: Option<Taxpayer>,
    periods: RefCell<BTreeMap<ReturnPeriod, Period>>,
    names: RefCell<BTreeMap<Gstin, String>>,
    statements: RefCell<BTreeMap<InwardReturn, ReturnPeriod>>,
    frequencies: RefCell<BTreeMap<(Gstin, ReturnPeriod), Frequency>>,
}

/// A period of a recipient, named by the month of its statement.
#[derive(Debug, Clone, Copy)]
struct Period {
    /// When the statement was made, or falls due by itself; none when it is not made by itself.
    made: Option<Made>,
    /// When the period's GSTR-3B was filed.
    closed_on: Option<Date>,
}

/// The making of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) at: Timestamp,
    /// The last IMS action that counts.
    pub(super) last_action: i64,
}

/// Where a document stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// It belongs to the statement of a period whose GSTR-3B is not filed yet.
    Open(ReturnPeriod),
    /// It was in the statement of a period that is over, and counted or was rejected there.
    Closed(ReturnPeriod),
}

/// Why there is no statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoStatement {
    /// The taxpayer, or the time, has none.
    Never,
    /// Quarterly filers have one statement a quarter.
    NotThisMonth,
    /// It is made later.
    TooEarly,
    /// GSTR-3B of the period before was not filed in time.
    PreviousReturnMissing,
}

impl<'a> Recipient<'a> {
    pub(super) fn new(conn: &'a Connection, moment: &'a Moment, gstin: &Gstin) -> rusqlite::Result<Self> {
        let taxpayer = taxpayers::by_gstin(conn, gstin, "")?;
        Ok(Self {
            conn,
            moment,
            gstin: *gstin,
            taxpayer,
            periods: RefCell::default(),
            names: RefCell::default(),
            statements: RefCell::default(),
            frequencies: RefCell::default(),
        })
    }

    pub(super) fn frequency(&self, period: ReturnPeriod) -> rusqlite::Result<Frequency> {
        self.frequency_of(&self.gstin, period)
    }

    /// How often a supplier, or the recipient, files.
    pub(super) fn frequency_of(&self, gstin: &Gstin, period: ReturnPeriod) -> rusqlite::Result<Frequency> {
        if let Some(known) = self.frequencies.borrow().get(&(*gstin, period)) {
            return Ok(*known);
        }
        let found = preferences::frequency(self.conn, gstin, period)?;
        self.frequencies.borrow_mut().insert((*gstin, period), found);
        Ok(found)
    }

    /// The month into whose window a filed return falls.
    pub(super) fn month_of(&self, filed: &InwardReturn) -> rusqlite::Result<ReturnPeriod> {
        if let Some(known) = self.statements.borrow().get(filed) {
            return Ok(*known);
        }
        let found = cut_off::statement_of(self.conn, filed)?;
        self.statements.borrow_mut().insert(*filed, found);
        Ok(found)
    }

    /// The month in whose statement the documents of `month` are.
    pub(super) fn statement_month(&self, month: ReturnPeriod) -> rusqlite::Result<ReturnPeriod> {
        let by_quarter =
            self.frequency(month)? == Frequency::Quarterly && self.moment.rules.has_invoice_management(month);
        Ok(if by_quarter { quarter_of(month)[2] } else { month })
    }

    /// The months whose documents the statement of `period` holds.
    ///
    /// Before IMS a quarterly filer had a statement of every month, and one of the quarter with the last month.
    pub(super) fn months(&self, period: ReturnPeriod) -> rusqlite::Result<Vec<ReturnPeriod>> {
        let frequency = self.frequency(period)?;
        let is_quarter = ends_quarter(period) || self.moment.rules.has_invoice_management(period);
        Ok(if is_quarter { cut_off::months_of(frequency, period) } else { vec![period] })
    }

    /// The statement after that of `period`.
    pub(super) fn next(&self, period: ReturnPeriod) -> rusqlite::Result<Option<ReturnPeriod>> {
        period.next().map(|month| self.statement_month(month)).transpose()
    }

    /// The trade name of a supplier; empty for one that the sandbox does not have.
    pub(super) fn name_of(&self, supplier: &Gstin) -> rusqlite::Result<String> {
        if let Some(name) = self.names.borrow().get(supplier) {
            return Ok(name.clone());
        }
        let found = taxpayers::by_gstin(self.conn, supplier, "")?;
        let name = found.map(|taxpayer| taxpayer.trade_name).unwrap_or_default();
        self.names.borrow_mut().insert(*supplier, name.clone());
        Ok(name)
    }

    /// Why there is no statement of `period` that could be made; `Ok(())` where there is.
    pub(super) fn may_have_statement(
        &self,
        period: ReturnPeriod,
    ) -> rusqlite::Result<Result<(), NoStatement>> {
        let entitled = self.taxpayer.as_ref().is_some_and(|taxpayer| {
            let scheme = taxpayer.scheme;
            !matches!(scheme, Scheme::Composition | Scheme::Isd | Scheme::NonResident)
                && taxpayer.registered_on <= last_day(period)
        });
        if !entitled || !self.moment.rules.has_statement_of_credit(period) {
            return Ok(Err(NoStatement::Never));
        }
        if self.statement_month(period)? != period {
            return Ok(Err(NoStatement::NotThisMonth));
        }
        let made_on = cut_off::made_on(self.conn, self.gstin.state(), period)?;
        Ok(if self.moment.today() < made_on { Err(NoStatement::TooEarly) } else { Ok(()) })
    }

    /// Whether GSTR-3B of the period before is filed by the end of `day`, or none is asked for: before IMS, and from a
    /// recipient that had neither duties nor receipts then.
    pub(super) fn previous_return_is_filed(
        &self,
        period: ReturnPeriod,
        day: Option<Date>,
    ) -> rusqlite::Result<bool> {
        let Some(before) = self.months(period)?.first().and_then(|month| month.previous()) else {
            return Ok(true);
        };
        let before = self.return_month(before)?;
        if !self.moment.rules.statement_follows_gstr3b(period) {
            return Ok(true);
        }
        match filed::find(self.conn, &self.gstin, Form::Gstr3b, before)? {
            Some(filed) => Ok(day.is_none_or(|day| filed.on <= day)),
            None => Ok(!self.has_past(before)?),
        }
    }

    /// The month by which the GSTR-3B of `month` is named.
    fn return_month(&self, month: ReturnPeriod) -> rusqlite::Result<ReturnPeriod> {
        Ok(match self.frequency(month)? {
            Frequency::Monthly => month,
            Frequency::Quarterly => quarter_of(month)[2],
        })
    }

    /// Whether GSTR-3B of `period` was due: the recipient had begun to file, or had received something.
    fn has_past(&self, period: ReturnPeriod) -> rusqlite::Result<bool> {
        let registered =
            self.taxpayer.as_ref().is_some_and(|taxpayer| taxpayer.registered_on <= last_day(period));
        if !registered || duties::are_owed(self.conn, &self.gstin, period)? {
            return Ok(registered);
        }
        Ok(!cut_off::returns_of(self.conn, &self.gstin, &self.months(period)?)?.is_empty())
    }

    /// When the statement of `period` was made, or when it will be by itself.
    pub(super) fn made(&self, period: ReturnPeriod) -> rusqlite::Result<Option<Made>> {
        Ok(self.period(period)?.made)
    }

    /// When GSTR-3B of the statement's period was filed.
    pub(super) fn closed_on(&self, period: ReturnPeriod) -> rusqlite::Result<Option<Date>> {
        Ok(self.period(period)?.closed_on)
    }

    fn period(&self, period: ReturnPeriod) -> rusqlite::Result<Period> {
        if let Some(known) = self.periods.borrow().get(&period) {
            return Ok(*known);
        }
        let stored = self
            .conn
            .prepare_cached(
                "SELECT made_at, last_action FROM inward_statements WHERE gstin = ?1 AND period = ?2",
            )?
            .query_row(params![self.gstin.as_str(), period.to_string()], |row| {
                Ok(Made { at: from_millis(row.get(0)?), last_action: row.get(1)? })
            })
            .optional()?;
        let made = match stored {
            Some(made) => Some(made),
            None => self.makes_itself(period)?,
        };
        let closed = filed::find(self.conn, &self.gstin, Form::Gstr3b, self.return_month(period)?)?;
        let found = Period { made, closed_on: closed.map(|filed| filed.on) };
        self.periods.borrow_mut().insert(period, found);
        Ok(found)
    }

    /// At the beginning of the day after the last cut-off, if the return before was filed by then.
    fn makes_itself(&self, period: ReturnPeriod) -> rusqlite::Result<Option<Made>> {
        let made_on = cut_off::made_on(self.conn, self.gstin.state(), period)?;
        let in_time = made_on.yesterday().unwrap_or(made_on);
        if !self.previous_return_is_filed(period, Some(in_time))? {
            return Ok(None);
        }
        self.as_of(beginning_of(made_on)).map(Some)
    }

    /// The making of the statement of `period`; where there was none yet, as if there were one on its day.
    pub(super) fn made_or_due(&self, period: ReturnPeriod) -> rusqlite::Result<Made> {
        match self.made(period)? {
            Some(made) => Ok(made),
            None => self.as_of(beginning_of(cut_off::made_on(self.conn, self.gstin.state(), period)?)),
        }
    }

    /// A making at `at`, with the actions before it.
    pub(super) fn as_of(&self, at: Timestamp) -> rusqlite::Result<Made> {
        Ok(Made { at, last_action: actions::last_before(self.conn, &self.gstin, at)? })
    }

    /// Where a document of the statement of `first` stands, if `history` tells what was done to it in IMS. Pending
    /// documents go from statement to statement.
    pub(super) fn place_of(
        &self,
        first: ReturnPeriod,
        history: &History,
        may_wait: impl Fn(Date) -> bool,
    ) -> rusqlite::Result<Place> {
        let mut period = first;
        loop {
            let Some(closed_on) = self.closed_on(period)? else { return Ok(Place::Open(period)) };
            let made = match self.made(period)? {
                Some(made) => made,
                None => self.as_of(beginning_of(closed_on.tomorrow().unwrap_or(closed_on)))?,
            };
            let waits =
                history.action_upto(made.last_action) == Action::Pending && may_wait(ist_date(made.at));
            match (waits, self.next(period)?) {
                (true, Some(next)) => period = next,
                _ => return Ok(Place::Closed(period)),
            }
        }
    }

    /// The last day on which a credit note, or another document of which a reduction follows, may be pending: the due
    /// date of GSTR-3B of the statement after its first (FAQ on IMS of 17.10.25).
    pub(super) fn last_day_to_wait(&self, first: ReturnPeriod) -> rusqlite::Result<Date> {
        let next = self.next(first)?.unwrap_or(first);
        extended_due_date(self.conn, Form::Gstr3b, self.frequency(next)?, self.gstin.state(), next)
    }
}

/// Midnight in India.
pub(super) fn beginning_of(day: Date) -> Timestamp {
    let midnight = day.at(0, 0, 0, 0).to_zoned(TimeZone::UTC).map(|at| at.timestamp()).unwrap_or_default();
    midnight.checked_sub(SignedDuration::from_mins(330)).unwrap_or(midnight)
}
