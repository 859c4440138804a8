//! The head of an answer: what it says, where its body ends, and whether the connection can be used again.

use std::mem::MaybeUninit;

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, StatusCode};
use httparse::{ParserConfig, Status};

use super::body::Framing;

/// The longest head, in bytes, with what comes before it: empty lines, and answers on the way to the answer.
const MOST_BYTES: usize = 64 * 1024;

/// The most header lines.
const MOST_LINES: usize = 100;

/// Why bytes are no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("the head of the answer is malformed: {0}")]
    Head(#[from] httparse::Error),
    #[error("the head of the answer is longer than {MOST_BYTES} bytes")]
    TooLong,
    #[error("the answer's status is no status of an answer")]
    Status,
    #[error("the answer's content-length is no length, or not the only one")]
    Length,
    #[error("the answer's transfer-encoding is not chunked, and chunked alone")]
    Coding,
    #[error("the answer is not chunked as it says")]
    Chunks,
}

/// The head of an answer.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: StatusCode,
    /// Those that may be passed on.
    pub(crate) headers: HeaderMap,
    pub(crate) framing: Framing,
    /// After this answer, the connection may be used again.
    pub(crate) reusable: bool,
}

/// The header lines of an answer, as they were sent.
pub(crate) struct Lines<'a> {
    head: &'a Bytes,
    lines: &'a [httparse::Header<'a>],
}

impl<'a> Lines<'a> {
    pub(crate) fn len(&self) -> usize {
        self.lines.len()
    }

    /// Names, in whatever case, and values.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        self.lines.iter().map(|line| (line.name, line.value))
    }

    /// The values of the lines called `name`.
    pub(crate) fn named(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// One of the values, without copying it.
    pub(crate) fn share(&self, value: &[u8]) -> Option<HeaderValue> {
        HeaderValue::from_maybe_shared(self.head.slice_ref(value)).ok()
    }
}

/// Finds the head of an answer in what was read so far.
#[derive(Debug)]
pub(crate) struct HeadReader {
    /// It answers a HEAD.
    bodiless: bool,
    /// How many bytes were there, and not enough, when they were last looked at.
    looked_at: usize,
    /// How many bytes came before the head.
    passed: usize,
}

impl HeadReader {
    pub(crate) fn new(bodiless: bool) -> Self {
        Self { bodiless, looked_at: 0, passed: 0 }
    }

