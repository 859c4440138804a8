//! When it is GSTN, or the way there, that fails.

use std::net::TcpListener;

use suvidha_gateway::config::Timeouts;

use crate::stage::{self, stage};
use crate::stand_in::{Act, StandIn, ok};

const PATH: &str = "/taxpayerapi/v1.0/returns";

fn failing(act: impl Fn() -> Act + Send + Sync + 'static) -> crate::asp::Answer {
    let gstn = StandIn::new(move |_| act());
    let timeouts = Timeouts { first_byte_ms: 300, answer_idle_ms: 300, ..Timeouts::default() };
    stage::set(gstn.address).with(|config| config.timeouts = timeouts).start().get(PATH, "")
}

#[test]
fn a_gstn_that_refuses_connections_or_has_no_address() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let answer = stage(nobody).get(PATH, "");
    answer.is_refusal("GSP030", 502);
    assert!(answer.header("retry-after").is_some());
    assert!(!answer.text().contains(&nobody.to_string()), "{}", answer.text());
    let unresolved = |config: &mut suvidha_gateway::config::Config| {
        config.environments[0].upstream = Some(stage::at("http://gstn.invalid:81"));
        config.timeouts.connect_ms = 2_000;
    };
    let answer = stage::set(nobody).with(unresolved).start().get(PATH, "");
    answer.is_refusal("GSP030", 502);
    assert!(!answer.text().contains("gstn.invalid"));
}

#[test]
fn a_gstn_that_resets_or_closes_the_connection() {
    failing(|| Act::AnswerAndReset(Vec::new())).is_refusal("GSP027", 502);
    failing(|| Act::AnswerAndClose(Vec::new())).is_refusal("GSP099", 502);
    failing(|| Act::AnswerAndClose(b"HTTP/1.1 200".to_vec())).is_refusal("GSP099", 502);
}

#[test]
fn a_gstn_that_does_not_answer_in_time() {
    failing(|| Act::Hang).is_refusal("GSP032", 504);
}

#[test]
fn a_gstn_that_does_not_speak_http() {
    failing(|| Act::AnswerAndClose(b"SSH-2.0-OpenSSH\r\n\r\n".to_vec())).is_refusal("GSP653", 502);
    failing(|| Act::Answer(b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n".to_vec()))
        .is_refusal("GSP653", 502);
    failing(|| Act::Answer(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n".to_vec()))
        .is_refusal("GSP653", 502);
}

#[test]
fn half_a_short_answer_becomes_a_clear_error() {
    let half = || b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"status_cd\":\"1\"".to_vec();
    failing(move || Act::AnswerAndClose(half())).is_refusal("GSP654", 502);
    failing(move || Act::AnswerAndReset(half())).is_refusal("GSP654", 502);
    let gstn = StandIn::raw(move |_, mut stream| {
        use std::io::{Read, Write};
        stream.read_exact(&mut [0; 16]).unwrap();
        stream.write_all(&half()).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let stage = stage::set(gstn).with(|config| config.timeouts.answer_idle_ms = 300).start();
    stage.get(PATH, "").is_refusal("GSP654", 502);
}

#[test]
fn a_failure_spoils_no_later_call() {
    let gstn = StandIn::new(|seen| match seen.connection {
        0 => Act::AnswerAndReset(Vec::new()),
        _ => Act::Answer(ok("{}")),
    });
    let stage = stage(gstn.address);
    let mut asp = stage.connect();
    let call = stage.request("GET", PATH, "", "");
    asp.send(&call).read().is_refusal("GSP027", 502);
    assert_eq!(asp.send(&call).read().status, 200);
    assert_eq!(gstn.seen().len(), 2, "what may have been sent is not sent again");
}

#[test]
fn an_answer_before_the_end_of_the_request_is_passed_on() {
    let gstn = StandIn::raw(|_, mut stream| {
        use std::io::{Read, Write};
        let mut head = [0; 16];
        stream.read_exact(&mut head).unwrap();
        stream.write_all(&crate::stand_in::answer("413 Payload Too Large", "", "too much")).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let stage = stage(gstn);
    let mut asp = stage.connect();
    asp.send(stage.request("PUT", "/taxpayerapi/v1.0/returns/gstr1", "content-length: 1000000\r\n", ""));
    asp.send("only the beginning");
    let answer = asp.read();
    assert_eq!((answer.status, answer.text().as_str()), (413, "too much"));
    assert_eq!(answer.header("x-gsp-error-origin"), Some("gstn"));
    assert_eq!(answer.header("connection"), Some("close"), "the rest of the request is in the way");
}

#[test]
fn answers_on_the_way_to_the_answer_stay_here() {
    let early = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n";
    let gstn = StandIn::new(move |_| Act::Answer([early.as_bytes(), &ok("{}")].concat()));
    let answer = stage(gstn.address).get(PATH, "");
    assert_eq!((answer.status, answer.text().as_str(), answer.header("link")), (200, "{}", None));
}

#[test]
fn answers_without_a_body_leave_both_connections_in_order() {
    let gstn = StandIn::new(|seen| {
        let status = seen.header("txn").unwrap();
        Act::Answer(format!("HTTP/1.1 {status} Empty\r\netag: \"e\"\r\n\r\n").into_bytes())
    });
    let stage = stage(gstn.address);
    let mut asp = stage.connect();
    for status in ["204", "304", "204", "304"] {
        let answer = asp.send(stage.request("GET", PATH, &format!("txn: {status}\r\n"), "")).read_head();
        assert_eq!((answer.status.to_string().as_str(), answer.header("etag")), (status, Some("\"e\"")));
        assert!(matches!(answer.header("content-length"), None | Some("0")), "{:?}", answer.headers);
    }
    assert!(gstn.seen().iter().all(|seen| seen.connection == 0));
}

#[test]
fn bytes_after_an_answer_are_nobodys_answer() {
    for act in [
        || Act::Answer([ok("mine"), ok("poison")].concat()),
        || Act::Answer(b"HTTP/1.1 304 Not Modified\r\ncontent-length: 4\r\n\r\nevil".to_vec()),
        || Act::Answer(b"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n\r\nevil".to_vec()),
    ] {
        let gstn = StandIn::new(move |seen| match seen.connection {
            0 => act(),
            _ => Act::Answer(ok("mine")),
        });
        let stage = stage::set(gstn.address).with(|config| config.threads = 1).start();
        let mut asp = stage.connect();
        asp.send(stage.request("GET", PATH, "", ""));
        assert!(matches!(asp.read_head().status, 200 | 204 | 304));
        assert_eq!(stage.get(PATH, "").text(), "mine");
    }
}

#[test]
fn an_answer_that_could_be_two_is_refused() {
    for head in ["content-length: 2\r\ncontent-length: 3", "content-length: -2", "x: a\u{0}b", "x : a"] {
        failing(move || Act::AnswerAndClose(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{{}}").into_bytes()))
            .is_refusal("GSP653", 502);
    }
    let both =
        "HTTP/1.1 200 OK\r\ncontent-length: 50\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
    let answer = failing(move || Act::Answer(both.as_bytes().to_vec()));
    assert_eq!((answer.status, answer.text().as_str()), (200, "{}"));
    assert_eq!(answer.header("content-length"), None);
}
