//! The one thread that may block: it follows the registry, tells it what is in use, makes the first master key of sessions,
//! registers certificates on behalf of calls, warns of those that will expire and of a ledger that cannot be written, and
//! notices when a file of the configuration has changed.

mod expiry;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime};

use gstn::{AspId, Environment};
use jiff::SignedDuration;
use suvidha_store::{Registry, Replacement, StoreError};
use tokio::sync::oneshot;
use tracing::{error, info, warn};

use self::expiry::Expiries;
use crate::gateway::House;
use crate::plane;
use crate::recorder::Recorder;

/// A change in the registry is in force after this long, and the time it takes to read it.
const BEAT: Duration = Duration::from_millis(500);

/// For so long the keeper waits for another process that is writing to the registry: a revocation must not wait behind
/// what can be done later.
pub(crate) const PATIENCE: Duration = Duration::from_millis(250);

/// What calls ask of the keeper, for they may not block.
pub(crate) enum Errand {
    ReplaceCertificates(NewCertificate),
    /// Come to rest.
    Stop,
}

/// A certificate that is to take the place of all others of an ASP in an environment.
pub(crate) struct NewCertificate {
    pub(crate) aspid: AspId,
    pub(crate) environment: Environment,
    /// In DER or PEM.
    pub(crate) offered: Vec<u8>,
    /// For so long the others stay good.
    pub(crate) overlap: SignedDuration,
    /// Answered when the certificate is in force.
    pub(crate) reply: oneshot::Sender<Result<Replacement, StoreError>>,
}

/// Keeps house until it is told to stop.
pub(crate) fn keep(house: &House, registry: &Registry, errands: &Receiver<Errand>) {
    let mut keeper = Keeper { house, registry, files: stamps(house), expiries: Expiries::default() };
    surely(|| keeper.expiries.warn(house));
    let mut next_round = Instant::now() + BEAT;
    loop {
        let rest = next_round.saturating_duration_since(Instant::now());
        if rest.is_zero() {
            surely(|| keeper.round());
            next_round = Instant::now() + BEAT;
            continue;
        }
        match errands.recv_timeout(rest) {
            Ok(Errand::ReplaceCertificates(new)) => surely(|| keeper.replace_certificates(new)),
            Ok(Errand::Stop) | Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
    keeper.report_uses();
}

/// Does one thing and outlives its panic: without the keeper no revocation would reach the calls again.
fn surely(work: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(work)).is_err() {
        error!(target: "suvidha::gateway", "the keeper panicked in one of its tasks and goes on with the next");
    }
}

struct Keeper<'a> {
    house: &'a House,
    registry: &'a Registry,
    files: Vec<(PathBuf, Stamp)>,
    expiries: Expiries,
}

impl Keeper<'_> {
    fn round(&mut self) {
        if let Err(error) = self.follow() {
            warn!(target: "suvidha::gateway", %error, "cannot read the registry; what was last read stays in force");
        }
        if let Err(error) = self.ensure_session_keys() {
            warn!(target: "suvidha::gateway", %error, "cannot make a master key for sessions");
        }
        self.house.recorders().for_each(Recorder::tell_health);
        self.expiries.warn(self.house);
        self.report_uses();
        self.read_changed_files();
    }

    fn follow(&self) -> Result<(), StoreError> {
        let plane = &self.house.plane;
        if self.registry.version()? != plane.snapshot.load().version() {
            plane.snapshot.store(Arc::new(plane::snapshot_of(self.registry)?));
        }
        Ok(())
    }

    /// A reload may have switched sessions on where there were none. The key is in force from the next round on.
    fn ensure_session_keys(&self) -> Result<(), StoreError> {
        let snapshot = self.house.plane.snapshot.load();
        let mut without = self.house.environments_with_sessions();
        without.retain(|environment| snapshot.session_keys(*environment).is_empty());
        without.into_iter().try_for_each(|environment| self.registry.ensure_session_key(environment))
    }

    /// Tells the registry what was used. What cannot be told now is told in the next round.
    fn report_uses(&self) {
        let plane = &self.house.plane;
        let uses = plane.take_touched();
        let Err(error) = self.registry.touch(&uses) else { return };
        plane.put_back(uses);
        if !matches!(error, StoreError::Busy) {
            warn!(target: "suvidha::gateway", %error, "cannot note when credentials were last used");
        }
    }

    fn read_changed_files(&mut self) {
        let now = stamps(self.house);
        if now == self.files {
            return;
        }
        match self.house.read_files_again() {
            Ok(()) => {
                info!(target: "suvidha::gateway", "a file of the configuration changed and was read again")
            }
            Err(error) => {
                warn!(target: "suvidha::gateway", %error, "a file of the configuration changed and cannot be used; what was last read stays in force");
            }
        }
        // What changed while they were read is noticed at the next round.
        self.files = now;
    }

    fn replace_certificates(&self, new: NewCertificate) {
        let NewCertificate { aspid, environment, offered, overlap, reply } = new;
        let replaced = self.registry.replace_certificates(&aspid, environment, &offered, overlap);
        let replaced = replaced.and_then(|replacement| {
            self.follow()?;
            warn!(
                target: "suvidha::gateway",
                aspid = aspid.as_str(),
                environment = environment.as_str(),
                certificate = replacement.certificate.id.as_i64(),
                sha256 = replacement.certificate.certificate_sha256,
                key_sha256 = replacement.certificate.key_sha256,
                "an ASP has replaced its signing certificate"
            );
            Ok(replacement)
        });
        // Whoever asked may have hung up; what was done stays done.
        let _ = reply.send(replaced);
    }
}

/// When a file was last written, and how long it is.
type Stamp = Option<(SystemTime, u64)>;

/// Where the configuration's files stand.
fn stamps(house: &House) -> Vec<(PathBuf, Stamp)> {
    house.files().into_iter().map(|path| (path.clone(), stamp(&path))).collect()
}

fn stamp(path: &Path) -> Stamp {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
