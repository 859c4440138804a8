//! From a request's path, method and action to its row in the catalogue. Allocates nothing per call.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::LazyLock;

use super::apis::{Api, Family, Method, Methods, apis};

/// A GSTN path taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location<'a> {
    /// The family.
    pub family: Family,
    /// The version, such as `v1.0`; the files of large replies have none.
    pub version: Option<&'a str>,
    /// The rest, without slashes at either end, such as `returns/gstr1`.
    pub path: &'a str,
}

/// Takes a path such as `/taxpayerapi/v1.0/returns/gstr1` apart; none if it begins with no family of GSTN's.
///
/// Slashes at either end do not count, as some clients double the first one. The query is not part of `path`.
pub fn locate(path: &str) -> Option<Location<'_>> {
    let path = path.trim_matches('/');
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    let family = Family::from_segment(first)?;
    let (second, after) = rest.split_once('/').unwrap_or((rest, ""));
    let (version, rest) = if is_version(second) { (Some(second), after) } else { (None, rest) };
    Some(Location { family, version, path: rest.trim_matches('/') })
}

/// `v` and a number with or without a fraction: `v1.0`, `v0.2`, `v1.03`.
fn is_version(segment: &str) -> bool {
    let number = segment.strip_prefix(['v', 'V']).unwrap_or_default();
    !number.is_empty()
        && number.split('.').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
}

/// The API that answers a call; `path` as [`locate`] gives it, `method` in capitals, `action` from the body or
/// else from the query. None for calls that are not in the catalogue: GSTN adds APIs every month.
///
/// Capitals do not matter in paths and actions. `PUT` and `POST` are taken for each other. Where the action is
/// not known, or a write bears one left over from another call, the call is the only API of that method on that
/// path, if there is only one.
pub fn find(family: Family, path: &str, method: &str, action: Option<&str>) -> Option<&'static Api> {
    site(family, path)?.api(method, action)
}

/// The methods that `path` understands, if the catalogue knows it.
pub fn is_known_path(family: Family, path: &str) -> Option<Methods> {
    site(family, path).map(Site::methods)
}

/// A path of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownPath {
    /// The family.
    pub family: Family,
    /// The path after family and version, such as `returns/gstr1`. A segment in braces stands for any value.
    pub path: &'static str,
}

/// Every path of the catalogue, once each, in its order.
pub fn paths() -> &'static [KnownPath] {
    &INDEX.paths
}

/// The place in [`paths`] of the one that `path` is, whatever the method and the action; none if the catalogue does
/// not know it.
pub fn path_number(family: Family, path: &str) -> Option<usize> {
    site(family, path).map(Site::number)
}

/// What the catalogue knows of a path: the path itself, or the one that leaves its last segments open. For those that
/// ask more than one question of it.
pub fn site(family: Family, path: &str) -> Option<&'static Site> {
    const MOST_OPEN_SEGMENTS: u8 = 4;
    let places: &HashMap<Place<'_>, usize, _> = &INDEX.places;
    let mut fixed = path.trim_matches('/');
    for open_segments in 0..=MOST_OPEN_SEGMENTS {
        if let Some(number) = places.get(&Place { family, fixed: Folded(fixed), open_segments }) {
            return INDEX.sites.get(*number);
        }
        if fixed.is_empty() {
            break;
        }
        fixed = fixed.rsplit_once('/').map_or("", |(before, _)| before);
    }
    None
}

static INDEX: LazyLock<Index> = LazyLock::new(Index::build);

struct Index {
    paths: Vec<KnownPath>,
    /// What is at each of these paths.
    sites: Vec<Site>,
    places: Map<Place<'static>, usize>,
    calls: Map<Call<'static>, &'static Api>,
}

/// What is looked for comes from strangers, but what is in the maps does not: nobody can fill a place of theirs.
type Map<K, V> = HashMap<K, V, BuildHasherDefault<Fnv>>;

/// A path of the catalogue: its fixed beginning, and how many segments follow that may be anything.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Place<'a> {
    family: Family,
    fixed: Folded<'a>,
    open_segments: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Call<'a> {
    /// The number of its site.
    site: usize,
    is_write: bool,
    action: Folded<'a>,
}

