//! A digital signature certificate (DSC), with which companies must file: its key, and its certificate.

use std::fmt;

use gstn::Pan;
use gstn::crypto::{Certificate, CertificateError, PrivateKey, dsc_sign, open_pfx};
use serde_json::json;

use crate::answer::{Stage, done};
use crate::api_call::to_json;
use crate::error::Error;
use crate::gsp::Outgoing;
use crate::session::Session;
use crate::taxpayer::Taxpayer;

/// A signatory's digital signature certificate with its private key (RSA). Those on a token that does not give its key out
/// cannot be used here.
///
/// ```no_run
/// # use suvidha_client::{Dsc, Gstr1, Pan, SummaryKind};
/// # async fn example(gstr1: Gstr1, pan: Pan, passphrase: &str) -> Result<(), Box<dyn std::error::Error>> {
/// let dsc = Dsc::from_pfx(std::fs::read("director.pfx")?, passphrase)?;
/// let arn = gstr1.file_with_dsc(&gstr1.summary(SummaryKind::Short).await?, &pan, &dsc).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Dsc {
    key: PrivateKey,
    certificate: Certificate,
}

impl Dsc {
    /// From a PKCS#12 file (`.pfx`, `.p12`).
    ///
    /// # Errors
    /// [`Error::Invalid`], telling a wrong passphrase from a damaged file.
    pub fn from_pfx(bytes: impl AsRef<[u8]>, passphrase: &str) -> Result<Self, Error> {
        let (key, certificate) = open_pfx(bytes.as_ref(), passphrase).map_err(unusable)?;
        Self { key, certificate }.checked()
    }

    /// From an unencrypted private key in PEM and its certificate in PEM.
    ///
    /// # Errors
    /// [`Error::Invalid`], saying what is wrong with them.
    pub fn from_pem(key: impl AsRef<[u8]>, certificate: impl AsRef<[u8]>) -> Result<Self, Error> {
        let key = PrivateKey::from_pem(key).map_err(unusable)?;
        let certificate = Certificate::from_pem(certificate).map_err(unusable)?;
        Self { key, certificate }.checked()
    }

    fn checked(self) -> Result<Self, Error> {
        match self.key.public_key() == self.certificate.public_key() {
            true => Ok(self),
            false => Err(Error::Invalid("the DSC: the certificate is of another key".to_owned())),
        }
    }

    /// The signature over a base64 text, as GSTN wants it.
    pub(crate) fn sign(&self, text: &str) -> Result<String, Error> {
        dsc_sign(&self.key, &self.certificate, text)
            .map_err(|_| Error::Invalid("the DSC cannot sign: use one with an RSA key".to_owned()))
    }
}

impl fmt::Debug for Dsc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dsc(…)")
    }
}

fn unusable(error: CertificateError) -> Error {
    Error::Invalid(format!("the DSC: {error}"))
}

impl Taxpayer {
    /// Tells GSTN of the certificate with which the signatory of this PAN files. Once is enough.
    ///
    /// # Errors
    /// Every kind of [`Error`].
    pub async fn register_dsc(&self, pan: &Pan, dsc: &Dsc) -> Result<(), Error> {
        self.dsc_registration("taxpayerapi/v0.2/registerdsc", pan, dsc).await
    }

    /// Has GSTN forget the certificate of the signatory of this PAN.
    ///
    /// # Errors
    /// Every kind of [`Error`].
    pub async fn deregister_dsc(&self, pan: &Pan, dsc: &Dsc) -> Result<(), Error> {
        self.dsc_registration("taxpayerapi/v0.2/deregisterdsc", pan, dsc).await
    }

    async fn dsc_registration(&self, path: &str, pan: &Pan, dsc: &Dsc) -> Result<(), Error> {
        let body = to_json(&json!({"data": pan.as_str(), "sign": dsc.sign(pan.as_str())?}))?;
        let prepare = |session: &Session| {
            Ok(Outgoing {
                method: http::Method::POST,
                target: path,
                action: "",
                gstin: Some(*self.gstin()),
                headers: self.session_headers(session)?,
                body: body.clone().into(),
            })
        };
        self.in_session(prepare, |_, answer| done(answer, Stage::Write)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_sign_is_refused_and_not_repeated() {
        let said = |outcome: Result<Dsc, Error>| outcome.unwrap_err().to_string();
        assert!(said(Dsc::from_pfx("nonsense", "hidden")).contains("the DSC"));
        let key = PrivateKey::generate_2048();
        assert!(said(Dsc::from_pem(key.pkcs8_pem().as_bytes(), "nonsense")).contains("the DSC"));
        assert!(!said(Dsc::from_pem("hidden", "hidden")).contains("hidden"));
    }
}
