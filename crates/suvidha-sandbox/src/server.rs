//! Starts and stops the sandbox: two listeners and the job worker. This is the one place that speaks HTTP to GSPs.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt;
use gstn::Environment;
use suvidha_seam::Seam;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::call_log::CallLog;
use crate::certificate;
use crate::clock::ist_date;
use crate::config::{Config, ManagementToken};
use crate::db::Db;
use crate::exchange::answer_call;
use crate::faults::{self, FaultPlan, FaultPlanError, FaultRuleError, Faulty, Line, NewFault, Origin};
use crate::files;
use crate::jobs;
use crate::management;
use crate::simulator::Simulator;
use crate::tax_clock::TaxClock;
use crate::taxpayers::{self, CONSENT_MINUTES, NewTaxpayer, Taxpayer, TaxpayerError};
use crate::token;

/// How long a shutdown waits for calls that are being answered.
const GRACE: Duration = Duration::from_secs(10);

/// Why a sandbox did not start.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The configuration asks for production.
    #[error("the simulated GSTN starts as a sandbox only, not as {0}")]
    NotASandbox(Environment),
    /// A setting is out of its range.
    #[error("{setting} must be {expected}")]
    Setting {
        /// The key in the configuration.
        setting: &'static str,
        /// What it may be.
        expected: &'static str,
    },
    /// A rule of the fault plan cannot be.
    #[error("the fault plan: {0}")]
    Fault(FaultRuleError),
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The certificate kept in the data directory cannot be used.
    #[error("{path} cannot be used as the sandbox's key or certificate: {reason}")]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The database is another program's, or another version's.
    #[error(
        "{path} is not a database of this version of the sandbox (schema version {version}); move the file away to \
         begin with an empty one"
    )]
    ForeignDatabase {
        /// The file.
        path: PathBuf,
        /// The schema version it names.
        version: i64,
    },
    /// The database could not be opened.
    #[error("the sandbox database: {0}")]
    Database(#[from] rusqlite::Error),
    /// An address could not be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address wanted.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
}

impl SandboxError {
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }
}

/// The simulated GSTN.
#[derive(Debug)]
pub struct Sandbox;

/// A sandbox at work. Dropping it stops it at once, as a crash would; [`Running::shutdown`] lets it finish.
pub struct Running {
    /// Where the simulated GSTN listens: the upstream of a gateway.
    pub gstn: SocketAddr,
    /// Where the management port listens.
    pub management: SocketAddr,
    /// The GSTN certificate (X.509, PEM), for which app keys are to be encrypted.
    pub certificate_pem: PathBuf,
    /// The file with what the management port asks for; none where it asks for nothing.
    pub management_token: Option<PathBuf>,
    simulator: Arc<Simulator>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Sandbox {
    /// Starts a sandbox on the current tokio runtime.
    ///
    /// The data directory is made when it is missing, and so are the database and the certificate in it.
    /// Unfinished jobs of an earlier run are taken up again.
    ///
    /// # Errors
    /// See [`SandboxError`]; nothing listens then.
    pub async fn start(config: Config, seam: Seam) -> Result<Running, SandboxError> {
        check(&config)?;
        let (listen, management) = (config.listen, config.management);
        let management_token = match config.management_token {
            ManagementToken::Kept => Some(config.data_dir.join(token::FILE)),
            ManagementToken::None => None,
        };
        let opened = tokio::task::spawn_blocking(move || open(config, seam)).await;
        let (simulator, certificate_pem) =
            opened.map_err(|error| SandboxError::io(Path::new("the sandbox"), io::Error::other(error)))??;
        let simulator = Arc::new(simulator);
        let gstn_listener = bind(listen).await?;
        let management_listener = bind(management).await?;
        let local = |listener: &TcpListener, address| {
            listener.local_addr().map_err(|source| SandboxError::Listen { address, source })
        };
        let (gstn, management) = (local(&gstn_listener, listen)?, local(&management_listener, management)?);
        let (stop, stopped) = watch::channel(false);
        let management_routes = management::routes(simulator.clone());
        let tasks = vec![
            tokio::spawn(serve_gstn(gstn_listener, simulator.clone(), stopped.clone())),
            tokio::spawn(serve_management(management_listener, management_routes, stopped.clone())),
            tokio::spawn(jobs::work(simulator.clone(), stopped.clone())),
            tokio::spawn(files::work(simulator.clone(), stopped)),
        ];
        tracing::info!(%gstn, %management, "the simulated GSTN is listening");
        Ok(Running { gstn, management, certificate_pem, management_token, simulator, stop, tasks })
    }
}

impl Running {
    /// Makes a taxpayer, as `POST /taxpayers` on the management port does.
    ///
    /// # Errors
    /// See [`TaxpayerError`].
    pub async fn create_taxpayer(&self, wanted: NewTaxpayer) -> Result<Taxpayer, TaxpayerError> {
        let simulator = self.simulator.clone();
        tokio::task::spawn_blocking(move || {
            let (seam, otp) = (&simulator.seam, &simulator.config.otp);
            simulator.db.write(|tx| taxpayers::create(tx, seam, otp, wanted))
        })
        .await
        .unwrap_or_else(|_| Err(TaxpayerError::Database(rusqlite::Error::UnwindingPanic)))
    }

