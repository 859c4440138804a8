//! Why a call was not answered by GSTN: what happened, told to the ASP in the catalogue's words.
//!
//! A stage only says which [`Kind`] of thing went wrong, and what the log should know of it. Whose fault that
//! was, whether a retry can help, and the words for people all come from [`gstn::catalogue`]. It becomes HTTP
//! in one place, [`Error::response`].

use std::time::Duration;

use gstn::catalogue::{self, ErrorEntry, Origin};
use gstn::headers::{HeaderFault, X_GSP_ERROR_ORIGIN};
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, LINK, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;
use uuid::Uuid;

use crate::accounts::whole_seconds;

/// Declares each kind together with its code, so that none is without.
macro_rules! kinds {
    ($($(#[$words:meta])* $kind:ident = $code:literal,)*) => {
        /// What went wrong. Each kind is one code of the catalogue.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Kind {
            $($(#[$words])* $kind,)*
            /// A fault found by [`gstn::headers`], under its own code.
            Header(&'static str),
        }

        impl Kind {
            pub(crate) fn code(self) -> &'static str {
                match self {
                    $(Self::$kind => $code,)*
                    Self::Header(code) => code,
                }
            }
        }
    };
}

kinds! {
    NoCredentials = "GSP601",
    NoAspId = "GSP001",
    WrongLengthOfAspId = "GSP001A",
    /// Also a `txn` or `message-id` that GetKey cannot echo.
    MalformedAspId = "GSP011",
    UnknownAsp = "GSP012",
    NoAspSecret = "GSP002",
    NoSessionId = "GSP003",
    ForeignSession = "GSP017",
    WrongAspSecret = "GSP018",
    PasswordInPlaceOfSession = "GSP665",
    HalfAPassword = "GSP016",
    /// Or none is registered, or the ASP is unknown: a guesser shall not learn which.
    WrongPassword = "GSP020A",
    PasswordInQuery = "GSP677",
    WrongParameters = "GSP676",
    NoTxn = "GSP006",
    MalformedGetKey = "GSP664",
    StaleTimestamp = "GSP660",
    TooManyCalls = "GSP025",
    TooManyAtOnce = "GSP670",
    DayIsUsedUp = "GSP671",
    MonthIsUsedUp = "GSP672",
    /// The ceiling of the environment, for as long as the call may wait.
    NoTurn = "GSP673",
    NoCredit = "GSP019",
    CapIsReached = "GSP674",
    /// The breaker is open.
    GstnIsDown = "GSP500",
    NoCertificate = "GSP013",
    WrongSignature = "GSP014",
    CertificateOutOfTime = "GSP662",
    CertificateReplaced = "GSP663",
    Replayed = "GSP661",
    NotEnrolled = "GSP666",
    UnusableAspSecret = "GSP014A",
    UnusableCertificate = "GSP667",
    UnknownToken = "GSP602",
    ConflictingCredentials = "GSP603",
    UnknownClientCredentials = "GSP604",
    SchemeSwitchedOff = "GSP605",
    OtherEnvironment = "GSP606",
    Revoked = "GSP607",
    Expired = "GSP022",
    Suspended = "GSP024",
    AddressNotAllowed = "GSP021",
    MalformedHttp = "GSP610",
    HeadTooLarge = "GSP611",
    BodyTooLarge = "GSP612",
    AmbiguousLength = "GSP613",
    DoubtfulCredentialHeader = "GSP614",
    UnsupportedForm = "GSP615",
    RequestTooSlow = "GSP616",
    BodyEndedEarly = "GSP617",
    UnknownPath = "GSP620",
    NothingHere = "GSP622",
    WrongMethod = "GSP621",
    ContradictingHeaders = "GSP631",
    NotConfigured = "GSP640",
    Draining = "GSP641",
    Internal = "GSP642",
    /// The ledger does not write, so nothing is done.
    NotRecording = "GSP643",
    /// It was done, and the ledger could not write it.
    Unrecorded = "GSP644",
    GstnUnreachable = "GSP030",
    GstnReset = "GSP027",
    GstnTimeout = "GSP032",
    GstnClosed = "GSP099",
    GstnNotTrusted = "GSP652",
    GstnMalformed = "GSP653",
    GstnHalfAnswer = "GSP654",
}

impl Kind {
    /// Seconds after which the same call is worth another try.
    fn retry_after(self) -> Option<u32> {
        match self {
            Self::Draining => Some(1),
            Self::GstnUnreachable | Self::NotRecording => Some(5),
            _ => None,
        }
    }

    /// Whether it says that GSTN, or the way there, does not work: what the breaker counts. Whom we do not trust may be up.
    pub(crate) fn is_gstn_failing(self) -> bool {
        matches!(
            self,
            Self::GstnUnreachable
                | Self::GstnReset
                | Self::GstnTimeout
                | Self::GstnClosed
                | Self::GstnMalformed
                | Self::GstnHalfAnswer
        )
    }

    /// Whether nothing of the call can have come to GSTN.
    pub(crate) fn is_not_sent(self) -> bool {
        matches!(self, Self::GstnUnreachable | Self::GstnNotTrusted | Self::Internal)
    }
}

/// A call that ends without an answer of GSTN's.
#[derive(Debug)]
pub(crate) struct Error {
    kind: Kind,
    /// Words about this very call, in place of the catalogue's. They go to the ASP.
    message: Option<String>,
    /// For the log alone: may name hosts and addresses, never a secret.
    detail: Option<String>,
    allow: Option<String>,
    /// In seconds.
    retry_after: Option<u32>,
    /// Of a GetKey call, whose failures say `txn` and `message` where its successes do.
    getkey_txn: Option<Box<str>>,
}

impl Error {
    pub(crate) fn new(kind: Kind) -> Self {
        Self {
            kind,
            message: None,
            detail: None,
            allow: None,
            retry_after: kind.retry_after(),
            getkey_txn: None,
        }
    }

    /// Says it in `message` instead of the catalogue's words. It must not quote a secret.
    pub(crate) fn saying(kind: Kind, message: impl Into<String>) -> Self {
        Self { message: Some(message.into()), ..Self::new(kind) }
    }

    /// Tells the log more than the ASP.
    pub(crate) fn because(kind: Kind, detail: impl ToString) -> Self {
        Self { detail: Some(detail.to_string()), ..Self::new(kind) }
    }

    /// A method that cannot be right here; `allow` are those that can.
    pub(crate) fn wrong_method(allow: String) -> Self {
        Self { allow: Some(allow), ..Self::new(Kind::WrongMethod) }
    }

    /// More calls than are allowed; the next may be made after `wait`.
    pub(crate) fn too_many(message: impl Into<String>, wait: Duration) -> Self {
        Self::saying(Kind::TooManyCalls, message).after(wait)
    }

    /// The same call is worth another try after `wait`.
    pub(crate) fn after(self, wait: Duration) -> Self {
        let seconds = u32::try_from(whole_seconds(wait).max(1)).unwrap_or(u32::MAX);
        Self { retry_after: Some(seconds), ..self }
    }

    /// The same, told in GetKey's form; `txn` as it was sent, or empty.
    pub(crate) fn of_getkey(self, txn: &str) -> Self {
        Self { getkey_txn: Some(txn.into()), ..self }
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn code(&self) -> &'static str {
        self.kind.code()
    }

    pub(crate) fn origin(&self) -> Origin {
        entry(self.kind).map_or(Origin::Gsp, |entry| entry.origin)
    }

    pub(crate) fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    #[cfg(test)]
    pub(crate) fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// The answer to the ASP. With `always_200` only the status changes.
    pub(crate) fn response(&self, request_id: Uuid, always_200: bool) -> Response<Vec<u8>> {
        let entry = entry(self.kind);
        let status = entry.and_then(|entry| entry.http_status).unwrap_or(500);
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = Response::new(self.envelope(entry, request_id));
        *response.status_mut() = if always_200 { StatusCode::OK } else { status };
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_GSP_ERROR_ORIGIN, HeaderValue::from_static(self.origin().as_str()));
        if let Some(link) = help_link(self.code()) {
            headers.insert(LINK, link);
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"suvidha\""));
        }
        if let Some(allow) = self.allow.as_deref().and_then(|allow| HeaderValue::from_str(allow).ok()) {
            headers.insert(ALLOW, allow);
        }
        response
    }

    fn envelope(&self, entry: Option<&ErrorEntry>, request_id: Uuid) -> Vec<u8> {
        let message = self.message.as_deref().or(entry.map(|entry| entry.message));
        let message = message.unwrap_or("The call failed.");
        let envelope = Envelope {
            status_cd: "0",
            txn: self.getkey_txn.as_deref(),
            message: self.getkey_txn.as_ref().map(|_| message),
            error: Body {
                error_cd: self.code(),
                message,
                origin: self.origin().as_str(),
                retryable: entry.is_some_and(|entry| entry.retryable),
                remedy: entry.map_or("", |entry| entry.remedy),
                request_id: request_id.to_string(),
            },
        };
        serde_json::to_vec(&envelope).unwrap_or_default()
    }
}

