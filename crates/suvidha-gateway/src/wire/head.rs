//! Judges the head of an HTTP/1 request before hyper reads it, with the very parser that hyper uses.
//!
//! hyper answers a malformed head by itself, with a bare 400 or 431, and quietly repairs an ambiguous length.
//! What passes here, hyper reads without either.

use std::mem::MaybeUninit;

use http::Uri;

/// The most headers that hyper reads by default; see `Limits::headers`.
const HYPER_MAX_HEADERS: usize = 100;

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

/// The length and the framing of the head at the start of `bytes`; `None` while it is not all there.
pub(super) fn judge(
    bytes: &[u8],
    max_bytes: usize,
    max_headers: usize,
) -> Result<Option<(usize, Framing)>, HeadFault> {
    let mut headers = [const { MaybeUninit::uninit() }; HYPER_MAX_HEADERS];
    let headers = &mut headers[..max_headers.min(HYPER_MAX_HEADERS)];
    let mut request = httparse::Request::new(&mut []);
    match request.parse_with_uninit_headers(bytes, headers) {
        Ok(httparse::Status::Partial) if bytes.len() > max_bytes => Err(HeadFault::TooLarge),
        Ok(httparse::Status::Partial) => Ok(None),
        Ok(httparse::Status::Complete(length)) if length > max_bytes => Err(HeadFault::TooLarge),
        Ok(httparse::Status::Complete(length)) => Ok(Some((length, framing(&request)?))),
        Err(httparse::Error::TooManyHeaders) => Err(HeadFault::TooLarge),
        Err(error) => Err(HeadFault::Malformed(words(error))),
    }
}

fn framing(request: &httparse::Request<'_, '_>) -> Result<Framing, HeadFault> {
    if request.path.is_none_or(|target| Uri::try_from(target).is_err()) {
        return Err(HeadFault::Malformed("The request target is malformed."));
    }
    let (mut length, mut coding, mut hosts) = (None, None, 0);
    for header in &*request.headers {
        if header.name.eq_ignore_ascii_case("content-length") {
            if length.replace(header.value).is_some() {
                return Err(HeadFault::AmbiguousLength("Content-Length is sent more than once."));
            }
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            if coding.replace(header.value).is_some() {
                return Err(HeadFault::AmbiguousLength("Transfer-Encoding is sent more than once."));
            }
        } else if header.name.eq_ignore_ascii_case("host") {
            hosts += 1;
        }
    }
    let http_11 = request.version == Some(1);
    if hosts > 1 || (http_11 && hosts == 0) {
        return Err(HeadFault::Malformed("An HTTP/1.1 request has exactly one Host header."));
    }
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
    // hyper keeps the two largest numbers for itself.
    number
        .filter(|&length: &u64| length < u64::MAX - 1)
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

    fn of(head: &str) -> Result<Option<(usize, Framing)>, HeadFault> {
        judge(head.as_bytes(), 1024, 20)
    }

    fn framed(headers: &str) -> Result<Framing, HeadFault> {
        of(&format!("POST /a HTTP/1.1\r\nhost: x\r\n{headers}\r\n")).map(|whole| whole.unwrap().1)
    }

    #[test]
    fn a_right_head_tells_what_follows() {
        assert_eq!(framed(""), Ok(Framing::Length(0)));
        assert_eq!(framed("content-length: 0\r\n"), Ok(Framing::Length(0)));
        assert_eq!(framed("Content-Length: 12 \r\n"), Ok(Framing::Length(12)));
        assert_eq!(framed("transfer-encoding: Chunked\r\n"), Ok(Framing::Chunked));
        let head = "GET /a HTTP/1.0\r\n\r\n";
        assert_eq!(of(&format!("{head}rest")), Ok(Some((head.len(), Framing::Length(0)))));
    }

    #[test]
    fn an_unfinished_head_is_waited_for_until_it_is_too_large() {
        assert_eq!(of("GET /a HTTP/1.1\r\nhost:"), Ok(None));
        assert_eq!(of(&format!("GET /{} HTTP/1.1\r\n", "a".repeat(2000))), Err(HeadFault::TooLarge));
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
