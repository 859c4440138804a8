//! `getapisetting`: what the operator has set for the ASP, and what of its credentials will end when. It has no secret, nor
//! anything that would serve as one.

use std::collections::BTreeMap;
use std::num::NonZeroU64;

use gstn::crypto::sha256_hex;
use http::header::HOST;
use http::{HeaderMap, Response, Version};
use jiff::Timestamp;
use serde::Serialize;
use suvidha_store::{AspStatus, CertificateEntry, CertificateState, Limit, Limits};

use super::parameters::{Parameters, wrong};
use super::table::Format;
use super::{Desk, answer, days};
use crate::body::Content;
use crate::config::{HeaderChecks, Identify};
use crate::error::{Error, Kind};
use crate::pipeline::head::Head;

const X_FORWARDED_PROTO: &str = "x-forwarded-proto";

/// The names are those of TaxPro's `ApiSetting`, as far as they go.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Setting {
    #[serde(rename = "ASPName")]
    asp_name: String,
    asp_user_id: String,
    is_active: bool,
    environment: &'static str,
    /// Each goes before version and path.
    url_auth: String,
    url_return: String,
    url_ledger: String,
    url_public: String,
    url_asp_util: String,
    asp_session_validity_mins: u16,
    schemes: Vec<&'static str>,
    header_checks: &'static str,
    #[serde(rename = "Always200")]
    always_200: bool,
    #[serde(rename = "AllowedIPs")]
    allowed_ips: Vec<String>,
    plan: &'static str,
    monthly_cap: Option<u64>,
    /// Of its calls as a whole, and beside that of some families of APIs.
    limits: LimitsOfCalls,
    family_limits: BTreeMap<&'static str, LimitsOfCalls>,
    asp_util_calls_per_minute: u32,
    asp_secrets: Vec<AspSecret>,
    certificates: Vec<Certificate>,
}

/// Null: no limit.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct LimitsOfCalls {
    per_second: Option<u64>,
    burst: Option<u64>,
    concurrent: Option<u64>,
    per_day: Option<u64>,
    per_month: Option<u64>,
}

impl From<Limits> for LimitsOfCalls {
    fn from(limits: Limits) -> Self {
        let number = |limit: Option<Limit>| limit.and_then(Limit::number);
        Self {
            per_second: number(limits.per_second),
            burst: limits.burst.map(NonZeroU64::get),
            concurrent: number(limits.concurrent),
            per_day: number(limits.per_day),
            per_month: number(limits.per_month),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct AspSecret {
    /// Null: until it is changed.
    until: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Certificate {
    id: i64,
    key_sha256: String,
    state: &'static str,
    /// Null for a bare public key.
    not_before: Option<String>,
    not_after: Option<String>,
    /// Null: until it is replaced.
    until: Option<String>,
}

pub(super) fn respond(desk: &Desk<'_>) -> Result<Response<Content>, Error> {
    let parameters = Parameters::read_of_one_row(&desk.call.head)?;
    if parameters.format == Format::Csv && parameters.asks_for_format() {
        return Err(wrong("The settings are no table: they come as JSON only."));
    }
    let text = serde_json::to_vec(&setting(desk)).map_err(|error| Error::because(Kind::Internal, error))?;
    Ok(answer(Format::Json, Content::Whole(text.into())))
}

fn setting(desk: &Desk<'_>) -> Setting {
    let (asp, site, now) = (desk.asp, &desk.call.site, desk.visit.door.plane.seam.now());
    let (enrolled, terms) = (asp.getkey(site.environment), asp.terms(site.environment));
    let strict = asp.strict_headers.unwrap_or(site.header_checks == HeaderChecks::Strict);
    let base = base(desk);
    Setting {
        asp_name: asp.name.clone(),
        asp_user_id: asp.aspid.to_string(),
        is_active: asp.status == AspStatus::Active,
        environment: site.environment.as_str(),
        url_auth: format!("{base}/taxpayerapi"),
        url_return: format!("{base}/taxpayerapi"),
        url_ledger: format!("{base}/taxpayerapi"),
        url_public: format!("{base}/commonapi"),
        url_asp_util: format!("{base}/aspapi"),
        asp_session_validity_mins: asp.session_validity_min.unwrap_or(site.getkey.validity_min),
        schemes: schemes(site.identify),
        header_checks: if strict { "strict" } else { "lenient" },
        always_200: asp.always_200,
        allowed_ips: asp.allowed_ips.iter().map(ToString::to_string).collect(),
        plan: terms.plan.kind.as_str(),
        monthly_cap: terms.plan.monthly_cap,
        limits: terms.limits.or(site.asp_limits.limits()).into(),
        family_limits: terms
            .family_limits
            .iter()
            .map(|(family, limits)| (family.as_str(), (*limits).into()))
            .collect(),
        asp_util_calls_per_minute: site.aspapi.calls_per_asp,
        asp_secrets: enrolled
            .live_secrets(now)
            .map(|secret| AspSecret { until: secret.until.map(days::written) })
            .collect(),
        certificates: enrolled.certificates.iter().map(|entry| certificate(entry, now)).collect(),
    }
}

fn certificate(entry: &CertificateEntry, now: Timestamp) -> Certificate {
    Certificate {
        id: entry.id.as_i64(),
        key_sha256: sha256_hex(entry.key.spki_der()),
        state: match entry.state(now) {
            CertificateState::Live => "live",
            CertificateState::NotYetValid => "not yet valid",
            CertificateState::Expired => "expired",
            CertificateState::Replaced => "replaced",
            CertificateState::Revoked => "revoked",
        },
        not_before: entry.not_before.map(days::written),
        not_after: entry.not_after.map(days::written),
        until: entry.until.map(days::written),
    }
}

fn schemes(identify: Identify) -> Vec<&'static str> {
    [
        ("token", identify.token),
        ("client_credentials", identify.client_credentials),
        ("session", identify.session),
        ("password", identify.password),
        ("password_in_query", identify.password && identify.password_in_query),
    ]
    .into_iter()
    .filter_map(|(name, on)| on.then_some(name))
    .collect()
}

/// Our address as the ASP knows it: the one that it called.
fn base(desk: &Desk<'_>) -> String {
    let Head { authority, headers, version, .. } = &*desk.call.head;
    let host = match *version {
        Version::HTTP_2 => authority.map(|authority| authority.as_str()),
        _ => headers.get(HOST).and_then(|host| host.to_str().ok()),
    };
    let by_proxy = || {
        let proxied = desk.call.site.trusts(desk.visit.peer.to_canonical());
        proxied && is_https(headers)
    };
    let scheme = if desk.call.site.tls.is_some() || by_proxy() { "https" } else { "http" };
    host.map_or_else(String::new, |host| format!("{scheme}://{host}"))
}

fn is_https(headers: &HeaderMap) -> bool {
    let protocol = headers.get(X_FORWARDED_PROTO).and_then(|protocol| protocol.to_str().ok());
    protocol.is_some_and(|protocol| protocol.trim().eq_ignore_ascii_case("https"))
}
