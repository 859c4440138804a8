//! What an ASP asks about itself, under the names of TaxPro's utility APIs. Each is identified by any scheme, the account
//! password among them, and costs nothing.

mod days;
mod parameters;
mod setting;

use gstn::AspId;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, VARY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Method, Response};
use suvidha_store::AspEntry;

use crate::body::Content;
use crate::error::Error;
use crate::gcra::{Limiter, Rate};
use crate::pipeline::admit::check_asp;
use crate::pipeline::identify;
use crate::pipeline::receive::Received;
use crate::pipeline::settle::Record;
use crate::pipeline::{Call, Visit};

/// What one environment remembers of these calls.
pub(crate) struct Memory {
    calls: Limiter<AspId>,
}

impl Memory {
    pub(crate) fn new() -> Self {
        Self { calls: Limiter::new(1 << 16) }
    }
}

/// One of the APIs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question {
    Setting,
}

impl Question {
    const ALL: [Self; 1] = [Self::Setting];

    /// The one at this path, which is what follows the version.
    pub(crate) fn find(path: &[&str]) -> Option<Self> {
        let path = path.join("/");
        Self::ALL.into_iter().find(|question| question.path().eq_ignore_ascii_case(&path))
    }

    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Setting => "getapisetting",
        }
    }
}

pub(crate) fn respond(
    question: Question,
    mut call: Call<Received>,
    visit: &Visit,
    record: &mut Record,
) -> Result<Response<Content>, Error> {
    if !matches!(call.head.method, Method::GET | Method::HEAD) {
        return Err(Error::wrong_method("GET, HEAD".to_owned()));
    }
    let asp = identify::of_itself(&mut call, visit, record)?;
    check_asp(&asp, call.caller)?;
    let memory = &visit.door.aspapi;
    let (rate, now) = (Rate::per_minute(call.site.aspapi.calls_per_asp), visit.door.plane.seam.now());
    if let Some(wait) = memory.calls.wait(rate, &asp.aspid, now) {
        let words = "This ASP has asked about itself too often within a minute. These calls have a limit of their own.";
        return Err(Error::too_many(words, wait));
    }
    memory.calls.count(rate, asp.aspid, now);
    let desk = Desk { call: &call, visit, asp: &asp };
    match question {
        Question::Setting => setting::respond(&desk),
    }
}

/// Where one question is answered.
struct Desk<'a> {
    call: &'a Call<Received>,
    visit: &'a Visit,
    /// Who asks, and may.
    asp: &'a AspEntry,
}

/// An answer in JSON.
fn answer(content: Content) -> Response<Content> {
    let mut response = Response::new(content);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(VARY, HeaderValue::from_static("accept"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
