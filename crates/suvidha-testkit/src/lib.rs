//! For tests only: starts a real gateway and sandbox on free ports.
//!
//! What a test gets is what an operator runs, in this process: a registry in a file, a gateway with threads of its own, a
//! simulated GSTN with its certificate. The clock may be held ([`World::at`]); the ports are free ones; everything is gone
//! when the [`World`] is dropped.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use gstn::{AspId, Environment};
use suvidha_gateway::config::{Config, EnvironmentConfig, Upstream};
use suvidha_gateway::{Gateway, Running};
use suvidha_sandbox::{ClientCredentials, Latency, Sandbox};
pub use suvidha_sandbox::{NewTaxpayer, Taxpayer};
use suvidha_seam::{Clock, Seam, SystemClock};
use suvidha_store::{NewAsp, NewToken, Registry, SealingKeys, SecretString};
use tempfile::TempDir;

/// What went wrong while a world was made.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const CLIENT_ID: &str = "l7xx0123456789abcdef0123456789abcdef";
const CLIENT_SECRET: &str = "fedcba9876543210fedcba9876543210";

/// A gateway, the simulated GSTN behind it, an ASP with a token, and the clock they go by.
pub struct World {
    /// The simulated GSTN. Work on a save takes no time in it.
    pub gstn: suvidha_sandbox::Running,
    /// The gateway's registry.
    pub registry: Registry,
    /// The one ASP.
    pub aspid: AspId,
    /// Its token for the sandbox environment.
    pub token: SecretString,
    gateway: Option<Running>,
    address: SocketAddr,
    _directory: TempDir,
}

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
        let seam = Seam { clock, ..Seam::system() };
        let directory = tempfile::tempdir()?;
        let gstn = Sandbox::start(
            suvidha_sandbox::Config {
                data_dir: directory.path().join("gstn"),
                listen: ANY_PORT,
                management: ANY_PORT,
                clients: vec![ClientCredentials::new(CLIENT_ID, CLIENT_SECRET)],
                latency: Latency::NONE,
                ..suvidha_sandbox::Config::default()
            },
            seam.clone(),
        )
        .await?;

        let keys = SealingKeys::create_file(&directory.path().join("sealing.key"), &seam)?;
        let registry = Registry::open(&directory.path().join("registry.sqlite"), keys, seam.clone())?;
        let asp = registry.add_asp(NewAsp {
            name: "Test ASP".to_owned(),
            contact_name: "Asha".to_owned(),
            email: "asha@example.com".to_owned(),
            phone: "+91 12345 67890".to_owned(),
        })?;
        let new = NewToken { label: None, expires_at: None };
        let token = registry.issue_token(&asp.aspid, Environment::Sandbox, new)?.token;

        let gateway = Gateway::start(configuration(&gstn), registry.clone(), seam)?;
        let address = gateway.address(Environment::Sandbox).ok_or("the sandbox environment is not served")?;
        Ok(Self {
            gstn,
            registry,
            aspid: asp.aspid,
            token,
            gateway: Some(gateway),
            address,
            _directory: directory,
        })
    }

    /// Where the gateway serves the sandbox environment, as `http://…`.
    pub fn gateway_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A new taxpayer, whose user name is made up and whose OTP is the sandbox's.
    ///
    /// # Errors
    /// Whatever the sandbox has against it.
    pub async fn taxpayer(&self) -> Result<Taxpayer, Failure> {
        Ok(self.gstn.create_taxpayer(NewTaxpayer::default()).await?)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(gateway) = self.gateway.take() {
            gateway.drain(Duration::ZERO);
        }
    }
}

fn configuration(gstn: &suvidha_sandbox::Running) -> Config {
    let mut environment = EnvironmentConfig::new(Environment::Sandbox, ANY_PORT);
    environment.upstream = Some(Upstream {
        url: format!("http://{}", gstn.gstn),
        ca_file: None,
        client_id: CLIENT_ID.to_owned(),
        client_secret: SecretString::from(CLIENT_SECRET.to_owned()),
    });
    environment.gstn_certificate = Some(gstn.certificate_pem.clone());
    Config { threads: 1, environments: vec![environment], ..Config::default() }
}
