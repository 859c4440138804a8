//! An ASP's program that has nothing but the protocol: it signs GetKey calls, opens the replies and sends its secret with
//! every call, as a client in another language would. What the SDK does is tested against what this does.

use std::sync::LazyLock;

use gstn::crypto::{AspEk, AspSecret, PrivateKey, getkey_sign};
use gstn::getkey::{GetKeyReply, GetKeyRequest, GetKeyStamp};
use gstn::{AspId, Environment};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde_json::Value;
use suvidha_seam::Seam;
use suvidha_store::{Registry, SecretString};
use tokio::net::TcpStream;

use crate::Failure;

/// One for all worlds: making a key takes long.
static KEY: LazyLock<PrivateKey> = LazyLock::new(PrivateKey::generate_2048);

/// What an ASP was given for GetKey in one environment, and what it signs with.
pub struct EnrolledAsp {
    /// Ten digits.
    pub aspid: AspId,
    /// Where all this is valid.
    pub environment: Environment,
    /// The ASP secret, 32 characters.
    pub secret: SecretString,
    /// The account password.
    pub password: SecretString,
    /// Its public half is registered. Another one may be put in its place.
    pub key: PrivateKey,
    seam: Seam,
}

/// A GSP session: what the ASP keeps of a GetKey reply.
#[derive(Clone)]
pub struct Session {
    /// Sent with every call.
    pub id: String,
    /// Under which the secret is sent.
    pub key: AspEk,
    /// For how long, in minutes.
    pub validity_min: u32,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// HTTP's.
    pub status: u16,
    /// The body, if it is JSON; else null.
    pub body: Value,
}

impl Answer {
    /// The code of the refusal, if it is one.
    pub fn error_cd(&self) -> Option<&str> {
        self.body["error"]["error_cd"].as_str()
    }
}

impl EnrolledAsp {
    /// Enrols `aspid` in an environment, and registers its key.
    pub(crate) fn enrol(
        registry: &Registry,
        aspid: AspId,
        environment: Environment,
        seam: &Seam,
    ) -> Result<Self, Failure> {
        let key = KEY.clone();
        let enrolled = registry.enrol(&aspid, environment)?;
        registry.add_certificate(&aspid, environment, key.public_key().spki_der())?;
        Ok(Self {
            aspid,
            environment,
            secret: enrolled.secret,
            password: enrolled.password,
            key,
            seam: seam.clone(),
        })
    }

    /// A GetKey request of this moment, by the world's clock, like no other.
    ///
    /// # Errors
    /// It cannot be signed.
    pub fn signed(&self) -> Result<GetKeyRequest, Failure> {
        self.signed_at(self.seam.now())
    }

    /// A GetKey request that claims to be of `instant`.
    ///
    /// # Errors
    /// As [`signed`](Self::signed).
    pub fn signed_at(&self, instant: Timestamp) -> Result<GetKeyRequest, Failure> {
        let timestamp = GetKeyStamp::at(instant, self.seam.random()).to_string();
        let signed_content = getkey_sign(&self.key, self.aspid.as_str(), &timestamp)?;
        Ok(GetKeyRequest { timestamp, signed_content })
    }

    /// Posts a GetKey request to the gateway at `url`.
    ///
    /// # Errors
    /// No answer came.
    pub async fn getkey(&self, url: &str, request: &GetKeyRequest) -> Result<Answer, Failure> {
        let headers = [("aspid", self.aspid.as_str()), ("txn", "getkey-1")];
        send(Method::POST, url, "/aspapi/v1.0/getKey", &headers, serde_json::to_vec(request)?).await
    }

    /// A new session at the gateway at `url`.
    ///
    /// # Errors
    /// It was refused, or our secret does not open it.
    pub async fn session(&self, url: &str) -> Result<Session, Failure> {
        let answer = self.getkey(url, &self.signed()?).await?;
        self.open(&answer)
    }

    /// Opens a GetKey reply, trying `enc_key` and then `enc_key_next`.
    ///
    /// # Errors
    /// It is a refusal, or our secret opens neither.
    pub fn open(&self, answer: &Answer) -> Result<Session, Failure> {
        let reply: GetKeyReply = serde_json::from_value(answer.body.clone())
            .map_err(|error| format!("{error} in HTTP {}: {}", answer.status, answer.body))?;
        let secret = AspSecret::try_from_slice(self.secret.expose().as_bytes())?;
        let next = reply.enc_key_next.as_deref();
        let opened = secret.open_session_key(&reply.enc_key);
        let key = opened.or_else(|error| next.map_or(Err(error), |next| secret.open_session_key(next)))?;
        Ok(Session { id: reply.session_id, key, validity_min: reply.validity_min })
    }

    /// The headers that identify a call within `session`.
    ///
    /// # Errors
    /// The secret has not 32 characters.
    pub fn headers(&self, session: &Session) -> Result<[(&'static str, String); 3], Failure> {
        let secret = AspSecret::try_from_slice(self.secret.expose().as_bytes())?;
        Ok([
            ("aspid", self.aspid.as_str().to_owned()),
            ("session-id", session.id.clone()),
            ("asp-secret", session.key.seal_asp_secret(&secret)),
        ])
    }

    /// GETs `path` of the gateway at `url` within `session`, with the headers GSTN demands of every call.
    ///
    /// # Errors
    /// No answer came.
    pub async fn get(&self, url: &str, session: &Session, path: &str) -> Result<Answer, Failure> {
        let identity = self.headers(session)?;
        let mut headers: Vec<_> = identity.iter().map(|(name, value)| (*name, value.as_str())).collect();
        headers.extend([("txn", "call-1"), ("state-cd", "29"), ("ip-usr", "203.0.113.7")]);
        send(Method::GET, url, path, &headers, Vec::new()).await
    }
}

/// One request on a connection of its own.
pub(crate) async fn send(
    method: Method,
    url: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> Result<Answer, Failure> {
    let host = url.strip_prefix("http://").ok_or("the testkit's gateways speak plain HTTP")?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(TcpStream::connect(host).await?)).await?;
    let connection = tokio::spawn(connection);
    let mut request = Request::builder().method(method).uri(path).header(HOST, host);
    if !body.is_empty() {
        request = request.header(CONTENT_TYPE, "application/json");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = sender.send_request(request.body(Full::<Bytes>::from(body))?).await?;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await?.to_bytes();
    drop(sender);
    connection.await??;
    Ok(Answer { status, body: serde_json::from_slice(&body).unwrap_or_default() })
}
