//! The summary of a GSTR-1 (RETSUM): what GSTN has added up, as it came and as a type.

use serde::Deserialize;
use serde_json::Value;

use crate::error::Error;
use crate::rupees::Rupees;
use crate::tolerant::{count, list, read, text};

/// Which summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum SummaryKind {
    /// Totals by section.
    #[default]
    Short,
    /// With totals by counterparty.
    Long,
}

/// RETSUM: what GSTN has added up, with the checksum that a filing must repeat.
#[derive(Debug, Clone)]
pub struct Summary {
    text: Vec<u8>,
    value: Value,
}

impl Summary {
    pub(crate) fn new(text: Vec<u8>) -> Result<Self, Error> {
        let value = serde_json::from_slice(&text).map_err(|_| Error::Protocol {
            what: "GSTN's summary is not JSON".to_owned(),
            request_id: None,
        })?;
        Ok(Self { text, value })
    }

    /// The summary: `sec_sum` with one entry per section, `chksum` over all.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The JSON text as GSTN wrote it; filing signs exactly this.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// `sec_sum`: the totals of each section, in GSTN's order. The last, `TTL_LIAB`, is the liability of all.
    ///
    /// ```no_run
    /// # async fn example(gstr1: suvidha_client::Gstr1) -> Result<(), suvidha_client::Error> {
    /// for section in gstr1.summary(Default::default()).await?.sections()? {
    ///     println!("{}: {} records, taxable {}, tax {}", section.name, section.records, section.taxable, section.tax());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Protocol`] if it is not in the form that GSTN documents.
    pub fn sections(&self) -> Result<Vec<SummaryLine>, Error> {
        #[derive(Deserialize)]
        struct Sections {
            #[serde(default, deserialize_with = "list")]
            sec_sum: Vec<SummaryLine>,
        }
        read::<Sections>(&self.text, "GSTN's summary").map(|(sections, _)| sections.sec_sum)
    }
}

/// A line of a summary: a section, a part of one, or what went to one counterparty.
///
/// What a line does not have is empty or nothing: sections of documents issued have no amounts. Of an amendment, the
/// amounts are what it changes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct SummaryLine {
    /// `sec_nm`, such as `B2B`; empty for a counterparty.
    #[serde(rename = "sec_nm", deserialize_with = "text")]
    pub name: String,
    /// `typ`, which tells some parts of a section apart, such as `EXPWP`.
    #[serde(rename = "typ", deserialize_with = "text")]
    pub kind: String,
    /// `ctin`: the counterparty.
    #[serde(rename = "ctin", deserialize_with = "text")]
    pub counterparty: String,
    /// `chksum`.
    #[serde(rename = "chksum", deserialize_with = "text")]
    pub checksum: String,
    /// `ttl_rec`: how many records.
    #[serde(rename = "ttl_rec", deserialize_with = "count")]
    pub records: u64,
    /// `ttl_val`: the value of the documents.
    #[serde(rename = "ttl_val")]
    pub value: Rupees,
    /// `ttl_tax`: the taxable value.
    #[serde(rename = "ttl_tax")]
    pub taxable: Rupees,
    /// `ttl_igst`: integrated tax.
    #[serde(rename = "ttl_igst")]
    pub igst: Rupees,
    /// `ttl_cgst`: central tax.
    #[serde(rename = "ttl_cgst")]
    pub cgst: Rupees,
    /// `ttl_sgst`: state or union territory tax.
    #[serde(rename = "ttl_sgst")]
    pub sgst: Rupees,
    /// `ttl_cess`: compensation cess.
    #[serde(rename = "ttl_cess")]
    pub cess: Rupees,
    /// `ttl_nilsup_amt`: nil-rated supplies, of `NIL`.
    #[serde(rename = "ttl_nilsup_amt")]
    pub nil_rated: Rupees,
    /// `ttl_expt_amt`: exempt supplies, of `NIL`.
    #[serde(rename = "ttl_expt_amt")]
    pub exempt: Rupees,
    /// `ttl_ngsup_amt`: supplies outside GST, of `NIL`.
    #[serde(rename = "ttl_ngsup_amt")]
    pub outside_gst: Rupees,
    /// `net_doc_issued`: documents issued and not cancelled, of `DOC_ISSUE`.
    #[serde(rename = "net_doc_issued", deserialize_with = "count")]
    pub documents: u64,
    /// `sub_sections`: the parts of the section.
    #[serde(rename = "sub_sections", deserialize_with = "list")]
    pub parts: Vec<SummaryLine>,
    /// `cpty_sum`: its counterparties, in a [long](SummaryKind::Long) summary.
    #[serde(rename = "cpty_sum", deserialize_with = "list")]
    pub counterparties: Vec<SummaryLine>,
}

impl SummaryLine {
    /// All taxes together.
    pub fn tax(&self) -> Rupees {
        self.igst + self.cgst + self.sgst + self.cess
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_read_line_by_line_whatever_a_line_leaves_out() {
        let text = br#"{"chksum": "c", "sec_sum": [
            {"sec_nm": "B2B", "ttl_rec": 2, "ttl_val": 1180.00, "ttl_tax": 1000, "ttl_igst": 180.0,
             "cpty_sum": [{"ctin": "27AAPFU0939F1ZV", "ttl_rec": 2, "ttl_val": 1180}]},
            {"sec_nm": "CDNUR", "ttl_cgst": -0.05, "sub_sections": [{"typ": "EXPWP", "ttl_rec": "1"}]},
            {"sec_nm": "DOC_ISSUE", "ttl_doc_issued": 5, "net_doc_issued": 4, "new": {}}]}"#;
        let summary = Summary::new(text.to_vec()).unwrap();
        let sections = summary.sections().unwrap();
        let [b2b, cdnur, documents] = &sections[..] else { panic!("{sections:?}") };
        assert_eq!((b2b.value, b2b.tax()), (Rupees::from_paise(118_000), Rupees::from_paise(18_000)));
        assert_eq!(b2b.counterparties[0].counterparty, "27AAPFU0939F1ZV");
        assert_eq!((cdnur.tax(), cdnur.parts[0].records), (Rupees::from_paise(-5), 1));
        assert_eq!((documents.documents, documents.value), (4, Rupees::ZERO));
        assert!(Summary::new(b"{}".to_vec()).unwrap().sections().unwrap().is_empty());
        assert!(Summary::new(br#"{"sec_sum": 1}"#.to_vec()).unwrap().sections().is_err());
        assert!(Summary::new(b"no".to_vec()).is_err());
    }
}
