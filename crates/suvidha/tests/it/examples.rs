//! `examples/getkey`: the clients in other languages, run as its README says, against the real gateway.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use serde_json::Value;

use crate::command::{Ended, PATIENCE, Place, Server, run};

/// How each client is run, what must be there for it, and the packages of Debian that bring it.
const CLIENTS: [(&str, &str, &str); 4] = [
    ("sh examples/getkey/getkey.sh", "openssl version && curl --version", "openssl curl"),
    ("python3 examples/getkey/getkey.py", "python3 -c 'import cryptography'", "python3 python3-cryptography"),
    ("node examples/getkey/getkey.mjs", "node -e 'if (!globalThis.fetch) process.exit(1)'", "nodejs"),
    ("java examples/getkey/GetKey.java", "javac --version", "default-jdk-headless"),
];

const KEY: &str = "examples/getkey/vectors-key.pem";

/// The examples, to be run in a directory of one's own.
struct Examples {
    place: Place,
    path: String,
}

impl Examples {
    /// A tool that is missing fails the test: nothing is skipped.
    fn new() -> Self {
        let place = Place::new();
        std::os::unix::fs::symlink(directory().join(".."), place.path("examples")).unwrap();
        let mut examples = Self { place, path: env::var("PATH").unwrap() };
        // The first Python may be one without the package that Debian's has.
        if examples.shell("python3 -c 'import cryptography'", &[]).code != 0 {
            examples.path = format!("/usr/bin:{}", examples.path);
        }
        for (client, needs, packages) in CLIENTS {
            let there = examples.shell(needs, &[]);
            assert_eq!(there.code, 0, "{client} needs: apt-get install {packages}\n{}", there.err);
        }
        examples
    }

    /// Runs commands in a shell, with these settings and no other ones.
    fn shell(&self, script: &str, settings: &[(&str, &str)]) -> Ended {
        let mut command = Command::new("sh");
        command.args(["-e", "-c", script]).current_dir(self.place.path(".")).env("PATH", &self.path);
        for (name, _) in env::vars().filter(|(name, _)| name.starts_with("SUVIDHA_")) {
            command.env_remove(name);
        }
        // What some environments make Java say on standard error.
        command.env_remove("JAVA_TOOL_OPTIONS").envs(settings.iter().copied());
        run(&mut command, "")
    }

    /// Starts `suvidha up` with its data where the README expects them.
    fn up(&self) -> (Server, Value) {
        self.place.start_ready("up --listen 127.0.0.1:0")
    }
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/getkey")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// The blocks of shell in the README: what takes up the settings, the clients, and their self-tests.
fn blocks() -> Vec<String> {
    let readme = fs::read_to_string(directory().join("README.md")).unwrap();
    readme.split("```sh\n").skip(1).map(|rest| rest.split_once("```").unwrap().0.to_owned()).collect()
}

/// The demo ASP's settings, with the gateway at `url`.
fn settings<'a>(ready: &'a Value, url: &'a str) -> Vec<(&'static str, &'a str)> {
    let asp = &ready["asp"];
    vec![
        ("SUVIDHA_GATEWAY", url),
        ("SUVIDHA_ASPID", text(&asp["aspid"])),
        ("SUVIDHA_ASP_SECRET", text(&asp["secret"])),
        ("SUVIDHA_ASP_KEY", text(&asp["private_key"])),
    ]
}

/// The session ids that a client printed, in a conversation of this form: `s` is a session, `c` a call that succeeded.
#[track_caller]
fn sessions(client: &str, ended: &Ended, form: &str) -> Vec<String> {
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{client}: {}", ended.out);
    let mut sessions = Vec::new();
    let told: String = ended
        .out
        .lines()
        .map(|line| match line.strip_prefix("session_id=") {
            Some(session) => {
                let (id, validity) = session.split_once(' ').unwrap();
                assert_eq!((id.len(), validity), (31, "validity_min=360"), "{client}: {line}");
                sessions.push(id.to_owned());
                's'
            }
            None => {
                assert_eq!(line, "search status_cd=1", "{client}");
                'c'
            }
        })
        .collect();
    assert_eq!(told, form, "{client}");
    let different: BTreeSet<_> = sessions.iter().collect();
    assert_eq!(different.len(), sessions.len(), "{client}: {}", ended.out);
    sessions
}

