//! What a return owes: tax by kind and head, in whole rupees, with what is carried over from below zero.

use gstn::ReturnPeriod;
use serde_json::{Map, Value, json};

use super::form::Saved;
use crate::ledgers::money::{Head, Heads, rupees, whole_rupees};

/// The kinds of liability that are paid apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `trans_typ` 30002
    Other,
    /// `trans_typ` 30003: cash alone (section 2(82): output tax excludes tax on reverse charge, so s.49(4) does not reach it).
    Reverse,
}

impl Kind {
    pub(crate) const ALL: [Self; 2] = [Self::Other, Self::Reverse];

    pub(crate) const fn code(self) -> i64 {
        match self {
            Self::Other => 30002,
            Self::Reverse => 30003,
        }
    }

    pub(crate) fn of_code(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// As RETSUM words it.
    pub(crate) const fn description(self) -> &'static str {
        match self {
            Self::Other => "Other than Reverse Charge",
            Self::Reverse => "Reverse charge and supplies made u/s 9(5)",
        }
    }

    /// As a ledger words it, which has letters, digits and blanks alone.
    pub(crate) const fn ledger_description(self) -> &'static str {
        match self {
            Self::Other => "Other than reverse charge",
            Self::Reverse => "Reverse charge",
        }
    }

    /// `liab_ldg_id`: a number that no other liability of the taxpayer's has.
    pub(crate) fn ledger_id(self, period: ReturnPeriod) -> i64 {
        i64::from(period.year()) * 1000 + i64::from(period.month()) * 10 + self.code() % 10
    }
}

/// What one kind of liability comes to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Due {
    /// Never below zero.
    pub(crate) tax: Heads,
    /// What was below zero and enters the negative liability statement.
    pub(crate) carried: Heads,
    /// What the negative liability statement pays.
    pub(crate) adjusted: Heads,
    pub(crate) interest: Heads,
    pub(crate) fee: Heads,
}

impl Due {
    /// Tax that credit and cash must pay.
    pub(crate) fn net(&self) -> Heads {
        self.tax - self.adjusted
    }
}

/// What a return owes, by kind in the order of [`Kind::ALL`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Payable {
    pub(crate) by_kind: [Due; 2],
    /// What the return adds to the credit ledger, below zero what it takes.
    pub(crate) credit: Heads,
}

/// What else a payable depends on.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Circumstances {
    /// What the negative liability statement holds, by kind.
    pub(crate) negative: [Heads; 2],
    /// What the credit ledger holds.
    pub(crate) credit: Heads,
    pub(crate) interest: Heads,
    pub(crate) fee: Heads,
    /// Tax in whole rupees (section 170).
    pub(crate) rounds: bool,
}

impl Payable {
    /// Works out what is owed.
    ///
    /// Tax on reverse charge and section 9(5) supplies stands apart. A head below zero owes nothing and is carried to the
    /// negative liability statement, which pays the same head later. A net credit below zero takes from the ledger what is there, and
    /// the rest is owed as tax (advisory of 29.12.25).
    pub(crate) fn of(saved: &Saved, by: &Circumstances) -> Self {
        let net = saved.net_credit();
        let missing = net
            .zip(by.credit, |net, held| if net < 0 { (-net).saturating_sub(held.max(0)).max(0) } else { 0 });
        let taxes = [
            saved.taxable.tax + saved.zero_rated.tax + missing,
            saved.reverse_charge.tax + saved.operator.tax,
        ];
        let mut by_kind = [Due::default(); 2];
        for (kind, tax) in taxes.into_iter().enumerate() {
            let rounded = if by.rounds { tax.map(round_either_way) } else { tax };
            let owed = rounded.map(|paise| paise.max(0));
            by_kind[kind] = Due {
                tax: owed,
                carried: rounded.map(|paise| (-paise).max(0)),
                adjusted: owed.zip(by.negative[kind], |owed, held| owed.min(held.max(0))),
                ..Due::default()
            };
        }
        by_kind[0].interest = by.interest;
        by_kind[0].fee = by.fee;
        Self { by_kind, credit: net + missing }
    }

    /// Nothing is to be paid.
    pub(crate) fn is_zero(&self) -> bool {
        self.by_kind.iter().all(|due| due.tax.is_zero() && due.interest.is_zero() && due.fee.is_zero())
    }

