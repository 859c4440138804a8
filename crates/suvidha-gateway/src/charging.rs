//! What a call costs: by the configuration, and else by the catalogue.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::config::Charging;
use crate::pipeline::route::Target;

/// The costs of the configuration.
#[derive(Debug, Default)]
pub(crate) struct Prices {
    /// By family and path, and then by action; `None` for an API with any action. In small letters.
    of: HashMap<String, HashMap<Option<String>, u32>>,
}

impl Prices {
    pub(crate) fn new(charging: &Charging) -> Self {
        let mut prices = Self::default();
        for (name, cost) in &charging.costs {
            let name = name.to_ascii_lowercase();
            let (api, action) = match name.split_once(' ') {
                Some((api, action)) => (api, Some(action.trim().to_owned())),
                None => (name.as_str(), None),
            };
            prices.of.entry(api.to_owned()).or_default().insert(action, *cost);
        }
        prices
    }

    /// Units that a call to `target` costs that names `actions`, in its query or in a header: of several, what the dearest
    /// does. An action that stands in the body is known from the catalogue, where the path has no other.
    pub(crate) fn cost<'a>(&self, target: &Target<'_>, actions: impl Iterator<Item = Cow<'a, str>>) -> u64 {
        let usual = target.api.map_or(1, |api| api.cost);
        if self.of.is_empty() {
            return u64::from(usual);
        }
        let of_catalogue = target.api.and_then(|api| api.action).map(Cow::Borrowed);
        let costs =
            actions.chain(of_catalogue).map(|action| self.set(target, Some(&*action)).unwrap_or(usual));
        u64::from(costs.max().unwrap_or_else(|| self.set(target, None).unwrap_or(usual)))
    }

    /// What is configured for the path that was called or, where the catalogue knows the API, for its usual one.
    fn set(&self, target: &Target<'_>, action: Option<&str>) -> Option<u32> {
        let action = action.map(str::to_ascii_lowercase);
        let called = format!("{}/{}", target.family, target.name).to_ascii_lowercase();
        let usual = target.api.map(|api| format!("{}/{}", api.family, api.path));
        [Some(called), usual].into_iter().flatten().find_map(|path| {
            let of_path = self.of.get(&path)?;
            of_path.get(&action).or_else(|| of_path.get(&None)).copied()
        })
    }
}

/// Whether `name` can be a key of the configuration's costs: an API, and perhaps an action.
pub(crate) fn is_api(name: &str) -> bool {
    let (api, action) = name.split_once(' ').unwrap_or((name, "ANY"));
    let family = api.split_once('/').filter(|(_, path)| !path.is_empty() && !path.ends_with('/'));
    let known = family.is_some_and(|(family, _)| gstn::catalogue::Family::from_segment(family).is_some());
    known && !action.is_empty() && action.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use gstn::catalogue::{self, Family};

    use super::*;

    fn cost(prices: &Prices, method: &str, path: &str, action: Option<&str>) -> u64 {
        let family = Family::TaxpayerApi;
        let api = catalogue::find(family, path, method, action);
        let target =
            Target { family, name: path.into(), path: format!("/taxpayerapi/v1.0/{path}").into(), api };
        prices.cost(&target, action.map(Cow::Borrowed).into_iter())
    }

    #[test]
    fn an_action_goes_before_its_api_and_the_catalogue_comes_last() {
        let costs = [
            ("taxpayerapi/returns/gstr1", 2),
            ("taxpayerapi/returns/GSTR1 B2B", 5),
            ("taxpayerapi/authenticate", 0),
        ];
        let costs = costs.map(|(name, cost)| (name.to_owned(), cost)).into();
        let prices = Prices::new(&Charging { costs, ..Charging::default() });
        assert_eq!(cost(&prices, "GET", "returns/gstr1", Some("B2B")), 5);
        assert_eq!(cost(&prices, "GET", "returns/gstr1", Some("b2cs")), 2);
        assert_eq!(cost(&prices, "GET", "returns/gstr1", None), 2);
        assert_eq!(cost(&prices, "POST", "authenticate", None), 0);
        assert_eq!(cost(&prices, "GET", "returns/gstr3b", Some("RETSUM")), 1);
        assert_eq!(cost(&prices, "GET", "returns/of/next/year", None), 1, "what the catalogue does not know");
        assert_eq!(cost(&Prices::default(), "GET", "returns/gstr1", Some("B2B")), 1);
    }

    #[test]
    fn an_api_is_named_by_family_and_path() {
        for name in ["taxpayerapi/returns/gstr1", "commonapi/search TP", "returns/file"] {
            assert!(is_api(name), "{name:?}");
        }
        for name in [
            "",
            "taxpayerapi",
            "taxpayerapi/",
            "returns1/x",
            "taxpayerapi/returns ",
            "commonapi/search T P",
            "commonapi/search/",
        ] {
            assert!(!is_api(name), "{name:?}");
        }
    }
}
