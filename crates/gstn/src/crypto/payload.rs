//! A payload under its key: base64, HMAC-SHA256, AES-256-ECB and base64 again (gstn.md section 0, facts 3 and 4), piece by
//! piece.
//!
//! Each piece goes through all four steps while it is in the processor's cache, and only the result is as large as the
//! payload: steps that each went over the whole would spend as long on fetching memory and wiping it as on the payload.

use aws_lc_rs::cipher::{DecryptionContext, StreamingDecryptingKey, StreamingEncryptingKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hmac;
use base64_simd::{AsOut, STANDARD};
use zeroize::Zeroizing;

use super::aes::{BLOCK, unbound};
use super::{CryptoError, base64, ct_eq};

/// Bytes of JSON in a piece. Its base64 text is whole blocks of AES, and these are whole groups of base64 again.
const JSON: usize = 36 * 64;
/// The base64 text of a piece, and its ciphertext.
const TEXT: usize = JSON / 3 * 4;
/// The base64 of that.
const DATA: usize = TEXT / 3 * 4;

/// `data` of a JSON under `key`, and `hmac`, that of its base64 text.
pub(super) fn seal_with_hmac(key: &[u8; 32], json: &[u8]) -> (String, String) {
    let mut hmac = hmac_under(key);
    let data = seal(key, json, |text| hmac.update(text));
    (data, base64::encode(hmac.sign()))
}

/// `data` of a JSON under `key`. The base64 text inside is shown to `watch`, piece by piece.
pub(super) fn seal(key: &[u8; 32], json: &[u8], watch: impl FnMut(&[u8])) -> String {
    #[expect(clippy::expect_used, reason = "every 32-byte key and every length is valid")]
    seal_pieces(key, json, watch).expect("AES-256 encrypts anything")
}

fn seal_pieces(key: &[u8; 32], json: &[u8], mut watch: impl FnMut(&[u8])) -> Result<String, Unspecified> {
    let whole_text = json.len().div_ceil(3) * 4;
    let whole_sealed = whole_text / BLOCK * BLOCK + BLOCK;
    let mut data = String::with_capacity(whole_sealed.div_ceil(3) * 4);
    let mut text = Zeroizing::new(vec![0; whole_text.min(TEXT)]);
    let mut sealed = vec![0; whole_sealed.min(TEXT) + BLOCK];
    let mut cipher = StreamingEncryptingKey::ecb_pkcs7(unbound(key)?)?;
    let mut pieces = json.chunks_exact(JSON);
    for piece in &mut pieces {
        let text = STANDARD.encode(piece, text.as_out());
        watch(text);
        STANDARD.encode_append(cipher.update(text, &mut sealed)?.written(), &mut data);
    }
    let text = STANDARD.encode(pieces.remainder(), text.as_out());
    watch(text);
    let written = cipher.update(text, &mut sealed)?.written().len();
    let (_, last) = cipher.finish(&mut sealed[written..])?;
    let written = written + last.written().len();
    STANDARD.encode_append(&sealed[..written], &mut data);
    Ok(data)
}

/// The JSON inside `data`, checked against `hmac` if there is one.
pub(super) fn open(key: &[u8; 32], data: &[u8], hmac: Option<&str>) -> Result<Vec<u8>, CryptoError> {
    let mut json = Zeroizing::new(Vec::with_capacity(data.len() / 16 * 9 + BLOCK));
    let (mut padding, mut is_base64) = (Padding::default(), true);
    open_pieces(key, data, hmac, |text| {
        // What is wrong with the text is not said before its hmac is known to be right.
        let goes_on = padding.ends_before(text);
        is_base64 &= STANDARD.decode_append(text, &mut *json).is_ok() && !goes_on;
    })?;
    if is_base64 { Ok(std::mem::take(&mut *json)) } else { Err(CryptoError) }
}

/// The base64 text inside `data`, checked against `hmac` if there is one.
pub(super) fn open_text(
    key: &[u8; 32],
    data: &[u8],
    hmac: Option<&str>,
) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let mut whole = Zeroizing::new(Vec::with_capacity(data.len() / 4 * 3));
    open_pieces(key, data, hmac, |text| whole.extend_from_slice(text))?;
    Ok(whole)
}

/// Shows the base64 text inside `data`, piece by piece, to `watch`, which must keep it to itself until this is done: only
/// then its padding and `hmac` are known to be right.
fn open_pieces(
    key: &[u8; 32],
    data: &[u8],
    hmac: Option<&str>,
    mut watch: impl FnMut(&[u8]),
) -> Result<(), CryptoError> {
    let mut computed = hmac.map(|_| hmac_under(key));
    let mut take = |text: &[u8]| {
        if let Some(computed) = &mut computed {
            computed.update(text);
        }
        watch(text);
    };
    let mut sealed = vec![0; data.len().min(DATA) / 4 * 3];
    let mut text = Zeroizing::new(vec![0; sealed.len() + BLOCK]);
    let mut cipher = StreamingDecryptingKey::ecb_pkcs7(unbound(key)?, DecryptionContext::None)?;
    let mut padding = Padding::default();
    for piece in data.chunks(DATA) {
        if padding.ends_before(piece) {
            return Err(CryptoError);
        }
        let sealed = STANDARD.decode(piece, sealed.as_out()).map_err(|_| CryptoError)?;
        take(cipher.update(sealed, &mut text)?.written());
    }
    take(cipher.finish(&mut text)?.written());
    let Some((sent, computed)) = hmac.zip(computed) else { return Ok(()) };
    if ct_eq(computed.sign().as_ref(), &base64::decode_strict(sent)?) { Ok(()) } else { Err(CryptoError) }
}

