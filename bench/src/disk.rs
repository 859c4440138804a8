//! What the machine's disk takes to keep a little: the price of a group of entries, whoever writes them.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use crate::Failure;

/// Writes of one measurement.
const WRITES: usize = 200;

/// What it takes to append 4 KiB to a file in `directory` and to have them on disk (`fdatasync`), in microseconds, each time.
pub(crate) fn flushes(directory: &Path) -> Result<Vec<f64>, Failure> {
    let mut file = File::create(directory.join("flushes"))?;
    let page = [7; 4096];
    let mut taken = Vec::with_capacity(WRITES);
    for _ in 0..WRITES {
        let begun = Instant::now();
        file.write_all(&page)?;
        file.sync_data()?;
        taken.push(begun.elapsed().as_secs_f64() * 1e6);
    }
    Ok(taken)
}
