//! `suvidha ledger export`: every entry that is asked for, page by page.

use clap::Args;
use jiff::Timestamp;
use suvidha_store::ledger::{Filter, LedgerReader, Order, Recorded, Seq};

use super::filter::FilterOptions;
use super::forms::Format;
use super::place::LedgerPlace;
use super::target::TargetOptions;
use crate::exit::Failure;
use crate::output::Output;

/// Entries in memory at once.
const PAGE: usize = 2_000;

/// `suvidha ledger export`.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Where to, and in which form; CSV where nothing says one.
    #[command(flatten)]
    target: TargetOptions,
    /// Which entries.
    #[command(flatten)]
    which: FilterOptions,
}

impl Export {
    pub(super) fn run(self, place: &LedgerPlace, output: Output, now: Timestamp) -> Result<(), Failure> {
        let target = self.target.target(output, Format::Csv)?;
        let reader = place.open()?;
        // What is written while this runs is left to the next export.
        let head = reader.head()?.seq;
        let mut entries = Pages::new(&reader, self.which.filter(now), Order::OldestFirst, None);
        let mut next = || {
            let Some(mut page) = entries.next(PAGE)? else { return Ok(None) };
            page.retain(|entry| entry.seq <= head);
            Ok(Some(page).filter(|page| !page.is_empty()))
        };
        target.write(&mut next, output)
    }
}

/// The entries that answer to a filter, page after page.
pub(super) struct Pages<'a> {
    reader: &'a LedgerReader,
    filter: Filter,
    order: Order,
    after: Option<Seq>,
    more: bool,
}

impl<'a> Pages<'a> {
    pub(super) fn new(reader: &'a LedgerReader, filter: Filter, order: Order, after: Option<Seq>) -> Self {
        Self { reader, filter, order, after, more: true }
    }

    /// The next entries, at most `limit` and at least one; nothing when there are no more.
    pub(super) fn next(&mut self, limit: usize) -> Result<Option<Vec<Recorded>>, Failure> {
        while self.more {
            let page = self.reader.entries(&self.filter, self.order, self.after, limit)?;
            (self.after, self.more) = (Some(page.reached), page.more);
            if !page.entries.is_empty() {
                return Ok(Some(page.entries));
            }
        }
        Ok(None)
    }

    /// Whether there may be more.
    pub(super) fn may_go_on(&self) -> bool {
        self.more
    }
}
