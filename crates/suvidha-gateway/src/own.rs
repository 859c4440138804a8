//! The endpoints that are the gateway's own: its health, the words of its errors, and the certificates that
//! both seeds make their users fetch by hand. They need no credentials and tell no secret.

use std::fmt::Write as _;
use std::sync::LazyLock;

use bytes::Bytes;
use gstn::catalogue::{self, ErrorEntry};
use gstn::crypto::Certificate;
use gstn::crypto::{base64, sha256};
use http::header::X_CONTENT_TYPE_OPTIONS;
use http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, RETRY_AFTER, VARY,
};
use http::{HeaderValue, Method, Response, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::accounts::whole_seconds;
use crate::body::Content;
use crate::breaker::Condition;
use crate::error::{Error, Kind};
use crate::pipeline::receive::Received;
use crate::pipeline::{Call, Visit};

const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem}\
    dt{font-weight:600}dd{margin:0 0 .75rem}table{border-collapse:collapse}td,th{text-align:left;\
    padding:.25rem .75rem .25rem 0;vertical-align:top}";

/// One of our own endpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// The process lives.
    Healthz,
    /// It wants calls.
    Readyz,
    /// Whether GSTN or we are the trouble.
    GstnHealth,
    Errors,
    Error(String),
    CaPem,
    GstnPem,
    GstnCer,
    GstnSpki,
    GstnJson,
}

impl Endpoint {
    pub(crate) fn find(segments: &[&str]) -> Option<Self> {
        Some(match segments {
            ["healthz"] => Self::Healthz,
            ["readyz"] => Self::Readyz,
            ["health", "gstn"] => Self::GstnHealth,
            ["errors"] => Self::Errors,
            ["errors", code] => Self::Error((*code).to_owned()),
            ["certificates", "ca.pem"] => Self::CaPem,
            ["certificates", "gstn.pem"] => Self::GstnPem,
            ["certificates", "gstn.cer"] => Self::GstnCer,
            ["certificates", "gstn.pub.pem"] => Self::GstnSpki,
            ["certificates", "gstn.json"] => Self::GstnJson,
            _ => return None,
        })
    }

    pub(crate) fn check_method(&self, method: &Method) -> Result<(), Error> {
        match *method {
            Method::GET | Method::HEAD => Ok(()),
            _ => Err(Error::wrong_method("GET, HEAD".to_owned())),
        }
    }
}

