//! Answers and the ledger: who has a whole answer has an entry, and nothing is done that could not be written down.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Mutex;
use std::sync::mpsc;
use std::time::Duration;

use rusqlite::Connection;
use suvidha_gateway::config::{Config, Durability, Ledger};
use suvidha_gateway::{Gateway, StartError};
use suvidha_seam::Seam;
use suvidha_store::ledger::{LedgerError, LedgerReader, Outcome};

use crate::asp::NoAnswer;
use crate::stage::{self, Stage, request, soon, stage};
use crate::stand_in::{Act, StandIn, ok};

const PATH: &str = "/taxpayerapi/v4.1/returns/gstr1";
const LOGIN: &str = "/taxpayerapi/v1.0/authenticate";

/// Another program that holds the ledger locked, so that the gateway cannot write it.
pub(crate) struct Padlock(Connection);

impl Padlock {
    pub(crate) fn on(ledger: &Path) -> Self {
        let other = Connection::open(ledger).unwrap();
        other.busy_timeout(Duration::from_secs(10)).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        Self(other)
    }

    pub(crate) fn open(self) {
        self.0.execute_batch("ROLLBACK").unwrap();
    }
}

/// A GSTN that answers in every way there is, by the txn.
fn many_ways() -> StandIn {
    StandIn::new(|seen| {
        let head = "HTTP/1.1 200 OK\r\n";
        Act::Answer(match seen.header("txn").unwrap_or_default() {
            "CHUNKED" => format!("{head}transfer-encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n").into(),
            "LONG" => format!("{head}content-length: 200000\r\n\r\n{}", " ".repeat(200_000)).into(),
            _ => ok(r#"{"status_cd":"1"}"#),
        })
    })
}

#[test]
fn whoever_has_a_whole_answer_has_an_entry() {
    let gstn = many_ways();
    let stage = stage(gstn.address);
    std::thread::scope(|asps| {
        for txn in ["WHOLE", "CHUNKED", "LONG", "REFUSED"] {
            let path = if txn == "REFUSED" { "/nowhere" } else { PATH };
            let call = stage.request("GET", path, &format!("txn: {txn}\r\n"), "");
            let (mut asp, ledger) = (stage.connect(), stage.ledger());
            asps.spawn(move || {
                for _ in 0..25 {
                    let answer = asp.send(&call).read();
                    let entry = stage::entry_in(&ledger, answer.header("x-request-id").unwrap());
                    assert_eq!(entry.txn.as_deref(), Some(txn));
                }
            });
        }
    });
    assert_eq!(stage.entries().len(), 100);
}

#[test]
fn an_old_client_too_gets_the_end_only_with_its_entry() {
    let gstn = many_ways();
    let stage = stage(gstn.address);
    for _ in 0..10 {
        let call = format!("GET {PATH} HTTP/1.0\r\nx-ct-auth-token: {}\r\ntxn: CHUNKED\r\n\r\n", stage.token);
        let answer = stage.exchange(call);
        assert_eq!(answer.text(), "{}");
        stage.entry(answer.header("x-request-id").unwrap());
    }
}

#[test]
fn what_gstn_answered_and_cannot_be_written_is_withheld() {
    for txn in ["WHOLE", "CHUNKED", "LONG"] {
        let gstn = many_ways();
        let stage = stage(gstn.address);
        let padlock = Padlock::on(&stage.ledger());
        let mut asp = stage.connect();
        let answer = asp.send(stage.request("GET", PATH, &format!("txn: {txn}\r\n"), "")).try_read(true);
        match answer {
            Ok(answer) if txn == "WHOLE" => {
                answer.is_refusal("GSP644", 503);
                assert_eq!(answer.json()["error"]["retryable"], false);
            }
            Err(NoAnswer::BrokenOff | NoAnswer::Closed) if txn != "WHOLE" => {}
            other => panic!("{txn}: {other:?}"),
        }
        let settled = crate::log::settled("request_id", &{
            padlock.open();
            assert!(soon(|| !stage.entries().is_empty()));
            stage.entries()[0].entry.id.to_string()
        });
        assert_eq!(
            (&settled[0]["outcome"], &settled[0]["error_cd"]),
            (&"unrecorded".into(), &"GSP644".into())
        );
        assert_eq!(settled[0]["units"], 0, "what could not be recorded is free");
        let entries = stage.entries();
        let entry = &entries[0].entry;
        assert_eq!((entries.len(), entry.outcome, entry.status), (1, Outcome::Unrecorded, Some(503)));
        assert_eq!((entry.txn.as_deref(), entry.units), (Some(txn), 0));
    }
}

#[test]
fn an_old_client_gets_no_whole_answer_that_cannot_be_written() {
    let gstn = many_ways();
    let stage = stage(gstn.address);
    let padlock = Padlock::on(&stage.ledger());
    let call = format!("GET {PATH} HTTP/1.0\r\nx-ct-auth-token: {}\r\ntxn: CHUNKED\r\n\r\n", stage.token);
    let answer = stage.connect().send(call).try_read(true);
    assert!(answer.is_err() || answer.unwrap().text() != "{}", "without an entry it must not be whole");
    padlock.open();
}

#[test]
fn nothing_is_done_while_the_ledger_cannot_be_written() {
    let gstn = StandIn::content();
    let stage = stage(gstn.address);
    let padlock = Padlock::on(&stage.ledger());
    stage.get(PATH, "").is_refusal("GSP644", 503);
    let refused = stage.get(PATH, "txn: REFUSED\r\n");
    refused.is_refusal("GSP643", 503);
    assert_eq!(
        (refused.header("retry-after"), refused.json()["error"]["retryable"].as_bool()),
        (Some("5"), Some(true))
    );
    stage.exchange(request("POST", "/aspapi/v1.0/getKey", "", "{}")).refuses_getkey("GSP643", 503);
    stage.exchange(request("GET", PATH, "", "")).is_refusal("GSP601", 401);
    let ready = stage.exchange(request("GET", "/readyz", "", ""));
    assert_eq!((ready.status, ready.text().as_str()), (503, "{\"status\":\"not-recording\"}"));
    assert_eq!(stage.exchange(request("GET", "/healthz", "", "")).status, 200);
    assert_eq!(gstn.seen().len(), 1, "what was refused has not reached GSTN");

    padlock.open();
    assert!(soon(|| stage.exchange(request("GET", "/readyz", "", "")).status == 200), "it goes on by itself");
    assert_eq!(stage.get(PATH, "").status, 200);
    let found: Vec<_> = stage.entries().into_iter().map(|recorded| recorded.entry).collect();
    let found: Vec<_> = found.iter().map(|entry| (entry.outcome, entry.error_cd.as_deref())).collect();
    let refused = |code| (Outcome::Refused, Some(code));
    assert_eq!(
        found,
        [
            (Outcome::Unrecorded, Some("GSP644")),
            refused("GSP643"),
            refused("GSP643"),
            refused("GSP601"),
            (Outcome::Answered, None)
        ],
        "nothing is dropped, and nothing is twice"
    );
}

#[test]
fn the_log_says_when_the_ledger_fails_and_when_it_goes_on() {
    let stage = stage(StandIn::content().address);
    let padlock = Padlock::on(&stage.ledger());
    stage.get(PATH, "").is_refusal("GSP644", 503);
    assert!(soon(|| crate::log::text().contains("holding the ledger")), "{}", stage.ledger().display());
    let line =
        crate::log::text().lines().find(|line| line.contains("holding the ledger")).unwrap().to_owned();
    assert!(line.contains("the ledger cannot be written") && line.contains("ERROR"), "{line}");
    padlock.open();
    assert!(soon(|| crate::log::text().contains("the ledger is being written again")));
}

#[test]
fn a_relaxed_answer_waits_for_nothing() {
    let gstn = StandIn::content();
    let stage = stage::set(gstn.address)
        .with(|config| config.ledger.as_mut().unwrap().durability = Durability::Relaxed)
        .start();
    let padlock = Padlock::on(&stage.ledger());
    // The first is taken while the writer does not know yet that it cannot write.
    assert_eq!(stage.get(PATH, "txn: FIRST\r\n").status, 200);
    assert!(soon(|| stage.get(PATH, "").status == 503), "what cannot be written is refused all the same");
    padlock.open();
    assert!(soon(|| stage.get(PATH, "txn: LAST\r\n").status == 200));
    assert!(soon(|| stage.entries().last().is_some_and(|last| last.entry.txn.as_deref() == Some("LAST"))));
    let first = &stage.entries()[0].entry;
    assert_eq!((first.txn.as_deref(), first.outcome), (Some("FIRST"), Outcome::Answered));
}

#[test]
fn durability_can_be_changed_while_running_and_the_place_cannot() {
    let gstn = StandIn::content();
    let stage = stage(gstn.address);
    let with = |change: &dyn Fn(&mut Ledger)| {
        let mut config = stage.config.clone();
        change(config.ledger.as_mut().unwrap());
        config
    };
    stage.running.reload(with(&|ledger| ledger.durability = Durability::Relaxed)).unwrap();
    let padlock = Padlock::on(&stage.ledger());
    assert_eq!(stage.get(PATH, "").status, 200);
    padlock.open();
    for (change, named) in [
        (
            &(|ledger: &mut Ledger| ledger.directory.push("elsewhere")) as &dyn Fn(&mut Ledger),
            "ledger.directory",
        ),
        (&|ledger| ledger.gather_us = 7, "ledger.gather"),
        (&|ledger| ledger.retention_months = Some(12), "ledger.retention"),
    ] {
        match stage.running.reload(with(change)) {
            Err(StartError::FixedUntilRestart { what }) => assert_eq!(what, named),
            other => panic!("{named}: {other:?}"),
        }
    }
    let without = Config { ledger: None, ..stage.config.clone() };
    assert!(matches!(stage.running.reload(without), Err(StartError::FixedUntilRestart { .. })));
}

#[test]
fn an_asp_that_hangs_up_while_its_answer_waits_has_its_entry() {
    let gstn = StandIn::content();
    let stage = stage(gstn.address);
    let padlock = Padlock::on(&stage.ledger());
    let mut asp = stage.connect();
    asp.send(stage.request("GET", PATH, "txn: IMPATIENT\r\n", ""));
    assert!(soon(|| gstn.seen().len() == 1));
    drop(asp);
    crate::log::settled("txn", "IMPATIENT");
    padlock.open();
    assert!(soon(|| !stage.entries().is_empty()));
    assert_eq!(stage.get(PATH, "txn: NEXT\r\n").status, 200);
    let txns: Vec<_> = stage.entries().into_iter().map(|recorded| recorded.entry.txn.unwrap()).collect();
    assert_eq!(txns, ["IMPATIENT", "NEXT"]);
}

#[test]
fn a_drain_waits_for_the_last_entries() {
    let (tell, told) = mpsc::channel::<()>();
    let told = Mutex::new(told);
    let gstn = StandIn::new(move |_| {
        let _ = told.lock().unwrap().recv();
        Act::Answer(ok(r#"{"status_cd":"1"}"#))
    });
    let stage = stage(gstn.address);
    let ledger = stage.ledger();
    let mut asps: Vec<_> = (0..8).map(|_| stage.connect()).collect();
    for asp in &mut asps {
        asp.send(stage.request("GET", PATH, "", ""));
    }
    assert!(soon(|| gstn.seen().len() == 8));
    let draining = std::thread::spawn(move || stage.drain());
    drop(tell);
    let mut ids: Vec<_> =
        asps.iter_mut().map(|asp| asp.read().header("x-request-id").unwrap().to_owned()).collect();
    let (_directory, report) = draining.join().unwrap();
    assert!(report.finished);
    let mut found: Vec<_> =
        stage::entries_in(&ledger).iter().map(|recorded| recorded.entry.id.to_string()).collect();
    ids.sort();
    found.sort();
    assert_eq!(found, ids);
}

/// Why a gateway does not start on the ledgers of `stage`.
fn refused_start(config: &Config, registry: &suvidha_store::Registry) -> LedgerError {
    match Gateway::start(config.clone(), registry.clone(), Seam::system()) {
        Err(StartError::Ledger(error)) => error,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it starts"),
    }
}

#[test]
fn a_ledger_has_one_gateway() {
    let stage = stage(StandIn::content().address);
    let refused = refused_start(&stage.config, &stage.registry);
    assert!(matches!(refused, LedgerError::Held { .. }), "{refused}");
    let (config, registry) = (stage.config.clone(), stage.registry.clone());
    let (_directory, _) = stage.drain();
    Gateway::start(config, registry, Seam::system()).unwrap();
}

#[test]
fn a_damaged_ledger_does_not_start_and_its_copy_does() {
    let stage = stage(StandIn::content().address);
    (0..3).for_each(|_| assert_eq!(stage.get(PATH, "").status, 200));
    let (config, registry, ledger) = (stage.config.clone(), stage.registry.clone(), stage.ledger());
    let (directory, _) = stage.drain();
    let copy = directory.path().join("copy.sqlite");
    fs::copy(&ledger, &copy).unwrap();
    let mut file = fs::File::options().write(true).open(&ledger).unwrap();
    file.seek(SeekFrom::Start(4096)).unwrap();
    let length = usize::try_from(file.metadata().unwrap().len()).unwrap();
    file.write_all(&vec![0xa5; length - 4096]).unwrap();
    drop(file);
    let refused = refused_start(&config, &registry);
    assert!(matches!(refused, LedgerError::Damaged { .. }), "{refused}");
    assert!(refused.to_string().contains("suvidha ledger verify"), "{refused}");

    fs::copy(&copy, &ledger).unwrap();
    Gateway::start(config, registry, Seam::system()).unwrap();
    assert_eq!(stage::entries_in(&ledger).len(), 3);
}

/// What the stage's ASP has done to sessions of taxpayers: who, and whether granted, refreshed and ended.
fn consents(stage: &Stage) -> Vec<(String, bool, bool, bool)> {
    let reader = LedgerReader::open(&stage.ledger()).unwrap();
    let consents = reader.consents(&stage.aspid, None, 10).unwrap();
    let happened = consents.into_iter().map(|consent| {
        let of = format!("{} {}", consent.gstin, consent.username);
        (of, consent.granted_at.is_some(), consent.refreshed_at.is_some(), consent.ended_at.is_some())
    });
    happened.collect()
}

#[test]
fn sessions_of_taxpayers_are_followed_without_reading_what_is_sent() {
    let gstn = StandIn::new(|seen| {
        let given = r#"{"status_cd":"1","auth_token":"marker-token","expiry":360,"sek":"marker-sek"}"#;
        match seen.header("txn").unwrap() {
            "OTP" | "LOGOUT" => Act::Answer(ok(r#"{"status_cd":"1"}"#)),
            "WRONG-OTP" => Act::Answer(ok(r#"{"status_cd":"0","error":{"error_cd":"AUTH4034"},"expiry":1}"#)),
            // In pieces, the first of which tells nothing.
            "REFRESH" => {
                let pieces =
                    given.bytes().map(|byte| format!("1\r\n{}\r\n", char::from(byte))).collect::<String>();
                Act::Answer(
                    format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{pieces}0\r\n\r\n").into(),
                )
            }
            _ => Act::Answer(ok(given)),
        }
    });
    let stage = stage(gstn.address);
    let login = |txn: &str, session: bool| {
        let session = if session { "auth-token: marker-old\r\n" } else { "" };
        let headers = format!("txn: {txn}\r\ngstin: 29aaacg0527d1z2\r\nusername: asha.rao\r\n{session}");
        let answer = stage.exchange(stage.request("POST", LOGIN, &headers, r#"{"action":"marker-action"}"#));
        stage.entry(answer.header("x-request-id").unwrap())
    };
    let asha =
        |granted, refreshed, ended| vec![("29AAACG0527D1Z2 asha.rao".to_owned(), granted, refreshed, ended)];
    login("OTP", false);
    login("WRONG-OTP", false);
    assert_eq!(consents(&stage), []);
    let entry = login("LOGIN", false);
    assert_eq!(consents(&stage), asha(true, false, false));
    let lapses =
        LedgerReader::open(&stage.ledger()).unwrap().consents(&stage.aspid, None, 10).unwrap()[0].lapses_at;
    assert_eq!((lapses.unwrap().as_second() - entry.at.as_second()) / 60, 360);
    let refreshed = login("REFRESH", true);
    assert_eq!(refreshed.status_cd.map(|status_cd| status_cd.as_str()), Some("1"), "told by its many pieces");
    assert_eq!(consents(&stage), asha(true, true, false));
    login("LOGOUT", true);
    assert_eq!(consents(&stage), asha(true, true, true));
    let bytes =
        [fs::read(stage.ledger()).unwrap(), fs::read(stage.ledger().with_extension("sqlite-wal")).unwrap()]
            .concat();
    assert!(!String::from_utf8_lossy(&bytes).contains("marker"), "a token was kept");
}

#[test]
fn an_error_that_comes_in_pieces_is_told_too() {
    let error = r#"{"error":{"message":"x","error_cd":"RET11402"},"status_cd":"0"}"#;
    let pieces = error.bytes().map(|byte| format!("1\r\n{}\r\n", char::from(byte))).collect::<String>();
    let gstn = StandIn::new(move |_| {
        Act::Answer(format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{pieces}0\r\n\r\n").into())
    });
    let stage = stage(gstn.address);
    let answer = stage.get(PATH, "");
    assert_eq!(answer.text(), error);
    let entry = stage.entry(answer.header("x-request-id").unwrap());
    assert_eq!(
        (
            entry.status_cd.map(|cd| cd.as_str()),
            entry.error_cd.as_deref(),
            entry.origin.map(|origin| origin.as_str())
        ),
        (Some("0"), Some("RET11402"), Some("gstn"))
    );
}
