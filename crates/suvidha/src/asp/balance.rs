//! What is agreed with an ASP in an environment beside what it has used: the registry knows the one, the ledger the other.

use std::cell::{Cell, OnceCell};
use std::path::PathBuf;

use gstn::{AspId, Environment};
use jiff::Timestamp;
use serde::Serialize;
use suvidha_gateway::config::Ledger;
use suvidha_store::ledger::{Filter, LedgerError, LedgerReader};
use suvidha_store::{PlanKind, Registry, Terms};

use crate::cli::RegistryOptions;
use crate::exit::Failure;
use crate::india::{last_day, start_of_month};
use crate::ledger;
use crate::output::{instant, warn};

/// The ledgers beside the registry, each opened when something is asked of it.
pub(super) struct Ledgers {
    directory: PathBuf,
    opened: [OnceCell<Opened>; 2],
    /// Of which one it was told that it cannot be read.
    told: [Cell<bool>; 2],
}

/// A ledger; nothing where no gateway has begun it yet; or why it cannot be read.
type Opened = Result<Option<LedgerReader>, String>;

impl Ledgers {
    /// The ledgers that belong to the registry which the options of a command name.
    pub(super) fn from_options(options: &RegistryOptions) -> Result<Self, Failure> {
        let directory = ledger::directory(options.config.as_deref(), options.data.as_deref())?;
        Ok(Self { directory, opened: Default::default(), told: Default::default() })
    }

    /// The units that were ever charged to an ASP on a prepaid plan.
    ///
    /// # Errors
    /// Why the ledger cannot be read.
    pub(super) fn used(&self, aspid: &AspId, environment: Environment) -> Result<u64, String> {
        self.read(environment, |ledger| ledger.charged(aspid))
    }

    /// The units that were charged to an ASP on a postpaid plan in the month that `now` is in.
    fn used_this_month(
        &self,
        aspid: &AspId,
        environment: Environment,
        now: Timestamp,
    ) -> Result<u64, String> {
        let this_month = Filter { aspid: Some(*aspid), from: Some(start_of_month(now)), ..Filter::default() };
        self.read(environment, |ledger| {
            Ok(ledger.summary(&this_month, &[])?.iter().map(|group| group.totals.postpaid_units).sum())
        })
    }

    /// What `read` finds in a ledger; none where no gateway has begun it yet.
    fn read(
        &self,
        environment: Environment,
        read: impl FnOnce(&LedgerReader) -> Result<u64, LedgerError>,
    ) -> Result<u64, String> {
        let open = || match LedgerReader::open(&Ledger::file_in(&self.directory, environment)) {
            Ok(ledger) => Ok(Some(ledger)),
            Err(LedgerError::Missing { .. }) => Ok(None),
            Err(error) => Err(error.to_string()),
        };
        match self.opened[environment as usize].get_or_init(open) {
            Ok(Some(ledger)) => read(ledger).map_err(|error| error.to_string()),
            Ok(None) => Ok(0),
            Err(words) => Err(words.clone()),
        }
    }

    /// What was used, where what is shown can do without: whatever keeps the ledger from being read is a warning, told once.
    fn or_warn(&self, environment: Environment, used: Result<u64, String>) -> Option<u64> {
        if let Err(error) = &used
            && !self.told[environment as usize].replace(true)
        {
            warn(format_args!("what was used in {environment} is unknown: {error}"));
        }
        used.ok()
    }
}

/// How an ASP pays in an environment, and what is left of its credit.
#[derive(Serialize)]
pub(super) struct Standing {
    pub(super) environment: Environment,
    pub(super) plan: PlanKind,
    monthly_cap: Option<u64>,
    /// Units on the postpaid plan; nothing on another plan, or where the ledger cannot be read.
    used_this_month: Option<u64>,
    topped_up: i64,
    /// Of what was topped up; nothing where the ledger cannot be read.
    used: Option<u64>,
    balance: Option<i64>,
    expires_at: Option<String>,
    /// The last day of the credit, in India.
    last_day: Option<String>,
    expired: bool,
}

