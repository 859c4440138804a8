//! Files: those that must never be half-written, nor readable by others for a moment, and those that are read whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process;

use crate::exit::{Exit, Failure};

/// Puts a file with these contents and these rights at `path`, in place of an earlier one, in one step.
pub(crate) fn replace(path: &Path, contents: &[u8], mode: u32) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    let draft = path.with_file_name(format!(".{name}.{}", process::id()));
    let written = write_new(&draft, contents, mode).and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        // What is left of the draft is of no use; the first error is the one to tell.
        let _ = fs::remove_file(&draft);
    }
    written
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

fn write_new(path: &Path, contents: &[u8], mode: u32) -> io::Result<()> {
    let mut file: File = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(contents)?;
    file.sync_all()
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
}
