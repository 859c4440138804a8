//! Where a call goes and as whom: from the options, from what `suvidha up` wrote, or from the kept login.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::SignedDuration;
use serde::Deserialize;
use suvidha_client::{Error, Gsp, SecretString, Session, StoredSession};
use suvidha_seam::Seam;

use crate::exit::{Exit, Failure};

/// A session that ends sooner than this is prolonged before it is used.
const REFRESH_MARGIN: SignedDuration = SignedDuration::from_mins(10);

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
        let gsp = gsp(&gateway, &token, ca_pem.as_deref(), &self.ip_usr, seam)?;
        Ok(Connection { gsp, gateway, token, ca_pem, ip_usr: self.ip_usr.clone() })
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

fn gsp(
    gateway: &str,
    token: &SecretString,
    ca: Option<&str>,
    ip_usr: &str,
    seam: &Seam,
) -> Result<Gsp, Error> {
    let builder = Gsp::builder(gateway).token(token.clone()).ip_usr(ip_usr).seam(seam.clone());
    match ca {
        Some(pem) => builder.ca_pem(pem),
        None => builder,
    }
    .build()
}

/// The file that keeps the login.
pub(crate) struct SessionPlace {
    path: PathBuf,
    seam: Seam,
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
        Ok(StoredSession { gateway, token, ca_pem, ip_usr, session }.write(&self.path)?)
    }

    /// The kept login as it is, or nothing.
    pub(crate) fn stored(&self) -> Result<Option<(Gsp, Session)>, Failure> {
        match StoredSession::read(&self.path) {
            Ok(stored) => {
                let gsp = self.gsp_of(&stored)?;
                Ok(Some((gsp, stored.session)))
            }
            Err(Error::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The kept login, prolonged first where it is about to end.
    pub(crate) async fn open(&self) -> Result<(Gsp, Session), Failure> {
        let mut stored = match StoredSession::read(&self.path) {
            Ok(stored) => stored,
            Err(Error::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Err(not_logged_in());
            }
            Err(error) => return Err(error.into()),
        };
        let gsp = self.gsp_of(&stored)?;
        if stored.session.ends_within(REFRESH_MARGIN, self.seam.now()) {
            match gsp.refresh(&stored.session).await {
                Ok(session) => {
                    stored.session = session;
                    stored.write(&self.path)?;
                }
                // Consent is over, but the last minutes are still good.
                Err(Error::OtpRequired(_)) if !self.has_ended(&stored.session) => (),
                Err(error) => return Err(error.into()),
            }
        }
        Ok((gsp, stored.session))
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

    fn has_ended(&self, session: &Session) -> bool {
        session.ends_within(SignedDuration::ZERO, self.seam.now())
    }

    fn gsp_of(&self, stored: &StoredSession) -> Result<Gsp, Error> {
        gsp(&stored.gateway, &stored.token, stored.ca_pem.as_deref(), &stored.ip_usr, &self.seam)
    }
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
