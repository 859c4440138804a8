//! Where the stories play: a gateway with a registry, one ASP with a token, and a GSTN of the story's choice.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gstn::{AspId, Environment};
use suvidha_gateway::config::{Config, EnvironmentConfig, Ledger, Upstream};
use suvidha_gateway::{DrainReport, Gateway, Running};
use suvidha_seam::Seam;
use suvidha_store::ledger::{Entry, Filter, LedgerReader, Order, Recorded};
use suvidha_store::{CredentialId, NewAsp, NewToken, Registry, SealingKeys};

use crate::asp::{Answer, Asp};
use crate::log;

pub(crate) use gstn::Environment::{Production, Sandbox};

pub(crate) const CLIENT_ID: &str = "l7xxgateway";
pub(crate) const CLIENT_SECRET: &str = "marker-gstn-client-secret";

pub(crate) struct Stage {
    directory: tempfile::TempDir,
    pub(crate) registry: Registry,
    pub(crate) running: Running,
    pub(crate) config: Config,
    pub(crate) aspid: AspId,
    pub(crate) token: String,
    pub(crate) token_id: CredentialId,
}

/// A stage being set.
pub(crate) struct Setting {
    directory: tempfile::TempDir,
    pub(crate) registry: Registry,
    pub(crate) config: Config,
    pub(crate) seam: Seam,
}

/// A sandbox whose GSTN is at `upstream`, and a production without one.
pub(crate) fn set(upstream: SocketAddr) -> Setting {
    set_with(upstream, Seam::system())
}

/// The same, with a clock and randomness of the story's choice, for the registry too.
pub(crate) fn set_with(upstream: SocketAddr, seam: Seam) -> Setting {
    log::capture();
    let directory = tempfile::tempdir().unwrap();
    let keys = SealingKeys::create_file(&directory.path().join("sealing.keys"), &seam).unwrap();
    let registry = Registry::open(&directory.path().join("registry.db"), keys, seam.clone()).unwrap();
    let any = "127.0.0.1:0".parse().unwrap();
    let mut sandbox = EnvironmentConfig::new(Sandbox, any);
    sandbox.upstream = Some(at(&format!("http://{upstream}")));
    let environments = vec![sandbox, EnvironmentConfig::new(Production, any)];
    let ledger = Some(Ledger::new(directory.path().join("ledger")));
    let config = Config { threads: 2, ledger, environments, ..Config::default() };
    Setting { directory, registry, config, seam }
}

/// The usual stage.
pub(crate) fn stage(upstream: SocketAddr) -> Stage {
    set(upstream).start()
}

pub(crate) fn at(url: &str) -> Upstream {
    Upstream {
        url: url.to_owned(),
        ca_file: None,
        client_id: CLIENT_ID.to_owned(),
        client_secret: CLIENT_SECRET.into(),
    }
}

impl Setting {
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn start(self) -> Stage {
        self.start_after(|_, _| ())
    }

    /// Starts when the registry and its ASP are as the story wants them.
    pub(crate) fn start_after(self, prepare: impl FnOnce(&Registry, &AspId)) -> Stage {
        let Self { directory, registry, config, seam } = self;
        let aspid = an_asp(&registry);
        prepare(&registry, &aspid);
        let issued = registry.issue_token(&aspid, Sandbox, NewToken::default()).unwrap();
        let running = Gateway::start(config.clone(), registry.clone(), seam).unwrap();
        let token = issued.token.expose().to_owned();
        Stage { directory, registry, running, config, aspid, token, token_id: issued.id }
    }
}

/// What a ledger holds, the oldest first.
pub(crate) fn entries_in(ledger: &Path) -> Vec<Recorded> {
    let reader = LedgerReader::open(ledger).unwrap();
    reader.entries(&Filter::default(), Order::OldestFirst, None, 10_000).unwrap().entries
}

/// The only entry of the call with this request id.
#[track_caller]
pub(crate) fn entry_in(ledger: &Path, request_id: &str) -> Entry {
    let filter = Filter { id: Some(request_id.parse().unwrap()), ..Filter::default() };
    let reader = LedgerReader::open(ledger).unwrap();
    let mut found = reader.entries(&filter, Order::OldestFirst, None, 10).unwrap().entries;
    assert_eq!(found.len(), 1, "{found:#?}");
    found.remove(0).entry
}

pub(crate) fn an_asp(registry: &Registry) -> AspId {
    let new = NewAsp {
        name: "Acme Tax Tools".to_owned(),
        contact_name: "Asha Rao".to_owned(),
        email: "asha@acme.example".to_owned(),
        phone: "+91 98450 00000".to_owned(),
    };
    registry.add_asp(new).unwrap().aspid
}

impl Stage {
    pub(crate) fn address(&self, environment: Environment) -> SocketAddr {
        self.running.address(environment).unwrap()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The ledger of the sandbox.
    pub(crate) fn ledger(&self) -> PathBuf {
        self.path("ledger").join("sandbox.sqlite")
    }

    /// What the ledger of the sandbox holds, the oldest first.
    pub(crate) fn entries(&self) -> Vec<Recorded> {
        entries_in(&self.ledger())
    }

    /// The same, with its gateway started anew.
    pub(crate) fn restarted(self, seam: Seam) -> Self {
        drop(self.running);
        let running = Gateway::start(self.config.clone(), self.registry.clone(), seam).unwrap();
        Self { running, ..self }
    }

    /// Brings the gateway to rest; gives what keeps its files.
    pub(crate) fn drain(self) -> (tempfile::TempDir, DrainReport) {
        let report = self.running.drain(Duration::from_secs(20));
        (self.directory, report)
    }

    /// The only entry of the call with this request id.
    #[track_caller]
    pub(crate) fn entry(&self, request_id: &str) -> Entry {
        entry_in(&self.ledger(), request_id)
    }

    pub(crate) fn connect(&self) -> Asp {
        Asp::connect(self.address(Sandbox))
    }

    /// Sends `bytes` on a new connection to the sandbox, and reads one answer.
    #[track_caller]
    pub(crate) fn exchange(&self, bytes: impl AsRef<[u8]>) -> Answer {
        self.connect().send(bytes).read()
    }

    /// A GET of `path` with the stage's token and these further header lines.
    #[track_caller]
    pub(crate) fn get(&self, path: &str, headers: &str) -> Answer {
        self.exchange(self.request("GET", path, headers, ""))
    }

    pub(crate) fn request(&self, method: &str, path: &str, headers: &str, body: &str) -> String {
        let token = format!("X-CT-Auth-Token: {}\r\n", self.token);
        request(method, path, &(token + headers), body)
    }

    /// Whether `holds` comes true while the registry's followers have their time.
    pub(crate) fn soon(&self, holds: impl Fn(&Self) -> bool) -> bool {
        soon(|| holds(self))
    }
}

pub(crate) fn request(method: &str, path: &str, headers: &str, body: &str) -> String {
    let length = if body.is_empty() { String::new() } else { format!("content-length: {}\r\n", body.len()) };
    format!("{method} {path} HTTP/1.1\r\nhost: gateway\r\n{headers}{length}\r\n{body}")
}

/// Whether `holds` comes true within ten seconds.
pub(crate) fn soon(mut holds: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        if holds() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}
