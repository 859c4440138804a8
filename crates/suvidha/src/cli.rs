//! The command line: every command and option, with the words of its `--help`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use gstn::Environment;

use crate::asp::AspCommand;
use crate::config::Profile;
use crate::exit::EXIT_CODES;
use crate::gst::Gst;
use crate::keys::KeysCommand;
use crate::ledger::Ledger;
use crate::sandbox::control::SandboxCommand;
use crate::secret::SecretCommand;
use crate::top::Top;

/// GST Suvidha Provider: a gateway to GSTN, a GSTN to test against, and the tools for both.
#[derive(Debug, Parser)]
#[command(name = "suvidha", version, after_help = EXIT_CODES, arg_required_else_help = true)]
#[command(disable_help_subcommand = true, infer_subcommands = false)]
pub(crate) struct Cli {
    /// Print answers as JSON, for programs
    #[arg(long, global = true, help_heading = "Global options")]
    pub(crate) json: bool,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start everything on this machine: a sandbox GSTN, the gateway, a demo ASP and a demo taxpayer
    Up(Up),
    /// Run the gateway from a configuration file
    Serve(Serve),
    /// Run the sandbox GSTN alone, or manage one that is running: taxpayers, clock, faults, scenarios
    Sandbox(Box<Sandbox>),
    /// Call GSTN through a gateway: log a taxpayer in, save, read and file a return, look a GSTIN up
    Gst(Gst),
    /// Keep the ASPs and their credentials
    Asp(Asp),
    /// Keep the master keys that sessions are derived from
    Keys(Keys),
    /// Read the ledger, where every call is recorded: list, sum up, export, prove that nothing was changed
    Ledger(Ledger),
    /// Watch a gateway: calls per second, latency, errors, what each ASP does
    Top(Top),
    /// Keep the secrets that the gateway needs, such as the client secret at GSTN
    Secret(Secret),
    /// Look at the configuration
    Config {
        /// What to look at.
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Make certificates
    Tls {
        /// Which ones.
        #[command(subcommand)]
        command: TlsCommand,
    },
    /// Look at GSTINs
    Gstin {
        /// What to do with them.
        #[command(subcommand)]
        command: GstinCommand,
    },
    /// Explain an error code of GSTN or of Suvidha
    Error {
        /// The code, e.g. AUTH4033 or GSP602; every code when left out
        code: Option<String>,
    },
    /// Print the completion script of a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
}

/// `suvidha up`.
#[derive(Debug, Args)]
pub(crate) struct Up {
    /// Directory that keeps everything; made at first start
    #[arg(
        long,
        value_name = "DIR",
        default_value = "suvidha-data",
        env = "SUVIDHA_DATA",
        hide_env_values = true
    )]
    pub(crate) data: PathBuf,
    /// Address that everything listens on, and the first of the five ports it takes in turn: the gateway for the
    /// sandbox, the gateway for production, the sandbox GSTN, its management, the admin listener. Port 0 means any free
    /// ports. Whoever can reach them can use the sandbox
    #[arg(long, value_name = "IP[:PORT]", default_value = "127.0.0.1:7780", value_parser = crate::ports::five_from)]
    pub(crate) listen: [SocketAddr; 5],
    /// Another port for the gateway's sandbox environment; 0 means any free port, here and below
    #[arg(long, value_name = "PORT")]
    pub(crate) sandbox_port: Option<u16>,
    /// Another port for the gateway's production environment
    #[arg(long, value_name = "PORT")]
    pub(crate) production_port: Option<u16>,
    /// Another port for the sandbox GSTN
    #[arg(long, value_name = "PORT")]
    pub(crate) gstn_port: Option<u16>,
    /// Another port for the sandbox GSTN's management
    #[arg(long, value_name = "PORT")]
    pub(crate) management_port: Option<u16>,
    /// Another port for the admin listener, which has the metrics
    #[arg(long, value_name = "PORT")]
    pub(crate) admin_port: Option<u16>,
    /// Write the addresses, the demo ASP's credentials and the demo taxpayer to this file (JSON, mode 0600) once all is up
    #[arg(long, value_name = "FILE")]
    pub(crate) ready_file: Option<PathBuf>,
    /// How to log.
    #[command(flatten)]
    pub(crate) log: LogOptions,
}

/// `suvidha serve`.
#[derive(Debug, Args)]
#[command(after_help = "\
Signals:
  SIGTERM, SIGINT  finish the calls under way, then stop; a second one stops at once
  SIGHUP           read the configuration and the certificates again; where something is wrong
                   with them, the log says so and the old ones stay in force")]
pub(crate) struct Serve {
    /// The configuration; see `suvidha config show-default`
    #[arg(long, value_name = "FILE", env = "SUVIDHA_CONFIG", hide_env_values = true)]
    pub(crate) config: PathBuf,
    /// How to log.
    #[command(flatten)]
    pub(crate) log: LogOptions,
}

/// `suvidha sandbox`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "\
Without a command it serves a simulated GSTN and its management until it is stopped. The commands manage one that is
running, of `suvidha sandbox` or of `suvidha up`; they find it by --data. The management port takes the same over HTTP, with
the token in DIR/management-token as `Authorization: Bearer …`; GET /openapi.json describes it.")]
pub(crate) struct Sandbox {
    /// How to serve.
    #[command(flatten)]
    pub(crate) server: SandboxServer,
    /// What to do with a running one.
    #[command(subcommand)]
    pub(crate) command: Option<SandboxCommand>,
}

