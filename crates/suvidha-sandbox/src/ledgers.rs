//! The electronic cash and credit ledgers of a taxpayer, and the BAL call that reads them.

use gstn::Gstin;
use http::Method;
use rusqlite::{Connection, Transaction, params};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::auth::invalid_session;
use crate::call::{Call, Resource};
use crate::fault::Fault;
use crate::respond::Answer;
use crate::returns::own_gstin;
use crate::routes::not_here;
use crate::sessions;
use crate::simulator::Simulator;
use crate::taxpayers::TaxpayerError;

const HEADS: [&str; 4] = ["igst", "cgst", "sgst", "cess"];
const MINOR_HEADS: [&str; 5] = ["tx", "intr", "pen", "fee", "oth"];
/// One crore crore rupees: the largest amount that fits GSTN's fifteen digits.
const LARGEST_RUPEES: f64 = 1e13;

/// What the ledgers of a new taxpayer begin with, in rupees.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Balances {
    /// Cash, by tax head and minor head.
    pub cash: CashBalance,
    /// Input tax credit, by tax head.
    pub credit: HeadAmounts,
    /// The part of the credit that an officer blocked (Rule 86A).
    pub blocked_credit: HeadAmounts,
}

/// Cash by tax head.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CashBalance {
    /// Integrated tax.
    pub igst: MinorHeads,
    /// Central tax.
    pub cgst: MinorHeads,
    /// State or union territory tax.
    pub sgst: MinorHeads,
    /// Compensation cess.
    pub cess: MinorHeads,
}

/// The cells of one tax head of the cash ledger, in rupees.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MinorHeads {
    /// Tax.
    pub tx: f64,
    /// Interest.
    pub intr: f64,
    /// Penalty.
    pub pen: f64,
    /// Fee.
    pub fee: f64,
    /// Others.
    pub oth: f64,
}

/// One amount per tax head, in rupees.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HeadAmounts {
    /// Integrated tax.
    pub igst: f64,
    /// Central tax.
    pub cgst: f64,
    /// State or union territory tax.
    pub sgst: f64,
    /// Compensation cess.
    pub cess: f64,
}

impl MinorHeads {
    fn cells(&self) -> [f64; 5] {
        [self.tx, self.intr, self.pen, self.fee, self.oth]
    }
}

impl HeadAmounts {
    fn heads(&self) -> [f64; 4] {
        [self.igst, self.cgst, self.sgst, self.cess]
    }
}

/// `/taxpayerapi/*/ledgers`, which older clients write `/returns/ledgers`.
pub(crate) fn answer(
    simulator: &Simulator,
    client_id: &str,
    call: &Call,
    resource: &Resource,
) -> Result<Answer, Fault> {
    let action = call.query("action");
    if call.method != Method::GET || action != Some("BAL") {
        return Err(not_here(call, resource, action));
    }
    simulator.db.read(|tx| {
        let live = sessions::of_call(tx, simulator, client_id, call, invalid_session)?;
        own_gstin(&live, call)?;
        let balance = balance(tx, &live.taxpayer.gstin)?;
        Ok(Answer::sealed(&simulator.seam, &live.session.sek, &balance))
    })
}

/// Sets the opening balances of a taxpayer.
pub(crate) fn seed(tx: &Transaction<'_>, gstin: &Gstin, balances: &Balances) -> Result<(), TaxpayerError> {
    let cash = &balances.cash;
    for (head, cells) in HEADS.iter().zip([cash.igst, cash.cgst, cash.sgst, cash.cess]) {
        for (minor, rupees) in MINOR_HEADS.iter().zip(cells.cells()) {
            let mut insert = tx.prepare_cached("INSERT INTO cash_balances VALUES (?1, ?2, ?3, ?4)")?;
            insert.execute(params![gstin.as_str(), head, minor, paise(rupees)?])?;
        }
    }
    let credit = balances.credit.heads().into_iter().zip(balances.blocked_credit.heads());
    for (head, (amount, blocked)) in HEADS.iter().zip(credit) {
        let mut insert = tx.prepare_cached("INSERT INTO credit_balances VALUES (?1, ?2, ?3, ?4)")?;
        insert.execute(params![gstin.as_str(), head, paise(amount)?, paise(blocked)?])?;
    }
    Ok(())
}

