//! What the ASP proves itself with: a token, or what GetKey takes. From the options, the ready file, or the kept login.

use std::fs;
use std::path::{self, Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use suvidha_client::{Credentials, SecretString, SigningKey};
use zeroize::Zeroizing;

use crate::exit::{Exit, Failure};

use super::connection::{ReadyAsp, secret};
use super::keygen;
use super::secrets::{Wanted, given_text};

/// How the ASP proves itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Auth {
    /// A static token with every call
    Token,
    /// A signed GetKey call, then the ASP secret under the key of that session
    Getkey,
}

/// The options that say so.
#[derive(Debug, Args)]
pub(crate) struct ProofOptions {
    /// How the ASP proves itself: what is given decides when left out, and a token goes first with --demo
    #[arg(long, value_enum, value_name = "HOW")]
    auth: Option<Auth>,
    /// File that holds the ASP's token; `-` is standard input
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The ASP's token, where there is no --token-file. Better in the environment: others can see a command line
    #[arg(long, value_name = "TOKEN", env = "SUVIDHA_TOKEN", hide_env_values = true, value_parser = secret)]
    token: Option<SecretString>,
    /// GetKey: the ASP's id, ten digits
    #[arg(long, value_name = "ASPID", env = "SUVIDHA_ASPID", hide_env_values = true)]
    aspid: Option<String>,
    /// GetKey: the ASP's private key, whose certificate the gateway has: .pfx, PEM, or PKCS#8 in DER. The login keeps
    /// its path, not the key
    #[arg(long, value_name = "FILE", env = "SUVIDHA_ASP_KEY", hide_env_values = true)]
    key: Option<PathBuf>,
    /// GetKey: file with the ASP secret; `-` is standard input. Without it the secret is taken from
    /// SUVIDHA_ASP_SECRET, or asked for
    #[arg(long, value_name = "FILE")]
    asp_secret_file: Option<PathBuf>,
    /// GetKey: file with the passphrase of the .pfx; `-` is standard input. Without it the passphrase is taken from
    /// SUVIDHA_PFX_PASSPHRASE, or asked for
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

/// What the ASP proves itself with, as the login keeps it.
#[derive(Debug, Deserialize)]
#[serde(tag = "auth", rename_all = "lowercase")]
pub(crate) enum Proof {
    Token { token: SecretString },
    GetKey { aspid: String, asp_secret: SecretString, key: PathBuf, passphrase: Option<SecretString> },
}

/// The same, for the file of the login. Nothing else writes secrets.
#[derive(Serialize)]
#[serde(tag = "auth", rename_all = "lowercase")]
pub(crate) enum Written<'a> {
    Token { token: &'a str },
    GetKey { aspid: &'a str, asp_secret: &'a str, key: &'a Path, passphrase: Option<&'a str> },
}

impl ProofOptions {
    /// Whether there is something to prove oneself with, ready file apart.
    pub(crate) fn are_given(&self) -> bool {
        self.gives_token() || self.gives_getkey()
    }

    /// What the options give.
    pub(crate) fn proof(&self) -> Result<Proof, Failure> {
        match (self.auth, self.gives_token(), self.gives_getkey()) {
            (Some(Auth::Getkey), ..) | (None, false, true) => self.getkey(),
            (Some(Auth::Token), ..) | (None, _, false) => self.token(),
            (None, true, true) => {
                Err(Failure::new(Exit::Usage, "there are both a token and what GetKey takes")
                    .remedy("Say which to use with --auth token or --auth getkey."))
            }
        }
    }

    /// What the demo ASP proves itself with.
    pub(crate) fn of_demo(&self, asp: &ReadyAsp) -> Proof {
        match self.auth {
            Some(Auth::Getkey) => Proof::GetKey {
                aspid: asp.aspid.clone(),
                asp_secret: asp.secret.clone(),
                key: asp.private_key.clone(),
                passphrase: None,
            },
            Some(Auth::Token) | None => Proof::Token { token: asp.token.clone() },
        }
    }

    fn gives_token(&self) -> bool {
        self.token_file.is_some() || given_secret(self.token.as_ref()).is_some()
    }

    fn gives_getkey(&self) -> bool {
        given_path(self.key.as_deref()).is_some() || given_text(self.aspid.as_deref()).is_some()
    }

