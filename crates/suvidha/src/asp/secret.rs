//! `suvidha asp secret`: the ASP secret, under which GetKey hands session keys out. It is changed with an overlap, in
//! which the old one and the new one count.

use std::time::Duration;

use clap::Subcommand;
use gstn::{AspId, Environment};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use suvidha_seam::Seam;
use suvidha_store::{AspSecretRow, Registry, StoreError};

use super::enrol::require_enrolled;
use super::handover::{HandOver, HandedOver};
use crate::cli::environment;
use crate::config::duration;
use crate::exit::Failure;
use crate::output::{Answer, Output, fields, instant, table};

/// `suvidha asp secret …`.
#[derive(Debug, Subcommand)]
pub(crate) enum SecretCommand {
    /// Make a new ASP secret; it is shown this once. The old one counts until the overlap ends
    ///
    /// During the overlap calls are accepted with either. GetKey's reply holds the session key twice: under the old
    /// secret as `enc_key`, and under the new one as `enc_key_next`.
    Rotate {
        /// Ten digits
        aspid: AspId,
        /// Where it is valid: sandbox or production
        #[arg(long, value_parser = environment)]
        environment: Environment,
        /// For how long the old one counts, e.g. 36h; 0s ends it at once
        #[arg(long, value_name = "TIME", value_parser = parse_overlap, default_value = "7d")]
        overlap: SignedDuration,
        /// How the new one is handed over.
        #[command(flatten)]
        hand_over: HandOver,
    },
    /// End an overlap now: the newest secret alone counts; a running gateway follows within two seconds
    Retire {
        /// Ten digits
        aspid: AspId,
        /// Where: sandbox or production
        #[arg(long, value_parser = environment)]
        environment: Environment,
    },
    /// List the secrets, which are not shown themselves
    List {
        /// Ten digits
        aspid: AspId,
    },
}

fn parse_overlap(text: &str) -> Result<SignedDuration, String> {
    let overlap = duration(text).and_then(|overlap: Duration| SignedDuration::try_from(overlap).ok());
    overlap.ok_or_else(|| "expected a number and a unit (ms, s, m, h, d), e.g. 7d".to_owned())
}

/// Runs `suvidha asp secret …`.
pub(super) fn run(
    registry: &Registry,
    command: SecretCommand,
    seam: &Seam,
    output: Output,
) -> Result<(), Failure> {
    match command {
        SecretCommand::Rotate { aspid, environment, overlap, hand_over } => {
            rotate(registry, &aspid, environment, overlap, hand_over, seam.now(), output)
        }
        SecretCommand::Retire { aspid, environment } => {
            output.show(&retire(registry, &aspid, environment, seam)?)
        }
        SecretCommand::List { aspid } => output.show(&list(registry, &aspid, seam.now())?),
    }
}

fn rotate(
    registry: &Registry,
    aspid: &AspId,
    environment: Environment,
    overlap: SignedDuration,
    hand_over: HandOver,
    now: Timestamp,
    output: Output,
) -> Result<(), Failure> {
    let recipient = hand_over.recipient()?;
    require_enrolled(registry, aspid, environment)?;
    let to = recipient.map(|one| one.register(registry, aspid, environment, now)).transpose()?;
    let issued = registry.rotate_asp_secret(aspid, environment, overlap).map_err(|error| match error {
        StoreError::SecretOverlap { .. } => Failure::from(error).remedy(format_args!(
            "end it by `suvidha asp secret retire {aspid} --environment {environment}` when the ASP uses the newer one; \
             if that has leaked, --overlap 0s replaces both at once"
        )),
        error => error.into(),
    })?;
    output.show(&Rotated {
        aspid: aspid.as_str(),
        environment,
        id: issued.id.as_i64(),
        previous_until: issued.previous_until.map(instant),
        handed_over: HandedOver::new(Some(&issued.secret), None, to)?,
    })
}

/// Ends an overlap. Answers the secrets as they are then.
fn retire(
    registry: &Registry,
    aspid: &AspId,
    environment: Environment,
    seam: &Seam,
) -> Result<Secrets, StoreError> {
    registry.retire_asp_secrets(aspid, environment)?;
    list(registry, aspid, seam.now())
}

#[derive(Serialize)]
struct Rotated<'a> {
    aspid: &'a str,
    environment: Environment,
    id: i64,
    /// Until when the one before it counts; nothing where it does not any more.
    previous_until: Option<String>,
    #[serde(flatten)]
    handed_over: HandedOver<'a>,
}

