//! What each ASP has used of its balance and its limits, in one environment.
//!
//! An [`Account`] is one lock: everything is checked under it before anything is taken, so that a call that is refused for one
//! reason uses up nothing of the others, and no number of calls at once can take the last credit twice. What a call may
//! cost is reserved by its [`Hold`], and becomes a charge or is given back when the call is settled.
//!
//! What was agreed comes with each call, out of the registry's snapshot; here is only what was used. Charges and quotas are
//! those of the ledger, rates begin anew with the gateway.

mod calendar;
mod limits;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use foldhash::HashMap;
use gstn::AspId;
use gstn::catalogue::Family;
use jiff::Timestamp;
use suvidha_seam::Seam;
use suvidha_store::ledger::{AspOpening, Opening};
use suvidha_store::{Limits, PlanKind, Terms};
use tracing::warn;

use self::calendar::{Calendar, in_words};
use self::limits::Used;
pub(crate) use self::limits::{Breach, Measure, Notice, whole_seconds};
use crate::config::{AspLimits, ChargeRule, LimitMode};
use crate::gcra::{Counted, Limiter, Rate};

/// The accounts of one environment.
pub(crate) struct Accounts {
    seam: Seam,
    of: ArcSwap<HashMap<AspId, Arc<Account>>>,
    /// How often a limit was reached that is only observed.
    observed: [AtomicU64; Measure::ALL.len()],
    /// Of those, the log is told once a minute for each ASP.
    told: Limiter<(AspId, Measure)>,
}

/// What an ASP has used.
pub(crate) struct Account {
    seam: Seam,
    state: Mutex<State>,
}

struct State {
    calendar: Calendar,
    whole: Used,
    families: [Used; Family::ALL.len()],
    /// Units on prepaid plans, ever.
    prepaid: Units,
    /// Units on postpaid plans, this month.
    postpaid: Units,
}

/// What was charged, and what calls under way may yet be.
#[derive(Debug, Clone, Copy, Default)]
struct Units {
    charged: u64,
    reserved: u64,
}

/// A call that asks to be admitted.
pub(crate) struct Ask<'a> {
    pub(crate) terms: &'a Terms,
    /// What holds where nothing was agreed.
    pub(crate) defaults: &'a AspLimits,
    pub(crate) family: Family,
    /// In units.
    pub(crate) cost: u64,
    pub(crate) rule: ChargeRule,
}

/// Why a call is not admitted. Nothing was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    Limit(Breach),
    /// The balance is too small.
    NoCredit {
        left: i64,
        reserved: u64,
        cost: u64,
    },
    CreditExpired {
        at: Timestamp,
    },
    /// The postpaid plan's units of this month are used up.
    Cap {
        cap: u64,
        used: u64,
        cost: u64,
    },
}

/// How far a call came that was admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    /// It was not sent to GSTN.
    NotSent,
    /// It was, or may have been, but no whole answer of GSTN's came.
    Forwarded,
    /// GSTN answered.
    Answered,
    /// And was content.
    Succeeded,
}

/// What a call cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Charge {
    pub(crate) plan: PlanKind,
    pub(crate) units: u64,
}

/// Where an account stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Standing {
    /// Units charged on prepaid plans, ever.
    pub(crate) prepaid_charged: u64,
    /// Units that prepaid calls under way may cost.
    pub(crate) prepaid_reserved: u64,
    /// Units charged on postpaid plans this month (IST).
    pub(crate) postpaid_charged: u64,
    /// Calls under way.
    pub(crate) under_way: u64,
    /// Calls admitted today, and this month (IST).
    pub(crate) today: u64,
    pub(crate) this_month: u64,
}

impl Standing {
    /// What is left of prepaid units of which `topped_up` were ever bought, once every call under way was charged.
    pub(crate) fn left(&self, topped_up: i64) -> i64 {
        let used = self.prepaid_charged.saturating_add(self.prepaid_reserved);
        topped_up.saturating_sub_unsigned(used)
    }
}

