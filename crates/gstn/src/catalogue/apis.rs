//! The catalogue of GSTN's APIs, read from `data/apis.tsv`.

use std::fmt;
use std::sync::LazyLock;

use super::{given, rows};

/// One API of GSTN: a method on a path, and the action that tells it from its neighbours there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api {
    /// The family: the first segment of the path.
    pub family: Family,
    /// The path after family and version, such as `returns/gstr1`. A segment in braces stands for any value.
    pub path: &'static str,
    /// Other paths under which clients call it.
    pub aliases: Vec<&'static str>,
    /// The method of the newest documents. Documents disagree on `PUT` and `POST`; [`super::find`] takes either.
    pub method: Method,
    /// The action, where the API has one: in the query of a `GET`, in the body otherwise.
    pub action: Option<&'static str>,
    /// The versions seen, newest first, such as `v4.1`. Clients in the field use many others.
    pub versions: Vec<&'static str>,
    /// Whether it needs a taxpayer session.
    pub needs_session: bool,
    /// What a call costs, in calls.
    pub cost: u32,
    /// What it does, in a few words.
    pub title: &'static str,
    /// How well this row is attested.
    pub evidence: Evidence,
}

/// A family of APIs: the first segment of a GSTN path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// `taxpayerapi`: authentication, returns and ledgers of a taxpayer.
    TaxpayerApi,
    /// `commonapi`: public search and tracking.
    CommonApi,
    /// `returns`: the files of large replies.
    Files,
    /// `eivital`: e-invoice log-in and masters.
    EiVital,
    /// `eicore`: e-invoices.
    EiCore,
    /// `eiewb`: e-way bills of e-invoices.
    EiEwb,
    /// `ewaybillapi`: e-way bills.
    EwaybillApi,
}

/// An HTTP method that GSTN uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// `GET`.
    Get,
    /// `POST`.
    Post,
    /// `PUT`.
    Put,
}

/// How well a row of the catalogue is attested. GSTN's own documents are not public.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Evidence {
    /// Read in two or more independent sources.
    Confirmed,
    /// Read in one source.
    OneSource,
    /// Inferred by rule from other rows.
    Inferred,
}

/// The methods a path understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Methods(u8);

/// Every API, in the order of GSTN's documents.
pub fn apis() -> &'static [Api] {
    static APIS: LazyLock<Vec<Api>> =
        LazyLock::new(|| rows(include_str!("../../data/apis.tsv")).filter_map(Api::read).collect());
    &APIS
}

impl Api {
    fn read(row: [&'static str; 9]) -> Option<Self> {
        let [family, paths, method, action, versions, needs_session, cost, evidence, title] = row;
        let mut paths = paths.split(' ');
        Some(Self {
            family: Family::from_segment(family)?,
            path: paths.next()?,
            aliases: paths.collect(),
            method: Method::from_name(method)?,
            action: given(action),
            versions: given(versions).map(|versions| versions.split(' ').collect()).unwrap_or_default(),
            needs_session: needs_session == "yes",
            cost: cost.parse().ok()?,
            title,
            evidence: match evidence {
                "C2" => Evidence::Confirmed,
                "C" => Evidence::OneSource,
                _ => Evidence::Inferred,
            },
        })
    }

    /// The usual path and its aliases.
    pub fn paths(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.path).chain(self.aliases.iter().copied())
    }
}

impl Family {
    /// Every family.
    pub const ALL: [Self; 7] = [
        Self::TaxpayerApi,
        Self::CommonApi,
        Self::Files,
        Self::EiVital,
        Self::EiCore,
        Self::EiEwb,
        Self::EwaybillApi,
    ];

    /// The family whose paths begin with `segment`, in small or capital letters.
    pub fn from_segment(segment: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.as_str().eq_ignore_ascii_case(segment))
    }

    /// The first segment of its paths.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TaxpayerApi => "taxpayerapi",
            Self::CommonApi => "commonapi",
            Self::Files => "returns",
            Self::EiVital => "eivital",
            Self::EiCore => "eicore",
            Self::EiEwb => "eiewb",
            Self::EwaybillApi => "ewaybillapi",
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Method {
    const ALL: [Self; 3] = [Self::Get, Self::Post, Self::Put];

    /// `GET`, `POST` or `PUT`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
        }
    }

    /// The method named `name`, in capitals as HTTP has it.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == name)
    }

    /// `PUT` or `POST`.
    pub const fn is_write(self) -> bool {
        !matches!(self, Self::Get)
    }
}

impl Methods {
    /// Adds `method`; a path that takes one of `PUT` and `POST` takes the other.
    pub(super) fn insert(&mut self, method: Method) {
        for accepted in Method::ALL {
            if accepted == method || (accepted.is_write() && method.is_write()) {
                self.0 |= 1 << accepted as u8;
            }
        }
    }

    /// Whether the method named `method` is one of them.
    pub fn contains(self, method: &str) -> bool {
        self.iter().any(|known| known.as_str() == method)
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Method> {
        Method::ALL.into_iter().filter(move |method| self.0 & 1 << *method as u8 != 0)
    }
}

/// As the HTTP header `allow` has it: `GET, POST, PUT`.
impl fmt::Display for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, method) in self.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { ", " })?;
            f.write_str(method.as_str())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table_is_read() {
        let lines = include_str!("../../data/apis.tsv").lines().filter(|line| !line.starts_with('#'));
        assert_eq!(apis().len(), lines.count());
    }

    #[test]
    fn rows_are_complete_and_in_the_form_the_documents_use() {
        let version = |text: &str| {
            text.strip_prefix('v')
                .is_some_and(|number| number.split('.').all(|part| part.parse::<u8>().is_ok()))
        };
        for api in apis() {
            assert!(!api.title.is_empty() && api.cost == 1, "{api:?}");
            assert!(api.paths().all(|path| !path.is_empty() && path.trim_matches('/') == path), "{api:?}");
            assert!(api.versions.iter().all(|text| version(text)), "{api:?}");
            assert!(!(api.needs_session && api.family != Family::TaxpayerApi), "{api:?}");
        }
    }

    #[test]
    fn no_two_apis_answer_the_same_call() {
        let mut calls: Vec<_> = apis()
            .iter()
            .flat_map(|api| {
                let name = |path: &str| (api.family, path.to_lowercase(), api.method.is_write(), api.action);
                api.paths().map(name).collect::<Vec<_>>()
            })
            .collect();
        calls.sort_unstable();
        let before = calls.len();
        calls.dedup();
        assert_eq!(calls.len(), before);
    }

    #[test]
    fn every_family_has_apis_and_reads_back() {
        for family in Family::ALL {
            assert_eq!(Family::from_segment(&family.to_string().to_uppercase()), Some(family));
            assert!(apis().iter().any(|api| api.family == family), "{family}");
        }
        assert_eq!(Family::from_segment("aspapi"), None);
    }
}
