//! The gateway's side of GetKey, with real cryptography: one ASP, its secrets and its certificate.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock};

use gstn::crypto::{AspEk, AspSecret, PrivateKey, getkey_verify};
use gstn::getkey::{GetKeyRequest, GetKeyStamp};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use suvidha_client::{Credentials, SigningKey};
use tokio::sync::Semaphore;

use super::{Call, Reply};

pub(crate) const ASPID: &str = "7857622155";
pub(crate) const ASP_SECRET: &str = "marker-asp-secret-of-32-letters.";
pub(crate) const NEXT_ASP_SECRET: &str = "marker-new-secret-of-32-letters.";

/// The ASP's key. Made once: it takes a while.
pub(crate) static ASP_KEY: LazyLock<PrivateKey> = LazyLock::new(PrivateKey::generate_2048);

pub(crate) fn credentials(asp_secret: &str, key: &PrivateKey) -> Credentials {
    Credentials::getkey(ASPID, asp_secret, SigningKey::from_pem(key.pkcs8_pem().as_bytes()).unwrap())
}

/// What the gateway knows of the ASP.
pub(crate) struct GetKey {
    /// GetKey calls, granted or not.
    pub(crate) asked: usize,
    pub(crate) validity_min: Value,
    /// Oldest first; the second one is there while the secret changes.
    pub(crate) secrets: Vec<&'static str>,
    /// The gateway's clock; stamps are not judged without it.
    pub(crate) now: Option<Timestamp>,
    /// What `Date` says, where it is not the clock.
    pub(crate) date: Option<Timestamp>,
    /// The answer to GetKey, where it is not a session.
    pub(crate) refusal: Option<Reply>,
    /// GetKey waits for it.
    pub(crate) gate: Option<Arc<Semaphore>>,
    /// The gateway finds every session dead, from the first call on.
    pub(crate) all_dead: bool,
    sessions: HashMap<String, AspEk>,
    signed: HashSet<String>,
}

impl Default for GetKey {
    fn default() -> Self {
        Self {
            asked: 0,
            validity_min: json!(360),
            secrets: vec![ASP_SECRET],
            now: None,
            date: None,
            refusal: None,
            gate: None,
            all_dead: false,
            sessions: HashMap::new(),
            signed: HashSet::new(),
        }
    }
}

fn secret(text: &str) -> AspSecret {
    AspSecret::try_from_slice(text.as_bytes()).unwrap()
}

pub(crate) fn refused(status: u16, code: &str) -> Reply {
    let error = json!({"error_cd": code, "message": "said so", "origin": "gsp", "retryable": false,
        "remedy": "Do this.", "request_id": "body"});
    (status, json!({"status_cd": "0", "txn": "t", "message": "said so", "error": error}))
}

impl GetKey {
    pub(crate) fn end_sessions(&mut self) {
        self.sessions.clear();
    }

    /// The sessions go on under other keys, as those of a foreign gateway would.
    pub(crate) fn change_keys(&mut self) {
        self.sessions.values_mut().for_each(|key| *key = AspEk::from_bytes([0xee; 32]));
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &[u8; 32]> {
        self.sessions.values().map(AspEk::as_bytes)
    }

    pub(super) fn answer(&mut self, call: &Call) -> Result<Reply, Reply> {
        self.asked += 1;
        if let Some(refusal) = &self.refusal {
            return Err(refusal.clone());
        }
        let request: GetKeyRequest =
            serde_json::from_slice(&call.body).map_err(|_| refused(400, "GSP664"))?;
        let stamp = GetKeyStamp::parse(&request.timestamp).map_err(|_| refused(400, "GSP664"))?;
        let (aspid, signed) = (call.header("aspid"), &request.signed_content);
        getkey_verify(ASP_KEY.public_key(), aspid, &request.timestamp, signed)
            .map_err(|_| refused(401, "GSP014"))?;
        let apart = |now: Timestamp| stamp.instant().duration_since(now).abs();
        if self.now.is_some_and(|now| apart(now) > SignedDuration::from_mins(15)) {
            return Err(refused(401, "GSP660"));
        }
        if !self.signed.insert(request.signed_content) {
            return Err(refused(401, "GSP661"));
        }
        assert!(!call.header("txn").is_empty());
        let number = self.asked % 256;
        let key = AspEk::from_bytes([0x60 ^ u8::try_from(number).unwrap(); 32]);
        let session_id = format!("gsp-session-{}", self.asked);
        let mut reply = json!({"session_id": session_id, "validity_min": self.validity_min,
            "txn": call.header("txn"), "message": "", "status_cd": "1"});
        for (name, text) in ["enc_key", "enc_key_next"].into_iter().zip(&self.secrets) {
            reply[name] = secret(text).seal_session_key(&key).into();
        }
        self.sessions.insert(session_id, key);
        Ok((200, reply))
    }

    /// Whether the three headers say who calls.
    pub(super) fn identify(&self, call: &Call) -> Result<(), Reply> {
        assert_eq!(call.header("aspid"), ASPID);
        let key = self.sessions.get(call.header("session-id")).filter(|_| !self.all_dead);
        let key = key.ok_or_else(|| refused(401, "GSP022"))?;
        let shown = key.open_asp_secret(call.header("asp-secret")).map_err(|_| refused(401, "GSP017"))?;
        if self.secrets.iter().any(|known| secret(known) == shown) {
            return Ok(());
        }
        Err(refused(401, "GSP018"))
    }
}
