//! Variables and templates: `${month|next|iso:11}` in texts, `{ template = "invoice", … }` and `{ merge = "${row}", … }` in
//! payloads.

use std::collections::BTreeMap;
use std::iter::successors;

use gstn::ReturnPeriod;
use serde_json::{Map, Number, Value};

/// How deep templates may name templates.
const DEEPEST: usize = 16;
const TEMPLATE: &str = "template";
const MERGE: &str = "merge";

/// The variables and templates of a scenario.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    pub(super) vars: BTreeMap<String, Value>,
    pub(super) templates: BTreeMap<String, Value>,
}

impl Scope {
    /// `value` with every variable and template filled in.
    pub(super) fn fill(&self, value: &Value) -> Result<Value, String> {
        self.fill_at(value, 0)
    }

    /// A text with its variables filled in.
    pub(super) fn text(&self, text: &str) -> Result<String, String> {
        Ok(as_text(&self.fill_text(text)?))
    }

    fn fill_at(&self, value: &Value, depth: usize) -> Result<Value, String> {
        if depth > DEEPEST {
            return Err("templates name each other without end".to_owned());
        }
        match value {
            Value::String(text) => self.fill_text(text),
            Value::Array(items) => items.iter().map(|item| self.fill_at(item, depth)).collect(),
            Value::Object(members) if members.contains_key(TEMPLATE) => self.fill_template(members, depth),
            Value::Object(members) if members.contains_key(MERGE) => self.fill_merge(members, depth),
            Value::Object(members) => {
                let filled =
                    |(name, value): (&String, &Value)| Ok((self.text(name)?, self.fill_at(value, depth)?));
                Ok(Value::Object(members.iter().map(filled).collect::<Result<Map<_, _>, String>>()?))
            }
            plain => Ok(plain.clone()),
        }
    }

    /// The template that `members` names, with the other members as its variables.
    fn fill_template(&self, members: &Map<String, Value>, depth: usize) -> Result<Value, String> {
        let mut inner = self.clone();
        for (name, value) in members.iter().filter(|(name, _)| *name != TEMPLATE) {
            inner.vars.insert(name.clone(), self.fill_at(value, depth)?);
        }
        let name = members[TEMPLATE].as_str().unwrap_or_default();
        let template = self.templates.get(name).ok_or_else(|| format!("there is no template {name:?}"))?;
        inner.fill_at(template, depth + 1)
    }

    /// The object under `merge`, without the members named under `without`, and with those under `set`.
    fn fill_merge(&self, members: &Map<String, Value>, depth: usize) -> Result<Value, String> {
        if let Some(name) = members.keys().find(|name| ![MERGE, "without", "set"].contains(&name.as_str())) {
            return Err(format!("{name:?} has no place beside `merge`: there are `without` and `set`"));
        }
        let object =
            |name: &str| match members.get(name).map(|value| self.fill_at(value, depth)).transpose()? {
                None => Ok(Map::new()),
                Some(Value::Object(object)) => Ok(object),
                Some(other) => Err(format!("`{name}` should be an object, not {other}")),
            };
        let mut merged = object(MERGE)?;
        let without = members.get("without").map(|names| self.fill_at(names, depth)).transpose()?;
        for name in without.as_ref().and_then(Value::as_array).into_iter().flatten() {
            merged.remove(&as_text(name));
        }
        merged.extend(object("set")?);
        Ok(Value::Object(merged))
    }

    fn fill_text(&self, text: &str) -> Result<Value, String> {
        // A variable alone keeps its type.
        if let Some(inner) = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'))
            && !inner.contains("${")
        {
            return self.evaluate(inner);
        }
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (inner, after) =
                after.split_once('}').ok_or_else(|| format!("{text:?} lacks a closing brace"))?;
            filled.push_str(before);
            filled.push_str(&as_text(&self.evaluate(inner)?));
            rest = after;
        }
        filled.push_str(rest);
        Ok(filled.into())
    }

    /// `name.member|filter:argument|…`
    fn evaluate(&self, expression: &str) -> Result<Value, String> {
        let mut parts = expression.split('|').map(str::trim);
        let value = self.variable(parts.next().unwrap_or_default())?;
        parts.try_fold(value.clone(), |value, filter| {
            let (filter, argument) = filter.split_once(':').unwrap_or((filter, ""));
            self.argument(argument)
                .and_then(|argument| filtered(&value, filter, &argument))
                .map_err(|why| format!("${{{expression}}}: {why}"))
        })
    }

    /// `name.member`
    fn variable(&self, path: &str) -> Result<&Value, String> {
        let mut names = path.split('.');
        let name = names.next().unwrap_or_default();
        let value = self.vars.get(name).ok_or_else(|| format!("there is no variable {name:?}"))?;
        names.try_fold(value, |value, member| {
            value.get(member).ok_or_else(|| format!("{name:?} has no {member:?}"))
        })
    }

    /// What stands behind a filter: a number, or the name of a variable.
    fn argument(&self, argument: &str) -> Result<String, String> {
        match argument.starts_with(char::is_alphabetic) {
            true => self.variable(argument).map(as_text),
            false => Ok(argument.to_owned()),
        }
    }
}

