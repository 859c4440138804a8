//! The protocol checked against other implementations: known answers, and files made by openssl.
#![expect(clippy::unwrap_used, reason = "tests")]

mod files;
mod forms;
mod known_answers;
mod signatures;
mod tampering;

use std::path::PathBuf;

/// A file of `tests/data`.
fn data(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A text file of `tests/data`.
fn text(name: &str) -> String {
    String::from_utf8(data(name)).unwrap()
}
