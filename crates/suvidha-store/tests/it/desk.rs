//! An operator's desk: a directory with a registry and its key file, and a clock that stands still.

use std::path::PathBuf;
use std::sync::Arc;

use gstn::{AspId, Environment};
use jiff::{SignedDuration, Timestamp};
use suvidha_seam::{ManualClock, Seam, SystemRng};
use suvidha_store::{NewAsp, NewToken, Registry, SealingKeys, Snapshot, StoreError, TokenLookup};

pub(crate) use gstn::Environment::{Production, Sandbox};

pub(crate) struct Desk {
    directory: tempfile::TempDir,
    clock: Arc<ManualClock>,
    pub(crate) keys: SealingKeys,
    pub(crate) registry: Registry,
}

impl Desk {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at("2026-11-22T10:15:30Z".parse().unwrap()));
        let seam = Seam { clock: clock.clone(), rng: Arc::new(SystemRng) };
        let keys = SealingKeys::create_file(&directory.path().join("sealing.keys"), &seam).unwrap();
        let registry = Registry::open(&directory.path().join("registry.db"), keys.clone(), seam).unwrap();
        Self { directory, clock, keys, registry }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn seam(&self) -> Seam {
        Seam { clock: self.clock.clone(), rng: Arc::new(SystemRng) }
    }

    /// What another process does: a connection of its own on the same file.
    pub(crate) fn open(&self, keys: SealingKeys) -> Result<Registry, StoreError> {
        Registry::open(&self.path("registry.db"), keys, self.seam())
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.seam().now()
    }

    pub(crate) fn in_minutes(&self, minutes: i64) -> Timestamp {
        self.now() + SignedDuration::from_mins(minutes)
    }

    pub(crate) fn wait_minutes(&self, minutes: i64) {
        self.wait_milliseconds(minutes * 60_000);
    }

    pub(crate) fn wait_milliseconds(&self, milliseconds: i64) {
        self.clock.advance(milliseconds);
    }

    pub(crate) fn set_time(&self, at: &str) {
        self.clock.set(at.parse().unwrap());
    }

    pub(crate) fn an_asp(&self) -> AspId {
        self.registry.add_asp(acme()).unwrap().aspid
    }

    pub(crate) fn a_token(&self, aspid: &AspId, environment: Environment) -> String {
        let issued = self.registry.issue_token(aspid, environment, NewToken::default()).unwrap();
        issued.token.expose().to_owned()
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        self.registry.snapshot().unwrap()
    }

    /// Everything the registry has put on the disk.
    pub(crate) fn files(&self) -> Vec<(String, Vec<u8>)> {
        std::fs::read_dir(self.directory.path())
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()))
            .filter(|(name, _)| name.starts_with("registry.db"))
            .collect()
    }
}

pub(crate) fn acme() -> NewAsp {
    NewAsp {
        name: "Acme Taxes Pvt Ltd".to_owned(),
        contact_name: "Asha Rao".to_owned(),
        email: "asha@acme.example.in".to_owned(),
        phone: "+91 98765 43210".to_owned(),
    }
}

/// The ASP that a lookup found, or what it found instead.
pub(crate) fn who(lookup: TokenLookup<'_>) -> Result<AspId, TokenLookup<'_>> {
    match lookup {
        TokenLookup::Found { asp, .. } => Ok(asp.aspid),
        other => Err(other),
    }
}
