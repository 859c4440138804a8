//! Credentials that an ASP is given once: shown, or encrypted to its own key, the way GSPs mail them.

use std::path::PathBuf;

use gstn::crypto::{PublicKey, base64};
use gstn::{AspId, Environment};
use jiff::Timestamp;
use serde::Serialize;
use suvidha_store::{Registry, SecretString};

use super::cert;
use crate::exit::{Exit, Failure};

/// Whether new credentials are shown.
#[derive(Debug, clap::Args)]
pub(crate) struct HandOver {
    /// Do not show what is secret but encrypt it to the RSA key in this file (a certificate or a public key, DER or PEM; -
    /// for standard input), and register that for GetKey unless it is
    #[arg(long, value_name = "FILE")]
    to_cert: Option<PathBuf>,
}

impl HandOver {
    /// Reads the key to encrypt to, where one is named.
    pub(super) fn recipient(self) -> Result<Option<Recipient>, Failure> {
        let Some(file) = self.to_cert else { return Ok(None) };
        let offered = cert::read(&file)?;
        let key = PublicKey::from_any(&offered)
            .map_err(|fault| Failure::new(Exit::Data, format_args!("{}: {fault}", file.display())))?;
        Ok(Some(Recipient { offered, key }))
    }
}

/// The ASP's own key, which alone opens what is encrypted to it.
pub(super) struct Recipient {
    offered: Vec<u8>,
    key: PublicKey,
}

impl Recipient {
    /// Registers the key for GetKey in `environment`, unless it is.
    pub(super) fn register(
        self,
        registry: &Registry,
        aspid: &AspId,
        environment: Environment,
        now: Timestamp,
    ) -> Result<Registered, Failure> {
        let certificate = match cert::of_key(registry, aspid, environment, &self.key, now)? {
            Some(row) => row,
            None => registry.add_certificate(aspid, environment, &self.offered)?,
        };
        Ok(Registered { key: self.key, certificate: cert::Row::of(certificate, now) })
    }
}

/// A key that is registered for GetKey.
pub(super) struct Registered {
    key: PublicKey,
    certificate: cert::Row,
}

/// New credentials on their way to the ASP: the only place where they are serialised.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum HandedOver<'a> {
    /// As they are, to whoever made them a moment ago.
    Shown {
        #[serde(skip_serializing_if = "Option::is_none")]
        secret: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        password: Option<&'a str>,
    },
    /// RSA PKCS#1 v1.5, base64.
    Encrypted {
        #[serde(skip_serializing_if = "Option::is_none")]
        secret_encrypted: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        password_encrypted: Option<String>,
        /// The certificate of the key that they are encrypted to.
        certificate_id: i64,
        certificate_expires_at: Option<String>,
        warning: Option<String>,
    },
}

impl<'a> HandedOver<'a> {
    /// Hands `secret` and `password` over, encrypted where there is somebody `to` encrypt them to.
    pub(super) fn new(
        secret: Option<&'a SecretString>,
        password: Option<&'a SecretString>,
        to: Option<Registered>,
    ) -> Result<Self, Failure> {
        let Some(Registered { key, certificate }) = to else {
            let [secret, password] = [secret, password].map(|one| one.map(SecretString::expose));
            return Ok(Self::Shown { secret, password });
        };
        certificate.warn();
        let encrypt = |secret: &SecretString| {
            let sealed = key.encrypt_pkcs1v15(secret.expose().as_bytes());
            sealed.map(base64::encode).map_err(|error| Failure::new(Exit::Data, error))
        };
        Ok(Self::Encrypted {
            secret_encrypted: secret.map(encrypt).transpose()?,
            password_encrypted: password.map(encrypt).transpose()?,
            certificate_id: certificate.id,
            certificate_expires_at: certificate.expires_at,
            warning: certificate.warning,
        })
    }

    /// Its fields in words.
    pub(super) fn fields(&self) -> Vec<(&'static str, String)> {
        let lines = match self {
            Self::Shown { secret, password } => {
                [("ASP secret", secret.map(str::to_owned)), ("password", password.map(str::to_owned))]
                    .to_vec()
            }
            Self::Encrypted { secret_encrypted, password_encrypted, certificate_id, .. } => vec![
                ("certificate", Some(format!("{certificate_id}  (registered for GetKey)"))),
                ("ASP secret, encrypted", secret_encrypted.clone()),
                ("password, encrypted", password_encrypted.clone()),
            ],
        };
        lines.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    /// What to do with it.
    pub(super) fn advice(&self) -> &'static str {
        match self {
            Self::Shown { .. } => "Keep what is secret now: it cannot be shown again.\n",
            Self::Encrypted { .. } => {
                "Nobody but the ASP can read what is encrypted. With its private key it does so by:\n\n  \
                 echo ENCRYPTED | openssl base64 -d -A | openssl pkeyutl -decrypt -inkey private-key.pem\n"
            }
        }
    }
}
