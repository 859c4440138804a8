//! Money, exact: whole paise, never a binary fraction.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// An amount in rupees, exact to the paisa.
///
/// GSTN writes amounts as JSON numbers, or as texts, with two decimals at most. They are read from their digits, so
/// that nothing is lost on the way through a binary fraction.
///
/// # Panics
/// Sums and differences beyond 92 quadrillion rupees, more than the world's money.
///
/// ```
/// use suvidha_client::Rupees;
///
/// let tax: Rupees = "180.10".parse()?;
/// assert_eq!(tax.paise(), 18010);
/// assert_eq!((tax + Rupees::from_paise(90)).to_string(), "181.00");
/// # Ok::<(), suvidha_client::NotRupees>(())
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rupees(i64);

/// A text that is no amount in rupees.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no amount in rupees")]
pub struct NotRupees(String);

impl Rupees {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// An amount given in paise, hundredths of a rupee.
    pub const fn from_paise(paise: i64) -> Self {
        Self(paise)
    }

    /// The amount in paise.
    pub const fn paise(self) -> i64 {
        self.0
    }

    /// Whether it is nothing.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

/// Reads `1180`, `-0.5`, `1180.00`, and JSON's `1.18e3`. What comes after the second decimal is the other side's own sum
/// of binary fractions (`117.99999999999999`): it is rounded, half away from zero.
impl FromStr for Rupees {
    type Err = NotRupees;

    fn from_str(text: &str) -> Result<Self, NotRupees> {
        paise(text.trim()).map(Self).ok_or_else(|| NotRupees(text.chars().take(40).collect()))
    }
}

fn paise(text: &str) -> Option<i64> {
    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (negative, digits) = match number.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, number),
    };
    let (whole, decimals) = digits.split_once('.').unwrap_or((digits, ""));
    let all = || whole.bytes().chain(decimals.bytes());
    if whole.is_empty() || !all().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let amount = all()
        .try_fold(0_i128, |amount, digit| amount.checked_mul(10)?.checked_add(i128::from(digit - b'0')))?;
    // As many places as the point must move to the right for paise.
    let shift = exponent.checked_add(2)?.checked_sub(i32::try_from(decimals.len()).ok()?)?;
    let power = 10_i128.checked_pow(shift.unsigned_abs());
    let amount = match power {
        _ if amount == 0 => 0,
        Some(power) if shift >= 0 => amount.checked_mul(power)?,
        Some(power) => amount / power + i128::from(amount % power >= power - amount % power),
        None if shift >= 0 => return None,
        None => 0,
    };
    i64::try_from(if negative { -amount } else { amount }).ok()
}

/// With two decimals, as money is written: `1180.00`.
impl fmt::Display for Rupees {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rupees, paise) = (self.0.unsigned_abs() / 100, self.0.unsigned_abs() % 100);
        f.pad_integral(self.0 >= 0, "", &format!("{rupees}.{paise:02}"))
    }
}

impl fmt::Debug for Rupees {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rupees({self})")
    }
}

/// From JSON text only ([`serde_json`]): a number, or a text that holds one; `null` and an empty text are nothing.
impl<'de> Deserialize<'de> for Rupees {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let text = raw.get();
        let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text).trim();
        if text.is_empty() || text == "null" {
            return Ok(Self::ZERO);
        }
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// As JSON text ([`serde_json`]): a number that is written digit by digit, `1180` or `0.10`.
impl Serialize for Rupees {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 % 100 == 0 {
            return serializer.serialize_i64(self.0 / 100);
        }
        RawValue::from_string(self.to_string()).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

/// In every build: a sum that came out wrong would be filed.
fn held(paise: Option<i64>) -> Rupees {
    match paise {
        Some(paise) => Rupees(paise),
        None => panic!("more than 92 quadrillion rupees"),
    }
}

impl Add for Rupees {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        held(self.0.checked_add(other.0))
    }
}

impl Sub for Rupees {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        held(self.0.checked_sub(other.0))
    }
}

impl Neg for Rupees {
    type Output = Self;

    fn neg(self) -> Self {
        held(self.0.checked_neg())
    }
}

impl AddAssign for Rupees {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for Rupees {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl Sum for Rupees {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<i64> {
        serde_json::from_str::<Rupees>(json).ok().map(Rupees::paise)
    }

    #[test]
    fn every_digit_of_an_amount_counts() {
        let amounts = [
            ("0", 0),
            ("-0.0", 0),
            ("1180", 118_000),
            ("1180.1", 118_010),
            ("-0.05", -5),
            ("\"12.50\"", 1_250),
            ("1.18E3", 118_000),
            ("118000e-2", 118_000),
            ("0e99", 0),
            ("1.100", 110),
            ("117.99999999999999", 11_800),
            ("-0.005", -1),
            ("0.00499999999", 0),
            ("5e-60", 0),
            // The nearest binary fractions of these are off by more than a paisa.
            ("90071992547409.93", 9_007_199_254_740_993),
            ("92233720368547758.07", i64::MAX),
        ];
        for (json, paise) in amounts {
            assert_eq!(read(json), Some(paise), "{json}");
        }
        assert_eq!((read("null"), read("\"\"")), (Some(0), Some(0)));
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for json in ["92233720368547758.08", "1e40", "1e2147483647", "true", "{}", "\"1,000\"", "\"-\""] {
            assert_eq!(read(json), None, "{json}");
        }
        assert!("".parse::<Rupees>().is_err() && ".5".parse::<Rupees>().is_err());
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        for (paise, json) in
            [(118_000, "1180"), (10, "0.10"), (-5, "-0.05"), (i64::MAX, "92233720368547758.07"), (0, "0")]
        {
            assert_eq!(serde_json::to_string(&Rupees(paise)).unwrap(), json);
            assert_eq!(read(json), Some(paise));
        }
        assert_eq!(serde_json::to_value(Rupees(1_050)).unwrap(), serde_json::json!(10.5));
    }

    #[test]
    fn amounts_add_up_and_print_as_money() {
        let amounts = ["0.1", "0.2", "-1"].map(|text| text.parse::<Rupees>().unwrap());
        let sum: Rupees = amounts.into_iter().sum();
        assert_eq!((sum.to_string().as_str(), sum), ("-0.70", Rupees::from_paise(-70)));
        assert_eq!(format!("{:>8}", -sum), "    0.70");
        assert_eq!(format!("{:?}", Rupees::from_paise(i64::MIN)), "Rupees(-92233720368547758.08)");
    }

    #[test]
    fn a_sum_that_cannot_be_held_does_not_come_out_wrong() {
        let (most, least, one) = (Rupees(i64::MAX), Rupees(i64::MIN), Rupees(1));
        let sums: [fn([Rupees; 3]) -> Rupees; 4] = [
            |[most, _, one]| most + one,
            |[_, least, one]| least - one,
            |[_, least, _]| -least,
            |amounts| amounts.into_iter().chain(amounts).chain(amounts).chain([amounts[0]; 2]).sum(),
        ];
        for sum in sums {
            assert!(std::panic::catch_unwind(|| sum([most, least, one])).is_err());
        }
        assert_eq!(most - one + one, most);
    }
}
