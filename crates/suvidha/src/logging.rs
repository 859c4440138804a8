//! The log: to standard error, as text or JSON, at a level that a reload can change.
//!
//! Every call has its line, so lines must be cheap: `line.rs` makes them, and `sink.rs` writes many at once.

mod line;
mod sink;
mod stamp;

use std::io;
use std::panic;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use suvidha_seam::Seam;
use tracing::level_filters::LevelFilter;
use tracing::warn;
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

use self::line::Lines;
use self::sink::Sink;
use self::stamp::Stamp;
use crate::cli::{LogFormat, LogOptions};
use crate::config::Log;
use crate::exit::{Exit, Failure};

/// How long the end of the process, or the words of a panic, wait for what is logged before them.
const PATIENCE: Duration = Duration::from_secs(1);

/// The running log, whose level can be changed. Dropping it waits until all that was logged is written.
#[must_use]
pub(crate) struct Logging {
    filter: reload::Handle<EnvFilter, Registry>,
    level_is_fixed: bool,
    sink: Sink,
}

impl Logging {
    /// Starts the log as `options` say, and `log` where they are silent. Its times are those of `seam`.
    pub(crate) fn start(options: &LogOptions, log: &Log, seam: &Seam) -> Result<Self, Failure> {
        let asked = options.log_level.as_deref().filter(|level| !level.is_empty());
        let level = asked.unwrap_or(&log.level);
        let filter =
            filter(level).map_err(|fault| Failure::new(Exit::Usage, format_args!("--log-level: {fault}")))?;
        let (filter, handle) = reload::Layer::new(filter);
        let sink = Sink::start(io::stderr(), tell_of_lost)
            .map_err(|e| Failure::io(Exit::Unavailable, "cannot start a thread for the log", &e))?;
        let stamp = Stamp(Arc::clone(&seam.clock));
        let subscriber = tracing_subscriber::registry().with(filter);
        let layer = fmt::layer().with_writer(sink.clone());
        let format = options.log_format.unwrap_or(log.format);
        let library = fmt::format().with_timer(stamp.clone());
        let started = match format {
            LogFormat::Text => subscriber
                .with(layer.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).event_format(Lines {
                    format,
                    stamp,
                    library,
                }))
                .try_init(),
            LogFormat::Json => subscriber
                .with(layer.with_ansi(false).fmt_fields(JsonFields::new()).event_format(Lines {
                    format,
                    stamp,
                    library: library.json().flatten_event(true),
                }))
                .try_init(),
        };
        started.map_err(|e| Failure::new(Exit::Unavailable, format_args!("cannot start the log: {e}")))?;
        before_panics(sink.clone());
        Ok(Self { filter: handle, level_is_fixed: asked.is_some(), sink })
    }

    /// How many lines were dropped because standard error did not take them, now and later.
    pub(crate) fn lost_lines(&self) -> Arc<AtomicU64> {
        self.sink.lost()
    }

    /// Takes over the level of a new configuration, unless the command line has fixed it.
    pub(crate) fn follow(&self, log: &Log) {
        if self.level_is_fixed {
            return;
        }
        let changed = filter(&log.level).map(|filter| self.filter.reload(filter));
        if !matches!(changed, Ok(Ok(()))) {
            warn!(level = log.level, "the log level could not be changed");
        }
    }
}

impl Drop for Logging {
    fn drop(&mut self) {
        self.sink.flush(PATIENCE);
    }
}

fn tell_of_lost(lines: u64, total: u64) {
    warn!(lines, total, "standard error did not take the log fast enough: lines were dropped");
}

/// Has a panic print its words after what was logged before it.
fn before_panics(sink: Sink) {
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |words| {
        sink.flush(PATIENCE);
        print(words);
    }));
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
