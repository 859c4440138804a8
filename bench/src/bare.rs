//! The gateway without a ledger, for comparison. The product has no such setting: only who links the library can leave the
//! ledger out. So this program starts itself once more, as a gateway.

use std::env;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use gstn::Environment;
use suvidha_gateway::Gateway;
use suvidha_gateway::config::{Config, EnvironmentConfig, Upstream};
use suvidha_seam::Seam;
use suvidha_store::{Registry, SealingKeys, SecretString};

use crate::Failure;
use crate::gateway::{CLIENT_ID, CLIENT_SECRET};

/// The word by which the program knows that it is to be a gateway.
pub(crate) const WORD: &str = "gateway-without-ledger";

/// This program, as a gateway with the registry in `directory`.
pub(crate) fn command(
    directory: &Path,
    listen: SocketAddr,
    upstream: SocketAddr,
) -> Result<Command, Failure> {
    let mut command = Command::new(env::current_exe()?);
    command.arg(WORD).arg(directory).args([listen.to_string(), upstream.to_string()]);
    Ok(command)
}

/// Serves until it is killed.
pub(crate) fn serve(mut arguments: impl Iterator<Item = OsString>) -> Result<String, Failure> {
    let mut next = || arguments.next().ok_or("it wants a directory, an address and an upstream");
    let directory = next()?;
    let directory = Path::new(&directory);
    let address = |text: OsString| text.to_string_lossy().parse::<SocketAddr>();
    let (listen, upstream) = (address(next()?)?, address(next()?)?);
    let seam = Seam::system();
    let keys = SealingKeys::from_file(&directory.join("sealing.key"))?;
    let registry = Registry::open(&directory.join("registry.sqlite"), keys, seam.clone())?;
    let mut sandbox = EnvironmentConfig::new(Environment::Sandbox, listen);
    sandbox.upstream = Some(Upstream {
        url: format!("http://{upstream}"),
        ca_file: None,
        client_id: CLIENT_ID.to_owned(),
        client_secret: SecretString::from(CLIENT_SECRET.to_owned()),
    });
    let config = Config { environments: vec![sandbox], ..Config::default() };
    let _running = Gateway::start(config, registry, seam)?;
    loop {
        std::thread::park();
    }
}
