//! What can go wrong with a call: of what kind, whose fault, and what to do about it.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Who answered for a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The GSP: the gateway refused the call, GSTN never saw it.
    Gsp,
    /// GSTN refused the call, or answered something that cannot be right.
    Gstn,
    /// The way there: to the gateway, or from the gateway to GSTN.
    Network,
    /// This side: what was asked cannot be sent.
    Client,
}

impl Origin {
    /// `gsp`, `gstn`, `network` or `client`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gsp => "gsp",
            Self::Gstn => "gstn",
            Self::Network => "network",
            Self::Client => "client",
        }
    }

    /// As the gateway names it in `x-gsp-error-origin`; its `asp` is our own side.
    pub(crate) fn named(value: &str) -> Option<Self> {
        match value {
            "gsp" => Some(Self::Gsp),
            "gstn" => Some(Self::Gstn),
            "network" => Some(Self::Network),
            "asp" | "client" => Some(Self::Client),
            _ => None,
        }
    }
}

impl From<gstn::catalogue::Origin> for Origin {
    fn from(origin: gstn::catalogue::Origin) -> Self {
        match origin {
            gstn::catalogue::Origin::Gsp => Self::Gsp,
            gstn::catalogue::Origin::Gstn => Self::Gstn,
            gstn::catalogue::Origin::Network => Self::Network,
            gstn::catalogue::Origin::Asp => Self::Client,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A "no" with a code: `status_cd` `"0"` from GSTN or from the GSP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status of the answer; GSTN says most of its noes with 200.
    pub http_status: u16,
    /// `error_cd`, e.g. `AUTH4033`, `RET191106`, `GSP602`.
    pub code: String,
    /// What the other side said about it.
    pub message: String,
    /// Who said no.
    pub origin: Origin,
    /// Whether the same call may succeed later, unchanged.
    pub retryable: bool,
    /// What to do, in plain words, where it is known.
    pub remedy: Option<String>,
    /// The gateway's `x-request-id`: name it when you ask the operator.
    pub request_id: Option<String>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

/// What can go wrong with a call, by kind.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// GSTN or the GSP said no.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// The taxpayer session is over: the taxpayer must log in again with an OTP.
    #[error("{0}")]
    OtpRequired(Box<Refusal>),
    /// There is nothing of what was asked for. For most programs not a failure.
    #[error("{0}")]
    NoDocuments(Box<Refusal>),
    /// Too many calls.
    #[error("{refusal}")]
    Throttled {
        /// The answer.
        refusal: Box<Refusal>,
        /// How long to wait, if the gateway said so.
        retry_after: Option<Duration>,
    },
    /// The gateway could not be reached, or gave no whole answer in time.
    #[error("{what}")]
    Unavailable {
        /// What was tried and what happened.
        what: String,
        /// Whether the call may have reached GSTN all the same: then look before repeating a change.
        may_have_arrived: bool,
    },
    /// The gateway's TLS certificate is not trusted, or is another's. Nothing was sent.
    #[error("{what}")]
    Untrusted {
        /// Which gateway, and what is wrong with its certificate.
        what: String,
    },
    /// The answer is not what the protocol promises: not JSON, a wrong HMAC, a redirect.
    #[error("{what}")]
    Protocol {
        /// What was wrong with the answer; never its content.
        what: String,
        /// The gateway's `x-request-id`.
        request_id: Option<String>,
    },
    /// An asynchronous job was still being processed when patience ended. Ask again later.
    #[error("{reference_id} is still being processed")]
    StillProcessing {
        /// The job's reference id.
        reference_id: String,
    },
    /// What was asked cannot be sent: a bad address, token, certificate or payload.
    #[error("{0}")]
    Invalid(String),
    /// A file of ours could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl Error {
    /// The refusal behind the error, if somebody said no.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) | Self::OtpRequired(refusal) | Self::NoDocuments(refusal) => Some(refusal),
            Self::Throttled { refusal, .. } => Some(refusal),
            _ => None,
        }
    }

    /// `error_cd`, if somebody said no.
    pub fn code(&self) -> Option<&str> {
        self.refusal().map(|refusal| refusal.code.as_str())
    }

    /// Whose fault it was.
    pub fn origin(&self) -> Origin {
        match self {
            Self::Unavailable { .. } | Self::Untrusted { .. } => Origin::Network,
            Self::Protocol { .. } | Self::StillProcessing { .. } => Origin::Gstn,
            Self::Invalid(_) | Self::File { .. } => Origin::Client,
            _ => self.refusal().map_or(Origin::Gstn, |refusal| refusal.origin),
        }
    }

    /// Whether the same call may succeed later, unchanged.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Unavailable { .. } | Self::Throttled { .. } | Self::StillProcessing { .. } => true,
            Self::Untrusted { .. } | Self::Protocol { .. } | Self::Invalid(_) | Self::File { .. } => false,
            _ => self.refusal().is_some_and(|refusal| refusal.retryable),
        }
    }

    /// What to do, in plain words, where it is known.
    pub fn remedy(&self) -> Option<&str> {
        match self {
            Self::OtpRequired(refusal) => {
                Some(refusal.remedy.as_deref().unwrap_or("Log the taxpayer in again with a new OTP."))
            }
            Self::Throttled { refusal, .. } => {
                Some(refusal.remedy.as_deref().unwrap_or("Wait, then repeat the call."))
            }
            Self::Unavailable { may_have_arrived: false, .. } => {
                Some("Check the gateway's address, and that it is running; then repeat the call.")
            }
            Self::Unavailable { may_have_arrived: true, .. } => {
                Some("The call may have arrived. Look at the return's state before repeating a change.")
            }
            Self::Untrusted { .. } => {
                Some("Nothing was sent. Trust the gateway's own CA if it has one; else check the address.")
            }
            Self::Protocol { .. } => {
                Some("Check that the address is that of a GSP; report the request id to its operator.")
            }
            Self::StillProcessing { .. } => Some("Ask for its status again later; do not save again."),
            _ => self.refusal().and_then(|refusal| refusal.remedy.as_deref()),
        }
    }

    /// The gateway's `x-request-id`, if it answered.
    pub fn request_id(&self) -> Option<&str> {
        match self {
            Self::Protocol { request_id, .. } => request_id.as_deref(),
            _ => self.refusal().and_then(|refusal| refusal.request_id.as_deref()),
        }
    }
}
