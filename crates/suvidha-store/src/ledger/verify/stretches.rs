//! Whether every entry stands where it is looked for, when those of its ASP are asked for.

use std::collections::BTreeMap;

use gstn::AspId;
use rusqlite::Connection;

use super::finding::{Finding, Sum};
use crate::ledger::entry::Seq;
use crate::ledger::stretch::{self, STRETCH};

/// The most findings of this kind.
const MOST: u64 = 20;

/// The entries of the ASPs that were read and not yet looked for.
#[derive(Default)]
pub(super) struct StretchCheck {
    read: BTreeMap<(i64, AspId), Vec<[u8; 2]>>,
    found: u64,
}

impl StretchCheck {
    pub(super) fn add(&mut self, seq: Seq, aspid: Option<AspId>) {
        if let Some(aspid) = aspid {
            self.read.entry((stretch::of(seq), aspid)).or_default().push(stretch::place(seq));
        }
    }

    /// Looks for those that were read in this transaction. What is listed of an ASP and is not its entry does no harm; nor does
    /// a stretch that is not there at all: it is read whole.
    pub(super) fn compare(
        &mut self,
        connection: &Connection,
        findings: &mut Vec<Finding>,
    ) -> rusqlite::Result<()> {
        for ((of, aspid), places) in std::mem::take(&mut self.read) {
            if !stretch::is_kept(connection, of)? {
                continue;
            }
            let kept = stretch::kept(connection, of, &aspid)?.unwrap_or_default();
            let (kept, _) = kept.as_chunks::<2>();
            let missing = |place: &[u8; 2]| kept.binary_search(place).is_err();
            let count = places.iter().filter(|place| missing(place)).count();
            if count > 0 && self.found < MOST {
                self.found += 1;
                let first = of.cast_unsigned() * STRETCH;
                let what = Sum::Places { aspid: aspid.to_string(), first, last: stretch::last_of(first) };
                let (entries, kept) = (places.len(), places.len() - count);
                let words = |count: usize| format!("{count} of those read");
                findings.push(Finding::Sum { what, entries: words(entries), kept: words(kept) });
            }
        }
        Ok(())
    }
}
