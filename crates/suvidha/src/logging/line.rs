//! How an event becomes a line. Nearly all lines tell of a call, and those are written here, as the library would write
//! them to the byte but for a fifth of its price; all others are left to the library.

use std::cell::RefCell;
use std::fmt::{self, Debug, Write};

use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::LogFormat;
use super::stamp::Stamp;

/// The events that tell of calls.
pub(super) const CALL: &str = "suvidha::call";

/// Writes the lines of calls, and has `library` write all others.
pub(super) struct Lines<L> {
    pub(super) format: LogFormat,
    pub(super) stamp: Stamp,
    pub(super) library: L,
}

/// What a thread keeps for the next line.
struct Work {
    names: Names,
    line: String,
}

/// What goes before the values of one kind of event, by the places of its fields: `,"status":` or ` status=`.
struct Names {
    kind: Option<(Identifier, LogFormat)>,
    before: Vec<String>,
    /// No field has a name to which the library gives a meaning of its own.
    plain: bool,
}

thread_local! {
    static WORK: RefCell<Work> = const {
        RefCell::new(Work { names: Names { kind: None, before: Vec::new(), plain: false }, line: String::new() })
    };
}

impl<S, N, L> FormatEvent<S, N> for Lines<L>
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
    N: for<'writer> FormatFields<'writer> + 'static,
    L: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        // Colours and spans are for people, who read slowly.
        if event.metadata().target() == CALL
            && !writer.has_ansi_escapes()
            && context.event_scope().is_none()
            && let Some(written) = WORK.with(|work| {
                // A value that logs while it is written finds the line taken.
                let work = &mut *work.try_borrow_mut().ok()?;
                self.write(event, work).then(|| writer.write_str(&work.line))
            })
        {
            return written;
        }
        self.library.format_event(context, writer, event)
    }
}

impl<L> Lines<L> {
    /// Whether the whole of `event` could be written.
    fn write(&self, event: &Event<'_>, Work { names, line }: &mut Work) -> bool {
        let metadata = event.metadata();
        names.learn(metadata, self.format);
        line.clear();
        if self.format == LogFormat::Json {
            line.push_str("{\"timestamp\":\"");
        }
        let stamped = self.stamp.write(line).is_ok();
        match self.format {
            LogFormat::Text => {
                line.push_str(padded(*metadata.level()));
                line.push_str(metadata.target());
                line.push(':');
            }
            LogFormat::Json => {
                line.push_str("\",\"level\":\"");
                line.push_str(metadata.level().as_str());
                line.push('"');
            }
        }
        let good = stamped && names.plain;
        let mut fields = Fields { format: self.format, names: &names.before, line, good };
        event.record(&mut fields);
        let good = fields.good;
        match self.format {
            LogFormat::Text => line.push('\n'),
            LogFormat::Json => {
                line.push_str(",\"target\":\"");
                line.push_str(metadata.target());
                line.push_str("\"}\n");
            }
        }
        good
    }
}

impl Names {
    /// Makes them those of the events that `metadata` describes, if they are not yet.
    fn learn(&mut self, metadata: &Metadata<'_>, format: LogFormat) {
        let kind = Some((metadata.callsite(), format));
        if self.kind == kind {
            return;
        }
        let names = || metadata.fields().iter().map(|field| field.name());
        let before = |name| match format {
            LogFormat::Text => format!(" {name}="),
            LogFormat::Json => format!(",\"{name}\":"),
        };
        self.before = names().map(before).collect();
        self.plain = names().all(|name| name != "message" && !name.starts_with("r#"));
        self.kind = kind;
    }
}

const fn padded(level: Level) -> &'static str {
    match level {
        Level::ERROR => " ERROR ",
        Level::WARN => "  WARN ",
        Level::INFO => "  INFO ",
        Level::DEBUG => " DEBUG ",
        Level::TRACE => " TRACE ",
    }
}

/// Writes the fields of an event to a line.
struct Fields<'l> {
    format: LogFormat,
    names: &'l [String],
    line: &'l mut String,
    /// Nothing came that the library must write.
    good: bool,
}

