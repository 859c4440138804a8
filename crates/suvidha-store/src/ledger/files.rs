//! That what is written is what stands where the ledger belongs.
//!
//! A file that is open can be written after it was moved or deleted: all would look well, and be lost. So the writer looks
//! before each group.

use std::path::{Path, PathBuf};

use super::error::LedgerError;

/// The files of a ledger, as they were when it was opened.
pub(super) struct Files([(PathBuf, Option<Place>); 2]);

/// Which file it is, whatever it is called.
type Place = (u64, u64);

impl Files {
    /// Those of the ledger at `path`, which is open.
    pub(super) fn of(path: &Path) -> Self {
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        Self([path.to_owned(), PathBuf::from(log)].map(|path| {
            let place = place(&path).ok();
            (path, place)
        }))
    }

    /// # Errors
    /// [`LedgerError::Replaced`] if one of them is not where it was.
    pub(super) fn require(&self) -> Result<(), LedgerError> {
        for (path, opened) in &self.0 {
            let moved = match (place(path), opened) {
                (Ok(now), Some(opened)) => now != *opened,
                (Err(error), Some(_)) => error.kind() == std::io::ErrorKind::NotFound,
                (_, None) => false,
            };
            if moved {
                return Err(LedgerError::Replaced { path: path.clone(), what: "was moved or deleted" });
            }
        }
        Ok(())
    }
}

#[cfg(unix)]
fn place(path: &Path) -> std::io::Result<Place> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).map(|file| (file.dev(), file.ino()))
}

/// Elsewhere an open file cannot be moved or deleted.
#[cfg(not(unix))]
fn place(_: &Path) -> std::io::Result<Place> {
    Ok((0, 0))
}
