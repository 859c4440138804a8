//! What each row of a GSTR-1 contributes to GSTR-3B, table by table: the liability half of AUTOLIAB.

use gstn::{EntityKind, Gstin, ReturnPeriod};
use rusqlite::Connection;

use super::Subject;
use super::rows::Row;
use super::store::{self, KeptRow};
use super::totals::Totals;
use crate::amounts::Amount;

/// The cell of GSTR-3B that a row belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cell {
    /// 3.1(a)
    Taxable,
    /// 3.1(b)
    ZeroRated,
    /// 3.1(c)
    NilOrExempt,
    /// 3.1(e)
    OutsideGst,
    /// 3.1.1(i)
    Operator,
    /// 3.1.1(ii)
    ThroughOperator,
}

/// To whom an inter-state supply of Table 3.2 went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Recipient {
    Unregistered,
    Registered(Gstin),
}

/// What a row adds to a cell. Credit notes, and advances adjusted, are below zero; amendments count by what they
/// change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Contribution {
    pub(crate) cell: Cell,
    /// The table of GSTR-1, as AUTOLIAB names it.
    pub(crate) table: &'static str,
    pub(crate) taxable: Amount,
    pub(crate) igst: Amount,
    pub(crate) cgst: Amount,
    pub(crate) sgst: Amount,
    pub(crate) cess: Amount,
    /// For an inter-state supply: the place of supply, and who got it.
    pub(crate) inter_state: Option<(String, Recipient)>,
}

/// What the rows of a return contribute, whether it is filed or not.
pub(crate) fn contributions(
    connection: &Connection,
    subject: &Subject,
) -> rusqlite::Result<Vec<Contribution>> {
    Ok(store::all_rows(connection, subject)?.iter().flat_map(of_row).collect())
}

fn of_row(kept: &KeptRow) -> Vec<Contribution> {
    let row = &kept.row;
    match (row.table.section, row.table.part) {
        ("nil", _) => nil(row),
        ("hsn" | "doc_issue", _) | (_, "clttx" | "clttxa") => Vec::new(),
        _ => {
            let Some((cell, table)) = place(row) else { return Vec::new() };
            let amended = kept.original.map(Totals::negated).unwrap_or_default();
            let mut totals = Totals::of_row(row).plus(amended);
            if row.table.section.starts_with("txpd") {
                totals = totals.negated();
            }
            // The recipient pays on reverse charge: the value is told, the tax is not the supplier's.
            if row.text("rchrg") == Some("Y") {
                totals = Totals { taxable: totals.taxable, ..Totals::default() };
            }
            vec![contribution(cell, table, totals, inter_state(row, totals))]
        }
    }
}

fn contribution(
    cell: Cell,
    table: &'static str,
    totals: Totals,
    inter_state: Option<(String, Recipient)>,
) -> Contribution {
    let Totals { taxable, igst, cgst, sgst, cess, .. } = totals;
    Contribution { cell, table, taxable, igst, cgst, sgst, cess, inter_state }
}

fn nil(row: &Row) -> Vec<Contribution> {
    let value = |taxable| Totals { taxable, ..Totals::default() };
    let (none, outside) = (row.amount("nil_amt") + row.amount("expt_amt"), row.amount("ngsup_amt"));
    vec![
        contribution(Cell::NilOrExempt, "tbl8", value(none), None),
        contribution(Cell::OutsideGst, "tbl8", value(outside), None),
    ]
}

/// Cell and table of a row that bears tax, or could.
fn place(row: &Row) -> Option<(Cell, &'static str)> {
    let zero_rated = is_zero_rated(row);
    let cell = if zero_rated { Cell::ZeroRated } else { Cell::Taxable };
    let inter = row.text("sply_ty") == Some("INTER");
    Some(match (row.table.section, row.table.part) {
        ("b2b", _) if zero_rated => (cell, "tbl6b"),
        ("b2b", _) if row.text("inv_typ") == Some("DE") => (cell, "tbl6c"),
        ("b2b", _) if row.text("rchrg") == Some("Y") => (cell, "tbl4b"),
        ("b2b", _) if row.text("etin").is_some() => (cell, "tbl4c"),
        ("b2b", _) => (cell, "tbl4a"),
        ("b2cl", _) if row.text("etin").is_some() => (cell, "tbl5b"),
        ("b2cl", _) => (cell, "tbl5a"),
        ("b2cs", _) => (cell, if inter { "tbl7b_1" } else { "tbl7a_1" }),
        ("exp", _) => (cell, "tbl6a"),
        ("b2ba" | "b2cla" | "expa", _) => (cell, "tbl9a"),
        ("cdnr" | "cdnur", _) => (cell, "tbl9b"),
        ("cdnra" | "cdnura", _) => (cell, "tbl9c"),
        ("b2csa", _) => (cell, if inter { "tbl10b" } else { "tbl10a" }),
        ("at", _) => (cell, if inter { "tbl11_i_a_2" } else { "tbl11_i_a_1" }),
        ("txpd", _) => (cell, if inter { "tbl11_i_b_2" } else { "tbl11_i_b_1" }),
        ("ata" | "txpda", _) => (cell, "tbl11_ii"),
        (_, "paytx" | "paytxa") => (Cell::ThroughOperator, "tbl14b"),
        ("ecom" | "ecoma", "b2b" | "b2ba") => (Cell::Operator, "tbl15b2b"),
        ("ecom" | "ecoma", "b2c" | "b2ca") => (Cell::Operator, "tbl15b2c"),
        ("ecom" | "ecoma", "urp2b" | "urp2ba") => (Cell::Operator, "tbl15urp2b"),
        ("ecom" | "ecoma", "urp2c" | "urp2ca") => (Cell::Operator, "tbl15urp2c"),
        _ => return None,
    })
}

