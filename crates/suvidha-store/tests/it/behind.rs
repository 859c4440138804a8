//! What is kept beside the entries follows them: what readers and the next writer make of that.

use std::time::{Duration, Instant};

use rusqlite::Connection;
use suvidha_store::ledger::{By, Entry, Filter, Finding, Order, Recorded, Release};

use crate::counter::{Counter, asp};

/// Entries of three ASPs and of a stranger, in turn, so many that two stretches are full.
const MANY: u64 = 40_000;

fn of_several(counter: &Counter, number: u64) -> Entry {
    match number % 4 {
        0 => Entry { aspid: None, plan: None, units: 0, ..counter.a_call() },
        // One that seldom calls.
        3 if !number.is_multiple_of(1_003) => Entry { aspid: Some(asp(2)), ..counter.a_call() },
        other => Entry { aspid: Some(asp(other)), ..counter.a_call() },
    }
}

fn many() -> Counter {
    let counter = Counter::new();
    counter.written((0..MANY).map(|number| of_several(&counter, number)));
    counter
}

fn of(number: u64) -> Filter {
    Filter { aspid: Some(asp(number)), ..Filter::default() }
}

/// The entries of one ASP, in pages.
fn found(counter: &Counter, number: u64, order: Order) -> Vec<Recorded> {
    let (reader, mut found, mut after) = (counter.reader(), Vec::new(), None);
    loop {
        let page = reader.entries(&of(number), order, after, 999).unwrap();
        found.extend(page.entries);
        after = Some(page.reached);
        if !page.more {
            return found;
        }
    }
}

/// A copy of the database, under this name, and of its log as they are at this moment: as after `kill -9`.
fn killed(counter: &Counter, database: &str) -> Counter {
    let copy = Counter::new();
    std::fs::create_dir(copy.path().parent().unwrap()).unwrap();
    for (from, to) in [(database, "sandbox.sqlite"), ("sandbox.sqlite-wal", "sandbox.sqlite-wal")] {
        let _ = std::fs::copy(counter.path().with_file_name(from), copy.path().with_file_name(to));
    }
    copy
}

fn head_row(counter: &Counter) -> u64 {
    let file = Connection::open(counter.path()).unwrap();
    file.query_row("SELECT seq FROM head", [], |row| row.get::<_, i64>(0)).unwrap().unsigned_abs()
}

/// Everything a reader tells agrees with `calls` entries.
fn agrees(counter: &Counter, calls: u64) {
    let reader = counter.reader();
    assert_eq!(reader.head().unwrap().seq, calls);
    assert_eq!(reader.charged(&asp(1)).unwrap(), calls);
    for by in [&[][..], &[By::Asp, By::Day, By::Api]] {
        let groups = reader.summary(&Filter::default(), by).unwrap();
        assert_eq!(groups.iter().map(|group| group.totals.calls).collect::<Vec<_>>(), [calls], "{by:?}");
    }
    let day = "2026-11-22".parse().unwrap();
    let page = reader.daily_summary(&asp(1), (day, day), None, 10).unwrap();
    assert_eq!(page.groups.iter().map(|group| group.totals.calls).collect::<Vec<_>>(), [calls]);
    let within = Filter { from: Some(counter.now()), ..of(1) };
    assert_eq!(counter.found(&within).len() as u64, calls);
    let verified = reader.verify(None, |finding| panic!("{finding}"), |_| {}).unwrap();
    assert_eq!(verified.entries, calls);
}

