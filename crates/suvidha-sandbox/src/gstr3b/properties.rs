//! Random months: whatever a taxpayer saves, pays in and files, ledgers, BAL, returns and challans agree to the paisa.

use gstn::ReturnPeriod;
use jiff::civil::Date;
use proptest::prelude::*;
use rusqlite::Connection;
use serde_json::{Value, json};

use super::payable::Kind;
use super::testing::{Books, code, is_processed};
use crate::ledgers::challan;
use crate::ledgers::journal::{self, Account, Entry};
use crate::ledgers::money::{Cells, Head, Heads, Minor, rupees};
use crate::ledgers::statements;
use crate::ledgers::transfers::{self, HeadName};

/// What happens in a month.
#[derive(Debug, Clone)]
struct Month {
    /// Tax of 3.1(a), 3.1(d), 4(A)(5), 4(B)(2) and 4(D)(1), in paise.
    taxable: Heads,
    reverse: Heads,
    credit: Heads,
    reversed: Heads,
    reclaimed: Heads,
    interest: Heads,
    /// The day of the month after on which it is offset.
    day: i8,
    /// How many paise an officer blocks.
    blocked: i64,
    /// A wrong proposal comes first.
    stumbles: bool,
}

fn heads(paise: std::ops::Range<i64>) -> impl Strategy<Value = Heads> {
    let one = || prop_oneof![2 => Just(0_i64), 3 => paise.clone()];
    (one(), one(), one(), one()).prop_map(|(igst, cgst, sgst, cess)| Heads::new(igst, cgst, sgst, cess))
}

fn month() -> impl Strategy<Value = Month> {
    (
        (heads(-300_000..900_000), heads(0..200_000), heads(-200_000..900_000), heads(0..300_000)),
        (
            heads(0..100_000),
            heads(0..50_000),
            1_i8..28,
            prop_oneof![Just(0_i64), 1..100_000_i64],
            any::<bool>(),
        ),
    )
        .prop_map(
            |((taxable, reverse, credit, reversed), (reclaimed, interest, day, blocked, stumbles))| Month {
                taxable,
                reverse,
                credit,
                reversed,
                reclaimed,
                interest,
                day,
                blocked,
                stumbles,
            },
        )
}

fn form(month: &Month) -> Value {
    let typed = |ty: &str, heads: Heads| {
        let mut row = heads.to_return();
        row.insert("ty".into(), ty.into());
        Value::Object(row)
    };
    json!({
        "sup_details": {"osup_det": month.taxable.to_return(), "isup_rev": month.reverse.to_return()},
        "itc_elg": {
            "itc_avl": [typed("OTH", month.credit), typed("ISRC", month.reverse)],
            "itc_rev": [typed("OTH", month.reversed)], "itc_inelg": [typed("RUL", month.reclaimed)],
        },
        "intr_ltfee": {"intr_details": month.interest.to_return()},
    })
}

/// Plays a month, and checks what it did to the ledgers; gives what was paid in.
fn play(books: &mut Books, period: ReturnPeriod, month: &Month) -> Cells {
    books.begin(period, month.day);
    let outcome = books.save(period, &form(month));
    assert!(is_processed(&outcome), "{outcome:?}");
    if month.blocked > 0 {
        let block = |tx: &rusqlite::Transaction<'_>| {
            transfers::block(tx, &books.gstin, HeadName::Igst, month.blocked, books.today)
        };
        books.db.write(block).unwrap();
    }
    let before = Account::ALL.map(|account| books.held(account));
    let payable = books.payable(period);
    let proposal = books.proposal(period, &payable);
    let cash = Kind::ALL.into_iter().fold(Cells::ZERO, |sum, kind| sum + proposal.cash(kind));
    if month.stumbles {
        let mut wrong = proposal;
        wrong.by_kind[0].tax[Head::Igst] += 100;
        assert_eq!(code(&books.offset(period, wrong, &payable)), "RT-3BAS1070");
        assert_eq!(Account::ALL.map(|account| books.held(account)), before, "a refused offset posts nothing");
    }
    let paid_in = books.pay_in(cash);
    let outcome = books.offset(period, proposal, &payable);
    assert!(is_processed(&outcome), "{outcome:?} {payable:?} {proposal:?}");
    assert_eq!(code(&books.offset(period, proposal, &payable)), "RTN_17");
    assert_eq!(books.file(period), Ok(()));
    assert_eq!(books.file(period), Err("RT_FIL_02"));

    let [cash_before, credit_before, ..] = before;
    assert_eq!(books.held(Account::Cash), cash_before + paid_in - cash, "cash");
    let credit = credit_before[Minor::Tax] + payable.credit - proposal.credit.used();
    assert_eq!(books.tax_held(Account::Credit), credit, "credit");
    assert_eq!(books.held(Account::Liability), Cells::ZERO, "what is offset is owed no more");
    for (account, kind) in [(3 + 1, Kind::Other), (4 + 1, Kind::Reverse)] {
        let due = payable.by_kind[kind as usize];
        let expected = before[account][Minor::Tax] + due.carried - due.adjusted;
        assert_eq!(books.tax_held(Account::ALL[account]), expected, "{kind:?} below zero");
    }
    let reclaim = before[6][Minor::Tax] + month.reversed - month.reclaimed;
    assert_eq!(books.tax_held(Account::Reclaim), reclaim);
    paid_in
}

