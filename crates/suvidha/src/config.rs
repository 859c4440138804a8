//! The configuration: one TOML file, wholly read and checked before anything starts.
//!
//! `suvidha.default.toml` is the manual: it is embedded, and parses to exactly the defaults. One struct per
//! concern, each reading its own section.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use suvidha_gateway::config::{GetKey, Ledger};
use suvidha_seam::Seam;
use suvidha_store::Registry;

use crate::exit::{Exit, Failure};
use crate::output::{Answer, Output};
use crate::registry::{DEFAULT_DATA_DIR, Missing, RegistryPlace, SealingKeySource};

mod admin;
mod admission;
mod environment;
mod gateway;
mod getkey;
mod ledger;
mod log;
mod reader;
mod setting;
mod simulator;
mod tls_files;
mod trace;
mod upstream;

pub(crate) use getkey::{SESSION_VALIDITY, session_minutes};
pub(crate) use log::Log;
pub(crate) use setting::{duration, network};
pub(crate) use simulator::Profile;

use environment::Environments;
use reader::{Document, Problem, Section};

/// The default configuration, with a comment on every key.
pub(crate) const DEFAULT: &str = include_str!("../../../suvidha.default.toml");

/// All that a configuration file sets.
#[derive(Debug)]
pub(crate) struct Config {
    /// The registry and its sealing key.
    pub(crate) registry: RegistryPlace,
    /// How to log.
    pub(crate) log: Log,
    /// Where monitoring reads how the gateway is; none where it is switched off.
    pub(crate) admin: Option<SocketAddr>,
    /// How long calls under way may take to finish when the gateway is told to stop.
    pub(crate) drain: Duration,
    /// The gateway, but for its environments and its ledger.
    gateway: suvidha_gateway::config::Config,
    /// Where calls are recorded.
    ledger: Ledger,
    /// The environments, whose client secrets may be in the registry.
    environments: Environments,
    /// The simulated GSTN, for `suvidha sandbox`.
    pub(crate) simulator: suvidha_sandbox::Config,
}

impl Config {
    /// Reads and checks `file`. Relative paths in it are counted from its directory.
    ///
    /// # Errors
    /// Every problem found, a line for each.
    pub(crate) fn read(file: &Path) -> Result<Self, Failure> {
        Self::read_and_keep(file, |_| true)
    }

    /// Reads `file` for its `[simulator]` section alone; problems in other sections do not matter.
    ///
    /// # Errors
    /// What is wrong with the section, or that the file leads to production: the simulated GSTN does not start beside it.
    pub(crate) fn read_simulator(file: &Path) -> Result<suvidha_sandbox::Config, Failure> {
        refuse_production(file)?;
        Self::read_and_keep(file, |problem| problem.concerns("simulator")).map(|config| config.simulator)
    }

    /// Reads `file` for its `[registry]` section alone: whoever keeps the ASPs need not have what a running
    /// gateway has, such as the variables of its environment.
    pub(crate) fn read_registry(file: &Path) -> Result<RegistryPlace, Failure> {
        Self::read_and_keep(file, |problem| problem.concerns("registry")).map(|config| config.registry)
    }

    /// Reads `file` for its `[ledger]` section alone; problems in other sections do not matter.
    pub(crate) fn read_ledger(file: &Path) -> Result<Ledger, Failure> {
        Self::read_and_keep(file, |problem| problem.concerns("ledger")).map(|config| config.ledger)
    }

    /// Reads `file` for what it says of GetKey alone; problems in other sections do not matter.
    pub(crate) fn read_getkey(file: &Path) -> Result<GetKey, Failure> {
        Self::read_and_keep(file, |problem| problem.concerns("gateway")).map(|config| config.gateway.getkey)
    }

    fn read_and_keep(file: &Path, matters: impl Fn(&Problem) -> bool) -> Result<Self, Failure> {
        let text = fs::read_to_string(file).map_err(|e| {
            Failure::io(Exit::Config, format_args!("cannot read the configuration {}", file.display()), &e)
        })?;
        let base = file.parent().unwrap_or(Path::new(""));
        let (config, mut problems) = Self::parse(&file.display().to_string(), &text, base);
        problems.retain(matters);
        if problems.is_empty() { Ok(config) } else { Err(refused(&problems)) }
    }

    /// Reads `text`, which people know as `name`, with relative paths counted from `base`.
    fn parse(name: &str, text: &str, base: &Path) -> (Self, Vec<Problem>) {
        let document = Document::new(name, text);
        let config = Self::from_section(document.root(), base);
        (config, document.into_problems())
    }

