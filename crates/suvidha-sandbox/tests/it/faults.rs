//! A GSTN that misbehaves on demand, as a program meets it.

use serde_json::{Value, json};
use suvidha_sandbox::{FaultKind, NewFault};

use crate::http::Request;
use crate::taxpayer::{OTP, Session, with_client};
use crate::world::{World, until};

const PERIOD: &str = "032025";

fn add(world: &World, rule: &Value) -> i64 {
    let answer = world.manage(&Request::new("POST", "/faults").json(rule));
    assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
    answer.json()["faults"][0]["id"].as_i64().unwrap()
}

fn clear(world: &World) {
    assert_eq!(world.manage(&Request::new("DELETE", "/faults")).status, 200);
}

fn counts(world: &World, id: i64) -> (u64, u64) {
    let plan = world.manage(&Request::new("GET", "/faults")).json();
    let rule = plan["faults"].as_array().unwrap().iter().find(|rule| rule["id"] == id).unwrap().clone();
    (rule["matched"].as_u64().unwrap(), rule["struck"].as_u64().unwrap())
}

fn saved(world: &World) -> Session {
    let session = world.taxpayer(&json!({"state": "29"})).login(world);
    let saved = session.saved(world, PERIOD, &["A1"]);
    assert_eq!(session.finished(world, PERIOD, &saved), "P");
    session
}

fn b2b(session: &Session) -> Request {
    session.get("returns/gstr1", "B2B", PERIOD)
}

