//! The journal in GSTN's shapes: BAL, the ledgers CASH, ITC and TAX, and the statements NEGLIAB, REVRCLM and RCM.

use gstn::{Gstin, ReturnPeriod};
use jiff::civil::Date;
use rusqlite::Connection;
use serde_json::{Map, Value, json};

use super::journal::{self, Account, Entry};
use super::money::{Cells, Head, Heads, Minor, rupees};
use crate::calendar::first_day;
use crate::clock::slashed;

/// Which days are asked for, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Days {
    pub(crate) from: Date,
    pub(crate) to: Date,
}

/// The reply of BAL: cash, credit and blocked credit.
pub(crate) fn balance(conn: &Connection, gstin: &Gstin) -> rusqlite::Result<Value> {
    let held = |account| journal::balance(conn, gstin, account);
    let (cash, credit, blocked) = (held(Account::Cash)?, held(Account::Credit)?, held(Account::Blocked)?);
    let mut cash_bal = Map::new();
    for head in Head::ALL {
        let name = head.as_str();
        cash_bal.insert(format!("{name}_tot_bal"), rupees(cash.head_total(head)));
        let cells = Minor::ALL.map(|minor| (minor.as_str().to_owned(), rupees(cash[minor][head])));
        cash_bal.insert(name.to_owned(), Value::Object(cells.into_iter().collect()));
    }
    let of_credit = |cells: Cells, suffix: &str| -> Value {
        let amounts =
            Head::ALL.map(|head| (format!("{}_{suffix}", head.as_str()), rupees(cells[Minor::Tax][head])));
        Value::Object(amounts.into_iter().collect())
    };
    Ok(json!({
        "gstin": gstin.as_str(), "cash_bal": cash_bal, "itc_bal": of_credit(credit, "bal"),
        "itc_blck_bal": of_credit(blocked, "blck_bal"),
    }))
}

/// CASH: the electronic cash ledger.
pub(crate) fn cash(conn: &Connection, gstin: &Gstin, days: Days) -> rusqlite::Result<Value> {
    let before = journal::balance_before(conn, gstin, Account::Cash, days.from)?;
    let entries = journal::between(conn, gstin, Account::Cash, days.from, days.to)?;
    let after = entries.last().map_or(before, |entry| entry.balance);
    let row = |entry: &Entry| {
        let mut row = detailed(entry, entry.change, entry.balance);
        if let Some(period) = entry.period {
            row.insert("ret_period".into(), period.to_string().into());
        }
        let deposited = if entry.change.total() > 0 { slashed(entry.day) } else { String::new() };
        row.insert("dpt_dt".into(), deposited.into());
        row.insert("refNo".into(), entry.reference.as_str().into());
        row.insert("tr_typ".into(), side(entry.change).into());
        row
    };
    Ok(json!({
        "gstin": gstin.as_str(), "fr_dt": slashed(days.from), "to_dt": slashed(days.to),
        "op_bal": position("Opening Balance", before),
        "tr": entries.iter().map(row).collect::<Vec<_>>(),
        "cl_bal": position("Closing Balance", after),
    }))
}

/// ITC: the electronic credit ledger.
pub(crate) fn credit(conn: &Connection, gstin: &Gstin, days: Days) -> rusqlite::Result<Value> {
    let before = journal::balance_before(conn, gstin, Account::Credit, days.from)?;
    let entries = journal::between(conn, gstin, Account::Credit, days.from, days.to)?;
    let after = entries.last().map_or(before, |entry| entry.balance);
    let row = |entry: &Entry| {
        let mut row = Map::new();
        row.insert("dt".into(), slashed(entry.day).into());
        row.insert("desc".into(), entry.description.as_str().into());
        row.insert("ref_no".into(), entry.reference.as_str().into());
        if let Some(period) = entry.period {
            row.insert("ret_period".into(), period.to_string().into());
        }
        row.insert("tr_typ".into(), side(entry.change).into());
        credit_columns("TaxAmt", entry.change[Minor::Tax].map(i64::abs), &mut row);
        credit_columns("TaxBal", entry.balance[Minor::Tax], &mut row);
        row.insert("tot_tr_amt".into(), rupees(entry.change.total().abs()));
        row.insert("tot_rng_bal".into(), rupees(entry.balance.total()));
        row
    };
    Ok(json!({
        "itcLdgDtls": {
            "gstin": gstin.as_str(), "fr_dt": slashed(days.from), "to_dt": slashed(days.to),
            "op_bal": credit_position("Opening Balance", before),
            "tr": entries.iter().map(row).collect::<Vec<_>>(),
            "cl_bal": credit_position("Closing Balance", after),
        },
        // Provisional credit went with GSTR-2.
        "provCrdBalList": { "provCrdBal": [] },
    }))
}

