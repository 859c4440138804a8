//! A sealing key that is lost, damaged, exposed or another one is found before anything starts, and explained.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::command::Place;

const KEY: &str = "suvidha-data/sealing.key";
const CONFIG: &str = "[admin]\nenabled = false\n[environments.sandbox]\nlisten = \"127.0.0.1:0\"\n[environments.production]\nenabled = false\n";

/// Everything that opens the registry.
const COMMANDS: [&str; 4] = [
    "asp list",
    "secret set gstn/sandbox/client-secret",
    "serve --config suvidha.toml",
    "up --listen 127.0.0.1:0",
];

/// A place with a registry and, for another one, a key.
fn place() -> Place {
    let place = Place::new();
    place.write("suvidha.toml", CONFIG);
    place.run_with_input("secret set other/secret", "x\n").succeeds();
    place.run_with_input("secret set other/secret --data elsewhere", "x\n").succeeds();
    place
}

#[test]
fn no_command_starts_with_a_wrong_key() {
    let place = place();
    let key = place.path(KEY);
    let right = fs::read_to_string(&key).unwrap();
    let other = fs::read_to_string(place.path("elsewhere/sealing.key")).unwrap();
    let entry = |ring: &str| {
        ring.lines().last().unwrap().split_once(':').map(|(id, key)| (id.to_owned(), key.to_owned()))
    };
    let ((id, _), (_, other_key)) = (entry(&right).unwrap(), entry(&other).unwrap());
    let same_id = format!("{id}:{other_key}\n");
    let restore = "put it back from its backup: no other key opens what is sealed in the registry";
    let cases = [
        (
            other.as_bytes(),
            vec!["the registry is sealed under key", "start with the key file that belongs to this registry"],
        ),
        (same_id.as_bytes(), vec!["is not the key", "start with the key file that belongs to it"]),
        (b"k1:AAAA", vec!["entry 1 of key file suvidha-data/sealing.key is not a sealing key", restore]),
        (b"# nothing\n", vec!["key file suvidha-data/sealing.key holds no sealing key", restore]),
        (b"\xff\xfe", vec!["cannot read suvidha-data/sealing.key", restore]),
    ];
    for (ring, said) in cases {
        fs::write(&key, ring).unwrap();
        for command in COMMANDS {
            let ended = place.run_with_input(command, "x\n");
            said.iter().for_each(|said| ended.fails(78, said));
            assert!(!ended.err.contains(&other_key), "{command} shows the key: {}", ended.err);
        }
    }
    fs::write(&key, right).unwrap();
    place.run("asp list").succeeds();
}

#[test]
fn a_lost_key_is_not_replaced_by_a_new_one() {
    let place = place();
    fs::remove_file(place.path(KEY)).unwrap();
    for command in COMMANDS {
        let ended = place.run_with_input(command, "x\n");
        ended.fails(78, "the sealing key suvidha-data/sealing.key of the registry is missing");
        ended.fails(78, "put it back from its backup: no other key opens what is sealed in the registry");
        assert!(!place.path(KEY).exists(), "{command} made a new key");
    }
}

#[test]
fn a_key_that_others_can_read_is_refused_until_they_cannot() {
    let place = place();
    let rights = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    for mode in [0o640, 0o604, 0o660] {
        rights(&place.path(KEY), mode);
        for command in COMMANDS {
            let ended = place.run_with_input(command, "x\n");
            ended.fails(
                78,
                &format!("can be read by others (mode {mode:03o}); run: chmod 600 suvidha-data/sealing.key"),
            );
        }
    }
    rights(&place.path(KEY), 0o600);
    place.run("asp list").succeeds();
}

#[test]
fn a_key_in_the_environment_must_be_set() {
    let place = place();
    place.write("suvidha.toml", &format!("{CONFIG}[registry]\nsealing_key_env = \"SUVIDHA_NO_SUCH_KEY\"\n"));
    for command in ["asp list --config suvidha.toml", "serve --config suvidha.toml"] {
        place.run(command).fails(
            78,
            "the environment variable SUVIDHA_NO_SUCH_KEY, which holds the sealing key, is not set",
        );
    }
}
