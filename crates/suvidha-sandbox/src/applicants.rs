//! Unregistered persons who supply through e-commerce operators, and enrolled for it: what anyone may ask about them.

use gstn::{Pan, StateCode};
use jiff::civil::Date;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use suvidha_seam::Seam;

use crate::auth::required;
use crate::call::Call;
use crate::clock::slashed;
use crate::fault::Fault;
use crate::respond::Answer;
use crate::simulator::Simulator;

/// Creates the table, unless it is there.
pub(crate) fn create_table(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS unregistered_applicants (
             uid TEXT PRIMARY KEY,
             body TEXT NOT NULL                -- JSON
         ) STRICT, WITHOUT ROWID;",
    )
}

/// What a new applicant should be; whatever is left out is made up.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct NewApplicant {
    uid: Option<String>,
    name: Option<String>,
    pan: Option<String>,
    state: Option<String>,
    mobile: Option<String>,
    email: Option<String>,
    goods: Option<String>,
    services: Option<String>,
    enrolled_on: Option<Date>,
    cancelled_on: Option<Date>,
}

/// Someone who enrolled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Applicant {
    uid: String,
    name: String,
    pan: String,
    state: String,
    mobile: String,
    email: String,
    goods: String,
    services: String,
    enrolled_on: Date,
    cancelled_on: Option<Date>,
}

/// Why somebody cannot be enrolled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApplicantError {
    #[error(transparent)]
    Identifier(#[from] gstn::IdentifierError),
    #[error("an enrolment number has 15 digits and capital letters, not {0:?}")]
    Uid(String),
    #[error("there is an applicant with the enrolment number {0} already")]
    Taken(String),
    #[error("the sandbox database failed: {0}")]
    Database(#[from] rusqlite::Error),
}

/// Enrols somebody.
pub(crate) fn create(
    tx: &Transaction<'_>,
    seam: &Seam,
    today: Date,
    wanted: NewApplicant,
) -> Result<Applicant, ApplicantError> {
    let state: StateCode = wanted.state.as_deref().unwrap_or("29").parse()?;
    let drawn = u128::from_be_bytes(seam.random());
    let uid = wanted.uid.unwrap_or_else(|| format!("{state}{:013}", drawn % 10_000_000_000_000));
    if uid.len() != 15 || !uid.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase()) {
        return Err(ApplicantError::Uid(uid));
    }
    if find(tx, &uid)?.is_some() {
        return Err(ApplicantError::Taken(uid));
    }
    let pan = wanted.pan.unwrap_or_else(|| format!("AAAPA{:04}A", drawn % 10_000)).parse::<Pan>()?;
    let applicant = Applicant {
        name: wanted.name.unwrap_or_else(|| format!("Sandbox Seller {pan}", pan = pan.as_str())),
        pan: pan.as_str().to_owned(),
        state: state.as_str().to_owned(),
        mobile: wanted.mobile.unwrap_or_else(|| format!("9{:09}", drawn % 1_000_000_000)),
        email: wanted.email.unwrap_or_else(|| format!("{}@example.com", uid.to_lowercase())),
        goods: wanted.goods.unwrap_or_else(|| "Handicraft goods".to_owned()),
        services: wanted.services.unwrap_or_default(),
        enrolled_on: wanted.enrolled_on.unwrap_or(today),
        cancelled_on: wanted.cancelled_on,
        uid,
    };
    tx.prepare_cached("INSERT INTO unregistered_applicants VALUES (?1, ?2)")?
        .execute(params![applicant.uid, json!(applicant).to_string()])?;
    Ok(applicant)
}

fn find(conn: &Connection, uid: &str) -> rusqlite::Result<Option<Applicant>> {
    let body: Option<String> = conn
        .prepare_cached("SELECT body FROM unregistered_applicants WHERE uid = ?1")?
        .query_row([uid], |row| row.get(0))
        .optional()?;
    Ok(body.and_then(|body| serde_json::from_str(&body).ok()))
}

/// `GET /commonapi/*/unregistered-applicants?uid=`
pub(crate) fn show(simulator: &Simulator, call: &Call) -> Result<Answer, Fault> {
    let applicant = asked(simulator, call)?;
    let cancelled = applicant.cancelled_on.filter(|day| *day <= simulator.today());
    let state = applicant.state.parse::<StateCode>().map(|state| state.name()).unwrap_or_default();
    let mut told = json!({
        "name": applicant.name, "pan": applicant.pan, "state": state, "goodsdetails": applicant.goods,
        "servicedetails": applicant.services, "authstatus": if cancelled.is_some() { "C" } else { "A" },
        "regdt": slashed(applicant.enrolled_on),
        "addtls": {
            "bno": "1", "bnm": "Sandbox House", "st": "Sandbox Road", "loc": state, "dst": state, "stcd": applicant.state,
            "pncd": "", "cnty": "India",
        },
    });
    if let Some(day) = cancelled {
        told["candt"] = slashed(day).into();
    }
    Ok(Answer::public(&told))
}

/// `GET /commonapi/*/unregistered-applicants-validation?uid=&email=&mobile=`: whether what is named is the applicant's.
pub(crate) fn validate(simulator: &Simulator, call: &Call) -> Result<Answer, Fault> {
    let applicant = asked(simulator, call)?;
    let mut told = json!({ "Enrolment Number": applicant.uid });
    for (parameter, name, own) in
        [("mobile", "Mobile Number", &applicant.mobile), ("email", "Email Address", &applicant.email)]
    {
        if let Some(sent) = call.query(parameter) {
            told[name] = Value::from(if sent.eq_ignore_ascii_case(own) { "matched" } else { "unmatched" });
        }
    }
    Ok(Answer::public(&told))
}

/// The applicant of `uid`; FO8000 when there is none.
fn asked(simulator: &Simulator, call: &Call) -> Result<Applicant, Fault> {
    let uid = required(call.query("uid"), "uid")?;
    let found = simulator.db.read(|tx| find(tx, uid))?;
    found.ok_or_else(|| Fault::new("FO8000", "No records found"))
}
