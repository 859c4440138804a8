//! Where a call goes and as whom: from the options, from what `suvidha up` wrote, or from the kept login.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use gstn::Gstin;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use suvidha_client::{
    Credentials, Gsp, GspBuilder, SecretString, Session, SessionKey, SessionStore, StoreFuture,
    StoredSession, Taxpayer,
};
use suvidha_seam::Seam;

use crate::exit::{Exit, Failure};
use crate::files;

/// Which gateway, and as which ASP.
#[derive(Debug, Args)]
pub(crate) struct GatewayOptions {
    /// Address of the gateway, e.g. `https://gsp.example.in`
    #[arg(long, value_name = "URL", env = "SUVIDHA_GATEWAY", hide_env_values = true)]
    gateway: Option<String>,
    /// File that holds the ASP's token
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The ASP's token, where there is no --token-file. Better in the environment: others can see a command line
    #[arg(long, value_name = "TOKEN", env = "SUVIDHA_TOKEN", hide_env_values = true, value_parser = secret)]
    token: Option<SecretString>,
    /// CA certificates (PEM) that the gateway's certificate is verified against, beside the system's
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The end user's address, which GSTN wants to know
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    ip_usr: String,
    /// Take gateway, token and demo taxpayer from the file that `suvidha up --ready-file FILE` wrote
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// The same, from where `suvidha up` keeps it in its data directory
    #[arg(long, conflicts_with = "ready_file")]
    demo: bool,
    /// The data directory of `suvidha up`, for --demo
    #[arg(
        long,
        value_name = "DIR",
        default_value = "suvidha-data",
        env = "SUVIDHA_DATA",
        hide_env_values = true
    )]
    data: PathBuf,
}

/// For clap: a value that no `Debug` of the command line shows.
pub(crate) fn secret(text: &str) -> Result<SecretString, String> {
    Ok(SecretString::from(text))
}

/// What of the ready file is of use here.
#[derive(Deserialize)]
pub(crate) struct Ready {
    environments: Environments,
    asp: ReadyAsp,
    pub(crate) taxpayer: ReadyTaxpayer,
}

#[derive(Deserialize)]
struct Environments {
    sandbox: String,
}

#[derive(Deserialize)]
struct ReadyAsp {
    token: String,
}

/// The demo taxpayer.
#[derive(Deserialize)]
pub(crate) struct ReadyTaxpayer {
    pub(crate) gstin: String,
    pub(crate) username: String,
    pub(crate) otp: String,
}

/// A gateway, and what it takes to find it again.
pub(crate) struct Connection {
    pub(crate) gsp: Gsp,
    pub(crate) gateway: String,
    pub(crate) token: SecretString,
    pub(crate) ca_pem: Option<String>,
    pub(crate) ip_usr: String,
}

impl GatewayOptions {
    /// What `suvidha up` wrote, if it was asked for.
    pub(crate) fn ready(&self) -> Result<Option<Ready>, Failure> {
        let path = match &self.ready_file {
            Some(path) => path.clone(),
            None if self.demo => self.data.join("ready.json"),
            None => return Ok(None),
        };
        let text = read_text(&path).map_err(|failure| {
            failure.remedy("Start `suvidha up`, or name its data directory with --data.")
        })?;
        let ready = serde_json::from_str(&text).map_err(|_| {
            Failure::new(Exit::Data, format_args!("{} is no ready file of `suvidha up`", path.display()))
        })?;
        Ok(Some(ready))
    }

    /// Whether the options alone say where to go.
    pub(crate) fn name_a_gateway(&self) -> bool {
        let named = self.gateway().is_some() && (self.token().is_some() || self.token_file.is_some());
        named || self.ready_file.is_some() || self.demo
    }

