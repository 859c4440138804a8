//! The proof that nothing was changed, as an operator runs it: on a whole ledger, on one that was tampered with, and beside a
//! gateway.

use gstn::Environment::Sandbox;
use serde_json::Value;

use super::book::{self, call};
use super::trouble::sql;
use crate::command::{Ended, Place};

/// What `suvidha ledger verify --json` prints: the findings, and the last line.
fn printed(ended: &Ended) -> (Vec<Value>, Value) {
    let mut lines: Vec<Value> = ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let verdict = lines.pop().unwrap();
    (lines, verdict)
}

fn written(calls: u32) -> Place {
    let place = Place::new();
    book::write(&place, (1..=calls).map(call));
    place
}

#[test]
fn a_whole_ledger_is_proven_and_its_head_proves_it_later() {
    let place = written(20);
    let ended = place.run("ledger verify");
    ended.succeeds();
    let head = ended.out.lines().find_map(|line| line.strip_prefix("head")).unwrap().trim().to_owned();
    assert!(head.starts_with("20:") && head.len() == 3 + 64, "{head}");
    assert_eq!(ended.err, "", "progress is for terminals");
    book::write(&place, (21..=30).map(call));
    let verdict = place.json(&format!("ledger verify --head {head}"));
    assert_eq!((&verdict["findings"], &verdict["entries"]), (&0.into(), &30.into()));
    assert_ne!(verdict["head"], head);
}

#[test]
fn a_changed_entry_is_named_with_its_request_id() {
    let place = written(20);
    sql(&place, "UPDATE entry SET units = 0 WHERE seq = 7");
    let ended = place.run("ledger verify");
    ended.fails(65, "is not as it was written");
    let id = call(7).id.to_string();
    assert!(ended.out.contains(&format!("entry 7 ({id}) was changed")), "{}", ended.out);
    assert!(!ended.out.contains("note the head"), "a head of this would prove nothing: {}", ended.out);

    let ended = place.run("ledger verify --json");
    let (findings, verdict) = printed(&ended);
    assert_eq!((&findings[0]["finding"], &findings[0]["seq"]), (&"changed".into(), &7.into()));
    assert_eq!(findings[0]["request_id"], id);
    assert_eq!(verdict["findings"], findings.len());
    let told: Value = serde_json::from_str(&ended.err).unwrap();
    assert_eq!(told["error"]["exit_code"], 65);
}

#[test]
fn removed_inserted_and_moved_entries_are_named() {
    for (tampering, said) in [
        ("DELETE FROM entry WHERE seq = 7", "entry 7 was removed"),
        ("DELETE FROM entry WHERE seq > 15", "entries 16 to 20 were removed"),
        (
            "UPDATE entry SET seq = 100 WHERE seq = 7; UPDATE entry SET seq = 7 WHERE seq = 8; UPDATE entry SET seq = 8 WHERE seq = 100",
            "was moved",
        ),
    ] {
        let place = written(20);
        sql(&place, tampering);
        let ended = place.run("ledger verify");
        ended.fails(65, "is not as it was written");
        assert!(ended.out.contains(said), "{tampering}: {}", ended.out);
    }
}

#[test]
fn a_ledger_written_anew_is_told_by_the_head_that_was_noted() {
    let noted = written(20).json("ledger verify")["head"].as_str().unwrap().to_owned();
    let forged = Place::new();
    let mut entries: Vec<_> = (1..=20).map(call).collect();
    entries[4].units = 0;
    book::write(&forged, entries);
    forged.run("ledger verify").succeeds();
    let ended = forged.run(&format!("ledger verify --head {noted}"));
    ended.fails(65, "1 finding");
    assert!(ended.out.contains("was written anew"), "{}", ended.out);

    let short = written(10).run(&format!("ledger verify --head {noted}"));
    short.fails(65, "1 finding");
    assert!(short.out.contains("the end was cut off"), "{}", short.out);
}

#[test]
fn it_is_proven_beside_a_writer() {
    let place = written(20);
    let writer = book::open(&place, Sandbox);
    let writing = std::thread::spawn(move || {
        for number in 21..=3_000 {
            writer.submit(call(number), suvidha_store::ledger::Release::Done);
        }
        writer.stop().unwrap();
    });
    while !writing.is_finished() {
        place.run("ledger verify").succeeds();
    }
    writing.join().unwrap();
    assert_eq!(place.json("ledger verify")["entries"], 3_000);
}
