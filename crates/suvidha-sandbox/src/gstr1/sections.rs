//! The books read back, section by section, in the shape in which GSTN returns them (gstn.md 3.2, 3.10).

use std::collections::BTreeMap;

use rusqlite::Connection;
use serde_json::{Map, Value, json};

use super::schema::parse_date;
use super::store::{self, KeptRow};
use super::tables::Table;
use super::{Fault, GstnError, Subject, checksum, reconcile};

/// What a GET asks for besides its action.
#[derive(Debug, Clone, Copy, Default)]
pub struct SectionQuery<'a> {
    /// Only this counterparty.
    pub ctin: Option<&'a str>,
    /// Only this place of supply (`B2CL`, `B2CLA`).
    pub state_cd: Option<&'a str>,
    /// Only rows changed on or after this day, dd-mm-yyyy.
    pub from_time: Option<&'a str>,
    /// `Y`: only rows the counterparty modified; there are none since GSTR-2 was suspended.
    pub action_required: Option<&'a str>,
    /// Only this part of `SUPECO` and `ECOM`, such as `clttx` or `b2b`.
    pub sub_section: Option<&'a str>,
    /// Only this recipient (`ECOM`, `ECOMA`).
    pub rtin: Option<&'a str>,
}

/// The actions whose name is not that of the section they read.
const OTHER_NAMES: [(&str, &str); 4] =
    [("TXP", "txpd"), ("TXPA", "txpda"), ("HSNSUM", "hsn"), ("DOCISS", "doc_issue")];

/// Reads one section: `{"b2b":[…]}` for `B2B` and so on. `None` when there are no such rows.
///
/// `VALIDATEHSNSUM` compares Table 12 with the documents; GSTN's form of that answer is not public, ours is
/// described in `reconcile`.
///
/// # Errors
/// RET13511 for a malformed `from_time`, RET11403 for an unknown action, or the database's.
pub fn section(
    connection: &Connection,
    subject: &Subject,
    action: &str,
    query: &SectionQuery,
) -> Result<Option<Value>, Fault> {
    if action == "VALIDATEHSNSUM" {
        return Ok(reconcile::hsn_comparison(connection, subject)?);
    }
    let name = section_name(action);
    let mut tables = Table::of_section(&name).peekable();
    if tables.peek().is_none() {
        return Err(GstnError::new("RET11403", format!("Invalid API Request: {action}")).into());
    }
    let filter = Filter::read(query)?;
    let mut parts = Vec::new();
    for table in tables.filter(|table| filter.wants_part(table)) {
        let mut rows = store::rows(connection, subject.gstin, subject.form, subject.period, table)?;
        rows.retain(|kept| filter.wants(kept));
        parts.push((table, rows));
    }
    if parts.iter().all(|(_, rows)| rows.is_empty()) {
        return Ok(None);
    }
    Ok(Some(json!({ name: shape(parts) })))
}

/// The key under which an action's rows are read and saved.
pub(super) fn section_name(action: &str) -> String {
    OTHER_NAMES
        .iter()
        .find(|(other, _)| *other == action)
        .map_or_else(|| action.to_ascii_lowercase(), |(_, section)| (*section).to_owned())
}

pub(super) struct Filter<'a> {
    query: &'a SectionQuery<'a>,
    /// yyyy-mm-dd
    changed_since: Option<String>,
}

impl<'a> Filter<'a> {
    pub(super) fn read(query: &'a SectionQuery<'a>) -> Result<Self, GstnError> {
        let changed_since = match query.from_time.map(str::trim).filter(|text| !text.is_empty()) {
            None => None,
            Some(text) => match parse_date(&text.replace('/', "-")) {
                Some(day) => Some(day.to_string()),
                None => return Err(GstnError::new("RET13511", "Date format entered is Invalid")),
            },
        };
        Ok(Self { query, changed_since })
    }

    pub(super) fn wants_part(&self, table: &Table) -> bool {
        let wanted = self.query.sub_section.filter(|wanted| !wanted.is_empty());
        wanted.is_none_or(|wanted| table.part.is_empty() || wanted.eq_ignore_ascii_case(table.part))
    }

    pub(super) fn wants(&self, kept: &KeptRow) -> bool {
        let matches = |wanted: Option<&str>, field: &str| match (wanted, kept.row.text(field)) {
            (Some(wanted), Some(found)) => wanted.is_empty() || wanted.eq_ignore_ascii_case(found),
            _ => true,
        };
        self.query.action_required != Some("Y")
            && matches(self.query.ctin, "ctin")
            && matches(self.query.state_cd, "pos")
            && matches(self.query.rtin, "rtin")
            && self.changed_since.as_ref().is_none_or(|since| kept.changed_on >= *since)
    }
}

