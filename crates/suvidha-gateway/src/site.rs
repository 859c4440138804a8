//! One environment, ready to serve: its configuration validated, its files read, its connections kept.
//!
//! A reload makes a new [`Site`] and puts it in the old one's place; calls under way keep the one they began with.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use gstn::Environment;
use gstn::crypto::Certificate;
use ipnet::IpNet;
use jiff::Timestamp;

use crate::charging::Prices;
use crate::config::{
    AspApi, AspLimits, Breaker, Ceiling, ChargeRule, Config, EnvironmentConfig, GetKey, HeaderChecks,
    Identify, Ledger, Limits, Timeouts,
};
use crate::tls;
use crate::upstream::Upstream;

/// Why the data plane could not be started or reloaded.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration names no environment.
    #[error("no environment is configured")]
    NoEnvironment,
    /// An environment is configured twice.
    #[error("the environment {0} is configured twice")]
    EnvironmentTwice(Environment),
    /// A value outside its range.
    #[error("{setting} is {found}; it must be {expected}")]
    OutOfRange {
        /// Which setting.
        setting: &'static str,
        /// Its value.
        found: u64,
        /// What it may be, in words.
        expected: &'static str,
    },
    /// An upstream URL that cannot be used.
    #[error("the {environment} upstream `{url}` cannot be used: {reason}")]
    UpstreamUrl {
        /// Whose upstream.
        environment: Environment,
        /// The URL as configured.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Credentials for GSTN that no header can carry.
    #[error("the {environment} upstream's {what} is empty or has characters that no header can carry")]
    UpstreamCredentials {
        /// Whose upstream.
        environment: Environment,
        /// `client_id` or `client_secret`.
        what: &'static str,
    },
    /// A cost of what can be no API.
    #[error(
        "charging.costs names `{name}`, which is no API; an API is written `taxpayerapi/returns/gstr1`, with an action `taxpayerapi/returns/gstr1 RETSAVE`"
    )]
    UnknownApi {
        /// As configured.
        name: String,
    },
    /// A file that cannot be read, or does not hold what it should.
    #[error("cannot use {path}: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The operating system's trusted CAs cannot be read.
    #[error("no trusted CA was found on this system; set ca_file for the {0} upstream")]
    NoTrustedCa(Environment),
    /// A listener that cannot be opened.
    #[error("cannot listen on {address} for {environment}: {source}")]
    Listen {
        /// Whose listener.
        environment: Environment,
        /// Where.
        address: SocketAddr,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A thread or runtime that cannot be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[source] std::io::Error),
    /// The registry could not be read.
    #[error("cannot read the registry: {0}")]
    Registry(#[from] suvidha_store::StoreError),
    /// A ledger that cannot be used.
    #[error(transparent)]
    Ledger(#[from] suvidha_store::ledger::LedgerError),
    /// A collector of traces that cannot be used.
    #[error("traces cannot be exported: {reason}")]
    Trace {
        /// What is wrong.
        reason: String,
    },
    /// Something that is fixed until a restart.
    #[error("{what} cannot be changed by a reload; restart the gateway")]
    FixedUntilRestart {
        /// Which setting.
        what: String,
    },
}

impl StartError {
    pub(crate) fn file(path: &Path, reason: impl ToString) -> Self {
        Self::File { path: path.to_owned(), reason: reason.to_string() }
    }
}

/// One environment, ready to serve.
pub(crate) struct Site {
    pub(crate) environment: Environment,
    pub(crate) limits: Limits,
    pub(crate) timeouts: Timeouts,
    pub(crate) getkey: GetKey,
    pub(crate) aspapi: AspApi,
    pub(crate) identify: Identify,
    pub(crate) header_checks: HeaderChecks,
    pub(crate) asp_limits: AspLimits,
    pub(crate) ceiling: Ceiling,
    pub(crate) breaker: Breaker,
    pub(crate) charge_rule: ChargeRule,
    pub(crate) prices: Prices,
    pub(crate) upstream: Option<Upstream>,
    pub(crate) tls: Option<Arc<rustls::ServerConfig>>,
    /// The last moment of our TLS certificate.
    pub(crate) tls_expires_at: Option<Timestamp>,
    pub(crate) gstn_certificate: Option<Certificate>,
    pub(crate) ca_pem: Option<Bytes>,
    trusted_proxies: Vec<IpNet>,
}

impl Site {
    /// Whether an `X-Forwarded-For` written by `address` is believed.
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|net| net.contains(&address))
    }

    /// Closes the upstream connections of `lane` that nobody has used for too long.
    pub(crate) fn prune(&self, lane: usize) {
        if let Some(upstream) = &self.upstream {
            upstream.prune(lane);
        }
    }
}

/// Validates the whole configuration and makes the sites of its environments, in its order.
pub(crate) fn build(config: &Config, threads: usize) -> Result<Vec<Site>, StartError> {
    check_ranges(config)?;
    if config.environments.is_empty() {
        return Err(StartError::NoEnvironment);
    }
    for (at, one) in config.environments.iter().enumerate() {
        if config.environments[..at].iter().any(|other| other.environment == one.environment) {
            return Err(StartError::EnvironmentTwice(one.environment));
        }
    }
    config.environments.iter().map(|environment| build_one(config, environment, threads)).collect()
}

