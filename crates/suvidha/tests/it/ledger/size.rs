//! A hundred thousand entries go through the memory of a few.

use std::fs;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use super::book::{self, call};
use crate::command::Place;

const ENTRIES: u32 = 100_000;
/// What the program takes for some thousands of them; with all of them in memory, in any form, it would be more.
const MOST_KIB: u64 = 56 * 1024;
/// A Parquet file is made of groups of thousands of rows, each wholly in memory.
const MOST_KIB_PARQUET: u64 = 112 * 1024;

/// Runs a command, and says how much memory it had at most, in KiB.
fn peak(place: &Place, line: &str) -> u64 {
    let mut child = place.command(line).stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        let told = fs::read_to_string(&status).unwrap_or_default();
        let line = told.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak = line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0).max(peak);
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{line:?}");
            return peak;
        }
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_long_ledger_is_exported_in_little_memory() {
    let place = Place::new();
    book::write(&place, (1..=ENTRIES).map(call));
    for (line, lines) in [("export --out calls.csv", ENTRIES + 1), ("export --out calls.jsonl", ENTRIES)] {
        let peak = peak(&place, &format!("ledger {line}"));
        assert!(peak > 0 && peak < MOST_KIB, "{line}: {peak} KiB");
        let file = fs::read(place.path(line.rsplit_once(' ').unwrap().1)).unwrap();
        assert!(file.len() > 24 << 20, "{line}: the file is too small to prove anything");
        assert_eq!(file.iter().filter(|byte| **byte == b'\n').count(), lines as usize, "{line}");
    }
    for (line, most) in [
        ("export --out calls.parquet", MOST_KIB_PARQUET),
        ("verify", MOST_KIB),
        ("summary --month 2026-11 --by error", MOST_KIB),
    ] {
        let peak = peak(&place, &format!("ledger {line}"));
        assert!(peak > 0 && peak < most, "{line}: {peak} KiB");
    }
}
