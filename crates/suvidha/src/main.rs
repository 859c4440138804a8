//! The suvidha command: gateway, sandbox and tools in one binary.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use suvidha_seam::Seam;

mod admin;
mod asp;
mod cli;
mod config;
mod descriptors;
mod exit;
mod explain;
mod files;
mod gst;
mod gstin;
mod india;
mod keys;
mod ledger;
mod lock;
mod logging;
mod output;
mod ports;
mod registry;
mod sandbox;
mod secret;
mod serve;
mod signals;
mod tls;
mod top;
mod up;
mod x509;

use cli::{Cli, Command, ConfigCommand};
use exit::{Exit, Failure};
use output::Output;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(message) => return say(&message),
    };
    let json = cli.json;
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let words = if json { failure.as_json() } else { failure.to_string() };
            // Where even standard error is closed, the exit code still tells.
            let _ = writeln!(io::stderr(), "{words}");
            failure.code()
        }
    }
}

/// Prints what clap has to say: help that was asked for, or what is wrong with the command line.
fn say(message: &clap::Error) -> ExitCode {
    if message.use_stderr() && std::env::args_os().any(|word| word == "--json") {
        let words = message.to_string();
        let failure = Failure::new(Exit::Usage, words.trim_start_matches("error: ").trim_end());
        let _ = writeln!(io::stderr(), "{}", failure.as_json());
        return failure.code();
    }
    let printed = message.print();
    match (message.use_stderr(), printed) {
        (true, _) => ExitCode::from(Exit::Usage as u8),
        (false, Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => ExitCode::from(Exit::Io as u8),
        (false, _) => ExitCode::SUCCESS,
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    let seam = Seam::system();
    let output = Output { json: cli.json };
    match cli.command {
        Command::Up(options) => up::run(&options, output, seam),
        Command::Serve(options) => serve::run(&options, seam),
        Command::Sandbox(options) => sandbox::run(*options, output, seam),
        Command::Gst(gst) => gst::run(gst, output, &seam),
        Command::Asp(command) => asp::run(command, output, &seam),
        Command::Keys(command) => keys::run(command, output, &seam),
        Command::Secret(command) => secret::run(command, output, &seam),
        Command::Config { command: ConfigCommand::ShowDefault } => output::print(config::DEFAULT),
        Command::Config { command: ConfigCommand::Check { file, config } } => {
            // clap has seen to it that one of the two is there.
            config::check(&file.or(config).unwrap_or_default(), output, &seam)
        }
        Command::Ledger(command) => ledger::run(command, output, &seam),
        Command::Top(options) => top::run(&options, output, &seam),
        Command::Tls { command } => tls::run(command, output, &seam),
        Command::Gstin { command } => gstin::run(command, output),
        Command::Error { code } => explain::run(code.as_deref(), output),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "suvidha", &mut script);
            output::print(&String::from_utf8_lossy(&script))
        }
    }
}
