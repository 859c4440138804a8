//! CSV as RFC 4180 has it: a line of headings, lines ending in CR LF, quotes where a value needs them. And no text in it is a
//! formula, by the same rule as in the lists that the gateway gives ASPs.

use std::io::{self, Write};

use super::columns::{Cell, Row, rfc3339};

/// Writes the headings.
pub(super) fn write_headings<R: Row>(out: &mut impl Write) -> io::Result<()> {
    let names = R::COLUMNS.iter().map(|column| Cell::word(column.name));
    write_line(out, names)
}

/// Writes one row.
pub(super) fn write_row<R: Row>(out: &mut impl Write, row: &R) -> io::Result<()> {
    write_line(out, R::COLUMNS.iter().map(|column| (column.cell)(row)))
}

fn write_line<'a>(out: &mut impl Write, cells: impl Iterator<Item = Cell<'a>>) -> io::Result<()> {
    for (number, cell) in cells.enumerate() {
        if number > 0 {
            out.write_all(b",")?;
        }
        match cell {
            Cell::Nothing => {}
            Cell::Text(text) => write_text(out, &text)?,
            Cell::Number(number) => write!(out, "{number}")?,
            Cell::Flag(flag) => write!(out, "{flag}")?,
            Cell::Time(at) => out.write_all(rfc3339(at).as_bytes())?,
        }
    }
    out.write_all(b"\r\n")
}

/// An empty text is quoted, to be told apart from no text at all. One that a spreadsheet would take for a formula gets an
/// apostrophe before it: what an ASP sent as its `txn` shall not run on the desk of its operator.
fn write_text(out: &mut impl Write, text: &str) -> io::Result<()> {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    if !formula && !text.is_empty() && !text.contains([',', '"', '\r', '\n']) {
        return out.write_all(text.as_bytes());
    }
    let guard = if formula { "'" } else { "" };
    write!(out, "\"{guard}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(cells: Vec<Cell<'_>>) -> String {
        let mut out = Vec::new();
        write_line(&mut out, cells.into_iter()).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn only_what_needs_quotes_gets_them_and_no_text_is_a_formula() {
        let words = ["plain", "a,b", "say \"so\"", "two\r\nlines", ""];
        assert_eq!(
            line(words.map(|word| Cell::text(Some(word))).to_vec()),
            "plain,\"a,b\",\"say \"\"so\"\"\",\"two\r\nlines\",\"\"\r\n"
        );
        let formulas = ["=1+1", "+91", "-1", "@SUM(A1)", "\tx", "=\"a\",b", "a=b"];
        assert_eq!(
            line(formulas.map(|word| Cell::text(Some(word))).to_vec()),
            "\"'=1+1\",\"'+91\",\"'-1\",\"'@SUM(A1)\",\"'\tx\",\"'=\"\"a\"\",b\",a=b\r\n"
        );
        let at = "2026-11-22T10:15:30.000001Z".parse().unwrap();
        assert_eq!(
            line(vec![Cell::Nothing, Cell::Number(-7), Cell::Flag(true), Cell::Time(at), Cell::Nothing]),
            ",-7,true,2026-11-22T10:15:30.000001Z,\r\n"
        );
    }
}
