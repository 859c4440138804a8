//! An ASP replaces its own certificate.

use gstn::crypto::{Certificate, base64, sha256_hex};
use suvidha_gateway::config::Config;

use crate::asp::Answer;
use crate::enrolled::{ANOTHER_KEY, Enrolled, KEY, Message, enrolled, enrolled_with, stamp};
use crate::log;
use crate::stage::{self, request};
use crate::stand_in::StandIn;

const PATH: &str = "/aspapi/v1.0/setasppubcer";

fn asp() -> Enrolled {
    enrolled(StandIn::content().address)
}

fn post(asp: &Enrolled, headers: &str, body: &str) -> Answer {
    asp.stage.exchange(request("POST", PATH, headers, body))
}

fn der() -> Vec<u8> {
    let key =
        rcgen::KeyPair::from_pem_and_sign_algo(&ANOTHER_KEY.pkcs8_pem(), &rcgen::PKCS_RSA_SHA256).unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["asp".to_owned()]).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, "Acme");
    params.not_before = rcgen::date_time_ymd(2026, 11, 1);
    params.not_after = rcgen::date_time_ymd(2036, 11, 1);
    params.self_signed(&key).unwrap().der().to_vec()
}

fn pem() -> String {
    let text = base64::encode(der());
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}

#[test]
fn a_new_certificate_is_in_force_when_the_answer_comes_and_the_old_one_a_day_longer() {
    let asp = asp();
    let with_new = || asp.send(&Message::new(asp.aspid(), &ANOTHER_KEY, &stamp(asp.now())));
    with_new().refuses_getkey("GSP014", 401);
    let session = asp.session();
    let der = der();
    let body = serde_json::json!({"cer": base64::encode(&der)}).to_string();
    let answer = post(&asp, &(session.headers() + "content-type: application/json\r\n"), &body);
    let json = answer.json();
    assert_eq!((answer.status, &json["status_cd"]), (200, &"1".into()), "{json}");
    let certificate = &json["certificate"];
    assert_eq!(certificate["id"], 2);
    assert!(certificate["subject"].as_str().unwrap().contains("CN=Acme"), "{json}");
    let fingerprint = Certificate::from_der(&der).unwrap().sha256_fingerprint();
    assert_eq!(certificate["sha256"], fingerprint);
    assert_eq!(certificate["key_sha256"], sha256_hex(ANOTHER_KEY.public_key().spki_der()));
    assert_eq!(certificate["not_after"], "2036-11-01T00:00:00Z");
    assert_eq!(json["others_until"], "2026-11-23T04:45:30Z");
    assert_eq!(with_new().status, 200, "no waiting");
    assert_eq!(asp.call(&session.headers()).status, 200, "the session goes on");

    asp.advance(24 * 60 * 60 - 1);
    assert_eq!(asp.send(&asp.message()).status, 200);
    asp.advance(1);
    asp.send(&asp.message()).refuses_getkey("GSP663", 401);
    assert_eq!(with_new().status, 200);

    let logged = log::text();
    let line = logged.lines().find(|line| {
        line.contains("has replaced its signing certificate") && line.contains(asp.aspid().as_str())
    });
    let line = line.unwrap();
    assert!(line.contains("WARN") && line.contains(&fingerprint), "{line}");
    let settled = log::settled("request_id", answer.header("x-request-id").unwrap()).remove(0);
    assert_eq!(
        (&settled["api"], &settled["aspid"]),
        (&"aspapi/setasppubcer".into(), &asp.aspid().as_str().into())
    );
}

#[test]
fn a_certificate_is_taken_in_every_form() {
    for (content_type, body) in [
        ("application/json", serde_json::json!({"cer": pem()}).to_string()),
        ("application/json; charset=utf-8", serde_json::json!({"cer": base64::encode(pem())}).to_string()),
        (
            "text/plain",
            serde_json::json!({"cer": base64::encode(ANOTHER_KEY.public_key().spki_der())}).to_string(),
        ),
        ("application/x-pem-file", pem()),
        ("application/x-www-form-urlencoded", ANOTHER_KEY.public_key().spki_pem()),
    ] {
        let no_overlap = |config: &mut Config| config.getkey.certificate_overlap_ms = 0;
        let asp = enrolled_with(StandIn::content().address, no_overlap, |_, _| ());
        let headers = format!("{}content-type: {content_type}\r\n", asp.session().headers());
        let answer = post(&asp, &headers, &body);
        assert_eq!(answer.status, 200, "{content_type}: {}", answer.text());
        assert_eq!(answer.json()["others_until"], serde_json::Value::Null);
        asp.send(&asp.message()).refuses_getkey("GSP663", 401);
    }
    let asp = asp();
    let (headers, der) = (asp.session().headers(), der());
    let head = format!(
        "POST /gsp/api/aspapi/v1.1/SetASPPubCer HTTP/1.1\r\nhost: gateway\r\n{headers}content-type: application/pkix-cert\r\n\
         content-length: {}\r\n\r\n",
        der.len()
    );
    assert_eq!(asp.stage.exchange([head.into_bytes(), der].concat()).status, 200);
}

