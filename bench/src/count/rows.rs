//! The rows of the count, and what each is the difference of.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::thread;

use crate::Failure;
use crate::baseline::Row;
use crate::callgrind::{Profile, Run};
use crate::{counted, functions};

/// The thread that serves calls, and the one that writes entries.
const LANE: &str = "suvidha-lane-0";
const LEDGER: &str = "ledger";

/// How many functions a profile shows, of instructions and of allocations.
const FUNCTIONS: usize = 40;

/// How many calls are made, or entries written, before any is counted: until pools, caches and buffers are as they stay.
const FIRST: u64 = 20;

/// How many calls or entries are counted.
const CALLS: u64 = 60;

/// How many runs of a function are counted.
const RUNS: u64 = 20;

/// Counts everything.
pub(crate) fn all() -> Result<Vec<Row>, Failure> {
    let functions = functions::all()?;
    let functions = functions.iter().map(|(name, _)| *name);
    counted::CALLS.into_iter().chain(counted::ENTRIES).chain(functions).map(count).collect()
}

/// Counts one row.
pub(crate) fn count(name: &str) -> Result<Row, Failure> {
    let thread = thread_of(name);
    if thread.is_none() {
        return row(name, &Run::of(name, RUNS)?.profile(None)?, &Profile::default(), RUNS);
    }
    let (short, long) = both(name)?;
    row(name, &long.profile(thread)?, &short.profile(thread)?, CALLS)
}

/// The thread to look at; none for the functions, for which the first one does nothing else.
fn thread_of(name: &str) -> Option<&'static str> {
    if counted::CALLS.contains(&name) {
        Some(LANE)
    } else if counted::ENTRIES.contains(&name) {
        Some(LEDGER)
    } else {
        None
    }
}

/// A run and a longer one. What they differ by is what the calls cost that only the longer one made: starting up drops out.
fn both(what: &str) -> Result<(Run, Run), Failure> {
    // A failure is sent as its words: it may hold what must not leave its thread.
    let run = |times| move || Run::of(what, times).map_err(|failure| failure.to_string());
    let (short, long) = thread::scope(|scope| {
        let (short, long) = (scope.spawn(run(FIRST)), scope.spawn(run(FIRST + CALLS)));
        (short.join(), long.join())
    });
    let panicked = |_| "a run panicked";
    Ok((short.map_err(panicked)??, long.map_err(panicked)??))
}

/// What each of so many times cost that `all` was more than `before`.
fn row(name: &str, all: &Profile, before: &Profile, times: u64) -> Result<Row, Failure> {
    let each = |all: u64, before: u64| {
        let more = all.checked_sub(before).ok_or_else(|| format!("{name}: the longer run counted less"))?;
        Ok::<_, Failure>((more as f64 / times as f64).round() as u64)
    };
    Ok(Row {
        name: name.to_owned(),
        instructions: each(all.instructions, before.instructions)?,
        allocations: each(all.allocations(), before.allocations())?,
    })
}

/// Where the instructions of a row go, by function, and which functions take memory.
pub(crate) fn profile(row: &str) -> Result<String, Failure> {
    let thread = thread_of(row);
    let times = if thread.is_some() { FIRST + CALLS } else { RUNS };
    let run = Run::of(row, times)?;
    // Where it is still found when the run's directory is gone.
    let kept = env::current_exe()?.with_file_name(format!("{row}.callgrind"));
    fs::copy(run.file(thread)?, &kept)?;
    let profile = run.profile(thread)?;
    Ok(format!(
        "{row}, the mean of {times}, the first among them\n\ninstructions, by function, without what it calls:\n{}\n\
         allocations, by the function that takes them:\n{}\n\
         with what each calls:  callgrind_annotate --inclusive=yes {file}\n\
         who calls whom:        callgrind_annotate --tree=both {file}, or kcachegrind {file}",
        most(&profile.functions, times),
        most(&profile.callers, times),
        file = kept.display()
    ))
}

/// The functions with the most, and how much of it was each time.
fn most(functions: &BTreeMap<String, u64>, times: u64) -> String {
    let mut functions: Vec<_> = functions.iter().collect();
    functions.sort_by_key(|(_, count)| Reverse(**count));
    let lines = functions.iter().take(FUNCTIONS);
    lines.map(|(name, count)| format!("{:>12.2}  {name}\n", **count as f64 / times as f64)).collect()
}