/// Base64 that comes in pieces of whole groups: padding ends the whole, not only its piece.
#[derive(Default)]
struct Padding {
    seen: bool,
}

impl Padding {
    /// Whether there was padding already, and `piece` goes on all the same.
    fn ends_before(&mut self, piece: &[u8]) -> bool {
        let goes_on = self.seen && !piece.is_empty();
        self.seen |= piece.ends_with(b"=");
        goes_on
    }
}

fn hmac_under(key: &[u8; 32]) -> hmac::Context {
    hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::crypto::{aes256_ecb_decrypt, aes256_ecb_encrypt, hmac_sha256};

    const KEY: [u8; 32] = [7; 32];

    /// Every length around the ends of pieces.
    fn lengths() -> impl Iterator<Item = usize> {
        (0..4).flat_map(|pieces: usize| (pieces * JSON).saturating_sub(49)..pieces * JSON + 50)
    }

    /// `data` of any text, be it base64 or not.
    fn sealed(text: &[u8]) -> String {
        base64::encode(aes256_ecb_encrypt(&KEY, text))
    }

    #[test]
    fn the_pieces_are_those_of_the_whole() {
        for length in lengths() {
            let json: Vec<u8> = (0..=255).cycle().take(length).collect();
            let (data, hmac) = seal_with_hmac(&KEY, &json);
            let text = base64::encode(&json);
            let expected = base64::encode(hmac_sha256(&KEY, text.as_bytes()));
            assert_eq!((&data, &hmac), (&sealed(text.as_bytes()), &expected), "{length}");
            assert_eq!(open(&KEY, data.as_bytes(), Some(&hmac)), Ok(json), "{length}");
            assert_eq!(*open_text(&KEY, data.as_bytes(), Some(&hmac)).unwrap(), text.as_bytes(), "{length}");
        }
    }

    #[test]
    fn nothing_is_moved_while_it_grows() {
        for length in lengths() {
            let (data, _) = seal_with_hmac(&KEY, &vec![7; length]);
            assert_eq!(data.capacity(), data.len(), "{length}");
            let json = open(&KEY, data.as_bytes(), None).unwrap();
            assert!(json.capacity() < length + 2 * BLOCK, "{length} {}", json.capacity());
        }
    }

    #[test]
    fn padding_is_refused_wherever_something_follows() {
        let json = vec![7; 3 * JSON];
        let (data, _) = seal_with_hmac(&KEY, &json);
        let text = base64::encode(&json);
        for end in (4..text.len() - 4).step_by(4) {
            let mut text = text.clone();
            text.replace_range(end - 2..end, "==");
            assert_eq!(open(&KEY, sealed(text.as_bytes()).as_bytes(), None), Err(CryptoError), "{end}");
        }
        for end in (4..data.len() - 4).step_by(4) {
            let mut data = data.clone();
            data.replace_range(end - 2..end, "==");
            assert_eq!(open(&KEY, data.as_bytes(), None), Err(CryptoError), "{end}");
        }
    }

    #[test]
    fn a_text_that_is_not_base64_opens_as_a_text_only() {
        for length in lengths().filter(|length| *length > 0) {
            for place in [0, length / 2, length - 1] {
                let mut text = vec![b'A'; length];
                text[place] = b'.';
                let (data, hmac) = (sealed(&text), base64::encode(hmac_sha256(&KEY, &text)));
                assert_eq!(open(&KEY, data.as_bytes(), Some(&hmac)), Err(CryptoError));
                assert_eq!(*open_text(&KEY, data.as_bytes(), Some(&hmac)).unwrap(), text);
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_is_sent_opens_as_the_whole_would(
            length in 0..3 * DATA,
            changes in prop::collection::vec((any::<prop::sample::Index>(), "[A-Za-z0-9+/=. ]{1,3}"), 0..3),
        ) {
            let (mut data, _) = seal_with_hmac(&KEY, &vec![7; length]);
            for (place, change) in changes {
                let place = place.index(data.len());
                let end = data.len().min(place + change.len());
                data.replace_range(place..end, &change);
            }
            let whole = base64::decode_strict(&data)
                .and_then(|sealed| aes256_ecb_decrypt(&KEY, &sealed))
                .and_then(|text| base64::decode_strict(&*text));
            prop_assert_eq!(open(&KEY, data.as_bytes(), None), whole);
        }
    }
}
