//! The JSON around a GSTN payload: requests, replies, and a quick look at the head of a reply.
//!
//! Everything here is as lenient as the clients in the field are varied: unknown keys are kept, `null` is
//! the same as nothing, and a number does where a text is usual.

mod peek;
mod tolerant;

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use peek::{Peek, peek};

/// The outcome of a call. A JSON text on the wire (`"1"`); a number is read too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StatusCd {
    /// `"0"`: failed.
    Zero,
    /// `"1"`: done.
    One,
    /// `"2"`: the answer is to be fetched as files.
    Two,
    /// `"3"`: the answer comes in pages.
    Three,
}

impl StatusCd {
    /// The character on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Zero => "0",
            Self::One => "1",
            Self::Two => "2",
            Self::Three => "3",
        }
    }

    /// Everything but `"0"`.
    pub const fn is_success(self) -> bool {
        !matches!(self, Self::Zero)
    }

    fn read(text: &str) -> Option<Self> {
        [Self::Zero, Self::One, Self::Two, Self::Three].into_iter().find(|status| status.as_str() == text.trim())
    }
}

impl fmt::Display for StatusCd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for StatusCd {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for StatusCd {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = tolerant::text(deserializer)?.unwrap_or_default();
        Self::read(&text).ok_or_else(|| serde::de::Error::custom("status_cd must be \"0\", \"1\", \"2\" or \"3\""))
    }
}

/// What went wrong, in GSTN's words. The catalogue of errors knows what to do about most codes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ErrorBody {
    /// The code, such as `AUTH4033`.
    #[serde(default, alias = "code", deserialize_with = "tolerant::plain_text")]
    pub error_cd: String,
    /// The sentence beside it.
    #[serde(default, alias = "desc", deserialize_with = "tolerant::plain_text")]
    pub message: String,
}

/// A request with a payload: `{action, data, hmac}`, and for a filing `{action, data, sign, st, sid}`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Request {
    /// What to do, such as `RETSAVE`.
    #[serde(default, deserialize_with = "tolerant::text", skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// The payload, encrypted, in base64.
    #[serde(default, deserialize_with = "tolerant::text", skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// HMAC-SHA-256 of the payload's base64 text, in base64.
    #[serde(default, deserialize_with = "tolerant::text", skip_serializing_if = "Option::is_none")]
    pub hmac: Option<String>,
    /// The signature of a filing.
    #[serde(default, deserialize_with = "tolerant::text", skip_serializing_if = "Option::is_none")]
    pub sign: Option<String>,
    /// How a filing is signed: `EVC`, `DSC` or `ESIGN`.
    #[serde(default, deserialize_with = "tolerant::text", skip_serializing_if = "Option::is_none")]
    pub st: Option<String>,
    /// Who signs a filing: the PAN, or `PAN|OTP` with EVC.
    #[serde(default, deserialize_with = "tolerant::text", skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// The HTTP headers once more, which newer calls carry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hdr: Option<Value>,
    /// Every other key.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Request {
    /// The action asked for: the body's, or else the query's. Clients leave old actions in the query, so the
    /// body comes first; a header `action` means nothing.
    pub fn action_or<'a>(&'a self, query: Option<&'a str>) -> Option<&'a str> {
        self.action.as_deref().or(query).map(str::trim).filter(|action| !action.is_empty())
    }
}

/// A request of the authentication API; which fields matter depends on the action.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct AuthRequest {
    /// `OTPREQUEST`, `AUTHTOKEN`, `REFRESHTOKEN`, `LOGOUT`, or `ACCESSTOKEN`.
    #[serde(default, deserialize_with = "tolerant::plain_text")]
    pub action: String,
    /// The taxpayer's user name at the portal, or the GSP's for `ACCESSTOKEN`.
    #[serde(default, deserialize_with = "tolerant::text", skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The app key, in base64: under GSTN's RSA key, or with `REFRESHTOKEN` under the old session key.
    #[serde(default, deserialize_with = "tolerant::text", skip_serializing_if = "Option::is_none")]
    pub app_key: Option<String>,
    /// The OTP under the app key, in base64 of either alphabet.
    #[serde(default, deserialize_with = "tolerant::text", skip_serializing_if = "Option::is_none")]
    pub otp: Option<String>,
    /// With `ACCESSTOKEN`: the password, under the app key or under GSTN's RSA key.
    #[serde(default, deserialize_with = "tolerant::text", skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// With `REFRESHTOKEN` and `LOGOUT`: the session's token.
    #[serde(default, deserialize_with = "tolerant::text", skip_serializing_if = "Option::is_none")]
    pub auth_token: Option<String>,
    /// Every other key.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// The answer to a login or a refresh.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthReply {
    /// The outcome.
    pub status_cd: StatusCd,
    /// The session's token: 32 hexadecimal digits.
    pub auth_token: String,
    /// Minutes until the token expires.
    #[serde(deserialize_with = "tolerant::number")]
    pub expiry: u32,
    /// The session key under the app key, in base64.
    pub sek: String,
}

/// GSTN's answer to any call.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// The outcome.
    pub status_cd: StatusCd,
    /// The payload, in base64: under the reply key inside a taxpayer session, in the clear on public calls.
    #[serde(default, deserialize_with = "tolerant::text", skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// The reply key under the session key, in base64.
    #[serde(default, deserialize_with = "tolerant::text", skip_serializing_if = "Option::is_none")]
    pub rek: Option<String>,
    /// HMAC-SHA-256 of the payload's base64 text, in base64.
    #[serde(default, deserialize_with = "tolerant::text", skip_serializing_if = "Option::is_none")]
    pub hmac: Option<String>,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorBody>,
    /// Every other key.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Reply {
    /// `{"status_cd":"1"}`: done, with nothing to say.
    pub fn done() -> Self {
        Self { status_cd: StatusCd::One, data: None, rek: None, hmac: None, error: None, extra: Map::new() }
    }

    /// `{"status_cd":"0","error":{…}}`.
    pub fn failed(error_cd: impl Into<String>, message: impl Into<String>) -> Self {
        let error = ErrorBody { error_cd: error_cd.into(), message: message.into() };
        Self { status_cd: StatusCd::Zero, error: Some(error), ..Self::done() }
    }
}
