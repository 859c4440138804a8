//! The electronic verification code: how a return is signed with a PAN and an OTP (gstn.md section 7).

use super::{CryptoError, base64, ct_eq, hmac_sha256};

/// The `sid` of a filing with EVC: `PAN|OTP`.
pub fn evc_sid(pan: &str, otp: &str) -> String {
    format!("{pan}|{otp}")
}

/// The `sign` of a filing with EVC: standard base64 of HMAC-SHA256 under the text `PAN|OTP`, over
/// `base64_text`, the base64 of the summary's JSON: exactly what the filing's `data` decrypts to
/// ([`Sek::decrypt_request_text`](super::Sek::decrypt_request_text)).
pub fn evc_sign(pan: &str, otp: &str, base64_text: &str) -> String {
    base64::encode(hmac_sha256(evc_sid(pan, otp).as_bytes(), base64_text.as_bytes()))
}

/// Checks the `sign` of a filing with EVC, in constant time.
///
/// # Errors
/// [`CryptoError`] if it is not that of `pan`, `otp` and `base64_text`.
pub fn evc_verify(pan: &str, otp: &str, base64_text: &str, sign: &str) -> Result<(), CryptoError> {
    let expected = hmac_sha256(evc_sid(pan, otp).as_bytes(), base64_text.as_bytes());
    if ct_eq(&expected, &base64::decode_strict(sign)?) { Ok(()) } else { Err(CryptoError) }
}
