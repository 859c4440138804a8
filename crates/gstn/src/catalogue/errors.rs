//! The catalogue of error codes.

use std::fmt;

/// Whose failure an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// The gateway refused or failed.
    Gsp,
    /// GSTN refused or failed.
    Gstn,
    /// The way between gateway and GSTN failed.
    Network,
    /// The ASP's request cannot be understood.
    Asp,
}

impl Origin {
    /// `gsp`, `gstn`, `network` or `asp`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gsp => "gsp",
            Self::Gstn => "gstn",
            Self::Network => "network",
            Self::Asp => "asp",
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What one error code means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorEntry {
    /// The code, such as `AUTH4033`.
    pub code: &'static str,
    /// What it means, in one sentence.
    pub message: &'static str,
    /// Whose failure it is.
    pub origin: Origin,
    /// The HTTP status: of our own errors always; of GSTN's where it is not 200.
    pub http_status: Option<u16>,
    /// Whether the same call may succeed later, unchanged.
    pub retryable: bool,
    /// What to do, in plain words.
    pub remedy: &'static str,
}

/// The entry of `code`, exactly as written.
pub fn error(code: &str) -> Option<&'static ErrorEntry> {
    let _ = code;
    None
}

/// Every entry, by code.
pub fn errors() -> &'static [ErrorEntry] {
    &[]
}
