//! Which credit pays which tax, as the law has it: sections 49(4), (5), 49A, 49B and Rule 88A.

use super::offset::{CashPayment, CreditPayment, NegativePayment, Offset};
use super::payment::{LiabilityKind, PayableLine, TaxPayment};
use crate::error::Error;
use crate::ledgers::{CashBalance, MinorHeads};
use crate::rupees::Rupees;
use crate::taxes::Taxes;

/// A lawful way to pay, and what the cash ledger lacks for it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct OffsetProposal {
    /// What to send.
    pub offset: Offset,
    /// What has to be paid in first, by challan: by head, and inside a head by minor head. Cash of one cell pays nothing of
    /// another.
    pub missing_cash: MissingCash,
}

impl OffsetProposal {
    /// Whether the cash ledger has enough for it.
    pub fn is_covered(&self) -> bool {
        self.missing_cash == MissingCash::default()
    }
}

/// Cash that is missing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct MissingCash {
    /// Integrated tax.
    pub igst: MinorHeads,
    /// Central tax.
    pub cgst: MinorHeads,
    /// State or union territory tax.
    pub sgst: MinorHeads,
    /// Compensation cess.
    pub cess: MinorHeads,
}

impl MissingCash {
    /// All of it together.
    pub fn total(&self) -> Rupees {
        [self.igst, self.cgst, self.sgst, self.cess].iter().map(MinorHeads::total).sum()
    }
}

/// Proposes how to pay what a GSTR-3B owes, in the order of the law and with as little cash as it lets be. Nothing is sent.
///
/// `credit` is what may be used: [`Gstr3bSummary::usable_credit`](super::Gstr3bSummary::usable_credit) works it out. The order:
/// 1. Credit of integrated tax goes first and is used up (s.49A): it pays integrated tax, and what is left of it central and
///    state tax, in any proportion (Rule 88A). It is given to whichever lacks credit of its own, so that none is left over.
/// 2. Credit of central tax pays central tax, then integrated tax; that of state tax pays state tax, then integrated tax
///    (s.49(5)(b), (c)), after that of central tax. They never pay each other's.
/// 3. Credit of cess pays cess.
/// 4. Reverse charge, interest and late fee are paid in cash, and what is left.
///
/// Tax is in whole rupees (s.170), so paise of credit stay where they are. Rule 86B, by which some pay one hundredth of their
/// tax in cash, is not applied: whether it binds a taxpayer does not follow from its return.
///
/// # Errors
/// [`Error::Invalid`] where `payment` owes nothing: it is paid already, or nothing was saved.
pub fn propose_offset(
    payment: &TaxPayment,
    credit: &Taxes,
    cash: &CashBalance,
) -> Result<OffsetProposal, Error> {
    if payment.is_paid() {
        return Err(Error::Invalid("the return is paid already: file it".to_owned()));
    }
    let owed = payment.owed();
    if owed.is_empty() {
        return Err(Error::Invalid(
            "the summary tells no liability (tx_py): save the return first".to_owned(),
        ));
    }
    let mut proposal = OffsetProposal::default();
    let mut held = [cash.igst, cash.cgst, cash.sgst, cash.cess];
    let mut credit_left = *credit;
    for line in &owed {
        let mut left = line.taxes();
        if line.kind == LiabilityKind::Other {
            let payment = CreditPayment {
                ledger_id: line.ledger_id,
                kind: line.kind,
                ..from_credit(left, credit_left, &held)
            };
            left -= payment.taxes();
            credit_left -= payment.used();
            if payment.taxes() != Taxes::default() {
                proposal.offset.credit = Some(payment);
            }
        }
        let payment = in_cash(line, left);
        let lacks = proposal.missing_cash.heads_mut().into_iter();
        for ((held, lacks), wanted) in held.iter_mut().zip(lacks).zip(minor_heads(line, left)) {
            take(&mut held.tax, &mut lacks.tax, wanted.tax);
            take(&mut held.interest, &mut lacks.interest, wanted.interest);
            take(&mut held.fee, &mut lacks.fee, wanted.fee);
        }
        proposal.offset.cash.push(payment);
    }
    proposal.offset.negative = payment.adjusted.iter().filter_map(negative).collect();
    Ok(proposal)
}

impl MissingCash {
    fn heads_mut(&mut self) -> [&mut MinorHeads; 4] {
        [&mut self.igst, &mut self.cgst, &mut self.sgst, &mut self.cess]
    }
}

