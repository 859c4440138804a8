//! Each rule of utilisation, with a proposal on either side of it.

use serde_json::json;

use super::*;

fn rupee(igst: i64, cgst: i64, sgst: i64, cess: i64) -> Heads {
    Heads::new(igst, cgst, sgst, cess).map(|rupees| rupees * 100)
}

fn owing(tax: Heads) -> Payable {
    Payable { by_kind: [Due { tax, ..Due::default() }, Due::default()], credit: Heads::ZERO }
}

fn means(credit: Heads) -> Means {
    Means {
        credit,
        cash: Cells::of_tax(rupee(10_000, 10_000, 10_000, 10_000)),
        rounds: true,
        central_before_state: true,
        cash_share: false,
    }
}

/// The rest of what is owed is paid in cash.
fn with_cash(credit: FromCredit, payable: &Payable) -> Proposal {
    let mut proposal = Proposal { credit, ..Proposal::default() };
    for (paid, due) in proposal.by_kind.iter_mut().zip(&payable.by_kind) {
        *paid = Paid { tax: due.net(), interest: due.interest, fee: due.fee, negative: None };
    }
    proposal.by_kind[0].tax -= credit.paid();
    proposal
}

/// Of credit in rupees, in the order of the keys.
fn from(cells: [i64; 8]) -> FromCredit {
    FromCredit::of(cells.map(|rupees| rupees * 100))
}

#[test]
fn the_order_of_utilisation() {
    // (what is owed, what credit there is, i_pdi i_pdc i_pds c_pdi c_pdc s_pdi s_pds cs_pdcs, the rule that refuses)
    let cases: [(Heads, Heads, [i64; 8], Option<&str>); 14] = [
        (rupee(100, 50, 50, 0), rupee(100, 50, 50, 0), [100, 0, 0, 0, 50, 0, 50, 0], None),
        // Rule 88A: the rest of integrated credit in any order and proportion.
        (rupee(100, 50, 50, 0), rupee(160, 0, 0, 0), [100, 0, 0, 10, 0, 50, 0, 0], None),
        (rupee(100, 50, 50, 0), rupee(160, 0, 0, 0), [100, 0, 0, 50, 0, 10, 0, 0], None),
        // Less credit than there is may be used, as long as no other goes before it.
        (rupee(100, 50, 50, 0), rupee(160, 0, 0, 0), [90, 0, 0, 0, 0, 0, 0, 0], None),
        // Section 49A: integrated credit is left.
        (rupee(100, 50, 50, 0), rupee(160, 50, 50, 0), [100, 0, 0, 0, 50, 0, 50, 0], Some("49A")),
        (rupee(100, 50, 50, 0), rupee(160, 50, 50, 0), [100, 0, 0, 50, 0, 0, 50, 0], Some("49A")),
        (rupee(0, 50, 50, 0), rupee(60, 50, 50, 0), [0, 0, 0, 30, 20, 30, 20, 0], None),
        // Rule 88A: integrated tax first.
        (rupee(100, 50, 50, 0), rupee(100, 0, 0, 0), [50, 0, 0, 50, 0, 0, 0, 0], Some("88A")),
        // Section 49(5)(b) and (c): each to its own tax first.
        (rupee(100, 50, 50, 0), rupee(0, 60, 0, 0), [0, 10, 0, 0, 50, 0, 0, 0], None),
        (rupee(100, 50, 50, 0), rupee(0, 60, 0, 0), [0, 20, 0, 0, 40, 0, 0, 0], Some("49(5)(b)")),
        (rupee(100, 50, 50, 0), rupee(0, 0, 60, 0), [0, 0, 20, 0, 0, 0, 40, 0], Some("49(5)(c)")),
        // Section 49(5)(c), proviso: state credit pays integrated tax when no central credit is left.
        (rupee(100, 50, 50, 0), rupee(0, 70, 70, 0), [0, 20, 20, 0, 50, 0, 50, 0], None),
        (
            rupee(100, 50, 50, 0),
            rupee(0, 70, 70, 0),
            [0, 10, 20, 0, 50, 0, 50, 0],
            Some("before that of state"),
        ),
        (rupee(0, 0, 0, 30), rupee(0, 0, 0, 20), [0, 0, 0, 0, 0, 0, 0, 20], None),
    ];
    for (owed, credit, cells, refused_by) in cases {
        let payable = owing(owed);
        let outcome = check(&with_cash(from(cells), &payable), &payable, &means(credit));
        match refused_by {
            None => assert_eq!(outcome, Ok(()), "{cells:?}"),
            Some(rule) => {
                let error = outcome.unwrap_err();
                assert!(error.message.contains(rule) && error.code == "RT-3BAS1070", "{cells:?}: {error}");
            }
        }
    }
}

/// Advisories of 30.01.26 and 19.02.26: from January 2026 in any order.
#[test]
fn from_2026_state_credit_need_not_wait_for_central_credit() {
    let payable = owing(rupee(100, 50, 50, 0));
    let proposal = with_cash(from([0, 10, 20, 0, 50, 0, 50, 0]), &payable);
    let old = means(rupee(0, 70, 70, 0));
    assert!(check(&proposal, &payable, &old).is_err());
    assert_eq!(check(&proposal, &payable, &Means { central_before_state: false, ..old }), Ok(()));
}

/// Section 170: what is paid is whole rupees, so that some paise of credit are never used up.
#[test]
fn paise_of_credit_that_cannot_be_used_stand_in_no_ones_way() {
    let payable = owing(rupee(100, 50, 0, 0));
    let proposal = with_cash(from([100, 0, 0, 0, 50, 0, 0, 0]), &payable);
    let credit = rupee(100, 50, 0, 0) + Heads::new(99, 0, 0, 0);
    assert_eq!(check(&proposal, &payable, &means(credit)), Ok(()));
    assert!(check(&proposal, &payable, &Means { rounds: false, ..means(credit) }).is_err());
}

