//! Sessions of running gateways: they outlive a gateway that is killed, count at every gateway of one registry, and end
//! when the operator ends them.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::command::{Place, Server};
use crate::getkey::Asp;

fn sandbox(ready: &Value) -> String {
    ready["environments"]["sandbox"].as_str().unwrap().to_owned()
}

#[test]
fn a_session_outlives_a_gateway_that_is_killed() {
    let place = Place::new();
    let (mut server, first) = place.start_ready("up --listen 127.0.0.1:0");
    let demo = Asp::demo(&first);
    let session = demo.session(&sandbox(&first));
    assert!(session.is_accepted(&sandbox(&first)));
    server.signal("KILL");
    server.wait();

    let (server, second) = place.start_ready("up --listen 127.0.0.1:0");
    assert_eq!(first["asp"], second["asp"]);
    assert!(session.is_accepted(&sandbox(&second)), "{:?}", session.search(&sandbox(&second)));
    assert!(demo.session(&sandbox(&second)).is_accepted(&sandbox(&second)));
    server.stop();
}

const CONFIG: &str = r#"
[log]
format = "json"
[admin]
enabled = false
[registry]
path = "REGISTRY/registry.sqlite"
sealing_key_file = "REGISTRY/sealing.key"
[environments.sandbox]
listen = "127.0.0.1:0"
[environments.sandbox.upstream]
url = "GSTN"
client_id = "CLIENT"
client_secret_sealed = "gstn/sandbox/client-secret"
[environments.production]
enabled = false
"#;

/// A gateway with a directory of its own, and where it listens.
fn serve(config: &str) -> (Place, Server, String) {
    let place = Place::new();
    place.write("suvidha.toml", config);
    let (gateway, address) = place.start_listening("serve --config suvidha.toml");
    (place, gateway, format!("http://{address}"))
}

#[test]
fn gateways_of_one_registry_accept_each_others_sessions() {
    let place = Place::new();
    let (gstn, ready) = place.start_ready("sandbox --gstn-port 0 --management-port 0");
    let text = |key: &str| ready[key].as_str().unwrap();
    let config = CONFIG
        .replace("REGISTRY", &place.path("registry").display().to_string())
        .replace("GSTN", text("gstn"))
        .replace("CLIENT", text("client_id"));
    place.write("suvidha.toml", &config);
    let secret = fs::read_to_string(text("client_secret_file")).unwrap();
    place.run_with_input("secret set gstn/sandbox/client-secret --config suvidha.toml", &secret).succeeds();
    let asp = Asp::new(&place, "--config suvidha.toml");

    let (_one, mut first, one) = serve(&config);
    let (_other, mut second, other) = serve(&config);
    let sessions = [asp.session(&one), asp.session(&other)];
    for session in &sessions {
        assert!(session.is_accepted(&one) && session.is_accepted(&other));
    }
    place.json(&format!("asp sessions revoke {} --config suvidha.toml", asp.aspid));
    for (gateway, server) in [(&one, &mut first), (&other, &mut second)] {
        for session in &sessions {
            server.wait_until("the revocation is known", || !session.is_accepted(gateway));
            assert_eq!(session.refusal(gateway), "GSP022");
        }
    }
    let after = asp.session(&one);
    assert!(after.is_accepted(&one) && after.is_accepted(&other), "a new one is accepted");
    for server in [first, second, gstn] {
        server.stop();
    }
}

#[test]
fn what_an_operator_withdraws_is_refused_by_the_running_gateway() {
    let place = Place::new();
    let (mut server, ready) = place.start_ready("up --listen 127.0.0.1:0");
    let (gateway, demo) = (sandbox(&ready), Asp::demo(&ready));
    let session = demo.session(&gateway);
    assert!(session.is_accepted(&gateway));

    let rotated = place.json(&format!("asp secret rotate {} --environment sandbox", demo.aspid));
    let renewed = demo.with_secret(rotated["secret"].as_str().unwrap());
    server.wait_until("the new secret is known", || renewed.try_session(&gateway).is_some());
    for asp in [&demo, &renewed] {
        assert!(asp.session(&gateway).is_accepted(&gateway), "either secret counts during the overlap");
    }
    assert!(session.is_accepted(&gateway), "and so do the sessions made before");
    place.json(&format!("asp secret retire {} --environment sandbox", demo.aspid));
    server.wait_until("the old secret is refused", || !session.is_accepted(&gateway));
    assert_eq!(session.refusal(&gateway), "GSP018");
    assert!(renewed.session(&gateway).is_accepted(&gateway));

    let of_certificate = renewed.session(&gateway);
    let id = place.json(&format!("asp cert list {}", demo.aspid))[0]["id"].to_string();
    place.json(&format!("asp cert revoke {} {id}", demo.aspid));
    server.wait_until("the certificate is refused", || renewed.send(&gateway, &renewed.sign()).0 == 401);
    assert_eq!(renewed.refusal(&gateway), "GSP663");
    assert!(of_certificate.is_accepted(&gateway), "sessions made with it go on");
    server.stop();
}

#[test]
fn master_keys_are_changed_without_an_outage() {
    let place = Place::new();
    let (mut server, ready) = place.start_ready("up --listen 127.0.0.1:0");
    let (gateway, demo) = (sandbox(&ready), Asp::demo(&ready));
    let before = demo.session(&gateway);
    let state = |id: usize| {
        place.json("keys list --environment sandbox")[id - 1]["state"].as_str().unwrap().to_owned()
    };
    place.run("keys retire 1 --environment sandbox").fails(65, "makes the new sessions; rotate first");

    let stop = AtomicBool::new(false);
    thread::scope(|threads| {
        let calls = threads.spawn(|| {
            let mut calls = 0;
            while !stop.load(Ordering::SeqCst) {
                let new = demo.session(&gateway);
                assert!(new.is_accepted(&gateway) && before.is_accepted(&gateway));
                calls += 1;
                // Well below what one ASP may ask for.
                thread::sleep(Duration::from_millis(10));
            }
            calls
        });
        let rotated = place.json("keys rotate --environment sandbox");
        assert_eq!((&rotated["id"], &rotated["state"]), (&2.into(), &"next".into()));
        server.wait_until("the new key mints", || state(2) == "minting");
        let seen = demo.session(&gateway);
        assert!(seen.is_accepted(&gateway));
        stop.store(true, Ordering::SeqCst);
        assert!(calls.join().unwrap() > 10);
    });

    assert_eq!(state(1), "accepting");
    let after = demo.session(&gateway);
    let retired = place.json("keys retire 1 --environment sandbox");
    assert_eq!(retired["state"], "retired");
    assert!(retired["sessions_lapse_by"].as_str().unwrap() > retired["retired_at"].as_str().unwrap());
    server.wait_until("the key is retired", || !before.is_accepted(&gateway));
    assert_eq!(before.refusal(&gateway), "GSP022");
    assert!(after.is_accepted(&gateway), "sessions of the other key go on");
    place.run("keys retire 3 --environment sandbox").fails(65, "there is no session key 3 in sandbox");
    server.stop();
}
