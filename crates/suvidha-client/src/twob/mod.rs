//! GSTR-2B, the statement of input tax credit: read whole, however many parts it has, and made again.

mod document;
mod summary;

use gstn::ReturnPeriod;
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::api_call::ApiCall;
use crate::error::Error;
use crate::files::QueuedFiles;
use crate::job::ReturnStatus;
use crate::patience::Patience;
use crate::returns::{job_number, job_status};
use crate::taxpayer::Taxpayer;
use crate::tolerant::{count, day, list, read, text};

pub use document::{Gstr2bDocument, ItcAvailability};
pub use summary::{ItcGroup, ItcGroups, ItcSummary};

/// Newest versions seen in the field.
const READ: &str = "taxpayerapi/v4.2/returns/gstr2b";
const GENERATE: &str = "taxpayerapi/v4.0/returns/gstr2b";
const WHAT: &str = "GSTR-2B";
/// GEN2B: nothing has changed since the statement was made.
const UNCHANGED: &str = "IMS2005";

/// One taxpayer's GSTR-2B of one period.
///
/// ```no_run
/// # use suvidha_client::{Error, NoStatement, Taxpayer};
/// # async fn example(taxpayer: Taxpayer) -> Result<(), Box<dyn std::error::Error>> {
/// match taxpayer.gstr2b("042026".parse()?).statement().await {
///     Ok(statement) => {
///         println!("credit to be had: {}", statement.summary.available.net().tax());
///         for document in statement.documents.iter().filter(|document| !document.is_available()) {
///             println!("{} of {}: {}", document.number, document.supplier_name, document.reason);
///         }
///     }
///     Err(Error::NoStatement { why: NoStatement::NotYet, .. }) => println!("on the 14th"),
///     Err(error) => return Err(error.into()),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Gstr2b {
    taxpayer: Taxpayer,
    period: ReturnPeriod,
}

/// What a GSTR-2B adds up to.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Gstr2bSummary {
    /// `gendt`: when the statement was made.
    pub generated_on: Option<Date>,
    /// `itcsumm`: the credit, by what may be done with it.
    pub summary: ItcSummary,
    /// `cpsumm`: what came from each supplier, of documents that count.
    pub suppliers: Vec<SupplierSum>,
    /// `fc`: in how many parts the documents come; 1 where GSTN says nothing.
    pub parts: u64,
    /// `chksum`.
    pub checksum: String,
    /// GSTN's answer as it came.
    pub raw: Value,
}

/// What came from a supplier's return.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SupplierSum {
    /// The section, such as `b2b`.
    pub section: String,
    /// `ctin`.
    pub supplier: String,
    /// `trdnm`: the supplier's name.
    pub supplier_name: String,
    /// `supprd`: the period of the supplier's return.
    pub period: Option<ReturnPeriod>,
    /// `supfildt`: when that was filed.
    pub filed_on: Option<Date>,
    /// `nttyp`, `doctyp`: the kind of documents, where it matters.
    pub kind: String,
    /// `ttldocs`: how many.
    pub documents: u64,
    /// What they amount to.
    pub taxes: crate::taxes::Taxes,
}