impl Fields<'_> {
    /// Writes what goes before the value of `field`.
    fn name(&mut self, field: &Field) {
        match self.names.get(field.index()) {
            Some(name) => self.line.push_str(name),
            None => self.good = false,
        }
    }

    fn written(&mut self, result: fmt::Result) {
        self.good &= result.is_ok();
    }
}

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.name(field);
        let plain = match self.format {
            LogFormat::Text => is_plain(value),
            LogFormat::Json => !needs_escape(value),
        };
        if plain {
            self.line.push('"');
            self.line.push_str(value);
            self.line.push('"');
            return;
        }
        let written = match self.format {
            LogFormat::Text => write!(self.line, "{value:?}"),
            LogFormat::Json => in_json(self.line, value),
        };
        self.written(written);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.name(field);
        decimal(self.line, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.name(field);
        let written = match self.format {
            LogFormat::Text => write!(self.line, "{value:?}"),
            LogFormat::Json => {
                self.line.push('"');
                let from = self.line.len();
                let written = write!(self.line, "{value:?}");
                if needs_escape(&self.line[from..]) {
                    let value = self.line.split_off(from);
                    self.line.pop();
                    written.and_then(|()| in_json(self.line, &value))
                } else {
                    self.line.push('"');
                    written
                }
            }
        };
        self.written(written);
    }

    fn record_i64(&mut self, _: &Field, _: i64) {
        self.good = false;
    }

    fn record_f64(&mut self, _: &Field, _: f64) {
        self.good = false;
    }

    fn record_bool(&mut self, _: &Field, _: bool) {
        self.good = false;
    }

    fn record_bytes(&mut self, _: &Field, _: &[u8]) {
        self.good = false;
    }

    fn record_error(&mut self, _: &Field, _: &(dyn std::error::Error + 'static)) {
        self.good = false;
    }
}

/// Whether all of `text` is visible ASCII that looks the same quoted. Written without a way out, so that it becomes a few
/// vector instructions.
fn is_plain(text: &str) -> bool {
    text.bytes()
        .fold(true, |plain, byte| plain & matches!(byte, b' '..=b'~') & (byte != b'"') & (byte != b'\\'))
}

/// Whether JSON has to escape something of `text`.
fn needs_escape(text: &str) -> bool {
    text.bytes().fold(false, |odd, byte| odd | (byte < b' ') | (byte == b'"') | (byte == b'\\'))
}

