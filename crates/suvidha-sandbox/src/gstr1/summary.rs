//! RETSUM: the sums a taxpayer signs (gstn.md 3.9). Section names and their order are those of real summaries.
//!
//! Of an amendment table, `act_*` are the amended values and `ttl_*` what they change: amended less original, as
//! liability counts them (gst-engine.md 1.2; which of the two columns is which is I). Credit notes count
//! negative. `TTL_LIAB` leaves out what is under reverse charge and subtracts advances adjusted.

use std::collections::BTreeMap;

use rusqlite::Connection;
use serde_json::{Map, Value, json};

use super::store::{self, KeptRow};
use super::totals::Totals;
use super::{Subject, checksum};
use crate::amounts::Amount;

/// How a section is broken down.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Parts {
    None,
    /// By invoice type, as sections of their own beside the section.
    Beside(&'static [&'static str]),
    /// As `sub_sections`, named in full.
    Named(&'static [&'static str]),
    /// As `sub_sections`, told apart by `typ`.
    Typed(&'static [&'static str]),
}

const REGISTERED: &[&str] = &["4A", "4B", "6C", "SEZWOP", "SEZWP"];
const OPERATOR: &[&str] = &["DE", "REG", "SEZWOP", "SEZWP", "UNREG"];
const UNREGISTERED: &[&str] = &["B2CL", "EXPWOP", "EXPWP"];
const EXPORTS: &[&str] = &["EXPWOP", "EXPWP"];
const TABLE_14: &[&str] = &["14A", "14B"];
const HSN_HALVES: &[&str] = &["B2B", "B2C"];

/// Name in the summary, section in the payload, how it is broken down.
const SECTIONS: [(&str, &str, Parts); 23] = [
    ("AT", "at", Parts::None),
    ("ATA", "ata", Parts::None),
    ("B2B", "b2b", Parts::Beside(REGISTERED)),
    ("B2BA", "b2ba", Parts::Beside(REGISTERED)),
    ("B2CL", "b2cl", Parts::None),
    ("B2CLA", "b2cla", Parts::None),
    ("B2CS", "b2cs", Parts::None),
    ("B2CSA", "b2csa", Parts::None),
    ("ECOM", "ecom", Parts::Beside(OPERATOR)),
    ("ECOMA", "ecoma", Parts::Beside(OPERATOR)),
    ("HSN", "hsn", Parts::None),
    ("NIL", "nil", Parts::None),
    ("TXPD", "txpd", Parts::None),
    ("TXPDA", "txpda", Parts::None),
    ("DOC_ISSUE", "doc_issue", Parts::None),
    ("CDNR", "cdnr", Parts::Named(REGISTERED)),
    ("CDNRA", "cdnra", Parts::Named(REGISTERED)),
    ("CDNUR", "cdnur", Parts::Typed(UNREGISTERED)),
    ("CDNURA", "cdnura", Parts::Typed(UNREGISTERED)),
    ("EXP", "exp", Parts::Typed(EXPORTS)),
    ("EXPA", "expa", Parts::Typed(EXPORTS)),
    ("SUPECOM", "supeco", Parts::Named(TABLE_14)),
    ("SUPECOMA", "supecoa", Parts::Named(TABLE_14)),
];

/// The summary of a return: short, or `long` with a line for each counterparty. `None` when there is nothing to
/// sum up: no rows, and the taxpayer has not said that there are none.
///
/// # Errors
/// Only those of the database.
pub fn summary(connection: &Connection, subject: &Subject, long: bool) -> rusqlite::Result<Option<Value>> {
    let rows = store::all_rows(connection, subject)?;
    let standing = store::standing(connection, subject.gstin, subject.form, subject.period)?;
    if rows.is_empty() && standing.summary_chksum.is_none() && standing.filed.is_none() {
        return Ok(None);
    }
    let (chksum, mut sections) = sections(subject, &rows, long);
    sections.push(total_liability(&rows, &sections, &chksum));
    let mut summary = json!({
        "gstin": subject.gstin.as_str(),
        "ret_period": subject.period.to_string(),
        "chksum": chksum,
        "newSumFlag": true,
        "sec_sum": sections,
    });
    if standing.nil {
        summary["isnil"] = "Y".into();
    }
    Ok(Some(summary))
}

