//! `suvidha asp topup`: credit for the prepaid calls of an ASP.

use std::str::FromStr;

use clap::Args;
use gstn::{AspId, Environment};
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use serde::Serialize;
use suvidha_store::{CreditRow, Registry, TopUp};

use super::balance::{Ledgers, Standing, advice};
use crate::cli::environment;
use crate::exit::{Exit, Failure};
use crate::india::{end_of, last_day, today};
use crate::output::{Answer, Output, fields, instant, table};

/// `suvidha asp topup`.
#[derive(Debug, Args)]
pub(crate) struct Topup {
    /// Ten digits
    aspid: AspId,
    /// Where the credit is good: sandbox or production
    #[arg(long, value_parser = environment)]
    environment: Environment,
    /// How many units it adds, at most 1000000000; 0 moves the expiry alone. A call costs one, where the gateway's
    /// configuration does not say otherwise
    #[arg(value_parser = clap::value_parser!(u64).range(..=1_000_000_000))]
    units: u64,
    /// The last day (in India) on which the credit can be used, such as 2027-03-31, or in how many days that is, such as 365d.
    /// It counts for everything that is left, not for these units alone. Needed, except with --take-back
    #[arg(long, value_name = "DATE|DURATION", required_unless_present = "take_back")]
    expires: Option<Expiry>,
    /// What it is for, such as the number of an invoice
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Take the units back instead, as far as they are not used: for what was added by mistake. The expiry stays, unless
    /// --expires is given. Calls that are made before a running gateway has followed may use them still, and leave a
    /// balance below zero; suspend the ASP first where that matters
    #[arg(long)]
    take_back: bool,
}

/// When credit is to expire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expiry {
    /// After this day.
    After(Date),
    /// After the day that is so many days from today.
    AfterDays(u16),
}

impl FromStr for Expiry {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let days = text.strip_suffix('d').and_then(|days| days.parse().ok()).map(Self::AfterDays);
        // A date with a time after it would lose its time.
        let day = || text.parse().ok().filter(|_| text.len() == "2027-03-31".len()).map(Self::After);
        days.or_else(day).ok_or_else(|| {
            "expected the last day on which the credit can be used, e.g. 2027-03-31, or a number of days, e.g. 365d"
                .to_owned()
        })
    }
}

impl Expiry {
    /// The instant from which on nothing can be used.
    fn instant(self, now: Timestamp) -> Result<Timestamp, Failure> {
        let today = today(now);
        let day = match self {
            Self::After(day) => day,
            Self::AfterDays(days) => today.saturating_add(i32::from(days).days()),
        };
        if day < today {
            return Err(Failure::new(
                Exit::Data,
                format_args!("--expires {day} is over: it is {today} in India"),
            )
            .remedy("name today or a later day"));
        }
        Ok(end_of(day))
    }
}

/// Runs `suvidha asp topup`.
pub(super) fn run(
    registry: &Registry,
    ledgers: &Ledgers,
    topup: Topup,
    now: Timestamp,
    output: Output,
) -> Result<(), Failure> {
    let Topup { aspid, environment, units, expires, note, take_back } = topup;
    let expires_at = expires.map(|expires| expires.instant(now)).transpose()?;
    let mut change = TopUp { units: units.cast_signed(), expires_at, note };
    if take_back {
        require_unused(registry, ledgers, &aspid, environment, units)?;
        change.units = -change.units;
    }
    let row = registry.top_up(&aspid, environment, change)?;
    let standing = Standing::of(registry, ledgers, &aspid, environment, now)?;
    output.show(&ToppedUp { aspid: aspid.as_str(), credit: row.into(), standing })
}

