//! `suvidha asp token`: tokens are shown once, when they are issued, and never again.

use std::time::Duration;

use clap::Subcommand;
use gstn::{AspId, Environment};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use suvidha_store::{CredentialId, NewToken, Registry, StoreError, TokenRow};

use crate::cli::environment;
use crate::config::duration;
use crate::exit::{Exit, Failure};
use crate::output::{Answer, Output, fields, instant, table};
use crate::secret::from_stdin;

/// `suvidha asp token …`.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token; it is shown this once
    Issue {
        /// Ten digits
        aspid: AspId,
        #[command(flatten)]
        new: New,
    },
    /// Take over a token of another GSP, read from standard input, so that its clients need no change
    Import {
        /// Ten digits
        aspid: AspId,
        #[command(flatten)]
        new: New,
    },
    /// List the tokens, which are not shown themselves
    List {
        /// Ten digits
        aspid: AspId,
    },
    /// Make a token invalid for good; a running gateway follows within a second
    Revoke {
        /// Ten digits
        aspid: AspId,
        /// The token's id, as `list` shows it
        id: CredentialId,
    },
}

/// What goes with a new token.
#[derive(Debug, clap::Args)]
pub(crate) struct New {
    /// Where it is valid: sandbox or production
    #[arg(long, value_parser = environment)]
    environment: Environment,
    /// What it is for, to tell it from others
    #[arg(long)]
    label: Option<String>,
    /// When it expires, counted from now, e.g. 90d; never when left out
    #[arg(long, value_name = "TIME", value_parser = parse_duration, conflicts_with = "expires_at")]
    expires_in: Option<Duration>,
    /// When it expires, e.g. 2027-03-31T23:59:59+05:30
    #[arg(long, value_name = "INSTANT", value_parser = parse_instant)]
    expires_at: Option<Timestamp>,
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    duration(text).ok_or_else(|| "expected a number and a unit (ms, s, m, h, d), e.g. 90d".to_owned())
}

fn parse_instant(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| {
        "expected a date, a time and its distance from UTC, e.g. 2027-03-31T23:59:59+05:30".to_owned()
    })
}

impl New {
    fn parts(self, now: Timestamp) -> Result<(Environment, NewToken), Failure> {
        let expires_at = match self.expires_in {
            Some(life) => Some(expiry(now, life)?),
            None => self.expires_at,
        };
        Ok((self.environment, NewToken { label: self.label, expires_at }))
    }
}

fn expiry(now: Timestamp, life: Duration) -> Result<Timestamp, Failure> {
    SignedDuration::try_from(life)
        .ok()
        .and_then(|life| now.checked_add(life).ok())
        .ok_or_else(|| Failure::new(Exit::Usage, "--expires-in reaches beyond the end of the calendar"))
}

/// Runs `suvidha asp token …`.
pub(super) fn run(
    registry: &Registry,
    command: TokenCommand,
    now: Timestamp,
    output: Output,
) -> Result<(), Failure> {
    match command {
        TokenCommand::Issue { aspid, new } => {
            let (environment, new) = new.parts(now)?;
            let issued = registry.issue_token(&aspid, environment, new)?;
            output.show(&Issued {
                id: issued.id.as_i64(),
                environment,
                token: issued.token.expose(),
                label: issued.label.as_deref(),
                expires_at: issued.expires_at.map(instant),
            })
        }
        TokenCommand::Import { aspid, new } => {
            let (environment, new) = new.parts(now)?;
            let token = from_stdin("token")?;
            let row = registry.import_token(&aspid, environment, token.expose(), new)?;
            output.show(&Tokens(vec![Row::of(row, now)]))
        }
        TokenCommand::List { aspid } => output.show(&list(registry, &aspid, now)?),
        TokenCommand::Revoke { aspid, id } => {
            registry.revoke_token(&aspid, id)?;
            output.show(&list(registry, &aspid, now)?)
        }
    }
}

/// The tokens of an ASP.
pub(super) fn list(registry: &Registry, aspid: &AspId, now: Timestamp) -> Result<Tokens, StoreError> {
    Ok(Tokens(registry.tokens(aspid)?.into_iter().map(|row| Row::of(row, now)).collect()))
}

/// The only place where a token is serialised: it was made a moment ago and is shown to its maker.
#[derive(Serialize)]
struct Issued<'a> {
    id: i64,
    environment: Environment,
    token: &'a str,
    label: Option<&'a str>,
    expires_at: Option<String>,
}

impl Answer for Issued<'_> {
    fn words(&self) -> String {
        let mut text = fields(&[
            ("id", self.id.to_string()),
            ("environment", self.environment.to_string()),
            ("token", self.token.to_owned()),
            ("expires", self.expires_at.clone().unwrap_or_else(|| "never".to_owned())),
        ]);
        text.push_str("\nKeep the token now: only its hash is stored, and it cannot be shown again.\n");
        text
    }
}

/// The tokens of an ASP, without the tokens themselves.
#[derive(Serialize)]
pub(super) struct Tokens(Vec<Row>);

#[derive(Serialize)]
struct Row {
    id: i64,
    environment: Environment,
    label: Option<String>,
    state: &'static str,
    created_at: String,
    expires_at: Option<String>,
    last_used_at: Option<String>,
    revoked_at: Option<String>,
}

impl Row {
    fn of(row: TokenRow, now: Timestamp) -> Self {
        let state = match (row.revoked_at, row.expires_at) {
            (Some(_), _) => "revoked",
            (None, Some(at)) if at <= now => "expired",
            _ => "live",
        };
        Self {
            id: row.id.as_i64(),
            environment: row.environment,
            label: row.label,
            state,
            created_at: instant(row.created_at),
            expires_at: row.expires_at.map(instant),
            last_used_at: row.last_used_at.map(instant),
            revoked_at: row.revoked_at.map(instant),
        }
    }
}

impl Answer for Tokens {
    fn words(&self) -> String {
        if self.0.is_empty() {
            return "none\n".to_owned();
        }
        let or = |value: &Option<String>, none: &str| value.clone().unwrap_or_else(|| none.to_owned());
        let row = |token: &Row| {
            [
                token.id.to_string(),
                token.environment.to_string(),
                token.state.to_owned(),
                or(&token.label, "-"),
                or(&token.expires_at, "never"),
                or(&token.last_used_at, "never"),
            ]
        };
        table(
            ["ID", "ENVIRONMENT", "STATE", "LABEL", "EXPIRES", "LAST USED"],
            &self.0.iter().map(row).collect::<Vec<_>>(),
        )
    }
}
