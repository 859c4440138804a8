//! The one thread that may block: it follows the registry, tells it which credentials are in use, and notices
//! when a file of the configuration has changed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, SystemTime};

use suvidha_store::{Registry, StoreError};
use tracing::{info, warn};

use crate::gateway::House;
use crate::plane::Plane;

/// A change in the registry is in force after this long, and the time it takes to read it.
const BEAT: Duration = Duration::from_millis(500);

/// Keeps house until the sender of `stop` is gone.
pub(crate) fn keep(house: &House, registry: &Registry, stop: &Receiver<()>) {
    let mut files = stamps(house);
    while stop.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
        if let Err(error) = follow(&house.plane, registry) {
            warn!(target: "suvidha::gateway", %error, "cannot read the registry; what was last read stays in force");
        }
        report_uses(&house.plane, registry);
        let now = stamps(house);
        if now != files {
            match house.read_files_again() {
                Ok(()) => {
                    info!(target: "suvidha::gateway", "a file of the configuration changed and was read again")
                }
                Err(error) => {
                    warn!(target: "suvidha::gateway", %error, "a file of the configuration changed and cannot be used; what was last read stays in force");
                }
            }
            // What changed while they were read is noticed at the next beat.
            files = now;
        }
    }
    report_uses(&house.plane, registry);
}

fn follow(plane: &Plane, registry: &Registry) -> Result<(), StoreError> {
    if registry.version()? != plane.snapshot.load().version() {
        plane.snapshot.store(Arc::new(registry.snapshot()?));
    }
    Ok(())
}

fn report_uses(plane: &Plane, registry: &Registry) {
    let uses = plane.take_touched();
    if let Err(error) = registry.touch(&uses) {
        warn!(target: "suvidha::gateway", %error, "cannot note when credentials were last used");
    }
}

/// Where the configuration's files stand: when each was last written, and how long it is.
fn stamps(house: &House) -> Vec<(PathBuf, Option<(SystemTime, u64)>)> {
    house.files().into_iter().map(|path| (path.clone(), stamp(&path))).collect()
}

fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
