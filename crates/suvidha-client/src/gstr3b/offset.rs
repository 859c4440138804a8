//! RETOFFSET: how what is owed is paid, from credit, from cash and from the negative liability statement.

use serde::{Deserialize, Serialize};

use super::payment::{LiabilityKind, ledger_id};
use crate::rupees::Rupees;
use crate::taxes::Taxes;

/// How a GSTR-3B is paid. [`propose_offset`](super::propose_offset) makes one; or each payment is built by hand:
///
/// ```
/// use suvidha_client::{CashPayment, CreditPayment, LiabilityKind, Offset, Rupees, Taxes};
///
/// let rupees = Rupees::from_paise;
/// let mut credit = CreditPayment::of(LiabilityKind::Other, 2_026_042);
/// credit.igst_by_igst = rupees(100_000);
/// credit.cgst_by_igst = rupees(20_000);
/// let mut cash = CashPayment::of(LiabilityKind::Other, 2_026_042);
/// cash.cgst = rupees(5_000);
/// let offset = Offset::new().credit(credit).cash(cash);
/// assert_eq!(offset.taxes(), Taxes::by_head(rupees(100_000), rupees(25_000), Rupees::ZERO, Rupees::ZERO));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Offset {
    /// `pdcash`: from the cash ledger, by kind of liability.
    #[serde(rename = "pdcash")]
    pub cash: Vec<CashPayment>,
    /// `pditc`: from the credit ledger. Reverse charge is not paid from it.
    #[serde(rename = "pditc", skip_serializing_if = "Option::is_none")]
    pub credit: Option<CreditPayment>,
    /// `pdnls`: from the negative liability statement.
    #[serde(rename = "pdnls", skip_serializing_if = "Vec::is_empty")]
    pub negative: Vec<NegativePayment>,
}

impl Offset {
    /// Nothing is paid yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// With a payment from the cash ledger.
    #[must_use]
    pub fn cash(mut self, payment: CashPayment) -> Self {
        self.cash.push(payment);
        self
    }

    /// With a payment from the credit ledger.
    #[must_use]
    pub fn credit(mut self, payment: CreditPayment) -> Self {
        self.credit = Some(payment);
        self
    }

    /// With a payment from the negative liability statement.
    #[must_use]
    pub fn negative(mut self, payment: NegativePayment) -> Self {
        self.negative.push(payment);
        self
    }

    /// The tax that all of it pays, by head.
    pub fn taxes(&self) -> Taxes {
        let cash = self.cash.iter().map(CashPayment::taxes);
        let negative = self.negative.iter().map(NegativePayment::taxes);
        cash.chain(negative).chain(self.credit.iter().map(CreditPayment::taxes)).sum()
    }
}

/// Paid from the cash ledger for one kind of liability.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct CashPayment {
    /// `liab_ldg_id`, as `tx_py` names it.
    #[serde(rename = "liab_ldg_id", deserialize_with = "ledger_id")]
    pub ledger_id: u64,
    /// `trans_typ`.
    #[serde(rename = "trans_typ")]
    pub kind: LiabilityKind,
    /// `ipd`: integrated tax.
    #[serde(rename = "ipd")]
    pub igst: Rupees,
    /// `cpd`: central tax.
    #[serde(rename = "cpd")]
    pub cgst: Rupees,
    /// `spd`: state tax.
    #[serde(rename = "spd")]
    pub sgst: Rupees,
    /// `cspd`: cess.
    #[serde(rename = "cspd")]
    pub cess: Rupees,
    /// `i_intrpd`: interest on integrated tax.
    #[serde(rename = "i_intrpd")]
    pub igst_interest: Rupees,
    /// `c_intrpd`: interest on central tax.
    #[serde(rename = "c_intrpd")]
    pub cgst_interest: Rupees,
    /// `s_intrpd`: interest on state tax.
    #[serde(rename = "s_intrpd")]
    pub sgst_interest: Rupees,
    /// `cs_intrpd`: interest on cess.
    #[serde(rename = "cs_intrpd")]
    pub cess_interest: Rupees,
    /// `c_lfeepd`: late fee, central.
    #[serde(rename = "c_lfeepd")]
    pub cgst_fee: Rupees,
    /// `s_lfeepd`: late fee, of the state.
    #[serde(rename = "s_lfeepd")]
    pub sgst_fee: Rupees,
}

impl CashPayment {
    /// Nothing, for a liability.
    pub fn of(kind: LiabilityKind, ledger_id: u64) -> Self {
        Self { kind, ledger_id, ..Self::default() }
    }

    /// The tax that it pays, by head.
    pub fn taxes(&self) -> Taxes {
        Taxes::by_head(self.igst, self.cgst, self.sgst, self.cess)
    }
}

