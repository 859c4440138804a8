//! `suvidha asp password`: the account password, apart from the ASP secret.

use clap::Subcommand;
use gstn::{AspId, Environment};
use jiff::Timestamp;
use serde::Serialize;
use suvidha_store::{PasswordRow, Registry, StoreError};

use super::enrol::require_enrolled;
use super::handover::{HandOver, HandedOver};
use crate::cli::environment;
use crate::exit::Failure;
use crate::output::{Answer, Output, fields, instant, table};

/// `suvidha asp password …`.
#[derive(Debug, Subcommand)]
pub(crate) enum PasswordCommand {
    /// Make a new account password in place of the old one, which is invalid at once; it is shown this once
    Reset {
        /// Ten digits
        aspid: AspId,
        /// Where it is valid: sandbox or production
        #[arg(long, value_parser = environment)]
        environment: Environment,
        /// How it is handed over.
        #[command(flatten)]
        hand_over: HandOver,
    },
}

/// Runs `suvidha asp password …`.
pub(super) fn run(
    registry: &Registry,
    command: PasswordCommand,
    now: Timestamp,
    output: Output,
) -> Result<(), Failure> {
    let PasswordCommand::Reset { aspid, environment, hand_over } = command;
    let recipient = hand_over.recipient()?;
    require_enrolled(registry, &aspid, environment)?;
    let to = recipient.map(|one| one.register(registry, &aspid, environment, now)).transpose()?;
    let issued = registry.reset_password(&aspid, environment)?;
    output.show(&Reset {
        aspid: aspid.as_str(),
        environment,
        handed_over: HandedOver::new(None, Some(&issued.password), to)?,
    })
}

#[derive(Serialize)]
struct Reset<'a> {
    aspid: &'a str,
    environment: Environment,
    #[serde(flatten)]
    handed_over: HandedOver<'a>,
}

impl Answer for Reset<'_> {
    fn words(&self) -> String {
        let mut lines = vec![("aspid", self.aspid.to_owned()), ("environment", self.environment.to_string())];
        lines.extend(self.handed_over.fields());
        format!("{}\n{}", fields(&lines), self.handed_over.advice())
    }
}

/// Since when an ASP has a password.
pub(super) fn list(registry: &Registry, aspid: &AspId) -> Result<Passwords, StoreError> {
    let row = |row: PasswordRow| Row { environment: row.environment, created_at: instant(row.created_at) };
    Ok(Passwords(registry.passwords(aspid)?.into_iter().map(row).collect()))
}

/// The passwords of an ASP, one in each environment where it is enrolled, without the passwords themselves.
#[derive(Serialize)]
pub(super) struct Passwords(Vec<Row>);

#[derive(Serialize)]
struct Row {
    environment: Environment,
    created_at: String,
}

impl Answer for Passwords {
    fn words(&self) -> String {
        if self.0.is_empty() {
            return "none\n".to_owned();
        }
        let row = |row: &Row| [row.environment.to_string(), row.created_at.clone()];
        table(["ENVIRONMENT", "SINCE"], &self.0.iter().map(row).collect::<Vec<_>>())
    }
}
