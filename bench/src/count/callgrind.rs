//! Runs this program under callgrind and reads what it wrote down.
//!
//! With `--separate-threads=yes` callgrind leaves one file for each thread, `counts-NUMBER`, and one more for each time that it
//! was asked to write down what a thread had done until then, `counts.TIME-NUMBER`. Of its lines
//! (<https://valgrind.org/docs/manual/cl-format.html>) a few tell all that is wanted: `fn=` names the function that the next
//! lines are of, `cfn=` one that it calls, and the `calls=` after that how often; `totals:` is the sum of the instructions.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::Failure;
use crate::counted::{DUMP, WORD};

/// How functions are called that take memory: Rust's, and those of libc, which the C libraries in the program use.
const ALLOCATE: [&str; 6] =
    ["__rust_alloc", "__rust_alloc_zeroed", "__rust_realloc", "malloc", "calloc", "realloc"];

/// Without this glibc copies long pieces by `rep movsb`, from a length on that depends on the processor, and callgrind counts each
/// byte of such a copy as an instruction.
const TUNABLES: &str =
    "glibc.cpu.x86_rep_movsb_threshold=1073741824:glibc.cpu.x86_rep_stosb_threshold=1073741824";

/// What a process left that ran under callgrind.
pub(crate) struct Run {
    directory: TempDir,
    /// Their numbers by their names.
    threads: BTreeMap<String, u32>,
}

impl Run {
    /// Runs this program, to do something so often.
    pub(crate) fn of(what: &str, times: u64) -> Result<Self, Failure> {
        let program = env::current_exe()?;
        // On the disk of the target directory: that of temporary files may be memory.
        let directory = TempDir::new_in(program.parent().ok_or("the program is nowhere")?)?;
        let log = directory.path().join("log");
        let output = Command::new("valgrind")
            .env("GLIBC_TUNABLES", TUNABLES)
            .args([
                "--tool=callgrind",
                "--separate-threads=yes",
                "--compress-strings=no",
                "--compress-pos=no",
            ])
            .arg(option("--callgrind-out-file=", directory.path().join("counts")))
            .arg(format!("--dump-before=*{DUMP}*"))
            .arg(option("--log-file=", directory.path().join("valgrind.log")))
            .args([program.as_os_str(), WORD.as_ref(), directory.path().as_os_str()])
            .args([what, &times.to_string()])
            .stderr(File::create(&log)?)
            .output()
            .map_err(|error| format!("valgrind: {error}"))?;
        let report = String::from_utf8(output.stdout)?;
        if !output.status.success() {
            let log = fs::read_to_string(log)?;
            return Err(format!("{what} under callgrind: {}\n{report}{log}", output.status).into());
        }
        let mut threads = BTreeMap::new();
        for line in report.lines().filter_map(|line| line.strip_prefix("thread ")) {
            let (number, name) = line.split_once(' ').ok_or("a thread without a name")?;
            threads.insert(name.to_owned(), number.parse()?);
        }
        Ok(Self { directory, threads })
    }

    /// The file of the thread of that name or, without a name, of what the first one did between two dumps.
    pub(crate) fn file(&self, thread: Option<&str>) -> Result<PathBuf, Failure> {
        let file = match thread {
            None => "counts.2-01".to_owned(),
            Some(name) => {
                let number = self.threads.get(name).ok_or_else(|| format!("there is no thread {name}"))?;
                format!("counts-{number:02}")
            }
        };
        Ok(self.directory.path().join(file))
    }

    pub(crate) fn profile(&self, thread: Option<&str>) -> Result<Profile, Failure> {
        let file = self.file(thread)?;
        let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        Profile::read(&text)
    }
}

fn option(name: &str, value: PathBuf) -> OsString {
    let mut option = OsString::from(name);
    option.push(value);
    option
}

/// What one file of callgrind's tells.
#[derive(Debug, PartialEq, Eq, Default)]
pub(crate) struct Profile {
    pub(crate) instructions: u64,
    /// The instructions of each function, without those of the functions that it calls.
    pub(crate) functions: BTreeMap<String, u64>,
    /// How often each function called one that takes memory.
    pub(crate) callers: BTreeMap<String, u64>,
}

