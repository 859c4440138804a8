//! One call of a GSTN API as an application describes it: method, path, action, query, payload, signature.

use std::fmt;

use gstn::catalogue::Family;
use gstn::crypto::{Sek, base64, evc_sid, evc_sign};
use gstn::{Gstin, Pan, ReturnPeriod, StateCode, envelope, headers};
use http::{HeaderMap, Method};
use serde::Serialize;

use crate::dsc::Dsc;
use crate::error::Error;
use crate::files::FilesOf;
use crate::gsp::put;

/// One call of a GSTN API, before its cryptography. `gstin` goes along by itself.
///
/// [`named`](Self::named) knows what GSTN's catalogue knows; [`get`](Self::get), [`post`](Self::post) and
/// [`put`](Self::put) are for an API that the catalogue does not know yet.
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
    signer: Option<Signer>,
}

/// With what a filing is signed.
#[derive(Clone)]
enum Signer {
    Evc { pan: Pan, otp: String },
    Dsc { pan: Pan, dsc: Dsc },
}

/// What `rtn_typ`, `userrole` and `api_version` say about a call of a form.
#[derive(Clone)]
struct Form {
    name: String,
    version: String,
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
        Self::new(Method::GET, path, action)
    }

    /// A changing call by `POST`.
    pub fn post(path: impl Into<String>, action: impl Into<String>) -> Self {
        Self::new(Method::POST, path, action)
    }

    /// A changing call by `PUT`.
    pub fn put(path: impl Into<String>, action: impl Into<String>) -> Self {
        Self::new(Method::PUT, path, action)
    }

    pub(crate) fn new(method: Method, path: impl Into<String>, action: impl Into<String>) -> Self {
        let path = path.into().trim_start_matches('/').to_owned();
        let (ret_period, form, query) = (None, None, Vec::new());
        Self { method, path, action: action.into(), ret_period, form, query, payload: None, signer: None }
    }

    /// The tax period: the header `ret_period`, and on a reading call the query's.
    pub fn ret_period(mut self, period: ReturnPeriod) -> Self {
        self.ret_period = Some(period);
        self
    }

    /// The headers `rtn_typ` and `userrole` (e.g. `GSTR1`) and `api_version` (e.g. `4.1`).
    pub fn form(mut self, name: impl Into<String>, version: impl Into<String>) -> Self {
        self.form = Some(Form { name: name.into(), version: version.into() });
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
    ///
    /// # Errors
    /// [`Error::Invalid`] if it cannot be.
    pub fn payload(self, payload: &impl Serialize) -> Result<Self, Error> {
        let json = serde_json::to_vec(payload)
            .map_err(|error| Error::Invalid(format!("the payload cannot be written as JSON: {error}")))?;
        Ok(self.payload_text(json))
    }

    /// Signs a filing with the EVC: the signatory's PAN, and the OTP that GSTN sent on
    /// [`Taxpayer::request_evc_otp`](crate::Taxpayer::request_evc_otp). The payload must be the newest summary, byte for
    /// byte as GSTN wrote it.
    pub fn sign_with_evc(mut self, pan: &Pan, otp: &str) -> Self {
        self.signer = Some(Signer::Evc { pan: *pan, otp: otp.trim().to_owned() });
        self
    }

    /// Signs a filing with a digital signature certificate, that of the signatory with this PAN. GSTN must know the
    /// certificate ([`Taxpayer::register_dsc`](crate::Taxpayer::register_dsc)). The payload must be the newest summary, byte
    /// for byte as GSTN wrote it.
    pub fn sign_with_dsc(mut self, pan: &Pan, dsc: &Dsc) -> Self {
        self.signer = Some(Signer::Dsc { pan: *pan, dsc: dsc.clone() });
        self
    }

    /// Whether it can be sent as it was described, with nothing of it passed over.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~%".contains(&byte);
        let fits = |part: &str| !matches!(part, "" | "." | "..") && part.bytes().all(plain);
        if !self.path.split('/').all(fits) {
            let what = format!("{:?} is no path of an API; a query is given with ApiCall::query", self.path);
            return Err(Error::Invalid(what));
        }
        match self.signer {
            Some(_) if self.is_public() => Err(Error::Invalid("a public call cannot be signed".to_owned())),
            Some(_) if self.payload.is_none() => {
                Err(Error::Invalid("there is no payload to sign".to_owned()))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn method(&self) -> &Method {
        &self.method
    }

    pub(crate) fn is_read(&self) -> bool {
        self.method == Method::GET
    }

    pub(crate) fn action(&self) -> &str {
        &self.action
    }

    /// The taxpayer whom the query names.
    pub(crate) fn gstin(&self) -> Option<Gstin> {
        let (_, gstin) = self.query.iter().find(|(name, _)| name == "gstin")?;
        Gstin::parse_lenient(gstin).ok()
    }

    /// The state that a public call is about: the GSTIN's, or the one the query names.
    pub(crate) fn state(&self) -> Option<StateCode> {
        let named = || {
            let is_state = |name: &str| ["state", "stateCode", "state_cd"].contains(&name);
            self.query.iter().find(|(name, _)| is_state(name)).and_then(|(_, state)| state.parse().ok())
        };
        self.gstin().map(|gstin| gstin.state()).or_else(named)
    }

    /// Whether it is one of the APIs that go without a taxpayer's session.
    pub(crate) fn is_public(&self) -> bool {
        self.path.split('/').next().and_then(Family::from_segment) == Some(Family::CommonApi)
    }

    /// The path with its query: on a reading call with what goes along by itself, unless the call has it.
    pub(crate) fn target(&self, gstin: Option<&Gstin>) -> String {
        let period = self.ret_period.map(|period| period.to_string());
        let asks = |names: &[&str]| self.query.iter().any(|(known, _)| names.contains(&known.as_str()));
        let mut pairs = Vec::new();
        if self.is_read() {
            pairs.extend(Some(("action", self.action.as_str())).filter(|(_, action)| !action.is_empty()));
            pairs.extend(gstin.filter(|_| !asks(&["gstin"])).map(|gstin| ("gstin", gstin.as_str())));
            let period = period.as_deref().filter(|_| !asks(&["ret_period", "rtnprd"]));
            pairs.extend(period.map(|period| ("ret_period", period)));
        }
        pairs.extend(self.query.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        with_query(&self.path, &pairs)
    }

    /// Adds the headers that are the call's own.
    pub(crate) fn put_headers(&self, map: &mut HeaderMap) -> Result<(), Error> {
        if let Some(period) = self.ret_period {
            put(map, headers::RET_PERIOD, &period.to_string())?;
        }
        if let Some(form) = &self.form {
            put(map, headers::RTN_TYP, &form.name)?;
            put(map, headers::USERROLE, &form.name)?;
            put(map, headers::API_VERSION, &form.version)?;
        }
        Ok(())
    }

    /// The body: the payload under the session's key with an HMAC over it, or with a filing a signature instead. Empty
    /// without a payload.
    pub(crate) fn seal(&self, sek: &Sek) -> Result<Vec<u8>, Error> {
        let Some(json) = &self.payload else { return Ok(Vec::new()) };
        let sealed = sek.encrypt_request(json);
        let unsigned =
            envelope::Request { action: self.body_action(), data: Some(sealed.data), ..Default::default() };
        to_json(&match &self.signer {
            None => envelope::Request { hmac: Some(sealed.hmac), ..unsigned },
            Some(Signer::Evc { pan, otp }) => envelope::Request {
                sign: Some(evc_sign(pan.as_str(), otp, &base64::encode(json))),
                st: Some("EVC".to_owned()),
                sid: Some(evc_sid(pan.as_str(), otp)),
                ..unsigned
            },
            Some(Signer::Dsc { pan, dsc }) => envelope::Request {
                sign: Some(dsc.sign(&base64::encode(json))?),
                st: Some("DSC".to_owned()),
                sid: Some(pan.as_str().to_owned()),
                ..unsigned
            },
        })
    }

    /// The body of a call that goes without cryptography.
    pub(crate) fn plain(&self) -> Vec<u8> {
        self.payload.clone().unwrap_or_default()
    }

    fn body_action(&self) -> Option<String> {
        Some(self.action.clone()).filter(|action| !action.is_empty())
    }

    /// What files GSTN would prepare if the answer were too large.
    pub(crate) fn files(&self) -> Option<FilesOf> {
        let asked =
            self.query.iter().find(|(name, _)| name == "rtnprd").and_then(|(_, value)| value.parse().ok());
        let period = self.ret_period.or(asked);
        match &self.path {
            path if path.ends_with("/returns/ims") => Some(FilesOf::Ims),
            path if path.ends_with("/einvoice") => period.map(FilesOf::EInvoices),
            _ => period.map(FilesOf::Return),
        }
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_query_cannot_break_out_of_its_value() {
        let target = with_query("p", &[("ctin", "A&b=c d/é"), ("from_time", "01-04-2026")]);
        assert_eq!(target, "p?ctin=A%26b%3Dc%20d%2F%C3%A9&from_time=01-04-2026");
        assert_eq!(with_query("p", &[]), "p");
    }

    #[test]
    fn what_the_call_names_itself_does_not_go_along_twice() {
        let gstin = "33AANCS2882A1ZG".parse().unwrap();
        let target = |call: ApiCall| call.target(Some(&gstin));
        let call = ApiCall::get("/p", "A").ret_period("042026".parse().unwrap());
        assert_eq!(target(call.clone()), "p?action=A&gstin=33AANCS2882A1ZG&ret_period=042026");
        assert_eq!(
            target(call.query("rtnprd", "042026").query("gstin", "x")),
            "p?action=A&rtnprd=042026&gstin=x"
        );
        assert_eq!(target(ApiCall::get("p", "")), "p?gstin=33AANCS2882A1ZG");
        assert_eq!(target(ApiCall::put("p", "A").query("x", "y")), "p?x=y");
    }

    /// `data`, and the signature where there is one, as another implementation made them.
    #[test]
    fn a_payload_is_sealed_and_a_filing_signed_as_the_vectors_have_it() {
        let vectors = include_str!("../../gstn/tests/data/vectors.json");
        let vectors: Value = serde_json::from_str(vectors).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        for vector in vectors["data"].as_array().unwrap() {
            let sek = base64::decode_strict(text(&vector["sek_plain_b64"])).unwrap();
            let call = ApiCall::put("p", "RETSAVE").payload_text(text(&vector["json"]));
            let body = call.seal(&Sek::try_from_slice(&sek).unwrap()).unwrap();
            let body: Value = serde_json::from_slice(&body).unwrap();
            let request = &vector["request"];
            assert_eq!(body, json!({"action": "RETSAVE", "data": request["data"], "hmac": request["hmac"]}));
        }
        let evc = &vectors["evc"];
        let (sid, json) = (text(&evc["sid"]), text(&evc["summary_json"]));
        let (pan, otp) = sid.split_once('|').unwrap();
        let (sek, pan) = (Sek::from_bytes([1; 32]), pan.parse().unwrap());
        let call = ApiCall::post("p", "RETFILE").payload_text(json.as_str());
        let body = call.sign_with_evc(&pan, &format!("{otp}\n")).seal(&sek).unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        let data = sek.encrypt_request(json.as_bytes()).data;
        assert_eq!(
            body,
            json!({"action": "RETFILE", "data": data, "st": "EVC", "sid": sid, "sign": evc["sign"]})
        );
    }

    #[test]
    fn what_would_be_passed_over_is_refused() {
        let refused = |call: ApiCall| call.check().unwrap_err().to_string();
        let pan = "AANCS2882A".parse().unwrap();
        for path in ["", "a//b", "a/../b", "a/.", "a?x=y", "a#b", "a b", "http://host/a", "a/\u{e9}", "a/"] {
            assert!(refused(ApiCall::get(path, "A")).contains("is no path"), "{path}");
        }
        assert!(refused(ApiCall::post("p", "RETFILE").sign_with_evc(&pan, "1")).contains("no payload"));
        let public = ApiCall::post("commonapi/v1.0/p", "A").payload_text("{}");
        assert!(refused(public.sign_with_evc(&pan, "1")).contains("public"));
        ApiCall::post("/taxpayerapi/v4.1/returns/gstr1", "A").check().unwrap();
    }

    #[test]
    fn debug_shows_neither_payload_nor_otp() {
        let call = ApiCall::put("p", "RETSAVE").payload_text("{\"hidden\":1}");
        let call = call.sign_with_evc(&"AANCS2882A".parse().unwrap(), "hidden");
        assert!(!format!("{call:?}").contains("hidden"));
    }
}
