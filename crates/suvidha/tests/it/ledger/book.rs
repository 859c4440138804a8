//! A ledger with known entries, written as a gateway writes it, in the data directory of a place.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use gstn::Environment;
use gstn::catalogue::Origin;
use gstn::envelope::StatusCd;
use jiff::{SignedDuration, Timestamp};
use suvidha_seam::{Seam, SeededRng, SystemClock};
use suvidha_store::PlanKind;
use suvidha_store::ledger::{Entry, Ledger, Observer, Outcome, Release, Ticket, Writer};
use uuid::Uuid;

use crate::command::Place;

/// Nobody waits for these entries.
struct Nobody;

impl Observer for Nobody {
    fn committed(&self, _: Ticket) {}
    fn failed(&self, _: RangeInclusive<Ticket>, _: &[Entry]) {}
}

pub(super) fn path(place: &Place, environment: Environment) -> PathBuf {
    place.path(&format!("suvidha-data/ledger/{environment}.sqlite"))
}

/// Opens the book of an environment; the same one each time, with the same hashes for the same entries.
pub(super) fn open(place: &Place, environment: Environment) -> Writer {
    let seam = Seam { clock: Arc::new(SystemClock), rng: Arc::new(SeededRng::new(7)) };
    let ledger = Ledger::open(&path(place, environment), environment, seam).unwrap();
    ledger.start(Duration::ZERO, None, Arc::new(Nobody)).unwrap()
}

/// Writes `entries` into the sandbox's book, and closes it.
pub(super) fn write(place: &Place, entries: impl IntoIterator<Item = Entry>) {
    let writer = open(place, Environment::Sandbox);
    for entry in entries {
        writer.submit(entry, Release::Done);
    }
    writer.stop().unwrap();
}

pub(super) const BEGIN: &str = "2026-11-22T04:45:30.123456Z";

/// The n-th call: a second after the one before, answered by GSTN.
pub(super) fn call(number: u32) -> Entry {
    let begin: Timestamp = BEGIN.parse().unwrap();
    Entry {
        id: Uuid::from_u128(0x0193_5000_0000_7000_8000_0000_0000_0000 + u128::from(number)),
        at: begin + SignedDuration::from_secs(number.into()),
        aspid: Some("1234567890".parse().unwrap()),
        claimed_aspid: None,
        txn: Some(format!("TXN{number:04}")),
        gstin: Some("27AAPFU0939F1ZV".to_owned()),
        ip_usr: Some("203.0.113.7".to_owned()),
        appver: Some("1.2".to_owned()),
        method: Some("PUT".to_owned()),
        api: Some("taxpayerapi/returns/gstr1".to_owned()),
        action: Some("RETSAVE".to_owned()),
        version: Some("v4.1".to_owned()),
        status: Some(200),
        status_cd: Some(StatusCd::One),
        error_cd: None,
        origin: None,
        outcome: Outcome::Answered,
        bytes_in: 2_000,
        bytes_out: 150,
        gstn_us: Some(41_000),
        total_us: 41_370,
        plan: Some(PlanKind::Prepaid),
        units: 1,
        admitted: true,
        consent: None,
    }
}

/// A call that GSTN refused.
pub(super) fn refused_by_gstn(number: u32) -> Entry {
    Entry {
        status_cd: Some(StatusCd::Zero),
        error_cd: Some("RET11416".to_owned()),
        origin: Some(Origin::Gstn),
        gstin: Some("29AAPFU0939F1ZR".to_owned()),
        action: Some("B2B".to_owned()),
        method: Some("GET".to_owned()),
        ..call(number)
    }
}

/// A stranger who claims to be somebody, and sends what a terminal or a spreadsheet could take amiss.
pub(super) fn stranger(number: u32) -> Entry {
    Entry {
        aspid: None,
        claimed_aspid: Some("1234567890".parse().unwrap()),
        txn: Some("=1+1,\"\u{1b}[2J\"".to_owned()),
        gstin: None,
        ip_usr: None,
        appver: None,
        method: Some("GET".to_owned()),
        api: Some("commonapi/search".to_owned()),
        action: None,
        version: None,
        status: Some(401),
        status_cd: None,
        error_cd: Some("GSP602".to_owned()),
        origin: Some(Origin::Gsp),
        outcome: Outcome::Refused,
        bytes_in: 0,
        bytes_out: 412,
        gstn_us: None,
        total_us: 95,
        plan: None,
        units: 0,
        admitted: false,
        ..call(number)
    }
}

/// A call whose ASP did not wait for the answer.
pub(super) fn abandoned(number: u32) -> Entry {
    let aspid = Some("2222222222".parse().unwrap());
    Entry {
        aspid,
        status: None,
        status_cd: None,
        outcome: Outcome::Abandoned,
        bytes_out: 0,
        units: 0,
        ..call(number)
    }
}

/// One of each.
pub(super) fn one_of_each() -> Vec<Entry> {
    vec![call(1), refused_by_gstn(2), stranger(3), abandoned(4)]
}
