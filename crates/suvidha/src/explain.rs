//! `suvidha error CODE`: what an error code means and what to do about it.

use gstn::catalogue::{ErrorEntry, error, errors};
use serde::Serialize;

use crate::exit::{Exit, Failure};
use crate::output::{Answer, Output, fields, table};

/// Explains `code`, or lists every code.
pub(crate) fn run(code: Option<&str>, output: Output) -> Result<(), Failure> {
    let Some(code) = code else {
        return output.show(&Codes(errors().iter().map(Explanation::of).collect()));
    };
    let known = error(code).or_else(|| error(&code.to_ascii_uppercase()));
    match known {
        Some(entry) => output.show(&Explanation::of(entry)),
        None => {
            Err(Failure::new(Exit::Data, format_args!("the error code {code:?} is not in the catalogue"))
                .remedy("`suvidha error` lists every code that is"))
        }
    }
}

#[derive(Serialize)]
struct Codes(Vec<Explanation>);

#[derive(Serialize)]
struct Explanation {
    code: &'static str,
    message: &'static str,
    origin: &'static str,
    http_status: Option<u16>,
    retryable: bool,
    remedy: &'static str,
}

impl Explanation {
    fn of(entry: &ErrorEntry) -> Self {
        let ErrorEntry { code, message, origin, http_status, retryable, remedy } = *entry;
        Self { code, message, origin: origin.as_str(), http_status, retryable, remedy }
    }
}

impl Answer for Codes {
    fn words(&self) -> String {
        let row = |e: &Explanation| [e.code.to_owned(), e.origin.to_owned(), e.message.to_owned()];
        table(["CODE", "ORIGIN", "MEANING"], &self.0.iter().map(row).collect::<Vec<_>>())
    }
}

impl Answer for Explanation {
    fn words(&self) -> String {
        let status = self.http_status.map_or_else(|| "-".to_owned(), |status| status.to_string());
        fields(&[
            ("code", self.code.to_owned()),
            ("meaning", self.message.to_owned()),
            ("origin", self.origin.to_owned()),
            ("HTTP status", status),
            ("retry", if self.retryable { "may help" } else { "does not help" }.to_owned()),
            ("remedy", self.remedy.to_owned()),
        ])
    }
}
