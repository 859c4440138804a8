//! GSTR-2A: what suppliers report, as they report it.

use gstn::{Gstin, ReturnPeriod};
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::Value;

use crate::api_call::ApiCall;
use crate::error::Error;
use crate::ledgers::dashed;
use crate::rupees::Rupees;
use crate::taxes::{Item, Note, RatedTaxes, Taxes};
use crate::taxpayer::Taxpayer;
use crate::tolerant::{day, first, list, period, read, text, yes};

/// Newest versions seen in the field.
const GSTR2A: &str = "taxpayerapi/v2.2/returns/gstr2a";

/// A section of GSTR-2A.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Gstr2aSection {
    /// Invoices.
    B2b,
    /// Amended invoices.
    B2ba,
    /// Credit and debit notes.
    Cdn,
    /// Amended credit and debit notes.
    Cdna,
    /// Credit of an input service distributor.
    Isd,
    /// Amended credit of an input service distributor.
    Isda,
    /// Tax deducted at source.
    Tds,
    /// Amended tax deducted at source.
    Tdsa,
    /// Tax collected at source.
    Tcs,
    /// Bills of entry of imports.
    Impg,
    /// Bills of entry of supplies from special economic zones.
    Impgsez,
    /// Supplies through operators who pay for them, s.9(5).
    Ecom,
    /// Amended supplies through operators.
    Ecoma,
}

impl Gstr2aSection {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::B2b,
        Self::B2ba,
        Self::Cdn,
        Self::Cdna,
        Self::Isd,
        Self::Isda,
        Self::Tds,
        Self::Tdsa,
        Self::Tcs,
        Self::Impg,
        Self::Impgsez,
        Self::Ecom,
        Self::Ecoma,
    ];

    /// GSTN's name, such as `B2B`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::B2b => "B2B",
            Self::B2ba => "B2BA",
            Self::Cdn => "CDN",
            Self::Cdna => "CDNA",
            Self::Isd => "ISD",
            Self::Isda => "ISDA",
            Self::Tds => "TDS",
            Self::Tdsa => "TDSA",
            Self::Tcs => "TCS",
            Self::Impg => "IMPG",
            Self::Impgsez => "IMPGSEZ",
            Self::Ecom => "ECOM",
            Self::Ecoma => "ECOMA",
        }
    }
}

/// From GSTN's name, in letters of either case.
impl std::str::FromStr for Gstr2aSection {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let named = Self::ALL.into_iter().find(|section| section.as_str().eq_ignore_ascii_case(text.trim()));
        named.ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            Error::Invalid(format!("{text:?} is no section of GSTR-2A; there are {known}"))
        })
    }
}

/// What a section is narrowed down by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gstr2aFilter {
    /// Only documents of this supplier.
    pub supplier: Option<Gstin>,
    /// Only what changed, or was filed, on this day or later.
    pub since: Option<Date>,
}

/// A section of GSTR-2A.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Gstr2aRows {
    /// Its documents, in GSTN's order.
    pub documents: Vec<Gstr2aDocument>,
    /// The answer as it came.
    pub raw: Value,
}