    /// The gateway of the ready file, or else the one the options name. Nothing is connected yet.
    pub(crate) fn connect(&self, ready: Option<&Ready>, seam: &Seam) -> Result<Connection, Failure> {
        let (gateway, token) = match ready {
            Some(ready) => (ready.environments.sandbox.clone(), SecretString::from(ready.asp.token.as_str())),
            None => self.named()?,
        };
        let ca_pem = self.ca.as_deref().map(read_certificates).transpose()?;
        let ip_usr = self.ip_usr.clone();
        let gsp = builder(&gateway, token.clone(), ca_pem.as_deref(), &ip_usr, seam).build()?;
        Ok(Connection { gsp, gateway, token, ca_pem, ip_usr })
    }

    fn named(&self) -> Result<(String, SecretString), Failure> {
        let gateway = self.gateway().cloned().ok_or_else(|| {
            Failure::new(Exit::Usage, "there is no gateway")
                .remedy("Name it with --gateway or SUVIDHA_GATEWAY, or use --demo with `suvidha up`.")
        })?;
        let token = match &self.token_file {
            Some(path) => Some(SecretString::from(read_text(path)?.trim())),
            None => self.token().cloned(),
        };
        let token = token.ok_or_else(|| {
            Failure::new(Exit::Usage, "there is no ASP token")
                .remedy("Give it in SUVIDHA_TOKEN or with --token-file.")
        })?;
        Ok((gateway, token))
    }

    /// An empty variable of the environment is as good as none.
    fn gateway(&self) -> Option<&String> {
        self.gateway.as_ref().filter(|gateway| !gateway.is_empty())
    }

    fn token(&self) -> Option<&SecretString> {
        self.token.as_ref().filter(|token| !token.expose().is_empty())
    }
}

fn builder(gateway: &str, token: SecretString, ca: Option<&str>, ip_usr: &str, seam: &Seam) -> GspBuilder {
    let builder =
        Gsp::builder(gateway).credentials(Credentials::token(token)).ip_usr(ip_usr).seam(seam.clone());
    match ca {
        Some(pem) => builder.ca_pem(pem),
        None => builder,
    }
}

/// The file that keeps the login.
pub(crate) struct SessionPlace {
    path: PathBuf,
    seam: Seam,
}

/// The way to the gateway, as the file has it beside the session's own keys.
#[derive(Serialize, Deserialize)]
struct KeptLogin {
    gateway: String,
    token: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ca_pem: Option<String>,
    ip_usr: String,
    gstin: Gstin,
    username: String,
}

impl SessionPlace {
    /// The file named, or the one in the user's state directory.
    pub(crate) fn new(named: Option<PathBuf>, seam: Seam) -> Result<Self, Failure> {
        let path = match named {
            Some(path) => path,
            None => default_path(env::var_os("XDG_STATE_HOME"), env::var_os("HOME")).ok_or_else(|| {
                Failure::new(Exit::Usage, "there is no home directory to keep the session in")
                    .remedy("Name a file with --session.")
            })?,
        };
        Ok(Self { path, seam })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn seam(&self) -> &Seam {
        &self.seam
    }

    /// Keeps a new login.
    pub(crate) fn keep(&self, connection: Connection, session: Session) -> Result<(), Failure> {
        let Connection { gateway, token, ca_pem, ip_usr, .. } = connection;
        let (gstin, username) = (*session.gstin(), session.username().to_owned());
        let login = KeptLogin { gateway, token: token.expose().to_owned(), ca_pem, ip_usr, gstin, username };
        let login = serde_json::to_value(&login).unwrap_or_default();
        let kept = write_login(&self.path, login, &StoredSession::Taxpayer(session));
        kept.map_err(|e| Failure::io(Exit::Io, format_args!("cannot write {}", self.path.display()), &e))
    }

    /// The kept login, or nothing.
    pub(crate) fn stored(&self) -> Result<Option<Taxpayer>, Failure> {
        let cannot_read = |exit, error: &io::Error| {
            Failure::io(exit, format_args!("cannot read {}", self.path.display()), error)
        };
        let text = match read_login(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Err(cannot_read(Exit::Permission, &error));
            }
            Err(error) => return Err(cannot_read(Exit::Io, &error)),
        };
        let login: KeptLogin = serde_json::from_value(text)
            .map_err(|_| cannot_read(Exit::Io, &io::Error::other("not a session file of this version")))?;
        let token = SecretString::from(login.token);
        let builder = builder(&login.gateway, token, login.ca_pem.as_deref(), &login.ip_usr, &self.seam);
        let gsp = builder.session_store(LoginFile(self.path.clone())).build()?;
        Ok(Some(gsp.taxpayer(login.gstin, login.username)))
    }

