//! RETOFFSET: the liability is debited, the credit of the return entered, and both are settled from credit and cash.
//! One offset a return, and no part payment.

use rusqlite::{Connection, Transaction};
use serde_json::{Map, Value};

use super::autoliab::Inward;
use super::payable::{Kind, Payable};
use super::save::check_locks;
use super::statements;
use super::store::{self, Kept, Offset};
use super::summary::{cells, payable, told, usable_credit};
use super::utilisation::{Means, Proposal, check};
use super::{Taxable, processed, refusal, refused};
use crate::duties;
use crate::forms::Form;
use crate::gstr1::{Fault, GstnError, JobOutcome};
use crate::ledgers::journal::{self, Account, Posting, PostingError};
use crate::ledgers::money::{Cells, Heads};
use crate::ledgers::serials;

/// The faults that an offset is answered with at once: RT-3BAS1009 nothing saved, RET00009 filed, RTN_17 offset already,
/// RET192409 the GSTR-1 of the period is not filed (s.39(10)).
pub(crate) fn precheck_offset(conn: &Connection, taxable: &Taxable<'_>) -> Result<(), Fault> {
    taxable.check_period()?;
    let kept = store::find(conn, taxable.gstin, taxable.period)?;
    let kept = kept.ok_or_else(|| refusal("RT-3BAS1009", "No GSTR3B data is saved for the period"))?;
    if kept.filed.is_some() {
        return Err(refusal("RET00009", "GSTR3B is already filed").into());
    }
    if kept.offset.is_some() {
        return Err(refusal("RTN_17", "GSTR3B is already submitted: its liability is offset").into());
    }
    check_gstr1(conn, taxable)
}

/// RET2B1023: GSTR-2B does not have the latest IMS actions (advisory on IMS of September 2024; GSTN's code is not known).
pub(super) fn check_statement(inward: &Inward) -> Result<(), GstnError> {
    if inward.is_stale {
        let message = "GSTR-2B must be computed again: IMS actions were taken after it was generated";
        return Err(refusal("RET2B1023", message));
    }
    Ok(())
}

pub(super) fn check_gstr1(conn: &Connection, taxable: &Taxable<'_>) -> Result<(), Fault> {
    let first = taxable.rules.gstr3b_follows_gstr1(taxable.period);
    if first && duties::is_missing(conn, taxable.gstin, Form::Gstr1, taxable.period)? {
        let message = format!("GSTR1 of {} is not filed", taxable.period);
        return Err(refusal("RET192409", message).into());
    }
    Ok(())
}

/// Processes an offset: all of its postings, or none.
pub(crate) fn offset(
    tx: &Transaction<'_>,
    taxable: &Taxable<'_>,
    payload: &Value,
    inward: &Inward,
) -> rusqlite::Result<JobOutcome> {
    match try_offset(tx, taxable, payload, inward) {
        Ok(()) => Ok(processed()),
        Err(Fault::Gstn(error)) => Ok(refused(&error)),
        Err(Fault::Database(error)) => Err(error),
    }
}

fn try_offset(
    tx: &Transaction<'_>,
    taxable: &Taxable<'_>,
    payload: &Value,
    inward: &Inward,
) -> Result<(), Fault> {
    precheck_offset(tx, taxable)?;
    let Some(kept) = store::find(tx, taxable.gstin, taxable.period)? else { return Ok(()) };
    check_statement(inward)?;
    check_locks(tx, taxable, &kept.saved, inward)??;
    if let (true, Some(warning)) =
        (taxable.rules.statements_block, statements::overdrawn(tx, taxable, &kept.saved)?)
    {
        return Err(refusal("RET12502", warning).into());
    }
    let proposal = Proposal::read(payload, taxable.period)?;
    let payable = payable(tx, taxable, &kept.saved)?;
    let means = Means {
        credit: usable_credit(tx, taxable, &payable)?,
        cash: journal::balance(tx, taxable.gstin, Account::Cash)?,
        rounds: taxable.rules.whole_rupees,
        central_before_state: taxable.rules.central_before_state(taxable.period),
        cash_share: taxable.rules.rule_86b && is_above_fifty_lakh(&kept),
    };
    check(&proposal, &payable, &means)?;
    Ok(settle(tx, taxable, &kept, &proposal, &payable)?)
}

/// Rule 86B looks at taxable supplies other than exempt and zero-rated ones: above 50 lakh rupees a month.
fn is_above_fifty_lakh(kept: &Kept) -> bool {
    kept.saved.taxable.txval > 500_000_000
}

/// Offsets a return that owes nothing: its credit enters the ledger (a return without any liability needs no RETOFFSET).
pub(super) fn offset_nothing(
    tx: &Transaction<'_>,
    taxable: &Taxable<'_>,
    kept: &Kept,
    payable: &Payable,
) -> Result<(), Fault> {
    Ok(settle(tx, taxable, kept, &Proposal::default(), payable)?)
}

/// Posts what is owed and how it is paid, and keeps the summary as of now.
fn settle(
    tx: &Transaction<'_>,
    taxable: &Taxable<'_>,
    kept: &Kept,
    proposal: &Proposal,
    payable: &Payable,
) -> Result<(), Failed> {
    let reference = serials::debit_entry(tx, taxable.state, taxable.today)?;
    let posting = || Posting::new(taxable.gstin, taxable.today, &reference).of_period(taxable.period);
    let mut accrual = posting();
    for (kind, due) in Kind::ALL.into_iter().zip(&payable.by_kind) {
        accrual = accrual.line(Account::Liability, -cells(due), kind.ledger_description()).line(
            negative(kind),
            Cells::of_tax(due.carried),
            kind.ledger_description(),
        );
    }
    accrual = accrual.line(Account::Credit, Cells::of_tax(payable.credit), "ITC accrued through Inputs");
    let mut payment = posting();
    for (kind, due) in Kind::ALL.into_iter().zip(&payable.by_kind) {
        let used = if kind == Kind::Other { proposal.credit.used() } else { Heads::ZERO };
        let words = kind.ledger_description();
        payment = payment
            .line(Account::Liability, cells(due), words)
            .line(Account::Cash, -proposal.cash(kind), words)
            .line(Account::Credit, -Cells::of_tax(used), words)
            .line(negative(kind), -Cells::of_tax(due.adjusted), words);
    }
    let post = |posting: &Posting<'_>| match posting.lines.is_empty() {
        true => Ok(None),
        false => journal::post(tx, posting).map(Some),
    };
    let (accrual, payment) = (post(&accrual.against_outside())?, post(&payment)?);
    let paid = proposal.to_json(payable, taxable.period);
    let summary = told(taxable, kept, payable, if payable.is_zero() { Map::new() } else { paid });
    let offset = Offset { on: taxable.today, summary, accrual, payment };
    store::put_offset(tx, taxable.gstin, taxable.period, &offset)?;
    Ok(())
}

const fn negative(kind: Kind) -> Account {
    match kind {
        Kind::Other => Account::NegativeOther,
        Kind::Reverse => Account::NegativeReverse,
    }
}

/// A posting that the checks let through failed: the database's fault, or a fault of ours.
#[derive(Debug)]
struct Failed(rusqlite::Error);

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Self {
        Self(error)
    }
}

impl From<PostingError> for Failed {
    fn from(error: PostingError) -> Self {
        match error {
            PostingError::Database(error) => Self(error),
            other => Self(rusqlite::Error::ToSqlConversionFailure(other.into())),
        }
    }
}

impl From<Failed> for Fault {
    fn from(failed: Failed) -> Self {
        Self::Database(failed.0)
    }
}
