//! Following the registry, taking a new configuration, and coming to rest.

use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::mpsc;
use std::time::Duration;

use suvidha_gateway::config::{Config, EnvironmentConfig, Trace};
use suvidha_gateway::{DrainReport, Gateway, StartError};
use suvidha_seam::Seam;
use suvidha_store::NewToken;
use suvidha_store::ledger::Outcome;

use crate::asp::NoAnswer;
use crate::stage::{self, Production, Sandbox, request, soon, stage};
use crate::stand_in::{Act, StandIn, ok};

const PATH: &str = "/taxpayerapi/v1.0/returns";

#[test]
fn a_new_token_is_good_without_a_restart() {
    let stage = stage(StandIn::content().address);
    let aspid = stage::an_asp(&stage.registry);
    let issued = stage.registry.issue_token(&aspid, Sandbox, NewToken::default()).unwrap();
    let call =
        request("GET", PATH, &format!("x-ct-auth-token: {}\r\ntxn: NEW-ASP\r\n", issued.token.expose()), "");
    assert!(soon(|| stage.exchange(&call).status == 200));
    let settled = crate::log::settled("txn", "NEW-ASP");
    assert_eq!(settled.last().unwrap()["aspid"], aspid.as_str());
}

#[test]
fn a_reload_is_in_force_for_the_next_call() {
    let (old, new) = (StandIn::content(), StandIn::content());
    let stage = stage(old.address);
    let mut asp = stage.connect();
    let call = stage.request("GET", PATH, "", "");
    assert_eq!(asp.send(&call).read().status, 200);
    let mut config = stage.config.clone();
    config.environments[0].upstream = Some(stage::at(&format!("http://{}/prefix/", new.address)));
    stage.running.reload(config).unwrap();
    assert_eq!(asp.send(&call).read().status, 200);
    assert_eq!(old.seen().len(), 1);
    assert_eq!(new.only().line, format!("GET /prefix{PATH} HTTP/1.1"));
}

#[test]
fn a_bad_reload_changes_nothing_and_says_why() {
    let gstn = StandIn::content();
    let stage = stage(gstn.address);
    let changed = |change: &dyn Fn(&mut Config)| {
        let mut config = stage.config.clone();
        change(&mut config);
        stage.running.reload(config).unwrap_err().to_string()
    };
    let elsewhere = "127.0.0.1:1".parse().unwrap();
    for (why, message) in [
        ("listener's address", changed(&|config| config.environments[0].listen = elsewhere)),
        ("set of environments", changed(&|config| config.environments.truncate(1))),
        ("trace", changed(&|config| config.trace = Some(Trace::new("http://127.0.0.1:9")))),
        ("threads", changed(&|config| config.threads = 1)),
        ("no environment", changed(&|config| config.environments.clear())),
        (
            "not a URL",
            changed(&|config| config.environments[0].upstream.as_mut().unwrap().url = " ".to_owned()),
        ),
        (
            "client_id",
            changed(&|config| config.environments[0].upstream.as_mut().unwrap().client_id = String::new()),
        ),
        ("head_bytes", changed(&|config| config.limits.head_bytes = 1)),
        ("first_byte_ms", changed(&|config| config.timeouts.first_byte_ms = 0)),
        ("tolerance_ms", changed(&|config| config.getkey.tolerance_ms = 0)),
        ("validity_min", changed(&|config| config.getkey.validity_min = 4)),
        ("failures_per_asp", changed(&|config| config.getkey.failures_per_asp = 0)),
        (
            "/no/such/file",
            changed(&|config| config.environments[1].ca_certificate = Some("/no/such/file".into())),
        ),
        (
            "https",
            changed(&|config| config.environments[1].upstream = Some(stage::at("http://api.gst.gov.in"))),
        ),
    ] {
        // An empty set differs from the one in force, and that is said first.
        let why = if why == "no environment" { "set of environments" } else { why };
        assert!(message.contains(why), "{message:?} does not say {why:?}");
    }
    assert_eq!(stage.get(PATH, "").status, 200);
    assert_eq!(gstn.seen().len(), 1);
}

#[test]
fn what_cannot_work_does_not_start() {
    let setting = stage::set(StandIn::content().address);
    let start =
        |config: Config| Gateway::start(config, setting.registry.clone(), Seam::system()).err().unwrap();
    assert!(matches!(start(Config::default()), StartError::NoEnvironment));
    let mut twice = setting.config.clone();
    twice.environments[1].environment = Sandbox;
    assert!(matches!(start(twice), StartError::EnvironmentTwice(Sandbox)));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let environments = vec![EnvironmentConfig::new(Sandbox, taken.local_addr().unwrap())];
    let config = Config { environments, ..Config::default() };
    assert!(matches!(start(config), StartError::Listen { environment: Sandbox, .. }));
}

