//! `suvidha asp sessions`: sessions are not kept anywhere, so that they are ended by a date.

use clap::Subcommand;
use gstn::{AspId, Environment};
use serde::Serialize;
use suvidha_store::Registry;

use crate::cli::environment;
use crate::exit::Failure;
use crate::output::{Answer, Output, fields, instant};

/// `suvidha asp sessions …`.
#[derive(Debug, Subcommand)]
pub(crate) enum SessionsCommand {
    /// End every session made until now; a running gateway follows within two seconds
    ///
    /// The ASP may make new ones by GetKey. To keep it out, revoke its certificates or suspend it.
    Revoke {
        /// Ten digits
        aspid: AspId,
        /// Where: sandbox or production; both when left out
        #[arg(long, value_parser = environment)]
        environment: Option<Environment>,
    },
}

/// Runs `suvidha asp sessions …`.
pub(super) fn run(registry: &Registry, command: &SessionsCommand, output: Output) -> Result<(), Failure> {
    let SessionsCommand::Revoke { aspid, environment } = command;
    let from = registry.revoke_sessions(aspid, *environment)?;
    output.show(&Revoked {
        aspid: aspid.as_str(),
        environments: environment
            .map_or(vec![Environment::Sandbox, Environment::Production], |one| vec![one]),
        sessions_valid_from: instant(from),
    })
}

#[derive(Serialize)]
struct Revoked<'a> {
    aspid: &'a str,
    environments: Vec<Environment>,
    sessions_valid_from: String,
}

impl Answer for Revoked<'_> {
    fn words(&self) -> String {
        let environments: Vec<_> = self.environments.iter().map(Environment::to_string).collect();
        fields(&[
            ("aspid", self.aspid.to_owned()),
            ("environment", environments.join(", ")),
            ("sessions valid from", self.sessions_valid_from.clone()),
        ]) + "\nSessions made before are answered with GSP022. The ASP may make new ones by GetKey.\n"
    }
}