/// The checksum of the summary as it stands.
pub(super) fn current_checksum(connection: &Connection, subject: &Subject) -> rusqlite::Result<String> {
    Ok(sections(subject, &store::all_rows(connection, subject)?, false).0)
}

/// Every section, and the checksum over them all.
fn sections(subject: &Subject, rows: &[KeptRow], long: bool) -> (String, Vec<Value>) {
    let mut lines = Vec::new();
    let mut chksums = Vec::new();
    for (name, section, parts) in SECTIONS {
        let parts = match section {
            "hsn" if subject.rules.hsn_is_split(subject.period) => Parts::Beside(HSN_HALVES),
            _ => parts,
        };
        let rows: Vec<&KeptRow> = rows.iter().filter(|kept| kept.row.table.section == section).collect();
        let (line, beside) = section_lines(name, section, parts, &rows, long);
        chksums.push(line["chksum"].as_str().unwrap_or_default().to_owned());
        lines.push(line);
        lines.extend(beside);
    }
    (checksum::of_parts(chksums.iter().map(String::as_str)), lines)
}

/// The line of a section, and the lines beside it.
fn section_lines(
    name: &str,
    section: &str,
    parts: Parts,
    rows: &[&KeptRow],
    long: bool,
) -> (Value, Vec<Value>) {
    let part_line = |part: &str| {
        let of_part: Vec<&KeptRow> = rows.iter().copied().filter(|kept| part_of(kept) == part).collect();
        line(section, &of_part)
    };
    let named = |part: &str| with("sec_nm", format!("{name}_{part}"), part_line(part));
    let (below, beside): (Vec<Value>, Vec<Value>) = match parts {
        Parts::None => (Vec::new(), Vec::new()),
        Parts::Beside(parts) => (Vec::new(), parts.iter().map(|part| named(part)).collect()),
        Parts::Named(parts) => (parts.iter().map(|part| named(part)).collect(), Vec::new()),
        Parts::Typed(parts) => {
            (parts.iter().map(|part| with("typ", (*part).to_owned(), part_line(part))).collect(), Vec::new())
        }
    };
    let mut whole = with("sec_nm", name.to_owned(), line(section, rows));
    let parts: Vec<&str> = below.iter().chain(&beside).filter_map(|part| part["chksum"].as_str()).collect();
    if !parts.is_empty() {
        whole["chksum"] = checksum::of_parts(parts).into();
    }
    if !below.is_empty() {
        whole["sub_sections"] = below.into();
    }
    if long {
        let counterparties = counterparties(section, rows);
        if !counterparties.is_empty() {
            whole["cpty_sum"] = counterparties.into();
        }
    }
    (whole, beside)
}

fn with(key: &str, value: String, mut line: Map<String, Value>) -> Value {
    line.insert(key.into(), value.into());
    Value::Object(line)
}

/// Which part of its section a row belongs to. K for supplies through operators: REG and UNREG are recipients.
fn part_of(kept: &KeptRow) -> &'static str {
    let row = &kept.row;
    match (row.table.section, row.table.part) {
        ("exp" | "expa", _) => {
            if row.text("exp_typ") == Some("WPAY") {
                "EXPWP"
            } else {
                "EXPWOP"
            }
        }
        ("cdnur" | "cdnura", _) => match row.text("typ") {
            Some("EXPWP") => "EXPWP",
            Some("EXPWOP") => "EXPWOP",
            _ => "B2CL",
        },
        ("supeco" | "supecoa", part) => {
            if part.starts_with("clttx") {
                "14A"
            } else {
                "14B"
            }
        }
        ("hsn", part) => {
            if part == "hsn_b2b" {
                "B2B"
            } else {
                "B2C"
            }
        }
        (_, "b2c" | "b2ca" | "urp2c" | "urp2ca") => "UNREG",
        (section, _) => match row.text("inv_typ") {
            Some("SEWP") => "SEZWP",
            Some("SEWOP") => "SEZWOP",
            Some("DE") if section.starts_with("ecom") => "DE",
            _ if section.starts_with("ecom") => "REG",
            Some("DE") => "6C",
            _ if row.text("rchrg") == Some("Y") => "4B",
            _ => "4A",
        },
    }
}