#[test]
fn every_client_gives_the_known_answers_and_tells_false_ones() {
    let examples = Examples::new();
    let [_, _, selftests] = &blocks()[..] else { panic!("three blocks of shell") };
    let ended = examples.shell(selftests, &[]);
    ended.succeeds();
    assert_eq!(ended.out.lines().filter(|line| line.starts_with("ok ")).count(), 4 * 6, "{}", ended.out);
    assert_eq!(ended.out.lines().count(), 4 * 6, "{}", ended.out);

    let known = fs::read_to_string(directory().join("vectors.json")).unwrap();
    let mut results: Value = serde_json::from_str(&known).unwrap();
    for name in ["session_key_b64", "asp_secret_header"] {
        falsify(&mut results[name], 0);
    }
    for signature in results["signatures"].as_array_mut().unwrap() {
        falsify(&mut signature["signed_content"], 0);
    }
    examples.place.write("results.json", &format!("{results:#}"));
    let mut another_secret: Value = serde_json::from_str(&known).unwrap();
    falsify(&mut another_secret["enc_key"], 63);
    examples.place.write("enc_key.json", &format!("{another_secret:#}"));
    for (client, ..) in CLIENTS {
        let selftest =
            |file: &str| examples.shell(&format!("{client} --selftest {file}"), &[("SUVIDHA_ASP_KEY", KEY)]);
        let ended = selftest("results.json");
        assert_eq!(ended.code, 1, "{client}");
        assert_eq!(ended.out.matches("WRONG ").count(), 6, "{client}: {}", ended.out);
        selftest("enc_key.json").fails(1, "enc_key does not open");
    }
}

/// Another text, of the same form.
fn falsify(text: &mut Value, at: usize) {
    let mut letters: Vec<char> = text.as_str().unwrap().chars().collect();
    letters[at] = if letters[at] == 'A' { 'B' } else { 'A' };
    *text = letters.into_iter().collect::<String>().into();
}

#[test]
fn the_known_answers_are_those_of_the_protocol_and_the_readme_shows_them() {
    let known: Value = json_file(&directory().join("vectors.json"));
    let protocol = Path::new(env!("CARGO_MANIFEST_DIR")).join("../gstn/tests/data/vectors.json");
    let protocol = json_file(&protocol)["getkey"].take();
    for (name, value) in known.as_object().unwrap() {
        assert_eq!(*value, protocol[name], "{name}");
    }
    let readme = fs::read_to_string(directory().join("README.md")).unwrap();
    let mut shown = vec![&known["signatures"][0]["timestamp"], &known["signatures"][0]["signed_content"]];
    for name in ["aspid", "asp_secret", "enc_key", "session_key_b64", "asp_secret_header"] {
        shown.push(&known[name]);
    }
    for value in shown {
        assert!(readme.contains(text(value)), "{value} is not in the README");
    }
}

