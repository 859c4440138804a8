//! Where the registry and its sealing key are, and how a command opens them.

use std::env;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use suvidha_seam::Seam;
use suvidha_store::{Registry, SealingKeys, StoreError};

use crate::cli::RegistryOptions;
use crate::config::Config;
use crate::exit::{Exit, Failure};

/// The data directory of `suvidha up`, where nothing else is said.
pub(crate) const DEFAULT_DATA_DIR: &str = "suvidha-data";

/// The data directory that the options of a command name, where they name no configuration.
fn data_dir(options: &RegistryOptions) -> &Path {
    options.data.as_deref().unwrap_or(Path::new(DEFAULT_DATA_DIR))
}

/// A registry on disk and the key that opens what is sealed in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RegistryPlace {
    /// The SQLite file.
    pub(crate) path: PathBuf,
    /// Where the sealing key comes from.
    pub(crate) key: SealingKeySource,
}

/// Where the sealing key comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SealingKeySource {
    /// A file with mode 0600.
    File(PathBuf),
    /// An environment variable of this name.
    Variable(String),
}

/// Whether a missing registry is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// It is made, with a new sealing key.
    Create,
    /// It is an error.
    Refuse,
}

impl RegistryPlace {
    /// The registry that `suvidha up` keeps in `data`.
    pub(crate) fn in_data_dir(data: &Path) -> Self {
        Self { path: data.join("registry.sqlite"), key: SealingKeySource::File(data.join("sealing.key")) }
    }

    /// The registry that the options of a command name.
    pub(crate) fn from_options(options: &RegistryOptions) -> Result<Self, Failure> {
        match &options.config {
            Some(file) => Config::read_registry(file),
            None => Ok(Self::in_data_dir(data_dir(options))),
        }
    }

    /// Opens the registry.
    pub(crate) fn open(&self, missing: Missing, seam: &Seam) -> Result<Registry, Failure> {
        let exists = self.path.try_exists().map_err(|e| {
            Failure::io(Exit::Io, format_args!("cannot look for {}", self.path.display()), &e)
        })?;
        if !exists && missing == Missing::Refuse {
            let message = format_args!("there is no registry at {}", self.path.display());
            return Err(Failure::new(Exit::Config, message)
                .remedy("name another with --data or --config, or begin one with `suvidha asp add`"));
        }
        if let Some(directory) = self.path.parent() {
            make_private_directory(directory)?;
        }
        let keys = self.keys(exists, seam)?;
        Ok(Registry::open(&self.path, keys, seam.clone())?)
    }

    fn keys(&self, registry_exists: bool, seam: &Seam) -> Result<SealingKeys, Failure> {
        match &self.key {
            SealingKeySource::File(path) => keys_in_file(path, registry_exists, seam),
            SealingKeySource::Variable(name) => match env::var(name) {
                Ok(value) => Ok(SealingKeys::from_env_value(&value)?),
                Err(_) => Err(Failure::new(
                    Exit::Config,
                    format_args!("the environment variable {name}, which holds the sealing key, is not set"),
                )),
            },
        }
    }
}

/// A key is made only for a registry that does not exist yet: a new key could not open an old one.
fn keys_in_file(path: &Path, registry_exists: bool, seam: &Seam) -> Result<SealingKeys, Failure> {
    let exists = path.try_exists();
    match exists.map_err(|e| {
        Failure::io(Exit::Io, format_args!("cannot look for the sealing key {}", path.display()), &e)
    })? {
        true => SealingKeys::from_file(path).map_err(unusable_keys),
        false if registry_exists => {
            let what = format_args!("the sealing key {} of the registry is missing", path.display());
            Err(Failure::new(Exit::Config, what).remedy(RESTORE_KEYS))
        }
        false => {
            if let Some(directory) = path.parent() {
                make_private_directory(directory)?;
            }
            Ok(SealingKeys::create_file(path, seam)?)
        }
    }
}

/// What to do about a key file that is lost or damaged.
const RESTORE_KEYS: &str = "put it back from its backup: no other key opens what is sealed in the registry";

fn unusable_keys(error: StoreError) -> Failure {
    use StoreError as E;
    match &error {
        E::NoSealingKey { .. } | E::MalformedSealingKey { .. } | E::RepeatedSealingKey { .. } => {
            Failure::from(error).remedy(RESTORE_KEYS)
        }
        // It can be read, but is no text.
        E::File { source, .. } if source.kind() == io::ErrorKind::InvalidData => {
            Failure::new(Exit::Config, error).remedy(RESTORE_KEYS)
        }
        _ => error.into(),
    }
}

/// Makes `directory`, readable by its owner alone, unless it exists.
pub(crate) fn make_private_directory(directory: &Path) -> Result<(), Failure> {
    if directory.as_os_str().is_empty() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(|e| {
        Failure::io(Exit::CannotCreate, format_args!("cannot make the directory {}", directory.display()), &e)
    })
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        use StoreError as E;
        let exit = match &error {
            E::File { source, action, .. } => {
                let otherwise = if *action == "create" { Exit::CannotCreate } else { Exit::Io };
                return Self::io(otherwise, words_before_source(&error), source);
            }
            E::InvalidField { .. }
            | E::InvalidSecret { .. }
            | E::ExpiryInPast { .. }
            | E::AspNotFound(_)
            | E::CredentialNotFound { .. }
            | E::TokenTaken { .. }
            | E::ClientIdTaken { .. }
            | E::ClientCredentialsTaken { .. }
            | E::AlreadyEnrolled { .. }
            | E::SecretOverlap { .. }
            | E::InvalidCertificate { .. }
            | E::CertificateNotFound { .. }
            | E::SessionKeyNotFound { .. }
            | E::SessionKeyInUse { .. }
            | E::SessionKeysUsedUp { .. }
            | E::CreditTakenBack { .. }
            | E::SecretNotFound(_) => Exit::Data,
            E::Busy => Exit::Unavailable,
            E::DiskFull | E::Database(_) => Exit::Io,
            E::ReadOnly => Exit::Permission,
            E::KeyFileExists { .. } => Exit::CannotCreate,
            _ => Exit::Config,
        };
        Self::new(exit, error)
    }
}

/// The error without what the operating system said, which [`Failure::io`] adds again.
fn words_before_source(error: &StoreError) -> String {
    match error {
        StoreError::File { action, path, .. } => format!("cannot {action} {}", path.display()),
        other => other.to_string(),
    }
}