/// How `suvidha sandbox` serves.
#[derive(Debug, Args)]
pub(crate) struct SandboxServer {
    /// Directory that keeps the taxpayers, their returns and the certificate; made at first start
    #[arg(long, value_name = "DIR", default_value = "suvidha-sandbox")]
    pub(crate) data: PathBuf,
    /// Address to listen on
    #[arg(long, value_name = "IP", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub(crate) listen: IpAddr,
    /// Port of GSTN; 0 means any free port
    #[arg(long, value_name = "PORT", default_value_t = 7790)]
    pub(crate) gstn_port: u16,
    /// Port of the management; 0 means any free port
    #[arg(long, value_name = "PORT", default_value_t = 7791)]
    pub(crate) management_port: u16,
    /// The `clientid` that the GSP sends; the file named by --client-secret-file holds its `client-secret`
    #[arg(long, value_name = "ID", requires = "client_secret_file")]
    pub(crate) client_id: Option<String>,
    /// File with the `client-secret`. Without it a pair is made at first start and kept in DIR
    #[arg(long, value_name = "FILE", requires = "client_id")]
    pub(crate) client_secret_file: Option<PathBuf>,
    /// Settings of the simulation (latency, lives of tokens, …): a TOML file with a section `[simulator]`
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// How long work takes: none, quick (half a second), or realistic, as users of live GSTN report
    #[arg(long, value_name = "PROFILE")]
    pub(crate) latency: Option<Profile>,
    /// Be as awkward as GSTN on a bad day: a small share of calls fails in a way that calling again overcomes
    #[arg(long)]
    pub(crate) strict: bool,
    /// The fault plan to start with: a file in TOML with a `[[faults]]` for each rule, or the same in JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) faults: Option<PathBuf>,
    /// Write the addresses to this file (JSON) once all is up
    #[arg(long, value_name = "FILE")]
    pub(crate) ready_file: Option<PathBuf>,
    /// How to log.
    #[command(flatten)]
    pub(crate) log: LogOptions,
}

/// How to log: to standard error, always.
#[derive(Debug, Args)]
pub(crate) struct LogOptions {
    /// How much to log: off, error, warn, info, debug, trace, or a filter such as `info,suvidha_gateway=debug`
    #[arg(long, value_name = "LEVEL", env = "SUVIDHA_LOG", hide_env_values = true)]
    pub(crate) log_level: Option<String>,
    /// How to write the log
    #[arg(long, value_name = "FORMAT")]
    pub(crate) log_format: Option<LogFormat>,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people
    Text,
    /// One JSON object a line, for programs
    Json,
}

/// `suvidha asp`.
#[derive(Debug, Args)]
pub(crate) struct Asp {
    /// Which registry.
    #[command(flatten)]
    pub(crate) place: RegistryOptions,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: AspCommand,
}

/// `suvidha keys`.
#[derive(Debug, Args)]
pub(crate) struct Keys {
    /// Which registry.
    #[command(flatten)]
    pub(crate) place: RegistryOptions,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: KeysCommand,
}

/// `suvidha secret`.
#[derive(Debug, Args)]
pub(crate) struct Secret {
    /// Which registry.
    #[command(flatten)]
    pub(crate) place: RegistryOptions,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: SecretCommand,
}

/// Which registry a command works on.
#[derive(Debug, Args)]
pub(crate) struct RegistryOptions {
    /// The registry in this directory, as `suvidha up` keeps it; suvidha-data when left out
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "SUVIDHA_DATA",
        hide_env_values = true,
        help_heading = "Registry"
    )]
    pub(crate) data: Option<PathBuf>,
    /// The registry that this configuration names; goes before --data
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "SUVIDHA_CONFIG",
        hide_env_values = true,
        help_heading = "Registry"
    )]
    pub(crate) config: Option<PathBuf>,
}

/// `suvidha config …`.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check a configuration without starting anything: keys, values, files, certificates
    Check {
        /// The configuration
        #[arg(value_name = "FILE", required_unless_present = "config")]
        file: Option<PathBuf>,
        /// The configuration, spelled as for `serve`
        #[arg(
            long,
            value_name = "FILE",
            env = "SUVIDHA_CONFIG",
            hide_env_values = true,
            conflicts_with = "file"
        )]
        config: Option<PathBuf>,
    },
    /// Print the default configuration, which is the manual of every key
    ShowDefault,
}

/// `suvidha tls …`.
#[derive(Debug, Subcommand)]
pub(crate) enum TlsCommand {
    /// Make a certificate authority for development, and a server certificate signed by it
    ///
    /// Writes ca.pem, ca-key.pem, server.pem and server-key.pem. Where DIR holds an authority made by this
    /// command already, it is kept and signs the new server certificate, so that clients who trust it need no
    /// change.
    DevCa(DevCa),
}

/// `suvidha tls dev-ca`.
#[derive(Debug, Args)]
pub(crate) struct DevCa {
    /// Directory to write to; made when missing
    #[arg(long, value_name = "DIR", default_value = "tls")]
    pub(crate) out: PathBuf,
    /// Host name or IP address the server is reached by; may be repeated. localhost, 127.0.0.1 and ::1 when left out
    #[arg(long = "name", value_name = "HOST")]
    pub(crate) names: Vec<String>,
    /// For how many days the server certificate is valid
    #[arg(long, default_value_t = 397, value_parser = clap::value_parser!(u16).range(1..=825))]
    pub(crate) days: u16,
    /// Replace a server certificate that is there already
    #[arg(long)]
    pub(crate) renew: bool,
}

/// `suvidha gstin …`.
#[derive(Debug, Subcommand)]
pub(crate) enum GstinCommand {
    /// Check GSTINs: form, state and check digit
    Check {
        /// The GSTINs
        #[arg(required = true, value_name = "GSTIN")]
        gstins: Vec<String>,
    },
}

/// `--environment sandbox|production`.
pub(crate) fn environment(text: &str) -> Result<Environment, String> {
    text.parse().map_err(|_| "it is either sandbox or production".to_owned())
}
