//! `apitxn/dailysummary`: how many calls, units and errors each day, GSTIN and API come to.
//!
//! The ledger keeps no sums by GSTIN, so the calls are read and added up, some thousand at a time, and a day's rows follow
//! when it was read. What is in memory is bounded: a day with very many GSTINs comes in several parts, and one whose
//! calls lie in two of them has two rows.

use std::collections::BTreeMap;
use std::ops::Bound;

use gstn::AspId;
use gstn::catalogue::Origin;
use http::Response;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use suvidha_store::ledger::{Entry, Filter, LedgerError, LedgerReader, Order, Seq};

use super::list::{self, Read, Rows};
use super::parameters::{Parameters, wrong};
use super::table::{Cell, Table};
use super::{Desk, days};
use crate::body::Content;
use crate::error::Error;

/// The most days of one summary.
const LONGEST: i32 = 92;

/// How many calls are read at once.
const CALLS: usize = 5_000;

/// The most rows of one part of a day.
const ROWS_OF_A_PART: usize = 20_000;

const FROM: &str = "FromDate";
const TO: &str = "ToDate";

pub(super) async fn respond(desk: &Desk<'_>) -> Result<Response<Content>, Error> {
    let parameters = Parameters::read(&desk.call.head, &[FROM, TO])?;
    let (from, to) = (parameters.day(FROM)?, parameters.day(TO)?);
    let span = (to - from).get_days();
    if span < 0 {
        return Err(wrong(format!("`{TO}` is before `{FROM}`.")));
    }
    if span >= LONGEST {
        return Err(wrong(format!("From `{FROM}` to `{TO}` there may be {LONGEST} days at most.")));
    }
    let members = [(FROM, from.to_string().into()), (TO, to.to_string().into())];
    let summary = Summary::new(desk.asp.aspid, from, to, ROWS_OF_A_PART);
    list::respond(desk, &parameters, &members, &format!("summary-{from}-{to}"), summary).await
}

/// The summary of some days of one ASP.
struct Summary {
    aspid: AspId,
    from: Date,
    to: Date,
    rows_of_a_part: usize,
    /// The one that is being read or written.
    part: Option<Part>,
}

/// A part of a day, usually all of it.
struct Part {
    day: Date,
    begun_after: Option<Seq>,
    reached: Option<Seq>,
    sums: BTreeMap<Key, Sums>,
    is_read: bool,
    ends_the_day: bool,
}

/// GSTIN and API; each empty where a call had none.
type Key = (String, String);

/// What some calls come to.
#[derive(Default)]
struct Sums {
    calls: u64,
    admitted: u64,
    units: u64,
    /// By the origin of their errors.
    errors: [u64; 4],
}

/// The last row that was written.
#[derive(Clone, Serialize, Deserialize)]
struct Cursor {
    day: String,
    part: Option<Seq>,
    /// `None`: the part is still to be written.
    key: Option<Key>,
}

impl Summary {
    fn new(aspid: AspId, from: Date, to: Date, rows_of_a_part: usize) -> Self {
        Self { aspid, from, to, rows_of_a_part, part: None }
    }

    /// The part that a cursor stands in; `None` where it cannot have been ours.
    fn part(&mut self, cursor: Option<&Cursor>) -> Option<Part> {
        let day = cursor.map_or(Some(self.from), |cursor| cursor.day.parse().ok())?;
        let begun_after = cursor.and_then(|cursor| cursor.part);
        let same = |part: &Part| part.day == day && part.begun_after == begun_after;
        let within = (self.from..=self.to).contains(&day);
        within.then(|| self.part.take().filter(same).unwrap_or_else(|| Part::of(day, begun_after)))
    }
}

impl Rows for Summary {
    type Cursor = Cursor;
    const NAME: &'static str = "Summary";
    const COLUMNS: &'static [&'static str] = &COLUMNS;

    fn read(
        &mut self,
        reader: &LedgerReader,
        after: Option<&Cursor>,
        limit: usize,
        table: &mut Table,
    ) -> Result<Read<Cursor>, LedgerError> {
        let Some(mut part) = self.part(after) else { return Ok(Read { rows: 0, next: None }) };
        if !part.is_read {
            part.read(reader, self.aspid, self.rows_of_a_part)?;
        }
        let cursor = |day: Date, part, key| Cursor { day: day.to_string(), part, key };
        let written = after.and_then(|cursor| cursor.key.clone());
        if !part.is_read {
            let next = Some(cursor(part.day, part.begun_after, written));
            self.part = Some(part);
            return Ok(Read { rows: 0, next });
        }
        let beginning = written.map_or(Bound::Unbounded, Bound::Excluded);
        let mut left = part.sums.range((beginning, Bound::Unbounded));
        let (mut rows, mut last) = (0, None);
        for (key, sums) in left.by_ref().take(limit) {
            table.row(row(part.day, key, sums));
            (rows, last) = (rows + 1, Some(key));
        }
        let next = if left.next().is_some() {
            Some(cursor(part.day, part.begun_after, last.cloned()))
        } else if !part.ends_the_day {
            Some(cursor(part.day, part.reached, None))
        } else {
            part.day.tomorrow().ok().filter(|day| *day <= self.to).map(|day| cursor(day, None, None))
        };
        self.part = Some(part);
        Ok(Read { rows, next })
    }
}

impl Part {
    fn of(day: Date, begun_after: Option<Seq>) -> Self {
        let (reached, sums) = (begun_after, BTreeMap::new());
        Self { day, begun_after, reached, sums, is_read: false, ends_the_day: false }
    }

