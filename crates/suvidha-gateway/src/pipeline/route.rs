//! Second, because what a call is for decides what is asked of its caller: our own endpoints ask for nothing, GetKey for a
//! signature, and a path that leads nowhere needs no credentials.

use std::borrow::Cow;
use std::ops::Range;

use gstn::catalogue::{self, Api, Family, Location, Methods, Site};
use http::Method;
use smallvec::SmallVec;

use super::head::Head;
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
pub(crate) enum Destination<'h> {
    /// To one of our own endpoints, which need no caller.
    Own(Endpoint, Call<'h, Received>),
    /// To a new GSP session.
    GetKey(Call<'h, Received>),
    /// To a new certificate of the ASP's own.
    SetAspPubCer(Call<'h, Received>),
    /// To what we know of the ASP.
    OfItself(Question, Call<'h, Received>),
    Gstn(Call<'h, Routed<'h>>),
}

/// A call that GSTN may know.
pub(crate) struct Routed<'h>(Target<'h>);

impl<'h> Routed<'h> {
    pub(crate) fn target(&self) -> &Target<'h> {
        &self.0
    }

    pub(crate) fn into_target(self) -> Target<'h> {
        self.0
    }
}

/// What a call is for.
pub(crate) struct Target<'h> {
    pub(crate) family: Family,
    /// The path as GSTN gets it, beginning with a slash.
    pub(crate) path: Cow<'h, str>,
    /// `None`: the catalogue does not know it. GSTN adds APIs every month.
    pub(crate) api: Option<&'static Api>,
    /// After family and version, such as `returns/gstr1`: decoded, and without what follows a semicolon in a segment, so that
    /// no spelling of a path makes another API of it.
    pub(crate) name: Cow<'h, str>,
}

pub(crate) fn route<'h>(
    call: Call<'h, Received>,
    visit: &Visit,
    record: &mut Record,
) -> Result<Destination<'h>, Error> {
    let segments = segments(call.head.path)?;
    if let Some(endpoint) = Endpoint::find(&segments) {
        record.own = true;
        record.api = Some(segments.join("/").into());
        return endpoint.check_method(call.head.method).map(|()| Destination::Own(endpoint, call));
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
    Ok(Destination::Gstn(call.advance(|_| Routed(target))))
}

/// As many as a path has as a rule take no memory of their own.
type Segments<'p> = SmallVec<[&'p str; 8]>;

/// The segments of `path`, none empty: clients double their slashes. What could mean another path to somebody
/// else is refused.
fn segments(path: &str) -> Result<Segments<'_>, Error> {
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
    let segments: Segments<'_> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    if path.contains('\\') || segments.iter().any(|segment| is_dots(segment)) {
        return doubtful("The path has a backslash or a dot segment.");
    }
    Ok(segments)
}

/// Whether a segment is one dot or two. To Java servers, what follows a semicolon is no part of its name.
fn is_dots(segment: &str) -> bool {
    let rest = segment.strip_prefix("..").or_else(|| segment.strip_prefix('.'));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(';'))
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
    record.version = Some((*version).to_owned().into());
    record.api = Some(format!("{UTILITY}/{name}").into());
    Ok(utility)
}

/// `v1.0` and the like, of a length that the log can repeat.
fn is_version(segment: &str) -> bool {
    let numbers = segment.strip_prefix(['v', 'V']).and_then(|numbers| numbers.split_once('.'));
    let number = |digits: &str| (1..=3).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    numbers.is_some_and(|(major, minor)| number(major) && number(minor))
}

