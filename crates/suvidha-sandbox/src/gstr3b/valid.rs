//! VALID: where a return differs from what the system drew for it.

use std::collections::BTreeMap;
use std::fmt;

use rusqlite::Connection;
use serde_json::{Map, Value, json};

use super::autoliab::{CREDIT_CELLS, Drawn};
use super::form::{INTER_STATE, Saved, Supply};
use super::{Taxable, statements};
use crate::gstr1::Fault;
use crate::gstr1::liability::Cell;
use crate::ledgers::money::{Head, Heads};

/// A cell whose fields differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Difference {
    /// `sup_details`, `eco_dtls`, `inter_sup` or `elgitc`.
    section: &'static str,
    cell: &'static str,
    pos: Option<String>,
    fields: Vec<&'static str>,
}

impl Difference {
    /// Whether the cell may not be edited.
    pub(super) fn is_locked(&self, taxable: &Taxable<'_>) -> bool {
        let (liability, states) = locked(taxable);
        match self.section {
            "sup_details" => liability && self.cell != "isup_3_1d",
            "eco_dtls" => liability,
            "inter_sup" => states,
            _ => false,
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pos = self.pos.as_deref().map(|pos| format!(" {pos}")).unwrap_or_default();
        write!(f, "{}{pos} {}", self.cell, self.fields.join("+"))
    }
}

/// Whether Tables 3.1 and 3.1.1, and Table 3.2, may not be edited.
pub(super) fn locked(taxable: &Taxable<'_>) -> (bool, bool) {
    let (rules, period) = (&taxable.rules, taxable.period);
    (rules.liability_is_locked(period), rules.inter_state_is_locked(period))
}

/// Every difference; a half that is not drawn is not compared.
pub(super) fn differences(saved: &Saved, drawn: &Drawn) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut note = |section, cell, pos: Option<String>, fields: Vec<&'static str>| {
        if !fields.is_empty() {
            found.push(Difference { section, cell, pos, fields });
        }
    };
    if drawn.has_liability() {
        for (section, cell, saved, of) in [
            ("sup_details", "osup_3_1a", saved.taxable, Cell::Taxable),
            ("sup_details", "osup_3_1b", saved.zero_rated, Cell::ZeroRated),
            ("sup_details", "osup_3_1c", saved.nil_or_exempt, Cell::NilOrExempt),
            ("sup_details", "osup_3_1e", saved.outside_gst, Cell::OutsideGst),
            ("eco_dtls", "eco_sup", saved.operator, Cell::Operator),
            ("eco_dtls", "eco_reg_sup", saved.through_operator, Cell::ThroughOperator),
        ] {
            note(section, cell, None, fields(saved, drawn.supply(of)));
        }
        for (kind, (_, cell)) in INTER_STATE.into_iter().enumerate() {
            let (saved, drawn) = (&saved.inter_state[kind], drawn.by_state(kind));
            let states: BTreeMap<&String, ()> =
                saved.keys().chain(drawn.keys()).map(|pos| (pos, ())).collect();
            for pos in states.into_keys() {
                let of = |states: &BTreeMap<String, Supply>| states.get(pos).copied().unwrap_or_default();
                note("inter_sup", cell, Some(pos.clone()), fields(of(saved), of(&drawn)));
            }
        }
    }
    if let Some(credit) = &drawn.credit {
        note("sup_details", "isup_3_1d", None, fields(saved.reverse_charge, credit.reverse_charge));
        for ((cell, kind), drawn) in CREDIT_CELLS.into_iter().zip(credit.available) {
            note("elgitc", cell, None, taxes(saved.available[kind], drawn.net()));
        }
        note("elgitc", "itc4b2", None, taxes(saved.reversed[1], credit.reversed));
        note("elgitc", "itc4d2", None, taxes(saved.other_details[1], credit.unavailable));
    }
    found
}

fn fields(one: Supply, other: Supply) -> Vec<&'static str> {
    let value = (one.txval != other.txval).then_some("txval");
    value.into_iter().chain(taxes(one.tax, other.tax)).collect()
}

fn taxes(one: Heads, other: Heads) -> Vec<&'static str> {
    Head::ALL.into_iter().filter(|head| one[*head] != other[*head]).map(Head::amount_key).collect()
}

/// The reply of VALID: which fields differ, and as a message what would overdraw a statement.
pub(crate) fn validate(
    conn: &Connection,
    payload: &Value,
    drawn: &Drawn,
    taxable: &Taxable<'_>,
) -> Result<Value, Fault> {
    let saved = Saved::read(payload)?;
    let warning = statements::overdrawn(conn, taxable, &saved)?;
    let differences = differences(&saved, drawn);
    let mut told = Map::new();
    told.insert("gstin".into(), taxable.gstin.as_str().into());
    told.insert("ret_period".into(), taxable.period.to_string().into());
    told.insert("isValid".into(), if differences.is_empty() { "Y" } else { "N" }.into());
    let message = match (differences.is_empty(), warning) {
        (true, None) => None,
        (true, Some(warning)) => Some(warning),
        (false, None) => Some("Some values differ from those that the system drew".to_owned()),
        (false, Some(warning)) => {
            Some(format!("Some values differ from those that the system drew. {warning}"))
        }
    };
    if let Some(message) = message {
        told.insert("error_message".into(), message.into());
    }
    for Difference { section, cell, pos, fields } in differences {
        let section = told.entry(section).or_insert_with(|| json!({}));
        match pos {
            None => section[cell] = json!({ "error_fields": fields }),
            Some(pos) => {
                let row = json!({ "pos": pos, "error_fields": fields });
                match section.get_mut(cell).and_then(Value::as_array_mut) {
                    Some(rows) => rows.push(row),
                    None => section[cell] = json!([row]),
                }
            }
        }
    }
    Ok(Value::Object(told))
}
