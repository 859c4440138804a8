//! A few threads that read the ledgers, because reading a disk may block and the threads that serve calls may not.
//!
//! Each job reads one page in a short transaction and is over. Whoever wants more asks again: so a client that takes its answer
//! slowly, or has gone, holds no thread here, and a long log does not keep a short one waiting.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::thread::{self, JoinHandle};

use suvidha_store::ledger::{LedgerError, LedgerReader};
use tokio::sync::oneshot;
use tracing::error;

use crate::error::{Error, Kind};
use crate::site::StartError;

/// How many pages are read at once.
const THREADS: usize = 2;

/// What is to be read.
type Job = Box<dyn FnOnce() + Send>;

/// The threads. They end when nobody can ask them any more.
pub(crate) struct Readers {
    jobs: Option<Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

/// One ledger, and those who read it.
#[derive(Clone)]
pub(crate) struct Shelf {
    readers: Arc<Readers>,
    ledger: PathBuf,
}

impl Readers {
    pub(crate) fn start() -> Result<Arc<Self>, StartError> {
        let (jobs, queue) = mpsc::channel();
        let queue = Arc::new(Mutex::new(queue));
        let mut readers = Self { jobs: Some(jobs), threads: Vec::new() };
        for number in 0..THREADS {
            let queue = Arc::clone(&queue);
            let thread = thread::Builder::new().name(format!("suvidha-reader-{number}"));
            let thread = thread.spawn(move || serve(&queue)).map_err(StartError::Thread)?;
            readers.threads.push(thread);
        }
        Ok(Arc::new(readers))
    }

    /// The ledger in that file.
    pub(crate) fn shelf(self: &Arc<Self>, ledger: PathBuf) -> Shelf {
        Shelf { readers: Arc::clone(self), ledger }
    }
}

impl Shelf {
    /// Has `work` read from the ledger. Does not wait: what is given does.
    pub(crate) fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&LedgerReader) -> Result<T, LedgerError> + Send + 'static,
    ) -> Asked<T> {
        let (reply, asked) = oneshot::channel();
        let ledger = self.ledger.clone();
        let job: Job = Box::new(move || {
            // Whoever asked may have hung up: then nothing needs to be read.
            if reply.is_closed() {
                return;
            }
            // Opened anew each time, which is cheap: what is read is the file that is there now, should the operator have put
            // another in its place.
            let _ = reply.send(LedgerReader::open(&ledger).and_then(|reader| work(&reader)));
        });
        if let Some(jobs) = &self.readers.jobs {
            // Where no thread is left to take it, the reply is dropped, and so the asker told.
            let _ = jobs.send(job);
        }
        Asked(asked)
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// What will have been read. Dropping it is hanging up.
pub(crate) struct Asked<T>(oneshot::Receiver<Result<T, LedgerError>>);

impl<T> Future for Asked<T> {
    type Output = Result<T, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let replied = ready!(Pin::new(&mut self.get_mut().0).poll(cx));
        Poll::Ready(match replied {
            Ok(read) => read.map_err(|error| Error::because(Kind::Internal, error)),
            Err(_) => Err(Error::because(Kind::Internal, "the thread that reads the ledger gave no answer")),
        })
    }
}

fn serve(queue: &Mutex<Receiver<Job>>) {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        if catch_unwind(AssertUnwindSafe(job)).is_err() {
            error!(target: "suvidha::gateway", "reading the ledger panicked; the next question is answered all the same");
        }
    }
}
