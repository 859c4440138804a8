//! Second, because what a call is for decides what is asked of its caller: our own endpoints ask for nothing, GetKey for a
//! signature, and a path that leads nowhere needs no credentials.

use std::borrow::Cow;

use gstn::catalogue::{self, Api, Family, Location};
use http::Method;
use http::request::Parts;

use super::receive::Received;
use super::settle::Record;
use super::{Call, Visit};
use crate::aspapi::Question;
use crate::error::{Error, Kind};
use crate::own::Endpoint;
use crate::query;

/// The prefixes under which the GSPs that we stand in for offer GSTN's paths.
const PREFIXES: [&[&str]; 2] = [&["gsp", "api"], &["api"]];

/// The family of a GSP's own APIs, which are not GSTN's.
const UTILITY: &str = "aspapi";

/// The longest action, and the longest path of an API, that the log repeats.
const LONGEST_ACTION: usize = 32;
const LONGEST_NAME: usize = 80;

/// Where a request leads.
pub(crate) enum Destination {
    /// To one of our own endpoints, which need no caller.
    Own(Endpoint, Call<Received>),
    /// To a new GSP session.
    GetKey(Call<Received>),
    /// To a new certificate of the ASP's own.
    SetAspPubCer(Call<Received>),
    /// To what we know of the ASP.
    OfItself(Question, Call<Received>),
    Gstn(Call<Routed>),
}

/// A call that GSTN may know.
pub(crate) struct Routed(Target);

impl Routed {
    pub(crate) fn target(&self) -> &Target {
        &self.0
    }

    pub(crate) fn into_target(self) -> Target {
        self.0
    }
}

/// What a call is for.
pub(crate) struct Target {
    pub(crate) family: Family,
    /// The path as GSTN gets it, beginning with a slash.
    pub(crate) path: String,
    /// `None`: the catalogue does not know it. GSTN adds APIs every month.
    pub(crate) api: Option<&'static Api>,
    /// After family and version, such as `returns/gstr1`: decoded, and without what follows a semicolon in a segment, so that
    /// no spelling of a path makes another API of it.
    pub(crate) name: String,
}

pub(crate) fn route(call: Call<Received>, visit: &Visit, record: &mut Record) -> Result<Destination, Error> {
    let segments = segments(call.head.uri.path())?;
    if let Some(endpoint) = Endpoint::find(&segments) {
        record.own = true;
        record.api = Some(segments.join("/"));
        return endpoint.check_method(&call.head.method).map(|()| Destination::Own(endpoint, call));
    }
    if visit.door.plane.is_closing() {
        return Err(Error::new(Kind::Draining));
    }
    let segments = without_prefix(&segments);
    if segments.first().is_some_and(|family| family.eq_ignore_ascii_case(UTILITY)) {
        return Ok(match utility(segments, record)? {
            Utility::GetKey => Destination::GetKey(call),
            Utility::SetAspPubCer => Destination::SetAspPubCer(call),
            Utility::OfItself(question) => Destination::OfItself(question, call),
        });
    }
    if call.site.upstream.is_none() {
        return Err(Error::saying(
            Kind::NotConfigured,
            format!("This gateway has no upstream configured for {}.", call.site.environment),
        ));
    }
    let target = target(&call.head, segments, record)?;
    check_method(&target, &call.head.method)?;
    Ok(Destination::Gstn(call.advance(|_| Routed(target))))
}

/// The segments of `path`, none empty: clients double their slashes. What could mean another path to somebody
/// else is refused.
fn segments(path: &str) -> Result<Vec<&str>, Error> {
    let doubtful = |words| Err(Error::saying(Kind::MalformedHttp, words));
    let mut rest = path.as_bytes();
    while let Some(at) = rest.iter().position(|&byte| byte == b'%') {
        let code = rest.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match code.filter(|hex| !hex.starts_with('+')).and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            None => return doubtful("The path has a percent sign that begins no encoded character."),
            Some(b'/' | b'\\' | b'.') => return doubtful("The path has an encoded slash, backslash or dot."),
            // Decoded twice, or by a careless decoder of UTF-8, these become one of those.
            Some(b'%' | 0xc0 | 0xc1) => return doubtful("The path is encoded twice, or not in UTF-8."),
            Some(byte) if byte.is_ascii_control() => {
                return doubtful("The path has an encoded control character.");
            }
            Some(_) => rest = &rest[at + 3..],
        }
    }
    // To Java servers, what follows a semicolon is no part of a segment's name.
    let mut names = path.split('/').map(|segment| segment.split(';').next());
    if path.contains('\\') || names.any(|name| matches!(name, Some("." | ".."))) {
        return doubtful("The path has a backslash or a dot segment.");
    }
    Ok(path.split('/').filter(|segment| !segment.is_empty()).collect())
}

