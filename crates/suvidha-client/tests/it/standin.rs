//! A stand-in for a gateway with GSTN behind it: just enough of both to hold the client to the protocol.
//!
//! The cryptography is real; what it knows of GST is next to nothing. It keeps every call for a test to look at.

pub(crate) mod getkey;
mod script;

use std::collections::{HashMap, HashSet, VecDeque};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use getkey::GetKey;
use gstn::crypto::{AppKey, PrivateKey, Rek, Sek, base64, evc_verify};
use gstn::envelope::{AuthRequest, Request};
use http::{HeaderMap, Method, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use suvidha_client::{Credentials, Gsp, GspBuilder, Taxpayer};
use tokio::net::TcpListener;

pub(crate) use script::Scripted;

pub(crate) const TOKEN: &str = "svd_sbx_marker-token";
pub(crate) const GSTIN: &str = "33AANCS2882A1ZG";
pub(crate) const USERNAME: &str = "TN_NT2.2265";
pub(crate) const OTP: &str = "575757";
pub(crate) const PAN: &str = "AANCS2882A";
pub(crate) const ARN: &str = "AA3304260000018";

/// What goes wrong on the way back, from the next reply on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tampering {
    WrongHmac,
    NoHmac,
    RekOfAnotherSession,
    DataCutShort,
}

/// A call as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) connection: usize,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: HashMap<String, String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Call {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// GSTN's name of the action; of GetKey, which is the gateway's own, its name.
    pub(crate) fn action(&self) -> String {
        if self.path.ends_with("/getKey") {
            return "GETKEY".to_owned();
        }
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let action = body["action"].as_str().map(str::to_owned);
        action.or_else(|| self.query.get("action").cloned()).unwrap_or_default()
    }
}

#[derive(Default)]
pub(crate) struct State {
    key: Option<PrivateKey>,
    /// By `auth-token`.
    sessions: HashMap<String, (AppKey, Sek)>,
    /// Tokens that GSTN takes for nothing but REFRESHTOKEN.
    tired: HashSet<String>,
    pub(crate) getkey: GetKey,
    /// GSTN's answer to every call within a session, or to REFRESHTOKEN alone, where it is a "no".
    pub(crate) session_refusal: Option<&'static str>,
    pub(crate) refresh_refusal: Option<&'static str>,
    serial: u32,
    pub(crate) connections: usize,
    pub(crate) calls: Vec<Call>,
    pub(crate) certificates_served: usize,
    /// What GSTN decrypted from the last save.
    pub(crate) saved: Option<Vec<u8>>,
    /// Statuses that RETSTATUS goes through; the last one stays.
    pub(crate) statuses: Vec<Value>,
    pub(crate) tampering: Option<Tampering>,
    /// What the API's paths begin with; the certificate lies at the root all the same.
    pub(crate) api_prefix: &'static str,
    /// What the test has written itself, by action or path.
    scripts: HashMap<String, VecDeque<Scripted>>,
}

#[derive(Clone)]
pub(crate) struct StandIn {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
}

/// An answer: HTTP status and body.
type Reply = (u16, Value);

