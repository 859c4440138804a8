//! An ASP that is enrolled for GetKey, and what its program does.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use gstn::crypto::{AspEk, AspSecret, PrivateKey, getkey_sign};
use gstn::getkey::GetKeyStamp;
use gstn::{AspId, Environment};
use jiff::Timestamp;
use serde_json::{Value, json};
use suvidha_gateway::config::Config;
use suvidha_seam::{ManualClock, Seam, SystemRng};
use suvidha_store::Registry;

use crate::asp::{Answer, Asp};
use crate::stage::{self, Production, Sandbox, Stage, request};

/// 22-11-2026 10:15:30 in India.
pub(crate) const NOW: &str = "2026-11-22T04:45:30Z";

/// A call for GSTN.
pub(crate) const PATH: &str = "/taxpayerapi/v1.0/returns";

/// The published key of vectors.json.
pub(crate) static KEY: LazyLock<PrivateKey> = LazyLock::new(|| {
    let der =
        gstn::crypto::base64::decode_strict(vectors()["asp_private_key_pkcs8_der_b64"].as_str().unwrap());
    PrivateKey::from_pkcs8_der(&der.unwrap()).unwrap()
});

/// Some other key.
pub(crate) static ANOTHER_KEY: LazyLock<PrivateKey> = LazyLock::new(PrivateKey::generate_2048);

/// Section `getkey` of vectors.json.
pub(crate) fn vectors() -> Value {
    let all: Value = serde_json::from_str(include_str!("../../../gstn/tests/data/vectors.json")).unwrap();
    all["getkey"].clone()
}

/// A stage whose ASP signs with [`KEY`] and is enrolled in the sandbox; production has the same GSTN.
pub(crate) struct Enrolled {
    pub(crate) stage: Stage,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) secret: AspSecret,
}

/// What GetKey gave, and to whom.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) aspid: AspId,
    pub(crate) id: String,
    pub(crate) asp_secret: String,
}

/// A GetKey call.
#[derive(Clone)]
pub(crate) struct Message {
    pub(crate) headers: String,
    pub(crate) timestamp: String,
    pub(crate) signed_content: String,
}

pub(crate) fn enrolled(upstream: SocketAddr) -> Enrolled {
    enrolled_with(upstream, |_| (), |_, _| ())
}

/// With a configuration and a registry of the story's choice.
pub(crate) fn enrolled_with(
    upstream: SocketAddr,
    change: impl FnOnce(&mut Config),
    prepare: impl FnOnce(&Registry, &AspId),
) -> Enrolled {
    let clock = Arc::new(ManualClock::at(NOW.parse().unwrap()));
    let seam = Seam { clock: clock.clone(), rng: Arc::new(SystemRng) };
    let setting = stage::set_with(upstream, seam).with(|config| {
        config.environments[1].upstream = Some(stage::at(&format!("http://{upstream}")));
        // Stories try until the gateway has heard of a change, while the clock stands still.
        (config.getkey.failures_per_address, config.getkey.failures_per_asp) = (100_000, 100_000);
        change(config);
    });
    let mut secret = None;
    let stage = setting.start_after(|registry, aspid| {
        secret = Some(enrol(registry, aspid, Sandbox));
        registry.add_certificate(aspid, Sandbox, KEY.public_key().spki_der()).unwrap();
        prepare(registry, aspid);
    });
    Enrolled { stage, clock, secret: secret.unwrap() }
}

pub(crate) fn enrol(registry: &Registry, aspid: &AspId, environment: Environment) -> AspSecret {
    asp_secret(registry.enrol(aspid, environment).unwrap().secret.expose())
}

pub(crate) fn asp_secret(text: &str) -> AspSecret {
    AspSecret::try_from_slice(text.as_bytes()).unwrap()
}

