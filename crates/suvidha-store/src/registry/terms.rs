//! Terms: on what plan, with what credit and within what limits an ASP calls in an environment.

use std::collections::HashMap;

use gstn::{AspId, Environment, catalogue::Family};
use jiff::Timestamp;
use rusqlite::{Transaction, params};

use super::columns::{optional_number, parsed, storable_number};
use super::limits::Limits;
use super::{Registry, asps, credits, limits};
use crate::error::StoreError;
use crate::plan::PlanKind;

/// How an ASP pays in an environment. Unless told otherwise it does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Plan {
    /// Before, afterwards, or not at all.
    pub kind: PlanKind,
    /// How many units it may use in a month (IST) on a postpaid plan; `None` means as many as it likes.
    pub monthly_cap: Option<u64>,
}

/// What is agreed with an ASP in an environment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Terms {
    /// How it pays.
    pub plan: Plan,
    /// The units of all its top-ups, less what was taken back: never below zero. What it has used is in the ledger.
    pub topped_up: i64,
    /// The instant from which on its credit cannot be used; `None` where it never had any.
    pub expires_at: Option<Timestamp>,
    /// The limits of its calls as a whole.
    pub limits: Limits,
    /// The limits of some families of APIs, each family once. They hold for its calls beside those of the ASP as a whole.
    pub family_limits: Vec<(Family, Limits)>,
}

/// The most that a monthly cap can be.
const MOST_CAP: u64 = 1_000_000_000_000;

impl Registry {
    /// What is agreed with an ASP in an environment.
    ///
    /// # Errors
    /// [`StoreError::AspNotFound`].
    pub fn terms(&self, aspid: &AspId, environment: Environment) -> Result<Terms, StoreError> {
        let mut connection = self.connection();
        let transaction = connection.transaction()?;
        asps::require(&transaction, aspid)?;
        let mut of_asp = read(&transaction, Some((aspid, environment)))?.remove(aspid).unwrap_or_default();
        Ok(std::mem::take(&mut of_asp[environment as usize]))
    }

    /// Puts the ASP on another plan, which the calls from now on are charged by. Its credits stay, and can be used when it is
    /// prepaid again.
    ///
    /// # Errors
    /// [`StoreError::AspNotFound`]; [`StoreError::InvalidField`] for a cap of nothing, of more than 10^12, or on a plan
    /// that is not postpaid.
    pub fn set_plan(&self, aspid: &AspId, environment: Environment, plan: Plan) -> Result<(), StoreError> {
        let Plan { kind, monthly_cap } = plan;
        if let Some((cap, reason)) = monthly_cap.and_then(|cap| Some((cap, cap_fault(kind, cap)?))) {
            let value = cap.to_string();
            return Err(StoreError::InvalidField { field: "monthly cap", value, reason });
        }
        self.change(|transaction| {
            asps::require(transaction, aspid)?;
            transaction.execute(
                "INSERT INTO asp_plan (aspid, environment, kind, monthly_cap) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO UPDATE SET kind = excluded.kind, monthly_cap = excluded.monthly_cap
                 WHERE kind <> excluded.kind OR monthly_cap IS NOT excluded.monthly_cap",
                params![
                    aspid.as_str(),
                    environment.as_str(),
                    kind.as_str(),
                    monthly_cap.map(storable_number)
                ],
            )?;
            Ok(())
        })
    }
}

fn cap_fault(kind: PlanKind, cap: u64) -> Option<String> {
    if kind != PlanKind::Postpaid {
        Some(format!("belongs to a postpaid plan, and this one is {kind}"))
    } else if !(1..=MOST_CAP).contains(&cap) {
        Some(format!("must be 1 to {MOST_CAP}; to refuse every call, suspend the ASP"))
    } else {
        None
    }
}

/// The terms of every ASP that has any, or of one in one environment.
pub(super) fn read(
    transaction: &Transaction<'_>,
    only: Option<(&AspId, Environment)>,
) -> Result<HashMap<AspId, [Terms; 2]>, StoreError> {
    let mut terms = HashMap::<AspId, [Terms; 2]>::new();
    let (aspid, environment) =
        only.map(|(aspid, environment)| (aspid.as_str(), environment.as_str())).unzip();
    let mut plans = transaction
        .prepare_cached("SELECT * FROM asp_plan WHERE ?1 IS NULL OR (aspid = ?1 AND environment = ?2)")?;
    let mut rows = plans.query(params![aspid, environment])?;
    while let Some(row) = rows.next()? {
        let place: Environment = parsed(row, "environment")?;
        terms.entry(parsed(row, "aspid")?).or_default()[place as usize].plan =
            Plan { kind: parsed(row, "kind")?, monthly_cap: optional_number(row, "monthly_cap")? };
    }
    credits::each_sum(transaction, only, |aspid, environment, topped_up, expires_at| {
        let terms = &mut terms.entry(aspid).or_default()[environment as usize];
        (terms.topped_up, terms.expires_at) = (topped_up, expires_at);
    })?;
    limits::each(transaction, only, |aspid, environment, family, limits| {
        let terms = &mut terms.entry(aspid).or_default()[environment as usize];
        match family {
            None => terms.limits = limits,
            Some(family) => terms.family_limits.push((family, limits)),
        }
    })?;
    Ok(terms)
}
