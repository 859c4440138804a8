//! `bench sandbox`: ten thousand taxpayers with a million documents in the simulated GSTN. What a save, a statement and a
//! search cost, before the others have filed and after.

mod gstn_client;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::machine::Machine;
use crate::process::load_average;
use crate::{Failure, progress, results};
use gstn_client::{Session, Simulated};

/// Before Tables 12 and 13 became mandatory: the documents are all there is.
const PERIOD: &str = "042025";
const WHILE_IT_IS_SAVED: &str = "2025-05-05";
const WHEN_STATEMENTS_ARE_MADE: &str = "2025-05-15";
/// The buyers' GSTINs are made up by the sandbox, one after the other.
const DOCUMENTS_OF_A_SAVE: usize = 10_000;
const SEARCHES: usize = 500;

/// How much of everything.
struct Size {
    taxpayers: usize,
    saves: usize,
    /// Sellers whose documents all go to one buyer, with so many each.
    sellers_to_one: usize,
    documents_to_one: usize,
}

const WHOLE: Size = Size { taxpayers: 10_000, saves: 95, sellers_to_one: 50, documents_to_one: 1_000 };
const QUICK: Size = Size { taxpayers: 100, saves: 2, sellers_to_one: 2, documents_to_one: 1_000 };

/// A row of the report.
struct Row {
    what: &'static str,
    before: Option<Duration>,
    after: Duration,
    /// The peak of its memory meanwhile.
    peak_kib: u64,
}

/// What was found.
struct Found {
    taxpayers: usize,
    made_in: Duration,
    documents: usize,
    loaded_in: Duration,
    disk_mib: u64,
    rows: Vec<Row>,
}

/// Measures, and reports in Markdown.
pub(crate) fn measure(arguments: &[String]) -> Result<String, Failure> {
    let (quick, out) = options(arguments)?;
    let (machine, before) = (Machine::this(), load_average()?);
    let found = run(if quick { &QUICK } else { &WHOLE })?;
    let after = load_average()?;
    let mut page = String::new();
    if quick {
        writeln!(page, "**A quick run: its figures say nothing.**\n")?;
    }
    writeln!(page, "{}. Load average before: {before}; after: {after}.\n", machine.line())?;
    page += &found.report()?;
    if let Some(out) = out {
        let raw = json!({
            "measurement": "sandbox", "machine": machine.raw(), "load_average_before": before,
            "load_average_after": after, "found": found.raw(),
        });
        results::write(&out, "sandbox", &machine.date, &raw, &page, None)?;
    }
    Ok(page)
}

fn run(size: &Size) -> Result<Found, Failure> {
    let mut gstn = Simulated::start()?;
    gstn.set_clock(WHILE_IT_IS_SAVED)?;
    progress("making the taxpayers");
    let began = Instant::now();
    let taxpayers = gstn.make_taxpayers(size.taxpayers)?;
    let made_in = began.elapsed();
    let buyer = taxpayers.last().ok_or("no taxpayer")?;

    let session = gstn.log_in(&taxpayers[0])?;
    let save_before = timed_save(&mut gstn, &session, &taxpayers)?;
    let search_before = searches(&mut gstn, &taxpayers)?;
    progress("saving the documents");
    let began = Instant::now();
    for seller in &taxpayers[1..size.saves] {
        let session = gstn.log_in(seller)?;
        timed_save(&mut gstn, &session, &taxpayers)?;
    }
    let (to_one, last) = (size.saves + size.sellers_to_one, size.documents_to_one);
    for seller in &taxpayers[size.saves..to_one] {
        let session = gstn.log_in(seller)?;
        let documents = (0..last).map(|number| (buyer["gstin"].clone(), format!("B{number}")));
        gstn.save(&session, PERIOD, &invoices(documents))?;
        gstn.file(&session, PERIOD)?;
    }
    let loaded_in = began.elapsed();

    let session = gstn.log_in(&taxpayers[to_one])?;
    let mut rows = vec![
        Row {
            what: "a save of 10,000 invoices, from the call to `P`",
            before: Some(save_before),
            after: timed_save(&mut gstn, &session, &taxpayers)?,
            peak_kib: gstn.memory_kib()?,
        },
        Row {
            what: "a search for a taxpayer",
            before: Some(search_before),
            after: searches(&mut gstn, &taxpayers)?,
            peak_kib: gstn.memory_kib()?,
        },
    ];
    rows.extend(statements(&mut gstn, buyer)?);
    Ok(Found {
        taxpayers: taxpayers.len(),
        made_in,
        documents: size.saves * DOCUMENTS_OF_A_SAVE + size.sellers_to_one * size.documents_to_one,
        loaded_in,
        disk_mib: gstn.disk_mib()?,
        rows,
    })
}

