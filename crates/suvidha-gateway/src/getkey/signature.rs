//! Which of an ASP's certificates a GetKey call is signed with; and where it is none, what was most likely done wrong.

use gstn::Environment;
use gstn::crypto::sha256;
use jiff::Timestamp;
use suvidha_store::{AspEntry, CertificateEntry, CertificateState};

use super::request::Request;
use super::window::in_ist;
use crate::error::{Error, Kind};

/// How many certificates that are over are asked about a wrong signature; the newest first.
const ASKED: usize = 8;

/// The live certificate whose key signed the call. Every other key is tried only to explain a refusal, and how often that may
/// happen is limited.
///
/// # Errors
/// [`Kind::NoCertificate`], [`Kind::CertificateOutOfTime`], [`Kind::CertificateReplaced`] or [`Kind::WrongSignature`].
pub(super) fn verify<'a>(
    request: &Request,
    asp: &'a AspEntry,
    environment: Environment,
    now: Timestamp,
) -> Result<&'a CertificateEntry, Error> {
    let enrolled = asp.getkey(environment);
    let text = request.signed_text();
    let signs = |certificate: &CertificateEntry, text: &[u8]| {
        certificate.key.verify_sha256(text, &request.signature).is_ok()
    };
    if let Some(signer) = enrolled.live_certificates(now).find(|certificate| signs(certificate, &text)) {
        return Ok(signer);
    }
    let is_over = |certificate: &&CertificateEntry| certificate.state(now) != CertificateState::Live;
    let mut over = enrolled.certificates.iter().filter(is_over).take(ASKED);
    if let Some(signer) = over.find(|certificate| signs(certificate, &text)) {
        return Err(no_longer(signer, now));
    }
    if enrolled.live_certificates(now).next().is_none() {
        return Err(no_certificate(asp, environment, now));
    }
    let reversed = [request.timestamp.as_bytes(), request.aspid.as_str().as_bytes()].concat();
    let hashed = sha256(&text);
    let over_this = |text: &[u8]| enrolled.live_certificates(now).any(|certificate| signs(certificate, text));
    if over_this(&reversed) {
        let words =
            "The signature is that of `timestamp` followed by `aspid`; sign `aspid` followed by `timestamp`.";
        return Err(Error::saying(Kind::WrongSignature, words));
    }
    if over_this(&hashed) {
        let words = "The signature is that of a SHA-256 hash; sign the text itself, which hashes it once.";
        return Err(Error::saying(Kind::WrongSignature, words));
    }
    Err(Error::new(Kind::WrongSignature))
}

/// Why a certificate of the ASP's that signed the call does not count.
fn no_longer(signer: &CertificateEntry, now: Timestamp) -> Error {
    let named = format!("The call is signed with your certificate number {}, which", signer.id);
    let at = |time: Option<Timestamp>| time.map_or_else(String::new, |time| format!(" {} IST", in_ist(time)));
    match signer.state(now) {
        CertificateState::NotYetValid => {
            let words = format!("{named} is not valid before{}.", at(signer.not_before));
            Error::saying(Kind::CertificateOutOfTime, words)
        }
        CertificateState::Expired => {
            let words = format!("{named} expired at{}.", at(signer.not_after));
            Error::saying(Kind::CertificateOutOfTime, words)
        }
        CertificateState::Revoked => {
            let words = format!("{named} was revoked at{}.", at(signer.revoked_at));
            Error::saying(Kind::CertificateReplaced, words)
        }
        CertificateState::Replaced | CertificateState::Live => {
            let words = format!("{named} was replaced by another and counted until{}.", at(signer.until));
            Error::saying(Kind::CertificateReplaced, words)
        }
    }
}

fn no_certificate(asp: &AspEntry, environment: Environment, now: Timestamp) -> Error {
    let elsewhere =
        Environment::ALL.into_iter().find(|other| asp.getkey(*other).live_certificates(now).next().is_some());
    match elsewhere {
        Some(other) => Error::saying(
            Kind::NoCertificate,
            format!(
                "No signing certificate is registered for this ASP in {environment}; there is one in {other}."
            ),
        ),
        None => Error::new(Kind::NoCertificate),
    }
}
