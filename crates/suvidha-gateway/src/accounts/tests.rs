use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use proptest::prelude::*;
use suvidha_seam::{ManualClock, SystemRng};
use suvidha_store::ledger::Admitted;
use suvidha_store::{Limit, Plan};

use super::*;

struct Scene {
    clock: Arc<ManualClock>,
    accounts: Accounts,
    terms: Terms,
    defaults: AspLimits,
    rule: ChargeRule,
}

fn scene(terms: Terms) -> Scene {
    let clock = Arc::new(ManualClock::at("2026-11-30T18:00:00Z".parse().unwrap()));
    let seam = Seam { clock: clock.clone(), rng: Arc::new(SystemRng) };
    let accounts = Accounts::new(seam);
    Scene { clock, accounts, terms, defaults: AspLimits::default(), rule: ChargeRule::Answered }
}

fn prepaid(topped_up: i64) -> Terms {
    let plan = Plan { kind: PlanKind::Prepaid, monthly_cap: None };
    Terms { plan, topped_up, expires_at: "2026-12-31T18:30:00Z".parse().ok(), ..Terms::default() }
}

fn limited(limits: Limits) -> Terms {
    Terms { limits, ..Terms::default() }
}

fn at_most(number: u64) -> Option<Limit> {
    Some(Limit::at_most(number))
}

fn asp() -> AspId {
    AspId::new(1).unwrap()
}

impl Scene {
    fn ask(&self, cost: u64) -> Result<Hold, Refusal> {
        self.ask_in(Family::TaxpayerApi, cost).map(|(hold, _)| hold)
    }

    fn ask_in(&self, family: Family, cost: u64) -> Result<(Hold, Option<Notice>), Refusal> {
        let Self { terms, defaults, rule, .. } = self;
        self.accounts.admit(asp(), &Ask { terms, defaults, family, cost, rule: *rule })
    }

    /// Whether a call may be made, and ends at once.
    fn call(&self) -> Result<(), Measure> {
        match self.ask(1) {
            Ok(hold) => {
                hold.settle(Verdict::Answered);
                Ok(())
            }
            Err(Refusal::Limit(breach)) => Err(breach.measure),
            Err(other) => panic!("{other:?}"),
        }
    }

    fn standing(&self) -> Standing {
        self.accounts.standing(asp())
    }

    fn left(&self) -> i64 {
        self.standing().left(self.terms.topped_up)
    }
}

#[test]
fn credit_is_reserved_and_charged_or_given_back() {
    let scene = scene(prepaid(10));
    let calls = [3, 3, 3].map(|cost| scene.ask(cost).unwrap());
    assert_eq!((scene.left(), scene.standing().prepaid_reserved), (1, 9));
    assert_eq!(scene.ask(3).err(), Some(Refusal::NoCredit { left: 1, reserved: 9, cost: 3 }));
    let [answered, failed, refused] = calls;
    assert_eq!(answered.settle(Verdict::Answered), Charge { plan: PlanKind::Prepaid, units: 3 });
    assert_eq!(failed.settle(Verdict::Forwarded), Charge { plan: PlanKind::Prepaid, units: 0 });
    assert_eq!((scene.left(), scene.standing().today), (4, 3));
    drop(refused);
    assert_eq!((scene.left(), scene.standing().today, scene.standing().under_way), (7, 2, 0));
    assert_eq!(scene.standing().prepaid_charged, 3);
}

#[test]
fn a_call_that_costs_nothing_needs_no_credit() {
    let mut scene = scene(prepaid(0));
    assert!(scene.ask(0).is_ok());
    assert!(scene.ask(1).is_err());
    scene.terms.topped_up = -5;
    assert!(scene.ask(0).is_ok());
    scene.terms.topped_up = 1;
    assert!(scene.ask(1).is_ok(), "a top-up is there for the next call");
}

#[test]
fn credit_expires_and_is_revived_by_the_next_top_up() {
    let mut scene = scene(prepaid(10));
    scene.clock.set("2026-12-31T18:29:59Z".parse().unwrap());
    assert!(scene.ask(1).is_ok());
    scene.clock.advance(1_000);
    let refusal = scene.ask(1).err().unwrap();
    assert!(matches!(refusal, Refusal::CreditExpired { .. }), "{refusal:?}");
    assert!(refusal.words().contains("2027-01-01 00:00 IST"), "{}", refusal.words());
    scene.terms.expires_at = "2027-12-31T18:30:00Z".parse().ok();
    assert!(scene.ask(1).is_ok());
}

