//! The account password: good for what is the ASP's own or public, and guarded as what says the same at each call.

use gstn::AspId;
use suvidha_gateway::config::Config;
use suvidha_store::Registry;

use crate::asp::{Answer, Asp};
use crate::log;
use crate::stage::{self, Production, Sandbox, Stage, request, soon};
use crate::stand_in::StandIn;

const OWN: &str = "/aspapi/v1.0/getapisetting";
const PUBLIC: &str = "/commonapi/v1.1/search?action=TP&gstin=29DEMOS1234D1ZG";
const TAXPAYERS: &str = "/taxpayerapi/v1.0/returns";

/// A stage whose ASP has a password in the sandbox.
struct Known {
    stage: Stage,
    password: String,
}

fn known(gstn: &StandIn) -> Known {
    known_with(gstn, |_| (), |_, _| ())
}

fn known_with(
    gstn: &StandIn,
    change: impl FnOnce(&mut Config),
    prepare: impl FnOnce(&Registry, &AspId),
) -> Known {
    let mut password = String::new();
    let stage = stage::set(gstn.address).with(change).start_after(|registry, aspid| {
        let issued = registry.reset_password(aspid, Sandbox).unwrap();
        issued.password.expose().clone_into(&mut password);
        prepare(registry, aspid);
    });
    Known { stage, password }
}

impl Known {
    fn headers(&self) -> String {
        by(&self.stage.aspid, &self.password)
    }

    fn get(&self, path: &str, headers: &str) -> Answer {
        self.stage.exchange(request("GET", path, headers, ""))
    }
}

fn by(aspid: &AspId, password: &str) -> String {
    format!("aspid: {aspid}\r\npassword: {password}\r\n")
}

#[test]
fn a_password_serves_for_what_is_public_or_the_asps_own_and_for_no_taxpayers_affairs() {
    let gstn = StandIn::content();
    let asp = known(&gstn);
    assert_eq!(asp.get(OWN, &asp.headers()).json()["AspUserId"], asp.stage.aspid.as_str());
    assert_eq!(asp.get(PUBLIC, &asp.headers()).status, 200);
    let seen = gstn.only();
    for name in ["aspid", "password"] {
        assert_eq!(seen.header(name), None, "{name} went to GSTN");
    }
    asp.get(TAXPAYERS, &asp.headers()).is_refusal("GSP665", 403);
    let post = request("POST", "/aspapi/v1.0/setasppubcer", &asp.headers(), "{}");
    asp.stage.exchange(post).is_refusal("GSP665", 403);
    assert_eq!(gstn.seen().len(), 1);
}

#[test]
fn a_guesser_does_not_learn_what_was_wrong() {
    let gstn = StandIn::content();
    let mut without = None;
    let asp = known_with(&gstn, |_| (), |registry, _| without = Some(stage::an_asp(registry)));
    let wrong = asp.get(OWN, &by(&asp.stage.aspid, "not-the-password-at-all-")).json();
    let none = asp.get(OWN, &by(&without.unwrap(), "not-the-password-at-all-")).json();
    let unknown = asp.get(OWN, &by(&"1234567890".parse().unwrap(), "not-the-password-at-all-")).json();
    for answer in [&wrong, &none, &unknown] {
        assert_eq!(answer["error"]["error_cd"], "GSP020A", "{answer}");
        assert_eq!(answer["error"]["message"], wrong["error"]["message"]);
    }
    let secret = asp.get(OWN, &by(&asp.stage.aspid, "0123456789abcdef0123456789abcdef"));
    secret.is_refusal("GSP020A", 401);
    assert!(secret.text().contains("ASP secret"), "{}", secret.text());
    asp.get(PUBLIC, &by(&asp.stage.aspid, "wrong")).is_refusal("GSP020A", 401);
    assert!(gstn.seen().is_empty());
}