#[test]
fn connections_are_closed_reset_and_broken_off() {
    let world = World::new();
    let session = saved(&world);
    let whole = world.gstn_raw(&b2b(&session)).0.len();
    add(&world, &json!({"kind": "drop", "count": 1, "action": "B2B"}));
    let (answer, end) = world.gstn_raw(&b2b(&session));
    assert!(answer.is_empty() && end.is_ok(), "{end:?}");
    add(&world, &json!({"kind": "reset", "count": 1}));
    let (answer, end) = world.gstn_raw(&b2b(&session));
    assert!(answer.is_empty());
    assert_eq!(end.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    add(&world, &json!({"kind": "truncate", "percent": 30, "count": 1}));
    let (answer, _) = world.gstn_raw(&b2b(&session));
    let head = String::from_utf8_lossy(&answer).to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 200") && head.contains("x-suvidha-sandbox: 1"), "{head}");
    assert!(answer.len() < whole, "{} of {whole}", answer.len());
    assert_eq!(world.gstn(&b2b(&session)).error_cd(), "", "and then all is well");
}

#[test]
fn a_save_whose_answer_is_lost_has_taken_place_or_not_as_the_rule_says() {
    let world = World::new();
    let session = world.taxpayer(&json!({"state": "29"})).login(&world);
    add(&world, &json!({"kind": "drop", "count": 1, "action": "RETSAVE"}));
    assert!(world.gstn_raw(&session.save(PERIOD, &["A1"])).0.is_empty());
    clear(&world);
    assert_eq!(world.gstn(&b2b(&session)).error_cd(), "RET13510");
    add(&world, &json!({"kind": "drop", "count": 1, "action": "RETSAVE", "processed": true}));
    assert!(world.gstn_raw(&session.save(PERIOD, &["A1"])).0.is_empty());
    clear(&world);
    until(|| {
        world.clock.advance(200);
        (world.gstn(&b2b(&session)).error_cd().is_empty()).then_some(())
    });
}

#[test]
fn answers_that_are_no_answers_of_gstn_are_marked_too() {
    let world = World::new();
    let session = saved(&world);
    for (rule, status, begins) in [
        (json!({"kind": "http_error", "count": 1}), 503, "Service Unavailable"),
        (json!({"kind": "http_error", "status": 502, "count": 1, "processed": true}), 502, "Service"),
        (json!({"kind": "html", "count": 1}), 200, "<html>"),
        (json!({"kind": "error", "code": "RTN_24", "count": 1}), 200, "{"),
        (json!({"kind": "error", "code": "AUTH403", "message": "Too many", "count": 1}), 200, "{"),
        (json!({"kind": "maintenance", "count": 1}), 503, "{"),
        (json!({"kind": "delay", "milliseconds": 5, "count": 1}), 200, "{"),
    ] {
        let id = add(&world, &rule);
        // `gstn` looks for the mark.
        let answer = world.gstn(&b2b(&session));
        assert_eq!(answer.status, status, "{rule}");
        assert!(answer.body.starts_with(begins.as_bytes()), "{rule}");
        let code = rule["code"].as_str().or((rule["kind"] == "maintenance").then_some("GEN5008"));
        if let Some(code) = code {
            assert_eq!(answer.error_cd(), code);
        }
        assert_eq!(counts(&world, id), (1, 1), "{rule}");
        clear(&world);
    }
}

#[test]
fn payloads_are_spoilt_under_their_seal() {
    let world = World::new();
    let session = saved(&world);
    let plain = session.open(&world.gstn(&b2b(&session)));
    let id = add(&world, &json!({"kind": "unknown_fields"}));
    add(&world, &json!({"kind": "reordered_keys"}));
    let spoilt = session.open(&world.gstn(&b2b(&session)));
    assert!(spoilt["sbx_unknown_field"].is_object());
    assert_eq!(spoilt["b2b"][0]["inv"][0]["inum"], plain["b2b"][0]["inv"][0]["inum"]);
    assert_eq!(world.gstn(&session.get("returns/gstr1", "CDNR", PERIOD)).error_cd(), "RET13510");
    assert_eq!(counts(&world, id), (1, 1), "a refusal has no payload to spoil");
    clear(&world);
    add(&world, &json!({"kind": "wrong_hmac", "count": 1}));
    let answer: gstn::envelope::Reply = serde_json::from_slice(&world.gstn(&b2b(&session)).body).unwrap();
    assert!(session.sek.open_reply(&answer).is_err());
    assert_eq!(session.open(&world.gstn(&b2b(&session))), plain);
}

#[test]
fn sessions_die_early_and_certificates_go_stale() {
    let world = World::new();
    let session = saved(&world);
    add(&world, &json!({"kind": "session_death", "gstin": session.gstin, "count": 1}));
    assert_eq!(world.gstn(&b2b(&session)).error_cd(), "RT-R1R3BAV-1007");
    assert_eq!(world.gstn(&b2b(&session)).error_cd(), "RT-R1R3BAV-1007", "it stays dead");
    add(&world, &json!({"kind": "stale_certificate"}));
    let taxpayer = world.taxpayer(&json!({}));
    assert_eq!(world.gstn(&taxpayer.otp_request(&world)).error_cd(), "TEC4002");
    assert_eq!(world.gstn(&taxpayer.auth_token(&world, OTP)).error_cd(), "TEC4002");
    assert_eq!(world.gstn(&b2b(&session)).error_cd(), "RT-R1R3BAV-1007", "nothing of it is encrypted to it");
    clear(&world);
    taxpayer.login(&world);
}

#[test]
fn a_rule_strikes_only_whom_it_names() {
    let world = World::new();
    let (one, two) = (saved(&world), saved(&world));
    let error = |rule: Value| {
        let mut rule = rule;
        rule["kind"] = json!("error");
        rule["code"] = json!("RET12501");
        clear(&world);
        add(&world, &rule);
    };
    let struck = |session: &Session, action: &str| {
        world.gstn(&session.get("returns/gstr1", action, PERIOD)).error_cd() == "RET12501"
    };
    error(json!({"gstin": one.gstin.to_lowercase()}));
    assert_eq!((struck(&one, "B2B"), struck(&two, "B2B")), (true, false));
    error(json!({"action": "b2b"}));
    assert_eq!((struck(&one, "B2B"), struck(&one, "CDNR")), (true, false));
    error(json!({"path": "returns/*", "method": "POST"}));
    assert!(!struck(&one, "B2B"));
    error(json!({"family": "commonapi"}));
    assert!(!struck(&one, "B2B"));
    let search = Request::new("GET", format!("/commonapi/v1.1/search?action=TP&gstin={}", one.gstin));
    assert_eq!(world.gstn(&with_client(search)).error_cd(), "RET12501");
    error(json!({"client": "l7xxsecond"}));
    assert!(!struck(&one, "B2B"));
    error(json!({"asp": "7857622155"}));
    assert!(!struck(&one, "B2B"));
    assert_eq!(world.gstn(&b2b(&one).header("aspid", "7857622155")).error_cd(), "RET12501");
}

#[test]
fn a_window_opens_and_closes_by_its_clock() {
    let world = World::new();
    let session = saved(&world);
    let clock =
        |at: &str| world.manage(&Request::new("PUT", "/clock").json(&json!({"at": at, "hold": true})));
    add(&world, &json!({"kind": "maintenance", "from": "2025-05-20T22:00", "until": "2025-05-21"}));
    for (at, open) in [
        ("2025-05-20T21:59:59", false),
        ("2025-05-20T22:00", true),
        ("2025-05-20T23:59:59", true),
        ("2025-05-21T00:00", false),
    ] {
        clock(at);
        assert_eq!(world.gstn(&b2b(&session)).status == 503, open, "{at}");
    }
    clear(&world);
    add(&world, &json!({"kind": "maintenance", "from": "2025-05-20", "clock": "real"}));
    clock("2025-06-01");
    assert_eq!(world.gstn(&b2b(&session)).status, 200, "it is April outside");
}

#[test]
fn calls_beyond_the_limit_of_a_minute_are_refused_for_each_taxpayer() {
    let world = World::new();
    let (one, two) = (saved(&world), saved(&world));
    add(&world, &json!({"kind": "throttle", "per_minute": 2}));
    let code = |session: &Session| world.gstn(&b2b(session)).error_cd();
    assert_eq!([code(&one), code(&one), code(&one)], ["", "", "GEN5005"]);
    assert_eq!(world.gstn(&b2b(&one)).status, 429);
    assert_eq!(code(&two), "");
    world.pass_minutes(1);
    assert_eq!(code(&one), "");
}

#[test]
fn a_restart_keeps_the_plan_its_counts_and_what_comes_next() {
    let strikes = |restart_after: Option<usize>| {
        let mut world = World::new();
        let session = saved(&world);
        add(&world, &json!({"kind": "error", "code": "RET12501", "rate": 0.5, "seed": 11, "action": "B2B"}));
        (0..12)
            .map(|nth| {
                let struck = !world.gstn(&b2b(&session)).error_cd().is_empty();
                if struck && restart_after.is_some_and(|after| nth >= after) {
                    world.restart();
                }
                struck
            })
            .collect::<Vec<_>>()
    };
    let struck = strikes(None);
    assert!(struck.contains(&true) && struck.contains(&false), "{struck:?}");
    assert_eq!(strikes(Some(2)), struck);
}

#[test]
fn rules_are_listed_removed_and_refused() {
    let world = World::new();
    let first = add(&world, &json!({"kind": "drop", "gstin": "27AAPFU0939F1ZV"}));
    let two = json!({"faults": [{"kind": "html"}, {"kind": "reset", "rate": 0.1}]});
    assert_eq!(
        world.manage(&Request::new("POST", "/faults").json(&two)).json()["faults"][1]["rule"]["rate"],
        0.1
    );
    let remove = |id: i64| world.manage(&Request::new("DELETE", format!("/faults/{id}"))).status;
    assert_eq!((remove(first), remove(first)), (200, 404));
    let refused = |rule: Value| {
        let answer = world.manage(&Request::new("POST", "/faults").json(&rule));
        assert_eq!(answer.status, 422);
        answer.json()["error"]["message"].as_str().unwrap().to_owned()
    };
    assert!(refused(json!({"kind": "delay"})).contains("milliseconds"));
    assert!(refused(json!({"faults": [{"kind": "drop"}, {"kind": "flood"}]})).contains("flood"));
    assert!(refused(json!({"faults": [], "kind": "drop"})).contains("kind"));
    assert_eq!(world.manage(&Request::new("GET", "/faults")).json()["faults"].as_array().unwrap().len(), 2);
}

#[test]
fn a_plan_file_and_the_strict_mode_come_and_go_with_the_settings() {
    let rules = vec![NewFault { gstin: Some("27AAPFU0939F1ZV".into()), ..NewFault::of(FaultKind::Drop) }];
    let mut world = World::with(|config| (config.faults, config.strict) = (rules, true));
    add(&world, &json!({"kind": "html", "gstin": "27AAPFU0939F1ZV"}));
    let origins = |world: &World| {
        let plan = world.manage(&Request::new("GET", "/faults")).json();
        let origins = plan["faults"].as_array().unwrap().iter();
        origins.map(|rule| rule["origin"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(origins(&world), ["file", "strict", "strict", "strict", "strict", "strict", "added"]);
    world.restart();
    assert_eq!(origins(&world).len(), 7, "nothing is doubled");
    world.change(|config| config.strict = false);
    world.restart();
    assert_eq!(origins(&world), ["file", "added"]);
    world.change(|config| config.faults.clear());
    world.restart();
    assert_eq!(origins(&world), ["added"]);
}

#[test]
fn the_log_of_calls_shows_what_was_said_and_what_was_spoilt() {
    let world = World::new();
    let session = saved(&world);
    add(&world, &json!({"kind": "wrong_hmac"}));
    world.gstn(&b2b(&session));
    let calls = |query: &str| {
        world.manage(&Request::new("GET", format!("/calls?{query}"))).json()["calls"]
            .as_array()
            .unwrap()
            .clone()
    };
    let save = &calls("api=returns/gstr1%20RETSAVE&bodies=true")[0];
    assert_eq!(save["request"]["data"]["b2b"][0]["inv"][0]["inum"], "A1");
    assert_eq!(save["request"]["hmac"], "[redacted]");
    assert!(save["answer"]["data"]["reference_id"].is_string());
    let read = &calls("api=B2B")[0];
    assert_eq!((&read["fault"], &read["request"]), (&json!("wrong_hmac"), &json!(null)));
    let shown = world.manage(&Request::new("GET", format!("/calls/{}", read["id"]))).json();
    assert_eq!(shown["answer"]["data"]["b2b"][0]["inv"][0]["inum"], "A1");
    let login = calls("api=AUTHTOKEN&bodies=true");
    assert_eq!(login[0]["request"]["otp"], "[redacted]");
    assert_eq!(login[0]["answer"]["auth_token"], "[redacted]");
    assert_eq!(calls("since=2031-01-01").len(), 0);
    assert_eq!(world.manage(&Request::new("GET", "/calls/99999")).status, 404);
    assert_eq!(world.manage(&Request::new("GET", "/calls?since=never")).status, 422);
}
