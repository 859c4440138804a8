//! While GSTN does not answer, nobody waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use suvidha_gateway::config::{AspLimits, Breaker, Timeouts};
use suvidha_seam::ManualClock;

use crate::asp::Answer;
use crate::ceiling::another_token;
use crate::credit::held_clock;
use crate::ledger::Padlock;
use crate::log;
use crate::stage::{self, Production, Stage, request, soon};
use crate::stand_in::{Act, StandIn, answer, ok};

const PATH: &str = "/taxpayerapi/v1.0/returns";
const UP: u8 = 0;
const RESETS: u8 = 1;
const SAYS_503: u8 = 2;
const HANGS: u8 = 3;

struct Scene {
    gstn: StandIn,
    does: Arc<AtomicU8>,
    clock: Arc<ManualClock>,
    stage: Stage,
}

/// A gateway whose breaker opens after three failures in a row, for ten seconds.
fn scene(does: u8) -> Scene {
    let does = Arc::new(AtomicU8::new(does));
    let now = Arc::clone(&does);
    let gstn = StandIn::new(move |_| match now.load(Ordering::SeqCst) {
        RESETS => Act::AnswerAndReset(Vec::new()),
        SAYS_503 => Act::Answer(answer("503 Service Unavailable", "", "<html>down</html>")),
        HANGS => Act::Hang,
        _ => Act::Answer(ok("{}")),
    });
    let (clock, seam) = held_clock("2026-11-22T06:30:00Z");
    let stage = stage::set_with(gstn.address, seam).with(|config| {
        config.breaker = Breaker { failures: 3, share: 0, ..Breaker::default() };
        config.environments[0].limits = AspLimits { per_day: Some(5), ..AspLimits::default() };
        config.timeouts = Timeouts { first_byte_ms: 60_000, ..Timeouts::default() };
    });
    Scene { gstn, does, clock, stage: stage.start() }
}

impl Scene {
    fn gstn(&self, does: u8) {
        self.does.store(does, Ordering::SeqCst);
    }

    fn health(&self) -> Answer {
        self.stage.exchange(request("GET", "/health/gstn", "", ""))
    }

    fn looks(&self, status: u16, gstn: &str) {
        let health = self.health();
        let json = health.json();
        assert_eq!(
            (health.status, &json["gsp"], &json["gstn"]),
            (status, &"up".into(), &gstn.into()),
            "{json}"
        );
        assert!(!health.text().contains(&self.gstn.address.to_string()), "{json}");
    }
}

#[test]
fn it_opens_tries_and_closes_again() {
    let scene = scene(UP);
    scene.looks(200, "up");
    assert_eq!(scene.health().json()["last_answer"], serde_json::Value::Null);
    assert_eq!(scene.stage.get(PATH, "").status, 200);
    assert_eq!(scene.health().json()["last_answer"], "2026-11-22T06:30:00Z");
    scene.gstn(RESETS);
    scene.stage.get(PATH, "").is_refusal("GSP027", 502);
    scene.looks(200, "degraded");
    scene.stage.get(PATH, "");
    scene.stage.get(PATH, "");
    scene.looks(503, "down");
    let refusal = scene.stage.get(PATH, "");
    refusal.is_refusal("GSP500", 503);
    assert_eq!(refusal.header("retry-after"), Some("10"));
    assert_eq!(scene.gstn.seen().len(), 4, "nothing is sent");
    let entry = scene.stage.entry(refusal.header("x-request-id").unwrap());
    assert!(!entry.admitted && entry.plan.is_none());
    scene.clock.advance(4_000);
    assert_eq!(scene.health().header("retry-after"), Some("6"));
    assert_eq!(scene.health().json()["since"], "2026-11-22T06:30:00Z");

    scene.clock.advance(6_000);
    scene.stage.get(PATH, "").is_refusal("GSP027", 502);
    scene.stage.get(PATH, "").is_refusal("GSP500", 503);
    assert_eq!(scene.gstn.seen().len(), 5, "one has tried");
    scene.clock.advance(10_000);
    scene.gstn(UP);
    scene.stage.get(PATH, "").is_refusal("GSP671", 429);
    scene.looks(503, "down");
    scene.clock.advance(86_400_000);
    assert_eq!(scene.stage.get(PATH, "").status, 200);
    scene.looks(200, "up");
}

#[test]
fn one_call_at_a_time_tries_and_one_that_hangs_up_makes_way() {
    let scene = scene(RESETS);
    (0..3).for_each(|_| scene.stage.get(PATH, "").is_refusal("GSP027", 502));
    scene.clock.advance(10_000);
    scene.gstn(HANGS);
    let mut probe = scene.stage.connect();
    probe.send(scene.stage.request("GET", PATH, "", ""));
    assert!(soon(|| scene.gstn.seen().len() == 4));
    let refusal = scene.stage.get(PATH, "");
    refusal.is_refusal("GSP500", 503);
    assert_eq!(refusal.header("retry-after"), Some("1"));
    scene.gstn(UP);
    drop(probe);
    assert!(soon(|| scene.stage.get(PATH, "").status == 200));
}

#[test]
fn what_stands_before_gstn_and_says_503_counts_as_gstn_being_down() {
    let scene = scene(SAYS_503);
    for _ in 0..3 {
        let passed_on = scene.stage.get(PATH, "");
        assert_eq!((passed_on.status, passed_on.text().as_str()), (503, "<html>down</html>"));
    }
    scene.stage.get(PATH, "").is_refusal("GSP500", 503);
    let text = log::text();
    let line = |words: &str| text.lines().filter(|line| line.contains(words)).count();
    assert!(line("GSTN does not answer: calls are refused at once") >= 1);
}

#[test]
fn one_environments_breaker_is_not_the_others() {
    let scene = scene(RESETS);
    (0..3).for_each(|_| scene.stage.get(PATH, "").is_refusal("GSP027", 502));
    scene.looks(503, "down");
    let other = crate::asp::Asp::connect(scene.stage.address(Production))
        .send(request("GET", "/health/gstn", "", ""))
        .read();
    let json = other.json();
    assert_eq!((other.status, &json["gsp"], &json["gstn"]), (503, &"degraded".into(), &"unknown".into()));
}

#[test]
fn a_gateway_that_cannot_record_calls_says_that_it_is_the_trouble() {
    let scene = scene(UP);
    let padlock = Padlock::on(&scene.stage.ledger());
    scene.stage.get(PATH, "").is_refusal("GSP644", 503);
    let health = scene.health();
    let json = health.json();
    assert_eq!((health.status, &json["gsp"], &json["gstn"]), (503, &"degraded".into(), &"up".into()));
    padlock.open();
    assert!(soon(|| scene.health().json()["gsp"] == "up"));
}

#[test]
fn what_one_asp_sends_does_not_close_the_way_for_the_others() {
    let gstn = StandIn::new(|seen| match seen.header("txn") {
        Some("rubbish") => Act::AnswerAndClose(Vec::new()),
        _ => Act::Answer(ok("{}")),
    });
    let breaker = Breaker { failures: 3, least: 3, ..Breaker::default() };
    let stage = stage::set(gstn.address).with(|config| config.breaker = breaker).start();
    let other = format!("X-CT-Auth-Token: {}\r\n", another_token(&stage));
    for _ in 0..10 {
        stage.get(PATH, "txn: rubbish\r\n").is_refusal("GSP099", 502);
    }
    assert_eq!(stage.exchange(request("GET", PATH, &other, "")).status, 200);
    let health = stage.exchange(request("GET", "/health/gstn", "", ""));
    assert_eq!((health.status, &health.json()["gstn"]), (200, &"degraded".into()));
}
