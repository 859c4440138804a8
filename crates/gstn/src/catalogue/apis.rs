//! The catalogue of GSTN's APIs.

use std::fmt;

/// The first segment of a GSTN path: one family of APIs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// `taxpayerapi`: returns, ledgers and authentication of a taxpayer.
    TaxpayerApi,
    /// `commonapi`: public search and tracking.
    CommonApi,
    /// `returns`: files of large replies.
    Files,
    /// `eivital`: e-invoice authentication and masters.
    EiVital,
    /// `eicore`: e-invoices.
    EiCore,
    /// `eiewb`: e-way bills of e-invoices.
    EiEwb,
    /// `ewaybillapi`: e-way bills.
    EwaybillApi,
}

/// An HTTP method of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// `GET`.
    Get,
    /// `POST`.
    Post,
    /// `PUT`.
    Put,
}

/// How well a row of the catalogue is attested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Evidence {
    /// Read in two or more independent sources.
    Confirmed,
    /// Read in one source.
    OneSource,
    /// Inferred.
    Inferred,
}

/// A set of methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Methods(u8);

/// One API of GSTN.
#[derive(Debug)]
pub struct Api {
    /// The family.
    pub family: Family,
    /// The path after family and version, such as `returns/gstr1`.
    pub path: &'static str,
    /// The method of the newest documents; `PUT` and `POST` are taken for each other.
    pub method: Method,
    /// The action, where the API has one.
    pub action: Option<&'static str>,
    /// The versions seen, newest first, such as `v4.1`.
    pub versions: Vec<&'static str>,
    /// Whether it needs a taxpayer session.
    pub needs_session: bool,
    /// What a call costs, in calls.
    pub cost: u32,
    /// What it does, in a few words.
    pub title: &'static str,
    /// How well the row is attested.
    pub evidence: Evidence,
}

/// A path taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location<'a> {
    /// The family.
    pub family: Family,
    /// The version, such as `v1.0`; files have none.
    pub version: Option<&'a str>,
    /// The rest, without slashes at either end, such as `returns/gstr1`.
    pub path: &'a str,
}

/// Takes a path such as `/taxpayerapi/v1.0/returns/gstr1` apart.
pub fn locate(path: &str) -> Option<Location<'_>> {
    let _ = path;
    None
}

/// Every API, in the order of the documents.
pub fn apis() -> &'static [Api] {
    &[]
}

/// The API of a call.
pub fn find(family: Family, path: &str, method: &str, action: Option<&str>) -> Option<&'static Api> {
    let _ = (family, path, method, action);
    None
}

/// The methods `path` has, if the catalogue knows it.
pub fn is_known_path(family: Family, path: &str) -> Option<Methods> {
    let _ = (family, path);
    None
}

impl Family {
    /// The family whose first segment is `segment`, in small or capital letters.
    pub fn from_segment(segment: &str) -> Option<Self> {
        let _ = segment;
        None
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

impl Method {
    /// `GET`, `POST` or `PUT`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
        }
    }
}

impl Methods {
    /// Whether `method` (in capitals) is one of them.
    pub fn contains(self, method: &str) -> bool {
        let _ = method;
        false
    }
}

/// As the header `allow` has it: `GET, PUT`.
impl fmt::Display for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let _ = f;
        Ok(())
    }
}
