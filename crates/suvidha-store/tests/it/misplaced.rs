//! A ledger whose files are moved, deleted or exchanged while they are written: nothing may be written to where nobody will
//! look for it.

use std::fs;
use std::path::Path;

use suvidha_store::ledger::{Health, Outcome, Release, Writer};

use crate::counter::Counter;

fn reason(writer: &Writer) -> String {
    match writer.health() {
        Health::Failed { reason, .. } => reason,
        health => panic!("{health:?}"),
    }
}

#[test]
fn a_ledger_that_is_moved_away_is_noticed_and_goes_on_when_it_is_back() {
    let counter = Counter::new();
    let (writer, witness) = counter.start();
    let first = writer.submit(counter.a_call(), Release::Held);
    witness.wait(|told| told.committed == first);
    let (place, away) = (counter.directory.path().join("ledger"), counter.directory.path().join("away"));
    fs::rename(&place, &away).unwrap();
    let second = writer.submit(counter.a_call(), Release::Held);
    let told = witness.wait(|told| !told.failed.is_empty());
    assert_eq!(told.failed[0].0, second..=second);
    assert!(reason(&writer).contains("was moved or deleted; put the file back"), "{}", reason(&writer));
    assert!(!place.exists(), "nothing is made in its place");

    fs::rename(&away, &place).unwrap();
    let third = writer.submit(counter.a_call(), Release::Done);
    witness.wait(|told| told.committed == third);
    let outcomes: Vec<_> = counter.all().into_iter().map(|recorded| recorded.entry.outcome).collect();
    assert_eq!(outcomes, [Outcome::Answered, Outcome::Unrecorded, Outcome::Answered]);
}

#[test]
fn a_log_that_is_deleted_is_noticed_and_nothing_is_lost() {
    let counter = Counter::new();
    let (writer, witness) = counter.start();
    let first = writer.submit(counter.a_call(), Release::Held);
    witness.wait(|told| told.committed == first);
    fs::remove_file(counter.directory.path().join("ledger/sandbox.sqlite-wal")).unwrap();
    writer.submit(counter.a_call(), Release::Held);
    witness.wait(|told| !told.failed.is_empty());
    let third = writer.submit(counter.a_call(), Release::Done);
    witness.wait(|told| told.committed == third);
    writer.stop().unwrap();
    assert_eq!(counter.all().len(), 3);
}

#[test]
fn an_older_copy_in_its_place_is_not_written_to() {
    let counter = Counter::new();
    counter.written((0..3).map(|_| counter.a_call()));
    let in_directory = |name: &str| counter.directory.path().join(name);
    copy(&in_directory("ledger"), &in_directory("copy"));
    let (writer, witness) = counter.start();
    let first = writer.submit(counter.a_call(), Release::Held);
    witness.wait(|told| told.committed == first);
    fs::rename(in_directory("ledger"), in_directory("newer")).unwrap();
    fs::rename(in_directory("copy"), in_directory("ledger")).unwrap();
    let second = writer.submit(counter.a_call(), Release::Held);
    witness.wait(|told| !told.failed.is_empty());
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !reason(&writer).contains("does not end where this gateway left it") {
        assert!(std::time::Instant::now() < deadline, "{}", reason(&writer));
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert_eq!(counter.all().len(), 3);

    fs::rename(in_directory("ledger"), in_directory("copy")).unwrap();
    fs::rename(in_directory("newer"), in_directory("ledger")).unwrap();
    witness.wait(|told| told.committed == second);
    assert_eq!(counter.all().len(), 5);
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}
