//! What the GSTN listener received lately, for the management port. Kept in memory, bounded, and shown without secrets.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use gstn::crypto::Sek;
use gstn::envelope::Reply;
use http::HeaderMap;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::faults::opened;

/// Headers whose values may be seen; of every other header only the name is kept.
const SHOWN: [&str; 22] = [
    "accept",
    "accept-encoding",
    "action",
    "api_version",
    "clientid",
    "connection",
    "content-length",
    "content-type",
    "gstin",
    "host",
    "ip-usr",
    "ret_period",
    "ret_prd",
    "rtn_typ",
    "state-cd",
    "transfer-encoding",
    "txn",
    "user-agent",
    "username",
    "userrole",
    "x-forwarded-for",
    "x-request-id",
];

/// A received call.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Received {
    /// Counts up from 1 since the start.
    pub(crate) id: u64,
    pub(crate) at: Timestamp,
    pub(crate) method: String,
    /// Without the query.
    pub(crate) path: String,
    /// The path below the version.
    pub(crate) api: Option<String>,
    pub(crate) action: Option<String>,
    pub(crate) gstin: Option<String>,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body_bytes: usize,
    pub(crate) status: u16,
    pub(crate) error_cd: Option<String>,
    /// What the fault plan did to it.
    pub(crate) fault: Option<String>,
}

/// Texts of a caller's own making are cut to this many characters, so that the log is bounded in bytes too.
const LONGEST_TEXT: usize = 256;

impl Received {
    fn is_of(&self, gstin: &str) -> bool {
        self.gstin.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(gstin))
    }

    /// Whether it went to an API: a path below the version, an action, or both with a blank between.
    fn is_to(&self, api: &str) -> bool {
        let (path, action) =
            (self.api.as_deref().unwrap_or_default(), self.action.as_deref().unwrap_or_default());
        match api.trim().split_once(' ') {
            Some((wanted, called)) => {
                wanted.trim_matches('/') == path && called.trim().eq_ignore_ascii_case(action)
            }
            None => api.trim().trim_matches('/') == path || api.trim().eq_ignore_ascii_case(action),
        }
    }

    fn shorten(&mut self) {
        let own = [Some(&mut self.path), self.api.as_mut(), self.action.as_mut(), self.gstin.as_mut()];
        for text in own.into_iter().flatten().chain(self.headers.values_mut()) {
            if let Some((end, _)) = text.char_indices().nth(LONGEST_TEXT) {
                text.truncate(end);
                text.shrink_to_fit();
            }
        }
    }
}

/// What a call and its answer said, as they came and went.
pub(crate) struct Contents {
    pub(crate) request: Bytes,
    pub(crate) answer: Bytes,
    /// The key of the call's session.
    pub(crate) sek: Option<Sek>,
}

impl Contents {
    fn bytes(&self) -> usize {
        self.request.len() + self.answer.len()
    }
}

/// Which calls are wanted.
#[derive(Debug, Default)]
pub(crate) struct Wanted<'a> {
    pub(crate) gstin: Option<&'a str>,
    /// A path below the version, an action, or both with a blank between.
    pub(crate) api: Option<&'a str>,
    pub(crate) since: Option<Timestamp>,
    /// Only calls with a higher id.
    pub(crate) after: u64,
}

impl Wanted<'_> {
    fn takes(&self, call: &Received) -> bool {
        call.id > self.after
            && self.gstin.is_none_or(|gstin| call.is_of(gstin))
            && self.since.is_none_or(|since| call.at >= since)
            && self.api.is_none_or(|api| call.is_to(api))
    }
}

/// The last calls received.
pub(crate) struct CallLog {
    capacity: usize,
    byte_capacity: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    last_id: u64,
    calls: VecDeque<Received>,
    /// Of the last calls alone, by id.
    contents: VecDeque<(u64, Contents)>,
    bytes: usize,
}

impl CallLog {
    /// A log of up to `capacity` calls, and up to `byte_capacity` bytes of what they said.
    pub(crate) fn new(capacity: usize, byte_capacity: usize) -> Self {
        Self { capacity, byte_capacity, kept: Mutex::default() }
    }

