//! GetKey as it is on the wire (gsp.md section 1.3): the stamp an ASP signs, the request and the reply. The cryptography of
//! both is in [`crypto`](crate::crypto); whether a stamp is recent is the gateway's to say.
//!
//! ```
//! use gstn::crypto::{PrivateKey, getkey_sign, getkey_verify};
//! use gstn::getkey::{GetKeyRequest, GetKeyStamp};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (aspid, key) = ("7857622155", PrivateKey::generate_2048());
//!
//! // The ASP stamps and signs; six random bytes keep two calls in one second apart.
//! let timestamp = GetKeyStamp::at("2026-11-22T04:45:30Z".parse()?, [7, 1, 8, 2, 8, 1]).to_string();
//! let signed_content = getkey_sign(&key, aspid, &timestamp)?;
//! let body = serde_json::to_vec(&GetKeyRequest { timestamp, signed_content })?;
//!
//! // The GSP reads, compares with its clock, and verifies the text exactly as it came.
//! let request: GetKeyRequest = serde_json::from_slice(&body)?;
//! assert_eq!(GetKeyStamp::parse(&request.timestamp)?.instant().to_string(), "2026-11-22T04:45:30Z");
//! getkey_verify(key.public_key(), aspid, &request.timestamp, &request.signed_content)?;
//! # Ok(())
//! # }
//! ```

use std::fmt;

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::envelope::{StatusCd, tolerant};

/// Indian Standard Time is this far ahead of UTC, all year.
const IST_AHEAD: SignedDuration = SignedDuration::from_mins(330);

/// `ddMMyyyyHHmmss`.
const DIGITS: usize = 14;

/// Longest tail, which .NET's `FFFFFF` makes of microseconds.
const LONGEST_TAIL: usize = 6;

/// The timestamp of a GetKey call, .NET's `ddMMyyyyHHmmssFFFFFF`: fourteen digits of Indian Standard Time and a tail of none
/// to six letters or digits.
///
/// .NET drops trailing zeros of the tail, some clients fill it with random digits, others with random letters: it is a
/// nonce and no part of the time.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GetKeyStamp {
    civil: DateTime,
    instant: Timestamp,
    tail: Box<str>,
}

impl GetKeyStamp {
    /// Reads a stamp.
    ///
    /// # Errors
    /// [`StampFault`], saying what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, StampFault> {
        let (digits, tail) = match text.split_at_checked(DIGITS) {
            Some((digits, tail)) if tail.chars().count() <= LONGEST_TAIL => (digits, tail),
            _ => return Err(StampFault::Length { found: text.chars().count() }),
        };
        if !digits.bytes().all(|c| c.is_ascii_digit()) {
            return Err(StampFault::NotDigits);
        }
        if !tail.bytes().all(|c| c.is_ascii_alphanumeric()) {
            return Err(StampFault::Tail);
        }
        let (civil, instant) = civil(digits).ok_or_else(|| StampFault::NoSuchTime(digits.to_owned()))?;
        Ok(Self { civil, instant, tail: tail.into() })
    }

    /// The stamp of `instant`, which loses its part of a second, with six capital letters and digits made of `nonce` at its
    /// end. Give random bytes: the same stamp signed twice is refused as a replay.
    pub fn at(instant: Timestamp, nonce: [u8; 6]) -> Self {
        const ALPHABET: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
        let instant = Timestamp::from_second(instant.as_second()).unwrap_or(instant);
        let civil = ist().to_datetime(instant);
        let tail: String = nonce.iter().map(|byte| char::from(ALPHABET[usize::from(*byte) % 36])).collect();
        Self { civil, instant, tail: tail.into() }
    }

    /// When it was made, if it is in Indian Standard Time as it should be.
    pub fn instant(&self) -> Timestamp {
        self.instant
    }

    /// When it was made, if its maker wrote UTC instead: five and a half hours later.
    pub fn read_as_utc(&self) -> Timestamp {
        self.instant.saturating_add(IST_AHEAD).unwrap_or(Timestamp::MAX)
    }

    /// What follows the fourteen digits; it may be empty.
    pub fn tail(&self) -> &str {
        &self.tail
    }
}

/// The text that was read, or that is to be signed and sent.
impl fmt::Display for GetKeyStamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.civil;
        write!(
            f,
            "{:02}{:02}{:04}{:02}{:02}{:02}{}",
            at.day(),
            at.month(),
            at.year(),
            at.hour(),
            at.minute(),
            at.second(),
            self.tail
        )
    }
}

/// What is wrong with the timestamp of a GetKey call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StampFault {
    /// Shorter than the digits, or longer than digits and tail.
    #[error("the timestamp has {found} characters; 14 to 20 are expected: ddMMyyyyHHmmss and up to six more")]
    Length {
        /// How many it has.
        found: usize,
    },
    /// The first fourteen are not all digits.
    #[error("the first 14 characters of the timestamp must be digits: ddMMyyyyHHmmss, no separators")]
    NotDigits,
    /// The tail holds something else than letters and digits.
    #[error("after its 14 digits the timestamp may have up to six ASCII letters or digits, nothing else")]
    Tail,
    /// The digits name no day, or no time of day.
    #[error("{0} is no date and time; the order is ddMMyyyyHHmmss, day first, hours from 00 to 23")]
    NoSuchTime(String),
}

