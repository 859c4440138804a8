//! Lays the rows of any section of a return out as a table, whatever their shape.
//!
//! GSTN groups documents by counterparty, place or kind, and splits them into items; a person wants one line
//! for each document, with its amounts added up.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Columns that come first, in this order; the others follow by name.
const FIRST: [&str; 12] =
    ["ctin", "pos", "exp_typ", "sply_ty", "inum", "nt_num", "ntty", "idt", "nt_dt", "hsn_sc", "rt", "val"];
/// Amounts, added up over a document's items.
const AMOUNTS: [&str; 5] = ["txval", "iamt", "camt", "samt", "csamt"];
/// Of no use to a person.
const HIDDEN: [&str; 3] = ["chksum", "flag", "updby"];
/// Keys under which groups hold their documents, and documents their items.
const DOCUMENTS: [&str; 5] = ["inv", "nt", "docs", "hsn_b2b", "hsn_b2c"];
const GROUPS: [&str; 2] = ["data", "doc_det"];

type Row = BTreeMap<String, Value>;

/// The rows of `section`, which GSTN answers as `{"b2b":[…]}`; `None` if there are none.
pub(crate) fn table_of(section: &Value) -> Option<String> {
    let mut rows = Vec::new();
    for value in section.as_object()?.values() {
        collect(value, &Row::new(), &mut rows);
    }
    if rows.is_empty() {
        return None;
    }
    let columns = columns(&rows);
    let line = |row: &Row| {
        columns
            .iter()
            .map(|column| row.get(*column).map(|value| shown(column, value)).unwrap_or_default())
            .collect()
    };
    let mut lines: Vec<Vec<String>> = vec![columns.iter().map(|column| column.to_uppercase()).collect()];
    lines.extend(rows.iter().map(line));
    Some(aligned(&lines))
}

/// Goes down to the documents, taking along what their groups say.
fn collect(value: &Value, outer: &Row, rows: &mut Vec<Row>) {
    match value {
        Value::Array(entries) => entries.iter().for_each(|entry| collect(entry, outer, rows)),
        Value::Object(entry) => {
            let mut row = outer.clone();
            row.extend(plain_fields(entry));
            let inner: Vec<_> = DOCUMENTS.iter().chain(&GROUPS).filter_map(|key| entry.get(*key)).collect();
            if inner.is_empty() {
                add_items(entry, &mut row);
                rows.extend((!row.is_empty()).then_some(row));
            } else {
                inner.into_iter().for_each(|inner| collect(inner, &row, rows));
            }
        }
        _ => (),
    }
}

fn plain_fields(entry: &Map<String, Value>) -> impl Iterator<Item = (String, Value)> {
    let plain = |(key, value): &(&String, &Value)| {
        !value.is_array() && !value.is_object() && !value.is_null() && !HIDDEN.contains(&key.as_str())
    };
    entry.iter().filter(plain).map(|(key, value)| (key.clone(), value.clone()))
}

fn add_items(entry: &Map<String, Value>, row: &mut Row) {
    let Some(items) = entry.get("itms").and_then(Value::as_array) else { return };
    for amount in AMOUNTS {
        let of = |item: &Value| item.get("itm_det").unwrap_or(item).get(amount)?.as_f64();
        let parts: Vec<f64> = items.iter().filter_map(of).collect();
        if !parts.is_empty() {
            row.insert(amount.to_owned(), Value::from(parts.iter().sum::<f64>()));
        }
    }
}

fn columns(rows: &[Row]) -> Vec<&str> {
    let mut names: Vec<&str> = rows.iter().flat_map(|row| row.keys().map(String::as_str)).collect();
    names.sort_unstable();
    names.dedup();
    let place =
        |name: &&str| FIRST.iter().chain(&AMOUNTS).position(|first| first == name).unwrap_or(usize::MAX);
    names.sort_by_key(place);
    names
}

fn shown(column: &str, value: &Value) -> String {
    if column == "val" || AMOUNTS.contains(&column) { amount(value) } else { cell(value) }
}

/// A text, number or truth value as it is.
pub(crate) fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// Rupees with two decimals.
pub(crate) fn amount(value: &Value) -> String {
    value.as_f64().map_or_else(|| cell(value), |rupees| format!("{rupees:.2}"))
}

fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.first().map_or(0, Vec::len);
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for line in lines {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_invoice_is_one_line_with_its_items_added_up() {
        let item =
            |txval: f64, iamt: f64| json!({"num": 1, "itm_det": {"rt": 18, "txval": txval, "iamt": iamt}});
        let section = json!({"b2b": [{"ctin": "27AAPFU0939F1ZV", "cfs": "N", "inv": [
            {"inum": "A1", "idt": "02-04-2026", "val": 1180, "chksum": "x", "itms": [item(600.0, 108.0), item(400.0, 72.0)]},
            {"inum": "A2", "idt": "03-04-2026", "val": 118.5, "itms": [item(100.0, 18.0)]},
        ]}]});
        let expected = "\
CTIN             INUM  IDT         VAL      TXVAL    IAMT    CFS
27AAPFU0939F1ZV  A1    02-04-2026  1180.00  1000.00  180.00  N
27AAPFU0939F1ZV  A2    03-04-2026  118.50   100.00   18.00   N
";
        assert_eq!(table_of(&section).unwrap(), expected);
    }

    #[test]
    fn flat_rows_and_grouped_rows_are_laid_out_too() {
        let b2cs = table_of(&json!({"b2cs": [{"sply_ty": "INTRA", "rt": 5, "txval": 10}]})).unwrap();
        assert_eq!(b2cs, "SPLY_TY  RT  TXVAL\nINTRA    5   10.00\n");
        let hsn =
            table_of(&json!({"hsn": {"chksum": "x", "hsn_b2b": [{"hsn_sc": "1001", "qty": 2}]}})).unwrap();
        assert_eq!(hsn, "HSN_SC  QTY\n1001    2\n");
        let documents =
            json!({"doc_issue": {"doc_det": [{"doc_num": 1, "docs": [{"from": "1", "to": "9"}]}]}});
        assert_eq!(table_of(&documents).unwrap().lines().count(), 2);
    }

    #[test]
    fn nothing_gives_no_table() {
        for nothing in [json!({}), json!({"b2b": []}), json!(null), json!({"nil": {"chksum": "x"}})] {
            assert_eq!(table_of(&nothing), None);
        }
    }
}