/// A document that somebody else reported about the taxpayer: an invoice, a note, a bill of entry, tax deducted.
///
/// What a section does not have is empty or nothing. Amounts of credit notes are not negative: see
/// [`note`](Self::note).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Gstr2aDocument {
    /// `ctin`, `sgstin`, `gstin_ded`, `etin`: who reported it; empty of imports.
    pub supplier: String,
    /// `tdname`, where GSTN gives one.
    pub supplier_name: String,
    /// `cfs`: whether the supplier has filed the GSTR-1 with it. What is only saved may still change.
    pub filed: Option<bool>,
    /// `cfs3b`: whether the supplier has filed GSTR-3B of that period.
    pub filed_3b: Option<bool>,
    /// `flprdr1`: the period of the supplier's return.
    pub period: Option<ReturnPeriod>,
    /// `fldtr1`: when that was filed.
    pub filed_on: Option<Date>,
    /// `dtcancel`: when the supplier's registration was cancelled.
    pub cancelled_on: Option<Date>,
    /// `inv_typ`, `isd_docty`: the kind of supply, such as `R`, or of document, such as `ISDCN`.
    pub kind: String,
    /// `ntty`: whether it is a note, and which.
    pub note: Option<Note>,
    /// `inum`, `nt_num`, `docnum`, `benum`.
    pub number: String,
    /// `idt`, `nt_dt`, `docdt`, `bedt`.
    pub date: Option<Date>,
    /// `oinum`, `ont_num`: the number of the document that it amends.
    pub original_number: String,
    /// `oidt`, `ont_dt`: the date of the document that it amends.
    pub original_date: Option<Date>,
    /// `val`; of tax deducted and collected, the amount it was taken from.
    pub value: Rupees,
    /// `pos`: the code of the state of supply.
    pub place_of_supply: String,
    /// `rchrg`: whether the recipient pays the tax.
    pub reverse_charge: Option<bool>,
    /// `itc_elg`: whether the distributor says that the credit may be had.
    pub eligible: Option<bool>,
    /// Taxable value and taxes, of all rates together.
    pub taxes: Taxes,
    /// The same by rate, where GSTN splits it.
    pub rates: Vec<RatedTaxes>,
    /// `aspd`: the period in which it was amended, or of an amendment, that of the original.
    pub amended_in: Option<ReturnPeriod>,
    /// `irn`: the e-invoice's.
    pub irn: String,
    /// `portcd`: the port of a bill of entry.
    pub port: String,
    /// `chksum`.
    pub checksum: String,
}

/// A group of documents, or a document, or what stands alone: a section's entries have one shape each.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Entry {
    #[serde(deserialize_with = "text")]
    ctin: String,
    #[serde(deserialize_with = "text")]
    sgstin: String,
    #[serde(deserialize_with = "text")]
    gstin_ded: String,
    #[serde(deserialize_with = "text")]
    etin: String,
    #[serde(deserialize_with = "text", alias = "trdnm")]
    tdname: String,
    #[serde(deserialize_with = "yes")]
    cfs: Option<bool>,
    #[serde(deserialize_with = "yes")]
    cfs3b: Option<bool>,
    #[serde(deserialize_with = "period")]
    flprdr1: Option<ReturnPeriod>,
    #[serde(deserialize_with = "day")]
    fldtr1: Option<Date>,
    #[serde(deserialize_with = "day")]
    dtcancel: Option<Date>,
    #[serde(deserialize_with = "list")]
    inv: Vec<Entry>,
    #[serde(deserialize_with = "list")]
    nt: Vec<Entry>,
    #[serde(deserialize_with = "list")]
    doclist: Vec<Entry>,
    #[serde(deserialize_with = "text")]
    inum: String,
    #[serde(deserialize_with = "day")]
    idt: Option<Date>,
    #[serde(deserialize_with = "text")]
    ntty: String,
    #[serde(deserialize_with = "text")]
    nt_num: String,
    #[serde(deserialize_with = "day")]
    nt_dt: Option<Date>,
    #[serde(deserialize_with = "text")]
    oinum: String,
    #[serde(deserialize_with = "day")]
    oidt: Option<Date>,
    #[serde(deserialize_with = "text")]
    ont_num: String,
    #[serde(deserialize_with = "day")]
    ont_dt: Option<Date>,
    #[serde(deserialize_with = "text")]
    docnum: String,
    #[serde(deserialize_with = "day")]
    docdt: Option<Date>,
    #[serde(deserialize_with = "text")]
    benum: String,
    #[serde(deserialize_with = "day")]
    bedt: Option<Date>,
    #[serde(deserialize_with = "text")]
    portcd: String,
    #[serde(deserialize_with = "text")]
    inv_typ: String,
    #[serde(deserialize_with = "text")]
    isd_docty: String,
    #[serde(deserialize_with = "text")]
    pos: String,
    #[serde(deserialize_with = "yes")]
    rchrg: Option<bool>,
    #[serde(deserialize_with = "yes")]
    itc_elg: Option<bool>,
    #[serde(deserialize_with = "period")]
    aspd: Option<ReturnPeriod>,
    #[serde(deserialize_with = "text")]
    irn: String,
    #[serde(deserialize_with = "text")]
    chksum: String,
    val: Rupees,
    amt_ded: Rupees,
    sup_val: Rupees,
    txval: Rupees,
    tx_val: Rupees,
    iamt: Rupees,
    camt: Rupees,
    samt: Rupees,
    #[serde(alias = "cess")]
    csamt: Rupees,
    #[serde(deserialize_with = "list")]
    itms: Vec<Item>,
}

