//! How an answer leaves: GSTN's envelope, and the mark that says it is not GSTN's.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use gstn::crypto::{Rek, Sek, base64};
use gstn::envelope::{Reply, StatusCd};
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::Value;
use suvidha_seam::Seam;

use crate::fault::Fault;
use crate::faults::broken_off;

const MARK: HeaderName = HeaderName::from_static("x-suvidha-sandbox");

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const GZIP: HeaderValue = HeaderValue::from_static("application/gzip");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain");

/// An answer, ready to be sent.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) error_cd: Option<String>,
    content_type: HeaderValue,
    body: Bytes,
}

impl Answer {
    /// `body` as JSON at HTTP 200.
    pub(crate) fn json(body: &impl Serialize) -> Self {
        // Replies are built from texts, numbers and maps with text keys: these always serialise.
        let body = serde_json::to_vec(body).unwrap_or_default().into();
        Self { status: StatusCode::OK, error_cd: None, content_type: JSON, body }
    }

    /// `{"status_cd":"1"}`.
    pub(crate) fn done() -> Self {
        Self::json(&Reply::done())
    }

    /// Payload for a taxpayer session: under a fresh reply key, itself under the session key.
    pub(crate) fn sealed(seam: &Seam, sek: &Sek, payload: &Value) -> Self {
        let rek = Rek::from_bytes(seam.random());
        let sealed = rek.encrypt_reply(payload.to_string().as_bytes());
        Self::json(&Reply {
            data: Some(sealed.data),
            rek: Some(sek.seal_rek(&rek)),
            hmac: Some(sealed.hmac),
            ..Reply::done()
        })
    }

    /// Payload of a public API: base64 of the JSON, with no key.
    pub(crate) fn public(payload: &Value) -> Self {
        Self::json(&Reply { data: Some(base64::encode(payload.to_string())), ..Reply::done() })
    }

    /// A file as it is.
    pub(crate) fn file(body: Vec<u8>) -> Self {
        Self { status: StatusCode::OK, error_cd: None, content_type: GZIP, body: body.into() }
    }

    /// A status and nothing else, as hosts of files answer.
    pub(crate) fn bare(status: StatusCode) -> Self {
        Self { status, error_cd: None, content_type: TEXT, body: Bytes::new() }
    }

    /// Anything but JSON, as only the fault plan answers it.
    pub(crate) fn text(status: StatusCode, content_type: &'static str, text: &'static str) -> Self {
        let content_type = HeaderValue::from_static(content_type);
        Self { status, error_cd: None, content_type, body: Bytes::from_static(text.as_bytes()) }
    }

    /// What is sent.
    pub(crate) fn body(&self) -> Bytes {
        self.body.clone()
    }

    /// The same with another body.
    pub(crate) fn with_body(self, body: Vec<u8>) -> Self {
        Self { body: body.into(), ..self }
    }

    /// Whether it may carry data: a refusal does not.
    pub(crate) fn has_payload(&self) -> bool {
        self.error_cd.is_none()
            && self.content_type == JSON
            && self.body.windows(6).any(|window| window == b"\"data\"")
    }

    /// The answer as HTTP.
    pub(crate) fn into_response(self) -> Response {
        let body = Body::from(self.body.clone());
        self.response(body)
    }

    /// The answer as HTTP, of which no more than `percent` arrives.
    pub(crate) fn into_broken_response(self, percent: u8) -> Response {
        let body = broken_off(&self.body, percent);
        self.response(body)
    }

    fn response(&self, body: Body) -> Response {
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        response.headers_mut().insert(CONTENT_TYPE, self.content_type.clone());
        mark(&mut response);
        response
    }
}

/// Marks an answer as the sandbox's.
pub(crate) fn mark(response: &mut Response) {
    response.headers_mut().insert(MARK, HeaderValue::from_static("1"));
}

impl From<Fault> for Answer {
    fn from(fault: Fault) -> Self {
        let body = Reply::failed(fault.code.as_ref(), fault.message);
        debug_assert_eq!(body.status_cd, StatusCd::Zero);
        Self { status: fault.status, error_cd: Some(fault.code.into_owned()), ..Self::json(&body) }
    }
}
