//! The parts of the ledger in which to look, in pieces that one transaction reads.

use super::entry::Seq;
use super::stretch::{self, STRETCH};

/// Ranges of places, ascending and apart, each from its first to its last.
#[derive(Debug)]
pub(super) struct Places(Vec<(Seq, Seq)>);

impl Places {
    /// These ranges, which are ascending and apart; those that end before they begin are none.
    pub(super) fn new(ranges: impl IntoIterator<Item = (Seq, Seq)>) -> Self {
        Self(ranges.into_iter().filter(|(first, last)| first <= last).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first places that are in one stretch.
    pub(super) fn first_piece(&self) -> Option<(Seq, Seq)> {
        let &(first, last) = self.0.first()?;
        Some((first, last.min(stretch::last_of(first))))
    }

    /// The last places that are in one stretch.
    pub(super) fn last_piece(&self) -> Option<(Seq, Seq)> {
        let &(first, last) = self.0.last()?;
        Some((first.max(last / STRETCH * STRETCH), last))
    }

    pub(super) fn leave_out_up_to(&mut self, seq: Seq) {
        self.0.retain_mut(|(first, last)| {
            *first = (*first).max(seq.saturating_add(1));
            first <= last
        });
    }

    pub(super) fn leave_out_from(&mut self, seq: Seq) {
        self.0.retain_mut(|(first, last)| {
            *last = (*last).min(seq.saturating_sub(1));
            first <= last
        });
    }
}

impl Iterator for Places {
    type Item = (Seq, Seq);

    /// Piece by piece, ascending.
    fn next(&mut self) -> Option<Self::Item> {
        let piece = self.first_piece()?;
        self.leave_out_up_to(piece.1);
        Some(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_end_with_their_stretch_from_either_side() {
        let places = || Places::new([(5, 40_000), (9, 8), (50_000, 50_001)]);
        let all = [(5, 16_383), (16_384, 32_767), (32_768, 40_000), (50_000, 50_001)];
        assert_eq!(places().collect::<Vec<_>>(), all);
        let mut backwards = Vec::new();
        let mut left = places();
        while let Some(piece) = left.last_piece() {
            backwards.insert(0, piece);
            left.leave_out_from(piece.0);
        }
        assert_eq!(backwards, all);
        let mut left = places();
        left.leave_out_up_to(49_999);
        assert_eq!(left.first_piece(), Some((50_000, 50_001)));
        left.leave_out_up_to(u64::MAX);
        assert!(left.is_empty());
    }
}
