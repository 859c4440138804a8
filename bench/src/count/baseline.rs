//! What things may cost, `bench/counts.tsv`, and the comparison with it.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use crate::Failure;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/counts.tsv");

/// By how much instructions may rise, in hundredths. They vary by a few thousandths from run to run.
const TOLERANCE: f64 = 5.0;

/// What a call or a function costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) instructions: u64,
    pub(crate) allocations: u64,
}

/// What was accepted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Baseline {
    /// On what it was counted, for counts change with the compiler and the libraries of the machine.
    tools: String,
    rows: Vec<Row>,
}

/// How a count compares.
pub(crate) struct Judgement {
    pub(crate) table: String,
    /// What is worse, and what to do about it; empty where nothing is.
    pub(crate) faults: String,
    /// What is better, and what to do about it.
    pub(crate) hints: String,
}

impl Baseline {
    /// These counts, made here.
    pub(crate) fn of(rows: Vec<Row>) -> Result<Self, Failure> {
        Ok(Self { tools: tools()?, rows })
    }

    /// The committed one.
    pub(crate) fn read() -> Result<Self, Failure> {
        let text = fs::read_to_string(FILE).map_err(|error| format!("{FILE}: {error}"))?;
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self, Failure> {
        let mut baseline = Self::default();
        for line in text.lines() {
            match line.split('\t').collect::<Vec<_>>()[..] {
                [comment] if comment.starts_with('#') => {}
                ["tools", tools] => baseline.tools = tools.to_owned(),
                [name, instructions, allocations] => baseline.rows.push(Row {
                    name: name.to_owned(),
                    instructions: instructions.parse()?,
                    allocations: allocations.parse()?,
                }),
                _ => return Err(format!("{FILE}: not a row: {line:?}").into()),
            }
        }
        Ok(baseline)
    }

    fn text(&self) -> String {
        let mut text = format!(
            "# What `cargo xtask count` compares with, and `cargo xtask count --accept` writes.\n\
             # Name, instructions and allocations of one call or run.\ntools\t{}\n",
            self.tools
        );
        for Row { name, instructions, allocations } in &self.rows {
            text += &format!("{name}\t{instructions}\t{allocations}\n");
        }
        text
    }

    /// Makes it the committed one.
    pub(crate) fn write(&self) -> Result<String, Failure> {
        fs::write(FILE, self.text())?;
        Ok(format!("accepted; commit {FILE} and say why"))
    }

    /// Compares what was counted with this.
    pub(crate) fn judge(&self, counted: &Self) -> Judgement {
        let mut table =
            format!("{:<30}{:>14}{:>10}{:>14}{:>8}\n", "", "instructions", "change", "allocations", "change");
        let (mut worse, mut better) = (Vec::new(), Vec::new());
        for row in &counted.rows {
            let Some(before) = self.row(&row.name) else {
                table += &row.line("new".to_owned(), "new".to_owned());
                worse.push((row.name.as_str(), "is not in the baseline".to_owned()));
                continue;
            };
            let percent = row.percent_over(before);
            table += &row.line(format!("{percent:+.1} %"), row.allocations_over(before));
            let words = format!(
                "{} instructions, were {} ({percent:+.1} %); {} allocations, were {}",
                row.instructions, before.instructions, row.allocations, before.allocations
            );
            if row.is_worse_than(before) {
                worse.push((row.name.as_str(), words));
            } else if percent < -TOLERANCE || row.allocations < before.allocations {
                better.push((row.name.as_str(), words));
            }
        }
        let gone = self.rows.iter().filter(|row| counted.row(&row.name).is_none());
        worse
            .extend(gone.map(|row| (row.name.as_str(), "is in the baseline, but is not counted".to_owned())));
        Judgement { table, faults: self.faults(&worse, &counted.tools), hints: hints(&better) }
    }

    /// The names of what costs more now.
    pub(crate) fn worse(&self, counted: &Self) -> Vec<String> {
        let is_worse = |row: &&Row| self.row(&row.name).is_some_and(|before| row.is_worse_than(before));
        counted.rows.iter().filter(is_worse).map(|row| row.name.clone()).collect()
    }

    /// Takes over what was counted once more, where it is less: whatever disturbs a count adds to it.
    pub(crate) fn lower(&mut self, again: Row) {
        if let Some(row) = self.rows.iter_mut().find(|row| row.name == again.name) {
            row.instructions = row.instructions.min(again.instructions);
            row.allocations = row.allocations.min(again.allocations);
        }
    }

    fn row(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.name == name)
    }

    fn faults(&self, worse: &[(&str, String)], tools: &str) -> String {
        let Some((first, _)) = worse.first() else { return String::new() };
        let mut faults = format!(
            "something costs more than it did: over {TOLERANCE} % more instructions, or any more allocations\n{}\n\
             where it goes:  cargo xtask count --profile {first}\n\
             to accept it:   cargo xtask count --accept, and commit bench/counts.tsv with the reason",
            list(worse)
        );
        if tools != self.tools {
            let _ = write!(
                faults,
                "\n\nIt may be the tools: the baseline was made with\n  {}\nand this was counted with\n  {tools}",
                self.tools
            );
        }
        faults
    }
}

fn hints(better: &[(&str, String)]) -> String {
    if better.is_empty() {
        return "nothing costs more than it did".to_owned();
    }
    format!(
        "something costs less than it did:\n{}\nhold it there: cargo xtask count --accept, and commit bench/counts.tsv",
        list(better)
    )
}

