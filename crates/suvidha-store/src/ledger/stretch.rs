//! Where the entries of each ASP stand: what an index would tell, at a hundredth of its price.
//!
//! The ledger is cut into stretches of so many entries. When one is full, each ASP's places in it are written as one row.
//! What stands behind the last full stretch is read whole.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use gstn::AspId;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::entry::Seq;
use super::filter::Filter;

/// How many entries a stretch has. A place in it takes two bytes.
pub(super) const STRETCH: u64 = 16_384;

/// The stretch that an entry is in.
pub(super) fn of(seq: Seq) -> i64 {
    (seq / STRETCH).cast_signed()
}

/// The last entry of the stretch that `seq` is in.
pub(super) fn last_of(seq: Seq) -> Seq {
    seq | (STRETCH - 1)
}

/// A place as it is kept.
pub(super) fn place(seq: Seq) -> [u8; 2] {
    let [.., high, low] = (seq % STRETCH).to_be_bytes();
    [high, low]
}

/// The places in the stretch that is being written, by ASP.
#[derive(Default)]
pub(super) struct Stretch {
    places: BTreeMap<AspId, Vec<u8>>,
}

impl Stretch {
    /// The one of the ledger that ends with `end`, as far as it is written.
    pub(super) fn read(connection: &Connection, end: Seq) -> rusqlite::Result<Self> {
        let first = (end + 1) / STRETCH * STRETCH;
        let mut stretch = Self::default();
        let mut read = connection.prepare("SELECT seq, aspid FROM entry WHERE seq >= ?1 ORDER BY seq")?;
        let mut rows = read.query([first.cast_signed()])?;
        while let Some(row) = rows.next()? {
            // A word that somebody made up is nobody's.
            let aspid = row.get_ref(1)?.as_str_or_null().ok().flatten().and_then(|text| text.parse().ok());
            stretch.note(row.get::<_, i64>(0)?.unsigned_abs(), aspid);
        }
        Ok(stretch)
    }

    /// Takes in the next entry, and writes the stretch down if it is the last of it.
    pub(super) fn add(
        &mut self,
        transaction: &Transaction<'_>,
        seq: Seq,
        aspid: Option<AspId>,
    ) -> rusqlite::Result<()> {
        self.note(seq, aspid);
        if seq != last_of(seq) {
            return Ok(());
        }
        let mut write = transaction.prepare_cached(
            "INSERT INTO stretch (stretch, aspid, places) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET places = excluded.places",
        )?;
        for (aspid, places) in std::mem::take(&mut self.places) {
            write.execute(params![of(seq), aspid.as_str(), places])?;
        }
        Ok(())
    }

    fn note(&mut self, seq: Seq, aspid: Option<AspId>) {
        if let Some(aspid) = aspid {
            self.places.entry(aspid).or_default().extend(place(seq));
        }
    }
}

/// Where to look for what answers to a filter: some places of one stretch, as SQL after `AND` with its values.
pub(super) fn places_for(
    connection: &Connection,
    filter: &Filter,
    (first, last): (Seq, Seq),
) -> rusqlite::Result<(&'static str, Vec<Value>)> {
    if let Some(aspid) = &filter.aspid
        && is_kept(connection, of(first))?
    {
        let mut list = String::from("[");
        for place in kept(connection, of(first), aspid)?.unwrap_or_default().chunks_exact(2) {
            let seq = first / STRETCH * STRETCH + u64::from(u16::from_be_bytes([place[0], place[1]]));
            if (first..=last).contains(&seq) {
                let comma = if list.len() > 1 { "," } else { "" };
                // A string takes whatever is written to it.
                let _ = write!(list, "{comma}{seq}");
            }
        }
        list.push(']');
        return Ok(("seq IN (SELECT value FROM json_each(?))", vec![Value::Text(list)]));
    }
    let values = [first, last].map(|seq| Value::Integer(seq.cast_signed()));
    Ok(("seq BETWEEN ? AND ?", values.to_vec()))
}

/// Whether the stretch is written down.
pub(super) fn is_kept(connection: &Connection, stretch: i64) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM stretch WHERE stretch = ?1)")?
        .query_row([stretch], |row| row.get(0))
}

/// The places of an ASP in a stretch, if it has any.
pub(super) fn kept(
    connection: &Connection,
    stretch: i64,
    aspid: &AspId,
) -> rusqlite::Result<Option<Vec<u8>>> {
    connection
        .prepare_cached("SELECT places FROM stretch WHERE stretch = ?1 AND aspid = ?2")?
        .query_row(params![stretch, aspid.as_str()], |row| row.get(0))
        .optional()
}

/// The stretches that end with `seq` or before it are removed.
pub(super) fn forget(transaction: &Transaction<'_>, seq: Seq) -> rusqlite::Result<()> {
    transaction.prepare_cached("DELETE FROM stretch WHERE stretch < ?1")?.execute([of(seq + 1)])?;
    Ok(())
}

/// Lets a ledger without stretches be read, whole: one that no gateway has opened since there are stretches.
pub(super) fn make_up(connection: &Connection) -> rusqlite::Result<()> {
    if connection.table_exists(None, "stretch")? {
        return Ok(());
    }
    connection.execute_batch("CREATE TEMP TABLE stretch (stretch INTEGER, aspid TEXT, places BLOB)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_takes_two_bytes_wherever_it_is() {
        for (seq, stretch, kept) in
            [(1, 0, [0, 1]), (16_383, 0, [0x3f, 0xff]), (16_384, 1, [0, 0]), (40_000, 2, [0x1c, 0x40])]
        {
            assert_eq!((of(seq), place(seq)), (stretch, kept));
            assert_eq!(stretch.cast_unsigned() * STRETCH + u64::from(u16::from_be_bytes(kept)), seq);
        }
    }
}
