//! How a command fails: with words for the person, and an exit code (of sysexits.h) for the script.

use std::fmt;
use std::io;
use std::process::ExitCode;

use serde::Serialize;
use serde_json::Value;

/// What kind of failure it was; the number is the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// The other side understood, and said no.
    Refused = 1,
    /// The command line was wrong.
    Usage = 64,
    /// What was given is not right or not there: a GSTIN, an `aspid`, a token.
    Data = 65,
    /// Something needed is not available: a port, a server, a data directory in use.
    Unavailable = 69,
    /// A file or directory could not be created.
    CannotCreate = 73,
    /// Reading or writing failed.
    Io = 74,
    /// Not now, but perhaps later.
    TryLater = 75,
    /// The other side's answer cannot be understood.
    Protocol = 76,
    /// The operating system did not permit it, or a login is needed.
    Permission = 77,
    /// The configuration is wrong.
    Config = 78,
}

/// A failed command: what happened, and what to do about it where that is known.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What kind of failure it was.
    pub(crate) exit: Exit,
    /// What happened, in one or more lines.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) remedy: Option<String>,
    /// More for programs, an object, such as the error code of a refused call.
    pub(crate) details: Option<Value>,
}

impl Failure {
    /// A failure of kind `exit`.
    pub(crate) fn new(exit: Exit, message: impl fmt::Display) -> Self {
        Self { exit, message: message.to_string(), remedy: None, details: None }
    }

    /// The same failure, saying what to do about it.
    pub(crate) fn remedy(self, remedy: impl fmt::Display) -> Self {
        Self { remedy: Some(remedy.to_string()), ..self }
    }

    /// The same failure, telling programs more: the keys of the object `details`.
    pub(crate) fn details(self, details: Value) -> Self {
        Self { details: Some(details), ..self }
    }

    /// An operating system error while doing `what`, e.g. "cannot read ca.pem". A refusal of permission keeps
    /// its own exit code; every other one gets `otherwise`.
    pub(crate) fn io(otherwise: Exit, what: impl fmt::Display, error: &io::Error) -> Self {
        let exit = match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Exit::Permission,
            _ => otherwise,
        };
        Self::new(exit, format_args!("{what}: {error}"))
    }

    /// The exit code of the process.
    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(self.exit as u8)
    }

    /// The failure as one line of JSON, for `--json`.
    pub(crate) fn as_json(&self) -> String {
        #[derive(Serialize)]
        struct Line<'a> {
            error: Body<'a>,
        }
        #[derive(Serialize)]
        struct Body<'a> {
            exit_code: u8,
            message: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            remedy: Option<&'a str>,
            #[serde(flatten)]
            details: Option<&'a Value>,
        }
        let body = Body {
            exit_code: self.exit as u8,
            message: &self.message,
            remedy: self.remedy.as_deref(),
            details: self.details.as_ref(),
        };
        serde_json::to_string(&Line { error: body }).unwrap_or_default()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "suvidha: {}", self.message)?;
        match &self.remedy {
            Some(remedy) => write!(f, "\n  {remedy}"),
            None => Ok(()),
        }
    }
}

/// The part of `--help` that says what the exit codes mean.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
   0  done
   1  GSTN or the gateway said no
  64  the command line is wrong, or a value in it has not the right form
  65  what was given is wrong or unknown (a file's contents, an aspid, a token, GSTINs to check)
  69  something needed is not available (a port, a server, a data directory in use)
  73  a file or directory cannot be created
  74  reading or writing failed
  75  not now; try again later
  76  an answer cannot be understood
  77  permission denied, or a login is needed
  78  the configuration is wrong";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_permission_keeps_its_own_code() {
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        let missing = io::Error::from(io::ErrorKind::NotFound);
        assert_eq!(Failure::io(Exit::CannotCreate, "cannot make x", &denied).exit, Exit::Permission);
        assert_eq!(Failure::io(Exit::CannotCreate, "cannot make x", &missing).exit, Exit::CannotCreate);
    }

    #[test]
    fn json_carries_the_code_and_the_remedy_when_there_is_one() {
        let failure = Failure::new(Exit::Data, "no ASP 1");
        assert_eq!(failure.as_json(), r#"{"error":{"exit_code":65,"message":"no ASP 1"}}"#);
        let failure = failure.remedy("list them");
        assert!(failure.as_json().ends_with(r#""remedy":"list them"}}"#));
        assert_eq!(failure.to_string(), "suvidha: no ASP 1\n  list them");
    }
}