impl Answer for Rotated<'_> {
    fn words(&self) -> String {
        let mut lines = vec![
            ("aspid", self.aspid.to_owned()),
            ("environment", self.environment.to_string()),
            ("id", self.id.to_string()),
        ];
        lines.extend(self.handed_over.fields());
        let overlap = match &self.previous_until {
            Some(until) => format!(
                "The old secret counts until {until}. Until then calls are accepted with either, and GetKey answers\n\
                 with the session key under the old one as enc_key, and under the new one as enc_key_next. From then on\n\
                 enc_key is under the new one. End it before by: suvidha asp secret retire {} --environment {}\n",
                self.aspid, self.environment
            ),
            None => "The old secret counts no more.\n".to_owned(),
        };
        format!("{}\n{overlap}{}", fields(&lines), self.handed_over.advice())
    }
}

/// The secrets of an ASP.
pub(super) fn list(registry: &Registry, aspid: &AspId, now: Timestamp) -> Result<Secrets, StoreError> {
    Ok(Secrets(registry.asp_secrets(aspid)?.into_iter().map(|row| Row::of(row, now)).collect()))
}

/// The secrets of an ASP, without the secrets themselves.
#[derive(Serialize)]
pub(super) struct Secrets(Vec<Row>);

#[derive(Serialize)]
pub(super) struct Row {
    id: i64,
    environment: Environment,
    state: &'static str,
    created_at: String,
    until: Option<String>,
    last_used_at: Option<String>,
}

impl Secrets {
    /// The one that outlasts the others.
    pub(super) fn newest_in(&self, environment: Environment) -> Option<&Row> {
        self.0.iter().rfind(|row| row.environment == environment)
    }

    /// Until when an older one counts beside the newest.
    pub(super) fn overlap_in(&self, environment: Environment) -> Option<String> {
        let old = self.0.iter().find(|row| row.environment == environment && row.state == "ending");
        old.and_then(|row| row.until.clone())
    }
}

impl Row {
    fn of(row: AspSecretRow, now: Timestamp) -> Self {
        let state = match row.until {
            None => "live",
            Some(until) if until > now => "ending",
            Some(_) => "ended",
        };
        Self {
            id: row.id.as_i64(),
            environment: row.environment,
            state,
            created_at: instant(row.created_at),
            until: row.until.map(instant),
            last_used_at: row.last_used_at.map(instant),
        }
    }
}

impl Answer for Secrets {
    fn words(&self) -> String {
        if self.0.is_empty() {
            return "none\n".to_owned();
        }
        let row = |secret: &Row| {
            [
                secret.id.to_string(),
                secret.environment.to_string(),
                secret.state.to_owned(),
                secret.created_at.clone(),
                secret.until.clone().unwrap_or_else(|| "-".to_owned()),
                secret.last_used_at.clone().unwrap_or_else(|| "never".to_owned()),
            ]
        };
        table(
            ["ID", "ENVIRONMENT", "STATE", "SINCE", "UNTIL", "LAST USED"],
            &self.0.iter().map(row).collect::<Vec<_>>(),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use suvidha_seam::{Clock, ManualClock};
    use suvidha_store::{NewAsp, SealingKeys};

    use super::*;

    /// Time goes on with every look at it.
    struct Ticking(ManualClock);

    impl Clock for Ticking {
        fn now(&self) -> Timestamp {
            self.0.advance(1);
            self.0.now()
        }
    }

    #[test]
    fn what_was_just_retired_is_shown_as_ended() {
        let clock = Ticking(ManualClock::at("2026-11-22T12:00:00Z".parse().unwrap()));
        let seam = Seam { clock: Arc::new(clock), ..Seam::system() };
        let place = tempfile::tempdir().unwrap();
        let keys = SealingKeys::create_file(&place.path().join("key"), &seam).unwrap();
        let registry = Registry::open(&place.path().join("registry"), keys, seam.clone()).unwrap();
        let [name, contact_name] = ["Acme Books", "A. Rao"].map(str::to_owned);
        let (email, phone) = ("api@acme.example".to_owned(), "+91 98765 43210".to_owned());
        let aspid = registry.add_asp(NewAsp { name, contact_name, email, phone }).unwrap().aspid;
        registry.enrol(&aspid, Environment::Sandbox).unwrap();
        registry.rotate_asp_secret(&aspid, Environment::Sandbox, SignedDuration::from_hours(1)).unwrap();

        let Secrets(rows) = retire(&registry, &aspid, Environment::Sandbox, &seam).unwrap();
        assert_eq!(rows.iter().map(|row| row.state).collect::<Vec<_>>(), ["ended", "live"]);
    }
}
