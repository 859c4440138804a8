//! Calls by name: what GSTN's catalogue knows of an API need not be said again.

use gstn::ReturnPeriod;
use gstn::catalogue::{self, Api, Family, Location};
use http::Method;
use serde_json::{Map, Value};

use crate::api_call::ApiCall;
use crate::error::Error;

/// Of APIs whose versions nobody has published; GSTN's first versions are called so.
const UNKNOWN_VERSION: &str = "v1.0";
/// Keys by which GSTN names a period, in queries and payloads.
const PERIODS: [&str; 4] = ["ret_period", "fp", "rtnprd", "itcprd"];
/// Actions that need a signature beside their payload.
const FILINGS: [&str; 3] = ["RETFILE", "RETFILER1A", "FILE"];

impl ApiCall {
    /// An API of [GSTN's catalogue](gstn::catalogue::apis), by path and action: its method and headers are known, and
    /// its newest version, unless `path` names another. `taxpayerapi/` may be left away. Where an API has no action,
    /// its method stands in that place. What the catalogue lacks is called with [`get`](Self::get), [`put`](Self::put) or
    /// [`post`](Self::post).
    ///
    /// ```
    /// use suvidha_client::ApiCall;
    ///
    /// ApiCall::named("returns/gstr2b", "GET2B")?.query("rtnprd", "042026");
    /// ApiCall::named("taxpayerapi/v3.1/returns/gstr3b", "RETSUM")?.ret_period("042026".parse()?);
    /// ApiCall::named("commonapi/search", "TPPAN")?.query("pan", "AANCS2882A");
    ///
    /// let error = ApiCall::named("returns/gstr2b", "GETB2").unwrap_err();
    /// assert!(error.to_string().contains("did you mean returns/gstr2b GET2B"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Invalid`] with near misses if the catalogue has no such API, or if it is one that is not called like
    /// this: logging in, files of large results, e-invoices and e-way bills.
    pub fn named(path: &str, action: &str) -> Result<Self, Error> {
        let Location { family, version, path } = located(path);
        let mut found = catalogue::apis().iter().filter(|api| is_it(api, family, path, action));
        let (Some(api), None) = (found.next(), found.next()) else {
            return Err(unknown(family, path, action));
        };
        refuse_other_ways(api)?;
        let version = version.unwrap_or(api.versions.first().copied().unwrap_or(UNKNOWN_VERSION));
        let target = format!("{family}/{version}/{path}");
        let call = Self::new(method(api), target, api.action.unwrap_or_default());
        Ok(match form(path) {
            Some(form) if api.method.is_write() => call.form(form, version.trim_start_matches(['v', 'V'])),
            _ => call,
        })
    }

    /// `input` as what the call takes: of one that reads the query, of one that writes the payload. The period is
    /// found in it.
    pub(crate) fn input(self, input: &Value) -> Result<Self, Error> {
        if FILINGS.contains(&self.action()) {
            let what =
                "a filing needs a signature: use ApiCall::named, sign_with_evc or sign_with_dsc, and call";
            return Err(Error::Invalid(what.to_owned()));
        }
        let empty = Map::new();
        let fields = match input {
            Value::Null => &empty,
            Value::Object(fields) => fields,
            _ => return Err(Error::Invalid("what an API takes is a JSON object".to_owned())),
        };
        let named = PERIODS.iter().find_map(|key| fields.get(*key)?.as_str()?.parse::<ReturnPeriod>().ok());
        let call = match named {
            Some(period) => self.ret_period(period),
            None => self,
        };
        if call.is_read() {
            return fields
                .iter()
                .try_fold(call, |call, (name, value)| Ok(call.query(name, in_query(name, value)?)));
        }
        call.payload(input)
    }
}

/// The path taken apart. `returns/…` is one of `taxpayerapi`, though a family of files has that name too.
fn located(path: &str) -> Location<'_> {
    let path = path.trim_matches('/');
    let taxpayers = Location { family: Family::TaxpayerApi, version: None, path };
    catalogue::locate(path).filter(|found| found.family != Family::Files).unwrap_or(taxpayers)
}

fn is_it(api: &Api, family: Family, path: &str, action: &str) -> bool {
    let names_action = match api.action {
        Some(known) => known.eq_ignore_ascii_case(action),
        None => action.is_empty() || api.method.as_str().eq_ignore_ascii_case(action),
    };
    names_action && api.family == family && api.paths().any(|known| known.eq_ignore_ascii_case(path))
}

fn refuse_other_ways(api: &Api) -> Result<(), Error> {
    let instead = match api.family {
        Family::TaxpayerApi | Family::CommonApi if api.path != "authenticate" || api.needs_session => {
            return Ok(());
        }
        Family::TaxpayerApi => "logging in and out is done by Taxpayer::request_otp, refresh and logout",
        Family::CommonApi => "the GSP itself logs in for public calls",
        Family::Files => "files of large results are fetched by Taxpayer::download",
        Family::EiVital | Family::EiCore | Family::EiEwb | Family::EwaybillApi => {
            "e-invoices and e-way bills have a log-in and keys of their own, which this client does not have"
        }
    };
    Err(Error::Invalid(format!("{} is not called like this: {instead}", shown(api))))
}

fn method(api: &Api) -> Method {
    match api.method {
        catalogue::Method::Get => Method::GET,
        catalogue::Method::Post => Method::POST,
        catalogue::Method::Put => Method::PUT,
    }
}

