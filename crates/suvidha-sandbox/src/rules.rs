//! Every rule that depends on a date, as a rule of the tax period, so that old and new clients can be tested
//! against the law of their time.

use gstn::ReturnPeriod;
use jiff::civil::{Date, date};
use serde::Deserialize;

use crate::amounts::Amount;

/// First tax period of a rule, as (year, month).
type From = (u16, u8);

/// GST began. K
const GST: From = (2017, 7);
/// HSN phase 2: four digits, six above 5 crore. A
const HSN_PHASE_2: From = (2022, 11);
/// B2CL from 1 lakh instead of 2.5 lakh. K
const B2CL_ONE_LAKH: From = (2024, 8);
/// HSN phase 3: Table 12 split in two; Table 13 mandatory. A
const HSN_PHASE_3: From = (2025, 5);
/// GSTR-2B. A
const STATEMENT_OF_CREDIT: From = (2020, 8);
/// Credit of a year ends on 30 November of the next, no more on 20 October (s.16(4)). K
const CREDIT_ENDS_IN_NOVEMBER: From = (2022, 10);
/// IMS, and with it one statement a quarter for quarterly filers. A (September 2024)
const INVOICE_MANAGEMENT: From = (2024, 10);
/// Credit notes and the like may be pending for one period; declared reduction of credit; remarks; imports in IMS. A
/// (17.10.25 and 30.10.25)
const IMS_PENDING_NOTES: From = (2025, 10);
/// Daman and Diu (25) became part of 26. K
const STATE_25_MERGED: From = (2020, 8);
/// Quarterly returns with monthly payment, and the IFF; Rule 59(6) as of notification 1/2021. A
const QRMP: From = (2021, 1);
/// One missing GSTR-3B bars GSTR-1, no longer two (notification 35/2021). A
const ONE_GSTR3B_BARS: From = (2022, 1);
/// GSTR-1 is proceeded to file, no longer submitted (release note of 24.01.22). C
const PROCEED_TO_FILE: From = (2022, 1);
/// GSTR-1 in the order of periods: s.37(4), by the Finance Act 2022. A
const GSTR1_IN_ORDER: From = (2022, 10);
/// Late fee by turnover (notification 19/2021). A
const LATE_FEE_BY_TURNOVER: From = (2021, 6);
/// GSTR-3B after the GSTR-1 of its period: s.39(10), by the Finance Act 2022. A
const GSTR3B_AFTER_GSTR1: From = (2022, 10);
/// Credit notes take from 4(A) of GSTR-3B instead of being reversed in 4(B)(2) (advisory of 17.02.23). A
const CREDIT_NOTES_NETTED: From = (2023, 1);
/// The credit reversal and re-claimed statement (advisory of 31.08.23). A
const RECLAIM_STATEMENT: From = (2023, 8);
/// The statement of liability and credit on reverse charge (advisory of 23.08.24). A
const REVERSE_CHARGE_STATEMENT: From = (2024, 8);
/// Table 3.1 of GSTR-3B as GSTR-1 has it, and nothing else (advisory of 07.06.25). A
const LIABILITY_LOCKED: From = (2025, 7);
/// The same of Table 3.2. K
const INTER_STATE_LOCKED: From = (2025, 11);
/// Interest leaves out what lay in the cash ledger, and is a minimum; central and state credit pay integrated tax
/// in any order (advisories of 30.01.26 and 19.02.26). A
const CASH_BALANCE_COUNTS: From = (2026, 1);
/// GSTR-1A (notification 12/2024). A
const GSTR1A: From = (2024, 8);
/// The 40 % rate, for documents from this day and for rate rows of this month. K
const FORTY_PERCENT: Date = date(2025, 9, 22);
/// From this day no return may be filed three years after it was due. A
const THREE_YEAR_BAR: Date = date(2025, 12, 1);

/// Hundredths of a percent (gstn.md section 5, C).
const RATES: [i128; 12] = [0, 10, 25, 100, 150, 300, 500, 600, 750, 1200, 1800, 2800];
const FORTY: i128 = 4000;

