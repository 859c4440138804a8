//! As much of JSON Schema as the schemas in `tests/schemas` use, so that answers can be held against published shapes.

use regex::Regex;
use serde_json::Value;

/// Fails with the place of everything that does not match the schema `name`.
pub(crate) fn assert_matches(name: &str, answer: &Value) {
    let path = format!("{}/tests/schemas/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let schema: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let mut problems = Vec::new();
    Check { definitions: &schema["definitions"], problems: &mut problems }.value(&schema, answer, name);
    assert!(problems.is_empty(), "{problems:#?}\nin {answer:#}");
}

struct Check<'a> {
    definitions: &'a Value,
    problems: &'a mut Vec<String>,
}

impl Check<'_> {
    fn value(&mut self, schema: &Value, value: &Value, at: &str) {
        if let Some(name) = schema["$ref"].as_str() {
            let definition = &self.definitions[name.strip_prefix("#/definitions/").unwrap()];
            assert!(definition.is_object(), "no definition {name}");
            return self.value(definition, value, at);
        }
        let known = [
            "$comment",
            "type",
            "enum",
            "pattern",
            "minimum",
            "properties",
            "required",
            "additionalProperties",
            "items",
            "minItems",
            "definitions",
        ];
        for keyword in schema.as_object().unwrap().keys() {
            assert!(known.contains(&keyword.as_str()), "the keyword {keyword} is not checked");
        }
        let fits = match schema["type"].as_str() {
            Some("object") => value.is_object(),
            Some("array") => value.is_array(),
            Some("string") => value.is_string(),
            Some("number") => value.is_number(),
            Some("integer") => value.is_i64() || value.is_u64(),
            _ => true,
        };
        let listed = schema["enum"].as_array().is_none_or(|values| values.contains(value));
        let pattern = schema["pattern"].as_str().map(|pattern| Regex::new(pattern).unwrap());
        let spelled = pattern.is_none_or(|pattern| value.as_str().is_some_and(|text| pattern.is_match(text)));
        let enough =
            schema["minimum"].as_f64().is_none_or(|least| value.as_f64().is_some_and(|it| it >= least));
        if !(fits && listed && spelled && enough) {
            self.problems.push(format!("{at}: {value} is not {schema}"));
        }
        self.object(schema, value, at);
        for (index, element) in value.as_array().into_iter().flatten().enumerate() {
            self.value(&schema["items"], element, &format!("{at}[{index}]"));
        }
        let least = schema["minItems"].as_u64().unwrap_or_default();
        if value.as_array().is_some_and(|elements| (elements.len() as u64) < least) {
            self.problems.push(format!("{at}: too few elements"));
        }
    }

    fn object(&mut self, schema: &Value, value: &Value, at: &str) {
        let Some(object) = value.as_object() else { return };
        for required in schema["required"].as_array().into_iter().flatten() {
            if !object.contains_key(required.as_str().unwrap()) {
                self.problems.push(format!("{at}: {required} is missing"));
            }
        }
        for (name, member) in object {
            match schema["properties"].get(name) {
                Some(property) => self.value(property, member, &format!("{at}.{name}")),
                None if schema["additionalProperties"] == true => {}
                None => self.problems.push(format!("{at}.{name} is not a known key")),
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_found() {
    let unknown = std::panic::catch_unwind(|| assert_matches("gstr2a", &serde_json::json!({"b2c": []})));
    assert!(unknown.is_err());
    let missing = serde_json::json!({"b2b": [{"ctin": "27AAPFU0939F1ZV", "inv": []}]});
    assert!(std::panic::catch_unwind(|| assert_matches("gstr2a", &missing)).is_err(), "cfs is missing");
}
