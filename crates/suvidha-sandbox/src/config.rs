//! What can be set about the simulated GSTN. Every default is what GSTN's own sandbox does, where that is known.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use gstn::{Environment, ReturnPeriod, SecretString};
use serde::Deserialize;

use crate::faults::NewFault;
use crate::rules::Rules;

/// The settings of a sandbox. Unknown keys are errors.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Must stay `sandbox`: the simulator refuses to start as anything else.
    pub environment: Environment,
    /// Where the database, the certificate and its private key are kept. Made when missing.
    pub data_dir: PathBuf,
    /// Where the simulated GSTN listens (plain HTTP). Port 0 means any free port.
    pub listen: SocketAddr,
    /// Where the management port listens (plain HTTP): keep it on a loopback address.
    pub management: SocketAddr,
    /// What the management port asks for.
    pub management_token: ManagementToken,
    /// The GSPs that may call, by the credentials GSTN would have given them.
    pub clients: Vec<ClientCredentials>,
    /// The users of the public APIs (`ACCESSTOKEN` on `/commonapi`).
    pub public_users: Vec<PublicUser>,
    /// How long asynchronous work takes.
    pub latency: Latency,
    /// When a list is too large for an answer, and how its files are given.
    pub files: Files,
    /// What a second save gets while the first one of the same return is still being processed.
    pub while_processing: WhileProcessing,
    /// Life of a session token in minutes.
    pub token_minutes: u32,
    /// How long a taxpayer's consent to API access lasts from the OTP on, in minutes, unless the taxpayer
    /// was created with another period: 360 (six hours) to 43200 (thirty days).
    pub consent_minutes: u32,
    /// Life of an OTP in minutes.
    pub otp_minutes: u32,
    /// The OTP that every taxpayer receives.
    pub otp: String,
    /// Live sessions that one user of one GSP may have for one GSTIN.
    pub session_limit: u32,
    /// What a login beyond `session_limit` does.
    pub at_session_limit: AtSessionLimit,
    /// Whether RETFILE checks the EVC signature (`sign`).
    pub evc_sign_check: bool,
    /// How a filing with a DSC is checked.
    pub dsc_check: DscCheck,
    /// Whether a `ret_period` header that differs from the period in the payload is refused with RET191136.
    /// Off by default: one client family sends today's month whatever it saves.
    pub strict_period_header: bool,
    /// Judge every return by the rules of this tax period (`MMYYYY`); by those of its own period when left out.
    pub rules_as_of: Option<ReturnPeriod>,
    /// Which rules hold; all of them by default.
    pub rules: Rules,
    /// How many days after its registration an e-invoice appears in GSTR-1.
    pub einvoice_delay_days: u16,
    /// Whether GSTR-2A shows rows that suppliers saved and did not file yet.
    pub twoa_shows_saved: bool,
    /// A GSTR-2B with more documents than this comes in parts, this many in each.
    pub twob_part_documents: usize,
    /// The largest request body taken, in bytes.
    pub max_body_bytes: usize,
    /// How many received calls the management port remembers.
    pub remembered_calls: usize,
    /// How many bytes of bodies and answers it remembers with them.
    pub remembered_bytes: usize,
    /// Answers hold nothing that no document knows, and a small share of calls fails in a way that a program overcomes by
    /// calling again.
    pub strict: bool,
    /// The fault plan to start with. Its rules take the place of those of an earlier plan; those that were added over the
    /// management port stay.
    pub faults: Vec<NewFault>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            environment: Environment::Sandbox,
            data_dir: PathBuf::from("suvidha-sandbox"),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 4010)),
            management: SocketAddr::from((Ipv4Addr::LOCALHOST, 4011)),
            management_token: ManagementToken::Kept,
            clients: Vec::new(),
            public_users: vec![PublicUser::new("suvidha", "suvidha")],
            latency: Latency::default(),
            files: Files::default(),
            while_processing: WhileProcessing::Refuse,
            token_minutes: 360,
            consent_minutes: 30 * 24 * 60,
            otp_minutes: 10,
            otp: "575757".into(),
            session_limit: 1,
            at_session_limit: AtSessionLimit::Replace,
            evc_sign_check: true,
            dsc_check: DscCheck::Lenient,
            strict_period_header: false,
            rules_as_of: None,
            rules: Rules::default(),
            einvoice_delay_days: 2,
            twoa_shows_saved: true,
            twob_part_documents: 1000,
            max_body_bytes: 16 * 1024 * 1024,
            remembered_calls: 10_000,
            remembered_bytes: 64 * 1024 * 1024,
            strict: false,
            faults: Vec::new(),
        }
    }
}

