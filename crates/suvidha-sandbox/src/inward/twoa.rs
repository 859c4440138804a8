//! GSTR-2A: what suppliers report, as they report it. A row stands in the period of the supplier's return, whenever
//! that is filed.

use gstn::{Gstin, ReturnPeriod};
use jiff::civil::Date;
use rusqlite::Connection;
use serde_json::{Map, Value, json};

use super::seeds::{self, Seed};
use crate::calendar::quarter_of;
use crate::filed;
use crate::forms::{Form, Frequency};
use crate::gstr1::outward::{self, Document};
use crate::preferences;
use crate::taxpayers;

/// What a GET asks for besides its section.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Query<'a> {
    /// Only this counterparty.
    pub(crate) ctin: Option<&'a str>,
    /// Only what changed, or was filed, on this day or later.
    pub(crate) since: Option<Date>,
    /// Whether rows show that are saved and not filed.
    pub(crate) shows_saved: bool,
}

/// The sections: the action, the key of the answer, the section of GSTR-1, the key of the rows.
const OF_SUPPLIERS: [(&str, &str, &str, &str); 6] = [
    ("B2B", "b2b", "b2b", "inv"),
    ("B2BA", "b2ba", "b2ba", "inv"),
    ("CDN", "cdn", "cdnr", "nt"),
    ("CDNA", "cdna", "cdnra", "nt"),
    ("ECOM", "ecom", "ecom", "inv"),
    ("ECOMA", "ecoma", "ecoma", "inv"),
];
const OF_OFFICES: [&str; 7] = ["ISD", "ISDA", "TDS", "TDSA", "TCS", "IMPG", "IMPGSEZ"];

/// Whether `action` reads a section.
pub(crate) fn is_section(action: &str) -> bool {
    OF_SUPPLIERS.iter().any(|(known, ..)| *known == action) || OF_OFFICES.contains(&action)
}

/// One section of the GSTR-2A of `period`: `{"b2b":[…]}`. None when it is empty.
pub(crate) fn section(
    conn: &Connection,
    recipient: &Gstin,
    period: ReturnPeriod,
    action: &str,
    query: &Query<'_>,
) -> rusqlite::Result<Option<Value>> {
    let found = OF_SUPPLIERS.iter().find(|(known, ..)| *known == action);
    let (name, rows) = match found {
        Some((_, name, of, list)) => {
            ((*name).to_owned(), of_suppliers(conn, recipient, period, of, list, query)?)
        }
        None => {
            let name = action.to_ascii_lowercase();
            let seeds = seeds::of_period(conn, recipient, period, &name)?;
            let rows = of_offices(&name, seeds, query);
            (name, rows)
        }
    };
    Ok((!rows.is_empty()).then(|| json!({ name: rows })))
}

/// The rows of one return, under the fields that they share.
type Group = ((Gstin, Form), Map<String, Value>, Vec<Value>);

fn of_suppliers(
    conn: &Connection,
    recipient: &Gstin,
    period: ReturnPeriod,
    section: &str,
    list: &str,
    query: &Query<'_>,
) -> rusqlite::Result<Vec<Value>> {
    let mut groups: Vec<Group> = Vec::new();
    for document in outward::of_period(conn, recipient, period)? {
        let supplier = document.id.supplier;
        let other = query.ctin.is_some_and(|ctin| !ctin.eq_ignore_ascii_case(supplier.as_str()));
        if document.id.section != section || other {
            continue;
        }
        let filed = filed::find(conn, &supplier, document.id.form, period)?;
        let is_new = query.since.is_none_or(|since| {
            document.changed_on >= since.to_string() || filed.as_ref().is_some_and(|filed| filed.on >= since)
        });
        if !is_new || (filed.is_none() && !query.shows_saved) {
            continue;
        }
        let name = (supplier, document.id.form);
        if groups.last().is_none_or(|(last, ..)| *last != name) {
            groups.push((name, head_of(conn, &document, filed.map(|filed| filed.on))?, Vec::new()));
        }
        if let Some((.., rows)) = groups.last_mut() {
            rows.push(row_of(conn, &document)?);
        }
    }
    let grouped = groups.into_iter().map(|(_, mut head, rows)| {
        head.insert(list.to_owned(), rows.into());
        Value::Object(head)
    });
    Ok(grouped.collect())
}