#[test]
fn what_the_sums_do_not_take_in_yet_readers_add_and_the_next_writer_makes_up_for() {
    let counter = Counter::new();
    let (writer, witness) = counter.start();
    let began = Instant::now();
    let mut calls = 0;
    // The first group brings them up to date; within a second after that, a group leaves them behind.
    let copy = loop {
        assert!(began.elapsed() < Duration::from_secs(30), "no group left the sums behind");
        let last = writer.submit(counter.a_call(), Release::Held);
        witness.wait(|told| told.committed == last);
        calls += 1;
        let copy = killed(&counter, "sandbox.sqlite");
        if head_row(&copy) < calls {
            break copy;
        }
    };
    agrees(&copy, calls);
    agrees(&counter, calls);
    // Nobody calls any more: the writer comes to it by itself.
    while head_row(&counter) < calls {
        assert!(began.elapsed() < Duration::from_secs(60), "the sums stay behind");
        std::thread::sleep(Duration::from_millis(20));
    }
    writer.stop().unwrap();
    assert_eq!(writer.figures().failures, 0);
    agrees(&counter, calls);

    let opening = copy.open().unwrap().opening().unwrap();
    assert_eq!(opening.asps[&asp(1)].prepaid_units, calls);
    assert_eq!(head_row(&copy), calls);
    agrees(&copy, calls);
    copy.written([copy.a_call()]);
    agrees(&copy, calls + 1);
}

