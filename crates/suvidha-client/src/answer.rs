//! Reads an answer's outcome: done, or refused, by whom, why, and what kind of error that is to the caller.

use std::time::Duration;

use gstn::catalogue;
use gstn::envelope::{StatusCd, peek};
use gstn::headers;
use http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, NoStatement, Origin, Refusal};
use crate::transport::Answer;

/// What a call is part of: the same code does not mean the same everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Without a taxpayer session: the way to one.
    Outside,
    /// Reading what is public, without a session.
    Public,
    /// Prolonging a session.
    Refresh,
    /// Reading within a session.
    Read,
    /// Changing something within a session.
    Write,
}

/// Codes after which only a new OTP helps.
const SESSION_OVER: [&str; 7] =
    ["AUTH158", "AUTH4033", "AUTH4038", "RET11402", "RET11407", "RET2B1010", "RT-R1R3BAV-1007"];
/// Of REFRESHTOKEN alone: the period the taxpayer consented to is over.
const CONSENT_OVER: [&str; 2] = ["AUTH002", "AUTH4037"];
/// Codes by which a read says that there is nothing.
const NOTHING_THERE: [&str; 11] = [
    "EINV30107",
    "EINV30108",
    "EINV30118",
    "FO8000",
    "RET11416",
    "RET11417",
    "RET13508",
    "RET13509",
    "RET13510",
    "RET2B1016",
    "RT-3BAS1009",
];

/// The answer's JSON, if the call was done.
pub(crate) fn read<T: DeserializeOwned>(answer: &Answer, stage: Stage) -> Result<T, Error> {
    check(answer, stage)?;
    serde_json::from_slice(&answer.body).map_err(|_| protocol(answer, "is not the JSON that was promised"))
}

/// Whether the call was done.
pub(crate) fn check(answer: &Answer, stage: Stage) -> Result<(), Error> {
    match peek(&answer.body).status_cd {
        Some(StatusCd::Zero) => Err(classify(refusal(answer), answer, stage)),
        _ if answer.status.is_success() => Ok(()),
        _ if answer.status == StatusCode::TOO_MANY_REQUESTS => Err(classify(refusal(answer), answer, stage)),
        _ if answer.status.is_server_error() => Err(Error::Unavailable {
            what: format!("the gateway answered HTTP {}, without a GST answer", answer.status),
            may_have_arrived: true,
        }),
        _ => Err(protocol(answer, &format!("is HTTP {}, without a GST answer", answer.status))),
    }
}

/// As [`check`], for a call whose answer is "done" and no more. A page of a proxy, HTTP 200 as it is, does not say it.
pub(crate) fn done(answer: &Answer, stage: Stage) -> Result<(), Error> {
    check(answer, stage)?;
    match peek(&answer.body).is_success() {
        true => Ok(()),
        false => Err(protocol(answer, "does not say that the call was done")),
    }
}

pub(crate) fn protocol(answer: &Answer, what: &str) -> Error {
    Error::Protocol { what: format!("the answer {what}"), request_id: answer.request_id() }
}

/// The error object, as GSTN writes it and as a Suvidha gateway adds to it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ErrorObject {
    error_cd: Option<String>,
    message: Option<String>,
    origin: Option<String>,
    retryable: Option<bool>,
    remedy: Option<String>,
    request_id: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Refused {
    error: ErrorObject,
    status_desc: Option<String>,
    message: Option<String>,
}

fn refusal(answer: &Answer) -> Refusal {
    let Refused { error, status_desc, message } = serde_json::from_slice(&answer.body).unwrap_or_default();
    let code = error.error_cd.unwrap_or_else(|| format!("HTTP {}", answer.status.as_u16()));
    let known = catalogue::error(&code);
    let said = [error.message, status_desc, message].into_iter().flatten().find(|text| !text.is_empty());
    let origin = answer.header(headers::X_GSP_ERROR_ORIGIN).or(error.origin.as_deref());
    Refusal {
        http_status: answer.status.as_u16(),
        message: said.unwrap_or_else(|| known.map_or("no reason given", |entry| entry.message).to_owned()),
        origin: origin.and_then(Origin::named).unwrap_or_else(|| origin_of(&code)),
        retryable: error.retryable.unwrap_or_else(|| known.is_some_and(|entry| entry.retryable)),
        remedy: error.remedy.or_else(|| known.map(|entry| entry.remedy.to_owned())),
        request_id: answer.request_id().or(error.request_id),
        code,
    }
}

fn origin_of(code: &str) -> Origin {
    match catalogue::error(code) {
        Some(entry) => Origin::of(entry),
        None if code.starts_with("GSP") => Origin::Gsp,
        None => Origin::Gstn,
    }
}

