//! Requests that no decent program sends. Each gets its own answer, in our envelope, before anything is believed.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::asp::NoAnswer;
use crate::stage::{self, stage};
use crate::stand_in::{Act, StandIn};

const PUT: &str = "PUT /taxpayerapi/v1.0/returns/gstr1 HTTP/1.1\r\nhost: g\r\n";

#[test]
fn malformed_heads_are_refused_by_us_and_not_by_the_library() {
    let gstn = StandIn::content();
    let stage = stage(gstn.address);
    let long = "a".repeat(40_000);
    let many = "a: b\r\n".repeat(101);
    for (request, code, status) in [
        ("nonsense\r\n\r\n", "GSP610", 400),
        ("GET /\u{7f} HTTP/1.1\r\nhost: g\r\n\r\n", "GSP610", 400),
        ("GET / HTTP/3.0\r\nhost: g\r\n\r\n", "GSP610", 400),
        ("GET / HTTP/1.1\r\n\r\n", "GSP610", 400),
        ("GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", "GSP610", 400),
        ("GET / HTTP/1.1\r\nhost : g\r\n\r\n", "GSP610", 400),
        ("GET / HTTP/1.1\r\nhost: g\r\nno colon\r\n\r\n", "GSP610", 400),
        ("GET / HTTP/1.1\r\nhost: g\r\na: b\r\n folded\r\n\r\n", "GSP610", 400),
        ("GET / HTTP/1.1\r\nhost: g\r\na: \u{0}\r\n\r\n", "GSP610", 400),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GSP610", 400),
        (&format!("GET /{long} HTTP/1.1\r\nhost: g\r\n\r\n"), "GSP611", 431),
        (&format!("GET / HTTP/1.1\r\nhost: g\r\na: {long}\r\n\r\n"), "GSP611", 431),
        (&format!("GET / HTTP/1.1\r\nhost: g\r\n{many}\r\n"), "GSP611", 431),
        (&format!("{PUT}content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"), "GSP613", 400),
        (&format!("{PUT}transfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n0\r\n\r\n"), "GSP613", 400),
        (&format!("{PUT}content-length: 2\r\ncontent-length: 2\r\n\r\n{{}}"), "GSP613", 400),
        (&format!("{PUT}content-length: 2, 2\r\n\r\n{{}}"), "GSP613", 400),
        (&format!("{PUT}content-length: -2\r\n\r\n{{}}"), "GSP613", 400),
        (&format!("{PUT}content-length: two\r\n\r\n{{}}"), "GSP613", 400),
        (&format!("{PUT}transfer-encoding: gzip\r\n\r\n{{}}"), "GSP613", 400),
        ("GET /taxpayerapi/v1.0/../../etc HTTP/1.1\r\nhost: g\r\n\r\n", "GSP610", 400),
        ("GET /taxpayerapi/%2e%2e/x HTTP/1.1\r\nhost: g\r\n\r\n", "GSP610", 400),
        ("GET /taxpayerapi%2fv1.0/x HTTP/1.1\r\nhost: g\r\n\r\n", "GSP610", 400),
        ("GET /taxpayerapi/v1.0/x%0d%0a HTTP/1.1\r\nhost: g\r\n\r\n", "GSP610", 400),
    ] {
        let mut asp = stage.connect();
        let answer = asp.send(request).read();
        answer.is_refusal(code, status);
        if answer.header("connection") == Some("close") {
            assert_eq!(asp.try_read(true).unwrap_err(), NoAnswer::Closed, "after {request:?}");
        }
    }
    assert!(gstn.seen().is_empty());
}

#[test]
fn a_bad_head_is_refused_however_its_bytes_arrive() {
    let stage = stage(StandIn::content().address);
    let fine = stage.request("PUT", "/taxpayerapi/v1.0/returns/gstr1", "", "{}");
    let chunked =
        stage.request("PUT", "/taxpayerapi/v1.0/returns/gstr1", "transfer-encoding: chunked\r\n", "")
            + "2\r\n{}\r\n0\r\n\r\n";
    let bad = format!("{PUT}content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n");
    let mut at_once = stage.connect();
    at_once.send(format!("{fine}{chunked}{bad}"));
    assert_eq!((at_once.read().status, at_once.read().status), (200, 200));
    at_once.read().is_refusal("GSP613", 400);

    let mut byte_by_byte = stage.connect();
    for request in [&fine, &chunked, &bad] {
        for byte in request.as_bytes() {
            if !byte_by_byte.send_if_taken([*byte]) {
                break;
            }
        }
        if request != &bad {
            assert_eq!(byte_by_byte.read().status, 200);
        }
    }
    byte_by_byte.read().is_refusal("GSP613", 400);
}

