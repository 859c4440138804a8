//! Those who follow a ledger see each call once, whatever the gateway goes through meanwhile.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use gstn::Environment::Sandbox;
use serde_json::Value;

use super::book::{self, call};
use super::seqs;
use crate::command::{PATIENCE, Place, get};

/// A `suvidha ledger tail --follow`, and what it has printed.
struct Following {
    child: Child,
    out: PathBuf,
    err: PathBuf,
}

impl Following {
    fn start(place: &Place, options: &str) -> Self {
        let (out, err) = (place.path("followed"), place.path("follower-says"));
        let mut command = place.command(&format!("ledger tail --follow {options}"));
        let file = |path| Stdio::from(File::create(path).unwrap());
        let child = command.stdin(Stdio::null()).stdout(file(&out)).stderr(file(&err)).spawn().unwrap();
        Self { child, out, err }
    }

    fn printed(&self) -> String {
        fs::read_to_string(&self.out).unwrap()
    }

    fn wait(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        while !done(self) {
            let ended = self.child.try_wait().unwrap();
            let said = fs::read_to_string(&self.err).unwrap();
            assert!(
                ended.is_none() && start.elapsed() < PATIENCE,
                "{what}: {ended:?} {said} {}",
                self.printed()
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn wait_for_lines(&mut self, lines: usize) -> Vec<Value> {
        self.wait(&format!("{lines} lines"), |this| this.printed().matches('\n').count() >= lines);
        self.printed().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn wait_for_words(&mut self, words: &str) {
        self.wait(words, |this| fs::read_to_string(&this.err).unwrap().contains(words));
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Searches a taxpayer as the demo ASP, under this transaction id; the request id of the answer's entry is not in the body.
fn search(ready: &Value, txn: &str) {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let gstin = text(&ready["taxpayer"]["gstin"]);
    let url =
        format!("{}/commonapi/v1.1/search?action=TP&gstin={gstin}", text(&ready["environments"]["sandbox"]));
    let header = format!("x-ct-auth-token: {}\r\ntxn: {txn}", text(&ready["asp"]["token"]));
    assert_eq!(get(&url, &header).0, 200);
}

#[test]
fn every_call_is_seen_once_while_gateways_come_and_go() {
    let place = Place::new();
    let (server, ready) = place.start_ready("up --listen 127.0.0.1:0");
    search(&ready, "FIRST1");
    let mut following = Following::start(&place, "--json --api commonapi");
    let seen = following.wait_for_lines(1);
    assert_eq!((&seen[0]["txn"], &seen[0]["outcome"]), (&"FIRST1".into(), &"answered".into()));
    assert_eq!(seen[0]["aspid"], ready["asp"]["aspid"]);
    search(&ready, "SECOND");
    following.wait_for_lines(2);
    server.stop();

    let (mut server, ready) = place.start_ready("up --listen 127.0.0.1:0");
    search(&ready, "THIRD3");
    following.wait_for_lines(3);
    server.signal("KILL");
    server.wait();
    let (server, ready) = place.start_ready("up --listen 127.0.0.1:0");
    search(&ready, "FOURTH");
    let seen = following.wait_for_lines(4);
    let txns: Vec<_> = seen.iter().map(|row| row["txn"].as_str().unwrap()).collect();
    assert_eq!(txns, ["FIRST1", "SECOND", "THIRD3", "FOURTH"]);
    server.stop();

    let found = place.run("ledger list --txn THIRD3 --json").json();
    assert_eq!(found, seen[2]);
    assert!(place.run("ledger tail").out.contains(seen[3]["request_id"].as_str().unwrap()));
    place.run("ledger verify").succeeds();
}

#[test]
fn a_ledger_that_is_gone_for_a_while_is_waited_for() {
    let place = Place::new();
    book::write(&place, (1..=3).map(call));
    let mut following = Following::start(&place, "--json -n 1");
    following.wait_for_lines(1);
    let ledger = book::path(&place, Sandbox);
    let away = place.path("away.sqlite");
    fs::rename(&ledger, &away).unwrap();
    following.wait_for_words("there is no ledger of sandbox");
    fs::rename(&away, &ledger).unwrap();
    following.wait_for_words("can be read again");
    book::write(&place, [call(4)]);
    let seen = following.wait_for_lines(2);
    assert_eq!((&seen[0]["seq"], &seen[1]["seq"]), (&3.into(), &4.into()));

    fs::remove_dir_all(place.path("suvidha-data/ledger")).unwrap();
    book::write(&place, [call(9)]);
    let seen = following.wait_for_lines(3);
    assert_eq!(
        (&seen[2]["seq"], &seen[2]["txn"]),
        (&1.into(), &"TXN0009".into()),
        "a new ledger, from its beginning"
    );
    assert_eq!(seqs(&place, "tail"), [1]);
}

#[test]
fn whoever_stops_reading_ends_it() {
    let place = Place::new();
    let writer = book::open(&place, Sandbox);
    let mut child = place.command("ledger tail --follow --json").stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let start = Instant::now();
    let mut number = 0;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        assert!(start.elapsed() < PATIENCE, "it goes on writing to nobody");
        number += 1;
        writer.submit(call(number), suvidha_store::ledger::Release::Done);
        thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(status.code(), Some(0));
    writer.stop().unwrap();
}
