//! Results too large for one answer: GSTN prepares them as files, says where they are, and they are fetched through
//! the GSP one by one (gstn.md 2.1).

mod archive;
mod download;

use std::fmt;
use std::time::Duration;

use gstn::ReturnPeriod;
use gstn::crypto::FileKey;
use serde::Deserialize;
use serde_json::Value;

use crate::api_call::ApiCall;
use crate::error::Error;
use crate::patience::{Patience, Waiting};
use crate::taxpayer::Taxpayer;
use crate::tolerant::{list, parsed, text};

pub use download::{Document, Download, DownloadFault, DownloadProgress};

/// GSTN speaks of minutes; what is longer is not believed.
const LONGEST_ESTIMATE: Duration = Duration::from_secs(60 * 60);

/// A result that GSTN is preparing as files, known by its token.
///
/// It comes inside [`Error::Queued`]; [`new`](Self::new) makes it of a token that was kept from an earlier run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedFiles {
    token: String,
    estimate: Duration,
    of: FilesOf,
}

/// What the files are of: it decides which API is asked for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FilesOf {
    /// A return or statement of a period: GSTR-1, 2A, 2B and the other forms.
    Return(ReturnPeriod),
    /// The invoice management system.
    Ims,
    /// E-invoices of a period.
    EInvoices(ReturnPeriod),
}

impl QueuedFiles {
    /// The files behind a token, of which it is not known how long they take.
    pub fn new(token: impl Into<String>, of: FilesOf) -> Self {
        Self { token: token.into(), estimate: Duration::ZERO, of }
    }

    /// What GSTN knows the result by. It serves the taxpayer's own session alone.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// How long GSTN says it will take.
    pub fn estimate(&self) -> Duration {
        self.estimate
    }

    /// What the files are of.
    pub fn of(&self) -> FilesOf {
        self.of
    }

    /// Reads `{"est": minutes, "token": …}`; `None` if `answer` is anything else.
    pub(crate) fn in_answer(answer: &[u8], of: impl FnOnce() -> Option<FilesOf>) -> Option<Self> {
        /// Longer than any answer that is only this.
        const LONGEST: usize = 1024;
        #[derive(Deserialize)]
        struct Answer {
            #[serde(deserialize_with = "text")]
            token: String,
            #[serde(deserialize_with = "parsed")]
            est: Option<f64>,
        }
        let small = Some(answer).filter(|answer| answer.len() <= LONGEST)?;
        let Answer { token, est } = serde_json::from_slice(small).ok()?;
        let minutes = est.unwrap_or_default();
        let estimate = Duration::try_from_secs_f64(minutes * 60.0).unwrap_or_default();
        (!token.is_empty()).then_some(())?;
        Some(Self { token, estimate, of: of()? })
    }

    fn details(&self) -> ApiCall {
        let call = match self.of {
            FilesOf::Return(period) => ApiCall::get("taxpayerapi/v1.1/returns", "FILEDET").ret_period(period),
            FilesOf::Ims => ApiCall::get("taxpayerapi/v1.0/returns/ims", "FILEDET"),
            FilesOf::EInvoices(period) => {
                ApiCall::get("taxpayerapi/v1.0/einvoice", "FILEDETL").query("rtnprd", period.to_string())
            }
        };
        call.query("token", self.token.as_str())
    }
}

impl fmt::Display for QueuedFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the result is too large for one answer; GSTN prepares it as files")?;
        match self.estimate.as_secs().div_ceil(60) {
            0 => Ok(()),
            1 => f.write_str(", in about a minute"),
            minutes => write!(f, ", in about {minutes} minutes"),
        }
    }
}

/// Where the files of a result are, and the key that opens them. The addresses expire; ask again then.
#[derive(Clone)]
pub struct LargeFiles {
    files: Vec<FileAddress>,
    key: FileKey,
}

/// An address is itself a key to its file: it is not shown.
impl fmt::Debug for LargeFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LargeFiles")
            .field("files", &self.len())
            .field("records", &self.records())
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Deserialize)]
struct FileAddress {
    /// Path and query, from the root of GSTN's file host.
    #[serde(default, deserialize_with = "text")]
    ul: String,
    /// How many invoices it holds.
    #[serde(default, deserialize_with = "parsed")]
    ic: Option<u64>,
    /// SHA-256 in hex.
    #[serde(default, deserialize_with = "text")]
    hash: String,
}

impl LargeFiles {
    /// How many files there are.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// How many invoices GSTN says they hold together, as far as it says.
    pub fn records(&self) -> u64 {
        self.files.iter().filter_map(|file| file.ic).sum()
    }