#[test]
fn only_a_live_session_may_do_it() {
    let asp = asp();
    let (session, body) = (asp.session(), pem());
    let token = format!("x-ct-auth-token: {}\r\n", asp.stage.token);
    let aspid = format!("aspid: {}\r\n", asp.aspid());
    for (headers, code, status) in [
        (String::new(), "GSP001", 401),
        (token.clone(), "GSP003", 401),
        (format!("{token}{aspid}"), "GSP003", 401),
        ("clientid: a\r\nclient-secret: b\r\n".to_owned(), "GSP003", 401),
        (aspid.clone(), "GSP002", 401),
        (format!("{aspid}password: s3cr3t\r\n"), "GSP665", 403),
        (session.headers().replace("asp-secret: ", "asp-secret: AAAA"), "GSP017", 401),
    ] {
        post(&asp, &headers, &body).is_refusal(code, status);
    }
    let answer = asp.stage.exchange(request("GET", PATH, &session.headers(), ""));
    answer.is_refusal("GSP621", 405);
    asp.advance(6 * 60 * 60);
    post(&asp, &session.headers(), &body).is_refusal("GSP022", 401);
    assert_eq!(asp.registry().certificates(asp.aspid()).unwrap().len(), 1);

    let off = |config: &mut Config| config.environments[0].identify.session = false;
    let asp = enrolled_with(StandIn::content().address, off, |_, _| ());
    post(&asp, &session.headers(), &body).is_refusal("GSP605", 403);
}

#[test]
fn a_certificate_that_cannot_be_used_changes_nothing() {
    let asp = asp();
    let headers = asp.session().headers();
    let private = String::from_utf8(KEY.pkcs8_pem().as_bytes().to_vec()).unwrap();
    for (body, words) in [
        ("nonsense".to_owned(), ""),
        (r#"{"cert":"x"}"#.to_owned(), "the text `cer`"),
        (r#"{"cer":"not base64!"}"#.to_owned(), "neither base64 nor PEM"),
        (KEY.public_key().spki_pem(), "registered already"),
    ] {
        let answer = post(&asp, &headers, &body);
        answer.is_refusal("GSP667", 400);
        assert!(answer.text().contains(words), "{}", answer.text());
        assert_eq!(asp.registry().certificates(asp.aspid()).unwrap().len(), 1);
    }
    let answer = post(&asp, &headers, &private);
    answer.is_refusal("GSP667", 400);
    assert!(answer.text().contains("private key"), "{}", answer.text());
    assert!(!answer.text().contains(&private[40..80]));
    let answer = post(&asp, &headers, &pem());
    answer.is_refusal("GSP025", 429);
    assert_eq!(answer.header("retry-after"), Some("12"));
    asp.advance(12);
    assert_eq!(post(&asp, &headers, &pem()).status, 200);
}

#[test]
fn certificates_that_will_expire_are_warned_of_once_a_day() {
    let gstn = StandIn::content();
    let asp = enrolled_with(
        gstn.address,
        |_| (),
        |registry, aspid| {
            let key =
                rcgen::KeyPair::from_pem_and_sign_algo(&ANOTHER_KEY.pkcs8_pem(), &rcgen::PKCS_RSA_SHA256)
                    .unwrap();
            let mut params = rcgen::CertificateParams::new(vec!["asp".to_owned()]).unwrap();
            params.not_before = rcgen::date_time_ymd(2026, 11, 1);
            params.not_after = rcgen::date_time_ymd(2026, 12, 1);
            let certificate = params.self_signed(&key).unwrap();
            registry.add_certificate(aspid, stage::Sandbox, certificate.der()).unwrap();
        },
    );
    let warnings = || {
        let text = log::text();
        let about = |line: &&str| line.contains("expires soon") && line.contains(asp.aspid().as_str());
        text.lines().filter(about).count()
    };
    assert!(stage::soon(|| warnings() == 1), "at the start");
    asp.advance(2 * 60 * 60);
    let later = asp.now();
    assert_eq!(asp.call(&asp.session().headers()).status, 200);
    // The keeper notes uses after it has looked through the certificates.
    assert!(stage::soon(|| asp.registry().asp_secrets(asp.aspid()).unwrap()[0].last_used_at == Some(later)));
    assert_eq!(warnings(), 1);
    asp.advance(22 * 60 * 60);
    assert!(stage::soon(|| warnings() == 2), "and on the next day");
}