#[test]
fn a_rule_says_what_is_charged() {
    use ChargeRule::{Answered, Forwarded, Succeeded};
    for (rule, charged) in [(Forwarded, [0, 2, 2, 2]), (Answered, [0, 0, 2, 2]), (Succeeded, [0, 0, 0, 2])] {
        let scene = Scene { rule, ..scene(prepaid(100)) };
        let verdicts = [Verdict::NotSent, Verdict::Forwarded, Verdict::Answered, Verdict::Succeeded];
        let units = verdicts.map(|verdict| scene.ask(2).unwrap().settle(verdict).units);
        assert_eq!(units, charged, "{rule:?}");
    }
    let free = scene(Terms::default());
    let charge = free.ask(2).unwrap().settle(Verdict::Succeeded);
    assert_eq!(charge, Charge { plan: PlanKind::Unmetered, units: 0 });
}

#[test]
fn a_postpaid_plan_ends_at_its_cap_until_the_month_does() {
    let plan = Plan { kind: PlanKind::Postpaid, monthly_cap: Some(3) };
    let mut scene = scene(Terms { plan, ..Terms::default() });
    let first = scene.ask(2).unwrap();
    assert_eq!(scene.ask(2).err(), Some(Refusal::Cap { cap: 3, used: 2, cost: 2 }));
    assert_eq!(first.settle(Verdict::Answered).units, 2);
    let over_midnight = scene.ask(1).unwrap();
    assert!(scene.ask(1).is_err());
    scene.clock.advance(30 * 60 * 1000);
    assert_eq!(over_midnight.settle(Verdict::Answered).units, 1);
    assert_eq!(scene.standing().postpaid_charged, 0, "it belongs to the month in which it began");
    assert!(scene.ask(3).is_ok());
    scene.terms.plan.monthly_cap = None;
    assert!(scene.ask(1_000_000).is_ok());
}

#[test]
fn a_charge_whose_entry_is_not_written_is_given_back() {
    let scene = scene(prepaid(10));
    let charge = scene.ask(4).unwrap().settle(Verdict::Answered);
    let now = scene.accounts.seam.now();
    scene.accounts.give_back(asp(), charge, now);
    assert_eq!(scene.left(), 10);
    scene.accounts.charge_again(asp(), charge, now);
    assert_eq!(scene.left(), 6);
    scene.accounts.give_back(asp(), charge, now);
    let of_last_month = Charge { plan: PlanKind::Postpaid, units: 7 };
    scene.accounts.give_back(asp(), of_last_month, "2026-10-31T18:00:00Z".parse().unwrap());
    assert_eq!(scene.standing().postpaid_charged, 0);
    scene.accounts.charge_again(asp(), of_last_month, "2026-10-31T18:00:00Z".parse().unwrap());
    assert_eq!(scene.standing().postpaid_charged, 0);
}

#[test]
fn quotas_end_at_midnight_in_india() {
    let scene = scene(limited(Limits { per_day: at_most(3), per_month: at_most(5), ..Limits::default() }));
    assert_eq!([(); 4].map(|()| scene.call()), [Ok(()), Ok(()), Ok(()), Err(Measure::Day)]);
    let Err(Refusal::Limit(breach)) = scene.ask(1) else { panic!() };
    assert_eq!((breach.limit, breach.wait), (3, Duration::from_secs(30 * 60)));
    scene.clock.advance(30 * 60 * 1000 - 1);
    assert_eq!(scene.call(), Err(Measure::Day));
    // The month ends, too.
    scene.clock.advance(1);
    assert_eq!([(); 4].map(|()| scene.call()), [Ok(()), Ok(()), Ok(()), Err(Measure::Day)]);
    scene.clock.advance(86_400_000);
    assert_eq!([(); 3].map(|()| scene.call()), [Ok(()), Ok(()), Err(Measure::Month)]);
    let Err(Refusal::Limit(breach)) = scene.ask(1) else { panic!() };
    assert_eq!((breach.limit, breach.wait), (5, Duration::from_secs(30 * 86_400)));
}

