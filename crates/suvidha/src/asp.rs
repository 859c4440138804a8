//! `suvidha asp`: the ASPs, whether and from where they may call, and their credentials.

use clap::Subcommand;
use gstn::AspId;
use ipnet::IpNet;
use suvidha_seam::Seam;

use self::balance::Ledgers;
use crate::cli::Asp;
use crate::config::network;
use crate::exit::Failure;
use crate::output::Output;
use crate::registry::{Missing, RegistryPlace};

mod balance;
mod cert;
mod client;
mod enrol;
mod handover;
mod limits;
mod password;
mod plan;
mod secret;
mod sessions;
mod set;
mod show;
mod token;
mod topup;

/// `suvidha asp …`.
#[derive(Debug, Subcommand)]
pub(crate) enum AspCommand {
    /// Take in a new ASP; prints its aspid and, this once, its ASP secret and account password
    ///
    /// With these and a certificate (`asp cert add`) it gets sessions by GetKey; `asp token issue` makes a token
    /// instead.
    Add(enrol::Add),
    /// Give an ASP its ASP secret and account password of another environment; they are shown this once
    Enrol(enrol::Enrol),
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
    Set(set::Set),
    /// Add to the credit that an ASP on a prepaid plan calls on; a running gateway follows within two seconds
    ///
    /// There is one balance and one expiry for an ASP and environment. After the expiry the balance cannot be used (GSP019),
    /// until the next top-up, which revives what was left.
    Topup(topup::Topup),
    /// Show how an ASP pays and where it stands, or put it on another plan; a running gateway follows within two seconds
    Plan(plan::ChangePlan),
    /// Show how much an ASP may call, or change it; a running gateway follows within two seconds
    ///
    /// Each limit is a number, `none` for no limit, or `default` for the one of the environment, which the gateway's
    /// configuration sets.
    Limits(limits::ChangeLimits),
    /// Keep its ASP secrets, for GetKey and its sessions
    Secret {
        /// What to do.
        #[command(subcommand)]
        command: secret::SecretCommand,
    },
    /// Keep the certificates whose keys sign its GetKey calls
    Cert {
        /// What to do.
        #[command(subcommand)]
        command: cert::CertCommand,
    },
    /// Keep its account passwords
    Password {
        /// What to do.
        #[command(subcommand)]
        command: password::PasswordCommand,
    },
    /// End its sessions
    Sessions {
        /// What to do.
        #[command(subcommand)]
        command: sessions::SessionsCommand,
    },
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
    let ledgers = || Ledgers::from_options(&command.place);
    match command.command {
        AspCommand::Add(new) => enrol::add(&registry, new, seam.now(), output),
        AspCommand::Enrol(enrol) => enrol::enrol(&registry, enrol, seam.now(), output),
        AspCommand::List => output.show(&show::list(&registry, &ledgers()?, seam.now())?),
        AspCommand::Show { aspid } => output.show(&show::whole(&registry, &ledgers()?, &aspid, seam.now())?),
        AspCommand::Suspend { aspid } => {
            registry.suspend(&aspid)?;
            output.show(&show::one(&registry, &aspid)?)
        }
        AspCommand::Resume { aspid } => {
            registry.resume(&aspid)?;
            output.show(&show::one(&registry, &aspid)?)
        }
        AspCommand::Set(set) => {
            let aspid = set.aspid;
            set.apply(&registry)?;
            output.show(&show::one(&registry, &aspid)?)
        }
        AspCommand::Topup(top_up) => topup::run(&registry, &ledgers()?, top_up, seam.now(), output),
        AspCommand::Plan(change) => plan::run(&registry, &ledgers()?, &change, seam.now(), output),
        AspCommand::Limits(change) => limits::run(&registry, &change, output),
        AspCommand::Secret { command } => secret::run(&registry, command, seam, output),
        AspCommand::Cert { command } => cert::run(&registry, command, seam.now(), output),
        AspCommand::Password { command } => password::run(&registry, command, seam.now(), output),
        AspCommand::Sessions { command } => sessions::run(&registry, &command, output),
        AspCommand::Token { command } => token::run(&registry, command, seam.now(), output),
        AspCommand::Client { command } => client::run(&registry, command, output),
    }
}
