//! A long list on its way to an ASP, page by page: the next one is read when the ASP has taken the one before.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use suvidha_store::ledger::{LedgerError, LedgerReader};

use super::seats::Seat;
use crate::error::Error;
use crate::readers::{Asked, Shelf};

/// What writes a list, a page at a time, on a thread that may block.
pub(super) trait Pages: Send {
    /// Writes the next page, which may be empty, and says whether there is one more.
    fn next(&mut self, reader: &LedgerReader) -> Result<Page, LedgerError>;
}

/// A page as it is sent.
pub(super) struct Page {
    pub(super) bytes: Bytes,
    pub(super) is_last: bool,
}

/// Has the next page of `pages` written, and gives them back with it.
pub(super) fn read<P: Pages + ?Sized + 'static>(shelf: &Shelf, mut pages: Box<P>) -> Asked<(Box<P>, Page)> {
    shelf.ask(move |reader| {
        let page = pages.next(reader)?;
        Ok((pages, page))
    })
}

/// A body that is read while it is sent.
pub(crate) struct Listing {
    shelf: Shelf,
    state: State,
    _seat: Seat,
}

enum State {
    /// A page is at hand.
    Held(Bytes, Box<dyn Pages>),
    /// More can be read.
    Idle(Box<dyn Pages>),
    /// It is being read.
    Asked(Asked<(Box<dyn Pages>, Page)>),
    Over,
}

impl Listing {
    /// The page `first`, and what `pages` have after it.
    pub(super) fn new(shelf: Shelf, seat: Seat, first: Bytes, pages: Box<dyn Pages>) -> Self {
        Self { shelf, state: State::Held(first, pages), _seat: seat }
    }

    /// The next page, or why there is none.
    pub(crate) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        loop {
            let mut asked = match std::mem::replace(&mut self.state, State::Over) {
                State::Over => return Poll::Ready(None),
                State::Held(bytes, pages) => {
                    self.state = State::Idle(pages);
                    return Poll::Ready(Some(Ok(bytes)));
                }
                State::Idle(pages) => read(&self.shelf, pages),
                State::Asked(asked) => asked,
            };
            let Poll::Ready(read) = Pin::new(&mut asked).poll(cx) else {
                self.state = State::Asked(asked);
                return Poll::Pending;
            };
            let (pages, page) = match read {
                Ok(read) => read,
                Err(error) => return Poll::Ready(Some(Err(error))),
            };
            if !page.is_last {
                self.state = State::Idle(pages);
            }
            if !page.bytes.is_empty() {
                return Poll::Ready(Some(Ok(page.bytes)));
            }
        }
    }

    /// Whether everything was given.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }
}
