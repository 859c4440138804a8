//! How each contestant is started: its configuration, from `bench/peers/`, and its command.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use gstn::crypto::sha256_hex;

use super::call::{Api, Calls};
use super::contestant::{By, Contestant, Kind, Ledger, Running};
use super::field::Field;
use super::server::{Server, filled};
use crate::Failure;
use crate::asps::{Asp, Asps, Identity};
use crate::gateway::{Gateway, Program, Setup, free_address};
use crate::process::pinned;
use crate::tools::{Tool, nginx_modules};

const NGINX: &str = include_str!("../../peers/nginx.conf");
const NGINX_LUA: &str = include_str!("../../peers/nginx-lua.conf");
const NGINX_LUA_INIT: &str = include_str!("../../peers/nginx-lua-init.lua");
const NGINX_LUA_ACCESS: &str = include_str!("../../peers/nginx-lua-access.lua");
const HAPROXY: &str = include_str!("../../peers/haproxy.cfg");
const ENVOY: &str = include_str!("../../peers/envoy.yaml");
const ENVOY_SERVER_TLS: &str = include_str!("../../peers/envoy-server-tls.yaml");
const ENVOY_UPSTREAM_TLS: &str = include_str!("../../peers/envoy-upstream-tls.yaml");
const SUVIDHA: &str = include_str!("../../peers/suvidha.toml");

/// More calls in a second than anybody manages.
const NO_LIMIT: u32 = 1_000_000;

/// What all contestants of a scenario have in common.
pub(crate) struct Scene<'a> {
    pub(crate) field: &'a Field,
    pub(crate) upstream: SocketAddr,
    /// On both sides.
    pub(crate) tls: bool,
    /// Connections that are kept to the upstream.
    pub(crate) connections: usize,
    pub(crate) asps: &'a Asps,
    pub(crate) stranger: &'a Asp,
    pub(crate) sessions: &'a [Identity],
    pub(crate) stranger_session: &'a Identity,
    pub(crate) api: Api,
    /// What a contestant may use.
    pub(crate) cores: Option<&'static str>,
    /// Threads of the gateway; 0: one per core. The others have one worker always.
    pub(crate) threads: usize,
}

