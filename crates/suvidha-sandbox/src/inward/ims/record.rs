//! A document as a record of IMS: which table it stands in, and what may be done to it.

use gstn::ReturnPeriod;
use jiff::civil::Date;

use super::actions::{self, Action, Histories, History, Reduction};
use crate::clock::ist_date;
use crate::forms::{Form, Frequency};
use crate::gstr1::outward::{self, Document, Taxes};
use crate::inward::availability::{self, Availability};
use crate::inward::recipient::{Made, Place, Recipient};
use crate::inward::returns::InwardReturn;

/// The tables of IMS for documents of suppliers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Section {
    B2b,
    B2ba,
    DebitNote,
    DebitNoteAmended,
    CreditNote,
    CreditNoteAmended,
    Ecom,
    EcomAmended,
}

impl Section {
    pub(crate) const ALL: [Self; 8] = [
        Self::B2b,
        Self::B2ba,
        Self::DebitNote,
        Self::DebitNoteAmended,
        Self::CreditNote,
        Self::CreditNoteAmended,
        Self::Ecom,
        Self::EcomAmended,
    ];

    /// The key in requests and answers.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::B2b => "b2b",
            Self::B2ba => "b2ba",
            Self::DebitNote => "b2bdn",
            Self::DebitNoteAmended => "b2bdna",
            Self::CreditNote => "b2bcn",
            Self::CreditNoteAmended => "b2bcna",
            Self::Ecom => "ecom",
            Self::EcomAmended => "ecoma",
        }
    }

    /// None for what is not a supply between registered persons.
    pub(crate) fn of(document: &Document) -> Option<Self> {
        Some(match (document.id.section.as_str(), document.is_credit_note()) {
            ("b2b", _) => Self::B2b,
            ("b2ba", _) => Self::B2ba,
            ("cdnr", false) => Self::DebitNote,
            ("cdnra", false) => Self::DebitNoteAmended,
            ("cdnr", true) => Self::CreditNote,
            ("cdnra", true) => Self::CreditNoteAmended,
            ("ecom", _) => Self::Ecom,
            ("ecoma", _) => Self::EcomAmended,
            _ => return None,
        })
    }

    pub(crate) const fn is_note(self) -> bool {
        matches!(self, Self::DebitNote | Self::DebitNoteAmended | Self::CreditNote | Self::CreditNoteAmended)
    }

    pub(crate) const fn is_amended(self) -> bool {
        matches!(self, Self::B2ba | Self::DebitNoteAmended | Self::CreditNoteAmended | Self::EcomAmended)
    }

    /// Whether a reduction of credit can be declared with an acceptance.
    pub(crate) const fn takes_reduction(self) -> bool {
        matches!(self, Self::B2ba | Self::DebitNoteAmended | Self::CreditNote | Self::CreditNoteAmended)
    }
}

/// A document, where it stands, and what was done to it.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) document: Document,
    pub(crate) section: Section,
    pub(crate) history: History,
    pub(crate) filed: Option<InwardReturn>,
    /// The statement in which it stood first; none as long as its return is not filed.
    pub(crate) first: Option<ReturnPeriod>,
    pub(super) source: &'static str,
    pub(crate) kind: Specified,
    /// The last day on which it may be pending; none when there is no such day.
    pub(super) waits_until: Option<Date>,
}

/// Whether less credit follows from a document: then it may not be pending as one likes, and its rejection adds to
/// the supplier's liability (FAQ on IMS of 23.09.24).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Specified {
    /// It is none of those.
    No,
    /// A credit note, its upward amendment, or the downward amendment of an accepted invoice or debit note.
    AddsBack,
    /// The downward amendment of a rejected credit note.
    Other,
}

