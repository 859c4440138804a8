//! The parts of a call, each by itself: runs the benches in `benches/parts` under criterion, then reads and reports what
//! criterion has written. Beside them, in the same run, what others take for the same: `openssl` and a client in Python.

mod clients;
mod estimates;
mod report;

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use self::clients::Client;
use self::estimates::Estimate;
use crate::machine::Machine;
use crate::process::{load_average, target_directory};
use crate::{Failure, getkey, results};

const USAGE: &str = "usage: bench parts [FILTER] [--quick] [--out DIRECTORY]";

#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    /// Only benches whose name (such as `payload to GSTN, 10 MB/whole`) matches.
    filter: Option<String>,
    /// A moment for each, to see that all of it works. Its figures say little.
    quick: bool,
    /// Where the results are written to.
    out: Option<PathBuf>,
}

impl Options {
    fn read(arguments: &[String]) -> Result<Self, Failure> {
        let mut options = Self::default();
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--quick" => options.quick = true,
                "--out" => {
                    let directory =
                        arguments.next().ok_or_else(|| format!("--out wants a value\n{USAGE}"))?;
                    options.out = Some(directory.into());
                }
                filter if !filter.starts_with('-') && options.filter.is_none() => {
                    options.filter = Some(filter.to_owned());
                }
                other => return Err(format!("what is {other:?}?\n{USAGE}").into()),
            }
        }
        if options.out.is_some() && (options.quick || options.filter.is_some()) {
            return Err("only a whole run is worth keeping: leave out --out".into());
        }
        Ok(options)
    }
}

/// Everything that was measured in one run.
struct Run {
    machine: Machine,
    /// Before and after.
    load: [String; 2],
    quick: bool,
    /// In the order in which they were measured.
    estimates: Vec<Estimate>,
    /// RSA-2048 verifications in a second, by `openssl speed`; why not, if it is not there.
    openssl: Option<Result<f64, String>>,
    /// The payload of 10 MB; why not, if it cannot be measured.
    python: Option<Result<Client, String>>,
}

pub(crate) fn measure(arguments: &[String]) -> Result<String, Failure> {
    let options = Options::read(arguments)?;
    let (machine, before) = (Machine::this(), load_average()?);
    let home = target_directory()?.join("criterion-of-parts");
    criterion(&options, &home)?;
    let estimates = estimates::read(&home)?;
    let measured = |group: &str| estimates.iter().any(|estimate| estimate.group.starts_with(group));
    let openssl = measured("GetKey")
        .then(|| getkey::openssl_verifications().map_err(|error| format!("openssl speed: {error}")));
    let python = measured(report::COMPARED).then(clients::python);
    let load = [before, load_average()?];
    let run = Run { machine, load, quick: options.quick, estimates, openssl, python };
    let page = report::page(&run)?;
    if let Some(directory) = &options.out {
        results::write(directory, "parts", &run.machine.date, &run.raw(), &page, None)?;
    }
    Ok(page)
}

/// Runs the benches, their results to be in `home` and nothing else.
fn criterion(options: &Options, home: &Path) -> Result<(), Failure> {
    if home.exists() {
        fs::remove_dir_all(home)?;
    }
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["bench", "--package", "suvidha-bench", "--bench", "parts", "--", "--noplot"]);
    let [samples, warm_up, length] = if options.quick { ["10", "0.1", "0.2"] } else { ["30", "0.5", "2"] };
    command.args(["--sample-size", samples, "--warm-up-time", warm_up, "--measurement-time", length]);
    // The report alone goes to standard output.
    command.args(&options.filter).env("CRITERION_HOME", home).stdout(io::stderr());
    let status = command.status()?;
    if status.success() { Ok(()) } else { Err(format!("the benches failed: {status}").into()) }
}

impl Run {
    /// All of it, and of each bench what criterion has written.
    fn raw(&self) -> serde_json::Value {
        json!({
            "machine": self.machine.raw(),
            "load_average": self.load,
            "openssl_verifications": self.openssl.as_ref().and_then(|openssl| openssl.as_ref().ok()),
            "python": self.python.as_ref().and_then(|python| python.as_ref().ok()).map(Client::raw),
            "benches": self.estimates.iter().map(Estimate::raw).collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Options, String> {
        let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        Options::read(&words).map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_filter_and_a_place_for_results_may_be_given() {
        assert_eq!(read("").unwrap(), Options::default());
        let quick = read("payload --quick").unwrap();
        assert_eq!((quick.filter.as_deref(), quick.quick), (Some("payload"), true));
        assert_eq!(read("--out bench/results").unwrap().out, Some("bench/results".into()));
    }

    #[test]
    fn what_cannot_be_is_told() {
        for line in ["--fast", "one two", "--out"] {
            assert!(read(line).unwrap_err().contains("usage"), "{line}");
        }
        for line in ["--quick --out x", "payload --out x"] {
            assert!(read(line).unwrap_err().contains("only a whole run"), "{line}");
        }
    }
}
