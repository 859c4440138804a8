//! What an ASP asks for, as parameters of the query: each known by name.

use http::request::Parts;

use crate::error::{Error, Kind};
use crate::query;

/// Left in the query by clients whose password moved to the headers.
const ASPID: &str = "aspid";

/// The longest part of a parameter that a refusal repeats.
const REPEATED: usize = 40;

/// Refuses a query where there is nothing to ask for.
pub(super) fn refuse_parameters(head: &Parts) -> Result<(), Error> {
    for pair in head.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let (name, _) = query::decoded(pair);
        if !name.eq_ignore_ascii_case(ASPID) {
            let words = format!("This call has no parameter `{}`.", repeated(&name));
            return Err(Error::saying(Kind::WrongParameters, words));
        }
    }
    Ok(())
}

/// What was sent, as far as it is fit to be shown.
fn repeated(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric() || *c == '_' || *c == '-').take(REPEATED).collect()
}
