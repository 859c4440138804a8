//! Every call is settled, whatever happened to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use jiff::Timestamp;
use suvidha_seam::{Clock, Seam, SystemClock, SystemRng};

use crate::log::settled;
use crate::stage::{self, stage};
use crate::stand_in::{StandIn, ok};

const PATH: &str = "/taxpayerapi/v4.1/returns/gstr1";

#[test]
fn a_call_leaves_one_line_with_everything_but_its_payload() {
    let error = r#"{"status_cd":"0","error":{"error_cd":"RET11402","message":"Unauthorized User"}}"#;
    let gstn = StandIn::new(move |_| crate::stand_in::Act::Answer(ok(error)));
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
    assert_eq!(asp.send(&call).read().status, 200, "the connection and the thread go on");
}
