//! Whether what is summed beside the entries fits them.
//!
//! A day is compared, and then forgotten, as soon as all its entries were read, in the transaction that says so; what
//! a running gateway adds to it later is not looked at.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::finding::{Finding, Sum};
use crate::ledger::entry::{Entry, Seq};
use crate::ledger::ist;
use crate::ledger::usage::{FIELDS, Sums, TOTALS};

/// The numbers of a row of `usage`.
type Numbers = [i64; FIELDS];

/// The most findings of this kind that one day gives.
const MOST: usize = 20;

pub(super) struct SumsCheck {
    sums: Sums,
    /// The first entry of each day that was not compared yet.
    firsts: BTreeMap<i64, Seq>,
    compared: BTreeSet<i64>,
    /// What entries that were removed by age before we could read them had cost each ASP.
    forgotten: BTreeMap<String, i64>,
}

impl SumsCheck {
    pub(super) fn begin(connection: &Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            sums: Sums::default(),
            firsts: BTreeMap::new(),
            compared: BTreeSet::new(),
            forgotten: forgotten(connection)?,
        })
    }

    /// Entries were removed by age ahead of us: what they had cost, and those that we read before, is known anew.
    pub(super) fn go_on_from_anchor(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.sums.charged.clear();
        self.forgotten = forgotten(connection)?;
        Ok(())
    }

    pub(super) fn add(&mut self, seq: Seq, entry: &Entry) {
        let day = ist::day_number(entry.at);
        if self.compared.contains(&day) {
            self.sums.charge(entry);
        } else {
            self.sums.add(seq, entry);
            self.firsts.entry(day).or_insert(seq);
        }
    }

    /// Compares every day of which all entries up to `last` were read; at the end also what ASPs were charged.
    pub(super) fn compare(
        &mut self,
        connection: &Connection,
        anchor: Seq,
        last: Seq,
        at_end: bool,
        findings: &mut Vec<Finding>,
    ) -> rusqlite::Result<()> {
        let newest = self.firsts.last_key_value().map(|(day, _)| *day);
        let days: Vec<_> = self.firsts.iter().map(|(day, first)| (*day, *first)).collect();
        for (day, first) in days {
            if at_end || (Some(day) != newest && last_of(connection, day)? <= last) {
                // What was removed by age since it was read is no longer summed.
                if first > anchor {
                    self.compare_day(connection, day, findings)?;
                }
                self.forget(day);
            }
        }
        if at_end {
            self.compare_accounts(connection, anchor, findings)?;
            self.find_foreign_days(connection, anchor, findings)?;
        }
        Ok(())
    }

    fn compare_day(
        &self,
        connection: &Connection,
        day: i64,
        findings: &mut Vec<Finding>,
    ) -> rusqlite::Result<()> {
        let mut kept = BTreeMap::new();
        let date = ist::date(day);
        let sql = format!("SELECT aspid, api, {TOTALS} FROM usage WHERE day = ?1");
        let mut read = connection.prepare_cached(&sql)?;
        let mut rows = read.query([date.to_string()])?;
        while let Some(row) = rows.next()? {
            kept.insert((row.get::<_, String>(0)?, row.get::<_, String>(1)?), numbers(row, 2)?);
        }
        let mut wrong = Vec::new();
        for ((_, aspid), apis) in self.sums.usage.range((day, None)..(day + 1, None)) {
            let aspid = aspid.map(|aspid| aspid.to_string()).unwrap_or_default();
            for (api, totals) in apis {
                let key = (aspid.clone(), api.clone());
                let found = kept.remove(&key);
                let totals = Some(totals.as_array().map(|sum| i64::try_from(sum).unwrap_or(i64::MAX)));
                if found != totals {
                    wrong.push((key, totals, found));
                }
            }
        }
        wrong.extend(kept.into_iter().map(|(key, found)| (key, None, Some(found))));
        findings.extend(wrong.into_iter().take(MOST).map(|((aspid, api), entries, kept)| {
            let (entries, kept) = difference(entries, kept);
            Finding::Sum { what: Sum::Usage { day: date, aspid, api }, entries, kept }
        }));
        self.compare_quarters(connection, day, findings)
    }

    fn compare_quarters(
        &self,
        connection: &Connection,
        day: i64,
        findings: &mut Vec<Finding>,
    ) -> rusqlite::Result<()> {
        let quarters = ist::quarters_of_day(day);
        let mut kept = BTreeMap::new();
        let mut read = connection.prepare_cached(
            "SELECT quarter, first_seq, last_seq FROM quarter WHERE quarter BETWEEN ?1 AND ?2",
        )?;
        let mut rows = read.query(params![quarters.start(), quarters.end()])?;
        while let Some(row) = rows.next()? {
            let [first, last] = [row.get(1)?, row.get(2)?].map(i64::unsigned_abs);
            kept.insert(row.get::<_, i64>(0)?, (first, last));
        }
        let mut found: BTreeMap<_, _> = self.sums.quarters.range(quarters).collect();
        let every: BTreeSet<_> = kept.keys().chain(found.keys().copied()).copied().collect();
        let mut told = 0;
        for quarter in every {
            let (entries, kept) = (found.remove(&quarter).copied(), kept.remove(&quarter));
            // Removal by age may leave the first place too low.
            let is_covered = entries.zip(kept).is_some_and(|(e, k)| k.0 <= e.0 && k.1 == e.1);
            if !is_covered && told < MOST {
                told += 1;
                let begins = Timestamp::from_microsecond(quarter.saturating_mul(ist::QUARTER_US));
                let what = Sum::Quarter { begins: begins.unwrap_or(Timestamp::MAX) };
                let words = |places: Option<(Seq, Seq)>| {
                    places.map_or("none".to_owned(), |(first, last)| format!("{first} to {last}"))
                };
                findings.push(Finding::Sum { what, entries: words(entries), kept: words(kept) });
            }
        }
        Ok(())
    }

    fn forget(&mut self, day: i64) {
        self.firsts.remove(&day);
        self.compared.insert(day);
        self.sums.usage.retain(|(of, _), _| *of != day);
        let quarters = ist::quarters_of_day(day);
        self.sums.quarters.retain(|quarter, _| !quarters.contains(quarter));
    }

    fn compare_accounts(
        &self,
        connection: &Connection,
        anchor: Seq,
        findings: &mut Vec<Finding>,
    ) -> rusqlite::Result<()> {
        // Before anything was removed by age, nothing can be forgotten.
        let mut counted = if anchor == 0 { BTreeMap::new() } else { self.forgotten.clone() };
        for (aspid, units) in &self.sums.charged {
            let counted = counted.entry(aspid.to_string()).or_default();
            *counted = counted.saturating_add_unsigned(*units);
        }
        let mut read = connection.prepare("SELECT aspid, prepaid_units FROM account")?;
        let mut rows = read.query([])?;
        let mut kept = BTreeMap::new();
        while let Some(row) = rows.next()? {
            kept.insert(row.get::<_, String>(0)?, row.get::<_, i64>(1)?);
        }
        let every: BTreeSet<_> = kept.keys().chain(counted.keys()).cloned().collect();
        for aspid in every {
            let (entries, kept) = (counted.get(&aspid).unwrap_or(&0), kept.get(&aspid).unwrap_or(&0));
            if entries != kept {
                let (entries, kept) = (format!("{entries} units"), format!("{kept} units"));
                findings.push(Finding::Sum { what: Sum::Account { aspid }, entries, kept });
            }
        }
        Ok(())
    }

    /// Sums of days that no entry is of. A day is known by its letters: quotas are summed from one text to another, and
    /// take in what lies between, date or not.
    fn find_foreign_days(
        &self,
        connection: &Connection,
        anchor: Seq,
        findings: &mut Vec<Finding>,
    ) -> rusqlite::Result<()> {
        let known: BTreeSet<_> = self.compared.iter().map(|day| ist::date(*day).to_string()).collect();
        let mut read = connection.prepare("SELECT DISTINCT day FROM usage")?;
        let days: BTreeSet<String> = read.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let mut read = connection.prepare("SELECT quarter FROM quarter")?;
        let quarters: BTreeSet<i64> =
            read.query_map([], |row| row.get(0).map(ist::day_of_quarter))?.collect::<Result<_, _>>()?;
        let quarters = quarters.difference(&self.compared).map(|day| ist::date(*day).to_string());
        let days = days.difference(&known).cloned();
        for day in days.chain(quarters).take(MOST) {
            let entries = format!("none behind entry {anchor}");
            findings.push(Finding::Sum { what: Sum::Day { day }, entries, kept: "some".to_owned() });
        }
        Ok(())
    }
}