#[test]
fn half_of_it_is_told_and_a_token_beside_it_goes_first() {
    let gstn = StandIn::content();
    let asp = known(&gstn);
    let (aspid, password) = (&asp.stage.aspid, &asp.password);
    for path in [OWN, PUBLIC] {
        asp.get(path, &format!("aspid: {aspid}\r\n")).is_refusal("GSP016", 401);
        asp.get(path, &format!("password: {password}\r\n")).is_refusal("GSP016", 401);
        asp.get(path, "").is_refusal("GSP601", 401);
        asp.get(path, &by(aspid, "")).is_refusal("GSP016", 401);
        asp.get(path, &format!("aspid: 12345\r\npassword: {password}\r\n")).is_refusal("GSP001A", 401);
        assert_eq!(asp.stage.get(path, &by(aspid, "left-over")).status, 200);
    }
}

#[test]
fn it_belongs_to_one_environment_and_a_new_one_takes_the_place_of_the_old() {
    let asp = known(&StandIn::content());
    let own = request("GET", OWN, &asp.headers(), "");
    Asp::connect(asp.stage.address(Production)).send(own).read().is_refusal("GSP606", 403);
    let issued = asp.stage.registry.reset_password(&asp.stage.aspid, Sandbox).unwrap();
    assert!(soon(|| asp.get(OWN, &asp.headers()).status == 401));
    assert_eq!(asp.get(OWN, &by(&asp.stage.aspid, issued.password.expose())).status, 200);
}

#[test]
fn suspended_from_elsewhere_or_switched_off_it_does_not_serve() {
    let gstn = StandIn::content();
    let asp = known_with(
        &gstn,
        |config| config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()],
        |registry, aspid| registry.set_allowed_ips(aspid, vec!["203.0.113.0/24".parse().unwrap()]).unwrap(),
    );
    let from = |address: &str| format!("{}x-forwarded-for: {address}\r\n", asp.headers());
    asp.get(OWN, &from("198.51.100.1")).is_refusal("GSP021", 403);
    assert_eq!(asp.get(OWN, &from("203.0.113.7")).status, 200);
    asp.stage.registry.suspend(&asp.stage.aspid).unwrap();
    assert!(soon(|| asp.get(OWN, &from("203.0.113.7")).status == 403));
    asp.get(PUBLIC, &from("203.0.113.7")).is_refusal("GSP024", 403);

    let off = known_with(&gstn, |config| config.environments[0].identify.password = false, |_, _| ());
    for path in [OWN, PUBLIC] {
        off.get(path, &off.headers()).is_refusal("GSP605", 403);
    }
    assert!(gstn.seen().is_empty());
}

#[test]
fn in_the_query_it_is_refused_unless_the_operator_allows_it() {
    let gstn = StandIn::content();
    let asp = known(&gstn);
    let (aspid, password) = (asp.stage.aspid, &asp.password);
    for path in [OWN.to_owned() + "?", PUBLIC.to_owned() + "&", TAXPAYERS.to_owned() + "?"] {
        for pair in [
            format!("aspid={aspid}&password={password}"),
            format!("AspId={aspid}&PASSWORD={password}"),
            format!("aspid={aspid}&p%61ssword={password}"),
            format!("password={password}"),
            format!("aspid={aspid}&password={password}&password=x"),
        ] {
            for answer in [asp.get(&format!("{path}{pair}"), ""), asp.stage.get(&format!("{path}{pair}"), "")]
            {
                answer.is_refusal("GSP677", 400);
                assert!(!answer.text().contains(password.as_str()), "{}", answer.text());
            }
        }
    }
    assert!(gstn.seen().is_empty());
}

