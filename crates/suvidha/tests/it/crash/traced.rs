//! The gateway under `strace`: what `kill -9` cannot show, because the kernel outlives it. Whether an entry is on the disk, and
//! not only with the kernel, before its answer ends; and what becomes of calls while the disk does not take what it is given.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::world::World;
use super::{Durability, Moment, Report, seed};
use crate::command::PATIENCE;

fn is_installed() -> bool {
    Command::new("strace").arg("-V").output().is_ok_and(|told| told.status.success())
}

fn launcher(words: &[&str]) -> Vec<String> {
    // As a grandchild, so that the gateway is the child that is started, signalled and waited for.
    ["strace", "-D", "-f", "-qq"].iter().chain(words).map(|word| (*word).to_owned()).collect()
}

#[test]
fn an_answer_ends_when_its_entry_is_on_disk_and_not_before() {
    assert!(is_installed(), "the tests need strace");
    let mut world = World::new(Durability::Strict, seed());
    let trace = world.path("trace");
    let calls = "trace=fsync,fdatasync,pwrite64,write,writev,sendto,sendmsg";
    world.launcher = launcher(&["-y", "-s", "100000", "-e", calls, "-o", trace.to_str().unwrap()]);
    let ids = world.answers_one_by_one(&["short", "pieces", "long", "error", "short", "pieces"]);
    let trace = whole_trace(&trace);
    let mut begin = 0;
    for (index, id) in ids.iter().enumerate() {
        let end = end_of_answer(&trace, id);
        if index > 0 {
            let on_disk = flushed(&trace, begin, end);
            assert!(
                on_disk,
                "the answer {id} ended before its entry was on disk:\n{}",
                shown(&trace[begin..=end])
            );
        }
        begin = end;
    }
}

/// The trace, when the gateway is gone and all is written.
fn whole_trace(file: &Path) -> Vec<String> {
    let (begun, mut size) = (Instant::now(), None);
    loop {
        let now = fs::metadata(file).unwrap().len();
        if size.replace(now) == Some(now) {
            return fs::read_to_string(file).unwrap().lines().map(str::to_owned).collect();
        }
        assert!(begun.elapsed() < PATIENCE, "the trace does not end");
        thread::sleep(Duration::from_millis(200));
    }
}

/// Where the last bytes of an answer are given to its connection: before the head of the next one on it, if any.
fn end_of_answer(trace: &[String], id: &str) -> usize {
    let head =
        trace.iter().position(|line| line.contains("<socket:") && line.contains(id)).expect("its head");
    let connection = |line: &str| {
        let from = line.find("<socket:")?;
        Some(line[from..].split_once('>')?.0.to_owned())
    };
    let own = connection(&trace[head]);
    let after = trace.iter().enumerate().skip(head + 1).filter(|(_, line)| connection(line) == own);
    after.take_while(|(_, line)| !line.contains("HTTP/1.1 ")).last().map_or(head, |(index, _)| index)
}

/// Whether between the two lines the ledger's log was written, and then flushed with success.
fn flushed(trace: &[String], begin: usize, end: usize) -> bool {
    let of_log = |line: &String| line.contains("sandbox.sqlite-wal>");
    let between = &trace[begin..end];
    let Some(written) = between.iter().rposition(|line| line.contains("pwrite64(") && of_log(line)) else {
        return false;
    };
    let after = &between[written..];
    let Some(flush) = after.iter().position(|line| line.contains("sync(") && of_log(line)) else {
        return false;
    };
    let thread = after[flush].split(' ').next();
    let over =
        |line: &String| line.split(' ').next() == thread && line.contains("sync") && line.ends_with("= 0");
    after[flush..].iter().any(over)
}

fn shown(lines: &[String]) -> String {
    let short = |line: &String| line.chars().take(160).collect::<String>();
    lines.iter().map(short).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_disk_that_fails_to_flush_costs_no_entry_and_doubles_none() {
    assert!(is_installed(), "the tests need strace");
    // Of one thread's flushes. Those with which a gateway begins its ledgers are fewer.
    for failing in ["40..41", "40..48"] {
        let seed = seed();
        let mut world = World::new(Durability::Strict, seed);
        let inject = format!("inject=fsync,fdatasync:error=EIO:when={failing}");
        world.launcher = launcher(&["-e", "trace=fsync,fdatasync", "-e", &inject, "-o", "/dev/null"]);
        let mut report = Report::new(Durability::Strict, seed);
        world.end_at(Moment::Recovered);
        world.launcher.clear();
        report.add(world.compare_after_restart());
        report.add(world.compare_at_the_end());
        report.assert_sound();
    }
}
