//! A payload taken apart into rows: one row per document, rate row, HSN row and so on.

use jiff::civil::Date;
use serde_json::{Map, Value};

use super::schema::parse_date;
use super::tables::{Items, Key, Numbering, TABLES, Table};
use crate::amounts::{Amount, decimal_text};

/// One row of one table, as sent or as kept.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) table: &'static Table,
    /// The fields shared with other rows, such as `ctin`.
    pub(super) group: Map<String, Value>,
    /// The rest, without `flag`.
    pub(super) body: Map<String, Value>,
    /// `N`, `M`, `U`, `E` or `D`, as sent.
    pub(super) flag: Option<String>,
}

/// A row of a payload, and how it was sent.
#[derive(Debug, Clone)]
pub(super) struct SentRow {
    pub(super) row: Row,
    pub(super) group: Map<String, Value>,
    pub(super) sent: Value,
}

/// Rated amounts of a row. `taxable` is the taxable value, or the advance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) rate: Amount,
    pub(super) taxable: Amount,
    pub(super) igst: Amount,
    pub(super) cgst: Amount,
    pub(super) sgst: Amount,
    pub(super) cess: Amount,
}

/// The rows of a payload that has passed the schema, except the sections replaced as a whole.
pub(super) fn single_rows(payload: &Value) -> Vec<SentRow> {
    TABLES
        .iter()
        .filter(|table| !table.is_whole())
        .flat_map(|table| rows_of(table, &payload[table.section]))
        .collect()
}

/// The rows of one table in `section`, the value under the table's section key.
pub(super) fn rows_of(table: &'static Table, section: &Value) -> Vec<SentRow> {
    let list = if table.part.is_empty() { section } else { &section[table.part] };
    let elements = list.as_array().map(Vec::as_slice).unwrap_or_default();
    if table.list.is_empty() {
        return elements.iter().map(|element| SentRow::new(table, Map::new(), element)).collect();
    }
    let mut rows = Vec::new();
    for element in elements {
        let group: Map<String, Value> =
            table.group.iter().map(|name| ((*name).to_owned(), element[*name].clone())).collect();
        let inner = element[table.list].as_array().map(Vec::as_slice).unwrap_or_default();
        rows.extend(inner.iter().map(|value| SentRow::new(table, group.clone(), value)));
    }
    rows
}

impl SentRow {
    fn new(table: &'static Table, group: Map<String, Value>, sent: &Value) -> Self {
        let mut body = sent.as_object().cloned().unwrap_or_default();
        let flag = body.remove("flag").and_then(|flag| flag.as_str().map(str::to_owned));
        let upper = group.iter().map(|(name, value)| (name.clone(), upper_case(value))).collect();
        Self { row: Row { table, group: upper, body, flag }, group, sent: sent.clone() }
    }

    pub(super) fn is_deletion(&self) -> bool {
        self.row.flag.as_deref() == Some("D")
    }
}

fn upper_case(value: &Value) -> Value {
    value.as_str().map_or_else(|| value.clone(), |text| text.to_ascii_uppercase().into())
}

impl Row {
    /// The registered recipient, who sees the row in GSTR-2A.
    pub(super) fn recipient(&self) -> Option<&str> {
        self.text(if self.table.is_ecom() { "rtin" } else { "ctin" })
    }

    /// The value of a field, in the row or in its group.
    pub(super) fn value(&self, name: &str) -> Option<&Value> {
        self.body.get(name).or_else(|| self.group.get(name))
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.value(name).and_then(Value::as_str)
    }

    pub(super) fn amount(&self, name: &str) -> Amount {
        self.value(name).map_or(Amount::ZERO, Amount::read)
    }

    /// The document number by which rows are told apart: letters count the same in either case.
    pub(super) fn number(&self, numbering: Numbering) -> Option<String> {
        self.text(numbering.number).map(str::to_ascii_uppercase)
    }

    pub(super) fn date(&self, numbering: Numbering) -> Option<Date> {
        self.text(numbering.date).and_then(parse_date)
    }

    /// What identifies the row in its table.
    pub(super) fn key(&self) -> String {
        match self.table.key {
            Key::Document(numbering) => self.document_key(numbering),
            Key::ForeignDocument(numbering) => {
                let group: Vec<String> = self.table.group.iter().map(|name| self.key_part(name)).collect();
                format!("{} {}", group.join(" "), self.document_key(numbering))
            }
            Key::Amendment { original, .. } => format!(
                "{} {}",
                self.text(original.date).unwrap_or_default(),
                self.number(original).unwrap_or_default()
            ),
            Key::Fields(names) => names.iter().map(|name| self.key_part(name)).collect::<Vec<_>>().join(" "),
        }
    }

    pub(super) fn document_key(&self, numbering: Numbering) -> String {
        let year = self.date(numbering).map(financial_year).unwrap_or_default();
        format!("{year} {}", self.number(numbering).unwrap_or_default())
    }