impl StandIn {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let state = State {
            key: Some(PrivateKey::generate_2048()),
            statuses: vec![json!({"form_typ": "R1", "status_cd": "P", "action": "SAVE"})],
            ..State::default()
        };
        let standin = Self { address: listener.local_addr().unwrap(), state: Arc::new(Mutex::new(state)) };
        tokio::spawn(standin.clone().serve(listener));
        standin
    }

    async fn serve(self, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            let connection = {
                let mut state = self.state();
                state.connections += 1;
                state.connections
            };
            let this = self.clone();
            let service = service_fn(move |request: http::Request<Incoming>| {
                let this = this.clone();
                async move { Ok::<_, Infallible>(this.answer(connection, request).await) }
            });
            tokio::spawn(
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
            );
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn gsp_builder(&self) -> GspBuilder {
        Gsp::builder(format!("http://{}", self.address)).credentials(Credentials::token(TOKEN))
    }

    pub(crate) fn gsp(&self) -> Gsp {
        self.gsp_builder().build().unwrap()
    }

    /// A client that identifies itself by GetKey.
    pub(crate) fn getkey_builder(&self) -> GspBuilder {
        self.gsp_builder().credentials(getkey::credentials(getkey::ASP_SECRET, &getkey::ASP_KEY))
    }

    /// The sample taxpayer, logged in.
    pub(crate) async fn taxpayer(&self, gsp: &Gsp) -> Taxpayer {
        let taxpayer = gsp.taxpayer(GSTIN.parse().unwrap(), USERNAME);
        taxpayer.request_otp().await.unwrap().verify(OTP).await.unwrap();
        taxpayer
    }

    /// GSTN changes its certificate, as it does every year.
    pub(crate) fn change_certificate(&self) {
        self.state().key = Some(PrivateKey::generate_2048());
    }

    pub(crate) fn certificate(&self) -> String {
        self.state().key.as_ref().unwrap().public_key().spki_pem()
    }

    /// GSTN ends every session.
    pub(crate) fn end_sessions(&self) {
        self.state().sessions.clear();
    }

    /// GSTN takes no token for a call any more, but still refreshes them.
    pub(crate) fn tire_sessions(&self) {
        let mut state = self.state();
        state.tired = state.sessions.keys().cloned().collect();
    }

    /// The actions of the calls so far, oldest first.
    pub(crate) fn actions(&self) -> Vec<String> {
        self.state().calls.iter().map(Call::action).collect()
    }

    /// How many calls there were with this action.
    pub(crate) fn count(&self, action: &str) -> usize {
        self.actions().iter().filter(|found| *found == action).count()
    }

    pub(crate) fn last_call(&self) -> Call {
        self.state().calls.last().unwrap().clone()
    }

    async fn answer(&self, connection: usize, request: http::Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let query = head.uri.query().unwrap_or_default().split('&').filter_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            Some((name.to_owned(), value.to_owned()))
        });
        let call = Call {
            connection,
            method: head.method,
            path: head.uri.path().to_owned(),
            query: query.collect(),
            headers: head.headers,
            body,
        };
        let gate = self.state().getkey.gate.clone().filter(|_| call.path.ends_with("/getKey"));
        if let Some(gate) = gate {
            gate.acquire().await.unwrap().forget();
        }
        let mut state = self.state();
        if call.path == "/certificates/gstn.pem" {
            state.certificates_served += 1;
            let pem = state.key.as_ref().unwrap().public_key().spki_pem();
            return Response::new(Full::new(Bytes::from(pem)));
        }
        state.calls.push(call.clone());
        if let Some(response) = state.scripted(&call) {
            return response;
        }
        let (status, body) = state.answer(&call).unwrap_or_else(|no| no);
        let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        response.headers_mut().insert("x-request-id", "01900000-request".parse().unwrap());
        if let Some(date) = state.getkey.date.or(state.getkey.now) {
            let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&date).unwrap();
            response.headers_mut().insert("date", date.parse().unwrap());
        }
        response
    }
}

fn no(code: &str, message: &str) -> Reply {
    (200, json!({"status_cd": "0", "error": {"error_cd": code, "message": message}}))
}

impl State {
    fn answer(&mut self, call: &Call) -> Result<Reply, Reply> {
        let Some(path) = call.path.strip_prefix(self.api_prefix) else {
            return Err((404, json!({"not": "here"})));
        };
        if path == "/aspapi/v1.0/getKey" {
            return self.getkey.answer(call);
        }
        if !call.header("session-id").is_empty() {
            self.getkey.identify(call)?;
        } else if call.header("x-ct-auth-token") != TOKEN {
            let error = json!({"error_cd": "GSP602", "message": "The token is not known.", "origin": "gsp",
                "retryable": false, "remedy": "Ask the operator for a token.", "request_id": "body"});
            return Err((401, json!({"status_cd": "0", "error": error})));
        }
        match path {
            "/taxpayerapi/v1.0/authenticate" => self.authenticate(call),
            "/commonapi/v1.1/search" => Ok(search(call)),
            "/taxpayerapi/v1.1/returns" => {
                let sek = self.sek(call)?;
                if !call.query["ref_id"].starts_with("ref-") {
                    return Err(no("RET13508", "No Details Found for the Provided Inputs"));
                }
                let status =
                    if self.statuses.len() > 1 { self.statuses.remove(0) } else { self.statuses[0].clone() };
                Ok(self.sealed(&sek, status.to_string().as_bytes()))
            }
            _ if path.starts_with("/taxpayerapi/") => self.returns(call),
            _ => Err((
                404,
                json!({"status_cd": "0", "error": {"error_cd": "GSP620", "message": "no such path"}}),
            )),
        }
    }

