//! Limits on failing attempts, asked before any signature is verified: guessing must cost others more than us.
//!
//! An address from which an ASP succeeded lately, or from which alone it may call, has a count of its own with that ASP.
//! All others are strangers, and share two: that of their address, and that of the ASP in whose name they come. So
//! strangers lock out one another, and nobody who is known.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use gstn::AspId;
use jiff::{SignedDuration, Timestamp};
use suvidha_store::AspEntry;

use crate::config::GetKey;
use crate::gcra::{Limiter, Rate};
use crate::generations::Generations;

/// How many addresses, and pairs of an ASP and an address, are counted at once.
const MOST: usize = 1 << 16;

/// For so long after a success an address is known.
const KNOWN_FOR: SignedDuration = SignedDuration::from_hours(24);

/// Where a call comes from: an address or, of IPv6, the network of 64 bits that one caller usually has to itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Origin(IpAddr);

impl Origin {
    fn of(address: IpAddr) -> Self {
        Self(match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(six) => Ipv6Addr::from_bits(six.to_bits() & !u128::from(u64::MAX)).into(),
        })
    }
}

/// The attempts at GetKey in one environment.
pub(super) struct Attempts {
    addresses: Limiter<Origin>,
    asps: Limiter<AspId>,
    known: Limiter<(AspId, Origin)>,
    successes: Limiter<AspId>,
    /// When an ASP last succeeded from an address. Only successes enter, so no stranger can crowd them out.
    homes: Mutex<Generations<(AspId, Origin), Timestamp>>,
}

/// An attempt that may be made. Its outcome is to be reported.
#[derive(Clone, Copy)]
pub(super) struct Attempt {
    asp: Option<AspId>,
    origin: Origin,
    known: bool,
}

impl Attempts {
    pub(super) fn new() -> Self {
        Self {
            addresses: Limiter::new(MOST),
            asps: Limiter::new(MOST),
            known: Limiter::new(MOST),
            successes: Limiter::new(MOST),
            homes: Mutex::new(Generations::new(MOST)),
        }
    }

    /// An attempt in the name of `asp`, if there is such a one; or how long to wait for it.
    pub(super) fn begin(
        &self,
        limits: &GetKey,
        asp: Option<&AspEntry>,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<Attempt, Duration> {
        let origin = Origin::of(address);
        let aspid = asp.map(|asp| asp.aspid);
        let known = asp.is_some_and(|asp| self.knows(asp, origin, address, now));
        let per_address = Rate::per_minute(limits.failures_per_address);
        let failures = match aspid {
            Some(aspid) if known => self.known.wait(per_address, &(aspid, origin), now),
            Some(aspid) => {
                let of_asp = self.asps.wait(Rate::per_minute(limits.failures_per_asp), &aspid, now);
                of_asp.max(self.addresses.wait(per_address, &origin, now))
            }
            None => self.addresses.wait(per_address, &origin, now),
        };
        let per_asp = Rate::per_minute(limits.calls_per_asp);
        let successes = aspid.and_then(|aspid| self.successes.wait(per_asp, &aspid, now));
        match failures.max(successes) {
            Some(wait) => Err(wait),
            None => Ok(Attempt { asp: aspid, origin, known }),
        }
    }

    pub(super) fn failed(&self, limits: &GetKey, attempt: Attempt, now: Timestamp) {
        let per_address = Rate::per_minute(limits.failures_per_address);
        match attempt.asp {
            Some(asp) if attempt.known => self.known.count(per_address, (asp, attempt.origin), now),
            asp => {
                self.addresses.count(per_address, attempt.origin, now);
                if let Some(asp) = asp {
                    self.asps.count(Rate::per_minute(limits.failures_per_asp), asp, now);
                }
            }
        }
    }

    pub(super) fn succeeded(&self, limits: &GetKey, attempt: Attempt, now: Timestamp) {
        let Some(asp) = attempt.asp else { return };
        self.successes.count(Rate::per_minute(limits.calls_per_asp), asp, now);
        self.homes.lock().unwrap_or_else(PoisonError::into_inner).insert((asp, attempt.origin), now);
    }

    fn knows(&self, asp: &AspEntry, origin: Origin, address: IpAddr, now: Timestamp) -> bool {
        let mut homes = self.homes.lock().unwrap_or_else(PoisonError::into_inner);
        let lately =
            homes.get(&(asp.aspid, origin)).is_some_and(|&then| now.duration_since(then) < KNOWN_FOR);
        lately || asp.allowed_ips.iter().any(|net| net.contains(&address))
    }
}