/// Which rules hold. The default has everything on but [`Rules::rule_86b`] and [`Rules::statements_block`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// Apply the rules of this tax period, whatever the period of the return.
    #[serde(skip)]
    pub as_of: Option<ReturnPeriod>,
    /// File returns in their order: s.37(4), s.39(10) and Rule 59(6).
    pub previous_return_first: bool,
    /// Pay tax and interest in whole rupees (section 170).
    pub whole_rupees: bool,
    /// Let Table 3.1 and 3.1.1 of GSTR-3B be what GSTR-1 makes it (from July 2025).
    pub lock_liability: bool,
    /// The same of Table 3.2 (from November 2025).
    pub lock_inter_state: bool,
    /// Pay one per cent of the output tax in cash (Rule 86B). Off by default: it has exceptions that the sandbox cannot know.
    pub rule_86b: bool,
    /// Refuse an offset that overdraws the reclaim or the reverse charge statement (announced on 29.12.25, without a day). Off
    /// by default: it is a warning.
    pub statements_block: bool,
    /// No filing three years after the due date (from December 2025).
    pub three_year_bar: bool,
    /// An amendment needs an original in a filed return.
    pub amendments_need_original: bool,
    /// A document may be amended until 30 November after its financial year: s.37(3) and s.34(2), proviso.
    pub amendments_end: bool,
    /// Tax must be taxable value × rate, give or take one rupee a line.
    pub check_tax_amounts: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            as_of: None,
            previous_return_first: true,
            whole_rupees: true,
            lock_liability: true,
            lock_inter_state: true,
            rule_86b: false,
            statements_block: false,
            three_year_bar: true,
            amendments_need_original: true,
            amendments_end: true,
            check_tax_amounts: true,
        }
    }
}

impl Rules {
    fn since(&self, from: From, period: ReturnPeriod) -> bool {
        let period = self.as_of.unwrap_or(period);
        (period.year(), period.month()) >= from
    }

    pub(crate) fn is_under_gst(period: ReturnPeriod) -> bool {
        (period.year(), period.month()) >= GST
    }

    /// The value an invoice must exceed to be reported as B2CL.
    pub(crate) fn b2cl_threshold(&self, period: ReturnPeriod) -> Amount {
        Amount::rupees(if self.since(B2CL_ONE_LAKH, period) { 100_000 } else { 250_000 })
    }

    /// `hsn_b2b` and `hsn_b2c` instead of `hsn.data`; checks between tables at proceed-to-file.
    pub(crate) fn hsn_is_split(&self, period: ReturnPeriod) -> bool {
        self.since(HSN_PHASE_3, period)
    }

    pub(crate) fn documents_issued_are_mandatory(&self, period: ReturnPeriod) -> bool {
        self.since(HSN_PHASE_3, period)
    }

    /// From phase 2 on a description does not replace the HSN code.
    pub(crate) fn hsn_is_mandatory(&self, period: ReturnPeriod) -> bool {
        self.since(HSN_PHASE_2, period)
    }

    pub(crate) fn least_hsn_digits(&self, period: ReturnPeriod, above_five_crore: bool) -> usize {
        match (self.since(HSN_PHASE_2, period), above_five_crore) {
            (false, _) => 2,
            (true, false) => 4,
            (true, true) => 6,
        }
    }

    /// Whether `rate` (hundredths of a percent) is in the rate list for a document of `day`, or for a row
    /// that has no day of its own.
    pub(crate) fn knows_rate(&self, rate: i128, period: ReturnPeriod, day: Option<Date>) -> bool {
        let has_forty = match day {
            Some(day) if self.as_of.is_none() => day >= FORTY_PERCENT,
            _ => self.since((2025, 9), period),
        };
        RATES.contains(&rate) || (rate == FORTY && has_forty)
    }

    /// Whether a place of supply of the right form existed then. 28 was Andhra Pradesh before the division.
    pub(crate) fn knows_state(&self, code: &str, period: ReturnPeriod) -> bool {
        match code {
            "25" => !self.since(STATE_25_MERGED, period),
            "28" => false,
            _ => true,
        }
    }

