//! A ledger of a million entries: what writing it costs, and how long and in how much memory it is read.
//!
//! Each reading has a process of its own, so that its peak is its own.

use std::fmt::Write as _;
use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gstn::catalogue::Origin;
use gstn::envelope::StatusCd;
use gstn::{AspId, Environment};
use suvidha_seam::{ManualClock, Seam, SystemRng};
use suvidha_store::PlanKind;
use suvidha_store::ledger::{
    By, Entry, Filter, Ledger, LedgerReader, Observer, Order, Outcome, Release, Ticket,
};

use crate::Failure;
use crate::process::{cpu_time, cpu_time_of_thread};

/// The argument with which a reading is started.
pub(crate) const WORD: &str = "ledger-read";

const ENTRIES: u64 = 1_000_000;
/// They fill the 30 days of a month.
const APART_MS: i64 = 2_592;
const BEGIN: &str = "2026-10-31T18:30:00Z";
const END: &str = "2026-11-30T18:30:00Z";
const ASPS: u64 = 50;
/// What waits to be written, at most: as many calls would be under way.
const WAITING: usize = 1_000;

const APIS: [&str; 6] = [
    "taxpayerapi/returns/gstr1",
    "taxpayerapi/returns/gstr2b",
    "taxpayerapi/returns/gstr3b",
    "taxpayerapi/returns",
    "taxpayerapi/authenticate",
    "commonapi/search",
];

/// How the readings are called, and what they are.
const READINGS: [(&str, &str); 8] = [
    ("dailytxn", "the log of one ASP's day, the busiest one's, in pages of 500"),
    ("dailysummary", "the daily summary of that ASP's month, in pages of 1,000"),
    ("summary", "summary of the month by day, ASP and API (from the kept sums)"),
    ("errors", "summary of the month by error and origin (from the entries)"),
    ("txn", "all calls of that ASP's month with one txn"),
    ("newest", "the newest 100 entries"),
    ("request", "one entry by its request id"),
    ("verify", "verify"),
];

pub(crate) fn measure() -> Result<String, Failure> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("production.sqlite");
    let mut report = written(&path)?;
    report.push_str("\n| read | seconds | found | peak RSS, MiB |\n|---|---|---|---|\n");
    for (reading, words) in READINGS {
        let output = Command::new(std::env::current_exe()?).arg(WORD).arg(reading).arg(&path).output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
        }
        writeln!(report, "| {words} | {} |", String::from_utf8(output.stdout)?.trim())?;
    }
    Ok(report)
}

struct Nobody;

impl Observer for Nobody {
    fn committed(&self, _: Ticket) {}
    fn failed(&self, _: RangeInclusive<Ticket>, _: &[Entry]) {}
}

/// Writes the ledger and tells what that cost.
fn written(path: &Path) -> Result<String, Failure> {
    let clock = Arc::new(ManualClock::at(BEGIN.parse()?));
    let seam = Seam { clock: clock.clone(), rng: Arc::new(SystemRng) };
    let ledger = Ledger::open(path, Environment::Production, seam.clone())?;
    let writer = ledger.start(Duration::ZERO, None, Arc::new(Nobody))?;
    let (began, cpu) = (Instant::now(), cpu_time(std::process::id())?);
    for number in 0..ENTRIES {
        while writer.queued() >= WAITING {
            std::thread::sleep(Duration::from_micros(200));
        }
        writer.submit(entry(number, &seam), Release::Held);
        clock.advance(APART_MS);
    }
    let thread = cpu_time_of_thread("ledger")?;
    let figures = writer.figures();
    writer.stop()?;
    let (took, cpu) = (began.elapsed(), cpu_time(std::process::id())? - cpu);
    let micros = |time: Duration| time.as_secs_f64() * 1e6 / ENTRIES as f64;
    Ok(format!(
        "1,000,000 entries written in {:.1} s: {:.0} a second, in groups of {:.0} on average, {:.2} ms each.\n\
         CPU per entry: {:.1} µs of the writer's thread; {:.1} µs of the process, with making and queueing them.\n\
         On disk: {} bytes per entry.\n",
        took.as_secs_f64(),
        ENTRIES as f64 / took.as_secs_f64(),
        figures.entries as f64 / figures.groups as f64,
        figures.commits.sum.as_secs_f64() * 1e3 / figures.groups as f64,
        micros(thread),
        micros(cpu),
        fs::metadata(path)?.len() / ENTRIES,
    ))
}

