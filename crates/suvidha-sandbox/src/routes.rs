//! Which API a call means. Clients come first: GSTN refuses a stranger before it looks at the path.

use gstn::catalogue::{self, Family};
use http::{Method, StatusCode};

use crate::auth;
use crate::call::{Call, Resource};
use crate::documents;
use crate::einvoices;
use crate::fault::Fault;
use crate::files;
use crate::gstr3b_api;
use crate::gstr9;
use crate::inward_api;
use crate::ledgers_api;
use crate::masters;
use crate::outward;
use crate::public;
use crate::respond::Answer;
use crate::returns;
use crate::signing;
use crate::simulator::Simulator;

/// Answers a call of the GSTN listener.
pub(crate) fn answer(simulator: &Simulator, call: &Call) -> Result<Answer, Fault> {
    let client_id = simulator.identify_client(call)?;
    if let Some(served) = files::download(simulator, call) {
        return served;
    }
    let resource = call.resource().ok_or_else(|| no_such_api(call))?;
    if ![Method::GET, Method::POST, Method::PUT].contains(&call.method) {
        return Err(not_here(call, &resource, call.query("action")));
    }
    einvoices::populate_due(simulator)?;
    match (resource.family, resource.path.as_str()) {
        (Family::TaxpayerApi, "authenticate") => auth::answer(simulator, client_id, call),
        (Family::TaxpayerApi, "returns") => returns::common(simulator, client_id, call, &resource),
        // RETSTATUS is asked at the path of whatever form, simulated or not.
        (Family::TaxpayerApi, path) if path.starts_with("returns/") && is_get(call, "RETSTATUS") => {
            returns::common(simulator, client_id, call, &resource)
        }
        (Family::TaxpayerApi, "returns/gstr1") => outward::gstr1(simulator, client_id, call, &resource),
        (Family::TaxpayerApi, "returns/gstr1a") => outward::gstr1a(simulator, client_id, call, &resource),
        (Family::TaxpayerApi, "returns/gstr3b") => gstr3b_api::answer(simulator, client_id, call, &resource),
        (Family::TaxpayerApi, "returns/gstrptf") => outward::proceed(simulator, client_id, call, &resource),
        (Family::TaxpayerApi, "returns/gstr2a") => inward_api::gstr2a(simulator, client_id, call, &resource),
        (Family::TaxpayerApi, "returns/gstr2b") => inward_api::gstr2b(simulator, client_id, call, &resource),
        (Family::TaxpayerApi, "returns/ims") => inward_api::ims(simulator, client_id, call, &resource),
        (Family::TaxpayerApi, "returns/gstr9") => gstr9::answer(simulator, client_id, call, &resource),
        (Family::TaxpayerApi, "document") => documents::answer(simulator, client_id, call, &resource),
        (Family::TaxpayerApi, "usermasters") => masters::answer(simulator, client_id, call, &resource),
        (Family::TaxpayerApi, "ledgers" | "returns/ledgers") => {
            ledgers_api::answer(simulator, client_id, call, &resource)
        }
        (Family::TaxpayerApi, "returns/einvoice") => {
            outward::einvoices(simulator, client_id, call, &resource)
        }
        (Family::TaxpayerApi, "registerdsc" | "deregisterdsc") => {
            signing::registration(simulator, client_id, call, &resource)
        }
        (Family::CommonApi, "authenticate") => public::authenticate(simulator, client_id, call),
        (Family::CommonApi, _) => public::answer(simulator, client_id, call, &resource),
        _ => Err(not_here(call, &resource, call.query("action"))),
    }
}

fn is_get(call: &Call, action: &str) -> bool {
    call.method == Method::GET && call.query("action") == Some(action)
}

/// Why an action has no answer: GSTN has it and the sandbox not yet (SBX501), GSTN has the path but no such action
/// (RET11403), or GSTN has no such path (SBX404).
pub(crate) fn not_here(call: &Call, resource: &Resource, action: Option<&str>) -> Fault {
    let Resource { family, path } = resource;
    let known_path = catalogue::is_known_path(*family, path).is_some();
    let api = catalogue::find(*family, path, call.method.as_str(), action);
    // The catalogue guesses at an action that is missing or unknown; a refusal should not.
    if api.is_some_and(|api| api.action.is_none_or(|known| action.is_some_and(|action| action == known))) {
        let action = action.map(|action| format!(" {action}")).unwrap_or_default();
        return Fault::not_simulated(&format!("{} {}/{path}{action}", call.method, family.as_str()));
    }
    if known_path { Fault::new("RET11403", "Invalid API Request") } else { no_such_api(call) }
}

fn no_such_api(call: &Call) -> Fault {
    Fault::new("SBX404", format!("GSTN has no API at {}", call.uri.path())).at(StatusCode::NOT_FOUND)
}
