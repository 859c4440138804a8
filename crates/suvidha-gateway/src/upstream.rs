//! GSTN as one environment reaches it: where it is, how we show who we are, and the connections kept to it.

mod exchange;
mod http1;
mod link;
mod pool;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gstn::Environment;
use http::uri::Scheme;
use http::{HeaderValue, Uri};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;

pub(crate) use self::exchange::{Answered, Exchange};
pub(crate) use self::http1::{Lines, Outgoing};
use self::link::{Counted, Io, Link};
use self::pool::Pool;
use crate::config::{self, Config, Timeouts};
use crate::error::{Error, Kind};
use crate::site::StartError;
use crate::tls;

/// GSTN as one environment reaches it.
pub(crate) struct Upstream {
    /// In lower case, for telling whether an answer's header gives it away.
    pub(crate) host: String,
    pub(crate) authority: HeaderValue,
    pub(crate) client_id: HeaderValue,
    pub(crate) client_secret: HeaderValue,
    port: u16,
    /// Goes before every path; without a slash at its end.
    prefix: String,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    /// One for each thread.
    pools: Vec<Pool>,
    /// How many connections there are, in the pools and with calls.
    open: Arc<AtomicUsize>,
}

impl Upstream {
    pub(crate) fn new(
        environment: Environment,
        own: &config::Upstream,
        config: &Config,
        threads: usize,
    ) -> Result<Self, StartError> {
        let address = Address::parse(environment, &own.url).map_err(|reason| StartError::UpstreamUrl {
            environment,
            url: without_userinfo(&own.url),
            reason,
        })?;
        let header = |what, value: &str| match HeaderValue::from_str(value) {
            Ok(value) if !value.is_empty() => Ok(value),
            _ => Err(StartError::UpstreamCredentials { environment, what }),
        };
        let mut client_secret = header("client_secret", own.client_secret.expose())?;
        client_secret.set_sensitive(true);
        let tls = match address.name {
            Some(name) => {
                let trust = tls::client_config(environment, own.ca_file.as_deref())?;
                Some((TlsConnector::from(trust), name))
            }
            None => None,
        };
        let idle = config.limits.upstream_idle_connections;
        let pools = (0..threads).map(|_| Pool::new(idle, config.timeouts.upstream_idle())).collect();
        Ok(Self {
            host: address.host,
            authority: address.authority,
            client_id: header("client_id", &own.client_id)?,
            client_secret,
            port: address.port,
            prefix: address.prefix,
            tls,
            pools,
            open: Arc::default(),
        })
    }

    /// Writes the request target for `path`, which begins with a slash.
    pub(crate) fn write_target(
        &self,
        head: &mut Vec<u8>,
        path: &str,
        query: Option<&str>,
    ) -> Result<(), Error> {
        let begin = head.len();
        for part in [&self.prefix, path].into_iter().chain(query.iter().flat_map(|query| ["?", query])) {
            head.extend_from_slice(part.as_bytes());
        }
        // Nothing in it may end the target, the line, or what a server takes for the path. All bytes are looked at, many at once.
        let ends = |byte: &u8| matches!(byte, 0..=b' ' | b'#' | 0x7f);
        match head[begin..].iter().fold(false, |ended, byte| ended | ends(byte)) {
            true => Err(Error::because(Kind::Internal, "the path or the query could be misread")),
            false => Ok(()),
        }
    }

    /// A connection that is still open, and was not idle for too long by `now`.
    async fn idle(&self, lane: usize, now: Instant) -> Option<Link> {
        self.pools[lane].take(now).await
    }

    async fn connect(&self, timeouts: &Timeouts) -> Result<Link, Error> {
        let connected = timeout(timeouts.connect(), async {
            let io = self.open().await?;
            Ok(Link::new(io, Counted::new(&self.open)))
        });
        connected.await.unwrap_or_else(|_| {
            Err(Error::because(Kind::GstnUnreachable, "no connection within timeouts.connect_ms"))
        })
    }

