//! A GetKey call as it was sent: who, in which transaction, when, and the signature.

use gstn::AspId;
use gstn::crypto::base64;
use gstn::getkey::{GetKeyRequest, GetKeyStamp};
use http::HeaderValue;
use serde_json::error::Category;

use crate::error::{Error, Kind, sentence};
use crate::pipeline::head::{Head, Header};
use crate::pipeline::identify::aspid;

/// The longest `txn` that is echoed.
const LONGEST_TXN: usize = 64;

/// A GetKey call whose form is right.
pub(super) struct Request {
    pub(super) aspid: AspId,
    /// To be echoed.
    pub(super) txn: String,
    /// As it was signed.
    pub(super) timestamp: String,
    pub(super) stamp: GetKeyStamp,
    /// Raw.
    pub(super) signature: Vec<u8>,
}

impl Request {
    /// # Errors
    /// Says which header or text is not as it should be.
    pub(super) fn read(head: &Head<'_>, body: &[u8]) -> Result<Self, Error> {
        let GetKeyRequest { timestamp, signed_content } = parse(body)?;
        let (aspid, txn) = (aspid(head)?, checked_txn(head)?);
        let malformed = |words: String| Error::saying(Kind::MalformedGetKey, words);
        let stamp = GetKeyStamp::parse(&timestamp).map_err(|fault| malformed(sentence(&fault)))?;
        let signature =
            base64::decode_lenient(&signed_content).ok().filter(|signature| !signature.is_empty());
        let signature = signature.ok_or_else(|| {
            malformed("The text `signed_content` must be a signature in base64.".to_owned())
        })?;
        Ok(Self { aspid, txn, timestamp, stamp, signature })
    }

    /// What should have been signed.
    pub(super) fn signed_text(&self) -> Vec<u8> {
        [self.aspid.as_str().as_bytes(), self.timestamp.as_bytes()].concat()
    }
}

/// The ASP's name for its call: `txn` or, as older programs call it, `message-id`.
pub(super) fn txn<'h>(head: &Head<'h>) -> Option<&'h HeaderValue> {
    let sent = |header| head.value(header).filter(|value| !value.as_bytes().trim_ascii().is_empty());
    sent(Header::Txn).or_else(|| sent(Header::MessageId))
}

fn checked_txn(head: &Head<'_>) -> Result<String, Error> {
    let txn = txn(head).ok_or_else(|| Error::new(Kind::NoTxn))?.to_str().unwrap_or_default().trim();
    let printable = txn.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    if (1..=LONGEST_TXN).contains(&txn.len()) && printable {
        return Ok(txn.to_owned());
    }
    let words = "The header `txn` (or `message-id`) must have 1 to 64 printable ASCII characters.";
    Err(Error::saying(Kind::MalformedAspId, words))
}

fn parse(body: &[u8]) -> Result<GetKeyRequest, Error> {
    // Some .NET programs begin their texts with a byte order mark.
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let request: GetKeyRequest = serde_json::from_slice(body).map_err(|error| explained(&error))?;
    let texts = [("timestamp", &request.timestamp), ("signed_content", &request.signed_content)];
    let empty = texts.into_iter().find(|(_, text)| text.trim().is_empty()).map(|(name, _)| name);
    empty.map_or(Ok(request), |name| Err(missing(name)))
}

/// Without what the body holds: parsers quote what they do not expect.
fn explained(error: &serde_json::Error) -> Error {
    let words = error.to_string();
    if let Some(name) = ["timestamp", "signed_content"]
        .into_iter()
        .find(|name| words.starts_with(&format!("missing field `{name}`")))
    {
        return missing(name);
    }
    Error::saying(
        Kind::MalformedGetKey,
        match error.classify() {
            Category::Data => {
                "The body must be a JSON object with the texts `timestamp` and `signed_content`.".to_owned()
            }
            _ => format!("The body is no JSON: see line {}, column {}.", error.line(), error.column()),
        },
    )
}

