//! Limits on failing attempts to prove who one is, by GetKey or by a password, asked before anything is verified: guessing
//! must cost others more than us.
//!
//! An address from which an ASP succeeded lately, or that is registered as the ASP's, has a count of its own with that ASP.
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

/// How many attempts a minute takes, and at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowance {
    pub(crate) failures_per_address: u32,
    pub(crate) failures_per_asp: u32,
    /// `None`: what succeeds is limited elsewhere.
    pub(crate) successes_per_asp: Option<u32>,
}

impl Allowance {
    pub(crate) fn of_getkey(limits: &GetKey) -> Self {
        Self { successes_per_asp: Some(limits.calls_per_asp), ..Self::of_passwords(limits) }
    }

    /// Passwords are guessed at no more often than signatures.
    pub(crate) fn of_passwords(limits: &GetKey) -> Self {
        let GetKey { failures_per_address, failures_per_asp, .. } = *limits;
        Self { failures_per_address, failures_per_asp, successes_per_asp: None }
    }
}

/// The attempts of one kind in one environment.
pub(crate) struct Attempts {
    addresses: Limiter<Origin>,
    asps: Limiter<AspId>,
    known: Limiter<(AspId, Origin)>,
    successes: Limiter<AspId>,
    /// When an ASP last succeeded from an address. Only successes enter, so no stranger can crowd them out.
    homes: Mutex<Generations<(AspId, Origin), Timestamp>>,
}

/// Whose call it says it is, and where it comes from.
pub(crate) struct Claim {
    /// If there is such a one.
    pub(crate) asp: Option<AspId>,
    pub(crate) address: IpAddr,
    /// The address is one of those that the operator has registered for the ASP.
    pub(crate) registered: bool,
}

impl Claim {
    /// `asp`: the one that is named, if there is such a one.
    pub(crate) fn of(asp: Option<&AspEntry>, address: IpAddr) -> Self {
        let registered = asp.is_some_and(|asp| asp.allowed_ips.iter().any(|net| net.contains(&address)));
        Self { asp: asp.map(|asp| asp.aspid), address, registered }
    }
}

/// An attempt that may be made. Its outcome is to be reported.
#[derive(Clone, Copy)]
pub(crate) struct Attempt {
    asp: Option<AspId>,
    origin: Origin,
    known: bool,
}

impl Attempts {
    pub(crate) fn new() -> Self {
        Self {
            addresses: Limiter::new(MOST),
            asps: Limiter::new(MOST),
            known: Limiter::new(MOST),
            successes: Limiter::new(MOST),
            homes: Mutex::new(Generations::new(MOST)),
        }
    }

    /// An attempt, or how long to wait for it.
    pub(crate) fn begin(
        &self,
        allowance: Allowance,
        Claim { asp, address, registered }: Claim,
        now: Timestamp,
    ) -> Result<Attempt, Duration> {
        let origin = Origin::of(address);
        let known = registered || asp.is_some_and(|asp| self.knows(asp, origin, now));
        let per_address = Rate::per_minute(allowance.failures_per_address);
        let failures = match asp {
            Some(asp) if known => self.known.wait(per_address, &(asp, origin), now),
            Some(asp) => {
                let of_asp = self.asps.wait(Rate::per_minute(allowance.failures_per_asp), &asp, now);
                of_asp.max(self.addresses.wait(per_address, &origin, now))
            }
            None => self.addresses.wait(per_address, &origin, now),
        };
        let per_asp = allowance.successes_per_asp.map(Rate::per_minute);
        let successes = asp.zip(per_asp).and_then(|(asp, per_asp)| self.successes.wait(per_asp, &asp, now));
        match failures.max(successes) {
            Some(wait) => Err(wait),
            None => Ok(Attempt { asp, origin, known }),
        }
    }

    pub(crate) fn failed(&self, allowance: Allowance, attempt: Attempt, now: Timestamp) {
        let per_address = Rate::per_minute(allowance.failures_per_address);
        match attempt.asp {
            Some(asp) if attempt.known => self.known.count(per_address, (asp, attempt.origin), now),
            asp => {
                self.addresses.count(per_address, attempt.origin, now);
                if let Some(asp) = asp {
                    self.asps.count(Rate::per_minute(allowance.failures_per_asp), asp, now);
                }
            }
        }
    }

    pub(crate) fn succeeded(&self, allowance: Allowance, attempt: Attempt, now: Timestamp) {
        let Some(asp) = attempt.asp else { return };
        if let Some(per_asp) = allowance.successes_per_asp {
            self.successes.count(Rate::per_minute(per_asp), asp, now);
        }
        self.homes.lock().unwrap_or_else(PoisonError::into_inner).insert((asp, attempt.origin), now);
    }

    fn knows(&self, asp: AspId, origin: Origin, now: Timestamp) -> bool {
        let mut homes = self.homes.lock().unwrap_or_else(PoisonError::into_inner);
        homes.get(&(asp, origin)).is_some_and(|&then| now.duration_since(then) < KNOWN_FOR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRANGER: &str = "198.51.100.1";
    const HOME: &str = "203.0.113.7";

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_795_342_530 + seconds).unwrap()
    }

