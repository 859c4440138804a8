//! `/commonapi`: what GSTN tells anyone. Its answers are base64 of plain JSON.

use std::collections::BTreeMap;

use gstn::{EntityKind, FinancialYear, Gstin, Pan, StateCode};
use http::Method;
use jiff::civil::Date;
use serde_json::{Value, json};

use crate::applicants;
use crate::auth::{app_key, invalid_action, invalid_session, read, required, token_reply};
use crate::call::{Call, Resource};
use crate::clock::{dashed, ist_date, slashed};
use crate::directory;
use crate::fault::Fault;
use crate::filing;
use crate::gstr1::parse_date;
use crate::profile;
use crate::respond::Answer;
use crate::routes::not_here;
use crate::sessions::{self, Login, minutes_after};
use crate::simulator::{Simulator, same_secret};
use crate::taxpayers::{self, Registration, Taxpayer};

/// How many changed GSTINs one page tells. GSTN's own number is not known.
const CHANGES_PER_PAGE: usize = 500;

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

/// `/commonapi`, but for the login.
pub(crate) fn answer(
    simulator: &Simulator,
    client_id: &str,
    call: &Call,
    resource: &Resource,
) -> Result<Answer, Fault> {
    let action = call.query("action");
    let answer = match (&call.method, resource.path.as_str(), action) {
        (&Method::GET, "search", Some("TP")) => search,
        (&Method::GET, "search", Some("TPPAN")) => search_by_pan,
        (&Method::GET, "returns", Some("RETTRACK")) => track,
        (&Method::GET, "returns", Some("GETPREF")) => preference,
        (&Method::GET, "tpaddtlstatus", Some("INCLIST")) => changed,
        (&Method::GET, "unregistered-applicants", _) => applicants::show,
        (&Method::GET, "unregistered-applicants-validation", _) => applicants::validate,
        _ => return Err(not_here(call, resource, action)),
    };
    check_token(simulator, client_id, call)?;
    answer(simulator, call)
}

/// `GET /commonapi/*/search?action=TP&gstin=`: who holds a GSTIN.
fn search(simulator: &Simulator, call: &Call) -> Result<Answer, Fault> {
    let gstin = required(call.query("gstin"), "gstin")?;
    let gstin = Gstin::parse_lenient(gstin).map_err(|_| invalid_gstin())?;
    let taxpayer = simulator.db.read(|tx| taxpayers::by_gstin(tx, &gstin, ""))?;
    match taxpayer {
        Some(taxpayer) => Ok(Answer::public(&described(&taxpayer, simulator.today()))),
        None if gstin.is_check_digit_valid() => Err(Fault::new("FO8000", "No records found")),
        None => Err(invalid_gstin()),
    }
}

/// `GET /commonapi/*/search?action=TPPAN&pan=&stateCode=`: every GSTIN of a PAN, in one state or in all.
fn search_by_pan(simulator: &Simulator, call: &Call) -> Result<Answer, Fault> {
    let invalid = |what: &str| Fault::new("AUTH143", format!("Invalid request parameters: {what}"));
    let pan = required(call.query("pan"), "pan")?.to_ascii_uppercase();
    let pan: Pan = pan.parse().map_err(|_| invalid("pan"))?;
    let state = state(call, "stateCode")?;
    let mut found = simulator.db.read(|tx| directory::with_pan(tx, pan.as_str()))?;
    found.retain(|taxpayer| state.is_none_or(|state| state == taxpayer.state));
    if found.is_empty() {
        return Err(Fault::new("FO8000", "No records found"));
    }
    let today = simulator.today();
    let row = |taxpayer: &Taxpayer| {
        json!({
            "gstin": taxpayer.gstin.as_str(), "authStatus": taxpayer.status_on(today).as_str(),
            "stateCd": taxpayer.state.as_str(),
        })
    };
    let rows: Vec<Value> = found.iter().map(row).collect();
    Ok(Answer::public(&json!({ "panNum": pan.as_str(), "gstinResList": rows })))
}

/// `GET /commonapi/*/tpaddtlstatus?action=INCLIST&date=&state=&pgnum=`: the GSTINs about which something changed on a day,
/// by state. `chng_typ` is what the registration is since.
fn changed(simulator: &Simulator, call: &Call) -> Result<Answer, Fault> {
    let wrong_date = || Fault::new("RET13511", "Date format entered is Invalid");
    let day = parse_date(required(call.query("date"), "date")?).ok_or_else(wrong_date)?;
    let state = state(call, "state")?;
    let wrong_page = || Fault::new("AUTH143", "Invalid request parameters: pgnum");
    let page: usize = call.query("pgnum").unwrap_or("1").parse().map_err(|_| wrong_page())?;
    if day > simulator.today() {
        return Err(Fault::new("FO8000", "No records found"));
    }
    let changed = simulator.db.read(|tx| directory::changed_on(tx, day, state))?;
    let pages = changed.chunks(CHANGES_PER_PAGE).count();
    let shown = page.checked_sub(1).and_then(|page| changed.chunks(CHANGES_PER_PAGE).nth(page));
    let shown = shown.ok_or_else(|| Fault::new("FO8000", "No records found"))?;
    let mut states: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for changed in shown {
        let row = json!({ "gstin": changed.gstin, "chng_typ": changed.is.as_str(), "chng_dt": dashed(day) });
        states.entry(changed.gstin.get(..2).unwrap_or_default()).or_default().push(row);
    }
    let states: Vec<Value> =
        states.into_iter().map(|(state, rows)| json!({ "state_cd": state, "gstdtls": rows })).collect();
    Ok(Answer::public(&json!({
        "tpgcnt": pages, "cpgnum": page, "ismpg": if pages > 1 { "Y" } else { "N" }, "cnt": shown.len(),
        "gstLst": states, "totalCount": changed.len(),
    })))
}

/// `GET /commonapi/*/returns?action=GETPREF&searchgstin=&fy=`: how often anyone files. Some clients name the taxpayer
/// in `gstin` alone.
fn preference(simulator: &Simulator, call: &Call) -> Result<Answer, Fault> {
    let gstin = required(call.query("searchgstin").or_else(|| call.query("gstin")), "searchgstin")?;
    let gstin = Gstin::parse_lenient(gstin).map_err(|_| invalid_gstin())?;
    let year = profile::read_year(call)?;
    let taxpayer = simulator.db.read(|tx| taxpayers::by_gstin(tx, &gstin, ""))?;
    let taxpayer = taxpayer.ok_or_else(|| Fault::new("FO8000", "No records found"))?;
    profile::of_year(simulator, &taxpayer, year).map(|told| Answer::public(&told))
}

/// The state that a parameter names, if it is there.
fn state(call: &Call, name: &str) -> Result<Option<StateCode>, Fault> {
    let wrong = |_| Fault::new("RET11404", "State code is not valid");
    call.query(name).map(|code| code.parse().map_err(wrong)).transpose()
}

/// `GET /commonapi/*/returns?action=RETTRACK&gstin=&fy=&type=`: what anyone may know about a taxpayer's filings.
fn track(simulator: &Simulator, call: &Call) -> Result<Answer, Fault> {
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

/// The taxpayer object of a search.
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
