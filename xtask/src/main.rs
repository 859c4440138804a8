//! The one entry for everything a developer does: `cargo xtask <verb>`.
//!
//! Plain std and the tools themselves, so that it builds in a second.

mod structure;

use std::env;
use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, ExitCode};

/// What went wrong, in words for the developer.
type Outcome = Result<(), String>;

const HELP: &str = "\
cargo xtask <verb>

  test [ARGS]      every test of the workspace; ARGS go to `cargo test`
  lint             rustfmt, clippy with warnings as errors, sizes of files, layers of crates
  docs             the API documentation, warnings are errors
  deny             dependencies: licences, bans, sources, advisories (installs cargo-deny if missing)
  fuzz [SECONDS]   every fuzz target, SECONDS each (default 60; installs cargo-fuzz if missing)
  crash [--runs N] kill -9 under full load, again and again on N ledgers (default 20), and what was lost; a release build
  bench stream     memory of the gateway while 100 MB go through it, each way
  bench getkey     CPU time of the gateway: a call with a session beside one with a token, GetKey beside openssl
  bench ledger     a ledger of a million entries: what writing and reading it costs
  bench parts [FILTER] [--quick] [--out DIR]
                   sessions, GetKey, payloads, ledger and registry, each by itself; results kept in DIR
  bench setup      installs what `bench gateway` measures beside us and with: nginx, HAProxy, Envoy, wrk, oha
  bench gateway [N] [--scenario NAME]... [--quick] [--out DIR]
                   CPU time and latency beside nginx, HAProxy and Envoy; N rounds (default 5), results kept in DIR
  bench sandbox [--quick] [--out DIR]
                   the simulated GSTN with 10,000 taxpayers and 1,000,000 documents: a save, GSTR-2B, a search
  bench scale [cores] [sessions] [--minutes N] [--quick] [--out DIR]
                   two cores against one; a million sessions; memory over a soak of N minutes (default 10)
  count            what a call and the hot functions cost, in instructions and allocations, beside bench/counts.tsv; fails on a
                   rise of more than 5 % or of any allocation. Needs valgrind
  count --accept   makes what is counted the new bench/counts.tsv
  count --profile NAME
                   where the instructions and allocations of one row go
  ci               all that must pass before a change lands: lint, deny, docs, test, count
";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            say(&format!("xtask: {reason}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> Outcome {
    match arguments {
        [] | ["help" | "--help" | "-h"] => {
            say(HELP);
            Ok(())
        }
        ["test", rest @ ..] => cargo(["test", "--workspace"].iter().chain(rest)),
        ["lint"] => lint(),
        ["docs"] => docs(),
        ["deny"] => deny(),
        ["fuzz"] => fuzz("60"),
        ["fuzz", seconds] => fuzz(seconds),
        ["crash"] => crash("20"),
        ["crash", "--runs", runs] => crash(runs),
        ["bench", which @ ("stream" | "getkey" | "ledger" | "setup")] => bench(&[which]),
        ["bench", "gateway" | "parts" | "sandbox" | "scale", ..] => bench(&arguments[1..]),
        ["count", rest @ ..] => count(rest),
        ["ci"] => [lint, deny, docs]
            .iter()
            .try_for_each(|step| step())
            .and_then(|()| run(&["test"]))
            .and_then(|()| count(&[])),
        other => Err(format!("no such verb: {}\n\n{HELP}", other.join(" "))),
    }
}

fn lint() -> Outcome {
    structure::check()?;
    cargo(["fmt", "--all", "--check"].iter())?;
    cargo(["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"].iter())
}

fn docs() -> Outcome {
    let mut command = Command::new("cargo");
    command
        .args(["doc", "--workspace", "--no-deps", "--document-private-items"])
        .env("RUSTDOCFLAGS", "-D warnings");
    finish(command)
}

