//! The documents of a statement: which belong to it, and what each counts.

use std::collections::{BTreeMap, BTreeSet};

use gstn::ReturnPeriod;
use jiff::ToSpan;
use serde_json::{Map, Value, json};

use crate::amounts::Amount;
use crate::clock::dashed;
use crate::gstr1::outward::{self, Document, DocumentId, Taxes};
use crate::inward::availability::{self, Availability};
use crate::inward::cut_off;
use crate::inward::ims::actions::{self, Action, Reduction};
use crate::inward::ims::record::{self, Record};
use crate::inward::recipient::{Made, Recipient};
use crate::inward::returns::InwardReturn;
use crate::inward::seeds::{self, Seed};

/// A document of a statement.
#[derive(Debug, Clone)]
pub(super) struct Line {
    /// The key in `docdata`.
    pub(super) section: &'static str,
    /// What it shares with others of its supplier and return.
    pub(super) head: Map<String, Value>,
    /// Its own fields, those of every version.
    pub(super) body: Map<String, Value>,
    /// What it amounts to, never negative.
    pub(super) taxes: Taxes,
    /// What it counts in the summary: for an amendment the change that it makes.
    pub(super) counts: Taxes,
    /// Where it counts: a group of `itcsumm`, and the key in it.
    pub(super) group: (&'static str, &'static str),
    /// `C` and `D` of notes, `ISDI` and `ISDC` of distributed credit.
    pub(super) kind: Option<String>,
    pub(super) available: bool,
    pub(super) rejected: bool,
}

/// A document that may be in the statement.
struct Candidate {
    document: Document,
    filed: InwardReturn,
    record: Option<Record>,
    action: Action,
}

/// What an amendment is measured against.
enum Basis {
    /// The original counted in an earlier statement: the change counts.
    Change,
    /// The original does not count: the amendment does, whole.
    Whole,
    /// The original is in this statement too, and gives way.
    InsteadOf(DocumentId),
    /// The original is pending still: the amendment waits with it.
    Waits,
}

/// Everything in the statement of `period`, the documents that count before those rejected, in the order of sections.
pub(super) fn collect(
    recipient: &Recipient<'_>,
    period: ReturnPeriod,
    made: &Made,
) -> rusqlite::Result<Vec<Line>> {
    let mut candidates = of_window(recipient, period, made)?;
    candidates.extend(waiting(recipient, period, made)?);
    let actions: BTreeMap<DocumentId, Action> =
        candidates.iter().map(|candidate| (candidate.document.id.clone(), candidate.action)).collect();
    let mut gone = BTreeSet::new();
    let mut lines = Vec::new();
    for candidate in &candidates {
        let basis = basis_of(recipient, period, candidate, &actions)?;
        match &basis {
            Basis::Waits => continue,
            Basis::InsteadOf(original) => drop(gone.insert(original.clone())),
            _ => {}
        }
        lines.push((candidate.document.id.clone(), line_of(recipient, candidate, &basis, made)?));
    }
    lines.retain(|(id, _)| !gone.contains(id));
    let mut lines: Vec<Line> = lines.into_iter().map(|(_, line)| line).collect();
    lines.extend(seeded(recipient, period, made)?);
    lines.sort_by_key(|line| (line.rejected, section_rank(line.section)));
    Ok(lines)
}

const SECTIONS: [&str; 10] =
    ["b2b", "b2ba", "cdnr", "cdnra", "isd", "isda", "impg", "impgsez", "ecom", "ecoma"];

fn section_rank(section: &str) -> usize {
    SECTIONS.iter().position(|known| *known == section).unwrap_or(SECTIONS.len())
}

/// What was filed in the statement's window and is not pending.
fn of_window(
    recipient: &Recipient<'_>,
    period: ReturnPeriod,
    made: &Made,
) -> rusqlite::Result<Vec<Candidate>> {
    let (conn, gstin) = (recipient.conn, &recipient.gstin);
    let mut candidates = Vec::new();
    for filed in cut_off::returns_of(conn, gstin, &recipient.months(period)?)? {
        let documents = outward::of_return(conn, gstin, &filed.supplier, filed.form, filed.period)?;
        let histories =
            actions::of_return(conn, gstin, filed.supplier.as_str(), filed.form.as_str(), filed.period)?;
        for document in documents {
            let record = Record::of(recipient, document.clone(), Some(filed), &histories)?;
            candidates.extend(candidate(document, filed, record, made));
        }
    }
    Ok(candidates)
}

