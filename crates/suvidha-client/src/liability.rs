//! What a taxpayer owes: the liability register, what of a return is still open, and the statements beside the ledgers.

use gstn::ReturnPeriod;
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::Value;

use crate::api_call::ApiCall;
use crate::error::Error;
use crate::gstr3b::LiabilityKind;
use crate::ledgers::{CashPosition, LEDGERS, MinorHeads, NEWER_LEDGERS, Side, dashed};
use crate::rupees::Rupees;
use crate::taxes::Taxes;
use crate::taxpayer::Taxpayer;
use crate::tolerant::{day, list, object, one_or_many, parsed, read, text};

/// TAX: part I of the liability register, of returns.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct LiabilityRegister {
    /// `tr`: the entries, in GSTN's order.
    #[serde(rename = "tr", deserialize_with = "list")]
    pub entries: Vec<LiabilityEntry>,
    /// `cl_bal`: what is owed after the last day.
    #[serde(rename = "cl_bal", deserialize_with = "object")]
    pub closing: CashPosition,
    /// GSTN's answer as it came.
    #[serde(skip)]
    pub raw: Value,
}

/// An entry of the liability register: a liability, which is debited, or its payment, which is credited.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct LiabilityEntry {
    /// `dt`: when it was made.
    #[serde(rename = "dt", deserialize_with = "day")]
    pub date: Option<Date>,
    /// `desc`: what it is for.
    #[serde(rename = "desc", deserialize_with = "text")]
    pub description: String,
    /// `ref_no`: number of the return or debit entry.
    #[serde(rename = "ref_no", deserialize_with = "text")]
    pub reference: String,
    /// `ret_period`, where it belongs to a return.
    #[serde(rename = "ret_period", deserialize_with = "parsed")]
    pub period: Option<ReturnPeriod>,
    /// `tr_typ`: a debit is owed, a credit is paid.
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
    /// `tot_rng_bal`: what was owed after it.
    #[serde(rename = "tot_rng_bal")]
    pub balance: Rupees,
}

/// RETLIAB: what of a return is still to be paid.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct OpenLiability {
    /// `op_liab`: by kind; empty where nothing is open.
    #[serde(rename = "op_liab", deserialize_with = "list")]
    pub lines: Vec<OpenLiabilityLine>,
    /// GSTN's answer as it came.
    #[serde(skip)]
    pub raw: Value,
}

/// What is open of one kind of liability.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct OpenLiabilityLine {
    /// `liab_id`: its number.
    #[serde(rename = "liab_id", deserialize_with = "text")]
    pub id: String,
    /// `tran_cd`: its kind.
    #[serde(rename = "tran_cd")]
    pub kind: LiabilityKind,
    /// `tran_desc`: in GSTN's words.
    #[serde(rename = "tran_desc", deserialize_with = "text")]
    pub description: String,
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
}

/// NEGLIAB: tax that came out below zero, and what it paid later.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct NegativeLiability {
    /// `openbal`: before the first day, by kind.
    #[serde(rename = "openbal", deserialize_with = "one_or_many")]
    pub opening: Vec<NegativeAmount>,
    /// `negliabdtls`: the entries, in GSTN's order.
    #[serde(rename = "negliabdtls", deserialize_with = "list")]
    pub entries: Vec<NegativeEntry>,
    /// `closebal`: after the last day, by kind.
    #[serde(rename = "closebal", deserialize_with = "one_or_many")]
    pub closing: Vec<NegativeAmount>,
    /// GSTN's answer as it came.
    #[serde(skip)]
    pub raw: Value,
}

/// An entry of the negative liability statement.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct NegativeEntry {
    /// `trandate`.
    #[serde(rename = "trandate", deserialize_with = "day")]
    pub date: Option<Date>,
    /// `rtnprd`: of which return.
    #[serde(rename = "rtnprd", deserialize_with = "parsed")]
    pub period: Option<ReturnPeriod>,
    /// `refno`.
    #[serde(rename = "refno", deserialize_with = "text")]
    pub reference: String,
    /// `desc`.
    #[serde(rename = "desc", deserialize_with = "text")]
    pub description: String,
    /// `trantyp`: into the statement, or out of it.
    #[serde(rename = "trantyp")]
    pub side: Side,
    /// `negliab`: by kind.
    #[serde(rename = "negliab", deserialize_with = "one_or_many")]
    pub amounts: Vec<NegativeAmount>,
    /// `negliabal`: what was there after it, by kind.
    #[serde(rename = "negliabal", deserialize_with = "one_or_many")]
    pub balance: Vec<NegativeAmount>,
}

