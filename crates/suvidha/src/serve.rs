//! `suvidha serve`: the gateway from a configuration file, until a signal stops it.

use std::path::Path;
use std::time::Duration;

use gstn::Environment;
use suvidha_gateway::{DrainReport, Gateway, Running, StartError};
use suvidha_seam::Seam;
use suvidha_store::Registry;
use tokio::runtime::{Builder, Runtime};
use tracing::{error, info, warn};

use crate::admin::Admin;
use crate::cli::Serve;
use crate::config::Config;
use crate::descriptors;
use crate::exit::{Exit, Failure};
use crate::logging::Logging;
use crate::ports;
use crate::registry::Missing;
use crate::signals::{Asked, Signals};

/// Runs `suvidha serve`: everything is read and checked before a socket opens.
pub(crate) fn run(options: &Serve, seam: Seam) -> Result<(), Failure> {
    let mut config = Config::read(&options.config)?;
    let logging = Logging::start(&options.log, &config.log, &seam)?;
    let registry = config.registry.open(Missing::Create, &seam)?;
    let gateway = config.gateway(&registry)?;
    descriptors::provide_for(&gateway);
    let runtime = runtime()?;
    let mut signals = runtime.block_on(async { Signals::listen() })?;
    for environment in &gateway.environments {
        ports::require_free(environment.listen)?;
        if environment.tls.is_none() && !environment.listen.ip().is_loopback() {
            warn!(environment = %environment.environment, "plain HTTP: tokens travel in clear; configure TLS, or put it in front");
        }
    }
    let admin = config.admin.map(Admin::open).transpose()?;
    let running = Gateway::start(gateway, registry.clone(), seam)?;
    for environment in [Environment::Sandbox, Environment::Production] {
        if let Some(address) = running.address(environment) {
            info!(%environment, %address, "listening");
        }
    }
    if let Some(admin) = admin {
        admin.serve(&runtime, running.status().with_log(logging.lost_lines()))?;
    }
    while runtime.block_on(signals.next()) == Asked::Reload {
        match reload(&options.config, &config, &registry, &running) {
            Ok(new) => {
                logging.follow(&new.log);
                config = new;
                info!("the configuration was read again and is in force");
            }
            Err(failure) => {
                error!(
                    reason = failure.message.replace("\n  ", "; "),
                    "the new configuration is not usable; the old one stays in force"
                );
            }
        }
    }
    stop(running, config.drain, runtime, signals, async {})
}

fn reload(file: &Path, old: &Config, registry: &Registry, running: &Running) -> Result<Config, Failure> {
    let new = Config::read(file)?;
    let fixed = [
        ("registry", new.registry == old.registry),
        ("admin", new.admin == old.admin),
        ("log.format", new.log.format == old.log.format),
    ];
    if let Some((key, _)) = fixed.iter().find(|(_, same)| !same) {
        return Err(Failure::new(Exit::Config, format_args!("{key} cannot be changed by a reload; restart")));
    }
    running.reload(new.gateway(registry)?)?;
    Ok(new)
}

/// Lets the calls under way finish, for `deadline` at most, then awaits `after`; a second signal to stop ends
/// everything at once.
pub(crate) fn stop(
    running: Running,
    deadline: Duration,
    runtime: Runtime,
    mut signals: Signals,
    after: impl Future<Output = ()>,
) -> Result<(), Failure> {
    info!(?deadline, "stopping: no new calls are taken");
    let drained = runtime.block_on(async {
        let drain = async {
            let report = tokio::task::spawn_blocking(move || running.drain(deadline)).await;
            after.await;
            report
        };
        tokio::select! {
            report = drain => report.ok(),
            () = signals.stop() => None,
        }
    });
    // Whatever still runs is not waited for: it has had its time, or was told to stop at once.
    runtime.shutdown_background();
    match drained {
        Some(DrainReport { finished: true, .. }) => info!("stopped: every call was answered"),
        Some(DrainReport { aborted, .. }) => warn!(aborted, "stopped: calls were cut off at the deadline"),
        None => return Err(Failure::new(Exit::Unavailable, "stopped at once: calls under way were cut off")),
    }
    Ok(())
}

/// The runtime for signals and for the simulated GSTN; the gateway has threads of its own.
pub(crate) fn runtime() -> Result<Runtime, Failure> {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| Failure::io(Exit::Unavailable, "cannot start threads", &e))
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Listen { address, environment, source } => {
                let what = format_args!("cannot listen on {address} for {environment}");
                Self::io(Exit::Unavailable, what, &source)
            }
            StartError::Thread(source) => Self::io(Exit::Unavailable, "cannot start a thread", &source),
            StartError::Registry(source) => source.into(),
            StartError::Ledger(source) => {
                Self::from(source).remedy("docs/operations-ledger.md tells what to do, step by step")
            }
            _ => Self::new(Exit::Config, error),
        }
    }
}
