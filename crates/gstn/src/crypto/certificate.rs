//! X.509 certificates: GSTN's, the ASPs', the sandbox's own. Only read; trust is decided elsewhere.

use std::fmt;

use rustls_pki_types::pem::SectionKind;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::hash::hex;
use super::{CertificateError, PublicKey, pem, sha256_hex};

/// An X.509 certificate with an RSA key. Neither its signature nor its dates are checked here.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    subject: String,
    not_before: i64,
    not_after: i64,
    serial: String,
    public_key: PublicKey,
}

impl Certificate {
    /// Reads a certificate in DER.
    ///
    /// # Errors
    /// [`CertificateError`]: not exactly one certificate, or not with an RSA key of 2048 to 4096 bits.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        const WHAT: CertificateError = CertificateError::Der("certificate");
        let (rest, certificate) = X509Certificate::from_der(der).map_err(|_| WHAT)?;
        if !rest.is_empty() {
            return Err(WHAT);
        }
        let validity = certificate.validity();
        Ok(Self {
            der: der.to_vec(),
            subject: printable(&certificate.subject().to_string()),
            not_before: validity.not_before.timestamp(),
            not_after: validity.not_after.timestamp(),
            serial: hex(without_sign_byte(certificate.raw_serial())),
            public_key: PublicKey::from_spki_der(certificate.public_key().raw)?,
        })
    }

    /// Reads the first certificate of a PEM text.
    ///
    /// # Errors
    /// As [`Certificate::from_der`]; [`CertificateError::Missing`] or [`CertificateError::Pem`] for the
    /// armour.
    pub fn from_pem(text: impl AsRef<[u8]>) -> Result<Self, CertificateError> {
        let (_, der) = pem::first(text.as_ref(), &[SectionKind::Certificate], "certificate")?;
        Self::from_der(&der)
    }

    /// Reads a certificate in PEM or DER.
    ///
    /// # Errors
    /// As [`Certificate::from_pem`].
    pub fn from_any(bytes: &[u8]) -> Result<Self, CertificateError> {
        if pem::is_pem(bytes) { Self::from_pem(bytes) } else { Self::from_der(bytes) }
    }

    /// The certificate in DER, as it was read.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The certificate in PEM ("BEGIN CERTIFICATE").
    pub fn pem(&self) -> String {
        std::mem::take(&mut *pem::encode("CERTIFICATE", &self.der))
    }

    /// The subject, e.g. `C=IN, O=GSTN, CN=GSTN Public`. Control characters are escaped: whoever made the certificate may
    /// have written anything.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// First moment of validity, in seconds since 1970 UTC.
    pub fn not_before(&self) -> i64 {
        self.not_before
    }

    /// Last moment of validity, in seconds since 1970 UTC.
    pub fn not_after(&self) -> i64 {
        self.not_after
    }

    /// The serial number in lower-case hex.
    pub fn serial(&self) -> &str {
        &self.serial
    }

    /// SHA-256 of the DER in lower-case hex: what `openssl x509 -fingerprint -sha256` shows, without the
    /// colons.
    pub fn sha256_fingerprint(&self) -> String {
        sha256_hex(&self.der)
    }

    /// The key inside.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({:?}, serial {}, {:?})", self.subject, self.serial, self.public_key)
    }
}

fn printable(name: &str) -> String {
    let mut shown = String::with_capacity(name.len());
    for letter in name.chars() {
        if letter.is_control() { shown.extend(letter.escape_unicode()) } else { shown.push(letter) }
    }
    shown
}

/// DER integers carry a zero byte before a set top bit; people and openssl leave it out.
fn without_sign_byte(serial: &[u8]) -> &[u8] {
    match serial {
        [0, rest @ ..] if !rest.is_empty() => rest,
        _ => serial,
    }
}
