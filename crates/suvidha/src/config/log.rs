//! `[log]`: how much is logged, and in which form.

use super::reader::Section;
use super::setting::Word;
use crate::cli::LogFormat;
use crate::logging::filter;

/// How to log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Log {
    /// A level, or a filter such as `info,suvidha_gateway=debug`.
    pub(crate) level: String,
    /// Text or JSON.
    pub(crate) format: LogFormat,
}

impl Log {
    pub(super) fn from_section(mut section: Section<'_, '_>) -> Self {
        let at = section.locate("level");
        let level: String = section.get("level", "info".to_owned());
        if let Err(fault) = filter(&level) {
            section.problem(at, "level", fault);
        }
        Self { level, format: section.get("format", LogFormat::Text) }
    }
}

impl Word for LogFormat {
    const WORDS: &'static [(&'static str, Self)] = &[("text", Self::Text), ("json", Self::Json)];
}
