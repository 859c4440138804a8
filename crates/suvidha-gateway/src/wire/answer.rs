//! An answer as bytes: its head, and its body in the form that the ASP can read.

use std::io::IoSlice;
use std::io::Write as _;

use bytes::{Buf as _, Bytes};
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::response::Parts;
use http::{HeaderName, HeaderValue, StatusCode};

/// What the request wants of its answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// It asked for the head alone.
    pub(super) head_only: bool,
    /// It is HTTP/1.0.
    pub(super) old: bool,
    /// The connection shall go on.
    pub(super) keeps: bool,
}

impl Wanted {
    /// Of a request that could not be read.
    pub(super) const NOTHING: Self = Self { head_only: false, old: false, keeps: false };
}

/// What is going out. Its memory serves all answers of a connection.
#[derive(Default)]
pub(super) struct Outgoing {
    /// Heads, and what goes between pieces.
    text: Vec<u8>,
    /// How much of `text` is sent.
    sent: usize,
    piece: Bytes,
    after: &'static [u8],
    framing: Framing,
    keeps: bool,
}

/// How the end of an answer's body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Framing {
    /// So many bytes are left.
    Length(u64),
    Chunked,
    /// By the end of the connection.
    Close,
    #[default]
    Over,
}

impl Outgoing {
    /// An answer begins, with a body of so many bytes if that is known; nothing of the one before is left.
    pub(super) fn begin(&mut self, parts: &Parts, wanted: Wanted, length: Option<u64>) {
        let bodiless = matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let framing = match length {
            Some(length) => Framing::Length(length),
            None if wanted.old => Framing::Close,
            None => Framing::Chunked,
        };
        let says_close = parts.headers.get(CONNECTION).is_some_and(|value| value == "close");
        self.keeps = wanted.keeps && !says_close && framing != Framing::Close;
        (self.sent, self.after) = (0, &[]);
        self.text.clear();
        self.status(parts.status, wanted.old);
        let own = [CONNECTION, TRANSFER_ENCODING];
        for (name, value) in parts.headers.iter().filter(|(name, _)| !own.contains(name)) {
            self.header(name, value);
        }
        match (self.keeps, wanted.old) {
            (false, false) => self.text.extend_from_slice(b"connection: close\r\n"),
            (true, true) => self.text.extend_from_slice(b"connection: keep-alive\r\n"),
            (true, false) | (false, true) => {}
        }
        let says_length = parts.headers.contains_key(CONTENT_LENGTH);
        match framing {
            Framing::Length(length) if !(bodiless || says_length || wanted.head_only && length == 0) => {
                // A Vec takes everything.
                let _ = write!(self.text, "content-length: {length}\r\n");
            }
            Framing::Chunked if !bodiless && !wanted.head_only => {
                self.text.extend_from_slice(b"transfer-encoding: chunked\r\n");
            }
            _ => {}
        }
        self.text.extend_from_slice(b"\r\n");
        let over = bodiless || wanted.head_only || framing == Framing::Length(0);
        self.framing = if over { Framing::Over } else { framing };
    }

    fn status(&mut self, status: StatusCode, old: bool) {
        self.text.extend_from_slice(if old { b"HTTP/1.0 " } else { b"HTTP/1.1 " });
        self.text.extend_from_slice(status.as_str().as_bytes());
        self.text.push(b' ');
        self.text.extend_from_slice(status.canonical_reason().unwrap_or("Other").as_bytes());
        self.text.extend_from_slice(b"\r\n");
    }

    fn header(&mut self, name: &HeaderName, value: &HeaderValue) {
        self.text.extend_from_slice(name.as_str().as_bytes());
        self.text.extend_from_slice(b": ");
        self.text.extend_from_slice(value.as_bytes());
        self.text.extend_from_slice(b"\r\n");
    }

    /// Whether more of the body is to come.
    pub(super) fn goes_on(&self) -> bool {
        self.framing != Framing::Over
    }

    /// Whether the connection goes on after the answer.
    pub(super) fn keeps(&self) -> bool {
        self.keeps
    }

    /// The next piece of the body. What came before is sent.
    pub(super) fn add(&mut self, mut piece: Bytes) {
        match &mut self.framing {
            Framing::Length(left) => {
                piece.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= piece.len() as u64;
                if *left == 0 {
                    self.framing = Framing::Over;
                }
            }
            Framing::Chunked if !piece.is_empty() => {
                // A Vec takes everything.
                let _ = write!(self.text, "{:x}\r\n", piece.len());
                self.after = b"\r\n";
            }
            Framing::Chunked | Framing::Close | Framing::Over => {}
        }
        self.piece = piece;
    }

    /// The body ends here; says whether it may.
    pub(super) fn end(&mut self) -> bool {
        match std::mem::take(&mut self.framing) {
            Framing::Length(_) => return false,
            Framing::Chunked => self.text.extend_from_slice(b"0\r\n\r\n"),
            Framing::Close | Framing::Over => {}
        }
        true
    }

    /// What is to be sent now, in its order.
    pub(super) fn parts(&self) -> [IoSlice<'_>; 3] {
        [&self.text[self.sent..], &self.piece, self.after].map(IoSlice::new)
    }

    pub(super) fn is_sent(&self) -> bool {
        self.sent == self.text.len() && self.piece.is_empty() && self.after.is_empty()
    }

