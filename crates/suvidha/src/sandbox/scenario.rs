//! `suvidha sandbox scenario`: a filing year, or an afternoon of it, played from a file as ASPs would live it.
//!
//! `file` reads the scenario, `value` fills variables and templates in, `player` takes the steps, `wire` speaks to GSTN with
//! its real cryptography, `expect` holds the answers against what the scenario says, and `answers` writes them down.

use std::env;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use gstn::SecretString;
use serde_json::json;
use suvidha_sandbox::{ClientCredentials, Config, Latency, Running, Sandbox};
use suvidha_seam::{Seam, SeededRng};
use tokio::runtime::Runtime;

use self::answers::Answers;
use self::file::Script;
use self::player::Player;
use self::wire::{Access, Wire};
use super::control::Told;
use super::place::{Management, ManagementOptions, Ready};
use super::{absolute, new_credentials, read_line};
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::ports;
use crate::serve::runtime;

mod answers;
mod expect;
mod file;
mod player;
mod value;
mod wire;

/// `suvidha sandbox scenario`.
#[derive(Debug, Args)]
pub(crate) struct Scenario {
    /// Which sandbox.
    #[command(flatten)]
    place: ManagementOptions,
    /// What to do.
    #[command(subcommand)]
    command: ScenarioCommand,
}

#[derive(Debug, Subcommand)]
enum ScenarioCommand {
    /// Play a scenario; ends with 0 if every party saw what the scenario says, with 1 otherwise
    Run {
        /// The scenario: a file in TOML
        file: PathBuf,
        /// In a sandbox of its own, which is made for it and thrown away, and in which nothing takes time
        #[arg(long, conflicts_with_all = ["managed_data", "managed_ready_file", "url"])]
        fresh: bool,
        /// With --fresh: another seed makes other GSTINs up
        #[arg(long, default_value_t = 1, requires = "fresh")]
        seed: u64,
        /// Another value for a variable of the scenario, e.g. months=12; as often as one likes
        #[arg(long, value_name = "NAME=VALUE")]
        set: Vec<String>,
        /// Write down what every step was answered, as a line of JSON: of one seed the same each time
        #[arg(long, value_name = "FILE")]
        answers: Option<PathBuf>,
    },
}

impl Scenario {
    pub(super) fn run(self, output: Output) -> Result<(), Failure> {
        let ScenarioCommand::Run { file, fresh, seed, set, answers } = self.command;
        let mut script = Script::read(&file)?;
        script.set(&set)?;
        let answers = Answers::to(answers.as_deref())?;
        let told = if fresh {
            let world = Fresh::start(seed)?;
            let (wire, management) = world.ways()?;
            Player::new(&script, wire, management, world.seam.clone(), answers).play()
        } else {
            let ready = self.place.ready()?;
            let (url, token) = ready.management();
            let management = Management::at(url, token.as_deref())?;
            Player::new(&script, wire(&ready)?, management, Seam::system(), answers).play()
        }?;
        let json = json!({ "scenario": script.name, "steps": told.steps, "ok": true });
        let words = format!(
            "{}{}: {} steps, and every party saw what it should\n",
            told.words, script.name, told.steps
        );
        output.show(&Told { json, words })
    }
}

/// The way to GSTN that a ready file tells: through the gateway of `suvidha up`, or straight to `suvidha sandbox`.
fn wire(ready: &Ready) -> Result<Wire, Failure> {
    let certificate = read_certificate(&ready.gstn_certificate)?;
    let access = match (&ready.environments, &ready.asp, &ready.client_id, &ready.client_secret_file) {
        (Some(gateway), Some(asp), ..) => Access::gateway(&gateway.sandbox, &asp.token),
        (_, _, Some(id), Some(file)) => Access::gstn(&ready.gstn, id, &read_line(file)?.into()),
        _ => {
            let words = "the ready file tells neither a gateway nor the credentials of a GSP";
            return Err(Failure::new(Exit::Data, words));
        }
    };
    Wire::new(access, &certificate)
}

fn read_certificate(file: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(file).map_err(|e| Failure::io(Exit::Io, format_args!("cannot read {}", file.display()), &e))
}

/// A sandbox that lives as long as the scenario.
struct Fresh {
    runtime: Runtime,
    running: Option<Running>,
    client: (String, SecretString),
    directory: PathBuf,
    seam: Seam,
}

impl Fresh {
    fn start(seed: u64) -> Result<Self, Failure> {
        let seam = Seam { rng: Arc::new(SeededRng::new(seed)), ..Seam::system() };
        // The name alone must be new, whatever the seed.
        let name = format!("suvidha-scenario-{}", Seam::system().uuid());
        let directory = absolute(&env::temp_dir().join(name))?;
        let client = new_credentials(&seam);
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let config = Config {
            data_dir: directory.clone(),
            listen: any_port,
            management: any_port,
            clients: vec![ClientCredentials::new(&client.0, client.1.expose())],
            latency: Latency::NONE,
            ..Config::default()
        };
        let runtime = runtime()?;
        let mut fresh = Self { runtime, running: None, client, directory, seam };
        fresh.running = Some(fresh.runtime.block_on(Sandbox::start(config, fresh.seam.clone()))?);
        Ok(fresh)
    }

    fn ways(&self) -> Result<(Wire, Management), Failure> {
        let running =
            self.running.as_ref().ok_or_else(|| Failure::new(Exit::Unavailable, "the sandbox is gone"))?;
        let access = Access::gstn(&ports::url(running.gstn), &self.client.0, &self.client.1);
        let wire = Wire::new(access, &read_certificate(&running.certificate_pem)?)?;
        let management = Management::at(ports::url(running.management), running.management_token.as_deref())?;
        Ok((wire, management))
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            self.runtime.block_on(running.shutdown());
        }
        // Nobody needs it any more; what cannot be removed is the operating system's to sweep up.
        let _ = fs::remove_dir_all(&self.directory);
    }
}
