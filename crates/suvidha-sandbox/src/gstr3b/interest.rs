//! Interest on tax that was paid late: 18 per cent a year from the day after the due date to the day of the offset
//! (section 50(1), notification 13/2017, Rule 88B). That of one return is owed with the next.

use gstn::ReturnPeriod;
use jiff::civil::Date;
use rusqlite::Connection;
use serde_json::{Value, json};

use super::store::{self, Offset};
use super::utilisation::Proposal;
use super::{Taxable, breakup};
use crate::calendar::day_after;
use crate::clock::dashed;
use crate::duties;
use crate::forms::Frequency;
use crate::ledgers::journal::{self, Account};
use crate::ledgers::money::{Heads, Minor, whole_rupees};

/// Per cent a year.
const RATE: i64 = 18;

/// Interest on one amount of tax for some days, of a year of 365, to the nearest paisa.
pub(crate) fn simple(paise: i64, days: i64) -> i64 {
    let hundredths = i128::from(paise.max(0)) * i128::from(RATE * days.max(0));
    i64::try_from((hundredths + 18_250) / 36_500).unwrap_or(i64::MAX)
}

/// What interest is charged on: net tax in cash, less the least that lay in the cash ledger meanwhile where that counts
/// (proviso to section 50(1), Rule 88B(1); advisory of 30.01.26).
pub(crate) fn base(cash: Heads, of_earlier_periods: Heads, least_balance: Heads) -> Heads {
    (cash - of_earlier_periods)
        .map(|paise| paise.max(0))
        .zip(least_balance, |cash, lay| (cash - lay.max(0)).max(0))
}

/// Interest on the tax of one period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    period: ReturnPeriod,
    due: Date,
    paid_on: Date,
    /// What it is charged on.
    tax: Heads,
    /// What the return declared for the period.
    declared: Heads,
    interest: Heads,
}

/// What the return before left to be paid with this one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Interest {
    of: Option<(ReturnPeriod, Offset3b)>,
    lines: Vec<Line>,
}

/// What of an offset interest looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Offset3b {
    on: Date,
    filed_on: Option<Date>,
    cash: Heads,
    credit: Heads,
}

impl Interest {
    fn total(&self) -> Heads {
        self.lines.iter().fold(Heads::ZERO, |sum, line| sum + line.interest)
    }
}

/// The interest that is paid with a return: that of the one before it.
pub(crate) fn carried_into(conn: &Connection, taxable: &Taxable<'_>) -> rusqlite::Result<Heads> {
    Ok(of_return_before(conn, taxable)?.total())
}

fn of_return_before(conn: &Connection, taxable: &Taxable<'_>) -> rusqlite::Result<Interest> {
    let Some(before) = duties::period_before(conn, taxable.gstin, taxable.period)? else {
        return Ok(Interest::default());
    };
    of_return(conn, &taxable.at(conn, before)?)
}

/// The interest that the offset of a return gave rise to.
fn of_return(conn: &Connection, taxable: &Taxable<'_>) -> rusqlite::Result<Interest> {
    let Some(kept) = store::find(conn, taxable.gstin, taxable.period)? else {
        return Ok(Interest::default());
    };
    let Some(offset) = kept.offset else { return Ok(Interest::default()) };
    let paid = Proposal::read(&offset.summary["tx_pmt"], taxable.period).unwrap_or_default();
    let cash = paid.by_kind[0].tax + paid.by_kind[1].tax;
    let earlier = kept.breakup.as_ref().and_then(|lines| breakup::read(lines).ok()).unwrap_or_default();
    let mut lines = Vec::new();
    for (period, tax) in &earlier {
        // Tax of an earlier period, declared late: interest on all of it (Rule 88B(1), by its negative).
        let due = taxable.at(conn, *period)?.due(conn)?;
        lines.push(line(taxable, *period, due, offset.on, *tax, *tax));
    }
    let of_earlier = earlier.iter().fold(Heads::ZERO, |sum, (_, tax)| sum + *tax);
    let due = taxable.due(conn)?;
    let least = match taxable.rules.cash_balance_counts(taxable.period) {
        true => least_balance(conn, taxable, due, &offset)?,
        false => Heads::ZERO,
    };
    lines.push(line(taxable, taxable.period, due, offset.on, base(cash, of_earlier, least), cash));
    lines.retain(|line| !line.interest.is_zero());
    let filed_on = kept.filed.map(|filed| filed.on);
    let looked_at = Offset3b { on: offset.on, filed_on, cash, credit: paid.credit.paid() };
    Ok(Interest { of: Some((taxable.period, looked_at)), lines })
}