fn entries(conn: &Connection, books: &Books, account: Account) -> Vec<Entry> {
    journal::between(conn, &books.gstin, account, Date::MIN, Date::MAX).unwrap()
}

/// Every balance is the sum of the entries before it, none is below zero that may not be, every posting adds up to nothing
/// over its accounts, and BAL tells the same.
fn check_books(books: &Books, paid_in: Cells) {
    books.read(|conn| {
        let mut postings: std::collections::BTreeMap<i64, i64> = Default::default();
        for account in Account::ALL {
            let mut sum = Cells::ZERO;
            for entry in entries(conn, books, account) {
                sum = sum + entry.change;
                assert_eq!(entry.balance, sum, "{account:?}");
                assert!(!account.must_cover() || sum.first_negative().is_none(), "{account:?} is overdrawn");
                *postings.entry(entry.posting).or_default() += entry.change.total();
            }
            assert_eq!(journal::balance(conn, &books.gstin, account)?, sum, "{account:?}");
        }
        assert!(postings.values().all(|rest| *rest == 0), "a posting lacks its counterpart: {postings:?}");
        let told = statements::balance(conn, &books.gstin)?;
        let cash = books.held(Account::Cash);
        for head in Head::ALL {
            let name = head.as_str();
            assert_eq!(told["cash_bal"][format!("{name}_tot_bal")], rupees(cash.head_total(head)));
            let credit = books.tax_held(Account::Credit)[head];
            assert_eq!(told["itc_bal"][format!("{name}_bal")], rupees(credit));
        }
        let challans = challan::between(conn, &books.gstin, Date::MIN, Date::MAX, books.today)?;
        let paid = challans.iter().fold(Cells::ZERO, |sum, challan| sum + challan.amounts);
        assert_eq!(paid, paid_in, "challans are what was paid in");
        let deposits =
            entries(conn, books, Account::Cash).into_iter().filter(|entry| entry.change.total() > 0);
        assert_eq!(deposits.fold(Cells::ZERO, |sum, entry| sum + entry.change), paid);
        Ok(())
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn ledgers_returns_and_challans_agree_to_the_paisa(
        months in prop::collection::vec(month(), 1..5),
        begins_in_2026 in any::<bool>(),
        whole_rupees in prop::bool::weighted(0.8),
    ) {
        let mut books = Books::new();
        books.rules.whole_rupees = whole_rupees;
        // No GSTR-1 row is there to compare with.
        books.rules.lock_liability = false;
        let first = if begins_in_2026 { "112025" } else { "042025" };
        let mut period: ReturnPeriod = first.parse().unwrap();
        let mut paid_in = Cells::ZERO;
        for month in &months {
            // A challan is over whole rupees.
            let month = if whole_rupees {
                Month { interest: month.interest.map(|paise| paise / 100 * 100), ..month.clone() }
            } else {
                in_rupees(month)
            };
            paid_in = paid_in + play(&mut books, period, &month);
            check_books(&books, paid_in);
            period = period.next().unwrap();
        }
    }
}

/// The same month in whole rupees.
fn in_rupees(month: &Month) -> Month {
    let whole = |heads: Heads| heads.map(|paise| paise / 100 * 100);
    Month {
        taxable: whole(month.taxable),
        reverse: whole(month.reverse),
        credit: whole(month.credit),
        reversed: whole(month.reversed),
        reclaimed: whole(month.reclaimed),
        interest: whole(month.interest),
        blocked: month.blocked / 100 * 100,
        ..month.clone()
    }
}
