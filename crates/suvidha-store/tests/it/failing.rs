//! A ledger that cannot be written for a while, or any more.

use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use gstn::Environment::{Production, Sandbox};
use gstn::catalogue::Origin;
use rusqlite::Connection;
use suvidha_store::ledger::{
    ConsentChange, Entry, Filter, Health, Ledger, LedgerError, LedgerReader, Months, Order, Outcome, Release,
};

use crate::counter::{Counter, Witness, asp};

#[test]
fn a_second_writer_is_refused_by_name_of_the_file_and_the_first_ones_process() {
    let counter = Counter::new();
    let (writer, witness) = counter.start();
    let refused = counter.open().err().unwrap();
    assert_eq!(
        refused.to_string(),
        format!(
            "{} is held by another gateway (process {}); a ledger has one writer: stop the other one, or give this one \
             a directory of its own",
            counter.path().canonicalize().unwrap().display(),
            std::process::id()
        )
    );
    let link = counter.directory.path().join("link.sqlite");
    std::os::unix::fs::symlink(counter.path(), &link).unwrap();
    let refused = Ledger::open(&link, Sandbox, counter.seam()).err().unwrap();
    assert!(matches!(refused, LedgerError::Held { .. }), "{refused}");
    let hard_link = counter.directory.path().join("hard-link.sqlite");
    std::fs::hard_link(counter.path(), &hard_link).unwrap();
    let refused = Ledger::open(&hard_link, Sandbox, counter.seam()).err().unwrap();
    assert!(matches!(refused, LedgerError::Linked { .. }), "{refused}");
    let ticket = writer.submit(counter.a_call(), Release::Held);
    witness.wait(|told| told.committed >= ticket);
    writer.stop().unwrap();
    std::fs::remove_file(hard_link).unwrap();
    counter.open().unwrap();
}

/// Whoever tidies up takes the lock away, and another gateway starts: one of the two writes, and no entry twice.
#[test]
fn without_its_lock_a_ledger_still_has_one_chain() {
    let counter = Counter::new();
    let (first, of_first) = counter.start();
    std::fs::remove_file(counter.path().with_file_name("sandbox.sqlite.lock")).unwrap();
    let (second, of_second) = counter.start();
    let ticket = first.submit(counter.a_call(), Release::Held);
    of_first.wait(|told| told.committed >= ticket);
    second.submit(counter.a_call(), Release::Held);
    of_second.wait(|told| !told.failed.is_empty());
    let ticket = first.submit(counter.a_call(), Release::Held);
    of_first.wait(|told| told.committed >= ticket);
    second.stop().unwrap_err();
    first.stop().unwrap();
    let verified = counter.reader().verify(None, |finding| panic!("{finding}"), |_| {}).unwrap();
    assert_eq!(verified.entries, 2);
}