    fn allowance() -> Allowance {
        Allowance { failures_per_address: 3, failures_per_asp: 5, successes_per_asp: Some(10) }
    }

    fn asp(number: u64) -> Option<AspId> {
        AspId::new(number)
    }

    fn claim(asp: Option<AspId>, address: &str) -> Claim {
        Claim { asp, address: address.parse().unwrap(), registered: false }
    }

    impl Attempts {
        /// How many of ten attempts, all of which fail, may be made.
        fn failures(&self, asp: Option<AspId>, address: &str, now: Timestamp) -> usize {
            let one = |_: &usize| match self.begin(allowance(), claim(asp, address), now) {
                Ok(attempt) => {
                    self.failed(allowance(), attempt, now);
                    true
                }
                Err(_) => false,
            };
            (0..10).filter(one).count()
        }

        fn succeeds(&self, asp: Option<AspId>, address: &str, now: Timestamp) -> bool {
            let attempt = self.begin(allowance(), claim(asp, address), now);
            attempt.is_ok_and(|attempt| {
                self.succeeded(allowance(), attempt, now);
                true
            })
        }
    }

    #[test]
    fn an_address_fails_so_often_whatever_asp_it_names() {
        let attempts = Attempts::new();
        assert_eq!(attempts.failures(None, STRANGER, at(0)), 3);
        assert_eq!(attempts.failures(asp(1), STRANGER, at(0)), 0);
        assert_eq!(attempts.failures(asp(1), HOME, at(0)), 3, "another address");
        let wait = attempts.begin(allowance(), claim(asp(1), STRANGER), at(0)).err();
        assert_eq!(wait, Some(Duration::from_secs(20)));
        assert_eq!(attempts.failures(asp(1), STRANGER, at(20)), 1);
    }

    #[test]
    fn an_ipv6_caller_is_its_network() {
        let attempts = Attempts::new();
        assert_eq!(attempts.failures(None, "2001:db8:0:1::1", at(0)), 3);
        assert_eq!(attempts.failures(None, "2001:db8:0:1:ffff::2", at(0)), 0);
        assert_eq!(attempts.failures(None, "2001:db8:0:2::1", at(0)), 3);
    }

    #[test]
    fn strangers_fail_so_often_in_an_asps_name_from_however_many_addresses() {
        let attempts = Attempts::new();
        let failures = |last| attempts.failures(asp(1), &format!("198.51.100.{last}"), at(0));
        assert_eq!((1..=20).map(failures).sum::<usize>(), 5);
        assert_eq!(attempts.failures(asp(2), "198.51.100.99", at(0)), 3, "in another's name");
    }

    #[test]
    fn strangers_lock_out_nobody_who_is_known() {
        let attempts = Attempts::new();
        assert!(attempts.succeeds(asp(1), HOME, at(0)));
        for last in 1..=20 {
            attempts.failures(asp(1), &format!("198.51.100.{last}"), at(0));
        }
        assert_eq!(attempts.failures(asp(2), HOME, at(0)), 3, "another ASP behind the same address");
        assert!(!attempts.succeeds(asp(1), STRANGER, at(0)));
        assert!(attempts.succeeds(asp(1), HOME, at(0)));
        assert_eq!(attempts.failures(asp(1), HOME, at(0)), 3, "its own failures count with itself");
        assert!(!attempts.succeeds(asp(1), HOME, at(0)));
        assert!(attempts.succeeds(asp(1), HOME, at(60)));
    }

    #[test]
    fn strangers_lock_out_nobody_at_a_registered_address() {
        let attempts = Attempts::new();
        for last in 1..=20 {
            attempts.failures(asp(1), &format!("198.51.100.{last}"), at(0));
        }
        let registered = || {
            let claim = Claim { registered: true, ..claim(asp(1), HOME) };
            attempts
                .begin(allowance(), claim, at(0))
                .map(|attempt| attempts.failed(allowance(), attempt, at(0)))
        };
        assert_eq!((0..10).filter(|_| registered().is_ok()).count(), 3, "before it ever succeeded");
    }

    #[test]
    fn an_address_that_was_known_is_a_stranger_after_a_day() {
        let attempts = Attempts::new();
        let day = 24 * 60 * 60;
        assert!(attempts.succeeds(asp(1), HOME, at(0)));
        assert_eq!(attempts.failures(asp(1), HOME, at(day - 1)), 3);
        assert_eq!(attempts.failures(asp(1), HOME, at(day)), 3, "counted with its address now");
        assert_eq!(attempts.failures(None, HOME, at(day)), 0);
    }

    #[test]
    fn successes_are_limited_too_and_do_not_count_as_failures() {
        let attempts = Attempts::new();
        let successes = (0..20).filter(|_| attempts.succeeds(asp(1), HOME, at(0))).count();
        assert_eq!(successes, 10);
        assert!(attempts.succeeds(asp(2), HOME, at(0)));
        assert!(attempts.succeeds(asp(1), HOME, at(6)));
    }
}