/// Checksum, number of records and amounts of some rows of one section.
fn line(section: &str, rows: &[&KeptRow]) -> Map<String, Value> {
    let mut line = Map::new();
    line.insert("chksum".into(), checksum::of_parts(rows.iter().map(|kept| kept.chksum.as_str())).into());
    line.insert("ttl_rec".into(), rows.len().into());
    let sum = |field: &str| rows.iter().map(|kept| kept.row.amount(field)).sum::<Amount>().to_json();
    match section {
        "nil" => {
            line.insert("ttl_expt_amt".into(), sum("expt_amt"));
            line.insert("ttl_ngsup_amt".into(), sum("ngsup_amt"));
            line.insert("ttl_nilsup_amt".into(), sum("nil_amt"));
        }
        "doc_issue" => {
            for (name, field) in [
                ("ttl_doc_issued", "totnum"),
                ("ttl_doc_cancelled", "cancel"),
                ("net_doc_issued", "net_issue"),
            ] {
                line.insert(name.into(), documents(rows, field).to_json());
            }
        }
        _ => {
            delta(rows).write("ttl", &mut line);
            if rows_are_amendments(section) {
                reported(rows).write("act", &mut line);
            }
        }
    }
    line
}

fn rows_are_amendments(section: &str) -> bool {
    section.ends_with('a')
}

fn documents(rows: &[&KeptRow], field: &str) -> Amount {
    let ranges = rows.iter().filter_map(|kept| kept.row.value("docs")?.as_array()).flatten();
    ranges.filter_map(|range| range.get(field)).map(Amount::read).sum()
}

fn reported(rows: &[&KeptRow]) -> Totals {
    rows.iter().map(|kept| Totals::of_row(&kept.row)).fold(Totals::default(), Totals::plus)
}

/// What the rows add to liability: for amendments, less what they replace.
fn delta(rows: &[&KeptRow]) -> Totals {
    let originals = rows.iter().filter_map(|kept| kept.original).fold(Totals::default(), Totals::plus);
    reported(rows).plus(originals.negated())
}

/// A line for each counterparty, or for each state of Table 5.
fn counterparties(section: &str, rows: &[&KeptRow]) -> Vec<Value> {
    let (field, name) = match section {
        "b2b" | "b2ba" | "cdnr" | "cdnra" => ("ctin", "ctin"),
        "b2cl" | "b2cla" => ("pos", "state_cd"),
        _ => return Vec::new(),
    };
    let mut parties: BTreeMap<&str, Vec<&KeptRow>> = BTreeMap::new();
    for kept in rows {
        parties.entry(kept.row.text(field).unwrap_or_default()).or_default().push(kept);
    }
    parties.into_iter().map(|(party, rows)| with(name, party.to_owned(), line(section, &rows))).collect()
}