/// One call: every fifth of the first ASP, one in twenty with an error of GSTN's, one in a hundred that did not get there.
fn entry(number: u64, seam: &Seam) -> Entry {
    let scattered = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    let asp = if number.is_multiple_of(5) { 1 } else { 2 + scattered % (ASPS - 1) };
    let (error_cd, origin) = match number % 100 {
        0 => (Some("GSP027".to_owned()), Some(Origin::Network)),
        1..6 => (Some("RET191106".to_owned()), Some(Origin::Gstn)),
        _ => (None, None),
    };
    let answered = origin != Some(Origin::Network);
    Entry {
        id: seam.uuid(),
        at: seam.now(),
        aspid: AspId::new(1_000_000_000 + asp),
        claimed_aspid: None,
        txn: Some(format!("LAPN{scattered:020}")),
        gstin: Some(format!("27AAPFU{:04}F1ZV", scattered % 2_000)),
        ip_usr: Some("203.0.113.77".to_owned()),
        appver: Some("4.12.0".to_owned()),
        method: Some("GET".to_owned()),
        api: APIS.get(scattered as usize % APIS.len()).map(|api| (*api).to_owned()),
        action: Some("RETSTATUS".to_owned()),
        version: Some("v4.1".to_owned()),
        status: Some(if answered { 200 } else { 502 }),
        status_cd: answered.then_some(if origin.is_none() { StatusCd::One } else { StatusCd::Zero }),
        error_cd,
        origin,
        outcome: if answered { Outcome::Answered } else { Outcome::Refused },
        bytes_in: 0,
        bytes_out: 500 + scattered % 100_000,
        gstn_us: Some(40_000 + scattered % 60_000),
        total_us: 41_000 + scattered % 60_000,
        plan: Some(PlanKind::Prepaid),
        units: u64::from(answered),
        admitted: true,
        consent: None,
    }
}

/// One reading, in this process: `seconds | found | peak`.
pub(crate) fn read(mut arguments: impl Iterator<Item = String>) -> Result<String, Failure> {
    let (reading, path) = arguments.next().zip(arguments.next()).ok_or("what to read, and where?")?;
    let began = Instant::now();
    let reader = LedgerReader::open(Path::new(&path))?;
    let found = found(&reader, &reading)?;
    let seconds = began.elapsed().as_secs_f64();
    let status = fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    let kib: f64 = peak.trim().trim_end_matches(" kB").parse()?;
    Ok(format!("{seconds:.3} | {found} | {:.1}", kib / 1024.0))
}

fn found(reader: &LedgerReader, reading: &str) -> Result<String, Failure> {
    let busiest = AspId::new(1_000_000_001).ok_or("no aspid")?;
    let month = Filter { from: Some(BEGIN.parse()?), until: Some(END.parse()?), ..Filter::default() };
    let of_busiest = Filter { aspid: Some(busiest), ..month.clone() };
    let groups = |filter: &Filter, by: &[By]| -> Result<String, Failure> {
        let groups = reader.summary(filter, by)?;
        let calls: u64 = groups.iter().map(|group| group.totals.calls).sum();
        Ok(format!("{} groups of {calls} entries", groups.len()))
    };
    match reading {
        "dailytxn" => {
            let day = Filter {
                from: Some("2026-11-14T18:30:00Z".parse()?),
                until: Some("2026-11-15T18:30:00Z".parse()?),
                ..of_busiest
            };
            entries(reader, &day)
        }
        "txn" => {
            let some = reader.entries(&of_busiest, Order::NewestFirst, None, 1)?;
            let txn = some.entries.into_iter().next().and_then(|recorded| recorded.entry.txn);
            entries(reader, &Filter { txn, ..of_busiest })
        }
        "request" => {
            let some = reader.entries(&month, Order::OldestFirst, Some(ENTRIES / 2), 1)?;
            let entry = some.entries.into_iter().next().ok_or("no entry")?.entry;
            // A request id tells when it was made.
            let (from, until) = (Some(entry.at), Some(entry.at + Duration::from_secs(1)));
            entries(reader, &Filter { id: Some(entry.id), from, until, ..Filter::default() })
        }
        "dailysummary" => {
            let days = ("2026-11-01".parse()?, "2026-11-30".parse()?);
            let (mut after, mut count, mut calls) = (None, 0, 0);
            loop {
                let page = reader.daily_summary(&busiest, days, after.as_ref(), 1_000)?;
                count += page.groups.len();
                calls += page.groups.iter().map(|group| group.totals.calls).sum::<u64>();
                after = page.groups.into_iter().last().map(|group| group.key);
                if !page.more {
                    return Ok(format!("{count} groups of {calls} entries"));
                }
            }
        }
        "summary" => groups(&month, &[By::Day, By::Asp, By::Api]),
        "errors" => groups(&month, &[By::Error, By::Origin]),
        "newest" => {
            let page = reader.entries(&Filter::default(), Order::NewestFirst, None, 100)?;
            Ok(format!("{} entries", page.entries.len()))
        }
        "verify" => {
            let verified = reader.verify(None, |_| {}, |_| {})?;
            Ok(format!("{} entries, {} findings", verified.entries, verified.findings))
        }
        other => Err(format!("no reading {other}").into()),
    }
}

fn entries(reader: &LedgerReader, filter: &Filter) -> Result<String, Failure> {
    let (mut after, mut count, mut pages) = (None, 0, 0);
    loop {
        let page = reader.entries(filter, Order::OldestFirst, after, 500)?;
        count += page.entries.len();
        pages += 1;
        after = Some(page.reached);
        if !page.more {
            return Ok(format!("{count} entries in {pages} pages"));
        }
    }
}
