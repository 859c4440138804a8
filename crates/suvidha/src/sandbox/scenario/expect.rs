//! What an answer should be: values by JSON pointer, in which `[inum=A1]` finds an item of a list.

use serde_json::Value;

use super::value::as_text;

/// The value at `pointer`: as RFC 6901, and `/b2b/[ctin=27AAPFU0939F1ZV]/inv/[inum=A1]/val` besides.
pub(super) fn at<'a>(value: &'a Value, pointer: &str) -> Option<&'a Value> {
    let mut found = value;
    for piece in pieces(pointer)? {
        found = match piece.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(wanted) => {
                let (name, text) = wanted.split_once('=')?;
                found
                    .as_array()?
                    .iter()
                    .find(|item| item.get(name).is_some_and(|value| as_text(value) == text))?
            }
            None => {
                let piece = piece.replace("~1", "/").replace("~0", "~");
                match found {
                    Value::Array(items) => items.get(piece.parse::<usize>().ok()?)?,
                    Value::Object(members) => members.get(&piece)?,
                    _ => return None,
                }
            }
        };
    }
    Some(found)
}

/// The pieces between slashes, but for those within brackets.
fn pieces(pointer: &str) -> Option<Vec<&str>> {
    let mut rest = pointer;
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        rest = rest.strip_prefix('/')?;
        let end =
            if rest.starts_with('[') { rest.find(']')? + 1 } else { rest.find('/').unwrap_or(rest.len()) };
        let (piece, after) = rest.split_at(end);
        pieces.push(piece);
        rest = after;
    }
    Some(pieces)
}

/// What is wrong with the value at `pointer`; nothing if it is as expected.
pub(super) fn difference(answer: &Value, pointer: &str, expected: &Value) -> Option<String> {
    let found = at(answer, pointer);
    let told = || found.map_or_else(|| "is not there".to_owned(), |found| format!("is {found}"));
    let differs = |wanted: String| Some(format!("{} {}, and should {wanted}", shown(pointer), told()));
    if let Some((matcher, wanted)) = matcher(expected) {
        let (holds, words) = match matcher {
            "exists" => (found.is_some() == (wanted == &Value::Bool(true)), "be there, or not".to_owned()),
            "count" => {
                let count = found.and_then(|found| match found {
                    Value::Array(items) => Some(items.len()),
                    Value::Object(members) => Some(members.len()),
                    _ => None,
                });
                (count.map(|count| count as u64) == wanted.as_u64(), format!("count {wanted}"))
            }
            "contains" => {
                let text = found.map(as_text).unwrap_or_default();
                (text.contains(&as_text(wanted)), format!("contain {wanted}"))
            }
            "not" => (!found.is_some_and(|found| same(found, wanted)), format!("not be {wanted}")),
            "at_least" => {
                let number = found.and_then(Value::as_f64).zip(wanted.as_f64());
                (number.is_some_and(|(found, wanted)| found >= wanted), format!("be at least {wanted}"))
            }
            _ => (found.is_some_and(|found| includes(found, wanted)), format!("include {wanted}")),
        };
        return if holds { None } else { differs(words) };
    }
    if found.is_some_and(|found| same(found, expected)) { None } else { differs(format!("be {expected}")) }
}

/// `{ count = 3 }` and its like.
fn matcher(expected: &Value) -> Option<(&str, &Value)> {
    let members = expected.as_object().filter(|members| members.len() == 1)?;
    let (name, wanted) = members.iter().next()?;
    let known = ["exists", "count", "contains", "not", "at_least", "includes"];
    known.contains(&name.as_str()).then_some((name.as_str(), wanted))
}

fn shown(pointer: &str) -> &str {
    if pointer.is_empty() { "the answer" } else { pointer }
}

/// Numbers are the same by value: 1000 and 1000.0.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, value)| other.get(name).is_some_and(|other| same(value, other)))
        }
        (one, other) => one == other,
    }
}

/// Whether everything of `wanted` is in `found`, members beyond it aside.
fn includes(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => {
            wanted.iter().all(|(name, wanted)| found.get(name).is_some_and(|found| includes(found, wanted)))
        }
        (Value::Array(found), Value::Array(wanted)) => {
            wanted.iter().all(|wanted| found.iter().any(|found| includes(found, wanted)))
        }
        (found, wanted) => same(found, wanted),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pointers_find_items_by_what_is_in_them() {
        let answer = json!({"b2b": [{"ctin": "A", "inv": [{"inum": "S/1", "val": 5}, {"inum": "2", "val": 6}]}], "a/b": 1});
        let found = |pointer: &str| at(&answer, pointer).cloned();
        assert_eq!(found("/b2b/[ctin=A]/inv/[inum=S/1]/val"), Some(json!(5)));
        assert_eq!(found("/b2b/0/inv/1/val"), Some(json!(6)));
        assert_eq!(found("/a~1b"), Some(json!(1)));
        assert_eq!(found(""), Some(answer.clone()));
        for nowhere in ["/b2b/[ctin=B]", "/b2b/x", "b2b", "/b2b/[ctin", "/b2b/0/inv/9"] {
            assert_eq!(found(nowhere), None, "{nowhere}");
        }
    }

    #[test]
    fn every_way_to_expect_can_hold_and_fail() {
        let answer = json!({"n": 1000.0, "list": [{"a": 1, "b": 2}], "text": "accepted"});
        for (pointer, holds, fails) in [
            ("/n", json!(1000), json!(999)),
            ("/n", json!({"at_least": 1000}), json!({"at_least": 1001})),
            ("/list", json!({"count": 1}), json!({"count": 2})),
            ("/list", json!({"includes": [{"a": 1}]}), json!({"includes": [{"a": 2}]})),
            ("/list", json!([{"a": 1, "b": 2}]), json!([{"a": 1}])),
            ("/text", json!({"contains": "cept"}), json!({"contains": "x"})),
            ("/text", json!({"not": "x"}), json!({"not": "accepted"})),
            ("/none", json!({"exists": false}), json!({"exists": true})),
        ] {
            assert_eq!(difference(&answer, pointer, &holds), None, "{pointer} {holds}");
            let told = difference(&answer, pointer, &fails).unwrap_or_else(|| panic!("{pointer} {fails}"));
            assert!(told.contains(pointer), "{told}");
        }
    }
}
