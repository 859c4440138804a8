//! Rows in the form that was asked for, page by page, so that any number of them goes through the same memory.

use std::fmt::Write as _;
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::marker::PhantomData;

use clap::ValueEnum;
use serde::Serialize;

use super::columns::{Object, Row};
use super::csv;
use super::parquet::ParquetWriter;
use crate::output::Output;

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// Columns for people; times in India
    Table,
    /// One JSON object a line; times in UTC
    Json,
    /// RFC 4180, with a line of headings; times in UTC
    Csv,
    /// Apache Parquet with typed columns; only into a file
    Parquet,
}

/// How rows are written where somebody reads along.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Printed {
    /// Columns for people; times in India
    Table,
    /// One JSON object a line; times in UTC
    Json,
    /// RFC 4180, with a line of headings; times in UTC
    Csv,
}

impl Printed {
    /// The form that was asked for; a table where none was.
    pub(crate) fn format(asked: Option<Self>, output: Output) -> Format {
        match asked {
            Some(Self::Json) => Format::Json,
            Some(Self::Csv) => Format::Csv,
            None if output.json => Format::Json,
            Some(Self::Table) | None => Format::Table,
        }
    }
}

/// A column that people see.
pub(crate) struct Shown<R> {
    /// Its heading, in capitals.
    pub(crate) heading: &'static str,
    /// How wide it is at least: what comes later should still stand in line.
    pub(crate) least: usize,
    /// Numbers end where the one above them ends.
    pub(crate) right: bool,
    /// What people see of a row.
    pub(crate) cell: fn(&R) -> String,
}

/// What people can be shown.
pub(crate) trait Tabled: Row {
    /// The columns of its table, in their order.
    const SHOWN: &'static [Shown<Self>];
}

/// Rows being written.
pub(crate) enum Sheet<R: Tabled, W: Write + Send> {
    /// For people.
    Table(Table<R, W>),
    /// One object a line.
    Json(W),
    /// RFC 4180.
    Csv(W),
    /// Apache Parquet.
    Parquet(Box<ParquetWriter<R, W>>),
}

impl<R: Tabled, W: Write + Send> Sheet<R, W> {
    /// Begins to write to `out`.
    pub(crate) fn begin(format: Format, mut out: W) -> io::Result<Self> {
        Ok(match format {
            Format::Table => Self::Table(Table::new(out)),
            Format::Json => Self::Json(out),
            Format::Csv => {
                csv::write_headings::<R>(&mut out)?;
                Self::Csv(out)
            }
            Format::Parquet => Self::Parquet(Box::new(ParquetWriter::new(out)?)),
        })
    }

    /// Adds `rows`, and hands on what can be handed on, as a reader may be waiting for it.
    pub(crate) fn page(&mut self, rows: &[R]) -> io::Result<()> {
        match self {
            Self::Table(table) => table.page(rows),
            Self::Json(out) => {
                for row in rows {
                    serde_json::to_writer(&mut *out, &Object(row))?;
                    out.write_all(b"\n")?;
                }
                out.flush()
            }
            Self::Csv(out) => {
                rows.iter().try_for_each(|row| csv::write_row(out, row))?;
                out.flush()
            }
            Self::Parquet(file) => rows.iter().try_for_each(|row| file.row(row)),
        }
    }

    /// Ends, and gives back what was written to.
    pub(crate) fn finish(self) -> io::Result<W> {
        let mut out = match self {
            Self::Table(table) => table.finish()?,
            Self::Json(out) | Self::Csv(out) => out,
            Self::Parquet(file) => file.finish()?,
        };
        out.flush()?;
        Ok(out)
    }
}

/// A table that goes on: the first page says how wide its columns are, and a later one may widen them.
pub(crate) struct Table<R, W> {
    out: W,
    widths: Vec<usize>,
    of: PhantomData<R>,
}

impl<R: Tabled, W: Write> Table<R, W> {
    fn new(out: W) -> Self {
        Self { out, widths: Vec::new(), of: PhantomData }
    }

