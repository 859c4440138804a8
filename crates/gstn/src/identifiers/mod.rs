//! The names of things on the wire, as types that exist only if they are valid.

mod caller;
mod gstin;
mod period;
mod state;

pub use caller::{AspId, IpUsr, Txn};
pub use gstin::{EntityKind, Gstin, Pan, check_character};
pub use period::{FinancialYear, ReturnPeriod};
pub use state::StateCode;

/// Why a text is not the identifier it should be. Each message names the identifier, the value and the fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentifierError {
    /// Too short or too long.
    #[error("{what} {value:?} has {found} characters; it must have {expected}")]
    Length {
        /// The identifier, as people name it.
        what: &'static str,
        /// The value, shortened if it is long.
        value: String,
        /// How many characters it must have, in words.
        expected: &'static str,
        /// How many it has.
        found: usize,
    },
    /// A character that may not stand where it stands.
    #[error("{what} {value:?}: character {position} is {found:?}; it must be {expected}")]
    Character {
        /// The identifier, as people name it.
        what: &'static str,
        /// The value, shortened if it is long.
        value: String,
        /// Counted from one.
        position: usize,
        /// The character found.
        found: char,
        /// What may stand there, in words.
        expected: &'static str,
    },
    /// The check digit does not follow from the rest.
    #[error("GSTIN {value:?} ends in {found:?}, but its first fourteen characters call for {expected:?}")]
    CheckDigit {
        /// The whole GSTIN.
        value: String,
        /// The check digit that would be right.
        expected: char,
        /// The one found.
        found: char,
    },
    /// Two digits that are no state code.
    #[error("{value:?} is not a state code of GST (01 to 38, 96, 97 or 99)")]
    State {
        /// The value, shortened if it is long.
        value: String,
    },
    /// Well formed, but not a value that exists.
    #[error("{what} {value:?}: {reason}")]
    Value {
        /// The identifier, as people name it.
        what: &'static str,
        /// The value, shortened if it is long.
        value: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// A value as an error may quote it: whole if it is short, cut otherwise.
fn quote(value: &str) -> String {
    const LONGEST: usize = 40;
    match value.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}

/// The first character that `allowed` refuses, as an error.
fn refuse_other_characters(
    what: &'static str,
    value: &str,
    expected: &'static str,
    allowed: impl Fn(char) -> bool,
) -> Result<(), IdentifierError> {
    match value.chars().enumerate().find(|(_, character)| !allowed(*character)) {
        None => Ok(()),
        Some((index, found)) => Err(IdentifierError::Character {
            what,
            value: quote(value),
            position: index + 1,
            found,
            expected,
        }),
    }
}

/// JSON text in and out for an identifier that has `Display` and `FromStr`.
macro_rules! serde_as_text {
    ($($name:ty),+) => {$(
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}
use serde_as_text;
