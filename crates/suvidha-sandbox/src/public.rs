//! `/commonapi`: what GSTN tells anyone. Its answers are base64 of plain JSON.

use gstn::{EntityKind, FinancialYear, Gstin};
use jiff::civil::Date;
use serde_json::{Value, json};

use crate::auth::{app_key, invalid_action, invalid_session, read, required, token_reply};
use crate::call::Call;
use crate::clock::{ist_date, slashed};
use crate::fault::Fault;
use crate::filing;
use crate::respond::Answer;
use crate::sessions::{self, Login, minutes_after};
use crate::simulator::{Simulator, same_secret};
use crate::taxpayers::{self, Registration, Taxpayer};

/// `POST /commonapi/*/authenticate`: ACCESSTOKEN, with no taxpayer and no OTP.
pub(crate) fn authenticate(simulator: &Simulator, client_id: &str, call: &Call) -> Result<Answer, Fault> {
    let request = read(call)?;
    if request.action != "ACCESSTOKEN" {
        return Err(invalid_action());
    }
    let app_key = app_key(simulator, &request)?;
    let username = required(request.username.as_deref(), "username")?;
    let password = required(request.password.as_deref(), "password")?;
    let password = app_key
        .open_password(password, &simulator.private_key)
        .map_err(|_| Fault::not_for_this_certificate())?;
    let user = simulator.config.public_users.iter().find(|user| user.username == username);
    if !user.is_some_and(|user| same_secret(user.password.expose(), &password)) {
        return Err(Fault::new("AUTH4032", "Invalid user"));
    }
    let consent_until = minutes_after(call.at, simulator.config.token_minutes);
    let login = Login { client_id, username, gstin: None, consent_until };
    let session = simulator.db.write(|tx| sessions::open(tx, simulator, &login))?;
    Ok(token_reply(&session, &app_key, call.at))
}

/// `GET /commonapi/*/search?action=TP&gstin=`: who holds a GSTIN.
pub(crate) fn search(simulator: &Simulator, client_id: &str, call: &Call) -> Result<Answer, Fault> {
    check_token(simulator, client_id, call)?;
    let gstin = required(call.query("gstin"), "gstin")?;
    let gstin = Gstin::parse_lenient(gstin).map_err(|_| invalid_gstin())?;
    let taxpayer = simulator.db.read(|tx| taxpayers::by_gstin(tx, &gstin, ""))?;
    match taxpayer {
        Some(taxpayer) => Ok(Answer::public(&described(&taxpayer, simulator.today()))),
        None if gstin.is_check_digit_valid() => Err(Fault::new("FO8000", "No records found")),
        None => Err(invalid_gstin()),
    }
}

/// `GET /commonapi/*/returns?action=RETTRACK&gstin=&fy=&type=`: what anyone may know about a taxpayer's filings.
pub(crate) fn track(simulator: &Simulator, client_id: &str, call: &Call) -> Result<Answer, Fault> {
    check_token(simulator, client_id, call)?;
    let gstin = required(call.query("gstin"), "gstin")?;
    let gstin = Gstin::parse_lenient(gstin).map_err(|_| invalid_gstin())?;
    let invalid_year = |_| Fault::new("AUTH143", "Invalid request parameters: fy");
    let year: FinancialYear = required(call.query("fy"), "fy")?.parse().map_err(invalid_year)?;
    let track = filing::Track { gstin: &gstin, year: Some(year), period: None, form: call.query("type") };
    simulator.db.read(|tx| filing::track(tx, &track)).map(|rows| Answer::public(&rows))
}

/// A token is not asked for; one that is sent must be alive.
fn check_token(simulator: &Simulator, client_id: &str, call: &Call) -> Result<(), Fault> {
    let Some(auth_token) = call.header(gstn::headers::AUTH_TOKEN) else { return Ok(()) };
    let username = call.header(gstn::headers::USERNAME);
    let now = simulator.seam.now();
    simulator.db.read(|tx| sessions::find(tx, client_id, username, auth_token, now, invalid_session))?;
    Ok(())
}

fn invalid_gstin() -> Fault {
    Fault::new("SWEB_9035", "Invalid GSTIN / UID")
}

/// The taxpayer object of gstn.md 3.9.
fn described(taxpayer: &Taxpayer, today: Date) -> Value {
    let state = taxpayer.state.name();
    let status = taxpayer.status_on(today);
    let cancelled = status == Registration::Cancelled;
    let ended = taxpayer.cancelled_on.filter(|_| cancelled).map(slashed);
    let updated = slashed(ist_date(taxpayer.created_at));
    json!({
        "gstin": taxpayer.gstin.as_str(),
        "lgnm": taxpayer.legal_name,
        "tradeNam": taxpayer.trade_name,
        "sts": status.as_str(),
        "dty": duty(taxpayer),
        "ctb": constitution(taxpayer),
        "rgdt": slashed(taxpayer.registered_on),
        "cxdt": ended.unwrap_or_else(|| if cancelled { updated.clone() } else { String::new() }),
        "lstupdt": updated,
        "einvoiceStatus": "No",
        "nba": ["Office / Sale Office"],
        "stj": format!("State - {state},Ward - Sandbox 1"),
        "stjCd": format!("{}001", taxpayer.state),
        "ctj": format!("State - CBIC,Zone - {state},Range - Sandbox 1"),
        "ctjCd": format!("S{}01", taxpayer.state),
        "pradr": {"addr": address(taxpayer), "ntr": "Office / Sale Office"},
        "adadr": [],
    })
}

/// `dty`: what kind of taxpayer it is.
fn duty(taxpayer: &Taxpayer) -> &'static str {
    match taxpayer.kind {
        EntityKind::Regular => taxpayer.scheme.duty_type(),
        EntityKind::Government | EntityKind::Tds => "Tax Deductor",
        EntityKind::Tcs => "Tax Collector (Electronic Commerce Operator)",
        EntityKind::Nri => "Non-Resident Taxable Person",
        EntityKind::Oidar => "Non-Resident Online Services Provider",
        EntityKind::UnBody => "United Nation Body",
    }
}

/// `ctb`: the constitution of the business, which the fourth letter of its PAN tells.
fn constitution(taxpayer: &Taxpayer) -> &'static str {
    let letter = taxpayer.gstin.pan().and_then(|pan| pan.as_str().chars().nth(3));
    match letter {
        Some('P') => "Proprietorship",
        Some('F') => "Partnership",
        Some('C') => "Private Limited Company",
        Some('H') => "Hindu Undivided Family",
        Some('A' | 'B' | 'T') => "Society/ Club/ Trust/ AOP",
        Some('G' | 'L') => "Government Department",
        _ => "Others",
    }
}

fn address(taxpayer: &Taxpayer) -> Value {
    let state = taxpayer.state.name();
    json!({
        "bno": "1", "flno": "", "bnm": "Sandbox House", "st": "Sandbox Road", "loc": state, "dst": state,
        "stcd": state, "pncd": "", "city": "", "locality": "", "landMark": "", "geocodelvl": "NA", "lt": "", "lg": "",
    })
}
