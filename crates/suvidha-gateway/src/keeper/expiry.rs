//! Certificates that will expire: said once a day for each, so that the operator can tell its ASP before GetKey fails.

use std::collections::HashMap;

use gstn::Environment;
use jiff::{SignedDuration, Timestamp};
use suvidha_store::{CertificateEntry, CertificateId, CertificateState};
use tracing::warn;

use crate::gateway::House;

/// A certificate that expires within this time is worth a warning.
const SOON: SignedDuration = SignedDuration::from_hours(30 * 24);

const A_DAY: SignedDuration = SignedDuration::from_hours(24);
const AN_HOUR: SignedDuration = SignedDuration::from_hours(1);

/// What was said, and when.
#[derive(Default)]
pub(super) struct Expiries {
    looked_at: Option<Timestamp>,
    warned_at: HashMap<CertificateId, Timestamp>,
}

impl Expiries {
    /// Looks through all certificates, once an hour at most.
    pub(super) fn warn(&mut self, house: &House) {
        let now = house.plane.seam.now();
        if self.looked_at.is_some_and(|then| now.duration_since(then).abs() < AN_HOUR) {
            return;
        }
        self.looked_at = Some(now);
        self.warned_at.retain(|_, then| now.duration_since(*then).abs() < A_DAY);
        let snapshot = house.plane.snapshot.load();
        for asp in snapshot.asps() {
            for environment in Environment::ALL {
                for certificate in &asp.getkey(environment).certificates {
                    let Some(not_after) = expires_soon(certificate, now) else { continue };
                    if self.warned_at.contains_key(&certificate.id) {
                        continue;
                    }
                    self.warned_at.insert(certificate.id, now);
                    warn!(
                        target: "suvidha::gateway",
                        aspid = asp.aspid.as_str(),
                        environment = environment.as_str(),
                        certificate = certificate.id.as_i64(),
                        %not_after,
                        "a signing certificate of an ASP expires soon; it needs a new one"
                    );
                }
            }
        }
    }
}

/// The last moment of a live certificate, if it is near and the certificate is not being replaced anyway.
fn expires_soon(certificate: &CertificateEntry, now: Timestamp) -> Option<Timestamp> {
    let not_after = certificate.not_after?;
    let live = certificate.state(now) == CertificateState::Live && certificate.until.is_none();
    (live && not_after.duration_since(now) < SOON).then_some(not_after)
}
