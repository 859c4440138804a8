//! Who calls: ASPs in a registry, with all that they may identify themselves by, made through the library that the command uses.

use std::fs;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use gstn::crypto::{AspSecret, PrivateKey};
use gstn::{AspId, Environment};
use suvidha_gateway::mint_session;
use suvidha_seam::Seam;
use suvidha_store::{Limit, NewAsp, NewToken, Registry, SealingKeys};
use tempfile::TempDir;

use crate::Failure;
use crate::process::target_directory;

const ENVIRONMENT: Environment = Environment::Sandbox;

/// How long the sessions last: six hours.
const VALIDITY_MIN: u16 = 360;

/// The headers that say who calls.
pub(crate) type Identity = Vec<(&'static str, String)>;

/// ASPs, and the registry that knows them.
pub(crate) struct Asps {
    pub(crate) all: Vec<Asp>,
    /// The key whose certificate the first of them has registered for GetKey.
    pub(crate) key: PrivateKey,
    registry: Registry,
    directory: TempDir,
}

/// One ASP.
pub(crate) struct Asp {
    pub(crate) aspid: AspId,
    pub(crate) token: String,
    pub(crate) secret: AspSecret,
    /// Calls in a second, where it has a limit of its own.
    pub(crate) per_second: Option<NonZeroU64>,
}

impl Asp {
    /// It calls by its token.
    pub(crate) fn by_token(&self) -> Identity {
        vec![("x-ct-auth-token", self.token.clone())]
    }
}

impl Asps {
    /// Makes so many of them, each with a secret and a token.
    pub(crate) fn make(number: usize) -> Result<Self, Failure> {
        let directory = TempDir::new_in(memory()?)?;
        let seam = Seam::system();
        let sealing = SealingKeys::create_file(&directory.path().join("sealing.key"), &seam)?;
        let registry = Registry::open(&directory.path().join("registry.sqlite"), sealing, seam)?;
        registry.ensure_session_key(ENVIRONMENT)?;
        let all = (0..number).map(|_| added(&registry)).collect::<Result<Vec<_>, _>>()?;
        let key = PrivateKey::generate_2048();
        let first = all.first().ok_or("no ASP was asked for")?;
        registry.add_certificate(&first.aspid, ENVIRONMENT, key.public_key().spki_pem().as_bytes())?;
        Ok(Self { all, key, registry, directory })
    }

    /// Lets one of them call no more than so often.
    pub(crate) fn limit(&mut self, index: usize, per_second: NonZeroU64) -> Result<(), Failure> {
        let asp = &mut self.all[index];
        asp.per_second = Some(per_second);
        self.registry.change_limits(&asp.aspid, ENVIRONMENT, None, |limits| {
            limits.per_second = Some(Limit::AtMost(per_second));
            limits.burst = Some(per_second);
        })?;
        Ok(())
    }

    /// Sessions of all of them in turn, made as GetKey makes them, but without a signature for each.
    pub(crate) fn sessions(&self, number: usize) -> Result<Vec<Identity>, Failure> {
        let seam = Seam::system();
        let snapshot = self.registry.snapshot()?;
        let now = seam.now();
        let master = snapshot.minting_key(ENVIRONMENT, now).ok_or("the registry has no session key")?;
        let session = |asp: &Asp| {
            let (id, key) = mint_session(master, ENVIRONMENT, &asp.aspid, now, VALIDITY_MIN, seam.random());
            let shown = key.seal_asp_secret(&asp.secret);
            vec![("aspid", asp.aspid.to_string()), ("session-id", id), ("asp-secret", shown)]
        };
        Ok(self.all.iter().cycle().take(number).map(session).collect())
    }

    /// Puts a copy of the registry and of its sealing key where a gateway looks for them.
    pub(crate) fn settle_in(&self, place: &Path) -> Result<(), Failure> {
        // What SQLite has not put into the file yet is beside it.
        for entry in fs::read_dir(self.directory.path())? {
            let entry = entry?;
            fs::copy(entry.path(), place.join(entry.file_name()))?;
        }
        Ok(())
    }
}

/// Each ASP is three commits: without a disk ten thousand of them are there in a moment.
fn memory() -> Result<PathBuf, Failure> {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { Ok(memory.to_owned()) } else { target_directory() }
}

fn added(registry: &Registry) -> Result<Asp, Failure> {
    let aspid = registry
        .add_asp(NewAsp {
            name: "Bench".to_owned(),
            contact_name: "Bench".to_owned(),
            email: "bench@example.com".to_owned(),
            phone: "+911234567890".to_owned(),
        })?
        .aspid;
    let enrolment = registry.enrol(&aspid, ENVIRONMENT)?;
    let secret = AspSecret::try_from_slice(enrolment.secret.expose().as_bytes())?;
    let issued = registry.issue_token(&aspid, ENVIRONMENT, NewToken::default())?;
    Ok(Asp { aspid, token: issued.token.expose().to_owned(), secret, per_second: None })
}