/// What was used cannot be taken back.
fn require_unused(
    registry: &Registry,
    ledgers: &Ledgers,
    aspid: &AspId,
    environment: Environment,
    units: u64,
) -> Result<(), Failure> {
    let topped_up = registry.terms(aspid, environment)?.topped_up;
    let used = ledgers.used(aspid, environment).map_err(|error| {
        Failure::new(Exit::Io, error).remedy("without it, what is left to take back is not known")
    })?;
    let left = topped_up.saturating_sub_unsigned(used);
    if left < units.cast_signed() {
        let message = format_args!(
            "{units} units cannot be taken back: ASP {aspid} has {left} of {topped_up} left in {environment}"
        );
        return Err(Failure::new(Exit::Data, message).remedy("take back at most what is left"));
    }
    Ok(())
}

#[derive(Serialize)]
struct ToppedUp<'a> {
    aspid: &'a str,
    credit: Row,
    #[serde(flatten)]
    standing: Standing,
}

impl Answer for ToppedUp<'_> {
    fn words(&self) -> String {
        let change = match self.credit.units {
            taken @ ..0 => ("taken back", (-taken).to_string()),
            added => ("added", added.to_string()),
        };
        let mut lines = vec![("aspid", self.aspid.to_owned()), change];
        lines.extend(self.standing.lines());
        fields(&lines) + &advice(&self.standing, self.aspid)
    }
}

/// The top-ups of an ASP in an environment, and what was taken back.
pub(super) fn list(registry: &Registry, aspid: &AspId, environment: Environment) -> Result<Credits, Failure> {
    Ok(Credits(registry.credits(aspid, environment)?.into_iter().map(Row::from).collect()))
}

/// Top-ups and take-backs, the oldest first.
#[derive(Serialize)]
pub(super) struct Credits(Vec<Row>);

#[derive(Serialize)]
struct Row {
    id: i64,
    units: i64,
    expires_at: Option<String>,
    /// In India.
    last_day: Option<String>,
    note: Option<String>,
    created_at: String,
}

impl From<CreditRow> for Row {
    fn from(row: CreditRow) -> Self {
        Self {
            id: row.id,
            units: row.units,
            expires_at: row.expires_at.map(instant),
            last_day: row.expires_at.map(|at| last_day(at).to_string()),
            note: row.note,
            created_at: instant(row.created_at),
        }
    }
}

impl Answer for Credits {
    fn words(&self) -> String {
        if self.0.is_empty() {
            return "none\n".to_owned();
        }
        let row = |row: &Row| {
            [
                row.id.to_string(),
                row.created_at.clone(),
                format!("{:+}", row.units),
                row.last_day.as_ref().map_or("as before".to_owned(), |day| format!("{day} IST")),
                row.note.clone().unwrap_or_else(|| "-".to_owned()),
            ]
        };
        table(["ID", "SINCE", "UNITS", "GOOD UNTIL", "NOTE"], &self.0.iter().map(row).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(text: &str) -> Result<String, String> {
        let now = "2026-11-22T20:00:00Z".parse().unwrap();
        let expiry = text.parse::<Expiry>()?;
        expiry.instant(now).map(instant).map_err(|failure| failure.to_string())
    }

    #[test]
    fn credit_can_be_used_until_the_end_of_its_last_day_in_india() {
        let at = |text: &str| Ok(text.to_owned());
        assert_eq!(ends("2027-03-31"), at("2027-03-31T18:30:00Z"));
        assert_eq!(ends("2026-11-23"), at("2026-11-23T18:30:00Z"), "it is the 23rd in India");
        assert_eq!(ends("0d"), at("2026-11-23T18:30:00Z"), "today");
        assert_eq!(ends("30d"), at("2026-12-23T18:30:00Z"));
        let over = ends("2026-11-22").unwrap_err();
        assert!(over.contains("--expires 2026-11-22 is over: it is 2026-11-23 in India"), "{over}");
    }

    #[test]
    fn what_is_no_day_is_refused() {
        for wrong in
            ["", "never", "d", "-1d", "6h", "2027-02-29", "31-03-2027", "2027-03-31T12:00:00", "99999d"]
        {
            assert!(wrong.parse::<Expiry>().is_err(), "{wrong:?}");
        }
    }
}