    /// Whether GSTR-1 of `period` may be filed only after the GSTR-1 before it: s.37(4).
    pub(crate) fn gstr1_follows_gstr1(&self, period: ReturnPeriod) -> bool {
        self.previous_return_first && self.since(GSTR1_IN_ORDER, period)
    }

    /// How many GSTR-3B in a row, up to the one before `period`, must be missing to bar GSTR-1: Rule 59(6).
    pub(crate) fn unfiled_gstr3b_that_block(&self, period: ReturnPeriod) -> u8 {
        match (self.previous_return_first, self.since(ONE_GSTR3B_BARS, period), self.since(QRMP, period)) {
            (true, true, _) => 1,
            (true, false, true) => 2,
            _ => 0,
        }
    }

    /// Whether GSTR-1 may be submitted, after which nothing can be saved any more.
    pub(crate) fn has_submit(&self, period: ReturnPeriod) -> bool {
        !self.since(PROCEED_TO_FILE, period)
    }

    /// Whether there is an invoice furnishing facility for quarterly filers.
    pub(crate) fn has_iff(&self, period: ReturnPeriod) -> bool {
        self.since(QRMP, period)
    }

    /// Whether there is a GSTR-1A.
    pub(crate) fn has_gstr1a(&self, period: ReturnPeriod) -> bool {
        self.since(GSTR1A, period)
    }

    /// Whether GSTR-2B is made for `period`.
    pub(crate) fn has_statement_of_credit(&self, period: ReturnPeriod) -> bool {
        self.since(STATEMENT_OF_CREDIT, period)
    }

    /// Whether the credit of a year, reported in `period`, ends on 30 November (20 October before).
    pub(crate) fn credit_ends_in_november(&self, period: ReturnPeriod) -> bool {
        self.since(CREDIT_ENDS_IN_NOVEMBER, period)
    }

    /// Whether the documents of the statement of `period` are in IMS.
    pub(crate) fn has_invoice_management(&self, period: ReturnPeriod) -> bool {
        self.since(INVOICE_MANAGEMENT, period)
    }

    /// Whether the statement of `period` is made only after GSTR-3B of the period before.
    pub(crate) fn statement_follows_gstr3b(&self, period: ReturnPeriod) -> bool {
        self.previous_return_first && self.has_invoice_management(period)
    }

    /// Whether credit notes and the like, reported in `period`, may be kept pending for one period, and accepted with
    /// a declared reduction of credit; and whether imports are in IMS.
    pub(crate) fn notes_may_be_pending(&self, period: ReturnPeriod) -> bool {
        self.since(IMS_PENDING_NOTES, period)
    }

    /// The last day on which what belongs to `period` may be amended.
    pub(crate) fn last_day_of_amendments(&self, period: ReturnPeriod) -> Option<Date> {
        let year = i16::try_from(period.financial_year().start_year()).ok()?;
        Date::new(year + 1, 11, 30).ok().filter(|_| self.amendments_end)
    }

    /// Whether GSTR-3B of `period` may be paid and filed only after its GSTR-1: s.39(10).
    pub(crate) fn gstr3b_follows_gstr1(&self, period: ReturnPeriod) -> bool {
        self.previous_return_first && self.since(GSTR3B_AFTER_GSTR1, period)
    }

    /// Whether Tables 3.1 and 3.1.1 of GSTR-3B can be nothing but what GSTR-1 makes them.
    pub(crate) fn liability_is_locked(&self, period: ReturnPeriod) -> bool {
        self.lock_liability && self.since(LIABILITY_LOCKED, period)
    }

    /// The same of Table 3.2.
    pub(crate) fn inter_state_is_locked(&self, period: ReturnPeriod) -> bool {
        self.lock_inter_state && self.since(INTER_STATE_LOCKED, period)
    }

    /// Whether credit notes take from 4(A) of GSTR-3B.
    pub(crate) fn credit_notes_are_netted(&self, period: ReturnPeriod) -> bool {
        self.since(CREDIT_NOTES_NETTED, period)
    }

    /// Whether state credit pays integrated tax only after central credit: s.49(5)(c), proviso.
    pub(crate) fn central_before_state(&self, period: ReturnPeriod) -> bool {
        !self.since(CASH_BALANCE_COUNTS, period)
    }

