//! `suvidha ledger summary`: what the calls of a time come to.

use std::marker::PhantomData;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use suvidha_store::ledger::{By, Filter, LedgerReader, Totals};

use super::columns::{Cell, Column, Kind, Row};
use super::filter::FilterOptions;
use super::forms::{Format, Printed, Screen, Sheet, Shown, Tabled};
use super::moment::Month;
use super::place::LedgerPlace;
use super::target::Stopped;
use crate::exit::Failure;
use crate::india::today;
use crate::output::Output;

/// `suvidha ledger summary`.
#[derive(Debug, Args)]
pub(crate) struct Summary {
    /// What to count by
    #[arg(long, value_name = "WHAT", default_value = "day")]
    by: What,
    /// Of this month of the Indian calendar; of the running one where neither it nor --since nor --until is given
    #[arg(long, value_name = "YYYY-MM", conflicts_with_all = ["since", "until"])]
    month: Option<Month>,
    /// How to write it
    #[arg(long, value_name = "FORMAT")]
    format: Option<Printed>,
    /// Which entries.
    #[command(flatten)]
    which: FilterOptions,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// The day in India on which a call began
    Day,
    /// The ASP, proven
    Asp,
    /// The API
    Api,
    /// The error code, of calls that failed
    Error,
    /// Where calls failed
    Origin,
    /// How calls ended
    Outcome,
}

impl Summary {
    pub(super) fn run(self, place: &LedgerPlace, output: Output, now: Timestamp) -> Result<(), Failure> {
        let format = Printed::format(self.format, output);
        let filter = self.filter(now);
        let reader = place.open()?;
        match self.by {
            What::Day => show::<Day>(&reader, &filter, format),
            What::Asp => show::<Asp>(&reader, &filter, format),
            What::Api => show::<Api>(&reader, &filter, format),
            What::Error => show::<ErrorCode>(&reader, &filter, format),
            What::Origin => show::<ErrorOrigin>(&reader, &filter, format),
            What::Outcome => show::<Ended>(&reader, &filter, format),
        }
    }

    fn filter(&self, now: Timestamp) -> Filter {
        let filter = self.which.filter(now);
        if filter.from.is_some() || filter.until.is_some() {
            return filter;
        }
        let month = self.month.unwrap_or_else(|| Month::of(today(now)));
        Filter { from: Some(month.begin()), until: Some(month.end()), ..filter }
    }
}

/// What is counted by.
trait Key: 'static {
    /// The same for the ledger.
    const BY: By;
    /// Its name in JSON and CSV.
    const NAME: &'static str;
    /// Its heading.
    const HEADING: &'static str;
    /// Whether calls without it count, too.
    const WITHOUT: bool;
}

macro_rules! keys {
    ($($key:ident $by:ident $name:literal $heading:literal $without:literal;)+) => {$(
        struct $key;
        impl Key for $key {
            const BY: By = By::$by;
            const NAME: &'static str = $name;
            const HEADING: &'static str = $heading;
            const WITHOUT: bool = $without;
        }
    )+};
}

keys! {
    Day Day "day" "DAY" true;
    Asp Asp "aspid" "ASP" true;
    Api Api "api" "API" true;
    ErrorCode Error "error_cd" "ERROR" false;
    ErrorOrigin Origin "origin" "ORIGIN" false;
    Ended Outcome "outcome" "OUTCOME" true;
}

/// What the calls come to that have one key.
struct Line<K> {
    key: Option<String>,
    totals: Totals,
    of: PhantomData<K>,
}

macro_rules! numbers {
    ($($name:ident)+) => {
        &[
            Column { name: K::NAME, kind: Kind::Text, always: false, cell: |line| Cell::text(line.key.as_deref()) },
            $(Column {
                name: stringify!($name),
                kind: Kind::Number,
                always: true,
                cell: |line| Cell::number(line.totals.$name),
            }),+
        ]
    };
}

impl<K: Key> Row for Line<K> {
    const COLUMNS: &'static [Column<Self>] = numbers! {
        calls admitted refused units prepaid_units postpaid_units asp_errors gsp_errors gstn_errors network_errors
        bytes_in bytes_out gstn_us total_us
    };
}

macro_rules! shown {
    ($($heading:literal $number:ident)+) => {
        &[
            Shown { heading: K::HEADING, least: 0, right: false, cell: |line| line.key.clone().unwrap_or("-".to_owned()) },
            $(Shown { heading: $heading, least: 0, right: true, cell: |line| line.totals.$number.to_string() }),+
        ]
    };
}

impl<K: Key> Tabled for Line<K> {
    const SHOWN: &'static [Shown<Self>] = shown! {
        "CALLS" calls "ADMITTED" admitted "REFUSED" refused "UNITS" units "ASP ERRORS" asp_errors "GSP ERRORS" gsp_errors
        "GSTN ERRORS" gstn_errors "NETWORK" network_errors "BYTES IN" bytes_in "BYTES OUT" bytes_out
    };
}

/// Shows it by key; people see what all calls come to, too, with those that did not fail.
fn show<K: Key>(reader: &LedgerReader, filter: &Filter, format: Format) -> Result<(), Failure> {
    let groups = reader.summary(filter, &[K::BY])?;
    let line = |key, totals| Line::<K> { key, totals, of: PhantomData };
    let mut lines: Vec<_> =
        groups.into_iter().map(|mut group| line(group.key.pop().flatten(), group.totals)).collect();
    lines.retain(|line| line.key.is_some() || K::WITHOUT);
    if format == Format::Table {
        let all = reader.summary(filter, &[])?.pop();
        lines.push(line(Some("all calls".to_owned()), all.map_or_else(Totals::default, |all| all.totals)));
    }
    let show = || {
        let mut sheet = Sheet::begin(format, Screen::stdout())?;
        sheet.page(&lines)?;
        sheet.finish()?;
        Ok(())
    };
    Stopped::unless_reader_gone(show())
}
