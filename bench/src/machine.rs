//! Which machine, which programs, which commit: without these a figure says nothing.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use suvidha_seam::Seam;

use crate::tools::Tool;

#[derive(Debug)]
pub(crate) struct Machine {
    /// UTC, `2026-11-22`.
    pub(crate) date: String,
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) memory_gib: u64,
    pub(crate) kernel: String,
    pub(crate) rust: String,
    /// Of what was measured; `-dirty` where files were changed since.
    pub(crate) commit: String,
    /// The programs of others, by name.
    pub(crate) versions: Vec<(&'static str, String)>,
}

impl Machine {
    pub(crate) fn this() -> Self {
        let told = |file: &str, key: &str| {
            let text = fs::read_to_string(file).unwrap_or_default();
            let line = text.lines().find(|line| line.starts_with(key)).unwrap_or_default().to_owned();
            line.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
        };
        let memory = told("/proc/meminfo", "MemTotal");
        let kib: u64 = memory.split(' ').next().and_then(|kib| kib.parse().ok()).unwrap_or_default();
        Self {
            date: Seam::system().now().strftime("%Y-%m-%d").to_string(),
            processor: told("/proc/cpuinfo", "model name"),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_gib: (kib + (1 << 19)) >> 20,
            kernel: said("uname", &["-sr"]),
            rust: said("rustc", &["--version"]),
            commit: said("git", &["describe", "--always", "--dirty", "--exclude=*"]),
            versions: Tool::ALL.map(|tool| (tool.name(), tool.version())).into(),
        }
    }

    /// In a line of a report.
    pub(crate) fn line(&self) -> String {
        let Self { date, processor, cores, memory_gib, kernel, rust, commit, .. } = self;
        format!(
            "{date}; {cores} cores ({processor}), {memory_gib} GiB, {kernel}, {rust}, release build of {commit}"
        )
    }

    pub(crate) fn raw(&self) -> Value {
        let versions: serde_json::Map<_, _> =
            self.versions.iter().map(|(name, version)| ((*name).to_owned(), json!(version))).collect();
        json!({
            "date": self.date,
            "processor": self.processor,
            "cores": self.cores,
            "memory_gib": self.memory_gib,
            "kernel": self.kernel,
            "rust": self.rust,
            "commit": self.commit,
            "versions": versions,
        })
    }
}

/// What a program says; nothing where it is not there.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let said = output.map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&said).trim().to_owned()
}
