//! The sums kept beside the entries: what the entries of one IST day, ASP and API come to.

use std::collections::BTreeMap;

use gstn::AspId;
use gstn::catalogue::Origin;
use rusqlite::Row;
use rusqlite::types::ValueRef;

use super::entry::{Entry, Outcome};
use super::ist;
use crate::plan::PlanKind;

/// What a number of entries come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Entries.
    pub calls: u64,
    /// Of these, let through to GSTN.
    pub admitted: u64,
    /// Of these, ended as [`Outcome::Refused`].
    pub refused: u64,
    /// Units charged, on any plan.
    pub units: u64,
    /// Of these, on a prepaid plan.
    pub prepaid_units: u64,
    /// Of these, on a postpaid plan.
    pub postpaid_units: u64,
    /// Calls with an error in the form of the ASP's request.
    pub asp_errors: u64,
    /// Calls with an error of ours.
    pub gsp_errors: u64,
    /// Calls with an error of GSTN's.
    pub gstn_errors: u64,
    /// Calls with an error of the network between us and GSTN.
    pub network_errors: u64,
    /// Bytes of requests.
    pub bytes_in: u64,
    /// Bytes of answers.
    pub bytes_out: u64,
    /// Microseconds at GSTN.
    pub gstn_us: u64,
    /// Microseconds in all.
    pub total_us: u64,
}

/// How many numbers [`Totals`] has.
pub(super) const FIELDS: usize = 14;

/// Their columns in the table `usage`, in the order of [`Totals::as_array`].
pub(super) const TOTALS: &str = "calls, admitted, refused, units, prepaid_units, postpaid_units, asp_errors, \
    gsp_errors, gstn_errors, network_errors, bytes_in, bytes_out, gstn_us, total_us";

impl Totals {
    /// Calls with an error, whosever.
    pub fn errors(&self) -> u64 {
        self.asp_errors + self.gsp_errors + self.gstn_errors + self.network_errors
    }

    pub(super) fn add(&mut self, entry: &Entry) {
        self.calls += 1;
        self.admitted += u64::from(entry.admitted);
        self.refused += u64::from(entry.outcome == Outcome::Refused);
        saturate(&mut self.units, entry.units);
        match entry.plan {
            Some(PlanKind::Prepaid) => saturate(&mut self.prepaid_units, entry.units),
            Some(PlanKind::Postpaid) => saturate(&mut self.postpaid_units, entry.units),
            Some(PlanKind::Unmetered) | None => {}
        }
        match entry.origin {
            Some(Origin::Asp) => self.asp_errors += 1,
            Some(Origin::Gsp) => self.gsp_errors += 1,
            Some(Origin::Gstn) => self.gstn_errors += 1,
            Some(Origin::Network) => self.network_errors += 1,
            None => {}
        }
        saturate(&mut self.bytes_in, entry.bytes_in);
        saturate(&mut self.bytes_out, entry.bytes_out);
        saturate(&mut self.gstn_us, entry.gstn_us.unwrap_or(0));
        saturate(&mut self.total_us, entry.total_us);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        let sums = self.as_array().into_iter().zip(other.as_array());
        *self = Self::from_array(sums.map(|(a, b)| a.saturating_add(b)));
    }

    pub(super) fn as_array(&self) -> [u64; FIELDS] {
        [
            self.calls,
            self.admitted,
            self.refused,
            self.units,
            self.prepaid_units,
            self.postpaid_units,
            self.asp_errors,
            self.gsp_errors,
            self.gstn_errors,
            self.network_errors,
            self.bytes_in,
            self.bytes_out,
            self.gstn_us,
            self.total_us,
        ]
    }

    fn from_array(numbers: impl IntoIterator<Item = u64>) -> Self {
        let mut numbers = numbers.into_iter();
        let mut next = || numbers.next().unwrap_or(0);
        Self {
            calls: next(),
            admitted: next(),
            refused: next(),
            units: next(),
            prepaid_units: next(),
            postpaid_units: next(),
            asp_errors: next(),
            gsp_errors: next(),
            gstn_errors: next(),
            network_errors: next(),
            bytes_in: next(),
            bytes_out: next(),
            gstn_us: next(),
            total_us: next(),
        }
    }

    /// Reads the columns [`TOTALS`], beginning at `first`.
    pub(super) fn from_row(row: &Row<'_>, first: usize) -> rusqlite::Result<Self> {
        let mut numbers = [0; FIELDS];
        for (index, number) in numbers.iter_mut().enumerate() {
            *number = match row.get_ref(first + index)? {
                ValueRef::Real(sum) => sum as u64,
                other => other.as_i64()?.unsigned_abs(),
            };
        }
        Ok(Self::from_array(numbers))
    }
}

/// An entry that somebody made up may hold what no sum of such can.
fn saturate(sum: &mut u64, number: u64) {
    *sum = sum.saturating_add(number);
}

/// The sums of some entries by IST day, ASP and API, and the other tables' sums of the same.
#[derive(Default)]
pub(super) struct Sums {
    /// By day number, ASP and API.
    pub(super) usage: BTreeMap<(i64, Option<AspId>), BTreeMap<String, Totals>>,
    /// Units on prepaid plans, by ASP.
    pub(super) charged: BTreeMap<AspId, u64>,
    /// The first and the last entry of each quarter of an hour.
    pub(super) quarters: BTreeMap<i64, (u64, u64)>,
}

impl Sums {
    pub(super) fn clear(&mut self) {
        self.usage.clear();
        self.charged.clear();
        self.quarters.clear();
    }

    pub(super) fn add(&mut self, seq: u64, entry: &Entry) {
        let of_day = self.usage.entry((ist::day_number(entry.at), entry.aspid)).or_default();
        let api = entry.api.as_deref().unwrap_or("");
        match of_day.get_mut(api) {
            Some(totals) => totals.add(entry),
            None => of_day.entry(api.to_owned()).or_default().add(entry),
        }
        self.charge(entry);
        let quarter = self.quarters.entry(ist::quarter(entry.at)).or_insert((seq, seq));
        quarter.0 = quarter.0.min(seq);
        quarter.1 = quarter.1.max(seq);
    }

    /// Only what was charged.
    pub(super) fn charge(&mut self, entry: &Entry) {
        if let (Some(aspid), Some(PlanKind::Prepaid), 1..) = (entry.aspid, entry.plan, entry.units) {
            saturate(self.charged.entry(aspid).or_default(), entry.units);
        }
    }
}
