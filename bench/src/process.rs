//! What the kernel tells of a process.

use std::fs;
use std::time::Duration;

use crate::Failure;

/// CPU time that a process has used, its threads included, in the kernel's hundredths of a second (`/proc/PID/stat`).
pub(crate) fn cpu_time(process: u32) -> Result<Duration, Failure> {
    cpu_time_in(&format!("/proc/{process}"))
}

/// CPU time that one thread of this process has used: the one of that name.
pub(crate) fn cpu_time_of_thread(name: &str) -> Result<Duration, Failure> {
    for task in fs::read_dir("/proc/self/task")? {
        let task = task?.path().display().to_string();
        if fs::read_to_string(format!("{task}/comm"))?.trim() == name {
            return cpu_time_in(&task);
        }
    }
    Err(format!("there is no thread {name}").into())
}

fn cpu_time_in(directory: &str) -> Result<Duration, Failure> {
    let stat = fs::read_to_string(format!("{directory}/stat"))?;
    // The name of the process, in parentheses, may hold anything; user and system time are the 12th and 13th after it.
    let (_, fields) = stat.rsplit_once(')').ok_or("no name in /proc/PID/stat")?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
    Ok(Duration::from_millis(10 * ticks.sum::<Result<u64, _>>()?))
}

/// A process and the ones that it has started.
pub(crate) fn family(process: u32) -> Result<Vec<u32>, Failure> {
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children"))?;
    let children = children.split_whitespace().map(str::parse);
    Ok(std::iter::once(Ok(process)).chain(children).collect::<Result<_, _>>()?)
}

/// How busy the machine is: the kernel's load averages.
pub(crate) fn load_average() -> Result<String, Failure> {
    Ok(fs::read_to_string("/proc/loadavg")?.trim().to_owned())
}
