//! The JSON around a GSTN payload: requests, replies, and a quick look at the head of a reply.
//!
//! Everything here is as lenient as the clients in the field are varied: unknown keys are kept, `null` is
//! the same as nothing, and a number does where a text is usual.

mod peek;
pub(crate) mod tolerant;

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use peek::{Peek, peek, peek_expiry};

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

    /// What the character stands for.
    pub fn from_character(character: &str) -> Option<Self> {
        [Self::Zero, Self::One, Self::Two, Self::Three]
            .into_iter()
            .find(|status| status.as_str() == character)
    }

    /// Everything but `"0"`.
    pub const fn is_success(self) -> bool {
        !matches!(self, Self::Zero)
    }

    fn read(text: &str) -> Option<Self> {
        [Self::Zero, Self::One, Self::Two, Self::Three]
            .into_iter()
            .find(|status| status.as_str() == text.trim())
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
        Self::read(&text)
            .ok_or_else(|| serde::de::Error::custom("status_cd must be \"0\", \"1\", \"2\" or \"3\""))
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
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
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
        let stated = |action: &'a str| Some(action.trim()).filter(|action| !action.is_empty());
        self.action.as_deref().and_then(stated).or_else(|| query.and_then(stated))
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

/// Payloads, keys, tokens and one-time passwords stay out of logs: only names and outcomes are shown.
macro_rules! shown_without_contents {
    ($($name:ident { $($field:ident),+ }),+) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name))$(.field(stringify!($field), &self.$field))+.finish_non_exhaustive()
            }
        }
    )+};
}

shown_without_contents!(
    Request { action, st },
    AuthRequest { action, username },
    AuthReply { status_cd, expiry },
    Reply { status_cd, error }
);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read<T: for<'de> Deserialize<'de>>(value: Value) -> T {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_status_is_read_as_text_or_number_and_written_as_text() {
        for (value, status) in
            [(json!("1"), StatusCd::One), (json!(0), StatusCd::Zero), (json!(" 2 "), StatusCd::Two)]
        {
            assert_eq!(read::<StatusCd>(value), status);
        }
        assert_eq!(serde_json::to_string(&StatusCd::Three).unwrap(), "\"3\"");
        for value in [json!("P"), json!(null), json!(1.5), json!(true), json!("")] {
            assert!(serde_json::from_value::<StatusCd>(value).is_err());
        }
    }

    #[test]
    fn a_save_is_read_as_clients_send_it() {
        let body = json!({"action":"RETSAVE","data":"+/=","hmac":"aa","hdr":null,"st":null,"version":2});
        let request: Request = read(body);
        assert_eq!((request.action_or(None), request.data.as_deref()), (Some("RETSAVE"), Some("+/=")));
        assert_eq!((&request.hdr, &request.st, &request.sign), (&None, &None, &None));
        assert_eq!(request.extra["version"], 2);
        let with_headers: Request = read(json!({"hdr":{"clientid":"c","auth-token":"t"},"data":"x"}));
        assert_eq!(with_headers.hdr.unwrap()["clientid"], "c");
        let plain: Request = read(json!({"gstin":"33AANCS2882A1ZG","ret_period":"072017"}));
        assert_eq!(plain.action_or(Some("RETSUBMIT")), Some("RETSUBMIT"));
        assert_eq!(plain.extra["ret_period"], "072017");
        assert!(serde_json::from_value::<Request>(json!({"data":{"b2b":[]}})).is_err());
    }

    #[test]
    fn the_bodys_action_comes_before_the_querys() {
        let request = Request { action: Some("RETSAVE".to_owned()), ..Request::default() };
        assert_eq!(request.action_or(Some("B2B")), Some("RETSAVE"));
        let empty = Request { action: Some(" ".into()), ..Request::default() };
        assert_eq!(empty.action_or(Some(" RETSAVE")), Some("RETSAVE"));
        assert_eq!(Request::default().action_or(Some(" ")), None);
        assert_eq!(Request::default().action_or(None), None);
    }

    #[test]
    fn escapes_in_base64_are_json_and_nothing_more() {
        let login: AuthRequest =
            serde_json::from_str(r#"{"action":"AUTHTOKEN","otp":"a\u002Bb\/c=","app_key":"k","username":7}"#)
                .unwrap();
        assert_eq!(login.otp.as_deref(), Some("a+b/c="));
        assert_eq!(login.username.as_deref(), Some("7"));
    }

    #[test]
    fn replies_are_read_with_whatever_else_they_hold() {
        let reply: Reply =
            read(json!({"status_cd":"0","status_desc":"x","error":{"error_cd":"RET11402","message":"m"}}));
        assert_eq!(reply.error.as_ref().unwrap().error_cd, "RET11402");
        assert_eq!(reply.extra["status_desc"], "x");
        let old: Reply = read(json!({"status_cd":0,"error":{"code":"AUTH4033","desc":"Invalid Session"}}));
        assert_eq!(
            old.error.unwrap(),
            ErrorBody { error_cd: "AUTH4033".into(), message: "Invalid Session".into() }
        );
        let login: AuthReply = read(json!({"status_cd":"1","auth_token":"t","expiry":"360","sek":"s"}));
        assert_eq!(login.expiry, 360);
    }

    #[test]
    fn what_we_answer_has_the_shape_clients_expect() {
        assert_eq!(serde_json::to_value(Reply::done()).unwrap(), json!({"status_cd":"1"}));
        let failed = serde_json::to_value(Reply::failed("AUTH4033", "Invalid Session")).unwrap();
        assert_eq!(
            failed,
            json!({"status_cd":"0","error":{"error_cd":"AUTH4033","message":"Invalid Session"}})
        );
        let login =
            AuthReply { status_cd: StatusCd::One, auth_token: "t".into(), expiry: 360, sek: "s".into() };
        let expected = json!({"status_cd":"1","auth_token":"t","expiry":360,"sek":"s"});
        assert_eq!(serde_json::to_value(login).unwrap(), expected);
    }

    #[test]
    fn nothing_secret_is_shown() {
        let secret = "s3cr3t".to_owned();
        let extra = Map::from_iter([("auth_token".to_owned(), json!(secret))]);
        let shown = format!(
            "{:?} {:?} {:?} {:?}",
            Request {
                data: Some(secret.clone()),
                hdr: Some(json!(secret)),
                sid: Some(secret.clone()),
                ..Request::default()
            },
            AuthRequest {
                otp: Some(secret.clone()),
                auth_token: Some(secret.clone()),
                ..AuthRequest::default()
            },
            AuthReply {
                status_cd: StatusCd::One,
                auth_token: secret.clone(),
                expiry: 1,
                sek: secret.clone()
            },
            Reply { data: Some(secret.clone()), extra, ..Reply::done() },
        );
        assert!(!shown.contains("s3cr3t") && shown.contains("status_cd"), "{shown}");
    }
}
