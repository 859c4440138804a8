//! Tax periods and financial years. A financial year runs from April to March.

use std::fmt;
use std::str::FromStr;

use super::{IdentifierError, quote, refuse_other_characters, serde_as_text};

/// A month for which a return is made, written `MMYYYY` (`072025` is July 2025). Ordered by time.
///
/// Quarterly filers name a quarter by its last month.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReturnPeriod {
    year: u16,
    month: u8,
}

impl ReturnPeriod {
    /// The period of `month` (1 to 12) in `year` (1900 to 2099, as GSTN's schema has it).
    pub fn new(year: u16, month: u8) -> Option<Self> {
        ((1900..=2099).contains(&year) && (1..=12).contains(&month)).then_some(Self { year, month })
    }

    /// 1 to 12.
    pub fn month(self) -> u8 {
        self.month
    }

    /// The calendar year.
    pub fn year(self) -> u16 {
        self.year
    }

    /// The financial year the month lies in.
    pub fn financial_year(self) -> FinancialYear {
        FinancialYear { start: if self.month >= 4 { self.year } else { self.year - 1 } }
    }

    /// Year, month and day of the first day.
    pub fn first_day(self) -> (i16, u8, u8) {
        (self.year.cast_signed(), self.month, 1)
    }

    /// Year, month and day of the last day.
    pub fn last_day(self) -> (i16, u8, u8) {
        let leap =
            self.year.is_multiple_of(4) && (!self.year.is_multiple_of(100) || self.year.is_multiple_of(400));
        let day = match self.month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        (self.year.cast_signed(), self.month, day)
    }

    /// The month after; none after December 2099.
    pub fn next(self) -> Option<Self> {
        if self.month == 12 { Self::new(self.year + 1, 1) } else { Self::new(self.year, self.month + 1) }
    }

    /// The month before; none before January 1900.
    pub fn previous(self) -> Option<Self> {
        if self.month == 1 { Self::new(self.year - 1, 12) } else { Self::new(self.year, self.month - 1) }
    }
}

impl FromStr for ReturnPeriod {
    type Err = IdentifierError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WHAT: &str = "return period";
        refuse_other_characters(WHAT, text, "a digit (the form is MMYYYY)", |c| c.is_ascii_digit())?;
        if text.len() != 6 {
            let (value, found) = (quote(text), text.len());
            return Err(IdentifierError::Length { what: WHAT, value, expected: "six (MMYYYY)", found });
        }
        let refuse = |reason| IdentifierError::Value { what: WHAT, value: quote(text), reason };
        let month = text[..2].parse().map_err(|_| refuse("the month is not a number"))?;
        if !(1..=12).contains(&month) {
            return Err(refuse("the first two digits are the month, 01 to 12"));
        }
        let year = text[2..].parse().map_err(|_| refuse("the year is not a number"))?;
        Self::new(year, month).ok_or_else(|| refuse("the last four digits are the year, 1900 to 2099"))
    }
}

impl fmt::Display for ReturnPeriod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:02}{:04}", self.month, self.year))
    }
}

impl fmt::Debug for ReturnPeriod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReturnPeriod({self})")
    }
}

/// A financial year, April to March, written `2024-25`; `2024-2025` is read too. Ordered by time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FinancialYear {
    start: u16,
}

impl FinancialYear {
    /// The year that begins in April of `year` (1900 to 2098).
    pub fn starting(year: u16) -> Option<Self> {
        (1900..=2098).contains(&year).then_some(Self { start: year })
    }

    /// The calendar year it begins in.
    pub fn start_year(self) -> u16 {
        self.start
    }

    /// Whether `period` lies in it.
    pub fn contains(self, period: ReturnPeriod) -> bool {
        period.financial_year() == self
    }

    /// Its twelve months, April first.
    pub fn periods(self) -> impl Iterator<Item = ReturnPeriod> {
        (4..=12)
            .map(move |month| ReturnPeriod { year: self.start, month })
            .chain((1..=3).map(move |month| ReturnPeriod { year: self.start + 1, month }))
    }
}

