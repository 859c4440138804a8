//! GSTN as an ASP meets it: the log-in, encrypted bodies, encrypted answers, the EVC.

use gstn::crypto::{AppKey, PublicKey, Sek, base64, evc_sid, evc_sign};
use gstn::envelope::{AuthReply, Reply};
use gstn::{Gstin, SecretString, headers};
use http::Method;
use serde_json::{Map, Value, json};
use suvidha_seam::Seam;

use super::value::as_text;
use crate::exit::{Exit, Failure};
use crate::sandbox::http::{Http, NoAnswer};
use crate::sandbox::place::encoded;

/// Where GSTN is reached, and as whom.
pub(super) struct Access {
    base: String,
    headers: Vec<(String, String)>,
}

impl Access {
    /// Straight at GSTN, as a GSP.
    pub(super) fn gstn(base: &str, client_id: &str, client_secret: &SecretString) -> Self {
        let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let headers =
            vec![own(headers::CLIENT_ID, client_id), own(headers::CLIENT_SECRET, client_secret.expose())];
        Self { base: base.to_owned(), headers }
    }

    /// Through a gateway, as an ASP with a token.
    pub(super) fn gateway(base: &str, token: &SecretString) -> Self {
        let headers = vec![("x-ct-auth-token".to_owned(), token.expose().to_owned())];
        Self { base: base.to_owned(), headers }
    }
}

/// The way to GSTN.
pub(super) struct Wire {
    http: Http,
    access: Access,
    certificate: PublicKey,
}

/// A taxpayer of the scenario.
pub(super) struct Party {
    pub(super) gstin: Gstin,
    pub(super) username: String,
    pub(super) otp: String,
    pub(super) session: Option<Session>,
}

/// A party's session at GSTN.
pub(super) struct Session {
    auth_token: String,
    sek: Sek,
}

/// A call to be made.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    /// Below the version: `returns/gstr1`; with family and version before it where they matter: `commonapi/search`,
    /// `v4.2/returns/gstr2b`.
    pub(super) path: &'a str,
    pub(super) action: &'a str,
    pub(super) period: Option<&'a str>,
    pub(super) query: Option<&'a Map<String, Value>>,
    pub(super) headers: Option<&'a Map<String, Value>>,
    pub(super) payload: Option<&'a Value>,
    /// The form for which it is signed by EVC.
    pub(super) sign: Option<&'a str>,
}

/// What came of a call.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The decrypted answer.
    Answered(Value),
    /// GSTN's refusal, or the gateway's.
    Refused { code: String, message: String },
    /// No answer of GSTN's.
    Lost(String),
}

impl Party {
    pub(super) fn pan(&self) -> &str {
        self.gstin.as_str().get(2..12).unwrap_or_default()
    }
}

impl Wire {
    pub(super) fn new(access: Access, certificate: &[u8]) -> Result<Self, Failure> {
        let certificate = PublicKey::from_any(certificate)
            .map_err(|e| Failure::new(Exit::Data, format_args!("the certificate of the sandbox: {e}")))?;
        Ok(Self { http: Http::new()?, access, certificate })
    }

    /// Logs a party in by its OTP.
    pub(super) fn login(&self, party: &mut Party, seam: &Seam) -> Result<Outcome, Failure> {
        let app_key = AppKey::from_bytes(seam.random());
        let sealed =
            app_key.encrypt_for(&self.certificate).map_err(|_| crypto("the app key cannot be encrypted"))?;
        let asked = json!({ "action": "OTPREQUEST", "app_key": sealed, "username": party.username });
        let otp = app_key.encrypt_otp(&party.otp);
        let token =
            json!({ "action": "AUTHTOKEN", "app_key": sealed, "username": party.username, "otp": otp });
        for (body, ends) in [(asked, false), (token, true)] {
            let path = "/taxpayerapi/v1.0/authenticate";
            let answer = self.exchange(&Method::POST, path, self.headers(party, None, false), Some(&body));
            let answer = match answer {
                Outcome::Answered(answer) => answer,
                other => return Ok(other),
            };
            if ends {
                let reply: AuthReply = serde_json::from_value(answer)
                    .map_err(|e| Failure::new(Exit::Protocol, format_args!("the answer to a log-in: {e}")))?;
                let sek =
                    app_key.open_sek(&reply.sek).map_err(|_| crypto("the session key does not open"))?;
                party.session = Some(Session { auth_token: reply.auth_token, sek });
            }
        }
        Ok(Outcome::Answered(Value::Null))
    }

    /// Makes a call, as `party` where it needs a taxpayer.
    pub(super) fn call(&self, party: Option<&Party>, call: &Call<'_>) -> Result<Outcome, Failure> {
        if let (Some(form), Some(party)) = (call.sign, party) {
            let target = format!(
                "/taxpayerapi/v1.0/authenticate?action=EVCOTP&gstin={}&pan={}&form_type={}",
                party.gstin,
                party.pan(),
                encoded(form)
            );
            match self.exchange(&Method::GET, &target, self.headers(party, None, true), None) {
                Outcome::Answered(_) => {}
                other => return Ok(other),
            }
        }
        let mut headers = match party {
            Some(party) => self.headers(party, call.period, true),
            None => self.access.headers.clone(),
        };
        headers
            .extend(call.headers.into_iter().flatten().map(|(name, value)| (name.clone(), as_text(value))));
        let sek = party.and_then(|party| party.session.as_ref()).map(|session| &session.sek);
        let body = match call.method {
            Method::GET => None,
            _ => Some(body(call, party, sek)?),
        };
        let answered = self.exchange(&call.method, &target(call, party), headers, body.as_ref());
        let Outcome::Answered(envelope) = answered else { return Ok(answered) };
        opened(envelope, sek)
    }

