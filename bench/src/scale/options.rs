//! What was asked for.

use std::path::PathBuf;
use std::time::Duration;

use crate::Failure;

const USAGE: &str = "usage: bench scale [cores] [sessions] [--minutes N] [--quick] [--out DIRECTORY]";

/// Ten minutes.
const SOAK: Duration = Duration::from_secs(600);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// One core against two.
    Cores,
    /// Many ASPs and sessions, and then the soak with them.
    Sessions,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// Empty: all.
    parts: Vec<Part>,
    pub(crate) soak: Duration,
    /// A little of everything, to see that all of it works. Its figures say nothing.
    pub(crate) quick: bool,
    /// Where the results are written to.
    pub(crate) out: Option<PathBuf>,
}

impl Options {
    pub(crate) fn read(arguments: &[String]) -> Result<Self, Failure> {
        let mut options = Self { parts: Vec::new(), soak: SOAK, quick: false, out: None };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{argument} wants a value\n{USAGE}"));
            match argument.as_str() {
                "cores" => options.parts.push(Part::Cores),
                "sessions" => options.parts.push(Part::Sessions),
                "--minutes" => options.soak = minutes(value()?)?,
                "--out" => options.out = Some(value()?.into()),
                "--quick" => options.quick = true,
                other => return Err(format!("what is {other:?}?\n{USAGE}").into()),
            }
        }
        if options.quick {
            if options.out.is_some() {
                return Err("--quick measures nothing worth keeping: leave out --out".into());
            }
            options.soak = options.soak.min(Duration::from_secs(10));
        }
        Ok(options)
    }

    pub(crate) fn wants(&self, part: Part) -> bool {
        self.parts.is_empty() || self.parts.contains(&part)
    }
}

fn minutes(text: &str) -> Result<Duration, Failure> {
    let minutes = text.parse::<u64>().ok().filter(|minutes| (1..=600).contains(minutes));
    let told = || format!("--minutes takes a whole number, 1 to 600, not {text:?}");
    Ok(Duration::from_secs(60 * minutes.ok_or_else(told)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Options, String> {
        let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        Options::read(&words).map_err(|failure| failure.to_string())
    }

    #[test]
    fn parts_and_the_length_of_the_soak_may_be_given() {
        let options = read("sessions --minutes 2").unwrap();
        assert!(options.wants(Part::Sessions) && !options.wants(Part::Cores));
        assert_eq!(options.soak, Duration::from_secs(120));
        assert!(read("").unwrap().wants(Part::Cores));
    }

    #[test]
    fn what_cannot_be_is_told() {
        assert!(read("--minutes 0").unwrap_err().contains("1 to 600"));
        assert!(read("moon").unwrap_err().contains("usage"));
        assert!(read("--quick --out x").unwrap_err().contains("--quick"));
    }
}
