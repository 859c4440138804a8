//! The taxpayer's electronic ledgers: cash, and credit of input tax. Amounts are exact.

use gstn::ReturnPeriod;
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::Value;

use crate::api_call::ApiCall;
use crate::error::Error;
use crate::rupees::Rupees;
use crate::taxpayer::Taxpayer;
use crate::tolerant::{day, list, object, parsed, read, text};

pub(crate) const LEDGERS: &str = "taxpayerapi/v0.3/ledgers";
pub(crate) const NEWER_LEDGERS: &str = "taxpayerapi/v1.0/ledgers";

/// BAL: what is in the ledgers.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct LedgerBalance {
    /// `cash_bal`: the cash ledger.
    #[serde(rename = "cash_bal", deserialize_with = "object")]
    pub cash: CashBalance,
    /// `itc_bal`: the credit ledger.
    #[serde(rename = "itc_bal", deserialize_with = "object")]
    pub credit: CreditBalance,
    /// `itc_blck_bal`: the part of the credit that an officer has blocked (Rule 86A).
    #[serde(rename = "itc_blck_bal", deserialize_with = "object")]
    pub blocked_credit: BlockedCredit,
    /// GSTN's answer as it came.
    #[serde(skip)]
    pub raw: Value,
}

/// What is in the cash ledger, by tax.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct CashBalance {
    /// Integrated tax, by minor head.
    #[serde(deserialize_with = "object")]
    pub igst: MinorHeads,
    /// Central tax, by minor head.
    #[serde(deserialize_with = "object")]
    pub cgst: MinorHeads,
    /// State or union territory tax, by minor head.
    #[serde(deserialize_with = "object")]
    pub sgst: MinorHeads,
    /// Compensation cess, by minor head.
    #[serde(deserialize_with = "object")]
    pub cess: MinorHeads,
    /// `igst_tot_bal`.
    #[serde(rename = "igst_tot_bal")]
    pub igst_total: Rupees,
    /// `cgst_tot_bal`.
    #[serde(rename = "cgst_tot_bal")]
    pub cgst_total: Rupees,
    /// `sgst_tot_bal`.
    #[serde(rename = "sgst_tot_bal")]
    pub sgst_total: Rupees,
    /// `cess_tot_bal`.
    #[serde(rename = "cess_tot_bal")]
    pub cess_total: Rupees,
}

/// An amount by minor head. What GSTN leaves out is nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct MinorHeads {
    /// `tx`.
    #[serde(rename = "tx")]
    pub tax: Rupees,
    /// `intr`.
    #[serde(rename = "intr")]
    pub interest: Rupees,
    /// `pen`.
    #[serde(rename = "pen")]
    pub penalty: Rupees,
    /// `fee`.
    pub fee: Rupees,
    /// `oth`.
    #[serde(rename = "oth")]
    pub other: Rupees,
}

impl MinorHeads {
    /// All of them together.
    pub fn total(&self) -> Rupees {
        [self.tax, self.interest, self.penalty, self.fee, self.other].into_iter().sum()
    }
}

/// What is in the credit ledger, by tax.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct CreditBalance {
    /// Integrated tax.
    #[serde(rename = "igst_bal")]
    pub igst: Rupees,
    /// Central tax.
    #[serde(rename = "cgst_bal")]
    pub cgst: Rupees,
    /// State or union territory tax.
    #[serde(rename = "sgst_bal")]
    pub sgst: Rupees,
    /// Compensation cess.
    #[serde(rename = "cess_bal")]
    pub cess: Rupees,
}

/// Credit that is blocked, by tax.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct BlockedCredit {
    /// Integrated tax.
    #[serde(rename = "igst_blck_bal")]
    pub igst: Rupees,
    /// Central tax.
    #[serde(rename = "cgst_blck_bal")]
    pub cgst: Rupees,
    /// State or union territory tax.
    #[serde(rename = "sgst_blck_bal")]
    pub sgst: Rupees,
    /// Compensation cess.
    #[serde(rename = "cess_blck_bal")]
    pub cess: Rupees,
}

/// CASH: what went into the cash ledger and out of it in some days.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct CashLedger {
    /// `op_bal`: before the first day.
    #[serde(rename = "op_bal", deserialize_with = "object")]
    pub opening: CashPosition,
    /// `tr`: the entries, in GSTN's order.
    #[serde(rename = "tr", deserialize_with = "list")]
    pub entries: Vec<CashEntry>,
    /// `cl_bal`: after the last day.
    #[serde(rename = "cl_bal", deserialize_with = "object")]
    pub closing: CashPosition,
    /// GSTN's answer as it came.
    #[serde(skip)]
    pub raw: Value,
}

/// What the cash ledger holds at a moment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct CashPosition {
    /// `igstbal`.
    #[serde(rename = "igstbal", deserialize_with = "object")]
    pub igst: MinorHeads,
    /// `cgstbal`.
    #[serde(rename = "cgstbal", deserialize_with = "object")]
    pub cgst: MinorHeads,
    /// `sgstbal`.
    #[serde(rename = "sgstbal", deserialize_with = "object")]
    pub sgst: MinorHeads,
    /// `cessbal`.
    #[serde(rename = "cessbal", deserialize_with = "object")]
    pub cess: MinorHeads,
    /// `tot_rng_bal`: all of it.
    #[serde(rename = "tot_rng_bal")]
    pub total: Rupees,
}

