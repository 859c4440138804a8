//! Calls at a fixed rate, and how long each takes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::Failure;

/// Sends `request` so many times in a second for `length`, over kept connections with a thread for each, and returns what
/// each answer took, in microseconds.
///
/// A call begins when it is due, even where the one before on its connection was late: who has to wait for another's answer
/// waits, too. Only that a thread wakes up late by itself is nobody's doing, and not counted.
pub(crate) fn latencies(
    address: SocketAddr,
    request: &str,
    per_second: f64,
    connections: usize,
    length: Duration,
) -> Result<Vec<f64>, Failure> {
    let between = Duration::from_secs_f64(connections as f64 / per_second);
    let start = Instant::now() + Duration::from_millis(50);
    thread::scope(|scope| {
        let callers: Vec<_> = (0..connections)
            .map(|index| {
                let first = start + between.mul_f64(index as f64 / connections as f64);
                scope.spawn(move || {
                    call_when_due(address, request, first, between, length)
                        .map_err(|failure| failure.to_string())
                })
            })
            .collect();
        let mut all = Vec::new();
        for caller in callers {
            all.extend(caller.join().map_err(|_| "a caller panicked")??);
        }
        Ok(all)
    })
}

fn call_when_due(
    address: SocketAddr,
    request: &str,
    first: Instant,
    between: Duration,
    length: Duration,
) -> Result<Vec<f64>, Failure> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut due, mut taken) = (first, Vec::new());
    let mut late = false;
    while due < first + length {
        if !late {
            thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        let begun = if late { due } else { Instant::now() };
        (&stream).write_all(request.as_bytes())?;
        read_answer(&mut reader)?;
        let answered = Instant::now();
        taken.push((answered - begun).as_secs_f64() * 1e6);
        due += between;
        late = answered > due;
    }
    Ok(taken)
}

/// Reads one answer to its end; it must be a 200 with a declared length.
fn read_answer(reader: &mut BufReader<TcpStream>) -> Result<(), Failure> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    if !line.starts_with("HTTP/1.1 200") {
        return Err(format!("not answered with 200: {line:?}").into());
    }
    let mut length = None;
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        match line.trim_end().split_once(':') {
            None => break,
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = Some(value.trim().parse()?);
            }
            Some(_) => {}
        }
    }
    let length = length.ok_or("an answer without a length")?;
    std::io::copy(&mut reader.take(length), &mut std::io::sink())?;
    Ok(())
}