fn list(rows: &[(&str, String)]) -> String {
    rows.iter().fold(String::new(), |text, (name, words)| text + &format!("  {name}: {words}\n"))
}

impl Row {
    fn percent_over(&self, before: &Self) -> f64 {
        let rise = self.instructions as f64 - before.instructions as f64;
        100.0 * rise / before.instructions.max(1) as f64
    }

    fn is_worse_than(&self, before: &Self) -> bool {
        self.percent_over(before) > TOLERANCE || self.allocations > before.allocations
    }

    fn allocations_over(&self, before: &Self) -> String {
        match self.allocations.cast_signed() - before.allocations.cast_signed() {
            0 => String::new(),
            change => format!("{change:+}"),
        }
    }

    /// A line of the table.
    fn line(&self, instructions: String, allocations: String) -> String {
        let Self { name, .. } = self;
        let (counted, taken) = (self.instructions, self.allocations);
        format!("{name:<30}{counted:>14}{instructions:>10}{taken:>14}{allocations:>8}\n")
    }
}

/// What counts depend on besides the code: valgrind shows programs a processor of its own making.
fn tools() -> Result<String, Failure> {
    let told = |program: &str, argument: &str| -> Result<String, Failure> {
        let output =
            Command::new(program).arg(argument).output().map_err(|error| format!("{program}: {error}"))?;
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    };
    let [rustc, libc, valgrind] =
        [told("rustc", "--version")?, told("getconf", "GNU_LIBC_VERSION")?, told("valgrind", "--version")?];
    Ok(format!("{}, {rustc}, {libc}, {valgrind}", env::consts::ARCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn baseline(rows: &[(&str, u64, u64)]) -> Baseline {
        let rows = rows.iter().map(|(name, instructions, allocations)| Row {
            name: (*name).to_owned(),
            instructions: *instructions,
            allocations: *allocations,
        });
        Baseline { tools: "rustc 1.95.0".to_owned(), rows: rows.collect() }
    }

    fn judge(instructions: u64, allocations: u64) -> Judgement {
        let before = baseline(&[("gstin-parse", 2_000, 0), ("call-token", 100_000, 60)]);
        before.judge(&baseline(&[("gstin-parse", 2_000, 0), ("call-token", instructions, allocations)]))
    }

    #[test]
    fn a_little_more_instructions_are_let_pass_but_no_allocation_more() {
        for passes in [judge(100_000, 60), judge(105_000, 60), judge(95_000, 60)] {
            assert_eq!(
                (passes.faults.as_str(), passes.hints.as_str()),
                ("", "nothing costs more than it did")
            );
        }
        assert!(judge(105_100, 60).faults.contains("call-token: 105100 instructions, were 100000 (+5.1 %)"));
        assert!(judge(90_000, 61).faults.contains("61 allocations, were 60"));
    }

    #[test]
    fn a_rise_says_how_to_look_and_how_to_accept() {
        let Judgement { table, faults, .. } = judge(150_000, 70);
        assert!(table.contains("+50.0 %") && table.contains("+10"), "{table}");
        assert!(faults.contains("cargo xtask count --profile call-token"), "{faults}");
        assert!(faults.contains("cargo xtask count --accept"), "{faults}");
        assert!(!faults.contains("gstin-parse") && !faults.contains("tools"), "{faults}");
    }

    #[test]
    fn a_fall_is_let_pass_and_named() {
        for falls in [judge(94_000, 60), judge(100_000, 59)] {
            assert_eq!(falls.faults, "");
            assert!(
                falls.hints.contains("call-token") && falls.hints.contains("--accept"),
                "{}",
                falls.hints
            );
        }
    }

    #[test]
    fn what_seems_worse_is_believed_when_it_is_so_twice() {
        let before = baseline(&[("call-token", 100_000, 60), ("gstin-parse", 2_000, 0)]);
        let mut counted = baseline(&[("call-token", 110_000, 61), ("gstin-parse", 1_000, 0)]);
        assert_eq!(before.worse(&counted), ["call-token"]);
        let again =
            |instructions, allocations| baseline(&[("call-token", instructions, allocations)]).rows.remove(0);
        counted.lower(again(112_000, 61));
        assert_eq!(before.worse(&counted), ["call-token"]);
        counted.lower(again(100_500, 60));
        assert_eq!(before.worse(&counted), Vec::<String>::new());
    }

    #[test]
    fn a_rise_may_be_that_of_other_tools() {
        let mut counted = baseline(&[("call-token", 110_000, 60)]);
        counted.tools = "rustc 1.96.0".to_owned();
        let faults = baseline(&[("call-token", 100_000, 60)]).judge(&counted).faults;
        assert!(faults.contains("rustc 1.95.0") && faults.contains("rustc 1.96.0"), "{faults}");
    }

    #[test]
    fn what_is_only_on_one_side_is_a_fault() {
        let faults = baseline(&[("old", 1, 0)]).judge(&baseline(&[("new", 1, 0)])).faults;
        assert!(faults.contains("new: is not in the baseline"), "{faults}");
        assert!(faults.contains("old: is in the baseline, but is not counted"), "{faults}");
    }

    #[test]
    fn a_baseline_is_read_as_it_was_written() {
        let written = baseline(&[("call-token", 163_106, 62), ("gstin-parse", 2_054, 0)]);
        assert_eq!(Baseline::parse(&written.text()).unwrap(), written);
        for broken in ["call-token\t1", "call-token\tmany\t1", "call-token 1 1"] {
            assert!(Baseline::parse(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn the_committed_baseline_can_be_read() {
        assert!(!Baseline::read().unwrap().rows.is_empty());
    }
}
