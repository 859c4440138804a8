//! `/taxpayerapi/*/authenticate`: a taxpayer logs in by OTP, stays logged in, logs out, and asks for an EVC OTP.

use gstn::Gstin;
use gstn::crypto::AppKey;
use gstn::envelope::{AuthReply, AuthRequest, StatusCd};
use http::Method;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::call::Call;
use crate::clock::from_millis;
use crate::fault::Fault;
use crate::respond::Answer;
use crate::sessions::{self, Login, Session, minutes_after};
use crate::signing;
use crate::simulator::{Simulator, same_secret};
use crate::taxpayers::{self, Taxpayer};

/// Answers a call of the taxpayer authentication API.
pub(crate) fn answer(simulator: &Simulator, client_id: &str, call: &Call) -> Result<Answer, Fault> {
    if call.method == Method::GET {
        return evc_otp(simulator, client_id, call);
    }
    let request = read(call)?;
    match request.action.as_str() {
        "OTPREQUEST" => otp_request(simulator, client_id, call, &request),
        "AUTHTOKEN" => auth_token(simulator, client_id, call, &request),
        "REFRESHTOKEN" => refresh_token(simulator, client_id, call, &request),
        "LOGOUT" => logout(simulator, client_id, call, &request),
        _ => Err(invalid_action()),
    }
}

/// The body of an authentication call; its action may be in the query instead, never in a header.
pub(crate) fn read(call: &Call) -> Result<AuthRequest, Fault> {
    let mut request: AuthRequest =
        serde_json::from_slice(&call.body).map_err(|_| Fault::new("AUTH4040", "Malformed Request"))?;
    if request.action.trim().is_empty() {
        request.action = call.query("action").unwrap_or_default().to_owned();
    }
    request.action = request.action.trim().to_owned();
    Ok(request)
}

/// AUTH4035.
pub(crate) fn invalid_action() -> Fault {
    Fault::new("AUTH4035", "Invalid Request Action")
}

/// The app key of a request, which must be encrypted for the sandbox's certificate.
pub(crate) fn app_key(simulator: &Simulator, request: &AuthRequest) -> Result<AppKey, Fault> {
    let sealed = required(request.app_key.as_deref(), "app_key")?;
    AppKey::open(sealed, &simulator.private_key).map_err(|_| Fault::not_for_this_certificate())
}

/// A member of the body that must be there and not be empty.
pub(crate) fn required<'a>(value: Option<&'a str>, name: &str) -> Result<&'a str, Fault> {
    value.map(str::trim).filter(|value| !value.is_empty()).ok_or_else(|| Fault::missing_parameter(name))
}

/// The reply to a login or a refresh.
pub(crate) fn token_reply(session: &Session, app_key: &AppKey, now: Timestamp) -> Answer {
    Answer::json(&AuthReply {
        status_cd: StatusCd::One,
        auth_token: session.auth_token.clone(),
        expiry: session.expiry_minutes(now),
        sek: app_key.seal_sek(&session.sek),
    })
}

/// AUTH4033: no such session, or no longer.
pub(crate) fn invalid_session() -> Fault {
    Fault::new("AUTH4033", "Invalid Session")
}

fn otp_request(
    simulator: &Simulator,
    client_id: &str,
    call: &Call,
    request: &AuthRequest,
) -> Result<Answer, Fault> {
    app_key(simulator, request)?;
    simulator.db.write(|tx| {
        let taxpayer = taxpayer_who_asks(tx, simulator, call, request)?;
        tx.prepare_cached("INSERT OR REPLACE INTO login_otps VALUES (?1, ?2, ?3)")?.execute(params![
            client_id,
            taxpayer.username,
            call.at.as_millisecond()
        ])?;
        Ok(Answer::done())
    })
}

fn auth_token(
    simulator: &Simulator,
    client_id: &str,
    call: &Call,
    request: &AuthRequest,
) -> Result<Answer, Fault> {
    let app_key = app_key(simulator, request)?;
    let otp = required(request.otp.as_deref(), "otp")?;
    // An OTP that does not even open was encrypted under another key: a stale certificate, not a slip of the finger.
    let otp = app_key.decrypt_otp(otp).map_err(|_| Fault::not_for_this_certificate())?;
    let session = simulator.db.write(|tx| {
        let taxpayer = taxpayer_who_asks(tx, simulator, call, request)?;
        let requested = login_otp_requested(tx, client_id, &taxpayer.username)?;
        let alive = requested.is_some_and(|at| call.at < minutes_after(at, simulator.config.otp_minutes));
        if !alive || !same_secret(&simulator.config.otp, &otp) {
            return Err(Fault::new("AUTH4034", "Invalid OTP"));
        }
        tx.prepare_cached("DELETE FROM login_otps WHERE client_id = ?1 AND username = ?2")?
            .execute(params![client_id, taxpayer.username])?;
        let consent = taxpayer.consent_minutes.unwrap_or(simulator.config.consent_minutes);
        sessions::open(
            tx,
            simulator,
            &Login {
                client_id,
                username: &taxpayer.username,
                gstin: Some(&taxpayer.gstin),
                consent_until: minutes_after(call.at, consent),
            },
        )
    })?;
    Ok(token_reply(&session, &app_key, call.at))
}

