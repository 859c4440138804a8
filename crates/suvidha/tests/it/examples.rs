//! `examples/getkey`: the clients in other languages, run as its README says, against the real gateway.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use serde_json::Value;

use crate::command::{Ended, Place, run};

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
