//! FILEDET: where the files of a large list are, and the key that opens them.

use gstn::crypto::{base64, hmac_sha256};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::store::{self, FileEntry, LargeList, ListOf, State};
use crate::auth::required;
use crate::call::Call;
use crate::fault::Fault;
use crate::respond::Answer;
use crate::returns::own_gstin;
use crate::sessions::{LiveSession, minutes_after};
use crate::simulator::Simulator;

/// Whether a list's files are told at `/returns`; those of the invoice management system are told at its own path.
pub(crate) fn of_return(list: ListOf) -> bool {
    match list {
        ListOf::Gstr1 | ListOf::Gstr1a | ListOf::Gstr2a => true,
        ListOf::Ims => false,
    }
}

/// Whether they are told at `/returns/ims`.
pub(crate) fn of_ims(list: ListOf) -> bool {
    !of_return(list)
}

/// `action=FILEDET&token=`, for the lists that `here` says are told here. The period is not compared: a token names
/// one list.
pub(crate) fn details(
    simulator: &Simulator,
    live: &LiveSession,
    call: &Call,
    here: fn(ListOf) -> bool,
) -> Result<Answer, Fault> {
    own_gstin(live, call)?;
    let token = required(call.query("token"), "token")?;
    let now = simulator.seam.now();
    let unknown = || Fault::new("RET13508", "No Details Found for the Provided Inputs");
    let told = simulator.db.write(|tx| -> Result<Value, Fault> {
        let list = store::find(tx, token)?
            .filter(|list| list.gstin == live.taxpayer.gstin && here(list.asked.of))
            .filter(|list| now < list.keep_until)
            .ok_or_else(unknown)?;
        if is_being_made(&list, now) {
            return Err(Fault::new("RTN_24", "File Generation is in progress"));
        }
        let files = store::files(tx, token)?;
        if list.state == State::Failed || files.is_empty() {
            return Err(Fault::new("RTN_25", "Error In File Generation"));
        }
        let expires = minutes_after(now, simulator.config.files.url_minutes);
        store::keep_until(tx, token, expires)?;
        let urls: Vec<Value> = files.iter().map(|file| entry(&list, file, expires)).collect();
        Ok(json!({ "fc": urls.len(), "urls": urls, "ek": *list.ek.to_base64() }))
    })?;
    Ok(Answer::sealed(&simulator.seam, &live.session.sek, &told))
}

/// RTN_24 until the files are made and the configured time is over.
fn is_being_made(list: &LargeList, now: Timestamp) -> bool {
    list.state == State::Making || now < list.ready_at
}

/// One file: its address, how many documents it holds and its SHA-256.
fn entry(list: &LargeList, file: &FileEntry, expires: Timestamp) -> Value {
    let path = list.path(file.number);
    let expires = expires.as_second();
    let signature = signature(list, &path, expires);
    json!({ "ul": format!("{path}?md5={signature}&expires={expires}"), "ic": file.documents, "hash": file.hash })
}

/// What makes an address good until `expires`, in seconds since 1970. It stands under `md5`, in the form that the
/// samples show: 16 bytes in base64 for addresses.
pub(super) fn signature(list: &LargeList, path: &str, expires: i64) -> String {
    let signed = hmac_sha256(&list.url_key, format!("{path} {expires}").as_bytes());
    base64::encode(&signed[..16]).trim_end_matches('=').replace('+', "-").replace('/', "_")
}
