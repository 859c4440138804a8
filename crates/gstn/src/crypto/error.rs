//! What can go wrong: one silent error for the wire, a talkative one for what an operator configures.

/// A value could not be decrypted, verified or sealed. It never says why: a wrong key, a wrong length, bad
/// padding, bad base64 and a wrong hmac all look the same, so that nobody can learn a secret by asking twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cryptographic operation failed")]
pub struct CryptoError;

impl From<aws_lc_rs::error::Unspecified> for CryptoError {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self
    }
}

/// A key or certificate that cannot be used, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// The text has PEM markers, but what they enclose cannot be read.
    #[error("the PEM text is damaged: {0}")]
    Pem(String),
    /// The PEM text (or the lack of any) holds nothing of the wanted kind.
    #[error("there is no {0} in the PEM text")]
    Missing(&'static str),
    /// The bytes are not the DER of the wanted kind.
    #[error("not a {0} in DER encoding")]
    Der(&'static str),
    /// The public key is of another algorithm.
    #[error("the public key is not RSA")]
    NotRsa,
    /// The RSA key is smaller or larger than GSTN and Suvidha work with.
    #[error("the RSA key has {bits} bits; 2048 to 4096 are accepted")]
    KeySize {
        /// Length of the modulus in bits.
        bits: usize,
    },
    /// The RSA key is malformed or its parts contradict each other.
    #[error("not a usable RSA key of 2048 to 4096 bits: {0}")]
    Key(String),
    /// The private key is protected by a passphrase.
    #[error("the private key is encrypted; give it unencrypted, or as a .pfx file with its password")]
    Encrypted,
    /// The bytes are not a PKCS#12 (`.pfx`, `.p12`) file, or one that is damaged.
    #[error("not a readable PKCS#12 (.pfx) file: {0}")]
    NotPfx(String),
    /// The password does not open the PKCS#12 file.
    #[error("the password does not open the .pfx file")]
    PfxPassword,
    /// The PKCS#12 file is written or protected in a way that is not supported.
    #[error(
        "the .pfx file is made in a way that is not supported ({0}). Make it anew with openssl 3: \
         `openssl pkcs12 -legacy -nodes -in old.pfx -out both.pem`, then `openssl pkcs12 -export -in both.pem \
         -out new.pfx`, and delete both.pem"
    )]
    PfxUnsupported(String),
    /// The PKCS#12 file lacks something.
    #[error("the .pfx file holds no {0}")]
    PfxMissing(&'static str),
    /// A PKCS#12 file cannot be made of what was given.
    #[error("no .pfx file can be made: {0}")]
    PfxNotWritten(&'static str),
}
