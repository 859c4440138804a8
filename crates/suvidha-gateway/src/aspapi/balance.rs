//! `getapibalance`: how many units an ASP has left, and until when.

use http::Response;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use suvidha_store::{PlanKind, Terms};

use super::parameters::Parameters;
use super::{Desk, answer, days, table};
use crate::accounts::Standing;
use crate::body::Content;
use crate::error::Error;

/// Clients read the balance as a 32-bit number: more than this is told as this, and so is a balance without an end.
const MOST: i64 = i32::MAX as i64;

/// Where there is no end, for clients that must read a date.
const NEVER: &str = "2099-12-31T23:59:59+05:30";

/// Where there was no beginning.
const EVER: &str = "1970-01-01T00:00:00+05:30";

const COLUMNS: [&str; 4] = ["ApiBal", "ApiBalExpDt", "Plan", "Unlimited"];

pub(super) fn respond(desk: &Desk<'_>) -> Result<Response<Content>, Error> {
    let parameters = Parameters::read_of_one_row(&desk.call.head)?;
    let door = &desk.visit.door;
    let terms = desk.asp.terms(door.environment);
    let values = values(terms, &door.accounts.standing(desk.asp.aspid), door.plane.seam.now());
    let text = table::single(parameters.format, &COLUMNS, values);
    Ok(answer(parameters.format, Content::Whole(text.into())))
}

/// For [`COLUMNS`].
fn values(terms: &Terms, standing: &Standing, now: Timestamp) -> Vec<Value> {
    let (left, until) = match (terms.plan.kind, terms.plan.monthly_cap) {
        (PlanKind::Prepaid, _) => {
            (Some(standing.left(terms.topped_up)), terms.expires_at.map_or(EVER.to_owned(), last_second))
        }
        (PlanKind::Postpaid, Some(cap)) => {
            let left = i64::try_from(cap.saturating_sub(standing.postpaid_charged)).unwrap_or(i64::MAX);
            (Some(left), last_second(days::end_of_month(now)))
        }
        (PlanKind::Postpaid, None) | (PlanKind::Unmetered, _) => (None, NEVER.to_owned()),
    };
    let balance = left.map_or(MOST, |left| left.clamp(-MOST, MOST));
    vec![json!(balance), json!(until), json!(terms.plan.kind.as_str()), json!(left.is_none())]
}

/// The last second before `end`.
fn last_second(end: Timestamp) -> String {
    days::written(end.saturating_sub(SignedDuration::from_secs(1)).unwrap_or(end))
}

#[cfg(test)]
mod tests {
    use suvidha_store::Plan;

    use super::*;

    fn told(kind: PlanKind, monthly_cap: Option<u64>, topped_up: i64, expires_at: Option<&str>) -> Value {
        let plan = Plan { kind, monthly_cap };
        let expires_at = expires_at.map(|at| at.parse().unwrap());
        let terms = Terms { plan, topped_up, expires_at, ..Terms::default() };
        let standing = Standing {
            prepaid_charged: 30,
            prepaid_reserved: 5,
            postpaid_charged: 40,
            ..Standing::default()
        };
        let now = "2026-11-30T18:29:59Z".parse().unwrap();
        values(&terms, &standing, now).into()
    }

    #[test]
    fn each_plan_has_a_balance_that_a_client_can_read() {
        let (prepaid, postpaid) = (PlanKind::Prepaid, PlanKind::Postpaid);
        assert_eq!(
            told(prepaid, None, 100, Some("2027-03-31T18:30:00Z")),
            json!([65, "2027-03-31T23:59:59+05:30", "prepaid", false])
        );
        assert_eq!(told(prepaid, None, 10, None), json!([-25, EVER, "prepaid", false]));
        assert_eq!(told(prepaid, None, i64::MAX, None)[0], 2_147_483_647);
        assert_eq!(
            told(postpaid, Some(100), 0, None),
            json!([60, "2026-11-30T23:59:59+05:30", "postpaid", false])
        );
        assert_eq!(told(postpaid, Some(10), 0, None)[0], 0);
        assert_eq!(told(postpaid, None, 0, None), json!([2_147_483_647, NEVER, "postpaid", true]));
        assert_eq!(told(PlanKind::Unmetered, None, 0, None)[3], true);
    }
}
