//! A document of a GSTR-2B, whatever its section and version.

use std::collections::BTreeMap;

use gstn::ReturnPeriod;
use jiff::civil::Date;
use serde::{Deserialize, Deserializer};

use super::SupplierSum;
use crate::ims::ImsAction;
use crate::rupees::Rupees;
use crate::taxes::{Item, Note, RatedTaxes, Taxes};
use crate::tolerant::{count, day, first, list, object, period, text, yes};

/// Whether the credit of a document may be claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ItcAvailability {
    /// `Y`; also of imports, of which GSTN says nothing.
    #[default]
    Available,
    /// `N`.
    NotAvailable,
    /// `T`: not now.
    Temporary,
}

/// A document of a GSTR-2B. What a section does not have is empty or nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Gstr2bDocument {
    /// The section, such as `b2b`, `cdnra`, `impgsez`.
    pub section: String,
    /// `ctin`; empty of imports.
    pub supplier: String,
    /// `trdnm`: the supplier's name.
    pub supplier_name: String,
    /// `supprd`: the period of the supplier's return.
    pub period: Option<ReturnPeriod>,
    /// `supfildt`: when that was filed.
    pub filed_on: Option<Date>,
    /// `typ`, `suptyp`, `doctyp`: the kind of supply, such as `R`, or of document, such as `ISDC`.
    pub kind: String,
    /// `typ` of a note: which.
    pub note: Option<Note>,
    /// `inum`, `ntnum`, `docnum`, `boenum`.
    pub number: String,
    /// `dt`, `docdt`, `boedt`.
    pub date: Option<Date>,
    /// `oinum`, `ontnum`, `odocnum`: the number of the document that it amends.
    pub original_number: String,
    /// `oidt`, `ontdt`, `odocdt`: the date of the document that it amends.
    pub original_date: Option<Date>,
    /// `val`.
    pub value: Rupees,
    /// `pos`: the code of the state of supply.
    pub place_of_supply: String,
    /// `rev`: whether the recipient pays the tax.
    pub reverse_charge: Option<bool>,
    /// `itcavl`, `itcelg`: whether its credit may be claimed.
    pub credit: ItcAvailability,
    /// `rsn`: why not. `P` the place of supply is not the recipient's state though it is the supplier's, `C` it came after the
    /// last day for credit (s.16(4)).
    pub reason: String,
    /// Taxable value and taxes, of all rates together. Never negative: see [`note`](Self::note).
    pub taxes: Taxes,
    /// The same by rate, in the versions that split it.
    pub rates: Vec<RatedTaxes>,
    /// `imsStatus`: what was done with it in IMS.
    pub ims: Option<ImsAction>,
    /// `irn`: the e-invoice's.
    pub irn: String,
    /// `portcode`: the port of a bill of entry.
    pub port: String,
    /// `refdt`: ICEGATE's date of reference of a bill of entry.
    pub reference_date: Option<Date>,
    /// `isamd`: whether a bill of entry is an amended one.
    pub amended: Option<bool>,
}

impl Gstr2bDocument {
    /// Whether its credit may be claimed now.
    pub fn is_available(&self) -> bool {
        self.credit == ItcAvailability::Available
    }
}

