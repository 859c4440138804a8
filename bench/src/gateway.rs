//! The contestant: a release build of `suvidha serve`, as an operator runs it, with one ASP.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use gstn::crypto::{AspSecret, PrivateKey};
use serde_json::Value;
use tempfile::TempDir;

use crate::{Failure, bare, process};

pub(crate) const CLIENT_ID: &str = "l7xx0123456789abcdef0123456789abcdef";
pub(crate) const CLIENT_SECRET: &str = "0123456789abcdef0123456789abcdef";

/// What stands in front of the upstream.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Program<'a> {
    /// `suvidha serve`, with more in its configuration, and so much in its log.
    Serve { more: &'a str, log: &'a str },
    /// The library without a ledger, in a process of its own. It logs nothing.
    Bare,
}

/// A running gateway process. It is stopped when this is dropped.
pub(crate) struct Gateway {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Its one ASP, with all it may identify itself by.
    pub(crate) aspid: String,
    pub(crate) token: String,
    pub(crate) secret: AspSecret,
    pub(crate) key: PrivateKey,
    process: Child,
    directory: TempDir,
}

impl Gateway {
    /// Starts a gateway in front of `upstream`, with `more` in its configuration, and waits until it is ready.
    pub(crate) fn start(upstream: SocketAddr, more: &str) -> Result<Self, Failure> {
        Self::start_as(Program::Serve { more, log: "info" }, upstream)
    }

    /// Starts `program` in front of `upstream`, and waits until it is ready. What it keeps is on the disk of the target
    /// directory: that of temporary files may be memory, where keeping costs nothing.
    pub(crate) fn start_as(program: Program<'_>, upstream: SocketAddr) -> Result<Self, Failure> {
        let directory = TempDir::new_in(binary()?.parent().ok_or("the program is nowhere")?)?;
        let address = free_address()?;
        let config = directory.path().join("bench.toml");
        let more = if let Program::Serve { more, .. } = program { more } else { "" };
        fs::write(directory.path().join("client-secret"), CLIENT_SECRET)?;
        fs::write(&config, configuration(address, upstream) + more)?;

        let asp = suvidha(
            &config,
            "asp add --name Bench --contact-name Bench --email bench@example.com --phone +911234567890",
        )?;
        let aspid = text(&asp, "aspid")?;
        let (key, public_key) = (PrivateKey::generate_2048(), directory.path().join("asp.pem"));
        fs::write(&public_key, key.public_key().spki_pem())?;
        let certificate = format!("asp cert add {aspid} {} --environment sandbox", public_key.display());
        suvidha(&config, &certificate)?;
        let issued = suvidha(&config, &format!("asp token issue {aspid} --environment sandbox"))?;
        let mut command = match program {
            Program::Serve { log, .. } => {
                let mut command = Command::new(binary()?);
                command.args(["serve", "--log-level", log, "--config"]).arg(&config);
                command
            }
            Program::Bare => bare::command(directory.path(), address, upstream)?,
        };
        let process = command.stderr(Stdio::null()).spawn()?;
        let secret = AspSecret::try_from_slice(text(&asp, "secret")?.as_bytes())?;
        let token = text(&issued, "token")?;
        let gateway = Self { address, aspid, token, secret, key, process, directory };
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

    /// A figure in KiB from `/proc/PID/status`: `VmRSS`, the memory in use, or `VmHWM`, its peak.
    pub(crate) fn resident_kib(&self, figure: &str) -> Result<u64, Failure> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find(|line| line.starts_with(figure)).ok_or("no such figure in /proc")?;
        Ok(line.split_whitespace().nth(1).ok_or("no number in /proc")?.parse()?)
    }

    /// Lets the peak be measured anew (`/proc/PID/clear_refs`).
    pub(crate) fn forget_peak(&self) -> Result<(), Failure> {
        Ok(fs::write(format!("/proc/{}/clear_refs", self.process.id()), "5")?)
    }

    fn wait_until_ready(&self) -> Result<(), Failure> {
        wait_for("the gateway", || self.is_ready().unwrap_or(false))
    }

    fn is_ready(&self) -> Result<bool, Failure> {
        let mut connection = TcpStream::connect(self.address)?;
        connection.write_all(b"GET /readyz HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer)?;
        Ok(answer.starts_with("HTTP/1.1 200"))
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

fn configuration(listen: SocketAddr, upstream: SocketAddr) -> String {
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
[environments.sandbox.upstream]
url = "http://{upstream}"
client_id = "{CLIENT_ID}"
client_secret_file = "client-secret"
"#
    )
}

/// Runs a `suvidha` command and reads its JSON.
fn suvidha(config: &Path, command: &str) -> Result<Value, Failure> {
    let output = Command::new(binary()?)
        .args(command.split(' '))
        .arg("--json")
        .arg("--config")
        .arg(config)
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("suvidha {command}: {}", output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn text(json: &Value, key: &str) -> Result<String, Failure> {
    Ok(json[key].as_str().ok_or_else(|| format!("no {key:?} in {json}"))?.to_owned())
}

/// `suvidha` beside this program, where `cargo xtask bench` has put it.
fn binary() -> Result<PathBuf, Failure> {
    Ok(env::current_exe()?.with_file_name("suvidha"))
}

pub(crate) fn free_address() -> Result<SocketAddr, Failure> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
