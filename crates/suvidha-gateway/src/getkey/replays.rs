//! A signed message serves once: the ones that served are remembered for as long as they would be in time.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use gstn::AspId;
use gstn::crypto::sha256;
use jiff::Timestamp;

use crate::error::{Error, Kind};

/// How many messages one environment remembers; each takes some 60 bytes.
pub(super) const MOST: usize = 1 << 20;

/// Of all places, one ASP gets no more than this part, so that none can fill them for the others.
const SHARE: usize = 8;

/// So many that are stale are forgotten at most while a call waits. More than one, so that they get fewer.
const FORGOTTEN_AT_ONCE: usize = 100;

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
    /// So many are remembered, in all or of this ASP, that there is no place for another. To forget one instead would be
    /// to let it serve twice.
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
    by_end: BTreeMap<i64, Vec<(AspId, Message)>>,
    of_each: HashMap<AspId, usize>,
}

impl Replays {
    pub(super) fn new(most: usize) -> Self {
        Self { seen: Mutex::default(), most }
    }

    /// Takes `message` of `asp`, which is in time until `end`.
    pub(super) fn take(
        &self,
        asp: AspId,
        message: Message,
        end: Timestamp,
        now: Timestamp,
    ) -> Result<(), NotTaken> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.forget_until(now.as_second());
        if seen.messages.contains(&message) {
            return Err(NotTaken::Used);
        }
        let of_asp = seen.of_each.get(&asp).copied().unwrap_or_default();
        if seen.messages.len() >= self.most || of_asp >= self.most.div_ceil(SHARE) {
            return Err(NotTaken::Full);
        }
        seen.messages.insert(message);
        seen.by_end.entry(end.as_second()).or_default().push((asp, message));
        seen.of_each.insert(asp, of_asp + 1);
        Ok(())
    }
}

impl Seen {
    /// What ended a second ago may be forgotten, for whoever asks now did so after reading the clock.
    fn forget_until(&mut self, now: i64) {
        for _ in 0..FORGOTTEN_AT_ONCE {
            let Some(mut first) = self.by_end.first_entry().filter(|first| *first.key() < now - 1) else {
                return;
            };
            let forgotten = first.get_mut().pop();
            if first.get().is_empty() {
                first.remove();
            }
            let Some((asp, message)) = forgotten else { continue };
            self.messages.remove(&message);
            if let Some(number) = self.of_each.get_mut(&asp) {
                *number -= 1;
                if *number == 0 {
                    self.of_each.remove(&asp);
                }
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

    fn asp(number: u64) -> AspId {
        AspId::new(number).unwrap()
    }

    fn numbered(number: usize) -> Message {
        (number as u128).to_be_bytes()
    }

    #[test]
    fn a_message_serves_once_while_it_is_in_time() {
        let replays = Replays::new(100);
        let take = |message: u8, end, now| replays.take(asp(1), [message; 16], at(end), at(now));
        assert_eq!(take(1, 1000, 0), Ok(()));
        for now in [0, 1, 999, 1000, 1001] {
            assert_eq!(take(1, 1000, now), Err(NotTaken::Used), "{now}");
        }
        assert_eq!(take(2, 1000, 1), Ok(()), "another message");
        assert_eq!(take(3, 3000, 2000), Ok(()));
        let seen = replays.seen.lock().unwrap();
        assert_eq!((seen.messages.len(), seen.by_end.len()), (1, 1), "what is stale is forgotten");
        assert_eq!(seen.of_each, [(asp(1), 1)].into());
    }

    #[test]
    fn of_threads_with_one_message_one_wins() {
        let replays = Replays::new(100);
        let taken = std::thread::scope(|threads| {
            let take = || replays.take(asp(1), [1; 16], at(100), at(0)).is_ok();
            let all: Vec<_> = (0..8).map(|_| threads.spawn(take)).collect();
            all.into_iter().map(|thread| usize::from(thread.join().unwrap())).sum::<usize>()
        });
        assert_eq!(taken, 1);
    }

    #[test]
    fn when_full_it_refuses_rather_than_forgets() {
        let replays = Replays::new(2);
        let take = |message: u8, end, now| replays.take(asp(message.into()), [message; 16], at(end), at(now));
        assert_eq!(take(1, 100, 0), Ok(()));
        assert_eq!(take(2, 200, 0), Ok(()));
        assert_eq!(take(3, 100, 0), Err(NotTaken::Full));
        assert_eq!(take(1, 100, 0), Err(NotTaken::Used), "a replay is still called one");
        assert_eq!(take(3, 200, 102), Ok(()), "the first one has gone");
        assert_eq!(take(2, 200, 102), Err(NotTaken::Used));
    }

    #[test]
    fn one_asp_cannot_fill_it_for_the_others() {
        let replays = Replays::new(80);
        let take = |by, number, now| replays.take(asp(by), numbered(number), at(now + 100), at(now));
        assert_eq!((0..80).filter(|&number| take(1, number, 0).is_ok()).count(), 10);
        assert_eq!(take(2, 1000, 0), Ok(()));
        assert_eq!(take(1, 1001, 102), Ok(()), "and has its places again when they are stale");
    }

    #[test]
    fn no_call_waits_while_very_many_are_forgotten() {
        let replays = Replays::new(10_000);
        for number in 0..1000 {
            replays.take(asp(1), numbered(number), at(100), at(0)).unwrap();
        }
        let left = || replays.seen.lock().unwrap().messages.len();
        replays.take(asp(1), numbered(1000), at(300), at(200)).unwrap();
        assert_eq!(left(), 1000 - FORGOTTEN_AT_ONCE + 1);
        for number in 1001..1010 {
            replays.take(asp(1), numbered(number), at(300), at(200)).unwrap();
        }
        assert_eq!(left(), 10, "soon the others are gone, too");
    }

    #[test]
    fn a_replay_and_a_full_memory_are_told_apart() {
        assert_eq!(Error::from(NotTaken::Used).code(), "GSP661");
        assert_eq!(Error::from(NotTaken::Full).code(), "GSP025");
    }

    #[test]
    fn a_message_is_its_sender_its_timestamp_and_its_signature() {
        let one = message(&asp(1), "22112026101530", b"signature");
        assert_eq!(one, message(&asp(1), "22112026101530", b"signature"));
        for other in [
            message(&asp(2), "22112026101530", b"signature"),
            message(&asp(1), "22112026101531", b"signature"),
            message(&asp(1), "22112026101530", b"Signature"),
        ] {
            assert_ne!(one, other);
        }
    }
}
