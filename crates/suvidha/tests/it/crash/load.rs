//! Callers at full speed, who write down what they sent and what came back.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use suvidha_seam::{Rng, SeededRng};

use super::books::{Answer, Told};
use super::gstn::SIGN;
use crate::command::PATIENCE;

/// A load ends by itself at some time, whatever happens.
const MOST_CALLS: u64 = 200_000;
/// What is looked at of a body.
const BEGINNING: usize = 1024;

/// Repeatable chance.
pub(crate) struct Chance(SeededRng);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(SeededRng::new(seed))
    }

    /// From 0 to `n - 1`.
    pub(crate) fn below(&self, n: u64) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes) % n
    }
}

/// Who calls.
#[derive(Clone)]
pub(crate) struct Caller {
    /// Nobody, where the credentials are nobody's.
    pub(crate) aspid: Option<String>,
    /// The headers that prove it, each with its end of line.
    pub(crate) credentials: String,
    /// What an answer of GSTN's costs, in units.
    pub(crate) price: u64,
}

impl Caller {
    pub(crate) fn with_token(aspid: Option<&str>, token: &str, price: u64) -> Self {
        let credentials = format!("x-ct-auth-token: {token}\r\n");
        Self { aspid: aspid.map(str::to_owned), credentials, price }
    }

