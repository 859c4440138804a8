//! The log as `suvidha serve` starts it, made of the command's own files: a call's line is a part of what the call costs.

#[path = "../../../crates/suvidha/src/logging/line.rs"]
mod line;
#[allow(dead_code, reason = "nothing here waits for the log")]
#[path = "../../../crates/suvidha/src/logging/sink.rs"]
mod sink;
#[path = "../../../crates/suvidha/src/logging/stamp.rs"]
mod stamp;

use std::io;
use std::sync::Arc;

use suvidha_seam::Seam;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt, reload};

use self::line::Lines;
use self::sink::Sink;
use self::stamp::Stamp;
use crate::Failure;

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LogFormat {
    Text,
    #[allow(dead_code, reason = "the files know it")]
    Json,
}

/// Starts it, at the level info and as text.
pub(crate) fn start(seam: &Seam) -> Result<(), Failure> {
    let (filter, _) = reload::Layer::new(EnvFilter::try_new("info")?);
    let stamp = Stamp(Arc::clone(&seam.clock));
    let library = fmt::format().with_timer(stamp.clone());
    let lines = Lines { format: LogFormat::Text, stamp, library };
    let sink = Sink::start(io::stderr(), |_, _| {})?;
    let layer = fmt::layer().with_writer(sink).with_ansi(false).event_format(lines);
    Ok(tracing_subscriber::registry().with(filter).with(layer).try_init()?)
}
