//! What GetKey refuses, and how it says why.

use gstn::crypto::{base64, sha256};
use jiff::SignedDuration;
use suvidha_gateway::config::Config;

use crate::enrolled::{
    ANOTHER_KEY, ELSEWHERE, Enrolled, KEY, Message, enrol, enrolled, enrolled_with, stamp,
};
use crate::stage::{self, Production, Sandbox, request};
use crate::stand_in::StandIn;

fn asp() -> Enrolled {
    enrolled(StandIn::content().address)
}

/// `message`, with a signature over these bytes.
fn signed_over(asp: &Enrolled, text: impl FnOnce(&str, &str) -> Vec<u8>) -> Message {
    let mut message = asp.message();
    let text = text(asp.aspid().as_str(), &message.timestamp);
    message.signed_content = base64::encode(KEY.sign_sha256(&text).unwrap());
    message
}

#[test]
fn a_form_that_is_not_right_is_named() {
    let asp = asp();
    let (good, aspid) = (asp.message(), asp.aspid().as_str());
    let unknown = good.headers.replace(aspid, "1234567890");
    for (headers, code, status) in [
        (good.headers.replace("aspid", "x-aspid"), "GSP001", 401),
        (good.headers.replace(aspid, "123"), "GSP001A", 401),
        (good.headers.replace(aspid, "123456789o"), "GSP011", 401),
        (good.headers.replace("txn", "x-txn"), "GSP006", 400),
        (good.headers.replace("txn: T-", &format!("txn: {}", "x".repeat(65))), "GSP011", 401),
        (unknown, "GSP012", 401),
        (good.headers.clone() + "aspid: 1234567890\r\n", "GSP614", 400),
    ] {
        let answer = asp.send(&Message { headers, ..good.clone() });
        if code == "GSP614" {
            answer.is_refusal(code, status)
        } else {
            drop(answer.refuses_getkey(code, status))
        }
    }
    for (body, words) in
        [("", "no JSON"), ("{}", "no `timestamp`"), (r#"{"timestamp":"x"}"#, "no `signed_content`")]
    {
        let answer = asp.stage.exchange(request("POST", "/aspapi/v1.0/getKey", &good.headers, body));
        let said = answer.refuses_getkey("GSP664", 400);
        assert!(said.contains(words), "{said}");
    }
    let said = asp.send(&asp.stamped("2026-11-22T10:15:30")).refuses_getkey("GSP664", 400);
    assert!(said.contains("must be digits"), "{said}");
    assert_eq!(asp.send(&good).status, 200);
}

#[test]
fn getkey_is_posted_and_short() {
    let asp = asp();
    let headers = asp.message().headers;
    for method in ["GET", "PUT", "DELETE"] {
        let answer = asp.stage.exchange(request(method, "/aspapi/v1.0/getKey", &headers, ""));
        answer.refuses_getkey("GSP621", 405);
        assert_eq!(answer.header("allow"), Some("POST"));
    }
    let long = format!(r#"{{"timestamp":"{}"}}"#, "1".repeat(16 * 1024));
    asp.stage.exchange(request("POST", "/aspapi/v1.0/getKey", &headers, &long)).refuses_getkey("GSP612", 413);
    let chunked = format!(
        "POST /aspapi/v1.0/getKey HTTP/1.1\r\nhost: gateway\r\n{headers}transfer-encoding: chunked\r\n\r\n{:x}\r\n{long}\r\n0\r\n\r\n",
        long.len()
    );
    let answer = asp.stage.exchange(chunked);
    answer.refuses_getkey("GSP612", 413);
    assert_eq!(answer.header("connection"), Some("close"));
}

#[test]
fn a_scheme_that_is_switched_off_gives_no_sessions() {
    let off = |config: &mut Config| config.environments[0].identify.session = false;
    let asp = enrolled_with(StandIn::content().address, off, |_, _| ());
    asp.send(&asp.message()).refuses_getkey("GSP605", 403);
    let headers = format!("aspid: {}\r\nsession-id: a\r\nasp-secret: b\r\n", asp.aspid());
    asp.call(&headers).is_refusal("GSP605", 403);
    asp.call(&format!("aspid: {}\r\n", asp.aspid())).is_refusal("GSP601", 401);
    assert_eq!(
        asp.stage.get(crate::enrolled::PATH, &headers).status,
        200,
        "beside a token it does not matter"
    );
}

#[test]
fn a_wrong_signature_is_explained() {
    let asp = asp();
    let mut message = asp.message();
    message.signed_content = base64::encode([7; 256]);
    asp.send(&message).refuses_getkey("GSP014", 401);
    asp.send(&Message::new(asp.aspid(), &ANOTHER_KEY, &stamp(asp.now()))).refuses_getkey("GSP014", 401);
    let mut later = asp.message();
    later.timestamp = stamp(asp.now());
    asp.send(&later).refuses_getkey("GSP014", 401);

    let reversed = signed_over(&asp, |aspid, timestamp| format!("{timestamp}{aspid}").into_bytes());
    let said = asp.send(&reversed).refuses_getkey("GSP014", 401);
    assert!(said.contains("sign `aspid` followed by `timestamp`"), "{said}");
    let hashed =
        signed_over(&asp, |aspid, timestamp| sha256(format!("{aspid}{timestamp}").as_bytes()).to_vec());
    let said = asp.send(&hashed).refuses_getkey("GSP014", 401);
    assert!(said.contains("hashes it once"), "{said}");
    assert_eq!(asp.send(&asp.message()).status, 200);
}

#[test]
fn a_certificate_must_be_registered_where_it_is_used() {
    let asp = asp();
    let message = asp.message();
    let said = asp.send_in(ELSEWHERE, &message).refuses_getkey("GSP013", 401);
    assert!(said.contains("in production; there is one in sandbox"), "{said}");
    let another = stage::an_asp(asp.registry());
    let theirs = || asp.send(&Message::new(&another, &KEY, &stamp(asp.now())));
    assert!(stage::soon(|| theirs().json()["error"]["error_cd"] == "GSP013"));
    assert!(!theirs().refuses_getkey("GSP013", 401).contains("there is one"));
}

#[test]
fn a_certificate_whose_time_is_over_or_has_not_come_is_named() {
    let certificate = |from: (i32, u8, u8), to: (i32, u8, u8)| {
        let key = rcgen::KeyPair::from_pem_and_sign_algo(&ANOTHER_KEY.pkcs8_pem(), &rcgen::PKCS_RSA_SHA256)
            .unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["asp".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(from.0, from.1, from.2);
        params.not_after = rcgen::date_time_ymd(to.0, to.1, to.2);
        params.self_signed(&key).unwrap().der().to_vec()
    };
    let offered = certificate((2026, 11, 23), (2026, 11, 25));
    let asp = enrolled_with(
        StandIn::content().address,
        |_| (),
        |registry, aspid| {
            registry.add_certificate(aspid, Sandbox, &offered).unwrap();
        },
    );
    let send = || asp.send(&Message::new(asp.aspid(), &ANOTHER_KEY, &stamp(asp.now())));
    let said = send().refuses_getkey("GSP662", 401);
    assert!(said.contains("number 2, which is not valid before 23-11-2026 05:30:00 IST"), "{said}");
    asp.advance(24 * 60 * 60);
    assert_eq!(send().status, 200);
    asp.advance(2 * 24 * 60 * 60);
    let said = send().refuses_getkey("GSP662", 401);
    assert!(said.contains("expired at 25-11-2026 05:30:00 IST"), "{said}");
    assert_eq!(asp.send(&asp.message()).status, 200, "another of its certificates is still good");
}

#[test]
fn a_certificate_that_was_revoked_or_replaced_is_named() {
    let asp = asp();
    let registry = asp.registry();
    let overlap = SignedDuration::from_hours(1);
    registry
        .replace_certificates(asp.aspid(), Sandbox, ANOTHER_KEY.public_key().spki_der(), overlap)
        .unwrap();
    let with_new = || asp.send(&Message::new(asp.aspid(), &ANOTHER_KEY, &stamp(asp.now())));
    assert!(stage::soon(|| with_new().status == 200));
    assert_eq!(asp.send(&asp.message()).status, 200, "both are good for an hour");
    asp.advance(60 * 60);
    let said = asp.send(&asp.message()).refuses_getkey("GSP663", 401);
    assert!(said.contains("replaced by another and counted until 22-11-2026 11:15:30 IST"), "{said}");
    let new = registry.certificates(asp.aspid()).unwrap().pop().unwrap();
    registry.revoke_certificate(asp.aspid(), new.id).unwrap();
    assert!(stage::soon(|| with_new().status == 401));
    let said = with_new().refuses_getkey("GSP663", 401);
    assert!(said.contains("revoked at 22-11-2026 11:15:30 IST"), "{said}");
}

#[test]
fn a_stale_stamp_is_told_the_time_and_the_likely_mistake() {
    let asp = asp();
    let at = |hours: i64| stamp(asp.now().saturating_add(SignedDuration::from_hours(hours)).unwrap());
    let said = asp.send(&asp.stamped(&at(-1))).refuses_getkey("GSP660", 401);
    assert!(said.contains("1 hour behind the gateway's time, 22-11-2026 10:15:30 IST"), "{said}");
    let said = asp.send(&asp.stamped("22112026044530A1B2C3")).refuses_getkey("GSP660", 401);
    assert!(said.contains("5 hours 30 minutes behind") && said.contains("if it is UTC:"), "{said}");
    let said = asp.send(&asp.stamped(&at(1))).refuses_getkey("GSP660", 401);
    assert!(said.contains("1 hour ahead of"), "{said}");
    let message = asp.message();
    asp.advance(15 * 60 + 1);
    asp.send(&message).refuses_getkey("GSP660", 401);
}

#[test]
fn a_signed_message_serves_once() {
    let asp = asp();
    let early = asp.stamped(&stamp(asp.now().saturating_add(SignedDuration::from_mins(15)).unwrap()));
    let message = asp.message();
    for message in [&message, &early] {
        assert_eq!(asp.send(message).status, 200);
        asp.send(message).refuses_getkey("GSP661", 401);
    }
    let mut respelled = message.clone();
    respelled.signed_content = respelled.signed_content.replace('+', "-").replace('/', "_");
    respelled.headers = respelled.headers.replace("txn: T-", "txn: U-");
    asp.send(&respelled).refuses_getkey("GSP661", 401);
    // The last second in which the later one is still in time.
    asp.advance(30 * 60);
    asp.send(&early).refuses_getkey("GSP661", 401);
    asp.advance(1);
    asp.send(&early).refuses_getkey("GSP660", 401);
}

#[test]
fn an_asp_that_may_not_call_gets_no_session() {
    let asp = asp();
    asp.registry().suspend(asp.aspid()).unwrap();
    assert!(stage::soon(|| asp.send(&asp.message()).status == 403));
    asp.send(&asp.message()).refuses_getkey("GSP024", 403);
    asp.registry().resume(asp.aspid()).unwrap();
    asp.registry().set_allowed_ips(asp.aspid(), vec!["203.0.113.0/24".parse().unwrap()]).unwrap();
    let refused = || asp.send(&asp.message()).json()["error"]["error_cd"] == "GSP021";
    assert!(stage::soon(refused));
    asp.send(&asp.message()).refuses_getkey("GSP021", 403);
    asp.send(&Message::new(asp.aspid(), &ANOTHER_KEY, &stamp(asp.now()))).refuses_getkey("GSP014", 401);
}

#[test]
fn without_a_secret_there_is_nothing_to_put_a_key_under() {
    let asp = asp();
    let registry = asp.registry();
    let another = stage::an_asp(registry);
    registry.add_certificate(&another, Production, KEY.public_key().spki_der()).unwrap();
    let theirs = || asp.send_in(Production, &Message::new(&another, &KEY, &stamp(asp.now())));
    assert!(stage::soon(|| theirs().json()["error"]["error_cd"] == "GSP666"));
    theirs().refuses_getkey("GSP666", 401);
    enrol(registry, &another, Production);
    assert!(stage::soon(|| theirs().status == 200));
}

#[test]
fn an_old_client_gets_its_refusals_with_200() {
    let asp = enrolled_with(
        StandIn::content().address,
        |_| (),
        |registry, aspid| {
            registry.set_always_200(aspid, true).unwrap();
        },
    );
    let mut forged = asp.message();
    forged.signed_content = base64::encode([7; 256]);
    asp.send(&forged).refuses_getkey("GSP014", 200);
    asp.send(&asp.stamped("22112026044530")).refuses_getkey("GSP660", 200);
    let session = asp.session();
    asp.advance(6 * 60 * 60);
    asp.call(&session.headers()).is_refusal("GSP022", 200);
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for() {
    let impatient = |config: &mut Config| config.timeouts.request_body_idle_ms = 200;
    let asp = enrolled_with(StandIn::content().address, impatient, |_, _| ());
    let message = asp.message();
    let post = request("POST", "/aspapi/v1.0/getKey", &message.headers, &message.body());
    let mut connection = asp.stage.connect();
    let answer = connection.send(&post[..post.len() - 1]).read();
    answer.refuses_getkey("GSP616", 408);
    assert_eq!(answer.header("connection"), Some("close"));
    let mut connection = asp.stage.connect();
    connection.send(&post[..post.len() - 1]).finish_sending();
    connection.read().refuses_getkey("GSP617", 400);
}
