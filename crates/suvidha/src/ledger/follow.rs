//! Reads what is new in a ledger, again and again, whatever becomes of the gateway that writes it and of its file.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use suvidha_store::ledger::{Filter, LedgerReader, Order, Recorded, Seq};

use super::place::LedgerPlace;
use crate::exit::Failure;

/// A place in a ledger, from which it is read on.
pub(crate) struct Follower {
    place: LedgerPlace,
    /// None after a failure: then it is opened anew.
    reader: Option<LedgerReader>,
    /// Device and number of the file that is open.
    file: Option<(u64, u64)>,
    after: Seq,
}

impl Follower {
    /// Reads on behind `after`.
    pub(crate) fn new(place: &LedgerPlace, reader: LedgerReader, after: Seq) -> Self {
        Self { place: place.clone(), reader: Some(reader), file: identity(&place.path), after }
    }

    /// Up to where it has read.
    pub(crate) fn after(&self) -> Seq {
        self.after
    }

    /// What is new, at most `limit` entries; and whether there is more already.
    ///
    /// # Errors
    /// Not now; it may be asked again.
    pub(crate) fn poll(&mut self, filter: &Filter, limit: usize) -> Result<(Vec<Recorded>, bool), Failure> {
        let read = self.read(filter, limit);
        if read.is_err() {
            self.reader = None;
        }
        read
    }

    fn read(&mut self, filter: &Filter, limit: usize) -> Result<(Vec<Recorded>, bool), Failure> {
        let reader = match self.reader.take().filter(|_| self.file == identity(&self.place.path)) {
            Some(reader) => reader,
            None => self.open()?,
        };
        let page = reader.entries(filter, Order::OldestFirst, Some(self.after), limit)?;
        self.after = self.after.max(page.reached);
        self.reader = Some(reader);
        Ok((page.entries, page.more))
    }

    /// Another ledger may stand there now; one that ends before our place is read from its beginning.
    fn open(&mut self) -> Result<LedgerReader, Failure> {
        self.file = identity(&self.place.path);
        let reader = self.place.open()?;
        if reader.head()?.seq < self.after {
            self.after = 0;
        }
        Ok(reader)
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}
