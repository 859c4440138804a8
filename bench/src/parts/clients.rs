//! The same payload in a client of another language.

use std::process::Command;

use gstn::crypto::{Sek, sha256_hex};
use serde_json::{Value, json};

use crate::figures::median;

const SCRIPT: &str = include_str!("../../benches/parts/payload.py");

/// What the script seals, and under which key.
const INVOICE: &[u8] =
    br#"{"inum":"S008400","idt":"24-11-2026","val":729248.16,"pos":"06","rchrg":"N","inv_typ":"R"},"#;
const BYTES: usize = 10_000_000;
const KEY: [u8; 32] = [7; 32];

/// What a client took.
#[derive(Debug)]
pub(crate) struct Client {
    /// Its language and library, with their versions.
    pub(crate) what: String,
    /// Medians, in nanoseconds.
    pub(crate) seal: f64,
    pub(crate) open: f64,
}

impl Client {
    pub(crate) fn raw(&self) -> Value {
        json!({ "what": self.what, "seal_nanoseconds": self.seal, "open_nanoseconds": self.open })
    }
}

/// The first Python on the path that has the package `cryptography`, or Debian's own.
pub(crate) fn python() -> Result<Client, String> {
    let has_package = |python: &&str| {
        let asked = Command::new(python).args(["-c", "import cryptography"]).output();
        asked.is_ok_and(|output| output.status.success())
    };
    let python = ["python3", "/usr/bin/python3"].into_iter().find(has_package).ok_or(
        "Python with `cryptography` is missing: `apt-get install python3-cryptography`, or `pip install cryptography`",
    )?;
    let output = Command::new(python).args(["-c", SCRIPT]).output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(format!("the client in Python failed: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let json: Vec<u8> = INVOICE.iter().copied().cycle().take(BYTES).collect();
    let sealed = Sek::from_bytes(KEY).encrypt_request(&json);
    understood(&output.stdout, &sha256_hex(sealed.data.as_bytes()))
}

/// What the client told, if it sealed what we seal.
fn understood(told: &[u8], sha256: &str) -> Result<Client, String> {
    let told: Value = serde_json::from_slice(told).map_err(|error| error.to_string())?;
    if told["sha256"] != sha256 {
        return Err("the client in Python sealed the same payload to something else".to_owned());
    }
    let nanoseconds = |name: &str| {
        let seconds = told[name].as_array()?.iter().map(Value::as_f64).collect::<Option<Vec<_>>>()?;
        median(seconds).map(|seconds| seconds * 1e9)
    };
    let what = told["what"].as_str().map(str::to_owned);
    match (what, nanoseconds("seal"), nanoseconds("open")) {
        (Some(what), Some(seal), Some(open)) => Ok(Client { what, seal, open }),
        _ => Err(format!("the client in Python told something else: {told}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_counts_only_if_it_does_the_same() {
        let told = br#"{"what":"P","sha256":"ab","seal":[3,1,2],"open":[0.5]}"#;
        let client = understood(told, "ab").unwrap();
        assert_eq!((client.seal, client.open), (2e9, 5e8));
        assert!(understood(told, "cd").unwrap_err().contains("something else"));
        assert!(understood(br#"{"sha256":"ab"}"#, "ab").is_err());
    }
}
