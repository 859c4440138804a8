//! Amounts by tax head and minor head, in whole paise: the columns of every ledger.

use std::ops::{Add, AddAssign, Index, IndexMut, Neg, Sub, SubAssign};

use serde_json::{Map, Value};

use crate::amounts::Amount;

/// A tax head, which the law calls a major head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Head {
    Igst,
    Cgst,
    Sgst,
    Cess,
}

impl Head {
    pub(crate) const ALL: [Self; 4] = [Self::Igst, Self::Cgst, Self::Sgst, Self::Cess];

    /// As ledgers write it: `igst`.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Igst => "igst",
            Self::Cgst => "cgst",
            Self::Sgst => "sgst",
            Self::Cess => "cess",
        }
    }

    /// As returns write it: `iamt`.
    pub(crate) const fn amount_key(self) -> &'static str {
        match self {
            Self::Igst => "iamt",
            Self::Cgst => "camt",
            Self::Sgst => "samt",
            Self::Cess => "csamt",
        }
    }
}

/// A minor head: what an amount is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Minor {
    Tax,
    Interest,
    Penalty,
    Fee,
    Other,
}

impl Minor {
    pub(crate) const ALL: [Self; 5] = [Self::Tax, Self::Interest, Self::Penalty, Self::Fee, Self::Other];

    /// As ledgers write it: `tx`.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Tax => "tx",
            Self::Interest => "intr",
            Self::Penalty => "pen",
            Self::Fee => "fee",
            Self::Other => "oth",
        }
    }
}

/// One amount for each tax head.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Heads([i64; 4]);

impl Heads {
    pub(crate) const ZERO: Self = Self([0; 4]);

    pub(crate) const fn new(igst: i64, cgst: i64, sgst: i64, cess: i64) -> Self {
        Self([igst, cgst, sgst, cess])
    }

    /// The four amounts that a return writes `iamt`, `camt`, `samt` and `csamt`; what is absent counts as nothing.
    pub(crate) fn of_return(value: &Value) -> Self {
        Self(Head::ALL.map(|head| paise(&value[head.amount_key()])))
    }

    /// The four amounts that a statement writes `igst`, `cgst`, `sgst` and `cess`.
    pub(crate) fn of_statement(value: &Value) -> Self {
        Self(Head::ALL.map(|head| paise(&value[head.as_str()])))
    }

    /// `{iamt, camt, samt, csamt}`
    pub(crate) fn to_return(self) -> Map<String, Value> {
        Head::ALL.iter().map(|head| (head.amount_key().to_owned(), rupees(self[*head]))).collect()
    }

    /// `{igst, cgst, sgst, cess}`
    pub(crate) fn to_statement(self) -> Value {
        Value::Object(Head::ALL.iter().map(|head| (head.as_str().to_owned(), rupees(self[*head]))).collect())
    }

    pub(crate) fn map(self, change: impl Fn(i64) -> i64) -> Self {
        Self(self.0.map(change))
    }

    /// What `combine` makes of each pair of amounts.
    pub(crate) fn zip(self, other: Self, combine: impl Fn(i64, i64) -> i64) -> Self {
        Self(Head::ALL.map(|head| combine(self[head], other[head])))
    }

    pub(crate) fn total(self) -> i64 {
        self.0.into_iter().fold(0, i64::saturating_add)
    }

    pub(crate) fn is_zero(self) -> bool {
        self == Self::ZERO
    }

    pub(crate) fn any(self, condition: impl Fn(i64) -> bool) -> bool {
        self.0.into_iter().any(condition)
    }
}

impl Index<Head> for Heads {
    type Output = i64;
    fn index(&self, head: Head) -> &i64 {
        &self.0[head as usize]
    }
}

impl IndexMut<Head> for Heads {
    fn index_mut(&mut self, head: Head) -> &mut i64 {
        &mut self.0[head as usize]
    }
}

impl Add for Heads {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        self.zip(other, i64::saturating_add)
    }
}

impl AddAssign for Heads {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Heads {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self.zip(other, i64::saturating_sub)
    }
}

impl SubAssign for Heads {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl Neg for Heads {
    type Output = Self;
    fn neg(self) -> Self {
        Self::ZERO - self
    }
}

/// One amount for each tax head and minor head.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Cells([Heads; 5]);

impl Cells {
    pub(crate) const ZERO: Self = Self([Heads::ZERO; 5]);

    /// Amounts under the minor head "tax" alone: what a credit is.
    pub(crate) fn of_tax(tax: Heads) -> Self {
        let mut cells = Self::ZERO;
        cells[Minor::Tax] = tax;
        cells
    }

    pub(crate) fn total(self) -> i64 {
        self.0.into_iter().map(Heads::total).fold(0, i64::saturating_add)
    }

