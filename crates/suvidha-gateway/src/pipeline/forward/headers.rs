//! Which headers pass, in either direction.
//!
//! A request gets a fresh set: what GSTN's documents and clients name, and our own licence key. Nothing else
//! of the ASP's, and so none of its credentials, can get through. An answer keeps its headers but those of
//! this one connection and those that tell who GSTN's servers are.

use std::io::Write;

use gstn::headers::{
    ACTION, API_VERSION, APP_KEY, AUTH_TOKEN, CLIENT_ID, CLIENT_SECRET, GSTIN, IP_USR, RET_PERIOD, RET_PRD,
    RTN_TYP, STATE_CD, TXN, USERNAME, USERROLE, X_GSP_ERROR_ORIGIN, X_REQUEST_ID,
};
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderName, Method, StatusCode};

use super::super::{Call, admit::Admitted};
use crate::error::Error;
use crate::upstream::{Lines, Upstream};

/// Lists headers twice: for going through them, and for looking one up, which for names that are known here is a comparison of
/// a few words.
macro_rules! passed_on {
    ($(#[$words:meta])* $list:ident: $($name:tt,)*) => {
        $(#[$words])*
        pub(in crate::pipeline) const $list: [&str; [$($name),*].len()] = [$($name),*];

        fn is_passed_on(name: &str) -> bool {
            matches!(name, $($name)|*)
        }
    };
}

passed_on! {
    /// The headers of an ASP's that GSTN gets, as they were sent. Each may be there once.
    PASSED_ON:
    "accept",
    "content-encoding",
    "content-type",
    STATE_CD,
    IP_USR,
    TXN,
    USERNAME,
    AUTH_TOKEN,
    GSTIN,
    RET_PERIOD,
    RET_PRD,
    RTN_TYP,
    USERROLE,
    API_VERSION,
    APP_KEY,
    "app_key",
    ACTION,
    // Of e-invoice and e-way bill calls.
    "user_name",
    "authtoken",
}

/// Headers of an answer that stay here: those that concern our connection to GSTN alone, those that name
/// GSTN's servers or bind a client to them, and those that only we may write.
const KEPT_BACK: [&str; 21] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "content-length",
    "server",
    "via",
    "x-powered-by",
    "set-cookie",
    "alt-svc",
    "strict-transport-security",
    X_REQUEST_ID,
    X_GSP_ERROR_ORIGIN,
    // What GSTN allows us is shared by all ASPs, and no ASP's business.
    "ratelimit-limit",
    "ratelimit-remaining",
    "ratelimit-reset",
];

/// So many headers of our own may come to those of an answer.
const OURS: usize = 6;

/// With this in place of an address, a desktop program asks us to put in its own.
const CALLERS_ADDRESS: &str = "DESKTOPAPP";

const AGENT: &[u8] = concat!("user-agent: suvidha/", env!("CARGO_PKG_VERSION"), "\r\n").as_bytes();

/// Room for the head of most calls.
const USUAL_HEAD: usize = 1024;

/// The head that GSTN gets, without what tells the body's length, and without its end.
pub(super) fn request(call: &Call<'_, Admitted<'_>>, upstream: &Upstream) -> Result<Vec<u8>, Error> {
    let mut head = Vec::with_capacity(USUAL_HEAD);
    head.extend_from_slice(call.head.method.as_str().as_bytes());
    head.push(b' ');
    upstream.write_target(&mut head, &call.stage.target().path, call.head.query.as_deref())?;
    head.extend_from_slice(b" HTTP/1.1\r\n");
    write(&mut head, "host", upstream.authority.as_bytes());
    head.extend_from_slice(AGENT);
    let (mut has_period, mut period) = (false, None);
    let mut last = None;
    for (name, value) in call.head.headers {
        // Lines of one name come one after the other, and say the same: `admit` has seen to that.
        let is_again = last.replace(name) == Some(name);
        let name = name.as_str();
        if is_again || !is_passed_on(name) {
            continue;
        }
        let value = value.as_bytes();
        match name {
            RET_PERIOD => has_period = true,
            RET_PRD => period = Some(value.trim_ascii()),
            IP_USR if value.eq_ignore_ascii_case(CALLERS_ADDRESS.as_bytes()) => {
                // Writing to memory does not fail.
                let _ = write!(head, "{IP_USR}: {}\r\n", call.caller);
                continue;
            }
            _ => {}
        }
        write(&mut head, name, value);
    }
    if let Some(period) = period.filter(|_| !has_period) {
        write(&mut head, RET_PERIOD, period);
    }
    write(&mut head, CLIENT_ID, upstream.client_id.as_bytes());
    write(&mut head, CLIENT_SECRET, upstream.client_secret.as_bytes());
    Ok(head)
}

/// Writes one line. Neither a [`HeaderName`] nor a [`http::HeaderValue`] can hold the end of a line.
fn write(head: &mut Vec<u8>, name: &str, value: &[u8]) {
    for part in [name.as_bytes(), b": ", value, b"\r\n"] {
        head.extend_from_slice(part);
    }
}

/// What the ASP gets of GSTN's headers.
pub(super) fn answer(call: &Call<'_, Admitted<'_>>, status: StatusCode, gstn: &Lines<'_>) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(gstn.len() + OURS);
    let host = call.site.upstream.as_ref().map_or("", |upstream| &upstream.host);
    // Where there is no body by nature, the length tells what there would have been.
    let keeps_length = *call.head.method == Method::HEAD || status == StatusCode::NOT_MODIFIED;
    let mut telling = Vec::new();
    for (name, value) in gstn.iter() {
        if KEPT_BACK.iter().any(|kept| kept.eq_ignore_ascii_case(name)) || is_nominated(name, gstn) {
            continue;
        }
        let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else { continue };
        if contains_ignoring_case(value, host.as_bytes()) {
            telling.push(name);
        } else if let Some(value) = gstn.share(value) {
            headers.append(name, value);
        }
    }
    for name in telling {
        headers.remove(name);
    }
    if keeps_length
        && let Some(length) = gstn.named("content-length").next().and_then(|value| gstn.share(value))
    {
        headers.insert(CONTENT_LENGTH, length);
    }
    headers
}

/// Whether `Connection` declares that this header concerns this connection only.
fn is_nominated(name: &str, gstn: &Lines<'_>) -> bool {
    gstn.named("connection").any(|value| {
        value.split(|byte| *byte == b',').any(|one| one.trim_ascii().eq_ignore_ascii_case(name.as_bytes()))
    })
}

fn contains_ignoring_case(text: &[u8], part: &[u8]) -> bool {
    let (Some(first), Some(last)) = (part.first(), text.len().checked_sub(part.len())) else { return false };
    let begins = |at: usize| text[at].eq_ignore_ascii_case(first);
    (0..=last).any(|at| begins(at) && text[at..at + part.len()].eq_ignore_ascii_case(part))
}
