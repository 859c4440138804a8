//! The tables of GSTR-1 as data: where each lies in a payload, what identifies a row, where its tax is.

/// One table, or one part of a table, whose rows have one form.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Table {
    /// The key in the payload, such as `b2b`.
    pub(super) section: &'static str,
    /// The key inside the section, such as `clttx` in `supeco`; empty if the section is itself the list.
    pub(super) part: &'static str,
    /// Fields which rows share because they are sent in groups, such as `ctin`.
    pub(super) group: &'static [&'static str],
    /// The key of the rows inside a group; empty if there are no groups.
    pub(super) list: &'static str,
    pub(super) key: Key,
    pub(super) items: Items,
    /// For an amendment: the section and part that it amends.
    pub(super) amends: Option<(&'static str, &'static str)>,
}

/// What identifies a row (gst-engine.md 1.2).
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// A document of the supplier's own: its number, unique in the financial year of its date.
    Document(Numbering),
    /// The same, but numbered by somebody else: unique within its group.
    ForeignDocument(Numbering),
    /// An amended document: the number and date it first had.
    Amendment { revised: Numbering, original: Numbering },
    /// The values of these fields.
    Fields(&'static [&'static str]),
}

/// The fields that hold a document's number and date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Numbering {
    pub(super) number: &'static str,
    pub(super) date: &'static str,
}

/// Where the rated amounts of a row are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Items {
    /// `itms[].itm_det`, numbered.
    Numbered,
    /// `itms[]`
    Plain,
    /// `itms[]`, each rate standing for itself: a rate sent again replaces that rate alone.
    ByRate,
    /// The row itself.
    Row,
    /// The row itself, without a rate (`igst`, `cgst`, `sgst`, `cess` on `suppval`).
    Operator,
    /// None: nil-rated supplies and documents issued.
    None,
}

const INVOICE: Numbering = Numbering { number: "inum", date: "idt" };
const NOTE: Numbering = Numbering { number: "nt_num", date: "nt_dt" };
const AMENDED_INVOICE: Key =
    Key::Amendment { revised: INVOICE, original: Numbering { number: "oinum", date: "oidt" } };
const AMENDED_NOTE: Key =
    Key::Amendment { revised: NOTE, original: Numbering { number: "ont_num", date: "ont_dt" } };

const B2CS_KEY: Key = Key::Fields(&["sply_ty", "pos", "rt", "typ", "diff_percent", "etin"]);
const B2CSA_KEY: Key = Key::Fields(&["omon", "sply_ty", "pos", "typ", "diff_percent", "etin"]);
const ADVANCE_KEY: Key = Key::Fields(&["pos", "sply_ty", "diff_percent"]);
const AMENDED_ADVANCE_KEY: Key = Key::Fields(&["omon", "pos", "sply_ty", "diff_percent"]);
const HSN_KEY: Key = Key::Fields(&["hsn_sc", "rt", "uqc", "desc"]);
const OPERATOR_KEY: Key = Key::Fields(&["etin"]);
const AMENDED_OPERATOR_KEY: Key = Key::Fields(&["omon", "oetin"]);

const fn table(section: &'static str, key: Key, items: Items) -> Table {
    Table { section, part: "", group: &[], list: "", key, items, amends: None }
}

impl Table {
    const fn part(self, part: &'static str) -> Self {
        Self { part, ..self }
    }

    const fn grouped(self, group: &'static [&'static str], list: &'static str) -> Self {
        Self { group, list, ..self }
    }

    const fn amending(self, section: &'static str, part: &'static str) -> Self {
        Self { amends: Some((section, part)), ..self }
    }
}