    fn authenticate(&mut self, call: &Call) -> Result<Reply, Reply> {
        if call.action() == "EVCOTP" {
            self.sek(call)?;
            let complete = call.query["pan"] == PAN && call.query["form_type"] == "R1";
            return Ok(if complete { (200, json!({"status_cd": "1"})) } else { no("OTP0001", "incomplete") });
        }
        let request: AuthRequest =
            serde_json::from_slice(&call.body).map_err(|_| no("AUTH4040", "malformed"))?;
        assert!(request.username.is_some_and(|username| username.starts_with(USERNAME)));
        let sealed = request.app_key.as_deref().ok_or_else(|| no("AUTH4036", "no app key"))?;
        if request.action == "REFRESHTOKEN" {
            if let Some(code) = self.refresh_refusal {
                return Err(no(code, "No refresh"));
            }
            let token = request.auth_token.unwrap();
            let (_, sek) = self.sessions.remove(&token).ok_or_else(|| no("AUTH4038", "Session Expired"))?;
            let app_key =
                sek.open_app_key(sealed).map_err(|_| no("AUTH4036", "app key not under the SEK"))?;
            return Ok(self.new_session(app_key));
        }
        let app_key = AppKey::open(sealed, self.key.as_ref().unwrap());
        let app_key = app_key.map_err(|_| no("TEC4002", "Invalid Data Format"))?;
        match request.action.as_str() {
            "OTPREQUEST" => Ok((200, json!({"status_cd": "1"}))),
            "AUTHTOKEN" => match app_key.decrypt_otp(&request.otp.unwrap()) {
                Ok(otp) if *otp == OTP => Ok(self.new_session(app_key)),
                _ => Err(no("AUTH4034", "Invalid OTP")),
            },
            "LOGOUT" => match self.sessions.remove(&request.auth_token.unwrap()) {
                Some(_) => Ok((200, json!({"status_cd": "1"}))),
                None => Err(no("AUTH4033", "Invalid Session")),
            },
            _ => Err(no("AUTH4035", "Invalid Request Action")),
        }
    }

    fn new_session(&mut self, app_key: AppKey) -> Reply {
        self.serial += 1;
        let sek = Sek::from_bytes([0x40 + u8::try_from(self.serial).unwrap(); 32]);
        let auth_token = format!("{:032x}", self.serial);
        let reply =
            json!({"status_cd": "1", "auth_token": auth_token, "expiry": 360, "sek": app_key.seal_sek(&sek)});
        self.sessions.insert(auth_token, (app_key, sek));
        (200, reply)
    }

    fn sek(&self, call: &Call) -> Result<Sek, Reply> {
        if let Some(code) = self.session_refusal {
            return Err(no(code, "No call"));
        }
        let complete = call.header("username").starts_with(USERNAME) && call.header("gstin") == GSTIN;
        let token = call.header("auth-token");
        let session = self.sessions.get(token).filter(|_| complete && !self.tired.contains(token));
        session.map(|(_, sek)| sek.clone()).ok_or_else(|| no("AUTH4033", "Invalid Session"))
    }

