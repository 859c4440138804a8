//! `suvidha asp cert`: the certificates whose keys sign an ASP's GetKey calls. Several may be live at once, so that a key
//! is changed without an outage.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use gstn::crypto::{PublicKey, sha256_hex};
use gstn::{AspId, Environment};
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use suvidha_store::{CertificateId, CertificateRow, CertificateState, Registry, Revocation, StoreError};

use crate::cli::environment;
use crate::exit::Failure;
use crate::files;
use crate::output::{Answer, Output, fields, instant, table, warn};

/// From when on an expiry is warned of, in days before it.
const WARN_DAYS: i64 = 30;

/// `suvidha asp cert …`.
#[derive(Debug, Subcommand)]
pub(crate) enum CertCommand {
    /// Register a certificate, beside those that are registered
    ///
    /// The key must be RSA of 2048 to 4096 bits. Nobody need have signed the certificate but its own key; its dates are
    /// kept to. A renewed certificate takes the place of an older one with the same key. A key that was revoked is not
    /// taken again.
    Add {
        /// Ten digits
        aspid: AspId,
        /// A certificate or a public key, in DER or PEM; - for standard input
        file: PathBuf,
        /// Where it is valid: sandbox or production
        #[arg(long, value_parser = environment)]
        environment: Environment,
    },
    /// List the certificates
    List {
        /// Ten digits
        aspid: AspId,
    },
    /// Make a certificate invalid for good; a running gateway follows within two seconds
    ///
    /// Its key is invalid from then on: other certificates of the ASP with the same key in the same environment are
    /// revoked with it, and none is taken again. Sessions that were made with it go on: see `asp sessions revoke`.
    Revoke {
        /// Ten digits
        aspid: AspId,
        /// The certificate's id, as `list` shows it
        id: CertificateId,
    },
}

/// Runs `suvidha asp cert …`.
pub(super) fn run(
    registry: &Registry,
    command: CertCommand,
    now: Timestamp,
    output: Output,
) -> Result<(), Failure> {
    match command {
        CertCommand::Add { aspid, file, environment } => {
            let row = registry.add_certificate(&aspid, environment, &read(&file)?)?;
            let row = Row::of(row, now);
            row.warn();
            output.show(&row)
        }
        CertCommand::List { aspid } => show(registry, &aspid, now, output),
        CertCommand::Revoke { aspid, id } => {
            warn_of_key(id, registry.revoke_certificate(&aspid, id)?);
            show(registry, &aspid, now, output)
        }
    }
}

/// Tells on standard error what became of other certificates with the same key.
fn warn_of_key(id: CertificateId, Revocation { revoked, elsewhere }: Revocation) {
    for other in revoked.into_iter().filter(|other| *other != id) {
        warn(format_args!("certificate {other} has the same key and was revoked too"));
    }
    for other in elsewhere {
        warn(format_args!(
            "certificate {other} has the same key in the other environment and is not revoked: if the key is no longer \
             safe, revoke that one, too"
        ));
    }
}

fn show(registry: &Registry, aspid: &AspId, now: Timestamp, output: Output) -> Result<(), Failure> {
    let certificates = list(registry, aspid, now)?;
    certificates.0.iter().for_each(Row::warn);
    output.show(&certificates)
}

/// The certificates of an ASP.
pub(super) fn list(registry: &Registry, aspid: &AspId, now: Timestamp) -> Result<Certificates, StoreError> {
    Ok(Certificates(registry.certificates(aspid)?.into_iter().map(|row| Row::of(row, now)).collect()))
}

/// The row of a live certificate with this very key, where there is one.
pub(super) fn of_key(
    registry: &Registry,
    aspid: &AspId,
    environment: Environment,
    key: &PublicKey,
    now: Timestamp,
) -> Result<Option<CertificateRow>, StoreError> {
    let sha256 = sha256_hex(key.spki_der());
    let of_key = |row: &CertificateRow| {
        row.environment == environment && row.key_sha256 == sha256 && row.state(now) == CertificateState::Live
    };
    Ok(registry.certificates(aspid)?.into_iter().find(of_key))
}

/// Reads what is offered as a certificate.
pub(super) fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    // A certificate has a few KiB; whatever is longer is a wrong file.
    files::read_or_stdin(file, 64 * 1024)
}

/// The certificates of an ASP.
#[derive(Serialize)]
pub(super) struct Certificates(Vec<Row>);

/// One certificate, or bare public key.
#[derive(Serialize)]
pub(super) struct Row {
    pub(super) id: i64,
    environment: Environment,
    /// Nothing for a bare public key, here and in its dates.
    subject: Option<String>,
    bits: usize,
    sha256: String,
    #[serde(serialize_with = "as_word")]
    state: CertificateState,
    valid_from: Option<String>,
    pub(super) expires_at: Option<String>,
    expires_in_days: Option<i64>,
    created_at: String,
    /// Where another was put in its place: until when this one is good beside it.
    until: Option<String>,
    revoked_at: Option<String>,
    last_used_at: Option<String>,
    pub(super) warning: Option<String>,
}

impl Certificates {
    /// Those that are live in `environment`.
    pub(super) fn live_in(&self, environment: Environment) -> impl Iterator<Item = &Row> {
        let live = move |row: &&Row| row.state == CertificateState::Live && row.environment == environment;
        self.0.iter().filter(live)
    }

