//! Is the payload of the shape that GSTN publishes? (gstn.md 3.8, C)

use std::fmt;
use std::sync::LazyLock;

use jiff::civil::Date;
use serde_json::{Map, Value};

use super::notation::{self, Field, Notation, Numeric, Shape, Text};
use crate::amounts::decimal_text;

static SAVE: LazyLock<Notation> =
    LazyLock::new(|| notation::parse(include_str!("save.schema")).expect("save.schema follows its notation"));

/// Where a payload departs from the schema, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Violation {
    /// Innermost step first.
    path: Vec<Step>,
    problem: Problem,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Problem {
    Missing,
    NotAllowed,
    NotOneOf(String),
    Other(String),
}

/// Checks a whole payload against the published save schema.
pub(super) fn validate(payload: &Value) -> Result<(), Violation> {
    check(&SAVE, &SAVE.root, payload)
}

/// A calendar date as payloads write it, dd-mm-yyyy.
pub(crate) fn parse_date(text: &str) -> Option<Date> {
    let bytes = text.as_bytes();
    let digits = |range: std::ops::Range<usize>| -> Option<i16> {
        let part = bytes.get(range)?;
        part.iter().all(u8::is_ascii_digit).then(|| std::str::from_utf8(part).ok()?.parse().ok())?
    };
    if bytes.len() != 10 || bytes[2] != b'-' || bytes[5] != b'-' {
        return None;
    }
    Date::new(digits(6..10)?, i8::try_from(digits(3..5)?).ok()?, i8::try_from(digits(0..2)?).ok()?).ok()
}

/// 1 to 16 letters, digits, `/` and `-`, of which one is neither `0` nor a sign.
fn is_document_number(text: &str) -> bool {
    (1..=16).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-'))
        && text.bytes().any(|byte| byte.is_ascii_alphanumeric() && byte != b'0')
}

fn check(schema: &Notation, shape: &Shape, value: &Value) -> Result<(), Violation> {
    match shape {
        Shape::Object { fields, closed } => match value {
            Value::Object(object) => check_object(schema, fields, *closed, object),
            other => fail(format!("must be an object, not {}", kind_of(other))),
        },
        Shape::Array { item, not_empty } => match value {
            Value::Array(values) if *not_empty && values.is_empty() => fail("must not be empty"),
            Value::Array(values) => values.iter().enumerate().try_for_each(|(index, value)| {
                check(schema, item, value).map_err(|violation| violation.under(Step::Index(index)))
            }),
            other => fail(format!("must be an array, not {}", kind_of(other))),
        },
        Shape::AnyOf(alternatives) => check_alternatives(schema, alternatives, value),
        Shape::Named(name) => match schema.definitions.get(name) {
            Some(shape) => check(schema, shape, value).map_err(|violation| violation.named(name, value)),
            None => fail(format!("the schema does not define @{name}")),
        },
        Shape::Text(text) => check_text(text, value),
        Shape::Number(numeric) => check_number(numeric, value),
        Shape::OneOf(values) if values.contains(value) => Ok(()),
        Shape::OneOf(values) => not_one_of(values.iter().filter_map(Value::as_str)),
    }
}

/// Keys that name a variant come first, so that a wrong alternative is recognised as wrong early.
fn check_object(
    schema: &Notation,
    fields: &[Field],
    closed: bool,
    object: &Map<String, Value>,
) -> Result<(), Violation> {
    let check_field = |field: &Field| match object.get(&field.name) {
        Some(value) => check(schema, &field.shape, value)
            .map_err(|violation| violation.under(Step::Key(field.name.clone()))),
        None => Ok(()),
    };
    fields.iter().filter(|field| is_enumeration(schema, &field.shape)).try_for_each(check_field)?;
    if closed && let Some(key) = object.keys().find(|key| fields.iter().all(|field| field.name != **key)) {
        return Err(Violation { path: vec![Step::Key(key.clone())], problem: Problem::NotAllowed });
    }
    if let Some(field) = fields.iter().find(|field| field.required && !object.contains_key(&field.name)) {
        return Err(Violation { path: vec![Step::Key(field.name.clone())], problem: Problem::Missing });
    }
    fields.iter().filter(|field| !is_enumeration(schema, &field.shape)).try_for_each(check_field)
}

