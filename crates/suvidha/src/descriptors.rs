//! How many files and connections the process may hold open at once. The usual soft limit of 1,024 is far below what a gateway
//! needs; it is raised as far as the hard limit lets us.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use suvidha_gateway::config::Config;
use tracing::warn;

/// For the registry, the ledgers, the log, certificates, threads, and the admin listener.
const OTHERS: u64 = 128;

/// Takes the descriptors that the connections of `config` can come to need, or says that there are fewer.
pub(crate) fn provide_for(config: &Config) {
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    // Each connection of an ASP can have one to GSTN.
    let connections = count(config.limits.connections).saturating_mul(count(config.environments.len()));
    let needed = connections.saturating_mul(2).saturating_add(OTHERS);
    let Rlimit { current: Some(current), maximum } = getrlimit(Resource::Nofile) else { return };
    if current >= needed {
        return;
    }
    let possible = maximum.map_or(needed, |maximum| maximum.min(needed));
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(possible), maximum });
    let open_files = if raised.is_ok() { possible } else { current };
    if open_files < needed {
        warn!(
            open_files,
            needed,
            "gateway.limits.connections allows for more than this process may hold open; lower it, or raise `ulimit -n`"
        );
    }
}
