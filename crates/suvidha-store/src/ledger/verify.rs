//! The proof that nothing was altered or removed: every entry is read, its hash computed anew, and what is summed
//! beside the entries compared with them. In short transactions, beside a gateway that goes on writing.

mod diagnosis;
mod finding;
mod stretches;
mod sums;

use rusqlite::{Connection, Row};
use uuid::Uuid;

use self::diagnosis::{Diagnosis, Link};
pub use self::finding::{Finding, Sum};
use self::stretches::StretchCheck;
use self::sums::SumsCheck;
use super::chain::{COLUMNS, Head, encode};
use super::entry::Seq;
use super::error::LedgerError;
use super::reader::{LedgerReader, recorded};
use super::schema;

/// What was read, in a verification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Entries read.
    pub entries: u64,
    /// The entry before the first that is kept; seq 0 if none was removed by age.
    pub anchor: Head,
    /// The last entry. Note it elsewhere: it vouches for all that comes before.
    pub head: Head,
    /// How many findings there were.
    pub findings: u64,
    /// The known head could not be looked for, because entries up to it and beyond were removed by age.
    pub known_head_forgotten: bool,
}

/// How many entries one transaction reads.
const CHUNK: usize = 5_000;

impl LedgerReader {
    /// Verifies the whole ledger: hands each finding to `found` as soon as it is sure, and the last place read to
    /// `progress` now and then. With `known`, a head that was noted earlier, also that nothing up to it was written anew
    /// or cut off. Memory does not grow with the ledger.
    pub fn verify(
        &self,
        known: Option<Head>,
        mut found: impl FnMut(Finding),
        mut progress: impl FnMut(Seq),
    ) -> Result<Verified, LedgerError> {
        let mut check = self.reading(|connection| Check::begin(connection, known))?;
        if check.anchor.seq == 0 && check.anchor.hash != self.identity.genesis() {
            check.findings.push(Finding::Genesis);
        }
        let mut findings = 0;
        loop {
            let step = self.reading(|connection| check.step(connection));
            let done = match step {
                Ok(done) => done,
                Err(error @ LedgerError::Damaged { .. }) => {
                    check.diagnosis.finish(&mut check.findings);
                    check
                        .findings
                        .push(Finding::Unreadable { after: check.last.seq, what: error.to_string() });
                    true
                }
                Err(error) => return Err(error),
            };
            findings += check.findings.len() as u64;
            check.findings.drain(..).for_each(&mut found);
            if done {
                break;
            }
            progress(check.last.seq);
        }
        Ok(Verified {
            entries: check.entries,
            anchor: check.anchor,
            head: check.last,
            findings,
            known_head_forgotten: check.known_head_forgotten,
        })
    }
}

/// The request id that a row shows; nil if it is none.
fn id(row: &Row<'_>) -> rusqlite::Result<Uuid> {
    Ok(Uuid::from_slice(row.get_ref(1)?.as_blob()?).unwrap_or_default())
}

/// How far a verification has come.
struct Check {
    anchor: Head,
    known: Option<Head>,
    /// Nothing stands any more at the place of `known`.
    known_head_forgotten: bool,
    /// The last entry read.
    last: Head,
    entries: u64,
    diagnosis: Diagnosis,
    sums: SumsCheck,
    stretches: StretchCheck,
    findings: Vec<Finding>,
    /// What the last comparison of sums found. Told last: what is wrong with entries shows in the sums as well.
    of_sums: Vec<Finding>,
    /// The sums were compared: what is read now stands behind the head.
    behind: bool,
    /// What stands behind the head follows from it.
    follows: bool,
    link: Link,
}

impl Check {
    fn begin(connection: &Connection, known: Option<Head>) -> rusqlite::Result<Self> {
        let anchor = schema::mark(connection, "anchor")?;
        let mut check = Self {
            anchor,
            known,
            known_head_forgotten: known.is_some_and(|known| known.seq < anchor.seq),
            last: anchor,
            entries: 0,
            diagnosis: Diagnosis::new((anchor.seq, anchor.hash)),
            sums: SumsCheck::begin(connection)?,
            stretches: StretchCheck::default(),
            findings: Vec::new(),
            of_sums: Vec::new(),
            behind: false,
            follows: true,
            link: Link::default(),
        };
        let mut before =
            connection.prepare("SELECT seq, id FROM entry WHERE seq <= ?1 ORDER BY seq LIMIT 100")?;
        let mut rows = before.query([anchor.seq.cast_signed()])?;
        while let Some(row) = rows.next()? {
            let seq = row.get::<_, i64>(0)?.unsigned_abs();
            check.findings.push(Finding::Inserted { seq, id: id(row)? });
        }
        check.meet_known(anchor);
        Ok(check)
    }

