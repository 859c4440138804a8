//! A piece of a list, in the shape of the whole: sections, parties, and in them documents.

use serde_json::{Map, Value};

/// The keys under which a party's documents stand.
const DOCUMENTS: [&str; 4] = ["inv", "nt", "doclist", "boe"];

/// A piece of a list.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Piece {
    /// None when there is no document in it.
    pub(super) list: Option<Value>,
    pub(super) documents: usize,
    /// Whether there are documents after it.
    pub(super) is_followed: bool,
}

/// The documents of `list` after the first `skip`, and at most `most` of them.
pub(super) fn cut(list: Value, skip: usize, most: usize) -> Piece {
    let mut window = Window { skip, room: most, taken: 0, is_followed: false };
    let list = match list {
        Value::Object(sections) => window.sections(sections).map(Value::Object),
        Value::Array(documents) => window.list(documents).map(Value::Array),
        _ => None,
    };
    Piece { list, documents: window.taken, is_followed: window.is_followed }
}

struct Window {
    skip: usize,
    room: usize,
    taken: usize,
    is_followed: bool,
}

impl Window {
    fn takes(&mut self) -> bool {
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        if self.taken == self.room {
            self.is_followed = true;
            return false;
        }
        self.taken += 1;
        true
    }

    fn sections(&mut self, sections: Map<String, Value>) -> Option<Map<String, Value>> {
        let mut kept = Map::new();
        for (name, section) in sections {
            let section = match section {
                Value::Array(list) => self.list(list).map(Value::Array),
                Value::Object(parts) => self.sections(parts).map(Value::Object),
                _ => None,
            };
            kept.extend(section.map(|section| (name, section)));
        }
        (!kept.is_empty()).then_some(kept)
    }

    fn list(&mut self, list: Vec<Value>) -> Option<Vec<Value>> {
        let kept: Vec<Value> = list.into_iter().filter_map(|entry| self.entry(entry)).collect();
        (!kept.is_empty()).then_some(kept)
    }

    /// A party with those of its documents that are wanted, or a document.
    fn entry(&mut self, mut entry: Value) -> Option<Value> {
        let own = DOCUMENTS.into_iter().find(|key| entry.get(key).is_some_and(Value::is_array));
        let Some(own) = own else { return self.takes().then_some(entry) };
        let Value::Array(documents) = entry[own].take() else { return None };
        entry[own] = documents.into_iter().filter(|_| self.takes()).collect();
        entry[own].as_array().is_some_and(|kept| !kept.is_empty()).then_some(entry)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn list() -> Value {
        json!({
            "b2b": [{"ctin": "A", "inv": [1, 2]}, {"ctin": "B", "inv": [3]}],
            "b2bdn": [{"nt_num": 4}, {"nt_num": 5}],
            "cdn": [{"ctin": "A", "nt": [6]}],
        })
    }

    #[test]
    fn pieces_keep_the_shape_and_leave_out_what_has_no_documents() {
        let piece = |list: Value, documents, is_followed| Piece { list: Some(list), documents, is_followed };
        assert_eq!(cut(list(), 0, 6), piece(list(), 6, false));
        assert_eq!(cut(list(), 0, 1), piece(json!({"b2b": [{"ctin": "A", "inv": [1]}]}), 1, true));
        let middle = json!({
            "b2b": [{"ctin": "A", "inv": [2]}, {"ctin": "B", "inv": [3]}], "b2bdn": [{"nt_num": 4}],
        });
        assert_eq!(cut(list(), 1, 3), piece(middle, 3, true));
        assert_eq!(cut(list(), 5, 3), piece(json!({"cdn": [{"ctin": "A", "nt": [6]}]}), 1, false));
        assert_eq!(cut(list(), 6, 3), Piece::default());
        assert_eq!(cut(Value::Null, 0, 3), Piece::default());
    }
}