/// Negative liability of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct NegativeAmount {
    /// `trancd`.
    pub kind: LiabilityKind,
    /// By head.
    pub taxes: Taxes,
}

impl<'de> Deserialize<'de> for NegativeAmount {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Amount {
            #[serde(rename = "trancd")]
            kind: LiabilityKind,
            igst: Rupees,
            cgst: Rupees,
            sgst: Rupees,
            cess: Rupees,
        }
        let Amount { kind, igst, cgst, sgst, cess } = Amount::deserialize(deserializer)?;
        Ok(Self { kind, taxes: Taxes::by_head(igst, cgst, sgst, cess) })
    }
}

/// Which of the statements that bound what may be claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CreditStatement {
    /// Credit that was reversed and may be claimed again (`REVRCLM`).
    Reclaim,
    /// Tax that was paid under reverse charge and may be claimed (`RCM`).
    ReverseCharge,
}

/// REVRCLM, RCM: what went into such a statement and out of it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct CreditStatementEntries {
    /// `opnbal`: before the first day.
    #[serde(rename = "opnbal", deserialize_with = "object")]
    pub opening: Taxes,
    /// `tr`: the entries, in GSTN's order; the columns that an entry has besides are in [`raw`](Self::raw).
    #[serde(rename = "tr", deserialize_with = "list")]
    pub entries: Vec<CreditStatementEntry>,
    /// `clsbal`: after the last day.
    #[serde(rename = "clsbal", deserialize_with = "object")]
    pub closing: Taxes,
    /// GSTN's answer as it came.
    #[serde(skip)]
    pub raw: Value,
}

/// An entry of such a statement.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct CreditStatementEntry {
    /// `trandt`.
    #[serde(rename = "trandt", deserialize_with = "day")]
    pub date: Option<Date>,
    /// `rtnprd`: of which return; none of an opening balance that was reported.
    #[serde(rename = "rtnprd", deserialize_with = "parsed")]
    pub period: Option<ReturnPeriod>,
    /// `refno`.
    #[serde(rename = "refno", deserialize_with = "text")]
    pub reference: String,
    /// `desc`.
    #[serde(rename = "desc", deserialize_with = "text")]
    pub description: String,
    /// `clsbal`: what was there after it.
    #[serde(rename = "clsbal", deserialize_with = "object")]
    pub balance: Taxes,
}

impl Taxpayer {
    /// The liability register of the days from `from` to `to`, both included: what returns made the taxpayer owe, and how it
    /// was paid.
    ///
    /// ```no_run
    /// # async fn example(taxpayer: suvidha_client::Taxpayer) -> Result<(), Box<dyn std::error::Error>> {
    /// let register = taxpayer.liability_register("2026-04-01".parse()?, "2026-04-30".parse()?).await?;
    /// println!("{} entries, {} still owed", register.entries.len(), register.closing.total);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Every kind of [`Error`].
    pub async fn liability_register(&self, from: Date, to: Date) -> Result<LiabilityRegister, Error> {
        let answer = self.ledger("TAX", from, to).await?;
        let (register, raw) = read::<LiabilityRegister>(&answer, "the liability register")?;
        Ok(LiabilityRegister { raw, ..register })
    }

    /// What of a return is still to be paid. `form` is `R3B` and the like.
    ///
    /// # Errors
    /// [`Error::NoDocuments`] where nothing was saved, and every other kind of [`Error`].
    pub async fn open_liability(&self, period: ReturnPeriod, form: &str) -> Result<OpenLiability, Error> {
        let call = ApiCall::get(NEWER_LEDGERS, "RETLIAB").ret_period(period).query("ret_typ", form);
        let (open, raw) = read::<OpenLiability>(&self.call_text(call).await?, "the open liability")?;
        Ok(OpenLiability { raw, ..open })
    }

    /// The negative liability statement of the days from `from` to `to`, both included.
    ///
    /// # Errors
    /// Every kind of [`Error`].
    pub async fn negative_liability(&self, from: Date, to: Date) -> Result<NegativeLiability, Error> {
        let answer = self.newer_ledger("NEGLIAB", from, to).await?;
        let (statement, raw) = read::<NegativeLiability>(&answer, "the negative liability statement")?;
        Ok(NegativeLiability { raw, ..statement })
    }

