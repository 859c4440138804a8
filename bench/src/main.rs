//! Measurements of the gateway, from outside: a real process, real sockets, `/proc` for memory and CPU time.

mod bare;
mod cost;
mod disk;
mod figures;
mod gateway;
mod getkey;
mod ledger;
mod load;
mod nginx;
mod pace;
mod process;
mod stream;
mod upstream;

use std::env;
use std::process::ExitCode;

/// What went wrong, in words for whoever runs the measurement.
type Failure = Box<dyn std::error::Error>;

/// The product's: it is a part of what a call costs.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let measured = match env::args().nth(1).as_deref() {
        Some("cost") => rounds().and_then(cost::measure),
        Some("getkey") => getkey::measure(),
        Some("ledger") => ledger::measure(),
        Some(ledger::WORD) => ledger::read(env::args().skip(2)),
        Some("stream") => stream::measure(),
        Some(bare::WORD) => bare::serve(env::args_os().skip(2)),
        _ => Err("usage: suvidha-bench cost [ROUNDS]|getkey|ledger|stream".into()),
    };
    match measured {
        Ok(report) => {
            say(&report);
            ExitCode::SUCCESS
        }
        Err(failure) => {
            say(&format!("suvidha-bench: {failure}"));
            ExitCode::FAILURE
        }
    }
}

/// How many rounds were asked for.
fn rounds() -> Result<Option<usize>, Failure> {
    let asked = env::args().nth(2).map(|text| text.parse()).transpose()?;
    Ok(asked.filter(|rounds| *rounds > 0))
}

#[expect(clippy::print_stdout, reason = "the report is the product")]
fn say(words: &str) {
    println!("{words}");
}