/// A group of documents, a document, or a line of `cpsumm`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Entry {
    #[serde(deserialize_with = "text")]
    ctin: String,
    #[serde(deserialize_with = "text")]
    trdnm: String,
    #[serde(deserialize_with = "period")]
    supprd: Option<ReturnPeriod>,
    #[serde(deserialize_with = "day")]
    supfildt: Option<Date>,
    #[serde(deserialize_with = "list")]
    inv: Vec<Entry>,
    #[serde(deserialize_with = "list")]
    nt: Vec<Entry>,
    #[serde(deserialize_with = "list")]
    doclist: Vec<Entry>,
    #[serde(deserialize_with = "list")]
    boe: Vec<Entry>,
    #[serde(deserialize_with = "text")]
    inum: String,
    #[serde(deserialize_with = "text")]
    ntnum: String,
    #[serde(deserialize_with = "text")]
    docnum: String,
    #[serde(deserialize_with = "text")]
    boenum: String,
    #[serde(deserialize_with = "day")]
    dt: Option<Date>,
    #[serde(deserialize_with = "day")]
    docdt: Option<Date>,
    #[serde(deserialize_with = "day")]
    boedt: Option<Date>,
    #[serde(deserialize_with = "text")]
    oinum: String,
    #[serde(deserialize_with = "text")]
    ontnum: String,
    #[serde(deserialize_with = "text")]
    odocnum: String,
    #[serde(deserialize_with = "day")]
    oidt: Option<Date>,
    #[serde(deserialize_with = "day")]
    ontdt: Option<Date>,
    #[serde(deserialize_with = "day")]
    odocdt: Option<Date>,
    #[serde(deserialize_with = "text")]
    typ: String,
    #[serde(deserialize_with = "text")]
    suptyp: String,
    #[serde(deserialize_with = "text")]
    doctyp: String,
    #[serde(deserialize_with = "text")]
    nttyp: String,
    #[serde(deserialize_with = "text")]
    pos: String,
    #[serde(deserialize_with = "yes")]
    rev: Option<bool>,
    #[serde(deserialize_with = "text")]
    itcavl: String,
    #[serde(deserialize_with = "text")]
    itcelg: String,
    #[serde(deserialize_with = "text")]
    rsn: String,
    #[serde(rename = "imsStatus", deserialize_with = "text")]
    ims_status: String,
    #[serde(deserialize_with = "text")]
    irn: String,
    #[serde(deserialize_with = "text")]
    portcode: String,
    #[serde(deserialize_with = "day")]
    refdt: Option<Date>,
    #[serde(deserialize_with = "yes")]
    isamd: Option<bool>,
    #[serde(deserialize_with = "count")]
    ttldocs: u64,
    val: Rupees,
    txval: Rupees,
    igst: Rupees,
    cgst: Rupees,
    sgst: Rupees,
    cess: Rupees,
    #[serde(deserialize_with = "list")]
    items: Vec<Item>,
}

