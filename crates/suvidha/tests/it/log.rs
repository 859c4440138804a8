//! The log of a running gateway, as whoever reads its standard error gets it.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use serde_json::Value;

use crate::admin::fetch;
use crate::command::{PATIENCE, Place, get};

const CONFIG: &str = r#"
[log]
format = "json"
[admin]
listen = "127.0.0.1:0"
[environments.sandbox]
listen = "127.0.0.1:0"
[environments.production]
enabled = false
"#;

/// More lines of them than a pipe holds, which is 64 KiB.
const CALLS: usize = 400;

/// A gateway whose log is read only when the test says so.
struct Gateway {
    process: Child,
    log: Option<BufReader<ChildStderr>>,
}

impl Gateway {
    fn start(place: &Place) -> Self {
        let mut command = place.command("serve --config suvidha.toml");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let log = process.stderr.take().map(BufReader::new);
        Self { process, log }
    }

    /// Reads the log up to the line that says `message`.
    fn read_until(&mut self, message: &str) -> Value {
        let log = self.log.as_mut().unwrap();
        loop {
            let mut line = String::new();
            assert!(log.read_line(&mut line).unwrap() > 0, "it ended before it said {message:?}");
            let line: Value = serde_json::from_str(&line).unwrap();
            if line["message"] == message {
                return line;
            }
        }
    }

    /// Everything else that it says until it ends.
    fn rest(&mut self) -> Receiver<String> {
        let (said, rest) = mpsc::channel();
        let mut log = self.log.take().unwrap();
        thread::spawn(move || {
            let mut text = String::new();
            log.read_to_string(&mut text).unwrap();
            let _ = said.send(text);
        });
        rest
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn calls_go_on_while_nobody_reads_the_log_and_no_line_of_it_is_missing() {
    let place = Place::new();
    place.write("suvidha.toml", CONFIG);
    let mut gateway = Gateway::start(&place);
    let address = |line: Value| format!("http://{}", line["address"].as_str().unwrap());
    let asps = address(gateway.read_until("listening"));
    let admin = address(gateway.read_until("the admin listener is open"));
    for _ in 0..CALLS {
        assert_eq!(get(&format!("{asps}/aspapi/v1.0/nowhere"), "x-y: z").0, 404);
    }
    let (_, metrics) = fetch(&format!("{admin}/metrics"), "x-y: z");
    assert!(metrics.contains("\nsuvidha_log_lines_dropped_total 0\n"), "{metrics}");
    let rest = gateway.rest();
    let pid = gateway.process.id().to_string();
    assert!(std::process::Command::new("kill").args(["-s", "TERM", &pid]).status().unwrap().success());
    let rest = rest.recv_timeout(PATIENCE).unwrap();
    let lines: Vec<Value> = rest.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let calls = lines.iter().filter(|line| line["target"] == "suvidha::call");
    assert_eq!(calls.count(), CALLS);
    assert_eq!(lines.last().unwrap()["message"], "stopped: every call was answered");
}
