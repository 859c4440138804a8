//! Every call is settled, whatever happened to it: one line in the log, one entry in the ledger.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use gstn::catalogue::Origin;
use gstn::envelope::StatusCd;
use jiff::Timestamp;
use proptest::prelude::*;
use suvidha_gateway::config::Durability;
use suvidha_seam::{Clock, Seam, SystemClock, SystemRng};
use suvidha_store::ledger::{Entry, Outcome, Recorded};

use crate::log::settled;
use crate::stage::{self, Stage, stage};
use crate::stand_in::{Act, Seen, StandIn, ok};

const PATH: &str = "/taxpayerapi/v4.1/returns/gstr1";

#[test]
fn a_call_leaves_one_line_with_everything_but_its_payload() {
    let error = r#"{"status_cd":"0","error":{"error_cd":"RET11402","message":"Unauthorized User"}}"#;
    let gstn = StandIn::new(move |_| Act::Answer(ok(error)));
    let stage = stage(gstn.address);
    let headers = "txn: ONE-LINE\r\ngstin: 29AAACG0527D1Z2\r\n";
    let answer = stage.exchange(stage.request(
        "PUT",
        &format!("{PATH}?action=RETSAVE"),
        headers,
        "{\"data\":\"payload\"}",
    ));
    let lines = settled("request_id", answer.header("x-request-id").unwrap());
    assert_eq!(lines.len(), 1);
    for (field, value) in [
        ("level", "INFO"),
        ("environment", "sandbox"),
        ("aspid", stage.aspid.as_str()),
        ("txn", "ONE-LINE"),
        ("gstin", "29AAACG0527D1Z2"),
        ("api", "taxpayerapi/returns/gstr1"),
        ("action", "RETSAVE"),
        ("version", "v4.1"),
        ("status_cd", "0"),
        ("error_cd", "RET11402"),
        ("origin", "gstn"),
        ("outcome", "answered"),
    ] {
        assert_eq!(lines[0][field], value, "{field}");
    }
    assert_eq!((&lines[0]["status"], &lines[0]["bytes_in"]), (&200.into(), &18.into()));
    assert_eq!(lines[0]["bytes_out"], error.len());
    assert!(lines[0]["gstn_ms"].is_u64() && lines[0]["total_ms"].is_u64());
}

#[test]
fn a_call_leaves_one_entry_with_everything_but_its_payload() {
    let error = r#"{"status_cd":"0","error":{"error_cd":"RET11402","message":"Unauthorized User"}}"#;
    let gstn = StandIn::new(move |_| Act::Answer(ok(error)));
    let stage = stage(gstn.address);
    let headers = "txn: ONE-ENTRY\r\ngstin: 29AAACG0527D1Z2\r\nip-usr: 203.0.113.9\r\nappver: 1.2\tß\r\nusername: marker-user\r\nauth-token: marker-token\r\n";
    let call = stage.request("PUT", &format!("{PATH}?action=RETSAVE"), headers, "{\"data\":\"payload\"}");
    let before = SystemClock.now();
    let answer = stage.exchange(call);
    let entry = stage.entry(answer.header("x-request-id").unwrap());
    assert!((before..=SystemClock.now()).contains(&entry.at), "{}", entry.at);
    assert!(entry.gstn_us.is_some_and(|gstn_us| gstn_us <= entry.total_us));
    let text = |text: &str| Some(text.to_owned());
    let expected = Entry {
        id: entry.id,
        at: entry.at,
        aspid: Some(stage.aspid),
        claimed_aspid: None,
        txn: text("ONE-ENTRY"),
        gstin: text("29AAACG0527D1Z2"),
        ip_usr: text("203.0.113.9"),
        appver: text("1.2???"),
        method: text("PUT"),
        api: text("taxpayerapi/returns/gstr1"),
        action: text("RETSAVE"),
        version: text("v4.1"),
        status: Some(200),
        status_cd: Some(StatusCd::Zero),
        error_cd: text("RET11402"),
        origin: Some(Origin::Gstn),
        outcome: Outcome::Answered,
        bytes_in: 18,
        bytes_out: error.len() as u64,
        gstn_us: entry.gstn_us,
        total_us: entry.total_us,
        plan: entry.plan,
        units: entry.units,
        admitted: true,
        consent: None,
    };
    assert_eq!(entry, expected);
}