    /// So many bytes are sent.
    pub(super) fn advance(&mut self, bytes: usize) {
        let of_text = bytes.min(self.text.len() - self.sent);
        let of_piece = (bytes - of_text).min(self.piece.len());
        self.sent += of_text;
        self.piece.advance(of_piece);
        if self.piece.is_empty() {
            // Even of an empty piece, the memory is not free before.
            self.piece = Bytes::new();
        }
        self.after = &self.after[bytes - of_text - of_piece..];
        if self.sent == self.text.len() {
            self.sent = 0;
            self.text.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use http::Response;

    use super::*;

    const PLAIN: Wanted = Wanted { head_only: false, old: false, keeps: true };

    /// An answer as it goes out, seven bytes at a time, and whether the connection goes on.
    fn written(
        head: http::response::Builder,
        length: Option<u64>,
        pieces: &[&str],
        wanted: Wanted,
    ) -> (String, bool) {
        let (parts, ()) = head.body(()).unwrap().into_parts();
        let (mut outgoing, mut bytes) = (Outgoing::default(), Vec::new());
        let mut send = |outgoing: &mut Outgoing| {
            while !outgoing.is_sent() {
                let now: Vec<u8> = outgoing.parts().iter().flat_map(|part| part.to_vec()).take(7).collect();
                outgoing.advance(now.len());
                bytes.extend(now);
            }
        };
        outgoing.begin(&parts, wanted, length);
        for piece in pieces {
            outgoing.add(Bytes::copy_from_slice(piece.as_bytes()));
            send(&mut outgoing);
        }
        assert!(outgoing.end(), "the body is whole");
        send(&mut outgoing);
        (String::from_utf8(bytes).unwrap(), outgoing.keeps())
    }

    #[test]
    fn a_body_of_known_length_goes_out_as_it_is() {
        let head = Response::builder().header("a", "1").header("a", "2").header("connection", "keep-alive");
        let (text, keeps) = written(head, Some(5), &["he", "", "llo"], PLAIN);
        assert_eq!(text, "HTTP/1.1 200 OK\r\na: 1\r\na: 2\r\ncontent-length: 5\r\n\r\nhello");
        assert!(keeps);
    }

    #[test]
    fn a_body_of_unknown_length_goes_out_in_chunks_or_ends_with_the_connection() {
        let (text, keeps) = written(Response::builder(), None, &["hello", "", " there, world"], PLAIN);
        let chunks = "5\r\nhello\r\nd\r\n there, world\r\n0\r\n\r\n";
        assert_eq!(text, format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{chunks}"));
        assert!(keeps);
        let old = Wanted { old: true, ..PLAIN };
        let (text, keeps) = written(Response::builder(), None, &["hello", " there"], old);
        assert_eq!(text, "HTTP/1.0 200 OK\r\n\r\nhello there");
        assert!(!keeps);
    }

    #[test]
    fn the_connection_goes_on_only_if_both_want_it() {
        let close = || Response::builder().header("connection", "close");
        let old = Wanted { old: true, ..PLAIN };
        for (head, wanted, says, goes_on) in [
            (Response::builder(), PLAIN, "HTTP/1.1 200 OK\r\n", true),
            (close(), PLAIN, "HTTP/1.1 200 OK\r\nconnection: close\r\n", false),
            (
                Response::builder(),
                Wanted { keeps: false, ..PLAIN },
                "HTTP/1.1 200 OK\r\nconnection: close\r\n",
                false,
            ),
            (Response::builder(), old, "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\n", true),
            (close(), old, "HTTP/1.0 200 OK\r\n", false),
        ] {
            let (text, keeps) = written(head, Some(0), &[], wanted);
            assert_eq!((text, keeps), (format!("{says}content-length: 0\r\n\r\n"), goes_on));
        }
    }

    #[test]
    fn an_answer_without_a_body_by_nature_has_none() {
        let head_only = Wanted { head_only: true, ..PLAIN };
        for (head, length, wanted, text) in [
            (Response::builder(), Some(7), head_only, "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n"),
            (
                Response::builder().header("content-length", "9"),
                Some(0),
                head_only,
                "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n",
            ),
            (Response::builder(), None, head_only, "HTTP/1.1 200 OK\r\n\r\n"),
            (Response::builder().status(204), Some(0), PLAIN, "HTTP/1.1 204 No Content\r\n\r\n"),
            (Response::builder().status(304), None, PLAIN, "HTTP/1.1 304 Not Modified\r\n\r\n"),
        ] {
            assert_eq!(written(head, length, &[], wanted), (text.to_owned(), true));
        }
    }

    #[test]
    fn nothing_is_kept_of_what_is_sent() {
        let (parts, ()) = Response::new(()).into_parts();
        let (mut outgoing, piece) = (Outgoing::default(), Bytes::from(vec![b'a'; 100]));
        outgoing.begin(&parts, PLAIN, Some(100));
        outgoing.add(piece.clone());
        outgoing.advance(outgoing.parts().iter().map(|part| part.len()).sum());
        assert!(outgoing.is_sent() && piece.is_unique());
    }

    #[test]
    fn what_ends_early_is_not_whole_and_what_is_too_long_is_cut() {
        let (parts, ()) = Response::new(()).into_parts();
        let mut outgoing = Outgoing::default();
        outgoing.begin(&parts, PLAIN, Some(5));
        outgoing.add(Bytes::from_static(b"hell"));
        assert!(outgoing.goes_on() && !outgoing.end());
        outgoing.begin(&parts, PLAIN, Some(5));
        outgoing.add(Bytes::from_static(b"hello there"));
        assert!(!outgoing.goes_on() && outgoing.parts()[1].len() == 5);
    }
}
