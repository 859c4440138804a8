//! A ledger that somebody changed behind the gateway's back, and what the verification says of it.

use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use suvidha_store::PlanKind;
use suvidha_store::ledger::{Entry, Filter, Finding, Head, LedgerError, Months, Order, Verified};
use uuid::Uuid;

use crate::counter::{Counter, Witness, asp};

const ENTRIES: u64 = 30;

/// A ledger of 30 entries, and somebody with a connection of their own.
fn tampered(how: &str) -> (Counter, Vec<Finding>) {
    let counter = Counter::new();
    counter.written((0..ENTRIES).map(|_| counter.a_call()));
    let file = Connection::open(counter.path()).unwrap();
    file.execute_batch(how).unwrap();
    drop(file);
    let (findings, _) = verified(&counter, None);
    (counter, findings)
}

fn verified(counter: &Counter, known: Option<Head>) -> (Vec<Finding>, Verified) {
    let mut findings = Vec::new();
    let verified = counter.reader().verify(known, |finding| findings.push(finding), |_| {}).unwrap();
    assert_eq!(verified.findings, findings.len() as u64);
    (findings, verified)
}

/// The request id at a place, as the table shows it now.
fn id_at(counter: &Counter, seq: u64) -> Uuid {
    let file = Connection::open(counter.path()).unwrap();
    Uuid::from_bytes(
        file.query_row("SELECT id FROM entry WHERE seq = ?1", [seq.cast_signed()], |row| row.get(0)).unwrap(),
    )
}

/// The findings about entries; sums and the head follow from them.
fn of_entries(findings: &[Finding]) -> Vec<Finding> {
    let of_entries = |finding: &&Finding| !matches!(finding, Finding::Sum { .. } | Finding::Head { .. });
    findings.iter().filter(of_entries).cloned().collect()
}

#[test]
fn a_ledger_that_nobody_touched_verifies() {
    let (counter, findings) = tampered("");
    assert_eq!(findings, []);
    let (_, verified) = verified(&counter, Some(counter.all()[9].head()));
    assert_eq!((verified.entries, verified.findings), (ENTRIES, 0));
    assert_eq!(verified.head, counter.reader().head().unwrap());
}

#[test]
fn a_changed_entry_is_named() {
    for (column, value) in [
        ("at", "at + 1"),
        ("aspid", "'0000000002'"),
        ("aspid", "NULL"),
        ("txn", "'another'"),
        ("units", "0"),
        ("status", "NULL"),
        ("id", "randomblob(16)"),
        ("outcome", "'refused'"),
        ("claimed_aspid", "txn"),
    ] {
        let (counter, findings) = tampered(&format!("UPDATE entry SET {column} = {value} WHERE seq = 17"));
        let id = id_at(&counter, 17);
        assert_eq!(of_entries(&findings), [Finding::Changed { seq: 17, id }], "{column}");
        assert!(findings[0].to_string().starts_with(&format!("entry 17 ({id}) was changed")));
    }
    let (counter, findings) = tampered("UPDATE entry SET hash = zeroblob(32) WHERE seq = 17");
    let changed = [17, 18].map(|seq| Finding::Changed { seq, id: id_at(&counter, seq) });
    assert_eq!(of_entries(&findings), changed, "nobody can tell which of the two");
    let (counter, findings) = tampered("UPDATE entry SET units = 9 WHERE seq IN (1, 12, 13, 30)");
    let changed = [1, 12, 13, 30].map(|seq| Finding::Changed { seq, id: id_at(&counter, seq) });
    assert_eq!(of_entries(&findings), changed);
}

#[test]
fn a_removed_entry_is_named() {
    for (first, last) in [(1, 1), (17, 17), (5, 9), (1, 3), (30, 30), (29, 30), (1, 30)] {
        let (_, findings) = tampered(&format!("DELETE FROM entry WHERE seq BETWEEN {first} AND {last}"));
        assert_eq!(of_entries(&findings), [Finding::Removed { first, last }]);
        assert!(findings.iter().any(|finding| finding.kind() == "sum"), "the sums do not fit either");
    }
}

#[test]
fn a_removed_entry_is_named_though_the_others_close_up() {
    let (_, findings) = tampered(
        "DELETE FROM entry WHERE seq = 17;
         UPDATE entry SET seq = seq + 100 WHERE seq > 17;
         UPDATE entry SET seq = seq - 101 WHERE seq > 100;
         UPDATE head SET seq = 29",
    );
    assert_eq!(
        of_entries(&findings),
        [Finding::Removed { first: 17, last: 17 }, Finding::Renumbered { first: 18, last: 29, by: -1 }]
    );
}

const COPY: &str = "CREATE TEMP TABLE copy AS SELECT * FROM entry WHERE seq = 3;";

