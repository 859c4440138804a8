//! `suvidha ledger tail`: the last entries, and those to come, for as long as somebody reads them.

use std::io::Stdout;
use std::thread;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use suvidha_store::ledger::{Filter, LedgerReader, Order, Recorded, Seq};

use super::export::Pages;
use super::filter::FilterOptions;
use super::follow::Follower;
use super::forms::{Printed, Screen, Sheet};
use super::place::LedgerPlace;
use super::target::Stopped;
use crate::exit::Failure;
use crate::output::{Output, warn};

/// How often it is looked for new entries.
const POLL: Duration = Duration::from_millis(250);
/// Entries in memory at once.
const PAGE: usize = 1_000;

/// `suvidha ledger tail`.
#[derive(Debug, Args)]
pub(crate) struct Tail {
    /// How many of the last entries to show, 10,000 at most
    #[arg(
        short = 'n',
        long,
        value_name = "NUMBER",
        default_value_t = 10,
        value_parser = clap::value_parser!(u32).range(..=10_000)
    )]
    lines: u32,
    /// Then wait for new ones; goes on when the gateway is restarted
    #[arg(short, long)]
    follow: bool,
    /// How to write them
    #[arg(long, value_name = "FORMAT")]
    format: Option<Printed>,
    /// Which entries.
    #[command(flatten)]
    which: FilterOptions,
}

impl Tail {
    pub(super) fn run(self, place: &LedgerPlace, output: Output, now: Timestamp) -> Result<(), Failure> {
        let format = Printed::format(self.format, output);
        let reader = place.open()?;
        let filter = self.which.filter(now);
        let head = reader.head()?.seq;
        let last = last(&reader, &filter, head, self.lines as usize)?;
        let show = || {
            let mut sheet = Sheet::begin(format, Screen::stdout())?;
            sheet.page(&last)?;
            if self.follow {
                follow(Follower::new(place, reader, head), &filter, &mut sheet)?;
            }
            Ok(())
        };
        Stopped::unless_reader_gone(show())
    }
}

/// The last `count` entries up to `head`, the oldest of them first.
fn last(reader: &LedgerReader, filter: &Filter, head: Seq, count: usize) -> Result<Vec<Recorded>, Failure> {
    let mut pages = Pages::new(reader, filter.clone(), Order::NewestFirst, Some(head.saturating_add(1)));
    let mut entries = Vec::new();
    while entries.len() < count
        && let Some(page) = pages.next((count - entries.len()).min(PAGE))?
    {
        entries.extend(page);
    }
    entries.reverse();
    Ok(entries)
}

/// Shows what is new until nobody reads it any more. A trouble is told once, and may pass.
fn follow(
    mut follower: Follower,
    filter: &Filter,
    sheet: &mut Sheet<Recorded, Screen<Stdout>>,
) -> Result<(), Stopped> {
    let mut told = None;
    loop {
        match follower.poll(filter, PAGE) {
            Ok((entries, more)) => {
                if told.take().is_some() {
                    warn("the ledger can be read again");
                }
                if !entries.is_empty() {
                    sheet.page(&entries)?;
                }
                if more {
                    continue;
                }
            }
            Err(failure) if told.as_ref() == Some(&failure.message) => {}
            Err(failure) => {
                warn(format_args!("{}; trying again", failure.message));
                told = Some(failure.message);
            }
        }
        thread::sleep(POLL);
    }
}