    /// Whether interest leaves out what lay in the cash ledger since the due date, and cannot be lowered.
    pub(crate) fn cash_balance_counts(&self, period: ReturnPeriod) -> bool {
        self.since(CASH_BALANCE_COUNTS, period)
    }

    /// Whether there is a credit reversal and re-claimed statement.
    pub(crate) fn has_reclaim_statement(&self, period: ReturnPeriod) -> bool {
        self.since(RECLAIM_STATEMENT, period)
    }

    /// Whether there is a statement of liability and credit on reverse charge.
    pub(crate) fn has_reverse_charge_statement(&self, period: ReturnPeriod) -> bool {
        self.since(REVERSE_CHARGE_STATEMENT, period)
    }

    /// Whether the late fee of GSTR-3B ends at an amount that depends on the turnover.
    pub(crate) fn late_fee_is_by_turnover(&self, period: ReturnPeriod) -> bool {
        self.since(LATE_FEE_BY_TURNOVER, period)
    }

    /// Whether a return that was due on `due` may no longer be filed.
    pub(crate) fn is_barred_after(&self, due: Date, today: Date) -> bool {
        let last = due.saturating_add(jiff::ToSpan::years(3));
        self.three_year_bar && today >= THREE_YEAR_BAR && today > last
    }

    /// Whether a GSTR-1 of `period` may no longer be filed.
    pub(crate) fn is_barred(&self, period: ReturnPeriod, today: Date) -> bool {
        self.three_year_bar
            && today >= THREE_YEAR_BAR
            && three_years_after_due(period).is_some_and(|day| today > day)
    }
}

