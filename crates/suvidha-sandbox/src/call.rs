//! A call as it came in, read as leniently as the clients in the field need it (gstn.md section 10).

use axum::extract::Query;
use bytes::Bytes;
use gstn::catalogue::Family;
use http::{HeaderMap, Method, Uri};
use jiff::Timestamp;

/// A received call.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) at: Timestamp,
    query: Vec<(String, String)>,
}

/// What the path of a call names. Its version is not kept: any is taken, and means the same.
pub(crate) struct Resource {
    pub(crate) family: Family,
    /// Below the version, without slashes at the ends, such as `returns/gstr1`.
    pub(crate) path: String,
}

impl Call {
    pub(crate) fn new(method: Method, uri: Uri, headers: HeaderMap, body: Bytes, at: Timestamp) -> Self {
        let query =
            Query::<Vec<(String, String)>>::try_from_uri(&uri).map(|query| query.0).unwrap_or_default();
        Self { method, uri, headers, body, at, query }
    }

    /// A header without the blanks around it; none when it is missing, empty or not readable as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok().map(str::trim).filter(|value| !value.is_empty())
    }

    /// A query parameter without the blanks around it; none when it is missing or empty.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        let (_, value) = self.query.iter().find(|(key, _)| key == name)?;
        Some(value.trim()).filter(|value| !value.is_empty())
    }

    /// The period named by the header, in either of its spellings.
    pub(crate) fn period_header(&self) -> Option<&str> {
        self.header(gstn::headers::RET_PERIOD).or_else(|| self.header(gstn::headers::RET_PRD))
    }

    /// The version in the path, such as (4, 1). The first one where none can be read.
    pub(crate) fn version(&self) -> (u32, u32) {
        let mut segments = self.uri.path().split('/').filter(|segment| !segment.is_empty());
        let version = segments.nth(1).filter(|segment| is_version(segment)).map(|segment| &segment[1..]);
        let (major, minor) = version.map_or(("1", "0"), |text| text.split_once('.').unwrap_or((text, "0")));
        (major.parse().unwrap_or(1), minor.parse().unwrap_or(0))
    }

    /// What the path names: `/{family}/{version}/{path}`, doubled slashes folded. None if it has no such form.
    pub(crate) fn resource(&self) -> Option<Resource> {
        let mut segments = self.uri.path().split('/').filter(|segment| !segment.is_empty());
        let family = Family::from_segment(segments.next()?)?;
        segments.next().filter(|segment| is_version(segment))?;
        Some(Resource { family, path: segments.collect::<Vec<_>>().join("/") })
    }
}

/// `v1`, `v0.2`, `v4.1`: a `v`, digits, and perhaps a point and digits.
fn is_version(segment: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    segment.strip_prefix(['v', 'V']).is_some_and(|number| match number.split_once('.') {
        Some((major, minor)) => digits(major) && digits(minor),
        None => digits(number),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(uri: &str) -> Call {
        let uri = uri.parse().unwrap();
        Call::new(Method::GET, uri, HeaderMap::new(), Bytes::new(), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn doubled_slashes_fold_and_any_version_is_taken() {
        let read = |uri: &str| call(uri).resource().map(|resource| resource.path);
        assert_eq!(read("//taxpayerapi//v0.2/returns///gstr1/?action=B2B"), Some("returns/gstr1".to_owned()));
        assert_eq!(read("/taxpayerapi/v9.9/returns/gstr1"), Some("returns/gstr1".to_owned()));
        assert_eq!(read("/taxpayerapi/v2/returns/gstr1"), Some("returns/gstr1".to_owned()));
        assert_eq!(read("/taxpayerapi/returns/gstr1"), None);
        assert_eq!(read("/elsewhere/v1.0/returns"), None);
        assert_eq!(read("/taxpayerapi/v1.x/returns"), None);
    }

    #[test]
    fn the_version_is_read_from_the_path() {
        let version = |uri: &str| call(uri).version();
        assert_eq!(version("//taxpayerapi//v4.2/returns/gstr2b"), (4, 2));
        assert_eq!(version("/taxpayerapi/V3/returns"), (3, 0));
        assert_eq!(version("/taxpayerapi/returns"), (1, 0));
        assert_eq!(version("/taxpayerapi/v99999999999.0/returns"), (1, 0));
    }

    #[test]
    fn an_empty_query_parameter_is_a_missing_one() {
        let call = call("/x?gstin=&ret_period=012026%20&action=A&action=B");
        assert_eq!(call.query("gstin"), None);
        assert_eq!(call.query("ret_period"), Some("012026"));
        assert_eq!(call.query("action"), Some("A"));
    }
}
