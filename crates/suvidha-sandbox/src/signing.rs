//! Who signs a filing: an EVC under an OTP, or a DSC, and how a DSC is registered.

use gstn::Gstin;
use gstn::crypto::{DscContent, DscSignature, dsc_verify, evc_verify};
use gstn::envelope::Request;
use http::Method;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::auth::{invalid_session, required};
use crate::call::{Call, Resource};
use crate::clock::from_millis;
use crate::config::DscCheck;
use crate::fault::Fault;
use crate::forms::Form;
use crate::payload::{self, Opened};
use crate::respond::Answer;
use crate::routes::not_here;
use crate::sessions::{self, minutes_after};
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

/// Checks the signature of a filing: `st` says of what kind it is.
pub(crate) fn check(
    conn: &Connection,
    simulator: &Simulator,
    taxpayer: &Taxpayer,
    form: Form,
    request: &Request,
    opened: &Opened,
) -> Result<(), Fault> {
    match required(request.st.as_deref(), "st")? {
        "EVC" => check_evc(conn, simulator, taxpayer, form, request, opened),
        "DSC" => check_dsc(conn, simulator, taxpayer, request, opened),
        st if st.eq_ignore_ascii_case("Esign") => Err(Fault::not_simulated("Filing with Esign")),
        _ => Err(Fault::new("AUTH143", "Invalid request parameters: st")),
    }
}

/// The OTP of a form has signed.
pub(crate) fn use_up(tx: &Transaction<'_>, gstin: &Gstin, form: Form) -> rusqlite::Result<()> {
    tx.prepare_cached("DELETE FROM evc_otps WHERE gstin = ?1 AND form_type = ?2")?
        .execute([gstin.as_str(), form.as_str()])
        .map(drop)
}

/// `sid` the PAN and the OTP, `sign` the HMAC under both over the summary's base64 text.
fn check_evc(
    conn: &Connection,
    simulator: &Simulator,
    taxpayer: &Taxpayer,
    form: Form,
    request: &Request,
    opened: &Opened,
) -> Result<(), Fault> {
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

/// `sid` the PAN, `sign` a CMS message over the digest of the summary's base64 text.
fn check_dsc(
    conn: &Connection,
    simulator: &Simulator,
    taxpayer: &Taxpayer,
    request: &Request,
    opened: &Opened,
) -> Result<(), Fault> {
    let sid = required(request.sid.as_deref(), "sid")?;
    check_pan(taxpayer, sid)?;
    if simulator.config.dsc_check == DscCheck::Off {
        return Ok(());
    }
    let sign = required(request.sign.as_deref(), "sign")?;
    let signature =
        dsc_verify(&opened.text, sign).map_err(|_| Fault::new("RET13506", "Invalid DSC Signature"))?;
    check_dates(simulator, &signature)?;
    let exact = signature.attached && signature.content == DscContent::Digest;
    if simulator.config.dsc_check == DscCheck::Strict && !exact {
        return Err(Fault::new("RTDSC05", "DSC verification failed: sign the digest's 32 bytes, attached"));
    }
    let registered = registered(conn, &taxpayer.gstin)?;
    let is_registered = registered.contains(&signature.certificate.sha256_fingerprint());
    let must_be = simulator.config.dsc_check == DscCheck::Strict || !registered.is_empty();
    if must_be && !is_registered {
        return Err(Fault::new("RT_FIL_017", "User Is not Registered to any DSC"));
    }
    Ok(())
}

/// The certificate must be in force by the real clock: its maker knew no other.
fn check_dates(simulator: &Simulator, signature: &DscSignature) -> Result<(), Fault> {
    let now = simulator.seam.now().as_second();
    if now > signature.certificate.not_after() {
        return Err(Fault::new("RTN_FIL_28", "Certificate has Expired"));
    }
    if now < signature.certificate.not_before() {
        return Err(Fault::new("RTN_FIL_29", "Certificate is not valid yet"));
    }
    Ok(())
}

fn registered(conn: &Connection, gstin: &Gstin) -> rusqlite::Result<Vec<String>> {
    conn.prepare_cached("SELECT fingerprint FROM dsc_certificates WHERE gstin = ?1")?
        .query_map([gstin.as_str()], |row| row.get(0))?
        .collect()
}

/// `POST registerdsc` and `PUT deregisterdsc`: `data` is the PAN in clear, `sign` the same, signed.
pub(crate) fn registration(
    simulator: &Simulator,
    client_id: &str,
    call: &Call,
    resource: &Resource,
) -> Result<Answer, Fault> {
    if call.method == Method::GET {
        return Err(not_here(call, resource, call.query("action")));
    }
    let live = simulator.db.read(|tx| sessions::of_call(tx, simulator, client_id, call, invalid_session))?;
    let request = payload::envelope(call)?;
    let pan = required(request.data.as_deref(), "data")?;
    check_pan(&live.taxpayer, pan)?;
    let sign = required(request.sign.as_deref(), "sign")?;
    let signature =
        dsc_verify(pan, sign).map_err(|_| Fault::new("RTDSC04", "Pan Number or Sign is invalid"))?;
    check_dates(simulator, &signature)?;
    let fingerprint = signature.certificate.sha256_fingerprint();
    let statement = match resource.path.as_str() {
        "registerdsc" => "INSERT OR IGNORE INTO dsc_certificates VALUES (?1, ?2)",
        _ => "DELETE FROM dsc_certificates WHERE gstin = ?1 AND fingerprint = ?2",
    };
    simulator.db.write(|tx| -> rusqlite::Result<()> {
        tx.execute(statement, params![live.taxpayer.gstin.as_str(), fingerprint]).map(drop)
    })?;
    Ok(Answer::done())
}