    fn token(&self) -> Result<Proof, Failure> {
        let wanted = Wanted {
            what: "ASP token",
            file: self.token_file.as_deref(),
            option: "--token-file",
            variable: "SUVIDHA_TOKEN",
        };
        let token = match &self.token_file {
            Some(_) => wanted.given()?,
            None => given_secret(self.token.as_ref()).cloned(),
        };
        let token = token.ok_or_else(|| {
            Failure::new(Exit::Usage, "there is no ASP token").remedy(
                "Give it in SUVIDHA_TOKEN or with --token-file; or use GetKey, with --aspid and --key.",
            )
        })?;
        Ok(Proof::Token { token })
    }

    fn getkey(&self) -> Result<Proof, Failure> {
        let missing = |what: &str, how: &str| {
            Failure::new(Exit::Usage, format_args!("GetKey needs {what}"))
                .remedy(format_args!("Name it with {how}."))
        };
        let aspid = given_text(self.aspid.as_deref())
            .ok_or_else(|| missing("the ASP's id", "--aspid or SUVIDHA_ASPID"))?;
        let key = given_path(self.key.as_deref())
            .ok_or_else(|| missing("the ASP's private key", "--key or SUVIDHA_ASP_KEY"))?;
        let passphrase = if has_passphrase(key)? {
            Some(keygen::passphrase(self.passphrase_file.as_deref()).ask()?)
        } else {
            None
        };
        // Before a person is asked for more.
        signing_key(key, passphrase.as_ref())?;
        let asp_secret = Wanted {
            what: "ASP secret",
            file: self.asp_secret_file.as_deref(),
            option: "--asp-secret-file",
            variable: "SUVIDHA_ASP_SECRET",
        };
        let absolute = path::absolute(key).map_err(|error| unreadable(key, &error))?;
        Ok(Proof::GetKey {
            aspid: aspid.to_owned(),
            asp_secret: asp_secret.ask()?,
            key: absolute,
            passphrase,
        })
    }
}

/// An empty variable of the environment is as good as none.
fn given_path(path: Option<&Path>) -> Option<&Path> {
    path.filter(|path| !path.as_os_str().is_empty())
}

fn given_secret(secret: Option<&SecretString>) -> Option<&SecretString> {
    secret.filter(|secret| !secret.expose().is_empty())
}

impl Proof {
    /// What the SDK takes.
    pub(crate) fn credentials(&self) -> Result<Credentials, Failure> {
        Ok(match self {
            Self::Token { token } => Credentials::token(token.clone()),
            Self::GetKey { aspid, asp_secret, key, passphrase } => {
                let key = signing_key(key, passphrase.as_ref())?;
                Credentials::getkey(aspid.as_str(), asp_secret.clone(), key)
            }
        })
    }

    /// As --auth names it.
    pub(crate) fn auth(&self) -> &'static str {
        match self {
            Self::Token { .. } => "token",
            Self::GetKey { .. } => "getkey",
        }
    }

    /// The ASP's id, where it is known.
    pub(crate) fn aspid(&self) -> Option<&str> {
        match self {
            Self::Token { .. } => None,
            Self::GetKey { aspid, .. } => Some(aspid),
        }
    }

    /// For the file of the login.
    pub(crate) fn written(&self) -> Written<'_> {
        match self {
            Self::Token { token } => Written::Token { token: token.expose() },
            Self::GetKey { aspid, asp_secret, key, passphrase } => Written::GetKey {
                aspid,
                asp_secret: asp_secret.expose(),
                key,
                passphrase: passphrase.as_ref().map(SecretString::expose),
            },
        }
    }
}

/// Whether the key lies in a .pfx, which alone has a passphrase here.
fn has_passphrase(path: &Path) -> Result<bool, Failure> {
    let bytes = read(path)?;
    Ok(!is_pem(&bytes) && SigningKey::from_pkcs8_der(&*bytes).is_err())
}

fn signing_key(path: &Path, passphrase: Option<&SecretString>) -> Result<SigningKey, Failure> {
    let bytes = read(path)?;
    let key = match passphrase {
        Some(passphrase) => SigningKey::from_pfx(&*bytes, passphrase.expose()),
        None if is_pem(&bytes) => SigningKey::from_pem(&*bytes),
        None => SigningKey::from_pkcs8_der(&*bytes),
    };
    key.map_err(|error| Failure::new(Exit::Data, format_args!("{}: {error}", path.display())))
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    fs::read(path).map(Zeroizing::new).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::io(Exit::Data, format_args!("cannot read the key {}", path.display()), error)
}

fn is_pem(bytes: &[u8]) -> bool {
    bytes.windows(11).any(|window| window == b"-----BEGIN ")
}
