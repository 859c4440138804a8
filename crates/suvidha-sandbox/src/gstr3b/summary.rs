//! RETSUM: what was saved, what is owed for it, and after the offset how it was paid.

use rusqlite::Connection;
use serde_json::{Map, Value, json};

use super::form::Saved;
use super::payable::{Circumstances, Due, Kind, Payable};
use super::store::{self, Kept};
use super::{Taxable, interest, late_fee};
use crate::ledgers::journal::{self, Account};
use crate::ledgers::money::{Cells, Head, Heads, Minor};

/// The reply of RETSUM; none as long as nothing is saved.
pub(crate) fn summary(conn: &Connection, taxable: &Taxable<'_>) -> rusqlite::Result<Option<Value>> {
    let Some(kept) = store::find(conn, taxable.gstin, taxable.period)? else { return Ok(None) };
    if let Some(offset) = kept.offset {
        return Ok(Some(offset.summary));
    }
    let payable = payable(conn, taxable, &kept.saved)?;
    Ok(Some(told(taxable, &kept, &payable, Map::new())))
}

/// The summary of a return, with what was paid for it.
pub(super) fn told(taxable: &Taxable<'_>, kept: &Kept, payable: &Payable, paid: Map<String, Value>) -> Value {
    let mut told = Map::new();
    told.insert("gstin".into(), taxable.gstin.as_str().into());
    told.insert("ret_period".into(), taxable.period.to_string().into());
    told.extend(kept.saved.write());
    let mut payment = payable.to_json(taxable.period);
    payment.extend(paid);
    told.insert("tx_pmt".into(), Value::Object(payment));
    let Due { interest, fee, .. } = payable.by_kind[0];
    let mut fee = fee.to_return();
    fee.retain(|key, _| key == "camt" || key == "samt");
    told.insert("intr_ltfee".into(), json!({ "intr_details": interest.to_return(), "ltfee_details": fee }));
    if let Some(breakup) = &kept.breakup {
        told.insert("liab_breakup".into(), breakup.clone());
    }
    Value::Object(told)
}

/// What a return owes now.
pub(super) fn payable(conn: &Connection, taxable: &Taxable<'_>, saved: &Saved) -> rusqlite::Result<Payable> {
    let held = |account| journal::balance(conn, taxable.gstin, account).map(|cells| cells[Minor::Tax]);
    let computed = interest::carried_into(conn, taxable)?;
    // From 2026 on the interest that the system computed may be raised, not lowered.
    let interest = match taxable.rules.cash_balance_counts(taxable.period) {
        true => saved.interest.zip(computed, i64::max),
        false => saved.interest,
    };
    let by = Circumstances {
        negative: [held(Account::NegativeOther)?, held(Account::NegativeReverse)?],
        credit: held(Account::Credit)?,
        interest,
        fee: late_fee::carried_into(conn, taxable)?.fee(),
        rounds: taxable.rules.whole_rupees,
    };
    Ok(Payable::of(saved, &by))
}

/// RETLIAB and TAXPAYABLE: what of a return is still to be paid; none as long as nothing is saved.
pub(crate) fn open_liability(conn: &Connection, taxable: &Taxable<'_>) -> rusqlite::Result<Option<Value>> {
    let Some(kept) = store::find(conn, taxable.gstin, taxable.period)? else { return Ok(None) };
    let rows: Vec<Value> = match kept.offset {
        Some(_) => Vec::new(),
        None => {
            let payable = payable(conn, taxable, &kept.saved)?;
            let owed = Kind::ALL.into_iter().zip(&payable.by_kind).filter(|(_, due)| !cells(due).is_zero());
            owed.map(|(kind, due)| open_row(taxable, kind, cells(due))).collect()
        }
    };
    Ok(Some(json!({
        "gstin": taxable.gstin.as_str(), "ret_period": taxable.period.to_string(), "ret_type": "R3B", "op_liab": rows,
    })))
}

fn open_row(taxable: &Taxable<'_>, kind: Kind, cells: Cells) -> Value {
    let mut row = json!({
        "liab_id": kind.ledger_id(taxable.period), "tran_cd": kind.code(), "tran_desc": kind.description(),
    });
    for head in Head::ALL {
        row[head.as_str()] = cells.of_head(head);
    }
    row
}

/// What a kind of liability comes to, by minor head.
pub(super) fn cells(due: &Due) -> Cells {
    let mut cells = Cells::of_tax(due.tax);
    cells[Minor::Interest] = due.interest;
    cells[Minor::Fee] = due.fee;
    cells
}

/// The credit that may be used for a return: the ledger's with its own, less what is blocked (Rule 86A).
pub(super) fn usable_credit(
    conn: &Connection,
    taxable: &Taxable<'_>,
    payable: &Payable,
) -> rusqlite::Result<Heads> {
    let held = |account| journal::balance(conn, taxable.gstin, account).map(|cells| cells[Minor::Tax]);
    let blocked = held(Account::Blocked)?;
    Ok((held(Account::Credit)? + payable.credit - blocked).map(|paise| paise.max(0)))
}
