//! `suvidha asp client`: the `clientid` and `client-secret` pairs of customers who come from an older GSP.

use clap::Subcommand;
use gstn::{AspId, Environment};
use serde::Serialize;
use suvidha_store::{ClientCredentialsRow, CredentialId, Registry, StoreError};

use crate::cli::environment;
use crate::exit::Failure;
use crate::output::{Answer, Output, fields, instant, table};
use crate::secret::from_stdin;

/// `suvidha asp client …`.
#[derive(Debug, Subcommand)]
pub(crate) enum ClientCommand {
    /// Make a pair, or take over an existing one; a made secret is shown this once
    Issue {
        /// Ten digits
        aspid: AspId,
        /// Where it is valid: sandbox or production
        #[arg(long, value_parser = environment)]
        environment: Environment,
        /// The `clientid` to take over; made when left out
        #[arg(long, value_name = "ID")]
        client_id: Option<String>,
        /// Take over the `client-secret` on standard input instead of making one
        #[arg(long, requires = "client_id")]
        secret_from_stdin: bool,
    },
    /// List the pairs, without their secrets
    List {
        /// Ten digits
        aspid: AspId,
    },
    /// Make a pair invalid for good; a running gateway follows within a second
    Revoke {
        /// Ten digits
        aspid: AspId,
        /// The pair's id, as `list` shows it
        id: CredentialId,
    },
}

/// Runs `suvidha asp client …`.
pub(super) fn run(registry: &Registry, command: ClientCommand, output: Output) -> Result<(), Failure> {
    match command {
        ClientCommand::Issue { aspid, environment, client_id, secret_from_stdin } => {
            let secret = if secret_from_stdin { Some(from_stdin("client-secret")?) } else { None };
            let issued = registry.issue_client_credentials(&aspid, environment, client_id, secret)?;
            output.show(&Issued {
                id: issued.id.as_i64(),
                environment,
                client_id: &issued.client_id,
                client_secret: (!secret_from_stdin).then(|| issued.client_secret.expose()),
            })
        }
        ClientCommand::List { aspid } => output.show(&list(registry, &aspid)?),
        ClientCommand::Revoke { aspid, id } => {
            registry.revoke_client_credentials(&aspid, id)?;
            output.show(&list(registry, &aspid)?)
        }
    }
}

/// The client credentials of an ASP.
pub(super) fn list(registry: &Registry, aspid: &AspId) -> Result<ClientCredentials, StoreError> {
    Ok(ClientCredentials(registry.client_credentials(aspid)?.into_iter().map(Row::from).collect()))
}

/// The only place where a client secret is serialised: it was made a moment ago and is shown to its maker.
#[derive(Serialize)]
struct Issued<'a> {
    id: i64,
    environment: Environment,
    client_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<&'a str>,
}

impl Answer for Issued<'_> {
    fn words(&self) -> String {
        let mut lines = vec![
            ("id", self.id.to_string()),
            ("environment", self.environment.to_string()),
            ("clientid", self.client_id.to_owned()),
        ];
        let Some(secret) = self.client_secret else { return fields(&lines) };
        lines.push(("client-secret", secret.to_owned()));
        fields(&lines) + "\nKeep the secret now: only its hash is stored, and it cannot be shown again.\n"
    }
}

/// The pairs of an ASP, without their secrets.
#[derive(Serialize)]
pub(super) struct ClientCredentials(Vec<Row>);

#[derive(Serialize)]
struct Row {
    id: i64,
    environment: Environment,
    client_id: String,
    state: &'static str,
    created_at: String,
    last_used_at: Option<String>,
    revoked_at: Option<String>,
}

impl From<ClientCredentialsRow> for Row {
    fn from(row: ClientCredentialsRow) -> Self {
        Self {
            id: row.id.as_i64(),
            environment: row.environment,
            client_id: row.client_id,
            state: if row.revoked_at.is_some() { "revoked" } else { "live" },
            created_at: instant(row.created_at),
            last_used_at: row.last_used_at.map(instant),
            revoked_at: row.revoked_at.map(instant),
        }
    }
}

impl Answer for ClientCredentials {
    fn words(&self) -> String {
        if self.0.is_empty() {
            return "none\n".to_owned();
        }
        let row = |pair: &Row| {
            [
                pair.id.to_string(),
                pair.environment.to_string(),
                pair.state.to_owned(),
                pair.client_id.clone(),
                pair.last_used_at.clone().unwrap_or_else(|| "never".to_owned()),
            ]
        };
        table(
            ["ID", "ENVIRONMENT", "STATE", "CLIENTID", "LAST USED"],
            &self.0.iter().map(row).collect::<Vec<_>>(),
        )
    }
}
