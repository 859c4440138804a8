//! One list of columns for every form: what JSON calls a key, CSV a heading and Parquet a column is the same thing.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::ser::{Serialize, SerializeMap, Serializer};

/// One value of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cell<'a> {
    /// There is none.
    Nothing,
    /// As it is, never cut.
    Text(Cow<'a, str>),
    /// A whole number.
    Number(i64),
    /// Yes or no.
    Flag(bool),
    /// To the microsecond.
    Time(Timestamp),
}

/// What kind of value a column has, where it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// UTF-8.
    Text,
    /// 64 bits, with a sign.
    Number,
    /// Yes or no.
    Flag,
    /// An instant, UTC.
    Time,
}

/// A column of rows of `T`.
pub(crate) struct Column<T: 'static> {
    /// Its name; never changed once released.
    pub(crate) name: &'static str,
    /// What it holds.
    pub(crate) kind: Kind,
    /// Every row has a value here.
    pub(crate) always: bool,
    /// The value of a row.
    pub(crate) cell: for<'a> fn(&'a T) -> Cell<'a>,
}

/// What is laid out in columns.
pub(crate) trait Row: Sized + 'static {
    /// All columns, in their order.
    const COLUMNS: &'static [Column<Self>];
}

impl<'a> Cell<'a> {
    /// The text, where there is one.
    pub(crate) fn text(text: Option<&'a str>) -> Self {
        text.map_or(Self::Nothing, |text| Self::Text(Cow::Borrowed(text)))
    }

    /// A text that outlives every row.
    pub(crate) fn word(word: &'static str) -> Self {
        Self::Text(Cow::Borrowed(word))
    }

    /// A text made for the occasion.
    pub(crate) fn made(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }

    /// A number; what SQLite keeps has 63 bits and no more.
    pub(crate) fn number(number: impl TryInto<i64>) -> Self {
        Self::Number(number.try_into().unwrap_or(i64::MAX))
    }

    /// The number, where there is one.
    pub(crate) fn optional(number: Option<impl TryInto<i64>>) -> Self {
        number.map_or(Self::Nothing, Self::number)
    }
}

/// An instant as programs read it: RFC 3339 in UTC, with all of its microseconds.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

impl Serialize for Cell<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nothing => serializer.serialize_none(),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Number(number) => serializer.serialize_i64(*number),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Time(at) => serializer.serialize_str(&rfc3339(*at)),
        }
    }
}

/// A row as a JSON object: every column is a key of every object.
pub(crate) struct Object<'a, R>(pub(crate) &'a R);

impl<R: Row> Serialize for Object<'_, R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(R::COLUMNS.len()))?;
        for column in R::COLUMNS {
            map.serialize_entry(column.name, &(column.cell)(self.0))?;
        }
        map.end()
    }
}
