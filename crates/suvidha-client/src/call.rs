//! A call within a taxpayer's session: sealed on the way out, opened and verified on the way in.

use std::fmt;

use gstn::crypto::base64;
use gstn::envelope::{self, Reply};
use gstn::{Gstin, ReturnPeriod, headers};
use http::Method;
use serde::Serialize;
use serde_json::Value;

use crate::answer::{Stage, protocol, read};
use crate::error::Error;
use crate::gsp::{Outgoing, put};
use crate::session::Session;
use crate::taxpayer::Taxpayer;
use crate::transport::Answer;

/// One call of a GSTN API, before its cryptography. `gstin` goes along by itself.
#[derive(Clone)]
#[must_use]
pub struct ApiCall {
    method: Method,
    path: String,
    action: String,
    ret_period: Option<ReturnPeriod>,
    form: Option<Form>,
    query: Vec<(String, String)>,
    payload: Option<Vec<u8>>,
}

/// What `rtn_typ`, `userrole` and `api_version` say about a call of a form.
#[derive(Clone)]
struct Form {
    name: &'static str,
    version: &'static str,
}

impl fmt::Debug for ApiCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.payload.as_ref().map(Vec::len);
        write!(f, "ApiCall({} {} {}, payload bytes: {bytes:?})", self.method, self.path, self.action)
    }
}

impl ApiCall {
    /// A reading call, e.g. `ApiCall::get("taxpayerapi/v4.0/returns/gstr1", "B2B")`.
    pub fn get(path: impl Into<String>, action: impl Into<String>) -> Self {
        Self::new(Method::GET, path.into(), action.into())
    }

    /// A changing call by `POST`.
    pub fn post(path: impl Into<String>, action: impl Into<String>) -> Self {
        Self::new(Method::POST, path.into(), action.into())
    }

    /// A changing call by `PUT`.
    pub fn put(path: impl Into<String>, action: impl Into<String>) -> Self {
        Self::new(Method::PUT, path.into(), action.into())
    }

    fn new(method: Method, path: String, action: String) -> Self {
        Self { method, path, action, ret_period: None, form: None, query: Vec::new(), payload: None }
    }

    /// The tax period: the header `ret_period`, and on a reading call the query's.
    pub fn ret_period(mut self, period: ReturnPeriod) -> Self {
        self.ret_period = Some(period);
        self
    }

    /// The headers `rtn_typ` and `userrole` (e.g. `GSTR1`) and `api_version` (e.g. `4.1`).
    pub fn form(mut self, name: &'static str, version: &'static str) -> Self {
        self.form = Some(Form { name, version });
        self
    }

    /// One more parameter of the query; it is percent-encoded.
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    /// The payload, as the JSON text that GSTN shall read, byte for byte.
    pub fn payload_text(mut self, json: impl Into<Vec<u8>>) -> Self {
        self.payload = Some(json.into());
        self
    }

    /// The payload, to be written as JSON.
    pub fn payload(self, payload: &impl Serialize) -> Result<Self, Error> {
        let json = serde_json::to_vec(payload)
            .map_err(|error| Error::Invalid(format!("the payload cannot be written as JSON: {error}")))?;
        Ok(self.payload_text(json))
    }

    /// The path with its query: all of it on a reading call, on others only what was asked for.
    fn target(&self, gstin: &Gstin) -> String {
        let period = self.ret_period.map(|period| period.to_string());
        let mut pairs = Vec::new();
        if self.method == Method::GET {
            pairs.push(("action", self.action.as_str()));
            pairs.push(("gstin", gstin.as_str()));
            pairs.extend(period.as_deref().map(|period| ("ret_period", period)));
        }
        pairs.extend(self.query.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        with_query(&self.path, &pairs)
    }
}

impl Taxpayer {
    /// Makes a call and returns what GSTN answered, decrypted and verified; `null` where it said only "done".
    ///
    /// The taxpayer's session is refreshed first where it is about to end, and once more where GSTN says that it died
    /// early.
    ///
    /// # Errors
    /// [`Error::OtpRequired`] where the taxpayer must log in again, and every other kind of [`Error`].
    pub async fn call(&self, call: ApiCall) -> Result<Value, Error> {
        let text = self.call_text(call).await?;
        if text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&text).map_err(|_| Error::Protocol {
            what: "what GSTN's answer decrypts to is not JSON".to_owned(),
            request_id: None,
        })
    }