#[test]
fn what_a_refused_head_carries_is_never_taken_for_a_request() {
    let gstn = StandIn::content();
    let stage = stage(gstn.address);
    let smuggled = stage.request("GET", "/taxpayerapi/v1.0/returns", "", "");
    let mut asp = stage.connect();
    asp.send(format!("{PUT}content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}"));
    asp.read().is_refusal("GSP613", 400);
    assert_eq!(asp.try_read(true).unwrap_err(), NoAnswer::Closed);
    assert!(gstn.seen().is_empty());
}

#[test]
fn an_asp_that_gives_up_in_the_middle_of_a_head_is_told() {
    let stage = stage(StandIn::content().address);
    let mut asp = stage.connect();
    asp.send("GET / HTTP/1.1\r\nhost:").finish_sending().read().is_refusal("GSP610", 400);
}

#[test]
fn a_slow_head_is_refused() {
    let stage =
        stage::set(StandIn::content().address).with(|config| config.timeouts.request_head_ms = 200).start();
    let mut asp = stage.connect();
    assert_eq!(asp.send(stage.request("GET", "/taxpayerapi/v1.0/returns", "", "")).read().status, 200);
    asp.send("GET /taxpayer").read().is_refusal("GSP616", 408);
}

#[test]
fn a_connection_without_calls_is_closed_in_silence() {
    let stage =
        stage::set(StandIn::content().address).with(|config| config.timeouts.keep_alive_ms = 200).start();
    assert_eq!(stage.connect().try_read(true).unwrap_err(), NoAnswer::Closed);
    let mut used = stage.connect();
    assert_eq!(used.send(stage.request("GET", "/healthz", "", "")).read().status, 200);
    assert_eq!(used.try_read(true).unwrap_err(), NoAnswer::Closed);
}

#[test]
fn line_ends_after_a_body_begin_no_request() {
    let stage = stage::set(StandIn::content().address)
        .with(|config| (config.timeouts.request_head_ms, config.timeouts.keep_alive_ms) = (50, 500))
        .start();
    let call = stage.request("PUT", "/taxpayerapi/v1.0/returns/gstr1", "", "{}");
    let mut asp = stage.connect();
    for _ in 0..2 {
        assert_eq!(asp.send(&call).send("\r\n").read().status, 200);
    }
    assert_eq!(asp.try_read(true).unwrap_err(), NoAnswer::Closed, "and not told that its head is slow");
    let mut asp = stage.connect();
    assert_eq!(asp.send(&call).read().status, 200);
    assert_eq!(
        asp.send("\r\n").finish_sending().try_read(true).unwrap_err(),
        NoAnswer::Closed,
        "and not told that its head is cut"
    );
}

#[test]
fn line_ends_alone_keep_no_connection_open() {
    let stage =
        stage::set(StandIn::content().address).with(|config| config.timeouts.keep_alive_ms = 200).start();
    let mut asp = stage.connect();
    for _ in 0..100 {
        asp.send_if_taken("\r\n\n");
        std::thread::sleep(Duration::from_millis(50));
        if !asp.is_silent(Duration::from_millis(1)) {
            return;
        }
    }
    panic!("it is still open");
}

#[test]
fn a_head_has_its_time_from_the_answer_before_it() {
    let stage =
        stage::set(StandIn::content().address).with(|config| config.timeouts.request_head_ms = 500).start();
    let put = stage.request("PUT", "/taxpayerapi/v1.0/returns/gstr1", "content-length: 2\r\n", "");
    let mut asp = stage.connect();
    asp.send(put);
    std::thread::sleep(Duration::from_millis(700));
    assert_eq!(asp.send("{}GET /healthz HTTP/1.1\r\nho").read().status, 200);
    assert_eq!(asp.send("st: g\r\n\r\n").read().status, 200);
}

#[test]
fn more_connections_than_allowed_wait_until_one_ends() {
    let gstn = StandIn::content();
    let stage = stage::set(gstn.address)
        .with(|config| {
            config.threads = 1;
            config.limits.connections = 2;
        })
        .start();
    let [first, _second] = [stage.connect(), stage.connect()];
    let mut third = stage.connect();
    third.send("GET /healthz HTTP/1.1\r\nhost: g\r\n\r\n");
    assert!(third.is_silent(Duration::from_millis(300)), "there is no room for a third");
    drop(first);
    assert_eq!(third.read().status, 200);
}

