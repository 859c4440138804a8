//! What `suvidha top` shows: the figures of a minute, laid out for a screen of any size.

use std::cmp::Reverse;
use std::fmt::Write as _;

use super::terminal::Size;
use super::window::{AspFigures, Errors, Figures, Spread};
use crate::ledger::{ist, printable};

/// By what the ASPs are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    Calls,
    Errors,
    Slowest,
    Aspid,
}

impl Sort {
    /// The one that follows, round and round.
    pub(super) fn next(self) -> Self {
        match self {
            Self::Calls => Self::Errors,
            Self::Errors => Self::Slowest,
            Self::Slowest => Self::Aspid,
            Self::Aspid => Self::Calls,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::Errors => "errors",
            Self::Slowest => "p99",
            Self::Aspid => "aspid",
        }
    }

    fn apply(self, asps: &mut [&AspFigures]) {
        match self {
            Self::Calls => asps.sort_by_key(|asp| Reverse(asp.calls)),
            Self::Errors => asps.sort_by_key(|asp| Reverse((asp.errors, asp.calls))),
            Self::Slowest => asps.sort_by_key(|asp| Reverse(asp.total.p99_us)),
            Self::Aspid => asps.sort_by(|a, b| a.aspid.cmp(&b.aspid)),
        }
    }
}

/// How a piece of a line is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Plain,
    Strong,
    Heading,
    Bad,
}

impl Style {
    fn begin(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Strong => "\x1b[1m",
            Self::Heading => "\x1b[7m",
            Self::Bad => "\x1b[31m",
        }
    }
}

/// A frame, not yet cut to a screen.
#[derive(Default)]
pub(super) struct Frame {
    lines: Vec<Vec<(Style, String)>>,
}

/// What stands above the figures.
pub(super) struct Title<'a> {
    pub(super) environment: &'a str,
    /// The newest entry's number.
    pub(super) head: u64,
    /// Why there is nothing new, where that is so.
    pub(super) trouble: Option<&'a str>,
}

impl Frame {
    /// The frame of `figures`, with all of the ASPs.
    pub(super) fn new(title: &Title<'_>, figures: &Figures, sort: Sort) -> Self {
        let mut frame = Self::default();
        frame.head(title, figures);
        frame.latencies(figures);
        frame.errors(figures);
        frame.asps(figures, sort);
        frame
    }

    /// The lines as they go to a screen of `size`; what does not fit is left out, and how much of it is told on the last line
    /// but one. The last line is `foot`.
    pub(super) fn fit(mut self, size: Size, foot: &str, colour: bool) -> Vec<String> {
        let room = size.lines.saturating_sub(1);
        if self.lines.len() > room {
            let shown = room.saturating_sub(1);
            let left_out = self.lines.len() - shown;
            self.lines.truncate(shown);
            if room > 0 {
                self.line(Style::Plain, format!("… and {left_out} more"));
            }
        }
        while self.lines.len() < room {
            self.line(Style::Plain, "");
        }
        self.line(Style::Plain, foot);
        self.lines.iter().map(|line| rendered(line, size.columns, colour)).collect()
    }

    /// All lines at their full length.
    pub(super) fn whole(&self) -> String {
        self.lines.iter().map(|line| rendered(line, usize::MAX, false) + "\n").collect()
    }

    fn head(&mut self, title: &Title<'_>, figures: &Figures) {
        self.lines.push(vec![
            (Style::Strong, "suvidha top".to_owned()),
            (Style::Plain, format!("  {}  {}  entry {}", title.environment, ist(figures.at), title.head)),
        ]);
        match title.trouble {
            Some(trouble) => self.line(Style::Bad, printable(trouble)),
            None => self.line(
                Style::Plain,
                format!(
                    "last {} s: {} calls, {} given up by the ASP, {} units",
                    figures.span_ms.saturating_add(500) / 1000,
                    figures.calls,
                    figures.abandoned,
                    figures.units
                ),
            ),
        }
        self.line(
            Style::Plain,
            format!(
                "calls per second: {} in the last second, {} in 10 s, {} in 60 s",
                figures.last_second, figures.last_ten_seconds, figures.last_minute
            ),
        );
    }

    fn latencies(&mut self, figures: &Figures) {
        self.line(Style::Plain, "");
        self.line(Style::Heading, format!("{:<12}{:>10}{:>10}{:>10}", "LATENCY", "P50", "P99", "MAX"));
        for (name, spread) in
            [("whole call", &figures.total), ("at GSTN", &figures.gstn), ("ours", &figures.ours)]
        {
            self.line(Style::Plain, format!("{name:<12}{}", spread_words(spread)));
        }
    }

    fn errors(&mut self, figures: &Figures) {
        self.line(Style::Plain, "");
        self.line(Style::Heading, format!("{:<12}{:>10}  {}", "ERRORS", "CALLS", "CODES"));
        if figures.errors.is_empty() {
            self.line(Style::Plain, "none");
        }
        for Errors { origin, calls, codes } in &figures.errors {
            let codes: Vec<_> =
                codes.iter().map(|code| format!("{} {}", printable(&code.error_cd), code.calls)).collect();
            self.lines.push(vec![
                (Style::Bad, format!("{origin:<12}{calls:>10}")),
                (Style::Plain, format!("  {}", codes.join(", "))),
            ]);
        }
    }

