//! The headers of a GSTN call: their names, their values as a caller sent them, and what can be wrong with them.
//!
//! GSTN's own documents mix hyphens and underscores; the names here are the ones on the wire, in lower case.

use std::fmt;

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
/// An ASP's account password, for the GSP's own utility APIs.
pub const PASSWORD: &str = "password";
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
            if has_control_characters(value) {
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

/// No look at single characters where all are ASCII, as they are in every header that is right.
fn has_control_characters(value: &str) -> bool {
    if value.is_ascii() {
        // Every byte is looked at, whatever was found: that takes many at once.
        value.bytes().fold(false, |found, byte| found | byte.is_ascii_control())
    } else {
        value.chars().any(char::is_control)
    }
}

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

/// Shows every header but the session's token.
impl fmt::Debug for GstnHeaders<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GstnHeaders")
            .field("state_cd", &self.state_cd)
            .field("ip_usr", &self.ip_usr)
            .field("txn", &self.txn)
            .field("username", &self.username)
            .field("auth_token", &self.auth_token.map(|_| "…"))
            .field("gstin", &self.gstin)
            .field("ret_period", &self.ret_period)
            .field("rtn_typ", &self.rtn_typ)
            .field("userrole", &self.userrole)
            .field("api_version", &self.api_version)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::catalogue;

    type Pairs = &'static [(&'static str, &'static str)];

    const WHOLE: Pairs = &[
        (STATE_CD, "33"),
        (IP_USR, "123.456.789.100"),
        (TXN, "txn123"),
        (USERNAME, "TN_NT2.2265"),
        (AUTH_TOKEN, "5d0c5d1a6a7c4bd48d4a1a6f5b7e2c11"),
        (GSTIN, "33AANCS2882A1ZG"),
        (RET_PERIOD, "072025"),
    ];

    fn read<'a>(pairs: &[(&str, &'a str)]) -> Result<GstnHeaders<'a>, HeaderFault> {
        GstnHeaders::read(|name| pairs.iter().find(|pair| pair.0 == name).map(|pair| pair.1))
    }

    fn without(header: &str) -> Vec<(&'static str, &'static str)> {
        WHOLE.iter().copied().filter(|pair| pair.0 != header).collect()
    }

    fn with(header: &'static str, value: &'static str) -> Vec<(&'static str, &'static str)> {
        let mut pairs = without(header);
        pairs.push((header, value));
        pairs
    }

    #[test]
    fn a_whole_set_of_headers_passes_the_strict_check() {
        let headers = read(WHOLE).unwrap();
        assert_eq!(headers.contradictions(), Ok(()));
        assert_eq!(headers.missing_mandatory(true), None);
    }

    #[test]
    fn each_missing_header_has_its_code() {
        let expected = [
            (USERNAME, "GSP004"),
            (GSTIN, "GSP005"),
            (TXN, "GSP006"),
            (IP_USR, "GSP007"),
            (AUTH_TOKEN, "GSP008"),
            (STATE_CD, "GSP009"),
        ];
        for (header, code) in expected {
            let fault = read(&without(header)).unwrap().missing_mandatory(true).unwrap();
            assert_eq!((fault.code(), fault.header()), (code, header));
            assert_eq!(fault.to_string(), format!("the header `{header}` is missing"));
        }
    }

    #[test]
    fn a_login_needs_neither_gstin_nor_session() {
        let headers = read(&[(STATE_CD, "33"), (IP_USR, "10.0.0.1"), (TXN, "1")]).unwrap();
        assert_eq!(headers.missing_mandatory(false), None);
        assert_eq!(headers.missing_mandatory(true).unwrap().code(), "GSP005");
    }

    #[test]
    fn the_strict_check_wants_right_forms_too() {
        let code =
            |header, value| read(&with(header, value)).unwrap().missing_mandatory(true).unwrap().code();
        assert_eq!(code(STATE_CD, "7"), "GSP009A");
        assert_eq!(code(STATE_CD, "TN"), "GSP009A");
        assert_eq!(code(GSTIN, "33AANCS2882A1Z"), "GSP005A");
        let masked = read(&with(GSTIN, "33AANCS2882A1Z5")).unwrap();
        assert_eq!(masked.missing_mandatory(true), None, "a masked check digit is GSTN's to judge");
    }

    #[test]
    fn a_state_that_is_not_the_gstins_is_a_contradiction() {
        let fault = read(&with(STATE_CD, "27")).unwrap().contradictions().unwrap_err();
        assert_eq!(fault.code(), "GSP009B");
        assert_eq!(fault.to_string(), "the header `state-cd` is \"27\", but `gstin` begins with \"33\"");
        assert_eq!(read(&with(GSTIN, "not a gstin")).unwrap().contradictions(), Ok(()));
    }

    #[test]
    fn tax_periods_are_read_in_both_spellings() {
        let period = |pairs: &[(&str, &'static str)]| read(pairs).unwrap().ret_period;
        assert_eq!(period(&[(RET_PERIOD, "072025")]), Some("072025"));
        assert_eq!(period(&[(RET_PRD, "072025 ")]), Some("072025"));
        let both = read(&[(RET_PERIOD, "072025"), (RET_PRD, "072025 ")]).unwrap();
        assert_eq!(both.contradictions(), Ok(()));
        let fault =
            read(&[(RET_PERIOD, "072025"), (RET_PRD, "062025")]).unwrap().contradictions().unwrap_err();
        assert_eq!(fault.code(), "GSP631");
    }

    #[test]
    fn only_a_period_that_cannot_be_one_is_malformed() {
        let check = |value: &'static str| read(&[(RET_PRD, value)]).unwrap().contradictions();
        for value in ["012017", "122025", "132024", "162099", "", "  "] {
            assert_eq!(check(value), Ok(()), "{value}");
        }
        for value in ["172024", "002024", "72025", "2025-07", "072150", "07202५", "July25"] {
            assert_eq!(check(value).unwrap_err().code(), "GSP630", "{value}");
        }
        let complaint = check("2025-07").unwrap_err().to_string();
        assert!(complaint.contains("\"2025-07\"") && complaint.contains("MMYYYY"), "{complaint}");
    }

    #[test]
    fn a_fault_never_quotes_a_token() {
        let token = "s3cr3t".repeat(200);
        let fault = read(&[(AUTH_TOKEN, &token)]).unwrap_err();
        assert_eq!(
            fault.to_string(),
            "the header `auth-token` is 1200 bytes long; it must be at most 512 bytes"
        );
        assert!(!read(&[(AUTH_TOKEN, "s3cr3t\u{7}")]).unwrap_err().to_string().contains("s3cr3t"));
        assert!(!format!("{:?}", read(&[(AUTH_TOKEN, "s3cr3t")]).unwrap()).contains("s3cr3t"));
    }

    #[test]
    fn every_fault_is_in_the_catalogue() {
        for code in
            ["GSP004", "GSP005", "GSP005A", "GSP006", "GSP007", "GSP008", "GSP009", "GSP009A", "GSP009B"]
        {
            assert!(catalogue::error(code).is_some(), "{code}");
        }
        assert!(catalogue::error("GSP630").is_some() && catalogue::error("GSP631").is_some());
    }

    proptest! {
        #[test]
        fn any_values_are_read_or_refused(values in proptest::collection::vec("\\PC{0,20}|[0-9]{2,6}", 11)) {
            let names = [STATE_CD, IP_USR, TXN, USERNAME, AUTH_TOKEN, GSTIN, RET_PERIOD, RET_PRD, RTN_TYP, USERROLE];
            let pairs: Vec<_> = names.into_iter().zip(values.iter().map(String::as_str)).collect();
            let headers = read(&pairs).unwrap();
            let faults = [headers.contradictions().err(), headers.missing_mandatory(true), headers.missing_mandatory(false)];
            for fault in faults.into_iter().flatten() {
                prop_assert!(catalogue::error(fault.code()).is_some());
                prop_assert!(fault.to_string().len() < 400);
            }
        }
    }
}