    async fn open(&self) -> Result<Io, Error> {
        let socket = TcpStream::connect((self.host.as_str(), self.port))
            .await
            .map_err(|error| Error::because(Kind::GstnUnreachable, error))?;
        // Small requests should not wait for one another; a socket that refuses this still works.
        let _ = socket.set_nodelay(true);
        let Some((connector, name)) = &self.tls else { return Ok(Io::Plain(socket)) };
        match connector.connect(name.clone(), socket).await {
            Ok(stream) => Ok(Io::Tls(Box::new(stream))),
            Err(error) => {
                let fault = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
                let distrusted = matches!(fault, Some(rustls::Error::InvalidCertificate(_)));
                let kind = if distrusted { Kind::GstnNotTrusted } else { Kind::GstnUnreachable };
                Err(Error::because(kind, error))
            }
        }
    }

    fn keep(&self, lane: usize, link: Link) {
        self.pools[lane].put(link);
    }

    /// How many connections there are, and how many of them are idle.
    pub(crate) fn connections(&self) -> (usize, usize) {
        let idle = self.pools.iter().map(Pool::len).sum();
        (self.open.load(Ordering::Relaxed), idle)
    }

    /// Closes the connections of `lane` that nobody has used for too long.
    pub(crate) fn prune(&self, lane: usize) {
        self.pools[lane].prune();
    }
}

/// A URL as an error may show it: somebody may have put a password in it.
fn without_userinfo(url: &str) -> String {
    url.rsplit_once('@').map_or_else(|| url.to_owned(), |(_, rest)| format!("…@{rest}"))
}

/// An upstream URL taken apart.
struct Address {
    host: String,
    port: u16,
    authority: HeaderValue,
    prefix: String,
    /// The name its certificate must bear; `None` without TLS.
    name: Option<ServerName<'static>>,
}

impl Address {
    fn parse(environment: Environment, url: &str) -> Result<Self, &'static str> {
        let uri: Uri = url.parse().map_err(|_| "it is not a URL")?;
        let authority = uri.authority().ok_or("it has no host")?;
        if authority.as_str().contains('@') {
            return Err("it must not carry credentials");
        }
        if uri.query().is_some() || url.contains('#') {
            return Err("it must end with its path");
        }
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_ascii_lowercase();
        if environment == Environment::Sandbox && Environment::of_host(&host) == Some(Environment::Production)
        {
            return Err("it is GSTN's production, to which the sandbox environment never leads");
        }
        let tls = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            _ => return Err("it must begin with https:// (or http:// for a sandbox)"),
        };
        let loopback =
            host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        if !tls && environment == Environment::Production && !loopback {
            return Err("production needs https://, for our client-secret travels with every call");
        }
        let name =
            ServerName::try_from(host.clone()).map_err(|_| "its host is no name that TLS can verify")?;
        Ok(Self {
            port: authority.port_u16().unwrap_or(if tls { 443 } else { 80 }),
            authority: HeaderValue::from_str(authority.as_str()).map_err(|_| "its host is malformed")?,
            prefix: uri.path().trim_end_matches('/').to_owned(),
            name: tls.then_some(name),
            host,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(environment: Environment, url: &str) -> Result<(String, u16, String), &'static str> {
        Address::parse(environment, url).map(|address| (address.host, address.port, address.prefix))
    }

    #[test]
    fn an_upstream_url_is_taken_apart() {
        let is = |host: &str, port, prefix: &str| Ok((host.to_owned(), port, prefix.to_owned()));
        assert_eq!(parse(Environment::Production, "https://API.gst.gov.in"), is("api.gst.gov.in", 443, ""));
        assert_eq!(parse(Environment::Sandbox, "http://10.1.2.3:81/gst/"), is("10.1.2.3", 81, "/gst"));
        assert_eq!(parse(Environment::Production, "http://[::1]:9"), is("::1", 9, ""));
    }

    #[test]
    fn an_upstream_url_that_cannot_be_meant_is_refused() {
        for url in ["", "api.gst.gov.in", "ftp://x", "https://a@x", "https://x/?a=b", "http://api.gst.gov.in"]
        {
            assert!(parse(Environment::Production, url).is_err(), "{url:?}");
        }
        assert!(parse(Environment::Sandbox, "https://Api.gst.gov.in").is_err(), "it is production");
    }
}
