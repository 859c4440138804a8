//! The summaries of a statement: by kind of credit (`itcsumm`), and by counterparty (`cpsumm`, `cpSummRej`).
//!
//! `itcsumm` adds up what each document counts, which for an amendment is the change that it makes; `cpsumm` adds up
//! the documents as they are.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::lines::{Line, write_heads};
use crate::gstr1::outward::Taxes;

/// The groups of a summary, and what each is made of.
type Groups = [(&'static str, &'static [&'static str])];

const GROUPS: &Groups = &[
    ("nonrevsup", &["b2b", "b2ba", "cdnr", "cdnra", "ecom", "ecoma"]),
    ("isdsup", &["isd", "isda"]),
    ("revsup", &["b2b", "b2ba", "cdnr", "cdnra"]),
    ("imports", &["impg", "impgsez", "impga", "impgasez"]),
    ("othersup", &["cdnr", "cdnra", "cdnrrev", "cdnrarev", "isd", "isda"]),
];
/// Credit to be reversed because a supplier paid no tax (rule 37A). Nothing reports it here: it is always nothing.
const REVERSED: &Groups = &[
    ("nonrevsup", &["b2b", "b2ba", "cdnr", "cdnra"]),
    ("isdsup", &["isd", "isda"]),
    ("imports", &["impg", "impgsez", "impga", "impgasez"]),
    ("othersup", &["cdnr", "cdnra", "cdnrrev", "cdnrarev", "isd", "isda"]),
];

/// `itcsumm`: what is available, what is not, and what was rejected.
pub(super) fn itc(lines: &[Line]) -> Value {
    let of = |groups: &Groups, wanted: &dyn Fn(&&Line) -> bool| summed(groups, lines.iter().filter(wanted));
    let parts = [
        ("itcavl", of(GROUPS, &|line| !line.rejected && line.available)),
        ("itcunavl", of(GROUPS, &|line| !line.rejected && !line.available)),
        ("itcrev", of(REVERSED, &|_| false)),
        ("itcRejected", of(GROUPS, &|line| line.rejected)),
    ];
    parts.into_iter().map(|(name, part)| (name.to_owned(), part)).collect::<Map<_, _>>().into()
}

fn summed<'a>(groups: &Groups, lines: impl Iterator<Item = &'a Line>) -> Value {
    let mut sums: BTreeMap<(&str, &str), Taxes> = BTreeMap::new();
    for line in lines {
        let sum = sums.entry(line.group).or_default();
        *sum = sum.plus(line.counts);
    }
    let mut summary = Map::new();
    for (group, parts) in groups {
        let of = |part: &str| sums.get(&(*group, part)).copied().unwrap_or_default();
        let mut object = Map::new();
        write_heads(&parts.iter().map(|part| of(part)).fold(Taxes::default(), Taxes::plus), &mut object);
        for part in *parts {
            let mut sum = Map::new();
            write_heads(&of(part), &mut sum);
            object.insert((*part).into(), sum.into());
        }
        summary.insert((*group).into(), object.into());
    }
    summary.into()
}

/// One line per counterparty, return and kind: of the documents that count, or of those rejected.
pub(super) fn by_counterparty(lines: &[Line], rejected: bool) -> Value {
    let mut sections: BTreeMap<&str, BTreeMap<String, Counterparty>> = BTreeMap::new();
    for line in lines.iter().filter(|line| line.rejected == rejected && line.section != "impg") {
        let shared = shared_of(line);
        let name = Value::Object(shared.clone()).to_string();
        let entry = sections.entry(line.section).or_default().entry(name);
        let counterparty =
            entry.or_insert_with(|| Counterparty { shared, documents: 0, taxes: Taxes::default() });
        counterparty.documents += 1;
        counterparty.taxes = counterparty.taxes.plus(line.taxes);
    }
    let list = |section: &str, entries: BTreeMap<String, Counterparty>| -> Value {
        entries.into_values().map(|entry| entry.written(section)).collect()
    };
    let named = sections.into_iter().map(|(section, entries)| (section.to_owned(), list(section, entries)));
    named.collect::<Map<_, _>>().into()
}

struct Counterparty {
    shared: Map<String, Value>,
    documents: u64,
    taxes: Taxes,
}

impl Counterparty {
    fn written(self, section: &str) -> Value {
        let mut object = self.shared;
        object.insert("ttldocs".into(), self.documents.into());
        if !section.starts_with("isd") {
            object.insert("txval".into(), self.taxes.taxable.to_json());
        }
        write_heads(&self.taxes, &mut object);
        if section == "impgsez" {
            // Imports bear IGST and cess alone.
            object.remove("cgst");
            object.remove("sgst");
        }
        object.into()
    }
}

fn shared_of(line: &Line) -> Map<String, Value> {
    let mut shared = line.head.clone();
    if let Some(kind) = &line.kind {
        let name = if line.section.starts_with("isd") { "doctyp" } else { "nttyp" };
        shared.insert(name.into(), kind.as_str().into());
    }
    if let Some(port) = line.body.get("portcode") {
        shared.insert("portcode".into(), port.clone());
    }
    shared
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::amounts::Amount;

    fn line(group: usize, part: usize, paise: i64, available: bool, rejected: bool) -> Line {
        let (name, parts) = GROUPS[group % GROUPS.len()];
        let counts = Taxes { igst: Amount::from_hundredths(paise.into()), ..Taxes::default() };
        Line {
            section: "b2b",
            head: Map::new(),
            body: Map::new(),
            taxes: counts,
            counts,
            group: (name, parts[part % parts.len()]),
            kind: None,
            available: available || rejected,
            rejected,
        }
    }

    /// The sum of one head over the groups of a part.
    fn total(part: &Value) -> i128 {
        part.as_object().unwrap().values().map(|group| Amount::read(&group["igst"]).hundredths()).sum()
    }

    proptest! {
        /// Nothing is lost between the documents and the summary, to the paisa, and every group is the sum of its parts.
        #[test]
        fn the_summary_adds_up_to_its_documents(
            lines in prop::collection::vec((0_usize..5, 0_usize..6, -1_000_000_i64..1_000_000, any::<bool>(), any::<bool>()), 0..40)
        ) {
            let lines: Vec<Line> = lines.into_iter().map(|(group, part, paise, available, rejected)|
                line(group, part, paise, available, rejected)).collect();
            let summary = itc(&lines);
            let of = |wanted: &dyn Fn(&&Line) -> bool| -> i128 {
                lines.iter().filter(wanted).map(|line| line.counts.igst.hundredths()).sum()
            };
            prop_assert_eq!(total(&summary["itcavl"]), of(&|line| !line.rejected && line.available));
            prop_assert_eq!(total(&summary["itcunavl"]), of(&|line| !line.rejected && !line.available));
            prop_assert_eq!(total(&summary["itcRejected"]), of(&|line| line.rejected));
            for group in summary["itcavl"].as_object().unwrap().values() {
                let parts = group.as_object().unwrap().values().filter(|part| part.is_object());
                let sum: i128 = parts.map(|part| Amount::read(&part["igst"]).hundredths()).sum();
                prop_assert_eq!(Amount::read(&group["igst"]).hundredths(), sum);
            }
            let by_counterparty = by_counterparty(&lines, true);
            let documents: u64 = by_counterparty["b2b"].as_array().into_iter().flatten()
                .map(|entry| entry["ttldocs"].as_u64().unwrap()).sum();
            prop_assert_eq!(documents, lines.iter().filter(|line| line.rejected).count() as u64);
        }
    }
}
