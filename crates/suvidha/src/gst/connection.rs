//! Where a call goes and as whom: from the options, or from what `suvidha up` wrote.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Deserialize;
use suvidha_client::{Gsp, SecretString};

use crate::exit::{Exit, Failure};

use super::place::{Access, SessionPlace};
use super::proof::ProofOptions;
use super::secrets::given_text;

/// Which gateway, and as which ASP.
#[derive(Debug, Args)]
pub(crate) struct GatewayOptions {
    /// Address of the gateway, e.g. `https://gsp.example.in`
    #[arg(long, value_name = "URL", env = "SUVIDHA_GATEWAY", hide_env_values = true)]
    gateway: Option<String>,
    #[command(flatten)]
    proof: ProofOptions,
    /// CA certificates (PEM) that the gateway's certificate is verified against, beside the system's
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The end user's address, which GSTN wants to know
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    ip_usr: String,
    /// Take gateway, ASP and demo taxpayer from the file that `suvidha up --ready-file FILE` wrote
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

/// The demo ASP.
#[derive(Deserialize)]
pub(crate) struct ReadyAsp {
    pub(crate) aspid: String,
    pub(crate) token: SecretString,
    pub(crate) secret: SecretString,
    pub(crate) private_key: PathBuf,
}

/// The demo taxpayer.
#[derive(Deserialize)]
pub(crate) struct ReadyTaxpayer {
    pub(crate) gstin: String,
    pub(crate) username: String,
    pub(crate) otp: String,
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

    /// For calls that need no taxpayer: the gateway that the options name, or else the one of the kept login.
    pub(crate) fn gsp(&self, place: &SessionPlace) -> Result<Gsp, Failure> {
        let login = if self.name_a_gateway() { None } else { place.login()? };
        match login {
            Some(login) => place.public_gsp(&login.access),
            None => place.public_gsp(&self.access(self.ready()?.as_ref())?),
        }
    }

    /// Whether the options alone say where to go.
    fn name_a_gateway(&self) -> bool {
        let named = given_text(self.gateway.as_deref()).is_some() && self.proof.are_given();
        named || self.ready_file.is_some() || self.demo
    }

    /// The gateway of the ready file, or else the one the options name.
    pub(crate) fn access(&self, ready: Option<&Ready>) -> Result<Access, Failure> {
        let (gateway, proof) = match ready {
            Some(ready) => (ready.environments.sandbox.as_str(), self.proof.of_demo(&ready.asp)),
            None => (self.named()?, self.proof.proof()?),
        };
        let ca_pem = self.ca.as_deref().map(read_certificates).transpose()?;
        Ok(Access { gateway: gateway.to_owned(), proof, ca_pem, ip_usr: self.ip_usr.clone() })
    }

    fn named(&self) -> Result<&str, Failure> {
        given_text(self.gateway.as_deref()).ok_or_else(|| {
            Failure::new(Exit::Usage, "there is no gateway")
                .remedy("Name it with --gateway or SUVIDHA_GATEWAY, or use --demo with `suvidha up`.")
        })
    }
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