impl Entry {
    fn documents(mut self) -> Vec<Gstr2aDocument> {
        let rows: Vec<Entry> =
            [&mut self.inv, &mut self.nt, &mut self.doclist].into_iter().flat_map(std::mem::take).collect();
        if rows.is_empty() {
            let alone = Self { chksum: self.chksum.clone(), ..Self::default() };
            return vec![alone.document(self)];
        }
        rows.into_iter().map(|row| self.document(row)).collect()
    }

    /// A row of this group.
    fn document(&self, row: Self) -> Gstr2aDocument {
        let is_note = !row.nt_num.is_empty();
        let (number, date) = match is_note {
            // A note names its invoice beside itself.
            true => (row.nt_num.clone(), row.nt_dt),
            false => (first(&[&row.inum, &row.docnum, &row.benum]), row.idt.or(row.docdt).or(row.bedt)),
        };
        let rates: Vec<RatedTaxes> = row.itms.iter().map(Item::rated).collect();
        let own = Taxes {
            taxable: row.txval + row.tx_val,
            ..Taxes::by_head(row.iamt, row.camt, row.samt, row.csamt)
        };
        Gstr2aDocument {
            supplier: first(&[&self.ctin, &row.ctin, &row.sgstin, &row.gstin_ded, &row.etin]),
            supplier_name: first(&[&self.tdname, &row.tdname]),
            filed: self.cfs.or(row.cfs),
            filed_3b: self.cfs3b.or(row.cfs3b),
            period: self.flprdr1.or(row.flprdr1),
            filed_on: self.fldtr1.or(row.fldtr1),
            cancelled_on: self.dtcancel.or(row.dtcancel),
            kind: first(&[&row.inv_typ, &row.isd_docty]),
            note: Note::read(&row.ntty),
            number,
            date,
            original_number: first(&[&row.ont_num, &row.oinum]),
            original_date: row.ont_dt.or(row.oidt),
            value: row.val + row.amt_ded + row.sup_val,
            place_of_supply: row.pos,
            reverse_charge: row.rchrg,
            eligible: row.itc_elg,
            taxes: if rates.is_empty() { own } else { rates.iter().map(|rated| rated.taxes).sum() },
            rates,
            amended_in: row.aspd,
            irn: row.irn,
            port: row.portcd,
            checksum: row.chksum,
        }
    }
}

impl Gstr2aRows {
    /// Reads `{"b2b": […]}`, be it answered at once or joined from files.
    ///
    /// # Errors
    /// [`Error::Protocol`] if it is not in the form that GSTN documents.
    pub fn read(section: Gstr2aSection, answer: &[u8]) -> Result<Self, Error> {
        type Sections = std::collections::BTreeMap<String, Box<serde_json::value::RawValue>>;
        #[derive(Default, Deserialize)]
        struct Rows(#[serde(deserialize_with = "list")] Vec<Entry>);
        let what = "the section of GSTR-2A";
        let (sections, raw) = read::<Sections>(answer, what)?;
        let named = sections.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(section.as_str()));
        let Rows(entries) = match named {
            Some((_, rows)) => read::<Rows>(rows.get().as_bytes(), what)?.0,
            None => Rows::default(),
        };
        Ok(Self { documents: entries.into_iter().flat_map(Entry::documents).collect(), raw })
    }
}