fn line(
    taxable: &Taxable<'_>,
    period: ReturnPeriod,
    due: Date,
    paid_on: Date,
    tax: Heads,
    declared: Heads,
) -> Line {
    let days = i64::from((paid_on - due).get_days());
    let rounded = |paise| if taxable.rules.whole_rupees { whole_rupees(paise) } else { paise };
    Line { period, due, paid_on, tax, declared, interest: tax.map(|paise| rounded(simple(paise, days))) }
}

/// The least that the cash ledger held for tax from the end of the due date until the offset took from it.
fn least_balance(
    conn: &Connection,
    taxable: &Taxable<'_>,
    due: Date,
    offset: &Offset,
) -> rusqlite::Result<Heads> {
    let next = due.saturating_add(jiff::ToSpan::day(1));
    let mut least = journal::balance_before(conn, taxable.gstin, Account::Cash, next)?[Minor::Tax];
    for entry in journal::between(conn, taxable.gstin, Account::Cash, next, offset.on)? {
        if offset.payment.is_some_and(|payment| entry.posting < payment) {
            least = least.zip(entry.balance[Minor::Tax], i64::min);
        }
    }
    Ok(least)
}

/// The reply of RETINT: what the system computed for a return, by the periods that it stems from.
pub(crate) fn told(conn: &Connection, taxable: &Taxable<'_>) -> rusqlite::Result<Value> {
    let interest = of_return_before(conn, taxable)?;
    let mut told = json!({
        "gstin": taxable.gstin.as_str(), "ret_period": taxable.period.to_string(),
        "interest": interest.total().to_return(), "interestbreakup": [],
    });
    let Some((period, offset)) = interest.of else { return Ok(told) };
    told["filed_period"] = period.to_string().into();
    if let Some(on) = offset.filed_on {
        told["filingdt"] = dashed(on).into();
    }
    told["computedt"] = dashed(taxable.today).into();
    told["txpay"] = Value::Object((offset.cash + offset.credit).to_return());
    told["pdcash"] = Value::Object(offset.cash.to_return());
    told["pditc"] = Value::Object(offset.credit.to_return());
    let year = day_after(period, 1);
    let rows = interest.lines.iter().map(|line| {
        let from = line.due.saturating_add(jiff::ToSpan::day(1));
        json!({
            "ret_period": line.period.to_string(), "duedate": dashed(line.due), "aato": taxable.turnover,
            "profile": if taxable.frequency == Frequency::Quarterly { "Q" } else { "M" },
            "aato_fy": aato_year(year), "txpay": line.tax.to_return(), "txpay_declared": line.declared.to_return(),
            "challan": [],
            "rates": [{
                "start_dt": dashed(from), "end_dt": dashed(line.paid_on), "rate": RATE,
                "delay": (line.paid_on - line.due).get_days(), "interest": line.interest.to_return(),
            }],
        })
    });
    told["interestbreakup"] = rows.collect();
    Ok(told)
}

/// The financial year before that of `day`, as in `2024-25`.
fn aato_year(day: Date) -> String {
    let begins = if day.month() >= 4 { day.year() } else { day.year() - 1 } - 1;
    format!("{begins}-{:02}", (begins + 1).rem_euclid(100))
}

#[cfg(test)]
mod tests {
    use super::super::save_breakup;
    use super::super::testing::{Books, code, is_processed};
    use super::*;
    use crate::ledgers::money::{Cells, Head};

    /// Section 50(1) with notification 13/2017: 18 % a year, by days of 365.
    #[test]
    fn interest_by_days() {
        for (rupees, days, paise) in [
            (100_000, 365, 1_800_000),
            (100_000, 1, 4_932),
            (100_000, 10, 49_315),
            (1, 1, 0),
            (101, 1, 5),
            (100_000, 0, 0),
            (-5, 10, 0),
            (100_000, -3, 0),
        ] {
            assert_eq!(simple(rupees * 100, days), paise, "{rupees} rupees, {days} days");
        }
        assert_eq!(simple(i64::MAX, 100_000), i64::MAX);
    }

    /// Rule 88B(1) and the advisory of 30.01.26: on cash, less what lay in the cash ledger all the time.
    #[test]
    fn interest_is_on_cash_that_came_late() {
        let igst = |paise| Heads::new(paise, 0, 0, 0);
        for (cash, earlier, least, on) in [
            (1000, 0, 0, 1000),
            (1000, 0, 400, 600),
            (1000, 0, 1400, 0),
            (1000, 300, 0, 700),
            (1000, 300, 900, 0),
            (1000, 0, -5, 1000),
        ] {
            assert_eq!(base(igst(cash), igst(earlier), igst(least)), igst(on), "{cash} {earlier} {least}");
        }
    }

