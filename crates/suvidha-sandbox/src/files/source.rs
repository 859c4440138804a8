//! Where the documents of a list come from. A form whose lists may be large has an arm here.

use std::collections::BTreeMap;

use gstn::ReturnPeriod;
use rusqlite::Connection;
use serde_json::Value;

use super::store::{Asked, ListOf};
use crate::fault::Fault;
use crate::forms::Form;
use crate::gstr1::{self, SectionPlace as Place, SectionQuery};
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

/// At most `most` documents of a list, from `from` on.
pub(super) fn read(
    conn: &Connection,
    simulator: &Simulator,
    taxpayer: &Taxpayer,
    asked: &Asked,
    from: Option<&Place>,
    most: usize,
) -> Result<Stretch, Fault> {
    match (asked.of, asked.period) {
        (ListOf::Gstr1, Some(period)) => {
            gstr1(conn, simulator, taxpayer, (Form::Gstr1, period), asked, from, most)
        }
        (ListOf::Gstr1a, Some(period)) => {
            gstr1(conn, simulator, taxpayer, (Form::Gstr1a, period), asked, from, most)
        }
        (ListOf::Gstr1 | ListOf::Gstr1a, None) => Err(Fault::internal()),
    }
}

fn gstr1(
    conn: &Connection,
    simulator: &Simulator,
    taxpayer: &Taxpayer,
    (form, period): (Form, ReturnPeriod),
    asked: &Asked,
    from: Option<&Place>,
    most: usize,
) -> Result<Stretch, Fault> {
    let subject = simulator.subject(taxpayer, form, period);
    let query = section_query(&asked.filters);
    let found = gstr1::stretch(conn, &subject, &asked.action, &query, from, most)?;
    Ok(Stretch { list: found.section, documents: found.rows, next: found.next })
}

fn section_query(filters: &BTreeMap<String, String>) -> SectionQuery<'_> {
    let of = |name: &str| filters.get(name).map(String::as_str);
    SectionQuery {
        ctin: of("ctin"),
        state_cd: of("state_cd"),
        from_time: of("from_time"),
        action_required: of("action_required"),
        sub_section: of("sub-section").or_else(|| of("sub_section")),
        rtin: of("rtin"),
    }
}
