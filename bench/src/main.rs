//! Measurements of the gateway, from outside: a real process, real sockets, `/proc` for memory and CPU time.

mod asps;
mod bare;
mod contest;
mod disk;
mod figures;
mod gateway;
mod getkey;
mod ledger;
mod load;
mod machine;
mod parts;
mod process;
mod results;
mod sandbox;
mod scale;
mod stream;
mod targets;
mod tools;
mod upstream;

use std::env;
use std::process::ExitCode;

/// What went wrong, in words for whoever runs the measurement.
type Failure = Box<dyn std::error::Error>;

const USAGE: &str = "usage: suvidha-bench gateway [OPTIONS]|getkey|ledger|parts [OPTIONS]|sandbox [OPTIONS]|scale [OPTIONS]|setup|stream";

/// The product's: it is a part of what a call costs.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let rest: Vec<_> = env::args().skip(2).collect();
    let measured = match env::args().nth(1).as_deref() {
        Some("gateway") => contest::measure(&rest),
        Some("getkey") => getkey::measure(),
        Some("ledger") => ledger::measure(),
        Some(ledger::WORD) => ledger::read(env::args().skip(2)),
        Some("parts") => parts::measure(&rest),
        Some("sandbox") => sandbox::measure(&rest),
        Some("scale") => scale::measure(&rest),
        Some("setup") => tools::set_up(),
        Some("stream") => stream::measure(),
        Some(bare::WORD) => bare::serve(env::args_os().skip(2)),
        _ => Err(USAGE.into()),
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

#[expect(clippy::print_stdout, reason = "the report is the product")]
fn say(words: &str) {
    println!("{words}");
}

/// Says what is being done, to whoever waits.
#[expect(clippy::print_stderr, reason = "the report alone goes to standard output")]
fn progress(words: &str) {
    eprintln!("{words}");
}
