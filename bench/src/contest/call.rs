//! What is called: the request that every contestant gets, and what must come back.

use crate::asps::Identity;

/// A short answer, a long one, and a long request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Api {
    /// 1 KiB down.
    Small,
    /// 256 KiB down.
    Down,
    /// 100 KiB up, 1 KiB down.
    Up,
}

const SMALL: usize = 1024;
const LARGE: usize = 256 * 1024;
const UPLOAD: usize = 100 * 1024;

/// The headers that GSTN wants, and those that any client sends. `host` comes on top, and who calls.
pub(crate) const HEADERS: [(&str, &str); 9] = [
    ("accept", "application/json"),
    ("content-type", "application/json"),
    ("gstin", "29DEMOS1234D1ZG"),
    ("state-cd", "29"),
    ("username", "demo"),
    ("auth-token", "8a227e0ba56042a0acdf98b3477d2c03"),
    ("ret_period", "102026"),
    ("ip-usr", "192.0.2.7"),
    ("txn", "bench"),
];

impl Api {
    pub(crate) fn method(self) -> &'static str {
        match self {
            Self::Small | Self::Down => "GET",
            Self::Up => "POST",
        }
    }

    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Small => {
                "/taxpayerapi/v4.1/returns/gstr1?action=B2B&gstin=29DEMOS1234D1ZG&ret_period=102026"
            }
            Self::Down => "/taxpayerapi/v4.1/returns/gstr2b?action=GET2B&gstin=29DEMOS1234D1ZG&rtnprd=102026",
            Self::Up => "/taxpayerapi/v4.1/returns/gstr1a?action=RETSAVE&gstin=29DEMOS1234D1ZG",
        }
    }

    /// The body that is sent.
    pub(crate) fn request(self) -> String {
        match self {
            Self::Small | Self::Down => String::new(),
            Self::Up => envelope(UPLOAD),
        }
    }

    /// The body that comes back.
    pub(crate) fn answer(self) -> String {
        match self {
            Self::Small | Self::Up => envelope(SMALL),
            Self::Down => envelope(LARGE),
        }
    }
}

/// What GSTN's bodies look like, of so many bytes.
fn envelope(bytes: usize) -> String {
    let (begin, end) = (r#"{"status_cd":"1","data":""#, r#""}"#);
    let data = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let data: String = data.chars().cycle().take(bytes - begin.len() - end.len()).collect();
    format!("{begin}{data}{end}")
}

/// Calls of one kind, by those who take turns.
#[derive(Debug, Clone)]
pub(crate) struct Calls {
    pub(crate) api: Api,
    pub(crate) identities: Vec<Identity>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_as_long_as_they_are_called_and_json() {
        for bytes in [SMALL, LARGE, UPLOAD] {
            let body = envelope(bytes);
            assert_eq!(body.len(), bytes);
            assert!(serde_json::from_str::<serde_json::Value>(&body).is_ok());
        }
    }
}
