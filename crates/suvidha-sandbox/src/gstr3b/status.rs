//! Filing: from offset to filed.

use rusqlite::{Connection, Transaction};
use serde_json::Value;

use super::autoliab::Inward;
use super::form::Saved;
use super::offset::{check_gstr1, check_statement, offset_nothing};
use super::save::{check_locks, missing_before};
use super::store::{self, Kept};
use super::{Taxable, refusal, statements, summary};
use crate::filed;
use crate::forms::Form;
use crate::gstr1::{Fault, GstnError};
use crate::ledgers::journal;

/// The fault of RETFILE that comes before all others: RT_FIL_02, filed already.
pub(crate) fn precheck_file(conn: &Connection, taxable: &Taxable<'_>) -> Result<(), Fault> {
    if filed::find(conn, taxable.gstin, Form::Gstr3b, taxable.period)?.is_some() {
        return Err(refusal("RT_FIL_02", "GSTR3B is already filed").into());
    }
    Ok(())
}

/// Files the return. `signed` is the JSON that was signed, the return as RETSUM tells it: what it says of the return
/// must be what was saved, in any order and any form of numbers.
///
/// A return that owes nothing needs no offset. Filing gives the ledger entries their ARN and moves the statements.
pub(crate) fn file(
    tx: &Transaction<'_>,
    taxable: &Taxable<'_>,
    signed: &Value,
    inward: &Inward,
    arn: &str,
) -> Result<(), Fault> {
    precheck_file(tx, taxable)?;
    taxable.check_period()?;
    let kept = store::find(tx, taxable.gstin, taxable.period)?;
    let kept = kept.ok_or_else(|| refusal("RT-3BAS1009", "No GSTR3B data is saved for the period"))?;
    check_signed(taxable, signed, &kept.saved)?;
    let due = taxable.due(tx)?;
    if taxable.rules.is_barred_after(due, taxable.today) {
        let message = "Filing is barred: three years have passed since the due date";
        return Err(refusal("RET12590", message).into());
    }
    if let Some(before) = missing_before(tx, taxable)? {
        return Err(
            refusal("RET192409", format!("GSTR3B of the previous period {before} is not filed")).into()
        );
    }
    check_gstr1(tx, taxable)?;
    check_statement(inward)?;
    if kept.offset.is_none() {
        let payable = summary::payable(tx, taxable, &kept.saved)?;
        if !payable.is_zero() {
            return Err(refusal("RT_FIL_10", "Please offset the liability before filing").into());
        }
        check_locks(tx, taxable, &kept.saved, inward)??;
        offset_nothing(tx, taxable, &kept, &payable)?;
    }
    filed::record(tx, taxable.gstin, Form::Gstr3b, taxable.period, arn, taxable.today)?;
    refer(tx, taxable, arn)?;
    Ok(statements::post(tx, taxable, &kept.saved, arn)?)
}

/// The entries of the offset stand under the ARN from now on.
fn refer(tx: &Transaction<'_>, taxable: &Taxable<'_>, arn: &str) -> rusqlite::Result<()> {
    let offset = store::find(tx, taxable.gstin, taxable.period)?.and_then(|kept: Kept| kept.offset);
    let postings = offset.into_iter().flat_map(|offset| [offset.accrual, offset.payment]).flatten();
    postings.into_iter().try_for_each(|posting| journal::refer(tx, taxable.gstin, posting, arn))
}

/// RTN_FIL_30 for another return; RT_FIL_09 for what is not the latest. A signed text that has none of the tables is
/// taken: clients drop what they do not need.
fn check_signed(taxable: &Taxable<'_>, signed: &Value, saved: &Saved) -> Result<(), GstnError> {
    let stated = |key: &str| signed.get(key).and_then(Value::as_str);
    let of_another = stated("gstin").is_some_and(|gstin| !gstin.eq_ignore_ascii_case(taxable.gstin.as_str()))
        || stated("ret_period").is_some_and(|period| period != taxable.period.to_string());
    if of_another || !signed.is_object() {
        return Err(refusal("RTN_FIL_30", "Signed summary data does not matches with encoded hash summary"));
    }
    if signed.get("sup_details").is_none() && signed.get("itc_elg").is_none() {
        return Ok(());
    }
    let latest = Saved::read(signed).is_ok_and(|signed| {
        // Interest and fee are the system's by then.
        Saved { interest: saved.interest, ..signed } == *saved
    });
    if latest { Ok(()) } else { Err(refusal("RT_FIL_09", "Signed summary is not the latest one")) }
}
