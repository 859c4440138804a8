//! A connection to GSTN: its bytes, and the one timer that watches over whoever waits for them.

use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_rustls::client::TlsStream;

/// Room for most answers, and for all heads that are not out of the ordinary.
const USUAL_READ: usize = 8 * 1024;

/// So much is read at once at most.
const LONGEST_READ: usize = 128 * 1024;

/// Of a long answer, less than this is not given while more is there: each piece is a write to the ASP, which wakes it.
const SHORT_PIECE: usize = 16 * 1024;

/// A byte stream to GSTN, with or without TLS.
pub(super) enum Io {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Io {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Io {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// Counts a connection for as long as it is there.
pub(super) struct Counted(Arc<AtomicUsize>);

impl Counted {
    pub(super) fn new(open: &Arc<AtomicUsize>) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(open))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection to GSTN.
pub(super) struct Link {
    pub(super) io: Io,
    /// What is being read, and the room for it, which later calls use again.
    pub(super) read: BytesMut,
    /// What was read and is not used yet. It is empty while no answer is being read.
    pub(super) ahead: Bytes,
    pub(super) alarm: Alarm,
    /// The last read took all the room there was: there may be more to come.
    is_busy: bool,
    /// The room is, or was, more than the usual.
    has_grown: bool,
    _counted: Counted,
}

impl Link {
    pub(super) fn new(io: Io, counted: Counted) -> Self {
        Self {
            io,
            read: BytesMut::new(),
            ahead: Bytes::new(),
            alarm: Alarm::default(),
            is_busy: false,
            has_grown: false,
            _counted: counted,
        }
    }

    /// Reads on into `read`, where there will be room for `room` bytes, or for as many as are read at once at most. Zero:
    /// the connection was closed.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, room: usize) -> Poll<io::Result<usize>> {
        let room = room.clamp(USUAL_READ / 4, LONGEST_READ);
        // Where nothing is held, the room is free again as soon as what was read into it is sent.
        let enough = if self.read.is_empty() { room } else { room.min(SHORT_PIECE) };
        if self.read.capacity() - self.read.len() < enough {
            self.read.reserve(room.max(USUAL_READ));
            self.has_grown |= room > USUAL_READ;
        }
        pin!(self.io.read_buf(&mut self.read)).poll(cx)
    }

    /// Reads until `least` bytes are `ahead`; `rest` is how many are expected, if that is known. `false`: the connection was
    /// closed before.
    pub(super) fn poll_ahead(
        &mut self,
        cx: &mut Context<'_>,
        rest: Option<u64>,
        least: usize,
    ) -> Poll<io::Result<bool>> {
        let usual = if self.is_busy { LONGEST_READ } else { USUAL_READ / 4 };
        // With room for one byte more, one read tells that there are no more.
        let rest = rest.map_or(usual, |rest| usize::try_from(rest).unwrap_or(LONGEST_READ).saturating_add(1));
        if !self.ahead.is_empty() {
            self.read = BytesMut::with_capacity(rest.min(LONGEST_READ) + USUAL_READ / 4);
            self.has_grown = true;
            self.read.extend_from_slice(&std::mem::take(&mut self.ahead));
        }
        loop {
            let read = ready!(self.poll_read(cx, rest.saturating_sub(self.read.len())))?;
            if read == 0 {
                return Poll::Ready(Ok(false));
            }
            self.is_busy = self.read.len() == self.read.capacity();
            if self.read.len() >= least {
                self.ahead = self.read.split().freeze();
                return Poll::Ready(Ok(true));
            }
        }
    }

    /// Adds to a short piece that is `ahead` what else is there of the `rest`.
    pub(super) fn top_up(&mut self, cx: &mut Context<'_>, rest: u64) -> io::Result<()> {
        let there = self.ahead.len();
        if there == 0 || there >= SHORT_PIECE || rest <= there as u64 {
            return Ok(());
        }
        let more = self.poll_ahead(cx, Some(rest), there + 1);
        if self.ahead.is_empty() {
            self.ahead = self.read.split().freeze();
        }
        // That the connection is closed, the next read tells again.
        if let Poll::Ready(Err(error)) = more { Err(error) } else { Ok(()) }
    }

    /// Whether nothing has come on it that nobody asked for, nor its end.
    pub(super) fn is_usable(&mut self, cx: &mut Context<'_>) -> bool {
        self.ahead.is_empty() && self.read.is_empty() && self.poll_read(cx, 1).is_pending()
    }

