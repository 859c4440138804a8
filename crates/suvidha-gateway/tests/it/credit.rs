//! What calls cost, and that nobody gets more of them than was paid for.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use gstn::AspId;
use jiff::Timestamp;
use suvidha_gateway::config::{ChargeRule, Config};
use suvidha_seam::{ManualClock, Seam, SystemRng};
use suvidha_store::ledger::Outcome;
use suvidha_store::{Plan, PlanKind, Registry, TopUp};

use crate::asp::Asp;
use crate::ledger::Padlock;
use crate::stage::{self, Sandbox, Stage};
use crate::stand_in::{Act, StandIn, answer, ok};

const PATH: &str = "/taxpayerapi/v1.0/returns";

pub(crate) fn held_clock(at: &str) -> (Arc<ManualClock>, Seam) {
    let clock = Arc::new(ManualClock::at(at.parse().unwrap()));
    (clock.clone(), Seam { clock, rng: Arc::new(SystemRng) })
}

fn prepaid(registry: &Registry, aspid: &AspId, units: i64, until: &str) {
    let plan = Plan { kind: PlanKind::Prepaid, monthly_cap: None };
    registry.set_plan(aspid, Sandbox, plan).unwrap();
    top_up(registry, aspid, units, until);
}

fn top_up(registry: &Registry, aspid: &AspId, units: i64, until: &str) {
    let expires_at: Option<Timestamp> = Some(until.parse().unwrap());
    let note = Some("INV-1".to_owned());
    registry.top_up(aspid, Sandbox, TopUp { units, expires_at, note }).unwrap();
}

/// At noon in India, with so many prepaid units until the end of the month.
fn with_units(gstn: &StandIn, units: i64, change: impl FnOnce(&mut Config)) -> (Arc<ManualClock>, Stage) {
    let (clock, seam) = held_clock("2026-11-22T06:30:00Z");
    let stage = stage::set_with(gstn.address, seam).with(change);
    let stage = stage.start_after(|registry, aspid| prepaid(registry, aspid, units, "2026-11-30T18:30:00Z"));
    (clock, stage)
}

/// The units that the ledger says were charged, call by call.
fn charged(stage: &Stage) -> Vec<u64> {
    stage.entries().iter().map(|recorded| recorded.entry.units).collect()
}

#[test]
fn sixty_four_clients_race_for_the_last_ten_units() {
    let gstn = StandIn::content();
    let (_clock, stage) = with_units(&gstn, 10, |_| ());
    let (start, served) = (Barrier::new(64), AtomicUsize::new(0));
    let (address, call) = (stage.address(Sandbox), stage.request("GET", PATH, "", ""));
    thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| {
                let mut asp = Asp::connect(address);
                start.wait();
                let answer = asp.send(&call).read();
                match answer.status {
                    200 => _ = served.fetch_add(1, Ordering::SeqCst),
                    _ => answer.is_refusal("GSP019", 402),
                }
            });
        }
    });
    assert_eq!((served.into_inner(), gstn.seen().len()), (10, 10));
    assert_eq!(charged(&stage).iter().sum::<u64>(), 10);
    let refusal = stage.get(PATH, "");
    refusal.is_refusal("GSP019", 402);
    assert_eq!(refusal.json()["error"]["message"], "The balance is 0 units, and this call costs 1.");
    top_up(&stage.registry, &stage.aspid, 1, "2026-11-30T18:30:00Z");
    assert!(stage.soon(|stage| stage.get(PATH, "").status == 200));
}

#[test]
fn a_restart_forgets_neither_charges_nor_quotas() {
    let gstn = StandIn::content();
    let (_, seam) = held_clock("2026-11-22T06:30:00Z");
    let stage = stage::set_with(gstn.address, seam.clone()).start_after(|registry, aspid| {
        prepaid(registry, aspid, 2, "2026-11-30T18:30:00Z");
    });
    assert_eq!(stage.get(PATH, "").status, 200);
    let stage = stage.restarted(seam);
    assert_eq!(stage.get(PATH, "").status, 200);
    stage.get(PATH, "").is_refusal("GSP019", 402);
    assert_eq!(charged(&stage), [1, 1, 0]);
}

