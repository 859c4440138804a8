//! What calls and the hot functions cost, in instructions and in allocations, beside a committed baseline.
//!
//! Times are noisy where a machine is shared; what callgrind counts is not. So this is what a gate can hold: the program runs
//! itself once more under callgrind, as a gateway with all that a call passes (`counted.rs`), reads what was counted
//! (`callgrind.rs`), and compares (`baseline.rs`).

mod baseline;
mod callgrind;
mod counted;
mod functions;
mod ledger;
mod log;
mod rows;
mod wire;
mod world;

use std::env;
use std::path::Path;
use std::process::ExitCode;

use self::baseline::{Baseline, Judgement};

/// What went wrong, in words for whoever counts.
type Failure = Box<dyn std::error::Error>;

/// The product's: it is a part of what a call costs.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USAGE: &str = "usage: suvidha-count [--accept | --profile NAME]";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        [] => compare(),
        ["--accept"] => accept(),
        ["--profile", name] => profile(name),
        [counted::WORD, directory, what, times] => times
            .parse()
            .map_err(Failure::from)
            .and_then(|times| counted::run(Path::new(directory), what, times)),
        _ => Err(USAGE.into()),
    };
    match done {
        Ok(report) => {
            say(&report);
            ExitCode::SUCCESS
        }
        Err(failure) => {
            say(&format!("suvidha-count: {failure}"));
            ExitCode::FAILURE
        }
    }
}

/// Counts, and fails where something costs more than the baseline says.
fn compare() -> Result<String, Failure> {
    let baseline = Baseline::read()?;
    let mut counted = Baseline::of(rows::all()?)?;
    for row in baseline.worse(&counted) {
        counted.lower(rows::count(&row)?);
    }
    let Judgement { table, faults, hints } = baseline.judge(&counted);
    say(&table);
    if faults.is_empty() { Ok(hints) } else { Err(faults.into()) }
}

/// Counts, and makes that the baseline.
fn accept() -> Result<String, Failure> {
    let counted = Baseline::of(rows::all()?)?;
    // The first baseline has nothing before it.
    say(&Baseline::read().unwrap_or_default().judge(&counted).table);
    counted.write()
}

/// Where the instructions and the allocations of one row go.
fn profile(name: &str) -> Result<String, Failure> {
    rows::profile(name)
}

#[expect(clippy::print_stdout, reason = "the report is the product")]
fn say(words: &str) {
    println!("{words}");
}
