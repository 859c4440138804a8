//! RETSAVE: a save replaces the whole return, until its liability is offset.

use rusqlite::{Connection, Transaction};
use serde_json::Value;

use super::autoliab::{self, Inward};
use super::form::Saved;
use super::valid::{differences, locked};
use super::{Taxable, processed, refusal, refused, store};
use crate::duties;
use crate::forms::Form;
use crate::gstr1::{Fault, GstnError, JobOutcome};

/// The faults that a save is answered with at once.
pub(crate) fn precheck_save(conn: &Connection, taxable: &Taxable<'_>) -> Result<(), Fault> {
    taxable.check_period()?;
    check_open(conn, taxable)?;
    if let Some(before) = missing_before(conn, taxable)? {
        return Err(
            refusal("RET192409", format!("GSTR3B of the previous period {before} is not filed")).into()
        );
    }
    Ok(())
}

/// RET191183 filed; RTN_17 offset, and nothing is changed after that.
fn check_open(conn: &Connection, taxable: &Taxable<'_>) -> Result<(), Fault> {
    let Some(kept) = store::find(conn, taxable.gstin, taxable.period)? else { return Ok(()) };
    if kept.filed.is_some() {
        return Err(refusal("RET191183", "GSTR3B is already filed for the period").into());
    }
    if kept.offset.is_some() {
        return Err(refusal("RTN_17", "GSTR3B is already submitted: its liability is offset").into());
    }
    Ok(())
}

/// The GSTR-3B before, if it is owed and not filed: s.39(10).
pub(super) fn missing_before(
    conn: &Connection,
    taxable: &Taxable<'_>,
) -> rusqlite::Result<Option<gstn::ReturnPeriod>> {
    if !taxable.rules.previous_return_first {
        return Ok(None);
    }
    let Some(before) = duties::period_before(conn, taxable.gstin, taxable.period)? else { return Ok(None) };
    Ok(duties::is_missing(conn, taxable.gstin, Form::Gstr3b, before)?.then_some(before))
}

/// Processes a save. What GSTR-1 makes of the locked tables cannot be changed (advisory of 07.06.25).
pub(crate) fn save(
    tx: &Transaction<'_>,
    taxable: &Taxable<'_>,
    payload: &Value,
    inward: &Inward,
) -> rusqlite::Result<JobOutcome> {
    match precheck_save(tx, taxable) {
        Ok(()) => {}
        Err(Fault::Gstn(error)) => return Ok(refused(&error)),
        Err(Fault::Database(error)) => return Err(error),
    }
    let saved = match Saved::read(payload) {
        Ok(saved) => saved,
        Err(error) => return Ok(refused(&error)),
    };
    if let Err(error) = check_locks(tx, taxable, &saved, inward)? {
        return Ok(refused(&error));
    }
    store::put(tx, taxable.gstin, taxable.period, &saved)?;
    duties::begin(tx, taxable.gstin, taxable.period)?;
    Ok(processed())
}

/// RET12502: a locked table is not what GSTR-1 makes it. As long as GSTR-1 is not filed there is nothing to compare with.
pub(super) fn check_locks(
    conn: &Connection,
    taxable: &Taxable<'_>,
    saved: &Saved,
    inward: &Inward,
) -> rusqlite::Result<Result<(), GstnError>> {
    let (liability, states) = locked(taxable);
    if !liability && !states {
        return Ok(Ok(()));
    }
    let drawn = autoliab::draw(conn, taxable, inward)?;
    let changed: Vec<String> = differences(saved, &drawn)
        .into_iter()
        .filter(|difference| difference.is_locked(taxable))
        .map(|difference| difference.to_string())
        .collect();
    Ok(if changed.is_empty() {
        Ok(())
    } else {
        let message = format!("These fields are not editable and differ from GSTR-1: {}", changed.join(", "));
        Err(refusal("RET12502", message))
    })
}
