//! What the filed returns of a year add up to, in the lines of the annual return (Tables 4 and 5 of GSTR-9).

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::Subject;
use super::rows::Row;
use super::store::{self, KeptRow};
use super::tables::TABLES;
use super::totals::Totals;
use crate::amounts::Amount;

/// How many rows are in memory at a time.
const PAGE: usize = 1000;

/// A line of Table 4 (tax is payable) or Table 5 (it is not). The instructions to GSTR-9 say which table of GSTR-1
/// goes where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Line {
    /// 4A: to unregistered persons, net of notes and amendments.
    Consumers,
    /// 4B: to registered persons.
    Registered,
    /// 4C: exports with payment of tax.
    Exports,
    /// 4D: to special economic zones with payment of tax.
    Zones,
    /// 4E: deemed exports.
    Deemed,
    /// 4F: advances on which tax was paid and no invoice issued.
    Advances,
    /// 4G1: supplies on which an operator pays tax (s.9(5)), as the operator reports them.
    Operator,
    /// 4I: credit notes on 4B to 4E.
    Credits,
    /// 4J: debit notes on 4B to 4E.
    Debits,
    /// 4K: what amendments added.
    AmendedUp,
    /// 4L: what amendments took away.
    AmendedDown,
    /// 5A: exports without payment of tax.
    UntaxedExports,
    /// 5B: to special economic zones without payment of tax.
    UntaxedZones,
    /// 5C: supplies on which the recipient pays tax.
    ReverseCharge,
    /// 5C1: supplies on which an operator pays tax, as the supplier reports them.
    ThroughOperator,
    /// 5D.
    Exempt,
    /// 5E.
    NilRated,
    /// 5F.
    NonGst,
    /// 5H: credit notes on 5A to 5F.
    UntaxedCredits,
    /// 5I: debit notes on 5A to 5F.
    UntaxedDebits,
    /// 5J.
    UntaxedAmendedUp,
    /// 5K.
    UntaxedAmendedDown,
}

/// Taxable value and tax of a line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) taxable: Amount,
    pub(crate) igst: Amount,
    pub(crate) cgst: Amount,
    pub(crate) sgst: Amount,
    pub(crate) cess: Amount,
}

impl Sum {
    fn of(totals: &Totals) -> Self {
        let Totals { taxable, igst, cgst, sgst, cess, .. } = *totals;
        Self { taxable, igst, cgst, sgst, cess }
    }

    fn value(taxable: Amount) -> Self {
        Self { taxable, ..Self::default() }
    }

    fn add(&mut self, other: Self) {
        self.taxable += other.taxable;
        self.igst += other.igst;
        self.cgst += other.cgst;
        self.sgst += other.sgst;
        self.cess += other.cess;
    }
}

/// The lines of some returns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Annual(BTreeMap<Line, Sum>);

impl Annual {
    /// What a line adds up to.
    pub(crate) fn line(&self, line: Line) -> Sum {
        self.0.get(&line).copied().unwrap_or_default()
    }

    /// Turnover as s.2(112) has it: outward supplies of every kind, without tax. Advances are no supplies, and what an
    /// operator pays tax on is the supplier's turnover.
    pub(crate) fn turnover(&self) -> Amount {
        let value = |(line, sum): (&Line, &Sum)| match line {
            Line::Advances | Line::Operator => Amount::ZERO,
            Line::Credits | Line::AmendedDown | Line::UntaxedCredits | Line::UntaxedAmendedDown => {
                -sum.taxable
            }
            _ => sum.taxable,
        };
        self.0.iter().map(value).sum()
    }

    /// Adds one return.
    pub(crate) fn add(&mut self, connection: &Connection, subject: &Subject) -> rusqlite::Result<()> {
        for table in TABLES.iter().filter(|table| !matches!(table.section, "hsn" | "doc_issue")) {
            let mut after = String::new();
            loop {
                let page = store::rows_after(connection, subject, table, &after, PAGE)?;
                page.iter().for_each(|kept| self.add_row(kept));
                match page.last() {
                    Some(last) => after.clone_from(&last.key),
                    None => break,
                }
            }
        }
        Ok(())
    }

    /// Registered supplies of that taxable value.
    #[cfg(test)]
    pub(crate) fn put_for_test(&mut self, taxable: Amount) {
        self.0.entry(Line::Registered).or_default().add(Sum::value(taxable));
    }

    fn add_row(&mut self, kept: &KeptRow) {
        let row = &kept.row;
        let mut put = |line: Line, sum: Sum| self.0.entry(line).or_default().add(sum);
        match row.table.section {
            "nil" => {
                put(Line::NilRated, Sum::value(row.amount("nil_amt")));
                put(Line::Exempt, Sum::value(row.amount("expt_amt")));
                put(Line::NonGst, Sum::value(row.amount("ngsup_amt")));
                return;
            }
            "supeco" | "supecoa" if row.table.part.starts_with("clttx") => return,
            _ => {}
        }
        let change = Totals::of_row(row).plus(kept.original.unwrap_or_default().negated());
        let is_amendment = row.table.amends.is_some();
        match line_of(row) {
            Kind::Net(line) => put(line, Sum::of(&change)),
            Kind::Less(line) => put(line, Sum::of(&change.negated())),
            Kind::Untaxed(_) | Kind::Taxed(_) if is_amendment && change.taxable < Amount::ZERO => {
                let line = if taxed(row) { Line::AmendedDown } else { Line::UntaxedAmendedDown };
                put(line, Sum::of(&change.negated()));
            }
            Kind::Untaxed(_) | Kind::Taxed(_) if is_amendment => {
                let line = if taxed(row) { Line::AmendedUp } else { Line::UntaxedAmendedUp };
                put(line, Sum::of(&change));
            }
            Kind::Untaxed(Line::UntaxedCredits) => put(Line::UntaxedCredits, Sum::of(&change.negated())),
            Kind::Taxed(Line::Credits) => put(Line::Credits, Sum::of(&change.negated())),
            Kind::Untaxed(line) | Kind::Taxed(line) => put(line, Sum::of(&change)),
        }
    }
}

