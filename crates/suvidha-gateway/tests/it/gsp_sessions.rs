//! Calls by GSP session: `aspid`, `session-id`, `asp-secret`.

use gstn::AspId;
use suvidha_store::NewToken;

use crate::enrolled::{ELSEWHERE, Enrolled, KEY, PATH, Session, enrol, enrolled};
use crate::log::settled;
use crate::stage::{self, Production, Sandbox};
use crate::stand_in::StandIn;

fn asp() -> Enrolled {
    enrolled(StandIn::content().address)
}

#[test]
fn header_names_are_read_in_any_case_and_the_secret_in_any_base64() {
    let asp = asp();
    let Session { aspid, id, asp_secret } = asp.session();
    let url_safe = asp_secret.replace('+', "-").replace('/', "_");
    for headers in [
        format!("AspId: {aspid}\r\nSESSION-ID: {id}\r\nAsp-Secret: {asp_secret}\r\n"),
        format!("aspid:{aspid}  \r\nsession-id:   {id}\r\nasp-secret: {url_safe}\r\n"),
        format!(
            "aspid: {aspid}\r\nsession-id: {id}\r\nasp-secret: {} {}\r\n",
            &asp_secret[..30],
            &asp_secret[30..]
        ),
    ] {
        for _ in 0..3 {
            assert_eq!(asp.call(&headers).status, 200, "{headers}");
        }
    }
}

#[test]
fn gstn_sees_nothing_of_a_session() {
    let gstn = StandIn::content();
    let asp = enrolled(gstn.address);
    let session = asp.session();
    let headers = format!("{}password: s3cr3t\r\nmessage-id: 1\r\ntxn: 1\r\n", session.headers());
    assert_eq!(asp.call(&headers).status, 200);
    let seen = gstn.only();
    assert_eq!(seen.header("txn"), Some("1"), "or this test could not fail");
    for name in ["aspid", "session-id", "asp-secret", "password", "message-id"] {
        assert_eq!(seen.header(name), None, "{name}");
    }
}

#[test]
fn what_is_missing_is_named_in_order() {
    let asp = asp();
    let Session { aspid, id, asp_secret } = asp.session();
    let [aspid, id, asp_secret] = [
        format!("aspid: {aspid}\r\n"),
        format!("session-id: {id}\r\n"),
        format!("asp-secret: {asp_secret}\r\n"),
    ];
    for (headers, code, status) in [
        (format!("{id}{asp_secret}"), "GSP001", 401),
        (id.clone(), "GSP001", 401),
        (format!("{aspid}{id}"), "GSP002", 401),
        (aspid.clone(), "GSP002", 401),
        (format!("{aspid}{asp_secret}"), "GSP003", 401),
        (format!("aspid: 12345\r\n{id}{asp_secret}"), "GSP001A", 401),
        (format!("aspid: 12345-7890\r\n{id}{asp_secret}"), "GSP011", 401),
        (format!("{aspid}password: s3cr3t\r\n"), "GSP665", 403),
        ("password: s3cr3t\r\n".to_owned(), "GSP601", 401),
        (format!("{aspid}{aspid}{id}{asp_secret}"), "GSP614", 400),
        (format!("{aspid}{id}{}", asp_secret.replace('-', "_")), "GSP614", 400),
    ] {
        let answer = asp.call(&headers);
        answer.is_refusal(code, status);
        assert!(!answer.text().contains("s3cr3t"));
    }
}