#[test]
fn quotas_and_charges_go_on_where_the_ledger_left_them() {
    let mut scene = scene(limited(Limits { per_day: at_most(10), ..Limits::default() }));
    let family = Family::CommonApi;
    scene.terms.family_limits = vec![(family, Limits { per_month: at_most(5), ..Limits::default() })];
    let calls = |today, this_month| Admitted { today, this_month };
    let families =
        [(Some(Family::TaxpayerApi), calls(4, 40)), (Some(family), calls(1, 4)), (None, calls(3, 3))];
    let past = AspOpening { prepaid_units: 7, postpaid_units_this_month: 9, families: families.into() };
    scene.accounts.restore(&Opening { asps: [(asp(), past)].into() });
    let standing = scene.standing();
    assert_eq!((standing.prepaid_charged, standing.postpaid_charged), (7, 9));
    assert_eq!((standing.today, standing.this_month), (8, 47));
    assert!(scene.ask_in(family, 1).is_ok_and(|(hold, _)| hold.settle(Verdict::Answered).units == 0));
    let refusal = scene.ask_in(family, 1).err();
    assert!(
        matches!(refusal, Some(Refusal::Limit(Breach { measure: Measure::Month, family: Some(_), .. }))),
        "{refusal:?}"
    );
    assert_eq!((scene.call(), scene.call()), (Ok(()), Err(Measure::Day)));
}

#[test]
fn a_refused_call_takes_nothing_of_the_other_limits() {
    let limits = Limits { per_second: at_most(1), per_day: at_most(1), ..Limits::default() };
    let mut scene = scene(Terms { limits, ..prepaid(1) });
    let under_way = scene.ask(1).unwrap();
    scene.clock.advance(1_000);
    for _ in 0..10 {
        assert!(scene.ask(1).is_err());
    }
    let standing = scene.standing();
    assert_eq!((standing.today, standing.under_way, standing.prepaid_reserved), (1, 1, 1));
    scene.terms.limits.per_day = None;
    under_way.settle(Verdict::Forwarded);
    assert_eq!(scene.call(), Ok(()), "neither the rate's place nor the credit was used up");
}

#[test]
fn a_familys_limits_hold_beside_those_of_all_calls() {
    let mut scene = scene(limited(Limits { concurrent: at_most(3), ..Limits::default() }));
    let of_family = Limits { concurrent: at_most(2), ..Limits::default() };
    scene.terms.family_limits = vec![(Family::CommonApi, of_family)];
    let refused_by = |family| match scene.ask_in(family, 1) {
        Err(Refusal::Limit(breach)) => Some(breach.family),
        _ => None,
    };
    let common = [(); 2].map(|()| scene.ask_in(Family::CommonApi, 1).unwrap());
    assert_eq!(refused_by(Family::CommonApi), Some(Some(Family::CommonApi)));
    let other = scene.ask_in(Family::TaxpayerApi, 1).unwrap();
    assert_eq!(refused_by(Family::TaxpayerApi), Some(None));
    drop((common, other));
    assert_eq!(refused_by(Family::CommonApi), None);
}

#[test]
fn what_was_agreed_goes_before_the_default_and_changes_at_once() {
    let mut scene = scene(Terms::default());
    scene.defaults = AspLimits { concurrent: Some(1), ..AspLimits::default() };
    let first = scene.ask(1).unwrap();
    assert!(scene.ask(1).is_err());
    scene.terms.limits.concurrent = Some(Limit::Unlimited);
    let more = [(); 5].map(|()| scene.ask(1).unwrap());
    scene.terms.limits.concurrent = at_most(2);
    assert!(scene.ask(1).is_err(), "lowered below what is in use");
    drop(more);
    assert!(scene.ask(1).is_ok());
    drop(first);
}

#[test]
fn a_hundred_a_second_is_a_thousand_in_ten_seconds() {
    let scene = scene(limited(Limits { per_second: at_most(100), ..Limits::default() }));
    let mut served = 0;
    for _ in 0..10_000 {
        let at_once = (0..20).filter(|_| scene.call().is_ok()).count();
        assert!(at_once <= 10, "{at_once} at one instant");
        served += at_once;
        scene.clock.advance(1);
    }
    assert!((990..=1010).contains(&served), "{served} in ten seconds");
}

