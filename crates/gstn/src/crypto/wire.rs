//! The steps of a taxpayer session as they are written on the wire: base64 in, base64 out (gstn.md sections
//! 1.2, 2, 2.1).
//!
//! Both sides of each step stand together: the ASP's and GSTN's.

use zeroize::Zeroizing;

use super::secret::{AppKey, FileKey, Rek, Sek};
use super::{CryptoError, PrivateKey, PublicKey, aes256_ecb_decrypt, aes256_ecb_encrypt, base64, payload};
use crate::envelope::Reply;

/// The encrypted parts of a request, both standard base64.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedRequest {
    /// The payload under the SEK.
    pub data: String,
    /// HMAC-SHA256 under the SEK over the base64 text of the payload. Left out of filings.
    pub hmac: String,
}

/// The encrypted parts of a reply, both standard base64; the REK itself goes along, sealed by
/// [`Sek::seal_rek`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedReply {
    /// The payload under the REK.
    pub data: String,
    /// HMAC-SHA256 under the REK over the base64 text of the payload.
    pub hmac: String,
}

impl AppKey {
    /// ASP: `app_key` of OTPREQUEST, AUTHTOKEN, LOGOUT and ACCESSTOKEN, for GSTN's public key; standard
    /// base64 (344 characters for a key of 2048 bits), different each time.
    ///
    /// # Errors
    /// [`CryptoError`] if there is no randomness.
    pub fn encrypt_for(&self, gstn: &PublicKey) -> Result<String, CryptoError> {
        gstn.encrypt_pkcs1v15(self.as_bytes()).map(base64::encode)
    }

    /// GSTN: opens an `app_key` made by [`AppKey::encrypt_for`]. What is inside may be any 32 bytes, be they
    /// random or ASCII. Nothing else is told apart: a stale certificate, bad base64, bad padding and another
    /// length give the same error.
    ///
    /// # Errors
    /// [`CryptoError`], whatever went wrong; answered with TEC4002 (gstn.md section 10).
    pub fn open(app_key: &str, gstn: &PrivateKey) -> Result<Self, CryptoError> {
        Self::try_from_slice(&gstn.decrypt_pkcs1v15(&base64::decode_strict(app_key)?)?)
    }

    /// ASP: `otp` of AUTHTOKEN, under this key; standard base64 of one AES block for an OTP of up to 15
    /// digits.
    pub fn encrypt_otp(&self, otp: &str) -> String {
        seal(self.as_bytes(), otp.as_bytes())
    }

    /// GSTN: opens the `otp` of AUTHTOKEN; base64 of either alphabet (gstn.md section 10).
    ///
    /// # Errors
    /// [`CryptoError`] if it was not sealed under this key, or is not UTF-8 text.
    pub fn decrypt_otp(&self, otp: &str) -> Result<Zeroizing<String>, CryptoError> {
        text(aes256_ecb_decrypt(self.as_bytes(), &base64::decode_lenient(otp)?)?)
    }

    /// ASP: `password` of ACCESSTOKEN, under this key; standard base64.
    pub fn encrypt_password(&self, password: &str) -> String {
        seal(self.as_bytes(), password.as_bytes())
    }

    /// GSTN: opens the `password` of ACCESSTOKEN, which some clients seal under this key and some for GSTN's
    /// public key (gstn.md sections 1.2 and 10); the length tells which.
    ///
    /// # Errors
    /// [`CryptoError`] if neither opens it, or it is not UTF-8 text.
    pub fn open_password(&self, password: &str, gstn: &PrivateKey) -> Result<Zeroizing<String>, CryptoError> {
        let sealed = base64::decode_strict(password)?;
        if sealed.len() == gstn.public_key().size() {
            return text(gstn.decrypt_pkcs1v15(&sealed)?);
        }
        text(aes256_ecb_decrypt(self.as_bytes(), &sealed)?)
    }

    /// GSTN: `sek` of a login's reply, under this key; 64 characters of standard base64.
    pub fn seal_sek(&self, sek: &Sek) -> String {
        seal(self.as_bytes(), sek.as_bytes())
    }

    /// ASP: opens the `sek` of a login's reply.
    ///
    /// # Errors
    /// [`CryptoError`] if it was not sealed under this key.
    pub fn open_sek(&self, sek: &str) -> Result<Sek, CryptoError> {
        open_key(self.as_bytes(), sek, Sek::try_from_slice)
    }
}

impl Sek {
    /// ASP: `app_key` of REFRESHTOKEN, the next app key (or the same again) under the session key still in
    /// force; 64 characters of standard base64.
    pub fn seal_app_key(&self, app_key: &AppKey) -> String {
        seal(self.as_bytes(), app_key.as_bytes())
    }