fn is_enumeration(schema: &Notation, shape: &Shape) -> bool {
    match shape {
        Shape::Text(text) => !text.one_of.is_empty(),
        Shape::OneOf(_) => true,
        Shape::Named(name) => schema.definitions.get(name).is_some_and(|shape| is_enumeration(schema, shape)),
        _ => false,
    }
}

/// If none fits, the complaint of the alternative that came furthest is the one worth reading.
fn check_alternatives(schema: &Notation, alternatives: &[Shape], value: &Value) -> Result<(), Violation> {
    let mut best: Option<Violation> = None;
    for alternative in alternatives {
        match check(schema, alternative, value) {
            Ok(()) => return Ok(()),
            Err(violation) if best.as_ref().is_none_or(|best| violation.rank() > best.rank()) => {
                best = Some(violation);
            }
            Err(_) => {}
        }
    }
    best.map_or(Ok(()), Err)
}

fn check_text(text: &Text, value: &Value) -> Result<(), Violation> {
    let Value::String(found) = value else {
        return fail(format!("must be a string, not {}", kind_of(value)));
    };
    if !text.one_of.is_empty() {
        return if text.one_of.contains(found) {
            Ok(())
        } else {
            not_one_of(text.one_of.iter().map(String::as_str))
        };
    }
    let length = found.chars().count();
    if text.shortest.is_some_and(|shortest| length < shortest) {
        return fail(format!("{} is too short", quote(found)));
    }
    if text.longest.is_some_and(|longest| length > longest) {
        return fail(format!("{} is too long", quote(found)));
    }
    let holds = match text.check.as_deref() {
        Some("date") => parse_date(found).is_some(),
        Some("inum") => is_document_number(found),
        Some(other) => return fail(format!("the schema names an unknown check, {other}")),
        None => text.pattern.as_ref().is_none_or(|pattern| pattern.is_match(found)),
    };
    if holds { Ok(()) } else { fail(format!("{} does not have the form asked for", quote(found))) }
}

fn check_number(numeric: &Numeric, value: &Value) -> Result<(), Violation> {
    let Value::Number(number) = value else {
        return fail(format!("must be a number, not {}", kind_of(value)));
    };
    let found = number.as_f64().unwrap_or_default();
    let text = decimal_text(number);
    let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    if numeric.integer && decimals > 0 {
        return fail(format!("{text} is not a whole number"));
    }
    if let Some(minimum) = numeric.minimum.filter(|minimum| found < *minimum) {
        return fail(format!("{text} is less than {minimum}"));
    }
    if let Some(maximum) = numeric.maximum.filter(|maximum| found > *maximum) {
        return fail(format!("{text} is more than {maximum}"));
    }
    if let Some(most) = numeric.decimals.filter(|most| decimals > *most) {
        return fail(format!("{text} has more than {most} decimals"));
    }
    Ok(())
}

fn fail(problem: impl Into<String>) -> Result<(), Violation> {
    Err(Violation { path: Vec::new(), problem: Problem::Other(problem.into()) })
}

