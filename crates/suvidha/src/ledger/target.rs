//! Where entries are written to: standard output, or a file that is there whole or not at all.

use std::fs;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use clap::Args;
use serde::Serialize;
use suvidha_store::ledger::Recorded;
use tokio::runtime::Builder;

use super::forms::{Format, Screen, Sheet};
use crate::exit::{Exit, Failure};
use crate::files::Draft;
use crate::output::{Answer, Output};
use crate::signals::Signals;

/// Entries are of taxpayers, and the business of whoever exports them alone.
const MODE: u32 = 0o600;

/// Where to, and in which form.
#[derive(Debug, Args)]
pub(super) struct TargetOptions {
    /// How to write them. Without it: as the name of FILE ends (.json, .jsonl, .csv, .parquet), else json with --json, else
    /// a list as table and an export as csv
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
    /// File to write to (mode 0600), in place of an earlier one and only once it is complete; standard output when left out
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// What gives the next entries; nothing when there are no more.
pub(super) type Pages<'a> = &'a mut dyn FnMut() -> Result<Option<Vec<Recorded>>, Failure>;

/// Where to, and in which form.
pub(super) struct Target {
    format: Format,
    out: Option<PathBuf>,
}

impl TargetOptions {
    /// What is written where; in the form `otherwise`, if neither an option nor the file's name says one.
    pub(super) fn target(self, output: Output, otherwise: Format) -> Result<Target, Failure> {
        let by_name = self.out.as_deref().and_then(format_of);
        let format = self.format.or(by_name).unwrap_or(if output.json { Format::Json } else { otherwise });
        if format == Format::Parquet && self.out.is_none() {
            return Err(Failure::new(Exit::Usage, "Parquet is not written to standard output")
                .remedy("Name a file with --out FILE."));
        }
        Ok(Target { format, out: self.out })
    }
}

fn format_of(file: &Path) -> Option<Format> {
    match file.extension()?.to_str()? {
        "json" | "jsonl" | "ndjson" => Some(Format::Json),
        "csv" => Some(Format::Csv),
        "parquet" => Some(Format::Parquet),
        _ => None,
    }
}

impl Target {
    /// The form.
    pub(super) fn format(&self) -> Format {
        self.format
    }

    /// Writes all pages. A reader of standard output who has gone away ends it, and is no failure.
    pub(super) fn write(self, pages: Pages<'_>, output: Output) -> Result<(), Failure> {
        match &self.out {
            Some(file) => {
                output.show(&Written { entries: self.write_file(file, pages)?, file, format: self.format })
            }
            None => self.write_out(pages),
        }
    }

    fn write_out(&self, pages: Pages<'_>) -> Result<(), Failure> {
        let mut write = || {
            let mut sheet = Sheet::begin(self.format, Screen::stdout())?;
            while let Some(page) = pages()? {
                sheet.page(&page)?;
            }
            sheet.finish()?;
            Ok(())
        };
        Stopped::unless_reader_gone(write())
    }

    fn write_file(&self, file: &Path, pages: Pages<'_>) -> Result<u64, Failure> {
        let cannot = |exit| {
            move |error: io::Error| Failure::io(exit, format_args!("cannot write {}", file.display()), &error)
        };
        if fs::metadata(file).is_ok_and(|there| !there.is_file()) {
            let message = format_args!("{} is there already, and is no ordinary file", file.display());
            return Err(Failure::new(Exit::CannotCreate, message)
                .remedy("Name another one, or leave --out away to write to standard output."));
        }
        let stopped = stop_flag()?;
        let draft = Draft::begin(file, MODE).map_err(cannot(Exit::CannotCreate))?;
        let failed = cannot(Exit::Io);
        let mut sheet = Sheet::begin(self.format, BufWriter::new(draft)).map_err(&failed)?;
        let mut entries = 0;
        while let Some(page) = pages()? {
            if stopped.load(Ordering::Relaxed) {
                let message = format_args!("stopped by a signal; {} was not written", file.display());
                return Err(Failure::new(Exit::Unavailable, message));
            }
            sheet.page(&page).map_err(&failed)?;
            entries += page.len() as u64;
        }
        let draft = sheet.finish().and_then(|out| out.into_inner().map_err(io::IntoInnerError::into_error));
        draft.and_then(Draft::keep).map_err(&failed)?;
        Ok(entries)
    }
}

/// Why writing to standard output ended early.
pub(super) enum Stopped {
    /// It cannot be written.
    Out(io::Error),
    /// There is nothing to write.
    In(Failure),
}

impl Stopped {
    /// A reader who has gone away (`suvidha … | head`) is no failure.
    pub(super) fn unless_reader_gone(written: Result<(), Self>) -> Result<(), Failure> {
        match written {
            Err(Self::Out(error)) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Failure::io(Exit::Io, "cannot write to standard output", &error))
            }
            Err(Self::In(failure)) => Err(failure),
            _ => Ok(()),
        }
    }
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Self {
        Self::Out(error)
    }
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Self::In(failure)
    }
}

/// Becomes true when a signal asks this process to stop: half a file is then to be taken away first.
fn stop_flag() -> Result<Arc<AtomicBool>, Failure> {
    let failed = |e: io::Error| Failure::io(Exit::Unavailable, "cannot listen to signals", &e);
    let runtime = Builder::new_current_thread().enable_io().build().map_err(failed)?;
    let mut signals = runtime.block_on(async { Signals::listen() })?;
    let flag = Arc::new(AtomicBool::new(false));
    let raised = Arc::clone(&flag);
    thread::Builder::new()
        .spawn(move || {
            runtime.block_on(signals.next());
            raised.store(true, Ordering::Relaxed);
        })
        .map_err(failed)?;
    Ok(flag)
}

#[derive(Serialize)]
struct Written<'a> {
    file: &'a Path,
    format: Format,
    entries: u64,
}

impl Answer for Written<'_> {
    fn words(&self) -> String {
        format!("{} entries written to {}\n", self.entries, self.file.display())
    }
}
