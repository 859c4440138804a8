//! The bytes of one HTTP/1 connection, between the socket and hyper.
//!
//! It stands under hyper because hyper answers a malformed head by itself, drops a `Content-Length` that
//! contradicts a `Transfer-Encoding`, and closes without a word on a slow head. Here every head is judged
//! first. One that is refused is replaced by a harmless one, and the call that hyper makes of it finds the
//! refusal waiting in [`Line`]: so it is answered, logged and settled like every other call.

mod chunks;
mod head;

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_rustls::server::TlsStream;

use self::chunks::Chunks;
use self::head::Framing;
pub(crate) use self::head::HeadFault;

/// What hyper reads in place of a head that is refused.
const STAND_IN: &[u8] = b"GET / HTTP/1.1\r\nhost: refused\r\nconnection: close\r\n\r\n";

/// How long a closed connection is still read from, so that an ASP that is still sending can read our answer
/// before its own bytes make the kernel reset the connection.
const LINGER: Duration = Duration::from_secs(2);

/// A socket that can be closed so that the other side cannot take it for a clean end.
pub(crate) trait Socket: AsyncRead + AsyncWrite + Send + Unpin {
    /// Closing resets the connection from now on.
    fn reset_on_close(&self);
}

impl Socket for TcpStream {
    fn reset_on_close(&self) {
        // Fails on a socket that is closed already, which is as good.
        let _ = self.set_zero_linger();
    }
}

impl Socket for TlsStream<TcpStream> {
    fn reset_on_close(&self) {
        self.get_ref().0.reset_on_close();
    }
}

/// What one connection demands of its heads, and how long it waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WireRules {
    pub(crate) head_bytes: usize,
    pub(crate) headers: usize,
    pub(crate) request_head: Duration,
    pub(crate) keep_alive: Duration,
    pub(crate) write_idle: Duration,
}

/// What the calls of a connection and its [`Wire`] tell each other.
pub(crate) struct Line {
    born: Instant,
    calls_begun: AtomicU64,
    calls_ended: AtomicU64,
    /// Milliseconds after `born`.
    last_call_ended: AtomicU64,
    /// The head that is refused, counted from 1, and why.
    refused: Mutex<Option<(u64, HeadFault)>>,
    reset: AtomicBool,
}

impl Line {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            born: Instant::now(),
            calls_begun: AtomicU64::new(0),
            calls_ended: AtomicU64::new(0),
            last_call_ended: AtomicU64::new(0),
            refused: Mutex::new(None),
            reset: AtomicBool::new(false),
        })
    }

    /// A call begins; the second value is why its head was refused, if it was.
    pub(crate) fn begin(self: &Arc<Self>) -> (CallOnLine, Option<HeadFault>) {
        let ordinal = self.calls_begun.fetch_add(1, Ordering::Relaxed) + 1;
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let fault = refused.take_if(|(at, _)| *at == ordinal).map(|(_, fault)| fault);
        (CallOnLine(Arc::clone(self)), fault)
    }

    /// Since when there has been no call on the connection; `None` while there is one.
    pub(crate) fn quiet_since(&self) -> Option<Instant> {
        let busy = self.calls_begun.load(Ordering::Relaxed) != self.calls_ended.load(Ordering::Relaxed);
        let ended = Duration::from_millis(self.last_call_ended.load(Ordering::Relaxed));
        (!busy).then(|| self.born + ended)
    }
}

/// A call under way on a connection; dropped when the last byte of its answer is handed over.
pub(crate) struct CallOnLine(Arc<Line>);

impl CallOnLine {
    /// The answer breaks off here: the connection must not end as if it were whole.
    pub(crate) fn reset(&self) {
        self.0.reset.store(true, Ordering::Relaxed);
    }
}

