//! RETINT: the interest that GSTN has computed.

use gstn::ReturnPeriod;
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::Value;

use crate::taxes::{Rate, Taxes};
use crate::tolerant::{count, day, list, object, period, text};

/// Interest on tax that was paid late with the return before; it is paid with this one.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Interest {
    /// `interest`: all of it, by head.
    #[serde(rename = "interest", deserialize_with = "object")]
    pub total: Taxes,
    /// `filed_period`: of which return.
    #[serde(rename = "filed_period", deserialize_with = "period")]
    pub of_period: Option<ReturnPeriod>,
    /// `computedt`: when it was computed.
    #[serde(rename = "computedt", deserialize_with = "day")]
    pub computed_on: Option<Date>,
    /// `interestbreakup`: by the periods in which the tax was due.
    #[serde(rename = "interestbreakup", deserialize_with = "list")]
    pub lines: Vec<InterestLine>,
    /// GSTN's answer as it came.
    #[serde(skip)]
    pub raw: Value,
}

/// Interest on the tax of a period.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct InterestLine {
    /// `ret_period`.
    #[serde(rename = "ret_period", deserialize_with = "period")]
    pub period: Option<ReturnPeriod>,
    /// `duedate`: when its tax was due.
    #[serde(rename = "duedate", deserialize_with = "day")]
    pub due_on: Option<Date>,
    /// `profile`: `M` or `Q`.
    #[serde(deserialize_with = "text")]
    pub profile: String,
    /// `txpay`: the tax on which it is computed.
    #[serde(rename = "txpay", deserialize_with = "object")]
    pub tax: Taxes,
    /// `txpay_declared`: the tax that was declared.
    #[serde(rename = "txpay_declared", deserialize_with = "object")]
    pub declared: Taxes,
    /// `rates`: by spans of days.
    #[serde(deserialize_with = "list")]
    pub rates: Vec<InterestRate>,
}

/// Interest for a span of days.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct InterestRate {
    /// `start_dt`: the first day.
    #[serde(rename = "start_dt", deserialize_with = "day")]
    pub from: Option<Date>,
    /// `end_dt`: the last day.
    #[serde(rename = "end_dt", deserialize_with = "day")]
    pub to: Option<Date>,
    /// `delay`: how many days.
    #[serde(rename = "delay", deserialize_with = "count")]
    pub days: u64,
    /// `rate`: a year.
    pub rate: Rate,
    /// `interest`: for these days.
    #[serde(deserialize_with = "object")]
    pub interest: Taxes,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interest_is_read_by_period_and_days() {
        let json = r#"{"filed_period": "032026", "computedt": "05-05-2026", "interest": {"iamt": 12.5, "csamt": 0},
            "interestbreakup": [{"ret_period": "032026", "profile": "M", "duedate": "20-04-2026", "txpay": {"iamt": 1000},
                "challan": [], "rates": [{"start_dt": "21-04-2026", "end_dt": "05-05-2026", "rate": 18, "delay": 15,
                "interest": {"iamt": 12.5}}]}]}"#;
        let interest: Interest = serde_json::from_str(json).unwrap();
        assert_eq!(
            (interest.total.igst.paise(), interest.of_period),
            (1_250, Some("032026".parse().unwrap()))
        );
        let rate = &interest.lines[0].rates[0];
        assert_eq!(
            (rate.days, rate.rate.to_string(), rate.interest.igst.paise()),
            (15, "18".to_owned(), 1_250)
        );
        assert_eq!(interest.lines[0].due_on, Some(jiff::civil::date(2026, 4, 20)));
    }
}
