//! Documents that reach a recipient from forms and offices that the sandbox does not have: credit distributed (GSTR-6),
//! tax deducted and collected at source (GSTR-7, GSTR-8), and bills of entry (ICEGATE). A developer puts them in
//! through the management port, in the fields of GSTR-2B; of TDS and TCS in those of GSTR-2A and `supprd`.

use gstn::crypto::sha256_hex;
use gstn::{Gstin, ReturnPeriod};
use jiff::civil::Date;
use rusqlite::{Connection, Transaction, params};
use serde_json::{Map, Value};

use super::returns::unreadable;
use crate::amounts::Amount;
use crate::calendar::{last_day, period_of};

/// Why a document cannot be put in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SeedError {
    /// There is no such section.
    #[error("there is no section {0:?}: isd, isda, impg, impgsez, tds, tdsa and tcs can be put in")]
    Section(String),
    /// A field is missing, unknown, or not what it should be.
    #[error("{field}: {problem}")]
    Field {
        /// The field.
        field: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The database failed.
    #[error("the sandbox database failed: {0}")]
    Database(#[from] rusqlite::Error),
}

/// What a field must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Gstin,
    Period,
    Day,
    Amount,
    OneOf(&'static [&'static str]),
}

type Fields = &'static [(&'static str, Kind, bool)];

const YES_NO: Kind = Kind::OneOf(&["Y", "N"]);
const ISD_DOCUMENT: Kind = Kind::OneOf(&["ISDI", "ISDC"]);
const DISTRIBUTED: Fields = &[
    ("ctin", Kind::Gstin, true),
    ("trdnm", Kind::Text, false),
    ("supprd", Kind::Period, true),
    ("supfildt", Kind::Day, true),
    ("doctyp", ISD_DOCUMENT, true),
    ("docnum", Kind::Text, true),
    ("docdt", Kind::Day, true),
    ("oinvnum", Kind::Text, false),
    ("oinvdt", Kind::Day, false),
    ("igst", Kind::Amount, false),
    ("cgst", Kind::Amount, false),
    ("sgst", Kind::Amount, false),
    ("cess", Kind::Amount, false),
    ("itcelg", YES_NO, true),
];
const REDISTRIBUTED: Fields =
    &[("odoctyp", ISD_DOCUMENT, true), ("odocnum", Kind::Text, true), ("odocdt", Kind::Day, true)];
const IMPORTED: Fields = &[
    ("refdt", Kind::Day, true),
    ("recdt", Kind::Day, true),
    ("portcode", Kind::Text, true),
    ("boenum", Kind::Text, true),
    ("boedt", Kind::Day, true),
    ("isamd", YES_NO, true),
    ("txval", Kind::Amount, true),
    ("igst", Kind::Amount, true),
    ("cess", Kind::Amount, true),
];
const FROM_SEZ: Fields = &[("ctin", Kind::Gstin, true), ("trdnm", Kind::Text, true)];
const DEDUCTED: Fields = &[
    ("supprd", Kind::Period, true),
    ("gstin_ded", Kind::Gstin, true),
    ("amt_ded", Kind::Amount, true),
    ("iamt", Kind::Amount, false),
    ("camt", Kind::Amount, false),
    ("samt", Kind::Amount, false),
];
const COLLECTED: Fields = &[
    ("supprd", Kind::Period, true),
    ("etin", Kind::Gstin, true),
    ("m_id", Kind::Text, false),
    ("sup_val", Kind::Amount, true),
    ("tx_val", Kind::Amount, true),
    ("irt", Kind::Amount, false),
    ("iamt", Kind::Amount, true),
    ("crt", Kind::Amount, false),
    ("camt", Kind::Amount, true),
    ("srt", Kind::Amount, false),
    ("samt", Kind::Amount, true),
    ("csrt", Kind::Amount, false),
    ("csamt", Kind::Amount, false),
];