    /// Reads some entries; answers whether they were the last.
    fn step(&mut self, connection: &Connection) -> rusqlite::Result<bool> {
        let anchor = schema::mark(connection, "anchor")?;
        if anchor.seq > self.last.seq {
            // Entries were removed by age, ahead of us.
            self.diagnosis.finish(&mut self.findings);
            self.diagnosis = Diagnosis::new((anchor.seq, anchor.hash));
            self.known_head_forgotten |=
                self.known.is_some_and(|known| self.last.seq < known.seq && known.seq < anchor.seq);
            self.last = anchor;
            self.meet_known(anchor);
            self.sums.go_on_from_anchor(connection)?;
        }
        // First what the sums take in at this moment, then what follows.
        let most = if self.behind { i64::MAX } else { schema::mark(connection, "head")?.seq.cast_signed() };
        let mut read = connection.prepare_cached(&format!(
            "SELECT {}, hash FROM entry WHERE seq > ?1 AND seq <= ?2 ORDER BY seq LIMIT ?3",
            COLUMNS.join(", ")
        ))?;
        let mut rows = read.query([self.last.seq.cast_signed(), most, CHUNK as i64])?;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            self.take(row)?;
            count += 1;
        }
        self.entries += count as u64;
        self.stretches.compare(connection, &mut self.findings)?;
        let at_end = count < CHUNK;
        if self.behind {
            if at_end {
                self.end(connection)?;
            }
            return Ok(at_end);
        }
        let findings = if at_end { &mut self.of_sums } else { &mut self.findings };
        self.sums.compare(connection, anchor.seq, self.last.seq, at_end, findings)?;
        self.behind = at_end;
        Ok(false)
    }

    fn take(&mut self, row: &Row<'_>) -> rusqlite::Result<()> {
        self.link.bytes.clear();
        for index in 0..COLUMNS.len() {
            encode(&mut self.link.bytes, row.get_ref(index)?);
        }
        self.link.seq = row.get::<_, i64>(0)?.unsigned_abs();
        self.link.id = id(row)?;
        // One of another length fits nothing.
        self.link.hash = row.get_ref(COLUMNS.len())?.as_blob()?.try_into().unwrap_or_default();
        let follows = self.diagnosis.take(&self.link, &mut self.findings);
        self.follows &= follows || !self.behind;
        self.last = Head { seq: self.link.seq, hash: self.link.hash };
        self.meet_known(self.last);
        // One that makes no sense does not fit its hash, and is missing in the sums.
        if let Ok(recorded) = recorded(row) {
            self.stretches.add(recorded.seq, recorded.entry.aspid);
            if !self.behind {
                self.sums.add(recorded.seq, &recorded.entry);
            }
        }
        Ok(())
    }

    /// Compares with the known head what stands at its place.
    fn meet_known(&mut self, at: Head) {
        if let Some(known) = self.known.filter(|known| known.seq == at.seq && known.hash != at.hash) {
            self.findings.push(Finding::KnownHead { known, found: Some(at) });
        }
    }

    fn end(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.diagnosis.finish(&mut self.findings);
        let (says, anchor) = (schema::mark(connection, "head")?, schema::mark(connection, "anchor")?);
        let fits = match says.seq {
            seq if seq == self.last.seq => says == self.last,
            seq if seq == anchor.seq => self.follows && says == anchor,
            seq => self.follows && schema::hash_of(connection, seq)? == Some(says.hash),
        };
        if says.seq > self.last.seq {
            self.findings.push(Finding::Removed { first: self.last.seq + 1, last: says.seq });
        } else if !fits {
            self.findings.push(Finding::Head { says, found: self.last });
        }
        if let Some(known) = self.known.filter(|known| known.seq > self.last.seq) {
            self.findings.push(Finding::KnownHead { known, found: None });
        }
        self.findings.append(&mut self.of_sums);
        Ok(())
    }
}