    /// Adds a call under the next id; the oldest one falls out when the log is full.
    pub(crate) fn add(&self, mut received: Received, contents: Contents) {
        received.shorten();
        let mut kept = self.kept();
        kept.last_id += 1;
        let id = kept.last_id;
        kept.calls.push_back(Received { id, ..received });
        while kept.calls.len() > self.capacity {
            kept.calls.pop_front();
        }
        kept.bytes += contents.bytes();
        kept.contents.push_back((id, contents));
        while kept.bytes > self.byte_capacity || kept.contents.len() > self.capacity {
            let Some((_, oldest)) = kept.contents.pop_front() else { break };
            kept.bytes -= oldest.bytes();
        }
    }

    /// Up to `limit` of the wanted calls, oldest first.
    pub(crate) fn page(&self, wanted: &Wanted<'_>, limit: usize) -> Vec<Received> {
        self.kept().calls.iter().filter(|call| wanted.takes(call)).take(limit).cloned().collect()
    }

    /// The call of this id.
    pub(crate) fn find(&self, id: u64) -> Option<Received> {
        self.kept().calls.iter().find(|call| call.id == id).cloned()
    }

    /// The decrypted body of a call, and its decrypted answer, as far as they are still kept.
    pub(crate) fn opened(&self, id: u64) -> (Option<Value>, Option<Value>) {
        let (request, answer, sek) = {
            let kept = self.kept();
            let Ok(place) = kept.contents.binary_search_by_key(&id, |(id, _)| *id) else {
                return (None, None);
            };
            let (_, contents) = &kept.contents[place];
            (contents.request.clone(), contents.answer.clone(), contents.sek.clone())
        };
        (opened_request(&request, sek.as_ref()), opened_answer(&answer, sek.as_ref()))
    }

