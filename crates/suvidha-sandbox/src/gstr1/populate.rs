//! Rows that GSTN itself puts into a GSTR-1, of e-invoices (advisory of 03.03.22 and later ones).

use rusqlite::Transaction;
use serde_json::Value;

use super::checks::check_row;
use super::rows::{SentRow, single_rows};
use super::store::{self, KeptRow};
use super::{GstnError, Subject};
use crate::duties;

/// What became of a document that was to be put into a return.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Populated {
    /// It is in the return.
    Taken,
    /// The taxpayer had reported the document already; that row stays.
    OwnRow,
    /// The return is filed.
    Filed,
    /// The return cannot hold such a row.
    Refused(GstnError),
}

/// Puts the one document of `sections`, the payload of a save, into a return.
///
/// # Errors
/// Only those of the database.
pub fn populate(tx: &Transaction, subject: &Subject, sections: &Value) -> rusqlite::Result<Populated> {
    let rows = single_rows(sections);
    let [SentRow { row, .. }] = rows.as_slice() else {
        return Ok(Populated::Refused(GstnError::new("RET191107", "One document is populated at a time")));
    };
    let standing = store::standing(tx, subject.gstin, subject.form, subject.period)?;
    if standing.filed.is_some() || standing.submitted {
        return Ok(Populated::Filed);
    }
    if !with_number_of(tx, subject, sections)?.is_empty() {
        return Ok(Populated::OwnRow);
    }
    match check_row(tx, subject, row)? {
        Err(error) => Ok(Populated::Refused(error)),
        Ok(original) => {
            store::put(tx, subject, row, original)?;
            store::take_readiness(tx, subject)?;
            duties::begin(tx, subject.gstin, subject.period)?;
            Ok(Populated::Taken)
        }
    }
}

/// Takes the document out again, unless the return is filed or the taxpayer has changed the row since.
///
/// # Errors
/// Only those of the database.
pub fn withdraw(tx: &Transaction, subject: &Subject, sections: &Value, irn: &str) -> rusqlite::Result<()> {
    for kept in with_number_of(tx, subject, sections)? {
        if !kept.filed && kept.row.text("irn") == Some(irn) {
            store::delete(tx, subject, kept.row.table, &kept.key)?;
            store::take_readiness(tx, subject)?;
        }
    }
    Ok(())
}

/// The rows of the return that bear the document's number.
fn with_number_of(tx: &Transaction, subject: &Subject, sections: &Value) -> rusqlite::Result<Vec<KeptRow>> {
    let mut found = Vec::new();
    for SentRow { row, .. } in single_rows(sections) {
        let number = row.table.numbering().and_then(|numbering| row.number(numbering));
        if let Some((series, number)) = row.table.series().zip(number) {
            found.extend(store::with_number(tx, subject.gstin, series, &number)?);
        }
    }
    found.retain(|kept| subject.owns(kept));
    Ok(found)
}
