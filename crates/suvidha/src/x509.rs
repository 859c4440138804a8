//! The certificates that we make: for servers in development, and for an ASP's own key.

use gstn::crypto::{Certificate, PrivateKey};
use jiff::ToSpan;
use jiff::tz::TimeZone;
use rcgen::{CertificateParams, DistinguishedName, KeyPair, PKCS_RSA_SHA256, SerialNumber};
use suvidha_seam::Seam;

use crate::exit::{Exit, Failure};

/// The certificate with which an ASP makes `key` known to its GSP: signed by `key` itself, with SHA-256. Valid from
/// yesterday, UTC, for `days` from today on.
pub(crate) fn self_signed(
    key: &PrivateKey,
    subject: DistinguishedName,
    days: u16,
    seam: &Seam,
) -> Result<Certificate, Failure> {
    let pair = KeyPair::from_pem_and_sign_algo(&key.pkcs8_pem(), &PKCS_RSA_SHA256).map_err(failed)?;
    let made = params(Vec::new(), subject, days, seam)?.self_signed(&pair).map_err(failed)?;
    Certificate::from_der(made.der()).map_err(failed)
}

/// What every certificate of ours begins with: its names, its dates in UTC, a serial number of its own.
pub(crate) fn params(
    names: Vec<String>,
    subject: DistinguishedName,
    days: u16,
    seam: &Seam,
) -> Result<CertificateParams, Failure> {
    let today = seam.now().to_zoned(TimeZone::UTC).date();
    let midnight = |days: i64| {
        let date = today.saturating_add(days.days());
        rcgen::date_time_ymd(date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    let mut params = CertificateParams::new(names).map_err(failed)?;
    params.distinguished_name = subject;
    // Yesterday: the clocks of clients differ.
    (params.not_before, params.not_after) = (midnight(-1), midnight(days.into()));
    let mut serial = seam.random::<16>();
    // A serial number is positive, and not shorter than it looks.
    serial[0] = serial[0] & 0x7f | 0x40;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    Ok(params)
}

pub(crate) fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Unavailable, format_args!("cannot make the certificate: {error}"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rcgen::DnType;
    use suvidha_seam::ManualClock;

    use super::*;

    #[test]
    fn a_self_signed_certificate_vouches_for_its_own_key() {
        let key = PrivateKey::generate_2048();
        let mut subject = DistinguishedName::new();
        subject.push(DnType::CommonName, "Tax Tools");
        let clock = Arc::new(ManualClock::at("2026-11-22T04:45:30Z".parse().unwrap()));
        let certificate = self_signed(&key, subject, 30, &Seam { clock, ..Seam::system() }).unwrap();
        assert_eq!(certificate.subject(), "CN=Tax Tools");
        assert_eq!(certificate.public_key(), key.public_key());
        let date = |at| jiff::Timestamp::from_second(at).unwrap().to_string();
        assert_eq!(date(certificate.not_before()), "2026-11-21T00:00:00Z");
        assert_eq!(date(certificate.not_after()), "2026-12-22T00:00:00Z");
    }
}
