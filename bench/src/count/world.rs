//! A gateway with all that a call passes in production: limits, a strict ledger, metrics, the log. And two ASPs: one that may
//! call, and one that has used up its day.

use std::path::Path;

use gstn::crypto::{AspSecret, PrivateKey, base64, getkey_sign};
use gstn::getkey::{GetKeyRequest, GetKeyStamp};
use gstn::{AspId, Environment};
use serde_json::Value;
use suvidha_gateway::config::{AspLimits, Config, EnvironmentConfig, Ledger, Upstream};
use suvidha_gateway::{Gateway, Running, mint_session};
use suvidha_seam::Seam;
use suvidha_store::{Limit, NewAsp, NewToken, Registry, SealingKeys, SecretString};

use crate::Failure;
use crate::log;
use crate::wire::{Caller, start_gstn};

const ENVIRONMENT: Environment = Environment::Sandbox;

/// How long a session lasts.
const VALIDITY_MIN: u16 = 360;

/// Headers that say who calls.
pub(crate) type Identity = Vec<(&'static str, String)>;

/// The gateway, and what its ASPs have.
pub(crate) struct World {
    pub(crate) caller: Caller,
    /// Identifies the one that may call.
    pub(crate) token: Identity,
    /// Identifies the one that may not.
    pub(crate) exhausted: Identity,
    aspid: AspId,
    secret: AspSecret,
    key: PrivateKey,
    registry: Registry,
    seam: Seam,
    /// Serves until this is dropped.
    _gateway: Running,
}

impl World {
    /// Starts it, with its files in `directory`.
    pub(crate) fn start(directory: &Path) -> Result<Self, Failure> {
        let seam = Seam::system();
        log::start(&seam)?;
        let keys = SealingKeys::create_file(&directory.join("sealing.key"), &seam)?;
        let registry = Registry::open(&directory.join("registry.sqlite"), keys, seam.clone())?;
        let (aspid, token) = add_asp(&registry)?;
        let secret = registry.enrol(&aspid, ENVIRONMENT)?.secret;
        let key = key()?;
        registry.add_certificate(&aspid, ENVIRONMENT, key.public_key().spki_der())?;
        let (idle, exhausted) = add_asp(&registry)?;
        registry
            .change_limits(&idle, ENVIRONMENT, None, |limits| limits.per_day = Some(Limit::at_most(1)))?;

        let gateway = Gateway::start(configuration(directory)?, registry.clone(), seam.clone())?;
        let address = gateway.address(ENVIRONMENT).ok_or("the gateway listens nowhere")?;
        let caller = Caller::connect(address)?;
        let secret = AspSecret::try_from_slice(secret.expose().as_bytes())?;
        Ok(Self { caller, token, exhausted, aspid, secret, key, registry, seam, _gateway: gateway })
    }

    /// A GetKey request of this moment.
    pub(crate) fn getkey(&self) -> Result<Vec<u8>, Failure> {
        let timestamp = GetKeyStamp::at(self.seam.now(), self.seam.random()).to_string();
        let signed_content = getkey_sign(&self.key, self.aspid.as_str(), &timestamp)?;
        let body = serde_json::to_string(&GetKeyRequest { timestamp, signed_content })?;
        Ok(format!(
            "POST /aspapi/v1.0/getKey HTTP/1.1\r\nhost: gateway\r\naspid: {}\r\ntxn: count\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.aspid,
            body.len()
        )
        .into_bytes())
    }

    /// Identifies the one that may call by a session of its own. It is made without a call, which would be counted.
    pub(crate) fn session(&self) -> Result<Identity, Failure> {
        let (snapshot, now) = (self.registry.snapshot()?, self.seam.now());
        let master =
            snapshot.minting_key(ENVIRONMENT, now).ok_or("there is no key to make sessions under")?;
        let (id, key) = mint_session(master, ENVIRONMENT, &self.aspid, now, VALIDITY_MIN, self.seam.random());
        let header = key.seal_asp_secret(&self.secret);
        Ok(vec![("aspid", self.aspid.to_string()), ("session-id", id), ("asp-secret", header)])
    }
}

/// The published key of the tests: making one takes long under callgrind.
pub(crate) fn key() -> Result<PrivateKey, Failure> {
    let vectors: Value = serde_json::from_str(include_str!("../../../crates/gstn/tests/data/vectors.json"))?;
    let der = vectors["getkey"]["asp_private_key_pkcs8_der_b64"].as_str().ok_or("no key in vectors.json")?;
    Ok(PrivateKey::from_pkcs8_der(&base64::decode_strict(der)?)?)
}

fn add_asp(registry: &Registry) -> Result<(AspId, Identity), Failure> {
    let asp = registry.add_asp(NewAsp {
        name: "Count".to_owned(),
        contact_name: "Asha".to_owned(),
        email: "asha@example.com".to_owned(),
        phone: "+91 12345 67890".to_owned(),
    })?;
    let new = NewToken { label: None, expires_at: None };
    let token = registry.issue_token(&asp.aspid, ENVIRONMENT, new)?.token;
    Ok((asp.aspid, vec![("x-ct-auth-token", token.expose().to_owned())]))
}

fn configuration(directory: &Path) -> Result<Config, Failure> {
    let mut sandbox = EnvironmentConfig::new(ENVIRONMENT, "127.0.0.1:0".parse()?);
    sandbox.upstream = Some(Upstream {
        url: format!("http://{}", start_gstn()?),
        ca_file: None,
        client_id: "l7xx0123456789abcdef0123456789abcdef".to_owned(),
        client_secret: SecretString::from("0123456789abcdef0123456789abcdef".to_owned()),
    });
    // Every limit there is, and none in the way.
    sandbox.limits = AspLimits {
        per_second: Some(1_000_000),
        concurrent: Some(1_000),
        per_day: Some(1_000_000_000),
        per_month: Some(1_000_000_000),
        ..AspLimits::default()
    };
    Ok(Config {
        threads: 1,
        ledger: Some(Ledger::new(directory)),
        environments: vec![sandbox],
        ..Config::default()
    })
}
