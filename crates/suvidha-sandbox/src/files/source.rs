//! Where the documents of a list come from. A form whose lists may be large has an arm here.
//!
//! A GSTR-1 is read a stretch at a time. A GSTR-2A and the records of IMS are computed as a whole, and cut.

use gstn::ReturnPeriod;
use rusqlite::Connection;
use serde_json::Value;

use super::cut::cut;
use super::store::{Asked, ListOf};
use crate::fault::Fault;
use crate::forms::Form;
use crate::gstr1::{self, SectionPlace, SectionQuery};
use crate::inward::{ims, twoa};
use crate::inward_api;
use crate::payload;
use crate::simulator::Simulator;
use crate::taxpayers::Taxpayer;

/// Some documents of a list, in the shape of the whole.
pub(super) struct Stretch {
    /// None when there is no document.
    pub(super) list: Option<Value>,
    pub(super) documents: usize,
    /// Where the next stretch begins; none after the last.
    pub(super) next: Option<Place>,
}

/// A place in a list, between two documents.
#[derive(Debug, Clone)]
pub(super) enum Place {
    Section(SectionPlace),
    /// After so many documents.
    After(usize),
}

/// At most `most` documents of a list, from `from` on.
pub(super) fn read(
    conn: &Connection,
    simulator: &Simulator,
    taxpayer: &Taxpayer,
    asked: &Asked,
    from: Option<&Place>,
    most: usize,
) -> Result<Stretch, Fault> {
    match asked.of {
        ListOf::Gstr1 => gstr1(conn, simulator, taxpayer, Form::Gstr1, asked, from, most),
        ListOf::Gstr1a => gstr1(conn, simulator, taxpayer, Form::Gstr1a, asked, from, most),
        ListOf::Gstr2a => Ok(cut_off(gstr2a(conn, simulator, taxpayer, asked)?, from, most)),
        ListOf::Ims => {
            let (section, status) = (asked.filter("section"), asked.filter("status"));
            let list = ims::invoices(conn, &simulator.moment(), &taxpayer.gstin, section, status)??;
            Ok(cut_off(list, from, most))
        }
    }
}

fn gstr1(
    conn: &Connection,
    simulator: &Simulator,
    taxpayer: &Taxpayer,
    form: Form,
    asked: &Asked,
    from: Option<&Place>,
    most: usize,
) -> Result<Stretch, Fault> {
    let subject = simulator.subject(taxpayer, form, period(asked)?);
    let query = section_query(asked);
    let from = match from {
        Some(Place::Section(place)) => Some(place),
        _ => None,
    };
    let found = gstr1::stretch(conn, &subject, &asked.action, &query, from, most)?;
    Ok(Stretch { list: found.section, documents: found.rows, next: found.next.map(Place::Section) })
}

fn gstr2a(
    conn: &Connection,
    simulator: &Simulator,
    taxpayer: &Taxpayer,
    asked: &Asked,
) -> Result<Option<Value>, Fault> {
    let since = asked.filter("from_time").map(inward_api::read_day).transpose()?;
    let shows_saved = simulator.config.twoa_shows_saved;
    let query = twoa::Query { ctin: asked.filter("ctin"), since, shows_saved };
    Ok(twoa::section(conn, &taxpayer.gstin, period(asked)?, &asked.action, &query)?)
}

/// The documents of a whole list from `from` on.
fn cut_off(list: Option<Value>, from: Option<&Place>, most: usize) -> Stretch {
    let skip = match from {
        Some(Place::After(documents)) => *documents,
        _ => 0,
    };
    let piece = list.map(|list| cut(list, skip, most)).unwrap_or_default();
    let next = piece.is_followed.then_some(Place::After(skip + piece.documents));
    Stretch { list: piece.list, documents: piece.documents, next }
}

fn period(asked: &Asked) -> Result<ReturnPeriod, Fault> {
    asked.period.ok_or_else(payload::invalid_period)
}

fn section_query(asked: &Asked) -> SectionQuery<'_> {
    let of = |name: &str| asked.filter(name);
    SectionQuery {
        ctin: of("ctin"),
        state_cd: of("state_cd"),
        from_time: of("from_time"),
        action_required: of("action_required"),
        sub_section: of("sub-section").or_else(|| of("sub_section")),
        rtin: of("rtin"),
    }
}
