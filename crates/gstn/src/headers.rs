//! The headers of a GSTN call: their names, their values as a caller sent them, and what can be wrong with them.
//!
//! GSTN's own documents mix hyphens and underscores; the names here are the ones on the wire, in lower case.

use crate::identifiers::{Gstin, StateCode};

/// GSTN's licence key of a GSP, first half. Between an ASP and its GSP: an older way to identify the ASP.
pub const CLIENT_ID: &str = "clientid";
/// GSTN's licence key of a GSP, second half.
pub const CLIENT_SECRET: &str = "client-secret";
/// `clientid` as e-invoice and e-way bill calls also spell it.
pub const CLIENT_ID_HYPHENATED: &str = "client-id";
/// `clientid` of customers who came from the Karvy GSP.
pub const KARVY_CLIENT_ID: &str = "karvyclientid";
/// `client-secret` of customers who came from the Karvy GSP.
pub const KARVY_CLIENT_SECRET: &str = "karvyclient_secret";
/// An ASP's static token.
pub const X_CT_AUTH_TOKEN: &str = "x-ct-auth-token";
/// An ASP's ten-digit number.
pub const ASPID: &str = "aspid";
/// An ASP's secret, encrypted under its GSP session key.
pub const ASP_SECRET: &str = "asp-secret";
/// An ASP's GSP session.
pub const SESSION_ID: &str = "session-id";
/// What `txn` was called in the older form of GetKey.
pub const MESSAGE_ID: &str = "message-id";
/// Name and version of the ASP's program.
pub const APPVER: &str = "appver";
/// State code: the first two digits of the GSTIN.
pub const STATE_CD: &str = "state-cd";
/// The end user's address.
pub const IP_USR: &str = "ip-usr";
/// The caller's transaction id.
pub const TXN: &str = "txn";
/// The taxpayer's user name at the GST portal.
pub const USERNAME: &str = "username";
/// The token of a taxpayer session.
pub const AUTH_TOKEN: &str = "auth-token";
/// The taxpayer.
pub const GSTIN: &str = "gstin";
/// The tax period, `MMYYYY`.
pub const RET_PERIOD: &str = "ret_period";
/// `ret_period` as some documents and clients spell it.
pub const RET_PRD: &str = "ret_prd";
/// The form, such as `GSTR1`.
pub const RTN_TYP: &str = "rtn_typ";
/// The same value as `rtn_typ`.
pub const USERROLE: &str = "userrole";
/// The version of the form's payload, such as `4.0`.
pub const API_VERSION: &str = "api_version";
/// The encrypted app key, which one GSP's documents send as a header beside the body.
pub const APP_KEY: &str = "appkey";
/// Sent by some clients, left over from other calls; it means nothing.
pub const ACTION: &str = "action";

/// On every answer of the gateway: its id of the call, a UUIDv7.
pub const X_REQUEST_ID: &str = "x-request-id";
/// On every failed answer of the gateway: whose failure it was (`gsp`, `gstn`, `network`, `asp`).
pub const X_GSP_ERROR_ORIGIN: &str = "x-gsp-error-origin";

/// The GSTN headers of one call, as sent. Nothing but the longest acceptable length has been checked.
#[derive(Clone, Copy, Default)]
#[expect(missing_docs, reason = "each field is the header of that name, described at its constant")]
pub struct GstnHeaders<'a> {
    pub state_cd: Option<&'a str>,
    pub ip_usr: Option<&'a str>,
    pub txn: Option<&'a str>,
    pub username: Option<&'a str>,
    /// A secret.
    pub auth_token: Option<&'a str>,
    pub gstin: Option<&'a str>,
    /// Either spelling, `ret_period` first.
    pub ret_period: Option<&'a str>,
    pub rtn_typ: Option<&'a str>,
    pub userrole: Option<&'a str>,
    pub api_version: Option<&'a str>,
    /// The other spelling, where both were sent.
    ret_prd: Option<&'a str>,
}

/// What is wrong with the headers of a call. It never quotes a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderFault {
    /// A mandatory header is not there, or empty.
    #[error("the header `{header}` is missing")]
    Missing {
        /// Its name.
        header: &'static str,
    },
    /// A value that cannot be right.
    #[error("the header `{header}` is {found}; it must be {expected}")]
    Malformed {
        /// Its name.
        header: &'static str,
        /// The value, shortened, or only its length where it is a secret.
        found: String,
        /// The form it must have, in words.
        expected: &'static str,
    },
    /// `state-cd` is not the state of `gstin`.
    #[error("the header `state-cd` is {state_cd:?}, but `gstin` begins with {gstin:?}")]
    StateOfAnother {
        /// The value of `state-cd`, shortened.
        state_cd: String,
        /// The first two digits of `gstin`.
        gstin: String,
    },
    /// Both spellings of the tax period, with different values.
    #[error(
        "the headers `ret_period` and `ret_prd` are {ret_period:?} and {ret_prd:?}; they must be the same"
    )]
    TwoPeriods {
        /// One spelling's value, shortened.
        ret_period: String,
        /// The other's, shortened.
        ret_prd: String,
    },
}

