//! What became of entries that do not follow the one before them.
//!
//! A hash that does not fit says that something is wrong here, and no more. But an entry is bound to its place and to the
//! one before, so it can be tried out: does it fit another place, or behind another entry nearby? If so it was moved, or
//! what stood between was removed or inserted. If not, it was changed.

use uuid::Uuid;

use super::finding::Finding;
use crate::ledger::chain::{Chain, Hash};
use crate::ledger::entry::Seq;

/// An entry as the chain takes it.
#[derive(Debug, Clone, Default)]
pub(super) struct Link {
    pub(super) seq: Seq,
    pub(super) id: Uuid,
    pub(super) hash: Hash,
    /// The encoding of its columns.
    pub(super) bytes: Vec<u8>,
}

/// How many entries are looked into at once; beyond that, they are told as changed.
const MOST: usize = 48;

/// By how many places whole runs of entries may have been shifted, to be recognised.
const FURTHEST: i64 = 8;

/// Sorts out what does not fit, entry by entry, in the order of the ledger.
pub(super) struct Diagnosis {
    chain: Chain,
    /// Those that stand before the next one.
    before: Vec<(Seq, Uuid, Hash)>,
    suspects: Vec<Suspect>,
    /// A run of renumbered entries: the first, the last, what was added.
    run: Option<(Seq, Seq, i64)>,
}

struct Suspect {
    link: Link,
    /// The hashes that stand before it, the nearest last.
    before: Vec<(Seq, Uuid, Hash)>,
    /// Where it belongs, if that is known.
    belongs: Option<Seq>,
}

impl Diagnosis {
    /// Before the first entry stands `anchor`.
    pub(super) fn new((seq, hash): (Seq, Hash)) -> Self {
        let before = vec![(seq, Uuid::nil(), hash)];
        Self { chain: Chain::default(), before, suspects: Vec::new(), run: None }
    }

    /// The next entry, in the order of the ledger. Answers whether it follows the one before.
    pub(super) fn take(&mut self, link: &Link, findings: &mut Vec<Finding>) -> bool {
        let Some(&(seq, _, hash)) = self.before.last() else { return false };
        let expected = seq + 1;
        let follows = link.seq <= expected && self.chain.fits(&hash, link.seq, &link.bytes, &link.hash);
        if link.seq > expected {
            self.end_run(findings);
            findings.push(Finding::Removed { first: expected, last: link.seq - 1 });
        } else if follows {
            self.end_run(findings);
        } else if !self.continues_run(&hash, link) {
            self.end_run(findings);
            let suspect = Suspect { link: link.clone(), before: self.before.clone(), belongs: None };
            self.suspects.push(suspect);
            if self.suspects.len() >= MOST {
                self.finish(findings);
            }
        }
        self.before.push((link.seq, link.id, link.hash));
        if self.before.len() > FURTHEST as usize {
            self.before.remove(0);
        }
        follows
    }

    /// Nothing more comes.
    pub(super) fn finish(&mut self, findings: &mut Vec<Finding>) {
        self.resolve(findings);
        self.end_run(findings);
    }

    /// Whether the entry follows the one before as it did under another number.
    fn continues_run(&mut self, previous: &Hash, link: &Link) -> bool {
        let shifts = match self.run {
            Some((_, _, by)) => by..=by,
            None => -FURTHEST..=FURTHEST,
        };
        let fits = shifts.into_iter().find(|by| {
            let was = link.seq.checked_add_signed(-by).filter(|was| *was > 0);
            *by != 0 && was.is_some_and(|was| self.chain.fits(previous, was, &link.bytes, &link.hash))
        });
        let Some(by) = fits else { return false };
        let first = self.run.map_or(link.seq, |(first, _, _)| first);
        self.run = Some((first, link.seq, by));
        true
    }

    fn end_run(&mut self, findings: &mut Vec<Finding>) {
        if let Some((first, last, by)) = self.run.take() {
            self.resolve(findings);
            // What follows a removed entry first cannot be tried out, for the hash before it is gone.
            if let Some(Finding::Changed { seq, .. }) = findings.last().filter(|_| by < 0)
                && seq + 1 == first
            {
                let seq = *seq;
                findings.pop();
                findings.push(Finding::Removed { first: seq, last: seq.saturating_sub_signed(by + 1) });
            }
            findings.push(Finding::Renumbered { first, last, by });
        }
    }

    fn resolve(&mut self, findings: &mut Vec<Finding>) {
        let mut suspects = std::mem::take(&mut self.suspects);
        self.place(&mut suspects);
        for suspect in &suspects {
            let Link { seq, id, .. } = suspect.link;
            match suspect.belongs {
                // It fits where it stands: what is wrong stood before it.
                Some(from) if from == seq => {}
                Some(from) if from < seq && !is_known_elsewhere(&suspects, from..seq) => {
                    findings.retain(|finding| {
                        !matches!(finding, Finding::Changed { seq: at, .. } if (from..seq).contains(at))
                    });
                    let inserted = suspect.before.iter().filter(|(at, ..)| (from..seq).contains(at));
                    findings.extend(inserted.map(|&(seq, id, _)| Finding::Inserted { seq, id }));
                }
                Some(from) => findings.push(Finding::Moved { seq, id, from }),
                None => findings.push(Finding::Changed { seq, id }),
            }
        }
    }

    /// Tries where each belongs.
    fn place(&mut self, suspects: &mut [Suspect]) {
        let mut hashes: Vec<_> =
            suspects.iter().map(|suspect| (suspect.link.seq, suspect.link.hash)).collect();
        hashes.extend(
            suspects.iter().flat_map(|s| s.before.iter().rev().take(3)).map(|(seq, _, hash)| (*seq, *hash)),
        );
        hashes.sort_unstable();
        hashes.dedup();
        let mut places: Vec<_> = suspects.iter().map(|suspect| suspect.link.seq).collect();
        places.extend(suspects.iter().map(|suspect| suspect.link.seq.saturating_sub(1)));
        places.sort_unstable();
        places.dedup();
        for suspect in suspects {
            suspect.belongs = places.iter().copied().find(|place| {
                hashes.iter().any(|(_, previous)| {
                    self.chain.fits(previous, *place, &suspect.link.bytes, &suspect.link.hash)
                })
            });
        }
    }
}

fn is_known_elsewhere(suspects: &[Suspect], mut places: std::ops::Range<Seq>) -> bool {
    places.any(|place| {
        suspects.iter().any(|suspect| {
            suspect.link.seq == place && suspect.belongs.is_some_and(|belongs| belongs != place)
        })
    })
}