    fn tells(&self, txn: &str, answer: Option<Answer>) -> Told {
        Told { txn: txn.to_owned(), aspid: self.aspid.clone(), price: self.price, answer }
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
enum Wish {
    Short,
    /// Streamed, with a declared length.
    Long,
    /// Streamed in chunks.
    Pieces,
    /// GSTN says no.
    Error,
    /// With a body.
    Save,
    /// GSTN hangs up.
    None,
    /// No such family: the gateway says no.
    Nowhere,
    /// A long one that is not waited for.
    GivenUp,
    /// A body of which the end is never sent.
    HalfSent,
}

impl Wish {
    fn of(chance: &Chance) -> Self {
        match chance.below(100) {
            0..55 => Self::Short,
            55..65 => Self::Save,
            65..73 => Self::Long,
            73..81 => Self::Pieces,
            81..91 => Self::Error,
            91 => Self::None,
            92..95 => Self::Nowhere,
            95..98 => Self::GivenUp,
            _ => Self::HalfSent,
        }
    }

    fn request(self, caller: &Caller, txn: &str) -> String {
        let (method, path, answer) = match self {
            Self::Short => ("GET", "taxpayerapi/v4.1/returns/gstr1", "short"),
            Self::Long | Self::GivenUp => ("GET", "taxpayerapi/v4.1/returns/gstr1", "long"),
            Self::Pieces => ("GET", "taxpayerapi/v4.1/returns/gstr1", "pieces"),
            Self::Error => ("GET", "taxpayerapi/v4.1/returns/gstr1", "error"),
            Self::None => ("GET", "taxpayerapi/v4.1/returns/gstr1", "none"),
            Self::Save | Self::HalfSent => ("PUT", "taxpayerapi/v4.1/returns/gstr1", "short"),
            Self::Nowhere => ("GET", "nowhereapi/v1.0/nothing", "short"),
        };
        let body = if method == "PUT" { r#"{"action":"RETSAVE","data":"QUJD"}"# } else { "" };
        request(method, &format!("/{path}?action=B2B&answer={answer}"), caller, txn, body)
    }
}

fn request(method: &str, path: &str, caller: &Caller, txn: &str, body: &str) -> String {
    let length = if body.is_empty() { String::new() } else { format!("content-length: {}\r\n", body.len()) };
    format!(
        "{method} {path} HTTP/1.1\r\nhost: gateway\r\n{}txn: {txn}\r\n\
         content-type: application/json\r\n{length}\r\n{body}",
        caller.credentials
    )
}

/// Calls until it is `over`, each call when the one before is answered, and under a `txn` that begins with `name`.
pub(crate) fn call_until(
    over: &AtomicBool,
    gateway: SocketAddr,
    caller: &Caller,
    name: &str,
    chance: &Chance,
) -> Vec<Told> {
    let mut told = Vec::new();
    let mut line = None;
    for number in 0..MOST_CALLS {
        if over.load(Ordering::Relaxed) {
            break;
        }
        let Some(mut open) = line.take().or_else(|| Line::open(gateway).ok()) else {
            // Where nobody listens there is no call.
            thread::sleep(Duration::from_millis(1));
            continue;
        };
        let (wish, txn) = (Wish::of(chance), format!("{name}-{number}"));
        let request = wish.request(caller, &txn);
        let answer = match wish {
            Wish::GivenUp => {
                open.give_up(&request, chance.below(3) * 20_000);
                None
            }
            Wish::HalfSent => {
                open.give_up(&request[..request.len() - 7], 0);
                None
            }
            _ => open.exchange(&request).ok().map(|(answer, _)| answer),
        };
        if answer.is_some() && open.stays {
            line = Some(open);
        }
        told.push(caller.tells(&txn, answer));
    }
    told
}

/// One call on a connection of its own: what is to be told of it, and the beginning of the body.
pub(crate) fn call(
    gateway: SocketAddr,
    caller: &Caller,
    path: &str,
    txn: &str,
) -> io::Result<(Told, String)> {
    let (answer, beginning) = Line::open(gateway)?.exchange(&request("GET", path, caller, txn, ""))?;
    Ok((caller.tells(txn, Some(answer)), beginning))
}

/// A kept connection.
struct Line {
    stream: BufReader<TcpStream>,
    /// Another call may follow.
    stays: bool,
}

impl Line {
    fn open(gateway: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(gateway)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream: BufReader::new(stream), stays: true })
    }

    /// An answer that came whole, and the beginning of its body. Anything less is an error.
    fn exchange(&mut self, request: &str) -> io::Result<(Answer, String)> {
        self.stream.get_ref().write_all(request.as_bytes())?;
        let status = self.text_line()?;
        let status = status.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(broken)?;
        let (mut request_id, mut length, mut chunked) = (String::new(), None, false);
        loop {
            let header = self.text_line()?;
            match header.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim())) {
                None => break,
                Some((name, value)) if name == "x-request-id" => request_id = value.to_owned(),
                Some((name, value)) if name == "content-length" => length = value.parse().ok(),
                Some((name, value)) if name == "transfer-encoding" => chunked = value == "chunked",
                Some((name, value)) if name == "connection" => self.stays = value != "close",
                Some(_) => {}
            }
        }
        let mut body = Body::default();
        if chunked {
            self.chunks(&mut body)?;
        } else {
            self.take(length.ok_or_else(broken)?, &mut body)?;
        }
        let beginning = String::from_utf8_lossy(&body.beginning).into_owned();
        let by_gstn = beginning.contains(SIGN);
        Ok((Answer { request_id, status, bytes: body.bytes, by_gstn }, beginning))
    }

    /// Sends what there is of a call, takes so many bytes of the answer, and hangs up.
    fn give_up(&mut self, request: &str, taking: u64) {
        let mut stream = self.stream.get_ref();
        if stream.write_all(request.as_bytes()).is_ok() {
            let _ = io::copy(&mut stream.take(taking), &mut io::sink());
        }
    }

    fn chunks(&mut self, body: &mut Body) -> io::Result<()> {
        loop {
            let size = u64::from_str_radix(&self.text_line()?, 16).map_err(|_| broken())?;
            self.take(size, body)?;
            self.text_line()?;
            if size == 0 {
                return Ok(());
            }
        }
    }

    fn take(&mut self, mut left: u64, body: &mut Body) -> io::Result<()> {
        while left > 0 {
            let there = self.stream.fill_buf()?;
            let now = there.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            if now == 0 {
                return Err(broken());
            }
            body.take(&there[..now]);
            self.stream.consume(now);
            left -= now as u64;
        }
        Ok(())
    }

    fn text_line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        match line.strip_suffix("\r\n") {
            Some(whole) => Ok(whole.to_owned()),
            None => Err(broken()),
        }
    }
}

#[derive(Default)]
struct Body {
    bytes: u64,
    beginning: Vec<u8>,
}

impl Body {
    fn take(&mut self, piece: &[u8]) {
        self.bytes += piece.len() as u64;
        let wanted = BEGINNING.saturating_sub(self.beginning.len()).min(piece.len());
        self.beginning.extend_from_slice(&piece[..wanted]);
    }
}

fn broken() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}