/// `docdata`: `{"b2b": […], "impg": […]}`.
pub(super) fn documents<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Gstr2bDocument>, D::Error> {
    #[derive(Default, Deserialize)]
    struct Sections(#[serde(deserialize_with = "object")] BTreeMap<String, Rows>);
    #[derive(Default, Deserialize)]
    struct Rows(#[serde(deserialize_with = "list")] Vec<Entry>);
    let sections = Sections::deserialize(deserializer)?.0.into_iter();
    let of_section = |(section, Rows(rows)): (String, Rows)| {
        rows.into_iter().flat_map(|entry| entry.documents(&section)).collect::<Vec<_>>()
    };
    Ok(sections.flat_map(of_section).collect())
}

impl Entry {
    fn taxes(&self) -> Taxes {
        Taxes { taxable: self.txval, ..Taxes::by_head(self.igst, self.cgst, self.sgst, self.cess) }
    }

    /// A line of `cpsumm`.
    pub(super) fn sum(self, section: &str) -> SupplierSum {
        SupplierSum {
            section: section.to_owned(),
            kind: first(&[&self.nttyp, &self.doctyp]),
            documents: self.ttldocs,
            taxes: self.taxes(),
            supplier: self.ctin,
            supplier_name: self.trdnm,
            period: self.supprd,
            filed_on: self.supfildt,
        }
    }

    fn documents(mut self, section: &str) -> Vec<Gstr2bDocument> {
        let lists = [&mut self.inv, &mut self.nt, &mut self.doclist, &mut self.boe];
        let rows: Vec<Entry> = lists.into_iter().flat_map(std::mem::take).collect();
        match rows.is_empty() {
            true => vec![Self::default().document(self, section)],
            false => rows.into_iter().map(|row| self.document(row, section)).collect(),
        }
    }

    /// A row of this group. What a statement of an older version splits by rate is added up.
    fn document(&self, row: Self, section: &str) -> Gstr2bDocument {
        let rates: Vec<RatedTaxes> = row.items.iter().map(Item::rated).collect();
        let taxes = match row.taxes() {
            own if own == Taxes::default() => rates.iter().map(|rated| rated.taxes).sum(),
            own => own,
        };
        let note = Note::read(&row.typ).filter(|_| !row.ntnum.is_empty());
        let credit = match first(&[&row.itcavl, &row.itcelg]).as_str() {
            "N" => ItcAvailability::NotAvailable,
            "T" => ItcAvailability::Temporary,
            _ => ItcAvailability::Available,
        };
        Gstr2bDocument {
            section: section.to_owned(),
            supplier: first(&[&self.ctin, &row.ctin]),
            supplier_name: first(&[&self.trdnm, &row.trdnm]),
            period: self.supprd.or(row.supprd),
            filed_on: self.supfildt.or(row.supfildt),
            kind: if note.is_some() { row.suptyp } else { first(&[&row.typ, &row.doctyp]) },
            note,
            number: first(&[&row.inum, &row.ntnum, &row.docnum, &row.boenum]),
            date: row.dt.or(row.docdt).or(row.boedt),
            original_number: first(&[&row.oinum, &row.ontnum, &row.odocnum]),
            original_date: row.oidt.or(row.ontdt).or(row.odocdt),
            value: row.val,
            place_of_supply: row.pos,
            reverse_charge: row.rev,
            credit,
            reason: row.rsn,
            taxes,
            rates,
            ims: ImsAction::read(&row.ims_status),
            irn: row.irn,
            port: row.portcode,
            reference_date: row.refdt,
            amended: row.isamd,
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::super::Gstr2bStatement;
    use super::*;

    /// GSTN's published samples: rows with items, as versions 1 to 3 have them.
    const WITH_ITEMS: &str = r#"{"chksum": "c", "data": {"gstin": "33AANCS2882A1ZG", "rtnprd": "122019", "gendt": "14-01-2020",
        "docdata": {
        "b2b":[{"ctin":"01AABCE2207R1Z5","trdnm":"GSTN","supfildt":"18-11-2019","supprd":"112019","inv":[{"inum":"S008400",
            "typ":"R","dt":"24-11-2016","val":729248.16,"pos":"06","rev":"N","itcavl":"N","rsn":"P","diffprcnt":1,
            "irn":"897ADG56","items":[{"num":1,"rt":5,"txval":400,"igst":0,"cgst":200,"sgst":200,"cess":0},
            {"num":2,"rt":12,"txval":0.5,"igst":0,"cgst":0.1,"sgst":0.1,"cess":0}]}]}],
        "cdnra":[{"ctin":"01AAAAP1208Q1ZS","trdnm":"GSTN","supfildt":"18-11-2019","supprd":"112019","nt":[{"onttyp":"C",
            "ontnum":"533514","ontdt":"23-09-2016","ntnum":"533515","typ":"C","suptyp":"R","dt":"24-09-2016","val":729248.16,
            "pos":"01","rev":"Y","itcavl":"Y","rsn":"","items":[{"num":1,"rt":5,"txval":400,"cgst":200,"sgst":200}]}]}],
        "isda":[{"ctin":"16DEFPS8555D1Z7","trdnm":"GSTN","supprd":"022020","supfildt":"02-03-2020","doclist":[{"odoctyp":"ISDC",
            "odocnum":"1004","odocdt":"02-03-2016","doctyp":"ISDI","docnum":"S0080","docdt":"03-03-2016","oinvnum":"P0079",
            "igst":0,"cgst":200,"sgst":200,"cess":0,"itcelg":"Y"}]}],
        "impg":[{"refdt":"28-11-2019","recdt":"30-11-2019","portcode":"18272A","boenum":"2566282","boedt":"18-11-2019","isamd":"N",
            "txval":123.02,"igst":123.02,"cess":0.5}],
        "impgsez":[{"ctin":"01AABCE2207R1Z5","trdnm":"GSTN","boe":[{"refdt":"28-11-2019","portcode":"18272A","boenum":"2566282",
            "boedt":"18-11-2019","isamd":"Y","txval":123.02,"igst":123.02,"cess":0.5}]}]}}}"#;

    fn find(statement: &Gstr2bStatement, section: &str) -> Gstr2bDocument {
        statement.documents.iter().find(|found| found.section == section).unwrap().clone()
    }

    #[test]
    fn every_section_of_an_old_version_is_read() {
        let statement = Gstr2bStatement::read([WITH_ITEMS.as_bytes()]).unwrap();
        assert_eq!((statement.documents.len(), statement.generated_on), (5, Some(date(2020, 1, 14))));
        let b2b = find(&statement, "b2b");
        assert_eq!((b2b.number.as_str(), b2b.reason.as_str(), b2b.is_available()), ("S008400", "P", false));
        assert_eq!((b2b.taxes.cgst.paise(), b2b.taxes.taxable.paise(), b2b.rates.len()), (20_010, 40_050, 2));
        assert_eq!((b2b.filed_on, b2b.period), (Some(date(2019, 11, 18)), Some("112019".parse().unwrap())));
        let note = find(&statement, "cdnra");
        assert_eq!(
            (note.note, note.kind.as_str(), note.number.as_str()),
            (Some(Note::Credit), "R", "533515")
        );
        assert_eq!((note.original_number.as_str(), note.reverse_charge), ("533514", Some(true)));
        let isd = find(&statement, "isda");
        assert_eq!(
            (isd.kind.as_str(), isd.original_number.as_str(), isd.taxes.tax().paise()),
            ("ISDI", "1004", 40_000)
        );
        let import = find(&statement, "impg");
        assert_eq!(
            (import.supplier.as_str(), import.number.as_str(), import.port.as_str()),
            ("", "2566282", "18272A")
        );
        assert_eq!(
            (import.taxes.igst.paise(), import.amended, import.is_available()),
            (12_302, Some(false), true)
        );
        let sez = find(&statement, "impgsez");
        assert_eq!(
            (sez.supplier_name.as_str(), sez.amended, sez.reference_date),
            ("GSTN", Some(true), Some(date(2019, 11, 28)))
        );
    }

    #[test]
    fn a_new_version_has_its_amounts_on_the_row_and_what_was_rejected_apart() {
        let json = r#"{"chksum": "c", "data": {"docdata": {"b2b": [{"ctin": "A", "inv": [{"inum": "1", "typ": "R", "itcavl": "T",
            "txval": 100, "igst": 18, "imsStatus": "A"}]}]}, "docRejdata": {"cdnr": [{"ctin": "B", "nt": [
            {"ntnum": "2", "typ": "D", "suptyp": "R", "igst": 1, "imsStatus": "R"}]}], "b2b": null}}}"#;
        let statement = Gstr2bStatement::read([json.as_bytes()]).unwrap();
        let (taken, refused) = (&statement.documents[0], &statement.rejected[0]);
        assert_eq!((taken.credit, taken.ims), (ItcAvailability::Temporary, Some(ImsAction::Accepted)));
        assert_eq!((taken.taxes.igst.paise(), taken.rates.len()), (1_800, 0));
        assert_eq!((refused.ims, refused.note), (Some(ImsAction::Rejected), Some(Note::Debit)));
    }

    #[test]
    fn parts_are_joined_in_their_order() {
        let head = br#"{"chksum": "c", "data": {"gendt": "14-05-2026", "fc": 2, "itcsumm": {"itcavl": {}}, "cpsumm": {}}}"#;
        let part = |number: &str| {
            format!(
                r#"{{"chksum":"c","data":{{"docdata":{{"b2b":[{{"ctin":"A","inv":[{{"inum":"{number}"}}]}}]}}}}}}"#
            )
        };
        let (one, two) = (part("1"), part("2"));
        let statement = Gstr2bStatement::read([&head[..], one.as_bytes(), two.as_bytes()]).unwrap();
        let numbers: Vec<_> = statement.documents.iter().map(|document| document.number.as_str()).collect();
        assert_eq!(numbers, ["1", "2"]);
        assert_eq!(statement.raw["data"]["docdata"]["b2b"][1]["inv"][0]["inum"], "2");
        assert_eq!(statement.generated_on, Some(date(2026, 5, 14)));
    }
}
