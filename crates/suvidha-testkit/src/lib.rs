//! For tests only: starts a real gateway and sandbox on free ports.
//!
//! What a test gets is what an operator runs, in this process: a registry and ledgers in files, a gateway with threads of
//! its own, a simulated GSTN with its certificate. The gateway serves both environments, each with credentials of its own
//! at the one simulated GSTN. The clock may be held ([`World::at`]); the ports are free ones; everything is gone when the
//! [`World`] is dropped.

mod asp;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

pub use asp::{Answer, EnrolledAsp, Session};
use gstn::{AspId, Environment};
use serde_json::Value;
use suvidha_gateway::config::{Config, EnvironmentConfig, Ledger, Upstream};
use suvidha_gateway::{Gateway, Running};
use suvidha_sandbox::{ClientCredentials, Latency, Sandbox};
pub use suvidha_sandbox::{NewTaxpayer, Taxpayer};
use suvidha_seam::{Clock, Seam, SystemClock};
use suvidha_store::{NewAsp, NewToken, Registry, SealingKeys, SecretString};
use tempfile::TempDir;

/// What went wrong while a world was made.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const CLIENT_SECRET: &str = "fedcba9876543210fedcba9876543210";

/// A gateway, the simulated GSTN behind it, an ASP with a token and enrolled for GetKey, and the clock they go by.
pub struct World {
    /// The simulated GSTN. Work on a save takes no time in it.
    pub gstn: suvidha_sandbox::Running,
    /// The gateway's registry.
    pub registry: Registry,
    /// The one ASP.
    pub aspid: AspId,
    /// Its token for the sandbox environment.
    pub token: SecretString,
    /// The same ASP's GetKey, in the sandbox environment.
    pub sandbox: EnrolledAsp,
    /// The same ASP's GetKey, in the production environment.
    pub production: EnrolledAsp,
    /// `None` while it is being restarted: a ledger has one writer.
    gateway: Option<RunningGateway>,
    /// How many other gateways were started.
    others: AtomicUsize,
    seam: Seam,
    directory: TempDir,
}

/// A gateway of a [`World`]. Dropping it ends every call at once.
pub struct RunningGateway(Running);

impl World {
    /// A world that goes by the operating system's clock. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// Whatever kept a part from starting.
    pub async fn start() -> Result<Self, Failure> {
        Self::at(Arc::new(SystemClock)).await
    }

    /// A world that goes by `clock`. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// Whatever kept a part from starting.
    pub async fn at(clock: Arc<dyn Clock>) -> Result<Self, Failure> {
        Self::with(clock, |_| ()).await
    }

    /// A world that goes by `clock`, and whose simulated GSTN has other settings. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// Whatever kept a part from starting.
    pub async fn with(
        clock: Arc<dyn Clock>,
        change: impl FnOnce(&mut suvidha_sandbox::Config),
    ) -> Result<Self, Failure> {
        let seam = Seam { clock, ..Seam::system() };
        let directory = tempfile::tempdir()?;
        let clients = Environment::ALL.map(|own| ClientCredentials::new(client_id(own), CLIENT_SECRET));
        let mut config = suvidha_sandbox::Config {
            data_dir: directory.path().join("gstn"),
            listen: ANY_PORT,
            management: ANY_PORT,
            clients: clients.into(),
            latency: Latency::NONE,
            ..suvidha_sandbox::Config::default()
        };
        change(&mut config);
        let gstn = Sandbox::start(config, seam.clone()).await?;

        SealingKeys::create_file(&directory.path().join("sealing.key"), &seam)?;
        let registry = open_registry(&directory, &seam)?;
        let asp = registry.add_asp(NewAsp {
            name: "Test ASP".to_owned(),
            contact_name: "Asha".to_owned(),
            email: "asha@example.com".to_owned(),
            phone: "+91 12345 67890".to_owned(),
        })?;
        let new = NewToken { label: None, expires_at: None };
        let token = registry.issue_token(&asp.aspid, Environment::Sandbox, new)?.token;
        let enrol = |environment| EnrolledAsp::enrol(&registry, asp.aspid, environment, &seam);
        Ok(Self {
            sandbox: enrol(Environment::Sandbox)?,
            production: enrol(Environment::Production)?,
            gateway: Some(RunningGateway::start(&gstn, registry.clone(), ledger_in(&directory), &seam)?),
            others: AtomicUsize::new(0),
            gstn,
            registry,
            aspid: asp.aspid,
            token,
            seam,
            directory,
        })
    }

    /// Where the gateway serves the sandbox environment, as `http://…`.
    pub fn gateway_url(&self) -> String {
        self.url(Environment::Sandbox)
    }

