//! Checksums: SHA-256 over an ordered text of the data, as GSTN describes them (gstn.md section 5).
//!
//! Clients treat them as opaque. Two rules make them useful: the same data always gives the same checksum,
//! whatever the order of keys and the spelling of numbers, and other data gives another one. A section with
//! parts hashes the checksums of its parts in order, which is what real summaries show (an empty section has
//! the hash of nothing, `e3b0c442…`).

use std::fmt::Write;

use gstn::crypto::sha256_hex;
use serde_json::{Map, Value};

use super::tables::Table;
use crate::amounts::decimal_text;

/// Over a row of a table: the fields it shares with its group, then its own.
pub(super) fn of_row(table: &Table, group: &Map<String, Value>, body: &Map<String, Value>) -> String {
    let mut text = format!("{} {} ", table.section, table.part);
    canonical_object(group, &mut text);
    canonical_object(body, &mut text);
    sha256_hex(text.as_bytes())
}

/// Over the checksums of parts, in order.
pub(super) fn of_parts<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    sha256_hex(parts.into_iter().collect::<String>().as_bytes())
}

/// `{name=value,…}` with the names in order; strings quoted, so that no two values share a text.
fn canonical_object(object: &Map<String, Value>, text: &mut String) {
    let mut keys: Vec<&String> = object.keys().collect();
    keys.sort_unstable();
    text.push('{');
    for key in keys {
        let _ = write!(text, "{}=", Value::from(key.as_str()));
        canonical(&object[key], text);
        text.push(',');
    }
    text.push('}');
}

fn canonical(value: &Value, text: &mut String) {
    match value {
        Value::Object(object) => canonical_object(object, text),
        Value::Array(values) => {
            text.push('[');
            for value in values {
                canonical(value, text);
                text.push(',');
            }
            text.push(']');
        }
        Value::Number(number) => text.push_str(&decimal_text(number)),
        other => {
            let _ = write!(text, "{other}");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(body: &Value) -> String {
        of_row(
            Table::find("b2b", "").unwrap(),
            json!({"ctin": "27AAPFU0939F1ZV"}).as_object().unwrap(),
            body.as_object().unwrap(),
        )
    }

    #[test]
    fn the_spelling_of_a_number_is_not_data() {
        assert_eq!(of(&json!({"num": 1, "val": 2.5})), of(&json!({"num": 1.0, "val": 2.50})));
        assert_ne!(of(&json!({"num": 1})), of(&json!({"num": "1"})));
        assert_ne!(of(&json!({"a": "b,\"c\"=d"})), of(&json!({"a": "b", "c": "d"})));
    }

    #[test]
    fn sections_hash_their_parts_as_real_summaries_do() {
        let nothing = of_parts([]);
        assert_eq!(nothing, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(
            of_parts([nothing.as_str(); 5]),
            "063a5b1a3bbc23d11761b156c446a285d7703be484a276a0a32e29bda10d4f8a"
        );
    }
}