#[test]
fn a_foreign_altered_or_forged_session_is_refused() {
    let asp = asp();
    let own = asp.session();
    let another = stage::an_asp(asp.registry());
    let their_secret = enrol(asp.registry(), &another, Sandbox);
    asp.registry().add_certificate(&another, Sandbox, KEY.public_key().spki_der()).unwrap();
    let theirs = || {
        let message = crate::enrolled::Message::new(&another, &KEY, &crate::enrolled::stamp(asp.now()));
        asp.send(&message)
    };
    assert!(stage::soon(|| theirs().status == 200));
    let reply = theirs().json();
    let theirs = Session { aspid: another, ..asp.opened(&reply["enc_key"], &reply, &their_secret) };
    assert_eq!(asp.call(&theirs.headers()).status, 200);

    let key = asp.secret.open_session_key(asp_reply(&asp)["enc_key"].as_str().unwrap()).unwrap();
    let code = |session: &Session| {
        let answer = asp.call(&session.headers());
        assert!(!answer.text().contains(&session.id), "{}", answer.text());
        answer.json()["error"]["error_cd"].as_str().unwrap_or_default().to_owned()
    };
    let nobody: AspId = "1234567890".parse().unwrap();
    for (case, session, refusal) in [
        ("unknown ASP", Session { aspid: nobody, ..own.clone() }, "GSP012"),
        ("another's aspid", Session { aspid: another, ..own.clone() }, "GSP017"),
        ("another's id", Session { id: theirs.id.clone(), ..own.clone() }, "GSP017"),
        ("another's secret", Session { asp_secret: theirs.asp_secret.clone(), ..own.clone() }, "GSP017"),
        (
            "under another key",
            Session { asp_secret: key.seal_asp_secret(&asp.secret), ..own.clone() },
            "GSP017",
        ),
        ("no base64", Session { asp_secret: "not base64!".to_owned(), ..own.clone() }, "GSP017"),
        (
            "no id of ours",
            Session { id: "0f8fad5b-d9cb-469f-a165-7086772".to_owned(), ..own.clone() },
            "GSP017",
        ),
        ("too short an id", Session { id: own.id[1..].to_owned(), ..own.clone() }, "GSP017"),
    ] {
        assert_eq!(code(&session), refusal, "{case}");
    }
    for position in 0..own.id.len() {
        let mut id: Vec<char> = own.id.chars().collect();
        id[position] = if id[position] == 'A' { 'B' } else { 'A' };
        let altered = Session { id: id.into_iter().collect(), ..own.clone() };
        assert_eq!(code(&altered), "GSP017", "the character at {position}");
    }
    assert_eq!(asp.call(&own.headers()).status, 200);
}

fn asp_reply(asp: &Enrolled) -> serde_json::Value {
    asp.send(&asp.message()).json()
}

#[test]
fn the_secret_of_another_asp_is_not_the_secret_of_this_one() {
    let asp = asp();
    let reply = asp_reply(&asp);
    let key = asp.secret.open_session_key(reply["enc_key"].as_str().unwrap()).unwrap();
    let others = enrol(asp.registry(), &stage::an_asp(asp.registry()), Sandbox);
    let session = Session { asp_secret: key.seal_asp_secret(&others), ..asp.session() };
    let session = Session { id: reply["session_id"].as_str().unwrap().to_owned(), ..session };
    asp.call(&session.headers()).is_refusal("GSP018", 401);
}

#[test]
fn a_session_of_the_sandbox_is_none_in_production() {
    let asp = asp();
    enrol(asp.registry(), asp.aspid(), Production);
    let session = asp.session();
    assert_eq!(asp.call(&session.headers()).status, 200);
    let answer = asp.call_in(ELSEWHERE, &session.headers());
    answer.is_refusal("GSP017", 401);
}

#[test]
fn a_revoked_session_ends_and_one_made_in_the_same_second_lives() {
    let asp = asp();
    let before = asp.session();
    assert_eq!(asp.call(&before.headers()).status, 200);
    asp.registry().revoke_sessions(asp.aspid(), Some(Sandbox)).unwrap();
    asp.becomes(&before.headers(), 401);
    let answer = asp.call(&before.headers());
    answer.is_refusal("GSP022", 401);
    assert!(
        answer.text().contains("made before 22-11-2026 10:15:31 IST no longer count"),
        "{}",
        answer.text()
    );
    let line = settled("request_id", answer.header("x-request-id").unwrap()).remove(0);
    assert_eq!(line["aspid"], asp.aspid().as_str(), "the log says whose it was");
    let after = asp.session();
    assert_eq!(asp.call(&after.headers()).status, 200);
    asp.advance(1);
    assert_eq!(asp.call(&after.headers()).status, 200);
    asp.call(&before.headers()).is_refusal("GSP022", 401);
}

