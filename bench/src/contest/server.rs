//! A program of others that serves, from a configuration of ours.

use std::fs::{self, OpenOptions};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::gateway::wait_for;
use crate::{Failure, process};

/// So long a program may take to stop.
const PATIENCE: Duration = Duration::from_secs(5);

/// A running program. It is stopped when this is dropped.
pub(crate) struct Server {
    master: Child,
}

impl Server {
    /// Starts it and waits until it takes connections. What it says goes to `said` in `place`, where it runs.
    pub(crate) fn start(mut command: Command, place: &Path, address: SocketAddr) -> Result<Self, Failure> {
        let said = place.join("said");
        let file = OpenOptions::new().create(true).append(true).open(&said)?;
        command.current_dir(place).stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let name = command.get_program().display().to_string();
        let mut server = Self { master: command.spawn().map_err(|error| format!("{name}: {error}"))? };
        let ready = wait_for(&name, || TcpStream::connect(address).is_ok());
        ready.map_err(|failure| {
            let ended = server.master.try_wait().ok().flatten();
            let ended = ended.map(|status| format!(" (it has ended: {status})")).unwrap_or_default();
            let said = fs::read_to_string(&said).unwrap_or_default();
            format!("{}: {failure}{ended}; it said:\n{said}", command_line(&command))
        })?;
        Ok(server)
    }

    /// It and those that it has started.
    pub(crate) fn processes(&self) -> Result<Vec<u32>, Failure> {
        process::family(self.master.id())
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) -> Result<(), Failure> {
        send(name, self.master.id())
    }
}

/// Sends a signal to a process.
pub(crate) fn send(name: &str, process: u32) -> Result<(), Failure> {
    let status = Command::new("kill").args(["-s", name, &process.to_string()]).status()?;
    if status.success() { Ok(()) } else { Err(format!("kill -s {name} {process}: {status}").into()) }
}

impl Drop for Server {
    fn drop(&mut self) {
        let runs = |master: &mut Child| matches!(master.try_wait(), Ok(None));
        if !runs(&mut self.master) {
            return;
        }
        // The master is asked first, and not killed: killed, it would leave its workers behind.
        let asked = self.signal("TERM");
        let deadline = Instant::now() + PATIENCE;
        while asked.is_ok() && Instant::now() < deadline {
            if !runs(&mut self.master) {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        let _ = self.master.kill();
        let _ = self.master.wait();
    }
}

fn command_line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// A configuration with every `@NAME@` of it replaced.
pub(crate) fn filled(template: &str, values: &[(&str, &str)]) -> Result<String, Failure> {
    let mut text = template.to_owned();
    for (name, value) in values {
        text = text.replace(&format!("@{name}@"), value);
    }
    let mut pieces = text.split('@').skip(1).step_by(2);
    let left =
        pieces.find(|name| !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c == '_'));
    match left {
        None => Ok(text),
        Some(name) => Err(format!("the configuration has a @{name}@ that nobody fills").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_configuration_wants_is_filled_in_and_what_nobody_fills_is_told() {
        let values = [("LISTEN", "127.0.0.1:1"), ("TLS", "")];
        assert_eq!(filled("listen @LISTEN@ @TLS@;", &values).unwrap(), "listen 127.0.0.1:1 ;");
        assert_eq!(filled("\"@type\": a\n\"@type\": b", &[]).unwrap(), "\"@type\": a\n\"@type\": b");
        let failure = filled("listen @LISTEN@ @PLACE@;", &values).unwrap_err();
        assert_eq!(failure.to_string(), "the configuration has a @PLACE@ that nobody fills");
    }
}