    /// When the last one that is live there expires; nothing where one never does, or there is none.
    pub(super) fn last_expiry_in(&self, environment: Environment) -> Option<String> {
        let expiries: Option<Vec<_>> = self.live_in(environment).map(|row| row.expires_at.clone()).collect();
        expiries?.into_iter().max()
    }
}

impl Row {
    pub(super) fn of(row: CertificateRow, now: Timestamp) -> Self {
        let expires_in_days = row.not_after.map(|at| days_until(at, now));
        let state = row.state(now);
        let mut row = Self {
            id: row.id.as_i64(),
            environment: row.environment,
            subject: row.subject,
            bits: row.bits,
            sha256: row.certificate_sha256.unwrap_or(row.key_sha256),
            state,
            valid_from: row.not_before.map(instant),
            expires_at: row.not_after.map(instant),
            expires_in_days,
            created_at: instant(row.created_at),
            until: row.until.map(instant),
            revoked_at: row.revoked_at.map(instant),
            last_used_at: row.last_used_at.map(instant),
            warning: None,
        };
        row.warning = row.reason_to_warn();
        row
    }

    fn reason_to_warn(&self) -> Option<String> {
        let has_successor = self.until.is_some();
        if has_successor || self.state == CertificateState::Revoked {
            return None;
        }
        let successor = "register its successor with `suvidha asp cert add`, then revoke it";
        match self.expires_in_days {
            None => Some("a bare public key never expires: a certificate would end by itself".to_owned()),
            Some(..0) => Some(format!("it has expired: {successor}")),
            Some(days @ ..WARN_DAYS) => Some(format!("it expires in {days} days: {successor}")),
            Some(_) => None,
        }
    }

    /// Tells on standard error what is to be warned of.
    pub(super) fn warn(&self) {
        if let Some(warning) = &self.warning {
            warn(format_args!("certificate {} ({}): {warning}", self.id, self.environment));
        }
    }

    fn state_and_end(&self) -> String {
        match &self.until {
            Some(until) if self.state == CertificateState::Live => format!("live until {until}"),
            _ => self.state.as_str().to_owned(),
        }
    }

    fn expiry(&self) -> String {
        match (&self.expires_at, self.expires_in_days) {
            (Some(at), Some(days @ 0..)) => format!("{at} (in {days} days)"),
            (Some(at), _) => format!("{at} (expired)"),
            (None, _) => "never".to_owned(),
        }
    }
}

fn as_word<S: Serializer>(state: &CertificateState, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(state.as_str())
}

/// Whole days from `now` to `at`, rounded down; less than zero for the past.
fn days_until(at: Timestamp, now: Timestamp) -> i64 {
    at.duration_since(now).as_secs().div_euclid(86_400)
}

impl Answer for Row {
    fn words(&self) -> String {
        fields(&[
            ("id", self.id.to_string()),
            ("environment", self.environment.to_string()),
            ("state", self.state_and_end()),
            ("subject", self.subject.clone().unwrap_or_else(|| "a bare public key".to_owned())),
            ("bits", self.bits.to_string()),
            ("SHA-256", self.sha256.clone()),
            ("expires", self.expiry()),
        ])
    }
}

impl Answer for Certificates {
    fn words(&self) -> String {
        if self.0.is_empty() {
            return "none\n".to_owned();
        }
        let row = |row: &Row| {
            [
                row.id.to_string(),
                row.environment.to_string(),
                row.state_and_end(),
                row.expiry(),
                row.bits.to_string(),
                row.last_used_at.clone().unwrap_or_else(|| "never".to_owned()),
                row.sha256.clone(),
                row.subject.clone().unwrap_or_else(|| "a bare public key".to_owned()),
            ]
        };
        table(
            ["ID", "ENVIRONMENT", "STATE", "EXPIRES", "BITS", "LAST USED", "SHA-256", "SUBJECT"],
            &self.0.iter().map(row).collect::<Vec<_>>(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_rounded_down() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        for (at, days) in [
            ("2026-12-22T12:00:00Z", 30),
            ("2026-12-22T11:59:59Z", 29),
            ("2026-11-22T12:00:01Z", 0),
            ("2026-11-22T11:59:59Z", -1),
        ] {
            assert_eq!(days_until(at.parse().unwrap(), now), days, "{at}");
        }
    }

    #[test]
    fn what_has_a_successor_already_is_not_warned_of() {
        let row = |expires_in_days, until: Option<&str>| Row {
            id: 1,
            environment: Environment::Sandbox,
            subject: None,
            bits: 2048,
            sha256: String::new(),
            state: CertificateState::Live,
            valid_from: None,
            expires_at: None,
            expires_in_days,
            created_at: String::new(),
            until: until.map(str::to_owned),
            revoked_at: None,
            last_used_at: None,
            warning: None,
        };
        for days in [None, Some(-1), Some(7)] {
            assert_ne!(row(days, None).reason_to_warn(), None, "{days:?}");
            assert_eq!(row(days, Some("2026-11-23T10:58:50Z")).reason_to_warn(), None, "{days:?}");
        }
    }
}
