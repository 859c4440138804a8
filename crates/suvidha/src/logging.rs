//! The log: to standard error, as text or JSON, at a level that a reload can change.

use std::io;

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
        let level = options.log_level.as_deref().unwrap_or(&log.level);
        let filter = EnvFilter::try_new(level).map_err(|e| {
            Failure::new(Exit::Usage, format_args!("--log-level {level:?} is no level and no filter: {e}"))
        })?;
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
        Ok(Self { filter: handle, level_is_fixed: options.log_level.is_some() })
    }

    /// Takes over the level of a new configuration, unless the command line has fixed it.
    pub(crate) fn follow(&self, log: &Log) {
        if self.level_is_fixed {
            return;
        }
        let changed = EnvFilter::try_new(&log.level).map(|filter| self.filter.reload(filter));
        if !matches!(changed, Ok(Ok(()))) {
            tracing::warn!(level = log.level, "the log level could not be changed");
        }
    }
}
