//! `[environments.….upstream]`: GSTN as one environment reaches it, and our credentials there.

use std::env;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use gstn::Environment;
use http::Uri;
use suvidha_gateway::config;
use suvidha_store::{Registry, SecretString};

use super::SecretSource;
use super::environment::certificate;
use super::reader::Section;
use super::tls_files;
use crate::exit::{Exit, Failure};

const SECRET_KEYS: [&str; 3] = ["client_secret_file", "client_secret_env", "client_secret_sealed"];

/// GSTN, and where our secret for it is found.
#[derive(Debug)]
pub(super) struct Upstream {
    url: String,
    ca_file: Option<PathBuf>,
    client_id: String,
    client_secret: SecretSource,
}

impl Upstream {
    /// Reads the section; nothing where it is not complete, which has been reported then.
    pub(super) fn from_section(
        mut section: Section<'_, '_>,
        environment: Environment,
        base: &Path,
    ) -> Option<Self> {
        for key in ["url", "client_id"] {
            if !section.has(key) {
                section.problem(section.locate(""), key, "is missing: an upstream needs it");
            }
        }
        let at = section.locate("url");
        let url: Option<String> = section.optional("url");
        if let Some(Err(fault)) = url.as_deref().map(|url| check_url(url, environment)) {
            section.problem(at, "url", fault);
        }
        let ca_file = certificate(&mut section, "ca_file", base, tls_files::authorities);
        let client_id = section.optional("client_id");
        let client_secret = secret_source(&mut section, base);
        Some(Self { url: url?, ca_file, client_id: client_id?, client_secret: client_secret? })
    }

    /// The upstream with its secret in clear.
    pub(super) fn resolve(&self, registry: &Registry) -> Result<config::Upstream, Failure> {
        Ok(config::Upstream {
            url: self.url.clone(),
            ca_file: self.ca_file.clone(),
            client_id: self.client_id.clone(),
            client_secret: self.client_secret.resolve(registry)?,
        })
    }

    /// Whether the secret is sealed in the registry.
    pub(super) fn is_sealed(&self) -> bool {
        matches!(self.client_secret, SecretSource::Sealed(_))
    }
}

/// The gateway's own rule, checked here so that it is told with file and line.
fn check_url(url: &str, environment: Environment) -> Result<(), String> {
    let uri: Uri = url.parse().map_err(|_| format!("{url:?} is not a URL"))?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err("a URL has a scheme and a host, as in https://api.gst.gov.in".to_owned());
    };
    if authority.as_str().contains('@') || uri.query().is_some() || url.contains('#') {
        return Err("a user name, a query or a fragment has no place here".to_owned());
    }
    let host = authority.host().trim_matches(['[', ']']);
    if host.is_empty() {
        return Err("the host is missing".to_owned());
    }
    if environment == Environment::Sandbox && Environment::of_host(host) == Some(Environment::Production) {
        return Err(format!("{host} is GSTN's production, to which the sandbox environment never leads"));
    }
    let loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    match scheme {
        "https" => Ok(()),
        "http" if loopback || environment == Environment::Sandbox => Ok(()),
        "http" => {
            Err("production is reached by https:// alone, unless it is on a loopback address".to_owned())
        }
        other => Err(format!("the scheme is https, not {other}")),
    }
}

fn secret_source(section: &mut Section<'_, '_>, base: &Path) -> Option<SecretSource> {
    let at = section.locate("");
    let inline = section.locate("client_secret");
    if section.has("client_secret") {
        section.discard("client_secret");
        let message = format_args!(
            "a secret does not stand in the configuration; use one of {}",
            SECRET_KEYS.join(", ")
        );
        section.problem(inline, "client_secret", message);
        return None;
    }
    let given = SECRET_KEYS.iter().filter(|key| section.has(key)).count();
    if given != 1 {
        let what = if given == 0 { "is missing" } else { "is given more than once" };
        section.problem(at, "client_secret_…", format_args!("{what}: use one of {}", SECRET_KEYS.join(", ")));
    }
    let places = SECRET_KEYS.map(|key| (section.locate(key), key));
    let file = section.file("client_secret_file", base).map(SecretSource::File);
    let variable = section.optional("client_secret_env").map(SecretSource::Variable);
    let sealed = section.optional("client_secret_sealed").map(SecretSource::Sealed);
    for ((at, key), source) in places.into_iter().zip([&file, &variable]) {
        if let Some(Err(fault)) = source.as_ref().map(SecretSource::read) {
            section.problem(at, key, fault);
        }
    }
    file.or(variable).or(sealed)
}

impl SecretSource {
    fn resolve(&self, registry: &Registry) -> Result<SecretString, Failure> {
        if let Self::Sealed(name) = self {
            return registry.secret(name)?.ok_or_else(|| {
                Failure::new(Exit::Config, format_args!("no secret is kept under the name {name:?}")).remedy(
                    format_args!("keep it with: suvidha secret set {name} --config CONFIGURATION < FILE"),
                )
            });
        }
        self.read().map_err(|fault| Failure::new(Exit::Config, fault))
    }

    /// Reads a secret that does not need the registry.
    fn read(&self) -> Result<SecretString, String> {
        let text = match self {
            Self::File(path) => {
                fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?
            }
            Self::Variable(name) => {
                env::var(name).map_err(|_| format!("the environment variable {name} is not set"))?
            }
            Self::Sealed(name) => return Err(format!("{name:?} is kept in the registry")),
        };
        let secret = text.trim_end_matches(['\r', '\n']);
        let fit = !secret.is_empty() && secret.bytes().all(|b| (b' '..=b'~').contains(&b));
        if fit {
            Ok(SecretString::from(secret))
        } else {
            Err(format!("{self} holds no secret: one line is expected"))
        }
    }
}

impl std::fmt::Display for SecretSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Variable(name) => write!(f, "the environment variable {name}"),
            Self::Sealed(name) => write!(f, "the sealed secret {name:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn production_is_reached_by_https_or_on_this_machine() {
        let check = |url| check_url(url, Environment::Production);
        for right in [
            "https://api.gst.gov.in",
            "https://10.0.0.1:8443/gst",
            "http://127.0.0.1:7790",
            "http://[::1]:1",
            "http://localhost",
        ] {
            assert_eq!(check(right), Ok(()), "{right}");
        }
        for wrong in [
            "http://api.gst.gov.in",
            "api.gst.gov.in",
            "/x",
            "ftp://api.gst.gov.in",
            "https://",
            "https://user:pw@api.gst.gov.in",
            "https://api.gst.gov.in/?x=1",
            "https://api.gst.gov.in/#x",
            "",
        ] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
        assert_eq!(check_url("http://gstn:7790", Environment::Sandbox), Ok(()));
        assert_eq!(check_url("https://devapi.gst.gov.in", Environment::Sandbox), Ok(()));
        assert!(check_url("https://API.gst.gov.in:443/x", Environment::Sandbox).is_err());
    }
}
