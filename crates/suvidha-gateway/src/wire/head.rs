//! The head of an HTTP/1 request: judged before anything of it is believed, and then read.

use std::mem::MaybeUninit;
use std::ops::Range;

use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version};

use crate::pipeline::head::http_name;

/// The most headers that any configuration allows; see `Limits::headers`.
const MOST_HEADERS: usize = 100;

/// Why a head is refused. The words go to the ASP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeadFault {
    Malformed(&'static str),
    TooLarge,
    AmbiguousLength(&'static str),
    TooSlow,
}

/// What follows the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    Length(u64),
    Chunked,
}

/// A head that is right.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) parts: Parts,
    pub(super) framing: Framing,
    /// The ASP means to send another request on this connection.
    pub(super) keeps: bool,
    /// It sends the body only when it is told to.
    pub(super) waits_for_leave: bool,
}

/// Takes the head at the start of `bytes` out of it; `None` while it is not all there.
pub(super) fn take(
    bytes: &mut BytesMut,
    max_bytes: usize,
    max_headers: usize,
) -> Result<Option<Head>, HeadFault> {
    let mut headers = [const { MaybeUninit::uninit() }; MOST_HEADERS];
    let headers = &mut headers[..max_headers.min(MOST_HEADERS)];
    let mut request = httparse::Request::new(&mut []);
    let length = match request.parse_with_uninit_headers(bytes, headers) {
        Ok(httparse::Status::Partial) if bytes.len() > max_bytes => return Err(HeadFault::TooLarge),
        Ok(httparse::Status::Partial) => return Ok(None),
        Ok(httparse::Status::Complete(length)) if length > max_bytes => return Err(HeadFault::TooLarge),
        Ok(httparse::Status::Complete(length)) => length,
        Err(httparse::Error::TooManyHeaders) => return Err(HeadFault::TooLarge),
        Err(error) => return Err(HeadFault::Malformed(words(error))),
    };
    let said = Said::by(&request)?;
    let outline = Outline::of(&request, bytes)?;
    let parts = outline.parts(&bytes.split_to(length).freeze())?;
    let (framing, keeps) = (said.framing, said.keeps);
    Ok(Some(Head { parts, framing, keeps, waits_for_leave: said.waits_for_leave }))
}

/// Where the parts of a head stand in its bytes, so that they can be taken without being copied.
struct Outline {
    method: Method,
    version: Version,
    target: Range<usize>,
    headers: [(Range<u32>, Range<u32>); MOST_HEADERS],
    count: usize,
}

impl Outline {
    fn of(request: &httparse::Request<'_, '_>, bytes: &[u8]) -> Result<Self, HeadFault> {
        let within = |part: &[u8]| {
            let start = part.as_ptr() as usize - bytes.as_ptr() as usize;
            start..start + part.len()
        };
        let mut headers = [const { (0..0, 0..0) }; MOST_HEADERS];
        for (place, header) in headers.iter_mut().zip(&*request.headers) {
            let (name, value) = (within(header.name.as_bytes()), within(header.value));
            let short = |range: Range<usize>| range.start as u32..range.end as u32;
            *place = (short(name), short(value));
        }
        let method = Method::from_bytes(request.method.unwrap_or_default().as_bytes());
        Ok(Self {
            method: method.map_err(|_| HeadFault::Malformed(words(httparse::Error::Token)))?,
            version: if request.version == Some(1) { Version::HTTP_11 } else { Version::HTTP_10 },
            target: within(request.path.unwrap_or_default().as_bytes()),
            headers,
            count: request.headers.len(),
        })
    }

    fn parts(self, bytes: &Bytes) -> Result<Parts, HeadFault> {
        let mut request = Request::new(());
        *request.method_mut() = self.method;
        *request.version_mut() = self.version;
        *request.uri_mut() = Uri::from_maybe_shared(bytes.slice(self.target)).map_err(|_| TARGET)?;
        let mut headers = HeaderMap::with_capacity(self.count);
        for (name, value) in &self.headers[..self.count] {
            let range = |range: &Range<u32>| range.start as usize..range.end as usize;
            let name = http_name(&bytes[range(name)]);
            let value = HeaderValue::from_maybe_shared(bytes.slice(range(value)));
            let name = name.map_err(|_| HeadFault::Malformed(words(httparse::Error::HeaderName)))?;
            let value = value.map_err(|_| HeadFault::Malformed(words(httparse::Error::HeaderValue)))?;
            headers.append(name, value);
        }
        *request.headers_mut() = headers;
        Ok(request.into_parts().0)
    }
}

