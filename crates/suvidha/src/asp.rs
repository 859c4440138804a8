//! `suvidha asp`: the ASPs, whether and from where they may call, and their credentials.

use clap::{Args, Subcommand, ValueEnum};
use gstn::AspId;
use ipnet::IpNet;
use jiff::Timestamp;
use serde::Serialize;
use suvidha_seam::Seam;
use suvidha_store::{NewAsp, Registry, StoreError};

use crate::cli::Asp;
use crate::config::network;
use crate::exit::Failure;
use crate::output::{Answer, Output, fields, instant, table};
use crate::registry::{Missing, RegistryPlace};

mod client;
mod token;

/// `suvidha asp …`.
#[derive(Debug, Subcommand)]
pub(crate) enum AspCommand {
    /// Take in a new ASP; prints its aspid, for which `asp token issue` makes a token
    Add(Add),
    /// List the ASPs
    List,
    /// Show an ASP with its credentials
    Show {
        /// Ten digits
        aspid: AspId,
    },
    /// Refuse every call of an ASP; its credentials stay
    Suspend {
        /// Ten digits
        aspid: AspId,
    },
    /// Let a suspended ASP call again
    Resume {
        /// Ten digits
        aspid: AspId,
    },
    /// Change how an ASP is treated
    Set(Set),
    /// Keep its tokens, for `X-CT-Auth-Token` and `Authorization: Bearer`
    Token {
        /// What to do.
        #[command(subcommand)]
        command: token::TokenCommand,
    },
    /// Keep its client credentials, for the legacy headers `clientid` and `client-secret` (or `karvyclientid` and
    /// `karvyclient_secret`)
    Client {
        /// What to do.
        #[command(subcommand)]
        command: client::ClientCommand,
    },
}

/// `suvidha asp add`.
#[derive(Debug, Args)]
pub(crate) struct Add {
    /// The company's name
    #[arg(long)]
    name: String,
    /// The person to talk to
    #[arg(long, value_name = "NAME")]
    contact_name: String,
    /// Where to write to
    #[arg(long, value_name = "ADDRESS")]
    email: String,
    /// Where to call
    #[arg(long, value_name = "NUMBER")]
    phone: String,
    /// Network it may call from, e.g. 203.0.113.0/24; may be repeated. Any when left out
    #[arg(long = "allow-ip", value_name = "CIDR", value_parser = parse_network)]
    allow_ip: Vec<IpNet>,
}

/// `suvidha asp set`.
#[derive(Debug, Args)]
#[group(id = "settings", multiple = true)]
pub(crate) struct Set {
    /// Ten digits
    aspid: AspId,
    /// What to change.
    #[command(flatten)]
    change: Change,
}

/// What `suvidha asp set` changes.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct Change {
    /// Network it may call from; may be repeated. Replaces the ones before
    #[arg(long = "allow-ip", value_name = "CIDR", value_parser = parse_network, conflicts_with = "allow_any_ip")]
    allow_ip: Vec<IpNet>,
    /// Let it call from anywhere
    #[arg(long)]
    allow_any_ip: bool,
    /// Answer its refused calls with HTTP 200, for old clients that look at status_cd alone
    #[arg(long, value_name = "SWITCH")]
    always_200: Option<Switch>,
    /// Demand every mandatory GSTN header of it; `default` leaves it to the environment
    #[arg(long, value_name = "SWITCH")]
    strict_headers: Option<SwitchOrDefault>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SwitchOrDefault {
    On,
    Off,
    Default,
}

fn parse_network(text: &str) -> Result<IpNet, String> {
    network(text)
        .ok_or_else(|| "expected an IP address or network, e.g. 203.0.113.7 or 10.0.0.0/8".to_owned())
}

/// Runs `suvidha asp …`.
pub(crate) fn run(command: Asp, output: Output, seam: &Seam) -> Result<(), Failure> {
    let place = RegistryPlace::from_options(&command.place)?;
    let missing =
        if matches!(command.command, AspCommand::Add(_)) { Missing::Create } else { Missing::Refuse };
    let registry = place.open(missing, seam)?;
    match command.command {
        AspCommand::Add(new) => add(&registry, new, output),
        AspCommand::List => list(&registry, output),
        AspCommand::Show { aspid } => show(&registry, &aspid, seam.now(), output),
        AspCommand::Suspend { aspid } => {
            registry.suspend(&aspid)?;
            output.show(&one(&registry, &aspid)?)
        }
        AspCommand::Resume { aspid } => {
            registry.resume(&aspid)?;
            output.show(&one(&registry, &aspid)?)
        }
        AspCommand::Set(Set { aspid, change }) => set(&registry, &aspid, change, output),
        AspCommand::Token { command } => token::run(&registry, command, seam.now(), output),
        AspCommand::Client { command } => client::run(&registry, command, output),
    }
}