fn ist() -> Offset {
    Offset::from_seconds(19_800).unwrap_or(Offset::UTC)
}

fn civil(digits: &str) -> Option<(DateTime, Timestamp)> {
    let number = |from: usize, to: usize| digits.get(from..to)?.parse::<i16>().ok();
    let small = |from: usize| number(from, from + 2).and_then(|number| i8::try_from(number).ok());
    let civil =
        DateTime::new(number(4, 8)?, small(2)?, small(0)?, small(8)?, small(10)?, small(12)?, 0).ok()?;
    let instant = TimeZone::fixed(ist()).to_timestamp(civil).ok()?;
    Some((civil, instant))
}

/// The body of a GetKey call. Other keys, which older clients send, are passed over.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetKeyRequest {
    /// A [`GetKeyStamp`].
    #[serde(deserialize_with = "tolerant::plain_text")]
    pub timestamp: String,
    /// The signature of `aspid` and `timestamp`, in base64; [`getkey_sign`](crate::crypto::getkey_sign) makes it.
    #[serde(deserialize_with = "tolerant::plain_text")]
    pub signed_content: String,
}

/// The answer to a GetKey call that was granted. One that was refused is a [`Reply`](crate::envelope::Reply) with an `error`,
/// or at some GSPs with nothing but a `message`, which is in its `extra`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetKeyReply {
    /// The session key under the ASP secret;
    /// [`open_session_key`](crate::crypto::AspSecret::open_session_key) opens it.
    pub enc_key: String,
    /// While an ASP secret is being changed: the same session key under the new one, `enc_key` being under the old.
    #[serde(default, deserialize_with = "tolerant::text", skip_serializing_if = "Option::is_none")]
    pub enc_key_next: Option<String>,
    /// To be sent with every call of the session.
    #[serde(deserialize_with = "tolerant::plain_text")]
    pub session_id: String,
    /// Minutes until the session expires.
    #[serde(deserialize_with = "tolerant::number")]
    pub validity_min: u32,
    /// The request's.
    #[serde(default, deserialize_with = "tolerant::plain_text")]
    pub txn: String,
    /// Empty when all is well.
    #[serde(default, deserialize_with = "tolerant::plain_text")]
    pub message: String,
    /// `"1"`.
    pub status_cd: StatusCd,
}

/// Without the signature, which serves whoever sends it first.
impl fmt::Debug for GetKeyRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GetKeyRequest").field("timestamp", &self.timestamp).finish_non_exhaustive()
    }
}

