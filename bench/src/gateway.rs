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

use crate::Failure;

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
    _directory: TempDir,
}

impl Gateway {
    /// Starts a gateway in front of `upstream`, with `more` in its configuration, and waits until it is ready.
    pub(crate) fn start(upstream: SocketAddr, more: &str) -> Result<Self, Failure> {
        let directory = tempfile::tempdir()?;
        let address = free_address()?;
        let config = directory.path().join("bench.toml");
        fs::write(directory.path().join("client-secret"), "0123456789abcdef0123456789abcdef")?;
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
        let process = Command::new(binary()?)
            .args(["serve", "--log-level", "info", "--config"])
            .arg(&config)
            .stderr(Stdio::null())
            .spawn()?;
        let secret = AspSecret::try_from_slice(text(&asp, "secret")?.as_bytes())?;
        let token = text(&issued, "token")?;
        let gateway = Self { address, aspid, token, secret, key, process, _directory: directory };
        gateway.wait_until_ready()?;
        Ok(gateway)
    }

    /// CPU time that its process has used, in the kernel's hundredths of a second (`/proc/PID/stat`).
    pub(crate) fn cpu_time(&self) -> Result<Duration, Failure> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id()))?;
        // The name of the process, in parentheses, may hold anything; user and system time are the 12th and 13th after it.
        let (_, fields) = stat.rsplit_once(')').ok_or("no name in /proc/PID/stat")?;
        let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
        Ok(Duration::from_millis(10 * ticks.sum::<Result<u64, _>>()?))
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
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            if self.is_ready().unwrap_or(false) {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(50));
        }
        Err("the gateway did not become ready".into())
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

fn configuration(listen: SocketAddr, upstream: SocketAddr) -> String {
    format!(
        r#"
[registry]
path = "registry.sqlite"
sealing_key_file = "sealing.key"
[environments.production]
enabled = false
[environments.sandbox]
listen = "{listen}"
[environments.sandbox.upstream]
url = "http://{upstream}"
client_id = "l7xx0123456789abcdef0123456789abcdef"
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

fn free_address() -> Result<SocketAddr, Failure> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
