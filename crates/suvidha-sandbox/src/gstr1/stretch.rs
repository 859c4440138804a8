//! A section read in stretches, for lists that are too large to be held at once.

use rusqlite::Connection;
use serde_json::{Value, json};

use super::sections::{Filter, section, section_name, shape};
use super::store::{self, KeptRow};
use super::tables::Table;
use super::{Fault, SectionQuery, Subject};

/// How many rows are fetched at a time while those that are wanted are picked out.
const PAGE: usize = 1000;

/// Some of a section's rows, in the shape of the whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Stretch {
    /// `{"b2b":[…]}` and the like; none when there is no such row.
    pub section: Option<Value>,
    /// How many rows it holds.
    pub rows: usize,
    /// Where the next stretch begins; none after the last.
    pub next: Option<Place>,
}

/// A place between two rows of a section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Which of the section's tables.
    table: usize,
    /// After this row of it.
    key: String,
}

/// At most `most` rows of what [`section`](super::section()) reads, from `from` on. Sections that are one statement
/// (`NIL`, `HSNSUM`, `DOCISS` and the comparison of Table 12) come whole.
///
/// # Errors
/// As [`section`](super::section()).
pub fn stretch(
    connection: &Connection,
    subject: &Subject,
    action: &str,
    query: &SectionQuery,
    from: Option<&Place>,
    most: usize,
) -> Result<Stretch, Fault> {
    let name = section_name(action);
    let tables: Vec<&'static Table> = Table::of_section(&name).collect();
    if tables.first().is_none_or(|table| table.is_whole()) {
        let section = section(connection, subject, action, query)?;
        return Ok(Stretch { rows: usize::from(section.is_some()), section, next: None });
    }
    let filter = Filter::read(query)?;
    let mut gathered = Gathered { parts: Vec::new(), rows: 0, most, last: None };
    for (index, table) in tables.into_iter().enumerate().filter(|(_, table)| filter.wants_part(table)) {
        let after = match from {
            Some(place) if index < place.table => continue,
            Some(place) if index == place.table => place.key.as_str(),
            _ => "",
        };
        if !gathered.take(connection, subject, &filter, (index, table), after)? {
            return Ok(Stretch { next: gathered.last.clone(), ..gathered.shaped(&name) });
        }
    }
    Ok(gathered.shaped(&name))
}

/// The rows of a stretch so far.
struct Gathered {
    parts: Vec<(&'static Table, Vec<KeptRow>)>,
    rows: usize,
    most: usize,
    last: Option<Place>,
}

impl Gathered {
    /// Takes the wanted rows of a table; false if there is one more than fits.
    fn take(
        &mut self,
        connection: &Connection,
        subject: &Subject,
        filter: &Filter<'_>,
        (index, table): (usize, &'static Table),
        after: &str,
    ) -> rusqlite::Result<bool> {
        let mut wanted = Vec::new();
        let mut after = after.to_owned();
        let fits = loop {
            let page = store::rows_after(connection, subject, table, &after, PAGE)?;
            let Some(last) = page.last().map(|kept| kept.key.clone()) else { break true };
            let room = self.most - self.rows;
            wanted.extend(page.into_iter().filter(|kept| filter.wants(kept)));
            if wanted.len() > room {
                wanted.truncate(room);
                break false;
            }
            after = last;
        };
        if let Some(last) = wanted.last() {
            self.last = Some(Place { table: index, key: last.key.clone() });
            self.rows += wanted.len();
            self.parts.push((table, wanted));
        }
        Ok(fits)
    }

    fn shaped(self, name: &str) -> Stretch {
        let rows = self.rows;
        let section = (rows > 0).then(|| json!({ name: shape(self.parts) }));
        Stretch { section, rows, next: None }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Books, every_section};
    use super::*;

    fn stretches(books: &Books, action: &str, query: &SectionQuery, most: usize) -> Vec<Stretch> {
        let mut all = Vec::new();
        let mut from = None;
        loop {
            let subject = books.subject("072025");
            let found = stretch(&books.connection, &subject, action, query, from.as_ref(), most).unwrap();
            from = found.next.clone();
            all.push(found);
            if from.is_none() {
                return all;
            }
        }
    }

    /// The rows of a list, without the groups they are sent in.
    fn rows(section: &Value) -> Vec<String> {
        let mut rows = Vec::new();
        collect(section, &mut rows);
        rows.sort();
        rows
    }

    fn collect(value: &Value, rows: &mut Vec<String>) {
        match value {
            Value::Object(object) if object.contains_key("chksum") => rows.push(value.to_string()),
            Value::Object(object) => object.values().for_each(|value| collect(value, rows)),
            Value::Array(values) => values.iter().for_each(|value| collect(value, rows)),
            _ => {}
        }
    }

    #[test]
    fn stretches_of_any_length_make_up_the_section() {
        let mut books = Books::with_june();
        books.save("072025", &every_section());
        for action in ["B2B", "B2BA", "B2CS", "CDNR", "CDNUR", "EXP", "AT", "SUPECO", "ECOM", "ECOMA"] {
            let whole = books.section("072025", action).unwrap();
            let expected = rows(&whole);
            for most in [1, 2, 3, 1000] {
                let found = stretches(&books, action, &SectionQuery::default(), most);
                let lengths: Vec<usize> = found.iter().map(|stretch| stretch.rows).collect();
                let (last, full) = lengths.split_last().unwrap();
                assert!(
                    full.iter().all(|rows| *rows == most) && (1..=most).contains(last),
                    "{action} {lengths:?}"
                );
                let mut together: Vec<String> =
                    found.iter().flat_map(|stretch| rows(stretch.section.as_ref().unwrap())).collect();
                together.sort();
                assert_eq!(together, expected, "{action} in stretches of {most}");
                if most == 1000 {
                    assert_eq!(found[0].section.as_ref(), Some(&whole), "{action}");
                }
            }
        }
    }

    #[test]
    fn a_statement_comes_whole_and_nothing_is_none() {
        let mut books = Books::with_june();
        books.save("072025", &every_section());
        let hsn = stretches(&books, "HSNSUM", &SectionQuery::default(), 1);
        assert_eq!(hsn.len(), 1);
        assert_eq!(hsn[0].section, books.section("072025", "HSNSUM"));
        let nobody = SectionQuery { ctin: Some("29AAAAA0000A1Z5"), ..SectionQuery::default() };
        let none = stretches(&books, "B2B", &nobody, 1);
        assert_eq!(none, [Stretch { section: None, rows: 0, next: None }]);
    }
}