/// How long asynchronous work takes, counted on the real clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Latency {
    /// What every save and reset takes, in milliseconds.
    pub save_base_ms: u32,
    /// How many documents of a save are processed in a second, on top of the base. 0 means at once.
    pub rows_per_second: u32,
    /// What a proceed-to-file takes, in milliseconds.
    pub ptf_ms: u32,
    /// What setting off a GSTR-3B takes, in milliseconds.
    pub offset_ms: u32,
    /// What making a GSTR-2B anew takes, in milliseconds.
    pub gen2b_ms: u32,
    /// What a save or a reset in the invoice management system takes, in milliseconds.
    pub ims_ms: u32,
    /// What making the files of a large answer takes, in milliseconds.
    pub file_ms: u32,
}

impl Default for Latency {
    fn default() -> Self {
        Self::QUICK
    }
}

impl Latency {
    /// No waiting: work is done as soon as the worker gets to it.
    pub const NONE: Self = Self {
        save_base_ms: 0,
        rows_per_second: 0,
        ptf_ms: 0,
        offset_ms: 0,
        gen2b_ms: 0,
        ims_ms: 0,
        file_ms: 0,
    };
    /// Long enough to be seen, too short to wait for: for work at a screen.
    pub const QUICK: Self = Self {
        save_base_ms: 500,
        rows_per_second: 2000,
        ptf_ms: 500,
        offset_ms: 500,
        gen2b_ms: 500,
        ims_ms: 500,
        file_ms: 500,
    };
    /// As long as users of live GSTN report, at its best.
    pub const REALISTIC: Self = Self {
        save_base_ms: 2000,
        rows_per_second: 2000,
        ptf_ms: 3000,
        offset_ms: 3000,
        gen2b_ms: 5000,
        ims_ms: 2000,
        file_ms: 1000,
    };
}

/// When a list is too large for one answer, and how its files are given. Times count on the real clock.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Files {
    /// The most documents that one answer holds. With more, the answer is a token.
    pub limit: usize,
    /// The most documents in one file.
    pub per_archive: usize,
    /// For how long an address is served, in minutes; after that its list is forgotten.
    pub url_minutes: u32,
    /// How long GSTN says it will take, in minutes (`est`).
    pub estimate_minutes: u32,
}

impl Default for Files {
    fn default() -> Self {
        Self { limit: 10_000, per_archive: 10_000, url_minutes: 24 * 60, estimate_minutes: 0 }
    }
}

/// What a second save, reset or proceed-to-file gets while one of the same return is being processed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WhileProcessing {
    /// RTN_15, "Returns still under processing" (RET191251 while a reset runs).
    Refuse,
    /// It is taken and processed after the first, in the order of arrival.
    Queue,
}

/// What a login beyond the session limit does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AtSessionLimit {
    /// The oldest session ends and the new one lives.
    Replace,
    /// AUTH403: the login is refused.
    Refuse,
}

/// What the management port asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ManagementToken {
    /// The token in the file `management-token` of the data directory, made at first start with mode 0600.
    Kept,
    /// None: whoever reaches the port may use it.
    None,
}

/// How the signature of a filing with a DSC is checked. Documents and clients disagree on what is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DscCheck {
    /// Not at all.
    Off,
    /// The summary must be signed, in any of the forms that clients use. The certificate must be registered only if the
    /// taxpayer has registered one.
    Lenient,
    /// Signed are the 32 bytes of the digest, attached, by a registered certificate.
    Strict,
}

/// The credentials of a GSP.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientCredentials {
    /// Sent by the GSP in the header `clientid`.
    pub client_id: String,
    /// Sent by the GSP in the header `client-secret`.
    pub client_secret: SecretString,
}

impl ClientCredentials {
    /// Credentials from their two parts.
    pub fn new(client_id: impl Into<String>, client_secret: impl Into<String>) -> Self {
        Self { client_id: client_id.into(), client_secret: SecretString::new(client_secret) }
    }
}

/// A user of the public APIs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicUser {
    /// The user name.
    pub username: String,
    /// The password, in clear.
    pub password: SecretString,
}

impl PublicUser {
    /// A user from its two parts.
    pub fn new(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self { username: username.into(), password: SecretString::new(password) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_refused_and_a_missing_one_takes_its_default() {
        let read = |json: &str| serde_json::from_str::<Config>(json);
        let config = read(r#"{"token_minutes":5,"latency":{"ptf_ms":1}}"#).unwrap();
        assert_eq!((config.token_minutes, config.otp_minutes), (5, 10));
        assert_eq!((config.latency.ptf_ms, config.latency.save_base_ms), (1, 500));
        assert!(read(r#"{"tokenminutes":5}"#).unwrap_err().to_string().contains("tokenminutes"));
    }

    #[test]
    fn secrets_are_not_shown_by_debug() {
        let shown = format!("{:?}", ClientCredentials::new("l7xx01", "hush-hush"));
        assert!(shown.contains("l7xx01") && !shown.contains("hush-hush"), "{shown}");
    }
}
