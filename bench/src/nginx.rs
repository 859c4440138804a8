//! The peer: a plain nginx that passes every call on, with nothing else to do.

use std::fs;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::gateway::{free_address, wait_for};
use crate::{Failure, process};

/// A running nginx. It is stopped when this is dropped.
pub(crate) struct Nginx {
    pub(crate) address: SocketAddr,
    pub(crate) version: String,
    master: Child,
    _directory: TempDir,
}

impl Nginx {
    /// Starts one before `upstream`; nothing where nginx is not installed.
    pub(crate) fn start(upstream: SocketAddr) -> Result<Option<Self>, Failure> {
        let Ok(told) = Command::new("nginx").arg("-v").output() else { return Ok(None) };
        let version = String::from_utf8_lossy(&told.stderr).trim().replace("nginx version: ", "");
        let directory = tempfile::tempdir()?;
        let address = free_address()?;
        let config = directory.path().join("nginx.conf");
        fs::write(&config, configuration(address, upstream))?;
        let master = Command::new("nginx")
            .arg("-p")
            .arg(directory.path())
            .arg("-c")
            .arg(&config)
            .stderr(Stdio::null())
            .spawn()?;
        let nginx = Self { address, version, master, _directory: directory };
        wait_for("nginx", || std::net::TcpStream::connect(address).is_ok())?;
        Ok(Some(nginx))
    }

    /// The master and its workers.
    pub(crate) fn processes(&self) -> Result<Vec<u32>, Failure> {
        process::family(self.master.id())
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // The master is asked, and not killed: killed, it would leave its workers behind.
        let asked = Command::new("kill").arg(self.master.id().to_string()).status();
        if !asked.is_ok_and(|status| status.success()) {
            let _ = self.master.kill();
        }
        let _ = self.master.wait();
    }
}

/// One worker for each core and kept connections to the upstream, as the gateway has them; no log of the calls.
fn configuration(listen: SocketAddr, upstream: SocketAddr) -> String {
    format!(
        "daemon off;
worker_processes auto;
pid nginx.pid;
error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    keepalive_requests 1000000000;
    upstream gstn {{ server {upstream}; keepalive 64; keepalive_requests 1000000000; }}
    server {{
        listen {listen} reuseport;
        location / {{
            proxy_pass http://gstn;
            proxy_http_version 1.1;
            proxy_set_header connection \"\";
        }}
    }}
}}
"
    )
}