    /// Adds up some more calls.
    fn read(&mut self, reader: &LedgerReader, aspid: AspId, most: usize) -> Result<(), LedgerError> {
        let filter = Filter { aspid: Some(aspid), ..days::filter(self.day) };
        let room = most.saturating_sub(self.sums.len()).clamp(1, CALLS);
        let page = reader.entries(&filter, Order::OldestFirst, self.reached, room)?;
        for recorded in page.entries {
            let entry = recorded.entry;
            let key = (entry.gstin.clone().unwrap_or_default(), entry.api.clone().unwrap_or_default());
            self.sums.entry(key).or_default().add(&entry);
        }
        self.reached = Some(page.reached);
        self.ends_the_day = !page.more;
        self.is_read = self.ends_the_day || self.sums.len() >= most;
        Ok(())
    }
}

const ORIGINS: [Origin; 4] = [Origin::Asp, Origin::Gsp, Origin::Gstn, Origin::Network];

impl Sums {
    fn add(&mut self, entry: &Entry) {
        self.calls += 1;
        self.admitted += u64::from(entry.admitted);
        self.units += entry.units;
        let place = ORIGINS.iter().position(|origin| Some(*origin) == entry.origin);
        if let Some(errors) = place.and_then(|place| self.errors.get_mut(place)) {
            *errors += 1;
        }
    }
}

/// As in a row of the summary: [`row`] has their values.
const COLUMNS: [&str; 10] = [
    "Day",
    "GSTIN",
    "Api",
    "Calls",
    "Admitted",
    "Units",
    "AspErrors",
    "GspErrors",
    "GstnErrors",
    "NetworkErrors",
];

fn row<'c>(day: Date, (gstin, api): &'c Key, sums: &Sums) -> [Cell<'c>; COLUMNS.len()] {
    let text = |text: &'c str| Cell::maybe(Some(text).filter(|text| !text.is_empty()));
    let [asp, gsp, gstn, network] = sums.errors.map(Cell::number);
    [
        Cell::text(day.to_string()),
        text(gstin),
        text(api),
        Cell::number(sums.calls),
        Cell::number(sums.admitted),
        Cell::number(sums.units),
        asp,
        gsp,
        gstn,
        network,
    ]
}

#[cfg(test)]
mod tests {
    use std::ops::RangeInclusive;
    use std::sync::Arc;
    use std::time::Duration;

    use serde_json::Value;
    use suvidha_seam::Seam;
    use suvidha_store::ledger::{Ledger, Observer, Outcome, Release, Ticket};

    use super::*;
    use crate::aspapi::table::Format;

    struct Nobody;

    impl Observer for Nobody {
        fn committed(&self, _: Ticket) {}

        fn failed(&self, tickets: RangeInclusive<Ticket>, _: &[Entry]) {
            panic!("{tickets:?} could not be written");
        }
    }

    fn call(aspid: AspId, gstin: String) -> Entry {
        Entry {
            id: Seam::system().uuid(),
            at: "2026-11-22T04:45:30Z".parse().unwrap(),
            aspid: Some(aspid),
            claimed_aspid: None,
            txn: None,
            gstin: Some(gstin),
            ip_usr: None,
            appver: None,
            method: None,
            api: None,
            action: None,
            version: None,
            status: None,
            status_cd: None,
            error_cd: None,
            origin: None,
            outcome: Outcome::Answered,
            bytes_in: 0,
            bytes_out: 0,
            gstn_us: None,
            total_us: 0,
            plan: None,
            units: 1,
            admitted: true,
            consent: None,
        }
    }

    /// Calls by GSTIN, of a summary whose parts have at most so many rows; and how many rows there were.
    fn summed(reader: &LedgerReader, aspid: AspId, rows_of_a_part: usize) -> (BTreeMap<String, u64>, usize) {
        let (from, to) = ("2026-11-21".parse().unwrap(), "2026-11-23".parse().unwrap());
        let mut table = Table::begin(Format::Json, Summary::COLUMNS, &[], Summary::NAME);
        let mut cursor = None;
        for _ in 0..1000 {
            // A summary of its own for each page: all it needs is in the cursor.
            let mut summary = Summary::new(aspid, from, to, rows_of_a_part);
            loop {
                let read = summary.read(reader, cursor.as_ref(), 3, &mut table).unwrap();
                cursor = read.next;
                if read.rows > 0 || cursor.is_none() {
                    break;
                }
            }
            if cursor.is_none() {
                table.end(None);
                let written: Value = serde_json::from_slice(&table.take()).unwrap();
                let rows = written[Summary::NAME].as_array().unwrap();
                let mut sums = BTreeMap::new();
                for row in rows {
                    let gstin = row["GSTIN"].as_str().unwrap().to_owned();
                    *sums.entry(gstin).or_default() += row["Calls"].as_u64().unwrap();
                }
                return (sums, rows.len());
            }
        }
        panic!("the summary does not end");
    }

    #[test]
    fn a_day_may_come_in_parts_and_nothing_is_lost_or_twice() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sandbox.sqlite");
        let aspid = AspId::new(1).unwrap();
        let ledger = Ledger::open(&path, gstn::Environment::Sandbox, Seam::system()).unwrap();
        let writer = ledger.start(Duration::ZERO, None, Arc::new(Nobody)).unwrap();
        for number in 0..100 {
            writer.submit(call(aspid, format!("G{}", number % 10)), Release::Done);
        }
        writer.stop().unwrap();
        let reader = LedgerReader::open(&path).unwrap();
        let expected: BTreeMap<_, _> = (0..10).map(|gstin| (format!("G{gstin}"), 10)).collect();
        assert_eq!(summed(&reader, aspid, 1000), (expected.clone(), 10));
        let (sums, rows) = summed(&reader, aspid, 4);
        assert_eq!(sums, expected);
        assert!(rows > 10, "it came in one part");
        assert_eq!(summed(&reader, AspId::new(2).unwrap(), 4), (BTreeMap::new(), 0));
    }
}
