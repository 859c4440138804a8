//! The rows of the count, and what each is the difference of.

use std::cmp::Reverse;
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::thread;

use crate::Failure;
use crate::baseline::Row;
use crate::callgrind::{Profile, Run};
use crate::{counted, functions};

/// The thread that serves calls, and the one that writes their entries.
const LANE: &str = "suvidha-lane-0";
const LEDGER: &str = "ledger";

/// The row of the ledger's thread, and the calls during which it is counted.
const LEDGER_ROW: &str = "ledger-entry";
const LEDGER_CALL: &str = "call-token";

/// How many functions a profile shows of each kind.
const FUNCTIONS: usize = 40;

/// How many calls are made before any is counted: until pools, caches and buffers are as they stay.
const FIRST: u64 = 20;

/// How many calls are counted.
const CALLS: u64 = 60;

/// How many runs of a function are counted.
const RUNS: u64 = 20;

/// Counts everything.
pub(crate) fn all() -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    for call in counted::CALLS {
        let (short, long) = both(call)?;
        let row = |name, thread| -> Result<Row, Failure> {
            Ok(row(name, &long.profile(Some(thread))?, &short.profile(Some(thread))?, CALLS))
        };
        rows.push(row(call, LANE)?);
        if call == LEDGER_CALL {
            rows.push(row(LEDGER_ROW, LEDGER)?);
        }
    }
    for (name, _) in functions::all()? {
        rows.push(row(name, &Run::of(name, RUNS)?.profile(None)?, &Profile::default(), RUNS));
    }
    Ok(rows)
}

/// A run and a longer one. What they differ by is what the calls cost that only the longer one made: starting up drops out.
fn both(call: &str) -> Result<(Run, Run), Failure> {
    // A failure is sent as its words: it may hold what must not leave its thread.
    let run = |times| move || Run::of(call, times).map_err(|failure| failure.to_string());
    let (short, long) = thread::scope(|scope| {
        let (short, long) = (scope.spawn(run(FIRST)), scope.spawn(run(FIRST + CALLS)));
        (short.join(), long.join())
    });
    let panicked = |_| "a run panicked";
    Ok((short.map_err(panicked)??, long.map_err(panicked)??))
}

/// What each of so many times cost that `all` was more than `before`.
fn row(name: &str, all: &Profile, before: &Profile, times: u64) -> Row {
    let each = |all: u64, before: u64| (all.saturating_sub(before) as f64 / times as f64).round() as u64;
    Row {
        name: name.to_owned(),
        instructions: each(all.instructions, before.instructions),
        allocations: each(all.allocations(), before.allocations()),
    }
}

/// Where the instructions of a row go, by function, and which functions take memory.
pub(crate) fn profile(row: &str) -> Result<String, Failure> {
    let (what, thread) = match row {
        LEDGER_ROW => (LEDGER_CALL, Some(LEDGER)),
        call if counted::CALLS.contains(&call) => (call, Some(LANE)),
        function => (function, None),
    };
    let times = if thread.is_some() { FIRST + CALLS } else { RUNS };
    let run = Run::of(what, times)?;
    // Where it is still found when the run's directory is gone.
    let kept = env::current_exe()?.with_file_name(format!("{row}.callgrind"));
    fs::copy(run.file(thread)?, &kept)?;
    let mut report = format!("{row}, {times} times\n");
    for (words, inclusive) in [("by themselves", "no"), ("with what they call", "yes")] {
        let annotated = Command::new("callgrind_annotate")
            .args(["--auto=no", "--threshold=90", &format!("--inclusive={inclusive}")])
            .arg(&kept)
            .output()
            .map_err(|error| format!("callgrind_annotate, which comes with valgrind: {error}"))?;
        let annotated = String::from_utf8_lossy(&annotated.stdout).into_owned();
        writeln!(report, "\n{words}:")?;
        let lines = annotated.lines().skip_while(|line| !line.contains("file:function"));
        lines.take(FUNCTIONS).for_each(|line| report += &format!("{}\n", line.trim_end()));
    }
    let mut callers: Vec<_> = run.profile(thread)?.callers.into_iter().collect();
    callers.sort_by_key(|(_, count)| Reverse(*count));
    report += "\nallocations each time, by who takes them:\n";
    for (function, count) in callers.into_iter().take(FUNCTIONS) {
        writeln!(report, "{:>8.2}  {function}", count as f64 / times as f64)?;
    }
    writeln!(report, "\nall of it: callgrind_annotate {0}, or kcachegrind {0}", kept.display())?;
    Ok(report)
}