fn paise(rupees: f64) -> Result<i64, TaxpayerError> {
    if !rupees.is_finite() || rupees.abs() >= LARGEST_RUPEES {
        return Err(TaxpayerError::Balance(rupees));
    }
    Ok((rupees * 100.0).round() as i64)
}

/// The reply of BAL: cash, credit and blocked credit.
pub(crate) fn balance(conn: &Connection, gstin: &Gstin) -> rusqlite::Result<Value> {
    let (mut cash, mut credit, mut blocked) = (Map::new(), Map::new(), Map::new());
    for head in HEADS {
        let cells = cash_cells(conn, gstin, head)?;
        cash.insert(format!("{head}_tot_bal"), rupees(cells.iter().sum()));
        let cells = MINOR_HEADS.iter().zip(cells).map(|(minor, paise)| ((*minor).to_owned(), rupees(paise)));
        cash.insert(head.to_owned(), Value::Object(cells.collect()));
        let (amount, blocked_amount) = credit_of(conn, gstin, head)?;
        credit.insert(format!("{head}_bal"), rupees(amount));
        blocked.insert(format!("{head}_blck_bal"), rupees(blocked_amount));
    }
    Ok(json!({"gstin": gstin.as_str(), "cash_bal": cash, "itc_bal": credit, "itc_blck_bal": blocked}))
}

fn cash_cells(conn: &Connection, gstin: &Gstin, head: &str) -> rusqlite::Result<[i64; 5]> {
    let mut cells = [0; 5];
    let mut select =
        conn.prepare_cached("SELECT minor, amount FROM cash_balances WHERE gstin = ?1 AND head = ?2")?;
    let mut rows = select.query(params![gstin.as_str(), head])?;
    while let Some(row) = rows.next()? {
        let minor: String = row.get(0)?;
        if let Some(cell) = MINOR_HEADS.iter().position(|known| *known == minor) {
            cells[cell] = row.get(1)?;
        }
    }
    Ok(cells)
}

fn credit_of(conn: &Connection, gstin: &Gstin, head: &str) -> rusqlite::Result<(i64, i64)> {
    conn.prepare_cached(
        "SELECT total(amount), total(blocked) FROM credit_balances WHERE gstin = ?1 AND head = ?2",
    )?
    .query_row(params![gstin.as_str(), head], |row| {
        Ok((row.get::<_, f64>(0)? as i64, row.get::<_, f64>(1)? as i64))
    })
}

/// Paise as a JSON number of rupees: whole where it is whole, as GSTN prints it.
fn rupees(paise: i64) -> Value {
    if paise % 100 == 0 { json!(paise / 100) } else { json!(paise as f64 / 100.0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Db;

    #[test]
    fn what_was_put_into_the_ledgers_is_what_bal_tells() {
        let dir = tempfile::tempdir().unwrap();
        let db = Db::open(dir.path()).unwrap();
        let gstin: Gstin = "27AAPFU0939F1ZV".parse().unwrap();
        let balances =
            r#"{"cash":{"igst":{"tx":100.5,"intr":0.25}},"credit":{"cgst":7},"blocked_credit":{"cgst":2}}"#;
        let balances: Balances = serde_json::from_str(balances).unwrap();
        db.write(|tx| seed(tx, &gstin, &balances)).unwrap();
        let told = db.read(|tx| balance(tx, &gstin)).unwrap();
        assert_eq!(
            told["cash_bal"]["igst"],
            json!({"tx": 100.5, "intr": 0.25, "pen": 0, "fee": 0, "oth": 0})
        );
        assert_eq!(told["cash_bal"]["igst_tot_bal"], json!(100.75));
        assert_eq!(told["cash_bal"]["cess_tot_bal"], json!(0));
        assert_eq!(told["itc_bal"]["cgst_bal"], json!(7));
        assert_eq!(told["itc_blck_bal"]["cgst_blck_bal"], json!(2));
        let endless =
            Balances { credit: HeadAmounts { igst: f64::INFINITY, ..Default::default() }, ..balances };
        assert!(db.write(|tx| seed(tx, &gstin, &endless)).is_err());
    }
}