/// Advisories need the RustSec database from the network. Where it cannot be had the check is named
/// as not done, never passed over in silence; `SUVIDHA_REQUIRE_ADVISORIES=1` makes that an error.
fn deny() -> Outcome {
    install("cargo-deny")?;
    cargo(["deny", "--log-level", "error", "check", "bans", "licenses", "sources"].iter())?;
    let fetched = Command::new("cargo").args(["deny", "fetch", "db"]).output();
    if fetched.is_ok_and(|output| output.status.success()) {
        return cargo(["deny", "check", "--disable-fetch", "advisories"].iter());
    }
    let reason = "ADVISORIES NOT CHECKED: the RustSec database could not be fetched";
    if env::var_os("SUVIDHA_REQUIRE_ADVISORIES").is_some() {
        return Err(reason.to_owned());
    }
    say(reason);
    Ok(())
}

/// Fuzzing needs a nightly feature of the compiler; `RUSTC_BOOTSTRAP` opens it on stable.
fn fuzz(seconds: &str) -> Outcome {
    seconds.parse::<u32>().map_err(|_| format!("SECONDS must be a whole number, not {seconds:?}"))?;
    install("cargo-fuzz")?;
    let targets =
        std::fs::read_dir(Path::new("fuzz/fuzz_targets")).map_err(|e| format!("fuzz/fuzz_targets: {e}"))?;
    for target in targets.filter_map(Result::ok) {
        let name =
            target.path().file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let mut command = Command::new("cargo");
        command.env("RUSTC_BOOTSTRAP", "1").args(["fuzz", "run", &name, &format!("fuzz/corpus/{name}")]);
        let seeds = format!("fuzz/seeds/{name}");
        std::fs::create_dir_all(format!("fuzz/corpus/{name}")).map_err(|e| e.to_string())?;
        if Path::new(&seeds).is_dir() {
            command.arg(seeds);
        }
        command.args(["--", &format!("-max_total_time={seconds}")]);
        finish(command)?;
    }
    Ok(())
}

/// The stories of the suite about `kill -9`, of a release build and many times.
fn crash(runs: &str) -> Outcome {
    runs.parse::<u32>().map_err(|_| format!("--runs takes a whole number, not {runs:?}"))?;
    let mut command = Command::new("cargo");
    command.env("SUVIDHA_CRASH_RUNS", runs).args([
        "test",
        "--release",
        "--package",
        "suvidha",
        "--test",
        "it",
    ]);
    command.args(["--", "--ignored", "--nocapture", "--exact", "crash::as_many_runs_as_asked_for"]);
    finish(command)
}

/// Measures a release build of the gateway.
fn bench(arguments: &[&str]) -> Outcome {
    cargo(["build", "--release", "--package", "suvidha"].iter())?;
    let program = ["run", "--release", "--package", "suvidha-bench", "--bin", "suvidha-bench", "--"];
    cargo(program.iter().chain(arguments))
}

/// Counts under callgrind. Elsewhere than on 64-bit Linux of Intel and AMD a program is another one, with counts of its own.
fn count(arguments: &[&str]) -> Outcome {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        say("NOT COUNTED: bench/counts.tsv holds for x86-64 Linux alone");
        return Ok(());
    }
    if Command::new("valgrind").arg("--version").output().is_err() {
        return Err("counting needs valgrind; install it: apt-get install valgrind".to_owned());
    }
    let program = ["run", "--profile", "count", "--package", "suvidha-bench", "--bin", "suvidha-count", "--"];
    cargo(program.iter().chain(arguments))
}

/// Installs a cargo tool from crates.io unless it is there.
fn install(tool: &str) -> Outcome {
    let subcommand = tool.trim_start_matches("cargo-");
    let there = Command::new("cargo").args([subcommand, "--version"]).output();
    if there.is_ok_and(|output| output.status.success()) {
        return Ok(());
    }
    cargo(["install", "--locked", tool].iter())
}

fn cargo<'a, A: AsRef<OsStr> + 'a>(arguments: impl Iterator<Item = &'a A>) -> Outcome {
    let mut command = Command::new("cargo");
    command.args(arguments);
    finish(command)
}

fn finish(mut command: Command) -> Outcome {
    let shown = format!("{command:?}");
    let status = command.status().map_err(|e| format!("{shown}: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("failed ({status}): {shown}")) }
}

#[expect(clippy::print_stderr, reason = "a command-line tool talks to its user")]
fn say(words: &str) {
    eprintln!("{words}");
}
