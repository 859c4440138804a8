//! Filing with an EVC: the OTP that signs, RETFILE itself, and what RETTRACK tells of it afterwards.

use gstn::crypto::evc_verify;
use gstn::envelope::Request;
use gstn::{FinancialYear, Gstin, ReturnPeriod};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde_json::{Value, json};

use crate::arn;
use crate::auth::required;
use crate::clock::{dashed, from_millis};
use crate::fault::Fault;
use crate::filed::{self, Filed};
use crate::forms::Form;
use crate::gstr1::{self, Subject};
use crate::payload::Opened;
use crate::sessions::minutes_after;
use crate::simulator::{Simulator, same_secret};
use crate::taxpayers::Taxpayer;

/// The forms an EVC OTP can be asked for.
const EVC_FORMS: [&str; 16] = [
    "R1", "R1A", "R3B", "R4", "R5", "R6", "R7", "R8", "R9", "R9A", "R9C", "CMP08", "ITC03", "ITC04", "R2X",
    "R10",
];

/// Notes that an EVC OTP was sent. The PAN must be the taxpayer's own.
pub(crate) fn send_evc_otp(
    tx: &Transaction<'_>,
    taxpayer: &Taxpayer,
    pan: &str,
    form_type: &str,
    at: Timestamp,
) -> Result<(), Fault> {
    check_pan(taxpayer, pan)?;
    if !EVC_FORMS.contains(&form_type) {
        return Err(Fault::new("AUTH154", "Invalid return type"));
    }
    tx.prepare_cached("INSERT OR REPLACE INTO evc_otps VALUES (?1, ?2, ?3)")?.execute(params![
        taxpayer.gstin.as_str(),
        form_type,
        at.as_millisecond()
    ])?;
    Ok(())
}

/// RETFILE of a GSTR-1 or GSTR-1A: checks who signs and what, files, and gives the ARN.
pub(crate) fn file_gstr1(
    tx: &Transaction<'_>,
    simulator: &Simulator,
    taxpayer: &Taxpayer,
    subject: &Subject<'_>,
    request: &Request,
    opened: &Opened,
) -> Result<Value, Fault> {
    gstr1::precheck_file(tx, subject)?;
    check_evc(tx, simulator, taxpayer, subject.form, request, opened)?;
    let arn = arn::next(tx, taxpayer.state, subject.period)?;
    gstr1::file(tx, subject, &opened.json, &arn)?;
    tx.prepare_cached("DELETE FROM evc_otps WHERE gstin = ?1 AND form_type = ?2")?
        .execute([taxpayer.gstin.as_str(), subject.form.as_str()])?;
    Ok(json!({ "ack_num": arn }))
}

/// `st` EVC, `sid` the PAN and the OTP, `sign` the HMAC under both over the summary's base64 text (gstn.md section 7).
fn check_evc(
    conn: &Connection,
    simulator: &Simulator,
    taxpayer: &Taxpayer,
    form: Form,
    request: &Request,
    opened: &Opened,
) -> Result<(), Fault> {
    match required(request.st.as_deref(), "st")? {
        "EVC" => {}
        "DSC" => return Err(Fault::not_simulated("Filing with a DSC")),
        _ => return Err(Fault::new("AUTH143", "Invalid request parameters: st")),
    }
    let sid = required(request.sid.as_deref(), "sid")?;
    let (pan, otp) = sid.split_once('|').ok_or_else(wrong_otp)?;
    check_pan(taxpayer, pan)?;
    let sent = evc_otp_sent(conn, &taxpayer.gstin, form)?;
    let now = simulator.seam.now();
    let alive = sent.is_some_and(|at| now < minutes_after(at, simulator.config.otp_minutes));
    if !alive || !same_secret(&simulator.config.otp, otp) {
        return Err(wrong_otp());
    }
    let sign = request.sign.as_deref().unwrap_or_default();
    if simulator.config.evc_sign_check && evc_verify(pan, otp, &opened.text, sign).is_err() {
        return Err(Fault::new("RET13507", "Mismatch of signed data and payload"));
    }
    Ok(())
}

fn wrong_otp() -> Fault {
    Fault::new("RET13509", "OTP is either expired or incorrect")
}

/// The PAN of the signatory: characters 3 to 12 of the GSTIN.
fn check_pan(taxpayer: &Taxpayer, pan: &str) -> Result<(), Fault> {
    if pan.eq_ignore_ascii_case(&taxpayer.gstin.as_str()[2..12]) {
        Ok(())
    } else {
        Err(Fault::new("RT_FIL_018", "Pan is not registered for the given gstin"))
    }
}

fn evc_otp_sent(conn: &Connection, gstin: &Gstin, form: Form) -> rusqlite::Result<Option<Timestamp>> {
    conn.prepare_cached("SELECT requested_at FROM evc_otps WHERE gstin = ?1 AND form_type = ?2")?
        .query_row([gstin.as_str(), form.as_str()], |row| row.get(0).map(from_millis))
        .optional()
}

/// What RETTRACK is asked: whose returns, of which year or period, and of which form.
pub(crate) struct Track<'a> {
    pub(crate) gstin: &'a Gstin,
    pub(crate) year: Option<FinancialYear>,
    pub(crate) period: Option<ReturnPeriod>,
    pub(crate) form: Option<&'a str>,
}

/// The returns really filed, oldest period first; RET13510 when there is none.
pub(crate) fn track(conn: &Connection, asked: &Track<'_>) -> Result<Value, Fault> {
    let wanted = asked.form.map(|form| Form::read(form).ok_or(())).transpose();
    let mut filed = match wanted {
        Ok(form) => {
            let mut filed = filed::of(conn, asked.gstin)?;
            filed.retain(|filed| form.is_none_or(|form| form == filed.form));
            filed
        }
        // A form that the sandbox cannot have filed.
        Err(()) => Vec::new(),
    };
    filed.retain(|filed| asked.year.is_none_or(|year| year.contains(filed.period)));
    filed.retain(|filed| asked.period.is_none_or(|period| period == filed.period));
    if filed.is_empty() {
        return Err(Fault::new("RET13510", "No record found"));
    }
    let row = |filed: &Filed| {
        json!({
            "valid": "Y", "mof": "ONLINE", "dof": dashed(filed.on), "ret_prd": filed.period.to_string(),
            "rtntype": filed.form.long_name(), "arn": filed.arn, "status": "Filed",
        })
    };
    Ok(json!({ "EFiledlist": filed.iter().map(row).collect::<Vec<_>>() }))
}