/// Gives another token without an OTP, as long as the consent outlives the present one.
fn refresh_token(
    simulator: &Simulator,
    client_id: &str,
    call: &Call,
    request: &AuthRequest,
) -> Result<Answer, Fault> {
    let sealed_key = required(request.app_key.as_deref(), "app_key")?;
    let (session, app_key) = simulator.db.write(|tx| {
        let old = session_of_body(tx, simulator, client_id, call, request)?;
        let taxpayer = taxpayer_who_asks(tx, simulator, call, request)?;
        let app_key =
            old.sek.open_app_key(sealed_key).map_err(|_| Fault::new("AUTH4036", "Invalid App Key"))?;
        if old.consent_until <= old.expires_at {
            return Err(Fault::new(
                "AUTH4037",
                "API access is not available or user expiry Duration is less than or equal to auth token expiry duration",
            ));
        }
        sessions::end(tx, &old.auth_token)?;
        let login = Login {
            client_id,
            username: &taxpayer.username,
            gstin: Some(&taxpayer.gstin),
            consent_until: old.consent_until,
        };
        Ok((sessions::open(tx, simulator, &login)?, app_key))
    })?;
    Ok(token_reply(&session, &app_key, call.at))
}

fn logout(
    simulator: &Simulator,
    client_id: &str,
    call: &Call,
    request: &AuthRequest,
) -> Result<Answer, Fault> {
    simulator.db.write(|tx| {
        let session = session_of_body(tx, simulator, client_id, call, request)?;
        sessions::end(tx, &session.auth_token)?;
        Ok(Answer::done())
    })
}

/// Sends the OTP with which a return is signed. One client family leaves the action out.
fn evc_otp(simulator: &Simulator, client_id: &str, call: &Call) -> Result<Answer, Fault> {
    if call.query("action").is_some_and(|action| action != "EVCOTP") {
        return Err(invalid_action());
    }
    simulator.db.write(|tx| {
        let live = sessions::of_call(tx, simulator, client_id, call, invalid_session)?;
        let gstin = call.query("gstin").unwrap_or(live.taxpayer.gstin.as_str());
        if !gstin.eq_ignore_ascii_case(live.taxpayer.gstin.as_str()) {
            return Err(sessions::unauthorized());
        }
        let pan = required(call.query("pan"), "pan")?;
        let form_type = required(call.query("form_type"), "form_type")?;
        signing::send_evc_otp(tx, &live.taxpayer, pan, form_type, call.at)?;
        Ok(Answer::done())
    })
}

/// The taxpayer named by the body's `username`. A `gstin` or `state-cd` header must fit if it is there.
fn taxpayer_who_asks(
    conn: &Connection,
    simulator: &Simulator,
    call: &Call,
    request: &AuthRequest,
) -> Result<Taxpayer, Fault> {
    let username = required(request.username.as_deref(), "username")?;
    let invalid_user = || Fault::new("AUTH4032", "Invalid user");
    let taxpayer = taxpayers::by_username(conn, username, &simulator.config.otp)?.ok_or_else(invalid_user)?;
    let state_cd = call.header(gstn::headers::STATE_CD);
    if state_cd.is_some_and(|state| state != taxpayer.state.as_str()) {
        return Err(Fault::new("AUTH4041", "Invalid Parameter state-cd in request header"));
    }
    // A header that is no GSTIN at all is a placeholder left from a document: `gstin: gstinNumber`.
    let gstin = call.header(gstn::headers::GSTIN).and_then(|gstin| Gstin::parse_lenient(gstin).ok());
    if gstin.is_some_and(|gstin| gstin != taxpayer.gstin) {
        return Err(invalid_user());
    }
    if !taxpayer.api_access {
        return Err(sessions::api_access_disabled());
    }
    Ok(taxpayer)
}

/// The session of a REFRESHTOKEN or LOGOUT, whose token is in the body (or, with some clients, only in the header).
fn session_of_body(
    tx: &Transaction<'_>,
    simulator: &Simulator,
    client_id: &str,
    call: &Call,
    request: &AuthRequest,
) -> Result<Session, Fault> {
    let auth_token = request.auth_token.as_deref().or_else(|| call.header(gstn::headers::AUTH_TOKEN));
    let auth_token = required(auth_token, "auth_token")?;
    let username = required(request.username.as_deref(), "username")?;
    sessions::find(tx, client_id, Some(username), auth_token, simulator.seam.now(), invalid_session)
}

fn login_otp_requested(
    conn: &Connection,
    client_id: &str,
    username: &str,
) -> rusqlite::Result<Option<Timestamp>> {
    conn.prepare_cached("SELECT requested_at FROM login_otps WHERE client_id = ?1 AND username = ?2")?
        .query_row(params![client_id, username], |row| row.get(0).map(from_millis))
        .optional()
}
