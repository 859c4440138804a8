//! Fourth, because whether a call may be made depends on whose it is; and the last stage before anything leaves
//! this machine.
//!
//! It refuses what cannot be right and leaves the rest to GSTN, unless strict header checks are asked for. Then it asks what
//! is scarce: is GSTN there at all, do the ASP's balance and limits allow it, and is it the ASP's turn.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use gstn::catalogue::Family;
use gstn::headers::GstnHeaders;
use http::{HeaderMap, Method};
use suvidha_store::{AspEntry, AspStatus};

use super::forward::PASSED_ON;
use super::head::{Head, Header};
use super::identify::Identified;
use super::route::{Target, actions};
use super::settle::Record;
use super::{Call, Visit};
use crate::accounts::{Ask, Measure, Refusal};
use crate::config::HeaderChecks;
use crate::error::{Error, Kind};

/// A call that waited for its turn in vain may try again after this.
const AFTER_WAITING: Duration = Duration::from_secs(1);

/// A call that may be forwarded.
pub(crate) struct Admitted<'h>(Target<'h>);

impl<'h> Admitted<'h> {
    pub(crate) fn target(&self) -> &Target<'h> {
        &self.0
    }
}

/// Waits for the ASP's turn, where the environment's ceiling is reached. A call that is refused, or given up meanwhile, has
/// used up nothing.
pub(crate) async fn admit<'h>(
    call: Call<'h, Identified<'h>>,
    visit: &Visit,
    record: &mut Record,
) -> Result<Call<'h, Admitted<'h>>, Error> {
    let asp = call.stage.asp();
    check_asp(asp, call.caller)?;
    let strict = asp.strict_headers.unwrap_or(call.site.header_checks == HeaderChecks::Strict);
    check_headers(&call.head, call.stage.target(), strict)?;
    let (site, door) = (&call.site, &visit.door);
    if let Some(wait) = door.breaker.refuses() {
        return Err(Error::new(Kind::GstnIsDown).after(wait));
    }
    let ask = Ask {
        terms: asp.terms(site.environment),
        defaults: &site.asp_limits,
        family: call.stage.target().family,
        cost: site.prices.cost(call.stage.target(), named_actions(&call.head)),
        rule: site.charge_rule,
    };
    let (hold, notice) = door.accounts.admit(asp.aspid, &ask).map_err(|refusal| {
        record.notice = refusal.notice();
        refused(&refusal)
    })?;
    let turn = door.gate.enter(&site.ceiling, asp.aspid).await;
    let turn = turn.map_err(|_| Error::new(Kind::NoTurn).after(AFTER_WAITING))?;
    record.admit(hold, turn, notice);
    Ok(call.advance(|identified| Admitted(identified.into_target())))
}

/// Every action that the head of a call names. Which of several GSTN takes is not ours to know.
fn named_actions<'a>(head: &'a Head<'_>) -> impl Iterator<Item = Cow<'a, str>> {
    actions(head.query.as_deref()).chain(head.text(Header::Action).map(Cow::Borrowed))
}

fn refused(refusal: &Refusal) -> Error {
    let words = refusal.words();
    match refusal {
        Refusal::Limit(breach) => {
            let kind = match breach.measure {
                Measure::Rate => Kind::TooManyCalls,
                Measure::Concurrency => Kind::TooManyAtOnce,
                Measure::Day => Kind::DayIsUsedUp,
                Measure::Month => Kind::MonthIsUsedUp,
            };
            Error::saying(kind, words).after(breach.wait)
        }
        Refusal::NoCredit { .. } | Refusal::CreditExpired { .. } => Error::saying(Kind::NoCredit, words),
        Refusal::Cap { .. } => Error::saying(Kind::CapIsReached, words),
    }
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

fn check_headers(head: &Head<'_>, target: &Target<'_>, strict: bool) -> Result<(), Error> {
    let repeats = head.headers.len() > head.headers.keys_len();
    if repeats && let Some(name) = contradicting(head.headers) {
        let words = format!("The header `{name}` is sent more than once, with different values.");
        return Err(Error::saying(Kind::ContradictingHeaders, words));
    }
    let read = GstnHeaders::read(|name| head.text_of(name))?;
    read.contradictions()?;
    if !strict {
        return Ok(());
    }
    match read.missing_mandatory(needs_session(head.method, target)) {
        Some(fault) => Err(fault.into()),
        None => Ok(()),
    }
}

/// A header for GSTN that is there with different values.
fn contradicting(headers: &HeaderMap) -> Option<&'static str> {
    PASSED_ON.into_iter().find(|name| {
        let mut values = headers.get_all(*name).iter();
        let first = values.next();
        values.any(|other| Some(other) != first)
    })
}

/// By the catalogue or, for an API that it does not know, by the family. What `authenticate` is posted for
/// stands in its body: logging in must be possible without a session.
fn needs_session(method: &Method, target: &Target<'_>) -> bool {
    if target.name.eq_ignore_ascii_case("authenticate") && method != Method::GET {
        return false;
    }
    target.api.map_or(target.family == Family::TaxpayerApi, |api| api.needs_session)
}