/// The fields of a section, in two lists.
fn fields_of(section: &str) -> Option<(Fields, Fields)> {
    Some(match section {
        "isd" => (DISTRIBUTED, &[]),
        "isda" => (DISTRIBUTED, REDISTRIBUTED),
        "impg" => (IMPORTED, &[]),
        "impgsez" => (IMPORTED, FROM_SEZ),
        "tds" | "tdsa" => (DEDUCTED, &[]),
        "tcs" => (COLLECTED, &[]),
        _ => return None,
    })
}

/// A document that was put in.
#[derive(Debug, Clone)]
pub(crate) struct Seed {
    pub(crate) id: i64,
    pub(crate) section: String,
    pub(crate) period: ReturnPeriod,
    /// By which it falls into a statement.
    pub(crate) day: Date,
    pub(crate) body: Map<String, Value>,
}

impl Seed {
    pub(crate) fn text(&self, name: &str) -> &str {
        self.body.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    pub(crate) fn amount(&self, name: &str) -> Amount {
        Amount::of(&self.body, name)
    }

    pub(crate) fn chksum(&self) -> String {
        sha256_hex(format!("{} {} {}", self.section, self.id, Value::Object(self.body.clone())).as_bytes())
    }

    pub(crate) fn is_import(&self) -> bool {
        self.section.starts_with("impg")
    }

    pub(crate) fn is_amended(&self) -> bool {
        self.text("isamd") == "Y"
    }
}

/// Puts a document in for `gstin`, and gives its number.
///
/// # Errors
/// When the section is unknown, a field is missing, unknown or malformed, or the database fails.
pub(crate) fn seed(
    tx: &Transaction<'_>,
    gstin: &Gstin,
    section: &str,
    row: &Value,
) -> Result<i64, SeedError> {
    let (first, second) = fields_of(section).ok_or_else(|| SeedError::Section(section.to_owned()))?;
    let refuse = |field: &str, problem| Err(SeedError::Field { field: field.to_owned(), problem });
    let Some(body) = row.as_object() else { return refuse("row", "must be an object") };
    let fields = || first.iter().chain(second);
    if let Some(unknown) = body.keys().find(|name| !fields().any(|(known, ..)| known == name)) {
        return refuse(unknown, "is not a field of this section");
    }
    for (name, kind, required) in fields() {
        match body.get(*name) {
            None if *required => return refuse(name, "is missing"),
            Some(value) if !fits(*kind, value) => return refuse(name, what_is(*kind)),
            _ => {}
        }
    }
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let (period, day) = match text("supprd").parse::<ReturnPeriod>() {
        Ok(period) => (Some(period), day(text("supfildt")).unwrap_or_else(|| last_day(period))),
        Err(_) => {
            let day = day(text("refdt")).unwrap_or_default();
            (period_of(day), day)
        }
    };
    let Some(period) = period else { return refuse("refdt", "is not a day of GST") };
    tx.prepare_cached(
        "INSERT INTO inward_seeds (gstin, section, period, day, body) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![gstin.as_str(), section, period.to_string(), day.to_string(), row.to_string()])?;
    Ok(tx.last_insert_rowid())
}

fn fits(kind: Kind, value: &Value) -> bool {
    let text = value.as_str();
    match kind {
        Kind::Text => text.is_some_and(|text| !text.trim().is_empty()),
        Kind::Gstin => text.is_some_and(|text| Gstin::parse_lenient(text).is_ok()),
        Kind::Period => text.is_some_and(|text| text.parse::<ReturnPeriod>().is_ok()),
        Kind::Day => text.is_some_and(|text| day(text).is_some()),
        Kind::Amount => value.is_number() && Amount::read(value) >= Amount::ZERO && Amount::is_exact(value),
        Kind::OneOf(values) => text.is_some_and(|text| values.contains(&text)),
    }
}

const fn what_is(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "must be a text",
        Kind::Gstin => "must be a GSTIN",
        Kind::Period => "must be a period, MMYYYY",
        Kind::Day => "must be a day, dd-mm-yyyy",
        Kind::Amount => "must be an amount with at most two decimals",
        Kind::OneOf(_) => "must be one of the published values",
    }
}

/// `dd-mm-yyyy`
fn day(text: &str) -> Option<Date> {
    let [day, month, year] = text.split('-').collect::<Vec<_>>().try_into().ok()?;
    Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
}

/// What stands in GSTR-2A of `period`, in one section.
pub(super) fn of_period(
    conn: &Connection,
    gstin: &Gstin,
    period: ReturnPeriod,
    section: &str,
) -> rusqlite::Result<Vec<Seed>> {
    select(
        conn,
        "WHERE gstin = ?1 AND period = ?2 AND section = ?3 ORDER BY id",
        params![gstin.as_str(), period.to_string(), section],
    )
}

/// What falls into statements by its day.
pub(super) fn between(
    conn: &Connection,
    gstin: &Gstin,
    first: Date,
    last: Date,
) -> rusqlite::Result<Vec<Seed>> {
    select(
        conn,
        "WHERE gstin = ?1 AND day >= ?2 AND day <= ?3 AND section NOT IN ('tds', 'tdsa', 'tcs') ORDER BY id",
        params![gstin.as_str(), first.to_string(), last.to_string()],
    )
}

/// Every bill of entry of a recipient.
pub(super) fn imports(conn: &Connection, gstin: &Gstin) -> rusqlite::Result<Vec<Seed>> {
    select(conn, "WHERE gstin = ?1 AND section IN ('impg', 'impgsez') ORDER BY id", params![gstin.as_str()])
}

fn select(
    conn: &Connection,
    condition: &str,
    parameters: impl rusqlite::Params,
) -> rusqlite::Result<Vec<Seed>> {
    let sql = format!("SELECT id, section, period, body, day FROM inward_seeds {condition}");
    let mut statement = conn.prepare_cached(&sql)?;
    let found = statement.query_map(parameters, |row| {
        let body: String = row.get(3)?;
        Ok(Seed {
            id: row.get(0)?,
            section: row.get(1)?,
            period: super::returns::period_at(row, 2)?,
            day: super::returns::day_at(row, 4)?,
            body: serde_json::from_str(&body).map_err(|_| unreadable(3, &body))?,
        })
    })?;
    found.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::db::Db;

    #[test]
    fn a_document_with_a_wrong_field_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let db = Db::open(dir.path()).unwrap();
        let gstin =
            "29AAPFU0939F1ZR".parse::<Gstin>().or_else(|_| Gstin::parse_lenient("29AAPFU0939F1ZR")).unwrap();
        let put = |section: &str, row: Value| {
            db.write(|tx| seed(tx, &gstin, section, &row)).map(|_| ()).map_err(|error| error.to_string())
        };
        let bill = json!({"refdt": "28-11-2025", "recdt": "30-11-2025", "portcode": "18272A", "boenum": "2566282",
            "boedt": "18-11-2025", "isamd": "N", "txval": 100, "igst": 18, "cess": 0});
        assert_eq!(put("impg", bill.clone()), Ok(()));
        let with = |name: &str, value: Value| {
            let mut bill = bill.clone();
            bill[name] = value;
            bill
        };
        assert_eq!(
            put("impg", with("refdt", json!("2025-11-28"))).unwrap_err(),
            "refdt: must be a day, dd-mm-yyyy"
        );
        assert!(
            put("impg", with("txval", json!(1.005))).unwrap_err().starts_with("txval: must be an amount")
        );
        assert_eq!(
            put("impg", with("color", json!("red"))).unwrap_err(),
            "color: is not a field of this section"
        );
        assert_eq!(put("impgsez", bill.clone()).unwrap_err(), "ctin: is missing");
        assert!(put("b2b", bill).unwrap_err().starts_with("there is no section \"b2b\""));
    }
}
