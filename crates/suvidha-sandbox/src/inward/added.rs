//! What recipients' rejections add to their supplier's liability (FAQ on IMS of 19.06.25).
//!
//! A rejected credit note takes nothing from the recipient's credit, so it may not take anything from the supplier's
//! liability either; the same holds for its upward amendment, and for the downward amendment of an invoice or debit
//! note that was accepted. What the supplier had deducted is added in the GSTR-3B of the period after the recipient's
//! statement, or of the next one that was not filed when that statement was made. If the supplier reports the credit
//! note once more, as an amendment, and the recipient accepts that, the addition is taken back in the same way.

use gstn::{Gstin, ReturnPeriod};
use rusqlite::Connection;

use super::Moment;
use super::ims::actions::{self, Action};
use super::ims::record::{self, Record, Specified};
use super::recipient::{Made, Recipient};
use crate::amounts::Amount;
use crate::calendar::quarter_of;
use crate::clock::ist_date;
use crate::filed;
use crate::forms::{Form, Frequency};
use crate::gstr1::outward::{self, Document, Taxes};
use crate::preferences;

/// What one rejection adds to the supplier's liability.
#[derive(Debug, Clone)]
#[allow(dead_code, reason = "GSTR-3B is to ask")]
pub(crate) struct AddedBack {
    /// The supplier's form that has the document.
    pub(crate) form: Form,
    /// `cdnr`, `cdnra`, `b2ba` or `ecoma`.
    pub(crate) section: String,
    /// Who rejected it.
    pub(crate) ctin: Gstin,
    pub(crate) number: String,
    /// `dd-mm-yyyy`
    pub(crate) date: String,
    /// The period of the supplier's return.
    pub(crate) supply_period: ReturnPeriod,
    /// Paise, as the others; negative where an addition is taken back.
    pub(crate) igst: i64,
    pub(crate) cgst: i64,
    pub(crate) sgst: i64,
    pub(crate) cess: i64,
    pub(crate) remarks: Option<String>,
    /// The document itself.
    pub(crate) document: Document,
}

/// What is added to `supplier`'s liability in the GSTR-3B of `period`, a quarterly one by its last month.
pub(crate) fn added_back(
    conn: &Connection,
    moment: &Moment,
    supplier: &Gstin,
    period: ReturnPeriod,
) -> rusqlite::Result<Vec<AddedBack>> {
    let mut found = Vec::new();
    for (gstin, id) in actions::ever_rejected(conn, supplier)? {
        let recipient = Recipient::new(conn, moment, &gstin)?;
        let Some(record) = record::find(&recipient, &id)? else { continue };
        let Some((made, month)) = rejection(&recipient, &record)? else { continue };
        let taxes = record::taken_away(&record);
        if taken_up_in(conn, supplier, month, &made)? == Some(period) {
            found.push(addition(&record, &made, &gstin, taxes));
        }
        found.extend(taken_back(&recipient, supplier, period, &record)?);
    }
    Ok(found)
}

/// The statement by which the recipient rejected a document of those whose rejection adds.
fn rejection(recipient: &Recipient<'_>, record: &Record) -> rusqlite::Result<Option<(Made, ReturnPeriod)>> {
    if record.kind != Specified::AddsBack {
        return Ok(None);
    }
    Ok(outcome(recipient, record)?
        .filter(|(action, ..)| *action == Action::Rejected)
        .map(|(_, made, month)| (made, month)))
}

/// The statement into which a document went, and how; none as long as it went into none.
fn outcome(
    recipient: &Recipient<'_>,
    record: &Record,
) -> rusqlite::Result<Option<(Action, Made, ReturnPeriod)>> {
    let Some(mut month) = record.first else { return Ok(None) };
    loop {
        let Some(made) = recipient.made(month)?.filter(|made| made.at <= recipient.moment.now) else {
            return Ok(None);
        };
        let action = record.action_in(&made);
        if action != Action::Pending {
            return Ok(Some((action, made, month)));
        }
        let Some(next) = recipient.next(month)? else { return Ok(None) };
        month = next;
    }
}

/// The return of the supplier that takes up what a statement of `month` brought.
fn taken_up_in(
    conn: &Connection,
    supplier: &Gstin,
    month: ReturnPeriod,
    made: &Made,
) -> rusqlite::Result<Option<ReturnPeriod>> {
    let made_on = ist_date(made.at);
    let mut month = month.next();
    while let Some(candidate) = month {
        let period = match preferences::frequency(conn, supplier, candidate)? {
            Frequency::Monthly => candidate,
            Frequency::Quarterly => quarter_of(candidate)[2],
        };
        match filed::find(conn, supplier, Form::Gstr3b, period)? {
            Some(filed) if filed.on < made_on => month = period.next(),
            _ => return Ok(Some(period)),
        }
    }
    Ok(None)
}

fn addition(record: &Record, made: &Made, recipient: &Gstin, taxes: Taxes) -> AddedBack {
    let document = &record.document;
    let paise = |amount: Amount| i64::try_from(amount.hundredths()).unwrap_or_default();
    let entry = record.history.entry_upto(made.last_action);
    AddedBack {
        form: document.id.form,
        section: document.id.section.clone(),
        ctin: *recipient,
        number: document.number().to_owned(),
        date: document.date().to_owned(),
        supply_period: document.id.period,
        igst: paise(taxes.igst),
        cgst: paise(taxes.cgst),
        sgst: paise(taxes.sgst),
        cess: paise(taxes.cess),
        remarks: entry.and_then(|entry| entry.remarks.clone()),
        document: document.clone(),
    }
}

/// A rejected credit note that was reported once more, and accepted then.
fn taken_back(
    recipient: &Recipient<'_>,
    supplier: &Gstin,
    period: ReturnPeriod,
    rejected: &Record,
) -> rusqlite::Result<Option<AddedBack>> {
    if !rejected.document.is_credit_note() || rejected.document.is_amendment() {
        return Ok(None);
    }
    let Some(amendment) = outward::amendments_of(recipient.conn, &rejected.document)?.into_iter().next()
    else {
        return Ok(None);
    };
    let Some(record) = record::find(recipient, &amendment.id)? else { return Ok(None) };
    let Some((action, made, month)) = outcome(recipient, &record)? else { return Ok(None) };
    if action == Action::Rejected || taken_up_in(recipient.conn, supplier, month, &made)? != Some(period) {
        return Ok(None);
    }
    let taxes = Taxes::default().minus(record::taken_away(rejected));
    Ok(Some(addition(&record, &made, &recipient.gstin, taxes)))
}
