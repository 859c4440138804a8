//! How much an ASP may call.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use gstn::catalogue::Family;
use suvidha_gateway::config::{AspLimits, LimitMode};
use suvidha_store::{Limit, Limits};

use crate::asp::{Answer, Asp};
use crate::credit::held_clock;
use crate::log;
use crate::stage::{self, Sandbox, Stage};
use crate::stand_in::{self, Act, StandIn, ok};

const PATH: &str = "/taxpayerapi/v1.0/returns";
const SEARCH: &str = "/commonapi/v1.1/search?action=TP";

/// At noon in India, with these limits by default.
fn limited(gstn: &StandIn, limits: AspLimits) -> (std::sync::Arc<suvidha_seam::ManualClock>, Stage) {
    let (clock, seam) = held_clock("2026-11-22T06:30:00Z");
    let stage = stage::set_with(gstn.address, seam).with(|config| config.environments[0].limits = limits);
    (clock, stage.start())
}

/// Limit, remaining, reset.
fn told(answer: &Answer) -> [Option<&str>; 3] {
    ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"].map(|name| answer.header(name))
}

#[test]
fn a_hundred_a_second_come_at_most_ten_at_once() {
    let gstn = StandIn::content();
    let (clock, stage) = limited(&gstn, AspLimits { per_second: Some(100), ..AspLimits::default() });
    let mut asp = stage.connect();
    let mut call = || asp.send(stage.request("GET", PATH, "", "")).read();
    let mut served = 0;
    for _ in 0..100 {
        let at_once = std::iter::repeat_with(&mut call).take_while(|answer| answer.status == 200).count();
        assert!(at_once <= 10, "{at_once} at one instant");
        served += at_once;
        clock.advance(100);
    }
    assert!((990..=1010).contains(&served), "{served} in ten seconds");
    let first = call();
    assert_eq!((first.status, told(&first)), (200, [Some("10"), Some("9"), Some("1")]));
    let refusal = std::iter::repeat_with(call).find(|answer| answer.status != 200).unwrap();
    refusal.is_refusal("GSP025", 429);
    assert_eq!(refusal.header("retry-after"), Some("1"));
    assert_eq!(told(&refusal), [Some("10"), Some("0"), Some("1")]);
}

#[test]
fn at_a_slow_rate_a_few_calls_may_come_at_once() {
    let gstn = StandIn::content();
    let (clock, stage) = limited(&gstn, AspLimits { per_second: Some(5), ..AspLimits::default() });
    assert_eq!([(); 6].map(|()| stage.get(PATH, "").status), [200, 200, 200, 200, 200, 429]);
    clock.advance(200);
    assert_eq!([(); 2].map(|()| stage.get(PATH, "").status), [200, 429]);
}

#[test]
fn by_the_real_clock_too_there_are_not_more_than_allowed() {
    let gstn = StandIn::content();
    let limits = AspLimits { per_second: Some(50), ..AspLimits::default() };
    let stage = stage::set(gstn.address).with(|config| config.environments[0].limits = limits).start();
    let (address, call) = (stage.address(Sandbox), stage.request("GET", PATH, "", ""));
    let (begun, served) = (Instant::now(), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut asp = Asp::connect(address);
                while begun.elapsed() < Duration::from_secs(2) {
                    let answer = asp.send(&call).read();
                    served.fetch_add(usize::from(answer.status == 200), Ordering::SeqCst);
                }
            });
        }
    });
    let allowed = 5.0 + 50.0 * begun.elapsed().as_secs_f64();
    let served = served.into_inner();
    assert!(served > 0 && served as f64 <= allowed + 1.0, "{served} where {allowed} are allowed");
    assert_eq!(gstn.seen().len(), served);
}

#[test]
fn a_days_calls_are_there_again_after_midnight_in_india() {
    let gstn = StandIn::content();
    let (clock, seam) = held_clock("2026-11-22T18:29:00Z");
    let limits = AspLimits { per_day: Some(2), per_month: Some(5), ..AspLimits::default() };
    let stage = stage::set_with(gstn.address, seam.clone())
        .with(|config| config.environments[0].limits = limits)
        .start();
    let first = stage.get(PATH, "");
    assert_eq!((first.status, told(&first)), (200, [Some("2"), Some("1"), Some("60")]));
    assert_eq!(stage.get(PATH, "").status, 200);
    let stage = stage.restarted(seam);
    let refusal = stage.get(PATH, "");
    refusal.is_refusal("GSP671", 429);
    assert_eq!(refusal.header("retry-after"), Some("60"), "a restart forgets nothing");
    clock.advance(59_999);
    stage.get(PATH, "").is_refusal("GSP671", 429);
    clock.advance(1);
    assert_eq!([(); 3].map(|()| stage.get(PATH, "").status), [200, 200, 429]);
    clock.advance(86_400_000);
    assert_eq!(stage.get(PATH, "").status, 200);
    stage.get(PATH, "").is_refusal("GSP672", 429);
    assert_eq!(gstn.seen().len(), 5);
}