/// One of a GSP's own APIs.
enum Utility {
    GetKey,
    SetAspPubCer,
    OfItself(Question),
}

/// The one at this path, in any version.
fn utility(segments: &[&str], record: &mut Record) -> Result<Utility, Error> {
    let words = "Of the /aspapi utility APIs this gateway offers getKey, setasppubcer, getapibalance, getapisetting, \
                 apitxn/dailytxn, apitxn/dailysummary, dailytxnlog and consents, as /aspapi/v1.0/getKey.";
    let unknown = || Error::saying(Kind::UnknownPath, words);
    let [_, version, path @ ..] = segments else { return Err(unknown()) };
    let (name, utility) = match path {
        [name] if name.eq_ignore_ascii_case("getkey") => ("getKey", Utility::GetKey),
        [name] if name.eq_ignore_ascii_case("setasppubcer") => ("setasppubcer", Utility::SetAspPubCer),
        path => {
            let question = Question::find(path).ok_or_else(unknown)?;
            (question.path(), Utility::OfItself(question))
        }
    };
    let is_ours_alone = matches!(utility, Utility::OfItself(Question::Consents));
    if !(is_version(version) || is_ours_alone && version.eq_ignore_ascii_case("v1")) {
        return Err(unknown());
    }
    record.version = Some((*version).to_owned());
    record.api = Some(format!("{UTILITY}/{name}"));
    Ok(utility)
}

/// `v1.0` and the like, of a length that the log can repeat.
fn is_version(segment: &str) -> bool {
    let numbers = segment.strip_prefix(['v', 'V']).and_then(|numbers| numbers.split_once('.'));
    let number = |digits: &str| (1..=3).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    numbers.is_some_and(|(major, minor)| number(major) && number(minor))
}

fn target(head: &Parts, segments: &[&str], record: &mut Record) -> Result<Target, Error> {
    let unknown = || Error::new(Kind::UnknownPath);
    let names: Vec<_> =
        segments.iter().map(|segment| name(segment)).filter(|name| !name.is_empty()).collect();
    let folded = names.join("/");
    let Location { family, version, path } = catalogue::locate(&folded).ok_or_else(unknown)?;
    if path.is_empty() {
        return Err(unknown());
    }
    if names[1].eq_ignore_ascii_case("dec") {
        let words = "Plain mode (/dec/) is not offered here; calls are passed through encrypted.";
        return Err(Error::saying(Kind::UnknownPath, words));
    }
    let action = actions(head.uri.query()).next();
    let api = catalogue::find(family, path, head.method.as_str(), action.as_deref());
    record.version = version.map(str::to_owned);
    record.action = action.filter(|action| action.len() <= LONGEST_ACTION).map(Cow::into_owned);
    // A file's path is itself a key to the file.
    let shown = if family == Family::Files { "file" } else { path };
    record.api = Some(format!("{family}/{}", shown.chars().take(LONGEST_NAME).collect::<String>()));
    let slash = if head.uri.path().ends_with('/') { "/" } else { "" };
    let outgoing = format!("/{family}/{}{slash}", segments[1..].join("/"));
    Ok(Target { family, name: path.to_owned(), path: outgoing, api })
}

fn without_prefix<'s, 'p>(segments: &'s [&'p str]) -> &'s [&'p str] {
    let matches = |prefix: &&&[&str]| {
        segments.len() > prefix.len()
            && prefix.iter().zip(segments).all(|(prefix, segment)| prefix.eq_ignore_ascii_case(segment))
    };
    PREFIXES.iter().find(matches).map_or(segments, |prefix| &segments[prefix.len()..])
}

