//! Rows, written as JSON or as CSV while they are read.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// How an answer is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Format {
    #[default]
    Json,
    /// By RFC 4180, in UTF-8, with a line of names first.
    Csv,
}

impl Format {
    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv => "text/csv; charset=utf-8; header=present",
        }
    }
}

/// One value of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cell<'a> {
    Text(Cow<'a, str>),
    Number(i128),
    /// `true` or `false`, in both forms.
    Flag(bool),
    Nothing,
}

impl<'a> Cell<'a> {
    pub(super) fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Text(text.into())
    }

    /// `None` is no value.
    pub(super) fn maybe(text: Option<impl Into<Cow<'a, str>>>) -> Self {
        text.map_or(Self::Nothing, Self::text)
    }

    pub(super) fn number(number: impl Into<i128>) -> Self {
        Self::Number(number.into())
    }
}

/// An answer in the making: what stands before the rows, the rows, what stands after them.
pub(super) struct Table {
    format: Format,
    columns: &'static [&'static str],
    /// The rows so far, over all pieces.
    rows: u64,
    written: Vec<u8>,
}

impl Table {
    /// Begins with `members` and, in JSON, the name of the list.
    pub(super) fn begin(
        format: Format,
        columns: &'static [&'static str],
        members: &[(&str, Value)],
        list: &str,
    ) -> Self {
        let mut table = Self { format, columns, rows: 0, written: Vec::new() };
        match format {
            Format::Json => {
                table.written.push(b'{');
                for (name, value) in members {
                    table.written.extend_from_slice(format!("{}:{value},", Value::from(*name)).as_bytes());
                }
                table.written.extend_from_slice(format!("{}:[", Value::from(list)).as_bytes());
            }
            Format::Csv => table.line(columns.iter().map(|name| Cell::text(*name))),
        }
        table
    }

    /// One more row: a cell for each column.
    pub(super) fn row<const CELLS: usize>(&mut self, cells: [Cell<'_>; CELLS]) {
        debug_assert_eq!(CELLS, self.columns.len());
        match self.format {
            Format::Json => {
                if self.rows > 0 {
                    self.written.push(b',');
                }
                self.written.push(b'{');
                for (place, (name, cell)) in self.columns.iter().zip(cells).enumerate() {
                    if place > 0 {
                        self.written.push(b',');
                    }
                    self.json_text(name);
                    self.written.push(b':');
                    match cell {
                        Cell::Text(text) => self.json_text(&text),
                        Cell::Number(number) => self.written.extend_from_slice(number.to_string().as_bytes()),
                        Cell::Flag(flag) => self.written.extend_from_slice(flag.to_string().as_bytes()),
                        Cell::Nothing => self.written.extend_from_slice(b"null"),
                    }
                }
                self.written.push(b'}');
            }
            Format::Csv => self.line(cells),
        }
        self.rows += 1;
    }

    /// Ends; `next` is the cursor of the page after this one, if there is one.
    pub(super) fn end(&mut self, next: Option<&str>) {
        if self.format == Format::Json {
            self.written.extend_from_slice(format!("],\"Next\":{}}}", Value::from(next)).as_bytes());
        }
    }

    /// What was written since this was last asked.
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.written)
    }

    fn json_text(&mut self, text: &str) {
        // A text is always JSON, and a vector takes whatever is written.
        let _ = serde_json::to_writer(&mut self.written, text);
    }

    fn line<'c>(&mut self, cells: impl IntoIterator<Item = Cell<'c>>) {
        for (place, cell) in cells.into_iter().enumerate() {
            if place > 0 {
                self.written.push(b',');
            }
            match cell {
                Cell::Text(text) => self.csv_text(&text),
                Cell::Number(number) => self.written.extend_from_slice(number.to_string().as_bytes()),
                Cell::Flag(flag) => self.written.extend_from_slice(flag.to_string().as_bytes()),
                Cell::Nothing => {}
            }
        }
        self.written.extend_from_slice(b"\r\n");
    }

    /// A text that a spreadsheet would take for a formula gets an apostrophe before it: what others sent in a header shall
    /// not run on the desk of whoever opens the file.
    fn csv_text(&mut self, text: &str) {
        let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
        let quoted = formula || text.contains([',', '"', '\r', '\n']);
        if !quoted {
            self.written.extend_from_slice(text.as_bytes());
            return;
        }
        self.written.push(b'"');
        if formula {
            self.written.push(b'\'');
        }
        self.written.extend_from_slice(text.replace('"', "\"\"").as_bytes());
        self.written.push(b'"');
    }
}