/// A whole GSTR-2B.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Gstr2bStatement {
    /// `gendt`: when the statement was made.
    pub generated_on: Option<Date>,
    /// `itcsumm`: the credit, by what may be done with it.
    pub summary: ItcSummary,
    /// `docdata`: the documents that count, of all parts.
    pub documents: Vec<Gstr2bDocument>,
    /// `docRejdata`: those that the taxpayer rejected in IMS.
    pub rejected: Vec<Gstr2bDocument>,
    /// `chksum`.
    pub checksum: String,
    /// The answer as it came, with the documents of all parts in it.
    pub raw: Value,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer {
    #[serde(deserialize_with = "text")]
    chksum: String,
    data: Data,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Data {
    #[serde(deserialize_with = "day")]
    gendt: Option<Date>,
    #[serde(deserialize_with = "count")]
    fc: u64,
    itcsumm: ItcSummary,
    #[serde(deserialize_with = "suppliers")]
    cpsumm: Vec<SupplierSum>,
    #[serde(deserialize_with = "document::documents")]
    docdata: Vec<Gstr2bDocument>,
    #[serde(rename = "docRejdata", deserialize_with = "document::documents")]
    rejected: Vec<Gstr2bDocument>,
}

fn suppliers<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<SupplierSum>, D::Error> {
    #[derive(Default, Deserialize)]
    struct Sections(
        #[serde(deserialize_with = "crate::tolerant::object")] std::collections::BTreeMap<String, Lines>,
    );
    #[derive(Default, Deserialize)]
    struct Lines(#[serde(deserialize_with = "list")] Vec<document::Entry>);
    let sections = Sections::deserialize(deserializer)?.0.into_iter();
    Ok(sections
        .flat_map(|(section, Lines(lines))| lines.into_iter().map(move |line| line.sum(&section)))
        .collect())
}

impl Gstr2bStatement {
    /// Reads a statement that came whole, in parts or in files: `answers` begins with the one that has the summary.
    ///
    /// # Errors
    /// [`Error::Protocol`] if it is not in the form that GSTN documents.
    pub fn read<'a>(answers: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, Error> {
        let mut statement = Self::default();
        for (at, text) in answers.into_iter().enumerate() {
            let (Answer { chksum, data }, raw) = read::<Answer>(text, WHAT)?;
            statement.documents.extend(data.docdata);
            statement.rejected.extend(data.rejected);
            if at == 0 {
                statement.generated_on = data.gendt;
                statement.summary = data.itcsumm;
                statement.checksum = chksum;
                statement.raw = raw;
            } else {
                join_documents(&mut statement.raw, raw);
            }
        }
        Ok(statement)
    }
}

/// Appends the documents of a further part to those there are.
fn join_documents(whole: &mut Value, mut part: Value) {
    let Some(data) = whole.get_mut("data").and_then(Value::as_object_mut) else { return };
    for name in ["docdata", "docRejdata"] {
        let Some(Value::Object(sections)) = part["data"].get_mut(name).map(Value::take) else { continue };
        let known = data.entry(name).or_insert_with(|| Map::new().into());
        for (section, rows) in sections {
            match (known[&section].as_array_mut(), rows) {
                (Some(before), Value::Array(rows)) => before.extend(rows),
                (_, rows) => known[&section] = rows,
            }
        }
    }
}

impl Gstr2b {
    pub(crate) fn new(taxpayer: Taxpayer, period: ReturnPeriod) -> Self {
        Self { taxpayer, period }
    }

    /// What the statement adds up to, without its documents where there are many.
    ///
    /// # Errors
    /// [`Error::NoStatement`] where there is none, [`Error::NoDocuments`] where it has nothing in it, and every other kind
    /// of [`Error`].
    pub async fn summary(&self) -> Result<Gstr2bSummary, Error> {
        let (Answer { chksum, data }, raw) = read::<Answer>(&self.part(None).await?, WHAT)?;
        Ok(Gstr2bSummary {
            generated_on: data.gendt,
            summary: data.itcsumm,
            suppliers: data.cpsumm,
            parts: data.fc.max(1),
            checksum: chksum,
            raw,
        })
    }

    /// The whole statement, all parts of it one after the other.
    ///
    /// # Errors
    /// [`Error::NoStatement`] where there is none, [`Error::NoDocuments`] where it has nothing in it, [`Error::Queued`] where
    /// GSTN prepares it as files: those are read by [`Gstr2bStatement::read`]; [`Error::Protocol`] where it was made again
    /// while its parts were read, and every other kind of [`Error`].
    pub async fn statement(&self) -> Result<Gstr2bStatement, Error> {
        let first = self.part(None).await?;
        let (Answer { chksum, data }, _) = read::<Answer>(&first, WHAT)?;
        let mut answers = vec![first];
        // The first answer to a long one has the summary, and each part its share of the documents.
        if data.fc > 1 && data.docdata.is_empty() && data.rejected.is_empty() {
            for number in 1..=data.fc {
                let part = self.part(Some(number)).await?;
                let (Answer { chksum: other, .. }, _) = read::<Answer>(&part, WHAT)?;
                if !other.is_empty() && other != chksum {
                    let what = "GSTR-2B was made again while its parts were read; read it again".to_owned();
                    return Err(Error::Protocol { what, request_id: None });
                }
                answers.push(part);
            }
        }
        Gstr2bStatement::read(answers.iter().map(Vec::as_slice))
    }

    async fn part(&self, number: Option<u64>) -> Result<Vec<u8>, Error> {
        let period = self.period.to_string();
        let call = ApiCall::get(READ, "GET2B").ret_period(self.period).query("rtnprd", period);
        let call = number.into_iter().fold(call, |call, number| call.query("file_num", number.to_string()));
        self.taxpayer.call_text(call).await
    }

    /// GEN2B: has the statement made again, after actions in IMS or a GSTR-3B that was late. Returns the `int_tran_id`
    /// under which GSTN works on it; none where nothing has changed since it was made.
    ///
    /// # Errors
    /// [`Error::NoStatement`] where there can be none, [`Error::Refused`] with `IMS2B007` once the GSTR-3B is filed, and
    /// every other kind of [`Error`].
    pub async fn regenerate(&self) -> Result<Option<String>, Error> {
        let payload = json!({"rtin": self.taxpayer.gstin().as_str(), "itcprd": self.period.to_string()});
        let call = ApiCall::put(GENERATE, "GEN2B")
            .ret_period(self.period)
            .form("GSTR2B", "4.0")
            .payload(&payload)?;
        match self.taxpayer.call_text(call).await {
            Ok(reply) => job_number(&reply).map(Some),
            Err(error) if error.code() == Some(UNCHANGED) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// GENSTS2B: how far the making is.
    ///
    /// # Errors
    /// [`Error::Refused`] where GSTN knows no such job, and every other kind of [`Error`].
    pub async fn status(&self, int_tran_id: &str) -> Result<ReturnStatus, Error> {
        let call =
            ApiCall::get(GENERATE, "GENSTS2B").ret_period(self.period).query("int_tran_id", int_tran_id);
        job_status(&self.taxpayer, call).await
    }

    /// Asks for the status until the statement is made, or was not. [`Error::StillProcessing`] when patience ends first.
    ///
    /// # Errors
    /// As [`status`](Self::status).
    pub async fn wait(&self, int_tran_id: &str, patience: Patience) -> Result<ReturnStatus, Error> {
        self.wait_with(int_tran_id, patience, |_| ()).await
    }

    /// As [`wait`](Self::wait), telling `progress` every status on the way.
    ///
    /// # Errors
    /// As [`status`](Self::status).
    pub async fn wait_with(
        &self,
        int_tran_id: &str,
        patience: Patience,
        progress: impl FnMut(&ReturnStatus),
    ) -> Result<ReturnStatus, Error> {
        let ask = || self.status(int_tran_id);
        crate::returns::until_done(self.taxpayer.seam(), int_tran_id, patience, ask, progress).await
    }

    /// A statement that GSTN prepares as files ([`Error::Queued`]), once it has: fetched, checked and put together.
    ///
    /// # Errors
    /// As [`Taxpayer::wait_for_files`] and [`Download::next`](crate::Download::next).
    pub async fn from_files(
        &self,
        queued: &QueuedFiles,
        patience: Patience,
    ) -> Result<Gstr2bStatement, Error> {
        let files = self.taxpayer.wait_for_files(queued, patience).await?;
        let mut download = self.taxpayer.download(&files);
        let mut texts = Vec::new();
        while let Some(document) = download.next().await? {
            texts.push(document.json().to_vec());
        }
        Gstr2bStatement::read(texts.iter().map(Vec::as_slice))
    }
}

impl Taxpayer {
    /// The taxpayer's GSTR-2B of `period`: the credit that suppliers' returns give.
    pub fn gstr2b(&self, period: ReturnPeriod) -> Gstr2b {
        Gstr2b::new(self.clone(), period)
    }
}