#[test]
fn each_head_is_paid_exactly() {
    let due = Due {
        tax: rupee(100, 40, 0, 0),
        adjusted: rupee(30, 0, 0, 0),
        interest: rupee(5, 0, 0, 0),
        fee: rupee(0, 50, 50, 0),
        ..Due::default()
    };
    let payable =
        Payable { by_kind: [due, Due { tax: rupee(7, 0, 0, 0), ..Due::default() }], credit: Heads::ZERO };
    let mut means = means(rupee(70, 40, 0, 0));
    means.cash[Minor::Interest] = rupee(5, 0, 0, 0);
    means.cash[Minor::Fee] = rupee(0, 50, 50, 0);
    let good = with_cash(from([70, 0, 0, 0, 40, 0, 0, 0]), &payable);
    assert_eq!(check(&good, &payable, &means), Ok(()));
    let mut changed: Vec<Proposal> = vec![good; 6];
    changed[0].by_kind[0].tax[Head::Igst] += 100;
    changed[1].by_kind[0].interest[Head::Igst] -= 100;
    changed[2].by_kind[0].fee[Head::Sgst] = 0;
    changed[3].by_kind[1].tax[Head::Igst] = 0;
    changed[4].credit.i_pdi -= 1;
    changed[5].by_kind[0].negative = Some(rupee(29, 0, 0, 0));
    for proposal in changed {
        let error = check(&proposal, &payable, &means).unwrap_err();
        assert!(error.code == "RT-3BAS1070" && error.message.starts_with("Partial or excess"), "{error}");
    }
    let mut said = good;
    said.by_kind[0].negative = Some(rupee(30, 0, 0, 0));
    assert_eq!(check(&said, &payable, &means), Ok(()));
}

#[test]
fn no_more_is_used_than_the_ledgers_hold() {
    let payable = owing(rupee(100, 0, 0, 0));
    let short_of_credit =
        check(&with_cash(from([100, 0, 0, 0, 0, 0, 0, 0]), &payable), &payable, &means(rupee(99, 0, 0, 0)));
    assert!(short_of_credit.unwrap_err().message.contains("credit ledger"));
    let mut poor = means(Heads::ZERO);
    // Money under another minor head does not help (s.49(1), Rule 87(13): it would have to be transferred).
    poor.cash = Cells::ZERO;
    poor.cash[Minor::Fee] = rupee(100, 0, 0, 0);
    let short_of_cash = check(&with_cash(from([0; 8]), &payable), &payable, &poor);
    assert!(short_of_cash.unwrap_err().message.contains("cash ledger has too little for igst tx"));
}

/// Rule 86B.
#[test]
fn one_per_cent_in_cash_where_that_rule_is_on() {
    let payable = owing(rupee(1_000, 0, 0, 0));
    let credit = rupee(1_000, 0, 0, 0);
    for (from_credit, allowed) in [(990, true), (991, false)] {
        let proposal = with_cash(from([from_credit, 0, 0, 0, 0, 0, 0, 0]), &payable);
        assert_eq!(check(&proposal, &payable, &means(credit)), Ok(()));
        let outcome = check(&proposal, &payable, &Means { cash_share: true, ..means(credit) });
        assert_eq!(outcome.is_ok(), allowed, "{from_credit}");
    }
}

#[test]
fn a_payload_is_read_as_clients_send_it() {
    let period = "012026".parse().unwrap();
    let sent = json!({
        "pdcash": [{"liab_ldg_id": 0, "trans_typ": 30002, "ipd": 1, "c_lfeepd": 25},
                   {"liab_ldg_id": 2_026_013, "trans_typ": 30003.0, "cpd": 2.0}],
        "pditc": {"liab_ldg_id": 2_026_012, "trans_typ": 30002, "i_pdi": 3, "c_pdc": 4},
        "pdnls": [{"trans_typ": 30002, "ipd": 5}], "nettaxpay": [{"any": "thing"}],
    });
    let read = Proposal::read(&sent, period).unwrap();
    assert_eq!(read.credit, from([3, 0, 0, 0, 4, 0, 0, 0]));
    assert_eq!(read.by_kind[0].tax, rupee(1, 0, 0, 0));
    assert_eq!((read.by_kind[0].fee, read.by_kind[1].tax), (rupee(0, 25, 0, 0), rupee(0, 2, 0, 0)));
    assert_eq!(read.by_kind[0].negative, Some(rupee(5, 0, 0, 0)));
    for (odd, code) in [
        (json!({"pdcash": [{"trans_typ": 30001}]}), "RET191106"),
        (json!({"pdcash": [{"trans_typ": 30002}, {"trans_typ": 30002}]}), "RET191106"),
        (json!({"pdcash": [{"trans_typ": 30002, "ipd": -1}]}), "RET191106"),
        (json!({"pdcash": [{"trans_typ": 30002, "ipd": "1"}]}), "RET191106"),
        (json!({"pditc": {"trans_typ": 30002, "c_pds": 1}}), "RET191106"),
        (json!({"pdcash": [{"trans_typ": 30002, "liab_ldg_id": 2_026_013}]}), "RET11403"),
        (json!({"pditc": {"trans_typ": 30003, "i_pdi": 1}}), "RT-3BAS1070"),
    ] {
        assert_eq!(Proposal::read(&odd, period).unwrap_err().code, code, "{odd}");
    }
    let payable = owing(rupee(100, 0, 0, 0));
    let proposal = propose(&payable, rupee(40, 0, 0, 0));
    let again = Proposal::read(&payload(proposal, &payable, period), period);
    assert_eq!(again, Ok(proposal));
}
