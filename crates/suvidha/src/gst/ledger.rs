//! `suvidha gst ledger`: what a taxpayer has paid in, has been credited, has left, and owes.

use clap::{Args, Subcommand};
use jiff::civil::Date;
use serde::Serialize;
use serde_json::{Value, json};
use suvidha_client::{
    CashEntry, CashLedger, CashPosition, CreditEntry, CreditLedger, CreditPosition, Error, LedgerBalance,
    LiabilityEntry, LiabilityRegister, MinorHeads, NegativeAmount, NegativeEntry, NegativeLiability,
    OpenLiability, OpenLiabilityLine, Rupees, Side, Taxes,
};

use crate::exit::Failure;
use crate::output::{Answer, Output, table};

use super::place::SessionPlace;
use super::returns::Period;

/// `suvidha gst ledger …`.
#[derive(Debug, Subcommand)]
pub(crate) enum LedgerCommand {
    /// What is in the cash ledger and the credit ledger
    Balance(Period),
    /// What went into the cash ledger and out of it
    Cash(Days),
    /// What went into the credit ledger (input tax) and out of it
    Itc(Days),
    /// What returns made the taxpayer owe, and how it was paid
    Liability(Days),
    /// What of a GSTR-3B is still to be paid
    Open(Period),
    /// Tax that came out below zero, and what it paid later
    Negative(Days),
}

/// Which days.
#[derive(Debug, Args)]
pub(crate) struct Days {
    /// The first day: 2026-04-01 is 1 April 2026
    #[arg(long, value_name = "YYYY-MM-DD")]
    from: Date,
    /// The last day
    #[arg(long, value_name = "YYYY-MM-DD")]
    to: Date,
}

impl LedgerCommand {
    pub(crate) async fn run(self, place: &SessionPlace, output: Output) -> Result<(), Failure> {
        let taxpayer = place.open()?;
        match self {
            Self::Balance(period) => {
                output.show(&Shown(or_none(taxpayer.ledger_balance(period.period).await)?))
            }
            Self::Cash(days) => output.show(&Shown(or_none(taxpayer.cash_ledger(days.from, days.to).await)?)),
            Self::Itc(days) => {
                output.show(&Shown(or_none(taxpayer.credit_ledger(days.from, days.to).await)?))
            }
            Self::Liability(days) => {
                output.show(&Shown(or_none(taxpayer.liability_register(days.from, days.to).await)?))
            }
            Self::Open(period) => {
                output.show(&Shown(or_none(taxpayer.open_liability(period.period, "R3B").await)?))
            }
            Self::Negative(days) => {
                output.show(&Shown(or_none(taxpayer.negative_liability(days.from, days.to).await)?))
            }
        }
    }
}

