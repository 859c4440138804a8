//! What an ASP asks for, as parameters of the query: each known by name, in any case of letters, and given once.

use http::header::ACCEPT;
use jiff::civil::Date;

use super::days;
use super::table::Format;
use crate::error::{Error, Kind};
use crate::pipeline::head::Head;
use crate::query;

/// The form of the answer.
const FORMAT: &str = "format";
/// How many rows one answer has.
const PAGE_SIZE: &str = "PageSize";
/// Where the page before ended.
const AFTER: &str = "After";
/// Left in the query by clients whose password moved to the headers.
const ASPID: &str = "aspid";

/// The most rows that one page has.
const LARGEST_PAGE: usize = 1000;

/// The longest part of a parameter that a refusal repeats.
const REPEATED: usize = 40;

/// The parameters of one call.
pub(super) struct Parameters {
    given: Vec<(&'static str, String)>,
    pub(super) format: Format,
    /// `None`: every row there is.
    pub(super) page_size: Option<usize>,
    /// A cursor, as a page before gave it.
    pub(super) after: Option<String>,
}

impl Parameters {
    /// Those of a call that takes `own`.
    pub(super) fn read(head: &Head<'_>, own: &[&'static str]) -> Result<Self, Error> {
        Self::read_of(head, own, &[FORMAT, PAGE_SIZE, AFTER])
    }

    /// Those of a call whose answer is one row.
    pub(super) fn read_of_one_row(head: &Head<'_>) -> Result<Self, Error> {
        Self::read_of(head, &[], &[FORMAT])
    }

    fn read_of(head: &Head<'_>, own: &[&'static str], common: &[&'static str]) -> Result<Self, Error> {
        let mut given = Vec::new();
        for pair in head.query.as_deref().unwrap_or_default().split('&') {
            let (name, value) = query::decoded(pair);
            let value = value.trim();
            if value.is_empty() && name.is_empty() || name.eq_ignore_ascii_case(ASPID) {
                continue;
            }
            let known = own.iter().chain(common).find(|known| known.eq_ignore_ascii_case(&name));
            let known = *known.ok_or_else(|| unknown(&name, own, common))?;
            if given.iter().any(|(other, _)| *other == known) {
                return Err(wrong(format!("The parameter `{known}` is there more than once.")));
            }
            if !value.is_empty() {
                given.push((known, value.to_owned()));
            }
        }
        let mut parameters = Self { given, format: Format::default(), page_size: None, after: None };
        parameters.format = parameters.asked_format(head)?;
        parameters.page_size = parameters.asked_page_size()?;
        parameters.after = parameters.text(AFTER).map(str::to_owned);
        Ok(parameters)
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.given.iter().find(|(given, _)| *given == name).map(|(_, value)| value.as_str())
    }

    /// Whether the form of the answer was asked for by name.
    pub(super) fn asks_for_format(&self) -> bool {
        self.text(FORMAT).is_some()
    }

    /// A day that must be there.
    pub(super) fn day(&self, name: &str) -> Result<Date, Error> {
        let forms = days::FORMS;
        let text = self
            .text(name)
            .ok_or_else(|| wrong(format!("The parameter `{name}` is missing: a day, as {forms}.")))?;
        days::parse(text).ok_or_else(|| {
            wrong(format!("`{name}` is `{}`, which is no day. Write {forms}.", repeated(text)))
        })
    }

    /// The query of the page after this one.
    pub(super) fn next_page(&self, after: &str) -> String {
        let others = self.given.iter().filter(|(name, _)| *name != AFTER);
        let pairs = others.map(|(name, value)| (*name, value.as_str())).chain([(AFTER, after)]);
        let pairs: Vec<_> = pairs.map(|(name, value)| format!("{name}={}", query::encoded(value))).collect();
        pairs.join("&")
    }

    /// A cursor that cannot have been ours.
    pub(super) fn wrong_cursor() -> Error {
        wrong(format!("`{AFTER}` is not what an earlier page gave as `Next`."))
    }

    fn asked_format(&self, head: &Head<'_>) -> Result<Format, Error> {
        match self.text(FORMAT) {
            Some(format) if format.eq_ignore_ascii_case("json") => Ok(Format::Json),
            Some(format) if format.eq_ignore_ascii_case("csv") => Ok(Format::Csv),
            Some(format) => {
                Err(wrong(format!("`{FORMAT}` is `{}`; it may be json or csv.", repeated(format))))
            }
            None => {
                let accepted = head.headers.get_all(ACCEPT).iter().filter_map(|accept| accept.to_str().ok());
                let accepted: String = accepted.map(str::to_ascii_lowercase).collect();
                let csv = accepted.contains("text/csv") && !accepted.contains("application/json");
                Ok(if csv { Format::Csv } else { Format::Json })
            }
        }
    }

    fn asked_page_size(&self) -> Result<Option<usize>, Error> {
        let Some(text) = self.text(PAGE_SIZE) else { return Ok(None) };
        match text.parse() {
            Ok(size) if (1..=LARGEST_PAGE).contains(&size) => Ok(Some(size)),
            _ => Err(wrong(format!("`{PAGE_SIZE}` is `{}`; it may be 1 to {LARGEST_PAGE}.", repeated(text)))),
        }
    }
}

/// Parameters that are wrong in the way that `words` say.
pub(super) fn wrong(words: impl Into<String>) -> Error {
    Error::saying(Kind::WrongParameters, words)
}

fn unknown(name: &str, own: &[&str], common: &[&str]) -> Error {
    let known: Vec<_> = own.iter().chain(common).map(|known| format!("`{known}`")).collect();
    wrong(format!("This call has no parameter `{}`; it takes {}.", repeated(name), known.join(", ")))
}

/// What was sent, as far as it is fit to be shown.
fn repeated(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric() || "-/_.: ".contains(*c)).take(REPEATED).collect()
}
