//! The directory that keeps a login: how to reach the gateway, who the taxpayer is, and the sessions, which the SDK keeps
//! and renews by itself.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use gstn::Gstin;
use serde::{Deserialize, Serialize};
use suvidha_client::{FileStore, Gsp, GspBuilder, SecretString, Taxpayer};
use suvidha_seam::Seam;

use crate::exit::{Exit, Failure};
use crate::files;
use crate::registry::make_private_directory;

use super::proof::{Proof, Written};

const LOGIN: &str = "login.json";
const SESSIONS: &str = "sessions";
const VERSION: u32 = 1;

/// How to reach a gateway, and what to prove oneself with there.
#[derive(Debug, Deserialize)]
pub(crate) struct Access {
    pub(crate) gateway: String,
    #[serde(flatten)]
    pub(crate) proof: Proof,
    pub(crate) ca_pem: Option<String>,
    pub(crate) ip_usr: String,
}

/// A login: through which gateway, and of which taxpayer.
#[derive(Debug, Deserialize)]
pub(crate) struct Login {
    version: u32,
    #[serde(flatten)]
    pub(crate) access: Access,
    pub(crate) gstin: String,
    pub(crate) username: String,
}

#[derive(Serialize)]
struct LoginFile<'a> {
    version: u32,
    gateway: &'a str,
    #[serde(flatten)]
    proof: Written<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca_pem: Option<&'a str>,
    ip_usr: &'a str,
    gstin: &'a str,
    username: &'a str,
}

/// The directory that keeps the login.
pub(crate) struct SessionPlace {
    directory: PathBuf,
    seam: Seam,
}

impl SessionPlace {
    /// The directory named, or the one in the user's state directory.
    pub(crate) fn new(named: Option<PathBuf>, seam: Seam) -> Result<Self, Failure> {
        let directory = match named {
            Some(directory) => directory,
            None => {
                default_directory(env::var_os("XDG_STATE_HOME"), env::var_os("HOME")).ok_or_else(|| {
                    Failure::new(Exit::Usage, "there is no home directory to keep the session in")
                        .remedy("Name a directory with --session.")
                })?
            }
        };
        Ok(Self { directory, seam })
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn seam(&self) -> &Seam {
        &self.seam
    }

    /// The gateway. Nothing is connected yet; sessions made with it are kept here.
    pub(crate) fn gsp(&self, access: &Access) -> Result<Gsp, Failure> {
        let store = FileStore::new(self.directory.join(SESSIONS))?;
        Ok(self.builder(access)?.session_store(store).build()?)
    }

    /// The same for calls without a taxpayer: a token makes no session that must be kept.
    pub(crate) fn public_gsp(&self, access: &Access) -> Result<Gsp, Failure> {
        match access.proof {
            Proof::Token { .. } => Ok(self.builder(access)?.build()?),
            Proof::GetKey { .. } => self.gsp(access),
        }
    }

    fn builder(&self, access: &Access) -> Result<GspBuilder, Failure> {
        let builder = Gsp::builder(&access.gateway)
            .credentials(access.proof.credentials()?)
            .ip_usr(&access.ip_usr)
            .seam(self.seam.clone());
        Ok(match &access.ca_pem {
            Some(pem) => builder.ca_pem(pem.as_str()),
            None => builder,
        })
    }

    /// Keeps a new login.
    pub(crate) fn keep(&self, access: &Access, taxpayer: &Taxpayer) -> Result<(), Failure> {
        let path = self.directory.join(LOGIN);
        let file = LoginFile {
            version: VERSION,
            gateway: &access.gateway,
            proof: access.proof.written(),
            ca_pem: access.ca_pem.as_deref(),
            ip_usr: &access.ip_usr,
            gstin: taxpayer.gstin().as_str(),
            username: taxpayer.username(),
        };
        let cannot = |error: &io::Error| {
            Failure::io(Exit::CannotCreate, format_args!("cannot write {}", path.display()), error)
        };
        let text = SecretString::new(serde_json::to_string_pretty(&file).map_err(|e| cannot(&e.into()))?);
        make_private_directory(&self.directory)?;
        files::replace(&path, text.expose().as_bytes(), 0o600).map_err(|e| cannot(&e))
    }

    /// The kept login, or nothing.
    pub(crate) fn login(&self) -> Result<Option<Login>, Failure> {
        let path = self.directory.join(LOGIN);
        let cannot =
            |error: &io::Error| Failure::io(Exit::Io, format_args!("cannot read {}", path.display()), error);
        match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(cannot(&error)),
            Ok(metadata) if metadata.permissions().mode() & 0o077 != 0 => {
                let what = format_args!("others can read {}, a file of secrets", path.display());
                return Err(Failure::new(Exit::Permission, what).remedy("chmod 600 it, or log in again."));
            }
            Ok(_) => (),
        }
        let text = SecretString::new(fs::read_to_string(&path).map_err(|e| cannot(&e))?);
        // What serde says of a fault may repeat a secret.
        let login: Option<Login> = serde_json::from_str(text.expose()).ok();
        match login.filter(|login| login.version == VERSION) {
            Some(login) => Ok(Some(login)),
            None => Err(Failure::new(
                Exit::Data,
                format_args!("{} is no login of this version of suvidha", path.display()),
            )
            .remedy("Log in again.")),
        }
    }

    /// The taxpayer who is logged in.
    pub(crate) fn open(&self) -> Result<Taxpayer, Failure> {
        let login = self.login()?.ok_or_else(not_logged_in)?;
        Ok(self.gsp(&login.access)?.taxpayer(login.taxpayer()?, login.username))
    }

    /// Forgets the login. The session with the GSP, if there is one, stays for the next login: without the ASP secret it
    /// is of no use.
    pub(crate) fn forget(&self) -> Result<(), Failure> {
        let path = self.directory.join(LOGIN);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Failure::io(Exit::Io, format_args!("cannot remove {}", path.display()), &error))
            }
            _ => Ok(()),
        }
    }
}

impl Login {
    /// Whose login it is.
    pub(crate) fn taxpayer(&self) -> Result<Gstin, Failure> {
        self.gstin.parse().map_err(|error| Failure::new(Exit::Data, error))
    }
}

/// What every command says that needs a login and finds none.
pub(crate) fn not_logged_in() -> Failure {
    Failure::new(Exit::Permission, "no taxpayer is logged in")
        .remedy("Log in first: `suvidha gst login`, or `suvidha gst login --demo` with `suvidha up`.")
}

/// A relative `XDG_STATE_HOME` counts as none, as its specification asks.
fn default_directory(state_home: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    let state = state_home.map(PathBuf::from).filter(|path| path.is_absolute());
    let state =
        state.or_else(|| Some(PathBuf::from(home.filter(|home| !home.is_empty())?).join(".local/state")))?;
    Some(state.join("suvidha/session"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_login_lies_in_the_users_state_directory() {
        let path = |state: Option<&str>, home: Option<&str>| {
            default_directory(state.map(Into::into), home.map(Into::into))
        };
        assert_eq!(path(Some("/s"), Some("/h")), Some("/s/suvidha/session".into()));
        assert_eq!(path(Some("s"), Some("/h")), Some("/h/.local/state/suvidha/session".into()));
        assert_eq!(path(None, None), None);
    }
}
