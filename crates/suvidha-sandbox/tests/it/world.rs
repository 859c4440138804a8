//! A sandbox at work, a clock in the hand, and a GSP with credentials.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use gstn::crypto::PublicKey;
use serde_json::Value;
use suvidha_sandbox::{ClientCredentials, Config, PublicUser, Running, Sandbox};
use suvidha_seam::{ManualClock, Rng, Seam, SeededRng, SystemRng};
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::http::{Request, Response};
use crate::taxpayer::Taxpayer;

pub(crate) const CLIENT_ID: &str = "l7xx0123456789abcdef0123456789abcdef";
pub(crate) const CLIENT_SECRET: &str = "fedcba98765432100123456789abcdef";

/// How a sandbox is stopped.
enum Stop {
    Gently,
    AsByACrash,
}

pub(crate) struct World {
    pub(crate) dir: TempDir,
    pub(crate) clock: Arc<ManualClock>,
    rng: Arc<dyn Rng>,
    config: Config,
    host: Option<Host>,
}

/// The sandbox on its own thread and runtime, so that stories can be told without `await`.
struct Host {
    gstn: SocketAddr,
    management: SocketAddr,
    certificate_pem: PathBuf,
    stop: oneshot::Sender<Stop>,
    thread: thread::JoinHandle<()>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// A world in which chance follows from a seed.
    pub(crate) fn seeded(seed: u64) -> Self {
        Self::of(Arc::new(SeededRng::new(seed)), |_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::of(Arc::new(SystemRng), change)
    }

    fn of(rng: Arc<dyn Rng>, change: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config {
            data_dir: dir.path().join("gstn"),
            listen: "127.0.0.1:0".parse().unwrap(),
            management: "127.0.0.1:0".parse().unwrap(),
            clients: vec![
                ClientCredentials::new(CLIENT_ID, CLIENT_SECRET),
                ClientCredentials::new("l7xxsecond", "second-secret"),
            ],
            public_users: vec![PublicUser::new("searcher", "let-me-search")],
            ..Config::default()
        };
        change(&mut config);
        let clock = Arc::new(ManualClock::at("2025-04-10T06:00:00Z".parse().unwrap()));
        let mut world = Self { dir, clock, rng, config, host: None };
        world.start();
        world
    }

    pub(crate) fn start(&mut self) {
        let config = self.config.clone();
        let seam = Seam { clock: self.clock.clone(), rng: self.rng.clone() };
        let (started, starting) = mpsc::channel();
        let (stop, stopping) = oneshot::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let running = Sandbox::start(config, seam).await.unwrap();
                started.send(addresses(&running)).unwrap();
                match stopping.await {
                    Ok(Stop::AsByACrash) => drop(running),
                    _ => running.shutdown().await,
                }
            });
        });
        let (gstn, management, certificate_pem) = starting.recv().expect("the sandbox starts");
        self.host = Some(Host { gstn, management, certificate_pem, stop, thread });
    }

    /// Changes the settings, for the next start.
    pub(crate) fn change(&mut self, change: impl FnOnce(&mut Config)) {
        change(&mut self.config);
    }

    pub(crate) fn restart(&mut self) {
        self.stop(Stop::Gently);
        self.start();
    }

    pub(crate) fn crash(&mut self) {
        self.stop(Stop::AsByACrash);
    }

    fn stop(&mut self, how: Stop) {
        let host = self.host.take().expect("a running sandbox");
        assert!(host.stop.send(how).is_ok());
        host.thread.join().unwrap();
    }

    fn host(&self) -> &Host {
        self.host.as_ref().expect("a running sandbox")
    }

    /// The database file, to be looked into beside the sandbox.
    pub(crate) fn database(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.config.data_dir.join("gstn-sandbox.sqlite")).unwrap()
    }

    pub(crate) fn certificate(&self) -> PublicKey {
        PublicKey::from_any(&std::fs::read(&self.host().certificate_pem).unwrap()).unwrap()
    }

    /// Sends to the GSTN listener and checks the mark that every answer carries.
    pub(crate) fn gstn(&self, request: &Request) -> Response {
        let response = request.send(self.host().gstn);
        assert_eq!(response.header("x-suvidha-sandbox"), Some("1"));
        response
    }

    /// Sends to the GSTN listener, whatever becomes of the connection.
    pub(crate) fn gstn_raw(&self, request: &Request) -> (Vec<u8>, std::io::Result<()>) {
        request.raw(self.host().gstn)
    }

    /// Sends to the management port, with its token.
    pub(crate) fn manage(&self, request: &Request) -> Response {
        let request = match std::fs::read_to_string(self.config.data_dir.join("management-token")) {
            Ok(token) => request.clone().header("Authorization", format!("Bearer {}", token.trim())),
            Err(_) => request.clone(),
        };
        self.manage_as_it_is(&request)
    }

    pub(crate) fn manage_as_it_is(&self, request: &Request) -> Response {
        let response = request.send(self.host().management);
        assert_eq!(response.header("x-suvidha-sandbox"), Some("1"));
        response
    }

    /// A new taxpayer, made through the management port.
    pub(crate) fn taxpayer(&self, wanted: &Value) -> Taxpayer {
        let made = self.manage(&Request::new("POST", "/taxpayers").json(wanted));
        assert_eq!(made.status, 201, "{}", String::from_utf8_lossy(&made.body));
        Taxpayer::new(&made.json())
    }

    pub(crate) fn pass_minutes(&self, minutes: i64) {
        self.clock.advance(minutes * 60_000);
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if self.host.is_some() && !thread::panicking() {
            self.stop(Stop::AsByACrash);
        }
    }
}

fn addresses(running: &Running) -> (SocketAddr, SocketAddr, PathBuf) {
    (running.gstn, running.management, running.certificate_pem.clone())
}

/// Asks again and again until the answer is there.
pub(crate) fn until<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited too long");
        thread::yield_now();
    }
}