fn json_file(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn every_client_opens_a_session_calls_and_renews() {
    let examples = Examples::new();
    let (server, _) = examples.up();
    let [take_settings, clients, _] = &blocks()[..] else { panic!("three blocks of shell") };
    assert_eq!(clients.lines().collect::<Vec<_>>(), CLIENTS.map(|(client, ..)| client));
    for client in clients.lines() {
        let ended = examples.shell(&format!("{take_settings}\n{client}"), &[]);
        sessions(client, &ended, "scsc");
    }
    server.stop();
}

#[test]
fn every_client_replaces_a_session_that_was_revoked() {
    let examples = Arc::new(Examples::new());
    let (server, ready) = examples.up();
    for (client, ..) in CLIENTS {
        let (revoking, searches) = (Arc::clone(&examples), AtomicUsize::new(0));
        let revoke = format!("asp sessions revoke {}", text(&ready["asp"]["aspid"]));
        let relay = Relay::start(&ready, move |request, gateway| {
            if request.contains("/search?") && searches.fetch_add(1, Ordering::SeqCst) == 0 {
                revoking.place.json(&revoke);
                // What is opened within the second of the revocation is revoked, too.
                thread::sleep(Duration::from_millis(1100));
                return gateway.ask_until(&request, "GSP022");
            }
            gateway.ask(&request)
        });
        let ended = examples.shell(client, &settings(&ready, &relay.url));
        sessions(client, &ended, "sscsc");
        for request in relay.requests.lock().unwrap().iter() {
            let secret = text(&ready["asp"]["secret"]);
            assert!(!request.contains(secret), "{client} sends the secret in the open: {request}");
        }
    }
    server.stop();
}

#[test]
fn every_client_opens_a_session_with_either_secret_while_it_changes() {
    let examples = Examples::new();
    let (mut server, ready) = examples.up();
    let aspid = text(&ready["asp"]["aspid"]);
    let rotated =
        examples.place.json(&format!("asp secret rotate {aspid} --environment sandbox --overlap 1h"));
    let old = settings(&ready, text(&ready["environments"]["sandbox"]));
    let mut new = old.clone();
    new.push(("SUVIDHA_ASP_SECRET", text(&rotated["secret"])));
    let (first, ..) = CLIENTS[0];
    server.wait_until("the gateway knows the new secret", || examples.shell(first, &new).code == 0);
    for (client, ..) in CLIENTS {
        sessions(client, &examples.shell(client, &old), "scsc");
        sessions(client, &examples.shell(client, &new), "scsc");
    }
    server.stop();
}

#[test]
fn every_client_tells_a_refusal_with_its_code_and_remedy() {
    let examples = Examples::new();
    let (server, ready) = examples.up();
    // The last letter belongs to the block of padding: what is left is not 32 bytes.
    let relay = Relay::start(&ready, |request, gateway| gateway.ask(&altered(&request, "asp-secret")));
    for (client, ..) in CLIENTS {
        let ended = examples.shell(client, &settings(&ready, &relay.url));
        ended.fails(1, "error: GSP017 (HTTP 401) ");
        ended.fails(1, "\nremedy: ");
    }
    let url = text(&ready["environments"]["sandbox"]);
    for (name, value, saying) in [
        ("SUVIDHA_ASP_KEY", KEY, "error: GSP014 (HTTP 401) "),
        ("SUVIDHA_ASP_SECRET", "jbSQ2dcV9kd9PfeYZmjWYigAqk7dbdST", "enc_key does not open"),
        ("SUVIDHA_ASP_SECRET", "the-account-password", "SUVIDHA_ASP_SECRET must have 32 characters"),
        ("SUVIDHA_ASP_KEY", text(&ready["asp"]["certificate"]), text(&ready["asp"]["certificate"])),
        ("SUVIDHA_GATEWAY", "http://127.0.0.1:1", "no answer from http://127.0.0.1:1"),
        ("SUVIDHA_ASPID", "", "SUVIDHA_ASPID"),
    ] {
        let mut settings = settings(&ready, url);
        settings.push((name, value));
        for (client, ..) in CLIENTS {
            let ended = examples.shell(client, &settings);
            assert_ne!(ended.code, 0, "{client}: {}", ended.out);
            assert!(ended.err.contains(saying), "{client}: {saying:?} is not in: {}", ended.err);
            assert!(!ended.err.contains(text(&ready["asp"]["secret"])), "{client}: {}", ended.err);
        }
    }
    server.stop();
}

#[test]
fn every_client_tells_that_its_secret_was_replaced_under_its_session() {
    let examples = Arc::new(Examples::new());
    let (server, ready) = examples.up();
    let secret = Arc::new(Mutex::new(text(&ready["asp"]["secret"]).to_owned()));
    for (client, ..) in CLIENTS {
        let (replacing, newest) = (Arc::clone(&examples), Arc::clone(&secret));
        let aspid = text(&ready["asp"]["aspid"]);
        let replace = format!("asp secret rotate {aspid} --environment sandbox --overlap 0s");
        let relay = Relay::start(&ready, move |request, gateway| {
            if !request.contains("/search?") {
                return gateway.ask(&request);
            }
            let replaced = replacing.place.json(&replace);
            text(&replaced["secret"]).clone_into(&mut newest.lock().unwrap());
            gateway.ask_until(&request, "GSP018")
        });
        let own = secret.lock().unwrap().clone();
        let mut settings = settings(&ready, &relay.url);
        settings.push(("SUVIDHA_ASP_SECRET", &own));
        let ended = examples.shell(client, &settings);
        ended.fails(1, "error: GSP018 (HTTP 401) ");
        ended.fails(1, "\nremedy: ");
    }
    server.stop();
}

#[test]
fn every_client_trusts_the_named_authority_and_no_other() {
    let examples = Examples::new();
    let place = &examples.place;
    place.json("tls dev-ca");
    place.write("suvidha.toml", TLS);
    let asp = place.json(
        "asp add --config suvidha.toml --name Tools --contact-name Asha --email a@example.in --phone +919876543210",
    );
    let aspid = text(&asp["aspid"]);
    examples.shell(&format!("openssl pkey -in {KEY} -pubout -out asp.pem"), &[]).succeeds();
    place.json(&format!("asp cert add {aspid} asp.pem --environment sandbox --config suvidha.toml"));
    let (gateway, address) = place.start_listening("serve --config suvidha.toml");
    let url = format!("https://{address}");

    let mut settings = vec![
        ("SUVIDHA_GATEWAY", &*url),
        ("SUVIDHA_ASPID", aspid),
        ("SUVIDHA_ASP_SECRET", text(&asp["secret"])),
        ("SUVIDHA_ASP_KEY", KEY),
    ];
    for (client, ..) in CLIENTS {
        let untrusting = examples.shell(client, &settings);
        assert_ne!(untrusting.code, 0, "{client}: {}", untrusting.out);
        assert!(untrusting.err.contains("certificat"), "{client}: {}", untrusting.err);
        assert_eq!(untrusting.out, "", "{client}");
    }
    settings.push(("SUVIDHA_CA", "tls/ca.pem"));
    for (client, ..) in CLIENTS {
        let trusting = examples.shell(client, &settings);
        assert!(trusting.out.starts_with("session_id="), "{client}: {}{}", trusting.out, trusting.err);
        trusting.fails(1, "error: GSP640 (HTTP 503) ");
    }
    gateway.stop();
}

/// HTTPS for ASPs, and no GSTN behind it.
const TLS: &str = r#"
[log]
format = "json"
[admin]
enabled = false
[environments.sandbox]
listen = "127.0.0.1:0"
[environments.sandbox.tls]
certificate = "tls/server.pem"
key = "tls/server-key.pem"
[environments.production]
enabled = false
"#;

/// The request with another last letter in the value of a header, if it has that.
fn altered(request: &str, header: &str) -> String {
    let start = request.to_ascii_lowercase().find(&format!("\r\n{header}: "));
    let Some(start) = start.map(|at| at + 2) else { return request.to_owned() };
    let last = start + request[start..].find("\r\n").unwrap() - 1;
    let letter = if &request[last..=last] == "A" { "B" } else { "A" };
    format!("{}{letter}{}", &request[..last], &request[last + 1..])
}

/// Stands between a client and the gateway's sandbox listener.
struct Relay {
    url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Relay {
    /// Every request is answered with what `answer` makes of it.
    fn start(ready: &Value, answer: impl Fn(String, &Behind) -> String + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let gateway =
            Behind(text(&ready["environments"]["sandbox"]).strip_prefix("http://").unwrap().to_owned());
        thread::spawn(move || {
            for connection in listener.incoming() {
                let mut connection = connection.unwrap();
                let request = read_request(&mut connection);
                seen.lock().unwrap().push(request.clone());
                // A client that has given up is no failure of ours.
                let _ = connection.write_all(answer(request, &gateway).as_bytes());
            }
        });
        Self { url, requests }
    }
}

/// The gateway behind a [`Relay`].
struct Behind(String);

impl Behind {
    fn ask(&self, request: &str) -> String {
        let mut connection = TcpStream::connect(&self.0).unwrap();
        connection.set_read_timeout(Some(PATIENCE)).unwrap();
        connection.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Asks again until the answer says `wanted`.
    fn ask_until(&self, request: &str, wanted: &str) -> String {
        let start = Instant::now();
        loop {
            let answer = self.ask(request);
            if answer.contains(wanted) || start.elapsed() > PATIENCE {
                return answer;
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// One request, changed in that its connection ends with it.
fn read_request(connection: &mut TcpStream) -> String {
    let mut request = String::new();
    let mut reader = BufReader::new(connection);
    let mut length = 0;
    while !request.ends_with("\r\n\r\n") {
        let mut line = String::new();
        // The connection of a client that only looked whether we are there ends here.
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return request;
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            request += "connection: close\r\n";
        }
        if !lower.starts_with("connection:") {
            request += &line;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    request + std::str::from_utf8(&body).unwrap()
}
