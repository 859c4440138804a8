//! A stand-in for GSTN that outlives the gateways before it, and remembers which calls came to it.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// Stands in every answer of it.
pub(crate) const SIGN: &str = "the stand-in says so";

/// Longer than what the gateway releases whole: it streams.
const LONG: usize = 200 * 1024;

pub(crate) struct Gstn {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<HashMap<String, usize>>>,
}

impl Gstn {
    /// It stays until the tests end.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(HashMap::new()));
        let noted = Arc::clone(&seen);
        thread::spawn(move || {
            for connection in listener.incoming().filter_map(Result::ok) {
                let noted = Arc::clone(&noted);
                // A gateway that is killed breaks off anywhere.
                thread::spawn(move || while matches!(answer_one(&connection, &noted), Ok(true)) {});
            }
        });
        Self { address, seen }
    }

    /// How often each `txn` came.
    pub(crate) fn seen(&self) -> HashMap<String, usize> {
        self.seen.lock().unwrap().clone()
    }
}

/// Whether another call may follow on the connection.
fn answer_one(mut connection: &TcpStream, seen: &Mutex<HashMap<String, usize>>) -> io::Result<bool> {
    let mut reader = BufReader::new(connection);
    let line = line(&mut reader)?;
    if line.is_empty() {
        return Ok(false);
    }
    let mut length = None;
    loop {
        let header = self::line(&mut reader)?;
        match header.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim())) {
            None => break,
            Some((name, value)) if name == "txn" => {
                *seen.lock().unwrap().entry(value.to_owned()).or_default() += 1;
            }
            Some((name, value)) if name == "content-length" => length = value.parse().ok(),
            Some(_) => {}
        }
    }
    if line.starts_with("PUT") {
        let length = length.expect("the load declares the length of what it sends");
        io::copy(&mut (&mut reader).take(length), &mut io::sink())?;
    }
    let wanted = line.split_once("answer=").and_then(|(_, rest)| rest.split([' ', '&']).next());
    match wanted {
        Some("none") => return Ok(false),
        Some("long") => connection.write_all(&whole(&success(LONG)))?,
        Some("pieces") => in_pieces(connection, &success(LONG / 4))?,
        Some("error") => connection.write_all(&whole(&format!(
            r#"{{"status_cd":"0","error":{{"error_cd":"RET191106","message":"{SIGN}"}}}}"#
        )))?,
        _ => connection.write_all(&whole(&success(0)))?,
    }
    Ok(true)
}

fn success(padding: usize) -> String {
    format!(r#"{{"status_cd":"1","message":"{SIGN}","data":"{}"}}"#, "A".repeat(padding))
}

fn whole(body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")
        .into()
}

fn in_pieces(mut connection: &TcpStream, body: &str) -> io::Result<()> {
    connection.write_all(
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
    )?;
    for piece in body.as_bytes().chunks(16 * 1024) {
        write!(connection, "{:x}\r\n{}\r\n", piece.len(), String::from_utf8_lossy(piece))?;
    }
    connection.write_all(b"0\r\n\r\n")
}

fn line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    line.truncate(line.trim_end().len());
    Ok(line)
}