    /// One field in one spelling: `-` when absent, empty or, for `diff_percent`, of no effect.
    pub(super) fn key_part(&self, name: &str) -> String {
        match self.value(name) {
            Some(Value::String(text)) if !text.is_empty() => {
                format!("{:?}", text.trim().to_ascii_uppercase())
            }
            Some(Value::Number(_)) if name == "diff_percent" && !self.is_at_65_percent() => "-".into(),
            Some(Value::Number(number)) => decimal_text(number),
            _ => "-".into(),
        }
    }

    /// Tax at 65 % of the rate, which is what `diff_percent` 0.65 says.
    pub(super) fn is_at_65_percent(&self) -> bool {
        self.amount("diff_percent").hundredths() == 65
    }

    /// The objects that hold the rated amounts.
    pub(super) fn item_values(&self) -> Vec<&Map<String, Value>> {
        let listed = || self.body.get("itms").and_then(Value::as_array).into_iter().flatten();
        match self.table.items {
            Items::Numbered => listed().filter_map(|item| item["itm_det"].as_object()).collect(),
            Items::Plain | Items::ByRate => listed().filter_map(Value::as_object).collect(),
            Items::Row | Items::Operator => vec![&self.body],
            Items::None => Vec::new(),
        }
    }

    pub(super) fn items(&self) -> Vec<Item> {
        let read = if self.table.items == Items::Operator { Item::of_operator } else { Item::of_rate };
        self.item_values().into_iter().map(read).collect()
    }
}

impl Item {
    fn of_rate(object: &Map<String, Value>) -> Self {
        Self {
            rate: Amount::of(object, "rt"),
            taxable: Amount::of(object, "txval") + Amount::of(object, "ad_amt"),
            igst: Amount::of(object, "iamt"),
            cgst: Amount::of(object, "camt"),
            sgst: Amount::of(object, "samt"),
            cess: Amount::of(object, "csamt"),
        }
    }

    fn of_operator(object: &Map<String, Value>) -> Self {
        Self {
            rate: Amount::ZERO,
            taxable: Amount::of(object, "suppval"),
            igst: Amount::of(object, "igst"),
            cgst: Amount::of(object, "cgst"),
            sgst: Amount::of(object, "sgst"),
            cess: Amount::of(object, "cess"),
        }
    }

    pub(super) fn tax(&self) -> Amount {
        self.igst + self.cgst + self.sgst + self.cess
    }
}

/// The calendar year in which the financial year of `day` begins.
pub(super) fn financial_year(day: Date) -> i16 {
    if day.month() >= 4 { day.year() } else { day.year() - 1 }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_grouped_section_gives_one_row_per_document() {
        let rows = single_rows(&json!({"b2b": [
            {"ctin": "27aapfu0939f1zv", "inv": [
                {"inum": "a/1", "idt": "31-03-2025", "flag": "U"},
                {"inum": "A/1", "idt": "01-04-2025", "flag": "D"}]},
            {"ctin": "33AANCS2882A1ZG", "inv": [{"inum": "B", "idt": "01-04-2025"}]}]}));
        assert_eq!(rows.len(), 3);
        assert_eq!(rows[0].row.key(), "2024 A/1");
        assert_eq!(rows[1].row.key(), "2025 A/1");
        assert_eq!(rows[0].row.text("ctin"), Some("27AAPFU0939F1ZV"));
        assert_eq!(rows[0].group["ctin"], "27aapfu0939f1zv", "an error report gives back what was sent");
        assert!(rows[1].is_deletion() && !rows[0].is_deletion());
    }

    #[test]
    fn rate_rows_are_told_apart_by_their_key_fields_alone() {
        let key = |value: Value| single_rows(&json!({"b2cs": [value]}))[0].row.key();
        let plain = key(json!({"sply_ty": "INTRA", "pos": "27", "rt": 5, "typ": "OE", "txval": 1}));
        assert_eq!(plain, key(json!({"sply_ty": "INTRA", "pos": "27", "rt": 5.0, "typ": "OE", "etin": ""})));
        assert_eq!(
            plain,
            key(json!({"sply_ty": "INTRA", "pos": "27", "rt": 5, "typ": "OE", "diff_percent": 1}))
        );
        assert_ne!(
            plain,
            key(json!({"sply_ty": "INTRA", "pos": "27", "rt": 5, "typ": "OE", "diff_percent": 0.65}))
        );
    }

    #[test]
    fn amounts_are_found_wherever_the_table_keeps_them() {
        let rows = single_rows(&json!({
            "exp": [{"exp_typ": "WPAY", "inv": [{"inum": "1", "itms": [{"rt": 5, "txval": 2, "iamt": 0.1}]}]}],
            "supeco": {"clttx": [{"etin": "x", "suppval": 7, "igst": 1}]},
            "txpd": [{"pos": "01", "itms": [{"rt": 5, "ad_amt": 3}]}]}));
        let taxable: Vec<Value> = rows.iter().map(|sent| sent.row.items()[0].taxable.to_json()).collect();
        assert_eq!(taxable, [json!(2), json!(3), json!(7)]);
        assert_eq!(rows[2].row.items()[0].igst.to_json(), json!(1));
    }
}
