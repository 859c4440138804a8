//! RSA keys of 2048 to 4096 bits, in every form they come in, with the two things GSTN does with them: PKCS#1
//! v1.5 encryption (app keys) and PKCS#1 v1.5 signatures over SHA-256 (GetKey).

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{
    KeyPair, KeySize, Pkcs1PrivateDecryptingKey, Pkcs1PublicEncryptingKey, PrivateDecryptingKey,
    PublicEncryptingKey,
};
use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256};
use rustls_pki_types::pem::SectionKind;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::{PublicKey as AnyPublicKey, RSAPublicKey};
use x509_parser::x509::SubjectPublicKeyInfo;
use zeroize::Zeroizing;

use super::{Certificate, CertificateError, CryptoError, pem, sha256_hex};

/// Longest key accepted, in bits; the shortest (2048) is aws-lc-rs's own limit too.
const MAX_BITS: usize = 4096;

/// An RSA public key, parsed once; cloning it is cheap.
#[derive(Clone)]
pub struct PublicKey(Arc<PublicParts>);

struct PublicParts {
    encrypting: Pkcs1PublicEncryptingKey,
    verifying: ParsedPublicKey,
    spki_der: Vec<u8>,
}

impl PublicKey {
    /// Reads a SubjectPublicKeyInfo in DER (`openssl pkey -pubout -outform DER`).
    ///
    /// # Errors
    /// [`CertificateError`]: not such a structure, not RSA, or not 2048 to 4096 bits.
    pub fn from_spki_der(der: &[u8]) -> Result<Self, CertificateError> {
        check_is_rsa_of_right_size(der)?;
        let encrypting = PublicEncryptingKey::from_der(der).map_err(rejected)?;
        let verifying = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der).map_err(rejected)?;
        let canonical = AsDer::<PublicKeyX509Der<'_>>::as_der(&encrypting).map_err(rejected)?;
        let encrypting = Pkcs1PublicEncryptingKey::new(encrypting).map_err(rejected)?;
        Ok(Self(Arc::new(PublicParts { encrypting, verifying, spki_der: canonical.as_ref().to_vec() })))
    }

    /// Reads a PKCS#1 RSAPublicKey in DER (`openssl rsa -RSAPublicKey_out -outform DER`).
    ///
    /// # Errors
    /// As [`PublicKey::from_spki_der`].
    pub fn from_pkcs1_der(der: &[u8]) -> Result<Self, CertificateError> {
        const WHAT: CertificateError = CertificateError::Der("RSA public key");
        let (rest, _) = RSAPublicKey::from_der(der).map_err(|_| WHAT)?;
        if !rest.is_empty() {
            return Err(WHAT);
        }
        let key = aws_lc_rs::rsa::PublicKey::from_der(der).map_err(|_| WHAT)?;
        let spki = AsDer::<PublicKeyX509Der<'_>>::as_der(&key).map_err(rejected)?;
        Self::from_spki_der(spki.as_ref())
    }

    /// Takes the key out of an X.509 certificate in DER (a `.cer` or `.crt` file).
    ///
    /// # Errors
    /// As [`Certificate::from_der`].
    pub fn from_certificate_der(der: &[u8]) -> Result<Self, CertificateError> {
        Certificate::from_der(der).map(|certificate| certificate.public_key().clone())
    }

    /// Reads the first certificate or public key of a PEM text: X.509, SubjectPublicKeyInfo, PKCS#1, and the
    /// published oddity "BEGIN RSA PUBLIC KEY" with a SubjectPublicKeyInfo inside (gstn.md section 1.6).
    ///
    /// # Errors
    /// [`CertificateError`], saying what is wrong with it.
    pub fn from_pem(text: impl AsRef<[u8]>) -> Result<Self, CertificateError> {
        let kinds = [SectionKind::Certificate, SectionKind::PublicKey];
        match pem::first(text.as_ref(), &kinds, "certificate or public key")? {
            (SectionKind::Certificate, der) => Self::from_certificate_der(&der),
            (_, der) => Self::from_bare_der(&der),
        }
    }

    /// Reads a certificate or public key in any supported form, PEM or DER.
    ///
    /// # Errors
    /// [`CertificateError`], saying what is wrong with it.
    pub fn from_any(bytes: &[u8]) -> Result<Self, CertificateError> {
        if pem::is_pem(bytes) {
            return Self::from_pem(bytes);
        }
        match Self::from_certificate_der(bytes) {
            Err(CertificateError::Der(_)) => Self::from_bare_der(bytes),
            read => read,
        }
    }

    /// A public key without a certificate around it: SubjectPublicKeyInfo or PKCS#1.
    fn from_bare_der(der: &[u8]) -> Result<Self, CertificateError> {
        match Self::from_spki_der(der) {
            Err(CertificateError::Der(_)) => Self::from_pkcs1_der(der),
            read => read,
        }
    }

    /// Encrypts `plain` (raw, at most eleven bytes less than the key) by PKCS#1 v1.5; raw ciphertext as long
    /// as the key. The padding is random, taken from aws-lc-rs.
    ///
    /// # Errors
    /// [`CryptoError`] if `plain` is too long.
    pub fn encrypt_pkcs1v15(&self, plain: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let mut out = vec![0; self.0.encrypting.ciphertext_size()];
        let length = self.0.encrypting.encrypt(plain, &mut out)?.len();
        out.truncate(length);
        Ok(out)
    }

    /// Checks a raw PKCS#1 v1.5 signature over the SHA-256 of `message`.
    ///
    /// # Errors
    /// [`CryptoError`] if it is not this key's signature of this message.
    pub fn verify_sha256(&self, message: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        Ok(self.0.verifying.verify_sig(message, signature)?)
    }

    /// The SubjectPublicKeyInfo in DER.
    pub fn spki_der(&self) -> &[u8] {
        &self.0.spki_der
    }

    /// The SubjectPublicKeyInfo in PEM ("BEGIN PUBLIC KEY").
    pub fn spki_pem(&self) -> String {
        std::mem::take(&mut *pem::encode("PUBLIC KEY", self.spki_der()))
    }

    /// Length of the modulus in bits.
    pub fn bits(&self) -> usize {
        self.0.encrypting.key_size_bits()
    }

    /// Length of a ciphertext or a signature in bytes.
    pub(super) fn size(&self) -> usize {
        self.0.encrypting.key_size_bytes()
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.spki_der() == other.spki_der()
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey(RSA {} bits, SPKI sha256 {})", self.bits(), sha256_hex(self.spki_der()))
    }
}

