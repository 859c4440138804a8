//! The calls under way on one HTTP/2 connection, counted, so that a connection without any can be closed in time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

pub(crate) struct Streams {
    born: Instant,
    begun: AtomicU64,
    ended: AtomicU64,
    /// Milliseconds after `born`.
    last_ended: AtomicU64,
}

impl Streams {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            born: Instant::now(),
            begun: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            last_ended: AtomicU64::new(0),
        })
    }

    /// A call begins. It ends when what this gives is dropped.
    pub(crate) fn begin(self: &Arc<Self>) -> CallOnStream {
        self.begun.fetch_add(1, Ordering::Relaxed);
        CallOnStream(Arc::clone(self))
    }

    /// Ends when there has been no call for `keep_alive`.
    pub(crate) async fn quiet(&self, keep_alive: Duration) {
        let mut look_again = Instant::now() + keep_alive;
        loop {
            sleep_until(look_again).await;
            match self.quiet_since() {
                Some(since) if since.elapsed() >= keep_alive => return,
                Some(since) => look_again = since + keep_alive,
                None => look_again = Instant::now() + keep_alive,
            }
        }
    }

    /// Since when there has been no call; `None` while there is one.
    fn quiet_since(&self) -> Option<Instant> {
        let busy = self.begun.load(Ordering::Relaxed) != self.ended.load(Ordering::Relaxed);
        let ended = Duration::from_millis(self.last_ended.load(Ordering::Relaxed));
        (!busy).then(|| self.born + ended)
    }
}

/// A call under way; dropped when the last byte of its answer is handed over.
pub(crate) struct CallOnStream(Arc<Streams>);

impl Drop for CallOnStream {
    fn drop(&mut self) {
        let now = u64::try_from(self.0.born.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.last_ended.store(now, Ordering::Relaxed);
        self.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}
