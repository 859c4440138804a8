//! `setasppubcer`: an ASP replaces the certificate with which it signs its GetKey calls, within a live session.
//!
//! The registry is written on the keeper's thread, which may block; the answer waits until the new certificate is in force.

use gstn::crypto::base64;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, Response};
use serde::{Deserialize, Serialize};
use suvidha_store::{Replacement, StoreError};
use tokio::sync::oneshot;

use crate::body::{self, Content, Incoming};
use crate::error::{Error, Kind, sentence};
use crate::gcra::Rate;
use crate::getkey::json;
use crate::keeper::{Errand, NewCertificate};
use crate::pipeline::admit::check_asp;
use crate::pipeline::identify;
use crate::pipeline::receive::Received;
use crate::pipeline::settle::Record;
use crate::pipeline::{Call, Visit};

/// The longest body, in bytes.
const LONGEST: u64 = 16 * 1024;

/// Each takes a place among the ASP's certificates, and a write to the disk.
const PER_ASP: u32 = 5;

/// The body, where it is JSON.
#[derive(Deserialize)]
struct Offer {
    /// The certificate: DER in base64, or PEM.
    cer: String,
}

#[derive(Serialize)]
struct Answer {
    status_cd: &'static str,
    message: &'static str,
    certificate: Certificate,
    /// Until when those before it still serve; null where there is none.
    others_until: Option<String>,
}

#[derive(Serialize)]
struct Certificate {
    id: i64,
    /// Null for a bare public key.
    subject: Option<String>,
    /// The certificate's, in hex; null for a bare public key.
    sha256: Option<String>,
    /// That of its key (SubjectPublicKeyInfo), in hex.
    key_sha256: String,
    /// Null for a bare public key.
    not_after: Option<String>,
}

pub(crate) async fn respond(
    call: &Call<'_, Received>,
    visit: &Visit,
    body: &mut Option<Incoming>,
    record: &mut Record,
) -> Result<Response<Content>, Error> {
    let asp = identify::by_session(call, visit, record)?;
    check_asp(&asp, call.caller)?;
    if *call.head.method != Method::POST {
        return Err(Error::wrong_method("POST".to_owned()));
    }
    visit.door.check_ledger()?;
    let (plane, limiter) = (&visit.door.plane, &visit.door.setasppubcer);
    let now = plane.seam.now();
    if let Some(wait) = limiter.wait(Rate::per_minute(PER_ASP), &asp.aspid, now) {
        return Err(Error::too_many("Certificates are replaced at most five times a minute.", wait));
    }
    limiter.count(Rate::per_minute(PER_ASP), asp.aspid, now);
    let body = body::read_whole(body, LONGEST, call.site.timeouts.request_body_idle(), record).await?;
    let (reply, replaced) = oneshot::channel();
    let errand = Errand::ReplaceCertificates(NewCertificate {
        aspid: asp.aspid,
        environment: call.site.environment,
        offered: offered(call.head.headers, &body)?,
        overlap: call.site.getkey.certificate_overlap(),
        reply,
    });
    let gone = || Error::because(Kind::Internal, "the keeper gave no answer");
    plane.errands.send(errand).map_err(|_| gone())?;
    let Replacement { certificate: row, others_until } =
        replaced.await.map_err(|_| gone())?.map_err(refused)?;
    json(&Answer {
        status_cd: "1",
        message: "The certificate is registered. Sign the next GetKey call with its key.",
        certificate: Certificate {
            id: row.id.as_i64(),
            subject: row.subject,
            sha256: row.certificate_sha256,
            key_sha256: row.key_sha256,
            not_after: row.not_after.map(|time| time.to_string()),
        },
        others_until: others_until.map(|time| time.to_string()),
    })
}

/// The certificate in the body, in DER or PEM.
fn offered(headers: &HeaderMap, body: &[u8]) -> Result<Vec<u8>, Error> {
    let says_json = headers
        .get(CONTENT_TYPE)
        .and_then(|content_type| content_type.to_str().ok())
        .is_some_and(|content_type| content_type.to_ascii_lowercase().contains("json"));
    if !says_json && !body.trim_ascii_start().starts_with(b"{") {
        return Ok(body.to_vec());
    }
    let unusable = |words| Error::saying(Kind::UnusableCertificate, words);
    let Ok(Offer { cer }) = serde_json::from_slice(body) else {
        return Err(unusable(
            "The body must be a JSON object with the text `cer`: base64 of the DER, or PEM.",
        ));
    };
    if cer.trim_start().starts_with("-----BEGIN") {
        return Ok(cer.into_bytes());
    }
    base64::decode_lenient(&cer).map_err(|_| unusable("`cer` is neither base64 nor PEM."))
}

fn refused(error: StoreError) -> Error {
    match error {
        StoreError::InvalidCertificate { .. } => Error::saying(Kind::UnusableCertificate, sentence(&error)),
        error => Error::because(Kind::Internal, error),
    }
}