/// GSTR-1 is due on the 11th of the following month. K
fn three_years_after_due(period: ReturnPeriod) -> Option<Date> {
    let (year, month) =
        if period.month() == 12 { (period.year() + 1, 1) } else { (period.year(), period.month() + 1) };
    Date::new(i16::try_from(year).ok()? + 3, i8::try_from(month).ok()?, 11).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn period(text: &str) -> ReturnPeriod {
        text.parse().unwrap()
    }

    #[test]
    fn the_b2cl_threshold_falls_in_august_2024() {
        let rules = Rules::default();
        assert_eq!(rules.b2cl_threshold(period("072024")), Amount::rupees(250_000));
        assert_eq!(rules.b2cl_threshold(period("082024")), Amount::rupees(100_000));
        let of_old = Rules { as_of: Some(period("072017")), ..rules };
        assert_eq!(of_old.b2cl_threshold(period("082024")), Amount::rupees(250_000));
    }

    #[test]
    fn forty_percent_begins_on_a_day_for_documents_and_in_a_month_for_rate_rows() {
        let rules = Rules::default();
        let september = period("092025");
        assert!(!rules.knows_rate(4000, september, Some(date(2025, 9, 21))));
        assert!(rules.knows_rate(4000, september, Some(date(2025, 9, 22))));
        assert!(rules.knows_rate(4000, september, None));
        assert!(!rules.knows_rate(4000, period("082025"), None));
        assert!(rules.knows_rate(25, september, None) && !rules.knows_rate(1300, september, None));
    }

    #[test]
    fn what_recipients_see_grows_with_time() {
        let rules = Rules::default();
        assert!(
            !rules.has_statement_of_credit(period("072020"))
                && rules.has_statement_of_credit(period("082020"))
        );
        assert!(
            !rules.has_invoice_management(period("092024")) && rules.has_invoice_management(period("102024"))
        );
        assert!(
            !rules.notes_may_be_pending(period("092025")) && rules.notes_may_be_pending(period("102025"))
        );
        assert!(
            !rules.credit_ends_in_november(period("092022"))
                && rules.credit_ends_in_november(period("102022"))
        );
        let of_old = Rules { as_of: Some(period("092024")), ..rules };
        assert!(!of_old.has_invoice_management(period("122025")));
    }

    #[test]
    fn hsn_grows_with_time_and_turnover() {
        let rules = Rules::default();
        for (month, above, digits) in
            [("102022", true, 2), ("112022", false, 4), ("112022", true, 6), ("052025", true, 6)]
        {
            assert_eq!(rules.least_hsn_digits(period(month), above), digits);
        }
        assert!(!rules.hsn_is_split(period("042025")) && rules.hsn_is_split(period("052025")));
    }

    #[test]
    fn the_three_year_bar_falls_after_the_due_date() {
        let rules = Rules::default();
        assert!(rules.is_barred(period("102022"), date(2025, 12, 1)));
        assert!(!rules.is_barred(period("112022"), date(2025, 12, 11)));
        assert!(rules.is_barred(period("112022"), date(2025, 12, 12)));
        assert!(!rules.is_barred(period("012018"), date(2025, 11, 30)), "the bar did not exist yet");
        assert!(!Rules { three_year_bar: false, ..rules }.is_barred(period("012018"), date(2026, 1, 1)));
    }

    #[test]
    fn the_order_of_filing_by_its_dates() {
        let rules = Rules::default();
        assert!(!rules.gstr1_follows_gstr1(period("092022")) && rules.gstr1_follows_gstr1(period("102022")));
        for (month, missing) in [("122020", 0), ("012021", 2), ("122021", 2), ("012022", 1)] {
            assert_eq!(rules.unfiled_gstr3b_that_block(period(month)), missing, "{month}");
        }
        let off = Rules { previous_return_first: false, ..rules };
        assert!(!off.gstr1_follows_gstr1(period("102022")));
        assert_eq!(off.unfiled_gstr3b_that_block(period("012022")), 0);
        assert!(rules.has_submit(period("122021")) && !rules.has_submit(period("012022")));
        assert!(!rules.has_iff(period("122020")) && rules.has_iff(period("012021")));
        assert!(!rules.has_gstr1a(period("072024")) && rules.has_gstr1a(period("082024")));
    }

    /// A switch, the last period without it and the first with it.
    type Dated = (&'static str, &'static str, fn(&Rules, ReturnPeriod) -> bool);

    #[test]
    fn the_rules_of_gstr3b_by_their_dates() {
        let rules = Rules::default();
        let switches: [Dated; 8] = [
            ("052021", "062021", Rules::late_fee_is_by_turnover),
            ("092022", "102022", Rules::gstr3b_follows_gstr1),
            ("122022", "012023", Rules::credit_notes_are_netted),
            ("072023", "082023", Rules::has_reclaim_statement),
            ("072024", "082024", Rules::has_reverse_charge_statement),
            ("062025", "072025", Rules::liability_is_locked),
            ("102025", "112025", Rules::inter_state_is_locked),
            ("122025", "012026", Rules::cash_balance_counts),
        ];
        for (before, after, switch) in switches {
            assert!(!switch(&rules, period(before)) && switch(&rules, period(after)), "{after}");
        }
        assert!(
            rules.central_before_state(period("122025")) && !rules.central_before_state(period("012026"))
        );
        let off = Rules { lock_liability: false, lock_inter_state: false, ..rules };
        assert!(!off.liability_is_locked(period("012026")) && !off.inter_state_is_locked(period("012026")));
        let due = date(2022, 12, 20);
        assert!(
            !rules.is_barred_after(due, date(2025, 12, 20)) && rules.is_barred_after(due, date(2025, 12, 21))
        );
        assert!(!rules.is_barred_after(date(2022, 11, 20), date(2025, 11, 30)), "the bar did not exist yet");
    }

    #[test]
    fn amendments_end_on_30_november_after_the_year() {
        let rules = Rules::default();
        for month in ["042024", "122024", "032025"] {
            assert_eq!(rules.last_day_of_amendments(period(month)), Some(date(2025, 11, 30)), "{month}");
        }
        assert_eq!(Rules { amendments_end: false, ..rules }.last_day_of_amendments(period("042024")), None);
    }

    #[test]
    fn daman_and_diu_ends_in_2020() {
        let rules = Rules::default();
        assert!(rules.knows_state("25", period("072020")) && !rules.knows_state("25", period("082020")));
        assert!(!rules.knows_state("28", period("072017")) && rules.knows_state("96", period("072017")));
    }
}
