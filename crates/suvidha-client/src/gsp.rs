//! The GSP as an ASP sees it: an address, a token, and GSTN's certificate, which it hands out.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gstn::crypto::PublicKey;
use gstn::{Gstin, IpUsr, StateCode, headers};
use http::header::{ACCEPT, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Method};
use suvidha_seam::Seam;
use tokio::sync::Mutex;

use crate::answer::{Stage, check, protocol};
use crate::base_url::BaseUrl;
use crate::error::{Error, Origin, Refusal};
use crate::login::Taxpayer;
use crate::tls;
use crate::transport::{Answer, Limits, Request, Transport};
use gstn::SecretString;

/// Where the gateway publishes the certificate of its environment's GSTN.
const CERTIFICATE_PATH: &str = "/certificates/gstn.pem";

/// One environment of a GSP, and this ASP's way into it. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct Gsp(Arc<Inner>);

struct Inner {
    transport: Transport,
    token: HeaderValue,
    ip_usr: IpUsr,
    certificate: Certificate,
    seam: Seam,
}

/// GSTN's public key: given once and for all, or fetched from the gateway when it is first needed.
enum Certificate {
    Given(PublicKey),
    Fetched(Mutex<Option<PublicKey>>),
}

impl fmt::Debug for Gsp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gsp").field("base_url", &self.0.transport.base().to_string()).finish_non_exhaustive()
    }
}

/// Collects what a [`Gsp`] is made of.
#[derive(Debug)]
#[must_use]
pub struct GspBuilder {
    base_url: String,
    token: Option<SecretString>,
    ca_pem: Vec<Vec<u8>>,
    gstn_certificate: Option<Vec<u8>>,
    ip_usr: String,
    limits: Limits,
    seam: Option<SeamOf>,
}

struct SeamOf(Seam);

impl fmt::Debug for SeamOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seam")
    }
}

impl GspBuilder {
    /// The ASP's token in this environment.
    pub fn token(mut self, token: impl Into<SecretString>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// CA certificates in PEM, trusted beside the system's own.
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
        self.seam = Some(SeamOf(seam));
        self
    }

    /// Checks everything; opens no connection.
    pub fn build(self) -> Result<Gsp, Error> {
        let base: BaseUrl = self.base_url.parse()?;
        let token = self.token.ok_or_else(|| Error::Invalid("there is no ASP token".to_owned()))?;
        let token = token_header(&token)?;
        let ip_usr = self.ip_usr.parse().map_err(|error| Error::Invalid(format!("ip-usr: {error}")))?;
        let certificate = match self.gstn_certificate {
            None => Certificate::Fetched(Mutex::default()),
            Some(bytes) => Certificate::Given(
                PublicKey::from_any(&bytes)
                    .map_err(|error| Error::Invalid(format!("the GSTN certificate: {error}")))?,
            ),
        };
        let tls = if base.is_https() { Some(tls::client_config(&self.ca_pem)?) } else { None };
        let transport = Transport::new(base, tls, self.limits);
        let seam = self.seam.map_or_else(Seam::system, |seam| seam.0);
        Ok(Gsp(Arc::new(Inner { transport, token, ip_usr, certificate, seam })))
    }
}

/// A path that is not there is no fault of the caller, who did not choose it.
fn without_certificate(error: Error) -> Error {
    match error {
        Error::Refused(refusal) if refusal.http_status == 404 => Error::Refused(Box::new(Refusal {
            origin: Origin::Gsp,
            remedy: Some(
                "Check that the address is that of the right environment. If it is, the gateway's operator must \
                 configure GSTN's certificate for it."
                    .to_owned(),
            ),
            ..*refusal
        })),
        other => other,
    }
}