/// Every file the configuration names, for noticing that one has changed.
pub(crate) fn files(config: &Config) -> Vec<PathBuf> {
    let of_one = |environment: &EnvironmentConfig| {
        let tls = environment.tls.iter().flat_map(|tls| [tls.certificate.clone(), tls.key.clone()]);
        let ca_file = environment.upstream.iter().filter_map(|upstream| upstream.ca_file.clone());
        let published = [environment.gstn_certificate.clone(), environment.ca_certificate.clone()];
        tls.chain(ca_file).chain(published.into_iter().flatten()).collect::<Vec<_>>()
    };
    config.environments.iter().flat_map(of_one).collect()
}

fn build_one(config: &Config, own: &EnvironmentConfig, threads: usize) -> Result<Site, StartError> {
    let upstream = match &own.upstream {
        Some(upstream) => Some(Upstream::new(own.environment, upstream, config, threads)?),
        None => None,
    };
    let gstn_certificate = match &own.gstn_certificate {
        Some(path) => {
            let certificate = Certificate::from_any(&read(path)?);
            Some(certificate.map_err(|error| StartError::file(path, error))?)
        }
        None => None,
    };
    let ca_pem = match &own.ca_certificate {
        Some(path) => Some(tls::read_ca_pem(path)?),
        None => None,
    };
    Ok(Site {
        environment: own.environment,
        limits: config.limits.clone(),
        timeouts: config.timeouts.clone(),
        getkey: config.getkey.clone(),
        aspapi: config.aspapi.clone(),
        identify: own.identify,
        header_checks: own.header_checks,
        asp_limits: own.limits,
        ceiling: own.ceiling,
        breaker: config.breaker.clone(),
        charge_rule: config.charging.rule,
        prices: Prices::new(&config.charging),
        upstream,
        tls: own.tls.as_ref().map(tls::server_config).transpose()?,
        tls_expires_at: own.tls.as_ref().and_then(tls::expires_at),
        gstn_certificate,
        ca_pem,
        trusted_proxies: config.trusted_proxies.clone(),
    })
}

fn check_ranges(config: &Config) -> Result<(), StartError> {
    let range = |setting, found: usize, low: usize, high: usize, expected| {
        let found_in_words = found as u64;
        let fits = (low..=high).contains(&found);
        if fits { Ok(()) } else { Err(StartError::OutOfRange { setting, found: found_in_words, expected }) }
    };
    range("threads", config.threads, 0, 1024, "0 to 1,024")?;
    range("limits.head_bytes", config.limits.head_bytes, 1024, 256 * 1024, "1,024 to 262,144")?;
    range("limits.connections", config.limits.connections, 1, usize::MAX, "at least 1")?;
    range("limits.headers", config.limits.headers, 16, 100, "16 to 100")?;
    let timeouts = &config.timeouts;
    let longest = 24 * 60 * 60 * 1000;
    for (setting, found) in [
        ("timeouts.request_head_ms", timeouts.request_head_ms),
        ("timeouts.request_body_idle_ms", timeouts.request_body_idle_ms),
        ("timeouts.answer_write_idle_ms", timeouts.answer_write_idle_ms),
        ("timeouts.keep_alive_ms", timeouts.keep_alive_ms),
        ("timeouts.connect_ms", timeouts.connect_ms),
        ("timeouts.first_byte_ms", timeouts.first_byte_ms),
        ("timeouts.answer_idle_ms", timeouts.answer_idle_ms),
    ] {
        if !(1..=longest).contains(&found) {
            let expected = "1 to 86,400,000 (a day)";
            return Err(StartError::OutOfRange { setting, found, expected });
        }
    }
    if let Some(ledger) = &config.ledger {
        check_ledger(ledger)?;
    }
    for own in &config.environments {
        own.limits.check()?;
        own.ceiling.check()?;
    }
    config.charging.check()?;
    config.breaker.check()?;
    check_getkey(&config.getkey)
}

fn check_ledger(ledger: &Ledger) -> Result<(), StartError> {
    let months = ledger.retention_months.map_or(1, u64::from);
    for (setting, found, low, high, expected) in [
        ("ledger.gather", ledger.gather_us, 0, 1_000_000, "0 to 1,000,000 microseconds (a second)"),
        ("ledger.retention", months, 1, 1200, "1 to 1,200 months"),
    ] {
        if !(low..=high).contains(&found) {
            return Err(StartError::OutOfRange { setting, found, expected });
        }
    }
    Ok(())
}

fn check_getkey(getkey: &GetKey) -> Result<(), StartError> {
    let a_day = 24 * 60 * 60 * 1000;
    for (setting, found, low, high, expected) in [
        ("getkey.tolerance_ms", getkey.tolerance_ms, 1000, a_day, "1,000 to 86,400,000 (a day)"),
        ("getkey.validity_min", getkey.validity_min.into(), 5, 64_800, "5 to 64,800 (45 days)"),
        ("getkey.failures_per_address", getkey.failures_per_address.into(), 1, 100_000, "1 to 100,000"),
        ("getkey.failures_per_asp", getkey.failures_per_asp.into(), 1, 100_000, "1 to 100,000"),
        ("getkey.calls_per_asp", getkey.calls_per_asp.into(), 1, 1_000_000, "1 to 1,000,000"),
        (
            "getkey.certificate_overlap_ms",
            getkey.certificate_overlap_ms,
            0,
            30 * a_day,
            "0 to 2,592,000,000 (30 days)",
        ),
    ] {
        if !(low..=high).contains(&found) {
            return Err(StartError::OutOfRange { setting, found, expected });
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>, StartError> {
    std::fs::read(path).map_err(|error| StartError::file(path, error))
}