fn candidate(
    document: Document,
    filed: InwardReturn,
    record: Option<Record>,
    made: &Made,
) -> Option<Candidate> {
    let action = record.as_ref().map_or(Action::None, |record| record.action_in(made));
    (action != Action::Pending).then_some(Candidate { document, filed, record, action })
}

/// What was pending in every statement from its first to the last before this one, and is not any more.
fn waiting(recipient: &Recipient<'_>, period: ReturnPeriod, made: &Made) -> rusqlite::Result<Vec<Candidate>> {
    let mut candidates = Vec::new();
    for id in actions::ever_pending(recipient.conn, &recipient.gstin)? {
        let Some(record) = record::find(recipient, &id)? else { continue };
        let (Some(first), Some(filed)) = (record.first, record.filed) else { continue };
        if first < period && counted_before(recipient, &record, first, period)?.is_none() {
            candidates.extend(candidate(record.document.clone(), filed, Some(record), made));
        }
    }
    Ok(candidates)
}

/// How a document went into a statement from `first` on and before `period`; none if it was pending in all of them.
fn counted_before(
    recipient: &Recipient<'_>,
    record: &Record,
    first: ReturnPeriod,
    period: ReturnPeriod,
) -> rusqlite::Result<Option<Action>> {
    let mut month = first;
    while month < period {
        let action = record.action_in(&recipient.made_or_due(month)?);
        if action != Action::Pending {
            return Ok(Some(action));
        }
        let Some(next) = recipient.next(month)? else { break };
        month = next;
    }
    Ok(None)
}

fn basis_of(
    recipient: &Recipient<'_>,
    period: ReturnPeriod,
    candidate: &Candidate,
    actions: &BTreeMap<DocumentId, Action>,
) -> rusqlite::Result<Basis> {
    if !candidate.document.is_amendment() {
        return Ok(Basis::Whole);
    }
    let Some(original) = outward::original_of(recipient.conn, &candidate.document)? else {
        return Ok(Basis::Change);
    };
    let rejects = candidate.action == Action::Rejected;
    match actions.get(&original.id) {
        Some(Action::Rejected) => return Ok(Basis::Whole),
        Some(_) if rejects => return Ok(Basis::Change),
        Some(_) => return Ok(Basis::InsteadOf(original.id)),
        None => {}
    }
    let Some(record) = record::find(recipient, &original.id)? else { return Ok(Basis::Change) };
    let Some(first) = record.first else { return Ok(Basis::Change) };
    Ok(match counted_before(recipient, &record, first, period)? {
        Some(Action::Rejected) => Basis::Whole,
        Some(_) => Basis::Change,
        None if rejects => Basis::Change,
        None => Basis::Waits,
    })
}

fn line_of(
    recipient: &Recipient<'_>,
    candidate: &Candidate,
    basis: &Basis,
    made: &Made,
) -> rusqlite::Result<Line> {
    let Candidate { document, filed, record, action } = candidate;
    let availability =
        availability::of(&recipient.moment.rules, &recipient.gstin, document, Some(filed.filed_on));
    let taxes = document.taxes();
    let mut counts = match (basis, document.original) {
        (Basis::Change, Some(before)) => taxes.minus(before),
        _ => taxes,
    };
    if let Some(record) = record.as_ref().filter(|record| record.takes_reduction(recipient)) {
        counts = reduced(counts, record, made);
    }
    let head = json!({
        "ctin": filed.supplier.as_str(), "trdnm": recipient.name_of(&filed.supplier)?,
        "supfildt": dashed(filed.filed_on), "supprd": filed.period.to_string(),
    });
    let section = SECTIONS.into_iter().find(|section| *section == document.id.section).unwrap_or("b2b");
    Ok(Line {
        section,
        head: object(head),
        body: body_of(document, availability, record.as_ref().map(|_| *action)),
        taxes,
        counts,
        group: group_of(section, document),
        kind: document.is_note().then(|| document.text("ntty").to_owned()),
        available: availability == Availability::Available,
        rejected: *action == Action::Rejected,
    })
}

