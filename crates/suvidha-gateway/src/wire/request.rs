//! The reading side of a connection, its clock, and the way out for bytes.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::time::{Instant, Sleep, sleep_until};

use super::answer::Outgoing;
use super::head::{self, Framing, Head, HeadFault};
use super::{Socket, WireRules};
use crate::chunks::Chunks;

/// Room for a head, as most are.
const ROOM_FOR_HEADS: usize = 4 * 1024;
/// Room for a piece of a body.
const ROOM_FOR_BODIES: usize = 64 * 1024;

/// What tells an ASP that waits for it to send the body of its request.
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// How long a closed connection is still read from, so that an ASP that is still sending can read our answer
/// before its own bytes make the kernel reset the connection.
const LINGER: Duration = Duration::from_secs(2);

/// What comes after the calls so far.
pub(super) enum Next {
    Call(Box<Head>),
    Refused(HeadFault),
    /// Nothing: the connection ends.
    End,
}

/// One connection.
pub(super) struct Wire {
    socket: Socket,
    rules: WireRules,
    /// What was read and belongs to nobody yet.
    bytes: BytesMut,
    /// The room for it is, or was, more than heads need.
    has_grown: bool,
    rest: Rest,
    /// How much of `bytes` is known to hold no whole head.
    looked_at: usize,
    /// When the last answer was given.
    quiet_since: Instant,
    head_begun: Instant,
    patience: Pin<Box<Sleep>>,
    stall: Option<Pin<Box<Sleep>>>,
    is_stalled: bool,
    /// How much of [`CONTINUE`] is still to be sent before the body comes.
    leave: &'static [u8],
    /// Nothing that was written waits in memory; TLS may hold some of it back.
    is_flushed: bool,
    is_closing: bool,
    write_closed: bool,
}

/// What is still to be read of the request under way.
enum Rest {
    Nothing,
    Length(u64),
    Chunked(Chunks),
    /// Nobody can tell where the next request begins.
    Unclear,
}

impl Wire {
    pub(super) fn new(socket: Socket, rules: WireRules) -> Self {
        let now = Instant::now();
        Self {
            socket,
            rules,
            bytes: BytesMut::new(),
            has_grown: false,
            rest: Rest::Nothing,
            looked_at: 0,
            quiet_since: now,
            head_begun: now,
            patience: Box::pin(sleep_until(now + rules.keep_alive)),
            stall: None,
            is_stalled: false,
            leave: &[],
            is_flushed: true,
            is_closing: false,
            write_closed: false,
        }
    }

    /// Whether the request under way was read to its end.
    pub(super) fn is_read(&self) -> bool {
        matches!(self.rest, Rest::Nothing)
    }

    pub(super) fn declared(&self) -> Option<u64> {
        match self.rest {
            Rest::Nothing => Some(0),
            Rest::Length(left) => Some(left),
            Rest::Chunked(_) | Rest::Unclear => None,
        }
    }

    /// Whether part of a head is there. Line ends before one are none: some clients send them after a body.
    pub(super) fn head_has_begun(&self) -> bool {
        !matches!(self.bytes[..], [] | [b'\r'])
    }

    /// Takes away the line ends before a head, so that however many come cost no more than their number.
    fn skip_line_ends(&mut self) {
        loop {
            match self.bytes[..] {
                [b'\n', ..] => self.bytes.advance(1),
                [b'\r', b'\n', ..] => self.bytes.advance(2),
                _ => return,
            }
            self.looked_at = 0;
        }
    }

    /// Between calls, no more room is kept than most heads need.
    fn let_go_of_room(&mut self) {
        if self.bytes.is_empty() && std::mem::take(&mut self.has_grown) {
            self.bytes = BytesMut::new();
        }
    }