#[test]
fn a_body_that_is_too_large_is_refused_at_once_or_when_it_grows() {
    let gstn = StandIn::content();
    let stage = stage::set(gstn.address).with(|config| config.limits.body_bytes = 1000).start();
    let declared = stage.request("PUT", "/taxpayerapi/v1.0/returns/gstr1", "content-length: 1001\r\n", "");
    stage.exchange(declared).is_refusal("GSP612", 413);
    let chunked =
        stage.request("PUT", "/taxpayerapi/v1.0/returns/gstr1", "transfer-encoding: chunked\r\n", "");
    let mut asp = stage.connect();
    asp.send(chunked);
    for _ in 0..3 {
        asp.send_if_taken(format!("190\r\n{}\r\n", "a".repeat(400)));
    }
    asp.read().is_refusal("GSP612", 413);
    assert!(gstn.seen().is_empty(), "GSTN must not take the part for the whole");
    let just = stage.request("PUT", "/taxpayerapi/v1.0/returns/gstr1", "", &"a".repeat(1000));
    assert_eq!(stage.exchange(just).status, 200);
}

#[test]
fn an_asp_still_sending_can_read_why_it_is_refused() {
    let stage = stage(StandIn::content().address);
    let mut asp = stage.connect();
    let length = 400 * 1024 * 1024;
    asp.send(stage.request(
        "PUT",
        "/taxpayerapi/v1.0/returns/gstr1",
        &format!("content-length: {length}\r\n"),
        "",
    ));
    for _ in 0..64 {
        asp.send_if_taken(vec![b'a'; 64 * 1024]);
    }
    let answer = asp.read();
    answer.is_refusal("GSP612", 413);
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(!asp.finish_sending().is_reset(), "a reset can overtake the answer");
}

#[test]
fn a_body_that_stops_or_is_malformed_is_refused() {
    let gstn = StandIn::content();
    let stage = stage::set(gstn.address).with(|config| config.timeouts.request_body_idle_ms = 200).start();
    let ten = stage.request("PUT", "/taxpayerapi/v1.0/returns/gstr1", "content-length: 10\r\n", "") + "half";
    stage.exchange(&ten).is_refusal("GSP616", 408);
    stage.connect().send(&ten).finish_sending().read().is_refusal("GSP617", 400);
    let chunked =
        stage.request("PUT", "/taxpayerapi/v1.0/returns/gstr1", "transfer-encoding: chunked\r\n", "");
    stage.exchange(format!("{chunked}zz\r\n")).is_refusal("GSP610", 400);
    stage.connect().send(format!("{chunked}5\r\nab")).finish_sending().read().is_refusal("GSP617", 400);
    assert!(gstn.seen().is_empty());
}

#[test]
fn doubtful_credential_headers_are_refused() {
    let stage = stage(StandIn::content().address);
    for headers in [
        "x_ct_auth_token: other\r\n".to_owned(),
        "client_secret: other\r\n".to_owned(),
        "auth_token: other\r\n".to_owned(),
        "karvyclient-secret: other\r\n".to_owned(),
        format!("x-ct-auth-token: {}\r\n", stage.token),
        "authorization: a\r\nauthorization: b\r\n".to_owned(),
        "auth-token: a\r\nauth-token: a\r\n".to_owned(),
    ] {
        stage.get("/taxpayerapi/v1.0/returns", &headers).is_refusal("GSP614", 400);
    }
}

#[test]
fn a_gateway_is_no_proxy_for_elsewhere() {
    let stage = stage(StandIn::content().address);
    for request in [
        "GET http://elsewhere/taxpayerapi/v1.0/returns HTTP/1.1\r\nhost: g\r\n\r\n",
        "CONNECT elsewhere:443 HTTP/1.1\r\nhost: elsewhere:443\r\n\r\n",
        "GET /taxpayerapi/v1.0/returns HTTP/1.1\r\nhost: g\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
        "GET /taxpayerapi/v1.0/returns HTTP/1.1\r\nhost: g\r\nconnection: upgrade\r\nupgrade: h2c, tls\r\n\r\n",
    ] {
        stage.exchange(request).is_refusal("GSP615", 400);
    }
}

