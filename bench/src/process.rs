//! What the kernel tells of a process, and where it lets one run.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::Failure;

/// CPU time that a process has used, user and system, its threads included, in nanoseconds of the kernel's scheduler
/// (`/proc/PID/task/*/schedstat`). What a thread used that has ended is not in it.
pub(crate) fn cpu_time(process: u32) -> Result<Duration, Failure> {
    let mut sum = Duration::ZERO;
    for task in fs::read_dir(format!("/proc/{process}/task"))? {
        // A thread may end at any time.
        sum += cpu_time_in(&task?.path()).unwrap_or_default();
    }
    Ok(sum)
}

/// CPU time that one thread of this process has used: the one of that name.
pub(crate) fn cpu_time_of_thread(name: &str) -> Result<Duration, Failure> {
    for task in fs::read_dir("/proc/self/task")? {
        let task = task?.path();
        if fs::read_to_string(task.join("comm"))?.trim() == name {
            return cpu_time_in(&task);
        }
    }
    Err(format!("there is no thread {name}").into())
}

fn cpu_time_in(task: &Path) -> Result<Duration, Failure> {
    let told = fs::read_to_string(task.join("schedstat"))?;
    let nanoseconds = told.split_whitespace().next().ok_or("nothing in schedstat")?;
    Ok(Duration::from_nanos(nanoseconds.parse()?))
}

/// A process and those that it has started, and those that they have started.
pub(crate) fn family(process: u32) -> Result<Vec<u32>, Failure> {
    let mut all = vec![process];
    let mut at = 0;
    while let Some(process) = all.get(at) {
        for task in fs::read_dir(format!("/proc/{process}/task"))? {
            let children = fs::read_to_string(task?.path().join("children"))?;
            for child in children.split_whitespace() {
                all.push(child.parse()?);
            }
        }
        at += 1;
    }
    Ok(all)
}

/// A figure in KiB from `/proc/PID/status`: `VmRSS`, the memory in use, or `VmHWM`, its peak.
pub(crate) fn memory_kib(process: u32, figure: &str) -> Result<u64, Failure> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find(|line| line.starts_with(figure)).ok_or("no such figure in /proc")?;
    Ok(line.split_whitespace().nth(1).ok_or("no number in /proc")?.parse()?)
}

/// How busy the machine is: the kernel's load averages.
pub(crate) fn load_average() -> Result<String, Failure> {
    Ok(fs::read_to_string("/proc/loadavg")?.trim().to_owned())
}

/// Lets this process, and those that it starts, hold as many connections open as the hard limit allows: the usual soft limit of
/// 1,024 is less than a thousand calls take.
pub(crate) fn allow_connections() {
    let limit = getrlimit(Resource::Nofile);
    // Where it cannot be raised, whoever needs more says so.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

/// A command that may use these cores only, with all that it starts; without any named, all of them.
pub(crate) fn pinned(cores: Option<&str>, program: impl AsRef<OsStr>) -> Command {
    match cores {
        Some(cores) => {
            let mut command = Command::new("taskset");
            command.args(["--cpu-list", cores]).arg(program);
            command
        }
        None => Command::new(program),
    }
}

/// Where cargo has put this program.
pub(crate) fn target_directory() -> Result<PathBuf, Failure> {
    let program = env::current_exe()?;
    Ok(program.parent().ok_or("the program is nowhere")?.to_owned())
}
