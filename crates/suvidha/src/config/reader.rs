//! Reads TOML key by key and collects every problem with its line, so that one run shows them all.
//!
//! Serde would stop at the first fault and not know the line of a value that parses but makes no sense.

use std::cell::RefCell;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::setting::Setting;

/// One thing that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The file, as the person named it.
    pub(crate) file: String,
    /// The line, counted from 1.
    pub(crate) line: usize,
    /// The key with its sections, e.g. `environments.sandbox.listen`; empty for a fault of the syntax.
    pub(crate) key: String,
    /// What is wrong with it.
    pub(crate) message: String,
}

impl Problem {
    /// Whether whoever reads `section` alone must know of it: it is in there, or might be meant to be, being a
    /// fault of the syntax or a misspelt section.
    pub(crate) fn concerns(&self, section: &str) -> bool {
        !self.key.contains('.') || self.key.split('.').next() == Some(section)
    }

    fn is_of_syntax(&self) -> bool {
        self.key.is_empty()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, key, message } = self;
        match key.as_str() {
            "" => write!(f, "{file}:{line}: {message}"),
            key => write!(f, "{file}:{line}: {key}: {message}"),
        }
    }
}

/// A configuration file being read.
pub(crate) struct Document<'t> {
    name: String,
    text: &'t str,
    problems: RefCell<Vec<Problem>>,
    /// Every key that was asked for, so that a test can hold the manual against it.
    #[cfg(test)]
    pub(super) asked: RefCell<std::collections::BTreeSet<String>>,
}

impl<'t> Document<'t> {
    /// The document `text`, which people know as `name`.
    pub(crate) fn new(name: &str, text: &'t str) -> Self {
        Self {
            name: name.to_owned(),
            text,
            problems: RefCell::default(),
            #[cfg(test)]
            asked: RefCell::default(),
        }
    }

    /// The outermost section. Faults of the syntax become problems; what could be read is still given.
    pub(crate) fn root(&self) -> Section<'_, 't> {
        let (table, faults) = DeTable::parse_recoverable(self.text);
        for fault in faults {
            let at = fault.span().map_or(0, |span| span.start);
            self.report(at, String::new(), fault.message().to_owned());
        }
        Section { document: self, path: String::new(), at: 0, table: table.into_inner(), known: Vec::new() }
    }

    /// Every problem found so far, in the order of the lines. Where the syntax is wrong, that alone: what was
    /// read in spite of it may be read wrongly.
    pub(crate) fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        if problems.iter().any(Problem::is_of_syntax) {
            problems.retain(Problem::is_of_syntax);
        }
        problems.sort_by_key(|problem| problem.line);
        problems
    }

    fn report(&self, at: usize, key: String, message: String) {
        let line =
            1 + self.text.as_bytes()[..at.min(self.text.len())].iter().filter(|&&b| b == b'\n').count();
        self.problems.borrow_mut().push(Problem { file: self.name.clone(), line, key, message });
    }
}

/// One `[section]`. Whatever is not asked for by the time it is dropped is an unknown key.
pub(crate) struct Section<'d, 't> {
    document: &'d Document<'t>,
    path: String,
    at: usize,
    table: DeTable<'t>,
    known: Vec<&'static str>,
}

impl<'d, 't> Section<'d, 't> {
    /// The value of `key`, or `default` where the key is absent or its value is a problem.
    pub(crate) fn get<T: Setting>(&mut self, key: &'static str, default: T) -> T {
        self.optional(key).unwrap_or(default)
    }

    /// The value of `key`, where it is present and right.
    pub(crate) fn optional<T: Setting>(&mut self, key: &'static str) -> Option<T> {
        let (at, value) = self.take(key)?;
        let read = T::read(value.get_ref());
        if read.is_none() {
            let message = format!("expected {}, found {}", T::expected(), found(value.get_ref()));
            self.document.report(at, self.full(key), message);
        }
        read
    }