    /// The next head, when it is there or has had its time.
    pub(super) fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        loop {
            self.skip_line_ends();
            self.let_go_of_room();
            // Read from its start with every byte, a head that trickles in would cost its length squared.
            let fresh = &self.bytes[self.looked_at..];
            if fresh.contains(&b'\n') || self.bytes.len() > self.rules.head_bytes {
                match head::take(&mut self.bytes, self.rules.head_bytes, self.rules.headers) {
                    Ok(Some(head)) => return Poll::Ready(self.begin(head)),
                    Ok(None) => {}
                    Err(fault) => return Poll::Ready(self.refuse(fault)),
                }
            }
            self.looked_at = self.bytes.len();
            let had_begun = self.head_has_begun();
            match self.poll_read(cx, ROOM_FOR_HEADS) {
                Poll::Ready(Ok(1..)) if had_begun => {}
                Poll::Ready(Ok(1..)) => self.head_begun = Instant::now(),
                Poll::Ready(Ok(0)) if had_begun => {
                    let words = "The request ended in the middle of its headers.";
                    return Poll::Ready(self.refuse(HeadFault::Malformed(words)));
                }
                Poll::Ready(_) => return Poll::Ready(Next::End),
                Poll::Pending => {
                    ready!(self.poll_patience(cx, had_begun));
                    return Poll::Ready(if had_begun { self.refuse(HeadFault::TooSlow) } else { Next::End });
                }
            }
        }
    }

    fn begin(&mut self, head: Head) -> Next {
        self.looked_at = 0;
        self.rest = match head.framing {
            Framing::Length(0) => Rest::Nothing,
            Framing::Length(left) => Rest::Length(left),
            Framing::Chunked => Rest::Chunked(Chunks::default()),
        };
        self.leave = if head.waits_for_leave && !self.is_read() { CONTINUE } else { &[] };
        Next::Call(Box::new(head))
    }

    fn refuse(&mut self, fault: HeadFault) -> Next {
        self.rest = Rest::Unclear;
        Next::Refused(fault)
    }

    /// Nothing to read: has the ASP had its time?
    fn poll_patience(&mut self, cx: &mut Context<'_>, head_has_begun: bool) -> Poll<()> {
        let deadline = match head_has_begun {
            true => self.head_begun + self.rules.request_head,
            false => self.quiet_since + self.rules.keep_alive,
        };
        if self.patience.deadline() > deadline || self.patience.is_elapsed() {
            self.patience.as_mut().reset(deadline);
        }
        while self.patience.as_mut().poll(cx).is_ready() {
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
            self.patience.as_mut().reset(deadline);
        }
        Poll::Pending
    }

    /// The next piece of the body of the request under way; `None` at its end.
    pub(super) fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        loop {
            match self.piece() {
                Ok(None) if self.is_read() => return Poll::Ready(None),
                Ok(None) => {}
                piece => return Poll::Ready(piece.transpose()),
            }
            if let Err(error) = ready!(self.poll_leave(cx)) {
                return Poll::Ready(Some(Err(error)));
            }
            let room = match self.rest {
                Rest::Length(left) => usize::try_from(left).unwrap_or(usize::MAX).min(ROOM_FOR_BODIES),
                _ => ROOM_FOR_BODIES,
            };
            match ready!(self.poll_read(cx, room)) {
                Ok(1..) => {}
                Ok(0) => return Poll::Ready(Some(Err(self.lose_track(io::ErrorKind::UnexpectedEof)))),
                Err(error) => {
                    self.rest = Rest::Unclear;
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }

    /// What is there already of the body of the request under way.
    fn piece(&mut self) -> io::Result<Option<Bytes>> {
        match &mut self.rest {
            Rest::Nothing => Ok(None),
            Rest::Unclear => Err(io::ErrorKind::InvalidData.into()),
            Rest::Length(_) if self.bytes.is_empty() => Ok(None),
            Rest::Length(left) => {
                let take = usize::try_from(*left).map_or(self.bytes.len(), |left| left.min(self.bytes.len()));
                *left -= take as u64;
                if *left == 0 {
                    self.rest = Rest::Nothing;
                }
                Ok(Some(self.bytes.split_to(take).freeze()))
            }
            Rest::Chunked(chunks) => match chunks.next(&mut self.bytes) {
                Ok(piece) => {
                    if chunks.is_done() {
                        self.rest = Rest::Nothing;
                    }
                    Ok(piece)
                }
                Err(_) => Err(self.lose_track(io::ErrorKind::InvalidData)),
            },
        }
    }

    fn lose_track(&mut self, why: io::ErrorKind) -> io::Error {
        self.rest = Rest::Unclear;
        why.into()
    }

    /// Gives an ASP that waits for it leave to send its body.
    fn poll_leave(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.leave.is_empty() {
            let written = ready!(self.socket.poll_write(cx, &[io::IoSlice::new(self.leave)]))?;
            self.leave = &self.leave[written..];
            self.is_flushed = false;
        }
        self.poll_flush(cx)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_flushed {
            ready!(self.socket.poll_flush(cx))?;
            self.is_flushed = true;
        }
        Poll::Ready(Ok(()))
    }

    /// Whether the ASP has hung up on the call under way. A next request that comes meanwhile waits, and hides the end.
    pub(super) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.is_read() {
            return Poll::Pending;
        }
        loop {
            self.skip_line_ends();
            if !self.bytes.is_empty() {
                return Poll::Pending;
            }
            if !matches!(ready!(self.poll_read(cx, ROOM_FOR_HEADS)), Ok(1..)) {
                return Poll::Ready(());
            }
        }
    }

    /// Reads what there is; `room` is made where there is none.
    fn poll_read(&mut self, cx: &mut Context<'_>, room: usize) -> Poll<io::Result<usize>> {
        if self.bytes.capacity() == self.bytes.len() {
            self.bytes.reserve(room);
            self.has_grown |= self.bytes.capacity() > ROOM_FOR_HEADS;
        }
        self.socket.poll_read(cx, &mut self.bytes)
    }

    /// Sends what is to go out.
    pub(super) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        outgoing: &mut Outgoing,
    ) -> Poll<io::Result<()>> {
        let sent = self.poll_out(cx, outgoing);
        if sent.is_ready() {
            self.is_stalled = false;
            return sent;
        }
        let deadline = Instant::now() + self.rules.write_idle;
        let stall = self.stall.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if !std::mem::replace(&mut self.is_stalled, true) {
            stall.as_mut().reset(deadline);
        }
        ready!(stall.as_mut().poll(cx));
        self.socket.reset_on_close();
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn poll_out(&mut self, cx: &mut Context<'_>, outgoing: &mut Outgoing) -> Poll<io::Result<()>> {
        if outgoing.is_sent() && self.is_flushed {
            return Poll::Ready(Ok(()));
        }
        if self.leave.len() == CONTINUE.len() {
            // What has been answered needs no leave.
            self.leave = &[];
        }
        ready!(self.poll_leave(cx))?;
        while !outgoing.is_sent() {
            let written = ready!(self.socket.poll_write(cx, &outgoing.parts()))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            outgoing.advance(written);
            self.is_flushed = false;
            // Whoever takes some of it has not stalled.
            self.is_stalled = false;
        }
        ready!(self.poll_flush(cx))?;
        // Of the next head, part may be there already: it has not had its time.
        self.quiet_since = Instant::now();
        self.head_begun = self.quiet_since;
        Poll::Ready(Ok(()))
    }

    pub(super) fn reset_on_close(&self) {
        self.socket.reset_on_close();
    }

    /// Closes our side, and then reads on for a moment where the ASP has not finished sending.
    pub(super) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !std::mem::replace(&mut self.is_closing, true) {
            self.patience.as_mut().reset(Instant::now() + LINGER);
        }
        if !self.write_closed {
            // TLS has something to say yet, which an ASP that reads nothing may leave no room for.
            let Poll::Ready(closed) = self.socket.poll_shutdown(cx) else {
                ready!(self.patience.as_mut().poll(cx));
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            };
            closed?;
            self.write_closed = true;
        }
        if self.is_read() && !self.head_has_begun() {
            return Poll::Ready(Ok(()));
        }
        while self.patience.as_mut().poll(cx).is_pending() {
            self.bytes.clear();
            if ready!(self.poll_read(cx, ROOM_FOR_BODIES))? == 0 {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::Arc;

    use rcgen::{CertificateParams, KeyPair};
    use rustls::crypto::aws_lc_rs::default_provider;
    use rustls::{ClientConfig, RootCertStore, ServerConfig};
    use rustls_pki_types::PrivateKeyDer;
    use tokio::net::{TcpListener, TcpStream};
    use tokio::time::timeout;
    use tokio_rustls::{TlsAcceptor, TlsConnector};

    use super::*;

    fn block_on(story: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(story);
    }

    async fn connected() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let theirs = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (listener.accept().await.unwrap().0, theirs)
    }

    const RULES: WireRules = WireRules {
        head_bytes: 32 * 1024,
        headers: 100,
        request_head: Duration::from_secs(20),
        keep_alive: Duration::from_secs(20),
        write_idle: Duration::from_secs(20),
    };

    #[test]
    fn between_calls_no_room_for_bodies_is_kept() {
        block_on(async {
            let (ours, _theirs) = connected().await;
            let mut wire = Wire::new(Socket::Plain(ours), RULES);
            poll_fn(|cx| Poll::Ready(wire.poll_read(cx, ROOM_FOR_BODIES).is_pending())).await;
            assert!(wire.bytes.capacity() >= ROOM_FOR_BODIES);
            assert!(poll_fn(|cx| Poll::Ready(wire.poll_head(cx).is_pending())).await);
            assert!(wire.bytes.capacity() <= ROOM_FOR_HEADS);
        });
    }

    /// A connection over TLS whose other side reads nothing after the handshake.
    async fn with_tls() -> (Socket, impl Sized) {
        let (ours, theirs) = connected().await;
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["g".to_owned()]).unwrap().self_signed(&key).unwrap();
        let provider = Arc::new(default_provider());
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der().clone()).unwrap();
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = TlsConnector::from(Arc::new(client));
        let (ours, theirs) = tokio::join!(
            TlsAcceptor::from(Arc::new(server)).accept(ours),
            connector.connect("g".try_into().unwrap(), theirs),
        );
        (Socket::Tls(Box::new(ours.unwrap())), theirs.unwrap())
    }

    #[test]
    fn an_asp_that_leaves_no_room_for_the_end_is_not_waited_for() {
        block_on(async {
            let (socket, _theirs) = with_tls().await;
            let mut wire = Wire::new(socket, RULES);
            let much = [0; 64 * 1024];
            let mut is_full =
                |cx: &mut Context<'_>| match wire.socket.poll_write(cx, &[io::IoSlice::new(&much)]) {
                    Poll::Ready(written) => Poll::Ready(written.is_err()),
                    Poll::Pending => Poll::Ready(true),
                };
            while !poll_fn(&mut is_full).await {}
            let closed = timeout(10 * LINGER, poll_fn(|cx| wire.poll_close(cx)));
            assert!(closed.await.expect("it ends in time").is_err());
        });
    }
}
