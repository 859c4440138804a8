//! GetKey as it should go.

use std::sync::Arc;

use jiff::SignedDuration;
use suvidha_gateway::Gateway;
use suvidha_gateway::config::{Config, Ledger};
use suvidha_seam::{ManualClock, Rng, Seam, SystemRng};

use crate::asp::Asp;
use crate::enrolled::{KEY, Message, PATH, asp_secret, enrolled, enrolled_with, stamp, vectors};
use crate::log::{self, settled};
use crate::stage::{self, Sandbox, request};
use crate::stand_in::StandIn;

#[test]
fn a_signature_is_exchanged_for_a_session_and_the_session_calls_gstn() {
    let gstn = StandIn::content();
    let asp = enrolled(gstn.address);
    let mut message = asp.message();
    message.headers = format!("aspid: {}\r\ntxn: LAPN 24235325555\r\n", asp.aspid());
    let answer = asp.send(&message);
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let reply = answer.json();
    let keys: Vec<_> = reply.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["enc_key", "message", "session_id", "status_cd", "txn", "validity_min"]);
    assert_eq!((&reply["status_cd"], &reply["message"]), (&"1".into(), &"".into()));
    assert_eq!((&reply["txn"], &reply["validity_min"]), (&"LAPN 24235325555".into(), &360.into()));
    assert_eq!(reply["session_id"].as_str().unwrap().len(), 31);
    assert_eq!(reply["enc_key"].as_str().unwrap().len(), 64);

    let session = asp.opened(&reply["enc_key"], &reply, &asp.secret);
    for path in [
        "/taxpayerapi/v4.1/returns/gstr1",
        "/commonapi/v1.1/search?action=TP&gstin=29AAACG0527D1Z2",
        "/api/taxpayerapi/v1.0/returns/gstr3b",
        "/gsp/api/commonapi/v1.0/returns",
        "/ewaybillapi/v1.03/brand/new",
        "/eicore/v1.03/brand/new",
        "/taxpayerapi/v9.9/brand/new",
    ] {
        let answer = asp.stage.exchange(request("GET", path, &session.headers(), ""));
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let seen = gstn.seen().pop().unwrap();
        for (name, value) in seen.headers {
            let name = name.to_ascii_lowercase();
            assert!(!["aspid", "session-id", "asp-secret"].contains(&name.as_str()), "{name} went to GSTN");
            assert!(value != session.id && value != session.asp_secret);
        }
    }
}

#[test]
fn getkey_is_found_in_any_case_in_any_version_and_under_every_prefix() {
    let asp = enrolled(StandIn::content().address);
    for path in [
        "/aspapi/v1.0/getKey",
        "/aspapi/v1.1/getkey",
        "/ASPAPI/V1.0/GETKEY",
        "/api/aspapi/v1.0/getKey/",
        "//gsp//api/aspapi/v0.3/GetKey",
    ] {
        let message = asp.message();
        let answer = asp.stage.exchange(request("POST", path, &message.headers, &message.body()));
        assert_eq!((answer.status, &answer.json()["status_cd"]), (200, &"1".into()), "{path}");
    }
    for path in
        ["/aspapi/getKey", "/aspapi/v1/getKey", "/aspapi/v1.0/getKeys", "/aspapi/v1.0/getKey/x", "/getKey"]
    {
        let message = asp.message();
        asp.stage
            .exchange(request("POST", path, &message.headers, &message.body()))
            .is_refusal("GSP620", 404);
    }
}

#[test]
fn older_programs_say_message_id_and_any_tail_will_do() {
    let asp = enrolled(StandIn::content().address);
    for tail in ["", "0", "12", "aB3", "1234", "zZ9z0", "A1B2C3"] {
        let mut message = asp.stamped(&format!("22112026101530{tail}"));
        message.headers = format!("ASPID: {}\r\nMessage-Id: older{tail}\r\n", asp.aspid());
        let reply = asp.send(&message).json();
        assert_eq!(
            (&reply["status_cd"], &reply["txn"]),
            (&"1".into(), &format!("older{tail}").into()),
            "{reply}"
        );
    }
}

/// Randomness that gives the ASP the published number.
struct Published;

impl Rng for Published {
    fn fill(&self, out: &mut [u8]) {
        match out.len() {
            8 => out.copy_from_slice(&(7_857_622_155_u64 - 1_000_000_000).to_be_bytes()),
            _ => SystemRng.fill(out),
        }
    }
}

