//! Measurements of the gateway, from outside: a real process, real sockets, `/proc` for memory and CPU time.

mod gateway;
mod getkey;
mod load;
mod stream;
mod upstream;

use std::process::ExitCode;

/// What went wrong, in words for whoever runs the measurement.
type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let measured = match std::env::args().nth(1).as_deref() {
        Some("getkey") => getkey::measure(),
        Some("stream") => stream::measure(),
        _ => Err("usage: suvidha-bench getkey|stream".into()),
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
