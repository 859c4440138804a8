//! A look at the head of a reply that is not to be parsed: only `status_cd` and `error.error_cd`.

use super::StatusCd;

/// What the head of a reply tells.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Peek {
    /// The outcome, if the head reaches that far.
    pub status_cd: Option<StatusCd>,
    /// The error's code, if there is one and the head reaches that far.
    pub error_cd: Option<String>,
}

/// Looks for the top-level `status_cd` and `error.error_cd` in `head`, the beginning of a JSON document.
pub fn peek(head: &[u8]) -> Peek {
    let _ = head;
    Peek::default()
}