pub(super) fn shape(parts: Vec<(&'static Table, Vec<KeptRow>)>) -> Value {
    match parts.as_slice() {
        [(table, rows), ..] if table.is_whole() => statement(table.section, rows, &parts),
        [(table, rows)] if table.part.is_empty() => list(table, rows),
        _ => {
            let filled = parts.iter().filter(|(_, rows)| !rows.is_empty());
            filled
                .map(|(table, rows)| (table.part.to_owned(), list(table, rows)))
                .collect::<Map<_, _>>()
                .into()
        }
    }
}

/// `nil`, `hsn` and `doc_issue` are objects with one checksum. Of `hsn` both halves are there, even if empty,
/// unless it was saved in the older form.
fn statement(section: &str, first: &[KeptRow], parts: &[(&'static Table, Vec<KeptRow>)]) -> Value {
    let rows = parts.iter().flat_map(|(_, rows)| rows);
    let chksum = checksum::of_parts(rows.map(|kept| kept.chksum.as_str()));
    let flag = first.iter().find_map(|kept| kept.row.flag.as_deref()).unwrap_or("N");
    let mut object = Map::from_iter([("chksum".to_owned(), chksum.into()), ("flag".to_owned(), flag.into())]);
    let older_form = parts.iter().any(|(table, rows)| table.part == "data" && !rows.is_empty());
    for (table, rows) in parts {
        let belongs = section != "hsn" || older_form == (table.part == "data") || !rows.is_empty();
        if belongs {
            let mut rows: Vec<&KeptRow> = rows.iter().collect();
            rows.sort_by_key(|kept| kept.row.amount("num"));
            let bodies = rows.into_iter().map(|kept| Value::Object(kept.row.body.clone())).collect();
            object.insert(table.part.into(), bodies);
        }
    }
    Value::Object(object)
}

fn list(table: &Table, rows: &[KeptRow]) -> Value {
    if table.list.is_empty() {
        return rows.iter().map(with_marks).collect();
    }
    let mut groups: BTreeMap<String, (Map<String, Value>, Vec<Value>)> = BTreeMap::new();
    for kept in rows {
        let shared = &kept.row.group;
        let name = Value::Object(shared.clone()).to_string();
        groups.entry(name).or_insert_with(|| (shared.clone(), Vec::new())).1.push(with_marks(kept));
    }
    let entry = |(mut group, rows): (Map<String, Value>, Vec<Value>)| {
        if group.contains_key("ctin") {
            group.insert("cfs".into(), "N".into());
        }
        group.insert(table.list.into(), rows.into());
        Value::Object(group)
    };
    groups.into_values().map(entry).collect()
}

/// A row as saved, with what GSTN adds: `chksum` and `flag`; between registered parties also who uploaded it
/// (`updby` S, the supplier) and what the counterparty did (`cflag` N, nothing).
fn with_marks(kept: &KeptRow) -> Value {
    let mut body = kept.row.body.clone();
    body.insert("chksum".into(), kept.chksum.clone().into());
    body.insert("flag".into(), kept.row.flag.as_deref().unwrap_or("U").into());
    if kept.row.group.contains_key("ctin") {
        body.insert("updby".into(), "S".into());
        body.insert("cflag".into(), "N".into());
    }
    Value::Object(body)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Books, CUSTOMER, NEIGHBOUR, b2b, every_section};
    use super::*;

    const ACTIONS: [&str; 23] = [
        "B2B", "B2BA", "B2CL", "B2CLA", "B2CS", "B2CSA", "CDNR", "CDNRA", "CDNUR", "CDNURA", "EXP", "EXPA",
        "AT", "ATA", "TXP", "TXPA", "NIL", "HSNSUM", "DOCISS", "SUPECO", "SUPECOA", "ECOM", "ECOMA",
    ];

    fn july() -> Books {
        let mut books = Books::with_june();
        books.save("072025", &every_section());
        books
    }

    /// What was saved, without what GSTN adds and without order.
    fn stripped(value: &Value) -> Value {
        match value {
            Value::Object(object) => object
                .iter()
                .filter(|(key, _)| !["chksum", "flag", "updby", "cflag", "cfs"].contains(&key.as_str()))
                .map(|(key, value)| (key.clone(), stripped(value)))
                .collect::<Map<_, _>>()
                .into(),
            Value::Array(values) => {
                let mut values: Vec<Value> = values.iter().map(stripped).collect();
                values.sort_by_key(ToString::to_string);
                values.into()
            }
            Value::Number(_) => crate::amounts::Amount::read(value).to_json(),
            other => other.clone(),
        }
    }

    #[test]
    fn every_section_reads_back_as_it_was_saved() {
        let books = july();
        for action in ACTIONS {
            let read = books.section("072025", action).unwrap_or_else(|| panic!("{action} is empty"));
            let object = read.as_object().unwrap();
            assert_eq!(object.len(), 1, "{action}");
            let (name, section) = object.iter().next().unwrap();
            assert_eq!(stripped(section), stripped(&every_section()[name]), "{action}");
        }
    }

    #[test]
    fn nothing_saved_is_none_whatever_is_asked() {
        let books = Books::new();
        for action in ACTIONS.into_iter().chain(["VALIDATEHSNSUM"]) {
            assert_eq!(books.section("072025", action), None, "{action}");
        }
        let refused = books.section_where("072025", "B2X", &SectionQuery::default()).unwrap_err();
        assert_eq!(refused.code, "RET11403");
    }

    #[test]
    fn rows_carry_what_gstn_adds() {
        let books = july();
        let b2b = books.section("072025", "B2B").unwrap();
        let invoice = &b2b["b2b"][0]["inv"][0];
        assert_eq!(b2b["b2b"][0]["cfs"], "N");
        assert_eq!(
            (&invoice["updby"], &invoice["cflag"], &invoice["flag"]),
            (&json!("S"), &json!("N"), &json!("U"))
        );
        assert_eq!(invoice["chksum"].as_str().unwrap().len(), 64);
        let b2cs = books.section("072025", "B2CS").unwrap();
        assert!(b2cs["b2cs"][0]["chksum"].is_string() && b2cs["b2cs"][0]["updby"].is_null());
        let hsn = books.section("072025", "HSNSUM").unwrap();
        assert_eq!(
            (&hsn["hsn"]["flag"], hsn["hsn"]["chksum"].as_str().map(str::len)),
            (&json!("N"), Some(64))
        );
        assert!(
            hsn["hsn"]["hsn_b2b"].is_array()
                && hsn["hsn"]["hsn_b2c"].is_array()
                && hsn["hsn"]["data"].is_null()
        );
    }

    #[test]
    fn filters() {
        let mut books = july();
        books.today = jiff::civil::date(2025, 8, 25);
        books.save_july(&b2b(&json!({"inum": "LATE"})));
        let numbers = |action: &str, query: SectionQuery| -> Vec<String> {
            let Some(read) = books.section_where("072025", action, &query).unwrap() else {
                return Vec::new();
            };
            let groups = read.as_object().unwrap().values().next().unwrap().as_array().unwrap();
            let rows = groups.iter().flat_map(|group| group["inv"].as_array().unwrap());
            rows.map(|row| row["inum"].as_str().unwrap().to_owned()).collect()
        };
        let all = SectionQuery::default();
        assert_eq!(numbers("B2B", SectionQuery { ctin: Some(NEIGHBOUR), ..all }), ["S008404", "S008405"]);
        assert_eq!(
            numbers("B2B", SectionQuery { ctin: Some(CUSTOMER), from_time: Some("21-08-2025"), ..all }),
            ["LATE"]
        );
        assert_eq!(numbers("B2B", SectionQuery { from_time: Some("26-08-2025"), ..all }).len(), 0);
        assert_eq!(numbers("B2B", SectionQuery { action_required: Some("Y"), ..all }).len(), 0);
        assert_eq!(
            numbers("B2B", SectionQuery { action_required: Some("N"), from_time: Some(""), ..all }).len(),
            9
        );
        assert_eq!(numbers("B2CL", SectionQuery { state_cd: Some("29"), ..all }), ["S008408"]);
        assert_eq!(numbers("B2CL", SectionQuery { state_cd: Some("33"), ..all }).len(), 0);
        let refused =
            books.section_where("072025", "B2B", &SectionQuery { from_time: Some("1.1.25"), ..all });
        assert_eq!(refused.unwrap_err().code, "RET13511");
        let part = SectionQuery { sub_section: Some("URP2B"), rtin: Some(CUSTOMER), ..all };
        let ecom = books.section_where("072025", "ECOM", &part).unwrap().unwrap();
        assert_eq!(ecom["ecom"].as_object().unwrap().keys().collect::<Vec<_>>(), ["urp2b"]);
        let nobody = SectionQuery { rtin: Some(NEIGHBOUR), sub_section: Some("b2b"), ..all };
        assert_eq!(books.section_where("072025", "ECOM", &nobody), Ok(None));
    }
}
