//! Which headers pass, in either direction.
//!
//! A request gets a fresh set: what GSTN's documents and clients name, and our own licence key. Nothing else
//! of the ASP's, and so none of its credentials, can get through. An answer keeps its headers but those of
//! this one connection and those that tell who GSTN's servers are.

use std::net::IpAddr;

use gstn::headers::{
    ACTION, API_VERSION, APP_KEY, AUTH_TOKEN, CLIENT_ID, CLIENT_SECRET, GSTIN, IP_USR, RET_PERIOD, RET_PRD,
    RTN_TYP, STATE_CD, TXN, USERNAME, USERROLE, X_GSP_ERROR_ORIGIN, X_REQUEST_ID,
};
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::upstream::Upstream;

/// The headers of an ASP's that GSTN gets, as they were sent. Each may be there once.
pub(in crate::pipeline) const PASSED_ON: [&str; 19] = [
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
];

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

/// With this in place of an address, a desktop program asks us to put in its own.
const CALLERS_ADDRESS: &str = "DESKTOPAPP";

const AGENT: HeaderValue = HeaderValue::from_static(concat!("suvidha/", env!("CARGO_PKG_VERSION")));

/// What GSTN gets.
pub(super) fn request(asp: &HeaderMap, caller: IpAddr, upstream: &Upstream) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(asp.len() + 6);
    headers.insert(HOST, upstream.authority.clone());
    headers.insert(USER_AGENT, AGENT);
    for (name, value) in asp {
        if PASSED_ON.contains(&name.as_str()) {
            headers.insert(name.clone(), value.clone());
        }
    }
    if !headers.contains_key(RET_PERIOD)
        && let Some(period) = headers.get(RET_PRD).map(|value| value.as_bytes().trim_ascii())
        && let Ok(period) = HeaderValue::from_bytes(period)
    {
        headers.insert(RET_PERIOD, period);
    }
    let asked =
        headers.get(IP_USR).is_some_and(|ip| ip.as_bytes().eq_ignore_ascii_case(CALLERS_ADDRESS.as_bytes()));
    if asked && let Ok(address) = HeaderValue::from_str(&caller.to_string()) {
        headers.insert(IP_USR, address);
    }
    headers.insert(CLIENT_ID, upstream.client_id.clone());
    headers.insert(CLIENT_SECRET, upstream.client_secret.clone());
    headers
}

/// What the ASP gets of GSTN's headers.
pub(super) fn answer(
    mut gstn: HeaderMap,
    status: StatusCode,
    method: &Method,
    upstream: &Upstream,
) -> HeaderMap {
    let of_this_connection = nominated(&gstn);
    // Where there is no body by nature, the length tells what there would have been.
    let length = gstn.get(CONTENT_LENGTH).cloned();
    for name in KEPT_BACK.iter().copied().map(HeaderName::from_static).chain(of_this_connection) {
        gstn.remove(name);
    }
    if (method == Method::HEAD || status == StatusCode::NOT_MODIFIED)
        && let Some(length) = length
    {
        gstn.insert(CONTENT_LENGTH, length);
    }
    let telling = |value: &HeaderValue| contains_ignoring_case(value.as_bytes(), upstream.host.as_bytes());
    let telling: Vec<_> =
        gstn.iter().filter(|(_, value)| telling(value)).map(|(name, _)| name.clone()).collect();
    for name in telling {
        gstn.remove(name);
    }
    gstn
}

/// The headers that `Connection` declares to concern this connection only.
fn nominated(headers: &HeaderMap) -> Vec<HeaderName> {
    let names = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    names.flat_map(|value| value.split(',')).filter_map(|name| name.trim().parse().ok()).collect()
}

fn contains_ignoring_case(text: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && text.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part))
}
