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
            if percent > TOLERANCE || row.allocations > before.allocations {
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
        100.0 * (self.instructions as f64 / before.instructions.max(1) as f64 - 1.0)
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
