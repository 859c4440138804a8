//! Plans, credits and limits, as the operator sets them and the data plane reads them.

use std::num::NonZeroU64;

use gstn::catalogue::Family;
use gstn::{AspId, Environment};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use suvidha_store::{CreditRow, Limit, Limits, Plan, PlanKind, StoreError, Terms, TopUp};

use crate::desk::{Desk, Production, Sandbox};

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// What the registry tells the operator, after it was seen to be what the data plane has.
fn terms(desk: &Desk, aspid: &AspId, environment: Environment) -> Terms {
    let told = desk.registry.terms(aspid, environment).unwrap();
    assert_eq!(desk.snapshot().asp(aspid).unwrap().terms(environment), &told);
    told
}

fn units(units: i64, expires_at: Option<Timestamp>) -> TopUp {
    TopUp { units, expires_at, note: None }
}

#[test]
fn an_asp_is_unmetered_and_unlimited_until_told_otherwise() {
    let desk = Desk::new();
    let aspid = desk.an_asp();
    let fresh = terms(&desk, &aspid, Sandbox);
    assert_eq!(fresh, Terms::default());
    assert_eq!(fresh.plan, Plan { kind: PlanKind::Unmetered, monthly_cap: None });
    assert_eq!(desk.registry.credits(&aspid, Sandbox).unwrap(), []);
}

#[test]
fn a_plan_belongs_to_one_environment_and_is_changed_at_will() {
    let desk = Desk::new();
    let (aspid, other) = (desk.an_asp(), desk.an_asp());
    let plans = [
        Plan { kind: PlanKind::Prepaid, monthly_cap: None },
        Plan { kind: PlanKind::Postpaid, monthly_cap: Some(1_000_000_000_000) },
        Plan { kind: PlanKind::Postpaid, monthly_cap: Some(1) },
        Plan { kind: PlanKind::Postpaid, monthly_cap: None },
        Plan { kind: PlanKind::Unmetered, monthly_cap: None },
        Plan { kind: PlanKind::Prepaid, monthly_cap: None },
    ];
    for plan in plans {
        desk.registry.set_plan(&aspid, Production, plan).unwrap();
        assert_eq!(terms(&desk, &aspid, Production).plan, plan);
    }
    assert_eq!(terms(&desk, &aspid, Sandbox), Terms::default());
    assert_eq!(terms(&desk, &other, Production), Terms::default());
}

