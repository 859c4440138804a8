//! `[environments.sandbox]` and `[environments.production]`: a listener, an upstream and certificates each.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use gstn::Environment;
use suvidha_gateway::config::{EnvironmentConfig, HeaderChecks, Identify, ServerTls};
use suvidha_store::Registry;

use super::reader::Section;
use super::setting::Word;
use super::upstream::Upstream;
use super::{admission, tls_files};
use crate::exit::Failure;

/// The environments that are served.
#[derive(Debug)]
pub(super) struct Environments(Vec<(EnvironmentConfig, Option<Upstream>)>);

impl Environments {
    pub(super) fn from_section(mut section: Section<'_, '_>, base: &Path) -> Self {
        let sandbox = environment(section.section("sandbox"), Environment::Sandbox, 7780, base);
        let production = environment(section.section("production"), Environment::Production, 7781, base);
        let environments: Vec<_> = [sandbox, production].into_iter().flatten().collect();
        if let [(one, _), (other, _)] = &environments[..]
            && one.listen == other.listen
            && one.listen.port() != 0
        {
            let message = format_args!("both environments listen on {}", one.listen);
            section.problem(section.locate("production"), "production.listen", message);
        }
        if environments.is_empty() {
            section.problem(
                section.locate(""),
                "",
                "every environment is switched off: nothing would be served",
            );
        }
        Self(environments)
    }

    /// Where ASPs connect.
    pub(super) fn listening(&self) -> Vec<SocketAddr> {
        self.0.iter().map(|(config, _)| config.listen).collect()
    }

    /// The environments for the gateway, with the secrets that are sealed in `registry`.
    pub(super) fn resolve(&self, registry: &Registry) -> Result<Vec<EnvironmentConfig>, Failure> {
        let resolve = |(config, upstream): &(EnvironmentConfig, Option<Upstream>)| {
            let upstream = upstream.as_ref().map(|upstream| upstream.resolve(registry)).transpose()?;
            Ok(EnvironmentConfig { upstream, ..config.clone() })
        };
        self.0.iter().map(resolve).collect()
    }

    /// Whether a client secret is sealed in the registry.
    pub(super) fn need_sealed_secrets(&self) -> bool {
        self.0.iter().any(|(_, upstream)| upstream.as_ref().is_some_and(Upstream::is_sealed))
    }
}

fn environment(
    mut section: Section<'_, '_>,
    environment: Environment,
    port: u16,
    base: &Path,
) -> Option<(EnvironmentConfig, Option<Upstream>)> {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let enabled = section.get("enabled", true);
    let config = EnvironmentConfig {
        environment,
        listen: section.get("listen", listen),
        upstream: None,
        gstn_certificate: certificate(&mut section, "gstn_certificate", base, tls_files::gstn_certificate),
        tls: section.optional_section("tls").and_then(|tls| server_tls(tls, base)),
        ca_certificate: certificate(&mut section, "ca_certificate", base, tls_files::authorities),
        identify: identify(section.section("identify")),
        header_checks: section.get("header_checks", HeaderChecks::default()),
        limits: admission::limits(section.section("limits")),
        ceiling: admission::ceiling(section.section("ceiling")),
    };
    let upstream = section
        .optional_section("upstream")
        .and_then(|upstream| Upstream::from_section(upstream, environment, base));
    enabled.then_some((config, upstream))
}

fn identify(mut section: Section<'_, '_>) -> Identify {
    let default = Identify::default();
    let at = section.locate("password_in_query");
    let identify = Identify {
        token: section.get("token", default.token),
        client_credentials: section.get("client_credentials", default.client_credentials),
        session: section.get("session", default.session),
        password: section.get("password", default.password),
        password_in_query: section.get("password_in_query", default.password_in_query),
    };
    if identify.password_in_query && !identify.password {
        section.problem(at, "password_in_query", "passwords are switched off: set `password` too");
    }
    identify
}

fn server_tls(mut section: Section<'_, '_>, base: &Path) -> Option<ServerTls> {
    let at = section.locate("");
    for key in ["certificate", "key"] {
        if !section.has(key) {
            section.problem(at, key, "is missing: TLS needs a certificate and its key");
        }
    }
    let certificate = section.file("certificate", base);
    let key = section.file("key", base);
    let tls = ServerTls { certificate: certificate?, key: key? };
    if let Err(fault) = tls_files::certificate_and_key(&tls.certificate, &tls.key) {
        section.problem(at, "", fault);
    }
    Some(tls)
}

/// The path at `key` to a readable file that `check` finds nothing wrong with.
pub(super) fn certificate(
    section: &mut Section<'_, '_>,
    key: &'static str,
    base: &Path,
    check: fn(&Path) -> Result<(), String>,
) -> Option<PathBuf> {
    let at = section.locate(key);
    let path = section.file(key, base)?;
    if let Err(fault) = check(&path) {
        section.problem(at, key, fault);
    }
    Some(path)
}

impl Word for HeaderChecks {
    const WORDS: &'static [(&'static str, Self)] = &[("lenient", Self::Lenient), ("strict", Self::Strict)];
}