    /// The kept login; its session is prolonged where it is about to end.
    pub(crate) fn open(&self) -> Result<Taxpayer, Failure> {
        self.stored()?.ok_or_else(not_logged_in)
    }

    /// Forgets the login.
    pub(crate) fn forget(&self) -> Result<(), Failure> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Failure::io(Exit::Io, format_args!("cannot remove {}", self.path.display()), &error))
            }
            _ => Ok(()),
        }
    }
}

/// The one session of the file, as the client keeps it alive.
struct LoginFile(PathBuf);

impl SessionStore for LoginFile {
    fn load<'a>(&'a self, _: &'a SessionKey) -> StoreFuture<'a, Option<StoredSession>> {
        Box::pin(async { Ok(Some(StoredSession::from_json(&read_login(&self.0)?.to_string())?)) })
    }

    fn save<'a>(&'a self, _: &'a SessionKey, session: &'a StoredSession) -> StoreFuture<'a, ()> {
        Box::pin(async { Ok(write_login(&self.0, read_login(&self.0)?, session)?) })
    }

    /// The login is forgotten as a whole.
    fn remove<'a>(&'a self, _: &'a SessionKey) -> StoreFuture<'a, ()> {
        Box::pin(async { Ok(()) })
    }
}

fn read_login(path: &Path) -> io::Result<Value> {
    use std::os::unix::fs::PermissionsExt;
    if fs::metadata(path)?.permissions().mode() & 0o077 != 0 {
        let why = "others can read this file of secrets; chmod 600 it";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    }
    serde_json::from_slice(&fs::read(path)?)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "not a session file of this version"))
}

/// Keys of the session take the place of those that were there; those of the way to the gateway stay.
fn write_login(path: &Path, mut login: Value, session: &StoredSession) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    let session: Value = serde_json::from_str(session.to_json().expose())?;
    if let (Some(login), Value::Object(session)) = (login.as_object_mut(), session) {
        login.extend(session);
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
    }
    files::replace(path, format!("{login:#}").as_bytes(), 0o600)
}

/// What every command says that needs a login and finds none.
pub(crate) fn not_logged_in() -> Failure {
    Failure::new(Exit::Permission, "no taxpayer is logged in")
        .remedy("Log in first: `suvidha gst login`, or `suvidha gst login --demo` with `suvidha up`.")
}

/// A relative `XDG_STATE_HOME` counts as none, as its specification asks.
fn default_path(state_home: Option<std::ffi::OsString>, home: Option<std::ffi::OsString>) -> Option<PathBuf> {
    let state = state_home.map(PathBuf::from).filter(|path| path.is_absolute());
    let state =
        state.or_else(|| Some(PathBuf::from(home.filter(|home| !home.is_empty())?).join(".local/state")))?;
    Some(state.join("suvidha/session.json"))
}

fn read_certificates(path: &Path) -> Result<String, Failure> {
    let text = read_text(path)?;
    if !text.contains("-----BEGIN CERTIFICATE-----") {
        let what = format_args!("{} holds no certificate in PEM", path.display());
        return Err(Failure::new(Exit::Data, what));
    }
    Ok(text)
}

pub(crate) fn read_text(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path)
        .map_err(|error| Failure::io(Exit::Data, format_args!("cannot read {}", path.display()), &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_lies_in_the_users_state_directory() {
        let path = |state: Option<&str>, home: Option<&str>| {
            default_path(state.map(Into::into), home.map(Into::into))
        };
        assert_eq!(path(Some("/s"), Some("/h")), Some("/s/suvidha/session.json".into()));
        assert_eq!(path(Some("s"), Some("/h")), Some("/h/.local/state/suvidha/session.json".into()));
        assert_eq!(path(None, None), None);
    }
}
