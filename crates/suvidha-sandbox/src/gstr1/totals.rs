//! What a row adds to a total.

use serde_json::{Map, Value};

use super::rows::{Item, Row};
use crate::amounts::Amount;

/// The columns of a summary. `value` is the value of the documents; where a table has none it is taxable value
/// plus tax, as real summaries show for Table 7.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) records: i64,
    pub(super) value: Amount,
    pub(super) taxable: Amount,
    pub(super) igst: Amount,
    pub(super) cgst: Amount,
    pub(super) sgst: Amount,
    pub(super) cess: Amount,
}

impl Totals {
    /// Credit notes count against debit notes (portal, "net off debit and credit notes", K).
    pub(super) fn of_row(row: &Row) -> Self {
        let items = Self::of_items(&row.items());
        let value = if row.body.contains_key("val") && row.table.section != "hsn" {
            row.amount("val")
        } else {
            items.value
        };
        let totals = Self { records: 1, value, ..items };
        if row.text("ntty") == Some("C") { totals.negated() } else { totals }
    }

    pub(super) fn of_items(items: &[Item]) -> Self {
        let mut totals = Self::default();
        for item in items {
            totals.value += item.taxable + item.tax();
            totals.taxable += item.taxable;
            totals.igst += item.igst;
            totals.cgst += item.cgst;
            totals.sgst += item.sgst;
            totals.cess += item.cess;
        }
        totals
    }

    /// The amounts turned round; the number of records stays.
    pub(super) fn negated(self) -> Self {
        Self {
            records: self.records,
            value: -self.value,
            taxable: -self.taxable,
            igst: -self.igst,
            cgst: -self.cgst,
            sgst: -self.sgst,
            cess: -self.cess,
        }
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            records: self.records + other.records,
            value: self.value + other.value,
            taxable: self.taxable + other.taxable,
            igst: self.igst + other.igst,
            cgst: self.cgst + other.cgst,
            sgst: self.sgst + other.sgst,
            cess: self.cess + other.cess,
        }
    }

    /// The amounts without the number of records.
    pub(super) fn amounts_only(self) -> Self {
        Self { records: 0, ..self }
    }

    /// `{prefix}_val`, `{prefix}_tax`, `{prefix}_igst`, …, written into `object`.
    pub(super) fn write(&self, prefix: &str, object: &mut Map<String, Value>) {
        for (name, amount) in self.columns() {
            object.insert(format!("{prefix}_{name}"), amount.to_json());
        }
    }

    /// Reads what [`Totals::write`] wrote.
    pub(super) fn read(prefix: &str, object: &Map<String, Value>) -> Self {
        let of = |name: &str| Amount::of(object, &format!("{prefix}_{name}"));
        Self {
            records: 0,
            value: of("val"),
            taxable: of("tax"),
            igst: of("igst"),
            cgst: of("cgst"),
            sgst: of("sgst"),
            cess: of("cess"),
        }
    }

    fn columns(&self) -> [(&'static str, Amount); 6] {
        [
            ("val", self.value),
            ("tax", self.taxable),
            ("igst", self.igst),
            ("cgst", self.cgst),
            ("sgst", self.sgst),
            ("cess", self.cess),
        ]
    }
}
