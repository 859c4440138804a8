//! The ASP's side of GetKey over plain HTTP, step by step, for the stories of the gateway.

use gstn::crypto::{AspEk, AspSecret, PrivateKey, getkey_sign};
use gstn::getkey::GetKeyStamp;
use serde_json::{Value, json};
use suvidha_seam::Seam;

use crate::command::{Place, exchange, get};

/// An ASP with what it proves itself with.
#[derive(Clone)]
pub(crate) struct Asp {
    pub(crate) aspid: String,
    pub(crate) secret: AspSecret,
    pub(crate) password: String,
    pub(crate) key: PrivateKey,
}

/// A session, as calls present it.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) aspid: String,
    pub(crate) id: String,
    pub(crate) ek: AspEk,
    pub(crate) asp_secret: String,
}

/// What an ASP sends to get a session.
pub(crate) struct Signed {
    pub(crate) timestamp: String,
    pub(crate) signed_content: String,
}

impl Asp {
    /// Takes in an ASP with a key of its own, in the registry that `place` (such as `--config x.toml`) names.
    pub(crate) fn new(place: &Place, registry: &str) -> Self {
        let key = PrivateKey::generate_2048();
        let added = place.json(&format!(
            "asp add {registry} --name Tools --contact-name Asha --email a@example.in --phone +919876543210"
        ));
        let text = |name: &str| added[name].as_str().unwrap().to_owned();
        let aspid = text("aspid");
        let add = format!("asp cert add {aspid} - --environment sandbox {registry}");
        place.run_with_input(&add, &key.public_key().spki_pem()).succeeds();
        Self { aspid, secret: secret(&text("secret")), password: text("password"), key }
    }

    /// The demo ASP of `suvidha up`.
    pub(crate) fn demo(ready: &Value) -> Self {
        let text = |name: &str| ready["asp"][name].as_str().unwrap().to_owned();
        Self {
            aspid: text("aspid"),
            secret: secret(&text("secret")),
            password: text("password"),
            key: PrivateKey::from_pem(std::fs::read(text("private_key")).unwrap()).unwrap(),
        }
    }

    /// The same ASP with another secret.
    pub(crate) fn with_secret(&self, text: &str) -> Self {
        Self { secret: secret(text), ..self.clone() }
    }

    /// Signs the present time.
    pub(crate) fn sign(&self) -> Signed {
        let seam = Seam::system();
        let timestamp = GetKeyStamp::at(seam.now(), seam.random()).to_string();
        let signed_content = getkey_sign(&self.key, &self.aspid, &timestamp).unwrap();
        Signed { timestamp, signed_content }
    }

    /// Sends a GetKey call: the status and the body.
    pub(crate) fn send(&self, gateway: &str, signed: &Signed) -> (u16, Value) {
        let Signed { timestamp, signed_content } = signed;
        let body = json!({"timestamp": timestamp, "signed_content": signed_content}).to_string();
        let headers = format!("content-type: application/json\r\naspid: {}\r\ntxn: t1", self.aspid);
        exchange("POST", &format!("{gateway}/aspapi/v1.0/getKey"), &headers, &body)
    }

    /// Gets a session, which must be granted; nothing where our secret opens no key of the reply.
    #[track_caller]
    pub(crate) fn try_session(&self, gateway: &str) -> Option<Session> {
        let (status, reply) = self.send(gateway, &self.sign());
        assert_eq!((status, &reply["status_cd"]), (200, &"1".into()), "{reply}");
        let keys = ["enc_key", "enc_key_next"].map(|name| reply[name].as_str());
        let mut opened = keys.into_iter().flatten().filter_map(|key| self.secret.open_session_key(key).ok());
        let ek = opened.next()?;
        Some(Session {
            aspid: self.aspid.clone(),
            id: reply["session_id"].as_str().unwrap().to_owned(),
            asp_secret: ek.seal_asp_secret(&self.secret),
            ek,
        })
    }

    /// Gets a session, which must be granted.
    #[track_caller]
    pub(crate) fn session(&self, gateway: &str) -> Session {
        self.try_session(gateway).unwrap()
    }

    /// The code with which GetKey is refused.
    #[track_caller]
    pub(crate) fn refusal(&self, gateway: &str) -> String {
        let (status, reply) = self.send(gateway, &self.sign());
        assert_eq!((status / 100, &reply["status_cd"]), (4, &"0".into()), "{reply}");
        reply["error"]["error_cd"].as_str().unwrap().to_owned()
    }
}

fn secret(text: &str) -> AspSecret {
    AspSecret::try_from_slice(text.as_bytes()).unwrap()
}

impl Session {
    /// Searches a taxpayer of the simulated GSTN: the status and the body.
    pub(crate) fn search(&self, gateway: &str) -> (u16, Value) {
        let Self { aspid, id, asp_secret, .. } = self;
        let headers = format!("aspid: {aspid}\r\nsession-id: {id}\r\nasp-secret: {asp_secret}\r\ntxn: t2");
        get(&format!("{gateway}/commonapi/v1.1/search?action=TP&gstin=29DEMOS1234D1ZG"), &headers)
    }

    /// Whether a call is taken to GSTN.
    pub(crate) fn is_accepted(&self, gateway: &str) -> bool {
        let (status, answer) = self.search(gateway);
        let from_gstn = answer["error"].get("origin").is_none();
        assert!(status == 401 || (status == 200 && from_gstn), "{status} {answer}");
        status == 200
    }

    /// The code with which a call is refused.
    #[track_caller]
    pub(crate) fn refusal(&self, gateway: &str) -> String {
        let (status, answer) = self.search(gateway);
        assert_eq!(status, 401, "{answer}");
        answer["error"]["error_cd"].as_str().unwrap().to_owned()
    }
}