/// What a document counts after the reduction that the recipient declared with its acceptance.
fn reduced(counts: Taxes, record: &Record, made: &Made) -> Taxes {
    match record.reduction_in(made) {
        None | Some(Reduction::Full) => counts,
        Some(Reduction::Nothing) => Taxes { taxable: counts.taxable, ..Taxes::default() },
        Some(Reduction::Part(part)) if record.document.is_credit_note() => {
            Taxes { taxable: counts.taxable, ..part }
        }
        Some(Reduction::Part(part)) => Taxes { taxable: counts.taxable, ..Taxes::default().minus(part) },
    }
}

fn group_of(section: &'static str, document: &Document) -> (&'static str, &'static str) {
    match (document.is_credit_note(), document.text("rchrg") == "Y") {
        (true, false) => ("othersup", section),
        (true, true) if section == "cdnr" => ("othersup", "cdnrrev"),
        (true, true) => ("othersup", "cdnrarev"),
        (false, true) if !section.starts_with("ecom") => ("revsup", section),
        (false, _) => ("nonrevsup", section),
    }
}

/// The row with the fields of every version: `items` belong to those before 4, the sums and `imsStatus` to 4.
fn body_of(document: &Document, availability: Availability, action: Option<Action>) -> Map<String, Value> {
    let mut body = Map::new();
    let mut put = |name: &str, value: Value| drop(body.insert(name.to_owned(), value));
    let note = document.is_note();
    if let Some((number, date)) = document.original_name() {
        put(if note { "ontnum" } else { "oinum" }, number.into());
        put(if note { "ontdt" } else { "oidt" }, date.into());
        if note {
            put("onttyp", document.text("ntty").into());
        }
    }
    put(if note { "ntnum" } else { "inum" }, document.number().into());
    let supply = document.value("inv_typ").cloned().unwrap_or_else(|| "R".into());
    if note {
        put("typ", document.text("ntty").into());
        put("suptyp", supply);
    } else {
        put("typ", supply);
    }
    put("dt", document.date().into());
    put("val", document.value("val").map_or(Amount::ZERO, Amount::read).to_json());
    put("pos", document.text("pos").into());
    put("rev", if document.text("rchrg") == "Y" { "Y" } else { "N" }.into());
    put("itcavl", availability.itcavl().into());
    put("rsn", availability.reason().into());
    if !document.id.section.starts_with("ecom") {
        put("diffprcnt", document.value("diff_percent").cloned().unwrap_or_else(|| 1.into()));
    }
    for name in ["srctyp", "irn", "irngendate"] {
        if let Some(value) = document.value(name).filter(|_| !document.is_amendment()) {
            put(name, value.clone());
        }
    }
    if let Some(action) = action.filter(|action| *action != Action::Pending) {
        put("imsStatus", action.as_str().into());
    }
    put("items", items_of(document));
    write_taxes(&document.taxes(), &mut body);
    body
}

fn items_of(document: &Document) -> Value {
    let item = |(index, rated): (usize, outward::RatedTaxes)| {
        let mut item = object(json!({ "num": index + 1, "rt": rated.rate.to_json() }));
        write_taxes(&rated.taxes, &mut item);
        Value::Object(item)
    };
    document.rates().into_iter().enumerate().map(item).collect()
}

pub(super) fn write_taxes(taxes: &Taxes, object: &mut Map<String, Value>) {
    object.insert("txval".into(), taxes.taxable.to_json());
    write_heads(taxes, object);
}

pub(super) fn write_heads(taxes: &Taxes, object: &mut Map<String, Value>) {
    for (name, amount) in
        [("igst", taxes.igst), ("cgst", taxes.cgst), ("sgst", taxes.sgst), ("cess", taxes.cess)]
    {
        object.insert(name.into(), amount.to_json());
    }
}