#[test]
fn so_many_at_once_and_who_hangs_up_makes_room() {
    let gstn = StandIn::new(|seen| match seen.header("txn") {
        Some("hang") => Act::Hang,
        _ => Act::Answer(ok("{}")),
    });
    let (_clock, stage) = limited(&gstn, AspLimits { concurrent: Some(1), ..AspLimits::default() });
    let mut asp = stage.connect();
    asp.send(stage.request("GET", PATH, "txn: hang\r\n", ""));
    assert!(stage::soon(|| gstn.seen().len() == 1));
    let refusal = stage.get(PATH, "");
    refusal.is_refusal("GSP670", 429);
    assert_eq!((refusal.header("retry-after"), told(&refusal)[1]), (Some("1"), Some("0")));
    drop(asp);
    assert!(stage.soon(|stage| stage.get(PATH, "").status == 200));
    assert_eq!(stage.get(PATH, "").status, 200, "an answered call makes room at once");
}

#[test]
fn what_is_agreed_with_an_asp_acts_on_the_running_gateway() {
    let gstn = StandIn::content();
    let (_clock, stage) = limited(&gstn, AspLimits { per_day: Some(1), ..AspLimits::default() });
    let agree = |family, change: fn(&mut Limits)| {
        stage.registry.change_limits(&stage.aspid, Sandbox, family, change).unwrap();
    };
    assert_eq!([(); 2].map(|()| stage.get(PATH, "").status), [200, 429]);
    agree(None, |limits| limits.per_day = Some(Limit::Unlimited));
    assert!(stage.soon(|stage| stage.get(PATH, "").status == 200));
    agree(Some(Family::CommonApi), |limits| limits.per_day = Some(Limit::at_most(1)));
    assert!(stage.soon(|stage| stage.get(PATH, "").status == 200 && stage.get(SEARCH, "").status == 429));
    let refusal = stage.get(SEARCH, "");
    refusal.is_refusal("GSP671", 429);
    assert!(refusal.text().contains("`commonapi`"), "{}", refusal.text());
    agree(None, |limits| limits.per_day = Some(Limit::at_most(3)));
    assert!(stage.soon(|stage| stage.get(PATH, "").status == 429), "lowered below what is used");
    assert_eq!(stage.get(SEARCH, "").header("retry-after"), stage.get(PATH, "").header("retry-after"));
}

#[test]
fn a_reload_changes_the_default() {
    let gstn = StandIn::content();
    let (_clock, stage) = limited(&gstn, AspLimits { per_day: Some(1), ..AspLimits::default() });
    assert_eq!([(); 2].map(|()| stage.get(PATH, "").status), [200, 429]);
    let mut config = stage.config.clone();
    config.environments[0].limits.per_day = Some(3);
    stage.running.reload(config.clone()).unwrap();
    assert_eq!([(); 3].map(|()| stage.get(PATH, "").status), [200, 200, 429]);
    config.environments[0].limits.per_day = Some(0);
    let fault = stage.running.reload(config).unwrap_err().to_string();
    assert_eq!(fault, "limits.per_day is 0; it must be 1 to 10^12");
}

#[test]
fn an_observed_limit_refuses_nobody_and_is_told_to_the_log_once() {
    let gstn = StandIn::content();
    let limits = AspLimits { mode: LimitMode::Observe, per_day: Some(1), ..AspLimits::default() };
    let (_clock, stage) = limited(&gstn, limits);
    assert_eq!([(); 5].map(|()| stage.get(PATH, "").status), [200; 5]);
    let aspid = format!("\"aspid\":\"{}\"", stage.aspid);
    let text = log::text();
    let told = text.lines().filter(|line| line.contains("only observed") && line.contains(&aspid));
    assert_eq!(told.count(), 1);
}

#[test]
fn who_has_no_limit_is_told_of_none_and_refusals_use_up_nothing() {
    let gstn = StandIn::content();
    let (_clock, stage) = limited(&gstn, AspLimits { per_day: Some(1), ..AspLimits::default() });
    for _ in 0..5 {
        let refusal = stage.get(PATH, "state-cd: 33\r\ngstin: 29AAACG0527D1Z2\r\n");
        refusal.is_refusal("GSP009B", 400);
        assert_eq!(told(&refusal), [None; 3]);
    }
    assert_eq!(stage.get(PATH, "").status, 200);
    let limits = "ratelimit-limit: 9\r\nratelimit-remaining: 8\r\nRateLimit-Reset: 7\r\n";
    let gstn = StandIn::new(move |_| Act::Answer(stand_in::answer("200 OK", limits, "{}")));
    let other = crate::stage::stage(gstn.address);
    assert_eq!(told(&other.get(PATH, "")), [None; 3], "nor of GSTN's, which are those of all ASPs");
}
