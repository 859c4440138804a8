//! A stand-in for GSTN, on raw TCP, so that it can also do what no HTTP library would.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// Which connection it came on, counted from 0.
    pub(crate) connection: usize,
    pub(crate) line: String,
    /// In the order and the case they had.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut named = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        let first = named.next().map(|(_, value)| value.as_str());
        assert!(named.next().is_none(), "{name} was sent twice");
        first
    }
}

/// What to do with a request.
pub(crate) enum Act {
    /// These bytes, and then the next request.
    Answer(Vec<u8>),
    /// These bytes, and then the end.
    AnswerAndClose(Vec<u8>),
    /// These bytes, and then a reset.
    AnswerAndReset(Vec<u8>),
    /// Nothing, for as long as the gateway waits.
    Hang,
}

pub(crate) struct StandIn {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl StandIn {
    /// Answers every request with what `act` makes of it.
    pub(crate) fn new(act: impl Fn(&Seen) -> Act + Send + Sync + 'static) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&seen);
        let address = Self::raw(move |connection, stream| {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            while let Some(request) = read_request(&mut reader, connection) {
                noted.lock().unwrap().push(request.clone());
                if !perform(act(&request), &stream) {
                    return;
                }
            }
        });
        Self { address, seen }
    }

    /// Always the same success.
    pub(crate) fn content() -> Self {
        Self::new(|_| Act::Answer(ok(r#"{"status_cd":"1","data":"abc"}"#)))
    }

    /// Hands every connection to `serve`.
    pub(crate) fn raw(serve: impl Fn(usize, TcpStream) + Send + Sync + 'static) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let serve = Arc::new(serve);
        thread::spawn(move || {
            for (connection, stream) in listener.incoming().enumerate() {
                let (serve, stream) = (Arc::clone(&serve), stream.unwrap());
                thread::spawn(move || serve(connection, stream));
            }
        });
        address
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The only request so far.
    pub(crate) fn only(&self) -> Seen {
        let mut seen = self.seen();
        assert_eq!(seen.len(), 1, "{seen:#?}");
        seen.remove(0)
    }
}

/// A 200 with a JSON body.
pub(crate) fn ok(json: &str) -> Vec<u8> {
    answer("200 OK", "content-type: application/json\r\n", json)
}

pub(crate) fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn perform(act: Act, mut stream: &TcpStream) -> bool {
    match act {
        Act::Answer(bytes) => stream.write_all(&bytes).is_ok(),
        Act::AnswerAndClose(bytes) => {
            let _ = stream.write_all(&bytes);
            let _ = stream.shutdown(std::net::Shutdown::Both);
            false
        }
        Act::AnswerAndReset(bytes) => {
            let _ = stream.write_all(&bytes);
            if !bytes.is_empty() {
                // The bytes should be read before the reset overtakes them.
                thread::sleep(Duration::from_millis(100));
            }
            socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO)).unwrap();
            false
        }
        Act::Hang => {
            let _ = stream.read(&mut [0; 1]);
            false
        }
    }
}

pub(crate) fn read_request(reader: &mut impl BufRead, connection: usize) -> Option<Seen> {
    let line = read_line(reader)?;
    let mut headers = Vec::new();
    loop {
        let line = read_line(reader)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').unwrap();
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let lower: HashMap<_, _> = headers.iter().map(|(name, value)| (name.to_lowercase(), value)).collect();
    let body = if lower.contains_key("transfer-encoding") {
        read_chunks(reader)?
    } else {
        let mut body = vec![0; lower.get("content-length").map_or(0, |length| length.parse().unwrap())];
        reader.read_exact(&mut body).ok()?;
        body
    };
    Some(Seen { connection, line, headers, body })
}

fn read_chunks(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let size = usize::from_str_radix(read_line(reader)?.trim(), 16).unwrap();
        let from = body.len();
        body.resize(from + size, 0);
        reader.read_exact(&mut body[from..]).ok()?;
        read_line(reader)?;
        if size == 0 {
            return Some(body);
        }
    }
}

fn read_line(reader: &mut impl BufRead) -> Option<String> {
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line).ok()?;
    line.strip_suffix(b"\r\n").map(|line| String::from_utf8_lossy(line).into_owned())
}
