//! GSP sessions: derived, never stored.
//!
//! A session's id says when it was made, for how long, and under which master key; its key, the AspEK, is computed from
//! that master key and all of it. Whoever has the key ring can open any session, after any restart and on any replica.
//! A forged or altered id yields another key, under which the ASP's secret does not decrypt.

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};
use std::str;

use aws_lc_rs::hkdf;
use base64_simd::{Out, URL_SAFE_NO_PAD};
use gstn::crypto::AspEk;
use gstn::{AspId, Environment};
use jiff::{SignedDuration, Timestamp};
use suvidha_store::SessionKey;
use zeroize::Zeroizing;

/// What the key of a session is derived for. Another construction must have another name.
const PURPOSE: &[u8] = b"suvidha/getkey/v1";

const BYTES: usize = 1 + 4 + 2 + 16;
const CHARACTERS: usize = 31;

/// A session's id: base64url of key id (1 byte), seconds since 1970 (4), validity in minutes (2) and 16 random bytes,
/// each number big-endian.
///
/// No secret of its own, but with no `Debug` either: it does not belong in logs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct SessionId {
    text: [u8; CHARACTERS],
    /// The master key it stands under.
    pub(crate) key_id: u8,
    issued_at: u32,
    /// In minutes.
    pub(crate) validity_min: u16,
}

impl SessionId {
    /// The id of a session that begins at `issued_at`, whose part of a second is dropped.
    pub(crate) fn new(key_id: u8, issued_at: Timestamp, validity_min: u16, random: [u8; 16]) -> Self {
        let issued_at = u32::try_from(issued_at.as_second()).unwrap_or(u32::MAX);
        let mut bytes = [0; BYTES];
        bytes[0] = key_id;
        bytes[1..5].copy_from_slice(&issued_at.to_be_bytes());
        bytes[5..7].copy_from_slice(&validity_min.to_be_bytes());
        bytes[7..].copy_from_slice(&random);
        let mut text = [0; CHARACTERS];
        let _ = URL_SAFE_NO_PAD.encode(&bytes, Out::from_slice(&mut text));
        Self { text, key_id, issued_at, validity_min }
    }

    /// `None`: it is none of ours, by its form.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text: [u8; CHARACTERS] = text.as_bytes().try_into().ok()?;
        let mut bytes = [0; BYTES];
        URL_SAFE_NO_PAD.decode(&text, Out::from_slice(&mut bytes)).ok()?;
        let [key_id, a, b, c, d, e, f, ..] = bytes;
        let (issued_at, validity_min) = (u32::from_be_bytes([a, b, c, d]), u16::from_be_bytes([e, f]));
        Some(Self { text, key_id, issued_at, validity_min })
    }

    /// The 31 characters.
    pub(crate) fn as_str(&self) -> &str {
        str::from_utf8(&self.text).unwrap_or_default()
    }

    pub(crate) fn issued_at(&self) -> Timestamp {
        Timestamp::from_second(self.issued_at.into()).unwrap_or(Timestamp::MAX)
    }

    /// From then on it is no good.
    pub(crate) fn ends_at(&self) -> Timestamp {
        let validity = SignedDuration::from_mins(self.validity_min.into());
        self.issued_at().saturating_add(validity).unwrap_or(Timestamp::MAX)
    }
}

