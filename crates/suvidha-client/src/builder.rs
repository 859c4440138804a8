//! Collects what a [`Gsp`] is made of, and checks it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use gstn::crypto::PublicKey;
use suvidha_seam::Seam;

use crate::base_url::BaseUrl;
use crate::credentials::{Checked, Credentials};
use crate::error::Error;
use crate::event::{Event, Handlers};
use crate::getkey::GetKey;
use crate::gsp::{Certificate, Gsp, Identity, Wire};
use crate::keeper::Keeper;
use crate::store::{MemoryStore, SessionStore};
use crate::tls;
use crate::transport::{Limits, Transport};

/// Collects what a [`Gsp`] is made of. [`Gsp::builder`] starts one.
#[must_use]
pub struct GspBuilder {
    base_url: String,
    credentials: Option<Credentials>,
    store: Arc<dyn SessionStore>,
    handlers: Handlers,
    ca_pem: Vec<Vec<u8>>,
    gstn_certificate: Option<Vec<u8>>,
    ip_usr: String,
    limits: Limits,
    seam: Seam,
}

impl fmt::Debug for GspBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GspBuilder")
            .field("base_url", &self.base_url)
            .field("credentials", &self.credentials)
            .field("ip_usr", &self.ip_usr)
            .field("limits", &self.limits)
            .field("handlers", &self.handlers)
            .finish_non_exhaustive()
    }
}

impl GspBuilder {
    pub(crate) fn new(base_url: String) -> Self {
        let limits = Limits {
            connect: Duration::from_secs(10),
            answer: Duration::from_secs(120),
            answer_bytes: 128 * 1024 * 1024,
        };
        Self {
            base_url,
            credentials: None,
            store: Arc::new(MemoryStore::new()),
            handlers: Handlers::default(),
            ca_pem: Vec::new(),
            gstn_certificate: None,
            ip_usr: "127.0.0.1".to_owned(),
            limits,
            seam: Seam::system(),
        }
    }

    /// What the ASP proves itself with in this environment.
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// Where sessions are kept. By default a [`MemoryStore`]: they end with the program, and taxpayers need a new OTP.
    pub fn session_store(mut self, store: impl SessionStore) -> Self {
        self.store = Arc::new(store);
        self
    }

    /// Hears of everything that happens, besides those who hear of it already. See [`Event`] for the order, and for what
    /// a handler must not do.
    pub fn on_event(mut self, handler: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.handlers.add(Box::new(handler));
        self
    }

    /// CA certificates in PEM, trusted beside the system's own. They need an address with `https://`.
    pub fn ca_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.ca_pem.push(pem.into());
        self
    }

    /// GSTN's certificate, X.509 or bare public key, PEM or DER. Without it the certificate is fetched from the
    /// gateway, and fetched again when GSTN says that it is stale.
    pub fn gstn_certificate(mut self, certificate: impl Into<Vec<u8>>) -> Self {
        self.gstn_certificate = Some(certificate.into());
        self
    }

    /// The end user's address, sent as `ip-usr`. By default `127.0.0.1`.
    pub fn ip_usr(mut self, address: impl Into<String>) -> Self {
        self.ip_usr = address.into();
        self
    }

    /// How long a connection may take to be made, TLS included. By default 10 seconds.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.limits.connect = limit;
        self
    }

    /// How long a whole answer may take once connected. By default two minutes.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.limits.answer = limit;
        self
    }

    /// The largest answer taken into memory, in bytes. By default 128 MiB.
    pub fn max_answer_bytes(mut self, limit: usize) -> Self {
        self.limits.answer_bytes = limit;
        self
    }

    /// Where time and randomness come from. By default the operating system.
    pub fn seam(mut self, seam: Seam) -> Self {
        self.seam = seam;
        self
    }

    /// Checks everything; opens no connection.
    ///
    /// # Errors
    /// [`Error::Invalid`], saying what cannot work.
    pub fn build(self) -> Result<Gsp, Error> {
        let base: BaseUrl = self.base_url.parse()?;
        let credentials = self.credentials.ok_or_else(|| {
            Error::Invalid("there are no credentials: give a token, or what GetKey takes".to_owned())
        })?;
        let credentials = credentials.check()?;
        let ip_usr = self.ip_usr.parse().map_err(|error| Error::Invalid(format!("ip-usr: {error}")))?;
        let certificate = match self.gstn_certificate {
            None => Certificate::fetched(),
            Some(bytes) => Certificate::given(
                PublicKey::from_any(&bytes)
                    .map_err(|error| Error::Invalid(format!("the GSTN certificate: {error}")))?,
            ),
        };
        if !base.is_https() && !self.ca_pem.is_empty() {
            let what = "a CA is given, but the gateway address begins with http://, where nobody verifies it";
            return Err(Error::Invalid(what.to_owned()));
        }
        let tls = if base.is_https() { Some(tls::client_config(&self.ca_pem)?) } else { None };
        let wire = Arc::new(Wire {
            transport: Transport::new(base, tls, self.limits),
            ip_usr,
            seam: self.seam,
            store: self.store,
            handlers: self.handlers,
        });
        let identity = match credentials {
            Checked::Token(header) => Identity::Token(header),
            Checked::GetKey(credentials) => {
                Identity::Session(Keeper::new(GetKey::new(Arc::clone(&wire), credentials)))
            }
        };
        Ok(Gsp::new(wire, identity, certificate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_work_is_refused_before_any_connection() {
        let build = |builder: GspBuilder| builder.build().unwrap_err().to_string();
        let base = || Gsp::builder("http://127.0.0.1:1");
        let with_token = || base().credentials(Credentials::token("t"));
        assert!(build(base()).contains("credentials"));
        assert!(build(base().credentials(Credentials::token(""))).contains("token"));
        assert!(build(with_token().ip_usr("")).contains("ip-usr"));
        assert!(build(with_token().ca_pem("x")).contains("http://"));
        assert!(build(with_token().gstn_certificate("nonsense")).contains("certificate"));
        assert!(build(Gsp::builder("127.0.0.1").credentials(Credentials::token("t"))).contains("address"));
    }

    #[test]
    fn debug_shows_neither_the_builders_secrets_nor_the_gsps() {
        let builder = Gsp::builder("http://127.0.0.1:1").credentials(Credentials::token("hidden"));
        assert!(!format!("{builder:?}").contains("hidden"));
        assert!(!format!("{:?}", builder.build().unwrap()).contains("hidden"));
    }
}
