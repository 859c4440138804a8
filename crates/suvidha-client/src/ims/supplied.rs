//! The other side of IMS: what recipients did with the taxpayer's own documents.

use std::collections::BTreeMap;

use gstn::ReturnPeriod;
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::record::ImsAction;
use crate::error::Error;
use crate::rupees::Rupees;
use crate::taxes::{Item, Note, Taxes};
use crate::tolerant::{day, first, list, period, read, text};

/// The taxpayer's return whose documents are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum SuppliedForm {
    /// `R1`.
    #[default]
    Gstr1,
    /// `R1A`.
    Gstr1a,
}

impl SuppliedForm {
    /// GSTN's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gstr1 => "R1",
            Self::Gstr1a => "R1A",
        }
    }
}

/// SUPVIEW: the taxpayer's own documents, and what recipients did with them.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct SupplierView {
    /// In GSTN's order, section by section.
    pub documents: Vec<SuppliedDocument>,
    /// GSTN's answer as it came.
    pub raw: Value,
}

/// A document of the taxpayer's own return.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SuppliedDocument {
    /// The section, such as `b2b` or `cdnr`.
    pub section: String,
    /// `ctin`, `rtin`.
    pub recipient: String,
    /// `tradenm`, `rtinNam`, where GSTN gives one.
    pub recipient_name: String,
    /// `inum`, `nt_num`.
    pub number: String,
    /// `idt`, `nt_dt`.
    pub date: Option<Date>,
    /// `ntty`: whether it is a note, and which.
    pub note: Option<Note>,
    /// `val`.
    pub value: Rupees,
    /// Taxable value and taxes; of a rejection, what it adds to the liability.
    pub taxes: Taxes,
    /// `imsactn`: what the recipient did with it.
    pub action: ImsAction,
    /// `remarks` of the recipient.
    pub remarks: String,
    /// `supPrd`: of a rejection, the period of the return with the document.
    pub period: Option<ReturnPeriod>,
    /// `form`: of a rejection, that return: `R1`, `R1A`.
    pub form: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Entry {
    #[serde(deserialize_with = "text")]
    ctin: String,
    #[serde(deserialize_with = "text")]
    rtin: String,
    #[serde(deserialize_with = "text")]
    tradenm: String,
    #[serde(rename = "rtinNam", deserialize_with = "text")]
    rtin_name: String,
    #[serde(deserialize_with = "list")]
    inv: Vec<Entry>,
    #[serde(deserialize_with = "list")]
    nt: Vec<Entry>,
    #[serde(deserialize_with = "text")]
    inum: String,
    #[serde(deserialize_with = "text")]
    nt_num: String,
    #[serde(deserialize_with = "day")]
    idt: Option<Date>,
    #[serde(deserialize_with = "day")]
    nt_dt: Option<Date>,
    #[serde(deserialize_with = "text")]
    ntty: String,
    #[serde(deserialize_with = "text")]
    imsactn: String,
    #[serde(deserialize_with = "text")]
    remarks: String,
    #[serde(rename = "supPrd", deserialize_with = "period")]
    period: Option<ReturnPeriod>,
    #[serde(deserialize_with = "text")]
    form: String,
    val: Rupees,
    txval: Rupees,
    iamt: Rupees,
    camt: Rupees,
    samt: Rupees,
    #[serde(alias = "cess")]
    csamt: Rupees,
    #[serde(deserialize_with = "list")]
    itms: Vec<Item>,
}

const WHAT: &str = "the supplier's view of IMS";
/// Under which the sections stand.
const FORMS: [&str; 3] = ["gstr1", "gstr1a", "iff"];
/// Under which rejections that add to the liability stand.
const ADDED: &str = "rejInvAddBackLiab";

