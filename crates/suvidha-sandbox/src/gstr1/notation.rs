//! Reads the compact notation in which `save.schema` is written. The file explains the notation.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::Value;

/// What a JSON value must look like.
#[derive(Debug)]
pub(super) enum Shape {
    /// `{…}`, or `!{…}` when closed.
    Object { fields: Vec<Field>, closed: bool },
    /// `[…]`, perhaps with `(min1)`.
    Array { item: Box<Shape>, not_empty: bool },
    /// `a || b`
    AnyOf(Vec<Shape>),
    /// `@name`
    Named(String),
    /// `string(…)`
    Text(Text),
    /// `number(…)` and `integer(…)`
    Number(Numeric),
    /// `any(enum=…)`
    OneOf(Vec<Value>),
}

/// A key of an object.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) required: bool,
    pub(super) shape: Shape,
}

#[derive(Debug, Default)]
pub(super) struct Text {
    pub(super) pattern: Option<Regex>,
    /// A check that a regular expression without look-ahead cannot express.
    pub(super) check: Option<String>,
    pub(super) shortest: Option<usize>,
    pub(super) longest: Option<usize>,
    pub(super) one_of: Vec<String>,
}

#[derive(Debug, Default)]
pub(super) struct Numeric {
    pub(super) integer: bool,
    pub(super) minimum: Option<f64>,
    pub(super) maximum: Option<f64>,
    /// `multipleOf=0.01` and the like, as the number of decimals allowed.
    pub(super) decimals: Option<usize>,
}

/// A parsed file.
#[derive(Debug)]
pub(super) struct Notation {
    pub(super) root: Shape,
    pub(super) definitions: BTreeMap<String, Shape>,
}

/// Where the file departs from the notation.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("schema notation, line {line}: {problem}")]
pub(super) struct NotationError {
    line: usize,
    problem: String,
}

type Parsed<T> = Result<T, NotationError>;

