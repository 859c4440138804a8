//! What became of every call, as an operator reads it: beside a running gateway, after it, and from a file that was tampered
//! with.

use std::fs;

use gstn::Environment;
use serde_json::Value;

use crate::command::{Ended, Place, mode};

mod book;
mod follow;
mod proof;
mod size;
mod top;
mod trouble;

use book::{BEGIN, abandoned, call, one_of_each, refused_by_gstn, stranger};

/// The objects that a command prints, one a line.
fn objects(ended: &Ended) -> Vec<Value> {
    ended.succeeds();
    ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The numbers of the entries that `suvidha ledger …` shows.
fn seqs(place: &Place, line: &str) -> Vec<u64> {
    objects(&place.run(&format!("ledger {line} --json")))
        .iter()
        .map(|row| row["seq"].as_u64().unwrap())
        .collect()
}

#[test]
fn every_form_tells_the_same() {
    let place = Place::new();
    book::write(&place, one_of_each());
    let printed = |line: &str| {
        let ended = place.run(line);
        ended.succeeds();
        ended.out
    };
    let told = [
        "ledger tail",
        "ledger list --format json",
        "ledger export",
        "ledger summary --month 2026-11",
        "ledger summary --month 2026-11 --by error --format csv",
        "ledger summary --since 2026-11-22 --by asp --format json",
    ]
    .map(|line| format!("$ suvidha {line}\n{}\n", printed(line).replace('\r', "\\r")));
    insta::assert_snapshot!(told.concat());

    let escape = '\u{1b}';
    assert!(!printed("ledger tail").contains(escape), "a terminal would obey a stranger");
    assert_eq!(printed("ledger export --format json"), printed("ledger list --oldest-first --json"));
    assert_eq!(printed("ledger tail -n 4 --format csv"), printed("ledger export --format csv"));
}

#[test]
fn entries_are_found_by_what_is_known_of_them() {
    let place = Place::new();
    book::write(&place, [call(1), refused_by_gstn(2), stranger(3), abandoned(4), call(5)]);
    let id = call(5).id;
    for (filter, expected) in [
        ("", vec![5, 4, 3, 2, 1]),
        ("--asp 1234567890", vec![5, 2, 1]),
        ("--asp 2222222222", vec![4]),
        ("--gstin 29AAPFU0939F1ZR", vec![2]),
        ("--api taxpayerapi/returns/gstr1", vec![5, 4, 2, 1]),
        ("--api commonapi", vec![3]),
        ("--action B2B", vec![2]),
        ("--error GSP602", vec![3]),
        ("--origin gstn", vec![2]),
        ("--outcome abandoned", vec![4]),
        ("--status 200", vec![5, 2, 1]),
        ("--txn TXN0005", vec![5]),
        (&format!("--request-id {id}"), vec![5]),
        ("--since 2026-11-22T10:15:34.123456+05:30", vec![5, 4]),
        ("--until 2026-11-22T04:45:33.123456Z", vec![2, 1]),
        ("--since 2026-11-22 --until 2026-11-22", vec![5, 4, 3, 2, 1]),
        ("--until 2026-11-21", vec![]),
        ("--asp 1234567890 --outcome answered --action RETSAVE", vec![5, 1]),
    ] {
        assert_eq!(seqs(&place, &format!("list {filter}")), expected, "{filter}");
    }
    assert_eq!(seqs(&place, "tail -n 2 --asp 1234567890"), [2, 5]);
    assert_eq!(seqs(&place, "export --origin gsp"), [3]);
}

#[test]
fn a_list_goes_on_where_it_ended() {
    let place = Place::new();
    book::write(&place, (1..=25).map(call));
    let page = place.run("ledger list --limit 10");
    assert_eq!(page.out.lines().count(), 11);
    assert!(page.err.contains("--cursor 16"), "{}", page.err);
    assert_eq!(seqs(&place, "list --limit 10 --cursor 16"), (6..=15).rev().collect::<Vec<_>>());
    let last = place.run("ledger list --limit 10 --cursor 6");
    assert_eq!((last.out.lines().count(), last.err.as_str()), (6, ""));
    assert_eq!(seqs(&place, "list --oldest-first --limit 3 --cursor 20"), [21, 22, 23]);
    assert_eq!(seqs(&place, "tail"), (16..=25).collect::<Vec<_>>());
    assert_eq!(seqs(&place, "tail -n 0"), [0; 0]);
}

#[test]
fn an_export_is_there_whole_or_not_at_all() {
    let place = Place::new();
    book::write(&place, one_of_each());
    let csv = place.run("ledger export").out;
    place.write("calls.csv", "of yesterday");
    place.run("ledger export --out calls.csv").succeeds();
    assert_eq!(fs::read_to_string(place.path("calls.csv")).unwrap(), csv);
    assert_eq!(mode(&place.path("calls.csv")), 0o600);
    assert_eq!(place.json("ledger export --out calls.jsonl --asp 1234567890")["entries"], 2);
    assert_eq!(
        fs::read_to_string(place.path("calls.jsonl")).unwrap(),
        place.run("ledger export --json --asp 1234567890").out
    );

    place.run("ledger export --out nowhere/calls.csv").fails(73, "nowhere/calls.csv");
    place.run("ledger export --out suvidha-data").fails(73, "no ordinary file");
    place.run("ledger export --out /dev/null").fails(73, "no ordinary file");
    place.run("ledger export --format parquet").fails(64, "--out FILE");
    place.run("ledger tail --format parquet").fails(64, "parquet");
    let left: Vec<_> = fs::read_dir(place.path(".")).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(left.len(), 3, "{left:?}");
}

#[test]
fn parquet_has_real_types() {
    use parquet::basic::{LogicalType, TimeUnit, Type};
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::RowAccessor;

    let place = Place::new();
    book::write(&place, one_of_each());
    place.run("ledger export --out calls.parquet").succeeds();
    let file = SerializedFileReader::new(fs::File::open(place.path("calls.parquet")).unwrap()).unwrap();
    let schema = file.metadata().file_metadata().schema_descr();
    let column = |name: &str| schema.columns().iter().find(|column| column.name() == name).unwrap();
    assert_eq!(column("at").logical_type_ref(), Some(&LogicalType::timestamp(true, TimeUnit::MICROS)));
    assert_eq!(column("txn").logical_type_ref(), Some(&LogicalType::String));
    assert_eq!(
        (column("units").physical_type(), column("admitted").physical_type()),
        (Type::INT64, Type::BOOLEAN)
    );

    let place_of = |name: &str| schema.columns().iter().position(|column| column.name() == name).unwrap();
    let rows: Vec<_> = file.get_row_iter(None).unwrap().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 4);
    let begin: jiff::Timestamp = BEGIN.parse().unwrap();
    assert_eq!(rows[0].get_timestamp_micros(place_of("at")).unwrap(), begin.as_microsecond() + 1_000_000);
    assert_eq!(rows[0].get_long(place_of("gstn_us")).unwrap(), 41_000);
    assert_eq!(rows[2].get_string(place_of("txn")).unwrap(), "=1+1,\"\u{1b}[2J\"");
    assert_eq!(rows[3].get_string(place_of("request_id")).unwrap(), &abandoned(4).id.to_string());
    assert!(
        rows[2].get_string(place_of("gstin")).is_err() && rows[2].get_long(place_of("gstn_us")).is_err(),
        "null"
    );
    assert!(!rows[2].get_bool(place_of("admitted")).unwrap());
}

#[test]
fn each_environment_has_a_ledger_of_its_own() {
    let place = Place::new();
    book::write(&place, [call(1)]);
    let production = book::open(&place, Environment::Production);
    assert_eq!(seqs(&place, "list"), [1]);
    assert_eq!(seqs(&place, "list --environment production"), [0; 0]);
    production.stop().unwrap();
    place.write(
        "suvidha.toml",
        "[ledger]\ndirectory = \"suvidha-data/ledger\"\n[environments.sandbox]\nlisten = 1\n",
    );
    assert_eq!(seqs(&place, "list --config suvidha.toml"), [1], "a fault elsewhere does not matter");
    assert_eq!(seqs(&place, "list --data suvidha-data"), [1]);
}