impl Accounts {
    pub(crate) fn new(seam: Seam) -> Self {
        Self { seam, of: ArcSwap::default(), observed: Default::default(), told: Limiter::new(1 << 16) }
    }

    /// Puts every account where the ledger left it, before the first call.
    pub(crate) fn restore(&self, opening: &Opening) {
        let restored = opening.asps.iter().map(|(aspid, past)| {
            let account = Account::new(self.seam.clone());
            account.lock(self.seam.now()).restore(past);
            (*aspid, Arc::new(account))
        });
        self.of.store(Arc::new(restored.collect()));
    }

    /// The account of an ASP; a new one, where it has not called before.
    pub(crate) fn account(&self, aspid: AspId) -> Arc<Account> {
        if let Some(account) = self.of.load().get(&aspid) {
            return Arc::clone(account);
        }
        let new = Arc::new(Account::new(self.seam.clone()));
        self.of.rcu(|of| {
            let mut more = HashMap::clone(of);
            more.entry(aspid).or_insert_with(|| Arc::clone(&new));
            more
        });
        self.of.load().get(&aspid).map_or(new, Arc::clone)
    }

    /// Admits a call of `aspid`, or says why not. Beside the hold: the limit that is nearest now.
    pub(crate) fn admit(&self, aspid: AspId, ask: &Ask<'_>) -> Result<(Hold, Option<Notice>), Refusal> {
        let (hold, notice, observed) = self.account(aspid).admit(ask)?;
        for breach in observed {
            self.observed[breach.measure as usize].fetch_add(1, Ordering::Relaxed);
            self.tell(aspid, breach);
        }
        Ok((hold, notice))
    }

    /// Gives back what a call was charged whose entry could not be written.
    pub(crate) fn give_back(&self, aspid: AspId, charge: Charge, at: Timestamp) {
        self.amend(aspid, charge, at, u64::saturating_sub);
    }

    /// Charges what was [given back](Self::give_back) of a call whose entry turned out to be written.
    pub(crate) fn charge_again(&self, aspid: AspId, charge: Charge, at: Timestamp) {
        self.amend(aspid, charge, at, u64::saturating_add);
    }

    fn amend(&self, aspid: AspId, charge: Charge, at: Timestamp, by: fn(u64, u64) -> u64) {
        let account = self.account(aspid);
        let mut state = account.lock(self.seam.now());
        let this_month = state.calendar.is_month_of(&Calendar::at(at));
        if let Some(units) = state.units(charge.plan, this_month) {
            units.charged = by(units.charged, charge.units);
        }
    }

    /// Where the account of an ASP stands.
    pub(crate) fn standing(&self, aspid: AspId) -> Standing {
        let known = self.of.load().get(&aspid).map(Arc::clone);
        known.map(|account| account.lock(self.seam.now()).standing()).unwrap_or_default()
    }

    /// How often a limit was reached that is only observed.
    pub(crate) fn observed(&self, measure: Measure) -> u64 {
        self.observed[measure as usize].load(Ordering::Relaxed)
    }

    fn tell(&self, aspid: AspId, breach: Breach) {
        let (now, once) = (self.seam.now(), Rate::per_minute(1));
        let key = (aspid, breach.measure);
        if self.told.wait(once, &key, now).is_some() {
            return;
        }
        self.told.count(once, key, now);
        warn!(
            target: "suvidha::gateway",
            aspid = aspid.as_str(),
            measure = breach.measure.as_str(),
            family = breach.family.map(Family::as_str),
            limit = breach.limit,
            "an ASP calls beyond a limit that is only observed; told once a minute"
        );
    }
}

impl Account {
    fn new(seam: Seam) -> Self {
        let state = State {
            calendar: Calendar::at(seam.now()),
            whole: Used::default(),
            families: Default::default(),
            prepaid: Units::default(),
            postpaid: Units::default(),
        };
        Self { seam, state: Mutex::new(state) }
    }