pub(super) fn parse(text: &str) -> Parsed<Notation> {
    let mut parser = Parser { text, at: 0, named: Vec::new() };
    let mut fields = Vec::new();
    let mut definitions = BTreeMap::new();
    loop {
        parser.blank();
        if parser.rest().is_empty() {
            break;
        }
        let defined = parser.eat("@");
        let field = parser.field()?;
        if defined {
            definitions.insert(field.name, field.shape);
        } else {
            fields.push(field);
        }
    }
    match parser.named.iter().find(|(name, _)| !definitions.contains_key(name)) {
        Some((name, at)) => Err(parser.error_at(*at, format!("@{name} is not defined"))),
        None => Ok(Notation { root: Shape::Object { fields, closed: true }, definitions }),
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    /// The names used, and where.
    named: Vec<(String, usize)>,
}

impl Parser<'_> {
    fn field(&mut self) -> Parsed<Field> {
        let name = self.word()?;
        let required = self.eat("*");
        self.expect(":")?;
        Ok(Field { name, required, shape: self.shape()? })
    }

    fn shape(&mut self) -> Parsed<Shape> {
        let mut alternatives = vec![self.single()?];
        while self.eat("||") {
            alternatives.push(self.single()?);
        }
        Ok(if alternatives.len() == 1 { alternatives.remove(0) } else { Shape::AnyOf(alternatives) })
    }

    fn single(&mut self) -> Parsed<Shape> {
        if self.eat("!") {
            self.expect("{")?;
            return self.object(true);
        }
        if self.eat("{") {
            return self.object(false);
        }
        if self.eat("[") {
            let item = Box::new(self.shape()?);
            self.expect("]")?;
            return Ok(Shape::Array { item, not_empty: self.eat("(min1)") });
        }
        if self.eat("@") {
            let at = self.at;
            let name = self.word()?;
            self.named.push((name.clone(), at));
            return Ok(Shape::Named(name));
        }
        self.plain()
    }

    fn object(&mut self, closed: bool) -> Parsed<Shape> {
        let mut fields = vec![self.field()?];
        while self.eat(",") {
            fields.push(self.field()?);
        }
        self.expect("}")?;
        Ok(Shape::Object { fields, closed })
    }

    fn plain(&mut self) -> Parsed<Shape> {
        let at = self.at;
        let kind = self.word()?;
        let limits = self.limits()?;
        match kind.as_str() {
            "string" => self.text_shape(at, limits).map(Shape::Text),
            "number" | "integer" => self.numeric(at, kind == "integer", limits).map(Shape::Number),
            "any" => Ok(Shape::OneOf(
                limits
                    .into_iter()
                    .flat_map(|(_, value)| value.as_array().cloned().unwrap_or_default())
                    .collect(),
            )),
            other => Err(self.error_at(at, format!("{other:?} is no type"))),
        }
    }

    /// `(name=value, …)`, where a value is JSON or a bare word.
    fn limits(&mut self) -> Parsed<Vec<(String, Value)>> {
        let mut limits = Vec::new();
        if !self.eat("(") {
            return Ok(limits);
        }
        loop {
            let name = self.word()?;
            self.expect("=")?;
            let value = if name == "check" { self.word()?.into() } else { self.json()? };
            limits.push((name, value));
            if !self.eat(",") {
                break;
            }
        }
        self.expect(")")?;
        Ok(limits)
    }

    fn text_shape(&self, at: usize, limits: Vec<(String, Value)>) -> Parsed<Text> {
        let mut text = Text::default();
        for (name, value) in limits {
            match (name.as_str(), &value) {
                ("pattern", Value::String(pattern)) => {
                    text.pattern =
                        Some(Regex::new(pattern).map_err(|error| self.error_at(at, error.to_string()))?);
                }
                ("check", Value::String(check)) => text.check = Some(check.clone()),
                ("minLength", Value::Number(_)) => text.shortest = length(&value),
                ("maxLength", Value::Number(_)) => text.longest = length(&value),
                ("enum", Value::Array(values)) => {
                    text.one_of = values.iter().filter_map(Value::as_str).map(str::to_owned).collect();
                }
                _ => return Err(self.error_at(at, format!("a string has no {name}={value}"))),
            }
        }
        Ok(text)
    }

    fn numeric(&self, at: usize, integer: bool, limits: Vec<(String, Value)>) -> Parsed<Numeric> {
        let mut numeric = Numeric { integer, ..Numeric::default() };
        for (name, value) in limits {
            match name.as_str() {
                "minimum" => numeric.minimum = value.as_f64(),
                "maximum" => numeric.maximum = value.as_f64(),
                "multipleOf" => {
                    numeric.decimals = value.to_string().strip_prefix("0.").map(str::len);
                }
                _ => return Err(self.error_at(at, format!("a number has no {name}={value}"))),
            }
        }
        Ok(numeric)
    }

    fn json(&mut self) -> Parsed<Value> {
        self.blank();
        let rest = self.rest();
        let digits = rest.find(|c: char| !c.is_ascii_digit() && !"+-.e".contains(c)).unwrap_or(rest.len());
        let (value, length) = if digits > 0 {
            (serde_json::from_str(&rest[..digits]).ok(), digits)
        } else {
            let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
            (values.next().and_then(Result::ok), values.byte_offset())
        };
        self.at += length;
        value.ok_or_else(|| self.error("expected a JSON value"))
    }

    fn word(&mut self) -> Parsed<String> {
        self.blank();
        let rest = self.rest();
        let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        if length == 0 {
            return Err(self.error("expected a name"));
        }
        let word = rest[..length].to_owned();
        self.at += length;
        Ok(word)
    }

    fn expect(&mut self, token: &str) -> Parsed<()> {
        if self.eat(token) { Ok(()) } else { Err(self.error(&format!("expected {token:?}"))) }
    }

    fn eat(&mut self, token: &str) -> bool {
        self.blank();
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    /// Skips blanks and comments.
    fn blank(&mut self) {
        loop {
            let rest = self.rest();
            let skipped = rest.len() - rest.trim_start().len();
            self.at += skipped;
            if !self.rest().starts_with('#') {
                break;
            }
            self.at += self.rest().find('\n').unwrap_or(self.rest().len());
        }
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn error(&self, problem: &str) -> NotationError {
        self.error_at(self.at, problem.to_owned())
    }

    fn error_at(&self, at: usize, problem: String) -> NotationError {
        NotationError { line: self.text[..at].matches('\n').count() + 1, problem }
    }
}

fn length(value: &Value) -> Option<usize> {
    value.as_u64().and_then(|length| usize::try_from(length).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_schema_reads_as_written() {
        let notation = parse(
            "# comment\nname*: string(pattern=\"^[a-z\\\\-]+$\",maxLength=3)\n\
             rows: [!{ n*: @n, more: {x: any(enum=[\"A\",1])} } || @n](min1)\n@n: integer(minimum=1)",
        )
        .unwrap();
        let Shape::Object { fields, closed: true } = &notation.root else { panic!() };
        assert_eq!(
            fields.iter().map(|f| (f.name.as_str(), f.required)).collect::<Vec<_>>(),
            [("name", true), ("rows", false)]
        );
        let Shape::Text(text) = &fields[0].shape else { panic!() };
        assert_eq!((text.pattern.as_ref().unwrap().as_str(), text.longest), ("^[a-z\\-]+$", Some(3)));
        let Shape::Array { item, not_empty: true } = &fields[1].shape else { panic!() };
        assert!(matches!(&**item, Shape::AnyOf(alternatives) if alternatives.len() == 2));
        assert!(notation.definitions.contains_key("n"));
    }

    #[test]
    fn a_fault_is_reported_with_its_line() {
        for (text, error) in [
            ("a: @b", "line 1: @b is not defined"),
            ("\n\na: strin", "line 3: \"strin\" is no type"),
            ("a: string(minimum=1)", "line 1: a string has no minimum=1"),
            ("a: number(enum=[])", "line 1: a number has no enum=[]"),
            ("a: string(pattern=\"(\")", "line 1: regex parse error"),
            ("a: [string", "line 1: expected \"]\""),
            ("a: {b: }", "line 1: expected a name"),
            ("a string", "line 1: expected \":\""),
            ("a: number(maximum=x)", "line 1: expected a JSON value"),
        ] {
            let message = parse(text).unwrap_err().to_string();
            assert!(message.contains(error), "{text}: {message}");
        }
    }
}