    fn headers(&self, party: &Party, period: Option<&str>, logged_in: bool) -> Vec<(String, String)> {
        let mut all = self.access.headers.clone();
        let mut add = |name: &str, value: &str| all.push((name.to_owned(), value.to_owned()));
        add(headers::GSTIN, party.gstin.as_str());
        add(headers::STATE_CD, party.gstin.state().as_str());
        add(headers::IP_USR, "127.0.0.1");
        add(headers::TXN, "scenario");
        add(headers::USERNAME, &party.username);
        if let Some(period) = period {
            add(headers::RET_PERIOD, period);
        }
        if let Some(session) = party.session.as_ref().filter(|_| logged_in) {
            add(headers::AUTH_TOKEN, &session.auth_token);
        }
        all
    }

    /// One exchange: the envelope of a success, or why there is none.
    fn exchange(
        &self,
        method: &Method,
        target: &str,
        headers: Vec<(String, String)>,
        body: Option<&Value>,
    ) -> Outcome {
        let body = body.map(|body| body.to_string().into_bytes());
        let answer = match self.http.send(&self.access.base, method, target, &headers, body) {
            Ok(answer) => answer,
            Err(NoAnswer::Unreachable(why) | NoAnswer::BrokenOff(why)) => return Outcome::Lost(why),
        };
        let Ok(envelope) = serde_json::from_slice::<Value>(&answer.body) else {
            return Outcome::Lost(format!("HTTP {} without JSON", answer.status.as_u16()));
        };
        match envelope["error"]["error_cd"].as_str() {
            Some(code) => Outcome::Refused {
                code: code.to_owned(),
                message: envelope["error"]["message"].as_str().unwrap_or_default().to_owned(),
            },
            None => Outcome::Answered(envelope),
        }
    }
}

/// The path and the query: on a reading call with what goes along by itself, unless the call has it.
fn target(call: &Call<'_>, party: Option<&Party>) -> String {
    let path = call.path.trim_matches('/');
    let (family, path) = match path.strip_prefix("commonapi/") {
        Some(path) => ("commonapi", path),
        None => ("taxpayerapi", path.trim_start_matches("taxpayerapi/")),
    };
    let path = match path.split_once('/') {
        Some((version, rest)) if is_version(version) => format!("/{family}/{version}/{rest}"),
        _ => format!("/{family}/v1.1/{path}"),
    };
    let mut pairs: Vec<(&str, String)> =
        call.query.into_iter().flatten().map(|(name, value)| (name.as_str(), as_text(value))).collect();
    if call.method == Method::GET {
        let own = [
            ("action", Some(call.action.to_owned())),
            ("gstin", party.map(|party| party.gstin.to_string())),
            ("ret_period", call.period.map(str::to_owned)),
        ];
        for (name, value) in own {
            let has_it = call.query.is_some_and(|query| query.contains_key(name));
            if let Some(value) = value.filter(|_| !has_it) {
                pairs.push((name, value));
            }
        }
    }
    let query: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) }
}

/// `v4.2`, which a few answers depend on.
fn is_version(segment: &str) -> bool {
    let number = segment.strip_prefix('v').unwrap_or_default();
    !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// The body: the payload under the session's key, with an HMAC over it or with a signature.
fn body(call: &Call<'_>, party: Option<&Party>, sek: Option<&Sek>) -> Result<Value, Failure> {
    let mut body = json!({ "action": call.action });
    let (Some(payload), Some(party)) = (call.payload, party) else { return Ok(body) };
    let sek = sek.ok_or_else(|| Failure::new(Exit::Data, "the party has not logged in"))?;
    let json = payload.to_string();
    let sealed = sek.encrypt_request(json.as_bytes());
    body["data"] = sealed.data.into();
    if call.sign.is_some() {
        let (pan, otp) = (party.pan(), &party.otp);
        body["sign"] = evc_sign(pan, otp, &base64::encode(&json)).into();
        body["st"] = "EVC".into();
        body["sid"] = evc_sid(pan, otp).into();
    } else {
        body["hmac"] = sealed.hmac.into();
    }
    Ok(body)
}

/// The payload of an envelope; an envelope without one as it is.
fn opened(envelope: Value, sek: Option<&Sek>) -> Result<Outcome, Failure> {
    let wrong = |what: &str| Failure::new(Exit::Protocol, what);
    let reply: Reply =
        serde_json::from_value(envelope.clone()).map_err(|_| wrong("the answer has not GSTN's form"))?;
    let Some(data) = reply.data.as_deref() else { return Ok(Outcome::Answered(envelope)) };
    let payload = match (&reply.rek, sek) {
        (Some(_), Some(sek)) => match sek.open_reply(&reply) {
            Ok(payload) => payload,
            Err(_) => return Ok(Outcome::Lost("the answer does not open, or its HMAC is wrong".to_owned())),
        },
        _ => base64::decode_lenient(data).map_err(|_| wrong("the answer's data is no base64"))?,
    };
    serde_json::from_slice(&payload)
        .map(Outcome::Answered)
        .map_err(|_| wrong("what the answer holds is no JSON"))
}

fn crypto(what: &str) -> Failure {
    Failure::new(Exit::Protocol, what)
}
