//! Makes the files of large lists, one list after the other, in the order in which they were asked for.
//!
//! The documents are read a stretch at a time, each in a transaction of its own: a save in between shows in the
//! stretches after it. A list that was under way when the sandbox ended is begun anew.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::archive::{self, Archive};
use super::source::{self, Place};
use super::store::{self, LargeList, State};
use crate::fault::Fault;
use crate::simulator::Simulator;
use crate::taxpayers;

/// How long the maker rests when the database fails it.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Makes files until `stop` turns true.
pub(crate) async fn work(simulator: Arc<Simulator>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        let maker = simulator.clone();
        let stopping = stop.clone();
        let made = tokio::task::spawn_blocking(move || make_all(&maker, &stopping)).await;
        let failed = !matches!(made, Ok(Ok(())));
        if let Ok(Err(error)) = made {
            tracing::error!(%error, "the files of a large list could not be made");
        }
        let nap = async {
            match failed {
                true => tokio::time::sleep(PAUSE_AFTER_FAILURE).await,
                false => std::future::pending().await,
            }
        };
        tokio::select! {
            () = simulator.new_list.notified() => {}
            () = nap => {}
            _ = stop.changed() => {}
        }
    }
}

fn make_all(simulator: &Simulator, stop: &watch::Receiver<bool>) -> rusqlite::Result<()> {
    let now = simulator.seam.now().as_millisecond();
    simulator.db.write(|tx| store::forget_expired(tx, now))?;
    while let Some(list) = simulator.db.read(|tx| store::next_to_make(tx))? {
        let attempt = catch_unwind(AssertUnwindSafe(|| make(simulator, &list, stop)));
        let state = match attempt {
            Ok(Ok(true)) => State::Made,
            Ok(Ok(false)) => return Ok(()),
            Ok(Err(fault)) => {
                tracing::error!(token = list.token, ?fault, "the files of a large list could not be made");
                State::Failed
            }
            Err(_) => {
                tracing::error!(token = list.token, "the making of a large list's files panicked");
                State::Failed
            }
        };
        simulator.db.write(|tx| store::finish(tx, &list.token, state))?;
    }
    Ok(())
}

/// Makes the files of one list; false if the sandbox is to stop before the end.
fn make(simulator: &Simulator, list: &LargeList, stop: &watch::Receiver<bool>) -> Result<bool, Fault> {
    simulator.db.write(|tx| store::clear_files(tx, &list.token))?;
    let taxpayer = simulator.db.read(|tx| taxpayers::by_gstin(tx, &list.gstin, ""))?;
    let Some(taxpayer) = taxpayer else { return Ok(true) };
    let most = simulator.config.files.per_archive;
    let (mut from, mut number): (Option<Place>, usize) = (None, 0);
    loop {
        if *stop.borrow() {
            return Ok(false);
        }
        let stretch = simulator
            .db
            .read(|tx| source::read(tx, simulator, &taxpayer, &list.asked, from.as_ref(), most))?;
        if let Some(documents) = &stretch.list {
            let name = format!("{}.json", list.file_name(number));
            let archive = archive::seal(&list.ek, &name, documents, list.asked_at);
            let archive = archive.map_err(|error| unpacked(&error))?;
            if !keep(simulator, list, number, stretch.documents, &archive)? {
                return Ok(true);
            }
            number += 1;
        }
        from = stretch.next;
        if from.is_none() {
            return Ok(true);
        }
    }
}

/// False when the list was reset away meanwhile.
fn keep(
    simulator: &Simulator,
    list: &LargeList,
    number: usize,
    documents: usize,
    archive: &Archive,
) -> rusqlite::Result<bool> {
    simulator.db.write(|tx| store::put_file(tx, &list.token, number, documents, archive))
}

fn unpacked(error: &std::io::Error) -> Fault {
    tracing::error!(%error, "an archive could not be written");
    Fault::internal()
}