/// What a path offers: its methods, and for each of them the first API and how many there are.
#[derive(Debug, Clone, Default)]
pub struct Site {
    number: usize,
    name: String,
    methods: Methods,
    first: [Option<&'static Api>; 3],
    count: [u16; 3],
}

impl Index {
    fn build() -> Self {
        let (mut paths, mut sites) = (Vec::new(), Vec::<Site>::new());
        let (mut places, mut calls) = (Map::default(), Map::default());
        for api in apis() {
            for path in api.paths() {
                let fixed = path.split_once('{').map_or(path, |(before, _)| before).trim_end_matches('/');
                let open_segments = u8::try_from(path.matches('{').count()).unwrap_or(u8::MAX);
                let place = Place { family: api.family, fixed: Folded(fixed), open_segments };
                let number = *places.entry(place).or_insert_with(|| {
                    let number = paths.len();
                    paths.push(KnownPath { family: api.family, path });
                    sites.push(Site { number, name: format!("{}/{path}", api.family), ..Site::default() });
                    number
                });
                sites[number].insert(api);
                let action = Folded(api.action.unwrap_or_default());
                calls.insert(Call { site: number, is_write: api.method.is_write(), action }, api);
            }
        }
        Self { paths, sites, places, calls }
    }
}

impl Site {
    /// The place of its path in [`paths`].
    pub fn number(&self) -> usize {
        self.number
    }

    /// The path after family and version, such as `returns/gstr1`. A segment in braces stands for any value.
    pub fn path(&self) -> &'static str {
        INDEX.paths[self.number].path
    }

    /// Family and path, such as `taxpayerapi/returns/gstr1`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The methods that it understands.
    pub fn methods(&self) -> Methods {
        self.methods
    }

    /// The API that answers a call of this path: see [`find`].
    pub fn api(&self, method: &str, action: Option<&str>) -> Option<&'static Api> {
        let method = Method::from_name(method)?;
        let action = action.map(str::trim).unwrap_or_default();
        let (site, is_write) = (self.number, method.is_write());
        let calls: &HashMap<Call<'_>, &'static Api, _> = &INDEX.calls;
        let named = |action| calls.get(&Call { site, is_write, action: Folded(action) }).copied();
        let is_unknown_read = !action.is_empty() && !is_write;
        named(action).or_else(|| named("")).or_else(|| if is_unknown_read { None } else { self.only(method) })
    }

    fn insert(&mut self, api: &'static Api) {
        self.methods.insert(api.method);
        self.first[api.method as usize].get_or_insert(api);
        self.count[api.method as usize] += 1;
    }

    /// The API of `method`, if there is just one.
    fn only(&self, method: Method) -> Option<&'static Api> {
        if self.count[method as usize] == 1 { self.first[method as usize] } else { None }
    }
}

/// A text in which capitals do not matter.
#[derive(Clone, Copy)]
struct Folded<'a>(&'a str);

impl PartialEq for Folded<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(other.0)
    }
}

impl Eq for Folded<'_> {}

impl Hash for Folded<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.bytes().for_each(|byte| state.write_u8(byte.to_ascii_lowercase()));
    }
}

