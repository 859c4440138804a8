//! GSTR-2B, the statement of credit: made once from what was filed in its window, and again when the recipient asks
//! for it after acting in IMS.

mod answer;
mod lines;
mod store;
mod summary;

use gstn::{Gstin, ReturnPeriod};
use rusqlite::{Connection, Transaction};

pub(crate) use answer::{Part, Version, answer};

use super::recipient::{Made, NoStatement, Recipient};
use super::{ItcSummary, Moment};
use crate::clock::ist_date;
use crate::gstr1::GstnError;
use crate::inward::ims::{actions, record};
use store::Statement;

/// Why a statement cannot be read, in GSTN's words.
fn refusal(reason: NoStatement) -> GstnError {
    match reason {
        NoStatement::Never => GstnError::new("RET2B1016", "No record found for the provided Inputs"),
        NoStatement::NotThisMonth => GstnError::new(
            "GTR2B-001",
            "GSTR-2B is not applicable for this period: quarterly filers have one statement a quarter",
        ),
        NoStatement::TooEarly => {
            GstnError::new("RET2B1018", "GSTR-2B is requested before the cut-off date of the return period")
        }
        NoStatement::PreviousReturnMissing => GstnError::new(
            "GTR2B-002",
            "GSTR-2B is not generated because GSTR-3B of the previous period was not filed in time. File it, and \
             generate GSTR-2B",
        ),
    }
}

/// Makes the statement of `period` and keeps it, unless it is there or cannot be.
pub(crate) fn ensure(
    tx: &Transaction<'_>,
    moment: &Moment,
    gstin: &Gstin,
    period: ReturnPeriod,
) -> rusqlite::Result<Result<(), GstnError>> {
    if store::is_kept(tx, gstin, period)? {
        return Ok(Ok(()));
    }
    let recipient = Recipient::new(tx, moment, gstin)?;
    let made = match due(&recipient, period)? {
        Ok(made) => made,
        Err(reason) => return Ok(Err(refusal(reason))),
    };
    store::keep(tx, gstin, period, &make(&recipient, period, &made)?)?;
    Ok(Ok(()))
}

/// The making that falls due by itself, if it has.
fn due(recipient: &Recipient<'_>, period: ReturnPeriod) -> rusqlite::Result<Result<Made, NoStatement>> {
    if let Err(reason) = recipient.may_have_statement(period)? {
        return Ok(Err(reason));
    }
    Ok(recipient.made(period)?.ok_or(NoStatement::PreviousReturnMissing))
}

/// Whether [`ensure`] has something to do: a statement that is kept is only read.
pub(crate) fn is_kept(conn: &Connection, gstin: &Gstin, period: ReturnPeriod) -> rusqlite::Result<bool> {
    store::is_kept(conn, gstin, period)
}

fn make(recipient: &Recipient<'_>, period: ReturnPeriod, made: &Made) -> rusqlite::Result<Statement> {
    let lines = lines::collect(recipient, period, made)?;
    Ok(Statement::of(lines, *made))
}

/// The refusals of GEN2B that are answered at once: a period that has no statement or is over (IMS2B007), GSTR-3B of
/// the period before missing (GTR2B-002), nothing done in IMS since the last time (IMS2005).
pub(crate) fn precheck_make_again(
    conn: &Connection,
    moment: &Moment,
    gstin: &Gstin,
    period: ReturnPeriod,
) -> rusqlite::Result<Result<(), GstnError>> {
    let recipient = Recipient::new(conn, moment, gstin)?;
    let invalid =
        |why: &str| Ok(Err(GstnError::new("IMS2B007", format!("GSTR-2B cannot be generated: {why}"))));
    if recipient.may_have_statement(period)?.is_err() || !moment.rules.has_invoice_management(period) {
        return invalid("the return period is not valid for it");
    }
    if recipient.closed_on(period)?.is_some() {
        return invalid("GSTR-3B of the return period is filed");
    }
    if !recipient.previous_return_is_filed(period, None)? {
        return Ok(Err(refusal(NoStatement::PreviousReturnMissing)));
    }
    match recipient.made(period)? {
        Some(made) if !is_outdated(&recipient, period, &made)? => {
            let message = "No action was taken in IMS after GSTR-2B was generated last";
            Ok(Err(GstnError::new("IMS2005", message)))
        }
        _ => Ok(Ok(())),
    }
}

/// Whether something was done, after a statement of `period` was made, that may count in it.
fn is_outdated(recipient: &Recipient<'_>, period: ReturnPeriod, made: &Made) -> rusqlite::Result<bool> {
    let (conn, gstin) = (recipient.conn, &recipient.gstin);
    if actions::acted_on_imports(conn, gstin, made.last_action)? {
        return Ok(true);
    }
    for id in actions::documents_since(conn, gstin, made.last_action)? {
        let first = record::find(recipient, &id)?.and_then(|record| record.first);
        if first.is_some_and(|first| first <= period) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Makes the statement of `period` as of now.
pub(crate) fn make_again(
    tx: &Transaction<'_>,
    moment: &Moment,
    gstin: &Gstin,
    period: ReturnPeriod,
) -> rusqlite::Result<Result<(), GstnError>> {
    if let Err(error) = precheck_make_again(tx, moment, gstin, period)? {
        return Ok(Err(error));
    }
    let recipient = Recipient::new(tx, moment, gstin)?;
    let last_action = actions::last_before(tx, gstin, jiff::Timestamp::MAX)?;
    let made = Made { at: moment.now, last_action };
    store::keep(tx, gstin, period, &make(&recipient, period, &made)?)?;
    Ok(Ok(()))
}

pub(super) fn summary(
    conn: &Connection,
    moment: &Moment,
    gstin: &Gstin,
    period: ReturnPeriod,
) -> rusqlite::Result<Option<ItcSummary>> {
    if let Some(head) = store::head(conn, gstin, period)? {
        return Ok(Some(ItcSummary { generated_on: ist_date(head.made_at), itcsumm: head.itcsumm }));
    }
    let recipient = Recipient::new(conn, moment, gstin)?;
    let Ok(made) = due(&recipient, period)? else { return Ok(None) };
    let statement = make(&recipient, period, &made)?;
    Ok(Some(ItcSummary { generated_on: ist_date(made.at), itcsumm: statement.itcsumm }))
}

pub(super) fn needs_recompute(
    conn: &Connection,
    moment: &Moment,
    gstin: &Gstin,
    period: ReturnPeriod,
) -> rusqlite::Result<bool> {
    let recipient = Recipient::new(conn, moment, gstin)?;
    let Ok(made) = due(&recipient, period)? else { return Ok(false) };
    is_outdated(&recipient, period, &made)
}
