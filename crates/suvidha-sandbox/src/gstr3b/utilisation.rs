//! RETOFFSET as a taxpayer proposes it, and whether the law lets it stand.
//!
//! In `x_pdy` x is the head of the liability and y the head of the credit: `i_pdc` is integrated tax paid from central
//! credit. There is no `c_pds` and no `s_pdc`: central and state credit never pay each other's tax (s.49(5)(e), (f)).

use serde_json::{Map, Value};

use super::payable::{Due, Kind, Payable};
use super::refusal;
use crate::amounts::Amount;
use crate::gstr1::GstnError;
use crate::ledgers::money::{Cells, Head, Heads, Minor, paise, rupees};
use gstn::ReturnPeriod;

/// Tax paid from credit, in paise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct FromCredit {
    pub(crate) i_pdi: i64,
    pub(crate) i_pdc: i64,
    pub(crate) i_pds: i64,
    pub(crate) c_pdi: i64,
    pub(crate) c_pdc: i64,
    pub(crate) s_pdi: i64,
    pub(crate) s_pds: i64,
    pub(crate) cs_pdcs: i64,
}

impl FromCredit {
    const KEYS: [&str; 8] = ["i_pdi", "i_pdc", "i_pds", "c_pdi", "c_pdc", "s_pdi", "s_pds", "cs_pdcs"];

    fn cells(&self) -> [i64; 8] {
        [self.i_pdi, self.i_pdc, self.i_pds, self.c_pdi, self.c_pdc, self.s_pdi, self.s_pds, self.cs_pdcs]
    }

    fn of(cells: [i64; 8]) -> Self {
        let [i_pdi, i_pdc, i_pds, c_pdi, c_pdc, s_pdi, s_pds, cs_pdcs] = cells;
        Self { i_pdi, i_pdc, i_pds, c_pdi, c_pdc, s_pdi, s_pds, cs_pdcs }
    }

    /// What each head of liability is paid.
    pub(crate) fn paid(&self) -> Heads {
        Heads::new(
            self.i_pdi.saturating_add(self.i_pdc).saturating_add(self.i_pds),
            self.c_pdi.saturating_add(self.c_pdc),
            self.s_pdi.saturating_add(self.s_pds),
            self.cs_pdcs,
        )
    }

    /// What each head of credit gives.
    pub(crate) fn used(&self) -> Heads {
        Heads::new(
            self.i_pdi.saturating_add(self.c_pdi).saturating_add(self.s_pdi),
            self.i_pdc.saturating_add(self.c_pdc),
            self.i_pds.saturating_add(self.s_pds),
            self.cs_pdcs,
        )
    }
}

/// What one kind of liability is paid in cash and from the negative liability statement.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Paid {
    pub(crate) tax: Heads,
    pub(crate) interest: Heads,
    pub(crate) fee: Heads,
    /// None when the payload says nothing of it: then it is adjusted by itself.
    pub(crate) negative: Option<Heads>,
}

/// A proposal, by kind in the order of [`Kind::ALL`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Proposal {
    pub(crate) credit: FromCredit,
    pub(crate) by_kind: [Paid; 2],
}

/// What pays for a proposal, and by which rules.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Means {
    /// Credit that may be used: the ledger with this return's, less what is blocked.
    pub(crate) credit: Heads,
    pub(crate) cash: Cells,
    /// Tax in whole rupees: less than a rupee of credit cannot be used.
    pub(crate) rounds: bool,
    /// State credit pays integrated tax only after central credit: s.49(5)(c), proviso, until 2025.
    pub(crate) central_before_state: bool,
    /// Rule 86B: one hundredth of the output tax in cash.
    pub(crate) cash_share: bool,
}

const CASH_KEYS: [&str; 14] = [
    "ipd",
    "cpd",
    "spd",
    "cspd",
    "i_intrpd",
    "c_intrpd",
    "s_intrpd",
    "cs_intrpd",
    "i_lfeepd",
    "c_lfeepd",
    "s_lfeepd",
    "cs_lfeepd",
    "liab_ldg_id",
    "trans_typ",
];

