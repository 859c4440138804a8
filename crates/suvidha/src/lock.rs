//! A data directory belongs to one running server at a time.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::process;

use crate::exit::{Exit, Failure};
use crate::registry::make_private_directory;

/// Holds a data directory until it is dropped, or the process ends in whatever way.
#[derive(Debug)]
pub(crate) struct DataLock {
    _file: File,
}

impl DataLock {
    /// Takes `directory`, which is made when missing.
    ///
    /// # Errors
    /// [`Exit::Unavailable`] when another process holds it.
    pub(crate) fn take(directory: &Path) -> Result<Self, Failure> {
        make_private_directory(directory)?;
        let path = directory.join("lock");
        let failed =
            |e: &_| Failure::io(Exit::CannotCreate, format_args!("cannot lock {}", path.display()), e);
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|e| failed(&e))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(held(directory, &mut file)),
            Err(TryLockError::Error(error)) => return Err(failed(&error)),
        }
        // The number is for people; the lock itself is the operating system's.
        let noted = file.set_len(0).and_then(|()| writeln!(file, "{}", process::id()));
        noted.map_err(|e| failed(&e))?;
        Ok(Self { _file: file })
    }
}

fn held(directory: &Path, file: &mut File) -> Failure {
    let mut text = String::new();
    let read = file.seek(SeekFrom::Start(0)).and_then(|_| file.take(20).read_to_string(&mut text));
    let holder = match text.trim().parse::<u32>() {
        Ok(pid) if read.is_ok() => format!("process {pid}"),
        _ => "another process".to_owned(),
    };
    Failure::new(
        Exit::Unavailable,
        format_args!("the data directory {} is in use by {holder}", directory.display()),
    )
    .remedy("stop that one first, or name another directory with --data")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_held_by_one_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let first = DataLock::take(directory.path()).unwrap();
        let refused = DataLock::take(directory.path()).unwrap_err();
        assert_eq!(refused.exit, Exit::Unavailable);
        assert!(refused.message.ends_with(&format!("by process {}", process::id())), "{}", refused.message);
        drop(first);
        DataLock::take(directory.path()).unwrap();
    }
}
