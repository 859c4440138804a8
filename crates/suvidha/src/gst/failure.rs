//! Puts a failed call into words: whose fault it was, what to do, and an exit code for scripts.

use std::io;

use serde_json::json;
use suvidha_client::{Error, NoStatement, Origin};

use crate::exit::{Exit, Failure};

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let mut message = match error.refusal() {
            Some(_) => format!("{}: {error}", who(&error)),
            None => error.to_string(),
        };
        if let Some(id) = error.request_id() {
            message.push_str(&format!(" (request {id})"));
        }
        let mut details = json!({"origin": error.origin().as_str(), "retryable": error.retryable()});
        let optional = [("error_cd", error.code()), ("request_id", error.request_id())];
        for (key, value) in optional.into_iter().filter_map(|(key, value)| Some((key, value?))) {
            details[key] = value.into();
        }
        let failure = Failure::new(exit(&error), message).details(details);
        match &error {
            Error::OtpRequired { .. } => failure.remedy("Log in again: `suvidha gst login`."),
            Error::Untrusted { .. } => failure.remedy(
                "Nothing was sent. If the gateway has a CA of its own, name that CA's file with --ca (`suvidha gst \
                 login` keeps it for the other commands); else check the address.",
            ),
            _ => match error.remedy() {
                Some(remedy) => failure.remedy(remedy),
                None => failure,
            },
        }
    }
}

fn who(error: &Error) -> &'static str {
    match error.origin() {
        Origin::Gsp => "the gateway refused the call",
        Origin::Gstn => "GSTN refused the call",
        Origin::Network => "the call did not get through to GSTN",
        _ => "the call was not accepted",
    }
}

fn exit(error: &Error) -> Exit {
    match error {
        Error::OtpRequired { .. } | Error::WrongAspSecret { .. } => Exit::Permission,
        Error::Throttled { .. } | Error::StillProcessing { .. } | Error::Queued(_) => Exit::TryLater,
        Error::NoStatement { why: NoStatement::NotYet, .. } => Exit::TryLater,
        Error::Unavailable { .. } | Error::Untrusted { .. } => Exit::Unavailable,
        Error::Protocol { .. } | Error::Download { .. } => Exit::Protocol,
        Error::Invalid(_) => Exit::Data,
        Error::Store { source, .. } if is_denied(&**source) => Exit::Permission,
        Error::Store { .. } | Error::File { .. } => Exit::Io,
        _ => match error.refusal() {
            Some(refusal) if refusal.origin == Origin::Network => Exit::Unavailable,
            Some(refusal) if refusal.origin == Origin::Gsp && [401, 403].contains(&refusal.http_status) => {
                Exit::Permission
            }
            Some(refusal) if refusal.retryable => Exit::TryLater,
            _ => Exit::Refused,
        },
    }
}

fn is_denied(source: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    let error = source.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

#[cfg(test)]
mod tests {
    use suvidha_client::Refusal;

    use super::*;

    fn refusal(code: &str, origin: Origin, http_status: u16) -> Box<Refusal> {
        let mut refusal = Refusal::new(code, "said so", origin);
        (refusal.http_status, refusal.retryable) = (http_status, false);
        (refusal.remedy, refusal.request_id) = (Some("do this".to_owned()), Some("0190".to_owned()));
        Box::new(refusal)
    }

    #[test]
    fn a_refusal_names_who_refused_and_what_to_do() {
        let failure = Failure::from(Error::Refused(refusal("RET191106", Origin::Gstn, 200)));
        assert_eq!(failure.exit, Exit::Refused);
        let expected = "suvidha: GSTN refused the call: RET191106: said so (request 0190)\n  do this";
        assert_eq!(failure.to_string(), expected);
        assert!(failure.as_json().contains(r#""error_cd":"RET191106""#));
    }

    #[test]
    fn exit_codes_tell_apart_what_a_script_must_treat_differently() {
        let exit = |error| Failure::from(error).exit;
        let over = *refusal("AUTH4033", Origin::Gstn, 200);
        assert_eq!(exit(Error::otp_required(Some(over))), Exit::Permission);
        assert_eq!(exit(Error::otp_required(None)), Exit::Permission);
        assert_eq!(exit(Error::Refused(refusal("GSP602", Origin::Gsp, 401))), Exit::Permission);
        assert_eq!(exit(Error::Refused(refusal("GSP030", Origin::Network, 502))), Exit::Unavailable);
        let mut busy = refusal("RTN_15", Origin::Gstn, 200);
        busy.retryable = true;
        assert_eq!(exit(Error::Refused(busy)), Exit::TryLater);
        assert_eq!(exit(Error::still_processing("r")), Exit::TryLater);
        assert_eq!(exit(Error::unavailable("x", false)), Exit::Unavailable);
    }
}