/// TAX: the liability register, part I, of the days or of the tax periods asked for.
pub(crate) fn liability(conn: &Connection, gstin: &Gstin, asked: LiabilityRange) -> rusqlite::Result<Value> {
    let (from, to) = asked.texts();
    let entries = match asked {
        LiabilityRange::Days(days) => journal::between(conn, gstin, Account::Liability, days.from, days.to)?,
        LiabilityRange::Periods(first, last) => {
            // A return is paid after its period began, so earlier entries need no look.
            let all = journal::between(conn, gstin, Account::Liability, first_day(first), Date::MAX)?;
            let wanted = |entry: &Entry| entry.period.is_some_and(|period| (first..=last).contains(&period));
            all.into_iter().filter(wanted).collect()
        }
    };
    let before = match asked {
        LiabilityRange::Days(days) => journal::balance_before(conn, gstin, Account::Liability, days.from)?,
        LiabilityRange::Periods(..) => {
            entries.first().map_or(Cells::ZERO, |entry| entry.balance - entry.change)
        }
    };
    let after = entries.last().map_or(before, |entry| entry.balance);
    let row = |entry: &Entry| {
        // The register shows what is owed; the journal keeps it below zero.
        let mut row = detailed(entry, entry.change, -entry.balance);
        row.insert("ref_no".into(), entry.reference.as_str().into());
        row.insert("tr_typ".into(), side(entry.change).into());
        row
    };
    Ok(json!({
        "gstin": gstin.as_str(), "fr_dt": from, "to_dt": to,
        "tr": entries.iter().map(row).collect::<Vec<_>>(),
        "cl_bal": position("Closing Balance", -after),
    }))
}

/// What TAX is asked for: one client family asks by days, another by tax periods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LiabilityRange {
    Days(Days),
    Periods(ReturnPeriod, ReturnPeriod),
}

impl LiabilityRange {
    fn texts(self) -> (String, String) {
        match self {
            Self::Days(days) => (slashed(days.from), slashed(days.to)),
            Self::Periods(first, last) => (first.to_string(), last.to_string()),
        }
    }
}

/// NEGLIAB: the negative liability statement.
pub(crate) fn negative_liability(conn: &Connection, gstin: &Gstin, days: Days) -> rusqlite::Result<Value> {
    let mut before = [Heads::ZERO; 2];
    let mut moves: Vec<(usize, Entry)> = Vec::new();
    for (kind, account) in [Account::NegativeOther, Account::NegativeReverse].into_iter().enumerate() {
        before[kind] = journal::balance_before(conn, gstin, account, days.from)?[Minor::Tax];
        let entries = journal::between(conn, gstin, account, days.from, days.to)?;
        moves.extend(entries.into_iter().map(|entry| (kind, entry)));
    }
    moves.sort_by_key(|(kind, entry)| (entry.posting, *kind));
    let mut held = before;
    let mut rows: Vec<Value> = Vec::new();
    for group in moves.chunk_by(|one, other| one.1.posting == other.1.posting) {
        let mut changes = [Heads::ZERO; 2];
        for (kind, entry) in group {
            changes[*kind] += entry.change[Minor::Tax];
            held[*kind] = entry.balance[Minor::Tax];
        }
        let Some((_, entry)) = group.first() else { continue };
        rows.push(json!({
            "rtnprd": entry.period.map(|period| period.to_string()).unwrap_or_default(),
            "refno": entry.reference, "trandate": slashed(entry.day),
            "trantyp": if entry.change.total() < 0 { "Debit" } else { "Credit" },
            "desc": "Negative liability for GSTR3B/3BQ",
            "negliab": by_kind(changes.map(|change| change.map(i64::abs))), "negliabal": by_kind(held),
        }));
    }
    Ok(json!({ "openbal": by_kind(before), "closebal": by_kind(held), "negliabdtls": rows }))
}

