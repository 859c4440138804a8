//! GetKey: how an ASP proves itself to the GSP and gets a session key (gsp.md section 1.3).
//!
//! The ASP signs its id and a timestamp; the GSP answers with a session key under the ASP's secret; on each
//! call the ASP then shows its secret under that session key.

use zeroize::Zeroizing;

use super::secret::{AspEk, AspSecret};
use super::wire::{open_key, seal};
use super::{CryptoError, PrivateKey, PublicKey, aes256_ecb_decrypt, base64};

/// The `signed_content` of a GetKey request: standard base64 of the signature (PKCS#1 v1.5, SHA-256) over the
/// UTF-8 text of `aspid` followed by `timestamp`, exactly as both are sent.
///
/// # Errors
/// [`CryptoError`] if the signature cannot be computed, which no text causes.
pub fn getkey_sign(key: &PrivateKey, aspid: &str, timestamp: &str) -> Result<String, CryptoError> {
    key.sign_sha256(&signed_text(aspid, timestamp)).map(base64::encode)
}

/// Checks the `signed_content` of a GetKey request. Whether the timestamp is acceptable is not asked here.
///
/// # Errors
/// [`CryptoError`] if it is not the signature of `aspid` and `timestamp` by `key`.
pub fn getkey_verify(
    key: &PublicKey,
    aspid: &str,
    timestamp: &str,
    signed_content: &str,
) -> Result<(), CryptoError> {
    key.verify_sha256(&signed_text(aspid, timestamp), &base64::decode_strict(signed_content)?)
}

fn signed_text(aspid: &str, timestamp: &str) -> Vec<u8> {
    [aspid.as_bytes(), timestamp.as_bytes()].concat()
}

impl AspSecret {
    /// GSP: the `enc_key` of a GetKey reply, the session key under this secret; 64 characters of standard
    /// base64.
    pub fn seal_session_key(&self, session_key: &AspEk) -> String {
        seal(self.as_bytes(), session_key.as_bytes())
    }

    /// ASP: opens the `enc_key` of a GetKey reply.
    ///
    /// # Errors
    /// [`CryptoError`] if this secret does not open it.
    pub fn open_session_key(&self, enc_key: &str) -> Result<AspEk, CryptoError> {
        open_key(self.as_bytes(), enc_key, AspEk::try_from_slice)
    }
}

impl AspEk {
    /// ASP: the `asp-secret` header, the ASP's secret under the session key; 64 characters of standard
    /// base64.
    pub fn seal_asp_secret(&self, asp_secret: &AspSecret) -> String {
        seal(self.as_bytes(), asp_secret.as_bytes())
    }

    /// GSP: opens the `asp-secret` header, in any form of base64 that clients send. Compare what is inside with the
    /// ASP's secret.
    ///
    /// # Errors
    /// [`CryptoError`] if it was not sealed under this session key.
    pub fn open_asp_secret(&self, header: &str) -> Result<AspSecret, CryptoError> {
        AspSecret::try_from_slice(&self.open_shown_text(header)?)
    }

    /// GSP: what the `asp-secret` header holds, whatever its length, so that a text which is no ASP secret (such as the
    /// account password) can be called that.
    ///
    /// # Errors
    /// [`CryptoError`] if it was not sealed under this session key; another key leaves a right padding now and then.
    pub fn open_shown_text(&self, header: &str) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        aes256_ecb_decrypt(self.as_bytes(), &base64::decode_lenient(header)?)
    }
}
