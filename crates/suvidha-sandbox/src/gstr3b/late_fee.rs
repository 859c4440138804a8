//! The fee for filing GSTR-3B and GSTR-1 late (section 47, notifications 76/2018 with 19/2021, and 4/2018 with 20/2021), half as
//! central and half as state tax. That of a GSTR-3B is owed with the next; that of a GSTR-1 is told, and demanded nowhere.

use gstn::ReturnPeriod;
use jiff::civil::Date;
use rusqlite::Connection;
use serde_json::{Value, json};

use super::form::Saved;
use super::{Taxable, store};
use crate::calendar::extended_due_date;
use crate::clock::slashed;
use crate::duties;
use crate::filed;
use crate::forms::Form;
use crate::gstr1;
use crate::ledgers::money::{Heads, rupees};
use crate::preferences::frequency;

const CRORE: i64 = 10_000_000;

/// The fee for each of central and state tax, in paise.
///
/// 25 rupees a day, 10 for a nil return. At most 250 for a nil return, 1,000 up to a turnover of 1.5 crore, 2,500 up to 5 crore, and
/// 5,000 above; before June 2021 5,000 for all (section 47).
pub(crate) fn fee(days: i64, nil: bool, turnover: i64, by_turnover: bool) -> i64 {
    let most = match (by_turnover, nil, turnover) {
        (true, true, _) => 250,
        (true, false, ..=15_000_000) => 1_000,
        (true, false, turnover) if turnover <= 5 * CRORE => 2_500,
        _ => 5_000,
    };
    let a_day = if nil { 10 } else { 25 };
    days.max(0).saturating_mul(a_day).min(most).saturating_mul(100)
}

/// What the return before costs for having come late.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LateFee {
    of: Option<Late>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Late {
    period: ReturnPeriod,
    filed_on: Date,
    nil: bool,
    days: i64,
    each: i64,
}

impl LateFee {
    fn new(taxable: &Taxable<'_>, period: ReturnPeriod, filed_on: Date, due: Date, nil: bool) -> Self {
        let days = i64::from((filed_on - due).get_days());
        let each = fee(days, nil, taxable.turnover, taxable.rules.late_fee_is_by_turnover(period));
        Self { of: (each > 0).then_some(Late { period, filed_on, nil, days, each }) }
    }

    /// By tax head.
    pub(crate) fn fee(&self) -> Heads {
        let each = self.of.as_ref().map_or(0, |late| late.each);
        Heads::new(0, each, each, 0)
    }
}

/// The late fee that is paid with a GSTR-3B: that of the one before it.
pub(crate) fn carried_into(conn: &Connection, taxable: &Taxable<'_>) -> rusqlite::Result<LateFee> {
    let Some(before) = duties::period_before(conn, taxable.gstin, taxable.period)? else {
        return Ok(LateFee::default());
    };
    let Some(kept) = store::find(conn, taxable.gstin, before)? else { return Ok(LateFee::default()) };
    let Some(filed) = kept.filed else { return Ok(LateFee::default()) };
    let nil = Saved { interest: Heads::ZERO, ..kept.saved }.is_nil();
    let due = taxable.at(conn, before)?.due(conn)?;
    Ok(LateFee::new(taxable, before, filed.on, due, nil))
}

/// The late fee of the GSTR-1 before that of the period.
fn of_gstr1(conn: &Connection, taxable: &Taxable<'_>) -> rusqlite::Result<LateFee> {
    let Some(before) = duties::period_before(conn, taxable.gstin, taxable.period)? else {
        return Ok(LateFee::default());
    };
    let Some(filed) = filed::find(conn, taxable.gstin, Form::Gstr1, before)? else {
        return Ok(LateFee::default());
    };
    let frequency = frequency(conn, taxable.gstin, before)?;
    let due = extended_due_date(conn, Form::Gstr1, frequency, taxable.state, before)?;
    let nil = gstr1::was_nil(conn, taxable.gstin, before)?;
    Ok(LateFee::new(taxable, before, filed.on, due, nil))
}

/// The reply of LATEFEEBREAKUP for GSTR-3B or GSTR-1.
pub(crate) fn told(conn: &Connection, taxable: &Taxable<'_>, form: Form) -> rusqlite::Result<Value> {
    let late = match form {
        Form::Gstr1 => of_gstr1(conn, taxable)?,
        _ => carried_into(conn, taxable)?,
    };
    let (form, period) = (form.long_name(), taxable.period.to_string());
    let total = rupees(late.of.as_ref().map_or(0, |late| late.each));
    let details: Vec<Value> = late
        .of
        .iter()
        .map(|late| {
            json!({
                "rtnTypOrg": form, "rtnPrdOrg": late.period.to_string(), "filingDtOrg": slashed(late.filed_on),
                "isNilOrg": if late.nil { "Y" } else { "N" }, "totalDays": late.days, "paidDays": 0,
                "dueDays": late.days, "totalAmtCgst": rupees(late.each), "totalAmtSgst": rupees(late.each),
                "paidAmtCgst": 0, "paidAmtSgst": 0, "dueAmtCgst": rupees(late.each),
                "dueAmtSgst": rupees(late.each), "tranTyp": "LF",
            })
        })
        .collect();
    Ok(json!({
        "gstin": taxable.gstin.as_str(), "rtnTyp": form, "rtnPrd": period,
        "currLateFee": [{ "rtnTyp": form, "rtnPrd": period, "cgst": total, "sgst": total }],
        "priorPrdLtFee": { "totcgstamnt": total, "totsgstamnt": total, "ltFeeDet": details },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Notification 76/2018 (rates) and 19/2021 (caps); section 47 before.
    #[test]
    fn the_fee_by_days_turnover_and_date() {
        let crore = |tenths: i64| tenths * CRORE / 10;
        for (days, nil, turnover, by_turnover, rupees) in [
            (0, false, crore(10), true, 0),
            (-5, false, crore(10), true, 0),
            (1, false, crore(10), true, 25),
            (1, true, crore(10), true, 10),
            (24, true, crore(900), true, 240),
            (26, true, crore(900), true, 250),
            (40, false, crore(15), true, 1_000),
            (41, false, crore(15), true, 1_000),
            (99, false, crore(16), true, 2_475),
            (101, false, crore(50), true, 2_500),
            (101, false, crore(51), true, 2_525),
            (201, false, crore(51), true, 5_000),
            (201, true, crore(10), false, 2_010),
            (999, true, crore(10), false, 5_000),
        ] {
            assert_eq!(
                fee(days, nil, turnover, by_turnover),
                rupees * 100,
                "{days} days, nil {nil}, {turnover}"
            );
        }
    }
}
