//! `kill -9` of the gateway under full load, again and again: after each restart the ledger must say what the clients know.
//!
//! `cargo xtask crash --runs 20` makes many runs of a release build and prints a table; the suite makes a few short ones.

mod books;
mod gstn;
mod load;
mod traced;
mod world;

use std::env;
use std::time::Duration;

use suvidha_seam::Seam;

use self::books::Fault;
use self::load::Chance;
use self::world::{Report, World};

/// When a gateway ends.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// Killed so long after the load began.
    UnderLoad(Duration),
    /// Told to stop (SIGTERM) so long after the load began.
    Told(Duration),
    /// The same when its ledger could not be written for a time, and can again.
    Recovered,
    /// Killed while the file of the ledger is written, and not only the log before it.
    Checkpoint,
    /// Killed so long after it was started, before anybody calls.
    Starting(Duration),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Durability {
    Strict,
    Relaxed,
}

impl Durability {
    fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Relaxed => "relaxed",
        }
    }
}

#[test]
fn what_was_answered_is_recorded_once_after_a_kill_under_load() {
    run(Durability::Strict, seed(), &[End::UnderLoad, End::Starting, End::UnderLoad]).assert_sound();
}

#[test]
fn what_was_answered_is_recorded_once_after_a_kill_in_a_checkpoint() {
    run(Durability::Strict, seed(), &[End::Checkpoint]).assert_sound();
}

#[test]
fn a_relaxed_ledger_may_lose_the_last_calls_and_nothing_else() {
    run(Durability::Relaxed, seed(), &[End::UnderLoad, End::Starting, End::UnderLoad]).assert_sound();
}

#[test]
fn a_gateway_that_is_told_to_stop_under_load_loses_nothing_even_if_relaxed() {
    run(Durability::Relaxed, seed(), &[End::Told]).assert_sound();
}

/// `cargo xtask crash`: as many runs as `SUVIDHA_CRASH_RUNS` says, the durabilities in turn, from the seed
/// `SUVIDHA_CRASH_SEED` if there is one.
#[test]
#[ignore = "takes long; cargo xtask crash --runs 20"]
fn as_many_runs_as_asked_for() {
    let runs: u64 = env::var("SUVIDHA_CRASH_RUNS").map_or(20, |runs| runs.parse().unwrap());
    let first = seed();
    say(Report::HEAD);
    let mut unsound = Vec::new();
    for run_number in 0..runs {
        let durability = [Durability::Strict, Durability::Relaxed][(run_number % 2) as usize];
        let seed = first.wrapping_add(run_number);
        let report = run(durability, seed, &LONG_RUN);
        say(&report.row(run_number + 1));
        unsound.extend(report.faults().map(|fault| format!("run {} (seed {seed}): {fault}", run_number + 1)));
    }
    assert!(unsound.is_empty(), "{}", unsound.join("\n"));
}

/// How a gateway is to end; chance says when exactly.
#[derive(Debug, Clone, Copy)]
enum End {
    UnderLoad,
    Told,
    Checkpoint,
    Starting,
}

const LONG_RUN: [End; 6] =
    [End::UnderLoad, End::Starting, End::Checkpoint, End::UnderLoad, End::Starting, End::Told];

impl End {
    fn moment(self, chance: &Chance) -> Moment {
        match self {
            Self::UnderLoad => Moment::UnderLoad(Duration::from_millis(200 + chance.below(1_300))),
            Self::Told => Moment::Told(Duration::from_millis(200 + chance.below(800))),
            Self::Checkpoint => Moment::Checkpoint,
            Self::Starting => Moment::Starting(Duration::from_millis(chance.below(150))),
        }
    }
}

/// One ledger, and a gateway on it that is killed again and again, compared after each restart.
fn run(durability: Durability, seed: u64, ends: &[End]) -> Report {
    say(&format!("{} with seed {seed} (SUVIDHA_CRASH_SEED={seed} repeats it)", durability.as_str()));
    let mut world = World::new(durability, seed);
    let mut report = Report::new(durability, seed);
    for end in ends {
        let moment = end.moment(&world.chance);
        world.end_at(moment);
        if !matches!(moment, Moment::Starting(_)) {
            report.add(world.compare_after_restart());
        }
    }
    report.add(world.compare_at_the_end());
    report
}

fn seed() -> u64 {
    match env::var("SUVIDHA_CRASH_SEED") {
        Ok(seed) => seed.parse().expect("SUVIDHA_CRASH_SEED is a number"),
        Err(_) => u64::from_le_bytes(Seam::system().random()) % 1_000_000_000,
    }
}

/// The seed must be known where a run fails, and the table is the product of `cargo xtask crash`.
#[expect(clippy::print_stdout, reason = "shown where a test fails, and by --nocapture")]
fn say(words: &str) {
    println!("{words}");
}

impl Report {
    /// Nothing may be wrong; where the ledger is relaxed, the last calls before a kill may be missing.
    #[track_caller]
    fn assert_sound(&self) {
        say(&format!("{}\n{}", Self::HEAD, self.row(1)));
        let faults: Vec<String> = self.faults().map(Fault::to_string).collect();
        assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults[..faults.len().min(20)].join("\n"));
    }
}