    /// It will not be used for a while.
    pub(super) fn rest(&mut self) {
        self.alarm.rest();
        // Even empty, it would keep the room that it was read into.
        self.ahead = Bytes::new();
        // A room for long answers is not kept for those that may come, even where only its end is left of it.
        if std::mem::take(&mut self.has_grown) {
            self.read = BytesMut::new();
        }
        self.is_busy = false;
    }
}

/// Wakes who waits, when it is time.
///
/// It stays with its connection and is set anew only when it goes off too early, once in many calls.
#[derive(Default)]
pub(super) struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Ready when it is `deadline`.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        while sleep.as_mut().poll(cx).is_ready() {
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
        Poll::Pending
    }

    /// Nobody waits any more: whoever did is let go of.
    fn rest(&mut self) {
        if let Some(sleep) = &mut self.0 {
            let _ = sleep.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use bytes::Buf as _;
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;

    pub(in crate::upstream) fn block_on(story: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(story);
    }

    /// A connection, and its other end.
    pub(in crate::upstream) async fn linked() -> (Link, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let theirs = listener.accept().await.unwrap().0;
        (Link::new(Io::Plain(ours), Counted::new(&Arc::default())), theirs)
    }

    async fn becomes_unusable(link: &mut Link) {
        let unusable = poll_fn(|cx| if link.is_usable(cx) { Poll::Pending } else { Poll::Ready(()) });
        tokio::time::timeout(Duration::from_secs(20), unusable).await.expect("it is still taken for usable");
    }

    #[test]
    fn a_connection_is_used_again_only_while_nothing_comes_on_it() {
        block_on(async {
            let (mut link, mut theirs) = linked().await;
            assert!(poll_fn(|cx| Poll::Ready(link.is_usable(cx))).await);
            theirs.write_all(b"HTTP/1.1 408 Request Timeout\r\n\r\n").await.unwrap();
            becomes_unusable(&mut link).await;
            let (mut link, theirs) = linked().await;
            drop(theirs);
            becomes_unusable(&mut link).await;
        });
    }

    #[test]
    fn nothing_is_kept_of_an_answer_that_is_over() {
        block_on(async {
            let (mut link, _theirs) = linked().await;
            let answer = Bytes::from(vec![b'a'; 100]);
            link.ahead = answer.clone();
            link.ahead.advance(100);
            link.rest();
            assert!(answer.is_unique());
        });
    }

    #[test]
    fn as_much_is_read_as_is_asked_for() {
        block_on(async {
            let (mut link, mut theirs) = linked().await;
            for length in [1, 5_000, 60_000] {
                theirs.write_all(&vec![b'a'; length]).await.unwrap();
                link.ahead = Bytes::from_static(b"before");
                let least = length + 6;
                let there = poll_fn(|cx| link.poll_ahead(cx, Some(least as u64), least)).await.unwrap();
                assert!(there && link.ahead.len() == least && link.ahead.starts_with(b"beforea"));
                link.ahead.clear();
            }
            drop(theirs);
            assert!(!poll_fn(|cx| link.poll_ahead(cx, None, 1)).await.unwrap());
        });
    }

    #[test]
    fn a_short_piece_takes_along_what_else_is_there_and_waits_for_nothing() {
        block_on(async {
            let (mut link, mut theirs) = linked().await;
            link.ahead = Bytes::from_static(b"before");
            poll_fn(|cx| Poll::Ready(link.top_up(cx, 100))).await.unwrap();
            assert_eq!((&link.ahead[..], link.read.len()), (&b"before"[..], 0));
            theirs.write_all(b"after").await.unwrap();
            let more = poll_fn(|cx| match link.top_up(cx, 100) {
                Ok(()) if link.ahead.len() == 6 => Poll::Pending,
                other => Poll::Ready(other),
            });
            tokio::time::timeout(Duration::from_secs(20), more).await.expect("it never comes").unwrap();
            assert_eq!(link.ahead, "beforeafter");
            drop(theirs);
            // Its end is for the next read to tell.
            poll_fn(|cx| Poll::Ready(link.top_up(cx, 100))).await.unwrap();
            assert_eq!(link.ahead, "beforeafter");
        });
    }

    #[test]
    fn the_alarm_goes_off_when_it_was_set_last_and_not_before() {
        block_on(async {
            let mut alarm = Alarm::default();
            let mut cx = Context::from_waker(Waker::noop());
            let far = Instant::now() + Duration::from_secs(3600);
            assert!(alarm.poll(&mut cx, far).is_pending());
            let near = Instant::now() + Duration::from_millis(20);
            poll_fn(|cx| alarm.poll(cx, near)).await;
            assert!(Instant::now() >= near, "earlier than before");
            let next = Instant::now() + Duration::from_millis(20);
            poll_fn(|cx| alarm.poll(cx, next)).await;
            assert!(Instant::now() >= next, "again");
            assert!(alarm.poll(&mut cx, far).is_pending());
        });
    }
}