    fn from_section(mut root: Section<'_, '_>, base: &Path) -> Self {
        let mut gateway = root.section("gateway");
        let environments = Environments::from_section(root.section("environments"), base);
        Self {
            registry: registry(root.section("registry"), base),
            log: Log::from_section(root.section("log")),
            admin: admin::from_section(root.section("admin"), &environments.listening()),
            drain: gateway.get("drain", Duration::from_secs(30)),
            gateway: suvidha_gateway::config::Config {
                trace: trace::from_section(root.section("trace"), base),
                ..gateway::from_section(gateway)
            },
            ledger: ledger::from_section(root.section("ledger"), base),
            environments,
            simulator: simulator::from_section(root.section("simulator")),
        }
    }

    /// The configuration of the gateway, with the client secrets that are sealed in `registry`.
    ///
    /// # Errors
    /// A secret that is not there, or cannot be opened.
    pub(crate) fn gateway(&self, registry: &Registry) -> Result<suvidha_gateway::config::Config, Failure> {
        let environments = self.environments.resolve(registry)?;
        let ledger = Some(self.ledger.clone());
        Ok(suvidha_gateway::config::Config { environments, ledger, ..self.gateway.clone() })
    }
}

/// Refuses a file that names GSTN's production, or credentials for it: whoever mixes the two up sends invented returns to the
/// government, or real ones to a simulator.
fn refuse_production(file: &Path) -> Result<(), Failure> {
    let text = fs::read_to_string(file).unwrap_or_default();
    // What cannot be read is told in its place.
    let Ok(tree) = text.parse::<toml::Table>() else { return Ok(()) };
    let environments = tree.get("environments");
    let upstream = |environment: &str| environments?.get(environment)?.get("upstream");
    let host = |upstream: &toml::Value| {
        let url: http::Uri = upstream.get("url")?.as_str()?.parse().ok()?;
        gstn::Environment::of_host(url.host()?)
    };
    let why = if upstream("production").is_some() {
        "it has an upstream for production"
    } else if upstream("sandbox").and_then(host) == Some(gstn::Environment::Production) {
        "its sandbox environment leads to GSTN's production"
    } else {
        return Ok(());
    };
    let message = format_args!("the simulated GSTN does not start with {}: {why}", file.display());
    Err(Failure::new(Exit::Config, message)
        .remedy("give the simulator a file of its own, with [simulator] alone"))
}

/// Runs `suvidha config check`.
pub(crate) fn check(file: &Path, output: Output, seam: &Seam) -> Result<(), Failure> {
    let config = Config::read(file)?;
    if config.environments.need_sealed_secrets() {
        let registry =
            config.registry.open(Missing::Refuse, seam).map_err(|failure| match failure.remedy {
                Some(_) => {
                    failure.remedy("`suvidha secret set` makes it, with the client secret that is named here")
                }
                None => failure,
            })?;
        config.gateway(&registry)?;
    }
    output.show(&Checked { file, ok: true })
}

#[derive(Serialize)]
struct Checked<'a> {
    file: &'a Path,
    ok: bool,
}

impl Answer for Checked<'_> {
    fn words(&self) -> String {
        format!("{}: nothing wrong\n", self.file.display())
    }
}

fn registry(mut section: Section<'_, '_>, base: &Path) -> RegistryPlace {
    let data = Path::new(DEFAULT_DATA_DIR);
    let path = section.get("path", data.join("registry.sqlite"));
    let both = section.has("sealing_key_file") && section.has("sealing_key_env");
    let at = section.locate("sealing_key_env");
    let file = section.get("sealing_key_file", data.join("sealing.key"));
    let key = match section.optional::<String>("sealing_key_env") {
        Some(variable) => SealingKeySource::Variable(variable),
        None => SealingKeySource::File(base.join(file)),
    };
    if both {
        section.problem(at, "sealing_key_env", "either this or `sealing_key_file`, not both");
    }
    RegistryPlace { path: base.join(path), key }
}

fn refused(problems: &[Problem]) -> Failure {
    let mut message = match problems.len() {
        1 => "the configuration is wrong".to_owned(),
        n => format!("the configuration is wrong in {n} places"),
    };
    for problem in problems {
        // Writing to a String cannot fail.
        let _ = write!(message, "\n  {problem}");
    }
    Failure::new(Exit::Config, message)
}

/// Where a secret comes from; it never stands in the configuration itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SecretSource {
    /// The first line of a file.
    File(PathBuf),
    /// An environment variable.
    Variable(String),
    /// The registry, sealed under this name.
    Sealed(String),
}

#[cfg(test)]
mod tests;