/// FNV-1a.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64((*byte).into()));
    }

    fn write_u8(&mut self, byte: u8) {
        self.write_u64(byte.into());
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(0x0100_0000_01b3);
    }

    fn write_isize(&mut self, number: isize) {
        self.write_u64(number.cast_unsigned() as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn title(path: &str, method: &str, action: Option<&str>) -> Option<&'static str> {
        let location = locate(path)?;
        find(location.family, location.path, method, action).map(|api| api.title)
    }

    #[test]
    fn paths_come_apart_whatever_their_slashes_and_versions() {
        let gstr1 = |version| Location { family: Family::TaxpayerApi, version, path: "returns/gstr1" };
        assert_eq!(locate("/taxpayerapi/v4.1/returns/gstr1"), Some(gstr1(Some("v4.1"))));
        assert_eq!(locate("//taxpayerapi/v0.2/returns/gstr1/"), Some(gstr1(Some("v0.2"))));
        assert_eq!(locate("/taxpayerapi/returns/gstr1"), Some(gstr1(None)));
        let file = "/returns/01072024/R1/0a1b/returns_01072024_R1_33AANCS2882A1ZG_b2b_0.tar.gz";
        assert_eq!(locate(file).unwrap().path, file.trim_start_matches("/returns/"));
        assert_eq!(locate("/commonapi").unwrap().path, "");
        assert_eq!(
            locate("/taxpayerapi/vital").unwrap(),
            Location { version: None, path: "vital", ..locate("/taxpayerapi").unwrap() }
        );
        for stranger in ["", "/", "/aspapi/v1.0/getKey", "/taxpayer", "/etc/passwd"] {
            assert_eq!(locate(stranger), None, "{stranger}");
        }
    }

    #[test]
    fn every_row_is_found_by_its_own_call() {
        for api in apis() {
            for path in api.paths() {
                let path = path.replace('{', "x").replace('}', "y");
                assert_eq!(find(api.family, &path, api.method.as_str(), api.action), Some(api), "{path}");
                assert!(is_known_path(api.family, &path).unwrap().contains(api.method.as_str()));
            }
        }
    }

    #[test]
    fn calls_of_real_clients_are_recognised() {
        let calls = [
            (
                "/taxpayerapi/v0.2/returns/gstr1",
                "GET",
                Some("RETSTATUS"),
                "Status of a save, reset, proceed-to-file or offset",
            ),
            ("/taxpayerapi/v0.3/returns/ledgers", "GET", Some("BAL"), "Balance of cash and credit"),
            ("/taxpayerapi/v0.3/ledgers", "GET", Some("BAL"), "Balance of cash and credit"),
            ("/taxpayerapi/v4.1/returns/gstr1", "POST", Some("RETSAVE"), "GSTR-1: save"),
            ("/taxpayerapi/v4.1/returns/gstr1", "PUT", None, "GSTR-1: save"),
            ("/taxpayerapi/v4.1/returns/gstr1", "PUT", Some("B2B"), "GSTR-1: save"),
            ("/taxpayerapi/v1.1/returns/gstrptf", "POST", None, "Proceed to file: GSTR-1, 5, 6"),
            ("/commonapi/v1.0/Returns", "GET", Some("rettrack"), "Returns filed by any taxpayer"),
            (
                "/commonapi/v1.0/unregistered-applicants",
                "GET",
                None,
                "Enrolment of an unregistered e-commerce seller",
            ),
            ("/eicore/v1.03/Invoice/irn/0123abc", "GET", None, "E-invoice: by IRN"),
            ("/ewaybillapi/v1.03/ewayapi/GetEwayBill", "GET", None, "E-way bill: look up"),
            ("/returns/01072024/R1/0a1b/x.tar.gz", "GET", None, "File of a large reply"),
        ];
        for (path, method, action, expected) in calls {
            assert_eq!(title(path, method, action), Some(expected), "{method} {path} {action:?}");
        }
    }

    #[test]
    fn every_path_has_a_number_whatever_its_capitals_and_open_segments() {
        for (number, known) in paths().iter().enumerate() {
            let path = known.path.replace('{', "x").replace('}', "y").to_ascii_uppercase();
            assert_eq!(path_number(known.family, &path), Some(number), "{path}");
        }
        assert_eq!(path_number(Family::TaxpayerApi, "returns/gstr99"), None);
        assert_eq!(path_number(Family::CommonApi, "returns/gstr1"), None);
    }

    #[test]
    fn calls_outside_the_catalogue_are_not_guessed() {
        assert_eq!(title("/taxpayerapi/v4.1/returns/gstr1", "GET", Some("NEWSECTION")), None);
        assert_eq!(title("/taxpayerapi/v4.1/returns/gstr1", "GET", None), None);
        assert_eq!(title("/taxpayerapi/v1.0/authenticate", "POST", Some("EVCOTP")), None);
        assert_eq!(title("/commonapi/v1.1/search", "DELETE", Some("TP")), None);
        assert_eq!(is_known_path(Family::TaxpayerApi, "returns/gstr99"), None);
        assert_eq!(is_known_path(Family::CommonApi, ""), None);
        assert_eq!(is_known_path(Family::Files, "01072024/R1/token"), None);
    }

    #[test]
    fn the_allow_header_lists_what_a_path_understands() {
        let allow = |path| is_known_path(Family::TaxpayerApi, path).unwrap().to_string();
        assert_eq!(allow("returns/gstr1"), "GET, POST, PUT");
        assert_eq!(allow("returns/gstr2a"), "GET");
        assert_eq!(allow("returns/gstrptf"), "POST, PUT");
    }

    proptest! {
        #[test]
        fn any_path_can_be_looked_up(path in "(/?(taxpayerapi|returns|eicore))?(/[^/]{0,9}){0,7}", action in "\\PC{0,9}") {
            if let Some(location) = locate(&path) {
                let api = find(location.family, location.path, "GET", Some(&action));
                let known = is_known_path(location.family, location.path);
                prop_assert!(api.is_none() || known.is_some_and(|methods| methods.contains("GET")));
            }
        }
    }
}