#[test]
fn a_cap_is_of_a_postpaid_plan_and_of_something() {
    let desk = Desk::new();
    let aspid = desk.an_asp();
    let refused = |kind, cap| {
        let plan = Plan { kind, monthly_cap: Some(cap) };
        desk.registry.set_plan(&aspid, Sandbox, plan).unwrap_err().to_string()
    };
    assert_eq!(
        refused(PlanKind::Prepaid, 5),
        r#"monthly cap "5" belongs to a postpaid plan, and this one is prepaid"#
    );
    let range = "must be 1 to 1000000000000; to refuse every call, suspend the ASP";
    assert_eq!(refused(PlanKind::Postpaid, 0), format!(r#"monthly cap "0" {range}"#));
    assert_eq!(refused(PlanKind::Postpaid, u64::MAX), format!(r#"monthly cap "{}" {range}"#, u64::MAX));
    assert_eq!(terms(&desk, &aspid, Sandbox), Terms::default());
}

#[test]
fn a_top_up_adds_and_moves_the_expiry_and_a_take_back_is_on_record() {
    let desk = Desk::new();
    let (aspid, other) = (desk.an_asp(), desk.an_asp());
    let (near, far) = (desk.now() + DAY, desk.now() + DAY * 365);
    let note = Some("  invoice 7 ".to_owned());
    let first = TopUp { units: 1000, expires_at: Some(far), note };
    let first = desk.registry.top_up(&aspid, Sandbox, first).unwrap();
    assert_eq!(first.note.as_deref(), Some("invoice 7"));
    assert_eq!((first.units, first.expires_at, first.created_at), (1000, Some(far), desk.now()));
    desk.wait_minutes(1);
    let taken = desk.registry.top_up(&aspid, Sandbox, units(-400, None)).unwrap();
    let now = terms(&desk, &aspid, Sandbox);
    assert_eq!((now.topped_up, now.expires_at), (600, Some(far)), "a take-back leaves the expiry");
    let nearer = desk.registry.top_up(&aspid, Sandbox, units(5, Some(near))).unwrap();
    let now = terms(&desk, &aspid, Sandbox);
    assert_eq!((now.topped_up, now.expires_at), (605, Some(near)), "the date named last counts");
    let moved = desk.registry.top_up(&aspid, Sandbox, units(0, Some(far))).unwrap();
    let now = terms(&desk, &aspid, Sandbox);
    assert_eq!((now.topped_up, now.expires_at), (605, Some(far)));

    assert_eq!(desk.registry.credits(&aspid, Sandbox).unwrap(), [first, taken, nearer, moved]);
    assert_eq!(desk.registry.credits(&aspid, Production).unwrap(), []);
    assert_eq!(terms(&desk, &aspid, Production), Terms::default());
    assert_eq!(terms(&desk, &other, Sandbox), Terms::default());
}

#[test]
fn what_is_left_after_the_expiry_is_revived_by_the_next_top_up() {
    let desk = Desk::new();
    let aspid = desk.an_asp();
    desk.registry.top_up(&aspid, Sandbox, units(100, Some(desk.now() + DAY))).unwrap();
    desk.wait_minutes(2 * 24 * 60);
    let over = terms(&desk, &aspid, Sandbox);
    assert!(over.topped_up == 100 && over.expires_at.unwrap() < desk.now());
    let later = desk.now() + DAY;
    desk.registry.top_up(&aspid, Sandbox, units(1, Some(later))).unwrap();
    let revived = terms(&desk, &aspid, Sandbox);
    assert_eq!((revived.topped_up, revived.expires_at), (101, Some(later)));
}

#[test]
fn a_top_up_that_makes_no_sense_changes_nothing() {
    let desk = Desk::new();
    let aspid = desk.an_asp();
    let soon = desk.now() + DAY;
    desk.registry.top_up(&aspid, Sandbox, units(10, Some(soon))).unwrap();
    let version = desk.registry.version().unwrap();
    let refused = |top_up: TopUp| desk.registry.top_up(&aspid, Sandbox, top_up).unwrap_err().to_string();
    assert_eq!(refused(units(5, None)), r#"units "5" need a date until which they are good"#);
    assert_eq!(refused(units(0, None)), r#"units "0" need a date until which they are good"#);
    for absurd in [1_000_000_001, -1_000_000_001, i64::MAX, i64::MIN] {
        let words = format!(r#"units "{absurd}" are more than 1000000000 at once"#);
        assert_eq!(refused(units(absurd, Some(soon))), words);
    }
    let now = desk.now();
    for past in [now, now - DAY] {
        let words = format!("expiry {past} is not in the future: it is {now} now");
        assert_eq!(refused(units(5, Some(past))), words);
        assert_eq!(refused(units(-5, Some(past))), words);
    }
    assert_eq!(
        refused(units(5, Some("2126-11-22T00:00:00Z".parse().unwrap()))),
        r#"expiry "2126-11-22T00:00:00Z" is more than ten years away"#
    );
    assert_eq!(
        refused(units(-11, None)),
        format!("11 units cannot be taken back: ASP {aspid} was topped up with 10 in sandbox, all in all")
    );
    assert_eq!(
        refused(TopUp { note: Some(" ".to_owned()), ..units(5, Some(soon)) }),
        r#"note "" must not be empty"#
    );
    assert_eq!(desk.registry.version().unwrap(), version);
    assert_eq!(terms(&desk, &aspid, Sandbox).topped_up, 10);
}

#[test]
fn limits_are_set_one_by_one_for_an_asp_and_for_families_of_apis() {
    let desk = Desk::new();
    let aspid = desk.an_asp();
    let registry = &desk.registry;
    let set = registry
        .change_limits(&aspid, Sandbox, None, |limits| {
            limits.per_second = Some(Limit::at_most(100));
            limits.per_day = Some(Limit::Unlimited);
        })
        .unwrap();
    registry.change_limits(&aspid, Sandbox, None, |limits| limits.burst = NonZeroU64::new(50)).unwrap();
    let public = Limits {
        concurrent: Some(Limit::at_most(3)),
        per_month: Some(Limit::at_most(Limits::MOST_IN_TIME)),
        ..Limits::default()
    };
    let returns = Limits { per_day: Some(Limit::at_most(7)), ..Limits::default() };
    registry.change_limits(&aspid, Sandbox, Some(Family::TaxpayerApi), |limits| *limits = returns).unwrap();
    registry.change_limits(&aspid, Sandbox, Some(Family::CommonApi), |limits| *limits = public).unwrap();

    let now = terms(&desk, &aspid, Sandbox);
    assert_eq!(now.limits, Limits { burst: NonZeroU64::new(50), ..set });
    assert_eq!((now.limits.per_day, now.limits.per_month), (Some(Limit::Unlimited), None));
    assert_eq!(now.family_limits, [(Family::CommonApi, public), (Family::TaxpayerApi, returns)]);
    assert_eq!(terms(&desk, &aspid, Production), Terms::default());

    registry
        .change_limits(&aspid, Sandbox, Some(Family::CommonApi), |limits| *limits = Limits::default())
        .unwrap();
    registry.change_limits(&aspid, Sandbox, None, |limits| *limits = Limits::default()).unwrap();
    let now = terms(&desk, &aspid, Sandbox);
    assert_eq!((now.limits, now.family_limits), (Limits::default(), vec![(Family::TaxpayerApi, returns)]));
}

#[test]
fn a_limit_that_is_none_is_refused_with_its_range() {
    let desk = Desk::new();
    let aspid = desk.an_asp();
    type Set = fn(&mut Limits, u64);
    let too_much: [(&str, u64, Set); 5] = [
        ("rate per second", Limits::MOST_AT_ONCE, |l, n| l.per_second = Some(Limit::at_most(n))),
        ("burst", Limits::MOST_AT_ONCE, |l, n| l.burst = NonZeroU64::new(n)),
        ("concurrency", Limits::MOST_AT_ONCE, |l, n| l.concurrent = Some(Limit::at_most(n))),
        ("daily quota", Limits::MOST_IN_TIME, |l, n| l.per_day = Some(Limit::at_most(n))),
        ("monthly quota", Limits::MOST_IN_TIME, |l, n| l.per_month = Some(Limit::at_most(n))),
    ];
    for (field, most, set) in too_much {
        desk.registry.change_limits(&aspid, Sandbox, None, |limits| set(limits, most)).unwrap();
        let before = terms(&desk, &aspid, Sandbox);
        let refused =
            desk.registry.change_limits(&aspid, Sandbox, None, |limits| set(limits, most + 1)).unwrap_err();
        assert_eq!(
            refused.to_string(),
            format!(r#"{field} "{}" is more than {most}; a rate or quota beyond that is no limit"#, most + 1)
        );
        assert_eq!(terms(&desk, &aspid, Sandbox), before);
    }
}

#[test]
fn a_gateway_hears_of_every_change_of_terms_and_of_nothing_else() {
    let desk = Desk::new();
    let aspid = desk.an_asp();
    let gateway = desk.open(desk.keys.clone()).unwrap();
    let postpaid = Plan { kind: PlanKind::Postpaid, monthly_cap: None };
    let plan = || desk.registry.set_plan(&aspid, Sandbox, postpaid).unwrap();
    let credit = || _ = desk.registry.top_up(&aspid, Sandbox, units(1, Some(desk.now() + DAY))).unwrap();
    let five = |limits: &mut Limits| limits.concurrent = Some(Limit::at_most(5));
    let limits = || _ = desk.registry.change_limits(&aspid, Sandbox, None, five).unwrap();
    let changes: [(&str, &dyn Fn(), bool); 3] =
        [("plan", &plan, false), ("top-up", &credit, true), ("limits", &limits, false)];
    for (what, change, again) in changes {
        for moves in [true, again] {
            let before = gateway.version().unwrap();
            change();
            assert_eq!(gateway.version().unwrap() > before, moves, "{what}");
            assert_eq!(gateway.snapshot().unwrap().asp(&aspid), desk.snapshot().asp(&aspid));
        }
    }
}

#[test]
fn an_unknown_aspid_has_no_terms() {
    let desk = Desk::new();
    let nobody = "9999999999".parse().unwrap();
    let refusals = [
        desk.registry.terms(&nobody, Sandbox).unwrap_err(),
        desk.registry.set_plan(&nobody, Sandbox, Plan::default()).unwrap_err(),
        desk.registry.credits(&nobody, Sandbox).unwrap_err(),
        desk.registry.top_up(&nobody, Sandbox, units(1, Some(desk.now() + DAY))).unwrap_err(),
        desk.registry.change_limits(&nobody, Sandbox, None, |_| ()).unwrap_err(),
    ];
    for refusal in refusals {
        assert!(matches!(&refusal, StoreError::AspNotFound(aspid) if *aspid == nobody), "{refusal}");
    }
}

/// What an operator does: units, and for how many days from then, if the expiry is to move.
fn an_entry() -> impl Strategy<Value = (i64, Option<i64>)> {
    (prop_oneof![-50_i64..=50, -1_000_000_000_i64..=1_000_000_000], proptest::option::of(1_i64..3650))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// The sum is that of the units taken in, never below zero; the expiry is the one that was named last. What is refused
    /// leaves both as they were.
    #[test]
    fn any_top_ups_and_take_backs_give_their_sum_and_the_expiry_named_last(
        entries in proptest::collection::vec(an_entry(), 1..40)
    ) {
        let desk = Desk::new();
        let (aspid, bystander) = (desk.an_asp(), desk.an_asp());
        desk.registry.top_up(&bystander, Sandbox, units(7, Some(desk.now() + DAY))).unwrap();
        let mut kept: Vec<CreditRow> = Vec::new();
        for (number, days) in entries {
            desk.wait_minutes(60);
            let expires_at = days.map(|days| desk.now() + SignedDuration::from_hours(24 * days));
            let sum: i64 = kept.iter().map(|row| row.units).sum();
            let sensible = sum + number >= 0 && (number < 0 || expires_at.is_some());
            match desk.registry.top_up(&aspid, Sandbox, units(number, expires_at)) {
                Ok(row) => {
                    prop_assert!(sensible, "{number} on {sum}");
                    kept.push(row);
                }
                Err(refusal) => prop_assert!(!sensible, "{refusal}"),
            }
            let told = terms(&desk, &aspid, Sandbox);
            prop_assert_eq!(told.topped_up, kept.iter().map(|row| row.units).sum::<i64>());
            prop_assert_eq!(told.expires_at, kept.iter().rev().find_map(|row| row.expires_at));
        }
        prop_assert_eq!(desk.registry.credits(&aspid, Sandbox).unwrap(), kept);
        prop_assert_eq!(terms(&desk, &bystander, Sandbox).topped_up, 7);
        prop_assert_eq!(terms(&desk, &aspid, Production), Terms::default());
    }
}