/// The one row of an answer that has no more: in JSON its members, without a list around it.
pub(super) fn single(format: Format, columns: &'static [&'static str], values: Vec<Value>) -> Vec<u8> {
    match format {
        Format::Json => {
            let members = columns.iter().map(|name| (*name).to_owned()).zip(values);
            Value::Object(members.collect::<Map<_, _>>()).to_string().into_bytes()
        }
        Format::Csv => {
            let mut table = Table::begin(format, columns, &[], "");
            table.line(values.into_iter().map(|value| match value {
                Value::String(text) => Cell::text(text),
                Value::Null => Cell::Nothing,
                Value::Bool(flag) => Cell::Flag(flag),
                Value::Number(number) => match number.as_i128() {
                    Some(number) => Cell::Number(number),
                    None => Cell::text(number.to_string()),
                },
                other => Cell::text(other.to_string()),
            }));
            table.take()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn written(format: Format, next: Option<&str>) -> String {
        let mut table = Table::begin(format, &["Txn", "Units"], &[("Day", json!("2026-11-22"))], "Txns");
        let mut pieces = table.take();
        table.row([Cell::text("a\"b\\\n"), Cell::number(-1)]);
        table.row([Cell::Nothing, Cell::number(u64::MAX)]);
        pieces.extend(table.take());
        table.end(next);
        pieces.extend(table.take());
        String::from_utf8(pieces).unwrap()
    }

    #[test]
    fn json_is_one_object_however_many_pieces_it_comes_in() {
        let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let expected = json!({
            "Day": "2026-11-22",
            "Txns": [{"Txn": "a\"b\\\n", "Units": -1}, {"Txn": null, "Units": u64::MAX}],
            "Next": "7",
        });
        assert_eq!(read(&written(Format::Json, Some("7"))), expected);
        assert_eq!(read(&written(Format::Json, None))["Next"], Value::Null);
        let mut empty = Table::begin(Format::Json, &["Txn"], &[], "Txns");
        empty.end(None);
        assert_eq!(read(&String::from_utf8(empty.take()).unwrap()), json!({"Txns": [], "Next": null}));
    }

    #[test]
    fn a_flag_is_true_or_false_and_a_number_below_nothing_no_formula() {
        let row = |format| {
            let mut table = Table::begin(format, &["A", "B"], &[], "Rows");
            table.row([Cell::Flag(true), Cell::Flag(false)]);
            String::from_utf8(table.take()).unwrap()
        };
        assert!(row(Format::Json).ends_with("[{\"A\":true,\"B\":false}"), "{}", row(Format::Json));
        assert_eq!(row(Format::Csv), "A,B\r\ntrue,false\r\n");
        let one =
            single(Format::Csv, &["ApiBal", "Unlimited", "Plan"], vec![json!(-4), json!(true), json!("-")]);
        assert_eq!(String::from_utf8(one).unwrap(), "ApiBal,Unlimited,Plan\r\n-4,true,\"'-\"\r\n");
    }

    #[test]
    fn csv_is_by_rfc_4180() {
        assert_eq!(
            written(Format::Csv, Some("7")),
            "Txn,Units\r\n\"a\"\"b\\\n\",-1\r\n,18446744073709551615\r\n"
        );
    }

    #[test]
    fn no_text_is_a_formula() {
        let cell = |text: &'static str| {
            let mut table = Table { format: Format::Csv, columns: &["a"], rows: 0, written: Vec::new() };
            table.row([Cell::text(text)]);
            String::from_utf8(table.take()).unwrap()
        };
        for (text, written) in [
            ("=1+1", "\"'=1+1\""),
            ("+91", "\"'+91\""),
            ("-1", "\"'-1\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("\tx", "\"'\tx\""),
            ("=\"a\",b", "\"'=\"\"a\"\",b\""),
            ("a=b", "a=b"),
            ("", ""),
            ("a,b", "\"a,b\""),
        ] {
            assert_eq!(cell(text), format!("{written}\r\n"), "{text:?}");
        }
    }
}