impl Record {
    /// The record of a document that belongs into IMS; none for what does not: supplies under reverse charge, what
    /// gives no credit, and the statements of the time before IMS.
    pub(crate) fn of(
        recipient: &Recipient<'_>,
        document: Document,
        filed: Option<InwardReturn>,
        histories: &Histories,
    ) -> rusqlite::Result<Option<Self>> {
        let Some(section) = Section::of(&document) else { return Ok(None) };
        let rules = &recipient.moment.rules;
        let filed_on = filed.map(|filed| filed.filed_on);
        let available = availability::of(rules, &recipient.gstin, &document, filed_on);
        if document.text("rchrg") == "Y" || available != Availability::Available {
            return Ok(None);
        }
        let first = match filed {
            Some(filed) => {
                let month = recipient.month_of(&filed)?;
                if !rules.has_invoice_management(month) {
                    return Ok(None);
                }
                Some(recipient.statement_month(month)?)
            }
            None if !rules.has_invoice_management(document.id.period) => return Ok(None),
            None => None,
        };
        let kind = specified(recipient, &document)?;
        let may_wait = rules.notes_may_be_pending(document.id.period);
        let waits_until = match (kind, first) {
            (Specified::No, _) => None,
            (_, _) if !may_wait => Some(Date::MIN),
            (_, Some(first)) => Some(recipient.last_day_to_wait(first)?),
            (_, None) => None,
        };
        let source = source_form(recipient, &document)?;
        let history = histories.of(&document);
        Ok(Some(Self { document, section, history, filed, first, source, kind, waits_until }))
    }

    /// Whether it may be pending on `day`.
    pub(crate) fn may_wait(&self, day: Date) -> bool {
        self.waits_until.is_none_or(|last| day <= last)
    }

    /// Whether IMS takes a reduction of credit and remarks with actions on it.
    pub(crate) fn takes_reduction(&self, recipient: &Recipient<'_>) -> bool {
        self.section.takes_reduction()
            && self.kind != Specified::No
            && recipient.moment.rules.notes_may_be_pending(self.document.id.period)
    }

    /// Where it stands; none as long as the supplier has not filed.
    pub(crate) fn place(&self, recipient: &Recipient<'_>) -> rusqlite::Result<Option<Place>> {
        let Some(first) = self.first else { return Ok(None) };
        recipient.place_of(first, &self.history, |day| self.may_wait(day)).map(Some)
    }

    /// The action that counts in a statement: what was not acted on is accepted, and so is what may wait no longer.
    pub(crate) fn action_in(&self, made: &Made) -> Action {
        match self.history.action_upto(made.last_action) {
            Action::Pending if !self.may_wait(ist_date(made.at)) => Action::Accepted,
            action => action,
        }
    }

    /// The reduction of credit declared by the time a statement was made.
    pub(crate) fn reduction_in(&self, made: &Made) -> Option<Reduction> {
        let entry = self.history.entry_upto(made.last_action)?;
        entry.reduction.filter(|_| entry.action == Action::Accepted)
    }
}

