//! What the fault plan knows of a call before anybody has looked at it.

use gstn::catalogue::Family;
use serde::Deserialize;
use serde_json::Value;

use crate::call::Call;

/// The header by which a GSP may tell its ASP.
const ASP_ID: &str = "aspid";
/// The actions whose `app_key` is encrypted for GSTN's certificate.
const UNDER_THE_CERTIFICATE: [&str; 3] = ["OTPREQUEST", "AUTHTOKEN", "ACCESSTOKEN"];

/// The members of a body by which a call can be told.
#[derive(Default, Deserialize)]
pub(crate) struct Named {
    #[serde(default)]
    action: Value,
    #[serde(default)]
    username: Value,
    #[serde(default)]
    auth_token: Value,
}

impl Named {
    /// What the body says; nothing if it is no JSON object.
    pub(crate) fn of(call: &Call) -> Self {
        serde_json::from_slice(&call.body).unwrap_or_default()
    }

    pub(crate) fn action<'a>(&'a self, call: &'a Call) -> Option<&'a str> {
        self.action.as_str().or_else(|| call.query("action"))
    }

    pub(crate) fn username<'a>(&'a self, call: &'a Call) -> Option<&'a str> {
        self.username.as_str().or_else(|| call.header(gstn::headers::USERNAME))
    }

    pub(crate) fn auth_token<'a>(&'a self, call: &'a Call) -> Option<&'a str> {
        call.header(gstn::headers::AUTH_TOKEN).or_else(|| self.auth_token.as_str())
    }
}

/// A call as the rules of the plan see it.
pub(crate) struct Facts<'a> {
    pub(super) method: &'a str,
    pub(super) family: Option<&'static str>,
    pub(super) path: String,
    pub(super) action: Option<&'a str>,
    pub(super) gstin: Option<&'a str>,
    pub(super) client: Option<&'a str>,
    pub(super) asp: Option<&'a str>,
    pub(super) auth_token: Option<&'a str>,
    /// Whether it carries a key that was encrypted for GSTN's certificate.
    pub(super) sealed_for_certificate: bool,
}

impl<'a> Facts<'a> {
    /// The facts of a call of the taxpayer `gstin`.
    pub(crate) fn of(call: &'a Call, named: &'a Named, gstin: Option<&'a str>) -> Self {
        let (family, path) = match call.resource() {
            Some(resource) => (Some(resource.family), resource.path),
            None => (None, String::new()),
        };
        let action = named.action(call);
        Self {
            method: call.method.as_str(),
            family: family.map(Family::as_str),
            sealed_for_certificate: path == "authenticate"
                && action.is_some_and(|action| UNDER_THE_CERTIFICATE.contains(&action.trim())),
            path,
            action: action.map(str::trim),
            gstin,
            client: call.header(gstn::headers::CLIENT_ID),
            asp: call.header(ASP_ID),
            auth_token: named.auth_token(call),
        }
    }

    /// Whether it asks where the files of a large answer are: FILEDET, FILEDETL and the like.
    pub(super) fn asks_for_files(&self) -> bool {
        self.action.is_some_and(|action| action.starts_with("FILEDET"))
    }

    /// Whose call it is.
    pub(crate) fn gstin(&self) -> Option<&'a str> {
        self.gstin
    }

    /// The token of the session that the call names.
    pub(crate) fn auth_token(&self) -> Option<&'a str> {
        self.auth_token
    }
}