fn not_one_of<'a>(values: impl Iterator<Item = &'a str>) -> Result<(), Violation> {
    let values = values.collect::<Vec<_>>().join(", ");
    Err(Violation { path: Vec::new(), problem: Problem::NotOneOf(values) })
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// The value as an error may quote it: cut if it is long.
fn quote(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

impl Violation {
    fn under(mut self, step: Step) -> Self {
        self.path.push(step);
        self
    }

    /// A leaf that breaks a definition is better described by the name of the definition.
    fn named(mut self, name: &str, value: &Value) -> Self {
        if let (true, Problem::Other(problem), Value::String(text)) =
            (self.path.is_empty(), &self.problem, value)
            && problem.ends_with("the form asked for")
        {
            self.problem = Problem::Other(format!("{} is not a valid {name}", quote(text)));
        }
        self
    }

    /// How far into the value an alternative came: one that fails on a key naming the variant was not meant.
    fn rank(&self) -> (bool, usize) {
        let variant_differs = matches!(self.problem, Problem::NotOneOf(_)) && self.path.len() == 1;
        (!variant_differs, self.path.len())
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.path.iter().rev().enumerate() {
            match step {
                Step::Key(key) if position == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        let separator = if self.path.is_empty() { "the payload" } else { "" };
        match &self.problem {
            Problem::Missing => write!(f, "{separator} is missing"),
            Problem::NotAllowed => write!(f, "{separator} is not a key of the schema"),
            Problem::NotOneOf(values) => write!(f, "{separator} must be one of {values}"),
            Problem::Other(problem) => write!(f, "{separator}: {problem}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::testing::{b2b, every_section, june, payload};
    use super::*;

    fn complaint(sections: &Value) -> String {
        validate(&payload("072025", sections)).unwrap_err().to_string()
    }

    #[test]
    fn payloads_touching_every_section_pass() {
        validate(&june()).unwrap();
        validate(&every_section()).unwrap();
        for key in [
            "b2b",
            "b2ba",
            "b2cl",
            "b2cla",
            "b2cs",
            "b2csa",
            "cdnr",
            "cdnra",
            "cdnur",
            "cdnura",
            "nil",
            "exp",
            "expa",
            "at",
            "ata",
            "txpd",
            "txpda",
            "supeco",
            "supecoa",
            "ecom",
            "ecoma",
            "hsn",
            "doc_issue",
        ] {
            assert!(every_section()[key].is_array() || every_section()[key].is_object(), "{key}");
        }
    }

    #[test]
    fn a_complaint_says_where_and_what() {
        for (changes, expected) in [
            (json!({"inum": null}), "b2b[0].inv[0].inum is missing"),
            (json!({"inum": "0-0/"}), "b2b[0].inv[0].inum: \"0-0/\" is not a valid inum"),
            (json!({"inum": "12345678901234567"}), "b2b[0].inv[0].inum: \"12345678901234567\" is too long"),
            (json!({"idt": "29-02-2025"}), "b2b[0].inv[0].idt: \"29-02-2025\" is not a valid date"),
            (json!({"val": "1180"}), "b2b[0].inv[0].val: must be a number, not a string"),
            (json!({"val": -1}), "b2b[0].inv[0].val: -1 is less than 0"),
            (json!({"pos": "39"}), "b2b[0].inv[0].pos: \"39\" is not a valid pos_foreign"),
            (json!({"inv_typ": "X"}), "b2b[0].inv[0].inv_typ must be one of R, DE, SEWP, SEWOP, CBW"),
            (json!({"flag": "Z"}), "b2b[0].inv[0].flag must be one of N, M, U, E"),
            (json!({"flag": "D", "idt": null}), "b2b[0].inv[0].idt is missing"),
            (json!({"colour": "red"}), "b2b[0].inv[0].colour is not a key of the schema"),
            (json!({"itms": []}), "b2b[0].inv[0].itms: must not be empty"),
            (
                json!({"itms": [{"num": 1.5, "itm_det": {"rt": 1, "txval": 1}}]}),
                "b2b[0].inv[0].itms[0].num: 1.5 is not a whole number",
            ),
            (json!({"diff_percent": 0.655}), "b2b[0].inv[0].diff_percent: 0.655 has more than 2 decimals"),
            (json!({"ctin": "33AANCS2882A1Z"}), "b2b[0].ctin: \"33AANCS2882A1Z\" is too short"),
            (json!({"ctin": "33AANCS2882A1-G"}), "b2b[0].ctin: \"33AANCS2882A1-G\" is not a valid gstin"),
        ] {
            assert_eq!(complaint(&b2b(&changes)), expected);
        }
        assert_eq!(complaint(&json!({"b2c": []})), "b2c is not a key of the schema");
        assert_eq!(
            validate(&json!([])).unwrap_err().to_string(),
            "the payload: must be an object, not an array"
        );
    }

    #[test]
    fn the_traps_of_the_published_schema() {
        let passes = |sections: Value| validate(&payload("072025", &sections)).is_ok();
        assert!(passes(b2b(
            &json!({"itms": [{"num": 1.0, "itm_det": {"rt": 18.0, "txval": 1e3, "iamt": 180}}]})
        )));
        let exported = |items: Value| {
            json!({"exp": [{"exp_typ": "WPAY", "inv": [
            {"inum": "1", "idt": "01-07-2025", "val": 1, "sbnum": "", "itms": items}]}]})
        };
        assert!(passes(exported(json!([{"rt": 5, "txval": 1}]))));
        assert!(
            !passes(exported(json!([{"num": 1, "itm_det": {"rt": 5, "txval": 1}}]))),
            "items of exports are plain"
        );
        let note = |typ: &str, more: Value| {
            let mut note = json!({"typ": typ, "ntty": "C", "nt_num": "1", "nt_dt": "01-07-2025", "val": 1,
                "itms": [{"num": 1, "itm_det": {"rt": 5, "txval": 1, "iamt": 0.05, "extra": true}}]});
            super::super::testing::merge(&mut note, &more);
            json!({"cdnur": [note]})
        };
        assert!(passes(note("B2CL", json!({"pos": "33"}))) && passes(note("EXPWP", json!({}))));
        assert!(!passes(note("B2CL", json!({}))), "a B2CL note has a place of supply");
        assert!(!passes(note("EXPWP", json!({"nt_dt": null}))) && !passes(note("B2B", json!({}))));
        assert!(passes(note(
            "B2CL",
            json!({"flag": "D", "pos": null, "itms": null, "val": null, "ntty": null})
        )));
        let hsn = |row: Value| json!({"hsn": {"hsn_b2b": [row]}});
        assert!(passes(hsn(
            json!({"num": 1, "hsn_sc": "8471", "uqc": "NOS", "qty": 1, "txval": 1, "rt": 5})
        )));
        assert!(!passes(hsn(
            json!({"num": 1, "hsn_sc": "8471", "uqc": "NOS", "qty": 1, "txval": 1, "rt": 5, "val": 1})
        )));
        assert!(passes(hsn(
            json!({"num": 1, "hsn_sc": "8471", "uqc": "NOS", "qty": 1, "txval": 1, "val": 1})
        )));
        assert!(passes(hsn(
            json!({"num": 1, "hsn_sc": "", "desc": "x", "uqc": "NOS", "qty": 1, "txval": 1, "val": 1})
        )));
    }

    #[test]
    fn dates_are_calendar_dates() {
        for (text, holds) in [
            ("29-02-2024", true),
            ("29-02-1900", false),
            ("29-02-2000", true),
            ("31-04-2025", false),
            ("00-01-2025", false),
            ("01-13-2025", false),
            ("1-01-2025", false),
            ("01/01/2025", false),
            ("+1-01-2025", false),
            ("01-01-20255", false),
            ("०१-०१-२०२५", false),
            ("31-12-9999", true),
        ] {
            assert_eq!(parse_date(text).is_some(), holds, "{text}");
        }
    }

    /// Any JSON; keys are often ones that the schema knows, so that it gets somewhere.
    fn any_json() -> impl Strategy<Value = Value> {
        let known = prop::sample::select(vec![
            "gstin",
            "fp",
            "b2b",
            "inv",
            "ctin",
            "itms",
            "itm_det",
            "flag",
            "hsn",
            "hsn_b2b",
            "cdnur",
            "typ",
            "ecom",
            "urp2c",
            "idt",
            "inum",
            "doc_issue",
            "nil",
            "rt",
            "num",
            "pos",
            "sply_ty",
        ]);
        let key = prop_oneof![4 => known.prop_map(str::to_owned), 1 => "\\PC{0,5}"];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "\\PC{0,20}|[0-9]{2}-[0-9]{2}-[0-9]{4}|D|27AAPFU0939F1ZV|072025".prop_map(Value::from),
        ];
        leaf.prop_recursive(6, 64, 5, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec((key.clone(), inner), 0..5)
                    .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_json_upsets_the_validator(value in any_json()) {
            if let Err(violation) = validate(&value) {
                prop_assert!(!violation.to_string().is_empty());
            }
        }
    }
}