impl Proposal {
    /// Reads the body of RETOFFSET. RET191106 for another form.
    pub(crate) fn read(payload: &Value, period: ReturnPeriod) -> Result<Self, GstnError> {
        let mut proposal = Self::default();
        let mut seen = [false; 2];
        for row in rows(&payload["pdcash"]) {
            let (row, kind) = of_kind(row, &CASH_KEYS, period)?;
            if std::mem::replace(&mut seen[kind as usize], true) {
                return Err(malformed("pdcash"));
            }
            let paid = &mut proposal.by_kind[kind as usize];
            let of = |keys: [&str; 4]| -> Result<Heads, GstnError> {
                let [igst, cgst, sgst, cess] = keys.map(|key| amount(row.get(key)));
                Ok(Heads::new(igst?, cgst?, sgst?, cess?))
            };
            paid.tax = of(["ipd", "cpd", "spd", "cspd"])?;
            paid.interest = of(["i_intrpd", "c_intrpd", "s_intrpd", "cs_intrpd"])?;
            paid.fee = of(["i_lfeepd", "c_lfeepd", "s_lfeepd", "cs_lfeepd"])?;
        }
        for row in rows(&payload["pditc"]) {
            let keys: Vec<&str> = FromCredit::KEYS.into_iter().chain(["liab_ldg_id", "trans_typ"]).collect();
            let (row, kind) = of_kind(row, &keys, period)?;
            let mut cells = [0; 8];
            for (cell, key) in cells.iter_mut().zip(FromCredit::KEYS) {
                *cell = amount(row.get(key))?;
            }
            let credit = FromCredit::of(cells);
            if kind == Kind::Reverse && !credit.used().is_zero() {
                let message = "Tax on reverse charge and under section 9(5) is paid in cash";
                return Err(refusal("RT-3BAS1070", message));
            }
            if kind == Kind::Other {
                proposal.credit = credit;
            }
        }
        for row in rows(&payload["pdnls"]) {
            let keys = ["ipd", "cpd", "spd", "cspd", "liab_ldg_id", "trans_typ"];
            let (row, kind) = of_kind(row, &keys, period)?;
            let [igst, cgst, sgst, cess] = ["ipd", "cpd", "spd", "cspd"].map(|key| amount(row.get(key)));
            proposal.by_kind[kind as usize].negative = Some(Heads::new(igst?, cgst?, sgst?, cess?));
        }
        Ok(proposal)
    }

    /// `pdcash`, `pditc` and `pdnls` of RETSUM.
    pub(crate) fn to_json(self, payable: &Payable, period: ReturnPeriod) -> Map<String, Value> {
        let identified = |kind: Kind, mut row: Map<String, Value>| {
            row.insert("liab_ldg_id".into(), kind.ledger_id(period).into());
            row.insert("trans_typ".into(), kind.code().into());
            Value::Object(row)
        };
        let amounts = |keys: [&str; 4], heads: Heads| {
            keys.into_iter()
                .zip(Head::ALL)
                .map(move |(key, head)| (key.to_owned(), rupees(heads[head])))
                .collect::<Vec<_>>()
        };
        let cash = |(kind, paid): (Kind, &Paid)| {
            let mut row: Map<String, Value> =
                amounts(["ipd", "cpd", "spd", "cspd"], paid.tax).into_iter().collect();
            row.extend(amounts(["i_intrpd", "c_intrpd", "s_intrpd", "cs_intrpd"], paid.interest));
            row.insert("c_lfeepd".into(), rupees(paid.fee[Head::Cgst]));
            row.insert("s_lfeepd".into(), rupees(paid.fee[Head::Sgst]));
            identified(kind, row)
        };
        let negative = |(kind, due): (Kind, &Due)| {
            let mut row: Map<String, Value> =
                amounts(["ipd", "cpd", "spd", "cspd"], due.adjusted).into_iter().collect();
            row.insert("tran_desc".into(), kind.description().into());
            identified(kind, row)
        };
        let credit = FromCredit::KEYS.into_iter().zip(self.credit.cells());
        let credit = credit.map(|(key, paise)| (key.to_owned(), rupees(paise))).collect();
        let mut told = Map::new();
        told.insert("pdcash".into(), Kind::ALL.into_iter().zip(&self.by_kind).map(cash).collect());
        told.insert("pditc".into(), identified(Kind::Other, credit));
        let adjusted = Kind::ALL.into_iter().zip(&payable.by_kind).filter(|(_, due)| !due.adjusted.is_zero());
        told.insert("pdnls".into(), adjusted.map(negative).collect());
        told
    }

