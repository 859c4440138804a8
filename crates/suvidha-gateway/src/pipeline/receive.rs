//! First, because nothing may be believed of a request before it is certain where it begins and ends, and
//! that it says each thing once.
//!
//! Heads of HTTP/1 were judged by [`crate::wire`] as they came in; here
//! they get their answer.

use std::net::{IpAddr, SocketAddr};

use http::header::HOST;
use http::request::Parts;
use http::{Method, Version};

use super::head::{Doubt, Head, Header};
use super::settle::Record;
use super::{Call, Visit};
use crate::error::{Error, Kind};
use crate::site::Site;
use crate::wire::HeadFault;

/// A request whose form is beyond doubt.
pub(crate) struct Received(());

/// `body_bytes`: as many as the body has at least.
pub(crate) fn receive<'h>(
    visit: &Visit,
    parts: &'h Parts,
    body_bytes: u64,
    fault: Option<HeadFault>,
    record: &mut Record,
) -> Result<Call<'h, Received>, Error> {
    if let Some(fault) = fault {
        return Err(refused_head(fault));
    }
    let site = visit.door.site.load_full();
    let (head, doubt) = Head::read(parts);
    record.method = Some(head.method.clone());
    record.claimed = head.text(Header::Aspid).and_then(|aspid| aspid.parse().ok());
    record.txn = head.value(Header::Txn).cloned();
    record.gstin = head.value(Header::Gstin).cloned();
    record.ip_usr = head.value(Header::IpUsr).cloned();
    record.appver = head.value(Header::Appver).cloned();
    check_form(&head)?;
    check_size(parts, &site)?;
    doubt.map_or(Ok(()), |doubt| Err(doubtful(&doubt)))?;
    if body_bytes > site.limits.body_bytes {
        return Err(Error::new(Kind::BodyTooLarge));
    }
    let caller = caller(visit.peer, &head, &site);
    Ok(Call { head: Box::new(head), caller, site, lane: visit.lane, stage: Received(()) })
}

fn refused_head(fault: HeadFault) -> Error {
    match fault {
        HeadFault::Malformed(words) => Error::saying(Kind::MalformedHttp, words),
        HeadFault::AmbiguousLength(words) => Error::saying(Kind::AmbiguousLength, words),
        HeadFault::TooLarge => Error::new(Kind::HeadTooLarge),
        HeadFault::TooSlow => Error::new(Kind::RequestTooSlow),
    }
}

/// A gateway is no proxy for elsewhere, and speaks nothing but HTTP.
fn check_form(head: &Head<'_>) -> Result<(), Error> {
    if *head.method == Method::CONNECT {
        return Err(Error::saying(Kind::UnsupportedForm, "CONNECT is not supported here."));
    }
    // Some HTTP libraries offer HTTP/2 with every first call. Going on in HTTP/1.1 declines that.
    let upgrades = |offer: &str| !offer.trim().eq_ignore_ascii_case("h2c");
    let mut offers = head.values(Header::Upgrade).flat_map(|value| value.as_bytes().split(|&b| b == b','));
    if offers.any(|offer| upgrades(&String::from_utf8_lossy(offer))) {
        return Err(Error::saying(
            Kind::UnsupportedForm,
            "This connection cannot be upgraded to another protocol.",
        ));
    }
    if head.version == Version::HTTP_2 {
        return Ok(());
    }
    if let Some(authority) = head.authority {
        let host = head.headers.get(HOST).map_or(&b""[..], |host| host.as_bytes());
        if !authority.as_str().as_bytes().eq_ignore_ascii_case(host) {
            return Err(Error::saying(Kind::UnsupportedForm, "The request is addressed to another host."));
        }
    }
    Ok(())
}

/// HTTP/1 heads were measured as they came in; those of HTTP/2 are known only here.
fn check_size(parts: &Parts, site: &Site) -> Result<(), Error> {
    if parts.version != Version::HTTP_2 {
        return Ok(());
    }
    let fields = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    let target = parts.uri.path_and_query().map_or(0, |target| target.as_str().len());
    let bytes = target + fields.sum::<usize>();
    if bytes > site.limits.head_bytes || parts.headers.len() > site.limits.headers {
        return Err(Error::new(Kind::HeadTooLarge));
    }
    Ok(())
}

fn doubtful(doubt: &Doubt<'_>) -> Error {
    let words = match doubt {
        Doubt::Misspelt { name, right } => {
            format!("The header `{name}` is not accepted; it is spelled `{right}`.")
        }
        Doubt::Repeated(name) => format!("The header `{name}` is sent more than once."),
    };
    Error::saying(Kind::DoubtfulCredentialHeader, words)
}

/// Who calls: the peer or, where that is a trusted proxy, the last address in `X-Forwarded-For` that is none.
fn caller(peer: IpAddr, head: &Head<'_>, site: &Site) -> IpAddr {
    let mut caller = peer.to_canonical();
    let lines: Vec<_> = head.values(Header::XForwardedFor).collect();
    let hops = lines.iter().rev().flat_map(|line| line.to_str().unwrap_or("").rsplit(','));
    for hop in hops {
        if !site.trusts(caller) {
            break;
        }
        let Some(address) = address(hop.trim()) else { break };
        caller = address.to_canonical();
    }
    caller
}

/// An address as proxies write it, with or without a port.
fn address(hop: &str) -> Option<IpAddr> {
    let with_port = || hop.parse::<SocketAddr>().map(|socket| socket.ip());
    hop.trim_matches(['[', ']']).parse().or_else(|_| with_port()).ok()
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue, Request};

    use super::*;

    fn parts(pairs: &[(&str, &'static str)]) -> Parts {
        let (mut parts, ()) = Request::new(()).into_parts();
        for (name, value) in pairs {
            parts.headers.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_static(value));
        }
        parts
    }

    #[test]
    fn proxies_write_addresses_in_several_ways() {
        let four = Some("203.0.113.7".parse().unwrap());
        let six = Some("2001:db8::1".parse().unwrap());
        for (hop, is) in [
            ("203.0.113.7", four),
            ("203.0.113.7:4711", four),
            ("2001:db8::1", six),
            ("[2001:db8::1]", six),
            ("[2001:db8::1]:80", six),
            ("unknown", None),
            ("", None),
        ] {
            assert_eq!(address(hop), is, "{hop:?}");
        }
    }

    #[test]
    fn a_credential_is_accepted_once_and_in_its_own_spelling() {
        for right in [
            &[
                ("x-ct-auth-token", "a"),
                ("karvyclient_secret", "b"),
                ("ret_period", "072025"),
                ("app_key", "c"),
            ][..],
            &[("client-secret", "a"), ("clientid", "b"), ("txn", "1"), ("txn", "2")][..],
        ] {
            assert!(Head::read(&parts(right)).1.is_none(), "{right:?}");
        }
        for wrong in [
            &[("x_ct_auth_token", "a")][..],
            &[("x-ct_auth-token", "a")],
            &[("client_secret", "a")],
            &[("karvyclient-secret", "a")],
            &[("auth_token", "a")],
            &[("x-ct-auth-token", "a"), ("x-ct-auth-token", "a")],
            &[("authorization", "a"), ("authorization", "b")],
        ] {
            let error = Head::read(&parts(wrong)).1.map(|doubt| doubtful(&doubt)).unwrap();
            assert_eq!(error.code(), "GSP614", "{wrong:?}");
        }
    }
}
