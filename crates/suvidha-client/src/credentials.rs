//! How an ASP proves to its GSP who it is: by a static token, or by GetKey with a secret and a signing key.

use std::fmt;

use gstn::crypto::{AspSecret, PrivateKey, open_pfx};
use gstn::{AspId, SecretString};
use http::HeaderValue;

use crate::error::Error;

/// What an ASP proves itself with. It belongs to one environment of the GSP: the sandbox or production, never both.
///
/// ```
/// use suvidha_client::{Credentials, Gsp, SigningKey};
///
/// # fn main() -> Result<(), suvidha_client::Error> {
/// # let pem = gstn::crypto::PrivateKey::generate_2048().pkcs8_pem();
/// # let asp_secret = "jbSQ2dcV9kd9PfeYZmjWYigAqk7dbdST";
/// let credentials = Credentials::getkey("7857622155", asp_secret, SigningKey::from_pem(pem.as_bytes())?);
/// let gsp = Gsp::builder("https://gsp.example.in").credentials(credentials).build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Credentials(Kind);

#[derive(Clone)]
enum Kind {
    Token(SecretString),
    GetKey { aspid: String, asp_secret: SecretString, key: SigningKey },
}

/// Credentials that can be used, by kind.
pub(crate) enum Checked {
    /// The header that goes with every call.
    Token(HeaderValue),
    /// What GetKey takes.
    GetKey(GetKeyCredentials),
}

pub(crate) struct GetKeyCredentials {
    pub(crate) aspid: AspId,
    pub(crate) asp_secret: AspSecret,
    pub(crate) key: PrivateKey,
}

impl Credentials {
    /// A static token, which goes along with every call.
    pub fn token(token: impl Into<SecretString>) -> Self {
        Self(Kind::Token(token.into()))
    }

    /// GetKey: the ten digits of `aspid`, the ASP secret of 32 characters (not the password of the account), and the
    /// private key whose certificate the GSP has. The secret never travels in the open: calls carry it under the key of
    /// a session that is asked for, and renewed, when it is needed.
    pub fn getkey(aspid: impl Into<String>, asp_secret: impl Into<SecretString>, key: SigningKey) -> Self {
        Self(Kind::GetKey { aspid: aspid.into(), asp_secret: asp_secret.into(), key })
    }

    pub(crate) fn check(self) -> Result<Checked, Error> {
        match self.0 {
            Kind::Token(token) => token_header(&token).map(Checked::Token),
            Kind::GetKey { aspid, asp_secret, key } => {
                let aspid =
                    aspid.trim().parse().map_err(|error| Error::Invalid(format!("aspid: {error}")))?;
                let asp_secret = asp_secret_of(&asp_secret)?;
                Ok(Checked::GetKey(GetKeyCredentials { aspid, asp_secret, key: key.0 }))
            }
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Token(_) => f.write_str("Credentials::token(…)"),
            Kind::GetKey { aspid, .. } => write!(f, "Credentials::getkey({aspid:?}, …)"),
        }
    }
}

fn token_header(token: &SecretString) -> Result<HeaderValue, Error> {
    let text = token.expose();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::Invalid("the ASP token must be printable ASCII without blanks".to_owned()));
    }
    secret_header(text)
}

/// A header whose value no `Debug` shows.
pub(crate) fn secret_header(text: &str) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::try_from(text)
        .map_err(|_| Error::Invalid("a credential does not fit into a header".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

fn asp_secret_of(secret: &SecretString) -> Result<AspSecret, Error> {
    let text = secret.expose().trim();
    AspSecret::try_from_slice(text.as_bytes()).map_err(|_| {
        Error::Invalid(format!(
            "the ASP secret has {} bytes; it must have 32 (it is not the password of the account)",
            text.len()
        ))
    })
}

/// The ASP's RSA key (2048 to 4096 bits), which signs GetKey calls. The GSP has its certificate.
#[derive(Clone)]
pub struct SigningKey(PrivateKey);

impl SigningKey {
    /// From a PKCS#12 file (`.pfx`, `.p12`): the first RSA key in it that has its certificate beside it.
    ///
    /// # Errors
    /// [`Error::Invalid`], telling a wrong passphrase from a damaged file.
    pub fn from_pfx(bytes: impl AsRef<[u8]>, passphrase: &str) -> Result<Self, Error> {
        open_pfx(bytes.as_ref(), passphrase).map(|(key, _)| Self(key)).map_err(unusable)
    }

    /// From PEM: PKCS#8 (`BEGIN PRIVATE KEY`) or PKCS#1 (`BEGIN RSA PRIVATE KEY`), unencrypted.
    ///
    /// # Errors
    /// [`Error::Invalid`], saying what is wrong with it.
    pub fn from_pem(text: impl AsRef<[u8]>) -> Result<Self, Error> {
        PrivateKey::from_pem(text).map(Self).map_err(unusable)
    }

    /// From unencrypted PKCS#8 in DER.
    ///
    /// # Errors
    /// [`Error::Invalid`], saying what is wrong with it.
    pub fn from_pkcs8_der(der: impl AsRef<[u8]>) -> Result<Self, Error> {
        PrivateKey::from_pkcs8_der(der.as_ref()).map(Self).map_err(unusable)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

fn unusable(error: gstn::crypto::CertificateError) -> Error {
    Error::Invalid(format!("the signing key: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SigningKey {
        SigningKey(PrivateKey::generate_2048())
    }

    fn refusal(credentials: Credentials) -> String {
        match credentials.check() {
            Err(Error::Invalid(why)) => why,
            Err(other) => panic!("{other:?}"),
            Ok(_) => panic!("not refused"),
        }
    }

    #[test]
    fn what_cannot_be_right_is_refused_and_not_repeated() {
        for token in ["", "two words", "line\r\nbreak"] {
            assert!(refusal(Credentials::token(token)).contains("token"));
        }
        let secret = "hidden-hidden-hidden-hidden-hidd";
        assert!(refusal(Credentials::getkey("12345", secret, key())).contains("aspid"));
        let said = refusal(Credentials::getkey("7857622155", "hidden", key()));
        assert!(said.contains("6 bytes") && !said.contains("hidden"), "{said}");
        Credentials::getkey("7857622155", format!("{secret}\n"), key()).check().unwrap();
    }

    #[test]
    fn keys_are_read_in_every_form_and_refused_with_the_reason() {
        let key = PrivateKey::generate_2048();
        SigningKey::from_pem(key.pkcs8_pem().as_bytes()).unwrap();
        SigningKey::from_pkcs8_der(&*key.pkcs8_der()).unwrap();
        let public = key.public_key().spki_pem();
        assert!(SigningKey::from_pem(public).unwrap_err().to_string().contains("private key"));
        assert!(SigningKey::from_pfx("nonsense", "x").unwrap_err().to_string().contains("pfx"));
        assert!(SigningKey::from_pkcs8_der("nonsense").is_err());
    }

    #[test]
    fn debug_shows_no_secret() {
        let secret = "hidden-hidden-hidden-hidden-hidd";
        let shown =
            format!("{:?} {:?}", Credentials::token("hidden"), Credentials::getkey("1", secret, key()));
        assert!(!shown.contains("hidden"), "{shown}");
    }
}