#[test]
fn what_gstn_did_not_answer_and_what_we_refuse_is_free() {
    let gstn = StandIn::new(|seen| match seen.header("txn").unwrap() {
        "reset" => Act::AnswerAndReset(Vec::new()),
        "half" => Act::AnswerAndClose(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".to_vec()),
        "down" => Act::Answer(answer("503 Service Unavailable", "", "<html>")),
        "no" => Act::Answer(ok(r#"{"status_cd":"0","error":{"error_cd":"RET11402"}}"#)),
        _ => Act::Answer(ok(r#"{"status_cd":"1"}"#)),
    });
    let (_clock, stage) = with_units(&gstn, 2, |_| ());
    let call = |txn: &str| stage.get(PATH, &format!("txn: {txn}\r\n")).status;
    assert_eq!(["reset", "half", "down"].map(call), [502, 502, 503]);
    let contradiction = "txn: no\r\nstate-cd: 33\r\ngstin: 29AAACG0527D1Z2\r\n";
    stage.get(PATH, contradiction).is_refusal("GSP009B", 400);
    assert_eq!(["no", "yes", "yes"].map(call), [200, 200, 402]);
    assert_eq!(charged(&stage), [0, 0, 0, 0, 1, 1, 0]);
    let kinds: Vec<_> = stage.entries().iter().map(|recorded| recorded.entry.plan).collect();
    let plan = Some(PlanKind::Prepaid);
    assert_eq!(kinds, [plan, plan, plan, None, plan, plan, None], "only what was admitted has a plan");
}

#[test]
fn an_operator_may_charge_for_successes_alone_or_for_all_that_was_sent() {
    for (rule, units) in [(ChargeRule::Succeeded, [0, 0, 1]), (ChargeRule::Forwarded, [1, 1, 1])] {
        let gstn = StandIn::new(|seen| match seen.header("txn").unwrap() {
            "reset" => Act::AnswerAndReset(Vec::new()),
            "no" => Act::Answer(ok(r#"{"status_cd":"0","error":{"error_cd":"RET11402"}}"#)),
            _ => Act::Answer(ok("{}")),
        });
        let (_clock, stage) = with_units(&gstn, 3, |config| config.charging.rule = rule);
        for txn in ["reset", "no", "yes"] {
            stage.get(PATH, &format!("txn: {txn}\r\n"));
        }
        assert_eq!(charged(&stage), units, "{rule:?}");
    }
}

#[test]
fn an_error_that_comes_in_pieces_is_no_success() {
    let pieces = r#"{"status_cd":"0","error":{"error_cd":"RET11402"}}"#.bytes();
    let pieces = pieces.map(|byte| format!("1\r\n{}\r\n", char::from(byte))).collect::<String>();
    let gstn = StandIn::new(move |_| {
        Act::Answer(format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{pieces}0\r\n\r\n").into())
    });
    let (_clock, stage) = with_units(&gstn, 1, |config| config.charging.rule = ChargeRule::Succeeded);
    assert_eq!(stage.get(PATH, "").status, 200);
    assert_eq!(charged(&stage), [0]);
}

#[test]
fn a_call_that_costs_three_is_refused_with_two_left() {
    let gstn = StandIn::content();
    let (_clock, stage) = with_units(&gstn, 5, |config| {
        let costs = [("taxpayerapi/returns/gstr1 RETSAVE", 3), ("taxpayerapi/authenticate", 0)];
        config.charging.costs = costs.map(|(api, cost)| (api.to_owned(), cost)).into();
    });
    let save = || stage.exchange(stage.request("PUT", "/taxpayerapi/v4.1/returns/gstr1", "", "{}"));
    assert_eq!(save().status, 200);
    let refusal = save();
    refusal.is_refusal("GSP019", 402);
    assert_eq!(refusal.json()["error"]["message"], "The balance is 2 units, and this call costs 3.");
    assert_eq!([(); 3].map(|()| stage.get(PATH, "").status), [200, 200, 402]);
    let login = stage.request("POST", "/taxpayerapi/v1.0/authenticate", "", "{}");
    assert_eq!(stage.exchange(login).status, 200, "free, so it needs no balance");
    assert_eq!(charged(&stage), [3, 0, 1, 1, 0, 0]);
}

#[test]
fn credit_expires_by_the_clock_and_the_next_top_up_revives_it() {
    let gstn = StandIn::content();
    let (clock, stage) = with_units(&gstn, 10, |_| ());
    assert_eq!(stage.get(PATH, "").status, 200);
    clock.set("2026-11-30T18:30:00Z".parse().unwrap());
    let refusal = stage.get(PATH, "");
    refusal.is_refusal("GSP019", 402);
    assert!(refusal.text().contains("2026-12-01 00:00 IST"), "{}", refusal.text());
    top_up(&stage.registry, &stage.aspid, 1, "2026-12-31T18:30:00Z");
    assert!(stage.soon(|stage| stage.get(PATH, "").status == 200));
    assert!(stage.get(PATH, "").status == 200, "what was left is there again");
}

#[test]
fn a_postpaid_plan_ends_at_its_cap_and_an_unmetered_one_never() {
    let gstn = StandIn::content();
    let (clock, seam) = held_clock("2026-11-30T18:00:00Z");
    let plan = Plan { kind: PlanKind::Postpaid, monthly_cap: Some(2) };
    let stage = stage::set_with(gstn.address, seam)
        .start_after(|registry, aspid| registry.set_plan(aspid, Sandbox, plan).unwrap());
    let call = |()| stage.get(PATH, "").status;
    assert_eq!([(); 3].map(call), [200, 200, 402]);
    stage.get(PATH, "").is_refusal("GSP674", 402);
    clock.advance(30 * 60 * 1000);
    assert_eq!([(); 3].map(call), [200, 200, 402], "in December");
    stage.registry.set_plan(&stage.aspid, Sandbox, Plan::default()).unwrap();
    assert!(stage.soon(|stage| stage.get(PATH, "").status == 200));
    assert_eq!([(); 3].map(call), [200; 3]);
    let last = stage.entries().pop().unwrap().entry;
    assert_eq!((last.plan, last.units), (Some(PlanKind::Unmetered), 0));
}

#[test]
fn a_call_that_is_given_up_at_gstn_gives_its_credit_back() {
    let gstn = StandIn::new(|seen| match seen.header("txn") {
        Some("hang") => Act::Hang,
        _ => Act::Answer(ok("{}")),
    });
    let (_clock, stage) = with_units(&gstn, 1, |_| ());
    let mut asp = stage.connect();
    asp.send(stage.request("GET", PATH, "txn: hang\r\n", ""));
    assert!(stage::soon(|| gstn.seen().len() == 1));
    let refusal = stage.get(PATH, "");
    refusal.is_refusal("GSP019", 402);
    let words = "The balance is 0 units beside the 1 that calls under way may cost, and this call costs 1.";
    assert_eq!(refusal.json()["error"]["message"], words);
    drop(asp);
    assert!(stage.soon(|stage| stage.get(PATH, "").status == 200));
}

#[test]
fn a_call_that_could_not_be_recorded_gives_its_credit_back() {
    let gstn = StandIn::content();
    let (_clock, stage) = with_units(&gstn, 1, |_| ());
    let padlock = Padlock::on(&stage.ledger());
    stage.get(PATH, "").is_refusal("GSP644", 503);
    padlock.open();
    assert!(stage.soon(|stage| stage.get(PATH, "").status == 200));
    stage.get(PATH, "").is_refusal("GSP019", 402);
    assert_eq!(charged(&stage).iter().sum::<u64>(), 1);
}

#[test]
fn an_answer_that_we_cut_off_is_free() {
    let beginning = [&b"HTTP/1.1 200 OK\r\ncontent-length: 200000\r\n\r\n"[..], &[b' '; 1000]].concat();
    let gstn = StandIn::new(move |_| Act::Answer(beginning.clone()));
    let (_clock, stage) = with_units(&gstn, 1, |_| ());
    let mut asp = stage.connect();
    asp.send(stage.request("GET", PATH, "", ""));
    assert_eq!(asp.read_head().status, 200);
    let ledger = stage.ledger();
    let report = stage.running.drain(Duration::from_millis(100));
    assert_eq!(report.aborted, 1);
    let entry = &stage::entries_in(&ledger)[0].entry;
    assert_eq!(
        (entry.outcome, entry.error_cd.as_deref(), entry.units),
        (Outcome::BrokenOff, Some("GSP641"), 0)
    );
}

#[test]
fn no_spelling_of_a_call_makes_it_cheaper() {
    let gstn = StandIn::content();
    let (_clock, stage) = with_units(&gstn, 1000, |config| {
        let costs = [
            ("taxpayerapi/returns/gstr1", 2),
            ("taxpayerapi/returns/gstr1 B2B", 5),
            ("taxpayerapi/returns/gstr1 RETSAVE", 7),
            ("taxpayerapi/returns/gstr1 FREE", 0),
        ];
        config.charging.costs = costs.map(|(api, cost)| (api.to_owned(), cost)).into();
    });
    let calls = [
        ("GET", "/taxpayerapi/v4.1/returns/gstr1?action=B2B", "", 5),
        ("GET", "/taxpayerapi/v4.1/returns/gstr1?action=%42%32B", "", 5),
        ("GET", "/taxpayerapi/v4.1/returns/gstr1?%61ction=B2B", "", 5),
        ("GET", "/taxpayerapi/v4.1/returns/gstr1?action=FREE&action=B2B", "", 5),
        ("GET", "/taxpayerapi/v4.1/returns/gstr1?Action=FREE&action=B2B", "", 5),
        ("GET", "/taxpayerapi/v4.1/returns/gstr1?action=FREE", "action: B2B\r\n", 5),
        ("GET", "/taxpayerapi/v4.1/returns/%67str1?action=B2B", "", 5),
        ("GET", "/taxpayerapi/v4.1/returns/gstr1;a=b?action=B2B", "", 5),
        ("GET", "/taxpayerapi/v%34.1/returns;x/gstr1/?action=B2B", "", 5),
        ("GET", "/taxpayerapi/v4.1/returns/gstr1?action=FREE", "", 0),
        ("GET", "/taxpayerapi/v4.1/returns/gstr1?action=", "", 2),
        ("PUT", "/taxpayerapi/v4.1/returns/gstr1?action=FREE", "", 7),
    ];
    for (method, path, headers, units) in calls {
        let answer = stage.exchange(stage.request(method, path, headers, ""));
        assert_eq!(answer.status, 200, "{path}");
        let entry = stage.entry(answer.header("x-request-id").unwrap());
        assert_eq!(entry.units, units, "{method} {path} {headers:?}");
        assert_eq!(entry.api.as_deref(), Some("taxpayerapi/returns/gstr1"));
    }
    let asked: Vec<_> = gstn.seen().into_iter().map(|seen| seen.line).collect();
    assert_eq!(
        asked[6], "GET /taxpayerapi/v4.1/returns/%67str1?action=B2B HTTP/1.1",
        "GSTN gets what was sent"
    );
}
