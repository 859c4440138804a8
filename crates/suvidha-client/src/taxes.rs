//! Taxes by head, summed and by rate, in whichever of GSTN's spellings they come.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub, SubAssign};

use serde::{Deserialize, Deserializer};

use crate::rupees::Rupees;

/// A taxable value and the taxes on it. What is left out is nothing.
///
/// GSTN writes the same heads as `igst`, `cgst`, `sgst`, `cess` in statements and ledgers, and as `iamt`, `camt`, `samt`,
/// `csamt` in returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Taxes {
    /// `txval`: the taxable value; nothing where only taxes are told.
    #[serde(rename = "txval")]
    pub taxable: Rupees,
    /// `iamt`, `igst`: integrated tax.
    #[serde(alias = "iamt")]
    pub igst: Rupees,
    /// `camt`, `cgst`: central tax.
    #[serde(alias = "camt")]
    pub cgst: Rupees,
    /// `samt`, `sgst`: state or union territory tax.
    #[serde(alias = "samt")]
    pub sgst: Rupees,
    /// `csamt`, `cess`: compensation cess.
    #[serde(alias = "csamt")]
    pub cess: Rupees,
}

impl Taxes {
    /// Taxes by head, without a value.
    pub const fn by_head(igst: Rupees, cgst: Rupees, sgst: Rupees, cess: Rupees) -> Self {
        Self { taxable: Rupees::ZERO, igst, cgst, sgst, cess }
    }

    /// All taxes together, without the value.
    pub fn tax(&self) -> Rupees {
        self.igst + self.cgst + self.sgst + self.cess
    }

    /// Integrated tax, central tax, state tax, cess.
    pub(crate) const fn heads(&self) -> [Rupees; 4] {
        [self.igst, self.cgst, self.sgst, self.cess]
    }

    pub(crate) const fn of_heads([igst, cgst, sgst, cess]: [Rupees; 4]) -> Self {
        Self::by_head(igst, cgst, sgst, cess)
    }
}

impl Add for Taxes {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            taxable: self.taxable + other.taxable,
            igst: self.igst + other.igst,
            cgst: self.cgst + other.cgst,
            sgst: self.sgst + other.sgst,
            cess: self.cess + other.cess,
        }
    }
}

impl Sub for Taxes {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            taxable: self.taxable - other.taxable,
            igst: self.igst - other.igst,
            cgst: self.cgst - other.cgst,
            sgst: self.sgst - other.sgst,
            cess: self.cess - other.cess,
        }
    }
}

impl AddAssign for Taxes {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for Taxes {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl Sum for Taxes {
    fn sum<I: Iterator<Item = Self>>(taxes: I) -> Self {
        taxes.fold(Self::default(), Add::add)
    }
}

/// The part of a document that is taxed at one rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct RatedTaxes {
    /// `rt`: the rate.
    pub rate: Rate,
    /// The value taxed at it, and the taxes.
    pub taxes: Taxes,
}

/// A rate of tax in per cent, exact: `18`, `0.25`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Rate(i64);

impl Rate {
    /// In hundredths of a per cent: 1800 is 18 %.
    pub const fn hundredths(self) -> i64 {
        self.0
    }
}

/// As it is spoken: `18`, `0.25`.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = Rupees::from_paise(self.0).to_string();
        f.pad(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Rupees::deserialize(deserializer).map(|rate| Self(rate.paise()))
    }
}

/// An item of a document: some have their amounts inside `itm_det`, some outside.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Item {
    itm_det: Option<Box<Item>>,
    rt: Rate,
    txval: Rupees,
    #[serde(alias = "iamt")]
    igst: Rupees,
    #[serde(alias = "camt")]
    cgst: Rupees,
    #[serde(alias = "samt")]
    sgst: Rupees,
    #[serde(alias = "csamt")]
    cess: Rupees,
}

impl Item {
    pub(crate) fn rated(&self) -> RatedTaxes {
        let item = self.itm_det.as_deref().unwrap_or(self);
        let heads = Taxes::by_head(item.igst, item.cgst, item.sgst, item.cess);
        RatedTaxes { rate: item.rt, taxes: Taxes { taxable: item.txval, ..heads } }
    }
}

/// What a note does to its document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Note {
    /// `C`: a credit note, which takes away.
    Credit,
    /// `D`: a debit note, which adds.
    Debit,
}

impl Note {
    pub(crate) fn read(text: &str) -> Option<Self> {
        match text {
            "C" | "c" => Some(Self::Credit),
            "D" | "d" => Some(Self::Debit),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_are_read_and_what_is_left_out_is_nothing() {
        let read = |json: &str| serde_json::from_str::<Taxes>(json).unwrap();
        let taxes = read(r#"{"txval": 6210.99, "iamt": 0, "camt": "614.44", "samt": 5.68, "csamt": 621.09}"#);
        assert_eq!(
            taxes,
            read(r#"{"txval": 6210.99, "cgst": 614.44, "sgst": 5.68, "cess": 621.09, "new": 1}"#)
        );
        assert_eq!((taxes.tax().paise(), taxes.taxable.paise()), (124_121, 621_099));
        assert_eq!([taxes, taxes].into_iter().sum::<Taxes>() - taxes, taxes);
    }

    #[test]
    fn rates_are_exact_and_shown_as_they_are_spoken() {
        for (json, shown) in
            [("18", "18"), ("0.25", "0.25"), ("10.1", "10.1"), ("\"5\"", "5"), ("0", "0"), ("null", "0")]
        {
            assert_eq!(serde_json::from_str::<Rate>(json).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn an_item_is_read_in_both_wrappings() {
        let wrapped = r#"{"num": 1, "itm_det": {"rt": 5, "txval": 400, "camt": 200, "samt": 200}}"#;
        let bare = r#"{"num": 1, "rt": 5, "txval": 400, "igst": 0, "cgst": 200, "sgst": 200, "cess": 0}"#;
        let read = |json: &str| serde_json::from_str::<Item>(json).unwrap().rated();
        assert_eq!(read(wrapped), read(bare));
        assert_eq!((read(bare).rate.hundredths(), read(bare).taxes.tax().paise()), (500, 40_000));
    }
}
