//! Long bodies: passed on piece by piece, whole or visibly broken.

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::mpsc;
use std::time::Duration;

use crate::asp::NoAnswer;
use crate::stage::stage;
use crate::stand_in::{StandIn, read_request};

const PATH: &str = "/taxpayerapi/v1.0/returns";
const LONG: usize = 48 * 1024 * 1024;

/// The same bytes for the same length, without a short period.
fn pattern(length: usize) -> Vec<u8> {
    (0..length as u64).map(|at| (at.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect()
}

/// A GSTN that answers one request with whatever `serve` writes.
fn serving(serve: impl Fn(&mut TcpStream) + Send + Sync + 'static) -> std::net::SocketAddr {
    StandIn::raw(move |connection, stream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        if read_request(&mut reader, connection).is_some() {
            serve(&mut { stream });
        }
    })
}

#[test]
fn a_long_request_and_a_long_answer_pass_whole() {
    let gstn = StandIn::new(|seen| {
        let mut answer =
            format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", seen.body.len()).into_bytes();
        answer.extend_from_slice(&seen.body);
        crate::stand_in::Act::Answer(answer)
    });
    let stage = stage(gstn.address);
    let body = pattern(LONG);
    let mut asp = stage.connect();
    asp.send(stage.request("PUT", PATH, &format!("content-length: {LONG}\r\n"), "")).send(&body);
    assert!(asp.read().body == body);
    // The same, chunked, and on the same connections.
    asp.send(stage.request("PUT", PATH, "transfer-encoding: chunked\r\n", ""));
    for piece in body.chunks(100_000) {
        asp.send(format!("{:x}\r\n", piece.len())).send(piece).send("\r\n");
    }
    assert!(asp.send("0\r\n\r\n").read().body == body);
    assert_eq!(gstn.seen().iter().map(|seen| seen.connection).collect::<Vec<_>>(), [0, 0]);
}

/// How much `stream` takes before it takes no more for a second.
fn taken(stream: &mut TcpStream) -> usize {
    stream.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    let mut taken = 0;
    while let Ok(written) = stream.write(&[b'a'; 64 * 1024]) {
        taken += written;
    }
    taken
}

/// More than the kernel's buffers and ours hold, and far less than a long body.
const BUFFERED: usize = 32 * 1024 * 1024;

#[test]
fn a_gstn_that_reads_nothing_holds_the_asp_back() {
    let (hold, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let stage = stage(StandIn::raw(move |_, _stream| {
        let _ = held.lock().unwrap().recv();
    }));
    let mut asp = TcpStream::connect(stage.address(crate::stage::Sandbox)).unwrap();
    let length = "content-length: 100000000\r\n";
    asp.write_all(stage.request("PUT", PATH, length, "").as_bytes()).unwrap();
    assert!((1..BUFFERED).contains(&taken(&mut asp)));
    drop(hold);
}

#[test]
fn an_asp_that_reads_nothing_holds_gstn_back() {
    let (tell, told) = mpsc::channel();
    let tell = Mutex::new(tell);
    let gstn = serving(move |stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n").unwrap();
        tell.lock().unwrap().send(taken(stream)).unwrap();
    });
    let stage = stage(gstn);
    let mut asp = stage.connect();
    asp.send(stage.request("GET", PATH, "", ""));
    assert!((1..BUFFERED).contains(&told.recv().unwrap()));
}

#[test]
fn an_asp_that_reads_nothing_is_not_waited_for_for_ever() {
    let gstn = serving(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n");
        while stream.write_all(&[b'a'; 65536]).is_ok() {}
    });
    let stage = crate::stage::set(gstn).with(|config| config.timeouts.answer_write_idle_ms = 200).start();
    let mut asp = stage.connect();
    asp.send(stage.request("GET", PATH, "txn: READS-NOTHING\r\n", ""));
    assert_eq!(crate::log::settled("txn", "READS-NOTHING")[0]["outcome"], "abandoned");
}

