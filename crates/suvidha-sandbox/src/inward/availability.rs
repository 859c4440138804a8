//! Whether credit is available for a document, and why not.

use gstn::{Gstin, ReturnPeriod, StateCode};
use jiff::civil::{Date, date};

use crate::gstr1::outward::Document;
use crate::rules::Rules;

/// What a statement says about the credit of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Availability {
    Available,
    /// `P`: supplied in the supplier's state, while the recipient is in another (s.12 and s.13 IGST Act).
    PlaceOfSupply,
    /// `C`: reported after the last day for credit of its year (s.16(4) CGST Act).
    TooLate,
}

impl Availability {
    /// `itcavl`.
    pub(super) const fn itcavl(self) -> &'static str {
        if matches!(self, Self::Available) { "Y" } else { "N" }
    }

    /// `rsn`.
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::Available => "",
            Self::PlaceOfSupply => "P",
            Self::TooLate => "C",
        }
    }
}

/// `filed_on` is the day on which the supplier filed the return that has the document; none, as long as it has not.
pub(super) fn of(
    rules: &Rules,
    recipient: &Gstin,
    document: &Document,
    filed_on: Option<Date>,
) -> Availability {
    if is_supplied_elsewhere(document.id.supplier.state(), recipient.state(), document.text("pos")) {
        return Availability::PlaceOfSupply;
    }
    let last_day = document.day().map(|day| last_day_for_credit(rules, document.id.period, day));
    match (filed_on, last_day) {
        (Some(filed_on), Some(last_day)) if filed_on > last_day => Availability::TooLate,
        _ => Availability::Available,
    }
}

fn is_supplied_elsewhere(supplier: StateCode, recipient: StateCode, pos: &str) -> bool {
    pos == supplier.as_str() && pos != recipient.as_str()
}

/// 30 November after the financial year of the document (since the amendment of s.16(4) that took effect on 1 October
/// 2022); 20 October, the due date of the return for September, before.
fn last_day_for_credit(rules: &Rules, reported_in: ReturnPeriod, day: Date) -> Date {
    let year = if day.month() >= 4 { day.year() } else { day.year() - 1 };
    let (month, last) = if rules.credit_ends_in_november(reported_in) { (11, 30) } else { (10, 20) };
    Date::new(year.saturating_add(1), month, last).unwrap_or(date(9999, 12, 31))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_supply_in_the_suppliers_state_gives_no_credit_in_another() {
        let state = |code: &str| code.parse::<StateCode>().unwrap();
        for (supplier, recipient, pos, elsewhere) in [
            ("27", "29", "27", true),
            ("27", "29", "29", false),
            ("27", "27", "27", false),
            ("27", "29", "33", false),
            ("27", "29", "96", false),
        ] {
            let found = is_supplied_elsewhere(state(supplier), state(recipient), pos);
            assert_eq!(found, elsewhere, "{supplier} {recipient} {pos}");
        }
    }

    /// s.16(4) CGST Act, before and after its amendment of 2022.
    #[test]
    fn credit_of_a_year_ends_in_the_next_one() {
        let last = |reported_in: &str, day| {
            last_day_for_credit(&Rules::default(), reported_in.parse().unwrap(), day)
        };
        assert_eq!(last("102025", date(2025, 3, 31)), date(2025, 11, 30));
        assert_eq!(last("102025", date(2025, 4, 1)), date(2026, 11, 30));
        assert_eq!(last("102022", date(2022, 3, 31)), date(2022, 11, 30));
        assert_eq!(last("092022", date(2022, 3, 31)), date(2022, 10, 20));
    }
}