    /// A statement that bounds what may be claimed, of the days from `from` to `to`, both included.
    ///
    /// # Errors
    /// Every kind of [`Error`].
    pub async fn credit_statement(
        &self,
        statement: CreditStatement,
        from: Date,
        to: Date,
    ) -> Result<CreditStatementEntries, Error> {
        let action = match statement {
            CreditStatement::Reclaim => "REVRCLM",
            CreditStatement::ReverseCharge => "RCM",
        };
        let answer = self.newer_ledger(action, from, to).await?;
        let (entries, raw) = read::<CreditStatementEntries>(&answer, "the statement of credit")?;
        Ok(CreditStatementEntries { raw, ..entries })
    }

    pub(crate) async fn ledger(&self, action: &str, from: Date, to: Date) -> Result<Vec<u8>, Error> {
        self.call_text(of_days(ApiCall::get(LEDGERS, action), from, to)).await
    }

    async fn newer_ledger(&self, action: &str, from: Date, to: Date) -> Result<Vec<u8>, Error> {
        self.call_text(of_days(ApiCall::get(NEWER_LEDGERS, action), from, to)).await
    }
}

fn of_days(call: ApiCall, from: Date, to: Date) -> ApiCall {
    call.query("fr_dt", dashed(from)).query("to_dt", dashed(to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_owed_and_what_is_paid_are_entries_of_the_register() {
        let json = br#"{"tr": [{"dt": "20/04/2026", "desc": "Other than reverse charge", "ref_no": "D1", "tr_typ": "Dr",
            "ret_period": "032026", "igst": {"tx": 100, "intr": 0.5}, "tot_tr_amt": 100.5, "tot_rng_bal": 100.5},
            {"dt": "20/04/2026", "tr_typ": "Cr", "igst": {"tx": 100, "intr": "0.5"}, "tot_tr_amt": 100.5, "tot_rng_bal": 0}],
            "cl_bal": {"igstbal": {"tx": 0}, "tot_rng_bal": 0}}"#;
        let (register, _) = read::<LiabilityRegister>(json, "it").unwrap();
        let [owed, paid] = &register.entries[..] else { panic!("{register:?}") };
        assert_eq!((owed.side, paid.side, owed.igst.interest.paise()), (Side::Debit, Side::Credit, 50));
        assert_eq!(
            (owed.balance, paid.balance, register.closing.total),
            (owed.amount, Rupees::ZERO, Rupees::ZERO)
        );
    }

    #[test]
    fn what_is_open_and_what_is_below_zero_are_told_by_kind() {
        let json = br#"{"op_liab": [{"liab_id": 2026043, "tran_cd": 30003, "tran_desc": "Reverse charge", "cgst": {"tx": 9}}]}"#;
        let (open, _) = read::<OpenLiability>(json, "it").unwrap();
        assert_eq!(
            (open.lines[0].kind, open.lines[0].id.as_str()),
            (LiabilityKind::ReverseCharge, "2026043")
        );
        let json = br#"{"openbal": [], "negliabdtls": [{"trandate": "20/04/2026", "trantyp": "Credit", "rtnprd": "032026",
            "negliab": [{"trancd": 30002, "igst": 5}], "negliabal": [{"trancd": 30002, "igst": 5}]}],
            "closebal": [{"trancd": 30002, "igst": 5}]}"#;
        let (statement, _) = read::<NegativeLiability>(json, "it").unwrap();
        assert_eq!((statement.entries[0].side, statement.closing[0].taxes.igst.paise()), (Side::Credit, 500));
    }

    #[test]
    fn a_statement_of_credit_is_told_entry_by_entry() {
        let json = br#"{"opnbal": {"igst": 1}, "tr": [{"trandt": "20/04/2026", "rtnprd": "032026", "refno": "AA1",
            "clsbal": {"igst": 3, "cgst": 0.5}, "table4b2": {"igst": 2}}], "clsbal": {"igst": 3, "cgst": 0.5}}"#;
        let (entries, raw) = read::<CreditStatementEntries>(json, "it").unwrap();
        assert_eq!((entries.entries[0].balance, entries.opening.igst.paise()), (entries.closing, 100));
        assert_eq!(raw["tr"][0]["table4b2"]["igst"], 2);
    }
}