    /// Where the gateway serves an environment, as `http://…`.
    pub fn url(&self, environment: Environment) -> String {
        self.gateway.as_ref().map(|gateway| gateway.url(environment)).unwrap_or_default()
    }

    /// Where the gateway records the calls of an environment.
    pub fn ledger(&self, environment: Environment) -> PathBuf {
        ledger_in(&self.directory).file(environment)
    }

    /// The clock that everything here goes by, and the randomness.
    pub fn seam(&self) -> Seam {
        self.seam.clone()
    }

    /// Enrols another ASP for GetKey in an environment.
    ///
    /// # Errors
    /// Whatever the registry has against it.
    pub fn enrol(&self, aspid: AspId, environment: Environment) -> Result<EnrolledAsp, Failure> {
        EnrolledAsp::enrol(&self.registry, aspid, environment, &self.seam)
    }

    /// One more gateway on the same registry and key file, as another process would start it: nothing in memory is shared,
    /// and it has ledgers of its own.
    ///
    /// # Errors
    /// Whatever keeps it from starting.
    pub fn another_gateway(&self) -> Result<RunningGateway, Failure> {
        let other = self.others.fetch_add(1, Ordering::Relaxed) + 1;
        let ledger = Ledger::new(self.directory.path().join(format!("ledger-of-another-{other}")));
        self.start_gateway(ledger)
    }

    /// Ends the running gateway, and every call with it, and puts another one on other ports in its place.
    ///
    /// # Errors
    /// Whatever keeps it from starting.
    pub fn restart_gateway(&mut self) -> Result<(), Failure> {
        self.gateway = None;
        self.gateway = Some(self.start_gateway(ledger_in(&self.directory))?);
        Ok(())
    }

    fn start_gateway(&self, ledger: Ledger) -> Result<RunningGateway, Failure> {
        RunningGateway::start(&self.gstn, open_registry(&self.directory, &self.seam)?, ledger, &self.seam)
    }

    /// A request to the sandbox's management port, with its token.
    ///
    /// # Errors
    /// Whatever keeps the answer from coming; a refusal is an answer.
    pub async fn manage(&self, method: &str, path: &str, body: &Value) -> Result<Answer, Failure> {
        let token = match &self.gstn.management_token {
            Some(file) => std::fs::read_to_string(file)?,
            None => String::new(),
        };
        let url = format!("http://{}", self.gstn.management);
        let authorization = format!("Bearer {}", token.trim());
        let headers = [("authorization", authorization.as_str())];
        asp::send(method.parse()?, &url, path, &headers, body.to_string().into_bytes()).await
    }

    /// A new taxpayer, whose user name is made up and whose OTP is the sandbox's.
    ///
    /// # Errors
    /// Whatever the sandbox has against it.
    pub async fn taxpayer(&self) -> Result<Taxpayer, Failure> {
        Ok(self.gstn.create_taxpayer(NewTaxpayer::default()).await?)
    }
}

impl RunningGateway {
    fn start(
        gstn: &suvidha_sandbox::Running,
        registry: Registry,
        ledger: Ledger,
        seam: &Seam,
    ) -> Result<Self, Failure> {
        let environments = Environment::ALL.map(|own| configuration(own, gstn)).into();
        let config = Config { threads: 1, ledger: Some(ledger), environments, ..Config::default() };
        Ok(Self(Gateway::start(config, registry, seam.clone())?))
    }

    /// Where it serves an environment, as `http://…`.
    pub fn url(&self, environment: Environment) -> String {
        self.0.address(environment).map(|address| format!("http://{address}")).unwrap_or_default()
    }
}

fn open_registry(directory: &TempDir, seam: &Seam) -> Result<Registry, Failure> {
    let keys = SealingKeys::from_file(&directory.path().join("sealing.key"))?;
    Ok(Registry::open(&directory.path().join("registry.sqlite"), keys, seam.clone())?)
}

/// The ledgers of a world's own gateway.
fn ledger_in(directory: &TempDir) -> Ledger {
    Ledger::new(directory.path().join("ledger"))
}

fn configuration(environment: Environment, gstn: &suvidha_sandbox::Running) -> EnvironmentConfig {
    let mut own = EnvironmentConfig::new(environment, ANY_PORT);
    own.upstream = Some(Upstream {
        url: format!("http://{}", gstn.gstn),
        ca_file: None,
        client_id: client_id(environment).to_owned(),
        client_secret: SecretString::from(CLIENT_SECRET.to_owned()),
    });
    own.gstn_certificate = Some(gstn.certificate_pem.clone());
    own
}

/// The GSP's, at the simulated GSTN.
fn client_id(environment: Environment) -> &'static str {
    match environment {
        Environment::Sandbox => "l7xx0123456789abcdef0123456789abcdef",
        Environment::Production => "l7xxfedcba9876543210fedcba9876543210",
    }
}
