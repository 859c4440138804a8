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
    /// How often each function called one that takes memory.
    pub(crate) callers: BTreeMap<String, u64>,
}

impl Profile {
    fn read(text: &str) -> Result<Self, Failure> {
        let (mut profile, mut function, mut called, mut total) = (Self::default(), "", "", None);
        for line in text.lines() {
            let Some((key, value)) = line.split_once(['=', ':']) else { continue };
            match key {
                "fn" => function = value,
                "cfn" => called = value,
                "calls" if allocates(called) => {
                    let count: u64 = value.split(' ').next().unwrap_or_default().parse()?;
                    *profile.callers.entry(function.to_owned()).or_default() += count;
                }
                "totals" => total = Some(value.trim().parse()?),
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

/// Whether the function takes memory. Rust's bear the name of a crate of the compiler's.
fn allocates(function: &str) -> bool {
    ALLOCATE.contains(&function.rsplit("::").next().unwrap_or_default())
}