#[test]
fn sums_that_cannot_be_brought_up_wait_for_the_next_group() {
    let counter = Counter::new();
    let (writer, witness) = counter.start();
    let began = Instant::now();
    let away = counter.path().with_file_name("away");
    let mut calls = 0;
    loop {
        assert!(began.elapsed() < Duration::from_secs(30), "no group left the sums behind");
        let last = writer.submit(counter.a_call(), Release::Held);
        witness.wait(|told| told.committed == last);
        calls += 1;
        std::fs::rename(counter.path(), &away).unwrap();
        if head_row(&killed(&counter, "away")) < calls {
            break;
        }
        std::fs::rename(&away, counter.path()).unwrap();
    }
    while writer.figures().failures == 0 {
        assert!(began.elapsed() < Duration::from_secs(60), "it did not try");
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(writer.figures().failures, 1, "it tries again and again");
    std::fs::rename(&away, counter.path()).unwrap();
    let last = writer.submit(counter.a_call(), Release::Held);
    witness.wait(|told| told.committed == last);
    writer.stop().unwrap();
    assert_eq!(head_row(&counter), calls + 1);
    agrees(&counter, calls + 1);
}

#[test]
fn entries_behind_the_head_must_follow_from_it() {
    for (how, seq) in [
        ("UPDATE entry SET units = 9 WHERE seq = 25", 25),
        ("UPDATE entry SET units = 9 WHERE seq = 30", 30),
        ("UPDATE entry SET hash = zeroblob(32) WHERE seq = 30", 30),
    ] {
        let counter = Counter::new();
        counter.written((0..20).map(|_| counter.a_call()));
        let (writer, witness) = counter.start();
        for _ in 0..10 {
            let last = writer.submit(counter.a_call(), Release::Held);
            witness.wait(|told| told.committed == last);
        }
        let copy = killed(&counter, "sandbox.sqlite");
        let file = Connection::open(copy.path()).unwrap();
        // As if the sums had not come so far, whenever they did.
        file.execute_batch(
            "UPDATE head SET (seq, hash) = (SELECT seq, hash FROM entry WHERE seq = 20);
             UPDATE usage SET calls = 20, admitted = 20, units = 20, prepaid_units = 20, bytes_out = 20 * 1234,
             gstn_us = 20 * 41000, total_us = 20 * 41250; UPDATE account SET prepaid_units = 20;
             UPDATE quarter SET last_seq = 20",
        )
        .unwrap();
        agrees(&copy, 30);
        file.execute_batch(how).unwrap();
        drop(file);
        let mut findings = Vec::new();
        copy.reader().verify(None, |finding| findings.push(finding), |_| {}).unwrap();
        assert_eq!(findings[0].seq(), Some(seq), "{how}: {findings:?}");
        assert!(findings.iter().any(|finding| finding.kind() == "head"), "{how}: {findings:?}");
        assert!(copy.open().is_err(), "{how}");
    }
}

#[test]
fn the_entries_of_an_asp_are_found_wherever_they_stand() {
    let counter = many();
    let all = counter.all();
    for number in 1..=4 {
        let expected: Vec<_> =
            all.iter().filter(|recorded| recorded.entry.aspid == Some(asp(number))).cloned().collect();
        assert_eq!(found(&counter, number, Order::OldestFirst), expected);
        let mut backwards = found(&counter, number, Order::NewestFirst);
        backwards.reverse();
        assert_eq!(backwards, expected);
        let errors = counter.reader().summary(&of(number), &[By::Error]).unwrap();
        assert_eq!(errors.iter().map(|group| group.totals.calls).sum::<u64>(), expected.len() as u64);
    }
}

#[test]
fn an_entry_that_would_not_be_found_is_told_by_verify() {
    let counter = many();
    let findings = || {
        let mut findings = Vec::new();
        counter.reader().verify(None, |finding| findings.push(finding), |_| {}).unwrap();
        findings.iter().map(Finding::to_string).collect::<Vec<_>>()
    };
    let file = Connection::open(counter.path()).unwrap();
    assert_eq!(findings(), [""; 0]);
    let stretches: i64 =
        file.query_row("SELECT count(DISTINCT stretch) FROM stretch", [], |row| row.get(0)).unwrap();
    assert_eq!(stretches, 2);
    file.execute_batch(
        "UPDATE stretch SET places = substr(places, 3) WHERE stretch = 1 AND aspid = '0000000002'",
    )
    .unwrap();
    let told = findings();
    assert_eq!(told.len(), 1);
    assert!(
        told[0].starts_with(
            "where the entries of ASP 0000000002 stand from 16384 to 32767 does not fit the entries"
        ),
        "{told:?}"
    );
    // Without a stretch, all is read.
    file.execute_batch("DELETE FROM stretch").unwrap();
    assert_eq!(findings(), [""; 0]);
    assert_eq!(found(&counter, 1, Order::OldestFirst).len() as u64, MANY / 4);
}

#[test]
fn a_ledger_from_before_there_were_stretches_is_read_and_brought_up_to_date() {
    let counter = many();
    let read = || (1..=3).map(|number| found(&counter, number, Order::OldestFirst)).collect::<Vec<_>>();
    let expected = read();
    let file = Connection::open(counter.path()).unwrap();
    let stretches = || {
        let mut read =
            file.prepare("SELECT stretch, aspid, places FROM stretch ORDER BY stretch, aspid").unwrap();
        let row = |row: &rusqlite::Row<'_>| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, Vec<u8>>(2)?))
        };
        read.query_map([], row).unwrap().collect::<Result<Vec<_>, _>>().unwrap()
    };
    let before = stretches();
    file.execute_batch(
        "DROP TABLE stretch; PRAGMA user_version = 1;
         CREATE INDEX entry_of_asp ON entry (aspid) WHERE aspid IS NOT NULL",
    )
    .unwrap();
    assert_eq!(read(), expected);
    counter.reader().verify(None, |finding| panic!("{finding}"), |_| {}).unwrap();
    drop(counter.open().unwrap());
    assert_eq!(stretches(), before);
    assert_eq!(read(), expected);
}

/// The writer leaves out the table's own checks: what it writes meets them all the same.
#[test]
fn what_is_written_meets_the_checks_of_the_table() {
    let counter = Counter::new();
    let odd = Entry {
        txn: Some("é".repeat(1_000)),
        appver: Some("nul\0nul".to_owned()),
        bytes_in: u64::MAX,
        bytes_out: u64::MAX,
        gstn_us: Some(u64::MAX),
        total_us: u64::MAX,
        units: u64::MAX,
        at: jiff::Timestamp::MIN,
        ..counter.a_call()
    };
    counter.written([counter.a_call(), odd]);
    let file = Connection::open(counter.path()).unwrap();
    let told = || file.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0)).unwrap();
    assert_eq!(told(), "ok");
    file.execute_batch("PRAGMA ignore_check_constraints = ON; UPDATE entry SET units = -1 WHERE seq = 1; PRAGMA ignore_check_constraints = OFF")
        .unwrap();
    assert_eq!(told(), "CHECK constraint failed in entry", "the checks are there");
    let refused = file.execute("UPDATE entry SET outcome = 'paid' WHERE seq = 2", []);
    assert!(refused.is_err(), "whoever else writes is held to them");
}
