//! Follows a chunked body just far enough to know where it ends and the next head begins.
//!
//! It is stricter than hyper's decoder where the two differ, and ends the connection there: they can never
//! disagree about the end and go on.

/// The most bytes of chunk extensions, or of trailers, in one body.
const MAX_EXTRA: usize = 16 * 1024;

/// It is not chunked as it should be, or its extras are too long.
#[derive(Debug)]
pub(super) struct Malformed;

/// Where in a chunked body the connection is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Chunks {
    at: At,
    extra: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum At {
    Size { value: u64, digits: u8 },
    Extension { value: u64 },
    SizeEnd { value: u64 },
    Data { left: u64 },
    DataReturn,
    DataEnd,
    TrailerStart,
    Trailer,
    TrailerEnd,
    LastEnd,
    Done,
}

impl Default for At {
    fn default() -> Self {
        Self::Size { value: 0, digits: 0 }
    }
}

impl Chunks {
    /// Takes as many of `bytes` as belong to the body; says how many, and whether the body is at its end.
    pub(super) fn follow(&mut self, bytes: &[u8]) -> Result<(usize, bool), Malformed> {
        let mut used = 0;
        while used < bytes.len() && self.at != At::Done {
            if let At::Data { left } = &mut self.at {
                let take =
                    usize::try_from(*left).map_or(bytes.len() - used, |left| left.min(bytes.len() - used));
                used += take;
                *left -= take as u64;
                if *left == 0 {
                    self.at = At::DataReturn;
                }
            } else {
                self.at = self.step(bytes[used])?;
                used += 1;
            }
        }
        Ok((used, self.at == At::Done))
    }

    fn step(&mut self, byte: u8) -> Result<At, Malformed> {
        Ok(match (&self.at, byte) {
            (&At::Size { value, digits }, _) if byte.is_ascii_hexdigit() && digits < 15 => {
                let digit = char::from(byte).to_digit(16).map_or(0, u64::from);
                At::Size { value: value << 4 | digit, digits: digits + 1 }
            }
            (At::Size { digits: 0, .. }, _) => return Err(Malformed),
            (&At::Size { value, .. }, b'\r') => At::SizeEnd { value },
            (&At::Size { value, .. }, b';' | b' ' | b'\t') => At::Extension { value },
            (&At::Extension { value }, b'\r') => At::SizeEnd { value },
            (&At::Extension { value }, _) if byte != b'\n' => {
                self.spend_extra()?;
                At::Extension { value }
            }
            (At::SizeEnd { value: 0 }, b'\n') => {
                self.extra = 0;
                At::TrailerStart
            }
            (&At::SizeEnd { value }, b'\n') => At::Data { left: value },
            (At::DataReturn, b'\r') => At::DataEnd,
            (At::DataEnd, b'\n') => At::default(),
            (At::TrailerStart, b'\r') => At::LastEnd,
            (At::Trailer, b'\r') => At::TrailerEnd,
            (At::TrailerEnd, b'\n') => At::TrailerStart,
            (At::TrailerStart | At::Trailer, _) if byte != b'\n' => {
                self.spend_extra()?;
                At::Trailer
            }
            (At::LastEnd, b'\n') => At::Done,
            _ => return Err(Malformed),
        })
    }

    fn spend_extra(&mut self) -> Result<(), Malformed> {
        self.extra += 1;
        if self.extra > MAX_EXTRA { Err(Malformed) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_end_is_found_with_extensions_and_trailers() {
        for body in [
            "0\r\n\r\n",
            "5\r\nhello\r\n0\r\n\r\n",
            "5;a=b\r\nhello\r\n00\r\n\r\n",
            "A  \r\n0123456789\r\n0;x\r\nt: 1\r\nu: 2\r\n\r\n",
        ] {
            let mut chunks = Chunks::default();
            let bytes = format!("{body}GET / HTTP/1.1");
            assert_eq!(chunks.follow(bytes.as_bytes()).unwrap(), (body.len(), true), "{body:?}");
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
            "0\r\n\n",
            "0\r\nt: 1\n",
            "fffffffffffffffff\r\n",
        ] {
            assert!(Chunks::default().follow(body.as_bytes()).is_err(), "{body:?}");
        }
        let endless = format!("0\r\n{}", "a".repeat(MAX_EXTRA + 1));
        assert!(Chunks::default().follow(endless.as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn the_end_does_not_depend_on_how_the_bytes_arrive(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..5),
            at in prop::collection::vec(1_usize..20, 1..40),
        ) {
            let mut body = Vec::new();
            for piece in &pieces {
                body.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
                body.extend_from_slice(piece);
                body.extend_from_slice(b"\r\n");
            }
            body.extend_from_slice(b"0\r\n\r\n");
            let (mut chunks, mut rest, mut sizes) = (Chunks::default(), &body[..], at.into_iter().cycle());
            let mut done = false;
            while !rest.is_empty() {
                prop_assert!(!done);
                let now = sizes.next().unwrap_or(1).min(rest.len());
                let (used, end) = chunks.follow(&rest[..now]).unwrap();
                prop_assert_eq!(used, now);
                (rest, done) = (&rest[now..], end);
            }
            prop_assert!(done);
        }
    }
}
