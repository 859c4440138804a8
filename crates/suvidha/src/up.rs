//! `suvidha up`: a sandbox GSTN, the gateway in front of it, a demo ASP and a demo taxpayer, on one machine.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gstn::Environment;
use serde::Serialize;
use suvidha_gateway::config::{self as gateway, EnvironmentConfig, Upstream};
use suvidha_gateway::{Gateway, Running};
use suvidha_sandbox::{ClientCredentials, Sandbox};
use suvidha_seam::Seam;
use suvidha_store::{Registry, SecretString};
use tokio::runtime::Runtime;
use tracing::warn;

use crate::admin::Admin;
use crate::cli::{LogFormat, Up};
use crate::config::Log;
use crate::descriptors;
use crate::exit::{Exit, Failure};
use crate::lock::DataLock;
use crate::logging::Logging;
use crate::output::{Answer, Output, fields};
use crate::ports;
use crate::registry::{DEFAULT_DATA_DIR, Missing, RegistryPlace};
use crate::sandbox::{absolute, new_credentials, token_words, write_ready_file};
use crate::serve::{runtime, stop};
use crate::signals::Signals;

mod demo;
mod getkey;

const CLIENT_ID: &str = "gstn/sandbox/client-id";
const CLIENT_SECRET: &str = "gstn/sandbox/client-secret";
/// What an operator keeps for production, by the names that the manual gives them.
const PRODUCTION_SECRETS: [&str; 2] = ["gstn/production/client-secret", "gstn/production/client-id"];
/// How long calls under way may take to finish on Ctrl-C.
const DRAIN: Duration = Duration::from_secs(10);
/// Of each environment at once: a developer's machine may not let a process have more files open than this takes.
const CONNECTIONS: usize = 1_000;

/// Runs `suvidha up` until a signal stops it.
pub(crate) fn run(options: &Up, output: Output, seam: Seam) -> Result<(), Failure> {
    let log = Log { level: "warn".to_owned(), format: LogFormat::Text };
    let logging = Logging::start(&options.log, &log, &seam)?;
    let addresses = Addresses::of(options);
    let sandbox_dir = options.data.join("sandbox");
    let _locks = [DataLock::take(&options.data)?, DataLock::take(&sandbox_dir)?];
    let ready_files = ReadyFiles::prepare(options)?;
    addresses.require_free()?;

    let registry = RegistryPlace::in_data_dir(&options.data).open(Missing::Create, &seam)?;
    refuse_production(&registry, &options.data)?;
    let client = Client::kept_in(&registry, &seam)?;
    let runtime = runtime()?;
    let mut signals = runtime.block_on(async { Signals::listen() })?;
    let gstn = start_gstn(&runtime, sandbox_dir, &addresses, &client, &seam)?;
    let admin = Admin::open(addresses.admin)?;
    let demo = runtime.block_on(demo::prepare(&registry, &gstn, &options.data, &seam))?;
    let ledger = gateway::Ledger::new(options.data.join("ledger"));
    let gateway = start_gateway(&addresses, client, &gstn, &registry, ledger, seam)?;

    let ready = Ready::of(&gateway, &gstn, &admin, demo)?;
    admin.serve(&runtime, gateway.status().with_log(logging.lost_lines()))?;
    ready_files.write(&ready)?;
    output.show(&Block { ready: &ready, data: &options.data })?;
    // There is no configuration to read again, and whoever closes the terminal wants to stop: SIGHUP stops too.
    runtime.block_on(signals.next());
    ready_files.withdraw();
    stop(gateway, DRAIN, runtime, signals, async { gstn.shutdown().await })
}

/// Refuses a data directory in which somebody keeps credentials for GSTN's production: the demo and real taxpayers do not
/// belong together.
fn refuse_production(registry: &Registry, data: &Path) -> Result<(), Failure> {
    for name in PRODUCTION_SECRETS {
        if registry.secret(name)?.is_some() {
            let message = format_args!(
                "{} keeps {name}: `suvidha up` does not start beside production",
                data.display()
            );
            return Err(Failure::new(Exit::Config, message).remedy("choose another directory with --data"));
        }
    }
    Ok(())
}

/// Where everything is to listen.
struct Addresses {
    sandbox: SocketAddr,
    production: SocketAddr,
    gstn: SocketAddr,
    management: SocketAddr,
    admin: SocketAddr,
}

impl Addresses {
    fn of(options: &Up) -> Self {
        let [sandbox, production, gstn, management, admin] = options.listen;
        let or = |address: SocketAddr, port: Option<u16>| {
            SocketAddr::new(address.ip(), port.unwrap_or(address.port()))
        };
        Self {
            sandbox: or(sandbox, options.sandbox_port),
            production: or(production, options.production_port),
            gstn: or(gstn, options.gstn_port),
            management: or(management, options.management_port),
            admin: or(admin, options.admin_port),
        }
    }

