//! The contestant: a release build of `suvidha serve`, as an operator runs it.

use std::fs::{self, File, OpenOptions};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use gstn::crypto::{AspSecret, PrivateKey};
use tempfile::TempDir;

use crate::asps::Asps;
use crate::process::{pinned, target_directory};
use crate::{Failure, bare, process};

pub(crate) const CLIENT_ID: &str = "l7xx0123456789abcdef0123456789abcdef";
pub(crate) const CLIENT_SECRET: &str = "0123456789abcdef0123456789abcdef";

/// What stands in front of the upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    /// `suvidha serve`, with a line in its log for each call.
    Serve,
    /// The library without a ledger, in a process of its own. It logs nothing.
    Bare,
}

/// How a gateway is started.
pub(crate) struct Setup<'a> {
    pub(crate) program: Program,
    pub(crate) asps: &'a Asps,
    /// The upstream's URL.
    pub(crate) upstream: String,
    /// More keys of `[environments.sandbox]` and `[environments.sandbox.upstream]`, and further sections.
    pub(crate) more: [&'a str; 3],
    /// The cores that it may use; all when left out.
    pub(crate) cores: Option<&'a str>,
}

/// A running gateway process. It is stopped when this is dropped.
pub(crate) struct Gateway {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Its first ASP, with all it may identify itself by.
    pub(crate) aspid: String,
    pub(crate) token: String,
    pub(crate) secret: AspSecret,
    pub(crate) key: PrivateKey,
    process: Child,
    directory: TempDir,
}

impl Gateway {
    /// Starts a gateway for one ASP in front of `upstream`, with `more` sections in its configuration, and waits until it is
    /// ready.
    pub(crate) fn start(upstream: SocketAddr, more: &str) -> Result<Self, Failure> {
        let asps = Asps::make(1)?;
        let upstream = format!("http://{upstream}");
        let more = ["", "", more];
        Self::start_as(&Setup { program: Program::Serve, asps: &asps, upstream, more, cores: None })
    }

    /// Starts a gateway and waits until it is ready. What it keeps is on the disk of the target directory: that of temporary
    /// files may be memory, where keeping costs nothing.
    pub(crate) fn start_as(setup: &Setup<'_>) -> Result<Self, Failure> {
        let directory = TempDir::new_in(target_directory()?)?;
        let (place, address) = (directory.path(), free_address()?);
        let config = place.join("bench.toml");
        fs::write(place.join("client-secret"), CLIENT_SECRET)?;
        fs::write(&config, configuration(address, setup))?;
        setup.asps.settle_in(place)?;
        let command = match setup.program {
            Program::Serve => {
                let mut command = pinned(setup.cores, binary()?);
                command.args(["serve", "--config"]).arg(&config);
                command
            }
            Program::Bare => bare::command(setup.cores, place, address, &setup.upstream)?,
        };
        let process = logging_to(command, place)?.spawn()?;
        let asp = &setup.asps.all[0];
        let gateway = Self {
            address,
            aspid: asp.aspid.to_string(),
            token: asp.token.clone(),
            secret: asp.secret.clone(),
            key: setup.asps.key.clone(),
            process,
            directory,
        };
        gateway.wait_until_ready()?;
        Ok(gateway)
    }

    /// CPU time that its process has used.
    pub(crate) fn cpu_time(&self) -> Result<Duration, Failure> {
        process::cpu_time(self.process.id())
    }

    /// Its number among the processes.
    pub(crate) fn process(&self) -> u32 {
        self.process.id()
    }

    /// What it keeps.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Empties its log, so that the disk does not fill up.
    pub(crate) fn forget_log(&self) -> Result<(), Failure> {
        Ok(OpenOptions::new().write(true).open(log_in(self.directory.path()))?.set_len(0)?)
    }

    /// A figure in KiB from `/proc/PID/status`: `VmRSS`, the memory in use, or `VmHWM`, its peak.
    pub(crate) fn resident_kib(&self, figure: &str) -> Result<u64, Failure> {
        process::memory_kib(self.process.id(), figure)
    }

    /// Lets the peak be measured anew (`/proc/PID/clear_refs`).
    pub(crate) fn forget_peak(&self) -> Result<(), Failure> {
        Ok(fs::write(format!("/proc/{}/clear_refs", self.process.id()), "5")?)
    }

    fn wait_until_ready(&self) -> Result<(), Failure> {
        let ready = wait_for("the gateway", || TcpStream::connect(self.address).is_ok());
        ready.map_err(|failure| {
            let log = fs::read_to_string(log_in(self.directory.path())).unwrap_or_default();
            format!("{failure}; it said:\n{log}").into()
        })
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // A process that has ended already needs no ending.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Waits until `ready`.
pub(crate) fn wait_for(what: &str, ready: impl Fn() -> bool) -> Result<(), Failure> {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !ready() {
        if Instant::now() > deadline {
            return Err(format!("{what} did not become ready").into());
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

pub(crate) fn free_address() -> Result<SocketAddr, Failure> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// `suvidha` beside this program, where `cargo xtask bench` has put it.
pub(crate) fn binary() -> Result<PathBuf, Failure> {
    Ok(std::env::current_exe()?.with_file_name("suvidha"))
}

/// Its standard error goes to a file in `place`, as that of a service does.
fn logging_to(mut command: Command, place: &Path) -> Result<Command, Failure> {
    // Appending goes on at the new end when the file is emptied.
    let log: File = OpenOptions::new().create(true).append(true).open(log_in(place))?;
    command.stderr(Stdio::from(log));
    Ok(command)
}

fn log_in(place: &Path) -> PathBuf {
    place.join("gateway.log")
}

fn configuration(listen: SocketAddr, setup: &Setup<'_>) -> String {
    let Setup { upstream, more: [of_environment, of_upstream, sections], .. } = setup;
    format!(
        r#"
[admin]
listen = "127.0.0.1:0"
[registry]
path = "registry.sqlite"
sealing_key_file = "sealing.key"
[environments.production]
enabled = false
[environments.sandbox]
listen = "{listen}"
{of_environment}
[environments.sandbox.upstream]
url = "{upstream}"
client_id = "{CLIENT_ID}"
client_secret_file = "client-secret"
{of_upstream}
{sections}
"#
    )
}