fn missing(name: &str) -> Error {
    Error::saying(Kind::MalformedGetKey, format!("The body has no `{name}`."))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName};

    use super::*;
    use crate::pipeline::head;

    const BODY: &str = r#"{"timestamp":"22112026101530A1B2C3","signed_content":"c2lnbmF0dXJl"}"#;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&str, &str)| {
            (HeaderName::try_from(*name).unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    fn read(headers: &HeaderMap, body: &str) -> Result<Request, Error> {
        Request::read(&Head::read(&head::with(headers)).0, body.as_bytes())
    }

    /// The code and the words of a refusal, if it is one.
    fn refusal(headers: &HeaderMap, body: &str) -> Option<(&'static str, String)> {
        let error = read(headers, body).err()?;
        Some((error.code(), error.message().unwrap_or_default().to_owned()))
    }

    #[test]
    fn a_call_is_read_as_clients_send_it() {
        for (headers, txn) in [
            (headers(&[("aspid", "7857622155"), ("txn", " T 1 ")]), "T 1"),
            (headers(&[("aspid", " 7857622155 "), ("message-id", "old")]), "old"),
            (headers(&[("aspid", "7857622155"), ("message-id", "old"), ("txn", "new")]), "new"),
            (headers(&[("aspid", "7857622155"), ("message-id", "old"), ("txn", "")]), "old"),
        ] {
            for body in [BODY.to_owned(), format!("\u{feff}{BODY}")] {
                let request = read(&headers, &body).ok().unwrap();
                assert_eq!(request.txn, txn);
                assert_eq!(request.signature, b"signature");
                assert_eq!(request.signed_text(), b"785762215522112026101530A1B2C3");
            }
        }
    }

    #[test]
    fn what_is_missing_or_malformed_is_named() {
        let good = headers(&[("aspid", "7857622155"), ("txn", "1")]);
        let long = "x".repeat(65);
        for (headers, code, words) in [
            (headers(&[("txn", "1")]), "GSP001", ""),
            (headers(&[("aspid", " "), ("txn", "1")]), "GSP001", ""),
            (headers(&[("aspid", "785762215"), ("txn", "1")]), "GSP001A", ""),
            (headers(&[("aspid", "785762215x"), ("txn", "1")]), "GSP011", "`aspid`"),
            (headers(&[("aspid", "7857622155")]), "GSP006", ""),
            (headers(&[("aspid", "7857622155"), ("txn", &long)]), "GSP011", "`txn`"),
            (headers(&[("aspid", "7857622155"), ("message-id", "a\tb")]), "GSP011", "`message-id`"),
            (headers(&[("aspid", "7857622155"), ("txn", "रसीद")]), "GSP011", "`txn`"),
            (headers(&[("aspid", "7857622155"), ("txn", " ")]), "GSP006", ""),
        ] {
            let (found, said) = refusal(&headers, BODY).unwrap();
            assert!(found == code && said.contains(words), "{found} {said}");
        }
        for (body, words) in [
            ("", "is no JSON"),
            ("timestamp=22112026101530", "line 1, column 2"),
            (r#"["s3cr3t"]"#, "a JSON object with the texts"),
            (r#""s3cr3t""#, "a JSON object with the texts"),
            (r#"{"signed_content":"c2ln"}"#, "no `timestamp`"),
            (r#"{"timestamp":"22112026101530"}"#, "no `signed_content`"),
            (r#"{"timestamp":null,"signed_content":"s3cr3t"}"#, "no `timestamp`"),
            (
                r#"{"timestamp":"22112026101530","signed_content":{"s3cr3t":1}}"#,
                "a JSON object with the texts",
            ),
            (r#"{"timestamp":"2211","signed_content":"c2ln"}"#, "The timestamp has 4 characters"),
            (r#"{"timestamp":"20261122101530","signed_content":"c2ln"}"#, "day first"),
            (r#"{"timestamp":"22112026101530","signed_content":"s3cr3t!"}"#, "`signed_content` must be"),
            (r#"{"timestamp":"22112026101530","signed_content":"="}"#, "`signed_content` must be"),
        ] {
            let (code, said) = refusal(&good, body).unwrap();
            assert!(
                code == "GSP664" && said.contains(words) && !said.contains("s3cr3t"),
                "{body}: {code} {said}"
            );
        }
    }
}