/// What GSTR-6 and ICEGATE bring: by the day on which it arrived, in the window that closes last.
fn seeded(recipient: &Recipient<'_>, period: ReturnPeriod, made: &Made) -> rusqlite::Result<Vec<Line>> {
    let mut lines = Vec::new();
    for month in recipient.months(period)? {
        for seed in of_month(recipient, month)? {
            if import_action(recipient, &seed, made)? != Action::Pending {
                lines.push(seeded_line(&seed));
            }
        }
    }
    for seed in seeds::imports(recipient.conn, &recipient.gstin)? {
        lines.extend(waiting_import(recipient, &seed, period, made)?.map(|()| seeded_line(&seed)));
    }
    Ok(lines)
}

fn of_month(recipient: &Recipient<'_>, month: ReturnPeriod) -> rusqlite::Result<Vec<Seed>> {
    let (conn, state) = (recipient.conn, recipient.gstin.state());
    let before = cut_off::last_cut_off(conn, state, month.previous().unwrap_or(month))?;
    let last = cut_off::last_cut_off(conn, state, month)?;
    seeds::between(conn, &recipient.gstin, before.saturating_add(1.day()), last)
}

/// A bill of entry that was pending until this statement.
fn waiting_import(
    recipient: &Recipient<'_>,
    seed: &Seed,
    period: ReturnPeriod,
    made: &Made,
) -> rusqlite::Result<Option<()>> {
    let mut month = recipient.statement_month(seed_month(recipient, seed)?)?;
    if month >= period || import_action(recipient, seed, made)? == Action::Pending {
        return Ok(None);
    }
    while month < period {
        if import_action(recipient, seed, &recipient.made_or_due(month)?)? != Action::Pending {
            return Ok(None);
        }
        let Some(next) = recipient.next(month)? else { return Ok(None) };
        month = next;
    }
    Ok(Some(()))
}

/// The month into whose window a document of an office falls.
fn seed_month(recipient: &Recipient<'_>, seed: &Seed) -> rusqlite::Result<ReturnPeriod> {
    cut_off::month_of_arrival(recipient.conn, recipient.gstin.state(), seed.day, seed.period)
}

/// Imports are in IMS from October 2025 on, and may be pending there (advisory of 30.10.25).
fn import_action(recipient: &Recipient<'_>, seed: &Seed, made: &Made) -> rusqlite::Result<Action> {
    if !seed.is_import() || !recipient.moment.rules.notes_may_be_pending(seed.period) {
        return Ok(Action::None);
    }
    Ok(crate::inward::ims::imports::history(recipient, seed)?.action_upto(made.last_action))
}

fn seeded_line(seed: &Seed) -> Line {
    let of = |name: &str| seed.amount(name);
    let taxes = Taxes {
        taxable: of("txval"),
        igst: of("igst"),
        cgst: of("cgst"),
        sgst: of("sgst"),
        cess: of("cess"),
    };
    let (section, group) = match (seed.section.as_str(), seed.is_amended(), seed.text("doctyp") == "ISDC") {
        ("isd", _, false) => ("isd", ("isdsup", "isd")),
        ("isd", _, true) => ("isd", ("othersup", "isd")),
        ("isda", _, false) => ("isda", ("isdsup", "isda")),
        ("isda", _, true) => ("isda", ("othersup", "isda")),
        ("impg", false, _) => ("impg", ("imports", "impg")),
        ("impg", true, _) => ("impg", ("imports", "impga")),
        (_, false, _) => ("impgsez", ("imports", "impgsez")),
        (_, true, _) => ("impgsez", ("imports", "impgasez")),
    };
    let shared: &[&str] = match section {
        "impg" => &[],
        "impgsez" => &["ctin", "trdnm"],
        _ => &["ctin", "trdnm", "supprd", "supfildt"],
    };
    let mut body = seed.body.clone();
    let head =
        shared.iter().map(|name| ((*name).to_owned(), body.remove(*name).unwrap_or_else(|| "".into())));
    let head = head.collect();
    if seed.is_import() {
        body.insert("cess".into(), of("cess").to_json());
    } else {
        write_heads(&taxes, &mut body);
    }
    Line {
        section,
        head,
        body,
        taxes,
        counts: taxes,
        group,
        kind: (!seed.is_import()).then(|| seed.text("doctyp").to_owned()),
        available: seed.text("itcelg") != "N",
        rejected: false,
    }
}

pub(super) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}
