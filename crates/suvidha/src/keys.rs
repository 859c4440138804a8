//! `suvidha keys`: the master keys that sessions are derived from. One mints, those before it are accepted until they
//! are retired.

use std::path::Path;

use clap::Subcommand;
use gstn::Environment;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use suvidha_gateway::config::GetKey;
use suvidha_seam::Seam;
use suvidha_store::{Registry, SessionKeyRow};

use crate::cli::{Keys, environment};
use crate::config::Config;
use crate::exit::Failure;
use crate::output::{Answer, Output, fields, instant, table};
use crate::registry::{Missing, RegistryPlace};

/// `suvidha keys …`.
#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// List the keys and what becomes of them: next, minting, accepting, retired
    List {
        /// Of which environment: sandbox or production; both when left out
        #[arg(long, value_parser = environment)]
        environment: Option<Environment>,
    },
    /// Make a new key, which new sessions come from a few seconds later; those made before go on
    ///
    /// The seconds are for every running gateway to learn of it. Retire the old key when its last session has lapsed.
    Rotate {
        /// Of which environment: sandbox or production
        #[arg(long, value_parser = environment)]
        environment: Environment,
    },
    /// Wipe a key that mints no more, for good: sessions made from it end at once
    ///
    /// Their ASPs are answered with GSP022, and make new sessions by GetKey.
    Retire {
        /// The key's id, as `list` shows it
        id: u8,
        /// Of which environment: sandbox or production
        #[arg(long, value_parser = environment)]
        environment: Environment,
    },
}

/// Runs `suvidha keys …`.
pub(crate) fn run(command: Keys, output: Output, seam: &Seam) -> Result<(), Failure> {
    let registry = RegistryPlace::from_options(&command.place)?.open(Missing::Refuse, seam)?;
    match command.command {
        KeysCommand::List { environment } => output.show(&list(&registry, environment)?),
        KeysCommand::Rotate { environment } => rotate(&registry, environment, output),
        KeysCommand::Retire { id, environment } => {
            let config = command.place.config.as_deref();
            retire(&registry, environment, id, longest_session(&registry, config)?, output)
        }
    }
}

fn list(registry: &Registry, environment: Option<Environment>) -> Result<KeyList, Failure> {
    let mut keys = registry.session_keys()?;
    keys.retain(|key| environment.is_none_or(|wanted| key.environment == wanted));
    Ok(KeyList(keys.iter().map(Row::from).collect()))
}

fn rotate(registry: &Registry, environment: Environment, output: Output) -> Result<(), Failure> {
    let new = registry.rotate_session_key(environment)?;
    output.show(&Rotated(Row::from(&new)))
}

/// The longest that a session made now may last.
fn longest_session(registry: &Registry, config: Option<&Path>) -> Result<SignedDuration, Failure> {
    let of_gateway = match config {
        Some(file) => Config::read_getkey(file)?,
        None => GetKey::default(),
    };
    let of_asps = registry.asps()?.into_iter().filter_map(|asp| asp.session_validity_min).max();
    let minutes = of_gateway.validity_min.max(of_asps.unwrap_or(0));
    Ok(SignedDuration::from_mins(minutes.into()))
}

fn retire(
    registry: &Registry,
    environment: Environment,
    id: u8,
    longest_session: SignedDuration,
    output: Output,
) -> Result<(), Failure> {
    let retired = registry.retire_session_key(environment, id)?;
    let minted_until = minted_until(&registry.session_keys()?, &retired);
    let lapse = minted_until.and_then(|until| until.checked_add(longest_session).ok());
    output.show(&Retired { key: Row::from(&retired), sessions_lapse_by: lapse.map(instant) })
}

/// When the next key took over from `retired`; nothing where it never minted itself.
fn minted_until(keys: &[SessionKeyRow], retired: &SessionKeyRow) -> Option<Timestamp> {
    let has_minted = |key: &&SessionKeyRow| key.retired_at.is_none_or(|at| at > key.mints_from);
    Some(retired).filter(has_minted)?;
    let of_environment = keys.iter().filter(|key| key.environment == retired.environment);
    of_environment
        .filter(has_minted)
        .map(|key| key.mints_from)
        .filter(|from| *from > retired.mints_from)
        .min()
}

#[derive(Serialize)]
struct Row {
    environment: Environment,
    id: u8,
    state: &'static str,
    created_at: String,
    mints_from: String,
    retired_at: Option<String>,
}

impl From<&SessionKeyRow> for Row {
    fn from(key: &SessionKeyRow) -> Self {
        Self {
            environment: key.environment,
            id: key.id,
            state: key.state.as_str(),
            created_at: instant(key.created_at),
            mints_from: instant(key.mints_from),
            retired_at: key.retired_at.map(instant),
        }
    }
}

#[derive(Serialize)]
struct KeyList(Vec<Row>);

impl Answer for KeyList {
    fn words(&self) -> String {
        if self.0.is_empty() {
            return "no key yet; the gateway makes the first one when it starts\n".to_owned();
        }
        let row = |key: &Row| {
            [
                key.environment.to_string(),
                key.id.to_string(),
                key.state.to_owned(),
                key.mints_from.clone(),
                key.retired_at.clone().unwrap_or_else(|| "-".to_owned()),
            ]
        };
        table(
            ["ENVIRONMENT", "ID", "STATE", "MINTS FROM", "RETIRED"],
            &self.0.iter().map(row).collect::<Vec<_>>(),
        )
    }
}

#[derive(Serialize)]
struct Rotated(Row);

impl Answer for Rotated {
    fn words(&self) -> String {
        let Row { environment, id, mints_from, .. } = &self.0;
        fields(&[
            ("environment", environment.to_string()),
            ("id", id.to_string()),
            ("mints from", mints_from.clone()),
        ]) + "\nSessions made under the keys before it go on until they lapse. Then retire those keys: see `suvidha keys list`.\n"
    }
}

#[derive(Serialize)]
struct Retired {
    #[serde(flatten)]
    key: Row,
    /// When the last session made under it would have lapsed by itself; nothing where it never minted.
    sessions_lapse_by: Option<String>,
}

impl Answer for Retired {
    fn words(&self) -> String {
        let Self { key, sessions_lapse_by } = self;
        let sessions = match sessions_lapse_by {
            Some(at) => format!(
                "Sessions made under it are ended: they are answered with GSP022 within two seconds, and their ASPs make new\n\
                 ones by GetKey. By themselves the last of them would have lapsed by {at}.\n"
            ),
            None => "No session was made under it.\n".to_owned(),
        };
        let lines = [
            ("environment", key.environment.to_string()),
            ("id", key.id.to_string()),
            ("state", key.state.to_owned()),
        ];
        format!("{}\n{sessions}", fields(&lines))
    }
}
