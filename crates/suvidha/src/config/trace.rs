//! `[trace]`: where calls are traced to, and how many of them.

use std::fs;
use std::net::IpAddr;
use std::path::Path;

use http::{HeaderName, HeaderValue, Uri};
use suvidha_gateway::config::Trace;
use suvidha_store::SecretString;

use super::environment::certificate;
use super::reader::Section;
use super::setting::Share;
use super::tls_files;

/// Where to; none where no endpoint is named.
pub(super) fn from_section(mut section: Section<'_, '_>, base: &Path) -> Option<Trace> {
    let default = Trace::new("");
    let at = section.locate("endpoint");
    let endpoint: Option<String> = section.optional("endpoint");
    let Share(sample) = section.get("sample", Share(default.sample));
    let follow_asps = section.get("follow_asps", default.follow_asps);
    let service_name = section.get("service_name", default.service_name);
    let ca_file = certificate(&mut section, "ca_file", base, tls_files::authorities);
    let headers = headers(&mut section, base);
    let endpoint = endpoint?;
    if let Err(fault) = check(&endpoint, !headers.is_empty()) {
        section.problem(at, "endpoint", fault);
    }
    Some(Trace { endpoint, sample, follow_asps, headers, ca_file, service_name })
}

/// The gateway's own rule, checked here so that it is told with file and line; and that no key goes over a network in clear.
fn check(endpoint: &str, has_headers: bool) -> Result<(), String> {
    let uri: Uri = endpoint.parse().map_err(|_| format!("{endpoint:?} is not a URL"))?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err("a URL has a scheme and a host, as in http://127.0.0.1:4318".to_owned());
    };
    if authority.as_str().contains('@') {
        return Err("credentials have no place here; put them in headers_file".to_owned());
    }
    let host = authority.host().trim_matches(['[', ']']);
    let loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    match scheme {
        "https" => Ok(()),
        "http" if has_headers && !loopback => {
            Err("with headers_file it must be https://, or its headers would travel in clear".to_owned())
        }
        "http" => Ok(()),
        other => Err(format!("the scheme is https or http, not {other}")),
    }
}

/// A header a line; blank lines and those that begin with `#` do not count.
fn headers(section: &mut Section<'_, '_>, base: &Path) -> Vec<(String, SecretString)> {
    let at = section.locate("headers_file");
    let Some(path) = section.file("headers_file", base) else { return Vec::new() };
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => {
            section.problem(at, "headers_file", format_args!("cannot read {}: {error}", path.display()));
            return Vec::new();
        }
    };
    let mut headers = Vec::new();
    for (number, line) in
        text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'))
    {
        let header = line.split_once(':').map(|(name, value)| (name.trim(), value.trim()));
        let fit = |(name, value): &(&str, &str)| {
            name.parse::<HeaderName>().is_ok() && HeaderValue::from_str(value).is_ok()
        };
        match header.filter(fit) {
            Some((name, value)) => headers.push((name.to_owned(), value.into())),
            // The line is not repeated: it may hold a secret.
            None => section.problem(
                at,
                "headers_file",
                format_args!(
                    "line {} of {} is no header such as `Authorization: Bearer …`",
                    number + 1,
                    path.display()
                ),
            ),
        }
    }
    headers
}