impl Drop for CallOnLine {
    fn drop(&mut self) {
        let now = u64::try_from(self.0.born.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.last_call_ended.store(now, Ordering::Relaxed);
        self.0.calls_ended.fetch_add(1, Ordering::Relaxed);
    }
}

/// The connection, as hyper reads and writes it.
pub(crate) struct Wire<S: Socket> {
    socket: S,
    line: Arc<Line>,
    rules: WireRules,
    at: At,
    heads: u64,
    /// The beginning of a head whose rest has not come yet.
    held: Vec<u8>,
    /// Bytes that hyper may read and has not.
    judged: Vec<u8>,
    last_byte: Instant,
    head_begun: Instant,
    patience: Pin<Box<Sleep>>,
    stall: Option<Pin<Box<Sleep>>>,
    stalled: bool,
    write_closed: bool,
}

#[derive(Debug)]
enum At {
    Head,
    Body {
        left: u64,
    },
    Chunked(Chunks),
    /// A body that cannot go on; hyper reads what came before, and then an error.
    Broken,
    Refused,
}

impl<S: Socket> Wire<S> {
    pub(crate) fn new(socket: S, rules: WireRules) -> (Self, Arc<Line>) {
        let (line, now) = (Line::new(), Instant::now());
        let wire = Self {
            socket,
            line: Arc::clone(&line),
            rules,
            at: At::Head,
            heads: 0,
            held: Vec::new(),
            judged: Vec::new(),
            last_byte: now,
            head_begun: now,
            patience: Box::pin(sleep_until(now + rules.keep_alive)),
            stall: None,
            stalled: false,
            write_closed: false,
        };
        (wire, line)
    }

    /// Judges what was just read into `buf` after `before`, and takes back what hyper may not see yet.
    fn judge(&mut self, buf: &mut ReadBuf<'_>, before: usize) {
        if self.held.is_empty() {
            let fresh = &buf.filled()[before..];
            let passed = self.walk(fresh);
            if passed < fresh.len() && matches!(self.at, At::Head) {
                self.held.extend_from_slice(&fresh[passed..]);
                self.head_begun = self.last_byte;
            }
            buf.set_filled(before + passed);
        } else {
            let goes_on = self.head_has_begun();
            let fresh = &buf.filled()[before..];
            let mut bytes = std::mem::take(&mut self.held);
            bytes.extend_from_slice(fresh);
            let decides_nothing = goes_on && !fresh.contains(&b'\n') && bytes.len() <= self.rules.head_bytes;
            buf.set_filled(before);
            if decides_nothing {
                // Read from its start with every byte, a head that trickles in would cost its length squared.
                self.held = bytes;
                return;
            }
            let passed = self.walk(&bytes);
            if matches!(self.at, At::Head) {
                self.held = bytes.split_off(passed);
                if passed > 0 || !goes_on {
                    self.head_begun = self.last_byte;
                }
            }
            bytes.truncate(passed);
            self.judged.splice(0..0, bytes);
        }
    }

    /// Whether part of a head is held. Line ends before one are none: some clients send them after a body.
    fn head_has_begun(&self) -> bool {
        self.held.iter().any(|byte| !matches!(byte, b'\r' | b'\n'))
    }

    /// Goes through `bytes` message by message; says how many of them hyper may read now.
    fn walk(&mut self, bytes: &[u8]) -> usize {
        let mut passed = 0;
        while passed < bytes.len() {
            let rest = &bytes[passed..];
            match &mut self.at {
                At::Head => match head::judge(rest, self.rules.head_bytes, self.rules.headers) {
                    Ok(None) => break,
                    Ok(Some((length, framing))) => {
                        passed += length;
                        self.heads += 1;
                        self.at = match framing {
                            Framing::Length(0) => At::Head,
                            Framing::Length(left) => At::Body { left },
                            Framing::Chunked => At::Chunked(Chunks::default()),
                        };
                    }
                    Err(fault) => {
                        self.refuse(fault);
                        break;
                    }
                },
                At::Body { left } => {
                    let take = usize::try_from(*left).map_or(rest.len(), |left| left.min(rest.len()));
                    passed += take;
                    *left -= take as u64;
                    if *left == 0 {
                        self.at = At::Head;
                    }
                }
                At::Chunked(chunks) => {
                    let Ok((used, done)) = chunks.follow(rest) else {
                        self.at = At::Broken;
                        break;
                    };
                    passed += used;
                    if done {
                        self.at = At::Head;
                    }
                }
                At::Broken | At::Refused => break,
            }
        }
        passed
    }

