//! A signed message serves once: the ones that served are remembered for as long as they would be in time.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use gstn::AspId;
use gstn::crypto::sha256;
use jiff::Timestamp;

use crate::error::{Error, Kind};

/// How many messages one environment remembers; each takes some 50 bytes.
pub(super) const MOST: usize = 1 << 20;

/// The hash of a message's sender, timestamp and signature.
type Message = [u8; 16];

pub(super) fn message(aspid: &AspId, timestamp: &str, signature: &[u8]) -> Message {
    let hash = sha256(&[aspid.as_str().as_bytes(), timestamp.as_bytes(), signature].concat());
    std::array::from_fn(|at| hash[at])
}

/// Why a message is not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NotTaken {
    /// It served already.
    Used,
    /// So many are remembered that there is no place for another. To forget one instead would be to let it serve twice.
    Full,
}

impl From<NotTaken> for Error {
    fn from(not_taken: NotTaken) -> Self {
        const FULL: &str =
            "So many signed messages were used lately that the gateway cannot remember another.";
        match not_taken {
            NotTaken::Used => Self::new(Kind::Replayed),
            NotTaken::Full => Self::too_many(FULL, Duration::from_secs(60)),
        }
    }
}

/// The messages of all threads that served and would still be in time. Only verified ones may enter, so that nobody but an
/// ASP can fill it.
pub(super) struct Replays {
    seen: Mutex<Seen>,
    most: usize,
}

#[derive(Default)]
struct Seen {
    messages: HashSet<Message>,
    /// By the second after which they are stale.
    by_end: BTreeMap<i64, Vec<Message>>,
}

impl Replays {
    pub(super) fn new(most: usize) -> Self {
        Self { seen: Mutex::default(), most }
    }

    /// Takes `message`, which is in time until `end`.
    pub(super) fn take(&self, message: Message, end: Timestamp, now: Timestamp) -> Result<(), NotTaken> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.forget_until(now.as_second());
        if seen.messages.contains(&message) {
            return Err(NotTaken::Used);
        }
        if seen.messages.len() >= self.most {
            return Err(NotTaken::Full);
        }
        seen.messages.insert(message);
        seen.by_end.entry(end.as_second()).or_default().push(message);
        Ok(())
    }
}

impl Seen {
    /// What ended a second ago may be forgotten, for whoever asks now did so after reading the clock.
    fn forget_until(&mut self, now: i64) {
        while let Some(first) = self.by_end.first_entry().filter(|first| *first.key() < now - 1) {
            for message in first.remove() {
                self.messages.remove(&message);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_message_serves_once_while_it_is_in_time() {
        let replays = Replays::new(10);
        assert_eq!(replays.take([1; 16], at(1000), at(0)), Ok(()));
        for now in [0, 1, 999, 1000, 1001] {
            assert_eq!(replays.take([1; 16], at(1000), at(now)), Err(NotTaken::Used), "{now}");
        }
        assert_eq!(replays.take([2; 16], at(1000), at(1)), Ok(()), "another message");
        assert_eq!(replays.take([3; 16], at(3000), at(2000)), Ok(()));
        assert_eq!(replays.seen.lock().unwrap().messages.len(), 1, "what is stale is forgotten");
    }

    #[test]
    fn when_full_it_refuses_rather_than_forgets() {
        let replays = Replays::new(2);
        assert_eq!(replays.take([1; 16], at(100), at(0)), Ok(()));
        assert_eq!(replays.take([2; 16], at(200), at(0)), Ok(()));
        assert_eq!(replays.take([3; 16], at(100), at(0)), Err(NotTaken::Full));
        assert_eq!(
            replays.take([1; 16], at(100), at(0)),
            Err(NotTaken::Used),
            "a replay is still called one"
        );
        assert_eq!(replays.take([3; 16], at(200), at(102)), Ok(()), "the first one has gone");
        assert_eq!(replays.take([2; 16], at(200), at(102)), Err(NotTaken::Used));
    }

    #[test]
    fn a_replay_and_a_full_memory_are_told_apart() {
        assert_eq!(Error::from(NotTaken::Used).code(), "GSP661");
        assert_eq!(Error::from(NotTaken::Full).code(), "GSP025");
    }

    #[test]
    fn a_message_is_its_sender_its_timestamp_and_its_signature() {
        let aspid = |number| AspId::new(number).unwrap();
        let one = message(&aspid(1), "22112026101530", b"signature");
        assert_eq!(one, message(&aspid(1), "22112026101530", b"signature"));
        for other in [
            message(&aspid(2), "22112026101530", b"signature"),
            message(&aspid(1), "22112026101531", b"signature"),
            message(&aspid(1), "22112026101530", b"Signature"),
        ] {
            assert_ne!(one, other);
        }
    }
}