impl SupplierView {
    pub(super) fn read(answer: &[u8]) -> Result<Self, Error> {
        type Sections = BTreeMap<String, Box<RawValue>>;
        let (fields, raw) = read::<Sections>(answer, WHAT)?;
        let mut view = Self { documents: Vec::new(), raw };
        for (name, value) in fields {
            let rejected = name == ADDED;
            if !rejected && !FORMS.contains(&name.as_str()) {
                continue;
            }
            let (sections, _) = read::<BTreeMap<String, RawRows>>(value.get().as_bytes(), WHAT)?;
            for (section, RawRows(entries)) in sections {
                let found = entries.into_iter().flat_map(|entry| entry.documents(&section));
                view.documents.extend(found.map(|document| match rejected {
                    true => SuppliedDocument { action: ImsAction::Rejected, ..document },
                    false => document,
                }));
            }
        }
        Ok(view)
    }
}

#[derive(Default, Deserialize)]
struct RawRows(#[serde(deserialize_with = "list")] Vec<Entry>);

impl Entry {
    fn documents(mut self, section: &str) -> Vec<SuppliedDocument> {
        let lists = [&mut self.inv, &mut self.nt];
        let rows: Vec<Entry> = lists.into_iter().flat_map(std::mem::take).collect();
        match rows.is_empty() {
            true => vec![Self::default().document(self, section)],
            false => rows.into_iter().map(|row| self.document(row, section)).collect(),
        }
    }

    fn document(&self, row: Self, section: &str) -> SuppliedDocument {
        let own = Taxes { taxable: row.txval, ..Taxes::by_head(row.iamt, row.camt, row.samt, row.csamt) };
        SuppliedDocument {
            section: section.to_owned(),
            recipient: first(&[&self.ctin, &self.rtin, &row.ctin, &row.rtin]),
            recipient_name: first(&[&self.tradenm, &row.tradenm, &row.rtin_name]),
            number: first(&[&row.nt_num, &row.inum]),
            date: row.nt_dt.or(row.idt),
            note: Note::read(&row.ntty),
            value: row.val,
            taxes: if row.itms.is_empty() {
                own
            } else {
                row.itms.iter().map(|item| item.rated().taxes).sum()
            },
            action: ImsAction::read(&row.imsactn).unwrap_or_default(),
            remarks: row.remarks,
            period: row.period,
            form: row.form,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_return_is_read_with_the_actions_of_its_recipients() {
        let json = br#"{"gstin": "27AAPFU0939F1ZV", "rtnprd": "042026", "gstr1": {
            "b2b": [{"ctin": "33AANCS2882A1ZG", "inv": [{"inum": "A1", "idt": "05-04-2026", "val": 118, "imsactn": "A",
                "itms": [{"num": 1, "itm_det": {"rt": 18, "txval": 100, "iamt": 18}}]}, {"inum": "A2"}]}],
            "cdnr": [{"ctin": "33AANCS2882A1ZG", "nt": [{"nt_num": "C1", "ntty": "C", "inum": "A1", "imsactn": "R"}]}]}}"#;
        let view = SupplierView::read(json).unwrap();
        let shown: Vec<_> = view
            .documents
            .iter()
            .map(|found| (found.number.as_str(), found.action, found.taxes.igst.paise()))
            .collect();
        assert_eq!(
            shown,
            [("A1", ImsAction::Accepted, 1_800), ("A2", ImsAction::None, 0), ("C1", ImsAction::Rejected, 0)]
        );
        assert_eq!(view.documents[2].note, Some(Note::Credit));
    }

    #[test]
    fn rejections_that_add_to_the_liability_are_read() {
        let json = br#"{"rejInvAddBackLiab": {"cdnr": [{"ctin": "33AANCS2882A1ZG", "tradenm": "T", "nt_num": "C1", "nt_dt": "05-04-2026",
            "ntty": "C", "iamt": 7.2, "supPrd": "042026", "form": "R1", "remarks": "no"}]}}"#;
        let view = SupplierView::read(json).unwrap();
        let [found] = &view.documents[..] else { panic!("{view:?}") };
        assert_eq!(
            (found.action, found.period, found.form.as_str()),
            (ImsAction::Rejected, Some("042026".parse().unwrap()), "R1")
        );
        assert_eq!(
            (found.taxes.igst.paise(), found.remarks.as_str(), found.recipient_name.as_str()),
            (720, "no", "T")
        );
    }
}
