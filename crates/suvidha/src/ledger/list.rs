//! `suvidha ledger list`: a page of entries, and how to get the next.

use clap::Args;
use jiff::Timestamp;
use suvidha_store::ledger::{Order, Seq};

use super::export::Pages;
use super::filter::FilterOptions;
use super::forms::Format;
use super::place::LedgerPlace;
use super::target::TargetOptions;
use crate::exit::Failure;
use crate::output::{Output, hint};

/// Entries in memory at once.
const PAGE: usize = 1_000;

/// `suvidha ledger list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// List the oldest first
    #[arg(long)]
    oldest_first: bool,
    /// How many at most
    #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Go on behind the entry of this number, with which the page before ended
    #[arg(long, value_name = "SEQ")]
    cursor: Option<Seq>,
    /// Where to, and in which form; a table where nothing says one.
    #[command(flatten)]
    target: TargetOptions,
    /// Which entries.
    #[command(flatten)]
    which: FilterOptions,
}

impl List {
    pub(super) fn run(self, place: &LedgerPlace, output: Output, now: Timestamp) -> Result<(), Failure> {
        let target = self.target.target(output, Format::Table)?;
        let format = target.format();
        let reader = place.open()?;
        let order = if self.oldest_first { Order::OldestFirst } else { Order::NewestFirst };
        let mut entries = Pages::new(&reader, self.which.filter(now), order, self.cursor);
        let mut left = self.limit as usize;
        let mut last = None;
        let mut next = || {
            let page = if left > 0 { entries.next(left.min(PAGE))? } else { None };
            if let Some(page) = &page {
                left = left.saturating_sub(page.len());
                last = page.last().map(|entry| entry.seq).or(last);
            }
            Ok(page)
        };
        target.write(&mut next, output)?;
        if let (Format::Table, 0, true, Some(last)) = (format, left, entries.may_go_on(), last) {
            hint(format_args!("there may be more: go on with --cursor {last}"));
        }
        Ok(())
    }
}
