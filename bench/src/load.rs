//! The load: calls over connections that stay open, each sending its next call when the last is answered.

use std::net::SocketAddr;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use crate::Failure;

/// A request, ready to be sent.
pub(crate) type Prepared = Request<Full<Bytes>>;

type Connection = SendRequest<Full<Bytes>>;

/// Connections to one gateway, all served by the thread that calls.
pub(crate) struct Load {
    runtime: Runtime,
    connections: Vec<Connection>,
}

impl Load {
    /// Opens so many connections.
    pub(crate) fn connect(address: SocketAddr, connections: usize) -> Result<Self, Failure> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let connections = runtime.block_on(async {
            let mut opened = Vec::with_capacity(connections);
            for _ in 0..connections {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
                // A connection that breaks is told by the call on it.
                tokio::spawn(async { connection.await.unwrap_or_default() });
                opened.push(sender);
            }
            Ok::<_, Failure>(opened)
        })?;
        Ok(Self { runtime, connections })
    }

    /// Sends the requests, dealt out to the connections, and returns the bodies of the answers in the order of the requests.
    /// An answer of another status than `expected` ends it.
    pub(crate) fn run(
        &mut self,
        requests: Vec<Prepared>,
        expected: &'static [u16],
    ) -> Result<Vec<Bytes>, Failure> {
        let mut bodies = vec![Bytes::new(); requests.len()];
        let mut hands: Vec<Vec<_>> = self.connections.iter().map(|_| Vec::new()).collect();
        let connections = hands.len();
        for (index, request) in requests.into_iter().enumerate() {
            hands[index % connections].push((index, request));
        }
        self.runtime.block_on(async {
            let mut playing = JoinSet::new();
            for (connection, hand) in self.connections.drain(..).zip(hands) {
                playing.spawn(send_all(connection, hand, expected));
            }
            while let Some(played) = playing.join_next().await {
                let (connection, answered) = played??;
                self.connections.push(connection);
                for (index, body) in answered {
                    bodies[index] = body;
                }
            }
            Ok(bodies)
        })
    }
}

async fn send_all(
    mut connection: Connection,
    requests: Vec<(usize, Prepared)>,
    expected: &[u16],
) -> Result<(Connection, Vec<(usize, Bytes)>), String> {
    let mut answered = Vec::with_capacity(requests.len());
    for (index, request) in requests {
        let told = |error: hyper::Error| format!("a call was not answered: {error}");
        connection.ready().await.map_err(told)?;
        let (head, body) = connection.send_request(request).await.map_err(told)?.into_parts();
        let body = body.collect().await.map_err(told)?.to_bytes();
        if !expected.contains(&head.status.as_u16()) {
            return Err(format!(
                "expected {expected:?}, not {}: {}",
                head.status,
                String::from_utf8_lossy(&body)
            ));
        }
        answered.push((index, body));
    }
    Ok((connection, answered))
}