impl FromStr for FinancialYear {
    type Err = IdentifierError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WHAT: &str = "financial year";
        let refuse = |reason| IdentifierError::Value { what: WHAT, value: quote(text), reason };
        refuse_other_characters(WHAT, text, "a digit or a hyphen (the form is 2024-25)", |c| {
            c.is_ascii_digit() || c == '-'
        })?;
        let (start, end) = text.split_once('-').ok_or_else(|| refuse("it is written like 2024-25"))?;
        if start.len() != 4 || !matches!(end.len(), 2 | 4) {
            return Err(refuse("it is written like 2024-25"));
        }
        let year = start.parse().ok().and_then(Self::starting);
        let year = year.ok_or_else(|| refuse("the first year must lie between 1900 and 2098"))?;
        if !format!("{:04}", year.start + 1).ends_with(end) {
            return Err(refuse("the second year must follow the first"));
        }
        Ok(year)
    }
}

impl fmt::Display for FinancialYear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:04}-{:02}", self.start, (self.start + 1) % 100))
    }
}

impl fmt::Debug for FinancialYear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FinancialYear({self})")
    }
}

serde_as_text!(ReturnPeriod, FinancialYear);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn period(text: &str) -> ReturnPeriod {
        text.parse().unwrap()
    }

    #[test]
    fn months_are_ordered_by_time_not_by_text() {
        assert!(period("122024") < period("012025"));
        assert_eq!(period("012025").previous(), Some(period("122024")));
        assert_eq!(period("122024").next(), Some(period("012025")));
        assert_eq!(period("122099").next(), None);
        assert_eq!(period("011900").previous(), None);
    }

    #[test]
    fn february_knows_its_leap_years() {
        assert_eq!(period("022024").last_day(), (2024, 2, 29));
        assert_eq!(period("022025").last_day(), (2025, 2, 28));
        assert_eq!(period("021900").last_day(), (1900, 2, 28));
        assert_eq!(period("022000").last_day(), (2000, 2, 29));
        assert_eq!(period("112025").last_day(), (2025, 11, 30));
        assert_eq!(period("112025").first_day(), (2025, 11, 1));
    }

    #[test]
    fn a_financial_year_runs_from_april_to_march() {
        assert_eq!(period("032025").financial_year().to_string(), "2024-25");
        assert_eq!(period("042025").financial_year().to_string(), "2025-26");
        let year: FinancialYear = "1999-00".parse().unwrap();
        assert_eq!(year, "1999-2000".parse().unwrap());
        let months: Vec<_> = year.periods().map(|month| month.to_string()).collect();
        assert_eq!((months.len(), months[0].as_str(), months[11].as_str()), (12, "041999", "032000"));
        assert!(year.periods().is_sorted() && year.periods().all(|month| year.contains(month)));
    }

    #[test]
    fn a_refusal_says_what_was_wrong() {
        let why = |text: &str| text.parse::<ReturnPeriod>().unwrap_err().to_string();
        assert_eq!(why("132024"), "return period \"132024\": the first two digits are the month, 01 to 12");
        assert_eq!(
            why("072150"),
            "return period \"072150\": the last four digits are the year, 1900 to 2099"
        );
        assert_eq!(
            why("07-2024"),
            "return period \"07-2024\": character 3 is '-'; it must be a digit (the form is MMYYYY)"
        );
        assert_eq!(why("7"), "return period \"7\" has 1 characters; it must have six (MMYYYY)");
        for text in ["2024-26", "2024", "24-25", "2024-2026", "2024/25", "2099-00", "-", "2024-025"] {
            assert!(text.parse::<FinancialYear>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn periods_read_back(year in 1900u16..=2099, month in 1u8..=12) {
            let period = ReturnPeriod::new(year, month).unwrap();
            prop_assert_eq!(period.to_string().parse(), Ok(period));
            prop_assert_eq!(period.next().and_then(ReturnPeriod::previous).unwrap_or(period), period);
            prop_assert!(period.financial_year().periods().any(|month| month == period) || year == 1900);
        }

        #[test]
        fn any_text_is_a_period_or_an_error(text in "\\PC{0,9}|[0-9]{6}|[0-9]{4}-[0-9]{2,4}") {
            if let Ok(period) = text.parse::<ReturnPeriod>() {
                prop_assert_eq!(period.to_string(), text.clone());
            }
            if let Ok(year) = text.parse::<FinancialYear>() {
                prop_assert!(text.starts_with(&year.to_string()[..5]));
            }
        }
    }
}