/// Without the keys and the session's id.
impl fmt::Debug for GetKeyReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GetKeyReply")
            .field("validity_min", &self.validity_min)
            .field("txn", &self.txn)
            .field("message", &self.message)
            .field("status_cd", &self.status_cd)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn instant(text: &str) -> String {
        GetKeyStamp::parse(text).unwrap().instant().to_string()
    }

    #[test]
    fn a_stamp_is_indian_time_and_a_tail_of_any_length() {
        for (stamp, tail) in [
            ("22112026101530123456", "123456"),
            ("22112026101530", ""),
            ("2211202610153012", "12"),
            ("22112026101530A1b2C3", "A1b2C3"),
        ] {
            let read = GetKeyStamp::parse(stamp).unwrap();
            assert_eq!((read.instant().to_string().as_str(), read.tail()), ("2026-11-22T04:45:30Z", tail));
            assert_eq!(read.to_string(), stamp);
        }
        assert_eq!(instant("01012027000000A1B2C3"), "2026-12-31T18:30:00Z");
        assert_eq!(instant("29022028235959"), "2028-02-29T18:29:59Z");
    }

    #[test]
    fn a_stamp_in_utc_is_five_and_a_half_hours_off() {
        let stamp = GetKeyStamp::parse("22112026044530").unwrap();
        assert_eq!(stamp.instant().to_string(), "2026-11-21T23:15:30Z");
        assert_eq!(stamp.read_as_utc().to_string(), "2026-11-22T04:45:30Z");
    }

    #[test]
    fn a_stamp_is_made_as_it_is_read() {
        let made = GetKeyStamp::at("2026-11-22T04:45:30.987Z".parse().unwrap(), [0, 9, 10, 35, 36, 255]);
        assert_eq!(made.to_string(), "2211202610153009AZ03");
        assert_eq!(GetKeyStamp::parse("2211202610153009AZ03").unwrap(), made);
        assert!(GetKeyStamp::at(Timestamp::MIN, [0; 6]).to_string().len() >= 20);
    }

    #[test]
    fn what_is_no_stamp_says_why() {
        let no_such_time = |digits: &str| StampFault::NoSuchTime(digits.to_owned());
        for (text, fault) in [
            ("", StampFault::Length { found: 0 }),
            ("2211202610153", StampFault::Length { found: 13 }),
            ("221120261015301234567", StampFault::Length { found: 21 }),
            ("2026-11-22T10:15:30", StampFault::NotDigits),
            (" 22112026101530", StampFault::NotDigits),
            ("२२112026101530", StampFault::NotDigits),
            ("22112026101530 ", StampFault::Tail),
            ("22112026101530.123", StampFault::Tail),
            ("22112026101530é", StampFault::Tail),
            ("20261122101530", no_such_time("20261122101530")),
            ("29022026101530", no_such_time("29022026101530")),
            ("22112026241530", no_such_time("22112026241530")),
            ("22112026106030", no_such_time("22112026106030")),
            ("22112026101560", no_such_time("22112026101560")),
            ("00000000000000", no_such_time("00000000000000")),
        ] {
            assert_eq!(GetKeyStamp::parse(text), Err(fault), "{text:?}");
        }
    }

    #[test]
    fn a_request_is_read_as_clients_send_it() {
        let body = json!({"timestamp": "22112026101530123456", "signed_content": "c2ln", "filler1": null});
        let request: GetKeyRequest = serde_json::from_value(body).unwrap();
        assert_eq!((&*request.timestamp, &*request.signed_content), ("22112026101530123456", "c2ln"));
        let bare: GetKeyRequest =
            serde_json::from_value(json!({"timestamp": 22_112_026_101_530_u64, "signed_content": null}))
                .unwrap();
        assert_eq!((&*bare.timestamp, &*bare.signed_content), ("22112026101530", ""));
        for wrong in [json!({"timestamp": "1"}), json!({"signed_content": "1"}), json!("x"), json!([])] {
            serde_json::from_value::<GetKeyRequest>(wrong).unwrap_err();
        }
    }

    fn reply() -> GetKeyReply {
        GetKeyReply {
            enc_key: "s3cr3t-key".to_owned(),
            enc_key_next: None,
            session_id: "s3cr3t-id".to_owned(),
            validity_min: 360,
            txn: "t1".to_owned(),
            message: String::new(),
            status_cd: StatusCd::One,
        }
    }

    #[test]
    fn a_reply_has_the_keys_of_the_document_and_no_other() {
        let expected = r#"{"enc_key":"s3cr3t-key","session_id":"s3cr3t-id","validity_min":360,"txn":"t1","message":"","status_cd":"1"}"#;
        assert_eq!(serde_json::to_string(&reply()).unwrap(), expected);
        let changing = GetKeyReply { enc_key_next: Some("next".to_owned()), ..reply() };
        assert_eq!(serde_json::to_value(&changing).unwrap()["enc_key_next"], "next");
        let read: GetKeyReply = serde_json::from_value(serde_json::to_value(&changing).unwrap()).unwrap();
        assert_eq!(read, changing);
    }

    #[test]
    fn a_reply_of_another_gsp_is_read_too() {
        let sparse = json!({"status_cd": 1, "enc_key": "k", "session_id": 17, "validity_min": " 360 "});
        let read: GetKeyReply = serde_json::from_value(sparse).unwrap();
        assert_eq!((&*read.session_id, read.validity_min, &*read.message), ("17", 360, ""));
        let null = json!({"status_cd": "1", "enc_key": "k", "session_id": "s", "validity_min": 5, "message": null,
            "enc_key_next": null, "message_id": "older"});
        assert_eq!(serde_json::from_value::<GetKeyReply>(null).unwrap().enc_key_next, None);
        serde_json::from_value::<GetKeyReply>(json!({"status_cd": "0", "message": "refused"})).unwrap_err();
    }

    #[test]
    fn nothing_secret_is_shown() {
        let request = GetKeyRequest { timestamp: "22".to_owned(), signed_content: "s3cr3t".to_owned() };
        let shown =
            format!("{request:?} {:?}", GetKeyReply { enc_key_next: Some("s3cr3t".into()), ..reply() });
        assert!(!shown.contains("s3cr3t") && shown.contains("360"), "{shown}");
    }

    proptest! {
        #[test]
        fn any_text_is_read_back_or_refused(text in "[0-9]{0,16}[A-Za-z0-9]{0,6}|\\PC{0,24}") {
            if let Ok(stamp) = GetKeyStamp::parse(&text) {
                prop_assert_eq!(stamp.to_string(), text);
            }
        }

        #[test]
        fn any_instant_is_stamped_and_read_back(second in 0_i64..250_000_000_000, nonce: [u8; 6]) {
            let stamp = GetKeyStamp::at(Timestamp::from_second(second).unwrap(), nonce);
            prop_assert_eq!(stamp.instant().as_second(), second);
            prop_assert_eq!(GetKeyStamp::parse(&stamp.to_string()), Ok(stamp));
        }
    }
}
