//! PKCS#12 (`.pfx`, `.p12`): the form in which an ASP keeps its private key and certificate (gsp.md section
//! 1.2).

use p12_keystore::Pkcs12Archive;
use p12_keystore::error::Error;

use super::{Certificate, CertificateError, PrivateKey};

/// Opens a PKCS#12 file: the first RSA private key in it that has its certificate beside it.
///
/// Reads what openssl, Windows and Java write: PBES2 (AES) and the old SHA-1 schemes with 3DES and 40-bit
/// RC2, with a MAC or without. Other certificates, such as the issuer's chain, are passed over.
///
/// # Errors
/// [`CertificateError`], telling a wrong password from a damaged or unsupported file where the file allows
/// it.
pub fn open_pfx(bytes: &[u8], password: &str) -> Result<(PrivateKey, Certificate), CertificateError> {
    let archive = Pkcs12Archive::from_pkcs12(bytes, password).map_err(reason)?;
    let mut refused = CertificateError::PfxMissing("private key");
    for bag in &archive.keys {
        let key = match PrivateKey::from_pkcs8_der(bag.key.as_der()) {
            Ok(key) => key,
            Err(error) => {
                refused = error;
                continue;
            }
        };
        let mut certificates =
            archive.certs.iter().filter_map(|bag| Certificate::from_der(bag.cert.as_der()).ok());
        match certificates.find(|certificate| certificate.public_key() == key.public_key()) {
            Some(certificate) => return Ok((key, certificate)),
            None => refused = CertificateError::PfxMissing("certificate that belongs to its private key"),
        }
    }
    Err(refused)
}

/// A wrong password shows in the MAC, or in the padding of what has none.
fn reason(error: Error) -> CertificateError {
    match error {
        Error::MacError(_) | Error::UnpadError => CertificateError::PfxPassword,
        Error::Pkcs5Error(text) if text.ends_with("decryption failed") => CertificateError::PfxPassword,
        Error::Pkcs5Error(_)
        | Error::UnsupportedEncryptionScheme
        | Error::UnsupportedMacAlgorithm
        | Error::UnsupportedCertificateType
        | Error::UnsupportedContentType
        | Error::InvalidParameters => CertificateError::PfxUnsupported(error.to_string()),
        other => CertificateError::NotPfx(other.to_string()),
    }
}