impl Taxpayer {
    /// A section of the taxpayer's GSTR-2A: what suppliers saved and filed for `period`, their own. It changes whenever they
    /// do; what counts for credit is [GSTR-2B](Self::gstr2b).
    ///
    /// ```no_run
    /// use suvidha_client::{Gstr2aFilter, Gstr2aSection};
    ///
    /// # async fn example(taxpayer: suvidha_client::Taxpayer) -> Result<(), Box<dyn std::error::Error>> {
    /// let b2b = taxpayer.gstr2a("042026".parse()?, Gstr2aSection::B2b, Gstr2aFilter::default()).await?;
    /// for invoice in b2b.documents.iter().filter(|invoice| invoice.filed == Some(false)) {
    ///     println!("{} has not filed {}, tax {}", invoice.supplier, invoice.number, invoice.taxes.tax());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::NoDocuments`] where there are none, [`Error::Queued`] where there are too many for one answer: what comes in
    /// files is read by [`Gstr2aRows::read`]; and every other kind of [`Error`].
    pub async fn gstr2a(
        &self,
        period: ReturnPeriod,
        section: Gstr2aSection,
        filter: Gstr2aFilter,
    ) -> Result<Gstr2aRows, Error> {
        let mut call = ApiCall::get(GSTR2A, section.as_str()).ret_period(period);
        if let Some(supplier) = filter.supplier {
            call = call.query("ctin", supplier.as_str());
        }
        if let Some(since) = filter.since {
            call = call.query("from_time", dashed(since));
        }
        Gstr2aRows::read(section, &self.call_text(call).await?)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn one(section: Gstr2aSection, json: &str) -> Gstr2aDocument {
        let rows = Gstr2aRows::read(section, json.as_bytes()).unwrap();
        let [document] = &rows.documents[..] else { panic!("{rows:?}") };
        document.clone()
    }

    fn rupees(text: &str) -> Rupees {
        text.parse().unwrap()
    }

    /// GSTN's published samples.
    #[test]
    fn an_amended_invoice_of_two_rates_is_one_document() {
        let json = r#"{"b2ba":[{"ctin":"01AABCE2207R1Z5","cfs":"Y","dtcancel":"27-Aug-19","cfs3b":"Y","fldtr1":"12-May-20",
            "flprdr1":"Apr-18","inv":[{"chksum":"AflJufPlFStqKBZ","inum":"S008400","idt":"24-11-2016","oinum":"S008400",
            "oidt":"24-11-2016","val":729248.16,"pos":"06","rchrg":"N","inv_typ":"R","diff_percent":0.65,"aspd":"Dec-18",
            "atyp":"R","itms":[{"num":1,"itm_det":{"rt":1,"txval":6210.99,"iamt":0,"camt":614.44,"samt":5.68,"csamt":621.09}},
            {"num":2,"itm_det":{"rt":2,"txval":1000.05,"iamt":0,"camt":887.44,"samt":5.68,"csamt":50.12}}]}]}]}"#;
        let found = one(Gstr2aSection::B2ba, json);
        assert_eq!(
            (found.supplier.as_str(), found.filed, found.filed_3b),
            ("01AABCE2207R1Z5", Some(true), Some(true))
        );
        assert_eq!(
            (found.period, found.filed_on),
            (Some("042018".parse().unwrap()), Some(date(2020, 5, 12)))
        );
        assert_eq!(
            (found.cancelled_on, found.amended_in),
            (Some(date(2019, 8, 27)), Some("122018".parse().unwrap()))
        );
        assert_eq!(
            (found.original_number.as_str(), found.original_date),
            ("S008400", Some(date(2016, 11, 24)))
        );
        assert_eq!((found.value, found.taxes.taxable), (rupees("729248.16"), rupees("7211.04")));
        assert_eq!((found.taxes.cgst, found.taxes.cess), (rupees("1501.88"), rupees("671.21")));
        assert_eq!((found.rates.len(), found.rates[1].rate.to_string()), (2, "2".to_owned()));
    }

    #[test]
    fn a_note_has_its_own_number_and_not_that_of_its_invoice() {
        let json = r#"{"cdna":[{"ctin":"01AAAAP1208Q1ZS","cfs":"N","nt":[{"ntty":"C","nt_num":"533515","nt_dt":"23-09-2018",
            "ont_num":"533514","ont_dt":"23-09-2016","p_gst":"N","inum":"915914","idt":"23-09-2016","val":"729248.16",
            "itms":[{"num":1,"itm_det":{"rt":5,"txval":400,"camt":200,"samt":200}}]}]}]}"#;
        let found = one(Gstr2aSection::Cdna, json);
        assert_eq!(
            (found.note, found.number.as_str(), found.original_number.as_str()),
            (Some(Note::Credit), "533515", "533514")
        );
        assert_eq!((found.date, found.filed, found.period), (Some(date(2018, 9, 23)), Some(false), None));
    }

    #[test]
    fn what_others_than_suppliers_report_is_read_too() {
        let isd = r#"{"isd":[{"ctin":"16DEFPS8555D1Z7","cfs":"Y","doclist":[{"isd_docty":"ISD","docnum":"S0080",
            "docdt":"03-03-2016","itc_elg":"Y","iamt":20,"camt":20,"samt":20,"cess":20}]}]}"#;
        let found = one(Gstr2aSection::Isd, isd);
        assert_eq!(
            (found.kind.as_str(), found.eligible, found.taxes.tax()),
            ("ISD", Some(true), rupees("80"))
        );
        let import = r#"{"impgsez":[{"refdt":"28-11-2019","portcd":"18272A","benum":2566282,"bedt":"18-11-2019",
            "sgstin":"01AABCE2207R1Z5","tdname":"GSTN","txval":123.02,"iamt":123.02,"csamt":0.5,"amd":"N"}]}"#;
        let found = one(Gstr2aSection::Impgsez, import);
        assert_eq!(
            (found.number.as_str(), found.port.as_str(), found.supplier_name.as_str()),
            ("2566282", "18272A", "GSTN")
        );
        assert_eq!(
            (found.supplier.as_str(), found.taxes.cess, found.date),
            ("01AABCE2207R1Z5", rupees("0.5"), Some(date(2019, 11, 18)))
        );
        let tds = r#"{"tds":[{"gstin_ded":"01AABCE2207R1Z5","amt_ded":1000,"iamt":0,"camt":10,"samt":10}]}"#;
        let found = one(Gstr2aSection::Tds, tds);
        assert_eq!(
            (found.supplier.as_str(), found.value, found.taxes.cgst),
            ("01AABCE2207R1Z5", rupees("1000"), rupees("10"))
        );
        let tcs = r#"{"tcs":[{"chksum":"c","etin":"01AABCE2207R1C5","m_id":"1","sup_val":100,"tx_val":99,"irt":1,"iamt":1}]}"#;
        let found = one(Gstr2aSection::Tcs, tcs);
        assert_eq!(
            (found.supplier.as_str(), found.taxes.taxable, found.checksum.as_str()),
            ("01AABCE2207R1C5", rupees("99"), "c")
        );
    }

    #[test]
    fn sections_are_read_by_name_and_nonsense_is_refused() {
        assert_eq!("impgsez".parse::<Gstr2aSection>().unwrap(), Gstr2aSection::Impgsez);
        assert!("B2C".parse::<Gstr2aSection>().unwrap_err().to_string().contains("CDNA"));
        assert!(Gstr2aRows::read(Gstr2aSection::B2b, b"{}").unwrap().documents.is_empty());
        assert!(Gstr2aRows::read(Gstr2aSection::B2b, br#"{"b2b": null}"#).unwrap().documents.is_empty());
        for bad in [&b"[]"[..], br#"{"b2b": 1}"#, br#"{"b2b": [{"inv": [{"val": "hidden"}]}]}"#] {
            let error = Gstr2aRows::read(Gstr2aSection::B2b, bad).unwrap_err();
            assert!(matches!(error, Error::Protocol { .. }) && !format!("{error:?}").contains("hidden"));
        }
    }
}
