//! The two worlds a call can belong to. They share code and nothing else.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// GSTN's sandbox or its production system. Credentials, listeners and upstreams belong to exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// For trying things out: invented taxpayers, a fixed OTP.
    Sandbox,
    /// Real taxpayers, real returns.
    Production,
}

impl Environment {
    /// Both, in the order people list them.
    pub const ALL: [Self; 2] = [Self::Sandbox, Self::Production];

    /// `sandbox` or `production`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Production => "production",
        }
    }

    /// Whose host this is, of GSTN's own: `api.gst.gov.in` is production, `devapi.gst.gov.in` the sandbox. None for every
    /// other host.
    pub fn of_host(host: &str) -> Option<Self> {
        match host.trim_end_matches('.').to_ascii_lowercase().as_str() {
            "api.gst.gov.in" => Some(Self::Production),
            "devapi.gst.gov.in" => Some(Self::Sandbox),
            _ => None,
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Environment {
    type Err = UnknownEnvironment;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|environment| environment.as_str() == text).ok_or(UnknownEnvironment)
    }
}

/// The text names neither environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the environment must be `sandbox` or `production`")]
pub struct UnknownEnvironment;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_nothing_else_does() {
        for environment in Environment::ALL {
            assert_eq!(environment.to_string().parse(), Ok(environment));
            assert_eq!(serde_json::to_value(environment).unwrap(), environment.as_str());
        }
        assert_eq!("Sandbox".parse::<Environment>(), Err(UnknownEnvironment));
        assert_eq!("prod".parse::<Environment>(), Err(UnknownEnvironment));
    }
}
