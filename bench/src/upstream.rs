//! A stand-in for GSTN that is as cheap as can be: it swallows what it is sent and sends what it is asked for.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use crate::Failure;

/// Starts the stand-in on a free port. `GET …?bytes=N` is answered with N bytes, anything else with a short JSON
/// that says how many body bytes came.
pub(crate) fn start() -> Result<SocketAddr, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for connection in listener.incoming().filter_map(Result::ok) {
            thread::spawn(move || while matches!(answer_one(&connection), Ok(true)) {});
        }
    });
    Ok(address)
}

fn answer_one(mut connection: &TcpStream) -> Result<bool, Failure> {
    let mut reader = BufReader::with_capacity(1 << 16, connection);
    let Some(head) = read_head(&mut reader)? else { return Ok(false) };
    let received = drain_body(&mut reader, &head)?;
    match head.bytes_wanted {
        Some(wanted) => {
            write!(
                connection,
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {wanted}\r\n\r\n"
            )?;
            let block = [b'x'; 1 << 16];
            let mut left = wanted;
            while left > 0 {
                let now = left.min(block.len());
                connection.write_all(&block[..now])?;
                left -= now;
            }
        }
        None => {
            let body = format!("{{\"status_cd\":\"1\",\"received\":{received}}}");
            // In one piece: the second of two small pieces would wait until the first is acknowledged.
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            connection.write_all(answer.as_bytes())?;
        }
    }
    Ok(true)
}

struct Head {
    bytes_wanted: Option<usize>,
    length: usize,
    chunked: bool,
}

fn read_head(reader: &mut impl BufRead) -> Result<Option<Head>, Failure> {
    let mut head = Head { bytes_wanted: None, length: 0, chunked: false };
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    head.bytes_wanted = line
        .split_once("bytes=")
        .and_then(|(_, rest)| rest.split([' ', '&']).next())
        .and_then(|n| n.parse().ok());
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let lower = line.trim().to_ascii_lowercase();
        match lower.split_once(':') {
            None => return Ok(Some(head)),
            Some(("content-length", value)) => head.length = value.trim().parse()?,
            Some(("transfer-encoding", value)) => head.chunked = value.contains("chunked"),
            Some(_) => {}
        }
    }
}

fn drain_body(reader: &mut impl BufRead, head: &Head) -> Result<u64, Failure> {
    if !head.chunked {
        return Ok(std::io::copy(&mut reader.take(head.length as u64), &mut std::io::sink())?);
    }
    let (mut received, mut line) = (0, String::new());
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let size = u64::from_str_radix(line.trim(), 16)?;
        received += std::io::copy(&mut reader.take(size), &mut std::io::sink())?;
        line.clear();
        reader.read_line(&mut line)?;
        if size == 0 {
            return Ok(received);
        }
    }
}
