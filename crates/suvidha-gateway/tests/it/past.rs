//! A stage with a past: calls of two ASPs that were recorded before it opens.

use std::ops::{Range, RangeInclusive};
use std::sync::Arc;
use std::time::Duration;

use gstn::AspId;
use gstn::envelope::StatusCd;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use suvidha_gateway::config::{Config, Ledger as LedgerConfig};
use suvidha_seam::{ManualClock, Seam, SystemRng};
use suvidha_store::ledger::{Entry, Ledger, Observer, Outcome, PlanKind, Release, Ticket};

use crate::asp::Answer;
use crate::stage::{self, Sandbox, Stage};
use crate::stand_in::StandIn;

/// 22-11-2026 10:15:30 in India.
pub(crate) const NOW: &str = "2026-11-22T04:45:30Z";
/// The first moment of that day in India.
const MIDNIGHT: &str = "2026-11-21T18:30:00Z";

/// A stage with a past: entries that were written before it opens.
pub(crate) struct Past {
    pub(crate) stage: Stage,
    pub(crate) clock: Arc<ManualClock>,
}

pub(crate) fn past(entries: impl FnOnce(AspId, AspId) -> Vec<Entry>) -> Past {
    past_with(|_| (), entries)
}

/// `entries` gets the ASP of the stage, and another one.
pub(crate) fn past_with(
    change: impl FnOnce(&mut Config),
    entries: impl FnOnce(AspId, AspId) -> Vec<Entry>,
) -> Past {
    let clock = Arc::new(ManualClock::at(NOW.parse().unwrap()));
    let seam = Seam { clock: clock.clone(), rng: Arc::new(SystemRng) };
    let setting = stage::set_with(StandIn::content().address, seam.clone());
    let ledger = LedgerConfig::new(setting.path("ledger"));
    let setting = setting.with(|config| {
        config.ledger = Some(ledger.clone());
        change(config);
    });
    let stage = setting.start_after(|registry, aspid| {
        std::fs::create_dir_all(&ledger.directory).unwrap();
        write(&ledger, seam, entries(*aspid, stage::an_asp(registry)));
    });
    Past { stage, clock }
}

struct Nobody;

impl Observer for Nobody {
    fn committed(&self, _: Ticket) {}

    fn failed(&self, tickets: RangeInclusive<Ticket>, _: &[Entry]) {
        panic!("{tickets:?} could not be written");
    }
}

fn write(config: &LedgerConfig, seam: Seam, entries: Vec<Entry>) {
    let ledger = Ledger::open(&config.file(Sandbox), Sandbox, seam).unwrap();
    let writer = ledger.start(Duration::ZERO, None, Arc::new(Nobody)).unwrap();
    for entry in entries {
        writer.submit(entry, Release::Done);
    }
    writer.stop().unwrap();
}

/// A filing, so many seconds after midnight in India.
pub(crate) fn call(aspid: AspId, seconds: i64) -> Entry {
    let midnight: Timestamp = MIDNIGHT.parse().unwrap();
    Entry {
        id: Seam::system().uuid(),
        at: midnight + SignedDuration::from_secs(seconds),
        aspid: Some(aspid),
        claimed_aspid: None,
        txn: Some(format!("T{seconds}")),
        gstin: Some("29DEMOS1234D1ZG".to_owned()),
        ip_usr: Some("203.0.113.7".to_owned()),
        appver: None,
        method: Some("PUT".to_owned()),
        api: Some("taxpayerapi/returns/gstr1".to_owned()),
        action: Some("RETSAVE".to_owned()),
        version: Some("v4.1".to_owned()),
        status: Some(200),
        status_cd: Some(StatusCd::One),
        error_cd: None,
        origin: None,
        outcome: Outcome::Answered,
        bytes_in: 1000,
        bytes_out: 200,
        gstn_us: Some(1_500),
        total_us: 2_001,
        plan: Some(PlanKind::Prepaid),
        units: 2,
        admitted: true,
        consent: None,
    }
}

pub(crate) fn calls(aspid: AspId, seconds: Range<i64>) -> Vec<Entry> {
    seconds.map(|seconds| call(aspid, seconds)).collect()
}

impl Past {
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.stage.get(path, "")
    }

    /// The list `name` of a JSON answer.
    #[track_caller]
    pub(crate) fn list(&self, path: &str, name: &str) -> Vec<Value> {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()[name].as_array().unwrap_or_else(|| panic!("{}", answer.text())).clone()
    }

    pub(crate) fn txns(&self, path: &str) -> Vec<String> {
        txns(&self.list(path, "Txns"))
    }
}

/// The transaction ids of a list, without those of the calls that asked for it.
pub(crate) fn txns(list: &[Value]) -> Vec<String> {
    list.iter().filter_map(|row| row["TxnID"].as_str()).map(str::to_owned).collect()
}
