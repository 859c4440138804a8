//! The values that labels may have: a closed set of each, whatever ASPs and GSTN send.

use std::sync::LazyLock;

use gstn::catalogue::{self, Family, Origin};
use suvidha_store::PlanKind;
use suvidha_store::ledger::Outcome;

/// Stands for what the catalogue does not know.
pub(super) const OTHER: &str = "other";

/// The classes of HTTP statuses; the first is for calls whose ASP was gone before there was one.
pub(super) const STATUSES: [&str; 5] = ["none", "2xx", "3xx", "4xx", "5xx"];

/// How calls end, in the order of their discriminants.
pub(super) const OUTCOMES: [Outcome; 5] = Outcome::ALL;

/// How ASPs pay, in the order of their discriminants.
pub(super) const PLANS: [PlanKind; 3] = PlanKind::ALL;

/// In the order of their discriminants.
pub(super) const ORIGINS: [Origin; 4] = [Origin::Gsp, Origin::Gstn, Origin::Network, Origin::Asp];

/// The families of APIs: none for a call that was refused before its path was understood, then our own, then GSTN's.
pub(super) const FAMILIES: [&str; 9] = [
    "none",
    UTILITY,
    Family::TaxpayerApi.as_str(),
    Family::CommonApi.as_str(),
    Family::Files.as_str(),
    Family::EiVital.as_str(),
    Family::EiCore.as_str(),
    Family::EiEwb.as_str(),
    Family::EwaybillApi.as_str(),
];

/// The name of a recorded API, as one of a closed set.
pub(crate) fn api_name(api: Option<&str>) -> &'static str {
    ApiLabel::of(api).name()
}

/// The name of an error code, as one of a closed set.
pub(crate) fn code_name(code: &str) -> &'static str {
    CodeLabel::of(code).name()
}

/// The family of a GSP's own APIs.
const UTILITY: &str = "aspapi";

/// A GSP's own APIs, after their family, as they are recorded.
const OF_A_GSP: [&str; 8] = [
    "getKey",
    "setasppubcer",
    "getapibalance",
    "getapisetting",
    "apitxn/dailytxn",
    "apitxn/dailysummary",
    "dailytxnlog",
    "consents",
];

/// An API by its place among the labels: what is unknown of each family, then ours, then GSTN's in the catalogue's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ApiLabel(usize);

/// Family (by its place) and name of every [`ApiLabel`].
static APIS: LazyLock<Vec<(usize, String)>> = LazyLock::new(|| {
    let others = (0..FAMILIES.len()).map(|family| (family, OTHER.to_owned()));
    let ours = OF_A_GSP.iter().map(|name| (1, format!("{UTILITY}/{name}")));
    let gstns = catalogue::paths().iter();
    let gstns = gstns.map(|known| (place_of(known.family), format!("{}/{}", known.family, known.path)));
    others.chain(ours).chain(gstns).collect()
});

impl ApiLabel {
    pub(super) fn count() -> usize {
        APIS.len()
    }

    pub(super) fn all() -> impl Iterator<Item = Self> {
        (0..APIS.len()).map(Self)
    }

    /// The label of `api`, family and path as they are recorded of a call.
    pub(super) fn of(api: Option<&str>) -> Self {
        let Some((family, path)) = api.and_then(|api| api.split_once('/')) else { return Self(0) };
        if family == UTILITY {
            let place = OF_A_GSP.iter().position(|name| *name == path);
            return Self(place.map_or(1, |place| FAMILIES.len() + place));
        }
        let Some(family) = Family::from_segment(family) else { return Self(0) };
        let number = match family {
            // Their paths are not recorded, being keys to the files.
            Family::Files => catalogue::paths().iter().position(|known| known.family == family),
            _ => catalogue::path_number(family, path),
        };
        number.map_or(Self(place_of(family)), Self::of_path)
    }

    /// The label of the catalogue's path with this number.
    pub(super) fn of_path(number: usize) -> Self {
        Self(FAMILIES.len() + OF_A_GSP.len() + number)
    }

    pub(super) fn place(self) -> usize {
        self.0
    }

    /// The place of its family in [`FAMILIES`].
    pub(super) fn family(self) -> usize {
        APIS[self.0].0
    }

    pub(super) fn name(self) -> &'static str {
        &APIS[self.0].1
    }
}

fn place_of(family: Family) -> usize {
    FAMILIES.iter().position(|name| *name == family.as_str()).unwrap_or_default()
}

/// An error code by its place in the catalogue; the last place is that of all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CodeLabel(usize);

impl CodeLabel {
    pub(super) fn count() -> usize {
        catalogue::errors().len() + 1
    }

    pub(super) fn all() -> impl Iterator<Item = Self> {
        (0..Self::count()).map(Self)
    }

    pub(super) fn of(code: &str) -> Self {
        let entries = catalogue::errors();
        Self(entries.binary_search_by(|entry| entry.code.cmp(code.trim())).unwrap_or(entries.len()))
    }

    pub(super) fn place(self) -> usize {
        self.0
    }

    pub(super) fn name(self) -> &'static str {
        catalogue::errors().get(self.0).map_or(OTHER, |entry| entry.code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(api: &str) -> (&'static str, &'static str) {
        let label = ApiLabel::of(Some(api));
        (FAMILIES[label.family()], label.name())
    }

    #[test]
    fn an_api_is_named_by_the_catalogue_and_by_nothing_else() {
        assert_eq!(label("taxpayerapi/returns/gstr1"), ("taxpayerapi", "taxpayerapi/returns/gstr1"));
        assert_eq!(label("taxpayerapi/returns/GSTR1"), ("taxpayerapi", "taxpayerapi/returns/gstr1"));
        assert_eq!(label("taxpayerapi/authenticate"), ("taxpayerapi", "taxpayerapi/authenticate"));
        assert_eq!(label("eicore/Invoice/irn/abc"), ("eicore", "eicore/Invoice/irn/{irn}"));
        assert_eq!(label("returns/file"), ("returns", "returns/{date}/{form}/{token}/{file}"));
        assert_eq!(label("aspapi/getKey"), ("aspapi", "aspapi/getKey"));
        for stranger in ["taxpayerapi/returns/gstr99", "taxpayerapi/../x", "taxpayerapi/"] {
            assert_eq!(label(stranger), ("taxpayerapi", OTHER), "{stranger}");
        }
        assert_eq!(label("aspapi/nothing"), ("aspapi", OTHER));
        assert_eq!(label("nonsense/x"), ("none", OTHER));
        assert_eq!(ApiLabel::of(None).name(), OTHER);
    }

    #[test]
    fn every_label_is_there_once() {
        let mut names: Vec<_> = ApiLabel::all().map(|label| (label.family(), label.name())).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ApiLabel::count());
        assert_eq!(ORIGINS.map(|origin| origin as usize), [0, 1, 2, 3]);
        assert_eq!(PLANS.map(|plan| plan as usize), [0, 1, 2]);
        assert_eq!(OUTCOMES.map(|outcome| outcome as usize), [0, 1, 2, 3, 4]);
        assert!(Family::ALL.iter().all(|family| place_of(*family) > 1));
    }

    #[test]
    fn a_code_that_the_catalogue_does_not_know_is_other() {
        assert_eq!(CodeLabel::of("GSP602").name(), "GSP602");
        assert_eq!(CodeLabel::of(" RET191106 ").name(), "RET191106");
        assert_eq!(CodeLabel::of("\"} 1\nevil").name(), OTHER);
        assert!(CodeLabel::all().all(|label| label.place() < CodeLabel::count()));
    }
}
