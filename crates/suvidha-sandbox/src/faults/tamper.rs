//! What a fault does inside an answer: the payload is opened as the client would, changed, and sealed again.

use gstn::crypto::{Rek, Sek, base64, sha256_hex};
use gstn::envelope::Reply;
use serde_json::{Map, Value, json};
use suvidha_seam::Seam;

use super::FaultKind;

/// A member that no document knows.
const UNKNOWN: &str = "sbx_unknown_field";

/// What is to be done to a payload.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tampering {
    wrong_hmac: bool,
    wrong_hash: bool,
    unknown_fields: bool,
    reordered_keys: bool,
}

impl Tampering {
    pub(super) fn take(&mut self, kind: FaultKind) {
        match kind {
            FaultKind::WrongHmac => self.wrong_hmac = true,
            FaultKind::WrongHash => self.wrong_hash = true,
            FaultKind::UnknownFields => self.unknown_fields = true,
            FaultKind::ReorderedKeys => self.reordered_keys = true,
            _ => {}
        }
    }

    /// The kinds of it, for the log of calls.
    pub(crate) fn kinds(self) -> Vec<FaultKind> {
        let all = [
            (self.wrong_hmac, FaultKind::WrongHmac),
            (self.wrong_hash, FaultKind::WrongHash),
            (self.unknown_fields, FaultKind::UnknownFields),
            (self.reordered_keys, FaultKind::ReorderedKeys),
        ];
        all.into_iter().filter(|(on, _)| *on).map(|(_, kind)| kind).collect()
    }

    /// The answer `body` with its payload changed; none where it has none, or nothing is to be done.
    pub(crate) fn of(self, body: &[u8], sek: Option<&Sek>, seam: &Seam) -> Option<Vec<u8>> {
        if self == Self::default() {
            return None;
        }
        let mut reply: Reply = serde_json::from_slice(body).ok()?;
        let mut payload = opened(&reply, sek)?;
        if self.wrong_hash {
            spoil_hashes(&mut payload);
        }
        let payload = if self.unknown_fields { with_unknown_fields(payload) } else { payload };
        let text = if self.reordered_keys { backwards(&payload) } else { payload.to_string() };
        match (reply.rek.is_some(), sek) {
            (true, Some(sek)) => {
                let rek = Rek::from_bytes(seam.random());
                let sealed = rek.encrypt_reply(text.as_bytes());
                reply.rek = Some(sek.seal_rek(&rek));
                reply.hmac = Some(if self.wrong_hmac { other_hmac(&rek) } else { sealed.hmac });
                reply.data = Some(sealed.data);
            }
            _ => reply.data = Some(base64::encode(text)),
        }
        serde_json::to_vec(&reply).ok()
    }
}

/// The payload of an answer: under the session's key, or in base64 alone.
pub(crate) fn opened(reply: &Reply, sek: Option<&Sek>) -> Option<Value> {
    let data = reply.data.as_deref()?;
    let json = match (&reply.rek, sek) {
        (Some(_), Some(sek)) => sek.open_reply(reply).ok()?,
        (Some(_), None) => return None,
        (None, _) => base64::decode_strict(data).ok()?,
    };
    serde_json::from_slice(&json).ok()
}

/// The HMAC of something else.
fn other_hmac(rek: &Rek) -> String {
    rek.encrypt_reply(b"{}").hmac
}

/// Puts the hash of nothing in place of those of the files.
fn spoil_hashes(payload: &mut Value) {
    for file in payload.get_mut("urls").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(hash) = file.get_mut("hash") {
            *hash = sha256_hex(b"").into();
        }
    }
}

fn with_unknown_fields(payload: Value) -> Value {
    match payload {
        Value::Object(members) => {
            let mut members: Map<_, _> =
                members.into_iter().map(|(name, value)| (name, with_unknown_fields(value))).collect();
            members.insert(UNKNOWN.to_owned(), json!({ "ignore": ["me", 1, null] }));
            Value::Object(members)
        }
        Value::Array(items) => items.into_iter().map(with_unknown_fields).collect(),
        plain => plain,
    }
}