impl<'a> GstnHeaders<'a> {
    /// Picks the GSTN headers out of a request. `get` answers the value of the header of a (lower-case) name.
    ///
    /// Blanks around values are dropped, and an empty value counts as none.
    ///
    /// # Errors
    /// [`HeaderFault::Malformed`] for a value no GSTN header can have: over 512 bytes, or with control characters.
    pub fn read(get: impl Fn(&str) -> Option<&'a str>) -> Result<Self, HeaderFault> {
        let read = |header: &'static str| -> Result<Option<&'a str>, HeaderFault> {
            let Some(value) = get(header).map(str::trim).filter(|value| !value.is_empty()) else {
                return Ok(None);
            };
            if value.len() > LONGEST_VALUE {
                let found = format!("{} bytes long", value.len());
                return Err(HeaderFault::Malformed { header, found, expected: "at most 512 bytes" });
            }
            if value.chars().any(char::is_control) {
                let found = "a text with control characters".to_owned();
                return Err(HeaderFault::Malformed { header, found, expected: "printable" });
            }
            Ok(Some(value))
        };
        let (ret_period, ret_prd) = (read(RET_PERIOD)?, read(RET_PRD)?);
        Ok(Self {
            state_cd: read(STATE_CD)?,
            ip_usr: read(IP_USR)?,
            txn: read(TXN)?,
            username: read(USERNAME)?,
            auth_token: read(AUTH_TOKEN)?,
            gstin: read(GSTIN)?,
            ret_period: ret_period.or(ret_prd),
            rtn_typ: read(RTN_TYP)?,
            userrole: read(USERROLE)?,
            api_version: read(API_VERSION)?,
            ret_prd: ret_period.and(ret_prd),
        })
    }

    /// Refuses only what cannot be right, whatever the call: a `state-cd` that is not the state of `gstin`, a
    /// tax period that is none, two different tax periods.
    ///
    /// # Errors
    /// The first such fault.
    pub fn contradictions(&self) -> Result<(), HeaderFault> {
        if let (Some(state_cd), Some(gstin)) = (self.state_cd, self.gstin)
            && let Some(prefix) = gstin.get(..2)
            && prefix.bytes().all(|byte| byte.is_ascii_digit())
            && prefix != state_cd
        {
            return Err(HeaderFault::StateOfAnother { state_cd: quote(state_cd), gstin: prefix.to_owned() });
        }
        for (header, value) in [(RET_PERIOD, self.ret_period), (RET_PRD, self.ret_prd)] {
            if let Some(value) = value.filter(|value| !is_tax_period(value)) {
                let expected = "a tax period of six digits, MMYYYY, such as 072025";
                return Err(HeaderFault::Malformed { header, found: shown(value), expected });
            }
        }
        match (self.ret_period, self.ret_prd) {
            (Some(one), Some(other)) if one != other => {
                Err(HeaderFault::TwoPeriods { ret_period: quote(one), ret_prd: quote(other) })
            }
            _ => Ok(()),
        }
    }

    /// The first mandatory header that is missing, or whose value has not the form GSTN demands (`gstin`,
    /// `state-cd`). This is the strict check; many working clients fail it.
    ///
    /// Every call must have `state-cd`, `ip-usr` and `txn`; one inside a taxpayer session (`needs_session`)
    /// also `gstin`, `username` and `auth-token`.
    pub fn missing_mandatory(&self, needs_session: bool) -> Option<HeaderFault> {
        let always = [(STATE_CD, self.state_cd), (IP_USR, self.ip_usr), (TXN, self.txn)];
        let in_session = [(GSTIN, self.gstin), (USERNAME, self.username), (AUTH_TOKEN, self.auth_token)];
        let in_session = if needs_session { &in_session[..] } else { &[] };
        if let Some((header, _)) = always.iter().chain(in_session).find(|(_, value)| value.is_none()) {
            return Some(HeaderFault::Missing { header });
        }
        if let Some(value) = self.state_cd.filter(|value| value.parse::<StateCode>().is_err()) {
            let expected = "a state code of two digits, 01 to 38, 96, 97 or 99";
            return Some(HeaderFault::Malformed { header: STATE_CD, found: shown(value), expected });
        }
        let gstin = self.gstin.filter(|value| Gstin::parse_lenient(value).is_err())?;
        let expected = "a GSTIN of fifteen characters";
        Some(HeaderFault::Malformed { header: GSTIN, found: shown(gstin), expected })
    }
}

impl HeaderFault {
    /// The code of the fault in the catalogue of errors.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing { header } => match *header {
                USERNAME => "GSP004",
                GSTIN => "GSP005",
                TXN => "GSP006",
                IP_USR => "GSP007",
                AUTH_TOKEN => "GSP008",
                STATE_CD => "GSP009",
                _ => "GSP630",
            },
            Self::Malformed { header: GSTIN, .. } => "GSP005A",
            Self::Malformed { header: STATE_CD, .. } => "GSP009A",
            Self::Malformed { .. } => "GSP630",
            Self::StateOfAnother { .. } => "GSP009B",
            Self::TwoPeriods { .. } => "GSP631",
        }
    }

    /// The header at fault.
    pub fn header(&self) -> &'static str {
        match self {
            Self::Missing { header } | Self::Malformed { header, .. } => header,
            Self::StateOfAnother { .. } => STATE_CD,
            Self::TwoPeriods { .. } => RET_PERIOD,
        }
    }
}

const LONGEST_VALUE: usize = 512;

/// Six digits with a month of 01 to 16: GSTN's forms number the quarters of a year 13 to 16.
fn is_tax_period(value: &str) -> bool {
    value.len() == 6
        && value.bytes().all(|byte| byte.is_ascii_digit())
        && ("01".."17").contains(&&value[..2])
        && ("1900".."2100").contains(&&value[2..])
}

/// The value as an error may quote it.
fn quote(value: &str) -> String {
    value.chars().take(40).collect()
}

fn shown(value: &str) -> String {
    format!("{:?}", quote(value))
}
