//! What an operator may set. Every field has its unit in its name or its words, and a default where one makes sense.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use gstn::Environment;
use ipnet::IpNet;
use jiff::SignedDuration;
use serde::Deserialize;
use suvidha_store::SecretString;

mod admission;
mod aspapi;
mod ledger;
mod trace;

pub use admission::{AspLimits, Breaker, Ceiling, ChargeRule, Charging, LimitMode};
pub use aspapi::AspApi;
pub use ledger::{Durability, Ledger};
pub use trace::Trace;

/// The whole data plane.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How many threads serve calls, each with its own runtime and upstream connections. 0, the default: one
    /// per core.
    pub threads: usize,
    /// How much one call may ask for.
    pub limits: Limits,
    /// How long one phase of a call may take.
    pub timeouts: Timeouts,
    /// How ASPs get a session of ours.
    pub getkey: GetKey,
    /// How much ASPs may ask about themselves.
    pub aspapi: AspApi,
    /// What calls cost.
    pub charging: Charging,
    /// When GSTN is taken to be down.
    pub breaker: Breaker,
    /// Addresses of reverse proxies whose `X-Forwarded-For` is believed. Default: none.
    pub trusted_proxies: Vec<IpNet>,
    /// Where calls are recorded. Absent, the default: nowhere, and nothing waits for it.
    pub ledger: Option<Ledger>,
    /// Where calls are traced to. Absent, the default: nowhere, and no trace is passed on.
    pub trace: Option<Trace>,
    /// One entry for each environment that is to be served; at least one, and none twice.
    pub environments: Vec<EnvironmentConfig>,
}

/// How much one call may ask for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of a request line with its headers: 1,024 to 262,144. Default 32,768.
    pub head_bytes: usize,
    /// Headers of a request: 16 to 100. Default 100.
    pub headers: usize,
    /// Bytes of a request body. Default 134,217,728 (128 MiB).
    pub body_bytes: u64,
    /// Connections of ASPs that one environment holds at once; more wait to be accepted. Default 10,000. Each takes a
    /// file descriptor, and each call another one towards GSTN.
    pub connections: usize,
    /// Idle connections to GSTN kept open, per thread and environment. Default 64; 0 keeps none.
    pub upstream_idle_connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_bytes: 32 * 1024,
            headers: 100,
            body_bytes: 128 * 1024 * 1024,
            connections: 10_000,
            upstream_idle_connections: 64,
        }
    }
}

/// How long one phase of a call may take, in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// From the first byte of a request to the end of its headers, and for a TLS handshake. Default 15,000.
    pub request_head_ms: u64,
    /// Between two pieces of a request body. Default 30,000.
    pub request_body_idle_ms: u64,
    /// While an ASP takes no byte of its answer. Default 60,000.
    pub answer_write_idle_ms: u64,
    /// An ASP's connection with no call on it is closed after this long, at the latest twice. Default 75,000.
    pub keep_alive_ms: u64,
    /// To resolve GSTN's name, connect and finish the TLS handshake. Default 5,000.
    pub connect_ms: u64,
    /// From the last request byte taken to the first byte of GSTN's answer. Default 120,000.
    pub first_byte_ms: u64,
    /// Between two pieces of GSTN's answer. Default 60,000.
    pub answer_idle_ms: u64,
    /// An idle connection to GSTN is not used again after this long. Default 15,000.
    pub upstream_idle_ms: u64,
    /// While draining: for this long `/readyz` says 503 and calls are still served, so that a load balancer
    /// can turn away before the listeners close. Default 0.
    pub drain_announce_ms: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            request_head_ms: 15_000,
            request_body_idle_ms: 30_000,
            answer_write_idle_ms: 60_000,
            keep_alive_ms: 75_000,
            connect_ms: 5_000,
            first_byte_ms: 120_000,
            answer_idle_ms: 60_000,
            upstream_idle_ms: 15_000,
            drain_announce_ms: 0,
        }
    }
}

impl Timeouts {
    pub(crate) fn request_head(&self) -> Duration {
        Duration::from_millis(self.request_head_ms)
    }

    pub(crate) fn request_body_idle(&self) -> Duration {
        Duration::from_millis(self.request_body_idle_ms)
    }

    pub(crate) fn answer_write_idle(&self) -> Duration {
        Duration::from_millis(self.answer_write_idle_ms)
    }

    pub(crate) fn keep_alive(&self) -> Duration {
        Duration::from_millis(self.keep_alive_ms)
    }

    pub(crate) fn connect(&self) -> Duration {
        Duration::from_millis(self.connect_ms)
    }

    pub(crate) fn first_byte(&self) -> Duration {
        Duration::from_millis(self.first_byte_ms)
    }

    pub(crate) fn answer_idle(&self) -> Duration {
        Duration::from_millis(self.answer_idle_ms)
    }

    pub(crate) fn upstream_idle(&self) -> Duration {
        Duration::from_millis(self.upstream_idle_ms)
    }

    pub(crate) fn drain_announce(&self) -> Duration {
        Duration::from_millis(self.drain_announce_ms)
    }
}

