//! Fourth, because whether a call may be made depends on whose it is; and the last stage before anything leaves
//! this machine.
//!
//! It refuses what cannot be right and leaves the rest to GSTN, unless strict header checks are asked for.

use std::net::IpAddr;

use gstn::catalogue::Family;
use gstn::headers::GstnHeaders;
use http::Method;
use http::request::Parts;
use suvidha_store::{AspEntry, AspStatus};

use super::Call;
use super::forward::PASSED_ON;
use super::identify::Identified;
use super::route::Target;
use crate::config::HeaderChecks;
use crate::error::{Error, Kind};

/// A call that may be forwarded.
pub(crate) struct Admitted(Target);

impl Admitted {
    pub(crate) fn target(&self) -> &Target {
        &self.0
    }
}

pub(crate) fn admit(call: Call<Identified>) -> Result<Call<Admitted>, Error> {
    let asp = call.stage.asp();
    check_asp(asp, call.caller)?;
    let strict = asp.strict_headers.unwrap_or(call.site.header_checks == HeaderChecks::Strict);
    check_headers(&call.head, call.stage.target(), strict)?;
    Ok(call.advance(|identified| Admitted(identified.into_target())))
}

/// Whether the ASP may call at all, from where it does.
pub(crate) fn check_asp(asp: &AspEntry, caller: IpAddr) -> Result<(), Error> {
    if asp.status != AspStatus::Active {
        return Err(Error::new(Kind::Suspended));
    }
    if !asp.allowed_ips.is_empty() && !asp.allowed_ips.iter().any(|net| net.contains(&caller)) {
        let words = format!("Calls from {caller} are not allowed for this ASP.");
        return Err(Error::saying(Kind::AddressNotAllowed, words));
    }
    Ok(())
}

fn check_headers(head: &Parts, target: &Target, strict: bool) -> Result<(), Error> {
    let headers = &head.headers;
    for name in PASSED_ON {
        let mut values = headers.get_all(name).iter();
        let first = values.next();
        if values.any(|other| Some(other) != first) {
            let words = format!("The header `{name}` is sent more than once, with different values.");
            return Err(Error::saying(Kind::ContradictingHeaders, words));
        }
    }
    let read = GstnHeaders::read(|name| headers.get(name)?.to_str().ok())?;
    read.contradictions()?;
    match read.missing_mandatory(needs_session(&head.method, target)).filter(|_| strict) {
        Some(fault) => Err(fault.into()),
        None => Ok(()),
    }
}

/// By the catalogue or, for an API that it does not know, by the family. What `authenticate` is posted for
/// stands in its body: logging in must be possible without a session.
fn needs_session(method: &Method, target: &Target) -> bool {
    if target.name.eq_ignore_ascii_case("authenticate") && method != Method::GET {
        return false;
    }
    target.api.map_or(target.family == Family::TaxpayerApi, |api| api.needs_session)
}