#[test]
fn unknown_paths_and_wrong_methods_are_refused() {
    let gstn = StandIn::content();
    let stage = stage(gstn.address);
    for path in [
        "/",
        "/api",
        "/nowhere/v1.0/x",
        "/taxpayerapi",
        "/taxpayerapi/v1.0",
        "/api/api/taxpayerapi/v1.0/x",
        "/aspapi/v1.0/printewb",
        "/aspapi/v1/getapibalance",
        "/aspapi/v1.0/apitxn",
        "/taxpayerapi/dec/v1.0/authenticate",
    ] {
        stage.get(path, "").is_refusal("GSP620", 404);
    }
    for (method, path, allow) in [
        ("DELETE", "/taxpayerapi/v1.0/returns/gstr1", "GET, POST, PUT"),
        ("PATCH", "/taxpayerapi/v1.0/authenticate", "GET, POST, PUT"),
        ("POST", "/commonapi/v1.1/search", "GET"),
        ("GET", "/taxpayerapi/v1.1/returns/gstrptf", "POST, PUT"),
        ("TRACE", "/taxpayerapi/v1.0/brand-new", "GET, POST, PUT"),
        ("POST", "/healthz", "GET, HEAD"),
    ] {
        let answer = stage.exchange(stage.request(method, path, "", ""));
        answer.is_refusal("GSP621", 405);
        assert_eq!(answer.header("allow"), Some(allow), "{method} {path}");
    }
    assert!(gstn.seen().is_empty());
    assert_eq!(stage.exchange(stage.request("DELETE", "/taxpayerapi/v1.0/brand-new", "", "")).status, 200);
}

#[test]
fn a_connection_goes_on_after_a_refusal_of_a_right_request() {
    let stage = stage(StandIn::content().address);
    let mut asp = stage.connect();
    let without_token = stage::request("PUT", "/taxpayerapi/v1.0/returns/gstr1", "", "{}");
    asp.send(&without_token).read().is_refusal("GSP601", 401);
    assert_eq!(asp.send(stage.request("GET", "/taxpayerapi/v1.0/returns", "", "")).read().status, 200);
}

#[test]
fn the_body_of_a_refused_request_is_read_or_the_connection_said_to_close() {
    let stage = stage(StandIn::content().address);
    let next = stage.request("GET", "/taxpayerapi/v1.0/returns", "", "");
    for (headers, body) in
        [("content-length: 4\r\n", "body"), ("transfer-encoding: chunked\r\n", "4\r\nbody\r\n0\r\n\r\n")]
    {
        let mut asp = stage.connect();
        // Many clients send a head and its body one after the other.
        asp.send(format!("{PUT}{headers}\r\n"));
        body.bytes().for_each(|byte| {
            asp.send([byte]);
        });
        let answer = asp.read();
        answer.is_refusal("GSP601", 401);
        assert_eq!(answer.header("connection"), None, "{headers}");
        assert_eq!(asp.send(&next).read().status, 200);
    }
    for headers in ["content-length: 4\r\n", "expect: 100-continue\r\ncontent-length: 4\r\n"] {
        let mut asp = stage.connect();
        let answer = asp.send(format!("{PUT}{headers}\r\n")).read();
        answer.is_refusal("GSP601", 401);
        assert_eq!(answer.header("connection"), Some("close"), "{headers}");
        assert_eq!(asp.finish_sending().try_read(true).unwrap_err(), NoAnswer::Closed);
    }
}

#[test]
fn who_is_refused_is_not_told_to_send_its_body() {
    let stage = stage(StandIn::content().address);
    let mut asp = TcpStream::connect(stage.address(stage::Sandbox)).unwrap();
    asp.write_all(format!("{PUT}expect: 100-continue\r\ncontent-length: 4\r\n\r\n").as_bytes()).unwrap();
    let mut answer = [0; 12];
    asp.read_exact(&mut answer).unwrap();
    assert_eq!(answer, *b"HTTP/1.1 401");
}

#[test]
fn a_connection_goes_on_after_a_failure_of_gstns_where_the_body_was_read() {
    let gstn = StandIn::new(|_| Act::AnswerAndClose(Vec::new()));
    let stage = stage(gstn.address);
    let mut asp = stage.connect();
    for _ in 0..2 {
        let call = stage.request("PUT", "/taxpayerapi/v1.0/returns/gstr1", "", "{}");
        let answer = asp.send(call).read();
        answer.is_refusal("GSP099", 502);
        assert_eq!(answer.header("connection"), None);
    }
}

#[test]
fn leave_to_send_a_body_is_given_to_those_who_ask() {
    let gstn = StandIn::content();
    let stage = stage(gstn.address);
    let headers = "expect: 100-continue\r\ncontent-length: 2\r\n";
    let mut asp = stage.connect();
    asp.send(stage.request("PUT", "/taxpayerapi/v1.0/returns/gstr1", headers, ""));
    asp.is_told_to_continue();
    assert_eq!(asp.send("{}").read().status, 200);
    assert_eq!(gstn.only().body, b"{}");
    assert_eq!(gstn.only().header("expect"), None);
}
