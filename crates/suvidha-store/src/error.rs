//! What can go wrong with the registry, in words an operator can act on.

use std::io;
use std::path::PathBuf;

use gstn::{AspId, Environment};
use jiff::Timestamp;
use rusqlite::ErrorCode;

use crate::registry::ids::{CertificateId, CredentialId};

/// Why the registry refused, or could not do, what was asked. No variant carries a secret.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file could not be created, read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was being done: `create`, `read`, `write`, …
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file is no SQLite database, or one that belongs to another program.
    #[error("{} is not a Suvidha registry; name another file, or move this one away", path.display())]
    NotARegistry {
        /// The file.
        path: PathBuf,
    },
    /// The file was written by a newer Suvidha.
    #[error(
        "{} has schema version {found}, this program knows versions up to {known}; use the newer program",
        path.display()
    )]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// The version found in it.
        found: u32,
        /// The newest version known here.
        known: u32,
    },
    /// The file system cannot hold a database that several processes share.
    #[error("{} cannot be put into WAL mode (it stays in mode {mode:?}); use a local file system", path.display())]
    NoWal {
        /// The file.
        path: PathBuf,
        /// The journal mode SQLite settled for.
        mode: String,
    },
    /// Another process kept the registry locked for longer than we wait.
    #[error("another process is holding the registry; try again")]
    Busy,
    /// The disk is full.
    #[error("the disk that holds the registry is full; nothing was changed")]
    DiskFull,
    /// The file, or its directory, may not be written.
    #[error("the registry is read-only; check the rights on the file and its directory")]
    ReadOnly,
    /// Anything else that SQLite reports.
    #[error("the registry's database failed: {0}")]
    Database(#[source] rusqlite::Error),

    /// A field has a value of the wrong shape.
    #[error("{field} {value:?} {reason}")]
    InvalidField {
        /// The field, as the operator knows it.
        field: &'static str,
        /// The value refused.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A credential offered for import has the wrong shape. The value is not shown.
    #[error("the {what} to import {reason}")]
    InvalidSecret {
        /// `token` or `client secret`.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A token or a top-up was to expire before it was made.
    #[error("expiry {expires_at} is not in the future: it is {now} now")]
    ExpiryInPast {
        /// The expiry asked for.
        expires_at: Timestamp,
        /// The time by our clock.
        now: Timestamp,
    },
    /// No such ASP.
    #[error("no ASP has the aspid {0}")]
    AspNotFound(AspId),
    /// No such credential of that ASP.
    #[error("ASP {aspid} has no {what} with the id {id}")]
    CredentialNotFound {
        /// The ASP that was named.
        aspid: AspId,
        /// `token` or `client credentials`.
        what: &'static str,
        /// The id that was named.
        id: CredentialId,
    },
    /// The token is in the registry already, be it revoked, expired or live.
    #[error("this token is in the registry already, as number {id} of ASP {aspid} for {environment}")]
    TokenTaken {
        /// Whose it is.
        aspid: AspId,
        /// Its id.
        id: CredentialId,
        /// Where it is valid.
        environment: Environment,
    },
    /// The client id belongs to another ASP.
    #[error("client id {client_id:?} belongs to ASP {aspid}")]
    ClientIdTaken {
        /// The client id.
        client_id: String,
        /// Whose it is.
        aspid: AspId,
    },
    /// The same client id and secret are in the registry already, revoked or live.
    #[error("client id {client_id:?} has this very secret already, as number {id}")]
    ClientCredentialsTaken {
        /// The client id.
        client_id: String,
        /// The id of the existing pair.
        id: CredentialId,
    },
    /// The ASP has a secret or a password in that environment.
    #[error(
        "ASP {aspid} is enrolled in {environment} already; rotate its secret or reset its password instead"
    )]
    AlreadyEnrolled {
        /// The ASP that was named.
        aspid: AspId,
        /// The environment.
        environment: Environment,
    },
    /// More units were to be taken back than were ever topped up.
    #[error(
        "{units} units cannot be taken back: ASP {aspid} was topped up with {topped_up} in {environment}, all in all"
    )]
    CreditTakenBack {
        /// The ASP that was named.
        aspid: AspId,
        /// The environment.
        environment: Environment,
        /// How many were to be taken back.
        units: i64,
        /// The sum of its top-ups and take-backs.
        topped_up: i64,
    },
    /// The secret's last change is not over, and more than two at once would leave no key to wrap a session key in
    /// that everybody has.
    #[error(
        "the last change of ASP {aspid}'s secret in {environment} runs until {until:.0}; retire the older secret first"
    )]
    SecretOverlap {
        /// The ASP that was named.
        aspid: AspId,
        /// The environment.
        environment: Environment,
        /// When the overlap ends by itself.
        until: Timestamp,
    },
    /// A certificate or public key cannot be registered.
    #[error("the certificate cannot be used: {reason}")]
    InvalidCertificate {
        /// What is wrong with it.
        reason: String,
    },
    /// No such certificate of that ASP.
    #[error("ASP {aspid} has no certificate with the id {id}")]
    CertificateNotFound {
        /// The ASP that was named.
        aspid: AspId,
        /// The id that was named.
        id: CertificateId,
    },
    /// No such session key.
    #[error("there is no session key {id} in {environment}")]
    SessionKeyNotFound {
        /// The environment that was named.
        environment: Environment,
        /// The id that was named.
        id: u8,
    },
    /// The session key cannot be retired, for no other makes new sessions.
    #[error(
        "session key {id} of {environment} makes the new sessions; rotate first, wait until the new key has taken \
         over and the sessions of this one are over, then retire it"
    )]
    SessionKeyInUse {
        /// The environment.
        environment: Environment,
        /// The key.
        id: u8,
    },
    /// A session id has one byte for the number of its key.
    #[error(
        "all 255 session keys of {environment} are used up, and no number is given twice; stay with the key that is \
         there, or move to a new registry, where they are counted from 1"
    )]
    SessionKeysUsedUp {
        /// The environment.
        environment: Environment,
    },
    /// No such sealed secret.
    #[error("no secret is kept under the name {0:?}")]
    SecretNotFound(String),

    /// The key file may be read by others.
    #[error(
        "key file {} can be read by others (mode {mode:03o}); run: chmod 600 {}",
        path.display(),
        path.display()
    )]
    KeyFileExposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The key file exists; a new one would lock out everything sealed under the old one.
    #[error("key file {} exists already and is left alone", path.display())]
    KeyFileExists {
        /// The file.
        path: PathBuf,
    },
    /// A key ring without a key.
    #[error("{origin} holds no sealing key")]
    NoSealingKey {
        /// Where the ring came from.
        origin: String,
    },
    /// An entry of the key ring cannot be read. The entry is not shown, for it may be half a key.
    #[error("entry {entry} of {origin} is not a sealing key: {reason}")]
    MalformedSealingKey {
        /// Where the ring came from.
        origin: String,
        /// Counted from 1.
        entry: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Two keys of the ring have one id.
    #[error("{origin} holds two sealing keys with the id {key_id:?}")]
    RepeatedSealingKey {
        /// Where the ring came from.
        origin: String,
        /// The id.
        key_id: String,
    },
    /// The registry was sealed under a key that the ring does not hold.
    #[error(
        "the registry is sealed under key {expected:?}, and the key ring holds only {offered:?}; \
         start with the key file that belongs to this registry"
    )]
    MissingSealingKey {
        /// The id of the key that is needed.
        expected: String,
        /// The ids in the ring.
        offered: Vec<String>,
    },
    /// The ring holds another key under the id that the registry was sealed under.
    #[error(
        "key {expected:?} of the key ring is not the key {expected:?} that sealed this registry; \
         start with the key file that belongs to it"
    )]
    WrongSealingKey {
        /// The id of the key that is needed.
        expected: String,
    },
    /// A sealed secret was altered in the file, or put under another name.
    #[error("the secret {name:?} was altered in the database and cannot be opened; store it anew")]
    DamagedSecret {
        /// Its name.
        name: String,
    },
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::DiskFull) => Self::DiskFull,
            Some(ErrorCode::ReadOnly) => Self::ReadOnly,
            _ => Self::Database(error),
        }
    }
}
