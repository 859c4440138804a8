//! What can go wrong with a call: of what kind, whose fault, and what to do about it.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use gstn::{AspId, catalogue};

use crate::files::{DownloadFault, QueuedFiles};
use crate::store::StoreError;

/// Who answered for a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
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

    pub(crate) fn of(entry: &catalogue::ErrorEntry) -> Self {
        match entry.origin {
            catalogue::Origin::Gsp => Self::Gsp,
            catalogue::Origin::Gstn => Self::Gstn,
            catalogue::Origin::Network => Self::Network,
            catalogue::Origin::Asp => Self::Client,
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
#[non_exhaustive]
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

impl Refusal {
    /// A refusal as it would come from `origin`, for the tests of an application; the other fields can be set.
    pub fn new(code: impl Into<String>, message: impl Into<String>, origin: Origin) -> Self {
        let (code, message) = (code.into(), message.into());
        let known = catalogue::error(&code);
        Self {
            http_status: known.and_then(|entry| entry.http_status).unwrap_or(200),
            code,
            message,
            origin,
            retryable: known.is_some_and(|entry| entry.retryable),
            remedy: known.map(|entry| entry.remedy.to_owned()),
            request_id: None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

/// Why there is no GSTR-2B of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NoStatement {
    /// It is made on the 14th of the next month (`RET2B1018`, `IMS2B009`). Ask then.
    NotYet,
    /// The GSTR-3B before it was not filed in time (`GTR2B-002`). File it, then
    /// [`regenerate`](crate::Gstr2b::regenerate).
    PreviousReturnMissing,
    /// The period has none (`GTR2B-001`): quarterly filers get theirs for the last month of the quarter.
    NotApplicable,
    /// It was not generated (`RET2B1023`), for none of these reasons or without telling which.
    NotGenerated,
}

impl NoStatement {
    pub(crate) fn of(code: &str) -> Option<Self> {
        match code {
            "RET2B1018" | "IMS2B009" => Some(Self::NotYet),
            "GTR2B-002" => Some(Self::PreviousReturnMissing),
            "GTR2B-001" => Some(Self::NotApplicable),
            "RET2B1023" => Some(Self::NotGenerated),
            _ => None,
        }
    }
}

/// What can go wrong with a call, by kind.
///
/// ```
/// use suvidha_client::{Error, ReturnPeriod, Taxpayer};
///
/// async fn save(
///     taxpayer: &Taxpayer,
///     period: ReturnPeriod,
///     json: &str,
///     ask_for_otp: impl Fn() -> String,
/// ) -> Result<String, Error> {
///     match taxpayer.gstr1(period).save(json).await {
///         Err(Error::OtpRequired { .. }) => {
///             taxpayer.request_otp().await?.verify(&ask_for_otp()).await?;
///             taxpayer.gstr1(period).save(json).await
///         }
///         Err(Error::Throttled { retry_after, .. }) => {
///             tokio::time::sleep(retry_after.unwrap_or_default()).await;
///             taxpayer.gstr1(period).save(json).await
///         }
///         Err(error) => {
///             // For people: what was said, by whom, what to do, and what to name when asking for help.
///             eprintln!("{error} (from {}): {}", error.origin(), error.remedy().unwrap_or_default());
///             eprintln!("code {:?}, request {:?}", error.code(), error.request_id());
///             Err(error)
///         }
///         saved => saved,
///     }
/// }
/// ```
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// GSTN or the GSP said no.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// The taxpayer has no session, or it is over: an OTP is needed. See
    /// [`Taxpayer::request_otp`](crate::Taxpayer::request_otp).
    #[error("{}", otp_required(refusal.as_deref()))]
    #[non_exhaustive]
    OtpRequired {
        /// What GSTN said; none where nothing was sent, because there is no session or its time is over.
        refusal: Option<Box<Refusal>>,
    },
    /// There is nothing of what was asked for. For most programs not a failure.
    #[error("{0}")]
    NoDocuments(Box<Refusal>),
    /// There is no GSTR-2B of the period.
    #[error("{refusal}")]
    #[non_exhaustive]
    NoStatement {
        /// Why not: it decides what helps.
        why: NoStatement,
        /// The answer.
        refusal: Box<Refusal>,
    },
    /// Too many calls.
    #[error("{refusal}")]
    #[non_exhaustive]
    Throttled {
        /// The answer.
        refusal: Box<Refusal>,
        /// How long to wait, if the gateway said so.
        retry_after: Option<Duration>,
    },
    /// The GSP granted a session, but its key does not open under our ASP secret: the GSP has another.
    #[error(
        "the session key that the GSP sent does not open under this ASP secret: it is not the secret the GSP has for ASP {aspid} in this environment"
    )]
    #[non_exhaustive]
    WrongAspSecret {
        /// The ASP.
        aspid: AspId,
        /// The gateway's `x-request-id`.
        request_id: Option<String>,
    },
    /// The gateway could not be reached, or gave no whole answer in time.
    #[error("{what}")]
    #[non_exhaustive]
    Unavailable {
        /// What was tried and what happened.
        what: String,
        /// Whether the call may have reached GSTN all the same: then look before repeating a change.
        may_have_arrived: bool,
    },
    /// The gateway's TLS certificate is not trusted, or is another's. Nothing was sent.
    #[error("{what}")]
    #[non_exhaustive]
    Untrusted {
        /// Which gateway, and what is wrong with its certificate.
        what: String,
    },
    /// The answer is not what the protocol promises: not JSON, a wrong HMAC, a redirect.
    #[error("{what}")]
    #[non_exhaustive]
    Protocol {
        /// What was wrong with the answer; never its content.
        what: String,
        /// The gateway's `x-request-id`.
        request_id: Option<String>,
    },
    /// An asynchronous job was still being processed when patience ended. Ask again later.
    #[error("{reference_id} is still being processed")]
    #[non_exhaustive]
    StillProcessing {
        /// The job's reference id.
        reference_id: String,
    },
    /// The [`SessionStore`](crate::SessionStore) failed. The call was not sent.
    #[error("{what}: {source}")]
    #[non_exhaustive]
    Store {
        /// What was to be done with which session.
        what: String,
        /// What the store said.
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// The result is too large for one answer: GSTN prepares it as files. See
    /// [`Taxpayer::wait_for_files`](crate::Taxpayer::wait_for_files).
    #[error("{0}")]
    Queued(Box<QueuedFiles>),
    /// A file of a large result could not be fetched, or is not what GSTN said it is. Nothing of it is kept.
    #[error("file {file} of {files}: {fault}")]
    #[non_exhaustive]
    Download {
        /// Which file, counted from 1.
        file: usize,
        /// How many there are.
        files: usize,
        /// What is wrong with it.
        fault: DownloadFault,
        /// The gateway's `x-request-id`.
        request_id: Option<String>,
    },
    /// A file of ours could not be written.
    #[error("{}: {source}", path.display())]
    #[non_exhaustive]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: Arc<io::Error>,
    },
    /// What was asked cannot be sent: a bad address, token, certificate or payload.
    #[error("{0}")]
    Invalid(String),
}

fn otp_required(refusal: Option<&Refusal>) -> String {
    match refusal {
        Some(refusal) => refusal.to_string(),
        None => "the taxpayer has no session, or its time is over".to_owned(),
    }
}

impl Error {
    /// A failure of the way to the gateway.
    pub fn unavailable(what: impl Into<String>, may_have_arrived: bool) -> Self {
        Self::Unavailable { what: what.into(), may_have_arrived }
    }

    /// A job that GSTN has not finished.
    pub fn still_processing(reference_id: impl Into<String>) -> Self {
        Self::StillProcessing { reference_id: reference_id.into() }
    }

    /// A session that only an OTP can replace.
    pub fn otp_required(refusal: Option<Refusal>) -> Self {
        Self::OtpRequired { refusal: refusal.map(Box::new) }
    }

    /// A store that failed at `what`.
    pub(crate) fn store(what: impl Into<String>, source: StoreError) -> Self {
        Self::Store { what: what.into(), source: source.into() }
    }

    /// The refusal behind the error, if somebody said no.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) | Self::NoDocuments(refusal) => Some(refusal),
            Self::Throttled { refusal, .. } | Self::NoStatement { refusal, .. } => Some(refusal),
            Self::OtpRequired { refusal } => refusal.as_deref(),
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
            Self::Invalid(_) | Self::Store { .. } | Self::WrongAspSecret { .. } | Self::File { .. } => {
                Origin::Client
            }
            _ => self.refusal().map_or(Origin::Gstn, |refusal| refusal.origin),
        }
    }

    /// Whether the same call may succeed later, unchanged.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Unavailable { .. } | Self::Throttled { .. } | Self::StillProcessing { .. } => true,
            Self::Download { fault, .. } => *fault == DownloadFault::Hash,
            _ => self.refusal().is_some_and(|refusal| refusal.retryable),
        }
    }

    /// What to do, in plain words, where it is known.
    pub fn remedy(&self) -> Option<&str> {
        let said = self.refusal().and_then(|refusal| refusal.remedy.as_deref());
        let known = match self {
            Self::OtpRequired { .. } => "Log the taxpayer in with a new OTP.",
            Self::Throttled { .. } => "Wait, then repeat the call.",
            Self::WrongAspSecret { .. } => {
                "Use the ASP secret of this environment (32 characters, not the password of the account). If it was \
                 changed, use the new one; if it is lost, ask the GSP for another."
            }
            Self::Unavailable { may_have_arrived: false, .. } => {
                "Check the gateway's address, and that it is running; then repeat the call."
            }
            Self::Unavailable { may_have_arrived: true, .. } => {
                "The call may have arrived. Look at the return's state before repeating a change."
            }
            Self::Untrusted { .. } => {
                "Nothing was sent. Trust the gateway's own CA if it has one; else check the address."
            }
            Self::Protocol { .. } => {
                "Check that the address is that of a GSP; report the request id to its operator."
            }
            Self::StillProcessing { .. } => "Ask for its status again later; do not save again.",
            Self::Queued(_) => "Wait for the files with Taxpayer::wait_for_files, then download them.",
            Self::Download { fault, .. } => fault.remedy(),
            Self::Store { .. } => "Nothing was sent. Mend the store of sessions; then repeat the call.",
            _ => return said,
        };
        Some(said.unwrap_or(known))
    }

    /// The gateway's `x-request-id`, if it answered.
    pub fn request_id(&self) -> Option<&str> {
        match self {
            Self::Protocol { request_id, .. }
            | Self::WrongAspSecret { request_id, .. }
            | Self::Download { request_id, .. } => request_id.as_deref(),
            _ => self.refusal().and_then(|refusal| refusal.request_id.as_deref()),
        }
    }
}
