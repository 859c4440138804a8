//! What GSTN grants the GSP as a whole is shared fairly.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use suvidha_gateway::Exposition;
use suvidha_gateway::config::{AspLimits, Ceiling};
use suvidha_store::NewToken;

use crate::asp::Asp;
use crate::stage::{self, Sandbox, Stage, an_asp, request, soon};
use crate::stand_in::{Act, StandIn, ok};

const PATH: &str = "/taxpayerapi/v1.0/returns";

fn under(gstn: &StandIn, ceiling: Ceiling) -> Stage {
    stage::set(gstn.address).with(|config| config.environments[0].ceiling = ceiling).start()
}

/// A token of another ASP, which the gateway knows already.
pub(crate) fn another_token(stage: &Stage) -> String {
    let aspid = an_asp(&stage.registry);
    let token = stage.registry.issue_token(&aspid, Sandbox, NewToken::default()).unwrap();
    let token = token.token.expose().to_owned();
    assert!(soon(|| stage.exchange(call(&token, "known")).status == 200));
    token
}

fn call(token: &str, txn: &str) -> String {
    request("GET", PATH, &format!("X-CT-Auth-Token: {token}\r\ntxn: {txn}\r\n"), "")
}

/// Answers after a little while, or never.
fn slow_gstn() -> StandIn {
    StandIn::new(|seen| {
        if seen.header("txn") == Some("hang") {
            return Act::Hang;
        }
        thread::sleep(Duration::from_millis(5));
        Act::Answer(ok("{}"))
    })
}

#[test]
fn a_hog_with_fifty_connections_starves_nobody() {
    let gstn = slow_gstn();
    let ceiling = Ceiling { concurrent: Some(2), wait_ms: 60_000, ..Ceiling::default() };
    let stage = under(&gstn, ceiling);
    let small = another_token(&stage);
    let over = AtomicBool::new(false);
    let (address, hogs_call) = (stage.address(Sandbox), call(&stage.token, "hog"));
    thread::scope(|scope| {
        for _ in 0..50 {
            scope.spawn(|| {
                let mut asp = Asp::connect(address);
                while !over.load(Ordering::SeqCst) {
                    assert_eq!(asp.send(&hogs_call).read().status, 200);
                }
            });
        }
        // All fifty are there.
        assert!(soon(|| gstn.seen().len() > 100));
        let mut asp = Asp::connect(address);
        for _ in 0..20 {
            assert_eq!(asp.send(call(&small, "small")).read().status, 200);
        }
        over.store(true, Ordering::SeqCst);
    });
    let seen = gstn.seen();
    let is_small = |at: &usize| seen[*at].header("txn") == Some("small");
    let places: Vec<_> = (0..seen.len()).filter(is_small).collect();
    let between = places[19] - places[0] - 19;
    // Behind one another the twenty would have waited for 48 calls each, 912 in all; in turn, each waits for a few.
    assert!(between < 200, "{between} calls of the hog came between twenty of the other");
    assert_eq!(places.len(), 20);
}

#[test]
fn who_waits_in_vain_is_told_and_keeps_everything() {
    let gstn = slow_gstn();
    let ceiling = Ceiling { concurrent: Some(1), wait_ms: 50, ..Ceiling::default() };
    let limits = AspLimits { per_day: Some(3), ..AspLimits::default() };
    let stage = stage::set(gstn.address).with(|config| {
        config.environments[0].ceiling = ceiling;
        config.environments[0].limits = limits;
    });
    let stage = stage.start();
    let mut asp = stage.connect();
    asp.send(call(&stage.token, "hang"));
    assert!(soon(|| gstn.seen().len() == 1));
    for _ in 0..5 {
        let refusal = stage.get(PATH, "");
        refusal.is_refusal("GSP673", 503);
        assert_eq!(refusal.header("retry-after"), Some("1"));
        let entry = stage.entry(refusal.header("x-request-id").unwrap());
        assert!(!entry.admitted && entry.plan.is_none());
    }
    drop(asp);
    // One of the day's three calls is the one that hung.
    assert!(soon(|| stage.get(PATH, "").status == 200));
    assert_eq!([(); 2].map(|()| stage.get(PATH, "").status), [200, 429]);
}

#[test]
fn who_hangs_up_in_the_queue_leaves_it_and_gives_back_what_it_held() {
    let gstn = slow_gstn();
    let ceiling = Ceiling { concurrent: Some(1), wait_ms: 300, ..Ceiling::default() };
    let limits = AspLimits { concurrent: Some(2), ..AspLimits::default() };
    let stage = stage::set(gstn.address).with(|config| {
        config.environments[0].ceiling = Ceiling { wait_ms: 60_000, ..ceiling };
        config.environments[0].limits = limits;
    });
    let stage = stage.start();
    let mut at_gstn = stage.connect();
    at_gstn.send(call(&stage.token, "hang"));
    assert!(soon(|| gstn.seen().len() == 1));
    let mut in_queue = stage.connect();
    in_queue.send(call(&stage.token, "queued"));
    let waits = "suvidha_ceiling_waiting{environment=\"sandbox\"} 1.0\n";
    assert!(soon(|| stage.running.status().metrics(Exposition::OpenMetrics).contains(waits)));
    // It waits for a minute; those that come from now on do not.
    let mut config = stage.config.clone();
    config.environments[0].ceiling = ceiling;
    stage.running.reload(config).unwrap();
    assert_eq!(stage.get(PATH, "").json()["error"]["error_cd"], "GSP670", "both are under way");
    drop(in_queue);
    assert!(soon(|| stage.get(PATH, "").json()["error"]["error_cd"] == "GSP673"), "there is room for one");
    drop(at_gstn);
    assert!(soon(|| stage.get(PATH, "").status == 200));
    assert!(gstn.seen().iter().all(|seen| seen.header("txn") != Some("queued")));
}

#[test]
fn a_rate_lets_calls_through_one_after_the_other() {
    let gstn = StandIn::content();
    let stage = under(&gstn, Ceiling { per_second: Some(200), wait_ms: 60_000, ..Ceiling::default() });
    let (address, call) = (stage.address(Sandbox), stage.request("GET", PATH, "", ""));
    let begun = Instant::now();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut asp = Asp::connect(address);
                for _ in 0..10 {
                    assert_eq!(asp.send(&call).read().status, 200);
                }
            });
        }
    });
    // Twenty at once, and five milliseconds for each of the other sixty.
    assert!(begun.elapsed() >= Duration::from_millis(299), "{:?}", begun.elapsed());
    assert_eq!(gstn.seen().len(), 80);
}
