//! Money in whole paise, so that sums neither drift nor depend on their order.

use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub};

use serde_json::{Map, Number, Value};

/// Paise. Also used for rates and percentages, as hundredths.
///
/// A JSON number is read by its shortest decimal text; decimals after the second are rounded half away from
/// zero. That is what "rounding" means everywhere in this engine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Amount(i128);

impl Amount {
    pub(crate) const ZERO: Self = Self(0);
    /// What one line of tax may be off by: one rupee (inferred).
    pub(crate) const ONE_RUPEE: Self = Self(100);

    pub(crate) const fn rupees(rupees: i64) -> Self {
        Self(rupees as i128 * 100)
    }

    pub(crate) const fn from_hundredths(hundredths: i128) -> Self {
        Self(hundredths)
    }

    pub(crate) const fn hundredths(self) -> i128 {
        self.0
    }

    /// The amount under `key`; what is absent or no number counts as nothing.
    pub(crate) fn of(object: &Map<String, Value>, key: &str) -> Self {
        object.get(key).map_or(Self::ZERO, Self::read)
    }

    pub(crate) fn read(value: &Value) -> Self {
        value.as_number().map_or(Self::ZERO, |number| Self::parse(&decimal_text(number)))
    }

    /// Whether a number has no decimals after the second, so that reading it rounds nothing.
    pub(crate) fn is_exact(value: &Value) -> bool {
        let text = value.as_number().map(decimal_text).unwrap_or_default();
        text.split_once('.').is_none_or(|(_, decimals)| decimals.len() <= 2)
    }

    pub(crate) fn is_zero(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn abs(self) -> Self {
        Self(self.0.saturating_abs())
    }

    fn parse(text: &str) -> Self {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, decimals) = digits.split_once('.').unwrap_or((digits, ""));
        let mut paise: i128 = 0;
        let first_two = decimals.bytes().chain(std::iter::repeat(b'0')).take(2);
        for digit in whole.bytes().chain(first_two) {
            paise = paise.saturating_mul(10).saturating_add(i128::from(digit.saturating_sub(b'0')));
        }
        let round_up = decimals.as_bytes().get(2).is_some_and(|third| *third >= b'5');
        paise = paise.saturating_add(i128::from(round_up));
        Self(if negative { -paise } else { paise })
    }

    /// As JSON: an integer when there are no paise.
    pub(crate) fn to_json(self) -> Value {
        if self.0 % 100 == 0
            && let Ok(rupees) = i64::try_from(self.0 / 100)
        {
            return rupees.into();
        }
        let sign = if self.0 < 0 { "-" } else { "" };
        let (rupees, paise) = (self.0.unsigned_abs() / 100, self.0.unsigned_abs() % 100);
        let nearest: f64 = format!("{sign}{rupees}.{paise:02}").parse().unwrap_or_default();
        Number::from_f64(nearest).map_or(Value::Null, Value::Number)
    }
}

/// The shortest decimal text of a number, without an exponent; `1.0` gives `1`.
pub(crate) fn decimal_text(number: &Number) -> String {
    if let Some(integer) = number.as_i64() {
        integer.to_string()
    } else if let Some(integer) = number.as_u64() {
        integer.to_string()
    } else {
        let text = number.as_f64().unwrap_or_default().to_string();
        if text == "-0" { "0".into() } else { text }
    }
}

impl Add for Amount {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Amount {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Amount {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

impl Neg for Amount {
    type Output = Self;
    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

impl Sum for Amount {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_read_by_their_decimal_text() {
        for (number, paise) in [
            (json!(0), 0),
            (json!(1.0), 100),
            (json!(0.1), 10),
            (json!(729248.16), 72_924_816),
            (json!(-2.675), -268),
            (json!(0.005), 1),
            (json!(0.0049), 0),
            (json!(-0.0), 0),
            (json!(99999999999.99), 9_999_999_999_999),
            (json!(1e21), 100_000_000_000_000_000_000_000),
            (json!("12"), 0),
        ] {
            assert_eq!(Amount::read(&number).hundredths(), paise, "{number}");
        }
        assert_eq!(Amount::read(&json!(f64::MAX)).hundredths(), i128::MAX);
    }

    #[test]
    fn a_sum_of_floats_that_drifts_does_not() {
        let total: Amount = std::iter::repeat_n(Amount::read(&json!(0.1)), 1_000_003).sum();
        assert_eq!(total.to_json(), json!(100000.3));
    }

    proptest! {
        #[test]
        fn paise_survive_json(paise in -99_999_999_999_999_i64..=99_999_999_999_999) {
            let amount = Amount(i128::from(paise));
            let text = amount.to_json().to_string();
            prop_assert_eq!(Amount::read(&serde_json::from_str(&text).unwrap()), amount);
        }
    }
}
