//! `tx_pmt`: what a return owes.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::offset::{CashPayment, CreditPayment, NegativePayment, Offset};
use crate::ledgers::MinorHeads;
use crate::taxes::Taxes;
use crate::tolerant::{one_or_many, parsed, text};

/// What a GSTR-3B owes, and after the offset how it was paid.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct TaxPayment {
    /// `tx_py`: tax, interest and late fee, by kind of liability.
    #[serde(rename = "tx_py", deserialize_with = "one_or_many")]
    pub payable: Vec<PayableLine>,
    /// `adjnegliab`: what negative liability of earlier periods pays of it.
    #[serde(rename = "adjnegliab", deserialize_with = "one_or_many")]
    pub adjusted: Vec<PayableLine>,
    /// `net_tax_pay`, `nettaxpay`: what is left for credit and cash.
    #[serde(rename = "net_tax_pay", alias = "nettaxpay", deserialize_with = "one_or_many")]
    pub net: Vec<PayableLine>,
    /// `pdcash`: paid from the cash ledger.
    #[serde(rename = "pdcash", deserialize_with = "one_or_many")]
    pub paid_in_cash: Vec<CashPayment>,
    /// `pditc`: paid from the credit ledger.
    #[serde(rename = "pditc", deserialize_with = "one_or_many")]
    pub paid_from_credit: Vec<CreditPayment>,
    /// `pdnls`: paid from the negative liability statement.
    #[serde(rename = "pdnls", deserialize_with = "one_or_many")]
    pub paid_from_negative: Vec<NegativePayment>,
}

impl TaxPayment {
    /// Whether something was paid: then the offset is done.
    pub fn is_paid(&self) -> bool {
        self.paid_in_cash.iter().any(|paid| *paid != CashPayment::of(paid.kind, paid.ledger_id))
            || self.paid_from_credit.iter().any(|paid| *paid != CreditPayment::of(paid.kind, paid.ledger_id))
    }

    /// What credit and cash have to pay, by kind of liability.
    pub(super) fn owed(&self) -> Vec<PayableLine> {
        if !self.net.is_empty() {
            return self.net.clone();
        }
        let less = |line: &PayableLine| {
            let adjusted = self.adjusted.iter().find(|adjusted| adjusted.kind == line.kind);
            let paid = adjusted.map(PayableLine::heads).unwrap_or_default();
            let mut line = line.clone();
            for (owed, paid) in line.heads_mut().into_iter().zip(paid) {
                owed.tax -= paid.tax;
            }
            line
        };
        self.payable.iter().map(less).collect()
    }

    /// How it was paid.
    pub fn offset(&self) -> Offset {
        Offset {
            cash: self.paid_in_cash.clone(),
            credit: self.paid_from_credit.first().cloned(),
            negative: self.paid_from_negative.clone(),
        }
    }
}

/// What one kind of liability comes to, by head.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct PayableLine {
    /// `trans_typ`: of which kind.
    #[serde(rename = "trans_typ")]
    pub kind: LiabilityKind,
    /// `tran_desc`: in GSTN's words.
    #[serde(rename = "tran_desc", alias = "trans_desc", deserialize_with = "text")]
    pub description: String,
    /// `liab_ldg_id`: the number that a payment names.
    #[serde(rename = "liab_ldg_id", deserialize_with = "ledger_id")]
    pub ledger_id: u64,
    /// Integrated tax.
    #[serde(deserialize_with = "crate::tolerant::object")]
    pub igst: MinorHeads,
    /// Central tax.
    #[serde(deserialize_with = "crate::tolerant::object")]
    pub cgst: MinorHeads,
    /// State or union territory tax.
    #[serde(deserialize_with = "crate::tolerant::object")]
    pub sgst: MinorHeads,
    /// Compensation cess.
    #[serde(deserialize_with = "crate::tolerant::object")]
    pub cess: MinorHeads,
}

pub(super) fn ledger_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    Ok(parsed(deserializer)?.unwrap_or_default())
}

impl PayableLine {
    pub(super) fn heads(&self) -> [MinorHeads; 4] {
        [self.igst, self.cgst, self.sgst, self.cess]
    }

    fn heads_mut(&mut self) -> [&mut MinorHeads; 4] {
        [&mut self.igst, &mut self.cgst, &mut self.sgst, &mut self.cess]
    }

    /// The taxes, without interest and fee.
    pub fn taxes(&self) -> Taxes {
        Taxes::of_heads(self.heads().map(|head| head.tax))
    }
}

/// Which liability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum LiabilityKind {
    /// 30002: other than reverse charge.
    #[default]
    Other,
    /// 30003: reverse charge, and supplies through operators, s.9(5). It is paid in cash alone.
    ReverseCharge,
    /// A code that GSTN did not use so far.
    Unknown(u32),
}

impl LiabilityKind {
    /// GSTN's code.
    pub const fn code(self) -> u32 {
        match self {
            Self::Other => 30002,
            Self::ReverseCharge => 30003,
            Self::Unknown(code) => code,
        }
    }
}

impl Serialize for LiabilityKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(self.code())
    }
}

impl<'de> Deserialize<'de> for LiabilityKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match parsed(deserializer)? {
            None | Some(30002) => Self::Other,
            Some(30003) => Self::ReverseCharge,
            Some(code) => Self::Unknown(code),
        })
    }
}
