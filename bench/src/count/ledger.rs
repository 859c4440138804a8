//! The ledger by itself: entries one after another, each waited for, and entries written as one group.
//!
//! With calls between them they would take seconds, and what the writer does once a second would come into the count, more often
//! the slower the machine is.

use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gstn::envelope::StatusCd;
use gstn::{AspId, Environment};
use suvidha_seam::Seam;
use suvidha_store::PlanKind;
use suvidha_store::ledger::{Entry, Ledger, Observer, Outcome, Release, Ticket};

use crate::Failure;
use crate::counted::threads;

/// How long an entry may take to be written.
const PATIENCE: Duration = Duration::from_secs(60);

/// Writes so many entries, as one group or each as a group of its own. Reports the threads.
pub(crate) fn write(directory: &Path, entries: usize, grouped: bool) -> Result<String, Failure> {
    let seam = Seam::system();
    let ledger = Ledger::open(&directory.join("production.sqlite"), Environment::Production, seam.clone())?;
    let ((tell, told), (leave, left)) = (sync_channel(0), sync_channel(0));
    let observer = Told { tell, left: Mutex::new(left) };
    let writer = ledger.start(Duration::ZERO, None, Arc::new(observer))?;
    let (groups, of_each) = if grouped { (1, entries) } else { (entries, 1) };
    writer.submit(entry(&seam), Release::Held);
    for _ in 0..groups {
        told.recv_timeout(PATIENCE)?;
        // The writer waits: it takes what is submitted now as one group.
        for _ in 0..of_each {
            writer.submit(entry(&seam), Release::Held);
        }
        leave.send(())?;
    }
    told.recv_timeout(PATIENCE)?;
    drop((leave, told));
    let threads = threads()?;
    writer.stop()?;
    Ok(threads)
}

/// Tells of each group that is written, and keeps the writer until it has leave to go on.
struct Told {
    tell: SyncSender<()>,
    left: Mutex<Receiver<()>>,
}

impl Observer for Told {
    fn committed(&self, _: Ticket) {
        // At the end nobody listens any more.
        let told = self.tell.send(());
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = told.map(|()| left.recv());
    }

    fn failed(&self, _: RangeInclusive<Ticket>, _: &[Entry]) {}
}

/// A call as most are.
fn entry(seam: &Seam) -> Entry {
    Entry {
        id: seam.uuid(),
        at: seam.now(),
        aspid: AspId::new(1_000_000_001),
        claimed_aspid: None,
        txn: Some("LAPN24235325555000000001".to_owned()),
        gstin: Some("27AAPFU0939F1ZV".to_owned()),
        ip_usr: Some("203.0.113.77".to_owned()),
        appver: Some("4.12.0".to_owned()),
        method: Some("GET".to_owned()),
        api: Some("taxpayerapi/returns/gstr1".to_owned()),
        action: Some("RETSTATUS".to_owned()),
        version: Some("v4.1".to_owned()),
        status: Some(200),
        status_cd: Some(StatusCd::One),
        error_cd: None,
        origin: None,
        outcome: Outcome::Answered,
        bytes_in: 0,
        bytes_out: 1_024,
        gstn_us: Some(50_000),
        total_us: 51_000,
        plan: Some(PlanKind::Prepaid),
        units: 1,
        admitted: true,
        consent: None,
    }
}