/// Every table, in the order in which rows are taken.
pub(super) static TABLES: [Table; 33] = [
    table("b2b", Key::Document(INVOICE), Items::Numbered).grouped(&["ctin"], "inv"),
    table("b2ba", AMENDED_INVOICE, Items::Numbered).grouped(&["ctin"], "inv").amending("b2b", ""),
    table("b2cl", Key::Document(INVOICE), Items::Numbered).grouped(&["pos"], "inv"),
    table("b2cla", AMENDED_INVOICE, Items::Numbered).grouped(&["pos"], "inv").amending("b2cl", ""),
    table("b2cs", B2CS_KEY, Items::Row),
    table("b2csa", B2CSA_KEY, Items::ByRate).amending("b2cs", ""),
    table("cdnr", Key::Document(NOTE), Items::Numbered).grouped(&["ctin"], "nt"),
    table("cdnra", AMENDED_NOTE, Items::Numbered).grouped(&["ctin"], "nt").amending("cdnr", ""),
    table("cdnur", Key::Document(NOTE), Items::Numbered),
    table("cdnura", AMENDED_NOTE, Items::Numbered).amending("cdnur", ""),
    table("exp", Key::Document(INVOICE), Items::Plain).grouped(&["exp_typ"], "inv"),
    table("expa", AMENDED_INVOICE, Items::Plain).grouped(&["exp_typ"], "inv").amending("exp", ""),
    table("at", ADVANCE_KEY, Items::ByRate),
    table("ata", AMENDED_ADVANCE_KEY, Items::ByRate).amending("at", ""),
    table("txpd", ADVANCE_KEY, Items::ByRate),
    table("txpda", AMENDED_ADVANCE_KEY, Items::ByRate).amending("txpd", ""),
    table("nil", Key::Fields(&["sply_ty"]), Items::None).part("inv"),
    table("hsn", HSN_KEY, Items::Row).part("hsn_b2b"),
    table("hsn", HSN_KEY, Items::Row).part("hsn_b2c"),
    table("hsn", HSN_KEY, Items::Row).part("data"),
    table("doc_issue", Key::Fields(&["doc_num"]), Items::None).part("doc_det"),
    table("supeco", OPERATOR_KEY, Items::Operator).part("clttx"),
    table("supeco", OPERATOR_KEY, Items::Operator).part("paytx"),
    table("supecoa", AMENDED_OPERATOR_KEY, Items::Operator).part("clttxa").amending("supeco", "clttx"),
    table("supecoa", AMENDED_OPERATOR_KEY, Items::Operator).part("paytxa").amending("supeco", "paytx"),
    table("ecom", Key::ForeignDocument(INVOICE), Items::Numbered)
        .part("b2b")
        .grouped(&["stin", "rtin"], "inv"),
    table("ecom", Key::Fields(&["stin", "pos", "sply_ty", "rt"]), Items::Row).part("b2c"),
    table("ecom", Key::ForeignDocument(INVOICE), Items::Numbered).part("urp2b").grouped(&["rtin"], "inv"),
    table("ecom", Key::Fields(&["pos", "sply_ty", "rt"]), Items::Row).part("urp2c"),
    table("ecoma", AMENDED_INVOICE, Items::Numbered)
        .part("b2ba")
        .grouped(&["stin", "rtin"], "inv")
        .amending("ecom", "b2b"),
    table("ecoma", Key::Fields(&["omon", "pos", "ostin", "stin", "sply_ty"]), Items::ByRate)
        .part("b2ca")
        .grouped(&["pos"], "posItms")
        .amending("ecom", "b2c"),
    table("ecoma", AMENDED_INVOICE, Items::Numbered)
        .part("urp2ba")
        .grouped(&["rtin"], "inv")
        .amending("ecom", "urp2b"),
    table("ecoma", Key::Fields(&["omon", "pos", "sply_ty"]), Items::ByRate)
        .part("urp2ca")
        .amending("ecom", "urp2c"),
];

/// The sections that are replaced as a whole, whatever they held.
const WHOLE: [&str; 3] = ["nil", "hsn", "doc_issue"];

impl Table {
    pub(super) fn find(section: &str, part: &str) -> Option<&'static Self> {
        TABLES.iter().find(|table| table.section == section && table.part == part)
    }

    pub(super) fn of_section(section: &str) -> impl Iterator<Item = &'static Self> {
        TABLES.iter().filter(move |table| table.section == section)
    }

    pub(super) fn is_whole(&self) -> bool {
        WHOLE.contains(&self.section)
    }

    /// Table 15, supplies through an e-commerce operator reported by the operator.
    pub(super) fn is_ecom(&self) -> bool {
        self.section.starts_with("ecom")
    }

    /// Fields for the number and date under which a row is known, if it is a document.
    pub(super) fn numbering(&self) -> Option<Numbering> {
        match self.key {
            Key::Document(numbering) | Key::ForeignDocument(numbering) => Some(numbering),
            Key::Amendment { revised, .. } => Some(revised),
            Key::Fields(_) => None,
        }
    }

    pub(super) fn original_numbering(&self) -> Option<Numbering> {
        match self.key {
            Key::Amendment { original, .. } => Some(original),
            _ => None,
        }
    }

    /// Credit and debit notes.
    pub(super) fn is_note(&self) -> bool {
        self.numbering() == Some(NOTE)
    }

    /// The series a number must be unique in: the supplier's invoices or the supplier's notes.
    pub(super) fn series(&self) -> Option<&'static str> {
        if self.numbering().is_none() || self.is_ecom() {
            return None;
        }
        Some(if self.is_note() { "note" } else { "invoice" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_amendment_amends_a_table_that_exists() {
        for table in &TABLES {
            if let Some((section, part)) = table.amends {
                assert!(Table::find(section, part).is_some(), "{} {}", table.section, table.part);
            }
            assert_eq!(Table::find(table.section, table.part), Some(table), "twice in the list");
        }
    }
}