    fn admit(self: Arc<Self>, ask: &Ask<'_>) -> Result<(Hold, Option<Notice>, Vec<Breach>), Refusal> {
        let now = self.seam.now();
        let whole = ask.terms.limits.or(ask.defaults.limits());
        let own = ask.terms.family_limits.iter().find(|(family, _)| *family == ask.family);
        let of_family = own.map(|(_, limits)| *limits).unwrap_or_default();
        let mut state = self.lock(now);
        state.check_credit(ask, now)?;
        let breaches = state.breaches(&whole, &of_family, ask.family, now);
        if ask.defaults.mode == LimitMode::Enforce
            && let Some(worst) = breaches.iter().max_by_key(|breach| breach.wait)
        {
            return Err(Refusal::Limit(*worst));
        }
        let counted =
            [state.whole.take(&whole, now), state.families[ask.family as usize].take(&of_family, now)];
        let plan = ask.terms.plan.kind;
        if let Some(units) = state.units(plan, true) {
            units.reserved = units.reserved.saturating_add(ask.cost);
        }
        let (calendar, family) = (state.calendar, &state.families[ask.family as usize]);
        let nearest =
            [state.whole.nearest(&whole, now, &calendar), family.nearest(&of_family, now, &calendar)];
        let notice = nearest.into_iter().flatten().reduce(Notice::nearer);
        drop(state);
        let terms = Held { plan, cost: ask.cost, rule: ask.rule, family: ask.family, calendar, counted };
        Ok((Hold { account: self, held: Some(terms) }, notice, breaches))
    }

    /// The account as it is at `now`: what belongs to a day or a month that is over is forgotten.
    fn lock(&self, now: Timestamp) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.turn_to(now);
        state
    }
}

impl State {
    fn restore(&mut self, past: &AspOpening) {
        self.prepaid.charged = past.prepaid_units;
        self.postpaid.charged = past.postpaid_units_this_month;
        for (family, calls) in &past.families {
            let of_family = family.map(|family| &mut self.families[family as usize]);
            for used in [Some(&mut self.whole), of_family].into_iter().flatten() {
                used.today += calls.today;
                used.this_month += calls.this_month;
            }
        }
    }

    fn turn_to(&mut self, now: Timestamp) {
        if self.calendar.covers(now) {
            return;
        }
        let calendar = Calendar::at(now);
        let another_month = !calendar.is_month_of(&self.calendar);
        for used in self.families.iter_mut().chain([&mut self.whole]) {
            used.today = 0;
            if another_month {
                used.this_month = 0;
            }
        }
        if another_month {
            self.postpaid = Units::default();
        }
        self.calendar = calendar;
    }

    /// The units that a plan counts; of a month that is over none are counted.
    fn units(&mut self, plan: PlanKind, this_month: bool) -> Option<&mut Units> {
        match plan {
            PlanKind::Prepaid => Some(&mut self.prepaid),
            PlanKind::Postpaid => this_month.then_some(&mut self.postpaid),
            PlanKind::Unmetered => None,
        }
    }

    fn check_credit(&self, ask: &Ask<'_>, now: Timestamp) -> Result<(), Refusal> {
        let (terms, cost) = (ask.terms, ask.cost);
        match (terms.plan.kind, terms.plan.monthly_cap) {
            _ if cost == 0 => Ok(()),
            (PlanKind::Prepaid, _) => {
                let left = self.standing().left(terms.topped_up);
                if left < i64::try_from(cost).unwrap_or(i64::MAX) {
                    return Err(Refusal::NoCredit { left, reserved: self.prepaid.reserved, cost });
                }
                match terms.expires_at.filter(|at| *at <= now) {
                    Some(at) => Err(Refusal::CreditExpired { at }),
                    None => Ok(()),
                }
            }
            (PlanKind::Postpaid, Some(cap)) => {
                let used = self.postpaid.charged.saturating_add(self.postpaid.reserved);
                if used.saturating_add(cost) > cap { Err(Refusal::Cap { cap, used, cost }) } else { Ok(()) }
            }
            (PlanKind::Postpaid, None) | (PlanKind::Unmetered, _) => Ok(()),
        }
    }

