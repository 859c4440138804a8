//! `suvidha gst`: an ASP's first tool. It logs a taxpayer in and calls GSTN through a gateway, from a terminal.

mod call;
mod connection;
mod failure;
mod filing;
mod ims;
mod inward;
mod keygen;
mod large;
mod ledger;
mod login;
mod place;
mod profile;
mod proof;
mod public;
mod returns;
mod rows;
mod secrets;
mod session;
mod threeb;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use suvidha_seam::Seam;

use crate::exit::{Exit, Failure};
use crate::output::Output;

use place::SessionPlace;

/// `suvidha gst`.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes:
   0  done
   1  GSTN or the gateway said no, or GSTN refused rows of what was saved
  64  the command line is wrong, or a value in it has not the right form
  65  what was given is wrong: a payload, a file, a token, a certificate
  69  the gateway or GSTN cannot be reached
  75  not now: GSTN is still at it, or there were too many calls
  76  the answer cannot be understood, or was changed on the way
  77  not logged in, or the token, key or ASP secret is not accepted")]
pub(crate) struct Gst {
    /// Directory that keeps the login and its sessions, for its owner alone. ~/.local/state/suvidha/session (or
    /// below $XDG_STATE_HOME) when left out
    #[arg(long, global = true, value_name = "DIR", env = "SUVIDHA_SESSION", hide_env_values = true)]
    session: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    command: GstCommand,
}

/// `suvidha gst …`.
#[derive(Debug, Subcommand)]
pub(crate) enum GstCommand {
    /// Log a taxpayer in with an OTP, and keep the session
    ///
    /// The other commands go on with it, and prolong it while the taxpayer's consent lasts.
    #[command(after_help = "\
With `suvidha up` running on this machine, `suvidha gst login --demo` is all it takes, and
`suvidha gst login --demo --auth getkey` does the same by GetKey.
Secrets are best given in a file, or in the environment: SUVIDHA_TOKEN, SUVIDHA_ASP_SECRET,
SUVIDHA_PFX_PASSPHRASE. Other users of the machine can see a command line.")]
    Login(login::Login),
    /// Show the login: which gateway and ASP, which taxpayer, and how long the sessions last
    Session,
    /// End the session at GSTN and forget it
    Logout,
    /// Look a taxpayer up in the public register; needs no login where the options name a gateway and an ASP
    Search(public::Search),
    /// List the returns that a taxpayer has filed in a year; needs no login where search needs none
    Track(public::Track),
    /// Save rows of a GSTR-1, or of a GSTR-1A; prints the reference_id under which GSTN works on them
    Save(returns::Save),
    /// Ask what has become of a save, a reset or a proceed-to-file
    Status(returns::Status),
    /// Read saved rows of a GSTR-1 back
    Get(returns::Get),
    /// Show the summary of a GSTR-1
    Summary(returns::Summary),
    /// Throw away everything saved in a GSTR-1 and not filed
    Reset(returns::Reset),
    /// File a GSTR-1, signed with an OTP sent to the signatory or with a DSC. There is no way back
    File(filing::File),
    /// Read a section of GSTR-2A: what suppliers saved and filed
    #[command(name = "2a")]
    Gstr2a(inward::Gstr2a),
    /// GSTR-2B: the credit that suppliers' returns give
    #[command(name = "2b")]
    Gstr2b {
        /// What of it.
        #[command(subcommand)]
        command: inward::Gstr2bCommand,
    },
    /// The invoice management system: accept, reject, or keep pending what suppliers reported
    Ims {
        /// What to do.
        #[command(subcommand)]
        command: ims::ImsCommand,
    },
    /// GSTR-3B: save, pay and file
    #[command(name = "3b")]
    Gstr3b {
        /// What to do.
        #[command(subcommand)]
        command: threeb::Gstr3bCommand,
    },
    /// How often the taxpayer files: see it, or choose
    Preference {
        /// Which.
        #[command(subcommand)]
        command: profile::PreferenceCommand,
    },
    /// Show the annual aggregate turnover
    Turnover(profile::Year),
    /// Show the late fee that is paid with a GSTR-3B
    LateFee(returns::Period),
    /// Show the cash ledger, the credit ledger, what is in both, or what is owed
    Ledger {
        /// Which.
        #[command(subcommand)]
        command: ledger::LedgerCommand,
    },
    /// Call any other API of GSTN's catalogue, with the cryptography done
    Call(call::Call),
    /// Make the ASP's key pair for GetKey: private key, self-signed certificate, .pfx and .cer
    ///
    /// Needs no gateway and no login. Existing files are never overwritten.
    Keygen(keygen::Keygen),
}

/// Runs `suvidha gst …`.
pub(crate) fn run(gst: Gst, output: Output, seam: &Seam) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::io(Exit::Unavailable, "cannot start", &error))?;
    let place = SessionPlace::new(gst.session, seam.clone())?;
    runtime.block_on(async {
        match gst.command {
            GstCommand::Login(login) => login.run(&place, output).await,
            GstCommand::Logout => login::logout(&place, output).await,
            GstCommand::Session => session::run(&place, output).await,
            GstCommand::Search(search) => search.run(&place, output).await,
            GstCommand::Track(track) => track.run(&place, output).await,
            GstCommand::Save(save) => save.run(&place, output).await,
            GstCommand::Status(status) => status.run(&place, output).await,
            GstCommand::Get(get) => get.run(&place, output).await,
            GstCommand::Summary(summary) => summary.run(&place, output).await,
            GstCommand::Reset(reset) => reset.run(&place, output).await,
            GstCommand::File(file) => file.run(&place, output).await,
            GstCommand::Gstr2a(section) => section.run(&place, output).await,
            GstCommand::Gstr2b { command } => command.run(&place, output).await,
            GstCommand::Ims { command } => command.run(&place, output).await,
            GstCommand::Gstr3b { command } => command.run(&place, output).await,
            GstCommand::Preference { command } => command.run(&place, output).await,
            GstCommand::Turnover(year) => profile::turnover(year, &place, output).await,
            GstCommand::LateFee(period) => profile::late_fee(period, &place, output).await,
            GstCommand::Ledger { command } => command.run(&place, output).await,
            GstCommand::Call(call) => call.run(&place, output).await,
            GstCommand::Keygen(keygen) => keygen.run(output, seam),
        }
    })
}