fn total_liability(rows: &[KeptRow], sections: &[Value], chksum: &str) -> Value {
    let counted = |kept: &KeptRow| {
        !matches!(kept.row.table.section, "nil" | "hsn" | "doc_issue" | "supeco" | "supecoa")
            && part_of(kept) != "4B"
    };
    let (less, more): (Vec<&KeptRow>, Vec<&KeptRow>) =
        rows.iter().filter(|kept| counted(kept)).partition(|kept| kept.row.table.section.starts_with("txpd"));
    let names: Vec<&str> = SECTIONS.iter().map(|(name, _, _)| *name).collect();
    let records: i64 = sections
        .iter()
        .filter(|line| line["sec_nm"].as_str().is_some_and(|name| names.contains(&name)))
        .filter_map(|line| line["ttl_rec"].as_i64())
        .sum();
    let mut line = Map::new();
    line.insert("chksum".into(), chksum.into());
    line.insert("ttl_rec".into(), records.into());
    delta(&more).plus(delta(&less).negated()).write("ttl", &mut line);
    with("sec_nm", "TTL_LIAB".to_owned(), line)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{
        Books, CUSTOMER, b2b, codes, every_section, june, merge, payload, processed,
    };
    use super::*;

    fn july() -> Books {
        let mut books = Books::with_june();
        assert_eq!(books.save("072025", &every_section()), processed());
        books
    }

    fn assert_line(books: &Books, name: &str, expected: &Value) {
        let line = books.line(name);
        for (key, value) in expected.as_object().unwrap() {
            assert_eq!(&line[key], value, "{name}.{key}");
        }
    }

    #[test]
    fn an_untouched_return_has_no_summary() {
        assert_eq!(Books::new().summary("072025", false), None);
    }

    #[test]
    fn sums_of_each_kind_of_section() {
        let books = july();
        assert_line(
            &books,
            "B2B",
            &json!({"ttl_rec": 8, "ttl_tax": 22533.38, "ttl_igst": 2283.01, "ttl_cgst": 90}),
        );
        assert_line(
            &books,
            "B2B_4B",
            &json!({"ttl_rec": 1, "ttl_tax": 5700, "ttl_igst": 1026, "ttl_val": 6726}),
        );
        assert_line(&books, "B2B_SEZWOP", &json!({"ttl_rec": 1, "ttl_igst": 0, "ttl_tax": 1000}));
        assert_line(
            &books,
            "B2CS",
            &json!({"ttl_rec": 4, "ttl_tax": 2010, "ttl_igst": 102, "ttl_val": 2150}),
        );
        // A credit of 1000 and a debit of 500.
        assert_line(
            &books,
            "CDNR",
            &json!({"ttl_rec": 2, "ttl_tax": -500, "ttl_igst": -90, "ttl_val": -590}),
        );
        assert_line(
            &books,
            "NIL",
            &json!({"ttl_rec": 2, "ttl_nilsup_amt": 100.2, "ttl_expt_amt": 200.4, "ttl_ngsup_amt": 300.3}),
        );
        assert_line(
            &books,
            "DOC_ISSUE",
            &json!({"ttl_rec": 2, "ttl_doc_issued": 16, "ttl_doc_cancelled": 1, "net_doc_issued": 15}),
        );
        assert_line(&books, "HSN_B2B", &json!({"ttl_rec": 1, "ttl_tax": 12000}));
        assert_line(&books, "HSN", &json!({"ttl_rec": 2, "ttl_tax": 162_000}));
        let exports = books.line("EXP");
        assert_eq!(exports["sub_sections"][0]["typ"], "EXPWOP");
        assert_eq!(exports["sub_sections"][1]["ttl_igst"], json!(151_787.04));
        assert_eq!(books.line("SUPECOM")["sub_sections"][1]["sec_nm"], "SUPECOM_14B");
        assert_line(&books, "ECOM_UNREG", &json!({"ttl_rec": 2, "ttl_tax": 200}));
    }

    #[test]
    fn amendments_count_by_what_they_change() {
        let books = july();
        assert_line(
            &books,
            "B2BA",
            &json!({"act_tax": 12000, "ttl_tax": 2000, "ttl_igst": 360, "ttl_val": 2360}),
        );
        assert_line(&books, "B2CLA", &json!({"act_tax": 180_000, "ttl_tax": -20_000}));
        assert_line(&books, "B2CSA", &json!({"act_tax": 1200, "ttl_tax": 200, "ttl_cgst": 5}));
        // Credit notes: 1200 instead of 1000, and 1000 instead of 2000.
        assert_line(&books, "CDNRA", &json!({"act_tax": -1200, "ttl_tax": -200}));
        assert_line(&books, "CDNURA", &json!({"act_tax": -1000, "ttl_tax": 1000}));
        assert_line(&books, "SUPECOMA", &json!({"act_tax": 9500, "ttl_tax": 500}));
        assert_line(&books, "ECOMA", &json!({"act_tax": 4200, "ttl_tax": 1000 + 200 - 500 + 200}));
    }

    #[test]
    fn reporting_the_same_again_changes_no_liability() {
        let mut books = Books::with_june();
        let mut sections = every_section()["b2cla"].clone();
        sections[0]["inv"][0]["val"] = 236_000.into();
        sections[0]["inv"][0]["itms"] = june()["b2cl"][0]["inv"][0]["itms"].clone();
        assert_eq!(books.save_july(&json!({ "b2cla": sections })), processed());
        assert_line(&books, "TTL_LIAB", &json!({"ttl_rec": 1, "ttl_tax": 0, "ttl_igst": 0, "ttl_val": 0}));
    }

    #[test]
    fn total_liability_leaves_out_reverse_charge_and_subtracts_advances_adjusted() {
        let mut books = Books::new();
        let mut sections = b2b(&json!({}));
        let reverse = b2b(&json!({"inum": "A/2", "rchrg": "Y"}))["b2b"][0]["inv"][0].clone();
        sections["b2b"][0]["inv"].as_array_mut().unwrap().push(reverse);
        merge(
            &mut sections,
            &json!({
            "txpd": [{"pos": "33", "sply_ty": "INTER", "itms": [{"rt": 18, "ad_amt": 300, "iamt": 54}]}],
            "nil": {"inv": [{"sply_ty": "INTRB2B", "nil_amt": 5, "expt_amt": 0, "ngsup_amt": 0}]}}),
        );
        assert_eq!(books.save_july(&sections), processed());
        assert_line(&books, "TTL_LIAB", &json!({"ttl_rec": 4, "ttl_tax": 700, "ttl_igst": 126}));
    }

    #[test]
    fn the_long_summary_has_a_line_for_each_counterparty() {
        let books = july();
        let long = books.summary("072025", true).unwrap();
        let line = |name: &str| {
            long["sec_sum"].as_array().unwrap().iter().find(|line| line["sec_nm"] == name).unwrap().clone()
        };
        let parties = line("B2B")["cpty_sum"].as_array().unwrap().clone();
        assert_eq!(parties.len(), 3);
        let customer = parties.iter().find(|party| party["ctin"] == CUSTOMER).unwrap();
        assert_eq!((&customer["ttl_rec"], &customer["ttl_tax"]), (&json!(4), &json!(18533.38)));
        assert_eq!(line("B2CL")["cpty_sum"][0]["state_cd"], "29");
        let short = books.summary("072025", false).unwrap();
        assert!(short["sec_sum"].as_array().unwrap().iter().all(|line| line["cpty_sum"].is_null()));
        assert_eq!(short["chksum"], long["chksum"]);
    }

    #[test]
    fn empty_sections_have_the_checksums_of_real_summaries() {
        let mut books = Books::new();
        books.save_july(&b2b(&json!({})));
        assert_eq!(
            books.line("AT")["chksum"],
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(
            books.line("B2BA")["chksum"],
            "063a5b1a3bbc23d11761b156c446a285d7703be484a276a0a32e29bda10d4f8a"
        );
        assert_eq!(
            books.line("CDNUR")["chksum"],
            "74313561d1897af3dc03f4fae174960d28968f92b49230523faca462b848db60"
        );
        assert_eq!(
            books.line("EXP")["chksum"],
            "3b7546ed79e3e5a7907381b093c5a182cbf364c5dd0443dfa956c8cca271cc33"
        );
        let summary = books.summary("072025", false).unwrap();
        assert_eq!(summary["chksum"], books.line("TTL_LIAB")["chksum"]);
        assert_eq!(summary["newSumFlag"], true);
    }

    #[test]
    fn before_may_2025_hsn_is_one_section() {
        let mut books = Books::new();
        let row =
            json!({"num": 1, "hsn_sc": "8471", "uqc": "NOS", "qty": 1, "rt": 18, "txval": 100, "iamt": 18});
        assert!(
            codes(&books.save("042025", &payload("042025", &json!({"hsn": {"data": [row]}})))).is_empty()
        );
        let summary = books.summary("042025", false).unwrap();
        let names: Vec<&str> = summary["sec_sum"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|line| line["sec_nm"].as_str())
            .collect();
        assert!(names.contains(&"HSN") && !names.contains(&"HSN_B2B"));
        assert!(books.section("042025", "HSNSUM").unwrap()["hsn"]["data"].is_array());
    }
}