/// `cfs` and `cfs3b` say whether GSTR-1 and GSTR-3B are filed; the days are there once they are.
fn head_of(
    conn: &Connection,
    document: &Document,
    filed_on: Option<Date>,
) -> rusqlite::Result<Map<String, Value>> {
    let (supplier, period) = (&document.id.supplier, document.id.period);
    let yes_no = |yes: bool| if yes { "Y" } else { "N" };
    let return_of = match preferences::frequency(conn, supplier, period)? {
        Frequency::Monthly => period,
        Frequency::Quarterly => quarter_of(period)[2],
    };
    let paid = filed::find(conn, supplier, Form::Gstr3b, return_of)?.is_some();
    let mut head = Map::new();
    head.insert("ctin".into(), supplier.as_str().into());
    head.insert("cfs".into(), yes_no(filed_on.is_some()).into());
    head.insert("cfs3b".into(), yes_no(paid).into());
    let cancelled_on = taxpayers::by_gstin(conn, supplier, "")?.and_then(|taxpayer| taxpayer.cancelled_on);
    if let Some(day) = cancelled_on {
        head.insert("dtcancel".into(), short_day(day).into());
    }
    if let Some(day) = filed_on {
        head.insert("fldtr1".into(), short_day(day).into());
        head.insert("flprdr1".into(), short_month(period).into());
    }
    Ok(head)
}

/// The fields that GSTR-2A shows of a row, besides `chksum`, `aspd`, `atyp` and `itms`.
const SHOWN: [&str; 16] = [
    "inum",
    "idt",
    "oinum",
    "oidt",
    "ntty",
    "nt_num",
    "nt_dt",
    "ont_num",
    "ont_dt",
    "val",
    "pos",
    "inv_typ",
    "diff_percent",
    "srctyp",
    "irn",
    "irngendate",
];

/// `aspd` and `atyp` link an amendment and what it amends: the other's period, and R, that it was changed.
fn row_of(conn: &Connection, document: &Document) -> rusqlite::Result<Value> {
    let mut row = Map::new();
    row.insert("chksum".into(), document.chksum.as_str().into());
    for name in SHOWN {
        if let Some(value) = document.fields().get(name) {
            row.insert(name.into(), value.clone());
        }
    }
    let reverse = if document.text("rchrg") == "Y" { "Y" } else { "N" };
    row.insert("rchrg".into(), reverse.into());
    let linked = match document.is_amendment() {
        true => outward::original_of(conn, document)?.map(|original| original.id.period),
        false => outward::amendments_of(conn, document)?.first().map(|amendment| amendment.id.period),
    };
    if let Some(period) = linked {
        row.insert("aspd".into(), short_month(period).into());
        row.insert("atyp".into(), "R".into());
    }
    let item = |(index, rated): (usize, outward::RatedTaxes)| {
        let taxes = rated.taxes;
        json!({ "num": index + 1, "itm_det": {
            "rt": rated.rate.to_json(), "txval": taxes.taxable.to_json(), "iamt": taxes.igst.to_json(),
            "camt": taxes.cgst.to_json(), "samt": taxes.sgst.to_json(), "csamt": taxes.cess.to_json(),
        }})
    };
    row.insert("itms".into(), document.rates().into_iter().enumerate().map(item).collect());
    Ok(row.into())
}

fn of_offices(section: &str, seeds: Vec<Seed>, query: &Query<'_>) -> Vec<Value> {
    let wanted = |seed: &&Seed| {
        query.ctin.is_none_or(|ctin| !seed.body.contains_key("ctin") || seed.text("ctin") == ctin)
    };
    let seeds: Vec<&Seed> = seeds.iter().filter(wanted).collect();
    match section {
        "isd" | "isda" => distributed(&seeds),
        "impg" | "impgsez" => seeds.into_iter().map(imported).collect(),
        _ => seeds.into_iter().map(at_source).collect(),
    }
}

