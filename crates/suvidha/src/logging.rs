//! The log: to standard error, as text or JSON, at a level that a reload can change.

use std::io;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

use crate::cli::{LogFormat, LogOptions};
use crate::config::Log;
use crate::exit::{Exit, Failure};

/// The running log, whose level can be changed.
pub(crate) struct Logging {
    filter: reload::Handle<EnvFilter, Registry>,
    level_is_fixed: bool,
}

impl Logging {
    /// Starts the log as `options` say, and `log` where they are silent.
    pub(crate) fn start(options: &LogOptions, log: &Log) -> Result<Self, Failure> {
        let asked = options.log_level.as_deref().filter(|level| !level.is_empty());
        let level = asked.unwrap_or(&log.level);
        let filter =
            filter(level).map_err(|fault| Failure::new(Exit::Usage, format_args!("--log-level: {fault}")))?;
        let (filter, handle) = reload::Layer::new(filter);
        let subscriber = tracing_subscriber::registry().with(filter);
        let layer = fmt::layer().with_writer(io::stderr);
        let started = match options.log_format.unwrap_or(log.format) {
            LogFormat::Text => {
                subscriber.with(layer.with_ansi(io::IsTerminal::is_terminal(&io::stderr()))).try_init()
            }
            LogFormat::Json => subscriber.with(layer.json().flatten_event(true)).try_init(),
        };
        started.map_err(|e| Failure::new(Exit::Unavailable, format_args!("cannot start the log: {e}")))?;
        Ok(Self { filter: handle, level_is_fixed: asked.is_some() })
    }

    /// Takes over the level of a new configuration, unless the command line has fixed it.
    pub(crate) fn follow(&self, log: &Log) {
        if self.level_is_fixed {
            return;
        }
        let changed = filter(&log.level).map(|filter| self.filter.reload(filter));
        if !matches!(changed, Ok(Ok(()))) {
            tracing::warn!(level = log.level, "the log level could not be changed");
        }
    }
}

/// Reads a level, or a filter such as `info,suvidha_gateway=debug`. A word alone must be a level: as the name of a
/// module it would silence all the others, which is what a misspelt level must not do.
pub(crate) fn filter(text: &str) -> Result<EnvFilter, String> {
    let is_level = |word: &str| !word.is_empty() && word.parse::<LevelFilter>().is_ok();
    let wrong = text.split(',').find(|part| !part.contains(['=', '[']) && !is_level(part));
    match (wrong, EnvFilter::try_new(text)) {
        (None, Ok(filter)) => Ok(filter),
        _ => Err(format!(
            "{text:?} is neither a level (off, error, warn, info, debug, trace) nor a filter such as \
             \"info,suvidha_gateway=debug\""
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_level_is_not_taken_for_a_module() {
        for right in ["warn", "DEBUG", "info,suvidha_gateway=debug", "off,suvidha=trace"] {
            assert!(filter(right).is_ok(), "{right}");
        }
        for wrong in ["loud", "inof", "", "info,gateway", "suvidha=loud"] {
            assert!(filter(wrong).is_err(), "{wrong}");
        }
    }
}
