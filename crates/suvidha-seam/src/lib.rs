//! The one seam through which time, randomness and identifiers enter Suvidha.
//!
//! Everything that asks "what time is it?" or "give me random bytes" does so through [`Clock`] and
//! [`Rng`], so that a test, or the sandbox, can hold them still. `clippy.toml` bans the other ways.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use aws_lc_rs::digest;
use aws_lc_rs::rand::SecureRandom;
use jiff::Timestamp;
use uuid::Uuid;

/// Wall-clock time.
pub trait Clock: Send + Sync {
    /// The current instant, UTC.
    fn now(&self) -> Timestamp;
}

/// Random bytes.
pub trait Rng: Send + Sync {
    /// Fills `out` with random bytes.
    fn fill(&self, out: &mut [u8]);

    /// Fills `out` with random bytes of an identifier, which nobody can foresee and everybody may see: they may come from
    /// a stock. Never for a secret.
    fn fill_public(&self, out: &mut [u8]) {
        self.fill(out);
    }
}

/// `N` random bytes.
pub fn random_bytes<const N: usize>(rng: &dyn Rng) -> [u8; N] {
    let mut bytes = [0; N];
    rng.fill(&mut bytes);
    bytes
}

/// A new UUIDv7: ordered by time, unique by randomness.
pub fn uuid_v7(clock: &dyn Clock, rng: &dyn Rng) -> Uuid {
    uuid_v7_at(clock.now(), rng)
}

fn uuid_v7_at(at: Timestamp, rng: &dyn Rng) -> Uuid {
    let millis = u64::try_from(at.as_millisecond()).unwrap_or(0);
    let mut random = [0; 10];
    rng.fill_public(&mut random);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

/// The clock and the randomness of a process, handed to whoever needs them.
#[derive(Clone)]
pub struct Seam {
    /// Wall-clock time.
    pub clock: Arc<dyn Clock>,
    /// Random bytes.
    pub rng: Arc<dyn Rng>,
}

impl Seam {
    /// The real thing: the operating system's clock and randomness.
    pub fn system() -> Self {
        Self { clock: Arc::new(SystemClock), rng: Arc::new(SystemRng) }
    }

    /// The current instant, UTC.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// `N` random bytes.
    pub fn random<const N: usize>(&self) -> [u8; N] {
        random_bytes(&*self.rng)
    }

    /// `N` random bytes of an identifier: see [`Rng::fill_public`].
    pub fn random_public<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.rng.fill_public(&mut bytes);
        bytes
    }

    /// A new UUIDv7.
    pub fn uuid(&self) -> Uuid {
        uuid_v7(&*self.clock, &*self.rng)
    }

    /// A new UUIDv7 of a time that is known already.
    pub fn uuid_at(&self, at: Timestamp) -> Uuid {
        uuid_v7_at(at, &*self.rng)
    }
}

/// The operating system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the seam")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// The operating system's randomness, by way of aws-lc-rs.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRng;

impl Rng for SystemRng {
    fn fill(&self, out: &mut [u8]) {
        #[expect(clippy::expect_used, reason = "a machine without randomness cannot run a GSP")]
        aws_lc_rs::rand::SystemRandom::new().fill(out).expect("the operating system gives random bytes");
    }

    fn fill_public(&self, out: &mut [u8]) {
        STOCK.with_borrow_mut(|stock| stock.give(out));
    }
}

/// Random bytes that a thread has got in advance: every request has its price, nearly 2 µs, whatever its length.
struct Stock {
    bytes: [u8; 1024],
    given: usize,
}

thread_local! {
    static STOCK: RefCell<Stock> = const { RefCell::new(Stock { bytes: [0; 1024], given: 1024 }) };
}

impl Stock {
    /// Fills `out` with bytes that were never given before.
    fn give(&mut self, out: &mut [u8]) {
        for piece in out.chunks_mut(self.bytes.len()) {
            if self.bytes.len() - self.given < piece.len() {
                SystemRng.fill(&mut self.bytes);
                self.given = 0;
            }
            let end = self.given + piece.len();
            piece.copy_from_slice(&self.bytes[self.given..end]);
            self.given = end;
        }
    }
}

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock standing at `at`.
    pub fn at(at: Timestamp) -> Self {
        Self(AtomicI64::new(at.as_millisecond()))
    }

    /// Moves the clock; a negative `milliseconds` moves it back.
    pub fn advance(&self, milliseconds: i64) {
        self.0.fetch_add(milliseconds, Ordering::SeqCst);
    }

    /// Puts the clock at `at`.
    pub fn set(&self, at: Timestamp) {
        self.0.store(at.as_millisecond(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.0.load(Ordering::SeqCst)).unwrap_or(Timestamp::MAX)
    }
}

/// Repeatable randomness for tests: SHA-256 over a seed and a counter. Never for a real secret.
#[derive(Debug)]
pub struct SeededRng {
    seed: u64,
    block: AtomicU64,
}

impl SeededRng {
    /// The stream that belongs to `seed`.
    pub fn new(seed: u64) -> Self {
        Self { seed, block: AtomicU64::new(0) }
    }
}

impl Rng for SeededRng {
    fn fill(&self, out: &mut [u8]) {
        for chunk in out.chunks_mut(32) {
            let mut input = [0; 16];
            input[..8].copy_from_slice(&self.seed.to_be_bytes());
            input[8..].copy_from_slice(&self.block.fetch_add(1, Ordering::SeqCst).to_be_bytes());
            chunk.copy_from_slice(&digest::digest(&digest::SHA256, &input).as_ref()[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn uuids_follow_the_clock_and_differ_by_randomness() {
        let clock = ManualClock::at("2026-11-22T10:15:30Z".parse().unwrap());
        let rng = SeededRng::new(1);
        let (first, second) = (uuid_v7(&clock, &rng), uuid_v7(&clock, &rng));
        assert_ne!(first, second);
        assert_eq!(first.get_version_num(), 7);
        clock.advance(1);
        assert!(uuid_v7(&clock, &rng) > first.max(second));
    }

    #[test]
    fn a_seed_gives_the_same_bytes_again() {
        let bytes = |seed| random_bytes::<40>(&SeededRng::new(seed));
        assert_eq!(bytes(7), bytes(7));
        assert_ne!(bytes(7), bytes(8));
        assert_ne!(random_bytes::<32>(&SystemRng), random_bytes::<32>(&SystemRng));
    }

    #[test]
    fn a_stock_gives_no_byte_twice() {
        let draw = || {
            let seam = Seam::system();
            (0..10_000).map(|_| seam.random_public::<10>()).collect::<Vec<_>>()
        };
        let threads = [(); 2].map(|()| std::thread::spawn(draw));
        let drawn = threads.into_iter().flat_map(|thread| thread.join().unwrap());
        assert_eq!(drawn.collect::<HashSet<_>>().len(), 20_000);
        let mut long = [0; 5000];
        SystemRng.fill_public(&mut long);
        let pieces: HashSet<_> = long.chunks_exact(10).collect();
        assert_eq!(pieces.len(), 500);
    }

    #[test]
    fn a_seed_holds_identifiers_too() {
        let id = |seed| {
            let seam = Seam { clock: Arc::new(SystemClock), rng: Arc::new(SeededRng::new(seed)) };
            (seam.random_public::<16>(), seam.uuid_at(Timestamp::UNIX_EPOCH))
        };
        assert_eq!(id(3), id(3));
        assert_ne!(id(3), id(4));
    }
}
