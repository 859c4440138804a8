//! A request's head, as the stages read it. The headers that decide about a call are found once, in one pass over all, and
//! have their places from then on: names that are looked up one by one would each be hashed and compared again.

use std::borrow::Cow;

use gstn::headers as names;
use http::header::InvalidHeaderName;
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};

/// A request's head. Its query is without the password that was taken out of it, if one was; so nothing here gives the
/// request's whole URI.
pub(crate) struct Head<'h> {
    pub(crate) method: &'h Method,
    pub(crate) version: Version,
    pub(crate) authority: Option<&'h Authority>,
    pub(crate) path: &'h str,
    pub(crate) query: Option<Cow<'h, str>>,
    /// All of them.
    pub(crate) headers: &'h HeaderMap,
    known: [Option<&'h HeaderValue>; Header::COUNT],
}

/// What is doubtful about a header that proves who somebody is.
#[derive(Debug)]
pub(crate) enum Doubt<'h> {
    Misspelt { name: &'h HeaderName, right: &'static str },
    Repeated(&'static str),
}

const AUTHORIZATION: &str = "authorization";
const UPGRADE: &str = "upgrade";
const X_FORWARDED_FOR: &str = "x-forwarded-for";

macro_rules! headers {
    ($($header:ident = $name:path),+ $(,)?) => {
        /// A header that a stage asks for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Header {
            $($header),+
        }

        impl Header {
            const ALL: &[Self] = &[$(Self::$header),+];

            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $(Self::$header => $name),+
                }
            }

            /// Its name as one of the `http` crate, which copies none of these.
            fn http_name(self) -> HeaderName {
                static NAMES: [HeaderName; Header::COUNT] = [$(HeaderName::from_static($name)),+];
                NAMES[self as usize].clone()
            }

            fn named(name: &[u8]) -> Option<Self> {
                $(if name == $name.as_bytes() {
                    return Some(Self::$header);
                })+
                None
            }
        }
    };
}

headers! {
    // Those that prove who somebody is.
    XCtAuthToken = names::X_CT_AUTH_TOKEN,
    Authorization = AUTHORIZATION,
    ClientId = names::CLIENT_ID,
    ClientSecret = names::CLIENT_SECRET,
    KarvyClientId = names::KARVY_CLIENT_ID,
    KarvyClientSecret = names::KARVY_CLIENT_SECRET,
    Aspid = names::ASPID,
    AspSecret = names::ASP_SECRET,
    SessionId = names::SESSION_ID,
    AuthToken = names::AUTH_TOKEN,
    Password = names::PASSWORD,
    // Others.
    Action = names::ACTION,
    ApiVersion = names::API_VERSION,
    Appver = names::APPVER,
    Gstin = names::GSTIN,
    IpUsr = names::IP_USR,
    MessageId = names::MESSAGE_ID,
    RetPeriod = names::RET_PERIOD,
    RetPrd = names::RET_PRD,
    RtnTyp = names::RTN_TYP,
    StateCd = names::STATE_CD,
    Txn = names::TXN,
    Upgrade = UPGRADE,
    Username = names::USERNAME,
    Userrole = names::USERROLE,
    XForwardedFor = X_FORWARDED_FOR,
}

/// The name of a header as it was sent. It takes no memory of its own where it is one of those that decide about a call, as ASPs
/// send a dozen of them, and written in small letters.
pub(crate) fn http_name(sent: &[u8]) -> Result<HeaderName, InvalidHeaderName> {
    match Header::named(sent) {
        Some(header) => Ok(header.http_name()),
        None => HeaderName::from_bytes(sent),
    }
}

impl Header {
    const COUNT: usize = Self::ALL.len();

    /// Headers that prove who somebody is. Each is accepted once, and in this spelling only: whoever stands before or behind
    /// us might read another copy.
    fn credentials() -> &'static [Self] {
        &Self::ALL[..=Self::Password as usize]
    }

    fn is_credential(self) -> bool {
        self as usize <= Self::Password as usize
    }
}

impl<'h> Head<'h> {
    /// Beside it the first doubt about a credential, in the order in which the headers came.
    pub(crate) fn read(parts: &'h Parts) -> (Self, Option<Doubt<'h>>) {
        let Parts { method, uri, version, headers, .. } = parts;
        let mut known = [None; Header::COUNT];
        let mut doubt = None;
        for (name, value) in headers {
            let found = match Header::named(name.as_str().as_bytes()) {
                None => misspelt(name),
                Some(header) => {
                    let place = &mut known[header as usize];
                    let repeated = place.is_some() && header.is_credential();
                    place.get_or_insert(value);
                    repeated.then(|| Doubt::Repeated(header.name()))
                }
            };
            doubt = doubt.or(found);
        }
        let (authority, path, query) = (uri.authority(), uri.path(), uri.query().map(Cow::Borrowed));
        (Self { method, version: *version, authority, path, query, headers, known }, doubt)
    }

    /// The value of a header as it was sent; of one that is there more than once, the first.
    pub(crate) fn value(&self, header: Header) -> Option<&'h HeaderValue> {
        self.known[header as usize]
    }

    /// Every value of a header.
    pub(crate) fn values(&self, header: Header) -> impl DoubleEndedIterator<Item = &'h HeaderValue> {
        let all = self.value(header).map(|_| self.headers.get_all(header.name()));
        all.into_iter().flatten()
    }

    /// The text of a header, if it has one.
    pub(crate) fn text(&self, header: Header) -> Option<&'h str> {
        self.value(header)?.to_str().ok().map(str::trim_ascii).filter(|text| !text.is_empty())
    }

    /// The text of the header of this name, which is one that a stage asks for.
    pub(crate) fn text_of(&self, name: &str) -> Option<&'h str> {
        self.text(Header::named(name.as_bytes())?)
    }
}

/// The credential that `name` would be, were it spelt rightly.
fn misspelt(name: &HeaderName) -> Option<Doubt<'_>> {
    let mut names = Header::credentials().iter().map(|header| header.name());
    names.find(|right| same_but_for_dashes(name.as_str(), right)).map(|right| Doubt::Misspelt { name, right })
}

fn same_but_for_dashes(name: &str, other: &str) -> bool {
    let dashed = |byte: u8| if byte == b'_' { b'-' } else { byte };
    name.len() == other.len() && name.bytes().zip(other.bytes()).all(|(a, b)| dashed(a) == dashed(b))
}

/// The head of a request that has these headers, and else nothing that matters.
#[cfg(test)]
pub(crate) fn with(headers: &HeaderMap) -> Parts {
    let (mut parts, ()) = http::Request::new(()).into_parts();
    parts.headers = headers.clone();
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_header_is_known_by_its_name() {
        for header in Header::ALL {
            assert_eq!(Header::named(header.name().as_bytes()), Some(*header));
            assert_eq!(header.name(), header.name().to_ascii_lowercase());
            assert_eq!(http_name(header.name().as_bytes()).unwrap().as_str(), header.name());
        }
        assert_eq!(Header::named(b"x-request-id"), None);
        for (sent, name) in [("Ip-Usr", "ip-usr"), ("X-Request-Id", "x-request-id"), ("host", "host")] {
            assert_eq!(http_name(sent.as_bytes()).unwrap(), name);
        }
        assert!(http_name(b"gst in").is_err() && http_name(b"\xff").is_err() && http_name(b"").is_err());
    }
}