#[test]
fn a_configuration_is_read_from_text_with_its_defaults_and_no_strangers() {
    let text = r#"{"environments":[{"environment":"sandbox","listen":"127.0.0.1:0",
        "upstream":{"url":"https://devapi.gst.gov.in","client_id":"l7","client_secret":"marker-x"}}],
        "trusted_proxies":["10.0.0.0/8"],"timeouts":{"connect_ms":7}}"#;
    let config: Config = serde_json::from_str(text).unwrap();
    assert_eq!((config.threads, config.timeouts.connect_ms, config.timeouts.first_byte_ms), (0, 7, 120_000));
    assert!(!format!("{config:?}").contains("marker-x"));
    let stranger = text.replace("connect_ms", "connect_msec");
    assert!(serde_json::from_str::<Config>(&stranger).unwrap_err().to_string().contains("connect_msec"));
}

/// A GSTN that answers when told to.
fn hesitant() -> (StandIn, mpsc::Sender<()>) {
    let (tell, told) = mpsc::channel();
    let told = Mutex::new(told);
    let gstn = StandIn::new(move |_| {
        let _ = told.lock().unwrap().recv();
        Act::Answer(ok(r#"{"status_cd":"1"}"#))
    });
    (gstn, tell)
}

#[test]
fn a_drain_lets_calls_finish_and_takes_no_more() {
    let (gstn, tell) = hesitant();
    let stage = stage(gstn.address);
    let address = stage.address(Sandbox);
    let (mut busy, mut idle) = (stage.connect(), stage.connect());
    assert_eq!(idle.send(request("GET", "/readyz", "", "")).read().status, 200);
    busy.send(stage.request("GET", PATH, "", ""));
    assert!(soon(|| gstn.seen().len() == 1));
    let draining = std::thread::spawn(move || stage.running.drain(Duration::from_secs(20)));
    assert!(soon(|| TcpStream::connect(address).is_err()), "the listener closes");
    assert_eq!(idle.try_read(true).unwrap_err(), NoAnswer::Closed);
    tell.send(()).unwrap();
    let answer = busy.read();
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    assert_eq!(draining.join().unwrap(), DrainReport { finished: true, aborted: 0 });
}

#[test]
fn a_drain_can_be_announced_to_a_load_balancer_first() {
    let gstn = StandIn::content();
    let stage = stage::set(gstn.address).with(|config| config.timeouts.drain_announce_ms = 3_000).start();
    let address = stage.address(Sandbox);
    let call = stage.request("GET", PATH, "", "");
    let mut kept = stage.connect();
    assert_eq!(kept.send(&call).read().header("connection"), None);
    let draining = std::thread::spawn(move || stage.running.drain(Duration::from_secs(20)));
    let fresh = |request: &str| crate::asp::Asp::connect(address).send(request).read();
    assert!(soon(|| fresh(&request("GET", "/readyz", "", "")).status == 503));
    assert_eq!(fresh(&request("GET", "/healthz", "", "")).status, 200);
    assert_eq!(fresh(&call).status, 200, "announced is not yet closed");
    let last = kept.send(&call).read();
    assert_eq!(
        (last.status, last.header("connection")),
        (200, Some("close")),
        "its next call goes elsewhere"
    );
    assert!(draining.join().unwrap().finished);
}

#[test]
fn a_drain_ends_at_its_deadline_and_settles_what_it_cuts_off() {
    let (gstn, _tell) = hesitant();
    let stage = stage(gstn.address);
    let mut asp = stage.connect();
    asp.send(stage.request("GET", PATH, "txn: CUT-OFF\r\n", ""));
    assert!(soon(|| gstn.seen().len() == 1));
    let ledger = stage.ledger();
    let report = stage.running.drain(Duration::from_millis(100));
    assert_eq!(report, DrainReport { finished: false, aborted: 1 });
    assert!(asp.try_read(true).is_err());
    assert_eq!(crate::log::settled("txn", "CUT-OFF").len(), 1);
    let entries = stage::entries_in(&ledger);
    let entry = &entries[0].entry;
    assert_eq!(
        (entries.len(), entry.outcome, entry.error_cd.as_deref()),
        (1, Outcome::BrokenOff, Some("GSP641"))
    );
}

#[test]
fn all_threads_of_an_environment_share_one_port() {
    let gstn = StandIn::content();
    let stage = stage::set(gstn.address).with(|config| config.threads = 4).start();
    assert_ne!(stage.address(Sandbox), stage.address(Production));
    for _ in 0..40 {
        assert_eq!(stage.get(PATH, "").status, 200);
    }
}