    /// `tx_py`, `adjnegliab` and `net_tax_pay` of RETSUM.
    pub(crate) fn to_json(self, period: ReturnPeriod) -> Map<String, Value> {
        let rows = |tax: fn(&Due) -> Heads, charges: bool| -> Value {
            let row = |(kind, due): (Kind, &Due)| {
                let (interest, fee) = if charges { (due.interest, due.fee) } else { Default::default() };
                row(kind, period, tax(due), interest, fee)
            };
            Kind::ALL.into_iter().zip(&self.by_kind).map(row).collect()
        };
        let mut told = Map::new();
        told.insert("tx_py".into(), rows(|due| due.tax, true));
        told.insert("adjnegliab".into(), rows(|due| due.adjusted, false));
        told.insert("net_tax_pay".into(), rows(Due::net, true));
        told
    }
}

fn row(kind: Kind, period: ReturnPeriod, tax: Heads, interest: Heads, fee: Heads) -> Value {
    let mut row = json!({
        "tran_desc": kind.description(), "trans_typ": kind.code(), "liab_ldg_id": kind.ledger_id(period),
    });
    for head in Head::ALL {
        let mut cells = json!({ "tx": rupees(tax[head]), "intr": rupees(interest[head]) });
        if matches!(head, Head::Cgst | Head::Sgst) {
            cells["fee"] = rupees(fee[head]);
        }
        row[head.as_str()] = cells;
    }
    row
}

fn round_either_way(paise: i64) -> i64 {
    if paise < 0 { -whole_rupees(-paise) } else { whole_rupees(paise) }
}

#[cfg(test)]
mod tests {
    use super::super::form::Supply;
    use super::*;

    fn saved(igst: i64, reverse: i64) -> Saved {
        let of = |igst| Supply { txval: 0, tax: Heads::new(igst, 0, 0, 0) };
        Saved { taxable: of(igst), reverse_charge: of(reverse), ..Saved::default() }
    }

    /// A real summary of September 2024 owes 52771330 for 52771330.43, and 99466 for 99465.98 (section 170).
    #[test]
    fn each_head_is_rounded_to_the_nearest_rupee() {
        let by = Circumstances { rounds: true, ..Circumstances::default() };
        let payable = Payable::of(&saved(5_277_133_043, 9_946_598), &by);
        assert_eq!(payable.by_kind.map(|due| due.tax[Head::Igst]), [5_277_133_000, 9_946_600]);
        let exact = Payable::of(&saved(5_277_133_043, 9_946_598), &Circumstances::default());
        assert_eq!(exact.by_kind.map(|due| due.tax[Head::Igst]), [5_277_133_043, 9_946_598]);
    }

    /// Negative liability statement: nothing is payable, and the same head pays less later.
    #[test]
    fn what_is_below_zero_is_carried_over_and_pays_later() {
        let by = Circumstances { rounds: true, ..Circumstances::default() };
        let first = Payable::of(&saved(-50_050, 0), &by);
        let due = first.by_kind[0];
        assert_eq!((due.tax[Head::Igst], due.carried[Head::Igst]), (0, 50_100));
        for (tax, adjusted, net) in [(30_000, 30_000, 0), (50_100, 50_100, 0), (70_000, 50_100, 19_900)] {
            let later = Circumstances { negative: [due.carried, Heads::ZERO], ..by };
            let due = Payable::of(&saved(tax, 900), &later).by_kind;
            assert_eq!((due[0].adjusted[Head::Igst], due[0].net()[Head::Igst]), (adjusted, net), "{tax}");
            assert_eq!(due[1].net()[Head::Igst], 900, "the other kind is not adjusted");
        }
    }

    /// Advisory of 29.12.25: what the ledger cannot give is added to the liability.
    #[test]
    fn a_net_credit_below_zero_takes_what_is_there_and_owes_the_rest() {
        let mut saved = saved(1_000, 0);
        saved.reversed[1] = Heads::new(5_000, 0, 0, 0);
        for (held, takes, owes) in
            [(9_000, -5_000, 1_000), (5_000, -5_000, 1_000), (2_000, -2_000, 4_000), (0, 0, 6_000)]
        {
            let by =
                Circumstances { credit: Heads::new(held, 0, 0, 0), rounds: true, ..Circumstances::default() };
            let payable = Payable::of(&saved, &by);
            assert_eq!(
                (payable.credit[Head::Igst], payable.by_kind[0].tax[Head::Igst]),
                (takes, owes),
                "{held}"
            );
        }
    }

    #[test]
    fn each_liability_has_its_own_number() {
        let period = "012026".parse().unwrap();
        assert_eq!(Kind::ALL.map(|kind| kind.ledger_id(period)), [2_026_012, 2_026_013]);
        let told = Payable::default().to_json(period);
        assert_eq!(told["tx_py"][1]["trans_typ"], 30003);
        assert!(told["tx_py"][0]["igst"].get("fee").is_none() && told["tx_py"][0]["cgst"]["fee"] == 0);
    }
}
