//! Traces, for whoever collects them.

use std::path::PathBuf;

use serde::Deserialize;
use suvidha_store::SecretString;

/// Where calls are traced to, and how many of them.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trace {
    /// The URL to which spans are posted as OTLP/HTTP in JSON, such as `http://127.0.0.1:4318/v1/traces`; without a path,
    /// that one.
    pub endpoint: String,
    /// The share of calls that is traced, 0 to 1. Default 1. It is decided by the trace's id, so that whoever samples the
    /// same share elsewhere takes the same traces.
    #[serde(default = "all")]
    pub sample: f64,
    /// Trace a call whatever `sample` says, if its `traceparent` says that its caller does. Default true.
    #[serde(default = "yes")]
    pub follow_asps: bool,
    /// Further headers of every post, such as a key of the collector's. Default: none.
    #[serde(default)]
    pub headers: Vec<(String, SecretString)>,
    /// PEM file of the CAs that may vouch for the collector. Default: those of the operating system.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// How the collector is to know us. Default `suvidha`.
    #[serde(default = "name")]
    pub service_name: String,
}

impl Trace {
    /// Every call, to `endpoint`.
    pub fn new(endpoint: impl Into<String>) -> Self {
        Self {
            endpoint: endpoint.into(),
            sample: all(),
            follow_asps: yes(),
            headers: Vec::new(),
            ca_file: None,
            service_name: name(),
        }
    }
}

impl PartialEq for Trace {
    fn eq(&self, other: &Self) -> bool {
        let headers = |trace: &Self| -> Vec<(String, String)> {
            trace.headers.iter().map(|(name, value)| (name.clone(), value.expose().to_owned())).collect()
        };
        let plain = |trace: &Self| {
            (trace.endpoint.clone(), trace.follow_asps, trace.ca_file.clone(), trace.service_name.clone())
        };
        plain(self) == plain(other)
            && self.sample.to_bits() == other.sample.to_bits()
            && headers(self) == headers(other)
    }
}

fn all() -> f64 {
    1.0
}

fn yes() -> bool {
    true
}

fn name() -> String {
    "suvidha".to_owned()
}