/// Writes `value`, for a tenth of what `fmt` takes for it.
fn decimal(line: &mut String, mut value: u64) {
    let (mut digits, mut from) = ([b'0'; 20], 20);
    loop {
        from -= 1;
        digits[from] += (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    digits[from..].iter().for_each(|digit| line.push(char::from(*digit)));
}

fn in_json(line: &mut String, value: &str) -> fmt::Result {
    line.push_str(&serde_json::to_string(value).map_err(|_| fmt::Error)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use suvidha_seam::ManualClock;
    use tracing::{Dispatch, debug, info, info_span};
    use tracing_subscriber::fmt::format::JsonFields;
    use tracing_subscriber::fmt::{self as library};
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::registry;

    use super::*;

    /// Whatever an ASP or GSTN may send, and what is longer than anything.
    const TEXTS: [&str; 12] = [
        "",
        "27AAPFU0939F1ZV",
        "a \"quoted\" word's \\ backslash / slash",
        "tab\tline\nreturn\rnul\0bell\u{7}back\u{8}feed\u{c}",
        "\u{1b}[31mred\u{1b}[0m \u{1b}]0;title\u{7}",
        "delete\u{7f} next\u{85} csi\u{9b}31m",
        "\u{202e}right to left\u{200b}\u{feff}",
        "हिन्दी ₹ é e\u{301} 😀",
        "{\"json\":1} <html> & '",
        "\u{1f}\u{20}\u{21}\u{7e}\u{80}",
        "=a b=c \\u0041",
        concat!("0123456789012345678901234567890123456789012345678901234567890123456789", "\""),
    ];

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A library that writes nothing: whatever is written with it was written here.
    struct Silent;

    impl<S, N> FormatEvent<S, N> for Silent
    where
        S: Subscriber + for<'lookup> LookupSpan<'lookup>,
        N: for<'writer> FormatFields<'writer> + 'static,
    {
        fn format_event(&self, _: &FmtContext<'_, S, N>, _: Writer<'_>, _: &Event<'_>) -> fmt::Result {
            Ok(())
        }
    }

    #[derive(Clone, Copy)]
    enum By {
        Us,
        UsAlone,
        Library,
    }

    fn stamp() -> Stamp {
        Stamp(Arc::new(ManualClock::at("2026-11-22T10:15:30.123Z".parse().unwrap())))
    }

    fn logged(format: LogFormat, by: By, ansi: bool, say: impl Fn()) -> String {
        let page = Page::default();
        let writer = page.clone();
        let layer = library::layer().with_ansi(ansi).with_writer(move || writer.clone());
        let plain = library::format().with_timer(stamp());
        let json = plain.clone().json().flatten_event(true);
        macro_rules! lines {
            ($library:expr) => {
                Lines { format, stamp: stamp(), library: $library }
            };
        }
        let subscriber: Dispatch = match (format, by) {
            (LogFormat::Text, By::Us) => registry().with(layer.event_format(lines!(plain))).into(),
            (LogFormat::Text, By::UsAlone) => registry().with(layer.event_format(lines!(Silent))).into(),
            (LogFormat::Text, By::Library) => registry().with(layer.event_format(plain)).into(),
            (LogFormat::Json, by) => {
                let layer = layer.fmt_fields(JsonFields::new());
                match by {
                    By::Us => registry().with(layer.event_format(lines!(json))).into(),
                    By::UsAlone => registry().with(layer.event_format(lines!(Silent))).into(),
                    By::Library => registry().with(layer.event_format(json)).into(),
                }
            }
        };
        tracing::dispatcher::with_default(&subscriber, say);
        let bytes = page.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    fn calls() {
        for (text, number) in TEXTS.into_iter().zip([0, 9, 10, 99, 100, 12_345, u64::MAX].into_iter().cycle())
        {
            info!(
                target: CALL,
                request_id = %text,
                environment = "sandbox",
                txn = Some(text),
                gstin = None::<&str>,
                status = Some(404_u16),
                bytes_in = number,
                total_ms = number,
                trace_id = Some(text.to_owned()),
                detail = ?text,
            );
            debug!(target: CALL, status = number);
        }
    }

    fn oddities() {
        info!(target: CALL, text = "a", "a message");
        info!(target: CALL, number = -1, truth = true, fraction = 0.5, big = 1_u128 << 100);
        info!(target: CALL, error = &io::Error::other("no") as &(dyn std::error::Error + 'static));
        info!(target: CALL, r#type = "a", bytes = &b"abc"[..]);
        info!(target: "suvidha::gateway", status = 200, "not a call");
        let span = info_span!("span", of = "calls");
        span.in_scope(calls);
        info!(target: CALL, parent: &span, status = 200_u64);
        struct Logs;
        impl Debug for Logs {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                info!(target: CALL, status = 1_u64);
                f.write_str("a value that logs")
            }
        }
        info!(target: CALL, value = ?Logs, status = 2_u64);
    }

    #[test]
    fn the_lines_of_calls_are_to_the_byte_those_of_the_library() {
        for format in [LogFormat::Text, LogFormat::Json] {
            let theirs = logged(format, By::Library, false, calls);
            assert_eq!(logged(format, By::UsAlone, false, calls), theirs);
            assert_eq!(theirs.matches(CALL).count(), 2 * TEXTS.len(), "{theirs}");
        }
        let first = logged(
            LogFormat::Text,
            By::UsAlone,
            false,
            || info!(target: CALL, status = 200_u64, txn = "a b"),
        );
        assert_eq!(first, "2026-11-22T10:15:30.123000Z  INFO suvidha::call: status=200 txn=\"a b\"\n");
    }

    #[test]
    fn what_is_unusual_is_left_to_the_library() {
        for format in [LogFormat::Text, LogFormat::Json] {
            let theirs = logged(format, By::Library, false, oddities);
            assert_eq!(logged(format, By::Us, false, oddities), theirs);
        }
        let coloured = logged(LogFormat::Text, By::Library, true, calls);
        assert_eq!(logged(LogFormat::Text, By::Us, true, calls), coloured);
        assert!(coloured.contains("\u{1b}["));
    }
}