    fn page(&mut self, rows: &[R]) -> io::Result<()> {
        let rows: Vec<Vec<String>> = rows
            .iter()
            .map(|row| R::SHOWN.iter().map(|column| printable(&(column.cell)(row))).collect())
            .collect();
        let first = self.widths.is_empty();
        if first {
            self.widths = R::SHOWN.iter().map(|column| column.heading.len().max(column.least)).collect();
        }
        for row in &rows {
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        if first {
            let headings: Vec<_> = R::SHOWN.iter().map(|column| column.heading.to_owned()).collect();
            self.line(&headings)?;
        }
        rows.iter().try_for_each(|row| self.line(row))?;
        self.out.flush()
    }

    /// A table of nothing has its headings all the same.
    fn finish(mut self) -> io::Result<W> {
        if self.widths.is_empty() {
            self.page(&[])?;
        }
        Ok(self.out)
    }

    fn line(&mut self, cells: &[String]) -> io::Result<()> {
        let mut text = String::new();
        for ((cell, column), &width) in cells.iter().zip(R::SHOWN).zip(&self.widths) {
            // Writing to a String cannot fail.
            let _ = match column.right {
                true => write!(text, "{cell:>width$}  "),
                false => write!(text, "{cell:<width$}  "),
            };
        }
        writeln!(self.out, "{}", text.trim_end())
    }
}

/// What strangers have sent must not move the cursor of whoever reads it.
pub(crate) fn printable(text: &str) -> String {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if hidden(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

/// Standard output. Where it is a terminal nothing reaches it as a command, whatever the form; programs get what was sent.
pub(crate) struct Screen<W: Write> {
    out: BufWriter<W>,
    terminal: bool,
}

impl Screen<Stdout> {
    /// The one that this process has.
    pub(crate) fn stdout() -> Self {
        let out = io::stdout();
        Self { terminal: out.is_terminal(), out: BufWriter::new(out) }
    }
}

impl<W: Write> Write for Screen<W> {
    /// Each piece has whole characters: every form writes whole texts.
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        if !self.terminal {
            return self.out.write(piece);
        }
        for line in String::from_utf8_lossy(piece).split_inclusive(['\r', '\n']) {
            let text = line.trim_end_matches(['\r', '\n']);
            self.out.write_all(printable(text).as_bytes())?;
            self.out.write_all(&line.as_bytes()[text.len()..])?;
        }
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::super::columns::{Cell, Column, Kind};
    use super::*;

    struct Line(&'static str, Option<i64>, bool, Timestamp);

    impl Row for Line {
        const COLUMNS: &'static [Column<Self>] = &[
            Column { name: "name", kind: Kind::Text, always: true, cell: |line| Cell::word(line.0) },
            Column { name: "units", kind: Kind::Number, always: false, cell: |line| Cell::optional(line.1) },
            Column { name: "admitted", kind: Kind::Flag, always: true, cell: |line| Cell::Flag(line.2) },
            Column { name: "at", kind: Kind::Time, always: true, cell: |line| Cell::Time(line.3) },
        ];
    }

    impl Tabled for Line {
        const SHOWN: &'static [Shown<Self>] = &[
            Shown { heading: "NAME", least: 6, right: false, cell: |line| line.0.to_owned() },
            Shown {
                heading: "UNITS",
                least: 0,
                right: true,
                cell: |line| line.1.map_or(String::new(), |n| n.to_string()),
            },
        ];
    }

    fn written(format: Format, pages: &[&[Line]]) -> Vec<u8> {
        let mut sheet = Sheet::begin(format, Vec::new()).unwrap();
        for page in pages {
            sheet.page(page).unwrap();
        }
        sheet.finish().unwrap()
    }

    fn text(format: Format, pages: &[&[Line]]) -> String {
        String::from_utf8(written(format, pages)).unwrap()
    }

    const AT: Timestamp = Timestamp::UNIX_EPOCH;

    #[test]
    fn every_form_has_every_row_of_every_page() {
        let pages: &[&[Line]] =
            &[&[Line("a\"b", Some(7), true, AT)], &[Line("much longer", None, false, AT)]];
        assert_eq!(text(Format::Table, pages), "NAME    UNITS\na\"b         7\nmuch longer\n");
        assert_eq!(
            text(Format::Json, pages),
            "{\"name\":\"a\\\"b\",\"units\":7,\"admitted\":true,\"at\":\"1970-01-01T00:00:00.000000Z\"}\n\
             {\"name\":\"much longer\",\"units\":null,\"admitted\":false,\"at\":\"1970-01-01T00:00:00.000000Z\"}\n"
        );
        assert_eq!(
            text(Format::Csv, pages),
            "name,units,admitted,at\r\n\"a\"\"b\",7,true,1970-01-01T00:00:00.000000Z\r\n\
             much longer,,false,1970-01-01T00:00:00.000000Z\r\n"
        );
    }

    #[test]
    fn nothing_at_all_has_its_headings() {
        assert_eq!(text(Format::Table, &[]), "NAME    UNITS\n");
        assert_eq!(text(Format::Json, &[]), "");
        assert_eq!(text(Format::Csv, &[]), "name,units,admitted,at\r\n");
        let empty = written(Format::Parquet, &[]);
        assert!(empty.starts_with(b"PAR1") && empty.ends_with(b"PAR1"));
    }

    #[test]
    fn no_form_sends_a_terminal_what_a_stranger_sent() {
        let page: &[Line] = &[Line("\u{1b}[2J\u{9b}31m\u{202e}é, \"x\"\nb", Some(1), true, AT)];
        for format in [Format::Table, Format::Json, Format::Csv] {
            let shown = |terminal| {
                let mut sheet =
                    Sheet::begin(format, Screen { out: BufWriter::new(Vec::new()), terminal }).unwrap();
                sheet.page(page).unwrap();
                String::from_utf8(sheet.finish().unwrap().out.into_inner().unwrap()).unwrap()
            };
            let on_terminal = shown(true);
            let commands = |c: char| (c.is_control() && c != '\r' && c != '\n') || c == '\u{202e}';
            assert!(!on_terminal.contains(commands), "{on_terminal:?}");
            assert!(on_terminal.contains("31m") && on_terminal.contains('é'), "{on_terminal:?}");
            assert_eq!(shown(false), text(format, &[page]), "programs get what was sent");
        }
    }

    #[test]
    fn what_a_stranger_sent_does_not_reach_the_terminal_as_a_command() {
        let page: &[Line] = &[Line("\u{1b}[2J\u{202e}a\nb", None, true, AT)];
        assert_eq!(text(Format::Table, &[page]), "NAME                   UNITS\n\\u{1b}[2J\\u{202e}a\\nb\n");
        assert!(text(Format::Json, &[page]).contains("\\u001b[2J"));
    }
}