    fn returns(&mut self, call: &Call) -> Result<Reply, Reply> {
        let sek = self.sek(call)?;
        if call.header("ret_period") != "042026" || call.header("state-cd") != "33" {
            return Err(no("RET11420", "Invalid API Header value"));
        }
        let payload = match serde_json::from_slice::<Request>(&call.body) {
            Ok(request) if request.sign.is_none() => {
                let sealed = (request.data.unwrap(), request.hmac.unwrap());
                sek.decrypt_request(&sealed.0, Some(&sealed.1))
                    .map_err(|_| no("AUTH4039", "Invalid Data Object"))?
            }
            Ok(request) => return Ok(self.file(&sek, request)),
            Err(_) => Vec::new(),
        };
        let reply = match (call.method.as_str(), call.action().as_str()) {
            ("PUT", "RETSAVE") => {
                self.saved = Some(payload);
                json!({"reference_id": "ref-save"}).to_string()
            }
            ("POST", "RESET") => {
                self.saved = None;
                json!({"reference_id": "ref-reset"}).to_string()
            }
            ("POST", "RETNEWPTF") => {
                let payload: Value = serde_json::from_slice(&payload).unwrap();
                assert_eq!(payload, json!({"gstin": GSTIN, "ret_period": "042026", "isnil": "N"}));
                json!({"reference_id": "ref-ptf"}).to_string()
            }
            ("GET", "RETSUM") => summary().to_owned(),
            ("GET", _) => match &self.saved {
                Some(saved) => String::from_utf8(saved.clone()).unwrap(),
                None => return Err(no("RET13510", "No record found")),
            },
            _ => return Err(no("RET11403", "Invalid API Request")),
        };
        Ok(self.sealed(&sek, reply.as_bytes()))
    }

    /// The signature must be over exactly what the data decrypts to, and that must be the summary as it was given.
    fn file(&self, sek: &Sek, request: Request) -> Reply {
        let text = sek.decrypt_request_text(&request.data.unwrap(), None).unwrap();
        assert_eq!(base64::decode_strict(text.as_bytes()).unwrap(), summary().as_bytes());
        assert_eq!((request.st.as_deref(), request.hmac), (Some("EVC"), None));
        let sid = request.sid.unwrap();
        let (pan, otp) = sid.split_once('|').unwrap();
        if pan != PAN || otp != OTP || evc_verify(pan, otp, &text, &request.sign.unwrap()).is_err() {
            return no("RET13509", "OTP is either expired or incorrect");
        }
        self.sealed(sek, json!({"ack_num": ARN}).to_string().as_bytes())
    }

    fn sealed(&self, sek: &Sek, json: &[u8]) -> Reply {
        let rek = Rek::from_bytes([0x33; 32]);
        let sealed = rek.encrypt_reply(json);
        let mut reply =
            json!({"status_cd": "1", "data": sealed.data, "rek": sek.seal_rek(&rek), "hmac": sealed.hmac});
        match self.tampering {
            None => (),
            Some(Tampering::WrongHmac) => reply["hmac"] = base64::encode([0; 32]).into(),
            Some(Tampering::NoHmac) => drop(reply.as_object_mut().unwrap().remove("hmac")),
            Some(Tampering::RekOfAnotherSession) => {
                reply["rek"] = Sek::from_bytes([9; 32]).seal_rek(&rek).into()
            }
            Some(Tampering::DataCutShort) => reply["data"] = base64::encode([7; 16]).into(),
        }
        (200, reply)
    }
}

/// Written in an order and with spaces that no serialiser of ours would give back.
fn summary() -> &'static str {
    r#"{"ret_period" : "042026", "gstin":"33AANCS2882A1ZG","chksum":"abc", "sec_sum":[{"sec_nm":"B2B","ttl_val":118.00}]}"#
}

fn search(call: &Call) -> Reply {
    match call.query.get("gstin").map(String::as_str) {
        Some(GSTIN) => {
            let data = base64::encode(
                json!({"gstin": GSTIN, "lgnm": "Sample Traders", "sts": "Active"}).to_string(),
            );
            (200, json!({"status_cd": "1", "data": data}))
        }
        _ => no("FO8000", "No records found"),
    }
}
