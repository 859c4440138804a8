//! What the GSTN listener received lately, for the management port. Kept in memory, bounded, without bodies or secrets.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use http::HeaderMap;
use jiff::Timestamp;
use serde::Serialize;

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
    pub(crate) action: Option<String>,
    pub(crate) gstin: Option<String>,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body_bytes: usize,
    pub(crate) status: u16,
    pub(crate) error_cd: Option<String>,
}

/// Texts of a caller's own making are cut to this many characters, so that the log is bounded in bytes too.
const LONGEST_TEXT: usize = 256;

impl Received {
    fn is_of(&self, gstin: &str) -> bool {
        self.gstin.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(gstin))
    }

    fn shorten(&mut self) {
        let own = [Some(&mut self.path), self.action.as_mut(), self.gstin.as_mut()];
        for text in own.into_iter().flatten().chain(self.headers.values_mut()) {
            if let Some((end, _)) = text.char_indices().nth(LONGEST_TEXT) {
                text.truncate(end);
                text.shrink_to_fit();
            }
        }
    }
}

/// The last calls received.
#[derive(Debug)]
pub(crate) struct CallLog {
    capacity: usize,
    entries: Mutex<(u64, VecDeque<Received>)>,
}

impl CallLog {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity, entries: Mutex::default() }
    }

    /// Adds a call under the next id; the oldest one falls out when the log is full.
    pub(crate) fn add(&self, mut received: Received) {
        received.shorten();
        let mut guard = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let (last_id, entries) = &mut *guard;
        *last_id += 1;
        entries.push_back(Received { id: *last_id, ..received });
        while entries.len() > self.capacity {
            entries.pop_front();
        }
    }

    /// Up to `limit` calls after `after`, oldest first, of one GSTIN or of all.
    pub(crate) fn page(&self, gstin: Option<&str>, after: u64, limit: usize) -> Vec<Received> {
        let guard = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = |entry: &&Received| entry.id > after && gstin.is_none_or(|gstin| entry.is_of(gstin));
        guard.1.iter().filter(wanted).take(limit).cloned().collect()
    }

    /// Forgets the calls of one GSTIN, or all; ids run on.
    pub(crate) fn forget(&self, gstin: Option<&str>) {
        let mut guard = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        guard.1.retain(|entry| gstin.is_some_and(|gstin| !entry.is_of(gstin)));
    }
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
            path: "/".into(),
            action: None,
            gstin: Some(gstin.into()),
            headers: BTreeMap::new(),
            body_bytes: 0,
            status: 200,
            error_cd: None,
        }
    }

    #[test]
    fn the_log_is_bounded_and_pages_by_id() {
        let log = CallLog::new(3);
        for gstin in ["A", "B", "A", "B"] {
            log.add(received(gstin));
        }
        let ids =
            |gstin, after, limit| log.page(gstin, after, limit).iter().map(|r| r.id).collect::<Vec<_>>();
        assert_eq!(ids(None, 0, 10), [2, 3, 4]);
        assert_eq!(ids(None, 2, 1), [3]);
        assert_eq!(ids(Some("b"), 0, 10), [2, 4]);
        log.forget(Some("b"));
        assert_eq!(ids(None, 0, 10), [3]);
        log.add(received("C"));
        assert_eq!(ids(None, 3, 10), [5]);
    }

    #[test]
    fn a_callers_own_texts_are_cut() {
        let log = CallLog::new(1);
        let long = "आ".repeat(100_000);
        let headers = BTreeMap::from([("txn".to_owned(), long.clone())]);
        log.add(Received { action: Some(long), headers, ..received("A") });
        let kept = &log.page(None, 0, 1)[0];
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