    /// The head, with the bytes after it, once it is wholly in `read`. Of its headers, those remain that `sieve` makes of
    /// them.
    pub(crate) fn take(
        &mut self,
        read: &mut BytesMut,
        sieve: &impl Fn(StatusCode, &Lines<'_>) -> HeaderMap,
    ) -> Result<Option<(Head, Bytes)>, Malformed> {
        while self.is_worth_a_look(read) {
            let mut bytes = read.split().freeze();
            let (used, head) = parse(&bytes, self.bodiless, sieve)?;
            if self.passed + if used == 0 { bytes.len() } else { used } > MOST_BYTES {
                return Err(Malformed::TooLong);
            }
            bytes.advance(used);
            if let Some(head) = head {
                return Ok(Some((head, bytes)));
            }
            // Nothing else holds the bytes now, so they go back as they are.
            *read = BytesMut::new();
            *read = BytesMut::from(bytes);
            self.passed += used;
            self.looked_at = if used == 0 { read.len() } else { 0 };
        }
        Ok(None)
    }

    /// At first, so that what is no HTTP is known at once; then only when the head may have ended or has doubled, lest a
    /// head that comes byte by byte be parsed as often.
    fn is_worth_a_look(&self, read: &[u8]) -> bool {
        if self.looked_at == 0 {
            return !read.is_empty();
        }
        let new = &read[self.looked_at.min(read.len()).saturating_sub(3)..];
        let may_end =
            new.windows(2).any(|pair| pair == b"\n\n") || new.windows(3).any(|end| end == b"\n\r\n");
        read.len() > self.looked_at && (may_end || read.len() >= 2 * self.looked_at.min(MOST_BYTES / 2))
    }
}

/// How many of `bytes` are used up, and the head, if that is what they were; an answer on the way to the answer is only
/// used up.
fn parse(
    bytes: &Bytes,
    bodiless: bool,
    sieve: &impl Fn(StatusCode, &Lines<'_>) -> HeaderMap,
) -> Result<(usize, Option<Head>), Malformed> {
    let mut lines = [const { MaybeUninit::uninit() }; MOST_LINES];
    let mut answer = httparse::Response::new(&mut []);
    let parsed =
        ParserConfig::default().parse_response_with_uninit_headers(&mut answer, bytes, &mut lines)?;
    let Status::Complete(used) = parsed else { return Ok((0, None)) };
    let status = answer.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or(Malformed::Status)?;
    if status == StatusCode::SWITCHING_PROTOCOLS {
        return Err(Malformed::Status);
    }
    if status.is_informational() {
        return Ok((used, None));
    }
    let lines = Lines { head: bytes, lines: answer.headers };
    let is_new = answer.version == Some(1);
    let Marks { length, chunked, close, keep_alive } = Marks::of(&lines)?;
    let bodiless = bodiless || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let framing = match length {
        _ if bodiless => Framing::Length(0),
        _ if chunked && !is_new => return Err(Malformed::Coding),
        _ if chunked => Framing::chunked(),
        Some(length) => Framing::Length(length),
        None => Framing::UntilClose,
    };
    // A server that says both means one of them, and somebody in between may have believed the other.
    let certain = framing != Framing::UntilClose && !(chunked && length.is_some());
    let reusable = certain && !close && (is_new || keep_alive);
    Ok((used, Some(Head { status, headers: sieve(status, &lines), framing, reusable })))
}

/// What the headers of an answer say of its body and its connection.
#[derive(Default)]
struct Marks {
    length: Option<u64>,
    chunked: bool,
    close: bool,
    keep_alive: bool,
}

impl Marks {
    fn of(lines: &Lines<'_>) -> Result<Self, Malformed> {
        let mut marks = Self::default();
        for (name, value) in lines.iter() {
            match name.len() {
                10 if name.eq_ignore_ascii_case("connection") => {
                    marks.close |= members(value).any(|member| member.eq_ignore_ascii_case(b"close"));
                    marks.keep_alive |=
                        members(value).any(|member| member.eq_ignore_ascii_case(b"keep-alive"));
                }
                14 if name.eq_ignore_ascii_case("content-length") => {
                    for member in members(value) {
                        let length = number(member).ok_or(Malformed::Length)?;
                        if marks.length.replace(length).is_some_and(|other| other != length) {
                            return Err(Malformed::Length);
                        }
                    }
                }
                17 if name.eq_ignore_ascii_case("transfer-encoding") => {
                    // Who would undo any other coding? Not the ASP, who never learns of it.
                    if marks.chunked || !value.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                        return Err(Malformed::Coding);
                    }
                    marks.chunked = true;
                }
                _ => {}
            }
        }
        Ok(marks)
    }
}

/// What stands between the commas of `value`.
fn members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

/// A number of digits alone: no sign, no space.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is found in `arriving`, read piece by piece: the head, and what came after it as far as it was read.
    fn read(bodiless: bool, arriving: &[&[u8]]) -> Result<Option<(Head, Vec<u8>)>, Malformed> {
        let mut reader = HeadReader::new(bodiless);
        let mut read = BytesMut::new();
        for bytes in arriving {
            read.extend_from_slice(bytes);
            let all = |_, lines: &Lines<'_>| {
                let named = |(name, value): (&str, &[u8])| {
                    Some((http::HeaderName::from_bytes(name.as_bytes()).ok()?, lines.share(value)?))
                };
                lines.iter().filter_map(named).collect()
            };
            if let Some((head, ahead)) = reader.take(&mut read, &all)? {
                return Ok(Some((head, ahead.to_vec())));
            }
        }
        Ok(None)
    }

    fn head(answer: &str) -> Result<Head, Malformed> {
        Ok(read(false, &[answer.as_bytes()])?.expect("a whole head").0)
    }

    fn framing(lines: &str) -> Result<(Framing, bool), Malformed> {
        let head = head(&format!("HTTP/1.1 200 OK\r\n{lines}\r\n"))?;
        Ok((head.framing, head.reusable))
    }

    #[test]
    fn a_head_is_read_with_what_comes_after_it() {
        let answer = b"\r\nHTTP/1.1 404 Nothing Here\r\nContent-Length: 2\r\nX-Y:  z \r\nempty:\r\n\r\n{}";
        let (head, ahead) = read(false, &[answer]).unwrap().unwrap();
        assert_eq!(
            (head.status, head.framing, head.reusable),
            (StatusCode::NOT_FOUND, Framing::Length(2), true)
        );
        assert_eq!(
            (&head.headers["x-y"], &head.headers["empty"]),
            (&"z".parse().unwrap(), &"".parse().unwrap())
        );
        assert_eq!(ahead, b"{}");
    }

    #[test]
    fn the_length_is_told_in_one_way_only() {
        for (lines, length) in [
            ("content-length: 5\r\n", 5),
            ("CONTENT-LENGTH:5\r\n", 5),
            ("content-length: 5\r\ncontent-length: 5\r\n", 5),
            ("content-length: 5, 5\r\n", 5),
            ("content-length: 0\r\n", 0),
        ] {
            assert_eq!(framing(lines), Ok((Framing::Length(length), true)), "{lines:?}");
        }
        for value in
            ["", "-2", "+2", "2 2", "2a", "0x2", "2,3", "2,", "2.0", "99999999999999999999", "\u{0662}"]
        {
            assert_eq!(framing(&format!("content-length: {value}\r\n")), Err(Malformed::Length), "{value:?}");
        }
        let two = "content-length: 2\r\ncontent-length: 3\r\n";
        assert_eq!(framing(two), Err(Malformed::Length));
        assert_eq!(
            read(true, &[format!("HTTP/1.1 200 OK\r\n{two}\r\n").as_bytes()]).unwrap_err(),
            Malformed::Length
        );
    }

    #[test]
    fn only_chunks_mark_off_a_body_of_unknown_length() {
        assert_eq!(framing("transfer-encoding: chunked\r\n"), Ok((Framing::chunked(), true)));
        assert_eq!(framing("Transfer-Encoding:  Chunked \r\n"), Ok((Framing::chunked(), true)));
        for value in
            ["gzip", "gzip, chunked", "chunked, gzip", "chunked, chunked", "identity", "", "xchunked"]
        {
            assert_eq!(
                framing(&format!("transfer-encoding: {value}\r\n")),
                Err(Malformed::Coding),
                "{value:?}"
            );
        }
        let twice = "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n";
        assert_eq!(framing(twice), Err(Malformed::Coding));
        let old = "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        assert_eq!(head(old).unwrap_err(), Malformed::Coding);
    }

    #[test]
    fn with_both_the_chunks_count_and_the_connection_is_not_trusted_again() {
        let both = "content-length: 50\r\ntransfer-encoding: chunked\r\n";
        assert_eq!(framing(both), Ok((Framing::chunked(), false)));
    }

    #[test]
    fn without_either_the_body_lasts_as_long_as_the_connection() {
        assert_eq!(framing("x: y\r\n"), Ok((Framing::UntilClose, false)));
    }

    #[test]
    fn some_answers_have_no_body_whatever_they_say() {
        for lines in ["", "content-length: 5\r\n", "transfer-encoding: chunked\r\n"] {
            for (status, bodiless) in [("204", false), ("304", false), ("200", true)] {
                let answer = format!("HTTP/1.1 {status} x\r\n{lines}\r\nHTTP/1.1");
                let (head, ahead) = read(bodiless, &[answer.as_bytes()]).unwrap().unwrap();
                assert_eq!((head.framing, head.reusable), (Framing::Length(0), true), "{answer:?}");
                assert_eq!(ahead, b"HTTP/1.1");
            }
        }
    }

    #[test]
    fn a_connection_is_used_again_where_the_server_means_it_to_be() {
        for (version, connection, reusable) in [
            ("1.1", "", true),
            ("1.1", "connection: keep-alive\r\n", true),
            ("1.1", "connection: Close\r\n", false),
            ("1.1", "connection: x, close\r\n", false),
            ("1.1", "connection: close\r\nconnection: keep-alive\r\n", false),
            ("1.0", "", false),
            ("1.0", "connection: Keep-Alive\r\n", true),
            ("1.0", "connection: keep-alive, close\r\n", false),
        ] {
            let answer = format!("HTTP/{version} 200 OK\r\n{connection}content-length: 0\r\n\r\n");
            assert_eq!(head(&answer).unwrap().reusable, reusable, "{answer:?}");
        }
    }

    #[test]
    fn answers_on_the_way_are_passed_over() {
        let early = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\ncontent-length: 9\r\n\r\n";
        let head = head(&format!("{early}HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n")).unwrap();
        assert_eq!((head.status, head.framing, head.headers.len()), (StatusCode::OK, Framing::Length(1), 1));
        assert!(read(false, &[early.as_bytes()]).unwrap().is_none());
        assert_eq!(
            read(false, &[early.repeat(MOST_BYTES / early.len() + 1).as_bytes()]).unwrap_err(),
            Malformed::TooLong,
            "for ever"
        );
        let switched = "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n";
        assert_eq!(read(false, &[switched.as_bytes()]).unwrap_err(), Malformed::Status);
    }

    #[test]
    fn what_is_no_head_of_an_answer_is_refused() {
        for answer in [
            "SSH-2.0-OpenSSH\r\n",
            "GET / HTTP/1.1\r\n\r\n",
            "HTTP/2 200 OK\r\n\r\n",
            "HTTP/1.2 200 OK\r\n\r\n",
            "HTTP/1.1 20 OK\r\n\r\n",
            "HTTP/1.1 099 OK\r\n\r\n",
            "HTTP/1.1 2000 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nx : a\r\n\r\n",
            "HTTP/1.1 200 OK\r\nx\r\n\r\n",
            "HTTP/1.1 200 OK\r\n: a\r\n\r\n",
            "HTTP/1.1 200 OK\r\nx: a\u{0}b\r\n\r\n",
            "HTTP/1.1 200 OK\r\nx: a\rb\r\n\r\n",
            "HTTP/1.1 200 OK\r\nx: a\r\n folded\r\n\r\n",
        ] {
            assert!(read(false, &[answer.as_bytes()]).is_err(), "{answer:?}");
        }
    }

    #[test]
    fn a_head_has_an_end() {
        let lines = |count| format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(count));
        assert!(head(&lines(MOST_LINES)).is_ok());
        assert_eq!(
            head(&lines(MOST_LINES + 1)).unwrap_err(),
            Malformed::Head(httparse::Error::TooManyHeaders)
        );
        let long = |length| format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(length));
        assert!(head(&long(MOST_BYTES - 24)).is_ok());
        assert_eq!(head(&long(MOST_BYTES - 23)).unwrap_err(), Malformed::TooLong);
        let endless = "y".repeat(1000);
        let mut arriving = vec![&b"HTTP/1.1 200 OK\r\nx: "[..]];
        arriving.resize(MOST_BYTES / 1000 + 2, endless.as_bytes());
        assert_eq!(read(false, &arriving).unwrap_err(), Malformed::TooLong);
    }

    proptest! {
        #[test]
        fn a_head_does_not_depend_on_how_the_bytes_arrive(
            early in prop::bool::ANY,
            newline in prop::sample::select(vec!["\r\n", "\n"]),
            names in prop::collection::vec("[a-zA-Z-]{1,12}", 0..8),
            value in "[ -~]{0,20}",
            sizes in prop::collection::vec(1_usize..30, 1..40),
        ) {
            let lines: String = names.iter().map(|name| format!("x{name}: {value}{newline}")).collect();
            let early = if early { "HTTP/1.1 103 Hints\r\nx: y\r\n\r\n" } else { "" };
            let answer = format!("{early}HTTP/1.1 200 OK{newline}{lines}content-length: 4{newline}{newline}");
            let (whole, _) = read(false, &[answer.as_bytes()]).unwrap().unwrap();
            let (mut rest, mut sizes, mut arriving) = (answer.as_bytes(), sizes.iter().cycle(), Vec::new());
            while !rest.is_empty() {
                let (piece, after) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
                arriving.push(piece);
                rest = after;
            }
            let (pieces, ahead) = read(false, &arriving).unwrap().expect("the same head");
            prop_assert!(ahead.is_empty());
            prop_assert_eq!(pieces.status, whole.status);
            prop_assert_eq!(pieces.headers, whole.headers);
            prop_assert_eq!(pieces.framing, whole.framing);
        }

        #[test]
        fn any_bytes_can_be_looked_at(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(false, &[b"HTTP/1.1 200 OK\r\n", &bytes, b"\r\n\r\n"]);
            let _ = read(false, &[&bytes]);
        }
    }
}