    /// Reads the answer to FILEDET.
    fn read(answer: Value) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default, deserialize_with = "list")]
            urls: Vec<FileAddress>,
            #[serde(default, deserialize_with = "text")]
            ek: String,
            #[serde(default, deserialize_with = "parsed")]
            fc: Option<usize>,
        }
        let unlike =
            |what: &str| Error::Protocol { what: format!("GSTN's list of files {what}"), request_id: None };
        let Answer { urls, ek, fc } =
            Answer::deserialize(answer).map_err(|_| unlike("is not in the form that GSTN documents"))?;
        if urls.is_empty() || fc.is_some_and(|fc| fc != urls.len()) {
            return Err(unlike(&format!("names {} of {} files", urls.len(), fc.unwrap_or_default())));
        }
        if urls.iter().any(|file| file.hash.len() != 64 || !is_file_path(&file.ul)) {
            return Err(unlike("has an entry without the address or the hash of a file"));
        }
        if ek.is_empty() {
            return Err(unlike("has no key (ek)"));
        }
        let key =
            FileKey::from_base64(&ek).map_err(|_| unlike("has a key (ek) that is not 32 bytes in base64"))?;
        Ok(Self { files: urls, key })
    }
}

/// A path on GSTN's file host, as the gateway takes it: `/returns/…`, with nothing in it that leads elsewhere.
fn is_file_path(ul: &str) -> bool {
    let path = ul.split('?').next().unwrap_or_default();
    let segments = || path.split('/').skip(1);
    path.starts_with("/returns/")
        && ul.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'#' | b'\\'))
        && segments().all(|segment| !matches!(segment, "" | "." | ".."))
}

impl Taxpayer {
    /// Asks for the files of a result until GSTN has prepared them.
    ///
    /// The first question is put when GSTN's own estimate is over, after an hour at the latest; only then does `patience`
    /// begin. Drop the future
    /// to give up waiting: the token stays good.
    ///
    /// ```no_run
    /// use suvidha_client::{Error, Patience};
    ///
    /// # async fn example(taxpayer: suvidha_client::Taxpayer) -> Result<(), Box<dyn std::error::Error>> {
    /// let gstr1 = taxpayer.gstr1("042026".parse()?);
    /// match gstr1.section("B2B", &[]).await {
    ///     Ok(b2b) => println!("{b2b}"),
    ///     Err(Error::Queued(queued)) => {
    ///         let files = taxpayer.wait_for_files(&queued, Patience::default()).await?;
    ///         let mut download = taxpayer.download(&files);
    ///         while let Some(document) = download.next().await? {
    ///             println!("{}", document.value()?["b2b"]);
    ///         }
    ///     }
    ///     Err(error) => return Err(error.into()),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::StillProcessing`] when patience ends first, [`Error::Refused`] with `RTN_25` where GSTN failed to prepare
    /// the files, and every other kind of [`Error`].
    pub async fn wait_for_files(
        &self,
        queued: &QueuedFiles,
        patience: Patience,
    ) -> Result<LargeFiles, Error> {
        self.wait_for_files_with(queued, patience, |_| ()).await
    }

    /// As [`wait_for_files`](Self::wait_for_files), telling `progress` before each pause how long it is.
    ///
    /// # Errors
    /// As [`wait_for_files`](Self::wait_for_files).
    pub async fn wait_for_files_with(
        &self,
        queued: &QueuedFiles,
        patience: Patience,
        mut progress: impl FnMut(Duration),
    ) -> Result<LargeFiles, Error> {
        let estimate = queued.estimate.min(LONGEST_ESTIMATE);
        if !estimate.is_zero() {
            progress(estimate);
            tokio::time::sleep(estimate).await;
        }
        let mut waiting = Waiting::start(patience, self.seam().clone());
        loop {
            match self.call(queued.details()).await {
                Ok(answer) => return LargeFiles::read(answer),
                Err(error) if is_queued(&error) => waiting.answered(),
                Err(error) => waiting.forgive(error)?,
            }
            let Some(pause) = waiting.next_pause() else {
                return Err(Error::still_processing(queued.token()));
            };
            progress(pause);
            tokio::time::sleep(pause).await;
        }
    }
}

/// "File Generation is in progress", "Download request already in progress", and the same of e-invoices; or the token
/// once more.
fn is_queued(error: &Error) -> bool {
    matches!(error, Error::Queued(_)) || matches!(error.code(), Some("RTN_24" | "RTN_32" | "EINV30109"))
}