    fn require_free(&self) -> Result<(), Failure> {
        let all = [self.sandbox, self.production, self.gstn, self.management, self.admin];
        all.into_iter().try_for_each(|address| {
            ports::require_free(address).map_err(|failure| match failure.exit {
                Exit::Unavailable => failure
                    .remedy("choose other ports with --listen IP:PORT, where port 0 means any free ones, or with --sandbox-port and the like"),
                _ => failure,
            })
        })
    }
}

/// The file that scripts asked for, and the one that `suvidha gst … --demo` looks for.
struct ReadyFiles<'a> {
    asked: Option<&'a Path>,
    kept: PathBuf,
}

impl<'a> ReadyFiles<'a> {
    /// Removes the files of an earlier run: whoever sees one may rely on it.
    fn prepare(options: &'a Up) -> Result<Self, Failure> {
        let files = Self { asked: options.ready_file.as_deref(), kept: options.data.join("ready.json") };
        for file in files.all() {
            match fs::remove_file(file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    let what = format_args!("cannot replace {}", file.display());
                    return Err(Failure::io(Exit::CannotCreate, what, &error));
                }
                _ => {}
            }
        }
        Ok(files)
    }

    fn all(&self) -> impl Iterator<Item = &Path> {
        self.asked.into_iter().chain([self.kept.as_path()])
    }

    fn write(&self, ready: &Ready) -> Result<(), Failure> {
        // The one that was asked for comes last: then everything is up, and told.
        write_ready_file(&self.kept, ready)?;
        self.asked.map_or(Ok(()), |file| write_ready_file(file, ready))
    }

    /// Nothing is up any more. The file that was asked for stays, with whoever asked.
    fn withdraw(&self) {
        if let Err(error) = fs::remove_file(&self.kept) {
            warn!(%error, file = %self.kept.display(), "cannot remove the ready file");
        }
    }
}

/// Our credentials at the simulated GSTN: made at first start, then kept.
struct Client {
    id: String,
    secret: SecretString,
}

impl Client {
    fn kept_in(registry: &Registry, seam: &Seam) -> Result<Self, Failure> {
        if let (Some(id), Some(secret)) = (registry.secret(CLIENT_ID)?, registry.secret(CLIENT_SECRET)?) {
            return Ok(Self { id: id.expose().to_owned(), secret });
        }
        let (id, secret) = new_credentials(seam);
        registry.put_secret(CLIENT_ID, &id)?;
        registry.put_secret(CLIENT_SECRET, secret.expose())?;
        Ok(Self { id, secret })
    }
}

/// Starts the simulated GSTN, with us as the one GSP it knows.
fn start_gstn(
    runtime: &Runtime,
    data_dir: PathBuf,
    addresses: &Addresses,
    client: &Client,
    seam: &Seam,
) -> Result<suvidha_sandbox::Running, Failure> {
    let config = suvidha_sandbox::Config {
        data_dir,
        listen: addresses.gstn,
        management: addresses.management,
        clients: vec![ClientCredentials::new(&client.id, client.secret.expose())],
        ..suvidha_sandbox::Config::default()
    };
    Ok(runtime.block_on(Sandbox::start(config, seam.clone()))?)
}

/// Starts the gateway: its sandbox environment leads to the simulated GSTN, its production environment nowhere.
fn start_gateway(
    addresses: &Addresses,
    client: Client,
    gstn: &suvidha_sandbox::Running,
    registry: &Registry,
    ledger: gateway::Ledger,
    seam: Seam,
) -> Result<Running, Failure> {
    let sandbox = EnvironmentConfig {
        upstream: Some(Upstream {
            url: ports::url(gstn.gstn),
            ca_file: None,
            client_id: client.id,
            client_secret: client.secret,
        }),
        gstn_certificate: Some(gstn.certificate_pem.clone()),
        ..EnvironmentConfig::new(Environment::Sandbox, addresses.sandbox)
    };
    let production = EnvironmentConfig::new(Environment::Production, addresses.production);
    let limits = gateway::Limits { connections: CONNECTIONS, ..gateway::Limits::default() };
    let environments = vec![sandbox, production];
    let config = gateway::Config { environments, limits, ledger: Some(ledger), ..gateway::Config::default() };
    descriptors::provide_for(&config);
    Ok(Gateway::start(config, registry.clone(), seam)?)
}