    /// The cash of a kind, by minor head.
    pub(crate) fn cash(&self, kind: Kind) -> Cells {
        let paid = &self.by_kind[kind as usize];
        let mut cells = Cells::of_tax(paid.tax);
        cells[Minor::Interest] = paid.interest;
        cells[Minor::Fee] = paid.fee;
        cells
    }
}

/// Whether `proposal` pays `payable` exactly, in the order of the law, and with what is there.
pub(crate) fn check(proposal: &Proposal, payable: &Payable, means: &Means) -> Result<(), GstnError> {
    check_exact(proposal, payable)?;
    check_order(&proposal.credit, payable, means)?;
    let left = means.credit - proposal.credit.used();
    if let Some(head) =
        Head::ALL.into_iter().find(|head| left[*head] < 0 && proposal.credit.used()[*head] > 0)
    {
        return Err(refused(&format!("The credit ledger has too little for {}", head.as_str())));
    }
    let cash = Kind::ALL.into_iter().fold(Cells::ZERO, |sum, kind| sum + proposal.cash(kind));
    if let Some((head, minor)) = (means.cash - cash).first_negative() {
        let message = format!("The cash ledger has too little for {} {}", head.as_str(), minor.as_str());
        return Err(refused(&message));
    }
    if means.cash_share {
        check_cash_share(&proposal.credit, payable)?;
    }
    Ok(())
}

/// Tax = credit + cash + negative liability for each kind and head; interest and fee are paid in cash (s.49(3), (4)).
fn check_exact(proposal: &Proposal, payable: &Payable) -> Result<(), GstnError> {
    for (kind, due) in Kind::ALL.into_iter().zip(&payable.by_kind) {
        let paid = &proposal.by_kind[kind as usize];
        let from_credit = if kind == Kind::Other { proposal.credit.paid() } else { Heads::ZERO };
        let exact = due.net() == from_credit + paid.tax
            && due.interest == paid.interest
            && due.fee == paid.fee
            && paid.negative.is_none_or(|negative| negative == due.adjusted);
        if !exact {
            let message = format!("Partial or excess payment: {}", kind.description());
            return Err(refused(&message));
        }
    }
    Ok(())
}

/// Sections 49(5), 49A and 49B, and Rule 88A.
fn check_order(credit: &FromCredit, payable: &Payable, means: &Means) -> Result<(), GstnError> {
    let owed = payable.by_kind[0].net();
    let smallest = if means.rounds { 100 } else { 1 };
    let left = means.credit - credit.used();
    let is_left = |head: Head| left[head] >= smallest;
    // Section 49A: central and state credit only after integrated credit is used up.
    if is_left(Head::Igst) && (credit.c_pdc > 0 || credit.s_pds > 0 || credit.i_pdc > 0 || credit.i_pds > 0) {
        return Err(refused("Credit of integrated tax must be used up first (section 49A)"));
    }
    // Rule 88A: integrated credit first pays integrated tax, the rest central and state tax in any order.
    if (credit.c_pdi > 0 || credit.s_pdi > 0) && credit.i_pdi < owed[Head::Igst] {
        return Err(refused("Credit of integrated tax pays integrated tax first (Rule 88A)"));
    }
    // Section 49(5)(b), (c): central credit first pays central tax, state credit first state tax.
    if credit.i_pdc > 0 && credit.c_pdi.saturating_add(credit.c_pdc) < owed[Head::Cgst] {
        return Err(refused("Credit of central tax pays central tax first (section 49(5)(b))"));
    }
    if credit.i_pds > 0 && credit.s_pdi.saturating_add(credit.s_pds) < owed[Head::Sgst] {
        return Err(refused("Credit of state tax pays state tax first (section 49(5)(c))"));
    }
    // Section 49(5)(c), proviso.
    if means.central_before_state && credit.i_pds > 0 && is_left(Head::Cgst) {
        return Err(refused(
            "Credit of central tax pays integrated tax before that of state tax (section 49(5)(c))",
        ));
    }
    Ok(())
}