pub(crate) fn respond(
    endpoint: Endpoint,
    call: &Call<'_, Received>,
    visit: &Visit,
) -> Result<Response<Content>, Error> {
    let site = &call.site;
    let gstn =
        || site.gstn_certificate.as_ref().ok_or_else(|| missing("No GSTN certificate is configured here."));
    let html =
        call.head.headers.get_all(ACCEPT).iter().any(|accept| {
            accept.to_str().is_ok_and(|accept| accept.to_ascii_lowercase().contains("text/html"))
        });
    let pem = |pem: String| document("application/x-pem-file", pem);
    let mut response = match endpoint {
        Endpoint::Healthz => document("application/json", "{\"status\":\"ok\"}"),
        Endpoint::Readyz if visit.door.plane.is_draining() => unready("{\"status\":\"draining\"}"),
        Endpoint::Readyz if visit.door.check_ledger().is_err() => unready("{\"status\":\"not-recording\"}"),
        Endpoint::Readyz => document("application/json", "{\"status\":\"ready\"}"),
        Endpoint::GstnHealth => gstn_health(visit, site.upstream.is_some()),
        Endpoint::Errors if html => page(&list_page()),
        Endpoint::Errors => json_document(&catalogue::errors().iter().map(as_json).collect()),
        Endpoint::Error(code) => {
            let entry = catalogue::error(&code).or_else(|| catalogue::error(&code.to_ascii_uppercase()));
            let entry = entry.ok_or_else(|| missing("The catalogue has no such error code."))?;
            if html { page(&entry_page(entry)) } else { json_document(&as_json(entry)) }
        }
        Endpoint::CaPem => {
            let ca = site.ca_pem.clone().ok_or_else(|| missing("No CA certificate is configured here."))?;
            document("application/x-pem-file", ca)
        }
        Endpoint::GstnPem => pem(gstn()?.pem()),
        Endpoint::GstnCer => document("application/pkix-cert", gstn()?.der().to_vec()),
        Endpoint::GstnSpki => pem(gstn()?.public_key().spki_pem()),
        Endpoint::GstnJson => json_document(&certificate_json(gstn()?)),
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(VARY, HeaderValue::from_static("accept"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}

/// What keeps an ASP's calls from being answered, if anything does; no name or address of GSTN's servers.
fn gstn_health(visit: &Visit, is_configured: bool) -> Response<Content> {
    let health = visit.door.breaker.health();
    let is_up = is_configured && visit.door.check_ledger().is_ok();
    let gsp = if is_up { "up" } else { "degraded" };
    let gstn = if is_configured { health.condition.as_str() } else { "unknown" };
    let seconds = health.retry_after.map(whole_seconds);
    let mut response = json_document(&json!({
        "gsp": gsp,
        "gstn": gstn,
        "since": health.since.to_string(),
        "last_answer": health.last_answer.map(|time| time.to_string()),
        "retry_after": seconds,
    }));
    if !is_up || health.condition == Condition::Down {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    if let Some(seconds) = seconds {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn missing(words: &str) -> Error {
    Error::saying(Kind::NothingHere, words)
}

fn document(content_type: &'static str, body: impl Into<Bytes>) -> Response<Content> {
    let mut response = Response::new(Content::Whole(body.into()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn unready(why: &'static str) -> Response<Content> {
    let mut response = document("application/json", why);
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response
}

fn json_document(value: &Value) -> Response<Content> {
    document("application/json", value.to_string())
}

fn certificate_json(certificate: &Certificate) -> Value {
    let time = |seconds| Timestamp::from_second(seconds).ok().map(|time| time.to_string());
    json!({
        "subject": certificate.subject(),
        "serial": certificate.serial(),
        "not_before": time(certificate.not_before()),
        "not_after": time(certificate.not_after()),
        "sha256_fingerprint": certificate.sha256_fingerprint(),
        "pem": certificate.pem(),
    })
}

fn as_json(entry: &ErrorEntry) -> Value {
    json!({
        "code": entry.code,
        "message": entry.message,
        "origin": entry.origin.as_str(),
        "http_status": entry.http_status,
        "retryable": entry.retryable,
        "remedy": entry.remedy,
    })
}

fn page(html: &str) -> Response<Content> {
    static POLICY: LazyLock<Option<HeaderValue>> = LazyLock::new(|| {
        let hash = base64::encode(sha256(STYLE.as_bytes()));
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
        HeaderValue::from_str(&policy).ok()
    });
    let mut response = document("text/html; charset=utf-8", html.to_owned());
    let strictest = HeaderValue::from_static("default-src 'none'");
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, POLICY.clone().unwrap_or(strictest));
    response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

fn entry_page(entry: &ErrorEntry) -> String {
    let retry = if entry.retryable { "The same call may succeed later." } else { "Not without a change." };
    let status = entry.http_status.map_or_else(|| "200".to_owned(), |status| status.to_string());
    let rows = [
        ("Meaning", entry.message),
        ("What to do", entry.remedy),
        ("Whose failure", entry.origin.as_str()),
        ("HTTP status", &status),
        ("Try again?", retry),
    ];
    let mut body = format!("<h1>{}</h1><dl>", escaped(entry.code));
    for (term, words) in rows {
        let _ = write!(body, "<dt>{term}</dt><dd>{}</dd>", escaped(words));
    }
    body.push_str("</dl><p><a href=\"/errors\">Every error code</a></p>");
    framed(entry.code, &body)
}

fn list_page() -> String {
    let mut body = "<h1>Error codes</h1><table><tr><th>Code</th><th>Meaning</th></tr>".to_owned();
    for entry in catalogue::errors() {
        let (code, message) = (escaped(entry.code), escaped(entry.message));
        let _ = write!(body, "<tr><td><a href=\"/errors/{code}\">{code}</a></td><td>{message}</td></tr>");
    }
    body.push_str("</table>");
    framed("Error codes", &body)
}

fn framed(title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{}</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style></head>\
         <body>{body}</body></html>",
        escaped(title)
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
