//! The invoice management system (IMS): what suppliers reported, and what the taxpayer does with it before it counts.

mod act;
mod record;
mod supplied;

use std::collections::BTreeMap;

use gstn::ReturnPeriod;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::api_call::ApiCall;
use crate::error::Error;
use crate::job::ReturnStatus;
use crate::patience::Patience;
use crate::returns::{job_number, job_status, until_done};
use crate::taxpayer::Taxpayer;
use crate::tolerant::{count, object, read};

pub use act::ImsDecision;
pub use record::{ImsAction, ImsRecord, ImsRecords, ImsSection};
pub use supplied::{SuppliedDocument, SuppliedForm, SupplierView};

/// Newest versions seen in the field.
const IMS: &str = "taxpayerapi/v1.0/returns/ims";
const SAVE: &str = "taxpayerapi/v1.2/returns/ims";

/// One taxpayer's invoice management system.
///
/// ```no_run
/// use suvidha_client::{ImsSection, Patience};
///
/// # async fn example(taxpayer: suvidha_client::Taxpayer) -> Result<(), Box<dyn std::error::Error>> {
/// let ims = taxpayer.ims();
/// let invoices = ims.invoices(Some(ImsSection::B2b), None).await?;
/// let decisions = invoices.records.iter().map(|invoice| match invoice.supplier.as_str() {
///     "27AAPFU0939F1ZV" => invoice.reject().remarks("not ours"),
///     _ => invoice.accept(),
/// });
/// let reference_id = ims.act(decisions).await?;
/// let status = ims.wait(&reference_id, Patience::default()).await?;
/// println!("{}: {} refused", status.progress, status.refused.len());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Ims {
    taxpayer: Taxpayer,
}

/// Which records are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum ImsGoods {
    /// `ALL_OTH`: documents of suppliers.
    #[default]
    Suppliers,
    /// `IMP_GDS`: bills of entry.
    Imports,
    /// `INV_SUPP_ISD`: documents of input service distributors.
    Distributors,
}

impl ImsGoods {
    /// GSTN's name, such as `ALL_OTH`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Suppliers => "ALL_OTH",
            Self::Imports => "IMP_GDS",
            Self::Distributors => "INV_SUPP_ISD",
        }
    }
}

/// GETCNT: how many records there are.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ImsCounts {
    /// By section, such as `b2b`.
    pub sections: BTreeMap<String, ImsCount>,
    /// `ttl_cnt`: all of them.
    pub total: u64,
    /// GSTN's answer as it came.
    pub raw: Value,
}

/// How many records of a section, by action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ImsCount {
    /// `noaction`: not acted on. They count as accepted.
    #[serde(rename = "noaction", deserialize_with = "count")]
    pub untouched: u64,
    /// `accept`.
    #[serde(rename = "accept", deserialize_with = "count")]
    pub accepted: u64,
    /// `reject`.
    #[serde(rename = "reject", deserialize_with = "count")]
    pub rejected: u64,
    /// `pending`.
    #[serde(deserialize_with = "count")]
    pub pending: u64,
}

impl ImsCounts {
    fn read(answer: &[u8]) -> Result<Self, Error> {
        const WHAT: &str = "the count of IMS";
        #[derive(Default, Deserialize)]
        struct Group(#[serde(deserialize_with = "object")] BTreeMap<String, Box<RawValue>>);
        let (groups, raw) = read::<BTreeMap<String, Group>>(answer, WHAT)?;
        let mut counts = Self { raw, ..Self::default() };
        for (name, value) in groups.into_values().flat_map(|Group(fields)| fields) {
            match value.get().as_bytes() {
                [b'{', ..] => drop(counts.sections.insert(name, read(value.get().as_bytes(), WHAT)?.0)),
                text if name == "ttl_cnt" => {
                    let text = std::str::from_utf8(text).unwrap_or_default().trim_matches('"');
                    counts.total += text.parse::<u64>().unwrap_or_default();
                }
                _ => (),
            }
        }
        Ok(counts)
    }
}

impl Ims {
    /// How many records there are, by section and action.
    ///
    /// # Errors
    /// Every kind of [`Error`].
    pub async fn counts(&self, goods: ImsGoods) -> Result<ImsCounts, Error> {
        let call = ApiCall::get(IMS, "GETCNT").query("goods_typ", goods.as_str());
        ImsCounts::read(&self.taxpayer.call_text(call).await?)
    }

