//! Runs the executable, and keeps servers alive for the length of a test.

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use gstn::ReturnPeriod;
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long anything may take before the test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A directory of its own, in which the command is run.
pub(crate) struct Place(TempDir);

/// How a command ended.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_suvidha"));
        command.args(line.split_whitespace()).current_dir(self.0.path());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SUVIDHA_")) {
            command.env_remove(name);
        }
        command
    }

    /// Runs `suvidha` with the words of `line`.
    pub(crate) fn run(&self, line: &str) -> Ended {
        self.run_with_input(line, "")
    }

    /// Runs `suvidha` with the words of `line` and `input` on its standard input.
    pub(crate) fn run_with_input(&self, line: &str, input: &str) -> Ended {
        run(&mut self.command(line), input)
    }

    /// Runs `suvidha … --json`, which must succeed, and reads its answer.
    pub(crate) fn json(&self, line: &str) -> Value {
        self.run(&format!("{line} --json")).json()
    }

    /// Starts a server, whose output goes to `out` and `err`.
    pub(crate) fn start(&self, line: &str) -> Server {
        self.start_by(&[], line)
    }

    /// Starts a server by way of the program that is the first of `launcher`, which is given the rest of it and then what
    /// it shall run.
    pub(crate) fn start_by(&self, launcher: &[&str], line: &str) -> Server {
        let file = |name| Stdio::from(fs::File::create(self.path(name)).unwrap());
        let mut command = self.command(line);
        if let [program, first @ ..] = launcher {
            let suvidha = std::mem::replace(&mut command, Command::new(program));
            command
                .args(first)
                .arg(suvidha.get_program())
                .args(suvidha.get_args())
                .current_dir(self.0.path());
            for (name, _) in suvidha.get_envs() {
                command.env_remove(name);
            }
        }
        let child = command.stdin(Stdio::null()).stdout(file("out")).stderr(file("err")).spawn().unwrap();
        Server { child, err: self.path("err") }
    }

    /// Starts a gateway that logs in JSON, and learns from its log where it listens.
    pub(crate) fn start_listening(&self, line: &str) -> (Server, String) {
        self.start_listening_by(&[], line)
    }

    /// The same, by another program.
    pub(crate) fn start_listening_by(&self, launcher: &[&str], line: &str) -> (Server, String) {
        let mut gateway = self.start_by(launcher, line);
        gateway.wait_for_log("\"listening\"");
        let log = gateway.log();
        let line = log.lines().find(|line| line.contains("\"listening\"")).unwrap();
        let listening: Value = serde_json::from_str(line).unwrap();
        (gateway, listening["address"].as_str().unwrap().to_owned())
    }

    /// Starts a server with `--ready-file`, and waits for what it writes there.
    pub(crate) fn start_ready(&self, line: &str) -> (Server, Value) {
        self.start_ready_by(&[], line)
    }

    /// The same, by way of another program.
    pub(crate) fn start_ready_by(&self, launcher: &[&str], line: &str) -> (Server, Value) {
        let file = self.path("wanted-ready.json");
        // A file of an earlier start must not be taken for the new one.
        let _ = fs::remove_file(&file);
        let mut server = self.start_by(launcher, &format!("{line} --ready-file {}", file.display()));
        server.wait_until("the ready file is there", || file.exists());
        let ready = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        (server, ready)
    }
}

