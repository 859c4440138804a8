//! What decides whether calls are admitted: GSTN's condition, the ceiling, limits and balances.

use std::fmt::Result;
use std::sync::Arc;

use suvidha_store::{AspStatus, PlanKind};

use super::super::labels::{CodeLabel, ORIGINS};
use super::super::page::{Page, family, seconds};
use super::super::place_of_error;
use super::{environments, instant};
use crate::accounts::Measure;
use crate::breaker::{Condition, Position};
use crate::gateway::House;
use crate::plane::Door;

/// The kinds of limits, and the code of a call that is refused for each.
const KINDS: [(&str, &str); 7] = [
    ("rate", "GSP025"),
    ("concurrency", "GSP670"),
    ("day", "GSP671"),
    ("month", "GSP672"),
    ("ceiling", "GSP673"),
    ("postpaid", "GSP674"),
    ("credit", "GSP019"),
];

pub(super) fn admission(page: &mut Page<'_>, house: &House) -> Result {
    gstn(page, house)?;
    limits(page, house)?;
    balances(page, house)
}

fn gstn(page: &mut Page<'_>, house: &House) -> Result {
    let state = |door: &Door, state, is: bool| {
        ([("environment", door.environment.as_str()), ("state", state)], f64::from(u8::from(is)))
    };
    let condition = |door: &Arc<Door>| {
        let condition = door.breaker.health().condition;
        [Condition::Up, Condition::Degraded, Condition::Down]
            .map(|one| state(door, one.as_str(), one == condition))
    };
    page.gauges(
        &family("gstn_state", "1 for the state that GSTN is in, seen from here"),
        house.doors.iter().flat_map(condition),
    )?;
    let position = |door: &Arc<Door>| {
        let position = door.breaker.health().position;
        [("closed", Position::Closed), ("half_open", Position::HalfOpen), ("open", Position::Open)]
            .map(|(name, one)| state(door, name, one == position))
    };
    page.gauges(
        &family(
            "breaker_state",
            "1 for the state of the circuit breaker towards GSTN; while it is open, calls are refused",
        ),
        house.doors.iter().flat_map(position),
    )?;
    let mut of_gate = |name, help, count: fn(&Door) -> usize| {
        let row = |door: &Arc<Door>| ([("environment", door.environment.as_str())], count(door) as f64);
        page.gauges(&family(name, help), house.doors.iter().map(row))
    };
    of_gate("ceiling_waiting", "Calls that wait for their turn at the environment's ceiling", |door| {
        door.gate.waiting()
    })?;
    of_gate("ceiling_under_way", "Calls that have their turn", |door| door.gate.under_way())
}

fn limits(page: &mut Page<'_>, house: &House) -> Result {
    let metrics = &house.plane.metrics;
    let refused = |environment: gstn::Environment| {
        KINDS.map(|(kind, code)| {
            let code = CodeLabel::of(code).place();
            let of_origin =
                |origin: usize| metrics.sum(environment, |tally| &tally.errors[place_of_error(origin, code)]);
            let count: u64 = (0..ORIGINS.len()).map(of_origin).sum();
            ([("environment", environment.as_str()), ("kind", kind)], count)
        })
    };
    page.counters(
        &family("limit_refusals", "Calls refused for a limit or for lack of credit"),
        environments(house).flat_map(refused),
    )?;
    let observed = |door: &Arc<Door>| {
        Measure::ALL.map(|measure| {
            let labels = [("environment", door.environment.as_str()), ("kind", measure.as_str())];
            (labels, door.accounts.observed(measure))
        })
    };
    page.counters(
        &family("limit_observed", "Calls beyond a limit that is only observed"),
        house.doors.iter().flat_map(observed),
    )
}

/// Of prepaid ASPs alone; as many as the registry has.
fn balances(page: &mut Page<'_>, house: &House) -> Result {
    let snapshot = house.plane.snapshot.load();
    let prepaid = |door: &Arc<Door>| {
        let environment = door.environment;
        let asps = snapshot.asps().filter(move |asp| {
            asp.status == AspStatus::Active && asp.terms(environment).plan.kind == PlanKind::Prepaid
        });
        asps.map(|asp| {
            let terms = asp.terms(environment);
            let labels =
                [("environment", environment.as_str().to_owned()), ("aspid", asp.aspid.as_str().to_owned())];
            (labels, door.accounts.standing(asp.aspid).left(terms.topped_up), terms.expires_at)
        })
        .collect::<Vec<_>>()
    };
    let balances: Vec<_> = house.doors.iter().flat_map(prepaid).collect();
    page.gauges(
        &family("balance_units", "What prepaid ASPs have left, once every call under way was charged"),
        balances.iter().map(|(labels, left, _)| (labels.clone(), *left as f64)),
    )?;
    page.gauges(
        &seconds("balance_expiry", "When the balance of a prepaid ASP can no longer be used, since 1970"),
        balances.iter().filter_map(|(labels, _, expires_at)| Some((labels.clone(), instant((*expires_at)?)))),
    )
}