    fn asps(&mut self, figures: &Figures, sort: Sort) {
        self.line(Style::Plain, "");
        let headings = format!(
            "{:<12}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}",
            "ASP", "CALLS/S", "CALLS", "ERRORS", "UNITS", "P50", "P99", "MAX"
        );
        self.line(Style::Heading, headings);
        let mut asps: Vec<_> = figures.asps.iter().collect();
        sort.apply(&mut asps);
        for asp in asps {
            let name = asp.aspid.as_deref().unwrap_or("(unproven)");
            let errors = if asp.errors > 0 { Style::Bad } else { Style::Plain };
            self.lines.push(vec![
                (
                    Style::Plain,
                    format!("{name:<12}{:>10}{:>10}", asp.calls_per_second.to_string(), asp.calls),
                ),
                (errors, format!("{:>10}", asp.errors)),
                (Style::Plain, format!("{:>10}{}", asp.units, spread_words(&asp.total))),
            ]);
        }
    }

    fn line(&mut self, style: Style, text: impl Into<String>) {
        self.lines.push(vec![(style, text.into())]);
    }
}

/// The line on which the keys are told.
pub(super) fn keys(sort: Sort) -> String {
    format!("q quit   s sort ASPs (now by {})", sort.words())
}

fn rendered(pieces: &[(Style, String)], columns: usize, colour: bool) -> String {
    let mut line = String::new();
    let mut room = columns;
    for (style, text) in pieces {
        let shown: String = text.chars().take(room).collect();
        room -= shown.chars().count();
        match colour && *style != Style::Plain && !shown.is_empty() {
            // Writing to a String cannot fail.
            true => _ = write!(line, "{}{shown}\x1b[0m", style.begin()),
            false => line.push_str(&shown),
        }
    }
    line
}

fn spread_words(spread: &Spread) -> String {
    [spread.p50_us, spread.p99_us, spread.max_us]
        .map(|us| format!("{:>10}", us.map_or("-".to_owned(), latency)))
        .concat()
}

/// Microseconds in three digits or so.
fn latency(us: u64) -> String {
    let thousandths = |number: u64, unit: &str| match number {
        0..10_000 => format!("{}.{:02} {unit}", number / 1000, number % 1000 / 10),
        10_000..100_000 => format!("{}.{} {unit}", number / 1000, number % 1000 / 100),
        _ => format!("{} {unit}", number / 1000),
    };
    if us < 1_000_000 { thousandths(us, "ms") } else { thousandths(us / 1000, "s") }
}

#[cfg(test)]
mod tests {
    use super::super::window::{Sample, Window};
    use super::*;

    fn figures() -> Figures {
        let now: jiff::Timestamp = "2026-11-22T10:15:30Z".parse().unwrap();
        let mut window = Window::default();
        for number in 1..=3_u64 {
            window.add(Sample {
                ended: now,
                asp: Some(format!("123456789{number}").parse().unwrap()),
                total_us: 1_000_000 * number,
                gstn_us: Some(990_000),
                error: (number == 2).then(|| (gstn::catalogue::Origin::Gstn, "RET11416\u{1b}".into())),
                units: 1,
                abandoned: false,
            });
        }
        window.figures(now)
    }

    fn frame(trouble: Option<&str>, sort: Sort) -> Frame {
        Frame::new(&Title { environment: "sandbox", head: 42, trouble }, &figures(), sort)
    }

    #[test]
    fn a_frame_has_it_all() {
        insta::assert_snapshot!(frame(None, Sort::Slowest).whole());
    }

    #[test]
    fn asps_are_sorted_as_asked() {
        let first = |sort| frame(None, sort).whole().lines().rev().nth(2).unwrap()[..10].to_owned();
        assert_eq!(
            [Sort::Aspid, Sort::Aspid.next().next(), Sort::Slowest, Sort::Slowest.next()].map(first),
            ["1234567891", "1234567892", "1234567893", "1234567891"]
        );
    }

    #[test]
    fn a_small_screen_shows_the_first_lines_and_how_many_are_left_out() {
        let shown = frame(Some("the disk is gone"), Sort::Calls).fit(
            Size { columns: 20, lines: 5 },
            &keys(Sort::Calls),
            false,
        );
        assert_eq!(
            shown,
            [
                "suvidha top  sandbox",
                "the disk is gone",
                "calls per second: 3.",
                "… and 13 more",
                "q quit   s sort ASPs"
            ]
        );
        let shown = frame(None, Sort::Calls).fit(Size { columns: 80, lines: 40 }, "", true);
        assert_eq!(shown.len(), 40);
        assert!(shown[4].starts_with("\u{1b}[7mLATENCY") && shown[4].ends_with("\u{1b}[0m"));
        for size in [Size { columns: 1, lines: 1 }, Size { columns: 0, lines: 0 }] {
            assert_eq!(frame(None, Sort::Calls).fit(size, "q", true).len(), 1);
        }
    }

    #[test]
    fn latencies_have_three_digits_or_so() {
        let told = [0, 95, 1_234, 41_370, 999_999, 1_000_000, 61_500_000, 900_000_000].map(latency);
        assert_eq!(told, ["0.00 ms", "0.09 ms", "1.23 ms", "41.3 ms", "999 ms", "1.00 s", "61.5 s", "900 s"]);
    }
}