    /// As [`call`](Self::call), but the JSON text as GSTN wrote it; empty where it said only "done".
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn call_text(&self, call: ApiCall) -> Result<Vec<u8>, Error> {
        self.call_sealed(&call, |session| {
            let sealed = session.sek.encrypt_request(call.payload.as_ref()?);
            Some(envelope::Request {
                action: Some(call.action.clone()),
                data: Some(sealed.data),
                hmac: Some(sealed.hmac),
                ..Default::default()
            })
        })
        .await
    }

    /// Makes a call whose body is sealed by `seal`, under the session it goes out with.
    pub(crate) async fn call_sealed(
        &self,
        call: &ApiCall,
        seal: impl Fn(&Session) -> Option<envelope::Request>,
    ) -> Result<Vec<u8>, Error> {
        let target = call.target(self.gstin());
        let stage = if call.method == Method::GET { Stage::Read } else { Stage::Write };
        let prepare = |session: &Session| {
            let mut headers = self.session_headers(session)?;
            if let Some(period) = call.ret_period {
                put(&mut headers, headers::RET_PERIOD, &period.to_string())?;
            }
            if let Some(form) = &call.form {
                put(&mut headers, headers::RTN_TYP, form.name)?;
                put(&mut headers, headers::USERROLE, form.name)?;
                put(&mut headers, headers::API_VERSION, form.version)?;
            }
            let body = match seal(session) {
                Some(body) => to_json(&body)?,
                None => Vec::new(),
            };
            Ok(Outgoing {
                method: call.method.clone(),
                target: &target,
                action: &call.action,
                gstin: Some(*self.gstin()),
                headers,
                body: body.into(),
            })
        };
        self.in_session(prepare, |session, answer| open(session, answer, stage)).await
    }
}

/// A reply without an HMAC is refused: only the HMAC says that nobody changed it on the way.
fn open(session: &Session, answer: &Answer, stage: Stage) -> Result<Vec<u8>, Error> {
    let reply: Reply = read(answer, stage)?;
    match (&reply.data, &reply.rek, &reply.hmac) {
        (None, _, _) => Ok(Vec::new()),
        (Some(_), Some(_), Some(_)) => session.sek.open_reply(&reply).map_err(|_| {
            protocol(answer, "does not open under the session's key: it was changed on the way, or meant for another session")
        }),
        (Some(_), _, _) => Err(protocol(answer, "carries data without a rek and an hmac")),
    }
}

pub(crate) fn to_json(body: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(body)
        .map_err(|error| Error::Invalid(format!("the request cannot be written: {error}")))
}

/// `path?name=value&…`, values percent-encoded.
pub(crate) fn with_query(path: &str, pairs: &[(&str, &str)]) -> String {
    let mut target = path.to_owned();
    for (at, (name, value)) in pairs.iter().enumerate() {
        target.push(if at == 0 { '?' } else { '&' });
        percent_encode(name, &mut target);
        target.push('=');
        percent_encode(value, &mut target);
    }
    target
}

fn percent_encode(text: &str, into: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                into.push(char::from(byte))
            }
            _ => into.push_str(&format!("%{byte:02X}")),
        }
    }
}

/// A filing's body: the summary sealed, signed with the EVC, and without an HMAC (gstn.md section 7).
pub(crate) fn evc_filing(
    session: &Session,
    action: &str,
    json: &[u8],
    pan: &str,
    otp: &str,
) -> envelope::Request {
    envelope::Request {
        action: Some(action.to_owned()),
        data: Some(session.sek.encrypt_request(json).data),
        sign: Some(gstn::crypto::evc_sign(pan, otp, &base64::encode(json))),
        st: Some("EVC".to_owned()),
        sid: Some(gstn::crypto::evc_sid(pan, otp)),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_cannot_break_out_of_its_value() {
        let target = with_query("p", &[("ctin", "A&b=c d/é"), ("from_time", "01-04-2026")]);
        assert_eq!(target, "p?ctin=A%26b%3Dc%20d%2F%C3%A9&from_time=01-04-2026");
        assert_eq!(with_query("p", &[]), "p");
    }

    #[test]
    fn debug_shows_no_payload() {
        let call = ApiCall::put("p", "RETSAVE").payload_text("{\"hidden\":1}");
        assert!(!format!("{call:?}").contains("hidden"));
    }
}