#[test]
fn the_published_signatures_are_accepted_at_their_times() {
    let clock = Arc::new(ManualClock::at("2026-11-22T04:45:30Z".parse().unwrap()));
    let seam = Seam { clock: clock.clone(), rng: Arc::new(Published) };
    let vectors = vectors();
    let pem = vectors["asp_certificate_pem"].as_str().unwrap();
    let stage = stage::set_with(StandIn::content().address, seam).start_after(|registry, aspid| {
        registry.enrol(aspid, Sandbox).unwrap();
        registry.add_certificate(aspid, Sandbox, pem.as_bytes()).unwrap();
    });
    assert_eq!(stage.aspid.as_str(), vectors["aspid"].as_str().unwrap());
    let signatures = vectors["signatures"].as_array().unwrap();
    for (signature, instant) in signatures.iter().zip([
        "2026-11-22T04:45:30Z",
        "2026-11-22T05:00:30Z",
        "2026-11-22T04:30:30Z",
        "2026-12-31T18:30:00Z",
    ]) {
        clock.set(instant.parse().unwrap());
        let headers = format!("aspid: {}\r\ntxn: 1\r\n", stage.aspid);
        let answer = stage.exchange(request("POST", "/aspapi/v1.0/getKey", &headers, &signature.to_string()));
        assert_eq!(answer.status, 200, "{}: {}", signature["timestamp"], answer.text());
    }
    assert_eq!(signatures.len(), 4);
}

#[test]
fn a_session_lasts_as_long_as_the_asp_is_told() {
    let change = |config: &mut suvidha_gateway::config::Config| config.getkey.validity_min = 5;
    let asp = enrolled_with(StandIn::content().address, change, |_, _| ());
    let told = || asp.send(&asp.message()).json()["validity_min"].clone();
    assert_eq!(told(), 5);
    let session = asp.session().headers();
    asp.advance(299);
    assert_eq!(asp.call(&session).status, 200);
    asp.advance(1);
    let answer = asp.call(&session);
    answer.is_refusal("GSP022", 401);
    assert!(
        answer.text().contains("The session ended at 22-11-2026 10:20:30 IST, 5 minutes after"),
        "{}",
        answer.text()
    );
    asp.registry().set_session_validity(asp.aspid(), Some(45)).unwrap();
    assert!(stage::soon(|| told() == 45));
}

#[test]
fn a_session_outlives_a_restart_and_is_good_at_every_gateway() {
    let asp = enrolled(StandIn::content().address);
    let seam = Seam { clock: asp.clock.clone(), rng: Arc::new(SystemRng) };
    let ledger = Some(Ledger::new(asp.stage.path("ledger of the second")));
    let config = Config { ledger, ..asp.stage.config.clone() };
    let second = Gateway::start(config, asp.registry().clone(), seam).unwrap();
    let message = asp.message();
    let post = request("POST", "/aspapi/v1.0/getKey", &message.headers, &message.body());
    let reply = Asp::connect(second.address(Sandbox).unwrap()).send(post).read().json();
    let (theirs, ours) = (asp.opened(&reply["enc_key"], &reply, &asp.secret), asp.session());
    assert_eq!(asp.call(&theirs.headers()).status, 200, "the first gateway takes the second's");
    let get = request("GET", PATH, &ours.headers(), "");
    assert_eq!(Asp::connect(second.address(Sandbox).unwrap()).send(get).read().status, 200);
    assert_ne!(theirs.id, ours.id);
    assert_eq!(asp.call(&ours.headers()).status, 200, "an ASP may have several sessions at once");
}