#[test]
fn an_inserted_entry_is_named() {
    let (counter, findings) = tampered(&format!(
        "{COPY} UPDATE entry SET seq = seq + 100 WHERE seq >= 17;
         UPDATE entry SET seq = seq - 99 WHERE seq > 100;
         UPDATE copy SET seq = 17, id = randomblob(16); INSERT INTO entry SELECT * FROM copy;
         UPDATE head SET seq = 31"
    ));
    let id = id_at(&counter, 17);
    assert_eq!(
        of_entries(&findings),
        [Finding::Inserted { seq: 17, id }, Finding::Renumbered { first: 19, last: 31, by: 1 }]
    );

    let (counter, findings) = tampered(&format!(
        "{COPY} UPDATE copy SET seq = 31, id = randomblob(16); INSERT INTO entry SELECT * FROM copy"
    ));
    assert_eq!(of_entries(&findings), [Finding::Changed { seq: 31, id: id_at(&counter, 31) }]);
    assert!(findings.iter().any(|finding| finding.kind() == "head"));
}

#[test]
fn reordered_entries_are_named() {
    for (one, other) in [(16, 17), (5, 25), (1, 2), (29, 30)] {
        let (counter, findings) = tampered(&format!(
            "UPDATE entry SET seq = 1000 WHERE seq = {one};
             UPDATE entry SET seq = {one} WHERE seq = {other};
             UPDATE entry SET seq = {other} WHERE seq = 1000"
        ));
        let moved = |seq, from| Finding::Moved { seq, id: id_at(&counter, seq), from };
        assert_eq!(of_entries(&findings), [moved(one, other), moved(other, one)]);
    }
}

#[test]
fn an_end_that_was_cut_off_is_found_by_a_head_noted_earlier() {
    let (counter, findings) = tampered("");
    assert_eq!(findings, []);
    let noted = counter.reader().head().unwrap();
    let file = Connection::open(counter.path()).unwrap();
    file.execute_batch(
        "DELETE FROM entry WHERE seq > 20; UPDATE head SET (seq, hash) = (SELECT seq, hash FROM entry WHERE seq = 20);
         UPDATE usage SET calls = 20, admitted = 20, units = 20, prepaid_units = 20, bytes_out = bytes_out * 2 / 3,
         gstn_us = gstn_us * 2 / 3, total_us = total_us * 2 / 3; UPDATE account SET prepaid_units = 20;
         UPDATE quarter SET last_seq = 20",
    )
    .unwrap();
    assert_eq!(verified(&counter, None).0, [], "whoever rewrites all of it is not found without");
    assert_eq!(verified(&counter, Some(noted)).0, [Finding::KnownHead { known: noted, found: None }]);

    counter.written((0..ENTRIES).map(|_| counter.a_call()));
    let found = counter.all().iter().find(|recorded| recorded.seq == noted.seq).map(|r| r.head());
    assert_eq!(verified(&counter, None).0, []);
    assert_eq!(verified(&counter, Some(noted)).0, [Finding::KnownHead { known: noted, found }]);
}

#[test]
fn another_beginning_and_another_end_are_found() {
    assert_eq!(tampered("UPDATE ledger SET id = randomblob(16)").1, [Finding::Genesis]);
    assert_eq!(tampered("UPDATE ledger SET environment = 'production'").1, [Finding::Genesis]);
    let (_, findings) = tampered("UPDATE anchor SET hash = zeroblob(32)");
    assert_eq!(findings.iter().map(Finding::kind).collect::<Vec<_>>(), ["genesis", "changed"]);
    let (_, findings) = tampered("UPDATE head SET hash = zeroblob(32)");
    assert_eq!(findings.iter().map(Finding::kind).collect::<Vec<_>>(), ["head"]);
}

#[test]
fn sums_that_do_not_fit_are_named() {
    for (how, words) in [
        (
            "UPDATE account SET prepaid_units = 1",
            "the units charged to ASP 0000000001 does not fit the entries: they come to 30 units, kept is 1 units",
        ),
        (
            "UPDATE usage SET calls = 4",
            "the usage of 2026-11-22, ASP \"0000000001\", API \"taxpayerapi/returns/gstr1\" does not fit the entries: \
             they come to 30 calls, kept is 4 calls",
        ),
        (
            "UPDATE quarter SET last_seq = 4",
            "the place of the quarter of an hour from 2026-11-22T10:15:00Z does not fit the entries: they come to \
             1 to 30, kept is 1 to 4",
        ),
    ] {
        let (_, findings) = tampered(how);
        assert_eq!(findings.iter().map(Finding::to_string).collect::<Vec<_>>(), [words]);
    }
    let (_, findings) = tampered("DELETE FROM usage");
    assert_eq!(findings.iter().map(Finding::kind).collect::<Vec<_>>(), ["sum"]);
    let (_, findings) = tampered("UPDATE usage SET day = '2026-11-21'");
    assert_eq!(findings.iter().map(Finding::kind).collect::<Vec<_>>(), ["sum", "sum"]);
}