const TARGET: HeadFault = HeadFault::Malformed("The request target is malformed.");

/// What a head says of the connection and of the body.
struct Said {
    framing: Framing,
    keeps: bool,
    waits_for_leave: bool,
}

impl Said {
    fn by(request: &httparse::Request<'_, '_>) -> Result<Self, HeadFault> {
        let http_11 = request.version == Some(1);
        let (mut length, mut coding, mut hosts) = (None, None, 0);
        let (mut says_close, mut says_keep_alive, mut waits_for_leave) = (false, false, false);
        for header in &*request.headers {
            let is = |name: &str| header.name.eq_ignore_ascii_case(name);
            if is("content-length") {
                if length.replace(header.value).is_some() {
                    return Err(HeadFault::AmbiguousLength("Content-Length is sent more than once."));
                }
            } else if is("transfer-encoding") {
                if coding.replace(header.value).is_some() {
                    return Err(HeadFault::AmbiguousLength("Transfer-Encoding is sent more than once."));
                }
            } else if is("host") {
                hosts += 1;
            } else if is("connection") {
                says_close |= names(header.value, b"close");
                says_keep_alive |= names(header.value, b"keep-alive");
            } else if is("expect") {
                waits_for_leave = header.value.eq_ignore_ascii_case(b"100-continue");
            }
        }
        if hosts > 1 || (http_11 && hosts == 0) {
            return Err(HeadFault::Malformed("An HTTP/1.1 request has exactly one Host header."));
        }
        Ok(Self {
            framing: framing(http_11, length, coding)?,
            keeps: !says_close && (http_11 || says_keep_alive),
            waits_for_leave: waits_for_leave && http_11,
        })
    }
}

/// Whether a list of tokens names this one.
fn names(list: &[u8], token: &[u8]) -> bool {
    list.split(|&byte| byte == b',').any(|one| one.trim_ascii().eq_ignore_ascii_case(token))
}

fn framing(http_11: bool, length: Option<&[u8]>, coding: Option<&[u8]>) -> Result<Framing, HeadFault> {
    match (length, coding) {
        (Some(_), Some(_)) => {
            Err(HeadFault::AmbiguousLength("Content-Length and Transfer-Encoding are sent together."))
        }
        (None, Some(coding)) if http_11 && coding.trim_ascii().eq_ignore_ascii_case(b"chunked") => {
            Ok(Framing::Chunked)
        }
        (None, Some(_)) => Err(HeadFault::AmbiguousLength(
            "Transfer-Encoding must be `chunked`, alone, and the request HTTP/1.1.",
        )),
        (Some(length), None) => declared(length).map(Framing::Length),
        (None, None) => Ok(Framing::Length(0)),
    }
}

fn declared(value: &[u8]) -> Result<u64, HeadFault> {
    let value = value.trim_ascii();
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(value).ok().filter(|_| digits).and_then(|text| text.parse().ok());
    number
        .filter(|&length: &u64| length < u64::MAX)
        .ok_or(HeadFault::AmbiguousLength("Content-Length is not a number of bytes."))
}