#[test]
fn while_a_secret_is_changed_both_open_the_session_and_both_may_be_shown() {
    let asp = enrolled(StandIn::content().address);
    let before = asp.session();
    let overlap = SignedDuration::from_hours(1);
    let new = asp.registry().rotate_asp_secret(asp.aspid(), Sandbox, overlap).unwrap();
    let new = asp_secret(new.secret.expose());
    let mut reply = asp.send(&asp.message()).json();
    assert!(stage::soon(|| {
        reply = asp.send(&asp.message()).json();
        reply["enc_key_next"].is_string()
    }));
    let with_old = asp.opened(&reply["enc_key"], &reply, &asp.secret);
    let with_new = asp.opened(&reply["enc_key_next"], &reply, &new);
    assert_ne!(with_old.asp_secret, with_new.asp_secret);
    for session in [&with_old, &with_new, &with_old, &before] {
        assert_eq!(asp.call(&session.headers()).status, 200);
    }
    asp.advance(60 * 60);
    for session in [&with_old, &before] {
        let answer = asp.call(&session.headers());
        answer.is_refusal("GSP018", 401);
        assert!(
            answer.text().contains("old secret of this ASP, which counted until 22-11-2026 11:15:30 IST")
        );
    }
    assert_eq!(asp.call(&with_new.headers()).status, 200);
    let reply = asp.send(&asp.message()).json();
    assert!(reply.get("enc_key_next").is_none());
    assert_eq!(asp.call(&asp.opened(&reply["enc_key"], &reply, &new).headers()).status, 200);
}

#[test]
fn getkey_is_settled_like_any_call_and_keeps_its_secrets() {
    let asp = enrolled(StandIn::content().address);
    let message = asp.message();
    let answer = asp.send(&message);
    let lines = settled("request_id", answer.header("x-request-id").unwrap());
    assert_eq!(lines.len(), 1);
    for (field, value) in [
        ("level", "INFO"),
        ("aspid", asp.aspid().as_str()),
        ("txn", &format!("T-{}", message.timestamp)),
        ("api", "aspapi/getKey"),
        ("version", "v1.0"),
        ("status_cd", "1"),
        ("outcome", "answered"),
    ] {
        assert_eq!(lines[0][field], value, "{field}");
    }
    assert_eq!(lines[0]["bytes_in"], message.body().len());

    let reply = answer.json();
    let session = asp.opened(&reply["enc_key"], &reply, &asp.secret);
    assert_eq!(asp.call(&session.headers()).status, 200);
    let wrong = session.headers().replace("asp-secret: ", "asp-secret: AAAA");
    asp.call(&wrong).is_refusal("GSP017", 401);
    let mut forged = asp.message();
    forged.signed_content = message.signed_content.chars().rev().collect();
    let refused = asp.send(&forged);
    settled("request_id", refused.header("x-request-id").unwrap());
    let secret = String::from_utf8(asp.secret.as_bytes().to_vec()).unwrap();
    let text = log::text();
    for kept in [
        &secret,
        &session.id,
        &session.asp_secret,
        reply["enc_key"].as_str().unwrap(),
        &message.signed_content,
        &forged.signed_content,
    ] {
        assert_eq!(text.lines().find(|line| line.contains(kept)), None, "{kept} was logged");
    }
}

#[test]
fn the_registry_learns_when_a_certificate_and_a_secret_were_last_used() {
    let asp = enrolled(StandIn::content().address);
    assert_eq!(asp.call(&asp.session().headers()).status, 200);
    assert!(stage::soon(|| {
        let secret = &asp.registry().asp_secrets(asp.aspid()).unwrap()[0];
        let certificate = &asp.registry().certificates(asp.aspid()).unwrap()[0];
        secret.last_used_at.is_some() && certificate.last_used_at.is_some()
    }));
}

#[test]
fn getkey_needs_no_gstn() {
    let no_upstream = |config: &mut suvidha_gateway::config::Config| config.environments[0].upstream = None;
    let asp = enrolled_with(StandIn::content().address, no_upstream, |_, _| ());
    let session = asp.session();
    asp.call(&session.headers()).is_refusal("GSP640", 503);
}

#[test]
fn a_body_in_pieces_is_a_body_too() {
    let asp = enrolled(StandIn::content().address);
    let message = Message::new(asp.aspid(), &KEY, &stamp(asp.now()));
    let body = message.body();
    let (first, second) = body.split_at(40);
    let mut connection = asp.stage.connect();
    connection.send(format!(
        "POST /aspapi/v1.0/getKey HTTP/1.1\r\nhost: gateway\r\n{}transfer-encoding: chunked\r\n\r\n{:x}\r\n{first}\r\n",
        message.headers,
        first.len()
    ));
    connection.send(format!("{:x}\r\n{second}\r\n0\r\n\r\n", second.len()));
    assert_eq!(connection.read().status, 200);
    let again = asp.message();
    let post = request("POST", "/aspapi/v1.0/getKey", &again.headers, &again.body());
    assert_eq!(connection.send(post).read().status, 200, "the connection goes on");
}