/// `srcform`: a quarterly supplier's first and second month is the IFF.
fn source_form(recipient: &Recipient<'_>, document: &Document) -> rusqlite::Result<&'static str> {
    let id = &document.id;
    let is_iff = !crate::calendar::ends_quarter(id.period)
        && recipient.frequency_of(&id.supplier, id.period)? == Frequency::Quarterly;
    Ok(actions::source_form(id.form, is_iff))
}

fn specified(recipient: &Recipient<'_>, document: &Document) -> rusqlite::Result<Specified> {
    if !document.is_amendment() {
        return Ok(if document.is_credit_note() { Specified::AddsBack } else { Specified::No });
    }
    let change = change_of(document);
    let original = outward::original_of(recipient.conn, document)?;
    let settled = match &original {
        Some(original) => settled_as(recipient, original)?,
        None => Some(Action::Accepted),
    };
    Ok(match (document.is_credit_note(), change, settled) {
        (true, std::cmp::Ordering::Greater, _) => Specified::AddsBack,
        (true, std::cmp::Ordering::Less, Some(Action::Rejected)) => Specified::Other,
        (false, std::cmp::Ordering::Less, Some(Action::Accepted)) => Specified::AddsBack,
        _ => Specified::No,
    })
}

/// Whether an amendment takes the tax up or down.
fn change_of(document: &Document) -> std::cmp::Ordering {
    let before = document.original.unwrap_or_default();
    document.taxes().tax().cmp(&before.tax())
}

/// How a document went into a statement whose GSTR-3B is filed; none as long as it did not.
pub(crate) fn settled_as(recipient: &Recipient<'_>, document: &Document) -> rusqlite::Result<Option<Action>> {
    let filed =
        crate::filed::find(recipient.conn, &document.id.supplier, document.id.form, document.id.period)?;
    let Some(filed) = filed else { return Ok(None) };
    let filed = InwardReturn {
        supplier: document.id.supplier,
        form: document.id.form,
        period: document.id.period,
        filed_on: filed.on,
    };
    let month = recipient.statement_month(recipient.month_of(&filed)?)?;
    let history = actions::of_document(recipient.conn, &recipient.gstin, document)?;
    let Place::Closed(period) = recipient.place_of(month, &history, |_| true)? else { return Ok(None) };
    let action = match recipient.made(period)? {
        Some(made) => history.action_upto(made.last_action),
        None => history.action(),
    };
    Ok(Some(if action == Action::Rejected { Action::Rejected } else { Action::Accepted }))
}

/// Every record that stands in IMS now, by supplier.
pub(crate) fn standing(recipient: &Recipient<'_>) -> rusqlite::Result<Vec<Record>> {
    let mut records = Vec::new();
    for (supplier, form, period) in crate::inward::returns::not_filed(recipient.conn, &recipient.gstin)? {
        let found = of_return(recipient, supplier, form, period, None)?;
        records.extend(found);
    }
    for filed in open_returns(recipient)? {
        for record in of_return(recipient, filed.supplier, filed.form, filed.period, Some(filed))? {
            if matches!(record.place(recipient)?, Some(Place::Open(_))) {
                records.push(record);
            }
        }
    }
    records.extend(still_pending(recipient)?);
    records.sort_by(|a, b| (a.section, &a.document.id).cmp(&(b.section, &b.document.id)));
    records.dedup_by(|a, b| a.document.id == b.document.id);
    Ok(records)
}

/// The records of one return, whether they stand in IMS still or not.
pub(super) fn of_return(
    recipient: &Recipient<'_>,
    supplier: gstn::Gstin,
    form: Form,
    period: ReturnPeriod,
    filed: Option<InwardReturn>,
) -> rusqlite::Result<Vec<Record>> {
    let (conn, gstin) = (recipient.conn, &recipient.gstin);
    let documents = outward::of_return(conn, gstin, &supplier, form, period)?;
    let histories = actions::of_return(conn, gstin, supplier.as_str(), form.as_str(), period)?;
    let mut records = Vec::new();
    for document in documents {
        records.extend(Record::of(recipient, document, filed, &histories)?);
    }
    Ok(records)
}

/// The returns filed since the last statement whose GSTR-3B is filed, and those of the one before, which may hold
/// what came too late for it.
fn open_returns(recipient: &Recipient<'_>) -> rusqlite::Result<Vec<InwardReturn>> {
    let filed = crate::filed::of(recipient.conn, &recipient.gstin)?;
    let last = filed.iter().filter(|filed| filed.form == Form::Gstr3b).map(|filed| filed.period).max();
    let first = last.map_or(Date::MIN, crate::calendar::first_day);
    crate::inward::returns::filed_between(recipient.conn, &recipient.gstin, first, Date::MAX)
}

/// What is older than that and was kept pending.
fn still_pending(recipient: &Recipient<'_>) -> rusqlite::Result<Vec<Record>> {
    let mut records = Vec::new();
    for id in actions::ever_pending(recipient.conn, &recipient.gstin)? {
        if let Some(record) = find(recipient, &id)?
            && matches!(record.place(recipient)?, Some(Place::Open(_)))
        {
            records.push(record);
        }
    }
    Ok(records)
}

/// The record of this name, whether it stands in IMS still or not.
pub(crate) fn find(
    recipient: &Recipient<'_>,
    id: &crate::gstr1::outward::DocumentId,
) -> rusqlite::Result<Option<Record>> {
    let Some(document) = outward::find(recipient.conn, id)? else { return Ok(None) };
    if document.recipient != recipient.gstin.as_str() {
        return Ok(None);
    }
    let filed = crate::filed::find(recipient.conn, &id.supplier, id.form, id.period)?.map(|filed| {
        InwardReturn { supplier: id.supplier, form: id.form, period: id.period, filed_on: filed.on }
    });
    let histories = actions::of_return(
        recipient.conn,
        &recipient.gstin,
        id.supplier.as_str(),
        id.form.as_str(),
        id.period,
    )?;
    Record::of(recipient, document, filed, &histories)
}

/// The taxes by which a rejected document or its amendment changes what the supplier owes.
pub(crate) fn taken_away(record: &Record) -> Taxes {
    let now = record.document.taxes();
    match (record.document.original, record.document.is_credit_note()) {
        (None, _) => now,
        (Some(before), true) => now.minus(before),
        (Some(before), false) => before.minus(now),
    }
}
