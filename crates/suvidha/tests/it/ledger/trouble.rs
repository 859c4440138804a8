//! Ledgers that cannot be read, or are not what they were.

use std::fs;
use std::io::{Seek, SeekFrom, Write};

use gstn::Environment::Sandbox;
use rusqlite::Connection;

use super::book::{self, call};
use crate::command::Place;

const COMMANDS: [&str; 6] = [
    "ledger tail",
    "ledger list",
    "ledger summary --month 2026-11",
    "ledger export",
    "ledger verify",
    "top --once",
];

pub(super) fn sql(place: &Place, statements: &str) {
    Connection::open(book::path(place, Sandbox)).unwrap().execute_batch(statements).unwrap();
}

#[test]
fn what_is_no_ledger_is_told_by_every_command() {
    for command in COMMANDS {
        let place = Place::new();
        place.run(command).fails(78, "there is no ledger of sandbox at suvidha-data/ledger/sandbox.sqlite");
        assert!(!place.path("suvidha-data").exists(), "looking made a directory");
        place.run(&format!("{command} --data elsewhere")).fails(78, "elsewhere/ledger/sandbox.sqlite");

        book::write(&place, [call(1)]);
        fs::copy(book::path(&place, Sandbox), place.path("suvidha-data/ledger/production.sqlite")).unwrap();
        place
            .run(&format!("{command} --environment production"))
            .fails(78, "is the ledger of sandbox, not of production");
        sql(&place, "PRAGMA user_version = 99");
        place.run(command).fails(78, "use the newer program");
        fs::remove_dir_all(place.path("suvidha-data/ledger")).unwrap();
        fs::create_dir(place.path("suvidha-data/ledger")).unwrap();
        place.write(
            "suvidha-data/ledger/sandbox.sqlite",
            "Dear diary, this is no database, however long it may become. ",
        );
        place.run(command).fails(78, "is not a Suvidha ledger");
    }
}

#[test]
fn a_damaged_page_is_told_and_nothing_is_made_up() {
    let place = Place::new();
    book::write(&place, (1..=2_000).map(call));
    let path = book::path(&place, Sandbox);
    sql(&place, "PRAGMA wal_checkpoint(TRUNCATE)");
    let length = fs::metadata(&path).unwrap().len();
    let mut file = fs::File::options().write(true).open(&path).unwrap();
    file.seek(SeekFrom::Start(length / 2 / 4096 * 4096)).unwrap();
    file.write_all(&[0xff; 4096]).unwrap();
    let ended = place.run("ledger export");
    ended.fails(65, "is damaged");
    place.run("ledger export --out calls.csv").fails(65, "is damaged");
    assert!(!place.path("calls.csv").exists());
    place.run("ledger verify").fails(65, "");
}