#[test]
fn the_nearest_limit_is_told() {
    let limits = Limits { per_day: at_most(4), per_month: at_most(100), ..Limits::default() };
    let scene = scene(limited(limits));
    let notice = || scene.ask_in(Family::TaxpayerApi, 1).unwrap().1.unwrap();
    let (hold, told) = scene.ask_in(Family::TaxpayerApi, 1).unwrap();
    hold.settle(Verdict::Answered);
    assert_eq!(told.unwrap(), Notice { limit: 4, remaining: 3, reset: Duration::from_secs(1800) });
    // What is dropped was not admitted.
    assert_eq!((notice().remaining, notice().remaining), (2, 2));
    let mut headers = http::HeaderMap::new();
    Notice { limit: 10, remaining: 9, reset: Duration::from_millis(10) }.write(&mut headers);
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    assert_eq!(
        [header("ratelimit-limit"), header("ratelimit-remaining"), header("ratelimit-reset")],
        ["10", "9", "1"]
    );
}

#[test]
fn observed_limits_are_counted_and_refuse_nobody() {
    let mut scene = scene(limited(Limits {
        per_second: at_most(1),
        per_day: at_most(2),
        concurrent: at_most(1),
        ..Limits::default()
    }));
    scene.defaults.mode = LimitMode::Observe;
    let calls = [(); 5].map(|()| scene.ask(1).unwrap());
    let observed = |measure| scene.accounts.observed(measure);
    assert_eq!(Measure::ALL.map(observed), [4, 4, 3, 0]);
    drop(calls);
    scene.terms = prepaid(0);
    assert!(scene.ask(1).is_err(), "the balance is no limit that could be observed");
}

#[test]
fn sixty_four_threads_get_exactly_the_last_ten_units() {
    let scene = scene(prepaid(10));
    let barrier = Barrier::new(64);
    let race = |_| {
        barrier.wait();
        scene.ask(1).map(|hold| hold.settle(Verdict::Answered).units).unwrap_or(0)
    };
    let served: u64 = thread::scope(|scope| {
        let threads: Vec<_> = (0..64).map(|call| scope.spawn(move || race(call))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!((served, scene.left()), (10, 0));
}

/// What a thread does with a call.
#[derive(Debug, Clone, Copy)]
struct Step {
    cost: u64,
    /// 0 to 3: a verdict; else the call is dropped.
    end: u8,
    /// Whether the next call begins before this one ends.
    kept: bool,
}

fn steps() -> impl Strategy<Value = Vec<Vec<Step>>> {
    let step = (0_u64..4, 0_u8..5, any::<bool>()).prop_map(|(cost, end, kept)| Step { cost, end, kept });
    prop::collection::vec(prop::collection::vec(step, 1..40), 2..5)
}

fn end(hold: Hold, end: u8) -> u64 {
    let verdicts = [Verdict::NotSent, Verdict::Forwarded, Verdict::Answered, Verdict::Succeeded];
    match verdicts.get(usize::from(end)) {
        Some(verdict) => hold.settle(*verdict).units,
        None => 0,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn never_below_zero_and_never_above_a_limit_however_threads_interleave(
        threads in steps(),
        topped_up in 0_i64..60,
        most in 1_u64..6,
    ) {
        let limits = Limits { concurrent: at_most(most), ..Limits::default() };
        let scene = scene(Terms { limits, ..prepaid(topped_up) });
        let run = |steps: Vec<Step>| {
            let (mut charged, mut kept) = (0, Vec::new());
            for step in steps {
                if let Ok(hold) = scene.ask(step.cost) {
                    kept.push((hold, step.end));
                }
                let standing = scene.standing();
                assert!(standing.left(topped_up) >= 0, "{standing:?}");
                assert!(standing.under_way <= most, "{standing:?}");
                if !step.kept {
                    charged += kept.drain(..).map(|(hold, how)| end(hold, how)).sum::<u64>();
                }
            }
            charged + kept.into_iter().map(|(hold, how)| end(hold, how)).sum::<u64>()
        };
        let run = &run;
        let charged: u64 = thread::scope(|scope| {
            let threads: Vec<_> = threads.into_iter().map(|steps| scope.spawn(move || run(steps))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        let standing = scene.standing();
        prop_assert_eq!(standing.prepaid_charged, charged);
        prop_assert_eq!((standing.prepaid_reserved, standing.under_way), (0, 0));
        prop_assert_eq!(standing.left(topped_up), topped_up - i64::try_from(charged).unwrap());
    }
}