    /// The records of a section, or of all; only those with an action, or all.
    ///
    /// # Errors
    /// [`Error::NoDocuments`] where there are none, [`Error::Queued`] where there are too many for one answer: what comes in
    /// files is read by [`ImsRecords::read`]; and every other kind of [`Error`].
    pub async fn invoices(
        &self,
        section: Option<ImsSection>,
        action: Option<ImsAction>,
    ) -> Result<ImsRecords, Error> {
        let section = section.map_or("ALL", ImsSection::asked_by);
        let call = ApiCall::get(IMS, "GETINV").query("section", section);
        let call = action.into_iter().fold(call, |call, action| call.query("status", action.as_str()));
        ImsRecords::read(&self.taxpayer.call_text(call).await?)
    }

    /// SAVE: accepts, rejects, or keeps pending. Returns the number under which GSTN works on it.
    ///
    /// What was done takes effect with the next GSTR-2B; where that exists already, have it
    /// [made again](crate::Gstr2b::regenerate).
    ///
    /// # Errors
    /// [`Error::Invalid`] where there is nothing to do, or something that GSTN would refuse; [`Error::Refused`] with
    /// `IMSSAV0015` while an earlier save goes on, and every other kind of [`Error`].
    pub async fn act(&self, decisions: impl IntoIterator<Item = ImsDecision>) -> Result<String, Error> {
        let payload = act::saving(self.taxpayer.gstin(), decisions)?;
        self.start(ApiCall::put(SAVE, "SAVE").payload(&payload)?).await
    }

    /// RESETIMS: takes the actions on these records back. Returns the number under which GSTN works on it.
    ///
    /// # Errors
    /// As [`act`](Self::act).
    pub async fn reset<'a>(&self, records: impl IntoIterator<Item = &'a ImsRecord>) -> Result<String, Error> {
        let payload = act::resetting(self.taxpayer.gstin(), records)?;
        self.start(ApiCall::put(IMS, "RESETIMS").payload(&payload)?).await
    }

    async fn start(&self, call: ApiCall) -> Result<String, Error> {
        job_number(&self.taxpayer.call_text(call).await?)
    }

    /// REQSTS: what has become of a save or a reset.
    ///
    /// # Errors
    /// [`Error::Refused`] where GSTN knows no such job, and every other kind of [`Error`].
    pub async fn status(&self, int_tran_id: &str) -> Result<ReturnStatus, Error> {
        job_status(&self.taxpayer, ApiCall::get(IMS, "REQSTS").query("int_tran_id", int_tran_id)).await
    }

    /// Asks for the status until GSTN has finished. [`Error::StillProcessing`] when patience ends first.
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
        until_done(self.taxpayer.seam(), int_tran_id, patience, || self.status(int_tran_id), progress).await
    }

    /// SUPVIEW: the documents of the taxpayer's own return, with what recipients did with them.
    ///
    /// # Errors
    /// [`Error::NoDocuments`] where there are none, and every other kind of [`Error`].
    pub async fn supplier_view(
        &self,
        period: ReturnPeriod,
        form: SuppliedForm,
    ) -> Result<SupplierView, Error> {
        self.supplied(period, form, "ALL").await
    }

    /// The rejections of recipients that add to what the taxpayer owes with the GSTR-3B of `period`.
    ///
    /// # Errors
    /// [`Error::NoDocuments`] where there are none, and every other kind of [`Error`].
    pub async fn added_back(&self, period: ReturnPeriod) -> Result<SupplierView, Error> {
        self.supplied(period, SuppliedForm::Gstr1, "ADDBACK").await
    }

    async fn supplied(
        &self,
        period: ReturnPeriod,
        form: SuppliedForm,
        section: &str,
    ) -> Result<SupplierView, Error> {
        let call = ApiCall::get(IMS, "SUPVIEW").ret_period(period).query("rtn_typ", form.as_str());
        SupplierView::read(&self.taxpayer.call_text(call.query("section", section)).await?)
    }
}

impl Taxpayer {
    /// The taxpayer's invoice management system.
    pub fn ims(&self) -> Ims {
        Ims { taxpayer: self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_by_section() {
        let json = br#"{"all_oth": {"b2b": {"noaction": 2, "accept": "1", "reject": 0, "pending": 3},
            "b2bcn": {"noaction": 0}, "ttl_cnt": 6}}"#;
        let counts = ImsCounts::read(json).unwrap();
        let b2b = counts.sections["b2b"];
        assert_eq!((counts.total, b2b.untouched, b2b.accepted, b2b.pending), (6, 2, 1, 3));
        assert_eq!(counts.sections["b2bcn"], ImsCount::default());
        assert!(ImsCounts::read(b"[]").is_err());
    }
}