    /// GSTN: opens the `app_key` of REFRESHTOKEN; base64 of either alphabet (gstn.md section 10).
    ///
    /// # Errors
    /// [`CryptoError`] if it was not sealed under this key.
    pub fn open_app_key(&self, app_key: &str) -> Result<AppKey, CryptoError> {
        AppKey::try_from_slice(&aes256_ecb_decrypt(self.as_bytes(), &base64::decode_lenient(app_key)?)?)
    }

    /// GSTN: `rek` of a reply, under the session key; 64 characters of standard base64.
    pub fn seal_rek(&self, rek: &Rek) -> String {
        seal(self.as_bytes(), rek.as_bytes())
    }

    /// ASP: opens the `rek` of a reply.
    ///
    /// # Errors
    /// [`CryptoError`] if it was not sealed under this key.
    pub fn open_rek(&self, rek: &str) -> Result<Rek, CryptoError> {
        open_key(self.as_bytes(), rek, Rek::try_from_slice)
    }

    /// ASP: `data` and `hmac` of a request, from its JSON as it is to be read by GSTN.
    pub fn encrypt_request(&self, json: &[u8]) -> SealedRequest {
        let (data, hmac) = payload::seal_with_hmac(self.as_bytes(), json);
        SealedRequest { data, hmac }
    }

    /// GSTN: the JSON of a request, byte for byte as the client wrote it. A missing `hmac` is not asked for,
    /// as filings have none; a wrong one is refused.
    ///
    /// # Errors
    /// [`CryptoError`], whatever went wrong.
    pub fn decrypt_request(&self, data: &str, hmac: Option<&str>) -> Result<Vec<u8>, CryptoError> {
        payload::open(self.as_bytes(), data.as_bytes(), hmac)
    }

    /// GSTN: what `data` decrypts to before the last step: the base64 text of the JSON, which is what
    /// [`evc_sign`](super::evc_sign) signs.
    ///
    /// # Errors
    /// [`CryptoError`], whatever went wrong.
    pub fn decrypt_request_text(
        &self,
        data: &str,
        hmac: Option<&str>,
    ) -> Result<Zeroizing<String>, CryptoError> {
        text(payload::open_text(self.as_bytes(), data.as_bytes(), hmac)?)
    }

    /// ASP: the JSON of a whole reply: opens its `rek`, checks its `hmac` if it has one, decrypts its `data`.
    ///
    /// # Errors
    /// [`CryptoError`] if the reply has no `rek` or no `data`, or does not open.
    pub fn open_reply(&self, reply: &Reply) -> Result<Vec<u8>, CryptoError> {
        let (Some(rek), Some(data)) = (reply.rek.as_deref(), reply.data.as_deref()) else {
            return Err(CryptoError);
        };
        self.open_rek(rek)?.decrypt_reply(data, reply.hmac.as_deref())
    }
}

impl Rek {
    /// GSTN: `data` and `hmac` of a reply, from its JSON.
    pub fn encrypt_reply(&self, json: &[u8]) -> SealedReply {
        let (data, hmac) = payload::seal_with_hmac(self.as_bytes(), json);
        SealedReply { data, hmac }
    }

    /// ASP: the JSON of a reply. A missing `hmac` is not asked for; a wrong one is refused.
    ///
    /// # Errors
    /// [`CryptoError`], whatever went wrong.
    pub fn decrypt_reply(&self, data: &str, hmac: Option<&str>) -> Result<Vec<u8>, CryptoError> {
        payload::open(self.as_bytes(), data.as_bytes(), hmac)
    }
}

impl FileKey {
    /// GSTN: the text inside a file of a large reply (the `.json` of the tar.gz), from its JSON; standard
    /// base64.
    pub fn encrypt_file(&self, json: &[u8]) -> String {
        payload::seal(self.as_bytes(), json, |_| ())
    }

    /// ASP: the JSON of a file of a large reply, from the text inside it; a line break at its end is passed
    /// over.
    ///
    /// # Errors
    /// [`CryptoError`] if it was not sealed under this key.
    pub fn decrypt_file(&self, text: &str) -> Result<Vec<u8>, CryptoError> {
        payload::open(self.as_bytes(), text.trim_ascii_end().as_bytes(), None)
    }
}

/// A short secret under `key`, as standard base64.
pub(super) fn seal(key: &[u8; 32], plain: &[u8]) -> String {
    base64::encode(aes256_ecb_encrypt(key, plain))
}

/// A 32-byte key sealed by [`seal`].
pub(super) fn open_key<K>(
    key: &[u8; 32],
    sealed: &str,
    read: impl FnOnce(&[u8]) -> Result<K, CryptoError>,
) -> Result<K, CryptoError> {
    read(&aes256_ecb_decrypt(key, &base64::decode_strict(sealed)?)?)
}

fn text(mut plain: Zeroizing<Vec<u8>>) -> Result<Zeroizing<String>, CryptoError> {
    String::from_utf8(std::mem::take(&mut *plain)).map(Zeroizing::new).map_err(|error| {
        drop(Zeroizing::new(error.into_bytes()));
        CryptoError
    })
}
