//! Both ends of a call: a stand-in for GSTN and an ASP's program, each on a plain socket.
//!
//! They take turns with the gateway, and give it time to come to rest before they go on. So it always finds the
//! same things ready when it looks, and counts the same; only then is the sequence of its steps the same in every run.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use crate::Failure;

/// Until the gateway has come to rest. Callgrind slows it down some fifty times.
const REST: Duration = Duration::from_millis(2);

/// How long an answer may take. Without it a gateway that does not answer would hold the gate for ever.
const PATIENCE: Duration = Duration::from_secs(60);

/// The size of a small answer.
const SMALL: usize = 1024;

/// Starts the stand-in on a free port. `…?bytes=N` is answered with N bytes of JSON, anything else with 1 KiB.
pub(crate) fn start_gstn() -> Result<SocketAddr, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::Builder::new().name("gstn".to_owned()).spawn(move || {
        for connection in listener.incoming().filter_map(Result::ok) {
            thread::spawn(move || while matches!(answer_one(&connection), Ok(true)) {});
        }
    })?;
    Ok(address)
}

/// Answers one request; says whether another may follow.
fn answer_one(mut connection: &TcpStream) -> Result<bool, Failure> {
    connection.set_nodelay(true)?;
    let mut reader = BufReader::with_capacity(1 << 16, connection);
    let (first, length) = read_head(&mut reader)?;
    if first.is_empty() {
        return Ok(false);
    }
    std::io::copy(&mut (&mut reader).take(length), &mut std::io::sink())?;
    let wanted = first.split_once("bytes=").and_then(|(_, rest)| rest.split([' ', '&']).next()?.parse().ok());
    thread::sleep(REST);
    connection.write_all(&answer(wanted.unwrap_or(SMALL)))?;
    Ok(true)
}

/// `bytes` of JSON as GSTN would send them, with their head.
fn answer(bytes: usize) -> Vec<u8> {
    let (begin, end) = (r#"{"status_cd":"1","data":""#, r#""}"#);
    let data = "x".repeat(bytes - begin.len() - end.len());
    let head =
        format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {bytes}\r\n\r\n");
    [head, begin.to_owned(), data, end.to_owned()].concat().into_bytes()
}

/// The first line of a head, which is empty where the connection ends, and the length of the body after it.
fn read_head(reader: &mut impl BufRead) -> Result<(String, u64), Failure> {
    let (mut first, mut length, mut line) = (String::new(), 0, String::new());
    reader.read_line(&mut first)?;
    while !first.is_empty() {
        line.clear();
        reader.read_line(&mut line)?;
        match line.trim().split_once(':') {
            None => break,
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse()?
            }
            Some((name, _)) if name.eq_ignore_ascii_case("transfer-encoding") => {
                return Err("chunks were not asked for".into());
            }
            Some(_) => {}
        }
    }
    Ok((first, length))
}

/// An ASP's program, with one connection that stays open.
pub(crate) struct Caller(BufReader<TcpStream>);

impl Caller {
    pub(crate) fn connect(gateway: SocketAddr) -> Result<Self, Failure> {
        let stream = TcpStream::connect(gateway)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self(BufReader::with_capacity(1 << 16, stream)))
    }

    /// Sends a request and returns the body of its answer, which must have the status `expected`.
    pub(crate) fn call(&mut self, request: &[u8], expected: u16) -> Result<Vec<u8>, Failure> {
        thread::sleep(REST);
        self.0.get_mut().write_all(request)?;
        let (first, length) = read_head(&mut self.0)?;
        let mut body = vec![0; usize::try_from(length)?];
        self.0.read_exact(&mut body)?;
        if first.split(' ').nth(1) != Some(expected.to_string().as_str()) {
            let body = String::from_utf8_lossy(&body);
            return Err(format!("expected {expected}, not {}: {body}", first.trim()).into());
        }
        Ok(body)
    }
}
