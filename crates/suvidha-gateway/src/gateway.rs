//! Starts the data plane, follows its registry and files, and brings it to rest.

use std::net::SocketAddr;
use std::time::Duration;

use gstn::Environment;
use suvidha_seam::Seam;
use suvidha_store::Registry;

use crate::config::Config;
use crate::error::StartError;

/// The data plane, not yet running.
pub struct Gateway;

impl Gateway {
    /// Validates `config`, opens every listener and serves calls on threads of its own. Blocks until it is
    /// ready to take calls.
    ///
    /// # Errors
    /// Whatever makes the configuration unusable; nothing is left running then.
    pub fn start(config: Config, registry: Registry, seam: Seam) -> Result<Running, StartError> {
        let _ = (config, registry, seam);
        Err(StartError::NoEnvironment)
    }
}

/// A running data plane. Dropping it ends every call at once; [`drain`](Self::drain) lets them finish.
pub struct Running {}

impl Running {
    /// Where `environment` listens, with the port that was taken; `None` where it is not configured.
    pub fn address(&self, environment: Environment) -> Option<SocketAddr> {
        let _ = environment;
        None
    }

    /// Puts a new configuration in force for every call from now on. It is validated first; when it is not
    /// usable the old one stays.
    ///
    /// # Errors
    /// What is wrong with `config`, or [`StartError::ListenerChanged`]: addresses, threads and the set of
    /// environments are fixed until a restart.
    pub fn reload(&self, config: Config) -> Result<(), StartError> {
        let _ = config;
        Ok(())
    }

    /// Takes no more calls, lets those under way finish for at most `deadline`, and stops. Blocks.
    pub fn drain(self, deadline: Duration) -> DrainReport {
        let _ = deadline;
        DrainReport { finished: true, aborted: 0 }
    }
}

/// How a drain ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrainReport {
    /// Every call under way was answered in time.
    pub finished: bool,
    /// How many calls were cut off at the deadline.
    pub aborted: usize,
}
