//! Who is calling.

use std::sync::Arc;

use jiff::SignedDuration;
use suvidha_seam::{ManualClock, Seam, SystemRng};
use suvidha_store::NewToken;

use crate::asp::Asp;
use crate::stage::{self, Production, Sandbox, Stage, request, stage};
use crate::stand_in::StandIn;

const PATH: &str = "/taxpayerapi/v1.0/returns";

/// The answer to a call with these header lines and no others.
#[track_caller]
fn with(stage: &Stage, headers: &str) -> crate::asp::Answer {
    stage.exchange(request("GET", PATH, headers, ""))
}

#[test]
fn a_call_without_credentials_is_refused() {
    let gstn = StandIn::content();
    let stage = stage(gstn.address);
    for headers in ["", "authorization: Basic YTpi\r\n", "clientid: half-a-pair\r\n", "x-ct-auth-token:\r\n"]
    {
        let answer = with(&stage, headers);
        answer.is_refusal("GSP601", 401);
        assert!(answer.header("www-authenticate").is_some());
    }
    let mixed = with(&stage, "clientid: a\r\nkarvyclient_secret: b\r\n").text();
    assert!(mixed.contains("bears `clientid`, but no `client-secret`"), "{mixed}");
    assert!(gstn.seen().is_empty());
}

#[test]
fn an_unknown_or_mistyped_token_is_refused() {
    let gstn = StandIn::content();
    let stage = stage(gstn.address);
    with(&stage, "x-ct-auth-token: a2ceb341-asf12-1234-a54f-59d934acasaa\r\n").is_refusal("GSP602", 401);
    with(&stage, "x-ct-auth-token: \u{fc}ber\r\n").is_refusal("GSP601", 401);
    let cut = &stage.token[..stage.token.len() - 1];
    let answer = with(&stage, &format!("authorization: Bearer {cut}\r\n"));
    answer.is_refusal("GSP602", 401);
    assert!(answer.text().contains("checksum"), "{}", answer.text());
    assert!(!answer.text().contains(cut));
    assert!(gstn.seen().is_empty());
}

#[test]
fn a_token_is_good_in_either_header() {
    let gstn = StandIn::content();
    let stage = stage(gstn.address);
    let token = &stage.token;
    assert_eq!(with(&stage, &format!("x-ct-auth-token: {token}\r\n")).status, 200);
    assert_eq!(with(&stage, &format!("Authorization: bearer {token}\r\n")).status, 200);
    assert_eq!(
        with(&stage, &format!("x-ct-auth-token: {token}\r\nauthorization: Bearer {token}\r\n")).status,
        200
    );
    let answer = with(&stage, &format!("x-ct-auth-token: {token}\r\nauthorization: Bearer other\r\n"));
    answer.is_refusal("GSP603", 400);
}

#[test]
fn client_credentials_identify_migrated_customers() {
    let gstn = StandIn::content();
    let stage = stage(gstn.address);
    let own = stage.registry.issue_client_credentials(&stage.aspid, Sandbox, None, None).unwrap();
    let (id, secret) = (&own.client_id, own.client_secret.expose());
    let works = |headers: &str| with(&stage, headers).status == 200;
    assert!(stage::soon(|| works(&format!("clientid: {id}\r\nclient-secret: {secret}\r\n"))));
    assert!(works(&format!("karvyclientid: {id}\r\nkarvyclient_secret: {secret}\r\n")));
    assert_eq!(gstn.seen().pop().unwrap().header("karvyclientid"), None);
    with(&stage, &format!("clientid: {id}\r\nclient-secret: wrong\r\n")).is_refusal("GSP604", 401);
    with(&stage, "karvyclientid: nobody\r\nkarvyclient_secret: x\r\n").is_refusal("GSP604", 401);

    let token = format!("x-ct-auth-token: {}\r\n", stage.token);
    assert!(
        works(&format!("{token}clientid: {id}\r\nclient-secret: {secret}\r\n")),
        "both are the same ASP's"
    );
    assert!(works(&format!("{token}clientid: left-over\r\nclient-secret: of-another-gsp\r\n")));
    let another = stage::an_asp(&stage.registry);
    let theirs = stage.registry.issue_client_credentials(&another, Sandbox, None, None).unwrap();
    let headers = format!(
        "{token}clientid: {}\r\nclient-secret: {}\r\n",
        theirs.client_id,
        theirs.client_secret.expose()
    );
    assert!(stage::soon(|| with(&stage, &headers).status == 400));
    with(&stage, &headers).is_refusal("GSP603", 400);
}

#[test]
fn a_scheme_that_is_switched_off_is_refused() {
    let gstn = StandIn::content();
    let stage = stage::set(gstn.address).with(|config| config.environments[0].identify.token = false).start();
    with(&stage, &format!("x-ct-auth-token: {}\r\n", stage.token)).is_refusal("GSP605", 403);
}

#[test]
fn a_revoked_token_is_refused_and_others_stay_good() {
    let gstn = StandIn::content();
    let stage = stage(gstn.address);
    let second = stage.registry.issue_token(&stage.aspid, Sandbox, NewToken::default()).unwrap();
    stage.registry.revoke_token(&stage.aspid, stage.token_id).unwrap();
    assert!(stage.soon(|stage| stage.get(PATH, "").status == 401));
    stage.get(PATH, "").is_refusal("GSP607", 401);
    assert_eq!(with(&stage, &format!("x-ct-auth-token: {}\r\n", second.token.expose())).status, 200);
}

#[test]
fn a_sandbox_token_is_no_good_in_production() {
    let gstn = StandIn::content();
    let url = format!("http://{}", gstn.address);
    let stage = stage::set(gstn.address)
        .with(|config| config.environments[1].upstream = Some(stage::at(&url)))
        .start();
    let call = stage.request("GET", PATH, "", "");
    Asp::connect(stage.address(Production)).send(call).read().is_refusal("GSP606", 403);
    assert!(gstn.seen().is_empty());
}

#[test]
fn a_token_is_refused_once_its_time_is_over() {
    let gstn = StandIn::content();
    let clock = Arc::new(ManualClock::at("2026-11-22T10:00:00Z".parse().unwrap()));
    let mut setting = stage::set(gstn.address);
    setting.seam = Seam { clock: clock.clone(), rng: Arc::new(SystemRng) };
    let stage = setting.start();
    let in_an_hour =
        Seam { clock: clock.clone(), rng: Arc::new(SystemRng) }.now() + SignedDuration::from_hours(1);
    // The registry keeps the real time, so an hour of it has to be in its future too.
    let in_an_hour = in_an_hour.max(Seam::system().now() + SignedDuration::from_hours(1));
    let new = NewToken { label: None, expires_at: Some(in_an_hour) };
    let issued = stage.registry.issue_token(&stage.aspid, Sandbox, new).unwrap();
    let headers = format!("x-ct-auth-token: {}\r\n", issued.token.expose());
    assert!(stage.soon(|stage| with(stage, &headers).status == 200));
    clock.set(in_an_hour);
    with(&stage, &headers).is_refusal("GSP022", 401);
}

#[test]
fn the_registry_learns_when_a_token_was_last_used() {
    let gstn = StandIn::content();
    let stage = stage(gstn.address);
    let version = stage.registry.version().unwrap();
    assert_eq!(stage.get(PATH, "").status, 200);
    assert!(stage.soon(|stage| stage.registry.tokens(&stage.aspid).unwrap()[0].last_used_at.is_some()));
    assert_eq!(stage.registry.version().unwrap(), version);
}
