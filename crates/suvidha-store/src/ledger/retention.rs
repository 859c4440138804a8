//! How entries are removed by age: some hundred in a transaction, so that calls wait no longer for it than for each
//! other, and with what they came to taken out of the sums. The hash of the last one removed stays as the anchor.

use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use jiff::{Timestamp, ToSpan};
use rusqlite::types::Type;
use rusqlite::{Connection, TransactionBehavior, params};

use super::chain::{COLUMNS, Chain, Head};
use super::entry::Seq;
use super::ist;
use super::reader::recorded;
use super::schema;
use super::stretch;
use super::tally::{Sign, put};
use super::usage::Sums;

/// Whole months of the Indian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Months(pub NonZeroU16);

impl Months {
    /// The first instant that is kept at `now`: so many months before the one that is running began.
    fn kept_from(self, now: Timestamp) -> Timestamp {
        let month = ist::date(ist::day_number(now)).first_of_month();
        let first = month.checked_sub(i32::from(self.0.get()).months());
        first.map_or(Timestamp::MIN, |first| ist::day_start(ist::number(first)))
    }
}

/// How many entries one transaction removes.
const CHUNK: u64 = 500;
/// How often it is looked for entries that have become too old.
const INTERVAL: Duration = Duration::from_secs(3600);

/// When what is removed.
pub(super) struct Retention {
    months: Months,
    next: Instant,
}

impl Retention {
    pub(super) fn new(months: Months) -> Self {
        Self { months, next: Instant::now() }
    }

    /// How long there is nothing to do.
    pub(super) fn idle(&self) -> Duration {
        self.next.saturating_duration_since(Instant::now())
    }

    /// Removes some entries, if it is time. Answers the new anchor, if it moved.
    pub(super) fn go_on(
        &mut self,
        connection: &mut Connection,
        now: Timestamp,
    ) -> rusqlite::Result<Option<Head>> {
        if !self.idle().is_zero() {
            return Ok(None);
        }
        let kept_from = self.months.kept_from(now);
        // Whatever comes of it, a panic included: what fails is not tried again at once.
        self.next = Instant::now() + INTERVAL;
        let moved = forget(connection, kept_from, now)?;
        match moved {
            Some(_) => self.next = Instant::now(),
            None => forget_consents(connection, kept_from)?,
        }
        Ok(moved)
    }
}

/// Removes entries before `kept_from`, but none behind one that is kept.
fn forget(
    connection: &mut Connection,
    kept_from: Timestamp,
    now: Timestamp,
) -> rusqlite::Result<Option<Head>> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let (anchor, head) = (schema::mark(&transaction, "anchor")?, schema::mark(&transaction, "head")?);
    // Entries of a clock that ran far ahead for a while hold nothing back.
    let tomorrow = ist::quarter(now).saturating_add(96);
    let first_kept: Option<i64> = transaction
        .prepare_cached("SELECT min(first_seq) FROM quarter WHERE quarter BETWEEN ?1 AND ?2")?
        .query_row([ist::quarter(kept_from), tomorrow], |row| row.get(0))?;
    let last = first_kept.map_or(head.seq, |first| first.unsigned_abs() - 1).min(anchor.seq + CHUNK);
    if last <= anchor.seq {
        return Ok(None);
    }
    let mut sums = Sums::default();
    let mut moved = anchor;
    let mut chain = Chain::default();
    {
        let mut read = transaction.prepare_cached(&format!(
            "SELECT {}, hash FROM entry WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq",
            COLUMNS.join(", ")
        ))?;
        let mut rows = read.query([anchor.seq + 1, last].map(u64::cast_signed))?;
        while let Some(row) = rows.next()? {
            let recorded = recorded(row)?;
            let columns: Vec<_> =
                (0..COLUMNS.len()).map(|index| row.get_ref(index)).collect::<Result<_, _>>()?;
            if recorded.seq != moved.seq + 1 || chain.link(&moved.hash, columns) != recorded.hash {
                return Err(misfit(recorded.seq));
            }
            sums.add(recorded.seq, &recorded.entry);
            moved = recorded.head();
        }
    }
    stretch::forget(&transaction, moved.seq)?;
    let place = moved.seq.cast_signed();
    transaction.prepare_cached("DELETE FROM entry WHERE seq <= ?1")?.execute([place])?;
    put(&transaction, &sums, Sign::Minus)?;
    for (aspid, units) in &sums.charged {
        transaction
            .prepare_cached("UPDATE account SET forgotten_units = forgotten_units + ?2 WHERE aspid = ?1")?
            .execute(params![aspid.as_str(), units.cast_signed()])?;
    }
    for quarter in sums.quarters.keys() {
        transaction
            .prepare_cached("DELETE FROM quarter WHERE quarter = ?1 AND last_seq <= ?2")?
            .execute(params![quarter, place])?;
        transaction
            .prepare_cached("UPDATE quarter SET first_seq = max(first_seq, ?2 + 1) WHERE quarter = ?1")?
            .execute(params![quarter, place])?;
    }
    transaction
        .prepare_cached("UPDATE anchor SET seq = ?1, hash = ?2")?
        .execute(params![place, moved.hash])?;
    transaction.commit()?;
    Ok(Some(moved))
}

/// What somebody tampered with is evidence, and stays.
fn misfit(seq: Seq) -> rusqlite::Error {
    let what =
        format!("entry {seq} does not follow the one before it; from there on nothing is removed by age");
    rusqlite::Error::FromSqlConversionFailure(COLUMNS.len(), Type::Blob, what.into())
}

/// Removes sessions of taxpayers that were over before `kept_from`.
fn forget_consents(connection: &Connection, kept_from: Timestamp) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM consent WHERE max(coalesce(granted_at, 0), coalesce(refreshed_at, 0),
             coalesce(lapses_at, 0), coalesce(ended_at, 0)) < ?1",
        )?
        .execute([kept_from.as_microsecond()])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_india_s() {
        let kept = |months, now: &str| {
            Months(NonZeroU16::new(months).unwrap()).kept_from(now.parse().unwrap()).to_string()
        };
        assert_eq!(kept(1, "2026-11-22T10:00:00Z"), "2026-09-30T18:30:00Z");
        assert_eq!(kept(1, "2026-11-30T18:29:59Z"), "2026-09-30T18:30:00Z");
        assert_eq!(kept(1, "2026-11-30T18:30:00Z"), "2026-10-31T18:30:00Z");
        assert_eq!(kept(12, "2026-01-15T00:00:00Z"), "2024-12-31T18:30:00Z");
    }
}