fn target<'h>(head: &Head<'h>, segments: &[&'h str], record: &mut Record) -> Result<Target<'h>, Error> {
    let unknown = || Error::new(Kind::UnknownPath);
    let names = names(head.path, segments);
    let Location { family, version, path } = catalogue::locate(&names).ok_or_else(unknown)?;
    if path.is_empty() {
        return Err(unknown());
    }
    if version.is_none() && path.split('/').next().is_some_and(|name| name.eq_ignore_ascii_case("dec")) {
        let words = "Plain mode (/dec/) is not offered here; calls are passed through encrypted.";
        return Err(Error::saying(Kind::UnknownPath, words));
    }
    let action = actions(head.query.as_deref()).next();
    let site = catalogue::site(family, path);
    let api = site.and_then(|site| site.api(head.method.as_str(), action.as_deref()));
    record.version =
        version.map(|version| of_catalogue(version, api.into_iter().flat_map(|api| &api.versions)));
    record.action = action
        .filter(|action| action.len() <= LONGEST_ACTION)
        .map(|action| of_catalogue(&action, api.and_then(|api| api.action.as_ref())));
    // A file's path is itself a key to the file.
    let shown = if family == Family::Files { "file" } else { path };
    record.api = Some(match site {
        Some(site) if site.path() == shown => {
            record.path_number = Some(site.number());
            site.name().into()
        }
        _ => format!("{family}/{}", shown.chars().take(LONGEST_NAME).collect::<String>()).into(),
    });
    check_method(site.map(Site::methods), head.method)?;
    let name_begins = names.len() - path.len();
    let name = match names {
        Cow::Borrowed(names) => Cow::Borrowed(&names[name_begins..]),
        Cow::Owned(mut names) => Cow::Owned(names.split_off(name_begins)),
    };
    Ok(Target { family, path: outgoing(head.path, family, segments), api, name })
}

/// `text`, as it stands in the catalogue if it is one of `known`.
fn of_catalogue<'a>(text: &str, known: impl IntoIterator<Item = &'a &'static str>) -> Cow<'static, str> {
    let known = known.into_iter().find(|known| **known == text);
    known.map_or_else(|| text.to_owned().into(), |known| Cow::Borrowed(*known))
}

/// Where the segments stand in `path`, if they do so with one slash between each two. They are the last ones of it.
fn side_by_side(path: &str, segments: &[&str]) -> Option<Range<usize>> {
    let length = segments.iter().map(|segment| segment.len() + 1).sum::<usize>().checked_sub(1)?;
    let end = path.trim_end_matches('/').len();
    let begin = end.checked_sub(length)?;
    (path.get(begin..)?.as_ptr() == segments.first()?.as_ptr()).then_some(begin..end)
}

/// What the segments name to GSTN, with slashes between. No copy is made of what stands so in `path`.
fn names<'p>(path: &'p str, segments: &[&'p str]) -> Cow<'p, str> {
    match side_by_side(path, segments).filter(|_| !path.contains(['%', ';'])) {
        Some(place) => path[place].into(),
        None => {
            let names = segments.iter().map(|segment| name(segment)).filter(|name| !name.is_empty());
            names.collect::<Vec<_>>().join("/").into()
        }
    }
}

/// The path as GSTN gets it, beginning with its family: what was encoded stays so, what was doubled does not.
fn outgoing<'p>(path: &'p str, family: Family, segments: &[&'p str]) -> Cow<'p, str> {
    let slash = if path.ends_with('/') { "/" } else { "" };
    match side_by_side(path, segments) {
        Some(Range { start: start @ 1.., end }) if segments[0] == family.as_str() => {
            path[start - 1..end + slash.len()].into()
        }
        _ => format!("/{family}/{}{slash}", segments[1..].join("/")).into(),
    }
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
    let pairs = query.unwrap_or_default().split('&').filter(|pair| query::is_named(pair, "action"));
    let actions = pairs.map(|pair| query::decoded(pair).1);
    actions.filter(|action| !action.is_empty() && action.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// Refuses only a method that cannot be right: documents and clients disagree about PUT and POST.
fn check_method(known: Option<Methods>, method: &Method) -> Result<(), Error> {
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
            *segments("//api//taxpayerapi/v1.0/returns/").unwrap(),
            ["api", "taxpayerapi", "v1.0", "returns"]
        );
        assert_eq!(*segments("/a%20b/%E0%A4").unwrap(), ["a%20b", "%E0%A4"]);
        assert_eq!(*segments("/.a/...;/..b").unwrap(), [".a", "...;", "..b"]);
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
            "/a/..",
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
    fn a_path_is_copied_only_where_it_changes() {
        for (path, named, sent, copied) in [
            ("/taxpayerapi/v1.0/x", "taxpayerapi/v1.0/x", "/taxpayerapi/v1.0/x", [false, false]),
            ("/api/taxpayerapi/v1.0/x/", "taxpayerapi/v1.0/x", "/taxpayerapi/v1.0/x/", [false, false]),
            ("//api//taxpayerapi/v1.0/x//", "taxpayerapi/v1.0/x", "/taxpayerapi/v1.0/x/", [false, false]),
            ("/taxpayerapi//v1.0/x", "taxpayerapi/v1.0/x", "/taxpayerapi/v1.0/x", [true, true]),
            ("/TaxpayerApi/v1.0/x", "TaxpayerApi/v1.0/x", "/taxpayerapi/v1.0/x", [false, true]),
            ("/taxpayerapi/v1.0/%78;a=b/", "taxpayerapi/v1.0/x", "/taxpayerapi/v1.0/%78;a=b/", [true, false]),
            ("/taxpayerapi/;a/x", "taxpayerapi/x", "/taxpayerapi/;a/x", [true, false]),
        ] {
            let segments = segments(path).unwrap();
            let segments = without_prefix(&segments);
            let (names, outgoing) = (names(path, segments), outgoing(path, Family::TaxpayerApi, segments));
            assert_eq!((&*names, &*outgoing), (named, sent), "{path:?}");
            assert_eq!([names, outgoing].map(|text| matches!(text, Cow::Owned(_))), copied, "{path:?}");
        }
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