    /// What was paid late with 60,000 rupees in the cash ledger all the time, of 100,000 of tax.
    fn late_month(period: &str, before_due: i64) -> (Books, gstn::ReturnPeriod) {
        let mut books = Books::new();
        books.rules.lock_liability = false;
        let period: gstn::ReturnPeriod = period.parse().unwrap();
        let igst = |rupees: i64| Cells::of_tax(Heads::new(rupees * 100, 0, 0, 0));
        books.begin(period, 15);
        let form = json!({"sup_details": {"osup_det": {"txval": 500_000, "iamt": 100_000}}});
        assert!(is_processed(&books.save(period, &form)));
        if before_due > 0 {
            books.pay_in(igst(before_due));
        }
        books.today =
            books.read(|conn| books.taxable(period).due(conn)).saturating_add(jiff::ToSpan::days(10));
        let payable = books.payable(period);
        books.pay_in(igst(100_000));
        assert!(is_processed(&books.offset(period, books.proposal(period, &payable), &payable)));
        books.file(period).unwrap();
        (books, period)
    }

    /// Rule 88B(1), and the advisory of 30.01.26: from January 2026 what lay in the cash ledger since the due date
    /// bears no interest. It is the least of those days that counts.
    #[test]
    fn what_lay_in_the_cash_ledger_bears_no_interest_from_2026_on() {
        // 18 % of 100,000 and of 40,000 for ten days.
        for (period, before_due, interest) in
            [("122025", 60_000, 493), ("012026", 60_000, 197), ("012026", 0, 493), ("012026", 100_000, 0)]
        {
            let (books, period) = late_month(period, before_due);
            let next = period.next().unwrap();
            let carried = books.read(|conn| carried_into(conn, &books.taxable(next)));
            assert_eq!(carried, Heads::new(interest * 100, 0, 0, 0), "{period} {before_due}");
        }
    }

    /// The interest that the system computed is a minimum from 2026 on; before, it was the taxpayer's to say.
    #[test]
    fn computed_interest_cannot_be_lowered_from_2026_on() {
        for (period, said, owed) in [("112025", 0, 0), ("012026", 0, 493), ("012026", 500, 500)] {
            let (books, period) = late_month(period, 0);
            let next = period.next().unwrap();
            let form = json!({"intr_ltfee": {"intr_details": {"iamt": said}}});
            assert!(is_processed(&books.save(next, &form)));
            assert_eq!(books.payable(next).by_kind[0].interest[Head::Igst], owed * 100, "{period} {said}");
        }
    }

    /// Rule 88B: tax of an earlier period bears interest on all of it, from that period's due date.
    #[test]
    fn a_break_up_moves_tax_to_the_period_it_belongs_to() {
        let mut books = Books::new();
        books.rules.lock_liability = false;
        let period: gstn::ReturnPeriod = "122025".parse().unwrap();
        books.begin(period, 15);
        let form = json!({"sup_details": {"osup_det": {"txval": 1, "iamt": 100_000}}});
        assert!(is_processed(&books.save(period, &form)));
        let breakup = |lines: serde_json::Value| {
            books
                .db
                .write(|tx| save_breakup(tx, &books.taxable(period), &json!({ "breakup": lines })))
                .unwrap()
        };
        let of = |period: &str, igst: f64| json!([{"ret_period": period, "liability": {"iamt": igst}}]);
        assert_eq!(code(&breakup(of("122025", 1.0))), "RT-3BAS1070", "no earlier period");
        assert_eq!(code(&breakup(of("112025", 100_000.01))), "RT-3BAS1070", "more than the return has");
        assert_eq!(code(&breakup(json!([{"ret_period": "112025", "liability": {"iamt": -1}}]))), "RET191106");
        assert_eq!(code(&breakup(json!({}))), "RET191106");
        assert!(is_processed(&breakup(of("112025", 36_500.0))));
        let payable = books.payable(period);
        books.pay_in(Cells::of_tax(Heads::new(10_000_000, 0, 0, 0)));
        assert!(is_processed(&books.offset(period, books.proposal(period, &payable), &payable)));
        let next = period.next().unwrap();
        let told = books.read(|conn| told(conn, &books.taxable(next)));
        // November was due on 20 December, and 15 January is 26 days later; December is in time.
        assert_eq!(told["interest"]["iamt"], 468);
        assert_eq!(told["interestbreakup"][0]["ret_period"], "112025");
        assert_eq!(told["interestbreakup"][0]["rates"][0]["delay"], 26);
        assert_eq!(code(&breakup(of("112025", 1.0))), "RTN_17");
    }
}
