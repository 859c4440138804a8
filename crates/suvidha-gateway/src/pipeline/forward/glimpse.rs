//! A look at the beginning of GSTN's answer, for what the record of a call says of it.
//!
//! A whole answer is looked at once. Of a streamed one the first piece may be short: then the beginning is kept as it passes,
//! and looked at when there is enough of it. Nothing is held back for that.

use gstn::catalogue::Origin;
use gstn::envelope::{StatusCd, peek};

use super::consent::Authentication;
use crate::accounts::Verdict;
use crate::pipeline::settle::Record;

/// So many bytes of a streamed answer are kept at most. GSTN's errors are shorter.
const MOST: usize = 8 * 1024;

/// What the beginning of an answer may yet tell.
pub(crate) struct Glimpse {
    authentication: Option<Authentication>,
    start: Vec<u8>,
    /// Nothing more is to be learnt.
    over: bool,
}

impl Glimpse {
    pub(super) fn new(authentication: Option<Authentication>) -> Self {
        Self { authentication, start: Vec::new(), over: false }
    }

    /// Looks at `start`, which is the answer's first piece or, if it is `whole`, all of it.
    pub(super) fn at(&mut self, start: &[u8], whole: bool, record: &mut Record) {
        let decided = look(start, record);
        self.over = whole || (decided && self.authentication.is_none());
        if whole {
            self.judge_session(start, record);
        }
    }

    /// One more piece passes; the first one, too.
    pub(crate) fn passes(&mut self, piece: &[u8], record: &mut Record) {
        if self.over {
            return;
        }
        let room = MOST - self.start.len();
        self.start.extend_from_slice(&piece[..piece.len().min(room)]);
        if piece.len() >= room {
            self.end(record);
        }
    }

    /// No more will pass.
    pub(crate) fn end(&mut self, record: &mut Record) {
        if !std::mem::replace(&mut self.over, true) {
            let start = std::mem::take(&mut self.start);
            look(&start, record);
            self.judge_session(&start, record);
        }
    }

    fn judge_session(&mut self, start: &[u8], record: &mut Record) {
        if let Some(authentication) = self.authentication.take()
            && record.status_cd == Some(StatusCd::One)
        {
            record.consent = authentication.change(start, record.at);
        }
    }
}

/// Writes down what `start` tells; says whether more of it could tell more.
fn look(start: &[u8], record: &mut Record) -> bool {
    let seen = peek(start);
    record.status_cd = seen.status_cd;
    if seen.status_cd.is_some_and(|status_cd| !status_cd.is_success()) {
        record.origin = Some(Origin::Gstn);
        record.verdict = record.verdict.min(Verdict::Answered);
    }
    let decided = seen.is_success() || (seen.status_cd.is_some() && seen.error_cd.is_some());
    record.error_cd = seen.error_cd.map(|code| code.chars().filter(|c| !c.is_control()).take(40).collect());
    decided
}
