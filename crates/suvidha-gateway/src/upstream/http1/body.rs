//! Where the body of an answer ends, and which of the bytes are its content.

use bytes::Bytes;

use super::head::Malformed;
use crate::chunks::Chunks;

/// How the rest of a body is marked off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Framing {
    /// So many bytes are left.
    Length(u64),
    Chunked(Chunks),
    /// It goes on until GSTN closes the connection.
    UntilClose,
    /// It was closed.
    Closed,
}

/// What the bytes at hand hold of a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// The next content.
    Piece(Bytes),
    /// The body is at its end. What is left of the bytes is not of it.
    Over,
    /// Nothing but what was taken away; more must be read.
    More,
}

impl Framing {
    pub(crate) fn chunked() -> Self {
        Self::Chunked(Chunks::default())
    }

    /// Takes the next content from `bytes`, without copying it.
    pub(crate) fn next(&mut self, bytes: &mut Bytes) -> Result<Next, Malformed> {
        Ok(match self {
            Self::Length(0) | Self::Closed => Next::Over,
            Self::Chunked(chunks) => match chunks.next(bytes).map_err(|_| Malformed::Chunks)? {
                Some(piece) => {
                    // It may be the last: whoever gets it should know.
                    chunks.skip(bytes);
                    Next::Piece(piece)
                }
                None if chunks.is_done() => Next::Over,
                None => Next::More,
            },
            _ if bytes.is_empty() => Next::More,
            Self::Length(left) => {
                let piece = take(bytes, *left);
                *left -= piece.len() as u64;
                Next::Piece(piece)
            }
            Self::UntilClose => Next::Piece(std::mem::take(bytes)),
        })
    }

    /// Whether nothing is left, as far as that can be known before more is read.
    pub(crate) fn is_over(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(chunks) => chunks.is_done(),
            Self::UntilClose => false,
            Self::Closed => true,
        }
    }

    /// How long the rest is, where it was declared.
    pub(crate) fn declared_length(&self) -> Option<u64> {
        match self {
            Self::Length(left) => Some(*left),
            _ => None,
        }
    }

    /// The connection was closed cleanly. Says whether that is the end of the body, and not the middle.
    pub(crate) fn close(&mut self) -> bool {
        if *self == Self::UntilClose {
            *self = Self::Closed;
        }
        self.is_over()
    }
}

/// At most `most` of `bytes`.
fn take(bytes: &mut Bytes, most: u64) -> Bytes {
    match usize::try_from(most) {
        Ok(most) if most < bytes.len() => bytes.split_to(most),
        _ => std::mem::take(bytes),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The content of `arriving`, and how the body ended: `None` if it did not. What is left of the last is not of it.
    fn read(mut framing: Framing, arriving: &[&[u8]]) -> (Vec<u8>, Option<Result<Vec<u8>, ()>>) {
        let mut content = Vec::new();
        for (number, bytes) in arriving.iter().enumerate() {
            let mut bytes = Bytes::copy_from_slice(bytes);
            loop {
                match framing.next(&mut bytes) {
                    Ok(Next::Piece(piece)) => content.extend_from_slice(&piece),
                    Ok(Next::More) => break assert!(bytes.is_empty()),
                    Ok(Next::Over) => {
                        let rest = [&bytes[..], &arriving[number + 1..].concat()].concat();
                        return (content, Some(Ok(rest)));
                    }
                    Err(_) => return (content, Some(Err(()))),
                }
            }
        }
        (content, None)
    }

    #[test]
    fn a_declared_length_is_kept_to_the_byte() {
        let all = (b"hello".to_vec(), Some(Ok(b"HTTP/1.1".to_vec())));
        assert_eq!(read(Framing::Length(5), &[b"helloHTTP/1.1"]), all);
        assert_eq!(read(Framing::Length(5), &[b"hel", b"", b"loHTTP", b"/1.1"]), all);
        assert_eq!(read(Framing::Length(5), &[b"hell"]), (b"hell".to_vec(), None));
        assert_eq!(read(Framing::Length(0), &[b"x"]), (Vec::new(), Some(Ok(b"x".to_vec()))));
    }

    #[test]
    fn only_a_body_without_marks_ends_with_its_connection() {
        let mut framing = Framing::UntilClose;
        assert_eq!(
            framing.next(&mut Bytes::from_static(b"all")),
            Ok(Next::Piece(Bytes::from_static(b"all")))
        );
        assert!(!framing.is_over());
        assert!(framing.close() && framing.is_over());
        assert_eq!(framing.next(&mut Bytes::new()), Ok(Next::Over));
        assert!(!Framing::Length(1).close());
        assert!(!Framing::chunked().close());
    }

    #[test]
    fn whoever_takes_the_last_chunk_knows_that_it_is_the_last() {
        let mut framing = Framing::chunked();
        let mut bytes = Bytes::from_static(b"2\r\n{}\r\n0\r\n\r\n");
        assert_eq!(framing.next(&mut bytes), Ok(Next::Piece(Bytes::from_static(b"{}"))));
        assert!(framing.is_over());
    }

    #[test]
    fn what_is_not_chunked_is_refused_after_what_was() {
        let end = |content: &str| (content.as_bytes().to_vec(), Some(Err(())));
        assert_eq!(read(Framing::chunked(), &[b"5\r\nhelloX"]), end("hello"));
        assert_eq!(read(Framing::chunked(), &[b"5\r\nhel", b"loX"]), end("hello"));
        assert_eq!(read(Framing::chunked(), &[b"x\r\n"]), end(""));
    }

    fn split<'a>(mut bytes: &'a [u8], sizes: &[usize]) -> Vec<&'a [u8]> {
        let mut sizes = sizes.iter().cycle();
        let mut pieces = Vec::new();
        while !bytes.is_empty() {
            let (piece, rest) = bytes.split_at((*sizes.next().unwrap()).min(bytes.len()));
            pieces.push(piece);
            bytes = rest;
        }
        pieces
    }

    proptest! {
        #[test]
        fn content_does_not_depend_on_how_the_bytes_arrive(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..5),
            extra in "[a-z]{0,5}",
            sizes in prop::collection::vec(1_usize..20, 1..40),
        ) {
            let mut body = Vec::new();
            for chunk in &chunks {
                body.extend_from_slice(format!("{:x};{extra}\r\n", chunk.len()).as_bytes());
                body.extend_from_slice(chunk);
                body.extend_from_slice(b"\r\n");
            }
            body.extend_from_slice(format!("0\r\n{extra}: x\r\n\r\nmore").as_bytes());
            let expected = (chunks.concat(), Some(Ok(b"more".to_vec())));
            prop_assert_eq!(read(Framing::chunked(), &split(&body, &sizes)), expected);
        }

        #[test]
        fn neither_does_what_is_wrong_with_them(
            bytes in "[0-9a-f;x\r\n]{0,60}",
            sizes in prop::collection::vec(1_usize..20, 1..40),
        ) {
            let whole = read(Framing::chunked(), &[bytes.as_bytes()]);
            prop_assert_eq!(read(Framing::chunked(), &split(bytes.as_bytes(), &sizes)), whole);
        }
    }
}
