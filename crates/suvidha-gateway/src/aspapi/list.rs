//! A list out of the ledger, whole or by pages.

use std::time::Duration;

use base64_simd::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::{CONTENT_DISPOSITION, LINK};
use http::{HeaderValue, Method, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use suvidha_store::ledger::{LedgerError, LedgerReader};

use super::pages::{self, Listing, Page, Pages};
use super::parameters::Parameters;
use super::table::{Format, Table};
use super::{Desk, answer};
use crate::body::Content;
use crate::error::Error;

/// How many rows are read at once where nobody asked for pages: some 200 KiB.
const ROWS: usize = 500;

/// Shorter lists are sent whole, with their length.
const RELEASED_WHOLE: usize = 32 * 1024;

/// When all places are taken one may be free again after so many seconds.
const WAIT_FOR_A_SEAT: Duration = Duration::from_secs(2);

/// What a list consists of.
pub(super) trait Rows: Send + 'static {
    /// Where a page ended.
    type Cursor: Serialize + DeserializeOwned + Send;
    /// What the rows are called in JSON.
    const NAME: &'static str;
    const COLUMNS: &'static [&'static str];

    /// Writes rows after `after`: at most `limit`, and perhaps fewer, or none, though there are more. Takes no longer than
    /// others may be kept waiting.
    fn read(
        &mut self,
        reader: &LedgerReader,
        after: Option<&Self::Cursor>,
        limit: usize,
        table: &mut Table,
    ) -> Result<Read<Self::Cursor>, LedgerError>;
}

/// What was read.
pub(super) struct Read<Cursor> {
    pub(super) rows: usize,
    /// Where to go on, if there may be more.
    pub(super) next: Option<Cursor>,
}

/// Answers with `rows`; `members` stand before them in JSON, and `file` names the CSV.
pub(super) async fn respond<R: Rows>(
    desk: &Desk<'_>,
    parameters: &Parameters,
    members: &[(&str, Value)],
    file: &str,
    rows: R,
) -> Result<Response<Content>, Error> {
    let after = match &parameters.after {
        Some(cursor) => Some(read_cursor(cursor).ok_or_else(Parameters::wrong_cursor)?),
        None => None,
    };
    let shelf = desk.shelf()?;
    let seat = desk.seats().take(desk.asp.aspid).ok_or_else(|| {
        let words = "Too many lists are being read at once, by this ASP or by all. Read one to its end before the next.";
        Error::too_many(words, WAIT_FOR_A_SEAT)
    })?;
    let format = parameters.format;
    let table = Table::begin(format, R::COLUMNS, members, R::NAME);
    let mut list = Box::new(List { rows, table, after, left: parameters.page_size, next_page: None });
    let mut beginning = Vec::new();
    let is_last = loop {
        let (given_back, page) = pages::read(shelf, list).await?;
        list = given_back;
        beginning.extend_from_slice(&page.bytes);
        if page.is_last || (list.left.is_none() && beginning.len() >= RELEASED_WHOLE) {
            break page.is_last;
        }
    };
    let bytes = Bytes::from(beginning);
    let next = list.next_page.as_deref().map(|cursor| parameters.next_page(cursor));
    let content = if is_last {
        Content::Whole(bytes)
    } else if *desk.call.head.method == Method::HEAD {
        // Nobody takes the rest.
        Content::Whole(Bytes::new())
    } else {
        Content::Listing(Box::new(Listing::new(shelf.clone(), seat, bytes, list)))
    };
    let mut response = answer(format, content);
    let headers = response.headers_mut();
    // Relative to the address that was asked, whatever stands before us.
    if let Some(link) = next.and_then(|next| HeaderValue::try_from(format!("<?{next}>; rel=\"next\"")).ok()) {
        headers.insert(LINK, link);
    }
    if format == Format::Csv
        && let Ok(name) = HeaderValue::try_from(format!("attachment; filename=\"{file}.csv\""))
    {
        headers.insert(CONTENT_DISPOSITION, name);
    }
    Ok(response)
}

/// A list under way.
struct List<R: Rows> {
    rows: R,
    table: Table,
    after: Option<R::Cursor>,
    /// How many rows the page may yet have that was asked for.
    left: Option<usize>,
    /// The cursor for whoever wants the page after that.
    next_page: Option<String>,
}

impl<R: Rows> Pages for List<R> {
    fn next(&mut self, reader: &LedgerReader) -> Result<Page, LedgerError> {
        let limit = self.left.unwrap_or(ROWS);
        let read = self.rows.read(reader, self.after.as_ref(), limit, &mut self.table)?;
        self.after = read.next;
        self.left = self.left.map(|left| left.saturating_sub(read.rows));
        let is_last = self.after.is_none() || self.left == Some(0);
        if is_last {
            self.next_page = self.after.as_ref().map(write_cursor);
            self.table.end(self.next_page.as_deref());
        }
        Ok(Page { bytes: self.table.take().into(), is_last })
    }
}

/// Cursors are ours to read; for others they are letters, fit for a query as they are.
fn write_cursor(cursor: &impl Serialize) -> String {
    URL_SAFE_NO_PAD.encode_to_string(serde_json::to_vec(cursor).unwrap_or_default())
}

fn read_cursor<C: DeserializeOwned>(text: &str) -> Option<C> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode_to_vec(text).ok()?).ok()
}