/// An entry of the cash ledger.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct CashEntry {
    /// `dt`: when it was made.
    #[serde(rename = "dt", deserialize_with = "day")]
    pub date: Option<Date>,
    /// `dpt_dt`: when the money was paid in, if it was.
    #[serde(rename = "dpt_dt", deserialize_with = "day")]
    pub deposited_on: Option<Date>,
    /// `desc`: what it was for.
    #[serde(rename = "desc", deserialize_with = "text")]
    pub description: String,
    /// `refNo`: number of the challan, return or order.
    #[serde(rename = "refNo", deserialize_with = "text")]
    pub reference: String,
    /// `ret_period`, where it belongs to a return.
    #[serde(rename = "ret_period", deserialize_with = "parsed")]
    pub period: Option<ReturnPeriod>,
    /// `tr_typ`: into the ledger or out of it.
    #[serde(rename = "tr_typ")]
    pub side: Side,
    /// Integrated tax.
    #[serde(deserialize_with = "object")]
    pub igst: MinorHeads,
    /// Central tax.
    #[serde(deserialize_with = "object")]
    pub cgst: MinorHeads,
    /// State or union territory tax.
    #[serde(deserialize_with = "object")]
    pub sgst: MinorHeads,
    /// Compensation cess.
    #[serde(deserialize_with = "object")]
    pub cess: MinorHeads,
    /// `tot_tr_amt`: all of the entry.
    #[serde(rename = "tot_tr_amt")]
    pub amount: Rupees,
    /// `tot_rng_bal`: what the ledger held after it.
    #[serde(rename = "tot_rng_bal")]
    pub balance: Rupees,
}

/// The side of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(from = "Option<String>")]
#[non_exhaustive]
pub enum Side {
    /// `Cr`: into the ledger.
    Credit,
    /// `Dr`: out of it.
    Debit,
    /// GSTN did not say, or in other words.
    #[default]
    Unknown,
}

impl From<Option<String>> for Side {
    fn from(text: Option<String>) -> Self {
        match text.unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "cr" | "credit" => Self::Credit,
            "dr" | "debit" => Self::Debit,
            _ => Self::Unknown,
        }
    }
}

/// ITC: what went into the credit ledger and out of it in some days.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct CreditLedger {
    /// `op_bal`: before the first day.
    #[serde(rename = "op_bal", deserialize_with = "object")]
    pub opening: CreditPosition,
    /// `tr`: the entries, in GSTN's order.
    #[serde(rename = "tr", deserialize_with = "list")]
    pub entries: Vec<CreditEntry>,
    /// `cl_bal`: after the last day.
    #[serde(rename = "cl_bal", deserialize_with = "object")]
    pub closing: CreditPosition,
    /// GSTN's answer as it came, with the provisional credit beside these (`provCrdBalList`).
    #[serde(skip)]
    pub raw: Value,
}

/// What the credit ledger holds at a moment, by tax.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct CreditPosition {
    /// `igstTaxBal`.
    #[serde(rename = "igstTaxBal")]
    pub igst: Rupees,
    /// `cgstTaxBal`.
    #[serde(rename = "cgstTaxBal")]
    pub cgst: Rupees,
    /// `sgstTaxBal`.
    #[serde(rename = "sgstTaxBal")]
    pub sgst: Rupees,
    /// `cessTaxBal`.
    #[serde(rename = "cessTaxBal")]
    pub cess: Rupees,
    /// `tot_rng_bal`: all of it.
    #[serde(rename = "tot_rng_bal")]
    pub total: Rupees,
}

/// An entry of the credit ledger.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct CreditEntry {
    /// `dt`: when it was made.
    #[serde(rename = "dt", deserialize_with = "day")]
    pub date: Option<Date>,
    /// `desc`: what it was for.
    #[serde(rename = "desc", deserialize_with = "text")]
    pub description: String,
    /// `ref_no`: number of the return or order.
    #[serde(rename = "ref_no", deserialize_with = "text")]
    pub reference: String,
    /// `ret_period`, where it belongs to a return.
    #[serde(rename = "ret_period", deserialize_with = "parsed")]
    pub period: Option<ReturnPeriod>,
    /// `tr_typ`: into the ledger or out of it.
    #[serde(rename = "tr_typ")]
    pub side: Side,
    /// `igstTaxAmt`: integrated tax.
    #[serde(rename = "igstTaxAmt")]
    pub igst: Rupees,
    /// `cgstTaxAmt`: central tax.
    #[serde(rename = "cgstTaxAmt")]
    pub cgst: Rupees,
    /// `sgstTaxAmt`: state or union territory tax.
    #[serde(rename = "sgstTaxAmt")]
    pub sgst: Rupees,
    /// `cessTaxAmt`: compensation cess.
    #[serde(rename = "cessTaxAmt")]
    pub cess: Rupees,
    /// `tot_tr_amt`: all of the entry.
    #[serde(rename = "tot_tr_amt")]
    pub amount: Rupees,
    /// `tot_rng_bal`: what the ledger held after it.
    #[serde(rename = "tot_rng_bal")]
    pub balance: Rupees,
}

