//! First, because nothing may be believed of a request before it is certain where it begins and ends, and
//! that it says each thing once.
//!
//! Heads of HTTP/1 were judged by [`crate::wire`] as they came in; here
//! they get their answer.

use std::net::{IpAddr, SocketAddr};

use gstn::headers::{
    APPVER, ASP_SECRET, ASPID, AUTH_TOKEN, CLIENT_ID, CLIENT_SECRET, GSTIN, IP_USR, KARVY_CLIENT_ID,
    KARVY_CLIENT_SECRET, PASSWORD, SESSION_ID, TXN, X_CT_AUTH_TOKEN,
};
use http::header::{HOST, UPGRADE};
use http::request::Parts;
use http::{HeaderMap, Method, Version};

use super::identify::aspid;
use super::settle::Record;
use super::{Call, Visit};
use crate::error::{Error, Kind};
use crate::site::Site;
use crate::wire::HeadFault;

/// A request whose form is beyond doubt.
pub(crate) struct Received(());

/// Headers that prove who somebody is. Each is accepted once, and in this spelling only: whoever stands before
/// or behind us might read another copy.
const CREDENTIALS: [&str; 11] = [
    X_CT_AUTH_TOKEN,
    "authorization",
    CLIENT_ID,
    CLIENT_SECRET,
    KARVY_CLIENT_ID,
    KARVY_CLIENT_SECRET,
    ASPID,
    ASP_SECRET,
    SESSION_ID,
    AUTH_TOKEN,
    PASSWORD,
];

const X_FORWARDED_FOR: &str = "x-forwarded-for";

/// `body_bytes`: as many as the body has at least.
pub(crate) fn receive(
    visit: &Visit,
    head: Parts,
    body_bytes: u64,
    fault: Option<HeadFault>,
    record: &mut Record,
) -> Result<Call<Received>, Error> {
    if let Some(fault) = fault {
        return Err(refused_head(fault));
    }
    let site = visit.door.site.load_full();
    record.method = Some(head.method.clone());
    record.claimed = aspid(&head.headers).ok();
    record.txn = head.headers.get(TXN).cloned();
    record.gstin = head.headers.get(GSTIN).cloned();
    record.ip_usr = head.headers.get(IP_USR).cloned();
    record.appver = head.headers.get(APPVER).cloned();
    check_form(&head)?;
    check_size(&head, &site)?;
    check_credential_headers(&head.headers)?;
    if body_bytes > site.limits.body_bytes {
        return Err(Error::new(Kind::BodyTooLarge));
    }
    let caller = caller(visit.peer, &head.headers, &site);
    Ok(Call { head, caller, site, lane: visit.lane, stage: Received(()) })
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
fn check_form(head: &Parts) -> Result<(), Error> {
    if head.method == Method::CONNECT {
        return Err(Error::saying(Kind::UnsupportedForm, "CONNECT is not supported here."));
    }
    // Some HTTP libraries offer HTTP/2 with every first call. Going on in HTTP/1.1 declines that.
    let upgrades = |offer: &str| !offer.trim().eq_ignore_ascii_case("h2c");
    let offers =
        head.headers.get_all(UPGRADE).iter().flat_map(|value| value.as_bytes().split(|&b| b == b','));
    if offers.map(String::from_utf8_lossy).any(|offer| upgrades(&offer)) {
        return Err(Error::saying(
            Kind::UnsupportedForm,
            "This connection cannot be upgraded to another protocol.",
        ));
    }
    if head.version == Version::HTTP_2 {
        return Ok(());
    }
    if let Some(authority) = head.uri.authority() {
        let host = head.headers.get(HOST).map_or(&b""[..], |host| host.as_bytes());
        if !authority.as_str().as_bytes().eq_ignore_ascii_case(host) {
            return Err(Error::saying(Kind::UnsupportedForm, "The request is addressed to another host."));
        }
    }
    Ok(())
}

/// HTTP/1 heads were measured as they came in; those of HTTP/2 are known only here.
fn check_size(head: &Parts, site: &Site) -> Result<(), Error> {
    if head.version != Version::HTTP_2 {
        return Ok(());
    }
    let fields = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    let target = head.uri.path_and_query().map_or(0, |target| target.as_str().len());
    let bytes = target + fields.sum::<usize>();
    if bytes > site.limits.head_bytes || head.headers.len() > site.limits.headers {
        return Err(Error::new(Kind::HeadTooLarge));
    }
    Ok(())
}

fn check_credential_headers(headers: &HeaderMap) -> Result<(), Error> {
    for name in headers.keys() {
        let name = name.as_str();
        let Some(right) = CREDENTIALS.iter().find(|right| same_but_for_dashes(name, right)) else { continue };
        let words = if name != *right {
            format!("The header `{name}` is not accepted; it is spelled `{right}`.")
        } else if headers.get_all(name).iter().count() > 1 {
            format!("The header `{name}` is sent more than once.")
        } else {
            continue;
        };
        return Err(Error::saying(Kind::DoubtfulCredentialHeader, words));
    }
    Ok(())
}

fn same_but_for_dashes(name: &str, other: &str) -> bool {
    let dashed = |byte: u8| if byte == b'_' { b'-' } else { byte };
    name.len() == other.len() && name.bytes().zip(other.bytes()).all(|(a, b)| dashed(a) == dashed(b))
}

/// Who calls: the peer or, where that is a trusted proxy, the last address in `X-Forwarded-For` that is none.
fn caller(peer: IpAddr, headers: &HeaderMap, site: &Site) -> IpAddr {
    let mut caller = peer.to_canonical();
    let lines: Vec<_> = headers.get_all(X_FORWARDED_FOR).iter().collect();
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
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(pairs: &[(&str, &'static str)]) -> HeaderMap {
        let pairs = pairs
            .iter()
            .map(|(name, value)| (HeaderName::try_from(*name).unwrap(), HeaderValue::from_static(value)));
        let mut headers = HeaderMap::new();
        pairs.for_each(|(name, value)| {
            headers.append(name, value);
        });
        headers
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
            assert!(check_credential_headers(&headers(right)).is_ok(), "{right:?}");
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
            let error = check_credential_headers(&headers(wrong)).unwrap_err();
            assert_eq!(error.code(), "GSP614", "{wrong:?}");
        }
    }
}
