//! Where calls are recorded, and what an answer waits for.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gstn::Environment;
use serde::Deserialize;

/// The ledgers of a gateway: one file for each environment, in one directory. They belong to this gateway alone while it
/// runs; whoever only reads may do so at any time.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    /// Where the files are, on a local file system; made when missing. Cannot be changed by a reload.
    pub directory: PathBuf,
    /// What an answer waits for. Default `strict`.
    #[serde(default)]
    pub durability: Durability,
    /// How long the writer waits for further entries before it writes those that are there, in microseconds: 0 to
    /// 1,000,000. It waits only where entries come in numbers. Default 250. Cannot be changed by a reload.
    #[serde(default = "Ledger::default_gather_us")]
    pub gather_us: u64,
    /// How many whole months (IST) entries are kept, besides the running one: 1 to 1,200. Absent, the default: for ever.
    /// Cannot be changed by a reload.
    #[serde(default)]
    pub retention_months: Option<u16>,
}

/// What an answer waits for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// The last byte of an answer is released only once its entry is on disk: whoever has a whole answer has an entry.
    #[default]
    Strict,
    /// Answers wait for nothing; the entries of the last moment before a crash may be lost.
    Relaxed,
}

impl Ledger {
    /// Ledgers in `directory`, with nothing else set.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        let durability = Durability::default();
        let gather_us = Self::default_gather_us();
        Self { directory: directory.into(), durability, gather_us, retention_months: None }
    }

    fn default_gather_us() -> u64 {
        250
    }

    /// The file of one environment, such as `…/sandbox.sqlite`.
    pub fn file(&self, environment: Environment) -> PathBuf {
        Self::file_in(&self.directory, environment)
    }

    /// The file of one environment in a directory of ledgers.
    pub fn file_in(directory: &Path, environment: Environment) -> PathBuf {
        directory.join(format!("{environment}.sqlite"))
    }

    pub(crate) fn gather(&self) -> Duration {
        Duration::from_micros(self.gather_us)
    }
}
