//! `suvidha asp plan`: how an ASP pays, and where it stands.

use clap::Args;
use gstn::{AspId, Environment};
use jiff::Timestamp;
use serde::Serialize;
use suvidha_store::{Plan, PlanKind, Registry};

use super::balance::{Ledgers, Standing};
use super::topup::{self, Credits};
use crate::cli::environment;
use crate::exit::{Exit, Failure};
use crate::output::{Answer, Output, fields, table};

/// `suvidha asp plan`.
#[derive(Debug, Args)]
pub(crate) struct ChangePlan {
    /// Ten digits
    aspid: AspId,
    /// Where: sandbox or production
    #[arg(long, value_parser = environment)]
    environment: Environment,
    /// prepaid: against credit (`asp topup`). postpaid: counted, to be paid later. unmetered: not counted. Left out, the plan
    /// stays
    plan: Option<PlanKind>,
    /// How many units may be used in a month (IST) on a postpaid plan; `none` for as many as it likes. Left out, it stays
    #[arg(long, value_name = "N|none", value_parser = parse_cap)]
    monthly_cap: Option<Cap>,
}

/// A number of units, or nothing for `none`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cap(Option<u64>);

fn parse_cap(text: &str) -> Result<Cap, String> {
    match (text, text.parse()) {
        ("none", _) => Ok(Cap(None)),
        (_, Ok(units @ 1..=1_000_000_000_000)) => Ok(Cap(Some(units))),
        _ => Err("expected a whole number from 1 to 1000000000000, or `none`".to_owned()),
    }
}

/// Runs `suvidha asp plan`.
pub(super) fn run(
    registry: &Registry,
    ledgers: &Ledgers,
    change: &ChangePlan,
    now: Timestamp,
    output: Output,
) -> Result<(), Failure> {
    let ChangePlan { aspid, environment, .. } = change;
    let before = registry.terms(aspid, *environment)?.plan;
    let plan = change.of(before)?;
    if plan != before {
        registry.set_plan(aspid, *environment, plan)?;
    }
    output.show(&Account {
        aspid: aspid.as_str(),
        standing: Standing::of(registry, ledgers, aspid, *environment, now)?,
        top_ups: topup::list(registry, aspid, *environment)?,
    })
}

impl ChangePlan {
    /// What becomes of `before`.
    fn of(&self, before: Plan) -> Result<Plan, Failure> {
        let kind = self.plan.unwrap_or(before.kind);
        let monthly_cap = match self.monthly_cap {
            Some(Cap(Some(_))) if kind != PlanKind::Postpaid => {
                let message =
                    format_args!("--monthly-cap belongs to a postpaid plan, and this one is {kind}");
                let remedy = "name the plan `postpaid` too; what a prepaid ASP can use is set by `asp topup`";
                return Err(Failure::new(Exit::Data, message).remedy(remedy));
            }
            Some(Cap(cap)) => cap,
            None => before.monthly_cap.filter(|_| kind == PlanKind::Postpaid),
        };
        Ok(Plan { kind, monthly_cap })
    }
}

#[derive(Serialize)]
struct Account<'a> {
    aspid: &'a str,
    #[serde(flatten)]
    standing: Standing,
    top_ups: Credits,
}

impl Answer for Account<'_> {
    fn words(&self) -> String {
        let mut lines = vec![("aspid", self.aspid.to_owned())];
        lines.extend(self.standing.lines());
        format!("{}\nTop-ups\n{}", fields(&lines), self.top_ups.words())
    }
}

/// How an ASP pays, in each environment.
pub(super) fn list(
    registry: &Registry,
    ledgers: &Ledgers,
    aspid: &AspId,
    now: Timestamp,
) -> Result<Plans, Failure> {
    let standing = |environment| Standing::of(registry, ledgers, aspid, environment, now);
    Environment::ALL.into_iter().map(standing).collect::<Result<_, _>>().map(Plans)
}

/// The plans of an ASP, one for each environment.
#[derive(Serialize)]
pub(super) struct Plans(Vec<Standing>);

impl Plans {
    /// For a list: those that are more than unmetered.
    pub(super) fn in_short(&self) -> String {
        let metered = self.0.iter().filter(|standing| standing.plan != PlanKind::Unmetered);
        let metered: Vec<_> = metered.map(Standing::in_short).collect();
        if metered.is_empty() { "unmetered".to_owned() } else { metered.join("; ") }
    }
}

impl Answer for Plans {
    fn words(&self) -> String {
        let row = |standing: &Standing| {
            [
                standing.environment.to_string(),
                standing.plan.to_string(),
                standing.monthly_cap(),
                standing.balance(),
                standing.good_until(),
            ]
        };
        table(
            ["ENVIRONMENT", "PLAN", "MONTHLY CAP", "BALANCE", "GOOD UNTIL"],
            &self.0.iter().map(row).collect::<Vec<_>>(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PREPAID: Plan = Plan { kind: PlanKind::Prepaid, monthly_cap: None };
    const CAPPED: Plan = Plan { kind: PlanKind::Postpaid, monthly_cap: Some(10) };

    fn changed(before: Plan, plan: Option<PlanKind>, cap: Option<&str>) -> Result<Plan, String> {
        let monthly_cap = cap.map(parse_cap).transpose()?;
        let aspid = "1000000001".parse().unwrap();
        let change = ChangePlan { aspid, environment: Environment::Sandbox, plan, monthly_cap };
        change.of(before).map_err(|failure| failure.message)
    }

    #[test]
    fn a_cap_stays_while_the_plan_is_postpaid() {
        let uncapped = Plan { monthly_cap: None, ..CAPPED };
        assert_eq!(changed(CAPPED, None, None), Ok(CAPPED));
        assert_eq!(changed(CAPPED, Some(PlanKind::Postpaid), None), Ok(CAPPED));
        assert_eq!(changed(CAPPED, None, Some("none")), Ok(uncapped));
        assert_eq!(changed(CAPPED, None, Some("20")), Ok(Plan { monthly_cap: Some(20), ..CAPPED }));
        assert_eq!(changed(PREPAID, Some(PlanKind::Postpaid), Some("10")), Ok(CAPPED));
        assert_eq!(changed(CAPPED, Some(PlanKind::Prepaid), None), Ok(PREPAID));
        assert_eq!(changed(CAPPED, Some(PlanKind::Prepaid), Some("none")), Ok(PREPAID));
        let refused = "--monthly-cap belongs to a postpaid plan, and this one is prepaid";
        assert_eq!(changed(PREPAID, None, Some("10")), Err(refused.to_owned()));
        for wrong in ["0", "-1", "many", "1000000000001", ""] {
            changed(CAPPED, None, Some(wrong)).unwrap_err();
        }
    }
}