fn token_header(token: &SecretString) -> Result<HeaderValue, Error> {
    let text = token.expose();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::Invalid("the ASP token must be printable ASCII without blanks".to_owned()));
    }
    let mut value = HeaderValue::try_from(text)
        .map_err(|_| Error::Invalid("the ASP token does not fit into a header".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

impl Gsp {
    /// Starts with the address of a GSP's environment, e.g. `https://gsp.example.in`, with or without a path prefix.
    pub fn builder(base_url: impl Into<String>) -> GspBuilder {
        let limits = Limits {
            connect: Duration::from_secs(10),
            answer: Duration::from_secs(120),
            answer_bytes: 128 * 1024 * 1024,
        };
        GspBuilder {
            base_url: base_url.into(),
            token: None,
            ca_pem: Vec::new(),
            gstn_certificate: None,
            ip_usr: "127.0.0.1".to_owned(),
            limits,
            seam: None,
        }
    }

    /// A taxpayer who may log in: the GSTIN and the user name at the GST portal.
    pub fn taxpayer(&self, gstin: Gstin, username: impl Into<String>) -> Taxpayer {
        Taxpayer::new(self.clone(), gstin, username.into())
    }

    /// GSTN's public key: the one given, or that of the certificate the gateway publishes, fetched once.
    pub async fn gstn_certificate(&self) -> Result<PublicKey, Error> {
        match &self.0.certificate {
            Certificate::Given(key) => Ok(key.clone()),
            Certificate::Fetched(kept) => {
                let mut kept = kept.lock().await;
                if let Some(key) = &*kept {
                    return Ok(key.clone());
                }
                Ok(kept.insert(self.fetch_certificate().await?).clone())
            }
        }
    }

    /// Forgets a fetched certificate that is still `stale`. False if it was given by hand: there is no other.
    pub(crate) async fn drop_certificate(&self, stale: &PublicKey) -> bool {
        let Certificate::Fetched(kept) = &self.0.certificate else { return false };
        let mut kept = kept.lock().await;
        if kept.as_ref().is_some_and(|key| key.spki_der() == stale.spki_der()) {
            *kept = None;
        }
        true
    }

    /// Where the prefix is one of the API alone (`/gsp/api`), the certificate lies at the root.
    async fn fetch_certificate(&self) -> Result<PublicKey, Error> {
        let prefix = self.0.transport.base().prefix();
        let outcome = match self.certificate_at(format!("{prefix}{CERTIFICATE_PATH}")).await {
            Err(Error::Refused(_) | Error::Protocol { .. }) if !prefix.is_empty() => {
                self.certificate_at(CERTIFICATE_PATH.to_owned()).await
            }
            outcome => outcome,
        };
        outcome.map_err(without_certificate)
    }

    async fn certificate_at(&self, target: String) -> Result<PublicKey, Error> {
        let (headers, body) = (HeaderMap::new(), Bytes::new());
        let answer = self.0.transport.send(Request { method: Method::GET, target, headers, body }).await?;
        check(&answer, Stage::Outside)?;
        PublicKey::from_any(&answer.body)
            .map_err(|error| protocol(&answer, &format!("is no certificate of GSTN: {error}")))
    }

    /// Sends a call with the ASP's token. `path` starts after the prefix, with the family.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        mut headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<Answer, Error> {
        headers.insert(headers::X_CT_AUTH_TOKEN, self.0.token.clone());
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if !body.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let target = format!("{}/{path}", self.0.transport.base().prefix());
        self.0.transport.send(Request { method, target, headers, body: body.into() }).await
    }

    /// The headers every call has: `state-cd`, `ip-usr` and a `txn` of its own.
    pub(crate) fn common_headers(&self, state: StateCode) -> Result<HeaderMap, Error> {
        let mut map = HeaderMap::new();
        let txn: String = self.seam().random::<16>().iter().map(|byte| format!("{byte:02x}")).collect();
        put(&mut map, headers::STATE_CD, state.as_str())?;
        put(&mut map, headers::IP_USR, self.0.ip_usr.as_str())?;
        put(&mut map, headers::TXN, &txn)?;
        Ok(map)
    }

    pub(crate) fn seam(&self) -> &Seam {
        &self.0.seam
    }
}

/// Sets a header, or says which value HTTP cannot carry.
pub(crate) fn put(map: &mut HeaderMap, name: &'static str, value: &str) -> Result<(), Error> {
    let value = HeaderValue::try_from(value)
        .map_err(|_| Error::Invalid(format!("{name} has characters that HTTP cannot carry")))?;
    map.insert(HeaderName::from_static(name), value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_work_is_refused_before_any_connection() {
        let build = |builder: GspBuilder| builder.build().unwrap_err();
        let base = || Gsp::builder("http://127.0.0.1:1");
        assert!(build(base()).to_string().contains("token"));
        for token in ["", "two words", "line\r\nbreak"] {
            assert!(matches!(build(base().token(token)), Error::Invalid(_)));
        }
        assert!(build(base().token("t").ip_usr("")).to_string().contains("ip-usr"));
        assert!(build(base().token("t").gstn_certificate("nonsense")).to_string().contains("certificate"));
        assert!(build(Gsp::builder("127.0.0.1").token("t")).to_string().contains("address"));
    }

    #[test]
    fn debug_shows_neither_the_builders_token_nor_the_gsps() {
        let builder = Gsp::builder("http://127.0.0.1:1").token("hidden");
        assert!(!format!("{builder:?}").contains("hidden"));
        assert!(!format!("{:?}", builder.build().unwrap()).contains("hidden"));
    }

    #[test]
    fn every_call_has_a_txn_of_its_own() {
        let gsp = Gsp::builder("http://127.0.0.1:1").token("t").build().unwrap();
        let state = "33".parse().unwrap();
        let txn = || gsp.common_headers(state).unwrap()[headers::TXN].clone();
        assert_ne!(txn(), txn());
        assert!(txn().to_str().unwrap().parse::<gstn::Txn>().is_ok());
    }
}