    /// Stops listening, answers what was asked already, and stops. Unfinished jobs stay on the list.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        for mut task in std::mem::take(&mut self.tasks) {
            if tokio::time::timeout(GRACE, &mut task).await.is_err() {
                task.abort();
            }
        }
    }
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running")
            .field("gstn", &self.gstn)
            .field("management", &self.management)
            .field("certificate_pem", &self.certificate_pem)
            .finish_non_exhaustive()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

fn check(config: &Config) -> Result<(), SandboxError> {
    if config.environment != Environment::Sandbox {
        return Err(SandboxError::NotASandbox(config.environment));
    }
    let must = |holds: bool, setting, expected| {
        if holds { Ok(()) } else { Err(SandboxError::Setting { setting, expected }) }
    };
    must(
        CONSENT_MINUTES.contains(&config.consent_minutes),
        "consent_minutes",
        "360 (six hours) to 43200 (thirty days)",
    )?;
    must(config.token_minutes > 0, "token_minutes", "at least 1")?;
    must(!config.otp.is_empty(), "otp", "at least one character")?;
    config.faults.iter().try_for_each(NewFault::check).map_err(SandboxError::Fault)?;
    must(config.max_body_bytes > 0, "max_body_bytes", "at least 1")?;
    must(config.files.limit > 0, "files.limit", "at least 1")?;
    must(config.files.per_archive > 0, "files.per_archive", "at least 1")?;
    must(config.files.url_minutes > 0, "files.url_minutes", "at least 1")
}

fn open(config: Config, seam: Seam) -> Result<(Simulator, PathBuf), SandboxError> {
    fs::create_dir_all(&config.data_dir).map_err(|error| SandboxError::io(&config.data_dir, error))?;
    let made_in = i32::from(ist_date(seam.now()).year());
    let certificate = certificate::load_or_create(&config.data_dir, made_in)?;
    let management_token = match config.management_token {
        ManagementToken::Kept => Some(token::load_or_create(&config.data_dir, &seam)?),
        ManagementToken::None => None,
    };
    let db = Db::open(&config.data_dir)?;
    let simulator = Simulator {
        tax_clock: db.read(|tx| TaxClock::load(tx))?,
        faults: planned(&config, &db)?,
        db,
        private_key: certificate.private_key,
        certificate_pem: certificate.pem,
        management_token,
        call_log: CallLog::new(config.remembered_calls, config.remembered_bytes),
        new_job: Notify::new(),
        new_list: Notify::new(),
        config,
        seam,
    };
    Ok((simulator, certificate.pem_path))
}

/// The fault plan that the database keeps, with what the configuration adds to it.
fn planned(config: &Config, db: &Db) -> Result<FaultPlan, SandboxError> {
    let refused = |error| match error {
        FaultPlanError::Rule(error) => SandboxError::Fault(error),
        FaultPlanError::Database(error) => SandboxError::Database(error),
    };
    let plan = db.read(|tx| FaultPlan::load(tx))?;
    plan.replace(db, Origin::File, &config.faults).map_err(refused)?;
    let strict = if config.strict { faults::strict_rules() } else { Vec::new() };
    plan.replace(db, Origin::Strict, &strict).map_err(refused)?;
    Ok(plan)
}

async fn bind(address: SocketAddr) -> Result<TcpListener, SandboxError> {
    TcpListener::bind(address).await.map_err(|source| SandboxError::Listen { address, source })
}

/// Serves the simulated GSTN, on connections that the fault plan can break.
async fn serve_gstn(listener: TcpListener, simulator: Arc<Simulator>, stop: watch::Receiver<bool>) {
    let routes = Router::new().fallback(answer_call).with_state(simulator);
    let service = routes.into_make_service_with_connect_info::<Line>();
    let served = axum::serve(Faulty(listener), service).with_graceful_shutdown(stopped(stop)).await;
    if let Err(error) = served {
        tracing::error!(%error, "the GSTN listener of the sandbox failed");
    }
}

async fn serve_management(listener: TcpListener, routes: Router, stop: watch::Receiver<bool>) {
    // Small answers wait for nothing.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    if let Err(error) = axum::serve(listener, routes).with_graceful_shutdown(stopped(stop)).await {
        tracing::error!(%error, "the management listener of the sandbox failed");
    }
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