/// Says in words what aws-lc-rs would only refuse.
fn check_is_rsa_of_right_size(spki_der: &[u8]) -> Result<(), CertificateError> {
    const WHAT: CertificateError = CertificateError::Der("public key");
    let (rest, spki) = SubjectPublicKeyInfo::from_der(spki_der).map_err(|_| WHAT)?;
    if !rest.is_empty() {
        return Err(WHAT);
    }
    let AnyPublicKey::RSA(key) = spki.parsed().map_err(|_| WHAT)? else {
        return Err(CertificateError::NotRsa);
    };
    let zeros: usize = key.modulus.iter().take_while(|byte| **byte == 0).count();
    let modulus = &key.modulus[zeros..];
    let bits = modulus.first().map_or(0, |first| modulus.len() * 8 - first.leading_zeros() as usize);
    if (2048..=MAX_BITS).contains(&bits) { Ok(()) } else { Err(CertificateError::KeySize { bits }) }
}

fn rejected(reason: impl fmt::Display) -> CertificateError {
    CertificateError::Key(reason.to_string())
}

/// An RSA private key, parsed once; cloning it is cheap. aws-lc wipes it when the last clone is dropped.
#[derive(Clone)]
pub struct PrivateKey(Arc<PrivateParts>);

struct PrivateParts {
    decrypting: Pkcs1PrivateDecryptingKey,
    signing: KeyPair,
    public: PublicKey,
}

impl PrivateKey {
    /// Makes a new key of 2048, 3072 or 4096 bits. The one place of this crate that draws randomness itself,
    /// through aws-lc-rs: primes cannot be passed in as bytes. Takes tens of milliseconds to several seconds.
    ///
    /// # Errors
    /// [`CertificateError::KeySize`] for any other size; [`CertificateError::Key`] if the operating system
    /// gives no randomness.
    pub fn generate(bits: usize) -> Result<Self, CertificateError> {
        let size = match bits {
            2048 => KeySize::Rsa2048,
            3072 => KeySize::Rsa3072,
            4096 => KeySize::Rsa4096,
            _ => return Err(CertificateError::KeySize { bits }),
        };
        Self::from_key_pair(KeyPair::generate(size).map_err(rejected)?)
    }

