//! `suvidha sandbox`: the simulated GSTN alone, for a gateway that runs elsewhere; and what manages a running one.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Serialize;
use suvidha_sandbox::{ClientCredentials, SandboxError};
use suvidha_seam::Seam;
use suvidha_store::SecretString;
use tracing::{info, warn};

use crate::cli::{LogFormat, Sandbox, SandboxServer};
use crate::config::{Config, Log};
use crate::exit::{Exit, Failure};
use crate::files;
use crate::lock::DataLock;
use crate::logging::Logging;
use crate::output::{Answer, Output, fields};
use crate::ports;
use crate::serve::runtime;
use crate::signals::Signals;

pub(crate) mod control;
mod fault;
mod http;
mod place;
mod scenario;
mod taxpayer;

/// Runs `suvidha sandbox`: a server, unless there is something to do with one that is running.
pub(crate) fn run(options: Sandbox, output: Output, seam: Seam) -> Result<(), Failure> {
    match options.command {
        Some(command) => control::run(command, output),
        None => serve(&options.server, output, seam),
    }
}

/// Serves the simulated GSTN until a signal stops it.
fn serve(options: &SandboxServer, output: Output, seam: Seam) -> Result<(), Failure> {
    let log = Log { level: "warn".to_owned(), format: LogFormat::Text };
    let _logging = Logging::start(&options.log, &log, &seam)?;
    let mut config = options.config.as_deref().map(Config::read_simulator).transpose()?.unwrap_or_default();
    if let Some(profile) = options.latency {
        config.latency = profile.latency();
    }
    config.strict |= options.strict;
    if let Some(plan) = &options.faults {
        config.faults = fault::read_plan(plan)?;
    }
    let _lock = DataLock::take(&options.data)?;
    let client = credentials(options, &seam)?;
    config.data_dir.clone_from(&options.data);
    config.listen = SocketAddr::new(options.listen, options.gstn_port);
    config.management = SocketAddr::new(options.listen, options.management_port);
    config.clients = vec![ClientCredentials::new(&client.id, client.secret.expose())];
    for address in [config.listen, config.management] {
        ports::require_free(address)?;
    }
    let runtime = runtime()?;
    runtime.block_on(async {
        let mut signals = Signals::listen()?;
        let running = suvidha_sandbox::Sandbox::start(config, seam).await?;
        let up = Up {
            gstn: ports::url(running.gstn),
            gstn_management: ports::url(running.management),
            gstn_management_token_file: running.management_token.as_deref().map(absolute).transpose()?,
            gstn_certificate: absolute(&running.certificate_pem)?,
            client_id: client.id,
            client_secret_file: absolute(&client.secret_file)?,
        };
        // The one that was asked for comes last: then everything is up.
        let kept = options.data.join(place::READY_FILE);
        write_ready_file(&kept, &up)?;
        if let Some(file) = &options.ready_file {
            write_ready_file(file, &up)?;
        }
        output.show(&up)?;
        // Whoever closes the terminal wants to stop, too.
        signals.next().await;
        info!("stopping");
        if let Err(error) = fs::remove_file(&kept) {
            warn!(%error, file = %kept.display(), "cannot remove the ready file");
        }
        running.shutdown().await;
        Ok(())
    })
}

/// The credentials of the one GSP that may call.
struct Client {
    id: String,
    secret: SecretString,
    secret_file: PathBuf,
}

/// The credentials given on the command line, or else those kept in the data directory, made at first start.
fn credentials(options: &SandboxServer, seam: &Seam) -> Result<Client, Failure> {
    if let (Some(id), Some(secret_file)) = (&options.client_id, &options.client_secret_file) {
        let secret = read_line(secret_file)?;
        return Ok(Client { id: id.clone(), secret: secret.into(), secret_file: secret_file.clone() });
    }
    let id_file = options.data.join("client-id");
    let secret_file = options.data.join("client-secret");
    if !secret_file.exists() || !id_file.exists() {
        let (id, secret) = new_credentials(seam);
        for (file, text) in [(&id_file, id.as_str()), (&secret_file, secret.expose())] {
            files::replace(file, format!("{text}\n").as_bytes(), 0o600).map_err(|e| {
                Failure::io(Exit::CannotCreate, format_args!("cannot write {}", file.display()), &e)
            })?;
        }
    }
    Ok(Client { id: read_line(&id_file)?, secret: read_line(&secret_file)?.into(), secret_file })
}

/// A `clientid` and `client-secret` of the form GSTN gives out: `l7xx` and 32 hex digits, and 32 hex digits.
pub(crate) fn new_credentials(seam: &Seam) -> (String, SecretString) {
    let hex = || format!("{:032x}", u128::from_be_bytes(seam.random()));
    (format!("l7xx{}", hex()), hex().into())
}

fn read_line(file: &Path) -> Result<String, Failure> {
    let text = fs::read_to_string(file)
        .map_err(|e| Failure::io(Exit::Io, format_args!("cannot read {}", file.display()), &e))?;
    let line = text.trim_end_matches(['\r', '\n']);
    if line.is_empty() || line.contains('\n') {
        return Err(Failure::new(Exit::Data, format_args!("{} should hold one line", file.display())));
    }
    Ok(line.to_owned())
}

/// A path that means the same wherever it is read.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path)
        .map_err(|e| Failure::io(Exit::Io, format_args!("cannot resolve {}", path.display()), &e))
}

/// Writes what scripts wait for: whole or not at all, and readable by its owner alone.
pub(crate) fn write_ready_file(file: &Path, ready: &impl Serialize) -> Result<(), Failure> {
    let what = || format!("cannot write the ready file {}", file.display());
    let mut json = serde_json::to_vec_pretty(ready)
        .map_err(|e| Failure::new(Exit::Io, format_args!("{}: {e}", what())))?;
    json.push(b'\n');
    files::replace(file, &json, 0o600).map_err(|e| Failure::io(Exit::CannotCreate, what(), &e))
}

impl From<SandboxError> for Failure {
    fn from(error: SandboxError) -> Self {
        match error {
            SandboxError::Listen { address, source } => {
                Self::io(Exit::Unavailable, format_args!("cannot listen on {address}"), &source)
            }
            SandboxError::Io { path, source } => {
                Self::io(Exit::Io, format_args!("cannot use {}", path.display()), &source)
            }
            SandboxError::Setting { .. } | SandboxError::Fault(_) => Self::new(Exit::Config, error),
            _ => Self::new(Exit::Unavailable, format_args!("the sandbox GSTN cannot start: {error}")),
        }
    }
}

/// Where the token of the management port is, for the person who reads.
pub(crate) fn token_words(file: Option<&Path>) -> String {
    file.map_or_else(|| "none is asked for".to_owned(), |file| format!("in {}", file.display()))
}

#[derive(Serialize)]
struct Up {
    gstn: String,
    gstn_management: String,
    gstn_management_token_file: Option<PathBuf>,
    gstn_certificate: PathBuf,
    client_id: String,
    client_secret_file: PathBuf,
}

impl Answer for Up {
    fn words(&self) -> String {
        let lines = [
            ("GSTN", self.gstn.clone()),
            ("management", self.gstn_management.clone()),
            ("its token", token_words(self.gstn_management_token_file.as_deref())),
            ("certificate", self.gstn_certificate.display().to_string()),
            ("clientid", self.client_id.clone()),
            ("client-secret", format!("in {}", self.client_secret_file.display())),
        ];
        format!("The sandbox GSTN is up. Stop it with Ctrl-C.\n\n{}", fields(&lines))
    }
}
