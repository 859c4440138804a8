//! E-invoices: what an invoice registration portal would tell GSTN, and how it reaches the supplier's GSTR-1.
//!
//! A document is registered through the management port, in the form of the portal (schema INV-01), since the portal is
//! another network. Some days later GSTN puts it into the GSTR-1 of its month, once: what the taxpayer reported before
//! stays, and what the taxpayer changes or deletes afterwards is not restored.

use std::collections::BTreeMap;

use gstn::Gstin;
use gstn::crypto::sha256_hex;
use jiff::civil::Date;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value, json};

use crate::amounts::Amount;
use crate::calendar::period_of;
use crate::clock::dashed;
use crate::forms::Form;
use crate::gstr1::{self, Populated};
use crate::simulator::Simulator;
use crate::taxpayers::{self, Taxpayer};

/// How long an IRN may be cancelled: 24 hours.
const CANCELLABLE_MS: i64 = 24 * 60 * 60 * 1000;

/// A document as the portal takes it (schema INV-01), as far as GSTR-1 needs it. Other members are not looked at.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct EInvoice {
    tran_dtls: Transaction01,
    doc_dtls: Document,
    buyer_dtls: Buyer,
    item_list: Vec<Item>,
    val_dtls: Values,
    #[serde(default)]
    exp_dtls: Option<Export>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Transaction01 {
    sup_typ: Supply,
    #[serde(default)]
    reg_rev: YesNo,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Supply {
    B2b,
    Sezwp,
    Sezwop,
    Dexp,
    Expwp,
    Expwop,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
enum YesNo {
    Y,
    #[default]
    N,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    typ: Kind,
    no: String,
    /// `dd/mm/yyyy`
    dt: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Kind {
    Inv,
    Crn,
    Dbn,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Buyer {
    gstin: String,
    pos: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    gst_rt: Number,
    ass_amt: Number,
    #[serde(default)]
    igst_amt: Option<Number>,
    #[serde(default)]
    cgst_amt: Option<Number>,
    #[serde(default)]
    sgst_amt: Option<Number>,
    #[serde(default)]
    ces_amt: Option<Number>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Values {
    tot_inv_val: Number,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Export {
    #[serde(default)]
    ship_b_no: Option<String>,
    #[serde(default)]
    ship_b_dt: Option<String>,
    #[serde(default)]
    port: Option<String>,
}

/// A registered document, as the management port tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Registered {
    /// The invoice reference number: 64 hex digits.
    pub(crate) irn: String,
    /// The tax period in whose GSTR-1 it belongs.
    pub(crate) period: String,
    /// The date on which GSTN puts it there.
    pub(crate) available_on: String,
    /// `waiting`, `populated`, `own_row`, `filed`, `refused` or `cancelled`.
    pub(crate) state: String,
    /// Why it was refused.
    pub(crate) reason: Option<String>,
}

/// Why a document cannot be registered or cancelled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EInvoiceError {
    #[error("DocDtls.Dt must be a date under GST, written dd/mm/yyyy, not {0:?}")]
    Date(String),
    #[error("ItemList is empty")]
    NoItems,
    #[error("the document {0} is registered already")]
    Duplicate(String),
    #[error("there is no e-invoice {0} in this sandbox")]
    Unknown(String),
    #[error("the e-invoice {0} is cancelled already")]
    Cancelled(String),
    #[error(
        "an e-invoice can be cancelled within 24 hours of its registration; report a credit note instead"
    )]
    TooLate,
    #[error("the sandbox database failed: {0}")]
    Database(#[from] rusqlite::Error),
}

/// Registers a document. The IRN is the portals': the SHA-256 of supplier, financial year, kind and number.
pub(crate) fn register(
    tx: &Transaction<'_>,
    simulator: &Simulator,
    gstin: &Gstin,
    document: &EInvoice,
) -> Result<Registered, EInvoiceError> {
    let day =
        read_day(&document.doc_dtls.dt).ok_or_else(|| EInvoiceError::Date(document.doc_dtls.dt.clone()))?;
    let period = period_of(day).ok_or_else(|| EInvoiceError::Date(document.doc_dtls.dt.clone()))?;
    if document.item_list.is_empty() {
        return Err(EInvoiceError::NoItems);
    }
    let number = document.doc_dtls.no.to_ascii_uppercase();
    let kind = document.doc_dtls.typ.as_str();
    let irn = sha256_hex(format!("{gstin}{}{kind}{number}", period.financial_year()).as_bytes());
    if find(tx, &irn)?.is_some() {
        return Err(EInvoiceError::Duplicate(document.doc_dtls.no.clone()));
    }
    let today = simulator.today();
    let days = i64::from(simulator.config.einvoice_delay_days);
    let available_on = today.saturating_add(jiff::Span::new().days(days)).to_string();
    let sections = document.sections(day, &irn, today);
    tx.prepare_cached("INSERT INTO einvoices VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'waiting', NULL)")?
        .execute(params![
            irn,
            gstin.as_str(),
            period.to_string(),
            document.section(),
            sections.to_string(),
            simulator.tax_now().as_millisecond(),
            available_on
        ])?;
    Ok(Registered { irn, period: period.to_string(), available_on, state: "waiting".into(), reason: None })
}

/// Cancels a document; its row leaves the GSTR-1 unless the taxpayer has changed it.
pub(crate) fn cancel(tx: &Transaction<'_>, simulator: &Simulator, irn: &str) -> Result<(), EInvoiceError> {
    let (kept, registered_at) = find(tx, irn)?.ok_or_else(|| EInvoiceError::Unknown(irn.to_owned()))?;
    if kept.state == "cancelled" {
        return Err(EInvoiceError::Cancelled(irn.to_owned()));
    }
    if simulator.tax_now().as_millisecond() - registered_at > CANCELLABLE_MS {
        return Err(EInvoiceError::TooLate);
    }
    if let Some(taxpayer) = taxpayers::by_gstin(tx, &kept.gstin, "")?
        && let Ok(period) = kept.period.parse()
    {
        let subject = simulator.subject(&taxpayer, Form::Gstr1, period);
        gstr1::withdraw(tx, &subject, &kept.sections, irn)?;
    }
    tx.prepare_cached("UPDATE einvoices SET state = 'cancelled' WHERE irn = ?1")?.execute([irn])?;
    Ok(())
}

/// Puts every document whose day has come into its GSTR-1. Cheap when there is none.
pub(crate) fn populate_due(simulator: &Simulator) -> rusqlite::Result<()> {
    let today = simulator.today().to_string();
    if !simulator.db.read(|tx| is_due(tx, &today))? {
        return Ok(());
    }
    simulator.db.write(|tx| {
        for kept in due(tx, &today)? {
            let taxpayer = taxpayers::by_gstin(tx, &kept.gstin, "")?;
            let (state, reason) = match taxpayer {
                Some(taxpayer) => populate(tx, simulator, &taxpayer, &kept)?,
                None => ("refused", Some("there is no such taxpayer".to_owned())),
            };
            tx.prepare_cached("UPDATE einvoices SET state = ?2, reason = ?3 WHERE irn = ?1")?
                .execute(params![kept.irn, state, reason])?;
        }
        Ok(())
    })
}

fn populate(
    tx: &Transaction<'_>,
    simulator: &Simulator,
    taxpayer: &Taxpayer,
    kept: &Kept,
) -> rusqlite::Result<(&'static str, Option<String>)> {
    let Ok(period) = kept.period.parse() else { return Ok(("refused", None)) };
    let subject = simulator.subject(taxpayer, Form::Gstr1, period);
    Ok(match gstr1::populate(tx, &subject, &kept.sections)? {
        Populated::Taken => ("populated", None),
        Populated::OwnRow => ("own_row", None),
        Populated::Filed => ("filed", None),
        Populated::Refused(error) => ("refused", Some(error.to_string())),
    })
}

/// The documents of a section as they were received, whatever the taxpayer did to their rows. None if there are none.
pub(crate) fn received(
    conn: &Connection,
    gstin: &Gstin,
    period: &str,
    section: &str,
) -> rusqlite::Result<Option<Value>> {
    let mut select = conn.prepare_cached(
        "SELECT sections FROM einvoices WHERE gstin = ?1 AND period = ?2 AND section = ?3 AND state <> 'cancelled'
         ORDER BY rowid",
    )?;
    let mut rows = select.query(params![gstin.as_str(), period, section])?;
    let mut parties: Vec<Value> = Vec::new();
    while let Some(row) = rows.next()? {
        let sections: Value = serde_json::from_str(&row.get::<_, String>(0)?).unwrap_or_default();
        for party in sections[section].as_array().into_iter().flatten() {
            merge(&mut parties, party);
        }
    }
    Ok((!parties.is_empty()).then(|| json!({ section: parties })))
}

/// Adds a party's documents to those that are there of the same party.
fn merge(parties: &mut Vec<Value>, party: &Value) {
    let same = |other: &&mut Value| {
        ["ctin", "exp_typ"]
            .iter()
            .any(|name| party.get(*name).is_some_and(|value| other.get(*name) == Some(value)))
    };
    let Some(known) = parties.iter_mut().find(same) else {
        return parties.push(party.clone());
    };
    for list in ["inv", "nt"] {
        if let (Some(Value::Array(known)), Some(Value::Array(new))) = (known.get_mut(list), party.get(list)) {
            known.extend(new.iter().cloned());
        }
    }
}

/// Every document of a taxpayer, in the order of registration.
pub(crate) fn of(conn: &Connection, gstin: &Gstin) -> rusqlite::Result<Vec<Registered>> {
    conn.prepare_cached(
        "SELECT irn, period, available_on, state, reason FROM einvoices WHERE gstin = ?1 ORDER BY rowid",
    )?
    .query_map([gstin.as_str()], |row| {
        Ok(Registered {
            irn: row.get(0)?,
            period: row.get(1)?,
            available_on: row.get(2)?,
            state: row.get(3)?,
            reason: row.get(4)?,
        })
    })?
    .collect()
}

/// A document as it is kept.
struct Kept {
    irn: String,
    gstin: Gstin,
    period: String,
    sections: Value,
    state: String,
}

const SELECT: &str = "SELECT irn, gstin, period, sections, state, registered_at FROM einvoices ";
const DUE: &str = "WHERE state = 'waiting' AND available_on <= ?1";

fn find(conn: &Connection, irn: &str) -> rusqlite::Result<Option<(Kept, i64)>> {
    conn.prepare_cached(&format!("{SELECT} WHERE irn = ?1"))?
        .query_row([irn], |row| Ok((read(row)?, row.get("registered_at")?)))
        .optional()
}

fn is_due(conn: &Connection, today: &str) -> rusqlite::Result<bool> {
    conn.prepare_cached(&format!("SELECT EXISTS (SELECT 1 FROM einvoices {DUE})"))?
        .query_row([today], |row| row.get(0))
}

fn due(conn: &Connection, today: &str) -> rusqlite::Result<Vec<Kept>> {
    conn.prepare_cached(&format!("{SELECT} {DUE} ORDER BY rowid"))?.query_map([today], read)?.collect()
}

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Kept> {
    Ok(Kept {
        irn: row.get("irn")?,
        gstin: taxpayers::read_gstin(row, "gstin")?,
        period: row.get("period")?,
        sections: serde_json::from_str(&row.get::<_, String>("sections")?).unwrap_or_default(),
        state: row.get("state")?,
    })
}

fn read_day(text: &str) -> Option<Date> {
    let mut parts = text.split('/');
    let mut next = || parts.next();
    let (day, month, year) = (next()?.parse().ok()?, next()?.parse().ok()?, next()?.parse().ok()?);
    parts.next().is_none().then(|| Date::new(year, month, day).ok()).flatten()
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Inv => "INV",
            Self::Crn => "CRN",
            Self::Dbn => "DBN",
        }
    }
}

impl EInvoice {
    fn is_export(&self) -> bool {
        matches!(self.tran_dtls.sup_typ, Supply::Expwp | Supply::Expwop)
    }

    /// The section of GSTR-1: by what it is and to whom it goes.
    fn section(&self) -> &'static str {
        match (self.doc_dtls.typ, self.is_export()) {
            (Kind::Inv, false) => "b2b",
            (Kind::Inv, true) => "exp",
            (_, false) => "cdnr",
            (_, true) => "cdnur",
        }
    }

    /// The document as a save of GSTR-1 would state it, with the marks of an e-invoice.
    fn sections(&self, day: Date, irn: &str, registered_on: Date) -> Value {
        let mut body = Map::new();
        let is_note = self.doc_dtls.typ != Kind::Inv;
        let (number, date) = if is_note { ("nt_num", "nt_dt") } else { ("inum", "idt") };
        body.insert(number.into(), self.doc_dtls.no.clone().into());
        body.insert(date.into(), dashed(day).into());
        body.insert("val".into(), self.val_dtls.tot_inv_val.clone().into());
        if is_note {
            body.insert("ntty".into(), if self.doc_dtls.typ == Kind::Crn { "C" } else { "D" }.into());
        }
        body.insert("srctyp".into(), "e-Invoice".into());
        body.insert("irn".into(), irn.into());
        body.insert("irngendate".into(), dashed(registered_on).into());
        let numbered = self.section() != "exp";
        body.insert("itms".into(), self.items(numbered));
        let registered = |mut body: Map<String, Value>| {
            body.insert("pos".into(), self.buyer_dtls.pos.clone().into());
            body.insert("rchrg".into(), if self.tran_dtls.reg_rev == YesNo::Y { "Y" } else { "N" }.into());
            body.insert("inv_typ".into(), self.tran_dtls.sup_typ.invoice_type().into());
            body
        };
        let ctin = &self.buyer_dtls.gstin;
        match self.section() {
            "b2b" => json!({ "b2b": [{ "ctin": ctin, "inv": [registered(body)] }] }),
            "cdnr" => json!({ "cdnr": [{ "ctin": ctin, "nt": [registered(body)] }] }),
            "exp" => {
                self.add_shipping_bill(&mut body);
                let with_payment = self.tran_dtls.sup_typ == Supply::Expwp;
                json!({ "exp": [{ "exp_typ": if with_payment { "WPAY" } else { "WOPAY" }, "inv": [body] }] })
            }
            _ => {
                body.insert("typ".into(), self.tran_dtls.sup_typ.invoice_type().into());
                json!({ "cdnur": [body] })
            }
        }
    }

    fn add_shipping_bill(&self, body: &mut Map<String, Value>) {
        let Some(export) = &self.exp_dtls else { return };
        let date = export.ship_b_dt.as_deref().and_then(read_day).map(dashed);
        for (name, value) in [("sbnum", &export.ship_b_no), ("sbdt", &date), ("sbpcode", &export.port)] {
            if let Some(value) = value {
                body.insert(name.into(), value.clone().into());
            }
        }
    }

    /// One item for each rate.
    fn items(&self, numbered: bool) -> Value {
        let mut rates: BTreeMap<Amount, [Amount; 5]> = BTreeMap::new();
        for item in &self.item_list {
            let sums = rates.entry(amount(Some(&item.gst_rt))).or_default();
            let parts = [
                Some(&item.ass_amt),
                item.igst_amt.as_ref(),
                item.cgst_amt.as_ref(),
                item.sgst_amt.as_ref(),
                item.ces_amt.as_ref(),
            ];
            for (sum, part) in sums.iter_mut().zip(parts) {
                *sum += amount(part);
            }
        }
        let detail = |(rate, [taxable, igst, cgst, sgst, cess]): (Amount, [Amount; 5])| {
            let mut detail = json!({ "rt": rate.to_json(), "txval": taxable.to_json() });
            let taxes = [("iamt", igst), ("camt", cgst), ("samt", sgst), ("csamt", cess)];
            for (name, tax) in taxes.into_iter().filter(|(_, tax)| !tax.is_zero()) {
                detail[name] = tax.to_json();
            }
            detail
        };
        let details = rates.into_iter().map(detail);
        if numbered {
            return details.zip(1..).map(|(detail, num)| json!({ "num": num, "itm_det": detail })).collect();
        }
        details.collect()
    }
}