impl Profile {
    fn read(text: &str) -> Result<Self, Failure> {
        let (mut profile, mut function, mut called, mut total) = (Self::default(), "", "", None);
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            match line.split_once(['=', ':']) {
                Some(("fn", name)) => function = name,
                Some(("cfn", name)) => called = name,
                Some(("calls", counts)) => {
                    if allocates(called) {
                        *profile.callers.entry(function.to_owned()).or_default() += number(counts, 0)?;
                    }
                    // The line after it is what the called function took, which is told again where that one is told of.
                    lines.next();
                }
                Some(("totals", sum)) => total = Some(sum.trim().parse()?),
                None if line.starts_with(|first: char| first.is_ascii_digit()) => {
                    *profile.functions.entry(function.to_owned()).or_default() += number(line, 1)?;
                }
                _ => {}
            }
        }
        profile.instructions = total.ok_or("callgrind left a file without its totals")?;
        Ok(profile)
    }

    pub(crate) fn allocations(&self) -> u64 {
        self.callers.values().sum()
    }
}

/// One of the numbers of a line.
fn number(line: &str, place: usize) -> Result<u64, Failure> {
    Ok(line.split(' ').nth(place).ok_or_else(|| format!("not a line of callgrind's: {line:?}"))?.parse()?)
}

/// Whether the function takes memory. Rust's bear the name of a crate of the compiler's.
fn allocates(function: &str) -> bool {
    ALLOCATE.contains(&function.rsplit("::").next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As callgrind 3.19 writes it, but shorter.
    const FILE: &str = "\
# callgrind format
version: 1
creator: callgrind-3.19.0
part: 2
thread: 6

positions: line
events: Ir
summary: 1139

ob=/usr/bin/suvidha-count
fl=???
fn=__rustc::__rust_alloc
0 100

fl=crates/suvidha-gateway/src/pipeline/route.rs
fn=suvidha_gateway::pipeline::route::route
39 7
fi=/rustc/alloc/src/string.rs
41 2
cfi=???
cfn=__rustc::__rust_alloc
calls=3 0
41 60
fe=crates/suvidha-gateway/src/pipeline/route.rs
40 10
cfn=__rustc::__rust_alloc
calls=1 0
40 20
cfn=__rustc::__rust_dealloc
calls=9 0
40 900

fn=aws_lc_0_47_0_OPENSSL_malloc
1 20
cob=/lib/libc.so.6
cfn=malloc
calls=2 12
1 20


totals: 1139
";

    fn map(entries: &[(&str, u64)]) -> BTreeMap<String, u64> {
        entries.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    }

    #[test]
    fn instructions_and_allocations_are_counted_where_they_belong() {
        let profile = Profile::read(FILE).unwrap();
        assert_eq!(profile.instructions, 1139);
        let (route, crypto) = ("suvidha_gateway::pipeline::route::route", "aws_lc_0_47_0_OPENSSL_malloc");
        assert_eq!(profile.functions, map(&[("__rustc::__rust_alloc", 100), (route, 19), (crypto, 20)]));
        assert_eq!(profile.callers, map(&[(route, 4), (crypto, 2)]));
        assert_eq!(profile.allocations(), 6);
    }

    #[test]
    fn taking_memory_and_giving_it_back_are_told_apart() {
        for takes in ["__rustc::__rust_alloc", "__rustc::__rust_alloc_zeroed", "malloc", "calloc", "realloc"]
        {
            assert!(allocates(takes), "{takes}");
        }
        for other in [
            "__rustc::__rust_dealloc",
            "__rustc::__rust_no_alloc_shim_is_unstable_v2",
            "free",
            "_int_malloc",
            "",
        ] {
            assert!(!allocates(other), "{other}");
        }
    }

    #[test]
    fn a_file_that_was_cut_off_is_not_believed() {
        let cut = FILE.split("totals").next().unwrap();
        assert!(Profile::read(cut).is_err());
        assert!(Profile::read(&FILE.replace("calls=3", "calls=many")).is_err());
        assert!(Profile::read("").is_err());
    }
}