/// Rule 86B: credit may not pay more than ninety-nine hundredths of the output tax.
fn check_cash_share(credit: &FromCredit, payable: &Payable) -> Result<(), GstnError> {
    let (used, owed) = (credit.used().total(), payable.by_kind[0].tax.total());
    if i128::from(used) * 100 > i128::from(owed) * 99 {
        return Err(refused("One per cent of the output tax must be paid in cash (Rule 86B)"));
    }
    Ok(())
}

fn rows(value: &Value) -> &[Value] {
    match value {
        Value::Null => &[],
        Value::Array(rows) => rows,
        one => std::slice::from_ref(one),
    }
}

/// A row, and which liability it pays. Clients in the field send 0 as `liab_ldg_id`.
fn of_kind<'a>(
    row: &'a Value,
    keys: &[&str],
    period: ReturnPeriod,
) -> Result<(&'a Map<String, Value>, Kind), GstnError> {
    let object = row.as_object().ok_or_else(|| malformed("an object is wanted"))?;
    let described = ["tran_desc", "trans_desc"];
    if let Some(key) =
        object.keys().find(|key| !keys.contains(&key.as_str()) && !described.contains(&key.as_str()))
    {
        return Err(malformed(key));
    }
    let number = |key: &str| object.get(key).map(paise).map(|hundredths| hundredths / 100);
    let kind = number("trans_typ").and_then(Kind::of_code).ok_or_else(|| malformed("trans_typ"))?;
    match number("liab_ldg_id") {
        None | Some(0) => Ok((object, kind)),
        Some(id) if id == kind.ledger_id(period) => Ok((object, kind)),
        Some(_) => Err(refusal("RET11403", "Invalid API Request: liab_ldg_id is not that of the liability")),
    }
}

fn amount(value: Option<&Value>) -> Result<i64, GstnError> {
    match value {
        None | Some(Value::Null) => Ok(0),
        Some(number @ Value::Number(_))
            if Amount::is_exact(number) && (0..1_000_000_000_000_000).contains(&paise(number)) =>
        {
            Ok(paise(number))
        }
        Some(other) => Err(malformed(&other.to_string())),
    }
}

fn malformed(what: &str) -> GstnError {
    refusal("RET191106", format!("Error in Json structure validation: {what}"))
}

fn refused(message: &str) -> GstnError {
    refusal("RT-3BAS1070", message)
}

/// A proposal in the order of the law: as much credit as it lets be used, the rest in cash. For tests and for
/// clients that would rather not work it out.
#[cfg(test)]
pub(crate) fn propose(payable: &Payable, credit: Heads) -> Proposal {
    let whole = |paise: i64| paise.max(0) / 100 * 100;
    let mut owed = payable.by_kind[0].net();
    let mut held = credit.map(whole);
    let mut pay = |liability: Head, from: Head| {
        let paid = owed[liability].min(held[from]);
        owed[liability] -= paid;
        held[from] -= paid;
        paid
    };
    let i_pdi = pay(Head::Igst, Head::Igst);
    let (c_pdi, s_pdi) = (pay(Head::Cgst, Head::Igst), pay(Head::Sgst, Head::Igst));
    let (c_pdc, s_pds) = (pay(Head::Cgst, Head::Cgst), pay(Head::Sgst, Head::Sgst));
    let (i_pdc, i_pds) = (pay(Head::Igst, Head::Cgst), pay(Head::Igst, Head::Sgst));
    let cs_pdcs = pay(Head::Cess, Head::Cess);
    let credit = FromCredit { i_pdi, i_pdc, i_pds, c_pdi, c_pdc, s_pdi, s_pds, cs_pdcs };
    let charges = |due: &Due, tax| Paid { tax, interest: due.interest, fee: due.fee, negative: None };
    let [other, reverse] = payable.by_kind;
    Proposal { credit, by_kind: [charges(&other, owed), charges(&reverse, reverse.net())] }
}

/// Rows of a proposal as a client sends them.
#[cfg(test)]
pub(crate) fn payload(proposal: Proposal, payable: &Payable, period: ReturnPeriod) -> Value {
    Value::Object(proposal.to_json(payable, period))
}

#[cfg(test)]
#[path = "utilisation_tests.rs"]
mod tests;