    fn breaches(&self, whole: &Limits, of_family: &Limits, family: Family, now: Timestamp) -> Vec<Breach> {
        let of_whole = self.whole.breaches(whole, None, now, &self.calendar);
        let used = &self.families[family as usize];
        of_whole.chain(used.breaches(of_family, Some(family), now, &self.calendar)).collect()
    }

    fn standing(&self) -> Standing {
        Standing {
            prepaid_charged: self.prepaid.charged,
            prepaid_reserved: self.prepaid.reserved,
            postpaid_charged: self.postpaid.charged,
            under_way: self.whole.under_way,
            today: self.whole.today,
            this_month: self.whole.this_month,
        }
    }
}

/// What a call that was admitted holds of its ASP's account. Dropped unsettled, the call was never admitted: all of it is
/// given back.
pub(crate) struct Hold {
    account: Arc<Account>,
    held: Option<Held>,
}

struct Held {
    plan: PlanKind,
    cost: u64,
    rule: ChargeRule,
    family: Family,
    /// The day on which it was admitted.
    calendar: Calendar,
    counted: [Option<Counted>; 2],
}

impl Hold {
    /// The call is over: charges it, or gives back what was reserved.
    pub(crate) fn settle(mut self, verdict: Verdict) -> Charge {
        let Some(held) = self.held.take() else { return Charge { plan: PlanKind::Unmetered, units: 0 } };
        let is_charged = match held.rule {
            ChargeRule::Forwarded => verdict >= Verdict::Forwarded,
            ChargeRule::Answered => verdict >= Verdict::Answered,
            ChargeRule::Succeeded => verdict >= Verdict::Succeeded,
        };
        let mut state = self.account.lock(self.account.seam.now());
        state.end(&held);
        let this_month = state.calendar.is_month_of(&held.calendar);
        let units = if is_charged && held.plan != PlanKind::Unmetered { held.cost } else { 0 };
        if let Some(counted) = state.units(held.plan, this_month) {
            counted.charged = counted.charged.saturating_add(units);
        }
        Charge { plan: held.plan, units }
    }
}

impl State {
    /// A call is not under way any more.
    fn end(&mut self, held: &Held) {
        for used in [&mut self.whole, &mut self.families[held.family as usize]] {
            used.under_way = used.under_way.saturating_sub(1);
        }
        let this_month = self.calendar.is_month_of(&held.calendar);
        if let Some(units) = self.units(held.plan, this_month) {
            units.reserved = units.reserved.saturating_sub(held.cost);
        }
    }

    /// A call was not admitted after all.
    fn undo(&mut self, held: &Held, now: Timestamp) {
        self.end(held);
        let today = self.calendar.day == held.calendar.day;
        let this_month = self.calendar.is_month_of(&held.calendar);
        let of_family = &mut self.families[held.family as usize];
        for (used, counted) in [&mut self.whole, of_family].into_iter().zip(held.counted) {
            used.today = used.today.saturating_sub(u64::from(today));
            used.this_month = used.this_month.saturating_sub(u64::from(this_month));
            used.take_back(counted, now);
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(held) = self.held.take() {
            let now = self.account.seam.now();
            self.account.lock(now).undo(&held, now);
        }
    }
}

impl Refusal {
    /// For the headers, where it was a limit.
    pub(crate) fn notice(&self) -> Option<Notice> {
        match self {
            Self::Limit(breach) => Some(breach.notice()),
            _ => None,
        }
    }

    /// What the ASP is told.
    pub(crate) fn words(&self) -> String {
        match *self {
            Self::Limit(breach) => breach.words(),
            Self::NoCredit { left, reserved: 0, cost } => {
                format!("The balance is {left} units, and this call costs {cost}.")
            }
            Self::NoCredit { left, reserved, cost } => format!(
                "The balance is {left} units beside the {reserved} that calls under way may cost, and this call costs {cost}."
            ),
            Self::CreditExpired { at } => {
                format!("The balance could be used until {}.", in_words(at))
            }
            Self::Cap { cap, used, cost } => format!(
                "{cap} units may be used in a month; {used} are, with the calls under way, and this call costs {cost}."
            ),
        }
    }
}