fn classify(refusal: Refusal, answer: &Answer, stage: Stage) -> Error {
    let code = refusal.code.as_str();
    let over = SESSION_OVER.contains(&code) && !matches!(stage, Stage::Outside | Stage::Public)
        || CONSENT_OVER.contains(&code) && stage == Stage::Refresh;
    let nothing = matches!(stage, Stage::Read | Stage::Public) && NOTHING_THERE.contains(&code);
    let no_statement = NoStatement::of(code);
    let refusal = Box::new(refusal);
    if answer.status == StatusCode::TOO_MANY_REQUESTS {
        let seconds = answer.header("retry-after").and_then(|seconds| seconds.trim().parse().ok());
        Error::Throttled { refusal, retry_after: seconds.map(Duration::from_secs) }
    } else if over {
        Error::OtpRequired { refusal: Some(refusal) }
    } else if nothing {
        Error::NoDocuments(refusal)
    } else if let Some(why) = no_statement {
        Error::NoStatement { why, refusal }
    } else {
        Error::Refused(refusal)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderMap;

    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Answer {
        let headers: HeaderMap =
            headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        Answer { status: StatusCode::from_u16(status).unwrap(), headers, body: Bytes::from(body.to_owned()) }
    }

    fn error(status: u16, headers: &[(&'static str, &str)], body: &str, stage: Stage) -> Error {
        check(&answer(status, headers, body), stage).unwrap_err()
    }

    #[test]
    fn the_gateways_own_no_keeps_everything_it_says() {
        let body = r#"{"status_cd":"0","error":{"error_cd":"GSP602","message":"token not recognised","origin":"gsp",
            "retryable":true,"remedy":"ask for a token","request_id":"body"}}"#;
        let error = error(401, &[("x-request-id", "head")], body, Stage::Write);
        assert!(matches!(error, Error::Refused(_)));
        assert_eq!((error.code(), error.origin()), (Some("GSP602"), Origin::Gsp));
        assert_eq!((error.remedy(), error.request_id()), (Some("ask for a token"), Some("head")));
        assert!(error.retryable());
    }

    #[test]
    fn gstns_no_comes_with_http_200_and_a_number_for_a_status() {
        let body = r#"{"status_cd":0,"error":{"error_cd":"XYZ1","message":"no"}}"#;
        let error = error(200, &[("x-gsp-error-origin", "gstn")], body, Stage::Write);
        assert_eq!((error.code(), error.origin(), error.retryable()), (Some("XYZ1"), Origin::Gstn, false));
    }

    #[test]
    fn the_same_code_means_different_things_in_different_places() {
        let body =
            |code: &str| format!(r#"{{"status_cd":"0","error":{{"error_cd":"{code}","message":"m"}}}}"#);
        assert!(matches!(error(200, &[], &body("AUTH4033"), Stage::Outside), Error::Refused(_)));
        assert!(matches!(error(200, &[], &body("AUTH4033"), Stage::Read), Error::OtpRequired { .. }));
        assert!(matches!(error(200, &[], &body("AUTH4037"), Stage::Refresh), Error::OtpRequired { .. }));
        assert!(matches!(error(200, &[], &body("AUTH4037"), Stage::Write), Error::Refused(_)));
        assert!(matches!(error(200, &[], &body("RET13509"), Stage::Read), Error::NoDocuments(_)));
        assert!(matches!(error(200, &[], &body("RET13509"), Stage::Write), Error::Refused(_)));
    }

    #[test]
    fn that_there_is_no_gstr2b_is_told_with_the_reason() {
        let no = |code: &str| format!(r#"{{"status_cd":"0","error":{{"error_cd":"{code}","message":"m"}}}}"#);
        for (code, reason) in [
            ("RET2B1018", NoStatement::NotYet),
            ("GTR2B-002", NoStatement::PreviousReturnMissing),
            ("GTR2B-001", NoStatement::NotApplicable),
            ("RET2B1023", NoStatement::NotGenerated),
        ] {
            for stage in [Stage::Read, Stage::Write] {
                let error = error(200, &[], &no(code), stage);
                assert!(matches!(&error, Error::NoStatement { why, .. } if *why == reason), "{error:?}");
                assert_eq!((error.code(), error.remedy().is_some()), (Some(code), true));
            }
        }
        assert!(matches!(error(200, &[], &no("RET2B1016"), Stage::Read), Error::NoDocuments(_)));
    }

    #[test]
    fn a_page_of_a_proxy_is_not_taken_for_an_answer_of_gst() {
        assert!(matches!(
            error(502, &[], "<html>bad gateway</html>", Stage::Read),
            Error::Unavailable { .. }
        ));
        assert!(matches!(error(404, &[], "<html>not here</html>", Stage::Read), Error::Protocol { .. }));
        assert!(read::<serde_json::Value>(&answer(200, &[], "<html>welcome</html>"), Stage::Read).is_err());
    }

    #[test]
    fn throttling_says_when_to_come_back() {
        let body = r#"{"status_cd":"0","error":{"error_cd":"GSP700","message":"slow down"}}"#;
        let Error::Throttled { retry_after, .. } = error(429, &[("retry-after", "7")], body, Stage::Read)
        else {
            panic!("not throttled")
        };
        assert_eq!(retry_after, Some(Duration::from_secs(7)));
    }
}