    /// Makes a new key of 2048 bits, GSTN's size.
    pub fn generate_2048() -> Self {
        #[expect(
            clippy::expect_used,
            reason = "without randomness from the operating system nothing here can work"
        )]
        Self::generate(2048).expect("aws-lc-rs makes RSA keys it accepts")
    }

    /// Reads an unencrypted PKCS#8 PrivateKeyInfo in DER.
    ///
    /// # Errors
    /// [`CertificateError`]: not such a structure, not RSA, or not 2048 to 4096 bits.
    pub fn from_pkcs8_der(der: &[u8]) -> Result<Self, CertificateError> {
        Self::from_key_pair(KeyPair::from_pkcs8(der).map_err(rejected)?)
    }

    /// Reads a PKCS#1 RSAPrivateKey in DER.
    ///
    /// # Errors
    /// As [`PrivateKey::from_pkcs8_der`].
    pub fn from_pkcs1_der(der: &[u8]) -> Result<Self, CertificateError> {
        Self::from_key_pair(KeyPair::from_der(der).map_err(rejected)?)
    }

    /// Reads the first private key of a PEM text: PKCS#8 ("BEGIN PRIVATE KEY") or PKCS#1 ("BEGIN RSA PRIVATE
    /// KEY").
    ///
    /// # Errors
    /// [`CertificateError`], saying what is wrong with it; [`CertificateError::Encrypted`] if it has a
    /// passphrase.
    pub fn from_pem(text: impl AsRef<[u8]>) -> Result<Self, CertificateError> {
        let kinds = [SectionKind::PrivateKey, SectionKind::RsaPrivateKey];
        match pem::first(text.as_ref(), &kinds, "RSA private key")? {
            (SectionKind::PrivateKey, der) => Self::from_pkcs8_der(&der),
            (_, der) => Self::from_pkcs1_der(&der),
        }
    }

    /// Reads an unencrypted private key in any supported form: PEM, or DER of PKCS#8 or PKCS#1 (openssl
    /// writes either as DER).
    ///
    /// # Errors
    /// As [`PrivateKey::from_pem`].
    pub fn from_any(bytes: &[u8]) -> Result<Self, CertificateError> {
        if pem::is_pem(bytes) {
            return Self::from_pem(bytes);
        }
        Self::from_pkcs8_der(bytes).or_else(|error| Self::from_pkcs1_der(bytes).map_err(|_| error))
    }

    fn from_key_pair(signing: KeyPair) -> Result<Self, CertificateError> {
        let bits = signing.public_modulus_len() * 8;
        if bits > MAX_BITS {
            return Err(CertificateError::KeySize { bits });
        }
        let pkcs8 = AsDer::<Pkcs8V1Der<'_>>::as_der(&signing).map_err(rejected)?;
        let decrypting = PrivateDecryptingKey::from_pkcs8(pkcs8.as_ref()).map_err(rejected)?;
        let spki = AsDer::<PublicKeyX509Der<'_>>::as_der(&decrypting.public_key()).map_err(rejected)?;
        let public = PublicKey::from_spki_der(spki.as_ref())?;
        let decrypting = Pkcs1PrivateDecryptingKey::new(decrypting).map_err(rejected)?;
        Ok(Self(Arc::new(PrivateParts { decrypting, signing, public })))
    }

    /// Decrypts raw PKCS#1 v1.5 ciphertext.
    ///
    /// aws-lc checks the padding in constant time but then reports the failure: it has no implicit rejection.
    /// Who answers strangers must not tell this failure from a plaintext of the wrong length;
    /// [`AppKey::open`](super::AppKey::open) does not.
    ///
    /// # Errors
    /// [`CryptoError`] if the ciphertext has another length than the key, or its padding is wrong.
    pub fn decrypt_pkcs1v15(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let mut out = Zeroizing::new(vec![0; self.0.decrypting.min_output_size()]);
        let length = self.0.decrypting.decrypt(sealed, &mut out)?.len();
        out.truncate(length);
        Ok(out)
    }

    /// Signs the SHA-256 of `message` by PKCS#1 v1.5; raw, as long as the key. The same message gives the
    /// same signature.
    ///
    /// # Errors
    /// [`CryptoError`] if the computation fails, which no message causes.
    pub fn sign_sha256(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let mut signature = vec![0; self.0.signing.public_modulus_len()];
        self.0.signing.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)?;
        Ok(signature)
    }

    /// The public half.
    pub fn public_key(&self) -> &PublicKey {
        &self.0.public
    }

    /// The key as unencrypted PKCS#8 in DER. Handle with care.
    pub fn pkcs8_der(&self) -> Zeroizing<Vec<u8>> {
        #[expect(clippy::expect_used, reason = "the same marshalling succeeded when the key was read")]
        let der: Pkcs8V1Der<'_> = self.0.signing.as_der().expect("a parsed RSA key can be written");
        Zeroizing::new(der.as_ref().to_vec())
    }

    /// The key as unencrypted PKCS#8 in PEM ("BEGIN PRIVATE KEY"). Handle with care.
    pub fn pkcs8_pem(&self) -> Zeroizing<String> {
        pem::encode("PRIVATE KEY", &self.pkcs8_der())
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey([redacted], {:?})", self.public_key())
    }
}
