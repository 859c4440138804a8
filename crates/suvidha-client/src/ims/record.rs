//! A record of IMS: a document, what was done with it, and what may be.

use std::collections::BTreeMap;

use gstn::ReturnPeriod;
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::act::ImsDecision;
use crate::error::Error;
use crate::rupees::Rupees;
use crate::taxes::Taxes;
use crate::tolerant::{day, first, list, period, read, text, yes};

/// What a recipient does with a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum ImsAction {
    /// `N`: nothing, which counts as accepted.
    #[default]
    None,
    /// `A`.
    Accepted,
    /// `R`: there is no credit.
    Rejected,
    /// `P`: it waits for a later GSTR-2B.
    Pending,
}

impl ImsAction {
    /// GSTN's letter.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "N",
            Self::Accepted => "A",
            Self::Rejected => "R",
            Self::Pending => "P",
        }
    }

    pub(crate) fn read(text: &str) -> Option<Self> {
        let all = [Self::None, Self::Accepted, Self::Rejected, Self::Pending];
        all.into_iter().find(|action| action.as_str().eq_ignore_ascii_case(text))
    }
}

/// A section of IMS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ImsSection {
    /// Invoices.
    B2b,
    /// Amended invoices.
    B2ba,
    /// Debit notes.
    DebitNotes,
    /// Amended debit notes.
    DebitNotesAmended,
    /// Credit notes.
    CreditNotes,
    /// Amended credit notes.
    CreditNotesAmended,
    /// Supplies through operators who pay for them, s.9(5).
    Ecom,
    /// Amended supplies through operators.
    Ecoma,
    /// Bills of entry.
    Impg,
    /// Amended bills of entry.
    Impga,
    /// Bills of entry of supplies from special economic zones.
    Impgsez,
    /// Amended bills of entry of supplies from special economic zones.
    Impgseza,
}

impl ImsSection {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::B2b,
        Self::B2ba,
        Self::DebitNotes,
        Self::DebitNotesAmended,
        Self::CreditNotes,
        Self::CreditNotesAmended,
        Self::Ecom,
        Self::Ecoma,
        Self::Impg,
        Self::Impga,
        Self::Impgsez,
        Self::Impgseza,
    ];

    /// The key of answers and saves, such as `b2bcn`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::B2b => "b2b",
            Self::B2ba => "b2ba",
            Self::DebitNotes => "b2bdn",
            Self::DebitNotesAmended => "b2bdna",
            Self::CreditNotes => "b2bcn",
            Self::CreditNotesAmended => "b2bcna",
            Self::Ecom => "ecom",
            Self::Ecoma => "ecoma",
            Self::Impg => "impg",
            Self::Impga => "impga",
            Self::Impgsez => "impgsez",
            Self::Impgseza => "impgseza",
        }
    }

    /// What GETINV is asked for.
    pub(super) const fn asked_by(self) -> &'static str {
        match self {
            Self::B2b => "B2B",
            Self::B2ba => "B2BA",
            Self::DebitNotes => "DN",
            Self::DebitNotesAmended => "DNA",
            Self::CreditNotes => "CN",
            Self::CreditNotesAmended => "CNA",
            Self::Ecom => "ECOM",
            Self::Ecoma => "ECOMA",
            Self::Impg => "IMPG",
            Self::Impga => "IMPGA",
            Self::Impgsez => "IMPGSEZ",
            Self::Impgseza => "IMPGSEZA",
        }
    }

    /// Whether it holds bills of entry, which cannot be rejected.
    pub const fn is_import(self) -> bool {
        matches!(self, Self::Impg | Self::Impga | Self::Impgsez | Self::Impgseza)
    }
}

/// From either of GSTN's names: `b2bcn` or `CN`, in letters of either case.
impl std::str::FromStr for ImsSection {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let is_named = |section: &Self| {
            [section.as_str(), section.asked_by()].iter().any(|name| name.eq_ignore_ascii_case(text))
        };
        Self::ALL.into_iter().find(is_named).ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            Error::Invalid(format!("{text:?} is no section of IMS; there are {known}"))
        })
    }
}