fn words(error: httparse::Error) -> &'static str {
    match error {
        httparse::Error::HeaderName => "A header name is malformed.",
        httparse::Error::HeaderValue => "A header value holds a character that none may hold.",
        httparse::Error::NewLine => "A line does not end as HTTP lines do.",
        httparse::Error::Version => "The request line does not end in HTTP/1.1 or HTTP/1.0.",
        _ => "The request line is malformed.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(head: &str) -> Result<Option<Head>, HeadFault> {
        take(&mut BytesMut::from(head), 1024, 20)
    }

    fn framed(headers: &str) -> Result<Framing, HeadFault> {
        of(&format!("POST /a HTTP/1.1\r\nhost: x\r\n{headers}\r\n")).map(|whole| whole.unwrap().framing)
    }

    #[test]
    fn a_right_head_tells_what_follows() {
        assert_eq!(framed(""), Ok(Framing::Length(0)));
        assert_eq!(framed("content-length: 0\r\n"), Ok(Framing::Length(0)));
        assert_eq!(framed("Content-Length: 12 \r\n"), Ok(Framing::Length(12)));
        assert_eq!(framed("transfer-encoding: Chunked\r\n"), Ok(Framing::Chunked));
    }

    #[test]
    fn a_head_is_taken_as_it_stands_and_nothing_behind_it() {
        let mut bytes = BytesMut::from("PUT /a?b=c HTTP/1.0\r\nA: 1\r\nb:\t2 \r\na: 3\r\n\r\nrest");
        let Head { parts, framing, .. } = take(&mut bytes, 1024, 20).unwrap().unwrap();
        assert_eq!(&bytes[..], b"rest");
        assert_eq!(
            (parts.method, parts.version, framing),
            (Method::PUT, Version::HTTP_10, Framing::Length(0))
        );
        assert_eq!(parts.uri, "/a?b=c");
        let headers: Vec<_> =
            parts.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        assert_eq!(headers, [("a", &b"1"[..]), ("a", b"3"), ("b", b"2")]);
    }

    #[test]
    fn a_connection_is_kept_unless_somebody_says_otherwise() {
        for (request, keeps) in [
            ("GET / HTTP/1.1\r\nhost: x\r\n\r\n", true),
            ("GET / HTTP/1.1\r\nhost: x\r\nconnection: te, Close\r\n\r\n", false),
            ("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\nconnection: keep-alive\r\n\r\n", false),
            ("GET / HTTP/1.0\r\n\r\n", false),
            ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true),
        ] {
            assert_eq!(of(request).unwrap().unwrap().keeps, keeps, "{request:?}");
        }
        let asks = "PUT / HTTP/1.1\r\nhost: x\r\nexpect: 100-Continue\r\ncontent-length: 1\r\n\r\n";
        assert!(of(asks).unwrap().unwrap().waits_for_leave);
    }

    #[test]
    fn an_unfinished_head_is_waited_for_until_it_is_too_large() {
        assert!(of("GET /a HTTP/1.1\r\nhost:").unwrap().is_none());
        assert_eq!(of(&format!("GET /{} HTTP/1.1\r\n", "a".repeat(2000))).unwrap_err(), HeadFault::TooLarge);
        assert_eq!(framed(&format!("a: {}\r\n", "b".repeat(2000))), Err(HeadFault::TooLarge));
        assert_eq!(framed(&"a: b\r\n".repeat(20)), Err(HeadFault::TooLarge));
    }

    #[test]
    fn an_ambiguous_length_is_refused() {
        for headers in [
            "content-length: 5\r\ntransfer-encoding: chunked\r\n",
            "transfer-encoding: chunked\r\ncontent-length: 5\r\n",
            "content-length: 5\r\ncontent-length: 5\r\n",
            "content-length: 5\r\nCONTENT-LENGTH: 6\r\n",
            "content-length: 5, 5\r\n",
            "content-length: +5\r\n",
            "content-length: -1\r\n",
            "content-length: 0x5\r\n",
            "content-length:\r\n",
            "content-length: 18446744073709551615\r\n",
            "content-length: 99999999999999999999\r\n",
            "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
            "transfer-encoding: gzip, chunked\r\n",
            "transfer-encoding: identity\r\n",
            "transfer-encoding: xchunked\r\n",
        ] {
            assert!(matches!(framed(headers), Err(HeadFault::AmbiguousLength(_))), "{headers:?}");
        }
        let old = "POST /a HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n";
        assert!(matches!(of(old), Err(HeadFault::AmbiguousLength(_))));
    }

    #[test]
    fn a_malformed_head_is_refused() {
        for head in [
            "GET /a HTTP/1.1\r\n\r\n",
            "GET /a HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n",
            "GET /a\r\n\r\n",
            "GET /a HTTP/2.0\r\n\r\n",
            "GET /a b HTTP/1.1\r\nhost: x\r\n\r\n",
            "G@T /a HTTP/1.1\r\nhost: x\r\n\r\n",
            "GET /a HTTP/1.1\r\nhost : x\r\n\r\n",
            "GET /a HTTP/1.1\r\nhost: x\r\n folded\r\n\r\n",
            "GET /a HTTP/1.1\r\nhost: x\r\na: \u{1}\r\n\r\n",
            "GET a/b HTTP/1.1\r\nhost: x\r\n\r\n",
            "\u{16}\u{3}\u{1}",
        ] {
            assert!(matches!(of(head), Err(HeadFault::Malformed(_))), "{head:?} is {:?}", of(head));
        }
    }
}
