//! `suvidha secret`: secrets that the gateway must know in clear, kept sealed in the registry.

use std::io::{self, IsTerminal, Read, Write};
use std::path::PathBuf;

use clap::Subcommand;
use serde::Serialize;
use suvidha_seam::Seam;
use suvidha_store::SecretString;

use crate::cli::Secret;
use crate::exit::{Exit, Failure};
use crate::output::{Answer, Output};
use crate::registry::{Missing, RegistryPlace};

/// `suvidha secret …`.
#[derive(Debug, Subcommand)]
pub(crate) enum SecretCommand {
    /// Keep the secret on standard input under a name, replacing the one that was there
    ///
    /// The configuration refers to it by that name, e.g. `client_secret_sealed = "gstn/production/client-secret"`.
    Set {
        /// The name, e.g. gstn/production/client-secret
        name: String,
    },
    /// Forget a secret
    Delete {
        /// The name
        name: String,
    },
}

/// Runs `suvidha secret …`.
pub(crate) fn run(command: Secret, output: Output, seam: &Seam) -> Result<(), Failure> {
    let place = RegistryPlace::from_options(&command.place)?;
    match command.command {
        SecretCommand::Set { name } => {
            let secret = from_stdin("secret")?;
            place.open(Missing::Create, seam)?.put_secret(&name, secret.expose())?;
            output.show(&Done { name, done: "sealed", registry: place.path })
        }
        SecretCommand::Delete { name } => {
            place.open(Missing::Refuse, seam)?.delete_secret(&name)?;
            output.show(&Done { name, done: "deleted", registry: place.path })
        }
    }
}

/// Reads a secret from standard input: it must not stand on the command line, which every process can see.
/// One line feed at its end belongs to the terminal and is dropped.
pub(crate) fn from_stdin(what: &str) -> Result<SecretString, Failure> {
    let mut input = io::stdin().lock();
    let mut secret = String::new();
    let read = if input.is_terminal() {
        // A prompt that cannot be shown is no reason to stop.
        let _ = write!(io::stderr(), "{what}: ");
        io::BufRead::read_line(&mut input, &mut secret)
    } else {
        // A secret is short; whatever is longer is a wrong file.
        input.take(64 * 1024).read_to_string(&mut secret)
    };
    read.map_err(|e| Failure::io(Exit::Io, format_args!("cannot read the {what} from standard input"), &e))?;
    if secret.ends_with('\n') {
        secret.pop();
        if secret.ends_with('\r') {
            secret.pop();
        }
    }
    let secret = SecretString::new(secret);
    if secret.expose().is_empty() || secret.expose().contains(['\n', '\r']) {
        return Err(Failure::new(
            Exit::Data,
            format_args!("standard input holds no {what}: one line is expected"),
        ));
    }
    Ok(secret)
}

#[derive(Serialize)]
struct Done {
    name: String,
    done: &'static str,
    registry: PathBuf,
}

impl Answer for Done {
    fn words(&self) -> String {
        format!("{}: {} ({})\n", self.name, self.done, self.registry.display())
    }
}