/// Sums that nothing but themselves would give away.
#[test]
fn sums_that_were_made_up_are_found() {
    const USAGE: &str = "CREATE TEMP TABLE copy AS SELECT * FROM usage; UPDATE copy SET";
    let checks_off = "PRAGMA ignore_check_constraints = ON;";
    for (how, words) in [
        // Quotas are summed from one day to another, and this is text between them.
        (
            format!("{USAGE} day = '2026-11-21x'; INSERT INTO usage SELECT * FROM copy"),
            "what is kept of the day \"2026-11-21x\" does not fit the entries: they come to none behind entry 0, kept \
             is some",
        ),
        // A date to whoever parses it, and another text.
        (
            format!("{USAGE} day = '20261122'; INSERT INTO usage SELECT * FROM copy"),
            "what is kept of the day \"20261122\" does not fit the entries: they come to none behind entry 0, kept is \
             some",
        ),
        (
            "UPDATE usage SET admitted = -admitted".to_owned(),
            "the usage of 2026-11-22, ASP \"0000000001\", API \"taxpayerapi/returns/gstr1\" does not fit the \
             entries: they come to 30 admitted, kept is -30 admitted",
        ),
        (
            format!("{checks_off} UPDATE account SET prepaid_units = -30, forgotten_units = -60"),
            "the units charged to ASP 0000000001 does not fit the entries: they come to 30 units, kept is -30 units",
        ),
        (
            "UPDATE account SET prepaid_units = 130, forgotten_units = 100".to_owned(),
            "the units charged to ASP 0000000001 does not fit the entries: they come to 30 units, kept is 130 units",
        ),
        (
            "INSERT INTO account VALUES (char(27) || '[2J', 1, 1)".to_owned(),
            "the units charged to ASP \\u{1b}[2J does not fit the entries: they come to 0 units, kept is 1 units",
        ),
        (
            "INSERT INTO quarter VALUES (1, 1, 1)".to_owned(),
            "what is kept of the day \"1970-01-01\" does not fit the entries: they come to none behind entry 0, kept \
             is some",
        ),
    ] {
        let (_, findings) = tampered(&how);
        assert_eq!(findings.iter().map(Finding::to_string).collect::<Vec<_>>(), [words], "{how}");
    }
}

/// Somebody who knows how to get round the table's own rules.
#[test]
fn whatever_stands_in_an_entry_the_verification_names_it_and_goes_on() {
    let rules_off = |table: &str| {
        format!(
            "PRAGMA ignore_check_constraints = ON; PRAGMA writable_schema = ON;
             UPDATE sqlite_schema SET sql = replace(replace(sql, 'NOT NULL', ''), 'STRICT', '') WHERE name = '{table}';
             PRAGMA writable_schema = RESET;"
        )
    };
    for how in [
        "id = x'00'",
        "id = zeroblob(17)",
        "hash = x'00'",
        "at = 9223372036854775807",
        "units = -1",
        "bytes_in = 9223372036854775807",
        "outcome = 'paid'",
        "status = 70000",
        "txn = CAST(x'ff' AS TEXT)",
        "admitted = 7",
        "aspid = 'nobody'",
    ] {
        let checks_off = "PRAGMA ignore_check_constraints = ON;";
        let (_, findings) =
            tampered(&format!("{checks_off} UPDATE entry SET {how} WHERE seq IN (5, 6, 20, 25)"));
        for place in [5, 6, 20, 25] {
            let named = |finding: &Finding| finding.kind() == "changed" && finding.seq() == Some(place);
            assert!(findings.iter().any(named), "{how}, {place}: {findings:?}");
        }
    }
    for how in ["id = NULL", "hash = NULL", "at = 'noon'", "units = 1.5", "txn = 7", "outcome = NULL"] {
        let (_, findings) =
            tampered(&format!("{} UPDATE entry SET {how} WHERE seq = 20", rules_off("entry")));
        assert!(findings.iter().any(|finding| matches!(finding.seq(), Some(19 | 20))), "{how}: {findings:?}");
    }
}

#[test]
fn an_entry_too_large_for_any_gateway_does_not_fill_the_memory() {
    let (counter, findings) =
        tampered("UPDATE entry SET txn = CAST(zeroblob(50000000) AS TEXT) WHERE seq = 20");
    let [Finding::Unreadable { after: 19, what }] = &findings[..] else { panic!("{findings:?}") };
    assert!(what.contains("it holds more than any gateway writes"), "{what}");
    let refused = counter.reader().entries(&Filter::default(), Order::OldestFirst, None, 30).unwrap_err();
    assert!(matches!(refused, LedgerError::Damaged { .. }), "{refused}");
}

