//! Whether an ASP that is known may make this call.

use crate::asp::Asp;
use crate::stage::{self, Stage, soon, stage};
use crate::stand_in::{Act, StandIn, answer};
use suvidha_gateway::config::HeaderChecks;

const PATH: &str = "/taxpayerapi/v1.0/returns";

#[test]
fn a_suspended_asp_is_refused_until_it_is_resumed() {
    let gstn = StandIn::content();
    let stage = stage(gstn.address);
    stage.registry.suspend(&stage.aspid).unwrap();
    assert!(stage.soon(|stage| stage.get(PATH, "").status == 403));
    stage.get(PATH, "").is_refusal("GSP024", 403);
    stage.registry.resume(&stage.aspid).unwrap();
    assert!(stage.soon(|stage| stage.get(PATH, "").status == 200));
}

#[test]
fn an_address_that_is_not_allowed_is_refused() {
    let gstn = StandIn::content();
    let stage = stage(gstn.address);
    let allow = |net: &str| stage.registry.set_allowed_ips(&stage.aspid, vec![net.parse().unwrap()]).unwrap();
    allow("203.0.113.0/24");
    assert!(soon(|| stage.get(PATH, "").status == 403));
    stage.get(PATH, "").is_refusal("GSP021", 403);
    stage.get(PATH, "x-forwarded-for: 203.0.113.7\r\n").is_refusal("GSP021", 403);
    allow("127.0.0.0/8");
    assert!(soon(|| stage.get(PATH, "").status == 200));
}

#[test]
fn behind_a_trusted_proxy_the_callers_address_is_believed() {
    let gstn = StandIn::content();
    let trusted = |config: &mut suvidha_gateway::config::Config| {
        config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap(), "10.0.0.0/8".parse().unwrap()];
    };
    let stage = stage::set(gstn.address).with(trusted).start();
    stage.registry.set_allowed_ips(&stage.aspid, vec!["203.0.113.0/24".parse().unwrap()]).unwrap();
    assert!(stage.soon(|stage| stage.get(PATH, "").status == 403));
    let from = |chain: &str| stage.get(PATH, &format!("ip-usr: DESKTOPAPP\r\n{chain}"));
    assert_eq!(from("x-forwarded-for: 203.0.113.7\r\n").status, 200);
    assert_eq!(gstn.seen().pop().unwrap().header("ip-usr"), Some("203.0.113.7"));
    assert_eq!(from("x-forwarded-for: 198.51.100.1, 203.0.113.8, 10.1.1.1\r\n").status, 200);
    assert_eq!(from("x-forwarded-for: 198.51.100.1\r\nx-forwarded-for: 203.0.113.9\r\n").status, 200);
    // What the caller itself wrote is not believed.
    from("x-forwarded-for: 203.0.113.7, 198.51.100.1\r\n").is_refusal("GSP021", 403);
    from("x-forwarded-for: 203.0.113.7, nonsense\r\n").is_refusal("GSP021", 403);
}

#[test]
fn headers_that_contradict_each_other_are_refused() {
    let gstn = StandIn::content();
    let stage = stage(gstn.address);
    for (headers, code) in [
        ("state-cd: 33\r\ngstin: 29AAACG0527D1Z2\r\n", "GSP009B"),
        ("ret_period: 072025\r\nret_prd: 082025\r\n", "GSP631"),
        ("gstin: 29AAACG0527D1Z2\r\ngstin: 33AANCS2882A1ZG\r\n", "GSP631"),
        ("ret_period: 202507\r\n", "GSP630"),
        ("ret_period: 7-2025\r\n", "GSP630"),
        ("ret_prd: July\r\n", "GSP630"),
        ("txn: \t\u{1}\r\n", "GSP610"),
    ] {
        stage.get(PATH, headers).is_refusal(code, 400);
    }
    assert!(gstn.seen().is_empty());
    for fine in [
        "state-cd: 29\r\ngstin: 29AAACG0527D1Z2\r\n",
        "txn: same\r\ntxn: same\r\n",
        "gstin: gstinNumber\r\nstate-cd: 33\r\n",
    ] {
        assert_eq!(stage.get(PATH, fine).status, 200, "{fine:?}");
    }
}

const MANDATORY: [(&str, &str, &str); 6] = [
    ("state-cd", "29", "GSP009"),
    ("ip-usr", "10.0.0.1", "GSP007"),
    ("txn", "t1", "GSP006"),
    ("gstin", "29AAACG0527D1Z2", "GSP005"),
    ("username", "u", "GSP004"),
    ("auth-token", "x", "GSP008"),
];

fn all_but(missing: &str) -> String {
    let lines = MANDATORY.iter().filter(|(name, ..)| *name != missing);
    lines.map(|(name, value, _)| format!("{name}: {value}\r\n")).collect()
}

fn demands_everything(stage: &Stage) {
    for (name, _, code) in MANDATORY {
        stage.get("/taxpayerapi/v1.1/returns?action=RETSTATUS", &all_but(name)).is_refusal(code, 400);
    }
    assert_eq!(stage.get("/taxpayerapi/v1.1/returns?action=RETSTATUS", &all_but("")).status, 200);
    let bad_state = all_but("state-cd") + "state-cd: 2\r\n";
    stage.get(PATH, &bad_state.replace("gstin: 29", "gstin: xx")).is_refusal("GSP009A", 400);
}

#[test]
fn strict_checks_demand_every_mandatory_header() {
    let gstn = StandIn::content();
    let stage = stage::set(gstn.address)
        .with(|config| config.environments[0].header_checks = HeaderChecks::Strict)
        .start();
    demands_everything(&stage);
    let public = "state-cd: 29\r\nip-usr: 10.0.0.1\r\ntxn: t1\r\n";
    assert_eq!(stage.get("/commonapi/v1.1/search?action=TP", public).status, 200);
    let login = stage.request("POST", "/taxpayerapi/v1.0/authenticate", public, "{}");
    assert_eq!(stage.exchange(login).status, 200);
    stage.registry.set_strict_headers(&stage.aspid, Some(false)).unwrap();
    assert!(stage.soon(|stage| stage.get(PATH, "").status == 200), "an ASP's own setting goes first");
}

#[test]
fn strict_checks_can_be_one_asps_own() {
    let gstn = StandIn::content();
    let stage = stage(gstn.address);
    assert_eq!(stage.get(PATH, "").status, 200);
    stage.registry.set_strict_headers(&stage.aspid, Some(true)).unwrap();
    assert!(stage.soon(|stage| stage.get(PATH, "").status == 400));
    demands_everything(&stage);
}

#[test]
fn an_asp_that_reads_only_answers_with_200_gets_our_refusals_so() {
    let gstn = StandIn::new(|_| Act::Answer(answer("403 Forbidden", "", r#"{"status_cd":"0"}"#)));
    let stage = stage(gstn.address);
    stage.registry.set_always_200(&stage.aspid, true).unwrap();
    let contradiction = "state-cd: 33\r\ngstin: 29AAACG0527D1Z2\r\n";
    assert!(stage.soon(|stage| stage.get(PATH, contradiction).status == 200));
    stage.get(PATH, contradiction).is_refusal("GSP009B", 200);
    assert_eq!(stage.get(PATH, "").status, 403, "GSTN's own statuses stay");
    let nobody = Asp::connect(stage.address(stage::Sandbox)).send(stage::request("GET", PATH, "", "")).read();
    nobody.is_refusal("GSP601", 401);
}