/// GETINV: records of IMS.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ImsRecords {
    /// In GSTN's order, section by section.
    pub records: Vec<ImsRecord>,
    /// The answer as it came.
    pub raw: Value,
}

/// A document in IMS, and what may be done with it. What a section does not have is empty or nothing.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ImsRecord {
    /// The section.
    pub section: ImsSection,
    /// `stin`; empty of imports.
    pub supplier: String,
    /// `rtnprd`, `srtinprd`: the period in which it was reported.
    pub period: Option<ReturnPeriod>,
    /// `srcform`: the return in which it was reported: `R1`, `R1A`, `IFF`.
    pub form: String,
    /// `inum`, `nt_num`, `boenum`.
    pub number: String,
    /// `idt`, `nt_dt`, `boedt`.
    pub date: Option<Date>,
    /// `oinum`, `ont_num`: the number of the document that it amends.
    pub original_number: String,
    /// `inv_typ`: the kind of supply, such as `R`.
    pub kind: String,
    /// `pos`: the code of the state of supply.
    pub place_of_supply: String,
    /// `val`.
    pub value: Rupees,
    /// Taxable value and taxes.
    pub taxes: Taxes,
    /// `action`: what was done with it so far.
    pub action: ImsAction,
    /// `srcfilstatus`: whether the supplier has filed it. What is only saved may still change, and then the action is gone.
    pub filed: Option<bool>,
    /// `ispendactblocked` is not `Y`: it may be kept pending.
    pub may_be_pending: bool,
    /// `isItcRedReqBlocked` is `N`: a reduction of credit may be declared with its acceptance.
    pub takes_reduction: bool,
    /// `remarks`, given with the action.
    pub remarks: String,
    /// The row as it came: a save gives most of it back, to the digit.
    pub(super) row: BTreeMap<String, Box<RawValue>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Row {
    #[serde(deserialize_with = "text")]
    stin: String,
    #[serde(deserialize_with = "period")]
    rtnprd: Option<ReturnPeriod>,
    #[serde(deserialize_with = "period")]
    srtinprd: Option<ReturnPeriod>,
    #[serde(deserialize_with = "text")]
    srcform: String,
    #[serde(deserialize_with = "text")]
    inum: String,
    #[serde(deserialize_with = "text")]
    nt_num: String,
    #[serde(deserialize_with = "text")]
    boenum: String,
    #[serde(deserialize_with = "day")]
    idt: Option<Date>,
    #[serde(deserialize_with = "day")]
    nt_dt: Option<Date>,
    #[serde(deserialize_with = "day")]
    boedt: Option<Date>,
    #[serde(deserialize_with = "text")]
    oinum: String,
    #[serde(deserialize_with = "text")]
    ont_num: String,
    #[serde(deserialize_with = "text")]
    inv_typ: String,
    #[serde(deserialize_with = "text")]
    pos: String,
    #[serde(deserialize_with = "text")]
    action: String,
    #[serde(deserialize_with = "text")]
    srcfilstatus: String,
    #[serde(deserialize_with = "yes")]
    ispendactblocked: Option<bool>,
    #[serde(rename = "isItcRedReqBlocked", deserialize_with = "yes")]
    reduction_blocked: Option<bool>,
    #[serde(deserialize_with = "text")]
    remarks: String,
    val: Rupees,
}

