//! What an ASP may ask about itself.

use serde::Deserialize;

/// The utility APIs under `/aspapi` by which an ASP reads its balance, its settings, its log and its consents.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AspApi {
    /// Calls of them that one ASP may make in a minute, and at once, in one environment: 1 to 100,000. Default 300.
    pub calls_per_asp: u32,
}

impl Default for AspApi {
    fn default() -> Self {
        Self { calls_per_asp: 300 }
    }
}
