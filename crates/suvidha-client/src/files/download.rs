//! Fetches the files of a large result, one after the other, and opens each before the next.

use std::collections::VecDeque;
use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use gstn::Gstin;
use http::StatusCode;
use serde_json::Value;

use super::{LargeFiles, archive};
use crate::answer::{Stage, check, protocol};
use crate::error::Error;
use crate::gsp::{Gsp, Outgoing};
use crate::taxpayer::Taxpayer;
use crate::transport::{Answer, is_json};

/// How many times larger than the largest answer a file may unpack to.
const UNPACKED_TIMES: u64 = 4;

/// What is wrong with a file of a large result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DownloadFault {
    /// Its address is not served any more.
    #[error("its address has expired")]
    Expired,
    /// Its SHA-256 is not the one GSTN gave: it was damaged or changed on the way.
    #[error("its hash is not the one that GSTN gave")]
    Hash,
    /// It is no `tar.gz` with a file in it.
    #[error("it is no tar.gz with a file in it")]
    Archive,
    /// The key that GSTN gave does not open it.
    #[error("the key that GSTN gave does not open it")]
    Key,
    /// It unpacks to more than is taken into memory.
    #[error("it unpacks to more than {limit} bytes")]
    TooLarge {
        /// The most that is taken into memory, in bytes: four times
        /// [`GspBuilder::max_answer_bytes`](crate::GspBuilder::max_answer_bytes).
        limit: u64,
    },
}

impl DownloadFault {
    pub(crate) fn remedy(self) -> &'static str {
        match self {
            Self::Expired => "Ask for the files again with Taxpayer::wait_for_files, and download them anew.",
            Self::Hash => "Download it again; if it stays so, ask for the files again.",
            Self::Archive | Self::Key => {
                "Ask for the files again with Taxpayer::wait_for_files; if it stays so, report the request id to the GSP."
            }
            Self::TooLarge { .. } => {
                "Allow larger answers with GspBuilder::max_answer_bytes, or ask for fewer rows."
            }
        }
    }
}

/// A download of the files of a large result. One file at a time is in memory.
///
/// After an error that [may pass](Error::retryable), [`next`](Self::next) can be called again: it goes on with the file
/// that failed. Where an address has [expired](DownloadFault::Expired), ask for the files anew.
#[must_use]
pub struct Download {
    gsp: Gsp,
    gstin: Gstin,
    files: LargeFiles,
    /// Files that were fetched whole.
    done: usize,
    ready: VecDeque<Document>,
    progress: Mutex<Progress>,
}

type Progress = Box<dyn FnMut(DownloadProgress) + Send>;

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download")
            .field("files", &self.files)
            .field("done", &self.done)
            .finish_non_exhaustive()
    }
}

/// How far a download is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct DownloadProgress {
    /// The file that is being fetched, counted from 1.
    pub file: usize,
    /// How many files there are.
    pub files: usize,
    /// Bytes of this file so far.
    pub bytes: u64,
    /// Bytes of this file in all, if the gateway said so.
    pub total: Option<u64>,
}

/// A JSON document of a large result: what one answer would have held, had there been less of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Document {
    file: usize,
    json: Vec<u8>,
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Document(file {}, {} bytes)", self.file, self.json.len())
    }
}

impl Document {
    /// The file it came in, counted from 1.
    pub fn file(&self) -> usize {
        self.file
    }

    /// The JSON text as GSTN wrote it.
    pub fn json(&self) -> &[u8] {
        &self.json
    }

    /// The JSON.
    ///
    /// # Errors
    /// [`Error::Protocol`] if it is none.
    pub fn value(&self) -> Result<Value, Error> {
        serde_json::from_slice(&self.json).map_err(|_| Error::Protocol {
            what: format!("what file {} of the result decrypts to is not JSON", self.file),
            request_id: None,
        })
    }
}

impl Taxpayer {
    /// Downloads the files of a large result through the GSP, checks the hash of each and decrypts it.
    ///
    /// ```no_run
    /// # async fn example(taxpayer: suvidha_client::Taxpayer, files: suvidha_client::LargeFiles) -> Result<(), suvidha_client::Error> {
    /// let download = taxpayer.download(&files).on_progress(|at| {
    ///     println!("file {} of {}: {} of {:?} bytes", at.file, at.files, at.bytes, at.total);
    /// });
    /// for path in download.save_to("gstr1-042026").await? {
    ///     println!("{}", path.display());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn download(&self, files: &LargeFiles) -> Download {
        Download {
            gsp: self.gsp().clone(),
            gstin: *self.gstin(),
            files: files.clone(),
            done: 0,
            ready: VecDeque::new(),
            progress: Mutex::new(Box::new(|_| ())),
        }
    }
}

impl Download {
    /// Tells `progress` of every piece that arrives.
    pub fn on_progress(mut self, progress: impl FnMut(DownloadProgress) + Send + 'static) -> Self {
        self.progress = Mutex::new(Box::new(progress));
        self
    }

    /// The next document; `None` after the last.
    ///
    /// # Errors
    /// [`Error::Download`] where the file is not what it should be, and the kinds of [`Error`] that the way to it has.
    pub async fn next(&mut self) -> Result<Option<Document>, Error> {
        while self.ready.is_empty() && self.done < self.files.len() {
            let documents = self.fetch().await?;
            self.done += 1;
            let file = self.done;
            self.ready.extend(documents.into_iter().map(|json| Document { file, json }));
        }
        Ok(self.ready.pop_front())
    }

