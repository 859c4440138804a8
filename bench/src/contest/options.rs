//! What was asked for.

use std::path::PathBuf;
use std::time::Duration;

use super::scenario::SCENARIOS;
use crate::Failure;

const USAGE: &str = "usage: bench gateway [ROUNDS] [--scenario NAME]... [--quick] [--out DIRECTORY]";

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) rounds: usize,
    /// Empty: all of them.
    pub(crate) scenarios: Vec<String>,
    /// How long a contestant is called in a round, at full speed and again at the fixed rate.
    pub(crate) length: Duration,
    /// One short round, to see that all of it works. Its figures say nothing.
    pub(crate) quick: bool,
    /// Where the results are written to.
    pub(crate) out: Option<PathBuf>,
}

impl Options {
    pub(crate) fn read(arguments: &[String]) -> Result<Self, Failure> {
        let mut options = Self {
            rounds: 5,
            scenarios: Vec::new(),
            length: Duration::from_secs(4),
            quick: false,
            out: None,
        };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value =
                || arguments.next().cloned().ok_or_else(|| format!("{argument} wants a value\n{USAGE}"));
            match argument.as_str() {
                "--scenario" => options.scenarios.push(known(value()?)?),
                "--out" => options.out = Some(value()?.into()),
                "--quick" => options.quick = true,
                rounds => {
                    let rounds = rounds.parse().ok().filter(|rounds| *rounds > 0);
                    options.rounds = rounds.ok_or_else(|| format!("what is {argument:?}?\n{USAGE}"))?;
                }
            }
        }
        if options.quick {
            if options.out.is_some() {
                return Err("--quick measures nothing worth keeping: leave out --out".into());
            }
            (options.rounds, options.length) = (1, Duration::from_secs(1));
        }
        Ok(options)
    }

    pub(crate) fn wants(&self, scenario: &str) -> bool {
        self.scenarios.is_empty() || self.scenarios.iter().any(|name| name == scenario)
    }
}

fn known(name: String) -> Result<String, Failure> {
    let all = SCENARIOS.map(|scenario| scenario.name);
    if all.contains(&name.as_str()) {
        return Ok(name);
    }
    Err(format!("there is no scenario {name:?}, but {}", all.join(", ")).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Options, String> {
        let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        Options::read(&words).map_err(|failure| failure.to_string())
    }

    #[test]
    fn rounds_scenarios_and_a_place_for_results_may_be_given() {
        let options = read("7 --scenario small --scenario tls --out bench/results").unwrap();
        assert_eq!((options.rounds, options.out), (7, Some("bench/results".into())));
        assert_eq!(options.scenarios, ["small", "tls"]);
        assert!(read("").unwrap().wants("reload"));
    }

    #[test]
    fn what_cannot_be_is_told() {
        assert!(read("--scenario huge").unwrap_err().contains("small, down, up"));
        assert!(read("0").unwrap_err().contains("usage"));
        assert!(read("--scenario").unwrap_err().contains("wants a value"));
        assert!(read("--quick --out x").unwrap_err().contains("--quick"));
    }
}
