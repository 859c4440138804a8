//! Answers that a test writes itself, where the stand-in knows too little of GST.

use bytes::Bytes;
use gstn::crypto::{FileKey, base64, sha256_hex};
use gstn::envelope::Request;
use http::{Response, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};

use super::{Call, StandIn, State, no};

/// An answer of the test's.
#[derive(Clone)]
pub(crate) enum Scripted {
    /// A payload, sealed for the session that asks.
    Sealed(String),
    /// The payload that came, unsealed, given back.
    Echo,
    /// GSTN's no.
    No(&'static str),
    /// The gateway's: come back in so many seconds.
    Throttled(u32),
    /// Anything else: status and body.
    Plain(u16, Vec<u8>),
}

impl Scripted {
    pub(crate) fn sealed(json: &Value) -> Self {
        Self::Sealed(json.to_string())
    }

    /// As a public API answers.
    pub(crate) fn public(json: &Value) -> Self {
        let reply = json!({"status_cd": "1", "data": base64::encode(json.to_string())});
        Self::Plain(200, reply.to_string().into_bytes())
    }
}

impl StandIn {
    /// What calls with an action, or to a path where there is none, are answered from now on, one after the other; the
    /// last answer stays.
    pub(crate) fn script(&self, action_or_path: &str, answers: impl IntoIterator<Item = Scripted>) {
        self.state().scripts.insert(action_or_path.to_owned(), answers.into_iter().collect());
    }

    /// The calls with an action, or to a path.
    pub(crate) fn calls_of(&self, action_or_path: &str) -> Vec<Call> {
        let calls = self.state().calls.clone();
        calls.into_iter().filter(|call| name(call) == action_or_path).collect()
    }

    /// Lays the files of a result out, and makes FILEDET tell where: each holds one of `documents`, under a key of its
    /// own. Returns their paths.
    pub(crate) fn lay_out(&self, documents: &[&str]) -> Vec<String> {
        let key = FileKey::from_bytes([0x5a; 32]);
        let (mut urls, mut paths) = (Vec::new(), Vec::new());
        for (at, document) in documents.iter().enumerate() {
            let file = tar_gz(&key.encrypt_file(document.as_bytes()));
            let path = format!("/returns/01052026/R1/secret-token/part_{at}.tar.gz");
            urls.push(
                json!({"ul": format!("{path}?md5=a-b_c&expires=1777"), "ic": 2, "hash": sha256_hex(&file)}),
            );
            self.script(&path, [Scripted::Plain(200, file)]);
            paths.push(path);
        }
        let details = json!({"urls": urls, "ek": *key.to_base64(), "fc": documents.len()});
        self.script("FILEDET", [Scripted::sealed(&details)]);
        paths
    }
}

impl State {
    /// What is answered now, to be answered again later.
    pub(crate) fn scripted_again(&self, action_or_path: &str) -> Scripted {
        self.scripts[action_or_path][0].clone()
    }

    pub(super) fn scripted(&mut self, call: &Call) -> Option<Response<Full<Bytes>>> {
        let answers = self.scripts.get_mut(&name(call))?;
        let answer = if answers.len() > 1 { answers.pop_front()? } else { answers.front()?.clone() };
        let sealed = |json: &[u8]| match self.sek(call) {
            Ok(sek) => self.sealed(&sek, json),
            Err(no) => no,
        };
        let (status, body) = match answer {
            Scripted::Sealed(ref json) => text(sealed(json.as_bytes())),
            Scripted::Echo => text(sealed(&self.opened(call))),
            Scripted::No(code) => text(no(code, "no")),
            Scripted::Throttled(_) => text((429, no("GSP025", "slow down").1)),
            Scripted::Plain(status, ref body) => (status, body.clone()),
        };
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        response.headers_mut().insert("x-request-id", "01900000-request".parse().unwrap());
        if let Scripted::Throttled(seconds) = answer {
            response.headers_mut().insert("retry-after", seconds.into());
        }
        Some(response)
    }

    fn opened(&self, call: &Call) -> Vec<u8> {
        let request: Request = serde_json::from_slice(&call.body).unwrap();
        let sek = self.sek(call).unwrap();
        sek.decrypt_request(&request.data.unwrap(), Some(&request.hmac.unwrap())).unwrap()
    }
}

fn name(call: &Call) -> String {
    let action = call.action();
    if action.is_empty() { call.path.clone() } else { action }
}

fn text((status, body): (u16, Value)) -> (u16, Vec<u8>) {
    (status, body.to_string().into_bytes())
}

/// A `tar.gz` with one file, as GSTN packs them.
fn tar_gz(text: &str) -> Vec<u8> {
    let encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    let mut builder = tar::Builder::new(encoder);
    let mut header = tar::Header::new_gnu();
    header.set_size(text.len() as u64);
    header.set_mode(0o644);
    builder.append_data(&mut header, "returns_R1_b2b_0.json", text.as_bytes()).unwrap();
    builder.into_inner().unwrap().finish().unwrap()
}