#[test]
fn a_chunked_answer_passes_as_it_comes() {
    let (go_on, wait) = mpsc::channel();
    let wait = Mutex::new(wait);
    let gstn = serving(move |stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n").unwrap();
        wait.lock().unwrap().recv().unwrap();
        stream.write_all(b"6\r\nsecond\r\n0\r\n\r\n").unwrap();
    });
    let stage = stage(gstn);
    let mut asp = TcpStream::connect(stage.address(crate::stage::Sandbox)).unwrap();
    asp.write_all(stage.request("GET", PATH, "connection: close\r\n", "").as_bytes()).unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(b"first\r\n") {
        let mut byte = [0];
        asp.read_exact(&mut byte).unwrap();
        seen.push(byte[0]);
    }
    go_on.send(()).unwrap();
    asp.read_to_end(&mut seen).unwrap();
    assert!(seen.ends_with(b"6\r\nsecond\r\n0\r\n\r\n"), "{}", String::from_utf8_lossy(&seen));
}

#[test]
fn a_long_answer_that_breaks_off_breaks_off_here_too() {
    for head in [
        "HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n".to_owned(),
        format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n", 1_000_000),
    ] {
        let gstn = serving(move |stream| {
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(&pattern(500_000)).unwrap();
        });
        let stage = stage(gstn);
        let mut asp = stage.connect();
        asp.send(stage.request("GET", PATH, "txn: BREAKS-OFF\r\n", ""));
        assert_eq!(asp.try_read(true).unwrap_err(), NoAnswer::BrokenOff);
    }
    let settled = crate::log::settled("txn", "BREAKS-OFF");
    assert_eq!(settled[0]["error_cd"], "GSP654");
    assert_eq!(settled[0]["outcome"], "broken-off");
}

#[test]
fn an_old_client_too_can_tell_half_an_answer_from_a_whole_one() {
    let gstn = serving(|stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n").unwrap();
    });
    let stage = stage(gstn);
    let mut asp = stage.connect();
    asp.send(format!("GET {PATH} HTTP/1.0\r\nx-ct-auth-token: {}\r\n\r\n", stage.token));
    assert!(asp.is_reset(), "a clean end would pass for the end of the answer");
}

#[test]
fn an_asp_that_hangs_up_before_its_answer_takes_its_call_with_it() {
    let gstn = StandIn::new(|_| crate::stand_in::Act::Hang);
    let stage = stage(gstn.address);
    let mut asp = stage.connect();
    asp.send(stage.request("GET", PATH, "txn: HANGS-UP-EARLY\r\n", ""));
    assert!(crate::stage::soon(|| gstn.seen().len() == 1));
    drop(asp);
    assert_eq!(crate::log::settled("txn", "HANGS-UP-EARLY")[0]["outcome"], "abandoned");
    // Line ends after it are no next request, which would hide that.
    let mut asp = stage.connect();
    asp.send(stage.request("PUT", PATH, "txn: HANGS-UP-TOO\r\n", "{}")).send("\r\n");
    assert!(crate::stage::soon(|| gstn.seen().len() == 2));
    drop(asp);
    assert_eq!(crate::log::settled("txn", "HANGS-UP-TOO")[0]["outcome"], "abandoned");
}

#[test]
fn an_asp_that_hangs_up_takes_its_call_to_gstn_with_it() {
    let (ended, end) = mpsc::channel();
    let ended = Mutex::new(ended);
    let gstn = serving(move |stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n");
        while stream.write_all(&[b'a'; 65536]).is_ok() {}
        ended.lock().unwrap().send(()).unwrap();
    });
    let stage = stage(gstn);
    let mut asp = TcpStream::connect(stage.address(crate::stage::Sandbox)).unwrap();
    asp.write_all(stage.request("GET", PATH, "txn: HANGS-UP\r\n", "").as_bytes()).unwrap();
    asp.read_exact(&mut [0; 100_000]).unwrap();
    drop(asp);
    end.recv().unwrap();
    assert_eq!(crate::log::settled("txn", "HANGS-UP")[0]["outcome"], "abandoned");
}