#[test]
fn a_session_outlives_the_rotation_of_its_master_key_but_not_its_retirement() {
    let asp = asp();
    let first = asp.session();
    asp.registry().rotate_session_key(Sandbox).unwrap();
    let mut still = asp.session();
    assert_eq!(still.id[..2], first.id[..2], "the new key is announced before it is used");
    asp.advance(10);
    assert!(stage::soon(|| {
        still = asp.session();
        still.id[..2] != first.id[..2]
    }));
    for session in [&first, &still] {
        assert_eq!(asp.call(&session.headers()).status, 200);
    }
    asp.registry().retire_session_key(Sandbox, 1).unwrap();
    asp.becomes(&first.headers(), 401);
    let answer = asp.call(&first.headers());
    answer.is_refusal("GSP022", 401);
    assert!(answer.text().contains("master key of this session was retired"), "{}", answer.text());
    assert_eq!(asp.call(&still.headers()).status, 200);
}

#[test]
fn credentials_of_several_kinds_go_together_if_they_are_one_asps() {
    let asp = asp();
    let session = asp.session().headers();
    let token = format!("x-ct-auth-token: {}\r\n", asp.stage.token);
    let aspid = format!("aspid: {}\r\n", asp.aspid());
    assert_eq!(asp.call(&format!("{token}{session}")).status, 200);
    assert_eq!(asp.call(&format!("{token}{aspid}")).status, 200, "an aspid alone is no credential");
    assert_eq!(asp.call(&format!("{token}{aspid}password: left-over\r\n")).status, 200);
    assert_eq!(
        asp.call(&format!("{token}{aspid}session-id: left-over\r\nasp-secret: of-another-gsp\r\n")).status,
        200
    );
    let left_over = "clientid: left-over\r\nclient-secret: of-another-gsp\r\n";
    assert_eq!(asp.call(&format!("{session}{left_over}")).status, 200);
    asp.call(&format!("{}{left_over}", session.replace("asp-secret: ", "asp-secret: AAAA")))
        .is_refusal("GSP017", 401);
    asp.call(&format!("{aspid}{left_over}")).is_refusal("GSP604", 401);

    let another = stage::an_asp(asp.registry());
    let theirs = asp.registry().issue_token(&another, Sandbox, NewToken::default()).unwrap();
    let theirs = format!("x-ct-auth-token: {}\r\n", theirs.token.expose());
    asp.becomes(&theirs, 200);
    asp.call(&format!("{theirs}{session}")).is_refusal("GSP603", 400);
    asp.call(&format!("x-ct-auth-token: unknown\r\n{session}")).is_refusal("GSP602", 401);
}

#[test]
fn suspension_and_addresses_are_asked_of_a_session_too() {
    let asp = asp();
    let session = asp.session().headers();
    asp.registry().suspend(asp.aspid()).unwrap();
    asp.becomes(&session, 403);
    asp.call(&session).is_refusal("GSP024", 403);
    asp.registry().resume(asp.aspid()).unwrap();
    asp.becomes(&session, 200);
    asp.registry().set_allowed_ips(asp.aspid(), vec!["203.0.113.0/24".parse().unwrap()]).unwrap();
    asp.becomes(&session, 403);
    asp.call(&session).is_refusal("GSP021", 403);
}

#[test]
fn a_reload_that_switches_sessions_on_makes_their_first_key() {
    let off = |config: &mut suvidha_gateway::config::Config| config.environments[0].identify.session = false;
    let asp = crate::enrolled::enrolled_with(StandIn::content().address, off, |_, _| ());
    asp.send(&asp.message()).refuses_getkey("GSP605", 403);
    let mut config = asp.stage.config.clone();
    config.environments[0].identify.session = true;
    config.environments[0].listen = asp.stage.address(Sandbox);
    config.environments[1].listen = asp.stage.address(Production);
    let fixed = asp.stage.running.reload(config);
    assert!(fixed.is_err(), "port 0 stands in the configuration that is in force");
    let mut config = asp.stage.config.clone();
    config.environments[0].identify.session = true;
    asp.stage.running.reload(config).unwrap();
    assert!(stage::soon(|| asp.send(&asp.message()).status == 200));
    let session = asp.session();
    let answer = asp.stage.exchange(crate::stage::request("GET", PATH, &session.headers(), ""));
    assert_eq!(answer.status, 200);
}