impl Standing {
    /// How the ASP stands in `environment` at `now`.
    pub(super) fn of(
        registry: &Registry,
        ledgers: &Ledgers,
        aspid: &AspId,
        environment: Environment,
        now: Timestamp,
    ) -> Result<Self, Failure> {
        let Terms { plan, topped_up, expires_at, .. } = registry.terms(aspid, environment)?;
        let used = ledgers.or_warn(environment, ledgers.used(aspid, environment));
        let this_month = match plan.kind {
            PlanKind::Postpaid => {
                ledgers.or_warn(environment, ledgers.used_this_month(aspid, environment, now))
            }
            PlanKind::Prepaid | PlanKind::Unmetered => None,
        };
        Ok(Self {
            environment,
            plan: plan.kind,
            monthly_cap: plan.monthly_cap,
            used_this_month: this_month,
            topped_up,
            used,
            balance: used.map(|used| topped_up.saturating_sub_unsigned(used)),
            expires_at: expires_at.map(instant),
            last_day: expires_at.map(|at| last_day(at).to_string()),
            expired: expires_at.is_some_and(|at| at <= now),
        })
    }

    /// For a list: `prepaid, 750 left until 2027-03-31`.
    pub(super) fn in_short(&self) -> String {
        match (self.plan, self.monthly_cap) {
            (PlanKind::Prepaid, _) => {
                let until = match &self.last_day {
                    Some(day) if self.expired => format!(", expired after {day}"),
                    Some(day) => format!(" until {day}"),
                    None => String::new(),
                };
                format!("{}: prepaid, {} left{until}", self.environment, self.balance())
            }
            (PlanKind::Postpaid, cap) => {
                let cap = cap.map_or_else(String::new, |cap| format!(" of {cap}"));
                format!(
                    "{}: postpaid, {}{cap} used this month",
                    self.environment,
                    units(self.used_this_month)
                )
            }
            (PlanKind::Unmetered, _) => format!("{}: unmetered", self.environment),
        }
    }

    /// Whether there is anything to tell of credit.
    fn has_credit(&self) -> bool {
        self.plan == PlanKind::Prepaid || self.last_day.is_some()
    }

    pub(super) fn balance(&self) -> String {
        if self.has_credit() { units(self.balance) } else { "-".to_owned() }
    }

    pub(super) fn good_until(&self) -> String {
        match &self.last_day {
            Some(day) if self.expired => format!("{day} IST (expired)"),
            Some(day) => format!("{day} IST"),
            None => "-".to_owned(),
        }
    }

    pub(super) fn monthly_cap(&self) -> String {
        match (self.plan, self.monthly_cap) {
            (PlanKind::Postpaid, Some(cap)) => cap.to_string(),
            (PlanKind::Postpaid, None) => "none".to_owned(),
            _ => "-".to_owned(),
        }
    }

    /// The lines that tell of it, for [`fields`](crate::output::fields).
    pub(super) fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = vec![("environment", self.environment.to_string()), ("plan", self.plan.to_string())];
        if self.plan == PlanKind::Postpaid {
            lines.push(("monthly cap", self.monthly_cap()));
            lines.push(("used this month", units(self.used_this_month)));
        }
        if self.has_credit() {
            lines.extend([
                ("topped up", self.topped_up.to_string()),
                ("used", units(self.used)),
                ("balance", self.balance()),
                ("good until", self.good_until()),
            ]);
        }
        lines
    }
}

fn units(number: Option<impl ToString>) -> String {
    number.map_or("unknown".to_owned(), |number| number.to_string())
}

/// What an ASP of another plan is not charged against.
pub(super) fn advice(standing: &Standing, aspid: &str) -> String {
    let Standing { plan, environment, .. } = standing;
    match plan {
        PlanKind::Prepaid => String::new(),
        _ => format!(
            "\nThe plan is {plan}: the credit is not used before `suvidha asp plan {aspid} --environment {environment} prepaid`.\n"
        ),
    }
}