impl Supply {
    /// `inv_typ` of documents to registered buyers, `typ` of notes to those abroad.
    const fn invoice_type(self) -> &'static str {
        match self {
            Self::B2b => "R",
            Self::Sezwp => "SEWP",
            Self::Sezwop => "SEWOP",
            Self::Dexp => "DE",
            Self::Expwp => "EXPWP",
            Self::Expwop => "EXPWOP",
        }
    }
}

fn amount(number: Option<&Number>) -> Amount {
    number.map_or(Amount::ZERO, |number| Amount::read(&Value::Number(number.clone())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(changes: Value) -> EInvoice {
        let mut document = json!({
            "Version": "1.1",
            "TranDtls": {"TaxSch": "GST", "SupTyp": "B2B"},
            "DocDtls": {"Typ": "INV", "No": "E/1", "Dt": "05/01/2026"},
            "BuyerDtls": {"Gstin": "27AAPFU0939F1ZV", "LglNm": "Buyer", "Pos": "27"},
            "ItemList": [
                {"SlNo": "1", "GstRt": 18, "AssAmt": 0.1, "IgstAmt": 0.02},
                {"SlNo": "2", "GstRt": 5, "AssAmt": 200, "IgstAmt": 10},
                {"SlNo": "3", "GstRt": 18.0, "AssAmt": 0.2, "IgstAmt": 0.04},
            ],
            "ValDtls": {"TotInvVal": 210.36},
        });
        for (pointer, value) in changes.as_object().unwrap() {
            *document.pointer_mut(pointer).unwrap() = value.clone();
        }
        serde_json::from_value(document).unwrap()
    }

    fn sections(changes: Value) -> Value {
        let day = Date::constant(2026, 1, 5);
        document(changes).sections(day, "ab", Date::constant(2026, 1, 6))
    }

    #[test]
    fn items_are_summed_by_rate_to_the_paisa() {
        let made = sections(json!({}));
        let invoice = &made["b2b"][0]["inv"][0];
        assert_eq!(
            invoice["itms"],
            json!([
                {"num": 1, "itm_det": {"rt": 5, "txval": 200, "iamt": 10}},
                {"num": 2, "itm_det": {"rt": 18, "txval": 0.3, "iamt": 0.06}},
            ])
        );
        assert_eq!((&invoice["srctyp"], &invoice["irngendate"]), (&json!("e-Invoice"), &json!("06-01-2026")));
    }

    #[test]
    fn the_section_follows_the_document_and_its_buyer() {
        for (kind, supply, section) in [
            ("INV", "SEZWP", "b2b"),
            ("INV", "EXPWOP", "exp"),
            ("CRN", "DEXP", "cdnr"),
            ("DBN", "EXPWP", "cdnur"),
        ] {
            let made = document(json!({"/DocDtls/Typ": kind, "/TranDtls/SupTyp": supply}));
            assert_eq!(made.section(), section, "{kind} {supply}");
        }
        let note = sections(json!({"/DocDtls/Typ": "CRN"}));
        assert_eq!(note["cdnr"][0]["nt"][0]["ntty"], "C");
    }

    #[test]
    fn a_day_is_read_as_the_portal_writes_it() {
        assert_eq!(read_day("05/01/2026"), Some(Date::constant(2026, 1, 5)));
        for text in ["5-1-2026", "31/02/2026", "05/01", "05/01/2026/7", ""] {
            assert_eq!(read_day(text), None, "{text}");
        }
    }
}