/// Ids are looked up by their text.
impl Borrow<str> for SessionId {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl Hash for SessionId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

/// The session key of `id` for this ASP in this environment, under the master key that the id names.
pub(crate) fn derive(master: &[u8; 32], environment: Environment, aspid: &AspId, id: &SessionId) -> AspEk {
    let info = [PURPOSE, environment.as_str().as_bytes(), aspid.as_str().as_bytes(), &id.text];
    let extracted = hkdf::Salt::none(hkdf::HKDF_SHA256).extract(master);
    let mut key = Zeroizing::new([0; 32]);
    let filled = extracted.expand(&info, hkdf::HKDF_SHA256).and_then(|derived| derived.fill(&mut *key));
    #[expect(clippy::expect_used, reason = "32 bytes are what HKDF-SHA-256 gives at once")]
    filled.expect("HKDF gives 32 bytes");
    AspEk::from_bytes(*key)
}

/// The id and the key of a session as GetKey makes them, under `master`. For measurements with more sessions than can be
/// signed for.
pub fn mint_session(
    master: &SessionKey,
    environment: Environment,
    aspid: &AspId,
    issued_at: Timestamp,
    validity_min: u16,
    random: [u8; 16],
) -> (String, AspEk) {
    let id = SessionId::new(master.id, issued_at, validity_min, random);
    (id.as_str().to_owned(), derive(&master.key, environment, aspid, &id))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn master() -> [u8; 32] {
        std::array::from_fn(|at| u8::try_from(at).unwrap())
    }

    fn known() -> SessionId {
        let random = std::array::from_fn(|at| 0xa0 + u8::try_from(at).unwrap());
        SessionId::new(7, "2026-11-22T10:15:30.9Z".parse().unwrap(), 360, random)
    }

    /// The answers are those of Python's `cryptography` 48 and of `openssl kdf`.
    #[test]
    fn an_id_and_its_key_are_the_known_ones() {
        let (id, aspid) = (known(), "7857622155".parse().unwrap());
        assert_eq!(id.as_str(), "B2sCwMIBaKChoqOkpaanqKmqq6ytrq8");
        let hex = |environment| -> String {
            let key = derive(&master(), environment, &aspid, &id);
            key.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
        };
        assert_eq!(
            hex(Environment::Sandbox),
            "15829a48e6567185c582966e05793122d2f34c2c099fd99f62b5cf065bc382fe"
        );
        assert_eq!(
            hex(Environment::Production),
            "cafcec09d3b102619e5a985e6673bc4348efe25fd592ea8e8a73712c7e934aa8"
        );
    }

    #[test]
    fn an_id_tells_its_master_key_and_its_time() {
        let id = SessionId::parse(known().as_str()).unwrap();
        assert_eq!((id.key_id, id.validity_min), (7, 360));
        assert_eq!(id.issued_at().to_string(), "2026-11-22T10:15:30Z");
        assert_eq!(id.ends_at().to_string(), "2026-11-22T16:15:30Z");
    }

    #[test]
    fn every_character_of_an_id_counts() {
        let (id, aspid) = (known(), "7857622155".parse().unwrap());
        let key = derive(&master(), Environment::Sandbox, &aspid, &id);
        for position in 0..CHARACTERS {
            for other in ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['-', '_', '=', ' ', '+']) {
                let mut text: Vec<char> = id.as_str().chars().collect();
                if std::mem::replace(&mut text[position], other) == other {
                    continue;
                }
                let Some(altered) = SessionId::parse(&text.iter().collect::<String>()) else { continue };
                assert!(
                    derive(&master(), Environment::Sandbox, &aspid, &altered) != key,
                    "{position} {other}"
                );
            }
        }
    }

    #[test]
    fn what_is_none_of_ours_is_seen_by_its_form() {
        let id = known();
        for text in ["", &id.as_str()[1..], &format!("{}A", id.as_str()), &format!("{}9", &id.as_str()[..30])]
        {
            assert!(SessionId::parse(text).is_none(), "{text:?}");
        }
        assert!(SessionId::parse(&"é".repeat(31)).is_none());
    }

    proptest! {
        #[test]
        fn any_id_is_read_back(key_id: u8, issued_at: u32, validity_min: u16, random: [u8; 16]) {
            let id = SessionId::new(key_id, Timestamp::from_second(issued_at.into()).unwrap(), validity_min, random);
            prop_assert!(SessionId::parse(id.as_str()) == Some(id));
            prop_assert_eq!((id.key_id, id.validity_min), (key_id, validity_min));
            prop_assert_eq!(id.issued_at().as_second(), i64::from(issued_at));
        }

        #[test]
        fn any_text_is_answered(text in "[A-Za-z0-9_-]{31}|\\PC{0,40}") {
            if let Some(id) = SessionId::parse(&text) {
                prop_assert_eq!(id.as_str(), text);
            }
        }
    }
}
