//! What a command prints: words and tables for people, JSON for programs.

use std::fmt::Display;
use std::io::{self, Write};

use jiff::Timestamp;
use serde::Serialize;

use crate::exit::{Exit, Failure};

/// Where answers go, and in which of the two forms.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    /// JSON for programs, instead of words for people.
    pub(crate) json: bool,
}

/// An answer that can be shown to a person; its `Serialize` is what a program gets.
pub(crate) trait Answer: Serialize {
    /// The answer in words or as a table, ending in a line feed.
    fn words(&self) -> String;
}

impl Output {
    /// Prints `answer` in the form asked for.
    pub(crate) fn show(self, answer: &impl Answer) -> Result<(), Failure> {
        if self.json {
            let mut line = serde_json::to_string_pretty(answer)
                .map_err(|e| Failure::new(Exit::Io, format_args!("cannot write the answer as JSON: {e}")))?;
            line.push('\n');
            print(&line)
        } else {
            print(&answer.words())
        }
    }
}

/// Prints `text` as it is. A reader who has gone away (`suvidha … | head`) is no failure.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::io(Exit::Io, "cannot write to standard output", &error))
        }
        _ => Ok(()),
    }
}

/// Tells on standard error what does not keep a command from being done, in either form of output.
pub(crate) fn warn(text: impl Display) {
    // Where even standard error is closed, there is nobody to warn.
    let _ = writeln!(io::stderr(), "suvidha: warning: {text}");
}

/// Tells a person on standard error how to go on.
pub(crate) fn hint(text: impl Display) {
    // Where even standard error is closed, there is nobody to tell.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Lays `rows` out under `headings` in columns two blanks apart.
pub(crate) fn table<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = headings.map(width);
    for row in rows {
        for (column, cell) in row.iter().enumerate() {
            widths[column] = widths[column].max(width(cell));
        }
    }
    let mut text = line(&headings, &widths);
    for row in rows {
        text.push_str(&line(&row.each_ref().map(String::as_str), &widths));
    }
    text
}

/// Lays out `name  value` lines, one for each field of a thing.
pub(crate) fn fields(fields: &[(&str, String)]) -> String {
    let widest = fields.iter().map(|(name, _)| width(name)).max().unwrap_or(0);
    fields.iter().map(|(name, value)| line(&[name, value], &[widest, 0])).collect()
}

/// An instant as people and programs read it: UTC, to the second.
pub(crate) fn instant(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn line<const N: usize>(cells: &[&str; N], widths: &[usize; N]) -> String {
    let mut text = String::new();
    for (cell, &wanted) in cells.iter().zip(widths) {
        text.push_str(cell);
        text.push_str(&" ".repeat((wanted + 2).saturating_sub(width(cell))));
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

fn width(cell: &str) -> usize {
    cell.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["1".to_owned(), "Über GmbH".to_owned(), "x".to_owned()]];
        assert_eq!(table(["ID", "NAME", "Y"], &rows), "ID  NAME       Y\n1   Über GmbH  x\n");
    }

    #[test]
    fn lines_do_not_end_in_blanks() {
        assert_eq!(table(["A", "B"], &[["1".to_owned(), String::new()]]), "A  B\n1\n");
        assert_eq!(fields(&[("name", "x".into()), ("n", String::new())]), "name  x\nn\n");
    }
}