/// Runs any command with `input` on its standard input.
pub(crate) fn run(command: &mut Command, input: &str) -> Ended {
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let _ended = kill_unless_dropped(child.id());
    // A command that does not read its input may be gone already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let code = output.status.code();
    Ended {
        code: code.unwrap_or_else(|| panic!("{command:?}: did not end by itself")),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Kills a process that is still there when our patience ends, unless what this gives is dropped before.
fn kill_unless_dropped(pid: u32) -> Sender<()> {
    let (ended, watch) = mpsc::channel();
    thread::spawn(move || {
        if watch.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            let _ = Command::new("kill").args(["-s", "KILL", &pid.to_string()]).status();
        }
    });
    ended
}

impl Ended {
    #[track_caller]
    pub(crate) fn json(self) -> Value {
        assert_eq!(self.code, 0, "{}", self.err);
        serde_json::from_str(&self.out).unwrap()
    }

    #[track_caller]
    pub(crate) fn succeeds(&self) {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
    }

    /// The message must say so, and the exit code must be this one.
    #[track_caller]
    pub(crate) fn fails(&self, code: i32, saying: &str) {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        assert!(self.err.contains(saying), "{saying:?} is not in: {}", self.err);
    }
}

/// A running server, killed at the end of the test if it is still there.
pub(crate) struct Server {
    child: Child,
    err: PathBuf,
}

impl Server {
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            match self.child.try_wait().unwrap() {
                Some(status) => return status,
                None if start.elapsed() > PATIENCE => panic!("it does not stop: {}", self.log()),
                None => thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    /// SIGTERM; it must end well.
    pub(crate) fn stop(mut self) {
        self.signal("TERM");
        let status = self.wait();
        assert_eq!(status.code(), Some(0), "{}", self.log());
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.err).unwrap()
    }

    pub(crate) fn wait_until(&mut self, what: &str, mut done: impl FnMut() -> bool) {
        let start = Instant::now();
        while !done() {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("it ended with {status} before {what}: {}", self.log());
            }
            assert!(start.elapsed() < PATIENCE, "waited in vain until {what}: {}", self.log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn wait_for_log(&mut self, text: &str) {
        let err = self.err.clone();
        self.wait_until(text, || fs::read_to_string(&err).unwrap().contains(text));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `GET url` with one more header, over plain HTTP: the status and the body.
pub(crate) fn get(url: &str, header: &str) -> (u16, Value) {
    exchange("GET", url, header, "")
}

/// One call of the sandbox's management that a ready file tells of, with its token: the status and the body.
pub(crate) fn manage(ready: &Value, method: &str, path: &str, json: &Value) -> (u16, Value) {
    try_to_manage(ready, method, path, json).unwrap()
}

/// The same, while the sandbox may be gone at any moment.
pub(crate) fn try_to_manage(
    ready: &Value,
    method: &str,
    path: &str,
    json: &Value,
) -> io::Result<(u16, Value)> {
    let token = fs::read_to_string(ready["gstn_management_token_file"].as_str().unwrap())?;
    let headers = format!("content-type: application/json\r\nauthorization: Bearer {}", token.trim());
    let body = if json.is_null() { String::new() } else { json.to_string() };
    try_to_exchange(method, &format!("{}{path}", ready["gstn_management"].as_str().unwrap()), &headers, &body)
}

/// One request with more headers, `\r\n` between them, over plain HTTP: the status and the body.
pub(crate) fn exchange(method: &str, url: &str, header: &str, body: &str) -> (u16, Value) {
    try_to_exchange(method, url, header, body).unwrap()
}

fn try_to_exchange(method: &str, url: &str, header: &str, body: &str) -> io::Result<(u16, Value)> {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let length = body.len();
    write!(
        stream,
        "{method} /{path} HTTP/1.1\r\nhost: {host}\r\n{header}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let cut_off = || io::Error::from(io::ErrorKind::UnexpectedEof);
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(cut_off)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(cut_off)?;
    Ok((status, serde_json::from_str(body).unwrap_or(Value::String(body.to_owned()))))
}

/// The permission bits of a file.
pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// The current tax period and the `n - 1` before it, with an invoice date in each: GSTN takes no document that is dated in
/// the future or more than 18 months ago.
pub(crate) fn recent_periods(n: usize) -> Vec<(String, String)> {
    let now = suvidha_seam::Seam::system().now().to_string();
    let this_month = ReturnPeriod::new(now[..4].parse().unwrap(), now[5..7].parse().unwrap()).unwrap();
    std::iter::successors(Some(this_month), |period| period.previous())
        .take(n)
        .map(|period| (period.to_string(), format!("01-{:02}-{}", period.month(), period.year())))
        .collect()
}

/// A GSTR-1 with one invoice to Maharashtra from another state.
pub(crate) fn gstr1(gstin: &str, month: &(String, String), inum: &str) -> String {
    gstr1_of(gstin, month, &[inum.to_owned()])
}

/// The same with an invoice for each number.
pub(crate) fn gstr1_of(gstin: &str, (period, date): &(String, String), numbers: &[String]) -> String {
    let invoice = |inum: &String| {
        json!({"inum": inum, "idt": date, "val": 1180, "pos": "27", "rchrg": "N", "inv_typ": "R",
               "itms": [{"num": 1, "itm_det": {"rt": 18, "txval": 1000, "iamt": 180, "csamt": 0}}]})
    };
    let invoices: Vec<_> = numbers.iter().map(invoice).collect();
    json!({"gstin": gstin, "fp": period, "b2b": [{"ctin": "27AAPFU0939F1ZV", "inv": invoices}]}).to_string()
}
