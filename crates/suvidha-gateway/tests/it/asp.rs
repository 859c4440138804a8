//! An ASP's program, on raw TCP, so that it can also send what no HTTP library would.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// An answer as it arrived.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut named = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        named.next().map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Checks that this is a whole refusal of ours: code, status, words, origin, request id.
    #[track_caller]
    pub(crate) fn is_refusal(&self, code: &str, status: u16) {
        let json = self.json();
        let error = &json["error"];
        assert_eq!((error["error_cd"].as_str(), self.status), (Some(code), status), "{json}");
        assert_eq!(json["status_cd"], "0");
        let words = |field: &str| error[field].as_str().unwrap_or_default().to_owned();
        assert!(!words("message").is_empty(), "no message in {json}");
        assert!(!words("remedy").is_empty(), "no remedy in {json}");
        assert!(error["retryable"].is_boolean(), "{json}");
        assert_eq!(self.header("content-type"), Some("application/json"));
        assert_eq!(self.header("x-gsp-error-origin"), Some(words("origin").as_str()));
        assert_eq!(self.header("x-request-id"), Some(words("request_id").as_str()));
        assert_eq!(uuid::Uuid::parse_str(&words("request_id")).unwrap().get_version_num(), 7);
        assert_eq!(self.header("link"), Some(format!("</errors/{code}>; rel=\"help\"").as_str()));
    }
}

impl Answer {
    /// Checks that this is a whole refusal of GetKey's, which also says `txn` and `message`.
    #[track_caller]
    pub(crate) fn refuses_getkey(&self, code: &str, status: u16) -> String {
        self.is_refusal(code, status);
        let json = self.json();
        assert_eq!(json["message"], json["error"]["message"], "{json}");
        assert!(json["txn"].is_string(), "{json}");
        json["message"].as_str().unwrap().to_owned()
    }
}

/// Why no whole answer came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// The connection ended cleanly before the first byte.
    Closed,
    /// It ended, or was reset, in the middle.
    BrokenOff,
}

/// A connection to the gateway.
pub(crate) struct Asp {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Asp {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, unread: Vec::new() }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.stream.write_all(bytes.as_ref()).unwrap();
        self
    }

    /// Sends what it can: the gateway may close before the end.
    pub(crate) fn send_if_taken(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).is_ok()
    }

    /// No more will be sent; answers are still read.
    pub(crate) fn finish_sending(&mut self) -> &mut Self {
        self.stream.shutdown(std::net::Shutdown::Write).unwrap();
        self
    }

    /// Waits for `100 Continue`.
    #[track_caller]
    pub(crate) fn is_told_to_continue(&mut self) {
        assert_eq!(self.until(b"\r\n\r\n").unwrap(), b"HTTP/1.1 100 Continue");
    }

    /// Waits for the first bytes of an answer, and reads none.
    #[track_caller]
    pub(crate) fn starts_to_answer(&mut self) {
        assert_eq!(self.stream.peek(&mut [0]).unwrap(), 1);
    }

    /// Whether nothing comes for so long.
    pub(crate) fn is_silent(&mut self, how_long: Duration) -> bool {
        let before = self.stream.read_timeout().unwrap();
        self.stream.set_read_timeout(Some(how_long)).unwrap();
        let silent = self.stream.peek(&mut [0]).is_err();
        self.stream.set_read_timeout(before).unwrap();
        silent
    }

    /// The next answer, read to its end.
    #[track_caller]
    pub(crate) fn read(&mut self) -> Answer {
        self.try_read(true).unwrap()
    }

    /// The next answer, whose request was a HEAD.
    #[track_caller]
    pub(crate) fn read_head(&mut self) -> Answer {
        self.try_read(false).unwrap()
    }

    pub(crate) fn try_read(&mut self, has_body: bool) -> Result<Answer, NoAnswer> {
        loop {
            if let Some(end) = find(&self.unread, b"\r\n\r\n") {
                let head = String::from_utf8(self.unread.drain(..end + 4).collect()).unwrap();
                let mut lines = head.split("\r\n");
                let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
                if status == 100 {
                    continue;
                }
                let header = |line: &str| {
                    line.split_once(':').map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
                };
                let headers = lines.filter_map(header).collect();
                let mut answer = Answer { status, headers, body: Vec::new() };
                if has_body {
                    self.read_body(&mut answer)?;
                }
                return Ok(answer);
            }
            if !self.more() {
                return Err(if self.unread.is_empty() { NoAnswer::Closed } else { NoAnswer::BrokenOff });
            }
        }
    }

    fn read_body(&mut self, answer: &mut Answer) -> Result<(), NoAnswer> {
        if answer.header("transfer-encoding").is_some() {
            loop {
                let line = self.until(b"\r\n")?;
                let size = usize::from_str_radix(std::str::from_utf8(&line).unwrap(), 16).unwrap();
                let piece = self.exactly(size + 2)?;
                answer.body.extend_from_slice(&piece[..size]);
                if size == 0 {
                    return Ok(());
                }
            }
        }
        let length = answer.header("content-length").map(|length| length.parse().unwrap());
        match length {
            Some(length) => answer.body = self.exactly(length)?,
            None => {
                while self.more() {}
                answer.body = std::mem::take(&mut self.unread);
            }
        }
        Ok(())
    }

    fn until(&mut self, end: &[u8]) -> Result<Vec<u8>, NoAnswer> {
        loop {
            if let Some(at) = find(&self.unread, end) {
                let line = self.unread.drain(..at + end.len()).take(at).collect();
                return Ok(line);
            }
            if !self.more() {
                return Err(NoAnswer::BrokenOff);
            }
        }
    }

    fn exactly(&mut self, length: usize) -> Result<Vec<u8>, NoAnswer> {
        while self.unread.len() < length {
            if !self.more() {
                return Err(NoAnswer::BrokenOff);
            }
        }
        Ok(self.unread.drain(..length).collect())
    }

    fn more(&mut self) -> bool {
        let mut buffer = [0; 64 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => false,
            Ok(read) => {
                self.unread.extend_from_slice(&buffer[..read]);
                true
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("no answer in 20 seconds"),
            Err(_) => false,
        }
    }

    /// Whether the gateway resets the connection, after whatever it sends.
    pub(crate) fn is_reset(&mut self) -> bool {
        let mut buffer = [0; 64 * 1024];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return false,
                Ok(_) => {}
                Err(error) => return error.kind() == std::io::ErrorKind::ConnectionReset,
            }
        }
    }
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}