impl ImsRecords {
    /// Reads `{"b2b": […], "b2bcn": […]}`, be it answered at once or joined from files. Sections that are not known yet are
    /// in [`raw`](Self::raw) alone.
    ///
    /// # Errors
    /// [`Error::Protocol`] if it is not in the form that GSTN documents.
    pub fn read(answer: &[u8]) -> Result<Self, Error> {
        const WHAT: &str = "the list of IMS";
        #[derive(Default, Deserialize)]
        struct Rows(#[serde(deserialize_with = "list")] Vec<Box<RawValue>>);
        let (mut sections, raw) = read::<BTreeMap<String, Box<RawValue>>>(answer, WHAT)?;
        let mut records = Vec::new();
        for section in ImsSection::ALL {
            let Some(rows) = sections.remove(section.as_str()) else { continue };
            for row in read::<Rows>(rows.get().as_bytes(), WHAT)?.0.0 {
                records.push(ImsRecord::read(section, row.get().as_bytes(), WHAT)?);
            }
        }
        Ok(Self { records, raw })
    }
}

impl ImsRecord {
    fn read(section: ImsSection, json: &[u8], what: &str) -> Result<Self, Error> {
        let (row, _) = read::<Row>(json, what)?;
        Ok(Self {
            section,
            supplier: row.stin,
            period: row.rtnprd.or(row.srtinprd),
            form: row.srcform,
            number: first(&[&row.inum, &row.nt_num, &row.boenum]),
            date: row.idt.or(row.nt_dt).or(row.boedt),
            original_number: first(&[&row.oinum, &row.ont_num]),
            kind: row.inv_typ,
            place_of_supply: row.pos,
            value: row.val,
            taxes: read(json, what)?.0,
            action: ImsAction::read(&row.action).unwrap_or_default(),
            filed: match row.srcfilstatus.to_ascii_lowercase().as_str() {
                "filed" => Some(true),
                "not filed" => Some(false),
                _ => None,
            },
            may_be_pending: row.ispendactblocked != Some(true),
            takes_reduction: row.reduction_blocked == Some(false),
            remarks: row.remarks,
            row: read(json, what)?.0,
        })
    }

    /// To accept it.
    pub fn accept(&self) -> ImsDecision {
        ImsDecision::new(self, ImsAction::Accepted)
    }

    /// To reject it: there is no credit. A rejected credit note adds to the supplier's liability.
    pub fn reject(&self) -> ImsDecision {
        ImsDecision::new(self, ImsAction::Rejected)
    }

    /// To keep it for a later GSTR-2B.
    pub fn keep_pending(&self) -> ImsDecision {
        ImsDecision::new(self, ImsAction::Pending)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn records_are_read_section_by_section_and_new_sections_passed_over() {
        let json = br#"{"b2bcn": [{"stin": "27AAPFU0939F1ZV", "rtnprd": "042026", "srcform": "R1", "nt_num": "C1",
            "nt_dt": "05-04-2026", "inv_typ": "R", "pos": "33", "val": 118.00, "txval": 100, "iamt": 18.00, "camt": 0, "samt": 0,
            "cess": 0.5, "action": "P", "srcfilstatus": "Not Filed", "ispendactblocked": "Y", "isItcRedReqBlocked": "N",
            "hash": "h", "remarks": "later"}],
            "impg": [{"boenum": 2566282, "boedt": "18-11-2025", "portcd": "INMAA1", "srtinprd": "112025", "txval": 1, "igst": 0.18,
            "cess": 0, "action": "N"}], "b2b": null, "new": [1]}"#;
        let found = ImsRecords::read(json).unwrap();
        let [note, import] = &found.records[..] else { panic!("{found:?}") };
        assert_eq!(
            (note.section, note.number.as_str(), note.date),
            (ImsSection::CreditNotes, "C1", Some(date(2026, 4, 5)))
        );
        assert_eq!((note.action, note.filed, note.may_be_pending), (ImsAction::Pending, Some(false), false));
        assert_eq!(
            (note.takes_reduction, note.remarks.as_str(), note.taxes.cess.paise()),
            (true, "later", 50)
        );
        assert_eq!((import.section, import.number.as_str()), (ImsSection::Impg, "2566282"));
        assert_eq!((import.taxes.igst.paise(), import.may_be_pending), (18, true));
        assert_eq!(import.period, Some("112025".parse().unwrap()));
        assert_eq!(found.raw["new"][0], 1);
    }

    #[test]
    fn sections_go_by_both_of_their_names() {
        assert_eq!("cn".parse::<ImsSection>().unwrap(), ImsSection::CreditNotes);
        assert_eq!("B2BCNA".parse::<ImsSection>().unwrap(), ImsSection::CreditNotesAmended);
        assert!("B2C".parse::<ImsSection>().unwrap_err().to_string().contains("b2bdn"));
    }
}