    /// Forgets the calls of one GSTIN, or all; ids run on.
    pub(crate) fn forget(&self, gstin: Option<&str>) {
        let mut kept = self.kept();
        kept.calls.retain(|call| gstin.is_some_and(|gstin| !call.is_of(gstin)));
        let left: BTreeSet<u64> = kept.calls.iter().map(|call| call.id).collect();
        kept.contents.retain(|(id, _)| left.contains(id));
        kept.bytes = kept.contents.iter().map(|(_, contents)| contents.bytes()).sum();
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Members that are, or lead to, a secret.
const SECRET: [&str; 9] = ["app_key", "otp", "password", "auth_token", "sek", "rek", "hmac", "sid", "hdr"];

fn without_secrets(mut body: Value) -> Value {
    if let Some(members) = body.as_object_mut() {
        for name in SECRET {
            if let Some(secret) = members.get_mut(name) {
                *secret = "[redacted]".into();
            }
        }
    }
    body
}

/// A body with `data` decrypted; text that is no JSON as text.
fn opened_request(body: &[u8], sek: Option<&Sek>) -> Option<Value> {
    if body.is_empty() {
        return None;
    }
    let Ok(mut body) = serde_json::from_slice::<Value>(body) else {
        return Some(String::from_utf8_lossy(body).into_owned().into());
    };
    let data = body.get("data").and_then(Value::as_str);
    let opened = data.zip(sek).and_then(|(data, sek)| sek.decrypt_request(data, None).ok());
    if let Some(opened) = opened {
        let text = || String::from_utf8_lossy(&opened).into_owned().into();
        body["data"] = serde_json::from_slice(&opened).unwrap_or_else(|_| text());
    }
    Some(without_secrets(body))
}

fn opened_answer(body: &[u8], sek: Option<&Sek>) -> Option<Value> {
    let Ok(mut answer) = serde_json::from_slice::<Value>(body) else {
        return Some(String::from_utf8_lossy(body).into_owned().into());
    };
    let payload = serde_json::from_slice::<Reply>(body).ok().and_then(|mut reply| {
        // What is meant is shown even where the seal was spoilt on purpose.
        reply.hmac = None;
        opened(&reply, sek)
    });
    if let Some(payload) = payload {
        answer["data"] = payload;
    }
    Some(without_secrets(answer))
}

/// The headers of a call with every secret left out.
pub(crate) fn redacted(headers: &HeaderMap) -> BTreeMap<String, String> {
    let shown = |name: &str, value: &http::HeaderValue| {
        let known = SHOWN.contains(&name);
        value.to_str().ok().filter(|_| known).unwrap_or("[redacted]").to_owned()
    };
    headers.iter().map(|(name, value)| (name.to_string(), shown(name.as_str(), value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(gstin: &str) -> Received {
        Received {
            id: 0,
            at: Timestamp::UNIX_EPOCH,
            method: "GET".into(),
            path: "/taxpayerapi/v1.0/returns/gstr1".into(),
            api: Some("returns/gstr1".into()),
            action: None,
            gstin: Some(gstin.into()),
            headers: BTreeMap::new(),
            body_bytes: 0,
            status: 200,
            error_cd: None,
            fault: None,
        }
    }

    fn contents(request: &'static str) -> Contents {
        Contents { request: request.into(), answer: Bytes::new(), sek: None }
    }

    fn call(id: u64) -> Received {
        Received {
            action: Some(if id.is_multiple_of(2) { "B2B" } else { "RETSAVE" }.into()),
            ..received("A")
        }
    }

    #[test]
    fn calls_are_found_by_their_api_and_their_time() {
        let log = CallLog::new(9, 900);
        for id in 1..=4 {
            let at = Timestamp::from_second(i64::try_from(id).unwrap()).unwrap();
            log.add(Received { at, ..call(id) }, contents(""));
        }
        let ids = |wanted: Wanted<'_>| log.page(&wanted, 9).iter().map(|call| call.id).collect::<Vec<_>>();
        let api = |api| Wanted { api: Some(api), ..Wanted::default() };
        assert_eq!(ids(api("b2b")), [2, 4]);
        assert_eq!(ids(api("/returns/gstr1")), [1, 2, 3, 4]);
        assert_eq!(ids(api("returns/gstr1 RETSAVE")), [1, 3]);
        assert_eq!(ids(api("returns RETSAVE")), [0_u64; 0]);
        assert_eq!(ids(Wanted { since: Timestamp::from_second(3).ok(), ..Wanted::default() }), [3, 4]);
    }

    #[test]
    fn what_calls_said_is_kept_as_long_as_there_is_room() {
        let log = CallLog::new(9, 20);
        log.add(call(1), contents(r#"{"a":1}"#));
        log.add(call(2), contents(r#"{"otp":"x"}"#));
        assert_eq!(log.opened(1).0.unwrap()["a"], 1);
        assert_eq!(log.opened(2).0.unwrap()["otp"], "[redacted]");
        log.add(call(3), contents("no JSON"));
        assert_eq!((log.opened(1).0, log.opened(3).0), (None, Some("no JSON".into())));
        assert_eq!(log.page(&Wanted::default(), 9).len(), 3);
    }

    #[test]
    fn the_log_is_bounded_and_pages_by_id() {
        let log = CallLog::new(3, 900);
        for gstin in ["A", "B", "A", "B"] {
            log.add(received(gstin), contents(""));
        }
        let ids = |gstin, after, limit| {
            let wanted = Wanted { gstin, after, ..Wanted::default() };
            log.page(&wanted, limit).iter().map(|r| r.id).collect::<Vec<_>>()
        };
        assert_eq!(ids(None, 0, 10), [2, 3, 4]);
        assert_eq!(ids(None, 2, 1), [3]);
        assert_eq!(ids(Some("b"), 0, 10), [2, 4]);
        log.forget(Some("b"));
        assert_eq!(ids(None, 0, 10), [3]);
        log.add(received("C"), contents(""));
        assert_eq!(ids(None, 3, 10), [5]);
    }

    #[test]
    fn a_callers_own_texts_are_cut() {
        let log = CallLog::new(1, 900);
        let long = "आ".repeat(100_000);
        let headers = BTreeMap::from([("txn".to_owned(), long.clone())]);
        log.add(Received { action: Some(long), headers, ..received("A") }, contents(""));
        let kept = &log.page(&Wanted::default(), 1)[0];
        assert_eq!(kept.action.as_deref().map(|text| text.chars().count()), Some(LONGEST_TEXT));
        assert_eq!(kept.headers["txn"].chars().count(), LONGEST_TEXT);
    }

    #[test]
    fn only_headers_known_to_be_harmless_are_shown() {
        let mut headers = HeaderMap::new();
        for (name, value) in
            [("txn", "LAPN1"), ("client-secret", "hush"), ("auth-token", "hush"), ("x-new", "hush")]
        {
            headers.insert(name, value.parse().unwrap());
        }
        let shown = redacted(&headers);
        assert_eq!(shown["txn"], "LAPN1");
        for name in ["client-secret", "auth-token", "x-new"] {
            assert_eq!(shown[name], "[redacted]");
        }
    }
}
