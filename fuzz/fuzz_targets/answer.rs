//! What GSTN may send, or whoever stands in its place: an answer is read or refused, never with a panic, and means the same
//! however its bytes arrive.
//!
//! The input is how many bytes arrive at a time, in its first byte, then the answer.
#![no_main]

#[path = "../../crates/suvidha-gateway/src/upstream/http1/body.rs"]
mod body;
#[path = "../../crates/suvidha-gateway/src/chunks.rs"]
mod chunks;
#[path = "../../crates/suvidha-gateway/src/upstream/http1/head.rs"]
mod head;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, StatusCode};
use libfuzzer_sys::fuzz_target;

use self::body::{Framing, Next};
use self::head::{Head, HeadReader, Lines};

fuzz_target!(|input: &[u8]| {
    let Some((&size, answer)) = input.split_first() else { return };
    for bodiless in [false, true] {
        let whole = read_head(bodiless, [answer]);
        let size = usize::from(size).max(1);
        let pieces = read_head(bodiless, answer.chunks(size));
        let Some((head, ahead)) = whole else {
            assert!(pieces.is_none());
            continue;
        };
        let (again, _) = pieces.expect("the same head");
        assert_eq!(
            (again.status, &again.headers, again.reusable),
            (head.status, &head.headers, head.reusable)
        );
        assert_eq!(
            (&again.framing, head.framing.is_over()),
            (&head.framing, head.framing.declared_length() == Some(0))
        );
        let content = read_body(head.framing.clone(), [&ahead[..]]);
        assert_eq!(read_body(head.framing, ahead.chunks(size)), content);
    }
});

fn read_head<'a>(bodiless: bool, arriving: impl IntoIterator<Item = &'a [u8]>) -> Option<(Head, Bytes)> {
    let (mut reader, mut read, mut found) = (HeadReader::new(bodiless), BytesMut::new(), None);
    for bytes in arriving {
        match &mut found {
            None => {
                read.extend_from_slice(bytes);
                found = reader.take(&mut read, &sieve).ok()?;
            }
            Some(_) => break,
        }
    }
    found
}

fn sieve(_: StatusCode, lines: &Lines<'_>) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(lines.len());
    for (name, value) in lines.iter() {
        assert!(lines.named(name).any(|named| named == value));
        assert!(!value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)));
        headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), lines.share(value).unwrap());
    }
    headers
}

/// The content, and how it ended: well, badly, or not.
fn read_body<'a>(
    mut framing: Framing,
    arriving: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<u8>, Option<bool>) {
    let mut content = Vec::new();
    for bytes in arriving {
        let mut bytes = Bytes::copy_from_slice(bytes);
        loop {
            match framing.next(&mut bytes) {
                Ok(Next::Piece(piece)) => content.extend_from_slice(&piece),
                Ok(Next::Over) => return (content, Some(true)),
                Ok(Next::More) => break,
                Err(_) => return (content, Some(false)),
            }
        }
    }
    let over = framing.close();
    (content, over.then_some(true))
}