fn add(registry: &Registry, new: Add, output: Output) -> Result<(), Failure> {
    let Add { name, contact_name, email, phone, allow_ip } = new;
    let asp = registry.add_asp(NewAsp { name, contact_name, email, phone })?;
    if !allow_ip.is_empty() {
        registry.set_allowed_ips(&asp.aspid, allow_ip)?;
    }
    output.show(&one(registry, &asp.aspid)?)
}

fn list(registry: &Registry, output: Output) -> Result<(), Failure> {
    output.show(&AspList(registry.asps()?.into_iter().map(AspRow::from).collect()))
}

fn show(registry: &Registry, aspid: &AspId, now: Timestamp, output: Output) -> Result<(), Failure> {
    output.show(&AspWithCredentials {
        asp: one(registry, aspid)?,
        tokens: token::list(registry, aspid, now)?,
        client_credentials: client::list(registry, aspid)?,
    })
}

fn set(registry: &Registry, aspid: &AspId, change: Change, output: Output) -> Result<(), Failure> {
    if change.allow_any_ip || !change.allow_ip.is_empty() {
        registry.set_allowed_ips(aspid, change.allow_ip)?;
    }
    if let Some(always_200) = change.always_200 {
        registry.set_always_200(aspid, always_200 == Switch::On)?;
    }
    if let Some(strict) = change.strict_headers {
        let strict = (strict != SwitchOrDefault::Default).then_some(strict == SwitchOrDefault::On);
        registry.set_strict_headers(aspid, strict)?;
    }
    output.show(&one(registry, aspid)?)
}

fn one(registry: &Registry, aspid: &AspId) -> Result<AspRow, StoreError> {
    registry.asp(aspid)?.map(AspRow::from).ok_or(StoreError::AspNotFound(*aspid))
}

#[derive(Serialize)]
struct AspRow {
    aspid: String,
    name: String,
    contact_name: String,
    email: String,
    phone: String,
    status: &'static str,
    allowed_ips: Vec<IpNet>,
    always_200: bool,
    strict_headers: Option<bool>,
    created_at: String,
}

impl From<suvidha_store::Asp> for AspRow {
    fn from(asp: suvidha_store::Asp) -> Self {
        Self {
            aspid: asp.aspid.as_str().to_owned(),
            name: asp.name,
            contact_name: asp.contact_name,
            email: asp.email,
            phone: asp.phone,
            status: asp.status.as_str(),
            allowed_ips: asp.allowed_ips,
            always_200: asp.always_200,
            strict_headers: asp.strict_headers,
            created_at: instant(asp.created_at),
        }
    }
}

impl AspRow {
    fn allowed_ips(&self) -> String {
        let ips: Vec<_> = self.allowed_ips.iter().map(IpNet::to_string).collect();
        if ips.is_empty() { "any".to_owned() } else { ips.join(", ") }
    }
}

impl Answer for AspRow {
    fn words(&self) -> String {
        let strict = match self.strict_headers {
            Some(true) => "strict",
            Some(false) => "lenient",
            None => "as the environment says",
        };
        fields(&[
            ("aspid", self.aspid.clone()),
            ("name", self.name.clone()),
            ("contact", self.contact_name.clone()),
            ("e-mail", self.email.clone()),
            ("phone", self.phone.clone()),
            ("status", self.status.to_owned()),
            ("may call from", self.allowed_ips()),
            ("always HTTP 200", if self.always_200 { "yes" } else { "no" }.to_owned()),
            ("header checks", strict.to_owned()),
            ("since", self.created_at.clone()),
        ])
    }
}

#[derive(Serialize)]
struct AspList(Vec<AspRow>);

impl Answer for AspList {
    fn words(&self) -> String {
        if self.0.is_empty() {
            return "no ASP yet; take one in with `suvidha asp add`\n".to_owned();
        }
        let row = |asp: &AspRow| {
            [
                asp.aspid.clone(),
                asp.name.clone(),
                asp.status.to_owned(),
                asp.allowed_ips(),
                asp.created_at.clone(),
            ]
        };
        table(
            ["ASPID", "NAME", "STATUS", "MAY CALL FROM", "SINCE"],
            &self.0.iter().map(row).collect::<Vec<_>>(),
        )
    }
}

#[derive(Serialize)]
struct AspWithCredentials {
    #[serde(flatten)]
    asp: AspRow,
    tokens: token::Tokens,
    client_credentials: client::ClientCredentials,
}

impl Answer for AspWithCredentials {
    fn words(&self) -> String {
        let Self { asp, tokens, client_credentials } = self;
        format!(
            "{}\nTokens\n{}\nClient credentials\n{}",
            asp.words(),
            tokens.words(),
            client_credentials.words()
        )
    }
}
