//! What the ledgers of a new taxpayer begin with: the first entries of the journal.

use gstn::Gstin;
use jiff::civil::Date;
use rusqlite::Transaction;
use serde::{Deserialize, Serialize};

use super::journal::{self, Account, Posting, PostingError};
use super::money::{Cells, Head, Heads, Minor};
use crate::taxpayers::TaxpayerError;

/// One crore crore rupees: the largest amount that fits GSTN's fifteen digits.
const LARGEST_RUPEES: f64 = 1e13;

/// What the ledgers of a new taxpayer begin with, in rupees.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Balances {
    /// Cash, by tax head and minor head.
    pub cash: CashBalance,
    /// Input tax credit, by tax head.
    pub credit: HeadAmounts,
    /// The part of the credit that an officer blocked (Rule 86A).
    pub blocked_credit: HeadAmounts,
}

/// Cash by tax head.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CashBalance {
    /// Integrated tax.
    pub igst: MinorHeads,
    /// Central tax.
    pub cgst: MinorHeads,
    /// State or union territory tax.
    pub sgst: MinorHeads,
    /// Compensation cess.
    pub cess: MinorHeads,
}

/// The cells of one tax head of the cash ledger, in rupees.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MinorHeads {
    /// Tax.
    pub tx: f64,
    /// Interest.
    pub intr: f64,
    /// Penalty.
    pub pen: f64,
    /// Fee.
    pub fee: f64,
    /// Others.
    pub oth: f64,
}

/// One amount per tax head, in rupees.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HeadAmounts {
    /// Integrated tax.
    pub igst: f64,
    /// Central tax.
    pub cgst: f64,
    /// State or union territory tax.
    pub sgst: f64,
    /// Compensation cess.
    pub cess: f64,
}

/// Rupees as JSON gives them, in paise.
pub(crate) fn cells(cash: &CashBalance) -> Result<Cells, TaxpayerError> {
    let mut cells = Cells::ZERO;
    for (head, of) in Head::ALL.into_iter().zip([cash.igst, cash.cgst, cash.sgst, cash.cess]) {
        let amounts = [of.tx, of.intr, of.pen, of.fee, of.oth];
        for (minor, rupees) in Minor::ALL.into_iter().zip(amounts) {
            cells[minor][head] = paise(rupees)?;
        }
    }
    Ok(cells)
}

impl HeadAmounts {
    fn cells(&self) -> Result<Cells, TaxpayerError> {
        let [igst, cgst, sgst, cess] = [self.igst, self.cgst, self.sgst, self.cess].map(paise);
        Ok(Cells::of_tax(Heads::new(igst?, cgst?, sgst?, cess?)))
    }
}

/// Posts the opening balances of a taxpayer, as of the day of registration.
pub(crate) fn seed(
    tx: &Transaction<'_>,
    gstin: &Gstin,
    registered_on: Date,
    balances: &Balances,
) -> Result<(), TaxpayerError> {
    let posting = Posting::new(gstin, registered_on, "OPENING")
        .line(Account::Cash, cells(&balances.cash)?, OPENING_BALANCE)
        .line(Account::Credit, balances.credit.cells()?, OPENING_BALANCE)
        .line(Account::Blocked, balances.blocked_credit.cells()?, OPENING_BALANCE);
    journal::open(tx, posting).map_err(|error| match error {
        PostingError::Database(error) => error.into(),
        // Every amount was looked at, and what comes from outside has its counterpart.
        _ => TaxpayerError::Database(rusqlite::Error::ToSqlConversionFailure(error.into())),
    })
}

const OPENING_BALANCE: &str = "Opening Balance";

/// Rupees as JSON gives them, in paise; an amount is not below zero.
pub(crate) fn paise(rupees: f64) -> Result<i64, TaxpayerError> {
    if !(0.0..LARGEST_RUPEES).contains(&rupees) {
        return Err(TaxpayerError::Balance(rupees));
    }
    Ok((rupees * 100.0).round() as i64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::statements;
    use super::*;
    use crate::db::Db;

    #[test]
    fn what_was_put_into_the_ledgers_is_what_bal_tells() {
        let dir = tempfile::tempdir().unwrap();
        let db = Db::open(dir.path()).unwrap();
        let gstin: Gstin = "27AAPFU0939F1ZV".parse().unwrap();
        let balances =
            r#"{"cash":{"igst":{"tx":100.5,"intr":0.25}},"credit":{"cgst":7},"blocked_credit":{"cgst":2}}"#;
        let balances: Balances = serde_json::from_str(balances).unwrap();
        let registered_on = jiff::civil::date(2017, 7, 1);
        db.write(|tx| seed(tx, &gstin, registered_on, &balances)).unwrap();
        let told = db.read(|tx| statements::balance(tx, &gstin)).unwrap();
        assert_eq!(
            told["cash_bal"]["igst"],
            json!({"tx": 100.5, "intr": 0.25, "pen": 0, "fee": 0, "oth": 0})
        );
        assert_eq!(told["cash_bal"]["igst_tot_bal"], json!(100.75));
        assert_eq!(told["cash_bal"]["cess_tot_bal"], json!(0));
        assert_eq!(told["itc_bal"]["cgst_bal"], json!(7));
        assert_eq!(told["itc_blck_bal"]["cgst_blck_bal"], json!(2));
        for igst in [f64::INFINITY, f64::NAN, -1.0] {
            let odd = Balances { credit: HeadAmounts { igst, ..Default::default() }, ..balances };
            assert!(db.write(|tx| seed(tx, &gstin, registered_on, &odd)).is_err(), "{igst}");
        }
    }
}
