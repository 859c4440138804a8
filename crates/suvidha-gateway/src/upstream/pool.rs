//! Idle connections to GSTN, of one thread.

use std::future::poll_fn;
use std::sync::{Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tokio::time::Instant;

use super::link::Link;

/// The newest is used first, so that what is not needed grows old and is closed.
pub(super) struct Pool {
    idle: Mutex<Vec<(Link, Instant)>>,
    most: usize,
    longest: Duration,
}

impl Pool {
    pub(super) fn new(most: usize, longest: Duration) -> Self {
        Self { idle: Mutex::new(Vec::new()), most, longest }
    }

    /// A connection that GSTN has not closed, as far as can be known without sending.
    pub(super) async fn take(&self, now: Instant) -> Option<Link> {
        poll_fn(|cx| {
            while let Some((mut link, since)) = self.lock().pop() {
                if now.duration_since(since) < self.longest && link.is_usable(cx) {
                    return Poll::Ready(Some(link));
                }
            }
            Poll::Ready(None)
        })
        .await
    }

    pub(super) fn put(&self, link: Link) {
        let mut idle = self.lock();
        if idle.len() < self.most {
            idle.push((link, Instant::now()));
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Closes what has been idle for too long.
    pub(super) fn prune(&self) {
        self.lock().retain(|(_, since)| since.elapsed() < self.longest);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(Link, Instant)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