fn forgotten(connection: &Connection) -> rusqlite::Result<BTreeMap<String, i64>> {
    let mut read = connection.prepare("SELECT aspid, forgotten_units FROM account")?;
    read.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// The columns [`TOTALS`] from `first` on, sign and all: no gateway keeps less than nothing.
fn numbers(row: &Row<'_>, first: usize) -> rusqlite::Result<Numbers> {
    let mut numbers = Numbers::default();
    for (index, number) in numbers.iter_mut().enumerate() {
        *number = row.get(first + index)?;
    }
    Ok(numbers)
}

/// Where the last entry of the day stands.
fn last_of(connection: &Connection, day: i64) -> rusqlite::Result<Seq> {
    let quarters = ist::quarters_of_day(day);
    let mut read =
        connection.prepare_cached("SELECT max(last_seq) FROM quarter WHERE quarter BETWEEN ?1 AND ?2")?;
    let last: Option<i64> = read.query_row(params![quarters.start(), quarters.end()], |row| row.get(0))?;
    Ok(last.unwrap_or(0).unsigned_abs())
}

/// The numbers in which the two differ.
fn difference(entries: Option<Numbers>, kept: Option<Numbers>) -> (String, String) {
    let (entries, kept) = (entries.unwrap_or_default(), kept.unwrap_or_default());
    let (mut left, mut right) = (Vec::new(), Vec::new());
    for ((name, entries), kept) in TOTALS.split(", ").zip(entries).zip(kept) {
        if entries != kept {
            left.push(format!("{entries} {name}"));
            right.push(format!("{kept} {name}"));
        }
    }
    (left.join(", "), right.join(", "))
}