/// Exports and supplies to special economic zones.
fn is_zero_rated(row: &Row) -> bool {
    row.table.section.starts_with("exp")
        || matches!(row.text("inv_typ"), Some("SEWP" | "SEWOP"))
        || matches!(row.text("typ"), Some("EXPWP" | "EXPWOP"))
}

/// Whether a row counts in Table 3.2: an inter-state supply to whom no credit goes.
fn inter_state(row: &Row, totals: Totals) -> Option<(String, Recipient)> {
    let pos = row.text("pos")?.to_owned();
    match row.table.section {
        _ if is_zero_rated(row) => None,
        "b2cl" | "b2cla" | "cdnur" | "cdnura" => Some((pos, Recipient::Unregistered)),
        "b2cs" | "b2csa" if row.text("sply_ty") == Some("INTER") => Some((pos, Recipient::Unregistered)),
        "b2b" | "b2ba" | "cdnr" | "cdnra" if !totals.igst.is_zero() => {
            let recipient = Gstin::parse_lenient(row.text("ctin")?).ok()?;
            Some((pos, Recipient::Registered(recipient)))
        }
        _ => None,
    }
}

impl Recipient {
    /// An embassy or another body of the United Nations.
    pub(crate) fn is_un_body(&self) -> bool {
        matches!(self, Self::Registered(gstin) if gstin.kind() == EntityKind::UnBody)
    }
}

/// The returns whose rows belong to a GSTR-3B: for a quarter those of its IFFs, too.
pub(crate) fn months(period: ReturnPeriod, quarterly: bool) -> Vec<ReturnPeriod> {
    if quarterly { crate::calendar::quarter_of(period).to_vec() } else { vec![period] }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Books, every_section, processed};
    use super::*;

    fn of(cell: Cell, all: &[Contribution]) -> Vec<(&'static str, Amount, Amount)> {
        let mut tables: Vec<(&'static str, Amount, Amount)> = Vec::new();
        for row in all.iter().filter(|row| row.cell == cell) {
            let tax = row.igst + row.cgst + row.sgst + row.cess;
            match tables.iter_mut().find(|(table, ..)| *table == row.table) {
                Some((_, value, sum)) => (*value, *sum) = (*value + row.taxable, *sum + tax),
                None => tables.push((row.table, row.taxable, tax)),
            }
        }
        tables.sort_by_key(|(table, ..)| *table);
        tables
    }

    /// The form of GSTR-3B, Tables 3.1 and 3.1.1, and the system-generated summary of GSTR-3B.
    #[test]
    fn every_table_of_gstr1_has_its_cell_of_gstr3b() {
        let mut books = Books::with_june();
        assert_eq!(books.save("072025", &every_section()), processed());
        let all = contributions(&books.connection, &books.subject("072025")).unwrap();
        let tables = |cell| of(cell, &all).into_iter().map(|(table, ..)| table).collect::<Vec<_>>();
        let taxable = tables(Cell::Taxable);
        for table in ["tbl10a", "tbl11_i_a_1", "tbl4a", "tbl4b", "tbl5a", "tbl6c", "tbl9a", "tbl9b", "tbl9c"]
        {
            assert!(taxable.contains(&table), "{table} of {taxable:?}");
        }
        assert!(tables(Cell::ZeroRated).contains(&"tbl6a") && tables(Cell::ZeroRated).contains(&"tbl6b"));
        assert_eq!(of(Cell::OutsideGst, &all), [("tbl8", Amount::from_hundredths(30_030), Amount::ZERO)]);
        assert_eq!(of(Cell::NilOrExempt, &all), [("tbl8", Amount::from_hundredths(30_060), Amount::ZERO)]);
        assert!(tables(Cell::Operator).contains(&"tbl15b2b") && tables(Cell::ThroughOperator) == ["tbl14b"]);
        let reverse = of(Cell::Taxable, &all).into_iter().find(|(table, ..)| *table == "tbl4b").unwrap();
        assert_eq!(reverse, ("tbl4b", Amount::rupees(5700), Amount::ZERO), "the recipient pays its tax");
        let adjusted: Vec<_> = all.iter().filter(|row| row.table.starts_with("tbl11_i_b")).collect();
        assert!(adjusted.iter().all(|row| row.taxable < Amount::ZERO), "an advance adjusted is taken off");
        let consumers = all.iter().filter(|row| row.table == "tbl5a");
        assert!(
            consumers.into_iter().all(|row| matches!(row.inter_state, Some((_, Recipient::Unregistered))))
        );
    }
}
