//! How much memory the gateway takes while 100 MB pass through it, one way and the other.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;

use crate::Failure;
use crate::gateway::Gateway;
use crate::upstream;

const BODY: usize = 100_000_000;
const AT_ONCE: usize = 4;
/// What acceptance allows over the idle size.
const LIMIT_KIB: u64 = 64 * 1024;

/// Streams [`BODY`] bytes down and up, alone and [`AT_ONCE`] at a time, and reports the peak size over the idle one.
pub(crate) fn measure() -> Result<String, Failure> {
    let gateway = Gateway::start(upstream::start()?, "")?;
    download(&gateway, 1)?;
    let idle = gateway.resident_kib("VmRSS")?;
    let mut report = format!(
        "idle: {idle} KiB resident\n| 100 MB | at once | peak KiB | over idle, MiB |\n|---|---|---|---|\n"
    );
    let mut worst = 0;
    for (name, transfer) in [("response", download as Transfer), ("request", upload as Transfer)] {
        for at_once in [1, AT_ONCE] {
            gateway.forget_peak()?;
            run(&gateway, transfer, at_once)?;
            let peak = gateway.resident_kib("VmHWM")?;
            let over = peak.saturating_sub(idle);
            worst = worst.max(over);
            writeln!(report, "| {name} | {at_once} | {peak} | {:.1} |", over as f64 / 1024.0)?;
        }
    }
    if worst > LIMIT_KIB {
        return Err(format!("{report}\nmore than {LIMIT_KIB} KiB over the idle size").into());
    }
    Ok(report)
}

type Transfer = fn(&Gateway, usize) -> Result<(), Failure>;

fn run(gateway: &Gateway, transfer: Transfer, at_once: usize) -> Result<(), Failure> {
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..at_once)
            .map(|_| scope.spawn(|| transfer(gateway, BODY).map_err(|f| f.to_string())))
            .collect();
        runs.into_iter()
            .try_for_each(|run| run.join().map_err(|_| "a transfer panicked")?.map_err(Failure::from))
    })
}

fn download(gateway: &Gateway, bytes: usize) -> Result<(), Failure> {
    let (received, _) = exchange(gateway, "GET", bytes, 0)?;
    if received < bytes {
        return Err(format!("asked for {bytes} bytes, got {received}").into());
    }
    Ok(())
}

fn upload(gateway: &Gateway, bytes: usize) -> Result<(), Failure> {
    let (_, answer) = exchange(gateway, "PUT", 0, bytes)?;
    if !answer.ends_with(format!("\"received\":{bytes}}}").as_bytes()) {
        return Err(format!("not all of {bytes} bytes arrived: {}", String::from_utf8_lossy(&answer)).into());
    }
    Ok(())
}

/// One call on its own connection; returns how many bytes came back, head and body, and the first of them.
fn exchange(gateway: &Gateway, method: &str, down: usize, up: usize) -> Result<(usize, Vec<u8>), Failure> {
    let mut connection = TcpStream::connect(gateway.address)?;
    let bytes = if down > 0 { format!("&bytes={down}") } else { String::new() };
    write!(
        connection,
        "{method} /taxpayerapi/v4.1/returns/gstr1?action=B2B{bytes} HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n\
         x-ct-auth-token: {}\r\ncontent-length: {up}\r\n\r\n",
        gateway.token
    )?;
    let block = [b'x'; 1 << 16];
    let mut left = up;
    while left > 0 {
        let now = left.min(block.len());
        connection.write_all(&block[..now])?;
        left -= now;
    }
    let (mut total, mut first) = (0, Vec::new());
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = connection.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        if first.len() < 4096 {
            first.extend_from_slice(&buffer[..read]);
        }
        total += read;
    }
    if first.starts_with(b"HTTP/1.1 200") {
        Ok((total, first))
    } else {
        Err("the gateway did not answer 200".into())
    }
}