#[test]
fn what_does_not_fit_before_a_place_that_cannot_be_read_is_told_all_the_same() {
    let (counter, findings) = tampered(
        "UPDATE entry SET units = 0 WHERE seq = 10;
         UPDATE entry SET txn = CAST(zeroblob(50000000) AS TEXT) WHERE seq = 20",
    );
    assert_eq!(findings[0], Finding::Changed { seq: 10, id: id_at(&counter, 10) });
    assert_eq!(findings[1].kind(), "unreadable");
}

#[test]
fn a_ledger_without_one_of_its_rows_is_told_to_be_damaged() {
    for table in ["head", "anchor"] {
        let counter = Counter::new();
        counter.written([counter.a_call()]);
        Connection::open(counter.path()).unwrap().execute(&format!("DELETE FROM {table}"), []).unwrap();
        let mut findings = 0;
        let verified = counter.reader().verify(None, |_| findings += 1, |_| {});
        assert!(findings > 0 || matches!(verified, Err(LedgerError::Damaged { .. })), "{table}");
        let refused = counter.open().err().unwrap();
        assert!(matches!(refused, LedgerError::Damaged { .. }), "{refused}");
    }
}

/// Entries are removed by age while they are verified: before what was read, and ahead of it.
#[test]
fn a_known_head_that_is_removed_while_we_read_is_not_told_to_fit() {
    let counter = Counter::new();
    let old = || Entry { at: "2026-09-30T18:29:59Z".parse().unwrap(), ..counter.a_call() };
    counter.written((0..11_000).map(|_| old()).chain([counter.a_call(), counter.a_call()]));
    for (seq, forgotten) in [(7_000, true), (11_000, false), (11_001, false), (4_000, false)] {
        let copy = Counter::new();
        std::fs::create_dir(copy.path().parent().unwrap()).unwrap();
        std::fs::copy(counter.path(), copy.path()).unwrap();
        let page = copy.reader().entries(&Filter::default(), Order::OldestFirst, Some(seq - 1), 1).unwrap();
        let known = page.entries[0].head();
        let wrong = Head { seq, hash: [7; 32] };
        for (known, fits) in [(known, true), (wrong, false)] {
            let copy = Counter::new();
            std::fs::create_dir(copy.path().parent().unwrap()).unwrap();
            std::fs::copy(counter.path(), copy.path()).unwrap();
            let mut removed = false;
            let mut findings = Vec::new();
            let verified = copy
                .reader()
                .verify(
                    Some(known),
                    |finding| findings.push(finding.kind()),
                    |_| {
                        if !std::mem::replace(&mut removed, true) {
                            forget_all_but(&copy, 11_000);
                        }
                    },
                )
                .unwrap();
            assert_eq!(verified.known_head_forgotten, forgotten, "{known}");
            assert_eq!(findings, if fits || forgotten { vec![] } else { vec!["known-head"] }, "{known}");
            assert_eq!(verified.entries, 5_002);
        }
    }
}

fn forget_all_but(counter: &Counter, last: u64) {
    let one = Months(NonZeroU16::new(1).unwrap());
    let witness = Arc::new(Witness::default());
    let writer = counter.open().unwrap().start(Duration::ZERO, Some(one), witness).unwrap();
    let began = Instant::now();
    while counter.reader().anchor().unwrap().seq < last {
        assert!(began.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(5));
    }
    writer.stop().unwrap();
}

#[test]
fn a_ledger_whose_end_was_tampered_with_is_not_written_to() {
    for how in [
        "UPDATE entry SET units = 0 WHERE seq = 30",
        "DELETE FROM entry WHERE seq = 30",
        "UPDATE head SET hash = zeroblob(32)",
        "UPDATE head SET seq = 31",
        "DELETE FROM entry",
    ] {
        let (counter, _) = tampered(how);
        let refused = counter.open().err().expect(how).to_string();
        assert!(refused.contains("is damaged: "), "{refused}");
        assert!(refused.contains("`suvidha ledger verify` names what is wrong"), "{refused}");
    }
}

#[test]
fn charges_of_other_plans_are_no_charges_on_the_balance() {
    let counter = Counter::new();
    let mut calls: Vec<_> = (0..4).map(|_| counter.a_call()).collect();
    calls[0].plan = Some(PlanKind::Postpaid);
    calls[1].plan = Some(PlanKind::Unmetered);
    counter.written(calls);
    assert_eq!(counter.reader().charged(&asp(1)).unwrap(), 2);
    assert_eq!(verified(&counter, None).0, []);
}
