//! What an ASP asks about itself: its balance, its settings, its log, and which taxpayers it has sessions of. The names, and
//! the shapes as far as they are documented, are those of TaxPro's utility APIs; `consents` is ours.
//!
//! Each is identified by any scheme, the account password among them, costs nothing, and is recorded as every call. What is read
//! from the ledger is read by the [`Readers`](crate::readers::Readers), a page at a time, and sent as it is read.

mod balance;
mod consents;
mod days;
mod list;
mod log;
mod pages;
mod parameters;
mod seats;
mod setting;
mod summary;
mod table;

use std::sync::Arc;

use gstn::AspId;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, VARY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Method, Response};
use suvidha_store::AspEntry;

pub(crate) use self::pages::Listing;
use self::seats::Seats;
use self::table::Format;
use crate::body::Content;
use crate::error::{Error, Kind};
use crate::gcra::{Limiter, Rate};
use crate::pipeline::admit::check_asp;
use crate::pipeline::identify;
use crate::pipeline::receive::Received;
use crate::pipeline::settle::Record;
use crate::pipeline::{Call, Visit};
use crate::readers::Shelf;

/// What one environment remembers of these calls.
pub(crate) struct Memory {
    calls: Limiter<AspId>,
    seats: Arc<Seats>,
}

impl Memory {
    pub(crate) fn new() -> Self {
        Self { calls: Limiter::new(1 << 16), seats: Arc::default() }
    }
}

/// One of the APIs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question {
    Balance,
    Setting,
    DailyTxn,
    DailySummary,
    DailyTxnLog,
    Consents,
}

impl Question {
    const ALL: [Self; 6] =
        [Self::Balance, Self::Setting, Self::DailyTxn, Self::DailySummary, Self::DailyTxnLog, Self::Consents];

    /// The one at this path, which is what follows the version.
    pub(crate) fn find(path: &[&str]) -> Option<Self> {
        let path = path.join("/");
        Self::ALL.into_iter().find(|question| question.path().eq_ignore_ascii_case(&path))
    }

    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Balance => "getapibalance",
            Self::Setting => "getapisetting",
            Self::DailyTxn => "apitxn/dailytxn",
            Self::DailySummary => "apitxn/dailysummary",
            Self::DailyTxnLog => "dailytxnlog",
            Self::Consents => "consents",
        }
    }
}

pub(crate) async fn respond(
    question: Question,
    mut call: Call<'_, Received>,
    visit: &Visit,
    record: &mut Record,
) -> Result<Response<Content>, Error> {
    if !matches!(*call.head.method, Method::GET | Method::HEAD) {
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
    visit.door.check_ledger()?;
    let desk = Desk { call: &call, visit, asp: &asp };
    match question {
        Question::Balance => balance::respond(&desk),
        Question::Setting => setting::respond(&desk),
        Question::DailyTxn => log::respond(&desk, "TxnDate").await,
        Question::DailyTxnLog => log::respond(&desk, "TxnDt").await,
        Question::DailySummary => summary::respond(&desk).await,
        Question::Consents => consents::respond(&desk).await,
    }
}

/// Where one question is answered.
struct Desk<'a> {
    call: &'a Call<'a, Received>,
    visit: &'a Visit,
    /// Who asks, and may.
    asp: &'a AspEntry,
}

impl Desk<'_> {
    fn seats(&self) -> &Arc<Seats> {
        &self.visit.door.aspapi.seats
    }

    /// Where the ledger is read.
    fn shelf(&self) -> Result<&Shelf, Error> {
        let words = "This gateway keeps no ledger, so there is no log to read.";
        self.visit.door.shelf.as_ref().ok_or_else(|| Error::saying(Kind::NotConfigured, words))
    }
}

/// An answer in `format`.
fn answer(format: Format, content: Content) -> Response<Content> {
    let mut response = Response::new(content);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(VARY, HeaderValue::from_static("accept"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
