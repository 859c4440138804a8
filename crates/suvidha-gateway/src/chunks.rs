//! Takes a chunked body out of its chunks, of an ASP's as of GSTN's. It is strict: what is not chunked just so ends the
//! connection.

use bytes::{Buf, Bytes};

/// The most bytes of chunk extensions, or of trailers, in one body.
const MAX_EXTRA: usize = 16 * 1024;

/// It is not chunked as it should be, or its extras are too long.
#[derive(Debug)]
pub(crate) struct Malformed;

/// Where in a chunked body the connection is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Chunks {
    at: At,
    extra: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Size {
        value: u64,
        digits: u8,
    },
    /// Spaces after the size.
    Gap {
        value: u64,
    },
    Extension {
        value: u64,
    },
    SizeEnd {
        value: u64,
    },
    Data {
        left: u64,
    },
    DataReturn,
    DataEnd,
    TrailerStart,
    Trailer,
    TrailerEnd,
    LastEnd,
    Done,
    Malformed,
}

impl Default for At {
    fn default() -> Self {
        Self::Size { value: 0, digits: 0 }
    }
}

impl Chunks {
    /// The next piece of the body in `bytes`, taken out together with what goes before it; `None` where there is none yet, or
    /// none any more. Of [`Bytes`] and [`BytesMut`](bytes::BytesMut) it is not a copy.
    pub(crate) fn next(&mut self, bytes: &mut impl Buf) -> Result<Option<Bytes>, Malformed> {
        self.skip(bytes);
        match &mut self.at {
            At::Data { left } if bytes.has_remaining() => {
                let there = bytes.remaining();
                let take = usize::try_from(*left).map_or(there, |left| left.min(there));
                *left -= take as u64;
                if *left == 0 {
                    self.at = At::DataReturn;
                }
                Ok(Some(bytes.copy_to_bytes(take)))
            }
            At::Malformed => Err(Malformed),
            _ => Ok(None),
        }
    }

    /// Whether the body is at its end.
    pub(crate) fn is_done(&self) -> bool {
        self.at == At::Done
    }

    /// Takes away what goes before the next piece, or to the end. What is malformed is told to whoever asks next.
    pub(crate) fn skip(&mut self, bytes: &mut impl Buf) {
        let mut used = 0;
        while !matches!(self.at, At::Data { .. } | At::Done | At::Malformed)
            && let Some(&byte) = bytes.chunk().get(used)
        {
            self.at = self.step(byte);
            used += 1;
        }
        bytes.advance(used);
    }

    fn step(&mut self, byte: u8) -> At {
        match (self.at, byte) {
            (At::Size { value, digits }, _) if byte.is_ascii_hexdigit() && digits < 15 => {
                let digit = char::from(byte).to_digit(16).map_or(0, u64::from);
                At::Size { value: value << 4 | digit, digits: digits + 1 }
            }
            (At::Size { digits: 0, .. }, _) => At::Malformed,
            (At::Size { value, .. } | At::Gap { value } | At::Extension { value }, b'\r') => {
                At::SizeEnd { value }
            }
            (At::Size { value, .. } | At::Gap { value }, b';') => At::Extension { value },
            (At::Size { value, .. } | At::Gap { value }, b' ' | b'\t') => self.spend(At::Gap { value }),
            (At::Extension { value }, _) if byte != b'\n' => self.spend(At::Extension { value }),
            (At::SizeEnd { value: 0 }, b'\n') => {
                self.extra = 0;
                At::TrailerStart
            }
            (At::SizeEnd { value }, b'\n') => At::Data { left: value },
            (At::DataReturn, b'\r') => At::DataEnd,
            (At::DataEnd, b'\n') => At::default(),
            (At::TrailerStart, b'\r') => At::LastEnd,
            (At::Trailer, b'\r') => At::TrailerEnd,
            (At::TrailerEnd, b'\n') => At::TrailerStart,
            (At::TrailerStart | At::Trailer, _) if byte != b'\n' => self.spend(At::Trailer),
            (At::LastEnd, b'\n') => At::Done,
            _ => At::Malformed,
        }
    }

    /// One byte more that is of no use to anybody.
    fn spend(&mut self, at: At) -> At {
        self.extra += 1;
        if self.extra > MAX_EXTRA { At::Malformed } else { at }
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use proptest::prelude::*;

    use super::*;

    /// The body in `bytes`, and what is left behind it.
    fn taken(bytes: &str) -> Result<(String, String, bool), Malformed> {
        let (mut chunks, mut rest, mut body) = (Chunks::default(), BytesMut::from(bytes), Vec::new());
        while let Some(piece) = chunks.next(&mut rest)? {
            body.extend_from_slice(&piece);
        }
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Ok((text(&body), text(&rest), chunks.is_done()))
    }

    #[test]
    fn the_end_is_found_with_extensions_and_trailers() {
        for (bytes, body) in [
            ("0\r\n\r\n", ""),
            ("1 \t;a\r\nx\r\n0 \r\n\r\n", "x"),
            ("5\r\nhello\r\n0\r\n\r\n", "hello"),
            ("5;a=b\r\nhello\r\n00\r\n\r\n", "hello"),
            ("A  \r\n0123456789\r\n0;x\r\nt: 1\r\nu: 2\r\n\r\n", "0123456789"),
        ] {
            let next = "GET / HTTP/1.1";
            let taken = taken(&format!("{bytes}{next}")).unwrap();
            assert_eq!(taken, (body.to_owned(), next.to_owned(), true), "{bytes:?}");
        }
    }

    #[test]
    fn what_is_not_chunked_is_refused() {
        for body in [
            "\r\n",
            "x\r\n",
            "5\nhello",
            "5\r\nhelloX",
            "5\r\nhello\r\r",
            "-1\r\n",
            "+1\r\n",
            "0x1\r\n",
            " 1\r\n",
            "1;\n",
            "1 1\r\na",
            "1\t;x\n",
            "0 x\r\n",
            "1\r\na\n",
            "0\r\n\n",
            "0\r\n\rX",
            "0\r\nt: 1\n",
            "fffffffffffffffff\r\n",
        ] {
            assert!(taken(body).is_err(), "{body:?}");
        }
        let endless = "a".repeat(MAX_EXTRA + 1);
        for body in [format!("0\r\n{endless}"), format!("1;{endless}"), "1;aa\r\nx\r\n".repeat(MAX_EXTRA)] {
            assert!(taken(&body).is_err());
        }
    }

    proptest! {
        #[test]
        fn the_body_does_not_depend_on_how_the_bytes_arrive(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..5),
            at in prop::collection::vec(1_usize..20, 1..40),
        ) {
            let mut sent = Vec::new();
            for piece in &pieces {
                sent.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
                sent.extend_from_slice(piece);
                sent.extend_from_slice(b"\r\n");
            }
            sent.extend_from_slice(b"0\r\n\r\n");
            let (mut chunks, mut left, mut sizes) = (Chunks::default(), &sent[..], at.into_iter().cycle());
            let (mut arrived, mut body) = (BytesMut::new(), Vec::new());
            while !left.is_empty() {
                prop_assert!(!chunks.is_done());
                let now = sizes.next().unwrap_or(1).min(left.len());
                arrived.extend_from_slice(&left[..now]);
                left = &left[now..];
                while let Some(piece) = chunks.next(&mut arrived).unwrap() {
                    body.extend_from_slice(&piece);
                }
            }
            prop_assert!(chunks.is_done() && arrived.is_empty());
            prop_assert_eq!(body, pieces.concat());
        }
    }
}