/// The JSON with the members of each object in the opposite order.
fn backwards(payload: &Value) -> String {
    match payload {
        Value::Object(members) => {
            let members: Vec<String> = members
                .iter()
                .rev()
                .map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), backwards(value)))
                .collect();
            format!("{{{}}}", members.join(","))
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(backwards).collect();
            format!("[{}]", items.join(","))
        }
        plain => plain.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tampering(kinds: &[FaultKind]) -> Tampering {
        let mut tampering = Tampering::default();
        kinds.iter().for_each(|kind| tampering.take(*kind));
        tampering
    }

    fn sealed(payload: &Value, sek: &Sek) -> Vec<u8> {
        let rek = Rek::from_bytes([3; 32]);
        let sealed = rek.encrypt_reply(payload.to_string().as_bytes());
        let reply = Reply {
            data: Some(sealed.data),
            rek: Some(sek.seal_rek(&rek)),
            hmac: Some(sealed.hmac),
            ..Reply::done()
        };
        serde_json::to_vec(&reply).unwrap()
    }

    fn reply(body: &[u8]) -> Reply {
        serde_json::from_slice(body).unwrap()
    }

    #[test]
    fn fields_are_added_and_keys_reordered_under_a_seal_that_holds() {
        let (sek, seam) = (Sek::from_bytes([7; 32]), Seam::system());
        let body = sealed(&json!({"a": 1, "b": [{"c": 2}]}), &sek);
        let both = tampering(&[FaultKind::UnknownFields, FaultKind::ReorderedKeys]);
        let changed = both.of(&body, Some(&sek), &seam).unwrap();
        let text = String::from_utf8(sek.open_reply(&reply(&changed)).unwrap()).unwrap();
        assert!(text.find("\"b\"").unwrap() < text.find("\"a\"").unwrap(), "{text}");
        let payload: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&payload["a"], &payload["b"][0]["c"]), (&json!(1), &json!(2)));
        assert!(payload[UNKNOWN].is_object() && payload["b"][0][UNKNOWN].is_object());
    }

    #[test]
    fn a_wrong_hmac_is_wrong_and_nothing_else_is() {
        let (sek, seam) = (Sek::from_bytes([7; 32]), Seam::system());
        let body = sealed(&json!({"a": 1}), &sek);
        let changed = tampering(&[FaultKind::WrongHmac]).of(&body, Some(&sek), &seam).unwrap();
        assert!(sek.open_reply(&reply(&changed)).is_err());
        let without = Reply { hmac: None, ..reply(&changed) };
        assert_eq!(sek.open_reply(&without).unwrap(), br#"{"a":1}"#);
    }

    #[test]
    fn the_hash_of_every_file_is_wrong() {
        let (sek, seam) = (Sek::from_bytes([7; 32]), Seam::system());
        let body = sealed(&json!({"urls": [{"ul": "/a", "hash": "1"}, {"ul": "/b", "hash": "2"}]}), &sek);
        let changed = tampering(&[FaultKind::WrongHash]).of(&body, Some(&sek), &seam).unwrap();
        let payload = opened(&reply(&changed), Some(&sek)).unwrap();
        assert_eq!(payload["urls"][0]["hash"], payload["urls"][1]["hash"]);
        assert_eq!(payload["urls"][1]["ul"], "/b");
    }

    #[test]
    fn public_answers_are_changed_and_those_without_a_payload_are_left() {
        let seam = Seam::system();
        let public = Reply { data: Some(base64::encode(r#"{"a":1}"#)), ..Reply::done() };
        let public = serde_json::to_vec(&public).unwrap();
        let changed = tampering(&[FaultKind::UnknownFields]).of(&public, None, &seam).unwrap();
        assert!(opened(&reply(&changed), None).unwrap()[UNKNOWN].is_object());
        let all = tampering(&[FaultKind::UnknownFields, FaultKind::WrongHmac, FaultKind::ReorderedKeys]);
        assert_eq!(all.of(br#"{"status_cd":"1"}"#, None, &seam), None);
        assert_eq!(Tampering::default().of(&public, None, &seam), None);
    }
}
