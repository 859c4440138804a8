//! PKCS#12 (`.pfx`, `.p12`): the form in which an ASP keeps its private key and certificate (gsp.md section
//! 1.2).

use p12_keystore::error::Error;
use p12_keystore::{
    EncryptionAlgorithm, KeyStore, KeyStoreEntry, MacAlgorithm, Pkcs12Archive, PrivateKeyChain,
};

use super::{Certificate, CertificateError, PrivateKey, sha256};

/// How often a guess at the passphrase must be hashed: as much as .NET, Java and openssl all still read.
const ITERATIONS: u32 = 100_000;

/// Opens a PKCS#12 file: the first RSA private key in it that has its certificate beside it.
///
/// Reads what openssl, Windows and Java write: PBES2 (AES, 3DES) and the old SHA-1 schemes with 3DES and
/// 40-bit RC2, with a MAC or without. Other certificates, such as the issuer's chain, are passed over.
///
/// # Errors
/// [`CertificateError`], telling a wrong password from a damaged or unsupported file where the file allows
/// it, and how to convert one that is not supported.
pub fn open_pfx(bytes: &[u8], password: &str) -> Result<(PrivateKey, Certificate), CertificateError> {
    if bytes.starts_with(BER_SEQUENCE) {
        return Err(CertificateError::PfxUnsupported("BER instead of DER".to_owned()));
    }
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

/// Makes a PKCS#12 file of a private key and its certificate: PBES2 with AES-256-CBC and a MAC of HMAC-SHA-256,
/// 100,000 iterations each, which openssl 1.1, Java 8u301, Windows 10 1709 and later versions read. Keystores
/// list the key under `friendly_name`. Salts are random, taken from the operating system.
///
/// # Errors
/// [`CertificateError::PfxNotWritten`] if the certificate is of another key, or the name has characters beyond
/// the Basic Multilingual Plane.
pub fn write_pfx(
    key: &PrivateKey,
    certificate: &Certificate,
    passphrase: &str,
    friendly_name: &str,
) -> Result<Vec<u8>, CertificateError> {
    if certificate.public_key() != key.public_key() {
        return Err(CertificateError::PfxNotWritten("the certificate is of another key"));
    }
    let fault = |_| CertificateError::PfxNotWritten("its parts cannot be encoded");
    let id = sha256(key.public_key().spki_der());
    let chain = PrivateKeyChain::new(
        &id[..],
        p12_keystore::PrivateKey::from_der(&key.pkcs8_der()).map_err(fault)?,
        [p12_keystore::Certificate::from_der(certificate.der()).map_err(fault)?],
    );
    let mut store = KeyStore::new();
    store.add_entry(friendly_name, KeyStoreEntry::PrivateKeyChain(chain));
    let writer = store
        .writer(passphrase)
        .encryption_algorithm(EncryptionAlgorithm::PbeWithHmacSha256AndAes256)
        .encryption_iterations(ITERATIONS)
        .mac_algorithm(MacAlgorithm::HmacSha256)
        .mac_iterations(ITERATIONS);
    writer.write().map_err(fault)
}

/// A sequence of indefinite length, as Firefox and old keychains begin their files.
const BER_SEQUENCE: &[u8] = &[0x30, 0x80];

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