#[test]
fn an_entry_says_whose_call_it_was_only_if_that_is_proven() {
    let stage = stage(StandIn::content().address);
    let aspid = stage.aspid;
    let of = |request: String| {
        let answer = stage.exchange(request);
        let entry = stage.entry(answer.header("x-request-id").unwrap());
        (entry.aspid, entry.claimed_aspid, entry.admitted)
    };
    let named = format!("aspid: {aspid}\r\n");
    assert_eq!(of(stage.request("GET", PATH, &named, "")), (Some(aspid), None, true));
    assert_eq!(of(stage.request("GET", "/nowhere", &named, "")), (None, Some(aspid), false));
    let wrong = format!("{named}x-ct-auth-token: wrong\r\n");
    assert_eq!(of(stage::request("GET", PATH, &wrong, "")), (None, Some(aspid), false));
    let unknown = "aspid: 9999999999\r\n";
    assert_eq!(
        of(stage::request("GET", PATH, unknown, "")),
        (None, Some("9999999999".parse().unwrap()), false)
    );
}

/// How calls can end: what GSTN does, and what is found in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Whole,
    GstnError,
    Chunked,
    Long,
    Head,
    NoCredentials,
    Malformed,
    UnknownPath,
    GetKey,
    Reset,
    Closed,
    HalfShort,
    HalfLong,
    BodyCutShort,
    HangsUpEarly,
    HangsUpLate,
    Own,
}

impl Ending {
    const ALL: [Self; 17] = [
        Self::Whole,
        Self::GstnError,
        Self::Chunked,
        Self::Long,
        Self::Head,
        Self::NoCredentials,
        Self::Malformed,
        Self::UnknownPath,
        Self::GetKey,
        Self::Reset,
        Self::Closed,
        Self::HalfShort,
        Self::HalfLong,
        Self::BodyCutShort,
        Self::HangsUpEarly,
        Self::HangsUpLate,
        Self::Own,
    ];

