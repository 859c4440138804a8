//! Readers for fields that clients write in more than one way.

use serde::Deserialize;
use serde::de::{Deserializer, Error};
use serde_json::Value;

/// A text, or a number or truth value as text, or nothing for `null`.
pub(crate) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        Value::Number(number) => Ok(Some(number.to_string())),
        Value::Bool(truth) => Ok(Some(truth.to_string())),
        Value::Array(_) | Value::Object(_) => {
            Err(D::Error::custom("a text is wanted, not a list or an object"))
        }
    }
}

/// As [`text`], with nothing as the empty text.
pub(crate) fn plain_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(text(deserializer)?.unwrap_or_default())
}

/// A whole number, written as a number or as text.
pub(crate) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    plain_text(deserializer)?.trim().parse().map_err(|_| D::Error::custom("a whole number is wanted"))
}