    fn refuse(&mut self, fault: HeadFault) {
        let mut refused = self.line.refused.lock().unwrap_or_else(PoisonError::into_inner);
        *refused = Some((self.heads + 1, fault));
        self.at = At::Refused;
        self.held = Vec::new();
        self.judged.extend_from_slice(STAND_IN);
    }

    /// Nothing to read: has the ASP had its time? `Ready` when there is something to deliver after all, or
    /// the connection is to end.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !matches!(self.at, At::Head) {
            return Poll::Pending;
        }
        let deadline = match self.line.quiet_since() {
            Some(since) if self.head_has_begun() => self.head_begun.max(since) + self.rules.request_head,
            Some(since) => self.last_byte.max(since) + self.rules.keep_alive,
            // Nobody may ask again when the call ends: look then.
            None => Instant::now() + self.rules.keep_alive,
        };
        if self.patience.deadline() > deadline || self.patience.is_elapsed() {
            self.patience.as_mut().reset(deadline);
        }
        while self.patience.as_mut().poll(cx).is_ready() {
            if Instant::now() >= deadline {
                if self.head_has_begun() {
                    self.refuse(HeadFault::TooSlow);
                }
                return Poll::Ready(());
            }
            self.patience.as_mut().reset(deadline);
        }
        Poll::Pending
    }

    /// Gives a write its time: `written` is what the socket said.
    fn poll_stall<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = false;
            return written;
        }
        let deadline = Instant::now() + self.rules.write_idle;
        let stall = self.stall.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if !std::mem::replace(&mut self.stalled, true) {
            stall.as_mut().reset(deadline);
        }
        ready!(stall.as_mut().poll(cx));
        self.socket.reset_on_close();
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: Socket> AsyncRead for Wire<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        loop {
            if !this.judged.is_empty() {
                let now = this.judged.len().min(buf.remaining());
                buf.put_slice(&this.judged[..now]);
                this.judged.drain(..now);
                return Poll::Ready(Ok(()));
            }
            match this.at {
                At::Refused => return Poll::Pending,
                At::Broken => return Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
                _ => {}
            }
            match Pin::new(&mut this.socket).poll_read(cx, buf)? {
                Poll::Ready(()) if buf.filled().len() == before => {
                    if !this.head_has_begun() {
                        return Poll::Ready(Ok(()));
                    }
                    this.refuse(HeadFault::Malformed("The request ended in the middle of its headers."));
                }
                Poll::Ready(()) => {
                    this.last_byte = Instant::now();
                    this.judge(buf, before);
                    if buf.filled().len() > before {
                        return Poll::Ready(Ok(()));
                    }
                }
                Poll::Pending => {
                    ready!(this.poll_patience(cx));
                    if this.judged.is_empty() {
                        return Poll::Ready(Ok(()));
                    }
                }
            }
        }
    }
}

impl<S: Socket> AsyncWrite for Wire<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.socket).poll_write(cx, buf);
        this.poll_stall(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.socket).poll_write_vectored(cx, bufs);
        this.poll_stall(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.socket).poll_flush(cx);
        this.poll_stall(cx, flushed)
    }

    /// Closes our side, and then reads on for a moment where the ASP has not finished sending.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.write_closed {
            let closed = Pin::new(&mut this.socket).poll_shutdown(cx);
            ready!(this.poll_stall(cx, closed))?;
            this.write_closed = true;
            this.patience.as_mut().reset(Instant::now() + LINGER);
        }
        if matches!(this.at, At::Head) && !this.head_has_begun() {
            return Poll::Ready(Ok(()));
        }
        let mut scratch = [0; 8192];
        while this.patience.as_mut().poll(cx).is_pending() {
            let mut unread = ReadBuf::new(&mut scratch);
            ready!(Pin::new(&mut this.socket).poll_read(cx, &mut unread))?;
            if unread.filled().is_empty() {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: Socket> Drop for Wire<S> {
    fn drop(&mut self) {
        if self.line.reset.load(Ordering::Relaxed) {
            self.socket.reset_on_close();
        }
    }
}
