//! The sums beside the entries, and when they are written.
//!
//! What one entry adds to them is little, and the pages it lies on are many. So they are written for many entries together:
//! in the transaction of a group once a second or for so many entries, and when the writer comes to rest. `head` says
//! which entry they take in last; whoever reads them adds those behind it, and a writer that opens the ledger
//! makes up for what the last one left.

use std::time::{Duration, Instant};

use rusqlite::{Connection, Transaction, params};

use super::chain::{COLUMNS, Head};
use super::entry::{Entry, Seq};
use super::ist;
use super::reader::recorded;
use super::usage::{Sums, TOTALS};

/// How many entries the sums may be behind, but for the group that is being written.
const MOST: u64 = 8_192;
/// How long they may be behind.
const LONGEST: Duration = Duration::from_secs(1);

/// What the entries behind `head` come to.
pub(super) struct Tally {
    sums: Sums,
    entries: u64,
    /// When it is to be written, if there are entries.
    due: Instant,
}

impl Tally {
    /// What the last writer left.
    pub(super) fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let mut tally = Self { sums: Sums::default(), entries: 0, due: Instant::now() };
        let mut read = connection.prepare(&format!(
            "SELECT {}, hash FROM entry WHERE seq > (SELECT seq FROM head) ORDER BY seq",
            COLUMNS.join(", ")
        ))?;
        let mut rows = read.query([])?;
        while let Some(row) = rows.next()? {
            let recorded = recorded(row)?;
            tally.add(recorded.seq, &recorded.entry);
        }
        Ok(tally)
    }

    pub(super) fn add(&mut self, seq: Seq, entry: &Entry) {
        self.sums.add(seq, entry);
        self.entries += 1;
    }

    /// How long there is nothing to write, or nothing ever.
    pub(super) fn idle(&self) -> Option<Duration> {
        (self.entries > 0).then(|| self.due.saturating_duration_since(Instant::now()))
    }

    pub(super) fn is_due(&self) -> bool {
        self.entries >= MOST || self.idle().is_some_and(|idle| idle.is_zero())
    }

    /// Writes it; `head` is the last entry it takes in.
    pub(super) fn write(&mut self, transaction: &Transaction<'_>, head: Head) -> rusqlite::Result<()> {
        self.due = Instant::now() + LONGEST;
        put(transaction, &self.sums, Sign::Plus)?;
        charge(transaction, &self.sums)?;
        note_quarters(transaction, &self.sums)?;
        transaction
            .prepare_cached("UPDATE head SET seq = ?1, hash = ?2")?
            .execute(params![head.seq.cast_signed(), head.hash])?;
        self.sums.clear();
        self.entries = 0;
        Ok(())
    }
}

/// Whether sums are added to those that are kept, or taken from them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    Plus,
    Minus,
}

/// Adds to the usage that is kept, or takes from it; what comes to nothing is removed.
pub(super) fn put(transaction: &Transaction<'_>, sums: &Sums, sign: Sign) -> rusqlite::Result<()> {
    let mut usage = transaction.prepare_cached(&add_usage())?;
    for ((day, aspid), apis) in &sums.usage {
        let day = ist::date(*day).to_string();
        for (api, totals) in apis {
            usage.raw_bind_parameter(1, &day)?;
            usage.raw_bind_parameter(2, aspid.as_ref().map_or("", |aspid| aspid.as_str()))?;
            usage.raw_bind_parameter(3, api)?;
            for (index, number) in totals.as_array().into_iter().enumerate() {
                let number = number.cast_signed();
                usage.raw_bind_parameter(4 + index, if sign == Sign::Plus { number } else { -number })?;
            }
            usage.raw_execute()?;
        }
        if sign == Sign::Minus {
            transaction
                .prepare_cached("DELETE FROM usage WHERE day = ?1 AND aspid = ?2 AND calls = 0")?
                .execute(params![day, aspid.as_ref().map_or("", |aspid| aspid.as_str())])?;
        }
    }
    Ok(())
}

fn charge(transaction: &Transaction<'_>, sums: &Sums) -> rusqlite::Result<()> {
    let mut charge = transaction.prepare_cached(
        "INSERT INTO account (aspid, prepaid_units, forgotten_units) VALUES (?1, ?2, 0)
         ON CONFLICT (aspid) DO UPDATE SET prepaid_units = prepaid_units + excluded.prepaid_units",
    )?;
    for (aspid, units) in &sums.charged {
        charge.execute(params![aspid.as_str(), units.cast_signed()])?;
    }
    Ok(())
}

fn note_quarters(transaction: &Transaction<'_>, sums: &Sums) -> rusqlite::Result<()> {
    let mut note = transaction.prepare_cached(
        "INSERT INTO quarter (quarter, first_seq, last_seq) VALUES (?1, ?2, ?3)
         ON CONFLICT (quarter) DO UPDATE SET last_seq = excluded.last_seq",
    )?;
    for (quarter, (first, last)) in &sums.quarters {
        note.execute(params![quarter, first.cast_signed(), last.cast_signed()])?;
    }
    Ok(())
}

fn add_usage() -> String {
    let names: Vec<_> = TOTALS.split(", ").collect();
    let parameters: Vec<_> = (1..=3 + names.len()).map(|n| format!("?{n}")).collect();
    let sums: Vec<_> = names.iter().map(|name| format!("{name} = {name} + excluded.{name}")).collect();
    format!(
        "INSERT INTO usage (day, aspid, api, {TOTALS}) VALUES ({}) ON CONFLICT DO UPDATE SET {}",
        parameters.join(", "),
        sums.join(", ")
    )
}
