//! What GSTN offers and what its errors mean: data, not code. The tables lie in `data/`.

mod apis;
mod errors;
mod lookup;

pub use apis::{Api, Evidence, Family, Method, Methods, apis};
pub use errors::{ErrorEntry, Origin, error, errors};
pub use lookup::{KnownPath, Location, Site, find, is_known_path, locate, path_number, paths, site};

/// The rows of a table: lines that are not comments, cut at tabs.
fn rows<const COLUMNS: usize>(table: &'static str) -> impl Iterator<Item = [&'static str; COLUMNS]> {
    table.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let mut columns = line.split('\t');
        let mut row = [""; COLUMNS];
        for column in &mut row {
            *column = columns.next()?;
        }
        columns.next().is_none().then_some(row)
    })
}

/// A column in which `-` stands for nothing.
fn given(column: &'static str) -> Option<&'static str> {
    (column != "-").then_some(column)
}
