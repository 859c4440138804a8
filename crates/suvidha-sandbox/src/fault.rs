//! A refusal as GSTN words it: a code and a message, sent at HTTP 200 unless said otherwise.

use std::borrow::Cow;

use http::StatusCode;

use crate::gstr1;

/// What a call is refused with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) status: StatusCode,
    pub(crate) code: Cow<'static, str>,
    pub(crate) message: Cow<'static, str>,
}

impl Fault {
    /// One of GSTN's own errors, with its published text.
    pub(crate) fn new(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status: StatusCode::OK, code: code.into(), message: message.into() }
    }

    /// The same at another HTTP status.
    pub(crate) fn at(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// RET11400: a header or parameter that the API cannot do without.
    pub(crate) fn missing(what: &str) -> Self {
        Self::new("RET11400", format!("Header Value Missing: {what}"))
    }

    /// GEN5001: a member of the body that the API cannot do without.
    pub(crate) fn missing_parameter(what: &str) -> Self {
        Self::new("GEN5001", format!("Missing Mandatory Params: {what}"))
    }

    /// TEC4002: what was encrypted for GSTN's certificate does not open, or not to a key.
    pub(crate) fn not_for_this_certificate() -> Self {
        Self::new("TEC4002", "Invalid Data Format")
    }

    /// TEC4001: the sandbox itself failed.
    pub(crate) fn internal() -> Self {
        Self::new("TEC4001", "Technical Error").at(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// An API that GSTN has and this sandbox has not yet.
    pub(crate) fn not_simulated(api: &str) -> Self {
        Self::new("SBX501", format!("{api} is not simulated by this sandbox yet"))
            .at(StatusCode::NOT_IMPLEMENTED)
    }
}

/// The database failed: the caller learns that it was not its fault, the log learns why.
impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        tracing::error!(%error, "the sandbox database failed");
        Self::internal()
    }
}

impl From<gstr1::GstnError> for Fault {
    fn from(error: gstr1::GstnError) -> Self {
        Self::new(error.code, error.message)
    }
}

impl From<gstr1::Fault> for Fault {
    fn from(fault: gstr1::Fault) -> Self {
        match fault {
            gstr1::Fault::Gstn(error) => error.into(),
            gstr1::Fault::Database(error) => error.into(),
        }
    }
}