fn by_kind(amounts: [Heads; 2]) -> Value {
    let kinds = [("Other than reverse charge", 30002), ("Reverse charge and supplies made u/s 9(5)", 30003)];
    let row = |((desc, code), heads): ((&str, i32), Heads)| {
        let mut row = heads.to_statement();
        row["desc"] = desc.into();
        row["trancd"] = code.into();
        row
    };
    kinds.into_iter().zip(amounts).map(row).collect()
}

/// REVRCLM and RCM: what entered and left a statement, column by column; an entry's description is its column.
pub(crate) fn columns(
    conn: &Connection,
    gstin: &Gstin,
    account: Account,
    days: Days,
) -> rusqlite::Result<Value> {
    let before = journal::balance_before(conn, gstin, account, days.from)?;
    let entries = journal::between(conn, gstin, account, days.from, days.to)?;
    let after = entries.last().map_or(before, |entry| entry.balance);
    let mut rows: Vec<Value> = Vec::new();
    for group in entries.chunk_by(|one, other| one.posting == other.posting) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
        let desc =
            if first.period.is_some() { "On filing of GSTR-3B/3BQ" } else { "Opening Balance reported" };
        let mut row = json!({
            "trandt": slashed(first.day), "desc": desc, "refno": first.reference,
            "clsbal": last.balance[Minor::Tax].to_statement(),
        });
        if let Some(period) = first.period {
            row["rtnprd"] = period.to_string().into();
        }
        for entry in group {
            // What leaves a statement is an amount in its own column.
            row[entry.description.as_str()] = if first.period.is_some() {
                entry.change[Minor::Tax].map(i64::abs)
            } else {
                entry.change[Minor::Tax]
            }
            .to_statement();
        }
        rows.push(row);
    }
    Ok(json!({
        "gstin": gstin.as_str(), "frdt": slashed(days.from), "todt": slashed(days.to),
        "opnbal": before[Minor::Tax].to_statement(), "tr": rows, "clsbal": after[Minor::Tax].to_statement(),
    }))
}

/// CLOSINGBAL and RCMCLOSINGBAL: what a statement holds now.
pub(crate) fn closing(conn: &Connection, gstin: &Gstin, account: Account) -> rusqlite::Result<Value> {
    let held = journal::balance(conn, gstin, account)?;
    Ok(json!({ "gstin": gstin.as_str(), "clsbal": held[Minor::Tax].to_statement() }))
}

/// What CASH and TAX have in common of an entry.
fn detailed(entry: &Entry, change: Cells, balance: Cells) -> Map<String, Value> {
    let mut row = Map::new();
    row.insert("dt".into(), slashed(entry.day).into());
    row.insert("desc".into(), entry.description.as_str().into());
    let amounts = if change.total() < 0 { -change } else { change };
    for head in Head::ALL {
        row.insert(head.as_str().into(), amounts.of_head(head));
        row.insert(format!("{}bal", head.as_str()), balance.of_head(head));
    }
    row.insert("tot_tr_amt".into(), rupees(amounts.total()));
    row.insert("tot_rng_bal".into(), rupees(balance.total()));
    row
}

fn position(desc: &str, cells: Cells) -> Value {
    let mut position = json!({ "desc": desc, "tot_rng_bal": rupees(cells.total()) });
    for head in Head::ALL {
        position[format!("{}bal", head.as_str())] = cells.of_head(head);
    }
    position
}

fn credit_position(desc: &str, cells: Cells) -> Value {
    let mut position = Map::new();
    position.insert("desc".into(), desc.into());
    credit_columns("TaxBal", cells[Minor::Tax], &mut position);
    position.insert("tot_rng_bal".into(), rupees(cells.total()));
    Value::Object(position)
}

fn credit_columns(suffix: &str, heads: Heads, row: &mut Map<String, Value>) {
    for head in Head::ALL {
        row.insert(format!("{}{suffix}", head.as_str()), rupees(heads[head]));
    }
}

fn side(change: Cells) -> &'static str {
    if change.total() < 0 { "Dr" } else { "Cr" }
}
