//! The certificate with which an ASP signs GetKey, replaced by the ASP itself.

use std::fmt;

use gstn::crypto::{Certificate, PublicKey, base64};
use http::Method;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use crate::answer::{Stage, read};
use crate::api_call::to_json;
use crate::error::Error;
use crate::gsp::{Gsp, Outgoing};
use crate::transport::Answer;

const SETASPPUBCER: &str = "aspapi/v1.0/setasppubcer";

/// A certificate as the GSP has registered it for GetKey, in place of those before it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RegisteredCertificate {
    /// The GSP's number of it.
    pub id: i64,
    /// Made out to whom; none for a bare public key.
    pub subject: Option<String>,
    /// SHA-256 of the certificate in lower-case hex, as `openssl x509 -fingerprint -sha256` shows it; none for a bare
    /// public key.
    pub fingerprint: Option<String>,
    /// SHA-256 of its key (SubjectPublicKeyInfo) in lower-case hex.
    pub key_fingerprint: String,
    /// The last moment of its validity, UTC; none for a bare public key.
    pub not_after: Option<Timestamp>,
    /// Until when the certificates before it still serve, UTC; none if there is none that does.
    pub others_until: Option<Timestamp>,
}

/// `CN=Acme (sha256 1f…)`, or the key's fingerprint where there is no certificate.
impl fmt::Display for RegisteredCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject = self.subject.as_deref().unwrap_or("a public key");
        write!(f, "{subject} (sha256 {})", self.fingerprint.as_ref().unwrap_or(&self.key_fingerprint))
    }
}

impl Gsp {
    /// Registers the certificate of this ASP's next signing key with the GSP, in DER or PEM; a bare public key will do.
    /// GetKey can be signed with the new key when this returns, and with the old one until
    /// [`others_until`](RegisteredCertificate::others_until): build another `Gsp` with the new
    /// [`SigningKey`](crate::SigningKey) before that. Sessions go on.
    ///
    /// Only the certificate is sent, whatever else lies in the file beside it.
    ///
    /// ```no_run
    /// # async fn example(gsp: suvidha_client::Gsp) -> Result<(), Box<dyn std::error::Error>> {
    /// let registered = gsp.replace_certificate(std::fs::read("asp.cer")?).await?;
    /// println!("{registered}; the old key serves until {:?}", registered.others_until);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Invalid`], before anything is sent, if it is no certificate, or if this `Gsp` has a static token: it takes a
    /// session of GetKey. [`Error::Refused`] with GSP667 where the GSP cannot use it, with the reason; and every other kind
    /// but [`Error::OtpRequired`].
    pub async fn replace_certificate(
        &self,
        certificate: impl AsRef<[u8]>,
    ) -> Result<RegisteredCertificate, Error> {
        if !self.has_sessions() {
            let what =
                "a certificate is replaced within a session of GetKey, and this Gsp has a static token";
            return Err(Error::Invalid(what.to_owned()));
        }
        let body = to_json(&json!({"cer": base64::encode(alone(certificate.as_ref())?)}))?;
        let outgoing = Outgoing {
            method: Method::POST,
            target: SETASPPUBCER,
            action: "SETASPPUBCER",
            gstin: None,
            headers: self.common_headers(None)?,
            body: body.into(),
        };
        self.call(&outgoing, registered).await
    }
}

/// The certificate, or the bare public key, in DER: a PEM file may have the private key in it, too.
fn alone(certificate: &[u8]) -> Result<Vec<u8>, Error> {
    if let Ok(certificate) = Certificate::from_any(certificate) {
        return Ok(certificate.der().to_vec());
    }
    let key = PublicKey::from_any(certificate);
    key.map(|key| key.spki_der().to_vec())
        .map_err(|error| Error::Invalid(format!("the certificate: {error}")))
}

fn registered(answer: &Answer) -> Result<RegisteredCertificate, Error> {
    #[derive(Deserialize)]
    struct Written {
        certificate: Certificate,
        others_until: Option<Timestamp>,
    }
    #[derive(Deserialize)]
    struct Certificate {
        id: i64,
        subject: Option<String>,
        sha256: Option<String>,
        key_sha256: String,
        not_after: Option<Timestamp>,
    }
    let Written { certificate, others_until } = read(answer, Stage::Outside)?;
    let Certificate { id, subject, sha256: fingerprint, key_sha256: key_fingerprint, not_after } =
        certificate;
    Ok(RegisteredCertificate { id, subject, fingerprint, key_fingerprint, not_after, others_until })
}