/// As much as credit can pay of `owed`.
fn from_credit(owed: Taxes, credit: Taxes, cash: &[MinorHeads; 4]) -> CreditPayment {
    let whole = |amount: Rupees| amount.max(Rupees::ZERO);
    let in_rupees = |amount: Rupees| Rupees::from_paise(amount.paise() / 100 * 100);
    let rounds = owed.heads().iter().all(|amount| in_rupees(*amount) == *amount);
    let usable = |amount: Rupees| if rounds { in_rupees(whole(amount)) } else { whole(amount) };
    let [mut i_owed, mut c_owed, mut s_owed, cs_owed] = owed.heads().map(whole);
    let [mut i_held, c_held, s_held, cs_held] = credit.heads().map(usable);

    let igst_by_igst = pay(&mut i_owed, &mut i_held);
    let (cgst_by_igst, sgst_by_igst) =
        share(i_held, (c_owed, c_held, cash[1].tax), (s_owed, s_held, cash[2].tax));
    c_owed -= cgst_by_igst;
    s_owed -= sgst_by_igst;
    let (mut c_held, mut s_held, mut cs_owed, mut cs_held) = (c_held, s_held, cs_owed, cs_held);
    let cgst_by_cgst = pay(&mut c_owed, &mut c_held);
    let sgst_by_sgst = pay(&mut s_owed, &mut s_held);
    CreditPayment {
        igst_by_igst,
        cgst_by_igst,
        sgst_by_igst,
        cgst_by_cgst,
        sgst_by_sgst,
        igst_by_cgst: pay(&mut i_owed, &mut c_held),
        igst_by_sgst: pay(&mut i_owed, &mut s_held),
        cess_by_cess: pay(&mut cs_owed, &mut cs_held),
        ..CreditPayment::default()
    }
}

fn pay(owed: &mut Rupees, held: &mut Rupees) -> Rupees {
    let paid = (*owed).min(*held);
    *owed -= paid;
    *held -= paid;
    paid
}

/// Tax, own credit and own cash of a head.
type Head = (Rupees, Rupees, Rupees);

/// What is left of integrated credit, to central and to state tax. First comes what neither own credit nor own cash can pay,
/// then what own credit cannot pay, and then the rest: it must be used up before own credit is touched.
fn share(mut left: Rupees, central: Head, state: Head) -> (Rupees, Rupees) {
    let lacks = |(owed, credit, cash): Head| [owed - credit - cash.max(Rupees::ZERO), owed - credit, owed];
    let (mut to_central, mut to_state) = (Rupees::ZERO, Rupees::ZERO);
    for (central, state) in lacks(central).into_iter().zip(lacks(state)) {
        for (lacks, given) in [(central, &mut to_central), (state, &mut to_state)] {
            let mut wanted = (lacks - *given).max(Rupees::ZERO);
            *given += pay(&mut wanted, &mut left);
        }
    }
    (to_central, to_state)
}

/// What cash has to pay of a liability whose tax is `left`.
fn minor_heads(line: &PayableLine, left: Taxes) -> [MinorHeads; 4] {
    let mut heads = line.heads();
    for (head, tax) in heads.iter_mut().zip(left.heads()) {
        head.tax = tax;
    }
    heads
}

fn in_cash(line: &PayableLine, left: Taxes) -> CashPayment {
    let [igst, cgst, sgst, cess] = minor_heads(line, left);
    CashPayment {
        ledger_id: line.ledger_id,
        kind: line.kind,
        igst: igst.tax,
        cgst: cgst.tax,
        sgst: sgst.tax,
        cess: cess.tax,
        igst_interest: igst.interest,
        cgst_interest: cgst.interest,
        sgst_interest: sgst.interest,
        cess_interest: cess.interest,
        cgst_fee: cgst.fee,
        sgst_fee: sgst.fee,
    }
}

/// Takes `wanted` from a cell of the cash ledger; what it does not have is lacking.
fn take(held: &mut Rupees, lacks: &mut Rupees, wanted: Rupees) {
    let paid = wanted.min((*held).max(Rupees::ZERO));
    *held -= paid;
    *lacks += wanted - paid;
}

