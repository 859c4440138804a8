//! What GSTN offers and what its errors mean: data, not code. The tables lie in `data/`.

mod apis;
mod errors;

pub use apis::{Api, Evidence, Family, Location, Method, Methods, apis, find, is_known_path, locate};
pub use errors::{ErrorEntry, Origin, error, errors};