/// Also while months are removed.
#[test]
fn beside_a_writer_at_full_speed_there_are_no_findings() {
    let counter = Counter::new();
    let days =
        ["2026-08-31T18:29:59Z", "2026-09-30T18:29:59Z", "2026-10-31T18:29:59Z", "2026-11-22T10:00:00Z"];
    let call = |day: &str, number: u64| Entry {
        at: day.parse().unwrap(),
        aspid: Some(asp(1 + number % 3)),
        units: number % 4,
        ..counter.a_call()
    };
    counter.written((0..6_000).map(|number| call(days[usize::from(number >= 3_000)], number)));
    let noted = counter.reader().head().unwrap();
    let one = Months(NonZeroU16::new(1).unwrap());
    let writer = counter.open().unwrap().start(Duration::ZERO, Some(one), Arc::<Witness>::default()).unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            for number in 0_u64.. {
                if done.load(std::sync::atomic::Ordering::Relaxed) {
                    break;
                }
                // Calls that end out of order, on either side of midnight and of the month.
                writer.submit(call(days[2 + (number % 7 == 0) as usize], number), Release::Done);
                if writer.queued() > 500 {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        });
        let (mut rounds, mut removed) = (0, false);
        while rounds < 5 || !removed {
            let mut findings = Vec::new();
            let verified = counter.reader().verify(Some(noted), |f| findings.push(f.to_string()), |_| {});
            if verified.is_err() || !findings.is_empty() || rounds > 2_000 {
                done.store(true, std::sync::atomic::Ordering::Relaxed);
                panic!("round {rounds}: {findings:?} {verified:?}");
            }
            rounds += 1;
            removed = verified.unwrap().anchor.seq == 6_000;
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    writer.stop().unwrap();
    counter.reader().verify(Some(noted), |finding| panic!("{finding}"), |_| {}).unwrap();
}

#[test]
fn a_ledger_belongs_to_one_environment_and_one_program() {
    let counter = Counter::new();
    drop(counter.open().unwrap());
    let refused = Ledger::open(&counter.path(), Production, counter.seam()).err().unwrap();
    assert!(refused.to_string().contains("is the ledger of sandbox, not of production"), "{refused}");

    let other = counter.directory.path().join("other.db");
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE recipe (x)").unwrap();
    let text = counter.directory.path().join("notes.txt");
    std::fs::write(&text, "a shopping list ".repeat(100)).unwrap();
    for path in [other, text] {
        let before = std::fs::read(&path).unwrap();
        let refused = Ledger::open(&path, Sandbox, counter.seam()).err().unwrap();
        assert!(matches!(refused, LedgerError::NotALedger { .. }), "{refused}");
        let refused = LedgerReader::open(&path).err().unwrap();
        assert!(matches!(refused, LedgerError::NotALedger { .. }), "{refused}");
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }
    let nowhere = counter.directory.path().join("nowhere.sqlite");
    let refused = LedgerReader::open(&nowhere).err().unwrap();
    assert!(matches!(refused, LedgerError::Missing { .. }), "{refused}");
    assert!(!nowhere.exists());
}

#[test]
fn every_file_of_a_ledger_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let counter = Counter::new();
    let (_writer, _) = counter.start();
    let directory = counter.directory.path().join("ledger");
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    let files: Vec<_> = std::fs::read_dir(&directory).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(files.len() >= 3, "database, log and lock at least: {files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

/// Somebody else locks the file: what was held back fails, what nobody waits for is written later, and calls that
/// come when it works again are written as if nothing had been.
#[test]
fn what_cannot_be_written_is_told_kept_and_written_later() {
    let counter = Counter::new();
    let (writer, witness) = counter.start();
    let before = counter.a_call();
    let first = writer.submit(before.clone(), Release::Held);
    witness.wait(|told| told.committed == first);

    let other = Connection::open(counter.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (held, done) = (counter.a_call(), counter.a_call());
    writer.submit(held.clone(), Release::Held);
    writer.submit(done.clone(), Release::Done);
    let told = witness.wait(|told| !told.failed.is_empty());
    assert_eq!(told.committed, first, "nothing was committed meanwhile");
    let Health::Failed { since, reason } = writer.health() else { panic!("{:?}", writer.health()) };
    assert_eq!(since, counter.now());
    assert!(
        reason.ends_with("end it") && reason.contains("another program is holding the ledger"),
        "{reason}"
    );
    assert!(!writer.is_writing());

    // The two may have been tried together or one after the other.
    let second = writer.submit(counter.a_call(), Release::Held);
    let told = witness.wait(|told| told.failed.last().is_some_and(|(tickets, _)| *tickets.end() == second));
    let failed: Vec<_> = told.failed.iter().flat_map(|(_, held)| held.clone()).collect();
    assert_eq!(failed.len(), 2, "one that was done did not fail");
    assert_eq!(failed[0], held);
    let tickets: Vec<_> = told
        .failed
        .iter()
        .flat_map(|(tickets, _)| tickets.start().as_u64()..=tickets.end().as_u64())
        .collect();
    assert_eq!(tickets, [2, 3, 4]);

    other.execute_batch("COMMIT").unwrap();
    let last = writer.submit(counter.a_call(), Release::Held);
    witness.wait(|told| told.committed >= last);
    assert_eq!(writer.health(), Health::Writing);
    assert!(writer.figures().failures > 0);
    let written: Vec<_> = counter.all().into_iter().map(|recorded| recorded.entry).collect();
    let unrecorded = Entry {
        outcome: Outcome::Unrecorded,
        status: Some(503),
        error_cd: Some("GSP644".to_owned()),
        origin: Some(Origin::Gsp),
        units: 0,
        ..held
    };
    assert_eq!(written.len(), 5);
    assert_eq!(written[..3], [before, unrecorded, done]);
    assert_eq!(written[3].outcome, Outcome::Unrecorded);
    assert_eq!(written[4].outcome, Outcome::Answered);
    assert_eq!(counter.reader().charged(&asp(1)).unwrap(), 3);
    assert_eq!(counter.reader().verify(None, |finding| panic!("{finding}"), |_| {}).unwrap().entries, 5);
}

/// What would else be a constraint nobody can meet, for ever.
#[test]
fn no_entry_is_refused_for_its_contents() {
    let counter = Counter::new();
    let (long, accents) = (Some("x".repeat(1_000)), Some("é".repeat(1_000)));
    let monster = Entry {
        txn: accents.clone(),
        gstin: accents.clone(),
        ip_usr: long.clone(),
        appver: Some("nul\0nul".to_owned()),
        method: long.clone(),
        api: accents.clone(),
        action: long.clone(),
        version: long.clone(),
        error_cd: long,
        status: Some(u16::MAX),
        bytes_in: u64::MAX,
        bytes_out: u64::MAX,
        gstn_us: Some(u64::MAX),
        total_us: u64::MAX,
        units: u64::MAX,
        at: jiff::Timestamp::MIN,
        consent: Some(ConsentChange::Ended { gstin: "é".repeat(99), username: accents.unwrap() }),
        ..counter.a_call()
    };
    counter.written([
        monster.clone(),
        Entry { at: jiff::Timestamp::MAX, ..monster.clone() },
        counter.a_call(),
    ]);
    let all = counter.all();
    assert_eq!(all.len(), 3);
    assert_eq!(all[0].entry.txn.as_deref(), Some("é".repeat(64).as_str()));
    assert_eq!(all[0].entry.appver.as_deref(), Some("nul\0nul"));
    counter.reader().verify(None, |finding| panic!("{finding}"), |_| {}).unwrap();
    counter
        .reader()
        .daily_summary(&asp(1), (jiff::civil::Date::MIN, jiff::civil::Date::MAX), None, 10)
        .unwrap();
}

#[test]
fn another_ledger_in_the_place_of_the_first_is_not_written_to() {
    let (counter, other) = (Counter::new(), Counter::new());
    other.written([other.a_call()]);
    let (writer, witness) = counter.start();
    for name in ["sandbox.sqlite", "sandbox.sqlite-wal", "sandbox.sqlite-shm"] {
        let _ = std::fs::remove_file(counter.path().with_file_name(name));
    }
    std::fs::copy(other.path(), counter.path()).unwrap();
    writer.submit(counter.a_call(), Release::Held);
    witness.wait(|told| !told.failed.is_empty());
    let refused = writer.stop().unwrap_err().to_string();
    assert!(refused.starts_with("1 entries could not be written to the ledger: "), "{refused}");
    assert_eq!(counter.all(), other.all());
}

#[test]
fn a_page_that_was_overwritten_is_found_at_the_latest_by_verify() {
    let counter = Counter::new();
    counter.written((0..2_000).map(|_| counter.a_call()));
    let mut bytes = std::fs::read(counter.path()).unwrap();
    let middle = bytes.len() / 4096 / 2 * 4096;
    bytes[middle..middle + 4096].fill(0xaa);
    std::fs::write(counter.path(), &bytes).unwrap();
    let mut findings = Vec::new();
    counter.reader().verify(None, |finding| findings.push(finding), |_| {}).unwrap();
    assert!(!findings.is_empty());

    for page in bytes.chunks_mut(4096).skip(1) {
        page.fill(0xaa);
    }
    std::fs::write(counter.path(), &bytes).unwrap();
    let refused = counter.open().err().unwrap().to_string();
    assert!(refused.contains("is damaged: SQLite finds it corrupt"), "{refused}");
    assert!(refused.contains("Keep a copy of the file as it is"), "{refused}");
}

/// The files as they are at a moment in which the gateway dies, or the power fails and the end of the log is torn.
#[test]
fn what_was_told_committed_survives_whatever_happens_to_the_end_of_the_log() {
    let counter = Counter::new();
    let (writer, witness) = counter.start();
    for _ in 0..10 {
        let last = writer.submit(counter.a_call(), Release::Held);
        witness.wait(|told| told.committed == last);
    }
    let (database, log) = (counter.path(), counter.path().with_file_name("sandbox.sqlite-wal"));
    let (database, log) = (std::fs::read(database).unwrap(), std::fs::read(log).unwrap());
    assert!(!log.is_empty());
    for (cut, least) in [(0, 10), (1, 9), (100, 9), (log.len() / 2, 0), (log.len(), 0)] {
        let after = Counter::new();
        std::fs::create_dir(after.path().parent().unwrap()).unwrap();
        std::fs::write(after.path(), &database).unwrap();
        std::fs::write(after.path().with_file_name("sandbox.sqlite-wal"), &log[..log.len() - cut]).unwrap();
        if cut == log.len() {
            // Nothing but the empty database was ever brought from the log into the file.
            drop(after.open());
            continue;
        }
        let found = after.reader().entries(&Filter::default(), Order::OldestFirst, None, 100).unwrap();
        assert!(found.entries.len() >= least, "{cut}: {}", found.entries.len());
        after.written([after.a_call()]);
        let verified = after.reader().verify(None, |finding| panic!("{finding}"), |_| {}).unwrap();
        assert_eq!(verified.entries, found.entries.len() as u64 + 1);
        assert_eq!(after.reader().charged(&asp(1)).unwrap(), verified.entries);
    }
}

#[test]
fn what_was_tampered_with_is_not_removed_by_age() {
    for (how, kind) in [
        ("UPDATE entry SET txn = 'another' WHERE seq = 15", "changed"),
        ("DELETE FROM entry WHERE seq = 15", "removed"),
    ] {
        let counter = Counter::new();
        let old = || Entry { at: "2026-08-31T18:29:59Z".parse().unwrap(), ..counter.a_call() };
        counter.written((0..20).map(|_| old()).chain((0..70).map(|_| counter.a_call())));
        Connection::open(counter.path()).unwrap().execute_batch(how).unwrap();
        let witness = Arc::new(Witness::default());
        let one = Months(NonZeroU16::new(1).unwrap());
        let writer = counter.open().unwrap().start(Duration::ZERO, Some(one), witness.clone()).unwrap();
        let began = std::time::Instant::now();
        let told = loop {
            assert!(began.elapsed() < Duration::from_secs(30));
            assert_eq!(counter.reader().anchor().unwrap().seq, 0);
            match writer.figures().retention_failure {
                Some(told) => break told,
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        };
        assert!(told.contains("does not follow the one before it"), "{told}");
        let ticket = writer.submit(counter.a_call(), Release::Held);
        witness.wait(|told| told.committed >= ticket);
        writer.stop().unwrap();
        let mut kinds = Vec::new();
        counter.reader().verify(None, |finding| kinds.push(finding.kind()), |_| {}).unwrap();
        assert!(kinds.contains(&kind), "{kinds:?}");
    }
}

#[test]
fn old_months_are_removed_and_the_rest_still_verifies() {
    let counter = Counter::new();
    let noted = {
        let call = |at: &str| Entry { at: at.parse().unwrap(), ..counter.a_call() };
        let mut calls = Vec::new();
        for at in ["2026-08-31T18:29:59Z", "2026-09-30T18:29:00Z"] {
            calls.extend((0..700).map(|_| call(at)));
        }
        // Begun in September, ended in October.
        calls.extend([call("2026-10-05T00:00:00Z"), call("2026-09-30T18:29:59.999999Z")]);
        calls.extend((0..20).map(|_| call("2026-11-22T00:00:00Z")));
        counter.written(calls);
        counter.all()[1_401].head()
    };
    let witness = Arc::new(Witness::default());
    let one = Months(NonZeroU16::new(1).unwrap());
    let writer = counter.open().unwrap().start(Duration::ZERO, Some(one), witness.clone()).unwrap();
    let began = std::time::Instant::now();
    while counter.reader().anchor().unwrap().seq < 1_400 {
        assert!(began.elapsed() < Duration::from_secs(30));
        let ticket = writer.submit(counter.a_call(), Release::Held);
        witness.wait(|told| told.committed >= ticket);
        counter.reader().verify(Some(noted), |finding| panic!("{finding}"), |_| {}).unwrap();
    }
    writer.stop().unwrap();
    let verified = counter.reader().verify(Some(noted), |finding| panic!("{finding}"), |_| {}).unwrap();
    assert_eq!(verified.anchor.seq, 1_400, "all before the first entry of October, and nothing more");
    assert!(!verified.known_head_forgotten);
    assert_eq!(counter.all()[0].seq, 1_401);
    assert_eq!(counter.reader().charged(&asp(1)).unwrap(), verified.head.seq, "charges are for ever");
    let calls: u64 = counter
        .reader()
        .summary(&Filter::default(), &[])
        .unwrap()
        .iter()
        .map(|group| group.totals.calls)
        .sum();
    assert_eq!(calls, verified.entries);
}