impl Scene<'_> {
    /// Starts a contestant.
    pub(crate) fn start(&self, kind: Kind) -> Result<Contestant, Failure> {
        let room = self.field.room(kind.name())?;
        let by_session = matches!(kind, Kind::Suvidha(By::Session, _));
        let identities = match kind {
            _ if by_session => self.sessions.to_vec(),
            _ => self.asps.all.iter().map(Asp::by_token).collect(),
        };
        let stranger = if by_session { self.stranger_session.clone() } else { self.stranger.by_token() };
        let (address, running) = match kind {
            Kind::Direct => (self.upstream, Running::Upstream),
            Kind::Suvidha(_, ledger) => {
                let gateway = self.suvidha(ledger)?;
                (gateway.address, Running::Gateway(gateway))
            }
            _ => {
                let listen = free_address()?;
                (listen, Running::Server(self.peer(kind, &room, listen)?))
            }
        };
        let scheme = if self.tls { "https" } else { "http" };
        let calls = Calls { api: self.api, identities };
        let base = format!("{scheme}://{address}");
        Ok(Contestant { kind, base, calls, stranger, running, room })
    }

    fn peer(&self, kind: Kind, room: &Path, listen: SocketAddr) -> Result<Server, Failure> {
        let binary = kind.tool().ok_or("no program of others")?.required()?;
        let mut command = pinned(self.cores, binary);
        match kind {
            Kind::Haproxy => {
                let config = self.haproxy(room, listen)?;
                // Master and worker, as a service has them: that way it can reload.
                command.args(["-W", "-db", "-f"]).arg(config);
            }
            Kind::Envoy => {
                let config = self.envoy(room, listen)?;
                command.args(["--concurrency", "1", "--disable-hot-restart", "--log-level", "error"]);
                command.arg("--config-path").arg(config);
            }
            _ => {
                let config = self.nginx(kind, room, listen)?;
                command = pinned(self.cores, Tool::Nginx.required()?);
                command.arg("-p").arg(room).arg("-c").arg(config);
            }
        }
        Server::start(command, room, listen)
    }

    fn nginx(&self, kind: Kind, room: &Path, listen: SocketAddr) -> Result<PathBuf, Failure> {
        let field = self.field;
        let certificates = format!(
            "ssl_certificate {}; ssl_certificate_key {}; ssl_protocols TLSv1.2 TLSv1.3;",
            field.certificate("server.pem"),
            field.certificate("server-key.pem")
        );
        let authority = format!(
            "proxy_ssl_verify on; proxy_ssl_trusted_certificate {}; proxy_ssl_name localhost; proxy_ssl_server_name on; \
             proxy_ssl_protocols TLSv1.2 TLSv1.3;",
            field.certificate("ca.pem")
        );
        let of_tls = |text: &'static str| if self.tls { text } else { "" };
        let place = room.display().to_string();
        let asps = room.join("asps").display().to_string();
        let (listen, upstream) = (listen.to_string(), self.upstream.to_string());
        let (buffer, busy) = if kind == Kind::NginxLarge { ("256k", "512k") } else { ("64k", "128k") };
        let (connections, modules) = (self.connections.to_string(), nginx_modules());
        let values = [
            ("USER", field.user.as_str()),
            ("MODULES", &modules),
            ("DIRECTORY", &place),
            ("LISTEN", &listen),
            ("UPSTREAM", &upstream),
            ("CONNECTIONS", &connections),
            ("TLS", of_tls("ssl")),
            ("SCHEME", if self.tls { "https" } else { "http" }),
            ("SERVER_TLS", if self.tls { &certificates } else { "" }),
            ("UPSTREAM_TLS", if self.tls { &authority } else { "" }),
            ("ASPS", &asps),
            ("BUFFER", buffer),
            ("BUSY", busy),
        ];
        let mut template = NGINX;
        if kind == Kind::NginxLua {
            template = NGINX_LUA;
            fs::write(room.join("nginx-lua-init.lua"), filled(NGINX_LUA_INIT, &values)?)?;
            fs::write(room.join("nginx-lua-access.lua"), NGINX_LUA_ACCESS)?;
            let digest = |asp: &Asp| sha256_hex(asp.token.as_bytes());
            fs::write(&asps, self.lines(|asp, limit| format!("{} {} {limit}", digest(asp), asp.aspid))?)?;
        }
        let config = room.join("nginx.conf");
        fs::write(&config, filled(template, &values)?)?;
        Ok(config)
    }

    fn haproxy(&self, room: &Path, listen: SocketAddr) -> Result<PathBuf, Failure> {
        let (keys, limits) = (room.join("keys.map"), room.join("limits.map"));
        fs::write(&keys, self.lines(|asp, _| format!("{} {}", asp.token, asp.aspid))?)?;
        fs::write(&limits, self.lines(|asp, limit| format!("{} {limit}", asp.aspid))?)?;
        let server_tls = format!("ssl crt {}", self.field.certificate("both.pem"));
        let authority = self.field.certificate("ca.pem");
        let upstream_tls =
            format!("ssl verify required ca-file {authority} verifyhost localhost sni str(localhost)");
        let values = [
            ("LISTEN", listen.to_string()),
            ("SERVER_TLS", if self.tls { server_tls } else { String::new() }),
            ("KEYS", keys.display().to_string()),
            ("LIMITS", limits.display().to_string()),
            ("UPSTREAM", self.upstream.to_string()),
            ("UPSTREAM_TLS", if self.tls { upstream_tls } else { String::new() }),
            ("CONNECTIONS", self.connections.to_string()),
        ];
        let config = room.join("haproxy.cfg");
        fs::write(
            &config,
            filled(HAPROXY, &values.each_ref().map(|(name, value)| (*name, value.as_str())))?,
        )?;
        Ok(config)
    }

    fn envoy(&self, room: &Path, listen: SocketAddr) -> Result<PathBuf, Failure> {
        let credentials = self
            .lines(|asp, _| format!("              - {{ key: {}, client: \"{}\" }}", asp.token, asp.aspid))?;
        let (certificate, key) =
            (self.field.certificate("server.pem"), self.field.certificate("server-key.pem"));
        let authority = self.field.certificate("ca.pem");
        let files = [("CERTIFICATE", certificate.as_str()), ("KEY", &key), ("AUTHORITY", &authority)];
        let (mut server_tls, mut upstream_tls) = (String::new(), String::new());
        if self.tls {
            (server_tls, upstream_tls) =
                (filled(ENVOY_SERVER_TLS, &files)?, filled(ENVOY_UPSTREAM_TLS, &files)?);
        }
        let (port, upstream_port) = (listen.port().to_string(), self.upstream.port().to_string());
        let values = [
            ("PORT", port.as_str()),
            ("UPSTREAM_PORT", &upstream_port),
            ("CREDENTIALS", &credentials),
            ("SERVER_TLS", &server_tls),
            ("UPSTREAM_TLS", &upstream_tls),
        ];
        let config = room.join("envoy.yaml");
        fs::write(&config, filled(ENVOY, &values)?)?;
        Ok(config)
    }

    fn suvidha(&self, ledger: Ledger) -> Result<Gateway, Failure> {
        let of_environment = if self.tls {
            let (certificate, key) =
                (self.field.certificate("server.pem"), self.field.certificate("server-key.pem"));
            format!("tls = {{ certificate = {certificate:?}, key = {key:?} }}")
        } else {
            String::new()
        };
        let authority = self.field.certificate("ca.pem");
        let of_upstream = if self.tls { format!("ca_file = {authority:?}") } else { String::new() };
        let durability = if ledger == Ledger::Relaxed { "relaxed" } else { "strict" };
        let connections = self.connections.to_string();
        let threads = self.threads.to_string();
        let values = [("DURABILITY", durability), ("CONNECTIONS", &connections), ("THREADS", &threads)];
        let sections = filled(SUVIDHA, &values)?;
        let scheme = if self.tls { "https" } else { "http" };
        Gateway::start_as(&Setup {
            program: if ledger == Ledger::Off { Program::Bare } else { Program::Serve },
            asps: self.asps,
            upstream: format!("{scheme}://{}", self.upstream),
            more: [&of_environment, &of_upstream, &sections],
            cores: self.cores,
        })
    }

    /// A line for each ASP, by its limit.
    fn lines(&self, line: impl Fn(&Asp, u32) -> String) -> Result<String, Failure> {
        let mut lines = String::new();
        for asp in &self.asps.all {
            let limit =
                asp.per_second.map_or(NO_LIMIT, |limit| u32::try_from(limit.get()).unwrap_or(NO_LIMIT));
            writeln!(lines, "{}", line(asp, limit))?;
        }
        Ok(lines)
    }
}