/// `rtn_typ` of a path of one form, such as `GSTR3B` of `returns/gstr3b`.
fn form(path: &str) -> Option<String> {
    let name = path.strip_prefix("returns/")?.to_ascii_uppercase();
    let is_form = |prefix| {
        name.strip_prefix(prefix).is_some_and(|rest: &str| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    ["GSTR", "ITC", "CMP"].into_iter().any(is_form).then_some(name)
}

fn in_query(name: &str, value: &Value) -> Result<String, Error> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        _ => Err(Error::Invalid(format!("{name} must be a text or a number to go into a query"))),
    }
}

fn unknown(family: Family, path: &str, action: &str) -> Error {
    let wanted = name(family, path, action);
    let mut near: Vec<_> = catalogue::apis()
        .iter()
        .filter(|api| refuse_other_ways(api).is_ok())
        .flat_map(|api| api.paths().map(move |known| (api, known)))
        .filter_map(|(api, known)| {
            let of_path = distance(&name(api.family, known, ""), &name(family, path, ""));
            let distance = of_path + distance(action_of(api), action);
            (of_path == 0 || distance <= wanted.len() / 3)
                .then(|| (distance, name(api.family, known, action_of(api))))
        })
        .collect();
    near.sort();
    let near: Vec<_> = near.into_iter().take(3).map(|(_, known)| known).collect();
    let hint = match near.is_empty() {
        true => String::new(),
        false => format!("; did you mean {}?", near.join(" or ")),
    };
    Error::Invalid(format!("GSTN's catalogue has no API {}{hint}", wanted.trim()))
}

/// How many letters apart; capitals do not count.
fn distance(one: &str, other: &str) -> usize {
    strsim::osa_distance(&one.to_ascii_lowercase(), &other.to_ascii_lowercase())
}

fn shown(api: &Api) -> String {
    name(api.family, api.path, action_of(api))
}

fn action_of(api: &Api) -> &'static str {
    api.action.unwrap_or(api.method.as_str())
}

/// As [`ApiCall::named`] takes it.
fn name(family: Family, path: &str, action: &str) -> String {
    let family = if family == Family::TaxpayerApi { String::new() } else { format!("{family}/") };
    format!("{family}{path} {action}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refusal(path: &str, action: &str) -> String {
        ApiCall::named(path, action).unwrap_err().to_string()
    }

    #[test]
    fn every_api_of_the_catalogue_is_called_or_says_how_else() {
        let mut refused = 0;
        let paths = || catalogue::apis().iter().flat_map(|api| api.paths().map(move |path| (api, path)));
        // A file has no name: it is found by the address that GSTN gives.
        for (api, path) in paths().filter(|(api, _)| api.family != Family::Files) {
            match ApiCall::named(&format!("{}/{path}", api.family), action_of(api)) {
                Ok(call) => assert_eq!(call.is_read(), !api.method.is_write(), "{path}"),
                Err(error) => {
                    refused += 1;
                    assert!(error.to_string().contains("is not called like this"), "{error}");
                }
            }
        }
        let (logins, invoices_and_bills) = (5, paths().filter(|(api, _)| api.family > Family::Files).count());
        assert_eq!(refused, logins + invoices_and_bills);
    }

    #[test]
    fn a_name_that_is_off_by_a_little_is_answered_with_what_was_meant() {
        assert!(refusal("returns/gstr2b", "GETB2").contains("did you mean returns/gstr2b GET2B"));
        assert!(refusal("commonapi/serch", "TP").contains("commonapi/search TP"));
        assert!(refusal("returns/gstr3", "RETSUM").contains("RETSUM"));
        assert!(refusal("payment", "").contains("payment GET or payment POST"));
        assert!(refusal("nothing/like/it/at/all", "XYZZY").ends_with("no API nothing/like/it/at/all XYZZY"));
        assert!(refusal("", "").contains("no API"));
    }

    #[test]
    fn names_are_taken_in_any_case_and_a_version_that_is_named_is_kept() {
        let target = |path, action| format!("{:?}", ApiCall::named(path, action).unwrap());
        assert!(target("Returns/GSTR2B", "get2b").contains("GET taxpayerapi/v4.2/Returns/GSTR2B GET2B"));
        assert!(target("/taxpayerapi/v2.0/returns/gstr2b", "GET2B").contains("taxpayerapi/v2.0/"));
        assert!(target("payment", "POST").contains("POST taxpayerapi/v1.0/payment"));
    }

    #[test]
    fn forms_are_told_by_their_paths() {
        let forms = [("returns/gstr1a", "GSTR1A"), ("returns/itc04", "ITC04"), ("returns/cmp08", "CMP08")];
        for (path, expected) in forms {
            assert_eq!(form(path).as_deref(), Some(expected));
        }
        for path in ["returns/gstrptf", "returns/gstr", "returns/ims", "ledgers", "returns"] {
            assert_eq!(form(path), None, "{path}");
        }
    }

    #[test]
    fn what_cannot_be_sent_is_said_before() {
        let named = |path, action| ApiCall::named(path, action).unwrap();
        assert!(named("ledgers", "BAL").input(&json!([1])).is_err());
        assert!(named("ledgers", "BAL").input(&json!({"a": {}})).is_err());
        assert!(
            named("returns/gstr3b", "RETFILE")
                .input(&json!({}))
                .unwrap_err()
                .to_string()
                .contains("sign_with_evc")
        );
        assert!(named("ledgers", "BAL").input(&Value::Null).is_ok());
    }
}
