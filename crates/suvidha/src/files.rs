//! Files: those that must never be half-written, nor readable by others for a moment, and those that are read whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process;

use crate::exit::{Exit, Failure};

/// Puts a file with these contents and these rights at `path`, in place of an earlier one, in one step.
pub(crate) fn replace(path: &Path, contents: &[u8], mode: u32) -> io::Result<()> {
    let mut draft = Draft::begin(path, mode)?;
    draft.write_all(contents)?;
    draft.keep()
}

/// A file that is being written: it takes its place, in one step, when it is kept, and is gone when it is not.
pub(crate) struct Draft {
    file: File,
    draft: PathBuf,
    path: PathBuf,
    kept: bool,
}

impl Draft {
    /// Begins a file with these rights that is to stand at `path`.
    pub(crate) fn begin(path: &Path, mode: u32) -> io::Result<Self> {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
        let draft = path.with_file_name(format!(".{name}.{}", process::id()));
        let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&draft)?;
        Ok(Self { file, draft, path: path.to_owned(), kept: false })
    }

    /// Puts it in place of an earlier file, once it is on disk.
    pub(crate) fn keep(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.draft, &self.path)?;
        self.kept = true;
        Ok(())
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.kept {
            // What is left of it is of no use; whoever gave up has an error to tell.
            let _ = fs::remove_file(&self.draft);
        }
    }
}

/// Reads a file of at most `limit` bytes, or standard input where `path` is `-`.
pub(crate) fn read_or_stdin(path: &Path, limit: u64) -> Result<Vec<u8>, Failure> {
    let mut contents = Vec::new();
    let read = if path.as_os_str() == "-" {
        io::stdin().lock().take(limit + 1).read_to_end(&mut contents)
    } else {
        File::open(path).and_then(|file| file.take(limit + 1).read_to_end(&mut contents))
    };
    let name = path.display();
    match read {
        Ok(length) if length as u64 > limit => {
            Err(Failure::new(Exit::Data, format_args!("{name} is longer than {limit} bytes")))
        }
        Ok(_) => Ok(contents),
        Err(error) => Err(Failure::io(Exit::Data, format_args!("cannot read {name}"), &error)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_new_file_has_its_own_rights_and_leaves_no_draft() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ready.json");
        fs::write(&path, "old, and readable by everyone").unwrap();
        replace(&path, b"new", 0o600).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_draft_that_is_not_kept_leaves_everything_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("export.csv");
        fs::write(&path, "old").unwrap();
        let mut draft = Draft::begin(&path, 0o600).unwrap();
        draft.write_all(b"half of").unwrap();
        drop(draft);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