/// What scripts learn from the ready file. Keys may be added, none changes.
#[derive(Serialize)]
struct Ready {
    environments: BTreeMap<Environment, String>,
    gstn: String,
    gstn_management: String,
    gstn_management_token_file: Option<PathBuf>,
    admin: String,
    gstn_certificate: PathBuf,
    asp: ReadyAsp,
    taxpayer: ReadyTaxpayer,
}

/// The demo ASP. What is secret of it is shown to whoever started the demo, and to nobody else.
#[derive(Serialize)]
struct ReadyAsp {
    aspid: String,
    token: String,
    secret: String,
    password: String,
    private_key: PathBuf,
    certificate: PathBuf,
}

#[derive(Serialize)]
struct ReadyTaxpayer {
    gstin: String,
    username: String,
    otp: String,
    /// Of the signatory who files; for the person who reads the block.
    #[serde(skip)]
    pan: String,
}

impl Ready {
    fn of(
        gateway: &Running,
        gstn: &suvidha_sandbox::Running,
        admin: &Admin,
        demo: demo::Demo,
    ) -> Result<Self, Failure> {
        let url = |environment| {
            let address = gateway.address(environment).map(ports::url);
            let missing = || Failure::new(Exit::Unavailable, format_args!("{environment} is not listening"));
            address.map(|url| (environment, url)).ok_or_else(missing)
        };
        Ok(Self {
            environments: BTreeMap::from([url(Environment::Sandbox)?, url(Environment::Production)?]),
            gstn: ports::url(gstn.gstn),
            gstn_management: ports::url(gstn.management),
            gstn_management_token_file: gstn.management_token.as_deref().map(absolute).transpose()?,
            admin: ports::url(admin.address),
            gstn_certificate: absolute(&gstn.certificate_pem)?,
            asp: ReadyAsp {
                aspid: demo.aspid.as_str().to_owned(),
                token: demo.token.expose().to_owned(),
                secret: demo.getkey.secret.expose().to_owned(),
                password: demo.getkey.password.expose().to_owned(),
                private_key: absolute(&demo.getkey.private_key)?,
                certificate: absolute(&demo.getkey.certificate)?,
            },
            taxpayer: ReadyTaxpayer {
                gstin: demo.taxpayer.gstin.as_str().to_owned(),
                username: demo.taxpayer.username,
                pan: demo.taxpayer.pan.as_str().to_owned(),
                otp: suvidha_sandbox::Config::default().otp,
            },
        })
    }
}

/// The block that a person reads.
struct Block<'a> {
    ready: &'a Ready,
    data: &'a Path,
}

impl Serialize for Block<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.ready.serialize(serializer)
    }
}

impl Answer for Block<'_> {
    fn words(&self) -> String {
        let Ready { environments, gstn, gstn_management, admin, gstn_certificate, asp, taxpayer, .. } =
            self.ready;
        let url = |environment| environments.get(&environment).map_or("", String::as_str);
        let (sandbox, production) = (url(Environment::Sandbox), url(Environment::Production));
        let places = fields(&[
            ("sandbox", format!("{sandbox}  (leads to the simulated GSTN)")),
            ("production", format!("{production}  (not configured: answers every call with GSP640)")),
            ("simulated GSTN", gstn.clone()),
            ("its management", format!("{gstn_management}  (new taxpayers: see `suvidha sandbox --help`)")),
            ("the token of that", token_words(self.ready.gstn_management_token_file.as_deref())),
            ("its certificate", gstn_certificate.display().to_string()),
            ("metrics", format!("{admin}/metrics")),
            ("demo ASP", asp.aspid.clone()),
            ("its token", asp.token.clone()),
            ("for GetKey", format!("its key is {}", asp.private_key.display())),
            ("", format!("its secret and password are in {}", self.data.join("ready.json").display())),
            ("demo taxpayer", taxpayer.gstin.clone()),
            ("user name", taxpayer.username.clone()),
            ("OTP", taxpayer.otp.clone()),
            ("PAN", format!("{}  (signs what is filed)", taxpayer.pan)),
        ]);
        let demo = if self.data == Path::new(DEFAULT_DATA_DIR) {
            "--demo".to_owned()
        } else {
            format!("--demo --data {}", quoted(&self.data.display().to_string()))
        };
        format!(
            "Suvidha is up. Stop it with Ctrl-C; {data} keeps everything.\n\n{places}\n\
             Search a taxpayer:\n\n  curl -H 'X-CT-Auth-Token: {token}' '{sandbox}/commonapi/v1.1/search?action=TP&gstin={gstin}'\n\n\
             Log the demo taxpayer in, then `suvidha gst --help` for the rest:\n\n  suvidha gst login {demo}\n",
            data = self.data.display(),
            token = asp.token,
            gstin = taxpayer.gstin,
        )
    }
}

/// `text` as one word of a shell.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}