    pub(crate) fn is_zero(self) -> bool {
        self == Self::ZERO
    }

    /// The first cell that is below zero.
    pub(crate) fn first_negative(self) -> Option<(Head, Minor)> {
        let cells = Head::ALL.into_iter().flat_map(|head| Minor::ALL.map(|minor| (head, minor)));
        cells.into_iter().find(|(head, minor)| self[*minor][*head] < 0)
    }

    /// `{tx, intr, pen, fee, oth, tot}` of one tax head.
    pub(crate) fn of_head(self, head: Head) -> Value {
        let mut cells: Map<String, Value> =
            Minor::ALL.iter().map(|minor| (minor.as_str().to_owned(), rupees(self[*minor][head]))).collect();
        cells.insert("tot".into(), rupees(self.head_total(head)));
        Value::Object(cells)
    }

    pub(crate) fn head_total(self, head: Head) -> i64 {
        self.0.iter().map(|heads| heads[head]).fold(0, i64::saturating_add)
    }

    /// As the database keeps it: twenty numbers.
    pub(crate) fn to_text(self) -> String {
        let numbers: Vec<String> =
            self.0.iter().flat_map(|heads| heads.0).map(|paise| paise.to_string()).collect();
        numbers.join(" ")
    }

    /// Reads what [`Cells::to_text`] wrote.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        let mut numbers = text.split(' ').map(str::parse::<i64>);
        let mut cells = Self::ZERO;
        for heads in &mut cells.0 {
            for paise in &mut heads.0 {
                *paise = numbers.next()?.ok()?;
            }
        }
        numbers.next().is_none().then_some(cells)
    }
}

impl Index<Minor> for Cells {
    type Output = Heads;
    fn index(&self, minor: Minor) -> &Heads {
        &self.0[minor as usize]
    }
}

impl IndexMut<Minor> for Cells {
    fn index_mut(&mut self, minor: Minor) -> &mut Heads {
        &mut self.0[minor as usize]
    }
}

impl Add for Cells {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(Minor::ALL.map(|minor| self[minor] + other[minor]))
    }
}

impl Neg for Cells {
    type Output = Self;
    fn neg(self) -> Self {
        Self(self.0.map(Heads::neg))
    }
}

impl Sub for Cells {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

/// A JSON number of rupees in paise, read by its decimal text; no number counts as nothing.
pub(crate) fn paise(value: &Value) -> i64 {
    to_paise(Amount::read(value))
}

/// An amount in paise. What has more digits than GSTN takes is cut off at the largest that a ledger can hold.
pub(crate) fn to_paise(amount: Amount) -> i64 {
    i64::try_from(amount.hundredths()).unwrap_or(if amount.hundredths() < 0 { i64::MIN } else { i64::MAX })
}

/// Paise as a JSON number of rupees: whole where it is whole, as GSTN prints it.
pub(crate) fn rupees(paise: i64) -> Value {
    Amount::from_hundredths(i128::from(paise)).to_json()
}

/// The whole rupees nearest to an amount, in paise; half a rupee goes up (section 170 of the CGST Act).
pub(crate) fn whole_rupees(paise: i64) -> i64 {
    paise.saturating_add(50).div_euclid(100).saturating_mul(100)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn cells_survive_the_database() {
        let mut cells = Cells::of_tax(Heads::new(1, -2, 3, i64::MAX));
        cells[Minor::Fee][Head::Sgst] = -7;
        assert_eq!(Cells::from_text(&cells.to_text()), Some(cells));
        assert_eq!(Cells::from_text("1 2 3"), None);
        assert_eq!(Cells::from_text(&format!("{} 1", cells.to_text())), None);
        assert_eq!(cells.first_negative(), Some((Head::Cgst, Minor::Tax)));
    }

    #[test]
    fn amounts_of_returns_are_read_to_the_paisa() {
        let heads =
            Heads::of_return(&json!({"iamt": 0.1, "camt": 52771330.43, "samt": "7", "csamt": -2.675}));
        assert_eq!(heads, Heads::new(10, 5_277_133_043, 0, -268));
        assert_eq!(heads.to_return()["camt"], json!(52771330.43));
        assert_eq!(Heads::of_statement(&json!({"igst": 5})), Heads::new(500, 0, 0, 0));
    }

    /// Section 170 of the CGST Act: fifty paise and more count as a rupee, less is left out.
    #[test]
    fn tax_is_paid_in_whole_rupees() {
        for (paise, whole) in
            [(0, 0), (49, 0), (50, 100), (149, 100), (5_277_133_043, 5_277_133_000), (9_946_598, 9_946_600)]
        {
            assert_eq!(whole_rupees(paise), whole, "{paise}");
        }
    }
}