fn distributed(seeds: &[&Seed]) -> Vec<Value> {
    let mut groups: Vec<(String, Vec<Value>)> = Vec::new();
    for seed in seeds {
        let kind = |name: &str| if seed.text(name) == "ISDC" { "ISDCN" } else { "ISD" };
        let mut row = json!({
            "chksum": seed.chksum(), "isd_docty": kind("doctyp"), "docnum": seed.text("docnum"),
            "docdt": seed.text("docdt"), "itc_elg": seed.text("itcelg"), "iamt": seed.amount("igst").to_json(),
            "camt": seed.amount("cgst").to_json(), "samt": seed.amount("sgst").to_json(),
            "cess": seed.amount("cess").to_json(),
        });
        if seed.section == "isda" {
            row["atyp"] = "R".into();
        }
        match groups.iter_mut().find(|(ctin, _)| ctin == seed.text("ctin")) {
            Some((_, rows)) => rows.push(row),
            None => groups.push((seed.text("ctin").to_owned(), vec![row])),
        }
    }
    groups.into_iter().map(|(ctin, rows)| json!({ "ctin": ctin, "cfs": "Y", "doclist": rows })).collect()
}

fn imported(seed: &Seed) -> Value {
    let mut row = json!({
        "refdt": seed.text("refdt"), "portcd": seed.text("portcode"), "benum": bill_number(seed),
        "bedt": seed.text("boedt"), "txval": seed.amount("txval").to_json(),
        "iamt": seed.amount("igst").to_json(), "csamt": seed.amount("cess").to_json(), "amd": seed.text("isamd"),
    });
    if seed.section == "impgsez" {
        row["sgstin"] = seed.text("ctin").into();
        row["tdname"] = seed.text("trdnm").into();
    }
    row
}

/// A number in GSTR-2A, as it is a text in GSTR-2B.
fn bill_number(seed: &Seed) -> Value {
    seed.text("boenum").parse::<u64>().map_or_else(|_| seed.text("boenum").into(), Value::from)
}

/// TDS and TCS as they were put in.
fn at_source(seed: &Seed) -> Value {
    let mut row = seed.body.clone();
    row.remove("supprd");
    if seed.section == "tcs" {
        row.insert("chksum".into(), seed.chksum().into());
    }
    row.into()
}

/// AMDHIST: every form of one bill of entry. None when there is no such bill.
pub(crate) fn bill_history(
    conn: &Connection,
    recipient: &Gstin,
    port: &str,
    number: &str,
    day: &str,
) -> rusqlite::Result<Option<Value>> {
    let mut seeds = seeds::imports(conn, recipient)?;
    seeds.retain(|seed| {
        seed.text("portcode").eq_ignore_ascii_case(port)
            && seed.text("boenum") == number
            && seed.text("boedt") == day
    });
    let Some(first) = seeds.first() else { return Ok(None) };
    let entry = |seed: &Seed| {
        let mut entry = json!({
            "refdt": format!("{} 00:00:00", seed.text("refdt")), "txval": seed.amount("txval").to_json(),
            "iamt": seed.amount("igst").to_json(), "csamt": seed.amount("cess").to_json(),
        });
        if seed.section == "impgsez" {
            entry["sgstin"] = seed.text("ctin").into();
            entry["tdname"] = seed.text("trdnm").into();
        }
        entry
    };
    Ok(Some(json!({
        "gstin": recipient.as_str(), "portcd": first.text("portcode"), "benum": bill_number(first),
        "bedt": first.text("boedt"), "amddtl": seeds.iter().map(entry).collect::<Vec<_>>(),
    })))
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

fn month_name(month: usize) -> &'static str {
    MONTHS.get(month.wrapping_sub(1)).copied().unwrap_or_default()
}

/// `18-Nov-19`
fn short_day(day: Date) -> String {
    format!(
        "{:02}-{}-{:02}",
        day.day(),
        month_name(usize::from(day.month().unsigned_abs())),
        day.year() % 100
    )
}

/// `Nov-19`
fn short_month(period: ReturnPeriod) -> String {
    format!("{}-{:02}", month_name(usize::from(period.month())), period.year() % 100)
}