impl Found {
    fn report(&self) -> Result<String, Failure> {
        let Self { taxpayers, made_in, documents, loaded_in, disk_mib, rows } = self;
        let saved = (documents - DOCUMENTS_OF_A_SAVE) as f64 / loaded_in.as_secs_f64();
        let mut page = format!(
            "{taxpayers} taxpayers were made in {:.1} s; {documents} documents were saved in {:.1} s, {saved:.0} a second. They \
             take {disk_mib} MiB on disk.\n\n",
            made_in.as_secs_f64(),
            loaded_in.as_secs_f64(),
        );
        writeln!(page, "| what | in an empty sandbox | with all of it | peak RSS, MiB |\n|---|---|---|---|")?;
        for row in rows {
            let before = row.before.map(shown).unwrap_or_else(|| "-".into());
            let peak = row.peak_kib as f64 / 1024.0;
            writeln!(page, "| {} | {before} | {} | {peak:.0} |", row.what, shown(row.after))?;
        }
        Ok(page)
    }

    fn raw(&self) -> Value {
        let row = |row: &Row| {
            json!({
                "what": row.what, "before_s": row.before.map(|time| time.as_secs_f64()),
                "after_s": row.after.as_secs_f64(), "peak_rss_kib": row.peak_kib,
            })
        };
        json!({
            "taxpayers": self.taxpayers, "made_s": self.made_in.as_secs_f64(), "documents": self.documents,
            "loaded_s": self.loaded_in.as_secs_f64(), "disk_mib": self.disk_mib,
            "rows": self.rows.iter().map(row).collect::<Vec<_>>(),
        })
    }
}

/// What the one buyer's GSTR-2A and GSTR-2B cost.
fn statements(gstn: &mut Simulated, buyer: &Value) -> Result<Vec<Row>, Failure> {
    let session = gstn.log_in(buyer)?;
    let timed = |gstn: &mut Simulated, what, path: &str, action: &str| -> Result<Row, Failure> {
        gstn.forget_peak()?;
        let began = Instant::now();
        gstn.read(&session, path, action, PERIOD)?;
        Ok(Row { what, before: None, after: began.elapsed(), peak_kib: gstn.memory_kib()? })
    };
    let live = timed(gstn, "the GSTR-2A of the buyer of 50,000 documents", "returns/gstr2a", "B2B")?;
    gstn.set_clock(WHEN_STATEMENTS_ARE_MADE)?;
    let made = timed(gstn, "the same buyer's GSTR-2B, made and told", "returns/gstr2b", "GET2B")?;
    let told = timed(gstn, "the same GSTR-2B, told again", "returns/gstr2b", "GET2B")?;
    Ok(vec![live, made, told])
}

fn timed_save(gstn: &mut Simulated, session: &Session, buyers: &[Value]) -> Result<Duration, Failure> {
    let documents = (0..DOCUMENTS_OF_A_SAVE)
        .map(|number| (buyers[(number * 7 + 1) % buyers.len()]["gstin"].clone(), format!("A{number}")))
        .filter(|(buyer, _)| *buyer != session.gstin.as_str());
    let sections = invoices(documents);
    gstn.forget_peak()?;
    let began = Instant::now();
    gstn.save(session, PERIOD, &sections)?;
    Ok(began.elapsed())
}

/// Invoices of 1,000 rupees and tax each, one party after the other.
fn invoices(documents: impl Iterator<Item = (Value, String)>) -> Value {
    let mut parties: Vec<(Value, Vec<Value>)> = Vec::new();
    let mut sorted: Vec<_> = documents.collect();
    sorted.sort_by(|one, other| one.0.as_str().cmp(&other.0.as_str()));
    for (buyer, number) in sorted {
        let invoice = json!({
            "inum": number, "idt": "05-04-2025", "val": 1180, "pos": "27", "rchrg": "N", "inv_typ": "R",
            "itms": [{"num": 1, "itm_det": {"rt": 18, "txval": 1000, "iamt": 180, "csamt": 0}}],
        });
        match parties.last_mut() {
            Some((party, invoices)) if *party == buyer => invoices.push(invoice),
            _ => parties.push((buyer, vec![invoice])),
        }
    }
    parties.into_iter().map(|(ctin, inv)| json!({ "ctin": ctin, "inv": inv })).collect()
}

/// The time of one, over many.
fn searches(gstn: &mut Simulated, taxpayers: &[Value]) -> Result<Duration, Failure> {
    let began = Instant::now();
    for index in 0..SEARCHES {
        gstn.search(&taxpayers[index * 31 % taxpayers.len()])?;
    }
    Ok(began.elapsed() / u32::try_from(SEARCHES)?)
}

fn options(arguments: &[String]) -> Result<(bool, Option<PathBuf>), Failure> {
    let (mut quick, mut out) = (false, None);
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => quick = true,
            "--out" => out = Some(arguments.next().ok_or("--out needs a directory")?.into()),
            other => return Err(format!("bench sandbox takes --quick and --out DIR, not {other}").into()),
        }
    }
    if quick && out.is_some() {
        return Err("a quick run is for trying and keeps nothing: leave --quick or --out away".into());
    }
    Ok((quick, out))
}

fn shown(time: Duration) -> String {
    match time.as_secs_f64() {
        seconds if seconds < 0.01 => format!("{:.2} ms", seconds * 1e3),
        seconds => format!("{seconds:.2} s"),
    }
}
