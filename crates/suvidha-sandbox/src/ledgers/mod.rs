//! The electronic ledgers of a taxpayer: cash, credit and liability, and the statements beside them.
//!
//! All of them are views of one journal (`journal`); whatever moves money is a posting there. `opening` is what a
//! taxpayer was made with, `challan` pays money in, `transfers` is what a taxpayer or an officer does at the portal and GSTN has
//! no API for, and the offset of a GSTR-3B pays money out. `statements` gives the journal GSTN's shapes. This engine knows no HTTP.

pub(crate) mod challan;
pub(crate) mod journal;
pub(crate) mod money;
mod opening;
pub(crate) mod serials;
pub(crate) mod statements;
pub(crate) mod transfers;

use gstn::Gstin;
use rusqlite::{Connection, Transaction};

pub use opening::{Balances, CashBalance, HeadAmounts, MinorHeads};
pub(crate) use opening::{cells, paise, seed};

/// Creates what the ledgers keep, unless it is there.
pub(crate) fn create_tables(connection: &Connection) -> rusqlite::Result<()> {
    journal::create_table(connection)?;
    serials::create_table(connection)?;
    challan::create_table(connection)
}

/// Takes the ledgers of one taxpayer, or of all, back to what they began with, and forgets the challans.
pub(crate) fn reset(tx: &Transaction<'_>, gstin: Option<&Gstin>) -> rusqlite::Result<()> {
    journal::reopen(tx, gstin)?;
    challan::forget(tx, gstin)
}
