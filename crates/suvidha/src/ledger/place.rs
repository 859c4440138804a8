//! Which ledger, and how it is opened: to be read, never to be written, whether or not a gateway is writing it.

use std::path::{Path, PathBuf};

use clap::Args;
use gstn::Environment;
use suvidha_gateway::config::Ledger;
use suvidha_store::ledger::{LedgerError, LedgerReader};

use crate::cli::environment;
use crate::config::Config;
use crate::exit::{Exit, Failure};
use crate::registry::DEFAULT_DATA_DIR;

/// Which ledger a command reads.
#[derive(Debug, Args)]
pub(crate) struct LedgerOptions {
    /// The ledgers in this directory, as `suvidha up` keeps them; suvidha-data when left out
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "SUVIDHA_DATA",
        hide_env_values = true,
        help_heading = "Ledger"
    )]
    pub(crate) data: Option<PathBuf>,
    /// The ledgers that this configuration names; goes before --data
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "SUVIDHA_CONFIG",
        hide_env_values = true,
        help_heading = "Ledger"
    )]
    pub(crate) config: Option<PathBuf>,
    /// Of which environment: sandbox or production, whose taxpayers are real and have to be asked for
    #[arg(
        long,
        global = true,
        default_value = "sandbox",
        value_parser = environment,
        help_heading = "Ledger"
    )]
    pub(crate) environment: Environment,
}

/// A ledger on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LedgerPlace {
    /// The SQLite file.
    pub(crate) path: PathBuf,
    /// Whose calls are in it.
    pub(crate) environment: Environment,
}

impl LedgerPlace {
    /// The ledger that the options of a command name.
    pub(crate) fn from_options(options: &LedgerOptions) -> Result<Self, Failure> {
        let directory = directory(options.config.as_deref(), options.data.as_deref())?;
        Ok(Self { path: Ledger::file_in(&directory, options.environment), environment: options.environment })
    }

    /// Opens it.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub(crate) fn open(&self) -> Result<LedgerReader, Failure> {
        let exists = self.path.try_exists().map_err(|e| {
            Failure::io(Exit::Io, format_args!("cannot look for {}", self.path.display()), &e)
        })?;
        if !exists {
            let message =
                format_args!("there is no ledger of {} at {}", self.environment, self.path.display());
            return Err(Failure::new(Exit::Config, message)
                .remedy("name another place with --data or --config, or the other environment with --environment; a gateway begins the ledger when it starts"));
        }
        let reader = LedgerReader::open(&self.path)?;
        if reader.environment() != self.environment {
            let path = self.path.clone();
            return Err(LedgerError::OtherEnvironment {
                path,
                found: reader.environment(),
                wanted: self.environment,
            }
            .into());
        }
        Ok(reader)
    }
}

/// Where the ledgers are that a configuration names or, without one, those of a data directory.
pub(crate) fn directory(config: Option<&Path>, data: Option<&Path>) -> Result<PathBuf, Failure> {
    match config {
        Some(file) => Ok(Config::read_ledger(file)?.directory),
        None => Ok(data.unwrap_or(Path::new(DEFAULT_DATA_DIR)).join("ledger")),
    }
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        use LedgerError as E;
        let exit = match &error {
            E::File { source, action, path } => {
                return Self::io(Exit::Io, format_args!("cannot {action} {}", path.display()), source);
            }
            E::Damaged { .. } | E::TooManyGroups { .. } => Exit::Data,
            E::Busy { .. } | E::Held { .. } => Exit::Unavailable,
            E::ReadOnly { .. } => Exit::Permission,
            E::DiskFull { .. } | E::Database { .. } => Exit::Io,
            _ => Exit::Config,
        };
        Self::new(exit, error)
    }
}