/// Where a row belongs, and how its amendments and notes are told.
enum Kind {
    /// Notes and amendments change the line itself.
    Net(Line),
    /// The row takes away from the line.
    Less(Line),
    /// Table 4: notes and amendments have lines of their own.
    Taxed(Line),
    /// Table 5: likewise.
    Untaxed(Line),
}

fn taxed(row: &Row) -> bool {
    matches!(line_of(row), Kind::Taxed(_))
}

fn line_of(row: &Row) -> Kind {
    match row.table.section {
        "at" | "ata" => Kind::Net(Line::Advances),
        "txpd" | "txpda" => Kind::Less(Line::Advances),
        "supeco" | "supecoa" => Kind::Net(Line::ThroughOperator),
        "ecom" | "ecoma" => Kind::Net(Line::Operator),
        "exp" | "expa" => match row.text("exp_typ") {
            Some("WPAY") => Kind::Taxed(Line::Exports),
            _ => Kind::Untaxed(Line::UntaxedExports),
        },
        "b2b" | "b2ba" => to_registered(row),
        "cdnr" | "cdnra" => note(row, matches!(to_registered(row), Kind::Taxed(_))),
        "cdnur" | "cdnura" => match row.text("typ") {
            Some("EXPWP") => note(row, true),
            Some("EXPWOP") => note(row, false),
            _ => Kind::Net(Line::Consumers),
        },
        _ => Kind::Net(Line::Consumers),
    }
}

fn to_registered(row: &Row) -> Kind {
    match row.text("inv_typ") {
        Some("SEWP") => Kind::Taxed(Line::Zones),
        Some("SEWOP") => Kind::Untaxed(Line::UntaxedZones),
        Some("DE") => Kind::Taxed(Line::Deemed),
        _ if row.text("rchrg") == Some("Y") => Kind::Untaxed(Line::ReverseCharge),
        _ => Kind::Taxed(Line::Registered),
    }
}

fn note(row: &Row, taxed: bool) -> Kind {
    match (row.text("ntty") == Some("C"), taxed) {
        (true, true) => Kind::Taxed(Line::Credits),
        (false, true) => Kind::Taxed(Line::Debits),
        (true, false) => Kind::Untaxed(Line::UntaxedCredits),
        (false, false) => Kind::Untaxed(Line::UntaxedDebits),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::testing::{Books, every_section, processed};
    use super::*;

    fn july(payload: &Value) -> Annual {
        let mut books = Books::with_june();
        assert_eq!(books.save_july(payload), processed());
        let mut annual = Annual::default();
        annual.add(&books.connection, &books.subject("072025")).unwrap();
        annual
    }

    /// The lines must hold all that the summary holds, each rupee once.
    #[test]
    fn the_lines_add_up_to_the_summary() {
        let mut books = Books::with_june();
        assert_eq!(books.save("072025", &every_section()), processed());
        let mut annual = Annual::default();
        annual.add(&books.connection, &books.subject("072025")).unwrap();
        let summary = |names: &[&str]| -> Amount {
            names.iter().map(|name| Amount::read(&books.line(name)["ttl_tax"])).sum()
        };
        let taxable = |lines: &[Line]| lines.iter().map(|line| annual.line(*line).taxable).sum::<Amount>();
        let taxed =
            [Line::Registered, Line::Exports, Line::Zones, Line::Deemed, Line::Debits, Line::AmendedUp];
        let untaxed = [
            Line::UntaxedExports,
            Line::UntaxedZones,
            Line::ReverseCharge,
            Line::UntaxedDebits,
            Line::UntaxedAmendedUp,
        ];
        let less = [Line::Credits, Line::AmendedDown, Line::UntaxedCredits, Line::UntaxedAmendedDown];
        let lines = taxable(&taxed) + taxable(&untaxed) + taxable(&[Line::Consumers]) - taxable(&less);
        let sections = [
            "B2B", "B2BA", "B2CL", "B2CLA", "B2CS", "B2CSA", "CDNR", "CDNRA", "CDNUR", "CDNURA", "EXP",
            "EXPA",
        ];
        assert_eq!(lines, summary(&sections));
        assert_eq!(
            annual.line(Line::Advances).taxable,
            summary(&["AT", "ATA"]) - summary(&["TXPD", "TXPDA"])
        );
        assert_eq!(annual.line(Line::Operator).taxable, summary(&["ECOM", "ECOMA"]));
        let nil = books.line("NIL");
        let table_8 =
            ["ttl_expt_amt", "ttl_ngsup_amt", "ttl_nilsup_amt"].map(|name| Amount::read(&nil[name]));
        assert_eq!(taxable(&[Line::Exempt, Line::NonGst, Line::NilRated]), table_8.into_iter().sum());
        let expected = lines + table_8.into_iter().sum() + taxable(&[Line::ThroughOperator]);
        assert_eq!(annual.turnover(), expected);
    }

    #[test]
    fn each_kind_of_supply_has_its_line() {
        let with = |changes: Value| july(&super::super::testing::b2b(&changes));
        for (changes, line) in [
            (json!({}), Line::Registered),
            (json!({"rchrg": "Y"}), Line::ReverseCharge),
            (json!({"inv_typ": "DE"}), Line::Deemed),
        ] {
            let annual = with(changes);
            assert_eq!(annual.0.keys().collect::<Vec<_>>(), [&line]);
            assert_eq!(annual.line(line).taxable, annual.turnover());
        }
    }
}