/// The timestamp of `instant`, never the same twice.
pub(crate) fn stamp(instant: Timestamp) -> String {
    static STAMPS: AtomicU64 = AtomicU64::new(0);
    let mut number = STAMPS.fetch_add(1, Ordering::Relaxed);
    let nonce = std::array::from_fn(|_| {
        let digit = u8::try_from(number % 36).unwrap();
        number /= 36;
        digit
    });
    GetKeyStamp::at(instant, nonce).to_string()
}

impl Message {
    /// Signed by `key`, in the name of `aspid`.
    pub(crate) fn new(aspid: &AspId, key: &PrivateKey, timestamp: &str) -> Self {
        Self {
            headers: format!("aspid: {aspid}\r\ntxn: T-{timestamp}\r\n"),
            timestamp: timestamp.to_owned(),
            signed_content: getkey_sign(key, aspid.as_str(), timestamp).unwrap(),
        }
    }

    /// As if it came from there, if the stage believes it.
    pub(crate) fn from(mut self, address: &str) -> Self {
        self.headers += &format!("x-forwarded-for: {address}\r\n");
        self
    }

    pub(crate) fn body(&self) -> String {
        json!({"timestamp": self.timestamp, "signed_content": self.signed_content}).to_string()
    }
}

impl Session {
    pub(crate) fn headers(&self) -> String {
        format!("aspid: {}\r\nsession-id: {}\r\nasp-secret: {}\r\n", self.aspid, self.id, self.asp_secret)
    }
}

impl Enrolled {
    pub(crate) fn now(&self) -> Timestamp {
        Seam { clock: self.clock.clone(), rng: Arc::new(SystemRng) }.now()
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.stage.registry
    }

    pub(crate) fn aspid(&self) -> &AspId {
        &self.stage.aspid
    }

    /// A GetKey call as it should be.
    pub(crate) fn message(&self) -> Message {
        self.stamped(&stamp(self.now()))
    }

    pub(crate) fn stamped(&self, timestamp: &str) -> Message {
        Message::new(self.aspid(), &KEY, timestamp)
    }

    pub(crate) fn send(&self, message: &Message) -> Answer {
        self.send_in(Sandbox, message)
    }

    pub(crate) fn send_in(&self, environment: Environment, message: &Message) -> Answer {
        let post = request("POST", "/aspapi/v1.0/getKey", &message.headers, &message.body());
        Asp::connect(self.stage.address(environment)).send(post).read()
    }

    /// GetKey, and the session that it gives.
    #[track_caller]
    pub(crate) fn session(&self) -> Session {
        let answer = self.send(&self.message());
        assert_eq!(answer.status, 200, "{}", answer.text());
        self.opened(&answer.json()["enc_key"], &answer.json(), &self.secret)
    }

    /// The session of a reply, with `secret` shown under its key.
    pub(crate) fn opened(&self, enc_key: &Value, reply: &Value, secret: &AspSecret) -> Session {
        let key: AspEk = secret.open_session_key(enc_key.as_str().unwrap()).unwrap();
        Session {
            aspid: *self.aspid(),
            id: reply["session_id"].as_str().unwrap().to_owned(),
            asp_secret: key.seal_asp_secret(secret),
        }
    }

    /// A call for GSTN in the sandbox, with these header lines.
    pub(crate) fn call(&self, headers: &str) -> Answer {
        self.call_in(Sandbox, headers)
    }

    pub(crate) fn call_in(&self, environment: Environment, headers: &str) -> Answer {
        Asp::connect(self.stage.address(environment)).send(request("GET", PATH, headers, "")).read()
    }

    /// Waits until a call with these headers is answered with this status.
    #[track_caller]
    pub(crate) fn becomes(&self, headers: &str, status: u16) {
        assert!(stage::soon(|| self.call(headers).status == status), "{}", self.call(headers).text());
    }

    pub(crate) fn advance(&self, seconds: i64) {
        self.clock.advance(seconds * 1000);
    }
}

/// The environment in which nobody is enrolled.
pub(crate) const ELSEWHERE: Environment = Production;