    /// What GSTN does with such a call, whose txn names the ending.
    fn act(seen: &Seen) -> Act {
        let head = |length: usize| format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
        let long = |rest: usize| [head(100_000).into_bytes(), vec![b' '; 100_000 - rest]].concat();
        match seen.header("txn").unwrap() {
            "GstnError" => Act::Answer(ok(r#"{"status_cd":"0","error":{"error_cd":"RET11402"}}"#)),
            "Chunked" => {
                let chunked =
                    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n";
                Act::Answer(chunked.into())
            }
            "Long" => Act::Answer(long(0)),
            "Head" => Act::Answer(head(8).into_bytes()),
            "Reset" => Act::AnswerAndReset(Vec::new()),
            "Closed" => Act::AnswerAndClose(Vec::new()),
            "HalfShort" => Act::AnswerAndClose(head(10).into_bytes()),
            "HalfLong" => Act::AnswerAndClose(long(1)),
            "HangsUpEarly" => Act::Hang,
            "HangsUpLate" => Act::Answer(long(1)),
            _ => Act::Answer(ok(r#"{"status_cd":"1"}"#)),
        }
    }

    /// Makes such a call.
    fn play(self, stage: &Stage, gstn: &StandIn) {
        let mut asp = stage.connect();
        let txn = format!("txn: {self:?}\r\n");
        let call = |method, path| stage.request(method, path, &txn, "");
        match self {
            Self::Head => drop(asp.send(call("HEAD", PATH)).read_head()),
            Self::NoCredentials => drop(asp.send(stage::request("GET", PATH, &txn, "")).read()),
            Self::Malformed => drop(asp.send("nonsense\r\n\r\n").read()),
            Self::UnknownPath => drop(asp.send(call("GET", "/nowhere")).read()),
            Self::GetKey => drop(asp.send(call("POST", "/aspapi/v1.0/getKey")).read()),
            Self::Own => drop(asp.send(call("GET", "/healthz")).read()),
            Self::HalfLong => assert!(asp.send(call("GET", PATH)).try_read(true).is_err()),
            Self::BodyCutShort => {
                let cut = format!("{txn}content-length: 9\r\n");
                drop(asp.send(stage.request("PUT", PATH, &cut, "")).finish_sending().try_read(true));
            }
            Self::HangsUpEarly => {
                let before = gstn.seen().len();
                asp.send(call("GET", PATH));
                assert!(stage::soon(|| gstn.seen().len() > before));
            }
            Self::HangsUpLate => asp.send(call("GET", PATH)).starts_to_answer(),
            _ => drop(asp.send(call("GET", PATH)).read()),
        }
    }

    /// Outcome, status and error of the one entry, if there is to be one.
    fn entry(self) -> Option<(Outcome, Option<u16>, Option<&'static str>)> {
        let refused = |status, code| Some((Outcome::Refused, Some(status), Some(code)));
        match self {
            Self::Whole | Self::Chunked | Self::Long | Self::Head => {
                Some((Outcome::Answered, Some(200), None))
            }
            Self::GstnError => Some((Outcome::Answered, Some(200), Some("RET11402"))),
            Self::NoCredentials => refused(401, "GSP601"),
            Self::Malformed => refused(400, "GSP610"),
            Self::UnknownPath => refused(404, "GSP620"),
            Self::GetKey => refused(400, "GSP664"),
            Self::Reset => refused(502, "GSP027"),
            Self::Closed => refused(502, "GSP099"),
            Self::HalfShort => refused(502, "GSP654"),
            Self::HalfLong => Some((Outcome::BrokenOff, Some(200), Some("GSP654"))),
            Self::BodyCutShort => refused(400, "GSP617"),
            Self::HangsUpEarly => Some((Outcome::Abandoned, None, None)),
            Self::HangsUpLate => Some((Outcome::Abandoned, Some(200), None)),
            Self::Own => None,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, max_shrink_iters: 20, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn however_calls_end_each_leaves_exactly_one_entry(
        order in Just(Ending::ALL.repeat(2)).prop_shuffle(),
        durability in prop_oneof![Just(Durability::Strict), Just(Durability::Relaxed)],
    ) {
        let gstn = StandIn::new(Ending::act);
        let stage = stage::set(gstn.address).with(|config| config.ledger.as_mut().unwrap().durability = durability).start();
        order.iter().for_each(|ending| ending.play(&stage, &gstn));
        let mut expected: Vec<_> = order.iter().filter_map(|ending| ending.entry()).collect();
        expected.sort();
        // What was hung up on is settled when the gateway notices; nothing is entered after the drain.
        prop_assert!(stage::soon(|| stage.entries().len() >= expected.len()));
        let ledger = stage.ledger();
        let (_directory, report) = stage.drain();
        prop_assert!(report.finished);
        let entries = stage::entries_in(&ledger);
        let mut found: Vec<_> = entries.iter().map(|Recorded { entry, .. }| (entry.outcome, entry.status, entry.error_cd.as_deref())).collect();
        found.sort();
        prop_assert_eq!(found, expected);
        prop_assert!(entries.iter().zip(1..).all(|(recorded, seq)| recorded.seq == seq));
    }
}

#[test]
fn refusals_are_settled_too() {
    let stage = stage(StandIn::content().address);
    for (request, code, level) in [
        ("nonsense\r\n\r\n".to_owned(), Some("GSP610"), "INFO"),
        (stage::request("GET", PATH, "", ""), Some("GSP601"), "INFO"),
        (stage::request("GET", "/healthz", "", ""), None, "DEBUG"),
    ] {
        let answer = stage.exchange(request);
        let lines = settled("request_id", answer.header("x-request-id").unwrap());
        assert_eq!(
            (lines.len(), lines[0]["error_cd"].as_str(), lines[0]["level"].as_str()),
            (1, code, Some(level))
        );
    }
}

/// A clock that panics when a call reads it for the second time after it was armed: the first is the request id's.
#[derive(Default)]
struct Bomb {
    armed: AtomicBool,
    reads: AtomicUsize,
}

impl Clock for Bomb {
    fn now(&self) -> Timestamp {
        let in_a_call = std::thread::current().name().is_some_and(|name| name.starts_with("suvidha-lane"));
        let counts = in_a_call && self.armed.load(Ordering::SeqCst);
        let second = counts && self.reads.fetch_add(1, Ordering::SeqCst) == 1;
        assert!(!second, "the clock exploded");
        SystemClock.now()
    }
}

#[test]
fn a_panic_in_a_call_is_answered_settled_and_forgotten() {
    let gstn = StandIn::content();
    let clock = Arc::new(Bomb::default());
    let mut setting = stage::set(gstn.address);
    setting.seam = Seam { clock: clock.clone(), rng: Arc::new(SystemRng) };
    let stage = setting.start();
    let mut asp = stage.connect();
    let call = stage.request("GET", PATH, "", "");
    clock.armed.store(true, Ordering::SeqCst);
    let answer = asp.send(&call).read();
    answer.is_refusal("GSP642", 500);
    assert!(!answer.text().contains("exploded"), "{}", answer.text());
    let lines = settled("request_id", answer.header("x-request-id").unwrap());
    assert_eq!((lines.len(), lines[0]["error_cd"].as_str()), (1, Some("GSP642")));
    assert!(lines[0]["detail"].as_str().unwrap().contains("exploded"));
    let entry = stage.entry(answer.header("x-request-id").unwrap());
    assert_eq!((entry.outcome, entry.error_cd.as_deref()), (Outcome::Refused, Some("GSP642")));
    assert_eq!(asp.send(&call).read().status, 200, "the connection and the thread go on");
}