#[test]
fn where_it_is_allowed_gstn_gets_the_query_without_it() {
    let gstn = StandIn::content();
    let asp = known_with(&gstn, |config| config.environments[0].identify.password_in_query = true, |_, _| ());
    let (aspid, password) = (asp.stage.aspid, &asp.password);
    let own = asp.get(&format!("{OWN}?ASPID={aspid}&Password={password}"), "");
    assert_eq!(own.json()["AspUserId"], aspid.as_str(), "{}", own.text());
    let search = "/commonapi/v1.1/search";
    for (query, rest) in [
        (format!("aspid={aspid}&password={password}&Action=TP&Gstin=a%2Fb"), "?Action=TP&Gstin=a%2Fb"),
        (format!("Action=TP&AspId={aspid}&x=1&PASSWORD={password}"), "?Action=TP&x=1"),
        (format!("aspid={aspid}&p%61ssword={password}"), ""),
    ] {
        assert_eq!(asp.get(&format!("{search}?{query}"), "").status, 200);
        assert_eq!(gstn.seen().last().unwrap().line, format!("GET {search}{rest} HTTP/1.1"));
    }
    // Beside other credentials too, and where it is of no use.
    assert_eq!(asp.stage.get(&format!("{search}?password={password}&a=b"), "").status, 200);
    assert_eq!(gstn.seen().last().unwrap().line, format!("GET {search}?a=b HTTP/1.1"));
    asp.get(&format!("{TAXPAYERS}?aspid={aspid}&password={password}"), "").is_refusal("GSP665", 403);
    asp.get(&format!("{OWN}?aspid={aspid}&password=wrong"), "").is_refusal("GSP020A", 401);
    let twice = asp.get(&format!("{OWN}?aspid={aspid}&password=another"), &asp.headers());
    twice.is_refusal("GSP603", 400);
    asp.get(&format!("{OWN}?aspid={aspid}&password={password}&PassWord=x"), "").is_refusal("GSP603", 400);
    asp.get(&format!("{OWN}?aspid={aspid}&password={password}&aspid=1234567890"), "")
        .is_refusal("GSP603", 400);
}

#[test]
fn it_is_written_down_nowhere() {
    let asp = known_with(
        &StandIn::content(),
        |config| config.environments[0].identify.password_in_query = true,
        |_, _| (),
    );
    let (aspid, password) = (asp.stage.aspid, &asp.password);
    let both = format!("aspid={aspid}&password={password}");
    let txn = "txn: PASSWORD-SECRECY\r\n";
    asp.get(&format!("{OWN}?{both}"), txn);
    asp.get(&format!("{PUBLIC}&{both}"), txn);
    asp.get(OWN, &(asp.headers() + txn));
    for wrong in
        [format!("{OWN}?{both}&unknown=x"), format!("{OWN}?aspid={aspid}&password=marker-{password}")]
    {
        let answer = asp.get(&wrong, txn);
        assert!(answer.status >= 400 && !answer.text().contains(password.as_str()), "{}", answer.text());
    }
    let refusing = known(&StandIn::content());
    refusing.get(&format!("{OWN}?{both}"), txn).is_refusal("GSP677", 400);
    assert!(soon(|| log::settled("txn", "PASSWORD-SECRECY").len() == 6));
    let text = log::text();
    assert_eq!(text.lines().find(|line| line.contains(password.as_str())), None);
    for file in std::fs::read_dir(asp.stage.path("ledger")).unwrap() {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let found = bytes.windows(password.len()).any(|window| window == password.as_bytes());
        assert!(!found, "{} has the password", path.display());
    }
}

#[test]
fn guessing_is_limited_and_locks_out_nobody_who_is_known() {
    let gstn = StandIn::content();
    let asp = known_with(
        &gstn,
        |config| {
            config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
            (config.getkey.failures_per_address, config.getkey.failures_per_asp) = (3, 5);
        },
        |_, _| (),
    );
    let right = |address: &str| asp.get(OWN, &format!("{}x-forwarded-for: {address}\r\n", asp.headers()));
    let guess = |address: &str| {
        let headers = by(&asp.stage.aspid, "a-guess") + &format!("x-forwarded-for: {address}\r\n");
        asp.get(OWN, &headers)
    };
    assert_eq!(right("203.0.113.7").status, 200);
    for _ in 0..3 {
        guess("198.51.100.1").is_refusal("GSP020A", 401);
    }
    let told_to_wait = right("198.51.100.1");
    told_to_wait.is_refusal("GSP025", 429);
    assert!(told_to_wait.header("retry-after").is_some());
    let heard = (2..=20).filter(|last| guess(&format!("198.51.100.{last}")).status == 401).count();
    assert_eq!(heard, 2, "five in the name of the ASP, from however many addresses");
    assert_eq!(right("203.0.113.7").status, 200);
    right("198.51.100.99").is_refusal("GSP025", 429);
}