/// How ASPs get a session of ours: by a GetKey call, signed with the key of a registered certificate.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GetKey {
    /// How far the timestamp of a GetKey call may be off our clock, in milliseconds, either way: 1,000 to 86,400,000 (a
    /// day). Each signed message serves once, and is remembered for as long as it would be in time. Default 900,000
    /// (15 minutes).
    pub tolerance_ms: u64,
    /// How long a session lasts, in minutes, unless an ASP has a length of its own: 5 to 64,800 (45 days). Default 360.
    pub validity_min: u16,
    /// Failing GetKey calls that one address (of IPv6, one /64) may make in a minute, and at once, before it is told to
    /// wait: 1 to 100,000. Default 30.
    pub failures_per_address: u32,
    /// Failing GetKey calls in the name of one ASP in a minute, and at once, before addresses that it is not known to
    /// call from are told to wait: 1 to 100,000. Default 60.
    pub failures_per_asp: u32,
    /// GetKey calls with which one ASP may succeed in a minute, and at once: 1 to 1,000,000. Some programs make one
    /// before each call. Default 6,000.
    pub calls_per_asp: u32,
    /// How long the certificates before it stay good when an ASP registers a new one by `setasppubcer`, in
    /// milliseconds: 0 to 2,592,000,000 (30 days). Default 86,400,000 (a day).
    pub certificate_overlap_ms: u64,
}

impl Default for GetKey {
    fn default() -> Self {
        Self {
            tolerance_ms: 15 * 60 * 1000,
            validity_min: 6 * 60,
            failures_per_address: 30,
            failures_per_asp: 60,
            calls_per_asp: 6_000,
            certificate_overlap_ms: 24 * 60 * 60 * 1000,
        }
    }
}

impl GetKey {
    pub(crate) fn tolerance(&self) -> SignedDuration {
        SignedDuration::from_millis(self.tolerance_ms.try_into().unwrap_or(i64::MAX))
    }

    pub(crate) fn certificate_overlap(&self) -> SignedDuration {
        SignedDuration::from_millis(self.certificate_overlap_ms.try_into().unwrap_or(i64::MAX))
    }
}

/// One environment: its own listener, upstream and certificates. Nothing is shared with the other one.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentConfig {
    /// `sandbox` or `production`.
    pub environment: Environment,
    /// Where ASPs connect. Port 0 takes any free port. Cannot be changed by a reload.
    pub listen: SocketAddr,
    /// GSTN. Absent: every call is answered with GSP640, "not configured".
    #[serde(default)]
    pub upstream: Option<Upstream>,
    /// GSTN's public certificate of this environment (PEM or DER), for ASPs to download. Default: none.
    #[serde(default)]
    pub gstn_certificate: Option<PathBuf>,
    /// Serve HTTPS with these files; they are read again when they change. Absent: plain HTTP.
    #[serde(default)]
    pub tls: Option<ServerTls>,
    /// The CA (PEM) that signed our own TLS certificate, for ASPs to download. Default: none.
    #[serde(default)]
    pub ca_certificate: Option<PathBuf>,
    /// How ASPs may identify themselves.
    #[serde(default)]
    pub identify: Identify,
    /// Which GSTN headers are demanded; an ASP's own setting goes before this one. Default `lenient`.
    #[serde(default)]
    pub header_checks: HeaderChecks,
    /// How much an ASP may call; what was agreed with it goes before this.
    #[serde(default)]
    pub limits: AspLimits,
    /// How much all ASPs together may send to GSTN.
    #[serde(default)]
    pub ceiling: Ceiling,
}

impl EnvironmentConfig {
    /// An environment on `listen` with nothing else set.
    pub fn new(environment: Environment, listen: SocketAddr) -> Self {
        Self {
            environment,
            listen,
            upstream: None,
            gstn_certificate: None,
            tls: None,
            ca_certificate: None,
            identify: Identify::default(),
            header_checks: HeaderChecks::default(),
            limits: AspLimits::default(),
            ceiling: Ceiling::default(),
        }
    }
}

/// GSTN, as one environment reaches it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// `https://host[:port][/prefix]`. `http://` is accepted for the sandbox, and for production on a loopback
    /// address only. The one thing that decides where calls go.
    pub url: String,
    /// PEM file of the CAs that may vouch for GSTN. Default: those of the operating system.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// Our `clientid` at GSTN.
    pub client_id: String,
    /// Our `client-secret` at GSTN.
    pub client_secret: SecretString,
}

/// Our own TLS certificate.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerTls {
    /// PEM file: the certificate, then the intermediates.
    pub certificate: PathBuf,
    /// PEM file: the private key (PKCS#8, PKCS#1 or SEC1).
    pub key: PathBuf,
}

/// How ASPs may identify themselves in one environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Identify {
    /// `X-CT-Auth-Token` or `Authorization: Bearer`. Default true.
    pub token: bool,
    /// `clientid` with `client-secret`, or `karvyclientid` with `karvyclient_secret`. Default true.
    pub client_credentials: bool,
    /// `aspid` with `session-id` and `asp-secret`, and with it the GetKey call that makes such sessions. Default true.
    pub session: bool,
    /// `aspid` with `password`, the account password, for the utility APIs under `/aspapi` and for `commonapi`. Default true.
    pub password: bool,
    /// The same two as parameters of the query, where proxies and logs on the way see them. They are removed from what GSTN
    /// gets. Default false: a password in the query is answered with GSP677.
    pub password_in_query: bool,
}

impl Default for Identify {
    fn default() -> Self {
        Self {
            token: true,
            client_credentials: true,
            session: true,
            password: true,
            password_in_query: false,
        }
    }
}

/// Which GSTN headers are demanded of an ASP.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HeaderChecks {
    /// Refuse only what cannot be right; GSTN judges the rest.
    #[default]
    Lenient,
    /// Every header that GSTN documents as mandatory must be there.
    Strict,
}