    /// Writes every document to a file of its own in `directory`, which must not exist yet: `1.json`, `2.json` … in
    /// the order of GSTN's files. The directory appears when all are in it; after a failure, or when the future is
    /// dropped, there is none. Only the owner can read it. Returns the files.
    ///
    /// # Errors
    /// As [`next`](Self::next), and [`Error::File`].
    pub async fn save_to(mut self, directory: impl Into<PathBuf>) -> Result<Vec<PathBuf>, Error> {
        let directory = directory.into();
        let unfinished = Arc::new(Unfinished::create(&directory, self.gsp.wire().seam.random())?);
        let mut names = Vec::new();
        while let Some(document) = self.next().await? {
            let name = format!("{}.json", names.len() + 1);
            let (unfinished, file) = (unfinished.clone(), name.clone());
            blocking(move || unfinished.write(&file, &document.json)).await?;
            names.push(name);
        }
        blocking(move || unfinished.finish()).await?;
        Ok(names.into_iter().map(|name| directory.join(name)).collect())
    }

    /// Fetches and opens the file after those that are done.
    async fn fetch(&mut self) -> Result<Vec<Vec<u8>>, Error> {
        let (file, files) = (self.done + 1, self.files.len());
        let address = &self.files.files[self.done];
        let watch = |bytes, total| {
            let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
            progress(DownloadProgress { file, files, bytes, total });
        };
        let target = address.ul.trim_start_matches('/');
        let headers = self.gsp.common_headers(Some(self.gstin.state()))?;
        let outgoing = Outgoing::get(target, "", self.gstin, headers);
        let fault =
            |answer: &Answer, fault| Error::Download { file, files, fault, request_id: answer.request_id() };
        let read = |answer: &Answer| match is_gone(answer) {
            true => Err(fault(answer, DownloadFault::Expired)),
            false => check_file(answer).map(|()| answer.clone()),
        };
        let answer = self.gsp.call_watched(&outgoing, Some(&watch), read).await?;
        let (body, hash, key) = (answer.body.clone(), address.hash.clone(), self.files.key.clone());
        let limit = UNPACKED_TIMES.saturating_mul(self.gsp.wire().transport.limits().answer_bytes as u64);
        // Seconds of work for a large file, which would keep the runtime from everything else.
        let opened = tokio::task::spawn_blocking(move || archive::open(&body, &hash, &key, limit)).await;
        opened.map_err(broken_off)?.map_err(|kind| fault(&answer, kind))
    }
}

/// GSTN's file host does not speak GST: what has expired is a bare 403, 404 or 410. The gateway's own noes do.
fn is_gone(answer: &Answer) -> bool {
    let bare = [StatusCode::FORBIDDEN, StatusCode::NOT_FOUND, StatusCode::GONE].contains(&answer.status);
    bare && !is_json(&answer.body)
}

fn check_file(answer: &Answer) -> Result<(), Error> {
    if answer.status.is_success() && !is_json(&answer.body) {
        return Ok(());
    }
    check(answer, Stage::Public)?;
    Err(protocol(answer, "is JSON where a file was asked for"))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(broken_off)?
}

fn broken_off(_: tokio::task::JoinError) -> Error {
    Error::Invalid("the runtime ended before the download".to_owned())
}

/// A directory that is filled under another name. Unless it is finished it goes when the last who writes to it is done.
struct Unfinished {
    directory: PathBuf,
    hidden: PathBuf,
}

impl Unfinished {
    /// `chance` tells apart those who fill a directory at the same time.
    fn create(directory: &Path, chance: [u8; 4]) -> Result<Self, Error> {
        let fault = |source| file_error(directory, source);
        let name = directory.file_name().ok_or_else(|| fault(io::Error::other("names no directory")))?;
        if directory.symlink_metadata().is_ok() {
            return Err(fault(io::ErrorKind::AlreadyExists.into()));
        }
        let hidden = directory.with_file_name(format!(
            ".{}.{:08x}.new",
            name.to_string_lossy(),
            u32::from_be_bytes(chance)
        ));
        let mut builder = DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&hidden).map_err(fault)?;
        Ok(Self { directory: directory.to_owned(), hidden })
    }

    fn write(&self, name: &str, json: &[u8]) -> Result<(), Error> {
        let path = self.hidden.join(name);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let written = options.open(&path).and_then(|mut file| {
            file.write_all(json)?;
            file.sync_all()
        });
        written.map_err(|source| file_error(&path, source))
    }

    fn finish(&self) -> Result<(), Error> {
        let moved = File::open(&self.hidden)
            .and_then(|hidden| hidden.sync_all())
            .and_then(|()| fs::rename(&self.hidden, &self.directory));
        moved.map_err(|source| file_error(&self.directory, source))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Finished, it is not there any more; there is nobody to tell of anything else.
        let _ = fs::remove_dir_all(&self.hidden);
    }
}

fn file_error(path: &Path, source: io::Error) -> Error {
    Error::File { path: path.to_owned(), source: Arc::new(source) }
}
