//! One thread: a runtime of its own, a listener for each environment, and the connections that the kernel gives
//! it. Threads share no connection and hand nothing over to each other.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ServerConfig;
use socket2::{Domain, Protocol, Socket as RawSocket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{interval, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::{debug, warn};

use crate::body::Incoming;
use crate::pipeline::{Visit, answer};
use crate::plane::Door;
use crate::site::Site;
use crate::streams::Streams;
use crate::wire::{self, Socket, WireRules};

const BACKLOG: i32 = 1024;

/// How many calls one HTTP/2 connection may have under way.
const STREAMS: u32 = 100;

/// How often an HTTP/2 client with calls under way is asked whether it still lives.
const PING: Duration = Duration::from_secs(30);

/// How long an HTTP/2 client may take, after its last call, to confirm that the connection ends.
const FAREWELL: Duration = Duration::from_secs(10);

/// How far a running data plane is on its way to rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Open,
    /// No new connections; those there are end with the call they carry.
    Closing,
    /// Whatever is left ends now.
    Over,
}

/// Opens one listener for each thread, all on the same address; with port 0, on whichever the first one got.
pub(crate) fn listen(address: SocketAddr, threads: usize) -> io::Result<(SocketAddr, Vec<StdListener>)> {
    let first = listen_once(address)?;
    let address = first.local_addr()?;
    let others = (1..threads).map(|_| listen_once(address));
    let listeners = std::iter::once(Ok(first)).chain(others).collect::<io::Result<_>>()?;
    Ok((address, listeners))
}

fn listen_once(address: SocketAddr) -> io::Result<StdListener> {
    let socket = RawSocket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Serves until the phase says otherwise. Dropping the future ends, and settles, every call there is.
pub(crate) async fn serve(
    lane: usize,
    doors: Vec<(Arc<Door>, StdListener)>,
    phase: watch::Receiver<Phase>,
) -> io::Result<()> {
    let (alive, mut all_gone) = mpsc::channel::<Infallible>(1);
    let mut entrances = Vec::new();
    for (door, listener) in doors {
        let listener = TcpListener::from_std(listener)?;
        let entrance = Entrance { door, lane, phase: phase.clone(), _alive: alive.clone() };
        let door = Arc::clone(&entrance.door);
        entrances.push(Arc::clone(&door));
        tokio::spawn(entrance.accept(listener));
        tokio::spawn(async move {
            if let Some(recorder) = &door.recorder {
                recorder.wake(lane).await;
            }
        });
    }
    drop(alive);
    let mut over = phase;
    let mut every_second = interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            _ = all_gone.recv() => return Ok(()),
            _ = over.wait_for(|phase| *phase == Phase::Over) => return Ok(()),
            _ = every_second.tick() => entrances.iter().for_each(|door| door.site.load().prune(lane)),
        }
    }
}

/// One environment's listener on one thread, and what its connections need.
#[derive(Clone)]
struct Entrance {
    door: Arc<Door>,
    lane: usize,
    phase: watch::Receiver<Phase>,
    /// Held by everything that must end before the thread may.
    _alive: mpsc::Sender<Infallible>,
}

impl Entrance {
    async fn accept(mut self, listener: TcpListener) {
        loop {
            let door = Arc::clone(&self.door);
            let accepted = tokio::select! {
                _ = self.phase.wait_for(|phase| *phase != Phase::Open) => return,
                accepted = async {
                    door.room().await;
                    listener.accept().await
                } => accepted,
            };
            match accepted {
                Ok((socket, peer)) => {
                    let held = door.hold();
                    let welcome = self.clone().welcome(socket, peer);
                    tokio::spawn(async move {
                        welcome.await;
                        drop(held);
                    });
                }
                Err(error) => {
                    // Out of file descriptors, most likely; some will be free again in a moment.
                    warn!(target: "suvidha::gateway", %error, "cannot accept a connection");
                    sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    async fn welcome(mut self, socket: TcpStream, peer: SocketAddr) {
        // Small answers should not wait for one another; a socket that refuses this still works.
        let _ = socket.set_nodelay(true);
        let site = self.door.site.load_full();
        let visit =
            Arc::new(Visit { door: Arc::clone(&self.door), peer: peer.ip().to_canonical(), lane: self.lane });
        let socket = match &site.tls {
            None => Socket::Plain(socket),
            Some(config) => match self.shake_hands(socket, config, site.timeouts.request_head()).await {
                Ok(stream) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => {
                    return Box::pin(self.serve_http2(stream, visit, &site)).await;
                }
                Ok(stream) => Socket::Tls(Box::new(stream)),
                Err(error) => return debug!(target: "suvidha::gateway", %error, "no TLS handshake"),
            },
        };
        let rules = WireRules {
            head_bytes: site.limits.head_bytes,
            headers: site.limits.headers,
            request_head: site.timeouts.request_head(),
            keep_alive: site.timeouts.keep_alive(),
            write_idle: site.timeouts.answer_write_idle(),
        };
        // A connection lives longer than the configuration that it began under.
        drop(site);
        if let Err(error) = wire::serve(socket, rules, visit, self.phase).await {
            debug!(target: "suvidha::gateway", %error, "a connection ended early");
        }
    }

    async fn shake_hands(
        &mut self,
        socket: TcpStream,
        config: &Arc<ServerConfig>,
        patience: Duration,
    ) -> io::Result<TlsStream<TcpStream>> {
        let handshake = TlsAcceptor::from(Arc::clone(config)).accept(socket);
        tokio::select! {
            stream = timeout(patience, handshake) => stream?,
            _ = self.phase.wait_for(|phase| *phase != Phase::Open) => Err(io::ErrorKind::ConnectionAborted.into()),
        }
    }

    async fn serve_http2(mut self, stream: TlsStream<TcpStream>, visit: Arc<Visit>, site: &Site) {
        let streams = Streams::new();
        let calls = Arc::clone(&streams);
        let service = service_fn(move |request: Request<_>| {
            let (visit, on_stream) = (Arc::clone(&visit), calls.begin());
            let (head, body) = request.into_parts();
            async move {
                let body = Incoming::OnStream(body);
                Ok::<_, Infallible>(answer(&visit, head, body, Some(on_stream), None).await)
            }
        });
        // Beyond this, the HTTP/2 library refuses by itself; up to it, we do, and say why.
        let most = u32::try_from(site.limits.head_bytes.saturating_mul(4)).unwrap_or(u32::MAX);
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(PING)
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(most)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let ended = |served: hyper::Result<()>| {
            if let Err(error) = served {
                debug!(target: "suvidha::gateway", %error, "a connection ended early");
            }
        };
        tokio::select! {
            biased;
            served = connection.as_mut() => return ended(served),
            _ = self.phase.wait_for(|phase| *phase != Phase::Open) => {}
            () = streams.quiet(site.timeouts.keep_alive()) => {}
        }
        connection.as_mut().graceful_shutdown();
        tokio::select! {
            served = connection => ended(served),
            () = streams.quiet(FAREWELL.min(site.timeouts.keep_alive())) => {}
        }
    }
}