impl Taxpayer {
    /// What is in the cash and the credit ledger, as of a period.
    ///
    /// ```no_run
    /// # async fn example(taxpayer: suvidha_client::Taxpayer) -> Result<(), Box<dyn std::error::Error>> {
    /// let balance = taxpayer.ledger_balance("042026".parse()?).await?;
    /// println!("cash for central tax: {}", balance.cash.cgst.tax);
    /// println!("credit: {}", balance.credit.igst + balance.credit.cgst + balance.credit.sgst);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Every kind of [`Error`].
    pub async fn ledger_balance(&self, period: ReturnPeriod) -> Result<LedgerBalance, Error> {
        let answer = self.call_text(ApiCall::get(LEDGERS, "BAL").ret_period(period)).await?;
        let (balance, raw) = read::<LedgerBalance>(&answer, "the answer to BAL")?;
        Ok(LedgerBalance { raw, ..balance })
    }

    /// The cash ledger of the days from `from` to `to`, both included.
    ///
    /// # Errors
    /// Every kind of [`Error`].
    pub async fn cash_ledger(&self, from: Date, to: Date) -> Result<CashLedger, Error> {
        let answer = self.ledger("CASH", from, to).await?;
        let (ledger, raw) = read::<CashLedger>(&answer, "the cash ledger")?;
        Ok(CashLedger { raw, ..ledger })
    }

    /// The credit ledger of the days from `from` to `to`, both included.
    ///
    /// # Errors
    /// Every kind of [`Error`].
    pub async fn credit_ledger(&self, from: Date, to: Date) -> Result<CreditLedger, Error> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(rename = "itcLdgDtls")]
            ledger: CreditLedger,
        }
        let answer = self.ledger("ITC", from, to).await?;
        let (Answer { ledger }, raw) = read::<Answer>(&answer, "the credit ledger")?;
        Ok(CreditLedger { raw, ..ledger })
    }
}

/// `dd-mm-yyyy`, as GSTN wants days.
pub(crate) fn dashed(day: Date) -> String {
    format!("{:02}-{:02}-{:04}", day.day(), day.month(), day.year())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rupees(text: &str) -> Rupees {
        text.parse().unwrap()
    }

    #[test]
    fn a_balance_is_exact_and_what_is_left_out_is_nothing() {
        let json = br#"{"gstin": "33AANCS2882A1ZG",
            "cash_bal": {"igst": {"tx": 90071992547409.93, "intr": "0.10", "pen": null}, "igst_tot_bal": 90071992547410.03},
            "itc_bal": {"cgst_bal": 7, "new": {}}, "itc_blck_bal": null}"#;
        let (balance, raw) = read::<LedgerBalance>(json, "it").unwrap();
        assert_eq!(balance.cash.igst.tax, rupees("90071992547409.93"));
        assert_eq!(
            (balance.cash.igst.total(), balance.cash.igst_total),
            (rupees("90071992547410.03"), rupees("90071992547410.03"))
        );
        assert_eq!((balance.credit.cgst, balance.credit.cess), (rupees("7"), Rupees::ZERO));
        assert_eq!(raw["itc_bal"]["cgst_bal"], 7);
    }

    #[test]
    fn the_entries_of_a_cash_ledger_are_read_as_far_as_they_are_given() {
        let json = br#"{"op_bal": {"igstbal": {"tx": 1}, "tot_rng_bal": 1, "desc": "Opening Balance"},
            "tr": [{"dt": "05/04/2026", "dpt_dt": "04/04/2026", "refNo": "AB1", "desc": "Amount deposited", "tr_typ": "Cr",
                    "cgst": {"tx": 10.5, "tot": 10.5}, "cgstbal": {"tx": 10.5}, "tot_tr_amt": 10.5, "tot_rng_bal": 11.5},
                   {"dt": "", "refNo": "AB2", "ret_period": "032026", "tr_typ": "Debit"}],
            "cl_bal": {"tot_rng_bal": "11.50"}}"#;
        let (ledger, _) = read::<CashLedger>(json, "it").unwrap();
        let [paid_in, paid_out] = &ledger.entries[..] else { panic!("{ledger:?}") };
        let date = jiff::civil::date;
        assert_eq!((paid_in.date, paid_in.deposited_on), (Some(date(2026, 4, 5)), Some(date(2026, 4, 4))));
        assert_eq!(
            (paid_in.cgst.total(), paid_in.amount, paid_in.balance),
            (rupees("10.5"), rupees("10.5"), rupees("11.5"))
        );
        assert_eq!((paid_in.side, paid_out.side, paid_out.date), (Side::Credit, Side::Debit, None));
        assert_eq!(paid_out.period, Some("032026".parse().unwrap()));
        assert_eq!((ledger.opening.total, ledger.closing.total), (rupees("1"), rupees("11.5")));
    }
}