pub(super) fn as_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn filtered(value: &Value, filter: &str, argument: &str) -> Result<Value, String> {
    let period = || {
        let text = as_text(value);
        text.parse::<ReturnPeriod>().map_err(|_| format!("{text:?} is no tax period (MMYYYY)"))
    };
    let day = || argument.parse::<u8>().map_err(|_| format!("{argument:?} is no day"));
    let shifted = |period: Option<ReturnPeriod>| {
        period
            .map(|period| Value::from(period.to_string()))
            .ok_or_else(|| "there is no such period".to_owned())
    };
    match filter {
        "next" => period().and_then(|period| shifted(next(period))),
        "previous" => period().and_then(|period| shifted(period.previous())),
        "date" => period().and_then(|p| Ok(format!("{:02}-{:02}-{}", day()?, p.month(), p.year()).into())),
        "slash" => period().and_then(|p| Ok(format!("{:02}/{:02}/{}", day()?, p.month(), p.year()).into())),
        "iso" => period().and_then(|p| Ok(format!("{}-{:02}-{:02}", p.year(), p.month(), day()?).into())),
        "periods" => {
            let many = argument.parse::<u8>().map_err(|_| format!("{argument:?} is no number of periods"))?;
            let periods = successors(Some(period()?), |period| next(*period)).take(many.into());
            Ok(periods.map(|period| Value::from(period.to_string())).collect())
        }
        "plus" => Ok(rupees(paise(value)? + paise(&argument.into())?)),
        "minus" => Ok(rupees(paise(value)? - paise(&argument.into())?)),
        "times" => Ok(rupees(rounded(paise(value)? * paise(&argument.into())?, 100))),
        "percent" => Ok(rupees(rounded(paise(value)? * paise(&argument.into())?, 10_000))),
        other => Err(format!("there is no filter {other:?}")),
    }
}

fn next(period: ReturnPeriod) -> Option<ReturnPeriod> {
    let (year, month) =
        if period.month() == 12 { (period.year() + 1, 1) } else { (period.year(), period.month() + 1) };
    ReturnPeriod::new(year, month)
}

/// An amount with at most two decimals, in hundredths.
fn paise(value: &Value) -> Result<i128, String> {
    let text = as_text(value);
    let wrong = || format!("{text:?} is no amount with at most two decimals");
    let (sign, digits) = text.strip_prefix('-').map_or((1, text.as_str()), |rest| (-1, rest));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let fits = !whole.is_empty() && whole.len() < 20 && part.len() <= 2;
    if !fits || !whole.bytes().chain(part.bytes()).all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    format!("{whole}{part:0<2}").parse::<i128>().map(|paise| sign * paise).map_err(|_| wrong())
}

/// `hundredths / by`, halves away from zero.
fn rounded(hundredths: i128, by: i128) -> i128 {
    (hundredths.abs() + by / 2) / by * hundredths.signum()
}

fn rupees(paise: i128) -> Value {
    if paise % 100 == 0 {
        return i64::try_from(paise / 100).unwrap_or(i64::MAX).into();
    }
    Number::from_f64(paise as f64 / 100.0).map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn scope() -> Scope {
        let vars = json!({
            "month": "122025", "asha": {"gstin": "29X"}, "n": 3, "taxable": 1000.5, "rate": {"whole": 18},
        });
        let templates = json!({
            "invoice": {"inum": "A/${n}", "itms": [{"template": "item", "rt": 18}]},
            "item": {"rt": "${rt}", "txval": "${taxable}", "iamt": "${taxable|percent:18}"},
            "endless": {"template": "endless"},
        });
        let map = |value: Value| value.as_object().unwrap().clone().into_iter().collect();
        Scope { vars: map(vars), templates: map(templates) }
    }

    #[test]
    fn texts_are_filled_in_and_lone_variables_keep_their_type() {
        let fill = |text: &str| scope().fill(&text.into());
        for (text, filled) in [
            ("${n}", json!(3)),
            ("no ${n}", json!("no 3")),
            ("${asha.gstin}/${month}", json!("29X/122025")),
            ("${month|next}", json!("012026")),
            ("${month|next|previous|date:5}", json!("05-12-2025")),
            ("${month|next|iso:14}", json!("2026-01-14")),
            ("${taxable|percent:18}", json!(180.09)),
            ("${taxable|times:2}", json!(2001)),
            ("${n|minus:5.5}", json!(-2.5)),
            ("${taxable|minus:n}", json!(997.5)),
            ("${taxable|times:rate.whole}", json!(18009)),
            ("${month|periods:n}", json!(["122025", "012026", "022026"])),
        ] {
            assert_eq!(fill(text), Ok(filled), "{text}");
        }
        for (text, word) in [
            ("${nobody}", "nobody"),
            ("${asha.pan}", "pan"),
            ("${n|next}", "tax period"),
            ("${n|turn}", "turn"),
            ("${month|percent:1x}", "amount"),
            ("${n|plus:x}", "no variable \"x\""),
            ("${month|periods:-1}", "number of periods"),
            ("a ${n", "brace"),
        ] {
            assert!(fill(text).unwrap_err().contains(word), "{text}");
        }
    }

    #[test]
    fn objects_are_merged_from_what_was_kept() {
        let merged = scope().fill(&json!({"merge": "${asha}", "without": ["gstin"], "set": {"n": "${n}"}}));
        assert_eq!(merged, Ok(json!({"n": 3})));
        assert!(scope().fill(&json!({"merge": "${n}"})).unwrap_err().contains("object"));
        assert!(scope().fill(&json!({"merge": "${asha}", "add": {}})).unwrap_err().contains("add"));
    }

    #[test]
    fn templates_take_variables_and_name_each_other() {
        let filled = scope().fill(&json!([{"template": "invoice", "n": 7}])).unwrap();
        assert_eq!(filled, json!([{"inum": "A/7", "itms": [{"rt": 18, "txval": 1000.5, "iamt": 180.09}]}]));
        assert!(scope().fill(&json!({"template": "endless"})).unwrap_err().contains("without end"));
        assert!(scope().fill(&json!({"template": "none"})).unwrap_err().contains("none"));
    }
}
