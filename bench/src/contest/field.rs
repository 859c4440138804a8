//! What stands around the contestants in every scenario: the upstream, certificates, and a place for files.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::call::Api;
use super::server::{Server, filled};
use crate::Failure;
use crate::gateway::{binary, free_address};
use crate::process::{allow_connections, pinned, target_directory};
use crate::tools::{self, Tool};

const UPSTREAM: &str = include_str!("../../peers/upstream.conf");

/// How long the slow upstream thinks, in seconds.
const DELAY: &str = "0.05";

/// The upstream, its three doors, and the files that contestants need.
pub(crate) struct Field {
    pub(crate) plain: SocketAddr,
    pub(crate) tls: SocketAddr,
    pub(crate) slow: SocketAddr,
    /// Who runs all this.
    pub(crate) user: String,
    _upstream: Server,
    directory: TempDir,
}

impl Field {
    /// Makes certificates and starts the upstream on these cores; on all of them when left out.
    pub(crate) fn prepare(cores: Option<&str>) -> Result<Self, Failure> {
        allow_connections();
        let directory = TempDir::new_in(target_directory()?)?;
        let place = directory.path();
        certify(&place.join("tls"))?;
        let user = Command::new("id").arg("-un").output()?.stdout;
        let user = String::from_utf8(user)?.trim().to_owned();
        let (plain, tls, slow) = (free_address()?, free_address()?, free_address()?);
        fs::write(place.join("large.json"), Api::Down.answer())?;
        let configuration = filled(
            UPSTREAM,
            &[
                ("USER", &user),
                ("MODULES", &tools::nginx_modules()),
                ("DIRECTORY", &place.display().to_string()),
                ("CERTIFICATE", &place.join("tls/server.pem").display().to_string()),
                ("KEY", &place.join("tls/server-key.pem").display().to_string()),
                ("LISTEN", &plain.to_string()),
                ("LISTEN_TLS", &tls.to_string()),
                ("LISTEN_SLOW", &slow.to_string()),
                ("DELAY", DELAY),
                ("SMALL", &Api::Small.answer()),
            ],
        )?;
        fs::write(place.join("upstream.conf"), configuration)?;
        let mut command = pinned(cores, Tool::Nginx.required()?);
        command.arg("-p").arg(place).args(["-c", "upstream.conf"]);
        let upstream = Server::start(command, place, plain)?;
        Ok(Self { plain, tls, slow, user, _upstream: upstream, directory })
    }

    /// A directory of this name, made where it is missing.
    pub(crate) fn room(&self, name: &str) -> Result<PathBuf, Failure> {
        let room = self.directory.path().join(name);
        fs::create_dir_all(&room)?;
        Ok(room)
    }

    /// A file of the server's certificate: `ca.pem`, `server.pem`, `server-key.pem`, or `both.pem`, the last two in one.
    pub(crate) fn certificate(&self, file: &str) -> String {
        self.directory.path().join("tls").join(file).display().to_string()
    }
}

/// The same certificate serves the upstream and every contestant.
fn certify(place: &Path) -> Result<(), Failure> {
    let mut command = Command::new(binary()?);
    command.args(["tls", "dev-ca", "--out"]).arg(place).stdout(Stdio::null());
    let status = command.status()?;
    if !status.success() {
        return Err(format!("suvidha tls dev-ca: {status}").into());
    }
    let both = ["server.pem", "server-key.pem"].map(|file| fs::read_to_string(place.join(file)));
    let [certificate, key] = both;
    Ok(fs::write(place.join("both.pem"), certificate? + &key?)?)
}
