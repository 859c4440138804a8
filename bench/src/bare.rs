//! The gateway without a ledger, for comparison. The product has no such setting: only who links the library can leave the
//! ledger out. So this program starts itself once more, as a gateway.

use std::env;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use gstn::Environment;
use suvidha_gateway::Gateway;
use suvidha_gateway::config::{AspLimits, Config, EnvironmentConfig, Upstream};
use suvidha_seam::Seam;
use suvidha_store::{Registry, SealingKeys, SecretString};

use crate::Failure;
use crate::gateway::{CLIENT_ID, CLIENT_SECRET};
use crate::process::pinned;

/// The word by which the program knows that it is to be a gateway.
pub(crate) const WORD: &str = "gateway-without-ledger";

/// More calls than can be made: every kind of limit is looked at, and none is reached.
const MOST: u32 = 1_000_000;

/// This program, as a gateway with the registry in `directory`.
pub(crate) fn command(
    cores: Option<&str>,
    directory: &Path,
    listen: SocketAddr,
    upstream: &str,
) -> Result<Command, Failure> {
    let mut command = pinned(cores, env::current_exe()?);
    command.arg(WORD).arg(directory).args([&listen.to_string(), upstream]);
    Ok(command)
}

/// Serves until it is killed.
pub(crate) fn serve(mut arguments: impl Iterator<Item = OsString>) -> Result<String, Failure> {
    let mut next = || arguments.next().ok_or("it wants a directory, an address and an upstream");
    let directory = next()?;
    let directory = Path::new(&directory);
    let text = |argument: OsString| argument.to_string_lossy().into_owned();
    let (listen, upstream) = (text(next()?).parse()?, text(next()?));
    let seam = Seam::system();
    let keys = SealingKeys::from_file(&directory.join("sealing.key"))?;
    let registry = Registry::open(&directory.join("registry.sqlite"), keys, seam.clone())?;
    let mut sandbox = EnvironmentConfig::new(Environment::Sandbox, listen);
    sandbox.upstream = Some(Upstream {
        url: upstream,
        ca_file: None,
        client_id: CLIENT_ID.to_owned(),
        client_secret: SecretString::from(CLIENT_SECRET.to_owned()),
    });
    sandbox.limits = AspLimits {
        per_second: Some(MOST),
        concurrent: Some(MOST),
        per_day: Some(u64::from(MOST) * 1_000_000),
        per_month: Some(u64::from(MOST) * 1_000_000),
        ..AspLimits::default()
    };
    let config = Config { threads: 1, environments: vec![sandbox], ..Config::default() };
    let _running = Gateway::start(config, registry, seam)?;
    loop {
        std::thread::park();
    }
}
