//! Where the GSP lives: scheme, host, port and an optional path prefix.

use std::fmt;
use std::str::FromStr;

use http::Uri;

use crate::error::Error;

/// The address of a GSP's environment, e.g. `https://gsp.example.in/gsp/api` or `http://127.0.0.1:8080`.
///
/// A path becomes a prefix of every call. User information, a query and a fragment are refused: credentials
/// do not belong in an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BaseUrl {
    https: bool,
    host: String,
    port: Option<u16>,
    prefix: String,
}

impl BaseUrl {
    /// Whether calls travel over TLS.
    pub(crate) fn is_https(&self) -> bool {
        self.https
    }

    /// The host name or address, without the brackets of an IPv6 address.
    pub(crate) fn host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// The port, by default that of the scheme.
    pub(crate) fn port(&self) -> u16 {
        self.port.unwrap_or(if self.https { 443 } else { 80 })
    }

    /// The path every call starts with: empty, or `/…` without a slash at its end.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The value of the `Host` header.
    pub(crate) fn authority(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        }
    }
}

impl FromStr for BaseUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let fault =
            |why: &str| Error::Invalid(format!("the gateway address {why}: e.g. https://gsp.example.in"));
        let uri = text.parse::<Uri>().map_err(|_| fault("is not a URL"))?;
        let https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(fault("must start with http:// or https://")),
        };
        let authority = uri.authority().ok_or_else(|| fault("names no host"))?;
        if authority.as_str().contains('@') {
            return Err(fault("must not carry a user name or password"));
        }
        if uri.query().is_some() || text.contains('#') {
            return Err(fault("must not carry a query or a fragment"));
        }
        if authority.host().is_empty() {
            return Err(fault("names no host"));
        }
        let prefix = uri.path().trim_end_matches('/').to_owned();
        Ok(Self { https, host: authority.host().to_owned(), port: authority.port_u16(), prefix })
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.https { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_an_address_are_found() {
        let url: BaseUrl = "https://gsp.example.in/gsp/api/".parse().unwrap();
        assert_eq!((url.host(), url.port(), url.prefix()), ("gsp.example.in", 443, "/gsp/api"));
        assert_eq!(url.to_string(), "https://gsp.example.in/gsp/api");

        let url: BaseUrl = "http://[::1]:8080".parse().unwrap();
        assert_eq!((url.host(), url.port(), url.prefix()), ("::1", 8080, ""));
        assert_eq!(url.authority(), "[::1]:8080");
    }

    #[test]
    fn what_is_no_plain_address_is_refused_without_repeating_it() {
        for bad in [
            "gsp.example.in",
            "ftp://gsp.example.in",
            "https://me:hidden@gsp.example.in",
            "http://h/?token=hidden",
            "",
        ] {
            let error = bad.parse::<BaseUrl>().unwrap_err();
            assert!(matches!(error, Error::Invalid(_)), "{bad}");
            assert!(!error.to_string().contains("hidden"));
        }
    }
}