/// What a segment names to GSTN: to Java servers, what follows a semicolon is no part of it. What decoded would be more than
/// visible ASCII names nothing there, and stays as it is, fit for the log.
fn name(segment: &str) -> Cow<'_, str> {
    let name = segment.split(';').next().unwrap_or_default();
    let decoded = query::percent_decoded(name);
    if decoded.bytes().all(|byte| byte.is_ascii_graphic()) { decoded } else { name.into() }
}

/// The actions in the query, in letters and digits only; as a rule one. The body may name another; it is not ours to read.
pub(super) fn actions(query: Option<&str>) -> impl Iterator<Item = Cow<'_, str>> {
    let pairs = query.unwrap_or_default().split('&').map(query::decoded);
    let actions = pairs.filter(|(name, _)| name.eq_ignore_ascii_case("action")).map(|(_, action)| action);
    actions.filter(|action| !action.is_empty() && action.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// Refuses only a method that cannot be right: documents and clients disagree about PUT and POST.
fn check_method(target: &Target, method: &Method) -> Result<(), Error> {
    let known = catalogue::is_known_path(target.family, &target.name);
    let like = if method == Method::HEAD { "GET" } else { method.as_str() };
    if method != Method::TRACE && known.is_none_or(|known| known.contains(like)) {
        return Ok(());
    }
    let allowed = known.map_or_else(|| "GET, POST, PUT".to_owned(), |known| known.to_string());
    Err(Error::wrong_method(allowed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubled_slashes_fold_and_doubtful_paths_are_refused() {
        assert_eq!(
            segments("//api//taxpayerapi/v1.0/returns/").unwrap(),
            ["api", "taxpayerapi", "v1.0", "returns"]
        );
        assert_eq!(segments("/a%20b/%E0%A4").unwrap(), ["a%20b", "%E0%A4"]);
        for path in [
            "/a/../b",
            "/./a",
            "/a/%2e%2E/b",
            "/a%2Fb",
            "/a%5cb",
            "/a\\b",
            "/a%00",
            "/a%7f",
            "/a%0d%0a",
            "/a%",
            "/a%4",
            "/a%zz",
            "/a/..;/b",
            "/a/.;x=y/b",
            "/a/%252e%252e/b",
            "/a/%c0%ae/b",
            "/a%+1",
        ] {
            assert_eq!(segments(path).unwrap_err().code(), "GSP610", "{path:?}");
        }
    }

    #[test]
    fn a_segment_has_one_name_however_it_is_spelt_and_none_that_fools_a_terminal() {
        for spelt in ["gstr1", "%67str1", "gst%721;a=b", "gstr1;"] {
            assert_eq!(name(spelt), "gstr1");
        }
        for kept in ["a%20b", "%C2%9B2J", "%E2%80%AEx", "%ff"] {
            assert_eq!(name(kept), kept);
        }
    }

    #[test]
    fn the_prefixes_of_both_seeds_come_off() {
        for path in ["taxpayerapi/x", "api/taxpayerapi/x", "gsp/api/taxpayerapi/x", "GSP/Api/taxpayerapi/x"] {
            let segments: Vec<_> = path.split('/').collect();
            assert_eq!(without_prefix(&segments), ["taxpayerapi", "x"], "{path:?}");
        }
        assert_eq!(without_prefix(&["api"]), ["api"]);
    }

    #[test]
    fn a_version_is_two_numbers() {
        for version in ["v1.0", "V1.1", "v0.3", "v10.123"] {
            assert!(is_version(version), "{version:?}");
        }
        for version in ["", "v", "v1", "1.0", "v1.", "v.1", "v1.0.0", "v1.x", "v1234.0", "vv1.0", "v+1.0"] {
            assert!(!is_version(version), "{version:?}");
        }
    }

    #[test]
    fn an_action_is_taken_from_the_query() {
        let actions = |query| actions(query).collect::<Vec<_>>();
        assert_eq!(actions(Some("gstin=1&Action=B2B&%61ction=%58")), ["B2B", "X"]);
        for query in [None, Some(""), Some("action="), Some("action=a%20b"), Some("reaction=B2B")] {
            assert_eq!(actions(query), [""; 0], "{query:?}");
        }
    }
}