/// That there is nothing is an answer.
fn or_none<T>(found: Result<T, Error>) -> Result<Option<T>, Failure> {
    match found {
        Ok(ledger) => Ok(Some(ledger)),
        Err(Error::NoDocuments(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A ledger; a program gets what GSTN answered.
struct Shown<T>(Option<T>);

trait Ledger {
    fn raw(&self) -> &Value;
    fn table(&self) -> String;
}

impl<T: Ledger> Serialize for Shown<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(ledger) => ledger.raw().serialize(serializer),
            None => json!({}).serialize(serializer),
        }
    }
}

impl<T: Ledger> Answer for Shown<T> {
    fn words(&self) -> String {
        self.0.as_ref().map_or_else(|| "nothing in the ledger\n".to_owned(), Ledger::table)
    }
}

impl Ledger for LedgerBalance {
    fn raw(&self) -> &Value {
        &self.raw
    }

    fn table(&self) -> String {
        let line = |name: &str, amounts: [Rupees; 4]| {
            let [igst, cgst, sgst, cess] = amounts.map(|amount| amount.to_string());
            [name.to_owned(), igst, cgst, sgst, cess]
        };
        let (cash, credit, blocked) = (&self.cash, &self.credit, &self.blocked_credit);
        let lines = [
            line("cash", [cash.igst_total, cash.cgst_total, cash.sgst_total, cash.cess_total]),
            line("credit", [credit.igst, credit.cgst, credit.sgst, credit.cess]),
            line("blocked credit", [blocked.igst, blocked.cgst, blocked.sgst, blocked.cess]),
        ];
        table(["LEDGER", "IGST", "CGST", "SGST", "CESS"], &lines)
    }
}

impl Ledger for CashLedger {
    fn raw(&self) -> &Value {
        &self.raw
    }

    fn table(&self) -> String {
        let position = |name: &str, of: &CashPosition| Line {
            what: name.to_owned(),
            amounts: [&of.igst, &of.cgst, &of.sgst, &of.cess].map(suvidha_client::MinorHeads::total),
            balance: of.total,
            ..Line::default()
        };
        let entry = |of: &CashEntry| Line {
            date: of.date,
            what: of.description.clone(),
            reference: of.reference.clone(),
            side: of.side,
            amounts: [&of.igst, &of.cgst, &of.sgst, &of.cess].map(suvidha_client::MinorHeads::total),
            amount: Some(of.amount),
            balance: of.balance,
        };
        lines(
            position("opening", &self.opening),
            self.entries.iter().map(entry),
            position("closing", &self.closing),
        )
    }
}

impl Ledger for CreditLedger {
    fn raw(&self) -> &Value {
        &self.raw
    }

    fn table(&self) -> String {
        let position = |name: &str, of: &CreditPosition| Line {
            what: name.to_owned(),
            amounts: [of.igst, of.cgst, of.sgst, of.cess],
            balance: of.total,
            ..Line::default()
        };
        let entry = |of: &CreditEntry| Line {
            date: of.date,
            what: of.description.clone(),
            reference: of.reference.clone(),
            side: of.side,
            amounts: [of.igst, of.cgst, of.sgst, of.cess],
            amount: Some(of.amount),
            balance: of.balance,
        };
        lines(
            position("opening", &self.opening),
            self.entries.iter().map(entry),
            position("closing", &self.closing),
        )
    }
}

impl Ledger for LiabilityRegister {
    fn raw(&self) -> &Value {
        &self.raw
    }

    fn table(&self) -> String {
        let closing = &self.closing;
        let amounts = [&closing.igst, &closing.cgst, &closing.sgst, &closing.cess].map(MinorHeads::total);
        let closing = Line { what: "closing".to_owned(), amounts, balance: closing.total, ..Line::default() };
        let entry = |of: &LiabilityEntry| Line {
            date: of.date,
            what: of.description.clone(),
            reference: of.reference.clone(),
            side: of.side,
            amounts: [&of.igst, &of.cgst, &of.sgst, &of.cess].map(MinorHeads::total),
            amount: Some(of.amount),
            balance: of.balance,
        };
        rows(self.entries.iter().map(entry).chain([closing]), ["owed", "paid"])
    }
}

impl Ledger for OpenLiability {
    fn raw(&self) -> &Value {
        &self.raw
    }

    fn table(&self) -> String {
        let line = |of: &OpenLiabilityLine| {
            let [igst, cgst, sgst, cess] =
                [&of.igst, &of.cgst, &of.sgst, &of.cess].map(|head| MinorHeads::total(head).to_string());
            [of.description.clone(), igst, cgst, sgst, cess]
        };
        let lines: Vec<_> = self.lines.iter().map(line).collect();
        match lines.is_empty() {
            true => "nothing is owed\n".to_owned(),
            false => table(["LIABILITY", "IGST", "CGST", "SGST", "CESS"], &lines),
        }
    }
}

impl Ledger for NegativeLiability {
    fn raw(&self) -> &Value {
        &self.raw
    }

    fn table(&self) -> String {
        let sum = |amounts: &[NegativeAmount]| amounts.iter().map(|amount| amount.taxes).sum::<Taxes>();
        let heads = |taxes: Taxes| [taxes.igst, taxes.cgst, taxes.sgst, taxes.cess];
        let position = |name: &str, amounts: &[NegativeAmount]| {
            let taxes = sum(amounts);
            Line { what: name.to_owned(), amounts: heads(taxes), balance: taxes.tax(), ..Line::default() }
        };
        let entry = |of: &NegativeEntry| Line {
            date: of.date,
            what: of.description.clone(),
            reference: of.reference.clone(),
            side: of.side,
            amounts: heads(sum(&of.amounts)),
            amount: Some(sum(&of.amounts).tax()),
            balance: sum(&of.balance).tax(),
        };
        lines(
            position("opening", &self.opening),
            self.entries.iter().map(entry),
            position("closing", &self.closing),
        )
    }
}

/// A line of any ledger.
#[derive(Default)]
struct Line {
    date: Option<Date>,
    what: String,
    reference: String,
    side: Side,
    amounts: [Rupees; 4],
    amount: Option<Rupees>,
    balance: Rupees,
}

fn lines(opening: Line, entries: impl Iterator<Item = Line>, closing: Line) -> String {
    rows([opening].into_iter().chain(entries).chain([closing]), ["out", "in"])
}

/// The sides are those of a debit and of a credit.
fn rows(lines: impl Iterator<Item = Line>, [debit, credit]: [&str; 2]) -> String {
    let cells = |line: Line| {
        let [igst, cgst, sgst, cess] = line.amounts.map(|amount| amount.to_string());
        let side = match line.side {
            Side::Credit => credit,
            Side::Debit => debit,
            _ => "",
        };
        let date = line.date.map(|date| date.to_string()).unwrap_or_default();
        let amount = line.amount.map(|amount| amount.to_string()).unwrap_or_default();
        let balance = line.balance.to_string();
        [date, line.what, line.reference, side.to_owned(), igst, cgst, sgst, cess, amount, balance]
    };
    let rows: Vec<_> = lines.map(cells).collect();
    let headings = ["DATE", "WHAT", "REFERENCE", "", "IGST", "CGST", "SGST", "CESS", "AMOUNT", "BALANCE"];
    table(headings, &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_a_line_between_what_was_there_and_what_is_left() {
        let ledger = r#"{"op_bal": {"tot_rng_bal": 5}, "cl_bal": {"igstbal": {"tx": 5}, "tot_rng_bal": 5},
            "tr": [{"dt": "05/04/2026", "refNo": "AB1", "desc": "Amount deposited", "tr_typ": "Cr",
                    "cgst": {"tx": 10.5, "intr": 1}, "tot_tr_amt": 11.5, "tot_rng_bal": 16.5},
                   {"dt": "20/04/2026", "refNo": "AB2", "desc": "Set off", "tr_typ": "Dr",
                    "cgst": {"tx": 11.5}, "tot_tr_amt": 11.5, "tot_rng_bal": 5}]}"#;
        let expected = "\
DATE        WHAT              REFERENCE       IGST  CGST   SGST  CESS  AMOUNT  BALANCE
            opening                           0.00  0.00   0.00  0.00          5.00
2026-04-05  Amount deposited  AB1        in   0.00  11.50  0.00  0.00  11.50   16.50
2026-04-20  Set off           AB2        out  0.00  11.50  0.00  0.00  11.50   5.00
            closing                           5.00  0.00   0.00  0.00          5.00
";
        assert_eq!(serde_json::from_str::<CashLedger>(ledger).unwrap().table(), expected);

        let ledger = r#"{"op_bal": {"tot_rng_bal": 0}, "tr": [{"dt": "05/04/2026", "desc": "Accrued", "tr_typ": "Cr",
            "igstTaxAmt": 7, "tot_tr_amt": 7, "tot_rng_bal": 7}], "cl_bal": {"igstTaxBal": 7, "tot_rng_bal": 7}}"#;
        let table = serde_json::from_str::<CreditLedger>(ledger).unwrap().table();
        assert_eq!(table.lines().filter(|line| line.contains("7.00")).count(), 2, "{table}");
    }

    #[test]
    fn a_ledger_without_entries_is_none() {
        assert_eq!(Shown::<CashLedger>(None).words(), "nothing in the ledger\n");
        assert_eq!(serde_json::to_string(&Shown::<CashLedger>(None)).unwrap(), "{}");
    }
}