    /// Every key of a section whose keys are the operator's own, with its value where that is right, and its place.
    pub(crate) fn entries<T: Setting>(&mut self) -> Vec<(String, T, Position)> {
        let entries = std::mem::take(&mut self.table).into_iter().filter_map(|(key, value)| {
            let (name, at) = (key.get_ref().to_string(), key.span().start);
            #[cfg(test)]
            self.document.asked.borrow_mut().insert(self.full(&name));
            let read = T::read(value.get_ref());
            if read.is_none() {
                let message = format!("expected {}, found {}", T::expected(), found(value.get_ref()));
                self.document.report(at, self.full(&name), message);
            }
            Some((name, read?, Position(at)))
        });
        entries.collect()
    }

    /// The path at `key`, counted from `base`; nothing where it is absent or no file that can be read.
    pub(crate) fn file(&mut self, key: &'static str, base: &Path) -> Option<PathBuf> {
        let at = self.position(key);
        let path = base.join(self.optional::<PathBuf>(key)?);
        match File::open(&path).and_then(|mut file| file.read(&mut [0; 1])) {
            Ok(_) => Some(path),
            Err(error) => {
                let message = format!("cannot read {}: {error}", path.display());
                self.document.report(at, self.full(key), message);
                None
            }
        }
    }

    /// Takes `key` without looking at its value.
    pub(crate) fn discard(&mut self, key: &'static str) {
        self.take(key);
    }

    /// The section `key` inside this one; an empty one where it is absent.
    pub(crate) fn section(&mut self, key: &'static str) -> Section<'d, 't> {
        self.optional_section(key).unwrap_or_else(|| Section {
            document: self.document,
            path: self.full(key),
            at: self.at,
            table: DeTable::new(),
            known: Vec::new(),
        })
    }

    /// The section `key` inside this one, where it is present.
    pub(crate) fn optional_section(&mut self, key: &'static str) -> Option<Section<'d, 't>> {
        let (at, value) = self.take(key)?;
        let path = self.full(key);
        match value.into_inner() {
            DeValue::Table(table) => {
                Some(Section { document: self.document, path, at, table, known: Vec::new() })
            }
            other => {
                self.document.report(at, path, format!("expected a section, found {}", found(&other)));
                None
            }
        }
    }

    /// Whether `key` is present. Does not take it.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.table.keys().any(|k| k.get_ref() == key)
    }

    /// Reports a problem with `key` of this section, at its line; or at the section's where it is absent.
    pub(crate) fn problem(&self, at: Position, key: &str, message: impl fmt::Display) {
        self.document.report(at.0, self.full(key), message.to_string());
    }

    /// Where `key` stands, to be asked before it is taken, for a later [`problem`](Self::problem).
    pub(crate) fn locate(&self, key: &str) -> Position {
        Position(self.position(key))
    }

    fn position(&self, key: &str) -> usize {
        self.table.keys().find(|k| k.get_ref() == key).map_or(self.at, |k| k.span().start)
    }

    fn take(&mut self, key: &'static str) -> Option<(usize, Spanned<DeValue<'t>>)> {
        self.known.push(key);
        #[cfg(test)]
        self.document.asked.borrow_mut().insert(self.full(key));
        let at = self.position(key);
        self.table.remove(key).map(|value| (at, value))
    }

    fn full(&self, key: &str) -> String {
        match (self.path.as_str(), key) {
            ("", key) => key.to_owned(),
            (path, "") => path.to_owned(),
            (path, key) => format!("{path}.{key}"),
        }
    }
}

impl Drop for Section<'_, '_> {
    fn drop(&mut self) {
        for key in self.table.keys() {
            let name = key.get_ref();
            let message = match nearest(name, &self.known) {
                Some(nearest) => format!("unknown key; the nearest known one is `{}`", self.full(nearest)),
                None => format!("unknown key; known here: {}", self.known.join(", ")),
            };
            self.document.report(key.span().start, self.full(name), message);
        }
    }
}

/// A place in the document.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Position(usize);

fn nearest(name: &str, known: &[&'static str]) -> Option<&'static str> {
    let near = known.iter().map(|&key| (strsim::jaro_winkler(name, key), key));
    near.filter(|(likeness, _)| *likeness > 0.75).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, key)| key)
}

fn found(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| found(item.get_ref())).collect();
            format!("[{}]", items.join(", "))
        }
        other => format!("a value of type {}", other.type_str()),
    }
}