fn negative(line: &PayableLine) -> Option<NegativePayment> {
    let Taxes { igst, cgst, sgst, cess, .. } = line.taxes();
    let payment = NegativePayment { ledger_id: line.ledger_id, kind: line.kind, igst, cgst, sgst, cess };
    (payment.taxes() != Taxes::default()).then_some(payment)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rupees(rupees: i64) -> Rupees {
        Rupees::from_paise(rupees * 100)
    }

    fn taxes([igst, cgst, sgst, cess]: [i64; 4]) -> Taxes {
        Taxes::by_head(rupees(igst), rupees(cgst), rupees(sgst), rupees(cess))
    }

    fn line(kind: LiabilityKind, owed: [i64; 4]) -> PayableLine {
        let [igst, cgst, sgst, cess] =
            owed.map(|tax| MinorHeads { tax: rupees(tax), ..MinorHeads::default() });
        PayableLine {
            kind,
            ledger_id: u64::from(kind.code()),
            igst,
            cgst,
            sgst,
            cess,
            ..PayableLine::default()
        }
    }

    fn proposed(owed: [i64; 4], credit: [i64; 4]) -> (CreditPayment, [i64; 4]) {
        let payment = TaxPayment { payable: vec![line(LiabilityKind::Other, owed)], ..TaxPayment::default() };
        let proposal = propose_offset(&payment, &taxes(credit), &CashBalance::default()).unwrap();
        let lacks = &proposal.missing_cash;
        let lacks = [lacks.igst, lacks.cgst, lacks.sgst, lacks.cess].map(|head| head.tax.paise() / 100);
        (proposal.offset.credit.unwrap_or_default(), lacks)
    }

    /// What the law forbids, whatever the amounts: sections 49(5), 49A, 49B, Rule 88A.
    fn assert_lawful(paid: &CreditPayment, owed: &Taxes, credit: &Taxes) {
        let zero = Rupees::ZERO;
        let (used, left) = (paid.used(), *credit - paid.used());
        assert!(left.heads().iter().all(|left| *left >= zero), "more credit than there is: {paid:?}");
        let others = [paid.cgst_by_cgst, paid.sgst_by_sgst, paid.igst_by_cgst, paid.igst_by_sgst];
        assert!(left.igst < rupees(1) || others.iter().all(|paid| paid.is_zero()), "s.49A: {paid:?}");
        let crosses = paid.cgst_by_igst > zero || paid.sgst_by_igst > zero;
        assert!(!crosses || paid.igst_by_igst == owed.igst, "Rule 88A: {paid:?}");
        assert!(paid.igst_by_cgst.is_zero() || paid.taxes().cgst == owed.cgst, "s.49(5)(b): {paid:?}");
        assert!(paid.igst_by_sgst.is_zero() || paid.taxes().sgst == owed.sgst, "s.49(5)(c): {paid:?}");
        assert!(paid.igst_by_sgst.is_zero() || left.cgst < rupees(1), "s.49(5)(c), proviso: {paid:?}");
        assert!(
            used.cess == paid.cess_by_cess
                && paid.taxes().heads().iter().zip(owed.heads()).all(|(paid, owed)| *paid <= owed)
        );
    }

    /// The cases of Circular 98/17/2019 and those around them.
    #[test]
    fn the_order_of_the_law() {
        // Owed, credit, and the cash that is left to pay.
        for (owed, credit, cash) in [
            ([1000, 300, 300, 0], [1300, 200, 200, 0], [0, 0, 0, 0]),
            ([1000, 300, 300, 0], [1600, 300, 300, 0], [0, 0, 0, 0]),
            ([0, 0, 0, 0], [10, 10, 10, 10], [0, 0, 0, 0]),
            // Integrated credit goes where own credit lacks.
            ([0, 100, 100, 0], [100, 100, 0, 0], [0, 0, 0, 0]),
            ([0, 100, 100, 0], [100, 0, 100, 0], [0, 0, 0, 0]),
            ([0, 100, 100, 0], [120, 100, 0, 0], [0, 0, 0, 0]),
            ([0, 100, 100, 0], [50, 0, 0, 0], [0, 50, 100, 0]),
            // Central credit pays integrated tax before state credit does, each after its own.
            ([100, 0, 0, 0], [0, 60, 60, 0], [0, 0, 0, 0]),
            ([100, 50, 50, 0], [0, 60, 60, 0], [80, 0, 0, 0]),
            // They never pay each other's; cess pays cess.
            ([0, 100, 0, 100], [0, 0, 500, 30], [0, 100, 0, 70]),
        ] {
            let (paid, lacks) = proposed(owed, credit);
            assert_eq!(lacks, cash, "{owed:?} by {credit:?}: {paid:?}");
            assert_lawful(&paid, &taxes(owed), &taxes(credit));
        }
        let (paid, _) = proposed([100, 0, 0, 0], [0, 60, 60, 0]);
        assert_eq!((paid.igst_by_cgst, paid.igst_by_sgst), (rupees(60), rupees(40)));
    }

    /// Every mixture of small amounts: lawful, and with no more cash than any other lawful way needs.
    #[test]
    fn no_other_lawful_way_needs_less_cash() {
        let amounts = [0, 1, 2];
        for owed_igst in amounts {
            for (owed_cgst, owed_sgst) in
                amounts.into_iter().flat_map(|one| amounts.map(|other| (one, other)))
            {
                for (igst, cgst, sgst) in amounts.into_iter().flat_map(|one| {
                    amounts.into_iter().flat_map(move |two| amounts.map(|three| (one, two, three)))
                }) {
                    let (owed, credit) = ([owed_igst, owed_cgst, owed_sgst, 0], [igst, cgst, sgst, 0]);
                    let (paid, lacks) = proposed(owed, credit);
                    assert_lawful(&paid, &taxes(owed), &taxes(credit));
                    assert_eq!(lacks.iter().sum::<i64>(), least_cash(owed, credit), "{owed:?} by {credit:?}");
                }
            }
        }
    }

    /// By trying every share of integrated credit: own credit can pay no more than own tax, and what is left integrated tax.
    fn least_cash([i, c, s, _]: [i64; 4], [ci, cc, cs, _]: [i64; 4]) -> i64 {
        let left = (ci - i).max(0).min(c + s);
        let shares = (0..=left).filter(|share| *share <= c && left - share <= s);
        let cash = |share: i64| {
            let (c, s) = (c - share, s - (left - share));
            let spare = (cc - c).max(0) + (cs - s).max(0);
            (c - cc).max(0) + (s - cs).max(0) + ((i - ci).max(0) - spare).max(0)
        };
        shares.map(cash).min().unwrap_or_default()
    }

    #[test]
    fn reverse_charge_interest_and_fee_are_paid_in_cash_and_what_lacks_is_told() {
        let mut other = line(LiabilityKind::Other, [100, 0, 0, 0]);
        other.igst.interest = rupees(7);
        other.cgst.fee = rupees(50);
        let reverse = line(LiabilityKind::ReverseCharge, [30, 0, 0, 0]);
        let payment = TaxPayment { payable: vec![other, reverse], ..TaxPayment::default() };
        let mut cash = CashBalance::default();
        (cash.igst.tax, cash.cgst.fee) = (rupees(25), rupees(50));
        let proposal = propose_offset(&payment, &taxes([1000, 0, 0, 0]), &cash).unwrap();
        let [first, second] = &proposal.offset.cash[..] else { panic!("{proposal:?}") };
        assert_eq!((first.igst, first.igst_interest, first.cgst_fee), (Rupees::ZERO, rupees(7), rupees(50)));
        assert_eq!(
            (second.igst, second.kind, second.ledger_id),
            (rupees(30), LiabilityKind::ReverseCharge, 30003)
        );
        let lacks = &proposal.missing_cash;
        assert_eq!((lacks.igst.tax, lacks.igst.interest, lacks.total()), (rupees(5), rupees(7), rupees(12)));
        assert!(!proposal.is_covered());
    }

    #[test]
    fn negative_liability_pays_first_and_paise_of_credit_stay() {
        let payment = TaxPayment {
            payable: vec![line(LiabilityKind::Other, [100, 0, 0, 0])],
            adjusted: vec![line(LiabilityKind::Other, [40, 0, 0, 0])],
            ..TaxPayment::default()
        };
        let credit = Taxes { igst: Rupees::from_paise(5_999), ..Taxes::default() };
        let proposal = propose_offset(&payment, &credit, &CashBalance::default()).unwrap();
        assert_eq!(proposal.offset.negative[0].igst, rupees(40));
        assert_eq!(proposal.offset.credit.as_ref().map(|credit| credit.igst_by_igst), Some(rupees(59)));
        assert_eq!(proposal.offset.taxes().igst, rupees(100));
    }

    #[test]
    fn cash_that_lies_there_is_used_before_more_is_asked_for() {
        let payment = TaxPayment {
            payable: vec![line(LiabilityKind::Other, [0, 100, 100, 0])],
            ..TaxPayment::default()
        };
        let mut cash = CashBalance::default();
        cash.cgst.tax = rupees(100);
        let proposal = propose_offset(&payment, &taxes([100, 0, 0, 0]), &cash).unwrap();
        assert!(proposal.is_covered(), "{proposal:?}");
    }

    #[test]
    fn what_is_paid_or_was_never_saved_is_not_paid_again() {
        let paid = TaxPayment {
            paid_in_cash: vec![CashPayment { sgst_fee: rupees(1), ..CashPayment::default() }],
            ..TaxPayment::default()
        };
        for (payment, why) in [(paid, "paid already"), (TaxPayment::default(), "save the return")] {
            let error = propose_offset(&payment, &Taxes::default(), &CashBalance::default()).unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
        }
    }
}