impl From<HeaderFault> for Error {
    fn from(fault: HeaderFault) -> Self {
        Self::saying(Kind::Header(fault.code()), sentence(&fault))
    }
}

/// `</errors/CODE>; rel="help"`, for a code that the catalogue explains.
pub(crate) fn help_link(code: &str) -> Option<HeaderValue> {
    let code = catalogue::error(code)?.code;
    HeaderValue::from_str(&format!("</errors/{code}>; rel=\"help\"")).ok()
}

fn entry(kind: Kind) -> Option<&'static ErrorEntry> {
    catalogue::error(kind.code())
}

/// A fault as people write it: with a capital and a full stop.
pub(crate) fn sentence(fault: &impl ToString) -> String {
    let fault = fault.to_string();
    let mut letters = fault.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).chain(['.']).collect()
}

#[derive(Serialize)]
struct Envelope<'a> {
    status_cd: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    txn: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    error: Body<'a>,
}

#[derive(Serialize)]
struct Body<'a> {
    error_cd: &'static str,
    message: &'a str,
    origin: &'static str,
    retryable: bool,
    remedy: &'a str,
    request_id: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: &[(Kind, u16)] = &[
        (Kind::NoCredentials, 401),
        (Kind::NoAspId, 401),
        (Kind::WrongLengthOfAspId, 401),
        (Kind::MalformedAspId, 401),
        (Kind::UnknownAsp, 401),
        (Kind::NoAspSecret, 401),
        (Kind::NoSessionId, 401),
        (Kind::ForeignSession, 401),
        (Kind::WrongAspSecret, 401),
        (Kind::PasswordInPlaceOfSession, 403),
        (Kind::HalfAPassword, 401),
        (Kind::WrongPassword, 401),
        (Kind::PasswordInQuery, 400),
        (Kind::WrongParameters, 400),
        (Kind::NoTxn, 400),
        (Kind::MalformedGetKey, 400),
        (Kind::StaleTimestamp, 401),
        (Kind::TooManyCalls, 429),
        (Kind::TooManyAtOnce, 429),
        (Kind::DayIsUsedUp, 429),
        (Kind::MonthIsUsedUp, 429),
        (Kind::NoTurn, 503),
        (Kind::NoCredit, 402),
        (Kind::CapIsReached, 402),
        (Kind::NoCertificate, 401),
        (Kind::WrongSignature, 401),
        (Kind::CertificateOutOfTime, 401),
        (Kind::CertificateReplaced, 401),
        (Kind::Replayed, 401),
        (Kind::NotEnrolled, 401),
        (Kind::UnusableAspSecret, 401),
        (Kind::UnusableCertificate, 400),
        (Kind::UnknownToken, 401),
        (Kind::ConflictingCredentials, 400),
        (Kind::UnknownClientCredentials, 401),
        (Kind::SchemeSwitchedOff, 403),
        (Kind::OtherEnvironment, 403),
        (Kind::Revoked, 401),
        (Kind::Expired, 401),
        (Kind::Suspended, 403),
        (Kind::AddressNotAllowed, 403),
        (Kind::MalformedHttp, 400),
        (Kind::HeadTooLarge, 431),
        (Kind::BodyTooLarge, 413),
        (Kind::AmbiguousLength, 400),
        (Kind::DoubtfulCredentialHeader, 400),
        (Kind::UnsupportedForm, 400),
        (Kind::RequestTooSlow, 408),
        (Kind::BodyEndedEarly, 400),
        (Kind::UnknownPath, 404),
        (Kind::WrongMethod, 405),
        (Kind::NothingHere, 404),
        (Kind::ContradictingHeaders, 400),
        (Kind::NotConfigured, 503),
        (Kind::Draining, 503),
        (Kind::Internal, 500),
        (Kind::NotRecording, 503),
        (Kind::Unrecorded, 503),
        (Kind::GstnUnreachable, 502),
        (Kind::GstnReset, 502),
        (Kind::GstnTimeout, 504),
        (Kind::GstnClosed, 502),
        (Kind::GstnNotTrusted, 502),
        (Kind::GstnMalformed, 502),
        (Kind::GstnHalfAnswer, 502),
    ];

    #[test]
    fn every_kind_has_its_words_and_status_in_the_catalogue() {
        for &(kind, status) in KINDS {
            let entry = entry(kind).unwrap_or_else(|| panic!("{kind:?} is not in the catalogue"));
            assert_eq!(entry.http_status, Some(status), "{kind:?}");
            assert!(!entry.message.is_empty() && !entry.remedy.is_empty(), "{kind:?}");
            assert_ne!(entry.origin, Origin::Gstn, "{kind:?} is not GSTN's own error");
        }
    }

    #[test]
    fn the_envelope_is_the_documented_one() {
        let id = Uuid::nil();
        let response = Error::new(Kind::UnknownToken).response(id, false);
        assert_eq!(response.status(), 401);
        assert_eq!(response.headers()[LINK], "</errors/GSP602>; rel=\"help\"");
        let body: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(body["status_cd"], "0");
        assert_eq!(body["error"]["error_cd"], "GSP602");
        assert_eq!(body["error"]["retryable"], false);
        assert_eq!(body["error"]["request_id"], id.to_string());
        assert_eq!(Error::new(Kind::UnknownToken).response(id, true).status(), 200);
    }

    #[test]
    fn getkey_says_txn_and_message_where_its_successes_do() {
        let error = Error::too_many("Slowly.", Duration::from_millis(1001)).of_getkey("T-1");
        let response = error.response(Uuid::nil(), false);
        assert_eq!(
            (response.status().as_u16(), &response.headers()[RETRY_AFTER]),
            (429, &HeaderValue::from(2))
        );
        let body: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(
            (&body["status_cd"], &body["txn"], &body["message"]),
            (&"0".into(), &"T-1".into(), &"Slowly.".into())
        );
        assert_eq!(
            (&body["error"]["error_cd"], &body["error"]["message"]),
            (&"GSP025".into(), &"Slowly.".into())
        );
    }
}
