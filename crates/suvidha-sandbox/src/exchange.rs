//! One call of the GSTN listener: through the fault plan, to its answer, into the log.

use std::sync::Arc;

use axum::extract::connect_info::ConnectInfo;
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use gstn::crypto::Sek;
use http::StatusCode;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::call::Call;
use crate::call_log::{Contents, Received, redacted};
use crate::fault::Fault;
use crate::faults::{Cut, Facts, FaultKind, Line, Loss, Named, Strikes};
use crate::respond::Answer;
use crate::routes;
use crate::sessions;
use crate::simulator::Simulator;
use crate::taxpayers;

/// An answer, and what becomes of it on its way.
struct Outcome {
    answer: Answer,
    strikes: Strikes,
}

/// Takes a call of the GSTN listener to its answer. All real work blocks (RSA, SQLite), so it leaves the I/O threads.
pub(crate) async fn answer_call(
    State(simulator): State<Arc<Simulator>>,
    ConnectInfo(line): ConnectInfo<Line>,
    request: Request,
) -> Response {
    let at = simulator.seam.now();
    let (parts, body) = request.into_parts();
    let (body, unreadable) = match Limited::new(body, simulator.config.max_body_bytes).collect().await {
        Ok(body) => (body.to_bytes(), None),
        Err(error) if error.is::<LengthLimitError>() => (Bytes::new(), Some(too_large())),
        Err(_) => (Bytes::new(), Some(broken_off())),
    };
    let call = Call::new(parts.method, parts.uri, parts.headers, body, at);
    let answered = tokio::task::spawn_blocking(move || exchange(&simulator, &call, unreadable)).await;
    let Ok(Outcome { answer, strikes }) = answered else {
        return Answer::from(Fault::internal()).into_response();
    };
    if !strikes.delay.is_zero() {
        tokio::time::sleep(strikes.delay).await;
    }
    match strikes.loss {
        Some((Loss::Cut(Cut::After { percent }), _)) => answer.into_broken_response(percent),
        Some((Loss::Cut(cut), _)) => {
            line.cut(cut);
            answer.into_response()
        }
        _ => answer.into_response(),
    }
}

fn exchange(simulator: &Simulator, call: &Call, unreadable: Option<Fault>) -> Outcome {
    let named = Named::of(call);
    let gstin = gstin_of(simulator, call, &named);
    let facts = Facts::of(call, &named, gstin.as_deref());
    // Before the call: it may end the session.
    let sek = facts.auth_token().and_then(|token| key_of(simulator, token));
    let tax_now = simulator.tax_now();
    let mut strikes = simulator.faults.strike(&simulator.db, &facts, call.at, tax_now);
    if strikes.ends_session
        && let Some(token) = facts.auth_token()
    {
        let ended: rusqlite::Result<()> = simulator.db.write(|tx| sessions::end(tx, token));
        if let Err(error) = ended {
            tracing::error!(%error, "a session could not be ended");
        }
    }
    let answer = match (&strikes.refusal, strikes.loss, unreadable) {
        (Some(fault), ..) => Answer::from(fault.clone()),
        // Whatever stands here is cut off before it leaves.
        (_, Some((loss, false)), _) => loss.in_its_place().unwrap_or_else(Answer::done),
        (_, _, Some(fault)) => Answer::from(fault),
        (_, loss, None) => {
            let answer = routes::answer(simulator, call).unwrap_or_else(Answer::from);
            match loss.and_then(|(loss, _)| loss.in_its_place()) {
                Some(instead) => instead,
                None => tampered(simulator, &facts, answer, sek.as_ref(), call, &mut strikes.kinds),
            }
        }
    };
    let contents = Contents { request: call.body.clone(), answer: answer.body(), sek };
    simulator.call_log.add(received(call, &facts, &named, &answer, &strikes), contents);
    Outcome { answer, strikes }
}

/// The answer with its payload spoilt, where the plan says so and it has one.
fn tampered(
    simulator: &Simulator,
    facts: &Facts<'_>,
    answer: Answer,
    sek: Option<&Sek>,
    call: &Call,
    kinds: &mut Vec<FaultKind>,
) -> Answer {
    if !answer.has_payload() {
        return answer;
    }
    let tampering = simulator.faults.tampering(&simulator.db, facts, call.at, simulator.tax_now());
    match tampering.of(&answer.body(), sek, &simulator.seam) {
        Some(body) => {
            kinds.extend(tampering.kinds());
            answer.with_body(body)
        }
        None => answer,
    }
}

fn too_large() -> Fault {
    Fault::new("SBX413", "The request body is larger than the sandbox takes")
        .at(StatusCode::PAYLOAD_TOO_LARGE)
}

fn broken_off() -> Fault {
    Fault::new("GEN5007", "Malformed Request").at(StatusCode::BAD_REQUEST)
}

/// Whose call it is, as far as it says so.
fn gstin_of(simulator: &Simulator, call: &Call, named: &Named) -> Option<String> {
    let gstin = call.header(gstn::headers::GSTIN).or_else(|| call.query("gstin")).map(str::to_owned);
    let of_user = || {
        let username = named.username(call)?;
        let taxpayer = simulator.db.read(|tx| taxpayers::by_username(tx, username, "")).ok().flatten();
        taxpayer.map(|taxpayer| taxpayer.gstin.to_string())
    };
    gstin.or_else(of_user)
}

fn key_of(simulator: &Simulator, auth_token: &str) -> Option<Sek> {
    simulator.db.read(|tx| sessions::key(tx, auth_token)).unwrap_or_else(|error: rusqlite::Error| {
        tracing::error!(%error, "the key of a session could not be read");
        None
    })
}

fn received(call: &Call, facts: &Facts<'_>, named: &Named, answer: &Answer, strikes: &Strikes) -> Received {
    let faults: Vec<String> = strikes.kinds.iter().map(|kind| kind.name()).collect();
    Received {
        id: 0,
        at: call.at,
        method: call.method.to_string(),
        path: call.uri.path().to_owned(),
        api: call.resource().map(|resource| resource.path),
        action: named.action(call).map(str::to_owned),
        gstin: facts.gstin().map(str::to_owned),
        headers: redacted(&call.headers),
        body_bytes: call.body.len(),
        status: answer.status.as_u16(),
        error_cd: answer.error_cd.clone(),
        fault: (!faults.is_empty()).then(|| faults.join(" ")),
    }
}