/// Paid from the credit ledger: each name says which tax by which credit. GSTN writes the tax first too: `i_pdc` is
/// integrated tax paid by central credit. Central and state credit never pay each other's tax (s.49(5)(e), (f)).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct CreditPayment {
    /// `liab_ldg_id`, as `tx_py` names it.
    #[serde(rename = "liab_ldg_id", deserialize_with = "ledger_id")]
    pub ledger_id: u64,
    /// `trans_typ`.
    #[serde(rename = "trans_typ")]
    pub kind: LiabilityKind,
    /// `i_pdi`.
    #[serde(rename = "i_pdi")]
    pub igst_by_igst: Rupees,
    /// `i_pdc`.
    #[serde(rename = "i_pdc")]
    pub igst_by_cgst: Rupees,
    /// `i_pds`.
    #[serde(rename = "i_pds")]
    pub igst_by_sgst: Rupees,
    /// `c_pdi`.
    #[serde(rename = "c_pdi")]
    pub cgst_by_igst: Rupees,
    /// `c_pdc`.
    #[serde(rename = "c_pdc")]
    pub cgst_by_cgst: Rupees,
    /// `s_pdi`.
    #[serde(rename = "s_pdi")]
    pub sgst_by_igst: Rupees,
    /// `s_pds`.
    #[serde(rename = "s_pds")]
    pub sgst_by_sgst: Rupees,
    /// `cs_pdcs`.
    #[serde(rename = "cs_pdcs")]
    pub cess_by_cess: Rupees,
}

impl CreditPayment {
    /// Nothing, for a liability.
    pub fn of(kind: LiabilityKind, ledger_id: u64) -> Self {
        Self { kind, ledger_id, ..Self::default() }
    }

    /// The tax that it pays, by head.
    pub fn taxes(&self) -> Taxes {
        Taxes::by_head(
            self.igst_by_igst + self.igst_by_cgst + self.igst_by_sgst,
            self.cgst_by_igst + self.cgst_by_cgst,
            self.sgst_by_igst + self.sgst_by_sgst,
            self.cess_by_cess,
        )
    }

    /// The credit that it uses, by head.
    pub fn used(&self) -> Taxes {
        Taxes::by_head(
            self.igst_by_igst + self.cgst_by_igst + self.sgst_by_igst,
            self.igst_by_cgst + self.cgst_by_cgst,
            self.igst_by_sgst + self.sgst_by_sgst,
            self.cess_by_cess,
        )
    }
}

/// Paid from the negative liability statement: tax of earlier periods that came out below zero.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct NegativePayment {
    /// `liab_ldg_id`, as `tx_py` names it.
    #[serde(rename = "liab_ldg_id", deserialize_with = "ledger_id")]
    pub ledger_id: u64,
    /// `trans_typ`.
    #[serde(rename = "trans_typ")]
    pub kind: LiabilityKind,
    /// `ipd`: integrated tax.
    #[serde(rename = "ipd")]
    pub igst: Rupees,
    /// `cpd`: central tax.
    #[serde(rename = "cpd")]
    pub cgst: Rupees,
    /// `spd`: state tax.
    #[serde(rename = "spd")]
    pub sgst: Rupees,
    /// `cspd`: cess.
    #[serde(rename = "cspd")]
    pub cess: Rupees,
}

impl NegativePayment {
    /// Nothing, for a liability.
    pub fn of(kind: LiabilityKind, ledger_id: u64) -> Self {
        Self { kind, ledger_id, ..Self::default() }
    }

    /// The tax that it pays, by head.
    pub fn taxes(&self) -> Taxes {
        Taxes::by_head(self.igst, self.cgst, self.sgst, self.cess)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_written_in_gstns_names_and_read_back() {
        let rupees = Rupees::from_paise;
        let credit =
            CreditPayment { igst_by_cgst: rupees(10_050), ..CreditPayment::of(LiabilityKind::Other, 7) };
        let cash = CashPayment {
            cgst: rupees(100),
            cgst_fee: rupees(2_500),
            ..CashPayment::of(LiabilityKind::ReverseCharge, 8)
        };
        let offset = Offset::new().credit(credit.clone()).cash(cash.clone());
        let text = serde_json::to_string(&offset).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&json["pditc"]["i_pdc"], &json["pditc"]["trans_typ"]), (&100.5.into(), &30002.into()));
        assert_eq!(
            (&json["pdcash"][0]["c_lfeepd"], &json["pdcash"][0]["liab_ldg_id"]),
            (&25.into(), &8.into())
        );
        assert!(json.get("pdnls").is_none());
        let told: super::super::TaxPayment = serde_json::from_str(&text).unwrap();
        assert_eq!((told.offset(), told.is_paid()), (offset, true));
        assert_eq!((credit.taxes().igst, credit.used().cgst), (rupees(10_050), rupees(10_050)));
    }
}
